"""What leaves a loop, what stays in it, and that the values are those of the program as it was written."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from programs import CASES, Case
from test_arrays_lower import run, run_planned

from symbp.arrays import lower
from symbp.calculus.differentiate import adjoint
from symbp.errors import LanguageError
from symbp.interpret import interpret, shape_of
from symbp.language import Equation, Index, Loop, Program, Tensor
from symbp.passes.hoist import hoist
from symbp.printing.numpy import NumpyPrinter

LOOPS = ("lstm", "bidirectional", "maximum in a loop", "symbolic depth")
T = 4
t = Index("t", T)


def adjoint_of(case: Case) -> Program:
    """A program and its adjoint."""
    return adjoint(case.program, case.of, case.wrt).program


def in_loops(program: Program) -> set[str]:
    """The tensors that loops write."""
    return {eq.target.name for s in program.statements if isinstance(s, Loop) for eq in s.body if isinstance(eq, Equation)}


@pytest.mark.parametrize("name", LOOPS)
def test_the_values_are_those_of_the_oracle(name: str) -> None:
    case, rng = CASES[name](), np.random.default_rng(2)
    derivative = adjoint(case.program, case.of, case.wrt)
    values = case.draw(rng)
    if derivative.seed:
        values[derivative.seed] = rng.normal(size=shape_of(derivative.program, derivative.seed, case.sizes))
    expected = interpret(derivative.program, values, case.sizes)
    found = interpret(hoist(derivative.program), values, case.sizes)
    for tensor, array in expected.items():
        np.testing.assert_allclose(found[tensor], array, rtol=1e-12, atol=1e-12, err_msg=tensor)


def test_the_lstm_keeps_its_recurrence_alone() -> None:
    assert in_loops(hoist(adjoint_of(CASES["lstm"]()))) == {"z", "c", "h", "z_bar", "c_bar", "h_bar"}
    assert in_loops(hoist(adjoint_of(CASES["bidirectional"]()))) == {"a", "b", "a_bar", "b_bar"}


def test_weights_and_inputs_of_the_lstm_are_one_product_outside_of_the_loop() -> None:
    lines = list(NumpyPrinter().lines(lower(adjoint_of(CASES["lstm"]()))))
    assert "W_bar = (z_bar.reshape(2*T, 8).T @ x.reshape(2*T, 2)).reshape(4, 2, 2)" in lines
    assert "z = (x.reshape(2*T, 2) @ W.reshape(8, 2).T).reshape(T, 2, 4, 2) + b" in lines


def body_of(*equations: Equation, direction: str = "ascending") -> list[str]:
    """The tensors whose equations stay in a loop of these equations."""
    names = {eq.target.name for eq in equations}
    tensors = [Tensor(n, (T + 2,), role="state" if n in names else "input") for n in "abx"] + [Tensor("s")]
    statements = hoist(Program(tuple(tensors), (Loop(t, direction, equations),))).statements
    return [eq.target.name for s in statements if isinstance(s, Loop) for eq in s.body]


a, b, x, s = *(Tensor(n, (T + 2,)) for n in "abx"), Tensor("s")


@pytest.mark.parametrize(("equations", "direction", "kept"), [
    ((Equation(a[t + 1], a[t]), Equation(a[t + 1], x[t])), "ascending", ["a"]),
    ((Equation(a[t + 1], a[t]), Equation(s[()], a[t])), "ascending", ["a"]),
    ((Equation(a[t + 1], a[t]), Equation(s[()], a[t + 1])), "ascending", ["a"]),
    ((Equation(a[t], a[t + 1]), Equation(s[()], a[t + 1])), "descending", ["a"]),
    ((Equation(b[t], x[t]), Equation(a[t], b[t])), "ascending", []),
    ((Equation(a[t + 1], a[t]), Equation(b[t], a[t])), "ascending", ["a"]),
])
def test_what_stays(equations: tuple[Equation, ...], direction: str, kept: list[str]) -> None:
    assert body_of(*equations, direction=direction) == kept


def test_a_sum_that_lacks_the_index_counts_its_rounds() -> None:
    program = Program((Tensor("x", role="input"), Tensor("s")), (Loop(t, "ascending", (Equation(s[()], Tensor("x")[()]),)),))
    assert interpret(hoist(program), {"x": np.array(2.0)}, {})["s"] == 2.0 * T
    assert not in_loops(hoist(program))


@st.composite
def loops(draw: st.DrawFn) -> Program:
    """A loop of equations between three states and an input, with shifts."""
    tensors = {n: Tensor(n, (T + 2,), role="state") for n in "abc"} | {"x": Tensor("x", (T + 2,), role="input")}

    def access(names: str) -> object:
        return tensors[draw(st.sampled_from(names))][t + draw(st.integers(0, 2))]

    body = tuple(Equation(access("abc"), access("abcx") * draw(st.sampled_from([1, 2])) + (access("abcx") if draw(st.booleans()) else 0))
                 for _ in range(draw(st.integers(1, 4))))
    start = tuple(Equation(tensors[n][draw(st.sampled_from([0, T + 1]))], k) for k, n in enumerate("abc", 2))
    try:
        return Program(tuple(tensors.values()), (*start, Loop(t, draw(st.sampled_from(["ascending", "descending"])), body)))
    except LanguageError:
        assume(False)
        raise


@settings(max_examples=150, deadline=None)
@given(loops())
def test_any_loop_keeps_its_values(program: Program) -> None:
    values = {"x": np.random.default_rng(0).normal(size=T + 2)}
    expected = interpret(program, values, {})
    for found in (interpret(hoist(program), values, {}), run(program, values, {}), run_planned(program, [{"x": values["x"] + 1}, values], {})):
        for name in "abc":
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-12, atol=1e-12)
