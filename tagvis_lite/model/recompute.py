"""Activation checkpointing: compute activations again in the backward pass, do not keep them.

Chen et al., 'Training deep nets with sublinear memory cost', 2016, by `torch.utils.checkpoint`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def recomputed(module: nn.Module, inputs: Tensor) -> Tensor:
    """`module(inputs)` of which only `inputs` are kept for the backward pass.

    Outputs, gradients and running statistics are those of the plain call.
    """
    if not torch.is_grad_enabled():
        return module(inputs)
    norms = [norm for norm in module.modules() if isinstance(norm, _BatchNorm)]

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _without_statistics(norms)

    outputs: Tensor = checkpoint(
        module, inputs, use_reentrant=False, preserve_rng_state=False, context_fn=contexts
    )
    return outputs


@contextmanager
def _without_statistics(norms: Sequence[_BatchNorm]) -> Iterator[None]:
    """The second time round, batch norm must not count the batch in its statistics again."""
    counted = [(norm, norm.momentum, _copy(norm.num_batches_tracked)) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum, batches in counted:
            norm.momentum = momentum
            if norm.num_batches_tracked is not None and batches is not None:
                norm.num_batches_tracked.copy_(batches)


def _copy(values: Tensor | None) -> Tensor | None:
    return None if values is None else values.clone()
