"""The equation ledger: every equation, figure and table of the paper, and where it lives here.

    python -m tagvis_lite.course.ledger                    (part of make notebooks)

writes docs/ledger.md. Lesson cells are found by their tags (`eq-2`, `fig-3`, `table-1`); functions
and tests stand below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jupytext

from tagvis_lite.atomic import write_atomically
from tagvis_lite.course.build import NOTEBOOKS, lesson_sources

LEDGER = NOTEBOOKS.parent / "docs" / "ledger.md"
LOSSES = "tests/test_losses.py"
NETWORK = "tests/model/test_network.py"
ATTENTION = "tests/model/test_attention.py"


@dataclass(frozen=True)
class Entry:
    """One equation, figure or table of the paper.

    Attributes:
        tag: of the lesson cells about it.
        what: its content, in a few words.
        code: functions and classes that are it, below `tagvis_lite`.
        test: a test that holds them to it.
        lesson: number of the lesson that teaches it.
    """

    tag: str
    what: str
    code: tuple[str, ...]
    test: str
    lesson: str

    @property
    def name(self) -> str:
        """As the paper prints it: Eq. (2), Fig. 3, Table I."""
        kind, number = self.tag.split("-")
        if kind == "eq":
            return f"Eq. ({number})"
        return f"Fig. {number}" if kind == "fig" else f"Table {'I' * int(number)}"


ENTRIES: Sequence[Entry] = (
    Entry(
        "eq-1",
        "mean tag h_n of an instance",
        ("losses.instance_means",),
        f"{LOSSES}::test_every_term_is_its_equation",
        "06",
    ),
    Entry(
        "eq-2",
        "L_spectra, pixels of an instance together",
        ("losses.spectra_loss",),
        f"{LOSSES}::test_every_term_is_its_equation",
        "06",
    ),
    Entry(
        "eq-3",
        "L_specter, instances apart",
        ("losses.specter_loss",),
        f"{LOSSES}::test_every_term_is_its_equation",
        "07",
    ),
    Entry(
        "eq-4",
        "L_tempra, an instance together over time",
        ("losses.tempra_loss",),
        f"{LOSSES}::test_every_term_is_its_equation",
        "08",
    ),
    Entry(
        "eq-5",
        "L_temper, instances apart in every frame",
        ("losses.temper_loss",),
        f"{LOSSES}::test_every_term_is_its_equation",
        "09",
    ),
    Entry(
        "eq-6",
        "L_tag, the sum of the four",
        ("losses.tagging_loss", "losses.tagging_terms"),
        f"{LOSSES}::test_overall_is_the_weighted_sum",
        "10",
    ),
    Entry(
        "eq-7",
        "L_overall, with cross-entropy",
        ("losses.overall_loss", "losses.semantic_loss"),
        f"{LOSSES}::test_overall_is_the_weighted_sum",
        "12",
    ),
    Entry(
        "fig-1",
        "the whole network",
        ("model.network.TagVIS",),
        f"{NETWORK}::test_every_size_printed_in_the_paper",
        "13",
    ),
    Entry(
        "fig-2",
        "Spatio-Temporal Attention",
        ("model.attention.literal_attention", "model.attention.pooled_attention"),
        f"{ATTENTION}::test_equals_loops_written_from_the_paper",
        "04",
    ),
    Entry(
        "fig-3",
        "Tag-Based Attention",
        ("model.attention.TagAttention",),
        f"{ATTENTION}::test_tag_attention_embeds_patches_of_the_tag_map_and_attends",
        "11",
    ),
    Entry(
        "fig-4",
        "Self-Attention",
        ("model.attention.per_frame_attention", "model.attention.Attention"),
        f"{ATTENTION}::test_self_attention_does_not_mix_frames",
        "12",
    ),
    Entry(
        "fig-5",
        "instances of whole videos",
        ("inference.predict_video", "views.overlay.overlay"),
        "tests/test_inference.py::test_videos_of_every_length",
        "21",
    ),
    Entry(
        "fig-6",
        "semantic masks of whole videos",
        ("model.semantics.SemanticDecoder",),
        f"{NETWORK}::test_every_size_printed_in_the_paper",
        "21",
    ),
    Entry(
        "table-1",
        "YouTube-VIS: AP, AR",
        ("evaluation.youtube_vis",),
        "tests/evaluation/test_youtube_vis.py::test_equals_the_literal_definition",
        "17",
    ),
    Entry(
        "table-2",
        "DAVIS'19 Unsupervised: J, F",
        ("evaluation.davis.evaluate_davis",),
        "tests/evaluation/test_davis.py::test_equals_the_definition_to_the_last_bit",
        "16",
    ),
    Entry(
        "table-3",
        "what is lost without each part",
        ("config.ModelConfig", "config.LossConfig"),
        f"{NETWORK}::test_each_row_of_table_3_trains_all_it_has_left",
        "18",
    ),
)


def lesson_cells() -> dict[str, list[Path]]:
    """The lessons that have a cell tagged with each equation, figure or table."""
    known = {entry.tag for entry in ENTRIES}
    found: dict[str, list[Path]] = {}
    for source in lesson_sources():
        for cell in jupytext.read(source, fmt="py:percent").cells:
            for tag in known & set(cell.metadata.get("tags", [])):
                found.setdefault(tag, []).append(source)
    return found


def ledger() -> str:
    """The text of docs/ledger.md."""
    cells = lesson_cells()
    lines = [
        "# Equation ledger",
        "",
        "Every equation, figure and table of the paper: the lesson cell that explains it, the code",
        "that is it, and a test that holds the code to it. Made by `make notebooks`; a test fails",
        "when an entry points nowhere.",
        "",
        "| paper | what | lesson | code in `tagvis_lite` | test |",
        "|---|---|---|---|---|",
    ]
    for entry in ENTRIES:
        lessons = [
            f"[{source.stem[:2]}](../notebooks/{source.stem}.ipynb#The-paper)"
            for source in cells.get(entry.tag, [])
        ]
        code = ", ".join(f"`{name}`" for name in entry.code)
        path, _, name = entry.test.partition("::")
        lesson = ", ".join(lessons) or f"{entry.lesson}, not written yet"
        lines.append(f"| {entry.name} | {entry.what} | {lesson} | {code} | [`{name}`](../{path}) |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write docs/ledger.md."""
    write_atomically(LEDGER, lambda temporary: temporary.write_text(ledger(), encoding="utf-8"))


if __name__ == "__main__":
    main()
