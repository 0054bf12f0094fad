"""What all views share: one script and style in the browser, a picture where nothing runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import cv2
import numpy as np
import traitlets
from IPython.display import display

from tagvis_lite.views.picture import Picture

HERE = Path(__file__).parent


def script(name: str) -> str:
    """The JavaScript of a view: what all share (view.js), then its own. Nothing is fetched."""
    return "\n".join((HERE / file).read_text(encoding="utf-8") for file in ("view.js", name))


STILL = """<style>
.jp-OutputArea-child:has(.tagvis-still):has(+ .jp-OutputArea-child .tagvis) { display: none }
.jp-OutputArea-child:has(.tagvis-still) +
  .jp-OutputArea-child:has(> .lm-Panel.jp-OutputArea-output):not(:has(.tagvis)) { display: none }
</style>"""
"""With the picture of a view, which hides while the view below it lives; a dead one is hidden."""


def shrunk(picture: np.ndarray, longest: int) -> np.ndarray:
    """A picture, H x W x 3, made smaller for the browser if a side is longer than `longest`."""
    scale = longest / max(picture.shape[:2])
    if scale >= 1:
        return picture
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


class View(anywidget.AnyWidget):
    """A view with a picture in its place.

    A notebook on GitHub or on the site has no kernel and no widgets, and one that was saved and
    opened again has only dead ones: there `picture` is shown, which is an output of its own. Its
    text, `alt`, is also the name of the view for screen readers.

    Subclasses set `_esm = script("own.js")`, and in `heavy` the traits that are too large to be
    stored in a notebook: those go to a browser that asks for them (`whenThere` in view.js), while
    papermill and nbclient, which ask for nothing, store none of them. What a view wants of the
    kernel it asks for with a number, `asked`; when `answered` does not follow, it says so.
    """

    heavy: tuple[str, ...] = ()
    _css = (HERE / "view.css").read_text(encoding="utf-8")
    alt = traitlets.Unicode().tag(sync=True)
    asked = traitlets.Int(0).tag(sync=True)
    answered = traitlets.Int(0).tag(sync=True)

    def __init__(self, picture: Picture, **traits: Any) -> None:
        """Show `picture` where no view can run."""
        self._asked_for_all = False
        super().__init__(alt=picture.alt, **traits)
        self.picture = picture
        self.on_msg(self._send_heavy)
        self.observe(lambda change: self.set_trait("answered", change["new"]), names="asked")

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

    def _ipython_display_(self) -> None:
        """Two outputs: the picture, and the view that takes its place while it lives."""
        still = f'{STILL}<div class="tagvis-still">{self.picture.html()}</div>'
        display({"text/html": still, "text/plain": self.alt}, raw=True)
        if live := self._repr_mimebundle_():
            data, metadata = live
            data.pop("text/plain", None)
            display(data, metadata=metadata, raw=True)
