"""Which video a lesson looks at."""

from __future__ import annotations

from pathlib import Path

from tagvis_lite.data.sources import read_videos
from tagvis_lite.data.toy import toy_split
from tagvis_lite.video import Video


def lesson_video(data: str, number: int = 0, split: str = "val") -> Video:
    """Video `number` of the toy test split, or of the reader's own data.

    Args:
        data: the lesson's DATA: empty for toy videos; else a video file, a folder of frames, or a
            DAVIS or YouTube-VIS root.
        number: counted from 0.
        split: of a root.

    Raises:
        IndexError: fewer videos than that.
        FileNotFoundError, ValueError: see `read_videos`.
    """
    if not data:
        return toy_split("test", number + 1)[number]
    videos, _ = read_videos(Path(data), split)
    if number >= len(videos):
        raise IndexError(f"{data} has {len(videos)} videos, so there is no number {number}")
    return videos[number]
