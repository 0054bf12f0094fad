"""The DAVIS layout: exact label maps, both conventions of 255, and errors that name the file."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from tagvis_lite.data.davis import read_davis, write_davis
from tagvis_lite.data.label_maps import PALETTE, read_label_map, write_label_map
from tagvis_lite.video import Video

moderate = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
HEIGHT, WIDTH = 12, 16
LABEL_MAPS = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=20))


def some_video(name: str, number: int = 3, *, seed: int = 0, labels: bool = True) -> Video:
    """Grey frames of level 20 t with instances 1, 2 and void (255) at random."""
    rng = np.random.default_rng(seed)
    frames = np.stack([np.full((HEIGHT, WIDTH, 3), 20 * t, np.uint8) for t in range(number)])
    ids = rng.choice(np.array([0, 0, 1, 2, 255], np.uint8), (number, HEIGHT, WIDTH))
    return Video(name, frames, ids if labels else None, {1: 1, 2: 1} if labels else {})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A DAVIS root with sequences 'bear' and 'cows' in its split 'val'."""
    write_davis(tmp_path / "DAVIS", [some_video("bear"), some_video("cows", seed=1)], "val")
    return tmp_path / "DAVIS"


def make_binary(root: Path) -> None:
    """Turn the label maps of a root into masks of DAVIS 2016."""
    (root / "Annotations_unsupervised").rename(root / "Annotations")
    for path in root.glob("Annotations/*/*/*.png"):
        mask = np.where(read_label_map(path) > 0, np.uint8(255), np.uint8(0))
        Image.fromarray(mask).save(path)


# ---------------------------------------------------------------- one label map


def test_palette_is_the_voc_colour_map() -> None:
    known = {
        0: (0, 0, 0),
        1: (128, 0, 0),
        2: (0, 128, 0),
        3: (128, 128, 0),
        4: (0, 0, 128),
        7: (128, 128, 128),
        8: (64, 0, 0),
        20: (0, 64, 128),
        255: (224, 224, 192),
    }
    assert PALETTE.shape == (256, 3)
    assert PALETTE.dtype == np.uint8
    assert {i: tuple(PALETTE[i].tolist()) for i in known} == known
    assert len(np.unique(PALETTE, axis=0)) == 256


@moderate
@given(ids=LABEL_MAPS)
def test_label_map_round_trip(tmp_path: Path, ids: np.ndarray) -> None:
    path = tmp_path / "new" / "map.png"
    write_label_map(path, ids)
    read = read_label_map(path)
    assert read.dtype == np.uint8
    assert np.array_equal(read, ids)
    assert [p.name for p in path.parent.iterdir()] == ["map.png"]
    with Image.open(path) as image:
        assert (image.format, image.mode) == ("PNG", "P")
    in_colours = np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR))
    assert np.array_equal(in_colours[..., ::-1], PALETTE[ids])


@moderate
@given(ids=LABEL_MAPS)
def test_grey_and_1_bit_label_maps(tmp_path: Path, ids: np.ndarray) -> None:
    path = tmp_path / "map.png"
    cv2.imwrite(str(path), ids)
    assert np.array_equal(read_label_map(path), ids)
    binary = ids > 127
    Image.fromarray(binary).save(path)
    assert np.array_equal(read_label_map(path), binary.astype(np.uint8))
    Image.fromarray(ids % 4).quantize(4).save(path, bits=2)
    with Image.open(path) as image:
        assert np.array_equal(read_label_map(path), np.asarray(image))


@moderate
@given(ids=LABEL_MAPS, transparent=st.integers(0, 255))
def test_ids_are_those_of_the_file_whatever_its_palette_and_row_filters(
    tmp_path: Path, ids: np.ndarray, transparent: int
) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    height, width = ids.shape
    # Each row as its difference to the one above: filter 2.
    rows = np.insert(np.diff(ids, axis=0, prepend=np.zeros((1, width), np.uint8)), 0, 2, axis=1)
    path = tmp_path / "map.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
        + chunk(b"PLTE", bytes([7, 7, 7]) * 256)
        + chunk(b"tRNS", bytes([255] * transparent + [0]))
        + chunk(b"IDAT", zlib.compress(rows.tobytes()))
        + chunk(b"IEND", b"")
    )
    assert np.array_equal(read_label_map(path), ids)


def grey_png_of_4_bits(path: Path) -> None:
    """Two pixels, grey levels 1 and 2 of 15, which decoders turn into 17 and 34."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", 2, 1, 4, 0, 0, 0, 0)
    pixels = zlib.compress(b"\x00\x12")
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "I;16"])
def test_colours_are_no_ids(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "map.png"
    Image.new(mode, (4, 3)).save(path)
    with pytest.raises(ValueError, match=r"map\.png holds pixels of mode .*palette"):
        read_label_map(path)


def test_stretched_grey_levels_are_no_ids(tmp_path: Path) -> None:
    grey_png_of_4_bits(tmp_path / "map.png")
    with Image.open(tmp_path / "map.png") as image:
        assert np.asarray(image).tolist() == [[17, 34]]
    with pytest.raises(ValueError, match=r"map\.png holds grey levels of 2 or 4 bits"):
        read_label_map(tmp_path / "map.png")


def test_what_is_no_png_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "map.png"
    with pytest.raises(FileNotFoundError, match=r"map\.png"):
        read_label_map(path)
    ids = np.random.default_rng(0).integers(0, 256, (20, 20), np.uint8)
    write_label_map(path, ids)
    whole = path.read_bytes()
    Image.fromarray(ids).save(tmp_path / "map.jpg")
    for content in [
        b"",
        whole[:100],
        whole[: len(whole) // 3],
        (tmp_path / "map.jpg").read_bytes(),
    ]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"map\.png cannot be decoded as PNG"):
            read_label_map(path)


def test_damage_that_checksums_hide_is_one_error_and_libpng_says_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """As of a faulty writer: every chunk is as its checksum says, but the pixels cannot be had."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 20, 20, 8, 0, 0, 0, 0)
    pixels = zlib.compress(np.random.default_rng(0).bytes(20 * 21))
    path = tmp_path / "map.png"
    for damaged in (pixels[:200], pixels[:100] + b"\xff" * 9 + pixels[109:], b""):
        parts = chunk(b"IHDR", header) + chunk(b"IDAT", damaged) + chunk(b"IEND", b"")
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
        with pytest.raises(ValueError, match=r"map\.png cannot be decoded as PNG"):
            read_label_map(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "ids",
    [
        np.zeros((3, 4), np.int64),
        np.zeros((3, 4), bool),
        np.zeros((3, 4, 3), np.uint8),
        np.zeros((0, 4), np.uint8),
    ],
)
def test_only_label_maps_are_written(tmp_path: Path, ids: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"map\.png.*expected uint8 H x W"):
        write_label_map(tmp_path / "map.png", ids)
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- a root


@moderate
@given(
    lengths=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    seed=st.integers(0, 1000),
)
def test_root_round_trip(tmp_path: Path, lengths: list[int], seed: int) -> None:
    root = tmp_path / "DAVIS"
    shutil.rmtree(root, ignore_errors=True)
    videos = [
        some_video(f"sequence-{k}", number, seed=seed + k) for k, number in enumerate(lengths)
    ]
    write_davis(root, iter(videos), "mine")
    read = read_davis(root, "mine")
    assert [video.name for video in read] == [video.name for video in videos]
    for written, video in zip(videos, read, strict=True):
        everything = range(len(written))
        assert list(video.frame_names) == list(written.frame_names)
        assert np.array_equal(video.read_ids(everything), written.ids)  # type: ignore[arg-type]
        frames = video.read_frames(everything).astype(int)
        assert abs(frames - written.read_frames(everything)).max() <= 2
        assert video.categories[1] == video.categories[254] == 1
    assert not list(root.rglob(".*"))


def test_frame_names_are_kept(tmp_path: Path) -> None:
    names = ["00000", "00005", "00010"]
    video = some_video("bear")
    write_davis(tmp_path, [Video("bear", video.frames, video.ids, {}, names)], "val")
    assert list(read_davis(tmp_path)[0].frame_names) == names


def test_videos_pickle_as_paths(root: Path) -> None:
    video = read_davis(root)[0]
    copied = pickle.loads(pickle.dumps(video))
    assert np.array_equal(copied.read_ids([1]), video.read_ids([1]))
    assert len(pickle.dumps(video)) < 10_000


def test_annotations_of_the_unsupervised_task_come_first(root: Path) -> None:
    shutil.copytree(root / "Annotations_unsupervised", root / "Annotations")
    other = np.full((HEIGHT, WIDTH), 9, np.uint8)
    write_label_map(root / "Annotations" / "480p" / "bear" / "00000.png", other)
    assert 9 not in read_davis(root)[0].read_ids([0])
    shutil.rmtree(root / "Annotations_unsupervised")
    assert np.array_equal(read_davis(root)[0].read_ids([0])[0], other)


def test_a_sequence_without_annotations_has_no_ids(root: Path, tmp_path: Path) -> None:
    shutil.rmtree(root / "Annotations_unsupervised" / "480p" / "cows")
    bear, cows = read_davis(root)
    assert bear.ids is not None
    assert (cows.ids, dict(cows.categories)) == (None, {})
    write_davis(tmp_path / "frames", [some_video("bear", labels=False)], "test-challenge")
    assert not (tmp_path / "frames" / "Annotations_unsupervised").exists()
    assert read_davis(tmp_path / "frames", "test-challenge")[0].ids is None


def test_lists_of_2016_hold_pairs_of_files(root: Path) -> None:
    pairs = [
        f"/JPEGImages/480p/{name}/{t:05d}.jpg /Annotations/480p/{name}/{t:05d}.png"
        for name in ("cows", "bear")
        for t in range(3)
    ]
    listing = root / "ImageSets" / "2016" / "train.txt"
    listing.parent.mkdir()
    listing.write_text("\r\n".join(pairs) + "\r\n\r\n")
    make_binary(root)
    for year in ("2016", None):
        assert [v.name for v in read_davis(root, "train", year=year)] == ["cows", "bear"]
    listing.parent.rename(root / "ImageSets" / "480p")
    cows, bear = read_davis(root, "train")
    assert (cows.name, bear.name, cows.read_ids([0]).max()) == ("cows", "bear", 1)


def test_other_files_in_a_sequence_are_ignored(root: Path) -> None:
    for folder in root.glob("*/480p/bear"):
        (folder / "._00000.jpg").write_text("left by an archiver")
        (folder / "._00000.png").write_text("left by an archiver")
        (folder / "Thumbs.db").write_text("left by a file manager")
    assert len(read_davis(root)[0]) == 3


def test_every_sequence_that_has_frames_needs_no_list(root: Path) -> None:
    shutil.rmtree(root / "ImageSets")
    assert [video.name for video in read_davis(root, None)] == ["bear", "cows"]


def test_another_resolution_is_read_where_it_is_the_only_one(root: Path) -> None:
    for path in root.glob("*/480p"):
        path.rename(path.with_name("Full-Resolution"))
    assert read_davis(root)[0].read_ids([0]).shape == (1, HEIGHT, WIDTH)
    (root / "JPEGImages" / "1080p").mkdir()
    with pytest.raises(NotADirectoryError, match=r"480p: no such.*'1080p', 'Full-Resolution'"):
        read_davis(root)


# ---------------------------------------------------------------- 255: void, or the object


def test_masks_of_2016_are_recognised(root: Path) -> None:
    make_binary(root)
    with pytest.raises(ValueError, match=r"00000\.png .*pass single_object=True"):
        read_davis(root)
    for video in read_davis(root, single_object=True):
        assert set(np.unique(video.read_ids(range(3))).tolist()) == {0, 1}
        assert video.categories[1] == 1


def test_masks_of_2016_are_recognised_after_empty_frames(root: Path) -> None:
    make_binary(root)
    empty = np.zeros((HEIGHT, WIDTH), np.uint8)
    write_label_map(root / "Annotations" / "480p" / "bear" / "00000.png", empty)
    with pytest.raises(ValueError, match=r"bear.00001\.png .*pass single_object=True"):
        read_davis(root)


def test_single_object_is_refused_for_masks_of_2017(root: Path) -> None:
    with pytest.raises(ValueError, match=r"00000\.png mixes 255 with ids .*drop single"):
        read_davis(root, single_object=True)


def test_a_frame_with_void_alone_is_no_mask_of_2016(root: Path) -> None:
    void = np.full((HEIGHT, WIDTH), 255, np.uint8)
    path = root / "Annotations_unsupervised" / "480p" / "bear" / "00000.png"
    write_label_map(path, void)
    assert np.array_equal(read_davis(root)[0].read_ids([0])[0], void)


def test_a_sequence_without_objects_is_read(root: Path) -> None:
    for path in (root / "Annotations_unsupervised" / "480p" / "bear").iterdir():
        write_label_map(path, np.zeros((HEIGHT, WIDTH), np.uint8))
    assert not read_davis(root)[0].read_ids(range(3)).any()


# ---------------------------------------------------------------- errors


def remove(path: str) -> Callable[[Path], object]:
    def change(root: Path) -> None:
        target = root / path
        shutil.rmtree(target) if target.is_dir() else target.unlink()

    return change


def empty(path: str) -> Callable[[Path], object]:
    def change(root: Path) -> None:
        for file in (root / path).iterdir():
            file.unlink()

    return change


def write(path: str, content: bytes) -> Callable[[Path], object]:
    return lambda root: (root / path).write_bytes(content)


def write_map(path: str, height: int, width: int) -> Callable[[Path], object]:
    return lambda root: write_label_map(root / path, np.ones((height, width), np.uint8))


LIST = "ImageSets/2017/val.txt"
MAPS = "Annotations_unsupervised/480p/bear"
FRAMES = "JPEGImages/480p/bear"
BROKEN: dict[str, tuple[Callable[[Path], object], type[Exception], str]] = {
    "no root": (lambda root: shutil.rmtree(root), NotADirectoryError, "DAVIS: no such folder"),
    "no frames": (remove("JPEGImages"), NotADirectoryError, "JPEGImages.480p: no such"),
    "no lists": (
        remove("ImageSets"),
        FileNotFoundError,
        r"2017.val\.txt: no such list; write one",
    ),
    "no split": (
        lambda root: (root / LIST).rename(root / "ImageSets/2017/train.txt"),
        FileNotFoundError,
        r"val\.txt: no such list; splits here are train: choose one",
    ),
    "empty list": (write(LIST, b"\n \n"), ValueError, r"val\.txt is empty"),
    "list is no text": (write(LIST, b"\xff\xfe\x00"), ValueError, r"val\.txt is no text"),
    "hostile list": (write(LIST, b"../../etc"), ValueError, r"val\.txt.*\.\./\.\./etc"),
    "absolute name": (write(LIST, b"/etc"), ValueError, r"val\.txt.*/etc"),
    "not there": (write(LIST, b"bear\ncat\n"), NotADirectoryError, "cat: no such folder"),
    "no frame": (empty(FRAMES), FileNotFoundError, r"bear holds no \.jpg"),
    "one frame less": (
        remove(f"{FRAMES}/00001.jpg"),
        FileNotFoundError,
        "'bear': 2 frames .*3 label maps.*'00001'",
    ),
    "one map less": (
        remove(f"{MAPS}/00002.png"),
        FileNotFoundError,
        "'bear': 3 frames .*2 label maps.*'00002'",
    ),
    "no map": (empty(MAPS), FileNotFoundError, "'bear': 3 frames .*0 label maps"),
    "links to nothing": (
        lambda root: [
            path.unlink() or path.symlink_to("gone") for path in sorted((root / MAPS).iterdir())[1:]
        ],
        FileNotFoundError,
        r"bear.00001\.png is a link .* 2 of the 3",
    ),
    "other size": (
        write_map(f"{MAPS}/00000.png", HEIGHT, WIDTH + 1),
        ValueError,
        r"00000\.png is 12 x 17 .*12 x 16",
    ),
    "damaged map": (write(f"{MAPS}/00000.png", b"PNG"), ValueError, r"00000\.png cannot be"),
    "damaged frame": (write(f"{FRAMES}/00000.jpg", b""), ValueError, r"00000\.jpg cannot be"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_root_is_one_clear_error(root: Path, case: str) -> None:
    change, error, message = BROKEN[case]
    change(root)
    with pytest.raises(error, match=message) as caught:
        read_davis(root)
    assert "\n" not in str(caught.value)


def test_later_frames_are_checked_when_they_are_read(root: Path) -> None:
    frame = root / FRAMES / "00001.jpg"
    frame.write_bytes(frame.read_bytes()[:-200])
    write_map(f"{MAPS}/00001.png", HEIGHT, WIDTH + 1)(root)
    (root / MAPS / "00002.png").write_bytes(b"")
    Image.new("RGB", (WIDTH, HEIGHT + 1)).save(root / FRAMES / "00002.jpg")
    bear, cows = read_davis(root)
    assert bear.read_frames([0]).shape == (1, HEIGHT, WIDTH, 3)
    with pytest.raises(ValueError, match=r"bear.00001\.jpg cannot be decoded"):
        bear.read_frames([1])
    with pytest.raises(ValueError, match=r"bear.00002\.jpg is 13 x 16"):
        bear.read_frames([2])
    with pytest.raises(ValueError, match=r"bear.00001\.png is 12 x 17"):
        bear.read_ids([1])
    with pytest.raises(ValueError, match=r"bear.00002\.png cannot be decoded"):
        bear.read_ids([2])
    assert cows.read_ids(range(3)).shape == (3, HEIGHT, WIDTH)


def test_a_killed_run_leaves_no_split(tmp_path: Path) -> None:
    def killed() -> Iterator[Video]:
        yield some_video("bear")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_davis(tmp_path, killed(), "train")
    assert not (tmp_path / "ImageSets").exists()
    with pytest.raises(FileExistsError, match="bear already exists"):
        write_davis(tmp_path, [some_video("bear")], "train")


def test_nothing_is_overwritten(root: Path) -> None:
    before = {path: path.read_bytes() for path in root.rglob("*.*")}
    with pytest.raises(FileExistsError, match=r"val\.txt already exists"):
        write_davis(root, [some_video("dog")], "val")
    with pytest.raises(FileExistsError, match="bear already exists"):
        write_davis(root, [some_video("bear")], "train")
    assert {path: path.read_bytes() for path in root.rglob("*.*")} == before


def test_what_is_not_fit_for_a_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no videos"):
        write_davis(tmp_path, [], "val")
    with pytest.raises(ValueError, match="cannot be the name"):
        write_davis(tmp_path, [some_video("bear")], "../val")
    with pytest.raises(ValueError, match="cannot be the name"):
        write_davis(tmp_path, [some_video("../bear")], "val")
    with pytest.raises(FileExistsError, match="two videos of one name"):
        write_davis(tmp_path, [some_video("bear"), some_video("bear")], "val")
    assert not (tmp_path / "ImageSets").exists()


# ---------------------------------------------------------------- real data


@pytest.fixture(scope="module")
def real() -> Path:
    path = os.environ.get("TAGVIS_REAL_DATA")
    if not path:
        pytest.skip("TAGVIS_REAL_DATA is not set")
    return Path(path)


def test_real_davis_2016(real: Path) -> None:
    with pytest.raises(ValueError, match="pass single_object=True"):
        read_davis(real / "DAVIS-2016", "train", single_object=False)
    videos = read_davis(real / "DAVIS-2016", "train")
    official = json.loads((real / "davis.json").read_text())["sequences"]
    assert len(videos) == 9
    for video in videos:
        if official[video.name]["year"] == 2016:
            assert len(video) == official[video.name]["num_frames"]
        last = [len(video) - 1]
        assert video.read_frames(last).shape == (1, 480, 854, 3)
        assert set(np.unique(video.read_ids(last)).tolist()) <= {0, 1}


@pytest.mark.parametrize("folder", ["DAVIS-2017-void", "DAVIS-2017-first-frames"])
def test_real_davis_2017(real: Path, folder: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"ImageSets.2017.val\.txt"):
        read_davis(real / folder)
    official = json.loads((real / "davis.json").read_text())["sequences"]
    for video in read_davis(real / folder, None):
        ids, frame = video.read_ids([0])[0], video.read_frames([0])[0]
        assert ids.shape == frame.shape[:2]
        objects = set(np.unique(ids).tolist()) - {0, 255}
        assert objects
        if video.name in official and folder != "DAVIS-2017-void":
            assert len(objects) == official[video.name]["num_objects"]
    if folder == "DAVIS-2017-void":
        assert len(video) == 2
        assert objects == {1, 2}
        assert 255 in ids
        with Image.open(real / folder / "Annotations/480p/tennis/00000.png") as image:
            assert np.array_equal(np.reshape(image.getpalette() or [], (-1, 3)), PALETTE)
