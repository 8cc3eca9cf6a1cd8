"""What a run trains on: inputs and targets of both splits, checked against the network, and the batches of an epoch."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from symbp import data
from symbp.data.characters import load_text
from symbp.data.sources import to_stderr
from symbp.emit import data_tensors
from symbp.errors import RunError
from symbp.language.tensor import Tensor
from symbp.network import Network
from symbp.run.settings import RunSettings

EVALUATED = 2048
"""Samples that are evaluated at a time."""


@dataclass(frozen=True, eq=False)
class Samples:
    """The samples of a run.

    x, y: inputs (N, *shape) and targets (N, K) or (N,) by split.  size: samples in a batch.  digest: of the data set.
    share: an epoch goes through one of so many samples, drawn anew each time: the windows of a text overlap.
    Raises `RunError` for a batch that is larger than the data, and `RunError` for inputs that are no finite numbers.
    """

    name: str
    x: dict[str, np.ndarray]
    y: dict[str, np.ndarray]
    size: int
    digest: str = ""
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

    def batch(self, order: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of a batch of an epoch's order; they lie in buffers that the next call fills anew."""
        chosen = order[number * self.size:(number + 1) * self.size]
        if self.share > 1:
            return self.x["train"][chosen], self.y["train"][chosen]
        x, y = (np.take(a["train"], chosen, axis=0, out=b[:len(chosen)], mode="clip") for a, b in zip((self.x, self.y), self.buffers))
        return x, y

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
    found = data.load(settings.data, settings.data_dir)
    shape = tuple(int(e) for e in x.shape[1:])
    whole = y.dtype == "int"
    if not whole and (len(y.shape) != 2 or y.shape[1] == 1):
        raise RunError(f"the target {y.name} has the shape {y.shape}, but the labels of {found.name} are classes; give the network "
                       f"[target] classes = {found.classes}")
    classes = int(network.program.tensor(network.output).shape[-1]) if whole and network.output else None if whole else int(y.shape[1])
    encoding = "integer" if whole else "one_hot"
    return Samples(found.name, {s: found.inputs(s, shape, settings.dtype) for s in ("train", "test")},
                   {s: found.targets(s, encoding, classes, settings.dtype) for s in ("train", "test")}, settings.batch_size, found.digest())


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
                   text.digest(), length)
