"""Decoder Dec: semantic masks O_{t,c} from v_t and w_t (section III-A)."""

from __future__ import annotations

from torch import Tensor, nn

from tagvis_lite.model.tags import upsample


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
