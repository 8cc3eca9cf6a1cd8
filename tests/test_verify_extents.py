"""Axes that are of one length by chance: neither does a slip hide behind them, nor is a right formula misread."""
from __future__ import annotations

import json
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbp.verify.claimfile import parse
from symbp.verify.extents import Kinds, numbers_of, separations
from symbp.verify.formulas import Formulas


def _filled(*shape: int) -> list | int:
    return [_filled(*shape[1:]) for _ in range(shape[0])] if shape else 2


def _text(equations: list[str], values: dict[str, tuple[int, ...]], more: str = "", numbers: str = "") -> Formulas:
    lines = [f"{name} = {_filled(*shape)}" for name, shape in values.items()]
    return Formulas(parse(f"[network]\nequations = {json.dumps(equations)}\n{more}\n[values]\n" + "\n".join([*lines, numbers])
                          + "\n[[claims]]\nformula = 'J = J'\n"))


@cache
def batch(n: int, d: int, k: int) -> Formulas:
    """Rows of a batch, with a weight for each row."""
    return _text(["Z[n,k] = sum(d, X[n,d]*W[d,k]) + b[k]", "A[n,k] = tanh(Z[n,k])", "J = sum(n, k, (A[n,k] - Y[n,k])^2)/2", "R[n,k] = c[n]*A[n,k]"],
                 {"X": (n, d), "W": (d, k), "b": (k,), "c": (n,), "Y": (n, k)},
                 'loss = "J"\nparameters = ["W", "b"]\nnames = { Delta = "dJ/dZ" }')


RIGHT = (r"Z = X W + b", r"\frac{\partial J}{\partial W} = X^T \Delta", r"\frac{\partial J}{\partial X} = \Delta W^T", r"R = c \odot A",
         r"\frac{\partial J}{\partial b_k} = \sum_n \Delta_{nk}", r"\Delta = (A - Y) \odot (1 - A^2)", r"R_{nk} = c_n A_{nk}",
         r"W \leftarrow W - \alpha X^T \Delta", r"\frac{\partial J}{\partial b} = \Delta^T \mathbf{1}", r"J = \frac12 \|A - Y\|^2")
WRONG = (r"Z = X W^T + b", r"Z = W X + b", r"\frac{\partial J}{\partial W} = X \Delta", r"\frac{\partial J}{\partial X} = \Delta W",
         r"R = A \odot b", r"\frac{\partial J}{\partial b_k} = \sum_n \Delta_{kn}", r"\frac{\partial J}{\partial A} = A - Y^T",
         r"\frac{\partial J}{\partial W_{dk}} = \sum_n X_{nk} \Delta_{nd}", r"\Delta = (A - Y^T) \odot (1 - A^2)", r"R = A \mathrm{diag}(c)")
EXTENTS = st.integers(2, 3)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([*RIGHT, *WRONG]), EXTENTS, EXTENTS, EXTENTS)
def test_the_verdict_does_not_depend_on_extents(formula: str, n: int, d: int, k: int) -> None:
    """The same formula of the same equations, whichever axes are of one length."""
    judged = batch(n, d, k).judge(formula)
    assert judged.verdict in (("right",) if formula in RIGHT else ("wrong", "ill-posed")), judged


@pytest.mark.parametrize("formula", [r"\frac{\partial J}{\partial A} = A - Y^T", r"\Delta = (A - Y^T) \odot (1 - A^2)"])
def test_a_transpose_that_a_square_matrix_hides(formula: str) -> None:
    """With Y of 2×2 it is right at the text's own extents, on the assumption that Y is one-hot and by a lucky draw; nowhere else."""
    judged = batch(2, 2, 2).judge(formula)
    assert batch(2, 2, 2)._judge_here(formula).verdict == "right-if"
    assert judged.verdict == "wrong" and "only where axes are of one length by chance" in judged.note


@cache
def mean(n: int, k: int) -> Formulas:
    return _text(["J = sum(n, k, (A[n,k] - Y[n,k])^2)/(2*N)", "H = sum(n, k, A[n,k])/(N*K)"], {"A": (n, k), "Y": (n, k)},
                 'loss = "J"', f"N = {n}\nK = {k}")


@pytest.mark.parametrize(("n", "k"), [(3, 3), (2, 2), (3, 2)])
def test_counts_that_are_equal_by_chance(n: int, k: int) -> None:
    """1/K in place of 1/N is wrong also where N = K; what is right stays right."""
    formulas = mean(n, k)
    assert formulas.judge(r"\frac{\partial J}{\partial A} = \frac{1}{N} (A - Y)").verdict == "right"
    assert formulas.judge(r"\frac{\partial J}{\partial A} = \frac{1}{K} (A - Y)").verdict == "wrong"
    assert formulas.judge(r"\frac{\partial H}{\partial A_{nk}} = \frac{1}{N K}").verdict == "right"
    assert formulas.judge(r"J = \frac{1}{2 N} \sum_{n=1}^{N} \sum_{k=1}^{K} (A_{nk} - Y_{nk})^2").verdict == "right"


def test_the_slip_behind_equal_counts_is_explained() -> None:
    """The explanation is looked for where the mistake shows."""
    formulas = mean(3, 3)
    formula = r"\frac{\partial J}{\partial A} = \frac{1}{K} (A - Y)"
    assert formulas.judge(formula).verdict == "wrong"
    assert any("K stands where N belongs" in said for said in formulas.slips(formula)), formulas.slips(formula)


@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("d", [2, 3, 4])
def test_a_number_that_counts_an_axis(n: int, d: int) -> None:
    """The 2 of a mean over two features is the length of that axis, whichever other axis is as long."""
    formulas = _text([f"mu[n] = sum(d, x[n,d])/{d}", f"v[n] = sum(d, (x[n,d] - mu[n])^2)/{d}", "J = sum(n, v[n])"], {"x": (n, d)}, 'loss = "J"')
    assert formulas.judge(rf"v_n = \frac{{1}}{{{d}}} \sum_d x_{{nd}}^2 - mu_n^2").verdict == "right"
    assert formulas.judge(rf"\frac{{\partial J}}{{\partial x_{{nd}}}} = \frac{{2}}{{{d}}} (x_{{nd}} - mu_n)").verdict == "right"
    assert formulas.judge(rf"\frac{{\partial J}}{{\partial x_{{nd}}}} = \frac{{1}}{{{d}}} (x_{{nd}} - mu_n)").verdict == "wrong"


def test_positions_are_those_of_the_text() -> None:
    """A formula that names elements is judged at the text's own extents."""
    formulas = batch(2, 2, 2)
    assert formulas.judge("Z_{1,2} = X_{1,1} W_{1,2} + X_{1,2} W_{2,2} + b_2").verdict == "right"
    assert formulas.judge(r"Z_{1k} = \sum_{d=1}^{2} X_{1d} W_{dk} + b_k").verdict == "right"
    assert formulas.judge("Z_{1,2} = X_{1,1} W_{2,1} + X_{1,2} W_{2,2} + b_2").verdict == "wrong"


def test_a_matrix_that_the_equations_make_square() -> None:
    """A recurrent weight stays square, and its transpose is still told apart."""
    formulas = _text(["h[i] = tanh(sum(k, W[i,k]*g[k]))", "r[i] = h[i] + g[i]", "J = sum(i, r[i])"], {"W": (2, 2), "g": (2,)}, 'loss = "J"')
    assert formulas.judge(r"h = \tanh(W g)").verdict == "right"
    assert formulas.judge(r"h = \tanh(W^T g)").verdict == "wrong"
    assert formulas.judge(r"\frac{\partial J}{\partial g} = W^T (1 - h^2) + 1").verdict == "right"


def test_what_the_text_has_in_equal_number() -> None:
    """As many true as false samples: one letter may count both, though the equations have two."""
    formulas = _text(["V = sum(n, log(D[n]))/m + sum(r, log(1 - E[r]))/m"], {"D": (3,), "E": (3,)}, 'loss = "V"\nfacts = ["D[n] > 0", "E[r] < 1"]',
                     "m = 3")
    assert formulas.judge(r"V = \frac{1}{m} \sum_{i=1}^m [\log D_i + \log(1 - E_i)]").verdict == "right"
    assert formulas.judge(r"V = \frac{1}{m} \sum_{i=1}^m [\log D_i - \log(1 - E_i)]").verdict == "wrong"


@given(st.integers(2, 4), st.integers(2, 4), st.integers(2, 4))
@settings(max_examples=20, deadline=None)
def test_lengths_are_all_different(n: int, d: int, k: int) -> None:
    """At every further choice of lengths no two kinds of axes are alike, and what the equations tie stays together."""
    text = batch(n, d, k).text
    kinds = Kinds(text.program)
    found = [kinds.with_extents(dict(new)) for new in separations(kinds, numbers_of(text.program))]
    assert bool(found) == (len({n, d, k}) < 3)
    for program in found:
        rows, columns = program.tensor("W").shape
        assert len({program.tensor("X").shape[0], rows, columns}) == 3
        assert program.tensor("Z").shape == (program.tensor("X").shape[0], columns) and program.tensor("b").shape == (columns,)


def test_what_an_index_is_calculated_with_keeps_its_length() -> None:
    """The extents of a convolution hang together: they stay as they are."""
    formulas = _text(["y[i] = sum(u, x[i+u]*k[u])", "J = sum(i, y[i]^2)/2"], {"x": (3,), "k": (2,)}, 'loss = "J"\nindices = { i = 2 }')
    assert not Kinds(formulas.text.program).alike()
    assert formulas.judge(r"\frac{\partial J}{\partial k_u} = \sum_i y_i x_{i+u}").verdict in ("right", "right-if")
