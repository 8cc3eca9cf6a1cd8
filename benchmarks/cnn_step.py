"""How long a training step of two convolutional networks takes, beside PyTorch's and beside the bare matrix products, in one run.

    python benchmarks/cnn_step.py [--rounds 100] [--lines]

LeNet (8 and 16 filters, 5×5) on 28×28 and a network 3 → 32 → 64 (3×3, padding 1) on 32×32, batches of 64, biases, first-hit ties, float32,
gradient descent, all cores; PyTorch eager in its default layout.  Reach: at most 1.5 times PyTorch.  The contestants take turns, and each
counts with its median.  `--lines` prints where the time of the generated step goes, line by line.
"""
from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from train_step import CLOCK, medians  # noqa: E402 - found by the line above

BATCH, RATE = 64, 0.01
CONV = ('[[layers]]\ntype = "conv2d"\nfilters = {}\nkernel = {}\npadding = {}\nactivation = "relu"\n'
        '[[layers]]\ntype = "max_pool"\nkernel = 2\n')
NETWORKS: dict[str, tuple[tuple[int, int, int], tuple[tuple[int, int, int], ...], tuple[int, ...]]] = {
    "LeNet, batch 64": ((1, 28, 28), ((8, 5, 2), (16, 5, 0)), (128, 10)),
    "3-32-64 on 32x32, batch 64": ((3, 32, 32), ((32, 3, 1), (64, 3, 1)), (10,)),
}
"""The input, filters, kernel and padding of each convolution, and the widths of the dense layers."""


def source_of(shape: tuple[int, ...], convolutions: tuple[tuple[int, int, int], ...], widths: tuple[int, ...]) -> str:
    """The generated module's text."""
    import symbp as sb
    from symbp.netfile import parse
    dense = '[[layers]]\ntype = "relu"\n'.join(f'[[layers]]\ntype = "dense"\nunits = {w}\n' for w in widths)
    return sb.generate(parse(f'name = "net"\n[input]\nshape = {list(shape)}\n' + "".join(CONV.format(*c) for c in convolutions)
                             + f'[[layers]]\ntype = "flatten"\n{dense}[loss]\ntype = "softmax_cross_entropy"\n'
                             + f'[optimizer]\ntype = "gd"\nlearning_rate = {RATE}\n'))


def module_of(source: str) -> ModuleType:
    """The text as a module."""
    module = ModuleType("net")
    exec(source, module.__dict__)  # noqa: S102 - our own module
    return module


def products(shape: tuple[int, ...], convolutions: tuple[tuple[int, int, int], ...], widths: tuple[int, ...]) -> Callable[[], None]:
    """The bare matrix products of a step: forward, gradients of the weights, and of all inputs but the first."""
    sizes, (channels, size, _) = [], shape
    for filters, kernel, padding in convolutions:
        size = size + 2 * padding - kernel + 1
        sizes.append((filters, channels * kernel**2, BATCH * size**2))
        channels, size = filters, size // 2
    inner = channels * size**2
    for width in widths:
        sizes.append((width, inner, BATCH))
        inner = width
    rng = np.random.default_rng(0)
    arrays = [tuple(rng.normal(size=s).astype(np.float32) for s in ((f, c), (c, n), (f, n))) for f, c, n in sizes]
    out = [tuple(map(np.empty_like, a)) for a in arrays]

    def run() -> None:
        for (w, x, _), (_, _, into) in zip(arrays, out, strict=True):
            np.matmul(w, x, out=into)
        for k, ((w, x, y), (dw, dx, _)) in enumerate(zip(arrays, out, strict=True)):
            np.matmul(y, x.T, out=dw)
            if k:
                np.matmul(w.T, y, out=dx)

    return run


def torch_step(convolutions: tuple[tuple[int, int, int], ...], params: dict[str, np.ndarray], x: np.ndarray, labels: np.ndarray
               ) -> Callable[[], Any]:
    """A step of the same network in PyTorch, which starts from the same weights."""
    import torch
    F = torch.nn.functional
    weights = [torch.tensor(a, requires_grad=True) for a in params.values()]
    update = torch.optim.SGD(weights, lr=RATE)
    inputs, targets = torch.tensor(x), torch.tensor(labels)

    def run() -> Any:
        a, pairs = inputs, list(zip(weights[::2], weights[1::2], strict=True))
        for (K, b), (_, _, padding) in zip(pairs, convolutions, strict=False):
            a = F.max_pool2d(torch.relu(F.conv2d(a, K, b, padding=padding)), 2)
        a = a.flatten(1)
        for k, (W, b) in enumerate(pairs[len(convolutions):]):
            a = F.linear(torch.relu(a) if k else a, W, b)
        update.zero_grad()
        loss = F.cross_entropy(a, targets)
        loss.backward()
        update.step()
        return loss.item()

    return run


def marked(body: list[ast.stmt], texts: list[str]) -> list[ast.stmt]:
    """The statements, each followed by a call that counts its time; those in loops, too."""
    found: list[ast.stmt] = []
    for statement in body:
        if isinstance(statement, ast.For):
            statement.body = marked(statement.body, texts)
            found.append(statement)
        else:
            texts.append(ast.unparse(statement))
            found += [statement] if isinstance(statement, ast.Return) else [statement, *ast.parse(f"_mark({len(texts) - 1})").body]
    return found


def by_line(source: str, x: np.ndarray, y: np.ndarray, rounds: int) -> list[tuple[float, str]]:
    """Milliseconds of each line of `train_step`, the longest first; the median of the steps."""
    tree, texts = ast.parse(source), list[str]()
    step = next(f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name == "train_step")
    step.body = marked(step.body, texts)
    times, last = np.zeros(len(texts)), [0.0]

    def mark(k: int) -> None:
        now = CLOCK()
        times[k] += now - last[0]
        last[0] = CLOCK()

    space: dict[str, Any] = {"__name__": "net", "_mark": mark}
    exec(compile(ast.fix_missing_locations(tree), "net", "exec"), space)  # noqa: S102 - our own module
    params, found = space["init_params"](0), []
    state = space["init_state"](params)
    for _ in range(rounds + 3):
        times[:], last[0] = 0, CLOCK()
        space["train_step"](params, state, x, y)
        found.append(times.copy())
    return sorted(zip(1e3 * np.median(found[3:], axis=0), texts, strict=True), reverse=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--lines", action="store_true")
    options = parser.parse_args()
    for title, network in NETWORKS.items():
        source = source_of(*network)
        module = module_of(source)
        rng = np.random.default_rng(0)
        x, labels = rng.normal(size=(BATCH, *network[0])).astype(np.float32), rng.integers(10, size=BATCH)
        y = np.eye(10, dtype=np.float32)[labels]
        params = module.init_params(0)
        state = module.init_state(params)
        twin = torch_step(network[1], params, x, labels)
        found = medians({"bare GEMMs": products(*network), "symbp": lambda m=module, p=params, s=state, x=x, y=y: m.train_step(p, s, x, y),
                         "torch": twin}, options.rounds)
        print(title)
        for name, value in found.items():
            print(f"  {name:<12}{value:8.2f} ms")
        print(f"  symbp / torch {found['symbp'] / found['torch']:9.2f}   (reach 1.5)")
        print(f"  symbp / GEMMs {found['symbp'] / found['bare GEMMs']:9.2f}")
        if options.lines:
            for value, text in by_line(source, x, y, 20)[:25]:
                print(f"    {value:7.2f}  {' '.join(text.split())[:150]}")


if __name__ == "__main__":
    main()
