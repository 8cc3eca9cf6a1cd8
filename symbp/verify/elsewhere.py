"""A formula judged where no two kinds of axes are of one length by chance: what a square matrix hides or makes ambiguous shows there.

Stage: text + formula → the judges of the same text at further extents.  A formula that names positions or writes a vector out is one
of the text's own extents alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from symbp.errors import SymbpError
from symbp.verify.claimfile import Text
from symbp.verify.extents import MOST_PROGRAMS, Kinds, numbers_of, separations
from symbp.verify.naming import Names
from symbp.verify.nodes import Big, Formula, Lowered, Matrix, Norm, Number, Row, Sym, below

if TYPE_CHECKING:
    from symbp.verify.formulas import Formulas


class Elsewhere:
    """The part of the judge that knows the text at further extents."""

    text: Text
    names: Names
    fixed: dict[str, int]

    @cached_property
    def _kinds(self) -> Kinds | None:
        """The kinds of axes, where some are of one length by chance."""
        with contextlib.suppress(SymbpError):
            kinds = Kinds(self.text.program, self.fixed)
            return kinds if kinds.alike() else None

    @cached_property
    def _others(self) -> dict[tuple, Formulas | None]:
        return {}

    def elsewhere(self, formula: Formula) -> Iterator[Formulas]:
        """The judges of a formula at further extents; none where the text's own are all different or the formula is of these alone."""
        if self._kinds is None or self._is_of_places(formula):
            return
        written = {abs(k) for n in below(formula) if isinstance(n, Number) for k in (n.value.numerator, n.value.denominator) if abs(k) > 1}
        for new in separations(self._kinds, written | numbers_of(self.text.program) | self._kinds.uncounted):
            if new not in self._others:
                self._others[new] = self._at(dict(new))
            if self._others[new] is not None:
                yield self._others[new]

    def _at(self, new: dict) -> Formulas | None:
        """The judge of the same text at other extents; None where the text has no meaning there."""
        with contextlib.suppress(SymbpError, ArithmeticError, ValueError, TypeError, IndexError):
            counts = {name: np.array(value) for name, value in self._kinds.recounted(new).items()}
            text = replace(self.text, program=self._kinds.with_extents(new), values={**self.text.values, **counts})
            other = type(self)(text, separate=False)
            return other if other.names.axes == self.names.axes else None

    def is_whole(self, tried: int) -> bool:
        """Whether every way was tried in which a number of the text may be a length, the 4 of a mean over 2 × 2 elements included."""
        numbers = numbers_of(self.text.program)
        twice = any(n % extent**2 == 0 for n in numbers for extent in self._kinds.alike())
        return tried < MOST_PROGRAMS and None not in self._others.values() and not twice

    def _is_of_places(self, formula: Formula) -> bool:
        return any(self._names_place(node) for node in below(formula))

    def _names_place(self, node: Any) -> bool:
        """Whether a node has a meaning only at certain extents: z_{31}, a sum up to 3, a vector written out."""
        if isinstance(node, (Matrix, Row)):
            return True
        if isinstance(node, Big):
            return isinstance(node.upper, Number)
        if isinstance(node, Lowered):
            return not isinstance(node.body, Norm) and any(isinstance(s.body, Number) for s in node.subs)
        if not isinstance(node, Sym):
            return False
        found = self.names.find(node, self.names.last(node))
        return any(isinstance(index, Number) for index, _ in found.indices) if found else bool(node.at)
