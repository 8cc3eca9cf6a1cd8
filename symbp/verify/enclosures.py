"""Numbers with a bound on their error, for the oracle: a printed number as the interval that it may stand for.

Balls of python-flint where it is installed, else intervals of mpmath.  Every operation encloses all results that the
operands' numbers can have.  With labels, a number also tells what it was calculated from.
"""
from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from importlib.util import find_spec
from typing import Any

import numpy as np
import sympy as sp

from symbp.errors import LanguageError
from symbp.language.functions import equal, step
from symbp.numbers import Numbers

DIGITS, LARGEST = 60, 20_000
UNARY = {sp.exp: "exp", sp.log: "log", sp.sin: "sin", sp.cos: "cos", sp.erf: "erf"}


class Enclosures(Numbers):
    """Enclosures as numbers of the oracle; subclasses say how one is made."""

    def __init__(self) -> None:
        self.functions: dict[Any, Callable] = {f: _each(lambda x, name=name: self.function(name, x), 1) for f, name in UNARY.items()}
        self.functions |= {sp.Pow: _each(self.power, 2), sp.Abs: _each(abs, 1), step: _each(self.step, 2), equal: _each(self.equal, 2)}

    def apply(self, function: type, arguments: list) -> Any:
        """An operation on arrays of enclosures."""
        return super().apply(function, [np.asarray(a, dtype=object) for a in arguments])

    def between(self, low: Fraction, high: Fraction) -> Any:
        """All numbers from low to high."""
        raise NotImplementedError

    def bounds(self, x: Any) -> tuple[Fraction, Fraction]:
        """The smallest and the largest number of an enclosure."""
        raise NotImplementedError

    def function(self, name: str, x: Any) -> Any:
        """exp, log, sin, cos, erf or sqrt of an enclosure."""
        raise NotImplementedError

    def constant(self, value: sp.Expr) -> Any:
        """A SymPy number, such as 2/3 or √2."""
        if value.is_Rational:
            return self.between(Fraction(int(value.p), int(value.q)), Fraction(int(value.p), int(value.q)))
        near = Fraction(str(sp.N(value, 2 * DIGITS)))
        error = abs(near) / 10**DIGITS
        return self.between(near - error, near + error)

    def convert(self, array: np.ndarray) -> np.ndarray:
        """Python numbers as enclosures of one number each; enclosures stay."""
        return np.asarray(_each(self.number, 1)(np.asarray(array, dtype=object)), dtype=object)

    def number(self, x: Any) -> Any:
        """A Python number as an enclosure of itself."""
        if isinstance(x, np.integer):
            x = int(x)
        if isinstance(x, (int, float, Fraction, np.floating)):
            exact = Fraction(repr(float(x))) if isinstance(x, (float, np.floating)) else Fraction(x)
            return self.between(exact, exact)
        return x

    def greater(self, a: Any, b: Any) -> bool:
        """Whether the middle of a is above that of b."""
        return sum(self.bounds(a)) > sum(self.bounds(b))

    def power(self, base: Any, exponent: Any) -> Any:
        """base to an exact power, or exp(exponent log base)."""
        low, high = self.bounds(exponent)
        if low == high and low.denominator == 1:
            return base ** int(low) if low >= 0 else self.between(Fraction(1), Fraction(1)) / base ** int(-low)
        if low == high and low.denominator == 2:
            return self.power(self.function("sqrt", base), self.between(2 * low, 2 * low))
        return self.function("exp", exponent * self.function("log", base))

    def step(self, x: Any, at_zero: Any) -> Any:
        """step(x, c); 0 to 1 where x has both signs."""
        low, high = self.bounds(x)
        if low == high == 0:
            return self.number(at_zero)
        return self.between(Fraction(int(low > 0)), Fraction(int(high > 0)))

    def equal(self, a: Any, b: Any) -> Any:
        """[a = b]; 0 to 1 where it is not known.  A maximum is equal to what it was taken from: that is the same object."""
        if a is b:
            return self.between(Fraction(1), Fraction(1))
        (low, high), (other_low, other_high) = self.bounds(a), self.bounds(b)
        if high < other_low or other_high < low:
            return self.between(Fraction(0), Fraction(0))
        return self.between(Fraction(int(low == high == other_low == other_high)), Fraction(1))

    def opaque(self, function: type, arguments: list) -> Any:
        """What a function of which only the name is known may be: anything."""
        return _each(lambda *_: self.anything(), len(arguments))(*arguments)

    def anything(self) -> Any:
        """An enclosure that is not finite."""
        raise NotImplementedError

    def close(self, a: np.ndarray, b: np.ndarray) -> bool:
        """Whether each pair may be the same number."""
        pairs = zip(np.broadcast_to(a, np.shape(b)).flat, np.asarray(b, dtype=object).flat, strict=True)
        return all(self.bounds(x)[0] <= self.bounds(y)[1] and self.bounds(y)[0] <= self.bounds(x)[1] for x, y in pairs)


class Balls(Enclosures):
    """Balls of python-flint, of 60 digits."""

    def __init__(self) -> None:
        import flint

        self.flint = flint
        flint.ctx.dps = max(flint.ctx.dps, DIGITS)
        super().__init__()

    def between(self, low: Fraction, high: Fraction) -> Any:
        """The ball around the middle."""
        middle, radius = (low + high) / 2, (high - low) / 2
        ball = self.flint.arb(self.flint.fmpq(middle.numerator, middle.denominator))
        if not radius:
            return ball
        return ball + self.flint.arb(0, self.flint.arb(self.flint.fmpq(radius.numerator, radius.denominator)).upper())

    def anything(self) -> Any:
        """No number."""
        return self.flint.arb("nan")

    def bounds(self, x: Any) -> tuple[Fraction, Fraction]:
        """Exact ends; a ball that is not finite has none."""
        if not x.is_finite():
            raise LanguageError("a division by zero, or a logarithm of no positive number")
        return _fraction(x.lower()), _fraction(x.upper())

    def function(self, name: str, x: Any) -> Any:
        """The ball's own functions."""
        return getattr(x, name)()


class Intervals(Enclosures):
    """Intervals of mpmath, of 60 digits; without erf."""

    def __init__(self) -> None:
        import mpmath

        self.context, self.mpf = mpmath.iv, mpmath.mpf
        self.context.dps = max(self.context.dps, DIGITS)
        super().__init__()

    def between(self, low: Fraction, high: Fraction) -> Any:
        """The interval of two quotients."""
        ends = [self.context.mpf(q.numerator) / q.denominator for q in (low, high)]
        return self.context.mpf([ends[0].a, ends[1].b])

    def anything(self) -> Any:
        """All numbers."""
        return self.context.mpf(["-inf", "inf"])

    def bounds(self, x: Any) -> tuple[Fraction, Fraction]:
        """Exact ends."""
        return tuple(_mp_fraction(end) for end in (x.a, x.b))

    def function(self, name: str, x: Any) -> Any:
        """The context's functions."""
        if not hasattr(self.context, name):
            raise LanguageError(f"{name} of an interval needs python-flint: pip install python-flint")
        return getattr(self.context, name)(x)


def enclosures() -> Enclosures:
    """The best kind that is installed.

    >>> numbers = enclosures()
    >>> low, high = numbers.bounds(numbers.between(Fraction(1), Fraction(2)) * numbers.between(Fraction(-1), Fraction(3)))
    >>> low <= -2 and 6 <= high
    True
    """
    return Balls() if find_spec("flint") else Intervals()


class Labelled(Numbers):
    """Enclosures with labels, which tell the printed numbers that a value was calculated from.

    >>> numbers = Labelled(enclosures())
    >>> two, zero = (numbers.mark(Fraction(n), Fraction(n), label) for n, label in ((2, "two"), (0, "zero")))
    >>> sorted((two + zero).labels), sorted((two * zero).labels)
    (['two', 'zero'], ['zero'])
    """

    def __init__(self, inner: Enclosures) -> None:
        self.inner = inner
        self.functions = {f: _each(_joined(g), 2 if f in (sp.Pow, step, equal) else 1) for f, g in inner.functions.items()}

    def mark(self, low: Fraction, high: Fraction, label: object) -> Mark:
        """All numbers from low to high, under a label."""
        return Mark(self.inner.between(low, high), frozenset((label,)))

    def apply(self, function: type, arguments: list) -> Any:
        """An operation on arrays of marks."""
        return super().apply(function, [np.asarray(a, dtype=object) for a in arguments])

    def opaque(self, function: type, arguments: list) -> Any:
        """What a function of which only the name is known may be."""
        return _each(lambda *_: Mark(self.inner.anything()), len(arguments))(*arguments)

    def constant(self, value: sp.Expr) -> Mark:
        """A constant comes from nowhere."""
        return Mark(self.inner.constant(value))

    def convert(self, array: np.ndarray) -> np.ndarray:
        """Values that are given come from nowhere."""
        return np.asarray(_each(lambda x: x if isinstance(x, Mark) else Mark(self.inner.number(x)), 1)(np.asarray(array, dtype=object)),
                          dtype=object)

    def greater(self, a: Mark, b: Mark) -> bool:
        """Whether the middle of a is above that of b."""
        return self.inner.greater(a.value, b.value)

    def bounds(self, x: Mark) -> tuple[Fraction, Fraction]:
        """The smallest and the largest number."""
        return self.inner.bounds(x.value)


class Mark:
    """An enclosure with its labels."""

    __slots__ = ("value", "labels")

    def __init__(self, value: Any, labels: frozenset = frozenset()) -> None:
        self.value, self.labels = value, labels

    def __add__(self, other: Mark) -> Mark:
        if not isinstance(other, Mark):  # an array, which adds element by element
            return NotImplemented
        return Mark(self.value + other.value, self.labels | other.labels)

    def __mul__(self, other: Mark) -> Mark:
        """The product; where one factor is 0, the other's labels tell nothing."""
        if not isinstance(other, Mark):
            return NotImplemented
        for zero in (self, other):
            if zero.value == 0:
                return zero
        return Mark(self.value * other.value, self.labels | other.labels)


def _joined(function: Callable) -> Callable:
    return lambda *marks: Mark(function(*(m.value for m in marks)), frozenset().union(*(m.labels for m in marks)))


def _each(function: Callable, arity: int) -> Callable:
    return np.frompyfunc(function, arity, 1)


def _fraction(end: Any) -> Fraction:
    """The exact value of a ball without radius."""
    mantissa, exponent = end.man_exp()
    if abs(int(exponent)) > LARGEST:
        raise LanguageError("a number beyond all bounds")
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def _mp_fraction(end: Any) -> Fraction:
    """The exact value of one end of an interval."""
    sign, mantissa, exponent, _ = end._mpi_[0]
    if abs(exponent) > LARGEST or not mantissa and exponent:
        raise LanguageError("a number beyond all bounds")
    return Fraction((-1) ** sign * int(mantissa)) * Fraction(2) ** exponent
