"""Margin losses: the hinge for targets −1 and 1, and its two forms for several classes."""
from __future__ import annotations

from typing import Annotated, Literal

import sympy as sp
from pydantic import Field

from symbp.draft import Draft, Signal
from symbp.language import Fact, Tensor
from symbp.language.functions import equal, relu_with
from symbp.losses.base import Loss, Target, integer, loss, numbers, one_hot
from symbp.settings import NetworkError, exact

Margin = Annotated[float, Field(gt=0)]


@loss
class Hinge(Loss):
    """Σ max(0, margin − y z) for targets y of −1 and 1; relu_at_zero says what the derivative is where margin = y z.

    >>> draft = Draft()
    >>> z = draft.signal("z", [draft.index(1)], role="input")
    >>> Hinge().build(draft, z, Target(), draft.tensor("L"))
    >>> print(draft.program())
    L[] += sum(n, i, relu(-y[n, i]*z[n, i] + 1)/N)
    """

    type: Literal["hinge"] = "hinge"
    margin: Margin = 1.0

    def build(self, draft: Draft, output: Signal, target: Target, loss: Tensor) -> None:
        """Write the sum over features and samples."""
        if target.classes is not None:
            raise NetworkError("a hinge has a target of numbers −1 and 1: write [target] shape = … instead of classes, "
                               'or take "multiclass_hinge"')
        y = numbers(draft, output, target)
        draft.facts.append(Fact(y.element**2, "==", 1))
        relu = relu_with(sp.Rational(draft.conventions.relu_at_zero))
        body = relu(exact(self.margin) - y.element * output.element)
        draft.write(loss[()], draft.mean() * body, (*output.batch, *output.axes), self.type)


@loss
class MulticlassHinge(Loss):
    """The margin loss of several classes, with the score s = z_t of the right one.

    form: "max" for max_k (margin·[k ≠ t] + z_k − s) (Crammer and Singer 2001), "sum" for Σ_{k ≠ t} max(0, margin + z_k − s)
    (Weston and Watkins 1999; `features` = "mean" divides it by the number of classes, as PyTorch's MultiMarginLoss does).
    """

    type: Literal["multiclass_hinge"] = "multiclass_hinge"
    form: Literal["max", "sum"] = "max"
    features: Literal["sum", "mean"] = "sum"
    margin: Margin = 1.0

    def model_post_init(self, _context: object) -> None:
        """Refuse a mean over classes where there is no sum over them."""
        if self.form == "max" and self.features == "mean":
            raise NetworkError('features = "mean" divides a sum over the classes; it needs form = "sum"')

    def build(self, draft: Draft, output: Signal, target: Target, loss: Tensor) -> None:
        """Write the right class's score, the gaps v, then the sum over samples."""
        score = draft.signal("s", output.axes[:-1])
        rows = (*output.batch, *output.axes[:-1])
        if target.encoding == "integer":
            t = integer(draft, output, target)
            chosen = equal(output.axes[-1], t.element)
            draft.write(score.element, output.at(t.element), label=self.type)
        else:
            chosen = one_hot(draft, output, target).element
            draft.write(score.element, chosen * output.element, output.axes[-1:], label=self.type)
        gap, margin = draft.signal("v", output.axes), exact(self.margin)
        if self.form == "max":
            draft.write(gap.element, margin * (1 - chosen) + output.element - score.element, label=self.type)
            top = draft.signal("m", output.axes[:-1])
            draft.write(top.element, gap.element, output.axes[-1:], self.type, op="max")
            draft.write(loss[()], draft.mean() * top.element, rows, self.type)
            return
        draft.write(gap.element, margin + output.element - score.element, label=self.type)
        relu = relu_with(sp.Rational(draft.conventions.relu_at_zero))
        share = 1 / output.axes[-1].extent if self.features == "mean" else sp.S.One
        draft.write(loss[()], draft.mean() * share * (1 - chosen) * relu(gap.element), (*rows, *output.axes[-1:]), self.type)
