"""Distributions as equations: densities, their derivatives by the one calculus, and estimates derived from the log-likelihood.

    >>> from symbp.distributions import Bernoulli
    >>> Bernoulli().log_density
    (1 - x[])*log(1 - p[]) + log(p[])*x[]
    >>> Bernoulli().maximum_likelihood().estimates["p"]
    sum(n, x[n])/N
"""
from symbp.distributions.base import Distribution
from symbp.distributions.estimate import Estimation
from symbp.distributions.kinds import Bernoulli, Categorical, Gaussian

__all__ = ["Bernoulli", "Categorical", "Distribution", "Estimation", "Gaussian"]
