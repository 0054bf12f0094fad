"""A set of composites on disk, and a file that says what they are.

    <out>/composites.json    the recipe of every video, and the sequences each split is made of
    <out>/...                a DAVIS or YouTube-VIS root with splits train, validation and test

A split is made of sequences of its own: no object and no background of a test video occurs in a
training video. Recipes are drawn first and rendered one video at a time, so a killed run goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm.auto import tqdm

from tagvis_lite.atomic import write_atomically
from tagvis_lite.data.davis import OBJECT, read_davis, write_davis
from tagvis_lite.data.youtube_vis import write_youtube_vis
from tagvis_lite.study.composites.compose import Recipe, composite
from tagvis_lite.study.composites.draw import draw_recipe, find_objects
from tagvis_lite.video import Video

Layout = Literal["davis", "youtube-vis"]
WHAT = (
    "Composites: objects cut out of real sequences with their masks and pasted over others. They "
    "are no real videos, and scores on them are no scores on a benchmark. The pictures are under "
    "the licence of the source sequences named here."
)
HELD_OUT = 0.2
"""Share of the sequences that validation, and test, is made of; at least two."""


def write_composites(
    source: Path,
    out: Path,
    counts: Mapping[str, int],
    *,
    split: str = "train",
    layout: Layout = "davis",
    objects: tuple[int, int] = (2, 4),
    num_frames: int | None = None,
    size: tuple[int, int] | None = None,
    seed: int = 0,
) -> dict[str, list[str]]:
    """Write composites of the sequences of a DAVIS root, or go on where that stopped.

    Args:
        source: a root with `ImageSets/2017/<split>.txt`, or else one of DAVIS 2016.
        out: root to write.
        counts: number of videos of each split to write.
        split: which sequences of `source` may be used.
        layout: of `out`.
        objects, num_frames, size: see `draw_recipe`.
        seed: not negative.

    Returns:
        Names of the sequences that each split is made of.

    Raises:
        ValueError: too few sequences, no object that can be cut out, or impossible numbers.
        FileExistsError: `out` holds something else.
        OSError: see `read_davis`.
    """
    if seed < 0 or min(counts.values()) < 0 or sum(counts.values()) == 0:
        raise ValueError(f"seed {seed} and numbers of videos {dict(counts)}: expected 0 or more")
    videos = {video.name: video for video in read_sources(source, split)}
    settings = {
        "split": split,
        "layout": layout,
        "counts": dict(counts),
        "objects": list(objects),
        "num_frames": num_frames,
        "size": size and list(size),
        "seed": seed,
        "sequences": {name: len(video) for name, video in videos.items()},
    }
    path = out / "composites.json"
    plan = _read_plan(path, settings)
    if plan is None:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise FileExistsError(f"{out} is there already: choose another folder, or delete it")
        parts = split_sources(list(videos), counts, seed)
        recipes = _draw_recipes(videos, parts, counts, seed, objects, num_frames, size)
        plan = {"what": WHAT, "settings": settings, "sources": parts, "videos": recipes}
        text = json.dumps(
            plan | {"videos": {part: [asdict(r) for r in recipes[part]] for part in recipes}},
            indent=1,
        )
        write_atomically(path, lambda temporary: temporary.write_text(text))
    for part, drawn in plan["videos"].items():
        if not drawn:
            continue
        bar = tqdm(drawn, f"composites, {part}", unit="video", mininterval=1.0, disable=None)
        made = (composite(recipe, videos) for recipe in bar)
        if layout == "davis":
            write_davis(out, made, part, resume=True)
        else:
            write_youtube_vis(out, made, {OBJECT: "object"}, part, resume=True)
    sources: dict[str, list[str]] = plan["sources"]
    return sources


def read_sources(root: Path, split: str = "train") -> list[Video]:
    """Sequences with label maps of a DAVIS-2017 root, or else of a DAVIS-2016 root (0 and 255).

    Raises:
        ValueError: a sequence without label maps; or see `read_davis`.
    """
    videos = read_davis(root, split)
    bare = [video.name for video in videos if video.ids is None]
    if bare:
        raise ValueError(
            f"{root}: {len(bare)} sequences of split {split!r} have no annotations, the first is "
            f"{bare[0]!r}: composites need masks; choose another split"
        )
    return videos


def split_sources(
    names: Sequence[str], counts: Mapping[str, int], seed: int
) -> dict[str, list[str]]:
    """Deal sequences out to the splits that get videos: none to two of them.

    All but the first split get a fifth each, at least two; the first gets the rest.

    Raises:
        ValueError: fewer than two sequences for a split.
    """
    wanted = [split for split, number in counts.items() if number]
    held_out = max(2, round(HELD_OUT * len(names)))
    if len(names) < 2 + held_out * (len(wanted) - 1):
        raise ValueError(
            f"{len(names)} sequences are too few for splits {wanted}, of two or more each: ask for "
            "0 videos of one, or give a root with more sequences"
        )
    shuffled = [names[k] for k in np.random.default_rng([seed, 0]).permutation(len(names))]
    parts = {}
    for split in wanted[:0:-1]:
        parts[split], shuffled = sorted(shuffled[:held_out]), shuffled[held_out:]
    return {wanted[0]: sorted(shuffled)} | dict(reversed(parts.items()))


def _read_plan(path: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """What an earlier run wrote, with its recipes; None if there was none."""
    if not path.is_file():
        return None
    try:
        plan = json.loads(path.read_text())
        same = plan["settings"] == settings
        plan["videos"] = {
            part: [Recipe.from_json(recipe) for recipe in recipes]
            for part, recipes in plan["videos"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged: delete its folder and start anew") from error
    if not same:
        raise FileExistsError(
            f"{path.parent} holds composites of other settings or sequences (see {path}): choose "
            "another folder, or delete it"
        )
    return dict(plan)


def _draw_recipes(
    videos: Mapping[str, Video],
    parts: Mapping[str, Sequence[str]],
    counts: Mapping[str, int],
    seed: int,
    objects: tuple[int, int],
    num_frames: int | None,
    size: tuple[int, int] | None,
) -> dict[str, list[Recipe]]:
    recipes = {}
    for k, (part, names) in enumerate(parts.items()):
        sources = {name: videos[name] for name in names}
        looking = tqdm(names, f"objects, {part}", mininterval=1.0, disable=None)
        objects_in = {name: find_objects(videos[name]) for name in looking}
        drawing = tqdm(range(counts[part]), f"recipes, {part}", mininterval=1.0, disable=None)
        recipes[part] = [
            draw_recipe(
                np.random.default_rng([seed, 1, k, i]),
                f"composite-{part}-{i:05d}",
                sources,
                objects_in,
                objects=objects,
                num_frames=num_frames,
                size=size,
            )
            for i in drawing
        ]
    return recipes
