"""Rung 4: the lines that generated code consists of, readable and planned, run by NumPy and compared with the oracle."""
from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from symbp.arrays import lower
from symbp.certify.numeric import Point, worst
from symbp.certify.result import FAILED, NOT_RUN, PASSED, RungResult
from symbp.derivation import Derivation
from symbp.derivation.options import Options
from symbp.derivation.program import textbook_program
from symbp.errors import LanguageError
from symbp.language.program import Program
from symbp.passes.needless import without_needless
from symbp.passes.prune import prune
from symbp.passes.stabilise import stabilise
from symbp.printing.numpy import NumpyPrinter
from symbp.printing.planned import PlannedPrinter, allocations
from symbp.spelling import spell

AGREEMENT = 1e-10


def lowered(point: Point) -> dict[str, RungResult]:
    """The rung for every gradient; not run, with the reason, where a program has no code."""
    names = point.derivative.wrt
    try:
        program, gradients = _program(point)
        program = without_needless(prune(program, gradients.values()), gradients.values())
        found = [run_lines(program, point, planned) for planned in (False, True)]
    except LanguageError as error:
        return {name: RungResult("lowered", NOT_RUN, None, str(error)) for name in names}
    return {name: _compared(point.gradient(name), [arrays[gradients[name]] for arrays in found]) for name in names}


def _program(point: Point) -> tuple[Program, dict[str, str]]:
    """The program that code is made of, and the tensor of each gradient; with a seed, the adjoint program itself."""
    derivative = point.derivative
    if point.program.tensor(derivative.of).shape:
        return stabilise(derivative.program), {n: derivative.names[n] for n in derivative.wrt}
    derivation = Derivation(point.program, derivative.of, derivative.wrt, Options(activation_derivatives="folded"))
    return stabilise(textbook_program(derivation)), derivation.gradients


def _compared(expected: np.ndarray, found: Iterable[np.ndarray]) -> RungResult:
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    errors = [float(np.max(np.abs(array - expected), initial=0.0)) if array.shape == expected.shape else math.inf for array in found]
    error = worst(errors) / scale
    return RungResult("lowered", PASSED if error < AGREEMENT else FAILED, error, "NumPy against the oracle")


def run_lines(program: Program, point: Point, planned: bool) -> dict[str, np.ndarray]:
    """Run the lines of a program in float64; answers its arrays by tensor name.

    The lines are those that symbp printed from the program; nothing of a user's text is in them but names that `spell` has cleaned.
    """
    given = {**point.sample.values, **({point.derivative.seed: point.seed} if point.derivative.seed else {})}
    names = spell(program)
    printer = NumpyPrinter(names)
    if planned:
        plan = PlannedPrinter(printer)
        lines = plan.lines(lower(program))
        buffers = plan.buffers.values()
        lines = [*plan.helpers, *(f"{b.name} = {text}" for b, text in zip(buffers, allocations(buffers, printer))), *lines]
    else:
        lines = list(printer.lines(lower(program)))
    space: dict[str, Any] = {"np": np, "math": math, "functools": functools, "dtype": np.float64, "erf": erf, **point.sample.sizes}
    space |= {names[t.name]: np.array(given[t.name], dtype=np.int64 if t.dtype == "int" else np.float64) for t in program.inputs}
    with np.errstate(all="ignore"):
        exec("\n".join(lines), space)  # noqa: S102 - our own lines
    return {t.name: np.asarray(space[names[t.name]]) for t in program.tensors}


def erf(x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """The error function, as generated modules define it."""
    values = np.asarray(np.frompyfunc(math.erf, 1, 1)(x), dtype=np.float64)
    if out is None:
        return values
    np.copyto(out, values)
    return out
