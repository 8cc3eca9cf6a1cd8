"""Dropout: in training some activations are set to zero at random, and the others made larger by as much.

Srivastava et al. 2014, Journal of Machine Learning Research 15, section 4; here "inverted", so that inference changes nothing.
"""
from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from symbp.draft import Draft, Signal, known
from symbp.layers.base import Layer, layer
from symbp.settings import exact


@layer
class Dropout(Layer):
    """h = x m / (1 − q) in training, where an element of the mask m is 0 with the probability q, and 1 otherwise; h = x in inference.

    rate: q.  The mask has the shape of the input and is drawn anew in each training step; m² = m is a fact that derivations may use.

    >>> draft = Draft()
    >>> _ = Dropout(rate=0.5).build(draft, draft.signal("x", [draft.index(2)], role="input"))
    >>> print(draft.program())
    h0[n, i] += 2*m0[n, i]*x[n, i]
    """

    type: Literal["dropout"] = "dropout"
    rate: Annotated[float, Field(ge=0, lt=1)] = 0.5
    two_modes: ClassVar[bool] = True

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write h = x m / (1 − q)."""
        if draft.mode == "inference" or self.rate == 0:
            return x
        level, rate = draft.current(), exact(self.rate)
        m = draft.bernoulli(f"m{level}", x.axes, rate, symbol="m", level=level)
        h = draft.signal(f"h{level}", x.axes, symbol="h", level=level)
        draft.write(h.element, x.element * m.element / (1 - rate), label=self.type)
        return known(h, False)
