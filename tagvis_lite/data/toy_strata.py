"""Toy videos that each ask for one thing: strata on which names can be told from places.

A tag that is nothing but the place of its pixel names most objects of `toy`, where they stay near
where they began. Here they do not. A video has 24 frames, of which a network of the toy profile
sees 8; difficulty is hard, radii are 0.06 to 0.35, and up to five objects are there:

    plain        1 to 5 objects that move as in the hard toy set
    swap         one or two pairs of objects change places, on a half circle about each other
    occlusion    two to four objects cross behind a bar, hidden by it for 3 to 6 frames, half of
                 them in either direction
    return       one or two objects leave the frame for 3 to 6 frames and come back elsewhere; each
                 has a twin that stays in view and ends where the other left
    pan          the camera moves by half a frame and more, in both directions; some object is
                 always in view

Objects beyond those of the pairs move as in `plain`. A scene is drawn again until the labels keep
what its stratum promises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from tagvis_lite.data.toy import (
    FIRST_SEED,
    MIN_VISIBLE,
    LazyVideos,
    Split,
    ToyConfig,
    draw_scene,
    film,
)
from tagvis_lite.data.toy_render import labels
from tagvis_lite.data.toy_scene import Bar, Instance, Path, Route, Scene
from tagvis_lite.video import Video

StratumName = Literal["plain", "swap", "occlusion", "return", "pan"]
STRATA: tuple[StratumName, ...] = get_args(StratumName)
STRATUM_VIDEOS = 256
"""Videos of a stratum that a network is scored on."""
NUM_FRAMES = 24
HIDDEN_FRAMES = (3, 6)
"""Frames without a visible pixel, fewest and most, of an object that is occluded or away."""

_TIMES = np.arange(NUM_FRAMES, dtype=float)


@dataclass(frozen=True)
class Stratum(LazyVideos):
    """The videos of one stratum, rendered when asked for.

    Attributes:
        name: one of `STRATA`.
        num_videos: the first so many of the split.
        split: train, validation or test.
        size: H x W in pixels.

    Raises:
        ValueError: no such stratum or split, or a number of videos out of range.
    """

    name: StratumName
    num_videos: int = STRATUM_VIDEOS
    split: Split = "test"
    size: tuple[int, int] = (64, 64)

    def __post_init__(self) -> None:
        if self.name not in STRATA:
            raise ValueError(f"toy stratum is {self.name!r}, expected one of {', '.join(STRATA)}")
        if self.split not in FIRST_SEED or not 1 <= self.num_videos <= 1_000_000:
            raise ValueError(
                f"{self.num_videos} videos of toy split {self.split!r}, expected 1 to 1000000 of "
                f"one of {', '.join(FIRST_SEED)}"
            )

    def __len__(self) -> int:
        return self.num_videos

    def video(self, index: int) -> Video:
        """Render one video."""
        first = FIRST_SEED[self.split] + 10_000_000 * (1 + STRATA.index(self.name))
        rng = np.random.default_rng(first + index)
        config = ToyConfig(
            size=self.size,
            num_frames=NUM_FRAMES,
            min_instances=1 if self.name in ("plain", "pan") else 2,
            difficulty="hard",
            radius=(0.06, 0.35),
        )
        return film(
            rng, _draw(rng, self.name, config), config, f"toy-{self.name}-{self.split}-{index:05d}"
        )


def strata(num_videos: int = STRATUM_VIDEOS, split: Split = "test") -> dict[StratumName, Stratum]:
    """All strata by name, in the order of `STRATA`."""
    return {name: Stratum(name, num_videos, split) for name in STRATA}


@dataclass(frozen=True)
class Mixture(LazyVideos):
    """Videos of all strata in turn, rendered when asked for: to train on."""

    num_videos: int
    split: Split = "train"

    def __len__(self) -> int:
        return self.num_videos

    def video(self, index: int) -> Video:
        """Render one video."""
        number, which = divmod(index, len(STRATA))
        return Stratum(STRATA[which], number + 1, self.split)[number]


def _draw(rng: np.random.Generator, name: StratumName, config: ToyConfig) -> Scene:
    """Draw scenes until one keeps the promise of its stratum and shows every object.

    Raises:
        ValueError: none of 200 does.
    """
    least = MIN_VISIBLE * min(config.size) ** 2
    for _ in range(200):
        scene, crossing = _CHANGES[name](rng, draw_scene(rng, config))
        ids = labels(scene, _TIMES, config.size)
        areas = np.stack([(ids == i).sum(axis=(1, 2)) for i in scene.instances])  # N x T
        if ((areas >= least).sum(axis=1) < NUM_FRAMES // 4).any():
            continue
        if name == "pan" and not areas.any(axis=0).all():
            continue
        order = list(scene.instances)
        if all(_kept(name, areas[order.index(i)]) for i in crossing):
            return scene
    raise ValueError(f"no toy scene of stratum {name} at {config.size}")


def _kept(name: StratumName, area: np.ndarray) -> bool:
    """Whether an object of a pair, of these visible areas by frame, does what it should."""
    if name in ("occlusion", "return"):
        gone = np.flatnonzero(area == 0)
        once = len(gone) > 0 and gone[-1] - gone[0] + 1 == len(gone)
        fewest, most = HIDDEN_FRAMES
        return once and fewest <= len(gone) <= most and bool(area[[0, -1]].all())
    return bool(area.all())


Changed = tuple[Scene, list[int]]
"""A scene, and the ids of the objects that the stratum is about."""


def _plain(_: np.random.Generator, scene: Scene) -> Changed:
    return scene, []


def _pan(rng: np.random.Generator, scene: Scene) -> Changed:
    """Move the camera on a sinusoid for x and another for y; objects stay in the world."""
    amplitude = rng.uniform(0.3, 0.5, 2)
    frequency = 2 * np.pi / NUM_FRAMES * rng.uniform(0.5, 1.0, 2)
    phase = rng.uniform(0, 2 * np.pi, 2)
    path = Path(-amplitude * np.sin(phase), amplitude, frequency, phase, np.zeros(2))
    return replace(scene, camera=path), []


def _swap(rng: np.random.Generator, scene: Scene) -> Changed:
    """Turn pairs by about half a circle around the middle between the two."""
    pairs = _pairs(rng, scene)
    for a, b in pairs:
        radii = [min(scene.instances[i].look.radius, 0.2) for i in (a, b)]
        apart = max(0.16, 0.5 * sum(radii)) * rng.uniform(1.0, 1.3)
        middle = rng.uniform(0.3, 0.7, 2)
        begin, end = rng.uniform(0, 4), rng.uniform(19, 23)
        turn = rng.choice([-1, 1]) * np.pi * rng.uniform(0.9, 1.1)
        angle = rng.uniform(0, 2 * np.pi) + turn * np.clip((_TIMES - begin) / (end - begin), 0, 1)
        way = apart * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        scene = _moved(scene, {a: middle + way, b: middle - way}, radii)
    return scene, [i for pair in pairs for i in pair]


def _occlusion(rng: np.random.Generator, scene: Scene) -> Changed:
    """Let pairs cross behind a bar, one from either side."""
    pairs = _pairs(rng, scene)
    angle = rng.choice([0, np.pi / 2]) + rng.uniform(-0.25, 0.25)
    across = np.array([np.cos(angle), np.sin(angle)])
    along = np.array([-across[1], across[0]])
    bar = Bar(
        centre=0.5 + rng.uniform(-0.06, 0.06, 2),
        angle=angle,
        width=rng.uniform(0.34, 0.42),
        colour=np.clip(scene.colour + rng.choice([-1, 1]) * rng.uniform(0.1, 0.3), 0, 1),
    )
    for pair in pairs:
        for i, way in zip(pair, (1, -1), strict=True):
            radius = rng.uniform(0.06, 0.12)
            inside = bar.width / 2 - 1.15 * radius  # of the centre, where nothing shows
            frames = rng.uniform(3.2, 5.2)
            reach = 0.44
            pace = 2 * reach * np.arctanh(inside / reach) / frames
            when = rng.uniform(9, 14)
            progress = np.tanh(pace * (_TIMES - when) / reach)[:, None]
            begin, end = rng.uniform(-0.35, 0.35, 2)
            places = bar.centre + way * reach * progress * across
            places = places + (begin + (end - begin) * (progress + 1) / 2) * along
            scene = _moved(scene, {i: places}, [radius])
    return replace(scene, bar=bar), [i for pair in pairs for i in pair]


def _return(rng: np.random.Generator, scene: Scene) -> Changed:
    """Send the first of each pair out over one border and in over another.

    Its twin moves from where it will be to where it was.
    """
    pairs = _pairs(rng, scene)
    for away, stays in pairs:
        radius = rng.uniform(0.07, 0.16)
        look = replace(scene.instances[away].look, radius=radius)
        instances = dict(scene.instances)
        for i in (away, stays):
            instances[i] = replace(instances[i], look=look)
        scene = replace(scene, instances=instances)
        sides = rng.permutation(4)[:2]  # out over the first, in over the second
        first, last = (_near_border(rng, side, 0.22) for side in sides)
        while np.hypot(*(last - first)) < 0.3:
            last = _near_border(rng, sides[1], 0.22)
        out, back = (
            _near_border(rng, side, -2 * radius, place)
            for side, place in zip(sides, (first, last), strict=True)
        )
        leaves = rng.uniform(6, 9)
        gone, comes = leaves + 3, leaves + 3 + rng.uniform(2.5, 5)
        drift = 0.06 * np.sin(0.4 * _TIMES + rng.uniform(0, 6))[:, None] * rng.uniform(-1, 1, 2)
        going = np.interp(_TIMES, [leaves, gone], [0, 1])[:, None]
        coming = np.interp(_TIMES, [comes, comes + 3], [0, 1])[:, None]
        before = (gone + comes > 2 * _TIMES)[:, None]
        places = np.where(before, first + (out - first) * going, back + (last - back) * coming)
        progress = np.clip((_TIMES - 2) / (NUM_FRAMES - 5), 0, 1)[:, None]
        twin = last + (first - last) * progress
        scene = _moved(scene, {away: places + drift, stays: twin - drift}, [radius, radius])
    return scene, [away for away, _ in pairs]


def _near_border(
    rng: np.random.Generator, side: int, depth: float, beside: np.ndarray | None = None
) -> np.ndarray:
    """A place so deep inside one of the four borders: left, top, right, bottom."""
    place = rng.uniform(0.25, 0.75, 2) if beside is None else beside.copy()
    place[side % 2] = depth if side < 2 else 1 - depth
    return place


def _pairs(rng: np.random.Generator, scene: Scene) -> list[tuple[int, int]]:
    """All objects in pairs, at random; an odd one is left alone."""
    ids = [int(i) for i in rng.permutation(list(scene.instances))]
    return list(zip(ids[::2], ids[1::2], strict=False))


def _moved(scene: Scene, places: dict[int, np.ndarray], radii: Sequence[float]) -> Scene:
    """The scene with some objects on other tracks and of other radii."""
    instances: dict[int, Instance] = dict(scene.instances)
    for (i, places_of), radius in zip(places.items(), radii, strict=True):
        look = replace(instances[i].look, radius=radius)
        instances[i] = replace(instances[i], look=look, path=Route(places_of))
    return replace(scene, instances=instances)


_CHANGES: dict[StratumName, Callable[[np.random.Generator, Scene], Changed]] = {
    "plain": _plain,
    "swap": _swap,
    "occlusion": _occlusion,
    "return": _return,
    "pan": _pan,
}
