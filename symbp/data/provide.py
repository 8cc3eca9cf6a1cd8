"""What `symbp data` does: load a set, keep it or write it, and say what it holds."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from symbp.data import cache, characters
from symbp.data.characters import TOPICS
from symbp.data.dataset import SPLITS, Dataset
from symbp.data.sources import load, to_stderr
from symbp.data.text import about, times
from symbp.errors import DataError


def provide(name: str, folder: str | None = None, out: str | None = None) -> dict[str, Any]:
    """Load a set and write it to `out`, or into the cache if it is one of the known sets in its original form.

    name, folder: as for `load`.  The answer can be printed as JSON; its `file` is None where nothing was written.
    Raises `DataError` where the set cannot be loaded or written.
    """
    if name == TOPICS or folder is not None and (Path(folder) / f"{name}.txt").is_file():
        return _text(name, folder, out)
    data = load(name, folder)
    original = data.digest() == cache.DIGESTS.get(name)
    path = _write(data, out, original)
    return {"name": name, "file": path and str(path), "original": original, "classes": data.classes,
            "samples": {split: len(getattr(data, f"{split}_y")) for split in SPLITS},
            "shape": list(data.sample_shape), "maximum": data.maximum, "mean": data.mean.tolist(), "std": data.std.tolist(),
            "labels": {split: _counts(getattr(data, f"{split}_y"), data.classes) for split in SPLITS}}


def as_text(answer: dict[str, Any]) -> str:
    """The answer as lines.

    >>> print(as_text({"name": "tiny", "file": None, "original": False, "classes": 2, "samples": {"train": 3, "test": 1}, "shape": [8, 8],
    ...                "maximum": 16, "mean": 0.25, "std": 0.5, "labels": {"train": [1, 2], "test": [1, 0]}}))
    tiny: 3 images to train on, 1 to test on, each 8×8, values 0 to 16, 2 classes
    labels of train: 1 2
    labels of test: 1 0
    mean 0.25, standard deviation 0.5 (of the images to train on, white = 1)
    nothing was written; --out FILE.npz writes the arrays
    """
    if "vocabulary" in answer:
        return characters.as_text(answer)
    samples = answer["samples"]
    lines = [f"{answer['name']}: {samples['train']:,} images to train on, {samples['test']:,} to test on, each {times(answer['shape'])}, "
             f"values 0 to {answer['maximum']}, {answer['classes']:,} classes"]
    lines += [f"labels of {split}: {' '.join(map(str, answer['labels'][split] or ['too many to list']))}" for split in SPLITS]
    lines.append(f"mean {_numbers(answer['mean'])}, standard deviation {_numbers(answer['std'])} (of the images to train on, white = 1)")
    return "\n".join([*lines, answer["file"] or "nothing was written; --out FILE.npz writes the arrays"])


def _text(name: str, folder: str | None, out: str | None) -> dict[str, Any]:
    """A text, written to `out`, or into the cache if it is the one that has a name."""
    text = characters.load_text(name, folder, to_stderr)
    path = Path(out) if out is not None else cache.path(name) if folder is None else None
    if path is not None:
        with about(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        text.save(path)
    return {**text.answer(), "file": path and str(path)}


def _write(data: Dataset, out: str | None, original: bool) -> Path | None:
    """Write the file that was asked for, or keep an original; None where neither is so."""
    if out is not None:
        data.save(out)
        return Path(out)
    if not original:
        return None
    try:
        return cache.keep(data)
    except DataError as error:
        raise DataError(f"{error}; --out FILE.npz writes the arrays to another place") from None


def _counts(labels: np.ndarray, classes: int) -> list[int] | None:
    """How often each label occurs; None where there are too many to list."""
    return np.bincount(labels, minlength=classes).tolist() if classes <= 1000 else None


def _numbers(value: float | list[float]) -> str:
    return " ".join(f"{v:.6g}" for v in (value if isinstance(value, list) else [value]))
