"""Field elements that depend on steps and brackets: multilinear polynomials in 0/1 variables over a prime field.

A value is an `int`, or a dict {mask: coefficient} where the bits of the mask say which 0/1 variables the
coefficient is multiplied with.  As s² = s, two values are equal exactly when their coefficients are: no case is
missed by chance.  `impossible` tells which cases no real point has.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from itertools import product

import sympy as sp

P = 751556870851867852481230589854488101639206216799
"""The field's prime.  (P-1)/2 is prime, so that squares have unique roots of every order, which are squares too and
stand for the positive numbers; -1 is no square, the primes up to 61 are."""
Q = (P - 1) // 2

Value = int | dict[int, int]
MOST_BITS, MOST_TERMS = 8, 20_000


class Undecided(Exception):
    """The question is outside of what this method decides; the message says why."""


def add(values: Iterable[Value]) -> Value:
    """The sum of values."""
    plain, total = 0, {}
    for value in values:
        if isinstance(value, int):
            plain += value
        else:
            for mask, c in value.items():
                total[mask] = total.get(mask, 0) + c
    total[0] = total.get(0, 0) + plain
    return _reduced(total)


def multiply(x: Value, y: Value) -> Value:
    """The product of two values."""
    if isinstance(x, int) and isinstance(y, int):
        return x * y % P
    x, y = ({0: v} if isinstance(v, int) else v for v in (x, y))
    if len(x) * len(y) > MOST_TERMS:
        raise Undecided("too many combinations of steps")
    total: dict[int, int] = {}
    for (m, c), (n, d) in product(x.items(), y.items()):
        total[m | n] = total.get(m | n, 0) + c * d
    return _reduced(total)


def _reduced(total: dict[int, int]) -> Value:
    kept = {mask: c for mask, v in total.items() if (c := v % P)}
    return kept.get(0, 0) if all(mask == 0 for mask in kept) else kept


def restrict(value: Value, bit: int, on: bool) -> Value:
    """The value where one 0/1 variable is known."""
    if isinstance(value, int):
        return value
    if on:
        return add({mask & ~bit: c} for mask, c in value.items())
    return _reduced({mask: c for mask, c in value.items() if not mask & bit})


def support(*values: Value) -> int:
    """The mask of the 0/1 variables on which values depend."""
    bits = 0
    for value in values:
        if not isinstance(value, int):
            for mask in value:
                bits |= mask
    return bits


def lift(function: Callable[..., Value], *values: Value, depth: int = 0) -> Value:
    """Apply a function of field elements in every case of the steps on which its arguments depend."""
    bits = support(*values)
    if not bits:
        return function(*values)
    if depth == MOST_BITS:
        raise Undecided("too many steps in one argument")
    bit = bits & -bits
    off, on = (lift(function, *(restrict(v, bit, b) for v in values), depth=depth + 1) for b in (False, True))
    return add((off, multiply({bit: 1}, add((on, multiply(P - 1, off))))))


def nonzero_cases(value: Value) -> Iterable[dict[int, bool]]:
    """The settings of the 0/1 variables at which a value is not 0."""
    bits = support(value)
    if not bits:
        if value:
            yield {}
        return
    bit = bits & -bits
    for on in (False, True):
        for case in nonzero_cases(restrict(value, bit, on)):
            yield {bit: on, **case}


Row = Mapping[sp.Expr, Fraction | int]
"""Σ coefficient · monomial > 0, with 1 as the constant's monomial."""


def impossible(rows: Iterable[Row], most: int = 400) -> bool:
    """Whether no real point satisfies all the strict inequalities, by Fourier-Motzkin elimination.

    Monomials count as independent, so that True is a proof; False says nothing.

    >>> x = sp.Symbol("x")
    >>> impossible([{x: 1}, {x: -1, sp.S.One: -1}]), impossible([{x: 1}, {x: -1, sp.S.One: 1}])
    (True, False)
    """
    system = [dict(row) for row in rows]
    while monomials := sorted({m for r in system for m in r if m != 1}, key=sp.default_sort_key):
        m = monomials[0]
        up = [r for r in system if r.get(m, 0) > 0]
        down = [r for r in system if r.get(m, 0) < 0]
        system = [r for r in system if not r.get(m, 0)] + [_eliminate(m, a, b) for a in up for b in down]
        system = [{k: c for k, c in r.items() if c} for r in system]
        if any(all(k == 1 for k in r) and r.get(sp.S.One, 0) <= 0 for r in system):
            return True
        if len(system) > most:
            return False
    return any(r.get(sp.S.One, 0) <= 0 for r in system)


def _eliminate(m: sp.Expr, a: Row, b: Row) -> dict[sp.Expr, Fraction]:
    return {k: Fraction(a.get(k, 0)) / a[m] - Fraction(b.get(k, 0)) / b[m] for k in {*a, *b} if k != m}
