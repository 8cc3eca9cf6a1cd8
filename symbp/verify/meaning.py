r"""What a formula means over the arrays of a point: matrix or index notation, in one reading of what a text leaves open.

Stage: nodes + arrays → values.  Letters that stand as lower indices and are no part of a name are indices: every element is
calculated at once, one axis for each letter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import sympy as sp

from symbp.verify.calls import Calls
from symbp.verify.indexing import Elements, plain
from symbp.verify.linear import Linear
from symbp.verify.naming import ALL, Named, Names, Unknown
from symbp.verify.nodes import Big, Lowered, Node, Norm, Number, Product, Relation, Row, Sym, below, is_letter
from symbp.verify.points import Key, Point
from symbp.verify.shapes import Unfit, Value, divided, matrix, number, outer, plus, product, stacked, times
from symbp.verify.slopes import Slopes
from symbp.verify.sums import Sums
from symbp.verify.wording import QUOTIENT

LAID_OUT, MATRICES = "derivatives with a layout", "products of matrices"
"""What an evaluation notes: that it met a derivative that has a layout; that more was multiplied than numbers and vectors of one shape."""
UNITS = ("I", "E")
"""Letters of the unit matrix, where nothing else is called so."""
SAMPLES = ("N", "m", "n", "M", "B")


@dataclass(frozen=True)
class Reading:
    """What a text leaves open.

    rows: vectors are rows.  elementwise: vectors side by side are multiplied element by element.  transposed: derivatives by matrices,
    and of vectors by vectors, are laid out transposed.  base: from what indices count.  power: x^2 is a power also where there is an x2.
    lengths: |x| of a vector is its length, and not the sizes of its elements.
    """

    rows: bool = False
    elementwise: bool = False
    transposed: bool = False
    base: int = 1
    power: bool = False
    lengths: bool = False


READINGS: tuple[tuple[Reading, str], ...] = (
    (Reading(), ""),
    (Reading(rows=True), ""),
    (Reading(power=True), ""),
    (Reading(elementwise=True), "what stands side by side is multiplied element by element"),
    (Reading(transposed=True), "derivatives are laid out transposed"),
    (Reading(rows=True, elementwise=True), "what stands side by side is multiplied element by element"),
    (Reading(rows=True, transposed=True), "derivatives are laid out transposed"),
    (Reading(base=0), "indices count from 0"),
)


def readings(*nodes: Node) -> Iterator[tuple[Reading, str]]:
    """The readings of some nodes, the plainest first, and the convention that each is, or ""."""
    bars = any(isinstance(n, Norm) and not n.order for node in nodes for n in below(node))
    for reading, note in READINGS:
        yield reading, note
        if bars:
            yield replace(reading, lengths=True), note


@dataclass
class Meaning(Calls, Sums, Slopes, Elements):
    """The values that a formula's nodes have at a point.

    aliases: names that stand for a quantity.  functions: what a letter calls.  letters: values of the letters that count names.
    extents: how far indices run; sizes: what letters such as N are.  notes: under which conventions something was read.
    constants: what letters such as η mean in an update, where no name of the text is theirs.
    """

    point: Point
    names: Names
    aliases: Mapping[str, Key] = field(default_factory=dict)
    functions: Mapping[str, Callable[..., sp.Expr]] = field(default_factory=dict)
    reading: Reading = Reading()
    letters: Mapping[str, int] = field(default_factory=dict)
    extents: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    notes: set[str] = field(default_factory=set)
    batch: int | None = None
    families: frozenset[str] = frozenset()
    constants: Mapping[str, str] = field(default_factory=dict)

    # before evaluation

    def prepare(self, *nodes: Node) -> None:
        """Find how far the indices of a formula run, from the axes that they index alone."""
        found = [n for node in nodes for n in below(node) if isinstance(n, (Sym, Lowered, Big))]
        for n in found:
            if isinstance(n, Sym) and (n.subs or n.sups or n.at):
                self._learn_from(n)
        for n in reversed(found):
            if isinstance(n, Lowered) and not isinstance(n.body, Norm):
                self._learn_from_value(n)
        for n in found:
            if isinstance(n, Big):
                self.learn_bounds(n)
        for big in (n for n in found if isinstance(n, Big)):
            for letter in (c for c in big.letters if c not in self.extents and c not in self.families):
                self._learn_elsewhere(letter, big)

    def _learn_elsewhere(self, letter: str, big: Big) -> None:
        """How far the j′ of a sum runs: as j does; and the i of x_{i+u}: as in the text's own equations."""
        if letter.rstrip("′") in self.extents:
            self.extents[letter] = self.extents[letter.rstrip("′")]
            return
        indexed = any(is_letter(k, letter) for n in below(big.body) if isinstance(n, Sym) for s in n.subs for k in below(s.body))
        own = next((i.extent for i in self.point.program.indices if i.name == plain(letter)), None)
        extent = self.point.sample.sizes.get(str(own), own if own is not None and own.is_Integer else None)
        if indexed and extent is not None:
            self.extents[letter] = int(extent)

    def _learn_from(self, sym: Sym) -> None:
        found = self.find(sym)
        if found is None or not found.indices:
            return
        shape = self._shape(found.name)
        for (index, _), extent in zip(found.indices, shape):
            if is_letter(index) and index != ALL and index.base not in self.letters:
                self.learn(index.base, extent)

    def _learn_from_value(self, node: Lowered) -> None:
        letters = [s.body for s in node.subs if is_letter(s.body)]
        if any(k.base not in self.extents for k in letters):
            value = self.value(node.body)
            shape = [n for n in value.shape if n > 1] if len(node.subs) == 1 else value.shape
            for script, extent in zip(node.subs, shape):
                if is_letter(script.body):
                    self.learn(script.body.base, extent)

    def learn(self, letter: str, extent: int) -> None:
        """Note how far a letter runs.  Raises `Unfit` where it is known to run otherwise."""
        known = self.extents.setdefault(letter, extent)
        if known != extent:
            raise Unfit(f"the index {plain(letter)} runs over {known} at one place and over {extent} at another")

    def _shape(self, name: str) -> tuple[int, ...]:
        return self.array(name).shape

    def at_letter(self, letter: str, value: int, *nodes: Node) -> Meaning:
        """The meaning where a letter that counts names has a value."""
        made = replace(self, letters={**self.letters, letter: value}, extents=dict(self.extents))
        made.prepare(*nodes)
        return made

    # names

    def find(self, sym: Sym) -> Named | None:
        """The name of a symbol with its scripts, where it has one."""
        letters = {**self.names.last(sym), **self.letters}
        if not self.reading.power:
            return self.names.find(sym, letters)
        found = self.names.readings(sym, letters)
        return next((f for f in found if f.sups), found[0] if found else None)

    def key(self, name: str) -> Key:
        """The quantity that a name stands for."""
        if name in self.aliases:
            return self.aliases[name]
        return ("of", name)

    def array(self, name: str) -> np.ndarray:
        """The array of a name."""
        return self.point.array(self.key(name))

    # values

    def value(self, node: Node) -> Value:
        """The value of a node as a matrix; a number is 1×1."""
        made = self.evaluate(node)
        return self._laid(made) if isinstance(made, Linear) else made

    def _laid(self, made: Linear) -> Value:
        """A derivative as a matrix."""
        value = made.value(self.reading.rows, self.reading.transposed)
        if not value.is_number and not value.is_vector:
            self.notes.add(LAID_OUT)
        return value

    def evaluate(self, node: Node) -> Value | Linear:
        """The value of a node; a derivative keeps all its axes."""
        return getattr(self, "_" + type(node).__name__.lower())(node)

    def number(self, value: Any) -> Value:
        """A number as a value."""
        return number(self.point.constant(sp.sympify(value)), self.point.dtype)

    def _number(self, node: Number) -> Value:
        return self.number(sp.Rational(node.value.numerator, node.value.denominator))

    def _sym(self, node: Sym) -> Value:
        if node.base == "𝟏":
            return self.number(1)
        letter = node.base + "'" * node.primes
        if letter in self.letters and not (node.subs or node.sups):
            return self.number(self.letters[letter])
        if letter in self.extents and self.find(replace(node, sups=())) is None and not node.subs:
            return self._raise_all(self._counted(letter), node.sups)
        found = self.find(node)
        if found is not None:
            return self._raise_all(self.element(self.array(found.name), found.indices), found.sups)
        return self._other(node)

    def _counted(self, letter: str) -> Value:
        count = np.arange(self.extents[letter]) + self.reading.base
        made = self.point.numbers.convert(count.astype(object)) if self.point.dtype is object else count.astype(float)
        return Value(made.reshape(-1, 1, 1), (letter,))

    def _other(self, node: Sym) -> Value:
        """Constants, Kronecker's δ, e to a power, and sizes such as N."""
        bare = replace(node, sups=())
        if node.base == "e" and not node.subs and len(node.sups) == 1:
            return self.value(node.sups[0].body).map(lambda x: self.point.apply(sp.exp, x))
        if node.base == "e" and is_letter(node):
            return self.number(sp.E)
        if node.base == "pi" and not node.subs:
            return self._raise_all(self.number(sp.pi), node.sups)
        if node.base == "delta" and len(node.subs) == 2 and not node.sups:
            return self.bracket(Relation("=", node.subs[0].body, node.subs[1].body))
        if is_letter(bare, *UNITS) and node.base in self.sizes:
            return Value(self.point.numbers.convert(np.eye(self.sizes[node.base], dtype=int).astype(object)))
        if is_letter(bare, *UNITS):
            raise Unknown("the size of a unit matrix is not told; write δ_{ij} with indices")
        if is_letter(bare) and (size := self._size(node.base)) is not None:
            return self._raise_all(self.number(size), node.sups)
        if is_letter(bare) and node.base in self.constants:
            return self._raise_all(self.value(Sym(self.constants[node.base])), node.sups)
        raise self.names.unknown(node)

    def _size(self, letter: str) -> int | None:
        if letter in self.sizes:
            return self.sizes[letter]
        return self.batch if letter in SAMPLES else None

    # arithmetic

    def _sum(self, node: Any) -> Value:
        total = self.value(node.terms[0])
        for term in node.terms[1:]:
            total = plus(total, self.value(term))
        return total

    def _negative(self, node: Any) -> Value | Linear:
        made = self.evaluate(node.body)
        return replace(made, array=-made.array)

    def _quotient(self, node: Any) -> Value:
        return divided(self.value(node.above), self.value(node.below))

    def _product(self, node: Product) -> Value | Linear:
        made = [self.evaluate(f) for f in node.factors]
        signs = list(node.signs)
        k = 0
        while k + 1 < len(made):
            chained = (
                made[k].chained(made[k + 1])
                if isinstance(made[k], Linear) and isinstance(made[k + 1], Linear) and signs[k] in ("", "dot", "times", "star")
                else None
            )
            if chained is None:
                k += 1
                continue
            made[k : k + 2], signs[k : k + 1] = [chained], []
            k = 0
        if len(made) == 1:
            return made[0]
        return self._multiplied(self._scaled(made, signs), node)

    def _scaled(self, made: list[Any], signs: list[str]) -> tuple[list[Any], list[str]]:
        """Numbers before a derivative with all its axes go into it."""
        while (
            len(made) == 2
            and isinstance(made[1], Linear)
            and isinstance(made[0], Value)
            and made[0].is_number
            and not made[0].letters
            and signs[0] not in ("over",)
        ):
            made, signs = [replace(made[1], array=made[1].array * made[0].array.item())], []
        return made, signs

    def _multiplied(self, found: tuple[list[Any], list[str]], node: Product) -> Value | Linear:
        made, signs = found
        if len(made) == 1:
            return made[0]
        ones = [isinstance(f, Sym) and f.base == "𝟏" for f in node.factors] if len(made) == len(node.factors) else [False] * len(made)
        total = self._beside(made[0], signs[0])
        for k, sign in enumerate(signs, 1):
            factor = self._beside(made[k], sign)
            if sign == "over":
                total = divided(total, factor)
            elif sign == "odot":
                total = times(total, factor)
            elif sign == "otimes":
                total = outer(total, factor)
            elif ones[k - 1] and total.is_number and factor.is_vector and factor.shape[0] == 1 and not node.factors[k - 1].sups:
                total = times(total, factor)  # a column of ones: every row is the factor
            elif ones[k - 1] and total.is_number and not factor.is_number:
                axis = -2 if node.factors[k - 1].sups else -1
                total = times(total, Value(factor.array.sum(axis=axis, keepdims=True), factor.letters))
            elif ones[k] and not total.is_number:
                total = Value(total.array.sum(axis=-1, keepdims=True), total.letters)
            else:
                if not (total.is_number or factor.is_number or total.shape == factor.shape):
                    self.notes.add(MATRICES)
                total = product(total, factor, self.reading.elementwise or sign in ("star",))
        return total

    def _beside(self, made: Any, sign: str) -> Value:
        if not isinstance(made, Linear):
            return made
        if sign == "odot" and (diagonal := made.diagonal) is not None:
            return matrix(diagonal, self.reading.rows)
        return self._laid(made)

    def _matrix(self, node: Any) -> Value:
        return stacked([[self.value(v) for v in row] for row in node.rows])

    def _row(self, node: Row) -> Value:
        values = [self.value(p) for p in node.parts]
        return stacked([values] if self.reading.rows else [[v] for v in values])

    def _root(self, node: Any) -> Value:
        return self.value(node.body).map(lambda x: self.point.apply(lambda a: a ** sp.Rational(1, node.degree), x))


def alias(text: str, names: Sequence[str]) -> Key | None:
    """The quantity of a file's own name: a tensor, or a derivative such as dJ/dz."""
    if text in names:
        return ("of", text)
    match = QUOTIENT.fullmatch(text)
    if match and match["of"].strip() in names and match["by"].strip() in names:
        return ("by", ("of", match["of"].strip()), match["by"].strip())
    return None
