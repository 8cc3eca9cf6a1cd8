"""Which call a sum of products of two arrays is: a pure classifier over the labels of their axes.

After the classifier of opt_einsum's `blas.py` in manner: labels in, the name of the call and the roles of the labels out.
Axes of extent 1 are dropped before (they would make a convolution of one group a stack of one product, which is slower).
"""
from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

Label = Hashable


@dataclass(frozen=True)
class Contraction:
    """How Σ left·right is computed.

    call: "multiply" (nothing is summed), "sum" (multiply, then sum: no axis is free on one side alone), or "matmul".
    stack: labels on both sides that stay.  rows: left's own.  summed: on both sides and not in the result.  columns: right's own.
    swapped: the operands trade places, so that the result comes out in the wanted order.
    """

    call: str
    stack: tuple[Label, ...] = ()
    rows: tuple[Label, ...] = ()
    summed: tuple[Label, ...] = ()
    columns: tuple[Label, ...] = ()
    swapped: bool = False


def classify(left: Sequence[Label], right: Sequence[Label], out: Sequence[Label]) -> Contraction:
    """The call for Σ left·right over the labels that are not in `out`.

    A matrix product, a matrix by a vector, the stack of products, and the operands swapped for the result's order:

    >>> classify("ni", "ij", "nj")
    Contraction(call='matmul', stack=(), rows=('n',), summed=('i',), columns=('j',), swapped=False)
    >>> classify("ji", "i", "j")
    Contraction(call='matmul', stack=(), rows=('j',), summed=('i',), columns=(), swapped=False)
    >>> classify("bij", "bjk", "bik").stack
    ('b',)
    >>> classify("ji", "ni", "nj").swapped
    True

    Several labels of a role become one axis, as in a convolution of patches; the last label of the result is one of the columns,
    so that the result is written, and copied where its axes trade places, along long stretches:

    >>> classify("ncijuv", "fcuv", "nijf").summed
    ('c', 'u', 'v')
    >>> classify("ncijuv", "fcuv", "nfij").columns
    ('n', 'i', 'j')

    An outer product, and a scalar product of equal labels:

    >>> classify("i", "j", "ij").call, classify("nk", "nk", "").call, classify("nk", "nk", "n").call
    ('multiply', 'sum', 'sum')
    """
    summed = tuple(a for a in left if a in right and a not in out)
    if not summed:
        return Contraction("multiply")
    stack = tuple(a for a in out if a in left and a in right)
    rows = tuple(a for a in out if a in left and a not in right)
    columns = tuple(a for a in out if a in right and a not in left)
    if not rows and not columns:
        return Contraction("sum", stack, summed=summed)
    if not rows or (columns and out[-1] in rows):
        return Contraction("matmul", stack, columns, summed, rows, swapped=True)
    return Contraction("matmul", stack, rows, summed, columns)
