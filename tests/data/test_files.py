"""Images, folders of images and video files: exact, lazy, and loud about damage."""

from __future__ import annotations

import io
import pickle
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tagvis_lite.atomic import replacing
from tagvis_lite.data.files import (
    VideoFrames,
    decode_image,
    frames_to_write,
    image_size,
    natural_key,
    open_video,
    read_image_folder,
    read_video_file,
    write_jpeg,
    write_video_file,
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


def test_exif_orientation_is_ignored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "image.jpg"
    path.write_bytes(encoded(SMOOTH, "JPEG", exif=exif))
    assert decode_image(path).shape == SMOOTH.shape
    assert image_size(path) == SMOOTH.shape[:2]


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
        with pytest.raises(ValueError, match=r"image\.jpg"):
            decode_image(path)


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


def test_folder_that_is_no_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="nowhere"):
        read_image_folder(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"no image.*\.png"):
        read_image_folder(tmp_path)
    write_images(tmp_path, ["a.png", "a.jpg"])
    with pytest.raises(ValueError, match="keep one"):
        read_image_folder(tmp_path)


# ---------------------------------------------------------------- a video file


def grey_levels(number: int, size: tuple[int, int] = (32, 48)) -> list[np.ndarray]:
    """Frame t is filled with grey level 12 t."""
    return [np.full((*size, 3), 12 * t, np.uint8) for t in range(number)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_video_file(path, grey_levels(20), fps=12.5)
    return path


def test_video_file_round_trip(clip: Path) -> None:
    video = read_video_file(clip)
    assert (video.name, len(video), video.fps, video.ids) == ("clip", 20, 12.5, None)
    frames = video.read_frames(range(20))
    assert frames.shape == (20, 32, 48, 3)
    assert frames.dtype == np.uint8
    assert abs(frames.astype(int) - np.stack(grey_levels(20))).max() <= 5


def test_colours_are_rgb(tmp_path: Path) -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 220
    write_video_file(tmp_path / "red.mp4", [red] * 3, fps=24)
    colour = read_video_file(tmp_path / "red.mp4").frames[1].mean(axis=(0, 1))
    assert abs(colour - [220, 0, 0]).max() < 20


@settings(moderate, max_examples=15)
@given(st.lists(st.integers(0, 19), min_size=1, max_size=8))
def test_frames_in_any_order_are_those_of_one_pass(clip: Path, indices: list[int]) -> None:
    capture = cv2.VideoCapture(str(clip))
    one_pass = [capture.read()[1][..., ::-1] for _ in range(20)]
    frames = read_video_file(clip).frames
    for t in indices:
        assert np.array_equal(frames[t], one_pass[t])


def test_frames_behave_like_a_sequence(clip: Path) -> None:
    frames = read_video_file(clip).frames
    first = frames[0]
    first[:] = 99
    assert frames[0].max() < 10, "a caller's writing reached the frames kept in memory"
    assert np.array_equal(frames[-1], frames[19])
    for index in (20, -21):
        with pytest.raises(IndexError, match=r"clip\.mp4"):
            _ = frames[index]
    copied = pickle.loads(pickle.dumps(frames))
    assert np.array_equal(copied[7], frames[7])


@pytest.mark.parametrize("size", [(31, 48), (32, 47), (33, 49), (1, 1)])
def test_odd_sides_are_made_even_by_repeating_the_border(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    write_video_file(tmp_path / "odd.mp4", [np.full((*size, 3), 200, np.uint8)] * 2, fps=24)
    frame = read_video_file(tmp_path / "odd.mp4").frames[0]
    assert frame.shape == (size[0] + size[0] % 2, size[1] + size[1] % 2, 3)
    assert abs(frame.astype(int) - 200).max() <= 5


def avi_that_declares(path: Path, declared: int, actual: int) -> None:
    """A Motion-JPEG file whose headers (main and stream) give another number of frames."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 24, (48, 32))
    for frame in grey_levels(actual):
        writer.write(frame)
    writer.release()
    content = bytearray(path.read_bytes())
    for header, offset in ((b"avih", 24), (b"strh", 40)):
        place = content.index(header) + offset
        assert struct.unpack_from("<I", content, place) == (actual,)
        struct.pack_into("<I", content, place, declared)
    path.write_bytes(content)


def test_frames_are_counted_when_the_file_declares_too_few(tmp_path: Path) -> None:
    avi_that_declares(tmp_path / "lie.avi", declared=7, actual=20)
    video = read_video_file(tmp_path / "lie.avi")
    assert len(video) == 20
    assert abs(video.frames[19].astype(int) - 228).max() <= 5


def test_frames_are_counted_when_the_file_declares_too_many(tmp_path: Path) -> None:
    avi_that_declares(tmp_path / "lie.avi", declared=500, actual=20)
    with pytest.warns(UserWarning, match=r"lie\.avi declares 500 frames but only 20"):
        video = read_video_file(tmp_path / "lie.avi")
    assert len(video) == 20


def test_what_is_no_video_is_refused(tmp_path: Path, clip: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.mp4"):
        read_video_file(tmp_path / "none.mp4")
    path = tmp_path / "bad.mp4"
    whole = clip.read_bytes()
    for content in [b"", b"hello", whole[: len(whole) // 2]]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"bad\.mp4 cannot be read as a video"):
            read_video_file(path)


def test_a_frame_that_cannot_be_decoded_is_named(clip: Path) -> None:
    with pytest.raises(ValueError, match=r"clip\.mp4: frame 20 of 50"):
        _ = VideoFrames(clip, 50)[45]


def test_frames_that_make_no_video_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_text("old")
    frames = grey_levels(3)
    wrong = [
        ([], 24, "no frames"),
        ([*frames, np.zeros((8, 8, 3), np.uint8)], 24, r"frame 3 is .*\(8, 8, 3\)"),
        ([frames[0][..., 0]], 24, "frame 0 is"),
        ([frames[0] / 255], 24, "float64"),
        (frames, 0, "fps"),
        (frames, float("nan"), "fps"),
    ]
    for content, fps, message in wrong:
        with pytest.raises(ValueError, match=message):
            write_video_file(path, content, fps)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]
    with pytest.raises(ValueError, match=r"out\.gif.*mp4"):
        write_video_file(tmp_path / "out.gif", frames, 24)


def test_open_video_takes_a_folder_or_a_file(tmp_path: Path, clip: Path) -> None:
    write_images(tmp_path / "frames", ["0.png", "1.png"])
    assert len(open_video(tmp_path / "frames")) == 2
    assert len(open_video(clip)) == 20
    with pytest.raises(ValueError, match="single image"):
        open_video(tmp_path / "frames" / "0.png")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        open_video(tmp_path / "nowhere")


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
