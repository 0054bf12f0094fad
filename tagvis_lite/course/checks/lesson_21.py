"""Lesson 21: an ablation is one change; is its difference more than chance?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import FrozenInstanceError, replace

from scipy import stats

from tagvis_lite.config import SMOKE, Config, config_to_dict

Change = Callable[[Config], Config]
Difference = Callable[[Sequence[float], Sequence[float]], tuple[float, float]]


def check_half_push(answer: Change) -> None:
    """Halve odd weights, so that no fixed number can be right, and look for other changes."""
    config = replace(SMOKE, loss=replace(SMOKE.loss, specter=10.0, temper=6.0))
    try:
        changed = answer(config)
    except FrozenInstanceError as error:
        raise AssertionError(
            "a configuration cannot be changed in place: make a changed one with replace"
        ) from error
    assert isinstance(changed, Config), (
        f"return a whole Config, not {type(changed).__name__}: replace(config, loss=...)"
    )
    loss = changed.loss
    assert loss.specter and loss.temper, (  # noqa: PT018
        "a weight of 0 leaves the term out, as a row of Table III does: this control keeps both"
    )
    assert (loss.specter, loss.temper) != (2.0, 2.0), (
        "2 is half of the toy profile's 4: halve the weight that the given config has"
    )
    assert (loss.specter == 10) == (loss.temper == 6), "one push is halved, the other is as it was"
    assert (loss.specter, loss.temper) == (5, 3), (
        f"from 10 and 6 you make {loss.specter:g} and {loss.temper:g}, expected 5 and 3"
    )
    expected = replace(config, loss=replace(config.loss, specter=5.0, temper=3.0))
    given, wanted = config_to_dict(changed), config_to_dict(expected)
    others = [name for name in wanted if given[name] != wanted[name]]
    assert not others, (
        f"{' and '.join(others)} differs in other fields too: then nobody knows which change did it"
    )


def check_paired_difference(answer: Difference) -> None:
    """Compare with scipy's paired t test on numbers whose pairs matter."""
    full, without = [40.0, 50.0, 60.0, 70.0], [38.0, 49.0, 57.0, 68.0]
    given = answer(full, without)
    assert isinstance(given, tuple) and len(given) == 2, (  # noqa: PT018
        f"return two numbers, the mean and half the width of its interval; got {given!r}"
    )
    mean, half = (float(value) for value in given)
    test = stats.ttest_rel(without, full)
    low, high = test.confidence_interval(0.95)
    expected = (high - low) / 2
    assert abs(mean - 2.0) > 1e-9, (
        "the sign is turned around: without minus full, a loss is negative"
    )
    assert abs(mean + 2.0) < 1e-9, f"the mean difference is -2, you return {mean:.3f}"
    assert half < 5, (
        f"half a width of {half:.1f} is that of unpaired scores: subtract seed by seed first, the "
        "seeds share their luck"
    )
    assert abs(half - 1.96 * expected / stats.t.ppf(0.975, 3)) > 1e-3, (
        "1.96 is for many seeds; with four, Student's t has 3.18"
    )
    assert abs(half - expected / 2) > 1e-3, "divide by the root of the number of seeds, not by it"
    assert abs(half - expected) < 1e-3, (
        f"scipy says {expected:.3f}, you return {half:.3f}. Is the standard deviation that of a "
        "sample (ddof=1)?"
    )
