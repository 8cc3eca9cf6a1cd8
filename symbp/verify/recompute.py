"""Calculates what is claimed again: exactly from the text's inputs, and from the digits that the text prints before.

Stage: text + quantities → for each claim what the digits should be.  The same program runs on exact numbers; on the printed numbers
at their digits, with labels that tell what a line was calculated from; and, for what neither explains, in the other ways of
calculating and on the intervals that round to the printed digits.
"""
from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from symbp.errors import LanguageError, SymbpError
from symbp.interpret import interpret
from symbp.numbers import Numbers
from symbp.verify.claimfile import Text
from symbp.verify.enclosures import Enclosures, Labelled, enclosures
from symbp.verify.longrun import State, between, long_run
from symbp.verify.printed import Bounds, agrees
from symbp.verify.quantity import Quantities
from symbp.verify.visits import Visit, needs, rows_of, visits_of
from symbp.verify.ways import KINDS, Way, plain, textbook
from symbp.verify.wording import IllPosed, Quantity

FEW_STEPS, MOST_TYPOS, MOST_DERIVED = 30, 6, 12

NO_VALUE = ("it has no finite value: a division by zero, a logarithm of no positive number, numbers beyond all bounds, "
            "or a function of which only the name is given")


@dataclass
class Recomputed:
    """One claim's numbers, each with its error bounds.

    exact: from the text's inputs.  points: from the digits printed before, one for each way of writing the line.  ranges: the
    same from the intervals that round to those digits.  rooted, rooted_ranges: the same with the digits of some wrong numbers only.
    spared: the same as points, one printed number left out of account each.
    used: the claims that the line was calculated from.  problem: why there is no number; ill_posed: whether that is the claim's fault.
    turned: whether it stands in a table that is laid out transposed.  same: earlier claims of the same number.
    """

    exact: Bounds | None = None
    points: list[Bounds] = field(default_factory=list)
    ranges: list[Bounds] = field(default_factory=list)
    rooted: list[Bounds] = field(default_factory=list)
    rooted_ranges: list[Bounds] = field(default_factory=list)
    spared: dict[int, Bounds] = field(default_factory=dict)
    used: frozenset[int] = frozenset()
    problem: str = ""
    ill_posed: bool = False
    turned: bool = False
    same: tuple[int, ...] = ()


class Recomputation:
    """All runs on one text: where each claim's number lies, when it is calculated, and what it should be.

    >>> from symbp.verify.claimfile import load
    >>> found = Recomputation(load("examples/claims/pub-adam-3steps.toml"))
    >>> [round(float(n.exact[0]), 4) for n in found.numbers][5:8]
    [4.9, 9.8, 1.88]
    """

    def __init__(self, text: Text) -> None:
        self.text = text
        self.numbers = [Recomputed(problem=claim.problem) for claim in text.claims]
        self.where: dict[int, Quantity] = {}
        self.visits: dict[int, list[Visit]] = {}
        self.far: dict[int, tuple[State, State]] = {}
        self.exact: Enclosures = enclosures()
        self.ways: list[Way] = []
        if any(claim.printed is not None for claim in text.claims):
            self._run()

    def substitute(self, claims: Collection[int]) -> None:
        """Calculate all numbers again with the printed ones of these claims, and of no others."""
        for number in self.numbers:
            number.rooted, number.rooted_ranges = [], []
        for way in self.ways:
            for kind, printed in (("rooted", self._points()), ("rooted_ranges", self._ranges())):
                self._collect(way, {k: ball for k, ball in printed.items() if k in claims}, kind)
        for k in claims:
            self.numbers[k].rooted, self.numbers[k].rooted_ranges = [], []

    def _run(self) -> None:
        """Fill in what is found."""
        quantities = self._quantities()
        self._locate(quantities)
        way = plain(quantities)
        self._drop(way)
        if not self.where:
            return
        way = way.only(self.where.values(), self.last > 0)
        self.ways.append(way)
        self._long(way)
        for k, value in self._all(way, self.exact, {}).items():
            self.numbers[k].exact = self._bounds(value)
        for k in (k for k in self.where if self.numbers[k].exact is None):
            self.numbers[k].problem = NO_VALUE
        self._less_sure(way)
        self._repeated()
        self._from_digits(way)
        if any(self._open(k) for k in self.where):
            self._harder(way, quantities)

    def _harder(self, way: Way, quantities: Quantities) -> None:
        """The runs for what neither the inputs nor the printed digits explain."""
        asked = [self.text.loss, *dict.fromkeys(self.where[k].of for k in self.where if self._open(k))]
        for of in [of for of in dict.fromkeys(asked) if of][:MOST_DERIVED]:
            made = (textbook(self.text, quantities, kind, of, [*self.where.values()]) for kind in KINDS)
            self.ways += [other.only(self.where.values(), self.last > 0) for other in made if other is not None]
        points, ranges = self._points(), self._ranges()
        for other in self.ways:
            if other is not way:
                self._from_digits(other)
            self._collect(other, ranges, "ranges")
        if any(self.numbers[k].same for k in self.where):
            self._collect(way, dict(reversed(points.items())), "points")
        suspects = {j for k in self.where if self._open(k) for j in self.numbers[k].used if not self._holds(j)}
        for j in sorted(suspects)[:MOST_TYPOS]:
            for k, value in self._all(way, self.exact, {i: p for i, p in points.items() if i != j}).items():
                if j in self.numbers[k].used and (bounds := self._bounds(value)) is not None:
                    self.numbers[k].spared[j] = bounds

    def _from_digits(self, way: Way) -> None:
        """Each number from the printed digits of those that it is calculated from, and which these are."""
        marks = Labelled(self.exact)
        labelled = {k: marks.mark(p.value, p.value, k) for k in self.where for p in (self.text.claims[k].printed,)}
        for k, mark in self._all(way, marks, labelled).items():
            self.numbers[k].used |= mark.labels - {k}
            if (bounds := self._bounds(mark.value)) is not None:
                self.numbers[k].points.append(bounds)

    def _points(self) -> dict[int, Any]:
        """The printed numbers at their digits."""
        return {k: self.exact.between(*(self.text.claims[k].printed.value,) * 2) for k in self.where}

    def _ranges(self) -> dict[int, Any]:
        """The intervals that round to the printed digits."""
        return {k: self.exact.between(*self.text.claims[k].printed.rounded) for k in self.where}

    def _repeated(self) -> None:
        """Note which claims are of one number."""
        seen: dict[tuple, list[int]] = {}
        for k, quantity in self.where.items():
            earlier = seen.setdefault((quantity.tensor, quantity.at, *self.visits[k]), [])
            self.numbers[k].same = tuple(earlier)
            earlier.append(k)

    def _collect(self, way: Way, printed: Mapping[int, Any], kind: str) -> None:
        for k, value in self._all(way, self.exact, printed).items() if printed else ():
            if (bounds := self._bounds(value)) is not None:
                getattr(self.numbers[k], kind).append(bounds)

    def _holds(self, k: int) -> bool:
        exact = self.numbers[k].exact
        return exact is not None and bool(agrees(self.text.claims[k].printed, exact))

    def _open(self, k: int) -> bool:
        """Whether neither the inputs nor the printed digits give a claim's number."""
        found = self.numbers[k]
        return found.exact is not None and not self._holds(k) and not any(agrees(self.text.claims[k].printed, p) for p in found.points)

    # what is claimed, and when

    def _quantities(self) -> Quantities:
        """The program of all claims; without the optimiser's update where that has no derivative."""
        stepping = any(c.after or c.epochs or c.mean == "epoch" for c in self.text.claims) or self.text.optimizer is not None
        try:
            return Quantities(self.text, steps=stepping)
        except SymbpError as error:
            self.stuck = str(error)
            return Quantities(self.text)

    stuck = "a number after an update needs a loss in [network] and an [optimizer]"

    def _locate(self, quantities: Quantities) -> None:
        """Find each claim's quantity, a table's all together."""
        tables: dict[tuple[int, str, int, int | None], list[int]] = {}
        for k, claim in enumerate(self.text.claims):
            if claim.printed is not None:
                tables.setdefault((claim.table, claim.quantity, claim.after, claim.epochs), []).append(k)
        for members in tables.values():
            try:
                self._table(quantities, members)
            except SymbpError as error:
                for k in members:
                    self._refuse(k, str(error), isinstance(error, IllPosed))
        for k in list(self.where):
            self._visits(k, quantities)

    def _table(self, quantities: Quantities, members: Sequence[int]) -> None:
        first = self.text.claims[members[0]]
        if not first.shape:
            self.where |= {k: quantities.find(self.text.claims[k].quantity) for k in members}
            return
        places, turned = quantities.table(first.quantity, first.shape)
        strides = [int(np.prod(first.shape[axis + 1:])) for axis in range(len(first.shape))]
        for k in members:
            self.where[k] = places[sum(i * s for i, s in zip(self.text.claims[k].at, strides))]
            self.numbers[k].turned = turned

    def _visits(self, k: int, quantities: Quantities) -> None:
        claim = self.text.claims[k]
        problem, visits = visits_of(self.text, claim, self.where[k].lag)
        if not problem and max(v.step for v in visits) and quantities.update is None:
            problem = self.stuck
        if problem:
            self._refuse(k, problem)
        else:
            self.visits[k] = visits

    def _refuse(self, k: int, problem: str, ill_posed: bool = False) -> None:
        self.where.pop(k, None)
        self.numbers[k].problem, self.numbers[k].ill_posed = problem, ill_posed

    def _drop(self, way: Way) -> None:
        """Refuse the claims that need a value that the file does not give."""
        given = {*self.text.values, *way.start}
        for k in list(self.where) if needs(self.text, way.program, given) else ():
            stepping = max(v.step for v in self.visits[k]) > 0
            if problem := needs(self.text, way.only([self.where[k]], stepping).program, given):
                self._refuse(k, problem)

    @property
    def last(self) -> int:
        """The last step that a claim looks at."""
        return max((v.step for k in self.where for v in self.visits[k]), default=0)

    # runs

    def _long(self, way: Way) -> None:
        """The states before steps that are too many for the oracle."""
        wanted = {v.step for k in self.where for v in self.visits[k] if v.step > FEW_STEPS}
        if not wanted:
            return
        self.far = long_run(way, lambda step: rows_of(self.text, Visit(step)), wanted, self.text.sizes)
        for k in list(self.where):
            if any(v.step in wanted and v.step not in self.far for v in self.visits[k]):
                self._refuse(k, "the numbers grow beyond all bounds before that step")

    def _less_sure(self, way: Way) -> None:
        """Widen the numbers after many steps by what the rounding of those may have changed."""
        if not self.far:
            return
        for k, value in self._all(way, self.exact, {}, rough=True).items():
            if any(v.step in self.far for v in self.visits[k]) and (other := self._bounds(value)) and self.numbers[k].exact:
                self.numbers[k].exact = between(self.numbers[k].exact, other)

    def _all(self, way: Way, numbers: Numbers, printed: Mapping[int, Any], rough: bool = False) -> dict[int, Any]:
        """Each claim's value, all reads of claimed elements taking the printed ones; left out where the numbers break."""
        parts: dict[int, dict[Visit, Any]] = {k: {} for k in self.where}
        near = [v.step for k in self.where for v in self.visits[k] if v.step <= FEW_STEPS]
        values: dict[str, Any] = {**self.text.values, **way.start}
        for step in range(max(near, default=-1) + 1):
            arrays = self._step(way, numbers, printed, step, values, parts)
            if arrays is None:
                break
            if not way.next:
                break
            values |= {old: arrays[new] for old, new in way.next.items()}
        for step, state in self.far.items() if way.next else ():
            named = {name if way.place is None else way.place[name]: array for name, array in state[rough].items()}
            self._step(way, numbers, printed, step, {**self.text.values, **way.start, **named}, parts)
        return {k: _mean(list(part.values()), numbers) for k, part in parts.items() if len(part) == len(self.visits[k])}

    def _step(self, way: Way, numbers: Numbers, printed: Mapping[int, Any], step: int, values: Mapping[str, Any],
              parts: dict[int, dict[Visit, Any]]) -> Mapping[str, np.ndarray] | None:
        """One step's run for the sample that it takes, and those for other samples that a claim asks for; None where numbers break."""
        arrays = None
        asked = {v for k in self.where for v in self.visits[k] if v.step == step}
        for visit in sorted(asked | {Visit(step)}, key=lambda v: -1 if v.sample is None else v.sample):
            here = {k: name for k, q in self.where.items() if visit in self.visits[k] and (name := way.locate(q)) is not None}
            if visit.sample is not None and not here:
                continue
            try:
                given = {**values, **rows_of(self.text, visit, keep=values)}
                found = interpret(way.program, {t.name: given[t.name] for t in way.program.inputs}, self.text.sizes, numbers=numbers,
                                  facts=False, instead=self.masks(way, here, printed, numbers, visit.step))
            except (LanguageError, ArithmeticError, ValueError):
                if visit.sample is None:
                    return None
                continue
            for k, name in here.items():
                parts[k][visit] = found[name][self.where[k].at]
            arrays = found if visit.sample is None else arrays
        return arrays

    def masks(self, way: Way, here: Mapping[int, str], printed: Mapping[int, Any], numbers: Numbers,
              step: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """For each tensor with claimed elements which they are, and their printed values; those of next values, too."""
        masks: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        following = {k: way.next[name] for k in printed if k not in here and self.visits[k] == [Visit(step + 1)]
                     and (name := way.locate(self.where[k])) in way.next and way.next[name] in way.program}
        for k, name in [(k, here[k]) for k in printed if k in here] + [*following.items()]:
            tensor = way.program.tensor(name)
            if tensor.dtype == "int" or len(self.visits[k]) > 1:
                continue
            if tensor.name not in masks:
                shape = tuple(self.text.sizes.get(str(e), 0) or int(e) for e in tensor.shape)
                masks[tensor.name] = np.zeros(shape, dtype=bool), numbers.zeros(shape)
            masks[tensor.name][0][self.where[k].at] = True
            masks[tensor.name][1][self.where[k].at] = printed[k]
        return masks

    def _bounds(self, value: Any) -> Bounds | None:
        try:
            return self.exact.bounds(value)
        except LanguageError:
            return None


def _mean(values: Sequence[Any], numbers: Numbers) -> Any:
    """The mean of a number over several visits."""
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total * numbers.convert(np.array(Fraction(1, len(values)))).item() if len(values) > 1 else total
