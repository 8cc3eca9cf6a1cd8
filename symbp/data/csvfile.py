"""Reading a CSV file into columns of numbers and words; errors name the line and the column."""
from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from symbp.errors import DataError
from symbp.suggest import nearest

GAPS = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
"""What stands for a missing value, in small letters."""
MOST_WORDS = 100
"""A column of words has at most so many different ones."""
LARGEST = 200_000_000


@dataclass(frozen=True)
class Columns:
    """The columns that are read: numbers with NaN for a gap, words with None for one; lines: where each row stands in the file."""

    numbers: dict[str, np.ndarray]
    words: dict[str, list[str | None]]
    features: tuple[str, ...]
    lines: np.ndarray

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.lines)

    def gaps(self) -> dict[str, np.ndarray]:
        """Where values are missing, by column."""
        return {**{k: np.isnan(v) for k, v in self.numbers.items()}, **{k: np.array([w is None for w in v]) for k, v in self.words.items()}}

    def kept(self, rows: np.ndarray) -> Columns:
        """Some of the rows."""
        words = {k: [w for w, keep in zip(v, rows) if keep] for k, v in self.words.items()}
        return Columns({k: v[rows] for k, v in self.numbers.items()}, words, self.features, self.lines[rows])


def read_columns(path: Path, target: str, features: Sequence[str] | None = None) -> Columns:
    """Read the target's column and those of the features (all others, if None).  Raises `DataError`."""
    names, rows, lines = _rows(path)
    wanted = tuple(n for n in names if n != target) if features is None else tuple(features)
    for name in (target, *wanted):
        if name not in names:
            raise DataError(f"there is no column {name!r}{nearest(name, names)}")
    if target in wanted:
        raise DataError(f"the column {target!r} is the target, and cannot be a feature too")
    if not wanted or len(set(wanted)) < len(wanted):
        raise DataError(f"features must be different columns beside the target, found {', '.join(wanted) or 'none'}")
    numbers: dict[str, np.ndarray] = {}
    words: dict[str, list[str | None]] = {}
    for name in (target, *wanted):
        cells = [row[names.index(name)].strip() for row in rows]
        values = [_number(cell) for cell in cells]
        if _is_numeric(name, cells, values, lines):
            numbers[name] = np.array([math.nan if v is None else v for v in values])
        else:
            words[name] = [None if c.lower() in GAPS else c for c in cells]
            _check_words(name, words[name])
    return Columns(numbers, words, wanted, np.array(lines))


def _rows(path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """The names of the columns, the cells of each row, and the line on which it stands."""
    if not path.is_file():
        raise DataError("there is no such file" if not path.exists() else "this is no file")
    if path.stat().st_size > LARGEST:
        raise DataError(f"the file is larger than {LARGEST:,} bytes")
    rows, lines = [], []
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            names = [name.strip() for name in next(reader, [])]
            _check_names(names)
            for row in reader:
                if row:
                    if len(row) != len(names):
                        raise DataError(f"line {reader.line_num}: expected {len(names)} values ({', '.join(names)[:200]}), "
                                        f"found {len(row)}")
                    rows.append(row)
                    lines.append(reader.line_num)
    except UnicodeDecodeError:
        raise DataError("the file is not UTF-8 text; save it as UTF-8") from None
    except csv.Error as error:
        raise DataError(f"line {reader.line_num}: this is no CSV: {error}") from None
    if len(rows) < 2:
        raise DataError(f"expected a first line with the columns' names and at least two rows, found {len(rows)} rows")
    return names, rows, lines


def _check_names(names: Sequence[str]) -> None:
    if not any(names):
        raise DataError("line 1: expected the columns' names with commas between them, found nothing")
    if not all(names) or len(set(names)) < len(names):
        twice = next((n for n in names if names.count(n) > 1), "")
        raise DataError(f"line 1: expected a different name for each column, found {twice!r} {names.count(twice)} times"
                        if twice else f"line 1: column {names.index('') + 1} has no name")


def _number(cell: str) -> float | None:
    """The number in a cell, or None."""
    try:
        value = float(cell) if cell.isascii() and "_" not in cell else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _is_numeric(name: str, cells: Sequence[str], values: Sequence[float | None], lines: Sequence[int]) -> bool:
    """Whether a column holds numbers; raises where most of it does, and a cell is neither a number nor a gap."""
    present = [k for k, c in enumerate(cells) if c.lower() not in GAPS]
    if not present:
        raise DataError(f"column {name!r}: every value is missing; leave it out of features")
    wrong = [k for k in present if values[k] is None]
    if wrong and 2 * len(wrong) < len(present):
        raise DataError(f"line {lines[wrong[0]]}, column {name!r}: expected a number, as in most of this column, "
                        f"found {cells[wrong[0]][:40]!r}")
    return not wrong


def _check_words(name: str, words: Sequence[str | None]) -> None:
    count = len({w for w in words if w is not None})
    if count > MOST_WORDS:
        raise DataError(f"column {name!r}: found {count:,} different words, more than {MOST_WORDS}; such a column is no feature or class: "
                        "leave it out with features = [ … ]")
