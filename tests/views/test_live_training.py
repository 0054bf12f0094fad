"""A training that is watched: nothing of the network moves, and a terminal gets one line."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tiny_network import TINY

from tagvis_lite.clips import make_clip
from tagvis_lite.data.toy import toy_split
from tagvis_lite.model.network import TagVIS
from tagvis_lite.views import LiveTraining, live_training

ALT = "Frame, tags and losses at the end of a short training"


@pytest.fixture
def watched() -> Any:
    video, frames = toy_split("test", 1)[0], range(TINY.data.clip_frames)
    probe = make_clip(video, frames, TINY.data, TINY.model.num_classes)
    return TagVIS(TINY.model).train(), probe, video.read_frames(frames)


def test_a_terminal_gets_one_line(watched: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with LiveTraining(*watched, steps=3, alt=ALT, seconds=0) as watch:
        for step in range(3):
            watch(tagging=1 / (step + 1), semantic=0.5)
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert printed.strip().split("\r")[-1] == "step 3 of 3: tagging 0.333, semantic 0.5"
    assert watch.losses["tagging"] == [1, 1 / 2, 1 / 3]
    assert watch.drawn == 0


@pytest.mark.parametrize(("live", "pictures"), [(True, 4), (False, 1)])
def test_a_notebook_gets_one_picture_that_is_refreshed(
    watched: Any, monkeypatch: pytest.MonkeyPatch, live: bool, pictures: int
) -> None:
    shown: list[Any] = []
    handle = SimpleNamespace(update=shown.append)
    monkeypatch.setattr(live_training, "get_ipython", lambda: SimpleNamespace(kernel=1))
    monkeypatch.setattr(live_training, "display", lambda p, **_: (shown.append(p), handle)[1])
    monkeypatch.setattr(live_training.time, "monotonic", iter(range(0, 9999, 50)).__next__)
    before = {name: value.clone() for name, value in watched[0].state_dict().items()}
    with LiveTraining(*watched, steps=3, alt=ALT, live=live, seconds=0) as watch:
        for _ in range(3):
            monkeypatch.setattr(watch, "_next", 0.0)
            watch(tagging=1.0)
    assert len(shown) == watch.drawn == pictures
    assert shown[-1].alt == f"{ALT} (step 3 of 3: tagging 1)"
    assert watched[0].training
    after = watched[0].state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize("numbers", [1, 2])
def test_it_draws_tags_of_one_number_and_of_two(
    watched: Any, numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = LiveTraining(*watched, steps=3, alt=ALT)
    shape = (*watched[1].ids.shape, numbers)
    monkeypatch.setattr(watch, "_tags", lambda: np.random.default_rng(0).normal(size=shape))
    watch.losses = {"tagging": [2.0, 1.0]}
    titles = [axis.get_title() for axis in watch.draw().axes]
    assert titles == ["frame, true masks", "its tags", "tags of objects", "loss"]
