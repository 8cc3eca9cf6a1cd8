"""Normal forms: an expression as a rational function of its atoms, written in the shortest textbook way.

Stage: expression → equal expression.  Atoms are accesses, sums, brackets and function applications.
"""
from __future__ import annotations

from functools import lru_cache

import sympy as sp
from sympy.core.function import AppliedUndef

from symbp.language.build import Reduce
from symbp.language.functions import equal, step
from symbp.language.index import Index
from symbp.language.spread import manageable
from symbp.language.tensor import Access

MOST_TERMS, MOST_SYMBOLS, MOST_BRACKETS = 60, 8, 2


def is_atom(node: sp.Basic) -> bool:
    """Whether a node counts as an unknown of the rational function."""
    if isinstance(node, (Access, Reduce, Index, AppliedUndef, sp.Function, sp.exp)):
        return True
    return node.is_Pow and not node.exp.is_Integer


def abstract(expression: sp.Expr) -> tuple[sp.Expr, dict[sp.Symbol, sp.Expr]]:
    """Replace the atoms by plain symbols, t0, t1, … for elements of tensors and s0, s1, … for all else; the inverse comes along."""
    names: dict[sp.Expr, sp.Symbol] = {}
    replaced: dict[sp.Expr, sp.Expr] = {}
    walk = sp.preorder_traversal(expression)
    for node in walk:
        if not (is_atom(node) or isinstance(node, sp.Symbol)) or node.is_number:
            continue
        walk.skip()
        atom, power = _root(node)
        letter = "t" if isinstance(atom, Access) and len(atom.args) > 1 else "s"
        replaced[node] = names.setdefault(atom, sp.Symbol(f"{letter}{len(names)}")) ** power
    return expression.xreplace(replaced), {s: a for a, s in names.items()}


def _root(node: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Write b^{p/q} as (b^{1/q})^p, so that roots of one base are powers of one atom."""
    if node.is_Pow and node.exp.is_Rational and not node.exp.is_Integer:
        return node.base ** sp.Rational(1, node.exp.q), sp.Integer(node.exp.p)
    return node, sp.S.One


def shortest(expression: sp.Expr, thorough: bool = True) -> sp.Expr:
    """The shortest of a few normal forms of an expression, inner sums first; of fewer forms unless `thorough`.

    >>> a = Access("a", Index("i", 3))
    >>> shortest(a - a**2)
    (1 - a[i])*a[i]
    """
    inner = {r: Reduce(r.op, shortest(r.body, thorough), r.over, r.domain) for r in _outermost_sums(expression)}
    plain, atoms = abstract(expression.xreplace(inner))
    brackets = [s for s, atom in atoms.items() if is_bracket(atom)]
    forms = [_shortest(form, thorough).xreplace(atoms) for form in (plain, *_by_cases(plain, brackets))]
    return min(forms, key=complexity)


def is_bracket(atom: sp.Expr) -> bool:
    """Whether an atom is 0 or 1: an Iverson bracket, or a step whose value at the kink is one of these.

    >>> is_bracket(step(sp.Symbol("x"), sp.S.Half))
    False
    """
    return isinstance(atom, equal) or isinstance(atom, step) and atom.args[1] in (0, 1)


def _by_cases(plain: sp.Expr, brackets: list[sp.Symbol]) -> list[sp.Expr]:
    """β f(1) + (1 − β) f(0) for an expression f of a bracket β that stands in it more than once."""
    found = []
    for bracket in brackets if len(brackets) <= MOST_BRACKETS and manageable(plain) else []:
        on, off = (sp.cancel(sp.together(plain.subs(bracket, value))) for value in (1, 0))
        if not on.has(sp.nan, sp.zoo) and not off.has(sp.nan, sp.zoo) and on.is_finite is not False:
            found += [bracket * on + (1 - bracket) * off, off + bracket * sp.cancel(on - off)]
    return found


def _outermost_sums(expression: sp.Expr) -> list[Reduce]:
    found, walk = [], sp.preorder_traversal(expression)
    for node in walk:
        if isinstance(node, Reduce):
            found.append(node)
            walk.skip()
    return found


@lru_cache(maxsize=4096)
def _shortest(plain: sp.Expr, thorough: bool) -> sp.Expr:
    """Of the expression itself and its factored, expanded and collected forms the one that is shortest to read."""
    if plain.is_Atom or len(plain.args) > MOST_TERMS or not plain.has(sp.Add):
        return plain
    if not manageable(plain):
        return min((plain, sp.factor_terms(plain)), key=lambda c: (complexity(c), str(c)))
    joined = sp.cancel(sp.together(plain))
    candidates = [plain, sp.factor_terms(plain), sp.factor(joined)]
    if thorough:
        candidates += [sp.factor_terms(sp.expand(joined)), _over_denominator(joined), _by_terms(joined), *_collected(joined)]
    return min((absorb_signs(c) for c in candidates), key=lambda c: (complexity(c) + c.could_extract_minus_sign(), str(c)))


def _over_denominator(joined: sp.Expr) -> sp.Expr:
    numerator, denominator = sp.fraction(joined)
    return sp.factor_terms(sp.expand(numerator)) / sp.factor(denominator)


def _by_terms(joined: sp.Expr) -> sp.Expr:
    """Each term over its own cancelled denominator, with what is common to all in front."""
    numerator, denominator = sp.fraction(joined)
    return sp.factor_terms(sp.Add(*(sp.cancel(t / denominator) for t in sp.Add.make_args(sp.expand(numerator)))))


def _collected(joined: sp.Expr) -> list[sp.Expr]:
    """The numerator collected by each unknown in turn: t − εt as (1 − ε)t."""
    numerator, denominator = sp.fraction(joined)
    number, rest = denominator.as_coeff_Mul()
    body = sp.expand(numerator / number)
    symbols = sorted((s for s in body.free_symbols if s.name.startswith("t")), key=lambda s: s.name)[:MOST_SYMBOLS]
    if not body.is_Add or len(body.args) < 3:
        return []
    return [sp.collect(body, s, sp.factor_terms) / rest for s in symbols] + [sp.collect(body, symbols, sp.factor_terms) / rest]


def absorb_signs(expression: sp.Expr) -> sp.Expr:
    """Absorb signs in the whole product and in each addend."""
    if expression.is_Mul:
        expression = sp.Mul(*(absorb_signs(f) if f.is_Add else f for f in expression.args), evaluate=True)
    if expression.is_Add:
        return sp.Add(*(_absorb_sign(t) for t in expression.args))
    return _absorb_sign(expression)


def _absorb_sign(expression: sp.Expr) -> sp.Expr:
    """Write −a(a − 1) as a(1 − a)."""
    if not expression.is_Mul:
        return expression
    coefficient, rest = expression.as_coeff_Mul()
    for factor in sp.Mul.make_args(rest):
        signs = [t.could_extract_minus_sign() for t in factor.args] if factor.is_Add else []
        number = factor.as_coeff_Add()[0] if factor.is_Add else sp.S.Zero
        if signs and any(signs) and (coefficient.is_negative or number.is_negative or all(signs)):
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
        elif isinstance(node, (sp.Function, sp.exp)):
            total += 2
        elif node.is_Add or node.is_Mul:
            total += len(node.args) - 1
        elif node.is_Pow or node.is_number and node not in (sp.S.One, sp.S.NegativeOne):
            total += 1
    return total
