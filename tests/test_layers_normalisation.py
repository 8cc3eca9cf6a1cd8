"""Layer norm, RMS norm and group norm against PyTorch; generated code against the oracle; bad input; the ladder."""
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
from symbp.calculus.differentiate import adjoint
from symbp.emit import generate
from symbp.interpret import interpret
from symbp.layers import GroupNorm, Layer, LayerNorm, RMSNorm
from symbp.settings import NetworkError

torch = load_torch()
N, EPSILON = 3, 1e-5


def shown(value: object) -> str:
    """The name of a case; a reference has none."""
    return "" if callable(value) else str(value)


def network(layer: Layer, shape: list[int]) -> sb.Network:
    """Two such layers, so that the second's cotangent runs through the first."""
    return sb.Network.of_layers("net", [layer, layer], sb.SquaredError(), input=shape)


def compare(layer: Layer, shape: list[int], twin: Any, generated: bool = False) -> None:
    """The loss and every gradient of the oracle against autograd, and the generated module's against the oracle's."""
    net = network(layer, shape)
    rng = np.random.default_rng(0)
    values = {t.name: rng.normal(size=[N if str(e) == "N" else int(e) for e in t.shape]) for t in net.program.inputs}
    derived = adjoint(net.program, net.loss, ["x", *(p.name for p in net.parameters)])
    found = interpret(derived.program, values, {"N": N})
    v = {k: torch.tensor(a, requires_grad=True) for k, a in values.items()}
    a = v["x"]
    for k in (1, 2):
        a = twin(a, v.get(f"gamma{k}"), v.get(f"beta{k}"))
    loss = ((a - v["y"])**2).sum() / (2 * N)
    loss.backward()
    assert float(found[net.loss]) == pytest.approx(float(loss.detach()), rel=1e-10)
    for name in derived.wrt:
        np.testing.assert_allclose(found[derived.names[name]], v[name].grad.numpy(), rtol=1e-8, atol=1e-9)
    if generated:
        module = ModuleType("generated")
        exec(generate(net), module.__dict__)  # noqa: S102 - our own lines
        params = {p.name: values[p.name] for p in net.parameters}
        value, grads = module.loss_and_grads(params, values["x"], values["y"])
        assert value == pytest.approx(float(loss.detach()), rel=1e-10)
        for name, gradient in grads.items():
            np.testing.assert_allclose(gradient, v[name].grad.numpy(), rtol=1e-8, atol=1e-9)
        assert module.train_step(params, module.init_state(params), values["x"], values["y"]) == value


def layer_norm(axes: int) -> Any:
    return lambda x, g, b: torch.nn.functional.layer_norm(x, x.shape[-axes:], g, b, EPSILON)


def rms_norm(axes: int) -> Any:
    return lambda x, g, b: torch.nn.functional.rms_norm(x, x.shape[-axes:], g, EPSILON)


def group_norm(groups: int) -> Any:
    return lambda x, g, b: torch.nn.functional.group_norm(x, groups, g, b, EPSILON)


@settings(max_examples=min(EXAMPLES, 10), deadline=None)
@given(st.lists(st.integers(2, 4), min_size=1, max_size=3), st.data(), st.booleans())
def test_norms_over_the_last_axes(shape: list[int], data: st.DataObject, affine: bool) -> None:
    axes = data.draw(st.integers(1, len(shape)))
    compare(LayerNorm(axes=axes, affine=affine), shape, layer_norm(axes))
    compare(RMSNorm(axes=axes, affine=affine), shape, rms_norm(axes))


@settings(max_examples=min(EXAMPLES, 10), deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.lists(st.integers(2, 3), min_size=1, max_size=2))
def test_group_norms(groups: int, size: int, positions: list[int]) -> None:
    compare(GroupNorm(groups=groups), [groups * size, *positions], group_norm(groups))


@pytest.mark.parametrize(("layer", "shape", "twin"), [
    (LayerNorm(), [5], layer_norm(1)), (LayerNorm(axes=2), [2, 3], layer_norm(2)), (LayerNorm(), [2, 1], layer_norm(1)),
    (RMSNorm(), [3, 4], rms_norm(1)), (GroupNorm(groups=2), [4, 3], group_norm(2)), (GroupNorm(groups=1), [2, 2, 3], group_norm(1)),
    (GroupNorm(groups=3), [3, 4], group_norm(3))], ids=shown)
def test_generated_norms(layer: Layer, shape: list[int], twin: Any) -> None:
    compare(layer, shape, twin, generated=True)


def test_an_epsilon_of_ones_own() -> None:
    compare(LayerNorm(epsilon=0.25), [4], lambda x, g, b: torch.nn.functional.layer_norm(x, (4,), g, b, 0.25), generated=True)


@pytest.mark.parametrize(("layer", "shape"), [(LayerNorm(), [3]), (RMSNorm(), [3]), (GroupNorm(groups=2), [4, 2])], ids=shown)
def test_the_ladder(layer: Layer, shape: list[int]) -> None:
    result = sb.check(sb.Network.of_layers("net", [layer], sb.SquaredError(), input=shape))
    assert result.passed, result.table()
    assert "not run" not in result.table()


def test_gamma_starts_as_one() -> None:
    source = generate(network(LayerNorm(), [4]))
    assert '"gamma1": np.ones((4,)),' in source
    assert '"beta1": np.zeros((4,)),' in source


def test_bad_input() -> None:
    with pytest.raises(NetworkError, match=r"4 groups do not divide 6 channels: 6/4 = 1\.5"):
        network(GroupNorm(groups=4), [6, 5])
    with pytest.raises(NetworkError, match=r"axes = 2, but the input has the shape \[6\], and 1 < 2"):
        network(LayerNorm(axes=2), [6])
