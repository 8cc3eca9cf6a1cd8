"""The three kinds of numbers that the oracle calculates with: float64, exact rationals and symbols."""
from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp
from sympy.core.sympify import _sympify

from symbp.errors import LanguageError
from symbp.language.functions import equal, expand_definitions, step


class TooLarge(LanguageError):
    """An equation has too many points, or a written-out expression too many nodes, to be calculated."""


class Numbers:
    """Arithmetic on arrays of one kind of number.

    dtype: NumPy's.  functions: an implementation for each primitive that the kind can calculate.
    tolerance: how far a fact may be off (0 for exact kinds).  most_points: how many points of one equation are calculated.
    """

    dtype: Any = object
    tolerance = 0.0
    most_points = 100_000
    functions: dict[Any, Callable] = {}

    def constant(self, value: sp.Expr) -> Any:
        """A SymPy number in this kind."""
        raise LanguageError(f"{type(self).__name__} has no constant {value}")

    def convert(self, array: np.ndarray) -> np.ndarray:
        """An array of Python numbers in this kind."""
        return array.astype(self.dtype)

    def zeros(self, shape: tuple[int, ...]) -> np.ndarray:
        """The array of additive identities."""
        return self.convert(np.zeros(shape, dtype=int).astype(object))

    def greater(self, a: Any, b: Any) -> bool:
        """Whether a > b; only defined where values can be compared."""
        return bool(a > b)

    def opaque(self, function: type, arguments: list) -> Any:
        """The value of an opaque function."""
        name = function.__name__
        raise LanguageError(f"the function {name} has no definition; give its values by functions={{{name!r}: …}}")

    def apply(self, function: type, arguments: list) -> Any:
        """A SymPy operation or primitive on evaluated arguments."""
        if function is sp.Add:
            return _fold(lambda a, b: a + b, arguments)
        if function is sp.Mul:
            return _fold(lambda a, b: a * b, arguments)
        if function not in self.functions:
            raise LanguageError(f"{type(self).__name__} cannot calculate {function.__name__}; "
                                f"known are {', '.join(sorted(f.__name__ for f in self.functions))}")
        return self.functions[function](*arguments)

    def close(self, a: np.ndarray, b: np.ndarray) -> bool:
        """Whether two arrays agree to this kind's tolerance."""
        return bool(np.all(np.asarray(a == b)))


def _fold(operation: Callable, arguments: list) -> Any:
    result = arguments[0]
    for argument in arguments[1:]:
        result = operation(result, argument)
    return result


def _float_power(base: Any, exponent: Any) -> Any:
    if np.ndim(exponent) == 0 and float(exponent) == int(exponent):
        return np.asarray(base, dtype=float) ** int(exponent)
    return np.asarray(base, dtype=float) ** exponent


class Float64(Numbers):
    """IEEE double precision."""

    dtype = np.float64
    tolerance = 1e-9
    most_points = 500_000
    functions = {
        sp.exp: np.exp, sp.log: np.log, sp.sin: np.sin, sp.cos: np.cos, sp.Abs: np.abs, sp.floor: np.floor,
        sp.Pow: _float_power,
        sp.erf: np.vectorize(math.erf, otypes=[float]),
        step: lambda x, c: np.where(np.asarray(x) > 0, 1.0, np.where(np.asarray(x) < 0, 0.0, c)),
        equal: lambda a, b: np.where(np.asarray(a) == np.asarray(b), 1.0, 0.0),
    }

    def constant(self, value: sp.Expr) -> float:
        return float(value)

    def zeros(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.zeros(shape)

    def close(self, a: np.ndarray, b: np.ndarray) -> bool:
        return bool(np.allclose(a, b, rtol=self.tolerance, atol=self.tolerance))


def _elementwise(function: Callable, arity: int) -> Callable:
    return np.frompyfunc(function, arity, 1)


def _fraction_power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        raise LanguageError(f"the power {exponent} of a rational is not rational")
    return Fraction(base) ** int(exponent)


class Rational(Numbers):
    """Exact fractions: sums, products, integer powers, steps and brackets."""

    functions = {
        sp.Pow: _elementwise(_fraction_power, 2), sp.Abs: _elementwise(abs, 1),
        sp.floor: _elementwise(lambda x: Fraction(math.floor(x)), 1),
        step: _elementwise(lambda x, c: Fraction(int(x > 0)) if x else c, 2),
        equal: _elementwise(lambda a, b: Fraction(int(a == b)), 2),
    }

    def constant(self, value: sp.Expr) -> Fraction:
        if not value.is_Rational:
            raise LanguageError(f"{value} is not rational")
        return Fraction(int(value.p), int(value.q))

    def convert(self, array: np.ndarray) -> np.ndarray:
        return np.asarray(_elementwise(Fraction, 1)(array.astype(object)), dtype=object)


class Symbolic(Numbers):
    """SymPy expressions; comparisons are made only where SymPy can decide them."""

    functions = {f: _elementwise(f, 1) for f in (sp.exp, sp.log, sp.sin, sp.cos, sp.Abs, sp.erf)} | {
        sp.Pow: _elementwise(sp.Pow, 2), step: _elementwise(step, 2), equal: _elementwise(equal, 2)}

    def constant(self, value: sp.Expr) -> sp.Expr:
        return value

    def convert(self, array: np.ndarray) -> np.ndarray:
        return np.asarray(_elementwise(_sympify, 1)(array.astype(object)), dtype=object)

    def greater(self, a: Any, b: Any) -> bool:
        decided = _sympify(a - b).is_positive
        if decided is None:
            raise LanguageError(f"cannot decide whether {a} > {b}; a maximum needs numbers, not symbols")
        return bool(decided)

    def opaque(self, function: type, arguments: list) -> Any:
        return _elementwise(function, len(arguments))(*arguments)


class SymbolicAt(Symbolic):
    """SymPy expressions that are compared by their values at one point: exact in the region around it.

    limit: how many nodes an expression may have when written out; beyond it `TooLarge` is raised.
    """

    most_points = 5_000

    def __init__(self, point: dict[sp.Symbol, Any], limit: int) -> None:
        self.point, self.limit = point, limit
        self.nodes: dict[sp.Basic, int] = {}

    def apply(self, function: type, arguments: list) -> Any:
        result = _elementwise(self.equal, 2)(*arguments) if function is equal else super().apply(function, arguments)
        for element in np.asarray(result, dtype=object).flat:
            if self.written_out(element) > self.limit:
                raise TooLarge(f"an expression has more than {self.limit} terms when written out")
        return result

    def written_out(self, expression: sp.Basic) -> int:
        """The number of nodes of an expression as a tree."""
        if expression not in self.nodes:
            self.nodes[expression] = 1 + sum(self.written_out(a) for a in expression.args)
        return self.nodes[expression]

    def equal(self, a: sp.Expr, b: sp.Expr) -> sp.Expr:
        """The bracket [a = b]: 0 in the region around a point where a and b differ."""
        found = equal(a, b)
        if found.is_number or not sp.S(a - b).has(sp.Symbol):
            return found
        gap = expand_definitions(sp.S(a - b)).xreplace(self.point).evalf(30)
        return sp.S.Zero if gap.is_comparable and abs(gap) > sp.Rational(1, 10**15) else found

    def greater(self, a: Any, b: Any) -> bool:
        gap = expand_definitions(sp.S(a - b)).xreplace(self.point).evalf(30)
        if not gap.is_comparable:
            raise LanguageError(f"cannot decide whether {a} > {b}; a maximum needs numbers")
        return bool(gap > 0)


NUMBERS: dict[str, Numbers] = {"float64": Float64(), "rational": Rational(), "symbol": Symbolic()}
