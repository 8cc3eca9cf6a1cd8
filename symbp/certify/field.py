"""Equality at random points of a large prime field, where a function's value is drawn anew for each new argument.

An identity that holds here holds by the rules below alone, whatever the functions are (false with probability
below 2⁻¹⁰⁰).  The rules: e^{Σ c m} = Π (e^m)^c, log of products and powers, e^{log a} = a, roots of positive
numbers, s² = s and s(-x) = 1 - s(x) of steps.  Two sides that differ may still be equal by a rule not listed.
"""
from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from fractions import Fraction
from hashlib import blake2b

import sympy as sp
from sympy.core.function import AppliedUndef

from symbp.certify.cases import (
    MOST_BITS,
    P,
    Q,
    Undecided,
    Value,
    add,
    impossible,
    lift,
    multiply,
    nonzero_cases,
    support,
)
from symbp.certify.terms import (
    has_open_denominator,
    linear,
    log_parts,
    nodes,
    positive_by_domain,
    primitive,
    sign_factors,
)
from symbp.language.functions import Defined, equal, step
from symbp.language.tensor import Access

POINTS, POINTS_WITH_ROOTS, REDRAWS = 4, 40, 200
MOST_OPENED, MOST_CASES, LARGEST_FRACTION = 4, 128, 40


class Redraw(Exception):
    """This point will not do: a division by zero, or a root of what is no square."""


def equal_in_field(a: sp.Expr, b: sp.Expr, positive: Collection[sp.Expr] = (), seed: int = 0) -> tuple[bool, bool]:
    """Return whether two prepared expressions agree at all points, and whether roots were drawn on the way.

    Raises Undecided where no point can be evaluated or a node has no rule.
    """
    same, rooted = _agree(a, b, positive, seed, False)
    fractions = [f.args[0] for f in nodes(a) | nodes(b) if isinstance(f, sp.exp) and has_open_denominator(f.args[0])]
    if not same and fractions and all(len(nodes(f)) <= LARGEST_FRACTION for f in fractions):
        return _agree(a, b, positive, seed, True)
    return same, rooted


def _agree(a: sp.Expr, b: sp.Expr, positive: Collection[sp.Expr], seed: int, joined: bool) -> tuple[bool, bool]:
    positive = {*positive, *positive_by_domain(a), *positive_by_domain(b)}
    met, number, rooted = 0, 0, False
    while met < (POINTS_WITH_ROOTS if rooted else POINTS):
        if number >= met * 8 + REDRAWS:
            raise Undecided(f"{REDRAWS} random points of the prime field gave a division by zero or a root of no square")
        point, number = Point(seed, number, positive, joined), number + 1
        try:
            same = point.agree(a, b)
        except Redraw:
            continue
        met, rooted = met + 1, rooted or point.rooted
        if not same:
            return False, rooted
    return True, rooted


def field_power(v: int, exponent: sp.Rational) -> int:
    """A rational power of a field element; roots are those of squares, and squares themselves."""
    if v == 0:
        if exponent < 0:
            raise Redraw
        return 0
    if exponent.q == 1:
        return pow(v, int(exponent), P)
    if pow(v, Q, P) != 1:
        raise Redraw
    return pow(v, exponent.p * pow(exponent.q, -1, Q) % Q, P)


class Point:
    """A random point: values of variables, and of functions by a keyed hash of their arguments' values."""

    def __init__(self, seed: int, number: int, positive: Collection[sp.Expr] = (), joined: bool = False) -> None:
        self.key = f"{seed}/{number}".encode()
        self.random = random.Random(f"{seed}/{number}")
        self.positive, self.joined = positive, joined
        self.memo: dict[sp.Expr, Value] = {}
        self.bits: dict[tuple, int] = {}
        self.forms: dict[int, sp.Expr] = {}
        self.rooted = False

    def agree(self, a: sp.Expr, b: sp.Expr) -> bool:
        """Whether two expressions have one value here, in every possible case of their steps."""
        for p in self.positive:
            if not isinstance(p, (sp.Symbol, Access)):
                lift(lambda v: field_power(v, sp.Rational(1, 2)), self.value(p))
        difference = add((self.value(a), multiply(P - 1, self.value(b))))
        cases = enumerate(nonzero_cases(difference))
        return all(k < MOST_CASES and self._cannot_be(case) for k, case in cases)

    def value(self, node: sp.Expr) -> Value:
        """The value of an expression, each node once."""
        found = self.memo.get(node)
        if found is None:
            found = self.memo[node] = self._value(node)
        return found

    def _value(self, node: sp.Expr) -> Value:
        if isinstance(node, sp.Rational):
            return node.p * pow(node.q, -1, P) % P
        if isinstance(node, (sp.Symbol, Access)):
            return self._variable(node)
        if isinstance(node, sp.Add):
            return add(map(self.value, node.args))
        if isinstance(node, sp.Mul):
            return self._product(map(self.value, node.args))
        if isinstance(node, sp.Pow):
            return self._power(node.base, node.exp)
        for kind, rule in _RULES.items():
            if isinstance(node, kind):
                return rule(self, *node.args)
        if isinstance(node, (Defined, AppliedUndef, sp.erf, sp.sin, sp.cos)):
            return lift(lambda *v: self.hashed(function_key(node), *v), *map(self.value, node.args))
        if node is sp.pi:
            return pow(self.hashed("pi"), 2, P)
        raise Undecided(f"no rule for {type(node).__name__}")

    def hashed(self, *key: object) -> int:
        """A random field element for a key."""
        return int.from_bytes(blake2b(repr(key).encode(), key=self.key, digest_size=32).digest(), "big") % P

    def _variable(self, node: sp.Expr) -> int:
        drawn = self.random.randrange(2, P)
        return drawn * drawn % P if node in self.positive or node.is_positive else drawn

    def _is_square(self, base: sp.Expr) -> bool:
        """Whether the base is a square at every point, so that no sign is drawn with its root."""
        return base.is_number or base in self.positive or isinstance(base, (sp.Symbol, Access)) and bool(base.is_positive)

    def _product(self, values: Iterable[Value]) -> Value:
        result: Value = 1
        for value in values:
            result = multiply(result, value)
        return result

    def _power(self, base: sp.Expr, exponent: sp.Expr) -> Value:
        """base^{Σ c m}: the constant term is a power proper, the others exponentials of m·log|base|."""
        if isinstance(exponent, sp.Rational):
            self.rooted |= exponent.q != 1 and not self._is_square(base)
            return lift(lambda v: field_power(v, exponent), self.value(base))
        self.rooted |= not self._is_square(base)
        return self._product(self._power(base, c) if m == 1 else self._symbolic(base, c, m)
                             for c, m in linear(exponent, self.joined))

    def _symbolic(self, base: sp.Expr, c: sp.Rational, m: sp.Expr) -> Value:
        """base^{c·m}; a negative base is allowed for integers c·m, and gives a sign that only m decides."""
        factors = [self._exp(m * k * c * e) if not is_log else
                   lift(lambda x, y, k=k: self._exp_monomial(x * y % P, k * c), self.value(m), lift(self._log_atom, self.value(e)))
                   for k, is_log, e in log_parts(base)]

        def sign(v: int, w: int) -> int:
            if v == 0 or pow(v, Q, P) != 1 and not (c * m).is_integer:
                raise Redraw
            return 1 if pow(v, Q, P) == 1 or self.hashed("sign", w) % 2 else P - 1
        return self._product([*factors, lift(sign, self.value(base), self.value(c * m))])

    def _exp(self, argument: sp.Expr) -> Value:
        return self._product(self._exp_term(c, m) for c, m in linear(argument, self.joined))

    def _exp_term(self, c: sp.Rational, m: sp.Expr) -> Value:
        logs = [f for f in sp.Mul.make_args(m) if isinstance(f, sp.log)]
        if len(logs) == 1:
            return self._power(logs[0].args[0], c * m / logs[0])
        return lift(lambda v: self._exp_monomial(v, c), self.value(m))

    def _exp_monomial(self, v: int, c: sp.Rational) -> int:
        """(e^v)^c; e^{-v} is 1/e^v."""
        if v == 0:
            return 1
        v, c = (v, c) if v <= Q else (P - v, -c)
        root = self.hashed("exp", v)
        return pow(root * root, c.p * pow(c.q, -1, Q) % Q, P)

    def _log(self, argument: sp.Expr) -> Value:
        return add(multiply(self.value(k), lift(self._log_atom, self.value(e)) if is_log else self.value(e))
                   for k, is_log, e in log_parts(argument))

    def _log_atom(self, v: int) -> int:
        """log|v|."""
        if v == 0:
            raise Redraw
        return 0 if v in (1, P - 1) else self.hashed("log", min(v, P - v))

    def _step(self, x: sp.Expr, at_zero: sp.Expr) -> Value:
        """The sign of a product is that of its factors; a step in the argument is opened by cases."""
        inner = sorted(x.atoms(step), key=lambda s: (s.count_ops(), sp.default_sort_key(s)))
        if len(inner) > MOST_OPENED and support(self.value(x)).bit_count() > MOST_BITS:
            return self._whole_step(self.value(x), at_zero)
        if 0 < len(inner) <= MOST_OPENED:
            off, on = (self.value(step(x.xreplace({inner[0]: v}), at_zero)) for v in (sp.S.Zero, sp.S.One))
            return add((off, multiply(self.value(inner[0]), add((on, multiply(P - 1, off))))))
        factors = sign_factors(x)

        def rule(v: int, *factor_values: int) -> Value:
            if v == 0:
                return self.value(at_zero)
            signs = self._product(map(self._sign, factors, factor_values))
            return multiply(add((1, signs)), Q + 1)
        return lift(rule, self.value(x), *map(self.value, factors))

    def _whole_step(self, x: Value, at_zero: sp.Expr) -> Value:
        """A 0/1 variable of its own for an argument with too many steps in it, which may be 0 at more than a border."""
        if at_zero not in (0, 1):
            raise Undecided("too many steps in one argument")
        return {self._bit(f"step {at_zero}", tuple(sorted(x.items())), sp.nan): 1}

    def _sign(self, form: sp.Expr, v: int) -> Value:
        """2s - 1 for a 0/1 variable s, one for v and -v."""
        if form == -1 or form in self.positive:
            return P - 1 if form == -1 else 1
        form = form if v <= Q else -form
        bit = self._bit("step", min(v, P - v), form)
        return {0: P - 1, bit: 2} if v <= Q else {0: 1, bit: P - 2}

    def _equal(self, a: sp.Expr, b: sp.Expr) -> Value:
        x = primitive(a - b)
        if isinstance(x, sp.Rational):
            return int(x == 0)
        return lift(lambda v: {self._bit("equal", min(v, P - v), sp.nan): 1} if v else 1, self.value(x))

    def _bit(self, kind: str, v: int | tuple, form: sp.Expr) -> int:
        bit = self.bits.setdefault((kind, v), 1 << len(self.bits))
        self.forms.setdefault(bit, form)
        return bit

    def _cannot_be(self, case: dict[int, bool]) -> bool:
        """Whether the signs that a case gives to linear forms contradict each other."""
        signs = [(self.forms[bit], on) for bit, on in case.items() if self.forms[bit] is not sp.nan]
        return signs_impossible(signs, self.positive)


_RULES = {sp.exp: Point._exp, sp.log: Point._log, step: Point._step, equal: Point._equal,
          type(sp.E): lambda point: point._exp(sp.S.One)}


def function_key(node: sp.Expr) -> str:
    """The name under which a function's values are drawn: opaque functions of one name and order are one.

    >>> function_key(sp.sin(1))
    'sin'
    """
    kind = type(node)
    return f"{(kind.base or kind).__name__}{kind.orders}" if isinstance(node, Defined) else kind.__name__


def signs_impossible(signs: Iterable[tuple[sp.Expr, bool]], positive: Collection[sp.Expr] = ()) -> bool:
    """Whether no point gives each expression its sign (True: positive, False: negative)."""
    rows = [{m: Fraction(c.p, c.q if up else -c.q) for c, m in linear(x)} for x, up in signs if not x.has(step, equal)]
    if not rows:
        return False
    monomials = {m for row in rows for m in row}
    known = [{m: 1} for m in monomials if m == 1 or all(_is_positive(f, positive) for f in sp.Mul.make_args(m))]
    return impossible([*rows, *known])


def _is_positive(factor: sp.Expr, positive: Collection[sp.Expr]) -> bool:
    base = factor.as_base_exp()[0]
    return base in positive or bool(base.is_positive) or not sign_factors(factor)
