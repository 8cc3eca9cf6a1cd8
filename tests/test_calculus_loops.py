"""Loops: their adjoints run backwards, states are read where they were written, and seeds of recurrent tensors."""
from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from checking import difference, directions_for, drawn, gradients
from programs import CASES, Case, deep, lstm

from symbp.calculus.differentiate import adjoint, dependents, influences, tangent
from symbp.errors import LanguageError
from symbp.interpret import interpret
from symbp.language import AXIS0, Equation, Index, Loop, Program, Tensor, size

t, k = Index("t", 3), Index("k", 2)
h, x, w = Tensor("h", (4,), role="state"), Tensor("x", (3,), role="parameter"), Tensor("w", role="parameter")


def power(direction: str = "ascending") -> Program:
    """h ← w·h + x over three steps, from either end."""
    here, there = (t, t + 1) if direction == "ascending" else (t + 1, t)
    start = 0 if direction == "ascending" else 3
    return Program((x, w, h), (Equation(h[start], 1), Loop(t, direction, (Equation(h[there], w[()] * h[here] + x[t]),))))


def loops_of(statements: tuple) -> list[Loop]:
    return [s for s in statements if isinstance(s, Loop)]


@pytest.mark.parametrize(("direction", "reverse"), [("ascending", "descending"), ("descending", "ascending")])
def test_the_adjoint_of_a_loop_runs_backwards(direction: str, reverse: str) -> None:
    derived = adjoint(power(direction), "h")
    assert [loop.direction for loop in loops_of(derived.statements)] == [reverse]
    found = interpret(derived.program, {"x": [1, 2, 3], "w": 2, "h_seed": [0, 0, 0, 1] if direction == "ascending" else [1, 0, 0, 0]},
                      numbers="rational")
    values = [1, 3, 8] if direction == "ascending" else [1, 5, 12]
    by_x = [4, 2, 1] if direction == "ascending" else [1, 2, 4]
    assert found["x_bar"].tolist() == by_x
    assert found["w_bar"].item() == sum(a * b for a, b in zip(values, (4, 2, 1)))


def test_the_adjoint_reverses_the_statements_of_the_body() -> None:
    body = loops_of(lstm().program.statements)[0].body
    derived = adjoint(lstm().program, "L")
    sources = [derived.origin[eq] for eq in loops_of(derived.statements)[0].body]
    places = [body.index(source) for source in sources]
    assert places == sorted(places, reverse=True)
    assert set(places) == set(range(len(body)))


def test_a_seed_of_a_recurrent_tensor_is_an_input_of_its_own() -> None:
    derived = adjoint(power(), "h")
    assert (derived.seed, derived.names["h"]) == ("h_seed", "h_bar")
    assert derived.program.tensor("h_seed").role == "input"
    case = Case(power(), "h", ("x", "w"), lambda rng: {"x": rng.normal(size=3), "w": rng.normal()})
    values, vector = drawn(case)
    values = {n: np.asarray(v) for n, v in values.items()}
    found = gradients(case, values, vector)
    for wrt, direction in directions_for(case, values).items():
        assert np.sum(found[wrt] * direction) == pytest.approx(np.sum(difference(case, values, {wrt: direction}) * vector), rel=1e-9)


def test_a_seed_of_rows_of_different_width() -> None:
    case = deep()
    derived = adjoint(case.program, "a", ("W",))
    assert derived.seed == "a_seed"
    values, _ = drawn(case)
    vector = np.zeros((4, 4))
    for row, width in enumerate((3, 2, 4, 2)):
        vector[row, :width] = np.arange(1, width + 1) + row
    found = interpret(derived.program, {**values, "a_seed": vector}, case.sizes)[derived.names["W"]]
    direction = directions_for(case, values)["W"]
    states = Case(case.program, "a", ("W",), case.draw, case.sizes)
    assert np.sum(found * direction) == pytest.approx(np.sum(difference(states, values, {"W": direction}) * vector), rel=1e-8)


def test_a_zero_derivative_of_rows_of_different_width() -> None:
    case = deep()
    V = Tensor("V", (size("L"), sp.Function("n", positive=True, integer=True)(AXIS0)), role="parameter", origin=(1, 0))
    program = case.program.extended((V,), ())
    values, _ = drawn(case)
    derived = adjoint(program, "E", ("V", "b"))
    found = interpret(derived.program, {**values, "V": np.ones((3, 4))}, case.sizes)
    assert found["V_bar"].tolist() == np.zeros((3, 4)).tolist()
    assert np.abs(found["b_bar"]).max() > 0


def test_a_loop_without_active_statements_has_no_adjoint() -> None:
    c, s, y = Tensor("c", (3,), role="input"), Tensor("s", (4,)), Tensor("y", (3,))
    program = Program((x, c, s, y), (Equation(s[0], 1), Loop(t, "ascending", (Equation(s[t + 1], s[t] * c[t]),)),
                                     Equation(y[t], x[t] * s[t + 1])))
    derived = adjoint(program, "y")
    assert loops_of(derived.statements) == []
    assert set(derived.names) == {"x", "y"}


def test_nested_loops() -> None:
    r, s, g = Index("r", 2), Tensor("s", (3, 3)), Tensor("g", (3, 4), role="state")
    program = Program((x, w, g, s), (
        Loop(t, "ascending", (Equation(g[t, 0], x[t]), Loop(Index("q", 3), "ascending", (
            Equation(g[t, Index("q", 3) + 1], w[()] * g[t, Index("q", 3)] ** 2),)))), Equation(s[Index("q", 3), t], g[t, 3])))
    case = Case(program, "s", ("x", "w"), lambda rng: {"x": rng.normal(size=3), "w": np.asarray(rng.normal())})
    values, vector = drawn(case)
    found = gradients(case, values, vector)
    for wrt, direction in directions_for(case, values).items():
        assert np.sum(found[wrt] * direction) == pytest.approx(np.sum(difference(case, values, {wrt: direction}) * vector), rel=1e-7)
    inner = loops_of(adjoint(program, "s").statements)[0].body
    assert [type(s).__name__ for s in inner] == ["Loop", "Equation"]
    assert r not in program.indices


def test_what_depends_and_what_influences() -> None:
    program = lstm().program
    assert dependents(program, ("h0",)) == {"h0", "h", "c", "z", "L"}
    assert dependents(program, ("c0",)) == {"c0", "h", "c", "z", "L"}
    assert influences(program, "z") == {"z", "W", "x", "U", "h", "b", "c", "c0", "h0"}
    assert influences(program, "x") == {"x"}


def test_only_what_lies_between_takes_part() -> None:
    derived = adjoint(lstm().program, "L", ("h0",))
    assert set(derived.names) == {"h0", "h", "c", "z", "L"}
    assert derived.wrt == ("h0",)
    assert set(tangent(lstm().program, ("c0",)).names) == {"c0", "h", "c", "z", "L"}
    unread = Program((*CASES["variance"]().program.tensors, w), CASES["variance"]().program.statements)
    assert set(adjoint(unread, "v", ("x",)).names) == {"x", "mean", "v"}
    assert set(adjoint(unread, "mean", ("x",)).names) == {"x", "mean"}


def test_derivatives_by_an_intermediate() -> None:
    program = CASES["layer norm"]().program
    case = CASES["layer norm"]()
    values, vector = drawn(case)
    derived = adjoint(program, "y", ("mu", "v"))
    found = interpret(derived.program, {**values, derived.seed: vector})
    centred = values["x"] - found["mu"][:, None]
    root = np.sqrt(found["v"] + 0.01)[:, None]
    by_variance = np.sum(vector * values["g"] * centred * -0.5 / root**3, axis=1)
    by_mean = np.sum(-vector * values["g"] / root, axis=1) + by_variance * np.mean(-2 * centred, axis=1)
    np.testing.assert_allclose(found["v_bar"], by_variance, rtol=1e-12)
    np.testing.assert_allclose(found["mu_bar"], by_mean, rtol=1e-12)


def test_the_tangent_by_a_state_is_refused() -> None:
    with pytest.raises(LanguageError, match="h_dot is written, but its role is input"):
        tangent(power(), ("h",))
