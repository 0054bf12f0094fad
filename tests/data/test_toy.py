"""The toy set keeps its promises; most are checked on pixels, without the renderer's formulas."""

from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagvis_lite.data import toy
from tagvis_lite.data.toy import CATEGORIES, MIN_VISIBLE, ToyConfig, render_video, toy_split
from tagvis_lite.data.toy_render import labels, render
from tagvis_lite.video import Video

SEEDS = st.integers(0, 2**40)
CONFIGS = st.builds(
    ToyConfig,
    size=st.tuples(st.integers(32, 110), st.integers(32, 110)),
    num_frames=st.integers(1, 10),
    difficulty=st.sampled_from(["easy", "medium", "hard"]),
)
few = settings(max_examples=25, deadline=None)


@pytest.fixture(scope="module")
def medium() -> list[Video]:
    return list(toy_split("test", 64))


def areas(video: Video) -> np.ndarray:
    """T x N."""
    ids = video.read_ids(range(len(video)))
    return np.stack([(ids == i).sum(axis=(1, 2)) for i in video.categories], axis=1)


def grown(mask: np.ndarray) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


def shrunk(mask: np.ndarray) -> np.ndarray:
    return ~grown(~mask)


def has_lookalikes(video: Video) -> bool:
    """Two instances of one class whose colours in frame 0 have the same mean and spread."""
    [frame], [ids] = video.read_frames([0]).astype(float), video.read_ids([0])
    looks = []
    for i, category in video.categories.items():
        inside = frame[shrunk(ids == i)]
        looks.append(np.concatenate([[1000 * category], inside.mean(0), inside.std(0)]))
    return any(np.abs(a - b).max() < 12 for k, a in enumerate(looks) for b in looks[:k])


@few
@given(SEEDS, CONFIGS)
def test_a_video_is_well_formed(seed: int, config: ToyConfig) -> None:
    video = render_video(seed, config)
    num = len(video.categories)
    frames, ids = (read(range(len(video))) for read in (video.read_frames, video.read_ids))
    assert frames.shape == (config.num_frames, *config.size, 3)
    assert ids.shape == frames.shape[:3]
    assert config.min_instances <= num <= config.max_instances
    assert list(video.categories) == list(range(1, num + 1))
    assert set(video.categories.values()) <= set(CATEGORIES)
    assert ids.max() <= num
    assert areas(video)[0].min() >= MIN_VISIBLE * min(config.size) ** 2
    assert 0.01 < (ids > 0).mean() < 0.7


@few
@given(SEEDS, CONFIGS)
def test_a_seed_gives_the_same_bytes(seed: int, config: ToyConfig) -> None:
    first, again = render_video(seed, config), render_video(seed, config)
    everything = range(len(first))
    assert first.read_frames(everything).tobytes() == again.read_frames(everything).tobytes()
    assert first.read_ids(everything).tobytes() == again.read_ids(everything).tobytes()
    assert first.categories == again.categories


@few
@given(SEEDS)
def test_size_changes_resolution_only(seed: int) -> None:
    small = render_video(seed, ToyConfig(size=(48, 64)))
    large = render_video(seed, ToyConfig(size=(144, 192)))
    assert small.categories == large.categories
    same = small.read_ids(range(8)) == large.read_ids(range(8))[:, 1::3, 1::3]
    assert same.mean() > 0.999


@few
@given(SEEDS, st.integers(1, 20))
def test_a_longer_video_continues_a_shorter_one(seed: int, num_frames: int) -> None:
    short = render_video(seed, ToyConfig(size=(32, 32), num_frames=num_frames))
    long = render_video(seed, ToyConfig(size=(32, 32), num_frames=num_frames + 20))
    shared = range(num_frames)
    np.testing.assert_array_equal(short.read_ids(shared), long.read_ids(shared))
    np.testing.assert_allclose(short.read_frames(shared), long.read_frames(shared), atol=1)


@pytest.mark.parametrize("difficulty", ["easy", "medium", "hard"])
def test_labels_fit_the_picture(difficulty: Literal["easy", "medium", "hard"]) -> None:
    """Of each instance alone: the share of each pixel that it covers, counted on a finer grid,
    says where the label is, where the background shows and where only its own colours do."""
    config = ToyConfig(difficulty=difficulty)
    t, fine = np.arange(0, 8, 3), 9
    for seed in range(10):
        scene = toy.draw_scene(np.random.default_rng(seed), config)
        background, _ = render(replace(scene, instances={}), t, config.size)
        stacked = np.zeros((len(t), *config.size), np.uint8)
        for i, instance in scene.instances.items():
            alone = replace(scene, instances={i: instance})
            frames, ids = render(alone, t, config.size)
            _, fine_ids = render(alone, t, (64 * fine, 64 * fine))
            covered = (fine_ids > 0).reshape(len(t), 64, fine, 64, fine).mean(axis=(2, 4))
            assert (ids == i)[covered > 0.75].all()
            assert (ids == 0)[covered < 0.25].all()
            light, dark = instance.look.colours
            for k in range(len(t)):
                outside = ~grown(covered[k] > 0)
                np.testing.assert_array_equal(frames[k][outside], background[k][outside])
                colour = frames[k][shrunk(covered[k] == 1)]
                share = (colour - light) @ (dark - light) / np.sum((dark - light) ** 2)
                mixture = light + share.clip(0, 1)[:, None] * (dark - light)
                np.testing.assert_allclose(colour, mixture, atol=1e-5)
            stacked[ids > 0] = i
        np.testing.assert_array_equal(render(scene, t, config.size)[1], stacked)
        np.testing.assert_array_equal(labels(scene, t, config.size), stacked)


def test_the_shape_decides_the_category() -> None:
    """Told apart by OpenCV: hull, smallest rectangle and smallest triangle around the mask."""
    config = ToyConfig(
        size=(192, 192), num_frames=1, min_instances=1, max_instances=1, difficulty="easy"
    )
    truth, told = [], []
    for seed in range(80):
        video = render_video(seed, config)
        [contour], _ = cv2.findContours(
            video.read_ids([0])[0], cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        area = cv2.contourArea(contour)
        _, (width, height), _ = cv2.minAreaRect(contour)
        if area < 0.8 * cv2.contourArea(cv2.convexHull(contour)):
            told.append("star")
        elif area > 0.72 * cv2.minEnclosingTriangle(contour)[0]:
            told.append("triangle")
        else:
            told.append("square" if area > 0.825 * width * height else "disc")
        truth.append(CATEGORIES[video.categories[1]])
    assert set(truth) == set(CATEGORIES.values())
    assert np.mean(np.array(truth) == np.array(told)) > 0.95


def test_something_moves_in_every_frame(medium: list[Video]) -> None:
    for video in medium:
        ids = video.read_ids(range(len(video)))
        assert all((before != after).any() for before, after in pairwise(ids))


def test_neighbours_touch_look_alike_and_come_back(medium: list[Video]) -> None:
    """The hard cases are there on purpose: shares of the 64 test videos."""
    touching = [
        any(
            (grown(ids == i) & (ids > 0) & (ids != i)).any()
            for ids in video.read_ids(range(len(video)))
            for i in video.categories
        )
        for video in medium
    ]
    visible = [areas(video) > 0 for video in medium]
    returning = [((~v).any(axis=0) & v[-1]).any() for v in visible]
    assert np.mean(touching) > 0.5
    assert np.mean(returning) > 0.1
    assert np.mean([has_lookalikes(video) for video in medium]) > 0.3


def test_difficulty_orders_the_hard_cases() -> None:
    def shares(difficulty: Literal["easy", "medium", "hard"]) -> list[float]:
        videos = list(toy_split("validation", 60, ToyConfig(difficulty=difficulty)))
        ids = [video.read_ids(range(len(video))) for video in videos]
        changed = np.mean([(i[1:] != i[:-1]).sum() / (i > 0).sum() for i in ids])
        absent = np.mean([(areas(video) == 0).any() for video in videos])
        return [float(changed), float(absent), float(np.mean([*map(has_lookalikes, videos)]))]

    easy, medium, hard = shares("easy"), shares("medium"), shares("hard")
    assert all(a < b < c for a, b, c in zip(easy, medium, hard, strict=True))


def test_instances_keep_returning_in_a_long_video() -> None:
    for seed in range(5):
        video = render_video(seed, ToyConfig(num_frames=200))
        assert ((areas(video) > 0).mean(axis=0) > 0.7).all()


def test_the_set_of_recorded_scores_is_the_same_for_ever() -> None:
    """Pixels of each label and the mean grey of the first test videos; a sine's last bit may move
    a pixel on another processor."""
    found = [
        [
            *np.bincount(video.read_ids(range(8)).ravel(), minlength=6),
            video.read_frames(range(8)).mean(),
        ]
        for video in toy_split("test", 3)
    ]
    known = [
        [24651, 2208, 1900, 1445, 1370, 1194, 92.8],
        [26023, 2206, 2474, 2065, 0, 0, 68.9],
        [30450, 1335, 983, 0, 0, 0, 118.8],
    ]
    np.testing.assert_allclose(found, known, atol=2)


def test_splits_are_disjoint() -> None:
    videos = [v for split in ("train", "validation", "test") for v in toy_split(split, 40)]
    assert len({video.name for video in videos}) == len(videos)
    assert len({video.read_frames(range(8)).tobytes() for video in videos}) == len(videos)
    first = list(toy.FIRST_SEED.values())
    assert min(b - a for a, b in pairwise(sorted(first))) >= 1_000_000


def test_a_split_is_a_sequence() -> None:
    split = toy_split("train", 3, ToyConfig(num_frames=2))
    assert len(split) == 3
    assert [video.name for video in split] == [f"toy-train-{i:05d}" for i in range(3)]
    assert [video.name for video in split[1:]] == ["toy-train-00001", "toy-train-00002"]
    assert split[-1].name == "toy-train-00002"
    np.testing.assert_array_equal(
        split[1].read_ids([0, 1]), toy_split("train", 2)[1].read_ids([0, 1])
    )
    with pytest.raises(IndexError):
        split[3]


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": (8, 64)},
        {"num_frames": 0},
        {"min_instances": 0},
        {"min_instances": 4, "max_instances": 3},
        {"max_instances": 255},
        {"difficulty": "insane"},
    ],
)
def test_a_bad_config_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"toy .* expected"):
        ToyConfig(**wrong)


def test_bad_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="ask for fewer"):
        render_video(0, ToyConfig(size=(32, 32), min_instances=40, max_instances=40))
    with pytest.raises(ValueError, match="seed"):
        render_video(-1)
    with pytest.raises(ValueError, match="toy split is 'val'"):
        toy_split("val", 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected 1 to 1000000"):
        toy_split("train", 0)
