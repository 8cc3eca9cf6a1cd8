"""The methods: gradient descent, momentum, Nesterov, AdaGrad, RMSProp, Adam and AdamW.

To add one, subclass `Optimizer` with its settings as typed fields, `scalars` that all parameters share, and a `step`
that writes the equations of one parameter, and decorate it with `@optimizer`.
"""
from __future__ import annotations

from typing import Annotated, Any, Literal

import sympy as sp
from pydantic import Field

from symbp.language.tensor import Access
from symbp.optim.base import Decay, Optimizer, Rate, Slot, Update, optimizer
from symbp.settings import NetworkError


@optimizer
class GradientDescent(Optimizer):
    """θ := θ − α g."""

    type: Literal["gd", "sgd"] = "gd"
    learning_rate: Rate = 0.1

    def step(self, slot: Slot, rate: sp.Expr) -> None:
        """Write the next value."""
        slot.assign(slot.value, slot.value - rate * slot.cotangent)


@optimizer
class Momentum(Optimizer):
    """Momentum, in the forms that texts use.

    form: "classical", v := β v + g, or "averaged", v := β v + (1 − β) g.  rate_in: where α stands: in the "velocity",
    v := β v + α g and θ := θ − v; in the "step", θ := θ − α v; or "nowhere", θ := θ − v.
    """

    type: Literal["momentum"] = "momentum"
    learning_rate: Rate | None = None
    beta: Decay = 0.9
    form: Literal["classical", "averaged"] = "classical"
    rate_in: Literal["velocity", "step", "nowhere"] = "velocity"

    def model_post_init(self, _context: object) -> None:
        """Refuse a learning rate that would stand nowhere."""
        if self.rate_in == "nowhere" and self.learning_rate is not None:
            raise NetworkError('with rate_in = "nowhere" there is no learning rate; remove learning_rate, or write rate_in = "step"')
        if self.rate_in == "nowhere" and self.decay:
            raise NetworkError('with rate_in = "nowhere" there is no learning rate that could decay; remove decay')

    def scalars(self, update: Update, rate: str) -> dict[str, sp.Expr]:
        """The rate α, or 1 where it stands nowhere, and β."""
        alpha = sp.S.One
        if self.rate_in != "nowhere":
            alpha = self.rate(update, rate, 0.01 if self.learning_rate is None else self.learning_rate)
        return {"rate": alpha, "beta": update.scalar("beta", r"\beta", self.beta)}

    def step(self, slot: Slot, rate: sp.Expr, beta: Access) -> None:
        """Write the next velocity and value."""
        share = 1 - beta if self.form == "averaged" else sp.S.One
        inside, outside = (rate, sp.S.One) if self.rate_in == "velocity" else (sp.S.One, rate)
        v = slot.state("v")
        v = slot.assign(v, beta * v + share * inside * slot.cotangent)
        slot.assign(slot.value, slot.value - outside * v)


@optimizer
class Nesterov(Optimizer):
    """v := β v + g,  θ := θ − α (g + β v): momentum that looks ahead (Sutskever et al. 2013, ICML, section 2, in the form of PyTorch)."""

    type: Literal["nesterov"] = "nesterov"
    learning_rate: Rate = 0.01
    beta: Decay = 0.9

    def scalars(self, update: Update, rate: str) -> dict[str, sp.Expr]:
        """The rate α and β."""
        return {"rate": self.rate(update, rate, self.learning_rate), "beta": update.scalar("beta", r"\beta", self.beta)}

    def step(self, slot: Slot, rate: sp.Expr, beta: Access) -> None:
        """Write the next velocity and value."""
        v = slot.state("v")
        v = slot.assign(v, beta * v + slot.cotangent)
        slot.assign(slot.value, slot.value - rate * (slot.cotangent + beta * v))


@optimizer
class AdaGrad(Optimizer):
    """s := s + g²,  θ := θ − α g / (√s + ε) (Duchi, Hazan and Singer 2011, JMLR 12)."""

    type: Literal["adagrad"] = "adagrad"
    learning_rate: Rate = 0.01
    epsilon: Annotated[float, Field(gt=0, le=1)] = 1e-10

    def scalars(self, update: Update, rate: str) -> dict[str, sp.Expr]:
        """The rate α and ε."""
        return {"rate": self.rate(update, rate, self.learning_rate), "epsilon": update.scalar("epsilon", r"\varepsilon", self.epsilon)}

    def step(self, slot: Slot, rate: sp.Expr, epsilon: Access) -> None:
        """Write the next sum of squares and value."""
        s = slot.state("s")
        s = slot.assign(s, s + slot.cotangent**2)
        slot.assign(slot.value, slot.value - rate * slot.cotangent / (sp.sqrt(s) + epsilon))


@optimizer
class RMSProp(Optimizer):
    """s := ρ s + (1−ρ) g²,  θ := θ − α g / (√s + ε) (Hinton 2012, Neural Networks for Machine Learning, lecture 6e).

    centered: the mean of g, squared, is subtracted from s.  beta: a velocity v := β v + g / (√s + ε) takes the step where β > 0.
    """

    type: Literal["rmsprop"] = "rmsprop"
    learning_rate: Rate = 0.01
    rho: Decay = 0.99
    epsilon: Annotated[float, Field(gt=0, le=1)] = 1e-8
    beta: Decay = 0.0
    centered: bool = False

    def scalars(self, update: Update, rate: str) -> dict[str, Any]:
        """The rate α, ρ, ε, and β where there is a velocity."""
        return {"rate": self.rate(update, rate, self.learning_rate), "rho": update.scalar("rho", r"\rho", self.rho),
                "epsilon": update.scalar("epsilon", r"\varepsilon", self.epsilon),
                "beta": update.scalar("beta", r"\beta", self.beta) if self.beta else None}

    def step(self, slot: Slot, rate: sp.Expr, rho: Access, epsilon: Access, beta: Access | None) -> None:
        """Write the next mean of squares, mean, velocity and value."""
        s, g = slot.state("s"), slot.cotangent
        s = slot.assign(s, rho * s + (1 - rho) * g**2)
        if self.centered:
            m = slot.state("m")
            s = s - slot.assign(m, rho * m + (1 - rho) * g)**2
        direction = g / (sp.sqrt(s) + epsilon)
        if beta is not None:
            v = slot.state("v")
            direction = slot.assign(v, beta * v + direction)
        slot.assign(slot.value, slot.value - rate * direction)


@optimizer
class Adam(Optimizer):
    """m := β₁ m + (1−β₁) g,  v := β₂ v + (1−β₂) g²,  θ := θ − α m̂ / (√v̂ + ε) with m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ).

    Kingma and Ba 2014 (arXiv 1412.6980), algorithm 1.
    """

    type: Literal["adam"] = "adam"
    learning_rate: Rate = 1e-3
    beta_1: Decay = 0.9
    beta_2: Decay = 0.999
    epsilon: Annotated[float, Field(gt=0, le=1)] = 1e-8

    def scalars(self, update: Update, rate: str) -> dict[str, sp.Expr]:
        """The rate α, β₁, β₂, ε, and the number t of the step."""
        constants = {name: update.scalar(name, symbol, getattr(self, name)) for name, symbol in
                     (("beta_1", r"{\beta_1}"), ("beta_2", r"{\beta_2}"), ("epsilon", r"\varepsilon"))}
        return {"steps": update.step(), "rate": self.rate(update, rate, self.learning_rate), **constants}

    def step(self, slot: Slot, rate: sp.Expr, beta_1: Access, beta_2: Access, epsilon: Access, steps: Access,
             penalty: Access | None = None) -> None:
        """Write the next moments, their corrections, and the next value."""
        m, v, g = slot.state("m"), slot.state("v"), slot.cotangent
        m = slot.assign(m, beta_1 * m + (1 - beta_1) * g)
        v = slot.assign(v, beta_2 * v + (1 - beta_2) * g**2)
        m = slot.helper("m", m / (1 - beta_1**steps))
        v = slot.helper("v", v / (1 - beta_2**steps))
        kept = slot.value if penalty is None else slot.value - rate * slot.penalty(penalty)
        slot.assign(slot.value, kept - rate * m / (sp.sqrt(v) + epsilon))


@optimizer
class AdamW(Adam):
    """Adam whose weight decay is decoupled: θ := θ − α λ θ − α m̂ / (√v̂ + ε) (Loshchilov and Hutter 2017, arXiv 1711.05101, algorithm 2)."""

    type: Literal["adamw"] = "adamw"
    weight_decay: Annotated[float, Field(ge=0, lt=1e6)] = 0.01

    @property
    def decoupled(self) -> bool:
        """The penalty stands in the step alone."""
        return True
