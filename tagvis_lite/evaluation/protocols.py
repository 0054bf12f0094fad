"""The protocols of DAVIS by name: which annotations, which frames, and who is compared with whom.

All of them score J and F per object and frame, and report means over objects. What a file layout
can hold is one thing, what it is scored by another: so the protocol has a name, which stands above
every table and in every file.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DavisProtocol:
    """One way to score label maps.

    Attributes:
        name: as on the command line.
        rules: one sentence for the head of a table.
        annotations: folder of the ground truth in a DAVIS root; None where no root is needed.
        year: of the DAVIS data whose lists of sequences are used.
        matched: proposals have ids of their own choice, and the Hungarian method assigns them;
            else proposal k is object k.
        foreground: every pixel that is not 0 is the one object, in truth and result; else 255 is
            void in the truth, and the objects are 1 to the largest id of its first frame.
        end_frames: whether the first and the last frame count.
    """

    name: str
    rules: str
    annotations: str | None
    year: str
    matched: bool = True
    foreground: bool = False
    end_frames: bool = True


UNSUPERVISED = DavisProtocol(
    "davis-2019-unsupervised",
    "objects of the first frame, at most 20 proposals, assigned by mean J&F; all frames; "
    "255 is void",
    "Annotations_unsupervised",
    "2017",
)
SEMI_SUPERVISED = DavisProtocol(
    "davis-2017-semi",
    "proposal k is object k; without the first and the last frame; 255 is background in the "
    "ground truth",
    "Annotations",
    "2017",
    matched=False,
    end_frames=False,
)
SINGLE_OBJECT = DavisProtocol(
    "davis-2016",
    "one object, every pixel that is not 0; without the first and the last frame",
    "Annotations",
    "2016",
    matched=False,
    foreground=True,
    end_frames=False,
)
MASKS = DavisProtocol(
    "masks",
    "as davis-2019-unsupervised, in those frames that have ground truth",
    None,
    "",
)
PROTOCOLS = {
    protocol.name: protocol for protocol in (UNSUPERVISED, SEMI_SUPERVISED, SINGLE_OBJECT, MASKS)
}
