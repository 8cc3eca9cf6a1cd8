"""Comparison at random real points, to many digits: a difference is certain, an agreement is evidence.

A difference counts only where it is larger than its error bound.  Agreement needs several points, one of them to
1000 digits, and for the steps that occur every combination of signs that some point may have.
"""
from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import sympy as sp

from symbp.certify.field import signs_impossible
from symbp.certify.reals import Arb, Evaluation, Unreal, arithmetic
from symbp.certify.terms import (
    counters,
    is_root_of_composite,
    nodes,
    positive_by_domain,
    sign_factors,
    variables,
)
from symbp.language.functions import step
from symbp.language.index import Index
from symbp.language.tensor import Access

DIGITS, MANY_DIGITS, AGREED = 80, 1000, 50
POINTS, POINTS_WITH_ROOTS, TRIES, MOST_STEPS = 8, 64, 600, 6
UNIT = 10**6
SCALES = (1, 1, 1, 10, 100)

Point = dict[sp.Expr, sp.Rational]
Counterexample = tuple[Point, str, str]
"""The point, and the two values."""


@dataclass
class Outcome:
    """What the points said: `found` is a difference, else `doubt` says why agreement is no proof ("" if it is one)."""

    found: Counterexample | None = None
    points: int = 0
    doubt: str = ""
    patterns: set[tuple[bool, ...]] = field(default_factory=set)


@dataclass(frozen=True)
class Question:
    """Two prepared expressions, their variables, and what a point must satisfy."""

    a: sp.Expr
    b: sp.Expr
    names: tuple[sp.Expr, ...]
    counters: tuple[sp.Symbol, ...]
    positive: frozenset[sp.Expr]
    steps: tuple[sp.Expr, ...]
    accept: Callable[[Point], bool]


def compare(a: sp.Expr, b: sp.Expr, positive: Collection[sp.Expr] = (), seed: int = 0,
            accept: Callable[[Point], bool] = lambda point: True) -> Outcome:
    """Evaluate both expressions at random points until they differ or have agreed often enough."""
    known = frozenset({*positive, *positive_by_domain(a), *positive_by_domain(b)})
    question = Question(a, b, variables(a, b, *known), counters(a, b), known, _step_arguments(a, b), accept)
    outcome, reachable = Outcome(), None
    points = POINTS_WITH_ROOTS if any(map(is_root_of_composite, nodes(a) | nodes(b))) else POINTS
    for attempt in range(TRIES):
        try:
            outcome.found = _visit(question, f"{seed}/{attempt}", SCALES[attempt % 5] if attempt > 20 else 1, outcome)
        except (Unreal, ZeroDivisionError, OverflowError):
            continue
        if outcome.found:
            return outcome
        if len(question.steps) > MOST_STEPS:
            if outcome.points >= 4 * points:  # too many signs to meet them all: what is left is to look for a counterexample
                break
        elif outcome.points >= points:
            reachable = reachable if reachable is not None else _reachable(question)
            if reachable <= outcome.patterns:
                return outcome
    outcome.doubt = _doubt(question, outcome, points)
    return outcome


def _doubt(question: Question, outcome: Outcome, points: int) -> str:
    if outcome.points < points:
        return f"only {outcome.points} of {TRIES} random points gave two real values"
    if len(question.steps) > MOST_STEPS:
        return f"{len(question.steps)} steps have too many combinations of signs"
    return f"{outcome.points} points agree, but not every combination of the steps' signs was met"


def _visit(question: Question, seed: str, scale: int, outcome: Outcome) -> Counterexample | None:
    """Compare at one point; count it, or return it as a counterexample."""
    point, generic = _draw(question, random.Random(seed), scale)
    for digits in (DIGITS,) if outcome.patterns else (DIGITS, MANY_DIGITS):
        with arithmetic(digits) as numbers:
            at = Evaluation(numbers, point, seed)
            if _differ(question, at, digits):
                return at.everything(), numbers.text(at.value(question.a)), numbers.text(at.value(question.b))
            signs = tuple(at.sign(x) == 1 for x in question.steps)
    outcome.points += generic
    outcome.patterns.add(signs)
    return None


def _differ(question: Question, at: Evaluation, digits: int) -> bool:
    """Whether the two surely differ at a point; a point where they are not known well enough is none."""
    if any(at.sign(p) != 1 for p in question.positive):
        raise Unreal
    a, b = at.value(question.a), at.value(question.b)
    size = max(1, abs(a), abs(b))
    if isinstance(at.numbers, Arb):
        middle, error, border = abs((a - b).mid()), (a - b).rad(), 0
    else:
        middle, error = _with_error(question, at, a - b, 2 * digits)
        border = size * at.numbers.context.mpf(10) ** (15 - 2 * digits)
    if middle > error and middle > border:
        return True
    if not middle + error <= size / 10**AGREED:
        raise Unreal
    return False


def _with_error(question: Question, at: Evaluation, rough: Any, digits: int) -> tuple[Any, Any]:
    """The size of the difference to twice the digits, and what these changed in it, with a margin."""
    with arithmetic(digits) as numbers:
        finer = Evaluation(numbers, at.point, at.seed)
        difference = finer.value(question.a) - finer.value(question.b)
        return abs(difference), 4 * abs(difference - rough)


def _draw(question: Question, rng: random.Random, scale: int) -> tuple[Point, bool]:
    """A random point of six decimals, so that a printed counterexample is exact; and whether it is generic.

    Elements at the same position have the same value; a generic point has no such coincidence.
    """
    point = {name: _number(name, name in question.positive, rng, scale) for name in question.names}
    whole = {c: sp.Integer(rng.randint(*_range(c))) for c in question.counters}
    places: dict[sp.Expr, sp.Rational] = {}
    for name in question.names if whole else ():
        if isinstance(name, Access):
            point[name] = places.setdefault(name.xreplace(whole), point[name])
    point |= whole
    if not question.accept(point):
        raise Unreal
    return point, not whole or len(places) == sum(isinstance(n, Access) for n in question.names)


def _range(counter: sp.Symbol) -> tuple[int, int]:
    """The range of an index of known extent, else 1…40."""
    bounds = (counter.start, counter.last) if isinstance(counter, Index) else (sp.S.One, sp.Integer(40))
    return tuple(map(int, bounds)) if all(isinstance(b, sp.Integer) for b in bounds) else (1, 40)


def _number(name: sp.Expr, positive: bool, rng: random.Random, scale: int) -> sp.Rational:
    if name.is_integer:
        return sp.Integer(rng.randint(*_range(name)))
    value = sp.Rational(rng.randrange(1, 2 * UNIT * scale), UNIT)
    return value if positive or name.is_nonnegative or rng.random() < 0.5 and not name.is_nonpositive else -value


def _step_arguments(*expressions: sp.Expr) -> tuple[sp.Expr, ...]:
    """What decides the steps: the factors of their arguments, each once up to sign."""
    found: dict[sp.Expr, None] = {}
    for node in sorted((n for e in expressions for n in nodes(e) if isinstance(n, step)), key=sp.default_sort_key):
        for x in sign_factors(node.args[0]):
            if not x.is_number:
                found.setdefault(-x if x.could_extract_minus_sign() else x)
    return tuple(found)


def _reachable(question: Question) -> set[tuple[bool, ...]]:
    """The combinations of signs that the steps' arguments are not proved never to have."""
    return {signs for signs in product((False, True), repeat=len(question.steps))
            if not signs_impossible(zip(question.steps, signs), question.positive)}
