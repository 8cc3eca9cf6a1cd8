"""Reading CIFAR-10: the binary version (a byte for the label, then three planes of 32×32 bytes), and one image per row of a PNG."""
from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from symbp.data.text import about, shown
from symbp.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGES = 10_000
"""Images in each file."""
ROW = 1 + 3 * 32 * 32
"""Bytes of one image and its label."""
TRAIN, TEST = tuple(f"data_batch_{k}" for k in range(1, 6)), ("test_batch",)
MD5 = {
    "data_batch_1": "5dd7e06a14cb22eb9f671a540d1b7c25", "data_batch_2": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3": "942cd6a4bcdd0dd3c604fbe906cb4421", "data_batch_4": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5": "53f37980c15c3d472c316c40844f3f0d", "test_batch": "803d5f7f4d78ea53de84dbe85f74fb6d",
}
"""The md5 of each file of the binary version."""


def read_folder(folder: str | Path, images: int = IMAGES) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Read the binary version's six files: images and labels to train on, images and labels to test on.

    Images are (N, 32, 32, 3) bytes, channels last; labels (N,) bytes.  Raises `DataError` for a file that is missing or
    damaged, or that has not the given number of images.
    """
    folder = Path(folder)
    if not os.path.isdir(folder):
        raise DataError(f"{shown(folder)}: there is no such folder; expected one with data_batch_1.bin to _5.bin and test_batch.bin")
    return *_joined([read_batch(folder / f"{name}.bin", images) for name in TRAIN]), *read_batch(folder / "test_batch.bin", images)


def read_batch(path: str | Path, images: int = IMAGES) -> tuple[np.ndarray, np.ndarray]:
    """Read one file of the binary version: images (N, 32, 32, 3) and labels (N,), both uint8.

    Raises `DataError` where the file is missing, has another size, or a label above 9.
    """
    path = Path(path)
    with about(path):
        if not path.is_file():
            raise DataError("there is no such file; expected one of the binary version of CIFAR-10")
        size = path.stat().st_size
        if size != images * ROW:
            raise DataError(f"expected {images:,} images of {ROW:,} bytes each, {images * ROW:,} in all, found {size:,}")
        rows = np.fromfile(path, np.uint8)
        if rows.size != images * ROW:
            raise DataError(f"expected {images * ROW:,} bytes, found {rows.size:,} when reading")
        return split(rows.reshape(images, ROW))


def split(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows (N, 3073) of the binary version as images (N, 32, 32, 3) and labels (N,); raises `DataError` for a label above 9."""
    labels = rows[:, 0].copy()
    if (labels > 9).any():
        position = int(np.argmax(labels > 9))
        raise DataError(f"expected labels from 0 to 9, found {labels[position]} at image {position:,} (counted from 0)")
    return np.ascontiguousarray(rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)), labels


def join(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Images (N, 32, 32, 3) and labels (N,) as rows (N, 3073) of the binary version; undoes `split`."""
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), ROW - 1)
    return np.concatenate([labels.astype(np.uint8)[:, None], planes], axis=1)


def read_pictures(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Read six PNG files and two files of labels, in the shapes of `read_folder`.

    Each picture has 10,000 rows of 1,024 colours, one image per row; the md5 of each, as the binary version, must be the
    original's.  Needs Pillow.  Raises `DataError`.
    """
    needs_pillow()
    train, test = (_labels(folder / f"{name}_lables.json") for name in ("train", "test"))
    parts = zip((*TRAIN, *TEST), [*np.array_split(train, len(TRAIN)), test])
    batches = [_picture(folder / f"{name}.png", labels) for name, labels in parts]
    return *_joined(batches[:-1]), *batches[-1]


def needs_pillow() -> None:
    """Raise `DataError` where Pillow is missing."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        raise DataError("decoding CIFAR-10's pictures needs Pillow, which is not installed; pip install 'symbp[images]', "
                        "or name a folder with the binary version") from None


def _picture(path: Path, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The images of a PNG, with their labels."""
    with about(path), _opened(path) as picture:
        if picture.size != (1024, len(labels)) or picture.mode != "RGB":
            raise DataError(f"expected a picture of 1024×{len(labels)} in RGB, found {'×'.join(map(str, picture.size))} in {picture.mode}")
        images = np.asarray(picture).reshape(-1, 32, 32, 3)
        found = hashlib.md5(join(images, labels).tobytes(), usedforsecurity=False).hexdigest()
        if found != MD5[path.stem]:
            raise DataError(f"expected the md5 {MD5[path.stem]} as a file of the binary version, found {found}")
    return images, labels


@contextmanager
def _opened(path: Path) -> Iterator[Image]:
    """A picture, with Pillow's complaints as ours."""
    import PIL.Image
    try:
        with PIL.Image.open(path) as picture:
            yield picture
    except (ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise DataError(f"the picture is damaged: {error}") from None


def _labels(path: Path) -> np.ndarray:
    """The labels of a JSON file."""
    with about(path):
        try:
            return np.array(json.loads(path.read_bytes()), np.uint8)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise DataError(f"expected a list of labels, found something else: {error}") from None


def _joined(batches: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    images, labels = zip(*batches)
    return np.concatenate(images), np.concatenate(labels)
