"""Every exercise: its stub fails its check with a word on what to do, its solution passes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jupytext
import pytest
import torch

from tagvis_lite.course import check
from tagvis_lite.course.build import lesson_sources
from tagvis_lite.course.exercises import solution, stub

SOURCES = lesson_sources()


def cells(source: Path, tag: str) -> list[str]:
    notebook = jupytext.read(source, fmt="py:percent")
    return [c.source for c in notebook.cells if tag in c.metadata.get("tags", [])]


def exercises() -> list[Any]:
    """A test case for each exercise: the lesson, the cell with the solution, its check cell."""
    cases = []
    for source in SOURCES:
        pairs = zip(cells(source, "exercise"), cells(source, "check"), strict=True)
        cases += [
            pytest.param(source, *pair, id=f"{source.stem}-{k}") for k, pair in enumerate(pairs)
        ]
    return cases


def run(source: Path, exercise: str, check_cell: str) -> None:
    """Run the cells an exercise may build on, the exercise, and its check."""
    namespace: dict[str, Any] = {}
    with torch.enable_grad():  # a lesson may switch it off for itself
        for cell in [*cells(source, "parameters"), *cells(source, "imports"), exercise, check_cell]:
            exec(cell, namespace)


def test_every_lesson_has_an_exercise() -> None:
    assert SOURCES
    assert [s.stem for s in SOURCES if not cells(s, "exercise") and s.stem[:2] != "24"] == []


@pytest.mark.parametrize(("source", "exercise", "check_cell"), exercises())
def test_the_stub_fails_its_check_and_says_what_to_do(
    source: Path, exercise: str, check_cell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(source, stub(exercise), check_cell)
    name = re.findall(r"^def (\w+)", exercise, flags=re.MULTILINE)[-1]
    assert capsys.readouterr().out == f"Your turn: write {name}, then run the check below\n"


@pytest.mark.parametrize(("source", "exercise", "check_cell"), exercises())
def test_the_solution_passes_its_check(
    source: Path, exercise: str, check_cell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(source, solution(exercise), check_cell)
    assert re.fullmatch(r"Right: \w+ passes\.\n", capsys.readouterr().out)


@pytest.mark.parametrize(("source", "exercise", "check_cell"), exercises())
def test_an_answer_of_the_wrong_kind_is_told_so(
    source: Path, exercise: str, check_cell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = re.findall(r"^def (\w+)", exercise, flags=re.MULTILINE)[-1]
    run(source, f"def {name}(*arguments, **options):\n    return None", check_cell)
    assert re.match(rf"Not yet: .|{name} stopped with .", capsys.readouterr().out)


# The machinery


SOURCE = """def double(x):
    y = x
    ### BEGIN SOLUTION
    return 2 * y
    ### END SOLUTION"""


def test_stub_and_solution_come_from_one_cell() -> None:
    assert stub(SOURCE).splitlines() == [
        "def double(x):",
        "    y = x",
        '    raise NotImplementedError("write double, then run the check below")',
    ]
    assert solution(SOURCE).splitlines() == ["def double(x):", "    y = x", "    return 2 * y"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def f():\n    return 1", "found 0"),
        (f"{SOURCE}\n{SOURCE}", "found 2"),
        (f"{SOURCE}\nprint(double(1))", "ends with its solution"),
        (SOURCE.replace("def double(x):", "if True:"), "defines a function"),
    ],
)
def test_an_exercise_that_cannot_be_taken_apart_is_refused(source: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stub(source)


def wants_two(answer: Callable[[], int]) -> None:
    if answer() != 2:
        raise AssertionError("one and one is two")


def answers(value: Any) -> Callable[[], Any]:
    def answer() -> Any:
        if isinstance(value, Exception):
            raise value
        return value

    return answer


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (2, "Right: answer passes."),
        (3, "Not yet: one and one is two"),
        (KeyError("x"), "answer stopped with KeyError: 'x'"),
        (NotImplementedError("write answer"), "Your turn: write answer"),
    ],
)
def test_check_says_how_it_went_and_never_raises(
    value: Any, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    check(answers(value), wants_two)
    assert capsys.readouterr().out == said + "\n"
