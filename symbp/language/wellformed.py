"""Well-formedness of programs: names, axes, ranges, and the order of writing and reading.

Each error quotes the equation, the index and the extents, and says what would be right.
"""
from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

from symbp.errors import LanguageError
from symbp.language.affine import coefficients, implies, is_whole, range_facts
from symbp.language.equation import Equation, Loop, walk
from symbp.language.facts import Fact
from symbp.language.index import Index, indices_of
from symbp.language.order import check_order
from symbp.language.tensor import AXIS0, Access, all_accesses

if TYPE_CHECKING:
    from symbp.language.program import Program

MOST_POINTS = 200_000


@dataclass(frozen=True)
class _Place:
    """Where accesses stand: the text of an equation or a fact, the loops around it, its indices and its domain."""

    text: str
    loops: tuple[Index, ...]
    indices: tuple[Index, ...]
    domain: tuple[sp.Expr, ...] = ()


def check(program: Program) -> None:
    """Raise `LanguageError` for the first thing that is wrong with the program."""
    _check_tensors(program)
    rows = row_axes(program)
    names: dict[str, Index] = {}
    for equation, loops in walk(program.statements):
        _check_indices(equation, loops, names)
        _check_domain(program, equation)
        place = _Place(str(equation), tuple(loop.index for loop in loops), equation.indices, equation.domain)
        for access in all_accesses(sp.Tuple(equation.target, *equation.expressions)):
            _check_access(program, place, access, rows)
        _check_target(program, equation, loops)
    for fact in program.facts:
        _check_fact(program, fact, rows)
    check_order(program)


def _check_tensors(program: Program) -> None:
    seen: set[str] = set()
    for tensor in program.tensors:
        if tensor.name in seen:
            raise LanguageError(f"two tensors are called {tensor.name!r}; give one of them another name")
        seen.add(tensor.name)
        if AXIS0 in {s for e in tensor.shape[:1] for s in e.free_symbols}:
            raise LanguageError(f"tensor {tensor.name}: the first extent cannot depend on its own position")


def row_axes(program: Program) -> set[tuple[str, int]]:
    """The (tensor, axis) pairs that count the rows of a recurrence: states have more rows than steps."""
    written = {(eq.target.name, axis) for eq, loops in walk(program.statements) for lp in loops
               for axis, e in enumerate(eq.target.indices) if lp.index in e.free_symbols}
    return written | {(t.name, 0) for t in program.tensors if t.rows or t.level_axis}


def _check_indices(equation: Equation, loops: tuple[Loop, ...], names: dict[str, Index]) -> None:
    """Indices are bound once, known, and of one extent for each printed name."""
    outer = {loop.index for loop in loops}
    for index in (*outer, *equation.indices, *indices_of(equation.body)):
        known = names.setdefault(index.name, index)
        if known != index:
            raise LanguageError(f"in `{equation}`: the index {index.name} is used with the extents {known.extent} "
                                f"and {index.extent}; two indices of different extent need different names")
    allowed = {*outer, *equation.indices}
    for index in (i for e in (equation.body, *equation.domain) for i in indices_of(e)):
        if index not in allowed:
            raise LanguageError(f"in `{equation}`: the index {index.name} is neither on the left nor summed over; "
                                f"add it to the left side or sum over it")
    target = {i for e in equation.target.indices for i in indices_of(e)}
    for index in equation.over:
        if index in target or index in outer:
            raise LanguageError(f"in `{equation}`: the bound index {index.name} also stands on the left or is a loop's")


def _check_domain(program: Program, equation: Equation) -> None:
    """Conditions are sums of integer multiples of indices, sizes and integer tensors."""
    for condition in equation.domain:
        parts = coefficients(condition)
        floats = [a for a in parts[0] if isinstance(a, Access) and program.tensor(a.name).dtype != "int"] if parts is not None else []
        if parts is None or floats or not is_whole(parts[1]):
            raise LanguageError(f"in `{equation}`: the condition {condition} >= 0 of the domain is not integer-affine "
                                f"(a sum of integer multiples of indices and integer tensors)")


def _check_fact(program: Program, fact: Fact, rows: set[tuple[str, int]]) -> None:
    """A fact's accesses are those of a program; one without tensors and sizes is true."""
    both = sp.Tuple(fact.left, fact.right)
    place = _Place(str(fact), (), indices_of(both))
    for access in all_accesses(both):
        _check_access(program, place, access, rows)


def _check_access(program: Program, place: _Place, access: Access, rows: set[tuple[str, int]]) -> None:
    tensor = program.tensor(access.name)
    if len(access.indices) != len(tensor.shape):
        raise LanguageError(f"in `{place.text}`: {tensor.name} has {len(tensor.shape)} axes {tensor.shape}, "
                            f"but {access} gives {len(access.indices)} indices")
    for axis, position in enumerate(access.indices):
        parts = coefficients(position)
        if parts is None or not is_whole(parts[1]):
            raise LanguageError(f"in `{place.text}`: the index {position} of {access} is not integer-affine "
                                f"(a sum of integer multiples of indices and integer tensors)")
        reads = [a for a in parts[0] if isinstance(a, Access)]
        for inner in reads:
            if program.tensor(inner.name).dtype != "int":
                raise LanguageError(f"in `{place.text}`: {inner} is used as an index of {tensor.name}, "
                                    f"but {inner.name} is a float tensor; give it dtype int")
        if not reads:
            _check_range(program, place, access, axis, (tensor.name, axis) in rows)


def _check_range(program: Program, place: _Place, access: Access, axis: int, is_row: bool) -> None:
    """An index alone on an axis has the axis' extent; any other expression provably stays inside."""
    tensor = program.tensor(access.name)
    position, origin, extent = access.indices[axis], tensor.origin[axis], tensor.extents(access)[axis]
    if isinstance(position, Index) and position.extent == extent and position.start == origin:
        return
    if isinstance(position, Index) and position not in place.loops and not is_row and not position.part and not place.domain and \
            (sp.expand(position.extent - extent) != 0 or position.start != origin):
        raise LanguageError(f"in `{place.text}`: the index {position} of extent {position.extent} stands alone on axis {axis} "
                            f"of {access}, whose extent is {extent}; the two must be equal")
    for goal, side in ((position - origin, "below"), (origin + extent - 1 - position, "above")):
        _prove(program, place, access, axis, goal, side)


def _prove(program: Program, place: _Place, access: Access, axis: int, goal: sp.Expr, side: str) -> None:
    tensor = program.tensor(access.name)
    indices = {*place.indices, *place.loops}
    indices |= {j for i in indices for j in i.extent.atoms(Index)}
    facts = [*range_facts(sorted(indices, key=lambda i: i.name)), *place.domain, *program.size_facts]
    if implies(facts, goal):
        return
    point = _counterexample(sorted(indices, key=lambda i: i.name), place.domain, goal)
    if point is None:
        return
    at = f" (at {', '.join(f'{i.name} = {v}' for i, v in point.items())} it is {access.indices[axis].xreplace(point)})" if point else ""
    ranges = ", ".join(f"{i.name} in {i.start}..{i.last}" for i in place.indices if i in access.indices[axis].free_symbols)
    remedy = (f"A layer that pads says so: write inside({access}), or give the equation a domain" if ranges
              else f"Its positions are counted from {tensor.origin[axis]}")
    raise LanguageError(f"in `{place.text}`: the index {access.indices[axis]} of {access} can leave its axis {side}{at}; axis {axis} has "
                        f"extent {tensor.extents(access)[axis]} and {ranges or 'no index varies'}. {remedy}")


def _counterexample(indices: list[Index], domain: tuple[sp.Expr, ...], goal: sp.Expr) -> dict | None:
    """None when every point of a concrete domain satisfies the goal; else a failing point ({} when symbolic)."""
    used = [i for i in indices if any(i in e.free_symbols for e in (goal, *domain))]
    closed = all(e.is_Integer for i in used for e in (i.extent, i.start)) and \
        not any(e.has(Access) or e.free_symbols - set(used) for e in (goal, *domain))
    count = sp.prod(i.extent for i in used) if closed else None
    if not closed or count > MOST_POINTS:
        return {}
    for values in itertools.product(*(range(int(i.start), int(i.last) + 1) for i in used)):
        point = {i: sp.Integer(v) for i, v in zip(used, values)}
        if all(c.xreplace(point) >= 0 for c in domain) and goal.xreplace(point) < 0:
            return point
    return None


def _check_target(program: Program, equation: Equation, loops: tuple[Loop, ...]) -> None:
    tensor = program.tensor(equation.target.name)
    if tensor.role not in ("intermediate", "state"):
        raise LanguageError(f"in `{equation}`: {tensor.name} is written, but its role is {tensor.role}")
    others = {eq.op for eq in program.definition(tensor.name)} if equation.op != "sum" else {"sum"}
    if len(others) > 1:
        raise LanguageError(f"{tensor.name} is written by equations of different kind ({', '.join(sorted(others))})")
    if (equation.op == "argmax") != (tensor.dtype == "int"):
        raise LanguageError(f"in `{equation}`: an argmax, and nothing else, writes whole numbers, "
                            f"but {tensor.name} has dtype {tensor.dtype}")
    if equation.op != "sum":
        _check_single(equation, loops)
        _check_windows(equation)


def _check_single(equation: Equation, loops: tuple[Loop, ...]) -> None:
    """A maximum writes each element once: the target's axes determine every index that is not bound."""
    fixed = {i for position in equation.target.indices for i in determined(position)}
    for index in (*(loop.index for loop in loops), *equation.indices):
        if index not in fixed and index not in equation.over:
            raise LanguageError(f"in `{equation}`: {equation.target} may be written for several {index.name}, but a maximum is written "
                                f"once; give {equation.target.name} an axis for {index.name}, or bind it")


@lru_cache(maxsize=1 << 12)
def _check_windows(equation: Equation) -> None:
    """No maximum is over nothing: where all extents are numbers, each element that is written has a point within the domain."""
    bound = [c for c in equation.domain if {*c.free_symbols} & {*equation.over}]
    parts = [coefficients(c) for c in equation.domain]
    if not bound or any(p is None or not p[1].is_Integer or any(isinstance(a, Access) for a in p[0]) for p in parts):
        return
    used = sorted({i for p in parts for i in p[0]}, key=lambda i: (i in equation.over, i.name))
    if not all(i.extent.is_Integer and i.start.is_Integer for i in used) or sp.prod(i.extent for i in used) > MOST_POINTS:
        return
    shape = tuple(int(i.extent) for i in used)
    grid = dict(zip(used, np.indices(shape), strict=True))
    holds = [np.broadcast_to(sum((int(a) * (grid[i] + int(i.start)) for i, a in p[0].items()), int(p[1])) >= 0, shape) for p in parts]
    inner = tuple(k for k, i in enumerate(used) if i in equation.over)
    written = np.logical_and.reduce([h for c, h in zip(equation.domain, holds, strict=True) if c not in bound] or [np.True_])
    empty = np.broadcast_to(written, shape).any(axis=inner) & ~np.logical_and.reduce(holds).any(axis=inner)
    if empty.any():
        outer = [i for i in used if i not in equation.over]
        at = [f"{i.name} = {i.start + int(v)}" for i, v in zip(outer, np.argwhere(np.atleast_1d(empty))[0], strict=False)]
        where = f" at {', '.join(at)}" if at else ""
        raise LanguageError(f"in `{equation}`: the window of {equation.target} is empty{where}; a maximum over no element has no value")


def determined(position: sp.Expr) -> set[Index]:
    """The indices that the value of an index expression determines: a mixed-radix number such as 4*g + f with f < 4."""
    parts = coefficients(position)
    reach = sp.S.Zero
    if parts is None or any(isinstance(a, Access) for a in parts[0]):
        return set()
    for index, factor in sorted(parts[0].items(), key=lambda p: (abs(p[1]), p[0].name)):
        if not implies((), abs(factor) - 1 - reach):
            return set()
        reach += abs(factor) * (index.extent - 1)
    return set(parts[0])
