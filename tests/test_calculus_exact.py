"""Rung 1: the adjoint on symbols equals SymPy's derivative of the scalarised loss; rationals equal float64."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp
from checking import drawn, gradients, output, same_numbers
from programs import (
    BODIES,
    Case,
    attention,
    avg_pool,
    bidirectional,
    conv,
    deep,
    embedding,
    integer_targets,
    layer_norm,
    lstm,
    max_pool,
    mlp,
    one_hot,
    scalar_body,
    smoothed,
    tied,
    two_guards,
    variance,
    window_lse,
)

from symbp.calculus.differentiate import adjoint
from symbp.interpret import interpret
from symbp.language.functions import step

SMALL: dict[str, Callable[[], Case]] = {
    "conv": lambda: conv(1, 2, 2, (3,), (2,), (2,), ((1, 1),), (1,), 2),
    "average": lambda: avg_pool(1, 1, (3,), (2,), (1,), (1,)),
    "window log-sum-exp": lambda: window_lse(3),
    "two guards": lambda: two_guards(3),
    "one hot": lambda: one_hot(2, 2),
    "temperature": lambda: one_hot(1, 3, sp.Rational(3, 2)),
    "integer targets": lambda: integer_targets(2, 2),
    "smoothed": lambda: smoothed(1, 3),
    "variance": lambda: variance(3),
    "mlp tanh": lambda: mlp(1, (2, 2, 2)),
    "mlp gelu": lambda: mlp(1, (2, 1, 2), "gelu"),
    "tied": lambda: tied(1, 2, 2),
    "layer norm": lambda: layer_norm(1, 3),
    "embedding": lambda: embedding(3, 2, 1),
    "attention": lambda: attention(1, 1, 2, 1),
    "lstm": lambda: lstm(1, 1, 1, 1),
    "bidirectional": lambda: bidirectional(2, 1),
    "deep": lambda: deep((1, 2, 1)),
    **{name: (lambda name=name: scalar_body(name, 1)) for name in BODIES if name not in ("maximum", "bracket")},
}


def symbols_for(case: Case, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A symbol for each element of each float input."""
    made = dict(values)
    for name, array in values.items():
        if array.dtype.kind == "f":
            made[name] = np.array([sp.Symbol(f"{name}_{k}", real=True) for k in range(array.size)], dtype=object).reshape(array.shape)
    return made


def smooth(expression: sp.Expr) -> sp.Expr:
    """With SymPy's own step, which it can differentiate: away from 0 both have the same derivative."""
    return expression.replace(lambda e: isinstance(e, step), lambda e: sp.Heaviside(*e.args))


@pytest.mark.parametrize("name", SMALL)
def test_the_adjoint_is_sympys_derivative_of_the_scalarised_loss(name: str) -> None:
    case = SMALL[name]()
    values, vector = drawn(case)
    values = symbols_for(case, values)
    weights = None if vector is None else np.array([sp.Integer(k + 2) for k in range(vector.size)], dtype=object).reshape(vector.shape)
    value = interpret(case.program, values, case.sizes, numbers="symbol", facts=False)[case.of]
    loss = value.item() if vector is None else np.sum(value * weights)
    loss = smooth(loss) if name in ("relu", "sign") else loss
    symbols = [s for array in values.values() for s in array.flat if isinstance(s, sp.Symbol)]
    found = gradients(case, values, weights, "symbol")
    for wrt in case.wrt:
        for symbol, mine in zip(values[wrt].flat, found[wrt].flat):
            assert same_numbers(mine, sp.diff(loss, symbol), symbols), f"∂/∂{symbol}: {mine}"


RATIONAL: dict[str, Callable[[], Case]] = {
    "conv": conv, "max pool": lambda: max_pool(ties=True), "max pool split": lambda: max_pool(ties=True).split(), "average": avg_pool,
    "two guards": two_guards, "embedding": embedding, "variance": variance, "relu": lambda: scalar_body("relu"),
    "abs": lambda: scalar_body("abs"), "maximum": lambda: scalar_body("maximum"), "bracket": lambda: scalar_body("bracket")}


@pytest.mark.parametrize("name", RATIONAL)
@pytest.mark.parametrize("seed", range(2))
def test_exact_rationals_agree_with_float64(name: str, seed: int) -> None:
    case = RATIONAL[name]()
    rng = np.random.default_rng(seed)
    values = {k: rng.integers(-2, 3, size=v.shape) if v.dtype.kind == "f" else v for k, v in case.draw(rng).items()}
    vector = rng.integers(-3, 4, size=output(case, values).shape)
    vector = vector if vector.shape else None
    exact, rounded = gradients(case, values, vector, "rational"), gradients(case, values, vector)
    for wrt in case.wrt:
        np.testing.assert_allclose(rounded[wrt], exact[wrt].astype(float), rtol=1e-12, atol=1e-12)


def test_the_derivation_has_fresh_names_when_applied_twice() -> None:
    once = adjoint(one_hot().program, "L")
    twice = adjoint(once.program, "z_bar", ("z",))
    assert once.names["z"] == "z_bar"
    assert twice.names["z"] == "z_bar_2"
    assert twice.names["z_bar"] == "z_bar_bar"
    assert len({t.name for t in twice.program.tensors}) == len(twice.program.tensors)
