"""Normalisation of each sample by itself: layer norm, RMS norm and group norm, with the biased variance."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import sympy as sp
from pydantic import Field

from symbp.draft import Draft, Signal, exact, known
from symbp.language import Index
from symbp.language.index import SizeLike
from symbp.layers.base import Layer, layer
from symbp.settings import Count, NetworkError

Axes = tuple[Index, ...]
Epsilon = Annotated[float, Field(gt=0, lt=1)]


class _Norm(Layer):
    """What the norms have in common: ε, and whether γ (and β) follow, which start as 1 (and 0)."""

    epsilon: Epsilon = 1e-5
    affine: bool = True
    starts: ClassVar[dict[str, str]] = {"gamma": "ones"}

    def centred(self, draft: Draft, x: Signal, at: Sequence[SizeLike], rows: Axes, over: Axes, level: str) -> Signal:
        """Write the mean over `over`, and c = x − μ; `at` are the positions of the features, which may be compound."""
        mu = draft.signal(f"mu{level}", rows, symbol=r"\mu", level=level)
        c = draft.signal(f"c{level}", x.axes, symbol="c", level=level)
        draft.write(mu.element, x.at(*at) / _count(over), over, self.type)
        draft.write(c.at(*at), x.at(*at) - mu.element, label=self.type)
        return c

    def scaled(self, draft: Draft, c: Signal, at: Sequence[SizeLike], rows: Axes, over: Axes, level: str) -> Signal:
        """Write v = Σ c²/D over `over`, and h = c/√(v + ε)."""
        v = draft.signal(f"v{level}", rows, symbol="v", level=level)
        h = draft.signal(f"h{level}", c.axes, symbol="h", level=level)
        draft.write(v.element, c.at(*at)**2 / _count(over), over, self.type)
        draft.write(h.at(*at), c.at(*at) / sp.sqrt(v.element + exact(self.epsilon)), label=self.type)
        return h

    def learnt(self, draft: Draft, h: Signal, own: Axes, level: str, letters: Sequence[str] = ("gamma", "beta")) -> Signal:
        """Write y = γ h + β with parameters over the axes `own`; h itself where they are not wanted."""
        if not self.affine:
            return known(h, False)
        y = draft.signal(f"y{level}", h.axes, symbol="y", level=level)
        first, *rest = (draft.parameter(letter, [i.extent for i in own], self.name, level)[own] for letter in letters)
        draft.write(y.element, first * h.element, label=self.type)
        for shift in rest:
            draft.write(y.element, shift, label=self.type)
        return known(y, False)

    def last(self, x: Signal, count: int) -> Axes:
        """The last axes of the features; raises `NetworkError` where there are not so many."""
        if count > len(x.axes):
            raise NetworkError(f"axes = {count}, but the input has the shape {x.shape}, and {len(x.axes)} < {count}; "
                               f"make axes at most {len(x.axes)}")
        return x.axes[-count:]


@layer
class LayerNorm(_Norm):
    """y = γ (x − μ)/√(v + ε) + β, with mean μ and variance v over the last axes of each sample (Ba et al. 2016, arXiv 1607.06450).

    axes: how many of the last axes are normalised together.  affine: whether γ and β are there.

    >>> draft = Draft()
    >>> _ = LayerNorm(affine=False).build(draft, draft.signal("x", [draft.index(4)], role="input"))
    >>> print(draft.program())
    mu1[n] += sum(i, x[n, i]/4)
    c1[n, i] += -mu1[n] + x[n, i]
    v1[n] += sum(i, c1[n, i]**2/4)
    h1[n, i] += c1[n, i]/sqrt(v1[n] + 1/100000)
    """

    type: Literal["layer_norm"] = "layer_norm"
    axes: Count = 1

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write mean, variance and the normalised values."""
        over, rows, level = self.last(x, self.axes), x.axes[:-self.axes], draft.number()
        c = self.centred(draft, x, x.axes, rows, over, level)
        return self.learnt(draft, self.scaled(draft, c, x.axes, rows, over, level), over, level)


@layer
class RMSNorm(_Norm):
    """y = γ x/√(v + ε), v the mean of the squares over the last axes of each sample (Zhang and Sennrich 2019, arXiv 1910.07467).

    axes: how many of the last axes are normalised together.  affine: whether γ is there.

    >>> draft = Draft()
    >>> _ = RMSNorm(affine=False).build(draft, draft.signal("x", [draft.index(4)], role="input"))
    >>> print(draft.program())
    v1[n] += sum(i, x[n, i]**2/4)
    h1[n, i] += x[n, i]/sqrt(v1[n] + 1/100000)
    """

    type: Literal["rms_norm"] = "rms_norm"
    axes: Count = 1

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write the mean square and the scaled values."""
        over, level = self.last(x, self.axes), draft.number()
        return self.learnt(draft, self.scaled(draft, x, x.axes, x.axes[:-self.axes], over, level), over, level, ("gamma",))


@layer
class GroupNorm(_Norm):
    """y = γ (x − μ)/√(v + ε) + β, with μ and v over a group of channels and all positions (Wu and He 2018, arXiv 1803.08494).

    The channels are the first axis of the features, as in [C], [C, L] or [C, H, W].  groups: how many groups they make.
    affine: whether γ and β are there, one for each channel.  Raises `NetworkError` where the groups do not divide the channels.
    """

    type: Literal["group_norm"] = "group_norm"
    groups: Count

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write mean and variance of each group, and the normalised values."""
        channels, positions = int(x.axes[0].extent), x.axes[1:]
        if channels % self.groups:
            raise NetworkError(f"{self.groups} groups do not divide {channels} channels: {channels}/{self.groups} = "
                               f"{channels / self.groups:.4g}; the input has the shape {x.shape}")
        size, level = channels // self.groups, draft.number()
        g, r = draft.index(self.groups), draft.index(size)
        at, rows, over = (size * g + r, *positions), (g,), (r, *positions)
        h = self.scaled(draft, self.centred(draft, x, at, rows, over, level), at, rows, over, level)
        return self.learnt(draft, h, x.axes[:1], level)


def _count(over: Axes) -> sp.Expr:
    """How many elements are summed up."""
    return sp.Mul(*(i.extent for i in over))
