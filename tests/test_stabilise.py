"""Stabilised programs: the same values, no overflow, and no shift where a reader would notice."""
from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from programs import CASES
from test_arrays_lower import run

from symbp.interpret import interpret
from symbp.language import Equation, Index, Program, Tensor, size
from symbp.language.functions import sigmoid
from symbp.passes.stabilise import stabilise

N = size("N")
n, k = Index("n", N), Index("k", 3)
z, t = Tensor("z", (N, 3), role="input"), Tensor("t", (N, 3), role="input")
e, S, p, L = Tensor("e", (N, 3)), Tensor("S", (N,)), Tensor("p", (N, 3)), Tensor("L")
SOFTMAX = (Equation(e[n, k], sp.exp(z[n, k])), Equation(S[n], e[n, k], over=(k,)), Equation(p[n, k], e[n, k] / S[n]))


def compared(program: Program, names: set[str], scale: float = 1.0) -> Program:
    """The stabilised program, after its values of the named tensors were compared with the given program's."""
    made = stabilise(program)
    rng = np.random.default_rng(0)
    values = {tensor.name: scale * rng.normal(size=[4 if s == N else int(s) for s in tensor.shape]) for tensor in program.inputs}
    before, after = interpret(program, values, {"N": 4}, facts=False), interpret(made, values, {"N": 4}, facts=False)
    for name in names:
        np.testing.assert_allclose(after[name], before[name], rtol=1e-12, atol=1e-12)
    return made


@pytest.mark.parametrize("name", [name for name in CASES if name not in ("lstm", "bidirectional", "maximum in a loop", "symbolic depth")])
def test_what_a_program_is_asked_for_keeps_its_value(name: str) -> None:
    case = CASES[name]()
    values = case.draw(np.random.default_rng(1))
    expected = interpret(case.program, values, case.sizes)[case.of]
    found = interpret(stabilise(case.program), values, case.sizes)[case.of]
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


def test_a_softmax_is_shifted_by_its_largest_score() -> None:
    made = compared(Program((z, e, S, p), SOFTMAX), {"p"})
    assert [eq.op for eq in made.equations] == ["max", "sum", "sum", "sum"]
    large = {"z": np.array([[1000.0, 999.0, -1000.0]] * 4)}
    assert np.all(np.isfinite(interpret(made, large, {"N": 4})["p"]))


def test_the_logarithm_of_a_softmax_is_taken_apart() -> None:
    loss = Equation(L[()], -t[n, k] * sp.log(p[n, k]) / N, over=(n, k))
    made = compared(Program((z, t, e, S, p, L), (*SOFTMAX, loss)), {"p", "L"})
    value = interpret(made, {"z": np.array([[2000.0, 0, 0]] * 4), "t": np.array([[0.0, 1, 0]] * 4)}, {"N": 4})["L"]
    assert value == pytest.approx(2000.0)


def test_no_shift_where_a_reader_depends_on_the_scale() -> None:
    reader = Equation(L[()], S[n] ** 2 + p[n, k], over=(n, k))
    made = compared(Program((z, e, S, p, L), (*SOFTMAX, reader)), {"L", "S", "e"})
    assert all(eq.op == "sum" for eq in made.equations)


def test_a_reader_of_the_exponential_itself_forbids_the_shift() -> None:
    made = compared(Program((z, e, S, p, L), (*SOFTMAX, Equation(L[()], e[n, k] / S[n] + e[n, 0], over=(n, k)))), {"L"})
    assert all(eq.op == "sum" for eq in made.equations)


def test_the_cross_entropy_of_a_sigmoid_does_not_overflow() -> None:
    a, y = Tensor("a", (N, 3)), Tensor("y", (N, 3), role="input")
    body = -(y[n, k] * sp.log(a[n, k]) + (1 - y[n, k]) * sp.log(1 - a[n, k]))
    made = compared(Program((z, y, a, L), (Equation(a[n, k], sigmoid(z[n, k])), Equation(L[()], body, over=(n, k)))), {"a", "L"})
    far = {"z": np.array([[800.0, -800.0, 0.0]] * 4), "y": np.array([[0.0, 1.0, 0.5]] * 4)}
    assert run(made, far, {"N": 4})["L"] == pytest.approx(4 * (800 + 800 + np.log(2)))


def test_the_logarithm_of_anything_else_stays() -> None:
    program = Program((z, L), (Equation(L[()], sp.log(2 + sp.cos(z[n, k])), over=(n, k)),))
    assert stabilise(program) == program
