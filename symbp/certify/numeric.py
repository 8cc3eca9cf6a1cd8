"""Rung 2: the adjoint against the tangent (⟨u, Jv⟩ = ⟨Jᵀu, v⟩), and against central differences in float64."""
from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import sympy as sp

from symbp.calculus.differentiate import Derivative, tangent
from symbp.certify.result import FAILED, PASSED, RungResult
from symbp.certify.sample import Sample, shape
from symbp.interpret import interpret
from symbp.language import Loop, Program, Statement
from symbp.language.tensor import names_read

IDENTITY, DIFFERENCES, STEP, NOISE, SMALL = 1e-10, 1e-6, 1e-4, 1e-4, 1e-5


@dataclass(frozen=True)
class Point:
    """One evaluated adjoint: the sample, the seed u of `of`, and all arrays."""

    program: Program
    derivative: Derivative
    sample: Sample
    seed: np.ndarray
    arrays: Mapping[str, np.ndarray]

    @classmethod
    def at(cls, program: Program, derivative: Derivative, sample: Sample, rng: np.random.Generator) -> Point:
        """Run the adjoint program; an `of` with axes is seeded with random numbers."""
        size = shape(program.tensor(derivative.of), sample.sizes)
        seed = rng.normal(size=size) if size else np.array(1.0)
        values = {**sample.values, **({derivative.names[derivative.of]: seed} if size else {})}
        arrays = interpret(derivative.program, values, sample.sizes, functions=sample.functions)
        return cls(program, derivative, sample, seed, arrays)

    def gradient(self, name: str) -> np.ndarray:
        """The cotangent of a tensor."""
        return self.arrays[self.derivative.names[name]]

    def along(self, name: str, direction: np.ndarray) -> tuple[float, float]:
        """⟨gradient, direction⟩, and the sum of the absolute values of its terms, those that a gradient adds up among them."""
        return float(np.sum(self.gradient(name) * direction)), float(np.sum(self.magnitudes[name] * np.abs(direction)))

    @cached_property
    def magnitudes(self) -> dict[str, np.ndarray]:
        """For each gradient the sums of the absolute values of what its equations add up: where the sum is 0, rounding is of that size."""
        bars, program = {self.derivative.names[name] for name in self.derivative.wrt}, self.derivative.program
        last = bars - {n for eq in program.equations for n in names_read(eq.expressions)}
        absolute = replace(program, statements=tuple(_absolute(s, last) for s in program.statements))
        arrays = interpret(absolute, self.values, self.sample.sizes, functions=self.sample.functions)
        return {name: np.abs(arrays[self.derivative.names[name]]) for name in self.derivative.wrt}

    @cached_property
    def largest(self) -> float:
        """The largest of all magnitudes: the rounding of a gradient that almost vanishes is that of the others."""
        return max((float(np.max(found, initial=0.0)) for found in self.magnitudes.values()), default=0.0)

    @property
    def values(self) -> dict[str, np.ndarray]:
        """What the adjoint program is given."""
        return {**self.sample.values, **({self.derivative.seed: self.seed} if self.derivative.seed else {})}

    def value(self, name: str, direction: np.ndarray, distance: float) -> float:
        """⟨u, of⟩ with one input moved."""
        moved = {**self.sample.values, name: self.sample.values[name] + distance * direction}
        found = interpret(self.program, moved, self.sample.sizes, functions=self.sample.functions, facts=False)
        return float(np.sum(self.seed * found[self.derivative.of]))


def _absolute(statement: Statement, names: Collection[str]) -> Statement:
    """A statement with the absolute value of each addend of the named tensors."""
    if isinstance(statement, Loop):
        return replace(statement, body=tuple(_absolute(s, names) for s in statement.body))
    return replace(statement, body=sp.Abs(statement.body)) if statement.target.name in names else statement


def relative(a: float, b: float, scale: float) -> float:
    """The difference of two sums of products, relative to the sum of their absolute values."""
    return 0.0 if a == b else abs(a - b) / max(scale, 1e-30)


def worst(errors: Iterable[float]) -> float:
    """The largest error; nan where one is nan, which Python's max may lose.

    >>> worst([0.0, np.nan])
    nan
    """
    return float(np.max(list(errors)))


def identity(point: Point, name: str, rng: np.random.Generator) -> RungResult:
    """⟨u, J v⟩ by forward mode equals ⟨Jᵀ u, v⟩ by reverse mode, for a random v."""
    direction = rng.normal(size=point.sample.values[name].shape)
    forward = tangent(point.program, [name])
    if point.derivative.of not in forward.names:
        error = float(np.max(np.abs(point.gradient(name)), initial=0.0))
    else:
        values = {**point.sample.values, forward.names[name]: direction}
        arrays = interpret(forward.program, values, point.sample.sizes, functions=point.sample.functions)
        left = float(np.sum(point.seed * arrays[forward.names[point.derivative.of]]))
        exact, scale = point.along(name, direction)
        error = relative(left, exact, max(scale, SMALL * point.largest * float(np.sum(np.abs(direction)))))
    return RungResult("identity", PASSED if error < IDENTITY else FAILED, error)


def differences(point: Point, name: str, rng: np.random.Generator) -> RungResult:
    """Central differences along random directions, extrapolated from two step sizes."""
    errors, noise = [], NOISE * max(1.0, abs(point.value(name, np.zeros(()), 0.0)))
    for _ in range(3):
        direction = rng.normal(size=point.sample.values[name].shape)
        direction /= max(float(np.linalg.norm(direction)), 1e-30)
        coarse, fine = (_central(point, name, direction, h) for h in (STEP, STEP / 2))
        exact, scale = point.along(name, direction)
        errors.append(relative((4 * fine - coarse) / 3, exact, max(scale, noise)))
    return RungResult("differences", PASSED if worst(errors) < DIFFERENCES else FAILED, worst(errors))


def _central(point: Point, name: str, direction: np.ndarray, h: float) -> float:
    return (point.value(name, direction, h) - point.value(name, direction, -h)) / (2 * h)
