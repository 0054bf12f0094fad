"""Composites: real objects, cut out of one sequence with their masks and pasted over another.

DAVIS 2016 and most training sequences have one object each. A composite has several, of real
pixels, with exact ids: each pasted object follows a path of its own over a scene that keeps its own
objects, and who hides whom is known. A composite is no real video: light, shadows and depth do not
fit, and results on composites say nothing about a benchmark.

    Recipe       a composite as a few numbers, and the sources that it uses (draw.py draws it)
    composite    recipe -> Video; frames and label maps are computed when they are asked for
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
from scipy.interpolate import RBFInterpolator

from tagvis_lite.data.davis import OBJECT
from tagvis_lite.study.composites.sources import CutOut, Scene
from tagvis_lite.video import BACKGROUND, Video

Pair = tuple[float, float]
OPAQUE = 128
"""Opacity, of 255, from which on a pixel has the id of the object."""


@dataclass(frozen=True)
class Wave:
    """anchor + amplitude sin(frequency t + phase), for x and y or for one number twice."""

    anchor: Pair = (0.0, 0.0)
    amplitude: Pair = (0.0, 0.0)
    frequency: Pair = (0.0, 0.0)
    phase: Pair = (0.0, 0.0)

    def __call__(self, t: int) -> np.ndarray:
        """Float64, 2."""
        turn = np.multiply(self.frequency, t) + self.phase
        return np.asarray(self.anchor) + np.multiply(self.amplitude, np.sin(turn))


@dataclass(frozen=True)
class Layer:
    """A cut-out on its way over the scene.

    Attributes:
        cut: what is pasted. Its frames are shown back and forth.
        instance: its id; 0 for something that hides objects and is none.
        scale: pixels of the composite per pixel of the cut-out.
        path: x and y of its centre, in shares of width and height.
        shape: logarithms of how much wider and higher it is than `scale` says.
        turn: its angle in radians, twice.
        start: frames of `cut` that are skipped at the beginning.
        mirror: left and right are swapped.
        gain, bias: of its colours, in grey levels.
        blur: standard deviation, in pixels.
        bend: from how far the largest bend takes what is seen at 3 x 3 points, from corner to
            corner row by row, as x and y in shares of its sides; between them it is a thin plate.
        bent: share of that bend, twice, -1 to 1.
        behind: the scene's own objects that hide it.
    """

    cut: CutOut
    instance: int
    scale: float
    path: Wave
    shape: Wave = Wave()
    turn: Wave = Wave()
    start: int = 0
    mirror: bool = False
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    bias: float = 0.0
    blur: float = 0.0
    bend: tuple[Pair, ...] = ()
    bent: Wave = Wave()
    behind: tuple[int, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """A composite: everything but its pixels.

    Attributes:
        name: of the video.
        scene: what lies below. Its frames are shown back and forth.
        num_frames: T.
        size: H x W, at most those of the scene.
        layers: what is pasted, from back to front.
        start: frames of the scene that are skipped at the beginning.
        mirror: left and right of the scene are swapped.
        camera: x and y of the view in the scene, 0 to 1.
        zoom: the view is so much smaller than `size`, at least 1, twice.
    """

    name: str
    scene: Scene
    num_frames: int
    size: tuple[int, int]
    layers: tuple[Layer, ...] = ()
    start: int = 0
    mirror: bool = False
    camera: Wave = Wave((0.5, 0.5))
    zoom: Wave = Wave((1.0, 1.0))

    @property
    def instances(self) -> tuple[int, ...]:
        """All ids that there may be: those of the scene, and those pasted."""
        pasted = {layer.instance for layer in self.layers} - {BACKGROUND}
        return tuple(sorted({*self.scene.own, *pasted}))


def composite(recipe: Recipe) -> Video:
    """The video of a recipe. Every frame and label map is computed when it is asked for.

    A pixel has the id of the front-most object that covers half of it or more. Ids have hard edges,
    pictures soft ones. Void (255) of the scene stays void where nothing covers it.

    Returns:
        A video whose instances are all of category 1, `tagvis_lite.data.davis.OBJECT`.
    """
    canvas = _Canvas(recipe)
    return Video(
        name=recipe.name,
        frames=_Drawn(recipe.num_frames, canvas.frame),
        ids=_Drawn(recipe.num_frames, canvas.label_map),
        categories=dict.fromkeys(recipe.instances, OBJECT),
    )


@dataclass(frozen=True)
class _Drawn:
    """T frames or label maps, each drawn when it is asked for."""

    length: int
    draw: Callable[[int], np.ndarray]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, t: int, /) -> np.ndarray:
        return self.draw(range(self.length)[t])


@dataclass
class _Canvas:
    """Draws a recipe; the label map that comes with a frame is kept until it is asked for."""

    recipe: Recipe
    label_maps: dict[int, np.ndarray] = field(default_factory=dict)

    def __reduce__(self) -> tuple[type[_Canvas], tuple[Recipe]]:
        return _Canvas, (self.recipe,)  # the same before and after something was drawn

    def frame(self, t: int) -> np.ndarray:
        frame, self.label_maps[t] = draw(self.recipe, t)
        return frame

    def label_map(self, t: int) -> np.ndarray:
        kept = self.label_maps.pop(t, None)
        return draw(self.recipe, t)[1] if kept is None else kept


def draw(recipe: Recipe, t: int) -> tuple[np.ndarray, np.ndarray]:
    """Frame, uint8 H x W x 3, and label map, uint8 H x W, at time t."""
    frame, own = _view(recipe, t)
    ids = own.copy()
    for layer in recipe.layers:
        placed = place(layer, t, recipe.size)
        if placed is None:
            continue
        box, colour, opacity = placed
        if layer.behind:
            hiding = cv2.LUT(own[box], _opaque(layer.behind))
            seen = 255 - np.maximum(cv2.blur(hiding, (3, 3)), hiding)
            colour, opacity = _times(colour, seen), cv2.multiply(opacity, seen, scale=1 / 255)
        frame[box] = cv2.add(_times(frame[box], 255 - opacity), colour)
        ids[box][opacity >= OPAQUE] = layer.instance
    return frame, ids


def _opaque(instances: tuple[int, ...]) -> np.ndarray:
    """A table that is 255 at some ids, and else 0."""
    table = np.zeros(256, np.uint8)
    table[list(instances)] = 255
    return table


def _times(colour: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Colours times shares of 255, all uint8."""
    return np.asarray(cv2.multiply(colour, cv2.merge([share] * 3), scale=1 / 255))


def _view(recipe: Recipe, t: int) -> tuple[np.ndarray, np.ndarray]:
    """What the camera sees of the scene: frame and own label map, to be written to."""
    scene, (height, width) = recipe.scene, recipe.size
    k = back_and_forth(recipe.start + t, len(scene.frames))
    frame, ids = scene.frames[k], scene.ids[k]
    room = np.subtract(ids.shape[::-1], (width, height))
    zoom = float(recipe.zoom(t)[0])
    x, y = recipe.camera(t) * room
    if len(scene.frames) > 1:
        left, top = round(float(x)), round(float(y))
        box = (slice(top, top + height), slice(left, left + width))
        frame, ids = frame[box].copy(), ids[box].copy()
    else:  # a still: the camera moves by shares of a pixel and zooms about the middle of its view
        shift = (x + width / 2 * (1 - 1 / zoom), y + height / 2 * (1 - 1 / zoom))
        inverse = np.array([[1 / zoom, 0, shift[0]], [0, 1 / zoom, shift[1]]])
        frame = _warp(frame, inverse, (width, height), cv2.INTER_LINEAR)
        ids = _warp(ids, inverse, (width, height), cv2.INTER_NEAREST)
    if recipe.mirror:
        frame, ids = cv2.flip(frame, 1), cv2.flip(ids, 1)
    return frame, ids


def _warp(image: np.ndarray, inverse: np.ndarray, size: tuple[int, int], how: int) -> np.ndarray:
    return cv2.warpAffine(
        image, inverse, size, flags=how | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )


def place(
    layer: Layer, t: int, size: tuple[int, int]
) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray] | None:
    """A layer at time t: where it lies, and what it looks like there.

    Returns:
        Rows and columns of the composite; colour times opacity, uint8 h x w x 3; and opacity, uint8
        h x w. None if it is out of sight.
    """
    k = back_and_forth(layer.start + t, len(layer.cut.pictures))
    picture, offset = layer.cut.pictures[k], layer.cut.offsets[k]
    if layer.bend:
        picture = _bend(picture, layer.bend, float(layer.bent(t)[0]))
    factors = layer.scale * np.exp(layer.shape(t))
    if factors.max() < 1:  # otherwise small details would flicker
        shape = np.maximum(1, np.rint(factors * picture.shape[1::-1])).astype(int)
        resized = cv2.resize(picture, shape.tolist(), interpolation=cv2.INTER_AREA)
        rest = factors * picture.shape[1::-1] / shape
    else:
        resized, rest = picture, factors
    angle = float(layer.turn(t)[0])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    flip = np.array([-1.0 if layer.mirror else 1.0, 1.0])
    linear = turn * (flip * rest)  # picture -> composite
    centre = layer.path(t) * size[::-1] + turn @ (flip * factors * offset)
    middle = np.array(resized.shape[1::-1]) / 2 - 0.5
    reach = np.abs(linear) @ (np.array(resized.shape[1::-1]) / 2) + 1 + 3 * layer.blur
    first = np.maximum(0, np.floor(centre - reach)).astype(int)
    last = np.minimum(size[::-1], np.ceil(centre + reach)).astype(int)
    if (last <= first).any():
        return None
    matrix = np.column_stack([linear, centre - 0.5 - first - linear @ middle])
    warped = cv2.warpAffine(resized, matrix, (last - first).tolist(), flags=cv2.INTER_LINEAR)
    if layer.blur:
        warped = cv2.GaussianBlur(warped, (0, 0), layer.blur)
    opacity = np.ascontiguousarray(warped[..., 3])
    change = np.column_stack([np.diag(layer.gain), np.full(3, layer.bias / 255)])
    colour = np.minimum(cv2.transform(warped, change), opacity[..., None])
    return (slice(first[1], last[1]), slice(first[0], last[0])), colour, opacity


def _bend(picture: np.ndarray, bend: tuple[Pair, ...], share: float) -> np.ndarray:
    """A picture on a thin plate; what the bend would move out of it stays inside by a margin."""
    height, width = picture.shape[:2]
    margin = int(np.ceil(np.abs(bend).max() * max(height, width)))
    padded = np.pad(picture, ((margin, margin), (margin, margin), (0, 0)))
    field = _thin_plate(padded.shape[:2], margin, bend)
    y, x = np.indices(padded.shape[:2], dtype=np.float32)
    ways = (x - share * field[..., 0], y - share * field[..., 1])
    return np.asarray(cv2.remap(padded, ways[0], ways[1], cv2.INTER_LINEAR))


@lru_cache(maxsize=64)
def _thin_plate(shape: tuple[int, int], margin: int, bend: tuple[Pair, ...]) -> np.ndarray:
    """Float32, H x W x 2: how far the full bend moves each pixel of a padded picture, in pixels."""
    sides = np.array([shape[1] - 2 * margin, shape[0] - 2 * margin])
    points = np.array([(x, y) for y in (0, 0.5, 1) for x in (0, 0.5, 1)]) * sides + margin
    plate = RBFInterpolator(points, np.array(bend) * sides, kernel="thin_plate_spline")
    coarse = tuple(max(2, side // 8) for side in shape)
    y, x = (np.linspace(0, side - 1, n) for side, n in zip(shape, coarse, strict=True))
    at = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    field = plate(at).reshape(*coarse, 2).astype(np.float32)
    return np.asarray(cv2.resize(field, shape[::-1], interpolation=cv2.INTER_LINEAR))


def back_and_forth(t: int, number: int) -> int:
    """Frame at time t of `number` frames that are shown 0, 1, ..., n - 1, n - 2, ..., 0, 1, ..."""
    if number == 1:
        return 0
    k = t % (2 * (number - 1))
    return min(k, 2 * (number - 1) - k)
