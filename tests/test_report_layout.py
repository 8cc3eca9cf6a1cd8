"""Long formulas are broken where a person would break them, and nothing is lost."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_sample import rich_report

from symbp.report.layout import chain_rows, formula_rows
from symbp.report.measure import atoms, width
from symbp.report.model import Formula, StepRow, Steps, chains

ITEMS = [item for section in rich_report().sections for item in section.items]
FORMULAS = [item.latex for item in ITEMS if isinstance(item, Formula)]
FORMULAS += [latex for item in ITEMS if isinstance(item, Steps) for row in item.rows for latex in (row.before, row.after)]


def plain(latex: str) -> str:
    """The formula without spaces and without the size of its brackets."""
    return re.sub(r"\s|\\left(?![a-z])|\\right(?![a-z])|\\[bB]igg?[lr]", "", latex)


@given(st.text(r"\abLd{}()[]_^&+-=<,! ", max_size=40) | st.sampled_from(FORMULAS))
def test_atoms_are_the_formula(latex: str) -> None:
    assert "".join(atom.source for atom in atoms(latex)) == latex


@pytest.mark.parametrize("latex", FORMULAS)
@pytest.mark.parametrize("limit", [8, 15, 25, 40])
def test_rows_are_the_formula(latex: str, limit: float) -> None:
    rows = formula_rows(latex, limit)
    assert plain("".join(row.left + row.latex for row in rows)) == plain(latex)
    assert all(row.wide or row.indent + width(row.left) + width(row.latex) <= limit + 1.1 for row in rows)


@pytest.mark.parametrize("latex", FORMULAS)
def test_brackets_of_automatic_size_are_never_torn(latex: str) -> None:
    for row in formula_rows(latex, 12):
        assert row.latex.count(r"\left") - row.latex.count(r"\leftarrow") == row.latex.count(r"\right") - row.latex.count(r"\rightarrow")
        assert row.latex.count("{") == row.latex.count("}")


def test_breaks_come_before_relations_and_sums() -> None:
    rows = formula_rows("y = " + " + ".join(f"a_{i} b_{i}" for i in range(12)), 14)
    assert rows[0].left == "y" and rows[0].latex.startswith("= a_0")
    assert len(rows) > 1 and all(row.latex.startswith("+ ") for row in rows[1:])


def test_a_sign_is_no_place_to_break() -> None:
    rows = formula_rows("y = - aaaaaaaaaaaaaaaa - bbbbbbbbbbbbbbbbb", 14)
    assert [row.latex[:3] for row in rows] == ["= -", "- b"]


def test_a_long_left_side_stands_alone() -> None:
    (rows,) = chain_rows("a" * 40, ["= b"], 20)
    assert rows[0].left == "" and rows[-1].latex == "= b" and rows[-1].indent == 1


def test_steps_that_go_on_are_one_chain() -> None:
    rows = tuple(StepRow(str(i), "r", before, after) for i, (before, after) in enumerate(["ab", "bc", "xy", "yz"]))
    assert [len(chain) for chain in chains(rows)] == [2, 2]


@pytest.mark.needs_tex
def test_the_estimate_agrees_with_tex(tmp_path: Path) -> None:
    boxes = "\n".join(rf"\setbox0=\hbox{{$\displaystyle {latex}$}}\typeout{{WIDTH \the\wd0}}" for latex in FORMULAS)
    (tmp_path / "w.tex").write_text("\\documentclass[11pt]{article}\\usepackage{lmodern,mathtools,amssymb}\\begin{document}\n"
                                    + boxes + "\n\\end{document}")
    subprocess.run(["pdflatex", "-interaction=nonstopmode", "w.tex"], cwd=tmp_path, capture_output=True, check=False)
    measured = [float(found) / 10.95 for found in re.findall(r"WIDTH ([\d.]+)pt", (tmp_path / "w.log").read_text(errors="replace"))]
    assert len(measured) == len(FORMULAS)
    for latex, true in zip(FORMULAS, measured, strict=True):
        assert 0.9 * true - 0.3 <= width(latex) <= 1.15 * true + 0.3, latex
