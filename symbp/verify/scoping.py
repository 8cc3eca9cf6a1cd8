"""Letters of sums kept apart: a letter that is bound twice, or bound and free, gets a new name in each sum."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from symbp.verify.brackets import mapped
from symbp.verify.nodes import Big, Formula, Node, Sym, walk


def apart(formula: Formula) -> Formula:
    """The formula in which no letter is bound by two sums, or bound and free.

    >>> from symbp.verify.latex import read_formula
    >>> found = apart(read_formula(r"x = \\sum_k a_k / \\sum_k b_k"))
    >>> sorted(n.letters[0] for _, n in walk(found) if isinstance(n, Big))
    ['k', 'k#1']
    """
    formula = _unprimed(formula, _primed(formula))
    counts = Counter(letter for _, n in walk(formula) if isinstance(n, Big) for letter in n.letters)
    free = _free(formula, frozenset())
    twice = {letter for letter, count in counts.items() if count > 1 or letter in free}
    return _renamed(formula, twice, set(counts) - twice | free, itertools.count(1)) if twice else formula


def _primed(formula: Formula) -> set[str]:
    """The index letters with primes, as in Σ_{j'} u_{j'}."""
    below_ = {n.base + "'" * n.primes for _, s in walk(formula) if isinstance(s, Sym) for script in s.subs for _, n in walk(script.body)
              if isinstance(n, Sym) and n.primes and not (n.subs or n.sups or n.at)}
    return below_ | {letter for _, n in walk(formula) if isinstance(n, Big) for letter in n.letters if letter.endswith("'")}


def _unprimed(node: Node, letters: set[str]) -> Node:
    """The node with each of these letters as a letter of its own, j′."""
    if not letters:
        return node
    if isinstance(node, Sym) and not (node.subs or node.sups or node.at) and node.base + "'" * node.primes in letters:
        return Sym(node.base + "′" * node.primes)
    if isinstance(node, Big):
        node = replace(node, letters=tuple(k.replace("'", "′") if k in letters else k for k in node.letters))
    return mapped(node, lambda n: _unprimed(n, letters))


def _free(node: Node, inside: frozenset[str]) -> set[str]:
    """The letters that occur outside the sums over them."""
    if isinstance(node, Sym) and not (node.subs or node.sups or node.at):
        letter = node.base + "'" * node.primes
        return set() if letter in inside else {letter}
    if isinstance(node, Big):
        inside |= {*node.letters}
    found: set[str] = set()
    for _, child in _children(node):
        found |= _free(child, inside)
    return found


def _children(node: Node) -> Iterator[tuple[object, Node]]:
    from symbp.verify.nodes import children

    return children(node)


def _renamed(node: Node, twice: set[str], taken: set[str], numbers: Iterator[int]) -> Node:
    if isinstance(node, Big):
        new = {}
        for letter in node.letters:
            if letter in twice:
                new[letter] = letter if letter not in taken else f"{letter.rstrip(chr(39))}#{next(numbers)}"
                taken.add(letter)
        inner = _substituted(replace(node, letters=tuple(new.get(k, k) for k in node.letters)), new)
        return mapped(inner, lambda n: _renamed(n, twice, taken, numbers))
    return mapped(node, lambda n: _renamed(n, twice, taken, numbers))


def _substituted(node: Node, new: dict[str, str]) -> Node:
    if isinstance(node, Sym) and not (node.subs or node.sups or node.at) and (letter := node.base + "'" * node.primes) in new:
        return Sym(new[letter])
    if isinstance(node, Big):
        hidden = {k: v for k, v in new.items() if k not in node.letters}
        return mapped(node, lambda n: _substituted(n, hidden if hidden else {}))
    return mapped(node, lambda n: _substituted(n, new)) if new else node
