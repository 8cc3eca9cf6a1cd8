"""A table of numbers and words: what a network reads of it, with missing values and outliers reported and treated as told.

Rows are split by a seed; everything that is measured (means, quartiles, scales) is that of the rows to train on.
"""
from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from symbp.data.csvfile import Columns, read_columns
from symbp.data.dataset import SPLITS
from symbp.data.text import about, times
from symbp.errors import DataError

FACTORS = {"iqr": 1.5, "z_score": 3.0}
"""How far from the quartiles, in interquartile ranges, or from the mean, in standard deviations, an outlier lies by default."""


@dataclass(frozen=True)
class Reading:
    """How a table is read: the keys of [data] in a network file."""

    target: str
    features: Sequence[str] | None = None
    categorical: str = "one_hot"
    missing: str = "error"
    outliers: str = "keep"
    rule: str = "iqr"
    factor: float | None = None
    test_fraction: float = 0.2
    split_seed: int = 0
    scale: str = "standard"


@dataclass(frozen=True, eq=False)
class Table:
    """Rows to train and to test on.

    train_x, test_x: (N, columns) float64, not scaled; train_y, test_y: (N,) float64, or int64 classes.  mean, std: (columns,), what a
    network subtracts and divides by.  columns: names.  labels: the classes' words, () for a regression.  report: what was found.
    """

    name: str
    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    columns: tuple[str, ...]
    target: str
    labels: tuple[str, ...] = ()
    report: tuple[str, ...] = ()
    maximum: int = field(default=1, init=False)

    @property
    def classes(self) -> int:
        """How many classes there are; 0 for a regression."""
        return len(self.labels)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        return self.train_x.shape[1:]

    def inputs(self, split: str, shape: Sequence[int], dtype: Any = np.float32) -> np.ndarray:
        """The rows as a network reads them, (x − mean) / std: (N, *shape).  Raises `DataError` where that is another number of columns."""
        if math.prod(shape) != len(self.columns):
            raise DataError(f"the network's input has the shape {times(shape)}, {math.prod(shape):,} elements, but {self.name} has "
                            f"{len(self.columns)} columns of features ({', '.join(self.columns)}); write shape = [{len(self.columns)}]")
        return ((getattr(self, f"{split}_x") - self.mean) / self.std).astype(dtype).reshape(-1, *shape)

    def targets(self, split: str, encoding: str = "one_hot", classes: int | None = None, dtype: Any = np.float32) -> np.ndarray:
        """The answers: (N, 1) numbers for a regression, else the classes as rows with a single 1 or as integers."""
        answers = getattr(self, f"{split}_y")
        if not self.labels:
            return answers.astype(dtype).reshape(-1, 1)
        if classes is not None and classes < self.classes:
            raise DataError(f"the network tells {classes} classes apart, but the column {self.target} of {self.name} has {self.classes}: "
                            f"{', '.join(self.labels[:8])}; write classes = {self.classes}")
        return answers if encoding == "integer" else np.eye(classes or self.classes, dtype=dtype)[answers]

    def digest(self) -> str:
        """The sha256 of all arrays."""
        found = hashlib.sha256(repr((self.columns, self.labels)).encode())
        for array in (self.train_x, self.train_y, self.test_x, self.test_y, self.mean, self.std):
            found.update(f"{array.shape} {array.dtype.name} ".encode())
            found.update(np.ascontiguousarray(array))
        return found.hexdigest()

    def save(self, path: str | Path) -> None:
        """Write the arrays as an uncompressed `.npz`, which a generated module reads."""
        from symbp.data.npz import write
        write(self, Path(path))


def read_table(path: str | Path, how: Reading, name: str | None = None) -> Table:
    """Read a CSV file.  Raises `DataError`, which names line and column, for whatever is wrong with it."""
    with about(path):
        return _table(read_columns(Path(path), how.target, how.features), how, name or Path(path).stem)


def _table(found: Columns, how: Reading, name: str) -> Table:
    report: list[str] = []
    found = _without_gaps(found, how, report)
    rows = found.count
    order = np.random.default_rng([how.split_seed, 0]).permutation(rows)
    held = max(1, round(how.test_fraction * rows))
    if held >= rows:
        raise DataError(f"{rows} rows are left, of which {held} are to test on, so none is left to train on")
    parts = {"train": np.sort(order[held:]), "test": np.sort(order[:held])}
    numeric = {k: _filled(k, v, parts["train"], how.missing) for k, v in found.numbers.items() if k != how.target}
    parts["train"] = _without_outliers(numeric, parts["train"], how, report)
    columns = {k: v for key in found.features for k, v in _encoded(key, numeric, found, how).items()}
    x = np.stack(list(columns.values()), axis=1)
    labels = tuple(sorted(set(found.words[how.target]))) if how.target in found.words else ()
    y = np.array([labels.index(w) for w in found.words[how.target]], np.int64) if labels else found.numbers[how.target]
    mean, std = _scale(x[parts["train"]], how.scale)
    constant = [k for k, s in zip(columns, std) if not s]
    if constant:
        report.append(f"{', '.join(constant)}: one value only in the rows to train on, so nothing can be learnt from it")
    arrays = {f"{s}_{c}": values[parts[s]] for s in SPLITS for c, values in (("x", x), ("y", y))}
    return Table(name, mean=mean, std=np.where(std > 0, std, 1.0), columns=tuple(columns), target=how.target, labels=labels,
                 report=tuple(report or ["no missing values, no outliers"]), **arrays)


def _without_gaps(found: Columns, how: Reading, report: list[str]) -> Columns:
    """The rows that stay, with what is missing reported."""
    gaps = found.gaps()
    holes = {k: int(v.sum()) for k, v in gaps.items() if v.any()}
    if not holes:
        return found
    told = ", ".join(f"{k} {v}" for k, v in holes.items())
    if how.missing == "error":
        name = next(iter(holes))
        raise DataError(f"line {found.lines[int(gaps[name].argmax())]}, column {name!r}: the value is missing ({told} in all); say what "
                        'to do: missing = "drop", "mean" or "median"')
    dropped = np.any(list(gaps.values()), axis=0) if how.missing == "drop" else gaps[how.target]
    filled = "" if how.missing == "drop" or set(holes) == {how.target} else f"; filled with the {how.missing} (words: the most frequent)"
    report.append(f"missing values: {told}; {int(dropped.sum())} rows dropped{filled}")
    if dropped.all():
        raise DataError(f"every row has a missing value ({told}), so none is left; fill them with missing = \"mean\"")
    return found.kept(~dropped)


def _filled(name: str, values: np.ndarray, train: np.ndarray, missing: str) -> np.ndarray:
    """The column with its gaps filled by the mean or median of the rows to train on."""
    gaps = np.isnan(values)
    if not gaps.any():
        return values
    known = values[train][~gaps[train]]
    if not len(known):
        raise DataError(f"column {name!r}: no row to train on has a value, so there is no {missing}; leave it out of features")
    return np.where(gaps, np.mean(known) if missing == "mean" else np.median(known), values)


def limits(values: np.ndarray, rule: str, factor: float | None = None) -> tuple[float, float]:
    """The smallest and the largest value that is no outlier: quartiles ∓ factor · IQR (Tukey 1977), or mean ∓ factor · σ.

    >>> limits(np.arange(101.0), "iqr")
    (-50.0, 150.0)
    """
    width = FACTORS[rule] if factor is None else factor
    low, high = np.quantile(values, [0.25, 0.75]) if rule == "iqr" else [values.mean()] * 2
    spread = width * (high - low if rule == "iqr" else values.std())
    return float(low - spread), float(high + spread)


def _without_outliers(numeric: dict[str, np.ndarray], train: np.ndarray, how: Reading, report: list[str]) -> np.ndarray:
    """The rows to train on that stay; clips the columns in place where that is asked for, and reports."""
    outside, counts = np.zeros(len(train), bool), {}
    for name, values in numeric.items():
        low, high = limits(values[train], how.rule, how.factor)
        wrong = (values[train] < low) | (values[train] > high)
        if wrong.any():
            counts[name] = int(wrong.sum())
            outside |= wrong
        if how.outliers == "clip":
            numeric[name] = values.clip(low, high)
    if counts:
        done = {"keep": "kept", "clip": "clipped to the limits", "drop": f"{int(outside.sum())} rows dropped"}[how.outliers]
        rule = f"{how.rule} with the factor {FACTORS[how.rule] if how.factor is None else how.factor:g}"
        report.append(f"outliers to train on ({rule}): {', '.join(f'{k} {v}' for k, v in counts.items())}; {done}")
    if how.outliers == "drop" and outside.all():
        raise DataError("every row to train on has an outlier, so none is left; make factor larger")
    return train[~outside] if how.outliers == "drop" else train


def _encoded(name: str, numeric: dict[str, np.ndarray], found: Columns, how: Reading) -> dict[str, np.ndarray]:
    """The columns of numbers that a feature becomes."""
    if name in numeric:
        return {name: numeric[name]}
    words = found.words[name]
    known = sorted({w for w in words if w is not None})
    usual = max(known, key=lambda w: (words.count(w), w))
    places = np.array([known.index(usual if w is None else w) for w in words])
    if how.categorical == "integer":
        return {name: places.astype(np.float64)}
    return {f"{name}={word}": (places == k).astype(np.float64) for k, word in enumerate(known)}


def _scale(x: np.ndarray, scale: str) -> tuple[np.ndarray, np.ndarray]:
    """What is subtracted, and what is divided by, for each column."""
    if scale == "standard":
        return x.mean(axis=0), x.std(axis=0)
    low, high = x.min(axis=0), x.max(axis=0)
    return (low, high - low) if scale == "unit" else ((low + high) / 2, (high - low) / 2)
