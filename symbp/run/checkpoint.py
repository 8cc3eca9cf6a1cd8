"""A run's place in one file: parameters, the optimiser's state, the next step, and how much of the records is valid."""
from __future__ import annotations

import zipfile
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from symbp.errors import RunError
from symbp.run.folder import RunFolder


@dataclass(frozen=True)
class Place:
    """Where a run stands: epoch and batch that come next, the bytes of metrics.jsonl up to here, and the sum of the epoch's losses."""

    epoch: int = 0
    batch: int = 0
    recorded: int = 0
    loss_sum: float = 0.0


def write_checkpoint(folder: RunFolder, module: ModuleType, params: dict[str, Any], state: dict[str, Any], place: Place) -> None:
    """Write a checkpoint; the one before stays until this one is whole."""
    extra = {"place": np.array([place.epoch, place.batch, place.recorded], dtype=np.int64), "loss_sum": np.float64(place.loss_sum)}
    folder.write(folder.checkpoint, lambda file: module.save(file, params, state, **extra))


def read_checkpoint(folder: RunFolder, module: ModuleType, dtype: str) -> tuple[dict[str, Any], dict[str, Any], Place]:
    """Parameters, state and place of a run.  Raises `RunError` where the file is missing, damaged, or of another network."""
    path = folder.checkpoint
    if not path.is_file():
        raise RunError(f"{folder.path} has no checkpoint, so there is nothing to go on with; start a new run")
    try:
        params, state = module.load(path)
        with np.load(path, allow_pickle=False) as file:
            epoch, batch, recorded = (int(v) for v in file["place"])
            place = Place(epoch, batch, recorded, float(file["loss_sum"]))
    except ValueError as error:
        raise RunError(f"the checkpoint does not fit the network: {error}") from None
    except (OSError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError):
        raise RunError(f"the checkpoint {path} is damaged; start a new run") from None
    wrong = next((name for name, value in params.items() if value.dtype != dtype), None)
    if wrong is not None or min(epoch, batch, recorded) < 0:
        raise RunError(f"the checkpoint {path} is damaged: {wrong or 'its place'} is not what this run writes; start a new run")
    return params, state, place
