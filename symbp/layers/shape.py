"""Layers that calculate nothing: the same numbers in another shape."""
from __future__ import annotations

import math
from typing import Annotated, Literal

import sympy as sp
from pydantic import Field

from symbp.draft import Draft, Signal, known
from symbp.language import Index
from symbp.layers.base import Layer, layer
from symbp.settings import Count, NetworkError


@layer
class Flatten(Layer):
    """All axes of the features as one, the last running fastest.

    >>> draft = Draft()
    >>> x = draft.signal("x", [draft.index(3), draft.index(4)], role="input")
    >>> _ = Flatten().build(draft, x)
    >>> print(draft.program())
    r[n, 4*i + j] += x[n, i, j]
    """

    type: Literal["flatten"] = "flatten"

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write y[n, W·i + j] = x[n,i,j]."""
        sizes = _numbers(self.type, x)
        return _reshaped(draft, x, [math.prod(sizes)], self.type) if len(sizes) != 1 else x


@layer
class Reshape(Layer):
    """The features in another shape, the last axis running fastest in both.

    shape: the new extents, without the samples.

    >>> draft = Draft()
    >>> x = draft.signal("x", [draft.index(12)], role="input")
    >>> _ = Reshape(shape=[3, 4]).build(draft, x)
    >>> print(draft.program())
    r[n, j, k] += x[n, 4*j + k]
    """

    type: Literal["reshape"] = "reshape"
    shape: Annotated[list[Count], Field(min_length=1, max_length=8)]

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write y[n,i,j] = x[n, W·i + j]; from several axes to several by way of one."""
        sizes = _numbers(self.type, x)
        if math.prod(sizes) != math.prod(self.shape):
            raise NetworkError(f"the input's shape {x.shape} has {_product(sizes)} elements, but shape = {self.shape} has "
                               f"{_product(self.shape)}")
        flat = x if len(sizes) == 1 or len(self.shape) == 1 else _reshaped(draft, x, [math.prod(sizes)], self.type)
        return _reshaped(draft, flat, self.shape, self.type)


@layer
class Permute(Layer):
    """The axes of the features in another order.

    order: which axis of the input comes first, second, …, counted from 0 behind the samples.

    >>> draft = Draft()
    >>> x = draft.signal("x", [draft.index(3), draft.index(4)], role="input")
    >>> _ = Permute(order=[1, 0]).build(draft, x)
    >>> print(draft.program())
    r[n, j, i] += x[n, i, j]
    """

    type: Literal["permute"] = "permute"
    order: Annotated[list[Annotated[int, Field(ge=0, le=7)]], Field(min_length=1, max_length=8)]

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write y[n,j,i] = x[n,i,j]."""
        if sorted(self.order) != list(range(len(x.axes))):
            raise NetworkError(f"order = {self.order} must name each axis of the input's shape {x.shape} once, 0 to {len(x.axes) - 1}")
        y = draft.signal("r", [x.axes[k] for k in self.order])
        draft.write(y.element, x.element, label=self.type)
        return known(y, bool(x.probabilities))


def _reshaped(draft: Draft, x: Signal, shape: list[int], label: str) -> Signal:
    """The numbers in another shape, where one of the two has a single axis."""
    axes = [draft.index(extent) for extent in shape]
    y = draft.signal("r", axes)
    if len(shape) == 1:
        draft.write(y.at(_place(x.axes)), x.element, label=label)
    else:
        draft.write(y.element, x.at(_place(axes)), label=label)
    return known(y, bool(x.probabilities))


def _place(axes: list[Index] | tuple[Index, ...]) -> sp.Expr:
    """The position of an element when all axes are one: (i·H + j)·W + k."""
    place: sp.Expr = sp.S.Zero
    for axis in axes:
        place = place * axis.extent + axis
    return sp.expand(place)


def _numbers(kind: str, x: Signal) -> list[int]:
    if not all(i.extent.is_Integer for i in x.axes):
        raise NetworkError(f"the extents of a {kind} layer's input must be numbers, but it has the shape {x.shape}")
    return [int(i.extent) for i in x.axes]


def _product(sizes: list[int]) -> str:
    return "·".join(map(str, sizes)) + (f" = {math.prod(sizes)}" if len(sizes) > 1 else "")
