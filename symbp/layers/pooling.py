"""Pooling: the maximum or the mean of each window, and the mean of each channel."""
from __future__ import annotations

from typing import Literal

import sympy as sp

from symbp.draft import Draft, Signal, known
from symbp.language import Index
from symbp.layers.base import Layer, layer
from symbp.layers.windows import Lengths, Padding, Windows, positions, windows
from symbp.settings import NetworkError


class Pool(Layer):
    """What kinds of pooling have in common: windows over all axes of the features but the first, which are the channels.

    kernel, stride: one number, or one for each axis; the stride is the kernel if it is not given.  padding: as for a convolution.
    """

    kernel: Lengths
    stride: Lengths | None = None
    padding: Padding = 0

    def windows(self, x: Signal) -> tuple[Windows, ...]:
        """The windows along each axis."""
        found = windows(_sizes(self.type, x), self.kernel, self.kernel if self.stride is None else self.stride, self.padding)
        wrong = next((w for w in found if max(w.before, w.after) >= w.kernel), None)
        if wrong is not None:
            raise NetworkError(f"a padding of {max(wrong.before, wrong.after)} leaves windows of {wrong.kernel} with nothing in them; "
                               f"it must be smaller than the kernel")
        return found


@layer
class MaxPool(Pool):
    """The maximum of each window; padding never wins.  Which of several equal maxima counts is a convention (`ties`).

    >>> draft = Draft()
    >>> x = draft.signal("x", [draft.index(3, "c"), draft.index(4, "h")], role="input")
    >>> _ = MaxPool(kernel=2).build(draft, x)
    >>> print(draft.program())
    m[n, c, i] = max(u, x[n, c, 2*i + u])
    """

    type: Literal["max_pool"] = "max_pool"

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write y[n,c,i,j] = max x[n,c,s·i+u−p,s·j+v−p]."""
        along = self.windows(x)
        numbers, taps = positions(draft, along)
        y = draft.signal("m", (x.axes[0], *numbers))
        source, guards = _read(x, along, numbers, taps)
        draft.write(y.element, source, over=taps, label=self.type, op="max", domain=guards)
        return known(y, bool(x.probabilities))


@layer
class AveragePool(Pool):
    """The mean of each window.  count_include_pad: whether padding counts as zeros, or not at all.

    >>> draft = Draft()
    >>> x = draft.signal("x", [draft.index(3, "c"), draft.index(4, "h")], role="input")
    >>> _ = AveragePool(kernel=2).build(draft, x)
    >>> print(draft.program())
    m[n, c, i] += sum(u, x[n, c, 2*i + u]/2)
    """

    type: Literal["average_pool"] = "average_pool"
    count_include_pad: bool = True

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write y[n,c,i,j] = Σ x[n,c,s·i+u−p,s·j+v−p] / k²."""
        along = self.windows(x)
        numbers, taps = positions(draft, along)
        source, guards = _read(x, along, numbers, taps)
        count: sp.Expr = sp.Mul(*(w.kernel for w in along))
        if guards and not self.count_include_pad:
            held = draft.fresh("count", [w.count for w in along], auxiliary=True)
            count = held[numbers]
            draft.write(held[numbers], sp.S.One, over=taps, label=self.type, domain=guards)
        y = draft.signal("m", (x.axes[0], *numbers))
        draft.write(y.element, source / count, over=taps, label=self.type, domain=guards)
        return known(y, False)


@layer
class GlobalAveragePool(Layer):
    """The mean of each channel: [channels, height, width] → [channels] (Lin, Chen and Yan 2013, arXiv 1312.4400, section 3.2)."""

    type: Literal["global_average_pool"] = "global_average_pool"

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write y[n,c] = Σ x[n,c,i,j] / (H W)."""
        rest = x.axes[1:]
        if not rest:
            raise NetworkError(f"a {self.type} layer takes a channel axis and others, but its input has the shape {x.shape}")
        y = draft.signal("m", x.axes[:1])
        draft.write(y.element, x.element / sp.Mul(*(i.extent for i in rest)), over=rest, label=self.type)
        return known(y, bool(x.probabilities))


def _sizes(kind: str, x: Signal) -> list[int]:
    if len(x.axes) not in (2, 3) or not all(i.extent.is_Integer for i in x.axes):
        raise NetworkError(f"a {kind} layer takes an input of the shape [channels, length] or [channels, height, width], "
                           f"but it has the shape {x.shape}")
    return [int(i.extent) for i in x.axes[1:]]


def _read(x: Signal, along: tuple[Windows, ...], numbers: tuple[Index, ...], taps: tuple[Index, ...]
          ) -> tuple[sp.Expr, tuple[sp.Expr, ...]]:
    """The element at a tap of a window, and the conditions that keep it inside."""
    each = list(zip(along, numbers, taps, strict=True))
    return x.at(x.axes[0], *(w.at(i, u) for w, i, u in each)), tuple(g for w, i, u in each for g in w.guards(i, u))
