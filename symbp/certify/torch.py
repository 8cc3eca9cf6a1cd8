"""Rung 3: the forward program printed as PyTorch source, differentiated by autograd."""
from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import numpy as np

from symbp.certify.numeric import Point, worst
from symbp.certify.result import FAILED, NOT_RUN, PASSED, RungResult
from symbp.language import Program
from symbp.printing.torch import torch_source

AGREEMENT = 1e-9


def installed() -> bool:
    """Whether PyTorch can be imported."""
    return importlib.util.find_spec("torch") is not None


def printed_module(program: Program) -> ModuleType:
    """The program's PyTorch source, written to a temporary file and imported."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "printed_forward.py"
        path.write_text(torch_source(program), encoding="utf-8")
        spec = importlib.util.spec_from_file_location("printed_forward", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


def autograd(point: Point, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The gradients of ⟨seed, of⟩ by autograd, and under "" the value of `of`."""
    import torch
    leaves = {n: torch.tensor(v if v.dtype.kind == "i" else v.astype(float), requires_grad=n in names)
              for n, v in point.sample.values.items()}
    result = printed_module(point.program).forward(leaves, point.sample.sizes, _functions())[point.derivative.of]
    total = (result * torch.as_tensor(point.seed)).sum()
    found = torch.autograd.grad(total, [leaves[n] for n in names], allow_unused=True) if total.requires_grad else [None] * len(names)
    grads = {n: np.zeros_like(point.sample.values[n], dtype=float) if g is None else g.numpy() for n, g in zip(names, found)}
    return {**grads, "": result.detach().numpy()}


def _functions() -> Mapping[str, object]:
    """The stand-ins of `symbp.certify.sample.smooth_functions`, in PyTorch and without their derivatives."""
    import torch

    class Any(dict):
        def __missing__(self, name: str) -> object:
            return lambda z: torch.tanh(z) + 0.3 * torch.sin(z)

    return Any()


def independent(point: Point, names: tuple[str, ...]) -> dict[str, RungResult]:
    """The rung for every gradient."""
    if not installed():
        return {n: RungResult("independent", NOT_RUN, None, "PyTorch is not installed") for n in names}
    found = autograd(point, names)
    value = _error(found[""], point.arrays[point.derivative.of])
    results = {}
    for name in names:
        error = worst((value, _error(found[name], point.gradient(name))))
        results[name] = RungResult("independent", PASSED if error < AGREEMENT else FAILED, error, "PyTorch autograd")
    return results


def _error(found: np.ndarray, other: np.ndarray) -> float:
    """The largest difference, relative to the largest value where that is above 1."""
    return float(np.max(np.abs(found - other), initial=0.0)) / max(1.0, float(np.max(np.abs(found), initial=0.0)))
