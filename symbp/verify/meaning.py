r"""What a formula means over the arrays of a point: matrix or index notation, in one reading of what a text leaves open.

Stage: nodes + arrays → values.  Letters that stand as lower indices and are no part of a name are indices: every element is
calculated at once, one axis for each letter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import sympy as sp

from symbp.verify.calls import Calls
from symbp.verify.linear import Linear
from symbp.verify.naming import Named, Names, Unknown, said, whole
from symbp.verify.nodes import Big, Lowered, Node, Norm, Number, Product, Relation, Row, Script, Sym, below, is_letter
from symbp.verify.points import SYMBOL, Key, Point
from symbp.verify.shapes import Unfit, Value, aligned, divided, matrix, number, outer, plus, product, stacked, times
from symbp.verify.structure import TRANSPOSES
from symbp.verify.sums import Sums
from symbp.verify.wording import QUOTIENT

LAID_OUT, MATRICES = "derivatives with a layout", "products of matrices"
"""What an evaluation notes: that it met a derivative that has a layout; that more was multiplied than numbers and vectors of one shape."""
SAMPLES = ("N", "m", "n", "M", "B")
RATES = {"eta": "alpha", "lr": "alpha", "epsilon": "epsilon", "gamma": "alpha", "lambda": "alpha", "mu": "alpha", "rho": "alpha"}


@dataclass(frozen=True)
class Reading:
    """What a text leaves open.

    rows: vectors are rows.  elementwise: vectors side by side are multiplied element by element.  transposed: derivatives by matrices,
    and of vectors by vectors, are laid out transposed.  base: from what indices count.  power: x^2 is a power also where there is an x2.
    """

    rows: bool = False
    elementwise: bool = False
    transposed: bool = False
    base: int = 1
    power: bool = False


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


@dataclass
class Meaning(Calls, Sums):
    """The values that a formula's nodes have at a point.

    aliases: names that stand for a quantity.  functions: what a letter calls.  letters: values of the letters that count names.
    extents: how far indices run; sizes: what letters such as N are.  notes: under which conventions something was read.
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

    def _learn_from(self, sym: Sym) -> None:
        found = self.find(sym)
        if found is None or not found.indices:
            return
        shape = self._shape(found.name)
        for (index, _), extent in zip(found.indices, shape):
            if is_letter(index) and index.base not in self.letters:
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
            raise Unfit(f"the index {_plain(letter)} runs over {known} at one place and over {extent} at another")

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
        if node.base in ("I", "E") and not node.subs and not node.sups:
            raise Unknown("the size of a unit matrix is not told; write δ_{ij} with indices")
        if is_letter(bare) and (size := self._size(node.base)) is not None:
            return self._raise_all(self.number(size), node.sups)
        if is_letter(bare) and node.base in RATES and RATES[node.base] in self.names.axes:
            return self._raise_all(self.value(Sym(RATES[node.base])), node.sups)
        raise self.names.unknown(node)

    def _size(self, letter: str) -> int | None:
        if letter in self.sizes:
            return self.sizes[letter]
        return self.batch if letter in SAMPLES else None

    def element(self, array: np.ndarray, indices: Sequence[tuple[Node, bool]]) -> Value:
        """The elements of an array at indices; axes without one stay."""
        taken, letters = self.taken(array, [*indices, *[None] * (array.ndim - len(indices))])
        rest = taken.ndim - len(letters)
        if rest > 2:
            raise Unfit(f"an array with {rest} axes stands without its indices")
        lead = taken.shape[: len(letters)]
        own = taken.shape[len(letters) :]
        shape = (1, 1) if not rest else ((1, *own) if self.reading.rows else (*own, 1)) if rest == 1 else own
        return Value(taken.reshape(lead + tuple(shape)), letters)

    def taken(self, array: np.ndarray, indices: Sequence[tuple[Node, bool] | None]) -> tuple[np.ndarray, tuple[str, ...]]:
        """An array at index expressions, one for each axis or None: the axes of the letters, sorted, and then those that stay."""
        if len(indices) > array.ndim:
            shown = ", ".join(said(i[0]) for i in indices if i)
            raise Unfit(f"{len(indices)} indices ({shown}) stand at an array with {array.ndim} axes")
        given = [k for k, index in enumerate(indices) if index is not None]
        array = np.moveaxis(array, given, range(len(given))) if given else array
        letters = tuple(sorted({n.base for k in given for n in below(indices[k][0]) if isinstance(n, Sym) and self._is_index(n)}))
        grid = np.meshgrid(*(np.arange(self._extent(c)) for c in letters), indexing="ij") if letters else []
        where, inside = [], np.ones(tuple(self._extent(c) for c in letters), dtype=bool)
        for axis, k in enumerate(given):
            base = 0 if indices[k][1] else self.reading.base
            position = self._position(indices[k][0], dict(zip(letters, grid)), base)
            extent = array.shape[axis]
            if not letters and not 0 <= position < extent:
                raise Unfit(f"the index {said(indices[k][0])} lies outside an axis of {extent}")
            inside &= (position >= 0) & (position < extent)
            where.append(np.clip(position, 0, extent - 1))
        if not given:
            return array, ()
        taken = array[tuple(where)]
        if not np.all(inside):
            self.notes.add("what lies outside an array counts as zero")
            taken = np.where(inside.reshape(inside.shape + (1,) * (taken.ndim - inside.ndim)), taken, self.point.numbers.zeros((1,))[0])
        return np.asarray(taken, dtype=array.dtype), letters

    def _is_index(self, sym: Sym) -> bool:
        return sym.base + "'" * sym.primes in self.extents and sym.base not in self.letters

    def _extent(self, letter: str) -> int:
        if letter not in self.extents:
            raise Unknown(f"nothing tells how far the index {_plain(letter)} runs")
        return self.extents[letter]

    def _position(self, node: Node, grid: Mapping[str, np.ndarray], base: int) -> Any:
        """The positions, from 0, that an index means: a letter, a number, or a sum of such."""
        if is_letter(node) and node.base in grid:
            return grid[node.base]
        fixed = whole(node, self.letters)
        if fixed is not None:
            return np.asarray(fixed - base)
        values = {**{k: v + base for k, v in grid.items()}, **self.letters}
        found = whole(node, values)
        if found is None:
            unknown = next((n for n in below(node) if isinstance(n, Sym)), node)
            if is_letter(unknown) and unknown.base not in self.extents and unknown.base not in self.letters:
                raise Unknown(f"nothing tells how far the index {said(unknown)} runs")
            raise Unknown(f"{said(node)} is no index: an index is a letter, a number, or a sum of these")
        return np.asarray(found) - base

    # scripts

    def _raise_all(self, value: Value, sups: Sequence[Script]) -> Value:
        for script in sups:
            value = self.raised(value, script)
        return value

    def raised(self, value: Value, script: Script) -> Value:
        """A power or a transpose."""
        if is_letter(script.body, *TRANSPOSES):
            return value.turned
        exponent = self.value(script.body)
        if not exponent.is_number:
            raise Unfit("an exponent is one number")
        if isinstance(script.body, Number) and script.body.value.denominator == 1 and 0 < script.body.value <= 8:
            return self._whole_power(value, int(script.body.value))
        if not value.is_number and not value.is_vector and isinstance(script.body, Node) and whole(script.body, {}) == -1:
            raise Unknown("the inverse of a matrix is not calculated")
        letters, (x, y) = aligned(value, exponent)
        return Value(self.point.apply(lambda a, b: a**b, x, y), letters)

    def _whole_power(self, value: Value, exponent: int) -> Value:
        return value.map(lambda x: x**exponent)

    def _raised(self, node: Any) -> Value:
        body = node.body
        if isinstance(body, Lowered) and isinstance(body.body, Norm):
            body = replace(body.body, order=self._order(body))
        if isinstance(body, Norm) and body.order == 2 and isinstance(node.script.body, Number) and node.script.body.value == 2:
            return self.squares(body.body)
        return self.raised(self.value(body), node.script)

    def _lowered(self, node: Lowered) -> Value:
        if isinstance(node.body, Norm):
            return self.value(replace(node.body, order=self._order(node)))
        value = self.value(node.body)
        if len(node.subs) == 1 and value.is_vector or value.is_number and len(node.subs) == 1:
            return self._picked(Value(value.array.reshape(*value.array.shape[:-2], -1, 1), value.letters), [node.subs[0], None])
        if len(node.subs) != 2 or value.is_vector:
            raise Unfit(f"{len(node.subs)} indices stand at a matrix of {value.shape[0]}×{value.shape[1]}")
        return self._picked(value, list(node.subs))

    def _picked(self, value: Value, subs: Sequence[Script | None]) -> Value:
        own = [(Sym(k), True) for k in value.letters]
        indices = [*own, *[(s.body, False) if s else None for s in subs]]
        taken, letters = self.taken(value.array, indices)
        return Value(taken.reshape(taken.shape[: len(letters)] + (1, 1)), letters)

    def _order(self, node: Lowered) -> int:
        sub = node.subs[0].body
        if is_letter(sub, "F") or isinstance(sub, Number) and sub.value == 2:
            return 2
        if isinstance(sub, Number) and sub.value == 1:
            return 1
        raise Unknown("a norm is ‖x‖, ‖x‖₁, ‖x‖₂ or ‖X‖_F")

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
            elif ones[k - 1] and k == 1 and not factor.is_number:
                total = Value(factor.array.sum(axis=-2 if node.factors[0].sups else -1, keepdims=True), factor.letters)
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

    # derivatives

    def _derivative(self, node: Any) -> Value | Linear:
        by = [self._by(b) for b in node.by]
        of = self.find(node.of) if isinstance(node.of, Sym) else None
        if of is None or of.sups:
            return self._derivative_of_expression(node.of, by)
        key = self.key(of.name)
        for named in by:
            key = ("by", key, self._target(named.name))
        array = self.point.array(key)
        rank = self.array(of.name).ndim
        given = [of.indices, *(b.indices for b in by)]
        if not any(given):
            if len(by) > 1 and array.ndim > 2:
                raise Unfit(f"a second derivative with {array.ndim} axes stands without its indices")
            return Linear(array, self.key(of.name), ("of", self._target(by[0].name)), rank if len(by) == 1 else array.ndim // 2)
        indices: list[Any] = []
        for named in (of, *by):
            axes = self.array(named.name).ndim
            indices += [*named.indices, *[None] * (axes - len(named.indices))]
        return self._rest(*self.taken(array, indices))

    def _rest(self, taken: np.ndarray, letters: tuple[str, ...]) -> Value:
        own = taken.shape[len(letters) :]
        if len(own) > 2:
            raise Unfit(f"a derivative with {len(own)} axes stands without its indices")
        made = (1, 1) if not own else ((1, *own) if self.reading.rows else (*own, 1)) if len(own) == 1 else own
        return Value(taken.reshape(taken.shape[: len(letters)] + tuple(made)), letters)

    def _by(self, node: Node) -> Named:
        if is_letter(node, "?"):
            parameters = [t.name for t in self.point.program.parameters]
            if len(parameters) != 1:
                raise Unknown("by what ∇ differentiates is not told; write it below, \\nabla_W J")
            return Named(parameters[0])
        found = self.find(node) if isinstance(node, Sym) else None
        if found is None:
            raise self.names.unknown(node) if isinstance(node, Sym) else Unknown("a derivative is taken by a name of the text")
        if found.sups:
            raise Unknown(f"a derivative by a power or transpose of {found.name}")
        return found

    def _target(self, name: str) -> str:
        key = self.key(name)
        if key[0] != "of":
            raise Unknown(f"a derivative by {name}, which is itself a derivative")
        return key[1]

    def _derivative_of_expression(self, of: Node, by: Sequence[Named]) -> Value | Linear:
        """The total derivative of an expression: by each name in it, times that name's own derivative."""
        if len(by) > 1:
            raise Unknown("a second derivative is taken of a name of the text")
        target = self._target(by[0].name)
        local = _Local(self)
        inside = replace(self, point=local, notes=set())
        value = inside.value(of)
        array = local.total(value.array, target)
        own = [(Sym(k), True) for k in value.letters]
        shape = value.shape
        axes = self.array(by[0].name).ndim
        by_indices = [*by[0].indices, *[None] * (axes - len(by[0].indices))]
        if value.is_number:
            array = array.reshape((*array.shape[: len(own)], *array.shape[len(own) + 2 :]))
            if not by[0].indices and not own:
                return Linear(array, ("expression", of), ("of", target), 0)
            return self._rest(*self.taken(array, [*own, *by_indices]))
        if 1 not in shape:
            raise Unfit("the derivative of a matrix by an array; write it with indices")
        array = array.reshape((*array.shape[: len(own)], max(shape), *array.shape[len(own) + 2 :]))
        if not by[0].indices and not own:
            return Linear(array, ("expression", of), ("of", target), 1)
        return self._rest(*self.taken(array, [*own, None, *by_indices]))


class _Local(Point):
    """A point at which each element of each tensor is a symbol of its own, to differentiate an expression of them."""

    def __init__(self, meaning: Meaning) -> None:
        from symbp.numbers import Symbolic

        self.outer = meaning.point
        self.program, self.sample, self.kind, self.numbers = self.outer.program, self.outer.sample, SYMBOL, Symbolic()
        self.symbols, self.positive = {}, set()
        self.made: dict[Key, np.ndarray] = {}

    def array(self, key: Key) -> np.ndarray:
        """Symbols for a quantity's elements."""
        if key not in self.made:
            values = self.outer.array(key)
            made = np.empty(values.shape, dtype=object)
            for at in np.ndindex(values.shape):
                made[at] = sp.Dummy(f"{key[-1]}{list(at)}", real=True)
            self.made[key] = made
        return self.made[key]

    def total(self, expressions: np.ndarray, target: str) -> np.ndarray:
        """Their derivatives by all elements of a tensor, behind their own axes."""
        from symbp.calculus.local import differentiate

        by = self.outer.array(("of", target))
        used = {key: made for key, made in self.made.items() if any(s in e.free_symbols for e in expressions.flat for s in made.flat)}
        known = {
            s: np.asarray(v, dtype=self.outer.dtype) for key, made in used.items() for s, v in zip(made.flat, self.outer.array(key).flat)
        }
        inner = {key: self._inner(key, target, by) for key in used}
        result = np.empty(expressions.shape + by.shape, dtype=self.outer.dtype)
        for at in np.ndindex(expressions.shape):
            total = self.outer.numbers.zeros(by.shape) if self.outer.dtype is object else np.zeros(by.shape)
            for key, made in used.items():
                for place in np.ndindex(made.shape):
                    slope = differentiate(sp.sympify(expressions[at]), made[place])
                    if slope != 0:
                        total = total + self.outer._evaluate(slope, known) * inner[key][place]
            result[at] = total
        return result

    def _inner(self, key: Key, target: str, by: np.ndarray) -> np.ndarray:
        if key == ("of", target):
            eye = np.eye(by.size).reshape(by.shape + by.shape)
            return eye if self.outer.dtype is float else self.outer.numbers.convert(eye.astype(int).astype(object))
        return self.outer.array(("by", key, target))


def alias(text: str, names: Sequence[str]) -> Key | None:
    """The quantity of a file's own name: a tensor, or a derivative such as dJ/dz."""
    if text in names:
        return ("of", text)
    match = QUOTIENT.fullmatch(text)
    if match and match["of"].strip() in names and match["by"].strip() in names:
        return ("by", ("of", match["of"].strip()), match["by"].strip())
    return None


def _plain(letter: str) -> str:
    return re.sub(r"#\d+", "", letter)
