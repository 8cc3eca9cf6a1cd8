"""MNIST and CIFAR-10 themselves.  These tests exist only where the cache holds the sets: `symbp data mnist` fetches one."""
from __future__ import annotations

import hashlib

import numpy as np
import pytest
from images import idx

from symbp.data import cache, cifar, load, sources

HELD = [name for name in sources.FETCHED if cache.path(name).is_file()]

if "mnist" in HELD:
    @pytest.mark.needs_data
    def test_mnist() -> None:
        data = load("mnist")
        known = list(sources.FETCHED["mnist"].package.files.values())
        arrays = (data.train_x, data.train_y.astype(np.uint8), data.test_x, data.test_y.astype(np.uint8))
        assert [hashlib.md5(idx(array)).hexdigest() for array in arrays] == known
        assert data.mean * 255 == pytest.approx(33.318421, abs=1e-6)
        assert np.bincount(data.train_y).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
        assert abs(data.inputs("train", [784], np.float32).mean(dtype=float)) < 1e-6

if "cifar10" in HELD:
    @pytest.mark.needs_data
    def test_cifar10() -> None:
        data = load("cifar10")
        assert data.train_x.shape == (50000, 32, 32, 3)
        assert data.mean == pytest.approx([0.49139968, 0.48215841, 0.44653091], abs=1e-8)
        assert data.std == pytest.approx([0.24703223, 0.24348513, 0.26158784], abs=1e-8)
        batches = [*zip(np.split(data.train_x, 5), np.split(data.train_y, 5)), (data.test_x, data.test_y)]
        assert [hashlib.md5(cifar.join(*batch).tobytes()).hexdigest() for batch in batches] == list(cifar.MD5.values())
        assert data.inputs("test", [32, 32, 3], np.float32).dtype == np.float32
