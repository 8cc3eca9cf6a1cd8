"""How long a training step of a generated LSTM takes, beside its bare matrix products and beside PyTorch, in one run.

    python benchmarks/lstm_step.py [--rounds 60]

Reach: at most 2.0 times PyTorch's step (eager, torch.nn.LSTM, the same optimiser) for T28 D28 H128 B64, at most 1.6 times for
T100 D64 H256 B32.  The contestants take turns, and each counts with its median; float32, all cores.
"""
from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from train_step import RATE, medians  # noqa: E402 - found by the line above

CLASSES = 10
SIZES = {"T28 D28 H128 B64": (28, 28, 128, 64, 2.0), "T100 D64 H256 B32": (100, 64, 256, 32, 1.6)}
NETWORK = """name = "lstm"
[input]
shape = [{T}, {D}]
[target]
classes = 10
[[layers]]
type = "lstm"
units = {H}
[[layers]]
type = "dense"
units = 10
[loss]
type = "softmax_cross_entropy"
[optimizer]
type = "adam"
learning_rate = 1e-3
"""


def module_of(T: int, D: int, H: int) -> ModuleType:
    """The generated module of an LSTM whose last state goes to a dense layer."""
    from symbp.emit import generate
    from symbp.netfile import parse
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "module.py"
        path.write_text(generate(parse(NETWORK.format(T=T, D=D, H=H))), encoding="utf-8")
        spec = importlib.util.spec_from_file_location("module", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def products(T: int, D: int, H: int, N: int) -> Callable[[], None]:
    """The bare matrix products of a forward and a backward pass of the LSTM, into buffers."""
    rng = np.random.default_rng(0)
    x, h, z, bar = (rng.normal(size=shape).astype(np.float32) for shape in ((T * N, D), (T + 1, N, H), (T, N, 4 * H), (N, H)))
    W, U = (rng.normal(size=(4 * H, k)).astype(np.float32) for k in (D, H))
    flat, step, dW, dU = z.reshape(T * N, 4 * H), np.empty((N, 4 * H), np.float32), np.empty_like(W), np.empty_like(U)

    def run() -> None:
        np.matmul(x, W.T, out=flat)
        for t in range(T):
            np.matmul(h[t], U.T, out=step)
        for t in range(T):
            np.matmul(z[t], U, out=bar)
        np.matmul(flat.T, h[:T].reshape(T * N, H), out=dU)
        np.matmul(flat.T, x, out=dW)

    return run


def torch_step(D: int, H: int, x: np.ndarray, labels: np.ndarray) -> Callable[[], Any]:
    """A step of the same network in PyTorch."""
    import torch
    lstm, dense = torch.nn.LSTM(D, H, batch_first=True), torch.nn.Linear(H, CLASSES)
    update = torch.optim.Adam([*lstm.parameters(), *dense.parameters()], lr=RATE)
    inputs, targets = torch.tensor(x), torch.tensor(labels)

    def run() -> Any:
        update.zero_grad()
        loss = torch.nn.functional.cross_entropy(dense(lstm(inputs)[1][0][0]), targets)
        loss.backward()
        update.step()
        return loss.item()

    return run


def measure(T: int, D: int, H: int, N: int, rounds: int) -> dict[str, float]:
    """All contestants for one size."""
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(N, T, D)).astype(np.float32), rng.integers(CLASSES, size=N)
    y, module = np.eye(CLASSES, dtype=np.float32)[labels], module_of(T, D, H)
    params = module.init_params(0)
    state = module.init_state(params)
    return medians({"bare GEMMs": products(T, D, H, N), "symbp": lambda: module.train_step(params, state, x, y),
                    "torch": torch_step(D, H, x, labels)}, rounds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    for title, (*sizes, reach) in SIZES.items():
        found = measure(*sizes, rounds)
        print(title)
        for name, value in found.items():
            print(f"  {name:<14}{value:8.3f} ms")
        print(f"  symbp / bare GEMMs {found['symbp'] / found['bare GEMMs']:6.2f}")
        print(f"  symbp / torch      {found['symbp'] / found['torch']:6.2f}   (reach {reach})")


if __name__ == "__main__":
    main()
