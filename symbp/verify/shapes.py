"""Matrix arithmetic as books mean it: a vector is a column, or a row where only that fits; a bias is added to every sample."""
from __future__ import annotations

import numpy as np

from symbp.errors import SymbpError


class Unfit(SymbpError):
    """Shapes do not fit."""


def matrix(array: np.ndarray) -> np.ndarray:
    """A number as 1×1, a vector as a column; more than two axes have no matrix.

    >>> matrix(np.array([1., 2.])).shape
    (2, 1)
    """
    if array.ndim > 2:
        raise Unfit(f"an array with {array.ndim} axes stands without its indices")
    return np.asarray(array, dtype=np.result_type(array, float)).reshape(array.shape + (1,) * (2 - array.ndim))


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The matrix product; a number scales, and two columns of one length have their inner product."""
    if a.size == 1 or b.size == 1:
        return a * b
    if a.shape[1] == b.shape[0]:
        return a @ b
    if a.shape[1] == b.shape[1] == 1 and a.shape == b.shape:
        return a.T @ b
    raise Unfit(f"a product of {a.shape[0]}×{a.shape[1]} by {b.shape[0]}×{b.shape[1]}: {a.shape[1]} columns meet {b.shape[0]} rows")


def plus(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The sum; a number or a bias is added to every row or column."""
    fitted = _fitted(a, b)
    if fitted is None:
        raise Unfit(f"a sum of {a.shape[0]}×{a.shape[1]} and {b.shape[0]}×{b.shape[1]}")
    return fitted[0] + fitted[1]


def times(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The product element by element."""
    fitted = _fitted(a, b)
    if fitted is None:
        raise Unfit(f"an elementwise product of {a.shape[0]}×{a.shape[1]} and {b.shape[0]}×{b.shape[1]}")
    return fitted[0] * fitted[1]


def divided(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The quotient by a number, or element by element."""
    fitted = _fitted(a, b)
    if fitted is None or a.size == 1 < b.size and a.item() != 1:
        raise Unfit(f"a quotient of {a.shape[0]}×{a.shape[1]} and {b.shape[0]}×{b.shape[1]}")
    return fitted[0] / fitted[1]


def _fitted(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The two in shapes that go together: equal ones, a vector turned, or one of them spread over rows or columns."""
    if a.shape == b.shape or 1 in (a.size, b.size):
        return a, b
    for left, right in ((a, b), (a, b.T), (a.T, b)):
        if left.shape == right.shape and 1 in left.shape:
            return left, right
    for small, large in ((a, b), (b, a)):
        if 1 in small.shape and 1 not in large.shape:
            for turned in (small, small.T):
                if turned.shape[0] in (1, large.shape[0]) and turned.shape[1] in (1, large.shape[1]):
                    return (turned, large) if small is a else (large, turned)
    return None
