"""Images and folders of images: exact, lazy, upright, and loud about damage."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tagvis_lite.atomic import replacing
from tagvis_lite.data.images import (
    check_image_end,
    decode_image,
    decode_shrunk,
    frames_to_write,
    image_size,
    natural_key,
    read_image_folder,
    write_jpeg,
)
from tagvis_lite.video import Video

moderate = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (19, 26, 3), np.uint8)
SMOOTH = np.stack(np.broadcast_arrays(*np.ogrid[0:190:10, 0:208:8], 90), -1).astype(np.uint8)


def encoded(image: np.ndarray, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


def write_images(folder: Path, names: list[str], size: tuple[int, int] = (8, 12)) -> None:
    """Image k is filled with grey level 10 k."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((*size, 3), 10 * k, np.uint8))


# ---------------------------------------------------------------- one image


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".jpg", ".webp"])
def test_pixels_are_those_of_opencv_in_rgb(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image{suffix}"
    cv2.imwrite(str(path), SMOOTH)
    frame = decode_image(path)
    assert frame.dtype == np.uint8
    assert image_size(path) == frame.shape[:2]
    difference = frame[..., ::-1].astype(int) - cv2.imread(str(path))
    assert abs(difference).max() <= (0 if suffix in (".png", ".bmp") else 4)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_mode_of_8_bits_becomes_rgb(tmp_path: Path, mode: str) -> None:
    black_and_white = np.where(NOISE[..., :1] > 127, 255, np.zeros(3, np.uint8))
    path = tmp_path / "image.png"
    Image.fromarray(black_and_white).convert(mode).save(path)
    assert np.array_equal(decode_image(path), black_and_white)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_exif_orientation_is_obeyed(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"image.{kind.lower()}"
    path.write_bytes(encoded(SMOOTH, kind, exif=exif))
    frame = decode_image(path)
    assert image_size(path) == frame.shape[:2]
    assert (frame.shape == SMOOTH.shape) == (orientation < 5)
    if kind == "JPEG":  # OpenCV obeys it, too
        assert abs(frame[..., ::-1].astype(int) - cv2.imread(str(path))).max() <= 4


def test_a_folder_of_mixed_orientations_is_one_video(tmp_path: Path) -> None:
    """As a phone writes that was turned: every picture upright, of one size."""
    for t, (orientation, turns) in enumerate([(1, 0), (6, 1), (8, -1), (3, 2)]):
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = np.ascontiguousarray(np.rot90(SMOOTH, turns))
        Image.fromarray(stored).save(tmp_path / f"{t}.png", exif=exif)
    video = read_image_folder(tmp_path)
    assert all(np.array_equal(frame, SMOOTH) for frame in video.read_frames(range(4)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_end_of_an_image_is_found_whatever_its_name_and_what_follows(
    tmp_path: Path, kind: str
) -> None:
    exif = Image.Exif()
    exif[0x927C] = encoded(SMOOTH[:8, :8], "JPEG")  # a preview with an end of its own
    content = encoded(NOISE, kind, exif=exif)
    path = tmp_path / "image.jpg"
    for trailer in (b"", bytes(100), bytes(10_000), b"ftyp" + bytes(50_000)):
        path.write_bytes(content + trailer)
        check_image_end(path)
        assert decode_image(path).shape == NOISE.shape
    for length in range(len(content) // 2, len(content) - 12, 5):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"image\.jpg is truncated"):
            check_image_end(path)


def test_opencv_takes_a_truncated_jpeg_but_we_do_not(tmp_path: Path) -> None:
    """The reason for Pillow. If OpenCV ever mends this, the module's docstring is out of date."""
    path = tmp_path / "image.jpg"
    content = encoded(NOISE, "JPEG")
    path.write_bytes(content[: 2 * len(content) // 3])
    assert cv2.imread(str(path)) is not None
    with pytest.raises(ValueError, match=r"image\.jpg .*truncated"):
        decode_image(path)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 95, "subsampling": 0}])
@pytest.mark.parametrize("image", [NOISE, SMOOTH], ids=["noise", "smooth"])
def test_a_jpeg_cut_anywhere_is_an_error(
    tmp_path: Path, image: np.ndarray, options: dict[str, object]
) -> None:
    path = tmp_path / "image.jpg"
    content = encoded(image, "JPEG", **options)
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        for decode in (decode_image, partial(decode_shrunk, by=2)):
            with pytest.raises(ValueError, match=r"image\.jpg"):
                decode(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_part_of_the_size_is_rounded_up_and_upright(tmp_path: Path, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # on its side
    path = tmp_path / "image"
    path.write_bytes(encoded(cv2.resize(SMOOTH, (53, 41)), kind, exif=exif))
    whole = decode_image(path)
    np.testing.assert_array_equal(decode_shrunk(path, 1), whole)
    for by in (2, 4, 8):
        shrunk = decode_shrunk(path, by)
        assert shrunk.shape == (-(-53 // by), -(-41 // by), 3)
        means = whole[: 40 // by * by, : 40 // by * by].reshape(40 // by, by, 40 // by, by, 3)
        inside = shrunk[: 40 // by, : 40 // by]
        assert np.abs(inside - means.mean(axis=(1, 3))).mean() < 3 * by  # by a part of a pixel off


@moderate
@given(
    kind=st.sampled_from(["JPEG", "PNG", "BMP", "WEBP"]),
    cut=st.floats(0, 1),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=4),
)
def test_damage_gives_an_image_or_one_error_that_names_the_file(
    tmp_path: Path, kind: str, cut: float, changes: list[tuple[float, int]]
) -> None:
    content = bytearray(encoded(NOISE, kind))
    for place, value in changes:
        content[int(place * (len(content) - 1))] = value
    path = tmp_path / "image.jpg"
    path.write_bytes(content[: int(cut * len(content))])
    try:
        frame = decode_image(path)
    except ValueError as error:
        message = str(error)
    else:
        message = str(path)
        assert frame.dtype == np.uint8
        assert frame.ndim == 3
    assert str(path) in message
    assert "\n" not in message


def test_what_is_no_image_of_8_bits_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    with pytest.raises(FileNotFoundError, match=r"image\.png"):
        decode_image(path)
    for content in [b"", b"hello", encoded(NOISE, "GIF"), encoded(NOISE, "TIFF")]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"image\.png .*copy or download"):
            decode_image(path)
    cv2.imwrite(str(path), np.full((4, 4), 40_000, np.uint16))
    with pytest.raises(ValueError, match=r"image\.png .*8 bits"):
        decode_image(path)


def test_jpegs_written_are_nearly_lossless(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "made" / "smooth.jpg", SMOOTH)
    read = decode_image(tmp_path / "made" / "smooth.jpg")
    assert abs(read.astype(int) - SMOOTH).max() <= 4


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]
    assert path.read_text() == "old"
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


# ---------------------------------------------------------------- a folder of images


@moderate
@given(st.lists(st.integers(0, 10_000), unique=True), st.sampled_from(["", "frame", "a1_"]))
def test_natural_order_is_the_order_of_the_numbers(numbers: list[int], prefix: str) -> None:
    names = [f"{prefix}{number}" for number in numbers]
    assert sorted(names, key=natural_key) == [f"{prefix}{number}" for number in sorted(numbers)]


def test_folder_is_read_in_natural_order(tmp_path: Path) -> None:
    write_images(tmp_path / "clip", ["f0.png", "f1.PNG", "f2.bmp", "f10.jpg", "f11.jpeg"])
    (tmp_path / "clip" / "notes.txt").write_text("no image")
    (tmp_path / "clip" / "._f0.png").write_text("left by an archiver")
    (tmp_path / "clip" / "f3.png").mkdir()
    video = read_image_folder(tmp_path / "clip")
    assert video.name == "clip"
    assert video.ids is None
    assert list(video.frame_names) == ["f0", "f1", "f2", "f10", "f11"]
    assert [frame.mean().round() for frame in video.frames] == [0, 10, 20, 30, 40]  # type: ignore[attr-defined]
    assert video.read_frames([0, 3]).shape == (2, 8, 12, 3)


def test_folder_is_decoded_lazily(tmp_path: Path) -> None:
    write_images(tmp_path, ["0.png", "1.png", "2.png"])
    whole = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(whole[: len(whole) // 2])
    write_images(tmp_path / "other", ["2.png"], size=(9, 12))
    (tmp_path / "other" / "2.png").replace(tmp_path / "2.png")
    video = read_image_folder(tmp_path)
    assert video.frames[0].shape == (8, 12, 3)
    with pytest.raises(ValueError, match=r"1\.png .*truncated"):
        _ = video.frames[1]
    with pytest.raises(ValueError, match=r"2\.png is 9 x 12 .*8 x 12"):
        _ = video.frames[2]


def test_links_to_nothing_make_no_shorter_video(tmp_path: Path) -> None:
    write_images(tmp_path, ["0.png", "1.png", "2.png"])
    (tmp_path / "3.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "4.png").symlink_to(tmp_path / "0.png")
    with pytest.raises(FileNotFoundError, match=r"3\.png is a link .* 1 of the 5"):
        read_image_folder(tmp_path)
    (tmp_path / "3.png").unlink()
    assert len(read_image_folder(tmp_path)) == 4


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_images(tmp_path / "clip", ["0.png"])
    assert read_image_folder("~/clip").name == "clip"


def test_folder_that_is_no_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="nowhere"):
        read_image_folder(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"no image.*\.png"):
        read_image_folder(tmp_path)
    write_images(tmp_path, ["a.png", "a.jpg"])
    with pytest.raises(ValueError, match="keep one"):
        read_image_folder(tmp_path)


# ---------------------------------------------------------------- what the writers share


def black(name: str = "v", **fields: object) -> Video:
    return Video(name, np.zeros((2, 4, 6, 3), np.uint8), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "video",
    [
        black(""),
        black(".."),
        black("a/b"),
        black("a\nb"),
        black(" a"),
        black(frame_names=["../0", "1"]),
        black(frame_names=["1", "1"]),
        black(frame_names=["10", "9"]),
        black(ids=np.zeros((2, 4, 5), np.uint8)),
        Video("v", [np.zeros((4, 6, 3), np.uint8), np.zeros((4, 5, 3), np.uint8)]),
        Video("v", np.zeros((2, 4, 6, 3), np.float32)),
        Video("v", np.zeros((2, 0, 6, 3), np.uint8)),
    ],
)
def test_videos_that_would_not_be_read_back_are_refused(video: Video) -> None:
    with pytest.raises(ValueError, match="video"):
        list(frames_to_write(video))


@pytest.mark.parametrize("width", [3, 5, 40])
def test_frames_with_channels_first_are_refused(width: int) -> None:
    """Also where W is 3 and the shape alone would do."""
    frames = np.zeros((2, 3, 40, width), np.uint8)
    with pytest.raises(ValueError, match=r"np\.moveaxis"):
        Video("v", frames).read_frames([0])
    turned = np.moveaxis(frames, 1, -1)
    assert Video("v", turned).read_frames([0, 1]).shape == (2, 40, width, 3)
