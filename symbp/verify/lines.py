"""One element's line, written out: z[0] = w[0,0]*x[0] + w[0,1]*x[1] + b[0], as a person calculates it.

Stage: program + element → one scalar expression over elements; helpers that the text does not print are written out, too.
"""
from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from itertools import product

import sympy as sp

from symbp.language.equation import Equation
from symbp.language.functions import Defined, equal, step
from symbp.language.index import Index, substitute
from symbp.language.program import Program
from symbp.language.tensor import Access, accesses

MOST_POINTS, MOST_ACCESSES, DEEPEST = 64, 40, 4


def written_out(program: Program, name: str, at: tuple[int, ...], sizes: Mapping[str, int], printed: Collection[str]) -> sp.Expr | None:
    """What an element is calculated from; None where that is no sum, or too long.

    printed: the tensors of which the text prints elements, which stay.

    >>> from symbp.language import Tensor
    >>> i, j = Index("i", 2), Index("j", 3)
    >>> W, x, z, a = Tensor("W", (3, 2)), Tensor("x", (2,)), Tensor("z", (3,)), Tensor("a", (3,))
    >>> program = Program((W, x, z, a), (Equation(z[j], W[j, i]*x[i], over=(i,)), Equation(a[j], sp.exp(z[j]))))
    >>> written_out(program, "a", (1,), {}, {"z"}), written_out(program, "a", (1,), {}, ())
    (exp(z[1]), exp(x[0]*W[1, 0] + x[1]*W[1, 1]))
    """
    numbers = {s: sp.Integer(sizes[s.name]) for s in program.sizes if s.name in sizes}
    line = _line(program, Access(name, *map(sp.Integer, at)), numbers)
    for _ in range(DEEPEST):
        inner = [a for a in accesses(line) if a.name not in printed and program.definition(a.name)] if line is not None else []
        if not inner:
            break
        lines = {a: _line(program, a, numbers) for a in inner}
        longer = line.xreplace({a: e for a, e in lines.items() if e is not None})
        if any(e is None for e in lines.values()) or len(accesses(longer)) > MOST_ACCESSES:
            break
        line = longer
    return line


def _line(program: Program, element: Access, numbers: Mapping[sp.Expr, sp.Expr]) -> sp.Expr | None:
    """The sum of what writes one element."""
    terms: list[sp.Expr] = []
    for equation in program.definition(element.name):
        found = _terms(equation, element, numbers)
        if found is None:
            return None
        terms += found
    return sp.Add(*terms) if terms else None


def _terms(equation: Equation, element: Access, numbers: Mapping[sp.Expr, sp.Expr]) -> list[sp.Expr] | None:
    """What one equation adds to an element; None where it cannot be written out."""
    if equation.op != "sum" or any(a.atoms(Access) - {a} for a in accesses(equation.body)):
        return None
    values = dict(numbers)
    for position, wanted in zip(equation.target.indices, element.indices):
        free = [i for i in position.atoms(Index) if i not in values]
        if len(free) > 1 or free and abs(position.coeff(free[0])) != 1 or position.has(Access):
            return None
        if free:
            values[free[0]] = sp.expand(free[0] - (position.xreplace(values) - wanted) * position.coeff(free[0]))
            if not _inside(values[free[0]], free[0], values):
                return []
        elif sp.expand(position.xreplace(values) - wanted) != 0:
            return []
    rest = [i for i in dict.fromkeys((*equation.over, *_running(equation))) if i not in values]
    ranges = [range(int(i.start.xreplace(values)), int((i.start + i.extent).xreplace(values))) for i in rest]
    count = sp.prod(map(len, ranges))
    if count > MOST_POINTS:
        return None
    points = ({**values, **dict(zip(rest, map(sp.Integer, at)))} for at in product(*ranges))
    return [_at(equation.body, point) for point in points if _holds(equation, point)]


def _running(equation: Equation) -> list[Index]:
    """The indices of loops around it over which a contribution is added up."""
    return sorted({i for e in (equation.body, *equation.domain) for i in e.atoms(Index)} - {*equation.indices}, key=str)


def _inside(value: sp.Expr, index: Index, values: Mapping) -> bool:
    start, extent = index.start.xreplace(values), index.extent.xreplace(values)
    return bool(value.is_Integer and start <= value < start + extent)


def _holds(equation: Equation, point: Mapping) -> bool:
    return all(sp.expand(c.xreplace(point)) >= 0 for c in equation.domain)


def _at(body: sp.Expr, point: dict) -> sp.Expr:
    return substitute(body, point)


def number(line: sp.Expr, read: Callable[[Access], float], apply: Mapping[type, Callable]) -> float:
    """The value of a line; `read` gives that of an element."""
    if isinstance(line, Access):
        return read(line)
    if line.is_number and not line.has(Defined, step, equal):
        return float(line)
    if isinstance(line, Defined):
        if line.definition is None:
            raise ValueError("a function without a definition")
        return number(line.expanded(), read, apply)
    parts = [number(part, read, apply) for part in line.args]
    if line.is_Add:
        return sum(parts)
    if line.is_Mul:
        return float(sp.prod(parts)) if len(parts) > 8 else _product(parts)
    return float(apply[line.func](*parts))


def _product(parts: list[float]) -> float:
    total = 1.0
    for part in parts:
        total *= part
    return total
