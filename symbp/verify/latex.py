r"""Reads a formula as books print it: LaTeX, or the same with ∂, δ, ⊙ as characters.  What cannot be read is an error with the place.

Stage: text → syntax tree.  What symbols mean is the business of `symbp.verify.meaning`.
"""
from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from symbp.errors import SymbpError
from symbp.report.text import visible

if TYPE_CHECKING:
    import lark

LONGEST, DEEPEST = 2_000, 60
LETTERS = {"α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "Δ": r"\Delta", "ε": r"\epsilon", "η": r"\eta", "θ": r"\theta",
           "λ": r"\lambda", "μ": r"\mu", "σ": r"\sigma", "Σ": r"\sum", "φ": r"\phi", "∂": r"\partial", "⊙": r"\odot", "∘": r"\circ",
           "·": r"\cdot", "×": r"\times", "⊤": r"\top", "ᵀ": r"^\top", "′": "'", "−": "-", "←": r"\leftarrow",
           "∇": r"\nabla", "²": "^2"}
TYPOGRAPHY = re.compile(r"\\(?:left|right|q?quad|[bB]igg?[lr]?)(?![A-Za-z])|\\[,;:!> ]|&|\\\\$|\$")
FONTS = re.compile(r"\\(?:mathbf|boldsymbol|mathrm|mathit|mathcal|bm|text|operatorname|vec|mathbb)\s*\{([^{}]*)\}")
WORDS = ("softmax", "sigmoid", "tanh", "exp", "log", "ln", "diag", "relu", "ReLU", "sin", "cos")


def tree_of(text: str, names: Iterable[str] = ()) -> tuple[lark.Tree, tuple[str, ...]]:
    """The syntax tree of a formula; `names` are words that stand for one symbol each.  The second answer lists those found.

    Raises `SymbpError` with the place and what could stand there.

    >>> tree_of("x + = y")
    Traceback (most recent call last):
    symbp.errors.SymbpError: the formula cannot be read at `= y`, behind `x +`
    """
    import lark
    if len(text) > LONGEST:
        raise SymbpError(f"the formula has {len(text)} characters; {LONGEST} are the most")
    plain, found = _plain(text, names)
    depth = max(itertools.accumulate((c in "{(") - (c in "})") for c in plain), default=0)
    if depth > DEEPEST:
        raise SymbpError(f"the formula is nested {depth} deep; {DEEPEST} is the most")
    try:
        return _parser().parse(plain), found
    except lark.exceptions.UnexpectedInput as error:
        end = getattr(getattr(error, "token", None), "type", "") == "$END" or (error.pos_in_stream or 0) < 0
        at = len(plain) if end else error.pos_in_stream
        shown = [_words(part, found) for part in (plain[at:], plain[:at])]
        place = f"at `{visible(shown[0][:40])}`" if shown[0] else "at its end"
        raise SymbpError(f"the formula cannot be read {place}, behind `{visible(shown[1][-40:])}`") from None


def _plain(text: str, names: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """The formula without typography, and a mark for each word that is a name."""
    greek = {word: letter for letter, command in LETTERS.items() if (word := command.removeprefix("\\")).isalpha()}
    for name in sorted((n for n in names if len(n) > 1), key=len, reverse=True):
        head = re.match(r"[A-Za-z]+", name)
        if head and head[0] in greek and name != head[0]:
            text = text.replace(greek[head[0]] + name[head.end():], name)
    for letter, command in LETTERS.items():
        text = text.replace(letter, f"{command} " if command[-1:].isalpha() else command)
    while (bare := FONTS.sub(lambda m: m[1] if len(m[1].strip()) == 1 else f" {m[1].strip()} ", text)) != text:
        text = bare
    text = TYPOGRAPHY.sub(" ", text)
    for word in WORDS:
        text = re.sub(rf"(?<![\\A-Za-z_]){word}(?![A-Za-z])", lambda m: "\\" + m[0] + " ", text)
    known = sorted((n for n in names if len(n) > 1), key=len, reverse=True)
    found = tuple(known)
    if known:
        pattern = re.compile(r"(?<![\\A-Za-z_0-9])(?:" + "|".join(map(re.escape, known)) + r")(?![A-Za-z_0-9])")
        text = pattern.sub(lambda m: f"@{known.index(m[0])}@", text)
    return re.sub(r"\s+", " ", text).strip(), found


def _words(text: str, found: tuple[str, ...]) -> str:
    return re.sub(r"@(\d+)@", lambda m: found[int(m[1])], text).strip()


@cache
def _parser() -> lark.Lark:
    import lark
    grammar = (Path(__file__).parent / "formula.lark").read_text(encoding="utf-8")
    return lark.Lark(grammar, parser="lalr", maybe_placeholders=False)
