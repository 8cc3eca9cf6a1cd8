"""Statements that some tensors depend on, and no others.

Stage: L1 Program, names → L1 Program.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from symbp.language.equation import Loop, Statement, walk
from symbp.language.program import Program
from symbp.language.tensor import names_read


def prune(program: Program, wanted: Iterable[str]) -> Program:
    """The program with only what the wanted tensors need; inputs and facts stay where their tensors do.

    >>> from symbp.language import Equation, Tensor
    >>> x, y, z = Tensor("x", role="input"), Tensor("y"), Tensor("z")
    >>> print(prune(Program((x, y, z), (Equation(y[()], x[()]), Equation(z[()], 2*x[()]))), ["z"]))
    z[] += 2*x[]
    """
    needed = set(wanted)
    while True:
        more = {n for eq in program.equations if eq.target.name in needed for n in names_read(eq.expressions)} - needed
        if not more:
            break
        needed |= more
    statements = tuple(_kept(program.statements, needed))
    used = {n for eq, _ in walk(statements) for n in (*names_read(eq.expressions), eq.target.name)}
    tensors = tuple(t for t in program.tensors if t.name in used)
    return replace(program, tensors=tensors, statements=statements, facts=tuple(f for f in program.facts if set(f.tensors) <= used))


def _kept(statements: Iterable[Statement], needed: set[str]) -> Iterator[Statement]:
    for statement in statements:
        if isinstance(statement, Loop):
            body = tuple(_kept(statement.body, needed))
            if body:
                yield replace(statement, body=body)
        elif statement.target.name in needed:
            yield statement


def inline(program: Program, names: Iterable[str]) -> Program:
    """The program with tensors of one elementwise equation written out where they are read.

    >>> from symbp.language import Equation, Index, Tensor
    >>> i = Index("i", 3)
    >>> x, y, z = Tensor("x", (3,), role="input"), Tensor("y", (3,)), Tensor("z", (3,))
    >>> print(inline(Program((x, y, z), (Equation(y[i], x[i]**2), Equation(z[i], y[i] + 1))), ["y"]))
    z[i] += x[i]**2 + 1
    """
    names = set(names)
    found = {}
    kept = []
    for equation in program.equations:
        equation = equation.map(lambda e: e.xreplace(found))
        if equation.target.name in names:
            found[equation.target] = equation.body
        else:
            kept.append(equation)
    return replace(program, tensors=tuple(t for t in program.tensors if t.name not in names), statements=tuple(kept))
