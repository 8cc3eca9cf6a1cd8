"""Every method, schedule, clipping and penalty, step by step beside torch.optim, through the generated module's update."""
from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symbp as sb
from symbp.interpret import interpret
from symbp.optim import OPTIMIZERS

STEPS, N = 25, 6
RNG = np.random.default_rng(4)
X, LABELS = RNG.normal(size=(N, 4)), RNG.integers(3, size=N)
NETWORK = """name = "small"
[input]
shape = [4]
[target]
classes = 3
[[layers]]
type = "dense"
units = 5
activation = "tanh"
[[layers]]
type = "dense"
units = 3
[loss]
type = "softmax_cross_entropy"
[optimizer]
"""

Make = Callable[[Any, list], tuple]
"""From torch and parameters: the optimiser and a scheduler, or None."""


@functools.cache
def module_of(optimizer: str) -> types.ModuleType:
    module = types.ModuleType("small")
    exec(sb.generate(sb.parse(NETWORK + optimizer)), module.__dict__)  # noqa: S102 - our own module
    return module


def mine(optimizer: str, dtype: str = "float64") -> tuple[list[float], dict[str, np.ndarray]]:
    module = module_of(optimizer)
    params = module.init_params(1, dtype)
    state, losses = module.init_state(params), []
    for _ in range(STEPS):
        losses.append(float(module.train_step(params, state, X.astype(dtype), np.eye(3, dtype=dtype)[LABELS])))
    return losses, params


def theirs(optimizer: str, make: Make, clip: Callable | None = None, dtype: str = "float64") -> tuple[list[float], dict[str, np.ndarray]]:
    torch = pytest.importorskip("torch")
    start = module_of(optimizer).init_params(1, dtype)
    weights = {name: torch.tensor(value, requires_grad=True) for name, value in start.items()}
    x, losses = torch.tensor(X.astype(dtype)), []
    update, schedule = make(torch, list(weights.values()))
    for _ in range(STEPS):
        hidden = torch.tanh(x @ weights["W1"].T + weights["b1"])
        loss = torch.nn.functional.cross_entropy(hidden @ weights["W2"].T + weights["b2"], torch.tensor(LABELS))
        update.zero_grad()
        loss.backward()
        if clip is not None:
            clip(torch)(weights.values())
        update.step()
        if schedule is not None:
            schedule.step()
        losses.append(loss.item())
    return losses, {name: w.detach().numpy() for name, w in weights.items()}


def constant(kind: str, **settings: Any) -> Make:
    return lambda torch, p: (getattr(torch.optim, kind)(p, **settings), None)


CASES: dict[str, tuple[str, Make]] = {
    "sgd": ('type = "sgd"\nlearning_rate = 0.3', constant("SGD", lr=0.3)),
    "sgd with a penalty": ('type = "sgd"\nlearning_rate = 0.3\nweight_decay = 0.1', constant("SGD", lr=0.3, weight_decay=0.1)),
    "momentum with a penalty": ('type = "momentum"\nlearning_rate = 0.1\nweight_decay = 0.1',
                                constant("SGD", lr=0.1, momentum=0.9, weight_decay=0.1)),
    "nesterov": ('type = "nesterov"\nlearning_rate = 0.1\nbeta = 0.8', constant("SGD", lr=0.1, momentum=0.8, nesterov=True)),
    "nesterov with a penalty": ('type = "nesterov"\nlearning_rate = 0.1\nweight_decay = 0.05',
                                constant("SGD", lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.05)),
    "adagrad": ('type = "adagrad"\nlearning_rate = 0.1', constant("Adagrad", lr=0.1)),
    "adagrad with a penalty": ('type = "adagrad"\nlearning_rate = 0.1\nweight_decay = 0.1', constant("Adagrad", lr=0.1, weight_decay=0.1)),
    "rmsprop": ('type = "rmsprop"', constant("RMSprop", lr=0.01)),
    "rmsprop centered": ('type = "rmsprop"\ncentered = true\nepsilon = 1e-3', constant("RMSprop", lr=0.01, centered=True, eps=1e-3)),
    "rmsprop with momentum": ('type = "rmsprop"\nbeta = 0.7\nrho = 0.9\nweight_decay = 0.1',
                              constant("RMSprop", lr=0.01, momentum=0.7, alpha=0.9, weight_decay=0.1)),
    "rmsprop with all": ('type = "rmsprop"\nbeta = 0.7\ncentered = true\nepsilon = 1e-3',
                         constant("RMSprop", lr=0.01, momentum=0.7, centered=True, eps=1e-3)),
    "adam with a penalty": ('type = "adam"\nlearning_rate = 0.05\nweight_decay = 0.1', constant("Adam", lr=0.05, weight_decay=0.1)),
    "adamw": ('type = "adamw"\nlearning_rate = 0.05\nweight_decay = 0.3', constant("AdamW", lr=0.05, weight_decay=0.3)),
    "adamw as it is": ('type = "adamw"', constant("AdamW")),
    "step schedule": ('type = "sgd"\nlearning_rate = 0.5\nschedule = { type = "step", every = 4, factor = 0.5 }',
                      lambda torch, p: (u := torch.optim.SGD(p, lr=0.5), torch.optim.lr_scheduler.StepLR(u, 4, 0.5))),
    "exponential schedule": ('type = "adam"\nlearning_rate = 0.1\nschedule = { type = "exponential", factor = 0.9 }',
                             lambda torch, p: (u := torch.optim.Adam(p, lr=0.1), torch.optim.lr_scheduler.ExponentialLR(u, 0.9))),
    "cosine schedule": ('type = "sgd"\nlearning_rate = 0.5\nschedule = { type = "cosine", steps = 25, least = 0.1 }',
                        lambda torch, p: (u := torch.optim.SGD(p, lr=0.5), torch.optim.lr_scheduler.CosineAnnealingLR(u, 25, eta_min=0.05))),
    "warm-up": ('type = "momentum"\nlearning_rate = 0.2\nrate_in = "step"\nschedule = { type = "constant", warm_up = 8 }',
                lambda torch, p: (u := torch.optim.SGD(p, lr=0.2, momentum=0.9),
                                  torch.optim.lr_scheduler.LambdaLR(u, lambda k: min(1, (k + 1) / 8)))),
    "warm-up and cosine": ('type = "adamw"\nlearning_rate = 0.05\nschedule = { type = "cosine", steps = 10, warm_up = 5 }',
                           lambda torch, p: (u := torch.optim.AdamW(p, lr=0.05), torch.optim.lr_scheduler.LambdaLR(
                               u, lambda k: min(1, (k + 1) / 5) * (1 + np.cos(np.pi * min(1, max(k - 5, 0) / 10))) / 2))),
}


@pytest.mark.parametrize("name", CASES)
def test_beside_torch(name: str) -> None:
    """Losses of 25 steps and the parameters after them, in double precision."""
    optimizer, make = CASES[name]
    (losses, params), (expected, weights) = mine(optimizer), theirs(optimizer, make)
    np.testing.assert_allclose(losses, expected, rtol=1e-11)
    for key, value in params.items():
        np.testing.assert_allclose(value, weights[key], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("setting", "clip"), [
    ("clip_norm = 0.1", lambda torch: lambda p: torch.nn.utils.clip_grad_norm_(p, 0.1)),
    ("clip_norm = 100.0", lambda torch: lambda p: torch.nn.utils.clip_grad_norm_(p, 100.0)),
    ("clip_value = 0.01", lambda torch: lambda p: torch.nn.utils.clip_grad_value_(p, 0.01)),
])
@pytest.mark.parametrize(("kind", "make"), [('type = "sgd"\nlearning_rate = 0.5', constant("SGD", lr=0.5)),
                                            ('type = "adam"\nlearning_rate = 0.05\nweight_decay = 0.1',
                                             constant("Adam", lr=0.05, weight_decay=0.1))])
def test_clipping_beside_torch(setting: str, clip: Callable, kind: str, make: Make) -> None:
    """Gradients are clipped before the penalty is added, as there."""
    optimizer = f"{kind}\n{setting}"
    np.testing.assert_allclose(mine(optimizer)[0], theirs(optimizer, make, clip)[0], rtol=1e-11)


@pytest.mark.parametrize("name", [*CASES, "clip"])
def test_single_precision_stays_single(name: str) -> None:
    """Nothing on the way is promoted, and the losses agree to float32's rounding."""
    optimizer = CASES[name][0] if name != "clip" else 'type = "adamw"\nclip_norm = 0.1\nclip_value = 0.05'
    losses, params = mine(optimizer, "float32")
    assert {p.dtype for p in params.values()} == {np.dtype("float32")}
    np.testing.assert_allclose(losses, mine(optimizer)[0], rtol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_a_saved_state_goes_on_with_the_same_bits(name: str, tmp_path: Any) -> None:
    """Saved and loaded in the middle."""
    module, results = module_of(CASES[name][0]), []
    for interrupted in (False, True):
        params = module.init_params(2, "float32")
        state = module.init_state(params)
        for k in range(8):
            if interrupted and k == 4:
                module.save(tmp_path / "saved.npz", params, state)
                params, state = module.load(tmp_path / "saved.npz")
            module.train_step(params, state, X.astype("float32"), np.eye(3, dtype="float32")[LABELS])
        results.append(params)
    for key in results[0]:
        np.testing.assert_array_equal(results[0][key], results[1][key])


def test_the_penalty_is_the_derivative_of_its_square() -> None:
    """L2: λ θ comes from λ/2 Σ θ² in the loss, here written into the equations."""
    plain = sb.Network.of_equations("line", ["L = sum(i, (w[i] - c[i])^2)"], {"w": {"axes": ["i"], "role": "parameter"}, "c": {"axes": ["i"]}},
                                    loss="L", indices={"i": 3}, optimizer=sb.GradientDescent(weight_decay=0.5))
    written = sb.Network.of_equations("line", ["L = sum(i, (w[i] - c[i])^2) + 0.5/2*sum(i, w[i]^2)"],
                                      {"w": {"axes": ["i"], "role": "parameter"}, "c": {"axes": ["i"]}}, loss="L", indices={"i": 3},
                                      optimizer=sb.GradientDescent())
    found = []
    for network in (plain, written):
        update = network.update(sb.derive(network).derivative)
        values = {"w": [1.0, 2.0, 3.0], "c": [0.5, 0.0, 1.0], **update.values}
        found.append(interpret(update.extended(), values)["w_next"])
    np.testing.assert_allclose(*found, rtol=1e-14)


@pytest.mark.parametrize(("text", "words"), [
    ('type = "sgd"\nschedule = { type = "stepp" }', 'schedule: unknown schedule type "stepp"; did you mean "step"?'),
    ('type = "sgd"\nschedule = { type = "step" }', 'the key "every" is missing'),
    ('type = "sgd"\nschedule = { type = "cosine", steps = 0 }', "steps = 0 must be greater than 0"),
    ('type = "sgd"\nschedule = { every = 3 }', 'has no key "type"'), ('type = "sgd"\nclip_norm = 0.0', "clip_norm = 0.0 must be greater than 0"),
    ('type = "sgd"\nclip_value = -1.0', "clip_value = -1.0 must be greater than 0"),
    ('type = "adamw"\nweight_decay = -0.1', "weight_decay = -0.1 must be at least 0"), ('type = "rmsprob"', 'did you mean "rmsprop"?'),
    ('type = "sgd"\nschedule = 3', "schedule"), ('type = "sgd"\nschedule = { type = "constant", warm_up = -1 }', "warm_up = -1 must be at least 0"),
])
def test_settings_that_are_wrong(text: str, words: str) -> None:
    """One sentence with the key."""
    with pytest.raises(sb.NetworkError) as caught:
        sb.parse(NETWORK + text)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_every_method_prints(kind: str) -> None:
    """The update is a part of the document, and ends with the parameters' next values."""
    network = sb.parse(NETWORK + f'type = "{kind}"\nclip_norm = 1.0\nschedule = {{ type = "cosine", steps = 9, warm_up = 2 }}')
    program, lines = network.update_lines(sb.derive(network))
    targets = [target.name for target, _ in lines]
    assert [program.tensor(t).next_of for t in targets if program.tensor(t).next_of in ("W1", "b1", "W2", "b2")] == ["W1", "b1", "W2", "b2"]
    assert "rate" in targets and "squared_norm" in targets and "scale" in targets
