"""Build `digits.npz`, the set of small digits that the package contains.

    python -m symbp.data.build_digits

This needs scikit-learn, which ships the original; symbp itself does not.  `digits.txt` says where the digits come from.
"""
from __future__ import annotations

import numpy as np

from symbp.data import npz
from symbp.data.dataset import Dataset, from_arrays
from symbp.data.sources import DIGITS

SEED = 0
"""Of the permutation that splits the digits; the first 1,437 are to train on."""
TRAIN = 1437


def split(images: np.ndarray, labels: np.ndarray) -> Dataset:
    """Split 1,797 images (N, 8, 8) of values from 0 to 16, and their labels (N,), into 1,437 and 360."""
    order = np.random.default_rng(SEED).permutation(len(images))
    images, labels = images.astype(np.uint8)[order], labels[order]
    return from_arrays("digits", images[:TRAIN], labels[:TRAIN], images[TRAIN:], labels[TRAIN:], maximum=16)


def main() -> None:
    """Write the file, and print what it holds."""
    from sklearn.datasets import load_digits
    bunch = load_digits()
    data = split(bunch.images, bunch.target)
    npz.write(data, DIGITS, compressed=True)
    print(f"{DIGITS.name}: {DIGITS.stat().st_size:,} bytes, sha256 of the arrays {data.digest()}")


if __name__ == "__main__":
    main()
