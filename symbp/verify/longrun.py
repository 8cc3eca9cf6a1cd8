"""Many steps of training in floating point, by the lines of generated code, and how far they can be trusted.

Stage: way → the parameters and states before chosen steps, twice: in extended and in double precision.  How far what is calculated
from the two differs bounds the rounding of either.  Where there is no extended precision, a bound is assumed.
"""
from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from symbp.arrays import lower
from symbp.passes.prune import prune
from symbp.passes.stabilise import stabilise
from symbp.printing.numpy import NumpyPrinter
from symbp.spelling import spell
from symbp.verify.printed import Bounds
from symbp.verify.ways import Way

ASSUMED, LEAST = Fraction(1, 10**9), Fraction(1, 10**16)
"""Errors relative to a value's size: where there is only double precision, and at the least."""

State = dict[str, np.ndarray]
"""Arrays of exact fractions by the names of parameters and states."""

EXTENDED = np.finfo(np.longdouble).eps < np.finfo(np.float64).eps

Given = Callable[[int], Mapping[str, np.ndarray]]
"""The text's values that a step reads, as exact fractions."""


def long_run(way: Way, given: Given, wanted: Collection[int], sizes: Mapping[str, int]) -> dict[int, tuple[State, State]]:
    """The parameters and states before the wanted steps, the finer ones first; those that are not finite are left out."""
    rough = _run(way, given, wanted, sizes, np.float64)
    fine = _run(way, given, wanted, sizes, np.longdouble) if EXTENDED else rough
    finite = [step for step in fine if all(np.isfinite(v).all() for v in (*fine[step].values(), *rough[step].values()))]
    return {step: tuple({name: _fractions(value) for name, value in run[step].items()} for run in (fine, rough)) for step in finite}


def between(fine: Bounds, rough: Bounds) -> Bounds:
    """What a number lies between, of which two runs of different precision give these."""
    low, high = fine
    error = max(abs(low - rough[0]), abs(high - rough[1])) + (LEAST if EXTENDED else ASSUMED) * max(abs(low), abs(high))
    return low - error, high + error


def _run(way: Way, given: Given, wanted: Collection[int], sizes: Mapping[str, int], dtype: type) -> dict[int, dict[str, np.ndarray]]:
    program = stabilise(prune(way.program, dict.fromkeys(way.next.values())))
    names = spell(program)
    code = compile("\n".join(NumpyPrinter(names).lines(lower(program))), "lines", "exec")
    space: dict[str, Any] = {"np": np, "dtype": dtype, **sizes}
    kinds = {t.name: np.int64 if t.dtype == "int" else dtype for t in program.inputs}
    floats: dict[int, np.ndarray] = {}

    def place(values: Mapping[str, np.ndarray]) -> None:
        for name in kinds:
            if name in values:
                value = values[name]
                if id(value) not in floats:
                    floats[id(value)] = _floats(value, kinds[name])
                space[names[name]] = floats[id(value)]

    place(way.start)
    found: dict[int, dict[str, np.ndarray]] = {}
    first = given(0)
    place(first)
    moving = {*way.next}
    for step in range(max(wanted) + 1):
        if step:
            place({name: value for name, value in given(step).items() if name not in moving})
        if step in wanted:
            found[step] = {old: np.array(space[names[old]]) for old in way.next}
        if step < max(wanted):
            with np.errstate(all="ignore"):
                exec(code, space)  # noqa: S102 - lines that were made here from equations
            space |= {names[old]: space[names[new]] for old, new in way.next.items()}
    return found


def _floats(array: np.ndarray, dtype: type) -> np.ndarray:
    """Fractions in a kind of float, each rounded once or twice."""
    if dtype is not np.longdouble:
        return array.astype(dtype)
    found = np.empty(array.shape, dtype=dtype)
    for at in np.ndindex(array.shape):
        value = Fraction(array[at])
        high = np.longdouble(float(value))
        found[at] = high + np.longdouble(float(value - Fraction(float(value))))
    return found


def _fractions(array: np.ndarray) -> np.ndarray:
    """The exact values of floats of either kind."""
    found = np.empty(array.shape, dtype=object)
    for at in np.ndindex(array.shape):
        high = float(array[at])
        found[at] = Fraction(high) + Fraction(float(array[at] - array.dtype.type(high)))
    return found
