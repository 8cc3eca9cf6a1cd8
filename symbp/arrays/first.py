"""Which contributions are the first to the elements that they write, and which elements of an array nobody writes.

Stage: L1 Program → equations and rows.  The first contribution is an assignment; an array needs zeros only where none is.  What is not
seen here is safe: it is added to zeros.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import gcd

import sympy as sp

from symbp.arrays.access import Position, classify
from symbp.language.equation import Equation, Loop, Statement
from symbp.language.program import Program
from symbp.language.tensor import Tensor

Interval = tuple[sp.Expr, sp.Expr, int]
"""The least and the largest position on an axis, and the step from one to the next."""
MOST_ROWS = 2
"""So many rows without a contribution are filled one by one."""


@dataclass(frozen=True)
class _Write:
    """One contribution: its place among all equations, the loops around it, and the elements that it reaches, axis by axis."""

    equation: Equation
    place: int
    loops: tuple[tuple[int, Loop], ...]
    box: tuple[Interval, ...]
    once: bool


@dataclass(frozen=True)
class Firsts:
    """equations: those that are first to all their elements.  rows: for a tensor, the rows that nobody is first to."""

    equations: frozenset[Equation]
    rows: dict[str, tuple[int, ...]]


def firsts(program: Program) -> Firsts:
    """What may be assigned, and what is left to fill.

    >>> from symbp.language import Index, Tensor
    >>> t, h, x = Index("t", 3), Tensor("h", (4,), role="state"), Tensor("x", (3,), role="input")
    >>> body = Equation(h[t + 1], x[t]), Equation(h[t + 1], h[t])
    >>> found = firsts(Program((x, h), (Equation(h[0], 1), Loop(t, "ascending", body))))
    >>> [str(eq) for eq in body if eq in found.equations], found.rows
    (['h[t + 1] += x[t]'], {'h': ()})
    """
    writes: dict[str, list[_Write]] = {}
    for write in _writes(program, program.statements, (), [0]):
        writes.setdefault(write.equation.target.name, []).append(write)
    equations: set[Equation] = set()
    rows: dict[str, tuple[int, ...]] = {}
    for name, found in writes.items():
        count = Counter(w.equation for w in found)
        first = [w for w in found if w.once and count[w.equation] == 1 and not any(_is_earlier(v, w) for v in found if v is not w)]
        left = _left(program.tensor(name), first)
        if first and left is not None and len(left) <= MOST_ROWS:
            equations |= {w.equation for w in first}
            rows[name] = left
    return Firsts(frozenset(equations), rows)


def _writes(program: Program, statements: Iterable[Statement], loops: tuple, counter: list[int]) -> Iterable[_Write]:
    for statement in statements:
        counter[0] += 1
        if isinstance(statement, Loop):
            yield from _writes(program, statement.body, (*loops, (counter[0], statement)), counter)
        else:
            yield _write(program, statement, loops, counter[0])


def _write(program: Program, equation: Equation, loops: tuple, place: int) -> _Write:
    """The elements that an equation reaches; `once` where it reaches each of them in one point of its indices and all of them are there.

    Of a loop's rows, only those at t + c are in an order that `_is_earlier` knows.
    """
    tensor, target = program.tensor(equation.target.name), equation.target
    box, seen, plain = [], set(), equation.op == "sum" and not equation.domain
    running = {loop.index for _, loop in loops}
    for position, origin, extent in zip(target.indices, tensor.origin, tensor.extents(target)):
        found = classify(position, origin)
        once = found.kind in ("fixed", "slice", "split") and not seen & {*found.indices}
        if once and (not running & {*found.indices} or len(found.terms) == 1 and found.terms[0][1] == 1):
            seen |= {*found.indices}
            box.append(_interval(found, origin))
        else:
            plain = False
            box.append((sp.expand(origin), sp.expand(origin + extent - 1), 1))
    return _Write(equation, place, loops, tuple(box), plain and running <= seen)


def _interval(position: Position, origin: sp.Expr) -> Interval:
    """The positions that an axis is written at."""
    step = position.terms[0][1] if position.kind == "slice" else 1
    ends = sp.expand(origin + position.first), sp.expand(origin + position.first + position.count - (1 if step > 0 else -1))
    return (*(ends if step > 0 else reversed(ends)), abs(step))


def _is_earlier(other: _Write, write: _Write) -> bool:
    """Whether an element that both reach may be reached by the other before."""
    if any(_are_apart(a, b) for a, b in zip(other.box, write.box)):
        return False
    common = [loop for (k, loop), (m, _) in zip(other.loops, write.loops) if k == m]
    for loop in common:
        for a, b in zip(other.equation.target.indices, write.equation.target.indices):
            shift = sp.expand(a - b)
            if shift.is_Integer and shift != 0 and sp.expand(b - loop.index).is_Integer:
                return bool((shift > 0) == (loop.direction == "ascending"))
    return other.place < write.place


def _are_apart(one: Interval, other: Interval) -> bool:
    """Whether two have no position in common: they lie side by side, or their steps pass each other."""
    (low, high, step), (least, most, stride) = one, other
    shift = sp.expand(low - least)
    return _is_negative(high - least) or _is_negative(most - low) or bool(shift.is_Integer and shift % gcd(step, stride))


def _is_negative(value: sp.Expr) -> bool:
    return bool(sp.expand(value).is_negative)


def _left(tensor: Tensor, first: list[_Write]) -> tuple[int, ...] | None:
    """The rows that the first contributions leave out, or None where that is not seen.  No two of them reach the same element."""
    if not tensor.shape or any(_is_foreign(w, tensor) for w in first):
        return None
    if not tensor.shape[0].is_Integer:
        return () if sp.expand(sum(_volume(w.box) for w in first) - sp.Mul(*tensor.shape)) == 0 else None
    covered: Counter[int] = Counter()
    for write in first:
        low, high = (sp.expand(e - tensor.origin[0]) for e in write.box[0][:2])
        volume = _volume(write.box[1:])
        for row in range(int(low), int(high) + 1, write.box[0][2]):
            covered[row] = covered[row] + volume
    whole = sp.expand(sp.Mul(*tensor.shape[1:]))
    return tuple(row for row in range(int(tensor.shape[0])) if sp.expand(covered[row] - whole) != 0)


def _is_foreign(write: _Write, tensor: Tensor) -> bool:
    """Whether a contribution's rows are not known in numbers where the tensor's are."""
    return bool(tensor.shape[0].is_Integer) and not all(e.is_Integer for e in write.box[0][:2])


def _volume(box: Iterable[Interval]) -> sp.Expr:
    return sp.expand(sp.Mul(*((high - low) / step + 1 for low, high, step in box)))
