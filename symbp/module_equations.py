"""What a generated module's header says of each tensor: its equations, those of its elements that are written apart.

Stage: L1 Program → a line of text for each tensor, with the names of the program.
"""
from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from symbp.arrays.first import firsts
from symbp.language.equation import Equation
from symbp.language.program import Program
from symbp.language.tensor import Access
from symbp.language.wellformed import determined
from symbp.passes.closed import Writer, closed, writers


def equation_texts(program: Program) -> dict[str, str]:
    """The equations of each computed tensor; `+=` where elements are written more than once.

    >>> from symbp.language import Equation, Index, Loop, Program, Tensor
    >>> t, h, x = Index("t", 3), Tensor("h", (4,), role="state"), Tensor("x", (3,), role="input")
    >>> program = Program((x, h), (Equation(h[0], 1), Loop(t, "ascending", (Equation(h[t + 1], x[t]), Equation(h[t + 1], h[t])))))
    >>> equation_texts(program)
    {'h': 'h[0] = 1;  h[t + 1] = h[t] + x[t]'}
    """
    first = firsts(program).equations
    return {name: ";  ".join(_text(group, len(groups), first) for group in groups)
            for name, found in writers(program).items() for groups in [_grouped(found)]}


def _grouped(found: Iterable[Writer]) -> list[list[Writer]]:
    """The contributions to the same elements together."""
    groups: dict[Access, list[Writer]] = {}
    for writer in found:
        groups.setdefault(writer.target, []).append(writer)
    return [*groups.values()]


def _text(group: list[Writer], groups: int, first: frozenset[Equation]) -> str:
    """The equation of one group: an assignment where it is the only one to write its elements, or the first to."""
    equation = group[0].equation
    right = sp.Add(*(w.right for w in group)) if equation.op == "sum" else closed([equation])
    alone = equation.op != "sum" or (_once(equation.target) if groups == 1 else any(w.equation in first for w in group))
    return f"{equation.target} {'=' if alone else '+='} {str(right).replace('^', ' ') if equation.op != 'sum' else right}"


def _once(target: Access) -> bool:
    """Whether no two points of the indices write the same element."""
    free = {i for position in target.indices for i in position.free_symbols}
    return not target.indices or free <= {i for position in target.indices for i in determined(position)}
