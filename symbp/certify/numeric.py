"""Rung 2: the adjoint against the tangent (⟨u, Jv⟩ = ⟨Jᵀu, v⟩), and against central differences in float64."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from symbp.calculus.differentiate import Derivative, tangent
from symbp.certify.result import FAILED, PASSED, RungResult
from symbp.certify.sample import Sample, shape
from symbp.interpret import interpret
from symbp.language import Program

IDENTITY, DIFFERENCES, STEP, NOISE = 1e-10, 1e-6, 1e-4, 1e-4


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
        """⟨gradient, direction⟩, and the sum of the absolute values of its terms."""
        terms = self.gradient(name) * direction
        return float(np.sum(terms)), float(np.sum(np.abs(terms)))

    def value(self, name: str, direction: np.ndarray, distance: float) -> float:
        """⟨u, of⟩ with one input moved."""
        moved = {**self.sample.values, name: self.sample.values[name] + distance * direction}
        found = interpret(self.program, moved, self.sample.sizes, functions=self.sample.functions, facts=False)
        return float(np.sum(self.seed * found[self.derivative.of]))


def relative(a: float, b: float, scale: float) -> float:
    """The difference of two sums of products, relative to the sum of their absolute values."""
    return 0.0 if a == b else abs(a - b) / max(scale, 1e-30)


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
        error = relative(left, *point.along(name, direction))
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
    return RungResult("differences", PASSED if max(errors) < DIFFERENCES else FAILED, max(errors))


def _central(point: Point, name: str, direction: np.ndarray, h: float) -> float:
    return (point.value(name, direction, h) - point.value(name, direction, -h)) / (2 * h)
