"""Confusion matrix, and precision and recall of each class."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def confusion(wanted: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """How often each class (row) was taken for each class (column): (classes, classes) int64.

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    return np.bincount(wanted * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def by_class(matrix: np.ndarray) -> list[dict[str, float | int | None]]:
    """Precision, recall and number of samples of each class; None where nothing was predicted, or there is no sample.

    >>> by_class(np.array([[1, 1], [0, 1]]))[0]
    {'class': 0, 'precision': 1.0, 'recall': 0.5, 'samples': 2}
    """
    hits, predicted, wanted = np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    return [{"class": k, "precision": _share(hits[k], predicted[k]), "recall": _share(hits[k], wanted[k]), "samples": int(wanted[k])}
            for k in range(len(matrix))]


def r2_rmse(wanted: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
    """R² = 1 − Σ(y − a)² / Σ(y − ȳ)², and the root of the mean squared error; R² is NaN where all that is wanted is equal.

    >>> r2_rmse(np.array([[1.0], [3.0]]), np.array([[1.0], [2.0]]))
    (0.5, 0.7071067811865476)
    """
    wrong, spread = ((wanted - other) ** 2 for other in (predicted, wanted.mean(axis=0)))
    return float(1 - wrong.sum() / spread.sum()) if spread.any() else float("nan"), float(np.sqrt(wrong.mean()))


def _share(part: Any, whole: Any) -> float | None:
    return float(part / whole) if whole else None


def norms(arrays: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The Euclidean norm of each array, calculated in float64."""
    return {name: _norm(array.ravel().astype(np.float64)) for name, array in arrays.items()}


def _norm(values: np.ndarray) -> float:
    return float(np.sqrt(values @ values))


def first_broken(values: Mapping[str, np.ndarray]) -> str | None:
    """The first tensor that holds something else than finite numbers.

    >>> first_broken({"z": np.ones(2), "a": np.array([1, np.inf])})
    'a'
    """
    return next((name for name, array in values.items() if not np.all(np.isfinite(array))), None)


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Precision and recall as lines."""
    shown = [(str(r["class"]), *("–" if r[k] is None else f"{r[k]:.3f}" for k in ("precision", "recall")), str(r["samples"])) for r in rows]
    lines = [("class", "precision", "recall", "samples"), *shown]
    return "\n".join("  ".join(f"{cell:>9}" for cell in line) for line in lines)
