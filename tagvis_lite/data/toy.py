"""The toy set: short synthetic videos with exact instance labels, drawn from a seed.

Two to five textured shapes move, turn, deform and hide one another over a drifting background;
some leave the frame and come back, and some look exactly like another one, so that neither
colour nor class is enough to tell instances apart. The shape alone decides the category.

What a scene consists of is in `toy_scene`, how it is painted in `toy_render`, and videos that each
ask for one thing, such as two objects that change places, in `toy_strata`. Lengths are in units of
the shorter side of the frame, times in frames: another `size` shows the same scene at another
resolution, and a longer video continues a shorter one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, overload

import numpy as np

from tagvis_lite.data.toy_render import labels, render
from tagvis_lite.data.toy_scene import CATEGORIES, Instance, Look, Path, Scene
from tagvis_lite.video import Video

__all__ = [
    "CATEGORIES",
    "DIFFICULTIES",
    "FIRST_SEED",
    "MIN_VISIBLE",
    "TEST_VIDEOS",
    "Difficulty",
    "LazyVideos",
    "Split",
    "ToyConfig",
    "ToySplit",
    "draw_instance",
    "draw_look",
    "draw_scene",
    "film",
    "render_video",
    "toy_split",
    "with_frames_to_drop",
]

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
        radius: least and largest radius of an instance, in sides; that of a twin differs by 5 %.

    Raises:
        ValueError: a value out of its range.
    """

    size: tuple[int, int] = (64, 64)
    num_frames: int = 8
    min_instances: int = 2
    max_instances: int = 5
    difficulty: Literal["easy", "medium", "hard"] = "medium"
    radius: tuple[float, float] = (0.11, 0.18)

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
        if not 0.05 <= self.radius[0] <= self.radius[1] <= 0.5:
            raise ValueError(
                f"toy radius is {self.radius}, expected 0.05 <= least <= largest <= 0.5"
            )


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
    return film(rng, scene, config, f"toy-{seed}" if name is None else name)


def film(rng: np.random.Generator, scene: Scene, config: ToyConfig, name: str) -> Video:
    """Paint a scene frame by frame and add noise, one normal number a pixel."""
    frames = np.empty((config.num_frames, *config.size, 3), np.uint8)
    ids = np.empty((config.num_frames, *config.size), np.uint8)
    for start in range(0, config.num_frames, 4):  # few at a time: what moves is looked for nearby
        part = slice(start, min(start + 4, config.num_frames))
        painted, ids[part] = render(scene, np.arange(part.start, part.stop), config.size)
        noise = 3 * rng.standard_normal(ids[part].shape, dtype=np.float32)
        for channel in range(3):
            frames[part, ..., channel] = np.clip(255 * painted[..., channel] + noise + 0.5, 0, 255)
    return Video(
        name=name,
        frames=frames,
        ids=ids,
        categories={i: scene.instances[i].look.category for i in sorted(scene.instances)},
    )


def with_frames_to_drop(config: ToyConfig) -> ToyConfig:
    """The same for training: videos half as long again as a clip, so that frames can be dropped."""
    return replace(config, num_frames=config.num_frames + config.num_frames // 2)


class LazyVideos(Sequence[Video]):
    """Videos that are rendered when asked for; a subclass says how many and how."""

    def video(self, index: int) -> Video:
        """Render one video; `index` is 0 or more."""
        raise NotImplementedError

    @overload
    def __getitem__(self, index: int) -> Video: ...
    @overload
    def __getitem__(self, index: slice) -> list[Video]: ...
    def __getitem__(self, index: int | slice) -> Video | list[Video]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self.video(range(len(self))[index])


class ToySplit(LazyVideos):
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

    def video(self, index: int) -> Video:
        """Render one video."""
        return render_video(
            FIRST_SEED[self.split] + index, self.config, name=f"toy-{self.split}-{index:05d}"
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
            looks.append(draw_look(rng, config, looks, scene.colour))
            paths.append(_draw_path(rng, level, looks, paths, np.array([width, height])))
        things = [draw_instance(rng, level, *pair) for pair in zip(looks, paths, strict=True)]
        order = rng.permutation(len(things))
        scene = replace(scene, instances={int(k) + 1: things[k] for k in order})
        areas = np.bincount(
            labels(scene, np.zeros(1), config.size).ravel(), minlength=len(things) + 1
        )
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


def draw_look(
    rng: np.random.Generator, config: ToyConfig, earlier: Sequence[Look], background: np.ndarray
) -> Look:
    """Draw shape, size, colours and texture, or make a twin of one of `earlier`."""
    level = DIFFICULTIES[config.difficulty]
    if earlier and rng.random() < level.twin:
        model = earlier[int(rng.integers(len(earlier)))]
        return replace(model, radius=model.radius * rng.uniform(0.95, 1.05))
    hue, saturation, value = rng.random(), rng.uniform(0.6, 1.0), rng.uniform(0.6, 1.0)
    light = hsv_to_rgb(hue, saturation, value)
    dark = hsv_to_rgb(hue + rng.uniform(-0.1, 0.1), saturation, 0.35 * value)
    colours = np.stack([light, dark])
    return Look(
        category=int(rng.integers(1, len(CATEGORIES), endpoint=True)),
        radius=rng.uniform(*config.radius),
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


def draw_instance(rng: np.random.Generator, level: Difficulty, look: Look, path: Path) -> Instance:
    """Draw how an instance turns and changes its shape."""
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
