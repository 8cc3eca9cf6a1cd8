"""Layers: dense networks, tied weights, a residual, layer norm, embedding, attention, and scalar bodies."""
from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import sympy as sp

from programs.case import Case, Values, normals
from symbp.language import Equation, Index, Program, Tensor, size, sums_to_one
from symbp.language import functions as fn


def mlp(rows: int = 3, widths: tuple[int, int, int] = (3, 4, 2), activation: str = "tanh") -> Case:
    """Two dense layers and softmax cross-entropy, the mean over a batch of symbolic size."""
    N, (a, b, c) = size("N"), widths
    n, i, j, k = Index("n", N), Index("i", a), Index("j", b), Index("k", c)
    x, t = Tensor("x", (N, a), role="input"), Tensor("t", (N, c), role="input")
    W1, b1 = Tensor("W1", (b, a), role="parameter"), Tensor("b1", (b,), role="parameter")
    W2, b2 = Tensor("W2", (c, b), role="parameter"), Tensor("b2", (c,), role="parameter")
    z1, h, z2, e, S, L = (Tensor("z1", (N, b)), Tensor("h", (N, b)), Tensor("z2", (N, c)), Tensor("e", (N, c)),
                          Tensor("S", (N,)), Tensor("L"))
    program = Program((x, t, W1, b1, W2, b2, z1, h, z2, e, S, L), (
        Equation(z1[n, j], W1[j, i] * x[n, i], over=(i,)), Equation(z1[n, j], b1[j]),
        Equation(h[n, j], fn.DEFINITIONS[activation](z1[n, j])),
        Equation(z2[n, k], W2[k, j] * h[n, j], over=(j,)), Equation(z2[n, k], b2[k]),
        Equation(e[n, k], sp.exp(z2[n, k])), Equation(S[n], e[n, k], over=(k,)),
        Equation(L[()], -t[n, k] * sp.log(e[n, k] / S[n]) / N, over=(n, k))), (sums_to_one(t, n, k),))

    def draw(rng: np.random.Generator) -> Values:
        drawn = normals(rng, x=(rows, a), W1=(b, a), b1=(b,), W2=(c, b), b2=(c,))
        return {**drawn, "t": np.eye(c)[rng.integers(c, size=rows)]}

    def reference(torch: ModuleType, v: dict[str, Any]) -> Any:
        h = getattr(torch.nn.functional, activation)(v["x"] @ v["W1"].T + v["b1"])
        return torch.nn.functional.cross_entropy(h @ v["W2"].T + v["b2"], v["t"])

    return Case(program, "L", ("W1", "b1", "W2", "b2"), draw, {"N": rows}, reference)


def tied(rows: int = 2, wide: int = 3, narrow: int = 2) -> Case:
    """An autoencoder with tied weights and a residual: r = Wᵀ σ(W x) + x."""
    n, i, j = Index("n", rows), Index("i", wide), Index("j", narrow)
    x, W = Tensor("x", (rows, wide), role="parameter"), Tensor("W", (narrow, wide), role="parameter")
    z, h, r = Tensor("z", (rows, narrow)), Tensor("h", (rows, narrow)), Tensor("r", (rows, wide))
    program = Program((x, W, z, h, r), (
        Equation(z[n, j], W[j, i] * x[n, i], over=(i,)), Equation(h[n, j], fn.sigmoid(z[n, j])),
        Equation(r[n, i], W[j, i] * h[n, j], over=(j,)), Equation(r[n, i], x[n, i])))
    return Case(program, "r", ("x", "W"), lambda rng: normals(rng, x=(rows, wide), W=(narrow, wide)),
                reference=lambda torch, v: torch.sigmoid(v["x"] @ v["W"].T) @ v["W"] + v["x"])


def layer_norm(rows: int = 2, width: int = 4) -> Case:
    """(x - μ)/√(v + ε) · γ + β with the biased variance."""
    n, i = Index("n", rows), Index("i", width)
    x, y = Tensor("x", (rows, width), role="parameter"), Tensor("y", (rows, width))
    g, b = Tensor("g", (width,), role="parameter"), Tensor("b", (width,), role="parameter")
    mu, v = Tensor("mu", (rows,)), Tensor("v", (rows,))
    eps = sp.Rational(1, 100)
    program = Program((x, g, b, mu, v, y), (
        Equation(mu[n], x[n, i] / width, over=(i,)), Equation(v[n], (x[n, i] - mu[n]) ** 2 / width, over=(i,)),
        Equation(y[n, i], g[i] * (x[n, i] - mu[n]) / sp.sqrt(v[n] + eps)), Equation(y[n, i], b[i])))
    return Case(program, "y", ("x", "g", "b"), lambda rng: normals(rng, x=(rows, width), g=(width,), b=(width,)),
                reference=lambda torch, v: torch.nn.functional.layer_norm(v["x"], (width,), v["g"], v["b"], float(eps)))


def embedding(rows: int = 5, words: int = 4, width: int = 3) -> Case:
    """y[n] = E[t[n]]², with words that occur repeatedly and one that never does."""
    n, d = Index("n", rows), Index("d", width)
    E, y = Tensor("E", (words, width), role="parameter"), Tensor("y", (rows, width))
    t = Tensor("t", (rows,), dtype="int", role="input")
    program = Program((E, t, y), (Equation(y[n, d], E[t[n], d] ** 2),))
    return Case(program, "y", ("E",), lambda rng: {**normals(rng, E=(words, width)), "t": rng.integers(words - 1, size=rows)},
                reference=lambda torch, v: torch.nn.functional.embedding(v["t"], v["E"]) ** 2)


def attention(batch: int = 2, heads: int = 2, steps: int = 3, width: int = 2) -> Case:
    """Multi-head causal attention; position i sees the positions j ≤ i, which is the domain."""
    n, h, d = Index("n", batch), Index("h", heads), Index("d", width)
    i, j = Index("i", steps), Index("j", steps)
    shape = (batch, heads, steps, width)
    q, k, v = (Tensor(name, shape, role="parameter") for name in "qkv")
    s, e, p = (Tensor(name, (batch, heads, steps, steps)) for name in "sep")
    S, y = Tensor("S", (batch, heads, steps)), Tensor("y", (batch, steps, heads * width))
    seen = (i - j,)
    program = Program((q, k, v, s, e, S, p, y), (
        Equation(s[n, h, i, j], q[n, h, i, d] * k[n, h, j, d] / sp.sqrt(width), over=(d,), domain=seen),
        Equation(e[n, h, i, j], sp.exp(s[n, h, i, j]), domain=seen),
        Equation(S[n, h, i], e[n, h, i, j], over=(j,), domain=seen),
        Equation(p[n, h, i, j], e[n, h, i, j] / S[n, h, i], domain=seen),
        Equation(y[n, i, width * h + d], p[n, h, i, j] * v[n, h, j, d], over=(j,), domain=seen)))

    def reference(torch: ModuleType, v: dict[str, Any]) -> Any:
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            out = torch.nn.functional.scaled_dot_product_attention(v["q"], v["k"], v["v"], is_causal=True)
        return out.transpose(1, 2).reshape(batch, steps, heads * width)

    return Case(program, "y", ("q", "k", "v"), lambda rng: normals(rng, q=shape, k=shape, v=shape), reference=reference)


BODIES = {
    "gelu": (lambda a, b: fn.gelu(a) * b, lambda torch, a, b: torch.nn.functional.gelu(a) * b),
    "erf": (lambda a, b: sp.erf(a * b), lambda torch, a, b: torch.erf(a * b)),
    "abs": (lambda a, b: sp.Abs(a) * sp.Abs(a - b), lambda torch, a, b: a.abs() * (a - b).abs()),
    "power": (lambda a, b: (1 + a**2) ** b, lambda torch, a, b: (1 + a**2) ** b),
    "root": (lambda a, b: b / sp.sqrt(1 + a**2) + b**3, lambda torch, a, b: b / (1 + a**2).sqrt() + b**3),
    "constant base": (lambda a, b: 2 ** (a * b), lambda torch, a, b: 2 ** (a * b)),
    "sin cos": (lambda a, b: sp.sin(a) * sp.cos(b), lambda torch, a, b: a.sin() * b.cos()),
    "log": (lambda a, b: sp.log(2 + sp.cos(a)) / (1 + b**2), lambda torch, a, b: (2 + a.cos()).log() / (1 + b**2)),
    "relu": (lambda a, b: fn.relu(a - b), lambda torch, a, b: torch.relu(a - b)),
    "silu": (lambda a, b: fn.silu(a + 2 * b), lambda torch, a, b: torch.nn.functional.silu(a + 2 * b)),
    "softplus": (lambda a, b: fn.softplus(a) * b, lambda torch, a, b: torch.nn.functional.softplus(a) * b),
    "maximum": (lambda a, b: fn.maximum(a, b) * a, lambda torch, a, b: torch.maximum(a, b) * a),
    "sign": (lambda a, b: fn.sign(a) * b, lambda torch, a, b: torch.sign(a) * b),
    "bracket": (lambda a, b: fn.equal(a, b) * a + fn.step(a, 0) * b, lambda torch, a, b: (a == b) * a + (a > 0) * b),
}


def scalar_body(name: str, rows: int = 6) -> Case:
    """y[n] = f(a[n], b[n]) for one of `BODIES`."""
    n = Index("n", rows)
    a, b, y = Tensor("a", (rows,), role="parameter"), Tensor("b", (rows,), role="parameter"), Tensor("y", (rows,))
    body, twin = BODIES[name]
    program = Program((a, b, y), (Equation(y[n], body(a[n], b[n])),))
    return Case(program, "y", ("a", "b"), lambda rng: normals(rng, a=(rows,), b=(rows,)),
                reference=lambda torch, v: twin(torch, v["a"], v["b"]))
