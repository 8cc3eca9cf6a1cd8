"""The document of a derivation: what is given, the forward pass, every gradient step by step, a summary, the evidence.

Stage: Derivation → Report.  Equations are numbered through; a step's sides are the LaTeX of what the passes logged.
"""
from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sympy as sp

from symbp import __version__
from symbp.language.build import Reduce
from symbp.language.equation import walk
from symbp.language.functions import Defined, expand_definitions, step
from symbp.language.index import Index
from symbp.language.tensor import AXIS0, Access, Tensor
from symbp.passes.matrix_form import MatrixForm, matrix_form
from symbp.printing.latex import Writer
from symbp.report.evidence import evidence_section, evidence_warning
from symbp.report.model import Formula, Item, Math, Paragraph, Parts, Report, Section, StepRow, Steps, Table

if TYPE_CHECKING:
    from symbp.certify.result import CheckReport
    from symbp.derivation import Derivation, Line, Step

ROLE_WORDS = {"input": "input", "parameter": "parameter", "state": "state", "constant": "constant",
              "random": "drawn in each step", "intermediate": "computed"}


def derivation_report(d: Derivation, certificate: CheckReport | None = None) -> Report:
    """The document; every formula in it is a line or a step of the derivation.

    certificate: what the ladder of certainty said of its gradients; a failure is printed under the title.
    """
    count = Counter()
    sections = [given_section(d), forward_section(d, count), *_backward(d, count), *_updates(d, count), *_inference(d, count), _summary(d)]
    warning: Parts = ()
    if certificate is not None:
        sections.append(evidence_section(certificate, lambda name: Math(_gradient_latex(d, name))))
        warning = evidence_warning(certificate, lambda name: Math(_gradient_latex(d, name)))
    by = [part for name in d.wrt for part in (", ", Math(_symbol(d, name)))][1:]
    return Report(f"Derivation: {d.title or d.of}", ("The derivatives of ", Math(_symbol(d, d.of)), " by ", *by), tuple(sections),
                  {"made by": f"symbp {__version__}"}, warning)


def _symbol(d: Derivation, name: str) -> str:
    """A tensor's symbol; of one with a row for each layer that of row l."""
    tensor = d.program.tensor(name)
    return d.writer.symbol(tensor, sp.Symbol("l") if tensor.level_axis else None)


def _gradient_latex(d: Derivation, name: str) -> str:
    r"""`\partial L / \partial W^{(1)}`; `\bar{W}` where what is differentiated has axes."""
    if d.program.tensor(d.of).shape:
        return d.writer.symbol(d.program.tensor(d.derivative.names[name]))
    of = d.of if name in d.wrt else d.derivative.of
    return rf"\partial {_symbol(d, of)} / \partial {_symbol(d, name)}"


class Counter:
    """Numbers the formulas of a document."""

    def __init__(self) -> None:
        self.last = 0

    def next(self) -> str:
        self.last += 1
        return str(self.last)


def given_section(d: Derivation) -> Section:
    """The tensors with their shapes, the conventions and the facts."""
    shown = [t for t in d.forward.tensors if not t.auxiliary and not t.next_of]
    rows = tuple((Math(_symbol(d, t.name)), Math(shape_latex(d, t)), ROLE_WORDS[t.role]) for t in shown)
    items: list[Item] = [Table(("symbol", "shape", "role"), rows)]
    items += [Paragraph((f"Conventions: {'; '.join(found)}.",))] if (found := conventions(d)) else []
    functions = [part for known in functions_used(d) for part in ("; ", *known)][1:]
    items += [Paragraph(("Functions: ", *functions, "."))] if functions else []
    if d.forward.facts:
        items.append(Paragraph(("Facts about the inputs: ", *_facts(d, d.forward.facts), ".")))
    return Section("What is given", tuple(items))


def functions_used(d: Derivation) -> list[Parts]:
    """The definitions of the functions in the forward equations, and of those that they use: σ(u) = 1/(1 + e^(-u))."""
    u, found = sp.Symbol("u"), {}
    todo = [f for eq in d.forward.equations for f in sorted(eq.body.atoms(Defined), key=str)]
    while todo:
        function = type(todo.pop(0))
        if function in found or len(function.parameters) != 1:
            continue
        if function.definition is None:
            found[function] = (Math(function.latex_name), " is any differentiable function")
            continue
        body = function.definition.xreplace({function.parameters[0]: u})
        found[function] = (Math(rf"{d.writer.doprint(function(u))} = {d.writer.doprint(body)}"),)
        todo += sorted(body.atoms(Defined), key=str)
    return list(found.values())


def conventions(d: Derivation) -> list[str]:
    """The conventions in words that matter for this program."""
    functions = {f for eq in d.forward.equations for f in expand_definitions(eq.body).atoms(sp.Function)}
    kinks, maxima = any(isinstance(f, step) for f in functions), any(eq.op == "max" for eq in d.forward.equations)
    relu, ties, *others = d.forward.conventions.sentences()
    return [relu] * kinks + [ties] * maxima + (others if d.network is not None and d.network.records else [])


def shape_latex(d: Derivation, tensor: Tensor) -> str:
    """A shape as LaTeX, `N \\times 10`; a scalar is "1"; of a tensor with a row for each layer the shape of row l."""
    axes = tensor.shape[1:] if tensor.level_axis else tensor.shape
    extents = [e.xreplace({AXIS0: sp.Symbol("l")}) for e in axes]
    texts = [rf"\left({d.writer.doprint(e)}\right)" if e.is_Add and len(axes) > 1 else d.writer.doprint(e) for e in extents]
    return r" \times ".join(texts) or "1"


def _facts(d: Derivation, facts: tuple) -> Parts:
    parts: list = []
    for k, fact in enumerate(facts):
        parts += [", "] * bool(k) + [Math(d.writer.fact(fact))]
    return tuple(parts)


def forward_section(d: Derivation, count: Counter) -> Section:
    """The forward equations in closed form, in index and in matrix form; and the helpers that occur in steps."""
    items: list[Item] = []
    for target, right in d.forward_lines():
        number, form = count.next(), matrix_form(target, right, d.forward)
        items.append(Formula(d.writer.equation(target, right) + _running(d, target), number))
        items += [Formula(form.latex, number + "'")] if _worth(form) else []
    helpers = [Formula(d.writer.equation(target, right), count.next()) for target, right in d.helper_lines()]
    mode = [Paragraph(("These are the equations of training, and the derivatives are theirs; those of inference stand below.",))]
    items = [*mode * (d.network is not None and d.network.trained is not None), *items]
    return Section("Forward pass", (*items, *([Paragraph(("The steps below also use:",)), *helpers] if helpers else [])))


def _running(d: Derivation, target: Access) -> str:
    """For an equation in a loop, the rows that it computes."""
    row = next((lp.index for eq, loops in walk(d.forward.statements) for lp in loops
                if eq.target == target and target.indices[0].has(lp.index)), None)
    return rf" \qquad \left({d.writer.range(row)}\right)" if row is not None else ""


def _worth(form: MatrixForm | None) -> bool:
    """Whether a matrix form says more than the index form: not for scalars."""
    return form is not None and bool(form.target.indices)


def _backward(d: Derivation, count: Counter) -> list[Section]:
    """A section for each cotangent and gradient, in the order of the backward pass."""
    opening: Parts = ("Each line follows from the chain rule; the steps are equalities.",)
    if d.program.tensor(d.of).shape:
        axes = d.rows.plain(d.of)
        seed, of = Access(d.derivative.names[d.of], *axes), Access(d.of, *axes)
        total = Math(d.writer.doprint(Reduce("sum", seed * of, axes)))
        opening += (" A bar marks the derivative of ", total, ", for any ", Math(d.writer.doprint(seed)), ".")
    return [Section("Backward pass", (Paragraph(opening),)), *(gradient_section(d, name, count) for name in d.names)]


def gradient_section(d: Derivation, name: str, count: Counter) -> Section:
    """The steps of each case; the last of them is the result, which is quoted by its number."""
    items: list[Item] = []
    for line in d[name].lines:
        case = case_latex(d, name, line)
        items += [Paragraph(("For ", Math(case), ":"))] if case else []
        items += _line(line, count.next())
    letter = d.writer.symbol(d.program.tensor(d.derivative.names[name]), sp.Symbol("l") if d.program.tensor(name).level_axis else None)
    lettered = f" = {letter}" if d.program.tensor(name).cotangent and not d.program.tensor(d.of).shape else ""
    return Section(f"∂{d.of}/∂{name}", tuple(items), 2, (Math(_gradient_latex(d, name) + lettered),))


def _line(line: Line, number: str) -> list[Item]:
    """A line as steps, with the matrix form as the last one; as a formula where the steps do not start at its left side."""
    steps = [_row(line, s) for s in line.steps]
    form = line.matrix if _worth(line.matrix) else None
    if line.steps and line.steps[0].before == line.target:
        steps[-1] = replace(steps[-1], label=number)
        if form is not None:
            steps.append(StepRow(str(len(steps) + 1), "matrix form", form.left_latex, form.right_latex, label=number + "'"))
        return [Steps(tuple(steps))]
    formulas = [Formula(line.latex(), number)] + ([Formula(line.latex("matrix"), number + "'")] if form is not None else [])
    return [*([Steps(tuple(steps))] if steps else []), *formulas]


def case_latex(d: Derivation, name: str, line: Line) -> str:
    """Which elements a line is about, where the gradient has several lines: the rows `l = L`, `1 \\le l \\le L - 1` of a recurrence."""
    lines = d[name].lines
    if len(lines) < 2:
        return ""
    row = line.target.indices[0] if line.target.indices else None
    if (line.target.name, 0) not in d.rows.row_axes or isinstance(row, Index):
        return line.rows
    index = next((other.target.indices[0] for other in lines if isinstance(other.target.indices[0], Index)), sp.Symbol("l"))
    return f"{d.writer.doprint(index)} = {d.writer.doprint(row)}"


def _row(line: Line, step: Step) -> StepRow:
    """A step; the local derivative also in matrix form, where it is not the last word."""
    d, note = line.derivation, ()
    if step.rule == "local derivative" and step is not line.steps[-1]:
        form = matrix_form(line.target, step.after, d.program)
        said = form is not None and line.matrix is not None and form.latex == line.matrix.latex
        note = ("in matrix form ", Math(form.latex)) if _worth(form) and not said else ()
    return StepRow(str(step.number), step.rule, d.writer.doprint(step.before), d.writer.doprint(step.after),
                   facts=_facts(d, step.facts), note=note)


def _updates(d: Derivation, count: Counter) -> list[Section]:
    """The optimiser's equations, where the source has an optimiser: elementwise, so that the matrix form says it all."""
    program, lines = d.update_lines()
    forms = [matrix_form(target, right, program) or Writer(program).equation(target, right) for target, right in lines]
    formulas = tuple(Formula(form if isinstance(form, str) else form.latex, count.next()) for form in forms)
    return [Section("Parameter update", formulas)] if lines else []


def _inference(d: Derivation, count: Counter) -> list[Section]:
    """The next values of running statistics, and what inference calculates in another way."""
    said = "Each step of training moves them; no derivative goes through them."
    sections = [_assigned(d.writer, "Running statistics", said, d.running_lines(), count)]
    if d.network is not None and d.network.trained is not None:
        said = "After training these equations take the place of those above; all others stay."
        sections.append(_assigned(Writer(d.network.trained.program), "Inference", said, d.inference_lines(), count))
    return [section for section in sections if section is not None]


def _assigned(printer: Writer, title: str, said: str, lines: list[tuple[Access, sp.Expr]], count: Counter) -> Section | None:
    """A section of a sentence and equations; None where there are no equations."""
    formulas = tuple(Formula(printer.equation(target, right), count.next()) for target, right in lines)
    return Section(title, (Paragraph((said,)), *formulas)) if formulas else None


def _summary(d: Derivation) -> Section:
    """Every line once more, in matrix form where there is one; the Jacobians of a value with axes."""
    lines = [line for name in d.names for line in d[name].lines]
    formulas = [Formula(line.latex("matrix")) for line in lines]
    if d.program.tensor(d.of).shape:
        formulas += [Formula(jacobian_latex(d, *entry)) for name in d.wrt for entry in d.jacobian(name)]
    return Section("Summary", tuple(formulas))


def jacobian_latex(d: Derivation, of: Access, by: Access, value: sp.Expr) -> str:
    """∂y_q/∂x_i = …"""
    return rf"\frac{{\partial {d.writer.doprint(of)}}}{{\partial {d.writer.doprint(by)}}} = {d.writer.doprint(value)}"
