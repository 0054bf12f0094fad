"""A certificate: the official tools, unmodified but for what new NumPy forces, against ours.

    TAGVIS_OFFICIAL=FOLDER python -m pytest tests/official -s

FOLDER holds your own copies of davis2017-evaluation and youtubevos/cocoapi, by those names. Nothing
is downloaded. Each tool runs in a process of its own, from a temporary copy with the replacements
listed here; scores are compared to the last bit, and a table says what was compared and how long
each took, in processor time, imports left out.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tagvis_lite.data.davis import read_davis, write_davis
from tagvis_lite.data.label_maps import write_label_map
from tagvis_lite.data.rle import encode_ids
from tagvis_lite.evaluation.youtube_vis_submission import write_results
from tagvis_lite.video import Video

REPLACED = {
    "np.float)": "float)",
    "np.float32(": "np.float32(",
    "astype(np.bool)": "astype(bool)",
    "from skimage.morphology import disk": "disk = lambda r: (lambda a: (a[:, None] ** 2 + a ** 2 "
    "<= r ** 2).astype('uint8'))(np.arange(-r, r + 1))",
    "np.round((0.95 - .5) / .05) + 1": "int(np.round((0.95 - .5) / .05)) + 1",
    "np.round((1.00 - .0) / .01) + 1": "int(np.round((1.00 - .0) / .01)) + 1",
    "from . import mask as maskUtils": "from pycocotools import mask as maskUtils",
}
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
DAVIS_OFFICIAL = (
    "from davis2017.evaluation import DAVISEvaluation",
    """(lambda r: [x for m in "JF" for k in "MRD" for x in r[m][k]])(
        DAVISEvaluation({root!r}, {task!r}, "val").evaluate({results!r}))""",
)
DAVIS_OURS = (
    "import tagvis_lite.data.find\n"
    "from tagvis_lite.evaluation.davis import evaluate_davis_files\n"
    "from tagvis_lite.evaluation.protocols import PROTOCOLS",
    """[x for m in "jf" for k in ("mean", "recall", "decay")
        for s in evaluate_davis_files({root!r}, {results!r}, PROTOCOLS[{protocol!r}]).sequences
        for x in getattr(getattr(s, m), k)[list(s.official_order)]]""",
)
YOUTUBE_OFFICIAL = (
    "import matplotlib.pyplot\nfrom ytvos import YTVOS\nfrom ytvoseval import YTVOSeval",
    """(lambda e: (e.evaluate(), e.accumulate(), e.summarize(), e.stats[:9])[-1])(
        (lambda g: YTVOSeval(g, g.loadRes({results!r}), "segm"))(YTVOS({truth!r})))""",
)
YOUTUBE_OURS = (
    "from tagvis_lite.data.youtube_vis_json import read_annotations\n"
    "from tagvis_lite.evaluation.youtube_vis import evaluate_parsed\n"
    "from tagvis_lite.evaluation.youtube_vis_submission import read_predictions",
    """(lambda f: [-1.0 if x != x else x for x in
        evaluate_parsed(f, read_predictions({results!r}, f)).values().values()])(
        read_annotations({truth!r}))""",
)
ROWS: list[str] = []


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copies of the official tools, with the replacements."""
    if "TAGVIS_OFFICIAL" not in os.environ:
        pytest.skip("TAGVIS_OFFICIAL is not set")
    source, copy = Path(os.environ["TAGVIS_OFFICIAL"]), tmp_path_factory.mktemp("tools")
    shutil.copytree(source / "davis2017-evaluation" / "davis2017", copy / "davis2017")
    for name in ("ytvos.py", "ytvoseval.py"):
        shutil.copy(source / "cocoapi" / "PythonAPI" / "pycocotools" / name, copy / name)
    for path in copy.rglob("*.py"):
        text = path.read_text()
        for old, new in REPLACED.items():
            text = text.replace(old, new)
        path.write_text(text)
    yield copy
    print("\n\n| data | numbers equal | official s | ours s | ratio | official MB | ours MB |")
    print("|--|--:|--:|--:|--:|--:|--:|", *ROWS, sep="\n")


def compare(tools: Path, what: str, official: tuple[str, str], ours: tuple[str, str], **names: Any):
    answers = []
    for imports, run in (official, ours):
        code = TIMED.format(imports=imports, run=run.format(**names))
        path = os.pathsep.join([str(tools), str(Path(__file__).parents[2])])
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        answers.append(json.loads(done.stdout))
    (expected, seconds, peak), (found, our_seconds, our_peak) = answers
    assert len(expected) > 0
    assert found == expected, what
    ROWS.append(
        f"| {what} | {len(found)} | {seconds:.2f} | {our_seconds:.2f} | "
        f"{seconds / our_seconds:.1f} | {peak:.0f} | {our_peak:.0f} |"
    )


# ---------------------------------------------------------------- DAVIS


def blobs(rng: np.random.Generator, shape: tuple[int, int], number: int, length: int) -> np.ndarray:
    ids = np.zeros((length, *shape), np.uint8)
    for label in range(1, number + 1):
        centre, speed = rng.uniform(0.2, 0.8, 2) * shape, rng.uniform(-3, 3, 2)
        axes = (int(rng.integers(8, shape[1] // 4)), int(rng.integers(8, shape[0] // 4)))
        for t in range(length):
            y, x = (centre + t * speed).astype(int).tolist()
            cv2.ellipse(ids[t], (x, y), axes, float(rng.uniform(0, 180)), 0, 360, label, -1)
    ids[0, 0, :number] = range(1, number + 1)
    return ids


def written(folder: Path, pairs: dict[str, tuple[np.ndarray, np.ndarray]], task: str) -> None:
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


TASKS = {"unsupervised": "davis-2019-unsupervised", "semi-supervised": "davis-2017-semi"}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("proposals", [1, 6])
def test_davis_on_random_masks(tools: Path, tmp_path: Path, task: str, proposals: int) -> None:
    rng = np.random.default_rng(proposals)
    pairs = {}
    for k in range(2):
        number = int(rng.integers(1, 4))
        truth = blobs(rng, (120, 200), number, 6)
        found = proposals if task == "unsupervised" else number
        result = blobs(rng, (120, 200), found, 6)
        result[3:] = np.roll(truth[3:], 4, axis=2) * (truth[3:] <= found)
        truth[1:, :20] = 255
        pairs[f"s{k}"] = (truth, result)
    written(tmp_path, pairs, task)
    names = {"root": str(tmp_path / "DAVIS"), "results": str(tmp_path / "results")}
    what = f"DAVIS {task}, random, {proposals} proposals"
    names |= {"task": task, "protocol": TASKS[task]}
    compare(tools, what, DAVIS_OFFICIAL, DAVIS_OURS, **names)


@pytest.mark.parametrize("task", TASKS)
def test_davis_on_real_masks(tools: Path, tmp_path: Path, task: str) -> None:
    if "TAGVIS_REAL_DATA" not in os.environ:
        pytest.skip("TAGVIS_REAL_DATA is not set")
    root = Path(os.environ["TAGVIS_REAL_DATA"]) / "DAVIS-2016"
    pairs = {}
    for video in read_davis(root, "val", year="2016")[:2]:
        truth = video.read_ids(range(min(30, len(video))))
        truth[0, 0, 0] = 1
        pairs[video.name] = (truth, np.roll(truth, (3, -5), axis=(1, 2)))
    written(tmp_path, pairs, task)
    names = {"root": str(tmp_path / "DAVIS"), "results": str(tmp_path / "results")}
    names |= {"task": task, "protocol": TASKS[task]}
    compare(tools, f"DAVIS {task}, real, 1 proposal", DAVIS_OFFICIAL, DAVIS_OURS, **names)


# ---------------------------------------------------------------- YouTube-VIS


@pytest.mark.parametrize("videos", [2, 8])
def test_youtube_vis_on_random_tracks(tools: Path, tmp_path: Path, videos: int) -> None:
    rng = np.random.default_rng(videos)
    size, length, categories = (720, 1280), 12, 4
    truth: dict[str, Any] = {"info": {}, "videos": [], "annotations": []}
    truth["categories"] = [{"id": k, "name": f"kind {k}"} for k in range(1, categories + 1)]
    results: list[dict[str, Any]] = []
    for video_id in range(1, videos + 1):
        frame = {"height": size[0], "width": size[1], "length": length}
        files = [f"{video_id}/{t}.jpg" for t in range(length)]
        truth["videos"].append({"id": video_id, **frame, "file_names": files})
        for _ in range(3):
            ids = blobs(rng, size, 1, length)
            entry = {"video_id": video_id, "category_id": int(rng.integers(1, categories + 1))}
            masks = [encode_ids(frame)[1] for frame in ids]
            areas = [int((frame > 0).sum()) for frame in ids]
            more = {"id": len(truth["annotations"]) + 1, "iscrowd": 0, "areas": areas}
            truth["annotations"].append(entry | more | frame | {"segmentations": masks})
            for _ in range(4):
                moved = np.roll(ids, rng.integers(-40, 40, 2), axis=(1, 2))
                masks = [encode_ids(frame).get(1) for frame in moved]
                score = {"score": round(float(rng.random()), 1)}
                results.append(entry | score | {"segmentations": masks})
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    write_results(tmp_path / "results.json", results)
    megabytes = (tmp_path / "results.json").stat().st_size / 1e6
    names = {"truth": str(tmp_path / "truth.json"), "results": str(tmp_path / "results.json")}
    what = f"YouTube-VIS, random, {videos} videos, {megabytes:.1f} MB of results"
    compare(tools, what, YOUTUBE_OFFICIAL, YOUTUBE_OURS, **names)
