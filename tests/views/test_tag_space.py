"""The tag space without a browser: clustering again, its histogram, what is sent and stored."""

from __future__ import annotations

from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tagvis_lite.config import InferenceConfig
from tagvis_lite.instances import cluster_instances
from tagvis_lite.video import Prediction
from tagvis_lite.views import TagSpace
from tagvis_lite.views.tag_space import histogram, recluster

ALT = "A frame, its tag map, a histogram of tags and tags against frames"
CONFIG = InferenceConfig(foreground=0.5, bandwidth=0.4, prominence=0.1, min_area=0.0)
T, H, W = 4, 12, 16


def prediction(background: float = 0.3) -> Prediction:
    """Two objects with tags 0 and 4, the right one surer than the left one."""
    tags = torch.zeros(T, H, W)
    tags[:, :, W // 2 :] = 4.0
    tags += 0.05 * torch.sin(torch.arange(tags.numel()).view_as(tags).float())
    sure = torch.full((T, H, W), background)
    sure[:, 2:10, 2:6] = 0.7
    sure[:, 2:10, 10:14] = 0.95
    return Prediction(tags=tags, semantic_logits=torch.stack([1 - sure, sure]).log())


def space(**options: Any) -> TagSpace:
    frames = np.random.default_rng(0).integers(0, 255, (T, 24, 32, 3), dtype=np.uint8)
    return TagSpace(frames, prediction(), CONFIG, title="two heaps", alt=ALT, **options)


def ids_of(view: TagSpace) -> np.ndarray:
    return np.frombuffer(view.ids, np.uint8).reshape(T, H, W)


def test_sliders_cluster_as_the_package_does() -> None:
    view = space()
    assert sorted(view.instances) == ["1", "2"]
    view.threshold = 0.9
    wanted = cluster_instances(prediction(), InferenceConfig(0.9, 0.4, 0.1, min_area=0.0))
    np.testing.assert_array_equal(ids_of(view) > 0, wanted.ids > 0)
    (number,) = view.instances
    assert view.instances[number]["mode"] == pytest.approx(wanted.modes[1])
    view.threshold, view.bandwidth = 0.5, 3.0
    again = recluster(prediction(), CONFIG, 0.5, 3.0).ids
    np.testing.assert_array_equal(ids_of(view) > 0, again > 0)


def test_an_instance_keeps_its_number_while_sliders_move() -> None:
    view = space()
    first = ids_of(view)
    view.threshold = 0.9  # the right object alone is so sure; alone it would be number 1
    assert len(view.instances) == 1
    seen = ids_of(view) > 0
    np.testing.assert_array_equal(ids_of(view)[seen], first[seen])
    assert set(view.instances) == {str(first[seen][0])}


def test_instances_have_the_numbers_of_the_objects_they_match() -> None:
    truth = np.zeros((T, 2 * H, 2 * W), np.uint8)
    truth[:, 4:20, 20:28] = 7
    view = space(truth=truth)
    assert (ids_of(view)[:, 2:10, 10:14] == 7).all()
    names = {found["name"] for found in view.instances.values()}
    assert names == {"7", "?"}
    assert (ids_of(view)[:, 2:10, 2:6] >= 200).all(), "grey"


def test_a_value_that_cannot_be_used_is_a_problem_not_an_error() -> None:
    view = space()
    before = view.ids
    view.bandwidth = -1.0
    assert "bandwidth" in view.problem
    assert view.ids == before
    view.bandwidth = 0.4
    assert view.problem == ""


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 999), bins=st.integers(1, 12), instances=st.integers(0, 4))
def test_histogram_counts_every_pixel_once(seed: int, bins: int, instances: int) -> None:
    draws = np.random.default_rng(seed)
    tags = draws.normal(0, 3, (7, 9))
    ids = draws.integers(0, instances + 1, tags.shape).astype(np.uint8)
    edges = np.linspace(-2, 2, bins + 1)
    counts = histogram(tags, ids, edges)
    assert {n: int(c.sum()) for n, c in counts.items()} == {
        n: int((ids == n).sum()) for n in np.unique(ids[ids > 0]).tolist()
    }
    for n, c in counts.items():
        inner = np.histogram(np.clip(tags[ids == n], -2, 2), edges)[0]
        np.testing.assert_array_equal(c, inner)


@pytest.mark.skipif(
    ipywidgets.__version__[0] == "7", reason="ipywidgets 7 sends nothing without a kernel"
)
def test_nothing_large_is_sent_before_a_browser_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Papermill stores what is sent, also what is sent as a cell sets a trait."""
    view = space()
    sent: list[str] = []

    def note(message: dict[str, Any], buffers: object = None) -> None:
        sent.extend([*message["state"], *(path[0] for path in message["buffer_paths"])])

    monkeypatch.setattr(view, "_send", note)
    view.threshold = 0.9
    assert {"instances"} <= set(sent)
    assert not set(view.heavy) & set(sent)
    view._handle_custom_msg({"wanted": "heavy"}, [])
    assert set(view.heavy) <= set(sent)
    sent.clear()
    view.threshold = 0.5
    assert "ids" in sent


def test_nothing_large_is_stored_in_a_notebook() -> None:
    state = space().get_state()
    assert not {"frames", "tags", "ids"} & set(state)
    size = sum(len(v) for v in state.values() if isinstance(v, (bytes, str)))
    assert size < 300_000


def test_large_frames_are_made_smaller_for_the_browser() -> None:
    frames = np.zeros((T, 300, 512, 3), np.uint8)
    view = TagSpace(frames, prediction(), CONFIG, title="two heaps", alt=ALT)
    assert view.size == [T, 150, 256, H, W]
    assert len(view.frames) == T * 150 * 256 * 3


def test_no_foreground_is_an_empty_space() -> None:
    nothing = prediction()
    nothing.semantic_logits[0] += 20
    frames = np.zeros((T, 24, 32, 3), np.uint8)
    view = TagSpace(frames, nothing, CONFIG, title="nothing", alt=ALT)
    assert view.instances == {}
    assert not ids_of(view).any()
    assert view.limits[0] < view.limits[1]


def test_frames_must_be_those_of_the_prediction() -> None:
    with pytest.raises(ValueError, match="3 frames and 4 tag maps"):
        TagSpace(np.zeros((3, 24, 32, 3), np.uint8), prediction(), CONFIG, title="x", alt=ALT)


def test_categories_have_names_where_they_are_known() -> None:
    view = space(categories={1: "star"})
    assert {found["category"] for found in view.instances.values()} == {"star"}
    assert {found["category"] for found in space().instances.values()} == {"category 1"}


@pytest.mark.parametrize("channels", [2, 3])
def test_tags_of_several_numbers_are_points_in_a_plane(channels: int) -> None:
    one = prediction()
    direction = torch.tensor([0.6, -0.8, 0.0][:channels])
    vectors = Prediction(one.tags[..., None] * direction, one.semantic_logits)
    frames = np.zeros((T, 24, 32, 3), np.uint8)
    view = TagSpace(frames, vectors, CONFIG, title="two points", alt=ALT)
    assert view.size == [T, 24, 32, H, W]
    np.testing.assert_array_equal(ids_of(view), ids_of(space()))
    points = np.stack(
        [np.frombuffer(part, np.float32).reshape(T, H, W) for part in (view.tags, view.across)], -1
    )
    if channels == 2:
        np.testing.assert_allclose(points, vectors.tags.numpy())
    for n, found in view.instances.items():  # distances in the plane are those of the tags
        own = points[ids_of(view) == int(n)]
        assert np.linalg.norm(own - found["mode"], axis=1).max() < 0.2
    low, high, low2, high2 = view.limits
    inside = points[ids_of(view) > 0]
    assert low < inside[:, 0].min() <= inside[:, 0].max() < high
    assert low2 < inside[:, 1].min() <= inside[:, 1].max() < high2
    shades = np.frombuffer(view.shades, np.uint8).reshape(16, 16, 3)
    assert len(np.unique(shades.reshape(-1, 3), axis=0)) == 256
    view.threshold = 0.9
    assert len(view.instances) == 1
