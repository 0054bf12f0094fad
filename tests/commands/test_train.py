"""`tagvis train` starts from files and weights, and what follows takes the folder of its run."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import loggers
from safetensors.torch import load_file
from tiny_network import OVERRIDES

from tagvis_lite.__main__ import main
from tagvis_lite.commands.options import read_config
from tagvis_lite.config import PAPER, PROFILES

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "toy"
STEP = "--train.steps 1 --train.batch-size 1 --device cpu"


def tagvis(command: str) -> None:
    main(command.split())


def refused(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        tagvis(command)
    assert caught.value.code == 2
    (line,) = [text for text in capsys.readouterr().err.splitlines() if text.startswith("tagvis:")]
    return line


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One step on toy videos of five classes."""
    out = tmp_path_factory.mktemp("runs") / "first"
    tagvis(f"train --data {SAMPLE}/youtube-vis --out {out} --profile smoke {OVERRIDES} {STEP}")
    return out


def config_of(run: Path) -> Any:
    return json.loads((run / "config.json").read_text())


def test_a_file_of_some_fields_is_filled_up_from_its_profile(tmp_path: Path) -> None:
    path = tmp_path / "some.json"
    path.write_text(json.dumps({"profile": "paper", "loss": {"margin": 2}}))
    config = read_config(path)
    assert config.loss.margin == 2
    assert (config.model, config.train) == (PAPER.model, PAPER.train)
    path.write_text(json.dumps({"data": {"clip_frames": 4}}))
    assert read_config(path).data.size == PROFILES["toy"].data.size
    assert read_config(path, "paper").data.size == PAPER.data.size


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"train": {"steps": 0}}', "train.steps is 0"),
        ('{"train": {"stepps": 1}}', "'stepps'"),
        ('{"profile": "Paper"}', "'Paper'"),
        ('{"profile": "paper"}', "its profile is 'paper', not 'smoke'"),
        ("[1]", "no fields"),
        ("{", "is no config"),
        ('{"train": 3}', "'train'"),
    ],
)
def test_a_file_that_is_no_config_is_named(
    content: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "some.json"
    path.write_text(content)
    line = refused(f"train --out {tmp_path}/run --config {path} --profile smoke", capsys)
    assert str(path) in line
    assert said in line
    assert not (tmp_path / "run").exists()


def test_the_config_of_a_run_makes_the_same_run(run: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    data = f"--data {SAMPLE}/youtube-vis --device cpu"
    tagvis(f"train {data} --out {again} --config {run}/config.json --loss.margin 2")
    expected = config_of(run)
    expected["loss"]["margin"] = 2.0
    assert config_of(again) == expected


def test_weights_to_start_from(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """DAVIS has one class where the toy set has four: only the last layer is new."""
    out = tmp_path / "tuned"
    rate = "--train.learning-rate 1e-12"
    tagvis(f"train --data {SAMPLE}/davis --out {out} --from {run} {rate} --device cpu")
    assert "disc, square, triangle, star there, object here" in capsys.readouterr().out
    config = config_of(out)
    assert config["model"]["num_classes"] == 2
    assert config["model"]["widths"] == config_of(run)["model"]["widths"], "the config of the run"
    first, then = (load_file(folder / "best.safetensors") for folder in (run, out))
    moved = {
        name
        for name, value in first.items()
        if value.shape != then[name].shape
        or ("running" not in name and not torch.allclose(value, then[name].to(value), atol=1e-6))
    }
    assert {name.rsplit(".", 1)[0] for name in moved if "num_batches" not in name} == {
        max((n for n in first if n.startswith("decoder")), key=str).rsplit(".", 1)[0]
    }


def test_weights_of_another_network_are_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(
        f"train --data {SAMPLE}/davis --out {tmp_path}/x --from {run} --model.blocks 1 1 2", capsys
    )
    assert "model.blocks (1, 1, 1), this run (1, 1, 2)" in line
    assert not (tmp_path / "x").exists()


def test_a_run_on_toy_videos_is_extended_on_the_same_videos(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More steps alone would draw more toy videos, and the run would be of other data."""
    monkeypatch.setattr("tagvis_lite.data.find.TOY_VALIDATION", 1)
    words = f"train --out {tmp_path}/run --profile smoke {OVERRIDES} --train.batch-size 1"
    tagvis(f"{words} --train.steps 1 --device cpu")
    assert "--extend" in refused(f"{words} --train.steps 2 --device cpu", capsys)
    for _ in range(2):  # it extends, and then is finished
        tagvis(f"{words} --train.steps 2 --device cpu --extend")
    kept = json.loads((tmp_path / "run" / "run.json").read_text())
    assert kept["train"]["steps"] == 2
    assert kept["videos"]["train"].startswith("1 videos")


def test_a_run_of_an_earlier_version_goes_on(run: Path, tmp_path: Path) -> None:
    """Fields that the config has got since have their defaults there."""
    words = f"train --data {SAMPLE}/youtube-vis --profile smoke {OVERRIDES} {STEP}"
    old = Path(shutil.copytree(run, tmp_path / "old"))
    kept = json.loads((old / "run.json").read_text())
    del kept["inference"]["long_videos"], kept["loss"]["class_weights"], kept["model"]["blocks"]
    (old / "run.json").write_text(json.dumps(kept))
    with pytest.raises(SystemExit):  # the profile has another value than the default
        tagvis(f"{words} --out {old}")
    kept["model"]["blocks"] = [1, 1, 1]
    (old / "run.json").write_text(json.dumps(kept))
    tagvis(f"{words} --out {old}")


@pytest.mark.parametrize("content", ["[1]", "3", "{", "null", '{"videos": 3, "model": []}'])
def test_a_damaged_run_is_named(
    content: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.json").write_text(content)
    words = f"--profile smoke {OVERRIDES} {STEP} --out {tmp_path}"
    said = "differs in" if "videos" in content else "run.json is damaged"
    assert said in refused(f"train --data {SAMPLE}/davis {words}", capsys)
    frames = SAMPLE / "davis" / "JPEGImages" / "480p" / "toy-test-00000"
    assert said in refused(f"predict {frames} --out {tmp_path} --checkpoint {run}", capsys)


def test_predict_takes_the_folder_of_a_run_and_other_thresholds(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = SAMPLE / "davis" / "JPEGImages" / "480p" / "toy-test-00000"
    for name, words in (("as-it-is", ""), ("other", "--inference.foreground 0.25")):
        tagvis(f"predict {frames} --out {tmp_path}/{name} --checkpoint {run} {words}")
    as_it_is, other = (
        json.loads((tmp_path / name / "run.json").read_text()) for name in ("as-it-is", "other")
    )
    assert "0.25" in json.dumps(other)
    assert "0.25" not in json.dumps(as_it_is)
    (tmp_path / "empty").mkdir()
    line = refused(f"predict {frames} --out {tmp_path}/y --checkpoint {tmp_path}/empty", capsys)
    assert "holds no best.safetensors" in line


def renamed(root: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Path:
    """The toy set with other categories."""
    shutil.copytree(SAMPLE / "youtube-vis" / "validation", root / "validation")
    path = root / "validation" / "instances.json"
    data = json.loads(path.read_text())
    data["categories"] = [change(category) for category in data["categories"]]
    del data["annotations"]  # as in the public part of a benchmark
    path.write_text(json.dumps(data))
    return root


def test_results_carry_the_ids_that_the_data_give_to_the_names(run: Path, tmp_path: Path) -> None:
    """The classes of the run are 1 disc to 4 star; in the data they are counted down to 0."""
    results = []
    for name, shift in (("same", lambda k: k), ("other", lambda k: 4 - k)):
        root = renamed(tmp_path / name, lambda c, s=shift: {**c, "id": s(c["id"])})  # type: ignore[misc]
        tagvis(f"predict {root} --out {tmp_path}/of-{name} --checkpoint {run} --device cpu")
        results.append(json.loads((tmp_path / f"of-{name}" / "results.json").read_text()))
    same, other = results
    assert same
    assert [4 - entry["category_id"] for entry in same] == [e["category_id"] for e in other]


def test_classes_that_the_data_do_not_have_are_named(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = renamed(tmp_path / "set", lambda c: {**c, "name": c["name"].replace("disc", "dog")})
    line = refused(f"predict {root} --out {tmp_path}/x --checkpoint {run}", capsys)
    assert "knows disc, but the data have dog, square" in line
    tagvis(f"train --data {SAMPLE}/davis --out {tmp_path}/one --from {run} {STEP}")
    line = refused(f"predict {root} --out {tmp_path}/x --checkpoint {tmp_path}/one", capsys)
    assert "knows object, but" in line
    assert not (tmp_path / "x").exists()


def test_tensorboard_gets_every_line_of_metrics_or_is_missed_at_once(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a logger of Fabric's own in its place: here it may be installed, or not."""
    words = (
        f"train --data {SAMPLE}/youtube-vis --config {run}/config.json --tensorboard --device cpu"
    )
    with monkeypatch.context() as patch:
        other = partial(loggers.CSVLogger, flush_logs_every_n_steps=1)
        patch.setattr(loggers, "TensorBoardLogger", other)
        tagvis(f"{words} --out {tmp_path}/r")
    with (tmp_path / "r" / "tensorboard" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = (tmp_path / "r" / "metrics.jsonl").read_text().splitlines()
    written = [{k: float(v) for k, v in row.items() if v} for row in rows]
    assert written[-1] == json.loads(lines[-1])

    def missing(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("tensorboard")

    monkeypatch.setattr(loggers, "TensorBoardLogger", missing)
    assert "pip install tensorboard" in refused(f"{words} --out {tmp_path}/x", capsys)
    assert not (tmp_path / "x").exists()


def test_one_process_needs_no_scheduler(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a notebook or a shell within a job of Slurm."""
    for name, value in {"NTASKS": "4", "JOB_ID": "7", "PROCID": "0", "JOB_NAME": "job"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    tagvis(f"train --data {SAMPLE}/youtube-vis --out {tmp_path}/r --config {run}/config.json")
    assert (tmp_path / "r" / "best.safetensors").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--devices -1", "--devices is -1"),
        ("--nodes 0", "--nodes 0"),
        ("--device cuda:1 --devices 2", "cuda:1 is one device"),
        ("--data.size 0 0", "data.size is (0, 0)"),
        ("--model.widths 0 0 0", "model.widths is (0, 0, 0)"),
        ("--inference.bandwidth -1", "inference.bandwidth is -1.0"),
        ("--loss.margin nan", "loss.margin is nan"),
        ("--data.size 65536 65536", "frames of data.size, a batch of them, take"),
        ("--model.widths 2 2 2147483647", "weights of model.widths and other channels take"),
        ("--out \udcff", "is no UTF-8"),
    ],
)
def test_what_cannot_be_is_one_line(
    words: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = "" if "--out" in words else f"--out {tmp_path}/run"
    line = refused(f"train --profile smoke --data {SAMPLE}/davis {out} {words}", capsys)
    assert said in line
    assert not (tmp_path / "run").exists()
