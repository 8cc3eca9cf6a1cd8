"""Matrix arithmetic as books mean it, over values that may also carry index letters: every letter is one axis in front.

A vector is a column, or a row where the text writes rows; a bias is added to every sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from symbp.errors import SymbpError


class Unfit(SymbpError):
    """Shapes do not fit."""


@dataclass(frozen=True)
class Value:
    """An array with one axis for each letter and then rows and columns; a number is 1×1.

    >>> Value(np.ones((4, 1, 1)), ("j",)).shape
    (1, 1)
    """

    array: np.ndarray
    letters: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.array.shape[-2:]

    @property
    def is_number(self) -> bool:
        """Whether there is one row and one column."""
        return self.shape == (1, 1)

    @property
    def is_vector(self) -> bool:
        """Whether there is one row or one column, and more of the other."""
        return 1 in self.shape and not self.is_number

    @property
    def turned(self) -> Value:
        """The transpose."""
        return Value(np.swapaxes(self.array, -1, -2), self.letters)

    def map(self, function: Callable[[np.ndarray], np.ndarray]) -> Value:
        """A function of the array, element by element."""
        return Value(function(self.array), self.letters)

    def over(self, letter: str) -> np.ndarray:
        """The array with the axis of a letter in front."""
        return np.moveaxis(self.array, self.letters.index(letter), 0)

    def without(self, letter: str, array: np.ndarray) -> Value:
        """A value in which the letter's axis is gone."""
        return Value(array, tuple(k for k in self.letters if k != letter))


def number(value: object, dtype: object) -> Value:
    """A number as a value."""
    made = np.empty((1, 1), dtype=dtype)
    made[0, 0] = value
    return Value(made)


def matrix(array: np.ndarray, rows: bool = False) -> Value:
    """A number as 1×1, a vector as a column (a row for `rows`); more than two axes have no matrix.

    >>> matrix(np.array([1., 2.])).shape
    (2, 1)
    """
    if array.ndim > 2:
        raise Unfit(f"an array with {array.ndim} axes stands without its indices")
    if array.ndim == 1:
        return Value(array[None, :] if rows else array[:, None])
    return Value(array.reshape(array.shape + (1,) * (2 - array.ndim)))


def aligned(*values: Value) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """All letters of some values, and their arrays with an axis for each."""
    letters = tuple(sorted({k for v in values for k in v.letters}))
    made = []
    for v in values:
        order = [v.letters.index(k) for k in letters if k in v.letters]
        array = np.transpose(v.array, (*order, v.array.ndim - 2, v.array.ndim - 1))
        shape = tuple(array.shape[sum(x in v.letters for x in letters[:k])] if c in v.letters else 1 for k, c in enumerate(letters))
        made.append(array.reshape(shape + v.shape))
    return letters, made


def product(a: Value, b: Value, elementwise: bool = False) -> Value:
    """The matrix product; a number scales, and two columns of one length have their inner product.

    elementwise: two of one shape are multiplied element by element instead.
    """
    letters, (x, y) = aligned(a, b)
    if a.is_number or b.is_number:
        return Value(x * y, letters)
    if a.shape == b.shape and (elementwise and a.is_vector or elementwise and a.shape[0] != a.shape[1]):
        return Value(x * y, letters)
    if a.shape[1] == b.shape[0]:
        return Value(_matmul(x, y), letters)
    if a.shape == b.shape and a.shape[1] == 1:
        return Value(_matmul(np.swapaxes(x, -1, -2), y), letters)
    if a.shape == b.shape and a.shape[0] == 1:
        return Value(_matmul(x, np.swapaxes(y, -1, -2)), letters)
    columns, rows = (f"{n} {what}{'s' * (n != 1)}" for n, what in ((a.shape[1], "column"), (b.shape[0], "row")))
    meet = "meets" if a.shape[1] == 1 else "meet"
    raise Unfit(f"a product of {_said(a)} by {_said(b)}: {columns} {meet} {rows}")


def _matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if x.dtype != object and y.dtype != object:
        return x @ y
    return (x[..., :, :, None] * y[..., None, :, :]).sum(axis=-2)


def plus(a: Value, b: Value) -> Value:
    """The sum; a number or a bias is added to every row or column."""
    letters, x, y = _fitted(a, b, "a sum of")
    return Value(x + y, letters)


def times(a: Value, b: Value) -> Value:
    """The product element by element."""
    letters, x, y = _fitted(a, b, "an elementwise product of")
    return Value(x * y, letters)


def outer(a: Value, b: Value) -> Value:
    """The outer product of two vectors; else the product element by element."""
    if a.is_vector and b.is_vector and not (a.shape[1] == b.shape[0] == 1 and a.shape[0] > 1 and b.shape[1] > 1):
        column, row = a if a.shape[1] == 1 else a.turned, b if b.shape[0] == 1 else b.turned
        return product(column, row)
    if a.is_vector and b.is_vector:
        return product(a, b)
    return times(a, b)


def divided(a: Value, b: Value) -> Value:
    """The quotient by a number, or element by element."""
    letters, x, y = _fitted(a, b, "a quotient of")
    return Value(x / y, letters)


def _fitted(a: Value, b: Value, what: str) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """The two in shapes that go together: equal ones, a vector turned, or one of them spread over rows or columns."""
    if a.shape != b.shape and not (a.is_number or b.is_number):
        a, b = _turned(a, b) or _spread(a, b, what)
    letters, (x, y) = aligned(a, b)
    return letters, x, y


def _turned(a: Value, b: Value) -> tuple[Value, Value] | None:
    if 1 in a.shape and a.shape == b.shape[::-1]:
        return (a, b.turned) if a.shape[1] == 1 else (a.turned, b)
    return None


def _spread(a: Value, b: Value, what: str) -> tuple[Value, Value]:
    for small, large in ((a, b), (b, a)):
        if 1 in small.shape and 1 not in large.shape:
            for vector in (small, small.turned):
                if all(k in (1, n) for k, n in zip(vector.shape, large.shape)):
                    return (vector, large) if small is a else (large, vector)
    raise Unfit(f"{what} {_said(a)} and {_said(b)}")


def _said(value: Value) -> str:
    return f"{value.shape[0]}×{value.shape[1]}"


def stacked(rows: list[list[Value]]) -> Value:
    """Numbers or blocks put together as a matrix."""
    letters, arrays = aligned(*(v for row in rows for v in row))
    width, lead = len(rows[0]), np.broadcast_shapes(*(x.shape[:-2] for x in arrays))
    arrays = [np.broadcast_to(x, lead + x.shape[-2:]) for x in arrays]
    try:
        return Value(
            np.concatenate([np.concatenate(arrays[k * width : (k + 1) * width], axis=-1) for k in range(len(rows))], axis=-2), letters
        )
    except ValueError:
        raise Unfit("the blocks of a matrix do not fit: " + ", ".join(_said(v) for row in rows for v in row)) from None
