"""Sums of products: what does not depend on the bound indices is pulled out, the rest is contracted pair by pair.

Stage: body and bound indices → array expression over the indices of the result.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import prod

import sympy as sp

from symbp.arrays.contract import classify
from symbp.arrays.elementwise import Elementwise, join, split_factors
from symbp.arrays.memory import MANY, better, in_order
from symbp.arrays.nodes import (
    WHOLE,
    At,
    Axes,
    Fold,
    Matmul,
    New,
    Node,
    Reshape,
    Subscript,
    as_float,
    extent,
    is_view,
    joint,
    permute,
    reshape,
    subscript,
)
from symbp.language.index import Index
from symbp.language.tensor import accesses

LONG = 8
"""How many times as long as the result has columns a sum is for which the factors trade places."""
Mask = Callable[[Node], Node]


class Sums:
    """Sums bodies over indices; `out` is the order of the result's axes, `all_axes` that of the whole equation."""

    def __init__(self, elementwise: Elementwise, out: Axes, over: tuple[Index, ...]) -> None:
        self.value, self.out, self.over = elementwise, out, over

    def __call__(self, body: sp.Expr) -> Node:
        """Σ_over body."""
        if not self.over:
            return self.value(body)
        addends = sp.Add.make_args(body)
        if len(addends) > 1 and any(self.contracts(a) for a in addends):
            return self._added(sorted(addends, key=lambda a: a.could_extract_minus_sign()))
        return self.product(sp.Mul.make_args(body))

    def _added(self, addends: list[sp.Expr]) -> Node:
        """The sums of the addends, each contracted, added up."""
        node = self.product(sp.Mul.make_args(addends[0]))
        for addend in addends[1:]:
            negative = addend.could_extract_minus_sign()
            part = self.product(sp.Mul.make_args(-addend if negative else addend))
            node = join("subtract" if negative else "add", node, part, settled(node, self.out))
        return node

    def contracts(self, addend: sp.Expr) -> bool:
        """Whether an addend is a product in which no factor has all the indices: a contraction saves work there."""
        factors = [f for f in sp.Mul.make_args(addend) if f.free_symbols & set(self.over)]
        full = {i for f in factors for i in _indices(f)}
        return len(factors) > 1 and not any(_indices(f) == full for f in factors)

    def product(self, factors: tuple[sp.Expr, ...]) -> Node:
        """Σ_over of a product."""
        bound = set(self.over)
        inside = [f for f in factors if _indices(f) & bound]
        outside = [f for f in factors if not _indices(f) & bound]
        numbers, above, below = split_factors(inside, self.value.fixed)
        node = self._contracted(self._grouped(above, below))
        idle = sp.Mul(*(i.extent for i in self.over if not any(i in _indices(f) for f in inside)))
        return self.value.product([*outside, numbers * idle], start=node)

    def _grouped(self, above: list[sp.Expr], below: list[sp.Expr]) -> list[Node]:
        """The operands of the contraction: factors of equal indices are multiplied, and joined to one with more indices."""
        groups: dict[frozenset[Index], tuple[list[sp.Expr], list[sp.Expr]]] = {}
        for side, factors in ((0, above), (1, below)):
            for factor in factors:
                groups.setdefault(frozenset(_indices(factor)), ([], []))[side].append(factor)
        while len(groups) > 2 and (small := _contained(groups)) is not None:
            part, larger = small
            for side, factors in enumerate(groups.pop(part)):
                groups[larger][side].extend(factors)
        return [self._operand(*group) for group in groups.values()]

    def _operand(self, above: list[sp.Expr], below: list[sp.Expr]) -> Node:
        return self.value.within(in_memory(self.value.axes, [*above, *below])).product([*above, *(1 / b for b in below)])

    def _contracted(self, operands: list[Node]) -> Node | None:
        """The operands multiplied and summed, two by two; a bound index is summed as soon as no other operand has it."""
        if not operands:
            return None
        while len(operands) > 2:
            first, second = _cheapest(operands, self.over)
            rest = [o for o in operands if o is not first and o is not second]
            needed = {a for o in rest for a in o.axes} | set(self.out)
            kept = tuple(a for a in self.value.axes if a in needed and (a in first.axes or a in second.axes))
            operands = [self.pair(first, second, kept), *rest]
        if len(operands) == 2:
            return self.pair(*operands, tuple(a for a in self.out if a in operands[0].axes or a in operands[1].axes))
        return self.folded(operands[0], tuple(a for a in self.out if a in operands[0].axes))

    def folded(self, node: Node, out: Axes) -> Node:
        """The sum over all axes that are not in the result."""
        over = tuple(k for k, a in enumerate(node.axes) if a not in out)
        kept = tuple(a for a in node.axes if a in out)
        return Fold(kept, "float", "sum", as_float(node), over) if over else node

    def pair(self, left: Node, right: Node, out: Axes) -> Node:
        """Σ left·right as the call that the classifier names."""
        left, right = (self.folded(a, tuple(x for x in a.axes if x in out or x in b.axes)) for a, b in ((left, right), (right, left)))
        units = tuple(a for a in out if a in left.axes and a in right.axes and a.extent == 1)
        plain_left, plain_right = without(left, units), without(right, units)
        found = classify(plain_left.axes, plain_right.axes, tuple(a for a in out if a not in units))
        if found.call != "matmul":
            return self.folded(join("multiply", left, right, self._order(left, right, out)), out)
        if found.swapped:
            plain_left, plain_right = plain_right, plain_left
        orders = [tuple(a for a in node.axes if a in found.summed) for node in (left, right)]
        summed = min(orders, key=lambda order: _copied(plain_left, found.rows, order) + _copied(plain_right, order, found.columns))
        return matmul(plain_left, plain_right, found.stack, found.rows, summed, found.columns)

    def _order(self, left: Node, right: Node, out: Axes) -> Axes:
        """The order of the axes of an elementwise product: that of its operands where the rest after summing is in order, too."""
        same = left.axes == right.axes and tuple(a for a in left.axes if a in out) == tuple(a for a in out if a in left.axes)
        return left.axes if same else self.value.axes


def settled(node: Node, axes: Axes) -> Axes:
    """The order in which something is added to a node: the order of a product that has all axes, which trade places afterwards."""
    return node.axes if isinstance(node, Reshape | Matmul) and set(node.axes) == set(axes) and not is_view(node) else axes


def in_memory(axes: Axes, factors: list[sp.Expr]) -> Axes:
    """The axes in the order in which most tensors have them that have all indices of the factors, so that few are transposed.

    >>> from symbp.language.tensor import Access
    >>> n, j = Index("n", 4), Index("j", 3)
    >>> in_memory((j, n), [Access("c", n, j)**2])
    (n, j)
    """
    wanted = {i for f in factors for i in _indices(f)}
    found = Counter(a.indices for f in factors for a in accesses(f) if {*a.indices} == wanted and len(a.indices) == len(wanted))
    order = max(found, key=found.__getitem__, default=())
    return (*order, *(a for a in axes if a not in order)) if len(order) > 1 else axes


def _indices(expression: sp.Expr) -> set[Index]:
    return expression.atoms(Index)


def _contained(groups: dict) -> tuple[frozenset, frozenset] | None:
    """A group whose indices all stand in another, with the smallest such other."""
    for part in sorted(groups, key=len):
        larger = [g for g in groups if part < g]
        if larger:
            return part, min(larger, key=len)
    return None


def _cheapest(operands: list[Node], over: tuple[Index, ...]) -> tuple[Node, Node]:
    """The pair that shares the most bound indices, and has the fewest axes together."""
    pairs = [(a, b) for k, a in enumerate(operands) for b in operands[k + 1:]]
    return min(pairs, key=lambda p: (-len({*p[0].axes} & {*p[1].axes} & {*over}), len({*p[0].axes, *p[1].axes})))


def without(node: Node, units: Axes) -> Node:
    """The node without these axes, which have the extent 1."""
    keys = tuple(At(sp.S.Zero) if a in units else WHOLE for a in node.axes)
    return subscript(node, keys, tuple(a for a in node.axes if a not in units))


def matmul(left: Node, right: Node, stack: Axes, rows: Axes, summed: Axes, columns: Axes) -> Node:
    """The matrix product with several labels of a role merged into one axis, and divided again in the result.

    A long sum of few rows and many columns, such as the gradient of a convolution's kernel, is made the other way round and transposed:
    BLAS takes less time where the first factor has more rows.
    """
    final = (*stack, *rows, *columns)
    if len(summed) > 1 and len(columns) > 1 and _size(columns) >= 2 * _size(rows) > 2 and _size(summed) >= LONG * _size(columns):
        product = _product(right, left, stack, columns, summed, rows)
        product = permute(product, (*range(len(stack)), len(stack) + 1, len(stack)))
    else:
        product = _product(left, right, stack, rows, summed, columns)
    return reshape(product, final, tuple(a.extent for a in final)) if len(rows) > 1 or len(columns) > 1 else product


def _product(left: Node, right: Node, stack: Axes, rows: Axes, summed: Axes, columns: Axes) -> Node:
    """The matrix product, with one axis for each role."""
    first = _matrix(left, stack, rows, summed)
    second = _matrix(right, stack, summed, columns)
    if stack and not rows:
        first = _with_unit(first, len(stack))
    if stack and not columns:
        second = _with_unit(second, len(stack) + 1)
    axes = (*stack, *_merged(rows), *_merged(columns))
    if rows and columns or not stack and (not rows or not columns):
        return Matmul(axes, "float", first, second)
    full = (*stack, *(_merged(rows) or (None,)), *(_merged(columns) or (None,)))
    return without(Matmul(full, "float", first, second), (None,))


def _size(axes: Axes) -> int:
    """How many elements axes have together; a symbolic extent counts as many."""
    return prod(int(e) if (e := extent(a)).is_Integer else MANY for a in axes)


def _copied(node: Node, first: Axes, second: Axes) -> int:
    """How many elements of an operand are copied when its roles are merged, each into one axis."""
    if all(len(role) < 2 or in_order(node, role) for role in (first, second)):
        return 0
    return _size(node.axes)


def _merged(labels: Axes) -> Axes:
    """One label for a role, or none."""
    return (joint(labels),) if labels else ()


def _matrix(node: Node, stack: Axes, first: Axes, second: Axes) -> Node:
    """The operand with its axes in the order of the roles, each role merged into one axis.

    Where a role has several axes, the merged array is a copy unless the axes lie in this order; it is made with the roles in the
    better order and transposed, which costs nothing.
    """
    if len(first) < 2 and len(second) < 2:
        return permute(node, tuple(node.axes.index(a) for a in (*stack, *first, *second)))
    turned = first and second and better(node, (*stack, *second, *first), (*stack, *first, *second))
    roles = (second, first) if turned else (first, second)
    node = permute(node, tuple(node.axes.index(a) for a in (*stack, *roles[0], *roles[1])))
    axes = (*stack, *_merged(roles[0]), *_merged(roles[1]))
    node = reshape(node, axes, tuple(a.extent for a in axes))
    return permute(node, (*range(len(stack)), len(stack) + 1, len(stack))) if turned else node


def _with_unit(node: Node, place: int) -> Node:
    """The node with a further axis of extent 1."""
    keys = (*(WHOLE for _ in node.axes[:place]), New(), *(WHOLE for _ in node.axes[place:]))
    return Subscript((*node.axes[:place], None, *node.axes[place:]), node.dtype, node, keys)
