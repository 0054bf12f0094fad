"""The whole network of figure 1: a clip in, tags and semantic masks out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tagvis_lite.config import ModelConfig
from tagvis_lite.model.attention import Attention, Form, TagAttention
from tagvis_lite.model.encoder import Encoder
from tagvis_lite.model.semantics import SemanticDecoder
from tagvis_lite.model.tags import Bottleneck, TagGenerator
from tagvis_lite.video import BACKGROUND, Prediction


def location_embedding(features: Tensor) -> Tensor:
    """x and y in [-1, 1] for each position of B x C x T x h x w features: B x 2 x T x h x w."""
    batch, _, num_frames, height, width = features.shape
    y = torch.linspace(-1, 1, height, device=features.device, dtype=features.dtype)
    x = torch.linspace(-1, 1, width, device=features.device, dtype=features.dtype)
    shape = (batch, num_frames, height, width)
    return torch.stack([x.expand(shape), y[:, None].expand(shape)], dim=1)


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
