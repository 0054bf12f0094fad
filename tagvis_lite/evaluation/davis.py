"""DAVIS: J, F and J&F of files, as the official tools have them, under a named protocol.

J is the intersection over union of two masks, F the F-measure of their boundaries, both per frame.
Under `davis-2019-unsupervised`, proposals of a result have ids of their own choice: per sequence,
the Hungarian method assigns one to each ground-truth object so that the mean of J and F over all
frames is largest. What is reported are means over objects, never over sequences.

Scores equal the official tool's to the last bit. Where they differ, or surprise:

- its decay is NaN for sequences of 256 frames and more (bin indices in uint8); ours is finite;
- its rows '<sequence>_<n>' are numbered in the order of the assigned *proposals*, so row n need
  not be object n. `per_sequence_table` reproduces it; everything else here is by object;
- an id that no frame shows, below the largest, is an empty proposal or object that counts;
- a sequence whose first frame holds no object has none, whatever comes later;
- TrackEval assigns by J alone unless told `optim_type="J&F"`, takes all ids and knows no limit of
  20: its default gives other numbers.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from tagvis_lite.data.davis import find_list, read_list, split_lists
from tagvis_lite.data.images import image_size, list_images
from tagvis_lite.data.label_maps import LabelMaps
from tagvis_lite.evaluation.davis_sequence import SequenceScores, Statistics, sequence_scores
from tagvis_lite.evaluation.protocols import MASKS, UNSUPERVISED, DavisProtocol
from tagvis_lite.evaluation.result_files import open_results, result_maps
from tagvis_lite.video import BACKGROUND, VOID, Frames, Tracks, Video

MEASURES = ("J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay")


@dataclass(frozen=True)
class DavisScores:
    """Scores of a set of sequences; means are over all their objects.

    Raises:
        ValueError: there is no object in any sequence.
    """

    sequences: tuple[SequenceScores, ...]
    protocol: DavisProtocol = field(default=UNSUPERVISED)

    def __post_init__(self) -> None:
        if not any(scores.objects for scores in self.sequences):
            names = [scores.name for scores in self.sequences]
            raise ValueError(f"no object to score in the ground truth of sequences {names}")

    @property
    def jf_mean(self) -> float:
        """J&F-Mean."""
        return (self.j_mean + self.f_mean) / 2

    @property
    def j_mean(self) -> float:
        """J-Mean."""
        return self._over_objects("J-Mean")

    @property
    def f_mean(self) -> float:
        """F-Mean."""
        return self._over_objects("F-Mean")

    def _over_objects(self, measure: str) -> float:
        ordered = [
            _by_object(scores, measure)[list(scores.official_order)] for scores in self.sequences
        ]
        return float(np.mean(np.concatenate(ordered)))

    def global_table(self) -> dict[str, float]:
        """The official global measures, by their official names and in their order."""
        return {"J&F-Mean": self.jf_mean} | {name: self._over_objects(name) for name in MEASURES}

    def per_sequence_table(self) -> list[dict[str, str | float]]:
        """The official rows: '<sequence>_<n>', J-Mean, F-Mean.

        n counts from 1 in the order of the assigned proposals: it is not the object's id.
        """
        return [
            {
                "Sequence": f"{scores.name}_{n}",
                "J-Mean": float(scores.j.mean[i]),
                "F-Mean": float(scores.f.mean[i]),
            }
            for scores in self.sequences
            for n, i in enumerate(scores.official_order, start=1)
        ]

    def per_object_table(self) -> list[dict[str, str | int | float]]:
        """One row for each object: its sequence, its id, the proposal it was given, all measures.

        A proposal of 0: the result had too few for this object.
        """
        return [
            {
                "Sequence": scores.name,
                "Object": scores.objects[i],
                "Proposal": scores.assignment[i],
                "J&F-Mean": float(scores.jf_mean[i]),
                **{name: float(_by_object(scores, name)[i]) for name in MEASURES},
            }
            for scores in self.sequences
            for i in range(len(scores.objects))
        ]

    def per_frame_table(self) -> list[dict[str, str | int | float]]:
        """One row for each object and frame that counts: J and F."""
        first = 0 if self.protocol.end_frames else 1
        return [
            {"Sequence": s.name, "Object": s.objects[i], "Frame": t + first, "J": j, "F": f}
            for s in self.sequences
            for i in range(len(s.objects))
            for t, (j, f) in enumerate(zip(s.J[i].tolist(), s.F[i].tolist(), strict=True))
        ]

    def notes(self) -> list[str]:
        """Which of these scores the official tool does not give, or not as one might think."""
        long = [scores.name for scores in self.sequences if scores.J.shape[1] >= 256]
        empty = [scores.name for scores in self.sequences if not scores.objects]
        notes = {
            "256 frames or more, where the official tool's decay is NaN": long,
            "no object in the first frame, so none is scored": empty,
        }
        return [f"{', '.join(names)}: {what}" for what, names in notes.items() if names]


def _by_object(scores: SequenceScores, measure: str) -> np.ndarray:
    """'J-Mean' and the like of each object: G float64."""
    letter, statistic = measure.split("-")
    over_frames: Statistics = scores.j if letter == "J" else scores.f
    values: np.ndarray = getattr(over_frames, statistic.lower())
    return values


def evaluate_davis(
    sequences: Iterable[tuple[str, Frames, Frames]],
    processes: int = 1,
    protocol: DavisProtocol = UNSUPERVISED,
) -> DavisScores:
    """Score sequences given as (name, ground truth, result); see `sequence_scores`.

    Args:
        sequences: taken one at a time, as they are needed.
        processes: worker processes, each with one sequence at a time. More than one needs Frames
            that pickle (lazy readers travel as paths, arrays by value), and a main module guarded
            by `if __name__ == "__main__"`. The scores and their order do not depend on it.
        protocol: what counts.

    Raises:
        ValueError: from the first sequence, in the given order, that cannot be scored.
    """
    if processes < 1:
        raise ValueError(f"cannot score in {processes} processes, at least 1 is needed")
    if processes == 1:
        scored = (sequence_scores(gt, res, name, protocol) for name, gt, res in sequences)
        return DavisScores(tuple(scored), protocol)
    done: list[SequenceScores] = []
    waiting: deque[Future[SequenceScores]] = deque()
    # Spawned, not forked: a fork copies the locks of OpenCV's and torch's threads in any state.
    with ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn"), cv2.setNumThreads, (1,)
    ) as pool:
        try:
            for name, ground_truth, result in sequences:
                waiting.append(pool.submit(sequence_scores, ground_truth, result, name, protocol))
                if len(waiting) > 2 * processes:
                    done.append(waiting.popleft().result())
            done.extend(future.result() for future in waiting)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return DavisScores(tuple(done), protocol)


def evaluate_tracks(videos: Sequence[Video], tracks: Sequence[Tracks]) -> tuple[DavisScores, float]:
    """Score tracks against labelled videos, one for each, in their order.

    Returns:
        The scores, and the instance-count error: mean of |instances found - instances there|.
    """
    truths = [video.read_ids(range(len(video))) for video in videos]
    pairs = list(zip(videos, truths, tracks, strict=True))
    scores = evaluate_davis((video.name, truth, track.ids) for video, truth, track in pairs)
    # not `video.categories`: that of a DAVIS video has every id there could be
    errors = [
        abs(len(track.categories) - len(set(np.unique(truth).tolist()) - {BACKGROUND, VOID}))
        for _, truth, track in pairs
    ]
    return scores, float(np.mean(errors))


# ---------------------------------------------------------------- files


def evaluate_davis_files(
    ground_truth: str | Path,
    results: str | Path,
    protocol: DavisProtocol = UNSUPERVISED,
    *,
    split: str | None = None,
    sequences: Sequence[str] = (),
    resolution: str = "480p",
    processes: int = 1,
) -> DavisScores:
    """Score label maps, `<sequence>/<frame>.png` in a folder or a zip, against ground truth.

    Args:
        ground_truth: a DAVIS root; for `masks` and `davis-2016` also a folder with a folder of
            label maps for each sequence.
        results: see `result_files`.
        protocol: what counts, and which annotations of the root.
        split: list of sequences in `ImageSets`; the held-out one when not given.
        sequences: only these; all of the split when not given.
        resolution: folder of the annotations of a root: "480p" or "Full-Resolution".
        processes: see `evaluate_davis`; no more are started than there are sequences.

    Raises:
        FileNotFoundError, NotADirectoryError: a folder, a sequence or a frame is missing.
        ValueError: a file that is no label map, no ground truth, or see `sequence_scores`.
    """
    truths = read_truth(
        ground_truth, protocol, split=split, sequences=sequences, resolution=resolution
    )
    folder = open_results(results, truths)
    pairs = []
    for name, truth in truths.items():
        frame_names = [path.stem for path in truth.paths]
        pairs.append((name, truth, result_maps(folder, name, frame_names, truth.size)))
    return evaluate_davis(pairs, min(processes, len(pairs)), protocol)


def read_truth(
    ground_truth: str | Path,
    protocol: DavisProtocol,
    *,
    split: str | None = None,
    sequences: Sequence[str] = (),
    resolution: str = "480p",
) -> dict[str, LabelMaps]:
    """The label maps of each sequence to score against; see `evaluate_davis_files`."""
    root = Path(ground_truth)
    if not root.is_dir():
        raise NotADirectoryError(f"{root}: no such folder of ground truth")
    of_davis = (root / "ImageSets").is_dir()
    if of_davis != (protocol.annotations is not None) and protocol in (UNSUPERVISED, MASKS):
        raise ValueError(_wrong_layout(root, protocol, resolution))
    folder = root
    if of_davis:
        folder = root / str(protocol.annotations) / resolution
        if not folder.is_dir():
            raise NotADirectoryError(_no_annotations(folder, root, protocol, resolution))
    names = sequences or (
        split_sequences(root, protocol, split)
        if of_davis
        else sorted(path.name for path in root.iterdir() if path.is_dir())
    )
    truths = {}
    for name in names:
        paths = list_images(folder / name, (".png",)) if (folder / name).is_dir() else ()
        frames_folder = root / "JPEGImages" / resolution / name
        frames = list_images(frames_folder, (".jpg",)) if frames_folder.is_dir() else paths
        if not paths or (len(frames) != len(paths) and of_davis):
            raise FileNotFoundError(
                f"{folder / name} holds {len(paths)} label maps for the {len(frames)} frames of "
                f"sequence {name!r} (those of the test splits are not public): download it again, "
                f"leave it out by --sequences, or score what is there by --protocol masks against "
                f"{folder}"
            )
        truths[name] = LabelMaps(paths, image_size(frames[0]))
    return truths


def split_sequences(root: Path, protocol: DavisProtocol, split: str | None) -> list[str]:
    """Names of the sequences of a split, the held-out one when not given.

    Raises:
        FileNotFoundError: no such list.
        ValueError: no DAVIS root, or a list without names.
    """
    from tagvis_lite.data.find import held_out_split  # brings PyAV, which takes 70 MB

    if not (root / "ImageSets").is_dir():
        raise ValueError(_no_davis_root(root))
    split = split or held_out_split(root)
    of_year = any(path.stem == split for path in split_lists(root, protocol.year))
    return read_list(find_list(root, split, protocol.year if of_year else None))


def _wrong_layout(root: Path, protocol: DavisProtocol, resolution: str) -> str:
    if protocol is MASKS:
        return (
            f"{root} is a DAVIS root, and protocol masks scores a folder of label maps for each "
            f"sequence: give {root / 'Annotations' / resolution}, or choose --protocol "
            f"{UNSUPERVISED.name}"
        )
    return _no_davis_root(root)


def _no_davis_root(root: Path) -> str:
    from tagvis_lite.data.find import youtube_vis_splits

    if youtube_vis_splits(root):
        return f"{root} is a YouTube-VIS root: say youtube-vis in place of davis"
    inside = next((path.parent for path in root.glob("*/ImageSets")), None)
    meant = f"did you mean {inside}?" if inside else "to score two folders: --protocol masks"
    return f"{root} is no DAVIS root, which holds ImageSets; {meant}"


def _no_annotations(folder: Path, root: Path, protocol: DavisProtocol, resolution: str) -> str:
    others = [p.parent.name for p in sorted(root.glob(f"Annotations*/{resolution}"))]
    if not others:
        return f"{folder}: no such folder; {root} has no annotations to score against"
    return (
        f"{folder}: no such folder, and {protocol.name} scores against nothing else: its "
        f"objects are others than those in {' and '.join(others)}; download it, or choose "
        "another --protocol"
    )
