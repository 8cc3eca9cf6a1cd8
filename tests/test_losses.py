"""Losses against NumPy formulas and PyTorch."""
from __future__ import annotations

import numpy as np
import pytest

import symbp as sb
from symbp.calculus.differentiate import adjoint
from symbp.draft import Draft
from symbp.interpret import interpret
from symbp.losses import Loss, Target

BATCH, CLASSES = 6, 4
RNG = np.random.default_rng(5)
Z = RNG.normal(size=(BATCH, CLASSES))
LABELS = RNG.integers(CLASSES, size=BATCH)
ONE_HOT = np.eye(CLASSES)[LABELS]
Y = RNG.normal(size=(BATCH, CLASSES))


def build(loss: Loss, target: Target | None = None, *, probabilities: bool = False, **conventions: str) -> sb.Program:
    """A program with the network's output as the parameter `out`."""
    draft = Draft(sb.Conventions(**conventions))
    total = draft.claim("L", "the loss")
    out = draft.signal("out", [draft.index(CLASSES)], role="parameter")
    if probabilities:
        from symbp.draft import known
        out = known(out, True)
    loss.build(draft, out, target or Target(), draft.tensor(total))
    return draft.program()


def run(program: sb.Program, out: np.ndarray, **values: object) -> tuple[float, np.ndarray]:
    """The loss and its gradient by the output."""
    d = adjoint(program, "L")
    found = interpret(d.program, {"out": out, **values}, {"N": len(out)})
    return float(found["L"]), found[d.names["out"]]


def torch_gradient(loss: object, out: np.ndarray) -> tuple[float, np.ndarray]:
    torch = pytest.importorskip("torch")
    x = torch.tensor(out, requires_grad=True)
    value = loss(torch, x)
    value.backward()
    return float(value.detach()), x.grad.numpy()


def assert_agree(mine: tuple, theirs: tuple) -> None:
    assert mine[0] == pytest.approx(theirs[0], rel=1e-10)
    np.testing.assert_allclose(mine[1], theirs[1], atol=1e-12)


@pytest.mark.parametrize(("loss", "factor"), [
    (sb.SquaredError(), 1 / 2), (sb.SquaredError(half=False), 1), (sb.SquaredError(half=False, features="mean"), 1 / CLASSES)])
@pytest.mark.parametrize("batch", ["mean", "sum"])
def test_squared_error(loss: Loss, factor: float, batch: str) -> None:
    value, gradient = run(build(loss, batch_loss=batch), Z, y=Y)
    scale = factor / (BATCH if batch == "mean" else 1)
    assert value == pytest.approx(scale * ((Z - Y)**2).sum())
    np.testing.assert_allclose(gradient, 2 * scale * (Z - Y))


def test_squared_error_of_one_column() -> None:
    draft = Draft(sb.Conventions(samples="column"))
    out = draft.signal("out", [draft.index(CLASSES)], role="parameter")
    sb.SquaredError().build(draft, out, Target(), draft.tensor("L"))
    assert str(draft.program()) in ("L[] += sum(i, (out[i] - y[i])**2/2)", "L[] += sum(i, (-y[i] + out[i])**2/2)")


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("encoding", ["one_hot", "integer"])
def test_softmax_cross_entropy(smoothing: float, temperature: float, encoding: str) -> None:
    loss = sb.SoftmaxCrossEntropy(smoothing=smoothing, temperature=temperature)
    program = build(loss, Target(classes=CLASSES, encoding=encoding))
    mine = run(program, Z, t=ONE_HOT if encoding == "one_hot" else LABELS)
    assert_agree(mine, torch_gradient(lambda torch, z: torch.nn.functional.cross_entropy(
        z / temperature, torch.tensor(LABELS), label_smoothing=smoothing), Z))


def test_smoothing_and_temperature_may_be_letters() -> None:
    program = build(sb.SoftmaxCrossEntropy(smoothing="\\epsilon", temperature="T"))
    mine = run(program, Z, t=ONE_HOT, epsilon=0.2, T=3.0)
    assert_agree(mine, torch_gradient(lambda torch, z: torch.nn.functional.cross_entropy(z / 3, torch.tensor(LABELS), label_smoothing=0.2), Z))


def test_cross_entropy_of_probabilities() -> None:
    p = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    mine = run(build(sb.CrossEntropy(), probabilities=True), p, t=ONE_HOT)
    assert_agree(mine, torch_gradient(lambda torch, q: -(torch.tensor(ONE_HOT) * q.log()).sum() / BATCH, p))


def test_binary_cross_entropy() -> None:
    p, y = RNG.uniform(0.1, 0.9, size=(BATCH, CLASSES)), RNG.integers(2, size=(BATCH, CLASSES)).astype(float)
    mine = run(build(sb.BinaryCrossEntropy(), probabilities=True), p, y=y)
    assert_agree(mine, torch_gradient(lambda torch, q: torch.nn.functional.binary_cross_entropy(q, torch.tensor(y), reduction="sum") / BATCH, p))


def test_facts_of_the_targets() -> None:
    assert [str(f) for f in build(sb.SoftmaxCrossEntropy()).facts] == ["sum(i, t[n, i]) == 1", "t[n, i]**2 == t[n, i]"]
    assert [str(f) for f in build(sb.BinaryCrossEntropy(), probabilities=True).facts] == ["y[n, i]**2 == y[n, i]"]
    assert not build(sb.BinaryCrossEntropy(targets="any"), probabilities=True).facts
    integers = build(sb.SoftmaxCrossEntropy(), Target(classes=CLASSES, encoding="integer"))
    assert [str(f) for f in integers.facts] == ["t[n] >= 0", "t[n] <= 3"]


def test_an_integer_target_out_of_range_is_refused() -> None:
    program = build(sb.SoftmaxCrossEntropy(), Target(classes=CLASSES, encoding="integer"))
    with pytest.raises(sb.SymbpError, match="fact"):
        run(program, Z, t=np.full(BATCH, CLASSES))


@pytest.mark.parametrize(("loss", "target", "message"), [
    (sb.CrossEntropy(), Target(), "put a layer of type 'softmax' last"),
    (sb.BinaryCrossEntropy(), Target(), "put a layer of type 'sigmoid' last"),
    (sb.SquaredError(), Target(shape=[5]), r"target has the shape \[5\], but the last layer's output has the shape \[4\]"),
    (sb.SoftmaxCrossEntropy(), Target(classes=10), "10 classes"),
    (sb.SoftmaxCrossEntropy(), Target(shape=[4]), "needs classes"),
])
def test_targets_and_outputs_that_do_not_fit(loss: Loss, target: Target, message: str) -> None:
    layers = [sb.Dense(units=CLASSES)]
    with pytest.raises(sb.NetworkError, match=message):
        sb.Network.of_layers("bad", layers, loss, input=[3], target=target)


@pytest.mark.parametrize("settings", [{"classes": 3, "shape": [3]}, {"encoding": "integer"}, {"classes": 0}, {"shape": []}, {"classes": True}])
def test_targets_that_contradict_themselves(settings: dict) -> None:
    with pytest.raises(sb.NetworkError):
        Target(**settings)


@pytest.mark.parametrize("settings", [{"smoothing": 1.0}, {"smoothing": -0.1}, {"temperature": 0}, {"temperature": float("nan")},
                                      {"smoothing": "\\input"}, {"temperature": "a b"}])
def test_settings_out_of_range(settings: dict) -> None:
    with pytest.raises(sb.NetworkError):
        sb.SoftmaxCrossEntropy(**settings)
