"""A training run: from its start, or from the checkpoint of its folder; the same seed gives the same bits.

The order of an epoch's samples comes from the seed and the number of the epoch alone, so that a run goes on anywhere with the bits of
an unbroken one.  What is measured on the way never changes what is trained.
"""
from __future__ import annotations

import math
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from symbp.emit import generate, values_function
from symbp.errors import DivergedError, RunError, SymbpError
from symbp.metrics import measure
from symbp.module_data import data_tensors
from symbp.netfile import Train, load
from symbp.network import Network
from symbp.run.checkpoint import Place, read_checkpoint, write_checkpoint
from symbp.run.diverged import Good, find_broken
from symbp.run.finish import check_module, confusion_matrix, report_of, write_results, write_watched
from symbp.run.folder import RunFolder
from symbp.run.interrupts import Stop, interrupts
from symbp.run.metrics import first_broken, norms, r2_rmse
from symbp.run.progress import Progress, Silent
from symbp.run.records import Records, cut, plain, records
from symbp.run.samples import Samples, read_samples
from symbp.run.settings import RunSettings, read_settings
from symbp.run.watch import KINDS, Watch
from symbp.suggest import nearest

WORDS = {"accuracy": "accuracy", "r2": "R²"}
"""What the share of a batch is called."""
RECORDS = 20
"""How many records an epoch has at most."""
FEWEST = 10
"""How many steps lie between two records at least, since a record takes about as long as a step."""


@dataclass(frozen=True)
class Result:
    """How a run ended.

    finished: whether all epochs are done; already: whether they were, so that nothing was left to do.  loss: None where it is not
    finite.  accuracy: from 0 to 1, None where the target is no class.  r2, rmse: where it is numbers.
    seconds: of this process.  messages: what was left out.
    """

    folder: Path
    finished: bool
    epochs: int
    steps: int
    loss: float | None
    accuracy: float | None
    seconds: float
    files: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    already: bool = False
    r2: float | None = None
    rmse: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The result as plain data."""
        return plain({**asdict(self), "folder": str(self.folder)})


def train(path: str | Path, *, data: str | None = None, data_dir: str | None = None, epochs: int | None = None,
          batch_size: int | None = None, seed: int | None = None, out: str | Path | None = None, plots: bool = True, quiet: bool = False,
          every: float = 15.0, watch: str = "") -> Result:
    """Train the network of a file into a new folder.

    data, data_dir: the set and the user's folder with its files (default: those of the network file).  epochs, batch_size, seed: likewise.
    out: the run's folder (default runs/NAME; never one that holds something).  every: seconds between checkpoints within an epoch; one
    is written at the end of each epoch anyway.  watch: "gradients" measures gradients and saturation by layer beside the steps.
    Raises `SymbpError`: bad files, data that do not fit, `RunError` for folders, and `DivergedError` where the loss is not finite.
    """
    network = load(path)
    if watch and watch not in KINDS:
        raise RunError(f"cannot watch {watch!r}{nearest(watch, KINDS)}")
    settings = replace(_settings(network, path, data, data_dir, epochs=epochs, batch_size=batch_size, seed=seed), watch=watch)
    loop = _Loop.of(network, settings)
    settings = loop.settings = replace(settings, digest=loop.samples.digest)
    folder = RunFolder.new(Path(out) if out is not None else Path("runs") / network.name)
    with folder.lock():
        if any(folder.path.iterdir()):
            raise RunError(f"another run has just begun in {folder.path}; start this one again")
        folder.write(folder.network, lambda file: file.write_bytes(Path(path).read_bytes()))
        folder.text(folder.module, loop.source)
        folder.text(folder.settings, settings.to_json())
        folder.text(folder.metrics, "")
        loop.params = loop.module.init_params(settings.seed, settings.dtype)
        loop.state = loop.module.init_state(loop.params, settings.seed)
        write_checkpoint(folder, loop.module, loop.params, loop.state, Place())
        return loop.run(folder, Place(), every, quiet, plots)


def _settings(network: Network, path: str | Path, data: str | None, data_dir: str | None, **asked: int | None) -> RunSettings:
    """What is asked on the command line, then in the network file, then by default."""
    defaults, own = network.extras.get("train") or Train(), network.extras.get("data")
    name = data or (own.name if own else None)
    if name is None:
        raise RunError(f"{path} does not say what to train on: add the table [data] with, for instance, name = \"digits\", "
                       "or name the data with --data")
    folder = data_dir or (own.folder if own and own.folder and not data else None)
    if own and own.file and name == own.name:
        folder = data_dir or os.path.dirname(path) or "."
    counts = {key: getattr(defaults, key) if value is None else value for key, value in asked.items()}
    return RunSettings(name, folder and os.path.abspath(folder), dtype=defaults.dtype, **counts)


def resume(path: str | Path, *, epochs: int | None = None, batch_size: int | None = None, seed: int | None = None, plots: bool = True,
           quiet: bool = False, every: float = 15.0) -> Result:
    """Go on with the run of a folder from its checkpoint, to its last epoch or to a later one; the bits are those of an unbroken run.

    A finished run is left as it is.  Raises `RunError` where the folder's files are damaged or do not belong together, or the data,
    batch size or seed are others.
    """
    folder = RunFolder(Path(path))
    settings = read_settings(folder.settings)
    changed = settings.changed(epochs=epochs, batch_size=batch_size, seed=seed)
    with folder.lock():
        loop = _Loop.of(load(folder.network), changed)
        loop.params, loop.state, place = read_checkpoint(folder, loop.module, changed.dtype)
        check_module(folder, loop.source)
        settings.check_data(loop.samples.digest)
        folder.tidy()
        cut(folder, place.recorded)
        report = report_of(folder, changed.epochs)
        if report is not None and place.epoch >= changed.epochs:
            return Result(folder.path, True, place.epoch, loop.state["step"], report["test_loss"], report["accuracy"], 0.0, already=True,
                          r2=report.get("r2"), rmse=report.get("rmse"))
        if changed != settings:
            folder.text(folder.settings, changed.to_json())
        return loop.run(folder, place, every, quiet, plots)


class _Loop:
    """The steps of a run."""

    params: dict[str, Any]
    state: dict[str, Any]
    good: Good

    def __init__(self, network: Network, settings: RunSettings, source: str, samples: Samples) -> None:
        self.network, self.settings, self.source, self.samples = network, settings, source, samples
        self.module = ModuleType(network.name)
        exec(compile(source, f"{network.name}.py", "exec"), self.module.__dict__)  # noqa: S102 - generated here from equations
        self.batches = samples.batches
        self.interval = max(FEWEST, math.ceil(self.batches / RECORDS))
        self.summed = network.program.conventions.batch_loss == "sum"
        self.accuracy = math.nan
        self.judged = measure(network.program, network.output, data_tensors(network)[1])
        self.watch = Watch(network, samples.x["train"], samples.y["train"]) if settings.watch else None
        self.start = time.monotonic()

    @classmethod
    def of(cls, network: Network, settings: RunSettings) -> _Loop:
        """The loop with the network's code and the data."""
        return cls(network, settings, generate(network), read_samples(network, settings))

    def run(self, folder: RunFolder, place: Place, every: float, quiet: bool, plots: bool) -> Result:
        """Train from a place on; writes the results where all epochs are done."""
        start = time.monotonic()
        self.start = start - place.seconds
        progress = Silent() if quiet else Progress(self.settings.epochs, self.batches, word=WORDS.get(self.judged, ""))
        try:
            with np.errstate(all="ignore"):
                done = self._done(folder, place, every, progress, plots)
        except KeyboardInterrupt:  # a second one, or one while the results are written: the checkpoint is there
            raise KeyboardInterrupt(str(folder.path)) from None
        return replace(done, seconds=time.monotonic() - start)

    def _done(self, folder: RunFolder, place: Place, every: float, progress: Progress, plots: bool) -> Result:
        """The epochs that are left, and the results."""
        if place.epoch < self.settings.epochs:
            try:
                with interrupts() as stop:
                    place = self._epochs(folder, place, every, progress, stop)
            finally:
                progress.end()
        done = Result(folder.path, False, place.epoch, self.state["step"], None, None, 0.0)
        return self._finish(folder, done, plots) if place.epoch >= self.settings.epochs else done

    def _epochs(self, folder: RunFolder, place: Place, every: float, progress: Progress, stop: Stop) -> Place:
        with records(folder) as record:
            saved = time.monotonic()
            while place.epoch < self.settings.epochs and not stop:
                order = self.samples.order(self.settings.seed, place.epoch)
                self.good = Good.of(self.module, self.params, self.state, place.batch)
                while place.batch < self.batches and not stop:
                    loss, count = self._step(order, place, record)
                    place = replace(place, batch=place.batch + 1, loss_sum=place.loss_sum + (loss if self.summed else count * loss))
                    progress.batch(place.epoch, place.batch, loss, self.accuracy)
                    if time.monotonic() - saved > every:
                        self._save(record, order, place)
                        saved = time.monotonic()
                self._trust(record.folder, order, place)
                if place.batch >= self.batches:
                    place = self._close(place, record, progress)
                self._save(record, order, place)
        return place

    def _save(self, record: Records, order: np.ndarray, place: Place) -> None:
        """Write a checkpoint of parameters that are finite."""
        self._trust(record.folder, order, place)
        here = replace(place, recorded=record.sync(), seconds=self._seconds())
        write_checkpoint(record.folder, self.module, self.params, self.state, here)

    def _seconds(self) -> float:
        """How long the run has taken, without the time between its processes."""
        return time.monotonic() - self.start

    def _step(self, order: np.ndarray, place: Place, record: Records) -> tuple[float, int]:
        """One step, and its record where one is due; answers the loss and the number of samples."""
        x, y = self.samples.batch(order, place.batch, place.epoch)
        due = place.batch % self.interval == 0
        gradients = norms(self.module.loss_and_grads(self.params, x, y, self.state)[1]) if due else {}
        if due:
            self.accuracy = float(self.module.evaluate(self.params, x, y, self.state)[1])
            if self.watch is not None:
                record.write(kind="watch", epoch=place.epoch + 1, step=self.state["step"], **self.watch.record(self.params, self.state))
            if first_broken(self.params) is None:
                self.good = Good.of(self.module, self.params, self.state, place.batch)
        loss = float(self.module.train_step(self.params, self.state, x, y))
        if not math.isfinite(loss):
            self._diverged(record.folder, order, place, f"the loss of step {self.state['step']} (epoch {place.epoch + 1}, "
                                                        f"batch {place.batch + 1}) is {loss}")
        if due:
            record.write(kind="step", epoch=place.epoch + 1, step=self.state["step"], loss=loss, **self._share(), gradient_norms=gradients,
                         seconds=round(self._seconds(), 3))
        return loss, len(x)

    def _close(self, place: Place, record: Records, progress: Progress) -> Place:
        """The end of an epoch: its record, and the place of the next."""
        loss, self.accuracy = self._evaluate()
        mean = place.loss_sum if self.summed else place.loss_sum / len(self.samples)
        record.write(kind="epoch", epoch=place.epoch + 1, step=self.state["step"], loss=mean, test_loss=loss, **self._share(),
                     seconds=round(self._seconds(), 3))
        progress.epoch(place.epoch, mean, loss, self.accuracy, self._seconds())
        return Place(place.epoch + 1)

    def _evaluate(self) -> tuple[float, float]:
        """Loss, and accuracy or R², on the test split."""
        loss, share = self.samples.mean(lambda x, y: self.module.evaluate(self.params, x, y, self.state), self.summed)
        return loss, r2_rmse(*self._pairs())[0] if self.judged == "r2" else share

    def _share(self) -> dict[str, float]:
        """The accuracy for a record, or R² beside an empty accuracy."""
        return {"accuracy": math.nan, "r2": self.accuracy} if self.judged == "r2" else {"accuracy": self.accuracy}

    def _pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """True and predicted numbers of the test split."""
        found = [(y, self.module.forward(self.params, x, self.state)) for x, y in self.samples.parts()]
        wanted, predicted = (np.concatenate(parts).astype(np.float64) for parts in zip(*found))
        return wanted, predicted

    # what breaks

    def _trust(self, folder: RunFolder, order: np.ndarray, place: Place) -> None:
        """Stop where the steps so far left parameters that are not finite, though their losses were."""
        broken = first_broken(self.params)
        if broken is not None:
            self._diverged(folder, order, replace(place, batch=place.batch - 1),
                           f"after step {self.state['step']} (epoch {place.epoch + 1}, batch {place.batch}) {broken} is not finite")

    def _diverged(self, folder: RunFolder, order: np.ndarray, place: Place, what: str) -> None:
        """Keep the last good parameters, find what broke first by going through the last steps again, and stop."""
        good = self.good
        folder.write(folder.parameters, lambda file: self.module.save(file, good.params, good.state))
        try:
            values = values_function(self.network)
        except SymbpError:
            values = None
        name, at = find_broken(self.module, good, place.batch, lambda number: self.samples.batch(order, number, place.epoch), values)
        raise DivergedError(f"{what}; the first tensor that is no finite number is {name}, in step {at}. The parameters after step "
                            f"{good.state['step']} are kept in {folder.parameters}; try a smaller learning rate")

    # the end

    def _finish(self, folder: RunFolder, done: Result, plots: bool) -> Result:
        """The trained parameters, the figures and the pictures."""
        loss, accuracy = self._evaluate()
        figures = plain({"epochs": self.settings.epochs, "steps": done.steps, "test_loss": loss, "accuracy": accuracy})
        running = self.state if self.network.starts else None
        pairs = self._pairs() if self.judged == "r2" else None
        if pairs is not None:
            r2, rmse = r2_rmse(*pairs)
            accuracy, figures = math.nan, {**figures, **plain({"accuracy": None, "r2": r2, "rmse": rmse})}
        folder.write(folder.parameters, lambda file: self.module.save(file, self.params, running))
        watched, advice = write_watched(folder, self.network, plots) if self.watch is not None else ([], [])
        matrix = None if math.isnan(accuracy) else confusion_matrix(self.module, self.params, self.state, self.samples)
        made, message = write_results(folder, figures, matrix, self.network.title or self.network.name, plots, pairs)
        files = (folder.network, folder.module, folder.settings, folder.metrics, folder.parameters, folder.checkpoint, *made, *watched)
        return replace(done, finished=True, loss=figures["test_loss"], accuracy=figures["accuracy"], r2=figures.get("r2"),
                       rmse=figures.get("rmse"), files=tuple(p.name for p in files),
                       messages=(*advice, *([message] if message else ())))
