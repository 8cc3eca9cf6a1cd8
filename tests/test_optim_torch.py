"""Generated modules against torch.optim: twenty-five steps of a small network, values after each step, in both precisions."""
from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_emit import module_of

from symbp.emit import generate
from symbp.netfile import parse

torch = pytest.importorskip("torch")
STEPS, ROWS = 25, 6
NETWORK = """
name = "small"
[input]
shape = [3]
[target]
classes = 4
[[layers]]
type = "dense"
units = 5
[[layers]]
type = "tanh"
[[layers]]
type = "dense"
units = 4
[loss]
type = "softmax_cross_entropy"
[optimizer]
"""
SGD, ADAM, RMS = torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop

METHODS: dict[str, tuple[str, Callable]] = {
    "gd": ('type = "gd"\nlearning_rate = 0.3', lambda p: SGD(p, lr=0.3)),
    "sgd decay": ('type = "sgd"\nlearning_rate = 0.3\nweight_decay = 0.1', lambda p: SGD(p, lr=0.3, weight_decay=0.1)),
    "momentum": ('type = "momentum"\nlearning_rate = 0.1\nbeta = 0.8\nweight_decay = 0.02\nrate_in = "step"',
                 lambda p: SGD(p, lr=0.1, momentum=0.8, weight_decay=0.02)),
    "nesterov": ('type = "nesterov"\nlearning_rate = 0.1\nweight_decay = 0.02', lambda p: SGD(p, lr=0.1, momentum=0.9, nesterov=True,
                                                                                            weight_decay=0.02)),
    "nesterov, rate in the velocity": ('type = "nesterov"\nrate_in = "velocity"', lambda p: SGD(p, lr=0.01, momentum=0.9, nesterov=True)),
    "adagrad": ('type = "adagrad"', torch.optim.Adagrad),
    "adagrad decay": ('type = "adagrad"\nlearning_rate = 0.1\nweight_decay = 0.1',
                      lambda p: torch.optim.Adagrad(p, lr=0.1, weight_decay=0.1)),
    "rmsprop": ('type = "rmsprop"', RMS),
    "rmsprop centred": ('type = "rmsprop"\ncentered = true\nbeta = 0.9\nepsilon = 1e-4',
                        lambda p: RMS(p, centered=True, alpha=0.9, eps=1e-4)),
    "rmsprop momentum": ('type = "rmsprop"\nmomentum = 0.7\ncentered = true\nepsilon = 1e-4\nweight_decay = 0.1\nlearning_rate = 1e-3',
                         lambda p: RMS(p, lr=1e-3, momentum=0.7, centered=True, eps=1e-4, weight_decay=0.1)),
    "adam": ('type = "adam"', ADAM),
    "adam decay": ('type = "adam"\nlearning_rate = 0.01\nweight_decay = 0.1', lambda p: ADAM(p, lr=0.01, weight_decay=0.1)),
    "adamw": ('type = "adamw"', torch.optim.AdamW),
    "adamw decay": ('type = "adamw"\nlearning_rate = 0.01\nweight_decay = 0.3\nbeta_2 = 0.95',
                    lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.3, betas=(0.9, 0.95))),
    "adamw without biases": ('type = "adamw"\nweight_decay = 0.5\ndecay_biases = false', lambda p: torch.optim.AdamW(
        [{"params": [w for w in p if w.ndim > 1]}, {"params": [w for w in p if w.ndim < 2], "weight_decay": 0.0}], weight_decay=0.5)),
    "sgd decay without biases": ('type = "gd"\nweight_decay = 0.5\ndecay_biases = false', lambda p: SGD(
        [{"params": [w for w in p if w.ndim > 1], "weight_decay": 0.5}, {"params": [w for w in p if w.ndim < 2]}], lr=0.1)),
}


@functools.cache
def source_of(text: str) -> str:
    """The module of the small network with an optimiser, which both precisions share."""
    return generate(parse(NETWORK + text))


def run(text: str, folder: Path, make: Callable, dtype: type, prepare: Callable = lambda leaves: None, schedule: Callable | None = None,
        scale: float = 1.0) -> None:
    """Compare all parameters after each step; both sides are given the gradients that PyTorch finds at its own parameters."""
    module = module_of(source_of(text), folder)
    params = module.init_params(1, dtype)
    state = module.init_state(params)
    leaves = {k: torch.tensor(v, requires_grad=True) for k, v in params.items()}
    optimizer = make(list(leaves.values()))
    rates = schedule(optimizer) if schedule else None
    rng = np.random.default_rng(3)
    for _ in range(STEPS):
        x, t = rng.normal(size=(ROWS, 3)).astype(dtype), rng.integers(4, size=ROWS)
        optimizer.zero_grad()
        z = torch.tanh(torch.tensor(x) @ leaves["W1"].T + leaves["b1"]) @ leaves["W2"].T + leaves["b2"]
        (scale * torch.nn.functional.cross_entropy(z, torch.tensor(t))).backward()
        grads = {k: leaf.grad.numpy().copy() for k, leaf in leaves.items()}
        before = {k: g.copy() for k, g in grads.items()}
        prepare(list(leaves.values()))
        optimizer.step()
        module.update(params, state, grads)
        if rates is not None:
            rates.step()
        for name, leaf in leaves.items():
            tolerance = {"rtol": 1e-12, "atol": 1e-14} if dtype is np.float64 else {"rtol": 2e-5, "atol": 2e-6}
            assert params[name].dtype == dtype
            np.testing.assert_array_equal(grads[name], before[name])
            np.testing.assert_allclose(params[name], leaf.detach().numpy(), **tolerance)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("method", METHODS)
def test_methods(method: str, dtype: type, tmp_path: Path) -> None:
    text, make = METHODS[method]
    run(text, tmp_path, make, dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("scale", [0.01, 1.0, 50.0])
def test_clipping(scale: float, dtype: type, tmp_path: Path) -> None:
    norm, value = torch.nn.utils.clip_grad_norm_, torch.nn.utils.clip_grad_value_
    (tmp_path / "a").mkdir()
    run('type = "gd"\nweight_decay = 0.1\nclip_norm = 0.5', tmp_path, lambda p: SGD(p, lr=0.1, weight_decay=0.1), dtype,
        lambda p: norm(p, 0.5), scale=scale)
    run('type = "momentum"\nrate_in = "step"\nclip_value = 0.07', tmp_path / "a", lambda p: SGD(p, lr=0.01, momentum=0.9), dtype,
        lambda p: value(p, 0.07), scale=scale)


LR = torch.optim.lr_scheduler
SCHEDULES: dict[str, tuple[str, Callable]] = {
    "step": ('{ type = "step", every = 7, factor = 0.3 }', lambda o: LR.StepLR(o, 7, 0.3)),
    "exponential": ('{ type = "exponential", factor = 0.9 }', lambda o: LR.ExponentialLR(o, 0.9)),
    "cosine": ('{ type = "cosine", total = 24, lowest = 0.01 }', lambda o: LR.CosineAnnealingLR(o, 24, 0.01)),
    "cosine to zero": ('{ type = "cosine", total = 30 }', lambda o: LR.CosineAnnealingLR(o, 30)),
    "inverse": ('{ type = "inverse", decay = 0.2 }', lambda o: LR.LambdaLR(o, lambda k: 1 / (1 + 0.2 * k))),
    "warm-up": ('{ type = "constant", warmup = 6 }', lambda o: LR.LambdaLR(o, lambda k: min((k + 1) / 6, 1))),
    "warm-up, cosine": ('{ type = "cosine", total = 25, warmup = 6 }', lambda o: LR.SequentialLR(
        o, [LR.LambdaLR(o, lambda k: (k + 1) / 6), LR.CosineAnnealingLR(o, 19)], [6])),
    "warm-up, step": ('{ type = "step", every = 4, warmup = 3 }', lambda o: LR.LambdaLR(
        o, lambda k: (k + 1) / 3 if k < 3 else 0.1 ** ((k - 3) // 4))),
}


def rates_of(text: str) -> list[Any]:
    """The rate of each step, from the lines of a generated module."""
    source = source_of(f'type = "gd"\nlearning_rate = 0.3\nschedule = {text}')
    space: dict[str, Any] = {}
    exec(source.replace("    for name, w in params.items():", "    RATES.append(rate)\n    for name, w in params.items():"), space)  # noqa: S102
    space["RATES"] = []
    state = {"step": 0}
    for _ in range(STEPS):
        space["update"]({}, state, {})
    return space["RATES"]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules(schedule: str, tmp_path: Path) -> None:
    text, make = SCHEDULES[schedule]
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler, expected = make(optimizer), []
    for _ in range(STEPS):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    found = rates_of(text)
    assert {type(r) for r in found} == {float}
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-16)
    run(f'type = "gd"\nlearning_rate = 0.3\nschedule = {text}', tmp_path, lambda p: SGD(p, lr=0.3), np.float64, schedule=make)


def test_the_rate_stays_lowest_behind_the_last_step() -> None:
    assert rates_of('{ type = "cosine", total = 20, lowest = 0.25 }')[20:] == pytest.approx([0.25] * 5, rel=1e-15)
