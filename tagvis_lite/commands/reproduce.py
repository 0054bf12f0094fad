"""`tagvis reproduce`: Tables II and III on a DAVIS root, Table I on one of YouTube-VIS.

    OUT/<row>-<seed>/               the run of `tagvis train`, and predictions/ of `tagvis predict`
    OUT/<row>-<seed>.json           its scores, once they are there
    OUT/report.md                   all of them beside the paper's numbers

Every part goes on where it was stopped, and several machines may share OUT, each with rows or seeds
of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tagvis_lite.atomic import replacing
from tagvis_lite.commands.check import (
    device_problems,
    folder_problems,
    memory_problems,
    refuse,
    truth_problems,
)
from tagvis_lite.commands.evaluate import annotation_file
from tagvis_lite.commands.options import Device, Fields, Split, device_named
from tagvis_lite.commands.predict import predict
from tagvis_lite.commands.train import train
from tagvis_lite.config import PAPER, Config, config_to_dict

if TYPE_CHECKING:  # torch takes seconds, and help needs none of it
    from tagvis_lite.study.ablation import Row
    from tagvis_lite.video import Video


def reproduce(
    data: Path,
    fields: Fields = PAPER,
    out: Path = Path("runs/reproduction"),
    row: tuple[str, ...] = (),
    seeds: int = 1,
    seed: int | None = None,
    split: Split = None,
    device: Device = "auto",
    rate: float = 10.0,
    estimate: bool = False,
) -> None:
    """Train, predict and score the rows of the paper's tables on your own data.

    The profile is paper. What is finished is not made again; an estimate comes first.

    Args:
        data: root of DAVIS (Tables II and III) or YouTube-VIS (Table I).
        out: folder of the runs, which several machines may share.
        row: rows by name, such as full spectra; full is the paper's own. All when not given.
        seeds: runs of each row, with seeds 0, 1, ...
        seed: this one alone, for jobs that share a folder.
        split: that is scored, the held-out one when not given.
        rate: 10^12 operations a second that the device sustains, for the estimate.
        estimate: print it, and do no more.
    """
    from tagvis_lite.data.check import problems_in
    from tagvis_lite.data.find import find_training_data, find_videos, held_out_split
    from tagvis_lite.study.ablation import TABLE_3
    from tagvis_lite.study.reproduction import reproduction

    source = find_training_data(data)
    split = split or held_out_split(data)
    videos, dataset = find_videos(data, split)
    rows = [each for each in TABLE_3 if dataset is None or each.name == "full"]
    unknown = set(row) - {each.name for each in rows}
    if unknown or seeds < 1 or (seed is not None and seed < 0) or rate <= 0:
        raise ValueError(
            f"row is {list(row)}, seeds {seeds}, seed {seed}, rate {rate}: expected rows of "
            f"{', '.join(each.name for each in rows)}, 1 seed or more, a rate above 0"
        )
    seen = {video.name for part in (source.train, source.validation) for video in part}
    both = sorted(seen & {video.name for video in videos})
    if both:
        raise ValueError(
            f"split {split} of {data} holds videos that a training sees, such as {both[0]}: choose "
            "another one to score (--split)"
        )
    truth = [video for video in videos if video.ids is not None]
    refuse(
        memory_problems(fields)
        + device_problems(device)
        + folder_problems(out, videos)
        + problems_in(videos, fast=True)  # found now, not after hours of training
        + (truth_problems(truth) if truth or dataset is None else [])
    )
    base = replace(fields, model=replace(fields.model, num_classes=source.num_classes))
    runs = [
        (each, each.apply(replace(base, train=replace(base.train, seed=number))))
        for number in (range(seeds) if seed is None else [seed])
        for each in rows
        if not row or each.name in row
    ]
    missing = [run for run in runs if not _is_done(out, *run)]
    print(f"{len(runs)} runs, {len(runs) - len(missing)} of them finished", flush=True)
    print(_estimate([config for _, config in missing], len(source.train), rate), flush=True)
    if estimate:
        return
    for each, config in missing:
        _run(each, config, data, out, split, videos, device)
    with replacing(out / "report.md") as temporary:
        temporary.write_text(reproduction(out), encoding="utf-8")
    print(f"{out / 'report.md'}")


def _result(out: Path, row: Row, config: Config) -> Path:
    return out / f"{row.name}-{config.train.seed}.json"


def _is_done(out: Path, row: Row, config: Config) -> bool:
    from tagvis_lite.runs import differences, read_json

    path = _result(out, row, config)
    if not path.exists():
        return False
    differing = differences(read_json(path, "config")["config"], config_to_dict(config))
    if differing:
        raise ValueError(
            f"{path} is of a run that differs in {'; '.join(differing[:4])}: choose another "
            "folder, or delete it"
        )
    return True


def _estimate(configs: Sequence[Config], num_videos: int, rate: float) -> str:
    from tagvis_lite.training.budget import budget

    if not configs:
        return "nothing is left to do"
    budgets = [budget(config, num_videos) for config in configs]
    return (
        f"{sum(each.steps for each in budgets):,} steps, "
        f"{sum(each.operations for each in budgets) / 1e15:,.3g} x 10^15 operations: about "
        f"{sum(each.hours(1e12 * rate) for each in budgets):,.2g} hours at {rate:g} x 10^12 a "
        f"second (--rate); {max(each.memory for each in budgets) / 1e9:.2g} GB of memory in "
        f"float32, and workspaces; {sum(each.disk for each in budgets) / 1e9:.2g} GB of disk, and "
        "predictions"
    )


def _run(
    row: Row,
    config: Config,
    data: Path,
    out: Path,
    split: str,
    videos: Sequence[Video],
    device: str,
) -> None:
    """Train, predict and score one row with one seed; every part goes on where it was stopped."""
    from tagvis_lite.data.youtube_vis_json import read_annotations
    from tagvis_lite.evaluation.davis import evaluate_davis_files
    from tagvis_lite.evaluation.youtube_vis import evaluate_parsed
    from tagvis_lite.evaluation.youtube_vis_submission import read_predictions
    from tagvis_lite.runs import load_state, write_json
    from tagvis_lite.study.provenance import provenance

    path = _result(out, row, config)
    predictions = path.with_suffix("") / "predictions"
    train(path.with_suffix(""), config, data, device=device)
    predict(data, predictions, config.inference, split, path.with_suffix(""), device)
    if any(video.ids is None for video in videos):
        print(f"{split} has no public annotations: submit {predictions}/davis.zip or results.zip")
        return
    if (data / "ImageSets").is_dir():
        scores = evaluate_davis_files(data, predictions / "davis", split=split).global_table()
    else:
        annotations = read_annotations(annotation_file(data, split))
        found = read_predictions(predictions / "results.json", annotations)
        scores = evaluate_parsed(annotations, found).values()
    state = load_state(path.with_suffix("") / "last.pt")
    values = {
        "row": row.name,
        "seed": config.train.seed,
        "split": split,
        "videos": len(videos),
        "scores": scores,
        "steps": state["step"],
        "best_step": state["best_step"],
        "device": device_named(device),
        "config": config_to_dict(config),
        "provenance": provenance(),
    }
    write_json(path, values)
    shown = ", ".join(f"{name} {100 * value:.1f}" for name, value in list(scores.items())[:3])
    print(f"{path}: {shown}", flush=True)
