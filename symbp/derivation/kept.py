"""Which cotangents keep a name in print; all others are substituted by their writers.

Stage: derivative and what writes each tensor → names.  Kept are the gradients that were asked for, the lettered
cotangents (δ), one with a sum in it that several others read, and one cotangent of each cycle among the rest.
"""
from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from symbp.calculus.differentiate import Derivative
from symbp.language.build import Reduce
from symbp.language.tensor import Access, accesses
from symbp.passes.closed import Writer

Writers = Mapping[str, tuple[Writer, ...]]


def kept_cotangents(derivative: Derivative, writers: Writers) -> frozenset[str]:
    """The cotangents that stay by name; the seed of a scalar never does."""
    program, bars = derivative.program, derivative.names
    kept = {bars[n] for n in derivative.wrt} | {bars[n] for n in bars if program.tensor(n).cotangent}
    kept = _repeated(derivative, writers, kept)
    kept |= _recurrent({*bars.values()} - kept, writers, _readers(derivative))
    kept -= {bar for bar in kept if _copied(bar, kept, writers) and bar not in {bars[n] for n in derivative.wrt}}
    return frozenset(kept - ({bars[derivative.of]} if not program.tensor(derivative.of).shape else set()))


def _readers(derivative: Derivative) -> dict[str, set[str]]:
    """For each tensor the tensors whose equations read it."""
    found: dict[str, set[str]] = {}
    for equation in derivative.program.equations:
        for access in accesses(equation.body):
            found.setdefault(access.name, set()).add(equation.target.name)
    return found


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
                found.add(bar)
    return found


def _copied(bar: str, kept: set[str], writers: Writers) -> bool:
    """Whether a cotangent is that of another tensor, element by element: a residual connection hands it on."""
    found = writers.get(bar, ())
    return len(found) == 1 and isinstance(found[0].right, Access) and found[0].right.indices == found[0].target.indices \
        and found[0].right.name in kept


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
