"""What the other claims of a text say of an update: whether another form of the optimiser agrees, and whether Δw is what is subtracted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from symbp.errors import SymbpError
from symbp.optim.methods import Momentum
from symbp.verify.brackets import mapped
from symbp.verify.nodes import Negative, Node, Sum, Sym
from symbp.verify.outcome import RIGHT
from symbp.verify.updates import without_marks

if TYPE_CHECKING:
    from symbp.verify.equalities import Judgement
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
    own = [name for name, target, step, _ in steps(formulas)
           if target == left.factors[1] and isinstance(step, Sum) and any(isinstance(t, Negative) for t in step.terms)]
    if own and formulas.stated_relation(left, Negative(right), sign).verdict == RIGHT:
        return f"Δ{left.factors[1].base} is what is subtracted, as in {own[0]}"
    return ""


def mirrored(formulas: Formulas, left: Node, right: Node, sign: str) -> Judgement | None:
    """The verdict where momentum's velocity has the other sign, v := β v − α g; None where it is not right, or another claim denies it."""
    updates = formulas.updates
    if not isinstance(formulas.text.optimizer, Momentum):
        return None
    velocities = {name for name, parameter in updates.moving.items() if not parameter and name not in ("t", "step")}

    def turned(left: Node, right: Node) -> Node:
        target = updates.moved(left, formulas.names, {})
        made = _turned(right, velocities)
        return Negative(made) if target is not None and target[0] in velocities else made

    found = formulas.stated_relation(left, turned(left, right), sign)
    denied = any(formulas.stated_relation(one, turned(one, other), how).verdict != RIGHT for _, one, other, how in steps(formulas))
    return None if found.verdict != RIGHT or denied else found


def _turned(node: Node, names: set[str]) -> Node:
    """The node with the negatives of some names in their place."""
    if isinstance(node, Sym):
        return Negative(node) if without_marks(node).base in names else node
    return mapped(node, lambda n: _turned(n, names))
