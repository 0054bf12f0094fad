"""Which found instance is which object: one to one, as a search of all pairings finds it."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tagvis_lite.course import subplots
from tagvis_lite.video import VOID
from tagvis_lite.views.objects import (
    colour_of,
    draw_objects,
    matched,
    matching,
    name_of,
    number_places,
    numbers_like,
    renumbered,
    resized,
)
from tagvis_lite.views.overlay import COLOURS, UNMATCHED, instance_colours

label_maps = hnp.arrays(np.uint8, (2, 4, 5), elements=st.sampled_from([0, 1, 2, 3]))
truths = hnp.arrays(np.uint8, (2, 4, 5), elements=st.sampled_from([0, 4, 5, 6, VOID]))


def overlap(ids: np.ndarray, like: np.ndarray, n: int, m: int) -> float:
    known = like != VOID
    a, b = (ids == n) & known, (like == m) & known
    return float((a & b).sum() / max(1, (a | b).sum()))


@settings(deadline=None, max_examples=60)
@given(ids=label_maps, like=truths, enough=st.sampled_from([0.05, 0.3, 0.6]))
def test_the_pairs_are_the_best_of_all_pairings(
    ids: np.ndarray, like: np.ndarray, enough: float
) -> None:
    def worth(n: int, m: int) -> float:
        value = overlap(ids, like, n, m)
        return value if value >= enough else 0

    pairs = matching(ids, like, enough)
    assert len(set(pairs.values())) == len(pairs)
    assert all(overlap(ids, like, n, m) >= enough for n, m in pairs.items())
    best = max(
        sum(worth(n, m) for n, m in zip((1, 2, 3), order, strict=True))
        for order in permutations((4, 5, 6))
    )
    assert sum(worth(n, m) for n, m in pairs.items()) == pytest.approx(best)


@settings(deadline=None, max_examples=40)
@given(ids=label_maps, like=truths)
def test_matched_moves_no_outline_and_gives_each_object_one_colour(
    ids: np.ndarray, like: np.ndarray
) -> None:
    found, pairs = matched(ids, like), matching(ids, like)
    np.testing.assert_array_equal(found == 0, ids == 0)
    for n in np.unique(ids[ids > 0]).tolist():
        (number,) = np.unique(found[ids == n]).tolist()
        if n in pairs:
            assert number == pairs[n]
        else:
            assert number in UNMATCHED
            assert name_of(number) == "?"
            assert len(set(instance_colours()[number].tolist())) == 1, "grey"


def test_without_an_object_numbers_are_new_ones() -> None:
    first = np.uint8([[1, 1, 0, 2, 2]])
    later = np.uint8([[3, 0, 0, 1, 1]])
    later = np.where(later == 3, 0, later)
    later[0, 2] = 2
    numbers = numbers_like(later, first, range(1, 255))
    assert numbers == {1: 2, 2: 3}
    assert renumbered(later, numbers).tolist() == [[0, 0, 3, 2, 2]]


def test_truth_of_another_size_is_matched_too() -> None:
    ids = np.zeros((2, 4, 6), np.uint8)
    ids[:, 1:3, 1:4] = 1
    assert matching(ids, resized(ids, (12, 18)) * 9) == {1: 9}


def test_numbers_stand_inside_and_outlines_follow_the_picture() -> None:
    ids = np.zeros((20, 30), np.uint8)
    ids[2:9, 3:8], ids[12:19, 20:29] = 1, 2
    ids[4:7, 8:25] = 1  # a long arm: the middle of its pixels would be there
    places = number_places(ids)
    assert places[2] == (15, 23), "one of the deepest"
    assert ids[places[1]] == 1
    assert places[1][1] < 8
    figure, axis = subplots(width=3, height=2)
    axis.imshow(np.zeros((40, 60, 3), np.uint8))
    limits = axis.get_xlim(), axis.get_ylim()
    draw_objects(axis, ids, (40, 60))
    assert (axis.get_xlim(), axis.get_ylim()) == limits
    assert [text.get_text() for text in axis.texts] == ["1", "2"]
    for text, n in zip(axis.texts, (1, 2), strict=True):
        column, row = text.get_position()
        assert ids[int((row + 0.5) // 2), int((column + 0.5) // 2)] == n
    corners = np.concatenate([line.get_paths()[0].vertices for line in axis.collections])
    assert corners.min() > 3
    assert corners[:, 0].max() == pytest.approx(57.5, abs=1.1)
    assert figure.axes == [axis]


def test_one_palette_for_pictures_and_plots() -> None:
    assert [colour_of(n) for n in range(1, 8)] == COLOURS
