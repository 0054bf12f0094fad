"""The same network for inference only: fewer passes over memory, and bfloat16 where wanted.

Three changes, of which the first two alter results by rounding errors only: batch norm is folded
into the convolution before it; tensors are kept channels-last, where oneDNN's convolutions run at
the rate of its matrix products (benchmarks/paper_size.py); weights and activations are bfloat16.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tagvis_lite.model.network import TagVIS
from tagvis_lite.video import Prediction

Precision = Literal["fp32", "bf16"]


class FastTagVIS(nn.Module):
    """A copy of a network, for inference: float32 frames in, float32 predictions out.

    Args:
        network: left as it is.
        precision: of weights and activations.
    """

    def __init__(self, network: TagVIS, precision: Precision = "fp32") -> None:
        super().__init__()
        self.dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        folded = deepcopy(network).eval()
        fold_batch_norms(folded)
        self.network = folded.to(self.dtype).to(memory_format=torch.channels_last_3d)

    def forward(self, frames: Tensor) -> Prediction:
        """As `TagVIS.forward`."""
        prediction = self.network(frames.to(dtype=self.dtype, memory_format=torch.channels_last_3d))
        logits = prediction.semantic_logits
        return replace(
            prediction,
            tags=prediction.tags.float(),
            semantic_logits=None if logits is None else logits.float(),
        )


def fold_batch_norms(network: nn.Module) -> None:
    """Replace, in place, every convolution followed by a batch norm by one convolution.

    Wherever a batch norm follows a convolution within an `nn.Sequential`, or a nested one that ends
    in a convolution; the batch norm becomes an `nn.Identity`. The network is in evaluation mode.
    """
    for child in network.children():
        fold_batch_norms(child)
    if not isinstance(network, nn.Sequential):
        return
    for k in range(1, len(network)):
        norm = network[k]
        holder, last = network, k - 1
        while isinstance(inner := holder[last], nn.Sequential):
            holder, last = inner, len(inner) - 1
        convolution = holder[last]
        if isinstance(norm, nn.BatchNorm3d) and isinstance(
            convolution, nn.Conv3d | nn.ConvTranspose3d
        ):
            transposed = isinstance(convolution, nn.ConvTranspose3d)
            holder[last] = fuse_conv_bn_eval(convolution, norm, transposed)
            network[k] = nn.Identity()
