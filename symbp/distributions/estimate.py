"""Estimates: the derivative of a log-likelihood or log-posterior, by the calculus, is set to zero and solved by SymPy.

Stage: L1 Program of ℓ → Derivation → equations in statistics such as Σ_n x[n] → the parameters.

Parameters are solved for in order; a sum over the samples counts as one unknown once nothing in it depends on the parameter.  Where a fact
ties the parameters together, Σ_k p[k] = 1, a multiplier λ joins ℓ and is eliminated through that fact.
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import sympy as sp

from symbp.derivation import Derivation
from symbp.derivation.lines import Step
from symbp.errors import LanguageError
from symbp.language import Access, Equation, Fact, Index, Program, Tensor
from symbp.language.build import Reduce
from symbp.passes.use_facts import use_facts
from symbp.report.model import Formula, Paragraph, Report, Section, StepRow, Steps
from symbp.report.write import Written, write

if TYPE_CHECKING:
    from symbp.distributions.base import Distribution


@dataclass(frozen=True)
class Estimation:
    """Estimates with the steps that lead to them.

    estimates: each parameter's value in the samples x[n]; another parameter in it stands for its own estimate.  steps: equalities for
    each parameter; those after the derivative hold where it is zero.  derivation: of the derivatives, with steps of their own.
    """

    title: str
    derivation: Derivation
    estimates: dict[str, sp.Expr]
    solved: dict[str, tuple[Step, ...]]

    @property
    def steps(self) -> tuple[Step, ...]:
        """The numbered steps: those of each derivative, and behind them those that solve for the parameter."""
        found = [step for name in self.solved for step in (*self.derivation[name].steps, *self.solved[name])]
        return tuple(replace(step, number=k) for k, step in enumerate(found, 1))

    def latex(self) -> str:
        """The estimates as LaTeX, each on a line of its own."""
        return r" \\ ".join(self._equation(name) for name in self.estimates)

    def _equation(self, name: str) -> str:
        writer, at = self.derivation.writer, self.solved[name][-1].before
        symbol = writer.symbol(self.derivation.program.tensor(name))
        return rf"\hat{{{symbol}}}{writer.subscript(at.indices)} = {writer.doprint(self.estimates[name])}"

    def report(self) -> Report:
        """The derivation of the derivatives as a document, with a section for each estimate."""
        made, sections = self.derivation.report(), []
        for name, steps in self.solved.items():
            doprint = self.derivation.writer.doprint
            rows = tuple(StepRow(str(s.number), s.rule, doprint(s.before), doprint(s.after)) for s in steps)
            items = (Paragraph(("Where every derivative is zero:",)), Steps(rows), Formula(self._equation(name)))
            sections.append(Section(f"Estimate of {name}", items))
        return replace(made, title=self.title, sections=(*made.sections, *sections))

    def write(self, folder: str | Path, formats: Iterable[str] = ("pdf", "html", "tex"), stem: str = "estimate") -> Written:
        """Write the document into a folder."""
        return write(self.report(), Path(folder), stem, formats=tuple(formats))

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"


def solve(distribution: Distribution, program: Program, samples: Index, word: str) -> Estimation:
    """Set the derivatives of ℓ to zero and solve them."""
    free = distribution.free or tuple(t.name for t in distribution.parameters)
    title = f"{distribution.name}: {word}"
    tied = next((f for f in program.facts if f.over and f.right == 1 and set(f.tensors) == {free[0]}), None)
    if tied is not None:
        return _on_simplex(program, free[0], tied, samples, title)
    derivation = Derivation(program, "l", free, title=title)
    estimates: dict[str, sp.Expr] = {}
    solved: dict[str, tuple[Step, ...]] = {}
    for name in free:
        line = derivation[name].lines[0]
        unknown = Access(name, *line.target.indices)
        split = split_sums(line.right, unknown, samples)
        estimates[name] = _root(split, unknown)
        solved[name] = (Step(1, "statistics", line.target, split), Step(2, "zero, solved", unknown, estimates[name]))
    return Estimation(title, derivation, estimates, solved)


def _on_simplex(program: Program, name: str, tied: Fact, samples: Index, title: str) -> Estimation:
    """The stationary point of ℓ + λ (1 − Σ_k p[k])."""
    multiplier = Tensor("lambda", role="parameter", symbol=r"\lambda")
    slack = -multiplier[()] * tied.left
    total, facts = program.tensor("l"), tuple(f for f in program.facts if f != tied)
    statements = (*program.statements, Equation(total[()], slack, over=tied.over, label="constraint"),
                  Equation(total[()], multiplier[()], label="constraint"))
    derivation = Derivation(Program((multiplier, *program.tensors), statements, facts), "l", (name, "lambda"), title=title)
    line, constraint = derivation[name].lines[0], derivation["lambda"].lines[0]
    (k,) = line.target.indices
    unknown, lam = Access(name, k), multiplier[()]
    split = split_sums(line.right, unknown, samples)
    raw = _root(split, unknown)
    (index,) = tied.over
    weight = sp.expand(sp.cancel(raw * lam))
    total_weight = sp.Add(*(_summed(term.xreplace({k: index}), index, facts) for term in sp.Add.make_args(weight)))
    value = sp.factor(raw.xreplace({lam: total_weight}))
    steps = (Step(1, "statistics", line.target, split), Step(2, "zero, solved", unknown, raw),
             Step(3, "constraint", constraint.target, constraint.right), Step(4, "constraint, solved", lam, total_weight),
             Step(5, "multiplier written out", unknown, value))
    return Estimation(title, derivation, {name: value}, {name: steps})


def _summed(term: sp.Expr, index: Index, facts: tuple[Fact, ...]) -> sp.Expr:
    """Σ over an index of a term, the sum over samples taken outwards, so that a fact about each sample applies."""
    if isinstance(term, Reduce):
        inner, _ = use_facts(Reduce("sum", term.body, [index]), facts)
        return _total(inner, term.over[0])
    return _total(term, index)


def _total(body: sp.Expr, index: Index) -> sp.Expr:
    return Reduce("sum", body, [index]) if body.has(index) or body.has(Reduce) and index in body.atoms(Index) else index.extent * body


def split_sums(expression: sp.Expr, unknown: Access, samples: Index) -> sp.Expr:
    """Each sum over the samples as a combination of sums in which the unknown does not occur.

    >>> n, x, m = Index("n", sp.Symbol("N")), Tensor("x", (sp.Symbol("N"),)), Tensor("m")
    >>> split_sums(Reduce("sum", x[n] - m[()], [n]), m[()], n)
    -N*m[] + sum(n, x[n])
    """
    sums = [r for r in expression.atoms(Reduce) if len(r.over) == 1 and r.over[0].extent == samples.extent]
    return expression.xreplace({r: _split(r, unknown) for r in sums})


def _split(reduced: Reduce, unknown: Access) -> sp.Expr:
    (index,), groups = reduced.over, {}
    for term in sp.Add.make_args(sp.expand(reduced.body)):
        rest, dependent = term.as_independent(unknown, as_Add=False)
        groups.setdefault(dependent, []).append(rest)
    return sp.Add(*(dependent * _statistic(sp.factor(sp.Add(*rests)), index) for dependent, rests in groups.items()))


def _statistic(body: sp.Expr, index: Index) -> sp.Expr:
    """Σ_n body, with what does not depend on n in front."""
    inner = [f for f in sp.Mul.make_args(body) if f.has(index)]
    outer = sp.Mul(*(f for f in sp.Mul.make_args(body) if not f.has(index)))
    return outer * (Reduce("sum", sp.Mul(*inner), [index]) if inner else index.extent)


def _root(expression: sp.Expr, unknown: Access) -> sp.Expr:
    """The one zero of an expression."""
    atoms = {a: sp.Dummy(positive=True) for a in expression.atoms(Reduce)}
    plain = expression.xreplace(atoms)
    atoms |= {a: sp.Dummy(positive=True) for a in plain.atoms(Access)}
    plain = plain.xreplace(atoms)
    found = sp.solve(sp.numer(sp.cancel(sp.together(plain))), atoms[unknown])
    if len(found) != 1:
        raise LanguageError(f"the derivative by {unknown} is zero at {len(found)} places in closed form, not at one")
    return sp.cancel(found[0]).xreplace({d: a for a, d in atoms.items()})
