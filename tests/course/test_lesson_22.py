"""Lesson 22: its check tells the likely mistakes apart."""

from collections.abc import Callable
from statistics import mean, median

import pytest

from tagvis_lite.course.checks.lesson_22 import check_median_seconds

Call = Callable[[], object]
Clock = Callable[[], float]


def timer(
    warm_up: int = 1,
    before: bool = True,
    after: bool = True,
    summary: Callable[[list[float]], float] = median,
) -> Callable[[Call, int, Clock, Call], float]:
    """A timer with or without each of the things that make it right."""

    def answer(function: Call, repeats: int, clock: Clock, synchronise: Call) -> float:
        for _ in range(warm_up):
            function()
        seconds = []
        for _ in range(repeats):
            if before:
                synchronise()
            start = clock()
            function()
            if after:
                synchronise()
            seconds.append(clock() - start)
        return summary(seconds)

    return answer


def first_call_among_the_measured(
    function: Call, repeats: int, clock: Clock, synchronise: Call
) -> float:
    return timer(warm_up=0)(function, repeats + 1, clock, synchronise)


def once_around_all(function: Call, repeats: int, clock: Clock, synchronise: Call) -> float:
    function()
    synchronise()
    start = clock()
    for _ in range(repeats):
        function()
    synchronise()
    return clock() - start


def around_all_divided(function: Call, repeats: int, clock: Clock, synchronise: Call) -> float:
    return once_around_all(function, repeats, clock, synchronise) / repeats


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (timer(after=False), "to .start. the work"),
        (timer(before=False), "before the clock is read for the first time"),
        (timer(summary=sum), "not the sum of all"),
        (once_around_all, "not the sum of all"),
        (timer(warm_up=0), "1 that does not, got 5"),
        (first_call_among_the_measured, "The first call must not count"),
        (timer(summary=mean), "A mean remembers"),
        (around_all_divided, "A mean remembers"),
        (lambda *_: None, "return the median"),
    ],
)
def test_likely_mistakes_are_named(answer: Callable[..., float], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_median_seconds(answer)


def test_the_right_timer_passes() -> None:
    check_median_seconds(timer())
    check_median_seconds(timer(warm_up=1, summary=lambda seconds: median(sorted(seconds))))
