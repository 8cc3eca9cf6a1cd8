"""How the tests of the calculus ask for gradients: by the adjoint, the tangent, differences, and PyTorch."""
from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from types import ModuleType

import mpmath
import numpy as np
import sympy as sp
from programs import Case

from symbp.calculus.differentiate import Derivative, adjoint, tangent
from symbp.interpret import interpret
from symbp.language import Equation, Index, Program, Tensor
from symbp.language.functions import Defined, equal, step

EXAMPLES = int(os.environ.get("SYMBP_EXAMPLES", "25"))
Values = dict[str, np.ndarray]


def drawn(case: Case, seed: int = 0) -> tuple[Values, np.ndarray | None]:
    """Values of the inputs, and a vector of the shape of `of` (None for a scalar)."""
    rng = np.random.default_rng(seed)
    values = case.draw(rng)
    if not case.program.tensor(case.of).shape:
        return values, None
    return values, rng.normal(size=output(case, values).shape)


def output(case: Case, values: Values, numbers: str = "float64") -> np.ndarray:
    """The value of the case's `of`."""
    return interpret(case.program, values, case.sizes, numbers=numbers)[case.of]


def gradients(case: Case, values: Values, vector: np.ndarray | None, numbers: str = "float64",
              derived: Derivative | None = None) -> Values:
    """The vector-Jacobian product by the adjoint, for each of `wrt`."""
    derived = derived or adjoint(case.program, case.of, case.wrt)
    given = values if vector is None else {**values, derived.seed: vector}
    found = interpret(derived.program, given, case.sizes, numbers=numbers, facts=numbers != "symbol")
    return {name: found[derived.names[name]] for name in case.wrt}


def jacobian_product(case: Case, values: Values, directions: Values, numbers: str = "float64") -> np.ndarray:
    """The Jacobian-vector product by the tangent."""
    derived = tangent(case.program, case.wrt)
    given = {**values, **{derived.names[n]: d for n, d in directions.items()}}
    return interpret(derived.program, given, case.sizes, numbers=numbers)[derived.names[case.of]]


def moved(values: Values, directions: Mapping[str, np.ndarray], step: float) -> Values:
    """The values, moved along the directions."""
    return {**values, **{name: values[name] + step * d for name, d in directions.items()}}


def difference(case: Case, values: Values, directions: Mapping[str, np.ndarray], step: float = 1e-3) -> np.ndarray:
    """The directional derivative of `of` by central differences of sixth order."""
    at = {k: output(case, moved(values, directions, k * step)) for k in (-3, -2, -1, 1, 2, 3)}
    return (45 * (at[1] - at[-1]) - 9 * (at[2] - at[-2]) + (at[3] - at[-3])) / (60 * step)


def directions_for(case: Case, values: Values, seed: int = 1) -> Values:
    """A random direction for each of `wrt`."""
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=values[name].shape) for name in case.wrt}


def inner(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> float:
    """Σ over names and elements of a·b."""
    return float(sum(np.sum(a[name] * b[name]) for name in a))


def torch_values(torch: ModuleType, case: Case, values: Values) -> dict:
    """The values as torch tensors, those of `wrt` with gradients."""
    return {name: torch.tensor(v, requires_grad=name in case.wrt) for name, v in values.items()}


def torch_gradients(torch: ModuleType, case: Case, values: Values, vector: np.ndarray | None) -> tuple[np.ndarray, Values]:
    """The value of `of` and its vector-Jacobian product by PyTorch."""
    given = torch_values(torch, case, values)
    value = case.reference(torch, given)
    found = torch.autograd.grad(value, [given[n] for n in case.wrt], None if vector is None else torch.tensor(vector), allow_unused=True)
    arrays = {n: np.zeros_like(values[n]) if g is None else g.numpy() for n, g in zip(case.wrt, found)}
    return value.detach().numpy(), arrays


def curvature(case: Case) -> tuple[Case, Derivative, dict[str, str]]:
    """The case curvature = Σ ⟨v, gradient⟩, its first derivative, and the names of the inputs v: one more adjoint gives Hessian·v."""
    first = adjoint(case.program, case.of, case.wrt)
    vectors, equations = [], []
    s = Tensor("curvature")
    for name in case.wrt:
        tensor = case.program.tensor(name)
        v = Tensor(f"v_{name}", tensor.shape, role="input")
        at = tuple(Index(f"{name}_{axis}", extent) for axis, extent in enumerate(tensor.shape))
        vectors.append(v)
        equations.append(Equation(s[()], v[at] * first.program.tensor(first.names[name])[at], over=at))
    program: Program = first.program.extended((*vectors, s), equations)
    second = Case(program, "curvature", case.wrt, case.draw, case.sizes)
    return second, first, {name: f"v_{name}" for name in case.wrt}


def hessian_product(case: Case, values: Values, vector: np.ndarray | None, directions: Values) -> Values:
    """Hessian·direction of ⟨vector, of⟩ by the adjoint of the adjoint."""
    second, first, names = curvature(case)
    given = {**values, **{names[n]: d for n, d in directions.items()}}
    if vector is not None:
        given[first.seed] = vector
    return gradients(second, given, None)


NUMERIC = {
    sp.exp: mpmath.exp, sp.log: mpmath.log, sp.sin: mpmath.sin, sp.cos: mpmath.cos, sp.erf: mpmath.erf, sp.Abs: abs, sp.sign: mpmath.sign,
    sp.Pow: lambda a, b: a**b, sp.Add: lambda *a: sum(a), sp.Mul: lambda *a: mpmath.fprod(a), sp.DiracDelta: lambda x: 0 / x,
    sp.Heaviside: lambda x, c: c if x == 0 else int(x > 0), step: lambda x, c: c if x == 0 else int(x > 0),
    equal: lambda a, b: int(a == b)}


def numeric(expression: sp.Expr, at: Mapping[sp.Symbol, mpmath.mpf], known: dict) -> mpmath.mpf:
    """The value of an expression to the precision of mpmath; shared parts are calculated once."""
    if expression not in known:
        if expression.is_Symbol:
            known[expression] = at[expression]
        elif isinstance(expression, Defined):
            known[expression] = numeric(expression.expanded(), at, known)
        elif not expression.args:
            known[expression] = expression._to_mpmath(mpmath.mp.prec)
        else:
            known[expression] = NUMERIC[expression.func](*(numeric(a, at, known) for a in expression.args))
    return known[expression]


def same_numbers(a: sp.Expr, b: sp.Expr, symbols: Iterable[sp.Symbol], seed: int = 0) -> bool:
    """Whether two closed expressions agree to 40 of 60 digits at two random points of their symbols."""
    rng = np.random.default_rng(seed)
    with mpmath.workdps(60):
        for _ in range(2):
            at = {s: mpmath.mpf(int(rng.integers(-40, 40)) * 2 + 1) / 32 for s in symbols}
            known: dict = {}
            left, right = numeric(a, at, known), numeric(b, at, known)
            if abs(left - right) > mpmath.mpf(10) ** -40 * (1 + abs(left)):
                return False
    return True
