"""What a field of the config takes: types with ranges, checked when a value is given.

margin: Annotated[float, Range(above=0)] = 3.0
widths: tuple[Width, Width, Width] = (64, 128, 256)
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints


@dataclass(frozen=True)
class Range:
    """The numbers that a field takes; a number must meet every limit that is given."""

    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None
    multiple_of: int | None = None

    def __contains__(self, number: float) -> bool:
        return (
            (self.at_least is None or number >= self.at_least)
            and (self.at_most is None or number <= self.at_most)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
            and (self.multiple_of is None or number % self.multiple_of == 0)
        )

    def __str__(self) -> str:
        limits = ((name.replace("_", " "), limit) for name, limit in vars(self).items())
        return " and ".join(f"{name} {limit}" for name, limit in limits if limit is not None)


Count = Annotated[int, Range(at_least=1, at_most=2**31 - 1)]
Weight = Annotated[float, Range(at_least=0)]
Share = Annotated[float, Range(at_least=0, at_most=1)]
Width = Annotated[int, Range(at_least=2, at_most=2**31 - 1)]
Scale = Annotated[int, Range(at_least=2, multiple_of=2)]
Deviation = Annotated[float, Range(above=0)]
Coefficient = Annotated[float, Range(at_least=-1000, at_most=1000)]


def fits(value: object, hint: Any) -> bool:
    """Whether a field of the type `hint` takes the value."""
    kind, parts = get_origin(hint), get_args(hint)
    if kind is Annotated:
        return fits(value, parts[0]) and value in parts[1]
    if kind in (Union, UnionType):
        return any(fits(value, part) for part in parts)
    if kind is Literal:
        return isinstance(value, str) and value in parts
    if kind is tuple:
        if not isinstance(value, tuple):
            return False
        parts = parts[:1] * len(value) if parts[-1] is ... else parts
        return len(value) == len(parts) and all(map(fits, value, parts))
    if isinstance(value, bool):
        return hint is bool
    if hint is float:
        return isinstance(value, int | float) and abs(value) <= sys.float_info.max
    return isinstance(value, hint)


def in_words(hint: Any) -> str:
    """What a field of the type `hint` takes, such as 'a number above 0'."""
    kind, parts = get_origin(hint), get_args(hint)
    if kind is Annotated:
        return f"{in_words(parts[0])} {parts[1]}"
    if kind in (Union, UnionType):
        return " or ".join(map(in_words, parts))
    if kind is Literal:
        return f"one of {', '.join(parts)}"
    if kind is tuple:
        number = "any number" if parts[-1] is ... else len(parts)
        return f"a tuple of {number}, each {in_words(parts[0])}"
    names = {int: "an integer", float: "a number", bool: "true or false", NoneType: "none"}
    return names[hint]


class Ranged:
    """Base of a section of the config: every field is of its type and in its range.

    Raises:
        ValueError: names the section and field, its value and what was expected.
    """

    def __post_init__(self) -> None:
        section = type(self).__name__.removesuffix("Config").lower()
        for name, hint in hints_of(type(self)).items():
            value = getattr(self, name)
            if not fits(value, hint):
                raise ValueError(
                    f"{section}.{name} is {shortened(value)}, expected {in_words(hint)}"
                )


def hints_of(section: Any) -> dict[str, Any]:
    """The type of each field of a dataclass, ranges included."""
    return get_type_hints(section, include_extras=True)


def shortened(value: object) -> str:
    """A value for an error message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
