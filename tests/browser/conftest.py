"""Chromium for the tests of the views: alone with a view, or in a real JupyterLab.

Alone, a page holds the view's own script and style and a model with its traits, no kernel behind
it: what works there works in a notebook whose kernel has stopped.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tagvis_lite.views.view import View

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>view</title>
<meta name="viewport" content="width=device-width">
<style>body {{ margin: 8px; {ground} }} {css}</style></head><body><div id="view"></div>
<script type="module">
const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
const decode = (value) => {{
  if (Array.isArray(value)) return value.map(decode);
  return value?.$bytes === undefined ? value : bytes(value.$bytes);
}};
const state = Object.fromEntries(Object.entries({state}).map(([k, v]) => [k, decode(v)]));
const listeners = {{}};
const model = {{
  get: (name) => state[name],
  set(name, value) {{
    state[name] = value;
    (listeners[`change:${{name}}`] ?? []).forEach((listener) => listener());
  }},
  save_changes: () => (window.saves = (window.saves ?? 0) + 1),
  on: (name, listener) => (listeners[name] ??= []).push(listener),
  off: (name, listener) =>
    (listeners[name] = (listeners[name] ?? []).filter((other) => other !== listener)),
  send: (message) => (window.sent ??= []).push(message),
}};
window.model = model;
const blob = new Blob([{script}], {{ type: "text/javascript" }});
const {{ default: view }} = await import(URL.createObjectURL(blob));
await view.initialize?.({{ model }});
await view.render({{ model, el: document.getElementById("view") }});
document.body.dataset.ready = "yes";
</script></body></html>"""


@pytest.fixture
def opened(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens a view in a page of its own; the test fails if the page logged an error."""
    pages: list[Any] = []
    errors: list[str] = []

    def open_view(
        view: View,
        *,
        dark: bool = False,
        without: Sequence[str] = (),
        width: int = 820,
        height: int = 760,
        **options: Any,
    ) -> Any:
        file = tmp_path / f"{len(pages)}.html"
        file.write_text(page_of(view, dark=dark, without=without), encoding="utf-8")
        page = chromium.new_page(viewport={"width": width, "height": height}, **options)
        pages.append(page)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.goto(file.as_uri())
        page.wait_for_selector("body[data-ready]", state="attached", timeout=20_000)
        return page

    yield open_view
    for page in pages:
        page.close()
    assert errors == []


def page_of(view: View, *, dark: bool = False, without: Sequence[str] = ()) -> str:
    """A page with this view and all its traits but those in `without`."""
    state = {
        name: _encoded(value)
        for name, value in view.get_state(list(view.keys)).items()
        if name not in ("_esm", "_css", "layout", *without)
    }
    return PAGE.format(
        css=view._css,
        state=json.dumps(state),
        script=json.dumps(view._esm).replace("</", "<\\/"),
        ground="background: #111; color-scheme: dark" if dark else "background: white",
    )


def _encoded(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bytes": b64encode(bytes(value)).decode("ascii")}
    if isinstance(value, (list, tuple)):
        return [_encoded(item) for item in value]
    return value
