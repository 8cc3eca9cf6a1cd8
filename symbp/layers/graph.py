"""Where branches meet: the sum of several layers' outputs (a residual connection), and their concatenation."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import sympy as sp
from pydantic import Field

from symbp.draft import Draft, Signal, known
from symbp.language import Index
from symbp.layers.base import Layer, layer
from symbp.settings import Identifier, NetworkError

Inputs = Annotated[list[Identifier], Field(min_length=2, max_length=100)]


@layer
class Add(Layer):
    """y = a + b + …: the sum of the outputs of earlier layers, which have one shape.

    inputs: the layers' names; `input` is the network's input.

    >>> draft = Draft()
    >>> x = draft.output("input", draft.signal("x", [draft.index(2)], role="input"))
    >>> h = draft.output("hidden", draft.signal("h", x.axes, role="input"))
    >>> _ = Add(type="add", inputs=["hidden", "input"]).build(draft, h)
    >>> print(draft.program())
    r[n, i] += h[n, i]
    r[n, i] += x[n, i]
    """

    type: Literal["add"] = "add"
    inputs: Inputs

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write one contribution for each input."""
        terms = [draft.named(name) for name in self.inputs]
        wrong = next((k for k, term in enumerate(terms) if term.shape != terms[0].shape), None)
        if wrong is not None:
            raise NetworkError(f"the outputs that are added must have one shape, but {self.inputs[0]} has {terms[0].shape} "
                               f"and {self.inputs[wrong]} has {terms[wrong].shape}")
        return total(draft, terms)


def total(draft: Draft, terms: Sequence[Signal]) -> Signal:
    """The sum of signals of one shape."""
    y = draft.signal("r", terms[0].axes)
    for term in terms:
        draft.write(y.element, term.at(*terms[0].axes), label="add")
    return known(y, False)


@layer
class Concatenate(Layer):
    """The outputs of earlier layers behind each other along one axis of the features.

    inputs: the layers' names; `input` is the network's input.  axis: which axis, counted from 0 behind the samples.

    >>> draft = Draft()
    >>> a = draft.output("a", draft.signal("a", [draft.index(2)], role="input"))
    >>> b = draft.output("b", draft.signal("b", [draft.index(3)], role="input"))
    >>> _ = Concatenate(inputs=["a", "b"]).build(draft, b)
    >>> print(draft.program())
    c[n, m] += a[n, m]
    c[n, q + 2] += b[n, q]
    """

    type: Literal["concatenate"] = "concatenate"
    inputs: Inputs
    axis: Annotated[int, Field(ge=0, le=7)] = 0

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write one equation for each input."""
        parts = [draft.named(name) for name in self.inputs]
        for name, part in zip(self.inputs, parts, strict=True):
            self._check(name, part, parts[0])
        whole = sp.Add(*(part.axes[self.axis].extent for part in parts))
        axes = [*parts[0].axes[:self.axis], draft.index(whole), *parts[0].axes[self.axis + 1:]]
        y, offset = draft.signal("c", axes), sp.S.Zero
        for part in parts:
            own = draft.index(part.axes[self.axis].extent, part=True)
            at: list[sp.Expr | Index] = [*axes]
            at[self.axis] = own + offset
            draft.write(y.at(*at), part.at(*axes[:self.axis], own, *axes[self.axis + 1:]), label=self.type)
            offset += own.extent
        return known(y, all(bool(part.probabilities) for part in parts))

    def _check(self, name: str, part: Signal, first: Signal) -> None:
        if self.axis >= len(part.axes):
            raise NetworkError(f"axis = {self.axis}, but the output of {name} has the shape {part.shape}; its axes are "
                               f"0 to {len(part.axes) - 1}")
        others = [[str(i.extent) for k, i in enumerate(s.axes) if k != self.axis] for s in (part, first)]
        if others[0] != others[1]:
            raise NetworkError(f"the outputs that are concatenated along axis {self.axis} must agree in all other axes, but "
                               f"{self.inputs[0]} has {first.shape} and {name} has {part.shape}")
