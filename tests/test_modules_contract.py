"""The contract of a generated module, for every committed one and for unusual networks: names, dtypes, bits, any batch size, files."""
from __future__ import annotations

import inspect
import sys
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import numpy as np
import pytest
from test_emit import GENERATED, ROOT, module_of

import symbp
from symbp.certify.sample import draw_tensor
from symbp.emit import generate
from symbp.module_data import data_tensors
from symbp.netfile import parse
from symbp.network import Network

SIGNATURES = {"init_state": "(params, seed=0)", "forward": "(params, x, state=None)", "loss_and_grads": "(params, x, y, state=None)",
              "train_step": "(params, state, x, y)", "evaluate": "(params, x, y, state=None)", "save": "(path, params, state=None, **extra)",
              "load": "(path)", "main": "(arguments=None)"}
HEAD = 'name = "odd"\n[input]\nshape = {shape}\n[target]\n{target}\n'
TAIL = '[loss]\ntype = "{loss}"\n[optimizer]\ntype = "{optimizer}"\nlearning_rate = 0.01\n'
DENSE = 'type = "dense"\nunits = '


def odd(shape: list[int], *layers: str, target: str = "classes = 3", loss: str = "softmax_cross_entropy", optimizer: str = "adam") -> str:
    """A network file of these layers."""
    return HEAD.format(shape=shape, target=target) + "".join(f"[[layers]]\n{layer}\n" for layer in layers) + TAIL.format(loss=loss, optimizer=optimizer)


ODD = {
    "a convolution over one axis, grouped, dilated, asymmetric": odd(
        [3, 11], 'type = "conv1d"\nfilters = 6\nkernel = 3\nstride = 2\ndilation = 2\ngroups = 3\npadding = [[1, 2]]\nactivation = "tanh"',
        'type = "flatten"', DENSE + "3"),
    "windows that overlap, padded maxima, averages of a part": odd(
        [2, 7, 9], 'type = "conv2d"\nfilters = 4\nkernel = [3, 2]\nstride = [2, 3]\npadding = "same"\nactivation = "relu"',
        'type = "max_pool"\nkernel = 2\nstride = 1\npadding = 1', 'type = "average_pool"\nkernel = 2', 'type = "flatten"', DENSE + "3"),
    "a transposed convolution": odd([2, 5, 5], 'type = "conv2d_transpose"\nfilters = 3\nkernel = 3\nstride = 2', 'type = "global_average_pool"',
                                    DENSE + "3", optimizer="momentum"),
    "a convolution under batch norm": odd([2, 6, 6], 'type = "conv2d"\nfilters = 5\nkernel = 3', 'type = "batch_norm"', 'type = "relu"',
                                          'type = "dropout"\nrate = 0.3', 'type = "flatten"', DENSE + "3", optimizer="adamw"),
    "both directions": odd([6, 4], 'type = "gru"\nunits = 5\ndirection = "both"', DENSE + "3", optimizer="rmsprop"),
    "all states": odd([6, 4], 'type = "lstm"\nunits = 5\nreturns = "all"', 'type = "flatten"', DENSE + "3"),
    "one number to one number": odd([1], DENSE + "1", target="shape = [1]", loss="squared_error", optimizer="gd"),
    "two classes in a column": odd([4], DENSE + "3", 'type = "tanh"', DENSE + "1", 'type = "sigmoid"', target="shape = [1]",
                                   loss="binary_cross_entropy", optimizer="nesterov"),
    "as many classes as samples": odd([6], DENSE + "4", target="classes = 4", optimizer="adagrad"),
}


@pytest.fixture(scope="module", params=[*GENERATED, *ODD])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Network, ModuleType]:
    name = request.param
    if name in ODD:
        network = parse(ODD[name])
        return network, module_of(generate(network), tmp_path_factory.mktemp("odd"), "odd")
    return symbp.load(ROOT / "examples" / f"{name}.toml"), module_of(GENERATED[name].read_text(encoding="utf-8"), tmp_path_factory.mktemp("m"), name)


def batch(network: Network, rows: int, dtype: type, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets on the network's facts."""
    rng = np.random.default_rng(seed)
    drawn = [(t, draw_tensor(network.program, t, {"N": rows}, rng)) for t in data_tensors(network)]
    x, y = (np.array(value, np.int64 if t.dtype == "int" else dtype) for t, value in drawn)
    return x, y


def test_its_names_and_their_arguments(made: tuple[Network, ModuleType]) -> None:
    _, module = made
    assert {name: str(inspect.signature(getattr(module, name))) for name in SIGNATURES} == SIGNATURES
    single, double = module.init_params(7), module.init_params(7, np.float64)
    assert [(name, shape) for name, shape, *_ in module.PARAMETERS] == [(k, v.shape) for k, v in single.items()]
    for name, value in double.items():
        assert single[name].dtype == np.float32 and value.dtype == np.float64
        np.testing.assert_array_equal(single[name], value.astype(np.float32))
    mutable = [k for k, v in vars(module).items() if not k.startswith("__") and isinstance(v, list | dict | set | np.ndarray)]
    assert not mutable


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_steps_of_any_size_have_the_bits_of_the_readable_function(made: tuple[Network, ModuleType], dtype: type) -> None:
    network, module = made
    params, twin = module.init_params(1, dtype), module.init_params(1, dtype)
    state, other = module.init_state(params), module.init_state(twin)
    for seed, rows in enumerate((4, 2, 7, 4)):
        x, y = batch(network, rows, dtype, seed)
        expected, grads = module.loss_and_grads(twin, x, y, other)
        again = module.loss_and_grads(twin, x, y, other)[1]
        loss = module.train_step(params, state, x, y)
        assert loss == expected and loss.dtype == dtype
        for name, gradient in grads.items():
            assert gradient.dtype == dtype and gradient.shape == twin[name].shape
            assert gradient.tobytes() == again[name].tobytes() and not np.shares_memory(gradient, again[name]), name
        if "running" in state:
            other["running"] = {k: v.copy() for k, v in state["running"].items()}
        module.update(twin, other, grads)
        for name, value in params.items():
            assert value.tobytes() == twin[name].tobytes(), (name, rows)


def test_nothing_is_wider_than_the_parameters(made: tuple[Network, ModuleType]) -> None:
    network, module = made
    params = module.init_params(2)
    state = module.init_state(params)
    x, y = batch(network, 3, np.float32, 0)
    found: set[str] = set()

    def look(frame: FrameType, event: str, _: Any) -> Any:
        if event in ("line", "return") and frame.f_code.co_filename == module.__file__:
            found.update(f"{frame.f_code.co_name}: {k}" for k, v in frame.f_locals.items()
                         if isinstance(v, np.ndarray | np.floating) and v.dtype == np.float64)
        return look
    before = sys.gettrace()
    sys.settrace(look)
    try:
        module.loss_and_grads(params, x, y, state)
        module.train_step(params, state, x, y)
        module.forward(params, x, state)
        module.evaluate(params, x, y, state)
    finally:
        sys.settrace(before)
    assert not found


def test_what_is_saved_goes_on_and_needs_no_pickle(made: tuple[Network, ModuleType], tmp_path: Path) -> None:
    network, module = made
    params = module.init_params(3)
    state = module.init_state(params, 5)
    module.train_step(params, state, *batch(network, 4, np.float32, 0))
    module.save(tmp_path / "run.npz", params, state)
    again, restored = module.load(tmp_path / "run.npz")
    for each in ((params, state), (again, restored)):
        module.train_step(*each, *batch(network, 3, np.float32, 1))
    assert all(params[k].tobytes() == again[k].tobytes() for k in params)
    with np.load(tmp_path / "run.npz", allow_pickle=False) as file:
        assert {f"params/{name}" for name in params} <= {*file.files}


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("bad", [-1, 96])
def test_whole_numbers_outside_their_axis_are_refused(which: int, bad: int, tmp_path: Path) -> None:
    network = symbp.load(ROOT / "examples/char_transformer.toml")
    module = module_of(GENERATED["char_transformer"].read_text(encoding="utf-8"), tmp_path)
    params = module.init_params(0)
    state = module.init_state(params)
    given = batch(network, 2, np.float32, 0)
    given[which][1, 3] = bad
    for call in (lambda: module.loss_and_grads(params, *given), lambda: module.train_step(params, state, *given),
                 lambda: module.evaluate(params, *given)):
        with pytest.raises(IndexError, match=f"{'xy'[which]} must hold whole numbers from 0 to 95"):
            call()
    assert state["step"] == 0
