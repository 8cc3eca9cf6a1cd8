"""The order of writing and reading: all contributions to an element precede its first read.

Outside loops this is the order of the statements.  Inside, every tensor that a loop writes carries the loop's
index injectively, and a read goes to rows that earlier iterations (or earlier statements of the same one) wrote.
A tensor written without the loop's index is a running sum, and is read after the loop only.
"""
from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sympy as sp

from symbp.errors import LanguageError
from symbp.language.affine import coefficients, implies, range_facts
from symbp.language.equation import Equation, Loop, Statement
from symbp.language.tensor import Access, all_accesses

if TYPE_CHECKING:
    from symbp.language.program import Program


@dataclass(frozen=True)
class Use:
    """One write or read: the access, its place among all equations, its equation and the loops around it."""

    access: Access
    place: int
    equation: Equation
    loops: tuple[tuple[int, Loop], ...]


def check_order(program: Program) -> None:
    """Raise `LanguageError` where an element may be read before its last contribution."""
    writers: dict[str, list[Use]] = {}
    readers: list[Use] = []
    for place, equation, loops in numbered(program.statements, (), [0]):
        writers.setdefault(equation.target.name, []).append(Use(equation.target, place, equation, loops))
        readers += [Use(a, place, equation, loops) for a in all_accesses(sp.Tuple(*equation.expressions))]
    for read in readers:
        for write in writers.get(read.access.name, ()):
            _check_pair(program, read, write)
    for uses in writers.values():
        for one, other in itertools.combinations([u for u in uses if u.equation.op != "sum"], 2):
            if not disjoint(program, one, other):
                raise LanguageError(f"in `{other.equation}`: {other.access} may be written by `{one.equation}` too, but a maximum is "
                                    f"written once; give one of them another tensor")


def numbered(statements: tuple[Statement, ...], loops: tuple, counter: list[int]) -> Iterator[tuple[int, Equation, tuple]]:
    """Every equation with its place among all statements and the numbered loops around it."""
    for statement in statements:
        counter[0] += 1
        if isinstance(statement, Loop):
            yield from numbered(statement.body, (*loops, (counter[0], statement)), counter)
        else:
            yield counter[0], statement, loops


def _check_pair(program: Program, read: Use, write: Use) -> None:
    """Lexicographic order over the loops that both stand in, then the order of the statements."""
    common = [a for a, b in zip(read.loops, write.loops) if a[0] == b[0]]
    for _, loop in common:
        lag = _lag(loop, read, write)
        if lag == 0:
            continue
        before = lag > 0 if loop.direction == "ascending" else lag < 0
        if before:
            return
        raise LanguageError(f"in `{read.equation}`: {read.access} reads a row that the loop over {loop.index} "
                            f"({loop.direction}) has not yet written (`{write.equation}`)")
    if write.place >= read.place and not disjoint(program, read, write):
        raise LanguageError(f"in `{read.equation}`: {read.access} is read before its last contribution "
                            f"(`{write.equation}`); put the equation that writes {write.access.name} first")


def disjoint(program: Program, read: Use, write: Use) -> bool:
    """Whether the two provably touch different elements: on some axis one lies always above the other."""
    if read.access == write.access and not read.equation.domain:
        return False
    outer = {lp.index for _, lp in write.loops}
    renamed = {i: i.renamed(i.name + "*") for i in {*outer, *write.equation.indices}}
    written = write.access.xreplace(renamed)
    indices = {*renamed.values(), *read.equation.indices, *(lp.index for _, lp in read.loops)}
    known = [*range_facts(sorted(indices, key=lambda i: i.name)), *read.equation.domain, *program.size_facts]
    gaps = [r - w for r, w in zip(read.access.indices, written.indices) if not (r.has(Access) or w.has(Access))]
    return any(implies(known, sign * gap - 1) for gap in gaps for sign in (1, -1))


def sole_writers(program: Program) -> set[Equation]:
    """The equations whose elements nothing else contributes to."""
    uses: dict[str, list[Use]] = {}
    for place, equation, loops in numbered(program.statements, (), [0]):
        uses.setdefault(equation.target.name, []).append(Use(equation.target, place, equation, loops))
    return {use.equation for group in uses.values() for use in group
            if all(disjoint(program, use, other) for other in group if other is not use)}


def _lag(loop: Loop, read: Use, write: Use) -> sp.Expr:
    """By how many iterations the write of an element precedes its read; an integer."""
    for wrote, reads in zip(write.access.indices, read.access.indices):
        w, r = coefficients(wrote), coefficients(reads)
        slope = w[0].get(loop.index, 0) if w else 0
        if not slope:
            continue
        others = {k for k in (*w[0], *(r[0] if r else ())) if k != loop.index}
        lag = sp.expand((w[1] - r[1]) / slope) if r and r[0].get(loop.index, 0) == slope and not others else None
        if abs(slope) == 1 and lag is not None and lag.is_Integer:
            return lag
        raise LanguageError(f"in `{read.equation}`: cannot tell which iteration of the loop over {loop.index} wrote {read.access}; "
                            f"write and read its row as {loop.index} plus a constant")
    raise LanguageError(f"in `{write.equation}`: {write.access} is written in the loop over {loop.index} without that index "
                        f"and read in the same loop (`{read.equation}`); give it a row for each {loop.index}")
