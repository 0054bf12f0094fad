"""Lesson 09: twins on a line: what is found where they meet, where that is, and how to jump it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

MOST_CALLS = 25


def check_number_found(answer: Callable[[], int]) -> None:
    """One heap of tags is one instance."""
    given = answer()
    assert given is not None, "return a number"
    assert given != 2, "their tags are equal: one heap, and nothing looks at where a pixel lies"
    assert given != 0, "the semantic branch still sees both shapes, so their pixels are not dropped"
    assert given == 1, f"two are there, and you find {given}"


def check_equal_pose(answer: Callable[[Callable[[float], float], float, float], float]) -> None:
    """Gaps that fall, that rise, and that hang on one side; few calls."""
    gaps: list[tuple[str, Callable[[float], float], float]] = [
        ("falls", lambda a: 2 * (math.cos(a) + 3 * math.sin(a)), math.pi - math.atan(1 / 3)),
        ("rises", lambda a: -5 + 4 * a, 1.25),
        ("is flat and then falls", lambda a: math.tanh(8 * (2.9 - a)), 2.9),
    ]
    for words, gap, zero in gaps:
        calls: list[float] = []

        def counted(
            angle: float, gap: Callable[[float], float] = gap, calls: list[float] = calls
        ) -> float:
            calls.append(angle)
            return gap(angle)

        given = answer(counted, 0.0, math.pi)
        assert given is not None, "return an angle"
        assert len(calls) <= MOST_CALLS, (
            f"{len(calls)} calls: halving 15 times is enough, and each call runs a network"
        )
        assert 0 < given < math.pi, (
            f"you return {given:.3g}, an end of the interval or outside, for a gap that {words}: "
            "compare signs with the sign at `low`, it may be either"
        )
        assert abs(given - zero) < 1e-3, (
            f"a gap that {words} is zero at {zero:.4f}; you return {given:.4f}. Return the angle, "
            "not the gap, and halve until the interval is short"
        )


def check_jump(answer: Callable[[float, float, float, float], float]) -> None:
    """Never small, and changes sign when the twins change places; also at equal heights."""
    draws = np.random.default_rng(0)
    places = draws.random((300, 4)).round(2)
    places[:50, 3] = places[:50, 1]  # equal heights
    places[50:100, 2] = places[50:100, 0]  # one above the other
    for x1, y1, x2, y2 in places[(places[:, :2] != places[:, 2:]).any(axis=1)].tolist():
        given, back = answer(x1, y1, x2, y2), answer(x2, y2, x1, y1)
        where = f"at ({x1}, {y1}) and ({x2}, {y2})"
        assert given is not None, "return a number"
        assert given == -back, (
            f"{where} d is {given:.3g}, and {back:.3g} when they change places: twins cannot be "
            "told by the number that we gave them, so the sign must change"
        )
        assert abs(given) >= 3, f"{where} d is {given:.3g}: too small" + (
            ", at equal heights somebody must still be first" if y1 == y2 else ""
        )
