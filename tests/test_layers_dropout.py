"""Dropout: masks from the state, gradients beside PyTorch's with the same mask, inference, and rates that are none."""
from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from checking import EXAMPLES
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_help import load_torch

import symbp as sb
from symbp.emit import generate
from symbp.layers.dropout import Dropout

torch = load_torch()


def network(rate: float = 0.4, width: int = 6, inputs: int = 3) -> sb.Network:
    """Dropout between two dense layers."""
    layers = [sb.Dense(units=width, activation="tanh"), Dropout(rate=rate), sb.Dense(units=2)]
    return sb.Network.of_layers("net", layers, sb.SquaredError(), input=[inputs], optimizer=sb.GradientDescent())


def module_of(net: sb.Network) -> ModuleType:
    """The generated module of a network."""
    module = ModuleType(net.name)
    exec(compile(generate(net), "net.py", "exec"), module.__dict__)  # noqa: S102 - generated here from equations
    return module


def mask(state: dict[str, Any], shape: tuple[int, ...], rate: float) -> np.ndarray:
    """The mask of the next step, as the documents say that it is drawn."""
    rng = np.random.default_rng([state["seed"], state["step"], 1])
    return rng.random(shape, np.float32) >= rate


@settings(max_examples=EXAMPLES, deadline=None)
@given(rate=st.sampled_from([0.0, 0.1, 0.5, 0.9]), rows=st.integers(1, 5), width=st.integers(1, 7), seed=st.integers(0, 99))
def test_loss_and_gradients_equal_pytorchs_with_the_same_mask(rate: float, rows: int, width: int, seed: int) -> None:
    module, rng = module_of(network(rate, width)), np.random.default_rng(seed)
    params = module.init_params(seed, np.float64)
    state = module.init_state(params, seed)
    x, y = rng.normal(size=(rows, 3)), rng.normal(size=(rows, 2))
    leaves = {k: torch.tensor(v, requires_grad=True) for k, v in params.items()}
    a = torch.tanh(torch.tensor(x) @ leaves["W1"].T + leaves["b1"])
    h = a * torch.tensor(mask(state, (rows, width), rate)) / (1 - rate)
    wanted = ((h @ leaves["W2"].T + leaves["b2"] - torch.tensor(y))**2).sum() / (2 * rows)
    wanted.backward()
    loss, grads = module.loss_and_grads(params, x, y, state)
    np.testing.assert_allclose(loss, wanted.item(), rtol=1e-12)
    for name, leaf in leaves.items():
        np.testing.assert_allclose(grads[name], leaf.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_the_ladder_draws_masks_on_their_fact() -> None:
    net = network(0.25, 3)
    assert [str(f) for f in net.program.facts] == ["m1[n, j]**2 == m1[n, j]"]
    report = sb.check(net)
    assert report.passed, report.table()
    assert {r.status for g in report.gradients for r in g.rungs if r.rung != "exact"} == {"passed"}


def test_the_exact_rung_takes_masks_as_symbols() -> None:
    net = sb.Network.of_layers("net", [sb.Dense(units=1), Dropout(rate=0.5)], sb.SquaredError(), input=[1])
    assert {r.status for g in sb.check(net).gradients for r in g.rungs} == {"passed"}


def test_inference_drops_nothing_and_needs_no_state() -> None:
    module, rng = module_of(network()), np.random.default_rng(0)
    params, x = module.init_params(0, np.float64), rng.normal(size=(4, 3))
    wanted = np.tanh(x @ params["W1"].T + params["b1"]) @ params["W2"].T + params["b2"]
    np.testing.assert_array_equal(module.forward(params, x), module.forward(params, x, module.init_state(params)))
    np.testing.assert_allclose(module.forward(params, x), wanted, rtol=1e-13)
    np.testing.assert_allclose(module.evaluate(params, x, np.zeros((4, 2)))[0], (wanted**2).sum() / 8, rtol=1e-13)


def test_training_without_a_state_says_what_is_missing() -> None:
    module = module_of(network())
    with pytest.raises(ValueError, match="random masks come from a state: pass that of init_state or load"):
        module.loss_and_grads(module.init_params(0), np.ones((2, 3)), np.ones((2, 2)))


def test_the_expectation_is_the_input() -> None:
    net = sb.Network.of_layers("net", [Dropout(rate=0.3)], sb.SquaredError(), input=[1000])
    assert {str(eq) for eq in net.program.definition("h0")} == {"h0[n, i] += 10*m0[n, i]*x[n, i]/7"}
    drawn = mask({"seed": 0, "step": 0}, (200, 1000), 0.3)
    assert abs(drawn.mean() / 0.7 - 1) < 0.01


@pytest.mark.parametrize("rate", [1.0, -0.1, 1.5])
def test_a_rate_outside_its_range(rate: float) -> None:
    with pytest.raises(sb.NetworkError, match="rate = .* must be (less than 1|at least 0)"):
        Dropout(rate=rate)


@pytest.mark.parametrize(("text", "message"), [("rate = true", "rate .*must be a number"), ("rate = \"half\"", "rate .*must be a number"),
                                               ("p = 0.5", 'unknown key "p"')])
def test_a_table_that_is_wrong_is_named(text: str, message: str) -> None:
    file = f'name = "n"\n[input]\nshape = [2]\n[[layers]]\ntype = "dropout"\n{text}\n[loss]\ntype = "squared_error"\n'
    with pytest.raises(sb.NetworkError, match=r"\[\[layers\]\] number 1 \(dropout\).*" + message):
        sb.parse(file)


def test_a_rate_of_zero_is_no_layer() -> None:
    assert not network(0.0).rates and "rng.random" not in generate(network(0.0))
