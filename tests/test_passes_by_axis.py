"""Maxima and sums over windows axis by axis: which equations there are, what their lines look like, and that all agree with the oracle."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import Case, avg_pool, max_pool
from programs.case import normals
from test_arrays_lower import compare, run, run_planned

from symbp.arrays import lower
from symbp.calculus.differentiate import adjoint
from symbp.interpret import interpret
from symbp.language import Equation, Index, Loop, Program, Tensor, inside, size
from symbp.language.names import NameSupply
from symbp.passes.by_axis import by_axis
from symbp.printing.numpy import NumpyPrinter

N = size("N")
n, i, j, u, v = Index("n", N), Index("i", 6), Index("j", 5), Index("u", 3), Index("v", 3)
A = Tensor("a", (N, 12, 10), role="input")


def equations(program: Program) -> list[str]:
    return [str(eq) for eq in by_axis(program, NameSupply(t.name for t in program.tensors)).equations]


def pooled(op: str, body: Any, *more: Tensor, **options: Any) -> Program:
    m = Tensor("m", (N, 6, 5))
    return Program((A, *more, m), (Equation(m[n, i, j], body, op=op, over=(u, v), **options),))


def lines(program: Program) -> list[str]:
    return list(NumpyPrinter().lines(lower(program)))


SHOWN = A[n, 2 * i + u - 1, 2 * j + v - 1]


def test_a_maximum_goes_along_one_axis_after_the_other() -> None:
    assert equations(pooled("max", SHOWN, domain=inside(SHOWN, A))) == [
        "m_rows[n, i, j_2] = max(u where 2*i + u - 1 >= 0 and -2*i - u + 12 >= 0, a[n, 2*i + u - 1, j_2])",
        "m[n, i, j] = max(v where 2*j + v - 1 >= 0 and -2*j - v + 10 >= 0, m_rows[n, i, 2*j + v - 1])"]


def test_a_sum_has_an_equation_for_each_tap_those_of_all_windows_first() -> None:
    assert equations(pooled("sum", SHOWN / 9, domain=inside(SHOWN, A))) == [
        "m_rows[n, i_2, j_2] += a[n, 2*i_2, j_2]", "m_rows[n, i_2, j_2] += a[n, 2*i_2 + 1, j_2]",
        "m_rows[n, i_3, j_2] += a[n, 2*i_3 - 1, j_2]",
        "m_sum[n, i, j_3] += m_rows[n, i, 2*j_3]", "m_sum[n, i, j_3] += m_rows[n, i, 2*j_3 + 1]",
        "m_sum[n, i, j_4] += m_rows[n, i, 2*j_4 - 1]",
        "m[n, i_4, j_5] += m_sum[n, i_4, j_5]/9"]


def test_the_lines_are_whole_slices() -> None:
    assert lines(pooled("max", SHOWN, domain=inside(SHOWN, A))) == [
        "m_rows = np.maximum(a[:, :11:2], a[:, 1:12:2])",
        "m_rows[:, 1:6] = np.maximum(m_rows[:, 1:6], a[:, 1:10:2])",
        "m = np.maximum(m_rows[:, :, :9:2], m_rows[:, :, 1:10:2])",
        "m[:, :, 1:5] = np.maximum(m[:, :, 1:5], m_rows[:, :, 1:8:2])"]
    assert lines(pooled("sum", SHOWN / 9, domain=inside(SHOWN, A))) == [
        "m_rows = a[:, :11:2] + a[:, 1:12:2]", "m_rows[:, 1:6] += a[:, 1:10:2]",
        "m_sum = m_rows[:, :, :9:2] + m_rows[:, :, 1:10:2]", "m_sum[:, :, 1:5] += m_rows[:, :, 1:8:2]", "m = m_sum / 9"]


def test_the_cotangent_of_windows_with_margins_goes_to_the_first_tap_that_has_the_maximum() -> None:
    found = lines(adjoint(max_pool(2, 1, (8, 8), (3, 3), (2, 2), ((1, 1),) * 2).program, "y", ("X",)).program)
    assert found[-9:] == [
        "X_padded = np.pad(X, ((0, 0), (0, 0), (1, 0), (1, 0)), constant_values=np.nan)",
        "y_taken = np.zeros((2, 1, 4, 4), bool)",
        "X_bar_padded = np.zeros((2, 1, 9, 9), dtype)",
        "for u in range(3):",
        "    for v in range(3):",
        "        y_hit = (X_padded[:, :, u:u + 7:2, v:v + 7:2] == y) & ~y_taken",
        "        y_taken |= y_hit",
        "        X_bar_padded[:, :, u:u + 7:2, v:v + 7:2] += y_bar * y_hit",
        "X_bar = X_bar_padded[:, :, 1:9, 1:9].copy()"]


@pytest.mark.parametrize("program", [
    pooled("max", 2 * A[n, i + u, j + v]),
    pooled("sum", A[n, i + u, j + v] ** 2),
    pooled("sum", A[n, i + u, j + v], domain=(i - j,)),
    pooled("sum", A[n, i + u, j + u]),
    pooled("max", A[n, u + v + i, 2 * j]),
], ids=["factor of a maximum", "square", "another condition", "one tap twice", "two taps on an axis"])
def test_anything_else_stays(program: Program) -> None:
    assert by_axis(program, NameSupply("am")) is program


@st.composite
def shapes(draw: st.DrawFn) -> dict[str, Any]:
    """Pools of one or two axes with margins, also where a window lies in none of a tap's rows."""
    found: dict[str, list] = {"sizes": [], "kernel": [], "stride": [], "pads": []}
    for _ in range(draw(st.integers(1, 2))):
        kernel = draw(st.integers(1, 5))
        pads = draw(st.integers(0, kernel - 1)), draw(st.integers(0, kernel - 1))
        found["sizes"].append(draw(st.integers(max(1, kernel - sum(pads)), 7)))
        found["kernel"].append(kernel)
        found["stride"].append(draw(st.integers(1, 5)))
        found["pads"].append(pads)
    return {k: tuple(v) for k, v in found.items()}


@settings(max_examples=40, deadline=None)
@given(shapes(), st.booleans())
def test_maxima_equal_the_oracle(window: dict[str, Any], ties: bool) -> None:
    compare(max_pool(2, 2, ties=ties, **window), bits=True)


@settings(max_examples=25, deadline=None)
@given(shapes(), st.booleans())
def test_sums_equal_the_oracle(window: dict[str, Any], count: bool) -> None:
    pads = tuple(min(p) for p in window.pop("pads"))
    if all(s + 2 * p >= k for s, p, k in zip(window["sizes"], pads, window["kernel"])):
        compare(avg_pool(2, 2, pad=pads, count_pad=count, **window))


def test_a_maximum_of_maxima_and_of_another_origin() -> None:
    w, s = Index("w", 3), Index("s", 2)
    b, c, m = Tensor("b", (9,), role="input", origin=(sp.Integer(-1),)), Tensor("c", (7,)), Tensor("m", (3,))
    o, q = Index("o", 7), Index("q", 3)
    first = Equation(c[o], b[o + w - 1], op="max", over=(w,))
    compare(Case(Program((b, c, m), (first, Equation(m[q], c[2 * q + s], op="max", over=(s,)))), "m", ("b",),
                 lambda rng: normals(rng, b=(9,))))


SQUARE, E, I, J = Tensor("a", (6, 6), role="input"), Index("e", 3), Index("i", 6), Index("j", 6)
RIGHT = SQUARE[I + u - 1, J + v - 1]


@pytest.mark.parametrize("shape, target, body, over", [
    ((6,), (I,), SQUARE[I, I + u - 1], (u,)),
    ((3, 6, 6), (E, I, J), RIGHT, (u, v)),
    ((6, 3, 6), (J, E, I), RIGHT, (u, v)),
    ((6, 6), (J, I), RIGHT, (u, v)),
], ids=["along a diagonal", "repeated", "repeated and turned", "turned"])
def test_gradients_of_maxima_that_are_no_pools(shape: tuple[int, ...], target: tuple[Index, ...], body: Any, over: tuple[Index, ...]) -> None:
    m = Tensor("m", shape)
    program = Program((SQUARE, m), (Equation(m[target], body, "max", over=over, domain=inside(body, SQUARE)),))
    compare(Case(program, "m", ("a",), lambda rng: normals(rng, a=(6, 6))), bits=True)


def test_a_sum_with_a_factor_into_a_part_of_a_tensor() -> None:
    part, m = Index("i", 4), Tensor("m", (3, 6))
    body = SQUARE[E + u - 1, part + v - 1]
    program = Program((SQUARE, m), (Equation(m[E, part], body / 5, over=(u, v), domain=inside(body, SQUARE)),))
    compare(Case(program, "m", ("a",), lambda rng: normals(rng, a=(6, 6))), bits=True)


def test_helpers_have_only_the_axes_that_are_read() -> None:
    w, m = Tensor("w", (3,), role="input"), Tensor("m", (3, 6, 6))
    program = Program((SQUARE, w, m), (Equation(m[E, I, J], RIGHT * w[E], over=(u, v), domain=inside(RIGHT, SQUARE)),))
    assert {t.name: t.shape for t in by_axis(program, NameSupply("awm")).tensors[3:]} == {"m_rows": (6, 6), "m_sum": (6, 6)}
    compare(Case(program, "m", ("a", "w"), lambda rng: normals(rng, a=(6, 6), w=(3,))))


def test_a_maximum_in_a_loop_is_that_of_one_round() -> None:
    t, i, z = Index("t", 4), Index("i", 5), Index("z", 5)
    x, h, y = Tensor("x", (4, 5), role="input"), Tensor("h", (5, 5), role="state"), Tensor("y", (4, 5))
    body = Equation(y[t, i], h[t, i + u - 1], "max", over=(u,), domain=inside(h[t, i + u - 1], h)), Equation(h[t + 1, z], y[t, z] + x[t, z])
    program = Program((x, h, y), (Equation(h[0, z], x[0, z]), Loop(t, "ascending", body)))
    assert any(line.startswith("    y[t] = ") for line in lines(program))
    compare(Case(program, "h", ("x",), lambda rng: normals(rng, x=(4, 5))), bits=True)


@pytest.mark.parametrize("kernel, stride, pads", [((3, 3), (2, 2), ((1, 1),) * 2), ((3,), (2,), ((1, 1),)), ((2, 3), (1, 3), ((1, 0), (0, 2)))])
def test_margins_win_no_tie_with_the_least_number(kernel: tuple[int, ...], stride: tuple[int, ...], pads: tuple) -> None:
    case, rng = max_pool(2, 2, (5,) * len(kernel), kernel, stride, pads), np.random.default_rng(0)
    derivative = adjoint(case.program, "y", ("X",))
    X = rng.normal(size=(2, 2, *(5,) * len(kernel)))
    shape = interpret(case.program, {"X": X})["y"].shape
    values = {"X": np.where(rng.random(X.shape) < 0.8, -np.inf, X), derivative.seed: rng.normal(size=shape)}
    expected = interpret(derivative.program, values)["X_bar"]
    np.testing.assert_allclose(run(derivative.program, values, {})["X_bar"], expected, rtol=1e-12)
    np.testing.assert_allclose(run_planned(derivative.program, [values], {})["X_bar"], expected, rtol=1e-12)


def test_rounding_of_a_mean_is_that_of_sums_by_axis() -> None:
    values = np.random.default_rng(0).normal(size=(2, 12, 10)).astype(np.float32)
    space: dict[str, Any] = {"np": np, "a": values, "dtype": np.float32, "N": 2}
    exec("\n".join(lines(pooled("sum", A[n, 2 * i + u - 1, 2 * j + v - 1] / 9, domain=inside(SHOWN, A)))), space)  # noqa: S102 - our own lines
    padded = np.pad(values.astype(float), ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
    np.testing.assert_allclose(space["m"], windows.mean(axis=(3, 4))[:, :6, :5], rtol=1e-5, atol=1e-7)
    assert space["m"].dtype == np.float32
