"""The three attention modules (sections III-B to III-D, figures 2 to 4).

All work on feature maps B x C x T x h x w, attend over the S = h w positions of a frame, and
differ only in who asks whom:

    Spatio-Temporal, Tag-Based   queries: all frames     keys and values: frame t
    Self-Attention               queries: frame t        keys and values: frame t

The paper's words for the first two ("f_{t=1..32} is the query, while f_{t=1} is projected into key
and value", weighted features stacked, pooled across time) give

    u_t = mean_s softmax(Q_s K_t^T / sqrt(d)) V_t                     (s over all T frames)

so u_t mixes only values of frame t, weighted by what every frame asks of it. `literal_attention`
computes just that. `pooled_attention` gives the same numbers for less time and memory, because the
mean can be taken over the maps (benchmarks/attention.py). `non_local_attention` is the ordinary
reading: frame t asks all frames. `max_pooled_attention` reads the pooling as a maximum, which does
not pass through the sum over values (docs/decisions.md, D4).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

MAPS_BYTES = 2**28
"""Memory for attention maps on a GPU, in `pooled_attention`."""
Form = Literal["literal", "pooled", "max_pooled", "non_local", "per_frame"]


def attention_maps(query: Tensor, key: Tensor) -> Tensor:
    """How much each position of each frame s attends to each position of frame t.

    Args:
        query: B x T x S x d.
        key: B x T x S x d.

    Returns:
        B x T (of key) x T (of query) x S (of query) x S (of key); the last axis sums to 1.
    """
    scale = query.shape[-1] ** -0.5
    scores = torch.einsum("bsid,btjd->btsij", query * scale, key)
    return scores.softmax(dim=-1)


def literal_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Section III-B word by word: weight the values, stack over query frames, pool over them.

    Args:
        query: B x T x S x d.
        key: B x T x S x d.
        value: B x T x S x d.

    Returns:
        B x T x S x d.
    """
    weighted = torch.einsum("btsij,btjd->btsid", attention_maps(query, key), value)
    return weighted.mean(dim=2)


def pooled_attention(
    query: Tensor, key: Tensor, value: Tensor, at_a_time: int | None = None
) -> Tensor:
    """Equal to `literal_attention`: V_t does not depend on s, so pool the maps, then weight once.

    Args:
        query: B x T x S x d, as key and value.
        at_a_time: frames t whose maps are in memory at once. None is as many as MAPS_BYTES hold on
            a CUDA GPU, which one alone leaves idle, and one elsewhere, such as in a CPU's cache.
    """
    num_frames = key.shape[1]
    everyone = query.flatten(1, 2).unsqueeze(1) * query.shape[-1] ** -0.5  # B x 1 x TS x d
    if at_a_time is None:
        of_frame = 4 * key.shape[0] * everyone.shape[2] * key.shape[2]
        at_a_time = max(1, MAPS_BYTES // of_frame) if key.device.type == "cuda" else 1
    outputs = []
    for keys, values in zip(key.split(at_a_time, 1), value.split(at_a_time, 1), strict=True):
        maps = (everyone @ keys.mT).softmax(dim=-1)  # B x frames t x TS x S
        outputs.append(maps.unflatten(2, (num_frames, -1)).mean(dim=2) @ values)
    return torch.cat(outputs, dim=1)


def max_pooled_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """`literal_attention` with the largest of every feature over query frames, not their mean.

    One frame t at a time, for its memory. Shapes as in `literal_attention`.
    """
    scaled = query * query.shape[-1] ** -0.5
    outputs = []
    for t in range(key.shape[1]):
        maps = (scaled @ key[:, None, t].mT).softmax(dim=-1)  # B x T x S x S
        outputs.append((maps @ value[:, None, t]).amax(dim=1))
    return torch.stack(outputs, dim=1)


def non_local_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Every position of every frame attends to every position of every frame.

    Shapes as in `literal_attention`.
    """
    flat = [x.flatten(1, 2).unsqueeze(1) for x in (query, key, value)]  # B x 1 x TS x d
    mixed: Tensor = scaled_dot_product_attention(flat[0], flat[1], flat[2])
    return mixed.squeeze(1).unflatten(1, query.shape[1:3])


def per_frame_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Every position attends to the positions of its own frame. Shapes as above."""
    mixed: Tensor = scaled_dot_product_attention(query, key, value)
    return mixed


class Attention(nn.Module):
    """Project to queries, keys and values, attend, project back (figures 2 to 4).

    Args:
        channels: C of input and output.
        attention_channels: d of queries, keys and values after the 1 x 1 convolutions.
        form: who asks whom; one of the five functions above.
        residual: add the input to the output (docs/decisions.md, D5).
        gate: multiply the output by the input (D24), before the input is added.
    """

    def __init__(
        self,
        channels: int,
        attention_channels: int,
        form: Form,
        residual: bool = True,
        gate: bool = False,
    ) -> None:
        super().__init__()
        self.form = form
        self.residual = residual
        self.gate = gate
        self.query = nn.Conv3d(channels, attention_channels, 1)
        self.key = nn.Conv3d(channels, attention_channels, 1)
        self.value = nn.Conv3d(channels, attention_channels, 1)
        self.project = nn.Conv3d(attention_channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """B x C x T x h x w to B x C x T x h x w."""
        height, width = features.shape[-2:]
        query, key, value = (  # B x T x S x d; PyTorch's fused kernels want d last in memory
            projection(features).flatten(3).permute(0, 2, 3, 1).contiguous()
            for projection in (self.query, self.key, self.value)
        )
        match self.form:
            case "literal":
                mixed = literal_attention(query, key, value)
            case "pooled":
                mixed = pooled_attention(query, key, value)
            case "max_pooled":
                mixed = max_pooled_attention(query, key, value)
            case "non_local":
                mixed = non_local_attention(query, key, value)
            case "per_frame":
                mixed = per_frame_attention(query, key, value)
        output: Tensor = self.project(mixed.permute(0, 3, 1, 2).unflatten(3, (height, width)))
        if self.gate:
            output = features * output
        return features + output if self.residual else output


class TagAttention(nn.Module):
    """Tag-Based Attention (section III-C, figure 3): tags p_t to embeddings w_t.

    The paper gives only the sizes, 112 x 112 x 1 in and 14 x 14 x 256 out; an embedding whose
    kernel and stride are both 8 closes the gap, and attention follows (docs/decisions.md, D22).

    Args:
        channels: C of w_t.
        attention_channels: d.
        stride: tag map size over feature map size (8 in the paper).
        form: as in `Attention`; None leaves the attention out (Table III) and keeps the embedding.
        residual: as in `Attention`.
        gate: as in `Attention`.
        tag_channels: K, numbers in a tag.
    """

    def __init__(
        self,
        channels: int,
        attention_channels: int,
        stride: int,
        form: Form | None = "pooled",
        residual: bool = True,
        gate: bool = False,
        tag_channels: int = 1,
    ) -> None:
        super().__init__()
        patch = (1, stride, stride)
        self.embed = nn.Conv3d(tag_channels, channels, patch, stride=patch)
        self.attention = (
            nn.Identity()
            if form is None
            else Attention(channels, attention_channels, form, residual, gate)
        )

    def forward(self, tags: Tensor) -> Tensor:
        """B x K x T x h x w to B x C x T x h/stride x w/stride."""
        embedded: Tensor = self.attention(self.embed(tags))
        return embedded
