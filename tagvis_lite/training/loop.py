"""Training (section IV): `step` is the whole method in motion, `train` a run around it.

Everything random is a pure function of the seed and of the clip's number in the run (which video,
which crop, which M' pixels), so a run that is killed and resumed is the run that was never killed.
Batch norm and the mean of the loss go over the clips of all processes, so a step on 2 devices with
batch_size 1 is the step on 1 device with batch_size 2, up to rounding. A run is a folder, on a disk
that all machines see:

    run.json               what the run is of: config, videos, precision, first weights
    config.json            the config alone, for `--config` of another run
    metrics.jsonl          one line per logged step and per validation
    metrics.csv            the same as a table
    last.pt                training state; the run resumes from it
    best.safetensors       weights and config of the best validation J&F so far
"""

from __future__ import annotations

import logging
import math
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy, SingleDeviceStrategy
from lightning_fabric.wrappers import _FabricModule
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tagvis_lite.clips import (
    ClipDataset,
    clip_generator,
    clip_loader,
    clips_per_step,
    to_device,
    total_steps,
)
from tagvis_lite.config import Config, TrainConfig, config_to_dict
from tagvis_lite.losses import overall_loss
from tagvis_lite.model.network import TagVIS
from tagvis_lite.runs import (
    check_run,
    fingerprint,
    load_state,
    open_run,
    save_network,
    save_state,
    weights_fingerprint,
    write_json,
)
from tagvis_lite.training.log import TrainingLog
from tagvis_lite.training.set_up import (
    arithmetic,
    check_training,
    chosen_precision,
    set_up,
    training_mode,
)
from tagvis_lite.training.stop import agreed_signals, clear_errors, stop_signals
from tagvis_lite.training.validation import validate
from tagvis_lite.video import Clip, Prediction, Tracks, Video

MAX_WARM_UP = 200
MAY_CHANGE = {
    f"train.{name}"
    for name in (
        *("batch_size", "precision"),  # what they come to here, see `settings`, may not
        *("workers", "channels_last", "log_every", "validate_every"),
        *("save_every", "save_minutes", "keep"),
    )
}
"""Fields of the config that a resumed run may change: how and when, not what, it learns."""


say = logging.getLogger(__name__).info


class NonFiniteLossError(ValueError):
    """The loss or its gradient is NaN or infinite; the message names the step and the clips."""


# ---------------------------------------------------------------- one step


def step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    clip: Clip,
    config: Config,
    generators: Sequence[torch.Generator] | None = None,
    fabric: Fabric | None = None,
) -> dict[str, float]:
    """One step of the optimiser down the gradient of eq. (7).

    Args:
        network: a `TagVIS`, or what `Fabric.setup` made of one; in training mode.
        optimizer: over its parameters; its learning rate is that of this step.
        clip: all clips of the step, with the leading dimension B, as `ClipDataset` makes them. They
            are taken `train.batch_size` at a time, and gradients are averaged.
        config: data, loss and train are used.
        generators: one for each clip: sources of the M' pixels of eq. (2), on the CPU.
        fabric: precision and processes; None is one process without autocast.

    Returns:
        The loss terms, not weighted, and `overall`: means over the clips of all processes.

    Raises:
        NonFiniteLossError: the loss or its gradient is NaN or infinite; no parameter has moved.
    """
    fabric = fabric or _one_process()
    device = optimizer.param_groups[0]["params"][0].device
    size = config.train.batch_size
    layout = torch.channels_last_3d if config.train.channels_last else torch.contiguous_format
    parts = range(0, len(clip.names), size)
    terms: list[Tensor] = []
    optimizer.zero_grad()
    for start in parts:
        part = to_device(clip[start : start + size], config.data, device)
        more = start != parts[-1] and isinstance(network, _FabricModule)
        with fabric.no_backward_sync(network) if more else nullcontext():  # type: ignore[arg-type]
            output = network(part.frames.contiguous(memory_format=layout))
            if isinstance(output, tuple):
                tags, logits = output
                output = Prediction(tags, logits, config.model.class_activation == "sigmoid")
            drawn = None if generators is None else generators[start : start + size]
            losses = overall_loss(output, part, config.loss, drawn)
            fabric.backward(losses.overall / len(parts))
        terms.append(torch.stack([value.detach() for value in vars(losses).values()]))
    limit = math.inf if config.train.clip_gradient is None else config.train.clip_gradient
    norm = fabric.clip_gradients(network, optimizer, max_norm=limit, error_if_nonfinite=False)
    assert isinstance(norm, Tensor)
    means = torch.cat([torch.stack(terms).mean(0), norm.reshape(1)])
    # The one moment in which the processor waits for the device.
    *values, length = torch.as_tensor(fabric.all_reduce(means, reduce_op="mean")).tolist()
    found = dict(zip(vars(losses), values, strict=True))
    # Scaled float16 gradients may overflow: the scaler then skips the step and scales less.
    scaled = getattr(fabric.strategy.precision, "scaler", None) is not None
    if not math.isfinite(found["overall"]) or not (scaled or math.isfinite(length)):
        raise _non_finite(found, clip, fabric)
    optimizer.step()
    return found


@cache
def _one_process() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


def _non_finite(terms: dict[str, float], clip: Clip, fabric: Fabric) -> NonFiniteLossError:
    drawn = f"clips {clip.names}, frames {clip.frame_indices.tolist()}"
    everyone: list[Any] = [drawn]
    if fabric.world_size > 1:
        everyone = [None] * fabric.world_size
        dist.all_gather_object(everyone, drawn)
    what = "gradient" if math.isfinite(terms["overall"]) else f"loss {terms}"
    return NonFiniteLossError(
        f"{what} is not finite, of {'; '.join(everyone)}. Lower train.learning_rate, set "
        "train.clip_gradient, or check these videos"
    )


def learning_rate(config: TrainConfig, step: int, total: int) -> float:
    """Learning rate of a step counted from 1: constant, maybe after a warm-up, or a cosine to 0."""
    if config.schedule == "constant":
        return config.learning_rate
    warm_up = max(1, min(MAX_WARM_UP, round(0.1 * total)))
    if step <= warm_up:
        return config.learning_rate * step / warm_up
    if config.schedule == "warm_up":
        return config.learning_rate
    progress = (step - warm_up) / max(1, total - warm_up)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


# ---------------------------------------------------------------- a run


@dataclass(frozen=True)
class TrainingResult:
    """What a run came to: the best validation J&F (0 to 1), its step, and where its weights are."""

    best_score: float
    best_step: int
    weights: Path


def train(
    config: Config,
    videos: Sequence[Video],
    validation: Sequence[Video],
    out: Path,
    *,
    fabric: Fabric | None = None,
    network: TagVIS | None = None,
    categories: Mapping[int, str] | None = None,
    extend: bool = False,
    show: Callable[[int, Video, Tracks], object] | None = None,
) -> TrainingResult:
    """Train a network, or go on with the run in `out`.

    The number of devices may change between the two as long as a step has as many clips:
    devices x `batch_size`, and `accumulate` of these. SIGTERM saves the state and ends the process
    with code 143, SIGUSR1 saves it and goes on.

    Args:
        config: everything the run depends on.
        videos: training videos with label maps and categories.
        validation: videos for the J&F that chooses the best weights.
        out: folder of the run.
        fabric: devices, precision and strategy; by default one device, whichever Lightning finds.
        network: start from these weights (fine-tuning) instead of random ones; trained in place.
        categories: name of each class, to be kept with the weights.
        extend: go on with a run that was to have fewer steps.
        show: gets the step, a video and its tracks, of some videos of each validation.

    Raises:
        ValueError: no videos, videos without label maps, a network of another config, `out` holds
            another run or a broken state, a strategy that splits the network, or too little memory.
        OSError: `out` is a file or holds something else.
        NonFiniteLossError: see `step`. The files are those of an earlier step.
    """
    check_training(config, videos, validation, network)
    if fabric is None:
        fabric = Fabric(devices=1, precision=chosen_precision(config.train))
    if not isinstance(fabric.strategy, SingleDeviceStrategy | DDPStrategy):
        raise ValueError(
            f"{type(fabric.strategy).__name__} splits or moves the network, which is small enough "
            "for every device to hold: use strategy ddp"
        )
    world, last = fabric.world_size, out / "last.pt"
    settings = {
        "command": "train",
        "precision": fabric.strategy.precision.precision,
        "clips a batch": config.train.batch_size * world,
        "videos": {"train": fingerprint(videos), "validation": fingerprint(validation)},
        "first weights": "random" if network is None else weights_fingerprint(network),
        **config_to_dict(config),
    }
    may_change = MAY_CHANGE | ({"train.steps", "train.epochs"} if extend else set())
    state = load_state(last) if check_run(out, settings, may_change) and last.exists() else None
    fabric.seed_everything(config.train.seed, verbose=False)
    if network is None:
        wanted = config.model.pretrained and state is None  # else its weights are in the state
        network = TagVIS(replace(config.model, pretrained=wanted))
    try:
        fabric.launch()
    except TypeError as error:  # what Fabric raises where processes are forked or spawned
        raise ValueError("processes of this strategy start from a function: use ddp") from error
    model, optimizer = set_up(network, config.train, fabric)
    average = None
    if config.train.average:
        decay = get_ema_multi_avg_fn(config.train.average)
        average = AveragedModel(network, multi_avg_fn=decay, use_buffers=True)
    judged: TagVIS = average.module if average else network  # type: ignore[assignment]
    done, validated, best_score, best_step = 0, 0, -math.inf, 0
    if state is not None:
        try:
            network.load_state_dict(state["network"])
            optimizer.load_state_dict(state["optimizer"])
            fabric.strategy.precision.load_state_dict(state["precision"])
            if average is not None:
                average.load_state_dict(state["average"])
            done, validated = state["step"], state["validated"]
            best_score, best_step = state["best_score"], state["best_step"]
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            message = " ".join(str(error).split())[:300]
            raise ValueError(
                f"the training state {last} does not fit this version of tagvis_lite "
                f"({message}): delete it to start the run anew"
            ) from error
    if fabric.is_global_zero:  # from here on there is something to go on with
        open_run(out, settings, may_change)
        write_json(out / "config.json", config_to_dict(config))

    number = clips_per_step(config.train, world)
    total = total_steps(config.train, len(videos), world)
    loader = clip_loader(
        ClipDataset(videos, config), done, fabric.global_rank, world, fabric.device
    )
    log = TrainingLog(
        out,
        total,
        config.train.log_every,
        number,
        None if state is None else state["log"],
        fabric.loggers,
        enabled=fabric.is_global_zero,
    )

    def save() -> None:
        if fabric.is_global_zero:
            values = {
                "step": done,
                "validated": validated,
                "network": network.state_dict(),
                "optimizer": optimizer.state_dict(),
                "average": None if average is None else average.state_dict(),
                "precision": fabric.strategy.precision.state_dict(),
                "best_score": best_score,
                "best_step": best_step,
                "log": log.state(),
            }
            save_state(last, values, keep=config.train.keep)

    say(
        f"{len(videos):,} videos, {number} clips a step: {total:,} steps, {done:,} of them done; "
        f"{sum(x.numel() for x in network.parameters()):,} parameters, {settings['precision']}"
    )
    if done >= total and validated == done:
        say(f"{out}: finished already")
    training_mode(network, config.train)
    saved, batches = time.monotonic(), iter(loader)
    with closing(log), arithmetic(config.train), stop_signals() as asked, clear_errors(fabric):
        while True:
            if done > validated and (done % config.train.validate_every == 0 or done >= total):
                save()
                examples = partial(show, done) if show else None
                scores = validate(judged, validation, config, fabric.device, fabric, examples)
                found = {"J&F": scores.jf_mean, "J": scores.j_mean, "F": scores.f_mean}
                if scores.ap is not None:
                    found["AP"] = scores.ap
                log.validation(done, found)
                validated = done
                score = scores.jf_mean if scores.ap is None else scores.ap
                if score > best_score:
                    best_score, best_step = score, done
                    if fabric.is_global_zero:
                        save_network(
                            out / "best.safetensors", judged, config, categories=categories
                        )
                save()
                saved = time.monotonic()
            if done >= total:
                break
            numbers, clip = next(batches)
            rate = learning_rate(config.train, done + 1, total)
            for group in optimizer.param_groups:
                group["lr"] = rate * group.get("share", 1.0)
            generators = [clip_generator(config.train.seed, n) for n in numbers]
            try:
                terms = step(model, optimizer, clip, config, generators, fabric)
            except NonFiniteLossError as error:
                raise NonFiniteLossError(f"step {done + 1}: {error}") from None
            if average is not None:
                average.update_parameters(network)
            done += 1
            log.step(done, terms, rate)
            signals = agreed_signals(asked, fabric, done)
            minutes = (time.monotonic() - saved) / 60
            if (
                signals
                or (config.train.save_every and done % config.train.save_every == 0)
                or (config.train.save_minutes and minutes >= config.train.save_minutes)
            ):
                save()
                saved = time.monotonic()
            if signal.SIGTERM in signals:
                say(f"{out}: stopped at step {done}, the state is saved: start it again to go on")
                raise SystemExit(128 + signal.SIGTERM)
    return TrainingResult(best_score, best_step, out / "best.safetensors")
