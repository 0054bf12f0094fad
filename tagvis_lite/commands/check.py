"""`tagvis check`, and what other commands look at before their work: all problems at once."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tagvis_lite.atomic import trial_folder
from tagvis_lite.checkpoint import read_header, weights_file
from tagvis_lite.commands.options import Checkpoint, Device, Input, device_named
from tagvis_lite.config import Config
from tagvis_lite.data.images import check_file_name
from tagvis_lite.video import VOID, Video


def check(
    input: Input,
    out: Path | None = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
    fast: bool = False,
) -> None:
    """Find everything that a command would refuse; exit code 1 if there is anything.

    Every file of a root, a folder of frames or a video is looked at; and also what else is named
    here: a folder for results, weights, a device.

    Args:
        out: folder that results are to be written to.
        fast: read only headers and ends of files; damage in between is not found.
    """
    from tagvis_lite.data.check import SplitReport, check_path

    start = time.perf_counter()
    reports: list[SplitReport] = []
    no_data = problems_of(lambda: reports.extend(check_path(input, fast=fast)))
    seconds = time.perf_counter() - start
    problems = [problem for report in reports for problem in report.problems]
    problems += device_problems(device)
    if out is not None:
        problems += folder_problems(out)
    if checkpoint is not None:
        problems += problems_of(lambda: _load(checkpoint))
    if no_data:
        refuse(no_data + problems)
    for problem in problems:
        print(problem)
    for report in reports:
        print(
            f"{report.name}: {report.videos} videos, {report.frames} frames, "
            f"{report.label_maps} label maps, {len(report.problems)} problems"
        )
    looked_at = sum(report.frames + report.label_maps for report in reports)
    if looked_at:
        print(f"{seconds:.1f} s, {1000 * seconds / looked_at:.2f} ms a frame or label map")
    if problems:
        raise SystemExit(1)


SHOWN = 20
"""Most problems that are shown before a command; `tagvis check` shows all."""


class Problems(ValueError):
    """Everything that a command refuses before its work, a line for each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.lines = list(dict.fromkeys(problems))
        if len(self.lines) > SHOWN:
            more = f"and {len(self.lines) - SHOWN} more problems: tagvis check shows all"
            self.lines[SHOWN:] = [more]


def refuse(problems: Sequence[str]) -> None:
    """Raise `Problems` if there are any."""
    if problems:
        raise Problems(problems)


def problems_of(*attempts: Callable[[], object]) -> list[str]:
    """What each attempt says that fails."""
    said = []
    for attempt in attempts:
        try:
            attempt()
        except (ValueError, OSError) as error:
            said.append(str(error))
    return said


def device_problems(device: str) -> list[str]:
    """Why `--device` cannot be used; torch is asked only about what not every machine has."""
    return [] if device in ("auto", "cpu") else problems_of(lambda: device_named(device))


def folder_problems(out: Path, videos: Sequence[Video] = ()) -> list[str]:
    """What keeps files from being written to a folder, tried out beside it.

    Args:
        out: the folder, which need not be there yet; it is not made.
        videos: what gets files there, named after it and its frames.
    """
    try:
        with trial_folder(out) as trial:
            return list(_name_problems(trial, videos))
    except OSError as error:
        return [str(error)]


def _name_problems(folder: Path, videos: Sequence[Video]) -> Iterator[str]:
    names = [video.name for video in videos]
    for name in dict.fromkeys([*names, *(n for video in videos for n in video.frame_names)]):
        try:
            check_file_name(name, "name of a video or frame")
            (folder / f"{name}.webp").lstat()
        except FileNotFoundError:
            continue  # a name that a file may have
        except ValueError as error:
            yield str(error)
        except OSError as error:
            yield f"no file can be named after {name[:60]!r} ({error.strerror}): rename it"
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"two videos are named {name!r}: rename one"


def memory_problems(config: Config) -> list[str]:
    """Whether weights or frames alone are more than this machine could ever hold."""
    import torch

    from tagvis_lite.model.network import TagVIS

    try:
        with torch.device("meta"):  # shapes without values
            network = TagVIS(replace(config.model, pretrained=False))
        weights = 4 * sum(parameter.numel() for parameter in network.parameters())
    except RuntimeError:  # more than 64 bits can count
        weights = 2**63
    batch = 4 * 3 * config.train.batch_size * config.data.clip_frames * math.prod(config.data.size)
    needs = {
        "weights of model.widths and other channels": weights,
        "frames of data.size, a batch of them,": batch,
    }
    return _beyond_memory(needs)


def result_problems(videos: Sequence[Video]) -> list[str]:
    """Whether the label maps of a video, found whole, are more than this machine could hold."""
    needs = {}
    for video in videos:
        height, width = getattr(video.frames, "size", None) or video.frames[0].shape[:2]
        needs[f"the label maps of video {video.name!r}"] = len(video) * height * width
    return [f"{problem}: cut the video into parts" for problem in _beyond_memory(needs)]


def _beyond_memory(needs: Mapping[str, int]) -> list[str]:
    if not hasattr(os, "sysconf"):
        return []
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return [
        f"{what} take {size / 1e9:,.0f} GB, but there are {memory / 1e9:.0f} GB of memory"
        for what, size in needs.items()
        if size > memory
    ]


def truth_problems(videos: Sequence[Video]) -> list[str]:
    """What keeps label maps from being scored by the protocol of DAVIS, which asks frame 0."""
    from tagvis_lite.evaluation.davis_sequence import MAX_LABELS

    problems, objects = [], 0
    for video in videos:
        try:
            ids = video.read_ids([0])
        except (ValueError, OSError) as error:
            problems.append(str(error))
            continue
        largest = int(ids[ids != VOID].max(initial=0))
        objects += largest
        if largest > MAX_LABELS:
            problems.append(
                f"video {video.name!r}, first label map: id {largest} cannot be scored, at most "
                f"{MAX_LABELS} objects, numbered from 1, can"
            )
    if not problems and not objects:
        problems.append("no validation video shows an object in its first frame: nothing to score")
    return problems


def _load(checkpoint: Path) -> object:
    weights = weights_file(checkpoint)
    read_header(weights)  # what is wrong there is told before torch is imported
    from tagvis_lite.runs import load_network

    return load_network(weights)
