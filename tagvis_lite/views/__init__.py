"""Live views of tags, attention and masks for notebooks, on anywidget.

Each is a pure function that is tested alone, and a thin view of what it returns: Python here, the
drawing in the JavaScript file of the same name. Moving through frames or steps happens in the
browser, so it also works without a kernel; what needs the model or a loss goes to the kernel.

picture           figures and clips as files with their text, in HTML that every reader shows
overlay           instances drawn over frames; the colours
objects           which found instance is which object; outlines and numbers on any map
figures           plots of clips, tags and scores
free_tags         descent on free tags, what TagLine shows
view              View: script and style put together, and a picture where there is no kernel
diagrams          Figures 1 to 4 of the paper, drawn from a network with its shapes
live_training     LiveTraining: a picture of a training, refreshed while its loop runs
player            Player: a clip that plays, or pictures behind one slider
tag_line          TagLine: tags as free parameters under chosen losses
tag_space         TagSpace: a prediction in four linked views, clustered again as sliders move
attention_picker  AttentionPicker: a position and where it looks, over all frames
mask_editor       MaskEditor: a mask that is moved, shrunk and grown, with its J and F
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tagvis_lite.views.attention_picker import AttentionPicker
    from tagvis_lite.views.live_training import LiveTraining
    from tagvis_lite.views.mask_editor import Change, MaskEditor
    from tagvis_lite.views.player import Player, play
    from tagvis_lite.views.tag_line import TagLine
    from tagvis_lite.views.tag_space import TagSpace

__all__ = [
    "AttentionPicker",
    "Change",
    "LiveTraining",
    "MaskEditor",
    "Player",
    "TagLine",
    "TagSpace",
    "play",
]

_HOME = {
    "AttentionPicker": "attention_picker",
    "Change": "mask_editor",
    "LiveTraining": "live_training",
    "MaskEditor": "mask_editor",
    "Player": "player",
    "TagLine": "tag_line",
    "TagSpace": "tag_space",
    "play": "player",
}


def __getattr__(name: str) -> Any:
    """Import a view when it is first named: figures and overlays need no widgets."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
