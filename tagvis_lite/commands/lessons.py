"""`tagvis lessons`: the course beside the user's own work."""

from __future__ import annotations

from pathlib import Path

from tyro.conf import Positional

from tagvis_lite.atomic import replacing
from tagvis_lite.commands.check import folder_problems, refuse


def lessons(out: Positional[Path]) -> None:
    """Put the lessons, as notebooks with their outputs, into a folder.

    They come with the package. What is there already stays as it is, so work on a lesson is safe.

    Args:
        out: folder for the notebooks; it is made if it is not there.
    """
    refuse(folder_problems(out))
    package = Path(__file__).resolve().parents[1]
    here = next(f for f in (package / "_notebooks", package.parent / "notebooks") if f.is_dir())
    notebooks = sorted(here.glob("*.ipynb"))
    new = [notebook for notebook in notebooks if not (out / notebook.name).exists()]
    for notebook in new:
        with replacing(out / notebook.name) as file:
            file.write_bytes(notebook.read_bytes())
    print(f"{out}: {len(new)} lessons, {len(notebooks) - len(new)} were there already")
    print(f"Start with {out / notebooks[0].name}: jupyter lab {out}")
