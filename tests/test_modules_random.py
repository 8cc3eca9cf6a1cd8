"""Generated modules of random networks: both ways of one step give the same bits, and the gradients are those of differences."""
from __future__ import annotations

from types import ModuleType

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from symbp.emit import generate
from symbp.errors import SymbpError
from symbp.netfile import parse

ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu", "softplus", "elu", "silu", "leaky_relu", "gelu_tanh")
SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])


def table(kind: str, **keys: object) -> str:
    """A layer's table; what is None is left out."""
    values = {"type": kind, **{k: v for k, v in keys.items() if v is not None}}
    texts = {k: f'"{v}"' if isinstance(v, str) else str(v).lower() for k, v in values.items()}
    return "[[layers]]\n" + "".join(f"{k} = {text}\n" for k, text in texts.items())


def convolutions(axes: int) -> st.SearchStrategy[str]:
    """Convolutions of all forms, transposed ones, and pools."""
    kinds = ["conv1d"] if axes == 1 else ["conv2d", "conv2d_transpose"]
    some = st.none() | st.sampled_from([2])
    conv = st.builds(table, st.sampled_from(kinds), filters=st.sampled_from([2, 4]), kernel=st.integers(1, 4), stride=st.integers(1, 3),
                     padding=st.integers(0, 2), groups=some, activation=st.none() | st.sampled_from(ACTIVATIONS))
    dilated = st.builds(table, st.just(f"conv{axes}d"), filters=st.just(2), kernel=st.integers(2, 3), padding=st.integers(1, 2),
                        dilation=st.just(2))
    pool = st.builds(table, st.sampled_from(["max_pool", "average_pool"]), kernel=st.integers(2, 3), stride=st.none() | st.integers(1, 2))
    return conv | conv | dilated | pool | st.just(table("batch_norm"))


def of_sequences() -> st.SearchStrategy[str]:
    """Recurrences, attention, and what stands between."""
    recurrent = st.builds(table, st.sampled_from(["lstm", "gru", "rnn"]), units=st.integers(2, 4), returns=st.just("all"))
    attention = st.builds(table, st.sampled_from(["multi_head_self_attention", "transformer_block"]), heads=st.integers(1, 2),
                          causal=st.booleans())
    between = st.builds(table, st.sampled_from(["layer_norm", "rms_norm", *ACTIVATIONS])) | convolutions(1)
    return recurrent | attention | between


def check(shape: list[int], layers: list[str], loss: str, seed: int) -> None:
    """Build the network where it can be built, and compare."""
    target = "classes = 3" if loss in ("softmax_cross_entropy", "multiclass_hinge") else "shape = [3]"
    try:
        network = parse(f'name = "net"\n[input]\nshape = {shape}\n[target]\n{target}\n' + "".join(layers) + table("flatten") +
                        table("dense", units=3) + f'[loss]\ntype = "{loss}"\n[optimizer]\ntype = "gd"\nlearning_rate = 0.5\n')
    except SymbpError:
        assume(False)
    module = ModuleType("net")
    exec(generate(network), module.__dict__)  # noqa: S102 - our own module
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 6))
    for dtype in (np.float32, np.float64):
        params = {k: (v + rng.normal(size=v.shape) / 10).astype(dtype) for k, v in module.init_params(0, dtype).items()}
        x, y = rng.normal(size=(size, *shape)).astype(dtype), np.eye(3, dtype=dtype)[rng.integers(3, size=size)]
        value, gradients = module.loss_and_grads(params, x, y)
        moved = {k: v.copy() for k, v in params.items()}
        state = module.init_state(moved)
        module.train_step(moved, state, rng.normal(size=x.shape).astype(dtype), y)  # the buffers hold other numbers then
        for name, array in params.items():
            moved[name][...] = array
        assert module.train_step(moved, state, x, y) == value
        for name, array in params.items():
            np.testing.assert_array_equal(moved[name], array - dtype(0.5) * gradients[name], err_msg=name)
    for name, array in params.items():
        direction, step = rng.normal(size=array.shape), 1e-6
        ahead, behind = (module.loss_and_grads({**params, name: array + sign * step * direction}, x, y)[0] for sign in (1, -1))
        np.testing.assert_allclose((ahead - behind) / (2 * step), np.sum(direction * gradients[name]), rtol=1e-4, atol=1e-4, err_msg=name)


@SETTINGS
@given(st.data())
def test_of_images_and_signals(data: st.DataObject) -> None:
    axes = data.draw(st.integers(1, 2))
    shape = [data.draw(st.integers(1, 4)), *(data.draw(st.integers(6, 11)) for _ in range(axes))]
    layers = data.draw(st.lists(convolutions(axes), min_size=1, max_size=3))
    check(shape, layers, "softmax_cross_entropy", data.draw(st.integers(0, 9)))


@SETTINGS
@given(st.data())
def test_of_sequences(data: st.DataObject) -> None:
    shape = [data.draw(st.integers(2, 5)), data.draw(st.sampled_from([2, 4, 6]))]
    layers = data.draw(st.lists(of_sequences(), min_size=1, max_size=3))
    loss = data.draw(st.sampled_from(["softmax_cross_entropy", "squared_error", "huber", "multiclass_hinge"]))
    check(shape, layers, loss, data.draw(st.integers(0, 9)))


def test_heads_and_heights_are_told_apart() -> None:
    """Attention counts heads by h, and so do rows that a gradient is gathered in."""
    check([4, 6], [table("lstm", units=2, returns="all"), table("multi_head_self_attention", heads=1),
                   table("conv1d", filters=2, kernel=2, padding=1), table("conv1d", filters=3, kernel=3, padding=1)], "huber", 0)


def test_a_maximum_of_nine_views_fits_into_lines() -> None:
    check([4, 10, 10], [table("max_pool", kernel=3, stride=2), table("conv2d", filters=2, kernel=3)], "softmax_cross_entropy", 0)


def test_groups_that_a_reshape_leaves_where_they_lie_are_added_up_in_order() -> None:
    check([1, 6, 10], [table("conv2d_transpose", filters=6, kernel=2, stride=3),
                       table("conv2d_transpose", filters=2, kernel=4, padding=2, groups=2, activation="tanh")], "softmax_cross_entropy", 0)


def test_a_factor_with_gaps_is_multiplied_as_its_copy_is() -> None:
    check([1, 8], [table("conv1d", filters=2, kernel=1, padding=1), table("conv1d", filters=4, kernel=3, stride=2, groups=2)],
          "softmax_cross_entropy", 0)


def test_means_over_what_a_pool_leaves_of_a_convolution_are_added_up_in_order() -> None:
    for seed in range(4):
        check([1, 8, 7], [table("conv2d", filters=8, kernel=5, stride=2, padding="same"), table("max_pool", kernel=2, stride=1),
                          table("batch_norm")], "softmax_cross_entropy", seed)


def test_windows_that_leave_rests_of_both_axes() -> None:
    check([2, 5, 7], [table("conv2d", filters=3, kernel=2, stride=[2, 3]), table("conv2d", filters=2, kernel=1)], "softmax_cross_entropy", 0)
