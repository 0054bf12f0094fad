"""The training loop (section IV), on Lightning Fabric so that it stays a loop one can read.

Everything random is a pure function of the seed and the step (which clips, which crops, which M'
pixels), so a run that is killed and resumed is the run that was never killed. A run is a folder:

    config.json            what was asked for
    metrics.jsonl          one line per logged step and per validation
    last.pt                training state after the latest validation; the run resumes from it
    best.safetensors       weights and config of the best validation J&F so far
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricModule
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from tagvis_lite.atomic import write_atomically
from tagvis_lite.checkpoint import load_state, save_network, save_state
from tagvis_lite.config import Config, TrainConfig, config_to_dict
from tagvis_lite.data.clips import ClipDataset
from tagvis_lite.evaluation.davis import DavisScores, evaluate_davis
from tagvis_lite.inference import predict_video
from tagvis_lite.losses import overall_loss
from tagvis_lite.model.network import TagVIS
from tagvis_lite.video import Clip, Prediction, Video

LOG_EVERY = 20
MAX_WARM_UP = 200


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

    def __init__(self, network: TagVIS, channels_last: bool) -> None:
        super().__init__()
        self.layout = torch.channels_last_3d if channels_last else torch.contiguous_format
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
        ValueError: no videos, videos without label maps, a number below 1 in `config.train`, a
            network of another config, or `out` holds a run of another config or a broken state.
        NotADirectoryError: `out` is a file.
        NonFiniteLossError: the loss or its gradient is NaN or infinite. No parameter has taken
            part of that step, and the files are those of the step before.
    """
    _check(config, videos, validation, network)
    fabric = fabric or Fabric(devices=1, precision=config.train.precision)
    fabric.launch()
    fabric.seed_everything(config.train.seed, verbose=False)
    network = network or TagVIS(config.model)
    dataset = ClipDataset(
        videos, config.data, config.model.num_classes, augment=True, seed=config.train.seed
    )
    total = total_steps(config.train, len(videos), fabric.world_size)
    state = _open_run(out, config, fabric)

    optimizer = torch.optim.Adam(
        network.parameters(),
        lr=config.train.learning_rate,
        weight_decay=config.train.weight_decay,
    )
    model, optimizer = fabric.setup(_Outputs(network, config.train.channels_last), optimizer)
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

    batches = _batches(dataset, config.train, done, fabric)
    network.train()
    with closing(_Log(out / "metrics.jsonl", done, total, enabled=fabric.is_global_zero)) as log:
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


def total_steps(config: TrainConfig, num_videos: int, world_size: int = 1) -> int:
    """Optimiser steps of a run: `steps`, or as many as `epochs` passes over the videos take."""
    if config.steps is not None:
        return config.steps
    batches = config.epochs * _batches_per_epoch(config, num_videos, world_size)
    return math.ceil(batches / config.accumulate)


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
    network: TagVIS, videos: Sequence[Video], config: Config, device: torch.device | str = "cpu"
) -> DavisScores:
    """Predict whole videos and score them: J&F as in the DAVIS unsupervised protocol.

    The network is run in evaluation mode and left in the mode it came in.
    """

    def scored() -> Iterator[tuple[str, Any, Any]]:
        for video in videos:
            yield video.name, video.ids, predict_video(network, video, config, device).ids

    return evaluate_davis(scored())


def _check(
    config: Config, videos: Sequence[Video], validation: Sequence[Video], network: TagVIS | None
) -> None:
    if not videos or not validation:
        raise ValueError("training needs at least one training and one validation video")
    for name in ("epochs", "steps", "batch_size", "accumulate", "validate_every"):
        value = getattr(config.train, name)
        if value is not None and value < 1:
            raise ValueError(f"train.{name} is {value}, expected 1 or more")
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


def _optimise(
    fabric: Fabric,
    model: _FabricModule,
    optimizer: torch.optim.Optimizer,
    batches: Iterator[Clip],
    config: Config,
    step: int,
) -> dict[str, float]:
    """One optimiser step over `accumulate` batches; the mean of their loss terms."""
    generator = torch.Generator(fabric.device).manual_seed(
        (config.train.seed * 1_000_003 + step) * 1_009 + fabric.global_rank
    )
    sums: dict[str, float] = {}
    drawn: list[str] = []
    optimizer.zero_grad()
    for part in range(config.train.accumulate):
        clip = next(batches)
        drawn.append(f"clips {clip.names}, frames {clip.frame_indices.tolist()}")
        last = part == config.train.accumulate - 1
        with fabric.no_backward_sync(model, enabled=not last):
            tags, logits = model(clip.frames)
            losses = overall_loss(Prediction(tags, logits), clip, config.loss, generator)
            terms = losses.as_dict()
            if not math.isfinite(terms["overall"]):
                raise _non_finite(f"loss {terms}", step, drawn[-1:])
            fabric.backward(losses.overall / config.train.accumulate)
        for name, value in terms.items():
            sums[name] = sums.get(name, 0.0) + value / config.train.accumulate
    limit = math.inf if config.train.clip_gradient is None else config.train.clip_gradient
    norm = fabric.clip_gradients(model, optimizer, max_norm=limit, error_if_nonfinite=False)
    # Scaled float16 gradients may overflow: the scaler then skips the step and scales less.
    if config.train.precision != "16-mixed" and norm is not None and not norm.isfinite():
        raise _non_finite("gradient", step, drawn)
    optimizer.step()
    return sums


def _non_finite(what: str, step: int, drawn: Sequence[str]) -> NonFiniteLossError:
    return NonFiniteLossError(
        f"not finite at step {step}: {what} of {'; '.join(drawn)}. Lower train.learning_rate, set "
        "train.clip_gradient, or check these videos"
    )


def _batches(
    dataset: ClipDataset, config: TrainConfig, steps_done: int, fabric: Fabric
) -> Iterator[Clip]:
    """Endless batches, from where a run that did `steps_done` steps left off.

    Epoch e is a permutation of the videos drawn from (seed, e); each process takes its own share.
    """
    number = config.batch_size * fabric.world_size
    per_epoch = _batches_per_epoch(config, len(dataset), fabric.world_size)
    epoch, skip = divmod(steps_done * config.accumulate, per_epoch)
    while True:
        order = np.random.default_rng([config.seed, epoch]).permutation(len(dataset))
        order = np.resize(order, per_epoch * number)  # the last batch is filled from the first
        mine = order.reshape(per_epoch, fabric.world_size, config.batch_size)[
            skip:, fabric.global_rank
        ]
        dataset.set_epoch(epoch)
        for clip in DataLoader(
            dataset,
            batch_sampler=mine.tolist(),
            collate_fn=Clip.collate,
        ):
            yield _to_device(clip, fabric.device)
        epoch, skip = epoch + 1, 0


def _batches_per_epoch(config: TrainConfig, num_videos: int, world_size: int) -> int:
    return math.ceil(num_videos / (config.batch_size * world_size))


def _to_device(clip: Clip, device: torch.device) -> Clip:
    return Clip(
        frames=clip.frames.to(device),
        ids=clip.ids.to(device),
        semantic=clip.semantic.to(device),
        frame_indices=clip.frame_indices,
        names=clip.names,
    )


def _open_run(out: Path, config: Config, fabric: Fabric) -> dict[str, Any] | None:
    """Write config.json, or check that it is the same; return the state to resume from, if any."""
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f"{out} is a file: choose a folder for the run")
    path, last = out / "config.json", out / "last.pt"
    wanted = json.dumps(config_to_dict(config), indent=1)
    if (path.exists() or last.exists()) and not _holds(path, wanted):
        raise ValueError(
            f"{out} holds a run of another config (see {path}): choose another folder, or delete it"
        )
    if fabric.is_global_zero:
        write_atomically(path, lambda temporary: temporary.write_text(wanted))
    return load_state(last) if last.exists() else None


def _holds(path: Path, wanted: str) -> bool:
    """Whether the file is there and says the same json."""
    try:
        return bool(json.loads(path.read_text()) == json.loads(wanted))
    except (FileNotFoundError, ValueError):
        return False


class _Log:
    """metrics.jsonl and the progress line."""

    def __init__(self, path: Path, step: int, steps: int, *, enabled: bool) -> None:
        self.path = path
        self.enabled = enabled
        self.started = time.monotonic()
        if enabled:
            _keep_up_to(path, step)
        self.bar = tqdm(
            total=steps,
            initial=step,
            desc="train",
            mininterval=1.0,
            disable=None if enabled else True,
        )
        self.score = ""

    def step(self, step: int, terms: dict[str, float], rate: float) -> None:
        self.bar.update()
        self.bar.set_postfix_str(f"loss {terms['overall']:.3f}{self.score}", refresh=False)
        if step % LOG_EVERY == 0:
            self._write({"step": step, "learning_rate": rate, **terms})

    def validation(self, step: int, scores: DavisScores) -> None:
        self.score = f", J&F {100 * scores.jf_mean:.1f}"
        self._write({"step": step, "J&F": scores.jf_mean, "J": scores.j_mean, "F": scores.f_mean})

    def _write(self, record: dict[str, float]) -> None:
        if self.enabled:
            with self.path.open("a") as file:
                seconds = round(time.monotonic() - self.started, 2)
                file.write(json.dumps({**record, "seconds": seconds}) + "\n")

    def close(self) -> None:
        self.bar.close()


def _keep_up_to(path: Path, step: int) -> None:
    """Drop the log lines of steps a resumed run will do again, and a line cut off by a kill."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text().splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except ValueError:
            continue
    write_atomically(path, lambda temporary: temporary.write_text("".join(kept)))
