"""Pages of the API name a wing of the package, not its files: `<!-- modules of data -->`.

The comment becomes a section for every module that the wing has, so a file that comes, goes or is
renamed needs no change here. `<!-- modules of . -->` are the files on top of the package, and
`<!-- front door -->` is a list of the names that `tagvis_lite` itself offers.
"""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

import tagvis_lite

PACKAGE = "tagvis_lite"
COMMENT = re.compile(r"<!-- modules of ([\w/.]+) -->")


def sections(root: Path, wing: str) -> str:
    """A heading and an automodule block for each module in a folder of the package."""
    folder = root / PACKAGE / wing
    names = [
        ".".join(path.relative_to(root / PACKAGE).with_suffix("").parts)
        for path in sorted(folder.glob("*.py"))
        if not path.name.startswith("__")
    ]
    return "\n\n".join(
        f"## `{name}`\n\n```{{eval-rst}}\n.. automodule:: {PACKAGE}.{name}\n```" for name in names
    )


def front_door() -> str:
    """A line for each name in `tagvis_lite.__all__`, with a link to where it is described."""
    lines = []
    for name in tagvis_lite.__all__:
        thing = getattr(tagvis_lite, name)
        if module := getattr(thing, "__module__", ""):
            words = (thing.__doc__ or "").strip().splitlines()[0]
            lines.append(f"- {{py:obj}}`{name} <{module}.{thing.__qualname__}>`: {words}")
        else:
            lines.append(f"- `{name}`")
    return "\n".join(lines)


def on_source_read(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the sections in the place of the comments of a page."""
    root = Path(app.srcdir)
    source[0] = COMMENT.sub(lambda match: sections(root, match[1]), source[0])
    source[0] = source[0].replace("<!-- front door -->", front_door())


def setup(app: Sphinx) -> dict[str, bool]:
    """Run before a page is parsed; pages of the API are always read anew."""
    app.connect("source-read", on_source_read)
    app.connect(
        "env-get-outdated",
        lambda _app, env, *_: [name for name in env.found_docs if name.startswith("docs/api")],
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
