"""Which axes of a tensor are rows and columns of a matrix, and which one counts layers or time steps.

A tensor with a level axis is one matrix for each layer, `W^{(l)}`; in a recurrence over time, one for each step, `h_{t + 1}`.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import sympy as sp

from symbp.errors import SymbpError
from symbp.language.index import Index
from symbp.language.program import Program
from symbp.language.tensor import Access, Tensor, accesses
from symbp.language.wellformed import row_axes
from symbp.matrix.nodes import Leaf


class NoForm(SymbpError):
    """An expression has no matrix form; the message says what is in the way."""


@dataclass(frozen=True)
class View:
    """A reading of a program's tensors as matrices: `counted` names those whose first axis counts, `counters` what counts them."""

    program: Program
    counted: frozenset[str]
    counters: frozenset[Index]

    def leaf(self, access: Access) -> tuple[Leaf, tuple[Index, ...]]:
        """The matrix that an access is an element of, and the indices of its rows and columns.

        Raises `NoForm` for a third axis, and where an index runs over part of an axis only.
        """
        tensor = self.program.tensor(access.name)
        counted = bool(access.indices) and (access.name in self.counted or bool(access.indices[0].atoms(Index) & self.counters))
        axes = access.indices[counted:]
        if len(axes) > 2 or not all(self._is_whole(i, *of) for i, *of in [*_axes(tensor, access)][counted:]):
            raise NoForm(f"{access} is no element of a matrix")
        return Leaf(access.name, access.indices[0] if counted else None, len(axes), tensor.role == "constant",
                    tensor.cotangent_of is not None), axes

    def _is_whole(self, position: sp.Expr, extent: sp.Expr, origin: sp.Expr) -> bool:
        """Whether a position is an index that runs over its whole axis."""
        return isinstance(position, Index) and position not in self.counters and position.start == origin and \
            sp.expand(position.extent - extent) == 0


def _axes(tensor: Tensor, access: Access) -> Iterator[tuple[sp.Expr, sp.Expr, sp.Expr]]:
    """Position, extent and origin of each axis."""
    return zip(access.indices, tensor.extents(access), tensor.origin)


def views(target: Access, right: sp.Expr, program: Program) -> Iterator[View]:
    """The readings to try: recurrences row by row first, then only layers counted."""
    found = (target, *accesses(right))
    rows = {name for name, axis in row_axes(program) if axis == 0}
    levels = {a.name for a in found if program.tensor(a.name).level_axis}
    steps = {a.name for a in found if a.name in rows} - levels
    fixed = {a.name for a in found if steps and a.indices and not isinstance(a.indices[0], Index)}
    for counted in dict.fromkeys((frozenset(steps | fixed | levels), frozenset(levels))):
        yield View(program, counted, _counters(found, counted))


def _counters(found: Iterable[Access], counted: frozenset[str]) -> frozenset[Index]:
    return frozenset(i for a in found if a.name in counted and a.indices for i in a.indices[0].atoms(Index))
