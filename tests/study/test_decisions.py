"""Every sentence under 'Evidence' in docs/decisions.md leads to what it rests on."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "decisions.md"
LEADS = re.compile(r"\]\(((?:\.\./(?:tests|notebooks|benchmarks/results|data)/|report\.md)[^)]*)\)")
WITHIN = re.compile(r"\]\(#[^)]+\)|not (?:yet )?measured", re.IGNORECASE)
"""A part of the page that lists its runs, or the admission that there is none."""


def sentences(entry: str) -> list[str]:
    """Those under 'Evidence' of one entry, tables left out."""
    evidence = entry.partition("**Evidence.**")[2]
    words = " ".join(re.sub(r"^\|.*$", "", evidence, flags=re.MULTILINE).split())
    return [s for s in re.split(r"(?<=[.:]) (?=[A-Z'(*`])", words) if s]


def entries(page: str) -> dict[str, str]:
    """The text of each decision, by its number."""
    found = re.split(r"^## (D\d+)\. |^## ", page, flags=re.MULTILINE)
    return {name: text for name, text in zip(found[1::2], found[2::2], strict=True) if name}


def without_evidence(page: str) -> list[str]:
    return [
        f"{name}: {sentence}"
        for name, entry in entries(page).items()
        for sentence in sentences(entry) or ["nothing"]
        if not LEADS.search(sentence) and not WITHIN.search(sentence)
    ]


def test_every_sentence_of_evidence_links_a_run_a_test_or_a_lesson() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert len(entries(page)) >= 26
    assert without_evidence(page) == []
    assert "D8: It is better." in without_evidence(
        page.replace("\n## D9.", " It is better.\n\n## D9.")
    )


def test_what_is_linked_is_there() -> None:
    for link in LEADS.findall(PAGE.read_text(encoding="utf-8")):
        assert (PAGE.parent / link.partition("#")[0]).exists(), link
