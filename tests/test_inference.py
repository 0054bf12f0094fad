"""Whole videos: with networks that read the answer off the frames, and masks with known motion."""

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tagvis_lite.config import Config, DataConfig, InferenceConfig
from tagvis_lite.inference import (
    merge_repeats,
    predict_clip,
    predict_video,
    read_clip,
)
from tagvis_lite.interpolation import interpolate_ids
from tagvis_lite.video import Prediction, Video

DATA = DataConfig(clip_frames=8, size=(64, 64))
LABEL_STRIDE = 2
CONFIG = Config("toy", data=DATA)
moderate = settings(max_examples=25, deadline=None)


def disc(shape, x, y, radius):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def iou(a, b):
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0


def video_of(ids, **arguments):
    """Instance 1 is red, instance 2 green; the label maps must not be read."""

    class Forbidden:
        def __len__(self):
            return len(ids)

        def __getitem__(self, index):
            raise AssertionError("inference read the ground truth")

    frames = 255 * np.stack([ids == 1, ids == 2, ids < 0], axis=-1).astype(np.uint8)
    return Video("fake", frames, ids=Forbidden(), **arguments)


def reads_the_answer(frames):
    """Network: instance ids from the colours, tags 3 apart, sure semantics (class = id)."""
    mean, std = (torch.tensor(v).view(3, 1, 1, 1) for v in (DATA.mean, DATA.std))
    colours = (frames[0] * std + mean)[:2]
    colours = torch.nn.functional.avg_pool2d(colours, LABEL_STRIDE)
    ids = torch.cat([torch.full_like(colours[:1], 0.5), colours]).argmax(0)
    logits = 9.0 * torch.nn.functional.one_hot(ids, 3).permute(3, 0, 1, 2)
    noise = 0.1 * torch.sin(torch.arange(ids.numel())).view_as(ids)
    return Prediction((3.0 * ids + noise)[None], logits[None])


def moving_discs(num_frames, shape=(48, 80)):
    ids = np.zeros((num_frames, *shape), dtype=np.uint8)
    for t in range(num_frames):
        share = t / max(1, num_frames - 1)
        ids[t][disc(shape, 14 + 50 * share, 13, 9)] = 2
        ids[t][disc(shape, 62 - 46 * share, 35, 7)] = 1
    return ids


@pytest.mark.parametrize("num_frames", [1, 2, 5, 8, 9, 23])
def test_videos_of_every_length(num_frames):
    ids = moving_discs(num_frames)
    names = [f"f{t}" for t in range(num_frames)]
    tracks = predict_video(reads_the_answer, video_of(ids, frame_names=names), CONFIG)
    assert tracks.name == "fake"
    assert tracks.frame_names == names
    assert tracks.ids.shape == ids.shape
    # The larger disc is instance 1 whatever its tag; its category is what the network saw.
    assert tracks.categories == {1: 2, 2: 1}
    assert min(tracks.scores.values()) > 0.95
    for t in range(num_frames):
        assert iou(tracks.ids[t] == 1, ids[t] == 2) > 0.85
        assert iou(tracks.ids[t] == 2, ids[t] == 1) > 0.8


def test_nearest_interpolation_is_used_when_asked_for():
    ids = moving_discs(23)
    video = video_of(ids)
    nearest = replace(CONFIG, inference=InferenceConfig(interpolation="nearest"))
    smooth = predict_video(reads_the_answer, video, CONFIG).ids
    held = predict_video(reads_the_answer, video, nearest).ids
    kept = np.rint(np.linspace(0, 22, 8)).astype(int)
    np.testing.assert_array_equal(smooth[kept], held[kept])
    np.testing.assert_array_equal(held[1], held[0])
    assert np.mean([iou(smooth[t] == 1, ids[t] == 2) for t in range(23)]) > np.mean(
        [iou(held[t] == 1, ids[t] == 2) for t in range(23)]
    )


def test_a_video_without_objects_is_all_background():
    tracks = predict_video(reads_the_answer, video_of(np.zeros((11, 30, 40), np.uint8)), CONFIG)
    assert tracks.ids.shape == (11, 30, 40)
    assert not tracks.ids.any()
    assert (tracks.categories, tracks.scores) == ({}, {})


def test_without_semantic_branch():
    ids = moving_discs(9)

    def tags_only(frames):
        return Prediction(reads_the_answer(frames).tags, None)

    tracks = predict_video(tags_only, video_of(ids), CONFIG)
    assert tracks.categories == {1: 1, 2: 1}
    assert iou(tracks.ids[0] == 1, ids[0] == 2) > 0.85


def test_half_precision_predictions():
    def low(frames):
        prediction = reads_the_answer(frames)
        return Prediction(
            prediction.tags.to(torch.bfloat16), prediction.semantic_logits.to(torch.bfloat16)
        )

    video = video_of(moving_discs(5))
    full = predict_video(reads_the_answer, video, CONFIG).ids
    np.testing.assert_array_equal(predict_video(low, video, CONFIG).ids, full)


class Recorder:
    """Frames that remember which of them were decoded."""

    def __init__(self, frames):
        self.frames, self.read = frames, []

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, index):
        self.read.append(index)
        return self.frames[index]


@pytest.mark.parametrize("num_frames", [1, 3, 8, 40])
def test_only_the_needed_frames_are_decoded_and_each_once(num_frames):
    recorder = Recorder(np.zeros((num_frames, 20, 30, 3), dtype=np.uint8))
    frames, indices, size = read_clip(Video("v", recorder), DATA)
    assert sorted(set(recorder.read)) == recorder.read
    assert set(recorder.read) == set(indices.tolist())
    assert len(recorder.read) == min(num_frames, 8)
    assert (indices[0], indices[-1]) == (0, num_frames - 1)
    assert frames.shape == (3, 8, 64, 64)
    assert frames.dtype == torch.float32
    assert size == (20, 30)


def test_frames_are_normalised_and_repeats_are_the_same_frame():
    video = Video("v", np.stack([np.full((10, 12, 3), v, np.uint8) for v in (0, 51, 255)]))
    frames, indices, _ = read_clip(video, DATA)
    assert (np.diff(indices) >= 0).all()
    for t, source in enumerate(indices):
        for c in range(3):
            expected = ([0, 0.2, 1][source] - DATA.mean[c]) / DATA.std[c]
            assert frames[c, t].min().item() == pytest.approx(expected, abs=1e-5)
            assert frames[c, t].max().item() == pytest.approx(expected, abs=1e-5)


def test_frames_of_unequal_size_are_refused_by_name():
    frames = [np.zeros((10, 12, 3), np.uint8), np.zeros((10, 14, 3), np.uint8)]
    with pytest.raises(
        ValueError, match=r"frame b of video 'v' is 10 x 14, but frame a is 10 x 12"
    ):
        predict_video(reads_the_answer, Video("v", frames, frame_names=["a", "b"]), CONFIG)


def test_errors_in_the_prediction_name_the_video():
    video = video_of(moving_discs(4))

    def diverged(frames):
        return Prediction(torch.full((1, 8, 32, 32), torch.nan), None)

    def too_short(frames):
        return Prediction(torch.zeros(1, 5, 32, 32), None)

    with pytest.raises(ValueError, match=r"video 'fake': .*NaN"):
        predict_video(diverged, video, CONFIG)
    with pytest.raises(ValueError, match=r"video 'fake': .*expected 1 x 8 x h x w"):
        predict_video(too_short, video, CONFIG)


def test_a_module_runs_in_evaluation_mode_without_gradients_and_keeps_its_own_mode():
    class Probe(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.frozen = torch.nn.BatchNorm3d(3).eval()
            self.dropout = torch.nn.Dropout(0.5)

        def forward(self, frames):
            assert not any(module.training for module in self.modules())
            assert not torch.is_grad_enabled()
            assert torch.equal(self.dropout(frames), frames)
            return Prediction(self.frozen(frames).mean(1), None)

    probe = Probe()
    prediction = predict_clip(probe, torch.randn(3, 8, 16, 16))
    assert prediction.tags.shape == (8, 16, 16)
    assert probe.training
    assert probe.dropout.training
    assert not probe.frozen.training


def test_repeats_are_averaged():
    tags = torch.arange(5.0)[:, None, None].expand(5, 2, 3)
    logits = torch.stack([tags, 10 * tags])
    merged, kept = merge_repeats(Prediction(tags, logits), [4, 4, 7, 7, 7])
    assert kept.tolist() == [4, 7]
    assert merged.tags[:, 0, 0].tolist() == [0.5, 3.0]
    assert merged.semantic_logits[1, :, 1, 2].tolist() == [5.0, 30.0]
    with pytest.raises(ValueError, match="5 clip frames but 2"):
        merge_repeats(Prediction(tags, logits), [0, 1])


@moderate
@given(st.integers(0, 10**6))
def test_merging_is_the_identity_without_repeats(seed):
    tags = torch.from_numpy(np.random.default_rng(seed).normal(size=(4, 3, 3)))
    merged, kept = merge_repeats(Prediction(tags, None), [0, 2, 3, 9])
    assert torch.equal(merged.tags, tags)
    assert merged.semantic_logits is None
    assert kept.tolist() == [0, 2, 3, 9]


methods = st.sampled_from(["signed_distance", "nearest"])


@moderate
@given(st.integers(0, 10**6), methods)
def test_kept_frames_are_unchanged_at_label_resolution(seed, method):
    rng = np.random.default_rng(seed)
    kept = np.sort(rng.choice(12, size=rng.integers(1, 7), replace=False))
    ids = rng.choice([0, 0, 1, 2, 254], size=(len(kept), 9, 11)).astype(np.uint8)
    ids[rng.random(len(kept)) < 0.2] = rng.choice([0, 7])
    out = interpolate_ids(ids, kept, 12, method=method)
    assert out.shape == (12, 9, 11)
    assert out.dtype == np.uint8
    np.testing.assert_array_equal(out[kept], ids)
    assert set(np.unique(out)) <= set(np.unique(ids)) | {0}
    np.testing.assert_array_equal(out[: kept[0]], np.broadcast_to(ids[0], out[: kept[0]].shape))
    np.testing.assert_array_equal(out[kept[-1] :], np.broadcast_to(ids[-1], out[kept[-1] :].shape))


@moderate
@given(st.floats(12, 52), st.floats(12, 36), st.floats(12, 52), st.floats(12, 36), st.floats(5, 10))
def test_a_translating_disc_is_on_its_way_in_between(x0, y0, x1, y1, radius):
    """Also when it moves farther than its own width."""
    shape = (48, 64)
    ids = np.stack([disc(shape, x0, y0, radius), disc(shape, x1, y1, radius)]).astype(np.uint8)
    out = interpolate_ids(ids, [0, 4], 5)
    for t in range(5):
        share = t / 4
        expected = disc(shape, x0 + share * (x1 - x0), y0 + share * (y1 - y0), radius)
        assert iou(out[t] == 1, expected) > 0.7
        rows, columns = np.nonzero(out[t])
        assert columns.mean() == pytest.approx(x0 + share * (x1 - x0), abs=1)
        assert rows.mean() == pytest.approx(y0 + share * (y1 - y0), abs=1)


def test_a_growing_disc_has_the_mean_radius_in_between():
    ids = np.stack([disc((64, 64), 32, 32, 8), disc((64, 64), 32, 32, 20)]).astype(np.uint8)
    between = interpolate_ids(ids, [0, 2], 3)[1]
    assert np.sqrt(between.sum() / np.pi) == pytest.approx(14, abs=0.5)


def test_nearest_takes_the_nearer_frame_and_the_earlier_of_two():
    ids = np.stack([np.full((3, 3), v, np.uint8) for v in (1, 2)])
    out = interpolate_ids(ids, [0, 4], 7, method="nearest")
    assert out[:, 0, 0].tolist() == [1, 1, 1, 2, 2, 2, 2]


@pytest.mark.parametrize("method", ["signed_distance", "nearest"])
def test_an_instance_absent_from_one_frame_is_held_for_half_the_interval(method):
    ids = np.zeros((3, 10, 10), dtype=np.uint8)
    ids[0, :3, :3] = 5
    ids[2, 6:, 6:] = 6
    out = interpolate_ids(ids, [0, 4, 8], 9, method=method)
    for t in range(9):
        np.testing.assert_array_equal(out[t], ids[0] if t <= 2 else ids[2] if t >= 7 else ids[1])


@moderate
@given(st.permutations([1, 2, 3, 4]), st.integers(0, 10**6))
def test_permuting_the_ids_commutes_with_interpolation(order, seed):
    rng = np.random.default_rng(seed)
    shape = (40, 60)
    ids = np.zeros((3, *shape), dtype=np.uint8)
    for k in range(3):  # each instance in its own lane: ties between instances cannot occur
        for n in range(4):
            if rng.random() < 0.8:
                ids[k][disc(shape, rng.uniform(5, 55), 5 + 10 * n, rng.uniform(2, 4))] = n + 1
    renamed = np.array([0, *order], dtype=np.uint8)
    kept = [0, 3, 5]
    for size in (None, (61, 73)):
        np.testing.assert_array_equal(
            interpolate_ids(renamed[ids], kept, 6, size),
            renamed[interpolate_ids(ids, kept, 6, size)],
        )


def test_where_instances_overlap_the_deepest_wins():
    shape = (40, 60)
    ids = np.zeros((2, *shape), dtype=np.uint8)
    for k, (x1, x2) in enumerate([(15, 45), (45, 15)]):
        ids[k][disc(shape, x1, 20, 12)] = 1
        ids[k][disc(shape, x2, 20, 5)] = 2
    between = interpolate_ids(ids, [0, 2], 3)[1]
    assert between[20, 30] == 1
    assert set(np.unique(between)) <= {0, 1}


def test_a_frame_filled_by_one_instance():
    ids = np.full((2, 6, 8), 3, dtype=np.uint8)
    assert (interpolate_ids(ids, [0, 3], 4, (13, 17)) == 3).all()


def test_an_instance_that_filled_the_frame_shrinks_towards_its_next_shape():
    ids = np.ones((2, 40, 40), dtype=np.uint8)
    ids[1, :, 20:] = 0
    columns = interpolate_ids(ids, [0, 10], 11)[:, 20].sum(axis=1)
    assert (np.diff(columns.astype(int)) <= 0).all()
    assert 20 < columns[9] < 40


def test_enlarged_masks_are_closer_to_the_shape_than_nearest_neighbours():
    small = disc((32, 32), 15.5, 15.5, 9).astype(np.uint8)[None]
    large = interpolate_ids(small, [0], 1, (256, 320))[0] == 1
    rows, columns = np.mgrid[:256, :320]
    x, y = (columns + 0.5) / 10 - 0.5, (rows + 0.5) / 8 - 0.5
    truth = (x - 15.5) ** 2 + (y - 15.5) ** 2 <= 9**2
    blocks = cv2.resize(small[0], (320, 256), interpolation=cv2.INTER_NEAREST) == 1
    assert iou(large, truth) > iou(blocks, truth)
    assert iou(large, truth) > 0.96


@pytest.mark.parametrize(
    ("ids", "kept", "num_frames", "method", "message"),
    [
        (np.zeros((2, 4, 4), np.int64), [0, 1], 2, "nearest", "expected uint8"),
        (np.zeros((4, 4), np.uint8), [0], 1, "nearest", "expected uint8"),
        (np.zeros((0, 4, 4), np.uint8), [], 1, "nearest", "expected uint8"),
        (np.zeros((2, 4, 4), np.uint8), [0], 2, "nearest", "as many frame indices"),
        (np.zeros((2, 4, 4), np.uint8), [1, 1], 2, "nearest", "strictly ascending"),
        (np.zeros((2, 4, 4), np.uint8), [0, 2], 2, "nearest", "within 0 to 1"),
        (np.zeros((2, 4, 4), np.uint8), [-1, 1], 2, "nearest", "within 0 to 1"),
        (np.zeros((2, 4, 4), np.uint8), [0, 1], 2, "linear", "'linear'"),
    ],
)
def test_bad_arguments_are_refused(ids, kept, num_frames, method, message):
    with pytest.raises(ValueError, match=message):
        interpolate_ids(ids, kept, num_frames, method=method)


@pytest.mark.parametrize("gap", [2, 4])
def test_signed_distance_beats_nearest_on_real_masks(gap):
    root = os.environ.get("TAGVIS_REAL_DATA")
    if not root:
        pytest.skip("TAGVIS_REAL_DATA is not set")
    scores = {"nearest": [], "signed_distance": []}
    for sequence in ("motorbike", "rollerblade", "drift-turn"):
        files = sorted((Path(root) / "DAVIS-2016/Annotations/480p" / sequence).glob("*.png"))
        masks = [cv2.imread(str(f), cv2.IMREAD_GRAYSCALE) for f in files[:33]]
        ids = np.stack(
            [cv2.resize(m, (112, 112), interpolation=cv2.INTER_AREA) > 127 for m in masks]
        ).astype(np.uint8)
        kept = np.arange(0, len(ids), gap)
        held_out = np.setdiff1d(np.arange(kept[-1]), kept)
        for method, ious in scores.items():
            out = interpolate_ids(ids[kept], kept, len(ids), method=method)
            ious.append(np.mean([iou(out[t] == 1, ids[t] == 1) for t in held_out]))
    for nearest, smooth in zip(*scores.values(), strict=True):
        assert smooth > nearest + 0.05
