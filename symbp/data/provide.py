"""What `symbp data` does: load a set, keep it or write it, and say what it holds."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from symbp.data import cache
from symbp.data.dataset import SPLITS, Dataset
from symbp.data.sources import load
from symbp.data.table import Table, read_table
from symbp.data.text import shown, times
from symbp.errors import DataError


def provide(name: str, folder: str | None = None, out: str | None = None, plots: str | None = None, kind: str = "png") -> dict[str, Any]:
    """Load a set and write it to `out`, or into the cache if it is one of the known sets in its original form.

    name, folder: as for `load`; or the name of a network file whose [data] is a CSV file.  plots: the folder for pictures, of the
    kind "png" or "svg".  The answer can be printed as JSON; its `file` is None where nothing was written.
    Raises `DataError` where the set cannot be loaded or written.
    """
    if name.endswith(".toml"):
        return _table(name, out, plots, kind)
    data = load(name, folder)
    pictures = _pictures(data, plots, kind)
    original = data.digest() == cache.DIGESTS.get(name)
    path = _write(data, out, original)
    return {"name": name, "file": path and str(path), "original": original, "classes": data.classes,
            "samples": {split: len(getattr(data, f"{split}_y")) for split in SPLITS},
            "shape": list(data.sample_shape), "maximum": data.maximum, "mean": data.mean.tolist(), "std": data.std.tolist(),
            "labels": {split: _counts(getattr(data, f"{split}_y"), data.classes) for split in SPLITS}, "plots": pictures}


def _table(path: str, out: str | None, plots: str | None, kind: str) -> dict[str, Any]:
    """The same for the CSV file that a network file names."""
    from symbp.netfile import load as load_network
    own = load_network(path).extras.get("data")
    if own is None or own.file is None:
        raise DataError(f"{path} names no CSV file: its table [data] has no key file" + (f"; try `symbp data {own.name}`" if own else ""))
    data = read_table(Path(path).parent / own.file, own.reading(), own.name)
    pictures = _pictures(data, plots, kind)
    if out is not None:
        data.save(out)
    answers = {split: getattr(data, f"{split}_y") for split in SPLITS}
    found = {"labels": {split: _counts(y, data.classes) for split, y in answers.items()}} if data.classes else {}
    return {"name": data.name, "file": out, "target": data.target, "classes": list(data.labels), "columns": list(data.columns),
            "samples": {split: len(y) for split, y in answers.items()}, "report": list(data.report), "mean": data.mean.tolist(),
            "std": data.std.tolist(), **found, "plots": pictures}


def _pictures(data: Dataset | Table, plots: str | None, kind: str) -> list[str]:
    """Draw what was asked for; answers the files."""
    if plots is None:
        return []
    try:
        Path(plots).mkdir(parents=True, exist_ok=True)
        from symbp.data.pictures import draw
        return [str(path) for path in draw(data, Path(plots), kind)]
    except (OSError, ValueError) as error:
        raise DataError(f"--plots: cannot write into the folder {shown(plots)}: {getattr(error, 'strerror', None) or error}") from None


def _table_as_text(answer: dict[str, Any]) -> str:
    """What is known of a table, as lines."""
    samples, words = answer["samples"], f" ({', '.join(answer['classes'][:20])})" if answer["classes"] else ""
    columns = zip(answer["columns"], answer["mean"], answer["std"])
    lines = [f"{answer['name']}: {samples['train']:,} rows to train on, {samples['test']:,} to test on, target {answer['target']}{words}",
             *(f"{name}: subtracted {mean:.6g}, divided by {std:.6g}" for name, mean, std in columns), *answer["report"]]
    for split, counts in answer.get("labels", {}).items():
        lines.append(f"labels of {split}: {' '.join(map(str, counts or ['too many to list']))}")
    return "\n".join([*lines, *(f"wrote {p}" for p in (answer["plots"])), answer["file"] or "no arrays were written; --out FILE.npz does"])


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
    if "columns" in answer:
        return _table_as_text(answer)
    samples = answer["samples"]
    lines = [f"{answer['name']}: {samples['train']:,} images to train on, {samples['test']:,} to test on, each {times(answer['shape'])}, "
             f"values 0 to {answer['maximum']}, {answer['classes']:,} classes"]
    lines += [f"labels of {split}: {' '.join(map(str, answer['labels'][split] or ['too many to list']))}" for split in SPLITS]
    lines.append(f"mean {_numbers(answer['mean'])}, standard deviation {_numbers(answer['std'])} (of the images to train on, white = 1)")
    lines += [f"wrote {path}" for path in answer.get("plots", ())]
    return "\n".join([*lines, answer["file"] or "nothing was written; --out FILE.npz writes the arrays"])


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
