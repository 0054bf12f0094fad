"""The network of figure 1: a clip in, tags and semantic masks out (section III-A).

Encoder and attention have files of their own; here are the bottleneck, the tag generator, the
semantic decoder, and `TagVIS`, whose `forward` is the figure read from left to right.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tagvis_lite.config import ModelConfig
from tagvis_lite.model.attention import Attention, Form, TagAttention
from tagvis_lite.model.encoder import Encoder
from tagvis_lite.video import BACKGROUND, Prediction


def location_embedding(features: Tensor) -> Tensor:
    """x and y in [-1, 1] for each position of B x C x T x h x w features: B x 2 x T x h x w."""
    batch, _, num_frames, height, width = features.shape
    y = torch.linspace(-1, 1, height, device=features.device, dtype=features.dtype)
    x = torch.linspace(-1, 1, width, device=features.device, dtype=features.dtype)
    shape = (batch, num_frames, height, width)
    return torch.stack([x.expand(shape), y[:, None].expand(shape)], dim=1)


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


class SemanticDecoder(nn.Module):
    """Two 3-D layers from concatenated features to the logits of c classes per pixel.

    Args:
        channels: of the input: those of v_t and w_t together.
        head_channels: channels between the two layers.
        num_classes: c, background included.
        upsampling: scale of each layer, (4, 2) in the paper profile.
    """

    def __init__(
        self, channels: int, head_channels: int, num_classes: int, upsampling: tuple[int, int]
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            upsample(channels, head_channels, upsampling[0], frames=3),
            nn.BatchNorm3d(head_channels),
            nn.ReLU(inplace=True),
            upsample(head_channels, num_classes, upsampling[1], frames=3),
        )

    def forward(self, features: Tensor) -> Tensor:
        """B x C x T x 14 x 14 to B x c x T x 112 x 112 (sizes of the paper profile)."""
        logits: Tensor = self.layers(features)
        return logits


class TagVIS(nn.Module):
    """Encoder, three attention modules, tag generator and semantic decoder (section III).

    The letters are the paper's: f_t encoded frames, u_t after Spatio-Temporal Attention, q_t after
    the bottleneck, p_t tags, v_t after Self-Attention, w_t after Tag-Based Attention. Every removal
    of Table III is a value of `config`.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(
            config.widths,
            config.blocks,
            config.spatial_strides,
            config.temporal_dilation,
            config.temporal_convolutions,
            config.pretrained,
        )
        attention: dict[str, Any] = {
            "attention_channels": config.attention_channels,
            "residual": config.attention_residual,
            "gate": config.multiplication == "attention",
        }
        channels = config.widths[-1] + 2 * config.location_embedding
        self.spatio_temporal_attention: nn.Module = nn.Identity()
        tag_form: Form = "pooled"
        if config.spatio_temporal_attention != "removed":
            tag_form = config.spatio_temporal_attention
            self.spatio_temporal_attention = Attention(channels, form=tag_form, **attention)
        if config.tag_attention != "same":
            tag_form = config.tag_attention
        self.bottleneck = Bottleneck(channels, config.bottleneck_channels, config.feature_channels)
        self.tag_generator = TagGenerator(
            config.feature_channels,
            config.head_channels,
            config.upsampling,
            config.tag_channels,
            sigmoid=config.tag_range == "sigmoid",
        )

        self.self_attention: nn.Module | None = None
        if config.feature_branch == "attention":
            self.self_attention = Attention(config.feature_channels, form="per_frame", **attention)
        elif config.feature_branch == "identity":
            self.self_attention = nn.Identity()
        self.tag_attention: nn.Module | None = None
        if config.tag_branch != "removed":
            self.tag_attention = TagAttention(
                config.feature_channels,
                stride=config.upsampling[0] * config.upsampling[1],
                tag_channels=config.tag_channels,
                form=tag_form if config.tag_branch == "attention" else None,
                **attention,
            )
        branches = (self.self_attention is not None) + (self.tag_attention is not None)
        if config.multiplication == "decoder":
            branches = 1
        self.decoder: nn.Module | None = None
        if branches:
            self.decoder = SemanticDecoder(
                branches * config.feature_channels,
                config.head_channels,
                config.num_classes,
                config.upsampling,
            )

    def forward(self, frames: Tensor) -> Prediction:
        """Predict one clip per batch element.

        Args:
            frames: B x 3 x T x H x W, normalised. H and W are multiples of twice the encoder's
                stride (the bottleneck halves its map and the deconvolution doubles it again).

        Returns:
            Tags B x T x h x w, or B x T x h x w x K where `config.tag_channels` K > 1, and
            semantic logits B x c x T x h x w.

        Raises:
            ValueError: frames of another shape.
        """
        if (
            frames.ndim != 5
            or frames.shape[1] != 3
            or frames.shape[3] % self.config.size_multiple
            or frames.shape[4] % self.config.size_multiple
        ):
            raise ValueError(
                f"frames are {tuple(frames.shape)}, expected B x 3 x T x H x W with H and W "
                f"multiples of {self.config.size_multiple}: resize them, or change data.size"
            )
        f = self.encoder(frames)
        if self.config.location_embedding:
            f = torch.cat([f, location_embedding(f)], dim=1)
        u = self.spatio_temporal_attention(f)
        q = self.bottleneck(u)
        p = self.tag_generator(q)
        to_decoder = []
        if self.self_attention is not None:
            to_decoder.append(self.self_attention(q))  # v
        if self.tag_attention is not None:
            to_decoder.append(self.tag_attention(p))  # w
        logits = None
        if self.decoder is not None:
            if self.config.multiplication == "decoder":
                v, w = to_decoder
                to_decoder = [v * w]
            logits = self.decoder(torch.cat(to_decoder, dim=1))
        sigmoid = self.config.class_activation == "sigmoid"
        if logits is not None and self.config.multiplication == "tags":
            probabilities = logits.sigmoid() if sigmoid else logits.softmax(dim=1)
            p = p * (1 - probabilities[:, BACKGROUND, None])
        tags = p.squeeze(1) if self.config.tag_channels == 1 else p.movedim(1, -1)
        return Prediction(tags, logits, sigmoid)
