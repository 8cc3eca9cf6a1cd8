"""Programs that mix what is rarely mixed; each is certified on every rung, under both conventions on ties."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import sympy as sp
from torch_help import load_torch

from symbp.certify.ladder import check
from symbp.language import Equation, Fact, Index, Loop, Program, Tensor, inside
from symbp.language import functions as fn
from symbp.language.conventions import Conventions

L, w = Tensor("L"), Tensor("w", role="parameter")
i3, j4, m3, t4 = Index("i", 3), Index("j", 4), Index("m", 3), Index("t", 4)


def two_guards() -> Program:
    """Stride 3 with dilation 2, and a second tensor that leaves its axis elsewhere."""
    i, u = Index("i", 4), Index("u", 3)
    X, W, y = Tensor("X", (9,), role="parameter"), Tensor("W", (5,), role="parameter"), Tensor("y", (4,))
    a, b = X[3 * i + 2 * u - 4], W[i + u - 1]
    return Program((X, W, y, L), (Equation(y[i], a * fn.sigmoid(b) + a, over=(u,), domain=(*inside(a, X), *inside(b, W))),
                                  Equation(L[()], sp.sin(y[i]), over=(i,))))


def shifted_and_reversed() -> Program:
    """One tensor read at four positions, one of them backwards."""
    j, X = Index("j", 7, part=True), Tensor("X", (9,), role="parameter")
    return Program((X, L), (Equation(L[()], X[j] * X[j + 1] * X[j + 2] ** 2 * sp.exp(X[8 - j] / 3), over=(j,)),))


def two_loops() -> Program:
    """A recurrence in two directions at once, loop within loop."""
    p, q, a, b = Index("p", 3), Index("q", 4), Index("a", 4), Index("b", 4)
    S, c = Tensor("S", (4, 5), role="state"), Tensor("c", (3, 4), role="parameter")
    step = Equation(S[p + 1, q + 1], c[p, q] * S[p, q] + w[()] * fn.tanh(S[p, q + 1]) * S[p + 1, q])
    return Program((S, c, w, L), (Equation(S[a, 0], w[()]), Equation(S[0, b + 1], 1),
                                  Loop(p, "ascending", (Loop(q, "ascending", (step,)),)), Equation(L[()], S[3, 4])))


def gather_in_loop() -> Program:
    """A maximum over products with a row that data choose, inside a recurrence."""
    x, E, r = Tensor("x", (4, 3), role="parameter"), Tensor("E", (5, 3), role="parameter"), Tensor("r", (4,), dtype="int", role="input")
    h, g = Tensor("h", (5, 3), role="state"), Tensor("g", (4,))
    body = (Equation(g[t4], h[t4, m3] * E[r[t4], m3], "max", over=(m3,)), Equation(h[t4 + 1, m3], g[t4] * x[t4, m3] + E[r[t4], m3]))
    facts = (Fact(r[t4], ">=", 0), Fact(r[t4], "<=", 4))
    return Program((x, E, r, h, g, L), (Equation(h[0, m3], 1), Loop(t4, "ascending", body), Equation(L[()], h[4, m3] ** 2, over=(m3,))), facts)


def minimax() -> Program:
    """A minimum of maxima, of which each is read once more."""
    A, M, low = Tensor("A", (3, 4), role="parameter"), Tensor("M", (3,)), Tensor("low")
    return Program((A, M, low, L), (Equation(M[i3], A[i3, j4], "max", over=(j4,)), Equation(low[()], -M[i3], "max", over=(i3,)),
                                    Equation(L[()], low[()] ** 2 + M[i3], over=(i3,))))


def at_the_maximum() -> Program:
    """What stands where another tensor is largest."""
    A, B, U = Tensor("A", (3, 4), role="parameter"), Tensor("B", (3, 4), role="parameter"), Tensor("U", (3,), dtype="int")
    return Program((A, B, U, L), (Equation(U[i3], A[i3, j4], "argmax", over=(j4,), component=j4),
                                  Equation(L[()], B[i3, U[i3]] * A[i3, U[i3]] ** 2, over=(i3,))))


def pooled_squares() -> Program:
    """Two-dimensional windows with unequal padding over squares, weighted by position."""
    X, Y = Tensor("X", (5, 6), role="parameter"), Tensor("Y", (3, 3))
    i, j, u, v = Index("i", 3), Index("j", 3), Index("u", 2), Index("v", 3)
    source = X[2 * i + u - 1, 2 * j + v - 2]
    return Program((X, Y, L), (Equation(Y[i, j], source**2, "max", over=(u, v), domain=inside(source, X)),
                               Equation(L[()], Y[i, j] * (1 + i + j), over=(i, j))))


def band_and_contributions() -> Program:
    """A band of a triangle, contributions on different domains, and one that writes backwards."""
    s, t, v, z, y = Index("s", 5), Index("t", 5), Tensor("v", (5,), role="parameter"), Tensor("z", (5,)), Tensor("y", (5,))
    return Program((v, z, y, L), (
        Equation(z[t], sp.exp(v[s]) * v[t], over=(s,), domain=(t - s, s - t + 2)),
        Equation(y[t], v[t] ** 2, domain=(t - 2,)), Equation(y[t], sp.cos(z[t - 1]), domain=(t - 1,)), Equation(y[4 - t], v[t]),
        Equation(L[()], sp.log(1 + y[t] ** 2), over=(t,))))


def mixed_radix() -> Program:
    """A transposition written as index arithmetic, and an index as a number."""
    G, F, a, b, h = Tensor("G", (6,), role="parameter"), Tensor("F", (6,)), Index("a", 2), Index("b", 3), Index("h", 6)
    return Program((G, F, w, L), (Equation(F[2 * b + a], G[3 * a + b] ** 3), Equation(L[()], F[h] * (sp.Abs(G[h]) + 1) ** w[()] * h, over=(h,))))


PROGRAMS = (two_guards, shifted_and_reversed, two_loops, gather_in_loop, minimax, at_the_maximum, pooled_squares, band_and_contributions,
            mixed_radix)


@pytest.mark.parametrize("ties", ["first", "split"])
@pytest.mark.parametrize("make", PROGRAMS, ids=lambda m: m.__name__)
def test_every_rung_of_every_gradient_passes(make: Callable[[], Program], ties: str):
    load_torch()
    report = check(replace(make(), conventions=Conventions(ties=ties)), "L")
    assert {rung.status for gradient in report.gradients for rung in gradient.rungs} == {"passed"}, report.table()
