"""Odd inputs, each against each command that reads it: one answer each, and the same everywhere.

`ok` is taken without a word; anything else is what the line of exit code 2 must say (of `check`,
exit code 1 and a line for it).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_network import OVERRIDES, save_tiny

from tagvis_lite.__main__ import main
from tagvis_lite.data.images import decode_image

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "toy"
LABELS = "Annotations_unsupervised/480p"
ok = "ok"


# ---------------------------------------------------------------- odd inputs


def turned_by_exif(root: Path) -> None:
    """Every other frame is stored on its side, as by a phone that was turned."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in sorted(root.rglob("*.jpg"))[::2]:
        stored = np.ascontiguousarray(np.rot90(decode_image(path)))
        Image.fromarray(stored).save(path, quality=95, exif=exif)


def png_named_jpg(root: Path) -> None:
    for path in root.rglob("*.jpg"):
        Image.fromarray(decode_image(path)).save(path, "PNG")


def jpeg_with_a_film_behind_it(root: Path) -> None:
    for path in root.rglob("*.jpg"):
        path.write_bytes(path.read_bytes() + b"ftypmp42" + bytes(9000))


def links_among_frames(root: Path) -> None:
    for path in root.glob("JPEGImages/480p/*/0000[4-7].jpg"):
        path.unlink()
        path.symlink_to("gone.jpg")


def links_among_masks(root: Path) -> None:
    for path in root.glob(f"{LABELS}/*/0000[4-7].png"):
        path.unlink()
        path.symlink_to("gone.png")


def first_masks_alone(root: Path) -> None:
    for path in root.glob(f"{LABELS}/*/*.png"):
        if path.name != "00000.png":
            path.unlink()


def no_masks(root: Path) -> None:
    shutil.rmtree(root / "Annotations_unsupervised")


def ids_from_0(root: Path) -> None:
    for path in root.glob("*/instances.json"):
        data = json.loads(path.read_text())
        for category in data["categories"]:
            category["id"] -= 1
        for annotation in data["annotations"]:
            annotation["category_id"] -= 1
        path.write_text(json.dumps(data))


def frames_cut_by_a_few_bytes(root: Path) -> None:
    """As WebP in files named .jpg: no mark at the end tells that some of it is gone."""
    for path in root.rglob("*.jpg"):
        Image.fromarray(decode_image(path)).save(path, "WEBP")
        path.write_bytes(path.read_bytes()[:-9])


def masks_without_their_end(root: Path) -> None:
    for path in root.glob(f"{LABELS}/*/*.png"):
        path.write_bytes(path.read_bytes()[:-12])


def frames_of_16_bits(root: Path) -> None:
    for path in root.rglob("*.jpg"):
        grey = decode_image(path)[..., 0].astype(np.uint16)
        Image.fromarray(grey * 257).save(path, "PNG")


def areas_that_are_no_numbers(root: Path) -> None:
    for path in root.glob("*/instances.json"):
        data = json.loads(path.read_text())
        data["annotations"][0]["areas"][0] = float("nan")
        path.write_text(json.dumps(data))


def runs_that_are_cut_off(root: Path) -> None:
    for path in root.glob("*/instances.json"):
        data = json.loads(path.read_text())
        mask = next(filter(None, data["annotations"][-1]["segmentations"]))
        mask["counts"] = mask["counts"][:-1] + "o"
        path.write_text(json.dumps(data))


RUNS = "'counts' that are cut off"
CUT, DEEP = "is truncated", "more than 8 bits"
LINK = "is a link to a file that is not there"
TABLE: list[tuple[str, Callable[[Path], None], dict[str, str]]] = [
    ("davis", turned_by_exif, dict(predict=ok, train=ok, check=ok, evaluate=ok)),
    ("davis", png_named_jpg, dict(predict=ok, train=ok, check=ok, evaluate=ok)),
    ("davis", jpeg_with_a_film_behind_it, dict(predict=ok, train=ok, check=ok, evaluate=ok)),
    ("davis", links_among_frames, dict(predict=LINK, train=LINK, check=LINK, evaluate=LINK)),
    ("davis", links_among_masks, dict(predict=ok, train=LINK, check=LINK, evaluate=LINK)),
    (
        "davis",
        first_masks_alone,
        dict(predict=ok, train="no label maps", check=ok, evaluate="1 label maps for the 8 frames"),
    ),
    (
        "davis",
        no_masks,
        dict(predict=ok, train="no label maps", check=ok, evaluate="no annotations"),
    ),
    ("davis", frames_cut_by_a_few_bytes, dict(predict=CUT, train=CUT, check="cannot be decoded")),
    ("davis", frames_of_16_bits, dict(predict=DEEP, train=DEEP, check=DEEP)),
    ("davis", masks_without_their_end, dict(predict=ok, train=CUT, check=CUT, evaluate=CUT)),
    ("youtube-vis", runs_that_are_cut_off, dict(predict=ok, train=RUNS, check=RUNS)),
    ("youtube-vis", areas_that_are_no_numbers, dict(predict=ok, train="'areas'", check="'areas'")),
    ("youtube-vis", png_named_jpg, dict(predict=ok, train=ok, check=ok)),
    ("youtube-vis", jpeg_with_a_film_behind_it, dict(predict=ok, train=ok, check=ok)),
    ("youtube-vis", turned_by_exif, dict(predict=ok, train=ok, check=ok)),
    ("youtube-vis", ids_from_0, dict(predict=ok, train=ok, check=ok)),
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("weights") / "tiny.safetensors")


@pytest.mark.parametrize(
    ("layout", "damage", "command", "answer"),
    [
        pytest.param(layout, damage, *pair, id=f"{layout}-{damage.__name__}-{pair[0]}")
        for layout, damage, answers in TABLE
        for pair in answers.items()
    ],
)
def test_every_command_gives_the_same_answer(
    layout: str,
    damage: Callable[[Path], None],
    command: str,
    answer: str,
    tiny: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = Path(shutil.copytree(SAMPLE / layout, tmp_path / "root"))
    damage(root)
    words = {
        "predict": f"predict {root} --split validation --out {tmp_path}/out --checkpoint {tiny}",
        "train": f"train --data {root} --out {tmp_path}/out --profile smoke --device cpu "
        f"--train.steps 1 {OVERRIDES}",
        "check": f"check {root}",
        "evaluate": f"evaluate davis {root} {SAMPLE}/davis/{LABELS} --split validation",
    }[command]
    if answer == ok:
        main(words.split())
        return
    with pytest.raises(SystemExit) as caught:
        main(words.split())
    assert caught.value.code == (1 if command == "check" else 2)
    captured = capsys.readouterr()
    lines = captured.out.splitlines() if command == "check" else captured.err.splitlines()[-1:]
    assert any(answer in line and (str(root) in line or "toy-" in line) for line in lines), lines
