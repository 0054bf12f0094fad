"""Composites: ids are exact, pixels come from where the ids say, and sets can be resumed."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagvis_lite.data.davis import read_davis, write_davis
from tagvis_lite.data.find import find_training_data
from tagvis_lite.data.label_maps import write_label_map
from tagvis_lite.data.youtube_vis import read_youtube_vis
from tagvis_lite.study.composites import composite_set
from tagvis_lite.study.composites.compose import (
    CutOut,
    Paste,
    Recipe,
    back_and_forth,
    composite,
    cover,
    soften,
)
from tagvis_lite.study.composites.composite_set import read_sources, split_sources, write_composites
from tagvis_lite.study.composites.draw import draw_recipe, find_objects
from tagvis_lite.video import Video

moderate = settings(max_examples=25, deadline=None)
SIZE = (48, 64)


def flat(name: str, colour: int, *, ids: tuple[int, ...] = (1,), number: int = 10) -> Video:
    """Discs of grey 100 + colour + id that move to the right over a ground of grey `colour`."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    frames = np.full((number, *SIZE, 3), colour, np.uint8)
    labels = np.zeros((number, *SIZE), np.uint8)
    for t in range(number):
        for k, instance in enumerate(ids):
            disc = np.hypot(y - 14 - 18 * k, x - 16 - 2 * t) < 7
            frames[t][disc] = 100 + colour + instance
            labels[t][disc] = instance
    return Video(name, frames, labels, dict.fromkeys(ids, 1))


SOURCES = {
    "sea": flat("sea", 0),
    "park": flat("park", 30, ids=(1, 2), number=12),
    "road": flat("road", 60, number=9),
}
OBJECTS = {name: find_objects(video) for name, video in SOURCES.items()}
COLOUR = {"sea": 0, "park": 30, "road": 60}


def some_recipe(seed: int, **options: object) -> Recipe:
    rng = np.random.default_rng(seed)
    return draw_recipe(rng, "c", SOURCES, OBJECTS, **options)  # type: ignore[arg-type]


recipes = st.builds(
    some_recipe,
    st.integers(0, 10**6),
    num_frames=st.sampled_from([None, 1, 5, 30]),
    size=st.sampled_from([None, (32, 40), (60, 50)]),
)


# ---------------------------------------------------------------- one composite


@moderate
@given(recipes)
def test_ids_and_shapes(recipe: Recipe) -> None:
    video = composite(recipe, SOURCES)
    assert len(video) == recipe.num_frames
    times = range(len(video))
    frames, ids = video.read_frames(times), video.read_ids(times)
    assert frames.shape == (len(video), *recipe.size, 3)
    assert ids.shape == (len(video), *recipe.size)
    assert set(np.unique(ids).tolist()) <= {0, *recipe.order}
    assert set(video.categories) == set(recipe.order) == {*recipe.own, *recipe.pastes}
    assert not set(recipe.own) & set(recipe.pastes)
    assert np.array_equal(frames, composite(recipe, SOURCES).read_frames(times)), "pure"


@moderate
@given(recipes)
def test_every_pixel_of_an_id_is_of_that_object(recipe: Recipe) -> None:
    """Each object has a grey level of its own; only edges, 4 pixels wide, show some of another."""
    video = composite(recipe, SOURCES)
    grey = {
        **{k: 100 + COLOUR[recipe.background] + k for k in recipe.own},
        **{
            k: 100 + COLOUR[paste.cut.source] + paste.cut.instance
            for k, paste in recipe.pastes.items()
        },
    }
    for t in {0, len(video) // 2, len(video) - 1}:
        frame, ids = video.read_frames([t])[0, ..., 0], video.read_ids([t])[0]
        for instance, level in grey.items():
            mask = (ids == instance).astype(np.uint8)
            inside = cv2.erode(mask, np.ones((9, 9), np.uint8), borderValue=0) > 0
            assert np.abs(frame[inside].astype(int) - level).max(initial=0) <= 1
            # two neighbours in front may each take just under half
            assert (frame[mask > 0] >= level * 0.25 - 1).all()


@moderate
@given(recipes)
def test_far_from_what_is_pasted_nothing_changes(recipe: Recipe) -> None:
    recipe = replace(recipe, size=SIZE)
    video = composite(recipe, SOURCES)
    below = SOURCES[recipe.background]
    for t in {0, len(video) - 1}:
        k = back_and_forth(t, len(below))
        frame, ids = video.read_frames([t])[0], video.read_ids([t])[0]
        pasted = np.zeros(SIZE, np.uint8)
        for instance in recipe.pastes:
            alone = replace(recipe, order=(instance,))
            pasted[composite(alone, SOURCES).read_ids([t])[0] == instance] = 1
        near = cv2.dilate(pasted, np.ones((9, 9), np.uint8)) > 0
        assert np.array_equal(frame[~near], below.frames[k][~near])
        assert np.array_equal(ids[~near], below.ids[k][~near])  # type: ignore[index]


@moderate
@given(recipes)
def test_the_one_in_front_hides_the_others(recipe: Recipe) -> None:
    """Ids are those of the objects painted alone, the later in `order` over the earlier."""
    alone = {
        k: composite(replace(recipe, order=(k,)), SOURCES).read_ids([0])[0] == k
        for k in recipe.order
    }
    expected = np.zeros(recipe.size, np.uint8)
    for instance in recipe.order:
        if instance in recipe.pastes:
            expected[alone[instance]] = instance
        else:  # the background shows its own objects in any case
            empty = replace(recipe, order=(), pastes={})
            own = composite(empty, SOURCES).read_ids([0])[0] == instance
            expected[own] = instance
    ids = composite(recipe, SOURCES).read_ids([0])[0]
    assert np.array_equal(ids, expected)
    front = recipe.order[-1]
    if front in recipe.pastes:
        assert np.array_equal(ids == front, alone[front])


CUT = CutOut("sea", 1, first=0, number=10, centre=(25.0, 14.5), extent=14.0)
STILL = Paste(CUT, 0, 1.0, False, (0.5, 0.5), (0.1, 0.1), (0.0, 0.0), (0.0, 0.0))


def test_an_object_at_scale_1_keeps_its_mask() -> None:
    """Its centre, the mean of 25 over time, goes to the middle: 7 to the right, 9.5 down."""
    recipe = Recipe("c", "road", 10, SIZE, (1,), {2: STILL}, (1, 2))
    ids = composite(recipe, SOURCES).read_ids(range(9))
    source = SOURCES["sea"].read_ids(range(9)) == 1
    moved = np.zeros_like(source)
    moved[:, 10:, 7:] = source[:, :-10, :-7]
    assert np.array_equal(ids == 2, moved)


def test_mirror_and_scale() -> None:
    recipe = Recipe("c", "road", 1, SIZE, (1,), {2: STILL}, (1, 2))
    plain = composite(recipe, SOURCES).read_ids([0])[0] == 2
    mirrored = composite(replace(recipe, pastes={2: replace(STILL, mirror=True)}), SOURCES)
    turned = mirrored.read_ids([0])[0] == 2
    assert turned.sum() == plain.sum()
    columns = np.flatnonzero(plain.any(axis=0)), np.flatnonzero(turned.any(axis=0))
    assert columns[0].mean() < SIZE[1] / 2 < columns[1].mean(), "it starts left of its mean centre"
    half = composite(replace(recipe, pastes={2: replace(STILL, scale=0.5)}), SOURCES)
    assert (half.read_ids([0])[0] == 2).sum() == pytest.approx(plain.sum() / 4, rel=0.15)


def test_void_of_the_background_stays_void() -> None:
    below = flat("void", 90)
    assert isinstance(below.ids, np.ndarray)
    below.ids[:, :5] = 255
    recipe = Recipe("c", "void", 3, SIZE, (1,), {2: STILL}, (1, 2))
    ids = composite(recipe, SOURCES | {"void": below}).read_ids([1])[0]
    assert (ids[:5] == 255).all()
    assert (ids[5:] != 255).all()


@given(st.integers(1, 12), st.integers(0, 60))
def test_back_and_forth(number: int, t: int) -> None:
    there = list(range(number))
    walk = there + there[-2:0:-1] if number > 1 else there
    assert back_and_forth(t, number) == walk[t % len(walk)]


@given(st.integers(0, 1000))
def test_opacity_is_half_or_more_exactly_in_the_mask(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((20, 30)) < rng.uniform(0, 0.6)
    picture = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    colour, opacity = soften(picture, mask)
    assert np.array_equal(opacity >= 0.5, mask)
    assert opacity.min() >= 0
    assert opacity.max() <= 1 + 1e-6
    assert np.array_equal(colour[mask], picture[mask])
    if mask.any():
        spread = colour[(opacity > 0) & ~mask]
        inside = picture[mask]
        assert (spread >= inside.min(axis=0) - 0.5).all(), "no halo of other colours"
        assert (spread <= inside.max(axis=0) + 0.5).all()


@pytest.mark.parametrize("size", [(48, 64), (24, 32), (60, 50), (30, 100), (96, 128)])
def test_cover_fills_the_frame_and_keeps_ids(size: tuple[int, int]) -> None:
    ids = SOURCES["park"].read_ids([3])[0]
    covered = cover(ids, size, exact=True)
    assert covered.shape == size
    assert set(np.unique(covered).tolist()) <= {0, 1, 2}
    picture = cover(SOURCES["park"].read_frames([3])[0], size, exact=False)
    assert picture.shape == (*size, 3)
    assert picture[covered == 0].mean() == pytest.approx(30, abs=12)
    assert picture[covered == 1].mean() == pytest.approx(131, abs=12)


def test_a_recipe_survives_json() -> None:
    recipe = some_recipe(3)
    assert Recipe.from_json(json.loads(json.dumps(asdict(recipe)))) == recipe


def test_a_source_that_is_not_there() -> None:
    recipe = Recipe("c", "moon", 3, SIZE, (1,), {2: STILL}, (1, 2))
    with pytest.raises(ValueError, match="no sequence 'moon' with label maps"):
        composite(recipe, SOURCES)


# ---------------------------------------------------------------- drawing


def test_objects_are_cut_out_while_they_are_whole() -> None:
    found = find_objects(flat("long", 0, number=25))
    assert found.first_seen == {1: 0}
    (cut,) = found.cut_outs  # it reaches the right side, column 63, when 16 + 2 t + 6 is 63 or more
    assert (cut.first, cut.number) == (0, 21)
    assert cut.extent == pytest.approx(13, abs=0.01)
    assert cut.centre == pytest.approx((16 + 20 + 0.5, 14.5))


def test_small_and_short_objects_are_not_cut_out() -> None:
    assert find_objects(flat("short", 0, number=7)).cut_outs == []
    labels = np.zeros((10, *SIZE), np.uint8)
    labels[:, 20:22, 20:23] = 1
    tiny = Video("tiny", np.zeros((10, *SIZE, 3), np.uint8), labels, {1: 1})
    assert find_objects(tiny).cut_outs == []


@given(st.integers(0, 10**6), st.sampled_from([(2, 2), (2, 4), (3, 6)]))
@moderate
def test_the_number_of_objects(seed: int, objects: tuple[int, int]) -> None:
    recipe = some_recipe(seed, objects=objects)
    fewest = max(objects[0], len(recipe.own) + 1)
    assert fewest <= len(recipe.order) <= max(objects[1], fewest)
    assert recipe.pastes
    assert all(paste.cut.source != recipe.background for paste in recipe.pastes.values())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"objects": (1, 2)}, "objects are"),
        ({"objects": (4, 3)}, "objects are"),
        ({"num_frames": 0}, "0 frames"),
        ({"size": (8, 64)}, "composite size"),
    ],
)
def test_impossible_numbers(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        some_recipe(0, **options)


def test_nothing_to_paste() -> None:
    only = {"sea": SOURCES["sea"]}
    with pytest.raises(ValueError, match="at least two sequences"):
        draw_recipe(np.random.default_rng(0), "c", only, OBJECTS)


@given(st.integers(6, 40), st.integers(0, 100))
def test_splits_share_no_sequence(number: int, seed: int) -> None:
    names = [f"s{k}" for k in range(number)]
    parts = split_sources(names, {"train": 5, "validation": 1, "test": 3}, seed)
    assert list(parts) == ["train", "validation", "test"]
    assert sorted(chain(*parts.values())) == sorted(names)
    assert min(len(part) for part in parts.values()) >= 2


def test_too_few_sequences_for_the_splits() -> None:
    with pytest.raises(ValueError, match="too few for splits"):
        split_sources(["a", "b", "c"], {"train": 1, "validation": 1, "test": 0}, 0)
    assert split_sources(["a", "b"], {"train": 1, "validation": 0, "test": 0}, 0) == {
        "train": ["a", "b"]
    }


# ---------------------------------------------------------------- a whole set


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six sequences with one object each, in the layout of DAVIS 2016."""
    path = tmp_path_factory.mktemp("sources") / "DAVIS"
    write_davis(path, [flat(f"s{k}", 10 * k) for k in range(6)], "train", year="2016")
    for label_map in path.glob("Annotations/480p/*/*.png"):
        name = label_map.parent.name
        ids = flat(name, 0).read_ids([int(label_map.stem)])[0]
        write_label_map(label_map, ids * np.uint8(255))
    return path


COUNTS = {"train": 2, "validation": 1, "test": 1}


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_set_in_either_layout(root: Path, tmp_path: Path) -> None:
    sources = write_composites(root, tmp_path / "davis", COUNTS, num_frames=4)
    write_composites(root, tmp_path / "youtube", COUNTS, num_frames=4, layout="youtube-vis")
    assert sorted(chain(*sources.values())) == [f"s{k}" for k in range(6)]
    for split, number in COUNTS.items():
        davis = read_davis(tmp_path / "davis", split)
        folder = tmp_path / "youtube" / split
        youtube = read_youtube_vis(folder / "instances.json", folder).videos
        assert [v.name for v in davis] == [v.name for v in youtube]
        assert [v.name for v in davis] == [f"composite-{split}-{i:05d}" for i in range(number)]
        for one, other in zip(davis, youtube, strict=True):
            assert len(one) == len(other) == 4
            ids = one.read_ids(range(4))
            assert np.array_equal(ids > 0, other.read_ids(range(4)) > 0)
    plan = json.loads((tmp_path / "davis" / "composites.json").read_text())
    assert "no real videos" in plan["what"]
    videos = {v.name: v for v in read_sources(root)}
    for split in COUNTS:
        for entry, written in zip(
            plan["videos"][split], read_davis(tmp_path / "davis", split), strict=True
        ):
            recipe = Recipe.from_json(entry)
            used = {recipe.background, *(p.cut.source for p in recipe.pastes.values())}
            assert used <= set(sources[split])
            again = composite(recipe, videos)
            assert np.array_equal(again.read_ids(range(4)), written.read_ids(range(4)))
    assert find_training_data(tmp_path / "davis").num_classes == 2


@pytest.mark.parametrize("layout", ["davis", "youtube-vis"])
def test_a_killed_run_goes_on(
    layout: composite_set.Layout, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    write_composites(root, tmp_path / "whole", COUNTS, num_frames=3, layout=layout)
    real, calls = composite_set.composite, []

    def killed(recipe: Recipe, videos: dict[str, Video]) -> Video:
        calls.append(recipe.name)
        if len(calls) == 2:
            raise Killed
        return real(recipe, videos)

    with monkeypatch.context() as patch:
        patch.setattr(composite_set, "composite", killed)
        with pytest.raises(Killed):
            write_composites(root, tmp_path / "part", COUNTS, num_frames=3, layout=layout)
    done = {path: path.stat().st_mtime_ns for path in (tmp_path / "part").rglob("*.jpg")}
    assert len(done) == 3
    write_composites(root, tmp_path / "part", COUNTS, num_frames=3, layout=layout)
    assert tree(tmp_path / "part") == tree(tmp_path / "whole")
    assert all(path.stat().st_mtime_ns == before for path, before in done.items())
    with pytest.raises(FileExistsError, match="other settings"):
        write_composites(root, tmp_path / "part", COUNTS, num_frames=2, layout=layout)


def test_a_folder_of_something_else(root: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is there already"):
        write_composites(root, tmp_path, COUNTS)
    (tmp_path / "notes.txt").unlink()
    (tmp_path / "composites.json").write_text("{")
    with pytest.raises(ValueError, match="is damaged"):
        write_composites(root, tmp_path, COUNTS)


def test_sources_without_masks(tmp_path: Path) -> None:
    bare = [replace(flat(name, 0), ids=None) for name in "ab"]
    write_davis(tmp_path, bare, "train")
    with pytest.raises(ValueError, match="have no annotations"):
        read_sources(tmp_path)


# ---------------------------------------------------------------- real pixels


@pytest.fixture(scope="module")
def real() -> dict[str, Video]:
    if "TAGVIS_REAL_DATA" not in os.environ:
        pytest.skip("TAGVIS_REAL_DATA is not set")
    videos = read_sources(Path(os.environ["TAGVIS_REAL_DATA"]) / "DAVIS-2016")
    return {video.name: video for video in videos if video.name in ("surf", "motorbike", "tennis")}


def test_real_sequences(real: dict[str, Video]) -> None:
    objects_in = {name: find_objects(video) for name, video in real.items()}
    for name, video in real.items():
        for cut in objects_in[name].cut_outs:
            for t in range(cut.first, cut.first + cut.number, 7):
                ids = video.read_ids([t])[0]
                rim = np.concatenate([ids[0], ids[-1], ids[:, 0], ids[:, -1]])
                assert ids.any()
                assert not rim.any()
    recipe = draw_recipe(
        np.random.default_rng(5), "c", real, objects_in, num_frames=12, size=(240, 427)
    )
    video = composite(recipe, real)
    for t in (0, 11):
        frame, ids = video.read_frames([t])[0], video.read_ids([t])[0]
        below = cover(real[recipe.background].read_frames([t])[0], (240, 427), exact=False)
        changed = (frame != below).any(axis=-1)
        pasted = np.isin(ids, list(recipe.pastes))
        assert pasted.any()
        assert changed[pasted].mean() > 0.9
        assert changed[~pasted].mean() < 0.1, "the background shows through nowhere else"
