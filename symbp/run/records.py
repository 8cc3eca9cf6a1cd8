"""metrics.jsonl: the records of a run, one on each line, in JSON that every reader takes (no NaN)."""
from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator
from typing import Any

from symbp.errors import RunError
from symbp.run.folder import RunFolder


class Records:
    """The file to which a run appends."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.file = open(folder.metrics, "ab")  # noqa: SIM115 - `records` closes it

    def write(self, **record: Any) -> None:
        """Append a record; a number that is not finite becomes null."""
        self.file.write(json.dumps(plain(record), allow_nan=False).encode() + b"\n")

    def sync(self) -> int:
        """Bring the records to the disk; answers how many bytes there are."""
        self.file.flush()
        os.fsync(self.file.fileno())
        return self.file.tell()


@contextlib.contextmanager
def records(folder: RunFolder) -> Iterator[Records]:
    """The records of a run while it lasts; a full disk is one paragraph."""
    try:
        opened = Records(folder)
        try:
            yield opened
        finally:
            opened.file.close()
    except OSError as error:
        raise RunError(f"cannot write {folder.metrics}: {error.strerror}; what was written before is kept") from None


def cut(folder: RunFolder, length: int) -> None:
    """Drop the records that were written after the checkpoint.  Raises `RunError` where those before it are not there."""
    try:
        with open(folder.metrics, "r+b") as file:
            whole = file.seek(0, 2)
            if whole < length:
                raise RunError(f"{folder.metrics} is shorter than the checkpoint says, so records are lost; start a new run")
            file.seek(0)
            _parsed(folder, file.read(length))
            if whole > length:
                file.truncate(length)
    except OSError as error:
        raise RunError(f"cannot read {folder.metrics}: {error.strerror}") from None


def read_records(folder: RunFolder) -> list[dict[str, Any]]:
    """All records.  Raises `RunError` where the file is missing or damaged."""
    try:
        return _parsed(folder, folder.metrics.read_bytes())
    except OSError as error:
        raise RunError(f"cannot read {folder.metrics}: {error.strerror}") from None


def _parsed(folder: RunFolder, text: bytes) -> list[dict[str, Any]]:
    try:
        found = [json.loads(line) for line in text.splitlines()]
        if text and not text.endswith(b"\n") or any(r["kind"] not in ("step", "epoch", "watch") for r in found):
            raise ValueError
        return found
    except (ValueError, TypeError, KeyError, RecursionError):
        raise RunError(f"{folder.metrics} is damaged: it should hold a JSON record on each line; start a new run") from None


def plain(value: Any) -> Any:
    """The value with None for every number that is not finite, since JSON has no other.

    >>> plain({"loss": float("nan"), "norms": [1.0, float("inf")]})
    {'loss': None, 'norms': [1.0, None]}
    """
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
