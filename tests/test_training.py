"""Training: it learns, resumes exactly, stops on NaN, and leaves a run that can be read."""

from __future__ import annotations

import io
import itertools
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from tiny_network import TINY
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from tagvis_lite import losses
from tagvis_lite.clips import clip_generator, make_clip
from tagvis_lite.config import Config, TrainConfig
from tagvis_lite.data.toy import ToyConfig, toy_split
from tagvis_lite.losses import Losses, overall_loss
from tagvis_lite.model.network import TagVIS
from tagvis_lite.runs import load_network, load_state
from tagvis_lite.training import (
    NonFiniteLossError,
    TrainingResult,
    learning_rate,
    total_steps,
    train,
    validate,
)
from tagvis_lite.training import loop as training
from tagvis_lite.video import Clip, Prediction, Video

FILES = {"run.json", "config.json", "metrics.jsonl", "metrics.csv", "last.pt", "best.safetensors"}
SMALL = replace(
    TINY,
    loss=replace(TINY.loss, pixels_per_instance=16),  # random pixels must resume exactly too
)


def config_with(**fields: Any) -> Config:
    return replace(SMALL, train=replace(SMALL.train, **{"batch_size": 2, **fields}))


STRAIGHT = config_with(steps=20, validate_every=10)  # 3 batches an epoch: step 10 is amid one

OVERFIT = config_with(
    steps=60, batch_size=1, validate_every=20, learning_rate=1e-2, schedule="constant"
)


@cache
def videos(split: Literal["train", "validation"], number: int) -> list[Video]:
    return toy_split(split, number, ToyConfig(size=(32, 32), num_frames=6))[:]


def cpu(config: Config) -> Fabric:
    return Fabric(accelerator="cpu", devices=1, precision=config.train.precision)


def run(
    config: Config,
    out: Path,
    *,
    fabric: Fabric | None = None,
    network: TagVIS | None = None,
    **options: Any,
) -> TrainingResult:
    return train(
        config,
        videos("train", 5),
        videos("validation", 2),
        out,
        fabric=fabric or cpu(config),
        network=network,
        **options,
    )


def run_interrupted(
    config: Config, out: Path, fabric: Callable[[Config], Fabric] = cpu
) -> TrainingResult:
    """Leave the run in every second step and in every validation, and start it again."""
    for moment in range(1, 2 * (config.train.steps or 0)):
        with pytest.MonkeyPatch.context() as patch:
            leave_at(patch, "step" if moment % 2 else "validate", 2)
            try:
                run(config, out, fabric=fabric(config))
            except KeyboardInterrupt:
                continue
    return run(config, out, fabric=fabric(config))


def leave_at(patch: pytest.MonkeyPatch, name: str, call: int) -> None:
    """Interrupt the n-th call of a function of the training from now on."""
    function, count = getattr(training, name), itertools.count(1)

    def left(*arguments: Any) -> Any:
        if next(count) == call:
            raise KeyboardInterrupt
        return function(*arguments)

    patch.setattr(training, name, left)


def records(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def assert_same_run(got: Path, expected: Path) -> None:
    """To the last bit, but for the time it took."""
    first, second = load_state(got / "last.pt"), load_state(expected / "last.pt")
    for part in ("network", "optimizer"):
        a, b = (state[part].get("state", state[part]) for state in (first, second))
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    for part in ("step", "best_step", "best_score", "precision"):
        assert first[part] == second[part]
    assert (got / "best.safetensors").read_bytes() == (expected / "best.safetensors").read_bytes()
    both = [records(got), records(expected)]
    assert all(record.pop("seconds") >= 0 for record in both[0] + both[1])
    assert both[0] == both[1]
    assert {path.name for path in got.iterdir()} == FILES


def with_each_loss(hook: Callable[[int, Clip, Losses], Losses | None]) -> Callable[..., Losses]:
    """A stand-in for `overall_loss` that shows the n-th loss to `hook`, which may replace it."""
    count = itertools.count(1)

    def loss(prediction: Prediction, clip: Clip, *rest: Any) -> Losses:
        losses = overall_loss(prediction, clip, *rest)
        return hook(next(count), clip, losses) or losses

    return loss


def flat(module: nn.Module) -> Tensor:
    """A copy of all parameters as one vector."""
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("straight") / "run"
    run(STRAIGHT, out)
    return out


@pytest.fixture(scope="module")
def overfitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("overfitted") / "run"
    train(OVERFIT, videos("train", 1), videos("train", 1), out, fabric=cpu(OVERFIT))
    return out


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_signals_save_the_state_and_the_run_goes_on_from_there(
    straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGUSR1 in step 7, SIGTERM in step 13: neither is a step of a validation."""
    step, count, saved = training.step, itertools.count(1), []

    def signalled(*arguments: Any) -> Any:
        number = next(count)
        if number in (7, 13):
            os.kill(os.getpid(), signal.SIGUSR1 if number == 7 else signal.SIGTERM)
        if number == 8:
            saved.append(load_state(tmp_path / "last.pt")["step"])
        return step(*arguments)

    monkeypatch.setattr(training, "step", signalled)
    with pytest.raises(SystemExit) as stop:
        run(STRAIGHT, tmp_path)
    assert stop.value.code == 143
    assert saved == [7]
    assert load_state(tmp_path / "last.pt")["step"] == 13
    run(STRAIGHT, tmp_path)
    assert_same_run(tmp_path, straight)


def test_the_last_states_are_kept_and_a_longer_run_is_asked_for(tmp_path: Path) -> None:
    short = config_with(steps=3, validate_every=3, save_every=1, keep=2, schedule="constant")
    run(short, tmp_path / "run")
    kept = sorted(path.name for path in (tmp_path / "run").glob("state-*.pt"))
    assert kept == ["state-00000002.pt", "state-00000003.pt"]
    longer = replace(short, train=replace(short.train, steps=5))
    with pytest.raises(ValueError, match=r"train\.steps: 3, now 5: use --extend"):
        run(longer, tmp_path / "run")
    run(longer, tmp_path / "run", extend=True)
    assert load_state(tmp_path / "run" / "last.pt")["step"] == 5


def test_auto_is_the_precision_that_the_processor_has_instructions_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = TrainConfig(precision="auto")
    for has, expected in ((True, "bf16-mixed"), (False, "32-true")):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has)  # noqa: B023
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
        assert training.chosen_precision(config, "cpu") == expected
        assert training.chosen_precision(TrainConfig(), "cpu") == "32-true"


@pytest.mark.parametrize(
    "fields",
    [
        {"batch_size": 2, "accumulate": 2, "clip_gradient": None},
        {"batch_size": 1, "accumulate": 3, "schedule": "constant"},
        {"batch_size": 8, "precision": "bf16-mixed"},
    ],
)
def test_a_run_interrupted_again_and_again_equals_a_straight_one(
    fields: dict[str, Any], tmp_path: Path
) -> None:
    config = config_with(steps=5, validate_every=2, save_every=1, log_every=3, **fields)
    result = run(config, tmp_path / "straight")
    resumed = run_interrupted(config, tmp_path / "interrupted")
    assert_same_run(tmp_path / "interrupted", tmp_path / "straight")
    assert resumed == replace(result, weights=tmp_path / "interrupted" / "best.safetensors")


def test_the_scale_of_float16_gradients_is_resumed_and_overflow_is_no_error(tmp_path: Path) -> None:
    config = config_with(steps=6, validate_every=2, precision="16-mixed", clip_gradient=1.0)

    def fabric(_config: Config) -> Fabric:  # Fabric's own choice on the CPU would be bfloat16
        return Fabric(accelerator="cpu", devices=1, plugins=MixedPrecision("16-mixed", "cpu"))

    run(config, tmp_path / "straight", fabric=fabric(config))
    steps_since_overflow = load_state(tmp_path / "straight" / "last.pt")["precision"][
        "_growth_tracker"
    ]
    assert 0 < steps_since_overflow < config.train.steps
    run_interrupted(config, tmp_path / "interrupted", fabric=fabric)
    assert_same_run(tmp_path / "interrupted", tmp_path / "straight")


def test_a_line_cut_off_by_a_kill_and_lines_of_lost_steps_are_dropped(tmp_path: Path) -> None:
    config = config_with(steps=4, validate_every=2)
    run(config, tmp_path / "straight")
    with pytest.MonkeyPatch.context() as patch:
        leave_at(patch, "step", 3)
        with pytest.raises(KeyboardInterrupt):
            run(config, tmp_path / "cut")
    with (tmp_path / "cut" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "overall": 1.0, "seconds": 1.0}\n{"step": 4, "overa')
    run(config, tmp_path / "cut")
    assert_same_run(tmp_path / "cut", tmp_path / "straight")


def test_the_seed_decides_everything(tmp_path: Path) -> None:
    config = config_with(steps=3, validate_every=3, seed=4)
    for name, seed in (("one", 4), ("two", 4), ("other", 5)):
        torch.rand(seed)  # the state of the caller's generator has no say
        run(replace(config, train=replace(config.train, seed=seed)), tmp_path / name)
    assert_same_run(tmp_path / "two", tmp_path / "one")
    assert records(tmp_path / "one")[0]["overall"] != records(tmp_path / "other")[0]["overall"]


def test_it_overfits_one_video(overfitted: Path) -> None:
    losses = [record["overall"] for record in records(overfitted) if "overall" in record]
    assert len(losses) == 60
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])


def test_the_best_weights_are_a_whole_model_that_scores_the_same(overfitted: Path) -> None:
    network, config = load_network(overfitted / "best.safetensors")
    assert config == OVERFIT
    assert not network.training
    state = load_state(overfitted / "last.pt")
    logged = {r["step"]: r["J&F"] for r in records(overfitted) if "J&F" in r}
    assert list(logged) == [20, 40, 60]
    assert state["best_score"] == max(logged.values()) == logged[state["best_step"]]
    # Training keeps another memory layout: sums may differ in the last bit, a pixel in its id.
    score = validate(network, videos("train", 1), config).jf_mean
    assert score == pytest.approx(state["best_score"], abs=0.01)
    untrained = validate(TagVIS(config.model), videos("train", 1), config).jf_mean
    assert abs(score - untrained) > 0.05


def test_bf16_is_used_and_finite_and_weights_stay_float32(tmp_path: Path) -> None:
    for precision in ("32-true", "bf16-mixed"):
        run(config_with(steps=3, validate_every=3, precision=precision), tmp_path / precision)
    full, half = (records(tmp_path / name) for name in ("32-true", "bf16-mixed"))
    assert half[0]["overall"] != full[0]["overall"]
    assert half[0]["overall"] == pytest.approx(full[0]["overall"], rel=0.05)
    weights = load_state(tmp_path / "bf16-mixed" / "last.pt")["network"]
    assert all(value.isfinite().all() for value in weights.values())
    assert {v.dtype for v in weights.values()} == {torch.float32, torch.int64}


class Stub(nn.Module):
    """A network without batch statistics, so that clips do not see one another."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.tags = nn.Conv3d(3, 1, 3, padding=1)
        self.semantics = nn.Conv3d(3, SMALL.model.num_classes, 3, padding=1)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        return self.tags(frames).squeeze(1), self.semantics(frames)


def one_step(
    stub: nn.Module, *batches: list[Clip], step: int = 1, pixels: int | None = None, **fields: Any
) -> tuple[Tensor, dict[str, float]]:
    """The gradient of one step of plain gradient descent, and the logged terms."""
    sizes = {"accumulate": len(batches), "batch_size": len(batches[0])}
    config = config_with(**sizes, **{"clip_gradient": None, **fields})
    config = replace(config, loss=replace(config.loss, pixels_per_instance=pixels))
    optimizer = torch.optim.SGD(stub.parameters(), lr=1.0)
    before = flat(stub)
    every = [clip for batch in batches for clip in batch]
    first = (step - 1) * len(every)
    generators = [clip_generator(config.train.seed, first + k) for k in range(len(every))]
    terms = training.step(stub, optimizer, Clip.collate(every), config, generators)
    return before - flat(stub), terms


def clips(number: int) -> list[Clip]:
    return [
        make_clip(video, range(4), SMALL.data, SMALL.model.num_classes, as_bytes=True)
        for video in videos("train", number)
    ]


def test_accumulated_batches_equal_one_of_their_size() -> None:
    a, b, c, d = clips(4)
    whole, terms = one_step(Stub(), [a, b, c, d])
    assert whole.norm() > 0
    for batches in ([[a], [b], [c], [d]], [[a, b], [c, d]]):
        gradient, accumulated_terms = one_step(Stub(), *batches)
        torch.testing.assert_close(gradient, whole, rtol=1e-4, atol=1e-5)
        assert accumulated_terms == pytest.approx(terms, rel=1e-4)


def test_random_pixels_depend_on_the_step_and_the_seed_alone() -> None:
    drawn = [
        one_step(Stub(), clips(1), pixels=2, step=step, seed=seed)[1]["spectra"]
        for step, seed in ((1, 0), (1, 0), (2, 0), (1, 1))
    ]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) == 3


def test_clipping_bounds_the_gradient_and_keeps_its_direction() -> None:
    free, _ = one_step(Stub(), clips(1))
    clipped, _ = one_step(Stub(), clips(1), clip_gradient=0.25)
    loose, _ = one_step(Stub(), clips(1), clip_gradient=100 * float(free.norm()))
    assert float(clipped.norm()) == pytest.approx(0.25, rel=1e-3)
    assert float(torch.cosine_similarity(clipped, free, dim=0)) == pytest.approx(1, abs=1e-4)
    torch.testing.assert_close(loose, free, rtol=0, atol=0)


def test_a_gradient_that_is_not_finite_stops_before_the_step() -> None:
    class Cusp(Stub):
        def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
            tags, logits = super().forward(frames)
            return (0 * tags).square().sqrt(), logits  # sqrt has no gradient at 0

    stub = Cusp()
    before = flat(stub)
    a, b = clips(2)
    for limit in (None, 1.0):
        with pytest.raises(NonFiniteLossError, match=r"gradient is not finite") as stop:
            one_step(stub, [a], [b], clip_gradient=limit)
        assert a.names[0] in str(stop.value)
        assert b.names[0] in str(stop.value)
        torch.testing.assert_close(flat(stub), before, rtol=0, atol=0)


class Waits(TorchDispatchMode):
    """Counts what a processor cannot do before the device is done, were the tensors on one."""

    OPERATIONS = ("_local_scalar_dense", "nonzero", "bincount", "masked_select", "is_nonzero")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = str(func).split(".")[1]
        picks = name in ("index", "index_put", "index_put_") and any(
            index is not None and index.dtype == torch.bool for index in args[1]
        )
        if picks or name in self.OPERATIONS:
            self.found.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("pixels", [None, 16])
def test_a_step_waits_for_the_device_once(
    pixels: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once: `.tolist()` of the loss terms and the gradient norm, which no mode sees."""
    monkeypatch.setattr(losses, "on_cpu", lambda _: False)
    loss = replace(SMALL.loss, pixels_per_instance=pixels)
    config = replace(config_with(clip_gradient=1.0), loss=loss)
    network = TagVIS(config.model).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    clip = Clip.collate(clips(2))
    with Waits() as waits:
        training.step(network, optimizer, clip, config)
    assert waits.found == []
    with Waits() as waits:
        (clip.ids != 255).any().item()
        clip.ids[clip.ids != 255]
    assert len(waits.found) == 2


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 300), st.floats(1e-5, 1.0))
def test_one_cycle_is_a_linear_warm_up_and_a_cosine_to_zero(total: int, peak: float) -> None:
    config = TrainConfig(learning_rate=peak, schedule="one_cycle")
    rates = [learning_rate(config, step, total) for step in range(1, total + 1)]
    warm_up = max(1, round(total / 10))
    assert rates[:warm_up] == pytest.approx(np.linspace(0, peak, warm_up + 1)[1:])
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=peak)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total - warm_up)
    for rate in rates[warm_up - 1 :]:
        assert rate == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-6, abs=1e-9 * peak)
        optimizer.step()
        cosine.step()
    assert rates[-1] == pytest.approx(0, abs=1e-12)
    stays = TrainConfig(learning_rate=peak, schedule="warm_up")
    expected = [*rates[:warm_up], *[peak] * (total - warm_up)]
    assert [learning_rate(stays, step, total) for step in range(1, total + 1)] == expected


def test_the_schedule_reaches_the_optimiser(straight: Path) -> None:
    logged = [r["learning_rate"] for r in records(straight) if "learning_rate" in r]
    peak = STRAIGHT.train.learning_rate
    assert logged[:2] == [peak / 2, peak]
    assert logged[2] < peak
    state = load_state(straight / "last.pt")["optimizer"]
    assert state["param_groups"][0]["lr"] == logged[-1] == 0
    constant = TrainConfig(learning_rate=0.1, schedule="constant")
    assert {learning_rate(constant, step, 50) for step in range(1, 51)} == {0.1}


@given(
    epochs=st.integers(1, 9),
    number=st.integers(1, 30),
    batch_size=st.integers(1, 7),
    accumulate=st.integers(1, 4),
    world_size=st.integers(1, 3),
)
def test_epochs_to_steps(
    epochs: int, number: int, batch_size: int, accumulate: int, world_size: int
) -> None:
    config = TrainConfig(epochs=epochs, batch_size=batch_size, accumulate=accumulate)
    steps = total_steps(config, number, world_size)
    assert total_steps(replace(config, steps=7), number, world_size) == 7
    clips = batch_size * accumulate * world_size
    assert (steps - 1) * clips < epochs * number <= steps * clips


def test_every_epoch_sees_every_video_in_another_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Clip] = []
    monkeypatch.setattr(
        training, "overall_loss", with_each_loss(lambda n, clip, _: seen.append(clip))
    )
    result = run(config_with(steps=None, epochs=2, validate_every=99), tmp_path)
    assert len(seen) == result.best_step == 5  # 5 videos in batches of 2, twice
    drawn = [pair for clip in seen for pair in zip(clip.names, clip.frames, strict=True)]
    first, second = dict(drawn[:5]), dict(drawn[5:])
    assert first.keys() == second.keys() == {video.name for video in videos("train", 5)}
    assert not any(torch.equal(first[name], second[name]) for name in first)
    assert list(first) != list(second)


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_batch(
    straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in (3, 13):  # before and after the first validation
        seen: dict[str, Any] = {}
        torch.manual_seed(STRAIGHT.train.seed)
        network = TagVIS(STRAIGHT.model)

        def poison(n: int, clip: Clip, losses: Losses) -> Losses:
            seen.update(clip=clip, parameters=flat(network))  # noqa: B023
            factor = float("nan") if n == step else 1.0  # noqa: B023
            return replace(losses, overall=losses.overall * factor)

        monkeypatch.setattr(training, "overall_loss", with_each_loss(poison))
        with pytest.raises(NonFiniteLossError, match=f"step {step}: loss .* not finite") as stop:
            run(STRAIGHT, tmp_path, network=network)
        assert all(name in str(stop.value) for name in seen["clip"].names)
        assert str(seen["clip"].frame_indices.tolist()) in str(stop.value)
        assert "\n" not in str(stop.value)
        torch.testing.assert_close(flat(network), seen["parameters"], rtol=0, atol=0)
        if step == 3:
            left = {path.name for path in tmp_path.iterdir()}
            assert left == {"run.json", "config.json", "metrics.jsonl", "metrics.csv"}
    assert load_state(tmp_path / "last.pt")["step"] == 10
    monkeypatch.setattr(training, "overall_loss", overall_loss)
    with pytest.raises(ValueError, match=r"differs in first weights: \w+, now random"):
        run(STRAIGHT, tmp_path)
    torch.manual_seed(STRAIGHT.train.seed)
    run(STRAIGHT, tmp_path, network=TagVIS(STRAIGHT.model))
    assert_same_run(tmp_path, straight)


def test_too_little_memory_names_the_options_that_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Losses:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr(training, "overall_loss", full)
    with pytest.raises(ValueError, match=r"--train.precision bf16-mixed, a smaller --train.batch-"):
        run(config_with(steps=1), tmp_path)


def test_the_best_weights_are_those_of_the_best_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores, weights = iter([0.2, 0.6, 0.5, 0.6]), []
    config = config_with(steps=4, validate_every=1)

    def judge(network: TagVIS, *_: object) -> SimpleNamespace:
        score = next(scores)
        weights.append({name: value.clone() for name, value in network.state_dict().items()})
        return SimpleNamespace(jf_mean=score, j_mean=score, f_mean=score, ap=None)

    monkeypatch.setattr(training, "validate", judge)
    with pytest.MonkeyPatch.context() as patch:
        leave_at(patch, "validate", 4)
        with pytest.raises(KeyboardInterrupt):
            run(config, tmp_path)
    result = run(config, tmp_path)
    assert (result.best_score, result.best_step) == (0.6, 2)
    best = load_network(result.weights)[0].state_dict()
    assert [r["J&F"] for r in records(tmp_path) if "J&F" in r] == [0.2, 0.6, 0.5, 0.6]
    torch.testing.assert_close(dict(best), weights[1], rtol=0, atol=0)


def test_validation_leaves_every_module_in_its_mode() -> None:
    network = TagVIS(SMALL.model).train()
    network.encoder.stem.eval()
    modes = [module.training for module in network.modules()]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    validate(network, videos("validation", 1), SMALL)
    assert [module.training for module in network.modules()] == modes
    torch.testing.assert_close(dict(network.state_dict()), before, rtol=0, atol=0)


def test_training_goes_on_in_training_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = TagVIS(SMALL.model).eval()  # as load_network gives it
    modes: list[bool] = []

    def note(*_: object) -> None:
        modes.extend(module.training for module in network.modules())

    monkeypatch.setattr(training, "overall_loss", with_each_loss(note))
    run(config_with(steps=2, validate_every=1), tmp_path, network=network)
    assert modes
    assert all(modes)


@pytest.mark.parametrize("terminal", [True, False])
def test_the_progress_line_is_live_on_a_terminal_and_silent_elsewhere(
    terminal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stderr", screen)
    run(config_with(steps=2, validate_every=2), tmp_path)
    monkeypatch.undo()
    if terminal:
        last = screen.getvalue().split("\r")[-1]
        assert "2/2" in last
        assert "loss " in last
        assert last.endswith("\n")
    else:
        assert "loss" not in screen.getvalue()
        assert len(screen.getvalue()) < 200


def test_a_folder_of_another_config_is_refused(straight: Path) -> None:
    files = {path.name: path.read_bytes() for path in straight.iterdir()}
    for fields, message in (
        ({"seed": 1}, r"differs in train\.seed: 0, now 1: choose another folder"),
        ({"steps": 30}, r"differs in train\.steps: 20, now 30: use --extend"),
        ({"batch_size": 3}, r"differs in clips a batch: 2, now 3"),
        (
            {"batch_size": 1, "accumulate": 2},
            r"train\.accumulate: 1, now 2; clips a batch: 2, now 1",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            run(config_with(**{"steps": 20, "validate_every": 10, **fields}), straight)
    with pytest.raises(ValueError, match=r"differs in videos\.train: 5 videos, \w+, now 4 videos"):
        train(
            STRAIGHT,
            videos("train", 4),
            videos("validation", 2),
            straight,
            fabric=cpu(STRAIGHT),
        )
    assert {path.name: path.read_bytes() for path in straight.iterdir()} == files


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-1000]),
        lambda path: path.write_bytes(b""),
        lambda path: torch.save({"step": 10, "network": {}}, path),
    ],
)
def test_a_broken_state_is_one_clear_error(
    spoil: Callable[[Path], object], straight: Path, tmp_path: Path
) -> None:
    for name in ("run.json", "last.pt"):
        (tmp_path / name).write_bytes((straight / name).read_bytes())
    spoil(tmp_path / "last.pt")
    with pytest.raises(ValueError, match=r"training state.*: delete it to start") as error:
        run(STRAIGHT, tmp_path)
    assert str(tmp_path / "last.pt") in str(error.value)
    assert "\n" not in str(error.value)


def test_bad_input_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    out = tmp_path / "run"
    good = config_with(steps=2)
    some, unlabelled = videos("train", 2), [replace(videos("validation", 1)[0], ids=None)]
    for first, second in (([], some), (some, [])):
        with pytest.raises(ValueError, match="at least one"):
            train(good, first, second, out, fabric=cpu(good))
    for first, second in ((unlabelled, some), (some, unlabelled)):
        with pytest.raises(ValueError, match="toy-validation-00000' has no label maps"):
            train(good, first, second, out, fabric=cpu(good))
    with pytest.raises(ValueError, match="pass the config that load_network returned"):
        run(good, out, network=TagVIS(replace(SMALL.model, head_channels=16)))
    assert not out.exists()
    out.write_text("a file")
    with pytest.raises(NotADirectoryError, match="run is a file: choose a folder"):
        run(good, out)
