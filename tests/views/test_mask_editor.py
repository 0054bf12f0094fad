"""A mask that is moved and grown, its scores in every state, and the view, without a browser."""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tagvis_lite.evaluation.boundary import boundary_reach
from tagvis_lite.evaluation.davis_sequence import sequence_scores
from tagvis_lite.evaluation.mask_scores import mask_scores, near
from tagvis_lite.views import Change, MaskEditor
from tagvis_lite.views.mask_editor import (
    BEFORE_RADII,
    BOTH,
    MISSED,
    NEAR,
    TOO_MUCH,
    area_kinds,
    boundary_kinds,
    changed,
    score_table,
)

ALT = "An object and a mask that was moved to its right"
MASKS = arrays(bool, (7, 9))
SMALL = st.integers(-3, 3)


def square(size: int = 11, at: int = 3, side: int = 5) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[at : at + side, at : at + side] = True
    return mask


def editor(**options: Any) -> MaskEditor:
    options = {"changes": [Change(2)], "furthest": 3, "most": 1, "radii": [0, 1, 2], **options}
    return MaskEditor(square(), title="it loses on both sides", alt=ALT, **options)


# An oracle, pixel by pixel, in plain Python


def edges_of(mask: np.ndarray) -> set[tuple[int, int]]:
    height, width = mask.shape
    found = set()
    for y, x in np.ndindex(height, width):
        around = [
            (min(y + dy, height - 1), min(x + dx, width - 1)) for dy in (0, 1) for dx in (0, 1)
        ]
        if len({bool(mask[place]) for place in around}) > 1:
            found.add((y, x))
    return found


def matched(edges: set[tuple[int, int]], others: set[tuple[int, int]], radius: int) -> set[Any]:
    return {
        (y, x) for y, x in edges if any((y - v) ** 2 + (x - u) ** 2 <= radius**2 for v, u in others)
    }


@settings(deadline=None, max_examples=60)
@given(truth=MASKS, mask=MASKS, radius=st.integers(0, 5))
def test_counts_are_those_made_pixel_by_pixel(
    truth: np.ndarray, mask: np.ndarray, radius: int
) -> None:
    scores = mask_scores(truth, mask, [radius])
    a, b = edges_of(truth), edges_of(mask)
    assert (scores.object_edges, scores.mask_edges) == (len(a), len(b))
    assert scores.object_matched.tolist() == [len(matched(a, b, radius))]
    assert scores.mask_matched.tolist() == [len(matched(b, a, radius))]
    assert (scores.intersection, scores.union) == ((truth & mask).sum(), (truth | mask).sum())


@settings(deadline=None, max_examples=60)
@given(truth=MASKS, mask=MASKS)
def test_scores_are_the_benchmark_s_to_the_last_bit(truth: np.ndarray, mask: np.ndarray) -> None:
    truth[3, 4] = True  # the benchmark needs an object
    official = sequence_scores(truth[None].astype(np.uint8), mask[None].astype(np.uint8))
    scores = mask_scores(truth, mask, [0, boundary_reach(*truth.shape)])
    assert official.J[0, 0] == scores.J
    assert scores.F[1] == official.F[0, 0]


def test_scores_of_masks_without_boundary_or_pixels() -> None:
    full, empty = np.ones((4, 5), bool), np.zeros((4, 5), bool)
    assert mask_scores(empty, empty, [1]).J == 1
    assert mask_scores(full, empty, [1]).J == 0
    assert mask_scores(full, empty, [1]).F.tolist() == [1]
    assert mask_scores(square(), np.zeros((11, 11), bool), [3]).F.tolist() == [0]


@settings(deadline=None, max_examples=40)
@given(edges=arrays(bool, (6, 8)), radius=st.integers(0, 9))
def test_near_is_a_union_of_disks(edges: np.ndarray, radius: int) -> None:
    y, x = np.indices(edges.shape)
    wanted = np.zeros(edges.shape, bool)
    for v, u in np.argwhere(edges):
        wanted |= (y - v) ** 2 + (x - u) ** 2 <= radius**2
    np.testing.assert_array_equal(near(edges, radius), wanted)


# The mask


@settings(deadline=None, max_examples=60)
@given(mask=MASKS, right=st.integers(-8, 8), down=st.integers(-6, 6))
def test_a_moved_mask_keeps_what_stays_in_the_picture(
    mask: np.ndarray, right: int, down: int
) -> None:
    moved = changed(mask, Change(right, down))
    for y, x in np.ndindex(mask.shape):
        v, u = y - down, x - right
        inside = 0 <= v < mask.shape[0] and 0 <= u < mask.shape[1]
        assert moved[y, x] == (inside and mask[v, u])


def test_a_square_is_grown_and_shrunk_on_all_sides() -> None:
    assert changed(square(), Change(grow=-2)).sum() == 1
    grown = changed(square(), Change(grow=1))
    assert grown.sum() == 25 + 4 * 5, "a disk of radius 1 is a cross"
    assert changed(square(), Change(grow=-3)).sum() == 0


def test_a_mask_does_not_shrink_from_the_edge_of_the_picture() -> None:
    mask = np.zeros((6, 6), bool)
    mask[:, :3] = True
    np.testing.assert_array_equal(changed(mask, Change(grow=-1)), np.arange(6) < np.full((6, 1), 2))


@settings(deadline=None, max_examples=40)
@given(mask=MASKS, grow=st.integers(0, 3))
def test_growing_contains_and_shrinking_is_contained(mask: np.ndarray, grow: int) -> None:
    assert (changed(mask, Change(grow=grow)) >= mask).all()
    assert (changed(mask, Change(grow=-grow)) <= mask).all()
    outside = ~changed(~mask, Change(grow=grow))
    np.testing.assert_array_equal(changed(mask, Change(grow=-grow)), outside)


def test_a_change_says_what_it_does() -> None:
    assert str(Change(5, -2, -1)) == "5 right, 2 up, 1 shrunk"
    assert str(Change(-1, 3, 2)) == "1 left, 3 down, 2 grown"
    assert str(Change()) == "as it was"


# What is painted


@settings(deadline=None, max_examples=40)
@given(truth=MASKS, mask=MASKS, radius=st.integers(0, 3))
def test_painted_pixels_are_those_that_count(
    truth: np.ndarray, mask: np.ndarray, radius: int
) -> None:
    area = area_kinds(truth, mask)
    scores = mask_scores(truth, mask, [radius])
    assert (area == BOTH).sum() == scores.intersection
    assert (area > 0).sum() == scores.union
    kinds = boundary_kinds(truth, mask, radius)
    assert (kinds == TOO_MUCH).sum() == scores.mask_edges - scores.mask_matched[0]
    assert (kinds == MISSED).sum() == scores.object_edges - scores.object_matched[0]
    a, b = edges_of(truth), edges_of(mask)
    assert {tuple(place) for place in np.argwhere(kinds == BOTH)} == (
        matched(a, b, radius) | matched(b, a, radius)
    )
    assert ((kinds == NEAR) <= near(np.isin(kinds, (BOTH, MISSED)), radius)).all()


# All states


TRUTH, MASK, RADII = square(), square(at=2, side=6), [0, 1, 3]


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    return score_table(TRUTH, MASK, furthest=3, most=2, radii=RADII)


@settings(deadline=None, max_examples=25)
@given(right=SMALL, down=SMALL, grow=st.integers(-2, 2), k=st.integers(0, 2))
def test_the_table_holds_the_scores_of_every_state(
    table: np.ndarray, right: int, down: int, grow: int, k: int
) -> None:
    row = table[grow + 2, down + 3, right + 3]
    state = changed(MASK, Change(right, down, grow))
    scores = mask_scores(TRUTH, state, [RADII[k]])
    wanted = [scores.J, scores.intersection, scores.union, scores.object_edges, scores.mask_edges]
    np.testing.assert_array_equal(row[:BEFORE_RADII], np.float32(wanted))
    wanted = [scores.F[0], scores.object_matched[0], scores.mask_matched[0]]
    np.testing.assert_array_equal(row[BEFORE_RADII + 3 * k :][:3], np.float32(wanted))


def test_the_example_of_lesson_19() -> None:
    truth, mask = np.zeros((2, 5, 5), bool)
    truth[1:4, 1:4] = True
    mask[1:4, 3:5] = True
    scores = mask_scores(truth, mask, [1])
    assert scores.J == 3 / 12
    assert scores.F[0] == pytest.approx(0.8)
    assert (scores.mask_matched[0], scores.mask_edges) == (8, 8)
    assert (scores.object_matched[0], scores.object_edges) == (8, 12)


# The view


def test_the_view_starts_with_its_first_change() -> None:
    view = editor(changes=[Change(2, -1, 1, 2), Change()])
    assert [view.right, view.down, view.grow, view.radius] == view.start
    assert view.start == [2, -1, 1, 2]
    table = np.frombuffer(zlib.decompress(view.table), np.float32)
    assert table.size == 3 * 7 * 7 * (BEFORE_RADII + 3 * 3)
    np.testing.assert_array_equal(
        np.frombuffer(view.sized, np.uint8).reshape(3, 11, 11)[1], square()
    )
    assert view.picture.alt == view.alt == ALT


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"changes": []}, "no change"),
        ({"changes": [Change(4)]}, "out of reach"),
        ({"changes": [Change(grow=2)]}, "out of reach"),
        ({"changes": [Change(radius=3)]}, "out of reach"),
        ({"furthest": 11}, "furthest is 11"),
        ({"radii": [2, 1]}, "rising order"),
        ({"radii": [-1, 1]}, "rising order"),
        ({"mask": square(12)}, "one size"),
        ({"mask": square().astype(int)}, "Boolean"),
    ],
)
def test_bad_input_gives_one_clear_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        editor(**options)
    assert "\n" not in str(error.value)


def test_an_object_must_be_seen() -> None:
    with pytest.raises(ValueError, match="no pixel"):
        MaskEditor(np.zeros((9, 9), bool), changes=[Change()], title="none", alt=ALT)


def test_lesson_19_stores_little() -> None:
    view = MaskEditor(square(70, 15, 40), changes=[Change(5, radius=3)], title="moved", alt=ALT)
    assert not set(view.heavy) & set(view.get_state())
    state = [
        b64encode(value).decode() if isinstance(value, bytes) else value
        for value in view.get_state().values()
    ]
    assert len(json.dumps(state, default=str)) < 300_000
    assert len(view.picture.file) < 30_000
