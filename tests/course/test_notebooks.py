"""Guards over the committed notebooks: as their sources say, run through, light, and readable."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from nbconvert import ScriptExporter, SlidesExporter
from nbformat import NotebookNode

from tagvis_lite.course.build import FOLDED, KEPT, NOTEBOOKS, WIDGET_VIEW, lesson_sources
from tagvis_lite.course.build import notebook_from_source as from_source

SOURCES = lesson_sources()
PARAMETERS = ["PROFILE", "SEED", "DATA", "OUT"]
HEADINGS = [
    "What you will learn",
    "A question",
    "The paper",
    "In code",
    "By hand",
    "The picture",
    "Try it",
    "The paper does not say",
    "Exercise",
    "Quiz",
    "In the package",
    "Metrics",
    "Summary",
]
COURSE = [source.stem for source in SOURCES]
MAX_BYTES = 310_000
MAX_WIDTH = 800
"""CSS pixels of a figure: ten inches."""

lesson = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)


def target(source: Path) -> Path:
    return NOTEBOOKS / f"{source.stem}.ipynb"


@cache
def notebook(source: Path) -> NotebookNode:
    return nbformat.read(target(source), as_version=4)


def code_cells(source: Path) -> list[NotebookNode]:
    return [cell for cell in notebook(source).cells if cell.cell_type == "code"]


def outputs(source: Path) -> list[NotebookNode]:
    return [output for cell in code_cells(source) for output in cell.outputs]


def tags(cell: NotebookNode) -> list[str]:
    return list(cell.metadata.get("tags", []))


def prose(source: Path) -> str:
    return "\n\n".join(c.source for c in notebook(source).cells if c.cell_type == "markdown")


def images(source: Path) -> list[re.Match[str]]:
    """The pictures of a lesson, each with its text, its width in CSS pixels and its file."""
    shown = "".join(output.get("data", {}).get("text/html", "") for output in outputs(source))
    return list(re.finditer(r'<img alt="([^"]*)" width="(\d+)"[^>]* src="data:image/', shown))


def test_every_notebook_has_a_source_and_every_number_one_lesson() -> None:
    built = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
    assert built == COURSE


# As the source says


@lesson
def test_notebook_equals_its_source(source: Path) -> None:
    """`make notebooks` rebuilds what has changed."""
    wanted = from_source(source)

    def form(cells: Sequence[NotebookNode]) -> list[tuple[Any, ...]]:
        kept = [{k: c.metadata[k] for k in KEPT if k in c.metadata} for c in cells]
        return [(c.cell_type, c.id, c.source, m) for c, m in zip(cells, kept, strict=True)]

    assert form(notebook(source).cells) == form(wanted.cells)
    assert notebook(source).metadata == wanted.metadata


@lesson
def test_notebook_is_valid_and_normalised(source: Path) -> None:
    nbformat.validate(notebook(source))
    assert {key for cell in notebook(source).cells for key in cell.metadata} <= set(KEPT)
    assert not any(WIDGET_VIEW in output.get("data", {}) for output in outputs(source))


# It ran through


@lesson
def test_every_cell_was_run_in_order_and_none_complained(source: Path) -> None:
    counts = [cell.execution_count for cell in code_cells(source)]
    assert counts == list(range(1, len(counts) + 1))
    kinds = {(o.output_type, o.get("name")) for o in outputs(source)}
    assert not any(kind == "error" or name == "stderr" for kind, name in kinds)


@lesson
def test_some_output_is_checked(source: Path) -> None:
    checked = [cell for cell in code_cells(source) if "nbval-check-output" in tags(cell)]
    assert checked
    assert all(cell.outputs for cell in checked)


@lesson
def test_numbers_are_rounded_where_they_are_compared(source: Path) -> None:
    """More than four significant digits differ from processor to processor."""
    for cell in code_cells(source):
        if "nbval-check-output" in tags(cell):
            text = "".join(output.get("text", "") for output in cell.outputs)
            decimals = re.findall(r"\d+\.\d+(?!\d*[-.])", text)
            long = [n for n in decimals if len(n.replace(".", "").lstrip("0")) > 4]
            assert long == [], cell.source


@lesson
def test_metrics_are_recorded_and_asserted(source: Path) -> None:
    code = [cell.source for cell in code_cells(source)]
    recorded = [k for k, text in enumerate(code) if f'record("{source.stem[:2]}"' in text]
    assert len(recorded) == 1
    assert any(re.search(r"^assert ", text, re.MULTILINE) for text in code[recorded[0] :])


@lesson
def test_parameters_are_those_that_the_runner_sets(source: Path) -> None:
    found = papermill.inspect_notebook(str(target(source)))
    assert list(found)[:4] == PARAMETERS
    assert all(parameter["help"] for parameter in found.values()), "a comment beside each"


# Its form


@lesson
def test_headings_are_those_of_every_lesson(source: Path) -> None:
    text = re.sub(r"^```.*?^```", "", prose(source), flags=re.MULTILINE | re.DOTALL)
    assert re.match(rf"# {source.stem[:2]} · \S", text)
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS


@lesson
def test_three_aims_and_three_questions(source: Path) -> None:
    parts = re.split(r"^## (.+)$", prose(source), flags=re.MULTILINE)
    section = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert len(re.findall(r"^- ", section["What you will learn"], re.MULTILINE)) == 3
    assert section["Quiz"].count("<details>") == section["Quiz"].count("</details>") == 3


def test_the_colab_cell_is_the_same_everywhere() -> None:
    found = [[c.source for c in code_cells(source) if "colab" in tags(c)] for source in SOURCES]
    assert all(cells == found[0] and len(cells) == 1 for cells in found)


@lesson
def test_lessons_are_linked_to_their_neighbours_and_to_files_that_exist(source: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", prose(source))
    relative = [link for link in links if not re.match(r"[a-z]+:", link)]
    lessons = {f"{name}.ipynb" for name in COURSE}
    assert [x for x in relative if x not in lessons and not (NOTEBOOKS / x).exists()] == []
    place = COURSE.index(source.stem)
    neighbours = [name for k, name in enumerate(COURSE) if abs(k - place) == 1]
    assert {f"{name}.ipynb" for name in neighbours} <= set(relative)


@lesson
def test_code_cells_are_short(source: Path) -> None:
    cells = [cell for cell in code_cells(source) if not FOLDED & set(tags(cell))]
    lines = [len(cell.source.splitlines()) for cell in cells]
    assert statistics.median(lines) <= 9
    assert max(lines) <= 25


@lesson
def test_no_notebook_imports_another_or_hides_what_it_plots(source: Path) -> None:
    code = "\n".join(cell.source for cell in code_cells(source))
    assert not re.search(r"^\s*(?:from|import) +(?:notebooks|nbimporter|matplotlib\.pyplot)", code)
    assert not re.search(r"^\s*%|^\s*!", code, re.MULTILINE)


# What a reader sees of it

MOST_PLUMBING = 0.15
"""Of the visible lines of code; plumbing imports, draws, asserts, claims or records."""
FIRST_PICTURE = 150
"""Words before it."""
LED_TO = 0.8
"""Of the visible cells of code have prose before them."""
NOT_YET = {"17", "22"}
"""Lessons that miss one of the three."""
DRAWN = {"axis", "axes", "figure", "show", "subplots", "explore", "record", "claim"}
"""Names by which a statement is known as plumbing."""


def plumbing(nodes: Sequence[ast.stmt]) -> int:
    """Lines of statements that import, draw, assert, claim or record."""
    lines = 0
    for node in nodes:
        inner = [part for name in ("body", "orelse") for part in getattr(node, name, [])]
        heads = [child for child in ast.iter_child_nodes(node) if child not in inner]
        names = {n.id for head in heads for n in ast.walk(head) if isinstance(n, ast.Name)}
        names |= {n.arg for head in heads for n in ast.walk(head) if isinstance(n, ast.arg)}
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.Assert)) or names & DRAWN:
            lines += (node.end_lineno or node.lineno) - node.lineno + 1
        else:
            lines += plumbing(inner)
    return lines


def readability(source: Path) -> tuple[float, int, float]:
    """Share of plumbing in sight, words before the first picture, share of cells with prose."""
    seen = drawn = words = cells = led_to = 0
    first, before = None, ""
    for cell in notebook(source).cells:
        shown = "".join(o.get("data", {}).get("text/html", "") for o in cell.get("outputs", []))
        if first is None and ("<img" in shown or "<svg" in shown or "![" in cell.source):
            first = words
        if cell.cell_type == "markdown":
            words += len(cell.source.split())
        elif FOLDED & set(tags(cell)):
            continue  # what is folded stands between no sentence and its code
        elif not {"check", "exercise"} & set(tags(cell)):
            seen += sum(1 for line in cell.source.splitlines() if line.strip())
            drawn += plumbing(ast.parse(cell.source).body)
            cells += 1
            led_to += before == "markdown"
        before = cell.cell_type
    return drawn / max(1, seen), words if first is None else first, led_to / max(1, cells)


@lesson
def test_code_in_sight_is_the_idea_and_a_picture_comes_first(source: Path) -> None:
    share, first, led_to = readability(source)
    good = share < MOST_PLUMBING and first <= FIRST_PICTURE and led_to >= LED_TO
    report = f"plumbing {share:.0%}, first picture after {first} words, led to {led_to:.0%}"
    assert good != (source.stem[:2] in NOT_YET), report


def test_plumbing_is_told_from_the_idea() -> None:
    code = """import torch
h = tags.mean()
for axis, tag in zip(axes, tags):
    axis.plot(tag)
    axis.legend()
for n in ids:
    figure.suptitle(n)
    h = h + n
assert h"""
    assert plumbing(ast.parse(code).body) == 1 + 3 + 1 + 1


# Its figures


@lesson
def test_figures_have_a_text_and_are_small(source: Path) -> None:
    assert images(source), "a lesson has at least one figure"
    for image in images(source):
        assert len(image[1].split()) >= 6
        assert int(image[2]) <= MAX_WIDTH
    kinds = {kind for output in outputs(source) for kind in output.get("data", {})}
    assert not kinds & {"image/png", "image/svg+xml"}, "pictures that carry no text"


@lesson
def test_notebook_is_light(source: Path) -> None:
    assert target(source).stat().st_size < MAX_BYTES


@lesson
def test_no_cell_ends_with_a_leftover(source: Path) -> None:
    """Such as `Text(0.5, 1.0, ...)` below a cell whose last line sets a title."""
    shown = [
        o.data["text/plain"] for o in outputs(source) if list(o.get("data", {})) == ["text/plain"]
    ]
    assert [text for text in shown if re.match(r"\[?<|\[?Text\(", text)] == []


@lesson
def test_it_can_become_a_script_and_slides(source: Path) -> None:
    script, resources = ScriptExporter().from_notebook_node(notebook(source))
    assert resources["output_extension"] == ".py"
    compile(script, source.name, "exec")
    slides, _ = SlidesExporter().from_notebook_node(notebook(source))
    assert slides.count("<section>") > len(HEADINGS)
    assert "TAGVIS_INSTALL" not in slides


@lesson
def test_no_output_names_a_place_or_a_time(source: Path) -> None:
    texts: list[Any] = [o.get("text", "") for o in outputs(source)]
    texts += [text for o in outputs(source) for text in o.get("data", {}).values()]
    plain = "\n".join(t for t in texts if isinstance(t, str) and not re.fullmatch(r"[\w+/=\s]+", t))
    plain = re.sub(r"base64,[\w+/=]+", "", plain)  # pictures, in which any letters may meet
    assert not re.search(r"(?<![\w.])/(?:home|root|tmp|work|usr|Users)/", plain)
    assert not re.search(r"0x[0-9a-f]{6,}|\d\d:\d\d:\d\d", plain)
