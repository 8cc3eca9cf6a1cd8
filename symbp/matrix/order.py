"""The order of factors and terms in matrix expressions, as textbooks have it."""
from __future__ import annotations

from symbp.language.functions import Defined
from symbp.matrix.nodes import Apply, Leaf, LevelSum, Negative, Node, Ones, Power, Product, Sum, Transpose, cost, is_scalar


def factor_key(node: Node) -> tuple[int, str]:
    """Elementwise factors: products, differences, tensors, `1 - a` and other shifts, functions, derivatives of functions."""
    return _rank(node), repr(node)


def _rank(node: Node) -> int:
    if isinstance(node, (Transpose, Power)):
        return _rank(node.children[0])
    if isinstance(node, Sum):
        return 4 if any(is_scalar(n) or isinstance(n, Ones) for n in _walk(node)) else 1
    if isinstance(node, Apply):
        derived = issubclass(node.function, Defined) and any(node.function.orders)
        return 6 if derived else 5
    return 0 if isinstance(node, (Product, LevelSum)) else 2 if isinstance(node, Leaf) else 3


def sum_key(node: Node) -> tuple:
    """Terms of a sum: those without minus first; of either kind products, the others, gradients, those with ones, scalars."""
    parts = list(_walk(node))
    leaves = sum(isinstance(n, Leaf) for n in parts)
    return (isinstance(node, Negative), is_scalar(node), any(isinstance(n, Ones) for n in parts),
            not any(isinstance(n, (Product, LevelSum)) for n in parts), any(isinstance(n, Leaf) and n.gradient for n in parts),
            -leaves, cost(node), repr(node))


def _walk(node: Node):
    yield node
    for child in node.children:
        yield from _walk(child)
