"""What lessons share beside figures: metrics, videos, descent on free tags."""

from __future__ import annotations

import importlib
import json
import re
import sys
from functools import partial
from pathlib import Path

import matplotlib
import nbformat
import numpy as np
import papermill
import pytest
import torch

from tagvis_lite.course import lesson_video, record, setup
from tagvis_lite.course.build import COLAB
from tagvis_lite.course.recording import data_hash
from tagvis_lite.data.davis import write_davis
from tagvis_lite.data.toy import toy_split
from tagvis_lite.views.free_tags import descend


def test_metrics_are_printed_and_kept_with_their_origin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = {"J&F": 0.123456, "steps": 40}
    record("06", metrics, profile="toy", seed=3, data="", out=str(tmp_path / "new"))
    assert capsys.readouterr().out == "J&F    0.123\nsteps  40\n"
    kept = json.loads((tmp_path / "new" / "06.json").read_text())
    assert kept["lesson"] == "06"
    assert kept["metrics"] == metrics
    origin = kept["provenance"]
    assert (origin["profile"], origin["seed"], origin["data"]) == ("toy", 3, "toy")
    assert {"torch", "numpy", "revision", "date", "data_hash", "processor"} <= set(origin)


def test_without_a_folder_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    record("06", {"x": 1.0}, profile="toy", seed=0, data="", out="")
    assert list(tmp_path.iterdir()) == []


def test_the_hash_changes_with_the_data(tmp_path: Path) -> None:
    one, two = tmp_path / "one.mp4", tmp_path / "two.mp4"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    before = data_hash(str(tmp_path))
    two.write_bytes(b"22")
    hashes = [data_hash(""), data_hash(str(one)), data_hash(str(two)), before]
    assert len({*hashes, data_hash(str(tmp_path))}) == 5
    assert data_hash("") == hashes[0]


def test_videos_are_toy_ones_or_the_readers(tmp_path: Path) -> None:
    videos = list(toy_split("test", 3))
    assert lesson_video("", 2).name == videos[2].name
    write_davis(tmp_path, videos[:2], "val")
    assert lesson_video(str(tmp_path), 1).name == videos[1].name
    with pytest.raises(IndexError, match="2 videos, so there is no number 2"):
        lesson_video(str(tmp_path), 2)
    with pytest.raises(FileNotFoundError):
        lesson_video(str(tmp_path / "missing"))


def test_descent_on_a_parabola_is_geometric() -> None:
    start = torch.tensor([1.0, -2.0], dtype=torch.float64)
    history = descend(start, lambda tags: tags.square().sum(), steps=5, learning_rate=0.1)
    expected = start.numpy() * 0.8 ** np.arange(6)[:, None]
    np.testing.assert_allclose(history.numpy(), expected)
    assert start.tolist() == [1.0, -2.0]


# setup, under papermill


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"PROFIL": "toy"}, "PROFIL is no parameter of this lesson, which has PROFILE, SEED, DATA"),
        ({"SEED": "1"}, "SEED is '1', but must be of type int"),
        ({"PROFILE": "huge"}, "PROFILE is 'huge': choose one of"),
        ({"DATA": "no/such"}, "DATA is 'no/such', which does not exist"),
        ({"MARGIN": 2, "SEED": 3}, ""),
    ],
)
def test_what_papermill_sets_is_checked(
    parameters: dict[str, object], said: str, tmp_path: Path
) -> None:
    declared = 'PROFILE = "toy"\nSEED = 0\nDATA = ""\nOUT = ""\nMARGIN = 3.0'
    cells = [nbformat.v4.new_code_cell(declared, metadata={"tags": ["parameters"]})]
    cells += [nbformat.v4.new_code_cell(COLAB), nbformat.v4.new_code_cell("PROFIL = 1")]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, tmp_path / "lesson.ipynb")
    run = partial(
        papermill.execute_notebook,
        tmp_path / "lesson.ipynb",
        tmp_path / "done.ipynb",
        parameters,
        progress_bar=False,
    )
    if not said:
        run()
        return
    with pytest.raises(papermill.PapermillExecutionError, match=re.escape(said)):
        run()


def test_the_style_is_set_by_a_lesson_not_by_an_import() -> None:
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        importlib.reload(sys.modules["tagvis_lite.course.display"])
        assert matplotlib.rcParams["axes.spines.top"]
        setup("toy", 0, "", "")
        assert not matplotlib.rcParams["axes.spines.top"]
