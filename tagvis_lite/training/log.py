"""What a training says of itself: metrics for programs, a progress line for people."""

from __future__ import annotations

import json
import logging
import math
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.loggers import CSVLogger, Logger
from tqdm.auto import tqdm

from tagvis_lite.atomic import naming, replacing

logger = logging.getLogger(__name__)


class TrainingLog:
    """Metrics of a training: metrics.jsonl line by line, metrics.csv, loggers, a progress line.

    Loss terms are means over the steps since the last line. Without a terminal the progress line
    is a line a minute.

    Args:
        out: folder of the run.
        steps: of the whole run.
        every: steps between lines.
        clips: of a step.
        state: what `state` gave when the run was saved; lines of later steps, which a kill left,
            are dropped.
        loggers: get every line as well.
        enabled: whether this process is the one that writes.
    """

    def __init__(
        self,
        out: Path,
        steps: int,
        every: int,
        clips: int,
        state: Mapping[str, Any] | None = None,
        loggers: Sequence[Logger] = (),
        *,
        enabled: bool = True,
    ) -> None:
        state = state or {"step": 0, "lines": 0, "sums": {}, "number": 0, "seconds": 0.0}
        self.path, self.enabled = out / "metrics.jsonl", enabled
        self.every, self.clips = every, clips
        self.step_now = self.first = int(state["step"])
        self.sums, self.number = dict(state["sums"]), int(state["number"])
        self.before, self.started = float(state["seconds"]), time.monotonic()
        self.said, self.score, self.lines = self.started, "", 0
        self.loggers = [*loggers]
        self.bar = tqdm(
            total=steps,
            initial=self.first,
            desc="train",
            mininterval=1.0,
            disable=None if enabled else True,
        )
        if enabled:
            with warnings.catch_warnings():  # of a folder with files in it, which it leaves alone
                warnings.simplefilter("ignore")
                table = CSVLogger(out, name="", version="", flush_logs_every_n_steps=1)
                table.experiment  # noqa: B018
                kept = _whole_lines(self.path)[: int(state["lines"])]
                with replacing(self.path) as temporary:
                    temporary.write_text("".join(json.dumps(line) + "\n" for line in kept))
                for line in kept:
                    table.log_metrics(dict(line), line["step"])
            self.lines = len(kept)
            self.loggers.append(table)

    def state(self) -> dict[str, Any]:
        """What a resumed run has to know to write the lines of one that was never stopped."""
        return {
            "step": self.step_now,
            "lines": self.lines,
            "sums": dict(self.sums),
            "number": self.number,
            "seconds": self.seconds,
        }

    @property
    def seconds(self) -> float:
        """That the run has taken, over all its starts."""
        return self.before + time.monotonic() - self.started

    def step(self, step: int, terms: Mapping[str, float], rate: float) -> None:
        """Take the loss terms of a step."""
        self.step_now, self.number = step, self.number + 1
        for name, value in terms.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.bar.update()
        self.bar.set_postfix_str(f"loss {terms['overall']:.3f}{self.score}", refresh=False)
        now = time.monotonic()
        if self.enabled and (
            step == self.first + 1 or (self.bar.disable and now - self.said >= 60)
        ):
            self.said, each = now, (now - self.started) / (step - self.first)
            logger.info(
                f"step {step} of {self.bar.total}: loss {terms['overall']:.3f}{self.score}, "
                f"{self.clips / each:.3g} clips a second, {peak_gigabytes():.1f} GB at the peak, "
                f"{each * (self.bar.total - step) / 60:.0f} minutes left"
            )
        if step % self.every == 0:
            means = {name: value / self.number for name, value in self.sums.items()}
            self._write({"step": step, "learning_rate": rate, **means})
            self.sums, self.number = {}, 0

    def validation(self, step: int, scores: Mapping[str, float]) -> None:
        """Take the scores of a validation, J&F among them."""
        self.score = f", J&F {100 * scores['J&F']:.1f}"
        self._write({"step": step, **scores})

    def close(self) -> None:
        """Leave the progress line as it is."""
        self.bar.close()

    def _write(self, record: Mapping[str, float]) -> None:
        self.lines += 1
        if self.enabled:
            line = {**record, "seconds": round(self.seconds, 2)}
            with naming(self.path), self.path.open("a") as file:
                file.write(json.dumps(line) + "\n")
            for logger in self.loggers:
                logger.log_metrics(dict(line), int(record["step"]))


def peak_gigabytes() -> float:
    """Most memory so far: of tensors on the accelerator, or else of the whole process."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated() / 1e9
    try:
        from resource import RUSAGE_SELF, getrusage
    except ImportError:  # Windows
        return math.nan
    unit = 1 if sys.platform == "darwin" else 1024
    return getrusage(RUSAGE_SELF).ru_maxrss * unit / 1e9


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl: a kill may have cut the last."""
    lines = []
    for text in path.read_text().splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(text))
        except ValueError:
            break
    return lines
