"""The fast attentions of the package against the loops of `tagvis_lite.paper`."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tagvis_lite.model import attention as fast
from tagvis_lite.paper import attention as paper

PAIRS = [
    (fast.literal_attention, paper.spatio_temporal_attention),
    (fast.pooled_attention, paper.spatio_temporal_attention),
    (fast.per_frame_attention, paper.self_attention),
    (fast.non_local_attention, paper.non_local_attention),
]


@pytest.mark.parametrize(("ours", "words"), PAIRS, ids=lambda f: f.__name__)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 4), st.integers(0, 1000))
def test_equal_to_the_words(
    ours: Callable[..., Tensor],
    words: Callable[..., Tensor],
    num_frames: int,
    positions: int,
    channels: int,
    seed: int,
) -> None:
    shape = (num_frames, positions, channels)
    generator = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(3))
    assert torch.allclose(ours(q[None], k[None], v[None])[0], words(q, k, v), atol=1e-12)


def test_softmax_by_hand() -> None:
    """Scores 1 and 0 of a query and two keys: weights e / (e + 1) and 1 / (e + 1)."""
    query, key = torch.tensor([[2.0, 0.0, 0.0, 0.0]]), torch.eye(4)[:2]
    answer = paper.attend(query, key, torch.tensor([[1.0], [0.0]]))
    assert answer.item() == pytest.approx(torch.e / (torch.e + 1))
