"""DAVIS 2017 Unsupervised (the DAVIS'19 challenge): J, F and J&F, as the official tool has them.

J is the intersection over union of two masks, F the F-measure of their boundaries, both per frame.
Proposals of a result have ids of their own choice: per sequence, the Hungarian method assigns one
to each ground-truth object so that the mean of J and F over all frames is largest. What is
reported are means over objects, never over sequences.

Scores equal the official tool's to the last bit, but for two things that it gets wrong:

- its decay is NaN for sequences of 256 frames and more (bin indices in uint8); ours is finite;
- its rows '<sequence>_<n>' are numbered in the order of the assigned *proposals*, so row n need
  not be object n. The official table is reproduced as it is; everything else here is by object.
"""

from __future__ import annotations

import csv
import io
import multiprocessing
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tagvis_lite.atomic import replacing
from tagvis_lite.data.davis import read_davis
from tagvis_lite.evaluation.davis_sequence import SequenceScores, sequence_scores
from tagvis_lite.evaluation.davis_submission import read_davis_result
from tagvis_lite.video import BACKGROUND, VOID, Frames, Tracks, Video

__all__ = [
    "DavisScores",
    "SequenceScores",
    "evaluate_davis",
    "evaluate_davis_folder",
    "evaluate_tracks",
    "sequence_scores",
]


@dataclass(frozen=True)
class DavisScores:
    """Scores of a set of sequences; the properties are means over all their objects.

    Raises:
        ValueError: there is no object in any sequence.
    """

    sequences: tuple[SequenceScores, ...]

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
        return self._over_objects([scores.j.mean for scores in self.sequences])

    @property
    def j_recall(self) -> float:
        """J-Recall."""
        return self._over_objects([scores.j.recall for scores in self.sequences])

    @property
    def j_decay(self) -> float:
        """J-Decay."""
        return self._over_objects([scores.j.decay for scores in self.sequences])

    @property
    def f_mean(self) -> float:
        """F-Mean."""
        return self._over_objects([scores.f.mean for scores in self.sequences])

    @property
    def f_recall(self) -> float:
        """F-Recall."""
        return self._over_objects([scores.f.recall for scores in self.sequences])

    @property
    def f_decay(self) -> float:
        """F-Decay."""
        return self._over_objects([scores.f.decay for scores in self.sequences])

    def _over_objects(self, values: Sequence[np.ndarray]) -> float:
        ordered = [
            of_sequence[list(scores.official_order)]
            for scores, of_sequence in zip(self.sequences, values, strict=True)
        ]
        return float(np.mean(np.concatenate(ordered)))

    def global_table(self) -> dict[str, float]:
        """The official global measures, by their official names and in their order."""
        return {
            "J&F-Mean": self.jf_mean,
            "J-Mean": self.j_mean,
            "J-Recall": self.j_recall,
            "J-Decay": self.j_decay,
            "F-Mean": self.f_mean,
            "F-Recall": self.f_recall,
            "F-Decay": self.f_decay,
        }

    def per_sequence_table(self) -> list[tuple[str, float, float]]:
        """The official rows ('<sequence>_<n>', J-Mean, F-Mean).

        n counts from 1 in the order of the assigned proposals: it is not the object's id.
        """
        return [
            (f"{scores.name}_{n}", float(scores.j.mean[i]), float(scores.f.mean[i]))
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
                "J-Mean": float(scores.j.mean[i]),
                "J-Recall": float(scores.j.recall[i]),
                "J-Decay": float(scores.j.decay[i]),
                "F-Mean": float(scores.f.mean[i]),
                "F-Recall": float(scores.f.recall[i]),
                "F-Decay": float(scores.f.decay[i]),
            }
            for scores in self.sequences
            for i in range(len(scores.objects))
        ]

    def write_csv(self, directory: str | Path, split: str = "val") -> list[Path]:
        """Write the two files of the official tool, three decimals as there, and one by object.

        Returns:
            `global_results-<split>.csv`, `per-sequence_results-<split>.csv`, and
            `per-object_results-<split>.csv`, which the official tool does not have.
        """
        overall, by_object = self.global_table(), self.per_object_table()
        tables: dict[str, list[Iterable[object]]] = {
            "global_results": [list(overall), list(overall.values())],
            "per-sequence_results": [("Sequence", "J-Mean", "F-Mean"), *self.per_sequence_table()],
            "per-object_results": [by_object[0], *(row.values() for row in by_object)],
        }
        written = []
        for kind, rows in tables.items():
            path = Path(directory) / f"{kind}-{split}.csv"
            _write_csv(path, rows)
            written.append(path)
        return written


def _write_csv(path: Path, rows: Iterable[Iterable[object]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [f"{cell:.3f}" if isinstance(cell, float) else cell for cell in row] for row in rows
    )
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8", newline="")


def evaluate_davis(
    sequences: Iterable[tuple[str, Frames, Frames]], processes: int = 1
) -> DavisScores:
    """Score sequences given as (name, ground truth, result); see `sequence_scores`.

    Args:
        sequences: taken one at a time, as they are needed.
        processes: worker processes, each with one sequence at a time. More than one needs Frames
            that pickle (lazy readers travel as paths, arrays by value), and a main module guarded
            by `if __name__ == "__main__"`. The scores and their order do not depend on it.

    Raises:
        ValueError: from the first sequence, in the given order, that cannot be scored.
    """
    if processes < 1:
        raise ValueError(f"cannot score in {processes} processes, at least 1 is needed")
    if processes == 1:
        return DavisScores(tuple(sequence_scores(gt, res, name) for name, gt, res in sequences))
    done: list[SequenceScores] = []
    waiting: deque[Future[SequenceScores]] = deque()
    # Spawned, not forked: a fork copies the locks of OpenCV's and torch's threads in any state.
    with ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn"), cv2.setNumThreads, (1,)
    ) as pool:
        try:
            for name, ground_truth, result in sequences:
                waiting.append(pool.submit(sequence_scores, ground_truth, result, name))
                if len(waiting) > 2 * processes:
                    done.append(waiting.popleft().result())
            done.extend(future.result() for future in waiting)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return DavisScores(tuple(done))


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


def evaluate_davis_folder(
    ground_truth_root: str | Path,
    results_dir: str | Path,
    split: str = "val",
    *,
    year: str | None = None,
    single_object: bool = False,
    processes: int = 1,
) -> DavisScores:
    """Score a folder of results, `<results_dir>/<sequence>/<frame>.png`, against a DAVIS folder.

    Args:
        ground_truth_root: the folder that holds `Annotations`, `JPEGImages` and `ImageSets`.
        results_dir: one folder of label maps for each sequence of the split.
        split: the list of sequences in `ImageSets/<year>`.
        year: "2016", "2017" or "2019".
        single_object: 255 is the one object, in ground truth and result (DAVIS-2016), not void.
        processes: see `evaluate_davis`; no more are started than there are sequences.

    Raises:
        FileNotFoundError, NotADirectoryError: a folder, a sequence or a frame is missing.
        ValueError: a file that is no label map, no ground truth, or see `sequence_scores`.
    """
    sequences: list[tuple[str, Frames, Frames]] = []
    for video in read_davis(ground_truth_root, split, year=year, single_object=single_object):
        if video.ids is None:
            raise ValueError(
                f"{ground_truth_root}: sequence {video.name!r} of split {split!r} has no "
                "annotations to score against (those of the test splits are not public)"
            )
        result = read_davis_result(results_dir, video, single_object=single_object)
        sequences.append((video.name, video.ids, result))
    return evaluate_davis(sequences, min(processes, len(sequences)))
