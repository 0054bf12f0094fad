"""`nn.SyncBatchNorm` for processes on CPUs, which that one refuses: two show what many GPUs do."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce


class CpuSyncBatchNorm3d(nn.BatchNorm3d):
    """Batch norm by the statistics of all processes' clips, of which each has as many."""

    def forward(self, features: Tensor) -> Tensor:
        """B x C x T x h x w, by the mean and variance of all processes' B x T x h x w."""
        if not self.training:
            return super().forward(features)
        world, axes, shape = dist.get_world_size(), (0, 2, 3, 4), (1, -1, 1, 1, 1)
        wide = features.float()
        mean = all_reduce(wide.mean(axes)) / world  # its gradient is summed over processes too
        centred = wide - mean.view(shape)
        variance = all_reduce(centred.square().mean(axes)) / world
        number = world * wide.numel() // wide.shape[1]
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            self.running_mean.lerp_(mean, self.momentum or 0.0)
            self.running_var.lerp_(variance * number / max(1, number - 1), self.momentum or 0.0)
            self.num_batches_tracked.add_(1)
        scale = (variance + self.eps).rsqrt() * self.weight
        return (centred * scale.view(shape) + self.bias.view(shape)).to(features.dtype)


def convert_to_cpu_sync(network: nn.Module) -> None:
    """Put it in the place of every batch norm, in place; parameters and their names stay."""
    for name, child in network.named_children():
        convert_to_cpu_sync(child)
        if type(child) is nn.BatchNorm3d:
            synchronised = CpuSyncBatchNorm3d(child.num_features, child.eps, child.momentum)
            synchronised.load_state_dict(child.state_dict(), assign=True)
            setattr(network, name, synchronised.train(child.training))
