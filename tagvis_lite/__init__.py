"""TagVIS-lite: learn, run and reproduce tag-based video instance segmentation.

    Video ──▶ clips ──▶ Clip ──▶ model.network ──▶ Prediction ──▶ instances ──▶ Tracks

A video to its instances:

>>> import tagvis_lite as tv
>>> network, config = tv.load_network("toy")  # the weights that ship; or a file of your own
>>> video = tv.toy_split("test", 1)[0]  # or tv.open_video("video.mp4")
>>> tracks = tv.predict_video(network, video, config)
>>> tracks.ids.shape  # T x H x W: 0 background, 1 to N instances
(8, 64, 64)

Its score, as the DAVIS benchmark counts it:

>>> scores = tv.evaluate_davis([(video.name, video.ids, tracks.ids)])
>>> 0.5 < scores.jf_mean < 1
True

What a training minimises, equations (1) to (7):

>>> clip = tv.make_clip(video, range(8), config.data, config.model.num_classes)
>>> prediction = network(clip.frames[None])
>>> losses = tv.overall_loss(prediction, tv.Clip.collate([clip]), config.loss)
>>> sorted(losses.as_dict())
['cross_entropy', 'overall', 'specter', 'spectra', 'temper', 'tempra']

These names are imported when they are first used, so `import tagvis_lite` itself needs no torch.
The equations as loops are in `tagvis_lite.paper`; CONTRIBUTING.md says where everything else is.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tagvis_lite.clips import make_clip
    from tagvis_lite.config import PROFILES, Config
    from tagvis_lite.data.davis import read_davis, write_davis
    from tagvis_lite.data.find import find_videos, open_video
    from tagvis_lite.data.toy import toy_split
    from tagvis_lite.data.youtube_vis import read_youtube_vis
    from tagvis_lite.evaluation.davis import evaluate_davis
    from tagvis_lite.evaluation.youtube_vis import evaluate_youtube_vis
    from tagvis_lite.inference import look, predict_video
    from tagvis_lite.instances import cluster_instances
    from tagvis_lite.losses import overall_loss
    from tagvis_lite.model.network import TagVIS
    from tagvis_lite.runs import load_network, save_network
    from tagvis_lite.training import train
    from tagvis_lite.video import Clip, Prediction, Tracks, Video
    from tagvis_lite.views.overlay import overlay

__version__ = "0.1.0"

_HOME = {
    "Video": "video",
    "Clip": "video",
    "Prediction": "video",
    "Tracks": "video",
    "Config": "config",
    "PROFILES": "config",
    "toy_split": "data.toy",
    "open_video": "data.find",
    "find_videos": "data.find",
    "read_davis": "data.davis",
    "write_davis": "data.davis",
    "read_youtube_vis": "data.youtube_vis",
    "make_clip": "clips",
    "TagVIS": "model.network",
    "overall_loss": "losses",
    "train": "training",
    "load_network": "runs",
    "save_network": "runs",
    "look": "inference",
    "cluster_instances": "instances",
    "predict_video": "inference",
    "overlay": "views.overlay",
    "evaluate_davis": "evaluation.davis",
    "evaluate_youtube_vis": "evaluation.youtube_vis",
}
"""The module that each name of the front door comes from."""

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    """Import a name of the front door when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
