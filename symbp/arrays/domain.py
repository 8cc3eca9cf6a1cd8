"""What becomes of an equation's domain: what the ranges imply is dropped, bounds of one index narrow its range, and the rest stays.

Stage: L1 Equation → L1 Equation with narrower ranges, and the conditions that are left (each ≥ 0).
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sympy as sp

from symbp.language.affine import implies, range_facts
from symbp.language.equation import Equation
from symbp.language.index import Index, substitute
from symbp.language.tensor import Access, Tensor, all_accesses


def narrowed(equation: Equation, fixed: Iterable[Index], size_facts: tuple[sp.Expr, ...] = ()) -> Equation | None:
    """The equation with every bound of one index taken into the index's range; None where nothing is left of it.

    Only numbers narrow: a bound that depends on a size or a loop's index stays a condition.

    >>> from symbp.language.tensor import Tensor
    >>> i, y = Index("i", 5), Tensor("y", (5,))
    >>> narrowed(Equation(y[i], 1, domain=(i - 1, 3 - i)), ()).target.indices[0].extent
    3
    """
    fixed = set(fixed)
    equation = _without_implied(equation, size_facts)
    for condition in equation.domain:
        if condition.is_number and condition < 0:
            return None
        found = condition.free_symbols
        index = next(iter(found)) if len(found) == 1 else None
        if not isinstance(index, Index) or index in fixed or condition.has(Access):
            continue
        if not (index.extent.is_Integer and index.start.is_Integer):
            continue
        kept = [v for v in range(int(index.start), int(index.last) + 1) if condition.xreplace({index: sp.Integer(v)}) >= 0]
        if not kept:
            return None
        smaller = Index(index.name, kept[-1] - kept[0] + 1, kept[0])
        rest = tuple(c for c in equation.domain if c != condition)
        return narrowed(replace(equation, domain=rest).map(lambda e, a=index, b=smaller: e.xreplace({a: b})), fixed, size_facts)
    return equation


def without_units(equation: Equation, fixed: Iterable[Index]) -> Equation:
    """The equation with each index of extent 1 that shares a position with others replaced by the one value that it takes.

    >>> from symbp.language.tensor import Tensor
    >>> u, j, x, y = Index("u", 1), Index("j", 3), Tensor("x", (3,)), Tensor("y", (3,))
    >>> print(without_units(Equation(y[j], x[j + u], over=[u]), ()))
    y[j] += x[j]
    """
    shared = {i for e in equation.expressions for a in (equation.target, *all_accesses(e)) for p in a.indices
              if not isinstance(p, Index) for i in p.atoms(Index)}
    units = {i: i.start for i in equation.indices if i.extent == 1 and i in shared and i not in fixed and i != equation.component}
    if not units:
        return equation
    over = tuple(i for i in equation.over if i not in units)
    moved = replace(equation, over=()) if equation.component is None else equation
    made = moved.map(lambda e: e if isinstance(e, Index) and e in equation.over else substitute(e, units))
    return replace(made, over=over)


def _without_implied(equation: Equation, size_facts: tuple[sp.Expr, ...]) -> Equation:
    """The equation without the conditions that its ranges imply."""
    indices = sorted({i for c in equation.domain for i in c.atoms(Index)}, key=lambda i: i.name)
    known = [*range_facts(indices), *size_facts]
    kept = tuple(c for c in equation.domain if c.has(Access) or not implies(known, c))
    return equation if kept == equation.domain else replace(equation, domain=kept)


def margins(position: sp.Expr, extent: sp.Expr, origin: sp.Expr, fixed: Iterable[Index],
            size_facts: tuple[sp.Expr, ...] = ()) -> tuple[int, int] | None:
    """How far a position leaves its axis (before, after) when all its indices run over their ranges; None when not a number,
    when that differs from one value of a loop's index to the next, and for a number outside.

    >>> i, u = Index("i", 5), Index("u", 3)
    >>> margins(i + u - 1, sp.Integer(5), sp.Integer(0), ())
    (1, 1)
    >>> margins(i, sp.Symbol("N", integer=True, positive=True), sp.Integer(0), ()) is None
    True
    """
    fixed = set(fixed)
    if position.has(Access):
        return 0, 0
    low, high = position, position
    for index in position.atoms(Index):
        least, most = (index.start, index.last) if position.coeff(index) > 0 else (index.last, index.start)
        low, high = low.xreplace({index: least}), high.xreplace({index: most})
    sides = [sp.expand(origin - low), sp.expand(high - (origin + extent - 1))]
    before, after = (sp.S.Zero if not side.is_Integer and implies(size_facts, -side) else side for side in sides)
    if not (before.is_Integer and after.is_Integer):
        return None
    found = max(int(before), 0), max(int(after), 0)
    moves = position.atoms(Index) and not position.atoms(Index) & fixed
    return found if moves or found == (0, 0) else None


def guards(access: Access, tensor: Tensor) -> set[sp.Expr]:
    """The conditions that keep an access inside its tensor."""
    found: set[sp.Expr] = set()
    for position, extent, origin in zip(access.indices, tensor.extents(access), tensor.origin):
        found |= {sp.expand(position - origin), sp.expand(origin + extent - 1 - position)}
    return found
