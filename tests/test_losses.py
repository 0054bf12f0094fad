"""The tagging loss against the loops of `tagvis_lite.paper.losses`, by hand, and under changes that
must not matter; the semantic loss against PyTorch's mean and by hand."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode

from tagvis_lite.config import LossConfig
from tagvis_lite.losses import (
    Losses,
    instance_means,
    overall_loss,
    semantic_loss,
    specter_loss,
    spectra_loss,
    temper_loss,
)
from tagvis_lite.paper import losses as literal
from tagvis_lite.video import VOID, Clip, Prediction

G = 3.0
TAG_TERMS = ("spectra", "specter", "tempra", "temper")
moderate = settings(max_examples=40, deadline=None)
reductions = pytest.mark.parametrize("reduction", ["sum", "mean"])
h_ns = pytest.mark.parametrize("h_n", ["clip", "frame"])
pixels = pytest.mark.parametrize("pixels_per_instance", [None, 6])


def labels(ids: Tensor, semantic: Tensor | None = None) -> Clip:
    """A batch with these label maps, B x T x h x w."""
    batch, num_frames, height, width = ids.shape
    return Clip(
        frames=torch.zeros(batch, 3, num_frames, height, width),
        ids=ids,
        semantic=torch.zeros_like(ids) if semantic is None else semantic,
        frame_indices=torch.arange(num_frames).expand(batch, -1),
        names=("some",) * batch,
    )


def losses_of(tags: Tensor, ids: Tensor, seed: int = 0, **choices: Any) -> Losses:
    """Eq. (6) of B x T x h x w tags, without a decoder; all pixels unless told otherwise."""
    config = LossConfig(**{"pixels_per_instance": None, **choices})
    generator = torch.Generator().manual_seed(seed)
    return overall_loss(Prediction(tags, None), labels(ids), config, generator)


def terms_of(tags: Any, ids: Any, **choices: Any) -> dict[str, float]:
    """The four terms of one clip, T x h x w."""
    tags, ids = torch.as_tensor(tags)[None], torch.as_tensor(ids)[None]
    values = losses_of(tags, ids, **choices).as_dict()
    return {name: values[name] for name in TAG_TERMS}


def near(expected: Any) -> Any:
    return pytest.approx(expected, rel=1e-9, abs=1e-9)


def random_clip(
    seed: int,
    names: tuple[int, ...],
    shape: tuple[int, ...],
    scale: float = G,
    channels: tuple[int, ...] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Tags, and ids that mix `names` with background and void pixel by pixel."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, scale, (*shape, *channels)), rng.choice([0, VOID, *names], shape)


@st.composite
def clips(
    draw: st.DrawFn, max_instances: int = 5, vectors: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Small clips in which ids are sparse and miss some frames, or all of them."""
    names = draw(st.lists(st.integers(1, 254), max_size=max_instances, unique=True))
    shape = draw(st.tuples(*[st.integers(1, 4)] * 3))
    return random_clip(
        draw(st.integers(0, 10**6)),
        tuple(names),
        shape,
        draw(st.sampled_from([0.1, G, 30.0])),
        draw(st.sampled_from([(1,), (2,), (4,)])) if vectors else (),
    )


@moderate
@given(
    st.booleans().flatmap(lambda vectors: clips(vectors=vectors)),
    st.sampled_from(["sum", "mean"]),
    st.sampled_from(["clip", "frame"]),
    st.sampled_from([0.5, G, 40.0]),
    st.booleans(),
)
def test_every_term_is_its_equation(
    clip: tuple[np.ndarray, np.ndarray],
    reduction: str,
    h_n: str,
    margin: float,
    background_as_instance: bool,
) -> None:
    choices: dict[str, Any] = {
        "reduction": reduction,
        "h_n": h_n,
        "margin": margin,
        "background_as_instance": background_as_instance,
    }
    assert terms_of(*clip, **choices) == near(literal.tagging_terms(*clip, **choices))


@moderate
@given(clips(vectors=True), st.floats(0, 2 * math.pi), st.integers(0, 10**6))
def test_turning_the_space_of_vector_tags_changes_nothing(
    clip: tuple[np.ndarray, np.ndarray], angle: float, seed: int
) -> None:
    tags, ids = clip
    turned = tags.copy()
    if tags.shape[-1] > 1:
        x, y = tags[..., 0], tags[..., 1]
        turned[..., 0] = x * math.cos(angle) - y * math.sin(angle)
        turned[..., 1] = x * math.sin(angle) + y * math.cos(angle)
    for choices in ({}, {"h_n": "frame"}, {"pixels_per_instance": 6, "seed": seed}):
        assert terms_of(turned, ids, **choices) == near(terms_of(tags, ids, **choices))


@pixels
def test_a_vector_of_one_number_is_that_number(pixels_per_instance: int | None) -> None:
    """And a line in the plane is a line: to the bit in the terms, and in the gradient."""
    tags, ids = random_clip(0, (1, 2, 7, 9), (3, 6, 6))
    gradients = []
    for lift in (lambda t: t, lambda t: t[..., None], lambda t: torch.stack([0 * t, t], -1)):
        leaf = torch.from_numpy(tags)[None].clone().requires_grad_()
        losses = losses_of(
            lift(leaf), torch.from_numpy(ids)[None], pixels_per_instance=pixels_per_instance
        )
        losses.overall.backward()
        assert (
            losses.as_dict()
            == losses_of(
                torch.from_numpy(tags)[None],
                torch.from_numpy(ids)[None],
                pixels_per_instance=pixels_per_instance,
            ).as_dict()
        )
        gradients.append(leaf.grad)
    for gradient in gradients[1:]:
        torch.testing.assert_close(gradient, gradients[0])


def test_equal_vector_tags_have_a_finite_gradient() -> None:
    ids = torch.tensor([[[[1, 1, 2, 3]]]])
    tags = torch.zeros(*ids.shape, 2, requires_grad=True)
    losses = losses_of(tags, ids)
    losses.overall.backward()
    assert losses.specter == losses.temper == G
    assert tags.grad is not None
    assert tags.grad.isfinite().all()


@reductions
def test_fifty_instances(reduction: str) -> None:
    clip = random_clip(0, tuple(range(1, 51)), (3, 12, 12), scale=20)
    assert literal.instances(clip[1]) == list(range(1, 51))
    expected = literal.tagging_terms(*clip, reduction=reduction)
    assert terms_of(*clip, reduction=reduction) == near(expected)


@pytest.mark.parametrize(
    ("reduction", "h_n", "spectra", "tempra", "temper"),
    [
        ("sum", "clip", (6 + 2) / 2, (2 + 2) / 2, 3 + 0),
        ("mean", "clip", (6 / 4 + 2 / 2) / 2, (2 / 2 + 2 / 2) / 2, (3 + 0) / 2),
        ("sum", "frame", (2 + 0) / 2, (2 + 2) / 2, 3 + 0),
        ("mean", "frame", (2 / 4 + 0) / 2, (2 / 2 + 2 / 2) / 2, (3 + 0) / 2),
    ],
)
def test_an_example_by_hand(
    reduction: str, h_n: str, spectra: float, tempra: float, temper: float
) -> None:
    """h_1 = 1 and 2, 0 by frame; h_2 = 3 and 2, 4 by frame: 2 apart, and 0, 4 apart by frame."""
    ids = np.array([[[1, 1, 2, 0]], [[1, 1, 2, VOID]]])
    tags = np.array([[[1.0, 3.0, 2.0, 9.0]], [[0.0, 0.0, 4.0, -9.0]]])
    expected = {"spectra": spectra, "specter": G - 2, "tempra": tempra, "temper": temper}
    for terms in (terms_of, literal.tagging_terms):
        assert terms(tags, ids, reduction=reduction, h_n=h_n) == near(expected)


@moderate
@given(st.integers(0, 10**6), st.sampled_from(["sum", "mean"]), st.booleans())
def test_a_batch_is_the_mean_of_its_clips(
    seed: int, reduction: str, background_as_instance: bool
) -> None:
    rng = np.random.default_rng(seed)
    tags = torch.from_numpy(rng.normal(0, G, (3, 2, 3, 4)))
    # The clips share some ids, and the last has no instance at all.
    ids = torch.from_numpy(
        np.stack([rng.choice(names, (2, 3, 4)) for names in ([0, 1, 2, 200], [1, VOID, 7], [0])])
    )
    choices: dict[str, Any] = {
        "reduction": reduction,
        "background_as_instance": background_as_instance,
    }
    single = [terms_of(*clip, **choices) for clip in zip(tags, ids, strict=True)]
    batch = losses_of(tags, ids, **choices).as_dict()
    for name in TAG_TERMS:
        assert batch[name] == near(np.mean([terms[name] for terms in single]))


# What must not matter.


@moderate
@given(clips(), st.sampled_from(["sum", "mean"]), st.sampled_from(["clip", "frame"]), st.data())
def test_names_order_of_frames_and_an_offset_do_not_matter(
    clip: tuple[np.ndarray, np.ndarray], reduction: str, h_n: str, data: st.DataObject
) -> None:
    tags, ids = clip
    choices = {"reduction": reduction, "h_n": h_n}
    expected = near(terms_of(tags, ids, **choices))

    names = literal.instances(ids)
    fresh = data.draw(
        st.lists(st.integers(1, 254), min_size=len(names), max_size=len(names), unique=True)
    )
    renamed = ids.copy()
    for old, new in zip(names, fresh, strict=True):
        renamed[ids == old] = new
    assert terms_of(tags, renamed, **choices) == expected

    order = data.draw(st.permutations(range(len(ids))))
    assert terms_of(tags[order], ids[order], **choices) == expected

    offset = data.draw(st.floats(-100, 100))
    assert terms_of(tags + offset, ids, **choices) == expected
    assert terms_of(-tags, ids, **choices) == expected


@reductions
@h_ns
def test_a_frame_without_instances_does_not_matter(reduction: str, h_n: str) -> None:
    tags, ids = random_clip(0, (1, 2, 9), (3, 4, 4))
    with_empty = np.concatenate([ids, np.zeros_like(ids[:1]), np.full_like(ids[:1], VOID)])
    longer = np.concatenate([tags, tags[:2] + 7])
    choices = {"reduction": reduction, "h_n": h_n}
    assert terms_of(longer, with_empty, **choices) == near(terms_of(tags, ids, **choices))


@reductions
@h_ns
@pixels
@pytest.mark.parametrize("strange", [1e6, math.inf, math.nan])
@pytest.mark.parametrize("background_as_instance", [False, True])
def test_background_and_void_influence_nothing(
    reduction: str,
    h_n: str,
    pixels_per_instance: int | None,
    strange: float,
    background_as_instance: bool,
) -> None:
    rng = np.random.default_rng(0)
    # The second clip lacks the ids 5 and 40 of the first, and ends on pixels that do not count.
    ids = np.stack(
        [rng.choice(names, (3, 4, 4)) for names in ([0, 2, 5, 40, VOID], [0, 1, 2, VOID])]
    )
    ids[1, -1] = VOID
    tags = rng.normal(0, G, ids.shape)
    outside = (ids == VOID) if background_as_instance else (ids == 0) | (ids == VOID)
    perturbed = np.where(outside, strange, tags)
    choices: dict[str, Any] = {
        "reduction": reduction,
        "h_n": h_n,
        "pixels_per_instance": pixels_per_instance,
        "background_as_instance": background_as_instance,
    }
    values, gradients = [], []
    for some in (tags, perturbed):
        leaf = torch.from_numpy(some).requires_grad_()
        losses = losses_of(leaf, torch.from_numpy(ids), **choices)
        values.append(losses.as_dict())
        gradients.append(torch.autograd.grad(losses.overall, leaf)[0].numpy())
    assert values[0] == values[1]
    np.testing.assert_array_equal(gradients[0], gradients[1])
    assert (gradients[1][outside] == 0).all()
    assert (gradients[1][~outside] != 0).any()


# When a term is zero.


@moderate
@given(clips(), st.sampled_from(["sum", "mean"]), st.sampled_from(["clip", "frame"]))
def test_one_tag_per_instance_leaves_no_spread(
    clip: tuple[np.ndarray, np.ndarray], reduction: str, h_n: str
) -> None:
    tags, ids = clip
    constant = tags.ravel()[0] + 0.37 * ids
    for pixels_per_instance in (None, 6):
        terms = terms_of(
            constant, ids, reduction=reduction, h_n=h_n, pixels_per_instance=pixels_per_instance
        )
        assert (terms["spectra"], terms["tempra"]) == near((0, 0))


@moderate
@given(clips(), st.floats(0, 5), st.sampled_from(["sum", "mean"]))
def test_instances_a_margin_apart_are_not_pushed(
    clip: tuple[np.ndarray, np.ndarray], beyond: float, reduction: str
) -> None:
    _, ids = clip
    terms = terms_of((G + beyond) * ids, ids, reduction=reduction)
    assert (terms["specter"], terms["temper"]) == near((0, 0))
    if len(literal.instances(ids)) > 1:
        assert terms_of(0.99 * G / 254 * ids, ids, reduction=reduction)["specter"] > 0


@reductions
def test_equal_frame_means_leave_nothing_to_group(reduction: str) -> None:
    ids = np.random.default_rng(0).choice([0, 1, 2], (4, 6, 6))
    tags = np.random.default_rng(1).normal(0, G, ids.shape)
    for n in (1, 2):
        for t in range(len(ids)):
            tags[t][ids[t] == n] -= tags[t][ids[t] == n].mean() - 4 * n
    terms = terms_of(tags, ids, reduction=reduction)
    assert terms["tempra"] == near(0)
    assert terms["spectra"] > 1


@reductions
def test_instances_that_never_meet_are_pushed_apart_by_their_clip_means_alone(
    reduction: str,
) -> None:
    ids = np.stack([np.full((2, 2), 3), np.full((2, 2), 200)])
    terms = terms_of(np.zeros(ids.shape), ids, reduction=reduction)
    assert terms == {"spectra": 0, "specter": G, "tempra": 0, "temper": 0}


@reductions
@pixels
@pytest.mark.parametrize("names", [[0], [VOID], [0, VOID], [0, 17]])
def test_fewer_than_two_instances(
    names: list[int], pixels_per_instance: int | None, reduction: str
) -> None:
    ids = torch.from_numpy(np.resize(names, (1, 2, 3, 3)))
    tags = torch.randn(ids.shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    losses = losses_of(tags, ids, reduction=reduction, pixels_per_instance=pixels_per_instance)
    losses.overall.backward()
    assert tags.grad is not None
    assert losses.specter == losses.temper == 0
    assert (losses.spectra > 0) == (losses.tempra > 0) == (17 in names)
    assert tags.grad.isfinite().all()
    assert (tags.grad != 0).any() == (17 in names)


# The identity behind D9.


@moderate
@given(clips(max_instances=1))
def test_spread_over_the_clip_is_spread_within_frames_plus_spread_between_them(
    clip: tuple[np.ndarray, np.ndarray],
) -> None:
    tags, ids = clip
    clip_wide = terms_of(tags, ids, h_n="clip")["spectra"]
    within = terms_of(tags, ids, h_n="frame")["spectra"]
    between = 0.0
    for n in literal.instances(ids):
        assert clip_wide == near(tags[ids == n].var())
        for t in range(len(ids)):
            if (ids[t] == n).any():
                share = (ids[t] == n).sum() / (ids == n).sum()
                between += share * (tags[ids == n].mean() - tags[t][ids[t] == n].mean()) ** 2
    assert clip_wide == near(within + between)


def test_between_instances_of_constant_area_that_spread_is_tempra() -> None:
    ids = np.stack([np.random.default_rng(t).permutation([0, 1, 1, 2, 2, 2]) for t in range(5)])
    tags = np.random.default_rng(9).normal(0, G, ids.shape)
    clip_wide = terms_of(tags[:, None], ids[:, None], h_n="clip")
    per_frame = terms_of(tags[:, None], ids[:, None], h_n="frame")
    assert clip_wide["spectra"] == near(per_frame["spectra"] + clip_wide["tempra"])


# M' random pixels.


def draws(ids: np.ndarray, number: int, seed: int) -> np.ndarray:
    """How often eq. (2) takes each pixel, read from the gradient of (tag - 0)^2."""
    ids = ids[None]
    tags = torch.ones(ids.shape, dtype=torch.float64, requires_grad=True)
    means = instance_means(torch.zeros_like(tags), torch.from_numpy(ids))
    generator = torch.Generator().manual_seed(seed)
    loss = spectra_loss(
        tags, means, reduction="sum", pixels_per_instance=number, generator=generator
    )
    (gradient,) = torch.autograd.grad(loss.sum(), tags)
    return gradient[0].numpy() * len(literal.instances(ids[0])) / 2


@moderate
@given(clips(), st.integers(1, 50), st.integers(0, 10**6))
def test_exactly_m_pixels_are_drawn_of_each_instance(
    clip: tuple[np.ndarray, np.ndarray], number: int, seed: int
) -> None:
    _, ids = clip
    drawn = draws(ids, number, seed)
    np.testing.assert_allclose(drawn, drawn.round(), atol=1e-9)
    for n in literal.instances(ids):
        assert drawn[ids == n].sum() == near(number)
    assert (drawn[(ids == 0) | (ids == VOID)] == 0).all()


def test_every_pixel_of_an_instance_is_as_likely() -> None:
    ids = np.random.default_rng(0).choice([0, 3, 200, VOID], (3, 5, 5), p=[0.3, 0.1, 0.5, 0.1])
    drawn = draws(ids, 20_000, seed=0)
    for n in (3, 200):
        assert chisquare(drawn[ids == n]).pvalue > 0.01


@h_ns
def test_the_mean_over_draws_tends_to_all_pixels(h_n: str) -> None:
    clip = random_clip(0, (1, 3, 200), (3, 5, 5))
    full = terms_of(*clip, h_n=h_n)["spectra"]
    choices = {"h_n": h_n, "pixels_per_instance": 8}
    values = np.array([terms_of(*clip, **choices, seed=seed)["spectra"] for seed in range(100)])
    error = values.std() / math.sqrt(len(values))
    assert 0 < error < 0.05 * full
    assert abs(values.mean() - full) < 3 * error
    assert terms_of(*clip, **choices, reduction="sum")["spectra"] == near(8 * values[0])


def test_the_draw_is_the_generators_alone() -> None:
    clip = random_clip(0, (1, 2, 3), (3, 5, 5))
    first, again, other = (terms_of(*clip, pixels_per_instance=8, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first["spectra"] != other["spectra"]
    assert all(first[name] == other[name] for name in TAG_TERMS if name != "spectra")


def test_one_pixel_of_an_instance_is_its_own_mean() -> None:
    clip = random_clip(0, (1, 2, 3), (3, 5, 5))
    printed, mean = (
        terms_of(*clip, pixels_per_instance=1, reduction=reduction)["spectra"]
        for reduction in ("sum", "mean")
    )
    assert mean == near(printed)
    assert printed > 0


def test_the_margin_is_the_papers_unless_another_is_given() -> None:
    means = instance_means(torch.tensor([[[[0.0, 1.0]]]]), torch.tensor([[[[1, 2]]]]))
    assert specter_loss(means) == temper_loss(means) == 3 - 1
    assert specter_loss(means, margin=4.0) == temper_loss(means, margin=4.0) == 4 - 1


# Gradients.


@reductions
@h_ns
@pixels
@pytest.mark.parametrize("background_as_instance", [False, True])
def test_gradient_is_that_of_finite_differences(
    reduction: str, h_n: str, pixels_per_instance: int | None, background_as_instance: bool
) -> None:
    rng = np.random.default_rng(3)
    ids = np.stack([rng.choice(names, (2, 2, 4)) for names in ([0, 1, 4], [0, 1, 2, VOID])])
    tags = rng.normal(0, 1, ids.shape) + 2.2 * (ids % 5)
    active = []
    for clip in zip(tags, ids, strict=True):
        means = literal.Clip(*clip, background_as_instance)
        for n in means.names:
            for other in means.names:
                both = means.h_t[n].keys() & means.h_t[other].keys()
                distances = [abs(means.h[n] - means.h[other])]
                distances += [abs(means.h_t[n][t] - means.h_t[other][t]) for t in both]
                active += [distance < G for distance in distances if n != other]
                # The kinks of the hinge are far from what gradcheck's steps reach.
                assert n == other or all(min(d, abs(G - d)) > 1e-3 for d in distances)
    assert any(active)
    assert not all(active)

    def overall(leaf: Tensor) -> Tensor:
        return losses_of(
            leaf,
            torch.from_numpy(ids),
            reduction=reduction,
            h_n=h_n,
            pixels_per_instance=pixels_per_instance,
            background_as_instance=background_as_instance,
        ).overall

    assert torch.autograd.gradcheck(overall, torch.from_numpy(tags).requires_grad_())


@reductions
@pixels
@pytest.mark.parametrize("distance", [0.0, G])
def test_gradient_is_finite_at_the_kinks(
    distance: float, pixels_per_instance: int | None, reduction: str
) -> None:
    ids = torch.tensor([[[[1, 1, 2, 0]], [[1, 2, 2, VOID]]]])
    tags = (distance * (ids == 2)).requires_grad_()
    losses = losses_of(tags, ids, reduction=reduction, pixels_per_instance=pixels_per_instance)
    losses.overall.backward()
    assert tags.grad is not None
    assert tags.grad.isfinite().all()
    assert losses.specter == G - distance


@reductions
@h_ns
def test_descent_on_free_tags_gathers_and_separates(reduction: str, h_n: str) -> None:
    """From tags in a rough order: two instances that swap places in a frame block each other."""
    ids = torch.from_numpy(np.random.default_rng(0).choice([0, 1, 2, 3, 4], (1, 3, 6, 6)))
    noise = torch.randn(ids.shape, generator=torch.Generator().manual_seed(0))
    tags = (1.5 * ids + 0.5 * noise).requires_grad_()
    optimiser = torch.optim.Adam([tags], lr=0.2)
    for _ in range(100):
        optimiser.zero_grad()
        losses_of(tags, ids, reduction=reduction, h_n=h_n).overall.backward()
        optimiser.step()
    final = tags.detach()
    means = sorted(float(final[ids == n].mean()) for n in (1, 2, 3, 4))
    assert np.diff(means).min() > 0.9 * G
    assert max(float(final[ids == n].std()) for n in (1, 2, 3, 4)) < 0.2


# Number formats.


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pixels
def test_half_precision_is_summed_in_float32(
    dtype: torch.dtype, pixels_per_instance: int | None
) -> None:
    tags, ids = random_clip(0, (1, 2, 3), (1, 4, 40, 40), scale=40)
    half = torch.from_numpy(tags).to(dtype)
    choices: dict[str, Any] = {"pixels_per_instance": pixels_per_instance, "reduction": "sum"}
    values = losses_of(half, torch.from_numpy(ids), **choices)
    exact = losses_of(half.double(), torch.from_numpy(ids), **choices)
    assert values.overall.dtype == torch.float32
    assert exact.overall.dtype == torch.float64
    assert values.as_dict() == pytest.approx(exact.as_dict(), rel=1e-4)


class NoFloat64(TorchDispatchMode):
    def __torch_dispatch__(  # type: ignore[no-untyped-def]
        self, func, types, args=(), kwargs=None
    ):
        result = func(*args, **(kwargs or {}))
        assert not (isinstance(result, Tensor) and result.dtype == torch.float64), func
        return result


@pixels
def test_float32_needs_no_float64_which_apple_gpus_lack(pixels_per_instance: int | None) -> None:
    ids = torch.tensor([[[[1, 1, 2, 0]], [[1, 2, 2, VOID]]]])
    tags = torch.randn(ids.shape).requires_grad_()
    with NoFloat64():
        losses_of(tags, ids, pixels_per_instance=pixels_per_instance).overall.backward()
    with pytest.raises(AssertionError), NoFloat64():
        tags.double()


def test_with_a_generator_each_a_clip_does_not_see_its_batch() -> None:
    """Neither in its random pixels nor in the mean: the overall loss is the mean of those alone."""
    sizes = ((1, 2), (1, 3, 200), (0,))
    made = [random_clip(k, names, (2, 6, 6)) for k, names in enumerate(sizes)]
    tags, ids = (torch.from_numpy(np.stack(parts)) for parts in zip(*made, strict=True))
    ids[1, :, :2] = VOID
    semantic = torch.where(ids == VOID, VOID, (ids > 0).long())
    logits = torch.randn(3, 2, 2, 6, 6, generator=torch.Generator().manual_seed(0)).double()
    config = LossConfig(pixels_per_instance=4)

    def overall(chosen: list[int]) -> float:
        generators = [torch.Generator().manual_seed(k) for k in chosen]
        prediction = Prediction(tags[chosen], logits[chosen])
        clip = labels(ids[chosen], semantic[chosen])
        return float(overall_loss(prediction, clip, config, generators).overall)

    alone = [overall([k]) for k in range(3)]
    assert overall([0, 1, 2]) == near(float(np.mean(alone)))
    assert overall([2, 0]) == near((alone[2] + alone[0]) / 2)


# The semantic loss, and eq. (7).


@pytest.mark.parametrize("class_weights", [None, (1.0, 1.0, 1.0), (0.01, 0.02, 0.005), (0, 2, 5)])
def test_semantic_loss_is_the_weighted_mean_over_known_pixels(
    class_weights: tuple[float, ...] | None,
) -> None:
    rng = np.random.default_rng(0)
    semantic = rng.choice([0, 1, 2, VOID], (2, 3, 4, 4))
    logits = rng.normal(0, 2, (2, 3, 3, 4, 4))
    value = semantic_loss(torch.from_numpy(logits), torch.from_numpy(semantic), class_weights)
    weight = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float64)
    assert float(value) == near(
        float(
            cross_entropy(
                torch.from_numpy(logits), torch.from_numpy(semantic), weight, ignore_index=VOID
            )
        )
    )
    # The clips of a batch side by side are one wide clip.
    wide = np.concatenate(list(logits), -1), np.concatenate(list(semantic), -1)
    assert float(value) == near(literal.crossentropy(*wide, class_weights))


@pytest.mark.parametrize("class_weights", [None, (0.5, 2.0, 5.0)])
def test_binary_masks_are_each_a_binary_cross_entropy(
    class_weights: tuple[float, ...] | None,
) -> None:
    rng = np.random.default_rng(0)
    semantic = rng.choice([0, 1, 2, VOID], (2, 3, 4, 4))
    logits = rng.normal(0, 2, (2, 3, 3, 4, 4))
    terms = []
    for b, t, y, x in np.argwhere(semantic != VOID):
        for c in range(3):
            p = 1 / (1 + math.exp(-logits[b, c, t, y, x]))
            there = semantic[b, t, y, x] == c
            terms.append(-math.log(p if there else 1 - p) * (class_weights or (1, 1, 1))[c])
    value = semantic_loss(
        torch.from_numpy(logits), torch.from_numpy(semantic), class_weights, sigmoid=True
    )
    assert float(value) == near(sum(terms) / (semantic != VOID).sum())
    nothing = torch.full((2, 3, 4, 4), VOID)
    assert semantic_loss(torch.from_numpy(logits), nothing, class_weights, sigmoid=True) == 0


@pytest.mark.parametrize(("label", "class_weights"), [(VOID, None), (VOID, (1, 2)), (1, (1, 0))])
def test_semantic_loss_without_a_pixel_that_counts(
    label: int, class_weights: tuple[float, ...] | None
) -> None:
    logits = torch.randn(1, 2, 2, 3, 3, requires_grad=True)
    loss = semantic_loss(logits, torch.full((1, 2, 3, 3), label), class_weights)
    loss.backward()
    assert loss == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


def weighted(config: LossConfig, weights: dict[str, Any]) -> LossConfig:
    return replace(config, **weights)


@moderate
@given(clips(), st.lists(st.sampled_from([0.0, 0.5, 1.0, 7.0]), min_size=5, max_size=5))
def test_overall_is_the_weighted_sum(
    clip: tuple[np.ndarray, np.ndarray], weights: list[float]
) -> None:
    tags, ids = clip
    semantic = np.where(ids == VOID, VOID, ids % 3)
    logits = np.random.default_rng(0).normal(size=(3, *ids.shape))
    config = weighted(
        LossConfig(pixels_per_instance=None, class_weights=(1.0, 2.0, 3.0)),
        dict(zip((*TAG_TERMS, "cross_entropy"), weights, strict=True)),
    )
    prediction = Prediction(torch.from_numpy(tags)[None], torch.from_numpy(logits)[None])
    truth = labels(torch.from_numpy(ids)[None], torch.from_numpy(semantic)[None])
    losses = overall_loss(prediction, truth, config).as_dict()
    expected = literal.tagging_terms(tags, ids)
    expected["cross_entropy"] = literal.crossentropy(logits, semantic, config.class_weights)
    overall = sum(weight * value for weight, value in zip(weights, expected.values(), strict=True))
    assert losses == near({**expected, "overall": overall})


@pytest.mark.parametrize("off", [*TAG_TERMS, "cross_entropy"])
def test_a_weight_of_zero_switches_a_term_off(off: str) -> None:
    """The gradient is that of the other terms, as the rows of Table III need it."""
    tags, ids = random_clip(0, (1, 2, 3), (1, 3, 5, 5))
    leaves = [
        torch.from_numpy(tags).requires_grad_(),
        torch.randn(1, 2, *ids.shape[1:], dtype=torch.float64).requires_grad_(),
    ]
    truth = labels(torch.from_numpy(ids), torch.from_numpy((ids % 2) * (ids != VOID)))

    def gradients(config: LossConfig, wanted: list[str]) -> tuple[Tensor, ...]:
        losses = overall_loss(Prediction(*leaves), truth, config, torch.Generator().manual_seed(0))
        total = torch.stack([getattr(losses, name) for name in wanted]).sum()
        return torch.autograd.grad(total, leaves, materialize_grads=True)

    others = [name for name in (*TAG_TERMS, "cross_entropy") if name != off]
    without = gradients(weighted(LossConfig(), {off: 0.0}), ["overall"])
    for some, expected in zip(without, gradients(LossConfig(), others), strict=True):
        torch.testing.assert_close(some, expected)
    if off != "cross_entropy":
        assert not torch.allclose(without[0], gradients(LossConfig(), ["overall"])[0])
    else:
        assert (without[1] == 0).all()


def test_without_a_decoder_there_is_no_semantic_loss() -> None:
    tags, ids = (torch.from_numpy(x) for x in random_clip(0, (1, 2), (1, 2, 3, 3)))
    losses = losses_of(tags, ids, class_weights=(1.0, 2.0))
    assert losses.cross_entropy == 0
    assert losses.overall == sum(getattr(losses, name) for name in TAG_TERMS)


def test_background_as_one_more_instance() -> None:
    tags, ids = random_clip(0, (1, 2), (2, 4, 4))
    fifty = np.where(ids == 0, 50, ids)
    assert terms_of(tags, ids, background_as_instance=True) == near(terms_of(tags, fifty))
    assert terms_of(tags, ids, background_as_instance=True) != near(terms_of(tags, ids))


def test_unsigned_labels_do_not_wrap() -> None:
    tags, ids = random_clip(0, (1, 254), (2, 4, 4))
    assert terms_of(tags, ids.astype(np.uint8)) == near(terms_of(tags, ids))


@pytest.mark.parametrize(
    ("tags", "logits", "semantic", "class_weights", "message"),
    [
        ((1, 2, 4, 4), None, 0, None, r"tags are \(1, 2, 4, 4\) but labels \(1, 2, 3, 3\)"),
        ((2, 2, 3, 3), None, 0, None, r"\(2, 2, 3, 3\) but labels \(1, 2, 3, 3\).*label_stride"),
        ((2, 3, 3), None, 0, None, r"tags are \(2, 3, 3\), expected B x T x h x w.*collate"),
        ((1, 2, 3, 3), (1, 5, 2, 3, 3), 5, None, r"hold class 5, .* 0 to 4.*model.num_classes"),
        ((1, 2, 3, 3), (1, 5, 2, 3, 3), -1, None, r"hold class -1"),
        ((1, 2, 3, 3), (1, 5, 2, 3, 3), 0, (1.0, 2.0), r"has 2 values for 5 classes"),
        ((1, 2, 3, 3), (1, 5, 2, 3, 3), 0, (), r"has 0 values for 5 classes"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(
    tags: tuple[int, ...],
    logits: tuple[int, ...] | None,
    semantic: int,
    class_weights: tuple[float, ...] | None,
    message: str,
) -> None:
    ids = torch.ones(1, 2, 3, 3, dtype=torch.int64)
    prediction = Prediction(torch.zeros(tags), None if logits is None else torch.zeros(logits))
    with pytest.raises(ValueError, match=message):
        overall_loss(
            prediction,
            labels(ids, torch.full_like(ids, semantic)),
            LossConfig(class_weights=class_weights),
        )
