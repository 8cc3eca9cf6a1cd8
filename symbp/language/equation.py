"""Statements of level 1: equations over an explicit domain, and loops.

Statements are frozen dataclasses and not SymPy objects: they are no algebra and are never re-ordered.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import sympy as sp
from sympy.core.sympify import _sympify

from symbp.errors import LanguageError
from symbp.language.index import Index, indices_of, substitute
from symbp.language.tensor import Access, Tensor, names_read

OPERATORS = ("sum", "max", "argmax")
DIRECTIONS = ("ascending", "descending")


@dataclass(frozen=True)
class Equation:
    """`target ⊕= body` at every point of its indices that satisfies the domain.

    The indices are those of the target and the bound ones in `over`.  ⊕ is Σ ("sum"), max or argmax.
    All Σ equations into one tensor are contributions to it and start from 0.  `domain` is a conjunction:
    each expression is ≥ 0; a point outside contributes the identity of ⊕.  For argmax, `component` is the
    bound index whose position is stored (the first hit, lexicographic in the order of `over`).
    `label` says where the equation comes from, for messages and the printed derivation.

    >>> i, j = Index("i", 3), Index("j", 2)
    >>> z, W, x = Tensor("z", (2,)), Tensor("W", (2, 3)), Tensor("x", (3,))
    >>> print(Equation(z[j], W[j, i]*x[i], over=(i,)))
    z[j] += sum(i, x[i]*W[j, i])
    """

    target: Access
    body: sp.Expr
    op: str = "sum"
    over: tuple[Index, ...] = ()
    domain: tuple[sp.Expr, ...] = ()
    component: Index | None = None
    label: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "body", _sympify(self.body))
        object.__setattr__(self, "over", tuple(self.over))
        object.__setattr__(self, "domain", tuple(dict.fromkeys(map(_sympify, self.domain))))
        if self.op not in OPERATORS:
            raise LanguageError(f"{self.target}: the operator {self.op!r} is none of {', '.join(OPERATORS)}")
        if (self.component is None) == (self.op == "argmax"):
            raise LanguageError(f"{self.target}: an argmax, and nothing else, names the bound index that it stores")
        if self.component is not None and self.component not in self.over:
            raise LanguageError(f"{self.target}: the argmax stores {self.component}, which is none of its bound indices "
                                f"({', '.join(i.name for i in self.over)})")

    @cached_property
    def indices(self) -> tuple[Index, ...]:
        """All indices of the equation: the target's in order of appearance, then the bound ones."""
        found = dict.fromkeys(i for e in self.target.indices for i in indices_of(e))
        return tuple(dict.fromkeys((*found, *self.over)))

    @property
    def expressions(self) -> tuple[sp.Expr, ...]:
        """Body, target indices and domain: everything that reads."""
        return (self.body, *self.target.indices, *self.domain)

    def map(self, function: Callable[[sp.Basic], sp.Basic]) -> Equation:
        """Apply a function to target, body, bound indices and domain."""
        return replace(self, target=function(self.target), body=function(self.body),
                       over=tuple(function(i) for i in self.over),
                       domain=tuple(function(c) for c in self.domain),
                       component=self.component and function(self.component))

    def substituted(self, mapping: dict[sp.Basic, sp.Basic]) -> Equation:
        """Substitute indices and sizes throughout, bound indices' extents included."""
        return self.map(lambda e: substitute(e, mapping))

    def __str__(self) -> str:
        body = str(self.body)
        where = " and ".join(f"{c} >= 0" for c in self.domain)
        if where and self.op == "sum" and not self.over:
            body = f"{body} where {where}"
        elif self.over or self.op != "sum":
            names = ", ".join(i.name for i in self.over)
            head = f"{self.op}^{self.component}" if self.component else self.op
            body = f"{head}({names}{' where ' + where if where else ''}, {body})"
        return f"{self.target} {'+=' if self.op == 'sum' else '='} {body}"


@dataclass(frozen=True)
class Loop:
    """A recurrence: the body once for each value of `index`, ascending or descending.

    Time steps of a recurrent network, or the layers l = 1…L of a network of symbolic depth.
    """

    index: Index
    direction: str
    body: tuple[Statement, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "body", tuple(self.body))
        if self.direction not in DIRECTIONS:
            raise LanguageError(f"loop over {self.index}: direction {self.direction!r} is none of {', '.join(DIRECTIONS)}")

    def __str__(self) -> str:
        arrow = "↑" if self.direction == "ascending" else "↓"
        inner = "\n".join("    " + line for s in self.body for line in str(s).splitlines())
        return f"for {self.index} {arrow} {self.index.start}..{self.index.last}:\n{inner}"


Statement = Equation | Loop


def walk(statements: Iterable[Statement], loops: tuple[Loop, ...] = ()) -> Iterator[tuple[Equation, tuple[Loop, ...]]]:
    """Every equation in order, with the loops around it, outermost first."""
    for statement in statements:
        if isinstance(statement, Loop):
            yield from walk(statement.body, (*loops, statement))
        else:
            yield statement, loops


def inside(access: Access, tensor: Tensor) -> tuple[sp.Expr, ...]:
    """The domain conditions that keep an access within its tensor: what a layer that pads says.

    >>> i, u = Index("i", 5), Index("u", 3)
    >>> X = Tensor("X", (5,))
    >>> inside(X[i + u - 1], X)
    (i + u - 1, -i - u + 5)
    """
    conditions = []
    for position, extent, origin in zip(access.indices, tensor.extents(access), tensor.origin):
        if not (position.is_Symbol and isinstance(position, Index)):
            conditions += [position - origin, origin + extent - 1 - position]
    return tuple(sp.expand(c) for c in conditions)


def reads(statement: Statement) -> set[str]:
    """Names of the tensors that a statement reads, those in index expressions included."""
    return {n for eq, _ in walk((statement,)) for n in names_read(eq.expressions)}


def writes(statement: Statement) -> set[str]:
    """Names of the tensors that a statement writes."""
    return {eq.target.name for eq, _ in walk((statement,))}


__all__ = ["Equation", "Loop", "Statement", "walk", "inside", "reads", "writes"]
