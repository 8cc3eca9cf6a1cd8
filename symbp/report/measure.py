"""How wide a formula is, roughly: a small reader of LaTeX mathematics that adds up the widths of its atoms.

Widths are in em of Latin Modern (and near enough for other fonts).  The estimate decides where a
formula is broken; nothing depends on its last digit.  A formula that is not well formed is
measured as far as it can be: the reader never raises.
"""
from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|\s+|.", re.DOTALL)


def _commands(names: str, others: str = "") -> frozenset[str]:
    """The commands of these names, and single characters."""
    return frozenset("\\" + name for name in names.split()) | frozenset(others)


_RELATIONS = _commands("le leq ge geq ne neq approx equiv in notin leftarrow gets to rightarrow mapsto coloneqq sim propto Rightarrow "
                       "Leftrightarrow iff mid mathrel", "=<>:")
_BINARY = _commands("pm mp times odot otimes oplus circ wedge vee ast setminus cup cap cdot mathbin", "+-*")
_OPEN = _commands("{ lfloor lceil langle lvert lVert lbrace lbrack", "([")
_CLOSE = _commands("} rfloor rceil rangle rvert rVert rbrace rbrack", ")]")
_SPACES = {r"\,": 0.167, r"\:": 0.222, r"\;": 0.278, r"\!": -0.167, r"\ ": 0.333, "~": 0.333, r"\quad": 1.0, r"\qquad": 2.0,
           r"\limits": 0.0, r"\nolimits": 0.0, r"\displaystyle": 0.0, r"\textstyle": 0.0, r"\negthinspace": -0.167}
_LARGE = {r"\sum": 1.44, r"\prod": 1.28, r"\int": 0.9, r"\bigodot": 1.5, r"\bigoplus": 1.5}
_NAMED = _commands("max min log exp sin cos tan sinh cosh tanh lim arg sup inf det ln operatorname*")
_LIMITS = set(_LARGE) | {r"\max", r"\min", r"\lim", r"\sup", r"\inf", r"\operatorname*"}
_TEXT = _commands("text mathrm operatorname operatorname* textbf textrm mathsf mathtt")
_ONE = _TEXT | _commands("mathbf boldsymbol mathcal mathbb mathit overline underline hat bar dot ddot tilde vec widehat widetilde mathop "
                         "mathrel mathbin mathord sqrt substack underbrace overbrace phantom bm")
_TWO = _commands("frac dfrac tfrac cfrac binom overset underset stackrel")
_SIZED = re.compile(r"\\[bB]igg?([lrm]?)$")
_WIDTHS = dict.fromkeys("ijlt", 0.37) | {"m": 0.88, "w": 0.73, "M": 1.05, "W": 1.05, "I": 0.48, "J": 0.6, "'": 0.25,
                                         ",": 0.44, ";": 0.44, "!": 0.28, ".": 0.28, "|": 0.28, "&": 0.0, "/": 0.5}
_WIDTHS |= {r"\delta": 0.46, r"\top": 0.78, r"\partial": 0.58, r"\ell": 0.42, r"\infty": 1.0, r"\cdot": 0.28, r"\cdots": 1.17,
            r"\ldots": 1.17, r"\dots": 1.17, r"\nabla": 0.83, r"\iota": 0.35, r"\bigl": 0.0, r"\colon": 0.44, r"\#": 0.83}


@dataclass(frozen=True)
class Atom:
    """A piece of a formula that is never broken: its LaTeX, its class, its width in em.

    `group` holds opening delimiter, content and closing delimiter (with scripts) of a `\\left…\\right`.
    """

    source: str
    kind: str
    width: float
    group: tuple[str, str, str] | None = None


def atoms(latex: str, script: bool = False) -> list[Atom]:
    """Return the atoms of a formula in order; joined, their sources are the formula."""
    return _Reader(latex, script).read()


def width(latex: str, script: bool = False) -> float:
    """Return the estimated width of a formula in em.

    >>> 2 < width("a = b") < 3
    True
    """
    return sum(atom.width for atom in atoms(latex, script))


def text_width(text: str) -> float:
    """Return the estimated width of running text in em; characters of Asian scripts count as their code point."""
    return sum(3.4 if ord(c) > 0x2E80 else 0.72 if c.isupper() or c in "mwMW" else 0.28 if c in "ijl.,:;' " else 0.5 for c in text)


def _letter(token: str) -> float:
    """The width of one ordinary token."""
    if token in _WIDTHS:
        return _WIDTHS[token]
    if token.startswith("\\"):
        return 0.72 if token[1:2].isupper() else 0.58
    if token.isspace() or token in "{}":
        return 0.0
    return 0.76 if token.isupper() else 0.39 if token in "()[]" else 0.53


class _Reader:
    """One pass over the tokens of a formula."""

    def __init__(self, latex: str, script: bool) -> None:
        self.tokens = _TOKEN.findall(latex)
        self.position = 0
        self.script = script

    def read(self) -> list[Atom]:
        found: list[Atom] = []
        while self.position < len(self.tokens):
            found.append(self._atom(found))
        return found

    def _peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self.position += 1
        return token

    def _atom(self, before: list[Atom]) -> Atom:
        """A nucleus with its scripts."""
        start = self.position
        token = self._next()
        kind, size, group = self._nucleus(token, before)
        body = self.position
        scripts = self._scripts()
        stacked = token in _LIMITS and not self.script
        size = max(size, scripts) if stacked else size + scripts
        if group:
            group = (group[0], group[1], group[2] + "".join(self.tokens[body:self.position]))
        return Atom("".join(self.tokens[start:self.position]), kind, size, group)

    def _scripts(self) -> float:
        """The width that subscripts and superscripts add; the wider one counts."""
        widest = {"_": 0.0, "^": 0.0}
        while self._peek() in ("_", "^", "'", r"\limits", r"\nolimits"):
            mark = self._next()
            if mark in widest:
                widest[mark] = 0.75 * width(self._argument(), script=True)
            elif mark == "'":
                widest["^"] += 0.27
        return max(widest.values())

    def _argument(self) -> str:
        """The source of the next argument, braces taken off."""
        while self._peek().isspace():
            self.position += 1
        if self._peek() != "{":
            return self._next()
        start, depth = self.position + 1, 0
        while self.position < len(self.tokens):
            token = self._next()
            depth += (token == "{") - (token == "}")
            if depth == 0:
                break
        return "".join(self.tokens[start:self.position - 1])

    def _nucleus(self, token: str, before: list[Atom]) -> tuple[str, float, tuple[str, str, str] | None]:
        """Class, width and group of the nucleus that starts with this token."""
        if token == "{":
            self.position -= 1
            return "ord", width(self._argument(), self.script), None
        if token == r"\left":
            return self._fenced()
        if token == r"\begin":
            return "ord", self._environment(), None
        if token in _SPACES or token.isspace():
            return "space", _SPACES.get(token, 0.0), None
        return *self._symbol(token, before), None

    def _symbol(self, token: str, before: list[Atom]) -> tuple[str, float]:
        """Class and width of everything that is neither braced, fenced nor a space."""
        gap = 0.0 if self.script else 1.0
        sized = _SIZED.match(token)
        if sized:
            self._next()
            return {"l": "open", "r": "close"}.get(sized[1], "ord"), 0.6
        if token in _RELATIONS:
            return "rel", self._command(token, 0.78) + 0.56 * gap
        if token in _BINARY:
            size = self._command(token, 0.78)
            return ("ord", size) if _is_prefix(before) else ("bin", size + 0.44 * gap)
        if token in _OPEN or token in _CLOSE:
            return "open" if token in _OPEN else "close", 0.42
        if token in _LARGE or token in _NAMED or token == r"\operatorname":
            return "op", self._command(token, _LARGE.get(token, 0.53 * (len(token) - 1))) + 0.167 * gap
        return "ord", self._command(token, _letter(token))

    def _command(self, token: str, otherwise: float) -> float:
        """The width of a command with arguments, or `otherwise`."""
        if token in _TWO:
            return max(width(self._argument(), self.script), width(self._argument(), self.script)) + 0.24
        if token not in _ONE:
            return otherwise
        if token == r"\sqrt" and self._peek() == "[":
            while self._next() not in ("]", ""):
                pass
        inner = self._argument()
        if token in _TEXT and "\\" not in inner:
            return text_width(inner)
        return max(width(row, self.script) for row in inner.split(r"\\")) + (0.9 if token == r"\sqrt" else 0.0)

    def _fenced(self) -> tuple[str, float, tuple[str, str, str]]:
        """A `\\left…\\right` with what stands in it."""
        opening, start, depth = self._next(), self.position, 1
        while depth and self.position < len(self.tokens):
            token = self._next()
            depth += (token == r"\left") - (token == r"\right")
        inner = "".join(self.tokens[start:self.position - (depth == 0)])
        closing = self._next()
        return "ord", width(inner, self.script) + (1.6 if "\\sum" in inner or "\\frac" in inner else 1.1), (opening, inner, closing)

    def _environment(self) -> float:
        """The width of the widest row of a `\\begin…\\end`, with its brackets."""
        name, start, depth = self._argument(), self.position, 1
        while depth and self.position < len(self.tokens):
            token = self._next()
            depth += (token == r"\begin") - (token == r"\end")
        rows = "".join(self.tokens[start:self.position - (depth == 0)]).split(r"\\")
        self._argument()
        gaps = 1.0 if name != "split" else 0.0
        return max(width(row, self.script) + gaps * row.count("&") for row in rows) + 1.2


def _is_prefix(before: list[Atom]) -> bool:
    """Whether a + or - after these atoms is a sign and not an operation."""
    kinds = [atom.kind for atom in before if atom.kind != "space"]
    return not kinds or kinds[-1] in ("rel", "bin", "open", "op")
