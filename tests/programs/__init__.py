"""Programs as equations, for tests of the calculus and of the passes; `CASES` names one instance of each."""
from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from programs.case import Case, normals
from programs.layers import BODIES, attention, embedding, layer_norm, mlp, scalar_body, tied
from programs.loops import bidirectional, deep, lstm, running_max
from programs.losses import from_lse, integer_targets, one_hot, smoothed, variance
from programs.windows import avg_pool, conv, max_pool, two_guards, window_lse

CASES: dict[str, Callable[[], Case]] = {
    "conv2d": conv,
    "conv1d": lambda: conv(channels=3, filters=3, sizes=(7,), kernel=(3,), stride=(2,), pads=((2, 1),), dilation=(2,), groups=3),
    "max_pool2d": max_pool,
    "max_pool1d": lambda: max_pool(sizes=(6,), kernel=(3,), stride=(2,), pads=((1, 2),)),
    "avg_pool2d": avg_pool,
    "avg_pool1d counting the padding": lambda: avg_pool(sizes=(6,), kernel=(3,), stride=(2,), pad=(1,), count_pad=True),
    "window log-sum-exp": window_lse,
    "two guards": two_guards,
    "cross-entropy one-hot": one_hot,
    "cross-entropy with temperature": lambda: one_hot(temperature=sp.Rational(3, 2)),
    "cross-entropy with integer targets": integer_targets,
    "cross-entropy from log-sum-exp": from_lse,
    "cross-entropy with label smoothing": smoothed,
    "variance": variance,
    "mlp tanh": mlp,
    "mlp relu": lambda: mlp(activation="relu"),
    "mlp gelu": lambda: mlp(activation="gelu"),
    "tied weights and residual": tied,
    "layer norm": layer_norm,
    "embedding": embedding,
    "causal attention": attention,
    "lstm": lstm,
    "bidirectional": bidirectional,
    "maximum in a loop": running_max,
    "symbolic depth": deep,
    **{f"body {name}": (lambda name=name: scalar_body(name)) for name in BODIES},
}

TIED: dict[str, Callable[[], Case]] = {
    "max_pool2d": lambda: max_pool(ties=True),
    "max_pool1d": lambda: max_pool(sizes=(6,), kernel=(3,), stride=(2,), pads=((1, 2),), ties=True),
    "maximum in a loop": lambda: running_max(ties=True),
}

__all__ = [
    "BODIES",
    "CASES",
    "TIED",
    "Case",
    "attention",
    "avg_pool",
    "bidirectional",
    "conv",
    "deep",
    "embedding",
    "from_lse",
    "integer_targets",
    "layer_norm",
    "lstm",
    "max_pool",
    "mlp",
    "normals",
    "one_hot",
    "running_max",
    "scalar_body",
    "smoothed",
    "tied",
    "two_guards",
    "variance",
    "window_lse",
]
