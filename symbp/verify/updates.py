r"""Updates: w := w − α ∂J/∂w, W^{new} = …, θ_{t+1} = …, m(t) = …, Δw = …, as equalities with the next values of the file's optimiser.

Stage: nodes with marks of old and new → nodes in which "new w" is a name of its own.
"""
from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from symbp.calculus.differentiate import adjoint
from symbp.errors import SymbpError
from symbp.language.program import Program
from symbp.optim.methods import GradientDescent, Momentum
from symbp.passes.closed import closed
from symbp.passes.matrix_form import matrix_form
from symbp.printing.latex import Writer
from symbp.verify.brackets import mapped
from symbp.verify.claimfile import Text
from symbp.verify.naming import EARLIER, Names
from symbp.verify.nodes import Negative, Node, Number, Product, Script, Sum, Sym, below, is_letter
from symbp.verify.points import Key

NEW, OLD = ("new", "next", "updated"), ("old", "prev", "previous", "current")
VARIANTS = (({"form": "averaged"}, "the velocity is an average, v := β v + (1 − β) g"),
            ({"rate_in": "step"}, "α stands in the step, θ := θ − α v, and not in the velocity"),
            ({"rate_in": "velocity"}, "α stands in the velocity, and not in the step"),
            ({"form": "averaged", "rate_in": "step"}, "the velocity is an average, v := β v + (1 − β) g, and α stands in the step"))


class Updates:
    """The text's program with one step of its optimiser behind it; gradient descent where the file names none.

    full: that program; program: without the step, but with the optimiser's constants and states as inputs.
    values: the numbers of the optimiser's constants.
    names: for each name that has a next value, and for short names of states and gradients, the quantities that they are.
    """

    def __init__(self, text: Text, program: Program) -> None:
        self.text, self.program, self.full = text, program, program
        self.parameters = [t.name for t in text.program.parameters]
        self.names: dict[str, Key] = {}
        self.moving: dict[str, bool] = {}
        self.values: dict[str, float] = {}
        if text.loss and self.parameters:
            try:
                self._step(program)
            except SymbpError:
                return

    def _step(self, program: Program) -> None:
        made = adjoint(program, self.text.loss, self.parameters)
        gradients = {p: made.names[p] for p in self.parameters if p in made.names}
        update = (self.text.optimizer or GradientDescent(type="gd")).update(made.program, gradients)
        self.full = update.extended()
        self.values = {t.name: update.values[t.name] for t in update.tensors if t.role == "constant" and t.name in update.values}
        self.program = program.extended([t for t in update.tensors if t.role in ("constant", "state") and t.name not in program], [])
        for tensor in update.tensors:
            if tensor.next_of:
                self._moves(tensor.next_of, tensor.name, tensor.next_of in self.parameters)
            elif tensor.role == "intermediate":
                self._named(tensor.name, ("full", tensor.name))
        if len(self.parameters) == 1:
            self._named("g", ("by", ("of", self.text.loss), self.parameters[0]))

    def _moves(self, name: str, following: str, parameter: bool) -> None:
        """A parameter or state and its next value, also under a state's short name where there is one parameter."""
        short = name.removesuffix(f"_{self.parameters[0]}") if len(self.parameters) == 1 else name
        own = [letter for letter, what in self.text.names.items() if what == name]
        for shown in dict.fromkeys((name, "t" if name == "step" else short, *own)):
            if shown == "t":
                self.names.setdefault("t", ("full", following))
                continue
            self.moving[shown] = parameter
            self.names[f"new {shown}"] = ("full", following)
            if shown != name:
                self._named(shown, ("of", name))

    def _named(self, name: str, key: Key) -> None:
        short = name.removesuffix(f"_{self.parameters[0]}") if len(self.parameters) == 1 else name
        if short not in self.text.program and short not in self.text.names and short not in self.text.functions:
            self.names[short] = key

    @property
    def timed(self) -> list[str]:
        """The names behind which (t) or (t - 1) may stand."""
        return [*self.moving, *(n for n in self.names if " " not in n and n != "t")]

    @property
    def variants(self) -> Iterator[tuple[Text, str]]:
        """The text with another form of the same method, as books differ, and the convention in words."""
        if isinstance(self.text.optimizer, Momentum):
            for change, said in VARIANTS:
                if any(getattr(self.text.optimizer, k) != v for k, v in change.items()):
                    yield replace(self.text, optimizer=self.text.optimizer.model_copy(update=change)), said

    def latex(self, name: str) -> str:
        """The step of a name, `W := …`, or what a step calculates on the way; "" for what a step does not write."""
        key = self.names.get(f"new {name}", self.names.get(name, ("",)))
        if key[0] != "full":
            return ""
        equations = self.full.definition(key[1])
        target, right = equations[0].target, closed(equations)
        form = matrix_form(target, right, self.full)
        return form.latex if form is not None else Writer(self.full).equation(target, right)

    # old and new

    def moved(self, node: Node, names: Names, letters: Mapping[str, int]) -> tuple[str, str, Sym] | None:
        """The name that moves, how it is marked, and the symbol without the mark."""
        if not isinstance(node, Sym):
            return None
        bare = without_marks(node)
        found = names.find(bare, {**names.last(bare), **letters})
        if found is None or found.name not in self.moving and found.name not in self.names:
            return None
        return found.name, next((m for s in (*node.sups, *node.subs) if (m := mark(s))), ""), bare

    def equalities(self, left: Node, right: Node, sign: str, names: Names, letters: Mapping[str, int]) -> list[tuple[Node, Node]]:
        """What a relation states, with old and new apart: itself, or where it is an update, the next value and what it should be."""
        change = is_change(left)
        target = self.moved(left.factors[1] if change else left, names, letters)
        updates = target is not None and target[0] in self.moving and (
            change or sign == ":=" or target[1] in ("new", "+1") or any(
                (found := self.moved(n, names, letters)) and found[0] == target[0] for n in below(right)) or target[1] != "")
        if target is not None and not updates and target[0] in self.names and target[0] not in self.moving:
            return [(target[2], self._apart(right, names, letters, target[0], target[1], "new"))]
        if not updates:
            return [(self._apart(left, names, letters), self._apart(right, names, letters))]
        name, marked, bare = target
        new = replace(bare, base=f"new {bare.base}")
        following = Sum((new, Negative(bare))) if change else new
        return [(following, self._apart(right, names, letters, name, marked, states)) for states in ("new", "old")]

    def _apart(self, node: Node, names: Names, letters: Mapping[str, int], target: str = "", marked: str = "", states: str = "") -> Node:
        """A side in which new values have names of their own."""
        if not isinstance(node, Sym):
            return mapped(node, lambda n: self._apart(n, names, letters, target, marked, states))
        found = self.moved(node, names, letters)
        if found is None or not target and found[1] not in ("new", "old"):
            return node
        name, own, bare = found
        if name in self.moving and steps_apart(own, marked) < -1:
            return self._earlier(bare)
        is_new = own == "new" or own in ("+1", "0", "-1") and own == marked or \
            (not own or not marked and own in ("0", "+1")) and states == "new" and name != target and not self.moving.get(name, True)
        if not is_new or f"new {name}" not in self.names:
            return bare
        return replace(bare, base=f"new {bare.base}")

    def _earlier(self, bare: Sym) -> Sym:
        """What was two steps before, which no rule knows; of momentum it could be told from the velocity, which is left undecided."""
        if isinstance(self.text.optimizer, Momentum):
            raise SymbpError(f"{bare.base}{EARLIER} is no part of the optimiser's state here; write the step with the velocity")
        return Sym(bare.base + EARLIER)


def constants(left: Node, right: Node, names: Collection[str]) -> dict[str, str]:
    r"""What the letters of an update that are no names of the text mean: η, or γ beside no other rate, is α; γ beside one is β.

    >>> w, new = Sym("w"), Sym("new w")
    >>> constants(new, Product((Sym("eta"), w), ("",)), {"w", "alpha"})
    {'eta': 'alpha'}
    >>> constants(new, Sum((Product((Sym("gamma"), w), ("",)), Sym("eta"))), {"w", "alpha", "beta"})
    {'eta': 'alpha', 'gamma': 'beta'}
    """
    if not any(isinstance(n, Sym) and n.base.startswith("new ") for n in below(left)):
        return {}
    letters = sorted({n.base for n in below(right) if isinstance(n, Sym) and n.base not in names})
    rated = any(n.base in ("alpha", "eta", "lr") for n in below(right) if isinstance(n, Sym))
    means = {"eta": "alpha", "lr": "alpha", "lambda": "weight_decay", "mu": "beta", "rho": "beta",
             **({"gamma": "beta"} if rated else {"gamma": "alpha", "epsilon": "alpha"})}
    return {letter: means[letter] for letter in letters if means.get(letter) in names}


def has_decimals(side: Node) -> bool:
    """Whether a side has numbers that are not whole, such as a rate of 0.1 or (1 - 0.9)."""
    return any(isinstance(n, Number) and n.value.denominator not in (1, 2) for n in below(side))


def steps_apart(own: str, marked: str) -> int:
    """How many steps a mark is behind (less than 0) or before another, 0 where they do not count.

    >>> steps_apart("-1", "+1"), steps_apart("old", "+1")
    (-2, 0)
    """
    counts = [int(m) if m[-1:].isdigit() else None for m in (own, marked)]
    return 0 if counts[0] is None else counts[0] - (counts[1] or 0)


def is_change(left: Node) -> bool:
    """Whether a side is Δw."""
    return isinstance(left, Product) and len(left.factors) == 2 and is_letter(left.factors[0], "Delta") and isinstance(left.factors[1], Sym)


def without_marks(node: Sym) -> Sym:
    """The symbol without what only says new or old."""
    sups, subs = (tuple(s for s in scripts if not mark(s)) for scripts in (node.sups, node.subs))
    return replace(node, sups=sups, subs=subs)


def mark(script: Script) -> str:
    """What a script says of old and new: "new", "old", "+1" for t + 1, "0" for t and "-2" for t - 2; "" for anything else."""
    body = script.body
    if is_letter(body, *NEW):
        return "new"
    if is_letter(body, *OLD):
        return "old"
    if is_letter(body, "t"):
        return "0"
    if isinstance(body, Sum) and len(body.terms) == 2 and is_letter(body.terms[0], "t"):
        return _counted(body.terms[1])
    return ""


def _counted(step: Node) -> str:
    sign, number = ("-", step.body) if isinstance(step, Negative) else ("+", step)
    return f"{sign}{number.value}" if isinstance(number, Number) and number.value.denominator == 1 else ""
