"""Diagrams of a network: real shapes, the paper's letters, removed parts drawn as removed."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest

from tagvis_lite.config import PROFILES, Config
from tagvis_lite.views.diagrams import draw_attention, draw_network, shapes
from tagvis_lite.views.picture import Picture

PAPER = PROFILES["paper"]


def changed(**model: Any) -> Config:
    return replace(PAPER, model=replace(PAPER.model, **model))


def texts(drawn: Picture) -> list[str]:
    return [node.text or "" for node in ET.fromstring(drawn.file).iter() if node.tag[-4:] == "text"]


def test_shapes_are_those_that_the_paper_gives() -> None:
    found = shapes(PAPER)
    assert found["f"] == found["u"] == (258, 32, 14, 14)
    assert found["q"] == found["v"] == found["w"] == (256, 32, 14, 14)
    assert found["p"] == (1, 32, 112, 112)
    assert found["O"][1:] == (32, 112, 112)


def test_figure_1_has_every_letter_and_shape() -> None:
    drawn = draw_network(PAPER)
    assert set("IfuqpvwO") <= set(texts(drawn))
    assert "258 × 32 ×" in texts(drawn)
    assert "removed" not in texts(drawn)
    assert "p 1 × 32 × 112 × 112" in drawn.alt
    assert len(drawn.file) < 8_000


@pytest.mark.parametrize(
    ("model", "missing"),
    [
        ({"spatio_temporal_attention": "removed"}, ""),
        ({"tag_branch": "removed"}, "w"),
        ({"feature_branch": "removed"}, "v"),
        ({"tag_branch": "removed", "feature_branch": "removed"}, "wvO"),
    ],
)
def test_a_part_that_is_removed_is_drawn_as_removed(model: dict[str, Any], missing: str) -> None:
    shown = texts(draw_network(changed(**model)))
    assert shown.count("removed") == max(1, len(missing))
    assert not set(missing) & set(shown)


def test_attention_diagrams_say_who_asks_whom() -> None:
    wanted = {
        "spatio_temporal": ("f", "u", "of all 32 frames", "196 weights for each"),
        "tag": ("embedded p", "w", "of all 32 frames", "196 weights for each"),
        "self": ("q", "v", "of frame t", "196 weights for each"),
    }
    for which, words in wanted.items():
        assert set(words) <= set(texts(draw_attention(PAPER, which)))  # type: ignore[arg-type]
    whole = texts(draw_attention(changed(spatio_temporal_attention="non_local"), "spatio_temporal"))
    assert "6272 weights for each" in whole
    assert "mean over frames" not in whole
    assert "+ input" not in texts(draw_attention(changed(attention_residual=False), "self"))
    with pytest.raises(ValueError, match="no tag attention"):
        draw_attention(changed(tag_branch="embedding"), "tag")
