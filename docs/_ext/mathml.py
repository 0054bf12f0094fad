"""LaTeX formulas as MathML, which browsers draw themselves: no script, nothing from the network."""

from __future__ import annotations

import re

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

LOGGER = logging.getLogger(__name__)
CONVERTER = LatexToMathML()

# Browsers shrink and raise a prime like any superscript; its glyph is small and high already.
PRIME = re.compile("<mo>([′″‴])</mo>")
PLACED = r'<mpadded class="prime" height="0.4em" voffset="-0.35em"><mo>\1</mo></mpadded>'


def mathml(node: nodes.math | nodes.math_block) -> str:
    """The formula of a node as a <math> element; a warning where it is not LaTeX."""
    block = isinstance(node, nodes.math_block)
    try:
        element = CONVERTER.convert_with_local_state(node.astext(), displaystyle=block)
    except LatexError as error:
        LOGGER.warning("%s in formula %s", error, node.astext(), location=node)
        return ""
    return PRIME.sub(PLACED, element)


def visit_inline(writer: HTML5Translator, node: nodes.math) -> None:
    """Write a formula within a line."""
    writer.body.append(mathml(node))
    raise nodes.SkipNode


def visit_block(writer: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula that stands alone; one that is too wide for the page scrolls."""
    writer.body.append(f'<div class="formula">{mathml(node)}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Offer `html_math_renderer = "mathml"`."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
