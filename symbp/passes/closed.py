"""Closed forms: what writes a tensor, as one expression with nested sums; and inlining of one into another.

Stage: equations → expressions with `Reduce` nodes, for display and folding.  A program never holds them.
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp

from symbp.language.affine import implies, range_facts
from symbp.language.build import Reduce
from symbp.language.equation import Equation, walk
from symbp.language.functions import equal
from symbp.language.index import Index, indices_of, substitute
from symbp.language.program import Program
from symbp.language.tensor import Access


@dataclass(frozen=True)
class Writer:
    """One contribution to a tensor: at `target`, for all values of its indices, `body` is added.

    `rows` are the index positions of the target; `free` the indices that they use; `right` is closed.
    """

    target: Access
    right: sp.Expr
    equation: Equation

    @property
    def free(self) -> tuple[Index, ...]:
        """The indices of the target, in order."""
        return tuple(dict.fromkeys(i for e in self.target.indices for i in indices_of(e)))


def writers(program: Program) -> dict[str, tuple[Writer, ...]]:
    """For each tensor the contributions that write it; a loop's index that is not on the left is summed over."""
    found: dict[str, list[Writer]] = {}
    for eq, loops in walk(program.statements):
        target = {i for e in eq.target.indices for i in indices_of(e)}
        running = tuple(lp.index for lp in loops if lp.index not in target)
        over = (*running, *(i for i in eq.over if i not in running))
        found.setdefault(eq.target.name, []).append(Writer(eq.target, reduced(eq.op, eq.body, over, eq.domain), eq))
    return {name: tuple(ws) for name, ws in found.items()}


def closed(equations: Iterable[Equation]) -> sp.Expr:
    """The right side of the equations that write one tensor, as one expression with nested sums.

    >>> from symbp.language.tensor import Tensor
    >>> z, x, i = Tensor("z"), Tensor("x", (3,)), Index("i", 3)
    >>> closed([Equation(z[()], x[i], over=(i,)), Equation(z[()], 1)])
    sum(i, x[i]) + 1
    """
    return sp.Add(*(reduced(e.op, e.body, e.over, e.domain) for e in equations))


def reduced(op: str, body: sp.Expr, over: Iterable[Index], domain: Iterable[sp.Expr] = ()) -> sp.Expr:
    """A `Reduce`, with the factors of a sum that do not depend on the bound indices in front of it."""
    over, domain = tuple(over), tuple(domain)
    if op != "sum":
        return Reduce(op, body, over, domain)
    if not over and not domain:
        return body
    domain = needed(domain, (*over, *indices_of(sp.Tuple(*domain))))
    bound = set(over) if _never_empty(domain, over) else set(over) | {i for c in domain for i in c.atoms(Index)}
    outside, under = _split(_within(body, domain, over), bound)
    if isinstance(under, Reduce) and under.op == "sum":
        return outside * reduced("sum", under.body, (*over, *under.over), (*domain, *under.domain))
    return outside * Reduce(op, under, over, domain) if over or domain else outside * under


def _never_empty(domain: tuple[sp.Expr, ...], over: tuple[Index, ...]) -> bool:
    """Whether the conditions hold for some values of the bound indices, whatever the others are: all at one end of their ranges."""
    if not over or any(c.has(Access) for c in domain):
        return False
    others = range_facts(dict.fromkeys(i for i in indices_of(sp.Tuple(*domain)) if i not in over))
    ends = ({i: i.start for i in over}, {i: i.last for i in over})
    return any(all(implies(others, sp.expand(substitute(c, end))) for c in domain) for end in ends)


def _within(body: sp.Expr, domain: tuple[sp.Expr, ...], over: tuple[Index, ...]) -> sp.Expr:
    """The body without inner conditions that the domain around them implies."""
    if not domain:
        return body
    inner = [r for r in body.atoms(Reduce) if r.domain and r.op == "sum"]
    known = (*domain, *range_facts(dict.fromkeys((*over, *indices_of(sp.Tuple(*domain))))))
    shorter = {r: tuple(c for c in r.domain if not implies(known, c)) for r in inner}
    return body.xreplace({r: reduced("sum", r.body, r.over, kept) for r, kept in shorter.items() if kept != r.domain})


def needed(domain: tuple[sp.Expr, ...], indices: Iterable[Index]) -> tuple[sp.Expr, ...]:
    """The conditions that do not follow from the others and from the indices' ranges.

    >>> i = Index("i", 3)
    >>> needed((i, i + 1, i - 1), [i])
    (i - 1,)
    """
    ranges = range_facts(dict.fromkeys(indices))
    kept = list(dict.fromkeys(domain))
    for condition in tuple(kept):
        others = [c for c in kept if c is not condition]
        if implies((*ranges, *others), condition):
            kept = others
    return tuple(kept)


def tidy(expression: sp.Expr) -> sp.Expr:
    """Pull what does not depend on the bound indices out of every sum.

    >>> k, t = Index("k", 3), Access("t", Index("k", 3))
    >>> tidy(Reduce("sum", 2*t, [k]))
    2*sum(k, t[k])
    """
    return expression.replace(lambda e: isinstance(e, Reduce) and e.op == "sum",
                              lambda e: reduced(e.op, e.body, e.over, e.domain))


def _split(body: sp.Expr, bound: set[Index]) -> tuple[sp.Expr, sp.Expr]:
    """The factors of a product that are free of the bound indices, and the others."""
    outside, under = [], []
    for factor in sp.Mul.make_args(body):
        (under if factor.atoms(Index) & bound else outside).append(factor)
    return sp.Mul(*outside), sp.Mul(*under)


def bound_indices(expression: sp.Expr) -> set[Index]:
    """The indices that some sum of the expression binds."""
    return {i for r in expression.atoms(Reduce) for i in r.over}


def fresh_bound(expression: sp.Expr, taken: Iterable[str]) -> sp.Expr:
    """Rename bound indices whose names are taken: k becomes k′."""
    names = set(taken)
    renamed: dict[Index, Index] = {}
    for index in sorted(bound_indices(expression), key=lambda i: i.name):
        name = unused(index.name, names)
        names.add(name)
        if name != index.name:
            renamed[index] = index.renamed(name)
    return expression.xreplace(renamed) if renamed else expression


def unify(pattern: sp.Basic, expression: sp.Basic, variables: Iterable[Index]) -> dict[Index, sp.Expr] | None:
    """Values of the pattern's indices that make it the expression, or None.

    >>> i, j = Index("i", 3), Index("j", 3)
    >>> unify(sp.exp(Access("z", i)), sp.exp(Access("z", j)), [i])
    {i: j}
    """
    found: dict[Index, sp.Expr] = {}
    return found if _unify(pattern, expression, set(variables), found) else None


def _unify(p: sp.Basic, e: sp.Basic, variables: set[Index], found: dict[Index, sp.Expr]) -> bool:
    if isinstance(p, Index) and p in variables:
        return found.setdefault(p, e) == e
    if isinstance(p, sp.Expr) and p.is_Add and isinstance(e, sp.Expr) and _affine(p, e, variables, found):
        return True
    if p.func != e.func or len(p.args) != len(e.args):
        return False
    if not p.args:
        return p == e
    if not (isinstance(p, (sp.Add, sp.Mul))):
        return all(_unify(a, b, variables, found) for a, b in zip(p.args, e.args))
    return _unordered(list(p.args), list(e.args), variables, found)


def _affine(p: sp.Expr, e: sp.Expr, variables: set[Index], found: dict[Index, sp.Expr]) -> bool:
    """`t + 1` against an index expression: t is what is left."""
    inside = [v for v in variables if p.has(v)]
    if len(inside) != 1 or p.has(Access) or e.has(Access):
        return False
    rest = sp.expand(p - inside[0])
    return not rest.has(inside[0]) and found.setdefault(inside[0], sp.expand(e - rest)) == sp.expand(e - rest)


def _unordered(ps: list, es: list, variables: set[Index], found: dict[Index, sp.Expr]) -> bool:
    if not ps:
        return True
    for k, e in enumerate(es):
        trial = dict(found)
        if _unify(ps[0], e, variables, trial) and _unordered(ps[1:], es[:k] + es[k + 1:], variables, trial):
            found.update(trial)
            return True
    return False


@dataclass(frozen=True)
class Contribution:
    """What a writer adds to one `element`, where all conditions (each ≥ 0) hold."""

    right: sp.Expr
    conditions: tuple[sp.Expr, ...]
    writer: Writer
    element: Access


def at(writer: Writer, access: Access, taken: Iterable[str] = (), rename_data: bool = True) -> Contribution | None:
    """What a writer adds to the element `access`: its right side with the target's indices replaced.

    A position that is data (`p_bar[n, t[n]] += …`) becomes a bracket [k = t_n], and with `rename_data` k stands
    for t_n beside it.  The conditions say for which rows the
    writer is active.  A position that is affine in several indices (`X_bar[2*i + u] += …`) is solved for one of them; the
    others are summed over, where the solution is in range.  None when no index has the factor 1.
    """
    names = {*taken, *index_names(access)}
    marks = {i: sp.Dummy(i.name, integer=True) for i in writer.free}  # the element may have an index that the writer has, too
    found: dict[sp.Dummy, sp.Expr] = {}
    conditions: list[sp.Expr] = []
    data: list[tuple[sp.Expr, sp.Expr]] = []
    for position, wanted in zip(writer.target.indices, access.indices):
        unknown = [i for i in indices_of(position) if marks[i] not in found]
        solved = next((i for i in reversed(unknown) if abs(position.coeff(i)) == 1), None)
        gap = position.xreplace(marks).xreplace(found) - wanted
        if position.has(Access):
            data.append((wanted, position))
        elif not unknown:
            conditions.append(gap)
        elif solved is None:
            return None
        else:
            found[marks[solved]] = sp.expand(marks[solved] - gap * position.coeff(solved))
    left = {i: i.renamed(unused(i.name, names)) for i in writer.free if marks[i] not in found}
    values: dict[sp.Expr, sp.Expr] = {marks[i]: index for i, index in left.items()}
    for mark in reversed(found):
        values[mark] = sp.expand(found[mark].xreplace(values))
    gaps = [sp.expand(gap.xreplace(values)) for gap in conditions]
    conditions = [side for gap in gaps if gap != 0 for side in (gap, -gap)]
    mapping = {i: values[mark] for i, mark in marks.items()}
    names |= index_names(*left.values())
    for index, value in mapping.items():
        conditions += _range(substitute(index.start, mapping), substitute(index.extent, mapping), value)
    right = substitute(fresh_bound(writer.right, names), mapping)
    for wanted, position in data:
        position = substitute(position, mapping)
        right = (right.xreplace({position: wanted}) if rename_data else right) * equal(wanted, position)
    inner = tuple(c for c in conditions if c.atoms(Index) & set(left.values()))
    outer = tuple(c for c in conditions if c not in inner)
    return Contribution(reduced("sum", right, tuple(left.values()), inner), outer, writer, access)


def _range(start: sp.Expr, extent: sp.Expr, value: sp.Expr) -> list[sp.Expr]:
    """The conditions that a value lies in a range; none when it is an index of that range."""
    if isinstance(value, Index) and (value.extent, value.start) == (extent, start):
        return []
    return [sp.expand(value - start), sp.expand(start + extent - 1 - value)]


def unused(name: str, taken: Iterable[str]) -> str:
    """The name, with as many primes as it takes to be a new one."""
    while name in taken:
        name += "'"
    return name


def index_names(*expressions: sp.Basic) -> set[str]:
    """The printed names of all indices of the expressions."""
    return {i.name for e in expressions for i in e.atoms(Index)}
