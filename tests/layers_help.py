"""Layers beside PyTorch: the output and every gradient of a network of layers, by the adjoint, by its lines and by the generated module."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import symbp as sb
from symbp.arrays import lower
from symbp.calculus.differentiate import adjoint
from symbp.emit import generate
from symbp.interpret import interpret
from symbp.layers import Layer
from symbp.printing.numpy import NumpyPrinter

SAMPLES = 2


def network_of(layers: Sequence[Layer], shape: Sequence[int], **rest: Any) -> sb.Network:
    """A network of the layers whose loss is half the sum of squares, over an input of this shape."""
    return sb.Network.of_layers("net", list(layers), sb.SquaredError(), input=list(shape), **rest)


def drawn(network: sb.Network, seed: int = 0, whole: bool = False) -> dict[str, np.ndarray]:
    """Values for all inputs and parameters; `whole` draws small whole numbers, with ties."""
    rng = np.random.default_rng(seed)
    shapes = {t.name: [SAMPLES if str(e) == "N" else int(e) for e in t.shape] for t in network.program.inputs}
    return {name: rng.integers(-1, 2, size=s).astype(float) if whole else rng.normal(size=s) for name, s in shapes.items()}


def compare(network: sb.Network, forward: Callable[[Any, dict[str, Any]], Any], values: dict[str, np.ndarray] | None = None) -> None:
    """Loss, and gradients by the parameters and by the input: the oracle, lowered lines and the module against PyTorch's autograd.

    forward: the network's output from the torch module and the tensors by their names.  The module has no gradient by the input.
    """
    torch = pytest.importorskip("torch")
    values = drawn(network) if values is None else values
    wrt = [t.name for t in (*network.parameters, network.program.tensor("x"))]
    derivative = adjoint(network.program, network.loss, wrt)
    oracle = interpret(derivative.program, values, {"N": SAMPLES})
    lines = run(derivative.program, values)
    tensors = {k: torch.tensor(v, requires_grad=k != "y") for k, v in values.items()}
    output = forward(torch, tensors)
    assert list(output.shape) == list(values["y"].shape)
    loss = ((output - tensors["y"])**2).sum() / (2 * SAMPLES)
    loss.backward()
    for found in (oracle, lines):
        assert float(found[network.loss]) == pytest.approx(float(loss.detach()), rel=1e-12)
        for name in wrt:
            np.testing.assert_allclose(found[derivative.names[name]], tensors[name].grad.numpy(), atol=1e-11, rtol=1e-11, err_msg=name)
    if network.parameters:
        compare_module(network, values, float(loss.detach()), {p.name: tensors[p.name].grad.numpy() for p in network.parameters})


def compare_module(network: sb.Network, values: dict[str, np.ndarray], loss: float, gradients: dict[str, np.ndarray]) -> None:
    """The generated module's loss and gradients, and the same bits of its planned step."""
    module = module_of(network)
    keys = dict(zip((name for name, *_ in module.PARAMETERS), gradients, strict=True))
    params = {name: values[key].copy() for name, key in keys.items()}
    found, grads = module.loss_and_grads(params, values["x"], values["y"])
    assert float(found) == pytest.approx(loss, rel=1e-11)
    for name, key in keys.items():
        np.testing.assert_allclose(grads[name], gradients[key], atol=1e-10, rtol=1e-10, err_msg=name)
    assert module.train_step(params, module.init_state(params), values["x"], values["y"]) == found


def module_of(network: sb.Network) -> ModuleType:
    """The generated module of a network."""
    module = ModuleType(network.name)
    exec(generate(network), module.__dict__)  # noqa: S102 - our own lines
    return module


def run(program: sb.language.Program, values: dict[str, np.ndarray]) -> dict[str, Any]:
    """Every tensor of a program by its lowered lines."""
    space: dict[str, Any] = {"np": np, "dtype": np.float64, "N": SAMPLES, **{k.replace(".", "_"): v for k, v in values.items()}}
    names = {t.name: t.name.replace(".", "_") for t in program.tensors}
    exec("\n".join(NumpyPrinter(names).lines(lower(program))), space)  # noqa: S102 - our own lines
    return {name: space.get(code) for name, code in names.items()}
