"""Optimisers: five steps by the oracle against torch.optim, and the printed equations."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import symbp as sb
from symbp.calculus.differentiate import adjoint
from symbp.interpret import interpret
from symbp.optim import Optimizer
from symbp.printing.latex import Writer

RNG = np.random.default_rng(2)
STEPS, N, D, K = 5, 7, 3, 2
X, Y = RNG.normal(size=(N, D)), RNG.normal(size=(N, K))
START = {"W1": RNG.normal(size=(K, D)), "b1": RNG.normal(size=K)}


def train(optimizer: Optimizer) -> dict[str, np.ndarray]:
    """Five steps of a linear model; every tensor with `next_of` goes back to the tensor that it is the next value of."""
    network = sb.Network.of_layers("line", [sb.Dense(units=K)], sb.SquaredError(), input=[D], optimizer=optimizer)
    update = network.update(adjoint(network.program, "L"))
    program = update.extended()
    values = {"x": X, "y": Y, **START}
    for tensor in update.tensors:
        if tensor.role in ("constant", "state"):
            values[tensor.name] = update.values.get(tensor.name, np.zeros([int(e) for e in tensor.shape]))
    following = {t.name: t.next_of for t in program.tensors if t.next_of}
    for _ in range(STEPS):
        found = interpret(program, values, {"N": N})
        values |= {old: found[new] for new, old in following.items()}
    return values


def torch_train(make: Callable) -> dict[str, np.ndarray]:
    torch = pytest.importorskip("torch")
    parameters = {k: torch.tensor(v, requires_grad=True) for k, v in START.items()}
    optimizer = make(torch)(list(parameters.values()))
    for _ in range(STEPS):
        optimizer.zero_grad()
        ((torch.tensor(X) @ parameters["W1"].T + parameters["b1"] - torch.tensor(Y))**2).sum().div(2 * N).backward()
        optimizer.step()
    return {k: v.detach().numpy() for k, v in parameters.items()}


@pytest.mark.parametrize(("optimizer", "make"), [
    (sb.GradientDescent(learning_rate=0.3), lambda torch: lambda p: torch.optim.SGD(p, lr=0.3)),
    (sb.Momentum(learning_rate=0.2, beta=0.8), lambda torch: lambda p: torch.optim.SGD(p, lr=0.2, momentum=0.8)),
    (sb.Momentum(learning_rate=0.2, beta=0.8, rate_in="step"), lambda torch: lambda p: torch.optim.SGD(p, lr=0.2, momentum=0.8)),
    (sb.Momentum(learning_rate=0.2, beta=0.8, form="averaged"), lambda torch: lambda p: torch.optim.SGD(p, lr=0.04, momentum=0.8)),
    (sb.Momentum(beta=0.8, form="averaged", rate_in="nowhere"), lambda torch: lambda p: torch.optim.SGD(p, lr=0.2, momentum=0.8)),
    (sb.Adam(learning_rate=0.1, beta_1=0.8, beta_2=0.95, epsilon=1e-3),
     lambda torch: lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.95), eps=1e-3)),
], ids=["gd", "momentum", "rate in the step", "averaged", "averaged without rate", "adam"])
def test_against_torch(optimizer: Optimizer, make: Callable) -> None:
    mine, theirs = train(optimizer), torch_train(make)
    for name in START:
        np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-10)


def lines(optimizer: Optimizer, **rest: object) -> list[str]:
    network = sb.Network.of_layers("line", [sb.Dense(units=K, bias=False)], sb.SquaredError(), input=[D], optimizer=optimizer, **rest)
    program, found = network.update_lines(sb.derive(network))
    return [Writer(program).equation(target, right) for target, right in found]


def test_gradient_descent_prints_as_an_assignment() -> None:
    assert lines(sb.GradientDescent()) == [r"W^{(1)}_{ji} := W^{(1)}_{ji} - \alpha \frac{\partial L}{\partial W^{(1)}_{ji}}"]
    assert r"\eta" in lines(sb.GradientDescent(), notation=sb.Notation(learning_rate="\\eta"))[0]


def test_momentum_of_appendix_b3() -> None:
    velocity, weights = lines(sb.Momentum(form="averaged", rate_in="nowhere"))
    assert velocity.startswith(r"{[v_{W}]}^{(1)}_{ji} := \beta {[v_{W}]}^{(1)}_{ji}")
    assert r"\left(1 - \beta\right)" in velocity
    assert weights == r"W^{(1)}_{ji} := W^{(1)}_{ji} - {[v_{W}]}^{(1)}_{ji}"


def test_adam_has_its_letters() -> None:
    text = "\n".join(lines(sb.Adam()))
    for letter in (r"\alpha", r"{\beta_1}", r"{\beta_2}", r"\varepsilon", r"{[\hat{m}_{W}]}", r"{[\hat{v}_{W}]}", "t := "):
        assert letter in text


def test_no_optimiser_no_lines() -> None:
    network = sb.Network.of_layers("line", [sb.Dense(units=K)], sb.SquaredError(), input=[D])
    assert network.update(adjoint(network.program, "L")) is None
    assert network.update_lines(sb.derive(network))[1] == []


def test_symbolic_depth_updates_each_row() -> None:
    network = sb.Network.of_layers("deep", [sb.Dense(repeat="L", activation="sigmoid")], sb.SquaredError(), optimizer=sb.GradientDescent(),
                                   conventions=sb.Conventions(samples="column"), notation=sb.Notation(loss="J"))
    update = network.update(adjoint(network.program, "J"))
    values = {"x": [1.0, 2.0], "y": [0.5], "W": RNG.normal(size=(2, 3, 3)), "b": RNG.normal(size=(2, 3)), "alpha": 0.1}
    found = interpret(update.extended(), values, {"L": 2, "n": [2, 3, 1]})
    np.testing.assert_allclose(found["W_next"][0, :3, :2], (found["W"] - 0.1 * found["W_bar"])[0, :3, :2])
    np.testing.assert_allclose(found["b_next"][1, :1], (found["b"] - 0.1 * found["b_bar"])[1, :1])


@pytest.mark.parametrize("make", [lambda: sb.GradientDescent(learning_rate=-1.0), lambda: sb.GradientDescent(learning_rate=float("inf")),
                                  lambda: sb.Momentum(beta=1.0), lambda: sb.Momentum(rate_in="nowhere", learning_rate=0.1),
                                  lambda: sb.Adam(beta_2="high"), lambda: sb.Adam(rate=0.1)])
def test_settings_that_are_wrong(make: Callable) -> None:
    with pytest.raises(sb.NetworkError):
        make()
