"""The oracle: runs a program literally, equation by equation, over every point of each domain.

Stage: L1 Program + values → values.  Numbers are float64, exact rationals or symbols.  No equation is
rearranged: points of the domain are enumerated in lexicographic order, the body is evaluated at each, and the
results are added (or compared) one after the other.  Facts are asserted, indices are checked against their axes,
and a contribution to an element that was already read is an error.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from symbp.errors import LanguageError
from symbp.language.equation import Equation, Loop, Statement
from symbp.language.facts import Fact
from symbp.language.functions import Defined, equal, step
from symbp.language.index import Index, indices_of
from symbp.language.program import Program
from symbp.language.tensor import AXIS0, Access, Tensor
from symbp.numbers import NUMBERS, Numbers, TooLarge

Sizes = Mapping[str, Any]
Instead = Mapping[str, tuple[np.ndarray, np.ndarray]]


def interpret(program: Program, values: Mapping[str, Any], sizes: Sizes | None = None, *,
              numbers: str | Numbers = "float64", functions: Mapping[str, Callable] | None = None,
              facts: bool = True, instead: Instead | None = None) -> dict[str, np.ndarray]:
    """Run a program and return the arrays of all its tensors, inputs included, by name.

    values: an array for each input tensor, of the tensor's shape.  sizes: a number for each symbolic extent
    (`{"N": 3}`) and a list or function for each width (`{"n": [4, 3, 2]}`).  numbers: "float64", "rational"
    (Fraction), "symbol" (SymPy), or an instance of `symbp.numbers.Numbers`.  functions: an implementation for each opaque
    function, by name.  instead: for a tensor a mask and values, which are read in place of the elements that were calculated.
    Raises `LanguageError` for missing values, wrong shapes, indices out of range, empty max windows,
    violated facts, and reads before the last contribution.

    >>> from symbp.language import Equation, Index, Program, Tensor
    >>> i = Index("i", 3)
    >>> x, s = Tensor("x", (3,), role="input"), Tensor("s")
    >>> interpret(Program((x, s), (Equation(s[()], x[i]**2, over=(i,)),)), {"x": [1, 2, 3]})["s"].item()
    14.0
    """
    return Run(program, values, dict(sizes or {}), NUMBERS[numbers] if isinstance(numbers, str) else numbers, functions or {},
                instead=instead).run(facts)


def shape_of(program: Program, name: str, sizes: Sizes) -> tuple[int, ...]:
    """The concrete shape of a tensor at these sizes."""
    return Run(program, {}, dict(sizes), NUMBERS["float64"], {}, allocate=False).shape(program.tensor(name))


class Run:
    """One run: the arrays, which elements were read, and the current values of sizes and loop indices; `interpret` is the way to it."""

    def __init__(self, program: Program, values: Mapping[str, Any], sizes: dict, numbers: Numbers,
                 functions: Mapping[str, Callable], allocate: bool = True, instead: Instead | None = None) -> None:
        self.program, self.numbers, self.functions, self.instead = program, numbers, functions, instead or {}
        self.widths = {k: v for k, v in sizes.items() if not np.isscalar(v)}
        self.scalars = {k: _positive(k, v) for k, v in sizes.items() if np.isscalar(v)}
        missing = [s.name for s in program.sizes if s.name not in self.scalars and s != AXIS0]
        missing += [f.__name__ for f in program.widths if f.__name__ not in self.widths]
        if missing:
            raise LanguageError(f"sizes are missing for {', '.join(missing)}")
        self.fixed: dict[Index, int] = {}
        self.arrays: dict[str, np.ndarray] = {}
        self.read: dict[str, np.ndarray] = {}
        inputs = {t.name for t in program.inputs}
        for tensor in program.tensors if allocate else ():
            given = self._given(tensor, values) if tensor.name in inputs else None
            self._allocate(tensor, given)
        maxima = [eq.target.name for eq in program.equations if allocate and eq.op != "sum"]
        self.unset = {name: np.ones(self.arrays[name].shape, dtype=bool) for name in maxima}

    def run(self, facts: bool) -> dict[str, np.ndarray]:
        """Run the statements; what has no value is nan or infinite, and the caller's to judge."""
        with np.errstate(all="ignore"):
            for fact in self.program.facts if facts else ():
                self._assert(fact)
            for statement in self.program.statements:
                self._execute(statement)
        return self.arrays

    # sizes and shapes

    def size(self, expression: sp.Expr, point: Mapping[sp.Basic, int] | None = None) -> int:
        """The integer value of an extent at the current sizes, loop indices and `point`."""
        if expression.is_Integer:
            return int(expression)
        known = {**self.fixed, **(point or {})}
        value = expression.replace(lambda e: isinstance(e, AppliedUndef), lambda e: self._width(e, known)) \
            if expression.has(AppliedUndef) else expression
        value = value.xreplace({s: sp.Integer(known[s]) if s in known else self._scalar(s) for s in value.free_symbols})
        if not value.is_Integer:
            raise LanguageError(f"the extent {expression} is {value}, not a whole number")
        return int(value)

    def _scalar(self, symbol: sp.Symbol) -> sp.Integer:
        if isinstance(symbol, Index):
            raise LanguageError(f"an extent depends on {symbol}, which is no index of a loop around it")
        return sp.Integer(self.scalars[symbol.name])

    def _width(self, application: AppliedUndef, known: Mapping) -> sp.Integer:
        widths = self.widths[application.func.__name__]
        position = self.size(application.args[0], known)
        if not callable(widths) and not 0 <= position < len(widths):
            raise LanguageError(f"no width is given for {application.func.__name__}({position})")
        return sp.Integer(_positive(f"{application.func.__name__}({position})", widths(position) if callable(widths) else widths[position]))

    def shape(self, tensor: Tensor) -> tuple[int, ...]:
        """The concrete shape; rows of different width are stored at the largest."""
        if not tensor.shape:
            return ()
        first, start = self.size(tensor.shape[0]), self.size(tensor.origin[0])
        rows = range(start, start + first)
        rest = [max(self.size(e, {AXIS0: r}) for r in rows) if AXIS0 in e.free_symbols else self.size(e)
                for e in tensor.shape[1:]]
        return (first, *rest)

    def _given(self, tensor: Tensor, values: Mapping[str, Any]) -> np.ndarray:
        if tensor.name not in values:
            raise LanguageError(f"no value is given for {tensor.name} of shape {self.shape(tensor)}")
        dtype = int if tensor.dtype == "int" else self.numbers.dtype
        array = np.array(values[tensor.name], dtype=dtype)
        if tensor.dtype == "int" and np.any(np.asarray(values[tensor.name]) != array):
            raise LanguageError(f"{tensor.name} holds whole numbers, but the value given has others")
        if array.shape != self.shape(tensor):
            raise LanguageError(f"{tensor.name} has shape {self.shape(tensor)}, but the value given has {array.shape}")
        return array if tensor.dtype == "int" else self.numbers.convert(array)

    def _allocate(self, tensor: Tensor, given: np.ndarray | None) -> None:
        if given is None:
            shape = self.shape(tensor)
            given = np.zeros(shape, dtype=int) if tensor.dtype == "int" else self.numbers.zeros(shape)
        self.arrays[tensor.name] = given
        self.read[tensor.name] = np.zeros(given.shape, dtype=bool)

    # statements

    def _execute(self, statement: Statement) -> None:
        if isinstance(statement, Loop):
            self._loop(statement)
        else:
            self._equation(statement)

    def _loop(self, loop: Loop) -> None:
        start = self.size(loop.index.start)
        steps = range(start, start + self.size(loop.index.extent))
        for value in steps if loop.direction == "ascending" else reversed(steps):
            self.fixed[loop.index] = value
            for statement in loop.body:
                self._execute(statement)
        self.fixed.pop(loop.index, None)

    def _equation(self, equation: Equation) -> None:
        points = self.points(equation)
        where = self.positions(equation.target, points, equation)
        body = self.evaluate(equation.body, points, equation)
        target = self.arrays[equation.target.name]
        if np.any(self.read[equation.target.name][where]):
            raise LanguageError(f"`{equation}` contributes to an element of {equation.target.name} that was already read")
        body = np.broadcast_to(np.asarray(body, dtype=self.numbers.dtype), (points.count,))
        if equation.op == "sum":
            _add_at(target, where, body)
        else:
            self._extremum(equation, points, where, body, target)

    def _extremum(self, equation: Equation, points: Points, where: tuple, body: np.ndarray, target: np.ndarray) -> None:
        """The largest value (or its first position) of each target element, in the order of the points."""
        best: dict[tuple, int] = {}
        cells = list(zip(*(np.broadcast_to(w, (points.count,)) for w in where))) if where else [()] * points.count
        for k, cell in enumerate(cells):
            if cell not in best or self.numbers.greater(body[k], body[best[cell]]):
                best[cell] = k
        everywhere = self.points(equation, without=equation.over)
        for cell in zip(*self.positions(equation.target, everywhere, equation)) if where else [()]:
            if cell not in best:
                raise LanguageError(f"`{equation}`: the window of {equation.target.name}{list(map(int, cell))} is empty; "
                                    f"a maximum over no element has no value")
        source = points.columns[equation.component] if equation.op == "argmax" else body
        for cell, k in best.items():
            target[cell] = source[k]
            self.unset[equation.target.name][cell] = False

    # points, positions, values

    def points(self, equation: Equation, without: tuple[Index, ...] = ()) -> Points:
        """All points of the equation's domain, lexicographic; `without` leaves out bound indices and their conditions."""
        columns: dict[Index, np.ndarray] = {}
        count = 1
        for index in (i for i in equation.indices if i not in self.fixed and i not in without):
            columns, count = self._cross(columns, count, index)
        points = Points(columns, count)
        for condition in equation.domain:
            if not condition.free_symbols & set(without):
                keep = np.broadcast_to(self.integer(condition, points, equation), (points.count,)) >= 0
                points = Points({i: c[keep] for i, c in points.columns.items()}, int(keep.sum()))
        return points

    def _cross(self, columns: dict[Index, np.ndarray], count: int, index: Index) -> tuple[dict, int]:
        outer = [i for i in columns if i in (index.extent.free_symbols | index.start.free_symbols)]
        if outer:
            raise LanguageError(f"the extent {index.extent} of {index} depends on {outer[0]}, which is not a loop's index")
        start, extent = self.size(index.start), self.size(index.extent)
        if count * extent > self.numbers.most_points:
            raise TooLarge(f"an equation with the indices {', '.join(i.name for i in (*columns, index))} has more than "
                           f"{self.numbers.most_points} points, too many to calculate them one by one")
        crossed = {i: np.repeat(c, extent) for i, c in columns.items()}
        crossed[index] = np.tile(np.arange(start, start + extent), count)
        return crossed, count * extent

    def integer(self, expression: sp.Expr, points: Points, equation: Equation) -> Any:
        """The values of an index expression or domain condition at all points."""
        if isinstance(expression, Index):
            return points.columns[expression] if expression in points.columns else self.fixed[expression]
        if isinstance(expression, Access):
            return self._gather(expression, points, equation)
        if expression.is_Add:
            return sum(self.integer(a, points, equation) for a in expression.args)
        if expression.is_Mul:
            return np.prod([np.broadcast_to(self.integer(a, points, equation), (points.count,)) for a in expression.args], axis=0)
        return self.size(expression)

    def positions(self, access: Access, points: Points, equation: Equation) -> tuple[np.ndarray, ...]:
        """Array positions of an access at all points, checked against the axes."""
        tensor = self.program.tensor(access.name)
        found = []
        for axis, (position, origin, extent) in enumerate(zip(access.indices, tensor.origin, self.arrays[access.name].shape)):
            where = np.broadcast_to(self.integer(position, points, equation) - self.size(origin), (points.count,))
            if points.count and (where.min() < 0 or where.max() >= extent):
                worst = where.min() if where.min() < 0 else where.max()
                raise LanguageError(f"`{equation}`: the index {position} of {access} is {worst + self.size(origin)}, outside axis {axis} "
                                    f"of extent {extent}")
            found.append(where)
        return tuple(found)

    def _gather(self, access: Access, points: Points, equation: Equation) -> np.ndarray:
        where = self.positions(access, points, equation)
        if access.name in self.unset and points.count and np.any(self.unset[access.name][where]):
            raise LanguageError(f"`{equation}` reads an element of {access.name} that no maximum has written")
        self.read[access.name][where] = True
        gathered = self.arrays[access.name][where]
        if access.name in self.instead:
            mask, values = self.instead[access.name]
            gathered = np.where(mask[where], values[where], gathered)
        return gathered if where else np.broadcast_to(np.asarray(gathered), (points.count,))

    def evaluate(self, expression: sp.Expr, points: Points, equation: Equation) -> Any:
        """The values of a body at all points."""
        numbers = self.numbers
        if isinstance(expression, Access):
            value = self._gather(expression, points, equation)
            return numbers.convert(np.asarray(value)) if self.program.tensor(expression.name).dtype == "int" else value
        if isinstance(expression, Index):
            return numbers.convert(np.asarray(self.integer(expression, points, equation)))
        if expression.is_number and not expression.has(Defined, step, equal):
            return numbers.constant(expression)
        if isinstance(expression, (sp.Symbol, AppliedUndef)) or isinstance(expression, sp.floor) and not expression.has(Access):
            return numbers.constant(sp.Integer(self.size(expression)))
        if isinstance(expression, Defined) and expression.definition is not None:
            return self.evaluate(expression.expanded(), points, equation)
        arguments = [self.evaluate(a, points, equation) for a in expression.args]
        return self._opaque(type(expression), arguments) if isinstance(expression, Defined) else numbers.apply(expression.func, arguments)

    def _opaque(self, function: type[Defined], arguments: list) -> Any:
        """An opaque function by the implementation given, or as a symbol."""
        given = self.functions.get(function.__name__)
        return given(*arguments) if given is not None else self.numbers.opaque(function, arguments)

    def _assert(self, fact: Fact) -> None:
        """Raise unless a fact about input values holds (to rounding in float64)."""
        inputs = {t.name for t in self.program.inputs}
        if not inputs.issuperset(fact.tensors):
            return
        free = [i for i in indices_of(sp.Tuple(fact.left, fact.right)) if i not in fact.over]
        equation = Equation(Access("fact", *free), fact.left, over=fact.over)
        points, cells = self.points(equation), self.points(equation, without=fact.over)
        left = self.numbers.zeros(tuple(self.size(i.extent) for i in free))
        place = [tuple(p.columns[i] - self.size(i.start) for i in free) for p in (points, cells)]
        _add_at(left, place[0], np.broadcast_to(self.evaluate(fact.left, points, equation), (points.count,)))
        right = np.broadcast_to(self.evaluate(fact.right, cells, equation), (cells.count,))
        if not COMPARE[fact.relation](self.numbers, left[place[1]], right):
            raise LanguageError(f"the values given violate the fact {fact}")


def _positive(name: str, value: Any) -> int:
    """A size as an integer; an error unless it is a whole number ≥ 1."""
    if int(value) != value or value < 1:
        raise LanguageError(f"the size {name} must be a whole number of at least 1, not {value}")
    return int(value)


def _add_at(target: np.ndarray, where: tuple[np.ndarray, ...], values: np.ndarray) -> None:
    """Add one value after the other, also into an array without axes."""
    np.add.at(target.reshape(target.shape or 1), where or np.zeros(len(values), dtype=int), values)


COMPARE: dict[str, Callable[[Numbers, Any, Any], bool]] = {
    "==": lambda numbers, a, b: numbers.close(a, b),
    ">": lambda numbers, a, b: bool(np.all(a > b)), ">=": lambda numbers, a, b: bool(np.all(a >= b)),
    "<": lambda numbers, a, b: bool(np.all(a < b)), "<=": lambda numbers, a, b: bool(np.all(a <= b)),
}


class Points:
    """The points of a domain: one column of integers for each index."""

    def __init__(self, columns: dict[Index, np.ndarray], count: int) -> None:
        self.columns, self.count = columns, count

