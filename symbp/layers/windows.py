"""Windows over the axes of an image or a signal: how many there are, where they stand, and what their padding guards.

A window with the number i, of a stride s, a dilation d and a padding p in front, reads the positions s·i + d·u − p for its taps u.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import sympy as sp
from pydantic import Field

from symbp.draft import Draft
from symbp.language import Index
from symbp.settings import Count, NetworkError, quoted

Whole = Annotated[int, Field(ge=0, le=1_000_000)]
Lengths = Count | Annotated[list[Count], Field(min_length=1, max_length=2)]
"""One length for all axes, or one for each."""
Pairs = Annotated[list[Annotated[list[Whole], Field(min_length=2, max_length=2)]], Field(min_length=1, max_length=2)]
Padding = Whole | Literal["same"] | Annotated[list[Whole], Field(min_length=1, max_length=2)] | Pairs
"""One number for all sides, one for each axis, [before, after] for each axis, or "same"."""

TAPS = ("uv", "rs")
"""The letters of the taps; the second pair where something else has the first."""


@dataclass(frozen=True)
class Windows:
    """The windows along one axis: how long the axis is, and what the layer says of it.

    >>> Windows(5, kernel=3, stride=2, before=1, after=1).count
    3
    """

    size: int
    kernel: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1

    @property
    def reach(self) -> int:
        """How many positions a window spans."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def count(self) -> int:
        """How many windows there are."""
        return (self.size + self.before + self.after - self.reach) // self.stride + 1

    def at(self, i: Index, u: Index) -> sp.Expr:
        """The position that the tap u of window i reads."""
        return self.stride * i + self.dilation * u - self.before

    def guards(self, i: Index, u: Index) -> tuple[sp.Expr, ...]:
        """The conditions, each ≥ 0, that keep that position on the axis, where padding makes any necessary."""
        position = self.at(i, u)
        beyond = self.stride * (self.count - 1) + self.reach - 1 - self.before >= self.size
        return (*((position,) if self.before else ()), *((sp.expand(self.size - 1 - position),) if beyond else ()))

    @property
    def arithmetic(self) -> str:
        """The number of windows as it is calculated.

        >>> Windows(5, kernel=7).arithmetic, Windows(6, kernel=3, stride=4, before=1, dilation=4).arithmetic
        ('(5 + 2·0 − 7)/1 + 1 = −1', '⌊(6 + 1 + 0 − 9)/4⌋ + 1 = 0')
        """
        pads = f"2·{self.before}" if self.before == self.after else f"{self.before} + {self.after}"
        text = f"({self.size} + {pads} − {self.reach})/{self.stride}"
        whole = (self.size + self.before + self.after - self.reach) % self.stride == 0
        return f"{text if whole else '⌊' + text + '⌋'} + 1 = {self.count}".replace("-", "−")


def each(value: Lengths, axes: int, key: str) -> tuple[int, ...]:
    """One length for each axis."""
    found = [value] * axes if isinstance(value, int) else value
    if len(found) != axes:
        raise NetworkError(f"{key} = {quoted(value)} has {len(found)} entries, but there {_axes(axes)}")
    return tuple(found)


def windows(sizes: Sequence[int], kernel: Lengths, stride: Lengths, padding: Padding, dilation: Lengths = 1) -> tuple[Windows, ...]:
    """The windows along each axis, as a layer's keys say.  Raises `NetworkError` where one is longer than the padded axis."""
    axes = len(sizes)
    lengths = [each(v, axes, k) for v, k in ((kernel, "kernel"), (stride, "stride"), (dilation, "dilation"))]
    bare = [Windows(size, k, s, dilation=d) for size, k, s, d in zip(sizes, *lengths, strict=True)]
    found = tuple(Windows(w.size, w.kernel, w.stride, *pads, w.dilation) for w, pads in zip(bare, margins(bare, padding), strict=True))
    wrong = next((w for w in found if w.count < 1), None)
    if wrong is not None:
        dilated = f" with dilation {wrong.dilation}, which spans {wrong.reach}," if wrong.dilation > 1 else ""
        raise NetworkError(f"{wrong.arithmetic}: a kernel of {wrong.kernel}{dilated} does not fit into an axis of {wrong.size} "
                           f"with {wrong.before} + {wrong.after} of padding")
    return found


def margins(bare: Sequence[Windows], padding: Padding) -> list[tuple[int, int]]:
    """The padding (before, after) of each axis.  "same" gives as many windows as the axis has strides, more of it behind.

    >>> margins([Windows(5, kernel=4), Windows(5, kernel=3, stride=2)], "same")
    [(1, 2), (1, 1)]
    """
    if padding == "same":
        totals = [max((-(-w.size // w.stride) - 1) * w.stride + w.reach - w.size, 0) for w in bare]
        return [(t // 2, t - t // 2) for t in totals]
    found = [padding] * len(bare) if isinstance(padding, int) else padding
    if len(found) != len(bare):
        raise NetworkError(f"padding = {quoted(padding)} has {len(found)} entries, but there {_axes(len(bare))}")
    return [(p, p) if isinstance(p, int) else (p[0], p[1]) for p in found]


def positions(draft: Draft, along: Sequence[Windows]) -> tuple[tuple[Index, ...], tuple[Index, ...]]:
    """Indices for the numbers of the windows, and for their taps."""
    taps = next((letters for letters in TAPS if not set(letters) & draft.avoid), TAPS[-1])
    numbers = tuple(draft.index(w.count, letter, numbered=True) for w, letter in zip(along, "ij", strict=False))
    return numbers, tuple(draft.index(w.kernel, letter, numbered=True) for w, letter in zip(along, taps, strict=False))


def _axes(axes: int) -> str:
    return "is one axis" if axes == 1 else f"are {axes} axes"
