"""Small sets of images for the tests, and the files that hold them."""
from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np

CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}


def idx(array: np.ndarray) -> bytes:
    """An array as IDX."""
    header = bytes([0, 0, CODES[array.dtype.name], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def grey(train: int = 7, test: int = 3, size: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Random grey images and labels: train_x, train_y, test_x, test_y."""
    draw = np.random.default_rng(seed)
    return (draw.integers(0, 256, (train, size, size), np.uint8), draw.integers(0, 10, train, np.uint8),
            draw.integers(0, 256, (test, size, size), np.uint8), draw.integers(0, 10, test, np.uint8))


def write_idx(folder: Path, arrays: tuple[np.ndarray, ...], mark: str = "-", packed: bool = False) -> Path:
    """Write the four files of a set in IDX."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{split}-{what}{mark}idx{axes}-ubyte" for split in ("train", "t10k") for what, axes in (("images", 3), ("labels", 1))]
    for name, array in zip(names, arrays):
        data = idx(array)
        (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(data, mtime=0) if packed else data)
    return folder


def colour(number: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random images of 32×32 in three colours, and their labels."""
    draw = np.random.default_rng(seed)
    return draw.integers(0, 256, (number, 32, 32, 3), np.uint8), draw.integers(0, 10, number, np.uint8)
