"""The layouts in which a person's code may want its arrays, and whether an answer is the right one in some layout.

A way says how parameters, samples and classes are laid out.  Vectors as columns or rows change nothing that is claimed; what else is
not the text's own layout is a condition that a verdict names.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from symbp.certify.sample import constraint
from symbp.errors import LanguageError
from symbp.language.program import Program
from symbp.language.tensor import Tensor

EQUAL = 1e-6
"""Two arrays are equal when they differ by less than this part of the largest element."""
NOTHING = 1e-12


@dataclass(frozen=True)
class Way:
    """One way to lay arrays out.

    vectors: "flat", "column" or "row".  stored: whether matrices of parameters are turned.  columns: whether samples are
    columns.  labels: whether rows of zeros and a one are given as the number of the class.  instead: (argument, tensor) that it is
    given in the place of its own.
    """

    vectors: str = "flat"
    stored: bool = False
    columns: bool = False
    labels: bool = False
    instead: tuple[str, str] | None = None

    @property
    def conditions(self) -> tuple[str, ...]:
        """What a verdict names: the layouts that are not the text's own."""
        said = ((self.stored, "matrices of parameters are stored the other way round (transposed)"), (self.columns, "samples are columns"),
                (self.labels, "the target is given as numbers of classes"),
                (self.instead is not None, f"{self.instead and self.instead[0]} is {self.instead and self.instead[1]}"))
        return tuple(text for holds, text in said if holds)

    def laid(self, array: np.ndarray, tensor: Tensor | None, program: Program) -> np.ndarray:
        """An array of a tensor's shape in this layout."""
        if tensor is None or array.dtype.kind == "O":
            return array
        if self.labels and array.ndim == 2 and is_one_hot(program, tensor):
            return np.argmax(array, axis=1)
        if self.columns and array.ndim == 2 and has_samples(tensor):
            return array.T
        if self.stored and array.ndim == 2 and tensor.role == "parameter":
            return array.T
        if array.ndim < 2 and self.vectors != "flat" and not (array.ndim == 0 and not tensor.shape and tensor.role == "constant"):
            return array.reshape((-1, 1) if (self.vectors == "column") != (self.columns and has_samples(tensor)) else (1, -1))
        return array


def has_samples(tensor: Tensor) -> bool:
    """Whether the first axis counts samples, of which there are N."""
    return bool(tensor.shape) and tensor.shape[0].is_Symbol


def is_one_hot(program: Program, tensor: Tensor) -> bool:
    """Whether the rows of an input are zeros and a one, by the facts."""
    try:
        rule = constraint(program, tensor)
    except LanguageError:
        return False
    return rule.simplex and rule.binary


def ways(program: Program, given: Sequence[Tensor]) -> Iterator[Way]:
    """The ways that differ for these tensors, the text's own first."""
    flats = ("flat", "column", "row") if any(len(t.shape) < 2 for t in given) else ("flat",)
    options = (flats, _choice(len(t.shape) == 2 and t.role == "parameter" for t in given),
               _choice(len(t.shape) == 2 and has_samples(t) for t in given), _choice(is_one_hot(program, t) for t in given))
    found = [Way(*chosen) for chosen in product(*options)]
    yield from sorted(found, key=lambda way: (len(way.conditions), flats.index(way.vectors)))


def _choice(possible: Iterator[bool]) -> tuple[bool, ...]:
    return (False, True) if any(possible) else (False,)


@dataclass(frozen=True)
class Fit:
    """How an answer compares with what is right, over all points: "right", "turned", "ratio", "shape" or "wrong".

    ratio: the number that the answer is times the right one, where it is.  note: what a shape should be.
    """

    kind: str
    ratio: float | None = None
    note: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


def fit(found: Sequence[Any], wanted: Sequence[np.ndarray]) -> Fit:
    """Compare answers with what is right, one of each for every point.

    >>> w = np.array([[1., 2., 3.], [4., 5., 6.]])
    >>> fit([w], [w]).kind, fit([w.T], [w]).kind, fit([-w], [w]).ratio, fit([w[:1]], [w]).note
    ('right', 'turned', -1.0, 'it has the shape (1, 3), the right one has (2, 3)')
    """
    if not all(isinstance(f, np.ndarray) for f in found):
        return Fit("shape", note="it is no array of numbers" if found[0] is not None else "nothing is returned here")
    straight = [_shaped(f, w) for f, w in zip(found, wanted)]
    turned = [_shaped(f, w.T) for f, w in zip(found, wanted)] if wanted[0].ndim == 2 else [None]
    if all(f is not None and same(f, w) for f, w in zip(straight, wanted)):
        return Fit("right")
    if all(f is not None and same(f, w.T) for f, w in zip(turned, wanted)):
        return Fit("turned")
    if any(f is None for f in straight) and any(f is None for f in turned):
        return Fit("shape", note=f"it has the shape {found[0].shape}, the right one has {wanted[0].shape}")
    for kind, sides in (("ratio", zip(straight, wanted)), ("ratio turned", zip(turned, (w.T for w in wanted)))):
        pairs = list(sides)
        ratios = [_ratio(f, w) for f, w in pairs] if all(f is not None for f, _ in pairs) else [None]
        if None not in ratios and np.ptp(ratios) <= EQUAL * abs(ratios[0]):
            return Fit(kind, ratios[0])
    return Fit("wrong")


def _shaped(found: np.ndarray, wanted: np.ndarray) -> np.ndarray | None:
    """The answer in the shape of the right one, axes of length 1 apart."""
    plain = [tuple(n for n in a.shape if n != 1) for a in (found, wanted)]
    return found.reshape(wanted.shape) if plain[0] == plain[1] else None


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays of one shape are equal up to rounding."""
    scale = max(float(np.max(np.abs(a), initial=0.0)), float(np.max(np.abs(b), initial=0.0)))
    return bool(np.all(np.isfinite(a)) and np.max(np.abs(a - b), initial=0.0) <= EQUAL * scale + NOTHING)


def _ratio(found: np.ndarray, wanted: np.ndarray) -> float | None:
    """The number that one array is times the other, or None."""
    square = float(np.sum(wanted * wanted))
    ratio = float(np.sum(found * wanted)) / square if square > NOTHING**2 else 0.0
    return ratio if ratio and np.isfinite(ratio) and same(found, ratio * wanted) else None
