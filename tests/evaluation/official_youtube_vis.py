"""YouTube-VIS AP and AR the way of the official scorer, `ytvoseval.py`.

That is a fork of pycocotools' `COCOeval` with tracks for masks, and fails on current NumPy. Here
matching, curves and their accumulation are `COCOeval`'s own, as installed; what the fork changes is
written anew: mean areas and the IoU of tracks. Left out is work of the fork that bears on no score
(copies, boxes, indices), so its own running time is above this one's.

It knows only what the fork knows: compressed RLEs that are sound, and `areas` in the ground truth.
"""

import contextlib
import io
import math

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.cocoeval import COCOeval


class YoutubeVISEval(COCOeval):
    def __init__(self, ground_truth, results):
        super().__init__(iouType="segm")
        self.ground_truth, self.results = ground_truth, results
        p = self.params
        p.imgIds = [video["id"] for video in ground_truth["videos"]]
        p.catIds = [category["id"] for category in ground_truth["categories"]]
        p.areaRng = [[0, 1e10], [0, 128**2], [128**2, 256**2], [256**2, 1e10]]
        p.maxDets = [1, 10, 100]

    def _prepare(self):
        self._gts.clear()
        self._dts.clear()
        objects = self.ground_truth["annotations"]
        for into, entries in ((self._gts, objects), (self._dts, self.results)):
            for k, entry in enumerate(entries, start=1):
                areas = entry.get("areas")
                if areas is None:
                    areas = [mask and coco_mask.area(mask) for mask in entry["segmentations"]]
                seen = [area for area in areas if area]
                crowd = entry.get("iscrowd", 0)
                known = {
                    "id": k,
                    "area": np.array(seen).mean() if seen else 0,
                    "iscrowd": crowd,
                    "ignore": crowd,
                }
                into[entry["video_id"], entry["category_id"]].append(entry | known)

    def computeIoU(self, video, category):
        objects, found = self._gts[video, category], self._dts[video, category]
        if not objects and not found:
            return []
        best_first = np.argsort([-entry["score"] for entry in found], kind="mergesort")
        best_first = best_first[: self.params.maxDets[-1]]
        ious = np.zeros((len(best_first), len(objects)))
        for i, d in enumerate(best_first):
            for j, obj in enumerate(objects):
                ious[i, j] = track_iou(found[d]["segmentations"], obj["segmentations"])
        return ious


def track_iou(masks, others):
    intersection = union = 0.0
    for mask, other in zip(masks, others, strict=True):
        if mask and other:
            intersection += coco_mask.area(coco_mask.merge([mask, other], True))
            union += coco_mask.area(coco_mask.merge([mask, other], False))
        elif mask or other:
            union += coco_mask.area(mask or other)
    return intersection / union if union else 0.0


def evaluate(ground_truth, results):
    """The nine numbers, NaN where no object counts."""
    scorer = YoutubeVISEval(ground_truth, results)
    with contextlib.redirect_stdout(io.StringIO()):
        scorer.evaluate()
        scorer.accumulate()
    precision, recall = scorer.eval["precision"][..., -1], scorer.eval["recall"][:, :, 0]

    def mean(values):
        present = values[values > -1]
        return float(np.mean(present)) if len(present) else math.nan

    return {
        "AP": mean(precision[..., 0]),
        "AP50": mean(precision[0, ..., 0]),
        "AP75": mean(precision[5, ..., 0]),
        "AP_small": mean(precision[..., 1]),
        "AP_medium": mean(precision[..., 2]),
        "AP_large": mean(precision[..., 3]),
        "AR1": mean(recall[..., 0]),
        "AR10": mean(recall[..., 1]),
        "AR100": mean(recall[..., 2]),
    }
