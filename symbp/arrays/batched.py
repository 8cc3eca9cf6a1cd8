"""Whether a matrix product is better made one sample at a time: a stack of products instead of one with the samples merged into an axis.

Stage: roles of the axes → roles of the axes.  A convolution's patches (n, c·u·v, i·j) are a matrix for each image: the products come out
as (n, f, i·j), in the order of the result, where one product over all images would need its operands and its result transposed.
Each product works on a matrix that stays in the cache.
"""
from __future__ import annotations

from dataclasses import replace
from math import prod

from symbp.arrays.contract import Contraction
from symbp.arrays.memory import MANY, is_adjacent, ranks
from symbp.arrays.nodes import Axes, Node, extent


def stacked(found: Contraction, left: Node, right: Node, out: Axes) -> Contraction:
    """The contraction with its leading axis in the stack, where that copies less and leaves a matrix product of some size.

    A leading axis that is summed leads a stack of partial sums, which are added up afterwards; it is not in `out`.

    >>> from symbp.arrays.contract import classify
    >>> from symbp.arrays.nodes import Name
    >>> from symbp.language.index import Index
    >>> n, f, i, j, c = (Index(name, size) for name, size in zip("nfijc", (64, 8, 10, 10, 4)))
    >>> K, x, y = Name((f, c), "float", "K"), Name((n, c, i, j), "float", "x"), Name((n, f, i, j), "float", "y")
    >>> stacked(classify(K.axes, x.axes, y.axes), K, x, y.axes).stack
    (n,)
    >>> stacked(classify(y.axes, x.axes, K.axes), y, x, K.axes).summed
    (i, j)
    """
    for role in ("columns", "rows", "summed"):
        labels: Axes = getattr(found, role)
        holders = [node for node, roles in ((left, ("rows", "summed")), (right, ("summed", "columns"))) if role in roles]
        first = next((a for a in labels if all(ranks(node)[node.axes.index(a)] == 0 for node in holders)), None)
        rest = tuple(a for a in labels if a != first)
        others = [_size(getattr(found, r)) for r in ("rows", "summed", "columns") if r != role]
        if first is None or not rest or _size(rest) < min(others):
            continue
        changed = replace(found, stack=(first, *found.stack), **{role: rest})
        if _copied(changed, left, right, out) < _copied(found, left, right, out):
            return changed
    return found


def _copied(found: Contraction, left: Node, right: Node, out: Axes) -> int:
    """How many elements are copied to merge the operands' axes, and to bring the result into its order."""
    final = tuple(a for a in (*found.stack, *found.rows, *found.columns) if a in out)
    sides = (left, (found.rows, found.summed)), (right, (found.summed, found.columns))
    return sum(_size(node.axes) for node, roles in sides if not all(is_adjacent(node, r) for r in roles)) + \
        (0 if final == tuple(a for a in out if a in final) else _size(final))


def _size(axes: Axes) -> int:
    return prod(int(e) if (e := extent(a)).is_Integer else MANY for a in axes)
