"""Substitute cotangents by their writers, split into cases where a loop's rows end.

    δ[l] = ā[l]·σ'(z[l]),  ā[L] += ∂J/∂a,  ā[l−1] += W[l]ᵀδ[l]
    ⇒  l = L:  δ[L] = ∂J/∂a · σ'(z[L])        1 ≤ l ≤ L−1:  δ[l] = W[l+1]ᵀδ[l+1] · σ'(z[l])

Stage: closed forms of a derivative program → closed forms by cases.  A writer is active on the rows that its loop
reaches; where that is neither proved nor refuted, the case is split.  Nothing here knows a layer or a time step.
"""
from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import sympy as sp

from symbp.language.affine import contradictory, implies, range_facts
from symbp.language.index import Index, indices_of, substitute
from symbp.language.tensor import Access
from symbp.passes.closed import Contribution, Writer, at, bound_indices, index_names


@dataclass(frozen=True)
class Case:
    """`target = expression` where all `facts` (each ≥ 0) hold: one row, or a range of rows, of a recurrence."""

    target: Access
    expression: sp.Expr
    facts: tuple[sp.Expr, ...]

    def substituted(self, mapping: Mapping[sp.Basic, sp.Basic]) -> Case:
        """The case with an index replaced by a value or by an index of a shorter range."""
        mapping = dict(mapping)
        return Case(substitute(self.target, mapping), substitute(self.expression, mapping),
                    tuple(substitute(f, mapping) for f in self.facts))


def unroll_recurrence(access: Access, inline: Collection[str], writers: Mapping[str, tuple[Writer, ...]],
                      known: tuple[sp.Expr, ...] = ()) -> list[Case]:
    """The closed form of a cotangent's element, by cases, with the tensors in `inline` substituted throughout.

    known: what is known of the sizes, each ≥ 0.  Cases that only exist for small sizes (L ≤ 2) are left out.
    Each case's target says its rows: `δ[L, j]`, or `δ[l, j]` with the index of a shorter range.
    """
    indices = [i for e in access.indices for i in indices_of(e)]
    start = Case(access, access, (*range_facts(indices), *known))
    cases = list(_expand(start, {*inline, access.name}, writers))
    general = [c for c in cases if not any(_bounds_a_size(f) for f in c.facts)]
    return [_narrowed(c) for c in general or cases]


def _bounds_a_size(fact: sp.Expr) -> bool:
    """Whether a fact holds only for small sizes (2 − L ≥ 0): a recurrence too short for its own general case."""
    sizes = [s for s in fact.free_symbols if not isinstance(s, Index)]
    return not fact.atoms(Index) and len(sizes) == 1 and fact.coeff(sizes[0]).is_negative is True


def _expand(case: Case, inline: Collection[str], writers: Mapping[str, tuple[Writer, ...]]) -> Iterator[Case]:
    """Inline one access after the other; the tensor of the target only where it is the whole expression."""
    kept: set[Access] = set()
    while (access := _next(case, inline, kept)) is not None:
        bound = bound_indices(case.expression)
        parts, doubt = contributions(access, writers, (*case.facts, *range_facts(bound)), index_names(case.expression))
        if doubt is not None and not doubt.free_symbols & bound:
            for side in (doubt, -doubt - 1):
                if not contradictory((*case.facts, side)):
                    yield from _expand(_with_fact(case, sp.expand(side)), inline, writers)
            return
        if parts is None or doubt is not None:
            kept.add(access)
        else:
            inlined = case.expression.xreplace({access: sp.Add(*(p.right for p in parts))})
            case = Case(case.target, inlined, case.facts)
    yield case


def _with_fact(case: Case, side: sp.Expr) -> Case:
    """The case with one more fact; an index that it pins to one value is replaced by that value."""
    case = Case(case.target, case.expression, (*case.facts, side))
    for index in sorted(side.atoms(Index), key=lambda i: i.name):
        value = sp.expand(index - side / side.coeff(index)) if abs(side.coeff(index)) == 1 else None
        if value is not None and implies(case.facts, -side):
            return case.substituted({index: value})
    return case


def _next(case: Case, inline: Collection[str], kept: Collection[Access]) -> Access | None:
    """The next access to inline."""
    if case.expression == case.target:
        return case.target if case.target not in kept else None
    walk = sp.preorder_traversal(case.expression)
    for node in walk:
        if isinstance(node, Access):
            walk.skip()
            if node.name in inline and node.name != case.target.name and node not in kept:
                return node
    return None


def contributions(access: Access, writers: Mapping[str, tuple[Writer, ...]], facts: list[sp.Expr] | tuple[sp.Expr, ...],
                  taken: Collection[str] = ()) -> tuple[list[Contribution] | None, sp.Expr | None]:
    """The contributions active at an element, and the first condition that the facts leave open.

    The list is None when some writer has no closed form.
    """
    active = []
    for writer in writers.get(access.name, ()):
        part = at(writer, access, taken)
        if part is None:
            return None, None
        proved = [implies(facts, c) for c in part.conditions]
        if all(proved):
            active.append(part)
        elif not any(implies(facts, -c - 1) for c in part.conditions):
            return active, next(c for c, known in zip(part.conditions, proved) if not known)
    return active, None


def _narrowed(case: Case) -> Case:
    """The case with indices whose ranges say which rows it is about."""
    for name in [i.name for e in case.target.indices for i in indices_of(e)]:
        index = next(i for e in case.target.indices for i in indices_of(e) if i.name == name)
        low, high = (_tightest(case.facts, index, sign) for sign in (1, -1))
        if (low, high) != (index.start, sp.expand(index.last)):
            case = case.substituted({index: Index(index.name, sp.expand(high - low + 1), low, index.part)})
    return case


def _tightest(facts: tuple[sp.Expr, ...], index: Index, sign: int) -> sp.Expr:
    """The bound that implies all others: from facts `±index − bound ≥ 0`."""
    bounds = [sp.expand(-sign * (f - sign * index)) for f in facts if f.coeff(index) == sign]
    others = tuple(f for f in facts if not f.has(index))
    best = bounds[0]
    for bound in bounds[1:]:
        if implies(others, sign * (bound - best)):
            best = bound
    return best
