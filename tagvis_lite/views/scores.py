"""Pictures of scores: bars of sequences, precision against recall, the worst objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from tagvis_lite.evaluation.average_precision import IOU_THRESHOLDS, RECALLS, YoutubeVISScores
from tagvis_lite.evaluation.davis import DavisScores
from tagvis_lite.evaluation.explain import LostPoints
from tagvis_lite.views.figures import png
from tagvis_lite.views.overlay import OKABE_ITO, overlay

WORST = 5
"""Objects that are pictured."""


def score_bars(scores: DavisScores) -> Figure:
    """J and F of every sequence, means over its objects, worst sequence first."""
    scored = [sequence for sequence in scores.sequences if sequence.objects]
    order = sorted(scored, key=lambda sequence: float(sequence.jf_mean.mean()), reverse=True)
    figure = Figure(figsize=(7, 0.9 + 0.28 * len(order)), layout="constrained")
    axis = figure.subplots()
    places = np.arange(len(order))
    for shift, name, colour in ((0.2, "J", OKABE_ITO[4]), (-0.2, "F", OKABE_ITO[0])):
        means = [
            100 * float((sequence.j if name == "J" else sequence.f).mean.mean())
            for sequence in order
        ]
        axis.barh(places + shift, means, height=0.38, color=colour / 255, label=name)
    names = [sequence.name for sequence in order]
    axis.set_yticks(places, names, fontsize=8, parse_math=False)
    axis.set_xlim(0, 100)
    axis.set_ylim(-0.6, len(order) - 0.4)
    axis.set_xlabel("mean over the objects of the sequence, percent")
    axis.set_title(f"J&F {100 * scores.jf_mean:.1f}; the worst sequences first", fontsize=10)
    figure.legend(loc="outside right upper", fontsize=8)
    return figure


def precision_recall(methods: Mapping[str, YoutubeVISScores]) -> Figure:
    """Mean precision of the categories against recall, at IoU 0.5 and 0.75, of each method."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    for k, (name, scores) in enumerate(methods.items()):
        for _, precision in scores.curves()[-1:]:
            for threshold, dashes in ((0, "-"), (5, "--")):
                label = f"{name}, IoU {IOU_THRESHOLDS[threshold]:.2f}"
                colour = OKABE_ITO[k % len(OKABE_ITO)] / 255
                axis.plot(RECALLS, precision[threshold], dashes, color=colour, label=label)
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1.02)
    axis.set_xlabel("recall")
    axis.set_ylabel("precision, mean of the categories")
    if methods:
        figure.legend(loc="outside right upper", fontsize=8)
    return figure


Read = Callable[[str, int], np.ndarray]


def worst_objects(
    lost: Sequence[LostPoints], read_frame: Read, read_truth: Read, read_result: Read
) -> dict[str, bytes]:
    """The frame that lost most, of each of the five objects that lost most.

    Args:
        lost: of all objects.
        read_frame: H x W x 3 uint8 of a sequence and a frame number.
        read_truth: label map of the same.
        read_result: label map of the same.

    Returns:
        PNGs, truth beside result, by what they show.
    """
    pictures = {}
    order = sorted(lost, key=lambda of_object: -float(of_object.causes.sum(axis=1).mean()))
    for of_object in order[:WORST]:
        name, t = of_object.sequence, of_object.worst_frame
        row = of_object.row()
        causes = {k: v for k, v in row.items() if k != "Lost" and isinstance(v, float) and v > 0}
        reasons = ", ".join(
            f"{cause} {100 * points:.1f}"
            for cause, points in sorted(causes.items(), key=lambda item: -item[1])
        )
        text = (
            f"{name}, object {of_object.object} lost {100 * float(row['Lost']):.1f} points "
            f"({reasons}); frame {t}, truth and result"
        )
        frame = read_frame(name, t)
        figure = Figure(figsize=(9, 2.9), layout="constrained")
        for axis, title, ids in zip(
            figure.subplots(1, 2),
            (f"truth: look at object {of_object.object}", "result"),
            (read_truth(name, t), read_result(name, t)),
            strict=True,
        ):
            axis.imshow(overlay(frame, ids))
            axis.set_title(title, fontsize=9)
            axis.axis("off")
        pictures[text] = png(figure)
    return pictures
