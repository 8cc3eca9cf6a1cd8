"""Derivations end to end: every step of every test program, the reader's choices, look-ups, and what is printed."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from programs import CASES

import symbp as sb
from symbp.certify.steps import check_steps, closed_values, evaluate
from symbp.derivation import RULES, Derivation, derive
from symbp.errors import LanguageError
from symbp.interpret import interpret
from symbp.language import Access
from symbp.language.build import Reduce
from symbp.passes.matrix_form import MatrixForm
from symbp.passes.sums import gather
from symbp.report.derivation import jacobian_latex

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.toml"))


def run(name: str) -> tuple[Derivation, dict, dict]:
    """A test program's derivation and the values of one run of it, with a random seed for a result with axes."""
    case = CASES[name]()
    derivation = Derivation(case.program, case.of, case.wrt)
    values, rng = case.draw(np.random.default_rng(5)), np.random.default_rng(6)
    shape = interpret(case.program, values, case.sizes)[case.of].shape
    if shape:
        values[derivation.derivative.names[case.of]] = rng.normal(size=shape)
    return derivation, interpret(derivation.program, values, case.sizes), dict(case.sizes)


@pytest.mark.parametrize("name", CASES)
def test_every_step_of_every_program_is_an_equality(name: str):
    derivation, arrays, sizes = run(name)
    results = check_steps(derivation, arrays, sizes)
    assert len(results) >= len(derivation.wrt)
    assert all(r.error < 1e-7 for r in results), max(results, key=lambda r: r.error)


@pytest.mark.parametrize("name", CASES)
def test_every_line_is_what_the_adjoint_program_computes(name: str):
    """For a scatter without a closed form, the lines are contributions and their steps are tested above."""
    derivation, arrays, sizes = run(name)
    lines = [line for n in derivation.names for line in derivation[n].lines if r"\mathrel{+}" not in line.latex()]
    assert lines
    for line in lines:
        left, right = (evaluate(derivation, e, line, arrays, sizes) for e in (line.target, line.right))
        assert np.allclose(left, right, rtol=1e-9, atol=1e-11), line.latex()


def test_the_steps_are_numbered_and_chained():
    steps = derive("softmax(sum(i, W[k,i]*x[i]) + b[k])", wrt="W")["W"].steps
    assert [s.number for s in steps] == list(range(1, len(steps) + 1))
    assert all(s.rule in RULES for s in steps)
    assert all(a.after == b.before for a, b in zip(steps, steps[1:]))


def test_convolution_by_its_input_is_a_sum_over_the_flipped_kernel():
    derivation, _, _ = run("conv2d")
    latex = derivation["X"].latex()
    assert r"- 2 i + 1 \le 2\right]" in latex
    assert "K_{" in latex


def test_the_jacobian_of_softmax():
    d = derive("softmax(z[k])")
    (entry,) = d.jacobian("z")
    assert jacobian_latex(d, *entry).endswith(r"= y_{k} \left(\left[k = k''\right] - y_{k''}\right)")


@pytest.mark.parametrize("name", ["conv2d", "conv1d", "avg_pool2d", "causal attention", "layer norm", "window log-sum-exp", "embedding"])
def test_jacobians_are_what_unit_seeds_give(name: str):
    """∂y_q/∂x_i holds no cotangent, and equals the adjoint run with 1 at y_q and 0 elsewhere."""
    derivation, arrays, sizes = run(name)
    bars, seed = derivation.derivative.names, derivation.derivative.names[derivation.of]
    given = {t.name: arrays[t.name] for t in derivation.program.inputs}
    for wrt in derivation.wrt:
        for of, by, value in derivation.jacobian(wrt):
            assert not {a.name for a in value.atoms(Access)} & set(bars.values())
            found = closed_values(derivation.program, value, Access("jacobian", *of.indices, *by.indices), arrays, sizes)
            for cell in [*np.ndindex(arrays[seed].shape)][::7]:
                unit = np.zeros_like(arrays[seed])
                unit[cell] = 1
                assert np.allclose(found[cell], interpret(derivation.program, {**given, seed: unit}, sizes)[bars[wrt]])


def test_what_the_loss_reads_itself_stands_as_its_value_in_the_chain_rule():
    """∂L/∂h = … + ∂L/∂h would say nothing."""
    derivation, _, _ = run("lstm")
    chains = [s for n in derivation.names for s in derivation[n].steps if s.rule == "chain rule"]
    assert chains
    for step in chains:
        left = derivation.writer.doprint(step.before)
        assert left not in derivation.writer.doprint(step.after)


def test_a_parameter_without_influence_has_derivative_zero():
    net = sb.parse(Path(EXAMPLES[0]).read_text(encoding="utf-8"))
    d = derive("w + 0*v", wrt="w")
    assert d["w"].lines[0].right == 1
    i = sb.Index("i", 3)
    x, unused, s = sb.Tensor("x", (3,), role="parameter"), sb.Tensor("u", (3,), role="parameter"), sb.Tensor("s")
    d = derive(sb.Program((x, unused, s), (sb.Equation(s[()], x[i], over=(i,)),)))
    assert d["u"].lines[0].right == 0
    assert interpret(d.program, {"x": [1, 2, 3], "u": [0, 0, 0]})["u_bar"].tolist() == [0, 0, 0]
    assert net.name


def test_lookups_offer_the_nearest_name():
    d = derive(sb.load(Path(EXAMPLES[0]).parent / "mnist_mlp.toml"))
    with pytest.raises(LanguageError, match='did you mean "W1"'):
        d["W11"]
    with pytest.raises(LanguageError, match="is given, not computed"):
        derive(sb.load(Path(EXAMPLES[0]).parent / "mnist_mlp.toml"), of="x")
    with pytest.raises(LanguageError, match="unknown"):
        derive("x^2", facts="maybe")
    assert list(d) == ["W1", "b1", "W2", "b2"]


def test_sums_are_gathered_again():
    i = sb.Index("i", 3)
    a, y = sb.Tensor("a", (3,)), sb.Tensor("y", (3,))
    assert gather(Reduce("sum", a[i], [i]) / 5 - Reduce("sum", y[i], [i]) / 5) == Reduce("sum", a[i] - y[i], [i]) / 5
    assert gather(-Reduce("sum", a[i] * (y[i] - a[i]), [i])) == Reduce("sum", a[i] * (a[i] - y[i]), [i])
    assert gather(sp.Integer(3)) == 3


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_the_lines_of_the_examples(path: Path, golden: callable):
    """The formulas of every example, in index and in matrix form, as a golden file."""
    d = derive(sb.load(path))
    text = []
    for name in d.names:
        for line in d[name].lines:
            text += [f"{name}:", "  " + line.latex(), "  " + (line.latex("matrix") if line.matrix else "no matrix form")]
    program, updates = d.update_lines()
    from symbp.printing.latex import Writer
    text += [f"update: {Writer(program).equation(*entry)}" for entry in updates]
    golden(f"examples/{path.stem}.txt", "\n".join(text) + "\n")


SECTION_3 = {  # tutorial 002, section 3, with its names; the last two are its parameter updates
    "z": r"z^{(l)} = w^{(l)} a^{(l - 1)} + b^{(l)}",
    "a": r"a^{(l)} = \sigma\left(z^{(l)}\right)",
    "delta L": r"\delta^{(L)} = \frac{\partial J}{\partial a^{(L)}} \odot \sigma'\left(z^{(L)}\right)",
    "delta l": r"\delta^{(l)} = \left(w^{(l + 1)\top} \delta^{(l + 1)}\right) \odot \sigma'\left(z^{(l)}\right)",
    "w": r"\frac{\partial J}{\partial w^{(l)}} = \delta^{(l)} a^{(l - 1)\top}",
    "b": r"\frac{\partial J}{\partial b^{(l)}} = \delta^{(l)}",
    "update w": r"w^{(l)} := w^{(l)} - \alpha \frac{\partial J}{\partial w^{(l)}}",
    "update b": r"b^{(l)} := b^{(l)} - \alpha \frac{\partial J}{\partial b^{(l)}}",
}


def all_latex(report: object) -> list[str]:
    """Every formula and note of a report, as LaTeX."""
    found = []
    for section in report.sections:
        for item in section.items:
            found += [item.latex] if hasattr(item, "latex") else []
            for row in getattr(item, "rows", ()):
                found += [row.before, row.after, *(p.latex for p in row.note if hasattr(p, "latex"))] if hasattr(row, "before") else []
    return found


@pytest.mark.parametrize("formula", SECTION_3)
def test_section_3_of_tutorial_002_comes_out_of_an_example(formula: str):
    shown = all_latex(derive(sb.load(EXAMPLES[0].parent / "bp_general.toml")).report())
    assert any(f.startswith(SECTION_3[formula]) for f in shown), "\n".join(shown)


APPENDIX_B = {  # tutorial 000, appendix B.2 and B.3; its Adam lacks the square root and ε, which symbp's definition has
    "B.2.1 Z": ("appendix_b2", r"Z = X W + \mathbf{1} b^{\top}"),
    "B.2.1 A": ("appendix_b2", r"A = \sigma\left(Z\right)"),
    "B.2.2 gradient by W": ("appendix_b2", r"\frac{\partial L}{\partial W} = X^{\top} \Delta"),
    "B.3.1 descent W": ("appendix_b2", r"W := W - \alpha \frac{\partial L}{\partial W}"),
    "B.3.1 descent b": ("appendix_b2", r"b := b - \alpha \frac{\partial L}{\partial b}"),
}


@pytest.mark.parametrize("formula", APPENDIX_B)
def test_appendix_b_of_tutorial_000_comes_out_of_an_example(formula: str):
    example, latex = APPENDIX_B[formula]
    shown = all_latex(derive(sb.load(EXAMPLES[0].parent / f"{example}.toml")).report())
    assert latex in shown, "\n".join(shown)


@pytest.mark.parametrize(("example", "formulas"), [
    ("appendix_b3_momentum", (r"\beta", r"\left(1 - \beta\right) \frac{\partial L}{\partial W}", ":= W - ")),
    ("appendix_b3_adam", (r"\left(1 - {\beta_1}\right) \frac{\partial L}{\partial W}", r"1 - {\beta_1}^{t}", r"1 - {\beta_2}^{t}", r"\sqrt")),
])
def test_momentum_and_adam_of_appendix_b3(example: str, formulas: tuple[str, ...]):
    text = "\n".join(all_latex(derive(sb.load(EXAMPLES[0].parent / f"{example}.toml")).report()))
    for formula in formulas:
        assert formula in text


@pytest.mark.parametrize(("formula", "wrt", "matrix"), [
    ("sum(i, j, x[i]*A[i,j]*x[j])", "x", r"\left(A + A^{\top}\right) x"), ("sum(i, j, x[i]*A[i,j]*x[j])", "A", r"x x^{\top}"),
    ("sum(i, j, x[i]*A[i,j]*y[j])", "A", r"x y^{\top}"), ("sum(i, A[i,i]*b[i])", "b", r"\operatorname{diag}\left(A\right)"),
    ("sum(i, (sum(j, A[i,j]*x[j]) - b[i])^2)", "x", r"2 A^{\top} \left(A x - b\right)"),
    ("sum(i, j, k, A[k,i]*B[k,j]*C[i,j])", "A", r"B C^{\top}"), ("sum(i, j, k, A[i,k]*B[k,j]*C[i,j])", "A", r"C B^{\top}"),
    ("sum(i, j, A[i,j]*b[i])", "A", r"b \mathbf{1}^{\top}"), ("sum(i, j, A[i,j]*b[i])", "b", r"A \mathbf{1}"),
    ("sum(i, j, A[i,j]*c[j])", "c", r"A^{\top} \mathbf{1}"), ("sum(i, j, k, T[i,j,k]*x[i]*y[j]*z[k])", "x", None)])
def test_matrix_forms_of_bare_formulas(formula: str, wrt: str, matrix: str | None):
    (line,) = derive(formula, wrt=wrt)[wrt].lines
    assert line.latex("matrix").split(" = ", 1)[1] == matrix if matrix else line.matrix is None


def test_matrix_forms_are_verified_when_shown():
    d = derive(sb.load(EXAMPLES[0].parent / "mnist_mlp.toml"))
    forms = [line.matrix for n in d.names for line in d[n].lines]
    assert all(isinstance(f, MatrixForm) and f.verified for f in forms)


@pytest.mark.needs_tex
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_every_example_compiles(path: Path, tmp_path: Path):
    written = derive(sb.load(path)).write(tmp_path, formats=("pdf", "html", "md", "json", "tex"), stem=path.stem)
    assert all(p is not None and p.stat().st_size > 1000 for p in written.files.values())
    assert written.messages == ()


@pytest.mark.needs_tex
@pytest.mark.parametrize("name", ["conv2d", "max_pool2d", "lstm", "causal attention", "layer norm", "bidirectional", "embedding"])
def test_programs_compile(name: str, tmp_path: Path):
    derivation, _, _ = run(name)
    assert derivation.write(tmp_path, formats=("pdf",)).files["pdf"].is_file()
