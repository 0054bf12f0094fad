"""Files that come with the package: the toy sample and the toy checkpoint."""

from __future__ import annotations

from pathlib import Path


def shipped(name: str) -> Path:
    """Path of a file or folder of the project's `data/`, such as 'checkpoints/toy.safetensors'.

    A wheel carries `data/` inside the package as `_data`; a checkout has it beside the package.

    Raises:
        FileNotFoundError: it is in neither place.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "_data", package.parent / "data"):
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(f"{name} did not come with this installation of tagvis-lite")
