"""TagVIS-lite: learn, run and reproduce tag-based video instance segmentation.

    Video ──▶ data.clips ──▶ Clip ──▶ model.network ──▶ Prediction ──▶ instances ──▶ Tracks

The types on that line and the configuration are here. The rest is imported where it is used, so
that `import tagvis_lite` stays quick:

    tagvis_lite.runs   load_network, save_network
    tagvis_lite.data         toy videos, DAVIS, YouTube-VIS, folders and video files, clips
    tagvis_lite.model        the network of section III (`network.TagVIS`)
    tagvis_lite.losses       equations (1) to (7) (`overall_loss`)
    tagvis_lite.instances    tags to instances of one clip
    tagvis_lite.inference    `predict_video`: whole videos
    tagvis_lite.training     `train`
    tagvis_lite.evaluation   DAVIS J&F, YouTube-VIS AP
"""

from tagvis_lite.config import PROFILES, Config
from tagvis_lite.video import Clip, Prediction, Tracks, Video

__version__ = "0.1.0"

__all__ = ["PROFILES", "Clip", "Config", "Prediction", "Tracks", "Video", "__version__"]
