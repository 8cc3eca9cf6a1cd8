"""Branches that meet: sums and concatenations beside PyTorch, their code, and what is refused."""
from __future__ import annotations

from typing import Any

import pytest
from layers_help import compare, network_of

import symbp as sb
from symbp.certify.ladder import check
from symbp.layers import Activation, Add, Concatenate, Convolution, Dense, Flatten
from symbp.settings import NetworkError


def relu_dense(name: str, units: int, **keys: Any) -> Dense:
    return Dense(name=name, units=units, activation="relu", **keys)


RESIDUAL = [relu_dense("a", 4), Dense(name="b", units=4), Add(name="sum", inputs=["b", "a", "input"]), relu_dense("c", 2)]


def residual(torch: Any, v: dict[str, Any]) -> Any:
    a = torch.relu(v["x"] @ v["a.W"].T + v["a.b"])
    total = a @ v["b.W"].T + v["b.b"] + a + v["x"]
    return torch.relu(total @ v["c.W"].T + v["c.b"])


def test_a_residual_connection() -> None:
    compare(network_of(RESIDUAL, [4]), residual)


def test_a_layer_added_to_itself() -> None:
    compare(network_of([Dense(name="a", units=3), Add(inputs=["a", "a"])], [2]),
            lambda torch, v: 2 * (v["x"] @ v["a.W"].T + v["a.b"]))


def test_a_residual_convolution() -> None:
    layers = [Convolution(type="conv2d", name="a", filters=2, kernel=3, padding=1, activation="relu"),
              Convolution(type="conv2d", name="b", filters=2, kernel=3, padding=1), Add(inputs=["a", "b"])]

    def forward(torch: Any, v: dict[str, Any]) -> Any:
        a = torch.relu(torch.nn.functional.conv2d(v["x"], v["a.K"], v["a.b"], padding=1))
        return a + torch.nn.functional.conv2d(a, v["b.K"], v["b.b"], padding=1)

    compare(network_of(layers, [1, 4, 3]), forward)


def test_code_of_a_residual_convolution_scatters_in_slices() -> None:
    """The cotangent of the branch point is a copy and the slice-adds of a convolution, not a gathering over all pairs of pixels."""
    layers = [Convolution(type="conv2d", name="a", filters=2, kernel=3, padding=1), Activation(type="relu", name="stem"),
              Convolution(type="conv2d", name="b", filters=2, kernel=3, padding=1), Add(inputs=["b", "stem"]), Activation(type="relu"),
              Flatten(), Dense(units=2)]
    network = network_of(layers, [1, 4, 5])
    source = sb.generate(network)
    body = source[source.index("def loss_and_grads"):source.index("def train_step")]
    assert sb.derive(network).check().passed
    assert "clip" not in body and "np.arange" not in body and "np.add.at" not in body
    assert "da1[:, :, 1:4] += da1_rows[2, :, :, :3].transpose(1, 0, 2, 3)" in body


@pytest.mark.parametrize("axis", [0, 1])
def test_a_concatenation_of_three(axis: int) -> None:
    layers = [Convolution(type="conv1d", name="a", filters=2, kernel=1), Convolution(type="conv1d", name="b", filters=2, kernel=1, input="a"),
              Concatenate(inputs=["a", "b", "a"], axis=axis)]

    def forward(torch: Any, v: dict[str, Any]) -> Any:
        a = torch.nn.functional.conv1d(v["x"], v["a.K"], v["a.b"])
        return torch.cat([a, torch.nn.functional.conv1d(a, v["b.K"], v["b.b"]), a], axis + 1)

    compare(network_of(layers, [2, 3]), forward)


def test_two_ways_from_the_input() -> None:
    layers = [relu_dense("a", 2), relu_dense("b", 3, input="input"), Concatenate(inputs=["a", "b"]), Dense(units=2)]

    def forward(torch: Any, v: dict[str, Any]) -> Any:
        parts = [torch.relu(v["x"] @ v[f"{k}.W"].T + v[f"{k}.b"]) for k in "ab"]
        return torch.cat(parts, 1) @ v["W3"].T + v["b3"]

    compare(network_of(layers, [4]), forward)


def test_the_ladder() -> None:
    layers = [Dense(name="a", units=2, activation="tanh"), Dense(name="b", units=2), Add(name="s", inputs=["a", "b"]),
              Concatenate(inputs=["s", "a"])]
    network = network_of(layers, [2])
    report = check(network.program, network.loss, seed=1)
    assert report.passed, str(report)


def test_the_loss_of_a_module_beside_torch() -> None:
    torch = pytest.importorskip("torch")
    network = network_of(RESIDUAL, [4])
    space: dict[str, Any] = {"__name__": "module"}
    exec(sb.generate(network), space)  # noqa: S102 - our own module
    params = space["init_params"](0, "float64")
    rng = torch.Generator().manual_seed(0)
    x, y = (torch.randn(5, k, dtype=torch.float64, generator=rng) for k in (4, 2))
    tensors = {n: torch.tensor(params[c], requires_grad=True) for n, c in zip([t.name for t in network.parameters], params, strict=True)}
    loss = ((residual(torch, {"x": x, **tensors}) - y)**2).sum() / 10
    loss.backward()
    found, grads = space["loss_and_grads"](params, x.numpy(), y.numpy())
    assert found == pytest.approx(float(loss.detach()), rel=1e-13)
    for gradient, tensor in zip(grads.values(), tensors.values(), strict=True):
        assert gradient == pytest.approx(tensor.grad.numpy(), abs=1e-13)


@pytest.mark.parametrize(("layer", "message"), [
    (Add(inputs=["a", "input"]), r"must have one shape, but a has \[2\] and input has \[3\]"),
    (Add(inputs=["a", "aa"]), 'no earlier layer is called \'aa\'; did you mean "a"'),
    (Concatenate(inputs=["a", "input"], axis=1), r"axis = 1, but the output of a has the shape \[2\]")])
def test_what_does_not_fit_is_said(layer: Add, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        network_of([Dense(name="a", units=2), layer], [3])


def test_a_concatenation_whose_other_axes_differ() -> None:
    layers = [Convolution(type="conv1d", name="a", filters=2, kernel=2), Concatenate(inputs=["a", "input"]), Flatten()]
    with pytest.raises(NetworkError, match=r"must agree in all other axes, but a has \[2, 2\] and input has \[1, 3\]"):
        network_of(layers, [1, 3])
