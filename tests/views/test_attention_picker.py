"""Attention maps of all positions, quantised for the browser, and the view, without a browser."""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tagvis_lite.checkpoint import shipped
from tagvis_lite.data.toy import render_video
from tagvis_lite.model.attention import literal_attention, non_local_attention
from tagvis_lite.model.network import location_embedding
from tagvis_lite.runs import load_network
from tagvis_lite.views import AttentionPicker
from tagvis_lite.views.attention_picker import (
    INK,
    LONGEST_SIDE,
    attention_over_clip,
    drawn_over,
    quantised,
)

ALT = "One position asks and every frame has a map of its own"


def clip(frames: int = 3, grid: tuple[int, int] = (2, 3), seed: int = 0) -> Any:
    """Query, key, value, T x S x d."""
    draws = torch.Generator().manual_seed(seed)
    return torch.randn(3, frames, grid[0] * grid[1], 4, generator=draws)


def pictures(frames: int = 3, size: tuple[int, int] = (12, 18)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (frames, *size, 3), dtype=np.uint8)


def picker(**options: Any) -> AttentionPicker:
    query, key, _ = clip()
    maps, shares = attention_over_clip(query, key)
    options = {"maps": maps, "shares": shares, "grid": (2, 3), **options}
    frames = options.pop("pictures", pictures())
    return AttentionPicker(frames, title="every frame has its own map", alt=ALT, **options)


# Maps


@settings(deadline=None, max_examples=25)
@given(frames=st.integers(1, 4), seed=st.integers(0, 99))
def test_maps_weigh_values_as_both_readings_do(frames: int, seed: int) -> None:
    query, key, value = clip(frames, seed=seed)
    maps, shares = (torch.as_tensor(x) for x in attention_over_clip(query, key))
    torch.testing.assert_close(maps.sum(-1), torch.ones(maps.shape[:3]))
    torch.testing.assert_close(shares.sum(-1), torch.ones(shares.shape[:2]))
    literal = torch.einsum("sitj,tjd->tsid", maps, value).mean(dim=1)
    wanted = literal_attention(query[None], key[None], value[None])[0]
    torch.testing.assert_close(literal, wanted)
    joint = torch.einsum("sit,sitj,tjd->sid", shares, maps, value)
    ordinary = non_local_attention(query[None], key[None], value[None])[0]
    torch.testing.assert_close(joint, ordinary)


def test_one_row_by_hand() -> None:
    key = torch.tensor([[[0.0], [3.0]], [[1.0], [1.0]]]).clamp(min=1).log()
    maps, shares = attention_over_clip(torch.ones(2, 2, 1), key)
    np.testing.assert_allclose(maps[0, 0], [[1 / 4, 3 / 4], [1 / 2, 1 / 2]], atol=1e-6)
    np.testing.assert_allclose(shares[0, 0], [4 / 6, 2 / 6], atol=1e-6)


@settings(deadline=None, max_examples=50)
@given(positions=st.integers(1, 40), seed=st.integers(0, 99), sharp=st.floats(0, 30))
def test_the_error_of_a_quantised_weight_is_bounded(
    positions: int, seed: int, sharp: float
) -> None:
    scores = sharp * np.random.default_rng(seed).normal(size=(2, 3, positions))
    maps = np.exp(scores - scores.max(-1, keepdims=True))
    maps = (maps / maps.sum(-1, keepdims=True)).astype(np.float32)
    levels, peaks = quantised(maps)
    assert levels.dtype == np.uint8
    assert (levels.max(-1) == 255).all()
    np.testing.assert_array_equal(peaks, maps.max(-1))
    restored = levels / 255 * peaks[..., None]
    assert (np.abs(restored - maps) <= peaks[..., None] / 510 * (1 + 1e-5)).all()


def test_a_map_of_zeros_stays_one() -> None:
    levels, peaks = quantised(np.zeros((2, 5), np.float32))
    assert not levels.any()
    assert not peaks.any()


# What is drawn


def test_cells_are_as_opaque_as_their_weight() -> None:
    white = np.full((4, 6, 3), 255, np.uint8)
    drawn = drawn_over(white, np.array([[0, 0.1, 0.2]]), largest=0.2)
    np.testing.assert_array_equal(drawn[:, :2], np.full((4, 2, 3), 128))
    np.testing.assert_array_equal(drawn[:, 4:], np.broadcast_to(INK, (4, 2, 3)))
    np.testing.assert_allclose(drawn[0, 2], (127.5 + INK) / 2, atol=0.6)
    assert drawn_over(white, np.zeros((1, 3)), largest=0).max() == 128


# The view


def test_the_view_sends_maps_once_and_starts_where_it_is_told() -> None:
    view = picker(frame=2, cell=(1, 2))
    assert (view.frame, view.row, view.column, view.answering) == (2, 1, 2, 3)
    maps, shares = attention_over_clip(*clip()[:2])
    levels = np.frombuffer(zlib.decompress(view.levels), np.uint8).reshape(maps.shape)
    peaks = np.frombuffer(view.peaks, np.float32).reshape(maps.shape[:3])
    assert np.abs(levels / 255 * peaks[..., None] - maps).max() <= peaks.max() / 509
    np.testing.assert_array_equal(np.frombuffer(view.shares, np.float32), shares.ravel())
    assert view.picture.alt == view.alt == ALT


def test_maps_within_frames() -> None:
    query, key, _ = clip()
    view = picker(maps=(query @ key.mT / 2).softmax(dim=-1), shares=None)
    assert view.answering == 1
    assert view.shares == b""


def test_large_frames_are_made_smaller() -> None:
    view = picker(pictures=pictures(size=(240, 427)))
    image = cv2.imdecode(np.frombuffer(view.pictures[0], np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (90, LONGEST_SIDE, 3)


def test_colours_of_frames_are_kept() -> None:
    red = np.zeros((3, 12, 18, 3), np.uint8)
    red[..., 0] = 200
    image = cv2.imdecode(np.frombuffer(picker(pictures=red).pictures[0], np.uint8), 1)
    assert np.abs(image[..., ::-1].astype(int) - red[0]).max() <= 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pictures": pictures(2)}, "2 pictures"),
        ({"pictures": pictures().astype(float)}, "uint8"),
        ({"pictures": pictures()[0]}, "uint8"),
        ({"grid": (3, 3)}, "grid of 3 x 3"),
        ({"maps": np.zeros((3, 6, 3, 6))}, "sum 1"),
        ({"maps": np.full((3, 6, 3, 6), np.nan)}, "sum 1"),
        ({"shares": np.ones((3, 6))}, "shares"),
        ({"frame": 3}, "outside"),
        ({"cell": (0, 3)}, "outside"),
        ({"cell": (-1, 0)}, "outside"),
    ],
)
def test_bad_input_gives_one_clear_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        picker(**options)
    assert "\n" not in str(error.value)


def test_lesson_12_stores_little() -> None:
    """All maps of the shipped network on a toy video: what is stored, as text, by view and cell."""
    network, config = load_network(shipped("checkpoints/toy.safetensors"))
    module, size = network.spatio_temporal_attention, config.data.clip_frames
    frames = render_video(0).read_frames(range(size))
    with torch.no_grad():
        images = torch.as_tensor(frames).permute(3, 0, 1, 2)[None] / 255
        features = network.encoder(images)
        features = torch.cat([features, location_embedding(features)], dim=1)
        query, key = (
            p(features)[0].flatten(2).permute(1, 2, 0) for p in (module.query, module.key)
        )
    grid = features.shape[-2:]
    view = AttentionPicker(
        frames, *attention_over_clip(query, key), grid=grid, title="many maps", alt=ALT
    )
    assert not set(view.heavy) & set(view.get_state())
    state = list(view.get_state().values())
    state = [b64encode(value).decode() if isinstance(value, bytes) else value for value in state]
    assert len(json.dumps(state, default=str)) < 300_000
    assert len(view.picture.file) < 60_000
