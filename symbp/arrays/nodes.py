"""Array expressions and statements of level 2: frozen dataclasses that name every axis by its index of level 1.

An expression's `axes` are indices, outermost first; operands of an elementwise operation are aligned to the axes of the result
before it is built, so that broadcasting is right by construction.  Extents are SymPy expressions in the sizes.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import sympy as sp

from symbp.language.functions import expand_definitions, step
from symbp.language.index import Index

Axes = tuple[Index | None, ...]
"""An index for each axis; None for an axis of extent 1 that only aligns."""


@dataclass(frozen=True)
class Node:
    """An array expression; `axes` names its axes, `dtype` is "float", "int" or "bool"."""

    axes: Axes
    dtype: str

    @property
    def operands(self) -> tuple[Node, ...]:
        """The nodes that this one is made of."""
        found: list[Node] = []
        for item in fields(self):
            value = getattr(self, item.name)
            found += [v for v in (value if isinstance(value, tuple) else (value,)) if isinstance(v, Node)]
        return tuple(found)


@dataclass(frozen=True)
class Name(Node):
    """A named array, whole."""

    name: str


@dataclass(frozen=True)
class Number(Node):
    """A scalar: a number, a size, a loop's index, or arithmetic of them."""

    value: sp.Expr


@dataclass(frozen=True)
class Count(Node):
    """The values of an index along its own axis: start, start+1, …"""

    index: Index


@dataclass(frozen=True)
class Slice:
    """A subscript `start:stop:step`; `whole` when it takes everything, None for the end of the axis that a slice backwards meets."""

    start: sp.Expr | None
    stop: sp.Expr | None
    step: int = 1
    whole: bool = False


@dataclass(frozen=True)
class At:
    """A subscript that fixes an axis at one position."""

    position: sp.Expr


@dataclass(frozen=True)
class New:
    """A subscript that makes an axis of extent 1."""


@dataclass(frozen=True)
class Part:
    """A subscript by a slice that has a name."""

    name: str


Key = Slice | At | New | Part


@dataclass(frozen=True)
class Subscript(Node):
    """A basic view `source[keys]`."""

    source: Node
    keys: tuple[Key, ...]


@dataclass(frozen=True)
class Permute(Node):
    """The source with its axes in another order."""

    source: Node
    order: tuple[int, ...]


@dataclass(frozen=True)
class Reshape(Node):
    """The source in another shape; a copy where its strides do not admit a view."""

    source: Node
    shape: tuple[sp.Expr, ...]


@dataclass(frozen=True)
class Broadcast(Node):
    """The source repeated to the shape, without a copy; its axes are aligned at the end."""

    source: Node
    shape: tuple[sp.Expr, ...]


@dataclass(frozen=True)
class Windows(Node):
    """Sliding windows of `length` along `axis`; the positions within a window become the last axis."""

    source: Node
    axis: int
    length: sp.Expr


@dataclass(frozen=True)
class Pad(Node):
    """The source with margins (before, after) on each axis, filled with `fill`; `shape` counts them.

    fill: "zero", "edge" (the nearest element), "least" (−∞) or "nothing" (NaN, which equals nothing).
    """

    source: Node
    widths: tuple[tuple[int, int], ...]
    shape: tuple[sp.Expr, ...]
    fill: str


@dataclass(frozen=True)
class Gather(Node):
    """The elements of the source at positions: one integer array for each of its axes, aligned to the result."""

    source: Node
    positions: tuple[Node, ...]


@dataclass(frozen=True)
class Apply(Node):
    """An elementwise operation on aligned operands, named as NumPy names it."""

    op: str
    args: tuple[Node, ...]


@dataclass(frozen=True)
class Matmul(Node):
    """A matrix product over the last two axes, stacked over those before."""

    left: Node
    right: Node


@dataclass(frozen=True)
class Fold(Node):
    """A reduction (sum, max, argmax) over axes, given by their numbers."""

    op: str
    source: Node
    over: tuple[int, ...]


@dataclass(frozen=True)
class Assign:
    """`name = value`: a new array, complete."""

    name: str
    value: Node
    label: str = ""


@dataclass(frozen=True)
class Fill:
    """`name`, a new array of the shape, filled with zeros; with whatever is there where other statements fill it."""

    name: str
    shape: tuple[sp.Expr, ...]
    dtype: str
    label: str = ""
    zeros: bool = True


@dataclass(frozen=True)
class Store:
    """`name[keys] op value`, where op is "=" or "+="."""

    name: str
    keys: tuple[Key, ...]
    op: str
    value: Node
    label: str = ""


@dataclass(frozen=True)
class Scatter:
    """`name[positions] op value` at integer arrays; with "+=" repeated positions add up."""

    name: str
    positions: tuple[Node, ...]
    op: str
    value: Node
    label: str = ""


@dataclass(frozen=True)
class For:
    """The body for each value of an index from start on, ascending or descending."""

    index: Index
    start: sp.Expr
    extent: sp.Expr
    direction: str
    body: tuple[Statement, ...]


Statement = Assign | Fill | Store | Scatter | For


def nodes(root: Node) -> Iterator[Node]:
    """The node and all below it, each as often as it stands there."""
    yield root
    for operand in root.operands:
        yield from nodes(operand)


def values(statement: Statement) -> tuple[Node, ...]:
    """The expressions of a statement; those of a loop's body included."""
    if isinstance(statement, For):
        return tuple(v for s in statement.body for v in values(s))
    if isinstance(statement, Fill):
        return ()
    return (statement.value, *(statement.positions if isinstance(statement, Scatter) else ()))


def names_read(statement: Statement) -> set[str]:
    """The names of the arrays that a statement reads."""
    return {n.name for v in values(statement) for n in nodes(v) if isinstance(n, Name)}


def is_view(node: Node) -> bool:
    """Whether a node may share its memory with a named array."""
    return isinstance(node, Name) or isinstance(node, Subscript | Permute | Reshape | Windows) and is_view(node.source)


# constructors that keep the axes right

def extent(axis: Index | None) -> sp.Expr:
    """The extent of an axis."""
    return sp.S.One if axis is None else axis.extent


def joint(labels: tuple[Index, ...]) -> Index:
    """One label for several axes that are merged: the label itself, or one whose extent is the product of all."""
    return labels[0] if len(labels) == 1 else Index("·".join(a.name for a in labels), sp.Mul(*(a.extent for a in labels)))


def number(value: sp.Expr | int | float) -> Number:
    """A scalar node; functions of numbers are numbers.

    >>> from symbp.language.functions import relu
    >>> number(relu(sp.Rational(2, 3))).value
    2/3
    """
    value = sp.S(value) if isinstance(value, (int, float)) else expand_definitions(value)
    value = value.replace(lambda e: isinstance(e, step) and e.args[0].is_number, lambda e: step(e.args[0].evalf(), e.args[1]))
    return Number((), "int" if value.is_integer else "float", value)


def permute(source: Node, order: tuple[int, ...]) -> Node:
    """The source with its axes in this order; the source itself where nothing changes."""
    if order == tuple(range(len(order))):
        return source
    if isinstance(source, Permute):
        return permute(source.source, tuple(source.order[k] for k in order))
    return Permute(tuple(source.axes[k] for k in order), source.dtype, source, order)


def reshape(source: Node, axes: Axes, shape: tuple[sp.Expr, ...]) -> Node:
    """The source in the shape, with these axes; the source itself where nothing changes, and one reshape for two."""
    if isinstance(source, Reshape):
        return reshape(source.source, axes, shape)
    if axes == source.axes and len(shape) == len(axes):
        return source
    return Reshape(axes, source.dtype, source, shape)


WHOLE = Slice(sp.S.Zero, sp.S.Zero, 1, True)


def subscript(source: Node, keys: tuple[Key, ...], axes: Axes) -> Node:
    """`source[keys]`, or the source where the keys take everything."""
    if all(isinstance(k, Slice) and k.whole for k in keys):
        return source if axes == source.axes else relabelled(source, axes)
    return Subscript(axes, source.dtype, source, keys)


def relabelled(source: Node, axes: Axes) -> Node:
    """The same array with other names for its axes."""
    return type(source)(axes, *(getattr(source, f.name) for f in fields(source)[1:]))


def aligned(source: Node, axes: Axes) -> Node:
    """The source with its axes in the order of `axes`; missing ones get extent 1, but for leading ones, which broadcast."""
    have = [a for a in axes if a in source.axes]
    source = permute(source, tuple(source.axes.index(a) for a in have))
    first = axes.index(have[0]) if have else len(axes)
    wanted = axes[first:]
    if len(wanted) == len(have):
        return source
    keys = tuple(WHOLE if a in have else New() for a in wanted)
    return Subscript(tuple(a if a in have else None for a in wanted), source.dtype, source, keys)


def as_float(node: Node) -> Node:
    """The node as floating-point numbers: integers would promote float32 to float64, and truth values add up to truth values."""
    return node if node.dtype == "float" or isinstance(node, Number) else Apply(node.axes, "float", "float", (node,))


def broadcast(node: Node, axes: Axes) -> Node:
    """The node with all of these axes, repeated along those that it lacks."""
    return Broadcast(axes, node.dtype, aligned(node, axes), tuple(extent(a) for a in axes))


def apply(op: str, args: tuple[Node, ...], axes: Axes, dtype: str = "float") -> Node:
    """An elementwise operation over the union of the operands' axes, ordered as in `axes`."""
    used = {a for arg in args for a in arg.axes}
    kept = tuple(a for a in axes if a in used)
    return Apply(kept, dtype, op, tuple(aligned(arg, kept) for arg in args))
