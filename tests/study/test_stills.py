"""Stills from COCO files: label maps as the masks say, images where COCO has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tagvis_lite.study.composites.sources import read_sources
from tagvis_lite.study.composites.stills import coco_stills


def box(left: int, top: int, right: int, bottom: int) -> list[list[float]]:
    return [[left, top, right, top, right, bottom, left, bottom]]


def write(root: Path, where: str = "val", **changes: Any) -> Path:
    """Two images of 40 x 60; the second has a small object in front of a large one, and a crowd."""
    (root / where).mkdir(parents=True)
    (root / "annotations").mkdir(exist_ok=True)
    for k in (1, 2, 3):
        cv2.imwrite(str(root / where / f"{k:03d}.jpg"), np.full((40, 60, 3), 40 * k, np.uint8))
    size = {"height": 40, "width": 60}
    crowd = {"counts": [0, 40 * 5, 40 * 55], "size": [40, 60]}  # the first five columns
    entries = [
        {"image_id": 1, "segmentation": box(20, 10, 40, 30)},
        {"image_id": 2, "segmentation": box(22, 12, 28, 18)},
        {"image_id": 2, "segmentation": box(20, 10, 50, 30)},
        {"image_id": 2, "segmentation": crowd, "iscrowd": 1},
    ]
    values = {
        "images": [{"id": k, "file_name": f"{k:03d}.jpg", **size} for k in (1, 2, 3)],
        "annotations": [{"id": k, "category_id": 1, **e} for k, e in enumerate(entries, 1)],
        "categories": [{"id": 1, "name": "thing"}],
    }
    path = root / "annotations" / f"instances_{where}.json"
    path.write_text(json.dumps(values | changes))
    return path


@pytest.mark.parametrize("where", ["val", "annotations/images", "annotations"])
def test_label_maps_are_the_masks(tmp_path: Path, where: str) -> None:
    path = write(tmp_path, "val")
    if where != "val":
        (tmp_path / where).mkdir(exist_ok=True)
        for image in (tmp_path / "val").iterdir():
            image.rename(tmp_path / where / image.name)
    one, two = coco_stills(path)  # the third has no instance
    assert (one.name, two.name) == ("001", "002")
    ids = two.read_ids([0])[0]
    assert (ids[15, 25], ids[20, 40], ids[20, 2], ids[5, 30]) == (1, 2, 255, 0)
    assert abs(int(one.read_frames([0])[0][0, 0, 0]) - 40) < 3
    assert set(one.categories or {}) == {1}
    sources = read_sources([path])
    assert [len(scene.frames) for scene in sources.scenes] == [1, 1]
    assert {(cut.scene, cut.instance) for cut in sources.cut_outs} == {
        ("001", 1),
        ("002", 1),
        ("002", 2),
    }


def test_files_that_are_no_such_thing(tmp_path: Path) -> None:
    for text in ("[1]", "{", '{"images": []}', "\x80"):
        (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
        with pytest.raises(ValueError, match=r"a\.json is no COCO file"):
            coco_stills(tmp_path / "a.json")
    with pytest.raises(ValueError, match="has no instance"):
        coco_stills(write(tmp_path / "empty", annotations=[]))
    with pytest.raises(FileNotFoundError):
        coco_stills(tmp_path / "b.json")
    path = write(tmp_path / "moved")
    (tmp_path / "moved" / "val").rename(tmp_path / "moved" / "elsewhere")
    with pytest.raises(FileNotFoundError, match=r"001\.jpg is in none of"):
        coco_stills(path)
