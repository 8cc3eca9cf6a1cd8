"""Oriented relations: every elementwise definition, solved for what it was made of.

    e[n,k] = exp(z[n,k])     ⇒  exp(z) → e
    p[n,k] = e[n,k] / S[n]   ⇒  e → p·S
    a[j]   = 1/(1 + e^{−z})  ⇒  e^{z} → a/(1 − a)
    s[j]   = √(v[j] + ε)     ⇒  √(v + ε) → s

Stage: L1 Program → relations.  Nothing here names a function: a definition is expanded to primitives, its
exponentials become powers of one unknown, and the relation is solved where it is linear in a power of it.
"""
from __future__ import annotations

import math
from dataclasses import dataclass, replace

import sympy as sp

from symbp.language.equation import walk
from symbp.language.functions import expand_definitions
from symbp.language.index import Index, indices_of
from symbp.language.order import sole_writers
from symbp.language.program import Program
from symbp.language.spread import manageable
from symbp.language.tensor import Access, accesses
from symbp.passes.closed import unify


@dataclass(frozen=True)
class Relation:
    """`source^power = value`, where source is exp(argument), an access, or what stands under a root; value uses the defined tensor.

    domain: the conditions, each ≥ 0, on which it holds.
    """

    source: sp.Expr
    power: sp.Expr
    value: sp.Expr
    tensor: str
    domain: tuple[sp.Expr, ...] = ()

    def apply(self, atom: sp.Expr, known: tuple[sp.Expr, ...] = ()) -> tuple[sp.Expr, sp.Expr] | None:
        """The value and power for an atom of the same pattern where its domain is `known` to hold, or None."""
        found = unify(self.source, atom, indices_of(self.source))
        if found is None or not {sp.expand(c.xreplace(found)) for c in self.domain} <= {*known}:
            return None
        return self.value.xreplace(found), self.power


def relations(program: Program) -> tuple[Relation, ...]:
    """All relations of a program's elementwise definitions, in order.

    An element with further contributions is not defined by one equation; a state's next row never replaces its last.
    """
    found: list[Relation] = []
    sole = sole_writers(program)
    for eq, _ in walk(program.statements):
        if eq in sole and eq.op == "sum" and not eq.over and eq.body != 0:
            found += (replace(relation, domain=eq.domain) for relation in _solve(eq.target, eq.body))
    return tuple(found)


def _solve(target: Access, body: sp.Expr) -> list[Relation]:
    """Solve target = body for each exponential and each access that determines all indices of the target."""
    body = expand_definitions(body)
    outside = accesses(powers(body).replace(lambda e: isinstance(e, hidden), lambda _: sp.Dummy()))
    if len(outside) > 4:
        return []
    indices = {i for e in target.indices for i in indices_of(e)}
    same_element = [a for a in outside if set(a.indices) == set(target.indices)]
    sources = [exponential(arguments)[0] for arguments in _exponents(body)] + same_element
    root = is_root(body) and indices <= body.base.atoms(Index)
    solved = [Relation(body.base, body.exp, target, target.name)] if root else []
    for source in dict.fromkeys(sources):
        if indices <= source.atoms(Index) and source != target:
            answer = _solve_for(target, body, source)
            if answer is not None:
                solved.append(Relation(source, answer[0], answer[1], target.name))
    return solved


def is_root(expression: sp.Expr) -> bool:
    """Whether an expression is a root of a sum: √(v + ε), or a power of one.

    >>> x = sp.Symbol("x")
    >>> is_root(1/sp.sqrt(x + 1)), is_root(sp.sqrt(x)), is_root((x + 1)**2)
    (True, False, False)
    """
    return expression.is_Pow and expression.base.is_Add and expression.exp.is_Rational and not expression.exp.is_Integer


def _exponents(body: sp.Expr) -> list[sp.Expr]:
    return [e.args[0] for e in sorted(body.atoms(sp.exp), key=sp.default_sort_key)]


def exponential(argument: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Write exp(argument) as exp(base)^power with a base of positive leading sign.

    >>> exponential(-2*sp.Symbol("z"))
    (exp(z), -2)
    """
    power, base = argument.as_content_primitive()
    if base.could_extract_minus_sign():
        power, base = -power, -base
    return sp.exp(base), power


def powers(expression: sp.Expr) -> sp.Expr:
    """Every exponential as a power of its base, with the bases as opaque symbols' place holders."""
    return expression.replace(lambda e: isinstance(e, sp.exp),
                              lambda e: hidden(exponential(e.args[0])[0]) ** exponential(e.args[0])[1])


class hidden(sp.Function):
    """An exponential that SymPy must not combine while a relation is solved."""

    nargs = 1
    is_positive = True


def reveal(expression: sp.Expr) -> sp.Expr:
    """The inverse of hiding."""
    return expression.replace(lambda e: isinstance(e, hidden), lambda e: e.args[0])


def _solve_for(target: Access, body: sp.Expr, source: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
    """(k, value) with source^k = value, where target·denominator − numerator has two powers of the source.

    None where there are more, or where the value would bring in other exponentials.
    """
    unknown = sp.Dummy("u", positive=True)
    hidden_body = powers(body)
    key = hidden(source) if isinstance(source, sp.exp) else source
    exponents = exponents_of(hidden_body, key)
    if hidden_body.atoms(hidden) - {key} or not exponents or not all(e.is_Rational for e in exponents):
        return None
    unit = sp.Rational(math.gcd(*(e.p for e in exponents)), math.lcm(*(e.q for e in exponents)))
    plain = hidden_body.xreplace({key ** e: unknown ** (e / unit) for e in exponents})
    if any(f.has(unknown) for f in plain.atoms(sp.Function, sp.exp)) or not manageable(target - plain):
        return None
    try:
        polynomial = sp.Poly(sp.expand(sp.numer(sp.together(target - plain))), unknown)
    except sp.PolynomialError:
        return None
    terms = polynomial.terms()
    if len(terms) != 2:
        return None
    ((high,), above), ((low,), below) = terms
    value = sp.factor(-below / above)
    if not _never_zero(reveal(above.xreplace({target: body}))):
        return None
    return ((high - low) * unit, value) if target in accesses(value) else None


def _never_zero(expression: sp.Expr) -> bool:
    """Whether an expression is a quotient of sums of positive exponentials: a product of these has no zero that a relation would divide by.

    a = z/(1 + e^(−z)) has the zero z = 0, where e^(−z) = (z − a)/a says nothing.
    """
    above, below = sp.fraction(sp.together(expression))
    return all(_positive(f) or _positive(-f) for p in (above, below) for f in sp.Mul.make_args(sp.factor_terms(p)))


def _positive(factor: sp.Expr) -> bool:
    """Whether all addends are positive numbers times exponentials and roots of numbers."""
    positive = factor.replace(lambda e: isinstance(e, (sp.exp, hidden)), lambda e: sp.Dummy("e", positive=True))
    return bool(positive.is_positive)


def exponents_of(expression: sp.Expr, node: sp.Expr) -> set[sp.Expr]:
    """The powers in which a node occurs."""
    raised = [p for p in expression.atoms(sp.Pow) if p.base == node]
    bare = expression.xreplace({p: sp.Dummy() for p in raised})
    return {p.exp for p in raised} | ({sp.S.One} if bare.has(node) else set())
