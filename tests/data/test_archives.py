"""Unpacking: all of an honest archive, nothing of a hostile one."""

from __future__ import annotations

import io
import shutil
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pytest

from tagvis_lite.data.archives import Member, common_folder, extract, list_members

FILES = {"DAVIS/ImageSets/val.txt": b"bear\n", "DAVIS/JPEGImages/bear/00000.jpg": bytes(range(256))}


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("DAVIS/", b"")
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def make_tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(params=["a.zip", "a.tar", "a.tar.gz"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    make = make_zip if request.param.endswith("zip") else make_tar
    return make(tmp_path / request.param, FILES)


def test_files_come_out_as_they_went_in(archive: Path, tmp_path: Path) -> None:
    members = extract(archive, tmp_path / "out")
    assert tree(tmp_path / "out") == FILES
    assert members == [Member(name, len(content)) for name, content in FILES.items()]
    assert common_folder(members) == "DAVIS"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["DAVIS"]


def test_again_completes_and_leaves_the_rest_alone(archive: Path, tmp_path: Path) -> None:
    extract(archive, tmp_path / "out")
    kept, gone = (tmp_path / "out" / name for name in FILES)
    before = kept.stat().st_mtime_ns
    gone.unlink()
    (tmp_path / "out" / "own.txt").write_text("mine")
    extract(archive, tmp_path / "out")
    assert tree(tmp_path / "out") == FILES | {"own.txt": b"mine"}
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize("content", [b"cows\n", b"bear and cows\n"])
def test_a_file_of_other_content_stays(archive: Path, tmp_path: Path, content: bytes) -> None:
    mine = tmp_path / "out" / "DAVIS" / "ImageSets" / "val.txt"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(content)
    with pytest.raises(FileExistsError, match=r"val\.txt is there already and differs"):
        extract(archive, tmp_path / "out")
    assert tree(tmp_path / "out") == {"DAVIS/ImageSets/val.txt": content}


def test_a_link_in_the_target_is_not_followed(archive: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_bytes(FILES["DAVIS/ImageSets/val.txt"])
    link = tmp_path / "out" / "DAVIS" / "ImageSets" / "val.txt"
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    with pytest.raises(FileExistsError, match="is there already"):
        extract(archive, tmp_path / "out")


def test_what_macos_adds_is_left_out(tmp_path: Path) -> None:
    odd = {"__MACOSX/DAVIS/._val.txt": b"x", "DAVIS/.DS_Store": b"y"}
    extract(make_zip(tmp_path / "a.zip", FILES | odd), tmp_path / "out")
    assert tree(tmp_path / "out") == FILES


def test_a_tar_of_the_folder_it_was_made_in(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "in", arcname=".")
    assert extract(tmp_path / "a.tar", tmp_path / "out") == [Member("a.txt", 1)]
    assert tree(tmp_path / "out") == {"a.txt": b"a"}


def test_no_common_folder() -> None:
    assert common_folder([Member("train/a", 1), Member("train.json", 1)]) is None
    assert common_folder([Member("a", 1)]) is None


# ---------------------------------------------------------------- hostile archives

PATHS = [
    "../out.txt",
    "DAVIS/../../out.txt",
    "/etc/out.txt",
    "C:/out.txt",
    "C:out.txt",
    "DAVIS\\..\\out.txt",
    "DAVIS//out.txt",
    "DAVIS/. ./out.txt",
    "DAVIS/.../out.txt",
    "DAVIS/./out.txt",
    "DAVIS/a\nb.txt",
    "DAVIS/a\x00.txt",
    "",
]


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_paths_that_escape(name: str, kind: str, tmp_path: Path) -> None:
    if kind == "zip":
        archive = tmp_path / "a.zip"
        with ZipFile(archive, "w") as opened:
            opened.writestr("DAVIS/good.txt", b"good")
            info = ZipInfo("placeholder")
            info.filename = info.orig_filename = name  # ZipInfo() itself would clean it
            opened.writestr(info, b"x")
    else:
        if "\x00" in name or not name:
            pytest.skip("a tar cannot hold this name")
        archive = make_tar(tmp_path / "a.tar", {"DAVIS/good.txt": b"good", name: b"x"})
    with pytest.raises(ValueError, match="not unpacked"):
        extract(archive, tmp_path / "deep" / "out")
    assert [path.name for path in tmp_path.rglob("*")] == [archive.name], "nothing was written"


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices_in_a_tar(kind: bytes, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("DAVIS/link")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(ValueError, match="'DAVIS/link' is a link, a device or a pipe"):
        extract(tmp_path / "a.tar", tmp_path / "out")


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFBLK])
def test_links_and_devices_in_a_zip(mode: int, tmp_path: Path) -> None:
    with ZipFile(tmp_path / "a.zip", "w") as archive:
        info = ZipInfo("DAVIS/link")
        info.external_attr = (mode | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ValueError, match="'DAVIS/link' is a link, a device or a pipe"):
        extract(tmp_path / "a.zip", tmp_path / "out")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("twin", ["DAVIS/a.txt", "davis/A.TXT"])
def test_a_name_that_stands_twice(twin: str, tmp_path: Path) -> None:
    with ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("DAVIS/a.txt", b"1")
        archive.writestr(twin, b"2")
    with pytest.raises(ValueError, match="stands in it twice"):
        extract(tmp_path / "a.zip", tmp_path / "out")


def test_bombs(tmp_path: Path) -> None:
    big = make_zip(tmp_path / "big.zip", {"zeros": bytes(10_000_000)})
    assert big.stat().st_size < 20_000
    with pytest.raises(ValueError, match="unpacks to more than"):
        extract(big, tmp_path / "out", max_bytes=9_999_999)
    many = make_zip(tmp_path / "many.zip", {f"{k}.txt": b"" for k in range(11)})
    with pytest.raises(ValueError, match="unpacks to more than 10 files"):
        list_members(many, max_files=10)
    assert not (tmp_path / "out").exists()


def test_a_zip_that_lies_about_sizes(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"zeros": bytes(100_000)})
    true, false = (100_000).to_bytes(4, "little"), (50_000).to_bytes(4, "little")
    archive.write_bytes(archive.read_bytes().replace(true, false))
    with pytest.raises(ValueError, match=r"a\.zip"):
        extract(archive, tmp_path / "out")
    assert tree(tmp_path / "out") == {}


def test_an_encrypted_zip(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"a": b"x"})
    content = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.rindex(signature) + offset] |= 1
    archive.write_bytes(content)
    with pytest.raises(ValueError, match="'a' is encrypted"):
        extract(archive, tmp_path / "out")


def cut(path: Path) -> None:
    """Half of it, or one member of a tar of two: 512 bytes of header and 512 of content."""
    path.write_bytes(path.read_bytes()[: min(1024, path.stat().st_size // 2)])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, lambda path: path.write_text("words"), Path.touch])
def test_damaged_archives(damage: Callable[[Path], object], archive: Path, tmp_path: Path) -> None:
    if damage is Path.touch:
        archive.unlink()
    damage(archive)
    with pytest.raises(ValueError, match="cannot be unpacked"):
        extract(archive, tmp_path / "out")
    assert not tree(tmp_path / "out") if (tmp_path / "out").exists() else True


def test_a_flipped_byte_is_found_by_the_checksum(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"noise": bytes(range(256)) * 100})
    flip(archive)
    with pytest.raises(ValueError, match="cannot be unpacked"):
        extract(archive, tmp_path / "out")
    assert tree(tmp_path / "out") == {}


def test_a_full_disk_is_told_before_the_first_file(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match=r"but the disk has 0\.0 GB"):
        extract(archive, tmp_path / "out")
    assert tree(tmp_path / "out") == {}


def test_no_archive(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such archive"):
        extract(tmp_path / "none.zip", tmp_path / "out")
