"""Tags that roll down chosen losses, and the view that shows them, without a browser."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagvis_lite.config import LossConfig
from tagvis_lite.views import TagLine
from tagvis_lite.views.tag_line import TERMS, roll, scatter

ALT = "Dots on a line gather around their means and part"
ONE_TERM = {name: {other: float(other == name) for other in TERMS} for name in TERMS}


def line(instances: int = 3, frames: int = 1, **options: Any) -> TagLine:
    tags, ids = scatter(instances, frames, pixels=4)
    return TagLine(tags, ids, title="tags gather and part", alt=ALT, **options)


def shown(view: TagLine) -> np.ndarray:
    return np.frombuffer(view.way, np.float32).reshape(view.shape)


def spread(tags: np.ndarray, ids: np.ndarray) -> float:
    return float(sum(tags[ids == n].var() for n in np.unique(ids)))


@settings(deadline=None, max_examples=15)
@given(
    instances=st.integers(1, 8),
    frames=st.integers(1, 5),
    reduction=st.sampled_from(["mean", "sum"]),
    tag_range=st.sampled_from(["unbounded", "sigmoid"]),
    seed=st.integers(0, 99),
)
def test_every_way_is_finite_and_ends_lower(
    instances: int, frames: int, reduction: str, tag_range: str, seed: int
) -> None:
    tags, ids = scatter(instances, frames, 4, seed)
    config = LossConfig(reduction=reduction)
    if tag_range == "sigmoid":
        tags = 1 / (1 + np.exp(-tags))
    way = roll(tags, ids, config, tag_range=tag_range, steps=40)
    assert way.tags.shape == (41, frames, 4 * instances)
    assert np.isfinite(way.tags).all()
    np.testing.assert_allclose(way.tags[0], tags, atol=1e-5)
    total = sum(way.terms.values())
    assert total[-1] <= total[0] + 1e-6
    if tag_range == "sigmoid":
        assert way.tags.min() >= 0
        assert way.tags.max() <= 1


def test_spectra_alone_gathers_and_leaves_the_means() -> None:
    tags, ids = scatter(3, 1, 6)
    way = roll(tags, ids, LossConfig(**ONE_TERM["spectra"]), steps=60)
    assert spread(way.tags[-1], ids) < 1e-3 * spread(tags, ids)
    for n in (1, 2, 3):
        assert way.tags[-1][ids == n].mean() == pytest.approx(tags[ids == n].mean(), abs=1e-4)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("pixels", [2, 10])
def test_learning_rate_is_a_share_of_the_distance(reduction: str, pixels: int) -> None:
    tags, ids = scatter(2, 1, pixels)
    config = LossConfig(reduction=reduction, **ONE_TERM["spectra"])
    way = roll(tags, ids, config, steps=1, learning_rate=0.05)
    for n in (1, 2):
        before, after = (t[ids == n] - t[ids == n].mean() for t in way.tags)
        np.testing.assert_allclose(after, 0.9 * before, atol=1e-5)


def test_specter_alone_moves_instances_as_blocks_to_the_margin() -> None:
    tags, ids = scatter(2, 1, 5, seed=3)
    way = roll(tags, ids, LossConfig(margin=2.0, **ONE_TERM["specter"]), steps=200)
    assert spread(way.tags[-1], ids) == pytest.approx(spread(tags, ids), rel=1e-3)
    gap = abs(way.tags[-1][ids == 1].mean() - way.tags[-1][ids == 2].mean())
    assert gap >= 2.0 - 0.15


@pytest.mark.parametrize("instances", [0, 9])
def test_scatter_refuses_what_the_line_cannot_show(instances: int) -> None:
    with pytest.raises(ValueError, match="shows 1 to 8"):
        scatter(instances)


def test_roll_refuses_tags_that_are_not_numbers() -> None:
    tags, ids = scatter(2)
    with pytest.raises(ValueError, match="finite"):
        roll(np.full_like(tags, np.nan), ids, LossConfig())


# The view


def test_terms_that_are_switched_off_do_not_act() -> None:
    view = line(on=["spectra"])
    means = [shown(view)[0][:, :4].mean(), shown(view)[-1][:, :4].mean()]
    assert means[0] == pytest.approx(means[1], abs=1e-4)
    view.on = ["spectra", "specter"]
    assert abs(shown(view)[-1][:, :4].mean() - means[0]) > 0.1


def test_a_dot_that_is_moved_starts_from_the_step_that_was_shown() -> None:
    view = line(frames=2)
    before = shown(view)[7].copy()
    view.moved = [1.0, 2.0, 9.5, 7.0]
    after = shown(view)[0]
    assert after[1, 2] == pytest.approx(9.5)
    after = after.copy()
    after[1, 2] = before[1, 2]
    np.testing.assert_array_equal(after, before)
    assert view.step == 0


def test_another_number_of_instances_scatters_new_tags() -> None:
    view = line(instances=2, frames=3)
    view.instances = 5
    assert view.shape == [81, 3, 20]
    ids = np.frombuffer(view.ids, np.uint8).reshape(3, 20)
    np.testing.assert_array_equal(ids[0], np.repeat(np.arange(1, 6), 4))


def test_the_sigmoid_range_keeps_tags_between_0_and_1_and_goes_back() -> None:
    view = line()
    start = shown(view)[0].copy()
    view.tag_range = "sigmoid"
    assert shown(view).min() >= 0
    assert shown(view).max() <= 1
    view.tag_range = "unbounded"
    np.testing.assert_array_equal(shown(view)[0], start)


def test_read_outs_are_the_terms_of_the_step() -> None:
    view = line(frames=2)
    terms = np.frombuffer(view.terms, np.float32).reshape(len(TERMS), -1)
    way = roll(shown(view)[0], scatter(3, 2, 4)[1], LossConfig())
    for row, name in zip(terms, TERMS, strict=True):
        np.testing.assert_allclose(row, way.terms[name], atol=1e-5)


def test_what_a_notebook_could_store_is_small() -> None:
    state = line(instances=5, frames=8).get_state()
    assert sum(len(v) for v in state.values() if isinstance(v, (bytes, str))) < 300_000


def test_the_terms_are_those_of_the_config() -> None:
    assert set(TERMS) <= {field.name for field in fields(LossConfig)}
