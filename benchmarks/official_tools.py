"""A certificate: the official tools, unmodified but for what new NumPy forces, against ours.

    TAGVIS_OFFICIAL=FOLDER python benchmarks/official_tools.py

FOLDER holds your own copies of davis2017-evaluation, youtubevos/cocoapi and TrackEval, by the names
of their repositories; a tool that is not there is left out, and said so. Nothing is downloaded.
Every run is a process of its own on one thread, from files to scores; the tools run from a
temporary copy with the replacements listed here. They take turns; times are medians of processor
time, imports left out, and memory is the peak of the whole process, imports included. Files are
drawn here; with TAGVIS_REAL_DATA, also masks of DAVIS 2016.

Scores must be equal: to the last bit, or to 5e-7 where TrackEval adds an epsilon to its thresholds.
Prints the table that README.md holds and writes benchmarks/results/official_tools.json. The same
cases, but for the large files, are tests (tests/official).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from tagvis_lite.data.davis import read_davis, write_davis
from tagvis_lite.data.label_maps import write_label_map
from tagvis_lite.evaluation.youtube_vis_submission import write_results
from tagvis_lite.video import Video

ROOT = Path(__file__).resolve().parents[1]
REPLACED = {
    "np.float)": "float)",
    "astype(np.bool)": "astype(bool)",
    "astype(np.int)": "astype(int)",
    "np.round((0.95 - .5) / .05) + 1": "int(np.round((0.95 - .5) / .05)) + 1",
    "np.round((1.00 - .0) / .01) + 1": "int(np.round((1.00 - .0) / .01)) + 1",
    "from . import mask as maskUtils": "from pycocotools import mask as maskUtils",
}
COPIED = {
    "davis2017-evaluation": ["davis2017"],
    "cocoapi": ["PythonAPI/pycocotools/ytvos.py", "PythonAPI/pycocotools/ytvoseval.py"],
    "TrackEval": ["trackeval"],
}
DISK = """
import numpy
def disk(radius):  # all that the tools take of scikit-image
    r = numpy.arange(-radius, radius + 1)
    return (r[:, None] ** 2 + r**2 <= radius**2).astype("uint8")
"""
TIMED = """
import contextlib, io, json, pathlib, time
import cv2
cv2.setNumThreads(1)
{imports}
start = time.process_time()
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    numbers = {run}
seconds = time.process_time() - start
status = pathlib.Path("/proc/self/status").read_text()  # of Linux; a child's own, not its parent's
peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps([[float(x).hex() for x in numbers], seconds, peak]))
"""


@dataclass(frozen=True)
class Tool:
    """Code that imports, and code that makes a list of numbers from files named in braces."""

    imports: str
    run: str


DAVIS = Tool(
    "from davis2017.evaluation import DAVISEvaluation",
    """(lambda r: [x for m in "JF" for k in "MRD" for x in r[m][k]])(
        DAVISEvaluation({root!r}, {task!r}, "val").evaluate({results!r}))""",
)
OUR_DAVIS = Tool(
    "import tagvis_lite.data.find\n"
    "from tagvis_lite.evaluation.davis import evaluate_davis_files\n"
    "from tagvis_lite.evaluation.protocols import PROTOCOLS",
    """(lambda sequences: [x for m in "jf" for k in ("mean", "recall", "decay") for s in sequences
        for x in getattr(getattr(s, m), k)[list(s.official_order)]])(
        evaluate_davis_files({root!r}, {results!r}, PROTOCOLS[{protocol!r}]).sequences)""",
)
TRACK_EVAL = Tool(
    "from trackeval.datasets import DAVIS\nfrom trackeval.metrics import JAndF",
    """(lambda d, m: (setattr(m, "optim_type", "J&F"), [m.combine_sequences({{
        s: m.eval_sequence(d.get_preprocessed_seq_data(d.get_raw_seq_data("results", s), "general"))
        for s in d.seq_list}})[k] for k in ("J&F", *m.float_fields[:-1])])[1])(
        DAVIS(dict(GT_FOLDER={root!r} + "/Annotations_unsupervised/480p", TRACKER_SUB_FOLDER="",
            TRACKERS_FOLDER={folder!r}, TRACKERS_TO_EVAL=["results"])), JAndF())""",
)
OUR_MEANS = Tool(
    OUR_DAVIS.imports, "evaluate_davis_files({root!r}, {results!r}).global_table().values()"
)
YOUTUBE_VIS = Tool(
    "import matplotlib.pyplot\nfrom ytvos import YTVOS\nfrom ytvoseval import YTVOSeval",
    """(lambda e: (e.evaluate(), e.accumulate(), e.summarize(), e.stats[:9])[-1])(
        (lambda g: YTVOSeval(g, g.loadRes({results!r}), "segm"))(YTVOS({truth!r})))""",
)
OUR_YOUTUBE_VIS = Tool(
    "from tagvis_lite.data.youtube_vis_json import read_annotations\n"
    "from tagvis_lite.evaluation.youtube_vis import evaluate_parsed\n"
    "from tagvis_lite.evaluation.youtube_vis_submission import read_predictions",
    """(lambda f: [-1.0 if x != x else x for x in
        evaluate_parsed(f, read_predictions({results!r}, f)).values().values()])(
        read_annotations({truth!r}))""",
)


# ---------------------------------------------------------------- the files


def blobs(rng: np.random.Generator, shape: tuple[int, int], number: int, length: int) -> np.ndarray:
    """T x H x W uint8: ellipses that move and turn; all are there in the first frame."""
    ids = np.zeros((length, *shape), np.uint8)
    for label in range(1, number + 1):
        centre, speed = rng.uniform(0.2, 0.8, 2) * shape, rng.uniform(-3, 3, 2)
        axes = (int(rng.integers(8, shape[1] // 4)), int(rng.integers(8, shape[0] // 4)))
        for t in range(length):
            y, x = (centre + t * speed).astype(int).tolist()
            cv2.ellipse(ids[t], (x, y), axes, float(rng.uniform(0, 180)), 0, 360, label, -1)
    ids[0, 0, :number] = range(1, number + 1)
    return ids


def drawn_masks(folder: Path, task: str, proposals: int) -> None:
    """Two sequences, one to three objects each, with void; half of the results are nearly right."""
    rng = np.random.default_rng(proposals)
    pairs = {}
    for k in range(2):
        number = proposals if task == "semi-supervised" else int(rng.integers(1, 4))
        truth = blobs(rng, (240, 427), number, 8)
        result = blobs(rng, (240, 427), proposals, 8)
        result[4:] = np.roll(truth[4:], 4, axis=2) * (truth[4:] <= proposals)
        truth[1:, :20] = 255
        pairs[f"s{k}"] = (truth, result)
    write_pairs(folder, pairs, task)


def real_masks(folder: Path, task: str, proposals: int) -> None:
    """Two sequences of DAVIS 2016, 30 frames each; results are their masks, shifted."""
    root = Path(os.environ["TAGVIS_REAL_DATA"]) / "DAVIS-2016"
    pairs = {}
    for video in read_davis(root, "val", year="2016")[:2]:
        truth = video.read_ids(range(min(30, len(video))))
        truth[0, 0, 0] = 1
        pairs[video.name] = (truth, np.roll(truth, (3, -5), axis=(1, 2)))
    write_pairs(folder, pairs, task)


def write_pairs(folder: Path, pairs: dict[str, tuple[np.ndarray, np.ndarray]], task: str) -> None:
    videos = [
        Video(name, np.zeros((*truth.shape, 3), np.uint8), truth)
        for name, (truth, _) in pairs.items()
    ]
    write_davis(folder / "DAVIS", videos, "val")
    if task == "semi-supervised":
        (folder / "DAVIS" / "Annotations_unsupervised").rename(folder / "DAVIS" / "Annotations")
    for name, (_, result) in pairs.items():
        for t, ids in enumerate(result):
            write_label_map(folder / "results" / name / f"{t:05d}.png", ids)


def drawn_tracks(folder: Path, videos: int) -> None:
    """Videos of 27 frames at 720p: three rugged outlines that move, ten categories.

    Ten detections each are objects shifted by a dozen pixels, a third of them of any category.
    """
    rng = np.random.default_rng(videos)
    size, length = (720, 1280), 27
    angles = np.linspace(0, 2 * np.pi, 240, endpoint=False)

    def rle(outline: np.ndarray) -> dict[str, Any] | None:
        (mask,) = coco_mask.frPyObjects([outline.clip(0, size[::-1]).ravel().tolist()], *size)
        counts = mask["counts"].decode()
        return {"size": list(size), "counts": counts} if coco_mask.area(mask) else None

    kinds = [{"id": k, "name": f"kind {k}"} for k in range(1, 11)]
    truth: dict[str, Any] = {"info": {}, "videos": [], "annotations": [], "categories": kinds}
    results = []
    for video_id in range(1, videos + 1):
        video = {"height": size[0], "width": size[1], "length": length}
        names = [f"{video_id}/{t:05d}.jpg" for t in range(length)]
        truth["videos"].append({"id": video_id, **video, "file_names": names})
        objects = []
        for _ in range(3):
            waves = [
                rng.uniform(-0.3, 0.3) / k * np.sin(k * angles + 6 * rng.random())
                for k in range(2, 40)
            ]
            radius = rng.uniform(50, 200) * (1 + np.sum(waves, axis=0))
            outline = np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=1)
            centre = rng.uniform((320, 180), (960, 540))
            objects.append((outline + centre, rng.uniform(-4, 4, 2), int(rng.integers(1, 11))))
        for k in range(13):
            outline, speed, category = objects[k % 3]
            offset = rng.normal(0, 12, 2) * (k >= 3)
            masks = [rle(outline + t * speed + offset) for t in range(length)]
            if k >= 3 and k % 3 == 0:
                category = int(rng.integers(1, 11))
            entry = {"video_id": video_id, "category_id": category, "segmentations": masks}
            if k >= 3:
                results.append(entry | {"score": round(float(rng.random()), 2)})
                continue
            areas = [mask and int(coco_mask.area(mask)) for mask in masks]
            number = len(truth["annotations"]) + 1
            truth["annotations"].append(
                entry | video | {"id": number, "iscrowd": 0, "areas": areas}
            )
    (folder / "truth.json").write_text(json.dumps(truth))
    write_results(folder / "results.json", results)


# ---------------------------------------------------------------- the cases


@dataclass(frozen=True)
class Case:
    """Files, what the official tool makes of them, and what ours makes."""

    name: str
    repository: str
    draw: Callable[[Path], None]
    official: Tool
    ours: Tool
    task: str = ""
    tolerance: float = 0.0
    small: bool = False  # a test alone
    large: bool = False  # a measurement alone


def cases() -> list[Case]:
    """All that can be compared here; real masks need TAGVIS_REAL_DATA."""

    def davis(draw: Callable[..., None], task: str, proposals: int, small: bool = False) -> Case:
        what = "real masks" if draw is real_masks else "drawn"
        name = f"DAVIS {task}, {what}, {proposals} proposal{'s' * (proposals > 1)}"
        files = partial(draw, task=task, proposals=proposals)
        return Case(name, "davis2017-evaluation", files, DAVIS, OUR_DAVIS, task, small=small)

    def youtube_vis(videos: int, **size: bool) -> Case:
        name = f"YouTube-VIS, drawn, {videos} videos"
        files = partial(drawn_tracks, videos=videos)
        return Case(name, "cocoapi", files, YOUTUBE_VIS, OUR_YOUTUBE_VIS, **size)

    six = davis(drawn_masks, "unsupervised", 6)
    found = [
        davis(drawn_masks, "unsupervised", 1, small=True),
        six,
        davis(real_masks, "unsupervised", 1),
        davis(drawn_masks, "semi-supervised", 3),
        davis(real_masks, "semi-supervised", 1),
        Case(six.name, "TrackEval", six.draw, TRACK_EVAL, OUR_MEANS, six.task, tolerance=5e-7),
        youtube_vis(4, small=True),
        youtube_vis(40, large=True),
        youtube_vis(180, large=True),
    ]
    if "TAGVIS_REAL_DATA" not in os.environ:
        found = [case for case in found if "real" not in case.name]
    return found


# ---------------------------------------------------------------- the measurement


def copied(source: Path, folder: Path) -> list[str]:
    """Copy those tools that are there, with the replacements; the names of the others."""
    missing = []
    for repository, parts in COPIED.items():
        for part in parts if (source / repository).is_dir() else ():
            path, target = source / repository / part, folder / Path(part).name
            shutil.copytree(path, target) if path.is_dir() else shutil.copy(path, target)
        if not (source / repository).is_dir():
            missing.append(repository)
    for path in folder.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for old, new in REPLACED.items():
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
    (folder / "skimage").mkdir()
    (folder / "skimage" / "__init__.py").touch()
    (folder / "skimage" / "morphology.py").write_text(DISK)
    return missing


def compare(case: Case, tools: Path, folder: Path, turns: int) -> dict[str, Any]:
    """Run both in turn on files that are drawn into `folder`.

    Raises:
        SystemExit: the scores differ.
    """
    case.draw(folder)
    names = {"root": str(folder / "DAVIS"), "folder": str(folder), "task": case.task}
    names["protocol"] = (
        "davis-2017-semi" if case.task == "semi-supervised" else "davis-2019-unsupervised"
    )
    json_file = folder / "results.json"
    names["results"] = str(json_file if json_file.exists() else folder / "results")
    names["truth"] = str(folder / "truth.json")
    official, ours = [], []
    for _ in range(turns):
        official.append(answer(case.official, tools, names))
        ours.append(answer(case.ours, tools, names))
    expected, found = (np.array([*map(float.fromhex, side[0][0])]) for side in (official, ours))
    if not len(expected) or not np.allclose(found, expected, rtol=0, atol=case.tolerance):
        raise SystemExit(f"{case.name}: the scores differ: {found} {expected}")
    size = f", {json_file.stat().st_size / 1e6:.1f} MB of results" if json_file.exists() else ""
    ratios = [a[1] / b[1] for a, b in zip(official, ours, strict=True)]
    return {
        "name": case.name + size,
        "repository": case.repository,
        "numbers": len(found),
        "tolerance": case.tolerance,
        "official_s": median(seconds for _, seconds, _ in official),
        "ours_s": median(seconds for _, seconds, _ in ours),
        "ratio": median(ratios),
        "ratio_lowest": min(ratios),
        "ratio_highest": max(ratios),
        "official_mb": max(peak for _, _, peak in official),
        "ours_mb": max(peak for _, _, peak in ours),
    }


def answer(tool: Tool, tools: Path, names: dict[str, str]) -> tuple[list[str], float, float]:
    code = TIMED.format(imports=tool.imports, run=tool.run.format(**names))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join([str(tools), str(ROOT)]), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    numbers, seconds, peak = json.loads(done.stdout)
    return numbers, seconds, peak


def table(rows: list[dict[str, Any]]) -> str:
    """As in README.md."""
    lines = [
        "| files | official tool | scores | equal | seconds | ours | ratio | peak MB | ours |",
        "|:--|:--|--:|:--|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        equal = f"to {row['tolerance']:.0e}" if row["tolerance"] else "to the last bit"
        lines.append(
            f"| {row['name']} | {row['repository']} | {row['numbers']} | {equal} "
            f"| {row['official_s']:.2f} | {row['ours_s']:.2f} | {row['ratio']:.1f} "
            f"| {row['official_mb']:.0f} | {row['ours_mb']:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=5)
    turns = parser.parse_args().turns
    from measuring import record

    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        tools = Path(temporary) / "tools"
        tools.mkdir()
        missing = copied(Path(os.environ["TAGVIS_OFFICIAL"]), tools)
        for name in missing:
            print(f"left out: {name}, which is not in TAGVIS_OFFICIAL")
        for k, case in enumerate(cases()):
            if case.repository not in missing and not case.small:
                folder = Path(temporary) / str(k)
                folder.mkdir()
                rows.append(compare(case, tools, folder, turns))
                print(table(rows[-1:]).splitlines()[-1], flush=True)
                shutil.rmtree(folder)
    print(table(rows))
    record("official_tools", {"turns": turns, "left_out": missing, "rows": rows})


if __name__ == "__main__":
    main()
