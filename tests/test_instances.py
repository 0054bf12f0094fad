"""Clustering of tags: against scikit-learn, and under changes that must not matter."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import find_peaks, peak_prominences
from sklearn.cluster import DBSCAN, MeanShift
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from tagvis_lite.config import InferenceConfig
from tagvis_lite.instances import cluster_instances, prepare
from tagvis_lite.instances.modes import modes_1d, modes_nd, tag_density
from tagvis_lite.video import Prediction

CONFIG = InferenceConfig()
G = 3.0
moderate = settings(max_examples=30, deadline=None)


def logits_of(ids, category_of=None, num_classes=3, confidence=8.0):
    """Logits C x T x h x w that are sure of the background and of each id's class (default 1)."""
    semantic = np.zeros(ids.shape, dtype=np.int64)
    for n in np.unique(ids[ids > 0]):
        semantic[ids == n] = (category_of or {}).get(int(n), 1)
    one_hot = torch.nn.functional.one_hot(torch.from_numpy(semantic), num_classes)
    return confidence * one_hot.permute(3, 0, 1, 2).to(torch.float32)


def random_clip(seed, n, std=0.3, shape=(4, 24, 24)):
    """Ids of n instances of unequal size at random pixels, tags G apart in random order."""
    rng = np.random.default_rng(seed)
    shares = rng.uniform(1, 4, n + 1)
    ids = rng.choice(n + 1, size=shape, p=shares / shares.sum())
    means = np.concatenate([[0], G * rng.permutation(n)])
    noise = np.clip(rng.normal(0, std, shape), -1, 1)
    return ids, torch.from_numpy(means[ids] + noise).to(torch.float32)


def lifted(tags, channels):
    """Tags of one number as tags of `channels` numbers, on a slanted line or on itself."""
    if channels == 1:
        return tags
    direction = torch.tensor([0.8, 0.6, 0.0, 0.0][:channels]).to(tags.dtype)
    return tags[..., None] * direction


channels_1_to_4 = pytest.mark.parametrize("channels", [1, 2, 3, 4])


def same_partition(a, b):
    return adjusted_rand_score(np.ravel(a), np.ravel(b)) == 1.0


@moderate
@given(st.integers(0, 10**6), st.integers(1, 8), st.sampled_from([1, 2, 2, 3]))
def test_instances_a_margin_apart_are_recovered_exactly(seed, n, channels):
    ids, tags = random_clip(seed, n)
    tags = lifted(tags, channels)
    if channels > 1:  # spread in every direction
        noise = np.clip(np.random.default_rng(seed).normal(0, 0.15, tags.shape), -0.3, 0.3)
        tags = tags + torch.from_numpy(noise).to(tags.dtype)
    result = cluster_instances(Prediction(tags, logits_of(ids)), CONFIG)
    assert result.ids.dtype == np.uint8
    assert sorted(np.unique(result.ids)) == list(range(n + 1))
    assert same_partition(result.ids, ids)
    np.testing.assert_array_equal(result.ids == 0, ids == 0)
    sizes = np.bincount(result.ids.ravel())[1:]
    assert (np.diff(sizes) <= 0).all()
    for k, mode in result.modes.items():
        assert np.linalg.norm(mode - tags.numpy()[result.ids == k].mean(0)) < 0.3


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_reference_clusterers_on_separated_modes(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(60, 600, 5)
    centres = np.cumsum(rng.uniform(G, 2 * G, 5))
    values = np.concatenate(
        [rng.uniform(c - 0.6, c + 0.6, n) for c, n in zip(centres, sizes, strict=True)]
    )
    modes, cuts = modes_1d(values, 0.75)
    ours = np.searchsorted(cuts, values)
    column = values[:, None]
    references = {
        "mean shift": MeanShift(bandwidth=1.2, bin_seeding=True).fit_predict(column),
        "dbscan": DBSCAN(eps=0.5, min_samples=5).fit_predict(column),
        "mixture": GaussianMixture(5, means_init=centres[:, None]).fit(column).predict(column),
    }
    for name, labels in references.items():
        assert adjusted_rand_score(labels, ours) == 1.0, name
    np.testing.assert_allclose(modes, centres, atol=0.6)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_modes_in_several_dimensions_agree_with_reference_clusterers(channels):
    rng = np.random.default_rng(channels)
    corners = np.array(list(np.ndindex(*(2,) * channels)), dtype=float)[:7]
    centres = 1.2 * G * corners + rng.uniform(-0.3, 0.3, corners.shape)
    values = np.concatenate(
        [c + rng.normal(0, 0.3, (rng.integers(60, 900), channels)) for c in centres]
    )
    modes, ours = modes_nd(values, 0.75)
    assert len(modes) == len(centres)
    references = {
        "mean shift": MeanShift(bandwidth=1.2, bin_seeding=True).fit_predict(values),
        "mixture": GaussianMixture(len(centres), means_init=centres).fit(values).predict(values),
    }
    for name, labels in references.items():
        assert adjusted_rand_score(labels, ours) > 0.999, name
    centres = centres[np.lexsort(centres.T[::-1])]
    np.testing.assert_allclose(modes[np.lexsort(modes.T[::-1])], modes)
    for centre in centres:
        assert np.linalg.norm(modes - centre, axis=1).min() < 0.25


@pytest.mark.parametrize("seed", range(6))
def test_modes_of_a_line_are_the_same_on_a_plane(seed):
    """Heaps at all distances, from one bump with a shoulder to apart, cut at the same places."""
    rng = np.random.default_rng(seed)
    centres = np.cumsum(rng.uniform(0.5, 1.6, 12))
    values = np.concatenate([rng.normal(c, 0.2, rng.integers(500, 4000)) for c in centres])
    _, density = tag_density(values, 0.5)
    peaks, _ = find_peaks(density)
    shares = np.sort(peak_prominences(density, peaks)[0] / density[peaks])
    widest = np.argsort(-np.diff(shares))[:3]  # thresholds that no mode is near to
    for prominence in (shares[widest] + shares[widest + 1]) / 2:
        modes, cuts = modes_1d(values, 0.5, prominence)
        plane, labels = modes_nd(np.stack([values, 0 * values + 7], 1), 0.5, prominence)
        np.testing.assert_allclose(plane, np.stack([modes, 0 * modes + 7], 1), atol=0.1)
        assert np.mean(np.searchsorted(cuts, values) == labels) > 0.98


@moderate
@given(st.integers(0, 10**6), st.integers(0, 3), st.integers(-2, 2))
def test_axes_order_and_offset_of_vector_tags_do_not_matter(seed, swaps, offset):
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 0.4, (400, 2)) + 1.5 * rng.integers(0, 3, (400, 2))
    modes, labels = modes_nd(values, 0.75)
    order = rng.permutation(len(values))
    changed = values[order] + 1024.0 * offset
    other_modes, other = modes_nd(changed[:, ::-1] if swaps % 2 else changed, 0.75)
    assert same_partition(labels[order], other)
    assert len(modes) == len(other_modes)


def test_a_ring_of_tags_is_one_mode_only_where_its_ripple_is_low():
    """Prominence is judged along the way round, which a plane has and a line has not."""
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 40_000)
    ring = 3 * np.stack([np.cos(angle), np.sin(angle)], 1)
    assert len(modes_nd(ring, 0.75, prominence=0.3)[0]) == 1
    gap = ring[(np.abs(angle - 1) > 0.5) & (np.abs(angle - 4) > 0.5)]
    assert len(modes_nd(gap, 0.75, prominence=0.3)[0]) == 2


def test_scattered_vector_tags_stay_bounded():
    values = 1e12 * np.random.default_rng(0).standard_cauchy((3000, 2))
    modes, labels = modes_nd(values, 0.01)
    assert len(modes) == labels.max() + 1
    assert np.isfinite(modes).all()


def test_density_matches_a_direct_kernel_sum():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 0.4, 300), rng.normal(4, 0.2, 100)])
    positions, density = tag_density(values, bandwidth=0.75)
    fwhm_in_sigmas = 2.354820045
    z = (positions[:, None] - values) / (0.75 / fwhm_in_sigmas)
    direct = np.exp(-0.5 * z**2).sum(axis=1)
    np.testing.assert_allclose(density / density.sum(), direct / direct.sum(), atol=5e-5)
    assert density.sum() == pytest.approx(len(values))


@moderate
@given(st.integers(0, 10**6), st.integers(1, 6), st.floats(-100, 100))
def test_shift_and_reflection_of_all_tags_change_nothing(seed, n, shift):
    ids, tags = random_clip(seed, n)
    logits = logits_of(ids)
    before = cluster_instances(Prediction(tags, logits), CONFIG)
    for changed in (tags + shift, -tags):
        after = cluster_instances(Prediction(changed, logits), CONFIG)
        assert same_partition(before.ids, after.ids)
    shifted = cluster_instances(Prediction(tags + shift, logits), CONFIG)
    for k, mode in before.modes.items():
        assert shifted.modes[k] == pytest.approx(mode + shift, abs=0.1)


@moderate
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_permuting_the_pixels_permutes_the_result(seed, n):
    ids, tags = random_clip(seed, n, std=0.6)  # overlapping: not only the easy case
    order = torch.from_numpy(np.random.default_rng(seed).permutation(tags.numel()))
    logits = logits_of(ids)
    before = cluster_instances(Prediction(tags, logits), CONFIG)
    after = cluster_instances(
        Prediction(
            tags.flatten()[order].view_as(tags),
            logits.flatten(1)[:, order].view_as(logits),
        ),
        CONFIG,
    )
    np.testing.assert_array_equal(after.ids.ravel(), before.ids.ravel()[order.numpy()])
    assert after.modes == before.modes
    assert after.scores == pytest.approx(before.scores)


@moderate
@given(st.permutations(range(5)), st.integers(0, 10**6))
def test_which_instance_got_which_tag_does_not_matter(order, seed):
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.arange(6), [700, 100, 200, 300, 400, 500])
    rng.shuffle(ids)
    ids = ids.reshape(4, 22, 25)
    means = G * np.concatenate([[0], np.array(order)])
    tags = torch.from_numpy(means[ids] + rng.uniform(-0.5, 0.5, ids.shape))
    result = cluster_instances(Prediction(tags, logits_of(ids)), CONFIG)
    np.testing.assert_array_equal(result.ids, np.array([0, 5, 4, 3, 2, 1])[ids])


@moderate
@given(
    st.integers(0, 10**6),
    st.booleans(),
    st.lists(st.tuples(st.floats(0, 0.99), st.floats(0.05, 5)), min_size=1, max_size=4),
)
def test_a_prediction_read_once_gives_the_same_at_every_setting(seed, semantics, chosen):
    ids, tags = random_clip(seed, 3, std=0.6)
    noise = torch.from_numpy(np.random.default_rng(seed).normal(0, 3, (3, *ids.shape)))
    logits = logits_of(ids, confidence=4.0) + noise if semantics else None
    prediction = Prediction(tags, logits)
    reading = prepare(prediction)
    for foreground, bandwidth in chosen:
        config = replace(CONFIG, foreground=foreground, bandwidth=bandwidth)
        once, again = (cluster_instances(p, config) for p in (reading, prediction))
        np.testing.assert_array_equal(once.ids, again.ids)
        assert (once.categories, once.scores) == (again.categories, again.scores)
        assert once.modes == again.modes


def test_density_is_the_same_for_sorted_and_shuffled_tags():
    values = np.random.default_rng(0).normal(0, 2, 500)
    for found, wanted in zip(
        tag_density(np.sort(values), 0.5), tag_density(values, 0.5), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)


def test_tags_of_the_background_may_be_anything():
    ids, tags = random_clip(0, 3)
    wanted = cluster_instances(Prediction(tags, logits_of(ids)), CONFIG)
    tags[torch.from_numpy(ids == 0)] = np.nan
    plane = cluster_instances(Prediction(lifted(tags, 2), logits_of(ids)), CONFIG)
    np.testing.assert_array_equal(plane.ids, wanted.ids)
    found = cluster_instances(Prediction(tags, logits_of(ids)), CONFIG)
    np.testing.assert_array_equal(found.ids, wanted.ids)
    assert found.scores == wanted.scores


def test_no_foreground_gives_no_instances():
    tags = torch.randn(3, 8, 8)
    logits = torch.stack([torch.full((3, 8, 8), 5.0), torch.zeros(3, 8, 8)])
    result = cluster_instances(Prediction(tags, logits), CONFIG)
    assert result.ids.shape == (3, 8, 8)
    assert not result.ids.any()
    assert (result.categories, result.scores, result.modes) == ({}, {}, {})


def two_squares():
    """Two instances of 40 % of the pixels each, meeting in a blurred edge of 10 %."""
    ids = np.ones((2, 40, 40), dtype=np.int64)
    ids[:, :, 20:] = 2
    tags = G * (ids - 1) + np.random.default_rng(0).normal(0, 0.2, ids.shape)
    ramp = np.linspace(0, G, 6)[1:-1]
    tags[:, :, 18:22] = ramp
    return ids, torch.from_numpy(tags).to(torch.float32)


def test_tags_blended_at_an_edge_make_no_instance():
    ids, tags = two_squares()
    result = cluster_instances(Prediction(tags, logits_of(ids)), CONFIG)
    assert sorted(np.unique(result.ids)) == [1, 2]
    assert same_partition(result.ids, ids)


@channels_1_to_4
def test_a_small_group_joins_a_near_mode_and_one_on_its_own_becomes_background(channels):
    ids, _ = two_squares()
    tags = torch.from_numpy(G * (ids - 1.0))
    tags[0, 0, :2] = 1.45  # a mode of its own between the two, nearer to the first
    tags[1, 0, :2] = 40.0
    result = cluster_instances(
        Prediction(lifted(tags, channels), logits_of(ids)),
        replace(CONFIG, min_area=3 / tags.numel()),
    )
    assert set(np.unique(result.ids)) == {0, 1, 2}
    assert (result.ids[0, 0, :2] == result.ids[0, 20, 0]).all()
    assert (result.ids[1, 0, :2] == 0).all()
    assert (result.ids == 0).sum() == 2


@channels_1_to_4
@pytest.mark.parametrize(("distance", "joins"), [(1.4, True), (1.6, False)])
def test_a_small_group_joins_within_two_bandwidths(distance, joins, channels):
    tags = torch.zeros(1, 10, 10)
    tags[0, 0, :2] = distance
    prediction = Prediction(lifted(tags, channels), logits_of(np.ones((1, 10, 10), dtype=np.int64)))
    config = replace(CONFIG, bandwidth=0.75, prominence=0.1, min_area=0.03)
    result = cluster_instances(prediction, config)
    assert (result.ids[0, 0, :2] == (1 if joins else 0)).all()
    assert (result.ids[0, 1:] == 1).all()


def test_two_heaps_are_cut_in_the_middle_of_an_empty_stretch():
    modes, (cut,) = modes_1d(np.repeat([0.0, 2.9], 50), 0.75)
    assert modes.tolist() == pytest.approx([0, 2.9], abs=0.05)
    assert cut == pytest.approx(1.45, abs=0.05)


@pytest.mark.parametrize("turns", range(4))
def test_every_side_of_the_frame_counts_as_border(turns):
    """One group has a whole side; those on the other three are more pixels, but of three groups."""
    side = np.full((10, 10), 9)
    side[0] = 1
    side[1:, 0], side[1:, 9], side[9, 1:9] = 2, 3, 4
    ids = np.rot90(side, turns)[None].copy()
    result = cluster_instances(
        Prediction(torch.from_numpy(G * ids.astype(np.float32)), None), CONFIG
    )
    np.testing.assert_array_equal(result.ids == 0, ids == 1)


@channels_1_to_4
def test_small_groups_near_each_other_add_up_to_an_instance(channels):
    tags = torch.zeros(1, 10, 10)
    tags[0, 0] = torch.tensor([9.0] * 4 + [10.4] * 3 + [0.0] * 3)
    prediction = Prediction(lifted(tags, channels), logits_of(np.ones((1, 10, 10), dtype=np.int64)))
    for min_area, expected in ((0.03, 3), (0.04, 2), (0.07, 2), (0.08, 1)):
        result = cluster_instances(prediction, replace(CONFIG, min_area=min_area))
        assert len(result.modes) == expected


@channels_1_to_4
def test_min_area_is_a_share_of_the_clips_pixels(channels):
    ids = np.zeros((1, 20, 50), dtype=np.int64)
    ids[0, :10, :10] = 1
    ids[0, 15, :20] = 2
    tags = lifted(torch.from_numpy(G * ids.astype(np.float32)), channels)
    prediction = Prediction(tags, logits_of(ids))
    assert cluster_instances(prediction, replace(CONFIG, min_area=0.02)).ids.max() == 2
    assert cluster_instances(prediction, replace(CONFIG, min_area=0.0201)).ids.max() == 1
    assert cluster_instances(prediction, replace(CONFIG, min_area=0.101)).ids.max() == 0


def test_max_instances_keeps_the_largest():
    ids = np.repeat(np.arange(6), [100, 10, 20, 30, 40, 50]).reshape(1, 10, 25)
    tags = torch.from_numpy(G * ids.astype(np.float32))
    result = cluster_instances(
        Prediction(tags, logits_of(ids)), replace(CONFIG, max_instances=2, min_area=0)
    )
    np.testing.assert_array_equal(result.ids, np.array([0, 0, 0, 0, 2, 1])[ids])
    assert list(result.modes.values()) == pytest.approx([15.0, 12.0], abs=0.1)


@channels_1_to_4
@pytest.mark.parametrize("outlier", [1e6, -1e30])
def test_one_huge_tag_changes_nothing_else(outlier, channels):
    ids, tags = random_clip(0, 4)
    tags, logits = lifted(tags, channels), logits_of(ids)
    before = cluster_instances(Prediction(tags, logits), CONFIG)
    where = tuple(np.argwhere(ids > 0)[0])
    tags[where] = outlier  # in every number of the tag
    after = cluster_instances(Prediction(tags, logits), CONFIG)
    changed = np.argwhere(before.ids != after.ids)
    assert [tuple(c) for c in changed] in ([], [where])
    assert len(after.modes) == 4


def test_density_of_scattered_tags_stays_bounded():
    values = 1e12 * np.random.default_rng(0).standard_cauchy(20_000)
    positions, density = tag_density(values, 0.01)
    assert len(positions) == len(density) < 100_000
    assert (np.diff(positions) >= 0).all()


def test_a_tight_pair_far_away_is_still_two_modes():
    near = np.repeat([0.0, 3.0], 50)
    modes, _ = modes_1d(np.concatenate([near, near + 1e7]), 0.75)
    np.testing.assert_allclose(modes, [0, 3, 1e7, 1e7 + 3], atol=0.1)


@given(st.floats(-1e6, 1e6), st.integers(1, 50))
def test_equal_tags_are_one_mode(value, n):
    modes, cuts = modes_1d(np.full(n, value), 0.75)
    assert modes.tolist() == pytest.approx([value])
    assert cuts.size == 0


def test_a_small_mode_is_not_swallowed_by_one_thirty_times_larger():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 0.35, 30_000), rng.normal(G, 0.35, 1000)])
    modes, cuts = modes_1d(values, CONFIG.bandwidth)
    assert len(modes) == 2
    assert 1 < cuts[0] < 2.2


@channels_1_to_4
def test_category_and_score(channels):
    ids = np.zeros((2, 10, 10), dtype=np.int64)
    ids[:, :5] = 1
    ids[:, 7:] = 2
    tags = torch.from_numpy(G * ids.astype(np.float32))
    tags[:, 0, :] += 1.0  # a fifth of instance 1 lies more than one bandwidth off its mode
    p = torch.zeros(4, 2, 10, 10)
    p[0] = 1.0
    for n, row in ((1, [0.1, 0.2, 0.4, 0.3]), (2, [0.2, 0.7, 0.1, 0.0])):
        p[:, torch.from_numpy(ids == n)] = torch.tensor(row)[:, None]
    prediction = Prediction(lifted(tags, channels), p.clamp(min=1e-9).log())
    result = cluster_instances(prediction, CONFIG)
    assert result.categories == {1: 2, 2: 1}
    assert result.scores[1] == pytest.approx(0.4 * 0.8, rel=1e-4)
    assert result.scores[2] == pytest.approx(0.7, rel=1e-4)


def test_the_score_may_be_the_probability_alone():
    ids = np.ones((1, 10, 10), dtype=np.int64)
    tags = torch.zeros(1, 10, 10)
    tags[:, :2] = 1.0  # a fifth lies more than one bandwidth off the mode
    prediction = Prediction(
        tags, torch.tensor([0.4, 0.6]).log().view(2, 1, 1, 1).expand(2, *ids.shape)
    )
    both, alone = (
        cluster_instances(prediction, replace(CONFIG, prominence=0.9, score=score)).scores
        for score in ("probability_and_compactness", "probability")
    )
    assert both == {1: pytest.approx(0.6 * 0.8)}
    assert alone == {1: pytest.approx(0.6)}


def test_classes_with_a_sigmoid_each_may_claim_a_pixel_together():
    tags = torch.zeros(1, 2, 2)
    logits = torch.full((3, 1, 2, 2), 3.0)  # background and both classes, all of them sure
    logits[0, 0, 0] = -3.0
    assert cluster_instances(Prediction(tags, logits), CONFIG).ids.max() == 1
    result = cluster_instances(Prediction(tags, logits, sigmoid=True), CONFIG)
    np.testing.assert_array_equal(result.ids[0], [[1, 1], [0, 0]])
    assert result.scores[1] == pytest.approx(1 / (1 + np.exp(-3)))


def test_the_mean_decides_the_category_not_the_majority():
    p = torch.tensor([[0.0, 0.55, 0.45]] * 3 + [[0.0, 0.1, 0.9]] * 2).T.reshape(3, 1, 1, 5)
    result = cluster_instances(Prediction(torch.zeros(1, 1, 5), p.clamp(min=1e-9).log()), CONFIG)
    assert result.categories == {1: 2}


@moderate
@given(st.integers(0, 10**6), st.integers(0, 5))
def test_without_semantics_the_background_is_the_group_at_the_border(seed, n):
    rng = np.random.default_rng(seed)
    ids = np.zeros((3, 20, 36), dtype=np.int64)
    edges = np.linspace(1, 35, n + 1).astype(int)
    for k in range(n):  # up to five sixths of the pixels, for n = 1 in one instance
        ids[:, 1:-1, edges[k] : edges[k + 1]] = k + 1
    means = G * rng.permutation(n + 1)
    tags = torch.from_numpy(means[ids] + rng.uniform(-0.5, 0.5, ids.shape))
    tags = lifted(tags, 1 + seed % 2)
    result = cluster_instances(Prediction(tags, None), CONFIG)
    np.testing.assert_array_equal(result.ids > 0, ids > 0)
    assert same_partition(result.ids, ids)
    assert set(result.categories.values()) <= {1}
    assert result.scores == pytest.approx(dict.fromkeys(range(1, n + 1), 1.0))


def test_without_semantics_max_instances_does_not_count_the_background():
    ids = np.zeros((1, 10, 10), dtype=np.int64)
    ids[:, 2:5, 2:8], ids[:, 6:8, 2:8] = 1, 2
    tags = torch.from_numpy(G * ids.astype(np.float32))
    result = cluster_instances(Prediction(tags, None), replace(CONFIG, max_instances=2))
    np.testing.assert_array_equal(result.ids, ids)


def test_low_precision_predictions_are_accepted():
    ids, tags = random_clip(1, 3)
    prediction = Prediction(tags.to(torch.bfloat16), logits_of(ids).to(torch.bfloat16))
    assert same_partition(cluster_instances(prediction, CONFIG).ids, ids)


def test_the_prediction_is_left_as_it_was():
    ids, tags = random_clip(2, 3)
    logits = logits_of(ids)
    copies = tags.clone(), logits.clone()
    cluster_instances(Prediction(tags, logits), CONFIG)
    assert torch.equal(tags, copies[0])
    assert torch.equal(logits, copies[1])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_tags_that_are_not_finite_are_refused(bad):
    ids, tags = random_clip(0, 2)
    tags[tuple(np.argwhere(ids > 0)[0])] = bad
    for channels in (1, 2):
        with pytest.raises(ValueError, match=r"[12] of .* NaN or infinite"):
            cluster_instances(Prediction(lifted(tags, channels), logits_of(ids)), CONFIG)


def test_logits_that_are_not_finite_are_refused():
    ids, tags = random_clip(0, 2)
    logits = logits_of(ids)
    logits[0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="semantic logits hold NaN"):
        cluster_instances(Prediction(tags, logits), CONFIG)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bandwidth": 0.0}, "bandwidth is 0.0"),
        ({"bandwidth": np.nan}, "bandwidth is nan"),
        ({"max_instances": 0}, "max_instances is 0"),
        ({"max_instances": 254}, "max_instances is 254"),
        ({"min_area": -0.1}, "min_area is -0.1"),
        ({"foreground": 1.0}, "foreground is 1.0"),
    ],
)
def test_config_values_out_of_range_are_refused(change, message):
    ids, tags = random_clip(0, 2)
    with pytest.raises(ValueError, match=message):
        cluster_instances(Prediction(tags, logits_of(ids)), replace(CONFIG, **change))


def test_a_batch_and_a_single_class_are_refused():
    with pytest.raises(ValueError, match="take one clip"):
        cluster_instances(Prediction(torch.zeros(1, 2, 8, 8), None), CONFIG)
    with pytest.raises(ValueError, match="one class"):
        cluster_instances(Prediction(torch.zeros(2, 4, 4), torch.zeros(1, 2, 4, 4)), CONFIG)


@pytest.mark.parametrize("values", [np.zeros(0), np.zeros((2, 2))])
def test_modes_of_nothing_or_of_a_matrix_are_refused(values):
    with pytest.raises(ValueError, match="expected a non-empty 1-D array"):
        modes_1d(values, 0.75)
    with pytest.raises(ValueError, match="expected a non-empty 2-D array"):
        modes_nd(values.ravel(), 0.75)
