"""Quotients of exponentials that stay between bounds, written through functions that no argument makes overflow.

Stage: expression → equal expression.

    e^u/(1 + e^u)                      ⇒   σ(u)
    e^(−u)/(1 + e^(−u))²               ⇒   σ(u) (1 − σ(u))
    4/(e^u + e^(−u))²                  ⇒   1 − tanh²(u)

With s = σ(u) an exponential is e^u = s/(1 − s), and a quotient is bounded where that makes it a polynomial in s.  Which functions there
are is the language's table `BOUNDED`.  Derived functions (σ′, SiLU″) are opened first, since their definitions are such quotients.
"""
from __future__ import annotations

import math

import sympy as sp

from symbp.language.functions import BOUNDED, Defined
from symbp.language.tensor import Access
from symbp.passes.relations import exponents_of, hidden, powers, reveal


def bounded(expression: sp.Expr) -> sp.Expr:
    """The expression with its bounded quotients of exponentials as polynomials in σ or tanh.

    >>> z = sp.Symbol("z", real=True)
    >>> bounded(3*sp.exp(z)/(1 + sp.exp(z))).has(sp.exp)
    False
    """
    expression = _opened(expression)
    if not expression.has(sp.exp):
        return expression
    made = reveal(_rewritten(powers(expression)))
    written = {(type(f), sp.expand(f.args[0])): f for f in expression.atoms(Defined)}
    return made.xreplace({f: written.get((type(f), sp.expand(f.args[0])), f) for f in made.atoms(Defined)})


def _opened(expression: sp.Expr) -> sp.Expr:
    """The expression with every derived function replaced by its definition."""
    while found := {f: f.expanded() for f in expression.atoms(Defined) if any(f.orders) and f.definition is not None}:
        expression = expression.xreplace(found)
    return expression


def _rewritten(node: sp.Expr) -> sp.Expr:
    """The largest parts that are quotients of the powers of one exponential, rewritten where they are bounded."""
    if not node.has(hidden) or isinstance(node, (hidden, Access)) or node.is_Atom:
        return node
    bases = node.atoms(hidden)
    if node.is_Mul or node.is_Add:
        for base in sorted(bases, key=sp.default_sort_key):
            inner = [a for a in node.args if a.has(base) and not a.xreplace({base: sp.Dummy()}).has(Access, hidden, sp.Function)]
            made = _polynomial(node.func(*inner), base) if inner else None
            if made is not None:
                return node.func(made, *(_rewritten(a) for a in node.args if a not in inner))
    if len(bases) == 1 and not node.xreplace({next(iter(bases)): sp.Dummy()}).has(Access, sp.Function):
        made = _polynomial(node, next(iter(bases)))
        if made is not None:
            return made
    return node.func(*map(_rewritten, node.args))


def _polynomial(quotient: sp.Expr, base: hidden) -> sp.Expr | None:
    """A quotient in powers of one exponential as a polynomial in a bounded function, the shortest; None where there is none."""
    exponents = exponents_of(quotient, base)
    if not exponents or not all(e.is_Rational for e in exponents) or base.args[0].is_number:
        return None
    unit = sp.Rational(math.gcd(*(e.p for e in exponents)), math.lcm(*(e.q for e in exponents)))
    u = base.args[0].args[0]
    power, value = sp.Dummy("e", positive=True), sp.Dummy("f")
    plain = quotient.xreplace({base**e: power ** (e / unit) for e in exponents})
    top, bottom = sp.fraction(sp.cancel(sp.together(plain)))
    if plain.free_symbols != {power} or not bottom.has(power):
        return None
    every = math.gcd(*(m[0] for p in (top, bottom) for m in sp.Poly(p, power).monoms()))
    top, bottom = (sp.expand(p).subs(power, power ** sp.Rational(1, every)) for p in (top, bottom))
    found = []
    for function, scale, inverse in BOUNDED:
        made = sp.cancel(sp.together((top / bottom).subs(power, inverse(value))))
        if not sp.fraction(made)[1].has(value):
            found.append(_signed(sp.factor(made)).subs(value, function(unit * every * u / scale)))
    return min(found, key=lambda e: e.count_ops(), default=None)


def _signed(value: sp.Expr) -> sp.Expr:
    """The shortest reading: −a(a − 1) as a(1 − a), −(t − 1)(t + 1) as 1 − t²."""
    from symbp.passes.normal import absorb_signs
    return min((absorb_signs(value), sp.expand(value)), key=lambda e: (e.count_ops(), str(e)))
