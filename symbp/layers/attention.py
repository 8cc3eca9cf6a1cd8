"""Multi-head self-attention and the transformer block (Vaswani et al. 2017, arXiv 1706.03762)."""
from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import sympy as sp
from pydantic import Field

from symbp.draft import Draft, Signal, known
from symbp.language import Index
from symbp.layers.activations import Elementwise, softmax
from symbp.layers.base import Layer, layer
from symbp.layers.dense import Dense
from symbp.layers.graph import total
from symbp.layers.normalisation import LayerNorm, RMSNorm
from symbp.settings import Count, NetworkError


@layer
class SelfAttention(Layer):
    """Scaled dot-product attention of an input [T, D] to itself, in h heads of the width d = D/h.

        Q = W_q x + b_q,  K = W_k x + b_k,  V = W_v x + b_v     for each head and each position
        P[i, j] = softmax_j(Σ_r Q[i, r] K[j, r]/√d)             over j ≤ i where causal
        y[i] = W_o (Σ_j P[i, j] V[j]) + b_o

    heads: h.  causal: whether a position sees itself and earlier ones only.  bias: whether the four b are there.
    Raises `NetworkError` where the heads do not divide the width.
    """

    type: Literal["multi_head_self_attention"] = "multi_head_self_attention"
    heads: Count
    causal: bool = False
    bias: bool = True
    init: Literal["auto", "he", "xavier", "normal", "zeros"] = "auto"

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write the projections, the weights of attention, and the output."""
        width = self._width(x)
        level, (i, m) = draft.number(), x.axes
        h, r, j = draft.index(self.heads), draft.index(width), draft.index(i.extent)
        Q, K, V = (self._projected(draft, x, (h, r), letter, level) for letter in "qkv")
        seen = (i - j,) if self.causal else ()
        s = draft.signal(f"s{level}", (h, i, j), symbol="s", level=level)
        draft.write(s.element, Q.at(i, h, r) * K.at(j, h, r) / sp.sqrt(width), (r,), "attention", domain=seen)
        p = softmax(draft, s, domain=seen)
        o = draft.signal(f"o{level}", (i, h, r), symbol="o", level=level)
        draft.write(o.element, p.element * V.at(j, h, r), (j,), "attention", domain=seen)
        return self._output(draft, o, m, level)

    def _width(self, x: Signal) -> int:
        """The width of a head."""
        if len(x.axes) != 2:
            raise NetworkError(f"self-attention takes an input [positions, width], but it has the shape {x.shape}")
        width = int(x.axes[1].extent)
        if width % self.heads:
            raise NetworkError(f"{self.heads} heads do not divide the width {width}: {width}/{self.heads} = {width / self.heads:.4g}; "
                               f"the input has the shape {x.shape}")
        return width // self.heads

    def _projected(self, draft: Draft, x: Signal, head: tuple[Index, Index], letter: str, level: str) -> Signal:
        """Queries, keys or values, (T, h, d)."""
        t, m = x.axes
        W = draft.parameter(f"W_{letter}", [i.extent for i in (*head, m)], self.name, level)
        made = draft.signal(f"{letter.upper()}{level}", (t, *head), symbol=letter.upper(), level=level)
        draft.write(made.element, W[(*head, m)] * x.element, (m,), "attention")
        if self.bias:
            b = draft.parameter(f"b_{letter}", [i.extent for i in head], self.name, level)
            draft.write(made.element, b[head], label="attention")
        return made

    def _output(self, draft: Draft, o: Signal, m: Index, level: str) -> Signal:
        """The heads' outputs, brought together."""
        t, *head = o.axes
        W = draft.parameter("W_o", [i.extent for i in (m, *head)], self.name, level)
        y = draft.signal(f"y{level}", (t, m), symbol="y", level=level)
        draft.write(y.element, W[(m, *head)] * o.element, head, "attention")
        if self.bias:
            draft.write(y.element, draft.parameter("b_o", [m.extent], self.name, level)[m], label="attention")
        return known(y, False)


@layer
class TransformerBlock(Layer):
    """A pre-norm transformer block: a = x + attention(norm(x)), then y = a + W₂ σ(W₁ norm(a)) (Xiong et al. 2020, arXiv 2002.04745).

    heads, causal: those of the attention.  hidden: the width between the dense layers (default: four times that of the input).
    activation: σ.  norm: "layer_norm" or "rms_norm".  epsilon: that of the norms.  bias: whether attention and dense layers have biases.
    """

    type: Literal["transformer_block"] = "transformer_block"
    heads: Count
    causal: bool = False
    hidden: Count | None = None
    activation: Elementwise = "gelu"
    norm: Literal["layer_norm", "rms_norm"] = "layer_norm"
    epsilon: Annotated[float, Field(gt=0, lt=1)] = 1e-5
    bias: bool = True
    init: Literal["auto", "he", "xavier", "normal", "zeros"] = "auto"
    starts: ClassVar[dict[str, str]] = {"gamma": "ones"}

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write the two halves, each with its residual connection."""
        if len(x.axes) != 2:
            raise NetworkError(f"a transformer block takes an input [positions, width], but it has the shape {x.shape}")
        norm, width = {"layer_norm": LayerNorm, "rms_norm": RMSNorm}[self.norm], int(x.axes[1].extent)
        attention = SelfAttention(**self._part("attention"), heads=self.heads, causal=self.causal, bias=self.bias)
        a = norm(**self._part("norm_1"), epsilon=self.epsilon).build(draft, x)
        a = total(draft, [x, attention.build(draft, a)])
        y = norm(**self._part("norm_2"), epsilon=self.epsilon).build(draft, a)
        for name, units, activation in (("dense_1", self.hidden or 4 * width, self.activation), ("dense_2", width, "identity")):
            y = Dense(**self._part(name), units=units, activation=activation, bias=self.bias, per_position=True).build(draft, y)
        return total(draft, [a, y])

    def _part(self, name: str) -> dict[str, str]:
        """The name of a layer of the block, where the block has one."""
        return {"name": f"{self.name}_{name}"} if self.name else {}
