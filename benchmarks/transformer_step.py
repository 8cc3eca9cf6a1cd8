"""How long a training step of a generated transformer block takes, beside its bare matrix products and beside PyTorch, in one run.

    python benchmarks/transformer_step.py [--rounds 100]

B16, T64, D128, 4 heads, causal, squared error, gradient descent, float32, all cores.  Reach: at most 2.0 times PyTorch's eager step.
"""
from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from train_step import medians  # noqa: E402 - found by the line above

RATE = 1e-6  # the numbers stay where they are
BATCH, STEPS, WIDTH, HEADS = 16, 64, 128, 4
BLOCK = f"""
name = "block"
[input]
shape = [{STEPS}, {WIDTH}]
[[layers]]
type = "transformer_block"
heads = {HEADS}
causal = true
[loss]
type = "squared_error"
[optimizer]
type = "gd"
learning_rate = {RATE}
"""


def block() -> ModuleType:
    """The generated module."""
    from symbp.emit import generate
    from symbp.netfile import parse
    module = ModuleType("block")
    exec(generate(parse(BLOCK)), module.__dict__)  # noqa: S102 - our own lines
    return module


def products() -> Callable[[], None]:
    """The bare matrix products of a forward and a backward pass, into buffers."""
    rng = np.random.default_rng(0)
    new = lambda *shape: rng.normal(size=shape).astype(np.float32)  # noqa: E731
    rows, d = BATCH * STEPS, WIDTH // HEADS
    shapes = [(WIDTH, WIDTH)] * 4 + [(WIDTH, 4 * WIDTH), (4 * WIDTH, WIDTH)]
    dense = [(new(rows, a), new(b, a), new(rows, b), new(b, a), new(rows, a)) for a, b in shapes]
    q, p = new(BATCH, HEADS, STEPS, d), new(BATCH, HEADS, STEPS, STEPS)
    q_out, p_out = np.empty_like(q), np.empty_like(p)

    def run() -> None:
        for x, W, z, dW, dx in dense:
            np.matmul(x, W.T, out=z)
            np.matmul(z.T, x, out=dW)
            np.matmul(z, W, out=dx)
        for _ in range(2):
            np.matmul(q, q.swapaxes(2, 3), out=p_out)
        for _ in range(4):
            np.matmul(p, q, out=q_out)

    return run


def torch_step(x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    """A step of the same block in PyTorch."""
    import torch
    net = torch.nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=True)
    update = torch.optim.SGD(net.parameters(), lr=RATE)
    inputs, targets = torch.tensor(x), torch.tensor(y)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(STEPS)

    def run() -> Any:
        update.zero_grad()
        loss = ((net(inputs, src_mask=mask, is_causal=True) - targets)**2).sum() / (2 * BATCH)
        loss.backward()
        update.step()
        return loss.item()

    return run


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    rounds = parser.parse_args().rounds
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(BATCH, STEPS, WIDTH)).astype(np.float32) for _ in range(2))
    module = block()
    params = module.init_params(0)
    state = module.init_state(params)
    found = medians({"bare GEMMs": products(), "symbp": lambda: module.train_step(params, state, x, y), "torch": torch_step(x, y)}, rounds)
    for name, value in found.items():
        print(f"  {name:<12}{value:8.3f} ms")
    print(f"  symbp / bare GEMMs  {found['symbp'] / found['bare GEMMs']:5.2f}")
    print(f"  symbp / torch       {found['symbp'] / found['torch']:5.2f}   (reach 2.0)")


if __name__ == "__main__":
    main()
