"""The form of planned lines: what is copied once, what is kept in buffers, and what is not allocated."""
from __future__ import annotations

import numpy as np
import sympy as sp
from programs import conv, max_pool
from programs.case import Case, normals
from test_arrays_lower import compare

from symbp.arrays import lower
from symbp.arrays.memory import better
from symbp.arrays.nodes import Apply, Assign, For, Name, Node, Store, permute, reshape
from symbp.arrays.share import share
from symbp.calculus.differentiate import adjoint
from symbp.certify.lowered import erf
from symbp.language import Equation, Index, Loop, Program, Tensor, inside, size
from symbp.language.names import NameSupply
from symbp.printing.numpy import NumpyPrinter
from symbp.printing.planned import PlannedPrinter, allocations

n, i, k = Index("n", 5), Index("i", 4), Index("k", 20)


def image() -> Case:
    """A convolution that has more windows than taps."""
    return conv(3, 4, 6, (8, 7), (3, 2), (1, 1), ((1, 1), (1, 0)), (1, 1), groups=1)


def lines_of(case: Case, planned: bool) -> list[str]:
    """The lines of a program and its adjoint."""
    statements = lower(adjoint(case.program, case.of, case.wrt).program)
    return PlannedPrinter(NumpyPrinter()).lines(statements) if planned else list(NumpyPrinter().lines(statements))


def turned() -> Node:
    """x.T.reshape(20): a copy."""
    return reshape(permute(Name((n, i), "float", "x"), (1, 0)), (k,), (sp.Integer(20),))


def test_patches_are_copied_once_for_the_value_and_the_gradient_of_the_kernel() -> None:
    for planned, copy in ((False, "X_patches = np.lib.stride_tricks.sliding_window_view("), (True, "windows = X_patches.reshape(")):
        lines = lines_of(image(), planned)
        assert sum(line.strip().startswith(copy) for line in lines) == 1
        assert sum("X_patches" in line for line in lines) > 2


def test_windows_of_two_axes_are_one_call() -> None:
    line = next(line for line in lines_of(image(), False) if "sliding_window_view" in line)
    assert "sliding_window_view(np.pad(X, ((0, 0), (0, 0), (1, 1), (1, 0))), (3, 2), axis=(2, 3)).transpose(" in line


def test_margins_are_filled_once_when_the_buffers_are_made() -> None:
    for program, expected in ((image().program, "np.zeros("), (adjoint(max_pool().program, "y", ("X",)).program, "np.full(")):
        plan = PlannedPrinter(NumpyPrinter())
        lines = plan.lines(lower(program))
        assert not any("np.pad" in line for line in lines)
        assert any(text.startswith(expected) for text in allocations(plan.buffers.values(), plan.printer))


def test_planned_lines_allocate_nothing() -> None:
    for line in lines_of(image(), True):
        assert not any(word in line for word in ("np.zeros", "np.empty", "np.pad", ".copy()", " @ ")), line


def test_products_are_written_where_they_belong() -> None:
    assert any(line.startswith("np.matmul(") and "out=K_bar.reshape(" in line for line in lines_of(image(), True))


def test_slice_adds_run_over_taps_alone() -> None:
    many = conv(3, 1, 6, (8, 7), (2, 3), (1, 1), ((1, 1), (1, 0)), (1, 1), groups=1)
    statements = lower(adjoint(many.program, "y", ("X",)).program)
    loops = [s for s in statements if isinstance(s, For)]
    assert [(loop.index.name, loop.body[0].index.name) for loop in loops] == [("u", "v")]
    assert isinstance(loops[0].body[0].body[0], Store)


def test_a_copy_is_not_shared_when_its_array_has_changed() -> None:
    change = Store("x", (), "=", Name((n, i), "float", "y"))
    names = [s.name for s in share([Assign("a", turned()), change, Assign("b", turned())], NameSupply("xyab"))]
    assert names == ["a", "x", "b"]


def test_a_function_that_takes_long_is_calculated_once() -> None:
    x, z = Tensor("x", (5,), role="input"), Tensor("z", (5,))
    a, b, c = (Tensor(name, (5,)) for name in "abc")
    m = Index("m", 5)
    long = sp.erf(sp.exp(z[m]))
    program = Program((x, z, a, b, c), (
        Equation(z[m], 2 * x[m]), Equation(a[m], long + 1), Equation(b[m], long * x[m]), Equation(c[m], sp.exp(z[m]) + sp.sqrt(x[m]))))
    lines = list(NumpyPrinter().lines(lower(program)))
    assert lines[1:] == ["z_exp = np.exp(z)", "z_erf = erf(z_exp)", "a = z_erf + 1", "b = x * z_erf", "c = z_exp + np.sqrt(x)"]
    values = {"x": np.linspace(0.1, 1, 5), "np": np, "erf": erf}
    exec("\n".join(lines), values)  # noqa: S102 - the lines under test
    np.testing.assert_allclose(values["b"], erf(np.exp(2 * values["x"])) * values["x"], rtol=1e-12)


def test_a_function_of_what_has_changed_is_calculated_again() -> None:
    t, m = Index("t", 3), Index("m", 5)
    x, h, a = Tensor("x", (5,), role="input"), Tensor("h", (4, 5), role="state"), Tensor("a", (5,))
    program = Program((x, h, a), (Equation(h[0, m], x[m]), Equation(a[m], sp.exp(x[m])), Loop(t, "ascending", (
        Equation(h[t + 1, m], sp.exp(h[t, m])), Equation(h[t + 1, m], x[m] * sp.exp(h[t, m])))), Equation(a[m], sp.exp(h[3, m]))))
    case = Case(program, "a", ("x",), lambda rng: {"x": rng.normal(size=5) / 9})
    compare(case)


def test_a_shared_copy_takes_no_name_that_is_there() -> None:
    twice = Apply((k,), "float", "add", (turned(), turned()))
    made = share([Assign("a", twice), Assign("b", turned())], NameSupply(["x", "a", "b", "x_matrix"]))
    assert [s.name for s in made] == ["x_matrix_2", "a", "b"]


def test_what_a_statement_makes_is_shared_under_its_name_while_nobody_adds_to_it() -> None:
    b = Assign("b", turned())
    first, second = share([Assign("a", turned()), b], NameSupply(["x", "a", "b"]))
    assert (first.value, second.value) == (turned(), Apply((k,), "float", "copy", (Name((k,), "float", "a"),)))
    added = Store("a", (), "+=", Name((k,), "float", "c"))
    made = share([Assign("a", turned()), added, b], NameSupply(["x", "a", "b", "c"]))
    assert [s.name for s in made] == ["x_matrix", "a", "a", "b"]
    assert [s.value.op for s in made if isinstance(s, Assign) and s.name != "x_matrix"] == ["copy", "copy"]


def test_a_view_of_what_is_shared_is_an_array_of_its_own() -> None:
    p, h, q = Index("p", 5), Index("h", 2), Index("q", 3)
    x, y = Tensor("x", (5,), role="input"), Tensor("y", (2, 3), role="input")
    a, b, c, d, e = Tensor("a", (5,)), Tensor("b", (1, 5)), Tensor("c", (2, 3)), Tensor("d", (6,)), Tensor("e", (6,))
    r, w = Index("r", 6), Tensor("w", (6,), role="input")
    program = Program((x, y, w, a, b, c, d, e), (
        Equation(a[p], sp.exp(x[p])), Equation(b[0, p], sp.exp(x[p])), Equation(c[h, q], sp.exp(y[h, q])),
        Equation(d[3 * h + q], sp.exp(y[h, q])), Equation(e[3 * h + q], 2 * c[h, q]), Equation(b[0, p], 2 * a[p]), Equation(d[r], w[r])))
    compare(Case(program, "b", ("x",), lambda rng: normals(rng, x=(5,), y=(2, 3), w=(6,))))


def test_a_function_of_indices_alone_is_shared_too() -> None:
    p = Index("p", 5)
    x, a, b = Tensor("x", (5,), role="input"), Tensor("a", (5,)), Tensor("b", (5,))
    lines = list(NumpyPrinter().lines(lower(Program((x, a, b), (Equation(a[p], sp.sin(p) * x[p]), Equation(b[p], sp.sin(p) + x[p]))))))
    assert lines == ["sin = np.sin(np.arange(5).astype(dtype))", "a = x * sin", "b = x + sin"]


def test_a_copy_keeps_the_innermost_axis() -> None:
    x = Name((n, i), "float", "x")
    assert better(x, (n, i), (i, n))
    assert not better(permute(x, (1, 0)), (i, n), (n, i))


def test_the_bias_is_added_before_the_axes_trade_places() -> None:
    N = size("N")
    b, f, p = Index("b", N), Index("f", 3), Index("p", 4)
    W, x, c, y = Tensor("W", (3, 2), role="input"), Tensor("x", (N, 2, 4), role="input"), Tensor("c", (3,), role="input"), Tensor("y", (N, 3, 4))
    q = Index("q", 2)
    program = Program((W, x, c, y), (Equation(y[b, f, p], W[f, q] * x[b, q, p], over=(q,)), Equation(y[b, f, p], c[f])))
    line, = NumpyPrinter().lines(lower(program))
    rng = np.random.default_rng(0)
    values = {"W": rng.normal(size=(3, 2)), "x": rng.normal(size=(5, 2, 4)), "c": rng.normal(size=3), "np": np, "N": 5}
    exec(line, values)  # noqa: S102 - the line under test
    np.testing.assert_allclose(values["y"], np.einsum("fq,bqp->bfp", values["W"], values["x"]) + values["c"][:, None], rtol=1e-12)


def test_two_convolutions_of_one_array_have_arrays_of_their_own() -> None:
    x, y, z = Tensor("x", (9,), role="parameter"), Tensor("y", (9,)), Tensor("z", (9,))
    K, M = Tensor("K", (3, 4), role="parameter"), Tensor("M", (5, 4), role="parameter")
    p, u, w, f = Index("p", 9), Index("u", 3), Index("w", 5), Index("f", 4)
    L, r = Tensor("L"), Tensor("r", (4,), role="input")
    first, second = x[p + u - 1], x[p + w - 2]
    program = Program((x, K, M, r, y, z, L), (
        Equation(y[p], K[u, f] * r[f] * first, over=(u, f), domain=inside(first, x)),
        Equation(z[p], M[w, f] * r[f] * second, over=(w, f), domain=inside(second, x)),
        Equation(L[()], y[p] * z[p], over=(p,))))
    compare(Case(program, "L", ("x", "K", "M"), lambda rng: normals(rng, x=(9,), K=(3, 4), M=(5, 4), r=(4,))), bits=True)


def test_an_operation_writes_into_the_result_with_its_axes_in_another_order() -> None:
    lines = [line for line in lines_of(image(), planned=True) if "out=y" in line]
    assert len(lines) == 1
    assert lines[0].endswith("b[:, None, None, None], out=y.transpose(1, 0, 2, 3))")


def test_what_goes_into_a_part_of_groups_is_not_copied_before() -> None:
    lines = lines_of(conv(2, 4, 6, (8, 8), (3, 3), (2, 2), ((1, 1),) * 2, (1, 1), groups=2), planned=True)
    stored = [line for line in lines if "X_bar.reshape" in line]
    assert stored == [f"np.copyto(X_bar.reshape(2, 2, 2, 4, 2, 8)[:, :, :, :, :, {columns}], {rows}[:, 1:3].transpose(3, 0, 2, 4, 1, 5))"
                      for columns, rows in (("1:8:2", "X_bar_rows"), (":7:2", "X_bar_rows_2"))]
    assert "X_bar_rows[:, 2, :, :, :3] += X_bar_rows[:, 0, :, :, 1:4]" in lines
