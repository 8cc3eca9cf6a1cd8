"""What an optimiser is: the next values of parameters and states, as equations of the same language.

A next value is a tensor with `next_of`; it prints as `W := …`.  Before a method sees a gradient it is clipped, and the gradient of
the penalty λ/2 θ² is added; the learning rate follows a schedule.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import sympy as sp
from pydantic import BeforeValidator, Field

from symbp.calculus.local import partial
from symbp.language import Equation, Index, Loop, NameSupply, Program, Statement, Tensor, walk
from symbp.language.functions import maximum, minimum
from symbp.language.tensor import Access
from symbp.notation import tex
from symbp.optim.schedules import Schedule, schedule_of
from symbp.settings import Settings, kinds

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
        self._step: Access | None = None

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The constants, states and next values."""
        return tuple(self._tensors.values())

    def scalar(self, name: str, symbol: str, value: float, role: str = "constant") -> Access:
        """A scalar constant or state with its value."""
        tensor = self.add(Tensor(self.names.fresh(name), role=role, symbol=symbol))
        self.values[tensor.name] = value
        return tensor[()]

    def step(self) -> Access:
        """The number t of the step, 1 at first."""
        if self._step is None:
            before = self.scalar("step", "t", 0, "state")
            self._step = self.following(before.name, ())
            self.statements.append(Equation(self._step, before + 1, label="update"))
        return self._step

    def named(self, name: str, symbol: str, body: sp.Expr) -> Access:
        """A scalar that is calculated once and used for all parameters."""
        target = self.add(Tensor(self.names.fresh(name), symbol=symbol))[()]
        self.statements.append(Equation(target, body, label="update"))
        return target

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
    prepared: Access | None = None

    @property
    def value(self) -> Access:
        """The parameter's element."""
        return self.tensor[self.indices]

    @property
    def cotangent(self) -> Access:
        """The gradient's element, clipped and with its penalty where an optimiser says so."""
        return self.gradient if self.prepared is None else self.prepared

    @property
    def gradient(self) -> Access:
        """The gradient's element as it was derived."""
        return self.bar[self.indices]

    def penalty(self, strength: Access) -> sp.Expr:
        """The derivative of λ/2 θ² by θ."""
        return partial(strength / 2 * self.value**2, self.value)

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

    decay: κ, by which the learning rate falls as α/(1 + κ (t − 1)) with the step t; 0 for a constant rate.  schedule: another course
    of the rate.  clip_norm: the largest norm of all gradients together; clip_value: the largest size of an element.
    weight_decay: λ of the penalty λ/2 Σ θ², whose gradient is added to the loss's.
    """

    type: str
    decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    schedule: Annotated[Schedule | None, BeforeValidator(schedule_of)] = None
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    clip_value: Annotated[float, Field(gt=0)] | None = None
    weight_decay: Annotated[float, Field(ge=0, lt=1e6)] = 0.0

    def update(self, program: Program, gradients: Mapping[str, str], learning_rate: str = "alpha") -> Update:
        """The update for a program that holds the gradients; `gradients` names the gradient's tensor of each parameter.

        `.extended()` of the answer is the program with the new values, tensors with `next_of`; `.values` has the numbers.
        """
        made = Update(program)
        scalars = self.scalars(made, learning_rate)
        slots = [made.of(program.tensor(name), program.tensor(gradient)) for name, gradient in gradients.items()]
        scale, bound = self._scale(made, slots), self._bound(made)
        penalty = made.scalar("weight_decay", r"\lambda", self.weight_decay) if self.weight_decay else None
        for slot in slots:
            self._prepare(slot, scale, bound, None if self.decoupled else penalty)
            self.step(slot, **scalars, **({"penalty": penalty} if self.decoupled else {}))
        return made

    @property
    def decoupled(self) -> bool:
        """Whether the penalty's gradient is kept apart from the loss's, and given to `step`."""
        return False

    def scalars(self, update: Update, rate: str) -> dict[str, Any]:
        """The constants and scalar states that all parameters share; they become arguments of `step`."""
        return {"rate": self.rate(update, rate, self.learning_rate)}

    def rate(self, update: Update, letter: str, value: float) -> sp.Expr:
        """The learning rate α; with a decay κ, α/(1 + κ (t − 1)) in step t = 1, 2, …; with a schedule α times its factor."""
        alpha: sp.Expr = update.scalar(letter, tex(letter), value)
        if self.decay:
            alpha = alpha / (1 + update.scalar("kappa", r"\kappa", self.decay) * (update.step() - 1))
        if self.schedule is None:
            return alpha
        factor = self.schedule.at(update)
        return update.named("rate", rf"{tex(letter)}_t", alpha * factor)

    def _scale(self, update: Update, slots: Iterable[Slot]) -> Access | None:
        """min(1, c/(‖g‖ + 10⁻⁶)), by which all gradients are multiplied (Pascanu et al. 2013, arXiv 1211.5063, algorithm 1)."""
        if self.clip_norm is None:
            return None
        square = update.add(Tensor(update.names.fresh("squared_norm"), symbol=r"\|g\|^2"))[()]
        update.statements += [Equation(square, slot.gradient**2, over=slot.indices, label="update") for slot in slots]
        most = update.scalar("clip_norm", "c", self.clip_norm)
        return update.named("scale", "s", minimum(1, most / (sp.sqrt(square) + sp.Rational(1, 10**6))))

    def _bound(self, update: Update) -> Access | None:
        return None if self.clip_value is None else update.scalar("clip_value", "c", self.clip_value)

    def _prepare(self, slot: Slot, scale: Access | None, bound: Access | None, penalty: Access | None) -> None:
        """Write the gradient that the method is to see, where that is not the derived one."""
        gradient: sp.Expr = slot.gradient if scale is None else scale * slot.gradient
        if bound is not None:
            gradient = maximum(-bound, minimum(bound, gradient))
        if penalty is not None:
            gradient += slot.penalty(penalty)
        if gradient != slot.gradient:
            slot.prepared = slot.helper("g", gradient)

    @abstractmethod
    def step(self, slot: Slot, **scalars: Access) -> None:
        """Write the equations of one parameter."""


OPTIMIZERS: dict[str, type[Optimizer]] = {}
"""Every kind of optimiser by the `type` that a network file writes."""


def optimizer(cls: type[Optimizer]) -> type[Optimizer]:
    """Register a class of optimisers under its types."""
    OPTIMIZERS.update(dict.fromkeys(kinds(cls), cls))
    return cls
