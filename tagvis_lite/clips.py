"""From a `Video` to the `Clip` the network sees: choice of frames, crop, flips, labels.

Section IV of the paper: 'We use random crops as well as spatial and temporal flips to augment
the training data. We, further, generate diverse variations of 32 frame video clip from each
video sequence per epoch by dropping a random number of consecutive frames between 1 to 5.'

    indices:  sample_indices (training)  or  spread_indices (inference, validation)
    pixels:   prepare_frames, normalise  crop and resize; zero mean and unit variance
    labelled: make_clip                  flips, label maps and classes as well
    a run:    ClipDataset, ClipOrder     for torch.utils.data.DataLoader

The clips of a training run are one endless sequence. Clip i is of the (i mod N)-th video in the
order of epoch i // N, where the order and the clip are drawn from (seed, epoch): every video once
an epoch. Step s takes the next `clips_per_step` of them, however these are shared among processes
and accumulated batches:

    step 1                          step 2
    |  batch 0      |  batch 1     |  batch 0  ...
    |  p 0  |  p 1  |  p 0  | p 1  |
    | 0   1 | 2   3 | 4   5 | 6  7 | 8  9 ...       2 processes, batch_size 2, accumulate 2
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from tagvis_lite.config import Config, DataConfig, TrainConfig
from tagvis_lite.video import BACKGROUND, VOID, Clip, Video

Drops = Literal["runs", "one_run", "every_gap", "fixed_stride"]


def spread_indices(num_frames: int, clip_frames: int) -> np.ndarray:
    """Choose `clip_frames` of `num_frames` frames evenly; the first and the last are kept.

    Strictly increasing when the video is long enough. A shorter video gives every frame at
    least once, in order, the repeats evenly spread. One clip frame is the video's first.

    Returns:
        int64, clip_frames: indices into the video.

    Raises:
        ValueError: a number below 1.
    """
    _require_frames(num_frames, clip_frames)
    return np.rint(np.linspace(0, num_frames - 1, clip_frames)).astype(np.int64)


def sample_indices(
    num_frames: int,
    clip_frames: int,
    max_drop: int,
    generator: Generator | None = None,
    drops: Drops = "runs",
) -> np.ndarray:
    """Choose the frames of a training clip: a random window with random runs left out.

    1. The number of dropped runs is uniform in 0..min(clip_frames - 1, frames to spare), and
       each run lies between another two neighbours of the clip, chosen at random.
    2. Each run has 1..`max_drop` frames, uniform. Once the runs together reach the frames the
       video has to spare, the one in hand is cut short and those still to come are empty.
    3. The window (kept and dropped frames) starts anywhere it fits, uniform.

    Other readings of 'dropping a random number of consecutive frames between 1 to 5' differ in step
    1 and 2: `one_run` in a clip; a run in `every_gap` of the clip; or all these of one length, a
    `fixed_stride`, and as many frames as the video has to spare.

    So neighbouring clip frames are 1..`max_drop` + 1 video frames apart. A video of fewer than
    `clip_frames` frames has none to drop and gives `spread_indices`.

    Args:
        num_frames: frames of the video.
        clip_frames: T, frames of the clip.
        max_drop: longest dropped run; 0 gives consecutive frames.
        generator: source of randomness; None is torch's global one.
        drops: where the runs are (docs/decisions.md, D18).

    Returns:
        int64, clip_frames: indices into the video, strictly increasing when
        num_frames >= clip_frames.

    Raises:
        ValueError: a number of frames below 1.
    """
    _require_frames(num_frames, clip_frames)
    spare = num_frames - clip_frames
    if spare < 0:
        return spread_indices(num_frames, clip_frames)

    steps = torch.ones(clip_frames, dtype=torch.int64)  # steps[0] leads to the window's start
    if max_drop > 0 and clip_frames > 1 and drops == "fixed_stride":
        steps[1:] += min(_uniform(1, max_drop, generator), spare // (clip_frames - 1))
    elif max_drop > 0:
        runs = min(clip_frames - 1, spare)
        if drops == "runs":
            runs = _uniform(0, runs, generator)
        elif drops == "one_run":
            runs = min(1, runs)
        lengths = torch.randint(1, max_drop + 1, (runs,), generator=generator)
        dropped = lengths.cumsum(0).clamp(max=spare).diff(prepend=torch.zeros(1, dtype=torch.int64))
        where = 1 + torch.randperm(clip_frames - 1, generator=generator)[:runs]
        steps[where] += dropped
    span = int(steps.sum())
    steps[0] = _uniform(0, num_frames - span, generator)
    return steps.cumsum(0).numpy()


Box = tuple[int, int, int, int]
"""Top, left, height and width of a crop, in pixels of the video."""


def prepare_frames(frames: np.ndarray, config: DataConfig, box: Box | None = None) -> Tensor:
    """Crop frames and resize them once, bilinear with antialiasing.

    Args:
        frames: uint8, T x H' x W' x 3, RGB, as a video has them.
        config: its `size` is H x W.
        box: what to keep; None is the whole frame.

    Returns:
        uint8, 3 x T x H x W.
    """
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2)
    box = box or (0, 0, *pixels.shape[-2:])
    resized = transforms.resized_crop(pixels, *box, size=list(config.size), antialias=True)
    return resized.transpose(0, 1).contiguous()


def normalise(frames: Tensor, config: DataConfig) -> Tensor:
    """Uint8, [B x] 3 x T x H x W, to float32 of about zero mean and unit variance."""
    mean, std = _statistics(config.mean, config.std, frames.device)
    return frames.to(torch.float32).sub_(mean).div_(std)


@lru_cache(maxsize=4)
def _statistics(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    """As tensors on a device: a copy in every step would be waited for."""
    both = 255 * torch.tensor([mean, std]).view(2, 3, 1, 1, 1)
    of_mean, of_std = both.to(device)
    return of_mean, of_std


def to_device(clip: Clip, config: DataConfig, device: torch.device | str = "cpu") -> Clip:
    """Make of a clip as it travels, in bytes, what the network and the losses take."""
    frames, ids, semantic = (
        values.to(device, non_blocking=True) for values in (clip.frames, clip.ids, clip.semantic)
    )
    return replace(
        clip,
        frames=normalise(frames, config),
        ids=ids.to(torch.int64),
        semantic=semantic.to(torch.int64),
    )


def make_clip(
    video: Video,
    indices: Sequence[int] | np.ndarray,
    config: DataConfig,
    num_classes: int,
    *,
    label_stride: int = 1,
    augment: bool = False,
    generator: Generator | None = None,
    as_bytes: bool = False,
) -> Clip:
    """Read the frames at `indices` and turn them, with their labels, into a clip.

    Augmentation (section IV) is the same for all frames: a crop of the shape `config.crop_shape`
    with sides of `config.min_crop` to 1 times the largest there can be, a horizontal flip and a
    temporal flip, each flip in half of the clips. Without augmentation the whole frame is used.

    Frames are resized once, bilinear with antialiasing, and labels once too, from the video's
    resolution to that of the tags. Labels use 'nearest-exact': it takes the source pixel under
    the centre of each label pixel, so pixel centres stay aligned with the bilinear frames. Plain
    'nearest' takes the one under the top left corner: labels would lie up to half a label pixel
    below and to the right of the frames, in flipped clips to the left. `resized_crop` always
    uses it for a `tv_tensors.Mask`, hence plain tensors here.

    Args:
        video: source; one without label maps gives a clip that is void (255) everywhere.
        indices: T indices into the video.
        config: size, min_crop, crop_shape, mean and std.
        num_classes: semantic classes with background. With 2 (DAVIS, D17) every instance is of
            class 1, whatever its category.
        label_stride: how much smaller labels are than frames, `config.model.label_stride`.
        augment: crop and flip at random.
        generator: source of randomness; None is torch's global one.
        as_bytes: leave frames and labels uint8, for `to_device`.

    Returns:
        An unbatched clip: frames float32, 3 x T x H x W with H x W = `config.size`; ids and
        semantic int64, T x h x w with h = H // label_stride; frame_indices int64, T, decreasing
        after a temporal flip.

    Raises:
        ValueError: indices outside the video, label maps of another size than the frames, an id
            without a category or a category the network has no class for.
    """
    chosen = [int(t) for t in indices]
    if not chosen or min(chosen) < 0 or max(chosen) >= len(video):
        raise ValueError(
            f"video {video.name!r}: indices are {chosen}, expected some of 0 to {len(video) - 1}"
        )
    label_size = [side // label_stride for side in config.size]

    if augment and _uniform(0, 1, generator) == 1:
        chosen.reverse()
    source = video.read_frames(chosen)
    height, width = source.shape[1:3]
    if video.ids is None:
        ids = torch.full((len(chosen), height, width), VOID, dtype=torch.uint8)
    else:
        ids = torch.from_numpy(video.read_ids(chosen))
    if ids.shape[-2:] != (height, width):
        raise ValueError(
            f"video {video.name!r}: label maps are {tuple(ids.shape[-2:])}, "
            f"but frames are {(height, width)}"
        )

    box = (0, 0, height, width)
    if augment:
        box = _random_box(height, width, config, generator)
    frames = prepare_frames(source, config, box)
    ids = transforms.resized_crop(
        ids, *box, size=label_size, interpolation=InterpolationMode.NEAREST_EXACT
    )
    if augment and _uniform(0, 1, generator) == 1:
        frames, ids = frames.flip(-1), ids.flip(-1)

    semantic = _class_of_id(video, num_classes)[ids.long()]
    if (semantic < 0).any():
        unknown = torch.unique(ids[semantic < 0]).tolist()
        raise ValueError(
            f"video {video.name!r}: label maps hold ids {unknown} without a category; "
            "add them to Video.categories"
        )
    clip = Clip(
        frames=frames,
        ids=ids,
        semantic=semantic.to(torch.uint8),
        frame_indices=torch.tensor(chosen),
        names=(video.name,),
        largest_id=int(torch.where(ids == VOID, 0, ids).max()),
    )
    return clip if as_bytes else to_device(clip, config)


class ClipDataset(Dataset[tuple[int, Clip]]):
    """The endless sequence of augmented clips of a run: item i is i and clip i.

    A clip is a pure function of the seed and its number, whatever the number of workers: a run
    resumed at any step sees what an uninterrupted one would have seen.

    Args:
        videos: labelled videos.
        config: of the run; data, model and the seed and batches of train are used.

    Raises:
        ValueError: no videos, a video without label maps or with a category that the network
            has no class for.
    """

    def __init__(self, videos: Sequence[Video], config: Config) -> None:
        if len(videos) == 0:
            raise ValueError("a data set of clips needs at least one video")
        for video in videos:
            if video.ids is None:
                raise ValueError(f"video {video.name!r} has no label maps to train on")
            _class_of_id(video, config.model.num_classes)
        self.videos = videos
        self.config = config

    def __getitem__(self, number: int) -> tuple[int, Clip]:
        config, data = self.config, self.config.data
        epoch, place = divmod(number, len(self.videos))
        index = _order(config.train.seed, epoch, len(self.videos))[place]
        video = self.videos[index]
        generator = _generator(config.train.seed, epoch, index)
        indices = sample_indices(len(video), data.clip_frames, data.max_drop, generator, data.drops)
        clip = make_clip(
            video,
            indices,
            data,
            config.model.num_classes,
            label_stride=config.model.label_stride,
            augment=True,
            generator=generator,
            as_bytes=True,
        )
        return number, clip


class ClipOrder(Sampler[list[int]]):
    """Numbers of the clips of step after step of one process, without end.

    Args:
        config: batch size and accumulation.
        steps_done: optimiser steps that the run has behind it.
        rank: of this process among `world_size`.
        world_size: number of processes.
    """

    def __init__(
        self, config: TrainConfig, steps_done: int = 0, rank: int = 0, world_size: int = 1
    ) -> None:
        size, self.clips_per_step = config.batch_size, clips_per_step(config, world_size)
        starts = range(rank * size, self.clips_per_step, world_size * size)
        self.of_first_step = [start + k for start in starts for k in range(size)]
        self.steps_done = steps_done

    def __iter__(self) -> Iterator[list[int]]:
        for step in itertools.count(self.steps_done):
            yield [step * self.clips_per_step + number for number in self.of_first_step]


def clip_loader(
    dataset: ClipDataset,
    steps_done: int = 0,
    rank: int = 0,
    world_size: int = 1,
    device: torch.device | str = "cpu",
) -> DataLoader[tuple[int, Clip]]:
    """The clips of each step of one process, after the first `steps_done`, without end.

    Each item is the numbers of the clips and the clips, in bytes, with a leading dimension B, on
    the CPU; in pinned memory where they go to a GPU.
    """
    config = dataset.config.train
    return DataLoader(
        dataset,
        batch_sampler=ClipOrder(config, steps_done, rank, world_size),
        collate_fn=_collate,
        num_workers=config.workers,
        pin_memory=torch.device(device).type == "cuda",
    )


def _collate(items: list[tuple[int, Clip]]) -> tuple[list[int], Clip]:
    return [number for number, _ in items], Clip.collate([clip for _, clip in items])


def clips_per_step(config: TrainConfig, world_size: int = 1) -> int:
    """Clips behind one optimiser step, over all processes."""
    return config.batch_size * config.accumulate * world_size


def total_steps(config: TrainConfig, num_videos: int, world_size: int = 1) -> int:
    """Optimiser steps of a run: `steps`, or as many as `epochs` passes over the videos take."""
    if config.steps is not None:
        return config.steps
    return math.ceil(config.epochs * num_videos / clips_per_step(config, world_size))


def clip_generator(seed: int, number: int) -> Generator:
    """Source of what the loss draws for clip `number` of the run."""
    return _generator(seed, number, 1)


def _generator(*entropy: int) -> Generator:
    state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)
    return Generator().manual_seed(int(state[0]))


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, num_videos: int) -> list[int]:
    order: list[int] = np.random.default_rng([seed, epoch]).permutation(num_videos).tolist()
    return order


def _uniform(low: int, high: int, generator: Generator | None) -> int:
    """An integer in low..high, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def _random_box(height: int, width: int, config: DataConfig, generator: Generator | None) -> Box:
    """A crop of the shape that the config names, which fits into the frame."""
    largest: tuple[float, float] = (height, width)
    if config.crop_shape == "input":
        scale = min(height / config.size[0], width / config.size[1])
        largest = scale * config.size[0], scale * config.size[1]
    share = config.min_crop + (1 - config.min_crop) * float(torch.rand((), generator=generator))
    crop_height, crop_width = (max(1, round(share * side)) for side in largest)
    top = _uniform(0, height - crop_height, generator)
    left = _uniform(0, width - crop_width, generator)
    return top, left, crop_height, crop_width


def _class_of_id(video: Video, num_classes: int) -> Tensor:
    """The semantic class of each of the 256 values of a label map; -1 where there is none."""
    classes = torch.full((256,), 1 if num_classes == 2 else -1, dtype=torch.int64)
    classes[BACKGROUND], classes[VOID] = 0, VOID
    if num_classes == 2:
        return classes
    for instance, category in video.categories.items():
        if not BACKGROUND < instance < VOID:
            raise ValueError(
                f"video {video.name!r} gives a category to id {instance}; instances are 1 to 254"
            )
        if not 1 <= category < num_classes:
            raise ValueError(
                f"video {video.name!r}: instance {instance} has category {category}, but a "
                f"network with num_classes={num_classes} knows 1 to {num_classes - 1}"
            )
        classes[instance] = category
    return classes


def _require_frames(num_frames: int, clip_frames: int) -> None:
    if num_frames < 1 or clip_frames < 1:
        raise ValueError(
            f"cannot choose {clip_frames} of {num_frames} frames: both must be 1 or more"
        )
