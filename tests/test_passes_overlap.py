"""Sums into overlapping windows in the other order: the same values, which sums are turned, and which stay."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import CASES, Case, avg_pool, conv
from programs.windows import out_size
from test_arrays_lower import compare

from symbp.arrays import lower
from symbp.arrays.first import firsts
from symbp.calculus.differentiate import adjoint
from symbp.interpret import interpret, shape_of
from symbp.language import Equation, Index, Loop, Program, Tensor, size
from symbp.passes.overlap import without_overlap
from symbp.printing.numpy import NumpyPrinter


def same() -> Case:
    """A convolution with stride 1 whose image keeps its size."""
    return conv(2, 3, 4, (6, 5), (3, 3), (1, 1), ((1, 1),) * 2, (1, 1), groups=1)


def halved() -> Case:
    """One with stride 2."""
    return conv(2, 3, 4, (6, 6), (3, 3), (2, 2), ((1, 1),) * 2, (1, 1), groups=1)


def adjoint_of(case: Case) -> Program:
    """A program and its adjoint."""
    return adjoint(case.program, case.of, case.wrt).program


def into(program: Program, name: str) -> list[str]:
    """The equations into a tensor, as text."""
    return [str(eq) for eq in program.equations if eq.target.name == name]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_values_are_those_of_the_oracle(data: st.DataObject) -> None:
    axes = data.draw(st.integers(1, 2))
    one = [data.draw(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(0, 2), st.integers(1, 3),
                               st.integers(1, 4))) for _ in range(axes)]
    kernel, stride, dilation = (tuple(axis[k] for axis in one) for k in (0, 1, 4))
    pads = tuple((axis[2], axis[3]) for axis in one)
    sizes = tuple(max(d * (k - 1) + 1 - sum(p), 0) + axis[5] for axis, k, d, p in zip(one, kernel, dilation, pads, strict=True))
    groups = data.draw(st.sampled_from((1, 2)))
    case = conv(2, 2 * groups, data.draw(st.sampled_from((2, 4))) * groups, sizes, kernel, stride, pads, dilation, groups)
    assert all(out_size(n, k, s, p, d) > 0 for n, k, s, p, d in zip(sizes, kernel, stride, pads, dilation, strict=True))
    derivative, rng = adjoint(case.program, case.of, case.wrt), np.random.default_rng(1)
    values = case.draw(rng)
    values[derivative.seed] = rng.normal(size=shape_of(derivative.program, derivative.seed, {}))
    expected = interpret(derivative.program, values, {})
    found = interpret(without_overlap(derivative.program), values, {})
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-12, atol=1e-12, err_msg=name)
    compare(case)


@pytest.mark.parametrize("stride, pads", [((2, 4), ((1, 1), (3, 3))), ((4, 2), ((3, 3), (1, 1))), ((4, 4), ((3, 3), (3, 3)))])
def test_windows_that_miss_the_image_add_nothing(stride: tuple[int, int], pads: tuple) -> None:
    compare(conv(2, 2, 2, tuple(1 if s == 4 else 4 for s in stride), (2, 2) if stride == (4, 4) else (3, 2), stride, pads, (1, 1), 1))


def test_one_product_adds_up_the_taps_of_the_last_axis() -> None:
    found = without_overlap(adjoint_of(same()))
    assert into(found, "X_bar_rows") == [
        "X_bar_rows[u, c, n, i, j_2] += sum(v_2, f where c >= 0 and 2 - c >= 0 and j_2 + v_2 - 1 >= 0 and -j_2 - v_2 + 5 >= 0, "
        "K[f, c, u, 2 - v_2]*y_bar[n, f, i, j_2 + v_2 - 1])"]
    assert into(found, "X_bar") == [
        "X_bar[n, c, i_3, j_2] += X_bar_rows[1, c, n, i_3, j_2]",
        "X_bar[n, c, i_2 - 1, j_2] += X_bar_rows[0, c, n, i_2, j_2]",
        "X_bar[n, c, i_4 + 1, j_2] += X_bar_rows[2, c, n, i_4, j_2]"]


def test_each_remainder_of_a_stride_has_its_own_taps() -> None:
    found = without_overlap(adjoint_of(halved()))
    products = [eq for eq in found.equations if eq.target.name.startswith("X_bar_rows") and eq.over]
    assert [(eq.body.args[0].indices[3], [i.name for i in eq.over]) for eq in products] == [
        (2 - 2 * Index("v_2", 2), ["v_2", "f"]), (1, ["f"])]
    assert [str(eq.target) for eq in found.equations if eq.target.name == "X_bar"] == [
        "X_bar[n, c, 2*i_3 + u_2 - 1, 2*j_2 + 1]", "X_bar[n, c, 2*i_5 + u_3 - 1, 2*j_3]"]


def test_rows_with_gaps_that_fill_each_others_are_written_at_once() -> None:
    lines = list(NumpyPrinter().lines(lower(adjoint_of(halved()))))
    assert [line for line in lines if line.startswith("X_bar[")] == [
        "X_bar[:, :, :, 1:6:2] = X_bar_rows[1:3].transpose(2, 1, 3, 0, 4).reshape(2, 3, 6, 3)",
        "X_bar[:, :, :, :5:2] = X_bar_rows_2[1:3].transpose(2, 1, 3, 0, 4).reshape(2, 3, 6, 3)"]
    odd = without_overlap(adjoint_of(conv(2, 3, 4, (7, 6), (3, 3), (2, 2), ((1, 1), (1, 0)), (1, 1), groups=1)))
    assert [str(eq.target) for eq in odd.equations if eq.target.name == "X_bar"][:2] == [
        "X_bar[n, c, 2*i_4, 2*j_2 + 1]", "X_bar[n, c, 2*i_3 - 1, 2*j_2 + 1]"]


def test_taps_that_reach_the_same_rows_with_gaps_are_added_up_before() -> None:
    found = without_overlap(adjoint_of(halved()))
    assert into(found, "X_bar_rows")[1:] == ["X_bar_rows[2, c, n, i_2 - 1, j_2] += X_bar_rows[0, c, n, i_2, j_2]"]
    valid = without_overlap(adjoint_of(conv(2, 3, 4, (9, 9), (3, 3), (2, 2), ((0, 0),) * 2, (1, 1), groups=1)))
    assert into(valid, "X_bar_rows")[1:] == ["X_bar_rows[0, c, n, i_2 + 1, j_2] += X_bar_rows[2, c, n, i_2, j_2]"]
    assert "X_bar[n, c, 2*i_4 + 2, 2*j_2] += X_bar_rows[2, c, n, i_4, j_2]" in into(valid, "X_bar")


def test_nothing_is_filled_with_zeros_where_the_first_contributions_meet_every_element() -> None:
    for case, first in ((same(), 1), (halved(), 2)):
        program = without_overlap(adjoint_of(case))
        found = firsts(program)
        assert found.rows["X_bar"] == ()
        assert sum(eq.target.name == "X_bar" for eq in found.equations) == first
        lines = list(NumpyPrinter().lines(lower(adjoint_of(case))))
        assert not any("zeros" in line for line in lines)


def test_a_convolution_over_one_axis_is_one_product() -> None:
    program = adjoint_of(conv(2, 3, 4, (6,), (3,), (1,), ((1, 1),), (1,), groups=1))
    assert [eq.target.name for eq in without_overlap(program).equations] == ["y", "y", "b_bar", "K_bar", "X_bar"]
    lines = list(NumpyPrinter().lines(lower(program)))
    assert lines[-1].startswith("X_bar = (K[:, :, ::-1].") and "@ y_bar_patches" in lines[-1]


def test_the_lines_are_those_of_a_convolution_with_the_kernel_the_other_way_round() -> None:
    lines = list(NumpyPrinter().lines(lower(adjoint_of(same()))))
    assert lines[-4:] == [
        "X_bar_rows = (K[:, :, :, ::-1].transpose(2, 1, 0, 3).reshape(9, 12) @ y_bar_patches).reshape(3, 3, 2, 6, 5)",
        "X_bar = X_bar_rows[1].transpose(1, 0, 2, 3).copy()",
        "X_bar[:, :, :5] += X_bar_rows[0, :, :, 1:6].transpose(1, 0, 2, 3)",
        "X_bar[:, :, 1:6] += X_bar_rows[2, :, :, :5].transpose(1, 0, 2, 3)"]


@pytest.mark.parametrize("case", [
    avg_pool(2, 2, (5, 5), (3, 3), (1, 1), (0, 0)),
    conv(2, 1, 9, (6, 6), (3, 3), (1, 1), ((1, 1),) * 2, (1, 1), groups=1),
    conv(2, 3, 4, (14, 14), (11, 3), (1, 1), ((1, 5), (1, 5)), (1, 1), groups=1),
    conv(2, 3, 4, (10, 10), (3, 3), (1, 1), ((0, 0),) * 2, (3, 3), groups=1),
    conv(2, 3, 4, (6, 6), (2, 2), (2, 2), ((0, 0),) * 2, (1, 1), groups=1),
    conv(2, 3, 4, (12, 12), (3, 3), (2, 2), ((1, 1),) * 2, (3, 3), groups=1),
    CASES["lstm"](),
], ids=["no product", "many filters", "many taps", "more margins than rows", "windows side by side", "stride and dilation", "a loop"])
def test_what_would_not_be_faster_stays(case: Case) -> None:
    program = adjoint_of(case)
    assert without_overlap(program) is program


def test_sums_stay_whose_windows_have_no_size_or_a_condition_of_their_own() -> None:
    n, f = size("T"), Index("f", 2)
    k = Tensor("k", (2, 3), role="input")
    u = Index("u", 3)
    t = Index("t", n)
    of_sizes = Program((k, Tensor("y", (2, n), role="input"), Tensor("x", (n + 2,))), (
        Equation(Tensor("x", (n + 2,))[t + u], k[f, u] * Tensor("y", (2, n))[f, t], over=(f,)),))
    i, y, x = Index("i", 6), Tensor("y", (2, 6), role="input"), Tensor("x", (8,))
    conditional = Program((k, y, x), (Equation(x[i + u], k[f, u] * y[f, i], over=(f,), domain=(i - u,)),))
    twice = Program((k, y, x), (Equation(x[i + u], k[f, u] * y[f, i] * y[1 - f, i], over=(f,)),))
    square = Tensor("x", (8, 6))
    diagonal = Program((k, y, square), (Equation(square[i + u, i], k[f, u] * y[f, i], over=(f,)),))
    singular = Program((k, y, x), (Equation(x[i + u], k[f, u] * y[f, i] / (1 + i), over=(f,)),))
    later, shifted = Index("i", 6, 1), Tensor("y", (2, 6), role="input", origin=(0, 1))
    second = Program((k, shifted, Tensor("x", (9,))), (Equation(x[later + u], k[f, u] * shifted[f, later], over=(f,)),))
    step = Index("t", 4)
    looped = Program((k, y, x), (Loop(step, "ascending", (Equation(x[i + u], k[f, u] * y[f, i], over=(f,)),)),))
    for program in (of_sizes, conditional, twice, diagonal, singular, second, looped):
        assert without_overlap(program) is program
