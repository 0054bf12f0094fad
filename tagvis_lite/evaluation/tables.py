"""Scores as tables for people: Markdown whose columns also line up in a terminal."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tagvis_lite.evaluation.average_precision import YoutubeVISScores
from tagvis_lite.evaluation.davis import DavisScores

Cell = str | int | float


def markdown_table(rows: Sequence[Mapping[str, Cell]]) -> str:
    """A Markdown table with a column for each key of the first row.

    Floats are shares, shown in percent with one decimal as in the paper's tables; columns of
    numbers are aligned right.
    """
    columns = list(rows[0])
    text = [[cell_text(row[column]).replace("|", "\\|") for column in columns] for row in rows]
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


def davis_tables(methods: Mapping[str, DavisScores]) -> str:
    """The protocol, J, F and assignment of every object, the global measures, and notes."""
    protocol = next(iter(methods.values())).protocol
    objects: dict[tuple[Cell, Cell], dict[str, Cell]] = {}
    for name, scores in methods.items():
        for row in scores.per_object_table():
            shown = objects.setdefault((row["Sequence"], row["Object"]), {})
            shown |= {"Sequence": row["Sequence"], "Object": row["Object"]}
            if len(methods) == 1:
                keys = ("Proposal", "J&F-Mean", "J-Mean", "F-Mean")
                shown |= {key: row[key] for key in keys}
            else:
                shown |= {name: row["J&F-Mean"]}
    what = "" if len(methods) == 1 else "; J&F-Mean of each object"
    overall: list[dict[str, Cell]] = [
        {**_named(name, methods), **scores.global_table()} for name, scores in methods.items()
    ]
    parts = [f"{protocol.name}: {protocol.rules}{what}", markdown_table(list(objects.values()))]
    notes = dict.fromkeys(note for scores in methods.values() for note in scores.notes())
    return "\n\n".join([*parts, markdown_table(overall), *_noted(notes)])


def youtube_vis_tables(
    methods: Mapping[str, YoutubeVISScores],
    protocol: str = "youtube-vis",
    notes: Collection[str] = (),
) -> str:
    """The protocol, AP and AR of every category with ground truth and of all, and notes."""
    rows = [
        _named(name, methods) | row for name, scores in methods.items() for row in scores.table()
    ]
    rules = "AP over ten IoUs of tracks; at most 100 detections in each video and category"
    return "\n\n".join([f"{protocol}: {rules}", markdown_table(rows), *_noted(notes)])


def _noted(notes: Collection[str]) -> list[str]:
    return ["\n".join(f"note: {note}" for note in notes)] if notes else []


def _named(name: str, methods: Mapping[str, object]) -> dict[str, Cell]:
    return {} if len(methods) == 1 else {"Method": name}


def cell_text(cell: Cell) -> str:
    """A share in percent; anything else as it is."""
    return f"{100 * cell:.1f}" if isinstance(cell, float) else str(cell)
