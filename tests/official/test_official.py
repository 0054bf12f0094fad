"""The official tools against ours: `benchmarks/official_tools.py`, but for its large files.

TAGVIS_OFFICIAL=FOLDER python -m pytest tests/official
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import official_tools
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Copies of the official tools, and those that are not there."""
    if "TAGVIS_OFFICIAL" not in os.environ:
        pytest.skip("TAGVIS_OFFICIAL is not set")
    folder = tmp_path_factory.mktemp("tools")
    return folder, official_tools.copied(Path(os.environ["TAGVIS_OFFICIAL"]), folder)


@pytest.mark.parametrize(
    "case", [c for c in official_tools.cases() if not c.large], ids=lambda case: case.name
)
def test_scores_are_those_of_the_official_tool(
    tools: tuple[Path, list[str]], tmp_path: Path, case: official_tools.Case
) -> None:
    folder, missing = tools
    if case.repository in missing:
        pytest.skip(f"no {case.repository} in TAGVIS_OFFICIAL")
    official_tools.compare(case, folder, tmp_path, turns=1)


def test_the_certificate_in_the_readme_is_the_recorded_one() -> None:
    recorded = json.loads((ROOT / "benchmarks" / "results" / "official_tools.json").read_text())
    assert {row["repository"] for row in recorded["rows"]} == set(official_tools.COPIED)
    assert official_tools.table(recorded["rows"]) in (ROOT / "README.md").read_text()
