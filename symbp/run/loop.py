"""A training run: from its start, or from the checkpoint of its folder; the same seed gives the same bits.

The order of an epoch's samples comes from the seed and the number of the epoch alone, so that a run goes on anywhere with the bits of
an unbroken one.  What is measured on the way never changes what is trained.
"""
from __future__ import annotations

import contextlib
import json
import math
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from symbp.emit import generate, values_function
from symbp.errors import DivergedError, RunError
from symbp.netfile import Train, load
from symbp.network import Network
from symbp.run.checkpoint import Place, read_checkpoint, write_checkpoint
from symbp.run.folder import RunFolder
from symbp.run.metrics import by_class, confusion, first_broken, norms
from symbp.run.progress import Progress, Silent
from symbp.run.records import Records, records
from symbp.run.samples import samples
from symbp.run.settings import RunSettings, read_settings

RECORDS = 20
"""How many records an epoch has at most."""
EVALUATED = 2048
"""Samples that are evaluated at a time."""


@dataclass(frozen=True)
class Result:
    """How a run ended.

    finished: whether all epochs are done.  accuracy: from 0 to 1, None where the target is no class.  seconds: of this process.
    """

    folder: Path
    finished: bool
    epochs: int
    steps: int
    loss: float | None
    accuracy: float | None
    seconds: float
    files: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The result as plain data."""
        return {**asdict(self), "folder": str(self.folder), "files": list(self.files)}


def train(path: str | Path, *, data: str | None = None, data_dir: str | None = None, epochs: int | None = None,
          batch_size: int | None = None, seed: int | None = None, out: str | Path | None = None, plots: bool = True, quiet: bool = False,
          every: float = 15.0) -> Result:
    """Train the network of a file into a new folder.

    data, data_dir: the set and the user's folder with its files (default: those of the network file).  epochs, batch_size, seed: likewise.
    out: the run's folder (default runs/NAME; never one that holds something).  every: seconds between checkpoints within an epoch; one
    is written at the end of each epoch anyway.
    Raises `SymbpError`: bad files, data that do not fit, `RunError` for folders, and `DivergedError` where the loss is not finite.
    """
    network = load(path)
    defaults, own = network.extras.get("train") or Train(), network.extras.get("data")
    name = data or (own.name if own else None)
    if name is None:
        raise RunError(f"{path} does not say what to train on: add the table [data] with, for instance, name = \"digits\", "
                       "or name the data with --data")
    settings = RunSettings(name, data_dir or (own.folder if own and own.folder and not data else None),
                           *(given if given is not None else getattr(defaults, key) for key, given in
                             (("epochs", epochs), ("batch_size", batch_size), ("seed", seed))), defaults.dtype)
    loop = _Loop.of(network, settings)
    folder = RunFolder.new(Path(out) if out is not None else Path("runs") / network.name)
    folder.text(folder.network, Path(path).read_text(encoding="utf-8"))
    folder.text(folder.module, loop.source)
    folder.text(folder.settings, settings.to_json())
    folder.text(folder.metrics, "")
    loop.params = loop.module.init_params(settings.seed, settings.dtype)
    loop.state = loop.module.init_state(loop.params, settings.seed)
    write_checkpoint(folder, loop.module, loop.params, loop.state, Place())
    return loop.run(folder, Place(), every, quiet, plots)


def resume(path: str | Path, *, epochs: int | None = None, batch_size: int | None = None, seed: int | None = None, plots: bool = True,
           quiet: bool = False, every: float = 15.0) -> Result:
    """Go on with the run of a folder from its checkpoint, to its last epoch or to a later one; the bits are those of an unbroken run."""
    folder = RunFolder(Path(path))
    settings = read_settings(folder.settings)
    changed = settings.changed(epochs=epochs, batch_size=batch_size, seed=seed)
    loop = _Loop.of(load(folder.network), changed)
    loop.params, loop.state, place = read_checkpoint(folder, loop.module, changed.dtype)
    if changed != settings:
        folder.text(folder.settings, changed.to_json())
    _cut(folder, place.recorded)
    return loop.run(folder, place, every, quiet, plots)


def _cut(folder: RunFolder, length: int) -> None:
    """Drop the records that were written after the checkpoint."""
    try:
        with open(folder.metrics, "r+b") as file:
            if file.seek(0, 2) < length:
                raise RunError(f"{folder.metrics} is shorter than the checkpoint says; start a new run")
            file.truncate(length)
    except OSError as error:
        raise RunError(f"cannot read {folder.metrics}: {error.strerror}") from None


class _Loop:
    """The steps of a run."""

    params: dict[str, Any]
    state: dict[str, Any]

    def __init__(self, network: Network, settings: RunSettings, source: str, arrays: dict[str, np.ndarray]) -> None:
        self.network, self.settings, self.source, self.arrays = network, settings, source, arrays
        self.module = ModuleType(network.name)
        exec(compile(source, f"{network.name}.py", "exec"), self.module.__dict__)  # noqa: S102 - generated here from equations
        self.batches = math.ceil(len(arrays["train_x"]) / settings.batch_size)
        self.interval = max(1, math.ceil(self.batches / RECORDS))
        self.stopped = False

    @classmethod
    def of(cls, network: Network, settings: RunSettings) -> _Loop:
        """The loop with the network's code and the data."""
        return cls(network, settings, generate(network), samples(network, settings))

    def run(self, folder: RunFolder, place: Place, every: float, quiet: bool, plots: bool) -> Result:
        """Train from a place on; writes the results where all epochs are done."""
        start = time.monotonic()
        progress = Silent() if quiet else Progress(self.settings.epochs, self.batches)
        if place.epoch < self.settings.epochs:
            with _interrupts(self), np.errstate(all="ignore"):
                place = self._epochs(folder, place, every, progress, start)
        finished = place.epoch >= self.settings.epochs
        loss, accuracy, files = self._finish(folder, plots) if finished else (None, None, ())
        return Result(folder.path, finished, place.epoch, self.state["step"], loss, accuracy, time.monotonic() - start, files)

    def _epochs(self, folder: RunFolder, place: Place, every: float, progress: Progress, start: float) -> Place:
        with records(folder) as record:
            saved = time.monotonic()
            while place.epoch < self.settings.epochs:
                order = np.random.default_rng([self.settings.seed, place.epoch]).permutation(len(self.arrays["train_x"]))
                self.good = self._copy(place.batch)
                while place.batch < self.batches and not self.stopped:
                    loss = self._step(order, place, record)
                    place = replace(place, batch=place.batch + 1, loss_sum=place.loss_sum + loss)
                    progress.batch(place.epoch, place.batch, loss)
                    if time.monotonic() - saved > every:
                        self._save(folder, replace(place, recorded=record.sync()))
                        saved = time.monotonic()
                if place.batch >= self.batches:
                    place = self._close(place, record, progress, start)
                self._save(folder, replace(place, recorded=record.sync()))
                if self.stopped:
                    break
        return place

    def _save(self, folder: RunFolder, place: Place) -> None:
        write_checkpoint(folder, self.module, self.params, self.state, place)

    def _batch(self, order: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = order[number * self.settings.batch_size:(number + 1) * self.settings.batch_size]
        return self.arrays["train_x"][chosen], self.arrays["train_y"][chosen]

    def _step(self, order: np.ndarray, place: Place, record: Records) -> float:
        """One step, and its record where one is due."""
        x, y = self._batch(order, place.batch)
        due = place.batch % self.interval == 0
        gradients = norms(self.module.loss_and_grads(self.params, x, y)[1]) if due else {}
        if due and first_broken(self.params) is None:
            self.good = self._copy(place.batch)
        loss = float(self.module.train_step(self.params, self.state, x, y))
        if not math.isfinite(loss):
            self._diverged(record.folder, order, place, loss)
        if due:
            record.write({"kind": "step", "epoch": place.epoch + 1, "step": self.state["step"], "loss": loss, "gradient_norms": gradients})
        return loss

    def _close(self, place: Place, record: Records, progress: Progress, start: float) -> Place:
        """The end of an epoch: its record, and the place of the next."""
        loss, accuracy = self._evaluate()
        seconds = time.monotonic() - start
        mean = place.loss_sum / self.batches
        record.write({"kind": "epoch", "epoch": place.epoch + 1, "step": self.state["step"], "loss": mean, "test_loss": loss,
                      "accuracy": None if math.isnan(accuracy) else accuracy, "seconds": round(seconds, 3)})
        progress.epoch(place.epoch, mean, loss, accuracy, seconds)
        return Place(place.epoch + 1)

    def _evaluate(self) -> tuple[float, float]:
        """Loss and accuracy on the test split, in parts that fit the cache."""
        x, y = self.arrays["test_x"], self.arrays["test_y"]
        parts = [slice(k, k + EVALUATED) for k in range(0, len(x), EVALUATED)]
        found = [(len(x[p]), *map(float, self.module.evaluate(self.params, x[p], y[p]))) for p in parts]
        return sum(n * loss for n, loss, _ in found) / len(x), sum(n * share for n, _, share in found) / len(x)

    # what breaks

    def _copy(self, batch: int) -> tuple[int, dict[str, Any], dict[str, Any]]:
        """The batch that comes next, and copies of parameters and state."""
        state = {k: {n: a.copy() for n, a in v.items()} if k in self.module.STATES else v for k, v in self.state.items()}
        return batch, {k: v.copy() for k, v in self.params.items()}, state

    def _diverged(self, folder: RunFolder, order: np.ndarray, place: Place, loss: float) -> None:
        """Keep the last good parameters, find what broke first by going through the last steps again, and stop."""
        step = self.state["step"]
        first, params, state = self.good
        folder.write(folder.parameters, lambda file: self.module.save(file, params, state))
        name, at = self._first_broken(order, first, place.batch, params, {**state, "workspaces": {}})
        raise DivergedError(f"the loss of step {step} (epoch {place.epoch + 1}, batch {place.batch + 1}) is {loss}; the first tensor "
                            f"that is no finite number is {name}, in step {at}. The parameters after step {state['step']} are kept in "
                            f"{folder.parameters}; try a smaller learning rate")

    def _first_broken(self, order: np.ndarray, first: int, last: int, params: dict[str, Any], state: dict[str, Any]) -> tuple[str, int]:
        values = values_function(self.network)
        params = {k: v.copy() for k, v in params.items()}
        for batch in range(first, last + 1):
            x, y = self._batch(order, batch)
            broken = first_broken(params) or first_broken({"x": x, **values(params, x, y)})
            if broken:
                return broken, state["step"] + 1
            self.module.train_step(params, state, x, y)
        return "the loss", state["step"]

    # the end

    def _finish(self, folder: RunFolder, plots: bool) -> tuple[float, float | None, tuple[str, ...]]:
        """The trained parameters, the figures and the pictures."""
        loss, accuracy = self._evaluate()
        folder.write(folder.parameters, lambda file: self.module.save(file, self.params))
        records = [json.loads(line) for line in folder.metrics.read_text(encoding="utf-8").splitlines()]
        matrix = self._confusion() if not math.isnan(accuracy) else None
        figures = {"epochs": self.settings.epochs, "steps": self.state["step"], "test_loss": loss,
                   "accuracy": None if math.isnan(accuracy) else accuracy,
                   "classes": [] if matrix is None else by_class(matrix), "confusion": [] if matrix is None else matrix.tolist()}
        folder.text(folder.report, json.dumps(figures, indent=1) + "\n")
        made = []
        if plots:
            from symbp.run.plots import draw
            made = draw(folder, records, matrix, self.network.title or self.network.name)
        names = (folder.network, folder.module, folder.settings, folder.metrics, folder.parameters, folder.checkpoint, folder.report, *made)
        return loss, figures["accuracy"], tuple(p.name for p in names)

    def _confusion(self) -> np.ndarray | None:
        """The confusion matrix of the test split, where the output has a row of scores for each sample."""
        x, y = self.arrays["test_x"], self.arrays["test_y"]
        scores = np.concatenate([self.module.forward(self.params, x[k:k + EVALUATED]) for k in range(0, len(x), EVALUATED)])
        if scores.ndim != 2 or scores.shape[1] < 2:
            return None
        wanted = y if y.ndim == 1 else y.argmax(axis=1)
        return confusion(wanted.astype(np.int64), scores.argmax(axis=1), scores.shape[1])


@contextlib.contextmanager
def _interrupts(loop: _Loop) -> Iterator[None]:
    """Ctrl-C lets the step end, so that the checkpoint is whole; a second one is taken at once."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) != signal.default_int_handler:
        yield
        return

    def stop(*_: Any) -> None:
        loop.stopped = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
