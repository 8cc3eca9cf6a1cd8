"""Which cotangents keep a name in print; all others are substituted by their writers.

Stage: derivative and what writes each tensor → names.  Kept are the gradients that were asked for, the lettered
cotangents (δ), a contraction that several others read, one that is read both under a sum and as it is, and one cotangent of each
cycle among the rest.
"""
from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from symbp.calculus.differentiate import Derivative
from symbp.language.build import Reduce
from symbp.language.index import indices_of
from symbp.language.tensor import Access, accesses
from symbp.passes.closed import Writer

Writers = Mapping[str, tuple[Writer, ...]]


def kept_cotangents(derivative: Derivative, writers: Writers) -> frozenset[str]:
    """The cotangents that stay by name; the seed of a scalar never does."""
    program, bars = derivative.program, derivative.names
    readers = _readers(derivative)
    kept = {bars[n] for n in derivative.wrt} | {bars[n] for n in bars if program.tensor(n).cotangent}
    kept |= {bar for bar in bars.values() if len(readers.get(bar, ())) > 1 and _contracts(bar, derivative, writers)}
    kept |= _read_both_ways(derivative)
    kept |= _recurrent({*bars.values()} - kept, writers, readers)
    return frozenset(kept - ({bars[derivative.of]} if not program.tensor(derivative.of).shape else set()))


def _readers(derivative: Derivative) -> dict[str, set[str]]:
    """For each tensor the tensors whose equations read it."""
    found: dict[str, set[str]] = {}
    for equation in derivative.program.equations:
        for access in accesses(equation.body):
            found.setdefault(access.name, set()).add(equation.target.name)
    return found


def _contracts(bar: str, derivative: Derivative, writers: Writers) -> bool:
    """Whether a cotangent sums products of another cotangent with given data."""
    program, bars = derivative.program, set(derivative.names.values())
    given = {t.name for t in program.parameters} | {t.name for t in program.inputs if t.shape}
    for writer in writers.get(bar, ()):
        names = [_names(r) for r in writer.right.atoms(Reduce)]
        if any(found & bars for found in names) and any(found & given for found in names):
            return True
    return False


def _read_both_ways(derivative: Derivative) -> set[str]:
    """The cotangents that one equation sums and another takes as they are: written out, they would stand under that sum once more.

    What is made of the seed alone, as −t/(N p) of a cross-entropy, is no such; it often cancels.
    """
    bars = {*derivative.names.values()} - {derivative.names[derivative.of]}
    chained = {eq.target.name for eq in derivative.program.equations if any(a.name in bars for a in accesses(eq.body))}
    hidden = {derivative.names[t.name] for t in derivative.program.tensors if t.auxiliary and t.name in derivative.names}
    found: dict[bool, set[str]] = {True: set(), False: set()}
    for equation in derivative.program.equations:
        if equation.target.name not in hidden:
            for access in accesses(equation.body):
                found[not set(indices_of(access)).isdisjoint(equation.over)].add(access.name)
    return found[True] & found[False] & chained & bars - hidden


def _recurrent(names: set[str], writers: Writers, readers: Mapping[str, set[str]]) -> set[str]:
    """A cotangent of each cycle among those that would be substituted: c̄[t] reads c̄[t+1] and must keep its name."""
    reads = {n: {m for w in writers.get(n, ()) for m in _names(w.right)} & names for n in names}
    chosen: set[str] = set()
    while cycle := _cycle({n: r - chosen for n, r in reads.items() if n not in chosen}):
        chosen.add(max(cycle, key=lambda n: (len(readers.get(n, ())), n)))
    return chosen


def _cycle(graph: dict[str, set[str]]) -> list[str]:
    """The names of one cycle of a graph, or an empty list."""
    done: set[str] = set()

    def search(name: str, path: list[str]) -> list[str]:
        if name in path:
            return path[path.index(name):]
        if name in done:
            return []
        done.add(name)
        return next((found for other in sorted(graph.get(name, ())) if (found := search(other, [*path, name]))), [])

    return next((found for name in sorted(graph) if (found := search(name, []))), [])


def _names(expression: sp.Expr) -> set[str]:
    return {a.name for a in expression.atoms(Access)}
