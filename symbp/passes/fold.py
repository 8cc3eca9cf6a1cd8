"""Fold: eliminate tensors and exponentials through the program's own definitions.

Stage: expression → equal expression in the atoms that the reader chose.  Softmax with cross-entropy becomes
(p·Σt − t)/N, and σ'(z) becomes a(1 − a), because their definitions say so; no rule names them.
"""
from __future__ import annotations

from collections.abc import Collection, Iterable

import sympy as sp

from symbp.language.build import Reduce
from symbp.language.functions import Defined, expand_definitions
from symbp.language.spread import manageable
from symbp.language.tensor import Access
from symbp.passes.normal import abstract, complexity, shortest
from symbp.passes.relations import Relation, exponential, exponents_of, hidden, is_root, powers, reveal

TRANSCENDENTAL = (sp.exp, sp.log, sp.erf, sp.sin, sp.cos)
ROUNDS = 6


def eliminate(expression: sp.Expr, relations: Iterable[Relation], hide: Collection[str]) -> sp.Expr:
    """Replace exponentials, and accesses to the tensors in `hide`, through the relations.

    An exponential goes to whichever tensor was defined by it; a hidden tensor only to one defined from it.
    """
    relations = tuple(relations)
    for _ in range(ROUNDS):
        changed = _once(expression, relations, hide)
        if changed == expression:
            return expression
        expression = changed
    return expression


def _once(expression: sp.Expr, relations: tuple[Relation, ...], hide: Collection[str], known: tuple[sp.Expr, ...] = ()) -> sp.Expr:
    """One round; `known` are the conditions of the sums around the expression."""
    if isinstance(expression, Reduce):
        body = _once(expression.body, relations, hide, (*known, *expression.domain))
        return Reduce(expression.op, body, expression.over, expression.domain)
    if expression.has(sp.exp):
        expression = _exponentials(powers(expression), relations, known)
    found = {}
    for access in _top_accesses(expression):
        if access.name in hide:
            answer = _first(access, relations, known)
            if answer is not None and answer[1] == 1:
                found[access] = answer[0]
    found |= {root: value for root in expression.atoms(sp.Pow) if is_root(root) and (value := _root(root, relations, known)) is not None}
    inner = {r: _once(r, relations, hide, known) for r in _top_sums(expression)}
    return expression.xreplace({**found, **inner})


def _exponentials(expression: sp.Expr, relations: tuple[Relation, ...], known: tuple[sp.Expr, ...]) -> sp.Expr:
    """Replace hidden exponentials whose powers fit a relation, over one denominator if need be; the others are shown again.

    With e^(2z) known, 1/(e^z + e^(−z))² fits as e^(2z)/(e^(2z) + 1)².
    """
    answers = {node: answer for node in sorted(expression.atoms(hidden), key=sp.default_sort_key)
               if (answer := _first(node.args[0], relations, known)) is not None}
    if not all(_fits(expression, node, power) for node, (_, power) in answers.items()):
        expression = _joined(expression)
    mapping = {node ** e: value ** (e / power) for node, (value, power) in answers.items() if _fits(expression, node, power)
               for e in exponents_of(expression, node)}
    return reveal(_put(expression, mapping)) if mapping else reveal(expression)


def _joined(expression: sp.Expr) -> sp.Expr:
    """An expression over one denominator, where that takes a moment."""
    plain, atoms = abstract(expression)
    return sp.cancel(sp.together(plain)).xreplace(atoms) if manageable(plain) else expression


def _put(node: sp.Expr, mapping: dict[sp.Expr, sp.Expr]) -> sp.Expr:
    """Substitute from the inside out; each sum that changes is joined before it is multiplied: 1 + a/(1 − a) is 1/(1 − a)."""
    if node in mapping or not (node.is_Add or node.is_Mul or node.is_Pow):
        return node.xreplace(mapping)
    made = node.func(*(_put(a, mapping) for a in node.args))
    return _joined(made) if made != node and made.is_Add else made


def _fits(expression: sp.Expr, node: sp.Expr, power: sp.Expr) -> bool:
    """Whether a node occurs only in multiples of a power."""
    return all((e / power).is_Integer for e in exponents_of(expression, node))


def _root(root: sp.Pow, relations: tuple[Relation, ...], known: tuple[sp.Expr, ...]) -> sp.Expr | None:
    """A root of a sum through the tensor that was defined as such a root."""
    answer = _first(root.base, relations, known)
    return answer[0] ** (root.exp / answer[1]) if answer is not None and (root.exp / answer[1]).is_Integer else None


def _first(atom: sp.Expr, relations: tuple[Relation, ...], known: tuple[sp.Expr, ...]) -> tuple[sp.Expr, int] | None:
    for relation in reversed(relations):
        answer = relation.apply(atom, known)
        if answer is not None:
            return answer
    return None


def _top(expression: sp.Expr, kinds: tuple[type, ...]) -> list[sp.Expr]:
    found, walk = {}, sp.preorder_traversal(expression)
    for node in walk:
        if isinstance(node, (Access, Reduce)):
            if isinstance(node, kinds):
                found.setdefault(node)
            walk.skip()
    return list(found)


def _top_accesses(expression: sp.Expr) -> list[Access]:
    return _top(expression, (Access,))


def _top_sums(expression: sp.Expr) -> list[Reduce]:
    return _top(expression, (Reduce,))


def open_definitions(expression: sp.Expr, relations: Iterable[Relation]) -> sp.Expr:
    """Replace each derived function σ'(z) by its definition in the chosen atoms, where that leaves no exponential.

    A definition that stays transcendental (gelu') is kept by name.
    """
    relations = tuple(relations)
    mapping: dict[sp.Expr, sp.Expr] = {}
    for application in sorted(expression.atoms(Defined), key=sp.default_sort_key):
        if application.definition is None or not any(application.orders):
            continue
        plain, atoms = abstract(powers(expand_definitions(application)))
        if not manageable(plain):
            continue
        value = eliminate(reveal(sp.cancel(sp.together(plain)).xreplace(atoms)), relations, ())
        if not value.has(*TRANSCENDENTAL):
            mapping[application] = shortest(value)
    return expression.xreplace(mapping)


def simpler(a: sp.Expr, b: sp.Expr) -> sp.Expr:
    """Whichever takes less reading; the first when equal."""
    return b if complexity(b) < complexity(a) else a


__all__ = ["eliminate", "exponential", "open_definitions", "simpler"]
