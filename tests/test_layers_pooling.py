"""Pooling: values and gradients beside PyTorch, ties, the ladder, and what is refused."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from layers_help import SAMPLES, compare, drawn, network_of

from symbp.calculus.differentiate import adjoint
from symbp.certify.ladder import check
from symbp.interpret import interpret
from symbp.language import Conventions
from symbp.layers import AveragePool, Convolution, GlobalAveragePool, MaxPool
from symbp.settings import NetworkError

SOME = settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])


@st.composite
def pools(draw: st.DrawFn) -> tuple[dict[str, Any], list[int]]:
    """Keys of a pooling layer over one or two axes, and the shape of its input."""
    axes = draw(st.integers(1, 2))
    kernel = draw(st.lists(st.integers(1, 3), min_size=axes, max_size=axes))
    padding = [draw(st.integers(0, k // 2)) for k in kernel]
    stride = draw(st.one_of(st.none(), st.lists(st.integers(1, 3), min_size=axes, max_size=axes)))
    sizes = [draw(st.integers(max(1, k - 2 * p), 7)) for k, p in zip(kernel, padding, strict=True)]
    return {"kernel": kernel, "stride": stride, "padding": padding}, [2, *sizes]


@given(pools(), st.booleans())
@SOME
def test_maximum_beside_torch(case: tuple[dict[str, Any], list[int]], ties: bool) -> None:
    keys, shape = case
    network = network_of([MaxPool(**keys)], shape)
    compare(network, lambda torch, v: getattr(torch.nn.functional, f"max_pool{len(shape) - 1}d")(v["x"], *keys.values()),
            drawn(network, whole=ties))


@given(pools(), st.booleans())
@SOME
def test_mean_beside_torch(case: tuple[dict[str, Any], list[int]], count: bool) -> None:
    keys, shape = case
    compare(network_of([AveragePool(count_include_pad=count, **keys)], shape),
            lambda torch, v: getattr(torch.nn.functional, f"avg_pool{len(shape) - 1}d")(v["x"], *keys.values(), count_include_pad=count))


@pytest.mark.parametrize("shape", [[3, 4], [2, 3, 5], [2, 1, 1]])
def test_global_mean_beside_torch(shape: list[int]) -> None:
    compare(network_of([GlobalAveragePool()], shape), lambda torch, v: v["x"].flatten(2).mean(2))


def test_between_convolutions() -> None:
    layers = [Convolution(type="conv2d", filters=3, kernel=3, padding=1, activation="relu"), MaxPool(kernel=2),
              Convolution(type="conv2d", filters=2, kernel=2), AveragePool(kernel=2, stride=1)]

    def forward(torch: Any, v: dict[str, Any]) -> Any:
        F = torch.nn.functional
        hidden = F.max_pool2d(torch.relu(F.conv2d(v["x"], v["K1"], v["b1"], padding=1)), 2)
        return F.avg_pool2d(F.conv2d(hidden, v["K2"], v["b2"]), 2, 1)

    compare(network_of(layers, [2, 6, 7]), forward)


@pytest.mark.parametrize("whole", [False, True])
def test_padded_maxima_between_convolutions(whole: bool) -> None:
    layers = [Convolution(type="conv2d", filters=2, kernel=2), MaxPool(kernel=3, stride=2, padding=1), Convolution(type="conv2d", filters=2, kernel=1)]

    def forward(torch: Any, v: dict[str, Any]) -> Any:
        F = torch.nn.functional
        return F.conv2d(F.max_pool2d(F.conv2d(v["x"], v["K1"], v["b1"]), 3, 2, 1), v["K2"], v["b2"])

    network = network_of(layers, [2, 6, 7])
    compare(network, forward, drawn(network, whole=whole))


def test_tied_maxima_share_or_the_first_has_all() -> None:
    found = {}
    for ties in ("first", "split"):
        network = network_of([MaxPool(kernel=2)], [1, 4], conventions=Conventions(ties=ties))
        values = {"x": np.array([[[1.0, 1.0, 2.0, 3.0]]] * SAMPLES), "y": np.zeros((SAMPLES, 1, 2))}
        derivative = adjoint(network.program, "L", ["x"])
        found[ties] = interpret(derivative.program, values, {"N": SAMPLES})[derivative.names["x"]][0, 0] * SAMPLES
    np.testing.assert_allclose(found["first"], [1, 0, 0, 3])
    np.testing.assert_allclose(found["split"], [0.5, 0.5, 0, 3])


@pytest.mark.parametrize("layer", [MaxPool(kernel=2, padding=1), AveragePool(kernel=2, padding=[[1, 0]], count_include_pad=False),
                                   GlobalAveragePool()])
def test_the_ladder(layer: MaxPool) -> None:
    network = network_of([Convolution(type="conv1d", filters=2, kernel=2), layer], [1, 4])
    report = check(network.program, network.loss, seed=1)
    assert report.passed, str(report)


@pytest.mark.parametrize(("layer", "shape", "message"), [
    (MaxPool(kernel=4), [2, 3], r"\(3 \+ 2·0 − 4\)/4 \+ 1 = 0|⌊\(3 \+ 2·0 − 4\)/4⌋ \+ 1 = 0"),
    (MaxPool(kernel=2, padding=2), [2, 3], "a padding of 2 leaves windows of 2 with nothing in them"),
    (AveragePool(kernel=2), [4], r"but it has the shape \[4\]"),
    (MaxPool(kernel=[2, 2]), [2, 3], "kernel = .2, 2. has 2 entries, but there is one axis"),
    (GlobalAveragePool(), [4], r"but its input has the shape \[4\]")])
def test_what_does_not_fit_is_said(layer: MaxPool, shape: list[int], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        network_of([layer], shape)
