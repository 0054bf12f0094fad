"""Recipes of composites at random: what to cut out, how large, on what paths, in what order.

find_objects   what a sequence has to cut out
draw_recipe    background, objects, sizes, paths and order; drawn again where one is out of sight
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tagvis_lite.study.composites.compose import (
    CompositeIds,
    CutOut,
    Paste,
    Recipe,
    background_ids,
    bounding_window,
    read_cut_out_mask,
)
from tagvis_lite.video import BACKGROUND, VOID, Video

MIN_RUN = 8
"""Frames in a row that an object must be whole to be cut out."""
MIN_AREA = 1 / 400
"""Smallest mean area of an object that is cut out or pasted, as a share of the frame."""
MIN_SHOWN = 0.4
"""Share of each instance's area that should stay in sight, on average over the video."""


@dataclass(frozen=True)
class Objects:
    """What the label maps of a sequence show.

    Attributes:
        first_seen: the first frame that shows each id.
        cut_outs: the longest run of frames in which an object is whole, of those that are whole for
            `MIN_RUN` frames and not too small.
    """

    first_seen: dict[int, int]
    cut_outs: list[CutOut]


def find_objects(video: Video) -> Objects:
    """Look at every label map of a sequence once.

    Whole means: there, and off all four sides of the frame by a pixel. An object that the frame
    cuts off would show a straight edge wherever it is pasted.

    Raises:
        ValueError: no label maps.
    """
    first_seen: dict[int, int] = {}
    runs: dict[int, list[tuple[int, np.ndarray]]] = {}
    best: dict[int, list[tuple[int, np.ndarray]]] = {}
    area = 0
    for t in range(len(video)):
        ids = video.read_ids([t])[0]
        area = ids.size
        present = np.flatnonzero(np.bincount(ids.ravel(), minlength=256)).tolist()
        for instance in set(present) - {BACKGROUND, VOID}:
            first_seen.setdefault(instance, t)
        whole = _whole_objects(ids, present)
        for instance in runs.keys() - whole.keys():
            runs[instance] = []
        for instance, box in whole.items():
            run = runs.setdefault(instance, [])
            run.append((t, box))
            if len(run) > len(best.get(instance, [])):
                best[instance] = run  # it may grow on
    cut_outs = []
    for instance, run in sorted(best.items()):
        boxes = np.array([box for _, box in run], np.float64)
        if len(run) < MIN_RUN or boxes[:, 4].mean() < MIN_AREA * area:
            continue
        x, y = ((boxes[:, :2] + boxes[:, 2:4]) / 2).mean(axis=0).tolist()
        extent = float(np.sqrt((boxes[:, 2:4] - boxes[:, :2]).prod(axis=1)).mean())
        cut_outs.append(CutOut(video.name, instance, run[0][0], len(run), (x, y), extent))
    return Objects(first_seen, cut_outs)


def _whole_objects(ids: np.ndarray, present: Sequence[int]) -> dict[int, np.ndarray]:
    """Left, top, right, bottom and area in pixels of each object that touches no side."""
    rim = np.concatenate([ids[0], ids[-1], ids[:, 0], ids[:, -1]])
    found = {}
    for instance in present:
        if instance in (BACKGROUND, VOID) or instance in rim:
            continue
        mask = ids == instance
        rows, columns = bounding_window(mask, margin=0)
        found[instance] = np.array(
            [columns.start, rows.start, columns.stop, rows.stop, np.count_nonzero(mask)]
        )
    return found


def draw_recipe(
    rng: np.random.Generator,
    name: str,
    sources: Mapping[str, Video],
    objects_in: Mapping[str, Objects],
    *,
    objects: tuple[int, int] = (2, 4),
    num_frames: int | None = None,
    size: tuple[int, int] | None = None,
) -> Recipe:
    """Draw a composite: background, objects, their sizes and paths, and who hides whom.

    Up to eight draws are made; the first that keeps every instance in sight is taken, or else the
    one that comes closest.

    Args:
        rng: source of randomness.
        name: of the video.
        sources: sequences with label maps; any of them may become the background.
        objects_in: what `find_objects` says about each. A cut-out of the background itself is not
            pasted over it.
        objects: fewest and most instances, the background's own included. At least one is pasted,
            also where the background has as many or more.
        num_frames: T; as many as the background has when not given. Sequences that are shorter
            are shown back and forth.
        size: H x W; that of the background when not given.

    Raises:
        ValueError: impossible numbers, or no cut-out of another sequence than the background.
    """
    fewest, most = objects
    if not 2 <= fewest <= most <= 20:
        raise ValueError(f"objects are {objects}, expected 2 <= fewest <= most <= 20")
    if num_frames is not None and num_frames < 1:
        raise ValueError(f"a composite of {num_frames} frames was asked for, expected 1 or more")
    if size is not None and (min(size) < 32 or max(size) > 4096):
        raise ValueError(f"composite size is {size}, expected H x W of 32 to 4096 pixels each")
    cut_outs = [cut for n in sources for cut in objects_in[n].cut_outs]
    can_be_below = [n for n in sources if any(cut.source != n for cut in cut_outs)]
    if not can_be_below:
        raise ValueError(
            f"composite {name!r} needs at least two sequences, of which one has an object that is "
            f"whole (there, and off the sides of the frame) for {MIN_RUN} frames; there are "
            f"{len(sources)} sequences and {len(cut_outs)} such objects"
        )
    best: tuple[float, Recipe] | None = None
    for _ in range(8):
        background = can_be_below[int(rng.integers(len(can_be_below)))]
        below = sources[background]
        length = len(below) if num_frames is None else num_frames
        shape: tuple[int, int] = size or below.read_ids([0]).shape[1:]
        first_seen = objects_in[background].first_seen
        own = tuple(sorted(k for k, first in first_seen.items() if first < length))
        pasted = max(1, int(rng.integers(fewest, most, endpoint=True)) - len(own))
        others = [cut for cut in cut_outs if cut.source != background]
        chosen = [others[k] for k in rng.permutation(len(others))[:pasted]]
        while len(chosen) < pasted:  # few sources: the same object twice, at another time and place
            chosen.append(others[int(rng.integers(len(others)))])
        free = [k for k in range(1, VOID) if k not in own][:pasted]
        pastes = {k: _draw_paste(rng, cut, shape) for k, cut in zip(free, chosen, strict=True)}
        order = tuple(int(k) for k in rng.permutation([*own, *pastes]))
        recipe = Recipe(name, background, length, shape, own, pastes, order)
        shown = _share_shown(recipe, sources)
        if best is None or shown > best[0]:
            best = shown, recipe
        if shown >= MIN_SHOWN:
            break
    assert best is not None
    return best[1]


def _draw_paste(rng: np.random.Generator, cut: CutOut, size: tuple[int, int]) -> Paste:
    target = rng.uniform(0.2, 0.45) * min(size)
    amplitude = rng.uniform(0.05, 0.25, 2)
    speed = rng.uniform(0.0, 0.02, 2)
    return Paste(
        cut=cut,
        start=int(rng.integers(cut.number)),
        scale=float(min(1.5, target / cut.extent)),
        mirror=bool(rng.random() < 0.5),
        anchor=_pair(rng.uniform(0.2, 0.8, 2)),
        amplitude=_pair(amplitude),
        frequency=_pair(speed / amplitude),
        phase=_pair(rng.uniform(0, 2 * np.pi, 2)),
    )


def _pair(values: np.ndarray) -> tuple[float, float]:
    x, y = values.tolist()
    return x, y


def _share_shown(recipe: Recipe, sources: Mapping[str, Video]) -> float:
    """The smallest, over instances, of the mean share of an instance that is in sight.

    Looks at six frames at most. A pasted object that covers too little of the frame counts as
    hidden.
    """
    times = np.unique(np.linspace(0, recipe.num_frames - 1, 6).astype(int)).tolist()
    label_maps = CompositeIds(recipe, sources)
    whole: dict[int, int] = dict.fromkeys(recipe.order, 0)
    seen: dict[int, int] = dict.fromkeys(recipe.order, 0)
    for t in times:
        ids, own = label_maps[t], background_ids(recipe, sources, t)
        for instance in recipe.order:
            paste = recipe.pastes.get(instance)
            mask = read_cut_out_mask(paste, sources, t) if paste else own == instance
            whole[instance] += int(np.count_nonzero(mask))
            seen[instance] += int(np.count_nonzero(ids == instance))
    least = MIN_AREA * recipe.size[0] * recipe.size[1] * len(times)
    shares = [
        0.0 if instance in recipe.pastes and seen[instance] < least else seen[instance] / number
        for instance, number in whole.items()
        if number
    ]
    return min(shares)
