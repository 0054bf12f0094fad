"""What is broken, and what is said: one line that names the file, for every command that meets it.

Nothing here takes long: a mistake that a command can see at the start must not cost a training.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from tiny_network import OVERRIDES, save_tiny

from tagvis_lite.__main__ import main
from tagvis_lite.data.label_maps import read_label_map, write_label_map

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "toy"
FRAMES, LABELS = Path("JPEGImages/480p"), Path("Annotations_unsupervised/480p")
FRAMES_OF_TEST = "davis" / FRAMES / "toy-test-00000"


# ---------------------------------------------------------------- what can be broken


def truncate_frames(root: Path) -> None:
    for path in root.rglob("*.jpg"):
        path.write_bytes(path.read_bytes()[:700])


def shrink_masks(root: Path) -> None:
    for path in (root / LABELS).glob("*/*.png"):
        write_label_map(path, read_label_map(path)[:32])


def paint_masks(root: Path) -> None:
    for path in (root / LABELS).glob("*/*.png"):
        Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(path)


def truncate_masks(root: Path) -> None:
    for path in (root / LABELS).glob("*/*.png"):
        path.write_bytes(path.read_bytes()[:60])


def lose_masks(root: Path) -> None:
    shutil.rmtree(root / LABELS)


def lose_one_mask(root: Path) -> None:
    (root / LABELS / "toy-train-00000" / "00002.png").unlink()
    (root / LABELS / "toy-test-00001" / "00005.png").unlink()


def rename_frames_folder(root: Path) -> None:
    (root / "JPEGImages").rename(root / "images")


def lose_lists(root: Path) -> None:
    shutil.rmtree(root / "ImageSets")


def truncate_json(root: Path) -> None:
    path = root / "train" / "instances.json"
    path.write_bytes(path.read_bytes()[:2000])


def break_davis(folder: Path, damage: Callable[[Path], None]) -> None:
    damage(Path(shutil.copytree(SAMPLE / "davis", folder / damage.__name__)))


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of things that are not what they should be, named after what was done to them."""
    b = tmp_path_factory.mktemp("broken")
    for damage in (
        truncate_frames,
        shrink_masks,
        paint_masks,
        truncate_masks,
        lose_masks,
        lose_one_mask,
        rename_frames_folder,
        lose_lists,
    ):
        break_davis(b, damage)
    truncate_json(Path(shutil.copytree(SAMPLE / "youtube-vis", b / "truncate_json")))
    (b / "notes").mkdir()
    (b / "notes" / "notes.txt").write_text("no data set")
    frames = SAMPLE / FRAMES_OF_TEST
    shutil.copytree(frames, b / "frames")
    shutil.copytree(frames, b / ".frames")
    (b / "bytes").mkdir()
    shutil.copy(frames / "00003.jpg", b / "bytes" / os.fsdecode(b"\xff.jpg"))
    (b / "empty.mp4").touch()
    (b / "run").mkdir()
    (b / "run" / "config.json").write_text('{"profile": "toy"}')
    (b / "cut.json").write_text('[{"video_id": 1')
    (b / "unknown.json").write_text(
        '[{"video_id": 99, "category_id": 1, "score": 0.5, "segmentations": []}]'
    )
    (b / "video.mp4").write_bytes(b"\x00\x00\x00\x20ftypisom" + bytes(100))
    (b / "image.jpg").write_bytes(b"no image")

    save_tiny(b / "tiny.safetensors")
    cut = (b / "tiny.safetensors").read_bytes()
    (b / "cut.safetensors").write_bytes(cut[: len(cut) // 2])
    save_file({"weight": torch.zeros(2)}, b / "foreign.safetensors")
    torch.save({"weight": torch.zeros(2)}, b / "pickle.safetensors")
    with safe_open(b / "tiny.safetensors", framework="pt") as file:
        config = json.loads(file.metadata()["config"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    config["model"]["head_channels"] += 8
    save_file(tensors, b / "other.safetensors", {"config": json.dumps(config)})

    (b / "archives").mkdir()
    (b / "archives" / "train.zip").write_text("words")
    with ZipFile(b / "words.zip", "w") as archive:
        archive.writestr("words/words.txt", "words")
    return b


# ---------------------------------------------------------------- the table

GOOD = str(SAMPLE / "davis")
WEIGHTS = "--checkpoint {b}/tiny.safetensors"
PREDICT = f"predict {{b}}/%s --split test --out {{out}} {WEIGHTS}"
TRAIN = f"train --out {{out}} --profile smoke --device cpu {OVERRIDES} --data {{b}}/%s"
GT = "evaluate davis {b}/%s " + f"{GOOD}/{LABELS} --split test --processes 1"
RESULTS = f"evaluate davis {GOOD} {{b}}/%s --split test --processes 1 --out {{out}}"
SUBMIT = f"check-submission davis {{b}}/%s {GOOD}/{LABELS} --split test"
SMOKE = f"--profile smoke --device cpu {OVERRIDES}"
CHECKPOINT = f"predict {GOOD} --split test --out {{out}} --checkpoint {{b}}/%s"
SCORE = f"evaluate youtube-vis {SAMPLE}/youtube-vis/test/instances.json"
COMPOSITE = "data composite {b}/%s --out {out} --train 1 --validation 0 --test 0"
CHECK = "check {b}/%s"

TABLE: list[tuple[str, str, list[str]]] = [
    # command                      what is broken         what the line must say
    (PREDICT, "missing", ["{b}/missing", "no such"]),
    (PREDICT, "notes", ["{b}/notes", "no image"]),
    (PREDICT, "rename_frames_folder", ["JPEGImages/480p", "no such folder"]),
    (PREDICT, "truncate_frames", ["toy-test-00000/00000.jpg", "truncated"]),
    (PREDICT, "video.mp4", ["{b}/video.mp4", "video"]),
    (PREDICT, "image.jpg", ["{b}/image.jpg", "is an image"]),
    (TRAIN, "missing", ["{b}/missing", "no such folder"]),
    (TRAIN, "notes", ["{b}/notes", "neither"]),
    (TRAIN, "lose_lists", ["{b}/lose_lists", "neither"]),
    (TRAIN, "rename_frames_folder", ["JPEGImages/480p", "no such folder"]),
    (TRAIN, "truncate_frames", [".jpg", "truncated"]),
    (TRAIN, "shrink_masks", ["00000.png is 32 x 64", "64 x 64"]),
    (TRAIN, "paint_masks", ["00000.png holds pixels of mode RGB", "palette"]),
    (TRAIN, "truncate_masks", ["00000.png", "truncated"]),
    (TRAIN, "lose_masks", ["video 'toy-", "no label maps"]),
    (TRAIN, "lose_one_mask", ["toy-train-00000", "'00002'"]),
    (TRAIN, "truncate_json", ["train/instances.json", "not valid json"]),
    (GT, "missing", ["{b}/missing", "no such folder"]),
    (GT, "notes", ["{b}/notes is no DAVIS root", "--protocol masks"]),
    (GT, "shrink_masks", ["00000.png is 32 x 64", "64 x 64"]),
    (GT, "paint_masks", ["00000.png holds pixels of mode RGB"]),
    (RESULTS, "missing", ["{b}/missing", "no such results"]),
    (RESULTS, f"shrink_masks/{LABELS}", ["00000.png is 32 x 64", "64 x 64"]),
    (RESULTS, f"paint_masks/{LABELS}", ["00000.png holds pixels of mode RGB"]),
    (RESULTS, f"truncate_masks/{LABELS}", ["00000.png", "truncated"]),
    (SUBMIT, "missing", ["{b}/missing", "no such folder"]),
    (CHECK, "missing", ["{b}/missing", "no such folder"]),
    (f"{CHECK} --checkpoint {{b}}/none.pt --device gpu", "missing", ["no such", "none.pt", "gpu"]),
    (CHECK, "notes", ["{b}/notes", "no image"]),
    (COMPOSITE, "missing", ["{b}/missing", "no such folder"]),
    (COMPOSITE, "notes", ["{b}/notes/JPEGImages/480p", "no such folder"]),
    (COMPOSITE, "lose_masks", ["{b}/lose_masks", "no sequence with label maps"]),
    (COMPOSITE, "lose_one_mask", ["toy-train-00000", "'00002'"]),
    (COMPOSITE, "shrink_masks", ["00000.png is 32 x 64", "64 x 64"]),
    (COMPOSITE, "paint_masks", ["00000.png holds pixels of mode RGB"]),
    (COMPOSITE, "truncate_frames", [".jpg", "truncated"]),
    ("data youtube-vis --archives {b}/%s --out {out}", "missing", ["train.zip", "register at"]),
    ("data youtube-vis --archives {b}/%s --out {out}", "notes", ["holds no train.zip"]),
    ("data youtube-vis --archives {b}/%s --out {out}", "archives", ["train.zip", "cannot be un"]),
    ("data davis --archive {b}/%s --out {out}", "missing.zip", ["{b}/missing.zip", "no such"]),
    ("data davis --archive {b}/%s --out {out}", "archives/train.zip", ["cannot be unpacked"]),
    ("data davis --archive {b}/%s --out {out}", "words.zip", ["words.zip holds no folder JPEG"]),
    (PREDICT, ".frames", ["'.frames' cannot be the name"]),
    (PREDICT, "bytes", ["no UTF-8"]),
    (PREDICT, "empty.mp4", ["{b}/empty.mp4"]),
    (CHECKPOINT, "none.pt", ["none.pt"]),
    (CHECKPOINT, "cut.safetensors", ["cut.safetensors is not a readable"]),
    (CHECKPOINT, "pickle.safetensors", ["pickle.safetensors is not a readable"]),
    (CHECKPOINT, "foreign.safetensors", ["foreign.safetensors carries no tagvis_lite config"]),
    (CHECKPOINT, "other.safetensors", ["other.safetensors do not fit", "size mismatch"]),
    (f"predict {{b}}/frames --out {{b}}/%s {WEIGHTS}", "video.mp4", ["{b}/video.mp4 is a file"]),
    (f"predict {{b}}/frames --out {{out}} --device %s {WEIGHTS}", "gpu", ["device 'gpu'"]),
    ("train --out {out} --profile %s", "huge", ["'huge'; there are toy, paper, smoke"]),
    (f"train --out {{b}}/%s --data {GOOD} {SMOKE}", "run", ["run holds files that are not of"]),
    (f"train --out {{b}}/%s --data {GOOD} {SMOKE}", "video.mp4", ["{b}/video.mp4"]),
    (f"train --out {{out}} --data {GOOD} --device %s", "abacus", ["abacus"]),
    (f"train --out {{out}} --data {GOOD} {SMOKE} --data.size %s", "33 33", ["33"]),
    (RESULTS, f"lose_one_mask/{LABELS}", ["toy-test-00001/00005.png"]),
    (RESULTS, "missing {b}/none", ["{b}/missing: no such", "{b}/none: no such"]),
    (f"evaluate davis {GOOD} {GOOD} --split test --out {{b}}/%s", "cut.json", ["is a file"]),
    (f"{SCORE} {{b}}/unknown.json --out {{b}}/%s", "cut.json", ["{b}/cut.json is a file"]),
    (f"{SCORE} {{b}}/%s", "none.json", ["{b}/none.json"]),
    (f"{SCORE} {{b}}/%s", "cut.json", ["{b}/cut.json is not valid json"]),
    (f"{SCORE} {{b}}/%s", "unknown.json", ["unknown.json, prediction 0: video_id 99"]),
    ("check-submission youtube-vis {b}/%s {b}/cut.json", "none.json", ["{b}/none.json"]),
    ("toy --out {b}/%s --train 1", "notes", ["{b}/notes is there already"]),
    ("toy --out {out} --train %s --validation 0 --test 0", "0", ["at least one video"]),
    ("profile --profile smoke --repeats %s", "0", ["repeats"]),
    ("evaluate youtube-vis {b}/%s {b}/words.zip", "lose_masks", ["DAVIS root: say davis"]),
    ("evaluate youtube-vis {b}/%s {b}/words.zip", "notes", ["{b}/notes holds no annotations"]),
    ("evaluate davis {b}/%s {b}", "truncate_json", ["is a YouTube-VIS root: say youtube-vis"]),
    ("check-submission youtube-vis {b}/%s {b}", "lose_masks", ["DAVIS root"]),
    (
        "evaluate youtube-vis {b}/%s {b}/words.zip",
        "truncate_json/train/instances.json",
        ["json"],
    ),
]


def fails(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command ends with: a line for each problem, nearly always one."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        main(command.split())
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    lines = [line for line in captured.err.splitlines() if line.startswith("tagvis: ")]
    assert captured.err.endswith("\n".join(lines) + "\n")
    assert max(map(len, lines)) < 800
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("command", "what", "said"),
    TABLE,
    ids=[f"{' '.join(c.split()[:2])}: {what.split('/')[0]}" for c, what, _ in TABLE],
)
def test_bad_input_is_one_clear_line(
    command: str,
    what: str,
    said: list[str],
    broken: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = fails((command % what).format(b=broken, out=tmp_path / "out"), capsys)
    for words in said:
        assert words.format(b=broken) in line


@pytest.mark.parametrize("damage", [truncate_frames, shrink_masks, paint_masks, truncate_masks])
def test_one_bad_file_ends_a_training_before_it_begins(
    damage: Callable[[Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = Path(shutil.copytree(SAMPLE / "davis", tmp_path / "whole"))
    broken = Path(shutil.copytree(whole, tmp_path / "broken"))
    damage(broken)
    kind = FRAMES if damage is truncate_frames else LABELS
    (one,) = (whole / kind / "toy-train-00004").glob("*7.*")
    shutil.copyfile(broken / one.relative_to(whole), one)
    line = fails(TRAIN.replace("{b}/%s", str(whole)).format(out=tmp_path / "run"), capsys)
    assert str(one) in line
    assert not (tmp_path / "run").exists()


def test_a_training_state_that_is_broken(
    broken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = TRAIN.replace("{b}/%s", GOOD).format(out=tmp_path / "run")
    main(command.split())
    state = tmp_path / "run" / "last.pt"
    state.write_bytes(state.read_bytes()[:1000])
    assert f"{state} is not a readable training state" in fails(command, capsys)


# ---------------------------------------------------------------- no room on the disk


@contextmanager
def no_file_longer_than(length: int) -> Iterator[None]:
    """Let the system refuse to write more, as it does when a disk or a quota is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


TOY = "toy --out {out} --train 1 --validation 0 --test 0"
FULL = [
    # command                                               room      where it ends
    (TOY, 1_200, ".jpg"),
    (COMPOSITE.replace("{b}/%s", GOOD), 200, "composites.json"),
    (COMPOSITE.replace("{b}/%s", GOOD), 3_500, ".jpg"),
    (f"predict {GOOD} --split test --out {{out}} {WEIGHTS}", 200, "run.json"),
    (
        f"predict {GOOD} --split test --out {{out}} {WEIGHTS}",
        2_800,
        "davis.zip",  # the results; an overlay that finds no room is a warning
    ),
    (TRAIN.replace("{b}/%s", GOOD), 200, "run.json"),
    (TRAIN.replace("{b}/%s", GOOD), 5_000, "last.pt"),
    (TRAIN.replace("{b}/%s", GOOD), 600_000, "last.pt"),
]


@pytest.mark.parametrize(("command", "room", "where"), FULL)
def test_a_full_disk_is_named_and_leaves_no_half_files(
    command: str,
    room: int,
    where: str,
    broken: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = command.format(b=broken, out=tmp_path / "out")
    with no_file_longer_than(room):
        line = fails(text, capsys)
    assert str(tmp_path) in line
    assert where in line
    left = [path for path in tmp_path.rglob(".*") if path.is_file()]
    assert left == [], "no temporary file stays"
