"""The file that holds a set of data: written whole or not at all, and checked when it is read."""
from __future__ import annotations

import io
import os
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from images import colour, grey

from symbp.data import DataError, Dataset, npz, read
from symbp.data.dataset import from_arrays

SMALL = from_arrays("small", *grey())
quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)


def whole(data: Dataset, folder: Path) -> bytes:
    data.save(folder / "whole.npz")
    return (folder / "whole.npz").read_bytes()


def arrays(**changes: object) -> dict[str, np.ndarray]:
    return {key: np.asarray(changes.get(key, getattr(SMALL, key))) for key in npz.KEYS}


def refused(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read(path)
    message = str(caught.value)
    assert path.name in message
    return message


@pytest.mark.parametrize("data", [SMALL, from_arrays("coloured", *colour(5), *colour(2, 1))])
@pytest.mark.parametrize("compressed", [False, True])
def test_what_is_written_is_read(data: Dataset, compressed: bool, tmp_path: Path) -> None:
    npz.write(data, tmp_path / "a.npz", compressed)
    found = read(tmp_path / "a.npz")
    assert found.digest() == data.digest()
    assert (found.name, found.maximum, found.classes) == ("a", 255, data.classes)
    assert found.mean.shape == data.mean.shape


def test_the_file_is_plain(tmp_path: Path) -> None:
    SMALL.save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as found:
        assert set(found) == {"train_x", "train_y", "test_x", "test_y", "maximum", "mean", "std"}
        assert np.array_equal(found["train_x"], SMALL.train_x)
        assert found["maximum"] == 255
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert all(i.compress_type == zipfile.ZIP_STORED for i in archive.infolist())


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    data = whole(SMALL, tmp_path)
    for length in range(len(data)):
        (tmp_path / "cut.npz").write_bytes(data[:length])
        refused(tmp_path / "cut.npz")


@given(st.data())
@quick
def test_a_changed_byte_is_noticed_or_changes_nothing(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(whole(SMALL, tmp_path))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "changed.npz").write_bytes(content)
    try:
        assert read(tmp_path / "changed.npz").digest() == SMALL.digest()
    except DataError:
        pass


@given(st.binary(max_size=100), st.sampled_from(npz.KEYS))
@quick
def test_any_bytes_in_place_of_an_array(tmp_path: Path, tail: bytes, key: str) -> None:
    content = whole(SMALL, tmp_path)
    with zipfile.ZipFile(io.BytesIO(content)) as good, zipfile.ZipFile(tmp_path / "a.npz", "w") as bad:
        for name in good.namelist():
            member = good.read(name)
            bad.writestr(name, member[:len(tail) % 12] + tail if name == f"{key}.npy" else member)
    refused(tmp_path / "a.npz")


@pytest.mark.parametrize(("changes", "part"), [
    ({"train_x": np.zeros((7, 4, 4))}, "found train_x as float64"),
    ({"train_y": np.zeros(6, np.int64)}, "found 6 in train_y"),
    ({"train_y": np.full(7, np.nan)}, "found train_y as float64"),
    ({"train_y": np.zeros(7, np.int32)}, "found train_y as int32"),
    ({"train_y": np.zeros(7, ">i8")}, "found train_y as >i8"),
    ({"test_y": np.array([0, 1, -5])}, "found -5 in test_y at position 2"),
    ({"mean": np.nan}, "expected mean to hold finite numbers, found nan"),
    ({"std": -1.0}, "expected std to hold positive numbers, found -1.0"),
    ({"std": np.ones(2)}, "of the shape (2,)"),
    ({"maximum": 255.0}, "expected maximum as a single whole number"),
    ({"maximum": [255]}, "expected maximum as a single whole number"),
    ({"maximum": 0}, "found 0"),
    ({"mean": "zero"}, "mean.npy: expected numbers, found elements of the type str"),
])
def test_arrays_that_are_not_as_they_should_be(changes: dict, part: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays(**changes))
    assert part in refused(tmp_path / "a.npz")


def test_keys(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones(3))
    assert "expected the arrays train_x, train_y, test_x, test_y, maximum, mean, std, found x" in refused(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", **arrays(), more=np.ones(3))
    assert "more" in refused(tmp_path / "a.npz")


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)
    np.savez(tmp_path / "a.npz", **{**arrays(), "mean": np.array([Trap()], object)})
    assert "expected numbers" in refused(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(pickle.dumps(Trap()))
    refused(tmp_path / "b.npz")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_declared_lengths_that_cannot_be_allocate_nothing(compression: int, tmp_path: Path) -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999, 28, 28), }".ljust(117) + b"\n"
    member = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"x" * 50
    content = whole(SMALL, tmp_path)
    with zipfile.ZipFile(io.BytesIO(content)) as good, zipfile.ZipFile(tmp_path / "a.npz", "w", compression) as bad:
        for name in good.namelist():
            bad.writestr(name, member if name == "train_x.npy" else good.read(name))
    tracemalloc.start()
    assert "train_x.npy: expected 78,399,999,999,216 bytes of elements, found 50" in refused(tmp_path / "a.npz")
    assert tracemalloc.get_traced_memory()[1] < 2e6
    tracemalloc.stop()


def test_no_file(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "missing.npz")
    (tmp_path / "folder.npz").mkdir()
    assert "this is no file" in refused(tmp_path / "folder.npz")


# writing

@pytest.mark.parametrize("broken", ["numpy.savez", "os.fsync", "os.replace"])
def test_a_write_that_fails_leaves_the_old_file(broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = whole(SMALL, tmp_path)

    def fail(*_a: object, **_k: object) -> None:
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(broken, fail)
    with pytest.raises(DataError, match=r"whole\.npz: cannot be written: No space left on device"):
        from_arrays("other", *grey(seed=1)).save(tmp_path / "whole.npz")
    assert (tmp_path / "whole.npz").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["whole.npz"]


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_a: object, **_k: object) -> None:
        raise KeyboardInterrupt
    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        SMALL.save(tmp_path / "a.npz")
    assert not list(tmp_path.iterdir())


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file or directory"):
        SMALL.save(tmp_path / "missing" / "a.npz")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(DataError, match="a folder or device has this name"):
        SMALL.save(tmp_path / "folder.npz")
    with pytest.raises(DataError, match="null"):
        SMALL.save(tmp_path / "a\0b.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["folder.npz"]
