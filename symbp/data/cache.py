"""Where fetched data are kept: a file for each known set in the platform's folder for caches, checked when it is read."""
from __future__ import annotations

import contextlib
from pathlib import Path

import platformdirs

from symbp.data import npz
from symbp.data.dataset import Dataset
from symbp.data.text import shown
from symbp.errors import DataError

DIGESTS = {
    "digits": "5d4bc1ca1c136584f0c2b7223e012f63f2014c03c8af06df500a9f615e345ae7",
    "mnist": "e9588497f7f2838bd4209c75bb566ebf855a0135498a1c5607825d7b9dfbf626",
    "cifar10": "523287201d03504f6cc522358d603b3b1588f7f4c4484b5c73b28f9f0f515398",
}
"""`Dataset.digest` of each known set; what is kept under its name has this digest."""
CLASSES = 10
"""Each known set has ten classes."""


def folder() -> Path:
    """The folder of the cache; it need not exist."""
    return Path(platformdirs.user_cache_dir("symbp"))


def path(name: str) -> Path:
    """Where a known set is kept.

    >>> path("mnist").name
    'mnist.npz'
    """
    return folder() / f"{name}.npz"


def read(name: str) -> Dataset:
    """A known set from the cache; raises `DataError` where it is missing, damaged, or not the original."""
    data = npz.read(path(name), name, CLASSES)
    if data.digest() != DIGESTS[name]:
        raise DataError(f"{shown(path(name))}: these are not the original data of {name}: expected the sha256 {DIGESTS[name]} "
                        f"of the arrays, found {data.digest()}")
    return data


def write(data: Dataset) -> None:
    """Keep a known set, whole or not at all; raises `DataError` where the folder cannot be made or written to."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{shown(folder())}: cannot make the folder of the cache: {error.strerror}") from None
    data.save(path(data.name))


def keep(data: Dataset) -> Path:
    """Keep a known set unless the cache already holds it; answers where.  Raises `DataError` as `write` does."""
    with contextlib.suppress(DataError):
        read(data.name)
        return path(data.name)
    write(data)
    return path(data.name)
