"""How long a training step of a generated module takes, beside its bare matrix products and beside PyTorch, in one run.

    python benchmarks/train_step.py [--rounds 200]

Reach: forward and backward at most 1.3 times the bare GEMMs; the whole step at most 1.0 times PyTorch's (eager, the same optimiser).
The contestants take turns, and each counts with its median; float32, all cores.  PyTorch's fused Adam is printed, too.
With OMP_NUM_THREADS=1 in the environment, this and the other steps' benchmarks run on one core and count the processor's time, which
other work on the machine changes less.
"""
from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
NETWORKS = {"784-128-10, B64": ((784, 128, 10), 64), "784-512-512-10, B128": ((784, 512, 512, 10), 128)}
RATE = 1e-3
CLOCK = time.process_time if os.environ.get("OMP_NUM_THREADS") == "1" else time.perf_counter


def module_of(widths: tuple[int, ...], optimizer: str) -> ModuleType:
    """The generated module of an MLP with relu and softmax cross-entropy."""
    from symbp.emit import generate
    from symbp.netfile import parse
    layers = "".join(f'[[layers]]\ntype = "dense"\nunits = {w}\n[[layers]]\ntype = "relu"\n' for w in widths[1:-1])
    head = f'name = "mlp"\n[input]\nshape = [{widths[0]}]\n[target]\nclasses = {widths[-1]}\n'
    last = f'[[layers]]\ntype = "dense"\nunits = {widths[-1]}\n[loss]\ntype = "softmax_cross_entropy"\n'
    net = parse(f'{head}{layers}{last}[optimizer]\ntype = "{optimizer}"\nlearning_rate = {RATE}\n')
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "module.py"
        path.write_text(generate(net), encoding="utf-8")
        spec = importlib.util.spec_from_file_location("module", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def products(widths: tuple[int, ...], batch: int) -> Callable[[], None]:
    """The bare matrix products of a forward and a backward pass, into buffers."""
    rng = np.random.default_rng(0)
    W = [rng.normal(size=(b, a)).astype(np.float32) for a, b in zip(widths, widths[1:])]
    A = [rng.normal(size=(batch, w)).astype(np.float32) for w in widths]
    D, G = [np.empty_like(a) for a in A], [np.empty_like(w) for w in W]

    def run() -> None:
        for k, w in enumerate(W):
            np.matmul(A[k], w.T, out=D[k + 1])
        for k in reversed(range(len(W))):
            np.matmul(A[k + 1].T, A[k], out=G[k])
            if k:
                np.matmul(A[k + 1], W[k], out=D[k])

    return run


def torch_step(widths: tuple[int, ...], batch: int, optimizer: str, x: np.ndarray, labels: np.ndarray, **options: Any) -> Callable[[], Any]:
    """A step of the same network in PyTorch."""
    import torch
    layers: list[torch.nn.Module] = []
    for a, b in zip(widths, widths[1:]):
        layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1])
    kinds = {"gd": torch.optim.SGD, "adam": torch.optim.Adam}
    update = kinds[optimizer](net.parameters(), lr=RATE, **options)
    inputs, targets = torch.tensor(x), torch.tensor(labels)

    def run() -> Any:
        update.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(inputs), targets)
        loss.backward()
        update.step()
        return loss.item()

    return run


def medians(contestants: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Milliseconds of each contestant, which take turns of ten calls."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds // 10):
        for name, call in contestants.items():
            call()
            for _ in range(10):
                start = CLOCK()
                call()
                times[name].append(CLOCK() - start)
    return {name: 1e3 * statistics.median(found) for name, found in times.items()}


def measure(widths: tuple[int, ...], batch: int, rounds: int) -> dict[str, float]:
    """All contestants for one network."""
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(batch, widths[0])).astype(np.float32), rng.integers(widths[-1], size=batch)
    y = np.eye(widths[-1], dtype=np.float32)[labels]
    contestants: dict[str, Callable[[], Any]] = {"bare GEMMs": products(widths, batch)}
    for optimizer in ("gd", "adam"):
        module = module_of(widths, optimizer)
        params = module.init_params(0)
        state = module.init_state(params)
        contestants[f"symbp {optimizer}"] = lambda m=module, p=params, s=state: m.train_step(p, s, x, y)
        contestants[f"torch {optimizer}"] = torch_step(widths, batch, optimizer, x, labels)
    idle = module_of(widths, "gd")
    idle.update = lambda *_: None
    given = idle.init_params(0)
    room = idle.init_state(given)
    contestants["symbp forward, backward"] = lambda: idle.train_step(given, room, x, y)
    contestants["torch adam, fused"] = torch_step(widths, batch, "adam", x, labels, fused=True)
    return medians(contestants, rounds)


def main() -> None:
    """Print the table."""
    sys.path.insert(0, str(ROOT))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    for title, (widths, batch) in NETWORKS.items():
        found = measure(widths, batch, rounds)
        print(title)
        for name, value in found.items():
            print(f"  {name:<26}{value:8.3f} ms")
        print(f"  forward and backward / bare GEMMs  {found['symbp forward, backward'] / found['bare GEMMs']:5.2f}   (reach 1.3)")
        for optimizer in ("gd", "adam"):
            ratio = found[f"symbp {optimizer}"] / found[f"torch {optimizer}"]
            print(f"  symbp {optimizer} / torch {optimizer:<15} {ratio:10.2f}   (reach 1.0)")


if __name__ == "__main__":
    main()
