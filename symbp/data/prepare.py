"""How a network sees images: their scale, and random flips and crops that an epoch's batches go through."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symbp.data.dataset import Dataset, looked_up, scaled
from symbp.data.text import times
from symbp.errors import DataError


@dataclass(frozen=True)
class Preparation:
    """scale: "standard", "unit" or "symmetric".  flip: mirror every other image.  crop: pixels of black around an image before a crop."""

    scale: str = "standard"
    flip: bool = False
    crop: int = 0

    @property
    def random(self) -> bool:
        """Whether images change from epoch to epoch."""
        return self.flip or self.crop > 0


@dataclass(frozen=True, eq=False)
class Augmenter:
    """Images to train on, changed at random: each batch's choices come from the seed, the epoch and the batch's number alone.

    Raises `DataError` for samples without height and width.
    """

    data: Dataset
    how: Preparation
    shape: tuple[int, ...]
    dtype: str
    seed: int

    def __post_init__(self) -> None:
        if len(self.data.sample_shape) not in (2, 3):
            raise DataError(f"flip and crop are for images with height and width, but a sample of {self.data.name} has the shape "
                            f"{times(self.data.sample_shape)}; remove these keys from [data]")

    def batch(self, chosen: np.ndarray, epoch: int, number: int) -> np.ndarray:
        """The inputs of a batch, (len(chosen), *shape): shifted by up to `crop` pixels, mirrored with the chance of one half, and scaled.

        >>> from symbp.data import load
        >>> made = Augmenter(load("digits"), Preparation(flip=True, crop=1), (64,), "float32", 0)
        >>> made.batch(np.arange(5), 0, 0).shape
        (5, 64)
        """
        rng = np.random.default_rng([self.seed, epoch, number, 1])
        mirrored = rng.random(len(chosen)) < 0.5 if self.how.flip else np.zeros(len(chosen), bool)
        shifts = rng.integers(0, 2 * self.how.crop + 1, (2, len(chosen)))
        images = moved(self.data.train_x[chosen], mirrored, shifts, self.how.crop)
        return looked_up(images, scaled(self.data, self.dtype, self.how.scale), self.shape)


def moved(images: np.ndarray, mirrored: np.ndarray, shifts: np.ndarray, border: int) -> np.ndarray:
    """Images (N, height, width, …) padded with `border` zeros, cut out at rows shifts[0] and columns shifts[1], then mirrored.

    mirrored: (N,) bool.  shifts: (2, N), from 0 to 2 border; at `border` an image stays where it is.

    >>> moved(np.array([[[1, 2, 3]]], np.uint8), np.array([True]), np.array([[1], [0]]), 1)
    array([[[2, 1, 0]]], dtype=uint8)
    """
    count, height, width = images.shape[:3]
    padded = np.zeros((count, height + 2 * border, width + 2 * border, *images.shape[3:]), images.dtype)
    padded[:, border:border + height, border:border + width] = images
    columns = np.arange(width)
    columns = np.where(mirrored[:, None], columns[::-1], columns) + shifts[1][:, None]
    rows = np.arange(height) + shifts[0][:, None] + padded.shape[1] * np.arange(count)[:, None]
    where = rows[:, :, None] * padded.shape[2] + columns[:, None, :]
    return padded.reshape(-1, *images.shape[3:]).take(where, axis=0)
