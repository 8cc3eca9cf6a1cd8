r"""Matrix expression → LaTeX, with brackets only where they are needed.

From loose to tight: sums; Σ over layers; ⊙ and ⊘ from left to right; products side by side; transposes and powers.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable

import sympy as sp

from symbp.language.functions import Defined, equal, step
from symbp.language.tensor import Access
from symbp.matrix.nodes import (
    Apply,
    Diag,
    Fraction,
    Hadamard,
    Leaf,
    LevelSum,
    Negative,
    Node,
    Norm,
    Number,
    Ones,
    Power,
    Product,
    Quotient,
    Scale,
    Size,
    Sum,
    Trace,
    Transpose,
    is_scalar,
    shape,
)
from symbp.printing.latex import Writer

SUM, LEVELS, ELEMENTWISE, PRODUCT, ATOM = range(5)
NAMES: dict[type, str] = {sp.exp: r"\exp", sp.log: r"\log", sp.sin: r"\sin", sp.cos: r"\cos", sp.erf: r"\operatorname{erf}"}
HALF = Fraction(Number(sp.S.One), Number(sp.Integer(2)))


def function_latex(function: type) -> str:
    """The name of a scalar function."""
    return function.latex_name if issubclass(function, Defined) else NAMES[function]


class MatrixPrinter:
    r"""Prints matrix expressions with the symbols of one program.

    >>> from symbp.language import Program, Tensor
    >>> W, d = Tensor("W2", (3, 4), role="parameter"), Tensor("z2", (3,), cotangent=r"\\delta")
    >>> MatrixPrinter(Writer(Program((W, d), ()))).latex(Product((Transpose(Leaf("W2", None, 2)), Leaf("z2", None, 1))))
    'W^{(2)\\top} z^{(2)}'
    """

    def __init__(self, writer: Writer, taken: Iterable[str] = ()) -> None:
        self.writer = writer
        self.letter_e = "e" in taken

    def latex(self, node: Node) -> str:
        """The LaTeX of an expression."""
        return self._text(node)[1]

    def leaf(self, node: Leaf, transposed: bool = False) -> str:
        r"""A tensor's symbol with its layer above, or its time step below: `W^{(l)\top}`, `h_{t + 1}^{\top}`."""
        tensor = self.writer.program.tensor(node.name)
        if node.row is None or tensor.level_axis:
            return self.writer.symbol(tensor, node.row, transposed)
        if self.writer.is_fraction(tensor):
            text = self.writer.doprint(Access(node.name, node.row))
            return _bracketed(text) + r"^{\top}" if transposed else text
        text, step_below = self.writer.symbol(tensor, None, transposed), self.writer.subscript([node.row])
        return text.removesuffix(r"^{\top}") + step_below + (r"^{\top}" if text.endswith(r"^{\top}") else "")

    def _text(self, node: Node) -> tuple[int, str]:
        """How tightly an expression holds together, and its LaTeX."""
        return METHODS[type(node)](self, node)

    def _at(self, level: int, node: Node) -> str:
        """The LaTeX of an operand, in brackets where it is looser than `level`."""
        tightness, text = self._text(node)
        return text if tightness >= level else _bracketed(text)

    # leaves

    def _leaf(self, node: Leaf) -> tuple[int, str]:
        return ATOM, self.leaf(node)

    def _number(self, node: Number) -> tuple[int, str]:
        return ATOM, self.writer.doprint(node.value)

    def _ones(self, node: Ones) -> tuple[int, str]:
        return ATOM, r"\mathbf{1}"

    # sums and products

    def _sum(self, node: Sum) -> tuple[int, str]:
        first, *rest = node.terms
        text = self._at(LEVELS, first) if not isinstance(first, Negative) else self.latex(first)
        for term in rest:
            minus = isinstance(term, Negative)
            text += (" - " if minus else " + ") + self._at(LEVELS, term.body if minus else term)
        return SUM, text

    def _negative(self, node: Negative) -> tuple[int, str]:
        return SUM, "-" + self._at(LEVELS, node.body)

    def _level_sum(self, node: LevelSum) -> tuple[int, str]:
        return LEVELS, rf"\sum_{{{self.writer.doprint(node.index)}}} {self._at(ELEMENTWISE, node.body)}"

    def _hadamard(self, node: Hadamard) -> tuple[int, str]:
        return ELEMENTWISE, r" \odot ".join(self._at(ATOM, f) for f in node.factors)

    def _quotient(self, node: Quotient) -> tuple[int, str]:
        level = ELEMENTWISE if isinstance(node.above, Hadamard) else ATOM
        return ELEMENTWISE, rf"{self._at(level, node.above)} \oslash {self._at(ATOM, node.below)}"

    def _product(self, node: Product) -> tuple[int, str]:
        return PRODUCT, " ".join(self._at(ATOM, f) for f in node.factors)

    def _scale(self, node: Scale) -> tuple[int, str]:
        tightness, text = self._text(node.body)
        scalar = self._at(ATOM, node.scalar)
        return (tightness, f"{scalar} {text}") if LEVELS <= tightness < ATOM else (PRODUCT, f"{scalar} {self._at(ATOM, node.body)}")

    def _fraction(self, node: Fraction) -> tuple[int, str]:
        return ATOM, rf"\frac{{{self.latex(node.above)}}}{{{self.latex(node.below)}}}"

    # postfix operators and functions

    def _transpose(self, node: Transpose) -> tuple[int, str]:
        if isinstance(node.body, Leaf):
            return ATOM, self.leaf(node.body, True)
        return ATOM, self._base(node.body) + r"^{\top}"

    def _base(self, node: Node) -> str:
        """An operand that can take a superscript."""
        text = self._at(ATOM, node)
        raised = isinstance(node, (Power, Transpose, Fraction, Norm)) or (isinstance(node, Apply) and text.startswith("e^"))
        if isinstance(node, (Leaf, Size)):
            raised = "^" in text or text.startswith(r"\frac")
        return _bracketed(text) if raised else text

    def _power(self, node: Power) -> tuple[int, str]:
        if node.exponent == HALF:
            return ATOM, rf"\sqrt{{{self.latex(node.base)}}}"
        mark = "" if is_scalar(node.base) else r"\odot "
        return ATOM, f"{self._base(node.base)}^{{{mark}{self.latex(node.exponent)}}}"

    def _call(self, node: Diag | Trace) -> tuple[int, str]:
        name = "diag" if isinstance(node, Diag) else "tr"
        return ATOM, rf"\operatorname{{{name}}}{_bracketed(self.latex(node.body))}"

    def _norm(self, node: Norm) -> tuple[int, str]:
        index = "_F" if shape(node.body) == (True, True) else ""
        return ATOM, rf"\left\lVert {self.latex(node.body)} \right\rVert{index}^{{2}}"

    def _apply(self, node: Apply) -> tuple[int, str]:
        texts = [self.latex(a) for a in node.arguments]
        if node.function is step:
            return ATOM, rf"\left[{texts[0]} > 0\right]"
        if node.function is equal:
            return ATOM, rf"\left[{texts[0]} = {texts[1]}\right]"
        if node.function is sp.Abs:
            return ATOM, rf"\left|{texts[0]}\right|"
        if node.function is sp.exp and not self.letter_e:
            return ATOM, f"e^{{{texts[0]}}}"
        return ATOM, function_latex(node.function) + _bracketed(", ".join(texts))


METHODS: dict[type, Callable[[MatrixPrinter, Node], tuple[int, str]]] = {
    Leaf: MatrixPrinter._leaf, Number: MatrixPrinter._number, Size: MatrixPrinter._number, Ones: MatrixPrinter._ones,
    Sum: MatrixPrinter._sum, Negative: MatrixPrinter._negative, LevelSum: MatrixPrinter._level_sum,
    Hadamard: MatrixPrinter._hadamard, Quotient: MatrixPrinter._quotient, Product: MatrixPrinter._product,
    Scale: MatrixPrinter._scale, Fraction: MatrixPrinter._fraction, Transpose: MatrixPrinter._transpose,
    Power: MatrixPrinter._power, Diag: MatrixPrinter._call, Trace: MatrixPrinter._call, Norm: MatrixPrinter._norm,
    Apply: MatrixPrinter._apply,
}


def _bracketed(text: str) -> str:
    return rf"\left({text}\right)"
