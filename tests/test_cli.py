"""The command line: each command does its job, and a user's mistake ends in one clear line."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_network import OVERRIDES, SIZE, TINY, save_tiny
from tyro.conf import Positional

from tagvis_lite.__main__ import COMMANDS, main
from tagvis_lite.commands import evaluate, options
from tagvis_lite.config import PROFILES
from tagvis_lite.data.davis import read_davis
from tagvis_lite.data.label_maps import read_label_map
from tagvis_lite.data.video_file import read_video_file, write_video_file
from tagvis_lite.data.youtube_vis import read_youtube_vis
from tagvis_lite.model.network import TagVIS
from tagvis_lite.runs import load_network

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "data" / "toy"
SMOKE = f"--profile smoke --device cpu {OVERRIDES}"


def tagvis(command: str) -> None:
    main(command.split())


def table(text: str) -> list[list[str]]:
    """Cells of the last Markdown table."""
    last = text.strip().split("\n\n")[-1].split("\n")
    rows = [line for line in last if line.startswith("|") and not re.fullmatch(r"[|:-]+", line)]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


# ---------------------------------------------------------------- toy


def test_toy_writes_either_layout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts = "--train 1 --validation 1 --test 1 --difficulty easy"
    tagvis(f"toy --out {tmp_path}/davis {counts}")
    tagvis(f"toy --out {tmp_path}/youtube --layout youtube-vis {counts}")
    assert capsys.readouterr().out.count("1 validation videos") == 2
    for split, length in (("train", 12), ("validation", 8), ("test", 8)):
        (davis,) = read_davis(tmp_path / "davis", split)
        folder = tmp_path / "youtube" / split
        dataset = read_youtube_vis(folder / "instances.json", folder)
        (youtube,) = dataset.videos
        assert davis.name == youtube.name == f"toy-{split}-00000"
        assert len(davis) == len(youtube) == length
        assert set(dataset.categories.values()) == {"disc", "square", "triangle", "star"}


# ---------------------------------------------------------------- train, predict, evaluate


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of a few steps on the sample in each layout."""
    runs = {}
    for layout in ("davis", "youtube-vis"):
        runs[layout] = tmp_path_factory.mktemp("runs") / layout
        tagvis(f"train --data {SAMPLE / layout} --out {runs[layout]} {SMOKE} --loss.margin 2")
    return runs


@pytest.mark.parametrize(("layout", "num_classes"), [("davis", 2), ("youtube-vis", 5)])
def test_train_takes_profile_overrides_and_classes(
    layout: str, num_classes: int, trained: dict[str, Path]
) -> None:
    _, config = load_network(trained[layout] / "best.safetensors")
    assert config.profile == "smoke"
    assert config.loss.margin == 2
    assert config.model.widths == TINY.model.widths
    assert config.model.num_classes == num_classes
    assert config.train == PROFILES["smoke"].train


def test_train_again_goes_on_where_it_was(
    trained: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained["davis"]
    before = (run / "best.safetensors").read_bytes()
    tagvis(f"train --data {SAMPLE / 'davis'} --out {run} {SMOKE} --loss.margin 2")
    assert (run / "best.safetensors").read_bytes() == before
    steps = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert steps == [2, 4], "no step is done twice"
    printed = capsys.readouterr()
    assert re.search(r"best\.safetensors: validation J&F \d+\.\d at step [24]\n", printed.out)


def test_toy_after_a_kill_starts_anew(tmp_path: Path) -> None:
    left = tmp_path / ".set.partial" / "ImageSets" / "2017" / "train.txt"
    left.parent.mkdir(parents=True)
    left.write_text("toy-train-00000")
    tagvis(f"toy --out {tmp_path}/set --train 0 --validation 0 --test 1")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    lists = (tmp_path / "set" / "ImageSets" / "2017").iterdir()
    assert [path.name for path in lists] == ["test.txt"]


def test_train_renders_toy_videos_without_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tagvis_lite.data import find as sources

    rendered = []
    real = sources.toy_training_data

    def few(num_train: int, **kind: Any) -> sources.TrainingData:
        data = real(num_train, num_validation=1, **kind)
        rendered.append((num_train, len(data.validation[0]), data.train[0].frames[0].shape))
        return data

    monkeypatch.setattr(sources, "toy_training_data", few)
    tagvis(f"train --out {tmp_path}/run {SMOKE} --train.steps 2 --train.batch-size 1")
    assert rendered == [(2, 4, (SIZE, SIZE, 3))], "of its own size, no more than the steps draw"
    _, config = load_network(tmp_path / "run" / "best.safetensors")
    assert config.model.num_classes == 5


def test_davis_from_training_to_scores(
    trained: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = SAMPLE / "davis", tmp_path / "out"
    weights = trained["davis"] / "best.safetensors"
    predict = f"predict {root} --split validation --checkpoint {weights} --out {out}"
    tagvis(predict)
    (out / "parts" / "toy-validation-00001.json").unlink()
    tagvis(predict)
    assert "1 videos predicted, 1 were there already" in capsys.readouterr().out

    tagvis(f"check-submission davis {root} {out}/davis --split validation")
    assert capsys.readouterr().out.endswith("nothing a server would refuse; warnings: 0\n")

    tables = tmp_path / "tables"
    tagvis(f"evaluate davis {root} {out} --split validation --processes 1 --explain --out {tables}")
    printed = capsys.readouterr().out
    _, _, overall, *_ = printed.split("\n\n")
    header, values = table(overall)
    stem = tables / "davis-2019-unsupervised-validation"
    (row,) = json.loads(Path(f"{stem}.json").read_text())["global"]
    assert row.pop("Method") == "out"
    assert header == list(row)
    expected = list(row.values())
    assert [float(value) / 100 for value in values] == pytest.approx(expected, abs=0.001)
    assert 0 <= expected[0] <= 1
    assert "out: points lost, means over objects" in printed
    with Image.open(f"{stem}-1.png") as image:
        assert image.format == "PNG"
    assert not list(out.rglob("*.csv"))


def test_youtube_vis_from_training_to_scores(
    trained: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = SAMPLE / "youtube-vis", tmp_path / "out"
    weights = trained["youtube-vis"] / "best.safetensors"
    tagvis(f"predict {root} --split validation --checkpoint {weights} --out {out}")
    gt = root / "validation" / "instances.json"
    rows = []
    for name in ("results.json", "results.zip"):
        capsys.readouterr()
        tagvis(f"evaluate youtube-vis {gt} {out / name}")
        rows.append(table(capsys.readouterr().out))
    assert rows[0] == rows[1]
    assert rows[0][0][:3] == ["Category", "AP", "AP50"]
    assert rows[0][-1][0] == "all"
    assert all(0 <= float(cell) <= 100 for cell in rows[0][-1][1:] if cell != "-")


def test_predict_a_video_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import tagvis_lite.checkpoint

    weights = save_tiny(tmp_path / "toy.safetensors")
    monkeypatch.setattr(tagvis_lite.checkpoint, "shipped", lambda name: weights)
    frames = np.random.default_rng(0).integers(0, 256, (7, 40, 60, 3), dtype=np.uint8)
    write_video_file(tmp_path / "walk.mp4", frames, fps=12.5)
    tagvis(f"predict {tmp_path}/walk.mp4 --out {tmp_path}/out")
    captured = capsys.readouterr()
    assert captured.out == f"{tmp_path}/out: 1 videos predicted, 0 were there already\n"
    assert captured.err == ""
    drawn = read_video_file(tmp_path / "out" / "overlays" / "walk.mp4")
    assert (len(drawn), drawn.fps) == (7, 12.5)
    assert drawn.frames[0].shape == (40, 60, 3)
    maps = sorted((tmp_path / "out" / "davis" / "walk").iterdir())
    assert [path.name for path in maps] == [f"{t:05d}.png" for t in range(7)]
    assert read_label_map(maps[0]).shape == (40, 60)


def test_predict_refuses_to_mix_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = SAMPLE / "davis" / "JPEGImages" / "480p" / "toy-test-00000"
    for seed in (0, 1):
        save_tiny(tmp_path / f"{seed}.safetensors", seed)
    command = f"predict {frames} --out {tmp_path}/out --checkpoint {tmp_path}"
    tagvis(f"{command}/0.safetensors")
    shutil.copy(tmp_path / "0.safetensors", tmp_path / "copy.safetensors")
    tagvis(f"{command}/copy.safetensors")
    assert "0 videos predicted, 1 were there already" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        tagvis(f"{command}/1.safetensors")
    assert caught.value.code == 2
    assert f"{tmp_path}/out holds a run that differs in weights" in one_error(capsys)


# ---------------------------------------------------------------- check-submission, profile


def test_check_submission_prints_a_problem_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, results = SAMPLE / "davis", tmp_path / "results"
    shutil.copytree(root / "Annotations_unsupervised" / "480p", results)
    (results / "toy-test-00002" / "00003.png").unlink()
    Image.new("RGB", (64, 64)).save(results / "toy-test-00004" / "00000.png")
    with pytest.raises(SystemExit) as caught:
        tagvis(f"check-submission davis {root} {results} --split test")
    assert caught.value.code == 1
    captured = capsys.readouterr()
    first, second, count = captured.out.splitlines()
    assert first.startswith(f"error: {results}/toy-test-00002/00003.png: ")
    assert second.startswith(f"error: {results}/toy-test-00004/00000.png: ")
    assert count == "errors: 2, warnings: 0"
    assert captured.err == ""


def test_check_submission_of_a_zip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ZipFile(tmp_path / "deep.zip", "w") as archive:
        archive.writestr("out/results.json", "[]")
    gt = SAMPLE / "youtube-vis" / "validation" / "instances.json"
    with pytest.raises(SystemExit) as caught:
        tagvis(f"check-submission youtube-vis {gt} {tmp_path}/deep.zip")
    assert caught.value.code == 1
    deep, empty, _ = capsys.readouterr().out.splitlines()
    assert deep.startswith(f"error: {tmp_path}/deep.zip: holds results.json deeper")
    assert empty.startswith(f"error: {tmp_path}/deep.zip: is an empty list")


def test_profile_counts_parameters_and_operations(capsys: pytest.CaptureFixture[str]) -> None:
    tagvis(f"profile --profile smoke --repeats 1 {OVERRIDES} --data.size 64 64")
    printed = capsys.readouterr().out
    assert re.match(r"profile smoke: 4 frames of 64 x 64, cpu, fp32, ", printed)
    network = TagVIS(TINY.model)
    parameters = sum(p.numel() for p in network.parameters())
    counted, gigaflops = re.search(r"([\d,]+) parameters, ([\d.]+) GFLOP", printed).groups()  # type: ignore[union-attr]
    assert int(counted.replace(",", "")) == parameters

    multiplications = 0

    def count(module: torch.nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        nonlocal multiplications
        weight = module.weight.numel()
        if isinstance(module, torch.nn.Conv2d | torch.nn.Conv3d):
            places = output[0, 0].numel() * len(output)
        else:  # transposed: each input position meets the whole kernel
            places = inputs[0][0, 0].numel() * len(inputs[0])
        multiplications += weight * places

    kinds = torch.nn.Conv2d | torch.nn.Conv3d | torch.nn.ConvTranspose2d | torch.nn.ConvTranspose3d
    for module in network.modules():
        if isinstance(module, kinds):
            module.register_forward_hook(count)
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, 4, 64, 64))
    convolutions = 2 * multiplications / 1e9
    assert convolutions * 0.9 - 0.05 < float(gigaflops) < 1.6 * convolutions + 0.05

    stages = table(printed)[1:]
    assert [row[0] for row in stages] == [
        "read and resize frames",
        "network",
        "tags to instances",
        "masks to full size",
        "write label maps",
    ]
    for _, seconds, rate in stages:
        assert float(seconds) >= 0
        assert float(rate.replace(",", "")) > 0


# ---------------------------------------------------------------- mistakes


def one_error(capsys: pytest.CaptureFixture[str]) -> str:
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.skipif(torch.cuda.is_available(), reason="here a GPU is no mistake")
@pytest.mark.parametrize(
    "command",
    ["train --out {out} --device cuda", "profile --profile smoke --device cuda"],
)
def test_a_gpu_that_is_not_there(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        tagvis(command.format(out=tmp_path / "run"))
    assert caught.value.code == 2
    assert "cuda" in one_error(capsys).lower()


@pytest.mark.parametrize(
    "command",
    [
        "",
        "predikt",
        "predict",
        "train --out run --loss.margins 2",
        "train --out run --loss.margin wide",
        "train --out run --train.batch-size 0",
        "train --out run --model.tag-range tanh",
        "train --out run --model.widths 8 8",
        "evaluate",
        "evaluate foo",
        "--profile toy",
        "train --out run --model.num-classes 9",
        "toy --out set --layout coco",
    ],
)
def test_what_cannot_be_parsed_is_exit_code_2_without_a_traceback(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        tagvis(command)
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert re.fullmatch(r"tagvis: [^\n│─]+\(see tagvis [a-z -]*--help\)\n", captured.err)
    assert captured.out == ""


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("--help", ["toy", "train", "predict", "evaluate", "check-submission", "profile", "demo"]),
        ("ablate --help", ["rows of Table III", "--seeds", "default: runs/ablation"]),
        ("notebooks --help", ["such as 06 07", "default: runs/notebooks", "--timeout"]),
        ("train --help", ["toy, paper or smoke", "--loss.margin", "--train.steps", "--data"]),
        ("train --profile paper --help", ["default: paper", "default: 224 224"]),
        ("predict --help", ["a video file, a folder of frames", "--checkpoint", "--split"]),
        ("evaluate davis --help", ["ROOT", "RESULTS", "--split", "--protocol", "--explain"]),
        ("evaluate --help", ["evaluate davis", "evaluate youtube-vis"]),
        ("check-submission youtube-vis --help", ["ROOT RESULTS"]),
    ],
)
def test_help(command: str, said: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with suppress(SystemExit):
        tagvis(command)
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", capsys.readouterr().out).split())
    for words in said:
        assert words in text


def test_help_ends_on_a_line_of_one_character(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1")
    with suppress(SystemExit):
        tagvis("predict --help")
    assert "--checkpoint" in capsys.readouterr().out


# ---------------------------------------------------------------- one vocabulary


def function_of(command: str) -> Any:
    module, name = COMMANDS[command][0].split(".")
    return getattr(import_module(f"tagvis_lite.commands.{module}"), name)


ONE_TYPE = {
    "root": options.Root,
    "input": options.Input,
    "results": options.Results,
    "split": options.Split,
    "device": options.Device,
    "precision": options.Precision,
    "checkpoint": options.Checkpoint,
    "fields": options.Fields,
    "out": Path,
}
OTHER_WORDS = {
    *("gt", "truth", "source", "path", "set", "subset", "accelerator", "gpu", "dtype"),
    *("weights", "model", "output", "compiled", "val"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_same_thing_has_the_same_name_and_type_everywhere(command: str) -> None:
    hints = get_type_hints(function_of(command), include_extras=True)
    assert not OTHER_WORDS & set(hints)
    for name in ONE_TYPE.keys() & hints.keys():
        allowed = [ONE_TYPE[name], ONE_TYPE[name] | None, Positional[ONE_TYPE[name]]]
        if command == "data composite":  # splits of what it makes
            allowed.append(str)
        if command.startswith("evaluate"):  # of several methods, side by side
            allowed.append(evaluate.Methods)
        assert hints[name] in allowed, f"{name} of {command}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_words(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        tagvis(f"{command} --help")
    assert caught.value.code == 0
    text = re.sub(r"[│╭╮╰╯]|─{2,}", " ", capsys.readouterr().out)
    described = re.split(r"\n\s+(?=--[a-z]|[A-Z]+ {2})", text.split("\n\n", 2)[2])[1:]
    for option in described:
        words = re.sub(r"\((default|required)[^)]*\)?|\{.*?\}|--\S+|\b[A-Z]+\b", " ", option)
        assert len(words.split()) >= 2, option
    assert len(described) >= len(inspect.signature(function_of(command)).parameters) - 1


def test_what_one_command_writes_the_next_one_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = save_tiny(tmp_path / "tiny.safetensors")
    for layout, results in (("davis", "res"), ("youtube-vis", "results")):
        root, out = tmp_path / layout, tmp_path / results
        tagvis(f"toy --out {root} --layout {layout} --train 1 --validation 1 --test 1")
        tagvis(f"check {root}")
        tagvis(f"predict {root} --out {out} --checkpoint {weights}")
        capsys.readouterr()
        tagvis(f"check-submission {layout} {root} {out}")
        assert "nothing a server would refuse" in capsys.readouterr().out
        tagvis(f"evaluate {layout} {root} {out}")
        assert table(capsys.readouterr().out)


def test_an_interrupt_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from tagvis_lite.data import find as sources

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sources, "find_training_data", interrupt)
    with pytest.raises(SystemExit) as caught:
        tagvis(f"train --out {tmp_path}/run --data {SAMPLE}/davis --device cpu")
    assert caught.value.code == 130
    assert one_error(capsys) == "tagvis: interrupted"


def test_errors_of_torch_are_one_line_and_memory_is_looked_at_before(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    frames = SAMPLE / "davis" / "JPEGImages" / "480p" / "toy-test-00000"
    command = f"predict {frames} --out {tmp_path}/out"
    where = "Caught ValueError in DataLoader worker process 0.\nOriginal Traceback:\n  File ...\n"
    for error, said in [
        (torch.OutOfMemoryError("CUDA out of memory. Tried 9 GiB"), "CUDA out of memory. Tried 9"),
        (ValueError(f"{where}ValueError: 7.jpg: damaged\n"), "7.jpg: damaged"),
    ]:
        fails = partial(raise_, error)
        monkeypatch.setattr("tagvis_lite.commands.predict.predict_to_files", fails)
        with pytest.raises(SystemExit, match="2"):
            tagvis(command)
        assert one_error(capsys).startswith(f"tagvis: {said}")
    monkeypatch.setattr(os, "sysconf", lambda _: 64)
    with pytest.raises(SystemExit, match="2"):
        tagvis(command)
    assert "the label maps of video 'toy-test-00000' take" in one_error(capsys)


def raise_(error: Exception, *_: object, **__: object) -> None:
    raise error


# ---------------------------------------------------------------- as a program


def program(*args: str, **kwargs: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tagvis_lite", *args]
    return subprocess.run(command, cwd=ROOT, text=True, check=False, **kwargs)  # type: ignore[call-overload]


def test_the_package_runs_as_a_program() -> None:
    done = program("--help", capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Tag-based video instance segmentation" in done.stdout


def test_libraries_add_nothing_to_the_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("these are words")
    done = program("predict", f"{tmp_path}/text.mp4", "--out", f"{tmp_path}/x", capture_output=True)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"tagvis: {tmp_path}/text.mp4 cannot be read as a video")


def test_a_mistake_in_a_path_is_told_before_torch_is_there(tmp_path: Path) -> None:
    lines = [
        f"predict {tmp_path}/none --out {tmp_path}/out",
        f"predict {SAMPLE}/davis --out {tmp_path}/out --checkpoint {tmp_path}/none",
        f"train --data {tmp_path}/none --out {tmp_path}/out",
        f"train --from {tmp_path}/none --out {tmp_path}/out",
        f"check {tmp_path}/none --checkpoint {tmp_path}/none",
        f"evaluate davis {tmp_path}/none {tmp_path}/none",
    ]
    code = (
        "import sys\nfrom tagvis_lite.__main__ import main\n"
        f"for line in {lines}:\n"
        "    try:\n        main(line.split())\n"
        "    except SystemExit as stop:\n"
        "        assert stop.code == 2 and 'torch' not in sys.modules, line\n"
        "    else:\n        assert False, line\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == 7, "a line for each mistake"


def test_a_warning_is_a_line_and_a_tilde_is_home(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 32, 48, 3), np.uint8)
    write_video_file(tmp_path / "cut.mp4", noise, fps=25)
    whole = (tmp_path / "cut.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: 2 * len(whole) // 3])
    save_tiny(tmp_path / "tiny.safetensors")
    words = "--out=~/out --checkpoint ~/tiny.safetensors"
    done = program(
        *f"predict ~/cut.mp4 {words}".split(),
        capture_output=True,
        env={**os.environ, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert re.search(
        f"^tagvis: warning: {tmp_path}/cut.mp4 .* 40 frames are read$", done.stderr, re.M
    )
    assert ".py" not in done.stderr
    assert (tmp_path / "out" / "results.zip").is_file()


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = program("toy", "--help", stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    assert done.stderr == ""
    assert done.returncode == 141


@pytest.mark.parametrize(("where", "code"), [(">&-", 0), (">/dev/full", 2)])
def test_output_that_cannot_be_written_is_no_traceback(where: str, code: int) -> None:
    command = f"exec '{sys.executable}' -m tagvis_lite --help {where}"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == (1 if code else 0)
