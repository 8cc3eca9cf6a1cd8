"""The shape of an expression before it is evaluated: prepared, as a linear form, as the parts of a logarithm.

Stage: scalar SymPy expressions → what `field` and `balls` read.  Nothing here decides anything.
"""
from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import comb, prod

import sympy as sp
from sympy.core.sympify import _sympify
from sympy.functions.elementary.hyperbolic import HyperbolicFunction

from symbp.certify.cases import Undecided
from symbp.language.functions import Defined, expand_definitions, step
from symbp.language.tensor import Access

HALF = sp.Rational(1, 2)
LONGEST_FRACTION, LARGEST_RADICAND, MOST_TERMS = 20, 40, 2000
_AS_STEPS = {sp.Abs: lambda x: x * (2 * step(x, HALF) - 1), sp.sign: lambda x: 2 * step(x, HALF) - 1}
Linear = tuple[tuple[sp.Rational, sp.Expr], ...]
"""A sum of coefficient · monomial."""


def prepare(expression: sp.Expr, relations: Mapping[sp.Expr, sp.Expr] | None = None) -> sp.Expr:
    """Bring an expression to the few functions that are decided.

    Accesses get expanded indices, `relations` are substituted once, definitions are expanded, decimals become
    exact fractions, |x| and sign become steps, and hyperbolic functions exponentials.

    >>> prepare(Access("W", 2*(sp.Symbol("i") + 1)) * 0.5)
    W[2*i + 2]/2
    """
    expression = canonical_accesses(_sympify(expression))
    if relations:
        known = {canonical_accesses(_sympify(k)): _sympify(v) for k, v in relations.items()}
        expression = canonical_accesses(expression.xreplace(known))
    if any(isinstance(n, Defined) for n in nodes(expression)):
        expression = expand_definitions(expression)
    if decimals := {n: sp.Rational(str(n)) for n in nodes(expression) if isinstance(n, sp.Float)}:
        expression = expression.xreplace(decimals)
    if any(is_root_of_composite(n) for n in nodes(expression)):
        expression = expression.replace(is_root_of_composite, without_hidden_squares)
    for kind, rule in _AS_STEPS.items():
        if any(isinstance(n, kind) for n in nodes(expression)):
            expression = expression.replace(kind, rule)
    hyperbolic = any(isinstance(n, HyperbolicFunction) for n in nodes(expression))
    return expression.rewrite(sp.exp) if hyperbolic else expression


def is_root_of_composite(node: sp.Basic) -> bool:
    """Whether a node is a fractional power of more than a number or a variable."""
    return (isinstance(node, sp.Pow) and isinstance(node.exp, sp.Rational) and not node.exp.is_Integer
            and not node.base.is_number and not isinstance(node.base, (sp.Symbol, Access)))


@lru_cache(maxsize=1024)
def without_hidden_squares(root: sp.Pow) -> sp.Expr:
    """Take the squares out of a root: no root is left of which the sign would be that of a factor.

    >>> x, y = sp.symbols("x y")
    >>> without_hidden_squares(sp.sqrt(x**2*y + x**2))
    sqrt(y + 1)*Abs(x)
    """
    base = sp.factor(root.base) if len(nodes(root.base)) <= LARGEST_RADICAND else root.base
    inside, outside = [], []
    for factor, k in (f.as_base_exp() for f in sp.Mul.make_args(base)):
        whole = isinstance(k, sp.Integer) and factor is not sp.E
        outside.append(sp.Abs(factor) ** (root.exp * (k - k % 2)) if whole else 1)
        inside.append(factor ** (k % 2) if whole else factor**k)
    return sp.Mul(*outside) * sp.Mul(*inside) ** root.exp if any(f != 1 for f in outside) else root


@lru_cache(maxsize=1024)
def nodes(expression: sp.Basic) -> frozenset[sp.Basic]:
    """Every node of an expression, each once, also those inside an access's indices."""
    found, todo = set(), [expression]
    while todo:
        node = todo.pop()
        if node not in found:
            found.add(node)
            todo.extend(node.args)
    return frozenset(found)


def canonical_accesses(expression: sp.Expr) -> sp.Expr:
    """Write every index expression as a sum of terms, so that equal positions are equal nodes."""
    found = [n for n in nodes(expression) if isinstance(n, Access)]
    changed = {a: b for a in found if (b := Access(a.name, *map(sp.expand, a.indices))) != a}
    return expression.xreplace(changed) if changed else expression


def variables(*expressions: sp.Expr) -> tuple[sp.Expr, ...]:
    """The symbols and accesses that are variables of the comparison, an access whole, in a fixed order."""
    found, seen, todo = set(), set(), list(expressions)
    while todo:
        node = todo.pop()
        if isinstance(node, (Access, sp.Symbol)):
            found.add(node)
        elif node not in seen:
            seen.add(node)
            todo.extend(node.args)
    return tuple(sorted(found, key=sp.default_sort_key))


def counters(*expressions: sp.Expr) -> tuple[sp.Symbol, ...]:
    """The symbols that count positions of accesses."""
    elements = {n for e in expressions for n in nodes(e) if isinstance(n, Access)}
    found = {n for a in elements for index in a.indices for n in nodes(index) if isinstance(n, sp.Symbol)}
    return tuple(sorted(found, key=sp.default_sort_key))


def positive_by_domain(expression: sp.Expr) -> set[sp.Expr]:
    """The variables that must be positive for the expression to be real: those right under log, roots, x**y."""
    found = set()
    for node in nodes(expression):
        inside = isinstance(node, sp.log) or isinstance(node, sp.Pow) and not node.exp.is_integer
        if inside and isinstance(node.args[0], (sp.Symbol, Access)):
            found.add(node.args[0])
    return found


@lru_cache(maxsize=8192)
def linear(expression: sp.Expr, joined: bool = False) -> Linear:
    """Write an expression as Σ coefficient · monomial; `joined`: over one denominator, which stays closed.

    >>> x = sp.Symbol("x")
    >>> linear(3*x*(x + 2))
    ((3, x**2), (6, x))
    """
    numerator, denominator = sp.fraction(sp.together(expression)) if joined else (expression, sp.S.One)
    pairs = (term.as_coeff_Mul(rational=True) for term in sp.Add.make_args(opened(numerator)))
    return tuple((c, m / denominator) for c, m in pairs if c)


def opened(expression: sp.Expr) -> sp.Expr:
    """The expression with its products and powers of sums multiplied out, where there are any.

    What stands in a function, a root or a denominator stays as it is.  Raises `Undecided` where the terms are too many.

    >>> x, y = sp.symbols("x y")
    >>> opened((x + y)*(x + sp.exp(x*(x + 1))))
    x**2 + x*y + x*exp(x*(x + 1)) + y*exp(x*(x + 1))
    """
    factors = (f.as_base_exp() for term in sp.Add.make_args(expression) for f in sp.Mul.make_args(term))
    if not (expression.is_Add and any(t.is_Add for t in expression.args) or any(
            base.is_Add and exponent.is_Integer and exponent > 0 and base is not expression for base, exponent in factors)):
        return expression
    closed: dict[sp.Expr, sp.Dummy] = {}
    shell = _shell(expression, closed, {})[0]
    return sp.expand(shell, power_base=False, power_exp=False, log=False).xreplace({d: e for e, d in closed.items()})


def _shell(node: sp.Expr, closed: dict[sp.Expr, sp.Dummy], memo: dict[sp.Expr, tuple[sp.Expr, int]]) -> tuple[sp.Expr, int]:
    """The sums, products and whole powers of an expression, a letter for all else; and how many terms it has when multiplied out."""
    if node in memo:
        return memo[node]
    if node.is_Add or node.is_Mul:
        parts = [_shell(a, closed, memo) for a in node.args]
        counts = [count for _, count in parts]
        result = node.func(*(part for part, _ in parts)), sum(counts) if node.is_Add else prod(counts)
    elif node.is_Pow and node.exp.is_Integer and node.exp > 0:
        base, count = _shell(node.base, closed, memo)
        result = base**node.exp, comb(count + int(node.exp) - 1, int(node.exp))
    elif node.is_number or node.is_Symbol:
        result = node, 1
    else:
        result = closed.setdefault(node, sp.Dummy(real=node.is_real, positive=node.is_positive)), 1
    if result[1] > MOST_TERMS:
        raise Undecided("too many terms")
    memo[node] = result
    return result


@lru_cache(maxsize=8192)
def primitive(expression: sp.Expr) -> sp.Expr:
    """The expression without a positive rational factor."""
    return expression.as_content_primitive()[1]


def sign_factors(expression: sp.Expr) -> tuple[sp.Expr, ...]:
    """Expressions whose signs' product is the sign of this one; positive numbers, e^x, roots and even powers are left out.

    >>> x, y = sp.symbols("x y")
    >>> sign_factors(-2*x*y**2)
    (-1, x)
    """
    kept = []
    for factor in sp.Mul.make_args(primitive(expression)):
        base, exponent = factor.as_base_exp()
        if not (base is sp.E or factor.is_positive or exponent.is_even or exponent.is_integer is False):
            kept.append(base if exponent.is_odd else factor)
    return tuple(kept)


def has_open_denominator(expression: sp.Expr) -> bool:
    """Whether the expression divides by a sum."""
    return any(p.exp.is_number and p.exp.is_negative and p.base.is_Add for p in nodes(expression) if isinstance(p, sp.Pow))


Parts = tuple[tuple[sp.Rational, bool, sp.Expr], ...]
"""Σ coefficient · (log e where the flag is set, else e)."""


@lru_cache(maxsize=8192)
def log_parts(u: sp.Expr) -> Parts:
    """Write log|u| as a sum: products, powers and exponentials opened, the common factor of a sum taken out.

    >>> x, y = sp.symbols("x y")
    >>> log_parts(x**2*sp.exp(y))
    ((2, True, x), (1, False, y))
    """
    if isinstance(u, sp.Rational):
        primes = sp.factorrat(abs(u), limit=1000) if u else {u: 1}
        return tuple((sp.Integer(k), True, sp.Integer(q)) for q, k in primes.items() if q != 1)
    if isinstance(u, sp.Mul):
        return tuple(part for factor in u.args for part in log_parts(factor))
    base, exponent = u.as_base_exp()
    if base is sp.E:
        return ((sp.S.One, False, exponent),)
    if isinstance(exponent, sp.Rational) and exponent != 1:
        return scaled(exponent, log_parts(base))
    return _log_of_sum(u) if isinstance(u, sp.Add) else ((sp.S.One, True, u),)


def scaled(factor: sp.Rational, parts: Parts) -> Parts:
    """The parts times a number."""
    return tuple((factor * k, is_log, e) for k, is_log, e in parts)


def _log_of_sum(u: sp.Add) -> Parts:
    if has_open_denominator(u) and len(u.args) <= LONGEST_FRACTION:
        numerator, denominator = sp.fraction(sp.together(u))
        if denominator != 1:
            return log_parts(sp.expand(numerator)) + scaled(sp.S.NegativeOne, log_parts(denominator))
    content, powers = _common_factor(u)
    parts = log_parts(content)
    for generator, exponent in powers.items():
        parts += scaled(exponent, log_parts(generator))
    factor = content * sp.Mul(*(g**e for g, e in powers.items()))
    rest = u if factor == 1 else sp.Mul(u, 1 / factor, evaluate=False)
    return (*parts, (sp.S.One, True, rest))


def _common_factor(u: sp.Add) -> tuple[sp.Rational, dict[sp.Expr, sp.Rational]]:
    """The content of a sum and the lowest power of each generator; a generator absent from a term has power 0."""
    coefficients, powers = zip(*(_powers(t) for t in sp.Add.make_args(opened(u))))
    exponents: dict[sp.Expr, list[sp.Rational]] = {}
    for generator, exponent in (item for p in powers for item in p.items()):
        exponents.setdefault(generator, []).append(exponent)
    lowest = {g: min(e) if len(e) == len(powers) else min(0, *e) for g, e in exponents.items()}
    content = sp.Rational(sp.igcd(*(c.p for c in coefficients)), sp.ilcm(1, *(c.q for c in coefficients)))
    return content, {g: e for g, e in lowest.items() if e}


def _powers(term: sp.Expr) -> tuple[sp.Rational, dict[sp.Expr, sp.Rational]]:
    """A term as a coefficient and rational powers, with e^{2a+b} as (e^a)²·e^b."""
    coefficient, monomial = term.as_coeff_Mul(rational=True)
    powers: dict[sp.Expr, sp.Rational] = {}
    for factor in sp.Mul.make_args(monomial):
        base, exponent = factor.as_base_exp()
        if base is sp.E:
            found = [(sp.exp(m), c) for c, m in linear(exponent)]
        else:
            found = [(base, exponent) if isinstance(exponent, sp.Rational) else (factor, sp.S.One)]
        for g, e in found:
            powers[g] = powers.get(g, sp.S.Zero) + e
    return coefficient, powers
