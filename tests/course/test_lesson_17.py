"""Lesson 17: its check tells the likely mistakes of a training step apart."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tagvis_lite.course.checks.lesson_17 import Step, check_training_step

Loss = Callable[[], Tensor]


def right(network: nn.Module, optimizer: torch.optim.Optimizer, loss: Loss) -> float:
    optimizer.zero_grad()
    value = loss()
    value.backward()
    optimizer.step()
    return value.item()


def keeps_gradients(network: nn.Module, optimizer: torch.optim.Optimizer, loss: Loss) -> float:
    value = loss()
    value.backward()
    optimizer.step()
    return value.item()


def never_steps(network: nn.Module, optimizer: torch.optim.Optimizer, loss: Loss) -> float:
    optimizer.zero_grad()
    value = loss()
    value.backward()
    return value.item()


def steps_too_early(network: nn.Module, optimizer: torch.optim.Optimizer, loss: Loss) -> float:
    optimizer.zero_grad()
    value = loss()
    optimizer.step()
    value.backward()
    return value.item()


def keeps_the_graph(network: nn.Module, optimizer: torch.optim.Optimizer, loss: Loss) -> float:
    optimizer.zero_grad()
    value = loss()
    value.backward()
    optimizer.step()
    return value  # type: ignore[return-value]


def returns_the_loss_after(
    network: nn.Module, optimizer: torch.optim.Optimizer, loss: Loss
) -> float:
    right(network, optimizer, loss)
    return loss().item()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (keeps_gradients, "zero_grad"),
        (never_steps, "weights did not move"),
        (steps_too_early, "weights did not move"),
        (keeps_the_graph, "return the loss as a number"),
        (returns_the_loss_after, "the first loss is 1"),
    ],
)
def test_likely_mistakes_are_named(answer: Step, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_training_step(answer)


def test_the_right_step_passes() -> None:
    check_training_step(right)
