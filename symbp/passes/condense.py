"""What an adjoint program says in fewer operations: derivatives of activations in what the forward pass left, and no cotangent that is
read element by element only.

    ō[t] += h̄[t+1]·s[t],  z̄[t] += σ′(z[t])·ō[t]     ⇒     z̄[t] += (1 − o[t])·o[t]·h̄[t+1]·s[t]

Stage: L1 Program → L1 Program with the same values of the tensors that are kept, loops as they were.
"""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace

import sympy as sp

from symbp.language.equation import Equation, Loop, Statement
from symbp.language.functions import Defined
from symbp.language.index import Index, substitute
from symbp.language.program import Program
from symbp.language.tensor import Access, accesses

Shorten = Callable[[sp.Expr], sp.Expr]


def condense(program: Program, names: Collection[str], shorten: Shorten) -> Program:
    """The program in which the tensors `names` are written out where they are read, as far as each has one equation without a sum.

    shorten: what is done to every right side that has changed or that holds a derivative of a function.

    >>> from symbp.language import Tensor
    >>> i = Index("i", 3)
    >>> x, y, z = Tensor("x", (3,), role="input"), Tensor("y", (3,)), Tensor("z", (3,))
    >>> print(condense(Program((x, y, z), (Equation(y[i], x[i]**2), Equation(z[i], y[i]*x[i]))), ["y"], sp.expand))
    y[i] += x[i]**2
    z[i] += x[i]**3
    """
    writers = {name: program.definition(name) for name in names}
    sole = {name: found[0] for name, found in writers.items() if len(found) == 1 and _is_plain(found[0])}
    return replace(program, statements=tuple(_written(program.statements, sole, shorten)))


def _is_plain(equation: Equation) -> bool:
    at = equation.target.indices
    return equation.op == "sum" and not equation.domain and all(isinstance(i, Index) for i in at) and len({*at}) == len(at)


def _written(statements: Iterable[Statement], sole: dict[str, Equation], shorten: Shorten) -> Iterator[Statement]:
    for statement in statements:
        if isinstance(statement, Loop):
            yield replace(statement, body=tuple(_written(statement.body, sole, shorten)))
            continue
        equation = _opened(statement, sole)
        if equation.op == "sum" and (equation != statement or any(any(f.orders) for f in equation.body.atoms(Defined))):
            equation = replace(equation, body=shorten(equation.body))
        sole |= {equation.target.name: equation} if equation.target.name in sole else {}
        yield equation


def _opened(equation: Equation, sole: dict[str, Equation]) -> Equation:
    """The equation with what it reads written out: sums only where they are all that it reads."""
    if isinstance(equation.body, Access) and equation.body.name in sole and not equation.over and not equation.domain:
        writer = sole[equation.body.name]
        moved = writer.substituted(_values(writer, equation.body))
        if not {i for e in equation.target.indices for i in e.atoms(Index)} & {*moved.over}:
            return replace(moved, target=equation.target)
    found = {}
    for access in accesses(equation.body):
        writer = sole.get(access.name)
        if writer is not None and not writer.over:
            found[access] = substitute(writer.body, _values(writer, access))
    return replace(equation, body=equation.body.xreplace(found)) if found else equation


def _values(writer: Equation, access: Access) -> dict[sp.Basic, sp.Expr]:
    return {i: p for i, p in zip(writer.target.indices, access.indices) if i != p}
