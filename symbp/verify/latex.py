r"""Reads a formula as books print it: LaTeX, or the same with ∂, δ, ⊙ as characters.  What cannot be read is an error with the place.

Stage: text → tokens → syntax tree → nodes.  What symbols mean is the business of `symbp.verify.meaning`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from symbp.errors import SymbpError
from symbp.verify.nodes import Formula, Node, Sym
from symbp.verify.structure import Structure
from symbp.verify.tokens import Word, place, words

if TYPE_CHECKING:
    import lark

LONGEST, DEEPEST, MOST_WORDS = 4_000, 60, 1_500
BETWEEN = re.compile(r",?\s*(?:\\text\{,?\s*and\s*\}|\\mbox\{,?\s*and\s*\}|\\qquad|\\quad)")
STATES = re.compile(r"=|\\leftarrow|\\gets|←|≔")
CONDITION = re.compile(r"\s*(?:\\text|\\mbox|\\mathrm|\(|\[|\\left|if\b|for\b|where\b|\\forall)")
LIES_IN = re.compile(r"\s*(?:\\in|∈)\s*(?:\\mathbb\s*\{?R\}?|ℝ)(?:\s*\^\s*(?:\{[^{}]*\}|\w))?\s*$")
OPENING, CLOSING = (
    ("LP", "LB", "LS", "LG", "LI", "LBAR", "LNORM", "LCASES", "LMAT"),
    ("RP", "RB", "RS", "RG", "RBAR", "RNORM", "RCASES", "RMAT"),
)
SHOWN = {
    "SYM": "a letter",
    "NUM": "a number",
    "LP": "(",
    "RP": ")",
    "LB": "[",
    "RB": "]",
    "LG": "{",
    "RG": "}",
    "EQ": "=",
    "PLUS": "+",
    "MINUS": "-",
    "FRAC": r"\frac",
    "UP": "^",
    "DOWN": "_",
    "BIG": r"\sum",
    "ODOT": r"\odot",
    "$END": "the end",
    "RCASES": r"\end{cases}",
    "RMAT": r"\end{matrix}",
    "RBAR": "|",
    "RNORM": r"\|",
    "COMMA": ",",
    "RS": r"\}",
}
"""The tokens that an error names, in the reader's words; the others are left out."""


def read_formula(text: str, names: Iterable[str] = (), functions: Iterable[str] = (), numbers: Iterable[str] = (),
                 timed: Iterable[str] = (), applied: list[tuple[Sym, Node]] | None = None, far: bool = False,
                 matrices: Iterable[str] = ()) -> Formula:
    r"""The nodes of a formula with at least two sides.

    names: what is known, words of several letters among it.  functions: symbols that call a function.  numbers: names whose
    arguments may be written behind them, such as the J of J(θ).  timed: names behind which (t) may stand.
    applied: takes the names with brackets behind them, J(θ), and what these hold.  far: log a b is log(a b), and not log(a) b.
    matrices: letters of matrices, so that a right side W (x) is a product.
    Raises `SymbpError` with the place and what could stand there.

    >>> read_formula("x + = y")
    Traceback (most recent call last):
    symbp.errors.SymbpError: the formula cannot be read at `= y`, behind `x +`: expected a letter, a number, (, [, {, \frac or \sum
    >>> read_formula(r"a = b").signs
    ('=',)
    """
    names = tuple(names)
    structure = Structure(names, tuple(functions), tuple(numbers), tuple(timed), far, tuple(matrices))
    formula = _whole(text, names, structure)
    if applied is not None:
        applied += structure.applied
    if len(formula.sides) < 2:
        raise SymbpError(f"the formula `{text.strip()[:60]}` states nothing: it has no relation such as = or :=")
    return formula


def statements(text: str) -> list[str]:
    r"""The formulas of which a text consists: those between which an "and" or wide space stands, without what says where a side lies.

    >>> statements(r"\frac{\partial J}{\partial L} = 1 \; \text{and} \; a = b \in \mathbb{R}^q")
    ['\\frac{\\partial J}{\\partial L} = 1 \\;', '\\; a = b']
    """
    parts = [LIES_IN.sub("", part).strip() for part in BETWEEN.split(text)]
    return parts if len(parts) > 1 and all(STATES.search(part) and not CONDITION.match(part) for part in parts) else [LIES_IN.sub("", text)]


def lies_somewhere(text: str) -> bool:
    """Whether a formula says where a side lies: … ∈ ℝⁿ."""
    return any(map(LIES_IN.search, BETWEEN.split(text)))


def _whole(text: str, names: tuple[str, ...], structure: Structure) -> Formula:
    import lark

    if len(text) > LONGEST:
        raise SymbpError(f"the formula has {len(text)} characters; {LONGEST} are the most")
    found = _assigned(words(text, names))
    if len(found) > MOST_WORDS:
        raise SymbpError(f"the formula has {len(found)} symbols; {MOST_WORDS} are the most")
    depth = max(itertools.accumulate((w.kind in OPENING) - (w.kind in CLOSING) for w in found), default=0)
    if depth > DEEPEST:
        raise SymbpError(f"the formula is nested {depth} deep; {DEEPEST} is the most")
    parser = _parser().parse_interactive("")
    for word in found:
        _feed(parser, lark.Token(word.kind, word.value, start_pos=word.start, end_pos=word.end), text, word)
    return structure.formula(_feed(parser, lark.Token("$END", ""), text, None))


def _assigned(found: list[Word]) -> list[Word]:
    """w → w' = …, and w → …, as an update of w."""
    depth = list(itertools.accumulate((w.kind in OPENING) - (w.kind in CLOSING) for w in found))
    outside = [k for k, w in enumerate(found) if not depth[k] and w.kind in ("TO", "EQ", "DEFINED", "BECOMES")]
    if not outside or found[outside[0]].kind != "TO" or any(found[k].kind == "TO" for k in outside[1:]):
        return found
    sign, behind = found[outside[0]], outside[1] if len(outside) > 1 else outside[0]
    return [*found[: outside[0]], replace(sign, kind="BECOMES"), *found[behind + 1 :]]


def _feed(
    parser: lark.parsers.lalr_interactive_parser.InteractiveParser, token: lark.Token, text: str, word: Word | None
) -> lark.Tree | None:
    import lark

    try:
        return parser.feed_token(token)
    except lark.exceptions.UnexpectedToken:
        wanted = [shown for kind, shown in SHOWN.items() if kind in parser.accepts()]
        expected = ", ".join(wanted[:-1]) + (" or " if len(wanted) > 1 else "") + wanted[-1] if wanted else "something else"
        at = len(text) if word is None else word.start
        raise SymbpError(f"the formula cannot be read {place(text, at)}: expected {expected}") from None


@cache
def _parser() -> lark.Lark:
    import lark

    class Given(lark.lexer.Lexer):
        """The tokens come from elsewhere."""

        def __init__(self, conf: object) -> None:
            pass

        def lex(self, _state: object) -> Iterable[lark.Token]:
            return iter(())

    grammar = (Path(__file__).parent / "formula.lark").read_text(encoding="utf-8")
    return lark.Lark(grammar, parser="lalr", lexer=Given, maybe_placeholders=False)
