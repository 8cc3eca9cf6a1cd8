"""Convolutions over one or two axes, and their transposes: Y[n,f,i,j] = Σ X[n,c,s·i+d·u−p,…] · K[f,c,u,v] + b[f].

What deep learning calls a convolution is a correlation: the kernel is not flipped (Goodfellow, Bengio, Courville, Deep Learning,
equation 9.6).
"""
from __future__ import annotations

from typing import ClassVar, Literal

import sympy as sp

from symbp.draft import Draft, Signal, known
from symbp.language import Index
from symbp.language.tensor import Tensor
from symbp.layers.activations import Elementwise, activate
from symbp.layers.base import Layer, layer
from symbp.layers.windows import Lengths, Padding, Windows, each, margins, positions, windows
from symbp.notation import tex
from symbp.settings import Count, NetworkError

KERNEL = "K"


class Kernels(Layer):
    """What a convolution and its transpose have in common.

    filters: how many channels the output has.  kernel, stride, dilation: one number, or one for each axis.  padding: one number,
    one for each axis, or [before, after] for each.  groups: channels and filters are divided into so many parts, each of which
    sees its own part only.  bias, activation, init: as for a dense layer.
    """

    widths: ClassVar[tuple[str, ...]] = ("filters",)

    filters: Count | None = None
    kernel: Lengths
    stride: Lengths = 1
    padding: Padding = 0
    dilation: Lengths = 1
    groups: Count = 1
    bias: bool = True
    activation: Elementwise = "identity"
    init: Literal["auto", "he", "xavier", "normal", "zeros"] = "auto"

    @property
    def dimensions(self) -> int:
        """How many axes the windows slide along."""
        return 1 if "1d" in self.type else 2

    def sizes(self, x: Signal) -> list[int]:
        """The extents of the input's axes: channels, and those that windows slide along."""
        if len(x.axes) != self.dimensions + 1:
            wanted = "[channels, length]" if self.dimensions == 1 else "[channels, height, width]"
            raise NetworkError(f"a {self.type} layer takes an input of the shape {wanted}, but it has the shape {x.shape}")
        if not all(i.extent.is_Integer for i in x.axes):
            raise NetworkError(f"the extents of a {self.type} layer's input must be numbers, but it has the shape {x.shape}")
        return [int(i.extent) for i in x.axes]

    def parts(self, channels: int) -> tuple[int, int, int]:
        """Groups, channels of each, and filters of each."""
        groups, filters = self.groups, self.filters
        if filters is None:
            raise NetworkError('the key "filters" is missing (how many channels the output has)')
        for what, count in (("channels of the input", channels), ("filters", filters)):
            if count % groups:
                raise NetworkError(f"groups = {groups} must divide the {what}, but {count} = {count // groups}·{groups} + {count % groups}")
        return groups, channels // groups, filters // groups

    def finished(self, draft: Draft, z: Signal, b: Tensor | None, f: Index) -> Signal:
        """Write the bias and the activation."""
        if b is not None:
            draft.write(z.at(f, *z.axes[1:]), b[f], label=self.type)
        return activate(draft, z, self.activation)


@layer
class Convolution(Kernels):
    """A convolution.  padding may be "same": as many windows as positions (divided by the stride).  depthwise: a group for each channel.

    >>> draft = Draft()
    >>> x = draft.signal("x", [draft.index(3, "c"), draft.index(8, "h")], role="input")
    >>> y = Convolution(type="conv1d", filters=4, kernel=3, padding=1).build(draft, x)
    >>> print(draft.program())
    z1[n, f, i] += sum(c, u where i + u - 1 >= 0 and -i - u + 8 >= 0, K1[f, c, u]*x[n, c, i + u - 1])
    z1[n, f, i] += b1[f]
    """

    type: Literal["conv1d", "conv2d"]
    depthwise: bool = False

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write z[n,f,i,j] = Σ x[n,c,s·i+d·u−p,s·j+d·v−p] K[f,c,u,v] + b[f] and the activation."""
        channels, *sizes = self.sizes(x)
        groups, inner, filters = self.parts(channels)
        along = windows(sizes, self.kernel, self.stride, self.padding, self.dilation)
        level = draft.number()
        g, c, f, whole = channel_indices(draft, x.axes[0], (groups, inner, filters))
        numbers, taps = positions(draft, along)
        K = draft.parameter(KERNEL, [groups * filters, inner, *(w.kernel for w in along)], self.name, level)
        b = draft.parameter(draft.notation.bias, [groups * filters], self.name, level) if self.bias else None
        z = _preactivation(draft, (whole, *numbers), level)
        at = [w.at(i, u) for w, i, u in zip(along, numbers, taps, strict=True)]
        guards = [e for w, i, u in zip(along, numbers, taps, strict=True) for e in w.guards(i, u)]
        source, target = inner * g + c, filters * g + f
        body = K[(target, c, *taps)] * x.at(source, *at)
        bound = tuple(i for i in (c, *taps) if isinstance(i, Index))
        draft.write(z.at(target, *numbers), body, over=bound, label=self.type, domain=tuple(guards))
        return self.finished(draft, z, b, whole)

    def parts(self, channels: int) -> tuple[int, int, int]:
        """Groups, channels of each, and filters of each."""
        if not self.depthwise:
            return super().parts(channels)
        if self.groups not in (1, channels):
            raise NetworkError(f"depthwise = true makes a group of each of the {channels} channels, but groups = {self.groups}; "
                               "write one of the two")
        return Kernels.parts(self.model_copy(update={"groups": channels, "filters": self.filters or channels}), channels)


@layer
class TransposedConvolution(Kernels):
    """A transposed convolution: the adjoint of a convolution as a layer (Dumoulin and Visin 2016, arXiv 1603.07285, section 4).

    output_padding: so many positions more at the end of each axis, which no stride reaches by itself.

    >>> draft = Draft()
    >>> x = draft.signal("x", [draft.index(3, "c"), draft.index(4, "w")], role="input")
    >>> y = TransposedConvolution(type="conv1d_transpose", filters=2, kernel=2, stride=2, bias=False).build(draft, x)
    >>> print(y.shape, draft.program())
    [2, 8] z1[n, f, 2*i + u] += sum(c, K1[c, f, u]*x[n, c, i])
    """

    type: Literal["conv1d_transpose", "conv2d_transpose"]
    output_padding: Lengths | Literal[0] = 0

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write z[n,f,s·i+d·u−p,…] = Σ x[n,c,i,j] K[c,f,u,v] + b[f] and the activation."""
        channels, *sizes = self.sizes(x)
        groups, inner, filters = self.parts(channels)
        along = self._outputs(sizes)
        level = draft.number()
        g, c, f, whole = channel_indices(draft, x.axes[0], (groups, inner, filters))
        numbers, taps = positions(draft, along)
        places = tuple(draft.index(w.size, a, numbered=True) for w, a in zip(along, "hw", strict=False))
        K = draft.parameter(KERNEL, [channels, filters, *(w.kernel for w in along)], self.name, level)
        b = draft.parameter(draft.notation.bias, [groups * filters], self.name, level) if self.bias else None
        z = _preactivation(draft, (whole, *places), level)
        at = [w.at(i, u) for w, i, u in zip(along, numbers, taps, strict=True)]
        guards = [e for w, i, u in zip(along, numbers, taps, strict=True) for e in w.guards(i, u)]
        body = K[(inner * g + c, f, *taps)] * x.at(inner * g + c, *numbers)
        draft.write(z.at(filters * g + f, *at), body, over=(c,) if isinstance(c, Index) else (), label=self.type, domain=tuple(guards))
        return self.finished(draft, z, b, whole)

    def _outputs(self, sizes: list[int]) -> list[Windows]:
        """The windows of the convolution that this is the adjoint of: along the output, as many as the input has positions."""
        axes = len(sizes)
        kernel, stride, dilation = (each(v, axes, k) for v, k in (
            (self.kernel, "kernel"), (self.stride, "stride"), (self.dilation, "dilation")))
        more = (0,) * axes if self.output_padding == 0 else each(self.output_padding, axes, "output_padding")
        if self.padding == "same":
            raise NetworkError('a transposed convolution has no padding = "same"; write the padding as numbers')
        pads = margins([Windows(*w) for w in zip(sizes, kernel, strict=True)], self.padding)
        found = []
        for size, k, s, d, o, (before, after) in zip(sizes, kernel, stride, dilation, more, pads, strict=True):
            if o >= max(s, d):
                raise NetworkError(f"output_padding = {o} must be smaller than the stride {s} or the dilation {d}")
            out = (size - 1) * s + d * (k - 1) + 1 + o - before - after
            if out < 1:
                text = f"({size} − 1)·{s} + {d * (k - 1) + 1} + {o} − {before} − {after} = {out}".replace("-", "−")
                raise NetworkError(f"{text}: the padding takes all of the output away")
            found.append(Windows(out, k, s, before, after, d))
        return found


def channel_indices(draft: Draft, channel: Index, parts: tuple[int, int, int]) -> tuple[sp.Expr, sp.Expr, sp.Expr, Index]:
    """Indices of the group, of its channels and its filters, 0 where there is only one; and one of all filters."""
    groups, inner, filters = parts
    whole = draft.index(groups * filters, "f", numbered=True)
    if groups == 1:
        return sp.S.Zero, channel, whole, whole
    g = draft.index(groups, "g", numbered=True)
    c = draft.index(inner, "c", numbered=True) if inner > 1 else sp.S.Zero
    return g, c, draft.index(filters, "f", numbered=True) if filters > 1 else sp.S.Zero, whole


def _preactivation(draft: Draft, axes: tuple[Index, ...], level: str) -> Signal:
    letter = draft.notation.preactivation
    z = draft.signal(letter + level, axes, symbol=tex(letter), level=level, cotangent=tex(draft.notation.cotangent))
    return known(z, False)
