"""The four data types that every part of the package takes and returns.

    Video ──clips──▶ Clip ──network──▶ Prediction ──instances──▶ Tracks

NumPy on the outside (`Video`, `Tracks`: whole videos, as they lie on disk), torch on the
inside (`Clip`, `Prediction`: what the network and its losses see).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:  # reading and scoring label maps needs no torch, which takes 500 MB
    from torch import Tensor

BACKGROUND = 0
VOID = 255


class Frames(Protocol):
    """T frames that may be decoded only when asked for: a list, an array or a lazy reader."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> np.ndarray: ...


@runtime_checkable
class Shrinkable(Protocol):
    """Frames in files that can be decoded at a part of their size, in less time."""

    def shrunk(self, by: int) -> Frames:
        """The frames at 1 / `by` of their height and width, rounded up; `by` is 1, 2, 4 or 8."""
        ...


@dataclass(frozen=True)
class Video:
    """One video, with its ground truth where there is one.

    Attributes:
        name: sequence name, unique within a data set.
        frames: T frames, each H x W x 3 uint8, RGB.
        ids: T label maps, each H x W uint8: 0 background, 1..254 instances, 255 void.
        categories: category id (>= 1) of each instance id.
        frame_names: T file stems ('00000', '00005', ...); counted from 0 when not given.
        fps: frames per second, for writing a video file.

    Raises:
        ValueError: no frames, `ids` / `frame_names` of another length than `frames`, or a name that
            cannot be written as UTF-8.
    """

    name: str
    frames: Frames
    ids: Frames | None = None
    categories: Mapping[int, int] = field(default_factory=dict)
    frame_names: Sequence[str] = ()
    fps: float = 24.0

    def __post_init__(self) -> None:
        if len(self.frames) == 0:
            raise ValueError(f"video {self.name!r} has no frames")
        if not self.frame_names:
            object.__setattr__(self, "frame_names", [f"{t:05d}" for t in range(len(self))])
        for what, values in (("label maps", self.ids), ("frame names", self.frame_names)):
            if values is not None and len(values) != len(self):
                raise ValueError(
                    f"video {self.name!r} has {len(self)} frames but {len(values)} {what}"
                )
        try:
            "".join((self.name, *self.frame_names)).encode()
        except UnicodeEncodeError as error:  # some libraries crash on such names
            raise ValueError(
                f"video {self.name!r}: its name, or that of a frame, is no UTF-8: rename the file"
            ) from error

    def __len__(self) -> int:
        return len(self.frames)

    def read_frames(self, indices: Sequence[int], shrink: int | None = None) -> np.ndarray:
        """Decode the frames at `indices`: uint8, len(indices) x H x W x 3.

        Args:
            indices: which frames.
            shrink: of `Shrinkable` frames, how many times smaller they are; 1 has its own way, too.
        """
        source = self.frames
        if shrink is not None and isinstance(source, Shrinkable):
            source = source.shrunk(shrink)
        return self._read(source, indices, "frame", channels=(3,))

    def read_ids(self, indices: Sequence[int]) -> np.ndarray:
        """Decode the label maps at `indices`: uint8, len(indices) x H x W."""
        if self.ids is None:
            raise ValueError(f"video {self.name!r} has no label maps")
        return self._read(self.ids, indices, "label map", channels=())

    def _read(
        self, source: Frames, indices: Sequence[int], what: str, channels: tuple[int, ...]
    ) -> np.ndarray:
        read = [np.asarray(source[int(t)]) for t in indices]
        for t, image in zip(indices, read, strict=True):
            like_channels_first = channels and image.shape[:1] == channels
            if image.dtype != np.uint8 or image.ndim < 2 or image.shape[2:] != channels:
                raise ValueError(
                    f"{what} {self.frame_names[t]} of video {self.name!r} is "
                    f"{image.dtype} {image.shape}, expected uint8 H x W{' x 3' * len(channels)}"
                    + " (turn 3 x H x W with np.moveaxis)"
                    * bool(like_channels_first)
                )
            if like_channels_first:
                raise ValueError(
                    f"{what} {self.frame_names[t]} of video {self.name!r} is {image.shape}: 3 "
                    "pixels high, or 3 x H x W? Turn it with np.moveaxis(frames, 1, -1)"
                )
            if image.shape != read[0].shape:
                raise ValueError(
                    f"{what} {self.frame_names[t]} of video {self.name!r} is {image.shape}, "
                    f"but {what} {self.frame_names[indices[0]]} is {read[0].shape}"
                )
        return np.stack(read)


@dataclass(frozen=True)
class Clip:
    """What the network sees of one video, or, with a leading dimension B, of B videos.

    Attributes:
        frames: float, 3 x T x H x W, normalised as the encoder expects. On their way to the
            device frames and labels are uint8 (`clips.to_device`).
        ids: int64, T x h x w: 0 background, 1..254 instances, 255 void. h x w is the size of the
            tags: H x W over the label stride.
        semantic: int64, T x h x w: class of each pixel, 0 background, 255 ignored.
        frame_indices: int64, T: which source frame each clip frame is.
        names: the source video of each of the B clips (one name without B).
        largest_id: of the instances, where it is known.

    Raises:
        ValueError: shapes that do not fit together.
    """

    frames: Tensor
    ids: Tensor
    semantic: Tensor
    frame_indices: Tensor
    names: tuple[str, ...]
    largest_id: int | None = None

    def __post_init__(self) -> None:
        *batch, _channels, num_frames, height, width = self.frames.shape
        labels = self.ids.shape[-2:]
        expected = {
            "frames": (*batch, 3, num_frames, height, width),
            "ids": (*batch, num_frames, *labels),
            "semantic": (*batch, num_frames, *labels),
            "frame_indices": (*batch, num_frames),
        }
        for what, shape in expected.items():
            if tuple(getattr(self, what).shape) != shape:
                raise ValueError(
                    f"clip {self.names}: {what} is {tuple(getattr(self, what).shape)}, "
                    f"expected {shape}"
                )

    def __getitem__(self, part: slice) -> Clip:
        """Some of the B clips."""
        return self._with(lambda values: values[part], self.names[part])

    def pin_memory(self) -> Clip:
        """In memory that a GPU copies from without waiting; a `DataLoader` calls it."""
        return self._with(lambda values: values.pin_memory(), self.names)

    def _with(self, change: Callable[[Tensor], Tensor], names: tuple[str, ...]) -> Clip:
        return Clip(
            frames=change(self.frames),
            ids=change(self.ids),
            semantic=change(self.semantic),
            frame_indices=change(self.frame_indices),
            names=names,
            largest_id=self.largest_id,
        )

    @classmethod
    def collate(cls, clips: Sequence[Clip]) -> Clip:
        """Stack clips of equal shape along a new leading dimension B."""
        from torch import stack

        return cls(
            frames=stack([clip.frames for clip in clips]),
            ids=stack([clip.ids for clip in clips]),
            semantic=stack([clip.semantic for clip in clips]),
            frame_indices=stack([clip.frame_indices for clip in clips]),
            names=tuple(name for clip in clips for name in clip.names),
            largest_id=None
            if any(clip.largest_id is None for clip in clips)
            else max(clip.largest_id or 0 for clip in clips),
        )


@dataclass(frozen=True)
class Prediction:
    """What the network says about a clip (a leading dimension B is allowed).

    Attributes:
        tags: float, T x h x w: one tag per pixel (h'_nm of eq. 1; p_t of section III-A). With
            `model.tag_channels` K > 1 a tag is a vector: T x h x w x K.
        semantic_logits: float, C x T x h x w: O_{t,c} before the softmax, channel 0 is
            background. None when the semantic branch is removed (Table III, last row).
        sigmoid: the classes do not share a softmax; each has a sigmoid of its own (D21).

    Raises:
        ValueError: shapes that do not fit together.
    """

    tags: Tensor
    semantic_logits: Tensor | None
    sigmoid: bool = False

    def __post_init__(self) -> None:
        if self.semantic_logits is None:
            return
        tags, logits = tuple(self.tags.shape), tuple(self.semantic_logits.shape)
        one_number = logits[:-4] + logits[-3:]
        if len(logits) < 4 or one_number not in (tags, tags[:-1]):
            raise ValueError(
                f"semantic logits {logits} do not fit tags {tags}: "
                "expected [B x] C x T x h x w beside [B x] T x h x w [x K]"
            )


@dataclass(frozen=True)
class Tracks:
    """Instances followed through a whole video, at its original resolution.

    Attributes:
        name: name of the video.
        ids: uint8, T x H x W: 0 background, 1..254 instances. (255 is void: never predicted.)
        categories: category id of each instance id.
        scores: confidence in [0, 1] of each instance id.
        frame_names: T file stems; counted from 0 when not given.
        trust: estimated probability that each instance covers an object, where the weights come
            with a calibration (trust.py).

    Raises:
        ValueError: wrong dtype or shape, or an id in the label map without category or score.
    """

    name: str
    ids: np.ndarray
    categories: Mapping[int, int]
    scores: Mapping[int, float]
    frame_names: Sequence[str] = ()
    trust: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.ids.dtype != np.uint8 or self.ids.ndim != 3:
            raise ValueError(
                f"tracks of {self.name!r}: ids are {self.ids.dtype} {self.ids.shape}, "
                "expected uint8 T x H x W"
            )
        if not self.frame_names:
            object.__setattr__(self, "frame_names", [f"{t:05d}" for t in range(len(self.ids))])
        if len(self.frame_names) != len(self.ids):
            raise ValueError(
                f"tracks of {self.name!r}: {len(self.ids)} label maps but "
                f"{len(self.frame_names)} frame names"
            )
        present = set(np.flatnonzero(np.bincount(self.ids.ravel(), minlength=1)).tolist())
        unknown = present - {BACKGROUND} - (set(self.categories) & set(self.scores))
        if unknown:
            raise ValueError(
                f"tracks of {self.name!r}: ids {sorted(unknown)} have no category or no score"
            )
