"""Flatten, reshape and permute: values and gradients beside PyTorch, what their code costs, and what is refused."""
from __future__ import annotations

import pytest
from layers_help import compare, network_of

import symbp as sb
from symbp.certify.ladder import check
from symbp.layers import Dense, Flatten, Layer, Permute, Reshape
from symbp.settings import NetworkError


@pytest.mark.parametrize("shape", [[2, 3], [2, 3, 4], [1, 1, 5], [3]])
def test_flatten_before_a_dense_layer(shape: list[int]) -> None:
    compare(network_of([Flatten(), Dense(units=2)], shape), lambda torch, v: v["x"].flatten(1) @ v["W1"].T + v["b1"])


@pytest.mark.parametrize(("shape", "wanted"), [([12], [3, 4]), ([12], [2, 1, 6]), ([3, 4], [12]), ([3, 4], [2, 6]), ([4], [4])])
def test_reshape(shape: list[int], wanted: list[int]) -> None:
    compare(network_of([Reshape(shape=wanted), Reshape(shape=wanted)], shape), lambda torch, v: v["x"].reshape(-1, *wanted))


@pytest.mark.parametrize("order", [[1, 0, 2], [2, 0, 1], [0, 1, 2]])
def test_permute(order: list[int]) -> None:
    compare(network_of([Permute(order=order)], [2, 3, 4]), lambda torch, v: v["x"].permute(0, *(k + 1 for k in order)))


@pytest.mark.parametrize("layer", [Flatten(), Reshape(shape=[3, 2]), Permute(order=[1, 0])])
def test_the_ladder(layer: Layer) -> None:
    last = Dense(units=2) if isinstance(layer, Flatten) else Flatten()
    network = network_of([Dense(units=6), Reshape(shape=[2, 3]), layer, last], [2])
    report = check(network.program, network.loss, seed=1)
    assert report.passed, str(report)


def test_a_reshape_is_a_view_in_generated_code() -> None:
    text = sb.generate(network_of([Dense(units=6, activation="relu"), Reshape(shape=[2, 3]), Flatten(), Dense(units=1)], [4]))
    functions = text.split("def forward")[1].split("def init")[0]
    assert "r = a1.reshape(N, 2, 3) " in functions
    assert not any(word in functions for word in (".copy()", "np.zeros(", "np.copyto("))


@pytest.mark.parametrize(("layer", "shape", "message"), [
    (Reshape(shape=[5, 2]), [3, 4], r"the input's shape \[3, 4\] has 3·4 = 12 elements, but shape = \[5, 2\] has 5·2 = 10"),
    (Permute(order=[0, 0]), [3, 4], r"order = \[0, 0\] must name each axis of the input's shape \[3, 4\] once"),
    (Dense(units=1), [3, 4], "type = \"flatten\"")])
def test_what_does_not_fit_is_said(layer: Layer, shape: list[int], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        network_of([layer], shape)


def test_flatten_of_nothing_to_flatten_writes_nothing() -> None:
    assert all(eq.label != "flatten" for eq in network_of([Flatten()], [3]).program.equations)


