"""How a run ends before its time: by a signal, for want of memory, or with another process."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from lightning_fabric import Fabric


@contextmanager
def stop_signals() -> Iterator[list[signal.Signals]]:
    """Collect SIGTERM and SIGUSR1 in a list instead of dying of them."""
    asked: list[signal.Signals] = []
    names = [name for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        names = []  # only the main thread may
    before = {
        name: signal.signal(
            signal.Signals[name], lambda number, _: asked.append(signal.Signals(number))
        )
        for name in names
    }
    try:
        yield asked
    finally:
        for name, handler in before.items():
            signal.signal(signal.Signals[name], handler)


def agreed_signals(asked: list[signal.Signals], fabric: Fabric, done: int) -> set[signal.Signals]:
    """The signals that any process got since the last time; every tenth step where there are many.

    Empties the list.
    """
    if fabric.world_size > 1:
        if done % 10:
            return set()
        everyone: list[Any] = [None] * fabric.world_size
        dist.all_gather_object(everyone, list(asked))
        found = {each for some in everyone for each in some}
    else:
        found = set(asked)
    asked.clear()
    return found


@contextmanager
def clear_errors(fabric: Fabric) -> Iterator[None]:
    """Say what helps where torch only says what it was about."""
    try:
        yield
    except RuntimeError as error:
        text = " ".join(str(error).split())[:100]
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            raise ValueError(
                "out of memory: try --train.precision bf16-mixed, a smaller --train.batch-size "
                f"with more --train.accumulate, or fewer --data.clip-frames ({text})"
            ) from error
        if fabric.world_size > 1 and (
            isinstance(error, dist.DistError) or "gloo" in str(error).lower()
        ):
            where = f"process {fabric.global_rank} of {fabric.world_size}"
            raise ValueError(
                f"{where} stopped because another did: see its message ({text})"
            ) from error
        raise
