"""Modules for CuPy, run on a stand-in: kernels from their C text, in C's types, against the modules for NumPy.  No GPU is needed."""
from __future__ import annotations

import ast
import importlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import sympy as sp
from cupy_stand_in import Device, ElementwiseKernel, Expression, Transfers, device, stand_in
from test_emit import ROOT, module_of

import symbp
from symbp.arrays.nodes import Apply, Name, number
from symbp.emit import data_tensors, generate
from symbp.errors import SymbpError
from symbp.netfile import parse
from symbp.network import Network
from symbp.printing.kernel import DEVICE, CudaPrinter

TOLERANCE = {np.float64: 1e-12, np.float32: 1e-5}
EVERYTHING = """
name = "everything"
[network]
loss = "L"
indices = { n = "N", i = 6, j = 6, u = 3, k = 4 }
tensors.x = { axes = ["n", "i"] }
tensors.y = { axes = ["n"] }
tensors.K = { axes = ["u"], role = "parameter" }
tensors.V = { axes = ["k", "j"], role = "parameter" }
tensors.c = { role = "parameter" }
equations = [
    "z[n,j] = sum(u, inside(x[n,j+u-1])*K[u])",
    "a[n,j] = gelu(z[n,j]) + abs(z[n,j])*c + sin(z[n,j])*cos(c) + silu(z[n,j])",
    "s[n,k] = sum(j, V[k,j]*a[n,j])",
    "h[n,k] = softplus(s[n,k]) + relu(s[n,k])^3 + sqrt(1 + s[n,k]^2)",
    "m[n] = max(k, h[n,k])",
    "L = mean(n, (m[n] - y[n])^2)",
]
"""
OPTIMIZERS = ('type = "gd"', 'type = "momentum"', 'type = "momentum"\nrate_in = "step"\nform = "averaged"', 'type = "momentum"\nrate_in = "nowhere"',
              'type = "adam"')


def has_module(path: Path) -> bool:
    """Whether a module can be generated for an example."""
    try:
        generate(symbp.load(path))
    except SymbpError:
        return False
    return True


EXAMPLES = tuple(path.stem for path in sorted((ROOT / "examples").glob("*.toml")) if has_module(path))


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Network], tuple[ModuleType, ModuleType]]:
    """A function that makes the modules of a network for NumPy and for the stand-in."""
    for name, module in stand_in().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(ElementwiseKernel, "made", [])
    return lambda net: (module_of(generate(net), tmp_path, "for_numpy"), module_of(generate(net, target="cupy"), tmp_path, "for_cupy"))


def batch(net: Network, rows: int, dtype: type, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random inputs and targets on the facts."""
    rng = np.random.default_rng(seed)
    x, y = ((rows, *(int(e) for e in t.shape[1:])) for t in data_tensors(net))
    if net.program.facts and len(y) == 2:
        return rng.normal(size=x).astype(dtype), np.eye(y[1], dtype=dtype)[rng.integers(y[1], size=rows)]
    return rng.normal(size=x).astype(dtype), rng.integers(2, size=y).astype(dtype)


def agree(net: Network, plain: ModuleType, fused: ModuleType, dtype: type) -> None:
    """Two steps of training and the readable gradients, in both modules."""
    near = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    params, given = plain.init_params(2, dtype), fused.init_params(2, dtype)
    state, other = plain.init_state(params), fused.init_state(given)
    for name, value in params.items():
        assert isinstance(given[name], Device) and given[name].tobytes() == value.tobytes()
    for seed, rows in enumerate((5, 2, 5)):
        x, y = batch(net, rows, dtype, seed)
        x_, y_ = device(x), device(y)
        loss, grads = plain.loss_and_grads(params, x, y)
        loss_, grads_ = fused.loss_and_grads(given, x_, y_)
        np.testing.assert_allclose(float(loss_), loss, **near)
        for name, value in grads.items():
            assert isinstance(grads_[name], Device) and grads_[name].dtype == dtype and grads_[name].shape == value.shape
            np.testing.assert_allclose(grads_[name].view(np.ndarray), value, **near)
        np.testing.assert_allclose(fused.forward(given, x_).view(np.ndarray), plain.forward(params, x), **near)
        before = Transfers.count
        loss, loss_ = plain.train_step(params, state, x, y), fused.train_step(given, other, x_, y_)
        assert Transfers.count == before, "a step copies between host and device"
        assert isinstance(loss_, Device) and loss_.shape == () and loss_.dtype == dtype
        np.testing.assert_allclose(float(loss_), loss, **near)
        for name, value in params.items():
            assert given[name].dtype == dtype
            np.testing.assert_allclose(given[name].view(np.ndarray), value, **near)
    np.testing.assert_allclose([float(v) for v in fused.evaluate(given, x_, y_)], plain.evaluate(params, x, y), **near)
    assert all(kernel.calls for kernel in ElementwiseKernel.made), "a kernel that nothing calls"


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_agrees_with_its_module_for_numpy(name: str, dtype: type, pair: Callable) -> None:
    net = symbp.load(ROOT / "examples" / f"{name}.toml")
    agree(net, *pair(net), dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimiser_agrees(optimizer: str, dtype: type, pair: Callable) -> None:
    text = (ROOT / "examples/xor.toml").read_text()
    net = parse(f"{text[:text.index('[optimizer]')]}\n[optimizer]\n{optimizer}\n")
    agree(net, *pair(net), dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_functions_borders_and_maxima_agree(dtype: type, pair: Callable) -> None:
    net = parse(EVERYTHING)
    agree(net, *pair(net), dtype)
