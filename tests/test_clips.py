"""Clips: which frames, and that labels, classes and frame indices follow the pixels."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor
from torch.nn.functional import avg_pool2d
from torchvision.models.video import R2Plus1D_18_Weights

from tagvis_lite.clips import (
    ClipDataset,
    clip_loader,
    make_clip,
    order,
    prepare_frames,
    sample_indices,
    spread_indices,
)
from tagvis_lite.clips.make import shrunk_box
from tagvis_lite.config import TOY, DataConfig
from tagvis_lite.data.images import read_image_folder, write_jpeg
from tagvis_lite.video import Clip, Video

CONFIG = DataConfig(clip_frames=5, size=(32, 48), min_crop=0.6)
SEEDS = st.integers(0, 2**32)
moderate = settings(max_examples=60, deadline=None)


def moving_squares(num_frames: int = 9, height: int = 40, width: int = 56) -> Video:
    """Red holds the frame's number, green is bright on id 3, blue on id 7; a strip is void."""
    frames = np.zeros((num_frames, height, width, 3), np.uint8)
    ids = np.zeros((num_frames, height, width), np.uint8)
    for t in range(num_frames):
        frames[t, ..., 0] = 20 * t
        first, second = np.s_[t, 5:22, 2 + 2 * t : 20 + 2 * t], np.s_[t, 20 + t : 34 + t, 28:50]
        for where, channel, instance in ((first, 1, 3), (second, 2, 7)):
            frames[where] = frames[where] * np.uint8([1, 0, 0])
            frames[(*where, channel)] = 250
            ids[where] = instance
        ids[t, :, -4:] = 255
    return Video("squares", frames, ids, categories={3: 2, 7: 4})


def pixels(clip: Clip, config: DataConfig) -> Tensor:
    """Undo the normalisation: 3 x T x H x W in 0..255."""
    mean, std = (torch.tensor(s).view(3, 1, 1, 1) for s in (config.mean, config.std))
    return 255 * (clip.frames * std + mean)


def seeded(seed: int) -> Generator:
    return Generator().manual_seed(seed)


def same(left: Clip, right: Clip) -> bool:
    fields = ("frames", "ids", "semantic", "frame_indices")
    return left.names == right.names and all(
        torch.equal(getattr(left, name), getattr(right, name)) for name in fields
    )


# ---------------------------------------------------------------- choice of frames


@given(num_frames=st.integers(1, 300), clip_frames=st.integers(1, 64))
@moderate
def test_spread_indices_are_even_and_keep_both_ends(num_frames: int, clip_frames: int) -> None:
    indices = spread_indices(num_frames, clip_frames)
    assert indices.dtype == np.int64
    assert len(indices) == clip_frames
    assert indices[0] == 0
    if clip_frames > 1:
        steps = np.diff(indices)
        assert indices[-1] == num_frames - 1
        assert steps.max() - steps.min() <= 1
        ideal = np.arange(clip_frames) * (num_frames - 1) / (clip_frames - 1)
        assert np.abs(indices - ideal).max() <= 0.5 + 1e-9
        assert (steps.min() >= 1) == (num_frames >= clip_frames)
    if num_frames <= clip_frames:
        assert set(indices.tolist()) == set(range(num_frames))


@given(
    num_frames=st.integers(1, 150),
    clip_frames=st.integers(1, 40),
    max_drop=st.integers(0, 6),
    seed=SEEDS,
)
@settings(max_examples=200, deadline=None)
def test_sampled_indices_increase_and_drop_at_most_max_drop(
    num_frames: int, clip_frames: int, max_drop: int, seed: int
) -> None:
    indices = sample_indices(num_frames, clip_frames, max_drop, seeded(seed))
    assert indices.dtype == np.int64
    assert len(indices) == clip_frames
    assert indices.min() >= 0
    assert indices.max() < num_frames
    if num_frames >= clip_frames:
        assert set(np.diff(indices).tolist()) <= set(range(1, max_drop + 2))
    else:
        np.testing.assert_array_equal(indices, spread_indices(num_frames, clip_frames))


def test_sampled_indices_vary_in_window_and_in_every_length_of_run() -> None:
    drawn = [sample_indices(60, 8, 5, seeded(seed)) for seed in range(300)]
    assert len({tuple(indices) for indices in drawn}) > 290
    assert {int(step) for indices in drawn for step in np.diff(indices)} == {1, 2, 3, 4, 5, 6}
    for place in range(7):
        assert any(indices[place + 1] - indices[place] > 1 for indices in drawn)
    assert {int(t) for indices in drawn for t in indices} == set(range(60))


def test_without_drops_the_window_is_consecutive_and_reaches_both_ends() -> None:
    drawn = [sample_indices(10, 8, 0, seeded(seed)) for seed in range(40)]
    assert all((np.diff(indices) == 1).all() for indices in drawn)
    assert {int(indices[0]) for indices in drawn} == {0, 1, 2}


@pytest.mark.parametrize(("num_frames", "clip_frames"), [(0, 4), (4, 0)])
def test_no_frames_to_choose_from_is_refused(num_frames: int, clip_frames: int) -> None:
    with pytest.raises(ValueError, match="both must be 1 or more"):
        spread_indices(num_frames, clip_frames)
    with pytest.raises(ValueError, match="both must be 1 or more"):
        sample_indices(num_frames, clip_frames, 5)


# ---------------------------------------------------------------- one clip


@pytest.mark.parametrize("label_stride", [1, 2])
@pytest.mark.parametrize("augment", [False, True])
def test_shapes_and_dtypes(label_stride: int, augment: bool) -> None:
    clip = make_clip(
        moving_squares(),
        range(5),
        CONFIG,
        5,
        label_stride=label_stride,
        augment=augment,
        generator=seeded(0),
    )
    assert clip.frames.shape == (3, 5, 32, 48)
    assert clip.frames.dtype == torch.float32
    assert clip.ids.shape == clip.semantic.shape == (5, 32 // label_stride, 48 // label_stride)
    assert clip.ids.dtype == clip.semantic.dtype == clip.frame_indices.dtype == torch.int64
    assert clip.names == ("squares",)
    assert clip.frames.isfinite().all()


def test_frames_are_what_the_pretrained_encoder_expects() -> None:
    video = Video("noise", np.random.default_rng(0).integers(0, 256, (4, 32, 48, 3), np.uint8))
    clip = make_clip(video, [0, 2, 3], CONFIG, 5)
    preset = R2Plus1D_18_Weights.KINETICS400_V1.transforms(crop_size=(32, 48), resize_size=(32, 48))
    expected = preset(torch.from_numpy(video.read_frames([0, 2, 3])).permute(0, 3, 1, 2))
    torch.testing.assert_close(clip.frames, expected)


def test_shrinking_averages_what_is_too_fine_for_the_clip() -> None:
    """Two columns in eight are bright, those under the centres of the clip's pixels."""
    stripes = np.zeros((256, 384, 3), np.uint8)
    stripes[:, 3::8] = stripes[:, 4::8] = 200
    clip = make_clip(Video("stripes", [stripes]), [0], CONFIG, 5)
    inner = pixels(clip, CONFIG)[..., 1:-1]
    torch.testing.assert_close(inner, torch.full_like(inner, 50), atol=3, rtol=0)


@pytest.mark.parametrize("label_stride", [1, 2])
@given(seed=SEEDS)
@moderate
def test_labels_and_frame_indices_follow_the_pixels(label_stride: int, seed: int) -> None:
    clip = make_clip(
        moving_squares(),
        range(9),
        CONFIG,
        5,
        label_stride=label_stride,
        augment=True,
        generator=seeded(seed),
    )
    red, *bright = avg_pool2d(pixels(clip, CONFIG), label_stride)
    expected = 20.0 * clip.frame_indices.view(-1, 1, 1).expand_as(red)
    torch.testing.assert_close(red, expected, atol=0.51, rtol=0)

    clear = clip.ids != 255
    for instance, green_or_blue in zip((3, 7), bright, strict=True):
        inside = (clip.ids == instance).float()
        deep, far = (avg_pool2d(x, 3, stride=1, padding=1) == 1 for x in (inside, 1 - inside))
        assert (green_or_blue[deep] > 249).all()
        assert (green_or_blue[far & clear] < 1).all()
    assert set(clip.ids.unique().tolist()) <= {0, 3, 7, 255}


@given(seed=SEEDS)
@moderate
def test_semantic_is_the_category_of_the_id_and_void_stays_void(seed: int) -> None:
    clip = make_clip(moving_squares(), range(5), CONFIG, 5, augment=True, generator=seeded(seed))
    for instance, category in {0: 0, 3: 2, 7: 4, 255: 255}.items():
        assert torch.equal(clip.ids == instance, clip.semantic == category)


def test_the_whole_frame_keeps_its_void_strip() -> None:
    clip = make_clip(moving_squares(), range(5), CONFIG, 5, label_stride=2)
    for labels in (clip.ids, clip.semantic):  # 4 of 56 columns are 1.7 of 24
        assert (labels[..., -2:] == 255).all()
        assert (labels[..., :-2] != 255).all()


def test_two_classes_make_every_instance_class_one() -> None:
    clip = make_clip(moving_squares(), range(5), CONFIG, 2)
    assert set(clip.semantic.unique().tolist()) == {0, 1, 255}
    uncategorised = replace(moving_squares(), categories={})
    assert same(clip, make_clip(uncategorised, range(5), CONFIG, 2))


def test_label_pixels_show_the_source_pixel_under_their_centre() -> None:
    """Three source pixels per label pixel: the middle one. A mirrored video mirrors its labels."""
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 256, (2, 24, 36, 3), np.uint8)
    ids = rng.integers(0, 9, (2, 24, 36), np.uint8)
    config = replace(CONFIG, size=(16, 24))
    clip = make_clip(Video("noise", frames, ids), [0, 1], config, 2, label_stride=2)
    np.testing.assert_array_equal(clip.ids.numpy(), ids[:, 1::3, 1::3])

    mirror = Video("noise", frames[:, :, ::-1].copy(), ids[:, :, ::-1].copy())
    assert torch.equal(make_clip(mirror, [0, 1], config, 2, label_stride=2).ids, clip.ids.flip(-1))


def test_flips_alone_give_four_clips_each_of_them_in_time() -> None:
    config = replace(CONFIG, min_crop=1.0)
    plain = make_clip(moving_squares(), range(5), config, 5)
    expected = {
        (time, space): Clip(
            frames=plain.frames.flip([-3] * time + [-1] * space),
            ids=plain.ids.flip([-3] * time + [-1] * space),
            semantic=plain.semantic.flip([-3] * time + [-1] * space),
            frame_indices=plain.frame_indices.flip([0] * time),
            names=plain.names,
        )
        for time in (0, 1)
        for space in (0, 1)
    }
    seen = []
    for seed in range(40):
        clip = make_clip(
            moving_squares(), range(5), config, 5, augment=True, generator=seeded(seed)
        )
        matches = [flips for flips, other in expected.items() if same(clip, other)]
        assert len(matches) == 1
        seen += matches
    assert set(seen) == set(expected)


def test_crops_are_one_box_per_clip_of_at_least_min_crop_and_vary() -> None:
    """Red is a ramp over x, green over y: their extremes tell the box."""
    y, x = np.mgrid[0:80, 0:120]
    image = np.stack([2 * x, 3 * y, 0 * x], axis=-1).astype(np.uint8)
    video = Video("ramps", [image] * 3)
    config = replace(CONFIG, size=(80, 120), min_crop=0.5)
    boxes = []
    for seed in range(40):
        clip = make_clip(video, range(3), config, 5, augment=True, generator=seeded(seed))
        assert torch.equal(clip.frames[:, 0], clip.frames[:, 1])
        assert torch.equal(clip.frames[:, 0], clip.frames[:, 2])
        red, green, _ = pixels(clip, config)[:, 0]
        left, right = float(red.min()) / 240, float(red.max()) / 240
        top, bottom = float(green.min()) / 240, float(green.max()) / 240
        assert right - left == pytest.approx(bottom - top, abs=0.03)
        boxes.append((left, top, right - left))
    places = np.array(boxes)
    assert places[:, 2].min() >= 0.5 - 0.03
    assert places[:, 2].min() < 0.6
    assert places[:, 2].max() > 0.9
    assert places[:, :2].min() < 0.05
    assert (places[:, :2].max(axis=0) > 0.3).all()


def test_a_video_without_labels_is_void_everywhere() -> None:
    clip = make_clip(replace(moving_squares(), ids=None), range(5), CONFIG, 5)
    assert (clip.ids == 255).all()
    assert (clip.semantic == 255).all()


def test_repeated_indices_repeat_the_frame() -> None:
    clip = make_clip(moving_squares(), [4, 4, 6], CONFIG, 5)
    assert torch.equal(clip.frames[:, 0], clip.frames[:, 1])
    assert clip.frame_indices.tolist() == [4, 4, 6]


def test_only_the_chosen_frames_are_decoded() -> None:
    class Decoder:
        def __init__(self) -> None:
            self.decoded: list[int] = []

        def __len__(self) -> int:
            return 1000

        def __getitem__(self, index: int, /) -> np.ndarray:
            self.decoded.append(index)
            return np.zeros((8, 8, 3), np.uint8)

    frames = Decoder()
    make_clip(Video("lazy", frames), [7, 900], CONFIG, 5)
    assert set(frames.decoded) == {7, 900}


@pytest.mark.parametrize(
    ("changes", "num_classes", "message"),
    [
        ({"categories": {3: 2}}, 5, r"'squares'.*ids \[7\] without a category"),
        ({"categories": {3: 2, 7: 4}}, 4, r"'squares'.*instance 7 has category 4.*1 to 3"),
        ({"categories": {3: 2, 7: 0}}, 5, "'squares'.*instance 7 has category 0"),
        ({"categories": {3: 2, 7: 4, 255: 1}}, 5, "'squares'.*category to id 255"),
        ({"ids": np.zeros((9, 40, 55), np.uint8)}, 5, r"'squares'.*\(40, 55\).*\(40, 56\)"),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    changes: dict[str, object], num_classes: int, message: str
) -> None:
    video = replace(moving_squares(), **changes)
    with pytest.raises(ValueError, match=message):
        make_clip(video, range(9), CONFIG, num_classes)


@pytest.mark.parametrize("indices", [[], [-1, 0], [3, 9]])
def test_indices_outside_the_video_are_refused(indices: list[int]) -> None:
    with pytest.raises(ValueError, match=r"'squares'.*expected some of 0 to 8"):
        make_clip(moving_squares(), indices, CONFIG, 5)


# ---------------------------------------------------------------- the clips of a run


RUN = replace(TOY, data=CONFIG, model=replace(TOY.model, upsampling=(2, 2)))


def dataset(seed: int = 0, **fields: int) -> ClipDataset:
    videos = [replace(moving_squares(length), name=str(length)) for length in (9, 10, 7, 3)]
    return ClipDataset(videos, replace(RUN, train=replace(RUN.train, seed=seed, **fields)))


def clips_of(number: int, seed: int = 0) -> list[Clip]:
    clips = dataset(seed)
    return [clips[k][1] for k in range(number)]


def test_a_clip_depends_on_the_seed_and_its_number_alone() -> None:
    expected = clips_of(9, seed=5)
    resumed = dataset(seed=5)
    torch.manual_seed(99)
    for number in (7, 0, 3, 8, 7):
        again, clip = resumed[number]
        assert again == number
        assert same(clip, expected[number])


def test_every_video_comes_once_an_epoch_and_no_clip_comes_twice() -> None:
    clips = [clip for seed in (0, 1) for clip in clips_of(12, seed)]
    orders = [[clip.names[0] for clip in clips[start : start + 4]] for start in range(0, 24, 4)]
    assert all(set(order) == {"9", "10", "7", "3"} for order in orders)
    assert len(set(map(tuple, orders))) > 1
    for place, clip in enumerate(clips):
        assert not any(same(clip, other) for other in clips[:place])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_gives_the_clips_of_its_process_from_a_step_on(workers: int) -> None:
    expected = clips_of(24)
    clips = dataset(batch_size=2, accumulate=2, workers=workers)
    loader = clip_loader(clips, steps_done=1, rank=1, world_size=2)
    batches = list(itertools.islice(loader, 2))
    assert [numbers for numbers, _ in batches] == [[10, 11, 14, 15], [18, 19, 22, 23]]
    for numbers, batch in batches:
        assert same(batch, Clip.collate([expected[number] for number in numbers]))
        assert batch.frames.shape == (4, 3, 5, 32, 48)
        assert batch.ids.shape == (4, 5, 16, 24)
        assert {batch.frames.dtype, batch.ids.dtype, batch.semantic.dtype} == {torch.uint8}


def test_too_little_shared_memory_for_the_workers_is_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free = 2 * 3 * 2 * (3 * 5 * 32 * 48 + 2 * 5 * 16 * 24)  # of 3 workers and 2 clips
    clips = dataset(batch_size=2, workers=3)
    for missing in (0, 1):
        usage = SimpleNamespace(free=free - missing)
        monkeypatch.setattr(order.shutil, "disk_usage", lambda _, usage=usage: usage)
        with warnings.catch_warnings(record=True) as caught:
            clip_loader(clips)
        said = [str(w.message) for w in caught]
        assert sum(text.endswith("use fewer --train.workers") for text in said) == missing


def test_frames_in_files_are_decoded_as_small_as_the_crop_allows(tmp_path: Path) -> None:
    """Without a shift against labels: in clips of the same box, full decoding gives the same."""
    smooth = cv2.resize(np.random.default_rng(0).integers(0, 256, (8, 10, 3), np.uint8), (320, 240))
    write_jpeg(tmp_path / "0.jpg", smooth)
    files = read_image_folder(tmp_path)
    for size, expected in ((24, 8), (112, 2), (224, 1)):
        config = replace(CONFIG, size=(size, size))
        box, by = shrunk_box((3, 5, 232, 312), files, config)
        assert by == expected
        found = prepare_frames(files.read_frames([0], by), config, tuple(v // by for v in box))
        full = prepare_frames(files.read_frames([0]), config, box)
        assert (found.float() - full.float()).abs().mean() < 2
        assert by > 1 or torch.equal(found, full)
    assert shrunk_box((3, 5, 232, 312), moving_squares(), CONFIG) == ((3, 5, 232, 312), None)


def test_a_video_shorter_than_the_clip_shows_every_frame() -> None:
    short = ClipDataset([moving_squares(3)], RUN)
    for number in range(8):
        indices = short[number][1].frame_indices
        assert indices.unique().tolist() == [0, 1, 2]
        assert len(set(indices.diff().sign().tolist()) - {0}) == 1


def test_a_data_set_that_cannot_be_trained_on_is_refused() -> None:
    video = moving_squares()
    with pytest.raises(ValueError, match="at least one video"):
        ClipDataset([], RUN)
    with pytest.raises(ValueError, match="'squares' has no label maps"):
        ClipDataset([video, replace(video, ids=None)], RUN)
    with pytest.raises(ValueError, match=r"'squares'.*category 4"):
        ClipDataset([video], replace(RUN, model=replace(RUN.model, num_classes=3)))
