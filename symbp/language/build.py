"""From nested expressions to equations: each nested sum becomes an equation of its own.

Stage: SymPy expression with `Reduce` and `Guard` nodes → equations with flat bodies.  `Reduce` exists only
here and in printed forms; a program never holds one, so that bound names cannot be captured.
"""
from __future__ import annotations

from collections.abc import Iterable

import sympy as sp
from sympy.core.symbol import Str

from symbp.errors import LanguageError
from symbp.language.equation import Equation
from symbp.language.index import Index
from symbp.language.names import NameSupply
from symbp.language.spread import few_terms
from symbp.language.tensor import Access, Tensor


class Reduce(sp.Expr):
    """A nested Σ, max or softmax in an expression under construction: operator, body, bound indices, domain."""

    is_commutative = True
    is_real = True

    def __new__(cls, op: str | Str, body: sp.Expr, over: Iterable[Index], domain: Iterable[sp.Expr] = ()) -> Reduce:
        head = op if isinstance(op, Str) else Str(op)
        return sp.Expr.__new__(cls, head, body, sp.Tuple(*over), sp.Tuple(*domain))

    op = property(lambda self: self.args[0].name, doc="sum, max or softmax")
    body = property(lambda self: self.args[1], doc="the expression under the operator")
    over = property(lambda self: tuple(self.args[2]), doc="the bound indices")
    domain = property(lambda self: tuple(self.args[3]), doc="conditions, each ≥ 0")

    def _sympystr(self, printer: object) -> str:
        where = " where " + " and ".join(f"{c} >= 0" for c in self.domain) if self.domain else ""
        if where and not self.over:
            return f"({printer.doprint(self.body)}{where})"
        return f"{self.op}({', '.join(i.name for i in self.over)}{where}, {printer.doprint(self.body)})"


class Guard(sp.Expr):
    """An expression with conditions for the domain of the nearest enclosing sum: what `inside(X[…])` means."""

    is_commutative = True
    is_real = True

    def __new__(cls, body: sp.Expr, *conditions: sp.Expr) -> Guard:
        return sp.Expr.__new__(cls, body, *conditions)


def total(*indices_then_body: sp.Expr, where: Iterable[sp.Expr] = ()) -> sp.Expr:
    """Σ over indices, for writing nested expressions in Python; `where` lists conditions, each ≥ 0.

    >>> i, W, x = Index("i", 3), Tensor("W", (3,)), Tensor("x", (3,))
    >>> total(i, W[i]*x[i])
    sum(i, W[i]*x[i])
    """
    *over, body = indices_then_body
    return Reduce("sum", body, over, where)


class Builder:
    """Collects the equations and helper tensors of one or more assignments.

    >>> i, W, x, y = Index("i", 3), Tensor("W", (3,)), Tensor("x", (3,)), Tensor("y")
    >>> b = Builder(NameSupply())
    >>> b.assign(y[()], 1 + 2*total(i, W[i]*x[i]))
    >>> print(*b.equations, sep="; ")
    y[] += sum(i, 2*W[i]*x[i]); y[] += 1
    """

    def __init__(self, names: NameSupply) -> None:
        self.names = names
        self.tensors: list[Tensor] = []
        self.equations: list[Equation] = []

    def assign(self, target: Access, expression: sp.Expr, label: str = "") -> None:
        """Add the equations of `target = expression`: one for each addend, helpers first."""
        if isinstance(expression, Reduce) and expression.op == "max":
            body, conditions = self._flat(expression.body)
            self._add(Equation(target, body, "max", expression.over, (*expression.domain, *conditions), label=label))
            return
        made = [self._addend(target, a, label) for a in _addends(expression)]
        self.equations += made

    def _addend(self, target: Access, addend: sp.Expr, label: str) -> Equation:
        over: tuple[Index, ...] = ()
        domain: tuple[sp.Expr, ...] = ()
        while (sums := _outer_sum(addend)) is not None:
            factor, inner = sums
            clash = {i: i.renamed(self.names.another(i.name)) for i in inner.over
                     if i in factor.free_symbols or i in over or i in target.free_symbols}
            inner = inner.xreplace(clash)
            over, domain = (*over, *inner.over), (*domain, *inner.domain)
            addend = factor * inner.body
        body, conditions = self._flat(addend)
        return Equation(target, body, over=over, domain=(*domain, *conditions), label=label)

    def _add(self, equation: Equation) -> None:
        self.equations.append(equation)

    def _flat(self, expression: sp.Expr) -> tuple[sp.Expr, tuple[sp.Expr, ...]]:
        """The expression without nested sums and guards, and the conditions of its guards."""
        reduces = _outermost(expression, Reduce)
        replaced = {r: self._helper(r) for r in reduces}
        expression = expression.xreplace(replaced)
        guards = _outermost(expression, Guard)
        conditions = tuple(c for g in guards for c in g.args[1:])
        return expression.xreplace({g: g.args[0] for g in guards}), conditions

    def _helper(self, node: Reduce) -> sp.Expr:
        """A helper tensor for a nested sum, max or softmax, indexed by what is free in it."""
        if node.op == "softmax":
            return self._softmax(node)
        free = free_indices(node)
        tensor = self._tensor({"sum": "S", "max": "M"}[node.op], free)
        self.assign(tensor[tuple(free)], Reduce(node.op, node.body, node.over, node.domain))
        return tensor[tuple(free)]

    def _softmax(self, node: Reduce) -> sp.Expr:
        """softmax over k as equations: z, e = exp(z), S = Σ_k e, and the value e/S."""
        (index,) = node.over
        free = free_indices(node.body)
        if index not in free:
            raise LanguageError(f"softmax over {index.name}: {node.body} does not depend on {index.name}")
        score = node.body
        if not isinstance(score, Access):
            score = self._tensor("z", free)[tuple(free)]
            self.assign(score, node.body)
        power = self._tensor("e", free)[tuple(free)]
        rest = [i for i in free if i != index]
        norm = self._tensor("S", rest)[tuple(rest)]
        self._add(Equation(power, sp.exp(score), label="softmax"))
        self._add(Equation(norm, power, over=(index,), label="softmax"))
        return power / norm

    def _tensor(self, base: str, free: Iterable[Index]) -> Tensor:
        tensor = Tensor(self.names.fresh(base), tuple(i.extent for i in free), origin=tuple(i.start for i in free),
                        auxiliary=True)
        self.tensors.append(tensor)
        return tensor


def free_indices(expression: sp.Basic) -> tuple[Index, ...]:
    """The indices that an expression's value depends on, in order of appearance; a softmax has its own index, too.

    >>> i, j, W = Index("i", 3), Index("j", 2), Tensor("W", (2, 3))
    >>> free_indices(total(i, W[j, i])), free_indices(Reduce("softmax", W[j, i], [i]))
    ((j,), (j, i))
    """
    if isinstance(expression, Index):
        return (expression,)
    found = dict.fromkeys(i for a in expression.args for i in free_indices(a))
    bound = expression.over if isinstance(expression, Reduce) and expression.op != "softmax" else ()
    return tuple(i for i in found if i not in bound)


def _outermost(expression: sp.Expr, kind: type) -> list[sp.Expr]:
    """The nodes of a kind that stand in no other node of that kind, once each, left to right."""
    found, walk = {}, sp.preorder_traversal(expression)
    for node in walk:
        if isinstance(node, kind):
            found.setdefault(node)
            walk.skip()
    return list(found)


def _outer_sum(addend: sp.Expr) -> tuple[sp.Expr, Reduce] | None:
    """Split `factor · Σ body` where exactly one factor is a sum."""
    factors = sp.Mul.make_args(addend)
    sums = [f for f in factors if isinstance(f, Reduce) and f.op == "sum"]
    if len(sums) != 1 or any(f.has(Reduce) for f in factors if f is not sums[0]):
        return None
    return sp.Mul(*(f for f in factors if f is not sums[0])), sums[0]


def _addends(expression: sp.Expr) -> list[sp.Expr]:
    """The addends, sums before the rest, as they are printed."""
    return sorted(sp.Add.make_args(_expand_sums(expression)), key=lambda a: not a.has(Reduce))


def _expand_sums(expression: sp.Expr) -> sp.Expr:
    """Multiply out products over a bracket that holds sums, so that each sum can be a contribution, where that leaves few."""
    if not expression.is_Mul or not any(f.is_Add and f.has(Reduce) for f in expression.args) or not few_terms(expression):
        return expression
    return sp.expand_mul(expression)
