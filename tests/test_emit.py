"""Generated modules: their text, what they compute, and that nothing but NumPy is needed."""
from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import symbp
from symbp.emit import generate
from symbp.errors import SymbpError
from symbp.interpret import interpret
from symbp.netfile import parse
from symbp.network import Network

ROOT = Path(__file__).resolve().parent.parent
GENERATED = {path.stem: path for path in sorted((ROOT / "generated").glob("*.py"))}
NETWORKS = ("mnist_mlp", "xor", "gated", "softmax_classifier", "logistic_equations")


def module_of(source: str, folder: Path, name: str = "generated_module") -> ModuleType:
    """The module of a source."""
    path = folder / f"{name}.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def batch(net: Network, module: ModuleType, rows: int, dtype: type, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random inputs and targets on the facts."""
    rng = np.random.default_rng(seed)
    inputs = [t for t in net.program.inputs if t.role == "input"]
    target = next(t for t in inputs if t.name != "x")
    shape = (rows, *(int(e) for e in target.shape[1:]))
    x = rng.normal(size=(rows, *module.INPUT_SHAPE)).astype(dtype)
    if len(shape) == 2 and shape[1] > 1 and net.program.facts:
        return x, np.eye(shape[1], dtype=dtype)[rng.integers(shape[1], size=rows)]
    return x, rng.integers(2, size=shape).astype(dtype)


@pytest.fixture(scope="module", params=NETWORKS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Network, ModuleType]:
    net = symbp.load(ROOT / "examples" / f"{request.param}.toml")
    return net, module_of(generate(net), tmp_path_factory.mktemp("modules"), request.param)


def test_the_gradients_equal_the_oracle(made: tuple[Network, ModuleType]) -> None:
    net, module = made
    derivation = symbp.derive(net)
    params = module.init_params(3, np.float64)
    rows = 3
    x, y = batch(net, module, rows, np.float64)
    target = next(t.name for t in net.program.inputs if t.role == "input" and t.name != "x")
    code = {name: key for (key, *_), name in zip(module.PARAMETERS, (p.name for p in net.parameters))}
    if max(int(e) for p in net.parameters for e in p.shape) > 200:
        pytest.importorskip("torch")
        return _against_torch(net, module, params, x, y)
    values = {"x": x, target: y, **{name: params[key] for name, key in code.items()}}
    arrays = interpret(derivation.program, values, {"N": rows})
    loss, grads = module.loss_and_grads(params, x, y)
    np.testing.assert_allclose(loss, arrays[net.loss], rtol=1e-12)
    for name, key in code.items():
        np.testing.assert_allclose(grads[key], arrays[derivation.gradients[name]], rtol=1e-11, atol=1e-13)


def _against_torch(net: Network, module: ModuleType, params: dict, x: np.ndarray, y: np.ndarray) -> None:
    """The printed forward program under autograd, for networks that the oracle is too slow for."""
    import torch

    from symbp.certify.torch import printed_module
    leaves = {name: torch.tensor(params[key], requires_grad=True)
              for (key, *_), name in zip(module.PARAMETERS, (p.name for p in net.parameters))}
    target = next(t.name for t in net.program.inputs if t.role == "input" and t.name != "x")
    given = {**leaves, "x": torch.tensor(x), target: torch.tensor(y)}
    result = printed_module(net.program).forward(given, {"N": len(x)}, {})[net.loss]
    result.backward()
    loss, grads = module.loss_and_grads(params, x, y)
    np.testing.assert_allclose(loss, result.item(), rtol=1e-12)
    for (key, *_), leaf in zip(module.PARAMETERS, leaves.values()):
        np.testing.assert_allclose(grads[key], leaf.grad.numpy(), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_planned_step_gives_the_bits_of_the_readable_one(made: tuple[Network, ModuleType], dtype: type) -> None:
    net, module = made
    params, twin = module.init_params(1, dtype), module.init_params(1, dtype)
    state, other = module.init_state(params), module.init_state(twin)
    for seed, rows in enumerate((8, 3, 8, 1, 3)):
        x, y = batch(net, module, rows, dtype, seed)
        loss = module.train_step(params, state, x, y)
        expected, grads = module.loss_and_grads(twin, x, y)
        module.update(twin, other, grads)
        assert loss == expected and loss.dtype == dtype
        assert all(grads[k].dtype == dtype and grads[k].shape == twin[k].shape for k in twin)
        for key in params:
            assert params[key].tobytes() == twin[key].tobytes()
    assert state["step"] == other["step"] == 5


def test_training_lowers_the_loss(made: tuple[Network, ModuleType]) -> None:
    net, module = made
    params = module.init_params(0, np.float64)
    state = module.init_state(params)
    x, y = batch(net, module, 16, np.float64)
    losses = [float(module.train_step(params, state, x, y)) for _ in range(60)]
    assert losses[-1] < losses[0]


def test_what_is_saved_is_loaded_with_the_same_bits(made: tuple[Network, ModuleType], tmp_path: Path) -> None:
    net, module = made
    params = module.init_params(0)
    state = module.init_state(params)
    x, y = batch(net, module, 4, np.float32)
    module.train_step(params, state, x, y)
    module.save(tmp_path / "run.npz", params, state)
    again, restored = module.load(tmp_path / "run.npz")
    module.train_step(params, state, x, y)
    module.train_step(again, restored, x, y)
    assert all(params[k].tobytes() == again[k].tobytes() for k in params) and restored["step"] == 2


def test_a_file_of_another_network_names_the_tensor_and_both_shapes(made: tuple[Network, ModuleType], tmp_path: Path) -> None:
    _, module = made
    params = module.init_params(0)
    name, shape, _ = module.PARAMETERS[0]
    module.save(tmp_path / "other.npz", {**params, name: np.zeros((3, *shape))})
    with pytest.raises(ValueError, match=rf"params/{name} has the shape .*but this network needs"):
        module.load(tmp_path / "other.npz")


def test_accuracy_counts_right_answers(tmp_path: Path) -> None:
    module = module_of(generate(symbp.load(ROOT / "examples/mnist_mlp.toml")), tmp_path)
    params, x = module.init_params(0), np.random.default_rng(0).normal(size=(50, 784)).astype(np.float32)
    answers = module.forward(params, x).argmax(axis=1)
    labels = np.where(np.arange(50) < 20, answers, (answers + 1) % 10)
    assert module.evaluate(params, x, np.eye(10)[labels])[1] == pytest.approx(0.4)


def test_large_scores_do_not_overflow(tmp_path: Path) -> None:
    module = module_of(generate(symbp.load(ROOT / "examples/mnist_mlp.toml")), tmp_path)
    params = {k: v * 1000 for k, v in module.init_params(0).items()}
    x = np.full((2, 784), 50, dtype=np.float32)
    loss, grads = module.loss_and_grads(params, x, np.eye(10)[[0, 1]])
    assert np.isfinite(loss) and all(np.all(np.isfinite(g)) for g in grads.values())


# the text

@pytest.mark.parametrize("name", GENERATED)
def test_the_committed_modules_are_what_is_generated_now(name: str, request: pytest.FixtureRequest) -> None:
    source = generate(symbp.load(ROOT / "examples" / f"{name}.toml"))
    if request.config.getoption("--update-golden"):
        GENERATED[name].write_text(source, encoding="utf-8")
    assert source == GENERATED[name].read_text(encoding="utf-8"), "make golden writes them anew"


@pytest.mark.parametrize("name", GENERATED)
def test_the_committed_modules_run_alone_and_are_clean(name: str) -> None:
    check = ("import importlib.util, sys; spec = importlib.util.spec_from_file_location('m', sys.argv[1]); "
             "m = importlib.util.module_from_spec(spec); spec.loader.exec_module(m); m.init_state(m.init_params()); "
             "assert not {k.partition('.')[0] for k in sys.modules} & {'symbp', 'sympy', 'jinja2'}")
    subprocess.run([sys.executable, "-I", "-c", check, str(GENERATED[name])], check=True, timeout=60)
    subprocess.run([sys.executable, "-m", "ruff", "check", "--isolated", "-q", str(GENERATED[name])], check=True, timeout=60)


def test_the_arrays_of_a_step_lie_in_one_block_each_on_a_cache_line(tmp_path: Path) -> None:
    module = module_of(GENERATED["lenet"].read_text(encoding="utf-8"), tmp_path)
    params = module.init_params(0)
    state = module.init_state(params)
    module.save(tmp_path / "run.npz", params, state)
    again, restored = module.load(tmp_path / "run.npz")
    for arrays in (params, state["m"], again, restored["v"], module._workspace(3, np.dtype(np.float32))):
        ends, starts = [a.ctypes.data + a.nbytes for a in arrays.values()], [a.ctypes.data for a in arrays.values()]
        assert all(start % 64 == 0 for start in starts) and starts[0] % 2**21 == 0
        assert all(0 <= start - end < 64 for end, start in zip(ends, starts[1:]))
    assert all(a.dtype in (np.float32, bool) for a in module._workspace(3, np.dtype(np.float32)).values())


def test_a_block_keeps_values_and_margins(tmp_path: Path) -> None:
    module = module_of(GENERATED["lenet"].read_text(encoding="utf-8"), tmp_path)
    given = {"a": np.arange(6.0).reshape(2, 3).T, "b": np.array([True, False]), "c": np.float32(2.5).reshape(()), "d": np.zeros((0, 4), np.int64)}
    found = module._block(given)
    assert {k: (v.dtype, v.tolist()) for k, v in found.items()} == {k: (v.dtype, v.tolist()) for k, v in given.items()}
    assert all(v.flags.writeable and v.flags.c_contiguous and v.flags.aligned for v in found.values()) and module._block({}) == {}
    assert not module._workspace(2, np.dtype(np.float32))["delta2_patches"].any()


def test_a_two_layer_network_is_short_and_reads_like_a_person_wrote_it() -> None:
    source = generate(symbp.load(ROOT / "examples/mnist_mlp.toml"))
    body = source[source.index("def loss_and_grads"):source.index("def train_step")].strip().splitlines()
    assert len(body) <= 30
    assert any("delta1 = (delta2 @ W2) * (z1 > 0)" in line for line in body)
    for leftover in ("einsum", "_bar", "add.at", "_17"):
        assert leftover not in source


def test_every_optimiser_has_code(tmp_path: Path) -> None:
    text = (ROOT / "examples/xor.toml").read_text()
    for k, optimizer in enumerate(('type = "gd"', 'type = "momentum"', 'type = "momentum"\nrate_in = "step"\nform = "averaged"', 'type = "adam"')):
        head = text[:text.index("[optimizer]")] if "[optimizer]" in text else text
        net = parse(f"{head}\n[optimizer]\n{optimizer}\n")
        module = module_of(generate(net), tmp_path, f"net_{k}")
        params = module.init_params(0, np.float64)
        state = module.init_state(params)
        x, y = batch(net, module, 4, np.float64)
        _, grads = module.loss_and_grads(params, x, y)
        assert net.optimizer is not None
        before = {key: value.copy() for key, value in params.items()}
        module.train_step(params, state, x, y)
        derivation = symbp.derive(net)
        program = net.update(derivation.derivative, derivation.gradients).extended()
        target = next(t.name for t in net.program.inputs if t.role == "input" and t.name != "x")
        code = {p.name: key for p, (key, *_) in zip(net.parameters, module.PARAMETERS)}
        made = net.update(derivation.derivative, derivation.gradients)
        values = {"x": x, target: y, **{n: before[c] for n, c in code.items()}, **made.values}
        values |= {t.name: np.zeros([int(e) for e in t.shape]) for t in made.tensors if t.role == "state" and t.shape}
        arrays = interpret(program, values, {"N": 4})
        for name, key in code.items():
            np.testing.assert_allclose(params[key], arrays[next(t.name for t in program.tensors if t.next_of == name)], rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(("name", "message"), [("bp_general", "rows"), ("softmax_smoothing", "constant T has no value"),
                                               ("two_layer_sigmoid", 'samples = "rows"')])
def test_what_has_no_module_says_why(name: str, message: str) -> None:
    with pytest.raises(SymbpError, match=message):
        generate(symbp.load(ROOT / "examples" / f"{name}.toml"))


def test_an_unknown_target_offers_the_nearest() -> None:
    with pytest.raises(SymbpError, match='did you mean "numpy"'):
        generate(symbp.load(ROOT / "examples/xor.toml"), target="numppy")


@pytest.mark.parametrize(("arguments", "message"), [
    (["--data", "missing.npz"], "there is no file missing.npz"), (["--data", "text.npz"], "text.npz does not hold data for this network"),
    (["--data", "torn.npz"], "torn.npz does not hold data for this network"), (["--data", "other.npz"], "cannot reshape"),
    (["--batch-size", "0"], "--batch-size must be from 1 to 1437"), (["--batch-size", "1438"], "--batch-size must be from 1 to 1437"),
    (["--out", "nowhere/p.npz"], "there is no folder nowhere"),
])
def test_the_command_line_of_a_module_refuses_in_one_line(arguments: list[str], message: str, tmp_path: Path,
                                                          capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    digits = (ROOT / "symbp/data/digits.npz").read_bytes()
    Path("digits.npz").write_bytes(digits)
    Path("text.npz").write_text("no archive")
    Path("torn.npz").write_bytes(digits[:5000])
    with np.load("digits.npz") as file:
        np.savez("other.npz", **{**file, "train_x": file["train_x"][:, :5]})
    module = module_of(GENERATED["digits_mlp"].read_text(encoding="utf-8"), tmp_path)
    with pytest.raises(SystemExit) as stopped:
        module.main(["--data", "digits.npz", *arguments])
    assert stopped.value.code == 2 and message in capsys.readouterr().err.splitlines()[-1]


NAMES = """name = "net"
optimizer = { type = "gd", learning_rate = 0.5 }
[network]
loss = "L"
indices = { n = "N", i = 6, j = 6, u = 3, v = 3, c = 2, k = 2, p = 3, q = 3 }
tensors.x = { axes = ["n", "c", "i", "j"] }
tensors.y = { axes = ["n"] }
tensors.K = { axes = ["k", "c", "u", "v"], role = "parameter" }
tensors.image_patches = { axes = ["k", "u", "v"], role = "parameter" }
equations = [
    "windows[n,k,i,j] = tanh(sum(c,u,v, K[k,c,u,v]*inside(x[n,c,i+u-1,j+v-1])))",
    "image[n,p,q] = sum(k,u,v, image_patches[k,u,v]*inside(windows[n,k,2*p+u-1,2*q+v-1]))",
    "b[n] = sum(p,q, image[n,p,q])",
    "scratch_N[n] = tanh((b[n] + y[n])*(b[n] - 2*y[n]))*exp(y[n])",
    "L = mean(n, scratch_N[n]*b[n])",
]
"""


def test_names_of_buffers_views_and_gradients_do_not_meet_those_of_a_file(tmp_path: Path) -> None:
    module = module_of(generate(parse(NAMES)), tmp_path)
    params = module.init_params(0, np.float64)
    state, rng, found = module.init_state(params), np.random.default_rng(0), {}
    module.update = lambda params, state, grads: found.update(grads)
    x, y = rng.normal(size=(4, *module.INPUT_SHAPE)), rng.normal(size=4)
    loss, grads = module.loss_and_grads(params, x, y)
    assert module.train_step(params, state, x, y) == loss and set(found) == {"K", "image_patches"}
    for name, value in grads.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
        step = np.zeros_like(value)
        step.flat[1] = 1e-6
        high, low = (module.loss_and_grads({**params, name: params[name] + s * step}, x, y)[0] for s in (1, -1))
        assert value.flat[1] == pytest.approx((high - low) / 2e-6, rel=1e-5)
