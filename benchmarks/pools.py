"""How long pools take, forward and the gradient of their input, beside PyTorch, in one run.

    python benchmarks/pools.py [--rounds 50]

N 64, C 32, 32×32, float32, all cores; the lines are those that the planner makes of the program and its adjoint.  The contestants take
turns, and each counts with its median.
"""
from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
BATCH, CHANNELS, SIZE = 64, 32, 32
FORMS = (("max", 2, 2, 0), ("max", 3, 2, 0), ("max", 3, 2, 1), ("max", 3, 1, 1), ("max", 5, 2, 2),
         ("average", 2, 2, 0), ("average", 3, 2, 1), ("average", 3, 1, 1))
"""What is pooled, the kernel, the stride and the padding."""


def pool(kind: str, kernel: int, stride: int, padding: int) -> Any:
    """The case of the tests; means count the padding."""
    from programs.windows import avg_pool, max_pool
    sizes, kernels, strides = (SIZE,) * 2, (kernel,) * 2, (stride,) * 2
    if kind == "max":
        return max_pool(BATCH, CHANNELS, sizes, kernels, strides, ((padding, padding),) * 2)
    return avg_pool(BATCH, CHANNELS, sizes, kernels, strides, (padding,) * 2, count_pad=True)


def torch_pass(given: dict[str, np.ndarray], kind: str, kernel: int, stride: int, padding: int) -> Callable[[], Any]:
    """The same pool and its gradient in PyTorch."""
    import torch
    x = torch.tensor(given["X"], requires_grad=True)
    seed = torch.tensor(next(v for n, v in given.items() if n != "X"))
    functions = torch.nn.functional

    def run() -> Any:
        y = getattr(functions, "max_pool2d" if kind == "max" else "avg_pool2d")(x, kernel, stride, padding)
        return y, *torch.autograd.grad(y, (x,), seed)

    return run


def main() -> None:
    """Print the table."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "benchmarks")]
    from convolution import planned
    from train_step import medians
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    rounds = parser.parse_args().rounds
    print(f"{'pool':>8} {'kernel':>6} {'stride':>6} {'padding':>7} {'symbp ms':>9} {'PyTorch ms':>11}   difference to PyTorch")
    for form in FORMS:
        run, given, arrays = planned(pool(*form))
        twin = torch_pass(given, *form)
        run()
        error = max(float(np.abs(arrays[n] - w.detach().numpy()).max()) for n, w in zip(("y", "X_bar"), twin()))
        t = medians({"symbp": run, "torch": twin}, rounds)
        print(f"{form[0]:>8} {form[1]:6} {form[2]:6} {form[3]:7} {t['symbp']:9.1f} {t['torch']:11.1f}   {error:.0e}")


if __name__ == "__main__":
    main()
