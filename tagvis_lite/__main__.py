"""Command line: `python -m tagvis_lite COMMAND --help`, or `tagvis COMMAND --help`.

Whatever a user can cause and mend ends in one line on standard error and exit code 2.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Sequence
from io import TextIOWrapper
from shutil import get_terminal_size

from tagvis_lite.commands.parsing import command_of

COMMANDS = {
    "demo": ("demo.demo", "the main job on toy data: render, predict, evaluate, show"),
    "toy": ("toy.toy", "render the toy set to disk, in the layout of a real benchmark"),
    "data davis": ("data.davis", "unpack DAVIS 2017, downloaded where no archive is given"),
    "data youtube-vis": ("data.youtube_vis", "unpack YouTube-VIS 2019 or 2021 from its archives"),
    "data split": ("data.split", "annotations of the YouTube-VIS videos that are held out"),
    "data composite": ("data.composite", "make multi-instance videos out of real sequences"),
    "check": ("check.check", "find everything that other commands would refuse"),
    "train": ("train.train", "train a network, or go on with a run that was stopped"),
    "tune": ("tune.tune", "find the thresholds that suit a network, on held-out videos"),
    "predict": ("predict.predict", "find and follow the instances of videos"),
    "evaluate davis": ("evaluate.evaluate_davis", "J, F and J&F of a folder of palette PNGs"),
    "evaluate youtube-vis": ("evaluate.evaluate_youtube_vis", "AP and AR of a results.json"),
    "check-submission davis": ("evaluate.check_davis", "what a DAVIS server would refuse"),
    "check-submission youtube-vis": ("evaluate.check_youtube_vis", "what its server would refuse"),
    "export": ("export.export", "write a checkpoint as one ONNX file"),
    "profile": ("study.profile", "count a network's operations, and time it"),
    "ablate": ("study.ablate", "train every row of Table III on toy videos"),
    "reproduce": ("reproduce.reproduce", "the paper's tables on your own data, row by row"),
    "lessons": ("lessons.lessons", "put the lessons beside your own work"),
    "notebooks": ("notebooks.notebooks", "run the lessons, and write an index of their results"),
}
"""Module and function in `tagvis_lite.commands` of each command, and what it does."""

USER_ERRORS = (ValueError, OSError, MemoryError)
"""A user's mistakes: reported without a traceback."""

NO_MEMORY = re.compile("out of memory|can't allocate memory")
"""What torch says where there is no more of it."""
NARROWEST = 40
"""Columns of a help page at least."""
LONGEST_LINE = 800
"""Characters of an error; of a longer one the middle is left out."""


def warning_line(message: Warning | str, *where: object, **_: object) -> str:
    """A warning as a user reads it: what it is about, not which line of the code said it."""
    return f"tagvis: warning: {' '.join(str(message).split())}\n"


def main(words: Sequence[str] | None = None) -> None:
    """Run one command; exit code 2 after a mistake that the user can mend."""
    warnings.formatwarning = warning_line
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # quiet: what it finds is in our errors
    if get_terminal_size().columns < NARROWEST:  # rich would not end
        os.environ["COLUMNS"] = str(NARROWEST)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # whoever started us closed it
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115
        elif isinstance(stream, TextIOWrapper):  # an alphabet without a path's letters
            stream.reconfigure(errors="backslashreplace")
    try:
        given = list(sys.argv[1:] if words is None else words)
        if given[:1] != ["notebooks"]:  # whose kernels show their pictures themselves
            os.environ["MPLBACKEND"] = "agg"
        command = command_of(given, COMMANDS)
        command()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads the output, such as `head`, has enough of it
        code = 141
    except KeyboardInterrupt:
        print("tagvis: interrupted", file=sys.stderr)
        code = 130
    except (*USER_ERRORS, RuntimeError) as error:
        if not isinstance(error, USER_ERRORS) and not NO_MEMORY.search(str(error)):
            raise
        for text in getattr(error, "lines", [_words_of(error)]):
            line = " ".join(text.split()).encode(errors="backslashreplace").decode()
            if len(line) > LONGEST_LINE:
                line = f"{line[: LONGEST_LINE // 2]} ... {line[-LONGEST_LINE // 2 :]}"
            print(f"tagvis: {line}", file=sys.stderr)
        code = 2
    else:
        return
    try:
        sys.stdout.flush()
    except OSError:  # what is left to print would be an error again when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(code)


def _words_of(error: Exception) -> str:
    """What an error says; of one in a process that reads data, without torch's report of where."""
    text = str(error) or "out of memory"
    if text.startswith("Caught ") and "worker process" in text:
        text = text.strip().splitlines()[-1].partition(": ")[2]
    return text


if __name__ == "__main__":
    main()
