"""IDX files: what is written is read, and whatever is wrong is one paragraph."""
from __future__ import annotations

import gzip
import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from images import CODES, grey, idx, write_idx

from symbp.data import DataError, load, read_idx

WHOLE = idx(grey()[0])
quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)


def written(folder: Path, data: bytes, name: str = "file") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def refused(path: Path, what: str | None = None) -> str:
    with pytest.raises(DataError) as caught:
        read_idx(path, what)
    message = str(caught.value)
    assert path.name in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("packed", [False, True])
def test_every_type_is_read(kind: str, packed: bool, tmp_path: Path) -> None:
    array = np.arange(-12, 12).reshape(2, 3, 4).astype(kind)
    data = idx(array)
    found = read_idx(written(tmp_path, gzip.compress(data) if packed else data))
    assert found.dtype.newbyteorder("=") == array.dtype
    assert np.array_equal(found, array)


@pytest.mark.parametrize("mark", ["-", "."])
@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_is_read_under_the_usual_names(mark: str, packed: bool, tmp_path: Path) -> None:
    arrays = grey()
    data = load("fashion-mnist", write_idx(tmp_path, arrays, mark, packed))
    for key, array in zip(("train_x", "train_y", "test_x", "test_y"), arrays):
        assert np.array_equal(getattr(data, key), array)
    assert data.train_y.dtype == np.int64
    assert data.maximum == 255
    assert data.mean == pytest.approx(arrays[0].mean() / 255)
    assert data.std == pytest.approx(arrays[0].std() / 255)


@given(st.integers(0, len(WHOLE) - 1))
@quick
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, length: int) -> None:
    refused(written(tmp_path, WHOLE[:length]))


@given(st.integers(0, len(gzip.compress(WHOLE, mtime=0)) - 1))
@quick
def test_a_packed_file_cut_anywhere_is_refused(tmp_path: Path, length: int) -> None:
    refused(written(tmp_path, gzip.compress(WHOLE, mtime=0)[:length]))


@given(st.binary(max_size=80).flatmap(lambda tail: st.sampled_from([tail, b"\0\0\x08" + tail, b"\x1f\x8b" + tail, gzip.compress(tail)])))
@quick
def test_any_bytes_are_an_array_or_refused(tmp_path: Path, data: bytes) -> None:
    path = written(tmp_path, data)
    try:
        assert read_idx(path).size > 0
    except DataError as error:
        assert "file" in str(error)


@given(st.integers(0, len(gzip.compress(WHOLE, mtime=0)) - 1), st.integers(0, 7))
@quick
def test_a_bit_flipped_in_a_packed_file_changes_no_element(tmp_path: Path, position: int, bit: int) -> None:
    data = bytearray(gzip.compress(WHOLE, mtime=0))
    data[position] ^= 1 << bit
    try:
        assert np.array_equal(read_idx(written(tmp_path, bytes(data))), grey()[0])
    except DataError:
        pass


@pytest.mark.parametrize("packed", [False, True])
def test_lengths_that_cannot_be_allocate_nothing(packed: bool, tmp_path: Path) -> None:
    data = struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1) + b"x" * 100
    path = written(tmp_path, gzip.compress(data) if packed else data)
    tracemalloc.start()
    assert "ends early" in refused(path)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


def test_a_packed_file_that_declares_more_than_it_holds(tmp_path: Path) -> None:
    data = struct.pack(">4B3I", 0, 0, 8, 3, 100_000, 28, 28) + os.urandom(200_000)
    path = written(tmp_path, gzip.compress(data))
    tracemalloc.start()
    assert "found 200,000" in refused(path)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


@pytest.mark.parametrize(("data", "part"), [
    (b"", "found 0 bytes"),
    (b"\x89PNG and so on", "found 89 50 4e 47"),
    (b"\0\0\x0a\x01" + bytes(12), "no IDX file"),
    (b"\0\0\x08\x00" + bytes(12), "no IDX file"),
    (b"\0\0\x08\xff" + bytes(2000), "no IDX file"),
    (b"\0\0\x08\x02" + bytes(8), "the file is empty: expected a shape without 0, found 0×0"),
    (WHOLE + b"x", "goes on behind its end: expected 112 bytes"),
    (gzip.compress(WHOLE + b"x"), "goes on behind its end"),
    (WHOLE[:-1], "expected 112 bytes of elements for the shape 7×4×4, found 111"),
])
def test_what_is_wrong_is_said(data: bytes, part: str, tmp_path: Path) -> None:
    assert part in refused(written(tmp_path, data))


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "missing")
    assert "no file" in refused(tmp_path)


def test_files_under_each_others_names(tmp_path: Path) -> None:
    images, labels = written(tmp_path, WHOLE, "a"), written(tmp_path, idx(grey()[1]), "b")
    assert "looks like a file of labels" in refused(labels, "images")
    assert "looks like a file of images" in refused(images, "labels")
    assert "found elements of the type float32" in refused(written(tmp_path, idx(np.ones((2, 3, 3), np.float32))), "images")
    assert "float64" in refused(written(tmp_path, idx(np.ones(3))), "labels")


def test_numbers_of_images_and_labels_that_differ(tmp_path: Path) -> None:
    x, y, tx, ty = grey()
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte: expected a label for each of the 7 images in train-images.*found 6"):
        load("mnist", write_idx(tmp_path, (x, y[:6], tx, ty)))


def test_images_to_test_on_of_another_size(tmp_path: Path) -> None:
    x, y, _, _ = grey()
    with pytest.raises(DataError, match=r"found 4×4 in train_x and 5×5 in test_x"):
        load("mnist", write_idx(tmp_path, (x, y, *grey(size=5)[2:])))


def test_a_folder_without_the_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file train-images-idx3-ubyte in it; expected .*gz"):
        load("mnist", tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        load("mnist", tmp_path / "missing")
    with pytest.raises(DataError, match="no such folder"):
        load("mnist", "x" * 5000)
    write_idx(tmp_path, grey())
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="no file t10k-labels-idx1-ubyte"):
        load("mnist", tmp_path)


def test_negative_labels_and_images_of_one_grey(tmp_path: Path) -> None:
    x, y, tx, ty = grey()
    with pytest.raises(DataError, match=r"found -2 in train_y at position 3"):
        load("mnist", write_idx(tmp_path, (x, np.where(np.arange(7) == 3, -2, y).astype(np.int8), tx, ty)))
    with pytest.raises(DataError, match="cannot be standardised"):
        load("mnist", write_idx(tmp_path, (np.zeros_like(x), y, tx, ty)))
