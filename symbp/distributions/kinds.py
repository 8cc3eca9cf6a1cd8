"""The distributions: Bernoulli, Gaussian and categorical."""
from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from symbp.distributions.base import Distribution
from symbp.errors import LanguageError
from symbp.language import Access, Fact, Index, Tensor, is_binary, size, sums_to_one

ZERO, ONE = sp.S.Zero, sp.S.One


class Bernoulli(Distribution):
    """x = 1 with probability p, else 0; the conjugate prior is Beta(a, b).

    >>> Bernoulli().mean, Bernoulli().variance
    (p[], (1 - p[])*p[])
    """

    name = "Bernoulli distribution"

    def __init__(self) -> None:
        self.p = Tensor("p", role="parameter")
        self.parameters = (self.p,)
        self.hyperparameters = (Tensor("a", role="constant"), Tensor("b", role="constant"))

    def log_terms(self, *rows: Index) -> sp.Expr:
        """x log p + (1 − x) log(1 − p)."""
        x, p = self.tensor(*rows)[rows], self.p[()]
        return x * sp.log(p) + (1 - x) * sp.log(1 - p)

    def log_prior(self) -> sp.Expr:
        """(a − 1) log p + (b − 1) log(1 − p)."""
        (a, b), p = (t[()] for t in self.hyperparameters), self.p[()]
        return (a - 1) * sp.log(p) + (b - 1) * sp.log(1 - p)

    def facts(self, *rows: Index) -> tuple[Fact, ...]:
        """x² = x and 0 < p < 1."""
        return is_binary(self.tensor(*rows), *rows), Fact(self.p[()], ">", 0), Fact(self.p[()], "<", 1)

    def moments(self) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
        """Sums over x = 0 and x = 1."""
        at = [(sp.Integer(v), self.log_density.xreplace({Access("x"): sp.Integer(v)})) for v in (0, 1)]
        mean = sp.Add(*(v * sp.exp(log) for v, log in at))
        variance = sp.Add(*((v - mean)**2 * sp.exp(log) for v, log in at))
        p = self.p[()]
        return mean, p * sp.cancel(variance / p), -sp.Add(*(sp.exp(log) * log for _, log in at))

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...] = (), **parameters: Any) -> np.ndarray:
        """Zeros and ones of the shape."""
        p = self.value(parameters, "p")
        if not np.all((p >= 0) & (p <= 1)):
            raise LanguageError(f"p = {p} is no probability; it lies between 0 and 1")
        return (rng.random(shape) < p).astype(np.float64)


class Gaussian(Distribution):
    """The normal distribution with mean μ (`m`) and variance v.

    fixed_variance: v is given and only μ is estimated; then the conjugate prior is a Gaussian around m0 with the variance v0.
    """

    name = "Gaussian"

    def __init__(self, fixed_variance: bool = False) -> None:
        self.m = Tensor("m", role="parameter", symbol=r"\mu")
        self.v = Tensor("v", role="constant" if fixed_variance else "parameter")
        self.parameters = (self.m, self.v)
        self.free = ("m",) if fixed_variance else ("m", "v")
        if fixed_variance:
            self.hyperparameters = (Tensor("m0", role="input", symbol=r"\mu_{0}"), Tensor("v0", role="constant", symbol=r"v_{0}"))

    def log_terms(self, *rows: Index) -> sp.Expr:
        """−(x − μ)²/(2v) − ½ log(2πv)."""
        x, m, v = self.tensor(*rows)[rows], self.m[()], self.v[()]
        return -(x - m)**2 / (2 * v) - sp.log(2 * sp.pi * v) / 2

    def log_prior(self) -> sp.Expr:
        """−(μ − μ₀)²/(2v₀)."""
        mean, variance = (t[()] for t in self.hyperparameters)
        return -(self.m[()] - mean)**2 / (2 * variance)

    def facts(self, *rows: Index) -> tuple[Fact, ...]:
        """v > 0."""
        return (Fact(self.v[()], ">", 0),)

    def moments(self) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
        """Integrals over x."""
        x, m, v = sp.Symbol("x", real=True), sp.Symbol("m", real=True), sp.Symbol("v", positive=True)
        log = self.log_density.xreplace({Access("x"): x, Access("m"): m, Access("v"): v})
        density = sp.exp(log)
        mean, variance, entropy = (sp.simplify(sp.integrate(f * density, (x, -sp.oo, sp.oo))) for f in (x, (x - m)**2, -sp.expand(log)))
        return tuple(e.xreplace({m: self.m[()], v: self.v[()]}) for e in (mean, variance, entropy))

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...] = (), **parameters: Any) -> np.ndarray:
        """Numbers of the shape."""
        m, v = self.value(parameters, "m"), self.value(parameters, "v")
        if not np.all(v > 0):
            raise LanguageError(f"v = {v} is no variance; it is greater than 0")
        return m + np.sqrt(v) * rng.standard_normal(shape)


class Categorical(Distribution):
    """One of K classes, x a row with a single 1, with probabilities p[k]; the conjugate prior is Dirichlet(a).

    classes: K, symbolic if it is left out.

    >>> Categorical().log_density
    log(p[k])*x[k]
    """

    name = "categorical distribution"

    def __init__(self, classes: int | None = None) -> None:
        self.k = Index("k", size("K") if classes is None else classes)
        self.axes = (self.k,)
        self.p = Tensor("p", (self.k.extent,), role="parameter")
        self.parameters = (self.p,)
        self.hyperparameters = (Tensor("a", (self.k.extent,), role="constant"),)

    def log_terms(self, *rows: Index) -> sp.Expr:
        """x[k] log p[k], which is summed over k."""
        return self.tensor(*rows)[(*rows, self.k)] * sp.log(self.p[self.k])

    def log_prior(self) -> sp.Expr:
        """(a[k] − 1) log p[k], which is summed over k."""
        return (self.hyperparameters[0][self.k] - 1) * sp.log(self.p[self.k])

    def facts(self, *rows: Index) -> tuple[Fact, ...]:
        """Σ_k x[k] = 1, x² = x, Σ_k p[k] = 1 and p > 0."""
        x = self.tensor(*rows)
        return (sums_to_one(x, *rows, self.k), is_binary(x, *rows, self.k), sums_to_one(self.p, self.k), Fact(self.p[self.k], ">", 0))

    def moments(self) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
        """Element k is 1 with probability p[k] and else 0; the entropy's addend is −p log p."""
        p = self.p[self.k]
        mean = ZERO * (1 - p) + ONE * p
        variance = (0 - mean)**2 * (1 - p) + (1 - mean)**2 * p
        return mean, p * sp.cancel(variance / p), -p * sp.log(p)

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...] = (), **parameters: Any) -> np.ndarray:
        """Rows with a single 1: (*shape, K)."""
        p = self.value(parameters, "p")
        if p.ndim != 1 or np.any(p < 0) or not np.isclose(p.sum(), 1):
            raise LanguageError(f"p = {p} are no probabilities of classes; they are a row of numbers from 0 that sum to 1")
        chosen = np.searchsorted(np.cumsum(p)[:-1], rng.random(shape), side="right")
        return np.eye(len(p))[chosen]
