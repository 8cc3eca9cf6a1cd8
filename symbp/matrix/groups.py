"""Factors by the indices that they run over, and the elimination of one summed index.

A group holds the numerators and denominators over one set of indices; merged, they are one column or matrix.
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp

from symbp.language.index import Index
from symbp.matrix.nodes import (
    Diag,
    Hadamard,
    Negative,
    Node,
    Norm,
    Number,
    Ones,
    Power,
    Quotient,
    Scale,
    Trace,
    Transpose,
    cost,
    product,
    shortest,
    transpose,
)
from symbp.matrix.order import factor_key
from symbp.matrix.view import NoForm

TWO = Number(sp.Integer(2))


@dataclass(frozen=True)
class Form:
    """A matrix expression and its indices: none for a scalar, one for a column, two for rows and columns."""

    node: Node
    axes: tuple[Index, ...]

    def diagonal(self) -> Form:
        """A matrix whose two indices are the same, as the column of its diagonal."""
        if len(self.axes) == 2 and self.axes[0] == self.axes[1]:
            return Form(Diag(self.node), self.axes[:1])
        return self


Group = tuple[tuple[Form, ...], tuple[Form, ...]]
Groups = dict[frozenset[Index], Group]


def joined(groups: Groups, form: Form, below: bool = False) -> Groups:
    """The groups with one more factor, above or below the fraction line."""
    key = frozenset(form.axes)
    above, under = groups.get(key, ((), ()))
    return {**groups, key: (above, (*under, form)) if below else ((*above, form), under)}


def split_scalars(form: Form) -> tuple[int, list[Form]]:
    """The sign of a factor, and its scalars apart from its matrix."""
    node, sign, parts = form.node, 1, []
    while isinstance(node, (Negative, Scale)):
        if isinstance(node, Negative):
            sign = -sign
        else:
            parts.append(Form(node.scalar, ()))
        node = node.body
    return sign, [*parts, Form(node, form.axes)]


def oriented(form: Form, axes: tuple[Index, ...]) -> Node:
    """The expression with rows and columns in the order of `axes`."""
    return form.node if form.axes == axes else transpose(form.node)


def merged(group: Group, axes: tuple[Index, ...]) -> Node:
    """A group as one matrix: the Hadamard product of the numerators over that of the denominators."""
    above, below = ([oriented(f, axes) for f in side] for side in group)
    return quotient(hadamard(above), below)


def hadamard(factors: list[Node]) -> Node:
    """An elementwise product in the order of textbooks; 1 for none."""
    flat = [f for factor in factors for f in (factor.factors if isinstance(factor, Hadamard) else (factor,))]
    if len(flat) < 2:
        return flat[0] if flat else Number(sp.S.One)
    return Hadamard(tuple(sorted(flat, key=factor_key)))


def quotient(above: Node, below: list[Node]) -> Node:
    """An elementwise quotient; the numerator itself where nothing stands below."""
    return Quotient(above, hadamard(below)) if below else above


def outer(left: Node, right: Node) -> Node:
    """The product of a column with a transposed column."""
    return product(left, transpose(right))


def eliminate(groups: Groups, index: Index) -> Groups:
    """Sum over one index: a product, a weighted product, sums of rows, or an inner product.

    Raises `NoForm` where three matrices share the index.
    """
    rest = {axes: group for axes, group in groups.items() if index not in axes}
    weight = groups.get(frozenset({index}))
    matrices = [axes for axes in groups if index in axes and len(axes) == 2]
    if len(matrices) > 2:
        raise NoForm(f"{len(matrices)} matrices share a summed index")
    if not matrices:
        return joined(rest, Form(inner(weight, index), ()))
    others = [next(iter(axes - {index})) for axes in matrices]
    left = merged(groups[matrices[0]], (others[0], index))
    if len(matrices) == 1:
        column = merged(weight, (index,)) if weight else Ones()
        return joined(rest, Form(product(left, column), (others[0],)))
    between = [Diag(merged(weight, (index,)))] if weight else []
    right = merged(groups[matrices[1]], (index, others[1]))
    return joined(rest, Form(product(left, *between, right), (others[0], others[1])))


def inner(group: Group, index: Index) -> Node:
    """Σ of a column's elements: a norm, a trace, an inner product, or a product with ones."""
    above, below = ([oriented(f, (index,)) for f in side] for side in group)
    if len(above) > 1:
        above.sort(key=factor_key)
        pairs = [(u, quotient(hadamard([*above[:k], *above[k + 1:]]), below)) for k, u in enumerate(above)]
        return shortest(*(c for u, v in pairs for c in (outer_inner(u, v), outer_inner(v, u))))
    single = quotient(hadamard(above), below)
    if isinstance(single, Power) and single.exponent == TWO:
        return Norm(single.base)
    if isinstance(single, Diag):
        return Trace(single.body)
    return shortest(outer_inner(Ones(), single), outer_inner(single, Ones()))


def outer_inner(left: Node, right: Node) -> Node:
    """The product of a transposed column with a column."""
    return product(transpose(left), right)


def self_contained(groups: Groups, bound: Iterable[Index]) -> tuple[Groups, list[Index]]:
    """Sum the matrices whose both indices are summed and stand nowhere else: ‖A‖² and tr(AᵀB).

    Returns the groups with these as scalars, and the indices that are left to eliminate.
    """
    left = [i for i in bound if any(i in axes for axes in groups)]
    for axes, (above, below) in list(groups.items()):
        shared = any(axes & other for other in groups if other != axes)
        if len(axes) != 2 or not axes <= set(left) or shared or below:
            continue
        node = _frobenius(above)
        if node is not None:
            groups = joined({a: g for a, g in groups.items() if a != axes}, Form(node, ()))
            left = [i for i in left if i not in axes]
    return groups, left


def _frobenius(above: tuple[Form, ...]) -> Node | None:
    if len(above) == 1:
        node = above[0].node
        return Norm(node.base) if isinstance(node, Power) and node.exponent == TWO else None
    nodes = sorted((oriented(f, above[0].axes) for f in above), key=factor_key)
    first, rest = nodes[0], hadamard(nodes[1:])
    return Trace(shortest(product(transpose(first), rest), product(first, transpose(rest))))


def grouped(groups: Groups) -> Form:
    """What is left when all sums are done, scalars apart: a column, a matrix, an outer product, or rows scaled."""
    keys = [axes for axes in groups if axes]
    free = sorted({i for axes in keys for i in axes}, key=lambda i: i.name)
    if len(free) > 2:
        raise NoForm(f"{len(free)} indices are free")
    if len(free) < 2:
        return Form(merged(groups[keys[0]], tuple(free)), tuple(free)) if free else Form(Number(sp.S.One), ())
    forms = [Form(_matrix(groups, axes), axes) for axes in (tuple(free), tuple(free[::-1]))]
    return min(forms, key=lambda f: cost(f.node))


def _matrix(groups: Groups, axes: tuple[Index, Index]) -> Node:
    """The matrix over two free indices from a matrix and columns over either."""
    body, rows, columns = (groups.get(frozenset(a)) for a in (axes, axes[:1], axes[1:]))
    if body is None:
        return outer(merged(rows, axes[:1]), merged(columns, axes[1:]))
    matrix = merged(body, axes)
    if rows and columns:
        return hadamard([matrix, outer(merged(rows, axes[:1]), merged(columns, axes[1:]))])
    if rows:
        return _rows_scaled(matrix, rows, axes[:1])
    return transpose(_rows_scaled(transpose(matrix), columns, axes[1:])) if columns else matrix


def _rows_scaled(matrix: Node, group: Group, axes: tuple[Index, ...]) -> Node:
    """diag(u) A; a mere denominator divides instead, A ⊘ (u 1ᵀ)."""
    if not group[0]:
        return Quotient(matrix, product(hadamard([oriented(f, axes) for f in group[1]]), Transpose(Ones())))
    return product(Diag(merged(group, axes)), matrix)

