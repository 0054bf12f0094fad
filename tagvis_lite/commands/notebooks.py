"""`tagvis notebooks`: run the lessons."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tagvis_lite.commands.extras import needs


def notebooks(
    profile: Literal["toy", "smoke", "paper"] = "toy",
    only: tuple[str, ...] = (),
    out: Path = Path("runs/notebooks"),
    notebooks: Path = Path("notebooks"),
    seed: int = 0,
    data: Path | None = None,
    parameters: dict[str, int | float | str] = {},  # noqa: B006
    jobs: int = 1,
    timeout: int | None = None,
) -> None:
    """Run the lessons from top to bottom, and keep an index of their results.

    A run that was stopped goes on with the lessons that it had not finished.

    Args:
        profile: size of networks, data and training in the lessons.
        only: numbers of lessons, such as 06 07; all when not given.
        out: folder for executed notebooks, metrics, index.json and index.md.
        notebooks: folder of the lessons.
        seed: of the lessons.
        data: a video, a folder of frames, or a root; toy videos when not given.
        parameters: names and values of further parameters, for the lessons that have them.
        jobs: lessons that run at once; they share the cores.
        timeout: seconds after which a lesson is stopped.
    """
    from tagvis_lite.course.run import LessonResult, run_notebooks

    def finished(result: LessonResult) -> None:
        place = f", cell {result.cell}" if result.cell else ""
        error = f"{place}: {result.error}" if result.error else ""
        print(f"{result.status:<7} {result.seconds:7.1f} s  {result.name}{error}", flush=True)

    where = "" if data is None else str(data.resolve())
    with needs("lab"):
        results = run_notebooks(
            {"PROFILE": profile, "SEED": seed, "DATA": where, **parameters},
            notebooks=notebooks,
            out=out,
            only=only,
            jobs=jobs,
            timeout=timeout,
            report=finished,
        )
    passed = sum(result.status == "ok" for result in results)
    print(f"{passed} of {len(results)} lessons passed: {out / 'index.md'}")
    if passed < len(results):
        raise SystemExit(1)
