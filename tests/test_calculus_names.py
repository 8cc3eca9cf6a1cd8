"""Names, roles and symbols of the derivative's tensors, labels and origins of its equations."""
from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest
from programs import conv, lstm, max_pool, mlp, running_max

from symbp.calculus.differentiate import adjoint, tangent
from symbp.language import Equation, Index, Program, Tensor

i = Index("i", 3)


def test_cotangents_are_plain_tensors_of_the_same_shape() -> None:
    program = mlp().program
    styled = tuple(replace(t, symbol="Q", level="2", cotangent=r"\delta", auxiliary=True) if t.name == "z1" else t for t in program.tensors)
    derived = adjoint(replace(program, tensors=styled), "L")
    bar = derived.program.tensor(derived.names["z1"])
    assert (bar.role, bar.symbol, bar.cotangent, bar.auxiliary, bar.dtype) == ("intermediate", "", "", False, "float")
    assert bar.shape == program.tensor("z1").shape
    assert bar.cotangent_of == ("L", "z1") and bar.level == "2"
    dot = tangent(replace(program, tensors=styled)).program.tensor("z1_dot")
    assert dot.cotangent_of == ("", "z1")


def test_names() -> None:
    derived = adjoint(mlp().program, "L")
    assert derived.of == "L" and derived.wrt == ("W1", "b1", "W2", "b2") and derived.seed == ""
    assert derived.names == {n: f"{n}_bar" for n in ("W1", "b1", "W2", "b2", "z1", "h", "z2", "e", "S", "L")}
    forward = tangent(mlp().program, ("W2",))
    assert forward.names == {n: f"{n}_dot" for n in ("W2", "z2", "e", "S", "L")}
    assert forward.wrt == ("W2",) and forward.of == ""
    assert forward.program.tensor("W2_dot").role == "input" and forward.program.tensor("z2_dot").role == "intermediate"


def test_a_seed_is_an_input_only_where_there_are_axes() -> None:
    derived = adjoint(conv().program, "y")
    assert derived.seed == "y_bar" and derived.program.tensor("y_bar").role == "input"
    start = adjoint(mlp().program, "L").statements[0]
    assert (str(start), start.label) == ("L_bar[] += 1", "seed")
    assert adjoint(lstm().program, "h").statements[0].label == "seed"


def test_positions_and_counts() -> None:
    first = adjoint(max_pool().program, "y")
    assert [t.name for t in first.program.tensors] == ["X", "y", "X_bar", "y_bar", "y_argmax_u", "y_argmax_v"]
    u = first.program.tensor("y_argmax_u")
    assert (u.dtype, u.role, u.symbol, u.cotangent_of) == ("int", "intermediate", "{u^{*}}", None)
    assert u.shape == max_pool().program.tensor("y").shape
    split = adjoint(max_pool().split().program, "y").program.tensor("y_ties")
    assert (split.dtype, split.role, split.symbol, split.cotangent_of) == ("float", "intermediate", "", None)


def test_helpers_of_a_styled_maximum_are_plain() -> None:
    program = running_max().program
    style = {"role": "state", "symbol": "Q", "cotangent": "q", "auxiliary": True, "cotangent_of": ("a", "b")}
    styled = tuple(replace(t, **style) if t.name == "m" else t for t in program.tensors)
    for convention, name, symbol in ((running_max(), "m_argmax_k", "{k^{*}}"), (running_max().split(), "m_ties", "")):
        made = adjoint(replace(convention.program, tensors=styled), "L").program.tensor(name)
        assert (made.role, made.symbol, made.cotangent, made.auxiliary, made.cotangent_of) == ("intermediate", symbol, "", False, None)


def test_names_may_come_from_an_iterator() -> None:
    assert adjoint(mlp().program, "L", iter(["W1", "b1"])).wrt == ("W1", "b1")


def test_labels_and_origins() -> None:
    x, y, s = Tensor("x", (3,), role="parameter"), Tensor("y", (3,)), Tensor("s")
    square = Equation(y[i], x[i] ** 2, label="square")
    total = Equation(s[()], y[i], over=(i,), label="total")
    derived = adjoint(Program((x, y, s), (square, total)), "s")
    assert [(str(eq), eq.label) for eq in derived.statements] == [
        ("s_bar[] += 1", "seed"), ("y_bar[i] += s_bar[]", "total"), ("x_bar[i] += 2*x[i]*y_bar[i]", "square")]
    assert [derived.origin[eq] for eq in derived.statements[1:]] == [total, square]
    assert derived.program.statements[:2] == (square, total)
    forward = tangent(Program((x, y, s), (square, total)))
    assert [str(eq) for eq in forward.statements] == [
        "y[i] += x[i]**2", "y_dot[i] += 2*x[i]*x_dot[i]", "s[] += sum(i, y[i])", "s_dot[] += sum(i, y_dot[i])"]
    assert forward.statements == forward.program.statements


def test_zero_derivatives_are_said() -> None:
    x, y, c = Tensor("x", (3,), role="parameter"), Tensor("y", (3,)), Tensor("c", (2, 3), role="parameter", origin=(1, 0))
    derived = adjoint(Program((x, c, y), (Equation(y[i], x[i]),)), "y")
    assert [(str(eq), eq.label) for eq in derived.statements] == [("c_bar[i_0, i_1] += 0", "zero"), ("x_bar[i] += y_bar[i]", "")]
    assert [(str(k.extent), str(k.start)) for k in derived.statements[0].indices] == [("2", "1"), ("3", "0")]


def test_the_order_of_the_tensors_is_that_of_the_program() -> None:
    program = lstm().program
    derived = adjoint(program, "L")
    order = [t.name for t in program.tensors if t.name in derived.names]
    assert list(derived.names) == order
    assert [t.name for t in derived.program.tensors[len(program.tensors):]] == [f"{n}_bar" for n in order]


def test_a_derivative_cannot_be_changed() -> None:
    derived = adjoint(mlp().program, "L")
    with pytest.raises(FrozenInstanceError):
        derived.of = "W1"


def test_new_names_avoid_those_of_tensors_and_indices() -> None:
    k = Index("x_bar", 3)
    x, x_dot, s = Tensor("x", (3,), role="parameter"), Tensor("x_dot", (3,), role="input"), Tensor("s")
    program = Program((x, x_dot, s), (Equation(s[()], x[k] * x_dot[k], over=(k,)),))
    assert adjoint(program, "s").names["x"] not in ("x_bar", "x", "x_dot", "s")
    assert tangent(program).names["x"] not in ("x_bar", "x", "x_dot", "s")
