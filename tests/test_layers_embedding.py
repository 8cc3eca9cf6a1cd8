"""Embeddings, positional terms, losses over positions and ignored classes, against PyTorch; bad input; the ladder."""
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
from symbp.layers import Dense, Embedding, Positional
from symbp.losses import SoftmaxCrossEntropy, Target
from symbp.settings import NetworkError

torch = load_torch()
N = 3


def network(T: int, tokens: int, width: int, terms: str = "learned", classes: int = 4, **loss: Any) -> sb.Network:
    """Embedding, positional terms, and a dense layer whose scores the loss takes at each position."""
    layers = [Embedding(units=width), Positional(terms=terms), Dense(units=classes, per_position=True)]
    return sb.Network.of_layers("net", layers, SoftmaxCrossEntropy(**loss), input=[T], tokens=tokens,
                                target=Target(classes=classes, encoding="integer"))


def table(T: int, D: int) -> np.ndarray:
    """The sinusoidal terms, as the paper's formula says them."""
    return np.array([[(np.sin if d % 2 == 0 else np.cos)(t / 10_000**((d - d % 2) / D)) for d in range(D)] for t in range(T)])


def compare(net: sb.Network, T: int, tokens: int, classes: int, sinusoidal: bool = False, ignored: int = -100) -> None:
    """The loss and every gradient of oracle and generated module against autograd."""
    rng = np.random.default_rng(0)
    x, t = rng.integers(tokens, size=(N, T)), rng.integers(classes, size=(N, T))
    values = {p.name: rng.normal(size=[int(e) for e in p.shape]) for p in net.parameters}
    derived = adjoint(net.program, net.loss)
    found = interpret(derived.program, {**values, "x": x, "t": t}, {"N": N})
    v = {k: torch.tensor(a, requires_grad=True) for k, a in values.items()}
    P = torch.tensor(table(T, values["E1"].shape[1])) if sinusoidal else v["P2"]
    z = (torch.nn.functional.embedding(torch.tensor(x), v["E1"]) + P) @ v["W3"].T + v["b3"]
    loss = torch.nn.functional.cross_entropy(z.flatten(0, 1), torch.tensor(t).flatten(), ignore_index=ignored)
    loss.backward()
    module = ModuleType("generated")
    exec(generate(net), module.__dict__)  # noqa: S102 - our own lines
    value, grads = module.loss_and_grads(values, x, t)
    assert value == pytest.approx(float(loss.detach()), rel=1e-11)
    assert float(found[net.loss]) == pytest.approx(float(loss.detach()), rel=1e-11)
    for name in values:
        np.testing.assert_allclose(found[derived.names[name]], v[name].grad.numpy(), atol=1e-11)
        np.testing.assert_allclose(grads[name], v[name].grad.numpy(), atol=1e-11)
    assert module.train_step(values, module.init_state(values), x, t) == value


@settings(max_examples=min(EXAMPLES, 6), deadline=None)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 4))
def test_embedding_with_learned_positions(T: int, tokens: int, width: int) -> None:
    compare(network(T, tokens, width), T, tokens, 4)


@pytest.mark.parametrize(("T", "width"), [(4, 4), (3, 5), (2, 1)])
def test_embedding_with_sinusoidal_positions(T: int, width: int) -> None:
    compare(network(T, 5, width, "sinusoidal"), T, 5, 4, sinusoidal=True)


def test_a_class_that_does_not_count() -> None:
    compare(network(4, 5, 3, ignore_index=2), 4, 5, 4, ignored=2)


def test_smoothing_over_positions() -> None:
    net = network(2, 3, 2, smoothing=0.25)
    rng = np.random.default_rng(0)
    values = {p.name: rng.normal(size=[int(e) for e in p.shape]) for p in net.parameters}
    x, t = rng.integers(3, size=(N, 2)), rng.integers(4, size=(N, 2))
    found = interpret(net.program, {**values, "x": x, "t": t}, {"N": N})
    v = {k: torch.tensor(a) for k, a in values.items()}
    z = (v["E1"][torch.tensor(x)] + v["P2"]) @ v["W3"].T + v["b3"]
    expected = torch.nn.functional.cross_entropy(z.flatten(0, 1), torch.tensor(t).flatten(), label_smoothing=0.25)
    assert float(found["L"]) == pytest.approx(float(expected), rel=1e-11)


@pytest.mark.parametrize("options", [{}, {"terms": "sinusoidal"}, {"ignore_index": 1}], ids=str)
def test_the_ladder(options: dict[str, Any]) -> None:
    result = sb.check(network(2, 3, 2, classes=3, **options))
    assert result.passed, result.table()
    assert "not run" not in result.table()


def test_generated_code_takes_rows() -> None:
    source = generate(network(3, 5, 2))
    assert "z1 = E1[x] " in source
    assert "x = np.asarray(x, np.int64)" in source


def test_bad_input() -> None:
    with pytest.raises(NetworkError, match=r"an embedding takes whole numbers; say how many there are"):
        sb.Network.of_layers("net", [Embedding(units=2)], sb.SquaredError(), input=[3])
    with pytest.raises(NetworkError, match=r"layer 1 \(dense\): the input is one of whole numbers"):
        sb.Network.of_layers("net", [Dense(units=2)], sb.SquaredError(), input=[3], tokens=5)
    with pytest.raises(NetworkError, match=r"\[positions, width\], but it has the shape \[3\]"):
        sb.Network.of_layers("net", [Positional()], sb.SquaredError(), input=[3])
    with pytest.raises(NetworkError, match=r"ignore_index = 4, but the classes are 0 to 4 − 1 = 3"):
        network(2, 3, 2, ignore_index=4)
    with pytest.raises(NetworkError, match="the target has 3 classes"):
        sb.Network.of_layers("net", [Embedding(units=2)], SoftmaxCrossEntropy(), input=[3], tokens=5,
                             target=Target(classes=3, encoding="integer"))
