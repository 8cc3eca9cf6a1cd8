"""The right values of what a person's code is given and should answer, at several random points on the facts.

Stage: text + quantity as text → array.  `W1`, `dL/dW1`, `W1 after 1`, `rate`, `0.5`, or a formula such as `\\sigma'(z)`.
"""
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from symbp.certify.sample import draw
from symbp.errors import SymbpError
from symbp.interpret import interpret
from symbp.language.program import Program
from symbp.passes.prune import prune
from symbp.suggest import nearest
from symbp.verify.binding import RATE
from symbp.verify.claimfile import Text
from symbp.verify.formulas import Formulas
from symbp.verify.listing import CodeError
from symbp.verify.quantity import QUOTIENT

SEEDS = (0, 1, 2)
AFTER = re.compile(r"\s*(?P<name>[A-Za-z_]\w*)\s+after\s+1\s*")
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")


class Known:
    """The values of a text's quantities at random points.

    sizes: those of the draw, such as N.
    """

    def __init__(self, text: Text) -> None:
        self.text = text
        self.formulas = Formulas(text)
        self.samples = {seed: draw(text.program, seed) for seed in SEEDS}
        self._found: dict[tuple[int, str], np.ndarray] = {}

    @property
    def sizes(self) -> Mapping[str, Any]:
        """The sizes that were drawn."""
        return self.samples[SEEDS[0]].sizes

    def value(self, seed: int, quantity: str) -> np.ndarray:
        """The value of a quantity at one point; raises `SymbpError` for what has none."""
        if (seed, quantity) not in self._found:
            self._found[seed, quantity] = np.asarray(self._value(seed, quantity))
        return self._found[seed, quantity]

    def tensor(self, quantity: str) -> str:
        """The forward tensor whose shape a quantity has, or ""."""
        quantity = self.text.names.get(quantity, quantity)
        after, quotient = AFTER.fullmatch(quantity), QUOTIENT.fullmatch(quantity)
        name = after["name"] if after else quotient["by"].strip() if quotient else quantity
        return name if name in self.text.program else ""

    def _value(self, seed: int, quantity: str) -> Any:
        after, quotient = AFTER.fullmatch(quantity), QUOTIENT.fullmatch(quantity)
        if NUMBER.fullmatch(quantity):
            return float(quantity)
        if quantity == RATE:
            return self.rate
        if after:
            return self._following(seed, after["name"])
        if quotient:
            return self.formulas.derivative(seed, quotient["of"].strip(), quotient["by"].strip())
        found = self.formulas.value(seed, quantity)
        return self._formula(seed, quantity) if found is None else found

    @property
    def rate(self) -> float:
        """The learning rate of the text's optimiser."""
        rate = getattr(self.text.optimizer, "learning_rate", None)
        if rate is None:
            raise CodeError("the code takes a learning rate, so the file needs an [optimizer] with a learning_rate")
        return float(rate)

    def _following(self, seed: int, name: str) -> np.ndarray:
        """A parameter after one update, states being 0 before."""
        text = self.text
        if name not in {t.name for t in text.program.parameters}:
            raise CodeError(f"{name!r} is no parameter that an update changes{nearest(name, [t.name for t in text.program.parameters])}")
        if text.optimizer is None or not text.loss:
            raise CodeError(f"{name} after an update needs an [optimizer] and a loss")
        bars = self.formulas.quantities.adjoint(text.loss)
        made = text.optimizer.update(self.formulas.quantities.program, {t.name: bars[t.name] for t in text.program.parameters})
        program = prune(made.extended(), [next(t.name for t in made.tensors if t.next_of == name)])
        sample = self.samples[seed]
        given = {t.name: sample.values[t.name] if t.name in sample.values else
                 start(program, t.name, made.values) for t in program.inputs}
        arrays = interpret(program, given, sample.sizes, functions=sample.functions, facts=False)
        return arrays[next(t.name for t in program.tensors if t.next_of == name)]

    def _formula(self, seed: int, quantity: str) -> np.ndarray:
        """An expression as formulas are written, σ'(z) for instance."""
        try:
            return self.formulas.expression(seed, quantity)
        except SymbpError as error:
            known = [*(t.name for t in self.text.program.tensors), *self.text.names]
            raise CodeError(f"{quantity!r} is no quantity here{nearest(quantity, known)} ({error})") from None


def start(program: Program, name: str, values: Mapping[str, float]) -> np.ndarray:
    """A constant or state of an optimiser before the first step: its number, or zeros."""
    return np.full(tuple(int(e) for e in program.tensor(name).shape), values.get(name, 0.0))
