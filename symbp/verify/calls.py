"""The values of functions, norms, cases and brackets in a formula."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from symbp.calculus.local import differentiate, prime
from symbp.language.functions import DEFINITIONS, Defined, define, equal, maximum, minimum, opaque, step
from symbp.notation import tex
from symbp.settings import NetworkError, quoted
from symbp.suggest import nearest
from symbp.verify.brackets import ALIASES
from symbp.verify.naming import Unknown
from symbp.verify.nodes import Node, Norm, Number, Relation, Row, Sym, is_letter
from symbp.verify.shapes import Unfit, Value, aligned, plus, product, times

HALF = sp.Rational(1, 2)
SCALAR: dict[str, Callable[..., sp.Expr]] = {
    **DEFINITIONS,
    "exp": sp.exp,
    "log": sp.log,
    "sqrt": lambda x: x**HALF,
    "erf": sp.erf,
    "sin": sp.sin,
    "cos": sp.cos,
    "abs": sp.Abs,
    "sinh": define("sinh", lambda x: (sp.exp(x) - sp.exp(-x)) / 2),
    "cosh": define("cosh", lambda x: (sp.exp(x) + sp.exp(-x)) / 2),
    "sech": define("sech", lambda x: 2 / (sp.exp(x) + sp.exp(-x))),
    "step": lambda x: step(x, sp.S.Zero),
    "square": lambda x: x**2,
    "identity": define("identity", lambda x: x),
    "linear": define("linear", lambda x: x),
    "max": maximum,
    "min": minimum,
}
GENERIC = ("generic", "any", "f")
"""What a letter calls of which nothing is known but its name."""
FLIPPED = {"<": ">", "<=": ">="}


def called(letter: str, what: str) -> Callable[..., sp.Expr]:
    """The function that a letter calls; of a generic one nothing is known but the letter.  Raises `NetworkError` for what is none.

    >>> called("g", "ReLU").__name__, called("phi", "generic").__name__
    ('relu', 'phi')
    """
    if what in GENERIC:
        return opaque(letter, latex=tex(letter))
    name = ALIASES.get(what, what)
    if name not in SCALAR:
        raise NetworkError(f"functions: {letter} = {quoted(what)} is no function of one number{nearest(name, [*SCALAR, 'generic'])}")
    return SCALAR[name]


@lru_cache(maxsize=1 << 6)
def slope(function: Callable[[sp.Expr], sp.Expr]) -> Callable[[sp.Expr], sp.Expr]:
    """The derivative of a function of one number, by the rules of the calculus.

    >>> slope(sp.log)(sp.Symbol("t"))
    1/t
    """
    slot = sp.Dummy("x", real=True)
    derived = differentiate(function(slot), slot)
    return lambda x: derived.xreplace({slot: x})


class Calls:
    """The part of a meaning that knows functions."""

    def _call(self, node: Any) -> Value:
        name = node.name
        special = getattr(self, f"_call_{name}", None)
        if name not in self.functions and special is not None:
            if node.primes:
                raise Unknown(f"{name}' is no function of each element; write its derivative with indices")
            return special(*node.arguments)
        function = self._function(name, node.primes)
        arguments = [self.value(a) for a in node.arguments]
        expected = len(function.parameters) if isinstance(function, type) and issubclass(function, Defined) else 1
        if len(arguments) > expected == 2 and not node.primes:
            return self._folded(function, arguments)
        if len(arguments) != expected:
            if expected == 2 and len(arguments) == 1:
                raise Unknown(f"{name} takes two arguments, or an index below it")
            raise Unknown(f"{name} takes {expected} argument{'s' * (expected > 1)}, but {len(arguments)} are given")
        return self._elementwise(function, arguments)

    def _function(self, name: str, primes: int) -> Callable[..., sp.Expr]:
        function = self.functions.get(name) or SCALAR.get(name)
        if function is None:
            raise Unknown(f'no function is called {name} here; declare it, functions = {{ {name} = "sigmoid" }}')
        for _ in range(primes):
            if isinstance(function, type) and issubclass(function, Defined):
                function = prime(function)
            else:
                function = slope(function)
        return function

    def _elementwise(self, function: Callable[..., sp.Expr], arguments: list[Value]) -> Value:
        if len(arguments) == 2:
            zero = Value(arguments[0].array * 0, arguments[0].letters)
            arguments = [plus(arguments[0], Value(arguments[1].array * 0, arguments[1].letters)), plus(zero, arguments[1])]
        letters, arrays = aligned(*arguments)
        return Value(self.point.apply(function, *arrays), letters)

    def _folded(self, function: Callable[..., sp.Expr], arguments: list[Value]) -> Value:
        total = arguments[0]
        for argument in arguments[1:]:
            total = self._elementwise(function, [total, argument])
        return total

    # functions of a whole vector or matrix

    def _call_softmax(self, argument: Node) -> Value:
        value = self.value(argument)
        e = value.map(lambda x: self.point.apply(sp.exp, x))
        if value.is_number and value.letters:
            letter = value.letters[-1] if len(value.letters) == 1 else self._class_letter(value)
            axis = value.letters.index(letter)
        elif value.is_vector:
            axis = -2 if value.shape[1] == 1 else -1
        else:
            axis = -2 if self.batch is not None and value.shape[1] == self.batch != value.shape[0] else -1
        return Value(e.array / e.array.sum(axis=axis, keepdims=True), e.letters)

    def _class_letter(self, value: Value) -> str:
        rest = [k for k in value.letters if self.extents.get(k) != self.batch]
        if len(rest) != 1:
            raise Unknown("over which index softmax runs is not told; write it with a sum")
        return rest[0]

    def _call_diag(self, argument: Node) -> Value:
        value = self.value(argument)
        if value.is_number:
            return value
        if not value.is_vector:
            if value.shape[0] != value.shape[1]:
                raise Unfit(f"diag takes a vector, but here is a matrix of {value.shape[0]}×{value.shape[1]}")
            return Value(np.diagonal(value.array, axis1=-2, axis2=-1)[..., None], value.letters)
        size = max(value.shape)
        flat = value.array.reshape(*value.array.shape[:-2], size, 1)
        return Value(flat * np.eye(size, dtype=int if self.point.dtype is object else float), value.letters)

    def _call_trace(self, argument: Node) -> Value:
        value = self.value(argument)
        return Value(np.diagonal(value.array, axis1=-2, axis2=-1).sum(axis=-1, keepdims=True)[..., None], value.letters)

    def _call_sum(self, argument: Node, *_more: Node) -> Value:
        return self.total(self.value(argument))

    def _call_mean(self, argument: Node, *_more: Node) -> Value:
        value = self.value(argument)
        return Value(self.total(value).array / (value.shape[0] * value.shape[1]), value.letters)

    def _call_logsumexp(self, argument: Node) -> Value:
        total = self.total(self.value(argument).map(lambda x: self.point.apply(sp.exp, x)))
        return total.map(lambda x: self.point.apply(sp.log, x))

    def _call_transpose(self, argument: Node) -> Value:
        return self.value(argument).turned

    def _call_dot(self, left: Node, right: Node) -> Value:
        return product(self.value(left), self.value(right))

    def _call_outer(self, left: Node, right: Node) -> Value:
        from symbp.verify.shapes import outer

        return outer(self.value(left), self.value(right))

    def _call_rot180(self, argument: Node) -> Value:
        return self.value(argument).map(lambda x: x[..., ::-1, ::-1])

    _call_flip = _call_rot180

    def _call_concat(self, *arguments: Node) -> Value:
        return self._row(Row(tuple(arguments)))

    def total(self, value: Value) -> Value:
        """The sum of all elements; of a number with indices, over these."""
        if value.is_number and value.letters:
            return Value(value.array.sum(axis=tuple(range(len(value.letters)))))
        return Value(value.array.sum(axis=(-2, -1), keepdims=True), value.letters)

    # norms

    def squares(self, body: Node) -> Value:
        """‖x‖²."""
        return self.total(self.value(body).map(lambda x: x**2))

    def _norm(self, node: Norm) -> Value:
        if node.order == 2 or node.order == 0 and self.reading.lengths:
            return self.squares(node.body).map(lambda x: self.point.apply(lambda a: a**HALF, x))
        value = self.value(node.body).map(lambda x: self.point.apply(sp.Abs, x))
        return value if node.order == 0 else self.total(value)

    # conditions

    def _bracket(self, node: Any) -> Value:
        return self.bracket(node.condition)

    def bracket(self, condition: Node) -> Value:
        """1 where a condition holds, else 0."""
        if isinstance(condition, Row):
            made = self.bracket(condition.parts[0])
            for part in condition.parts[1:]:
                made = times(made, self.bracket(part))
            return made
        if not isinstance(condition, Relation):
            raise Unknown("a condition is a comparison such as x > 0 or y = k")
        left, right, sign = condition.left, condition.right, condition.sign
        if sign in FLIPPED:
            left, right, sign = right, left, FLIPPED[sign]
        if sign not in ("=", "==", "!=", ">", ">="):
            raise Unknown(f"the comparison {sign} is not known")
        if sign in (">", ">="):
            difference = plus(self._side(left, right), self._side(right, left).map(lambda x: -x))
            self.notes.add(f"kink {sign}")
            return difference.map(lambda x: self.point.apply(lambda a: step(a, sp.Integer(sign == ">=")), x))
        letters, arrays = aligned(*self._same(self._side(left, right), self._side(right, left)))
        same = Value(self.point.apply(equal, *arrays), letters)
        return same if sign != "!=" else same.map(lambda x: 1 - x)

    def _same(self, a: Value, b: Value) -> tuple[Value, Value]:
        return plus(a, b.map(lambda x: x * 0)), plus(b, a.map(lambda x: x * 0))

    def _side(self, node: Node, other: Node) -> Value:
        """A side of a comparison; a letter beside a class number counts from 0 as that does."""
        if is_letter(node) and node.base in self.extents and isinstance(other, Sym) and self.find(node) is None:
            found = self.find(other)
            if found is not None and self.key(found.name)[0] == "of" and self.point.program.tensor(found.name).dtype == "int":
                return self._counted(node.base).map(lambda x: x - self.reading.base)
        return self.value(node)

    def _cases(self, node: Any) -> Value:
        total = self.value(node.values[-1])
        for value, condition in zip(reversed(node.values[:-1]), reversed(node.conditions[:-1])):
            if condition is None:
                raise Unknown("only the last case stands without a condition")
            holds = self.bracket(condition)
            total = plus(times(holds, self.value(value)), times(holds.map(lambda x: 1 - x), total))
        if node.conditions[-1] is not None:
            self.bracket(node.conditions[-1])
        return total


def is_zero(node: Node) -> bool:
    """Whether a node is the number 0."""
    return isinstance(node, Number) and node.value == 0
