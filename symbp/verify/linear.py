"""Derivatives of arrays by arrays as linear maps: chained whatever the layout, and shown as a matrix where books do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from symbp.verify.shapes import Unfit, Value, matrix


@dataclass(frozen=True)
class Linear:
    """∂of/∂by with the axes of `of` and then those of `by`; of, by: what they are, to be recognised in a chain."""

    array: np.ndarray
    of: object
    by: object
    of_rank: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "array", np.asarray(self.array))

    @property
    def by_rank(self) -> int:
        """The number of axes of what the derivative is taken by."""
        return self.array.ndim - self.of_rank

    def chained(self, other: Linear) -> Linear | None:
        """The product of ∂a/∂b and ∂b/∂c, in either order of writing; None where they do not meet."""
        for first, second in ((self, other), (other, self)):
            if first.by == second.of:
                axes = second.of_rank
                array = (
                    np.tensordot(first.array, second.array, axes=axes)
                    if first.array.dtype != object
                    else _contracted(first.array, second.array, axes)
                )
                return Linear(array, first.of, second.by, first.of_rank)
        return None

    @property
    def diagonal(self) -> np.ndarray | None:
        """The derivative of each element by its own, where all others are zero."""
        shape = self.array.shape[: self.of_rank]
        if not shape or shape != self.array.shape[self.of_rank :]:
            return None
        square = self.array.reshape(int(np.prod(shape)), -1)
        off = square[~np.eye(len(square), dtype=bool)]
        return (
            None
            if any(x != 0 for x in off)
            else np.array([square[k, k] for k in range(len(square))], dtype=self.array.dtype).reshape(shape)
        )

    @property
    def by_unit(self) -> np.ndarray | None:
        """v where ∂of[i]/∂by[k, j] is v[j] for k = i and 0 for others: each unit by its own weights."""
        if self.of_rank != 1 or self.by_rank != 2:
            return None
        units = self.array.shape[0]
        for array in (self.array, np.swapaxes(self.array, 1, 2)):
            if array.shape[1] == units and all(array[i, k, j] == (array[0, 0, j] if i == k else 0) for i, k, j in np.ndindex(array.shape)):
                return array[0, 0]
        return None

    def value(self, rows: bool = False, transposed: bool = False) -> Value:
        """The derivative as a matrix: a number's in the shape of what it is by, a vector's by a vector with a row for each element."""
        if self.of_rank == 0:
            made = matrix(self.array, rows)
            return made.turned if transposed and self.by_rank == 2 else made
        if self.by_rank == 0:
            return matrix(self.array, rows)
        if self.of_rank == self.by_rank == 1:
            made = Value(self.array)
            return made.turned if transposed else made
        if (diagonal := self.diagonal) is not None:
            return matrix(diagonal, rows)
        raise Unfit(f"a derivative with {self.array.ndim} axes stands without its indices")

    def forms(self, rows: bool = False, transposed: bool = False, fixed: bool = False) -> Iterator[tuple[Value, str]]:
        """The ways in which books write it, and under which convention; fixed: the layout is that of the other side."""
        try:
            made = self.value(rows, transposed)
            yield made, ""
            if not made.is_vector and not made.is_number and not fixed and not transposed:
                yield made.turned, "the derivative is laid out transposed"
        except Unfit:
            pass
        if self.of_rank == 1 and (diagonal := self.diagonal) is not None:
            yield matrix(diagonal, rows), "the derivative of each element by its own is meant; all others are zero"
        if (unit := self.by_unit) is not None:
            yield matrix(unit, rows), "the derivative of each unit by its own weights is meant"


def _contracted(a: np.ndarray, b: np.ndarray, axes: int) -> np.ndarray:
    """`np.tensordot` for objects, with exact zeros left out."""
    if not axes:
        return np.multiply.outer(a, b)
    left, right = a.reshape(-1, int(np.prod(b.shape[:axes]))), b.reshape(int(np.prod(b.shape[:axes])), -1)
    made = np.empty((left.shape[0], right.shape[1]), dtype=object)
    for i, j in np.ndindex(made.shape):
        terms = [x * y for x, y in zip(left[i], right[:, j]) if x != 0 and y != 0]
        made[i, j] = sum(terms[1:], terms[0]) if terms else left[i, 0] * 0
    return made.reshape(a.shape[: a.ndim - axes] + b.shape[axes:])
