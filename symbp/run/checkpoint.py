"""A run's place in one file: parameters, the optimiser's state, the next step, and how much of the records is valid."""
from __future__ import annotations

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from symbp.errors import RunError
from symbp.run.folder import RunFolder

DAMAGE = (OSError, KeyError, TypeError, EOFError, OverflowError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged file raises, beside `ValueError`."""


@dataclass(frozen=True)
class Place:
    """Where a run stands: epoch and batch that come next, the bytes of metrics.jsonl up to here, and the sum of the epoch's losses.

    seconds: how long the run took up to here.
    """

    epoch: int = 0
    batch: int = 0
    recorded: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0


def write_checkpoint(folder: RunFolder, module: ModuleType, params: dict[str, Any], state: dict[str, Any], place: Place) -> None:
    """Write a checkpoint; the one before stays until this one is whole."""
    extra = {"place": np.array([place.epoch, place.batch, place.recorded], dtype=np.int64), "loss_sum": np.float64(place.loss_sum),
             "seconds": np.float64(place.seconds), "digest": np.frombuffer(_digest(module, params, state, place), np.uint8)}
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
            place = Place(epoch, batch, recorded, float(file["loss_sum"]), float(file["seconds"]))
            whole = file["digest"].tobytes() == _digest(module, params, state, place)
    except ValueError as error:
        if "but this network needs" in str(error) or "has no array" in str(error):
            raise RunError(f"the checkpoint does not fit the network: {error}") from None
        raise RunError(f"the checkpoint {path} is damaged; start a new run") from None
    except DAMAGE:
        raise RunError(f"the checkpoint {path} is damaged; start a new run") from None
    wrong = next((name for name, value in params.items() if value.dtype != dtype), None)
    if wrong is not None or not whole:
        what = f"{wrong} is not {dtype}" if wrong else "its numbers are not those that were written"
        raise RunError(f"the checkpoint {path} is damaged: {what}; start a new run")
    return params, state, place


def kept(module: ModuleType) -> tuple[str, ...]:
    """The keys of a state whose arrays training changes and a file keeps: the optimiser's, and running statistics where there are any."""
    return (*module.STATES, *(["running"] if hasattr(module, "RUNNING") else []))


def _digest(module: ModuleType, params: dict[str, Any], state: dict[str, Any], place: Place) -> bytes:
    """The sha256 of all that a run goes on from."""
    found = hashlib.sha256(repr((place, int(state["step"]), int(state["seed"]))).encode())
    for arrays in (params, *(state[name] for name in kept(module))):
        for name, array in arrays.items():
            found.update(f"{name} {array.shape} {array.dtype.str} ".encode())
            found.update(np.ascontiguousarray(array))
    return found.digest()
