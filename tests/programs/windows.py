"""Windows: convolution, pooling, and two programs whose domain cannot be read off a body."""
from __future__ import annotations

import itertools
from types import ModuleType
from typing import Any

import numpy as np
import sympy as sp

from programs.case import Case, Values, normals
from symbp.language import Equation, Index, Program, Tensor, inside

Pads = tuple[tuple[int, int], ...]


def out_size(size: int, kernel: int, stride: int, pad: tuple[int, int], dilation: int = 1) -> int:
    """The number of windows along one axis."""
    return (size + sum(pad) - dilation * (kernel - 1) - 1) // stride + 1


class Window:
    """Indices of a window over one or two axes: outer positions, taps, and positions in the padded input."""

    def __init__(self, sizes: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...], pads: Pads,
                 dilation: tuple[int, ...]) -> None:
        self.shape = tuple(map(out_size, sizes, kernel, stride, pads, dilation))
        self.outer = tuple(Index(name, extent) for name, extent in zip("ij", self.shape))
        self.taps = tuple(Index(name, extent) for name, extent in zip("uv", kernel))
        self.at = tuple(s * i + d * u - p[0] for i, u, s, d, p in zip(self.outer, self.taps, stride, dilation, pads))


def _torch_pad(torch: ModuleType, x: Any, pads: Pads, value: float = 0.0) -> Any:
    return torch.nn.functional.pad(x, tuple(itertools.chain(*reversed(pads))), value=value)


def conv(batch: int = 2, channels: int = 2, filters: int = 4, sizes: tuple[int, ...] = (5, 4), kernel: tuple[int, ...] = (3, 2),
         stride: tuple[int, ...] = (2, 1), pads: Pads = ((1, 0), (0, 2)), dilation: tuple[int, ...] = (1, 2), groups: int = 2) -> Case:
    """Convolution over one or two axes with a bias: stride, asymmetric padding, dilation, groups."""
    n, g = Index("n", batch), Index("g", groups)
    c, f = Index("c", channels // groups), Index("f", filters // groups)
    w = Window(sizes, kernel, stride, pads, dilation)
    X = Tensor("X", (batch, channels, *sizes), role="parameter")
    K = Tensor("K", (filters, channels // groups, *kernel), role="parameter")
    b = Tensor("b", (filters,), role="parameter")
    y = Tensor("y", (batch, filters, *w.shape))
    source, out = X[(n, c.extent * g + c, *w.at)], f.extent * g + f
    equations = (Equation(y[(n, out, *w.outer)], source * K[(out, c, *w.taps)], over=(c, *w.taps), domain=inside(source, X)),
                 Equation(y[(n, out, *w.outer)], b[out]))

    def reference(torch: ModuleType, v: dict[str, Any]) -> Any:
        run = getattr(torch.nn.functional, f"conv{len(sizes)}d")
        return run(_torch_pad(torch, v["X"], pads), v["K"], v["b"], stride=stride, dilation=dilation, groups=groups)

    shapes = {"X": X, "K": K, "b": b}
    return Case(Program((X, K, b, y), equations), "y", ("X", "K", "b"),
                lambda rng: normals(rng, **{k: tuple(map(int, t.shape)) for k, t in shapes.items()}), reference=reference)


def _pool_values(rng: np.random.Generator, shape: tuple[int, ...], ties: bool) -> Values:
    if ties:
        return {"X": rng.integers(-1, 2, size=shape).astype(float)}
    return {"X": rng.permutation(np.prod(shape)).reshape(shape) * 0.25 - 1.0}


def max_pool(batch: int = 2, channels: int = 2, sizes: tuple[int, ...] = (5, 4), kernel: tuple[int, ...] = (3, 2),
             stride: tuple[int, ...] = (2, 1), pads: Pads = ((1, 1), (0, 1)), ties: bool = False) -> Case:
    """Max pooling with padding that never wins; `ties` draws small whole numbers."""
    n, c = Index("n", batch), Index("c", channels)
    w = Window(sizes, kernel, stride, pads, (1,) * len(sizes))
    X = Tensor("X", (batch, channels, *sizes), role="parameter")
    y = Tensor("y", (batch, channels, *w.shape))
    source = X[(n, c, *w.at)]
    pooled = Equation(y[(n, c, *w.outer)], source, "max", over=w.taps, domain=inside(source, X))

    def reference(torch: ModuleType, v: dict[str, Any]) -> Any:
        run = getattr(torch.nn.functional, f"max_pool{len(sizes)}d")
        return run(_torch_pad(torch, v["X"], pads, -float("inf")), kernel, stride)

    return Case(Program((X, y), (pooled,)), "y", ("X",), lambda rng: _pool_values(rng, (batch, channels, *sizes), ties),
                reference=reference, smooth=not ties)


def avg_pool(batch: int = 2, channels: int = 2, sizes: tuple[int, ...] = (5, 4), kernel: tuple[int, ...] = (3, 2),
             stride: tuple[int, ...] = (2, 1), pad: tuple[int, ...] = (1, 1), count_pad: bool = False) -> Case:
    """Average pooling; the divisor counts the padding or the elements inside only."""
    n, c = Index("n", batch), Index("c", channels)
    w = Window(sizes, kernel, stride, tuple((p, p) for p in pad), (1,) * len(sizes))
    X = Tensor("X", (batch, channels, *sizes), role="parameter")
    y, count = Tensor("y", (batch, channels, *w.shape)), Tensor("count", w.shape)
    source = X[(n, c, *w.at)]
    share = 1 / sp.Integer(int(np.prod(kernel))) if count_pad else 1 / count[w.outer]
    equations = (Equation(count[w.outer], 1, over=w.taps, domain=inside(source, X)),
                 Equation(y[(n, c, *w.outer)], source * share, over=w.taps, domain=inside(source, X)))

    def reference(torch: ModuleType, v: dict[str, Any]) -> Any:
        run = getattr(torch.nn.functional, f"avg_pool{len(sizes)}d")
        return run(v["X"], kernel, stride, pad, count_include_pad=count_pad)

    return Case(Program((X, count, y), equations), "y", ("X",), lambda rng: normals(rng, X=(batch, channels, *sizes)),
                reference=reference)


def window_lse(size: int = 5, kernel: int = 3, pad: int = 1) -> Case:
    """log Σ exp over a padded window: zero fill would be off by exp(0) for each missing element."""
    w = Window((size,), (kernel,), (1,), ((pad, pad),), (1,))
    X, S, y = Tensor("X", (size,), role="parameter"), Tensor("S", w.shape), Tensor("y", w.shape)
    (i,), (u,) = w.outer, w.taps
    source = X[w.at[0]]
    program = Program((X, S, y), (Equation(S[i], sp.exp(source), over=(u,), domain=inside(source, X)), Equation(y[i], sp.log(S[i]))))

    def reference(torch: ModuleType, v: dict[str, Any]) -> Any:
        return _torch_pad(torch, v["X"], ((pad, pad),), -float("inf")).unfold(0, kernel, 1).logsumexp(1)

    return Case(program, "y", ("X",), lambda rng: normals(rng, X=(size,)), reference=reference)


def two_guards(size: int = 5, kernel: int = 3) -> Case:
    """y[i] = Σ_u (X[i+u-1] + W[u]) inside X: the adjoint of W no longer mentions X, but keeps its guard."""
    w = Window((size,), (kernel,), (1,), ((1, 1),), (1,))
    (i,), (u,) = w.outer, w.taps
    X, W, y = Tensor("X", (size,), role="parameter"), Tensor("W", (kernel,), role="parameter"), Tensor("y", w.shape)
    source = X[w.at[0]]
    program = Program((X, W, y), (Equation(y[i], source + W[u], over=(u,), domain=inside(source, X)),))

    def reference(torch: ModuleType, v: dict[str, Any]) -> Any:
        mask = _torch_pad(torch, torch.ones_like(v["X"]), ((1, 1),)).unfold(0, kernel, 1)
        return (_torch_pad(torch, v["X"], ((1, 1),)).unfold(0, kernel, 1) + mask * v["W"]).sum(1)

    return Case(program, "y", ("X", "W"), lambda rng: normals(rng, X=(size,), W=(kernel,)), reference=reference)
