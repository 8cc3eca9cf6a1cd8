"""Modules for CuPy, run on a stand-in: kernels from their C text, in C's types, against the modules for NumPy.  No GPU is needed."""
from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import re
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
from symbp.emit import generate
from symbp.errors import SymbpError
from symbp.module_data import data_tensors
from symbp.netfile import parse
from symbp.network import Network
from symbp.printing.kernel import DEVICE, CudaPrinter

TOLERANCE = {np.float64: 1e-12, np.float32: 1e-5}
EVERYTHING = """
name = "everything"
optimizer = { type = "gd", learning_rate = 1e-4 }
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


LARGE = ("lenet", "cifar_cnn", "cifar_residual")
"""Convolutional examples, whose kernels the stand-in takes minutes to evaluate."""
EXAMPLES = tuple(path.stem for path in sorted((ROOT / "examples").glob("*.toml")) if path.stem not in LARGE and has_module(path))


def example(name: str) -> Network:
    """The network of an example; the transformer's in a smaller size, and without Adam.

    The gradient of a key's bias is 0, of which Adam makes steps of full length out of the rounding.
    """
    text = (ROOT / "examples" / f"{name}.toml").read_text(encoding="utf-8")
    sizes = {"[64]": "[5]", "96": "7", "128": "8", "heads = 4": "heads = 2", "adam": "gd"} if name == "char_transformer" else {}
    return parse(functools.reduce(lambda t, size: t.replace(*size), sizes.items(), text))


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
    given = rng.integers(2, size=x) if data_tensors(net)[0].dtype == "int" else rng.normal(size=x).astype(dtype)
    if net.program.facts and len(y) == 2:
        return given, np.eye(y[1], dtype=dtype)[rng.integers(y[1], size=rows)]
    return given, rng.integers(2, size=y).astype(dtype)


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
        loss, grads = plain.loss_and_grads(params, x, y, state)
        loss_, grads_ = fused.loss_and_grads(given, x_, y_, other)
        np.testing.assert_allclose(float(loss_), loss, **near)
        for name, value in grads.items():
            assert isinstance(grads_[name], Device) and grads_[name].dtype == dtype and grads_[name].shape == value.shape
            np.testing.assert_allclose(grads_[name].view(np.ndarray), value, **near)
        np.testing.assert_allclose(fused.forward(given, x_, other).view(np.ndarray), plain.forward(params, x, state), **near)
        before = Transfers.count
        loss, loss_ = plain.train_step(params, state, x, y), fused.train_step(given, other, x_, y_)
        assert Transfers.count == before + len(net.rates), "a step copies more than its masks between host and device"
        assert isinstance(loss_, Device) and loss_.shape == () and loss_.dtype == dtype
        np.testing.assert_allclose(float(loss_), loss, **near)
        for name, value in params.items():
            assert given[name].dtype == dtype
            np.testing.assert_allclose(given[name].view(np.ndarray), value, **near)
    np.testing.assert_allclose([float(v) for v in fused.evaluate(given, x_, y_, other)], plain.evaluate(params, x, y, state), **near)
    assert all(kernel.calls for kernel in ElementwiseKernel.made), "a kernel that nothing calls"


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_agrees_with_its_module_for_numpy(name: str, dtype: type, pair: Callable) -> None:
    net = example(name)
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


@pytest.mark.parametrize("name", ["mnist_mlp", "xor"])
def test_a_saved_run_goes_on_in_the_module_for_numpy(name: str, pair: Callable, tmp_path: Path) -> None:
    net = example(name)
    plain, fused = pair(net)
    params = fused.init_params(0, np.float64)
    state = fused.init_state(params)
    x, y = batch(net, 4, np.float64, 0)
    fused.train_step(params, state, device(x), device(y))
    fused.save(tmp_path / "run.npz", params, state)
    again, restored = fused.load(tmp_path / "run.npz")
    there, kept = plain.load(tmp_path / "run.npz")
    fused.train_step(again, restored, device(x), device(y))
    plain.train_step(there, kept, x, y)
    for key, value in there.items():
        assert isinstance(again[key], Device)
        np.testing.assert_allclose(again[key].view(np.ndarray), value, rtol=1e-12, atol=1e-14)


def test_the_command_line_prints_what_that_of_numpy_prints(pair: Callable, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    net = symbp.load(ROOT / "examples/digits_mlp.toml")
    rng = np.random.default_rng(0)
    arrays = {f"{part}_{k}": v for part, rows in (("train", 300), ("test", 50)) for k, v in
              (("x", rng.integers(17, size=(rows, 64), dtype=np.uint8)), ("y", rng.integers(10, size=rows)))}
    np.savez(tmp_path / "digits.npz", **arrays, maximum=16, mean=0.3, std=0.4)
    printed = []
    for module in pair(net):
        before = Transfers.count
        module.main(["--data", str(tmp_path / "digits.npz"), "--epochs", "2", "--batch-size", "32", "--dtype", "float64",
                     "--out", str(tmp_path / f"{module.__name__}.npz")])
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] and printed[0].count("epoch") == 2
    assert Transfers.count - before == 4 + 4 + 2 * (1 + 3 + 12), "data, parameters; an order, three figures and what is saved, an epoch"


# the text

def test_the_module_for_mnist(golden: Callable[[str, str], None]) -> None:
    golden("cupy/mnist_mlp.py", generate(symbp.load(ROOT / "examples/mnist_mlp.toml"), target="cupy"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_elementwise_operations_of_a_step_are_kernels(name: str, tmp_path: Path) -> None:
    source = generate(example(name), target="cupy")
    step = source[source.index("def train_step"):source.index("def _workspace")]
    assert {node.attr for node in attributes(step, "cp")} <= {"asarray", "matmul", "sum", "max", "vdot", "copyto", "arange", "equal", "inf", "int64"}
    copies = [node.args[1] for node in ast.walk(ast.parse(step)) if isinstance(node, ast.Call) and ast.unparse(node.func) == "cp.copyto"]
    assert not any(isinstance(inner, ast.BinOp | ast.UnaryOp) for copy in copies if not isinstance(copy, ast.Subscript)
                   for inner in ast.walk(copy)), "what is copied is a view of an array"
    path = tmp_path / "module.py"
    path.write_text(source, encoding="utf-8")
    subprocess.run([sys.executable, "-m", "ruff", "check", "--isolated", "-q", str(path)], check=True, timeout=60)


def attributes(source: str, module: str) -> list[ast.Attribute]:
    """Every `module.NAME` of a source."""
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
            and node.value.id == module]


def test_a_chain_in_c_keeps_to_its_type() -> None:
    z, t = Name((), "float", "z"), Name((), "int", "t")
    printer = CudaPrinter({z: "z", t: "t"})

    def op(name: str, *args: object, dtype: str = "float") -> Apply:
        return Apply((), dtype, name, args)  # type: ignore[arg-type]

    half, above = number(sp.S.Half), op("greater", z, number(0), dtype="bool")
    for node, text in (
        (op("multiply", half, z), "T(0.5) * z"),
        (op("multiply", z, above), "z * T(z > T(0))"),
        (op("subtract", z, op("subtract", z, number(1))), "z - (z - T(1))"),
        (op("multiply", op("add", z, z), number(sp.Rational(1, 3))), f"(z + z) * T({1 / 3!r})"),
        (op("divide", z, op("multiply", z, t)), "z / (z * T(t))"),
        (op("equal", t, number(3), dtype="bool"), "t == 3"),
        (op("where", op("greater_equal", op("subtract", t, number(1), dtype="int"), number(0), dtype="bool"), z, number(0)), "t - 1 >= 0 ? z : T(0)"),
        (op("add", op("where", above, z, number(0)), z), "(z > T(0) ? z : T(0)) + z"),
        (op("negative", op("add", z, number(-2))), "-(z + T(-2))"),
        (op("negative", op("negative", z)), "-(-z)"),
        (op("power", z, number(3)), "pow(z, T(3))"),
        (op("float", op("logical_and", above, above, dtype="bool")), "T(z > T(0) && z > T(0))"),
        (op("float", t), "T(t)"),
    ):
        assert printer(node) == text
        kinds = {"z": np.asarray(1.5, np.float32), "t": np.asarray(3, np.int64)}
        result = Expression(text, kinds, {"T": np.dtype(np.float32)}, {}).result()
        assert result.dtype == {"float": np.float32, "bool": bool, "int": np.int64}[node.dtype]


@pytest.mark.parametrize("name", DEVICE)
def test_device_functions_are_numpy_s(name: str) -> None:
    numbers = np.array([0.0, -2.5, 3.0, 1e30, -1e30, np.inf, -np.inf, np.nan, 1.0], np.float32)
    arguments = [numbers] if DEVICE[name].count("F ") == 1 else list(map(np.asarray, np.meshgrid(numbers, numbers)))
    kernel = ElementwiseKernel(", ".join(f"T {'ab'[k]}" for k in range(len(arguments))), "T out", f"out = {name}({', '.join('ab'[:len(arguments)])})",
                               preamble=f"template <typename F> __device__ F {DEVICE[name]}")
    with np.errstate(all="ignore"):
        wanted = getattr(np, name)(*arguments)
        np.testing.assert_allclose(kernel(*map(device, arguments)).view(np.ndarray), wanted, rtol=1e-6)


# where CuPy and CUDA's compiler are; no test here needs a GPU

if importlib.util.find_spec("cupy") is not None:
    @pytest.mark.parametrize("name", [*EXAMPLES, "everything"])
    def test_all_that_is_named_exists_in_cupy(name: str, tmp_path: Path) -> None:
        source = generate(parse(EVERYTHING) if name == "everything" else example(name), target="cupy")
        module_of(source, tmp_path)  # CuPy reads the kernels' parameters here
        cupy = importlib.import_module("cupy")
        found = {node.attr for node in attributes(source, "cp")}
        assert "ElementwiseKernel" in found and not {a for a in found if not hasattr(cupy, a)}
        assert hasattr(cupy.lib.stride_tricks, "sliding_window_view") and hasattr(cupy.add, "at")


def cuda_source(kernel: ElementwiseKernel, kind: str, number: int) -> str:
    """A function that calculates a kernel's expression for one element."""
    given = ", ".join(f"const {'T' if k == 'T' else 'long long' if k == 'int64' else k}* p_{n}" for k, n in kernel.parameters)
    loads = " ".join(f"const auto& {n} = p_{n}[0];" for _, n in kernel.parameters)
    return (f"namespace k{number} {{ typedef {kind} T; {kernel.preamble}\n"
            f'extern "C" __global__ void {kernel.name}_{number}({given}, T* result) {{ {loads} T& out = *result; {kernel.operation}; }} }}\n')


if shutil.which("nvcc"):
    @pytest.mark.parametrize("kind", ["float", "double"])
    def test_the_compiler_takes_every_kernel_and_finds_no_double_in_single_precision(kind: str, pair: Callable, tmp_path: Path) -> None:
        for name in (*EXAMPLES, "everything"):
            pair(parse(EVERYTHING) if name == "everything" else example(name))
        source = "".join(cuda_source(kernel, kind, k) for k, kernel in enumerate(ElementwiseKernel.made))
        (tmp_path / "kernels.cu").write_text(source)
        subprocess.run(["nvcc", "--ptx", "-o", "kernels.ptx", "kernels.cu"], cwd=tmp_path, check=True, timeout=300)
        wide = {re.search(r"entry (\w+)_\d+\(", part)[1] for part in (tmp_path / "kernels.ptx").read_text().split(".visible .") if ".f64" in part}
        sines = {kernel.name for kernel in ElementwiseKernel.made if re.search(r"\b(sin|cos)\(", kernel.operation)}
        assert wide <= sines if kind == "float" else len(wide) > 20, "CUDA reduces a large argument of a sine in double precision"
