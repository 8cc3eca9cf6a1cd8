"""Domains are handed on, never derived again; what cannot be differentiated or run is an error, never a silent zero."""
from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from checking import drawn, gradients, output
from programs import CASES, attention, conv, embedding, max_pool, two_guards, window_lse

from symbp.calculus.differentiate import adjoint, tangent
from symbp.errors import LanguageError
from symbp.interpret import interpret
from symbp.language import Conventions, Equation, Index, Program, Tensor, inside, walk
from symbp.language.functions import step

i, u = Index("i", 4), Index("u", 3)
x, w, y = Tensor("x", (4,), role="parameter"), Tensor("w", (3,), role="parameter"), Tensor("y", (4,))


@pytest.mark.parametrize("name", [n for n in CASES if "max" not in n])
def test_every_sum_hands_its_domain_to_its_derivatives(name: str) -> None:
    case = CASES[name]()
    for derived in (adjoint(case.program, case.of, case.wrt), tangent(case.program, case.wrt)):
        assert derived.origin
        for made, source in derived.origin.items():
            assert made.domain == source.domain


@pytest.mark.parametrize("case", [conv(), max_pool(), two_guards(), window_lse(), attention()])
def test_the_domain_of_a_padded_program_is_not_empty(case: object) -> None:
    derived = adjoint(case.program, case.of, case.wrt)
    assert any(eq.domain for eq in derived.program.equations[len(case.program.equations):])


def test_a_maximum_hands_on_the_conditions_that_its_positions_do_not_satisfy_by_themselves() -> None:
    source = x[i + u - 1]
    pooled = Equation(y[i], source, "max", over=(u,), domain=(*inside(source, x), 2 - i))
    read = Equation(Tensor("z", (4,))[i], y[i] ** 2, domain=(2 - i,))
    for ties, expected in (("first", (2 - i,)), ("split", pooled.domain)):
        program = Program((x, y, Tensor("z", (4,))), (pooled, read), conventions=Conventions(ties=ties))
        derived = adjoint(program, "z")
        to_x = [eq for eq in derived.program.equations if eq.target.name == "x_bar"]
        assert [eq.domain for eq in to_x] == [expected]
        positions = [eq for eq in derived.program.equations if eq.target.name in ("y_argmax_u", "y_ties")]
        assert [eq.domain for eq in positions] == [pooled.domain]
        found = interpret(derived.program, {"x": [3.0, 1.0, 2.0, 0.5], "z_bar": np.ones(4)})
        assert found["x_bar"].tolist() == [12.0, 0.0, 4.0, 0.0]
        forward = interpret(tangent(program).program, {"x": [3.0, 1.0, 2.0, 0.5], "x_dot": [1.0, 10.0, 100.0, 1000.0]})
        assert forward["z_dot"].tolist() == [6.0, 6.0, 400.0, 0.0]


def test_two_guards_by_hand() -> None:
    case = two_guards()
    found = gradients(case, {"X": np.ones(5), "W": np.ones(3)}, np.array([1, 10, 100, 1000, 10000]), "rational")
    assert found["X"].tolist() == [11, 111, 1110, 11100, 11000]
    assert found["W"].tolist() == [11110, 11111, 1111]


def test_log_sum_exp_of_a_window_does_not_count_the_padding() -> None:
    case = window_lse()
    values = {"X": np.zeros(5)}
    np.testing.assert_allclose(output(case, values), np.log([2, 3, 3, 3, 2]), rtol=1e-14)
    np.testing.assert_allclose(gradients(case, values, np.ones(5))["X"], [5 / 6, 7 / 6, 1, 7 / 6, 5 / 6], rtol=1e-14)


UNKNOWN = {
    "gamma": sp.gamma(x[i]), "another variable's": x[i] * sp.gamma(y[i]), "an exponent's": x[i] ** sp.gamma(y[i]),
    "Max": sp.Max(x[i], 0), "Max of another": x[i] + sp.Max(y[i], 0), "Piecewise": sp.Piecewise((x[i], x[i] > 0), (0, True)),
    "undefined": sp.Function("f")(x[i]), "undefined of another": x[i] * sp.Function("f")(y[i]), "floor": sp.floor(x[i]) * x[i],
    "floor of another": x[i] * sp.floor(y[i]), "Derivative": x[i] * sp.Derivative(sp.Symbol("q") ** 2, sp.Symbol("q")),
    "Sum": sp.Sum(x[i], (sp.Symbol("q"), 0, 2)), "tanh of SymPy": sp.tanh(x[i]), "sign of SymPy": sp.sign(x[i])}


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_functions_raise(name: str) -> None:
    z = Tensor("z", (4,))
    given = Tensor("y", (4,), role="input")
    with pytest.raises(LanguageError, match="has no derivative here"):
        adjoint(Program((x, given, z), (Equation(z[i], UNKNOWN[name]),)), "z")


def test_sympys_own_derivative_of_an_access_raises() -> None:
    with pytest.raises(LanguageError, match="differentiated by symbp.calculus"):
        sp.diff(x[i] ** 2 * y[i], i)


def test_sizes_and_widths_may_stand_in_bodies() -> None:
    H, n = sp.Symbol("H", integer=True, positive=True), sp.Function("n")
    z = Tensor("z", (4,))
    derived = adjoint(Program((x, z), (Equation(z[i], x[i] ** 2 / sp.floor(H / 2) / n(1)),)), "z")
    found = interpret(derived.program, {"x": [1, 2, 3, 4], "z_bar": [1, 1, 1, 1]}, {"H": 5, "n": [0, 3]}, numbers="rational")
    assert (found["x_bar"] * 3).tolist() == [1, 2, 3, 4]


def test_a_derivative_that_is_zero_is_a_zero_and_not_an_input() -> None:
    z, v, unused = Tensor("z", (4,)), Tensor("v", (4,), role="parameter"), Tensor("unused", (2, 3), role="parameter")
    program = Program((x, v, unused, z, y), (Equation(z[i], x[i] * v[i]), Equation(y[i], step(z[i], 0) * v[i])))
    derived = adjoint(program, "y")
    assert [(eq.target.name, eq.label) for eq in derived.statements if eq.body == 0] == [("unused_bar", "zero"), ("z_bar", "zero")]
    found = interpret(derived.program, {"x": [1, -2, 3, 4], "v": [1, 1, 1, 2], "unused": np.ones((2, 3)),
                                                      "y_bar": [1, 2, 3, 4]})
    assert found["x_bar"].tolist() == [0, 0, 0, 0]
    assert found["v_bar"].tolist() == [1, 0, 3, 4]
    assert found["unused_bar"].tolist() == np.zeros((2, 3)).tolist()
    forward = tangent(program, ("x",))
    given = {"x": [1, -2, 3, 4], "v": [1, 1, 1, 2], "unused": np.ones((2, 3)), "x_dot": [1, 1, 1, 1]}
    assert interpret(forward.program, given)["y_dot"].tolist() == [0, 0, 0, 0]


def test_integers_have_no_derivative() -> None:
    program = embedding().program
    with pytest.raises(LanguageError, match="t holds integers; a derivative by it"):
        adjoint(program, "y", ("t",))
    with pytest.raises(LanguageError, match="t holds integers and has no derivative"):
        adjoint(program, "t", ("E",))
    with pytest.raises(LanguageError, match='no tensor is called .*EE.*did you mean "E"'):
        adjoint(program, "y", ("EE",))
    with pytest.raises(LanguageError, match="no tensor is called 'loss'"):
        adjoint(program, "loss")


def test_positions_found_forward_are_not_differentiated() -> None:
    best, z, c = Tensor("best", dtype="int"), Tensor("z"), Tensor("c", (4,), role="parameter")
    program = Program((x, c, best, z), (Equation(best[()], x[i], "argmax", over=(i,), component=i),
                                        Equation(z[()], c[best[()]] * x[best[()]] * best[()])))
    derived = adjoint(program, "z")
    assert "best" not in derived.names
    found = interpret(derived.program, {"x": [1, 5, 7, 2], "c": [1, 2, 3, 4]}, numbers="rational")
    assert (found["x_bar"].tolist(), found["c_bar"].tolist()) == ([0, 0, 6, 0], [0, 0, 14, 0])
    values, _ = drawn(embedding())
    values["t"][0] = -1
    with pytest.raises(LanguageError, match=r"the index t\[n\] of E\[t\[n\], d\] is -1, outside axis 0 of extent 4"):
        output(embedding(), values)
    values["t"][0] = 4
    with pytest.raises(LanguageError, match="is 4, outside axis 0"):
        output(embedding(), values)


@pytest.mark.parametrize("ties", ["first", "split"])
def test_a_maximum_of_what_is_held_fixed_adds_nothing(ties: str) -> None:
    m, c = Tensor("m", (4,)), Tensor("c", (4,), role="input")
    j = Index("j", 3)
    program = Program((x, c, w, m), (Equation(m[0], c[i], "max", over=(i,)), Equation(m[j + 1], x[i] * w[j], "max", over=(i,))),
                      conventions=Conventions(ties=ties))
    derived = adjoint(program, "m", ("w",))
    made = [t.name for t in derived.program.tensors[4:]]
    assert made == ["w_bar", "m_bar", "m_argmax_i" if ties == "first" else "m_ties"]
    assert len(derived.statements) == 2
    assert len(tangent(program, ("w",)).statements) == 4


def test_bound_indices_are_those_that_the_cotangent_lacks() -> None:
    for name in CASES:
        case = CASES[name]()
        derived = adjoint(case.program, case.of, case.wrt)
        for equation, loops in walk(derived.statements):
            if equation in derived.origin and equation.label != "seed":
                source = derived.origin[equation]
                fixed = {loop.index for loop in loops}
                bound = set(equation.over)
                assert bound.isdisjoint(fixed) and bound <= set(source.indices)
