"""Which video a lesson looks at, and which network looks at it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tagvis_lite.config import PAPER, Config
from tagvis_lite.data.find import find_videos
from tagvis_lite.data.toy import toy_split
from tagvis_lite.video import Video

if TYPE_CHECKING:
    from tagvis_lite.model.network import TagVIS


def lesson_network(profile: str, clip_frames: int) -> tuple[TagVIS, Config]:
    """The network of a lesson's PROFILE, ready for inference, and its config.

    Args:
        profile: `paper` is a network of the paper's sizes with random weights; any other the one
            that ships with the package.
        clip_frames: T for `paper`, where 32 would take long on a small machine.
    """
    # They import torchvision, which takes seconds that `tagvis notebooks` need not spend.
    from tagvis_lite.checkpoint import shipped
    from tagvis_lite.model.network import TagVIS
    from tagvis_lite.runs import load_network

    if profile != "paper":
        return load_network(shipped("checkpoints/toy.safetensors"))
    config = replace(PAPER, data=replace(PAPER.data, clip_frames=clip_frames))
    return TagVIS(replace(config.model, pretrained=False)).eval(), config


def lesson_video(data: str, number: int = 0, split: str | None = None) -> Video:
    """Video `number` of the toy test split, or of the reader's own data.

    Args:
        data: the lesson's DATA: empty for toy videos; else a video file, a folder of frames, or a
            DAVIS or YouTube-VIS root.
        number: counted from 0.
        split: of a root; the held-out one when not given.

    Raises:
        IndexError: fewer videos than that.
        FileNotFoundError, ValueError: see `find_videos`.
    """
    if not data:
        return toy_split("test", number + 1)[number]
    videos, _ = find_videos(Path(data), split)
    if number >= len(videos):
        raise IndexError(f"{data} has {len(videos)} videos, so there is no number {number}")
    return videos[number]
