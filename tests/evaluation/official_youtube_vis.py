"""The official scorer's way: pycocotools' own COCOeval, with the IoU of tracks in place of masks'.

The official YouTube-VIS scorer is a copy of COCOeval with videos for images. Here COCOeval itself
matches and accumulates; the IoUs are the official loop over pairs of tracks and frames (see
literal_youtube_vis.py), and as on loading there, every detected mask gets its area and its box.
It knows only compressed masks, and ids of annotations from 1.
"""

import contextlib
import io
from collections import defaultdict

import literal_youtube_vis as literal
import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.cocoeval import COCOeval


class TrackEvaluation(COCOeval):
    """COCOeval of tracks; `evaluate`, `accumulate` and `eval` as there."""

    def __init__(self, ground_truth, results):
        super().__init__(iouType="segm")
        self.ground_truth, self.results = ground_truth, results
        self.params.imgIds = [video["id"] for video in ground_truth["videos"]]
        self.params.catIds = [category["id"] for category in ground_truth["categories"]]
        self.params.areaRng = list(literal.AREAS.values())

    def _prepare(self):
        self._gts = self._grouped(self.ground_truth["annotations"])
        self._dts = self._grouped(self.results)
        for entry in self.results:
            for mask in filter(None, entry["segmentations"]):
                coco_mask.toBbox(mask)
        self.evalImgs, self.eval = defaultdict(list), {}

    @staticmethod
    def _grouped(entries):
        groups = defaultdict(list)
        for number, entry in enumerate(entries, start=1):
            areas = entry.get("areas") or [m and coco_mask.area(m) for m in entry["segmentations"]]
            crowd = entry.get("iscrowd", 0)
            group = groups[entry["video_id"], entry["category_id"]]
            group.append(
                {
                    **entry,
                    "id": number,
                    "area": literal.mean_area(areas),
                    "iscrowd": crowd,
                    "ignore": crowd,
                }
            )
        return groups

    def computeIoU(self, imgId, catId):
        objects, found = self._gts[imgId, catId], self._dts[imgId, catId]
        if not objects and not found:
            return []
        best = np.argsort([-detection["score"] for detection in found], kind="mergesort")
        ious = [
            [literal.track_iou(found[d]["segmentations"], g["segmentations"]) for g in objects]
            for d in best[: self.params.maxDets[-1]]
        ]
        return np.array(ious).reshape(len(ious), len(objects))


def evaluate(ground_truth, results):
    """The nine scores of `YoutubeVISScores.values`."""
    evaluation = TrackEvaluation(ground_truth, results)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
        evaluation.accumulate()
    precision, recall = (evaluation.eval[name] for name in ("precision", "recall"))

    def mean(values):
        present = values[values > -1]
        return float(np.mean(present)) if len(present) else float("nan")

    scores = {
        "AP": mean(precision[..., 0, -1]),
        "AP50": mean(precision[0, ..., 0, -1]),
        "AP75": mean(precision[5, ..., 0, -1]),
    }
    for a, size in enumerate(("small", "medium", "large"), start=1):
        scores[f"AP_{size}"] = mean(precision[..., a, -1])
    for m, limit in enumerate(evaluation.params.maxDets):
        scores[f"AR{limit}"] = mean(recall[..., 0, m])
    return scores
