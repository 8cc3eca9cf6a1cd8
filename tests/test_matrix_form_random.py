"""Random matrix expressions and random index products: what is recognised has the oracle's value, always."""
from __future__ import annotations

import sympy as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from symbp.language import Index, Program, Tensor, size
from symbp.language.build import total
from symbp.language.functions import sigmoid
from symbp.language.tensor import Access
from symbp.matrix.recognise import recognise
from symbp.matrix.view import views
from symbp.passes.matrix_form import MatrixForm, matrix_form

EXTENTS = (size("N"), sp.Integer(4), sp.Integer(4), size("K"))
SLOW = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])


class Maker:
    """Builds an index expression from a random matrix expression, with a new tensor for each leaf."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw, self.tensors, self.bound = draw, [], 0

    def tensor(self, *indices: Index) -> sp.Expr:
        """A new tensor at these indices, stored in either order."""
        if len(indices) == 2 and self.draw(st.booleans()):
            indices = indices[::-1]
        made = Tensor(f"T{len(self.tensors)}", tuple(i.extent for i in indices), symbol="ABCDEFGHIJKLMNOPQRSTUVWXYZ"[len(self.tensors) % 26],
                      level=str(len(self.tensors)), role=self.draw(st.sampled_from(["input", "parameter", "intermediate"])))
        self.tensors.append(made)
        return made[indices]

    def fresh(self) -> Index:
        self.bound += 1
        return Index(f"m{self.bound}", self.draw(st.sampled_from(EXTENTS)))

    def matrix(self, free: tuple[Index, ...], depth: int) -> sp.Expr:
        """An expression over the free indices that is a matrix expression by construction."""
        kinds = ["leaf"] if depth == 0 else ["leaf", "product", "hadamard", "sum", "function", "scaled", "rest", "quotient"]
        return getattr(self, self.draw(st.sampled_from(kinds)))(free, depth - 1)

    def leaf(self, free: tuple[Index, ...], depth: int) -> sp.Expr:
        return self.tensor(*free)

    def product(self, free: tuple[Index, ...], depth: int) -> sp.Expr:
        """A B, A x, xᵀ A y, x yᵀ: one index summed."""
        m = self.fresh()
        left, right = (free[:1], free[1:]) if len(free) == 2 else (free, ())
        return total(m, self.matrix((*left, m), depth) * self.matrix((m, *right), depth))

    def hadamard(self, free: tuple[Index, ...], depth: int) -> sp.Expr:
        return self.matrix(free, depth) * self.matrix(free, depth)

    def sum(self, free: tuple[Index, ...], depth: int) -> sp.Expr:
        return self.matrix(free, depth) - self.draw(st.sampled_from([1, 2, sp.Rational(1, 3)])) * self.matrix(free, depth)

    def function(self, free: tuple[Index, ...], depth: int) -> sp.Expr:
        inner = self.matrix(free, depth)
        return self.draw(st.sampled_from([sigmoid, sp.exp, lambda e: e**2, lambda e: 1 - e]))(inner)

    def scaled(self, free: tuple[Index, ...], depth: int) -> sp.Expr:
        """diag(v) A, or a scalar times a matrix."""
        return self.tensor(*free[:self.draw(st.integers(0, 1))]) * self.matrix(free, depth)

    def rest(self, free: tuple[Index, ...], depth: int) -> sp.Expr:
        """A column repeated, or rows summed."""
        if free and self.draw(st.booleans()):
            return self.matrix(free, depth) + self.matrix(free[:1], depth)
        m = self.fresh()
        return total(m, self.matrix((*free[:1], m), depth)) * self.tensor(*free)

    def quotient(self, free: tuple[Index, ...], depth: int) -> sp.Expr:
        return self.matrix(free, depth) / (2 + self.matrix(free, 0)**2)


@st.composite
def matrix_expressions(draw: st.DrawFn) -> tuple[Access, sp.Expr, Program]:
    """A target with 0, 1 or 2 axes, an index expression that has a matrix form, and the program."""
    maker = Maker(draw)
    free = tuple(Index(name, draw(st.sampled_from(EXTENTS))) for name in ("i", "j")[:draw(st.integers(0, 2))])
    right = maker.matrix(free, draw(st.integers(0, 2)))
    target = Tensor("target", tuple(i.extent for i in free))
    return target[free], right, Program((target, *maker.tensors), ())


@SLOW
@given(matrix_expressions())
def test_matrix_expressions_are_recognised(case: tuple[Access, sp.Expr, Program]) -> None:
    """matrix expression → index form → matrix form, of equal value: the form returned has passed the comparison."""
    target, right, program = case
    if right != 0:
        form = matrix_form(target, right, program)
        assert form is not None, right


@st.composite
def index_products(draw: st.DrawFn) -> tuple[Access, sp.Expr, Program]:
    """A sum of random factors over a few indices, with or without a matrix form."""
    names = [Index(name, draw(st.sampled_from(EXTENTS))) for name in "ijkmq"]
    maker = Maker(draw)
    factors = [maker.tensor(*draw(st.lists(st.sampled_from(names), max_size=2, unique=True))) for _ in range(draw(st.integers(1, 5)))]
    free = tuple(names[:draw(st.integers(0, 2))])
    used = sp.Mul(*factors).atoms(Index)
    bound = [i for i in names if i in used and i not in free]
    target = Tensor("target", tuple(i.extent for i in free))
    right = total(*bound, sp.Mul(*factors)) if bound else sp.Mul(*factors)
    return target[free], right, Program((target, *maker.tensors), ())


@SLOW
@given(index_products())
def test_what_is_recognised_is_right(case: tuple[Access, sp.Expr, Program]) -> None:
    """Recognition alone gives the oracle's value or nothing; verification never has to refuse it."""
    target, right, program = case
    for view in views(target, right, program):
        found = recognise(target, right, view)
        assert found is None or MatrixForm(target, right, found, view).verified, right
