"""The files around the code: they agree with each other, and a fresh clone can be set up."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from rattler import MatchSpec

from tagvis_lite.__main__ import main
from tagvis_lite.config import Config

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

CONDA_NAME = {
    "torch": "pytorch",
    "opencv-python-headless": "py-opencv",
    "matplotlib": "matplotlib-base",
    "lightning-fabric": "pytorch-lightning",
}
CONDA_LACKS = {"trackeval", "playwright", "math-core", "ziamath"}
CONDA_ADDS = {"pip", "tabulate"}

MAX_BYTES = 1_500_000
CHECKPOINT = "data/checkpoints/toy.safetensors"
MAX_CHECKPOINT_BYTES = 8_000_000
MAX_TOY_BYTES = 2_000_000


def pyproject_requirements() -> dict[str, SpecifierSet]:
    """Everything the lock and environment.yml hold: the package, its lab extra, the dev group."""
    project = PYPROJECT["project"]
    lines = [
        *project["dependencies"],
        *project["optional-dependencies"]["lab"],
        *PYPROJECT["dependency-groups"]["dev"],
    ]
    requirements = [Requirement(line) for line in lines]
    assert len({r.name for r in requirements}) == len(requirements), "a requirement stands twice"
    return {canonicalize_name(r.name): r.specifier for r in requirements}


def project_files() -> list[Path]:
    """Files that are, or with the next `git add` would be, in the repository."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"not a git checkout: {error}")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [file for file in files if file.is_file()]


# environment.yml


def test_environment_equals_pyproject() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    specs = [MatchSpec(line) for line in environment["dependencies"]]
    bounds = {spec.name.normalized: SpecifierSet(str(spec.version or "")) for spec in specs}
    assert len(bounds) == len(specs), "a package stands twice"

    expected = {
        CONDA_NAME.get(name, name): bound
        for name, bound in pyproject_requirements().items()
        if name not in CONDA_LACKS
    }
    expected["python"] = SpecifierSet(PYPROJECT["project"]["requires-python"])
    assert {k: v for k, v in bounds.items() if k not in CONDA_ADDS} == expected
    assert environment["channels"] == ["conda-forge", "nodefaults"]


def test_environment_says_how_to_install_what_conda_lacks() -> None:
    text = (ROOT / "environment.yml").read_text()
    for name in CONDA_LACKS:
        line = re.search(rf'pip install (?:--no-deps )?"{name}(.*)"', text)
        assert line
        assert SpecifierSet(line[1]) == pyproject_requirements()[name]


# requirements.lock


def lock_entries() -> list[tuple[Requirement, list[str]]]:
    """Each pinned requirement with its hashes."""
    text = (ROOT / "requirements.lock").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    parsed = []
    for line in lines:
        requirement, *hashes = line.split(" --hash=")
        parsed.append((Requirement(requirement), [h.strip() for h in hashes]))
    return parsed


def version_of(requirement: Requirement) -> str:
    (pin,) = requirement.specifier
    return pin.version


def test_lock_pins_every_requirement_with_hashes() -> None:
    for requirement, hashes in lock_entries():
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", h) for h in hashes), requirement


def test_lock_names_no_address_and_no_machine() -> None:
    text = (ROOT / "requirements.lock").read_text()
    for word in ["://", " @ ", "-index", "find-links", "trusted-host", "=/", " /"]:
        assert word not in text, word
    assert "\n#    make lock\n" in text


@pytest.mark.parametrize("python", ["3.11.0", "3.12.0", "3.13.0"])
@pytest.mark.parametrize("system", ["Linux", "Darwin"])
def test_lock_satisfies_pyproject(python: str, system: str) -> None:
    environment = {
        "python_version": ".".join(python.split(".")[:2]),
        "python_full_version": python,
        "platform_system": system,
        "sys_platform": system.lower(),
        "platform_machine": "x86_64" if system == "Linux" else "arm64",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
    }
    pinned: dict[str, list[str]] = {}
    for requirement, _ in lock_entries():
        if requirement.marker is None or requirement.marker.evaluate(environment):
            versions = pinned.setdefault(canonicalize_name(requirement.name), [])
            versions.append(version_of(requirement))

    assert {name: v for name, v in pinned.items() if len(v) > 1} == {}
    for name, bound in pyproject_requirements().items():
        assert name in pinned, f"{name} is not in requirements.lock: run make lock"
        assert bound.contains(pinned[name][0]), f"{name} {pinned[name]} is not {bound}"


def test_lock_has_one_opencv() -> None:
    names = {canonicalize_name(requirement.name) for requirement, _ in lock_entries()}
    assert [n for n in names if n.startswith("opencv")] == ["opencv-python-headless"]


def test_lock_holds_what_builds_the_project() -> None:
    names = {canonicalize_name(requirement.name) for requirement, _ in lock_entries()}
    builders = [Requirement(line) for line in PYPROJECT["build-system"]["requires"]]
    assert {canonicalize_name(builder.name) for builder in builders} <= names


# The package and its licence


def test_import_pulls_in_no_plotting_notebook_or_training_library() -> None:
    code = "import sys, tagvis_lite; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    imported = set(done.stdout.split())
    assert "tagvis_lite" in imported
    forbidden = {
        *("matplotlib", "IPython", "ipywidgets", "ipykernel", "notebook", "tyro"),
        *("lightning", "lightning_fabric", "pytorch_lightning", "pytest", "trackeval", "sklearn"),
    }
    assert imported & forbidden == set()
    assert {name for name in imported if name.startswith("jupyter")} == set()


def test_licence_is_the_official_text() -> None:
    assert PYPROJECT["project"]["license"] == "Apache-2.0"
    assert PYPROJECT["project"]["license-files"] == ["LICENSE"]
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License\n" in text
    assert "Version 2.0, January 2004" in text
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert digest == "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"


# What is committed


def test_files_are_small() -> None:
    limits = {ROOT / CHECKPOINT: MAX_CHECKPOINT_BYTES}
    too_large = {
        str(file.relative_to(ROOT)): file.stat().st_size
        for file in project_files()
        if file.stat().st_size > limits.get(file, MAX_BYTES)
    }
    assert too_large == {}


def test_toy_sample_is_small() -> None:
    toy = ROOT / "data" / "toy"
    sizes = [file.stat().st_size for file in project_files() if file.is_relative_to(toy)]
    assert sum(sizes) < MAX_TOY_BYTES


def test_files_name_no_path_of_a_machine() -> None:
    folders = "|".join(["home", "root", "work", "Users"])
    machine_path = re.compile(rb"(?<![\w.}~-])/(" + folders.encode() + rb")/\w")
    found = []
    for file in project_files():
        content = file.read_bytes()
        if b"\0" not in content:
            found += [f"{file.relative_to(ROOT)}: {m[0]!r}" for m in machine_path.finditer(content)]
    assert found == []


def test_files_hold_no_lock_with_addresses() -> None:
    names = [file.name for file in project_files()]
    assert [n for n in names if n == "uv.lock" or re.fullmatch(r"pylock.*\.toml", n)] == []


# Documents


def documents() -> list[Path]:
    return [ROOT / "README.md", ROOT / "data" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_point_at_files(document: Path) -> None:
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(\s*<?([^)\s>]+)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    relative = [t for t in targets if not re.match(r"[a-z][a-z0-9+.-]*:|#", t)]
    broken = [t for t in relative if not (document.parent / t.partition("#")[0]).exists()]
    assert broken == []


def commands_in_documents() -> list[tuple[str, ...]]:
    """Words of every `tagvis ...` in the documents and lessons, up to a comment or a line's end."""
    files = [*documents(), ROOT / "benchmarks" / "README.md"]
    files += sorted((ROOT / "notebooks" / "src").glob("*.py"))
    text = "\n".join(path.read_text() for path in files).replace("\\\n", " ")
    found = re.findall(r"(?:tagvis|-m tagvis_lite) ([a-z][a-z-]* [^`\n#|]*--[^`\n#|]*)", text)
    return sorted({tuple(command.split("   ")[0].split()) for command in found})


@pytest.mark.parametrize("words", commands_in_documents(), ids=" ".join)
def test_commands_in_documents_have_these_options(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    grouped = words[0] in ("data", "evaluate", "check-submission")
    with pytest.raises(SystemExit) as caught:
        main([*words[: 2 if grouped else 1], "--help"])
    assert caught.value.code == 0
    known = re.findall(r"--[a-z][a-z0-9.-]*", capsys.readouterr().out)
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert options <= {*known, "--profile"}


def decision_numbers() -> list[int]:
    text = (ROOT / "docs" / "decisions.md").read_text()
    return [int(n) for n in re.findall(r"^## D(\d+)\. ", text, flags=re.MULTILINE)]


def test_decisions_are_numbered_and_complete() -> None:
    text = (ROOT / "docs" / "decisions.md").read_text()
    assert decision_numbers() == list(range(1, 27))
    entries = re.split(r"^## ", text, flags=re.MULTILINE)
    for entry in entries:
        if re.match(r"D\d+\. ", entry):
            parts = re.findall(r"^\*\*(\w+)\.\*\*", entry, flags=re.MULTILINE)
            assert parts == ["Question", "Readings", "Default", "Switch", "Evidence"], entry


def test_decisions_name_fields_of_the_config() -> None:
    text = (ROOT / "docs" / "decisions.md").read_text()
    fields = {
        f"{section.name}.{field.name}"
        for section in dataclasses.fields(Config)
        if callable(section.default_factory)
        for field in dataclasses.fields(section.default_factory())
    }
    named = set(re.findall(r"`((?:model|loss|data|inference|train)\.\w+)`", text))
    assert len(named) > 20
    assert named - fields == set()


def test_code_refers_to_decisions_that_exist() -> None:
    for file in sorted((ROOT / "tagvis_lite").rglob("*.py")):
        referred = {int(n) for n in re.findall(r"\bD(\d+)\b", file.read_text())}
        assert referred <= set(decision_numbers()), file


# Commands


def test_ci_runs_make_test() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    first, *lines = script.read_text().splitlines()
    assert first == "#!/usr/bin/env bash"
    commands = [line for line in lines if line and not line.startswith("#")]
    assert commands[0] == "set -euo pipefail"
    assert commands[-1].split("<")[0].split() == ["exec", "make", "test"]
    subprocess.run(["bash", "-n", script], check=True)


def make(
    folder: Path, *arguments: str, path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the project's Makefile in another folder, with `path` in front of PATH."""
    inherited = {"MAKEFLAGS", "MAKELEVEL", "PYTHON"}
    environment = {k: v for k, v in os.environ.items() if k not in inherited}
    if path is not None:
        environment["PATH"] = f"{path}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        ["make", "--makefile", str(ROOT / "Makefile"), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def fake_python(file: Path, body: str) -> None:
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)


@pytest.fixture
def bare_project(tmp_path: Path) -> Path:
    """A folder in which nothing has been set up."""
    (tmp_path / "bin").mkdir()
    for name in ["pyproject.toml", "requirements.lock"]:
        (tmp_path / name).touch()
    return tmp_path


def test_make_lists_its_commands() -> None:
    listed = make(ROOT).stdout
    for target in ["demo", "test", "lint", "lab", "lock", "clean"]:
        assert f"make {target}\t" in listed


def test_make_refuses_an_old_python_and_names_the_fix(bare_project: Path) -> None:
    old = bare_project / "bin" / "python3.10"
    fake_python(old, "exit 1")
    done = make(bare_project, "lint", f"PYTHON={old}")
    assert done.returncode != 0
    assert "No Python >= 3.11" in done.stderr
    assert "make PYTHON=" in done.stderr


def test_make_passes_over_an_old_python_for_a_newer_one(bare_project: Path) -> None:
    programs = bare_project / "bin"
    for name in ["python3", "python3.14", "python3.13", "python3.11", "python"]:
        fake_python(programs / name, "exit 1")
    fake_python(programs / "python3.12", f'echo "$@" >>"{bare_project}/calls"')
    make(bare_project, "lint", path=programs)
    calls = (bare_project / "calls").read_text()
    assert re.search(r"-m pip install .* --target \.tools/\S+ uv==[\d.]+\n", calls)
