"""Use the declared facts: Σ_k t[n,k] → 1, t² → t.

Stage: expression → equal expression on inputs that satisfy the facts; the facts used come along.
"""
from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from symbp.language.build import Reduce
from symbp.language.facts import Fact
from symbp.language.index import indices_of
from symbp.language.tensor import Access
from symbp.passes.closed import unify


def use_facts(expression: sp.Expr, facts: Iterable[Fact]) -> tuple[sp.Expr, tuple[Fact, ...]]:
    """Replace what the equality facts know; answers the expression and the facts used.

    >>> from symbp.language.index import Index
    >>> n, k, m = Index("n", 4), Index("k", 3), Index("m", 3)
    >>> fact = Fact(Access("t", n, k), "==", 1, over=(k,))
    >>> use_facts(5*Reduce("sum", Access("t", n, m), [m]), [fact])[0]
    5
    """
    used: dict[Fact, None] = {}
    for fact in (f for f in facts if f.relation == "=="):
        changed = expression.replace(lambda e, f=fact: _applies(f, e) is not None, lambda e, f=fact: _applies(f, e))
        if changed != expression:
            used.setdefault(fact)
            expression = changed
    return expression, tuple(used)


def _applies(fact: Fact, node: sp.Basic) -> sp.Expr | None:
    """The value of a node by a fact: a sum over a row, or a power of a binary tensor."""
    if fact.over:
        if not (isinstance(node, Reduce) and node.op == "sum" and not node.domain and len(node.over) == len(fact.over)):
            return None
        bound = dict(zip(fact.over, node.over))
        left = fact.left.xreplace(bound)
        found = unify(left, node.body, [i for i in indices_of(left) if i not in node.over])
        return None if found is None else fact.right.xreplace({**bound, **found})
    pattern = fact.left
    if not (pattern.is_Pow and isinstance(pattern.base, Access) and fact.right == pattern.base and node.is_Pow):
        return None
    if not (node.exp.is_Integer and node.exp >= pattern.exp and isinstance(node.base, Access)):
        return None
    return node.base if unify(pattern.base, node.base, indices_of(pattern.base)) is not None else None
