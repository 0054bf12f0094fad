"""The main job on toy data, from pixels to a page: what `make demo` runs."""

from __future__ import annotations

import hashlib
import html
import json
import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from tagvis_lite.atomic import replacing
from tagvis_lite.checkpoint import shipped
from tagvis_lite.commands.predict import predict_to_files
from tagvis_lite.config import Config
from tagvis_lite.data.davis import read_davis, write_davis
from tagvis_lite.data.toy import ToyConfig, toy_split
from tagvis_lite.evaluation.davis import DavisScores, evaluate_davis_files
from tagvis_lite.inference import look
from tagvis_lite.instances import cluster_instances
from tagvis_lite.interpolation import interpolate_ids
from tagvis_lite.model.network import TagVIS
from tagvis_lite.runs import load_network, open_run
from tagvis_lite.video import BACKGROUND, VOID, Video
from tagvis_lite.views.figures import filmstrip, tag_pictures
from tagvis_lite.views.objects import matched, matching, resized
from tagvis_lite.views.overlay import overlay
from tagvis_lite.views.picture import Picture, animation, picture
from tagvis_lite.views.player import numbered, side_by_side

SHOWN = 4
"""Videos drawn on the page."""
SHARP = (192, 192)
"""Pixels of a frame that is shown; the network sees 64 x 64."""
SCORES = {
    "J&F-Mean": "the mean of J and F",
    "J-Mean": "how well masks overlap: intersection over union",
    "J-Recall": "share of frames with J above 50",
    "J-Decay": "J in the first quarter of a video, less J in the last",
    "F-Mean": "how well outlines agree",
    "F-Recall": "share of frames with F above 50",
    "F-Decay": "F in the first quarter, less F in the last",
}
"""What each score says; all are percent, means over all objects."""


def demo(out: Path = Path("runs/demo"), videos: int = 16) -> Path:
    """The main job on toy data: render, predict with the shipped weights, evaluate, show.

    The videos go through the DAVIS layout on disk and back, and the J&F is that of the result
    folder, as it would be for a benchmark. What an earlier demo left in `out` is made anew.

    Args:
        out: folder for `toy/` (the videos), `predictions/`, `figures/` and `index.html`.
        videos: number of held-out videos.

    Returns:
        The page.

    Raises:
        FileExistsError: `out` holds files that are not of a demo.
        FileNotFoundError: the weights did not come with this installation.
        ValueError: fewer than one video.
    """
    if videos < 1:
        raise ValueError(f"a demo of {videos} videos shows nothing: ask for 1 or more")
    weights = shipped("checkpoints/toy.safetensors")
    card = json.loads(shipped("checkpoints/toy.json").read_text(encoding="utf-8"))
    network, config = load_network(weights)
    _clear(out)
    write_davis(out / "toy", toy_split("test", videos), "test")
    found = read_davis(out / "toy", "test")
    predictions = out / "predictions"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    predict_to_files(network, config, found, predictions, weights=digest)
    scores = evaluate_davis_files(out / "toy", predictions, split="test")
    page = out / "index.html"
    seen = [_look(network, config, video) for video in found[:SHOWN]]
    strips = [_strip(one) for one in seen]
    first = min(seen, key=lambda one: one.missed)  # of those shown, the one with the best result
    clip = _clip(first, toy_split("test", videos, ToyConfig(SHARP)))
    for name, drawn in [("clip", clip), *zip([one.name for one in seen], strips, strict=True)]:
        with replacing(out / "figures" / f"{name}.webp") as temporary:
            temporary.write_bytes(drawn.file)
    origin = f"{weights.name}: {card['summary']}"
    text = _page(clip, first, [strip.html() for strip in strips], len(found), scores, origin)
    with replacing(page) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(f"Open {page.resolve().as_uri()}")
    return page


def _clear(out: Path) -> None:
    """Remove what an earlier demo, finished or killed, left in `out`, and nothing else."""
    open_run(out, {"command": "demo"})
    (out / "index.html").unlink(missing_ok=True)
    for name in ("toy", "predictions", "figures"):
        if (out / name).exists():
            shutil.rmtree(out / name)


@dataclass(frozen=True)
class _Seen:
    """What the network makes of one video: T frames of the clip, found ids as the truth has them.

    Attributes:
        number: of the video in its split.
        missed: objects that nothing matches, and found instances that match no object.
    """

    number: int
    name: str
    frames: np.ndarray
    tags: np.ndarray
    ids: np.ndarray
    truth: np.ndarray
    found: int
    present: int
    missed: int


def _look(network: TagVIS, config: Config, video: Video) -> _Seen:
    seen = look(network, video, config)
    instances = cluster_instances(seen.prediction, config.inference)
    kept = seen.kept.tolist()
    truth = video.read_ids(kept)
    ids = interpolate_ids(instances.ids, range(len(kept)), len(kept), seen.size)
    found, present = len(instances.modes), len(set(np.unique(truth)) - {BACKGROUND, VOID})
    return _Seen(
        number=int(video.name[-5:]),
        name=video.name,
        frames=video.read_frames(kept),
        tags=seen.prediction.tags.cpu().numpy(),
        ids=matched(ids, truth),
        truth=truth,
        found=found,
        present=present,
        missed=found + present - 2 * len(matching(ids, truth)),
    )


def _clip(seen: _Seen, sharp: Sequence[Video]) -> Picture:
    """Frames, tags and instances side by side, in a loop; the scene drawn again, sharper."""
    frames = sharp[seen.number].read_frames(range(len(seen.frames)))
    ids = resized(seen.ids, frames.shape[1:3])
    drawn = np.stack([overlay(frame, own) for frame, own in zip(frames, ids, strict=True)])
    panels = {
        "frames": frames,
        "tags: one number a pixel": numbered(tag_pictures(seen.tags, seen.ids), seen.ids),
        "instances": numbered(drawn, seen.ids),
    }
    alt = (
        f"A clip of {seen.name} that loops, in three panels: moving shapes; the tag of each pixel "
        f"as a colour; and the {seen.found} instances found, each in a colour and with a number "
        "that it keeps in every frame."
    )
    return animation(side_by_side(panels), alt, fps=4)


def _strip(seen: _Seen) -> Picture:
    summary = f"{seen.name}: {seen.found} instances found, {seen.present} there"
    figure = filmstrip(seen.frames, seen.tags, seen.ids, seen.truth, title=summary)
    return picture(figure, f"{summary}. Four rows: frames, tags, predicted instances, ground truth")


def _page(
    clip: Picture,
    first: _Seen,
    strips: Sequence[str],
    num_videos: int,
    scores: DavisScores,
    weights: str,
) -> str:
    table = "".join(
        f"<tr><th scope='row'>{html.escape(name)}</th><td>{100 * value:.1f}</td>"
        f"<td>{SCORES[name]}</td></tr>"
        for name, value in scores.global_table().items()
    )
    made = (
        f"tagvis-lite, torch {torch.__version__}, numpy {np.__version__}, Python "
        f"{platform.python_version()}, {platform.machine()}, {datetime.now(UTC):%Y-%m-%d}"
    )
    figures = "".join(f"<figure>{strip}</figure>" for strip in strips)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>TagVIS-lite on toy videos</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto;
       padding: 0 1rem }}
img {{ max-width: 100%; height: auto; background: white }} figure {{ margin: 1rem 0 }}
th, td {{ padding: .1rem 1rem .1rem 0; text-align: left; font-weight: normal; vertical-align: top }}
td:nth-child(2) {{ text-align: right; font-variant-numeric: tabular-nums }}
</style></head><body><main>
<h1>Every pixel gets a number, and equal numbers are one object</h1>
<figure>{clip.html()}
<figcaption>{html.escape(first.name)}, which the network never saw: {first.present} objects are
there, {first.found} were found. The colour of a pixel in the middle is its number, its
<em>tag</em>: alike
within an object in all frames, and different between objects.</figcaption></figure>
<h2>How good is it?</h2>
<p>{num_videos} held-out toy videos, predicted with the weights that ship with the package
({html.escape(weights)}), scored as the DAVIS-2017 Unsupervised benchmark does, in percent. Measured
by this run; toy numbers say nothing about real video.</p>
<table>{table}</table>
<h2>More videos</h2>
<p>Rows: frames, tags, instances found, and the truth. Colours and numbers are those of the object
that an instance matches; what matches none is grey, with a question mark.</p>
{figures}
</main><footer><small>{html.escape(made)}</small></footer></body></html>
"""
