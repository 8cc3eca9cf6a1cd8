"""Losses of margins, residuals and Gaussians, and priors: PyTorch's values and gradients, kinks, code that does not overflow, bad input."""
from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_help import load_torch

import symbp as sb
from symbp import data
from symbp.calculus.differentiate import adjoint
from symbp.draft import Draft
from symbp.emit import values_function
from symbp.interpret import interpret
from symbp.losses import Loss, Target
from symbp.run.loop import train

torch = load_torch()
F = torch.nn.functional


def build(loss: Loss, width: int, target: Target | None = None, **conventions: str) -> sb.Program:
    """A program with the network's output as the parameter `out`."""
    draft = Draft(sb.Conventions(**conventions))
    out = draft.signal("out", [draft.index(width)], role="parameter")
    loss.build(draft, out, target or Target(), draft.tensor("L"))
    return draft.program()


def compare(loss: Loss, twin: object, out: np.ndarray, y: np.ndarray, target: Target | None = None) -> None:
    """Value and gradient, for the mean and for the sum over the batch."""
    for batch in ("mean", "sum"):
        program = build(loss, out.shape[1], target, batch_loss=batch)
        name = next(t.name for t in program.inputs if t.name in "ty")
        d = adjoint(program, "L")
        found = interpret(d.program, {"out": out, name: y}, {"N": len(out)})
        x = torch.tensor(out, requires_grad=True)
        value = twin(x, torch.tensor(y)) / (len(out) if batch == "mean" else 1)
        value.backward()
        assert float(found["L"]) == pytest.approx(float(value.detach()), rel=1e-11, abs=1e-12)
        np.testing.assert_allclose(found[d.names["out"]], x.grad.numpy(), atol=1e-12)


def gaussian(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    width = out.shape[1] // 2
    return F.gaussian_nll_loss(out[:, :width], y, out[:, width:].exp(), reduction="sum", full=True, eps=1e-300)


RESIDUALS = {
    "absolute": (sb.AbsoluteError(), lambda a, y: F.l1_loss(a, y, reduction="sum")),
    "huber": (sb.Huber(delta=0.7), lambda a, y: F.huber_loss(a, y, reduction="sum", delta=0.7)),
    "gaussian, fixed": (sb.GaussianNLL(variance=0.3), lambda a, y: F.gaussian_nll_loss(a, y, torch.full_like(a, 0.3), reduction="sum")),
    "logits": (sb.BinaryCrossEntropyWithLogits(targets="any"), lambda a, y: F.binary_cross_entropy_with_logits(a, y, reduction="sum")),
}
CLASSES = {
    "sum": (sb.MulticlassHinge(form="sum", features="mean", margin=0.8), lambda a, t: F.multi_margin_loss(a, t, margin=0.8, reduction="sum")),
    "max": (sb.MulticlassHinge(), lambda a, t: ((1 - F.one_hot(t, a.shape[1]) + a).amax(1) - a.gather(1, t[:, None])[:, 0]).sum()),
}


@pytest.mark.parametrize("name", RESIDUALS)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 999))
@settings(max_examples=6, deadline=None)
def test_losses_of_numbers(name: str, samples: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    out, y = rng.normal(size=(2, samples, width)) * 2
    compare(*RESIDUALS[name], out, rng.uniform(size=y.shape) if name == "logits" else y)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("encoding", ["one_hot", "integer"])
@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 999))
@settings(max_examples=5, deadline=None)
def test_hinges_of_several_classes(name: str, encoding: str, samples: int, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    out, labels = rng.normal(size=(samples, classes)), rng.integers(classes, size=samples)
    loss, twin = CLASSES[name]
    compare(loss, lambda a, _: twin(a, torch.tensor(labels)), out, np.eye(classes)[labels] if encoding == "one_hot" else labels,
            Target(classes=classes, encoding=encoding))


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 999))
@settings(max_examples=6, deadline=None)
def test_a_gaussian_with_a_variance_of_its_own(samples: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    compare(sb.GaussianNLL(full=True), gaussian, rng.normal(size=(samples, 2 * width)), rng.normal(size=(samples, width)))


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 999))
@settings(max_examples=6, deadline=None)
def test_hinge(samples: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    compare(sb.Hinge(), lambda a, y: torch.clamp(1 - a * y, min=0).sum(), rng.normal(size=(samples, width)), rng.choice([-1.0, 1.0], (samples, width)))


def test_kinks_are_the_conventions() -> None:
    """At r = 0, |r| = δ and margin = y z the derivatives are PyTorch's; relu_at_zero moves the hinge's."""
    compare(*RESIDUALS["absolute"], np.zeros((1, 2)), np.zeros((1, 2)))
    compare(*RESIDUALS["huber"], np.array([[0.0, 0.7, -0.7]]), np.zeros((1, 3)))
    for value, slope in (("0", 0.0), ("1/2", -0.5), ("1", -1.0)):
        d = adjoint(build(sb.Hinge(), 1, relu_at_zero=value), "L")
        assert interpret(d.program, {"out": [[1.0]], "y": [[1.0]]}, {"N": 1})[d.names["out"]][0, 0] == slope


NETWORKS = {
    **{name: (loss, 2, Target()) for name, (loss, _) in RESIDUALS.items()}, "hinge": (sb.Hinge(margin=0.5), 1, Target()),
    "gaussian": (sb.GaussianNLL(), 4, Target(shape=[2])), "logits, binary": (sb.BinaryCrossEntropyWithLogits(), 1, Target()),
    **{f"{name}, {e}": (loss, 3, Target(classes=3, encoding=e)) for name, (loss, _) in CLASSES.items() for e in ("one_hot", "integer")},
    "prior": (sb.SoftmaxCrossEntropy(prior=sb.Prior(type="gaussian", variance=4.0)), 3, Target(classes=3)),
}


def network(name: str, **conventions: str) -> sb.Network:
    loss, units, target = NETWORKS[name]
    return sb.Network.of_layers("net", [sb.Dense(units=units)], loss, input=[2], target=target, conventions=sb.Conventions(**conventions))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_ladder(name: str) -> None:
    report = sb.check(network(name))
    assert report.passed, report.table()
    assert {r.status for g in report.gradients for r in g.rungs} == {"passed"}


def test_the_gradient_by_a_logit_is_a_minus_y() -> None:
    d = sb.derive(network("logits, binary"))
    assert d["z1"].latex() == r"\delta^{(1)}_{nj} = \frac{1}{N} \left(a_{nj} - y_{nj}\right)"


def test_cross_entropy_of_large_logits_in_float32() -> None:
    run = values_function(network("logits, binary"))
    params = {"W1": np.array([[1000.0, 0]], np.float32), "b1": np.zeros(1, np.float32)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = run(params, np.array([[1, 0], [-1, 0], [0, 0]], np.float32), np.array([[0], [1], [1]], np.float32))
    assert found["L"] == pytest.approx((2000 + np.log(2)) / 3) and found["delta1"].dtype == np.float32


# priors

@pytest.mark.parametrize("scale_in", ["delta", "gradient"])
@pytest.mark.parametrize("batch", ["mean", "sum"])
def test_a_gaussian_prior_is_weight_decay(batch: str, scale_in: str) -> None:
    net, rng = network("prior", batch_loss=batch, scale_in=scale_in), np.random.default_rng(1)
    x, t, W, b = rng.normal(size=(5, 2)), np.eye(3)[rng.integers(3, size=5)], rng.normal(size=(3, 2)), rng.normal(size=3)
    d = sb.derive(net)
    found = interpret(d.program, {"x": x, "t": t, "W1": W, "b1": b}, {"N": 5})
    w, c = torch.tensor(W, requires_grad=True), torch.tensor(b, requires_grad=True)
    loss = F.cross_entropy(torch.tensor(x) @ w.T + c, torch.tensor(t.argmax(1)), reduction="sum") + ((w**2).sum() + (c**2).sum()) / 8
    (loss / (5 if batch == "mean" else 1)).backward()
    np.testing.assert_allclose(found[d.gradients["W1"]], w.grad.numpy(), atol=1e-12)
    np.testing.assert_allclose(found[d.gradients["b1"]], c.grad.numpy(), atol=1e-12)
    assert sb.check(net).passed


def test_weight_decay_is_derived() -> None:
    loss = sb.SquaredError(prior=sb.Prior(type="gaussian", variance="v", of="weights"))
    net = sb.Network.of_layers("net", [sb.Dense(units=1)], loss, input=[2], conventions=sb.Conventions(batch_loss="sum"))
    d = sb.derive(net)
    assert d["W1"].latex().endswith(r"+ \frac{1}{v} W^{(1)}_{km}"), d["W1"].latex()
    assert "v" not in d["b1"].latex()


def test_a_prior_in_a_network_file() -> None:
    text = 'name = "n"\n[input]\nshape = [2]\n[[layers]]\ntype = "dense"\nunits = 1\n[loss]\ntype = "huber"\ndelta = 2.0\nprior = {}\n'
    made = sb.parse(text.format('{ type = "gaussian", variance = 10.0 }'))
    assert [str(eq.body) for eq in made.program.definition("L")[1:]] == ["W1[k, m]**2/(20*N)", "b1[q]**2/(20*N)"]
    for prior in ('{ type = "gaussian", variance = 0.0 }', '{ type = "laplace", variance = 1.0 }', '{ type = "gaussian" }', "3"):
        with pytest.raises(sb.NetworkError, match="variance|type|prior"):
            sb.parse(text.format(prior))


# bad input

@pytest.mark.parametrize(("loss", "units", "target", "message"), [
    (sb.Hinge(), 2, Target(classes=2), "a hinge has a target of numbers −1 and 1"),
    (sb.MulticlassHinge(), 2, Target(shape=[2]), "needs classes"), (sb.MulticlassHinge(), 2, Target(classes=3), "3 classes"),
    (sb.GaussianNLL(), 3, Target(), r"2·D features, but its output has the shape \[3\]"),
    (sb.GaussianNLL(), 4, Target(shape=[3]), r"give it 2·3 = 6 features"), (sb.GaussianNLL(variance=1.0), 4, Target(shape=[3]), r"shape \[3\]"),
    (sb.GaussianNLL(), 4, Target(classes=2), "a target of numbers"), (sb.BinaryCrossEntropyWithLogits(), 2, Target(classes=2), "numbers 0 and 1"),
    (sb.Huber(), 2, Target(shape=[3]), r"shape \[3\]"), (sb.BinaryCrossEntropy(), 2, Target(), "binary_cross_entropy_with_logits")])
def test_targets_that_do_not_fit(loss: Loss, units: int, target: Target, message: str) -> None:
    with pytest.raises(sb.NetworkError, match=message):
        sb.Network.of_layers("net", [sb.Dense(units=units)], loss, input=[2], target=target)


@pytest.mark.parametrize(("kind", "table"), [
    (sb.Huber, {"delta": 0.0}), (sb.Hinge, {"margin": -1.0}), (sb.GaussianNLL, {"variance": 0.0}), (sb.GaussianNLL, {"variance": float("nan")}),
    (sb.MulticlassHinge, {"form": "max", "features": "mean"}), (sb.MulticlassHinge, {"form": "min"})])
def test_settings_out_of_range(kind: type[Loss], table: dict) -> None:
    with pytest.raises(sb.NetworkError):
        kind(**table)


# two classes in one column

@pytest.mark.parametrize("loss", ["binary_cross_entropy_with_logits", "binary_cross_entropy", "hinge"])
def test_training_on_two_classes_with_one_output(loss: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=300)
    pictures = (rng.integers(60, size=(300, 4)) + 120 * labels[:, None]).astype(np.uint8).reshape(300, 2, 2)
    scaled = pictures[:200] / 255
    sets = data.Dataset("two", pictures[:200], labels[:200], pictures[200:], labels[200:], 255, np.array(scaled.mean()),
                        np.array(scaled.std()), 2)
    monkeypatch.setattr(data, "load", lambda *_: sets)
    activation = "sigmoid" if loss == "binary_cross_entropy" else "identity"
    path = tmp_path / "two.toml"
    path.write_text(f'name = "two"\n[input]\nshape = [4]\n[[layers]]\ntype = "dense"\nunits = 1\nactivation = "{activation}"\n'
                    f'[loss]\ntype = "{loss}"\n[optimizer]\ntype = "gd"\nlearning_rate = 0.5\n', encoding="utf-8")
    result = train(path, data="two", epochs=3, batch_size=20, out=tmp_path / "run", plots=False, quiet=True)
    assert result.accuracy is not None and result.accuracy > 0.95


@pytest.mark.parametrize("margin", [1e30, 1e300])
def test_code_of_a_margin_that_no_integer_holds(margin: float) -> None:
    network = sb.Network.of_layers("wide", [sb.Dense(units=1)], sb.Hinge(margin=margin), input=[2])
    assert f"{margin!r} - y * z1" in sb.generate(network)
