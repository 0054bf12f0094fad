"""Whatever the words of a command line: success, or mistakes named in a line each; no traceback.

Words are drawn from every command's options with values that fit, nearly fit or make no sense.
What trains for minutes is replaced; all that is looked at before it is not.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_cli import function_of
from tiny_network import OVERRIDES, save_tiny

from tagvis_lite import training
from tagvis_lite.__main__ import COMMANDS, main
from tagvis_lite.config import SECTIONS
from tagvis_lite.data.davis import write_davis
from tagvis_lite.data.toy import CATEGORIES, ToyConfig, toy_split
from tagvis_lite.data.youtube_vis import write_youtube_vis
from tagvis_lite.study import runner, speed

EXAMPLES = int(os.environ.get("TAGVIS_RANDOM_WORDS", "200"))
# The first two fetch or render much; the last runs for minutes by design.
LEFT_OUT = {"data davis", "demo", "notebooks"}
NUMBERS = ["0", "1", "2", "-1", "0.5", "3.0", "nan", "inf", "-inf", "1e-300", "1e400", "16", "32"]
HUGE = ["65536", "2147483647", "2147483648", "1073741824", "9" * 30]
STRANGE = ["", "x", "None", "True", "é", "\udcff.mp4", "--", "-", "Paper", "toy", "bf16", "cpu"]
DEVICES = ["cpu", "auto", "cuda", "cpu:0", "cuda:99", "tpu", "meta", "gpu"]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of inputs, good and bad."""
    here = tmp_path_factory.mktemp("here")
    toy = ToyConfig(size=(32, 32), num_frames=3)
    for split in ("train", "validation"):
        write_davis(here / "davis", toy_split(split, 6, toy), split)  # type: ignore[arg-type]
        write_youtube_vis(here / "ytvis", toy_split(split, 2, toy), CATEGORIES, split)  # type: ignore[arg-type]
    save_tiny(here / "w.safetensors")
    (here / "cut.safetensors").write_bytes((here / "w.safetensors").read_bytes()[:999])
    (here / "empty").mkdir()
    (here / "file").write_text("words")
    (here / "config.json").write_text(json.dumps({"train": {"steps": 1}}))
    (here / "list.json").write_text("[1]")
    return here


PATHS = ["davis", "ytvis", "w.safetensors", "cut.safetensors", "empty", "file", "none", "new/out"]
PATHS += ["config.json", "list.json", "davis/JPEGImages/480p/toy-train-00000", "a\0b", "x" * 300]
GOOD: dict[str, list[str]] = {
    "out": ["new/out"],
    "input": ["davis", "ytvis", "davis/JPEGImages/480p/toy-train-00000"],
    "root": ["davis", "ytvis"],
    "results": ["davis", "davis/Annotations_unsupervised/480p"],
    "checkpoint": ["w.safetensors"],
    "start": ["w.safetensors"],
    "config": ["config.json"],
    "data": ["davis", "ytvis"],
    "archives": ["empty"],
    "split": ["train", "validation"],
    "device": ["cpu", "auto"],
    "precision": ["fp32", "bf16"],
    "strategy": ["auto", "ddp"],
    "layout": ["davis", "youtube-vis"],
    "difficulty": ["easy"],
    "table": ["components"],
    "only": ["full"],
    "figure": ["scores.png"],
    "year": ["2017"],
    "objects": ["2 3"],
    "processes": ["1"],
    "size": ["32 32", "48 32"],
    "frames": ["3"],
}
TINY_FIELDS = OVERRIDES.split()


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A line that would do, with none or a few of its words replaced."""
    command = draw(st.sampled_from(sorted(COMMANDS.keys() - LEFT_OUT)))
    options = inspect.signature(function_of(command)).parameters
    words = []
    for name, option in options.items():
        hint = str(option.annotation)
        needed = option.default is inspect.Parameter.empty
        needed |= name in ("train", "validation", "test", "processes", "data")  # else it takes long
        if hint in ("Fields", "InferenceConfig") or not (needed or draw(st.integers(0, 3)) == 0):
            continue
        flag = [] if "Positional" in hint or hint in ("Root", "Input", "Results") else [name]
        flag = [f"--{'from' if word == 'start' else word.replace('_', '-')}" for word in flag]
        good = ["true"] if hint == "bool" else GOOD.get(name, ["1", "2"])
        words += flag + [word for word in draw(st.sampled_from(good)).split() if word != "true"]
    if "fields" in options:
        words += ["--profile", "smoke", *TINY_FIELDS]
    odd = st.sampled_from(NUMBERS + HUGE + STRANGE + PATHS + DEVICES)
    for _ in range(draw(st.integers(0, 3))):
        if words and draw(st.booleans()):
            words[draw(st.integers(0, len(words) - 1))] = draw(odd)
        elif {"fields", "inference"} & set(options):
            section = draw(
                st.sampled_from(list(SECTIONS) if "fields" in options else ["inference"])
            )
            fields = sorted(SECTIONS[section].__dataclass_fields__.items())
            name, field = draw(st.sampled_from(fields))
            number = str(field.type).count(",") + 1 if "tuple" in str(field.type) else 1
            word = st.sampled_from(NUMBERS + HUGE)
            words.append(f"--{section}.{name.replace('_', '-')}")
            words += draw(st.lists(word, min_size=number, max_size=number) | st.lists(odd))
        else:
            words.insert(draw(st.integers(0, len(words))), draw(odd))
    return [*command.split(), *words]


def run(words: list[str], here: Path) -> tuple[int, str]:
    """Exit code and what was said on standard error."""
    said = io.StringIO()
    with (
        tempfile.TemporaryDirectory(dir=here.parent) as folder,
        contextlib.chdir(folder),
        contextlib.redirect_stderr(said),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        for there in here.iterdir():
            Path(there.name).symlink_to(there)
        try:
            main(words)
        except SystemExit as stop:
            return int(stop.code or 0), said.getvalue()
    return 0, said.getvalue()


def trained(*_: Any, **__: Any) -> training.TrainingResult:
    return training.TrainingResult(best_score=0.0, best_step=1, weights=Path("best"))


def refused(*_: Any) -> None:
    raise ValueError("replaced")


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(words=command_lines())
def test_a_command_line_succeeds_or_is_refused_in_so_many_words(
    words: list[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "train", trained)
    monkeypatch.setattr(runner, "ablate", refused)
    monkeypatch.setattr(speed, "profile_inference", lambda *_, **__: "")
    code, said = run(words, here)
    assert code in (0, 1, 2), said
    lines = [line for line in said.splitlines() if not re.match(r"(predict|check):? +\d+%", line)]
    assert (code == 2) == bool(lines), said
    for line in lines:
        assert re.match(r"tagvis: \S", line), said
        assert len(line) < 1000
