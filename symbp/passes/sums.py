"""Collapse sums: over several terms, of what does not depend on the index, and over brackets.

    Σ_k (f + g)        → Σ_k f + Σ_k g
    Σ_k c f(k)         → c Σ_k f(k)
    Σ_k c              → c · extent of k
    Σ_k [k = m] f(k)   → f(m)          m an index of the same range, or data (checked to be in range)

Stage: expression with `Reduce` nodes → equal expression.
"""
from __future__ import annotations

import sympy as sp

from symbp.language.build import Reduce
from symbp.language.functions import equal
from symbp.language.index import Index
from symbp.language.spread import few_terms
from symbp.language.tensor import Access
from symbp.passes.closed import bound_indices, reduced
from symbp.passes.normal import absorb_signs


def collapse(expression: sp.Expr) -> sp.Expr:
    """Apply the rules above, inner sums first.

    >>> k, m, t = Index("k", 3), Index("m", 3), Access("t", Index("k", 3))
    >>> collapse(Reduce("sum", equal(k, m)*t, [k]))
    t[m]
    """
    if not expression.has(Reduce):
        return expression
    if isinstance(expression, Reduce):
        return _collapse(expression)
    if isinstance(expression, Access) or not expression.args:
        return expression
    return expression.func(*(collapse(a) if isinstance(a, sp.Expr) else a for a in expression.args))


def _collapse(node: Reduce) -> sp.Expr:
    body = collapse(node.body)
    if node.op != "sum" or node.domain:
        return Reduce(node.op, body, node.over, node.domain)
    if _multiplies_out(body):
        body = sp.expand_mul(body)
    return sp.Add(*(_term(term, node.over) for term in sp.Add.make_args(body)))


def _multiplies_out(body: sp.Expr) -> bool:
    """A product with a bracketed sum is multiplied out where a bracket or a sum stands in it."""
    return body.is_Mul and any(f.is_Add for f in body.args) and (body.has(equal) or body.has(Reduce)) and few_terms(body)


def _term(term: sp.Expr, over: tuple[Index, ...]) -> sp.Expr:
    for index in over:
        bracket = next((f for f in sp.Mul.make_args(term) if isinstance(f, equal) and _selects(f, index)), None)
        if bracket is not None:
            value = bracket.args[1] if bracket.args[0] == index else bracket.args[0]
            rest = tuple(i for i in over if i != index)
            return _term((term / bracket).xreplace({index: value}), rest)
    used = term.atoms(Index) - (bound_indices(term) - set(over))
    unused = [i for i in over if i not in used]
    count = sp.Mul(*(i.extent for i in unused))
    return count * _distributed(term, tuple(i for i in over if i in used))


def _distributed(term: sp.Expr, over: tuple[Index, ...]) -> sp.Expr:
    """Σ_{n,k} f(n) g(n,k) with an inner sum pulled into place stays one sum over both."""
    return reduced("sum", term, over) if over else term


def _selects(bracket: equal, index: Index) -> bool:
    """Whether [a = b] picks exactly one value of the index."""
    a, b = bracket.args
    if b == index:
        a, b = b, a
    if a != index or b.has(index):
        return False
    if isinstance(b, Index):
        return b.extent == index.extent and b.start == index.start
    return isinstance(b, Access)


def gather(expression: sp.Expr) -> sp.Expr:
    """Join sums over the same index again, Σ a − Σ y = Σ (a − y), and take a sign into a sum where that removes it.

    >>> k = Index("k", 3)
    >>> gather(Reduce("sum", Access("a", k), [k]) - Reduce("sum", Access("y", k), [k]))
    sum(k, a[k] - y[k])
    """
    groups: dict[tuple, list[sp.Expr]] = {}
    rest: list[sp.Expr] = []
    for term in sp.Add.make_args(expression):
        if term.is_Mul:
            term = sp.Mul(*(gather(f) if f.is_Add else f for f in term.args))
        factor, node = _sum_of(term)
        if node is None:
            rest.append(term)
            continue
        sign = -1 if factor.could_extract_minus_sign() else 1
        groups.setdefault((sign * factor, node.over), []).append(sign * node.body)
    joined = [factor * _signed(sp.Add(*bodies), over) for (factor, over), bodies in groups.items()]
    return sp.Add(*rest, *joined)


def _sum_of(term: sp.Expr) -> tuple[sp.Expr, Reduce | None]:
    """A term as factor · Σ, where it has exactly one sum without a domain."""
    sums = [f for f in sp.Mul.make_args(term) if isinstance(f, Reduce)]
    if len(sums) != 1 or sums[0].op != "sum" or sums[0].domain:
        return term, None
    return sp.Mul(*(f for f in sp.Mul.make_args(term) if f is not sums[0])), sums[0]


def _signed(body: sp.Expr, over: tuple[Index, ...]) -> sp.Expr:
    """Σ body, with the minus sign of a product in one of its brackets, or else in front."""
    body = absorb_signs(body)
    return -Reduce("sum", -body, over) if body.could_extract_minus_sign() and not body.is_Add else Reduce("sum", body, over)
