r"""The words of a formula: LaTeX, or characters such as ∂ and ⊙, → tokens with their places; what is only typography falls away.

Fonts fall away (\mathbf{W} is W), accents join the letter's name (\hat{y} is yhat), the file's own names are one word each.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from symbp.errors import SymbpError
from symbp.verify.vocabulary import (
    ACCENTS,
    COMBINING,
    DROPPED,
    FONTS,
    GREEK,
    IGNORED,
    KEYWORDS,
    LOWERED,
    MATRICES,
    PLAIN,
    RAISED,
    REFUSED,
    SAME,
    SIGN_OF,
    SIGNS,
    UNICODE,
    VALUE,
    WITH_ARGUMENT,
    WORDS,
)


@dataclass(frozen=True)
class Word:
    """A token: its kind, what it says, and where it begins and ends in the text."""

    kind: str
    value: str
    start: int
    end: int


EATEN = re.compile("[\x07\x08\x0b\x0c\x1b]|\t(?:heta|au|imes|anh|ext|op|ilde|o )|\n(?:abla|eq|u[ _^]|ot)|\r(?:ho|ight)")
"""What is left of a command whose backslash and first letter were read as a control character."""


def words(text: str, names: Iterable[str] = ()) -> list[Word]:
    r"""The tokens of a formula.

    Raises `SymbpError` with the place for a character or command that is not known.

    >>> [w.value for w in words(r"\mathbf{W}^{\top}\!\left(\hat{y}\right)", ["yhat"])]
    ['W', '^', '{', '⊤', '}', '(', 'yhat', ')']
    """
    if eaten := EATEN.search(text):
        raise SymbpError(f"the formula has a control character {place(text, eaten.start())}: in double quotes TOML takes \\f, \\t, \\n and "
                         "the like for such; write LaTeX in single quotes")
    found = list(_Reader(text, names).read())
    while found and found[-1].kind in ("COMMA", "DOTS", "POINT"):
        found.pop()
    return list(_placed([w for w in _bars([*_digits(found)]) if w.kind not in ("POINT", "DOTS")]))


class _Reader:
    """One pass over the text."""

    def __init__(self, text: str, names: Iterable[str]) -> None:
        self.text, self.at = text, 0
        longer = sorted({n for n in (*names, *(n.rstrip("0123456789_") for n in names), *WORDS) if len(n) > 1}, key=len, reverse=True)
        self.names = _pattern(tuple(longer))
        self.depth: list[str] = []

    def read(self) -> Iterator[Word]:
        """The tokens, in order."""
        while self.at < len(self.text):
            yield from self._one()

    def _one(self) -> Iterator[Word]:
        start, c = self.at, self.text[self.at]
        if c.isspace() or c in "$~\u200b\u2061":
            self.at += 1
        elif c == "\\":
            yield from self._command()
        elif c == "." and not self.text[start + 1 : start + 2].isdigit():
            self.at += 1
            yield Word("POINT", ".", start, self.at)
        elif number := re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+").match(self.text, start):
            if re.search("[eE]", number[0]) and not re.search(r"[eE][+-]", number[0]):
                number = re.compile(r"\d+(?:\.\d+)?").match(self.text, start)
            self.at = number.end()
            yield Word("NUM", number[0], start, self.at)
        elif self.text.startswith((":=", "+=", "-=", "<-", "<=", ">=", "!=", "==", "**", "≠", "⟵", "->"), start):
            sign = next(s for s in (":=", "+=", "-=", "<-", "<=", ">=", "!=", "==", "**", "->") if self.text.startswith(s, start))
            self.at += 2
            kind = {":=": "BECOMES", "<-": "BECOMES", "+=": "GROWS", "-=": "GROWS", "==": "EQ", "**": "UP", "->": "TO"}.get(sign, "CMP")
            yield Word(kind, sign, start, self.at)
        else:
            yield from self._character(start, c)

    def _character(self, start: int, c: str) -> Iterator[Word]:
        name = self.names.match(self.text, start) if self.names else None
        if name and not (start and (self.text[start - 1].isalpha() and self.text[start - 1].isascii() and self._inside_run(start))):
            self.at = name.end()
            yield Word("SYM", name[0], start, self.at)
        elif c in RAISED or c in LOWERED:
            yield from self._small(RAISED if c in RAISED else LOWERED, "^" if c in RAISED else "_")
        elif c in UNICODE:
            self.at += 1
            yield Word(UNICODE[c], VALUE.get(c, c), start, self.at)
        elif c in GREEK or c.isalpha():
            self.at += 1
            yield from self._letter(start, c)
        elif c in PLAIN:
            self.at += 1
            yield Word(PLAIN[c], c, start, self.at)
        else:
            raise self._unknown(start, f"the character {c!r} is not known")

    def _inside_run(self, start: int) -> bool:
        """Whether letters before belong to the same word, so that no name begins here."""
        return not self.names.match(self.text, start) or self.text[start : start + 1].islower() and self.text[start - 1].islower()

    def _letter(self, start: int, c: str) -> Iterator[Word]:
        base = unicodedata.normalize("NFD", c)
        accent = "".join(COMBINING.get(m, "") for m in base[1:])
        while self.text[self.at : self.at + 1] in COMBINING:
            accent += COMBINING[self.text[self.at]]
            self.at += 1
        letter = GREEK.get(c, base[0] if accent else c)
        joined = re.compile(r"[0-9]+(?![0-9.])").match(self.text, self.at) if c in GREEK else None
        if joined and self.names and self.names.fullmatch(letter + accent + joined[0]):
            self.at = joined.end()
            accent += joined[0]
        yield Word("SYM", letter + accent, start, self.at)

    def _small(self, table: dict[str, str], sign: str) -> Iterator[Word]:
        """A run of raised or lowered characters as a script in braces."""
        start = self.at
        yield Word("UP" if sign == "^" else "DOWN", sign, start, start + 1)
        yield Word("LG", "{", start, start)
        while self.at < len(self.text) and (c := self.text[self.at]) in table:
            plain = table[c]
            kind = "NUM" if plain.isdigit() else {"+": "PLUS", "-": "MINUS", "(": "LP", ")": "RP"}.get(plain, "SYM")
            self.at += 1
            yield Word(kind, "⊤" if plain == "T" and self.text[self.at - 1] == "ᵀ" else plain, self.at - 1, self.at)
        yield Word("RG", "}", self.at, self.at)

    def _command(self) -> Iterator[Word]:
        start = self.at
        match = re.compile(r"\\([A-Za-z]+\*?|.|$)", re.S).match(self.text, start)
        name = SAME.get(match[1], match[1])
        self.at = match.end()
        if name == "\\":
            yield Word("NL", r"\\", start, self.at)
        elif name in ("|",):
            yield Word("NORM", "|", start, self.at)
        elif name in ("begin", "end"):
            yield from self._environment(name, start)
        elif name in ("left", "right", "bigl", "bigr", "big", "Big", "Bigl", "Bigr") and self.text[self.at : self.at + 1] == ".":
            self.at += 1
        elif match[1] == "ell":
            yield Word("SYM", "ell" if self.names and self.names.fullmatch("ell") else "l", start, self.at)
        elif name in WITH_ARGUMENT:
            self._group()
        elif name in ("left", "right") and self.text[self.at : self.at + 1] == "|":
            self.at += 1
            yield Word("LBAR" if name == "left" else "RBAR", "|", start, self.at)
        elif name in ("left", "right") and re.match(r"\\\||\\Vert", self.text[self.at :]):
            self.at += 2 if self.text[self.at + 1] == "|" else 5
            yield Word("LNORM" if name == "left" else "RNORM", "|", start, self.at)
        elif name in DROPPED:
            pass
        elif name in FONTS:
            yield from self._font(name, start)
        elif name in ("stackrel", "overset", "underset"):
            self._group()
        elif name in ACCENTS:
            yield from self._accent(ACCENTS[name], start)
        elif name == "mathbb":
            yield from self._blackboard(start)
        elif name in REFUSED:
            raise self._unknown(start, f"\\{name} {REFUSED[name]}, and is not judged")
        elif name in SIGNS:
            yield Word(SIGNS[name], VALUE.get(name, name), start, self.at)
        elif name in ("Vert",):
            yield Word("NORM", "|", start, self.at)
        elif name in ("vert",):
            yield Word("BAR", "|", start, self.at)
        elif name in ("max", "min", "arg", "argmax", "argmin"):
            yield Word("SYM", name, start, self.at)
        elif name in WORDS or name in GREEK.values() or name.startswith("Math"):
            yield from self._named(name, start)
        elif name in ("epsilon", "imath", "jmath", "hbar"):
            yield Word("SYM", {"imath": "i", "jmath": "j"}.get(name, name), start, self.at)
        else:
            yield from self._named(name, start)

    def _named(self, name: str, start: int) -> Iterator[Word]:
        if name not in GREEK.values() and name not in WORDS and not (self.names and self.names.fullmatch(name)):
            raise self._unknown(start, f"the command \\{name} is not known")
        joined = re.compile(r"[0-9]+(?![0-9.])").match(self.text, self.at)
        if joined and self.names and self.names.fullmatch(name + joined[0]):
            self.at = joined.end()
            name += joined[0]
        yield Word("SYM", name, start, self.at)

    def _environment(self, what: str, start: int) -> Iterator[Word]:
        match = re.compile(r"\s*\{([a-zA-Z]+\*?)\}(?:\s*(?:\{[lcr|@{} ]*\}|\[[lcr]\]))?").match(self.text, self.at)
        if match is None:
            raise self._unknown(start, f"behind \\{what} stands the name of an environment in braces")
        self.at = match.end()
        name = match[1]
        if name in ("cases", "dcases", "rcases"):
            yield Word("LCASES" if what == "begin" else "RCASES", name, start, self.at)
        elif name in IGNORED:
            return
        elif name in MATRICES:
            yield Word("LMAT" if what == "begin" else "RMAT", name, start, self.at)
        else:
            raise self._unknown(start, f"the environment {name} is not known")

    def _group(self) -> str:
        """The text of the next group in braces, or the next character or command, and step behind it."""
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1
        if self.text[self.at : self.at + 1] != "{":
            single = re.compile(r"\\[A-Za-z]+|.", re.S).match(self.text, self.at)
            self.at = single.end() if single else self.at
            return single[0] if single else ""
        depth, begin = 0, self.at + 1
        for k in range(self.at, len(self.text)):
            depth += (self.text[k] == "{") - (self.text[k] == "}")
            if not depth:
                self.at = k + 1
                return self.text[begin:k]
        raise self._unknown(begin - 1, "this brace is never closed")

    def _font(self, name: str, start: int) -> Iterator[Word]:
        """A letter or word in another font; several letters together are one word."""
        inner = self._group()
        begin = self.at - len(inner) - 1
        bare = inner.strip().strip("\\,:; ").strip()
        if name in ("text", "mbox", "hbox", "textrm") and re.fullmatch(
            r"(?:,?\s*(?:if|for|when|where|otherwise|else|and|with|so|then|,)\s*)+", inner
        ):
            kind = "OTHERWISE" if re.search("otherwise|else", inner) else "IF" if re.search("if|for|when|where", inner) else "AND"
            yield Word(kind, bare, start, self.at)
        elif re.fullmatch(r"[A-Za-z][A-Za-z0-9 \-]*", bare) and len(bare) > 1:
            yield Word("SYM", re.sub(r"[ \-]", "", bare), start, self.at)
        elif bare == "1":
            yield Word("ONE", "1", start, self.at)
        elif bare == "T" and name in ("mathsf", "mathrm", "text", "intercal"):
            yield Word("SYM", "⊤", start, self.at)
        else:
            yield from self._inner(inner, begin)

    def _inner(self, inner: str, begin: int) -> Iterator[Word]:
        reader = _Reader(inner, ())
        reader.names = self.names
        try:
            found = list(reader.read())
        except SymbpError as error:
            raise SymbpError(str(error)) from None
        yield from (Word(w.kind, w.value, w.start + begin, w.end + begin) for w in found)

    def _accent(self, accent: str, start: int) -> Iterator[Word]:
        inner = self._group()
        found = list(self._inner(inner, self.at - len(inner) - 1))
        if not found or found[0].kind != "SYM":
            raise self._unknown(start, "an accent stands over one letter")
        yield Word("SYM", found[0].value + accent, start, self.at)
        yield from found[1:]

    def _blackboard(self, start: int) -> Iterator[Word]:
        inner = self._group().strip()
        if inner in ("1", "I", r"\mathbb{1}"):
            yield Word("ONE", "1", start, self.at)
        elif inner == "E":
            raise self._unknown(start, r"\mathbb{E} is an expectation, and is not judged")
        else:
            yield Word("SYM", inner, start, self.at)

    def _unknown(self, at: int, what: str) -> SymbpError:
        return SymbpError(f"the formula cannot be read {place(self.text, at)}: {what}")


def _digits(found: list[Word]) -> Iterator[Word]:
    r"""\frac12 has two arguments of one digit."""
    before = ""
    for w in found:
        if w.kind == "NUM" and before == "FRAC" and len(w.value) == 2 and w.value.isdigit():
            yield Word("NUM", w.value[0], w.start, w.start + 1)
            yield Word("NUM", w.value[1], w.start + 1, w.end)
        else:
            yield w
        before = w.kind


def _placed(found: list[Word]) -> Iterator[Word]:
    """Tokens by where they stand: & and \\\\ only in a matrix or cases, an array behind a brace as cases, W[ as an index."""
    inside: list[str] = []
    for k, w in enumerate(found):
        kind, value = w.kind, w.value
        before, after = found[k - 1] if k else None, found[k + 1] if k + 1 < len(found) else None
        if kind == "LS" and after is not None and after.kind == "LMAT" and after.value == "array":
            continue
        if kind == "LMAT" and value == "array" and before is not None and before.kind == "LS":
            kind = "LCASES"
        if kind in ("LCASES", "LMAT"):
            inside.append(kind)
        elif kind == "RMAT" and inside:
            kind = "R" + inside.pop()[1:]
        elif kind == "RCASES" and inside:
            inside.pop()
        elif kind == "COMMA" and inside and after is not None and after.kind in ("NL", "RCASES") or (
            kind in ("AMP", "NL")
            and not inside
            or kind == "COMMA"
            and after is not None
            and (after.kind == "SYM" and after.value in KEYWORDS or after.kind in KEYWORDS.values())
        ):
            continue
        elif kind in SIGN_OF:
            kind, value = "SIGN", SIGN_OF[kind]
        elif (
            kind == "LB"
            and before is not None
            and before.kind == "SYM"
            and before.end == w.start
            and (k < 2 or found[k - 2].kind not in ("UP", "DOWN"))
        ):
            kind = "LI"
        elif kind == "SYM" and value in KEYWORDS:
            kind = KEYWORDS[value]
        yield Word(kind, value, w.start, w.end)


@cache
def _pattern(longer: tuple[str, ...]) -> re.Pattern:
    return re.compile("(?:" + "|".join(map(re.escape, longer)) + r")(?![A-Za-z0-9])") if longer else None


BEFORE_A_VALUE = frozenset({
    "PLUS", "MINUS", "LP", "LB", "LG", "LS", "EQ", "CMP", "COMMA", "DOT", "CROSS", "ODOT", "STAR", "OVER", "BECOMES", "DEFINED", "UP",
    "DOWN", "AMP", "NL", "FRAC", "LCASES", "LMAT", "GROWS",
})
"""Kinds of tokens behind which a bar can only open."""
GROUPS = {"LP": 1, "LB": 1, "LS": 1, "LG": 1, "RP": -1, "RB": -1, "RS": -1, "RG": -1}


def _bars(found: list[Word]) -> Iterator[Word]:
    """| and ‖ as opening or closing, by what stands before; | as "given" where it has no partner."""
    open_: list[str] = []
    before = "PLUS"
    for k, w in enumerate(found):
        kind = w.kind
        if kind in ("BAR", "NORM"):
            starts = before in BEFORE_A_VALUE
            left, right = ("LBAR", "RBAR") if kind == "BAR" else ("LNORM", "RNORM")
            if open_ and open_[-1] == right and not starts:
                kind = open_.pop()
            elif starts or kind == "NORM" or _has_partner(found, k):
                open_.append(right)
                kind = left
            else:
                kind = "MID"
        before = kind
        yield Word(kind, w.value, w.start, w.end)


def _has_partner(found: list[Word], k: int) -> bool:
    """Whether an odd number of bars follows before the group ends in which this one stands."""
    depth = bars = 0
    for w in found[k + 1 :]:
        depth += GROUPS.get(w.kind, 0)
        if depth < 0:
            break
        bars += w.kind == "BAR" and not depth
    return bars % 2 == 1


def place(text: str, at: int) -> str:
    """Where a position is, in words.

    >>> place("x + = y", 4)
    'at `= y`, behind `x +`'
    """
    from symbp.report.text import visible

    behind = f", behind `{visible(text[:at].strip()[-40:])}`" if text[:at].strip() else ""
    return (f"at `{visible(text[at:].strip()[:40])}`" if text[at:].strip() else "at its end") + behind
