"""Training each example's module and its PyTorch twin from the same weights on the same batches gives the same losses.

`benchmarks/torch_twin.py` does the same with 20 batches of the example's own data and size; here they are random and small.
"""
from __future__ import annotations

import sys
from pathlib import Path

import pytest
from torch_help import load_torch

torch = load_torch()
ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "benchmarks"))

from torch_twin import REACH, batches, difference, examples, factor, module_of, tables, torch_losses  # noqa: E402 - found by the line above

LARGE = ("char_transformer", "cifar_cnn", "cifar_residual", "lenet", "mnist_deep", "mnist_lstm")
"""Examples of which a step takes long; they take fewer."""


@pytest.mark.parametrize("name", examples())
@pytest.mark.parametrize("dtype", REACH)
def test_the_first_losses_equal_those_of_the_twin(name: str, dtype: str) -> None:
    batch, steps = (3, 4) if name in LARGE else (8, 20)
    assert difference(name, batch, dtype, steps) < REACH[dtype]


def test_every_example_that_is_trained_has_a_module() -> None:
    trained = {path.stem for path in (ROOT / "examples").glob("*.toml") if "data" in tables(path.stem)}
    assert trained <= set(examples())


@pytest.mark.parametrize(("old", "new"), [("learning_rate", 0.9e-3), ("beta_1", 0.8)])
def test_a_twin_that_differs_is_noticed(old: str, new: float) -> None:
    """The comparison is not one of a thing with itself: another constant of the optimiser gives other losses."""
    net, module = tables("digits_mlp"), module_of("digits_mlp")
    params, data = module.init_params(0, "float64"), batches(net, 4, 5, "float64")
    other = torch_losses({**net, "optimizer": {**net["optimizer"], old: new}}, params, data)
    assert max(abs(a - b) for a, b in zip(torch_losses(net, params, data), other)) > 1e-6


def test_the_course_of_a_rate() -> None:
    table = {"schedule": {"type": "cosine", "steps": 10, "warm_up": 4}}
    assert [factor(table, k) for k in (0, 1, 3, 4)] == [0.25, 0.5, 1, 1]
    assert factor(table, 9) == pytest.approx(0.5) and factor(table, 14) == factor(table, 30) == 0
    assert factor({"decay": 0.5}, 2) == 0.5
    assert factor({"schedule": {"type": "cosine", "steps": 10, "least": 0.2}}, 5) == pytest.approx(0.6)
