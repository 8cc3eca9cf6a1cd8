"""Every step of a derivation is an equality; here both sides are evaluated by the oracle and compared.

A chain-rule step's local derivative ∂y/∂x is evaluated by central differences of y's own equation, so that the step
from it to the derived expression is a comparison with something that the calculus did not supply.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp

from symbp.derivation import Derivation, Line
from symbp.interpret import interpret
from symbp.language import AXIS0, Access, Index, Loop, NameSupply, Program, Tensor, indices_of, substitute
from symbp.language.build import Builder
from symbp.passes.local_step import Local

STEP_SIZE = sp.Rational(1, 10**5)


@dataclass(frozen=True)
class StepResult:
    """How far the two sides of a step are apart, relative to their size."""

    line: str
    number: int
    rule: str
    error: float


def check_steps(derivation: Derivation, arrays: Mapping[str, Any], sizes: Mapping[str, Any] | None = None,
                functions: Mapping[str, Callable] | None = None) -> list[StepResult]:
    """Evaluate every step of every line on the values of one run; `arrays` as `interpret` answers for the program."""
    results = []
    for name in derivation.names:
        for line in derivation[name].lines:
            for step in line.steps:
                before, after = (evaluate(derivation, e, line, arrays, sizes, functions) for e in (step.before, step.after))
                scale = max(1.0, float(np.max(np.abs(after), initial=0.0)))
                error = float(np.max(np.abs(before - after), initial=0.0)) / scale
                results.append(StepResult(str(line.target), step.number, step.rule, error))
    return results


def evaluate(derivation: Derivation, expression: sp.Expr, line: Line, arrays: Mapping[str, Any],
             sizes: Mapping[str, Any] | None = None, functions: Mapping[str, Callable] | None = None) -> np.ndarray:
    """The values of a closed expression for all values of the line's indices, by the oracle."""
    return closed_values(derivation.program, _without_locals(expression), line.target, arrays, sizes, functions)


def closed_values(program: Program, expression: sp.Expr, target: Access, arrays: Mapping[str, Any],
                  sizes: Mapping[str, Any] | None = None, functions: Mapping[str, Callable] | None = None) -> np.ndarray:
    """The values of an expression with nested sums for all values of the target's indices, which may run over parts of axes."""
    known = {s: sp.Integer(int((sizes or {})[s.name])) for s in program.sizes if np.isscalar((sizes or {}).get(s.name))}
    expression, target = substitute(expression, known), substitute(target, known)
    parts: dict[sp.Basic, sp.Basic] = {}
    for i in dict.fromkeys(i for e in target.indices for i in indices_of(e)):
        parts[i] = Index(i.name, substitute(i.extent, parts), substitute(i.start, parts), part=True)  # a row's width names its row
    expression, target = substitute(expression, parts), substitute(target, parts)
    free = tuple(dict.fromkeys(i for e in target.indices for i in indices_of(e)))
    names = NameSupply({t.name for t in program.tensors})
    builder = Builder(names)
    row = next((i for i in free if any(i in j.extent.free_symbols for j in free)), None)
    ordered = ((row,) if row is not None else ()) + tuple(i for i in free if i != row)
    value = _tensor(names.fresh("value"), ordered, row)
    builder.assign(value[ordered], expression)
    helpers = [replace(t, shape=tuple(e.xreplace({row: AXIS0}) if k else e for k, e in enumerate(t.shape)))
               if row is not None else t for t in builder.tensors]
    statements = (Loop(row, "ascending", tuple(builder.equations)),) if row is not None else tuple(builder.equations)
    given = tuple(replace(t, role="input", rows=True, shape=tuple(e.xreplace(known) for e in t.shape))
                  for t in program.tensors if t.name in arrays)
    small = Program((*given, *helpers, value), statements)
    return interpret(small, {t.name: arrays[t.name] for t in given}, sizes, functions=functions, facts=False)[value.name]


def _tensor(name: str, indices: tuple[Index, ...], row: Index | None) -> Tensor:
    shape = tuple(i.extent if i == row or row is None else i.extent.xreplace({row: AXIS0}) for i in indices)
    return Tensor(name, shape, origin=tuple(i.start for i in indices))


def _without_locals(expression: sp.Expr) -> sp.Expr:
    """Central differences in the place of each ∂y/∂x: the equation's body with x moved by ±h."""
    return expression.xreplace({node: _difference(node.args[2], node.args[1]) for node in expression.atoms(Local)})


def _difference(body: sp.Expr, x: Access) -> sp.Expr:
    moved = [body.xreplace({x: x + s * STEP_SIZE}) for s in (1, -1)]
    return (moved[0] - moved[1]) / (2 * STEP_SIZE)


