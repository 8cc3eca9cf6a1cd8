"""The values of sums, products and maxima over indices or over the letters that count names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from symbp.language.functions import maximum, minimum
from symbp.verify.naming import Unknown, whole
from symbp.verify.nodes import Big, Node, Relation, Row, Sym, is_letter, walk
from symbp.verify.shapes import Unfit, Value, plus, product, times

FARTHEST = 64


class Sums:
    """The part of a meaning that knows Σ, Π, max, min and mean."""

    def learn_bounds(self, node: Big) -> None:
        """What the bounds of a sum tell: the extents of letters, and what the letters above mean."""
        for letter in node.letters:
            self._learn_bound(node, letter)

    def _learn_bound(self, node: Big, letter: str) -> None:
        low = whole(node.lower, self.letters) if node.lower is not None else None
        high = whole(node.upper, self.letters) if node.upper is not None else None
        if (
            letter not in self.extents
            and letter not in self.letters
            and low is not None
            and high is not None
            and letter not in self.families
        ):
            self.extents[letter] = min(max(high - low + 1, 0), FARTHEST)
        if letter in self.extents and is_letter(node.upper) and self.names.find(node.upper, {}) is None:
            self.sizes.setdefault(node.upper.base, self.extents[letter])

    def _big(self, node: Big) -> Value:
        if not node.letters:
            return self._unindexed(node)
        *outer, letter = node.letters
        if outer:
            inner = Big(node.op, (letter,), node.body, node.lower, node.upper, node.condition)
            return self._big(Big(node.op, tuple(outer), inner, node.lower, node.upper))
        if letter in self.families:
            return self._over_names(node, letter)
        if letter not in self.extents:
            return self._unindexed(node)
        value = self._masked(node, letter)
        if letter not in value.letters:
            value = times(value, Value(self._counted(letter).array * 0 + 1, (letter,)))
        return self._reduced(node.op, value, letter, self._masks(node, letter))

    def _reduced(self, op: str, value: Value, letter: str, mask: Value | None) -> Value:
        if op in ("sum", "mean"):
            value = value if mask is None else times(value, mask)
            total = value.without(letter, value.over(letter).sum(axis=0))
            return total if op == "sum" else total.map(lambda x: x / self.extents[letter])
        if op == "prod":
            value = value if mask is None else plus(times(value, mask), mask.map(lambda x: 1 - x))
            return value.without(letter, np.prod(value.over(letter), axis=0))
        if mask is not None:
            raise Unknown(f"a {op} under a condition is not calculated")
        parts = list(value.over(letter))
        total = parts[0]
        for part in parts[1:]:
            total = self.point.apply(maximum if op == "max" else minimum, total, part)
        return value.without(letter, total)

    def _masked(self, node: Big, _letter: str) -> Value:
        return self.value(node.body)

    def _masks(self, node: Big, letter: str) -> Value | None:
        """1 where the bounds and the condition of a sum hold; None where they always do."""
        conditions: list[Node] = (
            [] if node.condition is None else list(node.condition.parts) if isinstance(node.condition, Row) else [node.condition]
        )
        counted = Sym(letter.rstrip("'"), primes=letter.count("'")) if "'" in letter else Sym(letter)
        low = whole(node.lower, self.letters) if node.lower is not None else None
        if node.lower is not None and low != self.reading.base:
            conditions.append(Relation(">=", counted, node.lower))
        if node.upper is not None and not self._is_end(node.upper, letter):
            conditions.append(Relation("<=", counted, node.upper))
        made = None
        before = set(self.notes)
        for condition in conditions:
            holds = self.bracket(condition)
            made = holds if made is None else times(made, holds)
        self.notes.intersection_update(before)
        return made

    def _is_end(self, upper: Node, letter: str) -> bool:
        """Whether an upper bound is the last value of the letter: a letter of its own, or one less where indices count from 0."""
        value = whole(upper, {**self.letters, **self.sizes})
        if value is not None:
            return value == self.extents[letter] - 1 + self.reading.base
        return all(not isinstance(n, Sym) or n.base not in self.extents and self.find(n) is None for _, n in walk(upper))

    def _unindexed(self, node: Big) -> Value:
        """A sum of a vector or matrix that is written without indices: over all its elements, which are multiplied one by one."""
        value = replace(self, reading=replace(self.reading, elementwise=True)).value(node.body)
        letter = node.letters[0] if node.letters else ""
        if letter and (value.is_number or node.condition is not None):
            raise Unknown(f"nothing tells how far the index {letter.split('#')[0]} of the sum runs")
        if node.op not in ("sum", "mean"):
            raise Unknown(f"a {node.op} needs an index")
        self.notes.add("unindexed") if letter else None
        made = self.total(value)
        return made if node.op == "sum" else made.map(lambda x: x / (value.shape[0] * value.shape[1]))

    def _over_names(self, node: Big, letter: str) -> Value:
        """A sum over names: h_1, h_2, …, as far as there are names."""
        low = whole(node.lower, self.letters) if node.lower is not None else None
        high = whole(node.upper, {**self.names.last(node.upper), **self.letters}) if node.upper is not None else None
        total: Value | None = None
        for k in range(low or 0, (self.names.depth + 1 if high is None else high) + 1):
            if node.condition is not None and not self._holds(node.condition, {**self.letters, letter: k}):
                continue
            try:
                term = self.at_letter(letter, k, node.body).value(node.body)
            except Unknown:
                if low is not None and high is not None and node.condition is None and low <= k <= high:
                    raise
                continue
            total = term if total is None else self._joined(node.op, total, term)
        if total is None:
            raise Unknown(f"there are no names for the letter {letter.split('#')[0]} of the sum")
        return total

    def _joined(self, op: str, a: Value, b: Value) -> Value:
        if op == "sum":
            return plus(a, b)
        if op == "prod":
            return product(a, b, self.reading.elementwise)
        if op in ("max", "min"):
            return self._elementwise(maximum if op == "max" else minimum, [a, b])
        raise Unknown(f"a {op} over names is not calculated")

    def _holds(self, condition: Any, letters: dict[str, int]) -> bool:
        """Whether a condition on letters that count names holds."""
        parts = condition.parts if isinstance(condition, Row) else (condition,)
        for part in parts:
            left, right = whole(part.left, letters), whole(part.right, letters)
            if left is None or right is None:
                raise Unfit("a condition below a sum compares letters and numbers")
            if not {
                "=": left == right,
                "!=": left != right,
                "<": left < right,
                "<=": left <= right,
                ">": left > right,
                ">=": left >= right,
            }[part.sign]:
                return False
        return True
