"""`--watch gradients`: what is measured, what is said, and that the training does not change."""
from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import symbp
from symbp import data
from symbp.cli import main
from symbp.emit import generate
from symbp.errors import RunError
from symbp.language.functions import relu, sigmoid, tanh
from symbp.netfile import network, parse
from symbp.network import Network
from symbp.run import resume, train
from symbp.run.explain import findings, product
from symbp.run.watch import Site, Watch, layers, saturation, sites

ROOT = Path(__file__).resolve().parent.parent
DEEP = ROOT / "examples/deep_sigmoid.toml"


def deep(depth: int, activation: str, units: int = 5) -> Network:
    hidden = [{"type": "dense", "units": units, "activation": activation}] * (depth - 1)
    return network({"name": "deep", "input": {"shape": [4]}, "target": {"classes": 3}, "loss": {"type": "softmax_cross_entropy"},
                    "layers": [*hidden, {"type": "dense", "units": 3}]})


def start(net: Network) -> dict[str, np.ndarray]:
    module = ModuleType("deep")
    exec(generate(net), module.__dict__)  # noqa: S102 - generated here
    return module.init_params(0, np.float64)


def batch(rows: int = 9) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, 4)), np.eye(3)[rng.integers(3, size=rows)]


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_norms_are_those_of_pytorch(activation: str) -> None:
    torch = pytest.importorskip("torch")
    net = deep(4, activation)
    params, (x, y) = start(net), batch()
    leaves = {k: torch.tensor(v, requires_grad=True) for k, v in params.items()}
    h = torch.tensor(x)
    inputs = []
    for k in range(1, 5):
        h = h @ leaves[f"W{k}"].T + leaves[f"b{k}"]
        inputs.append(h.detach().numpy())
        h = getattr(torch, activation)(h) if k < 4 else h
    torch.nn.functional.cross_entropy(h, torch.tensor(y)).backward()
    found = Watch(net, x, y).record(params)
    for k in range(1, 5):
        wanted = np.sqrt(sum(float((leaves[f"{c}{k}"].grad ** 2).sum()) for c in "Wb"))
        np.testing.assert_allclose(found["gradients"][str(k)], wanted, rtol=1e-12)
    flat = {"sigmoid": lambda z: abs(z) > 6, "tanh": lambda z: abs(z) > 3, "relu": lambda z: z <= 0}[activation]
    assert [e["flat"] for e in found["saturation"].values()] == [pytest.approx(flat(z).mean()) for z in inputs[:3]]


@pytest.mark.parametrize(("function", "inside", "outside"), [(sigmoid, 5.8, 6.2), (tanh, 2.9, 3.1), (relu, 0.1, -0.1)])
def test_where_functions_are_flat(function: type, inside: float, outside: float) -> None:
    site = Site(function, "z", "z")
    assert saturation(site, np.array([[inside], [abs(inside)]]))["flat"] == 0
    assert saturation(site, np.array([[outside, inside], [outside, inside]]))["flat"] == 0.5


def test_dead_units_are_flat_for_every_sample() -> None:
    z = np.array([[-1.0, 1.0, -1.0], [-2.0, -1.0, 3.0]])
    assert saturation(Site(relu, "z", "z"), z)["dead"] == pytest.approx(1 / 3)
    assert saturation(Site(sigmoid, "z", "z"), 1e4 * z) == {"function": "sigmoid", "flat": 1.0, "dead": 0.0}


def test_an_argument_that_is_no_tensor_is_measured_too() -> None:
    net = symbp.load(ROOT / "examples/gated.toml")
    extended, found = sites(net)
    assert found and len(found) == len({s.tensor for s in found}) and set(layers(net))
    for site in found:
        assert extended.program.tensor(site.tensor).shape


def test_activations_in_a_product_are_found() -> None:
    net = parse('name = "g"\ninput = { shape = [4] }\ntarget = { classes = 3 }\nloss = { type = "softmax_cross_entropy" }\n[[layers]]\n'
                'type = "equations"\nname = "own"\nparameters = { V = ["i"] }\nequations = ["y[n,i] = x[n,i]*sigmoid(V[i]*x[n,i])"]\n'
                '[[layers]]\ntype = "dense"\nunits = 3')
    x, y = batch()
    params = start(net)
    params["own_V"][:] = 100.0
    (entry,) = Watch(net, x, y).record(params)["saturation"].values()
    assert entry["flat"] == pytest.approx((abs(100 * x) > 6).mean(), abs=0.03)


# what is said

def record(gradients: dict, saturation: dict | None = None, step: int = 0) -> dict:
    return {"step": step, "gradients": gradients, "saturation": saturation or {}}


def test_vanishing_exploding_saturated_and_dead_are_said() -> None:
    entry = {"z1": {"function": "sigmoid", "flat": 0.94, "dead": 0.0}}
    said = findings([record({"1": 1e-9, "2": 5e-9, "3": 5e-8, "4": 1.0}, entry)])
    assert said[0].startswith("At step 0 the gradients of layers 1–3 are below 1e-7 of the last layer's")
    assert "94 % of the sigmoid inputs are beyond ±6" in said[1]
    assert "explode" in findings([record({"1": 1e6, "2": 1.0})])[0]
    assert "dead" in findings([record({"1": 1.0}, {"z": {"function": "relu", "flat": 0.9, "dead": 0.8}})])[0]
    assert "are 0" in findings([record({"1": 0.0, "2": 1.0})])[0]
    assert "nothing is learnt" in findings([record({"1": 0.0, "2": 0.0})])[0]
    assert "no finite numbers" in findings([record({"1": 1.0, "2": None})])[0]
    assert findings([record({"1": 0.5, "2": 1.0}), record({"1": 0.5, "2": 1.0}, step=9)]) == []


def test_the_product_of_jacobians_is_derived_and_agrees_with_the_oracle() -> None:
    first, unrolled = product(deep(5, "sigmoid"))
    assert first == r"\delta^{(1)} = \left(\delta^{(2)} W^{(2)}\right) \odot \sigma'\left(z^{(1)}\right)"
    assert unrolled.startswith(r"\delta^{(1)}") and r"\delta^{(4)} W^{(4)}" in unrolled and unrolled.count(r"\sigma'") == 3
    assert product(deep(1, "sigmoid")) == []


# runs

def test_watching_changes_no_bit_and_goes_on(tmp_path: Path) -> None:
    net = tmp_path / "deep.toml"
    net.write_text(DEEP.read_text())
    plain = train(net, out=tmp_path / "plain", epochs=2, quiet=True, plots=False).folder
    watched = train(net, out=tmp_path / "watched", epochs=2, quiet=True, plots=True, watch="gradients")
    assert (plain / "params.npz").read_bytes() == (watched.folder / "params.npz").read_bytes()
    assert {"watch.png", "gradients.txt"} <= set(watched.files)
    assert any("vanish" in m for m in watched.messages)
    train(net, out=tmp_path / "part", epochs=1, quiet=True, plots=False, watch="gradients")
    resume(tmp_path / "part", epochs=2, quiet=True, plots=False)
    rows = [[r for r in map(json.loads, (p / "metrics.jsonl").read_text().splitlines()) if r["kind"] == "watch"]
            for p in (watched.folder, tmp_path / "part")]
    assert rows[0] == rows[1] and len(rows[0]) > 4
    assert (tmp_path / "part/gradients.txt").read_bytes() == (watched.folder / "gradients.txt").read_bytes()


def test_the_gradient_vanishes_with_sigmoids_and_not_with_relus() -> None:
    for name, small in (("deep_sigmoid", True), ("deep_relu", False)):
        net = symbp.load(ROOT / f"examples/{name}.toml")
        digits = data.load("digits")
        found = Watch(net, digits.inputs("train", [64]), digits.targets("train")).record(start(net))["gradients"]
        assert len(found) == 10
        assert (found["1"] < 1e-4 * found["10"]) == small


def test_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RunError, match="cannot watch 'gradient'; did you mean \"gradients\""):
        train(DEEP, out=tmp_path / "run", watch="gradient")
    assert not (tmp_path / "run").exists()
    assert main(["train", "--resume", str(tmp_path), "--watch", "gradients"]) == 2
    assert "watched as it began" in capsys.readouterr().err
