"""What a check finds in results: errors, which a server refuses or scores wrongly, and warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SHOWN = 3
"""Findings of one kind that are listed; the rest are counted."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or odd.

    Attributes:
        kind: what it has in common with others, in a few words.
        where: file or entry.
        message: what is wrong there, and how to mend it.
        warning: whether a server takes it nevertheless, and scores it as it is meant.
    """

    kind: str
    where: str
    message: str
    warning: bool = False

    @classmethod
    def of(cls, kind: str, where: object, problem: object) -> Finding:
        """An error whose text names the place first."""
        return cls(kind, str(where), str(problem).removeprefix(str(where)).lstrip(" :,"))

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


def summary(findings: Sequence[Finding]) -> str:
    """Errors, then warnings, grouped by kind; at most three lines of each kind."""
    grouped: dict[tuple[bool, str], list[Finding]] = {}
    for finding in sorted(findings, key=lambda finding: finding.warning):
        grouped.setdefault((finding.warning, finding.kind), []).append(finding)
    lines = []
    for (warning, kind), of_kind in grouped.items():
        lines += [f"{'warning' if warning else 'error'}: {f}" for f in of_kind[:SHOWN]]
        if len(of_kind) > SHOWN:
            lines.append(f"  and {len(of_kind) - SHOWN} more like this ({kind})")
    errors = sum(not finding.warning for finding in findings)
    warnings = len(findings) - errors
    if not errors:
        return "\n".join([*lines, f"nothing a server would refuse; warnings: {warnings}"])
    return "\n".join([*lines, f"errors: {errors}, warnings: {warnings}"])
