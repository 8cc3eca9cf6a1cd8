"""Batch norm: training and inference beside PyTorch, running statistics, the ladder, and input that does not fit."""
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
from symbp import BatchNorm
from symbp.emit import generate

torch = load_torch()
SHAPES = ([5], [3, 4], [2, 3, 4])


def network(shape: list[int], **options: Any) -> sb.Network:
    """A batch norm alone, under half the squared error, with plain gradient descent."""
    return sb.Network.of_layers("norm", [BatchNorm(**options)], sb.SquaredError(), input=shape, optimizer=sb.GradientDescent(learning_rate=0.1))


def module_of(net: sb.Network) -> ModuleType:
    """The generated module of a network."""
    module = ModuleType(net.name)
    exec(compile(generate(net), "norm.py", "exec"), module.__dict__)  # noqa: S102 - generated here from equations
    return module


def twin(shape: list[int], **options: Any) -> torch.nn.Module:
    """PyTorch's layer."""
    kind = torch.nn.BatchNorm2d if len(shape) == 3 else torch.nn.BatchNorm1d
    return kind(shape[0], dtype=torch.float64, **options)


def loss_of(y: torch.Tensor, target: np.ndarray) -> torch.Tensor:
    """Half the squared error, the mean over the samples."""
    return ((y - torch.tensor(target))**2).sum() / (2 * len(y))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_five_steps_and_then_inference_equal_pytorch(shape: list[int]) -> None:
    module, rng = module_of(network(shape)), np.random.default_rng(0)
    layer = twin(shape)
    params = module.init_params(0, np.float64)
    state = module.init_state(params)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    for rows in (6, 2, 7, 3, 6):
        x, y = rng.normal(2, 3, (rows, *shape)), rng.normal(size=(rows, *shape))
        inputs = torch.tensor(x, requires_grad=True)
        optimizer.zero_grad()
        wanted = loss_of(layer(inputs), y)
        wanted.backward()
        loss, grads = module.loss_and_grads(params, x, y, state)
        np.testing.assert_allclose(loss, wanted.item(), rtol=1e-12)
        np.testing.assert_allclose(grads["gamma1"], layer.weight.grad.numpy(), rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(grads["beta1"], layer.bias.grad.numpy(), rtol=1e-10, atol=1e-13)
        optimizer.step()
        assert module.train_step(params, state, x, y) == loss
        np.testing.assert_allclose(state["running"]["running_mean1"], layer.running_mean.numpy(), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(state["running"]["running_var1"], layer.running_var.numpy(), rtol=1e-12)
    layer.eval()
    x, y = rng.normal(2, 3, (1, *shape)), rng.normal(size=(1, *shape))
    with torch.no_grad():
        np.testing.assert_allclose(module.forward(params, x, state), layer(torch.tensor(x)).numpy(), rtol=1e-11)
        np.testing.assert_allclose(module.evaluate(params, x, y, state)[0], loss_of(layer(torch.tensor(x)), y).item(), rtol=1e-11)


@settings(max_examples=EXAMPLES, deadline=None)
@given(shape=st.lists(st.integers(1, 4), min_size=1, max_size=3), rows=st.integers(2, 5), epsilon=st.sampled_from([1e-5, 1e-3, 0.1]),
       seed=st.integers(0, 99))
def test_the_gradient_by_the_input_goes_through_mean_and_variance(shape: list[int], rows: int, epsilon: float, seed: int) -> None:
    from symbp.calculus.differentiate import adjoint
    from symbp.interpret import interpret
    rng = np.random.default_rng(seed)
    x, y, gamma, beta = (rng.normal(size=s) for s in ((rows, *shape), (rows, *shape), shape[:1], shape[:1]))
    derivative = adjoint(network(shape, epsilon=epsilon).program, "L", ["x", "gamma1", "beta1"])
    start = {"running_mean1": np.zeros(shape[0]), "running_var1": np.ones(shape[0])}
    found = interpret(derivative.program, {"x": x, "y": y, "gamma1": gamma, "beta1": beta, **start}, {"N": rows})
    leaves = [torch.tensor(v, requires_grad=True) for v in (x, gamma, beta)]
    result = torch.nn.functional.batch_norm(leaves[0], None, None, leaves[1], leaves[2], True, 0.1, epsilon)
    loss_of(result, y).backward()
    for name, leaf in zip(("x", "gamma1", "beta1"), leaves):
        np.testing.assert_allclose(found[derivative.names[name]], leaf.grad.numpy(), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(("options", "unbiased"), [({"momentum": 0.3}, True), ({"running_variance": "biased", "momentum": 1.0}, False)])
def test_the_running_variance_is_the_conventions(options: dict[str, Any], unbiased: bool) -> None:
    module, x = module_of(network([3], **options)), np.random.default_rng(1).normal(size=(4, 3))
    params = module.init_params(0, np.float64)
    state = module.init_state(params)
    module.train_step(params, state, x, x)
    share = options["momentum"]
    np.testing.assert_allclose(state["running"]["running_var1"], (1 - share) + share * x.var(axis=0, ddof=int(unbiased)), rtol=1e-13)
    np.testing.assert_allclose(state["running"]["running_mean1"], share * x.mean(axis=0), rtol=1e-12, atol=1e-15)


def between(**options: Any) -> sb.Network:
    """A batch norm between two dense layers."""
    layers = [sb.Dense(units=2, bias=False), BatchNorm(**options), sb.Activation(type="tanh"), sb.Dense(units=1)]
    return sb.Network.of_layers("net", layers, sb.SquaredError(), input=[2], optimizer=sb.Adam())


@pytest.mark.parametrize("net", [network([2], epsilon=0.25), between(affine=False)], ids=["alone", "between"])
def test_the_ladder(net: sb.Network) -> None:
    report = sb.check(net)
    assert report.passed, report.table()
    ran = {r.rung for g in report.gradients for r in g.rungs if r.status == "passed"}
    assert ran >= {"identity", "differences", "independent", "lowered"}


def test_the_exact_rung_goes_through_mean_and_variance() -> None:
    layers = [sb.Dense(units=1, bias=False), BatchNorm(epsilon=0.25, affine=False)]
    report = sb.check(sb.Network.of_layers("net", layers, sb.SquaredError(), input=[1]))
    assert [r.status for r in report.gradients[0].rungs] == ["passed"] * 5, report.table()


def test_a_bias_that_the_mean_takes_away_has_the_gradient_zero() -> None:
    layers = [sb.Dense(units=2), BatchNorm(), sb.Dense(units=1)]
    net = sb.Network.of_layers("net", layers, sb.SquaredError(), input=[2])
    assert sb.check(net, wrt="b1").passed
    module, rng = module_of(net), np.random.default_rng(0)
    _, grads = module.loss_and_grads(module.init_params(0, np.float64), rng.normal(size=(5, 2)), rng.normal(size=(5, 1)))
    np.testing.assert_allclose(grads["b1"], 0, atol=1e-15)


def test_single_precision_is_as_good_as_pytorchs_far_from_zero() -> None:
    x = (np.random.default_rng(2).normal(size=(64, 3)) + 1000).astype(np.float32)
    module = module_of(network([3]))
    params = module.init_params(0, np.float32)
    state = module.init_state(params)
    loss, grads = module.loss_and_grads(params, x, np.zeros_like(x))
    wide, exact = module.loss_and_grads(module.init_params(0, np.float64), x.astype(np.float64), np.zeros(x.shape))
    assert loss.dtype == grads["gamma1"].dtype == np.float32
    np.testing.assert_allclose(loss, wide, rtol=1e-4)
    np.testing.assert_allclose(grads["gamma1"], exact["gamma1"], rtol=1e-3)
    assert all(v.dtype == np.float32 for v in state["running"].values())


def test_the_derivation_is_that_of_the_paper() -> None:
    d = sb.derive(between())
    assert [str(line.right) for line in d["c2"].lines] == [
        "(xhat2_bar[n, j] - xhat2[n, j]*sum(n', xhat2[n', j]*xhat2_bar[n', j])/N)/sigma2[j]"]
    assert [str(line.right) for line in d["z1"].lines] == ["c2_bar[n, j] - sum(n', c2_bar[n', j])/N"]
    assert {"Running statistics", "Inference"} <= {s.title for s in d.report().sections}
    assert {t.name for t, _ in d.running_lines()} == {"running_mean2_next", "running_var2_next"}


# what does not fit

def test_one_sample_has_no_variance() -> None:
    module = module_of(network([3]))
    params = module.init_params(0)
    state = module.init_state(params)
    for call in (lambda: module.train_step(params, state, np.ones((1, 3)), np.ones((1, 3))),
                 lambda: module.loss_and_grads(params, np.ones((1, 3)), np.ones((1, 3)))):
        with pytest.raises(ValueError, match="batches of N >= 2 samples, but this one has N = 1"):
            call()
    assert state["step"] == 0 and np.array_equal(state["running"]["running_var1"], np.ones(3))


def test_one_sample_of_many_positions_has_a_variance() -> None:
    module, x = module_of(network([2, 3, 3])), np.random.default_rng(0).normal(size=(1, 2, 3, 3))
    params = module.init_params(0, np.float64)
    state = module.init_state(params)
    module.train_step(params, state, x, x)
    np.testing.assert_allclose(state["running"]["running_var1"], 0.9 + 0.1 * x.var(axis=(0, 2, 3), ddof=1), rtol=1e-12)


@pytest.mark.parametrize(("options", "message"), [
    ({"epsilon": 0.0}, "epsilon"), ({"momentum": 1.5}, "momentum"), ({"running_variance": "unbaised"}, 'did you mean "unbiased"'),
    ({"axis": 1}, "unknown key"), ({"affine": 1}, "affine")])
def test_settings_that_are_wrong(options: dict[str, Any], message: str) -> None:
    with pytest.raises(sb.NetworkError, match=message):
        BatchNorm(**options)


def test_inputs_of_other_shapes_and_columns() -> None:
    with pytest.raises(sb.NetworkError, match=r"shape \[2, 2, 2, 2\], which is 4 axes"):
        network([2, 2, 2, 2])
    with pytest.raises(sb.NetworkError, match='samples = "rows"'):
        sb.Network.of_layers("net", [BatchNorm()], sb.SquaredError(), input=[2], conventions=sb.Conventions(samples="column"))
