"""The first losses of generated modules and of their twins in PyTorch, which start from the same weights and see the same batches.

    python benchmarks/torch_twin.py [--steps 20]

Reach: the largest relative difference of a loss at most 1e-10 in float64 and 1e-4 in float32.
"""
from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import ModuleType

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from train_step import NETWORKS, RATE, module_of  # noqa: E402 - found by the line above

OPTIMIZERS = ("gd", "momentum", "adam")
REACH = {"float64": 1e-10, "float32": 1e-4}


def batches(widths: tuple[int, ...], batch: int, steps: int, dtype: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Inputs and labels of each step."""
    rng = np.random.default_rng(0)
    return [(rng.normal(size=(batch, widths[0])).astype(dtype), rng.integers(widths[-1], size=batch)) for _ in range(steps)]


def generated_losses(module: ModuleType, params: dict[str, np.ndarray], data: list[tuple[np.ndarray, np.ndarray]]) -> list[float]:
    """The losses before each step of the generated module; leaves the parameters trained."""
    state = module.init_state(params)
    return [float(module.train_step(params, state, x, np.eye(module.forward(params, x[:1]).shape[1], dtype=x.dtype)[labels]))
            for x, labels in data]


def torch_losses(params: dict[str, np.ndarray], optimizer: str, data: list[tuple[np.ndarray, np.ndarray]]) -> list[float]:
    """The losses before each step of PyTorch's layers, which start from the parameters given, in order: W1, b1, W2, …"""
    import torch
    weights = [torch.tensor(a, requires_grad=True) for a in params.values()]
    update = {"gd": lambda: torch.optim.SGD(weights, lr=RATE), "momentum": lambda: torch.optim.SGD(weights, lr=RATE, momentum=0.9),
              "adam": lambda: torch.optim.Adam(weights, lr=RATE)}[optimizer]()
    found = []
    for x, labels in data:
        a = torch.tensor(x)
        for W, b in zip(weights[::2], weights[1::2]):
            z = torch.nn.functional.linear(a, W, b)
            a = torch.relu(z)
        loss = torch.nn.functional.cross_entropy(z, torch.tensor(labels))
        update.zero_grad()
        loss.backward()
        update.step()
        found.append(loss.item())
    return found


def difference(widths: tuple[int, ...], batch: int, optimizer: str, dtype: str, steps: int = 20) -> float:
    """The largest relative difference of a loss."""
    module = module_of(widths, optimizer)
    params = module.init_params(0, dtype)
    data = batches(widths, batch, steps, dtype)
    twin = torch_losses(params, optimizer, data)
    return max(abs(a - b) / abs(b) for a, b in zip(generated_losses(module, params, data), twin))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    steps = parser.parse_args().steps
    for title, (widths, batch) in NETWORKS.items():
        print(title)
        for dtype, reach in REACH.items():
            for optimizer in OPTIMIZERS:
                print(f"  {dtype}  {optimizer:<10}{difference(widths, batch, optimizer, dtype, steps):10.1e}   (reach {reach:.0e})")


if __name__ == "__main__":
    main()
