"""The estimate of a run against what PyTorch's own profiler and counters see a real step take."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_network import TINY
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from tagvis_lite import estimate
from tagvis_lite.config import PAPER, Config
from tagvis_lite.estimate import device_memory, estimate_training, gemm_rate
from tagvis_lite.model.network import TagVIS

MEDIUM = replace(TINY, data=replace(TINY.data, size=(64, 64), clip_frames=8))


def with_train(config: Config, **fields: Any) -> Config:
    return replace(config, train=replace(config.train, **fields))


def allocated_at_the_peak(config: Config) -> int:
    """Bytes that PyTorch's allocator holds at most in a real step, beyond the network itself."""
    network = TagVIS(config.model).train()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        estimate._step(network, config)
    held = peak = 0
    events = profiler.profiler.kineto_results.events()
    for event in sorted(events, key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak


@pytest.mark.parametrize(
    ("fields", "tolerance"),
    [
        ({}, 0.05),
        ({"batch_size": 2}, 0.05),
        ({"channels_last": False}, 0.05),
    ],
)
def test_the_peak_is_what_the_allocator_sees(fields: dict[str, Any], tolerance: float) -> None:
    config = with_train(MEDIUM, **{"batch_size": 1, **fields})
    found = estimate_training(config, 1)
    assert found.peak_bytes - found.state_bytes == pytest.approx(
        allocated_at_the_peak(config), rel=tolerance
    )


def test_the_step_that_is_counted_keeps_what_a_real_one_does() -> None:
    """Of the losses of a real step only cross-entropy is in it."""
    config = with_train(MEDIUM, batch_size=1)
    network = TagVIS(config.model)
    with FlopCounterMode(display=False) as counter:
        estimate._step(network.train(), config)
    found = estimate_training(config, 1)
    assert found.flops == counter.get_total_flops() > 0
    learnt = sum(parameter.numel() for parameter in network.parameters())
    statistics = sum(buffer.nbytes for buffer in network.buffers())
    assert found.parameters == learnt
    assert found.state_bytes == 3 * 4 * learnt + statistics


def test_steps_follow_devices_and_accumulation() -> None:
    config = with_train(TINY, steps=None, epochs=3, batch_size=2, accumulate=2)
    one, two = (estimate_training(config, 24, world_size=devices) for devices in (1, 2))
    assert (one.clips, one.steps) == (4, 18)
    assert (two.clips, two.steps) == (8, 9)
    assert (
        one.flops == two.flops == 2 * estimate_training(with_train(config, accumulate=1), 1).flops
    )


def test_the_paper_profile_fits_16_gb() -> None:
    plain = estimate_training(PAPER, 2238)
    assert plain.steps == 223_800  # docs/decisions.md, D20
    assert plain.peak_bytes < 16e9


def test_the_words_hold_the_numbers() -> None:
    found = estimate.TrainingEstimate(
        videos=60,
        steps=1500,
        clips=4,
        parameters=21_000_000,
        state_bytes=250_000_000,
        peak_bytes=3_000_000_000,
        flops=1_200_000_000_000,
    )
    text = found.describe(gemm_flops=100e9, device_bytes=16_000_000_000)
    assert "60 videos, 4 clips a step: 1,500 steps, 15.0 an epoch" in text
    assert "0.25 GB with Adam's state, about 3.00 GB at the peak of a step of 16.0 GB" in text
    assert "no less than 12 s a step, 0.05 h an epoch, 5 h in all" in text


def test_what_a_process_sets_up_at_first_is_no_part_of_the_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With it, a training was announced to take ten times as long as it can."""
    multiply, calls = torch.Tensor.__matmul__, []

    def slow_at_first(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        if len(calls) == 1:
            time.sleep(0.3)
        return multiply(a, b)

    monkeypatch.setattr(torch.Tensor, "__matmul__", slow_at_first)
    assert gemm_rate("cpu", size=64) > 10 * (2 * 64**3 / 0.3)
    assert len(calls) > 1


def test_the_machine_is_measured() -> None:
    assert 1e8 < gemm_rate("cpu", size=128) < 1e15
    memory = device_memory(torch.device("cpu"))
    assert memory is None or memory > 2**28
