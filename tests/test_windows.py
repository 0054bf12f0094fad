"""Long videos by windows: one object, one id, whatever each window called it."""

import itertools
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tagvis_lite.checkpoint import shipped
from tagvis_lite.config import TOY, Config, DataConfig
from tagvis_lite.data.toy import ToyConfig, toy_split
from tagvis_lite.inference import predict_video
from tagvis_lite.instances import Instances
from tagvis_lite.runs import load_network
from tagvis_lite.video import Prediction, Video
from tagvis_lite.windows import LEAST_IOU, link, stitch, window_ends

T = 8


def by_windows(config: Config, **inference) -> Config:
    return replace(config, inference=replace(config.inference, long_videos="windows", **inference))


@given(st.integers(1, 200), st.integers(2, 33))
def test_windows_cover_the_video_and_share_half(num_frames: int, clip_frames: int) -> None:
    ends = window_ends(num_frames, clip_frames)
    assert ends[-1] == num_frames
    if num_frames > clip_frames:
        assert ends[0] == clip_frames
        steps = np.diff(ends)
        assert (steps[:-1] == (clip_frames + 1) // 2).all()
        assert 1 <= steps[-1] <= (clip_frames + 1) // 2


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_links_are_the_best_of_all_one_to_one_matches(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before = rng.choice([0, 3, 70, 400], size=(2, 4, 5))
    after = rng.choice([0, 1, 2, 5], size=(2, 4, 5)).astype(np.uint8)

    def iou(old: int, new: int) -> float:
        either = ((before == old) | (after == new)).sum()
        value = ((before == old) & (after == new)).sum() / max(1, either)
        return value if value >= LEAST_IOU else 0.0

    number = link(before, after)
    found = {new: int(number[new]) for new in (1, 2, 5) if number[new]}
    assert number[0] == 0
    assert len(set(found.values())) == len(found)
    assert all(iou(old, new) > 0 for new, old in found.items())
    best = max(sum(map(iou, order, (1, 2, 5))) for order in itertools.permutations([3, 70, 400]))
    assert sum(iou(old, new) for new, old in found.items()) == pytest.approx(best)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(9, 40), st.integers(1, 4))
def test_windows_cut_from_label_maps_give_them_back(seed: int, num_frames: int, most: int) -> None:
    """Three lanes of different height, an object in each; only `most` of them are kept."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((num_frames, 9, 12), dtype=np.uint8)
    for n, rows in enumerate((slice(0, 4), slice(4, 7), slice(7, 9)), start=1):
        for t in range(num_frames):
            truth[t, rows, (left := rng.integers(0, 8)) : left + 4] = n
    ends = window_ends(num_frames, T)
    alive: list[weakref.ref[Instances]] = []

    def windows():
        for end in ends:
            order = np.array([0, *rng.permutation([1, 2, 3])], dtype=np.uint8)
            assert sum(ref() is not None for ref in alive) <= 1, "more than one window is held"
            found = Instances(
                order[truth[end - T : end]],
                categories={int(order[n]): n for n in (1, 2, 3)},
                scores={int(order[n]): n / 4 for n in (1, 2, 3)},
                modes={},
            )
            alive.append(weakref.ref(found))
            yield found
            del found

    joined = stitch(windows(), ends, most)
    np.testing.assert_array_equal(joined.ids, np.where(truth <= most, truth, 0))
    expected = range(1, min(most, 3) + 1)
    assert joined.categories == {n: n for n in expected}
    assert joined.scores == pytest.approx({n: n / 4 for n in expected})


class TagsAtRandom:
    """Network: instance ids from the red of the frames; tags that no two windows agree on."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, frames: torch.Tensor) -> Prediction:
        assert frames.shape == (1, 3, T, 64, 64)
        red = frames[0, 0, :, ::2, ::2] * DataConfig().std[0] + DataConfig().mean[0]
        ids = (4 * red).round().long()
        tags = torch.randperm(4, generator=torch.Generator().manual_seed(self.calls))
        self.calls += 1
        logits = 9.0 * torch.nn.functional.one_hot(ids.clamp(max=1), 2).permute(3, 0, 1, 2)
        return Prediction((3.0 * tags[ids])[None], logits[None])


@pytest.mark.parametrize("stride", [1, 3])
def test_ids_are_kept_over_windows(stride: int) -> None:
    """One object stays, one comes after three windows, one leaves before that."""
    num_frames = 60
    ids = np.zeros((num_frames, 64, 64), dtype=np.uint8)
    ids[:, 4:28, 4:28] = 1
    ids[24:, 36:60, 4:28] = 2
    ids[:21, 36:60, 36:60] = 3
    read = []

    class Frames:
        def __len__(self) -> int:
            return num_frames

        def __getitem__(self, t: int) -> np.ndarray:
            read.append(t)
            return np.repeat(64 * ids[t][..., None], 3, axis=-1)

    network = TagsAtRandom()
    config = by_windows(Config("toy", data=DataConfig(T, (64, 64))), window_stride=stride)
    tracks = predict_video(network, Video("long", Frames()), config)
    kept = sorted({*range(0, num_frames, stride), num_frames - 1})
    assert read == kept, "each frame once, in order"
    assert network.calls == len(window_ends(len(kept), T))
    assert sorted(tracks.scores) == [1, 2, 3]
    for t in kept:
        assert (tracks.ids[t] == ids[t]).mean() > 0.98  # the largest is 1, the smallest 3


def test_a_video_that_a_clip_can_hold_is_one_clip_in_both_ways() -> None:
    network, config = load_network(shipped("checkpoints/toy.safetensors"))
    for num_frames in (5, T):
        video = toy_split("test", 1, ToyConfig(num_frames=num_frames))[0]
        spread = predict_video(network, video, config)
        windows = predict_video(network, video, by_windows(config))
        np.testing.assert_array_equal(windows.ids, spread.ids)
        assert (windows.scores, windows.categories) == (spread.scores, spread.categories)


def test_errors_of_a_window_name_the_video_once() -> None:
    frames = [np.zeros((64, 64, 3), np.uint8)] * 15 + [np.zeros((64, 60, 3), np.uint8)]
    with pytest.raises(ValueError, match=r"^frame 00015 of video 'v' is 64 x 60, but frame 00000"):
        predict_video(TagsAtRandom(), Video("v", frames), by_windows(TOY))

    def diverged(frames: torch.Tensor) -> Prediction:
        return Prediction(torch.full((1, T, 32, 32), torch.nan), None)

    with pytest.raises(ValueError, match=r"^video 'v': .*NaN"):
        predict_video(diverged, Video("v", frames[:15]), by_windows(TOY))


def test_windows_of_one_frame_are_refused() -> None:
    with pytest.raises(ValueError, match=r"data\.clip_frames is 1: use inference\.long_videos"):
        by_windows(Config("toy", data=DataConfig(1, (64, 64))))
