"""Composites at random: what lies below, what is pasted how large, on what paths, in what order.

Mix           what is drawn how often
draw_recipe   one composite
Composites    as many as one likes, each a pure function of the seed and its number
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from tagvis_lite.data.toy import LazyVideos
from tagvis_lite.data.toy_scene import CATEGORIES, unit_outline
from tagvis_lite.study.composites.compose import (
    OPAQUE,
    Layer,
    Pair,
    Recipe,
    Wave,
    composite,
    draw,
    place,
)
from tagvis_lite.study.composites.sources import MIN_AREA, CutOut, Scene, Sources
from tagvis_lite.video import BACKGROUND, VOID, Video

MIN_SHOWN = 0.4
"""Share of each instance's area that should stay in sight, on average over the video."""
DRAWS = 8
LARGEST_BLOW_UP = 1.5
"""A cut-out is not enlarged more: it would show its pixels."""
SHAPE_SIDE = 96
MOST_BENT = 0.12
"""Of a still: share of its sides that a point of it moves."""


@dataclass(frozen=True)
class Mix:
    """What composites are drawn of. Shares are probabilities.

    Attributes:
        objects: fewest and most instances, the scene's own included. At least one is pasted, also
            where the scene has as many or more.
        extent: smallest and largest square root of an object's bounding box, as a share of that of
            the frame.
        untouched: of videos in which nothing is pasted: real clips, and stills that a camera
            moves over.
        stills: of scenes that are stills, where there are stills.
        shapes: of pasted objects that are toy shapes with a texture cut from a scene.
        leaving: of pasted objects that leave the frame and may return.
        bent: of pasted stills that bend on their way, like a thin plate.
        occluded: of videos that a textured bar crosses, which is no object.
        seen: each instance should be in sight for most of the video; takes ten times as long.
    """

    objects: tuple[int, int] = (1, 5)
    extent: tuple[float, float] = (0.06, 0.6)
    untouched: float = 0.15
    stills: float = 0.25
    shapes: float = 0.2
    leaving: float = 0.2
    bent: float = 0.5
    occluded: float = 0.3
    seen: bool = False


TRAINING = Mix()
SCORING = Mix(
    objects=(2, 4),
    extent=(0.1, 0.6),
    untouched=0,
    shapes=0,
    leaving=0,
    bent=0,
    occluded=0,
    seen=True,
)
"""Real objects alone, each of them to be seen: what scores are measured on."""


class Composites(LazyVideos):
    """Composites of some sources, drawn when they are asked for; nothing is decoded.

    Give it as many as a training takes clips, and every clip is new.

    Args:
        sources: what they are made of.
        number: how many.
        num_frames: T of each.
        seed: not negative; another seed is another set.
        mix: what is drawn how often.
        name: that of composite k is `<name>-<k>`.

    Raises:
        ValueError: impossible numbers, or no cut-out of another sequence than the scene.
    """

    def __init__(
        self,
        sources: Sources,
        number: int,
        num_frames: int = 24,
        *,
        seed: int = 0,
        mix: Mix = TRAINING,
        name: str = "composite",
    ) -> None:
        fewest, most = mix.objects
        if not 1 <= fewest <= most <= 20:
            raise ValueError(f"objects are {mix.objects}, expected 1 <= fewest <= most <= 20")
        if number < 1 or num_frames < 1 or seed < 0:
            raise ValueError(
                f"{number} composites of {num_frames} frames, seed {seed}: expected one or more "
                "of each, and a seed of 0 or more"
            )
        if len({cut.scene for cut in sources.cut_outs}) < 2:
            raise ValueError(
                "composites need at least two sequences with an object that is whole (there, and "
                f"off the sides of the frame) for 8 frames, or in a still; of "
                f"{len(sources.scenes)} sequences, {len({c.scene for c in sources.cut_outs})} "
                "have one"
            )
        self.sources, self.number, self.num_frames = sources, number, num_frames
        self.seed, self.mix, self.name = seed, mix, name

    def __len__(self) -> int:
        return self.number

    def video(self, index: int) -> Video:
        """Composite `index`, drawn when its frames are asked for."""
        return composite(self.recipe(index))

    def recipe(self, index: int) -> Recipe:
        """What composite `index` is made of."""
        rng = np.random.default_rng([self.seed, index])
        name = f"{self.name}-{index:05d}"
        if not self.mix.seen:
            return draw_recipe(rng, name, self.sources, self.num_frames, self.mix)
        best: tuple[float, Recipe] | None = None
        for _ in range(DRAWS):
            recipe = draw_recipe(rng, name, self.sources, self.num_frames, self.mix)
            shown = share_shown(recipe)
            if best is None or shown > best[0]:
                best = shown, recipe
            if shown >= MIN_SHOWN:
                break
        assert best is not None
        return best[1]


def draw_recipe(
    rng: np.random.Generator, name: str, sources: Sources, num_frames: int, mix: Mix
) -> Recipe:
    """Draw a composite: scene, camera, objects, their sizes and paths, and who hides whom."""
    stills = [scene for scene in sources.scenes if len(scene.frames) == 1]
    clips = [scene for scene in sources.scenes if len(scene.frames) > 1]
    kind = stills if not clips or (stills and rng.random() < mix.stills) else clips
    scene = kind[int(rng.integers(len(kind)))]
    own = scene.own
    layers: list[Layer] = []
    if not (own and rng.random() < mix.untouched):
        pasted = max(1, int(rng.integers(*mix.objects, endpoint=True)) - len(own))
        free = [k for k in range(1, VOID) if k not in own][:pasted]
        layers = [_draw_layer(rng, k, scene, sources, mix) for k in free]
        if rng.random() < mix.occluded:
            layers.insert(int(rng.integers(len(layers) + 1)), _draw_bar(rng, scene, sources))
    return Recipe(
        name=name,
        scene=scene,
        num_frames=num_frames,
        size=sources.size,
        layers=tuple(layers),
        start=int(rng.integers(2 * len(scene.frames))),
        mirror=bool(rng.random() < 0.5),
        camera=_draw_camera(rng, len(scene.frames) == 1),
        zoom=_twice(rng, rng.uniform(1.0, 1.2), rng.uniform(0, 0.1), 0.1),
    )


def _draw_layer(
    rng: np.random.Generator, instance: int, scene: Scene, sources: Sources, mix: Mix
) -> Layer:
    others = [cut for cut in sources.cut_outs if cut.scene != scene.name]
    if rng.random() < mix.shapes:
        cut = _draw_shape(rng, _other_scene(rng, scene, sources))
    else:
        cut = others[int(rng.integers(len(others)))]
    target = np.exp(rng.uniform(*np.log(mix.extent))) * np.sqrt(np.prod(sources.size))
    alone = len(cut.pictures) == 1  # what has no movement of its own turns and bends
    own = [k for k in scene.own if rng.random() < 0.5]
    bend: tuple[Pair, ...] = ()
    if alone and mix.bent and rng.random() < mix.bent:
        bend = tuple(map(_pair, rng.uniform(-MOST_BENT, MOST_BENT, (9, 2))))
    return Layer(
        cut=cut,
        instance=instance,
        scale=float(min(LARGEST_BLOW_UP, target / cut.extent)),
        path=_draw_path(rng, bool(rng.random() < mix.leaving)),
        shape=_wave(rng, (0.0, 0.0), rng.uniform(0, 0.12, 2) * alone, rng.uniform(0, 0.03, 2)),
        turn=_twice(rng, 0.0, rng.uniform(0, 0.5 if alone else 0.1), 0.1),
        start=int(rng.integers(2 * len(cut.pictures))),
        mirror=bool(rng.random() < 0.5),
        gain=tuple(rng.uniform(0.8, 1.2, 3).tolist()),
        bias=float(rng.uniform(-20, 20)),
        blur=float(rng.uniform(0.4, 1.0)) if rng.random() < 0.3 else 0.0,
        bend=bend,
        bent=_twice(rng, 0.0, 1.0, 0.15) if bend else Wave(),
        behind=tuple(own),
    )


def _draw_path(rng: np.random.Generator, leaving: bool) -> Wave:
    """Somewhere in the frame, at up to 3 % of its side a frame; or across one of its sides."""
    anchor, amplitude = rng.uniform(0.2, 0.8, 2), rng.uniform(0.05, 0.25, 2)
    if leaving:
        axis = int(rng.integers(2))
        anchor[axis], amplitude[axis] = rng.choice([0.0, 1.0]), rng.uniform(0.3, 0.5)
    return _wave(rng, anchor, amplitude, rng.uniform(0.0, 0.03, 2))


def _draw_camera(rng: np.random.Generator, still: bool) -> Wave:
    anchor = rng.uniform(0.3, 0.7, 2)
    return _wave(rng, anchor, rng.uniform(0.05, 0.3, 2) * still, rng.uniform(0.0, 0.05, 2))


def _wave(rng: np.random.Generator, anchor: object, amplitude: object, speed: object) -> Wave:
    """A wave that moves by `speed` at most from one frame to the next, from any phase on."""
    phase = rng.uniform(0, 2 * np.pi, 2)
    frequency = np.divide(speed, np.maximum(amplitude, 0.02))  # type: ignore[call-overload]
    return Wave(_pair(anchor), _pair(amplitude), _pair(frequency), _pair(phase))


def _twice(rng: np.random.Generator, anchor: float, amplitude: float, frequency: float) -> Wave:
    """A wave of one number."""
    same = rng.uniform(0, frequency), rng.uniform(0, 2 * np.pi)
    return Wave((anchor, anchor), (amplitude, amplitude), (same[0], same[0]), (same[1], same[1]))


def _pair(values: object) -> Pair:
    x, y = np.asarray(values, np.float64).tolist()
    return x, y


# ---------------------------------------------------------------- shapes and bars


def _other_scene(rng: np.random.Generator, scene: Scene, sources: Sources) -> Scene:
    others = [other for other in sources.scenes if other.name != scene.name]
    return others[int(rng.integers(len(others)))]


def _texture(rng: np.random.Generator, scene: Scene, height: int, width: int) -> np.ndarray:
    """A part of a frame, at 0.5 to 2 times its size: uint8, height x width x 3."""
    frame = scene.frames[int(rng.integers(len(scene.frames)))]
    scale = rng.uniform(0.5, 2.0)
    rows, columns = (
        min(side, max(4, round(length / scale)))
        for side, length in zip(frame.shape, (height, width), strict=False)
    )
    top = int(rng.integers(frame.shape[0] - rows + 1))
    left = int(rng.integers(frame.shape[1] - columns + 1))
    part = frame[top : top + rows, left : left + columns]
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR))


def _draw_shape(rng: np.random.Generator, scene: Scene) -> CutOut:
    """A shape of the toy set, bent a little, with the texture of a scene."""
    angles = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    radius = unit_outline(int(rng.choice(list(CATEGORIES))), angles + rng.uniform(0, 2 * np.pi))
    for k in range(2, 5):
        radius = radius * (1 + rng.uniform(0, 0.3 / k) * np.cos(k * angles + rng.uniform(0, 6.3)))
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius[:, None]
    points = (0.5 + 0.48 * points / np.abs(points).max()) * SHAPE_SIDE
    opacity = np.zeros((SHAPE_SIDE, SHAPE_SIDE), np.uint8)
    cv2.fillPoly(opacity, [np.rint(16 * points).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    return _still_cut(_texture(rng, scene, SHAPE_SIDE, SHAPE_SIDE), opacity, scene.name)


def _draw_bar(rng: np.random.Generator, scene: Scene, sources: Sources) -> Layer:
    """A pole or a beam in front of what came before: it hides objects and is none."""
    height, width = sources.size
    thick = max(3, round(rng.uniform(0.03, 0.12) * width))
    upright = rng.random() < 0.7
    shape = (2 * height, thick) if upright else (thick, 2 * width)
    texture = _texture(rng, _other_scene(rng, scene, sources), *shape)
    cut = _still_cut(texture, np.full(shape, 255, np.uint8), "bar")
    return Layer(
        cut=cut,
        instance=BACKGROUND,
        scale=1.0,
        path=_wave(rng, rng.uniform(0.3, 0.7, 2), (0.3, 0.3), rng.uniform(0, 0.02, 2)),
        turn=_twice(rng, rng.uniform(-0.2, 0.2), 0.0, 0.0),
    )


def _still_cut(texture: np.ndarray, opacity: np.ndarray, name: str) -> CutOut:
    colour = np.rint(texture * (opacity[..., None] / 255)).astype(np.uint8)
    picture = np.concatenate([colour, opacity[..., None]], axis=2)
    extent = float(np.sqrt(np.prod(opacity.shape)))
    return CutOut(name, 0, (picture,), np.zeros((1, 2)), extent)


# ---------------------------------------------------------------- what is in sight


def share_shown(recipe: Recipe) -> float:
    """The smallest, over instances, of the mean share of an instance that is in sight.

    Looks at six frames at most. A pasted object that covers too little of the frame counts as
    hidden.
    """
    times = np.unique(np.linspace(0, recipe.num_frames - 1, 6).astype(int)).tolist()
    whole: dict[int, int] = dict.fromkeys(recipe.instances, 0)
    seen: dict[int, int] = dict.fromkeys(recipe.instances, 0)
    bare = replace(recipe, layers=())
    for t in times:
        ids, own = draw(recipe, t)[1], draw(bare, t)[1]
        for instance in recipe.instances:
            seen[instance] += int(np.count_nonzero(ids == instance))
            whole[instance] += int(np.count_nonzero(own == instance))
        for layer in recipe.layers:
            if layer.instance != BACKGROUND:
                whole[layer.instance] += _area(layer, t)
    least = MIN_AREA * np.prod(recipe.size) * len(times)
    pasted = {layer.instance for layer in recipe.layers}
    shares = [
        0.0 if instance in pasted and seen[instance] < least else seen[instance] / number
        for instance, number in whole.items()
        if number
    ]
    return min(shares, default=0.0)


def _area(layer: Layer, t: int) -> int:
    """Pixels of a layer, also where the frame ends."""
    room = (4096, 4096)
    placed = place(replace(layer, path=Wave((0.5, 0.5))), t, room)
    return 0 if placed is None else int(np.count_nonzero(placed[2] >= OPAQUE))
