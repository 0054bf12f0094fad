"""The files around the code agree with each other and with it, and the wings know their places."""

from __future__ import annotations

import ast
import dataclasses
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tagvis_lite.__main__ import main
from tagvis_lite.config import Config

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "tagvis_lite"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# Requirements


def test_lock_pins_every_requirement_with_hashes_and_names_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text()
    pinned = re.findall(
        r"^([a-z0-9-]+)==\S+(?: ; .*)? \\\n((?: +--hash=sha256:\w{64}.*\n)+)", text, re.M
    )
    lines = [line for line in text.splitlines() if re.match(r"[a-z]", line)]
    assert len(pinned) == len(lines)
    wanted = [*PYPROJECT["project"]["dependencies"], *PYPROJECT["build-system"]["requires"]]
    for group in (PYPROJECT["project"]["optional-dependencies"], PYPROJECT["dependency-groups"]):
        wanted += [line for lines in group.values() for line in lines if isinstance(line, str)]
    names = {re.match(r"[\w-]+", line)[0].lower() for line in wanted}  # type: ignore[index]
    assert names - {name for name, _ in pinned} == set(), "run make lock"
    assert not re.search(r"://| @ |-index|find-links|=/| /", text)
    assert [name for name, _ in pinned if name.startswith("opencv")] == ["opencv-python-headless"]


def test_environment_is_current() -> None:
    python = PYPROJECT["project"]["requires-python"]
    lines = (ROOT / "environment.yml").read_text().splitlines()
    assert f"  - python {python}" in lines, "run make lock"
    assert "      - -e .[lab]" in lines


# Wings

METHOD = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"} | {
    "clips",
    "instances",
    "model",
    "training",
}
MAY_IMPORT = {
    "method": {"evaluation"},  # training validates
    "paper": {"method"},
    "data": {"method"},
    "evaluation": {"method", "data"},  # data: the readers of both benchmarks' files
    "views": {"method", "data", "evaluation"},
    "study": {"method", "data", "evaluation", "views", "paper"},
    "course": {"method", "data", "evaluation", "views", "paper", "study"},
    "commands": {"method", "data", "evaluation", "views", "study", "course"},
}
"""Dependencies point one way; within a wing, files may import each other."""


def wing(parts: list[str]) -> str:
    name = parts[0] if parts else ""
    return "method" if name in METHOD else name


def test_dependencies_point_one_way() -> None:
    wrong = []
    for file in sorted(PACKAGE.rglob("*.py")):
        here = wing(list(file.relative_to(PACKAGE).with_suffix("").parts))
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tagvis_lite."):
                there = wing(node.module.split(".")[1:])  # type: ignore[union-attr]
                if here in MAY_IMPORT and there not in {here, *MAY_IMPORT[here]}:
                    wrong.append(f"{file.relative_to(ROOT)}: {node.module}")
    assert wrong == []


def test_import_pulls_in_no_plotting_notebook_or_training_library() -> None:
    code = "import sys, tagvis_lite; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    imported = set(done.stdout.split())
    assert "tagvis_lite" in imported
    forbidden = {"torch", "matplotlib", "IPython", "ipywidgets", "tyro", "lightning_fabric"}
    assert imported & forbidden == set()


# Documents


def documents() -> list[Path]:
    top = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [*top, ROOT / "data" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_point_at_files(document: Path) -> None:
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(\s*<?([^)\s>]+)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    relative = [t for t in targets if not re.match(r"[a-z][a-z0-9+.-]*:|#", t)]
    made = re.compile(r"\.\./live/")  # by `make site`
    files = [t.partition("#")[0] for t in relative if not made.match(t)]
    broken = [file for file in files if not (document.parent / file).exists()]
    assert broken == []


def commands_in_documents() -> list[tuple[str, ...]]:
    """Words of every `tagvis ...` in the documents and lessons, up to a comment or a line's end."""
    files = [path for path in documents() if path.name != "CHANGELOG.md"]  # which has old ones
    files.append(ROOT / "benchmarks" / "README.md")
    files += sorted((ROOT / "notebooks" / "src").glob("*.py"))
    text = "\n".join(path.read_text() for path in files).replace("\\\n", " ")
    found = re.findall(r"(?:tagvis|-m tagvis_lite) ([a-z][a-z-]* [^`\n#|]*--[^`\n#|]*)", text)
    return sorted({tuple(command.split("   ")[0].split()) for command in found})


@pytest.mark.parametrize("words", commands_in_documents(), ids=" ".join)
def test_commands_in_documents_have_these_options(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    grouped = words[0] in ("data", "evaluate", "check-submission")
    with pytest.raises(SystemExit) as caught:
        main([*words[: 2 if grouped else 1], "--help"])
    assert caught.value.code == 0
    known = re.findall(r"--[a-z][a-z0-9.-]*", capsys.readouterr().out)
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert options <= {*known, "--profile"}


def test_make_commands_in_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in documents():
        named = re.findall(r"(?:^|`)make ([a-z][a-z-]*)", document.read_text(), re.MULTILINE)
        assert set(named) <= targets, document


def decision_numbers() -> list[int]:
    text = (ROOT / "docs" / "decisions.md").read_text()
    return [int(n) for n in re.findall(r"^## D(\d+)\. ", text, flags=re.MULTILINE)]


def test_decisions_are_numbered_and_complete() -> None:
    text = (ROOT / "docs" / "decisions.md").read_text()
    numbers = decision_numbers()
    assert numbers == list(range(1, len(numbers) + 1))
    assert f"we met, D1 to D{numbers[-1]}:" in text
    entries = re.split(r"^## ", text, flags=re.MULTILINE)
    for entry in entries:
        if re.match(r"D\d+\. ", entry):
            parts = re.findall(r"^\*\*(\w+)\.\*\*", entry, flags=re.MULTILINE)
            assert parts == ["Question", "Readings", "Default", "Switch", "Evidence"], entry


def test_decisions_name_fields_of_the_config() -> None:
    text = (ROOT / "docs" / "decisions.md").read_text()
    fields = {
        f"{section.name}.{field.name}"
        for section in dataclasses.fields(Config)
        if callable(section.default_factory)
        for field in dataclasses.fields(section.default_factory())
    }
    named = set(re.findall(r"`((?:model|loss|data|inference|train)\.\w+)`", text))
    assert len(named) > 20
    assert named - fields == set()


def test_code_refers_to_decisions_that_exist() -> None:
    for file in sorted((ROOT / "tagvis_lite").rglob("*.py")):
        referred = {int(n) for n in re.findall(r"\bD(\d+)\b", file.read_text())}
        assert referred <= set(decision_numbers()), file
