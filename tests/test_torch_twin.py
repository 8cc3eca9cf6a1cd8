"""Training a generated module and PyTorch's layers from the same weights on the same batches gives the same losses."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest
from torch_help import load_torch

torch = load_torch()
sys.path.append(str(Path(__file__).resolve().parent.parent / "benchmarks"))

from torch_twin import OPTIMIZERS, REACH, batches, difference, generated_losses, module_of  # noqa: E402 - found by the line above


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dtype", REACH)
def test_twenty_losses_equal_those_of_the_twin(optimizer: str, dtype: str) -> None:
    assert difference((6, 5, 4, 3), 8, optimizer, dtype) < REACH[dtype]


def test_the_losses_change() -> None:
    module = module_of((6, 5, 3), "adam")
    x, labels = batches((6, 5, 3), 8, 1, "float64")[0]
    params = module.init_params(0, "float64")
    found = generated_losses(module, params, [(x, labels)] * 20)
    assert found[-1] < found[0]
