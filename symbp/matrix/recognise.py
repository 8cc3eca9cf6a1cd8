"""Matrix form from index form, by eliminating the summed indices one after the other.

Stage: closed right side of an equation → `Form`.  A term is a product of factors, each over at most two indices: a
column or a matrix.  Factors over the same indices merge to a Hadamard product; a summed index that two matrices share is
their product, with a weight on it a diagonal matrix between them; one in a single matrix sums its rows.  What can't be
eliminated so has no matrix form.  Of all orders of elimination the one with the shortest result counts.
"""
from __future__ import annotations

from dataclasses import dataclass
from itertools import count, islice, permutations

import sympy as sp
from sympy.core.function import AppliedUndef

from symbp.language.build import Reduce
from symbp.language.functions import Defined, equal, step
from symbp.language.index import Index
from symbp.language.tensor import Access
from symbp.matrix.groups import Form, Groups, eliminate, grouped, joined, self_contained, split_scalars
from symbp.matrix.nodes import Apply, Fraction, LevelSum, Negative, Node, Number, Power, Size, cost, is_plain, times
from symbp.matrix.sums import added, common_axes, fitted, spread
from symbp.matrix.view import NoForm, View

FUNCTIONS = (sp.exp, sp.log, sp.sin, sp.cos, sp.erf, sp.Abs, equal, Defined)
MOST_ORDERS = 24


def recognise(target: Access, right: sp.Expr, view: View) -> Node | None:
    """The right side of `target = right` as a matrix expression of the target's shape, or None.

    >>> from symbp.language import Index, Tensor, Program
    >>> i, j, W, x, z = Index("i", 4), Index("j", 3), Tensor("W", (3, 4)), Tensor("x", (4,)), Tensor("z", (3,))
    >>> recognise(z[j], Reduce("sum", W[j, i]*x[i], [i]), View(Program((W, x, z), ()), frozenset(), frozenset()))
    Product(factors=(Leaf(name='W', row=None, axes=2), Leaf(name='x', row=None, axes=1)))
    """
    try:
        axes = view.leaf(target)[1]
        if right == 0 or len(set(axes)) != len(axes):
            return None
        return fitted(_Recogniser(view).form(right), axes)
    except NoForm:
        return None


@dataclass(frozen=True)
class _Term:
    """Σ over `bound` of a product of factors."""

    factors: tuple[sp.Expr, ...]
    bound: tuple[Index, ...]

    def distributed(self) -> sp.Expr | None:
        """The term multiplied out at its first bracket."""
        at = next((k for k, f in enumerate(self.factors) if f.is_Add), None)
        if at is None:
            return None
        others = sp.Mul(*self.factors[:at], *self.factors[at + 1:])
        terms = [others * t for t in self.factors[at].args]
        return sp.Add(*(Reduce("sum", t, self.bound) for t in terms) if self.bound else terms)


class _Recogniser:
    """Recognises the expressions of one right side; bound indices get names of their own."""

    def __init__(self, view: View) -> None:
        self.view, self.numbers = view, count()

    def form(self, expression: sp.Expr) -> Form:
        """The matrix of an expression over its free indices."""
        if expression.is_Add:
            return self.sum([self.form(t) for t in expression.args])
        if expression.is_Mul or isinstance(expression, Reduce) or _is_below(expression) or _is_signed(expression):
            return self.term(expression)
        if expression.is_Pow and not isinstance(expression, sp.exp):
            return self.power(expression)
        if isinstance(expression, Access):
            return Form(*self.view.leaf(expression)).diagonal()
        if expression.is_number and (expression.is_Integer or expression.is_Float or expression == sp.pi):
            return Form(Number(expression), ())
        return self.function(expression)

    def function(self, expression: sp.Expr) -> Form:
        """A function of elements, or a size."""
        if isinstance(expression, step):
            argument = self.form(expression.args[0])
            return Form(Apply(step, (argument.node,)), argument.axes)
        if isinstance(expression, FUNCTIONS):
            forms = [self.form(a) for a in expression.args]
            axes = common_axes(forms)
            return Form(Apply(type(expression), tuple(spread(f, axes) for f in forms)), axes)
        if isinstance(expression, (sp.Symbol, AppliedUndef, sp.floor)) and not isinstance(expression, Index):
            return Form(Size(expression), ())
        raise NoForm(f"{expression} is no function of elements")

    def power(self, expression: sp.Expr) -> Form:
        """A power with a scalar exponent."""
        base, exponent = self.form(expression.base), self.form(expression.exp)
        if not is_plain(exponent.node):
            raise NoForm(f"the exponent of {expression} is no constant")
        return Form(Power(base.node, exponent.node), base.axes)

    # sums

    def sum(self, forms: list[Form]) -> Form:
        """A sum of terms; constants stand as they are, all else is spread over the common indices."""
        axes = common_axes(forms)
        return Form(added(spread(f, axes) for f in forms), axes)

    # products

    def term(self, expression: sp.Expr) -> Form:
        """A product under sums: the shortest result of all orders of elimination."""
        term = self.flattened(expression)
        try:
            return self.contracted(term)
        except NoForm:
            expanded = term.distributed()
            if expanded is None:
                raise
            return self.form(expanded)

    def flattened(self, expression: sp.Expr) -> _Term:
        """The factors and bound indices of a product of sums; a sum over layers stays a factor."""
        factors: list[sp.Expr] = []
        bound: list[Index] = []
        for factor in sp.Mul.make_args(expression):
            if not isinstance(factor, Reduce) or self.over_levels(factor):
                factors.append(factor)
                continue
            if factor.op != "sum" or factor.domain:
                raise NoForm(f"{factor} is no plain sum")
            fresh = {i: i.renamed(f"{i.name}#{next(self.numbers)}") for i in factor.over}
            inner = self.flattened(factor.body.xreplace(fresh))
            factors += inner.factors
            bound += [*fresh.values(), *inner.bound]
        return _Term(tuple(factors), tuple(bound))

    def over_levels(self, node: Reduce) -> bool:
        """Whether a sum runs over layers."""
        return bool(self.view.counters.intersection(node.over))

    def level_sum(self, node: Reduce) -> Form:
        """Σ over layers of a matrix expression."""
        levels = [i for i in node.over if i in self.view.counters]
        rest = [i for i in node.over if i not in self.view.counters]
        if len(levels) > 1 or node.op != "sum" or node.domain:
            raise NoForm(f"{node} is no plain sum over layers")
        form = self.form(Reduce("sum", node.body, rest) if rest else node.body)
        return Form(LevelSum(levels[0], form.node), form.axes)

    def contracted(self, term: _Term) -> Form:
        """Eliminate the bound indices in the best order, innermost first among equals, and put the rest together."""
        coefficient, groups = self.groups(term)
        groups, left = self_contained(groups, term.bound)
        results, reason = [], NoForm("no order of elimination")
        for order in islice(permutations(left[::-1]), MOST_ORDERS):
            try:
                results.append(self.eliminated(groups, order))
            except NoForm as error:
                reason = error
        if not results:
            raise reason
        return self.scaled(min(results, key=lambda r: cost(r[0].node)), coefficient)

    def groups(self, term: _Term) -> tuple[sp.Expr, Groups]:
        """The rational coefficient, and the other factors by their indices."""
        coefficient, groups = sp.S.One, Groups({})
        used = {i for f in term.factors for i in f.free_symbols}
        for factor in (*term.factors, *(i.extent for i in term.bound if i not in used)):
            if factor.is_Rational:
                coefficient *= factor
                continue
            below = _is_below(factor)
            form = self.level_sum(factor) if isinstance(factor, Reduce) else self.form(factor.base ** -factor.exp if below else factor)
            sign, parts = split_scalars(form)
            coefficient *= sign
            for part in parts:
                groups = joined(groups, part, below)
        return coefficient, groups

    def eliminated(self, groups: Groups, order: tuple[Index, ...]) -> tuple[Form, Groups]:
        """What is left when the indices are summed in this order, and the groups, whose scalars count."""
        for index in order:
            groups = eliminate(groups, index)
        return grouped(groups), groups

    def scaled(self, result: tuple[Form, Groups], coefficient: sp.Expr) -> Form:
        """The scalars of a term in front of it: a fraction of the plain ones, then the others."""
        form, groups = result
        above, below = ([f.node for f in side] for side in groups.get(frozenset(), ((), ())))
        beside = [n for n in above if not is_plain(n)]
        above = sorted((n for n in above if is_plain(n)), key=repr)
        if abs(coefficient.p) != 1:
            above.insert(0, Number(sp.Integer(abs(coefficient.p))))
        if coefficient.q != 1:
            below.insert(0, Number(sp.Integer(coefficient.q)))
        front = [Fraction(times(above), times(below))] if below else above
        body = form.node if form.axes else None
        node = times([*front, *beside], body)
        return Form(Negative(node) if coefficient < 0 else node, form.axes)


def _is_below(expression: sp.Expr) -> bool:
    """Whether an expression is a power with a negative exponent."""
    return expression.is_Pow and not isinstance(expression, sp.exp) and expression.exp.could_extract_minus_sign()


def _is_signed(expression: sp.Expr) -> bool:
    """Whether an expression is a number with a sign or a denominator."""
    return expression.is_Rational and not (expression.is_Integer and expression >= 0)

