"""metrics.jsonl: one record on each line, to which a run appends."""
from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from symbp.errors import RunError
from symbp.run.folder import RunFolder


class Records:
    """metrics.jsonl, to which a run appends."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.file = open(folder.metrics, "ab")  # noqa: SIM115 - `records` closes it

    def write(self, record: dict[str, Any]) -> None:
        """Append a record."""
        self.file.write(json.dumps(record).encode() + b"\n")

    def sync(self) -> int:
        """Bring the records to the disk; answers how many bytes there are."""
        self.file.flush()
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
        raise RunError(f"cannot write {folder.metrics}: {error.strerror}; the last checkpoint is kept") from None
