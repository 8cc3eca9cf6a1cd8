"""Optimisers: the next values of parameters and states, as equations of the same language.

To add one, subclass `Optimizer` with its settings as typed fields, `scalars` that all parameters share, and a `step`
that writes the equations of one parameter, and decorate it with `@optimizer`.  A next value is a
tensor with `next_of`; it prints as `W := …`.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import sympy as sp
from pydantic import Field

from symbp.language import Equation, Index, Loop, NameSupply, Program, Statement, Tensor, walk
from symbp.language.tensor import Access
from symbp.notation import tex
from symbp.settings import NetworkError, Settings, kinds

Rate = Annotated[float, Field(gt=0, le=1e6)]
Decay = Annotated[float, Field(ge=0, lt=1)]


class Update:
    """The update of a program under construction: constants, states and next values.

    values: the number of each constant, and the start of each scalar state, by tensor name.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.names = NameSupply({t.name for t in program.tensors} | {i.name for i in program.indices})
        self.statements: list[Statement] = []
        self.values: dict[str, float] = {}
        self._tensors: dict[str, Tensor] = {}
        self._written = _plain_writes(program)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The constants, states and next values."""
        return tuple(self._tensors.values())

    def scalar(self, name: str, symbol: str, value: float, role: str = "constant") -> Access:
        """A scalar constant or state with its value."""
        tensor = self.add(Tensor(self.names.fresh(name), role=role, symbol=symbol))
        self.values[tensor.name] = value
        return tensor[()]

    def advance(self, scalar: Access) -> Access:
        """The scalar state + 1."""
        following = self.following(scalar.name, ())
        self.statements.append(Equation(following, scalar + 1, label="update"))
        return following

    def of(self, parameter: Tensor, gradient: Tensor) -> Slot:
        """Where the update of one parameter is written."""
        indices, loop = self._written.get(gradient.name, (None, None))
        if indices is None:
            indices = tuple(Index(self.names.fresh("i"), e, o) for e, o in zip(parameter.shape, parameter.origin, strict=True))
        return Slot(self, parameter, gradient, indices, loop)

    def extended(self) -> Program:
        """The program with the update behind its own statements."""
        return self.program.extended(self.tensors, self.statements)

    def add(self, tensor: Tensor) -> Tensor:
        """Add a tensor."""
        self._tensors[tensor.name] = tensor
        return tensor

    def following(self, name: str, indices: tuple[Index, ...]) -> Access:
        """The element of a tensor's next value."""
        old = self._tensors.get(name) or self.program.tensor(name)
        return self.add(Tensor(self.names.fresh(f"{name}_next"), old.shape, origin=old.origin, level_axis=old.level_axis,
                               next_of=name))[indices]


def _plain_writes(program: Program) -> dict[str, tuple[tuple[Index, ...], Index | None]]:
    """For each tensor that is written at plain indices: these, and the index of the loop that it is written in."""
    found: dict[str, tuple[tuple[Index, ...], Index | None]] = {}
    for equation, loops in walk(program.statements):
        at = equation.target.indices
        if all(isinstance(i, Index) for i in at) and len(set(at)) == len(at):
            found.setdefault(equation.target.name, (at, next((lp.index for lp in loops if lp.index in at), None)))
    return found


@dataclass
class Slot:
    """The update of one parameter: its element, its gradient's element, and the equations about them."""

    update: Update
    tensor: Tensor
    bar: Tensor
    indices: tuple[Index, ...]
    loop: Index | None

    @property
    def value(self) -> Access:
        """The parameter's element."""
        return self.tensor[self.indices]

    @property
    def cotangent(self) -> Access:
        """The gradient's element."""
        return self.bar[self.indices]

    def state(self, letter: str) -> Access:
        """A state of the parameter's shape, 0 at the start, such as v for the velocity."""
        return self._like(f"{letter}_{self.tensor.name}", letter, "state")[self.indices]

    def helper(self, letter: str, body: sp.Expr) -> Access:
        """A helper of the parameter's shape, such as the corrected moment."""
        made = self._like(f"{letter}hat_{self.tensor.name}", rf"\hat{{{letter}}}", "intermediate")[self.indices]
        self._write(made, body)
        return made

    def assign(self, old: Access, body: sp.Expr) -> Access:
        """Write the next value of a parameter or state."""
        made = self.update.following(old.name, self.indices)
        self._write(made, body)
        return made

    def _like(self, name: str, letter: str, role: str) -> Tensor:
        base = self.tensor
        bare = f"{letter}_{{{base.symbol or tex(base.name)}}}"
        symbol = f"{{[{bare}]}}" if base.shape else f"{{{{}}{bare}}}"  # {{}} first: TeX unwraps a group that is one accent
        return self.update.add(Tensor(self.update.names.fresh(name), base.shape, role=role, symbol=symbol, level=base.level,
                                       origin=base.origin, level_axis=base.level_axis))

    def _write(self, target: Access, body: sp.Expr) -> None:
        equation = Equation(target, body, label="update")
        self.update.statements.append(Loop(self.loop, "ascending", (equation,)) if self.loop else equation)


class Optimizer(Settings, ABC):
    """An optimiser: its settings, and its update as equations.  A subclass narrows `type`.

    decay: κ, by which the learning rate falls as α/(1 + κ (t − 1)) with the step t; 0 for a constant rate.
    """

    type: str
    decay: Annotated[float, Field(ge=0, le=1)] = 0.0

    def update(self, program: Program, gradients: Mapping[str, str], learning_rate: str = "alpha") -> Update:
        """The update for a program that holds the gradients; `gradients` names the gradient's tensor of each parameter.

        `.extended()` of the answer is the program with the new values, tensors with `next_of`; `.values` has the numbers.
        """
        made = Update(program)
        scalars = self.scalars(made, learning_rate)
        for name, gradient in gradients.items():
            self.step(made.of(program.tensor(name), program.tensor(gradient)), **scalars)
        return made

    def scalars(self, update: Update, rate: str) -> dict[str, sp.Expr]:
        """The constants and scalar states that all parameters share; they become arguments of `step`."""
        return {"rate": self.rate(update, rate, self.learning_rate)}

    def rate(self, update: Update, letter: str, value: float, steps: Access | None = None) -> sp.Expr:
        """The learning rate α, or with a decay κ, α/(1 + κ (t − 1)) in step t = 1, 2, …"""
        alpha = update.scalar(letter, tex(letter), value)
        if self.decay == 0:
            return alpha
        steps = update.advance(update.scalar("step", "t", 0, "state")) if steps is None else steps
        return alpha / (1 + update.scalar("kappa", r"\kappa", self.decay) * (steps - 1))

    @abstractmethod
    def step(self, slot: Slot, **scalars: Access) -> None:
        """Write the equations of one parameter."""


OPTIMIZERS: dict[str, type[Optimizer]] = {}
"""Every kind of optimiser by the `type` that a network file writes."""


def optimizer(cls: type[Optimizer]) -> type[Optimizer]:
    """Register a class of optimisers under its types."""
    OPTIMIZERS.update(dict.fromkeys(kinds(cls), cls))
    return cls


@optimizer
class GradientDescent(Optimizer):
    """θ := θ − α g."""

    type: Literal["gd"] = "gd"
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
class Adam(Optimizer):
    """m := β₁ m + (1−β₁) g,  v := β₂ v + (1−β₂) g²,  θ := θ − α m̂ / (√v̂ + ε) with m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ)."""

    type: Literal["adam"] = "adam"
    learning_rate: Rate = 1e-3
    beta_1: Decay = 0.9
    beta_2: Decay = 0.999
    epsilon: Annotated[float, Field(gt=0, le=1)] = 1e-8

    def scalars(self, update: Update, rate: str) -> dict[str, sp.Expr]:
        """The rate α, β₁, β₂, ε, and the number t of the step."""
        constants = {name: update.scalar(name, symbol, getattr(self, name)) for name, symbol in
                     (("beta_1", r"{\beta_1}"), ("beta_2", r"{\beta_2}"), ("epsilon", r"\varepsilon"))}
        steps = update.advance(update.scalar("step", "t", 0, "state"))
        return {"rate": self.rate(update, rate, self.learning_rate, steps), **constants, "steps": steps}

    def step(self, slot: Slot, rate: sp.Expr, beta_1: Access, beta_2: Access, epsilon: Access, steps: Access) -> None:
        """Write the next moments, their corrections, and the next value."""
        m, v, g = slot.state("m"), slot.state("v"), slot.cotangent
        m = slot.assign(m, beta_1 * m + (1 - beta_1) * g)
        v = slot.assign(v, beta_2 * v + (1 - beta_2) * g**2)
        m = slot.helper("m", m / (1 - beta_1**steps))
        v = slot.helper("v", v / (1 - beta_2**steps))
        slot.assign(slot.value, slot.value - rate * m / (sp.sqrt(v) + epsilon))
