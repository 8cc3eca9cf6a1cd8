r"""Updates: w := w − α ∂J/∂w, W^{new} = …, θ_{t+1} = …, Δw = …, compared with the next values of the file's optimiser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from symbp.calculus.differentiate import adjoint
from symbp.errors import SymbpError
from symbp.language.program import Program
from symbp.optim.methods import GradientDescent
from symbp.verify.claimfile import Text
from symbp.verify.naming import MARKS, Named, Names
from symbp.verify.nodes import Node, Number, Product, Script, Sum, Sym, below, is_letter
from symbp.verify.shapes import Value
from symbp.verify.structure import _mapped as mapped

if TYPE_CHECKING:
    from symbp.verify.meaning import Meaning

NEW, OLD = ("new", "next", "neu", "updated"), ("old", "prev", "current")


class Updates:
    """The text's program with one step of its optimiser behind it; gradient descent where the file names none."""

    def __init__(self, text: Text, program: Program) -> None:
        self.text = text
        self.parameters = [t.name for t in text.program.parameters]
        self.next: dict[str, str] = {}
        self.program = program
        self.problem = ""
        if not text.loss or not self.parameters:
            self.problem = "an update needs a loss and parameters"
            return
        try:
            made = adjoint(program, text.loss, self.parameters)
            update = (text.optimizer or GradientDescent(type="gd")).update(
                made.program, {p: made.names[p] for p in self.parameters if p in made.names}
            )
            self.full = update.extended()
            self.next = {t.next_of: t.name for t in update.tensors if t.next_of}
            more = [t for t in update.tensors if t.role in ("constant", "state") and t.name not in program]
            self.program = program.extended(more, [])
        except SymbpError as error:
            self.problem = str(error)

    def parameter(self, left: Node, names: Names, letters: Mapping[str, int]) -> Named | None:
        """The parameter or state whose next value or change a left side is."""
        if is_change(left):
            left = left.factors[1]
        bare = without_marks(left)
        found = names.find(bare, {**names.last(bare), **letters}) if isinstance(bare, Sym) else None
        return found if found is not None and found.name in self.next else None

    def is_update(self, left: Node, right: Node, sign: str, names: Names, letters: Mapping[str, int]) -> bool:
        """Whether a relation gives a parameter or state its next value."""
        if self.parameter(left, names, letters) is None:
            return False
        if is_change(left) or sign == ":=" or is_new(left):
            return True
        return any(isinstance(n, Sym) and n == left for n in below(right))

    def following(self, meaning: Meaning, left: Node) -> Value:
        """The next value at a point, or for Δw how much it changes."""
        found, point = self.parameter(left, meaning.names, meaning.letters), meaning.point
        key = ("next", found.name)
        if key not in point._arrays:
            point._arrays[key] = point._run(self.full)[self.next[found.name]]
        following = point._arrays[key]
        return meaning.element(following - point.array(("of", found.name)) if is_change(left) else following, found.indices)


def is_change(left: Node) -> bool:
    """Whether a side is Δw."""
    return isinstance(left, Product) and len(left.factors) == 2 and is_letter(left.factors[0], "Delta") and isinstance(left.factors[1], Sym)


def is_new(node: Node) -> bool:
    """Whether a symbol says that it is the new value: W^{new}, w_{t+1}, w^+, w'."""
    return isinstance(node, Sym) and (any(_mark(s) in ("new", "+1") for s in (*node.sups, *node.subs)))


def without_marks(node: Node) -> Node:
    """The node without what only says new or old."""
    if isinstance(node, Sym):
        sups, subs = (tuple(s for s in scripts if not _mark(s)) for scripts in (node.sups, node.subs))
        return replace(node, sups=sups, subs=subs)
    return mapped(node, without_marks)


def _mark(script: Script) -> str:
    """What a script says of old and new: "new", "old", "+1" for t + 1 and "0" for t; "" for anything else."""
    body = script.body
    if is_letter(body, *NEW):
        return "new"
    if is_letter(body, *OLD, *MARKS):
        return "old"
    if is_letter(body, "t"):
        return "0"
    if isinstance(body, Sum) and len(body.terms) == 2 and is_letter(body.terms[0], "t") and isinstance(body.terms[1], Number):
        return "+1"
    return ""
