"""The array statements of every program, run by NumPy, against the oracle."""
from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import CASES, TIED, Case, avg_pool, conv, max_pool
from programs.case import normals
from programs.windows import out_size

from symbp.arrays import lower
from symbp.calculus.differentiate import adjoint
from symbp.certify.lowered import erf
from symbp.errors import LanguageError
from symbp.interpret import interpret, shape_of
from symbp.language import Equation, Index, Loop, Program, Tensor, size
from symbp.language.functions import opaque
from symbp.printing.numpy import NumpyPrinter
from symbp.printing.planned import PlannedPrinter, allocations

LOWERED = {name: make for name, make in CASES.items() if name != "symbolic depth"}


def run(program: Program, values: Mapping[str, np.ndarray], sizes: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """All arrays of a program after its lowered source was run."""
    names: dict[str, Any] = {**{k: np.array(v) for k, v in values.items()}, **sizes, "np": np, "math": math, "dtype": np.float64,
                             "erf": erf}
    exec("\n".join(NumpyPrinter().lines(lower(program))), names)  # noqa: S102 - the source that is under test
    return {t.name: np.asarray(names[t.name]) for t in program.tensors}


def run_planned(program: Program, draws: Sequence[Mapping[str, np.ndarray]], sizes: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """All arrays after the planned lines were run for each draw on the same buffers, which hold anything at first."""
    plan = PlannedPrinter(NumpyPrinter())
    lines = compile("\n".join(plan.lines(lower(program))), "planned", "exec")
    names: dict[str, Any] = {**sizes, "np": np, "math": math, "functools": functools, "dtype": np.float64, "erf": erf}
    exec("\n".join(plan.helpers), names)  # noqa: S102 - the source that is under test
    buffers = plan.buffers.values()
    for buffer, text in zip(buffers, allocations(buffers, NumpyPrinter())):
        names[buffer.name] = eval(text, names)  # noqa: S307 - the source that is under test
        if not buffer.fill:
            names[buffer.name].fill(np.nan if buffer.dtype == "float" else 1)
    for values in draws:
        names |= {k: np.array(v) for k, v in values.items()}
        exec(lines, names)  # noqa: S102 - the source that is under test
    return {t.name: np.asarray(names[t.name]) for t in program.tensors}


def compare(case: Case, seed: int = 1, bits: bool = False) -> None:
    """The program and its adjoint: every tensor equals the oracle's, from readable and from planned lines.

    bits: the planned lines leave the bits of the readable ones.  NumPy multiplies an operand whose reshape happens to be a strided view
    (axes of extent 1, say) by another routine than the copy in a buffer; so this is for programs without such operands.
    """
    rng = np.random.default_rng(seed)
    derivative = adjoint(case.program, case.of, case.wrt)
    earlier, values = case.draw(rng), case.draw(rng)
    for drawn in (earlier, values) if derivative.seed else ():
        drawn[derivative.seed] = rng.normal(size=shape_of(derivative.program, derivative.seed, case.sizes))
    expected = interpret(derivative.program, values, case.sizes)
    found = run(derivative.program, values, case.sizes)
    planned = run_planned(derivative.program, [earlier, values], case.sizes)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-12, atol=1e-12, err_msg=name)
        assert found[name].shape == planned[name].shape == array.shape
        np.testing.assert_allclose(planned[name], array, rtol=1e-12, atol=1e-12, err_msg=f"{name}, planned")
        if bits:
            np.testing.assert_array_equal(planned[name], found[name], err_msg=f"{name}, bits")


@pytest.mark.parametrize("name", LOWERED)
def test_a_program_and_its_adjoint_equal_the_oracle(name: str) -> None:
    compare(LOWERED[name](), bits=True)


@pytest.mark.parametrize("name", TIED)
@pytest.mark.parametrize("split", [False, True])
def test_ties_follow_the_convention(name: str, split: bool) -> None:
    case = TIED[name]()
    compare(case.split() if split else case)


@st.composite
def windows(draw: st.DrawFn) -> dict[str, Any]:
    """Sizes, kernels, strides and paddings of one or two axes for which at least one window exists."""
    axes = draw(st.integers(1, 2))
    found: dict[str, list] = {"sizes": [], "kernel": [], "stride": [], "pads": []}
    for _ in range(axes):
        kernel = draw(st.integers(1, 3))
        found["sizes"].append(draw(st.integers(kernel, 6)))
        found["kernel"].append(kernel)
        found["stride"].append(draw(st.integers(1, 3)))
        found["pads"].append((draw(st.integers(0, kernel - 1)), draw(st.integers(0, kernel - 1))))
    return {k: tuple(v) for k, v in found.items()}


@settings(max_examples=25, deadline=None)
@given(windows(), st.integers(1, 2), st.integers(1, 2), st.integers(1, 2), st.integers(1, 2), st.data())
def test_convolutions_of_any_shape(window: dict[str, Any], batch: int, groups: int, channels: int, filters: int, data: st.DataObject) -> None:
    dilation = tuple(data.draw(st.integers(1, 2)) for _ in window["sizes"])
    extents = map(out_size, window["sizes"], window["kernel"], window["stride"], window["pads"], dilation)
    if all(e > 0 for e in extents):
        compare(conv(batch, channels * groups, filters * groups, dilation=dilation, groups=groups, **window))


@settings(max_examples=20, deadline=None)
@given(windows(), st.integers(1, 2), st.booleans(), st.booleans())
def test_max_pooling_of_any_shape(window: dict[str, Any], channels: int, ties: bool, split: bool) -> None:
    case = max_pool(2, channels, ties=ties, **window)
    compare(case.split() if split else case)


@settings(max_examples=15, deadline=None)
@given(windows(), st.booleans())
def test_average_pooling_of_any_shape(window: dict[str, Any], count: bool) -> None:
    pads = tuple(min(p) for p in window.pop("pads"))
    compare(avg_pool(2, 2, pad=pads, count_pad=count, **window))


# what no layer writes, and the language admits

N = size("N")
n, i, j, k = Index("n", N), Index("i", 4), Index("j", 4), Index("k", 3)


def check(*equations: Equation | Loop, given: tuple[Tensor, ...], made: tuple[Tensor, ...], sizes: Mapping[str, int] | None = None) -> list[str]:
    """Compare with the oracle; the source, for looking at its form."""
    program = Program((*given, *made), equations)
    rng = np.random.default_rng(0)
    values = {t.name: rng.integers(0, 3, size=shape_of(program, t.name, sizes or {})) if t.dtype == "int"
              else rng.normal(size=shape_of(program, t.name, sizes or {})) for t in given}
    expected = interpret(program, values, sizes or {})
    found = run(program, values, sizes or {})
    planned = run_planned(program, [values, values], sizes or {})
    for tensor in made:
        np.testing.assert_allclose(found[tensor.name], expected[tensor.name], rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(planned[tensor.name], found[tensor.name])
    return list(NumpyPrinter().lines(lower(program)))


def test_a_diagonal_is_read_and_written() -> None:
    A, d, D = Tensor("A", (4, 4), role="input"), Tensor("d", (4,)), Tensor("D", (4, 4))
    check(Equation(d[i], A[i, i]), Equation(D[i, i], d[i]), given=(A,), made=(d, D))


def test_an_axis_is_reversed_and_shifted() -> None:
    x, y, z = Tensor("x", (4,), role="input"), Tensor("y", (4,)), Tensor("z", (4,))
    check(Equation(y[3 - i], x[i]), Equation(z[i], x[i - 1], domain=(i - 1,)), given=(x,), made=(y, z))


def test_a_shift_along_an_axis_of_symbolic_extent() -> None:
    x, y = Tensor("x", (N,), role="input"), Tensor("y", (N,))
    check(Equation(y[n], x[n] - x[n - 1], domain=(n - 1,)), given=(x,), made=(y,), sizes={"N": 5})


def test_a_shift_is_written_along_an_axis_of_symbolic_extent() -> None:
    x, y = Tensor("x", (N,), role="input"), Tensor("y", (N,))
    check(Equation(y[n + 1], x[n], domain=(N - 2 - n,)), given=(x,), made=(y,), sizes={"N": 5})


def test_an_index_is_a_number() -> None:
    x, y, s = Tensor("x", (4,), role="input"), Tensor("y", (4,)), Tensor("s")
    check(Equation(y[i], i * x[i] + i**2), Equation(s[()], i, over=(i,)), given=(x,), made=(y, s))


def test_labels_are_numbers_and_positions() -> None:
    E, t, y, z = Tensor("E", (3, 4), role="input"), Tensor("t", (N,), dtype="int", role="input"), Tensor("y", (N, 4)), Tensor("z", (N,))
    check(Equation(y[n, i], E[t[n], i] * t[n]), Equation(z[n], t[n] / 2), given=(E, t), made=(y, z), sizes={"N": 6})


def test_a_sum_over_an_index_that_the_body_lacks() -> None:
    x, y = Tensor("x", (4,), role="input"), Tensor("y", (4,))
    check(Equation(y[i], x[i], over=(k, n)), given=(x,), made=(y,), sizes={"N": 5})


def test_three_factors_are_contracted_two_by_two() -> None:
    a, b, c, y = Tensor("a", (4, 3), role="input"), Tensor("b", (3, 4), role="input"), Tensor("c", (4, N), role="input"), Tensor("y", (4, N))
    lines = check(Equation(y[i, n], a[i, k] * b[k, j] * c[j, n], over=(k, j)), given=(a, b, c), made=(y,), sizes={"N": 2})
    assert lines == ["y = a @ b @ c"]


def test_a_triangle_is_masked() -> None:
    x, y = Tensor("x", (4, 4), role="input"), Tensor("y", (4,))
    check(Equation(y[i], x[i, j], over=(j,), domain=(i - j,)), given=(x,), made=(y,))


def test_an_empty_range_leaves_zeros() -> None:
    x, y = Tensor("x", (4,), role="input"), Tensor("y", (4,))
    check(Equation(y[i], x[i], domain=(i - 3, 2 - i)), given=(x,), made=(y,))


def test_an_alias_does_not_share_memory() -> None:
    x, y, z = Tensor("x", (4,), role="input"), Tensor("y", (4,)), Tensor("z", (4,))
    check(Equation(y[i], x[i]), Equation(z[j], y[j]), Equation(z[3 - j], 1), given=(x,), made=(y, z))


@pytest.mark.parametrize(("equation", "line"), [
    (Equation(Tensor("y", (N, 3))[n, k], Tensor("W", (3, 4))[k, i] * Tensor("x", (N, 4))[n, i], over=(i,)), "y = x @ W.T"),
    (Equation(Tensor("y", (3, 4))[k, i], Tensor("d", (N, 3))[n, k] * Tensor("x", (N, 4))[n, i], over=(n,)), "y = d.T @ x"),
    (Equation(Tensor("y", (3,))[k], Tensor("W", (3, 4))[k, i] * Tensor("v", (4,))[i], over=(i,)), "y = W @ v"),
    (Equation(Tensor("y", (3, 4))[k, i], Tensor("u", (3,))[k] * Tensor("v", (4,))[i]), "y = u[:, None] * v"),
    (Equation(Tensor("y", (3,))[k], Tensor("d", (N, 3))[n, k] / N, over=(n,)), "y = d.sum(axis=0) / N"),
])
def test_the_calls_are_those_that_a_person_would_write(equation: Equation, line: str) -> None:
    shapes = {"W": (3, 4), "x": (N, 4), "d": (N, 3), "v": (4,), "u": (3,)}
    names = {a.name for a in equation.body.atoms(type(equation.target))}
    program = Program((*(Tensor(m, shapes[m], role="input") for m in sorted(names)),
                       Tensor("y", tuple(x.extent for x in equation.target.indices))), (equation,))
    assert list(NumpyPrinter().lines(lower(program))) == [line]


def test_no_einsum_and_no_scatter_where_positions_are_affine() -> None:
    for make in LOWERED.values():
        case = make()
        source = "\n".join(NumpyPrinter().lines(lower(adjoint(case.program, case.of, case.wrt).program)))
        assert "einsum" not in source
        assert "add.at" not in source or any(t.dtype == "int" for t in adjoint(case.program, case.of, case.wrt).program.tensors)


def test_rows_of_different_width_are_refused() -> None:
    with pytest.raises(LanguageError, match="rows of W differ in width"):
        lower(CASES["symbolic depth"]().program)


def test_an_opaque_function_has_no_code() -> None:
    x, y = Tensor("x", (4,), role="input"), Tensor("y", (4,))
    with pytest.raises(LanguageError, match="phi is opaque"):
        lower(Program((x, y), (Equation(y[i], opaque("phi")(x[i])),)))


def values_of(program: Program, **shapes: tuple[int, ...]) -> Case:
    """A case of a program without a reference of its own."""
    return Case(program, program.equations[-1].target.name, tuple(shapes), lambda rng: normals(rng, **shapes))


def test_rows_that_run_backwards_in_a_loop_are_added_to_what_is_there() -> None:
    t, a, b, x = Index("t", 4), Tensor("a", (4,), role="input"), Tensor("b", (4,), role="input"), Tensor("x", (5,))
    for direction, first, second in (("ascending", 4 - t, 3 - t), ("descending", 3 - t, 4 - t)):
        body = Equation(x[first], a[t]), Equation(x[second], x[first] * b[t])
        compare(values_of(Program((a, b, x), (Loop(t, direction, body),)), a=(4,), b=(4,)))


def test_a_slice_backwards_ends_where_it_is_known_to() -> None:
    N, u, t, x = size("N"), Index("u", 3), Index("t", 3, 2), Tensor("x", (6,), role="input")
    i = Index("i", 4)
    y, k, h = Tensor("y", (4,)), Tensor("k", (3,), role="input"), Tensor("h", (6,))
    assert list(NumpyPrinter().lines(lower(Program((x, y), (Equation(y[i], x[3 - i]),))))) == ["y = x[3::-1]"]
    assert list(NumpyPrinter().lines(lower(Program((x, y), (Equation(y[i], x[5 - i]),))))) == ["y = x[:1:-1]"]
    row = Equation(h[t + 1], h[t] * x[t] + k[u] * x[t - u], over=(u,))
    compare(values_of(Program((x, k, h), (Loop(t, "ascending", (row,)),)), x=(6,), k=(3,)))
    half = Index("j", sp.floor((N - 1) / 2) + 1)
    source, z = Tensor("s", (N,), role="input"), Tensor("z", (half.extent,))
    program = Program((source, z), (Equation(z[half], source[N - 1 - 2 * half]),))
    for n in (3, 4, 5):
        given = np.arange(float(n))
        np.testing.assert_array_equal(run(program, {"s": given}, {"N": n})["z"], given[::-2])


def test_strided_rows_are_first_where_they_pass_each_other() -> None:
    i, m = Index("i", 3), Index("m", 4)
    x, z = Tensor("x", (3, 4), role="input"), Tensor("z", (6, 4))
    program = Program((x, z), (Equation(z[2 * i, m], sp.erf(x[i, m])), Equation(z[2 * i + 1, m], x[i, m]), Equation(z[2 * i, m], x[i, m])))
    lines = list(NumpyPrinter().lines(lower(program)))
    assert lines == ["z = np.empty((6, 4), dtype)", "z[:5:2] = erf(x)", "z[1:6:2] = x", "z[:5:2] += x"]
    compare(values_of(program, x=(3, 4)))
