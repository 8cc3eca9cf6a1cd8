"""When a claim's number is calculated: before which step, and for which sample.

Stage: claim → visits.  A step takes the next rows of the samples, in turn; a claim may ask for another sample, or for a mean.
"""
from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from symbp.language.program import Program
from symbp.language.tensor import names_read
from symbp.suggest import nearest
from symbp.verify.claimfile import Claim, Text


class Visit(NamedTuple):
    """Before step `step`, counted from 0, for the sample that this step takes, or for another."""

    step: int
    sample: int | None = None


def visits_of(text: Text, claim: Claim, lag: int) -> tuple[str, list[Visit]]:
    """Why there are none, or where a claim's number is calculated; `lag`: 1 for what a step itself calculates."""
    after = claim.after if claim.epochs is None else claim.epochs * text.epoch
    if not text.samples and (claim.sample is not None or claim.mean or claim.epochs is not None):
        return 'that needs samples = ["x", "y"] in [network]: the values that have a row for each sample', []
    if after < lag:
        return "that is calculated in a step; say after how many, such as after = 1", []
    if claim.mean == "epoch":
        if after < text.epoch:
            return "the mean over an epoch needs epochs = 1 or more", []
        return "", [Visit(after - text.epoch + k) for k in range(text.epoch)]
    if claim.mean == "samples":
        return "", [Visit(after - lag, k) for k in range(text.epoch)]
    if claim.sample is not None and (text.batch > 1 or claim.sample >= text.epoch):
        return f"there are {text.epoch} samples, counted from 0, one for each step; sample = {claim.sample} is none of them", []
    return "", [Visit(after - lag, claim.sample)]


def rows_of(text: Text, visit: Visit, keep: Mapping[str, Any] | None = None) -> dict[str, np.ndarray]:
    """The text's values that a visit reads, the samples' rows among them; `keep`: names that have other values by now."""
    found = {name: value for name, value in text.values.items() if name not in (keep or {})}
    at = (visit.step if visit.sample is None else visit.sample) % text.epoch
    rows = slice(at * text.batch, (at + 1) * text.batch) if text.batch else at
    return found | {name: np.asarray(text.values[name][rows], dtype=object) for name in text.samples}


def needs(text: Text, program: Program, given: Collection[str]) -> str:
    """What a program needs and has not; "" where it has all."""
    missing = sorted({t.name for t in program.inputs} - {*given})
    if missing:
        read = names_read(e for equation in text.program.equations for e in equation.expressions)
        unused = [name for name in text.values if name not in read]
        return f"[values] has no value for {', '.join(missing)}, which this number needs{nearest(missing[0], unused) if unused else ''}"
    unknown = next((s.name for s in program.sizes if s.name not in text.sizes), None)
    return f"the extent {unknown} of an index is unknown; add values that tell it to [values]" if unknown else ""
