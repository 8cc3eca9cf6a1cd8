"""Decide whether two scalar expressions are equal: exactly in a prime field, else to many digits at real points.

Stage: two SymPy expressions → a `Verdict`.  "Equal" means wherever both have a real value (arguments of logarithms
and roots positive), except on the borders where a step's argument is 0.  Elements W[j,i] are opaque variables.
"""
from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

import sympy as sp

from symbp.certify.balls import Counterexample, Point, compare
from symbp.certify.cases import Undecided
from symbp.certify.field import equal_in_field
from symbp.certify.terms import nodes, prepare, variables
from symbp.language.functions import equal, step
from symbp.language.index import Index

MOST_BRACKETS = 4
_NOT_FINITE = {sp.nan, sp.zoo, sp.oo, -sp.oo}
Accept = Callable[[Point], bool]


@dataclass(frozen=True)
class Verdict:
    """equal: True, False, or None where undecided.  method: "identical", "prime field" or "balls".

    A False verdict has a counterexample: the variables' values, exactly, and the two sides' values in `reason`.
    """

    equal: bool | None
    method: str
    reason: str
    counterexample: Mapping[sp.Expr, sp.Expr] | None = field(default=None, hash=False)


def decide(a: sp.Expr, b: sp.Expr, *, positive: Collection[sp.Expr] = (),
           relations: Mapping[sp.Expr, sp.Expr] | None = None, seed: int = 0) -> Verdict:
    """Decide whether two expressions are equal for all values of their variables.

    Never True for what is unequal, up to chance (2⁻¹⁰⁰ in the field; where roots of sums occur their signs are drawn
    40 times and 64 real points must agree; "balls" is agreement, not proof); False only with a counterexample; None with the reason.

    positive: expressions known to be positive.  relations: variables replaced by expressions beforehand.

    >>> x = sp.Symbol("x")
    >>> decide(sp.exp(-x)/(1 + sp.exp(-x))**2, 1/(1 + sp.exp(x)) - 1/(1 + sp.exp(x))**2).method
    'prime field'
    >>> decide(sp.sin(x)**2, 1 - sp.cos(x)**2).method, decide(sp.exp(x), 1 + x).equal
    ('balls', False)
    """
    try:
        a, b = prepare(a, relations), prepare(b, relations)
        known = frozenset(prepare(p, relations) for p in positive)
        return _decide(a, b, known, seed, lambda point: True)
    except RecursionError:
        return Verdict(None, "balls", "the expressions are nested too deeply")


def decide_zero(expression: sp.Expr, *, positive: Collection[sp.Expr] = (),
                relations: Mapping[sp.Expr, sp.Expr] | None = None, seed: int = 0) -> Verdict:
    """Decide whether an expression is 0 for all values of its variables.

    >>> x, y = sp.symbols("x y")
    >>> decide_zero((x + y)**2 - x**2 - 2*x*y - y**2).equal
    True
    """
    return decide(expression, sp.S.Zero, positive=positive, relations=relations, seed=seed)


def _decide(a: sp.Expr, b: sp.Expr, positive: frozenset[sp.Expr], seed: int, accept: Accept) -> Verdict:
    if not _NOT_FINITE.isdisjoint(nodes(a) | nodes(b)):
        return Verdict(None, "identical", "a side has no finite value")
    if a == b:
        return Verdict(True, "identical", "both sides are the same expression")
    try:
        same, rooted = equal_in_field(a, b, positive, seed)
        why = "the rules for exp, log, powers and steps do not suffice"
    except Undecided as undecided:
        same, rooted, why = False, False, str(undecided)
    if same and not rooted:
        return Verdict(True, "prime field", f"equal at random points of a prime field{_premises(a, b)}")
    if same:
        return _confirmed(a, b, positive, seed, accept)
    return _by_brackets(a, b, positive, seed, accept) or _by_balls(a, b, positive, seed, accept, why)


def _premises(a: sp.Expr, b: sp.Expr) -> str:
    """Where the equality holds, in words."""
    premises, found = [], nodes(a) | nodes(b)
    if any(isinstance(n, sp.log) or isinstance(n, sp.Pow) and not n.exp.is_integer and not n.base.is_number for n in found):
        premises.append("arguments of logarithms and roots positive")
    if any(isinstance(n, step) for n in found):
        premises.append("no step's argument 0")
    return f" ({', '.join(premises)})" if premises else ""


def _confirmed(a: sp.Expr, b: sp.Expr, positive: frozenset[sp.Expr], seed: int, accept: Accept) -> Verdict:
    """Roots were drawn with their sign by chance, many times; real points must not contradict."""
    try:
        found = compare(a, b, positive, seed, accept).found
    except Undecided:
        found = None
    return _different(found) if found else Verdict(
        True, "prime field", f"equal at random points of a prime field{_premises(a, b)}")


def _different(found: Counterexample) -> Verdict:
    point, left, right = found
    return Verdict(False, "balls", f"at the counterexample the left side is {left}, the right side {right}", point)


def _by_balls(a: sp.Expr, b: sp.Expr, positive: frozenset[sp.Expr], seed: int, accept: Accept,
              why: str) -> Verdict:
    """Compare at real points; agreement is a verdict only where no bracket is left open."""
    try:
        outcome = compare(a, b, positive, seed, accept)
    except Undecided as undecided:
        return Verdict(None, "balls", f"not decided in the prime field ({why}) nor at real points ({undecided})")
    if outcome.found:
        return _different(outcome.found)
    doubt = outcome.doubt or (_open_bracket(a, b, positive, seed, accept) if _brackets(a, b) else "")
    if doubt:
        return Verdict(None, "balls", f"not decided in the prime field ({why}) nor at real points ({doubt})")
    return Verdict(True, "balls", f"{outcome.points} random real points agree to 50 digits, one to 1000; no proof, as {why}"
                                  f"{_premises(a, b)}")


def _brackets(a: sp.Expr, b: sp.Expr) -> list[equal]:
    return sorted((n for n in nodes(a) | nodes(b) if isinstance(n, equal)), key=sp.default_sort_key)


def _by_brackets(a: sp.Expr, b: sp.Expr, positive: frozenset[sp.Expr], seed: int, accept: Accept) -> Verdict | None:
    """Look for a counterexample where a bracket [u = v] holds: u = v is solved and substituted."""
    for bracket in _brackets(a, b)[:MOST_BRACKETS]:
        verdict = _where(bracket, a, b, positive, seed, accept)
        if verdict and verdict.equal is False:
            return verdict
    return None


def _open_bracket(a: sp.Expr, b: sp.Expr, positive: frozenset[sp.Expr], seed: int, accept: Accept) -> str:
    """Name a bracket under which the two sides were not shown to be equal."""
    brackets = _brackets(a, b)
    verdicts = (_where(bracket, a, b, positive, seed, accept) for bracket in brackets[:MOST_BRACKETS])
    unclear = [str(k) for k, v in zip(brackets, verdicts) if v is None or not v.equal]
    return f"the case that {', '.join(unclear)} holds is open" if unclear or len(brackets) > MOST_BRACKETS else ""


def _where(bracket: equal, a: sp.Expr, b: sp.Expr, positive: frozenset[sp.Expr], seed: int, accept: Accept) -> Verdict | None:
    """The verdict where u = v, or None where that can't be solved for a variable."""
    solved = _solve(sp.expand(bracket.args[0] - bracket.args[1]))
    if solved is None:
        return None
    atom, solution = solved

    def accept_both(point: Point) -> bool:
        value = solution.xreplace(point)
        return _in_range(atom, value) and accept({**point, atom: value})
    if not _in_range(atom, solution):
        return Verdict(True, "identical", "the case is empty")
    a, b, *positive = (prepare(e.xreplace({atom: solution})) for e in (a, b, *positive))
    verdict = _decide(a, b, frozenset(positive), seed, accept_both)
    if verdict.counterexample is None:
        return verdict
    value = solution.xreplace(dict(verdict.counterexample))
    return replace(verdict, counterexample={**verdict.counterexample, atom: value})


def _solve(difference: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
    """A variable in which the difference is linear, and its value where the difference is 0."""
    for atom in variables(difference):
        factor = difference.coeff(atom, 1)
        rest = difference - factor * atom
        if factor.is_number and factor and not rest.has(atom) and (not atom.is_integer or abs(factor) == 1):
            return atom, sp.expand(-rest / factor)
    return None


def _in_range(atom: sp.Expr, value: sp.Expr) -> bool:
    """Whether a variable may have a value: an index of known extent only those of its range."""
    if not (isinstance(atom, Index) and value.is_Number and atom.start.is_Number and atom.last.is_Number):
        return True
    return bool(value.is_Integer and atom.start <= value <= atom.last)

