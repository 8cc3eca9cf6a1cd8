"""What is missing in a formula where it is more than a name: a product, quotient or difference of two, or a function of one.

Stage: both sides at one random point → for each place the value that would make the sides equal → pieces of the text with that value.
The values only suggest; `symbp.verify.slips` decides.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np

from symbp.errors import SymbpError
from symbp.verify.changes import Change, Scope, atoms
from symbp.verify.deciding import NEAR, difference
from symbp.verify.meaning import Meaning
from symbp.verify.naming import said
from symbp.verify.nodes import (
    Call,
    Derivative,
    Lowered,
    Negative,
    Node,
    Number,
    Path,
    Product,
    Quotient,
    Raised,
    Root,
    Script,
    Sum,
    Sym,
    is_letter,
    replaced,
)
from symbp.verify.shapes import Value, divided, plus, product, times

ONE, TWO, HALF = Number(Fraction(1)), Number(Fraction(2)), Number(Fraction(1, 2))
SQUARED, TURN = Script("", TWO), Script("", Sym("⊤"))
MOST_PAIRS = 12_000
UNSUITED = (SymbpError, ArithmeticError, ValueError, TypeError, IndexError)
INVERSES = (np.log, np.exp, np.arctanh, lambda x: np.log(x / (1 - x)))
Key = tuple
Found = dict[Key, tuple[Node, int, Value]]


def missing(meaning: Meaning, right: Node, target: Value, scope: Scope) -> Iterator[Change]:
    """The changes that add a term or factor, or put something else in a name's place, and give the side its target at this point."""
    with np.errstate(all="ignore"):
        pieces = _Pieces(meaning, scope, target)
        places = list(_places(meaning, right, (), target))
        for piece_of in (pieces.of, pieces.longer):
            for path, node, wanted in places:
                for change in _at(meaning, node, wanted, piece_of):
                    yield replace(change, side=replaced(right, path, change.side))


def _at(meaning: Meaning, node: Node, wanted: Value, piece_of: Callable[[Value | None], Node | None]) -> Iterator[Change]:
    """What may be missing at one place."""
    value = meaning.value(node)
    if (piece := piece_of(_tried(plus, wanted, _negative(value)))) is not None:
        terms = node.terms if isinstance(node, Sum) else (node,)
        yield Change("term", f"a term is missing, {told(piece)}", Sum((*terms, piece)))
    if (piece := piece_of(_tried(divided, wanted, value))) is not None:
        yield Change("missing factor", f"the factor {told(piece)} is missing", Product((piece, node), ("odot",)))
    if (piece := piece_of(_tried(divided, value, wanted))) is not None:
        yield Change("missing factor", f"the divisor {told(piece)} is missing", Quotient(node, piece))
    decimal = isinstance(node, Number) and node.value.denominator > 2
    if (decimal or isinstance(node, (Call, Raised, Root))) and (piece := piece_of(wanted)) is not None:
        yield Change("name", f"{told(node)} stands where {told(piece)} belongs", piece)


# the value that a place should have


def _places(meaning: Meaning, node: Node, path: Path, wanted: Value) -> Iterator[tuple[Path, Node, Value]]:
    """A node and those below it that have one value with which the whole has its target."""
    yield path, node, wanted
    for step, child, target in _inside(meaning, node, wanted):
        if target is not None and np.all(np.isfinite(target.array)):
            yield from _places(meaning, child, (*path, step), target)


def _inside(meaning: Meaning, node: Node, wanted: Value) -> Iterator[tuple[tuple[str, int], Node, Value | None]]:
    if isinstance(node, Negative):
        yield ("body", -1), node.body, _negative(wanted)
    elif isinstance(node, Sum):
        for k, term in enumerate(node.terms):
            rest = Sum((*node.terms[:k], *node.terms[k + 1 :]))
            yield ("terms", k), term, _tried(plus, wanted, _negative(meaning.value(rest)))
    elif isinstance(node, Product):
        for k, factor in enumerate(node.factors):
            yield ("factors", k), factor, _factor(meaning, node, k, wanted)
    elif isinstance(node, Quotient):
        yield ("above", -1), node.above, _tried(times, wanted, meaning.value(node.below))
        yield ("below", -1), node.below, _tried(divided, meaning.value(node.above), wanted)
    elif isinstance(node, Root) and node.degree == 2:
        yield ("body", -1), node.body, wanted.map(lambda x: x * x)
    elif isinstance(node, Raised):
        turned = is_letter(node.script.body, "T", "⊤")
        yield ("body", -1), node.body, wanted.turned if turned else _inverse(meaning, node, node.body, (np.sqrt,), wanted)
    elif isinstance(node, Call) and len(node.arguments) == 1 and not node.primes:
        yield ("arguments", 0), node.arguments[0], _inverse(meaning, node, node.arguments[0], INVERSES, wanted)


def _factor(meaning: Meaning, node: Product, k: int, wanted: Value) -> Value | None:
    """What one factor should be, where the product is one of elements."""
    try:
        rest = meaning.value(replace(node, factors=(*node.factors[:k], ONE, *node.factors[k + 1 :])))
        own, whole = meaning.value(node.factors[k]), meaning.value(node)
        below = k > 0 and node.signs[k - 1] == "over"
        again = divided(rest, own) if below else times(rest, own)
        if again.shape != whole.shape or again.letters != whole.letters or difference(again.array, whole.array) > NEAR:
            return None
        return divided(rest, wanted) if below else divided(wanted, rest)
    except UNSUITED:
        return None


def _inverse(meaning: Meaning, node: Node, inner: Node, inverses: tuple[Callable, ...], wanted: Value) -> Value | None:
    """What the argument of a function should be, where one of some functions undoes it."""
    try:
        own, whole = meaning.value(inner), meaning.value(node)
        fits = (f for f in inverses if own.shape == whole.shape and difference(f(whole.array), own.array) <= NEAR)
        undo = next(fits, None)
        return wanted.map(undo) if undo else None
    except UNSUITED:
        return None


# what may be missing


class _Pieces:
    """The names of a text, functions of them, and products, quotients and differences of two, to be found by their values.

    A piece may have one factor more, or a matrix in front of it or behind it.  What the formula itself should be is no piece of it,
    under whatever name.
    """

    def __init__(self, meaning: Meaning, scope: Scope, whole: Value) -> None:
        self.meaning = meaning
        self.found: Found = {}
        self.whole = key[0] if (key := _key(whole)) else None
        names = self._known(_names(scope))
        functions = self._known(made for name, _ in names for made in _functions(name, scope))
        self.slopes = self._known(_slopes(scope))
        for node, value in (*names, *functions):
            _keep(self.found, node, value)
        for (a, x), (b, y) in itertools.islice(itertools.product(names, (*names, *functions)), MOST_PAIRS):
            _keep_both(self.found, a, x, b, y)
        for node, value in self.slopes:
            _keep(self.found, node, value)
        self.names = names
        self.factors = [(n, v) for n, v in (*self._known((TWO, HALF)), *names, *functions, *self.slopes) if n != ONE]

    def _known(self, nodes: Iterator[Node]) -> list[tuple[Node, Value]]:
        found = []
        for node in nodes:
            value = _tried(self.meaning.value, node)
            if value is not None and np.all(np.isfinite(value.array)) and ((key := _key(value)) is None or key[0] != self.whole):
                found.append((node, value))
        return found

    def of(self, value: Value | None) -> Node | None:
        """The plainest piece that has a value, perhaps with a minus."""
        key = _key(value) if value is not None else None
        return _signed(self.found.get(key[0]), key[1]) if key else None

    def longer(self, value: Value | None) -> Node | None:
        """A piece with one factor more, or with a matrix beside it; for an element, that of a vector or matrix."""
        key = _key(value) if value is not None else None
        return (self._scaled(value) or _signed(self._mapped.get(key[0]), key[1]) or self._element(value)) if key else None

    def _element(self, value: Value) -> Node | None:
        """An element of a piece, at the indices that the value has."""
        if not value.is_number or len(value.letters) not in (1, 2):
            return None
        array = value.array[..., 0, 0]
        whole = Value(array if array.ndim == 2 else array[:, None])
        piece = self.of(whole) or self.longer(whole)
        return Lowered(piece, tuple(Script("", Sym(k)) for k in value.letters)) if piece is not None else None

    def _scaled(self, value: Value) -> Node | None:
        """A piece with one factor more, the shortest."""
        found = []
        for node, factor in self.factors:
            rest = _tried(divided, value, factor)
            if (piece := self.of(rest)) is not None:
                made = _multiplied(node, factor, piece.body if isinstance(piece, Negative) else piece, rest)
                found.append(Negative(made) if isinstance(piece, Negative) else made)
        return min(found, key=lambda made: (told(made).count(" "), len(told(made))), default=None)

    @functools.cached_property
    def _mapped(self) -> Found:
        """Products of a matrix and a vector that is a piece, and of a name and a derivative of the loss."""
        made: Found = {}
        matrices = [(node, value) for node, value in self.names if min(value.shape) > 1]
        vectors = [(node, value) for node, _, value in self.found.values() if value.is_vector and not value.letters]
        for (a, x), (b, y) in itertools.islice(itertools.product(matrices, vectors), MOST_PAIRS):
            if x.shape[1] == y.shape[0]:
                _keep(made, Product((a, b), ("",)), _tried(product, x, y))
            elif y.shape[1] == x.shape[0]:
                _keep(made, Product((b, a), ("",)), _tried(product, y, x))
        for (a, x), (b, y) in itertools.islice(itertools.product(self.slopes, (*self.names, *self.slopes)), MOST_PAIRS):
            _keep_both(made, a, x, b, y)
            _keep_both(made, b, y, a, x)
        return made


def _keep_both(found: Found, a: Node, x: Value, b: Node, y: Value) -> None:
    """Keep what two pieces make."""
    inner = not (x.is_number or y.is_number) and x.shape[1] == y.shape[0]
    _keep(found, _multiplied(b, y, a, x), _tried(times, x, y))
    if inner:
        _keep(found, Product((a, b), ("",)), _tried(product, x, y))
    if isinstance(a, Sym) and isinstance(b, (Sym, Root)):
        _keep(found, Quotient(a, b), _tried(divided, x, y))
    if isinstance(a, Sym) and isinstance(b, Sym) and x.shape == y.shape:
        _keep(found, Sum((b, Negative(a))), _tried(plus, y, _negative(x)))


def _keep(found: Found, node: Node, value: Value | None) -> None:
    if value is not None and (key := _key(value)) is not None:
        found.setdefault(key[0], (node, key[1], value))


def _multiplied(a: Node, x: Value, b: Node, y: Value) -> Node:
    """A product element by element; a number simply stands in front."""
    return Product((a, b), ("" if x.is_number or y.is_number else "odot",))


def _signed(found: tuple[Node, int, Value] | None, sign: int) -> Node | None:
    """A piece, with a minus where its sign is another."""
    return None if found is None else found[0] if found[1] == sign else Negative(found[0])


def _names(scope: Scope) -> Iterator[Node]:
    yield ONE
    for atom, axes in atoms(scope):
        yield atom
        if axes:
            yield Raised(atom, TURN)


def _slopes(scope: Scope) -> Iterator[Node]:
    yield from (Derivative(Sym(scope.loss), (atom,)) for atom, _ in atoms(scope) if scope.loss and scope.name(atom) != scope.loss)


def _functions(node: Node, scope: Scope) -> Iterator[Node]:
    if not isinstance(node, Sym):
        return
    rest = Sum((ONE, Negative(node)))
    yield from (rest, Raised(node, SQUARED), Root(node), Sum((ONE, Negative(Raised(node, SQUARED)))))
    yield from (Call("log", (node,)), Call("log", (rest,)), Product((node, rest), ("odot",)))
    yield from (Call(function, (node,), primes) for function in scope.functions for primes in (1, 0))


def _key(value: Value) -> tuple[Key, int] | None:
    """What equal values have in common, whatever axes do not matter; and the sign of the first element, which is left out of it."""
    array, letters = value.array, list(value.letters)
    for k in reversed(range(array.ndim)):
        first = array.take([0], axis=k)
        if array.shape[k] > 1 and np.all(np.abs(array - first) <= NEAR * np.abs(first)):
            array = first
    kept = tuple(c for c, n in zip(letters, array.shape) if n > 1)
    flat = array.ravel()
    if not flat.size or not np.all(np.isfinite(flat)) or abs(flat[0]) < NEAR:
        return None
    shape = tuple(n for n in array.shape if n > 1)
    sign = 1 if flat[0] > 0 else -1
    return (kept, shape, f"{abs(flat[0]):.6e}", f"{sign * flat[-1]:.6e}", f"{sign * flat.sum():.4e}"), sign


def _negative(value: Value) -> Value:
    return Value(-value.array, value.letters)


def _tried(function: Callable, *values: object) -> Value | None:
    try:
        return function(*values)
    except UNSUITED:
        return None


def told(node: Node) -> str:
    """A piece as plain text.

    >>> told(Product((Sum((ONE, Negative(Sym("b")))), Raised(Sym("g"), SQUARED)), ("odot",)))
    '(1 - b) ⊙ g^2'
    """
    if isinstance(node, Sum):
        return " + ".join(map(told, node.terms)).replace("+ -", "- ")
    if isinstance(node, Negative):
        return f"-{_closed(node.body)}"
    if isinstance(node, Product):
        signs = [{"odot": " ⊙ ", "over": " / "}.get(s, " ") for s in node.signs]
        return "".join(f"{_closed(f)}{s}" for f, s in zip(node.factors, (*signs, "")))
    if isinstance(node, Quotient):
        return f"{_closed(node.above)} / {_closed(node.below)}"
    if isinstance(node, Raised):
        return f"{_closed(node.body)}{'ᵀ' if node.script == TURN else '^' + told(node.script.body)}"
    if isinstance(node, Root):
        return f"√({told(node.body)})"
    if isinstance(node, Call):
        return f"{'σ' if node.name == 'sigma' else node.name}{chr(39) * node.primes}({', '.join(map(told, node.arguments))})"
    if isinstance(node, Lowered):
        return f"({told(node.body)})_{''.join(told(s.body) for s in node.subs)}"
    if isinstance(node, Derivative):
        return f"∂{told(node.of)}/∂{' ∂'.join(map(told, node.by))}"
    return said(node)


def _closed(node: Node) -> str:
    return f"({told(node)})" if isinstance(node, (Sum, Negative, Quotient)) else told(node)
