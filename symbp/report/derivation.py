"""The document of a derivation: what is given, the forward pass, every gradient step by step, and a summary.

Stage: Derivation → Report.  Equations are numbered through; a step's sides are the LaTeX of what the passes logged.
"""
from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import sympy as sp

from symbp.language.functions import expand_definitions, step
from symbp.language.program import Program
from symbp.language.tensor import AXIS0, Access, Tensor
from symbp.passes.matrix_form import MatrixForm, matrix_form
from symbp.printing.latex import Writer
from symbp.report.model import Formula, Item, Math, Paragraph, Parts, Report, Section, StepRow, Steps, Table

if TYPE_CHECKING:
    from symbp.derivation import Derivation, Line, Step

ROLE_WORDS = {"input": "input", "parameter": "parameter", "state": "state", "constant": "constant", "intermediate": "computed"}


def derivation_report(derivation: "Derivation") -> Report:
    """The document; every formula in it is a line or a step of the derivation."""
    count = _Counter()
    sections = [_given(derivation), _forward(derivation, count), *_backward(derivation, count), *_updates(derivation, count),
                _summary(derivation)]
    of = derivation.writer.symbol(derivation.program.tensor(derivation.of))
    names = ", ".join(derivation.wrt)
    return Report(f"Derivation: {derivation.title or derivation.of}", f"The gradients of {derivation.of} by {names}",
                  tuple(sections), {"differentiated": of if "\\" not in of else derivation.of})


class _Counter:
    """Numbers the formulas of a document."""

    def __init__(self) -> None:
        self.last = 0

    def next(self) -> str:
        self.last += 1
        return str(self.last)


def _given(d: "Derivation") -> Section:
    """The tensors with their shapes, the conventions and the facts."""
    shown = [t for t in d.forward.tensors if not t.auxiliary]
    rows = tuple((Math(d.writer.symbol(t, sp.Symbol("l") if t.level_axis else None)), Math(shape_latex(d, t)), ROLE_WORDS[t.role])
                 for t in shown)
    items: list[Item] = [Table(("symbol", "shape", "role"), rows),
                         Paragraph(("Conventions: " + "; ".join(conventions(d)) + ".",))]
    if d.forward.facts:
        items.append(Paragraph(("Facts about the inputs: ", *_facts(d, d.forward.facts), ".")))
    return Section("What is given", tuple(items))


def conventions(d: "Derivation") -> list[str]:
    """The conventions in words that matter for this program."""
    functions = {f for eq in d.forward.equations for f in expand_definitions(eq.body).atoms(sp.Function)}
    kinks, maxima = any(isinstance(f, step) for f in functions), any(eq.op == "max" for eq in d.forward.equations)
    relu, ties, *others = d.forward.conventions.sentences()
    return [relu] * kinks + [ties] * maxima + others


def shape_latex(d: "Derivation", tensor: Tensor) -> str:
    """A shape as LaTeX, `N \\times 10`; a scalar is "1"; of a tensor with a row for each layer the shape of row l."""
    axes = tensor.shape[1:] if tensor.level_axis else tensor.shape
    extents = [d.writer.doprint(e.xreplace({AXIS0: sp.Symbol("l")})) for e in axes]
    return r" \times ".join(extents) or "1"


def _facts(d: "Derivation", facts: tuple) -> Parts:
    parts: list = []
    for k, fact in enumerate(facts):
        parts += [", "] * bool(k) + [Math(d.writer.fact(fact))]
    return tuple(parts)


def _forward(d: "Derivation", count: _Counter) -> Section:
    """The forward equations in closed form, in index and in matrix form."""
    return Section("Forward pass", tuple(_equations(d.forward_lines(), d.forward, count)))


def _equations(lines: list[tuple[Access, sp.Expr]], program: Program, count: _Counter) -> list[Item]:
    """Numbered equations, each with its matrix form under the same number with a prime."""
    items: list[Item] = []
    for target, right in lines:
        number, form = count.next(), matrix_form(target, right, program)
        items.append(Formula(Writer(program).equation(target, right), number))
        items += [Formula(form.latex, number + "'")] if _worth(form) else []
    return items


def _worth(form: MatrixForm | None) -> bool:
    """Whether a matrix form says more than the index form: not for scalars."""
    return form is not None and bool(form.target.indices)


def _backward(d: "Derivation", count: _Counter) -> list[Section]:
    """A section for each cotangent and gradient, in the order of the backward pass."""
    return [Section("Backward pass", (Paragraph(("Each line follows from the chain rule; the steps are equalities.",)),)),
            *(_cotangent(d, name, count) for name in d.names)]


def _cotangent(d: "Derivation", name: str, count: _Counter) -> Section:
    items: list[Item] = []
    for line in d[name].lines:
        number = count.next()
        items += [Steps(tuple(_row(line, s) for s in line.steps))] * bool(line.steps)
        items.append(Formula(line.latex(), number))
        items += [Formula(line.latex("matrix"), number + "'")] if _worth(line.matrix) else []
    letter = d.program.tensor(name).cotangent
    of = f"({d.mean.count} {d.of})" if d.mean and name not in d.mean.gradients else d.of
    return Section(f"∂{of}/∂{name}{' = ' + plain(letter) if letter else ''}", tuple(items), level=2)


def plain(latex: str) -> str:
    """A letter for a heading: the Greek one for its TeX command, else the text itself."""
    name = latex.removeprefix("\\")
    try:
        return unicodedata.lookup(f"GREEK {'CAPITAL' if name[:1].isupper() else 'SMALL'} LETTER {name.upper()}")
    except KeyError:
        return latex


def _row(line: "Line", step: "Step") -> StepRow:
    """A step; the local derivative also in matrix form, where it is not the last word."""
    d, note = line.derivation, ()
    if step.rule == "local derivative" and step is not line.steps[-1]:
        form = matrix_form(line.target, step.after, d.program)
        note = ("in matrix form ", Math(form.latex)) if _worth(form) else ()
    return StepRow(str(step.number), step.rule, d.writer.doprint(step.before), d.writer.doprint(step.after),
                   facts=_facts(d, step.facts), note=note)


def _updates(d: "Derivation", count: _Counter) -> list[Section]:
    """The optimiser's equations, where the source has an optimiser."""
    program, lines = d.update_lines()
    return [Section("Parameter update", tuple(_equations(lines, program, count)))] if lines else []


def _summary(d: "Derivation") -> Section:
    """Every line once more, in matrix form where there is one; the Jacobians of a value with axes."""
    lines = [line for name in d.names for line in d[name].lines]
    formulas = [Formula(line.latex("matrix")) for line in lines]
    if d.program.tensor(d.of).shape:
        formulas += [Formula(jacobian_latex(d, *entry)) for name in d.wrt for entry in d.jacobian(name)]
    return Section("Summary", tuple(formulas))


def jacobian_latex(d: "Derivation", of: Access, by: Access, value: sp.Expr) -> str:
    """∂y_q/∂x_i = …"""
    return rf"\frac{{\partial {d.writer.doprint(of)}}}{{\partial {d.writer.doprint(by)}}} = {d.writer.doprint(value)}"
