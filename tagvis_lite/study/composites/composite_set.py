"""A set of composites on disk, and a file that says what they are.

    <out>/composites.json    what every video is made of, and the sequences of each split
    <out>/...                a DAVIS or YouTube-VIS root with splits train, validation and test

A split is made of sequences of its own: no object and no scene of a test video occurs in a training
video. Each video is a function of the seed and its number, so a killed run goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm.auto import tqdm

from tagvis_lite.atomic import is_remains, remove_remains, replacing
from tagvis_lite.data.davis import OBJECT, write_davis
from tagvis_lite.data.youtube_vis import write_youtube_vis
from tagvis_lite.study.composites.draw import SCORING, Composites, Mix
from tagvis_lite.study.composites.sources import SIZE, read_sources, sequences

Layout = Literal["davis", "youtube-vis"]
NOTE = (
    "Composites: objects cut out of real sequences with their masks and pasted over others. They "
    "are no real videos, and scores on them are no scores on a benchmark. The pictures are under "
    "the licence of the source sequences named here."
)
HELD_OUT = 0.2
"""Share of the sequences that validation, and test, is made of; at least two."""


def write_composites(
    roots: Sequence[Path],
    out: Path,
    counts: Mapping[str, int],
    *,
    parts: Mapping[str, Sequence[str]] | None = None,
    split: str | None = None,
    layout: Layout = "davis",
    mix: Mix = SCORING,
    num_frames: int = 24,
    size: tuple[int, int] = SIZE,
    seed: int = 0,
) -> dict[str, list[str]]:
    """Write composites of the sequences of some DAVIS roots, or go on where that stopped.

    Args:
        roots: see `read_sources`.
        out: root to write.
        counts: number of videos of each split to write.
        parts: sequences of each split; dealt out at random when not given.
        split: whose sequences those are, in a root that has lists.
        layout: of `out`.
        mix: what is drawn how often.
        num_frames: of each video.
        size: H x W.
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
    if min(size) < 32 or max(size) > 4096:
        raise ValueError(f"composite size is {size}, expected H x W of 32 to 4096 pixels each")
    if not 2 <= mix.objects[0] <= mix.objects[1] <= 20:
        raise ValueError(f"objects are {mix.objects}, expected 2 <= fewest <= most <= 20")
    names = None if parts is None else {name for part in parts.values() for name in part}
    lengths = {video.name: len(video) for video in sequences(roots, names, split)}
    if parts is None:
        parts = split_sources(list(lengths), counts, seed)
    used = {part: sorted({*parts[part]} & lengths.keys()) for part, n in counts.items() if n}
    settings = {
        "layout": layout,
        "counts": dict(counts),
        "mix": asdict(mix),
        "num_frames": num_frames,
        "size": list(size),
        "seed": seed,
        "sequences": {name: lengths[name] for names in used.values() for name in names},
    }
    path = out / "composites.json"
    drawn = _read_plan(path, json.loads(json.dumps(settings)))
    if (
        drawn is None
        and out.exists()
        and (not out.is_dir() or not all(map(is_remains, out.iterdir())))
    ):
        raise FileExistsError(f"{out} is there already: choose another folder, or delete it")
    sets = {
        part: Composites(
            read_sources(roots, names, size),
            counts[part],
            num_frames,
            seed=int(np.random.SeedSequence([seed, k]).generate_state(1)[0]),
            mix=mix,
            name=f"composite-{part}",
        )
        for k, (part, names) in enumerate(used.items())
    }
    if drawn is None:
        made_of = {
            part: [_made_of(made, i) for i in range(len(made))] for part, made in sets.items()
        }
        plan = {"what": NOTE, "settings": settings, "sources": used, "videos": made_of}
        remove_remains(out)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(plan, indent=1))
    for part, made in sets.items():
        bar = tqdm(made, f"composites, {part}", unit="video", mininterval=1.0, disable=None)
        if layout == "davis":
            write_davis(out, bar, part, resume=True)
        else:
            write_youtube_vis(out, bar, {OBJECT: "object"}, part, resume=True)
    return used


def _made_of(made: Composites, index: int) -> dict[str, Any]:
    """Name, scene and pasted objects of a composite."""
    recipe = made.recipe(index)
    pasted = {
        layer.instance: f"{layer.cut.scene}, object {layer.cut.instance}"
        for layer in recipe.layers
        if layer.instance
    }
    return {"name": recipe.name, "scene": recipe.scene.name, "pasted": pasted}


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
            f"{len(names)} sequences with label maps are too few for splits {wanted}, of two or "
            "more each: ask for 0 videos of one, or give a root with more sequences"
        )
    shuffled = [names[k] for k in np.random.default_rng([seed, 0]).permutation(len(names))]
    parts = {}
    for split in wanted[:0:-1]:
        parts[split], shuffled = sorted(shuffled[:held_out]), shuffled[held_out:]
    return {wanted[0]: sorted(shuffled)} | dict(reversed(parts.items()))


def _read_plan(path: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """What an earlier run of the same settings wrote; None if there was none."""
    if not path.is_file():
        return None
    try:
        plan: dict[str, Any] = json.loads(path.read_text())
        same = plan["settings"] == settings
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: delete its folder and start anew") from error
    if not same:
        raise FileExistsError(
            f"{path.parent} holds composites of other settings or sequences (see {path}): choose "
            "another folder, or delete it"
        )
    return plan
