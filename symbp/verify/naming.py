r"""Which tensor a symbol with its scripts is: W^{(2)}, W^{[2]}, W^2 and W_2 are W2; W_{hh} is Whh or W_hh; what is left over is an index,
a power or a transpose.

A letter that counts names (the l of W^{(l)}, the t of h_t) takes every value for which the names exist.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from symbp.errors import SymbpError
from symbp.suggest import nearest
from symbp.verify.brackets import TRANSPOSES
from symbp.verify.nodes import Big, Negative, Node, Number, Script, Sum, Sym, below, is_letter

EARLIER = " of two steps before"
"""What follows a name for its value of two steps before, which no update knows."""
ALL = Sym(":")
"""Stands for the index of an axis that stays whole before one that has an index."""
COUNTING = ("l", "t", "tau", "k")
LAST = ("L", "T", "H", "D")


class Unknown(SymbpError):
    """A symbol has no meaning here."""


@dataclass(frozen=True)
class Named:
    """A name, its indices (with whether they are counted from 0), and what else stands at it: powers and transposes, in order."""

    name: str
    indices: tuple[tuple[Node, bool], ...] = ()
    sups: tuple[Script, ...] = ()


@dataclass
class Names:
    """The names that a formula may use, by how they are written, and how many axes each has.

    broken: names that cannot be calculated, and why.  columns: whether samples, the (i) of x^{(i)}, are the last axis, and not the first.
    """

    axes: Mapping[str, int]
    transposes: bool = True
    plain: dict[str, str] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    columns: bool = False
    depth: int = 0
    _found: dict[tuple, Named | None] = field(default_factory=dict, repr=False)
    _last: dict[Node, dict[str, int]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for name in self.axes:
            self.plain.setdefault(_bare(name), name)
        self.depth = max((int(m[1]) for name in self.axes if (m := re.fullmatch(r"\D*?(\d{1,3})", _bare(name)))), default=0)

    @property
    def matrices(self) -> set[str]:
        """The letters of names that all have two axes or more, without numbers of layers."""
        letters = {name: re.sub(r"[_\d]+$", "", name) for name in self.axes}
        return {*letters.values()} - {letter for name, letter in letters.items() if self.axes[name] < 2}

    def find(self, sym: Sym, letters: Mapping[str, int]) -> Named | None:
        """The name of a symbol where some letters have values; None where there is none.

        >>> names = Names({"W2": 2, "x": 1})
        >>> names.find(Sym("W", sups=(Script("(", Sym("l")),)), {"l": 2}).name
        'W2'
        """
        key = sym, tuple(letters.items())
        if key not in self._found:
            self._found[key] = next(self._readings(sym, letters), None)
        return self._found[key]

    def readings(self, sym: Sym, letters: Mapping[str, int]) -> list[Named]:
        """All names that a symbol may be, the longest first."""
        return list(self._readings(sym, letters))

    def _readings(self, sym: Sym, letters: Mapping[str, int]) -> Iterator[Named]:
        if sym.primes:
            return
        pieces = [("^", s) for s in sym.sups] + [("_", s) for s in sym.subs]
        texts = [(k, kind, text) for k, (kind, s) in enumerate(pieces) if (text := self._text(s, letters, kind)) is not None]
        for count in range(len(texts), -1, -1):
            for chosen in itertools.combinations(texts, count):
                for order in (chosen, sorted(chosen, key=lambda c: c[1] != "_")) if count > 1 else (chosen,):
                    name = self.plain.get(_bare(sym.base + "".join(text for *_, text in order)))
                    if name is not None:
                        used = {k for k, *_ in chosen}
                        named = self._rest(name, sym, [p for k, p in enumerate(pieces) if k not in used], letters)
                        if named is not None:
                            yield named

    def _rest(self, name: str, sym: Sym, pieces: Sequence[tuple[str, Script]], letters: Mapping[str, int]) -> Named | None:
        """What the scripts that are no part of the name are; None where they can be nothing."""
        indices: list[tuple[Node, bool]] = [(i, True) for i in sym.at]
        sups, above = [], []
        for kind, script in pieces:
            transposed = is_letter(script.body, *TRANSPOSES)
            if kind == "_":
                indices.append((script.body, False))
            elif kind == "^" and script.shape and not transposed:
                if not (is_letter(script.body) or isinstance(script.body, Number)) or is_letter(script.body, "l", *LAST):
                    return None
                above.append((script.body, False))
            elif kind == "^":
                if is_letter(script.body, "l") and not transposed and "l" not in letters:
                    return None
                sups.append(script)
        if len(indices) + len(above) > self.axes[name]:
            return None
        gap = [(ALL, False)] * (self.axes[name] - len(indices) - len(above)) if above else []
        indices = [*indices, *gap, *above] if self.columns else [*above[::-1], *indices]
        return Named(name, tuple(indices), tuple(sups))

    def _text(self, script: Script, letters: Mapping[str, int], kind: str) -> str | None:
        """A script as a part of a name: a number, a word, a letter, or a sum of such that is a number."""
        body = script.body
        if isinstance(body, Sym) and not (body.subs or body.sups or body.at):
            if kind == "^" and body.base in TRANSPOSES and "T" not in letters:
                return None
            if body.base in letters and not body.primes:
                return str(letters[body.base])
            if body.primes and body.base + "'" * body.primes in letters:
                return str(letters[body.base + "'" * body.primes])
            return None if body.primes else body.base
        value = whole(body, letters)
        return None if value is None or value < 0 else str(value)

    def unknown(self, sym: Sym) -> Unknown:
        """The error for a symbol without meaning, with the nearest names."""
        written = {_bare(sym.base), _bare(said(replace(sym, sups=tuple(s for s in sym.sups if not is_letter(s.body, *TRANSPOSES)))))}
        name, why = next(((name, why) for name, why in self.broken.items() if _bare(name) in written), ("", ""))
        if why:
            return Unknown(f"{name} cannot be calculated: {why}")
        shown = said(replace(sym, sups=tuple(s for s in sym.sups if not is_letter(s.body, *TRANSPOSES))))
        return Unknown(f"nothing is called {shown} here{nearest(shown, [n for n in self.axes if ' ' not in n])}")

    # letters that count names

    def counting(self, node: Node, given: Iterable[str] = ()) -> list[str]:
        """The letters of a formula that count names."""
        found: dict[str, None] = dict.fromkeys(given)
        symbols = [n for n in below(node) if isinstance(n, Sym) and (n.subs or n.sups) and not self.is_kronecker(n)]
        for sym in symbols:
            if self._resolves(sym, found):
                continue
            for letter in _letters_in(sym):
                if letter not in found and self._resolves(sym, [*found, letter]):
                    found[letter] = None
                    break
        return list(found)

    def is_kronecker(self, sym: Sym) -> bool:
        """Whether a symbol is Kronecker's δ_{ij}: two letters below, and no tensor of that name with two axes."""
        if sym.base != "delta" or len(sym.subs) != 2 or sym.sups:
            return False
        letters = all(isinstance(s.body, (Sym, Number, Sum)) for s in sym.subs) and not any(is_letter(s.body, "l", "t") for s in sym.subs)
        return letters and self.find(sym, {}) is None

    def _resolves(self, sym: Sym, letters: Iterable[str]) -> bool:
        """Whether a symbol has a name for some values of these letters, those that it has."""
        own = [k for k in letters if k in _letters_in(sym)]
        return any(
            self.find(sym, {**dict(zip(own, values)), **self.last(sym)})
            for values in itertools.product(range(self.depth + 2), repeat=len(own))
        )

    def last(self, node: Node) -> dict[str, int]:
        """The value of L, T and the like in scripts: the last for which there is a name."""
        if node not in self._last:
            self._last[node] = found = {}
            for sym in (n for n in below(node) if isinstance(n, Sym)):
                for letter in (k for k in _letters_in(sym) if k in LAST and k not in found):
                    value = next((k for k in range(self.depth + 1, -1, -1) if self.find(sym, {letter: k})), None)
                    if value is not None and self.find(sym, {}) is None:
                        found[letter] = value
        return self._last[node]


def _letters_in(sym: Sym) -> list[str]:
    """The letters in a symbol's scripts, those first that are likelier to count names."""
    found: dict[str, int] = {}
    for rank, scripts in ((1, sym.sups), (2, sym.subs)):
        for script in scripts:
            for node in below(script.body):
                if isinstance(node, Sym) and not (node.subs or node.sups or node.at) and len(node.base) <= 5 and node.base != "⊤":
                    if rank == 1 and is_letter(node, "T"):
                        continue
                    found.setdefault(node.base + "'" * node.primes, COUNTING.index(node.base) - 9 if node.base in COUNTING[:3] else rank)
    return sorted(found, key=found.__getitem__)


def bound(node: Node) -> set[str]:
    """The letters that sums in a formula run over."""
    return {letter for n in below(node) if isinstance(n, Big) for letter in n.letters}


def whole(node: Node, letters: Mapping[str, int]) -> int | None:
    """The whole number that a node is, where its letters have values.

    >>> whole(Sum((Sym("l"), Negative(Number(1)))), {"l": 3})
    2
    """
    if isinstance(node, Number):
        return (
            int(node.value)
            if not node.name and node.value.denominator == 1
            else None
            if hasattr(node.value, "denominator")
            else int(node.value)
        )
    if isinstance(node, Sym):
        return letters.get(node.base + "'" * node.primes) if not (node.subs or node.sups or node.at) else None
    if isinstance(node, Negative):
        inner = whole(node.body, letters)
        return None if inner is None else -inner
    if isinstance(node, Sum):
        parts = [whole(t, letters) for t in node.terms]
        return None if any(p is None for p in parts) else sum(parts)
    return None


def _bare(name: str) -> str:
    """A name as it is compared: without underscores, an accent behind its letter."""
    name = name.replace("_", "").replace(".", "")
    accent = re.match(r"(hat|tilde|bar)([A-Za-z]\w*)$", name)
    if accent:
        return accent[2][0] + accent[1] + accent[2][1:]
    return name


def said(node: Node) -> str:
    """A symbol as plain text."""
    if isinstance(node, Sym):
        return node.base + "".join(said(s.body) for s in (*node.sups, *node.subs)) + "'" * node.primes
    if isinstance(node, Number):
        return str(node.value)
    if isinstance(node, Negative):
        return "-" + said(node.body)
    if isinstance(node, Sum):
        return "+".join(map(said, node.terms)).replace("+-", "-")
    return type(node).__name__.lower()
