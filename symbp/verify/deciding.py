"""Whether two arrays are equal wherever their inputs obey the facts: floats look for a difference, the prime field decides, balls confirm.

Stage: arrays at points of several kinds → a verdict with its method.  A difference is certain; agreement of floats alone is never taken
for equality.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass

import mpmath
import numpy as np
import sympy as sp

from symbp.certify.equality import decide
from symbp.errors import SymbpError
from symbp.verify.points import DIGITS, FLOAT, SYMBOL

SEEDS = (0, 1, 2)
NEAR, FAR = 1e-9, 1e-6
AGREED = 38
MOST_SINGLE = 3

Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Decision:
    """equal: None where that is not known; method: "prime field", "balls" or "identical", or why it is not known."""

    equal: bool | None
    method: str


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference of floats relative to the largest value; infinite where one side alone has no value, nan where both do."""
    a, b = np.broadcast_arrays(a, b)
    good = np.isfinite(a) & np.isfinite(b)
    if not np.all(good):
        return np.nan if np.array_equal(np.isfinite(a), np.isfinite(b)) else np.inf
    scale = max(float(np.max(np.abs(a), initial=0.0)), float(np.max(np.abs(b), initial=0.0)), 1e-9)
    return float(np.max(np.abs(a - b), initial=0.0)) / scale


def exactly(
    pairs: Callable[[str, int], list[Pair]], positive: Callable[[int], Collection[sp.Expr]], seeds: Collection[int] = (0,)
) -> Decision:
    """Decide whether the pairs of `pairs(kind, seed)` are equal: as expressions where these are not too large, else to 38 digits."""
    methods = []
    for seed in seeds:
        try:
            found = _by_expressions(pairs(SYMBOL, seed), positive(seed), seed)
        except (SymbpError, RecursionError, MemoryError) as error:
            found = Decision(None, str(error))
        if found.equal is False:
            return found
        methods.append(found)
    if all(m.equal for m in methods):
        return Decision(True, methods[0].method)
    return _by_digits(pairs)


def _by_expressions(pairs: list[Pair], positive: Collection[sp.Expr], seed: int) -> Decision:
    rest = []
    for a, b in pairs:
        a, b = np.broadcast_arrays(a, b)
        rest += [(sp.sympify(x), sp.sympify(y)) for x, y in zip(a.flat, b.flat) if x != y]
    if not rest:
        return Decision(True, "identical")
    if len(rest) > MOST_SINGLE:
        rng = random.Random(seed)
        weights = [sp.Integer(rng.randint(2, 97)) for _ in rest]
        together = (sp.Add(*(w * x for w, (x, _) in zip(weights, rest))), sp.Add(*(w * y for w, (_, y) in zip(weights, rest))))
        verdict = decide(*together, positive=positive, seed=seed)
        if verdict.equal is not None:
            return Decision(verdict.equal, verdict.method)
        rest = rest[: 2 * MOST_SINGLE]
    verdicts = [decide(x, y, positive=positive, seed=seed) for x, y in rest]
    if any(v.equal is False for v in verdicts):
        return Decision(False, next(v.method for v in verdicts if v.equal is False))
    if all(v.equal for v in verdicts):
        return Decision(True, "balls" if any(v.method == "balls" for v in verdicts) else "prime field")
    return Decision(None, next(v.reason for v in verdicts if v.equal is None))


def _by_digits(pairs: Callable[[str, int], list[Pair]]) -> Decision:
    try:
        with mpmath.workdps(60):
            for seed in SEEDS:
                for a, b in pairs(DIGITS, seed):
                    for x, y in zip(*(z.flat for z in np.broadcast_arrays(a, b))):
                        gap = abs(x - y)
                        if not gap <= max(1, abs(x), abs(y)) * mpmath.mpf(10) ** -AGREED:
                            return Decision(False, "60 digits")
    except (SymbpError, ArithmeticError, ValueError, TypeError) as error:
        return Decision(None, f"not decided: {error}")
    return Decision(True, "balls")


__all__ = ["DIGITS", "FLOAT", "SYMBOL", "Decision", "difference", "exactly"]
