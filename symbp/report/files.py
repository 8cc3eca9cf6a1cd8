"""Writing files whole or not at all."""
from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from symbp.errors import SymbpError


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` under a temporary name in the same folder, then rename; a reader never sees half a file.

    Raises `SymbpError` naming the folder where it is missing, not a folder or not writable.
    """
    if not path.parent.is_dir():
        raise SymbpError(f"cannot write {path.name}: {path.parent} is not an existing folder")
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as stream:
            stream.write(data)
        os.replace(temporary, path)
    except OSError as error:
        raise SymbpError(f"cannot write {path.name} into the folder {path.parent}: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
