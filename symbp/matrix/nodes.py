"""Matrix expressions as a small tree, and the constructors that keep it short.

A tensor with one axis is a column, one without axes a scalar; `Ones` is a column whose length its neighbours tell.
Sums, ⊙, ⊘, powers and functions work on elements.  Nothing here knows indices.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache

import sympy as sp

from symbp.language.index import Index


class Node:
    """A matrix expression; subclasses are frozen dataclasses."""

    @property
    def children(self) -> tuple[Node, ...]:
        """The direct subexpressions, left to right."""
        values = (getattr(self, f.name) for f in fields(self))
        return tuple(c for v in values for c in (v if isinstance(v, tuple) else (v,)) if isinstance(c, Node))

    def mapped(self, function: Callable[[Node], Node]) -> Node:
        """The same node with a function applied to its direct subexpressions."""
        changes = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Node):
                changes[f.name] = function(value)
            elif isinstance(value, tuple):
                changes[f.name] = tuple(map(function, value))
        return replace(self, **changes)


@dataclass(frozen=True)
class Number(Node):
    """A number without a sign."""

    value: sp.Expr


@dataclass(frozen=True)
class Size(Node):
    """A size such as N, or the width n(l) of a layer."""

    value: sp.Expr


@dataclass(frozen=True)
class Leaf(Node):
    """A tensor with so many axes; `row` is its layer or time step, where it has one for each.

    constant, gradient: what kind of tensor it is, which decides where it stands in print.
    """

    name: str
    row: sp.Expr | None
    axes: int
    constant: bool = field(default=False, repr=False)
    gradient: bool = field(default=False, repr=False, compare=False)


@dataclass(frozen=True)
class Ones(Node):
    """A column of ones."""


@dataclass(frozen=True)
class Transpose(Node):
    """The transposed matrix."""

    body: Node


@dataclass(frozen=True)
class Product(Node):
    """A product of matrices."""

    factors: tuple[Node, ...]


@dataclass(frozen=True)
class Scale(Node):
    """A scalar times a matrix or scalar."""

    scalar: Node
    body: Node


@dataclass(frozen=True)
class Hadamard(Node):
    """The elementwise product."""

    factors: tuple[Node, ...]


@dataclass(frozen=True)
class Quotient(Node):
    """The elementwise quotient."""

    above: Node
    below: Node


@dataclass(frozen=True)
class Fraction(Node):
    """The quotient of two scalars."""

    above: Node
    below: Node


@dataclass(frozen=True)
class Sum(Node):
    """A sum; plain scalars among its terms are added to every element."""

    terms: tuple[Node, ...]


@dataclass(frozen=True)
class Negative(Node):
    """Minus a matrix or scalar."""

    body: Node


@dataclass(frozen=True)
class Power(Node):
    """A scalar, or each element of a matrix, to the power of a scalar."""

    base: Node
    exponent: Node


@dataclass(frozen=True)
class Diag(Node):
    """The diagonal matrix of a column; the diagonal of a matrix, as a column."""

    body: Node


@dataclass(frozen=True)
class Trace(Node):
    """The trace of a matrix."""

    body: Node


@dataclass(frozen=True)
class Norm(Node):
    """The sum of the squares of all elements, ‖x‖²."""

    body: Node


@dataclass(frozen=True)
class Apply(Node):
    """A scalar function at each element."""

    function: type
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class LevelSum(Node):
    """The sum over a layer's number."""

    index: Index
    body: Node


BRACKETED: dict[type, tuple[type, ...]] = {
    Product: (Sum, Hadamard, Quotient), Hadamard: (Sum, Product), Transpose: (Sum, Hadamard, Quotient, Product)}
BRACKETS = 2
WEIGHTS: dict[type, int] = {Leaf: 4, Size: 4, Ones: 9, Diag: 12}


@lru_cache(maxsize=4096)
def cost(node: Node) -> int:
    """How long an expression looks; ones and diagonal matrices count most, and brackets around operands count.

    >>> A = Leaf("A", None, 2)
    >>> cost(A) < cost(Transpose(A)) < cost(Product((A, A))) < cost(Diag(Leaf("v", None, 1)))
    True
    """
    own = 3 - isinstance(node.body, (Leaf, Ones)) if isinstance(node, Transpose) else WEIGHTS.get(type(node), 1)
    return own + sum(cost(c) + BRACKETS * isinstance(c, BRACKETED.get(type(node), ())) for c in node.children)


def shortest(*choices: Node) -> Node:
    """The expression of least cost; the first of several."""
    return min(choices, key=cost)


@lru_cache(maxsize=4096)
def shape(node: Node) -> tuple[bool, bool]:
    """Whether an expression has rows, and whether it has columns; a scalar has neither."""
    if isinstance(node, Leaf):
        return node.axes > 0, node.axes > 1
    if isinstance(node, (Ones, Number, Size, Trace, Norm, Fraction)):
        return isinstance(node, Ones), False
    if isinstance(node, Transpose):
        return shape(node.body)[::-1]
    if isinstance(node, Product):
        return shape(node.factors[0])[0], shape(node.factors[-1])[1]
    if isinstance(node, Diag):
        return True, not shape(node.body)[1]
    parts = [shape(c) for c in node.children]
    return any(p[0] for p in parts), any(p[1] for p in parts)


def is_scalar(node: Node) -> bool:
    """Whether an expression is one number."""
    return shape(node) == (False, False)


def is_plain(node: Node) -> bool:
    """Whether a scalar is made of numbers, sizes and scalar tensors only."""
    return is_scalar(node) and not isinstance(node, (Product, Trace, Norm, LevelSum)) and all(map(is_plain, node.children))


def is_constant(node: Node) -> bool:
    """Whether a scalar is made of numbers, sizes and constants only, and so is added to a matrix as it is: 1 − a."""
    return is_plain(node) and (not isinstance(node, Leaf) or node.constant) and all(map(is_constant, node.children))


def transpose(node: Node) -> Node:
    """The transposed expression in its shortest form.

    >>> W, d = Leaf("W", None, 2), Leaf("d", None, 1)
    >>> transpose(Product((Transpose(W), d))) == Product((Transpose(d), W))
    True
    """
    if is_scalar(node) or isinstance(node, Diag) and shape(node)[1]:
        return node
    if isinstance(node, Transpose):
        return node.body
    if isinstance(node, Product):
        return product(*map(transpose, reversed(node.factors)))
    if isinstance(node, (Leaf, Ones, Diag)):
        return Transpose(node)
    inside = node.mapped(transpose)
    return inside if isinstance(node, (Scale, Negative)) or cost(inside) <= cost(node) else Transpose(node)


def product(*factors: Node) -> Node:
    """A matrix product without nested products."""
    flat = tuple(f for factor in factors for f in (factor.factors if isinstance(factor, Product) else (factor,)))
    return flat[0] if len(flat) == 1 else Product(flat)


def times(scalars: list[Node], body: Node | None = None) -> Node:
    """A product of scalars, with the matrix that they scale behind them; 1 for none."""
    parts = [*scalars] if body is None else [*scalars, body]
    result = parts.pop() if parts else Number(sp.S.One)
    while parts:
        result = Scale(parts.pop(), result)
    return result
