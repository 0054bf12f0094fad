"""From attended features to tags: bottleneck, deconvolution, tag generator (section III-A)."""

from __future__ import annotations

from torch import Tensor, nn


def upsample(channels_in: int, channels: int, scale: int, frames: int = 1) -> nn.ConvTranspose3d:
    """A transposed convolution that multiplies height and width by an even `scale`.

    Its kernel is `frames` x 2 scale x 2 scale, so that every output sees the same number of inputs.
    Their weights need not add up to the same: a trained one can still write a checkerboard.
    """
    return nn.ConvTranspose3d(
        channels_in,
        channels,
        kernel_size=(frames, 2 * scale, 2 * scale),
        stride=(1, scale, scale),
        padding=(frames // 2, scale // 2, scale // 2),
    )


class Bottleneck(nn.Module):
    """Compress u_t, 14 x 14 x 258 to 7 x 7 x 512, and return q_t, 14 x 14 x 256.

    One 3 x 3 x 3 convolution of stride (1, 2, 2), then the first deconvolution
    (docs/decisions.md, D6).
    """

    def __init__(self, channels_in: int, bottleneck_channels: int, channels: int) -> None:
        super().__init__()
        self.compress = nn.Sequential(
            nn.Conv3d(channels_in, bottleneck_channels, 3, (1, 2, 2), padding=1, bias=False),
            nn.BatchNorm3d(bottleneck_channels),
            nn.ReLU(inplace=True),
        )
        self.expand = nn.Sequential(
            upsample(bottleneck_channels, channels, scale=2),
            nn.BatchNorm3d(channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, attended: Tensor) -> Tensor:
        """B x 258 x T x 14 x 14 to B x 256 x T x 14 x 14 (sizes of the paper profile)."""
        features: Tensor = self.expand(self.compress(attended))
        return features


class TagGenerator(nn.Module):
    """Two layers from q_t, 14 x 14 x 256, to one tag per pixel, 112 x 112 x K; K = 1 in the paper.

    Args:
        channels: C of q_t.
        head_channels: channels between the two layers.
        upsampling: scale of each layer, (4, 2) in the paper profile (docs/decisions.md, D7).
        tag_channels: K, numbers in a tag (D23).
        sigmoid: squash tags to (0, 1), the paper's words, or leave them unbounded, which the
            margin of 3 needs (D8).
    """

    def __init__(
        self,
        channels: int,
        head_channels: int,
        upsampling: tuple[int, int],
        tag_channels: int = 1,
        sigmoid: bool = False,
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            upsample(channels, head_channels, upsampling[0]),
            nn.BatchNorm3d(head_channels),
            nn.ReLU(inplace=True),
            upsample(head_channels, tag_channels, upsampling[1]),
            nn.Sigmoid() if sigmoid else nn.Identity(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """B x C x T x 14 x 14 to B x K x T x 112 x 112 (sizes of the paper profile)."""
        tags: Tensor = self.layers(features)
        return tags
