"""The three attentions of sections III-B to III-D, one frame asking one frame at a time.

Queries, keys and values are T x S x d: T frames, S = h w positions, d channels. What differs
between the modules is only who asks whom; Tag-Based Attention is `spatio_temporal_attention` over
the embedding of the tags p_t instead of the features f_t.
"""

from __future__ import annotations

import torch
from torch import Tensor


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(Q K^T / sqrt(d)) V, position by position: each of S queries mixes S' values.

    Args:
        query: S x d, what each position asks.
        key: S' x d, what each position offers to be found by.
        value: S' x d, what a position gives to who finds it.

    Returns:
        S x d.
    """
    answers = []
    for q in query:
        scores = torch.stack([q @ k / len(q) ** 0.5 for k in key])
        weights = scores.exp() / scores.exp().sum()
        answers.append(sum(weight * v for weight, v in zip(weights, value, strict=True)))
    return torch.stack(answers)


def spatio_temporal_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """u_t of section III-B: every frame asks frame t; the answers are pooled across time.

    'f_{t=1..32} is the query, while f_{t=1} is projected into key and value': so frame t's values
    are all that u_t can hold, weighted by what each frame s asks of it.

    Args:
        query: T x S x d.
        key: T x S x d.
        value: T x S x d.

    Returns:
        T x S x d.
    """
    u = []
    for k_t, v_t in zip(key, value, strict=True):
        weighted = [attend(q_s, k_t, v_t) for q_s in query]  # one stack of T answers
        u.append(torch.stack(weighted).mean(dim=0))  # pooled across time
    return torch.stack(u)


def self_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """v_t of section III-D: every frame asks itself. Shapes as above."""
    return torch.stack([attend(*frame) for frame in zip(query, key, value, strict=True)])


def non_local_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Not the paper's words but the ordinary module: frame t asks all frames. Shapes as above."""
    everywhere, offered = key.flatten(0, 1), value.flatten(0, 1)  # T S x d
    return torch.stack([attend(q_t, everywhere, offered) for q_t in query])
