"""Losses over scores z as equations, for the tests of folding: softmax, smoothing, temperature, integer targets, sigmoid."""
from __future__ import annotations

import numpy as np
import sympy as sp

from symbp.language import Access, Equation, Index, Program, Tensor, is_binary, size, sums_to_one
from symbp.language.functions import Defined, sigmoid

N, K = size("N"), 4
n, k = Index("n", N), Index("k", K)
z = Tensor("z", (N, K), role="parameter")
e, S, p, a = Tensor("e", (N, K)), Tensor("S", (N,)), Tensor("p", (N, K)), Tensor("a", (N, K))
t, y = Tensor("t", (N, K), role="input"), Tensor("y", (N, K), role="input")
labels = Tensor("t", (N,), dtype="int", role="input")
tau, epsilon = Tensor("tau", role="constant"), Tensor("epsilon", role="constant")
lse, L = Tensor("lse", (N,)), Tensor("L")
ONE_HOT = (sums_to_one(t, n, k), is_binary(t, n, k))


def softmax(score: sp.Expr = z[n, k]) -> tuple[Equation, ...]:
    """e = exp(score), S = Σ e, p = e/S."""
    return Equation(e[n, k], sp.exp(score)), Equation(S[n], e[n, k], over=(k,)), Equation(p[n, k], e[n, k] / S[n])


def cross_entropy(target: sp.Expr = t[n, k]) -> Equation:
    """L = −1/N Σ target·log p."""
    return Equation(L[()], -target * sp.log(p[n, k]) / N, over=(n, k))


def one_hot() -> Program:
    """Softmax cross-entropy with one-hot targets."""
    return Program((z, e, S, p, t, L), (*softmax(), cross_entropy()), ONE_HOT)


def smoothed() -> Program:
    """With label smoothing: the target is (1 − ε)t + ε/K."""
    target = (1 - epsilon[()]) * t[n, k] + epsilon[()] / K
    return Program((z, e, S, p, t, L, epsilon), (*softmax(), cross_entropy(target)), ONE_HOT)


def tempered() -> Program:
    """With a temperature: softmax of z/τ."""
    return Program((z, e, S, p, t, L, tau), (*softmax(z[n, k] / tau[()]), cross_entropy()), ONE_HOT)


def integer() -> Program:
    """With integer targets: L = −1/N Σ_n log p[n, t[n]]."""
    loss = Equation(L[()], -sp.log(Access("p", n, labels[n])) / N, over=(n,))
    return Program((z, e, S, p, labels, L), (*softmax(), loss))


def log_sum_exp() -> Program:
    """From log-sum-exp: L = 1/N Σ_n (log S[n] − z[n, t[n]])."""
    loss = Equation(L[()], (lse[n] - Access("z", n, labels[n])) / N, over=(n,))
    return Program((z, e, S, lse, labels, L), (*softmax()[:2], Equation(lse[n], sp.log(S[n])), loss))


def binary() -> Program:
    """Binary cross-entropy of a sigmoid."""
    body = y[n, k] * sp.log(a[n, k]) + (1 - y[n, k]) * sp.log(1 - a[n, k])
    return Program((z, a, y, L), (Equation(a[n, k], sigmoid(z[n, k])), Equation(L[()], -body / N, over=(n, k))))


def squared(activation: type[Defined]) -> Program:
    """Squared error of an activation of z."""
    loss = Equation(L[()], (a[n, k] - y[n, k])**2 / (2 * N), over=(n, k))
    return Program((z, a, y, L), (Equation(a[n, k], activation(z[n, k])), loss))


def values(rng: np.random.Generator, rows: int = 5) -> dict[str, np.ndarray]:
    """Values for all inputs that these programs have, on their facts; `interpret` takes what it needs."""
    return {"z": rng.normal(size=(rows, K)), "y": rng.uniform(0.1, 0.9, size=(rows, K)),
            "t": np.eye(K)[rng.integers(0, K, rows)], "tau": np.array(1.7), "epsilon": np.array(0.1)}


def run_values(program: Program, rng: np.random.Generator, rows: int = 5) -> dict[str, np.ndarray]:
    """The values for one program: integer labels where it has them."""
    drawn = values(rng, rows)
    if "t" in program and program.tensor("t").dtype == "int":
        drawn["t"] = rng.integers(0, K, rows)
    return {tensor.name: drawn[tensor.name] for tensor in program.inputs}
