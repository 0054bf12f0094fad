"""The training loop (section IV), on Lightning Fabric so that it stays a loop one can read.

Everything random is a pure function of the seed and of the clip's number in the run (which video,
which crop, which M' pixels), so a run that is killed and resumed is the run that was never killed.
Batch norm and the mean of the loss go over the clips of all processes, so a step on 2 devices with
batch_size 1 is the step on 1 device with batch_size 2, up to rounding. A run is a folder, on a disk
that all machines see:

    config.json            what was asked for
    metrics.jsonl          one line per logged step and per validation
    metrics.csv            the same as a table
    last.pt                training state after the latest validation; the run resumes from it
    best.safetensors       weights and config of the best validation J&F so far
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy, SingleDeviceStrategy
from lightning_fabric.wrappers import _FabricModule
from torch import Tensor, nn

from tagvis_lite.atomic import write_atomically
from tagvis_lite.checkpoint import load_state, save_network, save_state
from tagvis_lite.clips import (
    ClipDataset,
    clip_generator,
    clip_loader,
    clips_per_step,
    total_steps,
)
from tagvis_lite.config import Config, TrainConfig, config_from_dict, config_to_dict
from tagvis_lite.evaluation.davis import DavisScores, evaluate_davis
from tagvis_lite.inference import predict_video
from tagvis_lite.losses import Losses, overall_loss
from tagvis_lite.model.network import TagVIS
from tagvis_lite.synchronise import synchronise_batch_norm
from tagvis_lite.training_log import TrainingLog
from tagvis_lite.video import Clip, Prediction, Video

__all__ = [
    "NonFiniteLossError",
    "TrainingResult",
    "check_run",
    "learning_rate",
    "total_steps",
    "train",
    "validate",
]

MAX_WARM_UP = 200
HOW_NOT_WHAT: dict[str, Any] = {
    "batch_size": 1,
    "accumulate": 1,
    "workers": 0,
    "channels_last": True,
}
"""Fields of `config.train` that a resumed run may change: how a step is computed, not which."""


class NonFiniteLossError(ValueError):
    """The loss or its gradient is NaN or infinite; the message names the step and the clips."""


@dataclass(frozen=True)
class TrainingResult:
    """What a run came to: the best validation J&F (0 to 1), its step, and where its weights are."""

    best_score: float
    best_step: int
    weights: Path


class _Outputs(nn.Module):
    """The network with a tuple for output, which is what Fabric's strategies can follow."""

    def __init__(self, network: TagVIS, config: TrainConfig) -> None:
        super().__init__()
        self.layout = torch.channels_last_3d if config.channels_last else torch.contiguous_format
        self.network = network.to(memory_format=self.layout)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor | None]:
        prediction: Prediction = self.network(frames.contiguous(memory_format=self.layout))
        return prediction.tags, prediction.semantic_logits


def train(
    config: Config,
    videos: Sequence[Video],
    validation: Sequence[Video],
    out: Path,
    *,
    fabric: Fabric | None = None,
    on_validation: Callable[[int, DavisScores], None] | None = None,
    network: TagVIS | None = None,
) -> TrainingResult:
    """Train a network; resume if `out` holds a run of the same config.

    The number of devices may change between the two as long as a step has as many clips:
    devices x `batch_size` x `accumulate`.

    Args:
        config: everything the run depends on.
        videos: training videos with label maps and categories.
        validation: videos for the J&F that chooses the best weights.
        out: folder of the run.
        fabric: devices, precision and strategy; by default whatever Lightning finds, with
            `config.train.precision`.
        on_validation: called with the step and the scores after each validation.
        network: start from these weights (fine-tuning) instead of random ones; trained in place.

    Raises:
        ValueError: no videos, videos without label maps, a network of another config, or `out`
            holds a run of another config, with another number of clips a step, or a broken state;
            a strategy that splits the network.
        NotADirectoryError: `out` is a file.
        NonFiniteLossError: the loss or its gradient is NaN or infinite. No parameter has taken
            part of that step, and the files are those of the step before.
    """
    check_run(config, videos, validation, network)
    fabric = fabric or Fabric(devices=1, precision=config.train.precision)
    _check_strategy(fabric)
    dataset = ClipDataset(videos, config)
    step_clips = clips_per_step(config.train, fabric.world_size)
    state = _open_run(out, config, step_clips)  # before there is more than one process to fail
    try:
        fabric.launch()
    except TypeError as error:  # what Fabric raises where processes are forked or spawned
        raise ValueError("processes of this strategy start from a function: use ddp") from error
    fabric.seed_everything(config.train.seed, verbose=False)
    network = network or TagVIS(config.model)
    if fabric.world_size > 1:
        synchronise_batch_norm(network, fabric.device)
    total = total_steps(config.train, len(videos), fabric.world_size)
    optimizer = torch.optim.Adam(
        network.parameters(),
        lr=config.train.learning_rate,
        weight_decay=config.train.weight_decay,
    )
    model, optimizer = fabric.setup(_Outputs(network, config.train), optimizer)
    done, best_score, best_step = 0, -math.inf, 0
    if state is not None:
        try:
            network.load_state_dict(state["network"])
            optimizer.load_state_dict(state["optimizer"])
            fabric.strategy.precision.load_state_dict(state["precision"])
            done, best_score, best_step = state["step"], state["best_score"], state["best_step"]
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            message = " ".join(str(error).split())[:300]
            raise ValueError(
                f"the training state {out / 'last.pt'} does not fit this version of tagvis_lite "
                f"({message}): delete it to start the run anew"
            ) from error

    loader = clip_loader(dataset, done, fabric.global_rank, fabric.world_size)
    batches = iter(loader)
    network.train()
    with closing(TrainingLog(out, done, total, enabled=fabric.is_global_zero)) as log:
        for step in range(done + 1, total + 1):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(config.train, step, total)
            terms = _optimise(fabric, model, optimizer, batches, config, step)
            log.step(step, terms, optimizer.param_groups[0]["lr"])
            if step % config.train.validate_every != 0 and step != total:
                continue
            scores = validate(network, validation, config, fabric.device)
            log.validation(step, scores)
            is_best = scores.jf_mean > best_score
            if is_best:
                best_score, best_step = scores.jf_mean, step
            if fabric.is_global_zero:
                if is_best:
                    save_network(out / "best.safetensors", network, config)
                save_state(
                    out / "last.pt",
                    {
                        "step": step,
                        "clips_per_step": step_clips,
                        "network": network.state_dict(),
                        "optimizer": optimizer.state_dict(),
                        "precision": fabric.strategy.precision.state_dict(),
                        "best_score": best_score,
                        "best_step": best_step,
                    },
                )
            fabric.barrier()
            if on_validation is not None:
                on_validation(step, scores)
    return TrainingResult(best_score, best_step, out / "best.safetensors")


def learning_rate(config: TrainConfig, step: int, total: int) -> float:
    """Learning rate of a step counted from 1: constant, or a warm-up and a cosine down to 0."""
    if config.schedule == "constant":
        return config.learning_rate
    warm_up = max(1, min(MAX_WARM_UP, round(0.1 * total)))
    if step <= warm_up:
        return config.learning_rate * step / warm_up
    progress = (step - warm_up) / max(1, total - warm_up)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def validate(
    network: nn.Module, videos: Sequence[Video], config: Config, device: torch.device | str = "cpu"
) -> DavisScores:
    """Predict whole videos and score them: J&F as in the DAVIS unsupervised protocol.

    The network is run in evaluation mode and left in the mode it came in.
    """

    def scored() -> Iterator[tuple[str, Any, Any]]:
        for video in videos:
            yield video.name, video.ids, predict_video(network, video, config, device).ids

    return evaluate_davis(scored())


def check_run(
    config: Config,
    videos: Sequence[Video],
    validation: Sequence[Video],
    network: TagVIS | None = None,
) -> None:
    """Refuse what `train` refuses before it touches a file. Arguments and errors as there."""
    if not videos or not validation:
        raise ValueError("training needs at least one training and one validation video")
    for video in validation:
        if video.ids is None:
            raise ValueError(f"validation video {video.name!r} has no label maps to score against")
    if network is not None and replace(network.config, pretrained=False) != replace(
        config.model, pretrained=False
    ):
        raise ValueError(
            f"the network to start from has {network.config}, but the run has {config.model}: "
            "pass the config that load_network returned with it"
        )


def _check_strategy(fabric: Fabric) -> None:
    if not isinstance(fabric.strategy, SingleDeviceStrategy | DDPStrategy):
        raise ValueError(
            f"{type(fabric.strategy).__name__} splits or moves the network, which is small enough "
            "for every device to hold: use strategy ddp"
        )


def _optimise(
    fabric: Fabric,
    model: _FabricModule,
    optimizer: torch.optim.Optimizer,
    batches: Iterator[tuple[list[int], Clip]],
    config: Config,
    step: int,
) -> dict[str, float]:
    """One optimiser step over `accumulate` batches; the mean of their loss terms."""
    sums: dict[str, float] = {}
    drawn: list[str] = []
    optimizer.zero_grad()
    for part in range(config.train.accumulate):
        numbers, clip = next(batches)
        clip = _to_device(clip, fabric.device)
        generators = [clip_generator(config.train.seed, number) for number in numbers]
        drawn.append(f"clips {clip.names}, frames {clip.frame_indices.tolist()}")
        last = part == config.train.accumulate - 1
        with fabric.no_backward_sync(model, enabled=not last):
            tags, logits = model(clip.frames)
            sigmoid = config.model.class_activation == "sigmoid"
            prediction = Prediction(tags, logits, sigmoid)
            losses = overall_loss(prediction, clip, config.loss, generators)
            terms = _over_processes(losses, fabric)
            if not math.isfinite(terms["overall"]):  # on every process, or on none
                raise _non_finite(f"loss {terms}", step, drawn[-1:], fabric)
            fabric.backward(losses.overall / config.train.accumulate)
        for name, value in terms.items():
            sums[name] = sums.get(name, 0.0) + value / config.train.accumulate
    limit = math.inf if config.train.clip_gradient is None else config.train.clip_gradient
    norm = fabric.clip_gradients(model, optimizer, max_norm=limit, error_if_nonfinite=False)
    # Scaled float16 gradients may overflow: the scaler then skips the step and scales less.
    if config.train.precision != "16-mixed" and norm is not None and not norm.isfinite():
        raise _non_finite("gradient", step, drawn, fabric)
    optimizer.step()
    return sums


def _over_processes(losses: Losses, fabric: Fabric) -> dict[str, float]:
    """The loss terms as means over processes, plain numbers."""
    values = torch.stack([value.detach() for value in vars(losses).values()])
    reduced = fabric.all_reduce(values, reduce_op="mean")
    assert isinstance(reduced, Tensor)
    return dict(zip(vars(losses), reduced.tolist(), strict=True))


def _non_finite(what: str, step: int, drawn: Sequence[str], fabric: Fabric) -> NonFiniteLossError:
    everyone: list[Any] = [drawn]
    if fabric.world_size > 1:
        everyone = [None] * fabric.world_size
        dist.all_gather_object(everyone, drawn)
    clips = "; ".join(words for each in everyone for words in each)
    return NonFiniteLossError(
        f"not finite at step {step}: {what} of {clips}. Lower train.learning_rate, set "
        "train.clip_gradient, or check these videos"
    )


def _to_device(clip: Clip, device: torch.device) -> Clip:
    return Clip(
        frames=clip.frames.to(device),
        ids=clip.ids.to(device),
        semantic=clip.semantic.to(device),
        frame_indices=clip.frame_indices,
        names=clip.names,
    )


def _open_run(out: Path, config: Config, step_clips: int) -> dict[str, Any] | None:
    """Write config.json, or check that it is the same; return the state to resume from, if any."""
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f"{out} is a file: choose a folder for the run")
    path, last = out / "config.json", out / "last.pt"
    if (path.exists() or last.exists()) and not _is_of(path, config):
        raise ValueError(
            f"{out} holds a run of another config (see {path}): choose another folder, or delete it"
        )
    state = load_state(last) if last.exists() else None
    if state is not None and state.get("clips_per_step", step_clips) != step_clips:
        raise ValueError(
            f"{out} holds a run with {state['clips_per_step']} clips a step, not {step_clips}: "
            "choose train.batch_size and train.accumulate so that times devices they make as many"
        )
    text = json.dumps(config_to_dict(config), indent=1)
    write_atomically(path, lambda temporary: temporary.write_text(text))
    return state


def _is_of(path: Path, config: Config) -> bool:
    """Whether the file holds this config, but for how a step is computed."""
    try:
        found = config_from_dict(json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return False
    same: bool = _what(found) == _what(config)
    return same


def _what(config: Config) -> Config:
    return replace(config, train=replace(config.train, **HOW_NOT_WHAT))
