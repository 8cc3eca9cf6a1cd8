"""The oracle: what it calculates, in three kinds of numbers, and what it refuses."""
from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from programs import conv, deep, max_pool, mlp

from symbp.errors import LanguageError
from symbp.interpret import interpret
from symbp.language import AXIS0, Equation, Fact, Index, Loop, Program, Tensor, inside, is_binary, size, sums_to_one
from symbp.language import functions as fn

N = size("N")
i, j, n, u = Index("i", 3), Index("j", 2), Index("n", N), Index("u", 3)
x, y, s = Tensor("x", (3,), role="input"), Tensor("y", (3,)), Tensor("s")
t = Tensor("t", (3,), dtype="int", role="input")
X, Y = Tensor("X", (N,), role="input"), Tensor("Y", (N,))


def run(program: Program, numbers: str = "float64", **values: object) -> dict[str, np.ndarray]:
    """Run with the default x."""
    return interpret(program, {"x": [1, 2, 3], **values}, numbers=numbers)


def test_a_convolution_point_by_point() -> None:
    case = conv(1, 2, 2, (4,), (2,), (2,), ((1, 1),), (2,), 2)
    values = case.draw(np.random.default_rng(0))
    expected = np.zeros((1, 2, 2))
    for f in range(2):
        for p in range(2):
            expected[0, f, p] = values["b"][f]
            for tap in range(2):
                at = 2 * p + 2 * tap - 1
                expected[0, f, p] += values["X"][0, f, at] * values["K"][f, 0, tap] if 0 <= at < 4 else 0
    np.testing.assert_allclose(interpret(case.program, values)["y"], expected, rtol=1e-14)


def test_positions_of_a_maximum_are_the_first_in_the_order_written() -> None:
    W = Tensor("W", (3, 2), role="input")
    a, b = Tensor("a", dtype="int"), Tensor("b", dtype="int")
    for over, expected in (((i, j), (0, 1)), ((j, i), (2, 0))):
        program = Program((W, a, b), (Equation(a[()], W[i, j], "argmax", over=over, component=i),
                                      Equation(b[()], W[i, j], "argmax", over=over, component=j)))
        found = interpret(program, {"W": [[1, 7], [2, 3], [7, 7]]})
        assert (found["a"].item(), found["b"].item()) == expected
        assert found["a"].dtype == int


def test_positions_count_from_the_start_of_the_index() -> None:
    k = Index("k", 3, start=1)
    a, z = Tensor("a", dtype="int"), Tensor("z", (3,), origin=(1,), role="input")
    program = Program((z, a, s), (Equation(a[()], z[k], "argmax", over=(k,), component=k), Equation(s[()], z[a[()]])))
    found = interpret(program, {"z": [1, 5, 2]})
    assert (found["a"].item(), found["s"].item()) == (2, 5.0)


def test_values_of_indices_sizes_and_integers_in_bodies() -> None:
    program = Program((t, X, y, s), (Equation(y[i], i * t[i] + fn.step(t[i], 0)), Equation(s[()], X[n] / N + n, over=(n,))))
    for numbers in ("float64", "rational", "symbol"):
        found = interpret(program, {"t": [5, -1, 2], "X": [1, 3]}, {"N": 2}, numbers=numbers)
        assert found["y"].tolist() == [1, -1, 5]
        assert found["s"].item() == 3


CONSTANTS = {"sigmoid": (fn.sigmoid(sp.Integer(2)), 1 / (1 + np.exp(-2))), "relu": (fn.relu(sp.Integer(-2)), 0),
             "root": (sp.sqrt(2), 2**0.5), "step": (fn.step(sp.sqrt(2) - 1, 0), 1),
             "bracket": (fn.equal(sp.pi, 3), 0), "gelu": (fn.gelu(sp.Integer(0)), 0),
             "exp": (sp.exp(2) * sp.pi, np.exp(2) * np.pi)}


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants(name: str) -> None:
    body, expected = CONSTANTS[name]
    np.testing.assert_allclose(run(Program((x, y), (Equation(y[i], x[i] * body),)))["y"], np.array([1, 2, 3]) * expected, rtol=1e-15)


def test_opaque_functions_have_the_implementation_that_is_given() -> None:
    f = fn.opaque("f")
    program = Program((x, y), (Equation(y[i], f(x[i]) + f(sp.Integer(2))),))
    assert interpret(program, {"x": [1, 2, 3]}, functions={"f": lambda v: v * v})["y"].tolist() == [5, 8, 13]
    assert str(interpret(program, {"x": [1, 2, 3]}, numbers="symbol")["y"][0]) == "f(1) + f(2)"
    with pytest.raises(LanguageError, match=r"the function f has no definition; give its values by functions=\{'f': …\}"):
        interpret(program, {"x": [1, 2, 3]})


def test_rationals_are_exact() -> None:
    program = Program((x, y, s), (Equation(y[i], sp.Rational(1, 3) / x[i] + sp.Abs(-x[i]) ** 2),
                                  Equation(s[()], fn.relu(y[i] - 2), over=(i,))))
    found = run(program, "rational")
    assert found["y"].tolist() == [Fraction(4, 3), Fraction(25, 6), Fraction(82, 9)]
    assert found["s"].item() == Fraction(13, 6) + Fraction(64, 9)
    assert all(isinstance(v, Fraction) for v in found["y"])
    with pytest.raises(LanguageError, match="the power 1/2 of a rational is not rational"):
        run(Program((x, y), (Equation(y[i], sp.sqrt(x[i])),)), "rational")
    with pytest.raises(LanguageError, match="pi is not rational"):
        run(Program((x, y), (Equation(y[i], sp.pi * x[i]),)), "rational")
    with pytest.raises(LanguageError, match="Rational cannot calculate exp; known are"):
        run(Program((x, y), (Equation(y[i], sp.exp(x[i])),)), "rational")


def test_symbols() -> None:
    a = [sp.Symbol(c, real=True) for c in "abc"]
    program = Program((x, y, s), (Equation(y[i], sp.exp(x[i]) + sp.sin(x[i]) ** 2), Equation(s[()], y[i] * i, over=(i,))))
    found = interpret(program, {"x": a}, numbers="symbol")
    assert found["s"].item() == sp.exp(a[1]) + sp.sin(a[1]) ** 2 + 2 * (sp.exp(a[2]) + sp.sin(a[2]) ** 2)
    biggest = Program((x, s), (Equation(s[()], x[i], "max", over=(i,)),))
    assert interpret(biggest, {"x": [a[0], a[0] + 2, a[0] + 1]}, numbers="symbol")["s"].item() == a[0] + 2
    with pytest.raises(LanguageError, match="cannot decide whether b > a; a maximum needs numbers"):
        interpret(biggest, {"x": a}, numbers="symbol")


def test_rows_of_different_width_are_stored_at_the_largest() -> None:
    case = deep((3, 1, 2))
    values = case.draw(np.random.default_rng(0))
    found = interpret(case.program, values, {"L": 2, "n": lambda l: (3, 1, 2)[l]})
    assert found["z"].shape == (2, 2) and found["a"].shape == (3, 3)
    assert found["a"][1, 1] == 0 and found["a"][2, 2] == 0
    with pytest.raises(LanguageError, match=r"no width is given for n\(2\)"):
        interpret(case.program, values, {"L": 2, "n": [3, 1]})
    with pytest.raises(LanguageError, match=r"the size n\(1\) must be a whole number of at least 1, not 0"):
        interpret(case.program, values, {"L": 2, "n": [3, 0, 2]})
    with pytest.raises(LanguageError, match="sizes are missing for L, n"):
        interpret(case.program, values)


def test_a_loop_of_no_steps() -> None:
    k = Index("k", N - 1)
    program = Program((X, s), (Equation(s[()], 7), Loop(k, "descending", (Equation(s[()], X[k]),))))
    assert interpret(program, {"X": [1]}, {"N": 1})["s"].item() == 7
    assert interpret(program, {"X": [1, 2, 4]}, {"N": 3})["s"].item() == 10


def test_contributions_start_from_zero_and_points_outside_add_nothing() -> None:
    program = Program((x, y), (Equation(y[i], x[i], domain=(i - 1,)), Equation(y[i], x[i], domain=(1 - i,)),
                               Equation(y[sp.Integer(0)], x[i], over=(i,))))
    assert run(program)["y"].tolist() == [7, 4, 3]


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "no value": (lambda: interpret(Program((x, y), (Equation(y[i], x[i]),)), {}), "no value is given for x of shape (3,)"),
    "a wrong shape": (lambda: run(Program((x, y), (Equation(y[i], x[i]),)), x=[1, 2]), "x has shape (3,), but the value given has (2,)"),
    "a fraction for an integer": (
        lambda: run(Program((x, t, y), (Equation(y[i], x[t[i]]),)), t=[0, 0.5, 1]),
        "t holds whole numbers, but the value given has others"),
    "an index below": (
        lambda: run(Program((x, t, y), (Equation(y[i], x[t[i]]),)), t=[0, -1, 2]),
        "`y[i] += x[t[i]]`: the index t[i] of x[t[i]] is -1, outside axis 0 of extent 3"),
    "an index above": (
        lambda: run(Program((x, t, y), (Equation(y[i], x[t[i] + 1]),)), t=[0, 1, 2]),
        "the index t[i] + 1 of x[t[i] + 1] is 3, outside axis 0 of extent 3"),
    "a target outside": (
        lambda: run(Program((x, t, y), (Equation(y[t[i]], x[i]),)), t=[0, 1, 3]),
        "the index t[i] of y[t[i]] is 3, outside axis 0"),
    "an empty window": (
        lambda: interpret(Program((X, Y), (Equation(Y[n], X[n + u - 2], "max", over=(u,), domain=(*inside(X[n + u - 2], X), 1 - u)),)),
                          {"X": [1, 2, 3]}, {"N": 3}),
        "the window of Y[0] is empty; a maximum over no element has no value"),
    "an empty window of a scalar": (
        lambda: interpret(Program((X, s), (Equation(s[()], X[n], "max", over=(n,), domain=(n - 5,)),)), {"X": [1]}, {"N": 1}),
        "the window of s[] is empty"),
    "a maximum that is not written": (
        lambda: run(Program((x, y, s), (Equation(y[i], x[i], "max", domain=(i - 1,)), Equation(s[()], y[i], over=(i,))))),
        "`s[] += sum(i, y[i])` reads an element of y that no maximum has written"),
    "a size that is no whole number": (
        lambda: interpret(Program((X, s), (Equation(s[()], X[n], over=(n,)),)), {"X": [1]}, {"N": 1.5}),
        "the size N must be a whole number of at least 1, not 1.5"),
    "a size of nothing": (
        lambda: interpret(Program((X, s), (Equation(s[()], X[n], over=(n,)),)), {"X": []}, {"N": 0}),
        "the size N must be a whole number of at least 1, not 0"),
    "an extent that is no whole number": (
        lambda: interpret(Program((Tensor("h", (N / 2,), role="input"),), ()), {"h": [1]}, {"N": 3}),
        "the extent N/2 is 3/2, not a whole number"),
    "a missing size": (lambda: interpret(Program((X, s), (Equation(s[()], X[n], over=(n,)),)), {"X": [1]}), "sizes are missing for N"),
    "an extent that depends on an index": (
        lambda: interpret(Program((x, s), (Equation(s[()], 1, over=(i, Index("k", 1 + i))),)), {"x": [1, 2, 3]}),
        "the extent i + 1 of k depends on i, which is not a loop's index"),
    "an extent that depends on a loop elsewhere": (
        lambda: interpret(Program((x, s), (Equation(s[()], 1, over=(Index("k", 1 + i),)),)), {"x": [1, 2, 3]}),
        "an extent depends on i, which is no index of a loop around it"),
    "an unknown function": (lambda: run(Program((x, y), (Equation(y[i], sp.gamma(x[i])),))), "Float64 cannot calculate gamma; known are"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    build, message = REFUSED[name]
    with pytest.raises(LanguageError) as caught:
        build()
    assert message in str(caught.value)


def test_a_contribution_after_a_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symbp.language.wellformed.check", lambda program: None)
    late = Program((x, y, s), (Equation(y[i], x[i]), Equation(s[()], y[sp.Integer(1)]), Equation(y[i], 1, domain=(i - 1,))))
    with pytest.raises(LanguageError, match=r"`y\[i\] \+= .* contributes to an element of y that was already read"):
        run(late)
    elsewhere = Program((x, y, s), (Equation(y[i], x[i]), Equation(s[()], y[sp.Integer(1)]), Equation(y[i], 1, domain=(i - 2,))))
    assert run(elsewhere)["y"].tolist() == [1, 2, 4]
    itself = Program((x, y), (Equation(y[i], y[i] + x[i]),))
    with pytest.raises(LanguageError, match="already read"):
        run(itself)


FACTS = {
    "==": ([0.5, 0.25, 0.25], [0.5, 0.25, 0.2501]), ">": ([1, 2, 3], [1, 0, 3]), ">=": ([1, 0, 3], [1, -1, 3]),
    "<": ([-1, -2, -3], [-1, 0, -3]), "<=": ([-1, 0, -3], [-1, 1, -3])}


@pytest.mark.parametrize("relation", FACTS)
def test_facts_are_asserted(relation: str) -> None:
    fact = Fact(x[i], "==", 1, over=(i,)) if relation == "==" else Fact(x[i], relation, 0)
    program = Program((x, y), (Equation(y[i], x[i]),), (fact,))
    good, bad = FACTS[relation]
    assert run(program, x=good)["y"].tolist() == good
    with pytest.raises(LanguageError, match="the values given violate the fact"):
        run(program, x=bad)
    assert interpret(program, {"x": bad}, facts=False)["y"].tolist() == bad


def test_facts_about_rows_and_sizes() -> None:
    T, a = Tensor("T", (N, 2), role="input"), Index("a", 2)
    program = Program((T, s), (Equation(s[()], T[n, a], over=(n, a)),), (sums_to_one(T, n, a), is_binary(T, n, a), Fact(N, ">=", 2)))
    assert interpret(program, {"T": [[0, 1], [1, 0], [0, 1]]}, {"N": 3})["s"].item() == 3
    for bad, rows in (([[0, 1], [1, 1]], 2), ([[0.5, 0.5], [0, 1]], 2), ([[0, 1]], 1)):
        with pytest.raises(LanguageError, match="violate the fact"):
            interpret(program, {"T": bad}, {"N": rows})
    exact = interpret(program, {"T": [[0, 1], [1, 0]]}, {"N": 2}, numbers="rational")
    assert exact["s"].item() == 2


def test_facts_about_results_are_not_asserted() -> None:
    program = Program((x, y), (Equation(y[i], x[i]),), (Fact(y[i], ">", 5),))
    assert run(program)["y"].tolist() == [1, 2, 3]


def test_a_given_input_is_not_changed() -> None:
    values = {"x": np.array([1.0, 2.0, 3.0])}
    found = interpret(Program((x, y), (Equation(y[i], 2 * x[i]),)), values)
    found["x"][0] = 9
    assert values["x"].tolist() == [1, 2, 3]


def test_all_arrays_are_returned() -> None:
    case = mlp()
    found = interpret(case.program, case.draw(np.random.default_rng(0)), case.sizes)
    assert set(found) == {tensor.name for tensor in case.program.tensors}
    assert found["L"].shape == () and found["h"].shape == (3, 4)
    pooled = max_pool()
    assert interpret(pooled.program, pooled.draw(np.random.default_rng(0)))["y"].shape == (2, 2, 3, 4)
    assert AXIS0 not in case.program.sizes
