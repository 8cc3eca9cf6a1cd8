"""The values of a matrix expression, with shapes inferred strictly: what is printed must be well-formed.

Only scalars are broadcast.  The length of a column of ones follows from its neighbours, or the expression is refused.
This knows nothing of how expressions are recognised.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from zlib import crc32

import numpy as np
import sympy as sp

from symbp.errors import SymbpError
from symbp.language.functions import equal, step
from symbp.language.index import Index
from symbp.matrix.nodes import (
    Apply,
    Diag,
    Fraction,
    Hadamard,
    Leaf,
    LevelSum,
    Negative,
    Node,
    Norm,
    Number,
    Ones,
    Power,
    Product,
    Quotient,
    Scale,
    Size,
    Sum,
    Trace,
    Transpose,
)

At = Mapping[Index, int]


class ShapeError(SymbpError):
    """The shapes of a matrix expression do not fit, or cannot be known."""


@dataclass(frozen=True)
class Environment:
    """The arrays of the leaves (a scalar for a size), and over which layers a sum runs.

    An array has a first axis for each layer index of its leaf that is summed; `layered` names these.
    """

    arrays: Mapping[Node, np.ndarray]
    layered: Mapping[Node, tuple[Index, ...]]
    lengths: Mapping[Index, int]


class _Length:
    """A number of rows or columns, perhaps not yet known."""

    def __init__(self, value: int | None = None) -> None:
        self.value, self.link = value, None

    def end(self) -> _Length:
        """The length that this one was made equal to."""
        length = self
        while length.link is not None:
            length = length.link
        return length

    def known(self) -> int:
        """The number; raises where it does not follow."""
        value = self.end().value
        if value is None:
            raise ShapeError("the length of a column of ones does not follow from the expression")
        return value

    def same(self, other: _Length) -> None:
        """Make two lengths one, or raise."""
        a, b = self.end(), other.end()
        if a is b:
            return
        if None not in (a.value, b.value) and a.value != b.value:
            raise ShapeError(f"a length of {a.value} meets one of {b.value}")
        if a.value is None:
            a.link = b
        elif b.value is None:
            b.link = a


@dataclass(frozen=True)
class _Typed:
    """An expression with its lengths and its value, to be asked for when all lengths are known."""

    rows: _Length
    columns: _Length
    value: Callable[[At], np.ndarray]

    @property
    def scalar(self) -> bool:
        """Whether it is one number."""
        return self.rows.end().value == 1 and self.columns.end().value == 1

    def same(self, other: _Typed) -> None:
        """Make two shapes one, or raise."""
        self.rows.same(other.rows)
        self.columns.same(other.columns)


ONE = _Length(1)


def evaluate(node: Node, environment: Environment, shape: tuple[int, int]) -> np.ndarray:
    """The value of an expression, of the shape given; raises `ShapeError` where it cannot have that shape.

    >>> x = Leaf("x", None, 1)
    >>> evaluate(Product((x, Transpose(Ones()))), Environment({x: np.array([1., 2.])}, {}, {}), (2, 3)).tolist()
    [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]
    """
    typed = _typed(node, environment)
    typed.rows.same(_Length(shape[0]))
    typed.columns.same(_Length(shape[1]))
    with np.errstate(all="ignore"):
        return np.broadcast_to(typed.value({}), shape)


def _typed(node: Node, env: Environment) -> _Typed:
    if isinstance(node, (Leaf, Size)):
        return _leaf(node, env)
    if isinstance(node, Number):
        return _Typed(ONE, ONE, lambda at: np.full((1, 1), float(node.value)))
    if isinstance(node, Ones):
        rows = _Length()
        return _Typed(rows, ONE, lambda at: np.ones((rows.known(), 1)))
    parts = [_typed(c, env) for c in node.children]
    if isinstance(node, LevelSum):
        steps = range(env.lengths[node.index])
        return _Typed(parts[0].rows, parts[0].columns, lambda at: sum(parts[0].value({**at, node.index: k}) for k in steps))
    return RULES[type(node)](node, *parts)


def _leaf(node: Leaf | Size, env: Environment) -> _Typed:
    array, levels = np.asarray(env.arrays[node], dtype=float), env.layered.get(node, ())
    rows, columns = (*array.shape[len(levels):], 1, 1)[:2]
    return _Typed(_Length(rows), _Length(columns), lambda at: array[tuple(at[i] for i in levels)].reshape(rows, columns))


def _elementwise(function: Callable[..., np.ndarray]) -> Callable[..., _Typed]:
    """A rule for functions of elements: operands of one shape, or scalars."""
    def rule(node: Node, *parts: _Typed) -> _Typed:
        full = [p for p in parts if not p.scalar] or [*parts]
        for other in full[1:]:
            full[0].same(other)
        return _Typed(full[0].rows, full[0].columns, lambda at: function(*(p.value(at) for p in parts)))
    return rule


def _product(node: Node, *parts: _Typed) -> _Typed:
    return reduce(_times, parts)


def _times(a: _Typed, b: _Typed) -> _Typed:
    """A matrix product from left to right; a scalar scales what it stands beside."""
    if a.scalar or b.scalar:
        kept = b if a.scalar else a
        return _Typed(kept.rows, kept.columns, lambda at: a.value(at) * b.value(at))
    a.columns.same(b.rows)
    return _Typed(a.rows, b.columns, lambda at: a.value(at) @ b.value(at))


def _transpose(node: Node, a: _Typed) -> _Typed:
    return _Typed(a.columns, a.rows, lambda at: a.value(at).T)


def _fraction(node: Node, a: _Typed, b: _Typed) -> _Typed:
    if not (a.scalar and b.scalar):
        raise ShapeError("a fraction of matrices")
    return _Typed(ONE, ONE, lambda at: a.value(at) / b.value(at))


def _power(node: Node, base: _Typed, exponent: _Typed) -> _Typed:
    if not exponent.scalar:
        raise ShapeError("a matrix as an exponent")
    return _Typed(base.rows, base.columns, lambda at: base.value(at) ** exponent.value(at))


def _diag(node: Node, a: _Typed) -> _Typed:
    if a.columns.end().value == 1:
        return _Typed(a.rows, a.rows, lambda at: np.diag(a.value(at)[:, 0]))
    a.rows.same(a.columns)
    return _Typed(a.rows, ONE, lambda at: np.diag(a.value(at))[:, None])


def _trace(node: Node, a: _Typed) -> _Typed:
    a.rows.same(a.columns)
    return _Typed(ONE, ONE, lambda at: np.trace(a.value(at)).reshape(1, 1))


def _norm(node: Node, a: _Typed) -> _Typed:
    return _Typed(ONE, ONE, lambda at: np.sum(a.value(at) ** 2).reshape(1, 1))


def _apply(node: Apply, *parts: _Typed) -> _Typed:
    return _elementwise(lambda *values: applied(node.function, values))(node, *parts)


RULES: dict[type, Callable[..., _Typed]] = {
    Product: _product, Scale: _product, Transpose: _transpose, Fraction: _fraction, Power: _power, Diag: _diag, Trace: _trace,
    Norm: _norm, Apply: _apply,
    Hadamard: _elementwise(lambda *v: reduce(np.multiply, v)), Sum: _elementwise(lambda *v: reduce(np.add, v)),
    Quotient: _elementwise(np.divide), Negative: _elementwise(np.negative),
}

PRIMITIVES: dict[type, Callable[..., np.ndarray]] = {
    sp.exp: np.exp, sp.log: np.log, sp.sin: np.sin, sp.cos: np.cos, sp.Abs: np.abs, sp.erf: np.vectorize(math.erf, otypes=[float]),
    step: lambda x, at_zero=0: np.heaviside(x, float(at_zero)), equal: lambda a, b: np.asarray(a == b, dtype=float),
    sp.Add: lambda *v: reduce(np.add, v), sp.Mul: lambda *v: reduce(np.multiply, v), sp.Pow: np.power,
}


def applied(function: type, values: tuple[np.ndarray, ...]) -> np.ndarray:
    """A scalar function at each element: a primitive, a defined one by its definition, or a stand-in for an opaque one."""
    if function in PRIMITIVES:
        return PRIMITIVES[function](*values)
    if function.definition is None:
        return stand_in(function.__name__)(*values)
    found = _defined(function.definition, dict(zip(function.parameters, values)))
    return np.broadcast_to(found, np.broadcast_shapes(*map(np.shape, values)))  # sign' is 0 everywhere, one number


def _defined(formula: sp.Expr, values: Mapping[sp.Expr, np.ndarray]) -> np.ndarray | float:
    if formula in values:
        return values[formula]
    if formula.is_number:
        return float(formula)
    return applied(formula.func, tuple(_defined(a, values) for a in formula.args))


def stand_in(name: str) -> Callable[..., np.ndarray]:
    """A smooth function that stands for an opaque one; different names get different functions.

    >>> bool(stand_in("f")(0.5) == stand_in("f")(0.5) != stand_in("f'")(0.5))
    True
    """
    shift = crc32(name.encode()) % 1000 / 1000
    return lambda *values: np.sin(shift + sum((k + 1 + shift) * np.asarray(v) for k, v in enumerate(values)))

