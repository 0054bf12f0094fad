"""Each stratum of the toy videos keeps its promise; all of it is checked on pixels."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import cache
from itertools import combinations, groupby

import numpy as np
import pytest

from tagvis_lite.config import TOY
from tagvis_lite.data.toy import ToyConfig, draw_scene
from tagvis_lite.data.toy_render import labels, render
from tagvis_lite.data.toy_scene import Route
from tagvis_lite.data.toy_strata import STRATA, Stratum, StratumName, strata
from tagvis_lite.study.oracles import score_position
from tagvis_lite.video import Video

TESTED = 24


@cache
def videos(name: StratumName) -> list[Video]:
    return list(Stratum(name, TESTED))


def areas(video: Video) -> np.ndarray:
    """Pixels of each object in each frame, N x T."""
    ids = video.read_ids(range(len(video)))
    return np.stack([(ids == i).sum(axis=(1, 2)) for i in video.categories])


def centroid(mask: np.ndarray) -> np.ndarray:
    return np.argwhere(mask).mean(axis=0) / 64


def absences(visible: np.ndarray) -> list[int]:
    """Lengths of the times in which an object is away, between two in which it is there."""
    runs = [(there, len(list(run))) for there, run in groupby(visible)]
    return [length for there, length in runs[1:-1] if not there]


@pytest.mark.parametrize("name", STRATA)
def test_place_alone_does_not_name_objects(name: StratumName) -> None:
    """The design rule: the position control stays under 60 J&F where a name is asked for."""
    if name != "plain":
        assert score_position(videos(name), TOY.data) < 0.6


@pytest.mark.parametrize("name", STRATA)
def test_videos_are_those_that_are_described(name: StratumName) -> None:
    fewest = 1 if name in ("plain", "pan") else 2
    numbers = [len(video.categories) for video in videos(name)]
    assert (min(numbers), max(numbers)) == (fewest, 5)
    for video in videos(name):
        assert video.read_frames(range(24)).shape == (24, 64, 64, 3)
        assert ((areas(video) >= 30).sum(axis=1) >= 6).all()
    largest = np.concatenate([areas(video).max(axis=1) for video in videos(name)]) / 64**2
    assert largest.min() < np.pi * 0.1**2
    if name in ("plain", "pan"):
        assert largest.max() > np.pi * 0.25**2


def test_pairs_change_places() -> None:
    for video in videos("swap"):
        first, last = video.read_ids([0, 23])
        turned = []
        for a, b in combinations(video.categories, 2):
            ways = [centroid(ids == b) - centroid(ids == a) for ids in (first, last) if b in ids]
            if len(ways) == 2 and all(i in ids for i in (a, b) for ids in (first, last)):
                turned.append(ways[0] @ ways[1] / np.prod(np.linalg.norm(ways, axis=1)))
        assert min(turned) < -0.8, video.name


def test_pairs_are_hidden_by_a_bar() -> None:
    for video in videos("occlusion"):
        away = [absences(area > 0) for area in areas(video)]
        assert sum(len(times) == 1 and 3 <= times[0] <= 6 for times in away) >= 2, video.name
        ids = video.read_ids(range(24))
        never = (ids == 0).all(axis=0)
        assert never.all(axis=0).any() or never.mean() > 0.25  # the bar


def test_some_come_back_elsewhere_and_a_twin_is_there() -> None:
    for video in videos("return"):
        ids = video.read_ids(range(24))
        found = 0
        for i, area in zip(video.categories, areas(video), strict=True):
            gone = np.flatnonzero(area == 0)
            if absences(area > 0) and 3 <= len(gone) <= 6 and gone[-1] - gone[0] + 1 == len(gone):
                moved = centroid(ids[-1] == i) - centroid(ids[0] == i)
                twins = [
                    other
                    for other, category in video.categories.items()
                    if other != i and category == video.categories[i]
                ]
                found += bool(twins) and float(np.hypot(*moved)) > 0.15
        assert found >= 1, video.name


def test_a_camera_shows_the_same_scene_shifted() -> None:
    """By 8 pixels to the right: what was at x is at x - 8, in the picture and in the labels."""
    scene = draw_scene(np.random.default_rng(3), ToyConfig())
    still = replace(scene, frequency=np.zeros(4))
    panned = replace(still, camera=Route(np.array([[0.0, 0.0], [8 / 64, 0.0]])))
    frozen, now = np.zeros(1), np.ones(1)
    frames, ids = render(still, now, (64, 64))
    shifted, shifted_ids = render(panned, now, (64, 64))
    np.testing.assert_array_equal(shifted_ids[..., :-8], ids[..., 8:])
    np.testing.assert_allclose(shifted[..., :-8, :], frames[..., 8:, :], atol=2e-4)
    np.testing.assert_array_equal(
        render(panned, frozen, (64, 64))[1], labels(still, frozen, (64, 64))
    )
    assert all(areas(video).any(axis=0).all() for video in videos("pan"))


def test_strata_are_lazy_repeatable_and_disjoint() -> None:
    assert list(strata()) == list(STRATA)
    assert [len(stratum) for stratum in strata().values()] == [256] * 5
    taken = [
        stratum[k].read_frames(range(24)).tobytes()
        for split in ("train", "test")
        for stratum in strata(8, split).values()  # type: ignore[arg-type]
        for k in (0, 7)
    ]
    assert len(set(taken)) == 20
    again = pickle.loads(pickle.dumps(Stratum("swap", 8, "train")))
    assert again[-1].name == "toy-swap-train-00007"
    assert again[-1].read_frames(range(24)).tobytes() == taken[3]
    with pytest.raises(IndexError):
        again[8]


def test_bad_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="toy stratum is 'swop', expected one of plain, swap"):
        Stratum("swop")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected 1 to 1000000"):
        Stratum("swap", 0)
    with pytest.raises(ValueError, match="toy radius"):
        ToyConfig(radius=(0.3, 0.2))
