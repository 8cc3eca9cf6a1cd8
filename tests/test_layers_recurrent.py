"""Recurrent layers against PyTorch: values, gradients of the oracle and of generated code, in both directions."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_emit import module_of

import symbp as sb
from symbp.calculus.differentiate import adjoint
from symbp.certify.ladder import check, shrunk
from symbp.emit import generate
from symbp.interpret import interpret
from symbp.layers.base import LAYERS
from symbp.network import Network
from symbp.settings import NetworkError

torch = pytest.importorskip("torch")

KINDS = ("rnn", "lstm", "gru")
DIRECTIONS = ("forward", "backward", "both")
GATES = {"lstm": [0, 1, 3, 2], "gru": [0, 1, 2]}
"""PyTorch's order of the gates, in ours."""


def network(kind: str, steps: int = 4, features: int = 3, optimizer: Any = None, **settings: Any) -> Network:
    """A recurrent layer under a squared loss."""
    made = LAYERS[kind](type=kind, **{"units": 2, **settings})
    return Network.of_layers("net", [made], sb.SquaredError(), input=[steps, features], optimizer=optimizer)


def sample(net: Network, batch: int = 3, seed: int = 0) -> dict[str, np.ndarray]:
    """Values for inputs and parameters."""
    rng = np.random.default_rng(seed)
    return {t.name: rng.normal(size=[batch if str(e) == "N" else int(e) for e in t.shape]) for t in net.program.inputs}


def flat(kind: str, v: dict[str, torch.Tensor], mark: str = "") -> list[torch.Tensor]:
    """The parameters of one direction as PyTorch keeps them: W, U and two biases, the gates behind each other."""
    order = GATES.get(kind)
    first = v[f"b{mark}1"] if f"b{mark}1" in v else v[f"W{mark}1"][..., 0] * 0
    found = [v[f"W{mark}1"], v[f"U{mark}1"], first, v.get(f"d{mark}1", 0 * first)]
    return found if order is None else [a[order].flatten(0, 1) for a in found]


def output(kind: str, v: dict[str, torch.Tensor], returns: str, direction: str, activation: str = "tanh") -> torch.Tensor:
    """PyTorch's layer."""
    x = v["x"].flip(1) if direction == "backward" else v["x"]
    weights = flat(kind, v) + (flat(kind, v, "_back") if direction == "both" else [])
    start = torch.zeros((2 if direction == "both" else 1, len(x), v["U1"].shape[-1]), dtype=x.dtype)
    call = {"rnn": getattr(torch, f"rnn_{activation}"), "lstm": torch.lstm, "gru": torch.gru}[kind]
    found = call(x, (start, start) if kind == "lstm" else start, weights, True, 1, 0.0, False, direction == "both", True)
    if returns == "last":
        return torch.cat(list(found[1]), dim=1)
    return found[0].flip(1) if direction == "backward" else found[0]


def expected(kind: str, values: dict[str, np.ndarray], **rest: Any) -> tuple[float, dict[str, np.ndarray]]:
    """The loss and the gradients by autograd."""
    v = {k: torch.tensor(a, requires_grad=True) for k, a in values.items()}
    loss = ((output(kind, v, **rest) - v["y"])**2).sum() / (2 * len(v["x"]))
    loss.backward()
    return loss.item(), {k: t.grad.numpy() for k, t in v.items()}


def compare(net: Network, kind: str, values: dict[str, np.ndarray], **rest: Any) -> None:
    """The adjoint, run by the oracle, against autograd."""
    loss, grads = expected(kind, values, **rest)
    derived = adjoint(net.program, net.loss)
    found = interpret(derived.program, values, {"N": len(values["x"])})
    assert float(found[net.loss]) == pytest.approx(loss, rel=1e-12)
    for p in net.parameters:
        np.testing.assert_allclose(found[derived.names[p.name]], grads[p.name], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("returns", ["last", "all"])
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients_are_pytorchs(kind: str, returns: str, direction: str) -> None:
    net = network(kind, returns=returns, direction=direction)
    compare(net, kind, sample(net), returns=returns, direction=direction)


@pytest.mark.parametrize("kind", KINDS)
def test_without_biases(kind: str) -> None:
    net = network(kind, bias=False)
    assert [p.name for p in net.parameters] == ["W1", "U1"]
    compare(net, kind, sample(net), returns="last", direction="forward")


def test_a_simple_layer_with_relu() -> None:
    net = network("rnn", activation="relu")
    compare(net, "rnn", sample(net), returns="last", direction="forward", activation="relu")


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(KINDS), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.sampled_from(DIRECTIONS),
       st.sampled_from(["last", "all"]), st.integers(0, 99))
def test_any_sizes(kind: str, steps: int, features: int, units: int, batch: int, direction: str, returns: str, seed: int) -> None:
    net = network(kind, steps, features, units=units, returns=returns, direction=direction)
    compare(net, kind, sample(net, batch, seed), returns=returns, direction=direction)


@pytest.mark.parametrize("direction", ["forward", "both"])
@pytest.mark.parametrize("returns", ["last", "all"])
@pytest.mark.parametrize("kind", KINDS)
def test_generated_code(kind: str, returns: str, direction: str, tmp_path: Path) -> None:
    net = network(kind, returns=returns, direction=direction, optimizer=sb.Adam())
    module = module_of(generate(net), tmp_path, "net")
    values = sample(net)
    loss, grads = expected(kind, values, returns=returns, direction=direction)
    params = {name: values[name].copy() for name, *_ in module.PARAMETERS}
    found, made = module.loss_and_grads(params, values["x"], values["y"])
    assert found == pytest.approx(loss, rel=1e-12)
    for name in params:
        np.testing.assert_allclose(made[name], grads[name], rtol=1e-10, atol=1e-12)
    _same_bits(module, params, values)


def _same_bits(module: Any, params: dict[str, np.ndarray], values: dict[str, np.ndarray]) -> None:
    twin = {k: v.copy() for k, v in params.items()}
    state, other = module.init_state(params), module.init_state(twin)
    for rows in (3, 1, 3):
        x, y = values["x"][:rows], values["y"][:rows]
        loss = module.train_step(params, state, x, y)
        again, grads = module.loss_and_grads(twin, x, y)
        module.update(twin, other, grads)
        assert loss == again and all(params[k].tobytes() == twin[k].tobytes() for k in params)


CLASSIFIER = """name = "net"
[input]
shape = [6, 5]
[target]
classes = 4
[[layers]]
type = "lstm"
units = 7
[[layers]]
type = "dense"
units = 4
[loss]
type = "softmax_cross_entropy"
[optimizer]
type = "adam"
learning_rate = 0.01
"""


@pytest.mark.parametrize(("dtype", "reach"), [("float64", 1e-10), ("float32", 1e-4)])
def test_the_first_losses_are_those_of_a_twin(dtype: str, reach: float, tmp_path: Path) -> None:
    module = module_of(generate(sb.parse(CLASSIFIER)), tmp_path, "net")
    params = module.init_params(0, dtype)
    leaves = {k: torch.tensor(a, requires_grad=True) for k, a in params.items()}
    update, state, rng = torch.optim.Adam(leaves.values(), lr=0.01), module.init_state(params), np.random.default_rng(0)
    for _ in range(20):
        x, labels = rng.normal(size=(8, 6, 5)).astype(dtype), rng.integers(4, size=8)
        last = output("lstm", {**leaves, "x": torch.tensor(x)}, "last", "forward")
        loss = torch.nn.functional.cross_entropy(last @ leaves["W2"].T + leaves["b2"], torch.tensor(labels))
        update.zero_grad()
        loss.backward()
        update.step()
        assert float(module.train_step(params, state, x, np.eye(4)[labels])) == pytest.approx(loss.item(), rel=reach)


# the reset gate before the product

def reset_before(v: dict[str, torch.Tensor], returns: str) -> torch.Tensor:
    """The unit of the paper, step by step: g = tanh(W x + U (r h) + b)."""
    h, states = torch.zeros((len(v["x"]), v["U1"].shape[-1]), dtype=torch.float64), []
    for t in range(v["x"].shape[1]):
        z = torch.einsum("gkj,nj->gnk", v["W1"], v["x"][:, t]) + v["b1"][:, None]
        r, u = (torch.sigmoid(z[q] + h @ v["U1"][q].T) for q in (0, 1))
        h = (1 - u) * torch.tanh(z[2] + (r * h) @ v["U1"][2].T) + u * h
        states.append(h)
    return h if returns == "last" else torch.stack(states, dim=1)


@pytest.mark.parametrize("returns", ["last", "all"])
def test_a_reset_before_the_product(returns: str, tmp_path: Path) -> None:
    net = network("gru", reset="before", returns=returns, optimizer=sb.Adam())
    assert [p.name for p in net.parameters] == ["W1", "b1", "U1"]
    values = sample(net)
    v = {k: torch.tensor(a, requires_grad=True) for k, a in values.items()}
    loss = ((reset_before(v, returns) - v["y"])**2).sum() / (2 * len(v["x"]))
    loss.backward()
    derived, module = adjoint(net.program, net.loss), module_of(generate(net), tmp_path, "net")
    found = interpret(derived.program, values, {"N": len(values["x"])})
    params = {name: values[name].copy() for name, *_ in module.PARAMETERS}
    value, grads = module.loss_and_grads(params, values["x"], values["y"])
    assert float(found[net.loss]) == pytest.approx(loss.item(), rel=1e-12) and value == pytest.approx(loss.item(), rel=1e-12)
    for name in params:
        for gradient in (found[derived.names[name]], grads[name]):
            np.testing.assert_allclose(gradient, v[name].grad.numpy(), rtol=1e-10, atol=1e-12, err_msg=name)
    _same_bits(module, params, values)


# truncated backpropagation through time

def truncated(kind: str, v: dict[str, torch.Tensor], parts: list[int], returns: str) -> torch.Tensor:
    """PyTorch's layer on the parts one after the other, each starting from the detached state of the one before."""
    states, found, first = [torch.zeros((1, len(v["x"]), v["U1"].shape[-1]), dtype=torch.float64)] * (1 + (kind == "lstm")), [], 0
    for count in parts:
        call = {"rnn": torch.rnn_tanh, "lstm": torch.lstm, "gru": torch.gru}[kind]
        x = v["x"][:, first:first + count]
        out, *states = call(x, tuple(states) if kind == "lstm" else states[0], flat(kind, v), True, 1, 0.0, False, False, True)
        states, first = [s.detach() if first + count < v["x"].shape[1] else s for s in states], first + count
        found.append(out)
    return states[0][0] if returns == "last" else torch.cat(found, dim=1)


@pytest.mark.parametrize("returns", ["last", "all"])
@pytest.mark.parametrize(("kind", "k", "parts"), [("rnn", 2, [1, 2, 2]), ("lstm", 2, [1, 2, 2]), ("gru", 3, [2, 3]), ("rnn", 5, [5]),
                                                  ("rnn", 1, [1] * 5)])
def test_truncated(kind: str, k: int, parts: list[int], returns: str, tmp_path: Path) -> None:
    net = network(kind, 5, truncate=k, returns=returns)
    values = sample(net)
    v = {name: torch.tensor(a, requires_grad=True) for name, a in values.items()}
    loss = ((truncated(kind, v, parts, returns) - v["y"])**2).sum() / (2 * len(v["x"]))
    loss.backward()
    derived = adjoint(net.program, net.loss)
    found = interpret(derived.program, values, {"N": 3})
    module = module_of(generate(net), tmp_path, "net")
    params = {name: values[name].copy() for name, *_ in module.PARAMETERS}
    value, grads = module.loss_and_grads(params, values["x"], values["y"])
    assert float(found[net.loss]) == pytest.approx(loss.item(), rel=1e-12) and value == pytest.approx(loss.item(), rel=1e-12)
    for p in net.parameters:
        np.testing.assert_allclose(found[derived.names[p.name]], v[p.name].grad.numpy(), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(grads[p.name], v[p.name].grad.numpy(), rtol=1e-10, atol=1e-12)
    _same_bits(module, params, values)


def test_against_time_the_parts_are_held_the_other_way_round() -> None:
    net = network("rnn", 3, truncate=2, direction="backward")
    turned = sample(net)
    values = {**turned, "x": turned["x"][:, ::-1]}
    parts = [len(range(int(e.shape[0]))) for e in net.program.tensors if e.name.startswith("z")]
    v = {name: torch.tensor(a.copy(), requires_grad=True) for name, a in values.items()}
    ((truncated("rnn", v, parts, "last") - v["y"])**2).sum().div(2 * 3).backward()
    derived = adjoint(net.program, net.loss)
    found = interpret(derived.program, turned, {"N": 3})
    for p in net.parameters:
        np.testing.assert_allclose(found[derived.names[p.name]], v[p.name].grad.numpy(), rtol=1e-10, atol=1e-12)


def test_what_is_held_is_checked_as_given() -> None:
    net = network("rnn", 2, 1, units=1, truncate=1, returns="all")
    held = [t.name for t in net.program.tensors if t.held]
    assert held and set(held) <= {t.name for t in net.program.given().inputs}
    assert check(net.program, net.loss).passed


# the ladder

@pytest.mark.parametrize(("kind", "options", "steps"), [
    ("rnn", {}, 1), ("rnn", {}, 2), ("rnn", {"direction": "both"}, 2), ("lstm", {}, 1), ("lstm", {}, 2), ("lstm", {"returns": "all"}, 1),
    ("gru", {}, 1), ("gru", {"reset": "before"}, 1)])
def test_every_rung_of_the_ladder(kind: str, options: dict[str, str], steps: int) -> None:
    net = network(kind, steps, 1, units=1, **options)
    report = check(net.program, net.loss)
    assert report.passed
    assert {r.status for g in report.gradients for r in g.rungs} == {"passed"}


def test_a_small_program_keeps_one_row_more_than_steps() -> None:
    small = shrunk(sb.parse(CLASSIFIER).program)
    steps = small.tensor("z1").shape[0]
    assert steps < 6 and small.tensor("h1").shape[0] == steps + 1
    assert str(small.definition("a1")[0]) == f"a1[n, k] += h1[{steps}, n, k]"


# the text

def test_the_header_says_which_rows_a_loop_writes_and_sums_over_its_steps() -> None:
    header = generate(sb.parse(CLASSIFIER)).split('"""')[1]
    for line in ("h1[0, n, k] = 0;  h1[t + 1, n, k] = o1[t, n, k]*s1[t, n, k]", "dh1[6, n, k] = sum(s, W2[s, k]*delta2[n, s]);  dh1[t, n, q] =",
                 "dW1[r, k, j] = sum(t, n, x[n, t, j]*delta1[t, n, r, k])"):
        assert line in header, header


def test_generated_code_reads_like_a_persons() -> None:
    source = generate(sb.parse(CLASSIFIER))
    body = source[source.index("def loss_and_grads"):source.index("def train_step")]
    for line in ("h1[0] = 0", "z1[t] += (h1[t] @ U1.reshape(28, 7).T).reshape(N, 4, 7)", "c1[t + 1] = c1[t] * f1[t] + g1[t] * i1[t]",
                 "dh1[6] = delta2 @ W2", "dc1[t] = dc1[t + 1] * f1[t]", "dh1[t] = delta1[t].reshape(N, 28) @ U1.reshape(28, 7)"):
        assert line in body
    for leftover in ("einsum", "np.zeros", "_bar", "add.at"):
        assert leftover not in body
    loops = [line for line in body.splitlines() if line.startswith("        ") and "d" in line]
    assert not any("dW1" in line or "dU1" in line or "db1" in line for line in loops)


def test_the_derivation_prints_the_recurrences_of_bptt() -> None:
    derivation = sb.derive(sb.parse(CLASSIFIER), activation_derivatives="folded")
    lines = [f"{line.target} = {line.right}" for name in ("h1", "c1") for line in derivation[name].lines]
    assert lines == [
        "h1_bar[6, n, q] = sum(s, W2[s, q]*z2_bar[n, s])", "h1_bar[t, n, q] = sum(r, k, U1[r, k, q]*z1_bar[t, n, r, k])",
        "c1_bar[6, n, k] = (1 - s1[5, n, k]**2)*h1_bar[6, n, k]*o1[5, n, k]",
        "c1_bar[t, n, k] = (1 - s1[t - 1, n, k]**2)*h1_bar[t, n, k]*o1[t - 1, n, k] + c1_bar[t + 1, n, k]*f1[t, n, k]",
        "c1_bar[0, n, k] = c1_bar[1, n, k]*f1[0, n, k]"]


# bad input

@pytest.mark.parametrize(("layers", "shape", "message"), [
    ('type = "lstm"\nunits = 2', "[4]", r"layer 1 \(lstm\).*\[T, D\].*\[4\], which has 1 axes"),
    ('type = "gru"\nunits = 2', "[4, 3, 2]", r"\[4, 3, 2\], which has 3 axes"),
    ('type = "rnn"\nunits = 0', "[4, 3]", "units"),
    ('type = "rnn"\nunits = 2\ndirection = "backwards"', "[4, 3]", 'did you mean "backward"'),
    ('type = "rnn"\nunits = 2\nreturns = "every"', "[4, 3]", "returns"),
    ('type = "rnn"\nunits = 2\ntruncate = 5', "[4, 3]", "truncate = 5, but there are 4 steps"),
    ('type = "lstm"\nunits = 2\nactivation = "relu"', "[4, 3]", "activation"),
])
def test_what_does_not_fit_is_said(layers: str, shape: str, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        sb.parse(f'name = "net"\n[input]\nshape = {shape}\n[[layers]]\n{layers}\n[loss]\ntype = "squared_error"\n')
