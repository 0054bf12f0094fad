"""Links that the site can follow, the texts of figures, and the gallery of lessons."""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
import shutil
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

LINK = re.compile(r"\[([^\[\]]*)\]\(([^()#\s]+)(#[^()\s]*)?\)")
HTML_LINK = re.compile(r'(<a href=\\?"[^"\\:#]+)\.ipynb')
IMAGE = re.compile(
    r'<img alt="(?P<alt>[^"]*)"[^>]*src="data:image/(?P<kind>[^;]+);base64,(?P<file>[^"]+)"'
)
"""A picture as `tagvis_lite.views.picture` puts it into a notebook."""
DOTTED = re.compile(r"[a-z_]+(\.\w+)+")
LESSON = re.compile(r"(\d\d)_\w+\.ipynb")


@dataclass(frozen=True)
class Figure:
    """A picture that is stored in a notebook.

    Attributes:
        name: file name made of a hash of its content.
        file: its content.
        alt: what it shows, in words.
    """

    name: str
    file: bytes
    alt: str


def figures(notebook: Path) -> list[Figure]:
    """The pictures among the stored outputs of a notebook, in order."""
    found = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            for match in IMAGE.finditer("".join(output.get("data", {}).get("text/html", ""))):
                file = b64decode(match["file"])
                suffix = match["kind"].partition("+")[0]
                name = f"{hashlib.sha256(file).hexdigest()}.{suffix}"
                found.append(Figure(name, file, html.unescape(match["alt"])))
    return found


def title(notebook: Path) -> str:
    """The first heading of a notebook."""
    first = "".join(json.loads(notebook.read_text(encoding="utf-8"))["cells"][0]["source"])
    return first.splitlines()[0].lstrip("# ")


def relink(text: str, folder: Path) -> str:
    """Links in a document of `folder` as the site needs them.

    Headings of lessons are named as MyST names them, not as Jupyter does (`#The-paper`). Links to
    folders, which have no page, and to lessons that are not written yet become plain text. In HTML,
    which MyST leaves alone, a lesson is its page. All others stay, and the build warns of those
    that lead nowhere.
    """

    def replace(match: re.Match[str]) -> str:
        words, target, heading = match.groups()
        path = folder / target
        if path.is_dir():
            return words
        if lesson := LESSON.fullmatch(path.name):
            if not list(path.parent.glob(f"{lesson[1]}_*.ipynb")):
                return words
            return f"[{words}]({target}{(heading or '').lower()})"
        return match[0]

    return HTML_LINK.sub(r"\1.html", LINK.sub(replace, text))


def on_source_read(app: Sphinx, docname: str, source: list[str]) -> None:
    """Relink a document before it is parsed; of a notebook, its JSON."""
    source[0] = relink(source[0], Path(app.env.doc2path(docname)).parent)


def link_names(doctree: nodes.document, docname: str) -> None:
    """Make names such as `losses.spectra_loss` links, where the API reference has that name."""
    for literal in list(doctree.findall(nodes.literal)):
        name = literal.astext()
        linked = isinstance(literal.parent, (nodes.reference, nodes.title, addnodes.pending_xref))
        if linked or not DOTTED.fullmatch(name):
            continue
        target = f"tagvis_lite.{name.removeprefix('tagvis_lite.')}"
        link = addnodes.pending_xref(
            refdomain="py", reftype="obj", reftarget=target, refdoc=docname, refwarn=False
        )
        literal.replace_self(link)
        link += literal


def on_doctree_read(app: Sphinx, doctree: nodes.document) -> None:
    """Link names to the API reference."""
    link_names(doctree, app.env.docname)


def on_page(
    _app: Sphinx,
    _page: str,
    _template: str,
    context: dict[str, Any],
    _doctree: nodes.document | None,
) -> None:
    """Code and tables that scroll take the focus; a switch of the sidebar is a plain checkbox.

    A native checkbox says its state by itself; the role `switch` on it asks for an attribute more.
    """
    if isinstance(body := context.get("body"), str):
        block = '<div class="highlight"><pre'
        body = body.replace(f"{block}>", f'{block} tabindex="0">')
        table = '<div class="table-wrapper'
        context["body"] = body.replace(table, f'<div tabindex="0"{table.removeprefix("<div")}')
    if isinstance(tree := context.get("furo_navigation_tree"), str):
        tree = tree.replace(' role="switch"', "")
        context["furo_navigation_tree"] = tree.replace(
            ' role="heading"', ' role="heading" aria-level="2"'
        )


class Gallery(SphinxDirective):
    """The first figure of every lesson, with its title, each a link to the lesson."""

    def run(self) -> list[nodes.Node]:
        """Build the grid."""
        grid = nodes.container(classes=["gallery"])
        pictures = Path(self.env.mystnb_config.output_folder)
        pictures.mkdir(parents=True, exist_ok=True)
        for notebook in sorted(Path(self.env.srcdir, "notebooks").glob("*.ipynb")):
            self.env.note_dependency(notebook)
            figure = next(iter(figures(notebook)), None)
            if figure is None:
                raise self.error(f"{notebook} stores no figure for the gallery")
            file = pictures / figure.name
            if not file.exists():
                file.write_bytes(figure.file)
            page = self.env.app.builder.get_relative_uri(
                self.env.docname, f"notebooks/{notebook.stem}"
            )
            image = nodes.image(uri="/" + os.path.relpath(file, self.env.srcdir))
            image["alt"] = figure.alt
            link = nodes.reference("", "", image, nodes.inline("", title(notebook)), refuri=page)
            grid += nodes.paragraph("", "", link, classes=["gallery-entry"])
        return [grid]


def on_build_finished(app: Sphinx, error: Exception | None) -> None:
    """Put the recorded runs where the tables of lesson 24 link to them."""
    if error is None:
        runs = Path(app.srcdir, "data", "runs")
        shutil.copytree(runs, Path(app.outdir, "data", "runs"), dirs_exist_ok=True)
        cards = Path(app.outdir, "data", "checkpoints")
        cards.mkdir(parents=True, exist_ok=True)
        for card in (runs.parent / "checkpoints").glob("*.json"):
            shutil.copyfile(card, cards / card.name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the hooks and offer the `gallery` directive."""
    app.connect("source-read", on_source_read)
    app.connect("doctree-read", on_doctree_read)
    app.connect("html-page-context", on_page, priority=900)  # after the theme's own
    app.connect("build-finished", on_build_finished)
    app.add_directive("gallery", Gallery)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
