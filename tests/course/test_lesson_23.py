"""Lesson 23: its check tells the likely mistakes apart."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from tagvis_lite.course.checks.lesson_23 import check_find_failure

Tables = Mapping[str, np.ndarray]


def best(table: np.ndarray) -> np.ndarray:
    overlap = table[1:, 1:]
    union = table[1:].sum(1, keepdims=True) + table[:, 1:].sum(0) - overlap
    ious: np.ndarray = (overlap / union).max(axis=1, initial=0)
    return ious


def verdict(
    table: np.ndarray,
    *,
    shares: Callable[[np.ndarray], np.ndarray] = lambda t: t[1:, 1:] / t[1:].sum(1, keepdims=True),
    missed_first: bool = True,
) -> str:
    share, worst = shares(table), best(table).argmin()
    missed = share.sum(1) < 0.5
    if missed[worst] and (missed_first or not share.size):
        return "missed"
    same = share.argmax(1) == share[worst].argmax()
    if (same & ~(missed & missed_first)).sum() > 1:
        return "merged"
    return "split" if share[worst].max() < 0.5 else "found"


def right(tables: Tables) -> tuple[str, str]:
    name = min(tables, key=lambda name: float(best(tables[name]).mean()))
    return name, verdict(tables[name])


def best_video(tables: Tables) -> tuple[str, str]:
    name = max(tables, key=lambda name: float(best(tables[name]).mean()))
    return name, verdict(tables[name])


def merged_before_missed(tables: Tables) -> tuple[str, str]:
    name, _ = right(tables)
    return name, verdict(tables[name], missed_first=False)


def shares_of_what_was_found(tables: Tables) -> tuple[str, str]:
    name, _ = right(tables)
    covered = tables[name][1:, 1:].sum(1, keepdims=True)
    missed = 2 * covered < tables[name][1:].sum(1, keepdims=True)
    return name, verdict(
        tables[name], shares=lambda t: np.where(missed, 0, t[1:, 1:] / np.maximum(covered, 1))
    )


def shares_of_the_instance(tables: Tables) -> tuple[str, str]:
    name, answer = right(tables)
    table = tables[name]
    purity = table[1:, 1:] / table[:, 1:].sum(0)
    return name, "split" if answer == "found" and purity[
        best(table).argmin()
    ].max() < 0.5 else answer


def smallest_recall(tables: Tables) -> tuple[str, str]:
    def recall(name: str) -> float:
        table = tables[name]
        return float((table[1:, 1:] / table[1:].sum(1, keepdims=True)).max(1, initial=0).mean())

    name = min(tables, key=recall)
    return name, verdict(tables[name])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda tables: right(tables)[0], "return two things"),
        (best_video, "that is the best video"),
        (lambda tables: (right(tables)[0], "split"), "instance 1 holds 9 of 10"),
        (lambda tables: (right(tables)[0], "merged"), "no instance at all"),
        (merged_before_missed, "Ask 'missed' before 'merged'"),
        (shares_of_what_was_found, "those in the background too"),
        (shares_of_the_instance, "not of the instance"),
        (smallest_recall, "divides by the union"),
    ],
)
def test_likely_mistakes_are_named(
    answer: Callable[[Tables], tuple[str, str]], message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        check_find_failure(answer)


def test_the_right_answer_passes() -> None:
    check_find_failure(right)
