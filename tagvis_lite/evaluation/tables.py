"""Scores as tables for people: Markdown whose columns also line up in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tagvis_lite.evaluation.average_precision import YoutubeVISScores
from tagvis_lite.evaluation.davis import DavisScores

Cell = str | int | float


def markdown_table(rows: Sequence[Mapping[str, Cell]]) -> str:
    """A Markdown table with a column for each key of the first row.

    Floats are shares, shown in percent with one decimal as in the paper's tables; columns of
    numbers are aligned right.
    """
    columns = list(rows[0])
    text = [[_text(row[column]) for column in columns] for row in rows]
    widths = [
        max(len(column), *(len(cells[k]) for cells in text)) for k, column in enumerate(columns)
    ]
    numeric = [any(not isinstance(row[column], str) for row in rows) for column in columns]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, numeric, strict=True)
        )
        return f"| {' | '.join(padded)} |"

    rule = "|".join(
        "-" * (width + 1) + (":" if right else "-")
        for width, right in zip(widths, numeric, strict=True)
    )
    return "\n".join([line(columns), f"|{rule}|", *(line(cells) for cells in text)])


def davis_tables(scores: DavisScores) -> str:
    """The global measures, then the J, F and assignment of every object."""
    objects = [
        {
            key: row[key]
            for key in ("Sequence", "Object", "Proposal", "J&F-Mean", "J-Mean", "F-Mean")
        }
        for row in scores.per_object_table()
    ]
    return f"{markdown_table(objects)}\n\n{markdown_table([scores.global_table()])}"


def youtube_vis_tables(scores: YoutubeVISScores) -> str:
    """AP and AR of every category with ground truth, and of all."""
    return markdown_table(scores.table())


def _text(cell: Cell) -> str:
    return f"{100 * cell:.1f}" if isinstance(cell, float) else str(cell).replace("|", "\\|")
