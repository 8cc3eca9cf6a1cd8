"""The folder of a training run: its files, and writing them whole or not at all."""
from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from symbp.errors import RunError

TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.[a-z]+")
"""The name of a file that is being written."""


@dataclass(frozen=True)
class RunFolder:
    """The files of a run."""

    path: Path

    @classmethod
    def new(cls, wanted: Path) -> RunFolder:
        """Make the folder; one that holds something already is left alone, and a number appended."""
        if wanted.name in ("", "..") and any(wanted.iterdir()):
            raise RunError(f"the folder {wanted} holds something already; name a new one with --out")
        path, count = wanted, 1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            while not _claim(path):
                count += 1
                path = wanted.with_name(f"{wanted.name}-{count}")
        except (OSError, ValueError) as error:
            in_the_way = isinstance(error, FileExistsError) and "a file stands in its way"
            reason = in_the_way or getattr(error, "strerror", None) or "this is no name of a folder"
            raise RunError(f"cannot make the folder {path} for the run: {reason}; name another with --out") from None
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
    watched = property(lambda self: self.path / "gradients.txt", doc="what was watched, in words")
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

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from training in this folder; the system ends the lock with the process, however that ends."""
        handle = _opened(self.path)
        try:
            if handle is not None:
                _lock(handle, self.path)
            yield
        finally:
            if handle is not None:
                os.close(handle)

    def tidy(self) -> None:
        """Remove the temporary files of a process that was killed while it wrote."""
        for path in self.path.iterdir():
            if TEMPORARY.fullmatch(path.name):
                with contextlib.suppress(OSError):
                    path.unlink()

    def text(self, path: Path, text: str) -> None:
        """Write a text file."""
        self.write(path, lambda file: file.write_text(text, encoding="utf-8"))

    def _sync(self) -> None:
        """Bring the folder's list of names to the disk, where the system can."""
        handle = _opened(self.path)
        if handle is not None:
            with contextlib.suppress(OSError):
                os.fsync(handle)
            os.close(handle)


def _claim(path: Path) -> bool:
    """Make a new folder, or take an empty one; False where the name is taken."""
    try:
        path.mkdir()
    except FileExistsError:
        return path.is_dir() and not any(path.iterdir())
    return True


def _opened(path: Path) -> int | None:
    """A handle of the folder; None where the system has none."""
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except (OSError, AttributeError):
        return None


def _lock(handle: int, path: Path) -> None:
    """Lock a folder; file systems without locks have none."""
    try:
        import fcntl
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunError(f"another process is training in {path}; let it end, or name another folder") from None
    except (OSError, ImportError):
        return
