"""The adjoint against central differences through the oracle, and against the tangent; second order likewise."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pytest
from checking import difference, directions_for, drawn, gradients, hessian_product, inner, jacobian_product, moved
from programs import CASES, TIED, Case

from symbp.calculus.differentiate import adjoint


def conventions(names: Iterable[str]) -> list[tuple[str, str]]:
    """Each case under the first convention on ties, and those that hold a maximum under the second too."""
    with_maximum = {name for name in names if any(eq.op == "max" for eq in CASES[name]().program.equations)}
    return [(name, "first") for name in names] + [(name, "split") for name in names if name in with_maximum]


def build(name: str, ties: str, cases: Mapping[str, Callable[[], Case]] = CASES) -> Case:
    """The case of that name under a convention on ties."""
    return cases[name]() if ties == "first" else cases[name]().split()


SMOOTH = [name for name in CASES if CASES[name]().smooth]
SECOND = ["mlp tanh", "mlp gelu", "cross-entropy one-hot", "cross-entropy with integer targets", "layer norm", "variance", "conv2d",
          "avg_pool2d", "lstm", "causal attention", "tied weights and residual", "embedding", "window log-sum-exp", "two guards",
          "bidirectional", "maximum in a loop", *(name for name in CASES if name.startswith("body"))]


@pytest.mark.parametrize(("name", "ties"), conventions(SMOOTH))
def test_gradients_are_differences(name: str, ties: str) -> None:
    case = build(name, ties)
    values, vector = drawn(case)
    found = gradients(case, values, vector)
    for wrt, direction in directions_for(case, values).items():
        expected = difference(case, values, {wrt: direction})
        expected = np.sum(expected if vector is None else expected * vector)
        assert np.sum(found[wrt] * direction) == pytest.approx(expected, rel=1e-8, abs=1e-8), wrt


@pytest.mark.parametrize(("name", "ties"), conventions(CASES))
def test_the_adjoint_is_the_transpose_of_the_tangent(name: str, ties: str) -> None:
    case = build(name, ties)
    values, vector = drawn(case, 2)
    along = directions_for(case, values)
    forward = jacobian_product(case, values, along)
    left = np.sum(forward if vector is None else forward * vector)
    assert left == pytest.approx(inner(gradients(case, values, vector), along), rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("ties", ["first", "split"])
@pytest.mark.parametrize("name", TIED)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_adjoint_is_the_transpose_of_the_tangent_at_ties(name: str, ties: str, seed: int) -> None:
    case = build(name, ties, TIED)
    values, vector = drawn(case, seed)
    along = directions_for(case, values)
    forward = jacobian_product(case, values, along)
    left = np.sum(forward if vector is None else forward * vector)
    assert left == pytest.approx(inner(gradients(case, values, vector), along), rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("name", SMOOTH)
def test_the_tangent_is_a_difference(name: str) -> None:
    case = CASES[name]()
    values, _ = drawn(case, 3)
    along = directions_for(case, values)
    np.testing.assert_allclose(jacobian_product(case, values, along), difference(case, values, along), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(("name", "ties"), conventions(SECOND))
def test_second_derivatives_are_differences_of_gradients(name: str, ties: str) -> None:
    case = build(name, ties)
    values, vector = drawn(case)
    along, step = directions_for(case, values), 1e-3
    derived = adjoint(case.program, case.of, case.wrt)
    at = {k: gradients(case, moved(values, along, k * step), vector, derived=derived) for k in (-2, -1, 1, 2)}
    found = hessian_product(case, values, vector, along)
    for wrt in case.wrt:
        expected = (8 * (at[1][wrt] - at[-1][wrt]) - (at[2][wrt] - at[-2][wrt])) / (12 * step)
        np.testing.assert_allclose(found[wrt], expected, rtol=1e-6, atol=1e-7, err_msg=wrt)


@pytest.mark.parametrize("name", ["mlp tanh", "layer norm", "lstm", "causal attention", "conv2d"])
def test_the_hessian_is_symmetric(name: str) -> None:
    case = CASES[name]()
    values, vector = drawn(case)
    one, other = directions_for(case, values, 4), directions_for(case, values, 5)
    left = inner(hessian_product(case, values, vector, one), other)
    right = inner(hessian_product(case, values, vector, other), one)
    assert left == pytest.approx(right, rel=1e-10, abs=1e-10)
    assert abs(left) > 1e-6
