"""`tagvis toy`: the toy set on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tagvis_lite.atomic import replacing_folder
from tagvis_lite.commands.check import folder_problems, refuse


def toy(
    out: Path,
    layout: Literal["davis", "youtube-vis"] = "davis",
    train: int = 512,
    validation: int = 32,
    test: int = 64,
    difficulty: Literal["easy", "medium", "hard"] = "medium",
) -> None:
    """Render the toy set to disk, in the layout of a real benchmark.

    Args:
        out: folder to make. It appears when all is written; a run that was killed starts anew.
        layout: DAVIS folders with palette PNGs, or YouTube-VIS json with RLE.
        train: number of training videos.
        validation: number of validation videos.
        test: number of test videos.
        difficulty: of motion, occlusion and camouflage.
    """
    from tagvis_lite.data.davis import write_davis
    from tagvis_lite.data.toy import CATEGORIES, Split, ToyConfig, toy_split, with_frames_to_drop
    from tagvis_lite.data.youtube_vis import write_youtube_vis

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} is there already: choose another folder, or delete it")
    refuse(folder_problems(out))
    if not train + validation + test:
        raise ValueError("--train, --validation and --test are 0: ask for at least one video")
    config = ToyConfig(difficulty=difficulty)
    splits: list[tuple[Split, int, ToyConfig]] = [
        ("train", train, with_frames_to_drop(config)),
        ("validation", validation, config),
        ("test", test, config),
    ]
    with replacing_folder(out) as root:
        for split, number, split_config in splits:
            if number:
                videos = toy_split(split, number, split_config)
                if layout == "davis":
                    write_davis(root, videos, split)
                else:
                    write_youtube_vis(root, videos, CATEGORIES, split)
                print(f"{out}: {number} {split} videos")
