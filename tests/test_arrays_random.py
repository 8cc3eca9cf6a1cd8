"""Random programs and their adjoints: readable and planned lines against the oracle; and the programs that were wrong once."""
from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np
import pytest
import sympy as sp
from checking import EXAMPLES
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_programs import random_program, random_recurrence
from test_arrays_lower import check, run, run_planned

from symbp.calculus.differentiate import adjoint
from symbp.errors import LanguageError
from symbp.interpret import interpret, shape_of
from symbp.language import Equation, Index, Loop, Program, Tensor, size
from symbp.language.functions import relu, tanh

N, T = size("N"), size("T")
i, j, k, n = Index("i", 4), Index("j", 5), Index("k", 3), Index("n", N)
Sizes = dict[str, int]


def draw(program: Program, sizes: Sizes, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Few different numbers, so that there are ties and zeros."""
    found = {}
    for t in program.inputs:
        shape = shape_of(program, t.name, sizes)
        found[t.name] = rng.integers(0, 2, size=shape) if t.dtype == "int" else rng.integers(-2, 3, size=shape) / rng.choice([1, 2])
    return found


def compare(program: Program, sizes: Sizes, seed: int) -> None:
    """Every tensor equals the oracle's where that has a finite value for it."""
    rng = np.random.default_rng(seed)
    earlier, values = draw(program, sizes, rng), draw(program, sizes, rng)
    try:
        expected = interpret(program, values, sizes)
    except LanguageError:  # a maximum over nothing
        assume(False)
    assume(all(np.isfinite(a).all() and np.abs(a).max(initial=0) < 1e8 for a in expected.values()))
    with np.errstate(all="ignore"):
        found, planned = run(program, values, sizes), run_planned(program, [earlier, values], sizes)
    for name, array in expected.items():
        for which in (found, planned):
            assert which[name].shape == array.shape, name
            np.testing.assert_allclose(which[name], array, rtol=1e-9, atol=1e-9, err_msg=name)


def both(make: Callable[[Random], Program], r: Random, sizes: Sizes, seed: int) -> None:
    """The program, and its adjoint."""
    try:
        program = make(r)
        derived = adjoint(program, program.equations[-1].target.name, tuple(t.name for t in program.inputs if t.dtype == "float"))
    except LanguageError:
        assume(False)
    compare(program, sizes, seed)
    compare(derived.program, sizes, seed)


SIZES = st.fixed_dictionaries({"N": st.sampled_from([1, 2, 3, 5]), "T": st.integers(1, 3)})


@settings(max_examples=2 * EXAMPLES, deadline=None)
@given(st.randoms(use_true_random=False), SIZES, st.integers(0, 9))
def test_random_programs_equal_the_oracle(r: Random, sizes: Sizes, seed: int) -> None:
    both(random_program, r, sizes, seed)


@settings(max_examples=2 * EXAMPLES, deadline=None)
@given(st.randoms(use_true_random=False), SIZES, st.integers(0, 9))
def test_random_recurrences_equal_the_oracle(r: Random, sizes: Sizes, seed: int) -> None:
    both(random_recurrence, r, sizes, seed)


# what was wrong once

@pytest.mark.parametrize("steps", [1, 2, 4])
def test_an_axis_that_is_shorter_than_the_index(steps: int) -> None:
    x, y, z = Tensor("x", (N,), role="input"), Tensor("y", (4,)), Tensor("z")
    check(Equation(y[i], tanh(x[i]), domain=(N - 1 - i,)), Equation(z[()], x[3] ** 2, domain=(N - 4,)), given=(x,), made=(y, z),
          sizes={"N": steps})


def test_contributions_that_reach_some_steps_alone_are_added_to_those() -> None:
    t, x, z, h = Index("t", 3), Tensor("x", (3,), role="input"), Tensor("z", (3,)), Tensor("h", (4,), role="state")
    body = (Equation(z[t], x[t]), Equation(z[t], x[t - 1], domain=(t - 1,)), Equation(h[t + 1], tanh(z[t] + h[t])))
    check(Equation(h[0], 0), Loop(t, "ascending", body), given=(x,), made=(z, h))


def test_a_reversed_axis_of_symbolic_extent_is_read_within_bounds() -> None:
    x, y = Tensor("x", (N,), role="input"), Tensor("y", (4,))
    check(Equation(y[i], x[2 - i], domain=(2 - i, i + N - 3)), given=(x,), made=(y,), sizes={"N": 2})


def test_maxima_are_written_where_the_domain_holds_alone() -> None:
    x, m, y = Tensor("x", (4,), role="input"), Tensor("m", (5,)), Tensor("y", (N,))
    check(Equation(m[j], x[i], "max", (i,), (j - 1, 3 - j)), Equation(y[n], x[i], "max", (i,), (N - 2 - n,)), given=(x,), made=(m, y),
          sizes={"N": 3})


def test_functions_of_numbers_and_sizes() -> None:
    x, y, z = Tensor("x", (N,), role="input"), Tensor("y", (N,)), Tensor("z")
    check(Equation(y[n], relu(sp.Rational(2, 3)) * x[n] / sp.sqrt(N) + relu(-sp.sin(sp.Rational(1, 3)))),
          Equation(z[()], sp.exp(-9) * N * sp.log(1 + sp.E) + sp.Abs(sp.pi - N)), given=(x,), made=(y, z), sizes={"N": 3})


def test_a_number_is_an_array() -> None:
    x, s, y = Tensor("x", (1,), role="input"), Tensor("s"), Tensor("y", (1,))
    u = Index("u", 1)
    check(Equation(s[()], 1), Equation(y[u], 2 * s[()]), given=(x,), made=(s, y))


def test_labels_move_a_window_along_a_guarded_axis() -> None:
    x, t, y = Tensor("x", (4,), role="input"), Tensor("t", (5,), dtype="int", role="input"), Tensor("y", (5,))
    at = j + t[j] - 2
    check(Equation(y[j], x[at], domain=(at, 3 - at)), given=(x, t), made=(y,))


def test_labels_outside_their_axis_are_no_numbers_of_another_place() -> None:
    E, t, y = Tensor("E", (4, 3), role="input"), Tensor("t", (5,), dtype="int", role="input"), Tensor("y", (5, 3))
    for domain in ((), (j - 1,)):
        program = Program((E, t, y), (Equation(y[j, k], E[t[j], k], domain=domain),))
        for bad in ([0, 1, 2, 3, 4], [0, 1, 2, 3, 99]):
            with pytest.raises(IndexError, match="out of bounds"):
                run(program, {"E": np.ones((4, 3)), "t": np.array(bad)}, {})
