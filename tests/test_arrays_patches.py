"""Patches of an image tap by tap: which windows meet it where, matrices that patches hold, and the loops that copy them."""
from __future__ import annotations

import ast
import functools
from typing import Any

import numpy as np
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import Case, conv
from programs.case import normals
from test_arrays_lower import compare, run_planned

from symbp.arrays import lower
from symbp.arrays.nodes import Apply, Assign, Matmul, Name, Pad, Store, Windows, permute, reshape
from symbp.arrays.patches import block, patches
from symbp.arrays.within import within
from symbp.calculus.differentiate import adjoint
from symbp.language import Equation, Index, Program, Tensor, inside, size
from symbp.printing.numpy import NumpyPrinter
from symbp.printing.planned import PlannedPrinter
from symbp.printing.taps import HELPER

ONE = sp.S.One


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(0, 7), st.integers(0, 7))
def test_windows_meet_the_image_where_their_tap_lies_in_it(length: int, taps: int, stride: int, dilation: int, before: int, after: int
                                                           ) -> None:
    room = length + before + after - dilation * (taps - 1) - 1
    if room < 0:
        return
    count, image = room // stride + 1, np.arange(1, length + 1)
    padded = np.concatenate([np.zeros(before), image, np.zeros(after)])
    expected = np.array([[padded[stride * a + dilation * b] for b in range(taps)] for a in range(count)])
    space: dict[str, Any] = {"functools": functools}
    exec("\n".join(HELPER), space)  # noqa: S102 - our own lines
    copied = np.zeros((count, taps))
    for tap, into, source in space["_taps"](taps, count, length, stride, dilation, before):
        copied[into, tap] = image[source]
    np.testing.assert_array_equal(copied, expected)


def test_what_shows_no_windows_or_other_margins_has_no_patches() -> None:
    n, i, u = Index("n", 4), Index("i", 6), Index("u", 3)
    x = Name((i,), "float", "x")
    assert patches(x) is None
    least = Pad((i,), "float", x, ((1, 1),), (sp.Integer(8),), "least")
    assert patches(Windows((i, u), "float", least, 0, sp.Integer(3))) is None
    symbolic = Index("t", size("T"))
    assert patches(Windows((symbolic, u), "float", Name((symbolic,), "float", "x"), 0, sp.Integer(3))) is None
    image = Name((n, i), "float", "x")
    assert block(*(lambda s: (patches(s), s))(Windows((n, i, u), "float", image, 1, sp.Integer(3)))) is None


def test_large_images_are_copied_in_blocks_that_stay_in_the_cache() -> None:
    case = conv(sp.Symbol("N", integer=True, positive=True), 32, 4, (28, 28), (3, 3), (1, 1), ((1, 1),) * 2, (1, 1), groups=1)
    lines = PlannedPrinter(NumpyPrinter()).lines(lower(case.program))
    assert lines[:6] == [
        "windows = X_patches.reshape(32, 3, 3, N, 28, 28)",
        "image = X.transpose(1, 0, 2, 3)",
        "for n in range(0, N, 10):",
        "    for u, i, from_i in _taps(3, 28, 28, padding=1):",
        "        for v, j, from_j in _taps(3, 28, 28, padding=1):",
        "            windows[:, u, v, n:n + 10, i, j] = image[:, n:n + 10, from_i, from_j]"]


def test_loops_take_no_name_of_an_array() -> None:
    case = conv(2, 3, 4, (8, 7), (3, 3), (1, 1), ((1, 1),) * 2, (1, 1), groups=1)
    names = {"X": "u", "K": "i", "b": "from_j", "y": "image", "windows": "w"}
    lines = PlannedPrinter(NumpyPrinter(names)).lines(lower(case.program))
    assert lines[:2] == ["windows_ = u_patches.reshape(3, 3, 3, 2, 8, 7)", "image_ = u.transpose(1, 0, 2, 3)"]
    assert lines[2].startswith("for u_, i_, from_i_ in _taps(")
    assert lines[3].startswith("    for v, j, from_j_ in _taps(")
    assert lines[4] == "        windows_[:, u_, v, :, i_, j] = image_[:, :, from_i_, from_j_]"


def test_loops_take_no_name_of_another_loop() -> None:
    i, j, u, w, f, n = (Index(*given) for given in (("i", 5), ("from_i", 5), ("u", 3), ("w", 3), ("f", 4), ("n", 3)))
    x, k, y = Tensor("x", (3, 7, 7), role="input"), Tensor("k", (4, 3, 3), role="input"), Tensor("y", (3, 4, 5, 5))
    program = Program((x, k, y), (Equation(y[n, f, i, j], k[f, u, w] * x[n, i + u, j + w], over=(u, w)),))
    compare(Case(program, "y", ("x", "k"), lambda rng: normals(rng, x=(3, 7, 7), k=(4, 3, 3))))


def test_windows_and_splits_that_leave_a_rest() -> None:
    compare(conv(2, 2, 3, (5, 7), (2, 2), (2, 3), ((0, 0),) * 2, (1, 1), groups=1))
    compare(conv(2, 4, 4, (7, 5), (2, 2), (3, 2), ((0, 0),) * 2, (1, 1), groups=2))


def test_an_axis_without_windows_may_have_margins_or_be_cut() -> None:
    compare(conv(2, 3, 4, (6, 7), (1, 3), (1, 1), ((2, 1), (1, 1)), (1, 1), groups=1))
    compare(conv(2, 3, 4, (6, 7), (1, 3), (3, 2), ((0, 0), (1, 1)), (1, 1), groups=1))


def test_margins_are_not_taken_from_an_array_that_something_else_changes() -> None:
    i, u = Index("i", 5), Index("u", 3)
    x, b, z = Tensor("x", (5,), role="input"), Tensor("b", (5,), role="input"), Tensor("z", (15,))
    at = x[i + u - 1]
    program = Program((x, b, z), (Equation(z[3 * i + u], at, domain=inside(at, x)), Equation(z[3 * i + u], b[i])))
    values = [{"x": np.arange(1.0, 6.0), "b": np.full(5, s)} for s in (100.0, 1.0)]
    found = run_planned(program, values, {})["z"].reshape(5, 3)
    np.testing.assert_array_equal(found[0], [1, 2, 3])
    np.testing.assert_array_equal(found[4], [5, 6, 1])


def test_products_take_the_matrix_of_the_cotangents_from_their_patches() -> None:
    case = conv(2, 3, 6, (8, 7), (3, 3), (1, 1), ((1, 1),) * 2, (1, 1), groups=1)
    lines = list(NumpyPrinter().lines(lower(adjoint(case.program, case.of, case.wrt).program)))
    assert "K_bar = (y_bar_patches.reshape(6, 3, 112)[:, 1] @ X_patches.T).reshape(6, 3, 3, 3)" in lines
    assert [line.split(" = ")[0] for line in lines].index("y_bar_patches") < [line.split(" = ")[0] for line in lines].index("K_bar")
    assert not any("matrix" in line for line in lines)
    compare(case)
    shrinking = conv(2, 3, 6, (8, 7), (3, 3), (1, 1), ((0, 0),) * 2, (1, 1), groups=1)
    lines = list(NumpyPrinter().lines(lower(adjoint(shrinking.program, shrinking.of, shrinking.wrt).program)))
    assert "K_bar = (y_bar.transpose(1, 0, 2, 3).reshape(6, 60) @ X_patches.T).reshape(6, 3, 3, 3)" in lines


def held() -> tuple[Assign, Assign, Assign]:
    """A matrix, a product with it, and patches of the same array, which hold it."""
    n, f, i, u = Index("n", 2), Index("f", 3), Index("i", 4), Index("u", 3)
    rows, ni, fu = Index("f", 3), Index("n·i", 8), Index("f·u", 9)
    y = Name((n, f, i), "float", "y")
    matrix = reshape(permute(y, (1, 0, 2)), (rows, ni), (sp.Integer(3), sp.Integer(8)))
    padded = Pad((n, f, i), "float", y, ((0, 0), (0, 0), (1, 1)), (sp.Integer(2), sp.Integer(3), sp.Integer(6)), "zero")
    shown = permute(Windows((n, f, i, u), "float", padded, 2, sp.Integer(3)), (1, 3, 0, 2))
    product = Matmul((rows, rows), "float", Name((rows, ni), "float", "y_matrix"), Name((ni, rows), "float", "b"))
    return (Assign("y_matrix", matrix), Assign("c", product), Assign("y_patches", reshape(shown, (fu, ni), (sp.Integer(9), sp.Integer(8)))))


def test_patches_move_to_the_first_product_and_the_matrix_goes() -> None:
    matrix, product, windows = held()
    names = [s.name for s in within([matrix, product, windows], ())]
    assert names == ["y_patches", "c"]
    assert [s.name for s in within([matrix, product, windows], ("y_matrix",))] == ["y_matrix", "c", "y_patches"]


def test_a_matrix_is_kept_that_something_else_reads_or_whose_array_changes() -> None:
    matrix, product, windows = held()
    reader = Assign("d", Apply(matrix.value.axes, "float", "exp", (Name(matrix.value.axes, "float", "y_matrix"),)))
    assert [s.name for s in within([matrix, product, reader, windows], ())] == ["y_matrix", "y_patches", "c", "d"]
    change = Store("y", (), "+=", Name((), "float", "a"))
    for order in ([matrix, change, product, windows], [matrix, product, change, windows]):
        assert list(within(order, ())) == order


def test_a_long_sum_of_few_rows_is_made_the_other_way_round() -> None:
    few = conv(2, 4, 5, (8, 8), (3, 3), (1, 1), ((1, 1),) * 2, (1, 1), groups=1)
    lines = list(NumpyPrinter().lines(lower(adjoint(few.program, few.of, few.wrt).program)))
    line = next(text for text in lines if text.startswith("K_bar"))
    assert line == "K_bar = (y_bar_patches.reshape(5, 3, 128)[:, 1] @ X_patches.T).reshape(5, 4, 3, 3)"
    long = conv(4, 4, 5, (12, 12), (3, 3), (1, 1), ((1, 1),) * 2, (1, 1), groups=1)
    lines = list(NumpyPrinter().lines(lower(adjoint(long.program, long.of, long.wrt).program)))
    line = next(text for text in lines if text.startswith("K_bar"))
    assert line == "K_bar = (X_patches @ y_bar_patches.reshape(5, 3, 576)[:, 1].T).T.reshape(5, 4, 3, 3)"
    compare(long)


def test_the_lines_of_taps_are_python() -> None:
    case = conv(2, 4, 6, (8, 7), (1, 3), (2, 1), ((0, 0), (1, 1)), (1, 2), groups=2)
    ast.parse("\n".join(PlannedPrinter(NumpyPrinter()).lines(lower(adjoint(case.program, case.of, case.wrt).program))))
    compare(case)
