"""Stills with instance masks from a COCO annotation file, as videos of one frame.

    <folder>/instances_<split>.json, or any name
    images, by `file_name`, beside the file, in <folder>/images, or in <folder>/../<split>

Crowds are void: their objects cannot be told apart.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO

from tagvis_lite.data.davis import OBJECT
from tagvis_lite.data.images import decode_image
from tagvis_lite.video import VOID, Video

MOST = 254
"""Ids of a label map."""


def coco_stills(annotations: Path) -> list[Video]:
    """Every image with an instance, with its label map; images are read when they are asked for.

    Raises:
        FileNotFoundError: no annotation file, or none of the folders holds an image of it.
        ValueError: not a file of instances in the format of COCO; the message names it.
    """
    try:
        with redirect_stdout(StringIO()):  # it prints how long it takes
            coco = COCO(annotations)
        by_image: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for one in coco.dataset["annotations"]:
            by_image[one["image_id"]].append(one)
        images = [coco.imgs[k] for k in sorted(by_image)]
        names = [Path(image["file_name"]) for image in images]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AssertionError) as error:
        raise ValueError(f"{annotations} is no COCO file of instances: {error!r}") from error
    if not images:
        raise ValueError(f"{annotations} has no instance")
    folder = _images_folder(annotations, names)
    return [
        Video(
            name=name.stem,
            frames=_Still(coco, folder / name, ()),
            ids=_Still(coco, folder / name, tuple(by_image[image["id"]][:MOST])),
            categories={k: OBJECT for k in range(1, min(MOST, len(by_image[image["id"]])) + 1)},
        )
        for image, name in zip(images, names, strict=True)
    ]


def _images_folder(annotations: Path, names: Sequence[Path]) -> Path:
    folder, split = annotations.parent, annotations.stem.split("_")[-1]
    places = [folder, folder / "images", folder / split, folder.parent / split]
    for place in places:
        if (place / names[0]).is_file():
            return place
    tried = ", ".join(map(str, places))
    raise FileNotFoundError(f"{annotations}: image {names[0]} is in none of {tried}")


class _Still(Sequence[np.ndarray]):
    """One frame, or, where there are instances, its label map."""

    def __init__(self, coco: COCO, path: Path, instances: Sequence[dict[str, Any]]) -> None:
        self.coco, self.path, self.instances = coco, path, instances

    def __len__(self) -> int:
        return 1

    def __getitem__(self, t: Any, /) -> Any:
        range(1)[t]  # IndexError
        if not self.instances:
            return decode_image(self.path)
        masks = [self.coco.annToMask(one).astype(bool) for one in self.instances]
        ids = np.zeros(masks[0].shape, dtype=np.uint8)
        # Large ones first: a small object in front of a large one keeps its pixels.
        for k in sorted(range(len(masks)), key=lambda k: -int(masks[k].sum())):
            ids[masks[k]] = VOID if self.instances[k].get("iscrowd") else k + 1
        return ids
