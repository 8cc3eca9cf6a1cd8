"""Networks of symbolic depth and recurrences over time, as programs; none of the passes knows any of them."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sympy as sp

from symbp.language import AXIS0, Equation, Index, Loop, Program, Statement, Tensor, size, sums_to_one
from symbp.language.functions import Defined, opaque, sigmoid, tanh

D, DEPTH = 3, size("L")
i, j = Index("i", D), Index("j", D)
x, y, J = Tensor("x", (D,), role="input"), Tensor("y", (D,), role="input"), Tensor("J")


@dataclass(frozen=True)
class Recurrence:
    """A program with the sizes and shapes of one concrete run."""

    program: Program
    sizes: dict
    shapes: dict[str, tuple[int, ...]]

    def draw(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Random inputs; a target that sums to one is drawn so."""
        drawn = {name: rng.normal(size=shape) for name, shape in self.shapes.items()}
        if self.program.facts:
            drawn["y"] = np.abs(drawn["y"]) / np.abs(drawn["y"]).sum()
        return drawn


def rows(name: str, count: sp.Expr, *shape: sp.Expr, first: int = 1, **more: object) -> Tensor:
    """A tensor whose first axis counts layers."""
    return Tensor(name, (count, *shape), origin=(first, *(0 for _ in shape)), level_axis=True, **more)


A = rows("a", DEPTH + 1, D, first=0)
Z = rows("z", DEPTH, D, cotangent=r"\delta")
W = rows("W", DEPTH, D, D, role="parameter")
B = rows("b", DEPTH, D, role="parameter")
LOSS = Equation(J[()], (A[DEPTH, j] - y[j])**2 / 2, over=(j,))
START = Equation(A[0, i], x[i])
SHAPES = {"x": (D,), "y": (D,), "W": (4, D, D), "b": (4, D)}


def affine(level: Index) -> tuple[Equation, ...]:
    """z = W a + b at a level."""
    return Equation(Z[level, j], W[level, j, i] * A[level - 1, i], over=(i,)), Equation(Z[level, j], B[level, j])


def of_widths(activation: type[Defined] = sigmoid) -> Recurrence:
    """A plain network of L layers of widths n(l)."""
    n, level = sp.Function("n"), Index("l", DEPTH, 1)
    inner, outer = Index("i", n(level - 1)), Index("j", n(level))
    first, last = Index("p", n(0)), Index("k", n(DEPTH))
    xs, ys = Tensor("x", (n(0),), role="input"), Tensor("y", (n(DEPTH),), role="input")
    a = Tensor("a", (DEPTH + 1, n(AXIS0)), level_axis=True)
    z = Tensor("z", (DEPTH, n(AXIS0)), origin=(1, 0), level_axis=True, cotangent=r"\delta")
    w = Tensor("W", (DEPTH, n(AXIS0), n(AXIS0 - 1)), origin=(1, 0, 0), role="parameter", level_axis=True)
    b = Tensor("b", (DEPTH, n(AXIS0)), origin=(1, 0), role="parameter", level_axis=True)
    body = (Equation(z[level, outer], w[level, outer, inner] * a[level - 1, inner], over=(inner,)),
            Equation(z[level, outer], b[level, outer]), Equation(a[level, outer], activation(z[level, outer])))
    loss = Equation(J[()], (a[DEPTH, last] - ys[last])**2 / 2, over=(last,))
    program = Program((xs, ys, a, z, w, b, J), (Equation(a[0, first], xs[first]), Loop(level, "ascending", body), loss))
    return Recurrence(program, {"L": 3, "n": [3, 4, 2, 5]}, {"x": (3,), "y": (5,), "W": (3, 5, 4), "b": (3, 5)})


def of_any_activation() -> Recurrence:
    """The same with a σ of which nothing is known."""
    return of_widths(opaque("sigma", latex=r"\sigma"))


def residual() -> Recurrence:
    """a[l] = a[l−1] + σ(z[l])."""
    level = Index("l", DEPTH, 1)
    body = (*affine(level), Equation(A[level, j], A[level - 1, j]), Equation(A[level, j], sigmoid(Z[level, j])))
    return Recurrence(Program((x, y, A, Z, W, B, J), (START, Loop(level, "ascending", body), LOSS)), {"L": 4}, SHAPES)


def tied() -> Recurrence:
    """One weight matrix for all layers."""
    level, w = Index("l", DEPTH, 1), Tensor("W", (D, D), role="parameter")
    body = (Equation(Z[level, j], w[j, i] * A[level - 1, i], over=(i,)), Equation(A[level, j], tanh(Z[level, j])))
    program = Program((x, y, A, Z, w, J), (START, Loop(level, "ascending", body), LOSS))
    return Recurrence(program, {"L": 4}, {"x": (D,), "y": (D,), "W": (D, D)})


def skip_over_two() -> Recurrence:
    """a[l] = σ(z[l]) + a[l−2] for l ≥ 2; the first layer stands alone."""
    level = Index("l", DEPTH - 1, 2)
    z1, w1 = Tensor("z1", (D,), cotangent=r"\delta"), Tensor("W1", (D, D), role="parameter")
    z = rows("z", DEPTH - 1, D, first=2, cotangent=r"\delta")
    w = rows("W", DEPTH - 1, D, D, first=2, role="parameter")
    body = (Equation(z[level, j], w[level, j, i] * A[level - 1, i], over=(i,)), Equation(A[level, j], sigmoid(z[level, j])),
            Equation(A[level, j], A[level - 2, j]))
    first = (Equation(z1[j], w1[j, i] * x[i], over=(i,)), Equation(A[1, j], sigmoid(z1[j])))
    program = Program((x, y, A, z1, w1, z, w, J), (START, *first, Loop(level, "ascending", body), LOSS))
    return Recurrence(program, {"L": 5}, {"x": (D,), "y": (D,), "W1": (D, D), "W": (4, D, D)})


def softmax_last() -> Recurrence:
    """L − 1 sigmoid layers, then a softmax layer with cross-entropy."""
    level, k = Index("l", DEPTH - 1, 1), Index("k", D)
    a = rows("a", DEPTH, D, first=0)
    e, s, p = Tensor("e", (D,), auxiliary=True), Tensor("S", auxiliary=True), Tensor("p", (D,))

    def layer(at: sp.Expr) -> tuple[Equation, ...]:
        return Equation(Z[at, j], W[at, j, i] * a[at - 1, i], over=(i,)), Equation(Z[at, j], B[at, j])

    head: tuple[Statement, ...] = (Equation(e[k], sp.exp(Z[DEPTH, k])), Equation(s[()], e[k], over=(k,)), Equation(p[k], e[k] / s[()]),
                                   Equation(J[()], -y[k] * sp.log(p[k]), over=(k,)))
    body = (*layer(level), Equation(a[level, j], sigmoid(Z[level, j])))
    program = Program((x, y, a, Z, W, B, e, s, p, J), (Equation(a[0, i], x[i]), Loop(level, "ascending", body), *layer(DEPTH), *head),
                      (sums_to_one(y, k),))
    return Recurrence(program, {"L": 4}, SHAPES)


def over_time() -> Recurrence:
    """A simple recurrent network over T steps with an output and a loss at every step."""
    steps, width = size("T"), 2
    t, m, q = Index("t", steps), Index("m", width), Index("q", width)
    h = Tensor("h", (steps + 1, D))
    z = Tensor("z", (steps, D), cotangent=r"\delta")
    w, u, v = Tensor("W", (D, D), role="parameter"), Tensor("U", (D, width), role="parameter"), Tensor("V", (width, D), role="parameter")
    xs, ys, o = Tensor("x", (steps, width), role="input"), Tensor("y", (steps, width), role="input"), Tensor("o", (steps, width))
    body = (Equation(z[t, j], w[j, i] * h[t, i], over=(i,)), Equation(z[t, j], u[j, m] * xs[t, m], over=(m,)),
            Equation(h[t + 1, j], tanh(z[t, j])), Equation(o[t, q], v[q, j] * h[t + 1, j], over=(j,)))
    loss = Equation(J[()], (o[t, q] - ys[t, q])**2 / 2, over=(t, q))
    program = Program((xs, ys, h, z, w, u, v, o, J), (Equation(h[0, i], sp.Rational(1, 2)), Loop(t, "ascending", body), loss))
    return Recurrence(program, {"T": 4}, {"x": (4, 2), "y": (4, 2), "W": (D, D), "U": (D, 2), "V": (2, D)})


ALL = {f.__name__: f for f in (of_widths, of_any_activation, residual, tied, skip_over_two, softmax_last, over_time)}
