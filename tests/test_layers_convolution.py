"""Convolutions and their transposes: values and gradients beside PyTorch, the ladder, and what is refused."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from layers_help import compare, network_of

import symbp as sb
from symbp.certify.ladder import check
from symbp.initial import starts
from symbp.layers import LAYERS, Add, Convolution, MaxPool, TransposedConvolution
from symbp.settings import NetworkError


def beside_torch(layer: Convolution, shape: list[int]) -> None:
    """The layer's output and gradients against `torch.nn.functional.conv1d` or `conv2d`."""
    axes = len(shape) - 1
    pads = layer.padding if isinstance(layer.padding, list) else [layer.padding] * axes
    sides = [side for p in reversed(pads) for side in (p if isinstance(p, list) else [p, p])]

    def forward(torch: Any, v: dict[str, Any]) -> Any:
        run = getattr(torch.nn.functional, f"conv{axes}d")
        groups = shape[0] if layer.depthwise else layer.groups
        return run(torch.nn.functional.pad(v["x"], sides), v["K1"], v.get("b1"), layer.stride, 0, layer.dilation, groups)

    compare(network_of([layer], shape), forward)


@given(st.data())
@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_two_axes_beside_torch(data: st.DataObject) -> None:
    def pair(least: int, most: int) -> list[int]:
        return data.draw(st.lists(st.integers(least, most), min_size=2, max_size=2))

    groups = data.draw(st.integers(1, 2))
    channels, filters = (groups * data.draw(st.integers(1, 2)) for _ in range(2))
    kernel, dilation, stride, pads = pair(1, 3), pair(1, 2), pair(1, 3), [pair(0, 2), pair(0, 2)]
    size = [data.draw(st.integers(max(1, d * (k - 1) + 1 - sum(p)), 6)) for k, d, p in zip(kernel, dilation, pads, strict=True)]
    beside_torch(Convolution(type="conv2d", filters=filters, kernel=kernel, stride=stride, padding=pads, dilation=dilation, groups=groups,
                             bias=data.draw(st.booleans())), [channels, *size])


@pytest.mark.parametrize("extra", [{}, {"stride": 2, "padding": 1}, {"padding": [[2, 0]], "dilation": 2}, {"groups": 2, "bias": False}])
def test_one_axis_beside_torch(extra: dict) -> None:
    beside_torch(Convolution(type="conv1d", filters=4, kernel=3, **extra), [2, 7])


@pytest.mark.parametrize("filters", [None, 4])
def test_depthwise_is_a_group_for_each_channel(filters: int | None) -> None:
    beside_torch(Convolution(type="conv2d", filters=filters, kernel=3, padding=1, depthwise=True), [2, 4, 4])


@pytest.mark.parametrize(("size", "kernel", "stride", "dilation"), [(5, 3, 1, 1), (6, 4, 1, 1), (6, 2, 1, 2)])
def test_same_padding_is_that_of_torch(size: int, kernel: int, stride: int, dilation: int) -> None:
    network = network_of([Convolution(type="conv1d", filters=2, kernel=kernel, padding="same", dilation=dilation)], [1, size])
    compare(network, lambda torch, v: torch.nn.functional.conv1d(v["x"], v["K1"], v["b1"], padding="same", dilation=dilation))


def test_same_padding_with_a_stride_has_as_many_windows_as_strides() -> None:
    network = network_of([Convolution(type="conv1d", filters=1, kernel=3, padding="same", stride=2)], [1, 5])
    assert [str(e) for e in network.program.tensor("z1").shape] == ["N", "1", "3"]


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("extra", [{}, {"stride": 2, "padding": 1, "output_padding": 1}, {"stride": 2, "groups": 2, "bias": False},
                                   {"dilation": 2, "padding": 1}])
def test_transposed_beside_torch(axes: int, extra: dict) -> None:
    layer = TransposedConvolution(type=f"conv{axes}d_transpose", filters=2, kernel=3, **extra)

    def forward(torch: Any, v: dict[str, Any]) -> Any:
        run = getattr(torch.nn.functional, f"conv_transpose{axes}d")
        return run(v["x"], v["K1"], v.get("b1"), layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation)

    compare(network_of([layer], [4, 3, 4][:axes + 1]), forward)


def test_two_layers_with_activations() -> None:
    layers = [Convolution(type="conv2d", filters=2, kernel=3, padding=1, activation="relu"),
              Convolution(type="conv2d", name="second", filters=3, kernel=2, activation="tanh")]

    def forward(torch: Any, v: dict[str, Any]) -> Any:
        hidden = torch.relu(torch.nn.functional.conv2d(v["x"], v["K1"], v["b1"], padding=1))
        return torch.tanh(torch.nn.functional.conv2d(hidden, v["second.K"], v["second.b"]))

    compare(network_of(layers, [1, 4, 5]), forward)


@pytest.mark.parametrize("layer", [
    Convolution(type="conv2d", filters=2, kernel=2, padding=[[1, 0], [0, 1]], stride=2),
    Convolution(type="conv1d", filters=2, kernel=2, groups=2), TransposedConvolution(type="conv1d_transpose", filters=1, kernel=2, stride=2)])
def test_the_ladder(layer: Convolution) -> None:
    network = network_of([layer], [2, 3, 3][:layer.dimensions + 1])
    report = check(network.program, network.loss, seed=1)
    assert report.passed, str(report)


# how kernels start

def test_the_deviation_of_a_kernel_counts_its_taps() -> None:
    layers = [Convolution(type="conv2d", filters=8, kernel=3, groups=2, activation="relu"),
              Convolution(type="conv2d", filters=4, kernel=[2, 3], init="xavier")]
    found = starts(network_of(layers, [6, 9, 9]))
    assert (found["K1"].kind, found["K1"].above, found["K1"].below) == ("he", 2, 3 * 9)
    assert (found["K2"].above, found["K2"].below) == (2, 8 * 6 + 4 * 6)
    assert found["b1"].kind == "zeros"


def test_the_deviation_of_a_transposed_kernel_counts_the_taps_of_a_stride() -> None:
    layer = TransposedConvolution(type="conv2d_transpose", filters=3, kernel=4, stride=2, init="xavier")
    found = starts(network_of([layer], [5, 3, 3]))["K1"]
    assert found.below == 5 * 2 * 2 + 3 * 4 * 4


def test_a_kernel_whose_sum_with_a_branch_goes_through_relu_starts_by_he() -> None:
    layers = [Convolution(type="conv1d", name="a", filters=1, kernel=1), Convolution(type="conv1d", name="b", filters=1, kernel=1),
              Add(inputs=["a", "b"]), MaxPool(kernel=2), LAYERS["relu"](type="relu")]
    assert {s.kind for n, s in starts(network_of(layers, [1, 4])).items() if n.endswith("K")} == {"he"}


# bad input

BAD = [
    ({"kernel": 7}, [3, 5, 5], r"\(5 \+ 2·0 − 7\)/1 \+ 1 = −1"),
    ({"kernel": 3, "dilation": 4, "padding": [[0, 1], [1, 1]]}, [3, 6, 9], r"\(6 \+ 0 \+ 1 − 9\)/1 \+ 1 = −1"),
    ({"kernel": 3, "groups": 2}, [3, 5, 5], r"groups = 2 must divide the channels of the input, but 3 = 1·2 \+ 1"),
    ({"kernel": 3, "groups": 3}, [3, 5, 5], r"groups = 3 must divide the filters, but 4 = 1·3 \+ 1"),
    ({"kernel": 3}, [5, 5], r"shape \[channels, height, width\], but it has the shape \[5, 5\]"),
    ({"kernel": [3, 3], "stride": [1]}, [3, 5, 5], "stride = .1. has 1 entries, but there are 2 axes"),
    ({"kernel": 3, "groups": 3, "depthwise": True, "filters": 4}, [3, 5, 5], "must divide the filters"),
    ({"kernel": 3, "depthwise": True, "groups": 2}, [3, 5, 5], "write one of the two"),
]


@pytest.mark.parametrize(("keys", "shape", "message"), BAD)
def test_what_does_not_fit_is_said_with_its_arithmetic(keys: dict, shape: list[int], message: str) -> None:
    layer = Convolution(**{"type": "conv2d", "name": "conv2", "filters": 4, **keys})
    with pytest.raises(NetworkError, match=r"layer 1 \(conv2d conv2\): .*" + message):
        network_of([layer], shape)


@pytest.mark.parametrize(("keys", "message"), [
    ({"kernel": 0}, "kernel = 0 must be greater than 0"), ({"kernel": 3, "padding": "sme"}, 'padding = "sme"'),
    ({"kernel": 3, "padding": -1}, "padding = -1"), ({}, 'the key "kernel" is missing'), ({"kernel": 3, "strid": 2}, "did you mean \"stride\"")])
def test_keys_are_checked(keys: dict, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        Convolution(type="conv2d", filters=2, **keys)


@pytest.mark.parametrize(("keys", "message"), [
    ({"padding": 4}, r"\(3 − 1\)·1 \+ 2 \+ 0 − 4 − 4 = −4"), ({"padding": "same"}, 'no padding = "same"'),
    ({"output_padding": 1}, "output_padding = 1 must be smaller"), ({"filters": None}, 'the key "filters" is missing')])
def test_what_a_transposed_convolution_refuses(keys: dict, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        network_of([TransposedConvolution(**{"type": "conv1d_transpose", "filters": 1, "kernel": 2, **keys})], [2, 3])


def test_a_layer_in_a_file(tmp_path: Any) -> None:
    path = tmp_path / "net.toml"
    path.write_text('name = "net"\n[input]\nshape = [1, 4, 4]\n[[layers]]\ntype = "conv2d"\nfilters = 2\nkernel = [3, 2]\n'
                    'padding = [[1, 0], [0, 1]]\n[[layers]]\ntype = "flatten"\n[loss]\ntype = "squared_error"\n', encoding="utf-8")
    assert np.prod([int(e) for e in sb.load(path).program.tensor("y").shape[1:]]) == 2 * 3 * 4
