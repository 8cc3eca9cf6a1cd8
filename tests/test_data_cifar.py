"""CIFAR-10's two forms: the binary version, and the pictures of the package."""
from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from images import colour
from PIL import Image

from symbp.data import DataError, cifar

quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


def pictures(folder: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> list[tuple[np.ndarray, np.ndarray]]:
    """Write six small pictures as the package has them; answers what is in each."""
    batches = [colour(number, seed) for seed in range(6)]
    names = (*cifar.TRAIN, *cifar.TEST)
    for name, (images, _) in zip(names, batches):
        Image.fromarray(images.reshape(number, 1024, 3)).save(folder / f"{name}.png")
    labels = [batch[1].tolist() for batch in batches]
    (folder / "train_lables.json").write_text(json.dumps(sum(labels[:5], [])), encoding="utf-8")
    (folder / "test_lables.json").write_text(json.dumps(labels[5]), encoding="utf-8")
    monkeypatch.setattr(cifar, "MD5", {n: hashlib.md5(cifar.join(*b).tobytes()).hexdigest() for n, b in zip(names, batches)})
    return batches


def test_the_layout_of_the_binary_version(tmp_path: Path) -> None:
    row = np.arange(3073) % 251
    row[0] = 7
    (tmp_path / "one.bin").write_bytes(row.astype(np.uint8).tobytes())
    images, labels = cifar.read_batch(tmp_path / "one.bin", 1)
    assert labels.tolist() == [7]
    assert images.shape == (1, 32, 32, 3)
    for i, j, c in ((0, 0, 0), (3, 5, 1), (31, 30, 2)):
        assert images[0, i, j, c] == row[1 + 1024 * c + 32 * i + j]


def test_a_folder_of_the_binary_version(tmp_path: Path) -> None:
    batches = [colour(4, seed) for seed in range(6)]
    for name, batch in zip((*cifar.TRAIN, *cifar.TEST), batches):
        (tmp_path / f"{name}.bin").write_bytes(cifar.join(*batch).tobytes())
    x, y, tx, ty = cifar.read_folder(tmp_path, 4)
    assert np.array_equal(x, np.concatenate([b[0] for b in batches[:5]]))
    assert np.array_equal(y, np.concatenate([b[1] for b in batches[:5]]))
    assert np.array_equal(tx, batches[5][0])
    assert np.array_equal(ty, batches[5][1])


@given(st.integers(0, 3 * cifar.ROW + 5).filter(lambda n: n != 3 * cifar.ROW))
@quick
def test_a_file_of_another_length_is_refused(tmp_path: Path, length: int) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(length))
    with pytest.raises(DataError, match=r"a\.bin: expected 3 images of 3,073 bytes each, 9,219 in all"):
        cifar.read_batch(tmp_path / "a.bin", 3)


def test_a_label_above_9(tmp_path: Path) -> None:
    rows = cifar.join(*colour(3))
    rows[2, 0] = 10
    (tmp_path / "a.bin").write_bytes(rows.tobytes())
    with pytest.raises(DataError, match=r"a\.bin: expected labels from 0 to 9, found 10 at image 2"):
        cifar.read_batch(tmp_path / "a.bin", 3)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        cifar.read_folder(tmp_path / "missing")
    with pytest.raises(DataError, match=r"data_batch_1\.bin: there is no such file"):
        cifar.read_folder(tmp_path)


def test_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = pictures(tmp_path, 5, monkeypatch)
    x, y, tx, ty = cifar.read_pictures(tmp_path)
    assert np.array_equal(x, np.concatenate([b[0] for b in batches[:5]]))
    assert np.array_equal(y, np.concatenate([b[1] for b in batches[:5]]))
    assert np.array_equal(tx, batches[5][0])
    assert np.array_equal(ty, batches[5][1])


def test_pictures_that_are_not_the_originals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures(tmp_path, 5, monkeypatch)
    whole = (tmp_path / "data_batch_3.png").read_bytes()
    (tmp_path / "data_batch_3.png").write_bytes((tmp_path / "data_batch_2.png").read_bytes())
    with pytest.raises(DataError, match=r"data_batch_3\.png: expected the md5"):
        cifar.read_pictures(tmp_path)
    Image.new("RGB", (1024, 4)).save(tmp_path / "data_batch_3.png")
    with pytest.raises(DataError, match=r"expected a picture of 1024×5 in RGB, found 1024×4 in RGB"):
        cifar.read_pictures(tmp_path)
    (tmp_path / "data_batch_3.png").write_bytes(whole)
    (tmp_path / "test_lables.json").write_text("[1, 2", encoding="utf-8")
    with pytest.raises(DataError, match="expected a list of labels"):
        cifar.read_pictures(tmp_path)


@pytest.mark.parametrize("where", [0, 20, 60, 3000, -200])
def test_damaged_pictures(where: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures(tmp_path, 5, monkeypatch)
    data = bytearray((tmp_path / "data_batch_1.png").read_bytes())
    data[where] ^= 0x55
    (tmp_path / "data_batch_1.png").write_bytes(data)
    with pytest.raises(DataError, match=r"data_batch_1\.png"):
        cifar.read_pictures(tmp_path)
    (tmp_path / "data_batch_1.png").write_bytes(data[:where])
    with pytest.raises(DataError, match=r"data_batch_1\.png"):
        cifar.read_pictures(tmp_path)


def test_without_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.delitem(sys.modules, "PIL.Image", raising=False)
    with pytest.raises(DataError, match=r"pip install 'symbp\[images\]', or name a folder"):
        cifar.read_pictures(tmp_path)
