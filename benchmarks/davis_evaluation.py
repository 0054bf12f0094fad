"""How long J&F takes, against the definition written out (tagvis_lite/paper/davis.py).

    python benchmarks/davis_evaluation.py

Both score the same folders of PNGs, 854 x 480, drawn here: outlines that move and wobble. With
TAGVIS_REAL_DATA, also sequences of DAVIS 2016, against their masks eroded and shifted. A run is a
process of its own, on one thread; the two take turns, and ratios are medians over the turns. Time
is processor time from the first file to the last score, so other work on the machine hardly
matters; starting Python is left out. Memory is the peak of the whole process. The scores of the
two are compared, bit by bit, at every turn.

Prints a Markdown table and writes benchmarks/results/davis_evaluation.json.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import cv2
import numpy as np

HERE = Path(__file__).resolve().parent
HEIGHT, WIDTH = 480, 854


@dataclass(frozen=True)
class Case:
    """One sequence to score. `literal` is false where the definition would take too much memory."""

    objects: int
    proposals: int
    frames: int
    literal: bool = True
    sequence: str = "blobs"

    @property
    def name(self) -> str:
        return f"{self.sequence}-{self.objects}-{self.proposals}-{self.frames}"


CASES = [
    Case(1, 1, 52),
    Case(2, 2, 52),
    Case(1, 20, 26),
    Case(3, 20, 26),
    Case(20, 20, 6),
    Case(1, 1, 104, literal=False),
    Case(20, 20, 26, literal=False),
    Case(20, 20, 52, literal=False),
    Case(20, 20, 104, literal=False),
]
REAL_DATA = os.environ.get("TAGVIS_REAL_DATA")
REAL_CASES = [Case(1, 1, 40, sequence=name) for name in ("blackswan", "dance-twirl", "drift-turn")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument(
        "--run", nargs=3, metavar=("WHICH", "ROOT", "RESULTS"), help=argparse.SUPPRESS
    )
    arguments = parser.parse_args()
    if arguments.run:
        which, root, results = arguments.run
        print(json.dumps(run(which, Path(root), Path(results))))
        return
    from measuring import record  # brings torch, which would count as memory of the runs

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            draw(case, Path(folder))
        for case in REAL_CASES if REAL_DATA else []:
            copy_real(case, Path(REAL_DATA), Path(folder))
        for case in [*CASES, *REAL_CASES] if REAL_DATA else CASES:
            rows.append(measure(case, Path(folder), arguments.turns))
    record("davis_evaluation", {"turns": arguments.turns, "rows": rows})
    print_table(rows)


# ---------------------------------------------------------------- the files


def draw(case: Case, folder: Path) -> None:
    """A DAVIS root with one sequence, and results that are its objects, changed, and more."""
    from tagvis_lite.data.davis import write_davis
    from tagvis_lite.data.label_maps import write_label_map
    from tagvis_lite.video import Video

    rng = np.random.default_rng(0)
    shapes = [outline(rng) for _ in range(max(case.objects, case.proposals))]
    truth = np.stack([paint(shapes[: case.objects], t, 0) for t in range(case.frames)])
    for t in range(case.frames):
        ids = paint(shapes[: case.proposals], t, 3)
        write_label_map(folder / case.name / "results" / "blobs" / f"{t:05d}.png", ids)
    frames = np.zeros((case.frames, HEIGHT, WIDTH, 3), np.uint8)
    write_davis(folder / case.name / "DAVIS", [Video("blobs", frames, truth)], "val")


def copy_real(case: Case, data: Path, folder: Path) -> None:
    """The first masks of a sequence, and as results the same, eroded and shifted."""
    from tagvis_lite.data.label_maps import write_label_map

    truth = folder / case.name / "DAVIS" / case.sequence
    truth.mkdir(parents=True)
    masks = sorted((data / "DAVIS-2016" / "Annotations" / "480p" / case.sequence).glob("*.png"))
    for path in masks[: case.frames]:
        shutil.copy(path, truth)
        mask = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 0).astype(np.uint8)
        result = np.roll(cv2.erode(mask, np.ones((5, 5), np.uint8)), (3, -4), (0, 1))
        write_label_map(folder / case.name / "results" / case.sequence / path.name, result)


def outline(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre, velocity, and 120 points of a wobbly closed curve around the origin."""
    angles = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    wobble = sum(
        rng.uniform(-0.3, 0.3) / k * np.sin(k * angles + rng.uniform(0, 6)) for k in range(2, 12)
    )
    radius = rng.uniform(30, 80) * (1 + wobble)
    points = radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return rng.uniform((80, 80), (WIDTH - 80, HEIGHT - 80)), rng.uniform(-2, 2, 2), points


def paint(shapes: list[tuple[np.ndarray, ...]], t: int, offset: float) -> np.ndarray:
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    for label, (centre, velocity, points) in enumerate(shapes, start=1):
        place = centre + t * velocity + offset * np.array([np.sin(label), np.cos(label)])
        cv2.fillPoly(ids, [np.round(place + points).astype(np.int32)], label)
    if not offset:  # every object is there from the start, as few pixels as may be left of it
        ids[0, : len(shapes)] = range(1, len(shapes) + 1)
    return ids


# ---------------------------------------------------------------- one run


def run(which: str, root: Path, results: Path) -> dict[str, object]:
    """In a process of its own: score, and say how long that took."""
    cv2.setNumThreads(1)
    if which == "ours":
        from tagvis_lite.evaluation.davis import evaluate_davis_files
        from tagvis_lite.evaluation.protocols import SINGLE_OBJECT, UNSUPERVISED
    else:
        from tagvis_lite.paper import davis as literal_davis
    imports_mb = peak_mb()
    real = not (root / "ImageSets").is_dir()
    start = time.process_time()
    if which == "ours":
        protocol = SINGLE_OBJECT if real else UNSUPERVISED
        table = list(evaluate_davis_files(root, results, protocol).global_table().values())
    else:
        (folder,) = results.iterdir()
        paths = sorted(folder.iterdir())[1:-1] if real else sorted(folder.iterdir())
        annotations = root if real else root / "Annotations_unsupervised" / "480p"
        truth = literal_davis.read_ids([annotations / folder.name / p.name for p in paths], real)
        result = literal_davis.read_ids(paths)
        table = literal_davis.global_table([literal_davis.evaluate(truth, result)])
    seconds = time.process_time() - start
    return {
        "seconds": seconds,
        "peak_mb": peak_mb(),
        "imports_mb": imports_mb,
        "table": [float(value).hex() for value in table],
    }


def peak_mb() -> float:
    """Peak memory of this program: on Linux ru_maxrss would hold what its parent used as well."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (x for x in status.read_text().splitlines() if x.startswith("VmHWM:"))
        return int(line.split()[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


# ---------------------------------------------------------------- the measurement


def measure(case: Case, folder: Path, turns: int) -> dict[str, object]:
    ours, literal = [], []
    for _ in range(turns):
        if case.literal:
            literal.append(start("literal", folder / case.name))
        ours.append(start("ours", folder / case.name))
        if case.literal and literal[-1]["table"] != ours[-1]["table"]:
            raise SystemExit(f"{case.name}: the scores differ: {literal[-1]} {ours[-1]}")
    row: dict[str, object] = asdict(case) | {
        "ours_ms_per_frame": 1e3 * median(r["seconds"] for r in ours) / case.frames,
        "ours_peak_mb": max(r["peak_mb"] for r in ours),
        "ours_imports_mb": max(r["imports_mb"] for r in ours),
    }
    if case.literal:
        ratios = [a["seconds"] / b["seconds"] for a, b in zip(literal, ours, strict=True)]
        row |= {
            "literal_ms_per_frame": 1e3 * median(r["seconds"] for r in literal) / case.frames,
            "literal_peak_mb": max(r["peak_mb"] for r in literal),
            "ratio": median(ratios),
            "ratio_lowest": min(ratios),
            "ratio_highest": max(ratios),
        }
    return row


def start(which: str, folder: Path) -> dict[str, float]:
    process = subprocess.run(
        [sys.executable, __file__, "--run", which, folder / "DAVIS", folder / "results"],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parent)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(process.stdout)


def print_table(rows: list[dict[str, object]]) -> None:
    print(
        "| sequence | objects | proposals | frames | definition, ms a frame | ours, ms a frame "
        "| ratio (lowest to highest) | definition, peak MB | ours, peak MB (imports alone) |"
    )
    print("|:--|--:|--:|--:|--:|--:|--:|--:|--:|")
    for row in rows:
        literal_ms, ratio, literal_mb = "-", "-", "-"
        if row["literal"]:
            literal_ms = f"{row['literal_ms_per_frame']:.1f}"
            literal_mb = f"{row['literal_peak_mb']:.0f}"
            ratio = f"{row['ratio']:.1f} ({row['ratio_lowest']:.1f} to {row['ratio_highest']:.1f})"
        print(
            f"| {row['sequence']} | {row['objects']} | {row['proposals']} | {row['frames']} "
            f"| {literal_ms} | {row['ours_ms_per_frame']:.1f} | {ratio} | {literal_mb} "
            f"| {row['ours_peak_mb']:.0f} ({row['ours_imports_mb']:.0f}) |"
        )


if __name__ == "__main__":
    main()
