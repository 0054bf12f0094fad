"""Lesson 14: who wins a tilt, the affinity block on flat patches, and features that bend."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv2d

Affinity = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def check_flat_affinity(answer: Affinity) -> None:
    """Compare with a convolution over painted patches."""
    generator = torch.Generator().manual_seed(0)
    tags = torch.tensor([-2.0, 0.5, 3.0])
    kernel = 0.3 * torch.randn(6, 4, 4, generator=generator)
    bias = torch.randn(6, generator=generator)
    query, key = 0.3 * torch.randn(2, 5, 6, generator=generator)

    def block(kernel: Tensor, bias: Tensor, scale: float, query: Tensor, key: Tensor) -> Tensor:
        picture = tags.repeat_interleave(4).expand(1, 1, 4, -1)
        e = conv2d(picture, kernel.unsqueeze(1), bias, stride=4)[0, :, 0].T
        return (scale * (e @ query.T) @ (e @ key.T).T).softmax(dim=-1)

    scale = 5**-0.5
    expected = block(kernel, bias, scale, query, key)
    given = answer(tags, kernel, bias, query, key)
    assert isinstance(given, Tensor), f"return a tensor, S x S; got {type(given)}"
    assert given.shape == expected.shape, (
        f"one row per asking patch, one column per answering: shape {tuple(expected.shape)}, "
        f"not {tuple(given.shape)}"
    )

    sums = given.sum(dim=-1)
    assert torch.allclose(sums, torch.ones(3), atol=1e-4), (
        f"the first row sums to {sums[0]:.3f}, not 1: take the softmax over the answering "
        "patches, the last axis of the scores"
    )
    mistakes = [
        (
            block(kernel / 16, bias, scale, query, key),
            "you take the mean of the kernel; a convolution adds up, so it is the sum",
        ),
        (
            block(kernel, torch.zeros_like(bias), scale, query, key),
            "the bias is missing: it stands once in every embedding",
        ),
        (
            block(kernel, bias, 1.0, query, key),
            "the scores are not scaled: divide by the root of d",
        ),
        (
            block(kernel, bias, 6**-0.5, query, key),
            "you divide by the root of C, the length of an embedding; d is the length of a query",
        ),
        (block(kernel, bias, 1 / 5, query, key), "the scores are divided by d, not by its root"),
        (
            block(kernel, bias, scale, key, query),
            "query and key have changed places: rows ask, columns answer",
        ),
        (
            block(kernel, 16 * bias, scale, query, key),
            "the bias is added at every pixel of the patch; it belongs to the patch, once",
        ),
    ]
    for wrong, message in mistakes:
        assert not torch.allclose(given, wrong, atol=1e-5), message
    assert torch.allclose(given, expected, atol=1e-5), (
        f"the first row should be {expected[0].tolist()}, you say {given[0].tolist()}"
    )


def check_who_wins(answer: Callable[[], int]) -> None:
    """Of five on a line, the two at the ends."""
    given = answer()
    assert given is not None, "return a number"
    assert given != 5, "like does not attract: a score is the product of two tags"
    assert given != 1, "the lowest wins too, with itself: minus times minus"
    assert given != 3, "0 times anything is 0: tag 0 has no favourite at all"
    assert given == 2, f"two of five prefer themselves, not {given}"


def check_own_kind(answer: Callable[[float], tuple[Sequence[float], Sequence[float]]]) -> None:
    """Of tags on a line, each has the largest score with itself, and features are two numbers."""
    tags = [-6.0, -2.5, 0.0, 0.4, 3.0, 7.0]
    query, key = zip(*(answer(tag) for tag in tags), strict=True)
    sizes = {len(features) for features in (*query, *key)}
    assert sizes == {2}, f"two numbers each for query and key, not {sorted(sizes)}"
    scores = torch.tensor(query, dtype=torch.float64) @ torch.tensor(key, dtype=torch.float64).T
    for n, row in enumerate(scores):
        best = tags[int(row.argmax())]
        assert best == tags[n], f"tag {tags[n]} prefers tag {best}: scores {row.tolist()}"
        runner_up = row.topk(2).values
        assert runner_up[0] > runner_up[1], f"tag {tags[n]} does not tell itself from another"
