"""How long a convolution takes, forward and both gradients, beside its bare matrix products and beside PyTorch, in one run.

    python benchmarks/convolution.py [--rounds 200]

N 32, C 32, 64 filters, 28×28, kernel 3, padding 1, float32, all cores; the lines are those that the planner makes of the program and its
adjoint, with a bias.  Reach: at most 2 times the bare GEMMs.  The contestants take turns, and each counts with its median.
"""
from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
BATCH, CHANNELS, FILTERS, SIZE, KERNEL = 32, 32, 64, 28, 3
FORMS = ((1, 1), (1, 2), (2, 1), (2, 2))
"""Groups and stride."""

Values = dict[str, np.ndarray]


def convolution(groups: int, stride: int) -> Any:
    """The case of the tests."""
    from programs.windows import conv
    return conv(BATCH, CHANNELS, FILTERS, (SIZE,) * 2, (KERNEL,) * 2, (stride,) * 2, ((1, 1),) * 2, (1, 1), groups)


def planned(case: Any) -> tuple[Callable[[], None], Values, Values]:
    """The planned lines of a case and its adjoint as a function, its inputs, and the arrays that it leaves."""
    from symbp.arrays import lower
    from symbp.calculus.differentiate import adjoint
    from symbp.printing.numpy import NumpyPrinter
    from symbp.printing.planned import PlannedPrinter, allocations
    from symbp.targets import NUMPY_BLOCK
    derivative = adjoint(case.program, case.of, case.wrt)
    plan = PlannedPrinter(NumpyPrinter())
    lines = plan.lines(lower(derivative.program, {case.of, *(f"{name}_bar" for name in case.wrt)}))
    buffers = list(plan.buffers.values())
    space: dict[str, Any] = {"np": np, "functools": functools, "dtype": np.float32}
    exec("\n".join([*NUMPY_BLOCK, *plan.helpers]), space)  # noqa: S102 - our own lines
    space |= space["_block"]({b.name: eval(text, space) for b, text in zip(buffers, allocations(buffers, plan.printer))})  # noqa: S307 - our own lines
    rng = np.random.default_rng(0)
    given = {t.name: rng.normal(size=tuple(map(int, t.shape))).astype(np.float32) for t in derivative.program.inputs}
    names = [*given, *(b.name for b in buffers)]
    exec(f"def run({', '.join(names)}):\n" + "\n".join("    " + line for line in lines), space)  # noqa: S102 - our own lines
    arguments = [given[n] if n in given else space[n] for n in names]
    return lambda: space["run"](*arguments), given, space


def products(groups: int, stride: int) -> Callable[[], None]:
    """The three matrix products: patches by filters, cotangents by patches, filters by cotangents; a stack of them with groups."""
    rng = np.random.default_rng(0)
    windows = BATCH * ((SIZE + 2 - KERNEL) // stride + 1) ** 2
    taps, filters = CHANNELS // groups * KERNEL**2, FILTERS // groups
    drawn = [rng.normal(size=(groups, *shape)).astype(np.float32) for shape in ((taps, windows), (filters, taps), (filters, windows))]
    drawn = [a[0] for a in drawn] if groups == 1 else drawn
    patches, kernel, cotangent = drawn
    out = [np.empty_like(a) for a in (cotangent, kernel, patches)]

    def run() -> None:
        np.matmul(kernel, patches, out=out[0])
        np.matmul(cotangent, patches.swapaxes(-2, -1), out=out[1])
        np.matmul(kernel.swapaxes(-2, -1), cotangent, out=out[2])

    return run


def torch_pass(given: Values, groups: int, stride: int) -> Callable[[], Any]:
    """The same convolution and its gradients in PyTorch."""
    import torch
    x, kernel, bias = (torch.tensor(given[n], requires_grad=True) for n in ("X", "K", "b"))
    seed = torch.tensor(next(v for n, v in given.items() if n not in ("X", "K", "b")))

    def run() -> Any:
        y = torch.nn.functional.conv2d(x, kernel, bias, stride, 1, 1, groups)
        return y, *torch.autograd.grad(y, (x, kernel, bias), seed)

    return run


def difference(found: Values, expected: tuple) -> float:
    """The largest difference to PyTorch's, relative to the largest element."""
    wanted = [a.detach().numpy() for a in expected]
    return max(float(np.abs(found[n] - w).max() / np.abs(w).max()) for n, w in zip(("y", "X_bar", "K_bar", "b_bar"), wanted))


def main() -> None:
    """Print the table."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "benchmarks")]
    from train_step import medians
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    print(f"{'groups':>6} {'stride':>6} {'symbp ms':>10} {'GEMMs ms':>10} {'PyTorch ms':>11} {'symbp / GEMMs':>14}   difference to PyTorch")
    for groups, stride in FORMS:
        run, given, arrays = planned(convolution(groups, stride))
        twin = torch_pass(given, groups, stride)
        run()
        error = difference(arrays, twin())
        t = medians({"symbp": run, "bare": products(groups, stride), "torch": twin}, rounds)
        print(f"{groups:6} {stride:6} {t['symbp']:10.1f} {t['bare']:10.1f} {t['torch']:11.1f} {t['symbp'] / t['bare']:14.2f}   {error:.0e}")


if __name__ == "__main__":
    main()
