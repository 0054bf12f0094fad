"""The attention modules against NumPy loops that follow the paper's sentences."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from tagvis_lite.model.attention import (
    Attention,
    Form,
    TagAttention,
    attention_maps,
    literal_attention,
    max_pooled_attention,
    non_local_attention,
    per_frame_attention,
    pooled_attention,
)

FORMS: tuple[Form, ...] = ("literal", "pooled", "max_pooled", "non_local", "per_frame")
FUNCTIONS: dict[Form, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "literal": literal_attention,
    "pooled": pooled_attention,
    "max_pooled": max_pooled_attention,
    "non_local": non_local_attention,
    "per_frame": per_frame_attention,
}
moderate = settings(max_examples=25, deadline=None)
shapes = st.tuples(st.integers(1, 2), st.integers(1, 4), st.integers(1, 9), st.integers(1, 8))


def random_qkv(
    shape: tuple[int, ...], seed: int, dtype: torch.dtype = torch.float32
) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [2 * torch.randn(shape, generator=generator, dtype=dtype) for _ in range(3)]


def softmax(scores: np.ndarray) -> np.ndarray:
    weights: np.ndarray = np.exp(scores - scores.max())
    return weights / weights.sum()


def weighted_average(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """What one position, d, gets from the positions, N x d, it may look at."""
    scores = np.array([query @ key for key in keys]) / np.sqrt(len(query))
    result: np.ndarray = sum(w * value for w, value in zip(softmax(scores), values, strict=True))
    return result


def oracle(form: Form, query: np.ndarray, key: np.ndarray, value: np.ndarray) -> np.ndarray:
    """T x S x d by section III-B (`literal`), III-D (`per_frame`) or the ordinary reading."""
    num_frames, num_positions, _ = query.shape
    mixed = np.zeros_like(value)
    for t in range(num_frames):
        for i in range(num_positions):
            if form == "non_local":
                everything = [x.reshape(-1, x.shape[-1]) for x in (key, value)]
                mixed[t, i] = weighted_average(query[t, i], *everything)
            elif form == "per_frame":
                mixed[t, i] = weighted_average(query[t, i], key[t], value[t])
            else:  # frames 1..T are the query, frame t is key and value; stack, pool across time
                stack = [weighted_average(query[s, i], key[t], value[t]) for s in range(num_frames)]
                pool = np.max if form == "max_pooled" else np.mean
                mixed[t, i] = pool(stack, axis=0)
    return mixed


@moderate
@given(shape=shapes, seed=st.integers(0, 10**6), form=st.sampled_from(FORMS))
def test_equals_loops_written_from_the_paper(
    shape: tuple[int, int, int, int], seed: int, form: Form
) -> None:
    qkv = random_qkv(shape, seed, torch.float64)
    mixed = FUNCTIONS[form](*qkv)
    expected = [oracle(form, *(x[b].numpy() for x in qkv)) for b in range(shape[0])]
    np.testing.assert_allclose(mixed.numpy(), np.stack(expected), rtol=0, atol=1e-12)


@moderate
@given(shape=shapes, seed=st.integers(0, 10**6))
def test_pooled_equals_literal_in_values_and_gradients(
    shape: tuple[int, int, int, int], seed: int
) -> None:
    upstream = torch.randn(shape, generator=torch.Generator().manual_seed(seed + 1))
    results = []
    for function in (literal_attention, pooled_attention, partial(pooled_attention, at_a_time=3)):
        qkv = [x.requires_grad_() for x in random_qkv(shape, seed)]
        mixed = function(*qkv)
        results.append([mixed, *torch.autograd.grad(mixed, qkv, upstream)])
    for literal, *pooled in zip(*results, strict=True):
        for each in pooled:
            torch.testing.assert_close(each, literal, rtol=0, atol=1e-5)


@moderate
@given(shape=shapes, seed=st.integers(0, 10**6), scale=st.sampled_from([1.0, 1e3]))
def test_attention_maps_are_distributions_over_the_positions_of_the_key_frame(
    shape: tuple[int, int, int, int], seed: int, scale: float
) -> None:
    query, key, _ = random_qkv(shape, seed)
    maps = attention_maps(scale * query, key)
    batch, num_frames, num_positions, _ = shape
    assert maps.shape == (batch, num_frames, num_frames, num_positions, num_positions)
    assert (maps >= 0).all()
    torch.testing.assert_close(maps.sum(-1), torch.ones(maps.shape[:-1]), rtol=0, atol=1e-5)


def test_attention_maps_are_indexed_by_key_frame_then_query_frame() -> None:
    """Two frames of two positions: the query of frame 1 agrees with position 1 of frame 0."""
    query, key = torch.zeros(1, 2, 2, 1), torch.zeros(1, 2, 2, 1)
    query[0, 1] = 1
    key[0, 0, 1] = np.log(3)
    maps = attention_maps(query, key)[0]
    torch.testing.assert_close(maps[0, 1], torch.tensor([[0.25, 0.75], [0.25, 0.75]]))
    for t, s in ((0, 0), (1, 0), (1, 1)):
        torch.testing.assert_close(maps[t, s], torch.full((2, 2), 0.5))


@pytest.mark.parametrize("form", FORMS)
def test_which_frames_can_influence_which(form: Form) -> None:
    qkv = random_qkv((1, 3, 4, 5), seed=0)
    before = FUNCTIONS[form](*qkv)

    def frames_changed_by(tensor: int, frame: int) -> list[int]:
        changed = [x.clone() for x in qkv]
        changed[tensor][:, frame] += torch.randn(4, 5, generator=torch.Generator().manual_seed(9))
        difference = (FUNCTIONS[form](*changed) - before).abs().amax((0, 2, 3))
        return [t for t in range(3) if difference[t] > 1e-6]

    query, key, value = range(3)
    everything, own = [0, 1, 2], [1]
    assert frames_changed_by(query, 1) == (
        own if form in ("non_local", "per_frame") else everything
    )
    assert frames_changed_by(key, 1) == (everything if form == "non_local" else own)
    assert frames_changed_by(value, 1) == (everything if form == "non_local" else own)


def projected(convolution: torch.nn.Module, features: np.ndarray) -> np.ndarray:
    """A 1 x 1 convolution of T x S x C features, as the matrix product it is."""
    weight, bias = (p.detach().double().numpy() for p in convolution.parameters())
    result: np.ndarray = features @ weight[:, :, 0, 0, 0].T + bias
    return result


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("gate", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_module_projects_attends_and_projects_back(form: Form, residual: bool, gate: bool) -> None:
    torch.manual_seed(0)
    module = Attention(6, 4, form, residual, gate)
    features = torch.randn(2, 6, 3, 2, 5)
    with torch.no_grad():
        output = module(features)
    assert output.shape == features.shape
    for batch in range(2):
        flat = features[batch].double().numpy().reshape(6, 3, 10).transpose(1, 2, 0)
        qkv = (projected(p, flat) for p in (module.query, module.key, module.value))
        expected = projected(module.project, oracle(form, *qkv))
        expected = expected * (flat if gate else 1) + residual * flat
        np.testing.assert_allclose(
            output[batch].numpy().reshape(6, 3, 10).transpose(1, 2, 0), expected, atol=1e-5
        )


@pytest.mark.parametrize("form", FORMS)
def test_module_compiles_without_a_graph_break(form: Form) -> None:
    torch.manual_seed(0)
    module = Attention(6, 4, form)
    features = torch.randn(2, 6, 3, 2, 5)
    torch.compiler.reset()
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    with torch.no_grad():
        torch.testing.assert_close(compiled(features), module(features), rtol=0, atol=1e-6)


def test_self_attention_does_not_mix_frames() -> None:
    torch.manual_seed(0)
    module = Attention(6, 4, "per_frame")
    features = torch.randn(1, 6, 4, 3, 3)
    together = module(features)
    alone = [module(features[:, :, t : t + 1]) for t in range(4)]
    torch.testing.assert_close(together, torch.cat(alone, dim=2), rtol=0, atol=1e-6)


class LargestTensor(TorchDispatchMode):
    """Notes the number of elements of the largest tensor that any operation returns."""

    numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(tensor, Tensor):
                self.numel = max(self.numel, tensor.numel())
        return result


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
@pytest.mark.parametrize("form", FORMS)
def test_only_the_literal_form_holds_the_maps(form: Form, layout: torch.memory_format) -> None:
    """Fails where PyTorch falls back from its fused kernels, as it does for some shapes."""
    num_frames, num_positions = 3, 64
    module = Attention(8, 4, form)
    features = torch.randn(1, 8, num_frames, 8, 8).to(memory_format=layout)
    with LargestTensor() as largest:
        module(features).sum().backward()
    frames = {"per_frame": num_frames, "max_pooled": num_frames**2 + 1}
    maps = frames.get(form, num_frames**2) * num_positions**2
    assert (largest.numel >= maps) == (form == "literal")


@pytest.mark.parametrize("form", [None, *FORMS])
def test_tag_attention_embeds_patches_of_the_tag_map_and_attends(form: Form | None) -> None:
    torch.manual_seed(0)
    module = TagAttention(6, 4, stride=4, form=form)
    tags = torch.randn(1, 1, 2, 8, 12)
    with torch.no_grad():
        embedded = module(tags)
    assert embedded.shape == (1, 6, 2, 2, 3)
    weight, bias = (p.detach().double().numpy() for p in module.embed.parameters())
    expected = np.zeros((6, 2, 2, 3))
    for t, y, x in np.ndindex(2, 2, 3):
        patch = tags[0, 0, t, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4].double().numpy()
        expected[:, t, y, x] = (weight[:, 0, 0] * patch).sum((1, 2)) + bias
    if form is not None:
        assert isinstance(module.attention, Attention)
        flat = expected.reshape(6, 2, 6).transpose(1, 2, 0)
        attention = module.attention
        qkv = (projected(p, flat) for p in (attention.query, attention.key, attention.value))
        flat = flat + projected(attention.project, oracle(form, *qkv))
        expected = flat.transpose(2, 0, 1).reshape(expected.shape)
    np.testing.assert_allclose(embedded[0].numpy(), expected, atol=1e-5)


def test_tag_attention_without_attention_has_only_the_embedding() -> None:
    assert {name for name, _ in TagAttention(6, 4, 4, form=None).named_parameters()} == {
        "embed.weight",
        "embed.bias",
    }
