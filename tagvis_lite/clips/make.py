"""From chosen frames of a `Video` to a `Clip`: crop, flips, labels.

Section IV of the paper: 'We use random crops as well as spatial and temporal flips to augment
the training data.'
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from torch import Generator, Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from tagvis_lite.clips.choice import uniform
from tagvis_lite.config import DataConfig
from tagvis_lite.video import BACKGROUND, VOID, Clip, Shrinkable, Video

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
    Image files are decoded at a half or a quarter of their size where the crop still has as many
    pixels as the clip; the box is then moved by a pixel or two, to where it begins and ends there.

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
    if augment and uniform(0, 1, generator) == 1:
        chosen.reverse()
    shown = list(dict.fromkeys(chosen))  # a clip of a short video repeats frames

    maps = [] if video.ids is None else [video.read_ids([t])[0] for t in shown]
    first = maps[0] if maps else video.read_frames(shown[:1])[0]
    height, width = first.shape[:2]
    box, shrink = (0, 0, height, width), None
    if augment:
        box = random_box(height, width, config, generator)
        box, shrink = shrunk_box(box, video, config)
    frames = torch.cat([_read_frame(video, t, first, config, box, shrink) for t in shown], dim=1)
    ids = torch.full(
        (len(shown), *(side // label_stride for side in config.size)), VOID, dtype=torch.uint8
    )
    for t, label_map in enumerate(maps):
        if label_map.shape != first.shape:
            raise ValueError(
                f"video {video.name!r}: label map {video.frame_names[shown[t]]} is "
                f"{label_map.shape}, others are {first.shape}"
            )
        ids[t] = transforms.resized_crop(
            torch.from_numpy(label_map)[None],
            *box,
            size=list(ids.shape[1:]),
            interpolation=InterpolationMode.NEAREST_EXACT,
        )[0]
    if len(shown) < len(chosen):
        places = torch.tensor([shown.index(t) for t in chosen])
        frames, ids = frames[:, places], ids[places]
    if augment and uniform(0, 1, generator) == 1:
        frames, ids = frames.flip(-1), ids.flip(-1)

    semantic = class_of_id(video, num_classes)[ids.long()]
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


def random_box(height: int, width: int, config: DataConfig, generator: Generator | None) -> Box:
    """A crop of the shape that the config names, which fits into the frame."""
    largest: tuple[float, float] = (height, width)
    if config.crop_shape == "input":
        scale = min(height / config.size[0], width / config.size[1])
        largest = scale * config.size[0], scale * config.size[1]
    share = config.min_crop + (1 - config.min_crop) * float(torch.rand((), generator=generator))
    crop_height, crop_width = (max(1, round(share * side)) for side in largest)
    top = uniform(0, height - crop_height, generator)
    left = uniform(0, width - crop_width, generator)
    return top, left, crop_height, crop_width


def shrunk_box(box: Box, video: Video, config: DataConfig) -> tuple[Box, int | None]:
    """A crop, and how many times smaller frames can be decoded for it; None for arrays."""
    if not isinstance(video.frames, Shrinkable):
        return box, None
    pixels = box[2] * box[3] / (config.size[0] * config.size[1])
    shrink = next(by for by in (8, 4, 2, 1) if by == 1 or pixels >= by * by)
    top, left, height, width = (side // shrink * shrink for side in box)
    return (top, left, max(height, shrink), max(width, shrink)), shrink


def _read_frame(
    video: Video, t: int, first: np.ndarray, config: DataConfig, box: Box, shrink: int | None
) -> Tensor:
    """A frame as the clip has it, uint8, 3 x 1 x H x W; it must be of the size of `first`."""
    frame, by = video.read_frames([t], shrink), shrink or 1
    if frame.shape[1:3] != tuple(-(-side // by) for side in first.shape[:2]):
        raise ValueError(
            f"video {video.name!r}: label maps or frames are {first.shape[:2]}, but frame "
            f"{video.frame_names[t]} is {frame.shape[1:3]}"
        )
    top, left, height, width = (side // by for side in box)
    return prepare_frames(frame, config, (top, left, height, width))


def class_of_id(video: Video, num_classes: int) -> Tensor:
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
