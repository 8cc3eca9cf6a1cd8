"""The end of a run: the trained parameters, the pictures, and report.json, which is written last and says that all is there."""
from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from symbp.errors import RunError
from symbp.network import Network
from symbp.run.explain import findings, in_words, product
from symbp.run.folder import RunFolder
from symbp.run.metrics import by_class, confusion
from symbp.run.records import plain, read_records
from symbp.run.samples import Samples

Pairs = tuple[np.ndarray, np.ndarray] | None


def write_results(folder: RunFolder, figures: Mapping[str, Any], matrix: np.ndarray | None, title: str,
                  plots: bool, pairs: Pairs = None) -> tuple[list[Path], str]:
    """Write the pictures, if wanted, and the report; answers the files, and a message where something was left out.

    figures: epochs, steps, test_loss, accuracy.  matrix: (classes, classes), None where the target is no class.  pairs: true and predicted
    numbers of a regression.
    """
    made, message = _pictures(folder, matrix, title, pairs) if plots else ([], "")
    whole = {**figures, "classes": [] if matrix is None else by_class(matrix), "confusion": [] if matrix is None else matrix.tolist()}
    folder.text(folder.report, json.dumps(plain(whole), indent=1, allow_nan=False) + "\n")
    return [folder.report, *made], message


def _pictures(folder: RunFolder, matrix: np.ndarray | None, title: str, pairs: Pairs) -> tuple[list[Path], str]:
    """The pictures; a message where matplotlib is missing, or refuses what is set in MPLBACKEND."""
    try:
        from symbp.run.plots import draw
    except ImportError as error:
        return [], f"no pictures: {error.name or error} is missing; pip install matplotlib"
    except ValueError as error:
        return [], f"no pictures: matplotlib cannot be loaded: {' '.join(str(error).split())[:100]}…"
    return draw(folder, read_records(folder), matrix, title, pairs), ""


def write_watched(folder: RunFolder, network: Network, plots: bool) -> tuple[list[Path], list[str]]:
    """Write what was watched as words and as a picture; answers the files, and the sentences about what is wrong.

    It stands before `write_results`, whose report says that all is there.
    """
    watched = [r for r in read_records(folder) if r["kind"] == "watch"]
    if not watched:
        return [], []
    found = findings(watched)
    folder.text(folder.watched, in_words(watched, found, product(network)))
    made = [folder.watched]
    with contextlib.suppress(ImportError, ValueError):
        if plots:
            from symbp.run.plots_watch import draw_watched
            made.append(draw_watched(folder, watched, network.title or network.name))
    return made, found


def report_of(folder: RunFolder, epochs: int) -> dict[str, Any] | None:
    """The report of a run that ended after so many epochs; None where that end is still to be written."""
    try:
        found = json.loads(folder.report.read_text(encoding="utf-8"))
        return found if found["epochs"] == epochs and {"test_loss", "accuracy", "steps"} <= set(found) else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def confusion_matrix(module: ModuleType, params: dict[str, Any], state: dict[str, Any], samples: Samples) -> np.ndarray | None:
    """How often each class of the test split was taken for each: (classes, classes); None where the output is no row of scores."""
    found = []
    for x, y in samples.parts():
        scores = module.forward(params, x, state)
        if scores.ndim != 2 or scores.shape[1] < 2:
            return None
        wanted = y if y.ndim == 1 else y.argmax(axis=1)
        if not np.isfinite(scores).all():
            return None
        found.append(confusion(wanted.astype(np.int64), scores.argmax(axis=1), scores.shape[1]))
    return sum(found[1:], found[0])


def check_module(folder: RunFolder, source: str) -> None:
    """Raise `RunError` where the code of the run's network is not what it was when the run began."""
    try:
        kept = folder.module.read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise RunError(f"{folder.module} is missing or damaged, so nobody can say whether the run would go on as it began; "
                       "start a new run") from None
    if _without_head(kept) != _without_head(source):
        raise RunError(f"{folder.network.name} and {folder.module.name} in {folder.path} do not belong together any more: the network file "
                       "was changed, or another version of symbp began this run, so the numbers would be others; put the file back as it "
                       "was, or start a new run")


def _without_head(source: str) -> str:
    """The code behind the text that heads a module, which names the version."""
    parts = source.split('"""', 2)
    return parts[-1] if len(parts) == 3 else source
