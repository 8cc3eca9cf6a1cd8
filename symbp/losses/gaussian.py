"""The negative log-likelihood of a Gaussian, with a fixed variance or one that the network answers."""
from __future__ import annotations

from typing import Annotated, Literal

import sympy as sp
from pydantic import Field

from symbp.draft import Draft, Signal
from symbp.language import Tensor
from symbp.losses.base import Loss, Target, loss, positive
from symbp.notation import Symbol
from symbp.settings import NetworkError


@loss
class GaussianNLL(Loss):
    """Σ ½ (log σ² + (y − μ)²/σ²) for targets y that are Gaussian around μ (Nix and Weigend 1994).

    variance: σ², a number or the letter of a constant, and the network's output is μ.  Left out, the output has 2·D features:
    the D means, and behind them the D logarithms s = log σ², so that every variance is positive.  full: adds ½ log 2π.
    """

    type: Literal["gaussian_nll"] = "gaussian_nll"
    variance: Annotated[float, Field(gt=0)] | Symbol | None = None
    full: bool = False

    def build(self, draft: Draft, output: Signal, target: Target, loss: Tensor) -> None:
        """Write the sum over features and samples."""
        if target.classes is not None:
            raise NetworkError("a Gaussian has a target of numbers: write [target] shape = … instead of classes")
        axes, mean, log_variance, variance = self._moments(draft, output, target)
        y = draft.signal(draft.notation.target or "y", axes, role="input")
        more = sp.log(2 * sp.pi) if self.full else sp.S.Zero
        body = (log_variance + (y.element - mean)**2 / variance + more) / 2
        draft.write(loss[()], draft.mean() * body, (*output.batch, *axes), self.type)

    def _moments(self, draft: Draft, output: Signal, target: Target) -> tuple:
        """The features' axes, and mean, logarithm of the variance, and variance at them."""
        if self.variance is not None:
            target.check(output)
            variance = positive(draft, self.variance)
            return output.axes, output.element, sp.log(variance), variance
        width = output.axes[0].extent
        if len(output.axes) != 1 or width % 2:
            raise NetworkError("without a fixed variance the last layer answers D means and D logarithms of variances, one axis of 2·D "
                               f"features, but its output has the shape {output.shape}")
        if target.shape is not None and target.shape != [width / 2]:
            needed = f"2·{target.shape[0]} = {2 * target.shape[0]}"
            raise NetworkError(f"the target has the shape {target.shape}, but the last layer's {width} features are the means and "
                               f"log-variances of {width}/2 = {width / 2} numbers; give it {needed} features")
        i = draft.index(width / 2, part=True)
        log_variance = output.at(i + width / 2)
        return (i,), output.at(i), log_variance, sp.exp(log_variance)
