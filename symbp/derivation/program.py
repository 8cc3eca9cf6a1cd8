"""The textbook's program: the forward equations, and behind them the derived lines as equations that can be run.

Stage: Derivation → L1 Program.  What is printed is what is computed: each line `∂L/∂z = (p − t)/N` becomes equations again, its
nested sums as helpers.  Contributions that are scattered stay as the adjoint has them.  Where other lines are no plain assignments
the adjoint program itself is taken; so are the loops of a recurrence, in fewer operations.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy as sp

from symbp.derivation.derivation import Derivation
from symbp.derivation.kept import is_scattered, original
from symbp.derivation.lines import is_plain_row
from symbp.language.build import Builder
from symbp.language.equation import Equation, Loop, Statement, walk
from symbp.language.index import Index, indices_of
from symbp.language.names import NameSupply
from symbp.language.program import Program
from symbp.language.tensor import Access, Tensor, accesses, names_read
from symbp.passes.condense import condense
from symbp.passes.fold import open_definitions
from symbp.passes.normal import shortest
from symbp.passes.prune import prune


def textbook_program(derivation: Derivation) -> Program:
    """The forward statements, and the derived lines of all gradients and named cotangents.

    >>> from symbp.derivation import derive
    >>> print(textbook_program(derive("sum(i, w[i]^2*x[i])", wrt="w")).statements[-1])
    w_bar[i] += 2*w[i]*x[i]
    """
    if any(isinstance(s, Loop) for s in derivation.program.statements):
        return _with_loops(derivation)
    if not all(_scattered(derivation, name) or _is_plain(derivation, name) for name in derivation.names):
        return derivation.program
    names = NameSupply({t.name for t in derivation.program.tensors} | {i.name for i in derivation.program.indices})
    builder = Builder(names)
    for name in derivation.names:
        scattered = _scattered(derivation, name)
        if scattered:
            builder.equations += scattered
        else:
            line = derivation[name].lines[0]
            builder.assign(line.target, line.right, label=name)
    builder.equations, builder.tensors = _without_repetition(builder)
    builder.equations = _in_parts(derivation.program, builder)
    forward = derivation.forward
    written = {eq.target.name for eq in builder.equations} - {t.name for t in builder.tensors}
    bars = [t for t in derivation.program.tensors if t.name in written]
    others = _others(derivation, builder, written)
    if others is None:
        return derivation.program
    positions = [derivation.program.tensor(name) for name in dict.fromkeys(eq.target.name for eq in others)]
    known = {i.name: i for i in (*forward.indices, *_indices(others))}
    return forward.extended([*positions, *bars, *builder.tensors], [*others, *_named_apart(builder.equations, known, builder.names)])


def _scattered(derivation: Derivation, name: str) -> tuple[Equation, ...]:
    """The contributions to a cotangent as the adjoint has them, where some are scattered: adding them up takes less than gathering.

    Where positions are data and a copy is read, gathering is one product of matrices.
    """
    bars, writers = {*derivation.derivative.names.values()}, derivation.writers
    kept = {derivation.derivative.names[n] for n in derivation.names}
    copies = {bar: first for bar in bars - kept if (first := original(bar, writers)) in kept}
    found = tuple(w.equation if any(p.has(Access) for p in w.equation.target.indices) else _reading(w.equation, copies)
                  for w in writers.get(derivation.derivative.names[name], ()))
    known = all(names_read(eq.expressions) & bars <= kept for eq in found)
    return found if known and any(map(is_scattered, found)) else ()


def _reading(equation: Equation, others: Mapping[str, str]) -> Equation:
    """The equation with other tensors read in the place of some."""
    return equation.map(lambda e: e.replace(lambda a: isinstance(a, Access) and a.name in others,
                                            lambda a: Access(others[a.name], *a.indices)))


def _others(derivation: Derivation, builder: Builder, written: set[str]) -> list[Equation] | None:
    """What else the lines read that the adjoint computes: positions of maxima, counts of ties.  None where that reads a cotangent."""
    known = {t.name for t in (*derivation.forward.tensors, *builder.tensors)} | written
    read = names_read(e for eq in builder.equations for e in eq.expressions) - known
    equations = [eq for eq in derivation.program.equations if eq.target.name in read]
    return equations if names_read(e for eq in equations for e in eq.expressions) <= known - written else None


def _without_repetition(builder: Builder) -> tuple[list[Equation], list[Tensor]]:
    """The equations without helpers that have the same value as an earlier one."""
    helpers = {t.name for t in builder.tensors}
    first: dict[tuple, str] = {}
    same: dict[str, str] = {}
    kept: list[Equation] = []
    for equation in builder.equations:
        equation = _reading(equation, same)
        name = equation.target.name
        if name in helpers and len([e for e in builder.equations if e.target.name == name]) == 1:
            earlier = first.setdefault(_anonymous(equation), name)
            if earlier != name:
                same[name] = earlier
                continue
        kept.append(equation)
    return kept, [t for t in builder.tensors if t.name not in same]


def _in_parts(program: Program, builder: Builder, first: int = 0) -> list[Equation]:
    """The equations from the first on, with an index that stands alone on a longer axis as one that may run over a part of it.

    So does what a layer of three units hands to a concatenation: of `z_bar[n, j] = c_bar[n, j]` the j has another name.
    """
    tensors = {t.name: t for t in (*program.tensors, *builder.tensors)}
    parts: dict[Index, Index] = {}
    found = []
    for equation in builder.equations[first:]:
        short = [i for a in accesses(sp.Tuple(*equation.expressions)) for i, e in zip(a.indices, tensors[a.name].extents(a))
                 if isinstance(i, Index) and not i.part and sp.expand(e - i.extent).is_positive]
        for i in short:
            parts.setdefault(i, Index(builder.names.another(i.name), i.extent, i.start, part=True))
        found.append(equation.map(lambda e, short=short: e.xreplace({i: parts[i] for i in short})))
    return found


def _named_apart(equations: list[Equation], known: dict[str, Index], names: NameSupply) -> list[Equation]:
    """The equations with another name for each index whose name has another range in `known`, which takes up what is met.

    A line calls its rows h where the image's height is meant; the forward pass may count heads so.
    """
    others: dict[Index, Index] = {}
    found = []
    for equation in equations:
        for index in _indices([equation]):
            if known.setdefault(index.name, index) != index:
                others.setdefault(index, index.renamed(names.another(index.name)))
        found.append(equation.map(lambda e: e.xreplace(others)))
    return found


def _indices(equations: list[Equation]) -> list[Index]:
    return [i for eq in equations for e in (*eq.over, *eq.expressions) for i in indices_of(e)]


def _anonymous(equation: Equation) -> tuple:
    """What an equation says, whatever its indices and its target are called."""
    renamed = {i: i.renamed(f"_{k}") for k, i in enumerate(equation.indices)}
    moved = equation.map(lambda e: e.xreplace(renamed))
    return moved.op, moved.target.indices, moved.body, moved.over, moved.domain


def _is_plain(derivation: Derivation, name: str) -> bool:
    """Whether a cotangent has a single line at plain indices that run over the whole tensor."""
    lines = derivation[name].lines
    if len(lines) != 1 or not is_plain_row(lines[0].target):
        return False
    tensor = derivation.program.tensor(lines[0].target.name)
    at = lines[0].target.indices
    return all(isinstance(i, Index) and (i.extent, i.start) == (e, o) for i, e, o in zip(at, tensor.shape, tensor.origin))


def _with_loops(derivation: Derivation) -> Program:
    """The adjoint program with the derived lines of what no loop writes; in its loops, cotangents that have no line are written out."""
    program, bars = derivation.program, derivation.derivative.names
    inner = {eq.target.name for eq, loops in walk(program.statements) if loops}
    names = [n for n in derivation.names if bars[n] not in inner and program.definition(bars[n]) and _is_plain(derivation, n)]
    builder = Builder(NameSupply({t.name for t in program.tensors} | {i.name for i in program.indices}))
    lines: dict[str, list[Equation]] = {}
    known = {i.name: i for i in program.indices}
    for name in names:
        before = len(builder.equations)
        builder.assign(derivation[name].lines[0].target, derivation[name].lines[0].right, label=name)
        lines[bars[name]] = _named_apart(_in_parts(program, builder, before), known, builder.names)
    last = {eq.target.name: eq for eq in program.equations}
    statements: list[Statement] = []
    for statement in program.statements:
        target = "" if isinstance(statement, Loop) else statement.target.name
        statements += [statement] if target not in lines else lines[target] if statement is last[target] else []
    whole = replace(program, tensors=(*program.tensors, *builder.tensors), statements=tuple(statements))
    relations, forward = derivation.textbook.relations, {t.name for t in derivation.forward.tensors}
    kept = derivation.kept | {*derivation.gradients.values()}
    whole = condense(whole, {*bars.values()} - kept, lambda body: shortest(open_definitions(body, relations)))
    return prune(whole, forward | kept)
