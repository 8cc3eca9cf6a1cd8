"""How the learning rate changes: factors of the number of the step, as equations.

With a warm-up the rate first grows in equal steps; the schedule's own count k of steps begins behind it.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, Literal

import sympy as sp
from pydantic import Field

from symbp.language.functions import maximum, minimum
from symbp.settings import Count, NetworkError, Settings, kinds, place, read_typed

if TYPE_CHECKING:
    from symbp.optim.base import Update

Factor = Annotated[float, Field(gt=0, le=1)]


class Schedule(Settings, ABC):
    """A course of the learning rate.  A subclass narrows `type`.

    warm_up: in how many steps the rate grows from 0 to its full value.
    """

    type: str
    warm_up: Annotated[int, Field(ge=0, le=10**9)] = 0

    def at(self, update: Update) -> sp.Expr:
        """The factor of the rate in step t = 1, 2, …"""
        k = update.step() - 1
        if not self.warm_up:
            return self.course(update, k)
        warm = update.scalar("warm_up", "w", self.warm_up)
        return minimum(1, update.step() / warm) * self.course(update, update.named("k", "k", maximum(k - warm, 0)))

    @abstractmethod
    def course(self, update: Update, k: sp.Expr) -> sp.Expr:
        """The factor after k steps behind the warm-up."""


class ConstantRate(Schedule):
    """A constant rate behind its warm-up."""

    type: Literal["constant"] = "constant"

    def course(self, update: Update, k: sp.Expr) -> sp.Expr:
        """One."""
        return sp.S.One


class StepRate(Schedule):
    """γ^⌊k/n⌋: the rate falls by the factor γ every n steps.

    >>> StepRate(every=10).factor
    0.1
    """

    type: Literal["step"] = "step"
    every: Count
    factor: Factor = 0.1

    def course(self, update: Update, k: sp.Expr) -> sp.Expr:
        """Powers of γ."""
        return update.scalar("gamma", r"\gamma", self.factor) ** sp.floor(k / update.scalar("every", "n", self.every))


class ExponentialRate(Schedule):
    """γ^k."""

    type: Literal["exponential"] = "exponential"
    factor: Factor = 0.999

    def course(self, update: Update, k: sp.Expr) -> sp.Expr:
        """Powers of γ."""
        return update.scalar("gamma", r"\gamma", self.factor) ** k


class CosineRate(Schedule):
    """r + (1 − r)(1 + cos(π k/K))/2 up to step K, then r (Loshchilov and Hutter 2016, arXiv 1608.03983, equation 5, without restarts).

    steps: K.  least: r, the share of the rate that is left at the end.
    """

    type: Literal["cosine"] = "cosine"
    steps: Count
    least: Annotated[float, Field(ge=0, lt=1)] = 0.0

    def course(self, update: Update, k: sp.Expr) -> sp.Expr:
        """Half a wave."""
        wave = (1 + sp.cos(sp.pi * minimum(1, k / update.scalar("horizon", "K", self.steps)))) / 2
        if not self.least:
            return wave
        least = update.scalar("least", "r", self.least)
        return least + (1 - least) * wave


SCHEDULES: dict[str, type[Schedule]] = {kinds(c)[0]: c for c in (ConstantRate, StepRate, ExponentialRate, CosineRate)}
"""Every kind of schedule by the `type` that a network file writes."""


def schedule_of(table: Any) -> Any:
    """The schedule of a table of a network file; a schedule stays what it is."""
    if not isinstance(table, dict):
        return table
    with place("schedule"):
        try:
            return read_typed(SCHEDULES, table, "schedule")
        except RecursionError:
            raise NetworkError("the table is nested too deeply") from None
