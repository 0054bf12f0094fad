"""What a toy scene consists of and how it moves: closed forms, without a pixel.

An instance is an outline in polar coordinates, radius as a function of angle, on a track. Lengths
are in units of the shorter side of the frame, times in frames, places are (x, y) from its left
upper corner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

CATEGORIES: dict[int, str] = {1: "disc", 2: "square", 3: "triangle", 4: "star"}
"""Name of each category id."""


class Track(Protocol):
    """Where something is."""

    def position(self, t: np.ndarray) -> np.ndarray:
        """Places at times t: float64, T x 2."""


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
class Route:
    """A track through given places, T x 2: one for each frame, straight between two."""

    places: np.ndarray

    def position(self, t: np.ndarray) -> np.ndarray:
        """Places at times t: T x 2; before the first frame and after the last, those."""
        frames = np.arange(len(self.places))
        return np.stack([np.interp(t, frames, axis) for axis in self.places.T], axis=1)


@dataclass(frozen=True)
class Bar:
    """A straight band across the frame, in front of everything, that is no instance.

    `centre` is a point in its middle, `angle` the direction across it, in radians from +x.
    """

    centre: np.ndarray
    angle: float
    width: float
    colour: np.ndarray


@dataclass(frozen=True)
class Instance:
    """One moving thing. Harmonic k = 2, 3 of its outline has `direction[k - 2]` and so on."""

    look: Look
    path: Track
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
    """Instances from back to front, each with its id, the background and what is in front of all.

    The background is `colour` (3) plus M waves: `vectors` (M x 2, radians per side), `phase` (M),
    `frequency` (M, radians per frame) and `tint` (M x 3). `camera` is where the frame's left upper
    corner is; None stays at (0, 0).
    """

    instances: dict[int, Instance]
    colour: np.ndarray
    vectors: np.ndarray
    phase: np.ndarray
    frequency: np.ndarray
    tint: np.ndarray
    camera: Track | None = None
    bar: Bar | None = None


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
