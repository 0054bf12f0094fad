"""What a run writes about itself while it trains: metrics.jsonl, metrics.csv, a progress line."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from tagvis_lite.atomic import naming, write_atomically
from tagvis_lite.evaluation.davis import DavisScores

LOG_EVERY = 20


class TrainingLog:
    """Lines of metrics.jsonl as they come; the same as a table, metrics.csv, when validated.

    Args:
        out: folder of the run.
        step: steps that are done; lines of later ones, which a kill left, are dropped.
        steps: of the whole run.
        enabled: whether this process is the one that writes.
    """

    def __init__(self, out: Path, step: int, steps: int, *, enabled: bool) -> None:
        self.path = out / "metrics.jsonl"
        self.enabled = enabled
        self.started = time.monotonic()
        if enabled:
            _keep_up_to(self.path, step)
        self.bar = tqdm(
            total=steps,
            initial=step,
            desc="train",
            mininterval=1.0,
            disable=None if enabled else True,
        )
        self.score = ""

    def step(self, step: int, terms: Mapping[str, float], rate: float) -> None:
        """Advance the progress line; log every `LOG_EVERY`-th step."""
        self.bar.update()
        self.bar.set_postfix_str(f"loss {terms['overall']:.3f}{self.score}", refresh=False)
        if step % LOG_EVERY == 0:
            self._write({"step": step, "learning_rate": rate, **terms})

    def validation(self, step: int, scores: DavisScores) -> None:
        """Log the scores and write the table."""
        self.score = f", J&F {100 * scores.jf_mean:.1f}"
        self._write({"step": step, "J&F": scores.jf_mean, "J": scores.j_mean, "F": scores.f_mean})
        if self.enabled:
            write_atomically(
                self.path.with_suffix(".csv"),
                lambda temporary: _write_table(temporary, _records(self.path)),
            )

    def close(self) -> None:
        """Leave the progress line as it is."""
        self.bar.close()

    def _write(self, record: Mapping[str, float]) -> None:
        if self.enabled:
            with naming(self.path), self.path.open("a") as file:
                seconds = round(time.monotonic() - self.started, 2)
                file.write(json.dumps({**record, "seconds": seconds}) + "\n")


def _records(path: Path) -> list[dict[str, Any]]:
    """The lines that are whole: a kill may have cut the last."""
    records = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            record = json.loads(line)
            record["step"]
        except (ValueError, KeyError, TypeError):
            continue
        records.append(record)
    return records


def _write_table(path: Path, records: list[dict[str, Any]]) -> None:
    columns = list(dict.fromkeys(name for record in records for name in record))
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        table.writerows(records)


def _keep_up_to(path: Path, step: int) -> None:
    """Drop the log lines of steps a resumed run will do again, and a line cut off by a kill."""
    if path.exists():
        kept = [json.dumps(record) + "\n" for record in _records(path) if record["step"] <= step]
        write_atomically(path, lambda temporary: temporary.write_text("".join(kept)))
