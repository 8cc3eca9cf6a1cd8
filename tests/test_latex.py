"""LaTeX of tensors, expressions and equations: textbook order, upper layer indices, cotangents, brackets."""
from __future__ import annotations

import pytest
import sympy as sp

from symbp.calculus.differentiate import adjoint
from symbp.calculus.local import prime
from symbp.derivation import derive
from symbp.language import Access, Equation, Fact, Index, Program, Tensor, size
from symbp.language.build import Reduce
from symbp.language.functions import equal, relu, sigmoid, step
from symbp.printing.latex import Writer, name_latex

N = size("N")
i, j, n, u = Index("i", 3), Index("j", 4), Index("n", N), Index("u", 3)
W = Tensor("W1", (4, 3), role="parameter", symbol="W", level="1")
x, b = Tensor("x", (N, 3), role="input"), Tensor("b", (4,), role="parameter")
z = Tensor("z1", (N, 4), symbol="z", level="1", cotangent=r"\delta")
alpha, L = Tensor("alpha", role="constant"), Tensor("L")
BASE = Program((W, x, b, z, alpha, L), (Equation(z[n, j], W[j, i] * x[n, i], over=(i,)), Equation(z[n, j], b[j]),
                                        Equation(L[()], z[n, j]**2, over=(n, j))))
BACK = adjoint(BASE, "L")
write = Writer(BACK.program).doprint


@pytest.mark.parametrize(("expression", "latex"), [
    (Reduce("sum", x[n, i] * W[j, i], [i]) + b[j], r"\sum_{i} W^{(1)}_{ji} x_{ni} + b_{j}"),
    (Access("z1_bar", n, j) * W[j, i], r"W^{(1)}_{ji} \delta^{(1)}_{nj}"),
    (Access("W1_bar", j, i) * alpha[()], r"\alpha \frac{\partial L}{\partial W^{(1)}_{ji}}"),
    ((b[j] - x[n, i]) / N, r"\frac{1}{N} \left(b_{j} - x_{ni}\right)"),
    (1 - b[j], r"1 - b_{j}"),
    (-b[j], r"-b_{j}"),
    (b[j] / x[n, i], r"\frac{b_{j}}{x_{ni}}"),
    (1 / (1 + sp.exp(-b[j])), r"\frac{1}{1 + e^{-b_{j}}}"),
    (b[j]**2 / 2, r"\frac{1}{2} b_{j}^{2}"),
    (sp.sqrt(b[j]), r"\sqrt{b_{j}}"),
    (sigmoid(b[j]), r"\sigma\left(b_{j}\right)"),
    (prime(sigmoid)(b[j]), r"\sigma'\left(b_{j}\right)"),
    (b[j] * sp.log(b[j]), r"b_{j} \log b_{j}"),
    (sp.log(1 - b[j]), r"\log\left(1 - b_{j}\right)"),
    (step(b[j], 0), r"\left[b_{j} > 0\right]"),
    (equal(b[j], x[n, i]), r"\left[b_{j} = x_{ni}\right]"),
    (relu(b[j]), r"\operatorname{ReLU}\left(b_{j}\right)"),
    (Reduce("sum", x[n, i], [n, i]), r"\sum_{n, i} x_{ni}"),
    (Reduce("sum", b[j] + x[n, i], [i]), r"\sum_{i} \left(b_{j} + x_{ni}\right)"),
    (Reduce("sum", x[n, i], [i]) * Reduce("sum", b[j], [j]), r"\left(\sum_{i} x_{ni}\right) \sum_{j} b_{j}"),
    (Reduce("sum", x[n, i], [i])**2, r"\left(\sum_{i} x_{ni}\right)^{2}"),
    (Access("W_out", j), r"{{}W_{out}}_{j}"),
    (Reduce("max", x[n, i], [i]), r"\max_{i} x_{ni}"),
    (Access("x", n, i + u - 1), r"x_{n, i + u - 1}"),
    (Reduce("sum", Access("x", n, i + u - 1), [u], [i + u - 1, 3 - i - u]), r"\sum_{u} x_{n, i + u - 1} \left[0 \le i + u - 1 \le 2\right]"),
    (Reduce("sum", b[j], [j], [Index("k", 4) - j]), r"\sum_{j} b_{j} \left[j \le k\right]"),
    (Access("x", n, Access("t", n)), r"x_{n, t_{n}}"),
])
def test_expressions(expression: sp.Expr, latex: str):
    more = [Tensor("t", (N,), dtype="int", role="input"), Tensor("W_out", (4,))]
    assert Writer(BACK.program.extended(more, [])).doprint(expression) == latex


def test_names():
    assert name_latex("alpha") == r"\alpha"
    assert name_latex("i_1") == "i_{1}"
    assert name_latex("k'") == "k'"
    assert name_latex("beta_1") == r"\beta_{1}"
    assert name_latex("hidden_size") == r"\mathit{hidden}_{size}"


def test_symbols_and_transposes():
    writer = Writer(BACK.program)
    assert writer.symbol(W) == "W^{(1)}"
    assert writer.symbol(W, transpose=True) == r"W^{(1)\top}"
    assert writer.symbol(b, transpose=True) == r"b^{\top}"
    assert writer.symbol(BACK.program.tensor("z1_bar"), transpose=True) == r"\delta^{(1)\top}"
    assert writer.symbol(BACK.program.tensor("W1_bar"), transpose=True) == r"\left(\frac{\partial L}{\partial W^{(1)}}\right)^{\top}"


def test_rows_print_as_upper_indices():
    level = Index("l", size("L"), 1)
    w = Tensor("W", (size("L"), 3, 3), origin=(1, 0, 0), level_axis=True, role="parameter")
    writer = Writer(Program((w,), ()))
    assert writer.doprint(w[level + 1, i, u]) == "W^{(l + 1)}_{iu}"
    assert writer.symbol(w, row=level, transpose=True) == r"W^{(l)\top}"


def test_updates_print_as_assignments():
    new = Tensor("W1_next", (4, 3), next_of="W1")
    writer = Writer(Program((W, new), ()))
    assert writer.equation(new[j, i], W[j, i] / 2) == r"W^{(1)}_{ji} := \frac{1}{2} W^{(1)}_{ji}"


def test_facts():
    writer = Writer(BACK.program)
    assert writer.fact(Fact(x[n, i], "==", 1, over=(i,))) == r"\sum_{i} x_{ni} = 1"
    assert writer.fact(Fact(b[j], ">=", 0)) == r"b_{j} \ge 0"


def test_a_vector_valued_result_has_barred_cotangents():
    program = Program((Tensor("w", (3,), role="parameter"), Tensor("y", (3,))), (Equation(Access("y", i), Access("w", i)**2),))
    writer = Writer(adjoint(program, "y").program)
    assert writer.doprint(Access("w_bar", i)) == r"\bar{w}_{i}"


def test_a_log_without_brackets_stands_last():
    d = derive("-sum(n, (1 - y[n])*log(1 - a[n]) + (q[n] + r[n])*log(a[n]))")
    assert r"\left(1 - y_{n}\right) \log\left(1 - a_{n}\right)" in d.writer.doprint(d.forward_lines()[-1][1])
    assert r"\left(q_{n} + r_{n}\right) \log a_{n}" in d.writer.doprint(d.forward_lines()[-1][1])


def test_exponents_stay_on_one_line():
    x, T = Tensor("x", (3,), role="input"), Tensor("T", (), role="constant")
    i = Index("i", 3)
    writer = Writer(Program((x, T), ()))
    assert writer.doprint(sp.exp(x[i] / T[()])) == "e^{x_{i} / T}"
    assert writer.doprint(sp.exp(-x[i] / (2 * T[()]))) == r"e^{-x_{i} / \left(2 T\right)}"
    assert writer.doprint(sp.exp(x[i] - T[()])) == "e^{x_{i} - T}"


def test_scalars_stand_in_a_fraction_and_tensors_beside_it():
    x, e = Tensor("x", (3,), role="input"), Tensor("e", (), role="constant", symbol=r"\epsilon")
    i = Index("i", 3)
    writer = Writer(Program((x, e), ()))
    assert writer.doprint(e[()] / 5) == r"\frac{\epsilon}{5}"
    assert writer.doprint(x[i] * e[()] / (5 * N)) == r"\frac{\epsilon}{5 N} x_{i}"
    assert writer.doprint(x[i] / (N * e[()])) == r"\frac{1}{N \epsilon} x_{i}"
    assert writer.doprint((1 - e[()]) * x[i] + e[()] / 5) == r"\left(1 - \epsilon\right) x_{i} + \frac{\epsilon}{5}"
