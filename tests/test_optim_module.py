"""Optimisers in generated modules: states that survive save and load, equal bits of both steps, the GPU's kernels, the document, bad input."""
from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from cupy_stand_in import ElementwiseKernel, Transfers, asarray, asnumpy, stand_in
from test_emit import module_of

import symbp as sb
from symbp.calculus.differentiate import adjoint
from symbp.emit import generate
from symbp.interpret import interpret
from symbp.netfile import parse
from symbp.printing.latex import Writer

NETWORK = """
name = "small"
[input]
shape = [3]
[target]
shape = [2]
[[layers]]
type = "dense"
units = 2
[loss]
type = "squared_error"
[optimizer]
"""
WARM = "\nschedule = { type = \"cosine\", steps = 9, warm_up = 2, least = 0.1 }\nclip_norm = 0.3"
OPTIMIZERS = {
    "gd": 'type = "gd"' + WARM, "momentum": 'type = "momentum"\nclip_value = 0.1', "nesterov": 'type = "nesterov"\nweight_decay = 0.1',
    "adagrad": 'type = "adagrad"\nschedule = { type = "step", every = 2 }', "adam": 'type = "adam"\nweight_decay = 0.1' + WARM,
    "rmsprop": 'type = "rmsprop"\nbeta = 0.5\ncentered = true\nschedule = { type = "exponential", factor = 0.9 }',
    "adamw": 'type = "adamw"\ndecay_biases = false' + WARM,
}
RNG = np.random.default_rng(0)
BATCHES = [(RNG.normal(size=(4, 3)), RNG.normal(size=(4, 2))) for _ in range(8)]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on_with_equal_bits_after_save_and_load(name: str, tmp_path: Path) -> None:
    module = module_of(generate(parse(NETWORK + OPTIMIZERS[name])), tmp_path)
    for dtype in (np.float32, np.float64):
        params, twin = module.init_params(1, dtype), module.init_params(1, dtype)
        state, other = module.init_state(params), module.init_state(twin)
        for k, (x, y) in enumerate(BATCHES):
            loss = module.train_step(params, state, x, y)
            expected, grads = module.loss_and_grads(twin, x, y)
            module.update(twin, other, grads)
            assert loss == expected
            if k == 3:
                module.save(tmp_path / "half.npz", twin, other)
                twin, other = module.load(tmp_path / "half.npz")
        assert other["step"] == state["step"] == len(BATCHES)
        for key in params:
            assert params[key].dtype == twin[key].dtype == dtype and params[key].tobytes() == twin[key].tobytes()
            assert all(state[s][key].tobytes() == other[s][key].tobytes() for s in module.STATES)


@pytest.mark.parametrize("block", [1, 2, 3, 5])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_parameter_that_is_updated_part_by_part_gets_the_same_bits(name: str, block: int, tmp_path: Path,
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of one row and more, of one element and more, and an array without axes, whose only part it is."""
    net = parse(NETWORK + OPTIMIZERS[name])
    whole = module_of(generate(net), tmp_path, "whole")
    monkeypatch.setattr("symbp.module_update.BLOCK", block)
    source = generate(net)
    assert "_parts" in source
    parts = module_of(source, tmp_path, "parts")
    assert [a.size for a in (np.empty((5, 2))[p] for p in parts._parts(np.empty((5, 2))))][0] in (2, 4)
    first, second = ({**m.init_params(1, np.float32), "s": np.array(0.5, np.float32)} for m in (whole, parts))
    state, other = whole.init_state(first), parts.init_state(second)
    for _ in range(3):
        grads = {key: np.asarray(RNG.normal(size=value.shape), np.float32) for key, value in first.items()}
        whole.update(first, state, grads)
        parts.update(second, other, grads)
    for key, value in first.items():
        assert value.tobytes() == second[key].tobytes()
        assert all(state[s][key].tobytes() == other[s][key].tobytes() for s in whole.STATES)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_cupy_makes_the_same_steps_and_waits_for_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = parse(NETWORK + OPTIMIZERS[name])
    for key, library in stand_in().items():
        monkeypatch.setitem(sys.modules, key, library)
    monkeypatch.setattr(ElementwiseKernel, "made", [])
    host, module = module_of(generate(net), tmp_path, "for_numpy"), module_of(generate(net, "cupy"), tmp_path, "for_cupy")
    params, expected = module.init_params(1, np.float32), host.init_params(1, np.float32)
    state, other = module.init_state(params), host.init_state(expected)
    for x, y in BATCHES[:4]:
        given = asarray(x, np.float32), asarray(y, np.float32)
        before = Transfers.count
        module.train_step(params, state, *given)
        assert Transfers.count == before
        host.train_step(expected, other, x, y)
    for key, value in params.items():
        assert value.dtype == np.float32
        np.testing.assert_allclose(asnumpy(value), expected[key], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_modules_and_the_oracle_agree(name: str, tmp_path: Path) -> None:
    net = parse(NETWORK + OPTIMIZERS[name])
    module = module_of(generate(net), tmp_path)
    update = net.update(adjoint(net.program, net.loss))
    program = update.extended()
    params = module.init_params(1, np.float64)
    state = module.init_state(params)
    values = {**params, **update.values}
    values |= {t.name: np.zeros([int(e) for e in t.shape]) for t in update.tensors if t.role == "state" and t.shape}
    values = {k: np.array(v, dtype=float) for k, v in values.items()}
    for x, y in BATCHES[:4]:
        found = interpret(program, {**values, "x": x, "y": y}, {"N": len(x)})
        values |= {t.next_of: found[t.name] for t in update.tensors if t.next_of}
        module.train_step(params, state, x, y)
        for key in params:
            np.testing.assert_allclose(params[key], values[key], rtol=1e-12)


def test_l2_decay_is_the_gradient_of_the_penalty() -> None:
    """A network whose loss has the penalty in it, against one whose optimiser decays the weights."""
    tensors = {"x": {"axes": ["n", "i"]}, "w": {"axes": ["i"], "role": "parameter"}}
    loss, penalty = "L = mean(n, sum(i, w[i]*x[n,i])^4)", " + 0.35*sum(i, w[i]^2)"
    found = []
    for text, decay in ((loss, 0.7), (loss + penalty, 0.0)):
        net = sb.Network.of_equations("line", [text], tensors, loss="L", indices={"n": "N", "i": 3},
                                      optimizer=sb.Nesterov(weight_decay=decay))
        update = net.update(adjoint(net.program, "L"))
        values = {"x": BATCHES[0][0], "w": np.array([1.0, -2.0, 0.5]), "v_w": np.ones(3), **update.values}
        found.append(interpret(update.extended(), values, {"N": 4})["w_next"])
    np.testing.assert_allclose(*found, rtol=1e-14)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_documents_have_one_power_for_each_letter(name: str) -> None:
    net = parse(NETWORK + OPTIMIZERS[name])
    program, lines = net.update_lines(sb.derive(net))
    texts = [Writer(program).equation(*line) for line in lines]
    assert sum(":=" in t for t in texts) == sum(bool(program.tensor(target.name).next_of) for target, _ in lines)
    assert not any("}_{ji}^" in t or "}_{j}^" in t for t in texts), texts
    if "clip_norm" in OPTIMIZERS[name]:
        assert sum(r"\sum_{j, i}" in t and r"\sum_{j}" in t for t in texts) == 1
        assert any(r"\min" in t and r"\cos" in t and r"\pi" in t for t in texts)


@pytest.mark.parametrize(("text", "words"), [
    ('type = "adam"\ndecay_biases = false', "decay_biases = false"),
    ('type = "momentum"\nrate_in = "nowhere"\nschedule = { type = "step", every = 5 }', "remove schedule"),
])
def test_what_is_wrong_is_said_in_a_sentence(text: str, words: str) -> None:
    with pytest.raises(sb.NetworkError, match=words):
        parse(NETWORK + text)


def test_centred_rmsprop_stays_finite_where_rounding_leaves_less_than_no_variance(tmp_path: Path) -> None:
    module = module_of(generate(parse(NETWORK + 'type = "rmsprop"\ncentered = true')), tmp_path)
    params = module.init_params(0, np.float32)
    state, grads = module.init_state(params), {k: np.full_like(v, 0.1) for k, v in params.items()}
    for _ in range(1500):
        module.update(params, state, grads)
    assert all(np.isfinite(v).all() for v in params.values())
    assert any((state["s"][k] < state["m"][k]**2).any() for k in params)


@pytest.mark.parametrize("name", ["gd", "adamw"])
def test_biases_do_not_decay(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    module = module_of(generate(parse(NETWORK + f'type = "{name}"\nlearning_rate = 0.1\nweight_decay = 0.5\ndecay_biases = false')), tmp_path)
    params = {"W1": RNG.normal(size=(2, 3)), "b1": RNG.normal(size=2)}
    leaves = {k: torch.tensor(v.copy(), requires_grad=True) for k, v in params.items()}
    kind = {"gd": torch.optim.SGD, "adamw": torch.optim.AdamW}[name]
    optimizer = kind([{"params": [leaves["W1"]], "weight_decay": 0.5}, {"params": [leaves["b1"]], "weight_decay": 0.0}], lr=0.1)
    state = module.init_state(params)
    for _ in range(20):
        grads = {k: RNG.normal(size=v.shape) for k, v in params.items()}
        for k, leaf in leaves.items():
            leaf.grad = torch.tensor(grads[k].copy())
        optimizer.step()
        module.update(params, state, grads)
        for k, leaf in leaves.items():
            np.testing.assert_allclose(params[k], leaf.detach().numpy(), rtol=1e-12, atol=1e-14)
