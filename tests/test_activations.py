"""Activations against PyTorch: values, first and second derivatives, kinks; and generated code at ±1000 in float32."""
from __future__ import annotations

import warnings

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_help import load_torch

import symbp as sb
from symbp.calculus.differentiate import adjoint, tangent
from symbp.draft import Draft
from symbp.emit import values_function
from symbp.interpret import interpret
from symbp.layers import LAYERS, Layer

torch = load_torch()
F = torch.nn.functional
Z = np.array([[-9.0, -2.0, -0.3, 0.0], [0.4, 1.0, 3.0, 9.0]])

TWINS = {
    "identity": ({}, lambda z: z * 1), "relu": ({}, F.relu), "leaky_relu": ({"slope": 0.2}, lambda z: F.leaky_relu(z, 0.2)),
    "elu": ({"alpha": 1.5}, lambda z: F.elu(z, 1.5)), "softplus": ({}, lambda z: F.softplus(z, threshold=40)), "sigmoid": ({}, torch.sigmoid),
    "tanh": ({}, torch.tanh), "gelu": ({}, F.gelu), "gelu_tanh": ({}, lambda z: F.gelu(z, approximate="tanh")), "silu": ({}, F.silu),
    "softmax": ({}, lambda z: F.softmax(z, -1)), "log_softmax": ({}, lambda z: F.log_softmax(z, -1)),
    "activation": ({"formula": "z*sigmoid(1.7*z) + 0.1*leaky_relu(z)^2"}, lambda z: z * torch.sigmoid(1.7 * z) + 0.1 * F.leaky_relu(z, 0.01)**2),
}


def layer_of(name: str) -> Layer:
    return LAYERS[name](type=name, **TWINS[name][0])


def program_of(layer: Layer, features: int, conventions: sb.Conventions | None = None) -> tuple[sb.Program, str]:
    """The layer on the parameter z, and the sum of the squares of its outputs."""
    draft = Draft(conventions)
    out = layer.build(draft, draft.signal("z", [draft.index(features)], role="parameter"))
    total = draft.tensor("L")
    draft.write(total[()], out.element**2, (*out.batch, *out.axes))
    return draft.program(), out.tensor.name


def derivatives(layer: Layer, z: np.ndarray, along: np.ndarray, conventions: sb.Conventions | None = None) -> tuple[np.ndarray, ...]:
    """Output, gradient of L, and the Hessian of L times a direction."""
    program, out = program_of(layer, z.shape[1], conventions)
    first = adjoint(program, "L")
    second = tangent(first.program, ["z"])
    found = interpret(second.program, {"z": z, "z_dot": along}, {"N": len(z)})
    return found[out], found[first.names["z"]], found[second.names[first.names["z"]]]


def compare(name: str, z: np.ndarray, seed: int = 0) -> None:
    along = np.random.default_rng(seed).normal(size=z.shape)
    value, gradient, product = derivatives(layer_of(name), z, along)
    x = torch.tensor(z, requires_grad=True)
    y = TWINS[name][1](x)
    (slope,) = torch.autograd.grad((y**2).sum(), x, create_graph=True)
    (twin,) = torch.autograd.grad((slope * torch.tensor(along)).sum(), x)
    for mine, other in ((value, y), (gradient, slope), (product, twin)):
        np.testing.assert_allclose(mine, other.detach().numpy(), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("name", TWINS)
def test_values_and_two_derivatives_are_those_of_pytorch(name: str) -> None:
    compare(name, Z)


@given(st.integers(1, 3), st.integers(1, 5), st.integers(0, 1000), st.sampled_from(sorted(TWINS)))
@settings(max_examples=10, deadline=None)
def test_any_shape(samples: int, features: int, seed: int, name: str) -> None:
    compare(name, np.random.default_rng(seed).normal(size=(samples, features)), seed)


@pytest.mark.parametrize("name", TWINS)
def test_the_ladder(name: str) -> None:
    network = sb.Network.of_layers("net", [sb.Dense(units=2), layer_of(name)], sb.SquaredError(), input=[3])
    report = sb.check(network)
    assert report.passed, report.table()
    assert {r.status for g in report.gradients for r in g.rungs} == {"passed"}


@pytest.mark.parametrize("value", ["0", "1/2", "1"])
@pytest.mark.parametrize(("name", "below"), [("relu", 0.0), ("leaky_relu", 0.2), ("elu", 1.5)])
def test_the_slope_at_the_kink_is_the_conventions(value: str, name: str, below: float) -> None:
    network = sb.Network.of_layers("net", [layer_of(name)], sb.SquaredError(), input=[1], conventions=sb.Conventions(relu_at_zero=value))
    d = adjoint(network.program, "L", ["x"])
    found = interpret(d.program, {"x": np.zeros((1, 1)), "y": np.array([[-1.0]])}, {"N": 1})
    c = float(sp.Rational(value))
    assert found[d.names["x"]][0, 0] == pytest.approx(below + (1 - below) * c)


@pytest.mark.parametrize("name", [n for n in TWINS if n not in ("identity", "activation")])
def test_generated_code_does_not_overflow(name: str) -> None:
    """±1000 and 0 in float32: the forward and the gradient are those of float64 PyTorch, no warning, and all of one dtype."""
    network = sb.Network.of_layers("net", [layer_of(name), sb.Dense(units=2)], sb.SquaredError(), input=[4])
    run = values_function(network)
    x = np.array([[-1000, -88.0, 0, 1000], [1000, 90, -90, 1e-3]], np.float32)
    rng = np.random.default_rng(0)
    params = {p.name: rng.normal(size=[int(e) for e in p.shape]).astype(np.float32) for p in network.parameters}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = run(params, x, np.zeros((2, 2), np.float32))
    floats = {k: v for k, v in found.items() if getattr(v, "dtype", np.dtype("int")).kind == "f"}
    assert all(np.all(np.isfinite(v)) for v in floats.values()) and {v.dtype for v in floats.values()} == {np.dtype("float32")}
    W, b = (torch.tensor(params[p.name].astype(float), requires_grad=True) for p in network.parameters)
    loss = ((TWINS[name][1](torch.tensor(x.astype(float))) @ W.T + b)**2).sum() / 4
    loss.backward()
    np.testing.assert_allclose(found["dW1"], W.grad.numpy(), rtol=3e-5, atol=1e-5 * float(W.grad.abs().max()))


@pytest.mark.parametrize("name", [n for n in TWINS if n != "identity"])
def test_the_gradient_by_the_input_does_not_overflow(name: str) -> None:
    """The derivative that code computes behind a dense layer, at ±1000 and at 0 exactly."""
    network = sb.Network.of_layers("net", [sb.Dense(units=4, name="d"), layer_of(name), sb.Dense(units=2)], sb.SquaredError(), input=[1])
    run = values_function(network)
    params = {p.name.replace("d.", "d_"): np.ones([int(e) for e in p.shape], np.float32) for p in network.parameters}
    names = list(params)
    params[names[0]][:, 0] = [-1000, 0, 30, 1000]
    params[names[1]][:] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = run(params, np.ones((1, 1), np.float32), np.zeros((1, 2), np.float32))
    z = torch.tensor([[-1000.0, 0, 30, 1000]], dtype=torch.float64, requires_grad=True)
    (((TWINS[name][1](z).sum(-1, keepdim=True) + 1)**2).sum() * 2 / 2).backward()
    gradient = next(v for k, v in found.items() if k.startswith("dd_W"))
    np.testing.assert_allclose(gradient[:, 0], z.grad.numpy()[0], rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize(("formula", "message"), [
    ("z*sigmod(z)", 'did you mean "sigmoid"'), ("sum(i, z)", "index|extent"), ("2", "does not read z"), ("w*z", "unknown name 'w'"),
    ("__import__('os')", "cannot read"), ("z[1]", "axes"), ("softmax(z)", "softmax needs its index"), ("z +", "cannot read|ends"), ("", "at least 1")])
def test_formulas_that_cannot_be_read(formula: str, message: str) -> None:
    with pytest.raises(sb.NetworkError, match=message):
        sb.Network.of_layers("net", [LAYERS["activation"](formula=formula)], sb.SquaredError(), input=[2])


@pytest.mark.parametrize(("name", "table"), [("leaky_relu", {"slope": -0.1}), ("leaky_relu", {"slope": 1.0}), ("leaky_relu", {"alpha": 0.1}),
                                             ("elu", {"alpha": 0.0}), ("elu", {"alpha": float("inf")}), ("activation", {})])
def test_settings_out_of_range(name: str, table: dict) -> None:
    with pytest.raises(sb.NetworkError):
        LAYERS[name](type=name, **table)
