"""Affine expressions: coefficients, and a prover whose True is always right."""
from __future__ import annotations

import itertools

import pytest
import sympy as sp
from checking import EXAMPLES
from hypothesis import given, settings
from hypothesis import strategies as st

from symbp.language import Index, Tensor, affine, size
from symbp.language.affine import coefficients, implies, range_facts

i, j, N, H, s = Index("i", 4), Index("j", 3, start=1), size("N"), size("H"), size("s")
t = Tensor("t", (4,), dtype="int")
small = st.integers(-3, 3)


def test_coefficients() -> None:
    assert coefficients(2 * i - j + 3) == ({i: 2, j: -1}, 3)
    assert coefficients(2 * (i + N) - i) == ({i: 1}, 2 * N)
    assert coefficients(t[i] + i - 1) == ({t[i]: 1, i: 1}, -1)
    assert coefficients(sp.Integer(7)) == ({}, 7)
    assert coefficients(sp.Function("n")(i) - 1) == ({}, sp.Function("n")(i) - 1)
    assert coefficients(sp.floor(N / 2) + j) == ({j: 1}, sp.floor(N / 2))
    assert coefficients(i - i) == ({}, 0)


@pytest.mark.parametrize("expression", [i**2, i * j, N * i, i / 2, sp.floor(i / 2), sp.Float(1.0) * i, t[i] * i, sp.sqrt(2) * i])
def test_what_is_not_affine(expression: sp.Expr) -> None:
    assert coefficients(expression) is None


def test_range_facts() -> None:
    assert range_facts([j]) == [j - 1, 3 - j]
    assert range_facts([Index("n", N)]) == [Index("n", N), N - 1 - Index("n", N)]


@given(st.lists(st.tuples(small, small, small), max_size=3), st.tuples(small, small, small))
@settings(max_examples=10 * EXAMPLES, deadline=None)
def test_implies_is_sound_on_boxes_and_complete_where_rationals_suffice(rows: list, goal: tuple) -> None:
    facts = [a * i + b * j + c for a, b, c in rows]
    claim = goal[0] * i + goal[1] * j + goal[2]
    proved = implies([*range_facts([i, j]), *facts], claim)
    points = [{i: a, j: b} for a, b in itertools.product(range(4), range(1, 4))]
    inside = [p for p in points if all(f.xreplace(p) >= 0 for f in facts if not f.is_Number) and all(f >= 0 for f in facts if f.is_Number)]
    truth = all(claim.xreplace(p) >= 0 for p in inside)
    assert truth or not proved
    if not rows:
        assert proved == truth


@given(st.integers(1, 4), st.integers(-3, 3), st.integers(-2, 2), st.integers(-3, 3), st.integers(-2, 2))
@settings(max_examples=4 * EXAMPLES, deadline=None)
def test_implies_is_sound_with_floors(divisor: int, offset: int, a: int, b: int, c: int) -> None:
    floor = sp.floor((N + offset) / divisor)
    claim = a * floor + b * N + c
    if implies((), claim):
        assert all(a * ((n + offset) // divisor) + b * n + c >= 0 for n in range(1, 40))


def test_implies() -> None:
    assert implies((), sp.Integer(0))
    assert not implies((), sp.Integer(-1))
    assert implies((), N - 1)
    assert not implies((), N - 2)
    assert implies([N - 2], N - 2)
    assert implies((), sp.Function("n")(i) - 1)
    assert not implies((), i)
    assert implies([i], 2 * i)
    assert not implies([i], i / 2 - sp.Rational(1, 4))
    assert implies([i - 1], i / 2 - sp.Rational(1, 4))
    assert implies([2 * i - 1], i - 1), "integers: 2i ≥ 1 gives i > 0"
    assert implies([i, -i - 1], i - 5), "anything follows from a contradiction"


def test_implies_with_floors() -> None:
    half = sp.floor(H / 2)
    assert implies((), H - 2 * half)
    assert implies((), 2 * half - H + 1)
    assert not implies((), 2 * half - H)
    assert not implies((), half - 1)
    assert implies([H - 2], half)
    assert implies((), sp.floor((N + 2 * H) / 3) * 3 - N - 2 * H + 2)
    assert not implies((), sp.floor(H / s) - H / s), "a size in a denominator is no whole number"
    assert implies((), H / s - sp.floor(H / s)) is False, "a fractional goal is not proved"
    outer = sp.floor((sp.floor(H / 2) + 1) / 2)
    assert implies((), H + 2 - 4 * outer)


def test_windows_of_symbolic_size() -> None:
    for kernel, stride, pad in itertools.product((1, 2, 3), (1, 2, 3), (0, 1)):
        out = sp.floor((H + 2 * pad - kernel) / stride) + 1
        a, u = Index("a", out), Index("u", kernel)
        at = stride * a + u - pad
        known = range_facts([a, u])
        assert implies(known, at + pad)
        assert implies(known, H + pad - 1 - at)
        assert not implies(known, H + pad - 2 - at)
        assert implies(known, at) == (pad == 0)


def test_a_system_that_grows_too_large_is_not_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    facts, goal = [i - j, j - N, N - s], i - s
    assert implies(facts, goal)
    monkeypatch.setattr(affine, "MOST_CONSTRAINTS", 1)
    affine._implies.cache_clear()
    assert not implies(facts, goal)
