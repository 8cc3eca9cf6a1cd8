"""The values of derivatives in a formula: of names by names, and of expressions, in total."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from symbp.calculus.local import differentiate
from symbp.numbers import Symbolic
from symbp.verify.brackets import TRANSPOSES
from symbp.verify.linear import Linear
from symbp.verify.naming import Named, Unknown
from symbp.verify.nodes import Node, Sym, is_letter
from symbp.verify.points import SYMBOL, Key, Point
from symbp.verify.shapes import Unfit, Value

if TYPE_CHECKING:
    from symbp.verify.meaning import Meaning


class Slopes:
    """The part of a meaning that knows derivatives."""

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
        if len(found.sups) == 1 and is_letter(found.sups[0].body, *TRANSPOSES) and self.array(found.name).ndim == 1:
            return replace(found, sups=())  # ∂²J/∂x ∂xᵀ
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
