"""The forms in which two sides of a formula may be compared: a vector as row or column, a derivative laid out transposed, one side with
indices and the other without."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from symbp.verify.linear import Linear
from symbp.verify.shapes import Unfit, Value, aligned

if TYPE_CHECKING:
    from symbp.verify.meaning import Reading

TURNED = "the derivative is laid out transposed"
STORED = "one side is laid out transposed"
ELEMENTS = "each element is meant where indices stand on one side only"
Pairs = dict[str, tuple[np.ndarray, np.ndarray]]


def pairs(left: Value | Linear, right: Value | Linear, reading: Reading, derivative: bool, laid_out: bool = False) -> Pairs:
    """For each convention (the empty one first) the two arrays that are equal if the formula is right.

    laid_out: the right side has derivatives with a layout, which is then the left side's too.

    Raises `Unfit`, with the arithmetic, where there is none.
    """
    if isinstance(left, Linear) and isinstance(right, Linear):
        if left.array.shape == right.array.shape and left.of_rank == right.of_rank:
            return {"": (left.array, right.array)}
        return pairs(left, right.value(reading.rows, reading.transposed), reading, derivative, laid_out)
    if isinstance(right, Linear):
        return {note: (b, a) for note, (a, b) in pairs(right, left, reading, derivative, laid_out).items()}
    if not isinstance(left, Linear):
        return _matched(left, right, derivative, laid_out)
    found: Pairs = {}
    shown = None
    for form, note in left.forms(reading.rows, reading.transposed, laid_out):
        shown = shown or form
        if form.shape == right.shape:
            found.setdefault(note, _arrays(form, right))
        elif form.shape == right.shape[::-1] and form.is_vector:
            found.setdefault(note, _arrays(form, right.turned))
        elif right.is_number and note.startswith("the derivative of each") and not form.is_number:
            found.setdefault(note, _arrays(form, right))
        elif right.letters and (made := _elements(form, right)):
            found.setdefault(ELEMENTS, made)
    if not found:
        if shown is None:
            raise Unfit(
                f"a derivative with {left.array.ndim} axes beside a matrix of {right.shape[0]}×{right.shape[1]}; write it with indices"
            )
        raise _unfit(shown, right)
    return found


def _matched(left: Value, right: Value, derivative: bool, laid_out: bool) -> Pairs:
    found: Pairs = {}
    if left.shape == right.shape:
        found[""] = _arrays(left, right)
    if left.shape == right.shape[::-1] and left.is_vector:
        found.setdefault("", _arrays(left, right.turned))
    elif left.shape == right.shape[::-1] and not left.is_number and not (laid_out and derivative):
        found[TURNED if derivative else STORED] = _arrays(left, right.turned)
    extra = {*left.letters} ^ {*right.letters}
    if not found and extra and (made := _elements(left, right)):
        found[ELEMENTS] = made
    if not found:
        raise _unfit(left, right)
    return found


def _arrays(a: Value, b: Value) -> tuple[np.ndarray, np.ndarray]:
    _, (x, y) = aligned(a, b)
    return x, y


def _elements(a: Value, b: Value) -> tuple[np.ndarray, np.ndarray] | None:
    """One side's letters beside the other's axes, where there is one way only to fit them."""
    if a.letters and not b.letters:
        made = _elements(b, a)
        return (made[1], made[0]) if made else None
    axes = [n for n in a.shape if n > 1]
    extra = [k for k in b.letters if k not in a.letters]
    if a.letters or not b.is_number or len(axes) != len(extra):
        return None
    array = b.array.reshape(b.array.shape[:-2])
    fits = [np.transpose(array, order) for order in itertools.permutations(range(len(extra))) if [array.shape[k] for k in order] == axes]
    return (a.array.reshape(axes), fits[0]) if len(fits) == 1 else None


def _unfit(a: Value, b: Value) -> Unfit:
    return Unfit(f"the left side is {a.shape[0]}×{a.shape[1]}, the right side {b.shape[0]}×{b.shape[1]}")
