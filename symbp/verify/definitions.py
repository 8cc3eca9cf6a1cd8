r"""Definitions: a formula of a text beside the standard one that it names, its letters matched with the standard's tensors.

kind = "definition"   of = "sigmoid"   formula = 'f(x) = \frac{1}{1 + e^{-x}}'
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace

from symbp.errors import SymbpError
from symbp.verify.claimfile import Text
from symbp.verify.equalities import ORDER, Judgement
from symbp.verify.formulas import Formulas
from symbp.verify.latex import read_formula
from symbp.verify.naming import bound
from symbp.verify.nodes import Big, Call, Lowered, Node, Sym, below, is_letter
from symbp.verify.outcome import ILL_POSED, RIGHT, RIGHT_IF, UNDECIDED
from symbp.verify.standards import Standard, standards

CONSTANTS = ("e", "pi", "T", "⊤", "𝟏", "d", "∂", "∇", "∞", "Delta")
SIZES = ("N", "n", "m", "M", "K", "C", "B", "D")
CALLED = re.compile(r"(\\(?:sigma|phi|varphi|psi)|[fghSs]|σ|φ)(?:\s*(?:'|\^\\prime|\^\{\\prime\}|′))*\s*(?:\\left|\\big|\\!)*\s*\(")
MOST_TRIED = 8


class Definition:
    """One definition of a text and the standard that it names.

    >>> Definition("sigmoid", r"f(x) = \\frac{1}{1 + e^{-x}}").judgement.verdict
    'right'
    >>> Definition("MSE", r"L = \\frac{1}{2N} \\sum_{i=1}^N (y_i - \\hat{y}_i)^2").judgement.note
    'right if it has the factor 1/2'
    """

    def __init__(self, name: str, formula: str) -> None:
        self.name, self.formula = name, formula
        self.candidates: list[Formulas] = []
        self.judgement = self._judge()

    def _judge(self) -> Judgement:
        try:
            return self._best()
        except SymbpError as error:
            return Judgement(UNDECIDED, str(error))

    def _best(self) -> Judgement:
        """The best verdict over the standard's forms and the ways to match letters."""
        best: Judgement | None = None
        for standard in standards(self.name):
            for formulas in itertools.islice(self._matched(standard), MOST_TRIED):
                found = formulas.judge(self._written)
                if found.verdict in (RIGHT, RIGHT_IF) and standard.convention:
                    note = f"{found.note}; {standard.convention}" if found.note else f"right if {standard.convention}"
                    found = replace(found, verdict=RIGHT_IF, note=note)
                if best is None or _rank(found) > _rank(best):
                    best, self.candidates = found, []
                if _rank(found) == _rank(best):
                    self.candidates.append(formulas)
                if found.verdict == RIGHT:
                    return found
        return best or Judgement(ILL_POSED, f"its letters are not those of a definition of {self.name}")

    def slips(self) -> list[str]:
        """What would explain a wrong definition."""
        found = [formulas.slips(self._written, False) for formulas in self.candidates[:6]]
        best = min((f for f in found if f), key=lambda f: (", and" in f[0], len(f)), default=[])
        return best or (self.candidates[0].slips(self._written) if self.candidates else [])

    def _matched(self, standard: Standard) -> Iterator[Formulas]:
        """The standard with its tensors under the text's letters, the likeliest matches first."""
        known = {letter for letters in standard.letters.values() for letter in letters if len(letter) > 1}
        written = self._written
        called = CALLED.match(written.strip())
        functions = {_plain(called[1]): standard.function} if called and standard.function else {}
        if standard.function and "sigma" in map(_plain, CALLED.findall(written)):
            functions.setdefault("sigma", "sigmoid")
        numbers = [*"pLJCEf", *(k for k in known if k not in functions)]
        formula = read_formula(written, known, functions, numbers, [*"mvsgu", "mhat", "vhat"])
        head = formula.sides[0]
        outputs = {head.base} if isinstance(head, Sym) and not standard.optimizer else set()
        letters = [k for k in _letters(formula) if (k not in functions or standard.optimizer) and k not in outputs]
        if standard.optimizer:
            own = Formulas(Text("", "", standard.program, standard.output, standard.optimizer, {}, {})).names.axes
            letters = [k for k in letters if k not in own or k in standard.letters["J"] or k in standard.letters["theta"]]
        for names in _matches(standard, letters, bool(outputs)):
            whole = {
                **dict.fromkeys(outputs, standard.output),
                **names,
                **{k: standard.output for k, f in functions.items() if f == standard.function},
            }
            text = Text("", "", standard.program, standard.output, standard.optimizer, {}, standard.sizes, whole, functions)
            yield Formulas(text)

    @property
    def _written(self) -> str:
        """The formula, with σ(z) written as softmax where that is what it defines."""
        if self.name.lower() != "softmax":
            return self.formula
        return re.sub(r"(\\sigma|σ|(?<![A-Za-z\\])[SfsgP])\s*(\\left)?\s*\(", r"\\mathrm{softmax}(", self.formula)


def _plain(letter: str) -> str:
    return letter.lstrip("\\").replace("σ", "sigma").replace("φ", "phi").replace("varphi", "phi")


def _letters(formula: Node) -> list[str]:
    """The letters of a formula that stand for tensors."""
    places = [script for s in below(formula) if isinstance(s, Sym) for script in (*s.subs, *(u for u in s.sups if u.shape))]
    places += [script for s in below(formula) if isinstance(s, Lowered) for script in s.subs]
    scripts = {n.base for script in places for n in below(script.body) if isinstance(n, Sym)}
    bounds = {n.upper.base for n in below(formula) if isinstance(n, Big) and is_letter(n.upper)}
    hidden = bound(formula) | bounds | {*CONSTANTS} | {n.name for n in below(formula) if isinstance(n, Call)}
    symbols = [n for n in below(formula) if isinstance(n, Sym)]
    own = {n.base for n in symbols if n.subs or n.sups}
    found = [n.base for n in symbols if n.base not in hidden and (n.base not in scripts or n.base in own)]
    return sorted(k for k in dict.fromkeys(found) if k not in SIZES or k in own)


def _matches(standard: Standard, letters: list[str], defined: bool) -> Iterator[dict[str, str]]:
    """Ways to give letters to tensors: a letter that books use for one tensor is not given to another."""
    if standard.optimizer:
        yield from _of_optimizer(standard, letters)
        return
    slots = [name for name in standard.letters if not (defined and name == standard.output)]
    found = []
    for chosen in itertools.permutations(slots, min(len(letters), len(slots))) if len(letters) <= len(slots) else ():
        names = dict(zip(letters, chosen))
        usual = {letter: slot for letter, slot in names.items() if letter in standard.letters[slot]}
        foreign = any(letter in standard.letters[other] for letter in names if letter not in usual for other in slots)
        if not foreign:
            found.append(
                (sum(standard.letters[s].index(k) for k, s in usual.items()) + 50 * (len(names) - len(usual)), sorted(names.items()))
            )
    yield from (dict(names) for _, names in sorted(found))


def _of_optimizer(standard: Standard, letters: list[str]) -> Iterator[dict[str, str]]:
    """The letters of parameter and loss, and the usual ones of constants and states that the optimiser calls otherwise."""
    fixed = {letter: tensor for tensor in ("theta", "J") for letter in letters if letter in standard.letters[tensor]}
    choices = [
        [(letter, tensor) for tensor in ("alpha", "beta", "rho", "v_theta", "s_theta") if letter in standard.letters[tensor]]
        for letter in letters
        if letter not in fixed
    ]
    several = [options for options in choices if options]
    for chosen in itertools.product(*several):
        if len({tensor for _, tensor in chosen}) == len(chosen):
            yield {**fixed, **dict(chosen)}


def _rank(judgement: Judgement) -> int:
    unread = (ILL_POSED, UNDECIDED)
    return unread.index(judgement.verdict) if judgement.verdict in unread else 2 + ORDER.index(judgement.verdict)
