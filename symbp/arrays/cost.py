"""Operation counts of array statements: two for each multiply-and-add of a product, one for each element of anything else."""
from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from symbp.arrays.nodes import Apply, Assign, Fold, For, Matmul, Node, Scatter, Statement, Store, extent, nodes


def operations(statements: Iterable[Statement]) -> sp.Expr:
    """The floating-point operations of statements, as an expression in the sizes.

    >>> from symbp.arrays import lower
    >>> from symbp.formula import formula_program
    >>> operations(lower(formula_program("sum(i, w[i]*x[i])", None)[0]))
    2*n_i
    """
    return sp.expand(sp.Add(*(_statement(s) for s in statements)))


def _statement(statement: Statement) -> sp.Expr:
    if isinstance(statement, For):
        return statement.extent * sp.Add(*map(_statement, statement.body))
    found = sp.Add(*(_node(n) for n in nodes(statement.value))) if isinstance(statement, Assign | Store | Scatter) else sp.S.Zero
    adds = isinstance(statement, Store | Scatter) and statement.op == "+="
    return found + (_size(statement.value) if adds else 0)


def _size(node: Node) -> sp.Expr:
    return sp.Mul(*map(extent, node.axes))


def _node(node: Node) -> sp.Expr:
    if isinstance(node, Matmul):
        return 2 * _size(node) * extent(node.left.axes[-1])
    if isinstance(node, Fold):
        return _size(node.source)
    return _size(node) if isinstance(node, Apply) and node.op not in ("copy", "float") else sp.S.Zero
