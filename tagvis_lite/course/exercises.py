"""Exercises: one source holds the solution, the notebook shows a stub and folds the solution away.

In notebooks/src an exercise is a code cell tagged `exercise`, the answer between two marks:

    def gradient(tags):
        ### BEGIN SOLUTION
        return ...
        ### END SOLUTION

In the notebook a `raise NotImplementedError` stands there instead, and the solution, folded, after
the cell tagged `check`. Exercise cells use no name but those of the cells tagged `imports`.
"""

from __future__ import annotations

import dis
import re
from collections.abc import Callable
from types import CodeType
from typing import Any

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
_SOLUTION = re.compile(
    rf"^(?P<indent> *){BEGIN}\n(?P<body>.*?)^ *{END}\n?", re.MULTILINE | re.DOTALL
)


def check(answer: Callable[..., Any], test: Callable[[Callable[..., Any]], None]) -> None:
    """Try an answer and say how it went; never raises, so that the notebook runs on.

    Args:
        answer: the reader's function.
        test: raises AssertionError, with the likely mistake for a message, on a wrong answer.
    """
    try:
        test(answer)
    except NotImplementedError as error:
        print(f"Your turn: {error}")
    except AssertionError as error:
        print(f"Not yet: {error}")
    except Exception as error:
        print(f"{answer.__name__} stopped with {type(error).__name__}: {error}")
    else:
        print(f"Right: {answer.__name__} passes.")


def has_a_loop(answer: Callable[..., Any]) -> bool:
    """Whether a function loops in Python, by `for`, `while` or a comprehension."""

    def loops(code: CodeType) -> bool:
        inner = [part for part in code.co_consts if isinstance(part, CodeType)]
        names = {step.opname for step in dis.get_instructions(code)}
        here = any(name == "FOR_ITER" or "BACKWARD" in name for name in names)
        return here or any(map(loops, inner))

    code = getattr(answer, "__code__", None)
    return isinstance(code, CodeType) and loops(code)


def stub(source: str) -> str:
    """The cell as the reader gets it, with the solution taken out.

    Raises:
        ValueError: the cell does not hold exactly one solution, or code follows it.
    """
    found = list(_SOLUTION.finditer(source + "\n"))
    if len(found) != 1:
        raise ValueError(f"an exercise needs one '{BEGIN}' and one '{END}', found {len(found)}")
    (match,) = found
    rest = (source + "\n")[match.end() :]
    if rest.strip():
        raise ValueError(f"an exercise ends with its solution, but {rest.strip()!r} follows")
    names = re.findall(r"^def (\w+)", source, flags=re.MULTILINE)
    if not names:
        raise ValueError("an exercise defines a function")
    line = (
        f'{match["indent"]}raise NotImplementedError("write {names[-1]}, then run the check below")'
    )
    return source[: match.start()] + line


def solution(source: str) -> str:
    """The cell with its answer, without the marks."""
    return "\n".join(line for line in source.splitlines() if line.strip() not in (BEGIN, END))
