"""Atomic writes: the old file or the new one, never a part, and nothing left beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tagvis_lite.atomic import replacing, replacing_folder


def write_new(path: Path) -> None:
    with replacing(path) as temporary:
        temporary.write_text("new")


def test_folders_are_made_and_the_suffix_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "scores.png"
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]
    assert temporary.parent == path.parent, "os.replace works within one file system"
    assert temporary.suffix == ".png", "savefig and others go by it"
    assert temporary.name.startswith("."), "readers of the folder skip hidden files"


@pytest.mark.parametrize("error", [OSError("disk full"), ValueError("no"), KeyboardInterrupt()])
@pytest.mark.parametrize("old", [None, "old"])
def test_a_failed_write_leaves_what_was_there(
    old: str | None, error: BaseException, tmp_path: Path
) -> None:
    path = tmp_path / "scores.csv"
    if old is not None:
        path.write_text(old)

    def write() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half of the n")
            raise error

    with pytest.raises(type(error)):
        write()
    assert [p.read_text() for p in tmp_path.iterdir()] == ([] if old is None else [old])


def test_a_write_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_text() == "old"


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"

    with replacing(path) as temporary:
        temporary.write_text("outer")
        write_new(path)
        assert temporary.read_text() == "outer"
    assert path.read_text() == "outer"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_permissions_are_those_of_any_new_file(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        write_new(tmp_path / "new")
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_name_of_the_longest_length_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250 + ".json")
    write_new(path)
    assert path.read_text() == "new"


def test_a_folder_in_the_way_stays(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(OSError, match="run"):
        write_new(tmp_path / "run")
    assert list(tmp_path.iterdir()) == [tmp_path / "run"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "frames"

    def killed() -> None:
        with replacing_folder(target) as folder:
            (folder / "0.txt").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    assert list(target.parent.iterdir()) == []

    left_by_a_kill = target.with_name(".frames.partial")
    left_by_a_kill.mkdir()
    (left_by_a_kill / "old.txt").write_text("old")
    with replacing_folder(target) as folder:
        (folder / "0.txt").write_text("whole")
        assert not target.exists()
    assert [path.name for path in target.iterdir()] == ["0.txt"]
    assert [path.name for path in target.parent.iterdir()] == ["frames"]
