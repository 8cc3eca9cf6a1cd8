"""Which slips would give a wrong number as it is printed: an explanation, not a fact.

Stage: verdicts + recomputed numbers → the same verdicts, with slips.  For each line that is wrong, three kinds are tried on the numbers
that are printed before it, and on the exact ones: a slip in the equations between them, which must give every element of the claim; a
slip in the calculation of one element; and a slip of the pen.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from symbp.errors import SymbpError
from symbp.language.equation import Equation
from symbp.language.tensor import Access, accesses, names_read
from symbp.numbers import NUMBERS
from symbp.verify.elements import Place
from symbp.verify.lines import number, written_out
from symbp.verify.mistakes import ORDER, calls, downstream, mistakes
from symbp.verify.outcome import WRONG, Verdict
from symbp.verify.places import slips_of
from symbp.verify.printed import Printed, agrees
from symbp.verify.recompute import FEW_STEPS, Recomputation
from symbp.verify.trial import Trial
from symbp.verify.typos import typos
from symbp.verify.visits import Visit, rows_of
from symbp.verify.ways import Way

MOST_TRIED, MOST_IN_ALL, MOST_FOUND = 500, 4000, 6
"""So many changes are tried for a line, and in all; so many explanations are named."""
MOST_ELEMENTS, MOST_PARTS = 4, 16
"""So few elements, of so few parts, are tried by themselves."""
LEAST_DIGITS = 3
"""With fewer digits, only the plainest slips are offered."""
PLAIN = frozenset({"sign", "factor", "ascent", "activation", "term"})
PLAINEST = frozenset({"sign", "term"})
"""What is offered for a single digit."""


@dataclass(frozen=True)
class Line:
    """The claims of one table that are calculated by one line, in one way: all of them, and those that are wrong.

    name: the tensor that the line writes.  at: the element of each claim.
    """

    way: Way
    name: str
    visit: Visit
    at: Mapping[int, tuple[int, ...]]
    wrong: tuple[int, ...]


def explain(made: Recomputation, judged: Mapping[int, Verdict]) -> dict[int, Verdict]:
    """The verdicts by the claims' numbers, wrong ones with the slips that give their digits.

    >>> from symbp.verify.claimfile import parse
    >>> from symbp.verify.verdict import verdicts
    >>> text = parse('''[network]
    ... equations = ["z = w*x + b", "a = sigmoid(z)", "J = (a - y)^2/2"]
    ... loss = "J"
    ... [values]
    ... w = 0.5
    ... x = 3
    ... b = 0.25
    ... y = 1
    ... [[claims]]
    ... of = "z"
    ... value = "1.5000"
    ... [[claims]]
    ... of = "dJ/dw"
    ... value = "-0.5473"
    ... ''')
    >>> [v.slips[0] for v in verdicts(text)]
    ['z: the term b is missing', "dJ/dw: the factor σ'(z) is missing"]
    """
    wrong = [k for k, v in judged.items() if v.verdict == WRONG and v.claim.printed is not None and k in made.where]
    found = {k: {} for k in wrong}
    groups: dict[tuple, list[int]] = {}
    for k in wrong:
        groups.setdefault((made.text.claims[k].table, *made.visits[k]), []).append(k)
    left = MOST_IN_ALL
    for members in groups.values():
        search = _Search(made, members, min(left, MOST_TRIED))
        for k, what in search.found():
            found[k].setdefault(what)
        left -= search.tried
    return {k: replace(v, slips=tuple(found[k])[:MOST_FOUND]) if found.get(k) else v for k, v in judged.items()}


class _Search:
    """The search for one table's wrong numbers."""

    def __init__(self, made: Recomputation, members: Sequence[int], most: int) -> None:
        self.made, self.members, self.text = made, members, made.text
        self.printed = {k: self.text.claims[k].printed for k in made.where}
        self.tried, self.most = 0, most

    def found(self) -> Iterator[tuple[int, str]]:
        """(claim, slip) for all that fit, the plainest first."""
        explained: set[int] = set()
        single = len(self.members) <= MOST_ELEMENTS
        for way in self._ways():
            for line in self._lines(way):
                for what in self._of_equations(line):
                    explained |= {*line.wrong}
                    yield from ((k, what) for k in line.wrong)
        for k in self.members:
            right = self._right(k)
            yield from ((k, what) for what in typos(self.printed[k], right))
            if single and k not in explained:
                yield from ((k, what) for what in self._of_element(k))

    def _right(self, k: int) -> Fraction:
        return sum(self.made.numbers[k].exact) / 2

    def _ways(self) -> list[Way]:
        """The derivation's own lines with σ′ kept, with a (1 − a), and the adjoint program, as far as they have the numbers."""
        ways = self.made.ways
        return [*ways[:0:-1], *ways[:1]]

    # lines

    def _lines(self, way: Way) -> Iterator[Line]:
        """The lines that calculate the members here."""
        by: dict[tuple[str, Visit], dict[int, tuple[int, ...]]] = {}
        first, claims, visits = self.members[0], self.text.claims, self.made.visits
        for k in (k for k in self.made.where if claims[k].table == claims[first].table and visits[k] == visits[first]):
            if (place := self._place(way, k)) is not None:
                by.setdefault(place, {})[k] = self.made.where[k].at
        for (name, visit), at in by.items():
            wrong = tuple(k for k in self.members if k in at)
            if wrong and visit.step <= FEW_STEPS:
                yield Line(way, name, visit, at, wrong)

    def _place(self, way: Way, k: int) -> tuple[str, Visit] | None:
        """The tensor that the line writes, and the step in which it does: a parameter after k steps is written by the step before."""
        name, visits = way.locate(self.made.where[k]), self.made.visits[k]
        if name is None or len(visits) > 1:
            return None
        if name in way.next:
            return (way.next[name], Visit(visits[0].step - 1)) if visits[0].step else None
        return (name, visits[0]) if way.program.definition(name) else None

    def _positions(self, line: Line) -> list[int]:
        """The equations between the numbers that are printed and the line."""
        program = line.way.program
        claimed = {name for k in self.printed if k not in line.at and (name := line.way.locate(self.made.where[k])) is not None
                   and self.made.visits[k][0].step == line.visit.step}
        wanted, stack = {line.name}, [line.name]
        while stack:
            for equation in program.definition(stack.pop()):
                new = names_read(equation.expressions) - claimed - wanted
                wanted |= new
                stack += new
        return [k for k, equation in enumerate(program.equations) if equation.target.name in wanted]

    def _trials(self, line: Line) -> Iterator[Trial]:
        """The step that has the line, on the printed numbers and on the exact ones."""
        for printed in (True, False):
            try:
                yield self._trial(line.way, line.visit, printed)
            except (SymbpError, ArithmeticError, ValueError, TypeError):
                continue

    def _trial(self, way: Way, visit: Visit, printed: bool) -> Trial:
        key = (id(way), visit, printed)
        kept = self.made.__dict__.setdefault("trials", {})
        if key not in kept:
            kept[key] = self._made(way, visit, printed)
        return kept[key]

    def _made(self, way: Way, visit: Visit, printed: bool) -> Trial:
        values: dict[str, Any] = {**self.text.values, **way.start}
        for step in range(visit.step):
            before = self._trial(way, Visit(step), printed).arrays
            values |= {old: before[new] for old, new in way.next.items()}
        given = {**values, **rows_of(self.text, visit, keep=values)}
        here = {k: name for k, q in self.made.where.items() if visit in self.made.visits[k] and (name := way.locate(q)) is not None}
        digits = {k: float(p.value) for k, p in self.printed.items()} if printed else {}
        instead = self.made.masks(way, here, digits, NUMBERS["float64"], visit.step)
        below = self.made.__dict__.setdefault("below", {})
        if id(way) not in below:
            below[id(way)] = downstream(way.program)
        inputs = {t.name: given[t.name] for t in way.program.inputs}
        return Trial(way.program, inputs, self.text.sizes, instead=instead, below=below[id(way)])

    # slips

    def _of_equations(self, line: Line) -> Iterator[str]:
        """The slips in the equations behind a line that give every element that the table prints."""
        trials = list(self._trials(line))
        digits = sum(self.printed[k].digits for k in line.wrong)
        for mistake in mistakes(line.way.program, self._positions(line), calls(line.way.program, self.text.names)):
            if self.tried >= self.most:
                return
            if not _is_plain(mistake.kind, digits):
                continue
            for trial in trials:
                self.tried += 1
                arrays = trial.changed(mistake.edits, [line.name])
                if arrays is not None and self._fits(line, arrays[line.name]):
                    yield mistake.what
                    break

    def _fits(self, line: Line, array: np.ndarray) -> bool:
        """Whether all elements of the table come out as they are printed."""
        return all(_agrees(self.printed[k], array[at]) for k, at in line.at.items())

    def _of_element(self, k: int) -> Iterator[str]:
        """The slips in the calculation of one element, written out."""
        printed = self.printed[k]
        claimed = {name for way in self.made.ways for j in self.printed if j != k and (name := way.locate(self.made.where[j])) is not None}
        seen: set[str] = set()
        for way in self._ways():
            place = self._place(way, k)
            if place is None or place[1].step > FEW_STEPS:
                continue
            name, visit = place
            line = written_out(way.program, name, self.made.where[k].at, self.text.sizes, claimed | {*way.next})
            if line is None or len(accesses(line)) > MOST_PARTS:
                continue
            own = Access(name, *map(sp.Integer, self.made.where[k].at))
            shown = calls(way.program, self.text.names)
            spot = Place(way.program, Equation(own, line), (), self._later(way, name), shown)
            slips = sorted(slips_of(spot), key=lambda s: ORDER.index(s.kind))
            for slip in slips:
                if self.tried >= 2 * self.most:
                    return
                self.tried += 1
                if _is_plain(slip.kind, printed.digits) and slip.what not in seen and \
                        any(self._gives(trial, slip.body, printed) for trial in self._trials(Line(way, name, visit, {}, ()))):
                    seen.add(slip.what)
                    yield f"{spot.shown(own)}: {slip.what}"
            if seen:
                return

    def _later(self, way: Way, name: str) -> set[str]:
        return self.made.__dict__["below"].get(id(way), downstream(way.program)).get(name, set()) | {name}

    @staticmethod
    def _gives(trial: Trial, line: sp.Expr, printed: Printed) -> bool:
        try:
            with np.errstate(all="ignore"):
                return _agrees(printed, number(line, lambda a: _read(trial, a), trial.numbers.functions))
        except (ArithmeticError, IndexError, KeyError, TypeError, ValueError):
            return False


def _is_plain(kind: str, digits: int) -> bool:
    """Whether a kind of slip is plain enough to be offered for so many digits."""
    return digits >= LEAST_DIGITS or kind in (PLAIN if digits > 1 else PLAINEST)


def _read(trial: Trial, access: Access) -> float:
    """An element as the text prints it, or as it is calculated."""
    tensor = trial.program.tensor(access.name)
    at = tuple(int(p) - int(o) for p, o in zip(access.indices, tensor.origin))
    if any(k < 0 for k in at):
        raise IndexError(access)
    if access.name in trial.instead and trial.instead[access.name][0][at]:
        return float(trial.instead[access.name][1][at])
    return float(trial.arrays[access.name][at])


def _agrees(printed: Printed, value: float) -> bool:
    """Whether the digits stand for a number."""
    near, unit = float(printed.value), float(printed.unit)
    if not np.isfinite(value) or abs(value - near) > 2 * unit + 1e-6 * abs(near):
        return False  # far off, which most are
    exact = Fraction(float(value))
    return bool(agrees(printed, (exact, exact)))


