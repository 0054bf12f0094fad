"""`tagvis data ...`: get real data, and make composites of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tagvis_lite.commands.options import Root


def davis(out: Path, archive: Path | None = None) -> None:
    """Unpack DAVIS-2017 Unsupervised, trainval, 480p, and download it where no archive is given.

    On a slow line, fetch it yourself; this goes on where it stopped:
    curl -C - -LO https://data.vision.ee.ethz.ch/csergi/share/davis/DAVIS-2017-Unsupervised-trainval-480p.zip

    Args:
        out: folder for the root DAVIS, and for the archive if it is downloaded.
        archive: the zip, if it is on this machine already.
    """
    from tagvis_lite.data.obtain import obtain_davis

    root = obtain_davis(out, archive)
    print(f"{root} is ready; to look at every file: tagvis check {root}")


def youtube_vis(archives: Path, out: Path) -> None:
    """Unpack YouTube-VIS 2019 or 2021 from the archives its makers hand out after registration.

    Args:
        archives: folder with train.zip, valid.zip, test.zip or some of them, and for 2019
            train.json, valid.json, test.json beside them, as youtube-vos.org/dataset/vis names
            them.
        out: root to make, or to complete.
    """
    from tagvis_lite.data.obtain import obtain_youtube_vis

    splits = obtain_youtube_vis(archives, out)
    print(f"{out}: {', '.join(splits)} unpacked; to look at every file: tagvis check {out}")


def split(root: Root) -> None:
    """Write train-held-out/instances.json: the YouTube-VIS videos that no training looks at.

    The public validation set has no annotations; `--split train-held-out` predicts and scores this
    tenth of the training set instead.
    """
    from tagvis_lite.data.find import youtube_vis_splits
    from tagvis_lite.data.youtube_vis import write_held_out

    annotations = youtube_vis_splits(root).get("train")
    if annotations is None:
        raise FileNotFoundError(f"{root} holds neither train/instances.json nor train.json")
    path = root / "train-held-out" / "instances.json"
    print(f"{path}: {write_held_out(annotations, path)} videos")


def composite(
    root: Root,
    out: Path,
    train: int = 64,
    validation: int = 8,
    test: int = 16,
    objects: tuple[int, int] = (2, 4),
    frames: int = 24,
    size: tuple[int, int] = (160, 284),
    seed: int = 0,
    split: str = "train",
    parts: Path | None = None,
    also: tuple[Path, ...] = (),
    layout: Literal["davis", "youtube-vis"] = "davis",
) -> None:
    """Make multi-instance videos: cut objects out of real sequences, paste them over others.

    Composites are no real videos: composites.json says what each is made of. No sequence is used
    in two splits. A run that was stopped goes on.

    Args:
        root: of DAVIS, of 2017, or of 2016 with one object a sequence; stills are sequences of one
            frame.
        out: the new root.
        train: number of training videos.
        validation: number of validation videos.
        test: number of test videos.
        objects: fewest and most instances of a video, those of the scene included.
        frames: of each video.
        size: height and width.
        seed: of the random choices.
        split: which sequences of a root to use, if it has lists of them.
        parts: json file with the names of the sequences of each split; dealt out at random when
            not given. The one that ships is tagvis_lite/study/composites/parts.json.
        also: further roots to take sequences from; or annotation files of COCO, for stills.
        layout: of the root to write.
    """
    from dataclasses import replace

    from tagvis_lite.study.composites.composite_set import write_composites
    from tagvis_lite.study.composites.draw import SCORING
    from tagvis_lite.study.composites.sources import read_parts

    counts = {"train": train, "validation": validation, "test": test}
    sources = write_composites(
        [root, *also],
        out,
        counts,
        parts=None if parts is None else read_parts(parts),
        split=split if parts is None else None,
        layout=layout,
        mix=replace(SCORING, objects=objects),
        num_frames=frames,
        size=size,
        seed=seed,
    )
    for part, names in sources.items():
        print(f"{out}: {counts[part]} {part} composites of {len(names)} sequences")
