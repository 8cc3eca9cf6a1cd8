"""Report → one HTML file with MathML, which needs neither network nor script."""
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from symbp.report.evidence import evidence_table
from symbp.report.layout import Row, chain_rows, formula_rows
from symbp.report.mathml import mathml
from symbp.report.model import Formula, Inline, Math, Parts, Ref, Report, StepRow, chains, contents_depth, formula_numbers
from symbp.report.text import anchor, visible, visible_line
from symbp.resources import templates_dir

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

LINE = 39.0
"""Width of a displayed line in em; a number at its side takes `NUMBER` of it."""

NUMBER = 2.5


def to_html(report: Report) -> str:
    """Return the report as a self-contained page; raises `SymbpError` where the templates are missing."""
    known = formula_numbers(report)
    environment = _environment()
    environment.filters |= {"inline": partial(_inline, known=known), "text": visible, "math": _math, "formula": _formula,
                            "chains": _chains, "anchor": anchor, "evidence": evidence_table, "line": visible_line}
    return environment.get_template("report.html.j2").render(report=report, depth=contents_depth(report))


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(loader=FileSystemLoader(templates_dir()), undefined=StrictUndefined, autoescape=True, trim_blocks=True,
                       lstrip_blocks=True, keep_trailing_newline=True)


def _math(latex: str, display: bool = False) -> Markup:
    from markupsafe import Markup

    return Markup(mathml(visible(latex), display))


def _inline(parts: Parts | Inline, display: bool = False, *, known: frozenset[str]) -> Markup:
    """Text, mathematics and references of a paragraph."""
    from markupsafe import Markup

    parts = parts if isinstance(parts, tuple) else (parts,)
    return Markup("").join(_part(part, known, display) for part in parts)


def _part(part: Inline, known: frozenset[str], display: bool = False) -> Markup:
    from markupsafe import Markup, escape

    if isinstance(part, Math):
        return _math(part.latex, display)
    if isinstance(part, Ref):
        text = f"({visible(part.number)})"
        return Markup('<a href="#{}">{}</a>').format(anchor("eq", part.number), text) if part.number in known else escape(text)
    return escape(visible(part))


def _formula(item: Formula) -> tuple[Row, ...]:
    return tuple(map(_infix, formula_rows(item.latex, LINE - (NUMBER if item.number else 0))))


def _chains(rows: tuple[StepRow, ...]) -> list[list[tuple[StepRow, tuple[Row, ...]]]]:
    """The steps of each chain with their displayed rows."""
    found = []
    for steps in chains(rows):
        room = LINE - (NUMBER if any(step.label for step in steps) else 0)
        display = chain_rows(steps[0].before, ["= " + step.after for step in steps], room)
        found.append([(step, tuple(map(_infix, shown))) for step, shown in zip(steps, display, strict=True)])
    return found


def _infix(row: Row) -> Row:
    """A row that starts with + or - keeps the spaces of an operation."""
    return Row(row.left, row.indent, ("{}" if row.latex[:1] in "+-" and row.indent else "") + row.latex, row.wide)
