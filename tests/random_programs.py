"""Programs that no layer writes: random positions, guards, windows, scatters and functions, and random recurrences."""
from __future__ import annotations

from collections.abc import Sequence
from random import Random

import sympy as sp

from symbp.language import Equation, Index, Loop, Program, Tensor, size
from symbp.language.conventions import Conventions
from symbp.language.functions import relu, sigmoid, softplus, tanh
from symbp.language.tensor import Access

N = size("N")
FUNCTIONS = (tanh, sigmoid, relu, softplus, sp.sin, sp.Abs, lambda a: a**2, lambda a: 1 / (1 + a**2), lambda a: sp.exp(-a**2))


class _Writer:
    """Draws the equations of one program; `guards` are the conditions of the positions that are drawn."""

    def __init__(self, r: Random) -> None:
        self.r, self.guards = r, []
        self.indices = [Index(name, r.choice([1, 1, 2, 2, 3, 3, 4, 5, N])) for name in "ijkmnpuv"]
        self.floats = [Tensor(f"x{k}", self._shape(0, 3), role="input") for k in range(r.randint(1, 3))]
        self.labels = [Tensor("t", self._shape(1, 2), dtype="int", role="input")] if r.random() < 0.5 else []
        self.readable, self.made = list(self.floats), []

    def _shape(self, least: int, most: int) -> tuple:
        return tuple(self.r.choice([1, 2, 3, 4, 5, 6, N]) for _ in range(self.r.randint(least, most)))

    def _position(self, extent: sp.Expr, indices: Sequence[Index], data: bool) -> sp.Expr:
        fitting, kind = [i for i in indices if i.extent == extent], self.r.random()
        if fitting and kind < 0.45:
            return self.r.choice(fitting)
        if data and self.labels and kind < 0.55 and extent.is_Integer and extent >= 3:
            return self.access(self.labels[0], indices, data=False)
        if kind < 0.65 and extent.is_Integer:
            return sp.Integer(self.r.randrange(int(extent)))
        chosen = self.r.sample(indices, min(len(indices), self.r.choice([1, 1, 2, 2, 3])))
        return sp.expand(sum(self.r.choice([1, 1, 1, 2, 3, -1]) * i for i in chosen) + self.r.choice([0, 0, 0, -1, 1, -2, 2]))

    def access(self, tensor: Tensor, indices: Sequence[Index], data: bool = True) -> Access:
        """A read or a target; what keeps it inside joins the guards."""
        found = tensor[tuple(self._position(e, indices, data) for e in tensor.shape)]
        for position, extent in zip(found.indices, tensor.shape):
            if not isinstance(position, Access) and not (isinstance(position, Index) and position.extent == extent):
                self.guards += [position, sp.expand(extent - 1 - position)]
        return found

    def _atom(self, indices: Sequence[Index]) -> sp.Expr:
        kind = self.r.random()
        if kind < 0.8:
            return self.access(self.r.choice(self.readable), indices)
        if kind < 0.87:
            return self.r.choice(indices)
        if kind < 0.9 and self.labels:
            return self.access(self.labels[0], indices, data=False)
        return sp.Rational(self.r.choice([1, 2, -1, 3]), self.r.choice([1, 2, 3]))

    def body(self, indices: Sequence[Index], depth: int = 0) -> sp.Expr:
        """A scalar expression."""
        kind = self.r.random()
        if depth > 2 or kind < 0.35:
            return self._atom(indices)
        if kind < 0.8:
            left, right = self.body(indices, depth + 1), self.body(indices, depth + 1)
            return left * right if kind < 0.6 else left + self.r.choice([1, -1]) * right
        return self.r.choice(FUNCTIONS)(self.body(indices, depth + 1))

    def equation(self, number: int) -> Equation:
        """A sum or a maximum into a new tensor, at its indices or anywhere in it."""
        indices = self.r.sample(self.indices, self.r.randint(1, 4))
        free, self.guards = indices[:self.r.randint(0, min(3, len(indices)))], []
        body = self.body(indices)
        if self.r.random() < 0.2 and len(indices) > 1:
            self.guards.append(indices[0] - indices[1] + self.r.choice([0, 1, -1]))
        scattered = self.r.random() < 0.3
        shape = tuple(self.r.choice([1, 2, 3, 4, 5]) for _ in range(self.r.randint(1, 2))) if scattered else tuple(i.extent for i in free)
        target = Tensor(f"y{number}", shape)
        at = self.access(target, indices) if scattered else target[tuple(free)]
        over = tuple(i for i in indices if i not in at.atoms(Index))
        is_max = over and not scattered and self.r.random() < 0.25
        self.made.append(target)
        self.readable.append(target)
        return Equation(at, body, "max" if is_max else "sum", over, tuple(map(sp.sympify, self.guards)))


def random_program(r: Random) -> Program:
    """One to four equations.  Raises `LanguageError` where the drawn ones are no program."""
    writer = _Writer(r)
    equations = tuple(writer.equation(k) for k in range(r.randint(1, 4)))
    return Program((*writer.floats, *writer.labels, *writer.made), equations, conventions=Conventions(ties=r.choice(["first", "split"])))


def random_recurrence(r: Random) -> Program:
    """A recurrence in either direction, whose contributions reach all steps, or some, or some elements."""
    T, H = r.choice([1, 2, 3, 4, size("T")]), r.choice([1, 2, 3])
    t, n, i, j, k = Index("t", T), Index("n", N), Index("i", H), Index("j", H), Index("k", 2)
    x, W, V, b = (Tensor(name, shape, role="input") for name, shape in
                  (("x", (T, N, 2)), ("W", (H, H)), ("V", (H, 2)), ("b", (H,))))
    label = Tensor("label", (T, N), dtype="int", role="input")
    h, z, m, y = Tensor("h", (T + 1, N, H), role="state"), Tensor("z", (T, N, H)), Tensor("m", (T, N)), Tensor("y", (N, H))
    up = r.random() < 0.5
    before, after, first, last = (t, t + 1, 0, T) if up else (t + 1, t, T, 0)
    parts = [Equation(z[t, n, i], W[i, j] * h[before, n, j], over=(j,)), Equation(z[t, n, i], V[i, k] * x[t, n, k], over=(k,)),
             *r.sample([Equation(z[t, n, i], b[i]), Equation(z[t, n, i], x[t, n, 0] * h[before, n, i]),
                        Equation(z[t, n, i], x[t - 1, n, k] * V[i, k], over=(k,), domain=(t - 1,)),
                        Equation(z[t, n, i], V[i, label[t, n]]), Equation(z[t, n, i], b[i - 1], domain=(i - 1,)),
                        *([Equation(z[t, n, i], x[t + 1, n, 1], domain=(T - 2 - t,))] if T != 1 else [])], r.randint(0, 4))]
    r.shuffle(parts)
    largest = [Equation(m[t, n], z[t, n, i], "max", (i,))] if r.random() < 0.4 else []
    value = r.choice([tanh, relu, sigmoid, lambda a: a / 2])(z[t, n, i] - (m[t, n] if largest and r.random() < 0.7 else 0))
    body = (*parts, *largest, Equation(h[after, n, i], value + (h[before, n, i] / 2 if r.random() < 0.4 else 0)))
    out = Equation(y[n, i], h[last, n, i]) if r.random() < 0.5 else Equation(y[n, i], h[t + 1, n, i] * x[t, n, 0], over=(t,))
    return Program((x, W, V, b, label, h, z, *([m] if largest else []), y),
                   (Equation(h[first, n, i], r.choice([sp.S.Zero, b[i]])), Loop(t, "ascending" if up else "descending", body), out))
