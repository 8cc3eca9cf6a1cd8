"""Losses: softmax with cross-entropy in the ways that people write it."""
from __future__ import annotations

import numpy as np
import sympy as sp

from programs.case import Case, Values
from symbp.language import Equation, Fact, Index, Program, Tensor, size, sums_to_one


class _Parts:
    """The tensors and indices that all variants share."""

    def __init__(self, classes: int) -> None:
        N = size("N")
        self.N, self.n, self.k, self.c = N, Index("n", N), Index("k", classes), Index("c", classes)
        self.z = Tensor("z", (N, classes), role="parameter")
        self.t, self.label = Tensor("t", (N, classes), role="input"), Tensor("t", (N,), dtype="int", role="input")
        self.e, self.S = Tensor("e", (N, classes)), Tensor("S", (N,))
        self.p, self.logp = Tensor("p", (N, classes)), Tensor("logp", (N, classes))
        self.M, self.L = Tensor("M", (N,)), Tensor("L")

    def softmax(self, score: sp.Expr) -> tuple[Equation, ...]:
        n, k = self.n, self.k
        return (Equation(self.e[n, k], sp.exp(score)), Equation(self.S[n], self.e[n, k], over=(k,)),
                Equation(self.p[n, k], self.e[n, k] / self.S[n]))


def _draw(rng: np.random.Generator, rows: int, classes: int, integer: bool) -> Values:
    label = rng.integers(classes, size=rows)
    return {"z": rng.normal(size=(rows, classes)), "t": label if integer else np.eye(classes)[label]}


def one_hot(rows: int = 3, classes: int = 4, temperature: sp.Rational = sp.S.One) -> Case:
    """-1/N Σ t log p with p = softmax(z/τ)."""
    s = _Parts(classes)
    loss = Equation(s.L[()], -s.t[s.n, s.k] * sp.log(s.p[s.n, s.k]) / s.N, over=(s.n, s.k))
    program = Program((s.z, s.t, s.e, s.S, s.p, s.L), (*s.softmax(s.z[s.n, s.k] / temperature), loss),
                      (sums_to_one(s.t, s.n, s.k),))
    return Case(program, "L", ("z",), lambda rng: _draw(rng, rows, classes, False), {"N": rows},
                lambda torch, v: torch.nn.functional.cross_entropy(v["z"] / float(temperature), v["t"]))


def integer_targets(rows: int = 3, classes: int = 4) -> Case:
    """-1/N Σ_n logp[n, t[n]]: a data-dependent index."""
    s = _Parts(classes)
    program = Program((s.z, s.label, s.e, s.S, s.p, s.logp, s.L), (
        *s.softmax(s.z[s.n, s.k]), Equation(s.logp[s.n, s.k], sp.log(s.p[s.n, s.k])),
        Equation(s.L[()], -s.logp[s.n, s.label[s.n]] / s.N, over=(s.n,))))
    return Case(program, "L", ("z",), lambda rng: _draw(rng, rows, classes, True), {"N": rows},
                lambda torch, v: torch.nn.functional.cross_entropy(v["z"], v["t"]))


def from_lse(rows: int = 3, classes: int = 4) -> Case:
    """The mean of M + log Σ exp(z - M) - z[t] with M = max z: the shift's cotangent is zero in total."""
    s = _Parts(classes)
    n, k = s.n, s.k
    program = Program((s.z, s.label, s.M, s.S, s.L), (
        Equation(s.M[n], s.z[n, k], "max", over=(k,)), Equation(s.S[n], sp.exp(s.z[n, k] - s.M[n]), over=(k,)),
        Equation(s.L[()], (s.M[n] + sp.log(s.S[n]) - s.z[n, s.label[n]]) / s.N, over=(n,))))
    return Case(program, "L", ("z",), lambda rng: _draw(rng, rows, classes, True), {"N": rows},
                lambda torch, v: torch.nn.functional.cross_entropy(v["z"], v["t"]))


def smoothed(rows: int = 3, classes: int = 4) -> Case:
    """Label smoothing: (1-ε) t + ε/K as the target, summed over the batch."""
    s, share = _Parts(classes), sp.Rational(1, 8)
    target = (1 - share) * s.t[s.n, s.k] + share / classes
    program = Program((s.z, s.t, s.e, s.S, s.p, s.L), (
        *s.softmax(s.z[s.n, s.k]), Equation(s.L[()], -target * sp.log(s.p[s.n, s.k]), over=(s.n, s.k))),
        (sums_to_one(s.t, s.n, s.k),))
    return Case(program, "L", ("z",), lambda rng: _draw(rng, rows, classes, False), {"N": rows},
                lambda torch, v: torch.nn.functional.cross_entropy(v["z"], v["t"].argmax(1), reduction="sum", label_smoothing=float(share)))


def variance(rows: int = 4) -> Case:
    """The biased variance of x[n], with the fact N ≥ 2: a sum of squares around a mean."""
    N = size("N")
    n = Index("n", N)
    x, mean, v = Tensor("x", (N,), role="parameter"), Tensor("mean"), Tensor("v")
    program = Program((x, mean, v), (Equation(mean[()], x[n] / N, over=(n,)),
                                     Equation(v[()], (x[n] - mean[()]) ** 2 / N, over=(n,))), (Fact(N, ">=", 2),))
    return Case(program, "v", ("x",), lambda rng: {"x": rng.normal(size=rows)}, {"N": rows},
                lambda torch, v: v["x"].var(correction=0))
