"""The live page: the shipped networks in the reader's browser (docs/live).

`python docs/_ext/live.py FOLDER` builds the page alone; the site takes it along. All that it needs
lies in its folder: its own modules, onnxruntime's WebAssembly build (from npm, pinned and
hashed), the networks as ONNX files, and `manifest.json`, which says what they are. Large files are
gzipped here and unpacked by the page, so that every static host sends them small.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "docs" / "live"
VIEWS = ROOT / "tagvis_lite" / "views"
CACHE = ROOT / ".tools"

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
SCRIPT, WASM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
NETWORKS = {"one": ("toy", "one number"), "two": ("toy2", "two numbers")}
SUITE_CLIPS = 3
"""Of each stratum."""
SHARED = [
    "canvas",
    "clamp",
    "element",
    "followTheme",
    "ink",
    "labelled",
    "place",
    "slider",
    "ticks",
]
"""Helpers of the views in notebooks that the page uses too."""

WITHOUT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>TagVIS-lite, live</title>
<main><h1>This copy of the site has no live page</h1><p>{reason}</p>
<p><a href="../docs/index.html">Back to the site</a></p></main></html>
"""


class NotBuiltError(Exception):
    """Why the page cannot be built here, and what to do."""


def build(folder: Path) -> None:
    """Fill a folder with the page.

    Raises:
        NotBuiltError: what it needs is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    runtime = _runtime()
    for path in SOURCES.iterdir():
        shutil.copyfile(path, folder / path.name)
    exports = f"\nexport {{ {', '.join(SHARED)} }};\n"
    (folder / "view.js").write_text((VIEWS / "view.js").read_text(encoding="utf-8") + exports)
    shutil.copyfile(runtime / SCRIPT, folder / "ort.mjs")
    manifest = {
        "runtime": _packed((runtime / WASM).read_bytes(), folder / "ort.wasm.packed"),
        "networks": _networks(folder),
        "suite": _suite(folder),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _runtime() -> Path:
    """The `dist` folder of the npm package, fetched once into .tools."""
    kept = CACHE / f"{PACKAGE}-{VERSION}"
    if not (kept / WASM).exists():
        if shutil.which("npm") is None:
            raise NotBuiltError("It needs npm (of Node.js) to fetch onnxruntime-web: install it.")
        CACHE.mkdir(exist_ok=True)
        command = ["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"]
        done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True)
        archive = CACHE / f"{PACKAGE}-{VERSION}.tgz"
        if done.returncode or not archive.exists():
            raise NotBuiltError(f"npm could not fetch {PACKAGE} {VERSION}: {done.stderr[-300:]}")
        digest = hashlib.sha512(archive.read_bytes()).digest()
        if base64.b64encode(digest).decode() != SHA512:
            archive.unlink()
            raise NotBuiltError(
                f"npm's {PACKAGE} {VERSION} is not the one this page was made with."
            )
        kept.mkdir(exist_ok=True)
        with tarfile.open(archive) as file:
            for name in (SCRIPT, WASM):
                member = file.extractfile(f"package/dist/{name}")
                assert member is not None
                (kept / name).write_bytes(member.read())
        archive.unlink()
    return kept


def _networks(folder: Path) -> list[dict[str, Any]]:
    """Export the networks that ship; `limits` holds the range of their tags on toy videos."""
    from tagvis_lite.checkpoint import shipped
    from tagvis_lite.commands.export import export

    found = []
    for name, (checkpoint, words) in NETWORKS.items():
        try:
            weights = shipped(f"checkpoints/{checkpoint}.safetensors")
        except FileNotFoundError:
            continue
        file = folder / f"{name}.onnx"
        try:
            card = export(weights, file, attention=True, half=True)
        except ValueError as error:
            raise NotBuiltError(f"The networks cannot be exported: {error}.") from error
        packed = _packed(file.read_bytes(), folder / f"{name}.onnx.packed")
        limits = _tag_limits(file)
        file.unlink()
        found.append({"name": name, "words": words, "limits": limits, "card": card, **packed})
    return found


def _suite(folder: Path) -> list[dict[str, Any]]:
    """Clips of the diagnostic suite: 8 of the 24 frames of a video, and their label maps."""
    from tagvis_lite.clips import spread_indices
    from tagvis_lite.data.toy_strata import NUM_FRAMES, strata

    kept = spread_indices(NUM_FRAMES, 8)
    found = []
    for name, videos in strata(SUITE_CLIPS).items():
        for k, video in enumerate(videos):
            content = video.read_frames(kept).tobytes() + video.read_ids(kept).tobytes()
            packed = _packed(content, folder / f"{name}-{k + 1}.packed")
            found.append({"name": f"{name} {k + 1}", "stratum": name, **packed})
    return found


def _tag_limits(file: Path) -> list[list[float]]:
    """For each number of a tag, the range of those of foreground pixels on 16 held-out videos."""
    import numpy as np
    import onnxruntime

    from tagvis_lite.data.toy import toy_split

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    tags = []
    for video in toy_split("test", 16):
        one = session.run(["tags"], {"frames": np.asarray(video.frames)})[0]
        inside = one[np.asarray(video.ids) > 0]  # n or n x K
        tags.append(inside.reshape(len(inside), -1))
    low, high = np.quantile(np.concatenate(tags), [0.005, 0.995], axis=0)
    return np.round(np.stack([low - 1, high + 1], axis=1), 1).tolist()


def _packed(content: bytes, path: Path) -> dict[str, Any]:
    packed = gzip.compress(content, 9, mtime=0)
    path.write_bytes(packed)
    return {"file": path.name, "bytes": len(packed)}


def on_build_finished(app: Sphinx, error: Exception | None) -> None:
    """Put the page into the site, or a page that says why it is not there."""
    if error is not None or app.builder.name != "html":
        return
    folder = Path(app.outdir, "live")
    try:
        build(folder)
    except NotBuiltError as reason:
        (folder / "index.html").write_text(WITHOUT.format(reason=reason), encoding="utf-8")
        logging.getLogger(__name__).info("The site has no live page. %s", reason)


def setup(app: Sphinx) -> dict[str, bool]:
    """Build after the site itself."""
    app.connect("build-finished", on_build_finished)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    try:
        build(Path(sys.argv[1]))
    except NotBuiltError as reason:
        sys.exit(str(reason))
