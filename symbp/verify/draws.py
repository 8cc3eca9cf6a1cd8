"""Values that a text draws from NumPy's legacy generator: np.random.seed(1), then 2*np.random.random((3, 1)) - 1.

    w = { seed = 1, draw = "2*random - 1", shape = [3, 1] }
    v = { after = "w", draw = "0.01*randn", shape = [4] }      goes on in the stream that w came from

Nothing is evaluated: the draw is an expression of the language of formulas over one name of a fixed list.
"""
from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from symbp.interpret import interpret
from symbp.language.equation import Equation
from symbp.language.index import Index
from symbp.language.parse import parse_expression
from symbp.language.program import Program
from symbp.language.scope import Scope
from symbp.language.tensor import Tensor
from symbp.settings import Count, Identifier, NetworkError, Settings
from symbp.suggest import nearest

MOST_NUMBERS = 1_000_000
UNIFORM, NORMAL = ("random", "rand", "uniform", "random_sample"), ("randn", "standard_normal", "normal")


class Draw(Settings):
    """One draw.  seed starts a stream, after goes on in that of another value; exactly one of them is given."""

    draw: Annotated[str, Field(max_length=200)]
    shape: Annotated[list[Count], Field(max_length=8)] = Field(default_factory=list)
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    after: Identifier | None = None


def drawn(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """The values of all draws, each an exact fraction: the double that NumPy makes.

    >>> drawn({"w": {"seed": 1, "draw": "2*random - 1", "shape": [2]}})["w"].astype(float).tolist()
    [-0.165955990594852, 0.4406489868843162]
    """
    draws = {name: Draw(**table) for name, table in tables.items()}
    streams: dict[str, np.random.RandomState] = {}
    found: dict[str, np.ndarray] = {}
    while len(found) < len(draws):
        ready = next((n for n, d in draws.items() if n not in found and (d.after is None or d.after in found)), None)
        if ready is None:
            stuck = next(n for n in draws if n not in found)
            raise NetworkError(f"{stuck} is drawn after {draws[stuck].after!r}, which is no draw before it{nearest('', draws)}")
        streams[ready] = _stream(ready, draws[ready], streams)
        found[ready] = _numbers(draws[ready], streams[ready])
    return found


def _stream(name: str, draw: Draw, streams: Mapping[str, np.random.RandomState]) -> np.random.RandomState:
    if (draw.seed is None) == (draw.after is None):
        raise NetworkError(f'{name} has either a seed, {name} = {{ seed = 1, draw = "randn", shape = [3] }}, or comes after another draw')
    return np.random.RandomState(draw.seed) if draw.after is None else streams[draw.after]


def _numbers(draw: Draw, stream: np.random.RandomState) -> np.ndarray:
    count = math.prod(draw.shape)
    if count > MOST_NUMBERS:
        raise NetworkError(f"a draw of the shape {draw.shape} has more than {MOST_NUMBERS:,} numbers")
    names = [n for n in (*UNIFORM, *NORMAL) if _reads(draw.draw, n)]
    if len(names) != 1:
        raise NetworkError(f"the draw {draw.draw!r} names {len(names)} of {', '.join((*UNIFORM, *NORMAL))}; it names one of them")
    raw = stream.random_sample(count) if names[0] in UNIFORM else stream.standard_normal(count)
    i = Index("i", max(count, 1))
    source, target = Tensor(names[0], (count,), role="input"), Tensor("drawn", (count,))
    scalar = Tensor(names[0], role="input")
    body = parse_expression(draw.draw, Scope({names[0]: scalar})).xreplace({scalar[()]: source[i]})
    program = Program((source, target), (Equation(target[i], body),))
    values = interpret(program, {names[0]: raw})["drawn"].reshape(draw.shape)
    return np.array([Fraction(float(v)) for v in values.flat] or [Fraction(0)], dtype=object).reshape(draw.shape)


def _reads(text: str, name: str) -> bool:
    import re
    return re.search(rf"(?<![\w.]){name}(?!\w)", text) is not None
