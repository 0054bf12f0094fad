"""`tagvis train`: a run from its options to its best weights."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields as fields_of
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from tyro.conf import arg

from tagvis_lite.checkpoint import read_header, weights_file
from tagvis_lite.commands.check import (
    folder_problems,
    memory_problems,
    problems_of,
    refuse,
    truth_problems,
)
from tagvis_lite.commands.options import Device, Fields
from tagvis_lite.config import Config, ModelConfig

if TYPE_CHECKING:  # torch takes seconds, and help needs none of it
    from lightning_fabric import Fabric
    from lightning_fabric.loggers import Logger

    from tagvis_lite.data.find import TrainingData
    from tagvis_lite.model.network import TagVIS
    from tagvis_lite.video import Tracks, Video


def train(
    out: Path,
    fields: Fields,
    data: Path | None = None,
    config: Path | None = None,
    start: Annotated[Path | None, arg(name="from")] = None,
    device: Device = "auto",
    devices: int = 1,
    nodes: int = 1,
    strategy: str = "auto",
    extend: bool = False,
    tensorboard: bool = False,
) -> None:
    """Train a network, or go on with a run that was stopped.

    Fields that are not given are those of --config, or else of --profile: toy, paper or smoke.

    Args:
        out: folder of the run.
        data: root in the DAVIS or YouTube-VIS layout; toy videos are rendered when not given.
        config: json file to take fields from: config.json of a run, or one of some fields.
        start: weights, or the folder of a run, to start from instead of random weights; without
            --config and --profile the run takes their config.
        devices: devices per node; a step has devices x nodes x batch-size x accumulate clips.
        nodes: machines, each started with this command, NODE_RANK, MASTER_ADDR and MASTER_PORT.
        strategy: how devices work together, as Lightning Fabric names it: auto, ddp, ...
        extend: go on with a run to more steps than it was made for.
        tensorboard: write metrics for TensorBoard, too (pip install tensorboard).
    """
    from tagvis_lite.data.check import problems_in
    from tagvis_lite.data.find import find_training_data

    source = None if data is None else find_training_data(data)
    # It imports torch, which takes seconds: a mistake in the path is told before.
    from tagvis_lite.training import NonFiniteLossError, check_training
    from tagvis_lite.training import train as train_network

    logging.basicConfig(format="%(message)s")
    logging.getLogger("tagvis_lite").setLevel(logging.INFO)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    # A 1 x 1 convolution has two names for one layout, which costs a copy of a few kilobytes.
    warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
    refuse(memory_problems(fields))
    loggers = [_tensorboard(out)] if tensorboard else []
    fabric = _fabric(fields, device, devices, nodes, strategy, loggers)
    source = source or _toy_data(fields, fabric.world_size, out)
    run = replace(fields, model=replace(fields.model, num_classes=source.num_classes))
    network = None if start is None else start_from(start, run.model, source.categories)
    if fabric.is_global_zero and "LOCAL_RANK" not in os.environ:
        refuse(
            problems_of(lambda: check_training(run, source.train, source.validation, network))
            + problems_in([*source.train, *source.validation], fast=True)
            + truth_problems(source.validation)
            + folder_problems(out)
        )
    try:
        result = train_network(
            run,
            source.train,
            source.validation,
            out,
            fabric=fabric,
            network=network,
            categories=source.categories,
            extend=extend,
            show=partial(_write_example, out / "examples"),
        )
    except NonFiniteLossError:
        if not fabric.is_global_zero:  # the first process says it for all
            raise SystemExit(2) from None
        raise
    if fabric.is_global_zero:
        measure = "AP" if run.train.best_by == "ap" else "J&F"
        score = f"validation {measure} {100 * result.best_score:.1f} at step {result.best_step}"
        print(f"{result.weights}: {score}")


def _write_example(folder: Path, step: int, video: Video, tracks: Tracks) -> None:
    """Four frames of a validation video with what was found in them, side by side."""
    from tagvis_lite.clips import spread_indices
    from tagvis_lite.data.images import write_jpeg
    from tagvis_lite.views.overlay import overlay

    path = folder / f"{video.name}-{step:08d}.jpg"
    frames = spread_indices(len(video), 4).tolist()
    shown = [overlay(video.read_frames([t])[0], tracks.ids[t]) for t in frames]
    try:
        folder.mkdir(exist_ok=True)
        write_jpeg(path, np.concatenate(shown, axis=1))
    except OSError as error:
        warnings.warn(f"no example of step {step}, the run goes on: {error}", stacklevel=2)


def _fabric(
    config: Config, device: str, devices: int, nodes: int, strategy: str, loggers: Sequence[Logger]
) -> Fabric:
    """Devices and processes, as the options say.

    Raises:
        ValueError: this machine does not have them.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments import LightningEnvironment
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    from tagvis_lite.training import chosen_precision

    if devices < 1 or nodes < 1:
        raise ValueError(f"--devices is {devices} and --nodes {nodes}, expected 1 or more")
    accelerator, _, index = device.partition(":")
    if index and (devices > 1 or not index.isdecimal()):
        raise ValueError(f"--device {device} is one device: give {accelerator} for {devices}")
    # One process needs no cluster, even where a scheduler has left its variables.
    alone = devices * nodes == 1 and "LOCAL_RANK" not in os.environ
    try:
        return Fabric(
            accelerator=accelerator,
            devices=[int(index)] if index else devices,
            num_nodes=nodes,
            strategy=strategy,
            precision=chosen_precision(
                config.train, None if accelerator == "auto" else accelerator
            ),
            plugins=LightningEnvironment() if alone else None,
            loggers=[*loggers],
        )
    except (RuntimeError, ValueError, ImportError, MisconfigurationException) as error:
        raise ValueError(f"{device=}, {devices=}, {nodes=}, {strategy=}: {error}") from error


def _tensorboard(out: Path) -> Logger:
    from lightning_fabric.loggers import TensorBoardLogger

    try:
        return TensorBoardLogger(out, name="tensorboard", version="")
    except ModuleNotFoundError:
        raise ValueError(
            "TensorBoard is not installed: pip install tensorboard, or leave out --tensorboard"
        ) from None


def _toy_data(config: Config, world_size: int, out: Path) -> TrainingData:
    """Toy videos of the config's own size and frames.

    There are no more of them than the run draws, or as many as the run in `out` has had.
    """
    from tagvis_lite.data.find import TOY_TRAIN, toy_training_data
    from tagvis_lite.runs import number_of_videos

    batch = config.train.batch_size * config.train.accumulate * world_size
    drawn = TOY_TRAIN if config.train.steps is None else config.train.steps * batch
    drawn = number_of_videos(out) or drawn
    return toy_training_data(
        max(1, min(TOY_TRAIN, drawn)), clip_frames=config.data.clip_frames, size=config.data.size
    )


def start_from(checkpoint: Path, model: ModelConfig, categories: Mapping[int, str]) -> TagVIS:
    """A network with the weights of another; for other classes its last layer is new.

    Args:
        checkpoint: file of weights, or folder of a run.
        model: of the network to make.
        categories: name of each of its classes.

    Raises:
        ValueError: another network, the field named; or see `load_network`.
    """
    from tagvis_lite.model.network import TagVIS
    from tagvis_lite.runs import load_network

    weights = weights_file(checkpoint)
    source, config = load_network(weights)
    classes = read_header(weights)[1]
    for field in fields_of(model):
        there, here = getattr(config.model, field.name), getattr(model, field.name)
        if there != here and field.name not in ("num_classes", "pretrained"):
            raise ValueError(
                f"{checkpoint} has model.{field.name} {there}, this run {here}: give "
                f"--model.{field.name.replace('_', '-')} as it is there"
            )
    network = TagVIS(replace(model, pretrained=False))
    own, given = network.state_dict(), source.state_dict()
    if config.model.num_classes != model.num_classes or classes not in (None, categories):
        last = list(network.decoder.state_dict())[-2:] if network.decoder else []
        given = {name: v for name, v in given.items() if name.removeprefix("decoder.") not in last}
        there = (
            f"{config.model.num_classes} classes"
            if classes is None
            else ", ".join(classes.values())
        )
        here = ", ".join(categories.values())
        print(
            f"start from {checkpoint}: {there} there, {here} here: the last semantic layer is new"
        )
    network.load_state_dict(own | given)
    return network
