"""Claims under test: what a lesson states as a fact, bound to the check that it holds.

A figure title, a quiz answer, a 'because' or a line of a summary that states a fact is a claim:

    apart = claim("The pull alone does not part them", share < 0.5, over=f"{n} starts")
    figure.suptitle(apart)

In prose the same claim is named by its variable, in a comment that no reader sees:

    - The pull alone does not part crossing tracks. <!-- claim: apart -->

A sentence that needs no check of this lesson says why: `<!-- given: the paper, section III-B -->`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from IPython.display import display


@dataclass(frozen=True)
class Claim:
    """A sentence, whether it holds here, and what that rests on ('64 starts', '16 videos')."""

    sentence: str
    holds: bool
    over: str


class Claims(list[Claim]):
    """The claims of a lesson so far; `on_own_data` where DATA names videos of the reader's own."""

    on_own_data: bool = False


CLAIMS = Claims()
"""Of the lesson that runs in this kernel; `setup` empties it, `record` keeps it."""


def claim(sentence: str, holds: Any, *, over: str) -> str:
    """State a fact that was checked, and show it with what it rests on.

    Args:
        sentence: the fact, as a reader should take it away; Markdown, `$...$` for mathematics.
        holds: whether the check came out so: one truth value, of Python, NumPy or torch.
        over: what was checked, with its number: '64 starts', '151 objects of 48 videos'.

    Returns:
        The sentence, for a title. On the reader's own data a sentence that does not hold comes
        back as 'Not so on this data: ...'.

    Raises:
        AssertionError: it does not hold, on the data that the lesson was written on.
        ValueError: no sentence, or nothing that it rests on.

    Example:
        >>> claim("The mean lies between the extremes", 1 < 2 < 3, over="3 numbers")
        ✓ The mean lies between the extremes (3 numbers)
        'The mean lies between the extremes'
    """
    if not sentence.strip() or not over.strip():
        raise ValueError(f"a claim needs a sentence and what it rests on: {sentence=}, {over=}")
    made = Claim(sentence, bool(holds), over)
    if not made.holds and not CLAIMS.on_own_data:
        raise AssertionError(f"{sentence}: does not hold over {over}")
    if made not in CLAIMS:  # a cell that is run again states nothing new
        CLAIMS.append(made)
    mark, text = ("✓", sentence) if made.holds else ("✗", f"Not so on this data: {sentence}")
    shown = {
        "text/markdown": f"{mark} **{text}** ({over})",
        "text/plain": f"{mark} {text} ({over})",
    }
    display(shown, raw=True)
    return text
