"""The toy set: short synthetic videos with exact instance labels, drawn from a seed.

Two to five textured shapes move, turn, deform and hide one another over a drifting background;
some leave the frame and come back, and some look exactly like another one, so that neither
colour nor class is enough to tell instances apart. The shape alone decides the category.

Geometry is NumPy and closed form: an instance is an outline in polar coordinates, radius as a
function of angle, tabulated once per frame. The distance to it gives a soft edge one pixel wide
(the picture) and its sign the exact mask (the label). Lengths are in units of the shorter side
of the frame, times in frames: another `size` shows the same scene at another resolution, and
a longer video continues a shorter one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, overload

import numpy as np

from tagvis_lite.video import Video

CATEGORIES: dict[int, str] = {1: "disc", 2: "square", 3: "triangle", 4: "star"}
"""Name of each category id."""

MIN_VISIBLE = 30 / 64**2
"""Visible area of every instance in frame 0, at least, in units of the shorter side squared."""

Split = Literal["train", "validation", "test"]
FIRST_SEED: dict[Split, int] = {"train": 1_000_000, "validation": 2_000_000, "test": 3_000_000}
"""Video i of a split has seed FIRST_SEED[split] + i; splits of up to a million are disjoint."""
TEST_VIDEOS = 64
"""Videos of the test split that a network is scored on."""


@dataclass(frozen=True)
class Difficulty:
    """What makes a video hard to segment and to track."""

    speed: float
    """Largest speed of an instance along x and along y, trips aside, in sides per frame."""
    spin: float
    """Largest rotation, in radians per frame."""
    deformation: float
    """Largest change of the radius by each of two harmonics, as a share of it."""
    overlap: float
    """How far two instances may overlap in frame 0, as a share of touching distance."""
    twin: float
    """Probability that an instance copies shape, colours and texture of an earlier one."""
    leave: float
    """Probability that an instance leaves the frame and returns, again and again."""
    camouflage: float
    """How far colours of instances are moved towards the colour of the background."""
    clutter: float
    """Contrast of the background, where 1 is black to white."""


DIFFICULTIES: dict[str, Difficulty] = {
    #                    speed  spin  deform. overlap twin leave camoufl. clutter
    "easy": Difficulty(0.015, 0.05, 0.05, 0.00, 0.15, 0.00, 0.00, 0.15),
    "medium": Difficulty(0.030, 0.10, 0.10, 0.15, 0.30, 0.10, 0.15, 0.30),
    "hard": Difficulty(0.050, 0.20, 0.16, 0.30, 0.50, 0.25, 0.35, 0.45),
}


@dataclass(frozen=True)
class ToyConfig:
    """What kind of videos to render.

    Attributes:
        size: H x W in pixels, each at least 16.
        num_frames: T. The speed per frame does not depend on it.
        min_instances: fewest instances in a video.
        max_instances: most instances in a video.
        difficulty: a row of `DIFFICULTIES`.

    Raises:
        ValueError: a value out of its range.
    """

    size: tuple[int, int] = (64, 64)
    num_frames: int = 8
    min_instances: int = 2
    max_instances: int = 5
    difficulty: Literal["easy", "medium", "hard"] = "medium"

    def __post_init__(self) -> None:
        if len(self.size) != 2 or min(self.size) < 16:
            raise ValueError(f"toy size is {self.size}, expected H x W of at least 16 x 16")
        if self.num_frames < 1:
            raise ValueError(f"toy num_frames is {self.num_frames}, expected at least 1")
        if not 1 <= self.min_instances <= self.max_instances <= 254:
            raise ValueError(
                f"toy videos of {self.min_instances} to {self.max_instances} instances asked for, "
                "expected 1 <= min_instances <= max_instances <= 254"
            )
        if self.difficulty not in DIFFICULTIES:
            raise ValueError(
                f"toy difficulty is {self.difficulty!r}, expected one of {', '.join(DIFFICULTIES)}"
            )


@dataclass(frozen=True)
class Look:
    """What twins share. `colours` is 2 x 3: two RGB colours in [0, 1] that the texture mixes."""

    category: int
    radius: float
    colours: np.ndarray
    texture: Literal["stripes", "checks", "dots", "waves"]
    wavelength: float


@dataclass(frozen=True)
class Path:
    """A bounded path: one sinusoid for x and one for y, and at times a trip out of the frame.

    Arrays are (x, y). `trip` is the displacement at the farthest point of a trip.
    """

    anchor: np.ndarray
    amplitude: np.ndarray
    frequency: np.ndarray
    phase: np.ndarray
    trip: np.ndarray

    TRIP_FRAMES = 8
    TRIP_PERIOD = 24

    def position(self, t: np.ndarray) -> np.ndarray:
        """Centre at times t: T x 2. A trip begins at frame 0, 24, 48, ... and lasts 8 frames."""
        oscillation = self.amplitude * np.sin(self.frequency * t[:, None] + self.phase)
        progress = np.minimum(t % self.TRIP_PERIOD / self.TRIP_FRAMES, 1)[:, None]
        return self.anchor + oscillation + self.trip * np.sin(np.pi * progress) ** 2


@dataclass(frozen=True)
class Instance:
    """One moving thing. Harmonic k = 2, 3 of its outline has `direction[k - 2]` and so on."""

    look: Look
    path: Path
    angle: float
    spin: float
    stretch: float
    direction: np.ndarray
    strength: np.ndarray
    frequency: np.ndarray
    phase: np.ndarray

    NUM_ANGLES = 1024

    def outline(self, t: np.ndarray) -> np.ndarray:
        """Radius at times t and at NUM_ANGLES angles from -pi: T x NUM_ANGLES."""
        angles = np.linspace(-np.pi, np.pi, self.NUM_ANGLES, endpoint=False)
        rest = unit_outline(self.look.category, angles - self.angle - self.spin * t[:, None])
        pulse = self.strength * np.sin(self.frequency * t[:, None] + self.phase)  # T x 2
        change = (self.stretch + pulse[:, :1]) * np.cos(2 * (angles - self.direction[0]))
        change += pulse[:, 1:] * np.cos(3 * (angles - self.direction[1]))
        return self.look.radius * rest * (1 + change)


@dataclass(frozen=True)
class Scene:
    """Instances from back to front, each with its id, and the waves of the background.

    The background is `colour` (3) plus M waves: `vectors` (M x 2, radians per side), `phase` (M),
    `frequency` (M, radians per frame) and `tint` (M x 3).
    """

    instances: dict[int, Instance]
    colour: np.ndarray
    vectors: np.ndarray
    phase: np.ndarray
    frequency: np.ndarray
    tint: np.ndarray


def render_video(seed: int, config: ToyConfig | None = None, name: str | None = None) -> Video:
    """Render the video of a seed.

    Args:
        seed: any non-negative integer; the same seed and config give the same bytes. (NumPy's
            sine may differ in its last bit on another CPU and move a grey value by one.)
        config: kind of video, `ToyConfig()` when not given.
        name: of the video, 'toy-<seed>' when not given.

    Returns:
        A video of `num_frames` frames whose ids are 1..N, each visible in frame 0.

    Raises:
        ValueError: a negative seed, or more instances than frame 0 can show.
    """
    if seed < 0:
        raise ValueError(f"toy seed is {seed}, expected a non-negative integer")
    config = config or ToyConfig()
    rng = np.random.default_rng(seed)
    scene = draw_scene(rng, config)
    frames = np.empty((config.num_frames, *config.size, 3), np.uint8)
    ids = np.empty((config.num_frames, *config.size), np.uint8)
    for start in range(0, config.num_frames, 16):  # bounds the memory of long videos
        part = slice(start, min(start + 16, config.num_frames))
        painted, ids[part] = render(scene, np.arange(part.start, part.stop), config.size)
        noise = rng.standard_normal(ids[part].shape, dtype=np.float32)[..., None]
        frames[part] = np.clip(255 * painted + 3 * noise + 0.5, 0, 255)
    return Video(
        name=f"toy-{seed}" if name is None else name,
        frames=frames,
        ids=ids,
        categories={i: scene.instances[i].look.category for i in sorted(scene.instances)},
    )


def with_frames_to_drop(config: ToyConfig) -> ToyConfig:
    """The same for training: videos half as long again as a clip, so that frames can be dropped."""
    return replace(config, num_frames=config.num_frames + config.num_frames // 2)


class ToySplit(Sequence[Video]):
    """The videos of one split, rendered when asked for."""

    def __init__(self, split: Split, num_videos: int, config: ToyConfig | None = None) -> None:
        if split not in FIRST_SEED:
            raise ValueError(f"toy split is {split!r}, expected one of {', '.join(FIRST_SEED)}")
        if not 1 <= num_videos <= 1_000_000:
            raise ValueError(f"toy split of {num_videos} videos, expected 1 to 1000000")
        self.split = split
        self.num_videos = num_videos
        self.config = config or ToyConfig()

    def __len__(self) -> int:
        return self.num_videos

    @overload
    def __getitem__(self, index: int) -> Video: ...
    @overload
    def __getitem__(self, index: slice) -> list[Video]: ...
    def __getitem__(self, index: int | slice) -> Video | list[Video]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        i = range(len(self))[index]
        return render_video(
            FIRST_SEED[self.split] + i, self.config, name=f"toy-{self.split}-{i:05d}"
        )


def toy_split(split: Split, num_videos: int, config: ToyConfig | None = None) -> ToySplit:
    """The first `num_videos` videos of a split; the test set is 64 of them by convention."""
    return ToySplit(split, num_videos, config)


def draw_scene(rng: np.random.Generator, config: ToyConfig) -> Scene:
    """Draw scenes until one shows at least `MIN_VISIBLE` of every instance in frame 0.

    Raises:
        ValueError: none of 20 scenes does.
    """
    level = DIFFICULTIES[config.difficulty]
    height, width = config.size
    min_area = MIN_VISIBLE * min(config.size) ** 2
    for _ in range(20):
        scene = _draw_background(rng, level)
        looks: list[Look] = []
        paths: list[Path] = []
        for _ in range(rng.integers(config.min_instances, config.max_instances, endpoint=True)):
            looks.append(_draw_look(rng, level, looks, scene.colour))
            paths.append(_draw_path(rng, level, looks, paths, np.array([width, height])))
        things = [_draw_instance(rng, level, *pair) for pair in zip(looks, paths, strict=True)]
        order = rng.permutation(len(things))
        scene = replace(scene, instances={int(k) + 1: things[k] for k in order})
        _, ids = render(scene, np.zeros(1), config.size)
        areas = np.bincount(ids.ravel(), minlength=len(things) + 1)
        if areas[1:].min() >= min_area:
            return scene
    raise ValueError(
        f"no room for {config.min_instances} to {config.max_instances} toy instances in one "
        "frame; ask for fewer"
    )


def _draw_background(rng: np.random.Generator, level: Difficulty) -> Scene:
    num_waves = 4
    colour = hsv_to_rgb(rng.random(), rng.uniform(0.0, 0.4), rng.uniform(0.3, 0.7))
    direction = rng.uniform(0, 2 * np.pi, num_waves)
    number = 2 * np.pi / rng.uniform(0.3, 1.5, num_waves)
    vectors = number[:, None] * np.stack([np.cos(direction), np.sin(direction)], axis=1)
    pan = rng.uniform(-0.4, 0.4, 2) * level.speed
    tint = rng.uniform(0.3, 1.0, (num_waves, 3)) * rng.choice([-1, 1], (num_waves, 3))
    return Scene(
        instances={},
        colour=colour,
        vectors=vectors,
        phase=rng.uniform(0, 2 * np.pi, num_waves),
        frequency=-vectors @ pan + rng.uniform(-0.1, 0.1, num_waves),
        tint=tint * level.clutter / num_waves,
    )


def _draw_look(
    rng: np.random.Generator, level: Difficulty, earlier: Sequence[Look], background: np.ndarray
) -> Look:
    if earlier and rng.random() < level.twin:
        model = earlier[int(rng.integers(len(earlier)))]
        return replace(model, radius=model.radius * rng.uniform(0.95, 1.05))
    hue, saturation, value = rng.random(), rng.uniform(0.6, 1.0), rng.uniform(0.6, 1.0)
    light = hsv_to_rgb(hue, saturation, value)
    dark = hsv_to_rgb(hue + rng.uniform(-0.1, 0.1), saturation, 0.35 * value)
    colours = np.stack([light, dark])
    return Look(
        category=int(rng.integers(1, len(CATEGORIES), endpoint=True)),
        radius=rng.uniform(0.11, 0.18),
        colours=colours + level.camouflage * (background - colours),
        texture=("stripes", "checks", "dots", "waves")[rng.integers(4)],
        wavelength=rng.uniform(0.07, 0.14),
    )


def _draw_path(
    rng: np.random.Generator,
    level: Difficulty,
    looks: Sequence[Look],
    placed: Sequence[Path],
    extent: np.ndarray,
) -> Path:
    """Draw 32 paths for the last of `looks`; the first that begins well, or else the best.

    `extent` is the frame's (W, H) in pixels.
    """
    num_drawn = 32
    extent = extent / extent.min()
    radius = looks[-1].radius
    amplitude = rng.uniform(0.12, 0.3, 2)
    frequency = rng.uniform(0.5, 1.0, 2) * level.speed / amplitude
    anchors = rng.uniform(0.2, 0.8, (num_drawn, 2)) * extent
    phases = rng.uniform(0, 2 * np.pi, (num_drawn, 2))
    starts = anchors + amplitude * np.sin(phases)
    room = np.minimum(starts, extent - starts).min(axis=1) - 0.7 * radius
    for other, path in zip(looks, placed, strict=False):
        gap = np.hypot(*(starts - path.position(np.zeros(1))).T)
        room = np.minimum(room, gap - (1 - level.overlap) * (radius + other.radius))
    best = np.argmax(np.minimum(room, 0))
    path = Path(anchors[best], amplitude, frequency, phases[best], trip=np.zeros(2))
    if rng.random() >= level.leave:
        return path
    turn = path.position(np.array([Path.TRIP_FRAMES / 2]))[0]
    to_border = np.concatenate([-turn, extent - turn])  # left, top, right, bottom
    nearest = int(np.argmin(np.abs(to_border)))
    trip = np.zeros(2)
    trip[nearest % 2] = to_border[nearest] + (1 if nearest >= 2 else -1) * 1.6 * radius
    return replace(path, trip=trip)


def _draw_instance(rng: np.random.Generator, level: Difficulty, look: Look, path: Path) -> Instance:
    return Instance(
        look=look,
        path=path,
        angle=rng.uniform(0, 2 * np.pi),
        spin=rng.uniform(-level.spin, level.spin),
        stretch=rng.uniform(0, 0.1),
        direction=rng.uniform(0, 2 * np.pi, 2),
        strength=level.deformation * rng.uniform(0.4, 1.0, 2),
        frequency=rng.uniform(0.3, 0.8, 2),
        phase=rng.uniform(0, 2 * np.pi, 2),
    )


def hsv_to_rgb(hue: float, saturation: float, value: float) -> np.ndarray:
    """RGB in [0, 1] of a colour; hue is in turns, of any sign."""
    sector = (np.array([5, 3, 1]) + 6 * hue) % 6
    return value * (1 - saturation * np.clip(np.minimum(sector, 4 - sector), 0, 1))


def unit_outline(category: int, angles: np.ndarray) -> np.ndarray:
    """Radius of a shape of area pi as a function of the angle; any shape of `angles`."""

    def polygon(sides: int, sharpness: int) -> np.ndarray:
        """A p-norm over the sides' half-planes: p = `sharpness` rounds the corners."""
        normals = [2 * np.pi * k / sides for k in range(sides)]
        inside = [np.maximum(np.cos(angles - normal), 0) ** sharpness for normal in normals]
        return np.sum(inside, axis=0) ** (-1 / sharpness)

    match CATEGORIES[category]:
        case "disc":
            radius = np.ones_like(angles)
        case "square":
            radius = polygon(4, sharpness=10)
        case "triangle":
            radius = polygon(3, sharpness=10)
        case _:
            turn = 5 * angles / (2 * np.pi)
            radius = 0.4 + 0.6 * np.abs(2 * (turn % 1) - 1) ** 1.2
    return radius / np.sqrt(np.mean(radius**2, axis=-1, keepdims=True))


def render(scene: Scene, t: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Paint a scene at times t, from back to front.

    Returns:
        frames: float32, T x H x W x 3, nominally in [0, 1], before noise.
        ids: uint8, T x H x W: the front-most instance whose outline holds the pixel's centre.
    """
    planes = _paint_background(scene, t, size)  # 3 x T x H x W
    ids = np.zeros(planes.shape[1:], np.uint8)
    for i, instance in scene.instances.items():
        window, x, y, distance = _locate(instance, t, size)
        ids[:, *window][distance < 0] = i
        alpha = np.clip(0.5 - distance, 0, 1)
        rim = 1 + distance / (0.02 * min(size))
        dark_share = np.maximum(_texture(instance, t, x, y), np.clip(rim, 0, 1))
        light, dark = instance.look.colours.astype(np.float32)
        for plane, bright, difference in zip(planes, light, dark - light, strict=True):
            below = plane[:, *window]
            below += alpha * (bright + difference * dark_share - below)
    return np.moveaxis(planes, 0, -1), ids


def _grid(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Pixel centres in sides: x (W) and y (H)."""
    height, width = size
    return (np.arange(width) + 0.5) / min(size), (np.arange(height) + 0.5) / min(size)


def _paint_background(scene: Scene, t: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    x, y = (axis.astype(np.float32) for axis in _grid(size))
    planes = np.empty((3, len(t), *size), np.float32)
    planes[:] = scene.colour[:, None, None, None]
    for k, (kx, ky) in enumerate(scene.vectors.astype(np.float32)):
        drift = (scene.phase[k] + scene.frequency[k] * t).astype(np.float32)
        wave = np.sin(kx * x + ky * y[:, None] + drift[:, None, None])
        for plane, amount in zip(planes, scene.tint[k].astype(np.float32), strict=True):
            plane += amount * wave
    return planes


def _locate(
    instance: Instance, t: np.ndarray, size: tuple[int, int]
) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray, np.ndarray]:
    """Where an instance is at times t.

    Returns:
        window: rows and columns outside which the instance never is.
        x, y: offset from its centre in sides, T x 1 x w and T x h x 1, for the window.
        distance: T x h x w, signed distance to its outline in pixels, negative inside. It is
            exact to first order, so near the outline, the only place where it is used.
    """
    centre = instance.path.position(t)
    radius = instance.outline(t)
    reach = radius.max() + 2 / min(size)
    window: list[slice] = []
    offsets: list[np.ndarray] = []
    for axis, track in zip(_grid(size), centre.T, strict=True):
        first, last = np.searchsorted(axis, [track.min() - reach, track.max() + reach])
        window.append(slice(int(first), int(last)))
        offsets.append((axis[first:last] - track[:, None]).astype(np.float32))
    x, y = offsets[0][:, None, :], offsets[1][:, :, None]

    slope = (np.roll(radius, -1, axis=1) - np.roll(radius, 1, axis=1)) * (
        Instance.NUM_ANGLES / (4 * np.pi)
    )
    steepness = np.sqrt(1 + (slope / radius) ** 2) / min(size)
    angle = np.arctan2(y, x) * np.float32(Instance.NUM_ANGLES / (2 * np.pi))
    bins = np.rint(angle).astype(np.intp) + Instance.NUM_ANGLES // 2
    bins %= Instance.NUM_ANGLES
    bins += np.arange(len(t))[:, None, None] * Instance.NUM_ANGLES
    distance = np.sqrt(x * x + y * y) - np.take(radius.astype(np.float32), bins)
    distance /= np.take(steepness.astype(np.float32), bins)
    return (window[1], window[0]), x, y, distance


def _texture(instance: Instance, t: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Share of the dark colour at each pixel, in [0, 1]; it moves and turns with the instance."""
    turned = (instance.angle + instance.spin * t)[:, None, None]
    scale = 2 * np.pi / instance.look.wavelength
    cos, sin = (scale * f(turned).astype(np.float32) for f in (np.cos, np.sin))
    u, v = cos * x + sin * y, cos * y - sin * x
    match instance.look.texture:
        case "stripes":
            pattern = np.sin(u)
        case "checks":
            pattern = np.sin(u) * np.sin(v)
        case "dots":
            pattern = np.cos(u) + np.cos(v) - 1
        case "waves":
            pattern = np.sin(u + 2 * np.sin(v / 2))
    return np.clip(0.5 + pattern, 0, 1)
