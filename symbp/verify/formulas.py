"""Verdicts on formulas: each is read, and its relations are judged for every layer, as equalities or as updates.

Stage: formula → nodes → verdict.  Whether two sides are equal is the business of `symbp.verify.equalities`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np

from symbp.calculus.differentiate import influences
from symbp.derivation.derivation import Derivation
from symbp.errors import SymbpError
from symbp.suggest import nearest
from symbp.verify.calls import SCALAR, called
from symbp.verify.claimfile import Text
from symbp.verify.elsewhere import Elsewhere
from symbp.verify.equalities import ASSUMED, ORDER, Equalities, Judgement, with_note
from symbp.verify.expressions import expression
from symbp.verify.identities import is_identity, text_of_letters
from symbp.verify.latex import lies_somewhere, read_formula, statements
from symbp.verify.layers import Layers
from symbp.verify.meaning import Reading, alias
from symbp.verify.naming import Names, Unknown
from symbp.verify.naming import said as shown
from symbp.verify.nodes import Derivative, Formula, Node, Row, Sym
from symbp.verify.otherclaims import agrees, mirrored, subtracted
from symbp.verify.outcome import ILL_POSED, RIGHT, RIGHT_IF, UNDECIDED, WRONG
from symbp.verify.points import FLOAT, Key
from symbp.verify.quantity import Quantities
from symbp.verify.scoping import apart
from symbp.verify.shapes import Unfit
from symbp.verify.updates import Updates, has_decimals, is_change

COUNTS = ("N", "M", "B", "K", "C", "D", "T", "H", "m", "n", "d")
"""Scalars of these names that are whole numbers are how many there are of something, and keep their value."""
NOT_JUDGED = "where a side lies was not judged"
INTERNAL = (ArithmeticError, ValueError, TypeError, IndexError, RecursionError)


class Formulas(Layers, Elsewhere, Equalities):
    """Judges the formulas of a text.

    separate: also where axes that are of one length by chance have lengths of their own.  valued: the optimiser's constants have the
    file's numbers, and not any.

    >>> from symbp.verify.claimfile import parse
    >>> text = parse('''[network]
    ... equations = ["z[j] = sum(i, w[j,i]*x[i])", "a[j] = sigmoid(z[j])", "J = sum(j, (a[j] - y[j])^2)/2"]
    ... loss = "J"
    ... parameters = ["w"]
    ... [values]
    ... w = [[1, 2, 3], [4, 5, 6]]
    ... x = [1, 2, 3]
    ... y = [0, 1]
    ... [[claims]]
    ... formula = "∂J/∂w = δ x^T"
    ... ''')
    >>> formulas = Formulas(text)
    >>> [formulas.judge(f).verdict for f in (r"∂J/∂w = (a - y) ⊙ σ'(z) x^T", r"∂J/∂w = x ((a - y) ⊙ σ'(z))^T", r"∂J/∂w = (a - y) x^T")]
    ['right', 'right-if', 'wrong']
    """

    def __init__(self, text: Text, separate: bool = True, valued: bool = False) -> None:
        super().__init__()
        self.text, self.separate = text, separate
        self.quantities = Quantities(text)
        broken = dict(text.broken)
        meanings = self._meanings(text, broken)
        self.updates = Updates(text, self.quantities.program)
        self.program = self.updates.program
        tensors = {t.name: len(t.shape) for t in self.program.tensors if not t.auxiliary and not t.next_of}
        tensors = {n: a for n, a in tensors.items() if n in text.program or n not in self.quantities.program}
        self.aliases = meanings
        self.aliases |= {n: key for n, key in self.updates.names.items() if n not in tensors and n not in self.aliases}
        self.aliases |= {n: ("of", what) for n, what in text.names.items() if n not in self.aliases and what in tensors}
        axes = {**tensors, **{name: len(self.updates.full.tensor(key[-1]).shape) for name, key in self.aliases.items()}}
        self.names = Names(axes, broken=broken, columns=text.program.conventions.samples == "column")
        self.functions = self._functions(text.functions)
        self.fixed = {
            t.name: int(text.values[t.name].item())
            for t in text.program.inputs
            if t.name in COUNTS and t.name in text.values and _counts(text.values[t.name])
        }
        self.numbers = {name: Fraction(repr(value)) for name, value in self.updates.values.items()} if valued else {}
        self._read: dict[tuple[str, bool], Formula] = {}
        self._slips: dict[tuple[str, bool], list[str]] = {}
        self._hidden: dict[str, Formulas] = {}
        self._decisive: dict[str, str] = {}

    def _meanings(self, text: Text, broken: dict[str, str]) -> dict[str, Key]:
        """What the text's own names stand for: tensors, derivatives, or tensors for the expressions that they are; or why nothing."""
        found: dict[str, Key] = {}
        tensors = tuple(t.name for t in text.program.tensors)
        for name, what in text.names.items():
            key = alias(what, tensors) or found.get(what)
            if key is None:
                try:
                    key = ("of", expression(self.quantities, what, True).tensor)
                except SymbpError as error:
                    broken[name] = str(error)
            if key is not None:
                found[name] = key
        return found

    @staticmethod
    def _functions(given: Mapping[str, str]) -> dict[str, Callable]:
        found: dict[str, Callable] = {"sigma": SCALAR["sigmoid"]}
        return found | {letter.lstrip("\\"): called(letter.lstrip("\\"), what) for letter, what in given.items()}

    @property
    def known(self) -> list[str]:
        """The names that a formula may use."""
        return [*self.names.axes, *self.names.broken]

    def read(self, formula: str, far: bool = False) -> Formula:
        """The nodes of a formula; each sum has letters of its own.  far: log a b is log(a b).  Raises `SymbpError` with the place."""
        if (formula, far) not in self._read:
            scalars = [n for n, axes in self.names.axes.items() if not axes]
            functions = [letter.lstrip("\\") for letter in self.text.functions]
            applied: list[tuple[Sym, Node]] = []
            read = apart(read_formula(formula, self.known, functions, scalars, self.updates.timed, applied, far, self.names.matrices))
            for name, body in applied:
                self._check_arguments(name, body)
            self._read[formula, far] = read
        return self._read[formula, far]

    def judge(self, formula: str) -> Judgement:
        """The verdict on one formula, which may be a chain of equalities or an update.

        Where the text's axes are of one length by chance, it is judged at lengths that differ; where it is right at none of them, at the
        text's own.
        """
        parts = statements(formula)
        if parts != [formula]:
            judged = [self.judge(part) for part in parts]
            worst = min(range(len(parts)), key=lambda k: ORDER.index(judged[k].verdict))
            self._decisive[formula] = parts[worst]
            left_out = NOT_JUDGED if lies_somewhere(formula) else ""
            return replace(judged[worst], note="; ".join(filter(None, (judged[worst].note, left_out))))
        found: list[tuple[Formulas, Judgement]] = []
        with contextlib.suppress(SymbpError, *INTERNAL):
            for other in self.elsewhere(self.read(formula)) if self.separate else ():
                found.append((other, other.judge(formula)))
                if found[-1][1].verdict in (RIGHT, RIGHT_IF):
                    return found[-1][1]
                if found[-1][1].verdict == ILL_POSED:
                    break
        own = self._judge_here(formula)
        return self._only_here(formula, own, found) if found and own.verdict in (RIGHT, RIGHT_IF) else own

    def _only_here(self, formula: str, own: Judgement, found: list[tuple[Formulas, Judgement]]) -> Judgement:
        """The verdict on what is right at the text's own extents and at no others.

        What needs two axes of one length to have a meaning at all is right in a text where they are, unless by an assumption,
        which few elements may meet by a lucky draw.
        """
        other, judged = found[-1]
        by_chance = judged.verdict == WRONG and self.is_whole(len(found)) or judged.verdict == ILL_POSED and self._is_assumed(own)
        if not by_chance:
            return own
        self._hidden[formula] = other
        why = f": {judged.note}" if judged.note else ""
        return Judgement(WRONG, f"it holds only where axes are of one length by chance{why}")

    def _is_assumed(self, judged: Judgement) -> bool:
        """Whether something is assumed of a target that the file does not state."""
        return any(ASSUMED[what].format(name=name) in judged.note for name, what in self._assumptions())

    def _judge_here(self, formula: str) -> Judgement:
        """The verdict at the text's own extents."""
        try:
            found = self.judged(self.read(formula))
            if found.verdict == ILL_POSED and (text := text_of_letters(self.text, self.names, self.read(formula))) is not None:
                other = Formulas(text)
                again = other.judge(formula)
                if again.verdict in (RIGHT, RIGHT_IF) or again.verdict == WRONG and is_identity(self.read(formula)):
                    self._hidden[formula] = other
                    return again
            return self._read_on(formula, found) if found.verdict in (WRONG, ILL_POSED) else found
        except Unfit as error:
            return Judgement(ILL_POSED, str(error))
        except SymbpError as error:
            return Judgement(UNDECIDED, str(error))
        except INTERNAL as error:
            return Judgement(UNDECIDED, f"it could not be judged (internal: {type(error).__name__})")

    def _read_on(self, formula: str, found: Judgement) -> Judgement:
        """The verdict where a function without brackets is of all that stands behind it, if it is right so."""
        other = self.read(formula, far=True)
        again = self.judged(other) if other != self.read(formula) else found
        said = "a function without brackets is of all that stands behind it"
        return with_note(again, said) if again.verdict in (RIGHT, RIGHT_IF) else found

    def judged(self, formula: Formula) -> Judgement:
        """The verdict on a formula that has been read: the worst of its relations."""
        sides = formula.sides
        found = [self.relation(sides[k], sides[k + 1], sign) for k, sign in enumerate(formula.signs)]
        return min(found, key=lambda j: ORDER.index(j.verdict))

    def _check_arguments(self, name: Sym, body: Node) -> None:
        """Raise `Unfit` where J(θ) names something on which J does not depend: J is then taken at another point than everything else."""
        found = self.names.find(name, self.names.last(name))
        key = self.aliases.get(found.name, ("of", found.name)) if found is not None and not found.indices else ("",)
        if key[0] != "of" or not self.program.definition(key[1]):
            return
        depends = influences(self.program, key[1])
        for part in body.parts if isinstance(body, Row) else (body,):
            own = self.names.find(part, self.names.last(part)) if isinstance(part, Sym) else None
            what = self.aliases.get(own.name, ("of", own.name)) if own is not None else None
            if what is not None and (what[0] != "of" or what[1] not in depends):
                raise Unfit(f"{found.name} is taken at {shown(part)}, which is nothing that it is calculated from")

    # one relation

    def relation(self, left: Node, right: Node, sign: str = "=") -> Judgement:
        """The verdict on left = right, or on an update; where a letter stands for those of all layers, the worst."""
        left, right = self._at_level(left, right)
        generic = self._generic(left, right)
        if generic:
            return min((self.relation(*sides, sign) for sides in generic), key=lambda j: ORDER.index(j.verdict))
        found = [self.equality(*sides) for sides in self.stated(left, right, sign)]
        best = max(found, key=lambda j: ORDER.index(j.verdict)) if any(j.verdict in (RIGHT, RIGHT_IF) for j in found) else found[0]
        if best.verdict == WRONG and not self.numbers and self.updates.values and has_decimals(right):
            best = max(best, Formulas(self.text, valued=True).relation(left, right, sign), key=lambda j: ORDER.index(j.verdict))
        if best.verdict == WRONG and len(found) > 1:
            for text, said in self.updates.variants:
                formulas = Formulas(text)
                other = formulas.stated_relation(left, right, sign)
                if other.verdict in (RIGHT, RIGHT_IF) and agrees(self, formulas):
                    return with_note(other, said)
            if (downhill := mirrored(self, left, right, sign)) is not None:
                return with_note(downhill, "the velocity points downhill, θ := θ + v")
        if best.verdict == WRONG and is_change(left):
            convention = subtracted(self, left, right, sign)
            return Judgement(RIGHT_IF, f"right if {convention}") if convention else best
        return best

    def stated_relation(self, left: Node, right: Node, sign: str) -> Judgement:
        """The verdict without other forms of the optimiser."""
        found = [self.equality(*sides) for sides in self.stated(left, right, sign)]
        return max(found, key=lambda j: ORDER.index(j.verdict))

    def stated(self, left: Node, right: Node, sign: str) -> list[tuple[Node, Node]]:
        """The equality that a relation states; for an update in each reading of which states are new."""
        return self.updates.equalities(left, right, sign, self.names, self._some(left, right))

    # what it should be

    def derived(self, formula: str) -> str:
        """The derived formula of what stands on the left, a derivative of the loss or a step of the optimiser, as LaTeX; else ""."""
        try:
            left = self.read(self._decisive.get(formula, formula)).sides[0]
            key = self._key_of(left)
            if key is None or key[1][0] != "of":
                moved = self.updates.moved(left.factors[1] if is_change(left) else left, self.names, {})
                return self.updates.latex(moved[0]) if moved else ""
            return Derivation(self.text.program, key[1][1], (key[2],))[key[2]].latex("matrix")
        except (SymbpError, IndexError, TypeError, KeyError):
            return ""

    def _key_of(self, left: Node) -> tuple | None:
        if isinstance(left, Derivative) and isinstance(left.of, Sym) and len(left.by) == 1 and isinstance(left.by[0], Sym):
            of, by = (self.names.find(s, self.names.last(s)) for s in (left.of, left.by[0]))
            return ("by", ("of", of.name), by.name) if of and by else None
        found = self.names.find(left, self.names.last(left)) if isinstance(left, Sym) else None
        key = self.aliases.get(found.name) if found else None
        return key if key and key[0] == "by" else None

    def subject(self, formula: str) -> tuple[str, str] | None:
        """The derivative (of, by) that a formula is about: the one on its left, or that of the loss by what it updates; else None."""
        try:
            read = self.read(self._decisive.get(formula, formula))
            key = self._key_of(read.sides[0])
            if key is not None:
                return (key[1][1], key[2]) if key[1][0] == "of" else None
            left = read.sides[0]
            target = self.updates.moved(left.factors[1] if is_change(left) else left, self.names, self._some(*read.sides[:2]))
            return (self.text.loss, target[0]) if target and target[0] in self.updates.parameters else None
        except (SymbpError, IndexError, TypeError, KeyError):
            return None

    # single values

    def value(self, seed: int, name: str) -> np.ndarray | None:
        """The array of a name at one random point; None where there is none."""
        if name in self.aliases:
            return self.point(seed, FLOAT, {}).array(self.aliases[name])
        return self.point(seed, FLOAT, {}).array(("of", name)) if name in self.names.axes else None

    def derivative(self, seed: int, of: str, by: str) -> np.ndarray:
        """∂of/∂by at one random point."""
        of, by = (self.aliases.get(name, ("of", name)) for name in (of, by))
        for key in (of, by):
            if key[0] == "of" and key[1] not in self.program:
                raise Unknown(f"the derivative of {of[-1]} by {by[-1]}: nothing is called {key[1]} here{nearest(key[1], self.known)}")
        return self.point(seed, FLOAT, {}).array(("by", of, by[1]))

    def expression(self, seed: int, text: str) -> np.ndarray:
        """The value of an expression as formulas are written, σ'(z) for instance, as a matrix."""
        side = self.read(f"{text} = 0").sides[0]
        return self.meaning(self.point(seed, FLOAT, {}), side, side, Reading(), {}).value(side).array

    def slips(self, formula: str, pairs: bool = True) -> list[str]:
        """The slips that would explain why the last relation of a formula is wrong, in words."""
        from symbp.verify.slips import explained

        formula = self._decisive.get(formula, formula)
        if formula in self._hidden:
            return self._hidden[formula].slips(formula, pairs)
        if (formula, pairs) not in self._slips:
            self._slips[formula, pairs] = []
            with contextlib.suppress(SymbpError):
                read = self.read(formula)
                valued = self.updates.values and any(map(has_decimals, read.sides))
                formulas = Formulas(self.text, valued=True) if valued and not self.numbers else self
                self._slips[formula, pairs] = [slip.said for slip in explained(formulas, read, pairs)]
        return list(self._slips[formula, pairs])


def _counts(value: np.ndarray) -> bool:
    """Whether a value may be how many there are of something."""
    return not value.shape and value.item() > 1 and value.item() == int(value.item())
