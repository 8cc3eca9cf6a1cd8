"""Images and their labels in memory, and the arrays that a network reads."""
from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from symbp.data.text import times
from symbp.errors import DataError
from symbp.suggest import nearest

SPLITS = ("train", "test")
ENCODINGS = ("one_hot", "integer", "binary", "signed")
SCALES = ("standard", "unit", "symmetric")
"""How bytes become numbers that a network reads."""
BLOCK = 1 << 16
"""Pixels that are worked on at a time, so that no wide copy of all images is made."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images to train and to test on, with what standardises them.

    train_x, test_x: (N, *sample shape) uint8, colours on the last axis of three; train_y, test_y: (N,) int64, from 0.
    maximum: the value that a white pixel may have.  mean, std: float64, of train_x / maximum: a scalar for grey images,
    (channels,) for colour.  classes: how many labels there are.  Raises `DataError` where these contradict each other.
    """

    name: str
    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    maximum: int
    mean: np.ndarray
    std: np.ndarray
    classes: int

    def __post_init__(self) -> None:
        for split in SPLITS:
            check_split(split, *self._of(split))
            _check_labels(split, self._of(split)[1], self.classes)
        if self.train_x.shape[1:] != self.test_x.shape[1:]:
            raise DataError(f"expected images of one shape, found {times(self.sample_shape)} in train_x and "
                            f"{times(self.test_x.shape[1:])} in test_x")
        if not 0 < self.maximum <= 255:
            raise DataError(f"expected a maximum from 1 to 255, found {self.maximum}")
        for word, values in (("mean", self.mean), ("std", self.std)):
            _check_moment(word, values, self.sample_shape)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one image."""
        return self.train_x.shape[1:]

    def inputs(self, split: str, shape: Sequence[int], dtype: Any = np.float32, scale: str = "standard") -> np.ndarray:
        """The images as a network reads them: (N, *shape) of the dtype.

        A shape that begins with the number of colours and does not end with it, such as [3, 32, 32], has the colours first, in planes.
        scale: "standard" for (x / maximum − mean) / std, "unit" for x / maximum, "symmetric" for 2 x / maximum − 1.
        Each number is calculated in float64 and rounded once.  Raises `DataError` where a network's input of this shape
        has another number of elements than an image.

        >>> from symbp.data import load
        >>> load("digits").inputs("test", [64]).shape
        (360, 64)
        """
        images = self._of(split)[0]
        if math.prod(shape) != math.prod(self.sample_shape) or any(length < 0 for length in shape):
            raise DataError(f"the network's input has the shape {times(shape)}, {math.prod(shape):,} elements, but an image of {self.name} "
                            f"has the shape {times(self.sample_shape)}, {math.prod(self.sample_shape):,} elements; make them equal")
        if np.dtype(dtype).kind != "f":
            raise DataError(f"the dtype of a network's input must be a float, not {np.dtype(dtype).name}")
        return looked_up(images, scaled(self, dtype, scale), shape)

    def targets(self, split: str, encoding: str = "one_hot", classes: int | None = None, dtype: Any = np.float32) -> np.ndarray:
        """The labels as a network reads them.

        encoding: `"one_hot"` for rows with a single 1, (N, classes) of the dtype, `"integer"` for (N,) int64, and for two classes
        one column (N, 1) of the dtype: `"binary"` with 0 and 1, `"signed"` with −1 and 1.
        classes: those that the network tells apart, all of the set's if None.  Raises `DataError` for a label outside them.

        >>> from symbp.data import load
        >>> load("digits").targets("test").sum(axis=1).max()
        np.float32(1.0)
        """
        if encoding not in ENCODINGS:
            raise DataError(f'unknown encoding "{encoding}"{nearest(encoding, ENCODINGS)}')
        labels = self._of(split)[1]
        classes = self.classes if classes is None else classes
        _check_labels(split, labels, classes)
        if encoding == "integer":
            return labels
        if encoding in ("binary", "signed"):
            _check_labels(split, labels, 2)
            return (labels if encoding == "binary" else 2 * labels - 1).astype(dtype)[:, None]
        rows = np.zeros((len(labels), classes), dtype)
        rows[np.arange(len(labels)), labels] = 1
        return rows

    def digest(self) -> str:
        """The sha256 of all arrays with their shapes, and of the maximum: equal for equal data, whatever their name."""
        found = hashlib.sha256(str(self.maximum).encode())
        for array in (self.train_x, self.train_y, self.test_x, self.test_y, self.mean, self.std):
            found.update(f"{array.shape} {array.dtype.name} ".encode())
            found.update(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False)))
        return found.hexdigest()

    def save(self, path: str | Path) -> None:
        """Write the arrays as an uncompressed `.npz`, whole or not at all; `read` reads it."""
        from symbp.data.npz import write
        write(self, Path(path))

    def _of(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels of a split."""
        if split not in SPLITS:
            raise DataError(f'unknown split "{split}"{nearest(split, SPLITS)}')
        return (self.train_x, self.train_y) if split == "train" else (self.test_x, self.test_y)


def scaled(data: Dataset, dtype: Any, scale: str = "standard") -> np.ndarray:
    """What each of the 256 bytes becomes: (256, channels).  Raises `DataError` for an unknown scale.

    >>> from symbp.data import load
    >>> scaled(load("digits"), "float32", "symmetric")[[0, 8, 16], 0].tolist()
    [-1.0, 0.0, 1.0]
    """
    if scale not in SCALES:
        raise DataError(f'unknown scale "{scale}"{nearest(scale, SCALES)}')
    unit = np.arange(256)[:, None] / data.maximum
    standard = (unit - data.mean) / data.std
    if scale == "standard":
        return standard.astype(dtype)
    return np.broadcast_to(unit if scale == "unit" else 2 * unit - 1, standard.shape).astype(dtype)


def from_arrays(name: str, train_x: np.ndarray, train_y: np.ndarray, test_x: np.ndarray, test_y: np.ndarray, maximum: int = 255,
                classes: int | None = None) -> Dataset:
    """Put together a data set: calculate mean and standard deviation, and count the classes where they are not given.

    Images are (N, *sample shape) uint8, labels (N,) of any whole type.  Raises `DataError` for arrays that do not fit
    together, and for images that are all of one grey, since those cannot be standardised.
    """
    train_y, test_y = train_y.astype(np.int64), test_y.astype(np.int64)
    check_split("train", train_x, train_y)
    mean, std = _moments(train_x, maximum)
    if not std.all():
        raise DataError(f"the images of {name} to train on have a channel of one value only, which cannot be standardised")
    return Dataset(name, train_x, train_y, test_x, test_y, maximum, mean, std, classes or count_classes(train_y, test_y))


def count_classes(train_y: np.ndarray, test_y: np.ndarray) -> int:
    """One more than the largest label.

    >>> count_classes(np.array([0, 2]), np.array([1]))
    3
    """
    return 1 + max(int(y.max(initial=0)) for y in (train_y, test_y))


def channels(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of mean and standard deviation for images of a shape: () for grey, (channels,) for colour.

    >>> channels((28, 28)), channels((32, 32, 3))
    ((), (3,))
    """
    return (shape[-1],) if len(shape) == 3 else ()


def _moments(images: np.ndarray, maximum: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of images / maximum in float64, from how often each byte occurs."""
    last = (channels(images.shape[1:]) or (1,))[0]
    counts = np.zeros((256, last), np.int64)
    for block in _blocks(images, last):
        counts += np.stack([np.bincount(column, minlength=256) for column in block.T], axis=1)
    both = np.array([_exactly(column, maximum) for column in counts.T.tolist()]).T
    mean, std = both.reshape(2, *channels(images.shape[1:]))
    return np.asarray(mean), np.asarray(std)


def _exactly(counts: list[int], maximum: int) -> tuple[float, float]:
    """Mean and standard deviation of bytes that occur so often, in whole numbers up to the last step: the same on every machine."""
    total, squares = (sum(count * value ** power for value, count in enumerate(counts)) for power in (1, 2))
    number = sum(counts)
    return total / (number * maximum), math.sqrt(number * squares - total ** 2) / (number * maximum)


def looked_up(images: np.ndarray, table: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The table's entry for each byte, (N, *shape) of the table's dtype; colours come first where the shape says so.

    >>> image, negative = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3), np.repeat(-np.arange(256)[:, None], 3, 1)
    >>> looked_up(image, negative, [3, 2, 2]).tolist()
    [[[[0, -3], [-6, -9]], [[-1, -4], [-7, -10]], [[-2, -5], [-8, -11]]]]
    """
    last = table.shape[1]
    found = np.empty((len(images), *shape), table.dtype)
    first = colours_first(shape, images.shape[1:])
    pixels = found.reshape(len(images), last, -1).swapaxes(1, 2) if first else found.reshape(len(images), -1, last)
    source = images.reshape(len(images), -1, last)
    step = max(1, BLOCK // source.shape[1])
    for start in range(0, len(images), step):
        for channel in range(last):
            pixels[start:start + step, :, channel] = table[:, channel].take(source[start:start + step, :, channel])
    return found


def colours_first(shape: Sequence[int], sample: Sequence[int]) -> bool:
    """Whether a network's input of a shape has the colours on its first axis, where the images have them on their last.

    >>> colours_first([3, 32, 32], (32, 32, 3)), colours_first([32, 32, 3], (32, 32, 3)), colours_first([1, 28, 28], (28, 28))
    (True, False, False)
    """
    return len(sample) == 3 and len(shape) > 1 and shape[0] == sample[-1] != shape[-1]


def _blocks(images: np.ndarray, last: int) -> Iterator[np.ndarray]:
    """The pixels in order, (pixels, channels), some at a time."""
    pixels = images.reshape(-1, last)
    return (pixels[start:start + BLOCK] for start in range(0, len(pixels), BLOCK))


def check_split(split: str, images: np.ndarray, labels: np.ndarray) -> None:
    """Raise unless these are images, and a label for each."""
    if images.dtype != np.uint8 or images.ndim < 2 or not images.size:
        raise DataError(f"expected images as uint8 with an axis of images and at least one more, found {split}_x as {images.dtype} "
                        f"of the shape {times(images.shape)}")
    if labels.dtype != np.int64 or labels.ndim != 1:
        raise DataError(f"expected labels as int64 with one axis, found {split}_y as {labels.dtype} "
                        f"of the shape {times(labels.shape)}")
    if len(images) != len(labels):
        raise DataError(f"expected a label for each of the {len(images):,} images in {split}_x, found {len(labels):,} in {split}_y")


def _check_labels(split: str, labels: np.ndarray, classes: int) -> None:
    """Raise for the first label that is no class."""
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        position = int(np.argmax(outside))
        raise DataError(f"expected labels from 0 to {classes - 1}, found {labels[position]} in {split}_y at position {position:,} "
                        "(counted from 0)")


def _check_moment(word: str, values: np.ndarray, sample: tuple[int, ...]) -> None:
    """Raise unless the mean, or the standard deviation, can standardise images of this shape."""
    if values.dtype != np.float64 or values.shape != channels(sample):
        raise DataError(f"expected {word} as float64 of the shape {channels(sample)} for images of {times(sample)}, "
                        f"found {values.dtype} of the shape {values.shape}")
    if not np.isfinite(values).all() or (word == "std" and (values <= 0).any()):
        kind = "positive numbers" if word == "std" else "finite numbers"
        raise DataError(f"expected {word} to hold {kind}, found {values.tolist()}")
