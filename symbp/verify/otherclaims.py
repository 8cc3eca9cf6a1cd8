"""What the other claims of a text say of an update: whether another form of the optimiser agrees, and whether Δw is what is subtracted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from symbp.errors import SymbpError
from symbp.verify.nodes import Negative, Node, Sum
from symbp.verify.outcome import RIGHT

if TYPE_CHECKING:
    from symbp.verify.formulas import Formulas


def steps(formulas: Formulas) -> Iterator[tuple[str, Node, Node, str]]:
    """The claims of the text that are updates and right, with their sides and sign."""
    for claim in (c for c in formulas.text.claims if c.formula and not c.defines):
        with contextlib.suppress(SymbpError):
            read = formulas.read(claim.formula)
            (left, right), sign = read.sides[:2], read.signs[0]
            if formulas.updates.moved(left, formulas.names, {}) and formulas.stated_relation(left, right, sign).verdict == RIGHT:
                yield claim.id, left, right, sign


def agrees(formulas: Formulas, other: Formulas) -> bool:
    """Whether another form of the optimiser leaves every update right that the text states in the file's own form."""
    return all(other.stated_relation(left, right, sign).verdict == RIGHT for _, left, right, sign in steps(formulas))


def subtracted(formulas: Formulas, left: Node, right: Node, sign: str) -> str:
    """The convention under which Δw is right but for its sign: the text states w = w − …, and that is right; else ""."""
    own = [name for name, target, step, _ in steps(formulas) if target == left.factors[1] and isinstance(step, Sum)]
    if own and formulas.stated_relation(left, Negative(right), sign).verdict == RIGHT:
        return f"Δ{left.factors[1].base} is what is subtracted, as in {own[0]}"
    return ""
