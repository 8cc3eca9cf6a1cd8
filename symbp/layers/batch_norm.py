"""Batch normalisation: each channel has mean 0 and variance 1 over a batch, then a scale and a shift that are learnt.

Ioffe and Szegedy 2015 (arXiv 1502.03167), algorithms 1 and 2; running statistics instead of population ones, as PyTorch keeps them.
"""
from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import sympy as sp
from pydantic import Field

from symbp.draft import Draft, Signal, known
from symbp.language import Access, Fact, Index, Tensor
from symbp.layers.base import Layer, layer
from symbp.settings import NetworkError, exact


@layer
class BatchNorm(Layer):
    """y = γ (x − μ) / σ + β with σ = √(v + ε) for each channel, the first axis of features; [C], [C, L] and [C, H, W] are inputs.

    In training μ and v are mean and (biased) variance over the M elements of a channel: all samples, all positions.  In inference they
    are running statistics, which each step of training moves: μ̃ := (1 − ρ) μ̃ + ρ μ, and ṽ := (1 − ρ) ṽ + ρ v M/(M − 1).
    epsilon: ε.  momentum: ρ.  affine: whether γ and β are learnt; without, they are 1 and 0.  running_variance: "unbiased", with the
    factor M/(M − 1), as PyTorch does; or "biased", without.  With a single position, the fact N ≥ 2 says that the variance of one
    sample is no variance.

    >>> draft = Draft()
    >>> _ = BatchNorm(affine=False, running_variance="biased").build(draft, draft.signal("x", [draft.index(2)], role="input"))
    >>> print(draft.program())
    mu1[i] += sum(n, x[n, i]/N)
    c1[n, i] += -mu1[i] + x[n, i]
    v1[i] += sum(n, c1[n, i]**2/N)
    running_mean1_next[i] += mu1[i]/10 + 9*running_mean1[i]/10
    running_var1_next[i] += 9*running_var1[i]/10 + v1[i]/10
    sigma1[i] += sqrt(v1[i] + 1/100000)
    y1[n, i] += c1[n, i]/sigma1[i]
    """

    type: Literal["batch_norm"] = "batch_norm"
    epsilon: Annotated[float, Field(gt=0, le=1)] = 1e-5
    momentum: Annotated[float, Field(ge=0, le=1)] = 0.1
    affine: bool = True
    running_variance: Literal["unbiased", "biased"] = "unbiased"
    two_modes: ClassVar[bool] = True
    starts: ClassVar[dict[str, str]] = {"gamma": "ones"}

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write the statistics, those of the batch or the running ones, and y."""
        self._check(draft, x)
        level, channel = draft.number(), x.axes[0]
        mean, variance = (draft.running(letter, [channel.extent], self.name, level, start=start, symbol=symbol) for letter, start, symbol
                          in (("running_mean", 0, r"\tilde{\mu}"), ("running_var", 1, r"\tilde{v}")))
        if draft.mode == "inference":
            draft.facts.append(Fact(variance[channel], ">=", 0))
            centred = x.element - mean[channel]
        else:
            centred, variance = self._statistics(draft, x, level, mean, variance)
        y = draft.signal(f"y{level}", x.axes, symbol="y", level=level)
        deviation = draft.fresh(f"sigma{level}", [channel.extent], symbol=r"\sigma", level=level)
        draft.write(deviation[channel], sp.sqrt(variance[channel] + exact(self.epsilon)), label=self.type)
        value = centred / deviation[channel]
        if self.affine:
            gamma, beta = (draft.parameter(letter, [channel.extent], self.name, level) for letter in ("gamma", "beta"))
            hat = draft.signal(f"xhat{level}", x.axes, symbol=r"\hat{x}", level=level)
            draft.write(hat.element, value, label=self.type)
            value = gamma[channel] * hat.element + beta[channel]
        draft.write(y.element, value, label=self.type)
        return known(y, False)

    def _statistics(self, draft: Draft, x: Signal, level: str, running_mean: Tensor, running_var: Tensor) -> tuple[Access, Tensor]:
        """Write the batch's mean and variance, and the next running statistics; answers x − μ and the variance."""
        channel, over = x.axes[0], (*x.batch, *x.axes[1:])
        count = sp.Mul(*(i.extent for i in over))
        if count == x.batch[0].extent:
            draft.facts.append(Fact(count, ">=", 2))
        mean, variance = (draft.fresh(f"{letter}{level}", [channel.extent], symbol=symbol, level=level)
                          for letter, symbol in (("mu", r"\mu"), ("v", "v")))
        draft.write(mean[channel], x.element / count, over, self.type)
        centred = draft.signal(f"c{level}", x.axes, symbol="c", level=level)
        draft.write(centred.element, x.element - mean[channel], label=self.type)
        draft.write(variance[channel], centred.element**2 / count, over, self.type)
        estimate = variance
        if self.running_variance == "unbiased":
            estimate = draft.fresh(f"u{level}", [channel.extent], symbol="u", level=level)
            draft.write(estimate[channel], variance[channel] * count / (count - 1), label=self.type)
        self._move(draft, channel, running_mean, mean[channel])
        self._move(draft, channel, running_var, estimate[channel])
        return centred.element, variance

    def _move(self, draft: Draft, channel: Index, old: Tensor, found: sp.Expr) -> None:
        """Write old := (1 − ρ) old + ρ found."""
        share = exact(self.momentum)
        draft.write(draft.following(old)[channel], (1 - share) * old[channel] + share * found, label=self.type)

    def _check(self, draft: Draft, x: Signal) -> None:
        if not x.batch:
            raise NetworkError('batch norm takes mean and variance over a batch, but samples are one column vector; write samples = "rows" '
                               "in [conventions]")
        if not 1 <= len(x.axes) <= 3:
            raise NetworkError(f"batch norm takes channels alone, or channels and one or two axes of positions, but its input has the "
                               f"shape {x.shape}, which is {len(x.axes)} axes")
