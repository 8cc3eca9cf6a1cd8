"""How messages about data begin and how they name files and shapes."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from symbp.errors import DataError
from symbp.report.text import visible


def shown(path: str | Path) -> str:
    """A path as it can stand in a message: on one line, and not too long.

    >>> shown("a\\tb.npz")
    'a b.npz'
    """
    text = visible(str(path))
    return text if len(text) <= 300 else "…" + text[-300:]


def times(shape: Sequence[int]) -> str:
    """A shape in words.

    >>> times((28, 28)), times((10,))
    ('28×28', '10')
    """
    return "×".join(map(str, shape)) if shape else "a single number"


@contextmanager
def about(path: str | Path) -> Iterator[None]:
    """Put a file's name in front of every `DataError`; what the system refuses becomes one.

    >>> with about("a.npz"):
    ...     raise DataError("it is empty")
    Traceback (most recent call last):
    symbp.errors.DataError: a.npz: it is empty
    """
    try:
        yield
    except DataError as error:
        raise DataError(f"{shown(path)}: {error}") from None
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be read: {error.strerror or error}") from None
