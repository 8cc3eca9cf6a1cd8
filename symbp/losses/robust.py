"""Losses that grow linearly with a large residual: the absolute error and Huber's loss."""
from __future__ import annotations

from typing import Annotated, Literal

import sympy as sp
from pydantic import Field

from symbp.draft import Draft, Signal
from symbp.language import Tensor
from symbp.language.functions import step
from symbp.losses.base import Loss, Target, loss, numbers, positive
from symbp.notation import Symbol


@loss
class AbsoluteError(Loss):
    """Σ |a − y|; the derivative of |r| at r = 0 is 0.

    >>> draft = Draft()
    >>> a = draft.signal("a", [draft.index(3)], role="input")
    >>> AbsoluteError().build(draft, a, Target(), draft.tensor("L"))
    >>> print(draft.program())
    L[] += sum(n, i, Abs(a[n, i] - y[n, i])/N)
    """

    type: Literal["absolute_error"] = "absolute_error"

    def build(self, draft: Draft, output: Signal, target: Target, loss: Tensor) -> None:
        """Write the sum over features and samples."""
        y = numbers(draft, output, target)
        draft.write(loss[()], draft.mean() * sp.Abs(output.element - y.element), (*output.batch, *output.axes), self.type)


@loss
class Huber(Loss):
    """Σ ½r² where |r| ≤ δ and δ(|r| − ½δ) elsewhere, with the residual r = a − y (Huber 1964).

    delta: a number or the letter of a constant.
    """

    type: Literal["huber"] = "huber"
    delta: Annotated[float, Field(gt=0)] | Symbol = 1.0

    def build(self, draft: Draft, output: Signal, target: Target, loss: Tensor) -> None:
        """Write the residual, then the sum over features and samples."""
        y, delta = numbers(draft, output, target), positive(draft, self.delta)
        residual = draft.signal("r", output.axes)
        draft.write(residual.element, output.element - y.element, label=self.type)
        size = sp.Abs(residual.element)
        near = step(delta - size, sp.S.One)
        body = near * residual.element**2 / 2 + (1 - near) * delta * (size - delta / 2)
        draft.write(loss[()], draft.mean() * body, (*output.batch, *output.axes), self.type)
