"""Video files: read frame by frame, damage stepped over, and written so that they play."""

from __future__ import annotations

import os
import pickle
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tagvis_lite.data import video_file
from tagvis_lite.data.video_file import VideoFrames, read_video_file, write_video_file

moderate = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


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
        (frames, float("inf"), "fps"),
    ]
    for content, fps, message in wrong:
        with pytest.raises(ValueError, match=message):
            write_video_file(path, content, fps)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]
    with pytest.raises(ValueError, match=r"out\.gif.*mp4"):
        write_video_file(tmp_path / "out.gif", frames, 24)


# ---------------------------------------------------------------- odd files


def encode(path: Path, rate: Fraction, times: list[int]) -> None:
    """Grey levels, each shown from its time in units of 1 / rate."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for frame, time in zip(grey_levels(len(times)), times, strict=True):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts, picture.time_base = time, 1 / rate
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("rate", ["119723/1000", "239457/1000", "66123/1000", "2400", "1/3"])
def test_odd_rates_are_read_and_written_as_they_are(tmp_path: Path, rate: str) -> None:
    """A phone's slow motion, which MPEG-4 cannot hold, and a time lapse."""
    encode(tmp_path / "slow.mp4", Fraction(rate), list(range(8)))
    video = read_video_file(tmp_path / "slow.mp4")
    assert (len(video), video.fps) == (8, pytest.approx(float(Fraction(rate))))
    write_video_file(tmp_path / "drawn.mp4", video.read_frames(range(8)), video.fps)
    assert read_video_file(tmp_path / "drawn.mp4").fps == pytest.approx(video.fps)


def test_a_variable_rate_is_its_average(tmp_path: Path) -> None:
    encode(tmp_path / "vfr.mp4", Fraction(30), [0, 1, 2, 10, 11, 20])
    video = read_video_file(tmp_path / "vfr.mp4")
    assert len(video) == 6
    assert 5 < video.fps < 15
    assert [round(f.mean() / 12) for f in video.read_frames(range(6))] == list(range(6))


@pytest.mark.parametrize("fps", [0.0002, 123_456.0])
def test_a_rate_that_the_file_cannot_hold_is_rounded_with_a_note(
    tmp_path: Path, fps: float
) -> None:
    with pytest.warns(UserWarning, match=r"out\.mp4: .* fps, the nearest to"):
        write_video_file(tmp_path / "out.mp4", grey_levels(2), fps)
    assert len(read_video_file(tmp_path / "out.mp4")) == 2


def moving(number: int = 40) -> list[np.ndarray]:
    """A bright square that moves over a ramp: frames that need one another."""
    ramp = np.broadcast_to(np.linspace(0, 90, 128)[None, :, None], (96, 128, 3))
    frames = [ramp.astype(np.uint8) for _ in range(number)]
    for t, frame in enumerate(frames):
        frame[20:50, 2 * t : 2 * t + 30] = 240
    return frames


@pytest.mark.parametrize("kind", ["overwritten", "of impossible length"])
def test_damage_in_the_middle_is_stepped_over_and_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "stream.mp4"
    write_video_file(path, moving(), fps=25)
    with av.open(path) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    position, size = packets[20]
    content = bytearray(path.read_bytes())
    if kind == "overwritten":
        content[position + 12 : position + size] = np.random.default_rng(0).bytes(size - 12)
    else:
        content[position : position + 4] = struct.pack(">I", 1 << 30)
    path.write_bytes(content)
    with pytest.warns(UserWarning, match=r"stream\.mp4 is damaged at frame [12][0-9]") as warned:
        video = read_video_file(path)
    assert len(warned) == 1
    assert 34 <= len(video) <= 40
    assert abs(video.frames[5].astype(int) - moving()[5]).mean() < 8
    assert video.frames[len(video) - 1][30, 85:100].mean() > 150, "the last frames are there"


def test_a_file_that_is_cut_off_gives_the_frames_it_has(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    write_video_file(path, moving(), fps=25)
    content = path.read_bytes()
    path.write_bytes(content[: 2 * len(content) // 3])
    with pytest.warns(UserWarning, match=r"cut\.mp4 is .*[0-9]+ of 40 frames are read"):
        video = read_video_file(path)
    assert 5 <= len(video) < 40


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_the_rotation_of_a_phone_s_video_is_obeyed(tmp_path: Path, clip: Path, turn: int) -> None:
    """OpenCV, which obeys it too, is the oracle."""
    write_video_file(tmp_path / "clip.mp4", moving(4), fps=25)
    one, minus = 1 << 16, (-1 << 16) & 0xFFFFFFFF
    rows = {90: (0, one, 0, minus, 0), 180: (minus, 0, 0, 0, minus), 270: (0, minus, 0, one, 0)}
    content = bytearray((tmp_path / "clip.mp4").read_bytes())
    struct.pack_into(">5I", content, content.index(b"tkhd") + 4 + 40, *rows[turn])
    (tmp_path / "phone.mp4").write_bytes(content)
    frame = read_video_file(tmp_path / "phone.mp4").frames[2]
    capture = cv2.VideoCapture(str(tmp_path / "phone.mp4"))
    expected = [capture.read()[1] for _ in range(3)][2][..., ::-1]
    assert frame.shape == ((96, 128, 3) if turn == 180 else (128, 96, 3))
    assert np.array_equal(frame, expected)


def test_the_same_frames_make_the_same_file(tmp_path: Path) -> None:
    """So that a killed prediction ends like one that was not; x264 has to be asked for it."""
    rng = np.random.default_rng(0)
    frames = np.zeros((4, 32, 32, 3), np.uint8)
    for t in range(4):
        frames[t, 2:14, 8 + t : 20 + t] = rng.integers(0, 255, 3)
        frames[t, 20:28, 8 + t : 16 + t] = (160, 99, 5)
    made = set()
    for _ in range(40):
        junk = [rng.bytes(int(size)) for size in rng.integers(1000, 40000, 50)]
        del junk  # other memory each time
        made.add(write_video_file(tmp_path / "a.mp4", frames, 7).read_bytes())
    assert len(made) == 1


def test_a_video_that_changes_its_size_is_refused_before_any_work(tmp_path: Path) -> None:
    parts = b""
    for side in (32, 48):
        with av.open(str(tmp_path / "part.ts"), "w", format="mpegts") as container:
            stream = container.add_stream("mpeg2video", rate=25)
            stream.width = stream.height = side
            stream.pix_fmt = "yuv420p"
            for _ in range(6):
                frame = av.VideoFrame.from_ndarray(np.zeros((side, side, 3), np.uint8), "rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        parts += (tmp_path / "part.ts").read_bytes()
    (tmp_path / "two.ts").write_bytes(parts)
    with pytest.raises(ValueError, match=r"two\.ts changes from \(32, 32\) to \(48, 48\)"):
        read_video_file(tmp_path / "two.ts")


def test_a_path_that_is_no_text(tmp_path: Path, clip: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff\xfe.mp4")
    path.write_bytes(clip.read_bytes())
    with pytest.raises(ValueError, match="is no UTF-8: rename the file"):
        read_video_file(path)


def test_without_an_encoder_the_video_is_an_animated_webp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_file, "ENCODERS", {"no-such-encoder": {}})
    path = write_video_file(tmp_path / "out.mp4", grey_levels(5), fps=10)
    assert path == tmp_path / "out.webp"
    with Image.open(path) as image:
        assert (image.n_frames, image.size) == (5, (48, 32))  # type: ignore[attr-defined]
        image.seek(3)
        assert abs(np.asarray(image.convert("RGB")).mean() - 36) < 5
    assert [p.name for p in tmp_path.iterdir()] == ["out.webp"]
