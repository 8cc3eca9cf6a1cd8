r"""The matrix form of an equation: `\delta a^{\top}` for `\sum_{n} \delta_{nj} a_{ni}`.

Stage: closed form of an equation → `MatrixForm`, or None where there is none.  What is printed is parsed back, evaluated
with random arrays and compared with the oracle; a form that fails is no form.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import sympy as sp

from symbp.errors import SymbpError
from symbp.language.program import Program
from symbp.language.tensor import Access
from symbp.matrix.check import Question, agrees, question, symbols_of
from symbp.matrix.latex import MatrixPrinter
from symbp.matrix.nodes import Node
from symbp.matrix.parse import parse_matrix
from symbp.matrix.recognise import recognise
from symbp.matrix.view import View, views
from symbp.printing.latex import Writer


@dataclass(frozen=True)
class MatrixForm:
    """`target = right` in matrix form: the `expression` and its LaTeX."""

    target: Access
    right: sp.Expr
    expression: Node
    view: View = field(repr=False, compare=False)

    @cached_property
    def _asked(self) -> Question:
        return question(self.target, self.right, self.view)

    @cached_property
    def _printer(self) -> MatrixPrinter:
        return MatrixPrinter(Writer(self.view.program), {self._plain.latex(n) for n in self._asked.inputs.values()})

    @cached_property
    def _plain(self) -> MatrixPrinter:
        return MatrixPrinter(Writer(self.view.program))

    @cached_property
    def right_latex(self) -> str:
        """The LaTeX of the right side."""
        return self._printer.latex(self.expression)

    @cached_property
    def left_latex(self) -> str:
        """The LaTeX of the left side: the target without its indices."""
        return self._printer.leaf(self.view.leaf(self.target)[0])

    @property
    def latex(self) -> str:
        """The equation; the new value of a tensor prints as an assignment `:=`."""
        sign = ":=" if self.view.program.tensor(self.target.name).next_of else "="
        return f"{self.left_latex} {sign} {self.right_latex}"

    @cached_property
    def verified(self) -> bool:
        """Whether the printed right side, parsed back and evaluated, has the oracle's value."""
        try:
            symbols = symbols_of(self._asked, self.right, self._printer)
            return symbols is not None and agrees(parse_matrix(self.right_latex, symbols), self._asked)
        except SymbpError:
            return False

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"


def matrix_form(target: Access, right: sp.Expr, program: Program) -> MatrixForm | None:
    """The verified matrix form of `target = right` (a closed form), or None where there is none.

    >>> from symbp.language import Index, Tensor
    >>> from symbp.language.build import total
    >>> i, j, W, x, z = Index("i", 4), Index("j", 3), Tensor("W", (3, 4)), Tensor("x", (4,)), Tensor("z", (3,))
    >>> matrix_form(z[j], total(i, W[j, i]*x[i]), Program((W, x, z), ())).latex
    'z = W x'
    """
    for view in views(target, right, program):
        expression = recognise(target, right, view)
        form = MatrixForm(target, right, expression, view) if expression is not None else None
        if form is not None and form.verified:
            return form
    return None
