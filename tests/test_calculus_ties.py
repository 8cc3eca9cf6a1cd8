"""Ties of a maximum under both conventions: against plain Python, and exactly against an untied neighbour."""
from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from checking import EXAMPLES, drawn, gradients, jacobian_product
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import TIED, Case, max_pool
from programs.windows import out_size

from symbp.calculus.differentiate import adjoint
from symbp.interpret import interpret
from symbp.language import Equation, Index, Program, Tensor
from symbp.language.conventions import Conventions


@st.composite
def pools(draw: st.DrawFn) -> tuple[tuple[int, ...], ...]:
    """Sizes, kernels, strides and pads of one or two axes in which every window meets the input."""
    sizes, kernels, strides, pads = [], [], [], []
    for _ in range(draw(st.integers(1, 2))):
        kernel = draw(st.integers(1, 3))
        pad = (draw(st.integers(0, kernel - 1)), draw(st.integers(0, kernel - 1)))
        size = draw(st.integers(max(1, kernel - sum(pad)), 5))
        stride = draw(st.integers(1, 3))
        if (out_size(size, kernel, stride, pad) - 1) * stride - pad[0] >= size:
            pad = (pad[0], 0)
            size = max(size, kernel - pad[0])
        sizes, kernels, strides, pads = [*sizes, size], [*kernels, kernel], [*strides, stride], [*pads, pad]
    return tuple(sizes), tuple(kernels), tuple(strides), tuple(pads)


def windows(shape: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...], pads: tuple) -> dict:
    """The positions inside the input of each window, in the order of the taps."""
    outer = [range(out_size(s, k, t, p)) for s, k, t, p in zip(shape, kernel, stride, pads)]
    taps = list(itertools.product(*map(range, kernel)))
    at = {o: [tuple(a * t + b - p[0] for a, b, t, p in zip(o, u, stride, pads)) for u in taps] for o in itertools.product(*outer)}
    return {o: [p for p in found if all(0 <= a < s for a, s in zip(p, shape))] for o, found in at.items()}


def plain_gradient(x: np.ndarray, vector: np.ndarray, at: dict, split: bool) -> np.ndarray:
    """The gradient of max pooling, window by window."""
    found = np.array([Fraction(0)] * x.size, dtype=object).reshape(x.shape)
    for channel in np.ndindex(x.shape[:2]):
        for window, inside in at.items():
            values = [x[channel + p] for p in inside]
            hits = [p for p, v in zip(inside, values) if v == max(values)]
            hits = hits if split else hits[:1]
            for p in hits:
                found[channel + p] += Fraction(int(vector[channel + window]), len(hits))
    return found


@given(pools(), st.booleans(), st.integers(0, 2**31))
@settings(max_examples=EXAMPLES, deadline=None)
def test_pooling_is_exact_window_by_window(pool: tuple, split: bool, seed: int) -> None:
    sizes, kernel, stride, pads = pool
    case = max_pool(2, 1, sizes, kernel, stride, pads, ties=True)
    case = case.split() if split else case
    rng = np.random.default_rng(seed)
    x = rng.integers(-1, 2, size=(2, 1, *sizes))
    at = windows(sizes, kernel, stride, pads)
    vector = rng.integers(-9, 10, size=case.program.tensor("y").shape)
    found = gradients(case, {"X": x}, vector, "rational")["X"]
    assert (found == plain_gradient(x, vector, at, split)).all()


@given(pools(), st.integers(0, 2**31))
@settings(max_examples=EXAMPLES, deadline=None)
def test_the_first_hit_is_the_gradient_of_the_untied_neighbour(pool: tuple, seed: int) -> None:
    sizes, kernel, stride, pads = pool
    case = max_pool(1, 1, sizes, kernel, stride, pads, ties=True)
    rng = np.random.default_rng(seed)
    x = rng.integers(-1, 2, size=(1, 1, *sizes)).astype(object)
    order = np.arange(x.size).reshape(x.shape)
    neighbour = x - np.vectorize(lambda k: Fraction(int(k), 1000), otypes=[object])(order)
    vector = rng.integers(-9, 10, size=case.program.tensor("y").shape)
    tied = gradients(case, {"X": x}, vector, "rational")["X"]
    assert (tied == gradients(case, {"X": neighbour}, vector, "rational")["X"]).all()
    assert (tied == gradients(case.split(), {"X": neighbour}, vector, "rational")["X"]).all()


@pytest.mark.parametrize("name", TIED)
@pytest.mark.parametrize("seed", range(2))
def test_the_cotangent_is_handed_on_whole(name: str, seed: int) -> None:
    case = TIED[name]()
    values, vector = drawn(case, seed)
    first, split = (gradients(c, values, vector) for c in (case, case.split()))
    assert first[case.wrt[0]].sum() == pytest.approx(split[case.wrt[0]].sum(), rel=1e-12)
    assert np.abs(first[case.wrt[0]] - split[case.wrt[0]]).max() > 1e-6


def test_split_in_a_loop_is_the_chain_rule_by_hand() -> None:
    case = TIED["maximum in a loop"]().split()
    values, _ = drawn(case, 1)
    x = values["x"]
    top = x.max(axis=1)
    states = [1.0]
    for m in top:
        states.append((states[-1] + 1) * m)
    by_top = [(states[t] + 1) * np.prod(top[t + 1:]) for t in range(len(top))]
    hit = x == top[:, None]
    expected = np.array(by_top)[:, None] * hit / hit.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(gradients(case, values, None)["x"], expected, rtol=1e-13)
    assert hit.sum() > len(x)


def tied_case(ties: str) -> Case:
    """y = max_i of w·x over a window of four with a tie between the second and the fourth."""
    i = Index("i", 4)
    x, w, y = Tensor("x", (4,), role="parameter"), Tensor("w", role="parameter"), Tensor("y")
    program = Program((x, w, y), (Equation(y[()], x[i] * w[()] + x[i], "max", over=(i,)),), conventions=Conventions(ties=ties))
    return Case(program, "y", ("x", "w"), lambda rng: {"x": np.array([1, 5, 2, 5]), "w": np.array(2)})


@pytest.mark.parametrize(("ties", "by_x"), [("first", [0, 3, 0, 0]), ("split", [0, Fraction(3, 2), 0, Fraction(3, 2)])])
def test_a_tie_by_hand(ties: str, by_x: list) -> None:
    case = tied_case(ties)
    values, _ = drawn(case)
    found = gradients(case, values, None, "rational")
    assert found["x"].tolist() == by_x
    assert found["w"].item() == 5
    along = {"x": np.array([1, 2, 3, 5]), "w": np.array(7)}
    assert jacobian_product(case, values, along, "rational").item() == sum(a * b for a, b in zip(by_x, along["x"])) + 35


def test_the_positions_and_the_counts_are_tensors_of_the_program() -> None:
    values, _ = drawn(tied_case("first"))
    first = adjoint(tied_case("first").program, "y")
    found = interpret(first.program, values)
    assert found["y_argmax_i"].item() == 1
    assert first.program.tensor("y_argmax_i").dtype == "int"
    split = adjoint(tied_case("split").program, "y")
    assert interpret(split.program, values)["y_ties"].item() == 2


@pytest.mark.parametrize("ties", ["first", "split"])
def test_what_does_not_depend_on_the_window_gets_every_cotangent(ties: str) -> None:
    i, k = Index("i", 2), Index("k", 3)
    x, b, y = Tensor("x", (2, 3), role="parameter"), Tensor("b", role="parameter"), Tensor("y", (2,))
    program = Program((x, b, y), (Equation(y[i], x[i, k] + b[()], "max", over=(k,)),), conventions=Conventions(ties=ties))
    derived = adjoint(program, "y")
    found = interpret(derived.program, {"x": np.array([[1, 4, 4], [2, 0, 1]]), "b": np.array(3), derived.seed: np.array([5, 7])})
    assert found["b_bar"] == 12
    assert found["x_bar"].tolist() == ([[0, 5, 0], [7, 0, 0]] if ties == "first" else [[0, 2.5, 2.5], [7, 0, 0]])
