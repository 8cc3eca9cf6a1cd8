"""Matrix forms as textbooks print them, on any names, in either storage order and layout."""
from __future__ import annotations

from pathlib import Path

import pytest
import sympy as sp

from symbp.calculus.local import prime
from symbp.language import AXIS0, Index, Program, Tensor, size
from symbp.language.build import Reduce, total
from symbp.language.equation import Equation, Loop
from symbp.language.functions import opaque, relu, sigmoid, step
from symbp.matrix.latex import MatrixPrinter
from symbp.passes.matrix_form import MatrixForm, matrix_form

N, L = size("N"), size("L")
n, i, j, k = Index("n", N), Index("i", 784), Index("j", 128), Index("k", 10)
l = Index("l", L, start=1)


def tensor(name: str, *shape: sp.Expr, **more: object) -> Tensor:
    return Tensor(name, shape, **more)


TENSORS = {t.name: t for t in (
    tensor("W1", 128, 784, role="parameter"), tensor("W2", 10, 128, role="parameter"), tensor("V1", 784, 128, role="parameter"),
    tensor("b1", 128, role="parameter"), tensor("X", N, 784, role="input"), tensor("x", 784, role="input"),
    tensor("d2", 10, symbol=r"\delta", level="2"), tensor("d1", 128, symbol=r"\delta", level="1"),
    tensor("D2", N, 10, symbol=r"\delta", level="2"), tensor("D1", N, 128, symbol=r"\delta", level="1"),
    tensor("z1", 128), tensor("Z1", N, 128), tensor("a1", 128), tensor("a2", 10), tensor("y", 10), tensor("A2", N, 10), tensor("Y", N, 10),
    tensor("p", 10), tensor("P", N, 10), tensor("S", N), tensor("g", N, role="input"), tensor("u", 10), tensor("v", 128),
    tensor("B", 10, 10), tensor("C", 10, 10), tensor("K", 3, 3, 3), tensor("out"), tensor("c"), tensor("e", 10),
    tensor("alpha", role="constant"), tensor("W1_next", 128, 784, next_of="W1"), tensor("J"),
    tensor("W1_bar", 128, 784, cotangent_of=("J", "W1")))}
PROGRAM = Program(tuple(TENSORS.values()), ())
(W1, W2, V1, b1, X, x, d2, d1, D2, D1, z1, Z1, a1, a2, y, A2, Y, p, P, S, g, u, v, B, C, K, out, c, e, alpha, W1_next, J,
 W1_bar) = TENSORS.values()
k2 = Index("k'", 10)
slope = prime(sigmoid)
half = sp.Rational(1, 2)

TEXTBOOK = [
    # BP1–BP4, one sample: columns
    (d2[k], (a2[k] - y[k]) * slope(p[k]), r"\delta^{(2)} = \left(a^{(2)} - y\right) \odot \sigma'\left(p\right)"),
    (d1[j], total(k, W2[k, j] * d2[k]) * slope(z1[j]), r"\delta^{(1)} = \left(W^{(2)\top} \delta^{(2)}\right) \odot \sigma'\left(z^{(1)}\right)"),
    (d1[j], total(k, W2[k, j] * d2[k]) * a1[j] * (1 - a1[j]),
     r"\delta^{(1)} = \left(W^{(2)\top} \delta^{(2)}\right) \odot a^{(1)} \odot \left(1 - a^{(1)}\right)"),
    (b1[j], d1[j], r"b^{(1)} = \delta^{(1)}"),
    (W1_bar[j, i], d1[j] * x[i], r"\frac{\partial J}{\partial W^{(1)}} = \delta^{(1)} x^{\top}"),
    (V1[i, j], d1[j] * x[i], r"V^{(1)} = x \delta^{(1)\top}"),
    (z1[j], total(i, W1[j, i] * x[i]) + b1[j], r"z^{(1)} = W^{(1)} x + b^{(1)}"),
    (z1[j], total(i, V1[i, j] * x[i]) + b1[j], r"z^{(1)} = V^{(1)\top} x + b^{(1)}"),
    # rows for the samples of a batch
    (Z1[n, j], total(i, W1[j, i] * X[n, i]) + b1[j], r"Z^{(1)} = X W^{(1)\top} + \mathbf{1} b^{(1)\top}"),
    (Z1[n, j], total(i, V1[i, j] * X[n, i]) + b1[j], r"Z^{(1)} = X V^{(1)} + \mathbf{1} b^{(1)\top}"),
    (D1[n, j], total(k, W2[k, j] * D2[n, k]) * slope(Z1[n, j]), r"\delta^{(1)} = \left(\delta^{(2)} W^{(2)}\right) \odot \sigma'\left(Z^{(1)}\right)"),
    (W1_bar[j, i], total(n, D1[n, j] * X[n, i]), r"\frac{\partial J}{\partial W^{(1)}} = \delta^{(1)\top} X"),
    (V1[i, j], total(n, D1[n, j] * X[n, i]) / N, r"V^{(1)} = \frac{1}{N} X^{\top} \delta^{(1)}"),
    (b1[j], total(n, D1[n, j]), r"b^{(1)} = \delta^{(1)\top} \mathbf{1}"),
    (S[n], total(k, P[n, k]), r"S = P \mathbf{1}"),
    (P[n, k], sp.exp(A2[n, k]) / S[n], r"P = e^{A^{(2)}} \oslash \left(S \mathbf{1}^{\top}\right)"),
    (W2[k, j], total(n, A2[n, k] * Z1[n, j]) / N - total(n, Y[n, k] * Z1[n, j]) / N,
     r"W^{(2)} = \frac{1}{N} \left(A^{(2)} - Y\right)^{\top} Z^{(1)}"),
    (W2[k, j], total(n, g[n] * D2[n, k] * Z1[n, j]), r"W^{(2)} = \delta^{(2)\top} \operatorname{diag}\left(g\right) Z^{(1)}"),
    # scalars
    (J[()], half * total(k, (a2[k] - y[k])**2), r"J = \frac{1}{2} \left\lVert a^{(2)} - y \right\rVert^{2}"),
    (J[()], half * total(n, k, (A2[n, k] - Y[n, k])**2) / N, r"J = \frac{1}{2 N} \left\lVert A^{(2)} - Y \right\rVert_F^{2}"),
    (J[()], -total(k, y[k] * sp.log(p[k])), r"J = -y^{\top} \log\left(p\right)"),
    (J[()], -total(n, k, Y[n, k] * sp.log(P[n, k])) / N, r"J = -\frac{1}{N} \operatorname{tr}\left(Y^{\top} \log\left(P\right)\right)"),
    (J[()], total(k, j, u[k] * W2[k, j] * v[j]), r"J = u^{\top} W^{(2)} v"),
    (J[()], total(k, B[k, k]), r"J = \operatorname{tr}\left(B\right)"),
    (J[()], total(k, u[k]), r"J = \mathbf{1}^{\top} u"),
    (J[()], total(n, g[n]) / N, r"J = \frac{1}{N} \mathbf{1}^{\top} g"),
    (J[()], total(k, k2, B[k, k2]), r"J = \mathbf{1}^{\top} B \mathbf{1}"),
    # others
    (p[k], p[k] * (u[k] - total(k2, p[k2] * u[k2])), r"p = p \odot \left(u - \left(p^{\top} u\right) \mathbf{1}\right)"),
    (W2[k, j], u[k] * W2[k, j], r"W^{(2)} = \operatorname{diag}\left(u\right) W^{(2)}"),
    (W2[k, j], v[j] * W2[k, j], r"W^{(2)} = W^{(2)} \operatorname{diag}\left(v\right)"),
    (W2[k, j], u[k] * v[j] * W2[k, j], r"W^{(2)} = \left(u v^{\top}\right) \odot W^{(2)}"),
    (W2[k, j], u[k], r"W^{(2)} = u \mathbf{1}^{\top}"),
    (u[k], B[k, k], r"u = \operatorname{diag}\left(B\right)"),
    (B[k, k2], B[k2, k] * C[k, k2], r"B = C \odot B^{\top}"),
    (u[k], y[k]**2 / p[k] + 3, r"u = y^{\odot 2} \oslash p + 3"),
    (u[k], sp.sqrt(y[k] + alpha[()]), r"u = \sqrt{y + \alpha}"),
    (u[k], relu(y[k]) + step(y[k], 0) * abs(p[k]), r"u = \left|p\right| \odot \left[y > 0\right] + \operatorname{ReLU}\left(y\right)"),
    (u[k], sp.exp(-y[k]), r"u = e^{-y}"),
    (W1_next[j, i], W1[j, i] - alpha[()] * W1_bar[j, i], r"W^{(1)} := W^{(1)} - \alpha \frac{\partial J}{\partial W^{(1)}}"),
    (W1[j, i], W1_bar[j, i], r"W^{(1)} = \frac{\partial J}{\partial W^{(1)}}"),
    (V1[i, j], W1_bar[j, i], r"V^{(1)} = \left(\frac{\partial J}{\partial W^{(1)}}\right)^{\top}"),
    (out[()], c[()]**2, r"\mathit{out} = c^{2}"),
]


@pytest.mark.parametrize(("target", "right", "latex"), TEXTBOOK, ids=lambda a: a if isinstance(a, str) else "")
def test_textbook(target: sp.Expr, right: sp.Expr, latex: str) -> None:
    found = matrix_form(target, right, PROGRAM)
    assert found is not None
    assert found.latex == latex


NO_FORM = {
    "three axes": (K[Index("a", 3), Index("b", 3), Index("d", 3)], sp.S.One),
    "three axes inside": (J[()], total(Index("a", 3), Index("b", 3), Index("d", 3), K[Index("a", 3), Index("b", 3), Index("d", 3)])),
    "an affine index": (u[k], W2[k, Index("m", 5) * 2]),
    "part of an axis": (v[Index("m", 5)], v[Index("m", 5)]),
    "a domain": (u[k], Reduce("sum", B[k, k2], [k2], [k - k2])),
    "a maximum": (S[n], Reduce("max", P[n, k], [k])),
    "an index as a number": (u[k], k * u[k]),
    "a free index": (u[k], v[j]),
    "zero": (u[k], sp.S.Zero),
}


@pytest.mark.parametrize("name", NO_FORM)
def test_no_form(name: str) -> None:
    assert matrix_form(*NO_FORM[name], PROGRAM) is None


def test_indices_that_each_link_three_matrices_have_no_form() -> None:
    """The complete graph on four indices: no order of elimination works.  Three indices fold up."""
    q, r = Index("q", 10), Index("r", 10)
    triangle = B[k, q] * C[k, r] * B[q, r]
    assert matrix_form(J[()], total(k, q, r, triangle), PROGRAM) is not None
    assert matrix_form(J[()], total(k, q, r, n, triangle * Y[n, k] * P[n, q] * Y[n, r]), PROGRAM) is None


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("out_in", [False, True])
def test_levels(batch: bool, out_in: bool) -> None:
    """The general layer: a row of each tensor is printed with its number above."""
    width = sp.Function("n")
    rows = (n,) if batch else ()
    jl, il, up = Index("j", width(l)), Index("i", width(l - 1)), Index("k", width(l + 1))
    N_ = (N,) if batch else ()
    o = (0,) * len(rows)
    axes = (width(AXIS0), width(AXIS0 - 1))
    w = Tensor("w", (L, *(axes if out_in else axes[::-1])), role="parameter", level_axis=True, origin=(1, 0, 0))
    a = Tensor("a", (L + 1, *N_, width(AXIS0)), level_axis=True)
    z = Tensor("z", (L, *N_, width(AXIS0)), level_axis=True, origin=(1, *o, 0), cotangent=r"\delta")
    d = Tensor("z_bar", (L, *N_, width(AXIS0)), level_axis=True, origin=(1, *o, 0), cotangent_of=("J", "z"))
    program = Program((w, a, z, d, J), ())
    f = opaque("f")
    weight = w[(l + 1, up, jl) if out_in else (l + 1, jl, up)]
    back = matrix_form(d[(l, *rows, jl)], total(up, weight * d[(l + 1, *rows, up)]) * prime(f)(z[(l, *rows, jl)]), program)
    linear = {(False, True): r"w^{(l + 1)\top} \delta^{(l + 1)}", (False, False): r"w^{(l + 1)} \delta^{(l + 1)}",
              (True, True): r"\delta^{(l + 1)} w^{(l + 1)}", (True, False): r"\delta^{(l + 1)} w^{(l + 1)\top}"}[batch, out_in]
    assert back.latex == rf"\delta^{{(l)}} = \left({linear}\right) \odot \operatorname{{f}}'\left(z^{{(l)}}\right)"
    product = d[(l, *rows, jl)] * a[(l - 1, *rows, il)]
    gradient = matrix_form(w[(l, jl, il) if out_in else (l, il, jl)], total(n, product) if batch else product, program)
    delta, below = r"\delta^{(l)", "a^{(l - 1)"
    want = {(False, True): (delta, below, 1), (False, False): (below, delta, 1), (True, True): (delta, below, 0), (True, False): (below, delta, 0)}
    first, second, raised = want[batch, out_in]
    marks = ["}", r"\top}"] if raised else [r"\top}", "}"]
    assert gradient.latex == f"w^{{(l)}} = {first}{marks[0]} {second}{marks[1]}"


def test_sum_over_levels() -> None:
    """Weights shared by all layers: the gradient is a sum over layers of outer products."""
    w, a = tensor("w", 3, 3), tensor("a", L + 1, 3, level_axis=True)
    d = Tensor("d", (L, 3), level_axis=True, origin=(1, 0), symbol=r"\delta")
    r, s = Index("r", 3), Index("s", 3)
    found = matrix_form(w[r, s], total(l, d[l, r] * a[l - 1, s]) / 2, Program((w, a, d), ()))
    assert found.latex == r"w = \frac{1}{2} \sum_{l} \delta^{(l)} a^{(l - 1)\top}"


def test_time_steps() -> None:
    """A recurrence over time is written step by step, and a batch of sequences in rows."""
    T = size("T")
    t, r, s = Index("t", T), Index("r", 3), Index("s", 3)
    h, z, U, W = tensor("h", T + 1, N, 3), tensor("z", T, N, 3), tensor("x", T, N, 3, role="input"), tensor("W", 3, 3, role="parameter")
    program = Program((h, z, U, W), (
        Equation(h[0, n, r], sp.S.One),
        Loop(t, "ascending", (Equation(z[t, n, r], W[r, s] * h[t, n, s], over=(s,)), Equation(h[t + 1, n, r], sigmoid(z[t, n, r]))))))
    assert matrix_form(z[t, n, r], total(s, W[r, s] * h[t, n, s]) + U[t, n, r], program).latex == r"z_{t} = h_{t} W^{\top} + x_{t}"
    assert matrix_form(W[r, s], total(t, n, z[t, n, r] * h[t + 1, n, s]), program).latex == r"W = \sum_{t} z_{t}^{\top} h_{t + 1}"
    assert matrix_form(U[T - 1, n, r], h[T, n, r], program).latex == "x_{T - 1} = h_{T}"


def test_a_partial_row_range_is_no_matrix_axis() -> None:
    """h has T + 1 rows, of which an index over T is only a part: x Uᵀ + h Wᵀ would not fit."""
    T = size("T")
    t, r = Index("t", T), Index("r", 3)
    h, z = Tensor("h", (T + 1, 3), rows=False), tensor("z", T, 3)
    assert matrix_form(z[t, r], h[t, r], Program((h, z), ())) is None


MUTATIONS = {
    "a transpose lost": ("_transpose", lambda self, node: self._text(node.body)),
    "a minus lost": ("_negative", lambda self, node: self._text(node.body)),
    "a factor reversed": ("_product", lambda self, node: (3, " ".join(self._at(4, f) for f in node.factors[::-1]))),
    "brackets lost": ("_hadamard", lambda self, node: (2, r" \odot ".join(self.latex(f) for f in node.factors))),
    "elementwise as a product": ("_hadamard", lambda self, node: (3, " ".join(self._at(4, f) for f in node.factors))),
    "a fraction upside down": ("_fraction", lambda self, node: (4, rf"\frac{{{self.latex(node.below)}}}{{{self.latex(node.above)}}}")),
    "no TeX": ("_sum", lambda self, node: (0, r"\sum" + self.latex(node.terms[0]))),
}
EXAMPLES = {
    "a transpose lost": TEXTBOOK[1], "a minus lost": TEXTBOOK[20], "a factor reversed": TEXTBOOK[4], "brackets lost": TEXTBOOK[2],
    "elementwise as a product": TEXTBOOK[1], "a fraction upside down": TEXTBOOK[12], "no TeX": TEXTBOOK[8],
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_wrong_print_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed is read back and compared with the oracle, so that no wrong formula leaves."""
    target, right, _ = EXAMPLES[name]
    assert matrix_form(target, right, PROGRAM) is not None
    from symbp.matrix import latex
    method, wrong = MUTATIONS[name]
    kinds = [kind for kind, known in latex.METHODS.items() if known is getattr(MatrixPrinter, method)]
    for kind in kinds:
        monkeypatch.setitem(latex.METHODS, kind, wrong)
    assert matrix_form(target, right, PROGRAM) is None


def test_a_wrong_recognition_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    from symbp.matrix.nodes import Leaf, Product, Transpose
    wrong = Product((Transpose(Leaf("W1", None, 2)), Leaf("x", None, 1)))
    monkeypatch.setattr("symbp.passes.matrix_form.recognise", lambda *_: wrong)
    assert matrix_form(z1[j], total(i, W1[j, i] * x[i]), PROGRAM) is None


def test_two_things_that_print_alike_have_no_form() -> None:
    """W and W′ with the same symbol: nobody could read the formula."""
    first, second, r = Tensor("q1", (3,), symbol="q"), Tensor("q2", (3,), symbol="q"), Index("r", 3)
    program = Program((first, second, u), ())
    assert matrix_form(first[r], first[r] * second[r], program) is None
    assert matrix_form(first[r], first[r], program) is not None


def test_a_tensor_called_e_is_no_exponential() -> None:
    r = Index("r", 10)
    assert matrix_form(u[r], e[r] * sp.exp(y[r]), PROGRAM).right_latex == r"e \odot \exp\left(y\right)"
    assert matrix_form(u[r], sp.exp(y[r]), PROGRAM).right_latex == "e^{y}"


@pytest.mark.needs_tex
def test_all_of_it_is_tex(tmp_path: Path) -> None:
    """One document with every formula of this file."""
    from symbp.report.compile import compile_tex
    forms: list[MatrixForm] = [matrix_form(target, right, PROGRAM) for target, right, _ in TEXTBOOK]
    lines = "\n".join(rf"\[ {f.latex} \]" for f in forms)
    source = rf"\documentclass{{article}} \usepackage{{amsmath,amssymb}} \begin{{document}} {lines} \end{{document}}"
    assert compile_tex(source, tmp_path / "formulas.pdf").pdf is not None
