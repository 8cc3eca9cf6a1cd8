"""Formulas as books print them: right ones in every layout, and each kind of slip, planted and found."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from symbp.cli import main
from symbp.errors import SymbpError
from symbp.verify.claimfile import parse
from symbp.verify.formulas import Formulas
from symbp.verify.latex import read_formula

COLUMN = r'''
[network]
equations = ["z1[j] = sum(i, W1[j,i]*x[i]) + b1[j]", "a1[j] = sigmoid(z1[j])", "z2[k] = sum(j, W2[k,j]*a1[j]) + b2[k]",
             "a2[k] = sigmoid(z2[k])", "C = sum(k, (a2[k] - y[k])^2)/2"]
loss = "C"
parameters = ["W1", "b1", "W2", "b2"]
names = { delta1 = "dC/dz1", delta2 = "dC/dz2", a0 = "x" }
[optimizer]
type = "gd"
learning_rate = 0.3
[values]
x = [1, 2, 3]
y = [0, 1]
W1 = [[1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 0, 1]]
b1 = [1, 2, 3, 4]
W2 = [[1, 2, 3, 4], [5, 6, 7, 8]]
b2 = [1, 2]
[[claims]]
formula = "C = C"
'''
ROWS = r'''
[network]
equations = ["Z[n,k] = sum(i, X[n,i]*W[i,k]) + b[k]", "A[n,k] = tanh(Z[n,k])", "J = sum(n, k, (A[n,k] - Y[n,k])^2)/10"]
loss = "J"
parameters = ["W", "b"]
names = { Delta = "dJ/dZ" }
functions = { g = "tanh" }
[values]
X = [[1, 2, 3], [4, 5, 6], [1, 1, 1], [2, 1, 0], [0, 0, 1]]
W = [[1, 2], [3, 4], [5, 6]]
b = [1, 2]
Y = [[0, 1], [1, 0], [0, 0], [1, 1], [0, 1]]
[[claims]]
formula = "J = J"
'''


@pytest.fixture(scope="module")
def column() -> Formulas:
    return Formulas(parse(COLUMN))


@pytest.fixture(scope="module")
def rows() -> Formulas:
    return Formulas(parse(ROWS))


RIGHT = [
    r"\delta^{(2)} = (a^{(2)} - y) \odot \sigma'(z^{(2)})",                                     # Nielsen's BP1
    r"\delta^2 = \frac{\partial C}{\partial a^2} \odot \sigma'(z^2)",
    r"\delta^{l} = ((W^{l+1})^T \delta^{l+1}) \odot \sigma'(z^{l})",                              # BP2
    r"\frac{\partial C}{\partial b^{l}_j} = \delta^{l}_j",                                        # BP3
    r"\frac{\partial C}{\partial W^{l}_{jk}} = a^{l-1}_k \delta^{l}_j",                           # BP4
    r"\frac{\partial C}{\partial W^{(l)}} = \delta^{(l)} (a^{(l-1)})^\top",
    r"\delta^{(L)} = (a^{(L)} - y) \circ a^{(L)} \circ (1 - a^{(L)})",
    r"\delta_j^{(1)} = \sum_{k} W_{kj}^{(2)} \delta_k^{(2)} \, \sigma'\left(z_j^{(1)}\right)",
    r"a^{(l)} = \frac{1}{1 + e^{-z^{(l)}}}",
    r"C = \frac{1}{2} \sum_{k=1}^{2} (a_k^{(2)} - y_k)^2",
    r"\mathbf{W}^{(2)} \leftarrow \mathbf{W}^{(2)} - \eta \frac{\partial C}{\partial \mathbf{W}^{(2)}}",
    r"b^{(1)} = b^{(1)} - \alpha \delta^{(1)}",
    "∂C/∂W1 = δ1 xᵀ",
    r"\delta^{(1)} = \mathrm{diag}(\sigma'(z^{(1)})) W^{(2)T} \delta^{(2)}",
    r"z^{(1)} = W^{(1)} x + b^{(1)}",
]


@pytest.mark.parametrize("formula", RIGHT)
def test_standard_formulas_are_right(column: Formulas, formula: str) -> None:
    """Nielsen's BP1 to BP4, index forms, updates and definitions: no false alarm."""
    assert column.judge(formula).verdict == "right", column.judge(formula)


@pytest.mark.parametrize("formula", [r"\frac{\partial J}{\partial W} = X^\top \Delta", r"\frac{\partial J}{\partial b_k} = \sum_n \Delta_{nk}",
                                     r"\Delta = \frac{1}{5} (A - Y) \odot g'(Z)", r"Z = X W + b", r"\Delta_{nk} = (A_{nk} - Y_{nk})(1 - A_{nk}^2)/5",
                                     r"\frac{\partial J}{\partial W_{ik}} = \sum_n X_{ni} \Delta_{nk}"])
def test_rows_of_a_batch(rows: Formulas, formula: str) -> None:
    """Samples as rows: the bias is added to every row."""
    assert rows.judge(formula).verdict == "right", rows.judge(formula)


def test_layout_is_no_mistake(column: Formulas) -> None:
    """A derivative that is laid out transposed is right under that convention, which is named."""
    judged = column.judge(r"\frac{\partial C}{\partial W^{(2)}} = a^{(1)} \delta^{(2)T}")
    assert judged.verdict == "right-if" and "transposed" in judged.note


SLIPS = [
    (r"\delta^{(2)} = (y - a^{(2)}) \odot \sigma'(z^{(2)})", "the sign is wrong"),
    (r"\delta^{(2)} = (a^{(2)} - y) \odot \sigma'(a^{(2)})", "a2 stands where z2 belongs"),
    (r"\delta^{(2)} = (a^{(2)} - y) \odot \sigma(z^{(2)})", "σ stands where σ' belongs"),
    (r"\delta^{(2)} = a^{(2)} - y", "the factor σ'(z2) is missing"),
    (r"\delta^{(2)} = (a^{(2)} - y) \odot \sigma'(z^{(2)}) \odot \sigma'(z^{(2)})", "an activation derivative is too many"),
    (r"\delta^{(1)} = W^{(2)} \delta^{(2)} \odot \sigma'(z^{(1)})", "W2 should be transposed, or not be"),
    (r"\delta^{(1)} = W^{(1)T} \delta^{(2)} \odot \sigma'(z^{(1)})", "W1 stands where W2 belongs"),
    (r"\frac{\partial C}{\partial W^{(2)}} = \delta^{(2)} (a^{(2)})^T", "a2 stands where a1 belongs"),
    (r"\frac{\partial C}{\partial W^{(1)}_{ji}} = \delta_j^{(2)} x_i", "delta2 stands where delta1 belongs"),
    (r"\frac{\partial C}{\partial b^{(2)}} = 2 \delta^{(2)}", "a factor is too many"),
    (r"C = \sum_k (a^{(2)}_k - y_k)^2", "a factor 2 is too many"),
    (r"W^{(1)} := W^{(1)} + \eta \frac{\partial C}{\partial W^{(1)}}", "plus stands where minus belongs"),
    (r"\delta_j^{(1)} = \sum_k W_{jk}^{(2)} \delta_k^{(2)} \sigma'(z_j^{(1)})", "the indices are the wrong way round"),
]


@pytest.mark.parametrize(("formula", "slip"), SLIPS)
def test_planted_slips_are_found_and_explained(column: Formulas, formula: str, slip: str) -> None:
    """Each formula has one planted slip: it is not right, and the slip is among the explanations."""
    assert column.judge(formula).verdict in ("wrong", "ill-posed")
    assert any(slip in found or found in slip for found in column.slips(formula)), column.slips(formula)


def test_a_mean_over_the_batch_that_is_missing(rows: Formulas) -> None:
    """Here the loss has a factor of its own, 1/10: a formula without it is wrong."""
    assert rows.judge(r"\Delta = (A - Y) \odot g'(Z)").verdict == "wrong"


@pytest.mark.parametrize(("formula", "words"), [
    (r"a = = b", "cannot be read at `= b`"), ("", "cannot be read at its end"), (r"\delta^{(2)}", "states nothing"),
    ("x" * 5000, "5000 characters"), ("(" * 100 + "x" + ")" * 100 + " = x", "nested 100 deep"), (r"\delta^{(2)} \propto x", "is proportional to"),
    (r"\delta^{(2)} = \sum_r 3", "how far the index r"), (r"\delta^{(2)} = \foo x", r"the command \foo is not known"), (r"x = p(y | x)", "conditional"),
    (r"\nabla C = x", "by what ∇ differentiates"), (r"C = \partial x", "∂ stands alone"), (r"x = \frac{1}{2", "cannot be read at its end"),
])
def test_what_cannot_be_judged_is_undecided(column: Formulas, formula: str, words: str) -> None:
    """Never a guess: the place, or what is missing."""
    judged = column.judge(formula)
    assert judged.verdict == "undecided" and words in judged.note, judged


def test_an_unknown_name_is_ill_posed(column: Formulas) -> None:
    """The nearest names are offered."""
    judged = column.judge(r"\delta^{(1)} = W^{(3)T} \delta^{(2)}")
    assert judged.verdict == "ill-posed" and judged.note.startswith("nothing is called W3 here"), judged


def test_shapes_that_do_not_fit_are_told_with_the_arithmetic(column: Formulas) -> None:
    """Which shapes meet."""
    judged = column.judge(r"\delta^{(1)} = W^{(2)} \delta^{(2)}")
    assert judged.verdict == "ill-posed" and judged.note == "a product of 2×4 by 2×1: 4 columns meet 2 rows"


def test_unicode_and_latex_are_one_language() -> None:
    """∂, δ, ⊙ stand for their commands."""
    assert read_formula("δ = a ⊙ b") == read_formula(r"\delta = a \odot b")


def test_the_place_of_a_mistake() -> None:
    """The text on both sides of it."""
    with pytest.raises(SymbpError, match="behind `x \\+`"):
        read_formula("x + = y")


def test_formulas_in_a_claim_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints verdict, derived formula and slip; its exit code is 1."""
    path = tmp_path / "book.toml"
    path.write_text(COLUMN + "[[claims]]\nid = 'BP1'\nformula = '''\\delta^{(2)} = (a^{(2)} - y) \\odot \\sigma'(a^{(2)})'''\n", encoding="utf-8")
    assert main(["verify", str(path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)[0]["verdicts"][-1]
    assert (found["id"], found["verdict"], found["slips"]) == ("BP1", "wrong", ["a2 stands where z2 belongs"])
    assert r"\frac{\partial C}{\partial z^{(2)}}" in found["value"]
    assert main(["verify", str(path)]) == 1
    assert "The first mistake: BP1" in capsys.readouterr().out


@pytest.mark.parametrize(("formula", "verdict"), [
    (r"\exp'(x) = \exp(x)", "right"), (r"\cos'(x) = -\sin(x)", "right"), (r"\cos'(x) = \sin(x)", "wrong"), (r"\cos''(x) = -\cos(x)", "right"),
    (r"\log'(y) = 1/y", "right"), (r"\log''(y) = -1/y^2", "right"), (r"\log'(y) = 1/y^2", "wrong")])
def test_primes_of_primitive_functions_are_those_of_the_calculus(formula: str, verdict: str):
    text = parse('[network]\nequations = ["y = exp(x)"]\n[values]\nx = 0.5\n[[claims]]\nof = "y"\nvalue = "1.65"\n')
    assert Formulas(text).judge(formula).verdict == verdict
