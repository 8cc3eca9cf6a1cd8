"""The ladder of certainty: every rung for every gradient.

1. exact: on small shapes, the adjoint run on symbols equals SymPy's derivative of the written-out result
2. identity and differences: reverse against forward mode, and central differences in float64
3. independent: PyTorch's autograd on the printed forward program
4. lowered: the lines of generated code, run by NumPy, against the oracle
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import sympy as sp

from symbp.calculus.differentiate import Derivative, adjoint
from symbp.certify.exact import SymbolicRun, exact, symbolic_run
from symbp.certify.lowered import lowered
from symbp.certify.numeric import Point, differences, identity
from symbp.certify.result import CheckReport, GradientCertificate
from symbp.certify.sample import draw
from symbp.certify.smaller import smaller
from symbp.certify.torch import independent
from symbp.errors import LanguageError
from symbp.language import Access, Index, Loop, Program, Statement, Tensor, substitute
from symbp.language.tensor import all_accesses
from symbp.network import Network

MOST_EXTENT = 4


def check(program: Program, of: str, wrt: Iterable[str] | None = None, seed: int = 0, network: Network | None = None) -> CheckReport:
    """Check the gradients of `of` by each of `wrt` (default: all parameters) on every rung.

    Held tensors are checked as inputs.  Large concrete extents are made small and different first (784 → 3), where the program allows it;
    where it does not, its network is built anew of the same layers with a smaller input and fewer units.
    Raises `LanguageError` for unknown names and for facts that inputs cannot be drawn on.

    >>> from symbp.language import Equation, Tensor
    >>> i, x, s = Index("i", 3), Tensor("x", (3,), role="parameter"), Tensor("s")
    >>> report = check(Program((x, s), (Equation(s[()], x[i]**3, over=(i,)),)), "s")
    >>> report.passed, [r.rung for r in report.gradients[0].rungs]
    (True, ['exact', 'identity', 'differences', 'independent', 'lowered'])
    """
    program = program.given()
    small = shrunk(program)
    if small is program and network is not None and (made := smaller(network)) is not None:
        program = small = made.program.given()
    derivative = adjoint(small, of, wrt)
    sample, rng = draw(small, seed), np.random.default_rng(seed + 1)
    point = Point.at(small, derivative, sample, rng)
    symbols, torch = _symbols(program, small, derivative, seed), independent(point, derivative.wrt)
    code = lowered(point)
    gradients = [GradientCertificate(name, (exact(symbols, name, rng), identity(point, name, rng), differences(point, name, rng),
                                            torch[name], code[name])) for name in derivative.wrt]
    return CheckReport(of, seed, tuple(gradients))


def _symbols(program: Program, small: Program, derivative: Derivative, seed: int) -> SymbolicRun | str:
    """The run on symbols; where it is too large, that of the program with all extents 2, or 1."""
    found = symbolic_run(small, derivative, seed)
    for least in (2, 1):
        tiny = shrunk(program, least)
        if isinstance(found, str) and tiny != program:
            found = symbolic_run(tiny, adjoint(tiny, derivative.of, derivative.wrt), seed)
    return found


def shrunk(program: Program, least: int = 0) -> Program:
    """The program with large concrete extents replaced by small different ones, or itself where that breaks it.

    Sums are kept: T + 1 rows stay one more than T steps.  least: every extent above it becomes this number, but sums.
    """
    used = {e for t in program.tensors for e in t.shape if e.is_Integer}
    extents = {e for e in used if e > (least or MOST_EXTENT)} - _pinned(program)
    free = iter([least] * len(extents) if least else [k for k in range(2, 40) if sp.Integer(k) not in used - extents])
    mapping: dict[sp.Expr, sp.Expr] = {}
    for extent in sorted(extents):
        parts = [(a, b) for a in (sp.S.One, *mapping) for b in mapping if a + b == extent]
        mapping[extent] = mapping.get(parts[0][0], sp.S.One) + mapping[parts[0][1]] if parts else sp.Integer(next(free))
    if not mapping:
        return program
    try:
        return _resized(program, mapping)
    except LanguageError:
        return program


def _pinned(program: Program) -> set[sp.Expr]:
    """Extents of axes on which some position is a number other than the first and the last."""
    return {e for a, t in _accesses(program) for p, e in zip(a.indices, t.shape) if p.is_Integer and e.is_Integer and 0 < p < e - 1}


def _accesses(program: Program) -> Iterator[tuple[Access, Tensor]]:
    for equation in program.equations:
        for expression in (*equation.expressions, equation.target):
            yield from ((a, program.tensor(a.name)) for a in all_accesses(expression))


def _moved(access: Access, tensor: Tensor, mapping: dict[sp.Expr, sp.Expr]) -> Access:
    """The access with numbers in its positions that are extents, or the last position, moved with the axis."""
    found = []
    for position, extent in zip(access.indices, tensor.shape):
        number, rest = position.as_coeff_Add()
        last = not rest and extent in mapping and position == extent - 1
        found.append(mapping[extent] - 1 if last else rest + mapping.get(number, number))
    return Access(access.name, *found)


def _resized(program: Program, mapping: dict[sp.Expr, sp.Expr]) -> Program:
    indices = {i: Index(i.name, mapping.get(i.extent, i.extent), i.start, i.part) for i in program.indices}
    indices |= {i: Index(i.name, mapping.get(i.extent, i.extent), i.start, i.part) for f in program.facts
                for e in (f.left, f.right) for i in e.atoms(Index)}
    tensors = tuple(replace(t, shape=tuple(mapping.get(e, e) for e in t.shape)) for t in program.tensors)

    def moved(statement: Statement) -> Statement:
        if isinstance(statement, Loop):
            return Loop(indices[statement.index], statement.direction, tuple(moved(s) for s in statement.body))
        moves = {a: _moved(a, program.tensor(a.name), mapping) for e in (*statement.expressions, statement.target) for a in all_accesses(e)}
        return statement.map(lambda e: e.xreplace(moves)).substituted(indices)

    facts = tuple(replace(f, left=substitute(f.left, indices), right=substitute(f.right, indices),
                          over=tuple(indices[i] for i in f.over)) for f in program.facts)
    return replace(program, tensors=tensors, statements=tuple(moved(s) for s in program.statements), facts=facts)
