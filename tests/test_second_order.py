"""The adjoint of an adjoint, for layers as a network file has them: the gradient of Σ ‖∂L/∂θ‖² beside PyTorch's double backward.

The programs of `test_calculus_torch.py` are differentiated twice along random directions; here the squared norm of all gradients is the new
loss, as in a gradient penalty, and the lowered lines are compared, too.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from layers_help import SAMPLES, drawn, network_of, run
from torch_help import load_torch

import symbp as sb
from symbp.calculus.differentiate import Derivative, adjoint
from symbp.interpret import interpret
from symbp.language import Equation, Index, Tensor
from symbp.layers import LSTM, Convolution, Dense, LayerNorm, SelfAttention

torch = load_torch()
Values = dict[str, Any]


def of_squares(v: Values, output: Any) -> Any:
    return ((output - v["y"])**2).sum() / (2 * SAMPLES)


def dense(v: Values) -> Any:
    h = torch.tanh(torch.nn.functional.linear(v["x"], v["W1"], v["b1"]))
    return of_squares(v, torch.nn.functional.linear(h, v["W2"], v["b2"]))


def convolution(v: Values) -> Any:
    return of_squares(v, torch.nn.functional.conv2d(v["x"], v["K1"], v["b1"], stride=2, padding=1).sigmoid())


def layer_norm(v: Values) -> Any:
    return of_squares(v, torch.nn.functional.layer_norm(torch.nn.functional.linear(v["x"], v["W1"], v["b1"]), (3,), v["gamma2"], v["beta2"]))


def cross_entropy(v: Values) -> Any:
    return torch.nn.functional.cross_entropy(torch.nn.functional.linear(v["x"], v["W1"], v["b1"]), v["t"])


def attention(v: Values) -> Any:
    Q, K, V = (torch.einsum("hrm,ntm->nhtr", v[f"W_{k}1"], v["x"]) + v[f"b_{k}1"][:, None] for k in "qkv")
    seen = torch.ones(3, 3).tril().bool()
    p = (Q @ K.transpose(2, 3) / Q.shape[-1]**0.5).masked_fill(~seen, -torch.inf).softmax(-1)
    return of_squares(v, torch.einsum("mhr,nhtr->ntm", v["W_o1"], p @ V) + v["b_o1"])


def lstm(v: Values) -> Any:
    W, U, b = (v[k][[0, 1, 3, 2]].flatten(0, 1) for k in ("W1", "U1", "b1"))  # PyTorch's gates are input, forget, candidate, output
    cell = torch.nn.LSTMCell(2, 2, dtype=torch.float64)
    weights = {"weight_ih": W, "weight_hh": U, "bias_ih": b, "bias_hh": torch.zeros_like(b)}
    h = c = torch.zeros(SAMPLES, 2, dtype=torch.float64)
    for t in range(3):
        h, c = torch.func.functional_call(cell, weights, (v["x"][:, t], (h, c)))
    return of_squares(v, h)


CASES: dict[str, tuple[Callable[[], sb.Network], Callable[[Values], Any]]] = {
    "dense and tanh": (lambda: network_of([Dense(units=3, activation="tanh"), Dense(units=2)], [4]), dense),
    "conv2d": (lambda: network_of([Convolution(type="conv2d", filters=2, kernel=3, stride=2, padding=1, activation="sigmoid")], [2, 4, 3]),
               convolution),
    "layer norm": (lambda: network_of([Dense(units=3), LayerNorm()], [2]), layer_norm),
    "softmax cross-entropy": (lambda: sb.Network.of_layers("net", [Dense(units=3)], sb.SoftmaxCrossEntropy(), input=[2],
                                                           target=sb.Target(classes=3)), cross_entropy),
    "attention": (lambda: network_of([SelfAttention(heads=2, causal=True)], [3, 4]), attention),
    "lstm": (lambda: network_of([LSTM(units=2)], [3, 2]), lstm),
}


def penalty(network: sb.Network) -> tuple[Derivative, Derivative]:
    """The first derivative of a network's loss, and the derivative of the sum of all its squared gradients."""
    first = adjoint(network.program, network.loss)
    total = Tensor("penalty")
    equations = []
    for name in first.wrt:
        bar = first.program.tensor(first.names[name])
        at = tuple(Index(f"q_{len(equations)}_{axis}", extent) for axis, extent in enumerate(bar.shape))
        equations.append(Equation(total[()], bar[at]**2, over=at))
    return first, adjoint(first.program.extended((total,), equations), "penalty", first.wrt)


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_of_squared_gradients_is_that_of_double_backward(name: str) -> None:
    make, forward = CASES[name]
    network = make()
    values = drawn(network)
    if "t" in values:
        values["t"] = np.eye(3)[[0, 2]]
    first, second = penalty(network)
    tensors = {k: torch.tensor(v, requires_grad=k in first.wrt) for k, v in values.items()}
    leaves = [tensors[n] for n in first.wrt]
    gradients = torch.autograd.grad(forward(tensors), leaves, create_graph=True)
    squared = sum((g**2).sum() for g in gradients)
    expected = torch.autograd.grad(squared, leaves, allow_unused=True)
    oracle = interpret(second.program, values, {"N": SAMPLES})
    for found in (oracle, run(second.program, values)):
        assert float(found["penalty"]) == pytest.approx(float(squared.detach()), rel=1e-12)
        for wrt, twin in zip(first.wrt, expected):
            array = np.zeros_like(values[wrt]) if twin is None else twin.numpy()
            np.testing.assert_allclose(found[second.names[wrt]], array, rtol=1e-10, atol=1e-11, err_msg=wrt)
