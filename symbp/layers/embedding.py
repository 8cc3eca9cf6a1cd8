"""Embeddings of whole numbers, and what tells positions apart."""
from __future__ import annotations

from typing import ClassVar, Literal

import sympy as sp

from symbp.draft import Draft, Signal, known
from symbp.layers.base import Layer, layer
from symbp.settings import Count, NetworkError

BASE = 10_000
"""The longest wavelength of the sinusoidal terms is 2π times this."""


@layer
class Embedding(Layer):
    """y = E[x]: a row of the table E for each whole number of the input (`[input] tokens = …`).

    units: the width of a row.  init: how the table starts.

    >>> draft = Draft()
    >>> x = draft.whole_numbers("x", [draft.index(3)], 5)
    >>> _ = Embedding(units=2).build(draft, x)
    >>> print(draft.program())
    z1[n, i, j] += E1[x[n, i], j]
    """

    type: Literal["embedding"] = "embedding"
    widths: ClassVar[tuple[str, ...]] = ("units",)

    units: Count
    init: Literal["normal", "he", "xavier", "zeros"] = "normal"
    reads: ClassVar[str] = "int"

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write y = E[x]."""
        if x.tokens is None:
            raise NetworkError("an embedding takes whole numbers; say how many there are, as in [input] shape = [64], tokens = 96")
        level, j = draft.number(), draft.index(self.units)
        E = draft.parameter("E", [x.tokens, j.extent], self.name, level)
        y = draft.signal(f"z{level}", (*x.axes, j), symbol="z", level=level)
        draft.write(y.element, E[x.element, j], label=self.type)
        return known(y, False)


@layer
class Positional(Layer):
    """y[t, d] = x[t, d] + P[t, d] for an input [T, D]: a table of terms that tells positions apart.

    terms: "learned", a parameter; or "sinusoidal": P[t, 2k] = sin(t/10000^(2k/D)) and P[t, 2k+1] = cos(t/10000^(2k/D))
    (Vaswani et al. 2017, arXiv 1706.03762, section 3.5).  init: how a learned table starts.
    """

    type: Literal["positional"] = "positional"
    terms: Literal["learned", "sinusoidal"] = "learned"
    init: Literal["normal", "he", "xavier", "zeros"] = "normal"

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write the table, if it is sinusoidal, and the sum."""
        if len(x.axes) != 2:
            raise NetworkError(f"positional terms are added to an input [positions, width], but it has the shape {x.shape}")
        level, (t, d) = draft.number(), x.axes
        shape = [t.extent, d.extent]
        if self.terms == "learned":
            P = draft.parameter("P", shape, self.name, level)
        else:
            P = draft.fresh(f"P{level}", shape, symbol="P", level=level)
            for offset, function in ((0, sp.sin), (1, sp.cos)):
                if (count := (int(d.extent) + 1 - offset) // 2):
                    k = draft.index(count)
                    draft.write(P[t, 2 * k + offset], function(t * sp.Integer(BASE)**(-2 * k / d.extent)), label=self.type)
        y = draft.signal(f"z{level}", x.axes, symbol="z", level=level)
        draft.write(y.element, x.element, label=self.type)
        draft.write(y.element, P[t, d], label=self.type)
        return known(y, False)
