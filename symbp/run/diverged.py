"""A run whose numbers broke: the last good copy, and the tensor that was the first to hold something else than finite numbers."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from symbp.run.checkpoint import kept
from symbp.run.metrics import first_broken

Arrays = dict[str, np.ndarray]
Batch = Callable[[int], tuple[np.ndarray, np.ndarray]]
Values = Callable[[Arrays, np.ndarray, np.ndarray, dict[str, Any]], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Good:
    """Parameters and state before a batch of the epoch, copied; the parameters are finite.

    batch: the number of the batch that comes next.
    """

    batch: int
    params: Arrays
    state: dict[str, Any]

    @classmethod
    def of(cls, module: ModuleType, params: Arrays, state: dict[str, Any], batch: int) -> Good:
        """Copy what a step changes; the buffers of a step are no part of it."""
        copied = {k: {n: a.copy() for n, a in v.items()} if k in kept(module) else v for k, v in state.items()}
        return cls(batch, {k: v.copy() for k, v in params.items()}, {**copied, "workspaces": {}})


def find_broken(module: ModuleType, good: Good, last: int, batch: Batch, values: Values | None) -> tuple[str, int]:
    """The first tensor that broke, and the step: the steps from the good copy to batch `last` are taken once more.

    batch: inputs and targets of a batch by its number.  values: every tensor of a step in order by name; None if unknown.
    """
    params, state = {k: v.copy() for k, v in good.params.items()}, Good.of(module, good.params, good.state, good.batch).state
    for number in range(good.batch, last + 1):
        x, y = batch(number)
        found = {} if values is None else values(params, x, y, state)
        broken = first_broken({"x": x, **found})
        if broken is not None:
            return broken, state["step"] + 1
        module.train_step(params, state, x, y)
        broken = first_broken(params)
        if broken is not None:
            return broken, state["step"]
    return next(iter(params)), state["step"]
