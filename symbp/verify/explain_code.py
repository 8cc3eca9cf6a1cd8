"""Which slips would make the derived program give what a person's code answers, at every random point.

Stage: a wrong `Checked` + the text's programs with a slip → explanations in words.  One slip, and where none is enough two.
"""
from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from symbp.derivation.derivation import Derivation
from symbp.derivation.options import Options
from symbp.derivation.program import textbook_program
from symbp.errors import SymbpError
from symbp.language.program import Program
from symbp.verify.code import Check, Checked, Item
from symbp.verify.known import AFTER, SEEDS, start
from symbp.verify.layouts import fit
from symbp.verify.mistakes import Mistake, calls, downstream, mistakes
from symbp.verify.quantity import QUOTIENT
from symbp.verify.trial import Trial

SECONDS, MOST, MOST_FIRST = 6.0, 6, 12
KINDS = ("kept", "folded")


@dataclass(frozen=True)
class Lines:
    """One way to write the derivation: its program with the update, the tensor of each result, its slips, and where states start."""

    program: Program
    places: Mapping[str, str]
    found: Sequence[Mistake]
    below: Mapping[str, set[str]]
    starts: Mapping[str, float]


def explain(check: Check, checked: Checked, seconds: float = SECONDS) -> tuple[str, ...]:
    """The slips that explain wrong results, each by itself; those of two places where no single one does.

    >>> from symbp.verify.claimfile import parse
    >>> from symbp.verify.listing import Code
    >>> text = parse('''[network]
    ... equations = ["z = sum(i, w[i]*x[i])", "a = sigmoid(z)", "L = (a - y)^2/2"]
    ... loss = "L"
    ... parameters = ["w"]
    ... [values]
    ... w = [1, 2, 3]
    ... x = [2, 1, 0]
    ... y = 3
    ... [[claims]]
    ... of = "L"
    ... value = "0.5"
    ... ''')
    >>> check = Check(text, Code(code="def f(w, x, y):\\n    a = 1/(1 + np.exp(-w @ x))\\n    dw = (a - y)*x\\n    return dw\\n"))
    >>> explain(check, check.result())
    ("dL/dw: the factor σ'(z) is missing",)
    """
    end = time.process_time() + seconds
    lines = [made for kind in KINDS if (made := _lines(check, checked, kind)) is not None]
    for search in (_single, _pairs):
        for made in lines:
            if found := tuple(dict.fromkeys(search(_Try(check, checked, made), end))):
                return found[:MOST]
    return ()


def _lines(check: Check, checked: Checked, kind: str) -> Lines | None:
    """The derivation's own lines, with all results that the code has among them."""
    text, quantities = check.text, [i.quantity for i in checked.items]
    written = [text.names.get(q, q) for q in quantities]
    by = dict.fromkeys([*check.names.parameters, *(m["by"].strip() for q in written if (m := QUOTIENT.fullmatch(q)))])
    try:
        if not text.loss:
            program, bars = text.program, {}
        else:
            derivation = Derivation(text.program, text.loss, by, Options(activation_derivatives=kind))
            program = textbook_program(derivation)
            bars = {**derivation.derivative.names, **derivation.gradients}
        following: dict[str, str] = {}
        starts: dict[str, float] = {}
        if any(AFTER.fullmatch(q) for q in written):
            made = text.optimizer.update(program, {name: bars[name] for name in check.names.parameters})
            program, starts, following = made.extended(), made.values, {t.next_of: t.name for t in made.tensors if t.next_of}
    except (SymbpError, KeyError):
        return None
    places: dict[str, str] = {}
    for quantity, text_ in zip(quantities, written):
        after, quotient = AFTER.fullmatch(text_), QUOTIENT.fullmatch(text_)
        place = following.get(after["name"]) if after else bars.get(quotient["by"].strip()) if quotient else text_
        if place in program and program.definition(place):
            places[quantity] = place
    return Lines(program, places, mistakes(program, name=calls(program, text.names)), downstream(program), starts)


class _Try:
    """What changed programs give, beside what the code answered."""

    def __init__(self, check: Check, checked: Checked, lines: Lines) -> None:
        self.check, self.checked, self.lines = check, checked, lines
        self.items = [i for i in checked.items if i.quantity in lines.places]
        self.wrong = {lines.places[i.quantity] for i in self.items if not i.holds}
        self.complete = all(i.holds or i.quantity in lines.places for i in checked.items)
        self._trials: dict[int, Trial] = {}

    def trial(self, seed: int) -> Trial:
        """The right program at one point."""
        if seed not in self._trials:
            program, sample = self.lines.program, self.check.known.samples[seed]
            values = {t.name: sample.values[t.name] if t.name in sample.values else start(program, t.name, self.lines.starts)
                      for t in program.inputs}
            self._trials[seed] = Trial(program, values, sample.sizes, sample.functions, below=self.lines.below)
        return self._trials[seed]

    def reaches(self, mistake: Mistake) -> set[str]:
        """The tensors that a slip changes."""
        targets = {self.lines.program.equations[position].target.name for position in mistake.edits}
        return targets.union(*(self.lines.below[t] for t in targets))

    def explained(self, edits: Mapping, seeds: Sequence[int] = SEEDS) -> list[Item] | None:
        """The results that the changed program gives as the code does; None where it has no values."""
        left = self.items
        for seed in seeds:
            arrays = self.trial(seed).changed(edits, self.lines.places.values())
            if arrays is None:
                return None
            left = [i for i in left if self._agrees(i, seed, arrays[self.lines.places[i.quantity]])]
        return left

    def _agrees(self, item: Item, seed: int, array: np.ndarray) -> bool:
        tensor = self.check.known.tensor(item.quantity)
        program = self.check.text.program
        wanted = self.checked.way.laid(array, program.tensor(tensor) if tensor else None, program)
        return bool(np.all(np.isfinite(wanted))) and fit([item.found[SEEDS.index(seed)]], [wanted]).kind in ("right", "turned")


def _single(attempt: _Try, end: float) -> Iterator[str]:
    """One slip that gives all results."""
    if not attempt.complete or not attempt.items:
        return
    for mistake in attempt.lines.found:
        if time.process_time() > end:
            return
        if attempt.wrong <= attempt.reaches(mistake) and _whole(attempt, mistake.edits):
            yield mistake.what


def _whole(attempt: _Try, edits: Mapping) -> bool:
    first = attempt.explained(edits, SEEDS[:1])
    return first is not None and len(first) == len(attempt.items) and attempt.explained(edits, SEEDS[1:]) == attempt.items


def _pairs(attempt: _Try, end: float) -> Iterator[str]:
    """Two slips: one that gives some of the wrong results, and another with it."""
    if not attempt.complete or not attempt.items:
        return
    firsts: list[tuple[int, Mistake]] = []
    for mistake in attempt.lines.found:
        if time.process_time() > end:
            return
        found = attempt.explained(mistake.edits, SEEDS[:1]) if attempt.wrong & attempt.reaches(mistake) else None
        gained = sum(not i.holds for i in found or ()) - sum(i.holds for i in attempt.items if found is not None and i not in found)
        if gained > 0:
            firsts.append((gained, mistake))
    firsts.sort(key=lambda pair: -pair[0])
    for _, first in firsts[:MOST_FIRST]:
        for second in attempt.lines.found:
            if time.process_time() > end:
                return
            if not second.edits.keys() & first.edits.keys() and _whole(attempt, {**first.edits, **second.edits}):
                yield " and ".join(sorted((first.what, second.what)))
