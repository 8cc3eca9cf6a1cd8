"""What a run trains on: inputs and targets of both splits, checked against the network, and the batches of an epoch."""
from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from symbp import data
from symbp.data.characters import load_text
from symbp.data.prepare import Augmenter, Preparation
from symbp.data.sources import to_stderr
from symbp.data.table import read_table
from symbp.data.text import about
from symbp.errors import RunError
from symbp.language.tensor import Tensor
from symbp.module_data import data_tensors
from symbp.module_text import N
from symbp.network import Network
from symbp.run.settings import RunSettings

EVALUATED = 2048
"""Samples that are evaluated at a time."""


@dataclass(frozen=True, eq=False)
class Samples:
    """The samples of a run.

    x, y: inputs (N, *shape) and targets (N, K) or (N,) by split.  size: samples in a batch.  digest: of the data set
    and its preparation.  augmenter: what changes images at random.  share: an epoch goes through one of so many samples,
    drawn anew each time: the windows of a text overlap.
    Raises `RunError` for a batch that is larger than the data, and `RunError` for inputs that are no finite numbers.
    """

    name: str
    x: dict[str, np.ndarray]
    y: dict[str, np.ndarray]
    size: int
    digest: str = ""
    augmenter: Augmenter | None = None
    share: int = 1
    buffers: tuple[np.ndarray, np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        x, y = self.x["train"], self.y["train"]
        if self.size > len(self):
            raise RunError(f"a batch of {self.size:,} samples is larger than the {len(self):,} samples of {self.name} to train on; "
                           "make batch_size smaller")
        for split, values in self.x.items():
            if values.dtype.kind == "f":
                check_finite(f"{split}_x of {self.name}", values)
        for split, targets in self.y.items():
            if targets.dtype.kind == "f":
                check_finite(f"{split}_y of {self.name}", targets)
        object.__setattr__(self, "buffers", tuple(np.empty((self.size, *a.shape[1:]), a.dtype) for a in (x, y)))

    def __len__(self) -> int:
        return len(self.x["train"]) // self.share

    def order(self, seed: int, epoch: int) -> np.ndarray:
        """The samples of an epoch, in the order in which they are trained on."""
        return np.random.default_rng([seed, epoch]).permutation(len(self.x["train"]))[:len(self)]

    @property
    def batches(self) -> int:
        """How many batches an epoch has; the last one may be smaller."""
        return -(-len(self) // self.size)

    def batch(self, order: np.ndarray, number: int, epoch: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of a batch of an epoch's order; they lie in buffers that the next call fills anew."""
        chosen = order[number * self.size:(number + 1) * self.size]
        if self.share > 1:
            return self.x["train"][chosen], self.y["train"][chosen]
        x, y = (np.take(a["train"], chosen, axis=0, out=b[:len(chosen)], mode="clip") for a, b in zip((self.x, self.y), self.buffers))
        if self.augmenter is not None:
            x[:] = self.augmenter.batch(chosen, epoch, number)
        return x, x if self.y["train"] is self.x["train"] else y

    def parts(self, split: str = "test") -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """A split in order, in parts that fit the cache."""
        x, y = self.x[split], self.y[split]
        size = max(1, EVALUATED // (y.shape[1] if y.dtype.kind != "f" and y.ndim > 1 else 1))
        return ((x[k:k + size], y[k:k + size]) for k in range(0, len(x), size))

    def mean(self, found: Callable[[np.ndarray, np.ndarray], tuple[float, float]], summed: bool) -> tuple[float, float]:
        """Loss and accuracy over the test split from those of its parts; summed: a batch's loss is a sum and no mean."""
        parts = [(len(x), *map(float, found(x, y))) for x, y in self.parts()]
        count = sum(n for n, *_ in parts)
        loss = sum(loss for _, loss, _ in parts) if summed else sum(n * loss for n, loss, _ in parts) / count
        return loss, sum(n * share for n, _, share in parts) / count


def check_finite(what: str, values: np.ndarray) -> None:
    """Raise `RunError` for the first sample that holds something else than finite numbers.

    >>> check_finite("train_x", np.array([[1.0], [np.nan]]))
    Traceback (most recent call last):
    symbp.errors.RunError: train_x holds nan in sample 1 (counted from 0); a network is trained on finite numbers
    """
    total = values.sum(dtype=np.float64) if values.size else 0.0
    if np.isfinite(total):
        return
    rows = values.reshape(len(values), -1)
    bad = ~np.isfinite(rows).all(axis=1)
    if bad.any():
        at = int(bad.argmax())
        value = rows[at][~np.isfinite(rows[at])][0]
        raise RunError(f"{what} holds {value} in sample {at:,} (counted from 0); a network is trained on finite numbers")


def read_samples(network: Network, settings: RunSettings) -> Samples:
    """Load the data of a run.  Raises `SymbpError` where they do not fit the network: shapes, labels, the batch's size."""
    x, y = data_tensors(network)
    if x.dtype == "int":
        return _windows(network, settings, x, y)
    own, shape = network.extras.get("data"), tuple(int(e) for e in x.shape[1:])
    if own is not None and own.file is not None and settings.data == own.name:
        return _of_table(network, settings, shape, y)
    found, how = data.load(settings.data, settings.data_dir), _preparation(network)
    inputs = {s: found.inputs(s, shape, settings.dtype, how.scale) for s in ("train", "test")}
    read = Samples(found.name, inputs, inputs if network.reconstructs else _labels(network, settings, found, y), settings.batch_size,
                   _digest(found.digest(), how), Augmenter(found, how, shape, settings.dtype, settings.seed) if how.random else None)
    check_sizes(network, read)
    return read


def _labels(network: Network, settings: RunSettings, found: data.Dataset, y: Tensor) -> dict[str, np.ndarray]:
    """The targets of both splits of a set of images.  Raises `RunError` where the network's target is no class."""
    whole = y.dtype == "int"
    one = not whole and len(y.shape) == 2 and y.shape[1] == 1 and found.classes == 2
    if not whole and not one and (len(y.shape) != 2 or y.shape[1] == 1):
        raise RunError(f"the target {y.name} has the shape {y.shape}, but the labels of {found.name} are classes; give the network "
                       f"[target] classes = {found.classes}")
    with about(settings.data_dir or found.name):
        return {s: found.targets(s, *_classes(network, y), settings.dtype) for s in ("train", "test")}


def check_sizes(network: Network, samples: Samples) -> None:
    """Raise `RunError` for a batch of a size that the network's facts rule out: one sample is too few for a batch norm."""
    last = len(samples) - (samples.batches - 1) * samples.size
    for count in (samples.size, last):
        if any(condition.subs(N, count) < 0 for condition in network.program.size_facts if condition.free_symbols == {N}):
            facts = ", ".join(str(f) for f in network.program.facts if not f.tensors and not f.over)
            where = "each batch" if count == samples.size else f"the last batch of an epoch of {len(samples):,} samples"
            raise RunError(f"{where} has {count} sample{'s' * (count != 1)}, but the network is trained with {facts}; "
                           "take another batch_size")


def _of_one_column(network: Network, target: str) -> str:
    """How two classes are encoded in one column: −1 and 1 where the network's facts say so, else 0 and 1."""
    signed = any(target in f.tensors and f.left.is_Pow and f.right == 1 for f in network.program.facts)
    return "signed" if signed else "binary"


def _classes(network: Network, y: Tensor) -> tuple[str, int | None]:
    """How classes are encoded, and how many the network tells apart."""
    if y.dtype == "int":
        return "integer", int(network.program.tensor(network.output).shape[-1]) if network.output else None
    if y.shape[1:] == (1,):
        return _of_one_column(network, y.name), None
    return "one_hot", int(y.shape[1])


def _of_table(network: Network, settings: RunSettings, shape: tuple[int, ...], y: Tensor) -> Samples:
    """The rows of a CSV file, which lies in the folder of the network file; what was found in it is said on stderr."""
    own = network.extras["data"]
    found = read_table(Path(settings.data_dir or ".") / own.file, own.reading(), own.name)
    for sentence in found.report:
        to_stderr(f"{own.file}: {sentence}")
    inputs = {s: found.inputs(s, shape, settings.dtype) for s in ("train", "test")}
    if network.reconstructs:
        return Samples(own.name, inputs, inputs, settings.batch_size, found.digest())
    rows = tuple(int(e) for e in y.shape[1:])
    if not found.classes and (y.dtype == "int" or math.prod(rows) != 1):
        raise RunError(f"the column {found.target} of {own.file} holds one number for each row, but the target {y.name} of the network has "
                       f"the shape {y.shape}; write [target] shape = [1], and a last layer with units = 1")
    if found.classes and y.dtype != "int" and rows in ((), (1,)):
        raise RunError(f"the column {found.target} of {own.file} holds {found.classes} classes ({', '.join(found.labels[:8])}), but the "
                       f"target {y.name} of the network is one number; write [target] classes = {found.classes}")
    how = _classes(network, y) if found.classes else ("one_hot", None)
    answers = {s: found.targets(s, *how, settings.dtype) for s in ("train", "test")}
    return Samples(own.name, inputs, {s: a if found.classes else a.reshape(len(a), *rows) for s, a in answers.items()},
                   settings.batch_size, found.digest())


def _preparation(network: Network) -> Preparation:
    """What the network file says about scale, flips and crops."""
    own = network.extras.get("data")
    return Preparation(own.scale, own.flip, own.crop) if own else Preparation()


def _digest(digest: str, how: Preparation) -> str:
    """The digest of data that are prepared in this way; that of the data where it is the usual one."""
    return digest if how == Preparation() else hashlib.sha256(f"{digest} {how}".encode()).hexdigest()


def _windows(network: Network, settings: RunSettings, x: Tensor, y: Tensor) -> Samples:
    """The windows of a text; those to validate on lie side by side."""
    text = load_text(settings.data, settings.data_dir, to_stderr)
    known = next(int(f.right) + 1 for f in network.program.facts if f.relation == "<=" and x.name in f.tensors)
    if len(x.shape) != 2 or y.shape != x.shape or y.dtype != "int":
        raise RunError(f"a network that learns a text has an input [T] of tokens and as many targets that are integers, but the input "
                       f"has the shape {list(x.shape[1:])} and the target {list(y.shape[1:])}")
    if len(text.vocabulary) > known:
        raise RunError(f"the text {text.name} has {len(text.vocabulary)} different characters, but the network's input has tokens = "
                       f"{known}; make tokens and classes {len(text.vocabulary)}")
    length = int(x.shape[1])
    parts = {"train": text.windows("train", length), "test": text.windows("test", length, length)}
    return Samples(text.name, {s: p[0] for s, p in parts.items()}, {s: p[1] for s, p in parts.items()}, settings.batch_size,
                   text.digest(), share=length)
