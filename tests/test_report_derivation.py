"""The document of a derivation as a reader sees it: nothing undefined, nothing said twice, everything numbered."""
from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from recurrences import ALL

import symbp as sb
from symbp.derivation import Derivation, derive
from symbp.language.tensor import Access
from symbp.report.derivation import derivation_report
from symbp.report.model import Formula, Math, Paragraph, Report, Section, Steps, Table
from symbp.report.tex import _columns, to_tex
from symbp.report.text import anchor

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.toml"))
SOURCES = [*(p.stem for p in EXAMPLES), *ALL, "softmax(sum(i, W[k,i]*x[i]) + b[k])", "sum(i, j, x[i]*A[i,j]*y[j])^2",
           "log(sum(i, exp(z[i])))"]


def derivation_of(source: str) -> Derivation:
    """The derivation of an example, a recurrence or a formula."""
    if source in ALL:
        return Derivation(ALL[source]().program, "J")
    return derive(sb.load(EXAMPLES[0].parent / f"{source}.toml") if source.isidentifier() else source)


@pytest.fixture(scope="module", params=SOURCES)
def derivation(request: pytest.FixtureRequest) -> Derivation:
    return derivation_of(request.param)


@pytest.fixture(scope="module")
def report(derivation: Derivation) -> Report:
    return derivation_report(derivation)


def steps_of(report: Report) -> list[Steps]:
    return [item for section in report.sections for item in section.items if isinstance(item, Steps)]


def section(report: Report, title: str) -> Section:
    return next(s for s in report.sections if s.title == title)


def text(parts: tuple) -> str:
    """Parts as text, with dollars around mathematics."""
    return "".join(f"${p.latex}$" if isinstance(p, Math) else p for p in parts)


def paragraphs(report: Report) -> str:
    return "\n".join(text(item.parts) for s in report.sections for item in s.items if isinstance(item, Paragraph))


def test_whatever_a_step_mentions_is_given(derivation: Derivation):
    forward = {target.name for target, _ in derivation.forward_lines()} | {t.name for t in derivation.forward.inputs}
    known = forward | {target.name for target, _ in derivation.helper_lines()}
    bars = {bar: name for name, bar in derivation.derivative.names.items()}
    for name in derivation.names:
        for step in derivation[name].steps:
            mentioned = {a.name for side in (step.before, step.after) for a in side.atoms(Access)}
            assert {bars.get(n, n) for n in mentioned} <= known, step


def test_no_step_repeats_the_one_before_it(report: Report):
    for item in steps_of(report):
        assert all(row.before != row.after for row in item.rows)
        assert all(a.rule != b.rule or a.rule == "folded" for a, b in pairwise(item.rows))
        notes = [text(row.note).removeprefix("in matrix form ") for row in item.rows if row.note]
        assert f"${item.rows[-1].before} = {item.rows[-1].after}$" not in notes


def test_the_derivative_of_the_loss_by_itself_is_not_shown(derivation: Derivation, report: Report):
    of = derivation.writer.symbol(derivation.program.tensor(derivation.of))
    shown = [latex for item in steps_of(report) for row in item.rows for latex in (row.before, row.after, text(row.note))]
    assert not any(rf"\frac{{\partial {of}}}{{\partial {of}}}" in latex for latex in shown)


def test_results_are_numbered_through_and_once(report: Report):
    labels = [row.label for item in steps_of(report) for row in item.rows if row.label]
    numbers = [item.number for s in report.sections for item in s.items if isinstance(item, Formula) and item.number] + labels
    assert max(Counter(anchor("eq", n) for n in numbers).values()) == 1
    assert sorted({int(n.rstrip("'")) for n in numbers}) == list(range(1, 1 + len({n.rstrip("'") for n in numbers})))
    assert all(item.rows[-1].label for item in steps_of(report))


def test_headings_are_mathematics_and_outlines_are_plain(report: Report):
    tex = to_tex(report).partition(r"\begin{document}")[2]
    assert "[U+" not in tex and r"\codepoint{2202}" not in tex
    assert all(s.heading for s in report.sections if s.level == 2)


def test_functions_and_helpers_are_defined():
    report = derivation_of("xor").report()
    assert r"$\sigma\left(u\right) = \frac{1}{1 + e^{-u}}$" in paragraphs(report)
    assert r"$\tanh\left(u\right) = \frac{e^{u} - e^{-u}}{e^{u} + e^{-u}}$" in paragraphs(report)
    assert r"$\sigma$ is any differentiable function" in paragraphs(derivation_of("bp_general").report())
    shown = [item.latex for item in section(derivation_of("mnist_mlp").report(), "Forward pass").items if isinstance(item, Formula)]
    assert shown[-1] == r"S_{n} = \sum_{k} e_{nk}"


def test_a_formula_has_no_conventions_of_networks():
    assert "Conventions" not in paragraphs(derive("sum(i, w[i]*x[i])^2", wrt="w").report())
    assert "weight matrices" in paragraphs(derivation_of("xor").report())


def test_a_bar_is_explained():
    report = derive("softmax(z[k])").report()
    assert r"$\sum_{k} \bar{y}_{k} y_{k}$, for any $\bar{y}_{k}$" in paragraphs(report)
    assert section(report, "∂y/∂z").shown == (Math(r"\bar{z}"),)


def test_cases_are_named_and_stand_from_the_last_row_to_the_first():
    cases = [line for line in paragraphs(derivation_of("skip_over_two").report()).split("\n") if line.startswith("For ")]
    assert cases == ["For $l = L$:", "For $l = L - 1$:", r"For $1 \le l \le L - 2$:", "For $l = 0$:"]
    assert paragraphs(derivation_of("over_time").report()).count("For $") == 2


def test_equations_of_a_loop_say_their_rows():
    formulas = [item.latex for item in section(derivation_of("over_time").report(), "Forward pass").items if isinstance(item, Formula)]
    assert any(f.startswith("h_{t + 1, j}") and f.endswith(r"\left(0 \le t \le T - 1\right)") for f in formulas)
    assert not any(f.startswith("h_{0") and r"\le" in f for f in formulas)


def test_updates_are_shown_once_and_the_state_before_its_gradient():
    d = derivation_of("xor")
    formulas = [item.latex for item in section(d.report(), "Parameter update").items]
    assert len(formulas) == len(d.update_lines()[1])
    assert formulas[0] == r"{[v_{W}]}^{(1)} := \beta {[v_{W}]}^{(1)} + \alpha \frac{\partial L}{\partial W^{(1)}}"


def test_shapes_keep_their_factors_together():
    (table,) = [i for i in section(derivation_of("over_time").report(), "What is given").items if isinstance(i, Table)]
    assert Math(r"\left(T + 1\right) \times 3") in [row[1] for row in table.rows]


def test_a_chain_rule_does_not_sum_what_the_function_itself_sums():
    """∂f/∂x_i is no Σ_j ∂f/∂x_i; through a square the sum stands inside of ∂S/∂x_i."""
    assert [s.rule for s in derive("sum(i, j, x[i]*A[i,j]*y[j])")["x"].steps] == ["local derivative"]
    d = derive("sum(i, j, x[i]*A[i,j]*y[j])^2")
    first = d["x"].steps[0]
    assert (first.rule, r"\sum" in d.writer.doprint(first.after)) == ("chain rule", False)


def test_sums_are_split_only_where_that_helps():
    rules = [s.rule for s in derivation_of("logistic_equations")["b"].steps]
    assert rules == ["chain rule", "local derivative", "substitution", "definition opened", "simplified"]


def test_a_column_is_never_narrower_than_its_words():
    words = ("independent", "a long sentence about nothing in particular " * 3)
    widths = _columns(Table(("x" * 20, "b"), (words, words)))
    assert widths.startswith("l") and widths.count("p{") == 1


def test_a_lead_in_stays_with_what_follows():
    assert r"$l = L$:\nopagebreak" in to_tex(derivation_of("bp_general").report())


def test_only_the_loss_updates_parameters():
    report = derive(sb.load(EXAMPLES[0].parent / "xor.toml"), of="z1").report()
    assert "Parameter update" not in [s.title for s in report.sections]


def test_a_missing_folder_is_made_and_an_impossible_one_named(tmp_path: Path) -> None:
    d = sb.derive("sum(i, w[i]*x[i])^2")
    assert d.write(tmp_path / "a" / "b", formats=["tex"]).files["tex"].is_file()
    (tmp_path / "file").touch()
    with pytest.raises(sb.SymbpError, match="cannot make the folder"):
        d.write(tmp_path / "file", formats=["tex"])
