"""A prior over the parameters: its negative logarithm is added to the loss, and a Gaussian one gives weight decay."""
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from symbp.language import Index, Tensor
from symbp.notation import Symbol
from symbp.settings import Settings

if TYPE_CHECKING:
    from symbp.draft import Draft


class Prior(Settings):
    """θ ~ N(0, σ²), each parameter by itself: Σ θ²/(2σ²) joins the negative log-likelihood, over N where the loss is a mean.

    The gradient gets λ θ with λ = 1/σ², or 1/(N σ²): weight decay.  variance: σ², a number or the letter of a constant.
    of: all parameters, or the weights alone, which are those with two axes or more.
    """

    type: Literal["gaussian"]
    variance: Annotated[float, Field(gt=0)] | Symbol
    of: Literal["all", "weights"] = "all"

    def build(self, draft: Draft, loss: Tensor) -> None:
        """Add the prior's term for each parameter to the scalar `loss`."""
        from symbp.losses.base import positive
        variance = positive(draft, self.variance)
        for theta in [t for t in draft.tensors if t.role == "parameter" and (self.of == "all" or len(t.shape) > 1)]:
            axes: list[Index] = [draft.index(extent) for extent in theta.shape]
            draft.write(loss[()], draft.mean() * theta[tuple(axes)]**2 / (2 * variance), axes, "prior")
