"""Lesson 17: one step of training."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Step = Callable[[nn.Module, torch.optim.Optimizer, Callable[[], Tensor]], float]


def check_training_step(answer: Step) -> None:
    """Two steps on a parabola, against what gradient descent has to give."""
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(1.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def loss() -> Tensor:
        return model.weight.square().sum()

    first = answer(model, optimizer, loss)
    after_one = model.weight.item()
    second = answer(model, optimizer, loss)
    after_two = model.weight.item()
    assert isinstance(first, float), (
        f"return the loss as a number, {type(first).__name__} keeps the whole graph alive: .item()"
    )
    assert after_one != 1.0, (
        "the weights did not move: is optimizer.step() called after backward()?"
    )
    assert abs(after_one - 0.8) < 1e-6, f"from 1, one step leads to 0.8, yours to {after_one:.3f}"
    assert abs(after_two - 0.44) > 1e-6, (
        "the second step went too far: gradients add up until optimizer.zero_grad() is called"
    )
    assert abs(after_two - 0.64) < 1e-6, f"two steps lead to 0.64, yours to {after_two:.3f}"
    assert abs(first - 1.0) < 1e-6, f"the first loss is 1, you returned {first:.3f}"
    assert abs(second - 0.64) < 1e-6, f"the second loss is 0.64, you returned {second:.3f}"
