"""How many terms an expression has when it is multiplied out: what keeps a small text from becoming an enormous polynomial.

Whoever multiplies out, factors or cancels asks here first, and leaves alone what is too large.
"""
from __future__ import annotations

import math
from collections import Counter

import sympy as sp

MOST_TERMS, MOST_WORK = 100, 20_000
"""Expressions with more terms are not multiplied out; the work grows with both sides of a fraction, and with the unknowns."""

_CAP = 10**9


def manageable(expression: sp.Expr) -> bool:
    """Whether an expression can be written over one denominator, multiplied out and factored in a moment.

    >>> a, b, c = sp.symbols("a b c")
    >>> manageable((a + b + c)**9), manageable((a + b + c)**64), manageable(1/(a + 1/(b + c)))
    (True, False, True)
    """
    above, factors = _terms(expression)
    below = _product(factors)
    return max(above, below) <= MOST_TERMS and above * below * 2 ** len(_unknowns(expression)) <= MOST_WORK


def few_terms(expression: sp.Expr) -> bool:
    """Whether a product has few terms when it is multiplied out.

    >>> a, b = sp.symbols("a b")
    >>> few_terms((a + b)*(a - b)), few_terms((a + b)**200)
    (True, False)
    """
    return _size(expression) <= MOST_TERMS


def _unknowns(node: sp.Basic) -> set[sp.Basic]:
    """What is neither a number nor made of others by sums, products and whole powers."""
    if node.is_Add or node.is_Mul:
        return set().union(*map(_unknowns, node.args))
    if node.is_Pow and node.exp.is_Integer:
        return _unknowns(node.base)
    return set() if node.is_number else {node}


def _size(expression: sp.Expr) -> int:
    """The number of terms of an expression's numerator."""
    return _terms(expression)[0]


def _terms(node: sp.Basic) -> tuple[int, Counter]:
    """The terms of the numerator, and the powers of the factors of the denominator; cancellation is left out."""
    if node.is_Add:
        parts = [_terms(a) for a in node.args]
        below: Counter = Counter()
        for _, divisor in parts:
            below |= divisor
        return _capped(sum(above * _product(below - divisor) for above, divisor in parts)), below
    if node.is_Mul:
        parts = [_terms(a) for a in node.args]
        return _capped(math.prod(above for above, _ in parts)), sum((divisor for _, divisor in parts), Counter())
    if node.is_Pow and node.exp.is_Integer:
        return _power(*_terms(node.base), node.base, int(node.exp))
    return 1, Counter()


def _power(above: int, below: Counter, base: sp.Expr, exponent: int) -> tuple[int, Counter]:
    if exponent < 0:
        return _capped(_product(below) ** -exponent), Counter({base: -exponent}) if above > 1 or not base.is_number else Counter()
    terms = math.comb(above + exponent - 1, exponent) if above < _CAP else _CAP
    return _capped(terms), Counter({b: p * exponent for b, p in below.items()})


def _product(factors: Counter) -> int:
    return _capped(math.prod(_size(base) ** power for base, power in factors.items()))


def _capped(count: int) -> int:
    return min(count, _CAP)
