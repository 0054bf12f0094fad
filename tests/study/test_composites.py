"""Composites: ids are exact, pixels come from where the ids say, and sets can be resumed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagvis_lite.clips import ClipDataset
from tagvis_lite.config import SMOKE
from tagvis_lite.data.davis import read_davis, write_davis
from tagvis_lite.data.youtube_vis import read_youtube_vis
from tagvis_lite.runs import fingerprint
from tagvis_lite.study.composites import composite_set
from tagvis_lite.study.composites.compose import (
    Layer,
    Recipe,
    Wave,
    back_and_forth,
    draw,
    place,
)
from tagvis_lite.study.composites.composite_set import split_sources, write_composites
from tagvis_lite.study.composites.draw import SCORING, TRAINING, Composites, share_shown
from tagvis_lite.study.composites.sources import (
    MARGIN,
    CutOut,
    Scene,
    cover,
    decode_sources,
    read_parts,
    read_sources,
)
from tagvis_lite.video import Video

moderate = settings(max_examples=25, deadline=None)
SIZE = (48, 64)
GREY = {"sea": 0, "park": 30, "road": 60, "wall": 90}


def flat(name: str, *, ids: tuple[int, ...] = (1,), number: int = 10) -> Video:
    """Discs of grey 100 + that of the ground + id that move to the right over a flat ground."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    frames = np.full((number, *SIZE, 3), GREY[name], np.uint8)
    labels = np.zeros((number, *SIZE), np.uint8)
    for t in range(number):
        for k, instance in enumerate(ids):
            disc = np.hypot(y - 14 - 18 * k, x - 16 - 2 * t) < 7
            frames[t][disc] = 100 + GREY[name] + instance
            labels[t][disc] = instance
    return Video(name, frames, labels, dict.fromkeys(ids, 1))


VIDEOS = [flat("sea"), flat("park", ids=(1, 2)), flat("road"), flat("wall", ids=(3,), number=1)]
SOURCES = decode_sources(VIDEOS, SIZE)


def plain(recipe: Recipe) -> Recipe:
    """The same without changes of colour and without blur."""
    layers = (replace(layer, gain=(1, 1, 1), bias=0, blur=0) for layer in recipe.layers)
    return replace(recipe, layers=tuple(layers))


# ---------------------------------------------------------------- what composites are made of


def test_cut_outs_are_whole_objects() -> None:
    """Discs are whole while they touch no side; one that is so for too short is left out."""
    assert [(c.scene, c.instance, len(c.pictures)) for c in SOURCES.cut_outs] == [
        ("sea", 1, 10),
        ("park", 1, 10),
        ("park", 2, 10),
        ("road", 1, 10),
        ("wall", 3, 1),
    ]
    for cut in SOURCES.cut_outs:
        for picture in cut.pictures:
            opaque = picture[picture[..., 3] == 255]
            assert len(opaque) > 100
            assert (opaque[:, :3] == 100 + GREY[cut.scene] + cut.instance).all()
    leaving = flat("sea", number=28)  # its disc is cut by the side from frame 21 on
    (cut,) = decode_sources([leaving], SIZE).cut_outs
    assert len(cut.pictures) == 21
    assert decode_sources([flat("sea", number=7)], SIZE).cut_outs == ()
    touching = Video("v", np.zeros((9, *SIZE, 3), np.uint8), np.ones((9, *SIZE), np.uint8), {1: 1})
    assert decode_sources([touching], SIZE).cut_outs == ()


@moderate
@given(st.integers(1, 80), st.integers(1, 80), st.integers(1, 60), st.integers(1, 60))
def test_cover_fills_without_squeezing(h: int, w: int, height: int, width: int) -> None:
    image = np.broadcast_to(np.arange(w, dtype=np.uint8), (h, w)).copy()
    covered = cover(image, (height, width), labels=True)
    assert covered.shape == (height, width)
    assert set(np.unique(covered)) <= set(range(w))


def test_the_split_is_fixed_and_shares_no_sequence() -> None:
    parts = read_parts()
    names = list(chain.from_iterable(parts.values()))
    assert len(names) == len(set(names))
    assert parts["test"] == ["cows", "drift-turn", "kite-surf", "motocross-bumps", "parkour"]


def test_a_file_that_is_no_split(tmp_path: Path) -> None:
    for text in ("{", "[1]", '{"train": [1]}', '{"train": 1}'):
        (tmp_path / "parts.json").write_text(text)
        with pytest.raises(ValueError, match=r"parts\.json is not of the kind"):
            read_parts(tmp_path / "parts.json")


# ---------------------------------------------------------------- one composite


@moderate
@given(st.integers(0, 10**6), st.sampled_from([1, 5, 30]), st.sampled_from([TRAINING, SCORING]))
def test_ids_shapes_and_purity(seed: int, number: int, mix: object) -> None:
    made = Composites(SOURCES, 3, number, seed=seed, mix=mix)  # type: ignore[arg-type]
    video, recipe = made[1], made.recipe(1)
    times = range(number)
    frames, ids = video.read_frames(times), video.read_ids(times)
    assert frames.shape == (number, *SIZE, 3)
    assert ids.shape == (number, *SIZE)
    assert set(np.unique(ids).tolist()) <= {0, *recipe.instances}
    assert set(video.categories) == set(recipe.instances)
    again = Composites(SOURCES, 3, number, seed=seed, mix=mix)[1]  # type: ignore[arg-type]
    assert np.array_equal(again.read_ids(times), ids), "also before its frames"
    assert np.array_equal(again.read_frames(times[::-1])[::-1], frames)


@moderate
@given(st.integers(0, 10**6))
def test_every_pixel_of_an_id_is_of_that_object(seed: int) -> None:
    """Each object has a grey level of its own; only edges show some of another."""
    mix = replace(TRAINING, shapes=0, extent=(0.2, 0.6))
    recipe = plain(Composites(SOURCES, 1, 20, seed=seed, mix=mix).recipe(0))
    grey = {k: 100 + GREY[recipe.scene.name] + k for k in recipe.scene.own}
    grey |= {
        layer.instance: 100 + GREY[layer.cut.scene] + layer.cut.instance
        for layer in recipe.layers
        if layer.instance
    }
    for t in (0, 10, 19):
        frame, ids = draw(recipe, t)
        for instance, level in grey.items():
            mask = (ids == instance).astype(np.uint8)
            inside = cv2.erode(mask, np.ones((7, 7), np.uint8), borderValue=0) > 0
            assert np.abs(frame[inside].astype(int) - level).max(initial=0) <= 2


def test_a_real_clip_is_left_as_it_is() -> None:
    made = Composites(SOURCES, 1, 12, mix=replace(TRAINING, untouched=1, stills=0))
    recipe, video = replace(made.recipe(0), mirror=False), made[0]
    scene, (height, width) = recipe.scene, SIZE
    assert scene.frames.shape[1:3] == (round(MARGIN * height), round(MARGIN * width))
    for t in range(12):
        frame, ids = draw(recipe, t)
        k = back_and_forth(recipe.start + t, 10)
        windows = [
            np.array_equal(scene.frames[k, y : y + height, x : x + width], frame)
            and np.array_equal(scene.ids[k, y : y + height, x : x + width], ids)
            for y in range(scene.ids.shape[1] - height + 1)
            for x in range(scene.ids.shape[2] - width + 1)
        ]
        assert any(windows)
    assert set(video.categories) == set(scene.own)


BLANK = Scene("blank", np.zeros((1, *SIZE, 3), np.uint8), np.zeros((1, *SIZE), np.uint8), ())


def rectangle(height: int, width: int, grey: int = 200) -> CutOut:
    """The left half is brighter by 40."""
    picture = np.full((height, width, 4), grey, np.uint8)
    picture[:, : width // 2, :3] += 40
    picture[..., 3] = 255
    return CutOut("r", 1, (picture,), np.zeros((1, 2)), float(np.sqrt(height * width)))


def at(x: float, y: float) -> Wave:
    return Wave((x, y))


@moderate
@given(st.floats(0.3, 0.7), st.floats(0.3, 0.7), st.floats(0.5, 1.5), st.booleans())
def test_an_object_lies_where_its_path_says(x: float, y: float, scale: float, mirror: bool) -> None:
    layer = Layer(rectangle(12, 20), 7, scale, at(x, y), mirror=mirror)
    frame, ids = draw(Recipe("c", BLANK, 1, SIZE, (layer,)), 0)
    rows, columns = np.nonzero(ids == 7)
    assert abs(columns.mean() + 0.5 - x * SIZE[1]) < 0.75
    assert abs(rows.mean() + 0.5 - y * SIZE[0]) < 0.75
    assert abs(np.ptp(columns) + 1 - 20 * scale) <= 1.5
    assert abs(np.ptp(rows) + 1 - 12 * scale) <= 1.5
    middle = int(rows.mean())
    left, right = frame[middle, columns.min() + 2, 0], frame[middle, columns.max() - 2, 0]
    assert (int(left) > int(right)) == (not mirror)


def test_turned_bent_and_coloured() -> None:
    quarter = Layer(rectangle(8, 24), 1, 1.0, at(0.5, 0.5), turn=Wave((np.pi / 2, np.pi / 2)))
    _, ids = draw(Recipe("c", BLANK, 1, SIZE, (quarter,)), 0)
    rows, columns = np.nonzero(ids)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (24, 8)
    doubled = Layer(rectangle(8, 12), 1, 1.0, at(0.5, 0.5), shape=Wave((np.log(2), 0)))
    _, ids = draw(Recipe("c", BLANK, 1, SIZE, (doubled,)), 0)
    rows, columns = np.nonzero(ids)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (8, 24)
    dim = Layer(rectangle(8, 12, 100), 1, 1.0, at(0.5, 0.5), gain=(0.5, 1, 1), bias=10)
    frame, _ = draw(Recipe("c", BLANK, 1, SIZE, (dim,)), 0)
    assert frame[24, 28].tolist() == [80, 150, 150]


def test_a_still_bends_as_a_thin_plate() -> None:
    """Points go about where the bend says (it is turned round at the far end), and back."""
    picture = np.zeros((40, 40, 4), np.uint8)
    picture[18:22, 18:22] = 255
    cut = CutOut("dot", 0, (picture,), np.zeros((1, 2)), 40.0)
    bend = tuple((0.1, -0.05) if k == 4 else (0.0, 0.0) for k in range(9))  # the middle point

    def centre(share: float, bend: tuple[tuple[float, float], ...] = bend) -> np.ndarray:
        layer = Layer(cut, 1, 1.0, Wave((0.5, 0.5)), bend=bend, bent=Wave((share, share)))
        placed = place(layer, 0, (64, 64))
        assert placed is not None
        (rows, columns), _, opacity = placed
        y, x = np.nonzero(opacity >= 128)
        return np.array([x.mean() + columns.start, y.mean() + rows.start])

    still = centre(0, ())
    np.testing.assert_allclose(centre(0), still, atol=0.3)
    np.testing.assert_allclose(centre(1) - still, [4, -2], atol=1.1)
    np.testing.assert_allclose(centre(-1) - still, [-4, 2], atol=1.1)
    everywhere = tuple((0.1, 0.1) for _ in range(9))  # a plate that is moved does not bend
    np.testing.assert_allclose(centre(1, everywhere) - still, [4, 4], atol=0.3)


def test_pasted_stills_bend_in_training_alone() -> None:
    layers = [
        layer
        for mix in (TRAINING, SCORING)
        for k in range(40)
        for layer in Composites(SOURCES, 40, mix=mix).recipe(k).layers
        if layer.bend
    ]
    assert layers
    assert all(len(layer.cut.pictures) == 1 and len(layer.bend) == 9 for layer in layers)
    assert not any(
        layer.bend
        for k in range(20)
        for layer in Composites(SOURCES, 20, mix=SCORING).recipe(k).layers
    )


def test_who_hides_whom() -> None:
    ids = np.zeros((1, *SIZE), np.uint8)
    ids[0, 20:28, 10:50] = 5
    scene = Scene("s", np.full((1, *SIZE, 3), 50, np.uint8), ids, (5,))
    first, second = (Layer(rectangle(16, 16), k, 1.0, at(0.5, 0.5)) for k in (1, 2))

    def middle(*layers: Layer) -> int:
        return int(draw(Recipe("c", scene, 1, SIZE, layers), 0)[1][24, 32])

    assert middle() == 5
    assert middle(first) == 1
    assert middle(first, second) == 2
    assert middle(replace(first, behind=(5,))) == 5
    assert middle(replace(first, behind=(4,))) == 1
    assert middle(replace(first, behind=(5,)), second) == 2
    assert middle(second, replace(first, instance=0)) == 0, "what hides objects and is none"
    frame, _ = draw(Recipe("c", scene, 1, SIZE, (replace(first, behind=(5,)),)), 0)
    assert frame[24, 32].tolist() == [50, 50, 50]


def test_objects_leave_and_return() -> None:
    path = Wave((1.0, 0.5), (0.5, 0.0), (0.3, 0.0), (np.pi, 0.0))
    recipe = Recipe("c", BLANK, 22, SIZE, (Layer(rectangle(8, 8), 1, 1.0, path),))
    there = [bool((draw(recipe, t)[1] == 1).any()) for t in range(22)]
    assert there[0]
    assert there[-1]
    assert not all(there)


def test_a_hidden_object_is_not_seen() -> None:
    small, large = Layer(rectangle(8, 8), 1, 1.0, at(0.5, 0.5)), rectangle(30, 30)
    recipe = Recipe("c", BLANK, 3, SIZE, (small, Layer(large, 2, 1.0, at(0.5, 0.5))))
    assert share_shown(recipe) == 0
    assert share_shown(replace(recipe, layers=recipe.layers[:1])) == 1
    half = replace(small, path=at(0.0, 0.5))
    assert share_shown(replace(recipe, layers=(half,))) == pytest.approx(0.5, abs=0.1)


def test_objects_to_be_scored_are_seen() -> None:
    made = Composites(SOURCES, 20, 12, mix=SCORING)
    shown = [share_shown(made.recipe(k)) for k in range(20)]
    assert np.median(shown) >= 0.4
    assert all(2 <= len(made.recipe(k).instances) <= 4 for k in range(20))


# ---------------------------------------------------------------- to train on


def test_every_clip_of_a_training_is_new_and_the_same_in_any_order() -> None:
    config = replace(SMOKE, model=replace(SMOKE.model, num_classes=2))
    frames = config.data.clip_frames + 2
    clips = ClipDataset(Composites(SOURCES, 40, frames), config)
    drawn = [clips[number][1] for number in range(8)]
    assert len({clip.names for clip in drawn}) == 8
    assert len({clip.frames.numpy().tobytes() for clip in drawn}) == 8
    for number in (5, 2):
        assert np.array_equal(clips[number][1].frames, drawn[number].frames)
    assert Composites(SOURCES, 40, frames, seed=1)[0].read_ids([0]).tobytes() != (
        Composites(SOURCES, 40, frames)[0].read_ids([0]).tobytes()
    )


def test_a_training_knows_its_composites_again() -> None:
    made, again = Composites(SOURCES, 3, 4), Composites(SOURCES, 3, 4)
    videos = made[:]
    videos[0].read_frames([0, 1])
    assert fingerprint(videos) == fingerprint(again[:])
    assert fingerprint(made) == fingerprint(again) != fingerprint(Composites(SOURCES, 3, 4, seed=1))


def test_impossible_numbers() -> None:
    for arguments in ({"number": 0}, {"num_frames": 0}, {"seed": -1}):
        with pytest.raises(ValueError, match="expected one or more"):
            Composites(SOURCES, **{"number": 1, **arguments})
    with pytest.raises(ValueError, match="expected 1 <= fewest <= most"):
        Composites(SOURCES, 1, mix=replace(TRAINING, objects=(3, 2)))
    with pytest.raises(ValueError, match="need at least two sequences"):
        Composites(decode_sources(VIDEOS[:1], SIZE), 1)


# ---------------------------------------------------------------- a set on disk

COUNTS = {"train": 3, "validation": 1, "test": 2}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("davis")
    copies = [replace(flat(list(GREY)[k % 3]), name=f"s{k}") for k in range(6)]
    write_davis(path, copies, "train")
    return path


def test_both_layouts_hold_the_same(root: Path, tmp_path: Path) -> None:
    options = {"num_frames": 4, "size": (32, 40)}
    used = write_composites([root], tmp_path / "davis", COUNTS, **options)  # type: ignore[arg-type]
    write_composites(
        [root],
        tmp_path / "youtube",
        COUNTS,
        layout="youtube-vis",
        **options,  # type: ignore[arg-type]
    )
    assert sorted(chain.from_iterable(used.values())) == [f"s{k}" for k in range(6)]
    plan = json.loads((tmp_path / "davis" / "composites.json").read_text())
    for part, number in COUNTS.items():
        videos = read_davis(tmp_path / "davis", part)
        others = read_youtube_vis(
            tmp_path / "youtube" / part / "instances.json", tmp_path / "youtube" / part
        ).videos
        assert len(videos) == len(others) == len(plan["videos"][part]) == number
        for made, video, other in zip(plan["videos"][part], videos, others, strict=True):
            assert video.name == other.name == made["name"]
            seen = {made["scene"], *(text.split(",")[0] for text in made["pasted"].values())}
            assert seen <= set(used[part]), "a split shares no sequence with another"
            ids, others_ids = video.read_ids(range(4)), other.read_ids(range(4))
            assert ids.shape == (4, 32, 40)
            assert np.array_equal(ids > 0, others_ids > 0)


@pytest.mark.parametrize("layout", ["davis", "youtube-vis"])
def test_a_killed_run_goes_on_and_gives_the_same_files(
    layout: composite_set.Layout, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(out: Path, num_frames: int = 3) -> None:
        write_composites([root], out, COUNTS, layout=layout, num_frames=num_frames, size=(32, 40))

    write(tmp_path / "whole")

    def until_killed(videos: object, *_: object, **__: object) -> Iterator[Video]:
        for k, video in enumerate(videos):  # type: ignore[call-overload]
            if k == 2:
                raise KeyboardInterrupt
            yield video

    with monkeypatch.context() as patch:
        patch.setattr(composite_set, "tqdm", until_killed)
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / "part")
    write(tmp_path / "part")
    whole, part = (
        {str(p.relative_to(d)): p.read_bytes() for p in d.rglob("*") if p.is_file()}
        for d in (tmp_path / "whole", tmp_path / "part")
    )
    assert whole == part
    with pytest.raises(FileExistsError, match="other settings"):
        write(tmp_path / "part", num_frames=2)


def test_folders_that_hold_something_else(root: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is there already"):
        write_composites([root], tmp_path, COUNTS)
    (tmp_path / "composites.json").write_text("{")
    with pytest.raises(ValueError, match=r"composites\.json is damaged"):
        write_composites([root], tmp_path, COUNTS)


def test_what_cannot_be_made(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="seed -1"):
        write_composites([root], tmp_path / "x", COUNTS, seed=-1)
    with pytest.raises(ValueError, match="too few for splits"):
        split_sources(["a", "b", "c"], COUNTS, 0)
    with pytest.raises(ValueError, match="composite size"):
        write_composites([root], tmp_path / "x", COUNTS, size=(8, 8))
    with pytest.raises(ValueError, match="no sequence with label maps among nowhere"):
        read_sources([root], ["nowhere"])


def test_real_sources() -> None:
    if "TAGVIS_REAL_DATA" not in os.environ:
        pytest.skip("TAGVIS_REAL_DATA is not set")
    real = Path(os.environ["TAGVIS_REAL_DATA"])
    roots = [real / "DAVIS-2016", real / "DAVIS-2017-first-frames"]
    there = {p.name for root in roots for p in (root / "JPEGImages" / "480p").iterdir()}
    assert there == set(chain.from_iterable(read_parts().values()))
    sources = read_sources(roots, ["motocross-bumps", "drift-turn", "lions"], (48, 84))
    assert [len(scene.frames) > 1 for scene in sources.scenes] == [True, True, False]
    assert {cut.scene for cut in sources.cut_outs} == {"motocross-bumps", "drift-turn", "lions"}
    video = Composites(sources, 1, 4, mix=SCORING)[0]
    assert 2 <= len(np.unique(video.read_ids(range(4)))) <= 10
