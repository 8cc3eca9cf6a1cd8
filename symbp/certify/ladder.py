"""The ladder of certainty: every rung for every gradient.

1. exact: on small shapes, the adjoint run on symbols equals SymPy's derivative of the written-out result
2. identity and differences: reverse against forward mode, and central differences in float64
3. independent: PyTorch's autograd on the printed forward program
4. lowered: the lines of generated code, run by NumPy, against the oracle
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import sympy as sp

from symbp.calculus.differentiate import adjoint
from symbp.certify.exact import exact, symbolic_run
from symbp.certify.lowered import lowered
from symbp.certify.numeric import Point, differences, identity
from symbp.certify.result import CheckReport, GradientCertificate
from symbp.certify.sample import draw
from symbp.certify.torch import independent
from symbp.errors import LanguageError
from symbp.language import Index, Loop, Program, Statement, substitute

MOST_EXTENT = 4


def check(program: Program, of: str, wrt: Iterable[str] | None = None, seed: int = 0) -> CheckReport:
    """Check the gradients of `of` by each of `wrt` (default: all parameters) on every rung.

    Large concrete extents are made small and different first (784 → 3), where the program allows it.
    Raises `LanguageError` for unknown names and for facts that inputs cannot be drawn on.

    >>> from symbp.language import Equation, Tensor
    >>> i, x, s = Index("i", 3), Tensor("x", (3,), role="parameter"), Tensor("s")
    >>> report = check(Program((x, s), (Equation(s[()], x[i]**3, over=(i,)),)), "s")
    >>> report.passed, [r.rung for r in report.gradients[0].rungs]
    (True, ['exact', 'identity', 'differences', 'independent', 'lowered'])
    """
    small = shrunk(program)
    derivative = adjoint(small, of, wrt)
    sample, rng = draw(small, seed), np.random.default_rng(seed + 1)
    point = Point.at(small, derivative, sample, rng)
    symbols, torch = symbolic_run(small, derivative, seed), independent(point, derivative.wrt)
    code = lowered(point)
    gradients = [GradientCertificate(name, (exact(symbols, name, rng), identity(point, name, rng), differences(point, name, rng),
                                            torch[name], code[name])) for name in derivative.wrt]
    return CheckReport(of, seed, tuple(gradients))


def shrunk(program: Program) -> Program:
    """The program with large concrete extents replaced by small different ones, or itself where that breaks it."""
    extents = {e for t in program.tensors for e in t.shape if e.is_Integer and e > MOST_EXTENT}
    used = {e for t in program.tensors for e in t.shape if e.is_Integer}
    free = iter(k for k in range(2, 40) if sp.Integer(k) not in used - extents)
    mapping = {e: sp.Integer(next(free)) for e in sorted(extents)}
    if not mapping:
        return program
    try:
        return _resized(program, mapping)
    except LanguageError:
        return program


def _resized(program: Program, mapping: dict[sp.Expr, sp.Expr]) -> Program:
    indices = {i: Index(i.name, mapping.get(i.extent, i.extent), i.start, i.part) for i in program.indices}
    indices |= {i: Index(i.name, mapping.get(i.extent, i.extent), i.start, i.part) for f in program.facts
                for e in (f.left, f.right) for i in e.atoms(Index)}
    tensors = tuple(replace(t, shape=tuple(mapping.get(e, e) for e in t.shape)) for t in program.tensors)

    def moved(statement: Statement) -> Statement:
        if isinstance(statement, Loop):
            return Loop(indices[statement.index], statement.direction, tuple(moved(s) for s in statement.body))
        return statement.substituted(indices)

    facts = tuple(replace(f, left=substitute(f.left, indices), right=substitute(f.right, indices),
                          over=tuple(indices[i] for i in f.over)) for f in program.facts)
    return replace(program, tensors=tensors, statements=tuple(moved(s) for s in program.statements), facts=facts)
