"""Numbers that do not overflow: exponentials shifted by their maximum, and logarithms of quotients of exponentials taken apart.

Stage: L1 Program → L1 Program with the same values of everything but the shifted exponentials and their sums.

    S = Σ_k exp(u_k)         ⇒   M = max_k u_k,  S = Σ_k exp(u_k − M)      where every reader has the same value for c·exp(u), c·S
    log(e/S)                 ⇒   u − M − log S                            through the definitions of e and S
    log(1/(1 + exp(−z)))     ⇒   −softplus(−z)                            likewise
    e^u/(1 + e^u)            ⇒   σ(u)                                     bounded quotients, see `bounded.py`

A shift is made only where each reader of exp(u) and S is *shown* not to depend on c (or reads log S, to which the shift is added), so
that its cotangent is zero by proof.  No rule names softmax or sigmoid.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import sympy as sp

from symbp.language.equation import Equation, Loop, Statement
from symbp.language.functions import Defined, expand_definitions, softplus
from symbp.language.index import Index
from symbp.language.names import NameSupply
from symbp.language.order import sole_writers
from symbp.language.program import Program
from symbp.language.tensor import Access, Tensor, accesses
from symbp.passes.bounded import bounded
from symbp.passes.closed import unify

FACTOR = sp.Dummy("c", positive=True)


def stabilise(program: Program) -> Program:
    """The program with its logarithms taken apart and its sums of exponentials shifted.

    >>> from symbp.derivation import derive
    >>> print(stabilise(derive("log(sum(k, exp(z[k])))", wrt="z").forward))
    M[] = max(k, z[k])
    S[] += sum(k, exp(-M[] + z[k]))
    y[] += log(S[]) + M[]
    """
    return _bounded(_shifted(_logarithms(program)))


def _bounded(program: Program) -> Program:
    """Every quotient of exponentials that is a polynomial in σ or tanh, written as that; integers' equations have none."""

    def changed(statement: Statement) -> Statement:
        if isinstance(statement, Loop):
            return replace(statement, body=tuple(map(changed, statement.body)))
        return statement if statement.op == "argmax" else replace(statement, body=bounded(statement.body))

    return replace(program, statements=tuple(map(changed, program.statements)))


# logarithms

def _logarithms(program: Program) -> Program:
    """Every log of tensors with elementwise definitions, written as a sum of what does not overflow."""
    sole = sole_writers(program)
    definitions = {eq.target.name: eq for eq in program.equations if eq in sole and eq.op == "sum" and not eq.over and not eq.domain}

    def changed(statement: Statement) -> Statement:
        if isinstance(statement, Loop):
            return replace(statement, body=tuple(map(changed, statement.body)))
        return statement.map(lambda e: _opened(e, definitions)) if statement.body.has(sp.log) else statement

    return replace(program, statements=tuple(map(changed, program.statements)))


def _opened(expression: sp.Basic, definitions: dict[str, Equation]) -> sp.Basic:
    logs = {node: _log(node.args[0], definitions) for node in expression.atoms(sp.log)}
    return expression.xreplace({node: made for node, made in logs.items() if made is not None})


def _log(argument: sp.Expr, definitions: dict[str, Equation]) -> sp.Expr | None:
    """The logarithm of a quotient of exponentials as a sum, or None where it is none."""
    value = sp.together(expand_definitions(_unfolded(argument, definitions)))
    above, below = sp.fraction(value)
    if not (above.has(sp.exp) or below.has(sp.exp)):
        return None
    inverse = sp.powsimp(sp.expand(below / above))
    for quotient, sign in ((inverse, -1), (sp.powsimp(sp.expand(above / below)), 1)):
        rest = sp.expand(quotient - 1)
        if isinstance(rest, sp.exp):
            return sign * softplus(rest.args[0])
    parts = [*((f, 1) for f in sp.Mul.make_args(above)), *((f, -1) for f in sp.Mul.make_args(below))]
    if not all(isinstance(f, (sp.exp, Access)) for f, _ in parts):
        return None
    return sp.Add(*(sign * (f.args[0] if isinstance(f, sp.exp) else sp.log(f)) for f, sign in parts))


def _unfolded(expression: sp.Expr, definitions: dict[str, Equation]) -> sp.Expr:
    """The expression with accesses to elementwise tensors replaced by their definitions, while these have exponentials."""
    while True:
        found = {a: d for a in accesses(expression) if (d := _definition(a, definitions)) is not None}
        if not found:
            return expression
        expression = expression.xreplace(found)


def _definition(access: Access, definitions: dict[str, Equation]) -> sp.Expr | None:
    """What defines an element, where an exponential stands in it, or in what it reads."""
    equation = definitions.get(access.name)
    if equation is None or not _exponential(equation, definitions):
        return None
    found = unify(equation.target, access, [i for i in equation.target.indices if isinstance(i, Index)])
    return None if found is None else equation.body.xreplace(found)


def _exponential(equation: Equation, definitions: dict[str, Equation]) -> bool:
    body = expand_definitions(equation.body) if equation.body.has(Defined) else equation.body
    if body.has(sp.exp):
        return True
    return any(_exponential(definitions[a.name], definitions) for a in accesses(body) if a.name in definitions)


# shifts

def _shifted(program: Program) -> Program:
    """Each sum of exponentials whose readers allow it, with the maximum of its exponents subtracted."""
    for total in [eq for eq in program.equations if eq.op == "sum" and eq.over]:
        power = _power(program, total)
        if power is not None:
            program = _with_shift(program, power, total)
    return program


def _power(program: Program, total: Equation) -> Equation | None:
    """The equation e = exp(u) that a sum adds up, or the sum itself where its body is the exponential; None where it cannot be shifted."""
    if len(program.definition(total.target.name)) != 1:
        return None
    if isinstance(total.body, sp.exp):
        return total if _invariant(program, {total.target.name}, {total}) else None
    if not isinstance(total.body, Access):
        return None
    made = program.definition(total.body.name)
    if len(made) != 1 or not isinstance(made[0].body, sp.exp) or made[0].over:
        return None
    if made[0].target != total.body or made[0].domain != total.domain:
        return None
    return made[0] if _invariant(program, {made[0].target.name, total.target.name}, {made[0], total}) else None


def _invariant(program: Program, names: set[str], own: set[Equation]) -> bool:
    """Whether no reader's value changes when the named tensors are scaled together, but through log S."""
    return all(_scaled_rest(eq.body, names) is not None for eq in program.equations if eq not in own and _reads(eq, names))


def _reads(equation: Equation, names: set[str]) -> bool:
    return any(a.name in names for e in equation.expressions for a in accesses(e))


def _scaled_rest(body: sp.Expr, names: set[str]) -> sp.Expr | None:
    """How often log c is added to a body whose named tensors are scaled by c; None where the change is another."""
    scaled = body.xreplace({a: FACTOR * a for a in accesses(body) if a.name in names})
    logs = {node: sp.log(node.args[0] / FACTOR) + sp.Symbol("shift") for node in scaled.atoms(sp.log) if node.has(FACTOR)}
    change = sp.expand(scaled.xreplace(logs)) - sp.expand(body)
    change = sp.cancel(sp.together(sp.expand(change)))
    if change.has(FACTOR):
        return None
    return change


def _with_shift(program: Program, power: Equation, total: Equation) -> Program:
    supply = NameSupply({t.name for t in program.tensors} | {i.name for i in program.indices})
    summed = program.tensor(total.target.name)
    shift = Tensor(supply.fresh("M"), summed.shape, origin=summed.origin, auxiliary=True)
    at = Access(shift.name, *total.target.indices)
    exponent = power.body.args[0]
    largest = Equation(at, exponent, "max", total.over, total.domain, label=total.label)
    lowered = replace(power, body=sp.exp(exponent - at))
    statements = tuple(_statements(program.statements, power, total, largest, lowered, shift))
    return replace(program, tensors=(*program.tensors, shift), statements=statements)


def _statements(statements: Iterable[Statement], power: Equation, total: Equation, largest: Equation, lowered: Equation,
                shift: Tensor) -> Iterator[Statement]:
    name = total.target.name
    for eq in statements:
        if isinstance(eq, Loop):
            yield replace(eq, body=tuple(_statements(eq.body, power, total, largest, lowered, shift)))
        elif eq == power:
            yield from (largest, lowered)
        elif eq.body.has(sp.log):
            yield eq.map(lambda e: e.xreplace({node: node + Access(shift.name, *node.args[0].indices) for node in e.atoms(sp.log)
                                               if isinstance(node.args[0], Access) and node.args[0].name == name}))
        else:
            yield eq
