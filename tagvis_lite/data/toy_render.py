"""Painting a toy scene: the distance to an outline gives a soft edge one pixel wide (the picture),
its sign the exact mask (the label). Another size shows the same scene at another resolution."""

from __future__ import annotations

import numpy as np

from tagvis_lite.data.toy_scene import Bar, Instance, Scene


def render(scene: Scene, t: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Paint a scene at times t, from back to front.

    Returns:
        frames: float32, T x H x W x 3, nominally in [0, 1], before noise.
        ids: uint8, T x H x W: the front-most instance whose outline holds the pixel's centre.
    """
    planes = _paint_background(scene, t, size)  # 3 x T x H x W
    ids = np.zeros(planes.shape[1:], np.uint8)
    for i, instance in scene.instances.items():
        window, x, y, distance = _locate(scene, instance, t, size)
        ids[:, *window][distance < 0] = i
        alpha = np.clip(0.5 - distance, 0, 1)
        rim = 1 + distance / (0.02 * min(size))
        dark_share = np.maximum(_texture(instance, t, x, y), np.clip(rim, 0, 1))
        light, dark = instance.look.colours.astype(np.float32)
        for plane, bright, difference in zip(planes, light, dark - light, strict=True):
            below = plane[:, *window]
            below += alpha * (bright + difference * dark_share - below)
    if scene.bar is not None:
        distance = _distance_to_bar(scene.bar, size)
        ids[:, distance < 0] = 0
        alpha = np.clip(0.5 - distance, 0, 1)
        for plane, grey in zip(planes, scene.bar.colour.astype(np.float32), strict=True):
            plane += alpha * (grey - plane)
    return np.moveaxis(planes, 0, -1), ids


def labels(scene: Scene, t: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The ids that `render` gives, without the picture."""
    ids = np.zeros((len(t), *size), np.uint8)
    for i, instance in scene.instances.items():
        window, _, _, distance = _locate(scene, instance, t, size)
        ids[:, *window][distance < 0] = i
    if scene.bar is not None:
        ids[:, _distance_to_bar(scene.bar, size) < 0] = 0
    return ids


def _grid(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Pixel centres in sides: x (W) and y (H)."""
    height, width = size
    return (np.arange(width) + 0.5) / min(size), (np.arange(height) + 0.5) / min(size)


def _paint_background(scene: Scene, t: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    x, y = (axis.astype(np.float32) for axis in _grid(size))
    planes = np.empty((3, len(t), *size), np.float32)
    planes[:] = scene.colour[:, None, None, None]
    for k, (kx, ky) in enumerate(scene.vectors.astype(np.float32)):
        drift = scene.phase[k] + scene.frequency[k] * t
        if scene.camera is not None:
            drift = drift + scene.camera.position(t) @ scene.vectors[k]
        drift = drift.astype(np.float32)
        wave = np.sin(kx * x + ky * y[:, None] + drift[:, None, None])
        for plane, amount in zip(planes, scene.tint[k].astype(np.float32), strict=True):
            plane += amount * wave
    return planes


def _distance_to_bar(bar: Bar, size: tuple[int, int]) -> np.ndarray:
    """Signed distance of each pixel, H x W, to the border of a bar in pixels, negative inside."""
    x, y = _grid(size)
    across = (
        np.cos(bar.angle) * (x - bar.centre[0]) + np.sin(bar.angle) * (y - bar.centre[1])[:, None]
    )
    distance = (np.abs(across) - bar.width / 2) * min(size)
    return distance.astype(np.float32)


def _locate(
    scene: Scene, instance: Instance, t: np.ndarray, size: tuple[int, int]
) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray, np.ndarray]:
    """Where an instance is at times t.

    Returns:
        window: rows and columns outside which the instance never is in these frames.
        x, y: offset from its centre in sides, T x 1 x w and T x h x 1, for the window.
        distance: T x h x w, signed distance to its outline in pixels, negative inside. It is
            exact to first order, so near the outline, the only place where it is used.
    """
    centre = instance.path.position(t)
    if scene.camera is not None:
        centre = centre - scene.camera.position(t)
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
