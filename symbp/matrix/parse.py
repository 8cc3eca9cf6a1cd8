r"""Printed matrix LaTeX → matrix expression: the way back, for checking what is printed.

A table says which printed symbol is which tensor, size, function or sum over layers.  The longest symbol at each place
is taken, so that `W^{(1)\top}` is one symbol and the `t` of `\operatorname{tr}` none.
"""
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import sympy as sp

from symbp.errors import SymbpError
from symbp.language.functions import equal, step
from symbp.language.index import Index
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
    Size,
    Sum,
    Trace,
    Transpose,
)

if TYPE_CHECKING:
    import lark

FIXED = (r"\operatorname{tr}", r"\operatorname{diag}", r"\mathbf{1}", "_F", "e^{")


class MatrixSyntaxError(SymbpError):
    """A text is not a matrix expression over the symbols given."""


@dataclass(frozen=True)
class Symbols:
    """What printed symbols mean; a function's ends with its opening bracket."""

    leaves: Mapping[str, Leaf | Size]
    transposed: Mapping[str, Leaf]
    functions: Mapping[str, type]
    levels: Mapping[str, Index]


def parse_matrix(text: str, symbols: Symbols) -> Node:
    r"""Read a matrix expression back.

    >>> W, x = Leaf("W", None, 2), Leaf("x", None, 1)
    >>> parse_matrix(r"W^{\top} x", Symbols({"W": W, "x": x}, {r"W^{\top}": W}, {}, {}))
    Product(factors=(Transpose(body=Leaf(name='W', row=None, axes=2)), Leaf(name='x', row=None, axes=1)))
    """
    import lark
    marked, values = _marked(text, symbols)
    try:
        tree = _parser().parse(marked)
    except lark.exceptions.LarkError as error:
        raise MatrixSyntaxError(f"`{text}` is no matrix expression: {str(error).splitlines()[0]}") from error
    return _node(tree, values)


@cache
def _parser() -> lark.Lark:
    import lark
    text = (Path(__file__).parent / "grammar.lark").read_text(encoding="utf-8")
    return lark.Lark(text, start="sum", parser="lalr", maybe_placeholders=False)


def _marked(text: str, symbols: Symbols) -> tuple[str, dict[str, object]]:
    """The text with a mark for each symbol, and what the marks mean."""
    marks: dict[str, str] = {}
    values: dict[str, object] = {}
    for kind, table in zip("TLFS", (symbols.transposed, symbols.leaves, symbols.functions, symbols.levels)):
        for number, (printed, value) in enumerate(table.items()):
            mark = f"@{kind}{number}@"
            values[mark] = value
            marks.setdefault(printed, f" {mark} ")
    known = sorted((f for f in (*marks, *FIXED)), key=len, reverse=True)
    words = "|".join(re.escape(k) + ("(?![A-Za-z])" if k[-1:].isalpha() else "") for k in known)
    found = re.sub(rf"{words}|\\[A-Za-z]+|.", lambda m: marks.get(m[0], m[0]), text, flags=re.DOTALL)
    return found, values


def _node(tree: lark.Tree, values: Mapping[str, object]) -> Node:
    """The expression of a syntax tree."""
    import lark
    children = [values.get(c, c) if isinstance(c, lark.Token) else _node(c, values) for c in tree.children]
    return RULES[tree.data](*children)


TWO, ONE = Number(sp.Integer(2)), Number(sp.S.One)
RULES = {
    "negative": Negative,
    "add": lambda a, b: Sum((a, b)),
    "subtract": lambda a, b: Sum((a, Negative(b))),
    "level_sum": LevelSum,
    "scaled_level_sum": lambda scalar, index, body: Product((scalar, LevelSum(index, body))),
    "hadamard": lambda a, b: Hadamard((a, b)),
    "quotient": Quotient,
    "juxtaposed": lambda a, b: Product((a, b)),
    "transpose": Transpose,
    "elementwise_power": Power,
    "power": Power,
    "leaf": lambda leaf: leaf,
    "transposed_leaf": Transpose,
    "number": lambda text: Number(sp.Rational(str(text))),
    "pi": lambda: Number(sp.pi),
    "ones": Ones,
    "fraction": Fraction,
    "root": lambda body: Power(body, Fraction(ONE, TWO)),
    "exp": lambda body: Apply(sp.exp, (body,)),
    "apply": lambda function, *arguments: Apply(function, arguments),
    "diag": Diag,
    "trace": Trace,
    "norm": Norm,
    "step": lambda body: Apply(step, (body,)),
    "equal": lambda a, b: Apply(equal, (a, b)),
    "absolute": lambda body: Apply(sp.Abs, (body,)),
}
