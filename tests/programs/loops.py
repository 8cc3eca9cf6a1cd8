"""Recurrences: LSTM, a recurrent network in both directions, a running maximum, and symbolic depth."""
from __future__ import annotations

import itertools
from types import ModuleType
from typing import Any

import numpy as np
import sympy as sp

from programs.case import Case, Values, normals
from symbp.language import AXIS0, Equation, Index, Loop, Program, Tensor, size
from symbp.language.functions import sigmoid, tanh


def lstm(steps: int = 3, batch: int = 2, inputs: int = 2, units: int = 2) -> Case:
    """An LSTM with PyTorch's gates (i, f, g, o); states have T+1 rows and row 0 is copied from an input."""
    T = size("T")
    t, n, i, j, m, q = (Index("t", T), Index("n", batch), Index("i", inputs), Index("j", units), Index("m", units), Index("q", 4))
    x, W, U, b = (Tensor("x", (T, batch, inputs), role="input"), Tensor("W", (4, units, inputs), role="parameter"),
                  Tensor("U", (4, units, units), role="parameter"), Tensor("b", (4, units), role="parameter"))
    h0, c0 = (Tensor(name, (batch, units), role="parameter") for name in ("h0", "c0"))
    h, c = (Tensor(name, (T + 1, batch, units), role="state") for name in "hc")
    z, L = Tensor("z", (T, batch, 4, units)), Tensor("L")
    gate = [z[t, n, k, j] for k in range(4)]
    program = Program((x, W, U, b, h0, c0, h, c, z, L), (
        Equation(h[0, n, j], h0[n, j]), Equation(c[0, n, j], c0[n, j]),
        Loop(t, "ascending", (
            Equation(z[t, n, q, j], W[q, j, i] * x[t, n, i], over=(i,)), Equation(z[t, n, q, j], U[q, j, m] * h[t, n, m], over=(m,)),
            Equation(z[t, n, q, j], b[q, j]),
            Equation(c[t + 1, n, j], sigmoid(gate[1]) * c[t, n, j] + sigmoid(gate[0]) * tanh(gate[2])),
            Equation(h[t + 1, n, j], sigmoid(gate[3]) * tanh(c[t + 1, n, j])))),
        Equation(L[()], h[t + 1, n, j] ** 3, over=(t, n, j)), Equation(L[()], c[T, n, j], over=(n, j))))

    def reference(torch: ModuleType, v: dict[str, Any]) -> Any:
        flat = [v["W"].flatten(0, 1), v["U"].flatten(0, 1), v["b"].flatten(), torch.zeros_like(v["b"]).flatten()]
        out, _, c = torch.lstm(v["x"], (v["h0"][None], v["c0"][None]), flat, True, 1, 0.0, False, False, False)
        return (out**3).sum() + c.sum()

    shapes = {"x": (steps, batch, inputs), "W": (4, units, inputs), "U": (4, units, units), "b": (4, units),
              "h0": (batch, units), "c0": (batch, units)}
    return Case(program, "L", ("W", "U", "b", "h0", "c0"), lambda rng: normals(rng, **shapes), {"T": steps}, reference)


def bidirectional(steps: int = 3, units: int = 2) -> Case:
    """Two recurrent networks, one in reversed time (states at T…0), joined by a product."""
    T = size("T")
    t, j, m = Index("t", T), Index("j", units), Index("m", units)
    x, U, V = Tensor("x", (T, units), role="parameter"), *(Tensor(k, (units, units), role="parameter") for k in "UV")
    a, b, y = Tensor("a", (T + 1, units), role="state"), Tensor("b", (T + 1, units), role="state"), Tensor("y", (T, units))
    program = Program((x, U, V, a, b, y), (
        Equation(a[0, j], 0), Equation(b[T, j], 1),
        Loop(t, "ascending", (Equation(a[t + 1, j], U[j, m] * a[t, m], over=(m,)), Equation(a[t + 1, j], sp.sin(x[t, j])))),
        Loop(t, "descending", (Equation(b[t, j], V[j, m] * b[t + 1, m] * x[t, j], over=(m,)),)),
        Equation(y[t, j], a[t + 1, j] * b[t, j])))

    def reference(torch: ModuleType, v: dict[str, Any]) -> Any:
        a, b, left, right = torch.zeros_like(v["x"][0]), torch.ones_like(v["x"][0]), [], []
        for row in range(steps):
            a = v["U"] @ a + v["x"][row].sin()
            left.append(a)
        for row in reversed(range(steps)):
            b = (v["V"] @ b) * v["x"][row]
            right.insert(0, b)
        return torch.stack(left) * torch.stack(right)

    return Case(program, "y", ("x", "U", "V"), lambda rng: normals(rng, x=(steps, units), U=(units, units), V=(units, units)),
                {"T": steps}, reference)


def running_max(steps: int = 4, width: int = 3, ties: bool = False) -> Case:
    """m[t] = max_k (x[t,k] · w[k]) within a loop, and a state that adds m up: a maximum under a recurrence."""
    t, k = Index("t", steps), Index("k", width)
    x, w = Tensor("x", (steps, width), role="parameter"), Tensor("w", (width,), role="parameter")
    m, s, L = Tensor("m", (steps,)), Tensor("s", (steps + 1,), role="state"), Tensor("L")
    program = Program((x, w, m, s, L), (
        Equation(s[0], 1),
        Loop(t, "ascending", (Equation(m[t], x[t, k] * w[k], "max", over=(k,)), Equation(s[t + 1], s[t] * m[t] + m[t]))),
        Equation(L[()], s[steps])))

    def draw(rng: np.random.Generator) -> Values:
        if ties:
            return {"x": rng.integers(1, 3, size=(steps, width)).astype(float), "w": np.ones(width)}
        return normals(rng, x=(steps, width), w=(width,))

    def reference(torch: ModuleType, v: dict[str, Any]) -> Any:
        state = torch.ones((), dtype=torch.float64)
        for row in v["x"]:
            top = (row * v["w"]).gather(0, (row * v["w"]).argmax()[None])[0]
            state = state * top + top
        return state

    return Case(program, "L", ("x", "w"), draw, reference=reference, smooth=not ties)


def deep(widths: tuple[int, ...] = (3, 2, 4, 2)) -> Case:
    """A network of symbolic depth: layers l = 1…L of widths n(l), residual-free, with a squared loss."""
    L, n = size("L"), sp.Function("n", positive=True, integer=True)
    el = Index("l", L, start=1)
    j, k, i0, jL = Index("j", n(el)), Index("k", n(el - 1)), Index("i", n(0)), Index("o", n(L))
    x, y = Tensor("x", (n(0),), role="input"), Tensor("y", (n(L),), role="input")
    W = Tensor("W", (L, n(AXIS0), n(AXIS0 - 1)), role="parameter", origin=(1, 0, 0))
    b = Tensor("b", (L, n(AXIS0)), role="parameter", origin=(1, 0))
    z, a, E = Tensor("z", (L, n(AXIS0)), origin=(1, 0)), Tensor("a", (L + 1, n(AXIS0)), role="state"), Tensor("E")
    program = Program((x, y, W, b, z, a, E), (
        Equation(a[0, i0], x[i0]),
        Loop(el, "ascending", (Equation(z[el, j], W[el, j, k] * a[el - 1, k], over=(k,)), Equation(z[el, j], b[el, j]),
                               Equation(a[el, j], sigmoid(z[el, j])))),
        Equation(E[()], (a[L, jL] - y[jL]) ** 2 / 2, over=(jL,))))
    depth, most = len(widths) - 1, max(widths[1:])
    shapes = {"x": widths[:1], "y": widths[-1:], "W": (depth, most, max(widths[:-1])), "b": (depth, most)}

    def reference(torch: ModuleType, v: dict[str, Any]) -> Any:
        state = v["x"]
        for row, (before, after) in enumerate(itertools.pairwise(widths)):
            state = torch.sigmoid(v["W"][row, :after, :before] @ state + v["b"][row, :after])
        return ((state - v["y"]) ** 2).sum() / 2

    return Case(program, "E", ("W", "b"), lambda rng: normals(rng, **shapes), {"L": depth, "n": list(widths)}, reference)
