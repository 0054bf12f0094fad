"""Command line: `python -m tagvis_lite COMMAND --help`, or `tagvis COMMAND --help`.

Whatever a user can cause and mend ends in one line on standard error and exit code 2.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import OmitSubcommandPrefixes, Positional, arg

from tagvis_lite.atomic import replacing_folder
from tagvis_lite.commands.data import data
from tagvis_lite.commands.evaluate import check_submission, evaluate
from tagvis_lite.config import PROFILES, Config

# A user's mistakes: reported without a traceback.
USER_ERRORS = (ValueError, OSError)
ConfigFields = Annotated[Config, arg(name="")]


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


def train(
    out: Path,
    config: ConfigFields,
    data: Path | None = None,
    accelerator: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    strategy: str = "auto",
) -> None:
    """Train a network, or go on with a run that was stopped.

    Fields that are not given are those of `--profile`: toy, paper or smoke.

    Args:
        out: folder of the run.
        config: the profile, and any of its fields by name.
        data: root in the DAVIS or YouTube-VIS layout; toy videos are rendered when not given.
        accelerator: cpu, cuda, mps or auto.
        devices: devices per node; a step has devices x nodes x batch-size x accumulate clips.
        nodes: machines, each started with this command, NODE_RANK, MASTER_ADDR and MASTER_PORT.
        strategy: how devices work together, as Lightning Fabric names it: auto, ddp, ...
    """
    import torch
    from lightning_fabric import Fabric
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    from tagvis_lite.data.check import problems_in
    from tagvis_lite.data.find import TOY_TRAIN, find_training_data, toy_training_data
    from tagvis_lite.estimate import device_memory, estimate_training, gemm_rate
    from tagvis_lite.training import NonFiniteLossError, check_run
    from tagvis_lite.training import train as train_network

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    # A 1 x 1 convolution has two names for one layout, which costs a copy of a few kilobytes.
    warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
    try:
        fabric = Fabric(
            accelerator=accelerator,
            devices=devices,
            num_nodes=nodes,
            strategy=strategy,
            precision=config.train.precision,
        )
    except (RuntimeError, ValueError, ImportError, MisconfigurationException) as error:
        raise ValueError(f"{accelerator=}, {devices=}, {strategy=}: {error}") from error
    if data is None:
        batch = config.train.batch_size * config.train.accumulate * fabric.world_size
        drawn = TOY_TRAIN if config.train.steps is None else config.train.steps * batch
        source = toy_training_data(max(1, min(TOY_TRAIN, drawn)))
    else:
        source = find_training_data(data)
    config = replace(config, model=replace(config.model, num_classes=source.num_classes))
    check_run(config, source.train, source.validation)
    if fabric.is_global_zero and "LOCAL_RANK" not in os.environ:
        problems = problems_in([*source.train, *source.validation], fast=True)
        if problems:
            more = f" (and {len(problems) - 1} more: tagvis data check {data})"
            raise ValueError(problems[0] + more * (len(problems) > 1))
        half = config.train.precision != "32-true"
        rate = gemm_rate(fabric.device, torch.bfloat16 if half else torch.float32)
        estimate = estimate_training(config, len(source.train), fabric.world_size)
        print(estimate.describe(rate, device_memory(fabric.device)), flush=True)
    try:
        result = train_network(config, source.train, source.validation, out, fabric=fabric)
    except NonFiniteLossError:
        if not fabric.is_global_zero:  # the first process says it for all
            raise SystemExit(2) from None
        raise
    except torch.OutOfMemoryError as error:
        raise ValueError(
            "the device ran out of memory: try "
            "--train.precision bf16-mixed, or a smaller --train.batch-size with more "
            f"--train.accumulate ({str(error)[:100]})"
        ) from error
    except RuntimeError as error:
        if fabric.world_size > 1 and lost_a_process(error):
            where = f"process {fabric.global_rank} of {fabric.world_size}"
            raise ValueError(f"{where} stopped because another did: see its message") from error
        raise
    if fabric.is_global_zero:
        score = f"validation J&F {100 * result.best_score:.1f} at step {result.best_step}"
        print(f"{result.weights}: {score}")


def predict(
    path: Positional[Path],
    out: Path,
    split: str | None = None,
    checkpoint: Path | None = None,
    device: str = "cpu",
    precision: Literal["fp32", "bf16"] = "fp32",
    compiled: bool = False,
) -> None:
    """Predict the instances of videos: overlay videos, palette PNGs and YouTube-VIS results.

    Args:
        path: a video file, a folder of frames, or a DAVIS or YouTube-VIS root.
        out: folder to fill; a run that was stopped goes on.
        split: which videos of a root; the held-out ones (val, valid, ...) when not given.
        checkpoint: weights; those of the toy profile that ship with the package when not given.
        device: cpu, cuda, mps, ...
        precision: of the network: bf16 is faster where the processor has it.
        compiled: run the network through torch.compile: for many videos, as it takes minutes.
    """
    from tagvis_lite.data.find import find_videos
    from tagvis_lite.shipped import shipped

    videos, video_ids = find_videos(path, split, truth=False)
    weights = checkpoint or shipped("checkpoints/toy.safetensors")

    # They import torchvision, which takes seconds: a mistake in the path is told before.
    from tagvis_lite.checkpoint import load_network
    from tagvis_lite.commands.predict import predict_to_files
    from tagvis_lite.model.fast import FastTagVIS

    network, config = load_network(weights)
    check_device(device)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    predicted = predict_to_files(
        FastTagVIS(network, precision, compiled),
        config,
        videos,
        out,
        weights=digest if precision == "fp32" else f"{digest} in {precision}",
        video_ids=video_ids,
        device=device,
    )
    print(f"{out}: {predicted} videos predicted, {len(videos) - predicted} were there already")


def export(
    checkpoint: Positional[Path],
    out: Path,
    clip_frames: int | None = None,
    size: tuple[int, int] | None = None,
    attention: bool = False,
    half: bool = False,
) -> None:
    """Write a checkpoint as one ONNX file, for programs without torch (docs/deploy.md).

    Args:
        checkpoint: weights, such as best.safetensors of a run.
        out: the file, FILE.onnx; kept only if onnxruntime gets what torch gets.
        clip_frames: frames of a clip; those of the training when not given.
        size: height and width of the frames; those of the training when not given.
        attention: add the maps of the three attention modules to the outputs.
        half: store weights in float16, for a file of half the size.
    """
    from tagvis_lite.commands.export import export as export_checkpoint

    card = export_checkpoint(checkpoint, out, clip_frames, size, attention, half)
    size_mb, difference = out.stat().st_size / 1e6, card["difference_from_torch"]
    print(f"{out}: {size_mb:.1f} MB, differs from torch by {difference:.0e} of the largest value")
    for name, shape in {"frames": card["frames_shape"], **card["outputs"]}.items():
        print(f"  {name}: {' x '.join(map(str, shape))}")


def profile(
    config: ConfigFields,
    device: str = "cpu",
    precision: Literal["fp32", "bf16"] = "fp32",
    compiled: bool = False,
    repeats: int = 3,
) -> None:
    """Count the network's parameters and operations, and time each stage of inference.

    Fields that are not given are those of `--profile`: toy, paper or smoke.

    Args:
        config: the profile, and any of its fields by name.
        device: where the network runs.
        precision: of the network.
        compiled: run the network through torch.compile.
        repeats: the median of so many runs is shown.
    """
    from tagvis_lite.study.speed import profile_inference

    check_device(device)
    table = profile_inference(
        config, device=device, precision=precision, compiled=compiled, repeats=repeats
    )
    print(table)


def ablate(
    config: ConfigFields,
    out: Path = Path("runs/ablation"),
    table: Literal["components", "readings"] = "components",
    only: tuple[str, ...] = (),
    seeds: int = 5,
    jobs: int = 1,
) -> None:
    """Train every row of Table III on toy videos at equal budget, or go on where that stopped.

    Args:
        config: the profile of the full model, and any of its fields by name; the budget is
            `--train.steps`.
        out: folder of the results, one json file per row and seed.
        table: components are the rows of Table III; readings are the choices that the paper leaves
            open.
        only: names of rows, such as full spectra; all of the table when not given.
        seeds: runs per row.
        jobs: runs at a time, one thread each.
    """
    from tagvis_lite.study.ablation import TABLES, markdown, read_results
    from tagvis_lite.study.ablation import ablate as run_rows

    rows = TABLES[table]
    unknown = set(only) - {row.name for row in rows}
    if unknown:
        raise ValueError(
            f"no row {sorted(unknown)} in table {table}; it has {[row.name for row in rows]}"
        )
    chosen = [row for row in rows if not only or row.name in only]
    for path in run_rows(config, out, chosen, seeds, jobs):
        print(path, flush=True)
    print(markdown(read_results(out, rows)))


def demo(out: Path = Path("runs/demo"), videos: int = 16) -> None:
    """The main job on toy data: render, predict with the shipped weights, evaluate, show.

    Args:
        out: folder for the page and its data.
        videos: number of held-out videos.
    """
    from tagvis_lite.commands.demo import run_demo

    page = run_demo(out, videos)
    print(f"Open {page.resolve().as_uri()}")


def notebooks(
    profile: Literal["toy", "smoke", "paper"] = "toy",
    only: tuple[str, ...] = (),
    out: Path = Path("runs/notebooks"),
    notebooks: Path = Path("notebooks"),
    seed: int = 0,
    data: Path | None = None,
    parameters: dict[str, int | float | str] = {},  # noqa: B006
    jobs: int = 1,
    timeout: int | None = None,
) -> None:
    """Run the lessons from top to bottom, and keep an index of their results.

    A run that was stopped goes on with the lessons that it had not finished.

    Args:
        profile: size of networks, data and training in the lessons.
        only: numbers of lessons, such as 06 07; all when not given.
        out: folder for executed notebooks, metrics, index.json and index.md.
        notebooks: folder of the lessons.
        seed: of the lessons.
        data: a video, a folder of frames, or a root; toy videos when not given.
        parameters: names and values of further parameters, for the lessons that have them.
        jobs: lessons that run at once; they share the cores.
        timeout: seconds after which a lesson is stopped.
    """
    from tagvis_lite.course.run import LessonResult, run_notebooks

    def finished(result: LessonResult) -> None:
        place = f", cell {result.cell}" if result.cell else ""
        error = f"{place}: {result.error}" if result.error else ""
        print(f"{result.status:<7} {result.seconds:7.1f} s  {result.name}{error}", flush=True)

    where = "" if data is None else str(data.resolve())
    try:
        results = run_notebooks(
            {"PROFILE": profile, "SEED": seed, "DATA": where, **parameters},
            notebooks=notebooks,
            out=out,
            only=only,
            jobs=jobs,
            timeout=timeout,
            report=finished,
        )
    except ModuleNotFoundError as error:
        raise ValueError(str(error)) from error
    passed = sum(result.status == "ok" for result in results)
    print(f"{passed} of {len(results)} lessons passed: {out / 'index.md'}")
    if passed < len(results):
        raise SystemExit(1)


def lost_a_process(error: RuntimeError) -> bool:
    """Whether a collective operation failed, as it does when another process has gone."""
    from torch.distributed import DistError

    return isinstance(error, DistError) or "gloo" in str(error).lower()


def check_device(name: str) -> None:
    """Refuse a device that this torch or this machine does not have."""
    import torch

    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"device {name!r} cannot be used here: {error}") from error


def main(args: Sequence[str] | None = None) -> None:
    """Run one command; exit code 2 after a mistake that the user can mend."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # quiet: what it finds is in our errors
    try:
        try:
            run(list(sys.argv[1:] if args is None else args))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # whoever reads the output, such as `head`, has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None
    except KeyboardInterrupt:
        print("tagvis: interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except USER_ERRORS as error:
        print(f"tagvis: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(2) from error


def run(args: Sequence[str]) -> None:
    """Parse the arguments and call the command they name."""
    start = starting_profile(args)
    commands: dict[str, Callable[..., None]] = {
        "demo": demo,
        "toy": toy,
        "data": data,
        "train": partial(train, config=start),
        "predict": predict,
        "evaluate": evaluate,
        "check-submission": check_submission,
        "export": export,
        "profile": partial(profile, config=start),
        "notebooks": notebooks,
        "ablate": partial(ablate, config=start),
    }
    tyro.extras.subcommand_cli_from_dict(
        commands,
        prog="tagvis",
        description="Tag-based video instance segmentation (Kini & Shah, 2022).",
        args=args,
        config=(OmitSubcommandPrefixes,),
    )


def starting_profile(args: Sequence[str]) -> Config:
    """The profile that `--profile` names: the values that all other fields start from."""
    for k, word in enumerate(args):
        name = word.removeprefix("--profile=") if "=" in word else "".join(args[k + 1 : k + 2])
        if word.split("=")[0] == "--profile":
            if name not in PROFILES:
                raise ValueError(f"unknown profile {name!r}; there are {', '.join(PROFILES)}")
            return PROFILES[name]
    return PROFILES["toy"]


if __name__ == "__main__":
    main()
