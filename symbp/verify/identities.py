"""Formulas about functions alone, such as σ(−x) = 1 − σ(x) or d/da tanh a = 1 − tanh² a: their letters need not be declared.

Stage: formula → the text with the formula's own letters as numbers, where it uses no name of the text.
"""

from __future__ import annotations

from dataclasses import replace

from symbp.language.program import Program
from symbp.language.tensor import Tensor
from symbp.verify.claimfile import Text
from symbp.verify.naming import Names
from symbp.verify.nodes import Call, Formula, Sym, below, is_letter

CONSTANTS = ("e", "pi", "∂", "∇", "𝟏", "?", "⊤", "T")
MOST = 6


def is_identity(formula: Formula) -> bool:
    """Whether each side has the same letters, so that the sides may be equal whatever these are; a = σ(z) defines a."""
    found = [{n.base for n in below(side) if isinstance(n, Sym) and n.base not in CONSTANTS} for side in formula.sides]
    return all(letters == found[0] for letters in found)


def text_of_letters(text: Text, names: Names, formula: Formula) -> Text | None:
    """The text in which a formula's letters are numbers; None where it uses a name of the text, an index or a name of its own.

    >>> from symbp.verify.claimfile import parse
    >>> from symbp.verify.latex import read_formula
    >>> text = parse('''[network]
    ... equations = ["y = x^2"]
    ... [[claims]]
    ... formula = "y = x^2"
    ... ''')
    >>> found = text_of_letters(text, Names({"x": 0, "y": 0}), read_formula(r"\\\\tanh(a) = -\\\\tanh(-a)"))
    >>> [t.name for t in found.program.inputs]
    ['a']
    """
    symbols = [n for side in formula.sides for n in below(side) if isinstance(n, Sym)]
    letters = {s.base for s in symbols if s.base not in CONSTANTS}
    plain = all(is_letter(replace(s, sups=())) and not any(p.shape for p in s.sups) for s in symbols)
    called = any(isinstance(n, Call) for side in formula.sides for n in below(side)) or any(s.base == "e" for s in symbols)
    if not plain or not called or not letters or len(letters) > MOST or any(names.find(s, names.last(s)) for s in symbols):
        return None
    tensors = tuple(Tensor(letter, (), role="input") for letter in sorted(letters))
    return replace(text, program=Program(tensors, ()), loss="", optimizer=None, names={}, broken={}, values={}, claims=(), cases=(),
                   not_judged=(), samples=(), batch=0)
