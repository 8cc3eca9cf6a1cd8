"""What a loop does not need leaves it: inputs are projected before it, and gradients of weights are summed after it.

Stage: L1 Program → L1 Program with the same values, in another order of summation.

    for t: z[t] += Σ_i W·x[t],  z[t] += Σ_m U·h[t], …      ⇒   z[t] += Σ_i W·x[t];  for t: z[t] += Σ_m U·h[t], …
    for t: …,  W̄ += Σ_n z̄[t]·x[t]                          ⇒   for t: …;  W̄ += Σ_{t,n} z̄[t]·x[t]

A contribution moves behind its loop where nothing in the loop reads its tensor, and all that it reads has its final value when it is read.
It moves before the loop where it reads nothing that the loop writes, and everyone in the loop who reads its tensor reads it afterwards.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import sympy as sp

from symbp.language.equation import Equation, Loop, Statement
from symbp.language.index import Index
from symbp.language.program import Program
from symbp.language.tensor import Access, all_accesses


def hoist(program: Program) -> Program:
    """The program with smaller loops.

    >>> from symbp.language import Tensor
    >>> t, i = Index("t", 3), Index("i", 2)
    >>> x, w, s = Tensor("x", (3, 2), role="input"), Tensor("w", (2,), role="parameter"), Tensor("s", (4,), role="state")
    >>> body = Equation(s[t + 1], w[i] * x[t, i], over=(i,)), Equation(s[t + 1], s[t])
    >>> print(hoist(Program((x, w, s), (Equation(s[0], 1), Loop(t, "ascending", body)))))
    s[0] += 1
    s[t + 1] += sum(i, w[i]*x[t, i])
    for t ↑ 0..2:
        s[t + 1] += s[t]
    """
    statements = tuple(_hoisted(program, program.statements))
    return program if statements == program.statements else replace(program, statements=statements)


def _hoisted(program: Program, statements: Sequence[Statement]) -> Iterator[Statement]:
    for statement in statements:
        if isinstance(statement, Loop):
            yield from _split(program, replace(statement, body=tuple(_hoisted(program, statement.body))))
        else:
            yield statement


def _split(program: Program, loop: Loop) -> Iterator[Statement]:
    """What comes before the loop, what is left of it, and what comes after it; loops of loops and rows of many widths stay."""
    equations = [eq for eq in loop.body if isinstance(eq, Equation)]
    if len(equations) < len(loop.body) or any(i.extent.has(loop.index) for eq in equations for i in eq.indices):
        yield loop
        return
    after = _after(loop, equations)
    before = _before(loop, equations, after)
    yield from (_over(program, equations[k], loop.index) for k in before)
    kept = tuple(eq for k, eq in enumerate(equations) if k not in (*before, *after))
    if kept:
        yield replace(loop, body=kept)
    yield from (_over(program, equations[k], loop.index) for k in after)


def _over(program: Program, equation: Equation, index: Index) -> Equation:
    """The contributions of all rounds: the loop's index is free where the target has it, and summed over otherwise.

    Where it runs along a part of an axis, a condition says so: the range of the index.
    """
    if index not in equation.indices:
        equation = replace(equation, over=(index, *equation.over))
    part = any(position == index and (index.extent != extent or index.start != origin)
               for access in (equation.target, *_reads(equation))
               for position, extent, origin in zip(access.indices, program.tensor(access.name).shape, program.tensor(access.name).origin))
    return replace(equation, domain=(*equation.domain, index.last - index)) if part else equation


def _after(loop: Loop, equations: list[Equation]) -> list[int]:
    """The places of the equations that move behind the loop, in their order there: who is read comes before who reads it."""
    found: list[int] = []
    while True:
        read = {a.name for k, eq in enumerate(equations) if k not in found for a in _reads(eq)}
        more = [k for k, eq in enumerate(equations) if k not in found and eq.op == "sum" and eq.target.name not in read
                and all(_is_final(loop, equations, k, a) for a in _reads(eq))]
        if not more:
            return found
        found = [*more, *found]


def _before(loop: Loop, equations: list[Equation], after: list[int]) -> list[int]:
    """The places of the equations that move before the loop, in their order there."""
    found: list[int] = []
    while True:
        written = {eq.target.name for k, eq in enumerate(equations) if k not in found}
        more = [k for k, eq in enumerate(equations) if k not in (*found, *after) and not any(a.name in written for a in _reads(eq))
                and all(_is_final(loop, equations, k, a) for a in _reads(eq)) and _is_read_later(loop, equations, k)]
        if not more:
            return found
        found += more


def _is_read_later(loop: Loop, equations: list[Equation], place: int) -> bool:
    """Whether everyone in the loop who reads what an equation writes does so afterwards; a maximum stands alone in its elements."""
    equation = equations[place]
    name = equation.target.name
    alone = loop.index in equation.indices and sum(eq.target.name == name for eq in equations) == 1
    return (equation.op == "sum" or alone) and all(
        _precedes(loop, equation.target, place, a, k) for k, eq in enumerate(equations) for a in _reads(eq) if a.name == name)


def _is_final(loop: Loop, equations: list[Equation], place: int, access: Access) -> bool:
    """Whether nothing in the loop writes what this equation has read."""
    return all(_precedes(loop, eq.target, k, access, place) for k, eq in enumerate(equations) if eq.target.name == access.name)


def _precedes(loop: Loop, target: Access, written: int, access: Access, read: int) -> bool:
    """Whether every element that both meet is written before it is read; False where that is not seen.

    Positions t + a written and t + b read meet when the round of the writing is that of the reading plus b − a.
    """
    for a, b in zip(target.indices, access.indices):
        shift = sp.expand(b - a)
        if not shift.is_Integer:
            continue
        if sp.expand(a - loop.index).has(loop.index, Access):
            if shift != 0 and not a.has(Index, Access) and not b.has(Index, Access):
                return True
            continue
        if not sp.expand(a - loop.index).has(Index):
            return shift == 0 and written < read or (shift < 0 if loop.direction == "ascending" else shift > 0)
    return False


def _reads(equation: Equation) -> Iterator[Access]:
    """Every access that an equation reads, those within positions included."""
    for expression in equation.expressions:
        yield from all_accesses(expression)
