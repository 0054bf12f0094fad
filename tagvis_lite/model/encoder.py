"""Encoder Enc: R(2+1)D up to conv_4, with every frame kept (section III-A).

torchvision's R(2+1)D-18 halves time in `layer2` and `layer3` and never pools after its stem. The
paper keeps T = 32 and reports 14 x 14 maps from 224 x 224 frames, so here all temporal strides
are 1, with or without dilation in their place, and a spatial pool follows the stem
(docs/decisions.md, D1 and D2). None of this changes a weight:
the parameters have torchvision's names and shapes, and its Kinetics-400 weights load as they are.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models.video import R2Plus1D_18_Weights
from torchvision.models.video.resnet import BasicBlock, Conv2Plus1D


class Encoder(nn.Module):
    """Frames B x 3 x T x H x W to features f_t, B x widths[2] x T x H/s x W/s.

    Args:
        widths: channels of layer1, layer2 and layer3; (64, 128, 256) is R(2+1)D-18.
        blocks: residual blocks in each layer; (2, 2, 2) is R(2+1)D-18.
        spatial_strides: of stem, pool, layer1, layer2, layer3; s is their product.
        temporal_dilation: convolutions that come after a temporal stride of torchvision's are
            dilated by as much.
        temporal_convolutions: without them the temporal kernels of layer2 and layer3 have one tap.
        pretrained: load torchvision's Kinetics-400 weights (needs the R(2+1)D-18 widths and
            blocks, and the network or torch.hub's cache).

    Raises:
        ValueError: `pretrained` with widths or blocks that are not those of R(2+1)D-18, or a
            damaged file of weights.
        FileNotFoundError: the weights are neither cached nor within reach of the network.
    """

    def __init__(
        self,
        widths: tuple[int, int, int] = (64, 128, 256),
        blocks: tuple[int, int, int] = (2, 2, 2),
        spatial_strides: tuple[int, int, int, int, int] = (2, 2, 1, 2, 2),
        temporal_dilation: bool = False,
        temporal_convolutions: bool = True,
        pretrained: bool = False,
    ) -> None:
        super().__init__()
        stem_stride, pool_stride, *layer_strides = spatial_strides
        self.stem = _stem(widths[0], stem_stride)
        self.pool = nn.MaxPool3d((1, pool_stride, pool_stride))
        self.layer1 = _layer(widths[0], widths[0], blocks[0], layer_strides[0])
        self.layer2 = _layer(widths[0], widths[1], blocks[1], layer_strides[1])
        self.layer3 = _layer(widths[1], widths[2], blocks[2], layer_strides[2])
        if temporal_dilation:  # torchvision strides in the first convolution of layer2 and layer3
            _dilate_in_time(self.layer2, first=1, others=2)
            _dilate_in_time(self.layer3, first=2, others=4)
        if pretrained:
            if widths != (64, 128, 256) or blocks != (2, 2, 2):
                raise ValueError(
                    f"no Kinetics-400 weights for widths {widths} and blocks {blocks}: use "
                    "(64, 128, 256) and (2, 2, 2), or set pretrained=False"
                )
            self.load_kinetics(_kinetics_weights())
        if not temporal_convolutions:
            _keep_middle_tap(self.layer2)
            _keep_middle_tap(self.layer3)

    def load_kinetics(self, state_dict: dict[str, Tensor]) -> None:
        """Load the state dict of torchvision's `r2plus1d_18`; its layer4 and fc are left out."""
        kept = {k: v for k, v in state_dict.items() if not k.startswith(("layer4.", "fc."))}
        self.load_state_dict(kept)

    def forward(self, frames: Tensor) -> Tensor:
        """B x 3 x T x H x W to B x C x T x H/s x W/s."""
        features = frames
        for stage in (self.stem, self.pool, self.layer1, self.layer2, self.layer3):
            features = stage(features)
        return features


def _kinetics_weights() -> dict[str, Tensor]:
    """torchvision's weights from torch.hub's cache or the network; runs no code in the file."""
    weights = R2Plus1D_18_Weights.KINETICS400_V1
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    try:
        state_dict: dict[str, Tensor] = weights.get_state_dict(
            progress=True, check_hash=True, weights_only=True
        )
    except OSError as error:
        raise FileNotFoundError(
            f"cannot fetch the Kinetics-400 weights ({error}): put {weights.url} into {folder}, "
            "or set model.pretrained=False"
        ) from error
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        message = " ".join(str(error).split())[:200]
        raise ValueError(
            f"the Kinetics-400 weights from {weights.url} are damaged ({message}): delete their "
            f"file in {folder}, if there is one, and try again"
        ) from error
    return state_dict


def _stem(width: int, stride: int) -> nn.Sequential:
    """torchvision's R2Plus1dStem at another width (45 = the middle channels at width 64)."""
    middle = 45 * width // 64
    return nn.Sequential(
        nn.Conv3d(3, middle, (1, 7, 7), (1, stride, stride), (0, 3, 3), bias=False),
        nn.BatchNorm3d(middle),
        nn.ReLU(inplace=True),
        nn.Conv3d(middle, width, (3, 1, 1), padding=(1, 0, 0), bias=False),
        nn.BatchNorm3d(width),
        nn.ReLU(inplace=True),
    )


def _layer(channels_in: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    """`blocks` residual blocks of torchvision, the first with a spatial stride."""
    downsample = None
    if stride != 1 or channels_in != channels:
        downsample = nn.Sequential(
            nn.Conv3d(channels_in, channels, 1, (1, stride, stride), bias=False),
            nn.BatchNorm3d(channels),
        )
    first = BasicBlock(channels_in, channels, Conv2Plus1D, stride, downsample)
    rest = [BasicBlock(channels, channels, Conv2Plus1D) for _ in range(blocks - 1)]
    for module in first.modules():
        if isinstance(module, nn.Conv3d):
            module.stride = (1, *module.stride[1:])
    return nn.Sequential(first, *rest)


def _dilate_in_time(layer: nn.Sequential, first: int, others: int) -> None:
    """Dilate the temporal convolutions of a layer in place: its first one, and the others."""
    temporal = _temporal(layer)
    for convolution, dilation in zip(temporal, [first, *[others] * len(temporal)], strict=False):
        convolution.dilation = (dilation, 1, 1)
        convolution.padding = (dilation, 0, 0)


def _keep_middle_tap(layer: nn.Sequential) -> None:
    """Cut the temporal convolutions of a layer in place to the tap of the frame itself."""
    for convolution in _temporal(layer):
        convolution.weight = nn.Parameter(convolution.weight[:, :, 1:2].clone())
        convolution.kernel_size, convolution.padding = (1, 1, 1), (0, 0, 0)


def _temporal(layer: nn.Sequential) -> list[nn.Conv3d]:
    return [
        module
        for module in layer.modules()
        if isinstance(module, nn.Conv3d) and module.kernel_size[0] > 1
    ]
