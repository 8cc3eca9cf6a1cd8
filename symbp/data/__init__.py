"""Images to train on: loading, checking, keeping and standardising them.

    >>> from symbp.data import load
    >>> digits = load("digits")
    >>> digits.inputs("train", [64], "float32").shape, digits.targets("train", "one_hot", 10).shape
    ((1437, 64), (1437, 10))
"""
from __future__ import annotations

from symbp.data.dataset import Dataset
from symbp.data.idx import read_idx
from symbp.data.npz import read
from symbp.data.sources import NAMES, load
from symbp.errors import DataError

__all__ = ["NAMES", "DataError", "Dataset", "load", "read", "read_idx"]
