"""Turns a syntax tree of the expression language into SymPy expressions, `Reduce` and `Guard` nodes."""
from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import sympy as sp

from symbp.calculus.local import prime
from symbp.errors import LanguageError
from symbp.language.build import Guard, Reduce
from symbp.language.equation import inside
from symbp.language.functions import PRIMITIVES, Defined, equal
from symbp.language.index import Index
from symbp.language.scope import REDUCTIONS, Scope, headed, short
from symbp.language.tensor import Access
from symbp.suggest import nearest

if TYPE_CHECKING:
    from lark import Tree

WORDS = {"where", "and", "inside", *REDUCTIONS}
LARGEST_EXPONENT = 64
LARGEST_POWER_OF_TEN = 308


class ExpressionReader:
    """Turns a syntax tree into a SymPy expression."""

    def __init__(self, scope: Scope, text: str, index_names: Iterable[str]) -> None:
        self.scope, self.text, self.index_names = scope, text, frozenset(index_names)

    def fail(self, message: str) -> LanguageError:
        """An error that quotes the text."""
        return LanguageError(f"in `{short(self.text)}`: {message}")

    def expression(self, node: Tree) -> sp.Expr:
        """The value of a node, by its rule's name."""
        return getattr(self, "_" + node.data)(node)

    def _number(self, node: Tree) -> sp.Expr:
        text = str(node.children[0])
        power = re.search(r"[eE][+-]?(\d+)", text)
        if len(text) > 60:
            raise self.fail(f"the number {text[:20]}… has too many digits; at most 60 characters are read")
        if power and int(power.group(1)) > LARGEST_POWER_OF_TEN:
            raise self.fail(f"the number {text} is out of range; powers of ten go to {LARGEST_POWER_OF_TEN}")
        return sp.Rational(text)

    def _access(self, node: Tree) -> sp.Expr:
        name = str(node.children[0])
        positions = [self.expression(c) for c in node.children[1:]]
        if name in self.scope.tensors:
            return self._element(name, positions)
        if name in self.scope.later:
            raise self.fail(f"{name} is read before it is assigned; write the equation that assigns it above this one")
        if positions:
            raise self.fail(f"unknown tensor {name!r}{nearest(name, self.scope.tensors)}")
        return self._name(name)

    def _element(self, name: str, positions: list[sp.Expr]) -> Access:
        tensor = self.scope.tensors[name]
        if len(positions) != len(tensor.shape):
            axes = f"{len(tensor.shape)} ax{'is' if len(tensor.shape) == 1 else 'es'}"
            raise self.fail(f"{name} has {axes}, but is read with {len(positions)} ind{'ex' if len(positions) == 1 else 'ices'}: "
                            f"{name}[{', '.join(map(str, positions))}]")
        return tensor[tuple(positions)]

    def _name(self, name: str) -> sp.Expr:
        constants = {"pi": sp.pi, "e": sp.E}
        for meaning in (self.scope.indices, self.scope.sizes, constants):
            if name in meaning:
                return meaning[name]
        if name in self.index_names:
            raise self.fail(f"the extent of the index {name} is unknown: it indexes no axis alone; declare it, indices = {{ {name} = … }}")
        known = [*self.scope.tensors, *self.scope.indices, *self.scope.sizes]
        raise self.fail(f"unknown name {name!r}{nearest(name, known)}")

    def _add(self, node: Tree) -> sp.Expr:
        return self.expression(node.children[0]) + self.expression(node.children[1])

    def _sub(self, node: Tree) -> sp.Expr:
        return self.expression(node.children[0]) - self.expression(node.children[1])

    def _mul(self, node: Tree) -> sp.Expr:
        return self.expression(node.children[0]) * self.expression(node.children[1])

    def _div(self, node: Tree) -> sp.Expr:
        below = self.expression(node.children[1])
        if below == 0:
            raise self.fail("division by zero")
        return self.expression(node.children[0]) / below

    def _neg(self, node: Tree) -> sp.Expr:
        return -self.expression(node.children[0])

    def _pow(self, node: Tree) -> sp.Expr:
        base, exponent = map(self.expression, node.children)
        if exponent.is_number and (not exponent.is_Rational or abs(exponent) > LARGEST_EXPONENT or exponent.q > LARGEST_EXPONENT):
            raise self.fail(f"the exponent {str(exponent)[:20]} is out of range; exponents are rationals up to {LARGEST_EXPONENT}")
        if base == 0 and exponent.is_negative:
            raise self.fail("division by zero")
        return self._real(base ** exponent, f"({base})^({exponent})")

    def _bracket(self, node: Tree) -> sp.Expr:
        left, relation, right = node.children
        if str(relation) != "==":
            raise self.fail(f"a bracket [a {relation} b] is not known in a body; write [a == b], or put the condition behind `where`")
        return equal(self.expression(left), self.expression(right))

    def _where(self, node: Tree) -> sp.Expr:
        raise self.fail("`where` stands behind the last index of a sum or max, as in sum(j where j <= i, …)")

    def _call(self, node: Tree) -> sp.Expr:
        name = str(node.children[0])
        primes = sum(1 for c in node.children[1:] if str(c) == "'")
        arguments = node.children[1 + primes:]
        if name in REDUCTIONS and not primes:
            return self._reduction(name, arguments)
        if name == "inside":
            return self._inside(arguments)
        if name in self.scope.functions:
            function = self.scope.functions[name]
            for _ in range(primes):
                function = prime(function)
        elif name in PRIMITIVES and not primes:
            function = PRIMITIVES[name]
        else:
            raise self.fail(f"unknown function {name!r}{nearest(name, {*PRIMITIVES, *self.scope.functions, *WORDS} - {'where', 'and'})}")
        return self._apply(name, function, [self.expression(a) for a in arguments])

    def _apply(self, name: str, function: type, arguments: list[sp.Expr]) -> sp.Expr:
        arity = len(function.parameters) if isinstance(function, type) and issubclass(function, Defined) else 1
        if len(arguments) != arity:
            raise self.fail(f"{name} takes {arity} argument{'s' * (arity > 1)}, but {len(arguments)} are given")
        return self._real(function(*arguments), f"{name}({', '.join(map(str, arguments))})")

    def _real(self, value: sp.Expr, shown: str) -> sp.Expr:
        if value.is_number and not (value.is_real and value.is_finite):
            raise self.fail(f"{shown} is no real number")
        return value

    def _reduction(self, name: str, arguments: list) -> sp.Expr:
        *head, body = arguments
        body = self.expression(body)
        if not head and name == "softmax":
            return Reduce("softmax", body, [self._softmax_axis(body)])
        if not head:
            raise self.fail(f"{name} needs an index: {name}(i, …)")
        over = [self._bound(name, a) for a in head]
        twice = next((i for k, i in enumerate(over) if i in over[:k]), None)
        if twice is not None:
            raise self.fail(f"{name} has the index {twice} twice; name each bound index once")
        domain = [c for a in head if a.data == "where" for node in a.children[1:] for c in self._condition(node)]
        if name == "mean":
            return Reduce("sum", body / sp.Mul(*(i.extent for i in over)), over, domain)
        return Reduce(name, body, over, domain)

    def _bound(self, name: str, argument: Tree) -> Index:
        index = self.expression(headed(argument))
        if not isinstance(index, Index):
            raise self.fail(f"{name}({index}, …): {index} is not an index")
        return index

    def _softmax_axis(self, body: sp.Expr) -> Index:
        bound = {i for r in body.atoms(Reduce) for i in r.over}
        free = sorted((i for i in body.atoms(Index) if i not in bound), key=lambda i: i.name)
        if len(free) != 1:
            names = ", ".join(i.name for i in free) or "none"
            raise self.fail(f"softmax needs its index, since {names} are free: write softmax({free[-1].name if free else 'k'}, …)")
        return free[0]

    def _condition(self, node: Tree) -> list[sp.Expr]:
        left, relation, right = self.expression(node.children[0]), str(node.children[1]), self.expression(node.children[2])
        gap = sp.expand(left - right)
        return {">=": [gap], "<=": [-gap], ">": [gap - 1], "<": [-gap - 1], "==": [gap, -gap]}[relation]

    def _inside(self, arguments: list) -> sp.Expr:
        access = self.expression(arguments[0]) if len(arguments) == 1 else None
        if not isinstance(access, Access):
            raise self.fail("inside(…) takes one access, as in inside(x[n,i+u-1])")
        conditions = inside(access, self.scope.tensors[access.name])
        return Guard(access, *conditions) if conditions else access
