"""J&F against the definition written out (`literal_davis`), against TrackEval, and by hand."""

import os
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as rle
from scipy.spatial import cKDTree

from tagvis_lite.data.davis import read_davis, write_davis
from tagvis_lite.data.label_maps import read_label_map, write_label_map
from tagvis_lite.evaluation.boundary import boundary_reach
from tagvis_lite.evaluation.davis import (
    DavisScores,
    SequenceScores,
    evaluate_davis,
    evaluate_davis_files,
    sequence_scores,
)
from tagvis_lite.evaluation.davis_sequence import _contingency_table
from tagvis_lite.evaluation.protocols import MASKS, SEMI_SUPERVISED, SINGLE_OBJECT, DavisProtocol
from tagvis_lite.evaluation.result_files import open_results, result_maps
from tagvis_lite.paper import davis as literal
from tagvis_lite.video import Video

VOID = 255


def assert_identical(truth: np.ndarray, result: np.ndarray) -> SequenceScores:
    """Bit for bit: scores, assignment, order and global table."""
    scores = sequence_scores(truth, result, "some")
    expected = literal.evaluate(truth, result)
    order = list(scores.official_order)
    np.testing.assert_array_equal(scores.J[order], expected.J)
    np.testing.assert_array_equal(scores.F[order], expected.F)
    assert [scores.objects[i] for i in order] == expected.objects
    padding = scores.num_proposals
    assert [scores.assignment[i] for i in order] == [
        p if p <= padding else 0 for p in expected.proposals
    ]
    if scores.objects:
        table = DavisScores((scores,)).global_table()
        assert list(table.values()) == literal.global_table([expected])
    return scores


# Label maps that try to be awkward. Each frame is one of these.
Paint = Callable[[np.random.Generator, tuple[int, int], int], np.ndarray]


def paint_empty(rng: np.random.Generator, shape: tuple[int, int], num: int) -> np.ndarray:
    return np.zeros(shape, np.uint8)


def paint_full(rng: np.random.Generator, shape: tuple[int, int], num: int) -> np.ndarray:
    return np.full(shape, rng.integers(num + 1), np.uint8)


def paint_noise(rng: np.random.Generator, shape: tuple[int, int], num: int) -> np.ndarray:
    return rng.integers(0, num + 1, shape, np.uint8)


def paint_blocks(rng: np.random.Generator, shape: tuple[int, int], num: int) -> np.ndarray:
    side = int(rng.integers(2, 12))
    coarse = paint_noise(rng, (shape[0] // side + 1, shape[1] // side + 1), num)
    return coarse.repeat(side, 0).repeat(side, 1)[: shape[0], : shape[1]]


def paint_points(rng: np.random.Generator, shape: tuple[int, int], num: int) -> np.ndarray:
    ids = np.zeros(shape, np.uint8)
    for label in range(1, num + 1):
        ids[rng.integers(shape[0]), rng.integers(shape[1])] = label
    return ids


def paint_ellipses(rng: np.random.Generator, shape: tuple[int, int], num: int) -> np.ndarray:
    ids = np.zeros(shape, np.uint8)
    for label in range(1, num + 1):
        centre = (int(rng.integers(shape[1])), int(rng.integers(shape[0])))
        axes = (int(rng.integers(shape[1] // 2 + 1)), int(rng.integers(shape[0] // 2 + 1)))
        cv2.ellipse(ids, centre, axes, float(rng.uniform(0, 180)), 0, 360, label, -1)
    return ids


def paint_frame(rng: np.random.Generator, shape: tuple[int, int], num: int) -> np.ndarray:
    """Touches all four borders."""
    ids = np.full(shape, rng.integers(num + 1), np.uint8)
    ids[1:-1, 1:-1] = rng.integers(num + 1)
    return ids


PAINTS: list[Paint] = [
    paint_empty,
    paint_full,
    paint_noise,
    paint_blocks,
    paint_points,
    paint_ellipses,
    paint_frame,
]
SHAPES = st.one_of(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.just(1), st.integers(1, 300)),
    st.tuples(st.integers(1, 300), st.just(1)),
    st.tuples(st.integers(125, 160), st.integers(30, 160)),
)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = draw(SHAPES)
    num_objects, num_proposals = draw(st.integers(1, 20)), draw(st.integers(0, 20))
    num_frames = draw(st.integers(1, max(1, min(6, 100_000 // (np.prod(shape) * num_objects)))))
    volumes = []
    for num in (num_objects, num_proposals):
        paints = draw(st.lists(st.sampled_from(PAINTS), min_size=num_frames, max_size=num_frames))
        volumes.append(np.stack([paint(rng, shape, num) for paint in paints]))
    truth, result = volumes
    if draw(st.booleans()) and num_frames > 1:  # so that some proposals are nearly right
        result[-1] = np.where(truth[-1] > 20, 0, np.roll(truth[-1], 1, axis=1))
    if draw(st.booleans()) and truth.any():
        paint = draw(st.sampled_from(PAINTS))
        void = np.stack([paint(rng, shape, 3) == 2 for _ in range(num_frames)])
        void.flat[np.flatnonzero(truth)[0]] = False  # else it might look like DAVIS-2016
        truth[void] = VOID
    return truth, result


@settings(max_examples=100, deadline=None)
@given(pairs())
def test_equals_the_definition_to_the_last_bit(pair: tuple[np.ndarray, np.ndarray]) -> None:
    assert_identical(*pair)


@pytest.mark.parametrize("seed", range(3))
def test_twenty_by_twenty_objects(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, result = (
        np.stack([paint(rng, (120, 160), 20) for paint in (paint_blocks, paint_ellipses)])
        for _ in range(2)
    )
    truth[0, 0, 0] = result[0, 0, 0] = 20
    scores = assert_identical(truth, result)
    assert len(scores.objects) == scores.num_proposals == 20


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 6), st.integers(1, 9))
def test_agrees_with_trackeval(seed: int, num: int, proposals: int, num_frames: int) -> None:
    pytest.importorskip("trackeval")
    rng, shape = np.random.default_rng(seed), (60, 130)
    truth = np.stack([paint_blocks(rng, shape, num) for _ in range(num_frames)])
    result = np.stack([paint_ellipses(rng, shape, proposals) for _ in range(num_frames)])
    truth[0, 0, :num] = range(1, num + 1)  # TrackEval knows no ids without pixels
    result[0, 1, :proposals] = range(1, proposals + 1)
    ours = DavisScores((sequence_scores(truth, result),)).global_table()
    theirs = trackeval_j_and_f(truth, result)
    for name, value in ours.items():
        assert value == pytest.approx(theirs["J&F" if name == "J&F-Mean" else name], abs=5e-7)


def trackeval_j_and_f(truth: np.ndarray, result: np.ndarray) -> dict[str, float]:
    data: dict[str, object] = {"num_timesteps": len(truth)}
    for what, volume in (("gt", truth), ("tracker", result)):
        present = [[i for i in np.unique(ids).tolist() if i] for ids in volume]
        data[f"num_{what}_ids"] = int(volume.max())
        data[f"{what}_ids"] = [[i - 1 for i in of_frame] for of_frame in present]
        data[f"{what}_dets"] = [
            [rle.encode(np.asfortranarray(ids == i, np.uint8)) for i in of_frame]
            for ids, of_frame in zip(volume, present, strict=True)
        ]
    from trackeval.metrics import JAndF

    metric = JAndF()
    metric.optim_type = "J&F"
    # Of scikit-image, TrackEval takes the disk only.
    morphology = ModuleType("skimage.morphology")
    morphology.disk = literal.disk  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "skimage", ModuleType("skimage"))
        patch.setitem(sys.modules, "skimage.morphology", morphology)
        return metric.eval_sequence(data)


@pytest.mark.parametrize(("width", "reach"), [(854, 8), (910, 9), (1152, 10)])
def test_the_reach_of_a_match(width: int, reach: int) -> None:
    assert boundary_reach(480, width) == reach


@pytest.mark.parametrize("width", [854, 910, 1152])
def test_at_the_sizes_of_davis(width: int) -> None:
    rng = np.random.default_rng(width)
    truth = paint_ellipses(rng, (480, width), 3)[None]
    truth[0, 0, :3] = 1, 2, 3
    result = np.roll(truth, (5, 4), axis=(1, 2))
    result[0, :, ::40] = 0
    scores = assert_identical(truth, result)
    assert ((scores.F > 0.1) & (scores.F < 0.95)).any()


def test_a_square_moved_by_two_pixels() -> None:
    """80 x 80 pixels in 200 x 300: 78 of 82 columns are shared, and the boundary is in reach 3."""
    truth, result = np.zeros((2, 1, 200, 300), np.uint8)
    truth[0, 50:130, 100:180] = 1
    result[0, 50:130, 102:182] = 1
    scores = sequence_scores(truth, result)
    assert scores.J.item() == 78 / 82
    assert scores.F.item() == 1
    assert scores.jf_mean.item() == (78 / 82 + 1) / 2


def test_empty_and_full_masks() -> None:
    empty, full = np.zeros((2, 3, 20, 30), np.uint8)
    full[:] = 1
    truth = np.stack([full[0], empty[0], full[0]])
    result = np.stack([full[0], empty[0], empty[0]])
    scores = sequence_scores(truth, result)
    np.testing.assert_array_equal(scores.J, [[1, 1, 0]])
    np.testing.assert_array_equal(scores.F, [[1, 1, 1]])  # a full mask has no boundary


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(1, 7)), st.integers(0, 2**32))
def test_names_of_proposals_do_not_matter(names: list[int], seed: int) -> None:
    truth = np.stack([paint_blocks(np.random.default_rng(seed), (40, 60), 6)] * 2)
    truth[0, 0, :6] = range(1, 7)
    scores = sequence_scores(truth, np.array([0, *names], np.uint8)[truth])
    assert scores.assignment == tuple(names)
    assert (scores.J == 1).all()
    assert (scores.F == 1).all()
    assert [names[i] for i in scores.official_order] == sorted(names)


def test_assignment_goes_by_j_and_f_not_by_j_alone() -> None:
    """Proposal 1, moved diagonally, covers a little more; proposal 2 has half of the outline."""
    truth, result = np.zeros((2, 2, 100, 100), np.uint8)
    truth[:, 20:60, 20:60] = 1
    result[0, 27:67, 27:67] = 1
    result[1, 20:40, 20:60] = 2
    scores = assert_identical(truth, result)
    first, second = (sequence_scores(truth, (result == p).astype(np.uint8)) for p in (1, 2))
    assert first.j.mean > second.j.mean
    assert first.jf_mean < second.jf_mean
    assert scores.assignment == (2,)


def test_objects_without_a_proposal_score_as_empty() -> None:
    truth = np.zeros((2, 30, 40), np.uint8)
    truth[0, :10], truth[0, 10:20], truth[1, :10] = 1, 2, 1
    result = np.where(truth == 1, 1, 0).astype(np.uint8)
    scores = sequence_scores(truth, result)
    assert scores.assignment == (1, 0)
    np.testing.assert_array_equal(scores.J, [[1, 1], [0, 1]])
    np.testing.assert_array_equal(scores.F, [[1, 1], [0, 1]])


def test_objects_that_appear_later_are_ignored() -> None:
    truth = np.zeros((2, 30, 40), np.uint8)
    truth[:, 5:15, 5:15] = 1
    result = truth.copy()
    truth[1, 20:25, 20:25] = 2
    scores = assert_identical(truth, result)
    assert scores.objects == (1,)
    assert (scores.J == 1).all()


def test_void_is_not_scored() -> None:
    truth = np.zeros((1, 40, 40), np.uint8)
    truth[0, 5:15, 5:15] = 1
    result = truth.copy()
    result[0, 20:30, 20:30] = 1
    truth[0, 20:30, 20:30] = VOID
    scores = assert_identical(truth, result)
    assert scores.J.item() == scores.F.item() == 1


def test_three_hundred_frames_have_a_decay() -> None:
    truth = np.zeros((300, 20, 20), np.uint8)
    truth[:, 5:15, 5:15] = 1
    result = truth.copy()
    result[225:] = 0
    scores = assert_identical(truth, result)
    # The frames that end the third quarter (number 224) and begin it belong to both.
    assert scores.j.decay.item() == 1 - 1 / 76
    assert scores.f.decay.item() == 1 - 1 / 76
    assert scores.j.mean.item() == scores.j.recall.item() == 0.75


def test_means_are_over_objects_not_over_sequences() -> None:
    one = np.zeros((1, 20, 20), np.uint8)
    one[0, :5] = 1
    three = one.copy()
    three[0, 8:10], three[0, 15:] = 2, 3
    scores = evaluate_davis([("right", one, one), ("wrong", three, np.zeros_like(three))])
    assert scores.j_mean == 1 / 4
    assert scores.f_mean == 1 / 4
    assert scores.jf_mean == 1 / 4
    assert scores.global_table()["J-Recall"] == 1 / 4


class Counted:
    """Frames that are made when asked for, and count how often."""

    def __init__(self, num: int, shape: tuple[int, int], num_labels: int) -> None:
        self.num, self.shape, self.num_labels = num, shape, num_labels
        self.reads: list[int] = []

    def __len__(self) -> int:
        return self.num

    def __getitem__(self, index: int, /) -> np.ndarray:
        self.reads.append(index)
        return paint_blocks(np.random.default_rng(0), self.shape, self.num_labels)


def test_frames_are_read_once_and_in_order() -> None:
    truth, result = Counted(7, (20, 30), 5), Counted(7, (20, 30), 20)
    sequence_scores(truth, result)
    assert truth.reads == result.reads == list(range(7))


def test_areas_beyond_what_float32_counts_exactly() -> None:
    ids = np.ones((4097, 4097), np.uint8)
    assert _contingency_table(ids, ids, 2, 2).tolist() == [[0, 0], [0, 4097**2]]


def test_memory_does_not_grow_with_the_number_of_frames() -> None:
    peaks = []
    for num_frames in (4, 40):
        tracemalloc.start()
        sequence_scores(Counted(num_frames, (120, 160), 5), Counted(num_frames, (120, 160), 20))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 36 * 120 * 160 * 2  # what the label maps alone would add


def square(value: int, num_frames: int = 2) -> np.ndarray:
    ids = np.zeros((num_frames, 20, 30), np.uint8)
    ids[:, 5:15, 5:15] = value
    return ids


@pytest.mark.parametrize(
    ("truth", "result", "message"),
    [
        (square(1), square(1, num_frames=3), "'cows'.*2 frames of ground truth and 3"),
        (square(1, num_frames=0), square(1, num_frames=0), "'cows'.*there must be one"),
        (square(1), square(1)[:, :, 1:], r"'cows', frame 0.*\(20, 30\).*\(20, 29\)"),
        (square(1), square(1).astype(float), "result.*'cows', frame 0: float64"),
        (square(1)[..., None], square(1), "ground truth.*'cows', frame 0: uint8"),
        (square(1), square(21), "'cows', frame 0, has id 21: at most 20"),
        (square(1), square(255), "'cows', frame 0, has id 255: a mask of 0 and 255"),
        (square(1), square(254) + 1, "'cows', frame 0, has id 255: at most 20"),
        (square(255), square(1), "'cows'.*DAVIS-2016.*--protocol davis-2016"),
        (square(33), square(1), "'cows', frame 0, has id 33: ids must count"),
    ],
)
def test_what_cannot_be_scored(truth: np.ndarray, result: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sequence_scores(truth, result, "cows")


def test_a_frame_of_another_size_in_the_middle() -> None:
    frames = [np.ones((4, 5), np.uint8), np.ones((5, 4), np.uint8)]
    with pytest.raises(ValueError, match="'cows', frame 1"):
        sequence_scores(frames, frames, "cows")


def test_nothing_to_score() -> None:
    with pytest.raises(ValueError, match=r"no object.*\['cows'\]"):
        evaluate_davis([("cows", square(0), square(1))])
    with pytest.raises(ValueError, match="no object"):
        evaluate_davis([])
    with pytest.raises(ValueError, match="0 processes"):
        evaluate_davis([("cows", square(1), square(1))], processes=0)


# ---------------------------------------------------------------- folders


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, list[tuple[np.ndarray, np.ndarray]]]:
    """A DAVIS root, a folder of results, and what is in them: two sequences of 4 and 3 frames."""
    rng = np.random.default_rng(0)
    pairs, videos = [], []
    for name, num_frames in (("cows", 4), ("bmx-trees", 3)):
        truth, result = (
            np.stack([paint_blocks(rng, (40, 60), num) for _ in range(num_frames)])
            for num in (3, 5)
        )
        truth[0, :4] = VOID
        frames = np.zeros((num_frames, 40, 60, 3), np.uint8)
        videos.append(Video(name, frames, truth, dict.fromkeys(range(1, 4), 1)))
        pairs.append((truth, result))
        for t, ids in enumerate(result):
            write_label_map(tmp_path / "results" / name / f"{t:05d}.png", ids)
    write_davis(tmp_path / "DAVIS", videos, "val")
    return tmp_path / "DAVIS", tmp_path / "results", pairs


Folders = tuple[Path, Path, list[tuple[np.ndarray, np.ndarray]]]


def test_a_folder_of_results(folders: Folders) -> None:
    root, results, pairs = folders
    scores = evaluate_davis_files(root, results)
    expected = [literal.evaluate(*pair) for pair in pairs]
    assert list(scores.global_table().values()) == literal.global_table(expected)
    assert [s.name for s in scores.sequences] == ["cows", "bmx-trees"]


def test_processes_change_nothing(folders: Folders) -> None:
    """Sequences in memory travel to the processes as arrays, those in files as paths."""
    root, results, pairs = folders
    folder = open_results(results, ("cows", "bmx-trees"))
    sequences = [(f"s{n}", *pairs[n % 2]) for n in range(5)] + [
        (video.name, video.ids, result_maps(folder, video.name, video.frame_names, (40, 60)))
        for video in read_davis(root, "val")
    ]
    alone, together = evaluate_davis(iter(sequences)), evaluate_davis(iter(sequences), processes=2)
    assert [s.name for s in together.sequences] == [name for name, *_ in sequences]
    assert together.per_object_table() == alone.per_object_table()
    assert together.global_table() == alone.global_table()


def test_results_that_cannot_be_scored(folders: Folders) -> None:
    root, results, _ = folders
    bad = results / "bmx-trees" / "00002.png"

    write_label_map(bad, np.ones((41, 60), np.uint8))
    with pytest.raises(ValueError, match=r"bmx-trees/00002.png.*41 x 60.*40 x 60"):
        evaluate_davis_files(root, results)
    write_label_map(bad, np.full((40, 60), 21, np.uint8))
    with pytest.raises(ValueError, match=r"'bmx-trees', frame 2, has id 21: at most 20"):
        evaluate_davis_files(root, results)
    bad.write_bytes(bad.read_bytes()[:60])
    with pytest.raises(ValueError, match=r"bmx-trees/00002.png cannot be decoded"):
        evaluate_davis_files(root, results)
    bad.unlink()
    with pytest.raises(FileNotFoundError, match=r"bmx-trees/00002.png.* of the 3 frames.* 1 have"):
        evaluate_davis_files(root, results)
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder or zip"):
        evaluate_davis_files(root, results / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"train.txt: no such list; splits here are val"):
        evaluate_davis_files(root, results, split="train")


# ---------------------------------------------------------------- where results lie


def zipped(folder: Path, path: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.png")):
            archive.write(file, prefix + file.relative_to(folder).as_posix())
        archive.writestr("__MACOSX/._cows", b"x")
    return path


@pytest.mark.parametrize("place", ["zip", "wrapped zip", "wrapped folder", "two levels up"])
def test_results_are_found_where_users_have_them(
    folders: Folders, tmp_path: Path, place: str
) -> None:
    root, results, pairs = folders
    path = {
        "zip": lambda: zipped(results, tmp_path / "a.zip"),
        "wrapped zip": lambda: zipped(results, tmp_path / "b.zip", "my/results/"),
        "wrapped folder": lambda: results.rename(tmp_path / "results2" / "davis").parent,
        "two levels up": lambda: results.rename(tmp_path / "x" / "y" / "z").parents[1],
    }
    for folder in ("results2", "x/y"):
        (tmp_path / folder).mkdir(parents=True)
    scores = evaluate_davis_files(root, path[place]())
    expected = [literal.evaluate(*pair) for pair in pairs]
    assert list(scores.global_table().values()) == literal.global_table(expected)


def test_results_that_are_not_there_are_named(folders: Folders, tmp_path: Path) -> None:
    root, results, _ = folders
    with pytest.raises(
        FileNotFoundError, match=r"results/cows holds no .*did you mean .*results\?"
    ):
        evaluate_davis_files(root, results / "cows")
    (tmp_path / "b.zip").write_bytes(b"no zip")
    with pytest.raises(ValueError, match=r"b\.zip is neither a folder nor a zip"):
        evaluate_davis_files(root, tmp_path / "b.zip")
    whole = zipped(results, tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(whole[:80] + bytes(40) + whole[120:])
    with pytest.raises(ValueError, match=r"a\.zip.bmx-trees.00000\.png cannot be read"):
        evaluate_davis_files(root, tmp_path / "a.zip")


def test_only_some_sequences(folders: Folders) -> None:
    root, results, pairs = folders
    scores = evaluate_davis_files(root, results, sequences=["bmx-trees"])
    assert [s.name for s in scores.sequences] == ["bmx-trees"]
    assert scores.global_table() == evaluate_davis([("x", *pairs[1])]).global_table()


# ---------------------------------------------------------------- protocols


def moving_square(num_frames: int, shift: int, value: int) -> np.ndarray:
    """A square of 40 x 40 pixels in 60 x 200, `shift` pixels to the right from frame 1 on."""
    ids = np.zeros((num_frames, 60, 200), np.uint8)
    for t in range(num_frames):
        ids[t, 10:50, 20 + shift * (t > 0) : 60 + shift * (t > 0)] = value
    return ids


def test_semi_supervised_by_hand() -> None:
    """Three of five frames count, shifted by 10 of 40 columns; proposals keep their ids."""
    truth, result = moving_square(5, 0, 2), moving_square(5, 10, 2)
    truth[0, :5, :5] = result[-1, :5, :5] = 1
    truth[1:4, :, 150:] = VOID
    scores = sequence_scores(truth, result, "a", SEMI_SUPERVISED)
    assert scores.assignment == (1, 2)
    np.testing.assert_array_equal(scores.J, [[1, 1, 1], [30 / 50] * 3])
    result[2, 0, 199] = 2  # void is background here, so this pixel is a false one
    scores = sequence_scores(truth, result, "a", SEMI_SUPERVISED)
    np.testing.assert_array_equal(scores.J[1], [30 / 50, 1200 / 2001, 30 / 50])
    result[2] = 3
    with pytest.raises(ValueError, match=r"frame 2, has id 3: the ground truth has 2 obj"):
        sequence_scores(truth, result, "a", SEMI_SUPERVISED)


def test_single_object_by_hand() -> None:
    """Whatever is not 0 is the object, 255 and several ids alike; both ends are left out."""
    truth, result = moving_square(5, 0, 255), moving_square(5, 20, 1)
    result[:, 10:30] *= 7
    result[0] = result[4] = 0
    scores = sequence_scores(truth, result, "a", SINGLE_OBJECT)
    np.testing.assert_array_equal(scores.J, [[20 / 60] * 3])
    assert scores.objects == (1,)
    with pytest.raises(ValueError, match="has 2 frames, and davis-2016 leaves out"):
        sequence_scores(truth[:2], result[:2], "a", SINGLE_OBJECT)


@settings(max_examples=25, deadline=None)
@given(pairs())
def test_protocols_are_the_definition_on_other_frames(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """Where nothing is left to assign, the unsupervised definition gives the same arrays."""
    truth, result = pair
    if len(truth) < 3 or not (truth[1:-1] > 0).any():
        return
    one = sequence_scores(truth, result, "a", SINGLE_OBJECT)
    as_one = literal.evaluate((truth > 0).astype(int)[1:-1], (result > 0).astype(int)[1:-1])
    if (truth[1] > 0).any():
        np.testing.assert_array_equal(one.J, as_one.J)
        np.testing.assert_array_equal(one.F, as_one.F)


def test_two_folders_of_masks_with_sparse_truth(folders: Folders, tmp_path: Path) -> None:
    root, results, pairs = folders
    truth = root / "Annotations_unsupervised" / "480p"
    (truth / "cows" / "00002.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"3 label maps for the 4 frames.*--protocol masks"):
        evaluate_davis_files(root, results)
    scores = evaluate_davis_files(truth, results, MASKS)
    kept = [0, 1, 3]
    expected = [literal.evaluate(*pairs[1]), literal.evaluate(*(ids[kept] for ids in pairs[0]))]
    assert list(scores.global_table().values()) == literal.global_table(expected)
    with pytest.raises(ValueError, match=r"is a DAVIS root, and protocol masks .*Annotations"):
        evaluate_davis_files(root, results, MASKS)
    with pytest.raises(ValueError, match=r"no DAVIS root.*two folders: --protocol masks"):
        evaluate_davis_files(truth, results)
    with pytest.raises(ValueError, match=r"no DAVIS root.*did you mean .*DAVIS\?"):
        evaluate_davis_files(root.parent, results)


@pytest.mark.parametrize("protocol", [SEMI_SUPERVISED, SINGLE_OBJECT])
def test_a_root_is_scored_by_its_own_annotations_alone(
    folders: Folders, protocol: DavisProtocol
) -> None:
    root, results, _ = folders
    with pytest.raises(NotADirectoryError, match=r"Annotations.480p: .*others than those in"):
        evaluate_davis_files(root, results, protocol)
    (root / "Annotations_unsupervised").rename(root / "Annotations")
    with pytest.raises(NotADirectoryError, match=r"nothing else.*in Annotations;"):
        evaluate_davis_files(root, results)
    evaluate_davis_files(root, results, SINGLE_OBJECT)
    (root / "Annotations").rename(root / "elsewhere")
    with pytest.raises(NotADirectoryError, match="has no annotations to score against"):
        evaluate_davis_files(root, results, protocol)


def test_masks_of_davis_2016_are_told_from_those_of_2017(folders: Folders) -> None:
    root, results, pairs = folders
    for path in (root / "Annotations_unsupervised").rglob("*.png"):
        cv2.imwrite(str(path), 255 * (read_label_map(path) == 1).astype(np.uint8))
    with pytest.raises(ValueError, match=r"nothing but 0 and 255.*choose --protocol davis-2016"):
        evaluate_davis_files(root, results)
    truth = root / "Annotations_unsupervised" / "480p"
    scores = evaluate_davis_files(truth, results, SINGLE_OBJECT)
    one, other = ((t == 1, r > 0) for t, r in (pairs[1], pairs[0]))
    expected = [literal.evaluate(t[1:-1].astype(int), r[1:-1].astype(int)) for t, r in (one, other)]
    assert list(scores.global_table().values()) == literal.global_table(expected)


# ---------------------------------------------------------------- real masks


@pytest.fixture(scope="module")
def real() -> Path:
    if "TAGVIS_REAL_DATA" not in os.environ:
        pytest.skip("TAGVIS_REAL_DATA is not set")
    return Path(os.environ["TAGVIS_REAL_DATA"])


def shifted(truth: np.ndarray) -> np.ndarray:
    return np.roll(truth, (3, -7), axis=(1, 2))


def eroded(truth: np.ndarray) -> np.ndarray:
    inner = [cv2.erode((ids > 0).astype(np.uint8), np.ones((9, 9), np.uint8)) for ids in truth]
    return truth * np.stack(inner)


def dropped(truth: np.ndarray) -> np.ndarray:
    result = truth.copy()
    result[1::2][result[1::2] == 1] = 0
    return result


def merged(truth: np.ndarray) -> np.ndarray:
    return (truth > 0).astype(np.uint8)


def split(truth: np.ndarray) -> np.ndarray:
    """Each object into a left and a right half, at the middle of the frame."""
    result = np.where(truth > 0, 2 * truth, 0).astype(np.uint8)
    result[:, :, : truth.shape[2] // 2][truth[:, :, : truth.shape[2] // 2] > 0] -= 1
    return result


@pytest.mark.parametrize("perturb", [shifted, eroded, dropped, merged, split])
def test_real_masks(real: Path, perturb: Callable[[np.ndarray], np.ndarray]) -> None:
    """Two real objects on one frame: a composite, as there is no real video of two."""
    videos = {
        v.name: v for v in read_davis(real / "DAVIS-2016", "train", year="2016", single_object=True)
    }
    frames = range(0, 45, 15)
    one, other = (videos[name].read_ids(frames) for name in ("motorbike", "surf"))
    truth = np.where(one > 0, 1, 2 * other).astype(np.uint8)
    truth[0, 0, 0] = 2  # both objects are there in frame 0
    scores = assert_identical(truth, perturb(truth))
    assert 0 < scores.jf_mean.mean() < 1


def f_measure(truth: np.ndarray, result: np.ndarray) -> float:
    """F of two masks of 854 x 480, from the distances between all points of their outlines."""

    def outline(mask: np.ndarray) -> np.ndarray:
        padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
        same = [padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]]
        return np.argwhere(np.any([mask != neighbour for neighbour in same], axis=0))

    a, b = outline(truth), outline(result)
    if not len(a) or not len(b):
        return float(len(a) == len(b))
    precision, recall = (
        np.mean(cKDTree(q).query(p)[0] <= 8) for p, q in ((b, a), (a, b))
    )  # the share of a's points with one of b's within 8 pixels, and of b's
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@pytest.mark.parametrize("perturb", [shifted, eroded, dropped])
def test_davis_2016_on_real_sequences(
    real: Path, tmp_path: Path, perturb: Callable[[np.ndarray], np.ndarray]
) -> None:
    """The definition, written by hand: all but 0 is the object; both end frames are left out."""
    root = real / "DAVIS-2016"
    j, f = {}, {}
    for name in ("blackswan", "kite-surf"):
        paths = sorted((root / "Annotations" / "480p" / name).glob("*.png"))
        truth = np.stack([np.array(Image.open(path)) > 0 for path in paths])
        result = perturb(truth.astype(np.uint8))
        for path, ids in zip(paths, result, strict=True):
            write_label_map(tmp_path / name / path.name, 255 * ids)
        pairs = list(zip(truth, result > 0, strict=True))[1:-1]
        j[name] = [float((a & b).sum() / (a | b).sum()) if (a | b).any() else 1.0 for a, b in pairs]
        f[name] = [f_measure(a, b) for a, b in pairs[::9]]
    scores = evaluate_davis_files(root, tmp_path, SINGLE_OBJECT, sequences=tuple(j))
    for of_sequence in scores.sequences:
        assert of_sequence.J[0].tolist() == j[of_sequence.name]
        np.testing.assert_allclose(of_sequence.F[0, ::9], f[of_sequence.name], rtol=1e-12)
    assert scores.j_mean == pytest.approx(np.mean([np.mean(values) for values in j.values()]))


def test_real_frames_of_many_objects(real: Path) -> None:
    paths = sorted((real / "DAVIS-2017-first-frames" / "Annotations").rglob("*.png"))
    truths = [read_label_map(path)[None] for path in paths[::3]]
    assert max(int(truth.max()) for truth in truths) >= 4
    assert len({truth.shape for truth in truths}) > 1
    for truth in truths:
        ids = int(truth.max())
        assert_identical(
            truth, np.roll(np.array([0, *range(2, ids + 1), 1], np.uint8)[truth], 5, 2)
        )


def test_real_frames_with_void(real: Path) -> None:
    paths = sorted((real / "DAVIS-2017-void" / "Annotations").rglob("*.png"))
    truth = np.stack([read_label_map(path) for path in paths])
    assert (truth == VOID).any()
    result = np.where(truth == VOID, 2, truth).astype(np.uint8)
    assert_identical(truth, shifted(result))
    assert (assert_identical(truth, result).J == 1).all()
