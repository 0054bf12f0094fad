"""Run lengths: what pycocotools reads and writes, and an error for everything it would choke on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco_mask
from run_lengths import runs_of

from tagvis_lite.data.rle import decode_mask, encode_ids, intersection, read_tracks

FUZZ = settings(max_examples=60, deadline=None)
MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12))


def rle(mask: np.ndarray) -> dict[str, Any]:
    encoded = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {"size": list(encoded["size"]), "counts": encoded["counts"].decode()}


# ---------------------------------------------------------------- the same as pycocotools


@FUZZ
@given(
    arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.integers(0, 3))
)
def test_label_maps_are_encoded_to_the_letter(ids: np.ndarray) -> None:
    expected = {k: rle(ids == k) for k in (1, 2, 3) if (ids == k).any()}
    assert encode_ids(ids) == expected


def test_long_runs_are_encoded_to_the_letter() -> None:
    ids = np.zeros((3000, 2000), np.uint8)
    ids[7:2999, 3] = ids[:, 1000:] = 254
    ids[40, 500] = ids[-1, -1] = 9
    assert encode_ids(ids) == {k: rle(ids == k) for k in (9, 254)}


@FUZZ
@given(MASKS, st.integers(0, 2))
def test_rles_of_every_kind_decode_to_their_mask(mask: np.ndarray, frame: int) -> None:
    encoded = rle(mask)["counts"]
    size = (mask.shape[0], mask.shape[1])
    for counts in (encoded, encoded.encode(), runs_of(mask)):
        segmentation = {"size": list(size), "counts": counts}
        decoded = decode_mask(segmentation, size, "mask", frame)
        assert decoded.dtype == bool
        assert np.array_equal(decoded, mask)


@FUZZ
@given(st.data())
def test_areas_and_intersections_are_those_of_pycocotools(data: Any) -> None:
    height, width, length = (data.draw(st.integers(1, 6)) for _ in range(3))
    pixels = st.lists(st.booleans(), min_size=height * width, max_size=height * width)
    a, b = (
        [
            None if row is None else rle(np.reshape(row, (height, width)))
            for row in data.draw(st.lists(st.none() | pixels, min_size=length, max_size=length))
        ]
        for _ in "ab"
    )
    read_a, read_b = read_tracks([a, b], (height, width), ["a", "b"])
    assert read_a.areas.tolist() == [0 if m is None else coco_mask.area(m) for m in a]
    shared = sum(
        int(coco_mask.area(coco_mask.merge([m, n], True)))
        for m, n in zip(a, b, strict=True)
        if m and n
    )
    assert intersection(read_a, read_b) == intersection(read_b, read_a) == shared


def test_runs_of_large_frames_and_empty_runs() -> None:
    """Numbers of many characters, and runs of length 0 that other encoders write."""
    large = {"size": [8000, 8000], "counts": [0, 1, 63_999_998, 1]}
    small = {"size": [2, 2], "counts": [1, 0, 1, 1, 0, 1]}
    (track,) = read_tracks([[large]], (8000, 8000), ["large"])
    assert (track.areas.tolist(), intersection(track, track)) == ([2], 2)
    (track,) = read_tracks([[small]], (2, 2), ["small"])
    assert (track.areas.tolist(), intersection(track, track)) == ([2], 2)


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=130), max_size=8))
def test_any_string_is_an_rle_that_fills_the_frame_or_an_error(counts: str) -> None:
    segmentation = {"size": [3, 3], "counts": counts}
    problem = ""
    areas = None
    try:
        (track,) = read_tracks([[None, segmentation]], (3, 3), ["here"])
        areas = track.areas.tolist()
    except ValueError as error:
        problem = str(error)
    if areas is None:
        assert problem.startswith("here, segmentation 1 ")
    else:
        assert areas == [0, coco_mask.decode(segmentation).sum()]


# ---------------------------------------------------------------- damage


@settings(FUZZ, max_examples=200)
@given(mask=MASKS, data=st.data())
def test_damaged_rles_are_refused_or_fill_the_frame(mask: np.ndarray, data: st.DataObject) -> None:
    counts = bytearray(coco_mask.encode(np.asfortranarray(mask, np.uint8))["counts"])
    place = data.draw(st.integers(0, len(counts) - 1))
    if data.draw(st.booleans()):
        counts[place] = data.draw(st.integers(0, 255))
    else:
        del counts[place:]
    segmentation = {"size": list(mask.shape), "counts": bytes(counts)}
    try:
        decoded = decode_mask(segmentation, (mask.shape[0], mask.shape[1]), "clip", 3)
    except ValueError as error:
        message = str(error)
    else:
        message = "clip, segmentation 3 "
        assert decoded.shape == mask.shape
        assert decoded.sum() == coco_mask.area(segmentation)
    assert message.startswith("clip, segmentation 3 ")


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ("", "empty"),
        ("é", "no RLE has"),
        ("\ud800", "no RLE has"),
        ("\x00", "no RLE has"),
        ("01S", "cut off"),
        ("o", "cut off"),
        ("o" * 9 + "0", "number beyond"),
        ("0d0", "does not fill"),
        ("04", "does not fill"),
        ("O90", "negative"),
        ([0, 100], "does not fill 3 x 3 pixels"),
        ([-9, 18], "does not fill"),
        ([4.5, 4.5], "does not fill"),
        (7, "neither an RLE string nor"),
    ],
)
def test_damaged_masks_are_named(counts: Any, reason: str) -> None:
    sound = rle(np.eye(3, dtype=bool))
    damaged = {"size": [3, 3], "counts": counts}
    with pytest.raises(ValueError, match=f"fox, segmentation 1.*{reason}"):
        read_tracks([[sound, sound], [sound, damaged]], (3, 3), ["cow", "fox"])


def test_polygons_are_filled() -> None:
    def box(top: int, left: int, bottom: int, right: int) -> np.ndarray:
        mask = np.zeros((6, 9), bool)
        mask[top:bottom, left:right] = True
        return mask

    square = [[2, 1, 6, 1, 6, 4, 2, 4]]
    assert np.array_equal(decode_mask(square, (6, 9), "here", 0), box(1, 2, 4, 6))
    two: list[Any] = [*square, [7.0, 0.0, 9.0, 0.0, 9.0, 2.0, 7.0, 2.0]]
    assert np.array_equal(decode_mask(two, (6, 9), "here", 0), box(1, 2, 4, 6) | box(0, 7, 2, 9))
    hostile: list[Any] = [[1, 1, 2, 2], [1, 1, 2, 2, 3, 3, 4], [0, 0, 1e9, 0, 1e9, 9], ["a"] * 6, 3]
    for polygon in [*hostile, [float("nan")] * 6]:
        with pytest.raises(ValueError, match="here, segmentation 0: polygon"):
            decode_mask([polygon], (6, 9), "here", 0)
