"""Integer-affine expressions: their coefficients, and a prover of linear inequalities.

`implies(facts, goal)` answers whether goal ≥ 0 follows from facts ≥ 0.  Unknowns are indices, sizes, width
functions and floors; a floor is a new unknown between two bounds.  The proof is Fourier–Motzkin elimination
over the rationals, so that True is always right; False may mean "not proved".
"""
from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache

import sympy as sp
from sympy.core.function import AppliedUndef

from symbp.language.index import Index
from symbp.language.tensor import Access

Linear = tuple[tuple[tuple[sp.Basic, Fraction], ...], Fraction]
MOST_CONSTRAINTS = 500


def coefficients(expression: sp.Expr) -> tuple[dict[sp.Expr, sp.Expr], sp.Expr] | None:
    """Integer coefficients by index or integer access, and the rest (sizes); None when not affine.

    >>> i = Index("i", 5)
    >>> coefficients(2*i - 1)
    ({i: 2}, -1)
    >>> coefficients(i**2) is None
    True
    """
    found: dict[sp.Expr, sp.Expr] = {}
    rest = sp.S.Zero
    for term in sp.Add.make_args(sp.expand(expression)):
        factor, atom = term.as_coeff_Mul()
        if not _mentions(atom):
            rest += term
        elif isinstance(atom, (Index, Access)) and factor.is_Integer:
            found[atom] = found.get(atom, sp.S.Zero) + factor
        else:
            return None
    return found, rest


def _mentions(atom: sp.Expr) -> bool:
    """Whether an atom reads an index or tensor other than inside a width n(l)."""
    if isinstance(atom, AppliedUndef):
        return False
    return isinstance(atom, (Index, Access)) or any(_mentions(a) for a in atom.args)


def implies(facts: Iterable[sp.Expr], goal: sp.Expr) -> bool:
    """Whether goal ≥ 0 follows from facts ≥ 0 for integers; sizes and widths are ≥ 1.

    >>> i, N = Index("i", sp.Symbol("N", integer=True, positive=True)), sp.Symbol("N", integer=True, positive=True)
    >>> implies([i, N - 1 - i], N - i), implies([i, N - 1 - i], N - i - 2)
    (True, False)
    """
    return _implies(tuple(facts), goal)


@lru_cache(maxsize=4096)
def _implies(facts: tuple[sp.Expr, ...], goal: sp.Expr) -> bool:
    """The proof, once for each question."""
    goal = sp.expand(goal * _denominator(goal))
    if goal.is_Number:
        return bool(goal >= 0)
    if not is_whole(goal):
        return False
    connected = _connected(facts, goal)
    system = [_linear(f) for f in (*connected, -goal - 1)]
    system += [_linear(b) for b in _bounds_of_unknowns((*connected, goal))]
    return _infeasible(system)


def contradictory(facts: Iterable[sp.Expr]) -> bool:
    """Whether facts ≥ 0 cannot hold together; False may mean "not proved".

    >>> i = Index("i", 3)
    >>> contradictory([i - 2, 1 - i]), contradictory([i, 2 - i])
    (True, False)
    """
    facts = tuple(facts)
    return _infeasible([_linear(f) for f in (*facts, *_bounds_of_unknowns(facts))])


def _connected(facts: Iterable[sp.Expr], goal: sp.Expr) -> list[sp.Expr]:
    """The facts that share unknowns with the goal, directly or through other facts, and those without unknowns."""
    reached, left = _unknowns(goal), [(f, _unknowns(f)) for f in facts]
    found = [f for f, names in left if not names]
    while near := [(f, names) for f, names in left if names & reached]:
        found += [f for f, _ in near]
        left = [pair for pair in left if not pair[1] & reached]
        reached = reached.union(*(names for _, names in near))
    return found


def _unknowns(expression: sp.Expr) -> set[sp.Expr]:
    return expression.free_symbols | expression.atoms(AppliedUndef, Access)


def range_facts(indices: Iterable[Index]) -> list[sp.Expr]:
    """The inequalities that say an index stays in its range."""
    return [e for i in indices for e in (i - i.start, i.last - i)]


def _bounds_of_unknowns(expressions: Iterable[sp.Expr]) -> list[sp.Expr]:
    """Sizes and widths are ≥ 1; a floor lies within its argument's rounding."""
    bounds: dict[sp.Expr, None] = {}
    for e in expressions:
        for atom in e.atoms(sp.Symbol, AppliedUndef):
            if isinstance(atom, AppliedUndef) or (atom.is_positive and not isinstance(atom, Index)):
                bounds.setdefault(atom - 1)
        for floor in e.atoms(sp.floor):
            inner = sp.expand(floor.args[0])
            q = _denominator(inner)
            step = sp.Rational(1, q) if is_whole(sp.expand(inner * q)) else sp.S.Zero
            bounds.setdefault(inner - floor)
            bounds.setdefault(floor - inner + 1 - step)
            bounds.update(dict.fromkeys(_bounds_of_unknowns([inner])))
    return list(bounds)


def _denominator(expression: sp.Expr) -> int:
    """The common denominator of an expression's rational coefficients."""
    return sp.ilcm(1, *(t.as_coeff_Mul()[0].q for t in sp.Add.make_args(sp.expand(expression))))


def is_whole(expression: sp.Expr) -> bool:
    """Whether a sum of products with whole coefficients is a whole number: no 1/s and no root stands in it.

    >>> is_whole(sp.Integer(2)), is_whole(sp.Rational(1, 2)), is_whole(sp.pi)
    (True, False, False)
    """
    powers = {p for t in sp.Add.make_args(expression) for f in sp.Mul.make_args(t) for p in [f.as_base_exp()]}
    return all(e.is_Integer and e > 0 and (b.is_integer or isinstance(b, (Access, AppliedUndef))) for b, e in powers)


def _linear(expression: sp.Expr) -> Linear:
    constant, terms = Fraction(0), {}
    for term in sp.Add.make_args(sp.expand(expression)):
        factor, atom = term.as_coeff_Mul()
        value = Fraction(int(factor.p), int(factor.q))
        if atom is sp.S.One:
            constant += value
        else:
            terms[atom] = terms.get(atom, 0) + value
    return tuple(sorted(((a, v) for a, v in terms.items() if v), key=lambda p: p[0].sort_key())), constant


def _infeasible(system: list[Linear]) -> bool:
    """Fourier–Motzkin: eliminate one unknown after another; a negative constant ≥ 0 is the contradiction.

    Of rows with the same terms only the tightest is kept; a system that grows too large counts as feasible.
    """
    if any(not terms and constant < 0 for terms, constant in system):
        return True
    rows = _tightest(system)
    while rows:
        atom = min({a for terms in rows for a, _ in terms}, key=lambda a: (_cost(rows, a), a.sort_key()))
        lower = [r for r in rows.items() if dict(r[0]).get(atom, 0) > 0]
        upper = [r for r in rows.items() if dict(r[0]).get(atom, 0) < 0]
        rest = [r for r in rows.items() if atom not in dict(r[0])]
        if len(rest) + len(lower) * len(upper) > MOST_CONSTRAINTS:
            return False
        combined = [_combine(low, high, atom) for low in lower for high in upper]
        if any(not terms and constant < 0 for terms, constant in combined):
            return True
        rows = _tightest([*rest, *combined])
    return False


def _tightest(system: list[Linear]) -> dict[tuple, Fraction]:
    """Rows by their terms, each with its smallest constant; terms are scaled so that parallel rows meet."""
    rows: dict[tuple, Fraction] = {}
    for terms, constant in system:
        if terms:
            unit = abs(terms[0][1])
            key = tuple((a, v / unit) for a, v in terms)
            rows[key] = min(rows.get(key, constant / unit), constant / unit)
    return rows


def _cost(rows: dict[tuple, Fraction], atom: sp.Basic) -> int:
    signs = [dict(terms).get(atom, 0) for terms in rows]
    return sum(s > 0 for s in signs) * sum(s < 0 for s in signs)


def _combine(low: Linear, high: Linear, atom: sp.Basic) -> Linear:
    """The sum of two rows, scaled so that the atom cancels."""
    a, b = dict(low[0]), dict(high[0])
    scale_low, scale_high = -b[atom], a[atom]
    terms = {k: a.get(k, 0) * scale_low + b.get(k, 0) * scale_high for k in {*a, *b}}
    kept = sorted(((k, v) for k, v in terms.items() if v), key=lambda p: p[0].sort_key())
    return tuple(kept), low[1] * scale_low + high[1] * scale_high
