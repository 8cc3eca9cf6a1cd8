"""What a module keeps beside its parameters: running statistics and the generator; the same bits from the same state, also after a kill."""
from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from cupy_stand_in import stand_in
from test_run_killed import contents, in_a_process, killed_at

import symbp as sb
from symbp.emit import generate
from symbp.errors import RunError
from symbp.interpret import interpret
from symbp.run import loop, resume, train

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples/digits_batch_norm.toml"
DTYPES = (np.float32, np.float64)


def compiled(source: str) -> ModuleType:
    """The module of a source."""
    module = ModuleType("made")
    exec(compile(source, "made.py", "exec"), module.__dict__)  # noqa: S102 - generated here from equations
    return module


@pytest.fixture(scope="module")
def net() -> sb.Network:
    layers = [sb.Dense(units=5), sb.BatchNorm(name="norm"), sb.Activation(type="relu"), sb.Dropout(rate=0.3), sb.Dense(units=4),
              sb.BatchNorm(), sb.Dropout(rate=0.5)]
    return sb.Network.of_layers("net", layers, sb.SoftmaxCrossEntropy(), input=[3], optimizer=sb.Adam())


@pytest.fixture(scope="module")
def module(net: sb.Network) -> ModuleType:
    return compiled(generate(net))


def batch(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and one-hot targets."""
    rng = np.random.default_rng(seed)
    return rng.normal(1, 2, (rows, 3)), np.eye(4)[rng.integers(4, size=rows)]


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    """Whether two dictionaries of arrays have the same bits."""
    return a.keys() == b.keys() and all(a[k].tobytes() == b[k].tobytes() for k in a)


def test_both_programs_have_the_same_parameters_and_statistics(net: sb.Network) -> None:
    assert net.trained is not None and net.inference is net.trained
    assert [(t.name, t.shape) for t in net.parameters] == [(t.name, t.shape) for t in net.inference.parameters]
    assert list(net.starts) == list(net.inference.starts) == ["norm.running_mean", "norm.running_var", "running_mean4", "running_var4"]
    assert len(net.rates) == 2 and not net.inference.rates
    assert not any(t.role == "random" or t.next_of for t in net.inference.program.tensors)


def test_a_network_that_makes_no_difference_has_one_program() -> None:
    plain = sb.load(ROOT / "examples/digits_mlp.toml")
    assert plain.trained is None and plain.inference is plain
    assert not {"RUNNING", "random((", "state is None"} & {w for w in ("RUNNING", "random((", "state is None") if w in generate(plain)}


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_planned_step_gives_the_bits_of_the_readable_one(module: ModuleType, dtype: type) -> None:
    params, twin = module.init_params(1, dtype), module.init_params(1, dtype)
    state, other = module.init_state(params, 5), module.init_state(twin, 5)
    for seed, rows in enumerate((8, 3, 8, 2, 3)):
        x, y = batch(rows, seed)
        loss = module.train_step(params, state, x, y)
        expected, grads = module.loss_and_grads(twin, x, y, other)
        module.update(twin, other, grads)
        assert loss == expected and loss.dtype == dtype
        assert same(params, twin)
    assert state["step"] == other["step"] == 5
    assert same(other["running"], module.init_state(twin)["running"]), "the readable function changes no state"
    assert {v.dtype for v in state["running"].values()} == {np.dtype(dtype)}


def test_a_step_equals_the_oracle_running_statistics_included(net: sb.Network, module: ModuleType) -> None:
    params = module.init_params(2, np.float64)
    state = module.init_state(params, 7)
    x, y = batch(6)
    rng = np.random.default_rng([7, 0, 1])
    masks = {t.name: (rng.random((6, int(t.shape[1])), np.float32) >= float(net.rates[t.name])).astype(float)
             for t in net.program.tensors if t.role == "random"}
    derivation = sb.derive(net)
    code = {t.name: key for t, (key, *_) in zip(net.parameters, module.PARAMETERS)}
    running = dict(zip(net.starts, state["running"].values()))
    arrays = interpret(derivation.program, {"x": x, "t": y, **masks, **{n: params[c] for n, c in code.items()}, **running}, {"N": 6})
    loss, grads = module.loss_and_grads(params, x, y, state)
    module.train_step(params, state, x, y)
    np.testing.assert_allclose(loss, arrays["L"], rtol=1e-12)
    for name, key in code.items():
        np.testing.assert_allclose(grads[key], arrays[derivation.gradients[name]], rtol=1e-9, atol=1e-12)
    for name, found in zip(net.starts, state["running"].values()):
        following = next(t.name for t in net.program.tensors if t.next_of == name)
        np.testing.assert_allclose(found, arrays[following], rtol=1e-12)
    assert len(net.starts) == len(state["running"]) == 4


def test_inference_equals_the_oracle(net: sb.Network, module: ModuleType) -> None:
    params = module.init_params(2, np.float64)
    state = module.init_state(params)
    for seed in range(3):
        module.train_step(params, state, *batch(5, seed))
    x, y = batch(1)
    values = {**dict(zip((t.name for t in net.parameters), params.values())), **dict(zip(net.starts, state["running"].values()))}
    arrays = interpret(net.inference.program, {"x": x, "t": y, **values}, {"N": 1})
    np.testing.assert_allclose(module.forward(params, x, state), arrays[net.inference.output], rtol=1e-11)
    np.testing.assert_allclose(module.evaluate(params, x, y, state)[0], arrays["L"], rtol=1e-11)


def masks_of(module: ModuleType, seed: int, dtype: type) -> list[bytes]:
    """The losses of a few steps, which tell the masks."""
    params = module.init_params(0, dtype)
    state = module.init_state(params, seed)
    return [np.float64(module.train_step(params, state, *batch(4, k))).tobytes() for k in range(4)]


def test_equal_seeds_give_equal_bits_and_others_do_not(module: ModuleType) -> None:
    assert masks_of(module, 3, np.float64) == masks_of(module, 3, np.float64)
    assert masks_of(module, 3, np.float64)[0] != masks_of(module, 4, np.float64)[0]


def test_masks_do_not_depend_on_the_dtype_and_differ_from_step_to_step() -> None:
    found = {}
    layers = [sb.Dropout(rate=0.5), sb.Dense(units=1, init="zeros")]
    module = compiled(generate(sb.Network.of_layers("net", layers, sb.SquaredError(), input=[40])))
    for dtype in DTYPES:
        params = module.init_params(0, dtype)
        state = module.init_state(params, 1)
        for step in range(2):
            state["step"] = step
            grads = module.loss_and_grads(params, np.ones((1, 40)), np.ones((1, 1)), state)[1]
            found[dtype, step] = tuple((grads["W1"][0] != 0).tolist())
    assert found[np.float32, 0] == found[np.float64, 0] != found[np.float32, 1] == found[np.float64, 1]
    assert 5 < sum(found[np.float32, 0]) < 35


def test_inference_without_a_state_says_what_is_missing(module: ModuleType) -> None:
    params, (x, y) = module.init_params(0), batch(2)
    for call in (lambda: module.forward(params, x), lambda: module.evaluate(params, x, y)):
        with pytest.raises(ValueError, match="running statistics come from a state"):
            call()


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_saved_goes_on_with_the_same_bits(module: ModuleType, tmp_path: Path, dtype: type) -> None:
    params = module.init_params(0, dtype)
    state = module.init_state(params, 9)
    for seed in range(3):
        module.train_step(params, state, *batch(4, seed))
    module.save(tmp_path / "run.npz", params, state)
    again, restored = module.load(tmp_path / "run.npz")
    assert same(restored["running"], state["running"]) and (restored["step"], restored["seed"]) == (3, 9)
    for seed in range(3, 6):
        assert module.train_step(params, state, *batch(4, seed)) == module.train_step(again, restored, *batch(4, seed))
    assert same(params, again) and same(state["running"], restored["running"])
    x, _ = batch(3)
    assert module.forward(params, x, state).tobytes() == module.forward(again, x, restored).tobytes()


def test_a_file_without_the_statistics_names_them(module: ModuleType, tmp_path: Path) -> None:
    params = module.init_params(0)
    state: dict[str, Any] = {**module.init_state(params), "running": {}}
    module.save(tmp_path / "other.npz", params, state)
    with pytest.raises(ValueError, match="has no array 'running/norm_running_mean'"):
        module.load(tmp_path / "other.npz")


# runs

SHORT = {"epochs": 2, "batch_size": 512}


def test_a_run_killed_at_any_write_goes_on_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = generate(sb.load(EXAMPLE))
    monkeypatch.setattr(loop, "generate", lambda _: source)
    whole = train(EXAMPLE, out=tmp_path / "whole", quiet=True, plots=False, every=0.0, **SHORT).folder
    wanted, kills = contents(whole), 0
    for point in range(0, 400, 23):
        path = tmp_path / f"killed{point}"
        ended = in_a_process(killed_at(point, lambda path=path: train(EXAMPLE, out=path, quiet=True, plots=False, every=0.0, **SHORT)))
        if ended is None:
            break
        assert ended == signal.SIGKILL
        kills += 1
        if (path / "checkpoint.npz").exists():
            resume(path, quiet=True, plots=False, every=0.0)
            assert contents(path) == wanted, point
    assert kills > 2
    loaded = compiled((whole / "module.py").read_text(encoding="utf-8")).load(whole / "params.npz")[1]
    assert loaded["step"] == 6 and not np.allclose(loaded["running"]["running_var2"], 1)


def test_a_last_batch_of_one_sample_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the last batch of an epoch of 1,437 samples has 1 sample, but the network is trained with N >= 2"):
        train(EXAMPLE, out=tmp_path / "run", quiet=True, plots=False, batch_size=4 * 359)
    with pytest.raises(RunError, match="each batch has 1 sample"):
        train(EXAMPLE, out=tmp_path / "run", quiet=True, plots=False, batch_size=1)


# CuPy

def test_the_cupy_module_draws_the_same_masks(net: sb.Network, module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, made in stand_in().items():
        monkeypatch.setitem(sys.modules, name, made)
    other = compiled(generate(net, "cupy"))
    params, twin = module.init_params(0, np.float64), other.init_params(0, np.float64)
    state, second = module.init_state(params, 4), other.init_state(twin, 4)
    for seed in range(3):
        x, y = batch(5, seed)
        np.testing.assert_allclose(float(other.train_step(twin, second, x, y)), module.train_step(params, state, x, y), rtol=1e-12)
    for key, value in state["running"].items():
        np.testing.assert_allclose(np.asarray(second["running"][key]), value, rtol=1e-12)
