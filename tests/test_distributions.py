"""Distributions against torch.distributions, estimates against what maximises the likelihood, and losses as negative log-likelihoods."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from torch_help import load_torch

import symbp as sb
from symbp.calculus.differentiate import adjoint
from symbp.certify.steps import closed_values
from symbp.distributions import Bernoulli, Categorical, Distribution, Estimation, Gaussian
from symbp.draft import Draft, known
from symbp.interpret import interpret
from symbp.language import Access

torch = load_torch()
RNG = np.random.default_rng(2)
K, N = 4, 7
P = np.array([0.1, 0.2, 0.3, 0.4])
CASES = {
    "bernoulli": (Bernoulli(), {"p": 0.3}, np.array(1.0), lambda v: torch.distributions.Bernoulli(v["p"])),
    "gaussian": (Gaussian(), {"m": 0.4, "v": 2.5}, np.array(1.7), lambda v: torch.distributions.Normal(v["m"], v["v"].sqrt())),
    "categorical": (Categorical(K), {"p": P}, np.eye(K)[2], lambda v: torch.distributions.OneHotCategorical(probs=v["p"])),
}


def evaluated(expression: sp.Expr, values: dict[str, object]) -> float:
    """An expression at k = 2 of the tensors' values."""
    at = {a: float(np.asarray(values[a.name])[(2,) * len(a.indices)]) for a in expression.atoms(Access)}
    return float(expression.xreplace(at))


@pytest.mark.parametrize("name", CASES)
def test_log_density_and_its_derivatives(name: str) -> None:
    distribution, theta, x, twin = CASES[name]
    given = {"x": torch.tensor(x, requires_grad=True), **{k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in theta.items()}}
    program = distribution.program()
    d = adjoint(program, "l", ("x", *theta))
    found = interpret(d.program, {"x": x, **theta})
    if name == "categorical":       # torch divides by the sum of the probabilities; the density here is that of the language
        value = (given["x"] * given["p"].log()).sum()
        assert float(found["l"]) == pytest.approx(float(twin(given).log_prob(given["x"]).detach()))
    else:
        value = twin(given).log_prob(given["x"])
    value.backward()
    assert float(found["l"]) == pytest.approx(float(value.detach()), rel=1e-12)
    for key, tensor in given.items():
        np.testing.assert_allclose(found[d.names[key]], tensor.grad.numpy(), rtol=1e-12, err_msg=key)
    assert distribution.derive().check().passed


@pytest.mark.parametrize("name", CASES)
def test_moments_and_entropy(name: str) -> None:
    distribution, theta, x, twin = CASES[name]
    other = twin({k: torch.tensor(v, dtype=torch.float64) for k, v in theta.items()})
    index = (2,) if name == "categorical" else ()
    assert evaluated(distribution.mean, theta) == pytest.approx(float(other.mean[index]))
    assert evaluated(distribution.variance, theta) == pytest.approx(float(other.variance[index]))
    entropy = -(P * np.log(P)).sum() if name == "categorical" else evaluated(distribution.entropy, theta)
    assert entropy == pytest.approx(float(other.entropy()))
    assert evaluated(sp.log(distribution.density), {"x": x, **theta}) == pytest.approx(evaluated(distribution.log_density, {"x": x, **theta}))


@pytest.mark.parametrize("name", CASES)
def test_samples_have_the_moments_and_come_from_the_seed(name: str) -> None:
    distribution, theta, *_ = CASES[name]
    drawn, again = (distribution.sample(np.random.default_rng(3), (40_000,), **theta) for _ in range(2))
    assert np.array_equal(drawn, again) and drawn.shape == (40_000, *([K] if name == "categorical" else []))
    column = drawn[:, 2] if name == "categorical" else drawn
    assert column.mean() == pytest.approx(evaluated(distribution.mean, theta), abs=0.03)
    assert column.var() == pytest.approx(evaluated(distribution.variance, theta), abs=0.06)


# estimates

PRIORS = {"a": 3.0, "b": 2.0, "m0": -1.0, "v0": 0.7}
ESTIMATES = {
    "bernoulli": (Bernoulli(), {}, False), "bernoulli, Beta": (Bernoulli(), {}, True),
    "gaussian": (Gaussian(), {}, False), "gaussian, Gaussian": (Gaussian(fixed_variance=True), {"v": 1.3}, True),
    "categorical": (Categorical(K), {}, False), "categorical, Dirichlet": (Categorical(K), {"a": np.array([2.0, 1.5, 3.0, 2.5])}, True),
}


def estimation(name: str) -> tuple[Estimation, dict[str, np.ndarray]]:
    """The estimation of a case, and values of everything that is given."""
    distribution, given, prior = ESTIMATES[name]
    x = RNG.normal(size=N) if "gauss" in name else (RNG.random(N) < 0.6) * 1.0 if "bern" in name else np.eye(K)[[0, 1, 1, 2, 3, 3, 3]]
    made = distribution.maximum_a_posteriori() if prior else distribution.maximum_likelihood()
    return made, {"x": x, **{t.name: np.asarray(given.get(t.name, PRIORS.get(t.name))) for t in made.derivation.forward.inputs
                             if t.name in given or t.name in PRIORS}}


def values_at(made: Estimation, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The estimates as numbers, in order."""
    found = dict(given)
    for name, value in made.estimates.items():
        target = made.solved[name][-1].before
        found[name] = closed_values(made.derivation.program, value, target, found, {"N": N, "K": K})
    return found


@pytest.mark.parametrize("name", ESTIMATES)
def test_estimates_maximise(name: str) -> None:
    made, given = estimation(name)
    best = values_at(made, given)
    distribution, _, prior = ESTIMATES[name]
    program = distribution.program(sb.Index("n", sb.size("N")), prior=prior)

    def value(changed: dict[str, np.ndarray]) -> float:
        return float(interpret(program, {**best, **changed}, {"N": N, "K": K}, facts=False)["l"])
    top = value({})
    for parameter in made.estimates:
        for scale in (1e-3, 1e-2, 0.1):
            for sign in (-1, 1):
                step = scale * sign * (np.array([1, -1, 0, 0]) / 10 if "cat" in name else 0.3)
                assert value({parameter: best[parameter] + step}) < top


@pytest.mark.parametrize("name", ESTIMATES)
def test_every_step_is_an_equality_where_the_derivative_is_zero(name: str) -> None:
    made, given = estimation(name)
    arrays = interpret(made.derivation.program, {**values_at(made, given), **({"lambda": _multiplier(made, given)} if "cat" in name else {})},
                       {"N": N, "K": K})
    for steps, of in [(made.derivation[n].steps, n) for n in made.solved] + [(made.solved[n], n) for n in made.solved]:
        target = made.derivation[of].lines[0].target
        for step in steps:
            both = [closed_values(made.derivation.program, e, target, arrays, {"N": N, "K": K}) for e in (step.before, step.after)]
            np.testing.assert_allclose(*both, atol=1e-10, err_msg=step.rule)


def _multiplier(made: Estimation, given: dict[str, np.ndarray]) -> float:
    return N + (given["a"].sum() - K if "a" in given else 0)


def test_the_answers_are_those_of_the_textbooks() -> None:
    assert str(Bernoulli().maximum_likelihood().estimates["p"]) == "sum(n, x[n])/N"
    assert Gaussian().maximum_likelihood().latex() == (
        r"\hat{\mu} = \frac{1}{N} \sum_{n} x_{n} \\ \hat{v} = \frac{1}{N} \sum_{n} \left(\mu - x_{n}\right)^{2}")
    assert str(Categorical().maximum_likelihood().estimates["p"]) == "sum(n, x[n, k])/N"


def test_a_document(tmp_path: Path) -> None:
    made = Categorical(3).maximum_a_posteriori()
    written = made.write(tmp_path, formats=("tex", "md"))
    text = written.files["md"].read_text(encoding="utf-8")
    assert "Estimate of p" in text and "multiplier written out" in text
    assert [s.number for s in made.steps] == list(range(1, len(made.steps) + 1))


def test_what_cannot_be() -> None:
    with pytest.raises(sb.SymbpError, match="no conjugate prior is known for the Gaussian"):
        Gaussian().maximum_a_posteriori()
    for distribution, theta, message in [(Bernoulli(), {"p": 2}, "no probability"), (Gaussian(), {"m": 0, "v": 0}, "no variance"),
                                         (Gaussian(), {"m": 0}, "needs a value of v"), (Categorical(2), {"p": [0.5, 0.6]}, "sum to 1")]:
        with pytest.raises(sb.SymbpError, match=message):
            distribution.sample(RNG, (), **theta)


# losses are negative log-likelihoods

def loss_program(loss: sb.SquaredError, width: int, target: sb.Target) -> sb.Program:
    draft = Draft(sb.Conventions(batch_loss="sum"))
    out = known(draft.signal("out", [draft.index(width)], role="parameter"), True)
    loss.build(draft, out, target, draft.tensor("L"))
    return draft.program()


@pytest.mark.parametrize(("distribution", "loss", "name"), [
    (Bernoulli(), sb.BinaryCrossEntropy(), "p"), (Gaussian(), sb.GaussianNLL(variance=0.8, full=True), "m"),
    (Gaussian(), sb.SquaredError(), "m"), (Categorical(K), sb.CrossEntropy(), "p")])
def test_losses_are_negative_log_likelihoods(distribution: Distribution, loss: sb.SquaredError, name: str) -> None:
    """Value and gradient of the loss of N samples with one output each are those of −log p; squared error but for the constant ½ log 2π."""
    classes = isinstance(distribution, Categorical)
    out = RNG.dirichlet(np.ones(K), N) if classes else RNG.uniform(0.1, 0.9, (N, 1))
    y = np.eye(K)[RNG.integers(K, size=N)] if classes else RNG.integers(2, size=(N, 1)) * 1.0
    program = loss_program(loss, out.shape[1], sb.Target(classes=K) if classes else sb.Target())
    d, single = adjoint(program, "L"), adjoint(distribution.program(), "l", name)
    found = interpret(d.program, {"out": out, "t" if classes else "y": y}, {"N": N})
    variance = {} if name == "p" else {"v": 1.0 if isinstance(loss, sb.SquaredError) else 0.8}
    parts = [interpret(single.program, {"x": y[n] if classes else y[n, 0], name: out[n] if classes else out[n, 0], **variance}) for n in range(N)]
    constant = N * np.log(2 * np.pi) / 2 if isinstance(loss, sb.SquaredError) else 0.0
    assert float(found["L"]) + constant == pytest.approx(-sum(float(p["l"]) for p in parts))
    expected = -np.stack([np.reshape(p[single.names[name]], -1) for p in parts])
    np.testing.assert_allclose(found[d.names["out"]], expected, rtol=1e-12)
