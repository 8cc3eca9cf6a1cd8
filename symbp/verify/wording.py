"""How a claim words what it is of: an element z[0], a derivative dJ/dw[0,1], or an expression with such in it."""
from __future__ import annotations

import re
from dataclasses import dataclass

from symbp.errors import LanguageError

NAME = r"[A-Za-z_][A-Za-z0-9_.]*"
ELEMENT = re.compile(rf"\s*(?P<name>{NAME})\s*(?:\[(?P<at>[\d,\s]*)\])?\s*")
QUOTIENT = re.compile(rf"\s*[d∂]\s*(?P<of>{NAME}\s*(?:\[[\d,\s]*\])?)\s*/\s*[d∂]\s*(?P<by>{NAME}\s*(?:\[[\d,\s]*\])?)\s*")
WITHIN = re.compile(rf"(?<![\w.])[d∂]\s*(?P<of>{NAME}(?:\[[\d,\s]*\])?)\s*/\s*[d∂]\s*(?P<by>{NAME})")
WORD = re.compile(rf"(?<![\w.]){NAME}")
LONGEST = 500


class IllPosed(LanguageError):
    """A claim whose indices or shape do not fit what it is of, or that names what there is not."""


@dataclass(frozen=True)
class Quantity:
    """Where a value lies: the tensor and the element.  of, by: for a derivative ∂of/∂by of a scalar, else empty.

    lag: 1 for what a step of the optimiser calculates, which is there before the step is done.
    """

    tensor: str
    at: tuple[int, ...] = ()
    of: str = ""
    by: str = ""
    lag: int = 0
