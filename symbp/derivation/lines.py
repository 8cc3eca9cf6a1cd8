"""What a derivation answers: the gradient by a tensor is one line for each case of its rows, a line has numbered steps."""
from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import sympy as sp

from symbp.language.facts import Fact
from symbp.language.index import Index
from symbp.language.tensor import Access, Tensor
from symbp.passes.matrix_form import MatrixForm, matrix_form

if TYPE_CHECKING:
    from symbp.derivation.derivation import Derivation


@dataclass(frozen=True)
class Step:
    """One numbered equality: the rule, both sides, and the facts used."""

    number: int
    rule: str
    before: sp.Expr
    after: sp.Expr
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Line:
    """One derived equality: `target = right` on the rows that the target's indices name."""

    target: Access
    right: sp.Expr
    steps: tuple[Step, ...]
    derivation: Derivation = field(repr=False, compare=False)

    @property
    def tensor(self) -> Tensor:
        """The cotangent's tensor."""
        return self.derivation.program.tensor(self.target.name)

    @cached_property
    def matrix(self) -> MatrixForm | None:
        """The matrix form where there is one, parsed back and compared with the oracle; else None."""
        return matrix_form(self.target, self.right, self.derivation.program)

    def latex(self, form: str = "index") -> str:
        """The line as LaTeX, in "index" form, or in "matrix" form where there is one (else in index form)."""
        text = self.matrix.latex if form == "matrix" and self.matrix is not None else \
            self.derivation.writer.equation(self.target, self.right, adds=not is_plain_row(self.target))
        return text + (rf" \qquad \left({self.rows}\right)" if self.rows else "")

    @property
    def rows(self) -> str:
        """Which elements it is about, where that is some only: rows of a recurrence (`1 \\le l \\le L - 1`), a part of an axis."""
        axes = zip(self.target.indices, self.tensor.extents(self.target), self.tensor.origin, strict=True)
        shorter = (i for i, e, o in axes if isinstance(i, Index) and (i.extent, i.start) != (e, o))
        return r",\; ".join(map(self.derivation.writer.range, shorter))

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex('matrix')}$"


@dataclass(frozen=True)
class Gradient:
    """The derivative by one tensor: a line for each case of its rows."""

    name: str
    lines: tuple[Line, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """The numbered steps of all cases."""
        return tuple(s for line in self.lines for s in line.steps)

    def latex(self, form: str = "index") -> str:
        """LaTeX of the gradient; several cases stand on lines of their own."""
        return r" \\ ".join(line.latex(form) for line in self.lines)

    def _repr_latex_(self) -> str:
        return "".join(line._repr_latex_() for line in self.lines)


def is_plain_row(access: Access) -> bool:
    """Plain but for a row of a recurrence, which may be L; else the line is a contribution (a strided scatter)."""
    later = access.indices[1:]
    return all(isinstance(p, Index) for p in later) and len(set(access.indices)) == len(access.indices) and \
        not (access.indices and len(access.indices[0].atoms(Index)) > 1)
