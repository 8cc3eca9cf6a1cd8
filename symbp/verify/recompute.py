"""Calculates what is claimed again: exactly from the text's inputs, and from the digits that the text prints before.

Stage: text + quantities → for each claim what the digits should be.  Four runs of the same program: exact numbers; every
printed number taken at its digits; every printed number as the interval that rounds to them; and labels instead of numbers,
which tell the printed numbers that a line was calculated from.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from symbp.arrays import lower
from symbp.derivation.derivation import Derivation
from symbp.derivation.options import Options
from symbp.derivation.program import textbook_program
from symbp.errors import LanguageError, SymbpError
from symbp.interpret import interpret
from symbp.language.program import Program
from symbp.numbers import Numbers
from symbp.passes.prune import prune
from symbp.passes.stabilise import stabilise
from symbp.printing.numpy import NumpyPrinter
from symbp.spelling import spell
from symbp.verify.claimfile import Text
from symbp.verify.enclosures import Trace, Traces, enclosures
from symbp.verify.quantity import Quantities, Quantity

Bounds = tuple[Fraction, Fraction]

MANY_STEPS = 100
FLOAT_ERROR = Fraction(1, 10**9)


@dataclass
class Recomputed:
    """One claim's numbers, each with its error bounds.

    exact: from the text's inputs.  points: from the digits printed before, one for each way of writing the line.  ranges: the
    same from the intervals that round to those digits.  used: the claims that the line was calculated from.
    problem: why there is no number.
    """

    exact: Bounds | None = None
    points: list[Bounds] = field(default_factory=list)
    ranges: list[Bounds] = field(default_factory=list)
    used: frozenset[int] = frozenset()
    problem: str = ""


def recompute(text: Text) -> list[Recomputed]:
    """What each claim's number should be, in the order of the claims."""
    found = [Recomputed(problem=claim.problem) for claim in text.claims]
    quantities, where = Quantities(text), {}
    for k, claim in enumerate(text.claims):
        if claim.printed is not None:
            try:
                where[k] = quantities.find(claim.of)
            except SymbpError as error:
                found[k].problem = str(error)
    last = max((text.claims[k].after for k in where), default=0)
    if last and not (text.loss and text.optimizer):
        for k in [k for k in where if text.claims[k].after]:
            del where[k]
            found[k].problem = "a number after an update needs a loss in [network] and an [optimizer]"
        last = 0
    programs = [_Way(text, quantities.program, quantities, last > 0, where.values())]
    if text.loss and any(q.of == text.loss for q in where.values()) or last:
        programs += [way for kind in ("folded", "kept") if (way := _textbook(text, kind, last > 0, where.values())) is not None]
    _without_missing(text, programs[0], where, found)
    _run_all(text, programs, where, found, last)
    return found


class _Way:
    """One way of writing the calculation: a program with its update, and where it holds each quantity."""

    def __init__(self, text: Text, program: Program, quantities: Quantities | None, updates: bool, wanted: Iterable[Quantity],
                 bars: Mapping[str, str] | None = None) -> None:
        self.bars, self.next, self.start = bars, {}, {}
        if updates:
            gradients = quantities.adjoint(text.loss) if quantities is not None else bars
            program = quantities.program if quantities is not None else program
            made = text.optimizer.update(program, {t.name: gradients[t.name] for t in text.program.parameters})
            program = made.extended()
            self.next = {t.next_of: t.name for t in made.tensors if t.next_of}
            self.start = {t.name: np.array(Fraction(repr(made.values.get(t.name, 0)))) for t in made.tensors
                          if not t.next_of and not program.definition(t.name) and not t.shape}
            self.start |= {t.name: np.full(tuple(int(e) for e in t.shape), Fraction(0)) for t in made.tensors
                           if t.role == "state" and t.shape}
        self.program = program
        targets = [name for q in wanted if (name := self.locate(q)) is not None]
        self.program = prune(program, dict.fromkeys([*targets, *self.next.values()]))

    def locate(self, quantity: Quantity) -> str | None:
        """The tensor that holds a quantity here."""
        if self.bars is None:
            return quantity.tensor
        name = quantity.tensor
        if quantity.of:
            name = self.bars.get(quantity.by, "")
        return name if name in self.program else None


def _textbook(text: Text, kind: str, updates: bool, wanted: Iterable[Quantity]) -> _Way | None:
    """The derivation's own lines, with σ′(z) kept or folded into the printed activations."""
    wanted = [q for q in wanted if q.of in ("", text.loss)]
    by = dict.fromkeys([*(t.name for t in text.program.parameters), *(q.by for q in wanted if q.of)])
    try:
        derivation = Derivation(text.program, text.loss, by, Options(activation_derivatives=kind))
        program = textbook_program(derivation)
        bars = {name: bar for name, bar in derivation.derivative.names.items() if program.definition(bar)} | dict(derivation.gradients)
        return _Way(text, program, None, updates, [q for q in wanted if q.of and q.by in bars or q.tensor in text.program], bars)
    except (LanguageError, KeyError):
        return None


def _without_missing(text: Text, way: _Way, where: dict[int, Quantity], found: list[Recomputed]) -> None:
    """Take out the claims that need a value that the file does not give."""
    given = {*text.values, *way.start}
    missing = {t.name for t in way.program.inputs} - given
    for k in list(where) if missing else []:
        needs = sorted({t.name for t in prune(way.program, [where[k].tensor]).inputs} & missing)
        if needs or text.claims[k].after and missing:
            found[k].problem = f"[values] has no value for {', '.join(needs or sorted(missing))}, which this number needs"
            del where[k]
    if missing:
        way.program = prune(way.program, dict.fromkeys([*(q.tensor for q in where.values()),
                                                        *(way.next.values() if any(text.claims[k].after for k in where) else ())]))


def _run_all(text: Text, ways: Sequence[_Way], where: Mapping[int, Quantity], found: list[Recomputed], last: int) -> None:
    numbers = enclosures()
    if last > MANY_STEPS:
        for k, value in _float_run(text, ways[0], where, last).items():
            found[k].exact = value
        return
    for k, value in _run(text, ways[0], where, numbers, {}, last).items():
        found[k].exact = numbers.bounds(value)
    masks = [(text.claims[k].printed.value,) * 2 for k in where], [text.claims[k].printed.rounded for k in where]
    for way in ways:
        for kind, ends in zip(("points", "ranges"), masks):
            printed = {k: numbers.between(*pair) for k, pair in zip(where, ends)}
            for k, value in _run(text, way, where, numbers, printed, last).items():
                try:
                    getattr(found[k], kind).append(numbers.bounds(value))
                except LanguageError:
                    continue
        for k, labels in _run(text, way, where, Traces(), {k: Trace((k,)) for k in where}, last).items():
            found[k].used |= labels


def _run(text: Text, way: _Way, where: Mapping[int, Quantity], numbers: Numbers, printed: Mapping[int, Any], last: int) -> dict[int, Any]:
    """Each claim's value, all reads of claimed elements taking the printed ones; empty where the numbers break."""
    values: dict[str, Any] = {**text.values, **way.start}
    found: dict[int, Any] = {}
    for after in range(last + 1):
        here = {k: name for k, q in where.items() if text.claims[k].after == after and (name := way.locate(q)) in way.program}
        try:
            given = {t.name: values[t.name] for t in way.program.inputs}
            arrays = interpret(way.program, given, text.sizes, numbers=numbers, facts=False,
                               instead=_masks(way, text, where, here, printed, numbers))
        except (LanguageError, ArithmeticError, ValueError):
            return found
        found |= {k: arrays[name][where[k].at] for k, name in here.items()}
        values |= {old: arrays[new] for old, new in way.next.items()}
    return found


def _masks(way: _Way, text: Text, where: Mapping[int, Quantity], here: Mapping[int, str], printed: Mapping[int, Any],
           numbers: Numbers) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For each tensor with claimed elements which they are, and their printed values; those of the text's inputs stay."""
    masks: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for k, name in here.items() if printed else ():
        tensor = way.program.tensor(name)
        if tensor.dtype == "int":
            continue
        if name not in masks:
            shape = tuple(text.sizes.get(str(e), 0) or int(e) for e in tensor.shape)
            masks[name] = np.zeros(shape, dtype=bool), numbers.zeros(shape)
        masks[name][0][where[k].at] = True
        masks[name][1][where[k].at] = printed[k]
    return masks


def _float_run(text: Text, way: _Way, where: Mapping[int, Quantity], last: int) -> dict[int, Bounds]:
    """Many steps in double precision by the lines of generated code; a bound on the error is assumed, not proved."""
    program = stabilise(way.program)
    names = spell(program)
    code = compile("\n".join(NumpyPrinter(names).lines(lower(program))), "lines", "exec")
    space: dict[str, Any] = {"np": np, "dtype": np.float64, **text.sizes}
    values = {**text.values, **way.start}
    space |= {names[t.name]: values[t.name].astype(np.int64 if t.dtype == "int" else np.float64) for t in program.inputs}
    found: dict[int, Bounds] = {}
    times = {text.claims[k].after for k in where}
    for after in range(last + 1):
        exec(code, space)  # noqa: S102 - lines that were made here from equations
        for k, quantity in where.items() if after in times else ():
            if text.claims[k].after == after:
                value = float(np.asarray(space[names[quantity.tensor]])[quantity.at])
                if np.isfinite(value):
                    error = FLOAT_ERROR * max(1, abs(Fraction(value)))
                    found[k] = Fraction(value) - error, Fraction(value) + error
        space |= {names[old]: space[names[new]] for old, new in way.next.items()}
    return found
