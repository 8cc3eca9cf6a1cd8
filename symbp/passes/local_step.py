"""The chain rule as a step of its own: Σ ȳ · ∂y/∂x, before the local derivatives are put in.

Stage: contributions of a derivative program → the same sums with `Local` in the place of each ∂f/∂x.
"""
from __future__ import annotations

from collections.abc import Collection, Iterable

import sympy as sp

from symbp.calculus.differentiate import Derivative
from symbp.language.build import Reduce
from symbp.language.equation import Equation
from symbp.language.index import indices_of
from symbp.language.tensor import Access, accesses
from symbp.passes.closed import Contribution, Writer, at, reduced


class Local(sp.Expr):
    """The local derivative ∂y/∂x of one equation, unevaluated: the accesses y and x, and what y sums, which reads x."""

    is_commutative = True
    is_real = True

    def __new__(cls, y: Access, x: Access, body: sp.Expr) -> Local:
        return sp.Expr.__new__(cls, y, x, body)


def chain_rule(active: Iterable[Contribution], derivative: Derivative, taken: Collection[str]) -> sp.Expr:
    """The contributions with unevaluated local derivatives; a seed or a max's share stays as it is.

    So does what a scalar's own equation contributes: beside other terms, its ∂L/∂x would read as the whole derivative.
    """
    return sp.Add(*(_chained(part, derivative, taken) for part in active))


def _chained(part: Contribution, derivative: Derivative, taken: Collection[str]) -> sp.Expr:
    equation = part.writer.equation
    source = derivative.origin.get(equation)
    if source is None or source.op != "sum" or (source.target.name == derivative.of and not source.target.indices):
        return part.right
    base = next(name for name, bar in derivative.names.items() if bar == equation.target.name)
    x = next((a for a in accesses(source.body) if a.name == base and a.indices == equation.target.indices), None)
    if x is None:
        return part.right
    bar = Access(derivative.names[source.target.name], *source.target.indices)
    chained = _same_sum(part.writer, equation, bar * Local(source.target, x, source.body))
    absorbed = _absorbed(at(chained, part.element, taken, rename_data=False).right)
    return part.right if absorbed is None else absorbed


def _absorbed(expression: sp.Expr) -> sp.Expr | None:
    """Sums over what y itself sums belong into ∂y/∂x: for y = Σ_j x a_j it is ∂y/∂x, and no Σ_j ∂y/∂x.

    None where such a sum is bounded by conditions, which it shares with the sums around it.
    """
    mapping = {}
    for node in expression.atoms(Reduce):
        local = next((f for f in sp.Mul.make_args(node.body) if isinstance(f, Local)), None)
        if local is None or node.op != "sum":
            continue
        bar = node.body / local
        inner = tuple(i for i in node.over if not any(e.has(i) for e in (bar, *local.args[:2])))
        if inner and node.domain:
            return None
        if inner:
            summed = Local(*local.args[:2], reduced("sum", local.args[2], inner))
            mapping[node] = reduced("sum", bar * summed, [i for i in node.over if i not in inner])
    return expression.xreplace(mapping)


def _same_sum(writer: Writer, equation: Equation, body: sp.Expr) -> Writer:
    """The writer with another body under the same sums."""
    over = {i for e in equation.target.indices for i in indices_of(e)}
    running = list(writer.right.atoms(Reduce))
    loops = tuple(i for r in running for i in r.over if i not in equation.over and i not in over)
    return Writer(writer.target, reduced("sum", body, (*dict.fromkeys(loops), *equation.over), equation.domain), equation)

