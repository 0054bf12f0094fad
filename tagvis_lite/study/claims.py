"""What the paper claims: the numbers of its tables, copied, and its statements one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TABLE_1 = (
    ("DeepSORT", "ImageNet, COCO; P/D", "26.1", "42.9", "26.1", "27.8", "31.3"),
    ("FEELVOS", "ImageNet, COCO; FF", "26.9", "42.0", "29.7", "29.9", "33.4"),
    ("OSMN", "ImageNet, COCO; P/D", "27.5", "45.1", "29.1", "28.6", "33.1"),
    ("MaskTrack", "ImageNet, COCO; P/D", "30.3", "51.1", "32.6", "31.0", "35.5"),
    ("STEM-Seg", "COCO", "34.6", "55.8", "37.9", "34.4", "41.6"),
    ("MaskProp", "ImageNet, COCO; P/D", "46.6", "-", "51.2", "44.0", "52.6"),
    ("Propose-Reduce", "COCO; P/D", "47.6", "71.6", "51.8", "46.3", "56.0"),
    ("Kini and Shah", "Kinetics-400", "51.2", "74.8", "57.9", "46.3", "57.6"),
)
"""Table I: method, what it uses, mAP, AP@50, AP@75, AR@1, AR@10 on YouTube-VIS validation."""

TABLE_2 = (
    ("RVOS", "", "41.2", "36.8", "45.7", "20+"),
    ("KIS", "P/D, RI", "59.9", "-", "-", "-"),
    ("AGNN", "P/D, OF", "61.1", "58.9", "63.2", "-"),
    ("STEM-Seg", "", "64.7", "61.5", "67.8", "7"),
    ("UnOVOST", "P/D, OF, RI", "67.0", "65.6", "68.4", "<1"),
    ("Propose-Reduce", "P/D", "70.4", "67.0", "73.8", "-"),
    ("Kini and Shah", "", "74.3", "72.2", "76.4", "17"),
)
"""Table II: method, what it uses, J&F, J, F, frames a second on DAVIS'19 Unsupervised."""

Verdict = Literal[
    "reproduced on toy",
    "contradicted on toy",
    "not decided on toy",
    "not testable here",
    "not run",
]


@dataclass(frozen=True)
class Claim:
    """A statement of the paper that a measurement can support or contradict.

    Attributes:
        words: what it says.
        where: in the paper.
        tested_by: the rule in `report` that finds the verdict from runs of ours; without one it is
            `verdict`.
    """

    words: str
    where: str
    tested_by: Literal["names", "identity", "removals", "semantics"] | None = None
    verdict: Verdict = "not run"


CLAIMS = (
    Claim("51.2 mAP on YouTube-VIS validation", "Table I"),
    Claim("74.3 J&F on DAVIS'19 Unsupervised validation", "Table II"),
    Claim(
        "17 frames a second; 'minimum run-time' of its peers",
        "Table II",
        verdict="not testable here",
    ),
    Claim("one tag value a pixel separates the objects of a clip", "section I", "names"),
    Claim("tags hold an object's identity through the clip", "abstract", "identity"),
    Claim("masks by class come as a by-product", "section I", "semantics"),
    Claim("each part is worth its place: without it J&F falls", "Table III", "removals"),
)
"""The claims in the order in which the report numbers them; the last stands for eleven rows."""
