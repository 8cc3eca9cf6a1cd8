"""What stands on the page only for a while: brackets and halves of derivatives, and what can be said of their contents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

from symbp.errors import SymbpError
from symbp.verify.nodes import (
    Derivative,
    Lowered,
    Node,
    Number,
    Product,
    Raised,
    Relation,
    Row,
    Script,
    Sym,
)

ALIASES = {
    "logistic": "sigmoid",
    "Sigmoid": "sigmoid",
    "sigm": "sigmoid",
    "ReLU": "relu",
    "ReLu": "relu",
    "Relu": "relu",
    "Softmax": "softmax",
    "Tanh": "tanh",
    "ln": "log",
    "sgn": "sign",
    "LeakyReLU": "leaky_relu",
    "swish": "silu",
    "Diag": "diag",
    "Tr": "trace",
    "tr": "trace",
    "maximum": "max",
    "minimum": "min",
    "th": "tanh",
    "ELU": "elu",
    "GELU": "gelu",
    "SiLU": "silu",
    "Swish": "silu",
    "Softplus": "softplus",
    "SoftPlus": "softplus",
}


NAMED = {
    "softmax",
    "sigmoid",
    "tanh",
    "exp",
    "log",
    "diag",
    "relu",
    "sin",
    "cos",
    "max",
    "min",
    "sqrt",
    "softplus",
    "sign",
    "erf",
    "abs",
    "trace",
    "silu",
    "gelu",
    "elu",
    "leaky_relu",
    "sinh",
    "cosh",
    "sech",
    "step",
    "vec",
    "transpose",
    "square",
    "mean",
    "sum",
    "logsumexp",
    "flip",
    "rot180",
    "identity",
    "var",
    "Var",
    "concat",
    "outer",
    "dot",
    "prod",
}


OVER_LETTERS = {"sum", "mean", "max", "min"}


WHOLE = {
    "log",
    "exp",
    "tanh",
    "sin",
    "cos",
    "sigmoid",
    "relu",
    "softmax",
    "diag",
    "softplus",
    "sinh",
    "cosh",
    "sech",
    "sqrt",
    "trace",
    "erf",
    "abs",
    "sign",
}
"""Functions whose argument may follow without brackets."""


TRANSPOSES = ("T", "⊤")


@dataclass(frozen=True)
class Paren(Node):
    """Something in brackets; it falls away once its neighbours have been seen."""

    shape: str
    body: Node


@dataclass(frozen=True)
class Partials(Node):
    """∂^order and what stands behind it: one half of a derivative."""

    order: int
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Given(Node):
    """Something given something else, p(x | μ): it may only say on what a left side depends."""


@dataclass(frozen=True)
class Operator(Node):
    """d/dz, which waits for what it differentiates."""

    by: tuple[Node, ...]
    gradient: bool = False


def derivative(above: Partials, below: Partials) -> Node:
    """∂J/∂w, or the operator ∂/∂w as a derivative of the sign ∂ itself."""
    by: list[Node] = []
    for item in below.items:
        if (
            isinstance(item, Sym)
            and above.order > 1
            and len(below.items) == 1
            and item.sups
            and isinstance(item.sups[-1].body, Number)
            and not item.sups[-1].shape
            and item.sups[-1].body.value == above.order
        ):
            by += [replace(item, sups=item.sups[:-1])] * above.order
        elif isinstance(item, Raised) and above.order > 1:
            by += [item.body] * above.order
        else:
            by.append(item)
    if not by or len(by) != above.order:
        raise SymbpError("a derivative is of as many things as its order says: \\frac{\\partial^2 J}{\\partial w \\partial v}")
    if len(above.items) > 1:
        return Derivative(Product(above.items, ("",) * (len(above.items) - 1)), tuple(by))
    return Derivative(above.items[0] if above.items else Sym("∂"), tuple(by))


def whole_number(sups: tuple[Script, ...]) -> int:
    """The order that stands above a ∂.  Raises `SymbpError` for one that is none."""
    if not sups:
        return 1
    if len(sups) == 1 and isinstance(sups[0].body, Number) and sups[0].body.value in (1, 2, 3):
        return int(sups[0].body.value)
    raise SymbpError("the order of a derivative is 1, 2 or 3")


def unwrapped(node: Node | None) -> tuple[Node | None, list[Callable[[Node], Node]]]:
    """What brackets hold inside their upper and lower indices, and how to put these back."""
    if isinstance(node, Raised):
        inner, wraps = unwrapped(node.body)
        return inner, [*wraps, lambda made, s=node.script: Raised(made, s)]
    if isinstance(node, Lowered):
        inner, wraps = unwrapped(node.body)
        return inner, [*wraps, lambda made, s=node.subs: Lowered(made, s)]
    return node, []


def letter(node: Node) -> str:
    """The letter that a node is, with its primes, or ""."""
    if isinstance(node, Sym) and not (node.subs or node.sups or node.at):
        return node.base + "'" * node.primes
    return ""


def must_be_letter(node: Node) -> str:
    """The letter that a node is.  Raises `SymbpError` for anything else."""
    node = node.body if isinstance(node, Paren) else node
    if not letter(node):
        raise SymbpError("a sum runs over letters: \\sum_{j=1}^{n} or \\sum_{i,j}")
    return letter(node)


def listed(node: Node) -> Sequence[Node]:
    """The parts of a list, with commas or side by side."""
    if isinstance(node, Paren):
        return listed(node.body)
    if isinstance(node, Row):
        return node.parts
    if isinstance(node, Product) and set(node.signs) == {""}:
        return node.factors
    return (node,)


def only_names(node: Node) -> bool:
    """Whether brackets hold nothing but names, so that they may say on what something depends."""
    return all(isinstance(part, Sym) and part.base not in ("∂", "∇") for part in (node.parts if isinstance(node, Row) else (node,)))


def is_event(node: Node) -> bool:
    """Whether brackets hold what a probability is of: P(Y = 1), p(x | μ)."""
    return isinstance(node, (Relation, Given)) or isinstance(node, Row) and any(map(is_event, node.parts))


def mapped(node: Node, function: Callable[[Node], Node]) -> Node:
    """The node with a function applied to all right under it."""
    changed = {}
    for item in fields(node):
        value = getattr(node, item.name)
        if isinstance(value, Node):
            changed[item.name] = function(value)
        elif isinstance(value, tuple) and value and isinstance(value[0], tuple):
            changed[item.name] = tuple(tuple(map(function, row)) for row in value)
        elif isinstance(value, tuple) and any(isinstance(v, Node) for v in value):
            changed[item.name] = tuple(function(v) if isinstance(v, Node) else v for v in value)
    return replace(node, **changed) if changed else node
