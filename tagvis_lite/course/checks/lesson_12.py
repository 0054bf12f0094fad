"""Lesson 12: what another frame decides, one step of non-local attention, and a blind one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

Step = Callable[[Tensor, Tensor, Tensor], Tensor]


def check_non_local_step(answer: Step) -> None:
    """Compare with PyTorch's own attention over the positions of all frames."""
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(5, 4, generator=generator)
    keys, values = torch.randn(2, 3, 5, 4, generator=generator)
    key, value = keys.flatten(0, 1), values.flatten(0, 1)
    expected = scaled_dot_product_attention(query, key, value)
    ones = torch.ones_like(values)
    given = answer(query, keys, values)
    assert isinstance(given, Tensor), f"return a tensor, S x d; got {type(given)}"
    assert given.shape == expected.shape, (
        f"one output per asking position: shape {tuple(expected.shape)}, not {tuple(given.shape)}"
    )

    for scale, message in (
        (1.0, "the scores are not scaled: divide them by the root of d"),
        (1 / query.shape[1], "the scores are divided by d, not by its root"),
    ):
        other = scaled_dot_product_attention(query, key, value, scale=scale)
        assert not torch.allclose(given, other, atol=1e-5), message

    each_frame = scaled_dot_product_attention(query.expand(3, -1, -1), keys, values)
    assert not torch.allclose(given, each_frame.mean(0), atol=1e-5), (
        "every frame has a softmax of its own and you average them; here the positions of all "
        "frames share one"
    )
    sums = answer(query, keys, ones)
    assert not torch.allclose(sums, 3 * ones[0], atol=1e-5), (
        "the weights of a row sum to 3, the number of frames: take one softmax over all of them"
    )
    assert torch.allclose(sums, ones[0], atol=1e-5), (
        f"the weights of the first row sum to {sums[0, 0]:.3f}, not 1: the softmax runs over the "
        "answering positions, the last axis of the scores"
    )
    assert torch.allclose(given, expected, atol=1e-5), (
        f"position 0 should get {expected[0].tolist()}, you say {given[0].tolist()}. "
        "Are keys and values flattened in the same order?"
    )


def check_asker(answer: Callable[[], str]) -> None:
    """Queries say where; the values are frame 1's own."""
    given = answer()
    assert given in ("where", "what", "both"), "return 'where', 'what' or 'both'"
    assert given == "where", (
        "under (a) keys and values of u_1 are frame 1's own: frame 2 only asks, and that decides "
        "where to look, not what is there"
    )


def check_blind_attention(answer: Callable[[], tuple[Tensor, Tensor]]) -> None:
    """Even weights from queries and keys that are not trivial."""
    query, key = answer()
    assert query.shape == (4, 3), f"queries of 4 x 3, not {tuple(query.shape)}"
    assert key.shape == (5, 3), f"keys of 5 x 3, not {tuple(key.shape)}"
    assert query.abs().sum(1).min() > 0, "a query that is all zero looks at everything: too easy"
    assert len(key.unique(dim=0)) == 5, "equal keys get equal weights: make no two of them equal"
    weights = (query.float() @ key.float().T / 3**0.5).softmax(-1)
    assert torch.allclose(weights, torch.full((4, 5), 0.2), atol=1e-4), (
        f"the first query's weights are {[round(w, 2) for w in weights[0].tolist()]}, not all 0.2: "
        "its products with the keys differ"
    )
