"""The dense layer, z = W x + b; with `repeat`, L of them as a recurrence over layers of widths n(l)."""
from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import sympy as sp
from pydantic import Field

from symbp.draft import Draft, Signal, known
from symbp.language import AXIS0, Index, Loop, Tensor, size
from symbp.language.equation import Equation
from symbp.layers.activations import Elementwise, activate, function
from symbp.layers.base import Layer, layer
from symbp.notation import tex
from symbp.settings import CAPITAL, Count, NetworkError

WIDTH = sp.Function("n")
"""The width n(l) of layer l, where the depth is symbolic."""


@layer
class Dense(Layer):
    """A dense layer.

    units: how many outputs.  bias: whether b is added.  activation: what follows, if no layer of its own says so.
    init: how the weights start.  per_position: whether the layer acts on the last axis, at each position of the axes before it.
    repeat: the letter for the number of layers, which makes the depth symbolic.

    >>> draft = Draft()
    >>> _ = Dense(units=2).build(draft, draft.signal("x", [draft.index(3)], role="input"))
    >>> print(draft.program())
    z1[n, j] += sum(i, W1[j, i]*x[n, i])
    z1[n, j] += b1[j]
    """

    widths: ClassVar[tuple[str, ...]] = ("units",)

    type: Literal["dense"] = "dense"
    units: Count | None = None
    bias: bool = True
    activation: Literal[Elementwise, "softmax"] = "identity"
    init: Literal["auto", "he", "xavier", "normal", "zeros"] = "auto"
    per_position: bool = False
    repeat: Annotated[str, Field(pattern=CAPITAL)] | None = None

    def model_post_init(self, _context: object) -> None:
        """Refuse a layer without widths, or with two kinds of them."""
        if self.repeat is None and self.units is None:
            raise NetworkError('the key "units" is missing (how many outputs the layer has)')
        if self.repeat is not None and (self.units is not None or self.activation == "softmax"):
            raise NetworkError("with `repeat` the widths are n(1) … n(L) and the activation is one of each element; "
                               "remove `units`, and write softmax as a layer of its own")

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write z = W x + b and the activation."""
        if self.repeat is not None:
            return self._recurrence(draft, x)
        if len(x.axes) != 1 and not self.per_position:
            whole = sp.Mul(*(i.extent for i in x.axes))
            raise NetworkError(f"a dense layer takes one axis of features, but its input has the shape {x.shape}; "
                               f'write a layer with type = "flatten" before it, the input as shape = [{whole}], or per_position = true '
                               "for a layer that acts on the last axis")
        level, (*positions, i), j = draft.number(), x.axes, draft.index(self.units)
        axes = (j, i) if draft.conventions.storage == "out_in" else (i, j)
        W = draft.parameter(draft.notation.weights, [k.extent for k in axes], self.name, level)
        b = draft.parameter(draft.notation.bias, [j.extent], self.name, level) if self.bias else None
        z = _preactivation(draft, (*positions, j), level)
        draft.write(z.element, W[axes] * x.element, over=(i,), label="dense")
        if b is not None:
            draft.write(z.element, b[j], label="dense")
        return activate(draft, z, self.activation)

    def _recurrence(self, draft: Draft, x: Signal) -> Signal:
        """Layers l = 1 … L as a loop: a[0] = x, z[l] = W[l] a[l−1] + b[l], a[l] = σ(z[l])."""
        if len(x.axes) != 1 or x.axes[0].extent != WIDTH(0) or draft.statements:
            raise NetworkError("a layer with `repeat` stands first and has an input of width n(0); leave the table [input] out")
        depth = size(draft.claim(self.repeat, "the number of layers"))
        row = Index("l", depth, start=1)
        j, i, last = (draft.index(WIDTH(at)) for at in (row, row - 1, depth))
        z, a = (_rows(draft, letter, start, depth) for letter, start in (("preactivation", 1), ("activation", 0)))
        draft.level = None
        n = draft.batch
        draft.write(a[(0, *n, *x.axes)], x.element, label="input")
        body = self._affine(draft, z[(row, *n, j)], a[(row - 1, *n, i)], (row, j, i))
        value = function(self.activation, draft.conventions)(z[(row, *n, j)])
        body.append(Equation(a[(row, *n, j)], value, label=self.activation))
        draft.statements.append(Loop(row, "ascending", tuple(body)))
        return Signal(a, (last,), n, (depth,), self.activation == "sigmoid")

    def _affine(self, draft: Draft, z: sp.Expr, below: sp.Expr, indices: tuple[Index, Index, Index]) -> list[Equation]:
        """z[l] = W[l] a[l−1] + b[l] of one step of the recurrence."""
        row, j, i = indices
        widths = {j: WIDTH(AXIS0), i: WIDTH(AXIS0 - 1)}
        axes = (j, i) if draft.conventions.storage == "out_in" else (i, j)
        shape = [row.extent, *(widths[k] for k in axes)]
        W = draft.parameter(draft.notation.weights, shape, self.name, "", level_axis=True, origin=(1, 0, 0))
        equations = [Equation(z, W[(row, *axes)] * below, over=(i,), label="dense")]
        if self.bias:
            b = draft.parameter(draft.notation.bias, [row.extent, widths[j]], self.name, "", level_axis=True, origin=(1, 0))
            equations.append(Equation(z, b[row, j], label="dense"))
        return equations


def _preactivation(draft: Draft, axes: tuple[Index, ...], level: str) -> Signal:
    letter = draft.notation.preactivation
    z = draft.signal(letter + level, axes, symbol=tex(letter), level=level, cotangent=tex(draft.notation.cotangent))
    return known(z, False)


def _rows(draft: Draft, role: str, start: int, depth: sp.Symbol) -> Tensor:
    """The pre-activations or activations of all layers, one row for each."""
    letter = getattr(draft.notation, role)
    batch = [i.extent for i in draft.batch]
    shape = [depth + 1 - start, *batch, WIDTH(AXIS0)]
    cotangent = tex(draft.notation.cotangent) if role == "preactivation" else ""
    return draft.fresh(letter, shape, origin=(start, *(0 for _ in shape[1:])), level_axis=True, cotangent=cotangent)
