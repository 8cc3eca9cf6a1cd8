"""The letters of a formula that count names: which they are, the values that they take, and letters that stand for those of all layers."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Mapping
from dataclasses import replace

from symbp.errors import SymbpError
from symbp.verify.brackets import mapped
from symbp.verify.naming import Names, Unknown, bound
from symbp.verify.nodes import Formula, Node, Script, Sym, below, is_letter, walk


class Layers:
    """The part of the judge that knows layers and steps."""

    names: Names

    def _at_level(self, left: Node, right: Node) -> tuple[Node, Node]:
        """The sides where a letter without an index stands for that of the layer l or L which the others have, as in ∇_a C ⊙ σ'(z^L)."""
        whole = Formula((left, right), ("=",))
        found = self._layer(whole)
        given = {n.base for n in below(whole) if is_letter(n) and self.names.find(n, {}) is None} - bound(whole)
        bare = {base for base in given if any(self.names.find(Sym(f"{base}{k}"), {}) for k in range(self.names.depth + 1))}
        return (_at(left, bare, found), _at(right, bare, found)) if found is not None and bare else (left, right)

    @staticmethod
    def _layer(whole: Formula) -> Node | None:
        """The letter l or L in the scripts of a formula."""
        scripts = [s.body for n in below(whole) if isinstance(n, Sym) for s in (*n.sups, *n.subs)]
        return next((b for b in scripts if is_letter(b, "L")), None) or next((b for b in scripts if is_letter(b, "l")), None)

    def _generic(self, left: Node, right: Node) -> list[tuple[Node, Node]]:
        """The sides for each layer, where a letter without an index stands for the names of all: w for w1, w2, …"""
        whole = Formula((left, right), ("=",))
        given = {n.base for n in below(whole) if isinstance(n, Sym) and not n.primes and self.names.find(n, self.names.last(n)) is None}
        letters = {base for base in given if any(self.names.find(Sym(f"{base}{k}"), {}) for k in range(self.names.depth + 1))}
        bare = {n.base for n in below(whole) if is_letter(n) and n.base in letters} - bound(whole)
        if not bare or letters - bare:
            return []
        last = set(self.names.last(whole).values())
        if last or "l" in self.names.counting(whole):
            return []
        levels = [k for k in range(self.names.depth + 1) if all(self.names.find(Sym(f"{base}{k}"), {}) for base in bare)]
        return [(_numbered(left, bare, k), _numbered(right, bare, k)) for k in levels]

    def _families(self, left: Node, right: Node) -> frozenset[str]:
        """The letters that count names and are bound by sums."""
        whole = Formula((left, right), ("=",))
        letters = bound(whole)
        return frozenset(k for k in self.names.counting(whole) if k in letters) if letters else frozenset()

    def _assignments(self, left: Node, right: Node) -> list[dict[str, int]]:
        """All values of the free letters that count names, for which the names exist."""
        whole = Formula((left, right), ("=",))
        free = [k for k in self.names.counting(whole) if k not in bound(whole)]
        if not free:
            return [{}]
        stems = {re.sub(r"[\d_]+$", "", name) for name in self.names.axes}
        symbols = [n for n in below(whole) if isinstance(n, Sym) and (n.subs or n.sups) and (n.base in stems or n.base in self.names.axes)]
        found = []
        for values in itertools.product(range(self.names.depth + 1), repeat=len(free)):
            letters = dict(zip(free, values))
            if all(self._exists(s, letters) for s in symbols):
                found.append(letters)
        if not found:
            raise Unknown(f"there is no {' and '.join(free)} for which all names exist")
        return found

    def _some(self, left: Node, right: Node) -> dict[str, int]:
        """Some values of the letters that count names, or none."""
        with contextlib.suppress(SymbpError):
            return self._assignments(left, right)[-1]
        return {}

    def _exists(self, sym: Sym, letters: Mapping[str, int]) -> bool:
        own = {n.base for s in (*sym.subs, *sym.sups) for _, n in walk(s.body) if isinstance(n, Sym)}
        if not own & {*letters} or sym.base == "e" or self.names.is_kronecker(sym):
            return True
        inside = bool(own - {*letters})
        return (
            self.names.find(sym, {**self.names.last(sym), **letters}) is not None
            or inside
            and bool(self.names.counting(sym, letters)[len(letters) :])
        )


def _at(node: Node, bases: set[str], layer: Node | None) -> Node:
    """The node with the letter of a layer above some letters."""
    if is_letter(node) and node.base in bases:
        return replace(node, sups=(Script("", layer),))
    return mapped(node, lambda n: _at(n, bases, layer)) if not isinstance(node, Script) else node


def _numbered(node: Node, bases: set[str], level: int) -> Node:
    """The node with the number of a layer behind some letters."""
    if isinstance(node, Sym) and node.base in bases:
        node = replace(node, base=f"{node.base}{level}")
    return mapped(node, lambda n: _numbered(n, bases, level))
