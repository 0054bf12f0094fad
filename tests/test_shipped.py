"""The checkpoints that ship: each is small, loads, and is as good as its card says.

The tests need the files themselves: they fail, and do not skip, where one is missing.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tagvis_lite.checkpoint import shipped, weights_file, weights_for
from tagvis_lite.commands.options import starting_values
from tagvis_lite.commands.predict import predict
from tagvis_lite.data.toy import ToyConfig, toy_split
from tagvis_lite.evaluation.davis import evaluate_davis
from tagvis_lite.inference import predict_video
from tagvis_lite.runs import load_network, save_network

MAX_BYTES = 10_000_000
ATLEAST = {"toy": 0.65, "toy2": 0.8}
"""J&F on the first 8 test videos, harder than the 64 of a card. toy2 has two numbers a tag."""

shipped_weights = pytest.mark.parametrize("name", ATLEAST)


def test_a_name_that_did_not_come_along_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"no-such-file.*did not come with"):
        shipped("no-such-file")
    for wrong in (lambda: load_network("toy3"), lambda: weights_file(Path("toy3"))):
        with pytest.raises(FileNotFoundError, match=r"toy3.*there are real.*, toy\.s.*, toy2"):
            wrong()


def test_weights_have_the_same_names_in_python_and_on_the_command_line(tmp_path: Path) -> None:
    assert weights_file(Path("toy2")) == shipped("checkpoints/toy2.safetensors")
    save_network(tmp_path / "best.safetensors", *load_network("toy2"))
    assert load_network(tmp_path)[1] == load_network(str(tmp_path))[1] == load_network("toy2")[1]
    assert weights_file(tmp_path) == tmp_path / "best.safetensors"


def test_what_ships_lies_beside_or_inside_the_package() -> None:
    path = shipped("README.md")
    assert path.is_file()
    assert path.parent.name in ("data", "_data")


@shipped_weights
def test_weights_are_small_and_load(name: str) -> None:
    path = shipped(f"checkpoints/{name}.safetensors")
    assert path.stat().st_size < MAX_BYTES
    network, config = load_network(path)
    assert config.profile == "toy"
    assert network.config == config.model
    assert config.model.tag_channels == (2 if name == "toy2" else 1)


@shipped_weights
def test_card_says_what_the_weights_are(name: str) -> None:
    card = json.loads(shipped(f"checkpoints/{name}.json").read_text(encoding="utf-8"))
    assert len(card["summary"].split()) > 3
    assert "\n" not in card["summary"]
    scores = card["test"]["davis"]
    assert 0 <= scores["J&F-Mean"] <= 1
    assert scores["J&F-Mean"] == pytest.approx((scores["J-Mean"] + scores["F-Mean"]) / 2)
    assert 0 <= card["test"]["instances"]["instance-count error"] < math.inf
    assert 0 <= card["test"]["youtube_vis"]["AP"] <= 1


@shipped_weights
def test_weights_find_the_instances_of_videos_they_never_saw(name: str) -> None:
    network, config = load_network(name)
    videos = toy_split("test", 8)[:]
    tracks = [predict_video(network, video, config).ids for video in videos]
    scores = [evaluate_davis([(v.name, v.ids, ids)]) for v, ids in zip(videos, tracks, strict=True)]
    assert sum(score.jf_mean for score in scores) / len(scores) >= ATLEAST[name]
    card = json.loads(shipped(f"checkpoints/{name}.json").read_text(encoding="utf-8"))
    recorded = card.get("J&F of each test video", [])[: len(scores)]
    # float32 kernels differ between processors: a pixel or two, never an object
    assert [score.jf_mean for score in scores[: len(recorded)]] == pytest.approx(recorded, abs=0.02)


def test_weights_for_real_video_say_how_far_to_believe_them() -> None:
    path = shipped("checkpoints/real.safetensors")
    assert path.stat().st_size < MAX_BYTES
    network, config = load_network("real")
    card = json.loads(shipped("checkpoints/real.json").read_text(encoding="utf-8"))
    assert config.inference.trust == tuple(card["trust"]["weights"])
    assert card["trust"]["Brier score"] < card["trust"]["Brier score of the mean"]
    assert card["trust"]["AUC"] > 0.8
    measured = card["test J&F of all that is hard"]
    assert measured["these"] > measured["toy2"], "what they are for"
    assert "no benchmark" in card["summary"]
    video = next(iter(toy_split("test", 1, ToyConfig(size=(96, 160), num_frames=10))))
    tracks = predict_video(network, video, config)
    assert set(tracks.trust) == set(tracks.scores)
    assert all(0 < value < 1 for value in tracks.trust.values())


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("toyset/JPEGImages/480p/toy-test-00000", "toy"),
        ("youtube/test/JPEGImages/toy-test-00000", "toy"),
        ("toy-test-00000", "toy"),
        ("davis/JPEGImages/480p/bear", "real"),
        ("my-toy-car.mp4", "real"),
    ],
)
def test_videos_that_are_no_toy_videos_get_the_weights_for_real_ones(
    tmp_path: Path, path: str, name: str
) -> None:
    (tmp_path / path).mkdir(parents=True)
    root = tmp_path / path.split("/")[0]
    assert weights_for(root) == name
    words = ["--inference.min-area", "0.01", str(root), "--out", str(tmp_path / "toy-results")]
    assert starting_values(predict, ["~no-such-user/a", *words[3:]])  # no name of a home folder
    inference = starting_values(predict, words)["inference"]
    assert inference == load_network(name)[1].inference
    other = starting_values(predict, [*words, "--checkpoint", "toy2"])["inference"]
    assert other == load_network("toy2")[1].inference
