"""Which cotangents keep a name in print; all others are substituted by their writers.

Stage: derivative and what writes each tensor → names.  Kept are the gradients that were asked for, the lettered
cotangents (δ), a contraction that several others read, one that is read both under a sum and as it is, the cotangent of a branch
point that is a contraction and something else, cotangents with a contribution that is scattered (of what windows or data-dependent
positions read) with those that their contributions read, and one cotangent of each cycle among the rest.
"""
from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from symbp.calculus.differentiate import Derivative
from symbp.language.build import Reduce
from symbp.language.equation import Equation, walk
from symbp.language.index import Index, indices_of
from symbp.language.program import Program
from symbp.language.tensor import Access, accesses
from symbp.passes.closed import Writer

Writers = Mapping[str, tuple[Writer, ...]]


def kept_cotangents(derivative: Derivative, writers: Writers) -> frozenset[str]:
    """The cotangents that stay by name; the seed of a scalar never does."""
    program, bars = derivative.program, derivative.names
    kept = {bars[n] for n in derivative.wrt} | {bars[n] for n in bars if program.tensor(n).cotangent}
    readers = _readers(derivative)
    kept |= {bar for bar in bars.values() if len(readers.get(bar, ())) > 1 and _contracts(bar, derivative, writers)}
    kept |= _read_both_ways(derivative) | _scattered(derivative, writers) | _branches(derivative, writers)
    kept = _repeated(derivative, writers, kept)
    kept |= _recurrent({*bars.values()} - kept, writers, readers)
    kept -= {bar for bar in kept if original(bar, writers) in kept and bar not in {bars[n] for n in derivative.wrt}}
    return frozenset(kept - ({bars[derivative.of]} if not program.tensor(derivative.of).shape else set()))


def is_scattered(equation: Equation) -> bool:
    """Whether an equation writes anything but all elements at plain indices: overlapping windows, every second element, data."""
    indices = equation.target.indices
    return len(set(indices)) < len(indices) or not all(isinstance(p, Index) for p in indices)


def _outside_loops(program: Program) -> set[str]:
    """The tensors that no loop writes."""
    inside = {eq.target.name for eq, loops in walk(program.statements) if loops}
    return {t.name for t in program.tensors} - inside


def _scattered(derivative: Derivative, writers: Writers) -> set[str]:
    """Cotangents with a scattered contribution of other cotangents that have axes, and all that their contributions read."""
    bars = {b for b in derivative.names.values() if derivative.program.tensor(b).shape} & _outside_loops(derivative.program)
    found = set()
    for bar in bars:
        equations = [w.equation for w in writers.get(bar, ())]
        if any(is_scattered(eq) and _names(eq.body) & bars for eq in equations):
            found |= {bar}.union(*(_names(eq.body) & bars for eq in equations))
    return found


def _branches(derivative: Derivative, writers: Writers) -> set[str]:
    """Cotangents of tensors that several equations read, one of which is a contraction."""
    bars = {*derivative.names.values()} & _outside_loops(derivative.program)
    return {bar for bar in bars if len(writers.get(bar, ())) > 1 and _contracts(bar, derivative, writers)}


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


def _repeated(derivative: Derivative, writers: Writers, kept: set[str]) -> set[str]:
    """The cotangents that several others read, and in which a sum over a cotangent stands that would be worked out for each of them."""
    program, bars = derivative.program, {bar: name for name, bar in derivative.names.items()}
    readers, found, summed = _readers(derivative), set(kept), set()
    last = {eq.target.name: place for place, eq in enumerate(program.equations) if eq.target.name in bars}
    for bar in sorted(last, key=last.__getitem__):
        rights = [w.right for w in writers.get(bar, ())]
        if any(_names(r) & {*bars} for right in rights for r in right.atoms(Reduce) if r.over) or \
                any(_names(right) & summed - found for right in rights):
            summed.add(bar)
            if len(readers.get(bar, ())) > 1 and not program.tensor(bars[bar]).auxiliary:
                found |= set().union(*map(_names, rights)) & {*bars} if _of_logarithm(rights, bars[bar]) else {bar}
    return found


def _of_logarithm(rights: list[sp.Expr], name: str) -> bool:
    """Whether a cotangent is divided by its own tensor, p̄ = ȳ/p: its readers multiply with p again, and would divide 0 by 0."""
    powers = {power for right in rights for power in right.atoms(sp.Pow) if power.exp.is_negative}
    return any(name in _names(power.base) for power in powers)


def original(bar: str, writers: Writers) -> str | None:
    """The tensor that a cotangent is a copy of, element by element, as where a residual connection hands it on; None for others."""
    found = writers.get(bar, ())
    copied = len(found) == 1 and isinstance(found[0].right, Access) and found[0].right.indices == found[0].target.indices
    return found[0].right.name if copied else None


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
