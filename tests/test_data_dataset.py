"""The digits in the package, and the arrays that a network reads."""
from __future__ import annotations

import dataclasses
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from images import colour, grey

from symbp.data import DataError, Dataset, cache, load, sources
from symbp.data.dataset import from_arrays
from symbp.data.prepare import Augmenter, Preparation
from symbp.emit import generate
from symbp.netfile import parse

KEYS = ("train_x", "train_y", "test_x", "test_y")
COLOURED = """
name = "coloured"
input = { shape = [3, 32, 32] }
target = { classes = 10 }
loss = { type = "softmax_cross_entropy" }
[[layers]]
type = "global_average_pool"
[[layers]]
type = "dense"
units = 10
"""


def small(**changes: object) -> Dataset:
    return dataclasses.replace(from_arrays("small", *grey(), classes=10), **changes)


def coloured() -> Dataset:
    return from_arrays("coloured", *colour(6), *colour(3, 1), classes=10)


# digits

def test_digits_are_what_they_were() -> None:
    digits = load("digits")
    assert digits.digest() == cache.DIGESTS["digits"]
    assert [getattr(digits, key).shape for key in KEYS] == [(1437, 8, 8), (1437,), (360, 8, 8), (360,)]
    assert [getattr(digits, key).dtype.name for key in KEYS] == ["uint8", "int64", "uint8", "int64"]
    assert (digits.maximum, digits.classes, digits.train_x.max(), digits.test_x.max()) == (16, 10, 16, 16)
    counts = np.bincount(digits.train_y) + np.bincount(digits.test_y)
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert sources.DIGITS.stat().st_size <= 50_000
    assert "CC BY 4.0" in sources.DIGITS.with_suffix(".txt").read_text(encoding="utf-8")


def test_digits_look_like_digits() -> None:
    digits = load("digits")
    centres = np.stack([digits.inputs("train", [64])[digits.train_y == k].mean(axis=0) for k in range(10)])
    guesses = ((digits.inputs("test", [64])[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    assert (guesses == digits.test_y).mean() > 0.85


def test_no_digit_is_in_both_splits() -> None:
    digits = load("digits")
    rows = np.concatenate([digits.train_x, digits.test_x]).reshape(1797, 64)
    assert len(np.unique(rows, axis=0)) == 1797


# what standardises

@pytest.mark.parametrize("make", [small, coloured, lambda: load("digits")])
def test_mean_and_deviation(make) -> None:
    data = make()
    axes = (0, 1, 2)
    scaled = data.train_x / data.maximum
    assert data.mean == pytest.approx(scaled.mean(axis=axes), rel=1e-14)
    assert data.std == pytest.approx(scaled.std(axis=axes), rel=1e-12)
    assert data.mean.dtype == data.std.dtype == np.float64
    assert data.mean.shape == data.std.shape == ((3,) if data.sample_shape[2:] else ())


@pytest.mark.parametrize("make", [small, coloured])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", np.float32])
def test_inputs_are_the_formula_rounded_once(make, dtype) -> None:
    data = make()
    for split in ("train", "test"):
        images = getattr(data, f"{split}_x")
        found = data.inputs(split, [images[0].size], dtype)
        assert found.dtype == dtype
        assert found.flags.c_contiguous
        assert np.array_equal(found, ((images / 255 - data.mean) / data.std).astype(dtype).reshape(len(images), -1))
        assert np.array_equal(data.inputs(split, images.shape[1:], dtype).ravel(), found.ravel())


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 400), st.sampled_from([(3,), (2, 5), (4, 3, 3), (2, 2, 4)]))
def test_blocks_leave_no_pixel_out(number: int, shape: tuple[int, ...]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("symbp.data.dataset.BLOCK", 7)
        x = np.random.default_rng(number).integers(0, 256, (number + 1, *shape), np.uint8)
        x[:2] = np.array([0, 255]).reshape(2, *[1] * len(shape))
        data = from_arrays("any", x, np.zeros(number + 1, int), x[:1], np.zeros(1, int))
        assert np.array_equal(data.inputs("train", shape, float), (x / 255 - data.mean) / data.std)
    assert data.mean == pytest.approx((x / 255).mean(axis=(0, 1, 2) if len(shape) == 3 else None))


def test_float32_inputs_need_no_wide_copy() -> None:
    x = np.random.default_rng(0).integers(0, 256, (4000, 32, 32), np.uint8)
    data = from_arrays("large", x, np.zeros(4000, int), x[:1], np.zeros(1, int))
    tracemalloc.start()
    found = data.inputs("train", [1024], np.float32)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.2 * found.nbytes


def test_a_network_of_another_size() -> None:
    with pytest.raises(DataError, match=r"shape 28×28, 784 elements, but an image of digits has the shape 8×8, 64 elements"):
        load("digits").inputs("train", (28, 28))
    with pytest.raises(DataError, match="shape -8×-8"):
        load("digits").inputs("train", (-8, -8))
    with pytest.raises(DataError, match="must be a float, not int64"):
        load("digits").inputs("train", (64,), np.int64)
    with pytest.raises(DataError, match='unknown split "tset"; did you mean "test"'):
        load("digits").inputs("tset", (64,))


@pytest.mark.parametrize("shape", [[3, 32, 32], [3, 1024]])
@pytest.mark.parametrize("scale", ["standard", "unit"])
def test_a_network_with_colours_first_gets_planes(shape: list[int], scale: str) -> None:
    data = coloured()
    found = data.inputs("train", shape, "float64", scale).reshape(6, 3, 32, 32)
    for n, row, column, colour_ in ((0, 0, 1, 2), (3, 31, 0, 1), (5, 7, 30, 0)):
        unit = data.train_x[n, row, column, colour_] / 255
        wanted = unit if scale == "unit" else (unit - data.mean[colour_]) / data.std[colour_]
        assert found[n, colour_, row, column] == wanted
    assert np.array_equal(found.transpose(0, 2, 3, 1), data.inputs("train", (32, 32, 3), "float64", scale))


def test_flips_run_modules_and_inputs_agree_on_where_colours_are(tmp_path: Path) -> None:
    data, shape = coloured(), (3, 32, 32)
    data.save(tmp_path / "coloured.npz")
    wanted = data.inputs("train", shape, "float64")
    same = Augmenter(data, Preparation(), shape, "float64", 0).batch(np.arange(6), 0, 0)
    mirrored = Augmenter(data, Preparation(flip=True), shape, "float64", 0).batch(np.arange(6), 0, 0)
    assert np.array_equal(same, wanted)
    assert {(np.array_equal(a, b), np.array_equal(a, b[:, :, ::-1])) for a, b in zip(mirrored, wanted)} == {(True, False), (False, True)}
    space: dict = {"__name__": "module"}
    exec(generate(parse(COLOURED)), space)  # noqa: S102 - generated here
    assert np.array_equal(space["read_data"](tmp_path / "coloured.npz", "float64")[0], wanted)


# targets

@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_targets(dtype: str) -> None:
    data = small()
    rows = data.targets("test", "one_hot", 12, dtype)
    assert rows.shape == (3, 12)
    assert rows.dtype == dtype
    assert np.array_equal(rows, np.eye(12)[data.test_y])
    integers = data.targets("test", "integer", 12, dtype)
    assert integers.dtype == np.int64
    assert np.array_equal(integers, data.test_y)
    assert data.targets("train").shape == (7, 10)


@pytest.mark.parametrize("encoding", ["one_hot", "integer"])
def test_labels_that_are_no_class(encoding: str) -> None:
    data = small(train_y=np.array([1, 0, 2, 5, 2, 9, 1]))
    with pytest.raises(DataError, match=r"expected labels from 0 to 4, found 5 in train_y at position 3 \(counted from 0\)"):
        data.targets("train", encoding, 5)
    with pytest.raises(DataError, match='unknown encoding "onehot"; did you mean "one_hot"'):
        data.targets("train", "onehot", 10)


# what does not fit together

@pytest.mark.parametrize(("changes", "part"), [
    ({"train_x": np.zeros((7, 4, 4))}, "found train_x as float64 of the shape 7×4×4"),
    ({"train_x": np.zeros(7, np.uint8)}, "found train_x as uint8 of the shape 7"),
    ({"test_x": np.zeros((0, 4, 4), np.uint8)}, "found test_x as uint8 of the shape 0×4×4"),
    ({"test_x": np.zeros((3, 4, 5), np.uint8)}, "found 4×4 in train_x and 4×5 in test_x"),
    ({"train_y": np.zeros(6, np.int64)}, "each of the 7 images in train_x, found 6 in train_y"),
    ({"train_y": np.zeros(7)}, "found train_y as float64"),
    ({"test_y": np.array([0, 10, 0])}, "found 10 in test_y at position 1"),
    ({"test_y": np.array([0, 1, -1])}, "found -1 in test_y at position 2"),
    ({"maximum": 0}, "found 0"),
    ({"maximum": 256}, "found 256"),
    ({"mean": np.array(np.nan)}, "expected mean to hold finite numbers, found nan"),
    ({"std": np.array(0.0)}, "expected std to hold positive numbers, found 0.0"),
    ({"std": np.array(np.inf)}, "found inf"),
    ({"mean": np.zeros(3)}, "expected mean as float64 of the shape () for images of 4×4, found float64 of the shape (3,)"),
    ({"std": np.array(1, np.float32)}, "found float32"),
])
def test_contradictions_are_refused(changes: dict, part: str) -> None:
    with pytest.raises(DataError) as caught:
        small(**changes)
    assert part in str(caught.value)


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='there is no set of data "mnits".*did you mean "mnist"'):
        load("mnits")


def test_equal_data_have_one_digest() -> None:
    assert small().digest() == small(name="other").digest()
    for key in (*KEYS, "mean", "std"):
        changed = np.array(getattr(small(), key))
        changed.flat[0] = changed.flat[0] // 2 + 1
        assert small(**{key: changed}).digest() != small().digest()
    assert small(maximum=254).digest() != small().digest()
