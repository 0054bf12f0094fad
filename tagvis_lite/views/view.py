"""What all views share: one script and style in the browser, a picture where nothing runs."""

from __future__ import annotations

import io
from base64 import b64encode
from pathlib import Path
from typing import Any

import anywidget
import cv2
import numpy as np
import traitlets
from matplotlib.figure import Figure
from PIL import Image

from tagvis_lite.views.figures import alternative_text, png

HERE = Path(__file__).parent


def script(name: str) -> str:
    """The JavaScript of a view: what all share (view.js), then its own. Nothing is fetched."""
    return "\n".join((HERE / file).read_text(encoding="utf-8") for file in ("view.js", name))


def still(figure: Figure) -> bytes:
    """A figure as a PNG of 256 colours at 80 dpi: about a third of the bytes of true colour."""
    picture = Image.open(io.BytesIO(png(figure))).convert("RGB")
    picture = picture.quantize(256, Image.Quantize.FASTOCTREE)
    small = io.BytesIO()
    picture.save(small, format="PNG", optimize=True)
    return small.getvalue()


def shrunk(picture: np.ndarray, longest: int) -> np.ndarray:
    """A picture, H x W x 3, made smaller for the browser if a side is longer than `longest`."""
    scale = longest / max(picture.shape[:2])
    if scale >= 1:
        return picture
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


class View(anywidget.AnyWidget):
    """A view with a picture and a text in its place.

    A notebook on GitHub or on the site has no kernel and no widgets: there `picture` is shown. A
    reader who cannot see either gets `alt`, which is also the name of the view for screen readers.

    Subclasses set `_esm = script("own.js")`, and in `heavy` the traits that are too large to be
    stored in a notebook: those go to a browser that asks for them (`whenThere` in view.js), while
    papermill and nbclient, which ask for nothing, store none of them.
    """

    heavy: tuple[str, ...] = ()
    _css = (HERE / "view.css").read_text(encoding="utf-8")
    alt = traitlets.Unicode().tag(sync=True)

    def __init__(self, *, picture: bytes, alt: str, **traits: Any) -> None:
        """Show `picture`, a PNG, and `alt`, at least six words, where no view can run.

        Raises:
            ValueError: `alt` is too short to say what the view shows.
        """
        self._asked_for_all = False
        super().__init__(alt=alternative_text(alt), **traits)
        self.picture = picture
        self.on_msg(self._send_heavy)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """What ipywidgets sends and notebooks store; without `heavy` until a browser has asked."""
        state = super().get_state(key, drop_defaults)
        if key is None and not self._asked_for_all:
            state = {name: value for name, value in state.items() if name not in self.heavy}
        return state

    def send_state(self, key: Any = None) -> None:
        """Send what has changed; what papermill hears it stores, so nothing `heavy` unasked."""
        if key is not None and not self._asked_for_all:
            key = ({key} if isinstance(key, str) else set(key)) - set(self.heavy)
            if not key:
                return
        super().send_state(key)

    def _send_heavy(self, *_message: object) -> None:
        self._asked_for_all = True
        self.send_state(list(self.heavy))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.alt!r})"

    def _repr_mimebundle_(self, **_kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        live, metadata = super()._repr_mimebundle_() or ({}, {})
        still = {"image/png": b64encode(self.picture).decode("ascii"), "text/plain": self.alt}
        return {**live, **still}, {**metadata, "image/png": {"alt": self.alt}}
