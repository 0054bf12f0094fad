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


def check_chance_finds(answer: Callable[[], float]) -> None:
    """Eleven independent tests at 95 %."""
    given = float(answer())
    assert 0 <= given <= 1, "a probability is between 0 and 1"
    assert abs(given - 0.05) > 1e-3, "this is the chance of one test; there are eleven"
    assert abs(given - 0.55) > 1e-3, "chances add up only where one find excludes others: too much"
    assert abs(given - 0.95**11) > 1e-3, "this is the chance that no test finds anything"
    assert abs(given - (1 - 0.95**11)) < 5e-3, (
        f"not {given:.2f}: one test keeps quiet with 0.95. And all eleven?"
    )


def check_unpaired_difference(answer: Difference) -> None:
    """Compare with scipy's test of two rows of unequal size and equal scatter."""
    full, without = [40.0, 50.0, 60.0, 70.0], [41.0, 44.0, 47.0]
    given = answer(full, without)
    assert isinstance(given, tuple) and len(given) == 2, (  # noqa: PT018
        f"return two numbers, the mean and half the width of its interval; got {given!r}"
    )
    mean, half = (float(value) for value in given)

    def width(equal: bool) -> float:
        test = stats.ttest_ind(without, full, equal_var=equal).confidence_interval(0.95)
        return float(test.high - test.low) / 2

    expected, factor = width(True), float(stats.t.ppf(0.975, 5))
    assert abs(mean - 11.0) > 1e-9, (
        "the sign is turned around: without minus full, a loss is negative"
    )
    assert abs(mean + 11.0) < 1e-9, f"the mean difference is -11, you return {mean:.3f}"
    assert abs(half - width(False)) > 1e-3, (
        "this is Welch's interval, for rows that scatter unequally: pool the two variances"
    )
    assert abs(half - 1.96 * expected / factor) > 1e-3, (
        f"1.96 is for many seeds; with five degrees of freedom Student's t has {factor:.2f}"
    )
    assert abs(half - expected) < 1e-3, (
        f"scipy says {expected:.3f}, you return {half:.3f}. Are the variances those of samples "
        "(ddof=1), weighed by n - 1, and has t the degrees of freedom of both rows?"
    )
