"""The checkpoint that ships with the package: it is small, loads, and is as good as its card says.

Its tests need the file itself: they fail, and do not skip, where it is missing.
"""

from __future__ import annotations

import json
import math

import pytest

from tagvis_lite.data.toy import toy_split
from tagvis_lite.evaluation.davis import evaluate_davis
from tagvis_lite.inference import predict_video
from tagvis_lite.runs import load_network, shipped

WEIGHTS = "checkpoints/toy.safetensors"
CARD = "checkpoints/toy.json"
MAX_BYTES = 10_000_000


def test_a_name_that_did_not_come_along_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"no-such-file.*did not come with"):
        shipped("no-such-file")


def test_what_ships_lies_beside_or_inside_the_package() -> None:
    path = shipped("README.md")
    assert path.is_file()
    assert path.parent.name in ("data", "_data")


def test_weights_are_small_and_load() -> None:
    path = shipped(WEIGHTS)
    assert path.stat().st_size < MAX_BYTES
    network, config = load_network(path)
    assert config.profile == "toy"
    assert network.config == config.model


def test_card_says_what_the_weights_are() -> None:
    card = json.loads(shipped(CARD).read_text(encoding="utf-8"))
    assert len(card["summary"].split()) > 3
    assert "\n" not in card["summary"]
    scores = card["test"]["davis"]
    assert 0 <= scores["J&F-Mean"] <= 1
    assert scores["J&F-Mean"] == pytest.approx((scores["J-Mean"] + scores["F-Mean"]) / 2)
    assert 0 <= card["test"]["instances"]["instance-count error"] < math.inf
    assert 0 <= card["test"]["youtube_vis"]["AP"] <= 1


def test_weights_find_the_instances_of_videos_they_never_saw() -> None:
    network, config = load_network(shipped(WEIGHTS))
    videos = toy_split("test", 8)[:]
    scores = evaluate_davis((v.name, v.ids, predict_video(network, v, config).ids) for v in videos)
    assert scores.jf_mean >= 0.65  # these 8 are harder than the 64 of the card
