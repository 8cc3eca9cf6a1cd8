"""Normal forms: an expression as a rational function of its atoms, written in the shortest textbook way.

Stage: expression → equal expression.  Atoms are accesses, sums, brackets and function applications.
"""
from __future__ import annotations

from functools import lru_cache

import sympy as sp
from sympy.core.function import AppliedUndef

from symbp.language.build import Reduce
from symbp.language.index import Index
from symbp.language.tensor import Access

MOST_TERMS = 60


def is_atom(node: sp.Basic) -> bool:
    """Whether a node counts as an unknown of the rational function."""
    if isinstance(node, (Access, Reduce, Index, AppliedUndef)) or isinstance(node, sp.Function) or isinstance(node, sp.exp):
        return True
    return node.is_Pow and not node.exp.is_Integer


def abstract(expression: sp.Expr) -> tuple[sp.Expr, dict[sp.Symbol, sp.Expr]]:
    """Replace the atoms by plain symbols s0, s1, … in order of appearance; the inverse comes along."""
    names: dict[sp.Expr, sp.Symbol] = {}
    walk = sp.preorder_traversal(expression)
    for node in walk:
        if is_atom(node) and not node.is_number:
            names.setdefault(node, sp.Symbol(f"s{len(names)}"))
            walk.skip()
        elif isinstance(node, sp.Symbol):
            names.setdefault(node, sp.Symbol(f"s{len(names)}"))
    return expression.xreplace(names), {s: a for a, s in names.items()}


def shortest(expression: sp.Expr) -> sp.Expr:
    """The shortest of a few normal forms of an expression, inner sums first.

    >>> a = Access("a", Index("i", 3))
    >>> shortest(a - a**2)
    (1 - a[i])*a[i]
    """
    inner = {r: Reduce(r.op, shortest(r.body), r.over, r.domain) for r in _outermost_sums(expression)}
    plain, atoms = abstract(expression.xreplace(inner))
    return _shortest(plain).xreplace(atoms)


def _outermost_sums(expression: sp.Expr) -> list[Reduce]:
    found, walk = [], sp.preorder_traversal(expression)
    for node in walk:
        if isinstance(node, Reduce):
            found.append(node)
            walk.skip()
    return found


@lru_cache(maxsize=4096)
def _shortest(plain: sp.Expr) -> sp.Expr:
    """Of the expression itself, its factored form and its expanded form with common factors taken out."""
    if plain.is_Atom or len(plain.args) > MOST_TERMS or not plain.has(sp.Add):
        return plain
    joined = sp.cancel(sp.together(plain))
    candidates = [plain, sp.factor(joined), sp.factor_terms(sp.expand(joined)), _over_denominator(joined), _by_terms(joined)]
    return min((_absorb_sign(c) for c in candidates), key=lambda c: (complexity(c), str(c)))


def _over_denominator(joined: sp.Expr) -> sp.Expr:
    numerator, denominator = sp.fraction(joined)
    return sp.factor_terms(sp.expand(numerator)) / sp.factor(denominator)


def _by_terms(joined: sp.Expr) -> sp.Expr:
    """Each term over its own cancelled denominator, with what is common to all in front."""
    numerator, denominator = sp.fraction(joined)
    return sp.factor_terms(sp.Add(*(sp.cancel(t / denominator) for t in sp.Add.make_args(sp.expand(numerator)))))


def _absorb_sign(expression: sp.Expr) -> sp.Expr:
    """Write −a(a − 1) as a(1 − a)."""
    if not expression.is_Mul:
        return expression
    coefficient, rest = expression.as_coeff_Mul()
    for factor in sp.Mul.make_args(rest):
        signs = [t.could_extract_minus_sign() for t in factor.args] if factor.is_Add else []
        if signs and any(signs) and (coefficient.is_negative or sum(signs) * 2 > len(signs)):
            others = sp.Mul(*(f for f in sp.Mul.make_args(rest) if f is not factor))
            return sp.Mul(-coefficient, others, sp.Add(*(-t for t in factor.args)))
    return expression


def complexity(expression: sp.Expr) -> int:
    """How much there is to read: accesses and sums count most, then functions, operations and signs."""
    total = 0
    walk = sp.preorder_traversal(expression)
    for node in walk:
        if isinstance(node, Access) or isinstance(node, sp.Symbol) and not isinstance(node, Index):
            total += 3
            walk.skip()
        elif isinstance(node, Reduce):
            total += 4 + complexity(node.body)
            walk.skip()
        elif isinstance(node, sp.Function) or isinstance(node, sp.exp):
            total += 2
        elif node.is_Add or node.is_Mul:
            total += len(node.args) - 1
        elif node.is_Pow:
            total += 1
        elif node.is_number and node not in (sp.S.One, sp.S.NegativeOne):
            total += 1
    return total
