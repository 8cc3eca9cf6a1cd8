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
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import sympy as sp

from symbp.errors import LanguageError
from symbp.language.build import Reduce
from symbp.language.facts import Fact
from symbp.language.functions import DEFINITIONS, PRIMITIVES
from symbp.language.index import Index
from symbp.language.reader import ExpressionReader
from symbp.language.scope import Scope, index_names, learn, short

if TYPE_CHECKING:
    from lark import Lark, Tree

LONGEST, DEEPEST = 20_000, 60


def parse_equation(text: str, scope: Scope) -> tuple[str, tuple[Index, ...], sp.Expr]:
    """Read `y[n,j] = …`: the target's name, its indices, and the right side.

    >>> from symbp.language.tensor import Tensor
    >>> V, x = Tensor("V", (4, 3)), Tensor("x", (5, 3))
    >>> parse_equation("y[n,j] = sum(i, V[j,i]*x[n,i])", Scope({"V": V, "x": x}))
    ('y', (n, j), sum(i, V[j, i]*x[n, i]))
    """
    tree = _tree(text, "equation")
    target, right = tree.children
    learn(tree, scope, text)
    read = ExpressionReader(scope, text, index_names(tree))
    indices = tuple(read.expression(child) for child in target.children[1:])
    other = next((i for i in indices if not isinstance(i, Index)), None)
    if other is not None:
        raise read.fail(f"the left side's index {other} is not a plain index; the left side names each element once")
    return str(target.children[0]), indices, read.expression(right)


def parse_expression(text: str, scope: Scope) -> sp.Expr:
    """Read an expression.

    >>> from symbp.language.tensor import Tensor
    >>> parse_expression("0.5*sum(i, x[i]^2)", Scope({"x": Tensor("x", (3,))}))
    sum(i, x[i]**2)/2
    """
    tree = _tree(text, "expr")
    learn(tree, scope, text)
    return ExpressionReader(scope, text, index_names(tree)).expression(tree)


def parse_fact(text: str, scope: Scope) -> Fact:
    """Read a relation such as `sum(k, t[n,k]) == 1`.

    >>> from symbp.language.tensor import Tensor
    >>> print(parse_fact("sum(k, t[n,k]) == 1", Scope({"t": Tensor("t", (5, 3))})))
    sum(k, t[n, k]) == 1
    """
    tree = _tree(text, "relation")
    learn(tree, scope, text)
    left, relation, right = tree.children
    read = ExpressionReader(scope, text, index_names(tree))
    value = read.expression(left)
    over = value.over if isinstance(value, Reduce) else ()
    return Fact(value.body if over else value, str(relation), read.expression(right), over)


def learn_indices(text: str, scope: Scope) -> None:
    """Add to the scope the indices of an equation whose extents its known tensors tell.

    >>> from symbp.language.tensor import Tensor
    >>> scope = Scope({"x": Tensor("x", (5, 3))})
    >>> learn_indices("y[n,j] = sum(i, V[j,i]*x[n,i])", scope)
    >>> sorted((name, i.extent) for name, i in scope.indices.items())
    [('i', 3), ('n', 5)]
    """
    learn(_tree(text, "equation"), scope, text)


@cache
def _parser() -> Lark:
    import lark
    text = (Path(__file__).parent / "grammar.lark").read_text(encoding="utf-8")
    return lark.Lark(text, start=["equation", "expr", "relation"], parser="lalr", maybe_placeholders=False)


def _tree(text: str, start: str) -> Tree:
    import lark
    if len(text) > LONGEST:
        raise LanguageError(f"the expression `{short(text)}` is {len(text)} characters long; at most {LONGEST} are read")
    if _depth(text) > DEEPEST:
        raise LanguageError(f"in `{short(text)}`: more than {DEEPEST} nested brackets or signs")
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
    column, missing = getattr(error, "column", None), text.count("(") + text.count("[") - text.count(")") - text.count("]")
    if getattr(getattr(error, "token", None), "type", "") == "$END" or not isinstance(column, int) or column < 1:
        return LanguageError(f"cannot read `{short(text)}`: it ends too early{', a bracket is still open' if missing > 0 else ''}")
    rest = text[column - 1:column + 14]
    letters = "" if rest.isascii() else " Names have the letters a–z and A–Z, digits and _."
    return LanguageError(f"cannot read `{short(text)}` at column {column}, before `{rest}`. An expression has numbers, names, accesses "
                         f"T[i,j], + - * / ^, sum(i, …), max(i, …), softmax(k, …), and functions: "
                         f"{', '.join(sorted({*PRIMITIVES, *DEFINITIONS}))}.{letters}")
