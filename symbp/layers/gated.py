"""Gated recurrent layers: LSTM and GRU; the gates' pre-activations are the rows of one tensor, so that one product makes them all."""
from __future__ import annotations

from typing import Literal

import sympy as sp

from symbp.language import Index, Tensor
from symbp.language.functions import sigmoid, tanh
from symbp.language.tensor import Access
from symbp.layers.base import layer
from symbp.layers.recurrent import Cell, Recurrent


@layer
class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997) with the forget gate of Gers, Schmidhuber and Cummins 2000.

        z[t] = W x[t] + U h[t] + b             four gates: q = 0 input, 1 forget, 2 output, 3 candidate
        i, f, o = σ(z),  g = tanh(z)
        c[t+1] = f c[t] + i g,  h[t+1] = o tanh(c[t+1])
    """

    type: Literal["lstm"] = "lstm"

    def step(self, cell: Cell) -> Access:
        """The gates, the memory c and the state h."""
        (old, new), (before, after) = cell.state("h"), cell.state("c")
        z = cell.preactivation(cell.draft.notation.preactivation, old, cell.draft.index(4, "q"))
        i, f, o = (cell.element(letter, sigmoid(_gate(cell, z, k))) for k, letter in enumerate("ifo"))
        g = cell.element("g", tanh(_gate(cell, z, 3)))
        cell.write(after, f * before + i * g)
        cell.write(new, o * cell.element("s", tanh(after)))
        return new


@layer
class GRU(Recurrent):
    """The gated recurrent unit (Cho et al. 2014, arXiv 1406.1078), as PyTorch and cuDNN calculate it: the reset gate after the product.

        v[t] = U h[t] + d,  z[t] = W x[t] + b                    three gates: q = 0 reset, 1 update, 2 candidate
        r = σ(z + v),  u = σ(z + v),  g = tanh(z + r v)
        h[t+1] = (1 − u) g + u h[t]

    reset: "after" the product with U, as above, or "before" it, as in the paper, without the second bias d: g = tanh(z + U (r h)).
    """

    type: Literal["gru"] = "gru"
    reset: Literal["after", "before"] = "after"

    def step(self, cell: Cell) -> Access:
        """The gates and the state h."""
        old, new = cell.state("h")
        gates = cell.draft.index(3, "q")
        z = cell.preactivation(cell.draft.notation.preactivation, None, gates)
        r, u, candidate = (self._after if self.reset == "after" else self._before)(cell, z, gates, old)
        g = cell.element("g", tanh(_gate(cell, z, 2) + candidate))
        cell.write(new, (1 - u) * g + u * old)
        return new

    def _after(self, cell: Cell, z: Tensor, gates: Index, old: Access) -> tuple[sp.Expr, ...]:
        """Both gates, and r v of the candidate, where v = U h + d."""
        v = cell.preactivation("v", old, gates, inputs=False)
        r, u = self._gates(cell, z, v)
        return r, u, r * _gate(cell, v, 2)

    def _before(self, cell: Cell, z: Tensor, gates: Index, old: Access) -> tuple[sp.Expr, ...]:
        """Both gates, and U (r h) of the candidate."""
        U, both = cell.parameter("U", gates, cell.units, cell.before).name, cell.draft.index(2, "q", part=True)
        v = cell.product("v", lambda *at: Access(U, *at), old, both)
        r, u = self._gates(cell, z, v)
        return r, u, cell.product("w", lambda *at: Access(U, 2, *at), cell.element("s", r * old))[(cell.t, *cell.x.batch, cell.units)]

    def _gates(self, cell: Cell, z: Tensor, v: Tensor) -> tuple[Access, Access]:
        """Reset and update."""
        return tuple(cell.element(letter, sigmoid(_gate(cell, z, k) + _gate(cell, v, k))) for k, letter in enumerate("ru"))


def _gate(cell: Cell, z: Tensor, gate: int) -> Access:
    """One gate's element of a tensor that has an axis for the gates."""
    return z[(cell.t, *cell.x.batch, gate, cell.units)]
