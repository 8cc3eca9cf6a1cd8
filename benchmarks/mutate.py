"""Mutation tests of the calculus: each small change of symbp/calculus must fail a test.

    python benchmarks/mutate.py [--jobs 2] [--only TEXT] [--part K/N] [--list]

Each mutant is one change of one syntax node, written into a temporary copy of the package, on which the tests of
`SUITES` run until the first failure.  Survivors are printed, and the exit status is 1 when there are any.  Mutants
that are equivalent to the program are listed with a reason in `equivalent_mutants.toml`, by file, function,
operator, and the text before and after.
"""
from __future__ import annotations

import argparse
import ast
import os
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mutations import OPERATORS, untouched

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ("symbp/calculus/differentiate.py", "symbp/calculus/local.py")
SUITES = (("test_calculus_loops.py", "test_calculus_names.py", "test_calculus_held.py"), ("test_local.py",), ("test_calculus_domain.py",),
          ("test_calculus_ties.py", "test_calculus_exact.py", "test_calculus_adjoint.py"))
SECONDS = 150


@dataclass(frozen=True)
class Mutant:
    """One change: where it is, which operator made it, and the texts before and after."""

    file: str
    function: str
    operator: str
    before: str
    after: str
    line: int
    source: str

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What an entry of the list of equivalent mutants is matched by."""
        return self.file, self.function, self.operator, self.before, self.after

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function or 'the module'} [{self.operator}]\n    - {self.before}\n    + {self.after}"


def functions(tree: ast.Module) -> dict[int, str]:
    """The name of the function or class around each node, by the node's id."""
    found: dict[int, str] = {}

    def visit(node: ast.AST, name: str) -> None:
        found[id(node)] = name
        inner = f"{name}.{node.name}".lstrip(".") if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else name
        for child in ast.iter_child_nodes(node):
            visit(child, inner)

    visit(tree, "")
    return found


def places(tree: ast.Module) -> Iterator[tuple[ast.AST, Callable[[ast.AST], None]]]:
    """Each node with the function that puts another one in its place."""
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if isinstance(value, ast.AST):
                yield value, partial(setattr, parent, name)
            elif isinstance(value, list):
                for k, child in enumerate(value):
                    if isinstance(child, ast.AST):
                        yield child, partial(value.__setitem__, k)


def mutants(file: str) -> Iterator[Mutant]:
    """All mutants of a file, in the order of its syntax tree."""
    text = (ROOT / file).read_text(encoding="utf-8")
    tree = ast.parse(text)
    names, skipped, seen = functions(tree), untouched(tree), {ast.unparse(tree)}
    for node, put in list(places(tree)):
        variants = [] if id(node) in skipped else [(name, variant) for name, make in OPERATORS for variant in make(node)]
        before = ast.unparse(node) if variants else ""
        for operator, variant in variants:
            put(variant)
            source = ast.unparse(tree)
            put(node)
            if source not in seen:
                seen.add(source)
                yield Mutant(file, names[id(node)], operator, before, ast.unparse(variant), getattr(node, "lineno", 0), source)


def equivalents() -> dict[tuple[str, ...], str]:
    """The reasons of the listed equivalent mutants, by key."""
    listed = tomllib.loads((ROOT / "benchmarks/equivalent_mutants.toml").read_text(encoding="utf-8"))
    fields = ("file", "function", "operator", "before", "after")
    return {tuple(entry[f] for f in fields): entry["reason"] for entry in listed.get("mutant", ())}


def run_suites(mutant: Mutant | None) -> int:
    """In a child process: 0 when all tests pass on a copy of the package that holds the mutant."""
    import pytest

    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "symbp", Path(folder) / "symbp")   # with its compiled files, which are valid by their times
        if mutant is not None:
            shutil.rmtree(Path(folder) / "symbp/calculus/__pycache__", ignore_errors=True)
            (Path(folder) / mutant.file).write_text(mutant.source, encoding="utf-8")
        os.chdir(folder)
        sys.path[:] = [folder, *(p for p in sys.path if Path(p or ".").resolve() != ROOT)]
        own = f"test_{Path(mutant.file).name}" if mutant else ""
        for suite in sorted(SUITES, key=lambda names: own not in names):
            files = [str(ROOT / "tests" / name) for name in suite]
            if pytest.main(["-x", "-q", "--tb=line", "-p", "no:cacheprovider", "--hypothesis-seed=0", *files]):
                return 1
        import symbp
        return 0 if str(symbp.__file__).startswith(folder) else 2


def start(mutant: Mutant | None, log: Path) -> int:
    """Fork a child that runs the suites; all heavy imports are already done."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    signal.alarm(SECONDS)
    try:
        status = run_suites(mutant)
    except BaseException as error:  # noqa: BLE001  a child must not go on as a second parent
        print(error)
        status = 1
    os._exit(status)


def run_all(todo: list[Mutant], jobs: int) -> tuple[list[Mutant], list[Mutant]]:
    """The mutants that survive, and those on which the tests came to no end: a loop without end, or a machine too busy."""
    running: dict[int, Mutant] = {}
    survivors: list[Mutant] = []
    endless: list[Mutant] = []
    waiting, done = list(reversed(todo)), 0
    with tempfile.TemporaryDirectory() as folder:
        while waiting or running:
            while waiting and len(running) < jobs:
                mutant = waiting.pop()
                running[start(mutant, Path(folder) / f"{len(waiting)}.log")] = mutant
            pid, status = os.wait()
            mutant, done = running.pop(pid), done + 1
            if status == 0:
                survivors.append(mutant)
                print(f"SURVIVED {mutant}", flush=True)
            if os.WIFSIGNALED(status):
                endless.append(mutant)
                print(f"NO END within {SECONDS} s: {mutant}", flush=True)
            if done % 25 == 0:
                print(f"{done}/{len(todo)}", file=sys.stderr, flush=True)
    return survivors, endless


def preload() -> None:
    """Import what every child needs, but not symbp."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ["SYMBP_EXAMPLES"] = "4"
    import hypothesis.strategies
    import mpmath
    import numpy
    import pytest
    import sympy
    assert "symbp" not in sys.modules and all((hypothesis, mpmath, numpy, pytest, sympy))


def main() -> int:
    """Run the mutants, print the survivors and the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="only mutants whose description contains this text")
    parser.add_argument("--part", default="1/1", help="K/N: only each N-th of them, from the K-th on, to run all in N pieces")
    parser.add_argument("--list", action="store_true", help="print the mutants and run nothing")
    chosen = parser.parse_args()
    every = [m for file in TARGETS for m in mutants(file)]
    known = equivalents()
    stale = set(known) - {m.key for m in every}
    first, step = map(int, chosen.part.split("/"))
    todo = [m for m in every if m.key not in known and chosen.only in str(m)][first - 1::step]
    if chosen.list:
        print(*todo, sep="\n")
        return 0
    preload()
    begin = time.perf_counter()
    if os.waitpid(start(None, Path(os.devnull)), 0)[1] != 0:
        print("the tests fail on the unchanged package")
        return 2
    print(f"unchanged: {time.perf_counter() - begin:.1f} s", file=sys.stderr)
    survivors, endless = run_all(todo, chosen.jobs)
    for key in sorted(stale):
        print("listed as equivalent, but no longer a mutant:", *key, sep="\n    ")
    print(f"{len(todo)} mutants, {len(survivors)} survived, {len(endless)} without end, {len(every) - len(todo)} equivalent or not chosen, "
          f"{time.perf_counter() - begin:.0f} s")
    return 1 if survivors or stale else 0


if __name__ == "__main__":
    sys.exit(main())
