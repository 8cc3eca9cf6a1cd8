"""Reading IDX, the format of MNIST's files: a magic number, the lengths of the axes, and the elements."""
from __future__ import annotations

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from symbp.data.text import about, shown, times
from symbp.errors import DataError

What = Literal["images", "labels"]

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""The types of elements by the third byte of the magic number."""
MOST_AXES = 8
DEFLATED = 1100
"""A file that gzip packed holds fewer than so many bytes for each byte of its own (the format's limit is 1,032)."""


def read_idx(path: str | Path, what: What | None = None) -> np.ndarray:
    """Read an IDX file, packed by gzip or not, as an array of the file's shape and element type.

    what: `"images"` demands bytes with two axes or more behind the first, `"labels"` whole numbers with one axis;
    None takes any file.  Nothing is allocated for lengths that the file's own size cannot hold.
    Raises `DataError` for a file that is missing, too short, too long, or not what it should be.
    """
    path = Path(path)
    with about(path):
        if not path.is_file():
            raise DataError("there is no such file" if not path.exists() else "this is no file")
        with open(path, "rb") as stream:
            size = path.stat().st_size
            packed = stream.read(2) == b"\x1f\x8b"
            stream.seek(0)
            if not packed:
                return _read(stream, size, what)
            with gzip.open(stream) as unpacked:
                return _read(unpacked, size * DEFLATED, what)


def read_folder(folder: str | Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Read the four files of a set in IDX: images and labels to train on, images and labels to test on.

    The names are MNIST's, `train-images-idx3-ubyte` and so on; a dot instead of the hyphen before `idx`, and `.gz`, are fine.
    Images have the shape (N, height, width), labels (N,), both in the files' types.  Raises `DataError`.
    """
    images, labels = _pair(Path(folder), "train")
    return images, labels, *_pair(Path(folder), "t10k")


def _pair(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The images and the labels of one half of a set."""
    first, second = (_find(folder, split, what, axes) for what, axes in (("images", 3), ("labels", 1)))
    images, labels = read_idx(first, "images"), read_idx(second, "labels")
    if len(images) != len(labels):
        raise DataError(f"{shown(second)}: expected a label for each of the {len(images):,} images in {first.name}, "
                        f"found {len(labels):,} labels")
    return images, labels


def _find(folder: Path, split: str, what: str, axes: int) -> Path:
    """The file of a folder under one of its usual names."""
    names = [f"{split}-{what}{mark}idx{axes}-ubyte{end}" for end in ("", ".gz") for mark in "-."]
    found = next((folder / name for name in names if os.path.isfile(folder / name)), None)
    if found is None:
        missing = "there is no such folder" if not os.path.isdir(folder) else f"there is no file {names[0]} in it"
        raise DataError(f"{shown(folder)}: {missing}; expected a folder with the files {', '.join(names[:-1])} or {names[-1]}, "
                        "and so on for t10k and labels")
    return found


def _read(stream: BinaryIO, limit: int, what: What | None) -> np.ndarray:
    """The array in a stream that holds at most `limit` bytes."""
    try:
        kind, shape = _header(stream)
        _check(kind, shape, what)
        size = math.prod(shape) * kind.itemsize
        data = _bytes(stream, size + 1) if size <= limit else bytearray()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"the file is damaged or ends early: {error}") from None
    if size > limit or len(data) < size:
        found = f"found {len(data):,}" if size <= limit else f"and the whole file has room for {limit:,} at most"
        raise DataError(f"the file ends early: expected {size:,} bytes of elements for the shape {times(shape)}, {found}")
    if len(data) > size:
        raise DataError(f"the file goes on behind its end: expected {size:,} bytes of elements for the shape {times(shape)}, found more")
    return np.frombuffer(data, kind).reshape(shape)


def _bytes(stream: BinaryIO, most: int) -> bytearray:
    """At most so many bytes of a stream; memory grows with what is there, not with what is declared."""
    data = bytearray()
    while len(data) < most and (chunk := stream.read(min(1 << 20, most - len(data)))):
        data += chunk
    return data


def _header(stream: BinaryIO) -> tuple[np.dtype, tuple[int, ...]]:
    """The type of the elements, and the lengths of the axes."""
    magic = stream.read(4)
    if len(magic) == 4 and (magic[:2] != b"\0\0" or magic[2] not in TYPES or not 0 < magic[3] <= MOST_AXES):
        raise DataError(f"this is no IDX file: expected it to begin with 00 00, a type from 08 to 0e and 1 to {MOST_AXES} axes, "
                        f"found {magic.hex(' ')}")
    lengths = stream.read(4 * magic[3]) if len(magic) == 4 else b""
    if len(magic) < 4 or len(lengths) < 4 * magic[3]:
        raise DataError("the file ends early: expected a header of 4 bytes and 4 more for each axis, "
                        f"found {len(magic) + len(lengths)} bytes")
    shape = tuple(int(n) for n in np.frombuffer(lengths, ">u4"))
    if 0 in shape:
        raise DataError(f"the file is empty: expected a shape without 0, found {times(shape)}")
    return np.dtype(TYPES[magic[2]]), shape


def _check(kind: np.dtype, shape: tuple[int, ...], what: What | None) -> None:
    """Raise where images are no images, or labels no labels."""
    found = f"found elements of the type {kind.name} and the shape {times(shape)}"
    if what == "images" and (kind != np.uint8 or len(shape) < 3):
        hint = "; this looks like a file of labels" if kind.kind in "ui" and len(shape) == 1 else ""
        raise DataError("this file has no images: expected bytes (uint8) with an axis of images and two axes or more for each, "
                        f"{found}{hint}")
    if what == "labels" and (kind.kind not in "ui" or len(shape) != 1):
        hint = "; this looks like a file of images" if kind == np.uint8 and len(shape) > 1 else ""
        raise DataError(f"this file has no labels: expected whole numbers with one axis, {found}{hint}")
