"""Lesson 22: a timer, tried on a clock and a device that are made up."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Answer = Callable[..., float]


class Device:
    """A GPU in a few lines: calls queue their work, and only waiting for it lets time pass.

    Args:
        work: seconds of work of each call in turn, the first call included; its last repeats.
    """

    LAUNCH = 0.001
    """Seconds that a call itself takes."""

    def __init__(self, work: Sequence[float]) -> None:
        self.work = work
        self.now = 0.0
        self.queued = 0.0
        self.calls = 0

    def function(self) -> None:
        """Queue the next piece of work and return at once."""
        self.now += self.LAUNCH
        self.queued += self.work[min(self.calls, len(self.work) - 1)]
        self.calls += 1

    def synchronise(self) -> None:
        """Let the time pass that the queued work takes."""
        self.now += self.queued
        self.queued = 0.0

    def clock(self) -> float:
        """Seconds since the device was made."""
        return self.now


def check_median_seconds(answer: Answer) -> None:
    """A slow first call, one interruption, and work that goes on after a call has returned."""

    def measured(work: Sequence[float], repeats: int) -> tuple[float, int]:
        device = Device(work)
        seconds = answer(device.function, repeats, device.clock, device.synchronise)
        assert seconds is not None, "return the median"
        return float(seconds), device.calls

    expected = 1 + Device.LAUNCH
    seconds, _ = measured([1.0], repeats=1)
    assert not math.isclose(seconds, Device.LAUNCH), (
        "that is how long it takes to *start* the work: call synchronise() before the clock is "
        "read for the second time"
    )
    assert not math.isclose(seconds, expected + 1), (
        "work of the call before was still under way when the clock started: call synchronise() "
        "before the clock is read for the first time"
    )
    seconds, calls = measured([1.0], repeats=5)
    assert not math.isclose(seconds, 5 * expected), "time each call, not the sum of all"
    assert calls == 6, f"5 repeats are 5 calls that count and 1 that does not, got {calls}"

    seconds, _ = measured([100.0, 1.0, 2.0], repeats=2)
    assert math.isclose(seconds, 1.5 + Device.LAUNCH), (
        f"calls of 100, 1 and 2 seconds, of which the first is the warm-up: 1.5, not {seconds:.1f}."
        " The first call must not count, nor may its work run into the second"
    )
    seconds, _ = measured([1.0, 1.0, 50.0, 1.0], repeats=5)
    assert math.isclose(seconds, expected), (
        f"one call of five was interrupted and took 50 seconds: the median is 1, not {seconds:.1f}."
        " A mean remembers such a call"
    )
