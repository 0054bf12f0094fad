"""Docstrings as reStructuredText: what is drawn for the eye is not read as markup."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

COLUMNS = re.compile(r"\S {2,}\S|[─│▶]")
BARS = re.compile(r"\|(?=[^|`\n]+\|)")


def as_drawn(
    app: Sphinx, what: str, name: str, target: Any, options: Any, lines: list[str]
) -> None:
    """Keep columns and arrows in a module's docstring, and |x| as a magnitude, not a substitution.

    A paragraph that is set in columns becomes a literal block.
    """
    lines[:] = [BARS.sub(r"\|", line) for line in lines]
    if what != "module":
        return
    paragraphs = "\n".join(lines).split("\n\n")
    for i, paragraph in enumerate(paragraphs):
        rows = paragraph.splitlines()
        if any(COLUMNS.search(row.strip()) for row in rows):
            paragraphs[i] = "::\n\n" + "\n".join(f"    {row}" for row in rows)
    lines[:] = "\n\n".join(paragraphs).splitlines()


def setup(app: Sphinx) -> dict[str, bool]:
    """Run before the docstrings are parsed."""
    app.connect("autodoc-process-docstring", as_drawn)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
