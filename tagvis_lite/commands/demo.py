"""The main job on toy data, from pixels to a page: what `make demo` runs."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import platform
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from tagvis_lite.atomic import replacing
from tagvis_lite.commands.predict import predict_to_files
from tagvis_lite.config import Config
from tagvis_lite.data.davis import read_davis, write_davis
from tagvis_lite.data.toy import toy_split
from tagvis_lite.evaluation.davis import DavisScores, evaluate_davis_files
from tagvis_lite.inference import look
from tagvis_lite.instances import cluster_instances
from tagvis_lite.interpolation import interpolate_ids
from tagvis_lite.model.network import TagVIS
from tagvis_lite.runs import load_network, open_run, shipped
from tagvis_lite.video import BACKGROUND, VOID, Video
from tagvis_lite.views.figures import filmstrip, save, tag_histogram

SHOWN = 4
"""Videos drawn on the page."""

"""File in a folder of the demo, which says that what an earlier demo left there may go."""


def demo(out: Path = Path("runs/demo"), videos: int = 16) -> None:
    """The main job on toy data: render, predict with the shipped weights, evaluate, show.

    Args:
        out: folder for the page and its data.
        videos: number of held-out videos.
    """
    page = run_demo(out, videos)
    print(f"Open {page.resolve().as_uri()}")


def run_demo(out: Path, num_videos: int = 16) -> Path:
    """Render held-out toy videos, predict them with the shipped weights, evaluate, write a page.

    The videos go through the DAVIS layout on disk and back, and the J&F is that of the result
    folder, as it would be for a benchmark. What an earlier demo left in `out` is made anew.

    Args:
        out: folder for `toy/` (the videos), `predictions/`, `figures/` and `index.html`.
        num_videos: of the toy test split.

    Returns:
        The page.

    Raises:
        FileExistsError: `out` holds files that are not of a demo.
        FileNotFoundError: the weights did not come with this installation.
        ValueError: fewer than one video.
    """
    if num_videos < 1:
        raise ValueError(f"a demo of {num_videos} videos shows nothing: ask for 1 or more")
    weights = shipped("checkpoints/toy.safetensors")
    card = json.loads(shipped("checkpoints/toy.json").read_text(encoding="utf-8"))
    network, config = load_network(weights)
    _clear(out)
    write_davis(out / "toy", toy_split("test", num_videos), "test")
    videos = read_davis(out / "toy", "test")
    predictions = out / "predictions"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    predict_to_files(network, config, videos, predictions, weights=digest)
    scores = evaluate_davis_files(out / "toy", predictions, split="test")
    page = out / "index.html"
    pictures = [_draw(network, config, video, out / "figures") for video in videos[:SHOWN]]
    text = _page("".join(pictures), len(videos), scores, f"{weights.name}: {card['summary']}")
    with replacing(page) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return page


def _clear(out: Path) -> None:
    """Remove what an earlier demo, finished or killed, left in `out`, and nothing else."""
    open_run(out, {"command": "demo"})
    (out / "index.html").unlink(missing_ok=True)
    for name in ("toy", "predictions", "figures"):
        if (out / name).exists():
            shutil.rmtree(out / name)


def _page(figures: str, num_videos: int, scores: DavisScores, weights: str) -> str:
    table = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{100 * value:.1f}</td></tr>"
        for name, value in scores.global_table().items()
    )
    made = (
        f"tagvis-lite, torch {torch.__version__}, numpy {np.__version__}, Python "
        f"{platform.python_version()}, {platform.machine()}, {datetime.now(UTC):%Y-%m-%d}"
    )
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>TagVIS-lite on toy videos</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff }}
img {{ max-width: 100% }} td, th {{ padding: .1rem 1rem .1rem 0; text-align: left }}
td:last-child {{ text-align: right; font-variant-numeric: tabular-nums }}
</style></head><body>
<h1>Tags tell instances apart</h1>
<p>The network gives every pixel one number, its <em>tag</em>. Pixels of one object get the same tag
in every frame, pixels of different objects get different ones. Foreground comes from the semantic
branch; the modes of the foreground tags are the instances.</p>
<h2>Scores</h2>
<p>{num_videos} held-out toy videos that the network never saw, predicted with the weights that
ship with the package ({html.escape(weights)}), scored by the DAVIS-2017 Unsupervised
protocol, in percent. Measured by this run; toy numbers say nothing about real video.</p>
<table>{table}</table>
<h2>Videos</h2>
{figures}
<p><small>{html.escape(made)}</small></p>
</body></html>
"""


def _draw(network: TagVIS, config: Config, video: Video, folder: Path) -> str:
    """Two figures of one video, as PNG files in `folder` and as html."""
    seen = look(network, video, config)
    instances = cluster_instances(seen.prediction, config.inference)
    kept = seen.kept.tolist()
    truth = video.read_ids(kept)
    tags = seen.prediction.tags.cpu().numpy()
    found, present = len(instances.modes), len(set(np.unique(truth)) - {BACKGROUND, VOID})
    summary = f"{video.name}: {found} instances found, {present} there"
    strip = filmstrip(
        video.read_frames(kept),
        tags,
        interpolate_ids(instances.ids, range(len(kept)), len(kept), seen.size),
        truth,
        title=summary,
    )
    histogram = tag_histogram(
        tags,
        instances.ids,
        instances.modes,
        title="Each instance is a mode of the tags of the whole clip",
    )
    strip_text = f"{summary}. Four rows: frames, tags, predicted instances, ground truth"
    modes = ", ".join(f"{mode:.1f}" for mode in instances.modes.values()) or "none"
    histogram_text = f"{video.name}: histogram of the tags by instance, with modes at {modes}"
    return _image(strip, folder / f"{video.name}.png", strip_text) + _image(
        histogram, folder / f"{video.name}-tags.png", histogram_text
    )


def _image(figure: Figure, path: Path, alt: str) -> str:
    save(figure, path)
    encoded = base64.b64encode(path.read_bytes()).decode("ascii")
    return f'<p><img alt="{html.escape(alt)}" src="data:image/png;base64,{encoded}"></p>\n'
