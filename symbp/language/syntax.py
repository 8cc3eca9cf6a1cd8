"""Text of the expression language → its syntax tree, by `grammar.lark`; a text that cannot be read gets the place and the remedy.

Stage: text → `lark.Tree`.  A text is bounded in length and depth, so that nothing behind it recurses without end.
"""
from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from symbp.errors import LanguageError
from symbp.language.functions import DEFINITIONS, PRIMITIVES

if TYPE_CHECKING:
    import lark

LONGEST, DEEPEST = 20_000, 20
ASCII = {"\u2212": "-", "\u2013": "-", "\u00b7": "*", "\u22c5": "*", "\u00d7": "*", "\u2217": "*", "\u00f7": "/", "\u2215": "/",
         "\u00b2": "^2", "\u00b3": "^3", "\u2264": "<=", "\u2265": ">="}
"""What to write in the place of signs that look well on paper."""


def read_tree(text: str, start: str) -> lark.Tree:
    """The tree of an "equation", an "expr" or a "relation"; raises `LanguageError`."""
    import lark
    if len(text) > LONGEST:
        raise LanguageError(f"the expression `{short(text)}` is {len(text)} characters long; at most {LONGEST} are read")
    if _brackets(text) > DEEPEST:
        raise _too_deep(text)
    try:
        found = _parser().parse(text, start=start)
    except lark.exceptions.UnexpectedInput as error:
        raise _unreadable(text, start, error) from None
    if _height(found) > DEEPEST:
        raise _too_deep(text)
    return found


def short(text: str) -> str:
    """A text on one line, for a message."""
    flat = " ".join(text.split())
    return flat if len(flat) <= 120 else flat[:117] + "…"


def source(node: lark.Tree, text: str) -> str:
    """The piece of the text that a node was read from."""
    return short(text[node.meta.start_pos:node.meta.end_pos])


@cache
def _parser() -> lark.Lark:
    import lark
    grammar = (Path(__file__).parent / "grammar.lark").read_text(encoding="utf-8")
    return lark.Lark(grammar, start=["equation", "expr", "relation"], parser="lalr", maybe_placeholders=False, propagate_positions=True)


def _brackets(text: str) -> int:
    """The deepest nesting of brackets."""
    depth = deepest = 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        deepest = max(deepest, depth)
    return deepest


def _height(root: lark.Tree) -> int:
    """How deep a tree is nested."""
    height, level = 0, [root]
    while level:
        height, level = height + 1, [c for node in level for c in node.children if hasattr(c, "children")]
    return height


def _too_deep(text: str) -> LanguageError:
    return LanguageError(f"in `{short(text)}`: more than {DEEPEST} operations or brackets are nested; write it as several equations")


def _unreadable(text: str, start: str, error: Exception) -> LanguageError:
    """What stands at the place where reading stopped, and what would be right."""
    token = getattr(error, "token", None)
    at = error.pos_in_stream if token is None else token.start_pos if token.type != "$END" else None
    place = "at its end" if at is None else f"at column {at + 1}, before `{short(text[at:at + 15])}`"
    return LanguageError(f"cannot read `{short(text)}` {place}{_hint(text, start, at)}")


def _hint(text: str, start: str, at: int | None) -> str:
    character = "" if at is None else text[at]
    if not character.isascii():
        return _foreign(character)
    if at is None and _open_brackets(text):
        return f"; {_open_brackets(text)} is missing"
    if start == "equation" and text.count("=") != 1:
        return "; an equation has one sign =, as in y[n,j] = sum(i, W[j,i]*x[n,i]) + b[j]"
    if start == "expr" and character == "=":
        return "; a formula is a right side alone: leave out the sign = and what stands before it"
    if start == "relation" and not re.search(r"[<>]|==", text):
        return "; a fact compares two expressions by ==, <, <=, > or >=, as in sum(k, t[n,k]) == 1"
    return (". An expression has numbers, names, accesses T[i,j], + - * / ^, sum(i, …), max(i, …), softmax(k, …), and functions: "
            + ", ".join(sorted({*PRIMITIVES, *DEFINITIONS})))


def _open_brackets(text: str) -> str:
    return ")" * max(0, text.count("(") - text.count(")")) or "]" * max(0, text.count("[") - text.count("]"))


def _foreign(character: str) -> str:
    """A character that no expression has, by its Unicode name, with the ASCII characters that are meant."""
    plain = ASCII.get(character, unicodedata.normalize("NFKC", character))
    meant = f"; write {plain}" if plain.isascii() and plain.isprintable() else "; expressions are written in ASCII"
    return f": this is {unicodedata.name(character, 'a character without a name')} (U+{ord(character):04X}){meant}"
