r"""Updates: w := w − α ∂J/∂w, W^{new} = …, θ_{t+1} = …, Δw = …, compared with the next values of the file's optimiser."""

from __future__ import annotations

from dataclasses import replace

from symbp.calculus.differentiate import adjoint
from symbp.errors import SymbpError
from symbp.language.program import Program
from symbp.optim.methods import GradientDescent
from symbp.verify.claimfile import Text
from symbp.verify.naming import MARKS, Names, Unknown
from symbp.verify.nodes import Node, Number, Product, Script, Sum, Sym, is_letter, walk
from symbp.verify.points import Point
from symbp.verify.shapes import Value, matrix
from symbp.verify.structure import _mapped as mapped

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

    def target(self, left: Node, right: Node, sign: str, names: Names) -> str:
        """The parameter or state that a relation gives its next value, or ""."""
        if is_change(left):
            found = names.find(left.factors[1], names.last(left))
            return f"Δ{found.name}" if found and found.name in self.next and not found.indices else ""
        if not isinstance(left, Sym):
            return ""
        bare = without_marks(left)
        found = names.find(bare, names.last(bare))
        if found is None or found.name not in self.next:
            if found is not None and sign == ":=" and found.name not in names.axes:
                raise Unknown(f"{found.name} has no next value")
            return ""
        own = any(isinstance(n, Sym) and without_marks(n) == bare for _, n in walk(right))
        return (
            found.name
            if own and (sign == ":=" or is_new(left) or without_marks(left) == left) and self._is_update(left, right, sign)
            else ""
        )

    def _is_update(self, left: Node, right: Node, sign: str) -> bool:
        return sign == ":=" or is_new(left) or any(isinstance(n, Sym) and n == left for _, n in walk(right))

    def following(self, point: Point, name: str, left: Node, rows: bool) -> Value:
        """The next value at a point, or for Δw how much it changes."""
        change = name.startswith("Δ")
        name = name.removeprefix("Δ")
        key = ("next", name)
        if key not in point._arrays:
            point._arrays[key] = point._run(self.full)[self.next[name]]
        following = point._arrays[key]
        return matrix(following - point.array(("of", name)) if change else following, rows)


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
