"""The file that holds a data set: an uncompressed `.npz`, written whole or not at all, and checked when it is read."""
from __future__ import annotations

import contextlib
import os
import secrets
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from symbp.data.dataset import SPLITS, Dataset, check_split, count_classes
from symbp.data.text import about, shown
from symbp.errors import DataError

KEYS = ("train_x", "train_y", "test_x", "test_y", "maximum", "mean", "std")
"""The arrays in a file."""
DEFLATED = 1100
"""A packed array is smaller than so many times what it takes in the file."""
DAMAGE = (ValueError, EOFError, KeyError, TypeError, SyntaxError, RuntimeError, OverflowError, zipfile.BadZipFile, zlib.error)
"""What NumPy and zipfile raise for bytes that are no arrays."""


def write(data: Dataset, path: Path, compressed: bool = False) -> None:
    """Write a data set under a temporary name in the same folder, then rename: a reader never sees half a file.

    Raises `DataError` where the folder is missing or cannot be written to, the disk is full, or the name is a folder's or device's.
    """
    temporary = path.parent / f".{secrets.token_hex(8)}.tmp"
    arrays = {key: np.asarray(getattr(data, key)) for key in KEYS}
    try:
        if path.exists() and not path.is_file():
            raise ValueError("a folder or device has this name")
        with open(temporary, "xb") as stream:
            (np.savez_compressed if compressed else np.savez)(stream, **arrays)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except (OSError, ValueError) as error:
        raise DataError(f"{shown(path)}: cannot be written: {getattr(error, 'strerror', None) or error}") from None
    finally:
        with contextlib.suppress(OSError, ValueError):
            temporary.unlink(missing_ok=True)


def read(path: str | Path, name: str | None = None, classes: int | None = None) -> Dataset:
    """Read a file that `Dataset.save` wrote; nothing in it is ever unpickled.

    name: the set's name, the file's if None.  classes: how many there are, one more than the largest label if None.
    Raises `DataError` for a file that is missing or damaged, and for arrays that are missing, of another type, of lengths
    that do not fit, or not finite.
    """
    path = Path(path)
    with about(path):
        if not path.is_file():
            raise DataError("there is no such file" if not path.exists() else "this is no file")
        try:
            found = _arrays(path)
        except DAMAGE as error:
            raise DataError(f"the file is damaged, or no .npz: {' '.join(str(error).split())[:200] or type(error).__name__}") from None
        maximum = found.pop("maximum")
        if maximum.shape != () or maximum.dtype.kind not in "ui":
            raise DataError(f"expected maximum as a single whole number, found {maximum.dtype.name} of the shape {maximum.shape}")
        for split in SPLITS:
            check_split(split, found[f"{split}_x"], found[f"{split}_y"])
        classes = classes or count_classes(found["train_y"], found["test_y"])
        return Dataset(name or path.stem, **found, maximum=int(maximum), classes=classes)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file by their keys."""
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        if names != {f"{key}.npy" for key in KEYS}:
            found = ", ".join(sorted(n.removesuffix(".npy") for n in names))
            raise DataError(f"expected the arrays {', '.join(KEYS)}, found {found[:200] or 'none'}")
        return {key: _array(archive, f"{key}.npy", path.stat().st_size) for key in KEYS}


def _array(archive: zipfile.ZipFile, name: str, size: int) -> np.ndarray:
    """One array, once its declared size agrees with the room that it has in the file."""
    info = archive.getinfo(name)
    if info.compress_size > size or info.file_size > DEFLATED * info.compress_size:
        raise DataError(f"{name}: expected at most {size:,} bytes, as the file has, found {info.file_size:,} declared")
    with archive.open(info) as stream:
        declared = _declared(stream, name)
        if stream.tell() + declared != info.file_size:
            raise DataError(f"{name}: expected {declared:,} bytes of elements, found {info.file_size - stream.tell():,}")
    with archive.open(info) as stream:
        array = np.lib.format.read_array(stream, allow_pickle=False)
        stream.read(1)
        return array


def _declared(stream: BinaryIO, name: str) -> int:
    """The bytes that an array's header announces."""
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read_header(stream)
    if kind.kind not in "uif":
        raise DataError(f"{name}: expected numbers, found elements of the type {kind.name}")
    count = kind.itemsize
    for length in shape:
        count *= int(length)
    return count
