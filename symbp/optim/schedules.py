"""Schedules: the learning rate of step t = 1, 2, … as an equation of t.

To add one, subclass `Schedule` with its settings as typed fields and a `factor` of k, the number of steps that came before, and
decorate it with `@schedule`.  Every schedule may have a linear warm-up in front; then k counts the steps after it.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Literal

import sympy as sp
from pydantic import Field

from symbp.language.functions import maximum, minimum
from symbp.language.tensor import Access
from symbp.optim.update import Update
from symbp.settings import Count, NetworkError, Settings, kinds

Factor = Annotated[float, Field(gt=0, le=1)]


class Schedule(Settings, ABC):
    """How the learning rate changes.

    warmup: the number w of steps in which the rate rises as α t/w before the schedule proper begins; 0 for none.
    Goyal et al. 2017, "Accurate, large minibatch SGD", section 2.2.
    """

    type: str
    warmup: Annotated[int, Field(ge=0, le=10_000_000)] = 0

    def rate(self, update: Update, alpha: Access, steps: Access) -> sp.Expr:
        """The rate of step t.

        >>> from symbp.language import Program
        >>> from symbp.language.tensor import Access
        >>> Exponential(factor=0.9).rate(Update(Program((), ())), Access("alpha"), Access("t"))
        alpha[]*gamma[]**(t[] - 1)
        """
        if self.warmup == 0:
            return self.after(update, alpha, steps - 1)
        warmup = update.scalar("warmup", "w", self.warmup)
        before = update.define("before", "k", maximum(steps - 1 - warmup, 0))
        return minimum(steps / warmup, 1) * self.after(update, alpha, before)

    @abstractmethod
    def after(self, update: Update, alpha: Access, before: sp.Expr) -> sp.Expr:
        """The rate when `before` steps of the schedule proper have been made."""


SCHEDULES: dict[str, type[Schedule]] = {}
"""Every kind of schedule by the `type` that a network file writes."""


def schedule(cls: type[Schedule]) -> type[Schedule]:
    """Register a class of schedules under its types."""
    SCHEDULES.update(dict.fromkeys(kinds(cls), cls))
    return cls


@schedule
class Constant(Schedule):
    """α, behind a warm-up."""

    type: Literal["constant"] = "constant"

    def after(self, update: Update, alpha: Access, before: sp.Expr) -> sp.Expr:
        """The rate itself."""
        return alpha


@schedule
class Step(Schedule):
    """α γ^⌊k/s⌋: the rate is multiplied by the factor γ every s steps; torch.optim.lr_scheduler.StepLR."""

    type: Literal["step"] = "step"
    every: Count
    factor: Factor = 0.1

    def after(self, update: Update, alpha: Access, before: sp.Expr) -> sp.Expr:
        """The rate falls in steps."""
        gamma, every = update.scalar("gamma", r"\gamma", self.factor), update.scalar("every", "s", self.every)
        return alpha * gamma ** sp.floor(before / every)


@schedule
class Exponential(Schedule):
    """α γ^k; torch.optim.lr_scheduler.ExponentialLR."""

    type: Literal["exponential"] = "exponential"
    factor: Factor

    def after(self, update: Update, alpha: Access, before: sp.Expr) -> sp.Expr:
        """The rate falls by the same factor in each step."""
        return alpha * update.scalar("gamma", r"\gamma", self.factor) ** before


@schedule
class Cosine(Schedule):
    """α_min + (α − α_min) (1 + cos(π min(k, T)/T))/2 with T steps, those of the warm-up not counted; then α_min.

    total: all steps, those of the warm-up counted.  lowest: α_min.  Loshchilov & Hutter 2017, "SGDR", eq. (5), without restarts;
    torch.optim.lr_scheduler.CosineAnnealingLR, whose rate rises again behind the last step.
    """

    type: Literal["cosine"] = "cosine"
    total: Count
    lowest: Annotated[float, Field(ge=0, le=1e6)] = 0.0

    def model_post_init(self, _context: object) -> None:
        """Refuse a warm-up that leaves nothing."""
        if self.warmup >= self.total:
            raise NetworkError(f"warmup = {self.warmup} must be less than total = {self.total}, which counts all steps")

    def after(self, update: Update, alpha: Access, before: sp.Expr) -> sp.Expr:
        """The rate falls along half a wave."""
        steps = update.scalar("cosine_steps", "T", self.total - self.warmup)
        lowest = update.scalar("lowest", rf"{{{update.symbol(alpha)}_{{\min}}}}", self.lowest) if self.lowest else sp.S.Zero
        return lowest + (alpha - lowest) * (1 + sp.cos(sp.pi * minimum(before, steps) / steps)) / 2


@schedule
class Inverse(Schedule):
    """α/(1 + κ k): the rate falls with the inverse of the step; Robbins & Monro 1951."""

    type: Literal["inverse"] = "inverse"
    decay: Annotated[float, Field(gt=0, le=1)]

    def after(self, update: Update, alpha: Access, before: sp.Expr) -> sp.Expr:
        """The rate falls as 1/t in the end."""
        return alpha / (1 + update.scalar("kappa", r"\kappa", self.decay) * before)
