"""Property tests over shapes, strides, paddings, dilations, groups and the shapes of the other layers."""
from __future__ import annotations

import numpy as np
import pytest
from checking import EXAMPLES, difference, directions_for, drawn, gradients, inner, jacobian_product
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import Case, attention, avg_pool, bidirectional, conv, deep, embedding, layer_norm, lstm, mlp, tied, window_lse

seeds = st.integers(0, 2**31)
small = st.integers(1, 3)


@st.composite
def convolutions(draw: st.DrawFn) -> Case:
    """A convolution over one or two axes with at least one window."""
    axes = draw(st.integers(1, 2))
    groups, per_group, filters = draw(small), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    kernel, dilation = (tuple(draw(small) for _ in range(axes)) for _ in range(2))
    pads = tuple((draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(axes))
    least = [max(1, d * (k - 1) + 1 - sum(p)) for k, d, p in zip(kernel, dilation, pads)]
    sizes = tuple(draw(st.integers(low, low + 3)) for low in least)
    stride = tuple(draw(small) for _ in range(axes))
    return conv(draw(st.integers(1, 2)), groups * per_group, groups * filters, sizes, kernel, stride, pads, dilation, groups)


@st.composite
def layers(draw: st.DrawFn) -> Case:
    """Another layer or network of drawn shape."""
    a, b, c = draw(small), draw(small), draw(small)
    return draw(st.sampled_from([
        lambda: mlp(a, (b, c, 2)), lambda: tied(a, b, c), lambda: layer_norm(a, b + 1), lambda: embedding(a, b + 1, c),
        lambda: attention(1, a, b, c), lambda: lstm(a, 1, b, c), lambda: bidirectional(a, b), lambda: deep((a, b, c, b)),
        lambda: window_lse(a + 2, c, c - 1), lambda: avg_pool(1, 1, (a + 2,), (b + 1,), (c,), (1,))]))()


def check(case: Case, seed: int) -> None:
    """The adjoint agrees with differences, and with the tangent."""
    values, vector = drawn(case, seed)
    along = directions_for(case, values, seed + 1)
    found = gradients(case, values, vector)
    forward, expected = jacobian_product(case, values, along), difference(case, values, along)
    weights = 1.0 if vector is None else vector
    total = inner(found, along)
    assert np.sum(forward * weights) == pytest.approx(total, rel=1e-10, abs=1e-10)
    assert np.sum(expected * weights) == pytest.approx(total, rel=1e-7, abs=1e-7)


@given(convolutions(), seeds)
@settings(max_examples=EXAMPLES, deadline=None)
def test_convolutions_of_any_shape(case: Case, seed: int) -> None:
    check(case, seed)


@given(layers(), seeds)
@settings(max_examples=2 * EXAMPLES, deadline=None)
def test_layers_of_any_shape(case: Case, seed: int) -> None:
    check(case, seed)
