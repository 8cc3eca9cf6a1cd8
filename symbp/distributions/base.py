"""What a distribution is: the logarithm of its density as an equation, and what is derived from that.

Stage: log-density → L1 Program → derivations.  A subclass states tensors, facts and the log-density; no derivative.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import sympy as sp

from symbp.derivation import Derivation
from symbp.distributions.estimate import Estimation, solve
from symbp.errors import LanguageError
from symbp.language import Equation, Fact, Index, Program, Tensor, size

SAMPLES = Index("n", size("N"))
"""The index of samples."""


class Distribution(ABC):
    """A distribution of `x` with parameters that are tensors.

    axes: the indices of one x (none for a number).  parameters: their tensors.  prior: the hyperparameters of the conjugate prior.
    """

    name: ClassVar[str]
    axes: tuple[Index, ...] = ()
    parameters: tuple[Tensor, ...] = ()
    hyperparameters: tuple[Tensor, ...] = ()
    free: tuple[str, ...] | None = None

    # what a subclass states

    @abstractmethod
    def log_terms(self, *rows: Index) -> sp.Expr:
        """log p(x; θ) of the sample at these rows, or its addend at `axes`, over which it is summed."""

    @abstractmethod
    def log_prior(self) -> sp.Expr:
        """The logarithm of the conjugate prior's density but for a constant, or its addend at `axes`."""

    @abstractmethod
    def facts(self, *rows: Index) -> tuple[Fact, ...]:
        """What holds for x and the parameters."""

    @abstractmethod
    def moments(self) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
        """Mean, variance and entropy, summed or integrated over the density by SymPy."""

    @abstractmethod
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...] = (), **parameters: Any) -> np.ndarray:
        """Draws of this shape; parameters: their values, by name."""

    # what follows

    def tensor(self, *rows: Index) -> Tensor:
        """The tensor x, with an axis for the samples where there are rows."""
        return Tensor("x", tuple(i.extent for i in (*rows, *self.axes)), role="input")

    @cached_property
    def log_density(self) -> sp.Expr:
        """log p(x; θ); the addend at k where x has an axis."""
        return self.log_terms()

    @cached_property
    def density(self) -> sp.Expr:
        """p(x; θ); the factor at k where x has an axis."""
        return sp.Mul(*map(_exponential, sp.Add.make_args(self.log_density)))

    @property
    def mean(self) -> sp.Expr:
        """The mean of x."""
        return self.moments()[0]

    @property
    def variance(self) -> sp.Expr:
        """The variance of each element of x."""
        return self.moments()[1]

    @property
    def entropy(self) -> sp.Expr:
        """The entropy in nats; the addend at k where x has an axis."""
        return self.moments()[2]

    def program(self, *rows: Index, prior: bool = False) -> Program:
        """The equations of `l`, the log-density of one x, or of the log-likelihood over the rows; with the prior, the log-posterior."""
        total = Tensor("l", symbol=r"\ell")
        body = Equation(total[()], self.log_terms(*rows), over=(*rows, *self.axes), label="log-likelihood")
        more = [Equation(total[()], self.log_prior(), over=self.axes, label="log-prior")] if prior else []
        given = (self.tensor(*rows), *self.parameters, *(self.hyperparameters if prior else ()))
        return Program((*given, total), (body, *more), (*self.facts(*rows), *(self._prior_facts() if prior else ())))

    def _prior_facts(self) -> tuple[Fact, ...]:
        indices = {len(t.shape): self.axes[:len(t.shape)] for t in self.hyperparameters}
        return tuple(Fact(t[indices[len(t.shape)]], ">", 0) for t in self.hyperparameters if t.role == "constant")

    def derive(self, wrt: str | Iterable[str] | None = None) -> Derivation:
        """The derivatives of the log-density of one x by its argument `x` and by the parameters, with steps.

        >>> from symbp.distributions import Gaussian
        >>> print(Gaussian().derive()["m"].latex())
        \\frac{\\partial \\ell}{\\partial \\mu} = \\frac{x - \\mu}{v}
        """
        names = ("x", *(t.name for t in self.parameters)) if wrt is None else (wrt,) if isinstance(wrt, str) else tuple(wrt)
        return Derivation(self.program(), "l", names, title=f"{self.name}: derivatives of the log-density")

    def maximum_likelihood(self) -> Estimation:
        """The parameters at which the derivative of the log-likelihood of samples x[n] is zero, solved."""
        return solve(self, self.program(SAMPLES), SAMPLES, "maximum likelihood")

    def maximum_a_posteriori(self) -> Estimation:
        """The same for the log-posterior under the conjugate prior.  Raises `LanguageError` where none is known."""
        if not self.hyperparameters:
            raise LanguageError(f"no conjugate prior is known for the {self.name} with these parameters")
        return solve(self, self.program(SAMPLES, prior=True), SAMPLES, "maximum a posteriori")

    def value(self, parameters: Mapping[str, Any], name: str) -> np.ndarray:
        """A parameter as an array.  Raises `LanguageError` where it is missing."""
        if name not in parameters:
            raise LanguageError(f"the {self.name} needs a value of {name}")
        return np.asarray(parameters[name], dtype=np.float64)


def _exponential(term: sp.Expr) -> sp.Expr:
    """exp(c log b) as b^c, and any other term's exponential."""
    logs = [f for f in sp.Mul.make_args(term) if isinstance(f, sp.log)]
    return logs[0].args[0] ** (term / logs[0]) if len(logs) == 1 else sp.exp(term)
