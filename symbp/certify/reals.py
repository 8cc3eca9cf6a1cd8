"""Real numbers of many digits with a bound on their error: arb balls, or mpmath at two precisions.

Both kinds have the operators of numbers; an arithmetic answers whether a number is surely positive, negative or 0.
"""
from __future__ import annotations

import random
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Self

import sympy as sp

from symbp.certify.cases import Undecided
from symbp.certify.field import function_key
from symbp.language.functions import Defined, equal, step
from symbp.language.tensor import Access

LARGEST_EXPONENT = 10**6


class Unreal(Exception):
    """The expression has no real value at this point, or none that can be told apart from a border."""


class Arb:
    """Balls of python-flint: every result carries its error bound."""

    def __init__(self, digits: int) -> None:
        import flint

        self.digits, self.module, self.kind = digits, flint, flint.arb

    def __enter__(self) -> Self:
        self.before, self.module.ctx.dps = self.module.ctx.dps, self.digits
        return self

    def __exit__(self, *_: object) -> None:
        self.module.ctx.dps = self.before

    def number(self, q: sp.Rational) -> Any:
        """A rational number."""
        return self.kind(self.module.fmpq(int(q.p), int(q.q)))

    def constant(self, node: sp.Expr) -> Any:
        """The numbers pi and e."""
        return self.kind.pi() if node is sp.pi else self.kind(1).exp()

    def apply(self, name: str, x: Any) -> Any:
        """exp, log, sqrt, erf, sin or cos."""
        return getattr(x, name)()

    def sign(self, x: Any) -> int | None:
        """1, -1, 0, or None where the ball has numbers of both signs."""
        if not x.is_finite():
            raise Unreal
        return 1 if x > 0 else -1 if x < 0 else 0 if x.is_zero() else None

    def same(self, x: Any, y: Any) -> bool:
        """Whether two numbers may be equal."""
        return bool(x.overlaps(y))

    def text(self, x: Any) -> str:
        """Six digits."""
        return x.mid().str(6, radius=False)


class Mp:
    """mpmath's numbers; those nearer to 0 than the digits lost in a usual sum allow have no sign."""

    def __init__(self, digits: int) -> None:
        self.context = _context(digits)
        self.border = self.context.mpf(10) ** (15 - digits)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def number(self, q: sp.Rational) -> Any:
        """A rational number."""
        return self.context.mpf(int(q.p)) / int(q.q)

    def constant(self, node: sp.Expr) -> Any:
        """The numbers pi and e."""
        return +self.context.pi if node is sp.pi else +self.context.e

    def apply(self, name: str, x: Any) -> Any:
        """exp, log, sqrt, erf, sin or cos."""
        return getattr(self.context, name)(x)

    def sign(self, x: Any) -> int | None:
        """1, -1, 0, or None where rounding may have made the sign."""
        if not self.context.isfinite(x):
            raise Unreal
        return 0 if x == 0 else None if abs(x) < self.border else 1 if x > 0 else -1

    def same(self, x: Any, y: Any) -> bool:
        """Whether two numbers may be equal."""
        return abs(x - y) <= self.border * max(1, abs(x))

    def text(self, x: Any) -> str:
        """Six digits."""
        return self.context.nstr(x, 6)


@lru_cache(maxsize=8)
def _context(digits: int) -> Any:
    import mpmath

    context = mpmath.mp.clone()
    context.dps = digits
    return context


def arithmetic(digits: int) -> Arb | Mp:
    """The best arithmetic that is installed."""
    return Arb(digits) if find_spec("flint") else Mp(digits)


class Evaluation:
    """The values of expressions at one point; opaque functions get random values, equal at equal arguments."""

    def __init__(self, numbers: Arb | Mp, point: dict[sp.Expr, sp.Rational], seed: object) -> None:
        self.numbers, self.point, self.seed = numbers, point, seed
        self.random = random.Random(f"opaque {seed}")
        self.memo: dict[sp.Expr, Any] = {}
        self.opaque: list[tuple[str, list, sp.Expr, sp.Rational]] = []

    def value(self, node: sp.Expr) -> Any:
        """The value of an expression, each node once."""
        found = self.memo.get(node)
        if found is None:
            found = self.memo[node] = self._value(node)
        return found

    def sign(self, node: sp.Expr) -> int | None:
        """The sign of an expression, None where it is not sure."""
        return self.numbers.sign(self.value(node))

    def everything(self) -> dict[sp.Expr, sp.Rational]:
        """The point, with the values that were given to opaque functions."""
        return {**self.point, **{node: value for _, _, node, value in self.opaque}}

    def _value(self, node: sp.Expr) -> Any:
        if isinstance(node, sp.Rational):
            return self.numbers.number(node)
        if isinstance(node, (sp.Symbol, Access)):
            return self.numbers.number(self.point[node])
        if isinstance(node, (sp.Add, sp.Mul)):
            return self._fold(node)
        if isinstance(node, sp.Pow):
            return self._power(node.base, node.exp)
        if isinstance(node, (sp.exp, sp.log, sp.erf, sp.sin, sp.cos)):
            return self._function(type(node).__name__, node.args[0])
        if isinstance(node, (step, equal)):
            return self._case(node)
        if node in (sp.pi, sp.E):
            return self.numbers.constant(node)
        if isinstance(node, (Defined, sp.core.function.AppliedUndef)):
            return self._opaque(node)
        raise Undecided(f"no rule for {type(node).__name__}")

    def _fold(self, node: sp.Expr) -> Any:
        total = self.value(node.args[0])
        for term in node.args[1:]:
            total = total + self.value(term) if isinstance(node, sp.Add) else total * self.value(term)
        return total

    def _function(self, name: str, argument: sp.Expr) -> Any:
        x = self.value(argument)
        if name == "log" and self.numbers.sign(x) != 1 or name == "exp" and not abs(x) < LARGEST_EXPONENT:
            raise Unreal
        return self.numbers.apply(name, x)

    def _power(self, base: sp.Expr, exponent: sp.Expr) -> Any:
        x, sign = self.value(base), self.sign(base)
        exponent = exponent.xreplace(self.point) if exponent.is_integer else exponent
        if isinstance(exponent, sp.Integer):
            if exponent < 0 and sign in (0, None) or abs(exponent) > LARGEST_EXPONENT:
                raise Unreal
            return x ** int(exponent) if exponent >= 0 else 1 / x ** int(-exponent)
        if sign == 0 and exponent.is_positive:
            return x
        if sign != 1:
            raise Unreal
        if exponent in (sp.S.Half, -sp.S.Half):
            root = self.numbers.apply("sqrt", x)
            return root if exponent > 0 else 1 / root
        return self.numbers.apply("exp", self.value(exponent) * self.numbers.apply("log", x))

    def _case(self, node: sp.Expr) -> Any:
        """A step or a bracket; where the sign is not sure there is no value."""
        sign = self.sign(node.args[0] if isinstance(node, step) else node.args[0] - node.args[1])
        if sign is None:
            raise Unreal
        if isinstance(node, equal):
            return self.numbers.number(sp.S.One if sign == 0 else sp.S.Zero)
        return self.value(node.args[1]) if sign == 0 else self.numbers.number(sp.Integer((sign + 1) // 2))

    def _opaque(self, node: sp.Expr) -> Any:
        name, values = function_key(node), [self.value(a) for a in node.args]
        for other, arguments, _, result in self.opaque:
            if name == other and len(values) == len(arguments) and all(map(self.numbers.same, values, arguments)):
                return self.numbers.number(result)
        result = sp.Rational(self.random.randrange(1, 2 * 10**6), 10**6)
        self.opaque.append((name, values, node, result))
        return self.numbers.number(result)
