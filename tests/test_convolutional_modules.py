"""Generated modules of convolutional networks beside twins in PyTorch, and the form of their lines."""
from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from symbp.emit import generate
from symbp.netfile import parse

FILE = '''name = "small"
[input]
shape = [2, 8, 8]
[target]
classes = 3
[[layers]]
type = "conv2d"
filters = 4
kernel = 3
padding = 1
activation = "relu"
[[layers]]
type = "max_pool"
kernel = 2
[[layers]]
type = "conv2d"
filters = 3
kernel = 3
padding = {padding}
activation = "relu"
[[layers]]
type = "max_pool"
kernel = 2
[[layers]]
type = "flatten"
[[layers]]
type = "dense"
units = 3
[loss]
type = "softmax_cross_entropy"
[optimizer]
type = "gd"
learning_rate = 0.1
'''


def module_of(padding: int) -> tuple[ModuleType, str]:
    source, module = generate(parse(FILE.format(padding=padding))), ModuleType("small")
    exec(source, module.__dict__)  # noqa: S102 - our own module
    return module, source


@pytest.mark.parametrize(("dtype", "reach"), [("float64", 1e-10), ("float32", 1e-4)])
@pytest.mark.parametrize("padding", [0, 1])
def test_the_first_losses_beside_torch(padding: int, dtype: str, reach: float) -> None:
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    module, _ = module_of(padding)
    params = module.init_params(0, dtype)
    weights = [torch.tensor(a.copy(), requires_grad=True) for a in params.values()]
    update, state = torch.optim.SGD(weights, lr=0.1), module.init_state(params)
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, labels = rng.normal(size=(5, 2, 8, 8)).astype(dtype), rng.integers(3, size=5)
        K1, b1, K2, b2, W, b = weights
        a = F.max_pool2d(torch.relu(F.conv2d(torch.tensor(x), K1, b1, padding=1)), 2)
        a = F.max_pool2d(torch.relu(F.conv2d(a, K2, b2, padding=padding)), 2).flatten(1)
        loss = F.cross_entropy(F.linear(a, W, b), torch.tensor(labels))
        update.zero_grad()
        loss.backward()
        update.step()
        found = module.train_step(params, state, x, np.eye(3, dtype=dtype)[labels])
        assert float(found) == pytest.approx(loss.item(), rel=reach)


@pytest.mark.parametrize("padding", [0, 1])
def test_the_planned_step_gives_the_bits_of_the_readable_one(padding: int) -> None:
    module, _ = module_of(padding)
    params = module.init_params(1)
    rng = np.random.default_rng(1)
    x, y = rng.integers(-1, 2, size=(4, 2, 8, 8)).astype(np.float32), np.eye(3, dtype=np.float32)[[0, 1, 2, 1]]
    loss, grads = module.loss_and_grads(params, x, y)
    assert module.train_step(params, module.init_state(params), x, y) == loss
    expected = {name: value - np.float32(0.1) * grads[name] for name, value in module.init_params(1).items()}
    for name, value in params.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-6, atol=1e-7)


def test_the_cotangent_of_a_maximum_is_neither_searched_nor_scattered() -> None:
    source = module_of(1)[1].split("def loss_and_grads")[1].split("def update")[0]
    assert not any(word in source for word in ("argmax", "np.add.at", "einsum"))
    assert ".copy()" not in source[source.index("m_taken ="):source.index("delta1 =")]
    assert "m_hit = (a1[:, :, r_1:r_1 + 7:2, s_1:s_1 + 7:2] == m) & ~m_taken" in source
