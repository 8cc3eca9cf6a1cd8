"""The arrays that a network is trained on and tested with, checked against its equations."""
from __future__ import annotations

import numpy as np

from symbp import data
from symbp.emit import data_tensors
from symbp.errors import RunError
from symbp.network import Network
from symbp.run.settings import RunSettings


def samples(network: Network, settings: RunSettings) -> dict[str, np.ndarray]:
    """Inputs and targets of both splits, checked against the network."""
    x, y = data_tensors(network)
    found = data.load(settings.data, settings.data_dir)
    shape = tuple(int(e) for e in x.shape[1:])
    whole = y.dtype == "int"
    if not whole and (len(y.shape) != 2 or y.shape[1] == 1):
        raise RunError(f"the target {y.name} has the shape {y.shape}, but the labels of {found.name} are classes; give the network "
                       f"[target] classes = {found.classes}")
    classes = int(network.program.tensor(network.output).shape[-1]) if whole and network.output else None if whole else int(y.shape[1])
    arrays = {}
    for split in ("train", "test"):
        arrays[f"{split}_x"] = found.inputs(split, shape, settings.dtype)
        arrays[f"{split}_y"] = found.targets(split, "integer" if whole else "one_hot", classes, settings.dtype)
    if settings.batch_size > len(arrays["train_x"]):
        raise RunError(f"a batch of {settings.batch_size:,} samples is larger than the {len(arrays['train_x']):,} samples of {found.name} "
                       "to train on; make batch_size smaller")
    return arrays
