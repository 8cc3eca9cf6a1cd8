"""What all optimisers share: the learning rate and its schedule, weight decay, and clipping, all as equations.

To add an optimiser, subclass `Optimizer` with its settings as typed fields, `scalars` that all parameters share, and a `step`
that writes the equations of one parameter, and decorate it with `@optimizer`.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import sympy as sp
from pydantic import Field

from symbp.calculus.local import partial
from symbp.language import Program
from symbp.language.functions import maximum, minimum
from symbp.language.tensor import Access
from symbp.notation import tex
from symbp.optim.schedules import SCHEDULES, Inverse, Schedule
from symbp.optim.update import Slot, Update
from symbp.settings import NetworkError, Settings, kinds, place, read_typed

Rate = Annotated[float, Field(gt=0, le=1e6)]
Share = Annotated[float, Field(ge=0, lt=1)]
Small = Annotated[float, Field(gt=0, le=1)]
Penalty = Annotated[float, Field(ge=0, le=1e6)]


class Optimizer(Settings, ABC):
    """An optimiser: its settings, and its update as equations.  A subclass narrows `type`.

    schedule: how the learning rate changes with the step t (see `symbp.optim.schedules`).  decay: κ, short for a schedule of the type
    "inverse".  weight_decay: λ of the penalty λ/2 Σ θ², whose gradient is added to that of the loss; decay_biases = False leaves out
    the parameters of fewer than two axes.  clip_norm: the largest norm of all gradients together; clip_value: the largest entry of one.
    Clipping comes first, and what decays the weights is not clipped, as where `torch.nn.utils.clip_grad_norm_` stands before a step.
    """

    type: str
    schedule: dict[str, Any] | None = None
    decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    weight_decay: Penalty = 0.0
    decay_biases: bool = True
    clip_norm: Rate | None = None
    clip_value: Rate | None = None

    letters: ClassVar[frozenset[str]] = frozenset({"m", "v"})
    """Letters of the states, which no index has."""

    def model_post_init(self, _context: object) -> None:
        """Refuse keys that contradict each other, and read the schedule."""
        if self.clip_norm is not None and self.clip_value is not None:
            raise NetworkError("clip_norm and clip_value cannot both be given; remove one of the two")
        if not self.decay_biases and self.weight_decay == 0:
            raise NetworkError("decay_biases = false says which parameters decay, but weight_decay is 0; give weight_decay, "
                               "or remove decay_biases")
        if self.decay and self.schedule is not None:
            raise NetworkError("decay and schedule both say how the learning rate falls; remove one of the two")
        rate = getattr(self, "learning_rate", None)
        lowest = getattr(self.scheduled, "lowest", 0.0)
        if rate is not None and lowest > rate:
            raise NetworkError(f"schedule: lowest = {lowest!r} is above learning_rate = {rate!r}")

    @property
    def scheduled(self) -> Schedule | None:
        """The schedule of the learning rate; None where it stays as it is."""
        if self.schedule is None:
            return Inverse(decay=self.decay) if self.decay else None
        with place("schedule"):
            return read_typed(SCHEDULES, self.schedule, "schedule")

    def update(self, program: Program, gradients: Mapping[str, str], learning_rate: str = "alpha") -> Update:
        """The update for a program that holds the gradients; `gradients` names the gradient's tensor of each parameter.

        `.extended()` of the answer is the program with the new values, tensors with `next_of`; `.values` has the numbers.
        """
        made = Update(program)
        slots = [made.of(program.tensor(name), program.tensor(gradient)) for name, gradient in gradients.items()]
        scalars = self.scalars(made, learning_rate)
        decay = made.scalar("weight_decay", r"\lambda", self.weight_decay) if self.weight_decay else sp.S.Zero
        self.clip(made, slots)
        for slot in slots:
            self.step_of(slot, decay if self.decay_biases or slot.has_rows else sp.S.Zero, scalars)
        return made

    def clip(self, update: Update, slots: Sequence[Slot]) -> None:
        """Clip the gradients: g := g · min(c/(‖g‖ + ε), 1) with the norm over all parameters, or each entry to [−c, c].

        Pascanu, Mikolov, Bengio 2013, "On the difficulty of training recurrent neural networks", algorithm 1; ε is PyTorch's 1e-6.
        """
        if self.clip_norm is not None:
            squares = update.total("squares", r"{\left\lVert g \right\rVert^2}", [(s, s.cotangent**2) for s in slots])
            bound, tiny = update.scalar("clip_norm", "c", self.clip_norm), update.scalar("clip_epsilon", r"{\varepsilon_c}", 1e-6)
            scale = update.define("scale", "s", minimum(bound / (sp.sqrt(squares) + tiny), 1))
            for slot in slots:
                slot.changed = scale * slot.cotangent
        if self.clip_value is not None:
            bound = update.scalar("clip_value", "c", self.clip_value)
            for slot in slots:
                slot.changed = minimum(maximum(slot.cotangent, -bound), bound)

    def step_of(self, slot: Slot, decay: sp.Expr, scalars: Mapping[str, sp.Expr]) -> None:
        """Write the equations of one parameter, with the gradient of the penalty λ/2 θ² added to that of the loss."""
        if decay != 0:
            slot.changed = slot.cotangent + partial(decay * slot.value**2 / 2, slot.value)
        if slot.changed is not None:
            slot.changed = slot.helper("g", slot.changed, "tilde")
        self.step(slot, **scalars)

    def scalars(self, update: Update, rate: str) -> dict[str, sp.Expr]:
        """The constants and scalar states that all parameters share; they become arguments of `step`."""
        return {"rate": self.rate(update, rate, self.learning_rate)}

    def rate(self, update: Update, letter: str, value: float, steps: Access | None = None) -> sp.Expr:
        """The learning rate α, or with a schedule that of step t = 1, 2, …"""
        alpha = update.scalar(letter, tex(letter), value)
        if self.scheduled is None:
            return alpha
        steps = update.advance(update.scalar("step", "t", 0, "state")) if steps is None else steps
        return update.define("rate", f"{{{tex(letter)}_t}}", self.scheduled.rate(update, alpha, steps))

    @abstractmethod
    def step(self, slot: Slot, **scalars: Access) -> None:
        """Write the equations of one parameter."""


OPTIMIZERS: dict[str, type[Optimizer]] = {}
"""Every kind of optimiser by the `type` that a network file writes."""


def optimizer(cls: type[Optimizer]) -> type[Optimizer]:
    """Register a class of optimisers under its types."""
    OPTIMIZERS.update(dict.fromkeys(kinds(cls), cls))
    return cls


__all__ = ["OPTIMIZERS", "Optimizer", "Penalty", "Rate", "Share", "Small", "Slot", "Update", "optimizer"]
