"""Batch normalisation over the clips of all processes, so that their number changes no result.

Without it every process would normalise by the statistics of its own few clips.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx


class CpuSyncBatchNorm3d(nn.BatchNorm3d):
    """`nn.SyncBatchNorm` for the CPU, which that one refuses; batches are of equal size.

    Mean and variance are averaged over processes, in the backward pass too.
    """

    def forward(self, features: Tensor) -> Tensor:
        """B x C x T x h x w, normalised by the statistics of all processes' B x T x h x w."""
        if not self.training:
            return super().forward(features)
        wide = features.float()
        axes, shape = (0, 2, 3, 4), (1, -1, 1, 1, 1)
        mean = _MeanOverProcesses.apply(wide.mean(axes))
        centred = wide - mean.view(shape)
        variance = _MeanOverProcesses.apply(centred.square().mean(axes))
        if self.track_running_stats:
            number = wide.numel() // wide.shape[1] * dist.get_world_size()
            unbiased = variance.detach() * number / max(1, number - 1)
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            assert self.momentum is not None
            self.running_mean.lerp_(mean.detach(), self.momentum)
            self.running_var.lerp_(unbiased, self.momentum)
            self.num_batches_tracked.add_(1)
        scale = (variance + self.eps).rsqrt() * self.weight
        return (centred * scale.view(shape) + self.bias.view(shape)).to(features.dtype)


def synchronise_batch_norm(network: nn.Module, device: torch.device) -> None:
    """Let every batch norm of a network, in place, see the clips of all processes.

    Parameters, buffers and their names stay.
    """
    for name, child in network.named_children():
        if not isinstance(child, nn.BatchNorm3d):
            synchronise_batch_norm(child, device)
        elif device.type != "cpu":
            setattr(network, name, nn.SyncBatchNorm.convert_sync_batchnorm(child))
        elif not isinstance(child, CpuSyncBatchNorm3d):
            synchronised = CpuSyncBatchNorm3d(child.num_features, child.eps, child.momentum)
            synchronised.load_state_dict(child.state_dict(), assign=True)
            synchronised.train(child.training)
            setattr(network, name, synchronised)


class _MeanOverProcesses(torch.autograd.Function):
    """Every process has a share in every process's mean, so gradients are averaged as well."""

    @staticmethod
    def forward(_ctx: FunctionCtx, values: Tensor) -> Tensor:
        return _mean_over_processes(values)

    @staticmethod
    def backward(_ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        return _mean_over_processes(gradient)


def _mean_over_processes(values: Tensor) -> Tensor:
    total = values.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total / dist.get_world_size()
