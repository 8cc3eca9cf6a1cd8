"""Sizes and input values for a program, on its declared facts: small, different extents, so that a transpose shows."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import sympy as sp

from symbp.calculus.differentiate import tangent
from symbp.errors import LanguageError
from symbp.interpret import Sizes, interpret, shape_of
from symbp.language import AXIS0, Access, Equation, Fact, Program, Tensor, accesses
from symbp.language.functions import Defined, expand_definitions, step

DEPTH_NAMES = ("L", "T")
SMALL = (3, 2, 4, 5, 6, 7)
ATTEMPTS, CLEAR = 40, 1e-3


@dataclass(frozen=True)
class Sample:
    """One draw: sizes, a value for every input, and an implementation for every opaque function."""

    sizes: Sizes
    values: Mapping[str, np.ndarray]
    functions: Mapping[str, Callable] = field(default_factory=dict)


@dataclass(frozen=True)
class Constraint:
    """What the facts say of one input: rows that sum to one, elements 0 or 1, bounds, elements −1 or 1."""

    simplex: bool = False
    binary: bool = False
    low: float = -np.inf
    high: float = np.inf
    signs: bool = False

    @property
    def is_free(self) -> bool:
        """Whether nothing is said."""
        return self == Constraint()


def draw(program: Program, seed: int = 0, depth: int = 4) -> Sample:
    """Random sizes and inputs on the facts, away from kinks and near ties, so that differences are valid.

    Where a draw leaves the domain of a log or a root, the next one is between 0 and 1.
    depth: the value of the sizes L and T.  Raises `LanguageError` for a fact of a form that the sampler does not know, and quotes it.
    """
    rng = np.random.default_rng(seed)
    sizes, functions = concrete_sizes(program, depth), smooth_functions(program)
    inside = False
    for _ in range(ATTEMPTS):
        values = {t.name: draw_tensor(program, t, sizes, rng, inside) for t in program.inputs}
        if not is_finite(program, values, sizes, functions):
            inside = not inside
        elif is_clear(program, values, sizes, functions):
            return Sample(sizes, values, functions)
    raise LanguageError("no input could be drawn at which everything is finite and away from every kink and tie; state what is positive "
                        "as a fact, or the program may be constant at a kink")


def concrete_sizes(program: Program, depth: int) -> dict[str, Any]:
    """A small number for each symbolic extent, all different where possible, and a list for each width n(l)."""
    sizes: dict[str, Any] = {}
    numbers = iter(SMALL * 3)
    for symbol in program.sizes:
        if symbol != AXIS0:
            sizes[symbol.name] = depth if symbol.name in DEPTH_NAMES else next(numbers)
    for width in program.widths:
        sizes[width.__name__] = [3, 4, 2, 5, 3, 2, 4, 3]
    floor = {s: sp.Integer(sizes[s.name]) for s in program.sizes if s != AXIS0}
    if any(f.xreplace(floor).is_negative for f in program.size_facts):
        raise LanguageError(f"the sizes {sizes} violate a fact about sizes; the checks use these small sizes")
    return sizes


def shape(tensor: Tensor, sizes: Sizes) -> tuple[int, ...]:
    """The concrete shape of a tensor; rows of different width are stored at the largest."""
    return shape_of(Program((tensor,), ()), tensor.name, sizes)


def constraint(program: Program, tensor: Tensor) -> Constraint:
    """What the facts say of an input; raises for a fact about it that is not understood."""
    found = Constraint()
    for fact in program.facts:
        if tensor.name in fact.tensors:
            found = _add(found, fact, tensor)
    if found.low > found.high:
        raise LanguageError(f"the facts about {tensor.name} contradict each other: "
                            f"no number is above {found.low:g} and below {found.high:g}")
    return found


def _add(known: Constraint, fact: Fact, tensor: Tensor) -> Constraint:
    plain = isinstance(fact.left, Access) and fact.right.is_number
    if plain and fact.over and fact.relation == "==" and fact.right == 1 and fact.over == fact.left.indices[-1:]:
        return replace(known, simplex=True)
    if fact.relation == "==" and not fact.over and fact.left.is_Pow and fact.left.exp == 2 and fact.left.base == fact.right:
        return replace(known, binary=True)
    if fact.relation == "==" and not fact.over and fact.left.is_Pow and fact.left.exp == 2 and fact.right == 1:
        return replace(known, signs=True)
    if plain and not fact.over and fact.relation in (">", ">="):
        return replace(known, low=max(known.low, float(fact.right)))
    if plain and not fact.over and fact.relation in ("<", "<="):
        return replace(known, high=min(known.high, float(fact.right)))
    raise LanguageError(f"inputs cannot be drawn on the fact {fact}: the sampler knows sums over the last index that are 1, t^2 == t, "
                        f"t^2 == 1, and bounds by numbers (`{tensor.name}[…] > 0`)")


def draw_tensor(program: Program, tensor: Tensor, sizes: Sizes, rng: np.random.Generator, inside: bool = False) -> np.ndarray:
    """One input: integers within the axes that they index, else numbers on the facts; between 0 and 1 if `inside`."""
    size = shape(tensor, sizes)
    if tensor.dtype == "int":
        low, high = _index_range(program, tensor, sizes)
        return rng.integers(low, high, size)
    rule = constraint(program, tensor)
    if rule.simplex and rule.binary:
        return np.eye(size[-1])[rng.integers(0, size[-1], size[:-1])]
    if rule.simplex:
        return rng.dirichlet(np.ones(size[-1]), size[:-1])
    if rule.signs:
        return rng.choice([-1.0, 1.0], size)
    if rule.binary:
        return rng.integers(0, 2, size).astype(float)
    if np.isfinite(rule.low) or np.isfinite(rule.high):
        low = rule.low if np.isfinite(rule.low) else rule.high - 2
        high = rule.high if np.isfinite(rule.high) else rule.low + 2
        return low + (high - low) * rng.uniform(0.05, 0.95, size)
    return rng.uniform(0.2, 0.9, size) if inside or tensor.role == "constant" else rng.normal(size=size)


def _index_range(program: Program, tensor: Tensor, sizes: Sizes) -> tuple[int, int]:
    """The range that keeps every access with this integer tensor inside its axis."""
    low, high = 0, 2
    for access in {a for eq in program.equations for e in (eq.target, *eq.expressions) for a in e.atoms(Access)}:
        for axis, position in enumerate(access.indices):
            if any(a.name == tensor.name for a in accesses(position)):
                origin = int(program.tensor(access.name).origin[axis])
                low, high = origin, origin + shape(program.tensor(access.name), sizes)[axis]
    return low, high


def is_finite(program: Program, values: Mapping[str, np.ndarray], sizes: Sizes, functions: Mapping[str, Callable]) -> bool:
    """Whether everything that the program computes is a finite number."""
    with np.errstate(all="ignore"):
        arrays = interpret(program, values, sizes, functions=functions)
    return all(np.all(np.isfinite(a)) for n, a in arrays.items() if program.definition(n) and a.dtype.kind == "f")


def is_clear(program: Program, values: Mapping[str, np.ndarray], sizes: Sizes, functions: Mapping[str, Callable]) -> bool:
    """Whether no step argument is near 0 and no maximum nearly tied."""
    if not any(eq.op == "max" for eq in program.equations) and not any(_steps(program)):
        return True
    probe, names = _with_probes(program)
    arrays = interpret(probe, values, sizes, functions=functions)
    return all(np.all(np.abs(arrays[n]) > CLEAR) for n in names) and _maxima_clear(program, values, sizes, functions)


def _steps(program: Program) -> list[tuple[Any, sp.Expr]]:
    return [(eq, s.args[0]) for eq in program.equations if eq.op == "sum"
            for s in sorted(expand_definitions(eq.body).atoms(step), key=sp.default_sort_key)]


def _with_probes(program: Program) -> tuple[Program, list[str]]:
    """The program with the arguments of its steps as further tensors (those outside loops and without sums)."""
    tensors, statements = [], []
    top = {s for s in program.statements if isinstance(s, Equation)}
    for count, (eq, argument) in enumerate(_steps(program)):
        if eq in top and not eq.domain:
            indices = eq.indices
            made = Tensor(f"probe_{count}", tuple(i.extent for i in indices), origin=tuple(i.start for i in indices))
            tensors.append(made)
            statements.append(Equation(made[tuple(indices)], argument))
    return program.extended(tensors, statements), [t.name for t in tensors]


def _maxima_clear(program: Program, values: Mapping[str, np.ndarray], sizes: Sizes, functions: Mapping[str, Callable]) -> bool:
    """Whether a small move of all inputs leaves every position of a maximum as it is."""
    if not any(eq.op == "max" for eq in program.equations):
        return True
    floats = [t.name for t in program.inputs if t.dtype == "float"]
    moved = tangent(program, floats).program
    positions = [t.name for t in moved.tensors if t.dtype == "int" and t.name not in program]
    found = []
    for sign in (-1, 0, 1):
        inputs = {n: v + sign * CLEAR * np.cos(np.arange(v.size)).reshape(v.shape) if n in floats else v for n, v in values.items()}
        zeros = {f"{n}_dot": np.zeros_like(values[n]) for n in floats if f"{n}_dot" in moved}
        found.append(interpret(moved, {**inputs, **zeros}, sizes, functions=functions, facts=False))
    return all(np.array_equal(found[0][n], other[n]) for n in positions for other in found[1:])


def smooth_functions(program: Program) -> dict[str, Callable]:
    """For each opaque function and its derivatives a smooth stand-in, by name, for float64 runs."""
    found: dict[str, Callable] = {}
    for application in (f for eq in program.equations for f in eq.body.atoms(Defined)):
        kind = application.base or type(application)
        if kind.definition is None and len(application.args) == 1:
            name = kind.__name__
            found |= {name: lambda z: np.tanh(z) + 0.3 * np.sin(z),
                      name + "'": lambda z: 1 - np.tanh(z)**2 + 0.3 * np.cos(z),
                      name + "''": lambda z: -2 * np.tanh(z) * (1 - np.tanh(z)**2) - 0.3 * np.sin(z)}
    return found
