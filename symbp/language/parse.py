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
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import sympy as sp

from symbp.calculus.local import prime
from symbp.errors import LanguageError
from symbp.language.build import Guard, Reduce
from symbp.language.equation import inside
from symbp.language.facts import Fact
from symbp.language.functions import DEFINITIONS, PRIMITIVES, Defined, equal
from symbp.language.index import Index
from symbp.language.tensor import Access, Tensor
from symbp.suggest import nearest

LONGEST, DEEPEST = 20_000, 60
REDUCTIONS = ("sum", "mean", "max", "softmax")
WORDS = {"where", "and", "inside", *REDUCTIONS}


@dataclass
class Scope:
    """What names mean: tensors, indices, sizes and functions.

    With `infer`, unknown tensors, scalars and extents are declared by their use (a bare formula).
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    indices: dict[str, Index] = field(default_factory=dict)
    sizes: dict[str, sp.Expr] = field(default_factory=dict)
    functions: Mapping[str, type[Defined]] = field(default_factory=lambda: DEFINITIONS)
    infer: bool = False


def parse_equation(text: str, scope: Scope) -> tuple[str, tuple[Index, ...], sp.Expr]:
    """Read `y[n,j] = …`: the target's name, its indices, and the right side.

    >>> V, x = Tensor("V", (4, 3)), Tensor("x", (5, 3))
    >>> parse_equation("y[n,j] = sum(i, V[j,i]*x[n,i])", Scope({"V": V, "x": x}))
    ('y', (n, j), sum(i, V[j, i]*x[n, i]))
    """
    tree = _tree(text, "equation")
    target, right = tree.children
    _learn(tree, scope, text)
    name = str(target.children[0])
    indices = []
    for child in target.children[1:]:
        index = _Reader(scope, text).expression(child) if child is not None else None
        if index is not None and not isinstance(index, Index):
            raise LanguageError(f"in `{_short(text)}`: the left side's index {index} is not a plain index; the left side names each element once")
        indices += [index] if index is not None else []
    return name, tuple(indices), _Reader(scope, text).expression(right)


def parse_expression(text: str, scope: Scope) -> sp.Expr:
    """Read an expression.

    >>> parse_expression("0.5*sum(i, x[i]^2)", Scope({"x": Tensor("x", (3,))}))
    sum(i, x[i]**2)/2
    """
    tree = _tree(text, "expr")
    _learn(tree, scope, text)
    return _Reader(scope, text).expression(tree)


def parse_fact(text: str, scope: Scope) -> Fact:
    """Read a relation such as `sum(k, t[n,k]) == 1`.

    >>> print(parse_fact("sum(k, t[n,k]) == 1", Scope({"t": Tensor("t", (5, 3))})))
    sum(k, t[n, k]) == 1
    """
    tree = _tree(text, "relation")
    _learn(tree, scope, text)
    left, relation, right = tree.children
    read = _Reader(scope, text)
    value = read.expression(left)
    over = value.over if isinstance(value, Reduce) else ()
    return Fact(value.body if over else value, str(relation), read.expression(right), over)


def learn_indices(text: str, scope: Scope) -> None:
    """Add to the scope the indices of an equation whose extents its known tensors tell.

    >>> scope = Scope({"x": Tensor("x", (5, 3))})
    >>> learn_indices("y[n,j] = sum(i, V[j,i]*x[n,i])", scope)
    >>> sorted((name, i.extent) for name, i in scope.indices.items())
    [('i', 3), ('n', 5)]
    """
    _learn(_tree(text, "equation"), scope, text)


@cache
def _parser() -> "lark.Lark":
    import lark
    text = (Path(__file__).parent / "grammar.lark").read_text(encoding="utf-8")
    return lark.Lark(text, start=["equation", "expr", "relation"], parser="lalr", maybe_placeholders=False)


def _tree(text: str, start: str) -> "lark.Tree":
    import lark
    if len(text) > LONGEST:
        raise LanguageError(f"the expression `{_short(text)}` is {len(text)} characters long; at most {LONGEST} are read")
    if _depth(text) > DEEPEST:
        raise LanguageError(f"in `{_short(text)}`: more than {DEEPEST} nested brackets or signs")
    try:
        return _parser().parse(text, start=start)
    except lark.exceptions.UnexpectedInput as error:
        raise _unreadable(text, error) from None


def _depth(text: str) -> int:
    """The deepest nesting of brackets, and the longest run of signs or powers."""
    depth = deepest = 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        deepest = max(deepest, depth)
    runs = [len(re.sub(r"\s", "", m.group())) for m in re.finditer(r"[-+\s]{2,}", text)]
    return max([deepest, text.count("^") + text.count("**"), *runs])


def _unreadable(text: str, error: Exception) -> LanguageError:
    column = getattr(error, "column", None)
    place = f"at column {column}, before `{text[column - 1:column + 14]}`" if isinstance(column, int) and column > 0 else "at its end"
    return LanguageError(f"cannot read `{_short(text)}` {place}. An expression has numbers, names, accesses T[i,j], + - * / ^, "
                         f"sum(i, …), max(i, …), softmax(k, …), and functions: {', '.join(sorted({*PRIMITIVES, *DEFINITIONS}))}")


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 120 else flat[:117] + "…"


def _learn(tree: "lark.Tree", scope: Scope, text: str) -> None:
    """Collect the indices of an expression and their extents from the axes that they index alone."""
    found: dict[str, tuple[sp.Expr, sp.Expr, str]] = {n: (i.extent, i.start, "its declaration") for n, i in scope.indices.items()}
    used = _index_names(tree)
    for access in tree.find_data("access"):
        tensor = scope.tensors.get(str(access.children[0]))
        for axis, child in enumerate(access.children[1:]):
            name = _plain(child)
            if tensor is None or name is None or name in scope.tensors or axis >= len(tensor.shape):
                continue
            seen = found.setdefault(name, (tensor.shape[axis], tensor.origin[axis], f"axis {axis} of {tensor.name}"))
            if seen[0] != tensor.shape[axis]:
                raise LanguageError(f"in `{_short(text)}`: the index {name} has extent {seen[0]} ({seen[2]}) and extent {tensor.shape[axis]} "
                                    f"(axis {axis} of {tensor.name}); two indices of different extent need different names")
    for name in used:
        if name in scope.tensors and not scope.tensors[name].shape or name in scope.sizes:
            continue
        if name not in found and scope.infer:
            found[name] = (sp.Symbol(f"n_{name}", integer=True, positive=True), sp.S.Zero, "its use")
        if name in found:
            scope.indices.setdefault(name, Index(name, *found[name][:2]))
    if scope.infer:
        _infer_tensors(tree, scope, text)


def _index_names(tree: "lark.Tree") -> list[str]:
    """Names that stand where an index stands: inside brackets and in the heads of sums."""
    names: dict[str, None] = {}
    for access in tree.find_data("access"):
        for child in access.children[1:]:
            inner = [child, *(child.iter_subtrees() if hasattr(child, "iter_subtrees") else ())]
            names.update(dict.fromkeys(n for c in inner if (n := _plain(c))))
    for call in tree.find_data("call"):
        if str(call.children[0]) in REDUCTIONS:
            names.update(dict.fromkeys(n for a in call.children[1:-1] if (n := _plain(_headed(a)))))
    return list(names)


def _headed(argument: "lark.Tree") -> "lark.Tree":
    return argument.children[0] if argument.data == "where" else argument


def _plain(node: "lark.Tree") -> str | None:
    """The name of an access without brackets, else None."""
    if getattr(node, "data", None) == "access" and len(node.children) == 1:
        return str(node.children[0])
    return None


def _infer_tensors(tree: "lark.Tree", scope: Scope, text: str) -> None:
    """Declare the unknown tensors and scalars of a bare formula by their use."""
    for access in sorted(tree.find_data("access"), key=lambda a: a.children[0].start_pos):
        name = str(access.children[0])
        if name in scope.tensors or name in scope.indices or name in scope.sizes or name in ("pi", "e"):
            continue
        letters = [_plain(c) for c in access.children[1:]]
        if None in letters:
            raise LanguageError(f"in `{_short(text)}`: the shape of {name} cannot be read off {name}[…]; use it once with plain indices, "
                                f"or declare it in a network file")
        axes = [scope.indices[letter] for letter in letters]
        scope.tensors[name] = Tensor(name, tuple(i.extent for i in axes), role="input", origin=tuple(i.start for i in axes))


class _Reader:
    """Turns a syntax tree into a SymPy expression."""

    def __init__(self, scope: Scope, text: str) -> None:
        self.scope, self.text = scope, text

    def fail(self, message: str) -> LanguageError:
        return LanguageError(f"in `{_short(self.text)}`: {message}")

    def expression(self, node: "lark.Tree") -> sp.Expr:
        """The value of a node, by its rule's name."""
        return getattr(self, "_" + node.data)(node)

    def _number(self, node: "lark.Tree") -> sp.Expr:
        text = str(node.children[0])
        power = re.search(r"[eE][+-]?(\d+)", text)
        if len(text) > 60 or power and len(power.group(1)) > 3:
            raise self.fail(f"the number {text[:20]}… has too many digits")
        return sp.Rational(text)

    def _access(self, node: "lark.Tree") -> sp.Expr:
        name = str(node.children[0])
        positions = [self.expression(c) for c in node.children[1:]]
        if name in self.scope.tensors:
            return self.scope.tensors[name][tuple(positions)]
        if positions:
            raise self.fail(f"unknown tensor {name!r}{nearest(name, self.scope.tensors)}")
        return self._name(name)

    def _name(self, name: str) -> sp.Expr:
        constants = {"pi": sp.pi, "e": sp.E}
        for meaning in (self.scope.indices, self.scope.sizes, constants):
            if name in meaning:
                return meaning[name]
        if name in _index_names(_tree_of(self.text)):
            raise self.fail(f"the extent of the index {name} is unknown: it indexes no axis alone; declare it, indices = {{ {name} = … }}")
        known = [*self.scope.tensors, *self.scope.indices, *self.scope.sizes]
        raise self.fail(f"unknown name {name!r}{nearest(name, known)}")

    def _add(self, node: "lark.Tree") -> sp.Expr:
        return self.expression(node.children[0]) + self.expression(node.children[1])

    def _sub(self, node: "lark.Tree") -> sp.Expr:
        return self.expression(node.children[0]) - self.expression(node.children[1])

    def _mul(self, node: "lark.Tree") -> sp.Expr:
        return self.expression(node.children[0]) * self.expression(node.children[1])

    def _div(self, node: "lark.Tree") -> sp.Expr:
        below = self.expression(node.children[1])
        if below == 0:
            raise self.fail("division by zero")
        return self.expression(node.children[0]) / below

    def _neg(self, node: "lark.Tree") -> sp.Expr:
        return -self.expression(node.children[0])

    def _pow(self, node: "lark.Tree") -> sp.Expr:
        base, exponent = map(self.expression, node.children)
        if exponent.is_number and (not exponent.is_Rational or abs(exponent) > 64 or exponent.q > 64):
            raise self.fail(f"the exponent {str(exponent)[:20]} is out of range; exponents are rationals up to 64")
        if base == 0 and exponent.is_negative:
            raise self.fail("division by zero")
        return base ** exponent

    def _bracket(self, node: "lark.Tree") -> sp.Expr:
        left, relation, right = node.children
        if str(relation) != "==":
            raise self.fail(f"a bracket [a {relation} b] is not known in a body; write [a == b], or put the condition behind `where`")
        return equal(self.expression(left), self.expression(right))

    def _where(self, node: "lark.Tree") -> sp.Expr:
        raise self.fail("`where` stands behind the last index of a sum or max, as in sum(j where j <= i, …)")

    def _call(self, node: "lark.Tree") -> sp.Expr:
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
        return function(*arguments)

    def _reduction(self, name: str, arguments: list) -> sp.Expr:
        *head, body = arguments
        body = self.expression(body)
        if not head and name == "softmax":
            return Reduce("softmax", body, [self._softmax_axis(body)])
        if not head:
            raise self.fail(f"{name} needs an index: {name}(i, …)")
        over = [self._bound(name, a) for a in head]
        domain = [c for a in head if a.data == "where" for node in a.children[1:] for c in self._condition(node)]
        if name == "mean":
            return Reduce("sum", body / sp.Mul(*(i.extent for i in over)), over, domain)
        return Reduce(name, body, over, domain)

    def _bound(self, name: str, argument: "lark.Tree") -> Index:
        index = self.expression(_headed(argument))
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

    def _condition(self, node: "lark.Tree") -> list[sp.Expr]:
        left, relation, right = self.expression(node.children[0]), str(node.children[1]), self.expression(node.children[2])
        gap = sp.expand(left - right)
        return {">=": [gap], "<=": [-gap], ">": [gap - 1], "<": [-gap - 1], "==": [gap, -gap]}[relation]

    def _inside(self, arguments: list) -> sp.Expr:
        access = self.expression(arguments[0]) if len(arguments) == 1 else None
        if not isinstance(access, Access):
            raise self.fail("inside(…) takes one access, as in inside(x[n,i+u-1])")
        conditions = inside(access, self.scope.tensors[access.name])
        return Guard(access, *conditions) if conditions else access


def _tree_of(text: str) -> "lark.Tree":
    return _tree(text, "equation" if re.match(r"[^=<>\[]*(\[[^\]]*\])?\s*=[^=]", text) else "relation" if re.search(r"[<>]|==", text) else "expr")
