"""The optimisers themselves.  θ is an element of a parameter, g that of its gradient; defaults are PyTorch's where it has one."""
from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import sympy as sp

from symbp.language.functions import maximum
from symbp.language.tensor import Access
from symbp.optim.base import Optimizer, Penalty, Rate, Share, Small, optimizer
from symbp.optim.update import Slot, Update
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
    Polyak 1964, "Some methods of speeding up the convergence of iteration methods", eq. (9).
    """

    type: Literal["momentum"] = "momentum"
    learning_rate: Rate | None = None
    beta: Share = 0.9
    form: Literal["classical", "averaged"] = "classical"
    rate_in: Literal["velocity", "step", "nowhere"] = "velocity"

    def model_post_init(self, context: object) -> None:
        """Refuse a learning rate that would stand nowhere."""
        super().model_post_init(context)
        if self.rate_in == "nowhere" and self.learning_rate is not None:
            raise NetworkError('with rate_in = "nowhere" there is no learning rate; remove learning_rate, or write rate_in = "step"')
        for key in ("decay", "schedule"):
            if self.rate_in == "nowhere" and getattr(self, key):
                raise NetworkError(f'with rate_in = "nowhere" there is no learning rate that could change; remove {key}')

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
    """v := β v + g,  θ := θ − α (β v + g).

    rate_in: where α stands: in the "step", as above and in PyTorch, or in the "velocity", v := β v + α g, θ := θ − (β v + α g), the form
    of Sutskever et al. 2013, "On the importance of initialization and momentum", eq. (3–4), written for the point ahead as in Bengio et
    al. 2012, "Advances in optimizing recurrent networks", eq. (7).  The two differ only where α changes.
    """

    type: Literal["nesterov"] = "nesterov"
    learning_rate: Rate = 0.01
    beta: Share = 0.9
    rate_in: Literal["velocity", "step"] = "step"

    def scalars(self, update: Update, rate: str) -> dict[str, sp.Expr]:
        """The rate α and β."""
        return {"rate": self.rate(update, rate, self.learning_rate), "beta": update.scalar("beta", r"\beta", self.beta)}

    def step(self, slot: Slot, rate: sp.Expr, beta: Access) -> None:
        """Write the next velocity and value."""
        inside, outside = (rate, sp.S.One) if self.rate_in == "velocity" else (sp.S.One, rate)
        v = slot.state("v")
        v = slot.assign(v, beta * v + inside * slot.cotangent)
        slot.assign(slot.value, slot.value - outside * (beta * v + inside * slot.cotangent))


@optimizer
class Adagrad(Optimizer):
    """v := v + g²,  θ := θ − α g / (√v + ε).

    Duchi, Hazan, Singer 2011, "Adaptive subgradient methods", section 1.1, with diagonal matrices.
    """

    type: Literal["adagrad"] = "adagrad"
    learning_rate: Rate = 0.01
    epsilon: Small = 1e-10

    def scalars(self, update: Update, rate: str) -> dict[str, sp.Expr]:
        """The rate α and ε."""
        return {"rate": self.rate(update, rate, self.learning_rate), "epsilon": update.scalar("epsilon", r"\varepsilon", self.epsilon)}

    def step(self, slot: Slot, rate: sp.Expr, epsilon: Access) -> None:
        """Write the next sum of squares and the next value."""
        v, g = slot.state("v"), slot.cotangent
        v = slot.assign(v, v + g**2)
        slot.assign(slot.value, slot.value - rate * g / (sp.sqrt(v) + epsilon))


@optimizer
class RMSProp(Optimizer):
    """v := β v + (1−β) g²,  θ := θ − α g / (√v + ε); centred with √(v − m²), m := β m + (1−β) g; with momentum u := μ u + g/(√v + ε).

    Tieleman & Hinton 2012, lecture 6.5 of "Neural networks for machine learning"; centred: Graves 2013, "Generating sequences with
    recurrent neural networks", eq. (38–45), with ε outside the root as in PyTorch.
    """

    type: Literal["rmsprop"] = "rmsprop"
    learning_rate: Rate = 0.01
    beta: Share = 0.99
    epsilon: Small = 1e-8
    momentum: Share = 0.0
    centered: bool = False
    letters: ClassVar[frozenset[str]] = frozenset({"m", "v", "u"})

    def scalars(self, update: Update, rate: str) -> dict[str, sp.Expr]:
        """The rate α, β, ε, and μ of the momentum."""
        made = {"rate": self.rate(update, rate, self.learning_rate), "beta": update.scalar("beta", r"\beta", self.beta),
                "epsilon": update.scalar("epsilon", r"\varepsilon", self.epsilon)}
        return {**made, "mu": update.scalar("mu", r"\mu", self.momentum) if self.momentum else None}

    def step(self, slot: Slot, rate: sp.Expr, beta: Access, epsilon: Access, mu: Access | None) -> None:
        """Write the next moments and the next value."""
        v, g = slot.state("v"), slot.cotangent
        square = slot.assign(v, beta * v + (1 - beta) * g**2)
        if self.centered:
            m = slot.state("m")
            m = slot.assign(m, beta * m + (1 - beta) * g)
            square = maximum(square - m**2, 0)
        change = g / (sp.sqrt(square) + epsilon)
        if mu is not None:
            u = slot.state("u")
            change = slot.assign(u, mu * u + change)
        slot.assign(slot.value, slot.value - rate * change)


@optimizer
class Adam(Optimizer):
    """m := β₁ m + (1−β₁) g,  v := β₂ v + (1−β₂) g²,  θ := θ − α m̂ / (√v̂ + ε) with m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ).

    Kingma & Ba 2015, "Adam: a method for stochastic optimization", algorithm 1.
    """

    type: Literal["adam"] = "adam"
    learning_rate: Rate = 1e-3
    beta_1: Share = 0.9
    beta_2: Share = 0.999
    epsilon: Small = 1e-8

    def scalars(self, update: Update, rate: str) -> dict[str, sp.Expr]:
        """The rate α, β₁, β₂, ε, and the number t of the step."""
        constants = {name: update.scalar(name, symbol, getattr(self, name)) for name, symbol in
                     (("beta_1", r"{\beta_1}"), ("beta_2", r"{\beta_2}"), ("epsilon", r"\varepsilon"))}
        steps = update.advance(update.scalar("step", "t", 0, "state"))
        return {"rate": self.rate(update, rate, self.learning_rate, steps), **constants, "steps": steps}

    def step(self, slot: Slot, **scalars: sp.Expr) -> None:
        """Write the next moments, their corrections, and the next value."""
        slot.assign(slot.value, slot.value - self.change(slot, **scalars))

    def change(self, slot: Slot, rate: sp.Expr, beta_1: Access, beta_2: Access, epsilon: Access, steps: Access) -> sp.Expr:
        """Write the next moments and their corrections; answer what is subtracted from the parameter."""
        m, v, g = slot.state("m"), slot.state("v"), slot.cotangent
        m = slot.assign(m, beta_1 * m + (1 - beta_1) * g)
        v = slot.assign(v, beta_2 * v + (1 - beta_2) * g**2)
        m = slot.helper("m", m / (1 - beta_1**steps))
        v = slot.helper("v", v / (1 - beta_2**steps))
        return rate * m / (sp.sqrt(v) + epsilon)


@optimizer
class AdamW(Adam):
    """Adam with weights that decay by themselves: θ := (1 − α λ) θ − α m̂ / (√v̂ + ε), with m̂ and v̂ of Adam.

    Loshchilov & Hutter 2019, "Decoupled weight decay regularization", algorithm 2, with α λ for the rate of decay as in PyTorch.
    """

    type: Literal["adamw"] = "adamw"
    weight_decay: Penalty = 0.01

    def step_of(self, slot: Slot, decay: sp.Expr, scalars: Mapping[str, sp.Expr]) -> None:
        """The decay stays apart from the gradient."""
        super().step_of(slot, sp.S.Zero, {**scalars, "decay": decay})

    def step(self, slot: Slot, decay: sp.Expr, **scalars: sp.Expr) -> None:
        """Write the equations of Adam with a smaller parameter."""
        change = self.change(slot, **scalars)
        slot.assign(slot.value, (1 - scalars["rate"] * decay) * slot.value - change)
