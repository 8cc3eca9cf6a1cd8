"""What went wrong in a formula: one change, or two, that make it right.

A slip is offered only where the changed formula is judged right by the decision that found it wrong; it explains, it does not prove.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from symbp.errors import SymbpError
from symbp.language.functions import Defined
from symbp.verify.changes import Change, Scope, changes
from symbp.verify.composite import missing
from symbp.verify.deciding import NEAR, difference
from symbp.verify.linear import Linear
from symbp.verify.meaning import Meaning, Reading, readings
from symbp.verify.naming import bound
from symbp.verify.nodes import (
    Big,
    Call,
    Derivative,
    Formula,
    Negative,
    Node,
    Number,
    Product,
    Quotient,
    Script,
    Sum,
    Sym,
    below,
    is_letter,
    walk,
)
from symbp.verify.points import FLOAT
from symbp.verify.shapes import Value

if TYPE_CHECKING:
    from symbp.verify.formulas import Formulas

MOST_FOUND, MOST_TRIED, MOST_PAIRS = 6, 2_000, 300
FACTORS = ((2, "a factor 2 is missing"), (0.5, "a factor 2 is too many"), (4, "a factor 4 is missing"), (0.25, "a factor 4 is too many"))


@dataclass(frozen=True)
class Slip:
    """An explanation: what kinds of slip, in words, and the right side without them."""

    kinds: tuple[str, ...]
    said: str
    side: Node


def explained(formulas: Formulas, formula: Formula, pairs: bool = True) -> list[Slip]:
    """The slips of one place that explain the first wrong relation of a formula; of two where there are none of one."""
    for k, sign in enumerate(formula.signs):
        left, right = formula.sides[k : k + 2]
        if formulas.relation(left, right, sign).verdict in ("wrong", "ill-posed"):
            return list(itertools.islice(_Search(formulas, left, right, sign).found(pairs), MOST_FOUND))
    return []


class _Search:
    """The search for the slips of one relation."""

    def __init__(self, formulas: Formulas, left: Node, right: Node, sign: str) -> None:
        left, right = formulas.stated(left, right, sign)[0]
        self.formulas, self.left, self.right = formulas, left, right
        self.assignments = formulas._assignments(left, right) if self._assignable() else [{}]
        self.scope = self._scope()
        self.readings = self._different_readings()

    def _different_readings(self) -> tuple[Reading, ...]:
        """The readings under which both sides have values, one for each pair of values; at most three."""
        found: list[tuple[Reading, list]] = []
        for reading, _ in readings(self.left, self.right):
            try:
                sides = self._sides(self.right, reading)
            except (SymbpError, ArithmeticError, ValueError, TypeError, IndexError):
                continue
            if not any(_same(sides, others) for _, others in found):
                found.append((reading, sides))
        return tuple(reading for reading, _ in found[:3]) or (Reading(), Reading(rows=True))

    def _assignable(self) -> bool:
        try:
            return bool(self.formulas._assignments(self.left, self.right))
        except SymbpError:
            return False

    def _scope(self) -> Scope:
        whole = Formula((self.left, self.right), ("=",))
        counting = self.formulas.names.counting(whole)
        letters = [
            n.base
            for _, n in walk(whole)
            if isinstance(n, Sym) and not (n.subs or n.sups or n.at) and n.base not in self.formulas.names.axes
        ]
        indices = [
            k
            for k in dict.fromkeys(letters)
            if k not in counting and len(k.split("#")[0]) == 1 and k != "⊤" and (k in self._used_below(whole))
        ]
        called = [n.name for _, n in walk(whole) if isinstance(n, Call) and n.name in (*self.formulas.functions, "sigmoid", "tanh", "relu")]
        own = [
            kind
            for kind in ("sigmoid", "tanh", "relu")
            if any(f.__name__ == kind for e in self.formulas.text.program.equations for f in map(type, e.body.atoms(Defined)))
        ]
        given = self.formulas.text.functions
        own = ["sigma" if kind == "sigmoid" and "sigma" not in given else kind for kind in own]
        functions = tuple(dict.fromkeys(called or [*given, *own] or ["sigma"]))
        inner = self._counting_below(whole)
        counting = [*counting, *inner]
        forms = tuple(self._forms(whole, counting, inner)) if counting else ()
        values = {**inner, **self.assignments[-1]}
        return Scope(self.formulas.names, tuple(indices), tuple(counting), functions, values, forms, self.formulas.text.loss)

    def _counting_below(self, whole: Formula) -> dict[str, int]:
        """The letters of sums that count names, each with a value for which all their names exist."""
        found: dict[str, int] = {}
        for big in (n for n in below(whole) if isinstance(n, Big)):
            for letter in self.formulas.names.counting(big.body):
                symbols = [n for n in below(big.body) if isinstance(n, Sym) and any(is_letter(k, letter) for k in below(n) if k is not n)]
                fits = (v for v in (1, 2, 3) if all(self.formulas.names.find(n, {letter: v}) for n in symbols))
                if letter in big.letters and (value := next(fits, None)) is not None:
                    found[letter] = value
        return found

    def _forms(self, whole: Formula, counting: list[str], inner: Mapping[str, int]) -> Iterator[Sym]:
        """Symbols with the letters of layers or steps in their scripts: the same, one before and one after, where the names exist."""
        names = self.formulas.names
        upper = any(
            s.sups and any(is_letter(n, *counting) for s2 in s.sups for n in below(s2.body)) for s in below(whole) if isinstance(s, Sym)
        )
        bases = dict.fromkeys(m[1] for name in names.axes if " " not in name and (m := re.fullmatch(r"([A-Za-z_]*[A-Za-z])_?\d+", name)))
        yield from (Sym(name) for name in names.axes if " " not in name and not re.search(r"\d", name))
        for base in bases:
            for letter in counting:
                for step in (0, -1, 1):
                    body = (
                        Sym(letter) if not step else Sum((Sym(letter), Number(Fraction(1)) if step > 0 else Negative(Number(Fraction(1)))))
                    )
                    made = Sym(base, sups=(Script("", body),)) if upper else Sym(base, (Script("", body),))
                    if all(names.find(made, {**names.last(made), **inner, **a}) for a in self.assignments):
                        yield made

    def _used_below(self, whole: Formula) -> set[str]:
        found = {
            n.base for _, s in walk(whole) if isinstance(s, Sym) for script in s.subs for _, n in walk(script.body) if isinstance(n, Sym)
        }
        return found | bound(whole)

    def found(self, pairs: bool) -> Iterator[Slip]:
        """The slips, those of one place first."""
        seen: set[str] = set()
        singles: list[Change] = list(itertools.islice(self._changes(self.right), MOST_TRIED))
        any_found = False
        if (factor := self._factor(self.right)) is not None:
            any_found = True
            yield factor
        for special in (self._diagonal(), self._logarithm()):
            if special is not None:
                any_found = True
                yield special
        for change in singles:
            if change.said not in seen and self._near(change.side) and self._right(change.side):
                seen.add(change.said)
                any_found = True
                yield Slip((change.kind,), change.said, change.side)
        if not any_found:
            for slip in self._composite():
                any_found = True
                yield slip
        if not any_found and pairs:
            yield from self._doubles(singles)

    def _composite(self) -> Iterator[Slip]:
        """What is missing and more than a name: the first that fits."""
        for reading in self.readings:
            for change in self._suggested(reading):
                if self._near(change.side) and self._right(change.side):
                    yield Slip((change.kind,), change.said, change.side)
                    return

    def _suggested(self, reading: Reading) -> list[Change]:
        try:
            letters = self.assignments[-1]
            meaning = self.formulas.meaning(self.formulas.point(0, FLOAT, {}), self.left, self.right, reading, letters)
            target, own = self._sides(self.right, reading)[-1]
            right = meaning.value(self.right)
            if own.shape[-2:] != right.shape:
                target = np.swapaxes(target, -1, -2)
            names = tuple(sorted({*right.letters, *self._letters_of(self.left, meaning)}))
            return list(missing(meaning, self.right, Value(target, names), self.scope))
        except (SymbpError, ArithmeticError, ValueError, TypeError, IndexError):
            return []

    @staticmethod
    def _letters_of(side: Node, meaning: Meaning) -> tuple[str, ...]:
        value = meaning.evaluate(side)
        return value.letters if isinstance(value, Value) else ()

    def _changes(self, side: Node) -> Iterator[Change]:
        yield from (c for c in changes(side, self.scope) if c.side not in (side, self.left))

    def _doubles(self, singles: list[Change]) -> Iterator[Slip]:
        for change in singles:
            factor = self._factor(change.side)
            if factor is not None:
                yield Slip((change.kind, *factor.kinds), f"{change.said}, and {factor.said}", factor.side)
                return
        plain = [c for c in singles if c.kind in ("sign", "derivative", "transpose", "layer", "index", "factor", "order")][:60]
        tried = 0
        for first in plain:
            for second in self._changes(first.side):
                if second.kind not in ("sign", "derivative", "transpose", "layer", "index", "factor", "order", "name", "number"):
                    continue
                tried += 1
                if tried > MOST_PAIRS:
                    return
                if self._near(second.side) and self._right(second.side):
                    yield Slip((first.kind, second.kind), f"{first.said}, and {second.said}", second.side)
                    return

    # checks

    def _sides(self, side: Node, reading: Reading) -> list[tuple[np.ndarray, np.ndarray]]:
        """Both sides in floats at the first point, in the plain form."""
        found = []
        for letters in self.assignments:
            made, _ = self.formulas._pairs(self.left, side, reading, {}, letters, FLOAT, 0)
            found.append(made[""] if "" in made else next(iter(made.values())))
        return found

    def _near(self, side: Node) -> bool:
        for reading in self.readings:
            try:
                if all(difference(a, b) <= NEAR for a, b in self._sides(side, reading)):
                    return True
            except (SymbpError, ArithmeticError, ValueError, TypeError, IndexError):
                continue
        return False

    def _right(self, side: Node) -> bool:
        return self.formulas.equality(self.left, side).verdict in ("right", "right-if")

    def _factor(self, side: Node) -> Slip | None:
        """A factor or sign that the whole side lacks."""
        for reading in self.readings:
            try:
                ratios = [_ratio(a, b) for a, b in self._sides(side, reading)]
            except (SymbpError, ArithmeticError, ValueError, TypeError, IndexError):
                continue
            if None in ratios or not np.ptp(ratios) <= 1e-9 * abs(ratios[0]):
                continue
            for value, said, kinds, node in self._known_factors():
                if abs(ratios[0] - value) <= 1e-9 * abs(value):
                    made = Product((node, side), ("",))
                    if self._right(made):
                        return Slip(kinds, said, made)
        return None

    def _known_factors(self) -> Iterator[tuple[float, str, tuple[str, ...], Node]]:
        yield -1.0, "the sign is wrong", ("sign",), Number(Fraction(-1))
        batch = self.formulas._batch(self.formulas.point(0, FLOAT, {}))
        table: list[tuple[float, str, str, Node]] = [(v, w, "factor 2", Number(Fraction(v).limit_denominator(8))) for v, w in FACTORS]
        if batch and batch > 1:
            letter = Number(Fraction(batch))
            table += [
                (float(batch), f"a factor N = {batch} is missing", "factor N", letter),
                (1 / batch, f"a factor 1/N = 1/{batch} is missing", "factor N", Quotient(Number(Fraction(1)), letter)),
                (2 / batch, f"a factor 2/N = 2/{batch} is missing", "factor N", Quotient(Number(Fraction(2)), letter)),
                (batch / 2, f"a factor 2/N = 2/{batch} is too many", "factor N", Number(Fraction(batch, 2))),
            ]
        for value, said, kind, node in table:
            yield value, said, (kind,), node
            yield -value, f"the sign is wrong, and {said}", ("sign", kind), Product((Number(Fraction(-1)), node), ("",))

    def _logarithm(self) -> Slip | None:
        """Whether the right side is the derivative of the logarithm, or of what the logarithm is taken of."""
        if not isinstance(self.left, Derivative):
            return None
        of = self.left.of
        other = of.arguments[0] if isinstance(of, Call) and of.name == "log" else Call("log", (of,))
        if self.formulas.equality(replace(self.left, of=other), self.right).verdict not in ("right", "right-if"):
            return None
        said = "the logarithm" if isinstance(other, Call) else "what the logarithm is taken of"
        return Slip(("log",), f"it is the derivative of {said}", self.right)

    def _diagonal(self) -> Slip | None:
        """Whether the right side is only the diagonal of the Jacobian on the left."""
        if not isinstance(self.left, Derivative):
            return None
        try:
            point = self.formulas.point(0, FLOAT, {})
            meaning = self.formulas.meaning(point, self.left, self.right, Reading(), self.assignments[0])
            left, right = meaning.evaluate(self.left), meaning.value(self.right)
            square = isinstance(left, Linear) and left.of_rank == left.by_rank == 1 and left.array.shape[0] == left.array.shape[1]
            if square and right.is_vector and difference(np.diagonal(left.array), right.array.ravel()) <= NEAR:
                return Slip(("diagonal",), "only the diagonal of the Jacobian is given", self.right)
            if not isinstance(left, Linear) and len(left.letters) == 2 and left.is_number and left.array.shape[0] == left.array.shape[1]:
                square = np.broadcast_to(_square(right, left.letters, left.array.shape), left.array.shape)
                if difference(np.diagonal(left.array[..., 0, 0]), np.diagonal(square[..., 0, 0])) <= NEAR:
                    return Slip(("diagonal",), "only the diagonal of the Jacobian is right", self.right)
        except (SymbpError, ValueError, IndexError):
            return None
        return None


def _same(first: list, second: list) -> bool:
    """Whether two readings give the same values."""
    return len(first) == len(second) and all(
        x.shape == y.shape and difference(x, y) <= NEAR for a, b in zip(first, second) for x, y in zip(a, b)
    )


def _square(value: object, letters: tuple[str, ...], shape: tuple[int, ...]) -> np.ndarray:
    from symbp.verify.shapes import Value, aligned

    blank = Value(np.zeros(shape), letters)
    return aligned(value, blank)[1][0]


def _ratio(a: np.ndarray, b: np.ndarray) -> float | None:
    """c where a = c b, else None."""
    a, b = np.broadcast_arrays(a, b)
    below = float(np.sum(b * b))
    if not below or not np.all(np.isfinite(a)) or not np.all(np.isfinite(b)):
        return None
    c = float(np.sum(a * b)) / below
    return c if c and difference(a, c * b) <= NEAR else None
