"""The teaching guide speaks of every lesson, under its title, and of each the same things."""

import re
from pathlib import Path

from tagvis_lite.course.build import ROOT, lesson_sources

GUIDE = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")


def title(source: Path) -> str:
    return source.read_text(encoding="utf-8").splitlines()[1].removeprefix("# # ")


def test_every_lesson_has_its_plan() -> None:
    assert re.findall(r"^### (.+)$", GUIDE, re.MULTILINE) == [title(s) for s in lesson_sources()]
    for source, part in zip(lesson_sources(), GUIDE.split("\n### ")[1:], strict=True):
        assert f"(../notebooks/{source.stem}.ipynb)" in part
        assert re.search(r"\b\d\d minutes", part)
        assert re.findall(r"^- \*\*(.+?):\*\*", part, re.MULTILINE) == [
            "Board",
            "Usual mistakes",
            "Answer to the question",
            "Leave out, if time is short",
        ]


def test_the_paths_name_lessons_that_exist() -> None:
    paths = GUIDE.split("## Lesson by lesson")[0]
    rows = [
        cell for line in paths.splitlines() if line.startswith("| ") for cell in line.split("|")[2:]
    ]
    named = set(re.findall(r"\b[0-2]\d\b", " ".join(rows)))
    assert named <= {s.stem[:2] for s in lesson_sources()}
    assert len(named) >= 20
