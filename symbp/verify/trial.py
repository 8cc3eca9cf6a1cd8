"""Tries programs with a slip: the right one is calculated once, then only what a changed equation reaches.

Stage: program + values + edits → the arrays that the changed program would give.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import sympy as sp

from symbp.errors import LanguageError
from symbp.interpret import Instead, Points, Run, Sizes
from symbp.language.equation import Equation, Loop, Statement
from symbp.language.functions import Defined
from symbp.language.index import Index
from symbp.language.program import Program
from symbp.numbers import NUMBERS
from symbp.verify.mistakes import downstream

Edits = Mapping[int, tuple[Equation, ...]]


class Trial(Run):
    """A program at one point in double precision, and what it would give with some equations changed.

    >>> from symbp.language import Equation, Index, Program, Tensor
    >>> i = Index("i", 3)
    >>> x, s = Tensor("x", (3,), role="input"), Tensor("s")
    >>> trial = Trial(Program((x, s), (Equation(s[()], x[i]**2, over=(i,)),)), {"x": [1., 2., 3.]})
    >>> trial.arrays["s"].item(), trial.changed({0: (Equation(s[()], x[i], over=(i,)),)}, ["s"])["s"].item()
    (14.0, 6.0)
    """

    def __init__(self, program: Program, values: Mapping[str, Any], sizes: Sizes | None = None,
                 functions: Mapping[str, Callable] | None = None, instead: Instead | None = None,
                 below: Mapping[str, set[str]] | None = None) -> None:
        super().__init__(program, values, dict(sizes or {}), NUMBERS["float64"], functions or {}, instead=instead)
        self._points: dict[tuple, Points] = {}
        self._expanded: dict[sp.Expr, sp.Expr] = {}
        self.below = below or downstream(program)
        self.run(False)

    def changed(self, edits: Edits, wanted: Iterable[str]) -> dict[str, np.ndarray] | None:
        """The arrays of the wanted tensors under these edits; None where the changed equations have no value."""
        targets = {eq.target.name for position in edits for eq in self.program.equations[position:position + 1]}
        wanted = list(wanted)
        reached = targets.union(*(self.below[name] for name in targets))
        reached = {name for name in reached if name in wanted or not self.below[name].isdisjoint(wanted)}
        before = {name: self.arrays[name] for name in reached}
        try:
            for name in reached:
                self.arrays[name] = np.zeros_like(before[name])
            with np.errstate(all="ignore"):
                for statement in self._kept(self.program.statements, reached, edits, [0]):
                    self._execute(statement)
            return {name: self.arrays[name] for name in wanted}
        except (LanguageError, ArithmeticError, IndexError, KeyError, TypeError, ValueError):
            return None
        finally:
            self.arrays.update(before)
            self.fixed.clear()

    def _kept(self, statements: Iterable[Statement], reached: set[str], edits: Edits, count: list[int]) -> list[Statement]:
        """The statements that write what is reached, the changed ones in their places."""
        kept: list[Statement] = []
        for statement in statements:
            if isinstance(statement, Loop):
                inner = self._kept(statement.body, reached, edits, count)
                kept += [Loop(statement.index, statement.direction, tuple(inner))] if inner else []
                continue
            position, count[0] = count[0], count[0] + 1
            kept += edits.get(position, (statement,)) if statement.target.name in reached else ()
        return kept

    # the oracle, without its questions, and with a memory

    def _equation(self, equation: Equation) -> None:
        for name in (equation.target.name,):
            self.read[name][...] = False
        super()._equation(equation)

    def points(self, equation: Equation, without: tuple[Index, ...] = ()) -> Points:
        """The points of a domain, kept where no loop is around it and no data decide."""
        key = (equation.indices, equation.domain, without)
        if self.fixed or equation.domain:
            return super().points(equation, without)
        if key not in self._points:
            self._points[key] = super().points(equation, without)
        return self._points[key]

    def evaluate(self, expression: sp.Expr, points: Points, equation: Equation) -> Any:
        """The values of a body; definitions are written out once."""
        if isinstance(expression, Defined) and expression.definition is not None:
            if expression not in self._expanded:
                self._expanded[expression] = expression.expanded()
            expression = self._expanded[expression]
        return super().evaluate(expression, points, equation)
