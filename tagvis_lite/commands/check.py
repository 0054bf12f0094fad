"""`tagvis check`: everything that is wrong with an input, all at once."""

from __future__ import annotations

from tagvis_lite.commands.options import Input


def check(input: Input, fast: bool = False) -> None:
    """Look at every file of a root, a folder of frames or a video; exit code 1 if one is wrong.

    Args:
        fast: read only headers and ends of files; damage in between is not found.
    """
    from tagvis_lite.data.check import check_path

    reports = check_path(input.expanduser(), fast=fast)
    problems = [problem for report in reports for problem in report.problems]
    for problem in problems:
        print(problem)
    for report in reports:
        print(
            f"{report.name}: {report.videos} videos, {report.frames} frames, "
            f"{report.label_maps} label maps, {len(report.problems)} problems"
        )
    if problems:
        raise SystemExit(1)
