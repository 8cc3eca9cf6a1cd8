"""The elements of arrays at indices, and what upper and lower indices do to values: powers, transposes, elements."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from symbp.verify.brackets import TRANSPOSES
from symbp.verify.naming import ALL, Unknown, said, whole
from symbp.verify.nodes import Lowered, Node, Norm, Number, Script, Sym, below, is_letter
from symbp.verify.shapes import Unfit, Value, aligned


class Elements:
    """The part of a meaning that knows indices and powers."""

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
        indices = [None if index is None or index[0] == ALL else index for index in indices]
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
            raise Unknown(f"nothing tells how far the index {plain(letter)} runs")
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


def plain(letter: str) -> str:
    """A letter as the text has it, without the number that keeps sums apart."""
    return re.sub(r"#\d+", "", letter)
