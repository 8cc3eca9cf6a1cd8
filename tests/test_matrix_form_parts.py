"""The parts of the matrix form that check the others: the way back from LaTeX, shapes, values, and the oracle's question."""
from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from symbp.calculus.local import prime
from symbp.language import Index, Program, Tensor, size
from symbp.language.build import total
from symbp.language.functions import gelu, opaque, sigmoid, sign
from symbp.matrix.check import agrees, question
from symbp.matrix.evaluate import Environment, ShapeError, applied, evaluate
from symbp.matrix.nodes import (
    Apply,
    Diag,
    Hadamard,
    Leaf,
    Negative,
    Node,
    Norm,
    Number,
    Ones,
    Product,
    Quotient,
    Scale,
    Sum,
    Trace,
    Transpose,
    product,
    transpose,
)
from symbp.matrix.parse import MatrixSyntaxError, Symbols, parse_matrix
from symbp.matrix.sums import added
from symbp.matrix.view import View

A, B, x, s = Leaf("A", None, 2), Leaf("B", None, 2), Leaf("x", None, 1), Leaf("s", None, 0)
ONE = Number(sp.S.One)
RNG = np.random.default_rng(0)
ARRAYS = {A: RNG.normal(size=(2, 3)), B: RNG.normal(size=(3, 3)), x: RNG.normal(size=3), s: np.array(2.0)}
COLUMN = ARRAYS[x][:, None]
SYMBOLS = Symbols({"A": A, r"B^{(1)}": B, "x": x, "s": s}, {r"A^{\top}": A, r"B^{(1)\top}": B, r"x^{\top}": x},
                  {r"\sigma\left(": sigmoid, r"\log\left(": sp.log}, {})


def value(node: Node, shape: tuple[int, int]) -> np.ndarray:
    return evaluate(node, Environment(ARRAYS, {}, {}), shape)


READ = {
    r"A x": (ARRAYS[A] @ COLUMN, (2, 1)),
    r"x^{\top} B^{(1)\top} x": (COLUMN.T @ ARRAYS[B].T @ COLUMN, (1, 1)),
    r"\left(B^{(1)} x\right) \odot x - x": (ARRAYS[B] @ COLUMN * COLUMN - COLUMN, (3, 1)),
    r"B^{(1)} x \odot x": (ARRAYS[B] @ COLUMN * COLUMN, (3, 1)),
    r"-\frac{1}{s} A^{\top}": (-ARRAYS[A].T / 2, (3, 2)),
    r"\left(1 - x\right)^{\odot 2} \oslash e^{x}": ((1 - COLUMN) ** 2 / np.exp(COLUMN), (3, 1)),
    r"\operatorname{tr}\left(B^{(1)}\right) \mathbf{1}": (np.full((4, 1), np.trace(ARRAYS[B])), (4, 1)),
    r"\operatorname{diag}\left(x\right) A^{\top}": (COLUMN * ARRAYS[A].T, (3, 2)),
    r"\operatorname{diag}\left(B^{(1)}\right)": (np.diag(ARRAYS[B])[:, None], (3, 1)),
    r"\left\lVert A \right\rVert_F^{2} + s^{2}": (np.array([[np.sum(ARRAYS[A] ** 2) + 4]]), (1, 1)),
    r"\sqrt{\left|x\right|} + \left[x > 0\right]": (np.sqrt(abs(COLUMN)) + (COLUMN > 0), (3, 1)),
    r"\sigma\left(x\right)": (1 / (1 + np.exp(-COLUMN)), (3, 1)),
}


@pytest.mark.parametrize("text", READ)
def test_read_and_evaluate(text: str) -> None:
    wanted, shape = READ[text]
    np.testing.assert_allclose(value(parse_matrix(text, SYMBOLS), shape), wanted, rtol=1e-12)


@pytest.mark.parametrize("text", ["", "A +", "Q x", r"\left(A", r"A^{(2)}^{\top}", r"\tanh\left(x\right)", r"A \cdot x", "A)", r"\text{A}", "@L0@@"])
def test_no_matrix_expression(text: str) -> None:
    with pytest.raises(MatrixSyntaxError):
        parse_matrix(text, SYMBOLS)


BAD_SHAPES = {
    "inner lengths": (Product((A, Transpose(x))), (2, 3)), "unequal sum": (Sum((x, Transpose(x))), (3, 3)),
    "a column is not broadcast": (Sum((B, x)), (3, 3)), "no broadcast in products": (Hadamard((B, x)), (3, 3)),
    "the target's shape": (Product((A, x)), (3, 1)), "a scalar is no column": (s, (3, 1)), "a trace needs a square": (Trace(A), (1, 1)),
    "ones of no length": (Product((Transpose(Ones()), Ones())), (1, 1)),
}


@pytest.mark.parametrize("name", BAD_SHAPES)
def test_shapes_are_strict(name: str) -> None:
    with pytest.raises(ShapeError):
        value(*BAD_SHAPES[name])


def test_constructors_keep_the_value() -> None:
    """Transposes and shared factors change the form, never the value."""
    for node, shape in ((Product((A, B)), (3, 2)), (Hadamard((B, Transpose(B))), (3, 3)), (Quotient(B, Apply(sp.exp, (B,))), (3, 3)),
                        (Sum((B, Negative(Transpose(B)), ONE)), (3, 3)), (Scale(s, A), (3, 2)), (Diag(x), (3, 3)), (x, (1, 3))):
        np.testing.assert_allclose(value(transpose(node), shape), value(node, shape[::-1]).T)
    shared = [[Product((A, x)), Negative(Product((A, B, x)))], [Hadamard((B, B)), Hadamard((B, Transpose(B)))], [Scale(s, x), Scale(s, x)],
              [Transpose(B), Transpose(Product((B, B)))], [Negative(B), Negative(ONE)]]
    for terms, shape in zip(shared, ((2, 1), (3, 3), (3, 1), (3, 3), (3, 3)), strict=True):
        np.testing.assert_allclose(value(added(terms), shape), value(Sum(tuple(terms)), shape))


def test_products_are_flat() -> None:
    assert product(Product((A, B)), x) == Product((A, B, x))


def test_functions_by_definition_and_stand_ins() -> None:
    points = np.linspace(-2, 2, 5)
    np.testing.assert_allclose(applied(gelu, (points,))[2:], [0, 0.8413447460685429, 1.9544997361036416])
    f, g = opaque("f"), opaque("g")
    assert not np.allclose(applied(f, (points,)), applied(g, (points,)))


I, J = Index("i", 784), Index("j", 784)
TENSORS = (Tensor("W", (784, 784)), Tensor("v", (784,)), Tensor("q", (784,)))
W, v, q = TENSORS
VIEW = View(Program(TENSORS, ()), frozenset(), frozenset())
LEAF_W, LEAF_V, LEAF_Q = Leaf("W", None, 2), Leaf("v", None, 1), Leaf("q", None, 1)


def test_the_question_is_small_and_tells_axes_apart() -> None:
    """784 becomes a small number, and the two axes of a square matrix get different ones."""
    asked = question(q[J], total(I, W[J, I] * v[I]), VIEW)
    for environment, wanted in asked.answers():
        rows, columns = environment.arrays[LEAF_W].shape
        assert rows != columns and max(rows, columns) < 9 and wanted.shape == (rows,)
    assert agrees(Product((LEAF_W, LEAF_V)), asked)


@pytest.mark.parametrize("wrong", [
    Product((Transpose(LEAF_W), LEAF_V)), Negative(Product((LEAF_W, LEAF_V))), Scale(Number(sp.Rational(101, 100)), Product((LEAF_W, LEAF_V))),
    Product((LEAF_W, Ones())), LEAF_V, Norm(LEAF_V), Sum((Product((LEAF_W, LEAF_V)), Number(sp.Rational(1, 10**6))))])
def test_wrong_forms_do_not_agree(wrong: Node) -> None:
    assert not agrees(wrong, question(q[J], total(I, W[J, I] * v[I]), VIEW))


def test_draws_where_the_oracle_has_no_number_are_left_out() -> None:
    """log of a negative number: only the draw between 0 and 1 counts; where none does, nothing is believed."""
    asked = question(q[J], sp.log(v[J]), VIEW)
    assert len(list(asked.answers())) == 1
    assert agrees(Apply(sp.log, (LEAF_V,)), asked)
    assert not agrees(Apply(sp.log, (Negative(LEAF_V),)), question(q[J], sp.log(-v[J]**2), VIEW))


def test_a_size_is_the_extent_of_its_axes() -> None:
    n = Index("n", size("N"))
    g, mean = Tensor("g", (size("N"),)), Tensor("mean")
    view = View(Program((g, mean), ()), frozenset(), frozenset())
    asked = question(mean[()], total(n, g[n] - size("N")) / size("N"), view)
    for environment, _ in asked.answers():
        assert environment.arrays[next(k for k in environment.arrays if not isinstance(k, Leaf))] == len(environment.arrays[Leaf("g", None, 1)])


def test_a_function_whose_definition_is_a_number_has_the_shape_of_its_arguments() -> None:
    assert applied(prime(sign), (np.ones((2, 3)),)).tolist() == np.zeros((2, 3)).tolist()
