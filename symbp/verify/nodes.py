r"""A formula as a tree of frozen nodes: what stands on the page, before anything has a meaning.

    \delta^{(l)}_j   Sym("delta", subs=(j,), sups=(Script("(", l),))        a b ⊙ c   Product((Product((a, b), ("",)), c), ("odot",))

Every node is compared by value, so that a change of one place is one `replaced`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import cache
from typing import Any

Path = tuple[tuple[str, int], ...]
"""Where a node stands: the field and the position at each level."""


@dataclass(frozen=True)
class Node:
    """The base of all nodes."""


@dataclass(frozen=True)
class Number(Node):
    """A number, exactly; or π or e, which `name` says."""

    value: Fraction = Fraction(0)
    name: str = ""


@dataclass(frozen=True)
class Script(Node):
    """One piece of an upper or lower index; shape: the bracket it stands in, "(" or "[" or none."""

    shape: str
    body: Node


@dataclass(frozen=True)
class Sym(Node):
    """A letter or word with its scripts; `at`: indices in square brackets, counted from 0."""

    base: str
    subs: tuple[Script, ...] = ()
    sups: tuple[Script, ...] = ()
    primes: int = 0
    at: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Sum(Node):
    """The sum of terms; a difference has terms that are `Negative`."""

    terms: tuple[Node, ...]


@dataclass(frozen=True)
class Negative(Node):
    """−x."""

    body: Node


@dataclass(frozen=True)
class Product(Node):
    r"""Factors and the signs between them: "" (side by side), "dot", "times", "star", "odot", "otimes", "over"."""

    factors: tuple[Node, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True)
class Quotient(Node):
    r"""\frac{above}{below}."""

    above: Node
    below: Node


@dataclass(frozen=True)
class Root(Node):
    r"""\sqrt[degree]{body}."""

    body: Node
    degree: int = 2


@dataclass(frozen=True)
class Raised(Node):
    """A bracket, function value or number with an upper index: a power or a transpose."""

    body: Node
    script: Script


@dataclass(frozen=True)
class Lowered(Node):
    """A bracket or function value with lower indices."""

    body: Node
    subs: tuple[Script, ...]


@dataclass(frozen=True)
class Call(Node):
    """A function of arguments; primes: how often it is differentiated."""

    name: str
    arguments: tuple[Node, ...]
    primes: int = 0


@dataclass(frozen=True)
class Big(Node):
    """Σ, Π, max, min or mean over letters; lower and upper bounds, or a condition on the letters."""

    op: str
    letters: tuple[str, ...]
    body: Node
    lower: Node | None = None
    upper: Node | None = None
    condition: Node | None = None


@dataclass(frozen=True)
class Derivative(Node):
    """∂of/∂by…; gradient: written with ∇."""

    of: Node
    by: tuple[Node, ...]
    gradient: bool = False


@dataclass(frozen=True)
class Cases(Node):
    """Values and the conditions under which they hold; the last condition may be missing (otherwise)."""

    values: tuple[Node, ...]
    conditions: tuple[Node | None, ...]


@dataclass(frozen=True)
class Matrix(Node):
    """A matrix written out, row by row."""

    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True)
class Relation(Node):
    """A comparison: =, <, >, ≤, ≥ or ≠."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Bracket(Node):
    """[condition]: 1 where it holds, else 0."""

    condition: Node


@dataclass(frozen=True)
class Norm(Node):
    """‖x‖ (order 2 or 1), or |x| (order 0)."""

    body: Node
    order: int = 2


@dataclass(frozen=True)
class Row(Node):
    """Several expressions with commas between, in brackets."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Formula(Node):
    """Sides and the relations between them: "=" or ":="."""

    sides: tuple[Node, ...]
    signs: tuple[str, ...]


@cache
def _names(kind: type[Node]) -> tuple[str, ...]:
    return tuple(item.name for item in fields(kind))


def children(node: Node) -> Iterator[tuple[tuple[str, int], Node]]:
    """The nodes right under one, each with its place; rows of a matrix are counted through."""
    for name in _names(type(node)):
        value = getattr(node, name)
        if isinstance(value, Node):
            yield (name, -1), value
        elif isinstance(value, tuple) and value:
            flat = [v for row in value for v in row] if isinstance(value[0], tuple) else value
            yield from (((name, k), v) for k, v in enumerate(flat) if isinstance(v, Node))


def below(node: Node) -> tuple[Node, ...]:
    """A node and all below it; found once, since nodes never change."""
    found = node.__dict__.get("_below")
    if found is None:
        inner = [child for _, child in children(node)]
        found = (node, *(n for child in reversed(inner) for n in below(child)))
        object.__setattr__(node, "_below", found)
    return found


def walk(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """A node and all below it, each with its path."""
    yield path, node
    for step, child in children(node):
        yield from walk(child, (*path, step))


def replaced(node: Node, path: Path, new: Node) -> Node:
    """The tree with another node at a path.

    >>> x, y = Sym("x"), Sym("y")
    >>> replaced(Sum((x, x)), (("terms", 1),), y) == Sum((x, y))
    True
    """
    if not path:
        return new
    (name, k), *rest = path
    value: Any = getattr(node, name)
    if k < 0:
        return replace(node, **{name: replaced(value, tuple(rest), new)})
    if value and isinstance(value[0], tuple):
        width = len(value[0])
        rows = [list(row) for row in value]
        rows[k // width][k % width] = replaced(rows[k // width][k % width], tuple(rest), new)
        return replace(node, **{name: tuple(map(tuple, rows))})
    return replace(node, **{name: (*value[:k], replaced(value[k], tuple(rest), new), *value[k + 1 :])})


def at(node: Node, path: Path) -> Node:
    """The node at a path."""
    for name, k in path:
        value = getattr(node, name)
        node = value if k < 0 else [v for row in value for v in row][k] if isinstance(value[0], tuple) else value[k]
    return node


def is_letter(node: Node | None, *names: str) -> bool:
    """Whether a node is a bare letter, one of these where some are named."""
    return isinstance(node, Sym) and not (node.subs or node.sups or node.primes or node.at) and (not names or node.base in names)
