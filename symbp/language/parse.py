"""Reads the expression language: text → `Reduce` expressions and equations.  Never `eval`, never `sympify`.

    y[n,j] = sigmoid(sum(i, V[j,i]*x[n,i]) + c[j])
    y[n,i] = sum(u, inside(x[n,i+u-1])*K[u])
    s[i]   = sum(j where j <= i, w[i,j])
    y[n]   = max(u, x[n,2*n+u])            softmax(k, z[n,k])           [t[n] == k]

A name is a tensor, an index, a size, or a function of a fixed list.  Extents of indices are those of the axes that
they index alone.  Numbers are exact: 0.1 is 1/10.
"""
from __future__ import annotations

import re
from typing import TYPE_CHECKING

import sympy as sp

from symbp.calculus.local import prime
from symbp.errors import LanguageError
from symbp.language.build import Guard, Reduce
from symbp.language.equation import inside
from symbp.language.facts import Fact
from symbp.language.functions import PRIMITIVES, Defined, equal
from symbp.language.index import Index
from symbp.language.limits import MOST_OPERATIONS, objection, operations, power_objection
from symbp.language.scope import CONSTANTS, REDUCTIONS, Scope, headed, index_names, learn, plain
from symbp.language.syntax import read_tree, short, source
from symbp.language.tensor import Access
from symbp.suggest import nearest

if TYPE_CHECKING:
    from lark import Tree

MOST_PRIMES = 8


def parse_equation(text: str, scope: Scope) -> tuple[str, tuple[Index, ...], sp.Expr]:
    """Read `y[n,j] = …`: the target's name, its indices, and the right side.

    >>> from symbp.language.tensor import Tensor
    >>> V, x = Tensor("V", (4, 3)), Tensor("x", (5, 3))
    >>> parse_equation("y[n,j] = sum(i, V[j,i]*x[n,i])", Scope({"V": V, "x": x}))
    ('y', (n, j), sum(i, V[j, i]*x[n, i]))
    """
    tree = read_tree(text, "equation")
    target, right = tree.children
    learn(tree, scope, text)
    read = _Reader(scope, text, tree)
    return str(target.children[0]), read.plain_indices(target.children[1:]), read.whole(right)


def parse_expression(text: str, scope: Scope) -> sp.Expr:
    """Read an expression.

    >>> from symbp.language.tensor import Tensor
    >>> parse_expression("0.5*sum(i, x[i]^2)", Scope({"x": Tensor("x", (3,))}))
    sum(i, x[i]**2)/2
    """
    tree = read_tree(text, "expr")
    learn(tree, scope, text)
    return _Reader(scope, text, tree).whole(tree)


def parse_fact(text: str, scope: Scope) -> Fact:
    """Read a relation such as `sum(k, t[n,k]) == 1`.

    >>> from symbp.language.tensor import Tensor
    >>> print(parse_fact("sum(k, t[n,k]) == 1", Scope({"t": Tensor("t", (5, 3))})))
    sum(k, t[n, k]) == 1
    """
    tree = read_tree(text, "relation")
    learn(tree, scope, text)
    left, relation, right = tree.children
    read = _Reader(scope, text, tree)
    value, bound = read.whole(left), read.whole(right)
    over = value.over if isinstance(value, Reduce) and value.op == "sum" and not value.domain else ()
    left = value.body if over else value
    if left.has(Reduce, Guard) or bound.has(Reduce, Guard):
        raise read.fail("a fact has at most one sum, which is its whole left side, as in sum(k, t[n,k]) == 1")
    return Fact(left, str(relation), bound, over)


def learn_indices(text: str, scope: Scope) -> None:
    """Add to the scope the indices of an equation whose extents its known tensors tell.

    >>> from symbp.language.tensor import Tensor
    >>> scope = Scope({"x": Tensor("x", (5, 3))})
    >>> learn_indices("y[n,j] = sum(i, V[j,i]*x[n,i])", scope)
    >>> sorted((name, i.extent) for name, i in scope.indices.items())
    [('i', 3), ('n', 5)]
    """
    learn(read_tree(text, "equation"), scope, text)


class _Reader:
    """Turns a syntax tree into a SymPy expression."""

    def __init__(self, scope: Scope, text: str, tree: Tree) -> None:
        self.scope, self.text, self.tree = scope, text, tree

    def fail(self, message: str) -> LanguageError:
        return LanguageError(f"in `{short(self.text)}`: {message}")

    def whole(self, node: Tree) -> sp.Expr:
        """The value of a whole expression, which is not too long when it is written out."""
        value = self.expression(node)
        if (count := operations(value)) > MOST_OPERATIONS:
            raise self.fail(f"written out in exp, log and powers this has {count} operations, at most {MOST_OPERATIONS} are read; "
                            "write it as several equations")
        return value

    def expression(self, node: Tree) -> sp.Expr:
        """The value of a node, by its rule's name."""
        value = getattr(self, "_" + node.data)(node)
        if wrong := objection(value):
            raise self.fail(f"`{source(node, self.text)}` {wrong}")
        return value

    def plain_indices(self, nodes: list[Tree]) -> tuple[Index, ...]:
        """The indices of a left side, which are plain and different."""
        found: list[Index] = []
        for node in nodes:
            index = self.expression(node)
            if not isinstance(index, Index):
                raise self.fail(f"the left side's index {index} is not a plain index; the left side names each element once")
            if index in found:
                raise self.fail(f"the left side has the index {index} twice; each of its axes needs an index of its own")
            found.append(index)
        return tuple(found)

    def _number(self, node: Tree) -> sp.Expr:
        text = str(node.children[0])
        power = re.search(r"[eE][+-]?(\d+)", text)
        if len(text) > 60 or power and len(power.group(1)) > 3:
            raise self.fail(f"the number {text[:20]}… has too many digits")
        return sp.Rational(text)

    def _access(self, node: Tree) -> sp.Expr:
        name = str(node.children[0])
        positions = [self.expression(c) for c in node.children[1:]]
        tensor = self.scope.tensors.get(name)
        if tensor is not None and len(positions) != len(tensor.shape):
            axes = ", ".join(map(str, tensor.shape))
            raise self.fail(f"{name} has {len(tensor.shape)} axes [{axes}], but `{source(node, self.text)}` gives {len(positions)}")
        if tensor is not None:
            return tensor[tuple(positions)]
        if name in self.scope.later:
            raise self.fail(f"{name} is read before it is assigned; write the equation that assigns it above this one")
        if positions:
            raise self.fail(f"unknown tensor {name!r}{nearest(name, self.scope.tensors)}")
        return self._name(name)

    def _name(self, name: str) -> sp.Expr:
        for meaning in (self.scope.indices, self.scope.sizes, CONSTANTS):
            if name in meaning:
                return meaning[name]
        if name in index_names(self.tree):
            raise self.fail(f"the extent of the index {name} is unknown: it indexes no axis alone; declare it, indices = {{ {name} = … }}")
        known = [*self.scope.tensors, *self.scope.indices, *self.scope.sizes]
        raise self.fail(f"unknown name {name!r}{nearest(name, known)}")

    def _sum(self, node: Tree) -> sp.Expr:
        terms = [self.expression(c) for c in node.children[::2]]
        return sp.Add(terms[0], *(term if sign == "+" else -term for sign, term in zip(node.children[1::2], terms[1:], strict=True)))

    def _product(self, node: Tree) -> sp.Expr:
        factors = [self.expression(node.children[0])]
        for sign, child in zip(node.children[1::2], node.children[2::2], strict=True):
            factor = self.expression(child)
            if sign == "/" and factor == 0:
                raise self.fail("division by zero")
            factors.append(factor if sign == "*" else 1 / factor)
        return sp.Mul(*factors)

    def _neg(self, node: Tree) -> sp.Expr:
        return -self.expression(node.children[0])

    def _pow(self, node: Tree) -> sp.Expr:
        base, exponent = map(self.expression, node.children)
        if wrong := power_objection(base, exponent):
            raise self.fail(f"`{source(node, self.text)}` {wrong}")
        return base ** exponent

    def _bracket(self, node: Tree) -> sp.Expr:
        left, relation, right = node.children
        if str(relation) != "==":
            raise self.fail(f"a bracket [a {relation} b] is not known in a body; write [a == b], or put the condition behind `where`")
        return equal(self.expression(left), self.expression(right))

    def _where(self, node: Tree) -> sp.Expr:
        raise self.fail("`where` stands behind the last index of a sum, max or min, as in sum(j where j <= i, …)")

    def _call(self, node: Tree) -> sp.Expr:
        name = str(node.children[0])
        primes = sum(1 for c in node.children[1:] if str(c) == "'")
        arguments = node.children[1 + primes:]
        if name in REDUCTIONS and not primes:
            return self._reduction(name, arguments)
        if name == "inside" and not primes:
            return self._inside(arguments)
        return self._apply(name, self._function(name, primes), [self.expression(a) for a in arguments])

    def _function(self, name: str, primes: int) -> type:
        if primes and name in PRIMITIVES:
            raise self.fail(f"{name} has no primes; only functions with a definition have them: {', '.join(sorted(self.scope.functions))}")
        if primes > MOST_PRIMES:
            raise self.fail(f"{name} has {primes} primes; at most {MOST_PRIMES} are read")
        if name in PRIMITIVES:
            return PRIMITIVES[name]
        if name not in self.scope.functions:
            known = sorted({*PRIMITIVES, *self.scope.functions, *REDUCTIONS, "inside"})
            raise self.fail(f"unknown function {name!r}{nearest(name, known)}")
        function = self.scope.functions[name]
        for _ in range(primes):
            function = prime(function)
        return function

    def _apply(self, name: str, function: type, arguments: list[sp.Expr]) -> sp.Expr:
        arity = len(function.parameters) if isinstance(function, type) and issubclass(function, Defined) else 1
        if len(arguments) != arity:
            raise self.fail(f"{name} takes {arity} argument{'s' * (arity > 1)}, but {len(arguments)} are given")
        return function(*arguments)

    def _reduction(self, name: str, arguments: list) -> sp.Expr:
        *head, body = arguments
        body = self.expression(body)
        if not head and name == "softmax":
            return Reduce("softmax", body, [self._softmax_axis(body)])
        if not head:
            raise self.fail(f"{name} needs an index: {name}(i, …)")
        over = [self._bound(name, a) for a in head]
        if len(set(over)) < len(over):
            raise self.fail(f"{name}({', '.join(map(str, over))}, …) names an index twice; each needs a name of its own")
        domain = [c for a in head if a.data == "where" for node in a.children[1:] for c in self._condition(node)]
        if name == "softmax" and len(over) > 1:
            raise self.fail(f"softmax runs over one index, not over {', '.join(map(str, over))}")
        if domain and name in ("softmax", "mean"):
            raise self.fail(f"{name} takes no `where`; sum, max and min do")
        if name == "mean":
            return Reduce("sum", body / sp.Mul(*(i.extent for i in over)), over, domain)
        if name == "min":
            return -Reduce("max", -body, over, domain)
        return Reduce(name, body, over, domain)

    def _bound(self, name: str, argument: Tree) -> Index:
        head = headed(argument)
        index = self.scope.indices.get(plain(head) or "")
        if index is None:
            self.expression(head)  # which may have an error of its own
            other = "; the larger of two numbers is maximum(a, b)" if name == "max" else ""
            raise self.fail(f"{name}({source(head, self.text)}, …): {source(head, self.text)} is not an index{other}")
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
