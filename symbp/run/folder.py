"""The folder of a training run: its files, and writing them whole or not at all."""
from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from symbp.errors import RunError


@dataclass(frozen=True)
class RunFolder:
    """The files of a run."""

    path: Path

    @classmethod
    def new(cls, wanted: Path) -> RunFolder:
        """Make the folder; one that holds something already is left alone, and a number appended."""
        path, count = wanted, 1
        while path.exists() and (not path.is_dir() or any(path.iterdir())):
            count += 1
            path = wanted.with_name(f"{wanted.name}-{count}")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"cannot make the folder {path} for the run: {error.strerror}; name another with --out") from None
        folder = cls(path)
        folder.write(path / ".writable", lambda file: file.write_bytes(b""))
        (path / ".writable").unlink(missing_ok=True)
        return folder

    network = property(lambda self: self.path / "network.toml", doc="the network file")
    module = property(lambda self: self.path / "module.py", doc="the generated module")
    settings = property(lambda self: self.path / "run.json", doc="what was asked")
    metrics = property(lambda self: self.path / "metrics.jsonl", doc="one record on each line")
    checkpoint = property(lambda self: self.path / "checkpoint.npz", doc="where to go on")
    parameters = property(lambda self: self.path / "params.npz", doc="the trained parameters")
    report = property(lambda self: self.path / "report.json", doc="the figures at the end")

    def write(self, path: Path, writer: Callable[[Path], object]) -> None:
        """Let `writer` fill a temporary file beside `path`, bring it to the disk, and give it its name; the old one stays till then."""
        temporary = path.with_name(f".{secrets.token_hex(8)}{path.suffix or '.tmp'}")
        try:
            writer(temporary)
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
            self._sync()
        except OSError as error:
            raise RunError(f"cannot write {path.name} into the run's folder {path.parent}: {error.strerror}; "
                           "what was written before is kept") from None
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def text(self, path: Path, text: str) -> None:
        """Write a text file."""
        self.write(path, lambda file: file.write_text(text, encoding="utf-8"))

    def _sync(self) -> None:
        """Bring the folder's list of names to the disk, where the system can."""
        with contextlib.suppress(OSError, AttributeError):
            handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
