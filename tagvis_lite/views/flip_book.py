"""Pictures behind one slider, all of them in the browser: it moves without a kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import traitlets

from tagvis_lite.views.view import View, script


class FlipBook(View):
    """One of several pictures, chosen by a slider with the mouse or the arrow keys.

    Traits:
        pages: PNG files, one for each value of the slider.
        names: what the slider stands at, one for each page.
        label: what the slider sets.
        page: number of the page that is shown.
    """

    _esm = script("flip_book.js")
    heavy = ("pages",)
    pages = traitlets.List(traitlets.Bytes()).tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    page = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        pages: Sequence[bytes],
        names: Sequence[str],
        *,
        label: str,
        picture: bytes,
        alt: str,
        **traits: Any,
    ) -> None:
        """Show `pages`, PNG files, under their `names`; `picture` and `alt` as in `View`.

        Raises:
            ValueError: no page, or another number of names than of pages.
        """
        if not pages or len(pages) != len(names):
            raise ValueError(
                f"{len(pages)} pages and {len(names)} names: a flip book needs one name a page"
            )
        super().__init__(
            picture=picture, alt=alt, pages=list(pages), names=list(names), label=label, **traits
        )
