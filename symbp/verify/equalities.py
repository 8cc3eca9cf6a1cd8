"""Whether two sides of a formula are equal: their values at random points on the facts, in each reading that books use.

Stage: nodes of two sides → values of both → judgement.  Floats find differences; equality is decided by `symbp.verify.deciding`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from symbp.errors import SymbpError
from symbp.verify.deciding import FAR, SEEDS, difference, exactly
from symbp.verify.forms import pairs
from symbp.verify.linear import Linear
from symbp.verify.meaning import LAID_OUT, MATRICES, UNITS, Meaning, Reading, readings
from symbp.verify.naming import Names, Unknown
from symbp.verify.nodes import Call, Derivative, Node, Sym, below, is_letter, walk
from symbp.verify.outcome import ILL_POSED, RIGHT, RIGHT_IF, UNDECIDED, WRONG
from symbp.verify.points import FLOAT, Key, Point
from symbp.verify.shapes import Unfit, Value
from symbp.verify.updates import Updates, constants

if TYPE_CHECKING:
    from symbp.language.program import Program
    from symbp.verify.claimfile import Text

ORDER = (WRONG, ILL_POSED, UNDECIDED, RIGHT_IF, RIGHT)
"""Verdicts on formulas, the worst first."""
TARGETS = ("y", "t", "d", "q", "p", "r", "o")
ASSUMED = {"one-hot": "each {name} has a single 1", "simplex": "the elements of each {name} sum to 1", "binary": "{name} is 0 or 1"}


@dataclass(frozen=True)
class Judgement:
    """What is said of a formula, and why; method: how equality was decided."""

    verdict: str
    note: str = ""
    method: str = ""


class Equalities:
    """The part of the judge that compares two sides."""

    text: Text
    program: Program
    updates: Updates
    names: Names
    aliases: Mapping[str, Key]
    functions: Mapping[str, Callable]
    fixed: Mapping[str, int]
    numbers: Mapping[str, Fraction]

    def __init__(self) -> None:
        self._points: dict[tuple, Point] = {}
        self._noted: set[str] = set()
        self._lefts: dict[tuple, tuple[Value | Linear, frozenset[str]]] = {}

    def equality(self, left: Node, right: Node) -> Judgement:
        """The verdict on an equality."""
        first: Judgement | None = None
        for reading, note in readings(left, right):
            found = self._under(left, right, reading, {})
            if found.verdict in (RIGHT, RIGHT_IF):
                plain = reading.elementwise and MATRICES not in self._noted
                return found if plain else with_note(found, note)
            first = first if first is not None and ORDER.index(first.verdict) <= ORDER.index(found.verdict) else found
        if first.verdict == UNDECIDED:
            return first
        return self._assuming(left, right) or first

    def _assuming(self, left: Node, right: Node) -> Judgement | None:
        """The verdict where something is assumed of a target that the file does not state."""
        for name, what in self._assumptions():
            for reading in (Reading(), Reading(rows=True)):
                found = self._under(left, right, reading, {name: what})
                if found.verdict in (RIGHT, RIGHT_IF):
                    return with_note(found, ASSUMED[what].format(name=name))
        return None

    def _assumptions(self) -> Iterator[tuple[str, str]]:
        """What may be assumed of inputs of which the file states nothing."""
        stated = {n for fact in self.program.facts for n in fact.tensors}
        inputs = [t for t in self.program.inputs if t.role == "input" and t.dtype == "float" and t.name not in stated]
        for tensor in (t for t in inputs if t.name.lower().startswith(TARGETS)):
            if tensor.shape:
                yield from ((tensor.name, "one-hot"), (tensor.name, "simplex"))
            yield tensor.name, "binary"

    def _under(self, left: Node, right: Node, reading: Reading, assumed: Mapping[str, str]) -> Judgement:
        """The verdict under one reading."""
        try:
            assignments = self._assignments(left, right)
            found = self._float(left, right, reading, assumed, assignments)
            if isinstance(found, Judgement):
                return found
            note, notes = found
            self._noted = notes
            decided = exactly(
                lambda kind, seed: [self._pairs(left, right, reading, assumed, a, kind, seed)[0][note] for a in assignments],
                lambda seed: self.point(seed, "symbol", assumed).positive,
                (0, 1) if assumed or self.program.facts else (0,),
            )
        except Unfit as error:
            return Judgement(ILL_POSED, str(error))
        except SymbpError as error:
            return Judgement(
                ILL_POSED if isinstance(error, Unknown) and str(error).startswith("nothing is called") else UNDECIDED, str(error)
            )
        if decided.equal:
            conventions = [note, *self._conventions(left, right, notes)]
            said = "; ".join(dict.fromkeys(c for c in conventions if c))
            return Judgement(RIGHT_IF, f"right if {said}", decided.method) if said else Judgement(RIGHT, "", decided.method)
        return Judgement(WRONG) if decided.equal is False else Judgement(UNDECIDED, decided.method)

    def _float(
        self, left: Node, right: Node, reading: Reading, assumed: Mapping[str, str], assignments: list[dict[str, int]]
    ) -> Judgement | tuple[str, set[str]]:
        """A difference of floats; or the form in which the sides seem equal, and what the evaluation noted."""
        kept: dict[str, None] | None = None
        notes: set[str] = set()
        met = False
        for seed in SEEDS:
            for letters in assignments:
                found, more = self._pairs(left, right, reading, assumed, letters, FLOAT, seed)
                notes |= more
                gaps = {note: difference(a, b) for note, (a, b) in found.items()}
                if all(np.isnan(g) for g in gaps.values()):
                    continue
                met = True
                kept = {note: None for note, gap in gaps.items() if gap <= FAR and (kept is None or note in kept)}
                if not kept:
                    return Judgement(WRONG)
        if not met:
            raise SymbpError("the sides have no finite value at random inputs")
        return next(iter(kept)), notes

    def _pairs(
        self,
        left: Node,
        right: Node,
        reading: Reading,
        assumed: Mapping[str, str],
        letters: Mapping[str, int],
        kind: str,
        seed: int,
    ) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], set[str]]:
        """Both sides at one point, in each form in which they may be compared."""
        units = {n.base for side in (left, right) for n in below(side) if is_letter(n, *UNITS) and not self.names.find(n, {})}
        with np.errstate(all="ignore"):
            if not units:
                return self._both(left, right, reading, assumed, letters, kind, seed, {})
            for size in sorted({n for value in self.point(seed, kind, assumed).values.values() for n in value.shape}):
                with contextlib.suppress(Unfit):
                    return self._both(left, right, reading, assumed, letters, kind, seed, dict.fromkeys(units, size))
            raise Unfit("a unit matrix of no size fits here")

    def _both(
        self, left: Node, right: Node, reading: Reading, assumed: Mapping[str, str], letters: Mapping[str, int], kind: str, seed: int,
        units: Mapping[str, int]
    ) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], set[str]]:
        """The same, whatever floats give no value, with unit matrices of some size."""
        point = self.point(seed, kind, assumed)
        meaning = self.meaning(point, left, right, reading, letters)
        meaning.sizes |= units
        first = self._left(meaning, left, reading, letters, kind, seed, assumed)
        meaning.notes.discard(LAID_OUT)
        second = meaning.evaluate(right)
        return pairs(first, second, reading, self._is_derivative(left), LAID_OUT in meaning.notes), meaning.notes

    def meaning(self, point: Point, left: Node, right: Node, reading: Reading, letters: Mapping[str, int]) -> Meaning:
        """What symbols mean at a point."""
        made = Meaning(
            point,
            self.names,
            self.aliases,
            self.functions,
            reading,
            dict(letters),
            sizes=dict(self.fixed),
            batch=self._batch(point),
            families=self._families(left, right),
            constants=constants(left, right, self.names.axes),
        )
        made.prepare(left, right)
        return made

    def _left(
        self, meaning: Meaning, left: Node, reading: Reading, letters: Mapping[str, int], kind: str, seed: int, assumed: Mapping[str, str]
    ) -> Value | Linear:
        """The value of the left side, which many right sides are compared with."""
        key = (
            left,
            reading,
            tuple(letters.items()),
            kind,
            seed,
            tuple(assumed.items()),
            tuple(meaning.extents.items()),
            tuple(meaning.sizes.items()),
        )
        if key not in self._lefts:
            if len(self._lefts) > 200:
                self._lefts.clear()
            value = meaning.evaluate(left)
            self._lefts[key] = value, frozenset(meaning.notes)
        value, notes = self._lefts[key]
        meaning.notes |= notes
        return value

    def _is_derivative(self, left: Node) -> bool:
        """Whether a side is a derivative, which has a layout."""
        if isinstance(left, Sym):
            found = self.names.find(left, self.names.last(left))
            return found is None or found.name in self.aliases
        return any(isinstance(n, Derivative) for _, n in walk(left))

    def _conventions(self, left: Node, right: Node, notes: set[str]) -> list[str]:
        """The conventions that the evaluation noted and that matter."""
        found = [n for n in notes if n.startswith("what lies")]
        kinks = [n for n in notes if n.startswith("kink")]
        differentiates = any(self._has_slope(n) for side in (left, right) for n in below(side))
        if kinks and differentiates:
            found.append("the derivative at the kink, where both sides of the condition meet, is taken as it stands there")
        return found

    def _has_slope(self, node: Node) -> bool:
        """Whether a node is a derivative, by its name or its sign."""
        named = isinstance(node, Sym) and self.aliases.get(node.base, ("",))[0] == "by"
        return named or isinstance(node, Derivative) or isinstance(node, Call) and bool(node.primes)

    def point(self, seed: int, kind: str, assumed: Mapping[str, str]) -> Point:
        """A point, each drawn once."""
        key = seed, kind, tuple(assumed.items())
        if key not in self._points:
            fixed = {**self.fixed, **self.numbers}
            self._points[key] = Point(self.program, seed, kind, assumed, self.text.program, fixed, self.updates.full)
        return self._points[key]

    def _batch(self, point: Point) -> int | None:
        """How many samples there are, where the program says."""
        if "N" in point.sample.sizes:
            return int(point.sample.sizes["N"])
        for index in self.program.indices:
            if index.name == "n" and index.extent.is_Integer:
                return int(index.extent)
        return None


def with_note(found: Judgement, note: str) -> Judgement:
    """The judgement as right under a further condition."""
    if not note:
        return found
    return replace(found, verdict=RIGHT_IF, note=f"{found.note}; {note}" if found.note else f"right if {note}")
