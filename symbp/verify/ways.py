"""The ways in which a text may have calculated its lines: as the program is differentiated, or by the derivation's own lines.

Stage: text + quantities → programs with the update of a step, and where each of them holds what is claimed.  A number that is
calculated from printed digits depends on the way: σ′(z) is worked out from a printed z, or as a (1 − a) from a printed a.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from symbp.derivation.derivation import Derivation
from symbp.derivation.options import Options
from symbp.derivation.program import textbook_program
from symbp.errors import LanguageError
from symbp.language.equation import Equation
from symbp.language.names import NameSupply
from symbp.language.program import Program
from symbp.language.tensor import Access, Tensor
from symbp.optim.base import Update
from symbp.passes.prune import prune
from symbp.verify.claimfile import Text
from symbp.verify.quantity import Quantities, scalar
from symbp.verify.wording import Quantity

KINDS = ("folded", "kept")


@dataclass
class Way:
    """One way of calculating.

    program: forward lines, derivatives, claimed expressions and the update.  next: for each parameter and state the tensor of its
    next value.  start: states and constants of the update before the first step.  place: what the tensors of `Quantities` are called here.
    """

    program: Program
    next: Mapping[str, str] = field(default_factory=dict)
    start: Mapping[str, np.ndarray] = field(default_factory=dict)
    place: Mapping[str, str] | None = None

    def locate(self, quantity: Quantity) -> str | None:
        """The tensor that holds a quantity here."""
        name = quantity.tensor if self.place is None else self.place.get(quantity.tensor)
        return name if name is not None and name in self.program else None

    def only(self, quantities: Iterable[Quantity], steps: bool) -> Way:
        """The way with what these quantities need, and with `steps` the update."""
        targets = [name for q in quantities if (name := self.locate(q)) is not None]
        following = self.next if steps else {}
        program = prune(self.program, dict.fromkeys([*targets, *following.values()]))
        given = [self.program.tensor(name) for name in dict.fromkeys(targets) if name not in program]
        return Way(replace(program, tensors=(*program.tensors, *given)), following, self.start, self.place)


def plain(quantities: Quantities) -> Way:
    """The forward program and its adjoint, as the claims' quantities name them."""
    return Way(quantities.program, **_steps(quantities.update, quantities.program))


def textbook(text: Text, quantities: Quantities, kind: str, of: str, wanted: Sequence[Quantity]) -> Way | None:
    """The derivation's own lines of a number's derivatives, with σ′(z) kept or folded into the printed activations; None without such.

    Only where the number is the loss are there steps.
    """
    parameters = [t.name for t in text.program.parameters] if of == text.loss else []
    by = dict.fromkeys([*parameters, *(q.by for q in wanted if q.of == of)])
    try:
        name, program = scalar(text.program, of)
        derivation = Derivation(program, name, by, Options(activation_derivatives=kind))
        program = textbook_program(derivation)
        bars = {name: bar for name, bar in derivation.derivative.names.items() if program.definition(bar)} | dict(derivation.gradients)
        place = {t.name: t.name for t in text.program.tensors}
        place |= {bar: bars[name] for name, bar in quantities.derivatives.get(of, {}).items() if name in bars}
        update = None
        if quantities.update is not None and of == text.loss:
            update = text.optimizer.update(program, {t.name: bars[t.name] for t in text.program.parameters})
            program = update.extended()
            place |= {ours.name: theirs.name for ours, theirs in zip(quantities.update.tensors, update.tensors, strict=True)}
        program, place = _with_expressions(program, place, quantities)
        return Way(program, place=place, **_steps(update, program))
    except (LanguageError, KeyError, ValueError):
        return None


def _steps(update: Update | None, program: Program) -> dict[str, Mapping]:
    """What an update adds to a way."""
    if update is None:
        return {"next": {}, "start": {}}
    start = {t.name: np.array(Fraction(repr(update.values.get(t.name, 0)))) for t in update.tensors
             if not t.next_of and not program.definition(t.name) and not t.shape}
    start |= {t.name: np.full(tuple(int(e) for e in t.shape), Fraction(0)) for t in update.tensors
              if t.role == "state" and t.shape and all(e.is_Integer for e in t.shape)}
    return {"next": {t.next_of: t.name for t in update.tensors if t.next_of}, "start": start}


def _with_expressions(program: Program, place: dict[str, str], quantities: Quantities) -> tuple[Program, dict[str, str]]:
    """The program with the claims' expressions over its own tensors, where it has all that they read."""
    names = NameSupply({t.name for t in program.tensors} | {i.name for i in program.indices})
    tensors: list[Tensor] = []
    equations: list[Equation] = []
    for made, lines in quantities.expressions:
        inner = {t.name: names.fresh(t.name) for t in made}
        known = {**place, **inner}
        read = {a.name for eq in lines for e in eq.expressions for a in e.atoms(Access)}
        if read <= {*known}:
            place |= inner
            tensors += [Tensor(inner[t.name], t.shape, origin=t.origin, auxiliary=t.auxiliary) for t in made]
            equations += [_renamed(eq, known) for eq in lines]
    return program.extended(tensors, equations), place


def _renamed(equation: Equation, names: Mapping[str, str]) -> Equation:
    return equation.map(lambda e: e.replace(lambda a: isinstance(a, Access), lambda a: Access(names[a.name], *a.indices)))
