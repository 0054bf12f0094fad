"""How many small faults in the heart of the method do its tests notice?

    python benchmarks/mutants.py                        # all modules, 40 faults each
    python benchmarks/mutants.py losses --faults 10

One fault at a time is put into a copy of the package: a comparison, an operator, a number, a truth
value, a minus, an `and`, or a call such as `sum` or `clamp` is changed. Then the module's own tests
run until the first one fails. A fault that none of them notices is printed: either it changes
nothing that can be seen (`EQUIVALENT` says why), or a test is missing.

Every fault is a fork of one process that has loaded the libraries, so this needs Linux or macOS.
Writes benchmarks/results/mutants.json.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2  # noqa: F401
import pytest
import scipy.ndimage  # noqa: F401
import torch
import torchvision  # noqa: F401
from hypothesis import Phase, settings

ROOT = Path(__file__).resolve().parents[1]
JUDGES = {
    "losses": ["tests/test_losses.py"],
    "instances/cluster": ["tests/test_instances.py"],
    "instances/modes": ["tests/test_instances.py"],
    "model/attention": ["tests/model/test_attention.py"],
    "inference": ["tests/test_inference.py", "tests/test_windows.py"],
    "evaluation/davis_sequence": ["tests/evaluation/test_davis.py"],
}
EQUIVALENT = {
    "evaluation/davis_sequence, 2 in: box = ": "what a wider box adds is background",
    "evaluation/davis_sequence, largest >= num_objects in: if": "what is then multiplied is 1",
    "evaluation/davis_sequence, -(np.mean(J, axis=2) + np.mean(F, axis=2)) * 2 in: ": "the same",
}
"""Faults that change nothing, as they are printed or how that begins, and why."""

COMPARISONS = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
COMPARISONS |= {ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
OPERATORS |= {ast.FloorDiv: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd}
CALLS = {"min": "max", "max": "min", "sum": "mean", "mean": "sum", "floor": "ceil"}
CALLS |= {"ceil": "floor", "square": "abs", "abs": "square", "clamp": "clone"}


def changed(node: ast.AST) -> bool:
    """Change a node in place, if there is anything to change."""
    match node:
        case ast.Compare(ops=[first, *_]) if type(first) in COMPARISONS:
            node.ops[0] = COMPARISONS[type(first)]()
        case ast.BinOp() | ast.AugAssign() if type(node.op) in OPERATORS:
            node.op = OPERATORS[type(node.op)]()
        case ast.Constant(value=bool(value)):
            node.value = not value
        case ast.Constant(value=int(value) | float(value)):
            node.value = value + 1
        case ast.UnaryOp(op=ast.USub()):
            node.op = ast.UAdd()
        case ast.UnaryOp(op=ast.Not()):
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
        case ast.BoolOp():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case ast.Call(func=ast.Attribute(attr=name) as function) if name in CALLS:
            function.attr = CALLS[name]
            if name == "clamp":
                node.args, node.keywords = [], []
        case _:
            return False
    return True


def places(tree: ast.AST) -> Iterator[int]:
    """Numbers, in the order of `ast.walk`, of nodes that can be changed: no types, no messages."""
    left_out: set[int] = set()
    for node in ast.walk(tree):
        parts = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        for part in [*parts, node if isinstance(node, ast.Raise) else None]:
            left_out |= {id(inner) for inner in ast.walk(part)} if part else set()
    for number, node in enumerate(ast.walk(tree)):
        if id(node) not in left_out and changed(copy.deepcopy(node)):
            yield number


def noticed(folder: Path, tests: list[str], seconds: float) -> bool:
    """Whether a test fails, or takes longer than this, in a fork of this process."""
    child = os.fork()
    if child == 0:
        os.setsid()
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        os.chdir(folder)
        sys.path.insert(0, str(folder))
        os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status != 0
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def judge(module: str, folder: Path, faults: int, seed: int) -> dict[str, object]:
    path = folder / "tagvis_lite" / f"{module}.py"
    source = path.read_text()
    tree = ast.parse(source)
    path.write_text(ast.unparse(tree))
    start = time.monotonic()
    if noticed(folder, JUDGES[module], 1e4):
        raise SystemExit(f"{module}: its tests fail without a fault")
    limit = 30 + 5 * (time.monotonic() - start)
    every = list(places(tree))
    chosen = random.Random(seed).sample(every, min(faults, len(every)))
    outcomes = defaultdict(list)
    for number in chosen:
        with_fault = copy.deepcopy(tree)
        node = list(ast.walk(with_fault))[number]
        changed(node)
        fault = ast.unparse(node).splitlines()[0]
        line = source.splitlines()[node.lineno - 1].strip()
        path.write_text(ast.unparse(ast.fix_missing_locations(with_fault)))
        what = f"{module}, {fault} in: {line}"
        outcome = "noticed"
        if not noticed(folder, JUDGES[module], limit):
            equivalent = any(what.startswith(known) for known in EQUIVALENT)
            outcome = "equivalent" if equivalent else "NOT NOTICED"
        outcomes[outcome].append(what)
        print(f"{outcome}: {what}", flush=True)
    path.write_text(source)
    print(f"{module}: {len(outcomes['noticed'])} of {len(chosen)} noticed, {len(every)} places")
    return {
        "places": len(every),
        "faults": len(chosen),
        "noticed": len(outcomes["noticed"]),
        "equivalent": outcomes["equivalent"],
        "survivors": outcomes["NOT NOTICED"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", default=list(JUDGES), metavar="MODULE")
    parser.add_argument("--faults", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sys.dont_write_bytecode = True
    torch.set_num_threads(1)
    # The same examples for every fault, and the first that fails is enough.
    phases = [Phase.explicit, Phase.generate]
    settings.register_profile("mutants", phases=phases, derandomize=True, database=None)
    settings.load_profile("mutants")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in ("tagvis_lite", "tests", "data", "pyproject.toml"):
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.pyc"))
            else:
                shutil.copy(ROOT / name, folder)
        os.environ["PYTHONPATH"] = str(folder)
        results = {m: judge(m, folder, given.faults, given.seed) for m in given.modules}
    from measuring import record  # brings the package as it is, of which the forks know nothing

    record("mutants", {"seed": given.seed, "modules": results})


if __name__ == "__main__":
    main()
