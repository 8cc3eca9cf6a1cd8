r"""What a formula means over the arrays of a program: matrix or index notation, with layers as upper indices.

Stage: syntax tree + arrays → values of both sides.  A tensor with one axis is a column; where that does not fit, it is taken
as a row, which is a matter of layout.  Letters that stand as lower indices and are no part of a name are indices:
then every element is calculated.
"""
from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from symbp.errors import SymbpError
from symbp.suggest import nearest
from symbp.verify.shapes import Unfit, divided, matrix, plus, product, times

if TYPE_CHECKING:
    from lark import Tree

TRANSPOSED = ("T", r"\top", r"\intercal", "t")
MOST_POINTS = 20_000


class Unknown(SymbpError):
    """A symbol has no meaning here."""


def _softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max())
    return e / e.sum()


def _difference(f: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """The derivative of an analytic function of each element, by the complex step: exact to rounding."""
    return lambda z: np.imag(f(np.asarray(z) + 1e-30j)) / 1e-30


def _diag(z: np.ndarray) -> np.ndarray:
    if 1 not in z.shape:
        raise Unfit(f"diag takes a vector, but here is a matrix of {z.shape[0]}×{z.shape[1]}")
    return np.diag(z.ravel())


FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)), "tanh": np.tanh, "exp": np.exp, "log": np.log, "ln": np.log, "sin": np.sin, "cos": np.cos,
    "relu": lambda z: z * (np.real(z) > 0), "ReLU": lambda z: z * (np.real(z) > 0), "softmax": _softmax, "diag": _diag}
ELEMENTWISE = frozenset(FUNCTIONS) - {"softmax", "diag"}


@dataclass
class Meaning:
    """The values that a formula's symbols have.

    value: the array of a name, or None where there is none.  functions: what a symbol such as `\\sigma` calls.
    layer: the value of the letter l; depth: that of L.  at: the values of indices.
    """

    value: Callable[[str], np.ndarray | None]
    derivative: Callable[[str, str], np.ndarray]
    functions: Mapping[str, str] = field(default_factory=lambda: {r"\sigma": "sigmoid"})
    names: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    layer: int | None = None
    depth: int = 0
    at: Mapping[str, int] = field(default_factory=dict)
    layers_used: bool = False
    extents: dict[str, int] = field(default_factory=dict)

    # symbols

    def text(self, node: Any) -> str:
        """A symbol, number or simple script as plain text: `\\delta` as delta, `(l+1)` as the number it is."""
        if isinstance(node, str):
            mark = re.fullmatch(r"@(\d+)@", node)
            return self.marks[int(mark[1])] if mark else node.removeprefix("\\")
        if node.data in ("group", "paren", "chain", "upper", "lower"):
            return "".join(self.text(child) for child in node.children)
        if node.data in ("add", "subtract"):
            return str(self.number(node))
        raise Unknown("an index is a letter, a number, or a sum such as l + 1")

    def number(self, node: Any) -> int:
        """The whole number that a script means: 2, l, l+1, L."""
        if isinstance(node, str):
            text = node.removeprefix("\\")
            if text.isdigit():
                return int(text)
            if text in self.at:
                return self.at[text]
            if text in ("l", "ell"):
                self.layers_used = True
                if self.layer is None:
                    raise Unknown("the layer l has no value")
                return self.layer
            if text == "L":
                return self.depth
            raise Unknown(f"{text} is no layer")
        if node.data in ("add", "subtract"):
            left, right = map(self.number, node.children)
            return left + right if node.data == "add" else left - right
        if len(node.children) == 1:
            return self.number(node.children[0])
        raise Unknown("an upper index is a number, or a sum such as l + 1")

    def array(self, node: Any) -> tuple[np.ndarray | None, list[Any]]:
        """The array of a symbol with its scripts, and the scripts that are no part of its name: powers, T, indices."""
        scripts: list[tuple[str, Any]] = []
        while not isinstance(node, str) and node.data in ("raised", "lowered"):
            body = node.children[1].children[0]
            pieces = body.children if not isinstance(body, str) and body.data == "group" else [body]
            flat = [p for piece in pieces for p in (_factors(piece) if not isinstance(piece, str) and piece.data == "chain" else [piece])]
            scripts = [*(("^" if node.data == "raised" else "_", p) for p in flat), *scripts]
            node = node.children[0]
        if not isinstance(node, str):
            return None, scripts
        return self._named(self.text(node), scripts)

    def _named(self, base: str, scripts: list[tuple[str, Any]]) -> tuple[np.ndarray | None, list[Any]]:
        """The longest name that the scripts, upper ones first, make of a base."""
        order = sorted(range(len(scripts)), key=lambda k: scripts[k][0] != "^")
        words: list[tuple[int, str]] = []
        for k in order:
            try:
                kind, body = scripts[k]
                word = str(self.number(body)) if kind == "^" and self.text_or_none(body) not in TRANSPOSED else self.text(body)
                words.append((k, word))
            except SymbpError:
                continue
        for count in range(len(words), -1, -1):
            for chosen in itertools.combinations(words, count):
                for joint in ("", "_"):
                    name = base + "".join(joint + word for _, word in chosen)
                    if (found := self.value(name)) is not None:
                        used = {k for k, _ in chosen}
                        return found, [s for k, s in enumerate(scripts) if k not in used]
                    if not count:
                        break
        return None, scripts

    def text_or_none(self, node: Any) -> str | None:
        """The text, where it has one."""
        return node if isinstance(node, str) else None

    # values

    def evaluate(self, node: Any) -> np.ndarray:
        """The value of a formula's part as a matrix; a number is 1×1."""
        if isinstance(node, str):
            return self._leaf(node)
        return getattr(self, f"_{node.data}")(*node.children)

    def _leaf(self, text: str) -> np.ndarray:
        if re.fullmatch(r"[\d.]+", text):
            return np.array([[float(text)]])
        found = self.value(self.text(text))
        if found is not None:
            return matrix(found)
        name = self.text(text)
        if name in ("e", "pi"):
            return np.array([[np.e if name == "e" else np.pi]])
        if name in self.at:
            return np.array([[float(self.at[name])]])
        raise Unknown(f"nothing is called {name} here{nearest(name, self.names)}")

    def _add(self, left: Any, right: Any) -> np.ndarray:
        return plus(self.evaluate(left), self.evaluate(right))

    def _subtract(self, left: Any, right: Any) -> np.ndarray:
        return plus(self.evaluate(left), -self.evaluate(right))

    def _negative(self, body: Any) -> np.ndarray:
        return -self.evaluate(body)

    def _hadamard(self, left: Any, _sign: Any, right: Any) -> np.ndarray:
        return times(self.evaluate(left), self.evaluate(right))

    def _group(self, *parts: Any) -> np.ndarray:
        if len(parts) != 1:
            raise Unknown("a list in braces is no number")
        return self.evaluate(parts[0])

    _paren = _group

    def _fraction(self, above: Any, below: Any) -> np.ndarray:
        names = [of_derivative(part) for part in (above, below)]
        if None not in names:
            return self._by(*names)
        return divided(self.evaluate(above), self.evaluate(below))

    def _by(self, of: list[Any], by: list[Any]) -> np.ndarray:
        """The derivative ∂of/∂by, with the indices of `by`."""
        if len(of) != 1 or len(by) != 1:
            raise Unknown("a derivative is of one symbol by one symbol")
        keys = [self.key(part[0]) for part in (of, by)]
        value = self.derivative(keys[0][0], keys[1][0])
        return self._scripted(value, keys[1][1])

    def key(self, node: Any) -> tuple[str, list[Any]]:
        """The name that a symbol with its scripts has, and what of the scripts is left."""
        seen: list[str] = []
        original, self.value = self.value, lambda name: original(name) if (found := original(name)) is None else seen.append(name) or found
        try:
            found, rest = self.array(node)
        finally:
            self.value = original
        if found is None:
            raise Unknown(f"a derivative by or of something that has no name here{nearest(self.base(node), self.names)}")
        return seen[-1], rest

    def base(self, node: Any) -> str:
        """The letter of a symbol without its scripts."""
        while not isinstance(node, str):
            node = node.children[0]
        return self.text(node)

    def _root(self, body: Any) -> np.ndarray:
        return np.sqrt(self.evaluate(body))

    def _raised(self, *children: Any) -> np.ndarray:
        from lark import Tree
        return self._scripted_value(Tree("raised", list(children)))

    def _lowered(self, *children: Any) -> np.ndarray:
        from lark import Tree
        return self._scripted_value(Tree("lowered", list(children)))

    def _chain(self, *factors: Any) -> np.ndarray:
        return self._product(list(factors))

    def _product(self, factors: list[Any]) -> np.ndarray:
        total, over, k = None, False, 0
        while k < len(factors):
            factor = factors[k]
            if isinstance(factor, str) and getattr(factor, "type", "") in ("TIMES", "OVER"):
                over, k = over or factor.type == "OVER", k + 1
                continue
            value, k = self._factor(factors, k)
            total = value if total is None else divided(total, value) if over else product(total, value)
            over = False
        return total

    def _factor(self, factors: list[Any], k: int) -> tuple[np.ndarray, int]:
        """The value of the factor at k, with the argument behind a function and the quotient of a derivative; and where to go on."""
        factor = factors[k]
        if _is_sign(factor, r"\partial") and len(factors) > k + 4 and _is_sign(factors[k + 3], r"\partial") and str(factors[k + 2]) == "/":
            return self._by([factors[k + 1]], [factors[k + 4]]), k + 5
        function = self._function(factor)
        if function is not None and k + 1 < len(factors):
            argument = factors[k + 1]
            return function(self.evaluate(argument)), k + 2
        return self._scripted_value(factor), k + 1

    def _function(self, node: Any) -> Callable[[np.ndarray], np.ndarray] | None:
        """The function that a symbol calls, perhaps with a prime."""
        primes = 0
        while not isinstance(node, str) and node.data == "primed":
            node, primes = node.children[0], primes + 1
        if not isinstance(node, str):
            return None
        name = self.functions.get(str(node), self.functions.get(self.text(node), self.text(node)))
        if name not in FUNCTIONS or self.value(self.text(node)) is not None:
            return None
        if primes > 1 or primes and name not in ELEMENTWISE:
            raise Unknown(f"{self.text(node)}{primes * chr(39)} is no function of each element that is known here")
        return _difference(FUNCTIONS[name]) if primes else FUNCTIONS[name]

    def _scripted_value(self, node: Any) -> np.ndarray:
        if isinstance(node, str) or node.data not in ("raised", "lowered"):
            return self.evaluate(node)
        found, rest = self.array(node)
        if found is not None:
            return self._scripted(found, rest)
        return self._by_scripts(node)

    def _by_scripts(self, node: Any) -> np.ndarray:
        """A bracket, number or function value with upper indices: a power, T, or e^x."""
        if node.data == "lowered":
            raise Unknown(f"nothing is called {self.base(node)} with this lower index{nearest(self.base(node), self.names)}")
        inner, body = node.children[0], node.children[1].children[0]
        if isinstance(inner, str) and self.text(inner) == "e" and self.value("e") is None:
            return np.exp(self.evaluate(body))
        if isinstance(inner, str) and self.value(self.text(inner)) is None and not re.fullmatch(r"[\d.]+", inner) and \
                self.text(inner) not in self.at:
            raise Unknown(f"nothing is called {self.text(inner)} with this upper index{nearest(self.text(inner), self.names)}")
        value = self._scripted_value(inner) if not isinstance(inner, str) else self.evaluate(inner)
        return self._upper(value, body)

    def _upper(self, value: np.ndarray, body: Any) -> np.ndarray:
        if self._is_transpose(body):
            return value.T
        exponent = self.evaluate(body)
        if exponent.size != 1:
            raise Unfit("an exponent is one number")
        return value ** exponent.item()

    def _is_transpose(self, body: Any) -> bool:
        while not isinstance(body, str) and body.data in ("group", "chain") and len(body.children) == 1:
            body = body.children[0]
        return isinstance(body, str) and str(body) in TRANSPOSED and self.value("T") is None

    def _scripted(self, found: np.ndarray, rest: list[tuple[str, Any]]) -> np.ndarray:
        """An array with the indices, powers and T that its name leaves."""
        lower = [body for kind, body in rest if kind == "_"]
        value = matrix(found)
        if lower:
            letters = [self.text(body) for body in lower]
            if len(letters) != found.ndim:
                raise Unfit(f"{len(letters)} indices ({', '.join(letters)}) stand at an array with {found.ndim} axes")
            at = []
            for letter, extent in zip(letters, found.shape):
                if letter not in self.at and not letter.isdigit():
                    known = self.extents.setdefault(letter, extent)
                    if known != extent:
                        raise Unfit(f"the index {letter} runs over {known} at one place and over {extent} at another")
                at.append(self.at.get(letter, int(letter) - 1 if letter.isdigit() else 0))
            if any(not 0 <= k < extent for k, extent in zip(at, found.shape)):
                raise Unfit(f"an index lies outside an axis of {found.shape}")
            value = np.array([[found[tuple(at)]]])
        for kind, body in rest:
            if kind == "^":
                value = self._upper(value, body)
        return value

    def _bigsum(self, _sign: Any, lower: Any, *rest: Any) -> np.ndarray:
        letter = self._bound(lower)
        body = rest[-1]
        if letter in self.at:
            raise Unknown(f"the index {letter} of the sum is in use already")
        probe = Meaning(**{**vars(self), "at": {**self.at}, "extents": dict(self.extents)})
        probe.evaluate(body)
        if letter not in probe.extents:
            raise Unknown(f"nothing tells how far the index {letter} of the sum runs")
        self.layers_used |= probe.layers_used
        total = None
        for k in range(probe.extents[letter]):
            term = Meaning(**{**vars(self), "at": {**self.at, letter: k}, "extents": self.extents}).evaluate(body)
            total = term if total is None else plus(total, term)
        return total

    def _bound(self, lower: Any) -> str:
        body = lower.children[0]
        while not isinstance(body, str):
            body = body.children[0]
        return self.text(body)


def _factors(chain: Tree) -> list[Any]:
    return list(chain.children)


def _is_sign(node: Any, sign: str) -> bool:
    return isinstance(node, str) and str(node) == sign


def of_derivative(node: Any) -> list[Any] | None:
    r"""What stands behind \partial (or d) in one half of a fraction, or None."""
    while not isinstance(node, str) and node.data == "group" and len(node.children) == 1:
        node = node.children[0]
    if isinstance(node, str) or node.data != "chain" or len(node.children) < 2:
        return None
    return list(node.children[1:]) if _is_sign(node.children[0], r"\partial") else None
