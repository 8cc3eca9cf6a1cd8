"""Layers: the adjoint of each network against PyTorch's autograd, and a layer of one's own."""
from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest

import symbp as sb
from symbp.calculus.differentiate import adjoint
from symbp.draft import Draft, Signal
from symbp.interpret import interpret
from symbp.layers import LAYERS, Layer, layer

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(11)
N, D, H, K = 5, 4, 6, 3


def sample(network: sb.Network) -> dict[str, np.ndarray]:
    """Values for the inputs and parameters of a network, a class or a number for the target."""
    values = {}
    for tensor in network.program.inputs:
        shape = [N if str(e) == "N" else int(e) for e in tensor.shape]
        values[tensor.name] = np.eye(shape[-1])[RNG.integers(shape[-1], size=shape[0])] if tensor.name == "t" else RNG.normal(size=shape)
    return values


def compare(network: sb.Network, forward: Callable[[dict], torch.Tensor]) -> None:
    """The loss and every gradient against autograd."""
    values = sample(network)
    d = adjoint(network.program, network.loss)
    found = interpret(d.program, values, {"N": N} if network.program.sizes else {})
    tensors = {k: torch.tensor(v, requires_grad=True) for k, v in values.items()}
    loss = forward(tensors)
    loss.backward()
    assert float(found[network.loss]) == pytest.approx(float(loss.detach()), rel=1e-12)
    for parameter in network.parameters:
        np.testing.assert_allclose(found[d.names[parameter.name]], tensors[parameter.name].grad.numpy(), atol=1e-12)


ACTIVATIONS = {
    "relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "identity": lambda z: z, "silu": torch.nn.functional.silu,
    "softplus": torch.nn.functional.softplus, "gelu": torch.nn.functional.gelu, "softmax": lambda z: torch.softmax(z, -1)}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("storage", ["out_in", "in_out"])
def test_dense_and_activation(activation: str, storage: str) -> None:
    layers = [sb.Dense(units=H), LAYERS[activation](type=activation), sb.Dense(units=K, bias=False)]
    network = sb.Network.of_layers("net", layers, sb.SquaredError(), input=[D], conventions=sb.Conventions(storage=storage))
    turn = (lambda W: W.T) if storage == "out_in" else (lambda W: W)

    def forward(v: dict) -> torch.Tensor:
        a = ACTIVATIONS[activation](v["x"] @ turn(v["W1"]) + v["b1"])
        return ((a @ turn(v["W2"]) - v["y"])**2).sum() / (2 * N)
    compare(network, forward)


def test_a_classifier() -> None:
    layers = [sb.Dense(units=H, activation="relu"), sb.Dense(units=K)]
    network = sb.Network.of_layers("net", layers, sb.SoftmaxCrossEntropy(smoothing=0.1), input=[D])

    def forward(v: dict) -> torch.Tensor:
        z = torch.relu(v["x"] @ v["W1"].T + v["b1"]) @ v["W2"].T + v["b2"]
        return torch.nn.functional.cross_entropy(z, v["t"].detach(), label_smoothing=0.1)
    compare(network, forward)


def test_one_column_vector() -> None:
    layers = [sb.Dense(units=H, activation="sigmoid"), sb.Dense(units=K)]
    network = sb.Network.of_layers("net", layers, sb.SquaredError(), input=[D], conventions=sb.Conventions(samples="column"))
    compare(network, lambda v: ((v["W2"] @ torch.sigmoid(v["W1"] @ v["x"] + v["b1"]) + v["b2"] - v["y"])**2).sum() / 2)


@pytest.mark.parametrize("value", ["0", "1/2", "1"])
def test_relu_at_zero_is_the_conventions(value: str) -> None:
    conventions = sb.Conventions(relu_at_zero=value)
    network = sb.Network.of_layers("net", [sb.Dense(units=1, activation="relu")], sb.SquaredError(), input=[1], conventions=conventions)
    found = interpret(adjoint(network.program, "L").program, {"x": [[1.0]], "y": [[-1.0]], "W1": [[0.0]], "b1": [0.0]}, {"N": 1})
    assert found["W1_bar"][0, 0] == {"0": 0.0, "1/2": 0.5, "1": 1.0}[value]


# layers as equations

GATE = {"name": "gate", "parameters": {"U": ["j", "i"], "V": ["j", "i"], "c": ["j"]}, "indices": {"j": H}, "equations": [
    "g[n,j] = sigmoid(sum(i, V[j,i]*x[n,i]) + c[j])", "y[n,j] = g[n,j] * sum(i, U[j,i]*x[n,i])"]}


def test_a_layer_of_equations_between_dense_layers() -> None:
    layers = [sb.Dense(units=5), sb.Equations(**GATE), sb.Dense(units=K)]
    network = sb.Network.of_layers("net", layers, sb.SquaredError(), input=[D])
    assert [p.name for p in network.parameters] == ["W1", "b1", "gate.U", "gate.V", "gate.c", "W3", "b3"]

    def forward(v: dict) -> torch.Tensor:
        h = v["x"] @ v["W1"].T + v["b1"]
        y = torch.sigmoid(h @ v["gate.V"].T + v["gate.c"]) * (h @ v["gate.U"].T)
        return ((y @ v["W3"].T + v["b3"] - v["y"])**2).sum() / (2 * N)
    compare(network, forward)


def test_a_layer_of_equations_that_normalises_over_features_and_samples() -> None:
    over_features = sb.Equations(name="norm", parameters={"g": ["i"]}, equations=[
        "m[n] = mean(i, x[n,i])", "v[n] = mean(i, (x[n,i] - m[n])^2)", "y[n,i] = g[i]*(x[n,i] - m[n])/sqrt(v[n] + 0.01)"])
    over_samples = sb.Equations(name="batch", equations=["m[i] = sum(k, x[k,i])/N", "y[n,i] = x[n,i] - m[i]"])
    network = sb.Network.of_layers("net", [sb.Dense(units=H), over_features, over_samples], sb.SquaredError(), input=[D])

    def forward(v: dict) -> torch.Tensor:
        h = v["x"] @ v["W1"].T + v["b1"]
        m = h.mean(1, keepdim=True)
        y = v["norm.g"] * (h - m) / (((h - m)**2).mean(1, keepdim=True) + 0.01).sqrt()
        return ((y - y.mean(0) - v["y"])**2).sum() / (2 * N)
    compare(network, forward)


def test_a_layer_of_equations_over_two_axes_of_input() -> None:
    pool = sb.Equations(name="pool", indices={"f": 2, "u": 3}, equations=["y[n,f] = max(u, x[n,f,u])"])
    network = sb.Network.of_layers("net", [pool, sb.Dense(units=K)], sb.SquaredError(), input=[2, 3])
    compare(network, lambda v: ((v["x"].amax(2) @ v["W2"].T + v["b2"] - v["y"])**2).sum() / (2 * N))


def test_a_window_that_pads() -> None:
    window = sb.Equations(name="conv", parameters={"K": ["u"]}, indices={"u": 3, "i": 7}, equations=["y[n,i] = sum(u, inside(x[n,i+u-1])*K[u])"])
    network = sb.Network.of_layers("net", [window], sb.SquaredError(), input=[7])

    def forward(v: dict) -> torch.Tensor:
        y = torch.nn.functional.conv1d(v["x"][:, None], v["conv.K"][None, None], padding=1)[:, 0]
        return ((y - v["y"])**2).sum() / (2 * N)
    compare(network, forward)


def test_local_letters_do_not_meet_those_of_the_network() -> None:
    odd = sb.Equations(name="odd", parameters={"V": ["i", "n2"]}, indices={"i": 9, "n2": D},
                       equations=["y[k,i] = sum(n2, V[i,n2]*x[k,n2])"])
    network = sb.Network.of_layers("net", [odd, sb.Dense(units=K)], sb.SquaredError(), input=[D])
    compare(network, lambda v: ((v["x"] @ v["odd.V"].T @ v["W2"].T + v["b2"] - v["y"])**2).sum() / (2 * N))


def test_facts_of_a_layer_come_along() -> None:
    scaled = sb.Equations(name="scale", parameters={"s": ["i"]}, equations=["y[n,i] = x[n,i]/s[i]"], facts=["s[i] > 0"])
    network = sb.Network.of_layers("net", [scaled], sb.SquaredError(), input=[D])
    assert str(network.program.facts[0]) == "scale.s[i] > 0"


@pytest.mark.parametrize(("change", "message"), [
    ({"equations": ["y[n,j] = sum(i, V[j,i]*x[n,i]) + c[k]"]}, "extent of the index k is unknown|index k"),
    ({"equations": ["y[n,i] = sum(i, U[j,i]*x[n,i])"]}, "index j|index i"),
    ({"equations": ["y[n,j] = x[n,j]"]}, "two indices of different extent"),
    ({"equations": ["y[n,j] = x[n,i+1]"]}, "neither on the left nor summed over|leave its axis"),
    ({"equations": ["y[n,j] = sum(i, x[n,i+1])"]}, "can leave its axis above"),
    ({"equations": ["y[n,j] = sum(i, x[n,i*i])"]}, "not integer-affine"),
    ({"equations": ["y[n,j] = sum(i, W[j,i]*x[n,i])"]}, "unknown tensor 'W'"),
    ({"equations": ["y[n,j] = sigmod(c[j])"]}, 'did you mean "sigmoid"'),
    ({"equations": ["y[n,j] = __import__('os').system('true')"]}, "cannot read"),
    ({"equations": ["y[n,j] = eval(c[j])"]}, "unknown function 'eval'"),
    ({"parameters": {"c": ["j"]}, "equations": ["g[n,j] = c[j]", "h[n,j] = c[j]"]}, "the output must be y"),
    ({"parameters": {"c": ["j"]}, "equations": ["y[j,n] = c[j]*sum(i, x[n,i])"]}, "samples' index first"),
    ({"equations": ["y[n,j] = c[j]", "y[n,j] = c[j]"]}, "has a value already"),
    ({"equations": ["x[n,i] = c[i]"]}, "two indices of different extent|has a value already"),
    ({"equations": []}, "equations"),
    ({"indices": {}}, "extent of the index j is unknown"),
    ({"indices": {"j": -1}}, "indices"),
    ({"indices": {"j": H, "sum": 3}}, "word of the expression language"),
    ({"parameters": {"x": ["j"]}}, "name of another tensor"),
    ({"parameters": {"1a": ["j"]}}, "not a name"),
    ({"equations": ["y[n,j] = c[j]*sum(i, U[j,i]*x[n,i])"]}, "no equation uses the parameter 'V'"),
    ({"init": {"Q": "zeros"}}, "init names 'Q'"),
    ({"init": {"c": "zero"}}, 'did you mean "zeros"'),
    ({"facts": ["s[j] >"]}, "cannot read"),
    ({"name": "import os"}, "not a name"),
])
def test_equations_that_are_wrong(change: dict, message: str) -> None:
    with pytest.raises(sb.SymbpError, match=message):
        sb.Network.of_layers("net", [sb.Equations(**{**GATE, "indices": {"j": H, "i": D}, **change})], sb.SquaredError(), input=[D])


def test_a_new_layer_is_one_class() -> None:
    class Twice(Layer):
        """y = 2 x."""

        type: Literal["twice_for_test"] = "twice_for_test"

        def build(self, draft: Draft, x: Signal) -> Signal:
            y = draft.signal("y", x.axes)
            draft.write(y.element, 2 * x.element)
            return y
    layer(Twice)
    try:
        network = sb.Network.of_layers("net", [LAYERS["twice_for_test"](), sb.Dense(units=K)], sb.SquaredError(), input=[D])
        target = next(t.name for t in network.program.tensors if t.name.startswith("y") and t.role == "input")
        compare(network, lambda v: ((2 * v["x"] @ v["W1"].T + v["b1"] - v[target])**2).sum() / (2 * N))
    finally:
        del LAYERS["twice_for_test"]


@pytest.mark.parametrize("settings", [{}, {"units": -1}, {"units": 0}, {"units": "ten"}, {"units": 2.0}, {"units": True}, {"units": 10**12},
                                      {"units": 3, "activation": "rleu"}, {"units": 3, "bias": 1}, {"units": 3, "repeat": "L"},
                                      {"repeat": "layers"}, {"units": 3, "colour": 1}, {"units": 3, "name": "a b"}])
def test_dense_settings_that_are_wrong(settings: dict) -> None:
    with pytest.raises(sb.NetworkError):
        sb.Dense(**settings)


def test_dense_needs_one_axis() -> None:
    with pytest.raises(sb.NetworkError, match=r"shape \[2, 3\].*shape = \[6\]"):
        sb.Network.of_layers("net", [sb.Dense(units=1)], sb.SquaredError(), input=[2, 3])
