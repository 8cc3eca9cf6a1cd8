"""Self-attention, the transformer block and dense layers at each position, against PyTorch; bad input; the ladder."""
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
from symbp.layers import Dense, SelfAttention, TransformerBlock
from symbp.netfile import parse
from symbp.settings import NetworkError

torch = load_torch()
N = 3


def network(layers: list, shape: list[int]) -> sb.Network:
    """The layers with a squared error over all elements of the output."""
    return sb.Network.of_layers("net", layers, sb.SquaredError(), input=shape)


def gradients(net: sb.Network, seed: int = 0) -> tuple[dict[str, np.ndarray], float, dict[str, np.ndarray]]:
    """Drawn values, the loss, and the gradient of each parameter, by the oracle."""
    rng = np.random.default_rng(seed)
    values = {t.name: rng.normal(size=[N if str(e) == "N" else int(e) for e in t.shape]) for t in net.program.inputs}
    derived = adjoint(net.program, net.loss)
    found = interpret(derived.program, values, {"N": N})
    return values, float(found[net.loss]), {p.name: found[derived.names[p.name]] for p in net.parameters}


def module_of(net: sb.Network) -> ModuleType:
    """The generated module."""
    module = ModuleType("generated")
    exec(generate(net), module.__dict__)  # noqa: S102 - our own lines
    return module


def assert_generated(net: sb.Network, values: dict[str, np.ndarray], loss: float, expected: dict[str, np.ndarray]) -> None:
    """The readable and the planned lines against the oracle."""
    module = module_of(net)
    params = {name: values[key] for (name, *_), key in zip(module.PARAMETERS, (p.name for p in net.parameters))}
    found, grads = module.loss_and_grads(params, values["x"], values["y"])
    assert found == pytest.approx(loss, rel=1e-12)
    for (name, *_), key in zip(module.PARAMETERS, expected):
        np.testing.assert_allclose(grads[name], expected[key], rtol=1e-10, atol=1e-10)
    state = module.init_state(params)
    assert module.train_step(params, state, values["x"], values["y"]) == found


def tensors(values: dict[str, np.ndarray]) -> dict[str, Any]:
    return {k: torch.tensor(v, requires_grad=True) for k, v in values.items()}


def assert_like_torch(loss: float, found: dict[str, np.ndarray], v: dict[str, Any], output: Any) -> None:
    """The loss and every gradient against autograd of the same loss of PyTorch's output."""
    expected = ((output - v["y"])**2).sum() / (2 * N)
    expected.backward()
    assert loss == pytest.approx(float(expected.detach()), rel=1e-11)
    for name, gradient in found.items():
        np.testing.assert_allclose(gradient, v[name].grad.numpy(), rtol=1e-9, atol=1e-10)


def attended(v: dict[str, Any], x: Any, heads: int, causal: bool, number: int, bias: bool = True) -> Any:
    """PyTorch's multi-head attention with our weights."""
    width = x.shape[-1]
    shift = lambda letter: v[f"b_{letter}{number}"].reshape(-1)  # noqa: E731
    mask = torch.triu(torch.ones(x.shape[1], x.shape[1], dtype=torch.bool), 1) if causal else None
    turned = x.transpose(0, 1)
    out, _ = torch.nn.functional.multi_head_attention_forward(
        turned, turned, turned, width, heads, torch.cat([v[f"W_{c}{number}"].reshape(width, width) for c in "qkv"]),
        torch.cat([shift(c) for c in "qkv"]) if bias else None, None, None, False, 0.0, v[f"W_o{number}"].reshape(width, width),
        shift("o") if bias else None, attn_mask=mask, need_weights=False)
    return out.transpose(0, 1)


@settings(max_examples=min(EXAMPLES, 10), deadline=None)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.booleans(), st.booleans())
def test_attention_is_that_of_pytorch(heads: int, steps: int, width: int, causal: bool, bias: bool) -> None:
    net = network([SelfAttention(heads=heads, causal=causal, bias=bias)], [steps, heads * width])
    values, loss, found = gradients(net)
    v = tensors(values)
    assert_like_torch(loss, found, v, attended(v, v["x"], heads, causal, 1, bias))


@pytest.mark.parametrize(("steps", "heads", "causal"), [(4, 2, True), (3, 1, False), (1, 2, True)])
def test_generated_attention_is_the_oracles(steps: int, heads: int, causal: bool) -> None:
    net = network([SelfAttention(heads=heads, causal=causal)], [steps, 4])
    assert_generated(net, *gradients(net))


def test_generated_attention_is_made_of_matrix_products_and_one_mask() -> None:
    lines = generate(network([SelfAttention(heads=2, causal=True)], [5, 6])).split("def loss_and_grads")[1].split("def train_step")[0]
    assert "einsum" not in lines
    assert lines.count("np.where") == 2
    assert lines.count(" @ ") == 6 + 9


@pytest.mark.parametrize(("norm", "causal"), [("layer_norm", True), ("rms_norm", False)])
def test_a_transformer_block_is_that_of_pytorch(norm: str, causal: bool) -> None:
    T, D, heads, hidden = 4, 6, 2, 5
    net = network([TransformerBlock(heads=heads, causal=causal, hidden=hidden, norm=norm)], [T, D])
    values, loss, found = gradients(net)
    v = tensors(values)
    normed = (lambda x, k: torch.nn.functional.layer_norm(x, (D,), v[f"gamma{k}"], v[f"beta{k}"], 1e-5)) if norm == "layer_norm" else \
        (lambda x, k: torch.nn.functional.rms_norm(x, (D,), v[f"gamma{k}"], 1e-5))
    a = v["x"] + attended(v, normed(v["x"], 1), heads, causal, 2)
    h = torch.nn.functional.gelu(normed(a, 3) @ v["W4"].T + v["b4"])
    assert_like_torch(loss, found, v, a + h @ v["W5"].T + v["b5"])
    assert_generated(net, values, loss, found)


def test_a_transformer_block_is_the_encoder_layer_of_pytorch() -> None:
    T, D, heads = 3, 4, 2
    net = network([TransformerBlock(heads=heads)], [T, D])
    values, loss, _ = gradients(net)
    twin = torch.nn.TransformerEncoderLayer(D, heads, 4 * D, 0.0, "gelu", batch_first=True, norm_first=True).double()
    ours = {"norm1.weight": "gamma1", "norm1.bias": "beta1", "norm2.weight": "gamma3", "norm2.bias": "beta3", "linear1.weight": "W4",
            "linear1.bias": "b4", "linear2.weight": "W5", "linear2.bias": "b5", "self_attn.out_proj.bias": "b_o2"}
    state = {theirs: values[name] for theirs, name in ours.items()}
    state["self_attn.out_proj.weight"] = values["W_o2"].reshape(D, D)
    state["self_attn.in_proj_weight"] = np.concatenate([values[f"W_{c}2"].reshape(D, D) for c in "qkv"])
    state["self_attn.in_proj_bias"] = np.concatenate([values[f"b_{c}2"].reshape(D) for c in "qkv"])
    twin.load_state_dict({k: torch.tensor(a) for k, a in state.items()})
    with torch.no_grad():
        expected = ((twin(torch.tensor(values["x"])) - torch.tensor(values["y"]))**2).sum() / (2 * N)
    assert loss == pytest.approx(float(expected), rel=1e-11)


def test_dense_at_each_position() -> None:
    net = network([Dense(units=2, per_position=True, activation="tanh")], [3, 4])
    values, loss, found = gradients(net)
    v = tensors(values)
    assert_like_torch(loss, found, v, torch.tanh(v["x"] @ v["W1"].T + v["b1"]))
    assert_generated(net, values, loss, found)


CHARACTERS = """
name = "tiny"
[input]
shape = [{T}]
tokens = 5
[target]
classes = 5
encoding = "integer"
[[layers]]
type = "embedding"
units = {D}
[[layers]]
type = "positional"
[[layers]]
type = "transformer_block"
heads = 2
causal = true
hidden = {H}
[[layers]]
type = "layer_norm"
[[layers]]
type = "dense"
units = 5
per_position = true
[loss]
type = "softmax_cross_entropy"
[optimizer]
type = "adam"
learning_rate = 1e-2
"""


def losses_of_twin(params: dict[str, np.ndarray], data: list, heads: int) -> list[float]:
    """The first losses of a character transformer of PyTorch's functions, with Adam."""
    v = {k: torch.tensor(a, requires_grad=True) for k, a in params.items()}
    D = params["E1"].shape[1]
    optimizer = torch.optim.Adam(v.values(), lr=1e-2)
    found = []
    for x, y in data:
        h = torch.nn.functional.embedding(torch.tensor(x), v["E1"]) + v["P2"]
        normed = lambda x, k: torch.nn.functional.layer_norm(x, (D,), v[f"gamma{k}"], v[f"beta{k}"])  # noqa: E731
        h = h + attended(v, normed(h, 3), heads, True, 4)
        h = h + torch.nn.functional.gelu(normed(h, 5) @ v["W6"].T + v["b6"]) @ v["W7"].T + v["b7"]
        z = normed(h, 8) @ v["W9"].T + v["b9"]
        loss = torch.nn.functional.cross_entropy(z.flatten(0, 1), torch.tensor(y).flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    return found


@pytest.fixture(scope="module")
def characters() -> ModuleType:
    """The generated module of a small character transformer."""
    return module_of(parse(CHARACTERS.format(T=6, D=8, H=16)))


@pytest.mark.parametrize(("dtype", "reach"), [("float64", 1e-10), ("float32", 1e-4)])
def test_the_first_losses_of_a_character_transformer(characters: ModuleType, dtype: str, reach: float) -> None:
    module = characters
    params = module.init_params(0, dtype)
    rng = np.random.default_rng(1)
    data = [(rng.integers(5, size=(4, 6)), rng.integers(5, size=(4, 6))) for _ in range(20)]
    expected = losses_of_twin({k: a.copy() for k, a in params.items()}, data, 2)
    state = module.init_state(params)
    found = [float(module.train_step(params, state, x, y)) for x, y in data]
    assert found == pytest.approx(expected, rel=reach)
    loss, accuracy = module.evaluate(params, *data[0])
    right = module.forward(params, data[0][0]).argmax(axis=-1) == data[0][1]
    assert accuracy == pytest.approx(right.mean())


@pytest.mark.parametrize("causal", [False, True])
def test_the_ladder_of_attention(causal: bool) -> None:
    result = sb.check(network([SelfAttention(heads=1, causal=causal)], [2, 1]))
    assert result.passed, result.table()
    assert "not run" not in result.table()


def test_the_ladder_of_a_block_but_its_highest_rung() -> None:
    """A block in symbols is too long for the exact rung; each of its layers passes it alone."""
    result = sb.check(network([TransformerBlock(heads=1, causal=True, hidden=1)], [2, 2]))
    rungs = [r for g in result.gradients for r in g.rungs]
    assert len(rungs) == 5 * 16
    assert all(r.status == "passed" for r in rungs if r.rung != "exact"), result.table()


def test_heads_that_do_not_divide_the_width() -> None:
    for kind in (SelfAttention, TransformerBlock):
        with pytest.raises(NetworkError, match=r"3 heads do not divide the width 8: 8/3 = 2\.667"):
            network([kind(heads=3)], [4, 8])
        with pytest.raises(NetworkError, match=r"an input \[positions, width\], but it has the shape \[8\]"):
            network([kind(heads=2)], [8])


def test_a_dense_layer_of_positions_says_what_to_write() -> None:
    with pytest.raises(NetworkError, match=r"shape = \[12\], or per_position = true"):
        network([Dense(units=2)], [3, 4])
