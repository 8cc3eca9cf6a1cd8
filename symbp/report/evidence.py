"""How far the gradients of a document were checked: a section at its end, and a warning at its start where a check failed.

Stage: CheckReport → Section and warning; `evidence_table` is how all formats but JSON print the figures.
"""
from __future__ import annotations

from collections.abc import Callable
from math import isfinite

from symbp.certify.result import FAILED, INDEPENDENT, RUNGS, CheckReport, RungResult
from symbp.report.model import Evidence, EvidenceRow, Inline, Item, Paragraph, Parts, Section, Table

SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def evidence_section(certificate: CheckReport, gradient: Callable[[str], Inline]) -> Section:
    """The section: what passed, and what each rung compares.  `gradient` prints the derivative by a tensor."""
    evidence = Evidence(tuple(EvidenceRow(gradient(g.name), g.rungs) for g in certificate.gradients))
    opening = (f"{'Every' if certificate.passed else 'Not every'} gradient passed. Each was computed by its equations at random points "
               f"(seed {certificate.seed}), large extents made small, and compared in the following ways; figures are relative errors.")
    items: list[Item] = [Paragraph((opening,)), evidence, _rungs(evidence)]
    return Section("Evidence", tuple(items))


def evidence_warning(certificate: CheckReport, gradient: Callable[[str], Inline]) -> Parts:
    """What stands under the title where a check failed, or none decided; nothing where all is well."""
    parts: list[Inline] = []
    for name, result in certificate.failures:
        parts += [f"The {result.rung} check of ", gradient(name), f" FAILED{_figure(result)}{_detail(result)}. "]
    for name in certificate.uncertain:
        parts += ["No independent check of ", gradient(name), f" passed ({', '.join(INDEPENDENT)}). "]
    return ("These gradients are NOT certified. ", *parts) if parts or not certificate.passed else ()


def evidence_table(evidence: Evidence) -> Table:
    """A row for each gradient, a column for each rung that decided something."""
    shown = [rung for rung in _names(evidence) if not silent(evidence, rung)]
    rows = []
    for row in evidence.rows:
        cells = {result.rung: _cell(result) for result in row.rungs}
        rows.append((row.gradient, *(cells.get(rung, "") for rung in shown)))
    return Table(("gradient", *shown), tuple(rows))


def silent(evidence: Evidence, rung: str) -> str:
    """What a rung says that decided nothing and says the same of every gradient, "not run (…)"; else nothing."""
    results = [r for row in evidence.rows for r in row.rungs if r.rung == rung]
    said = {str(r) for r in results}
    return said.pop() if len(said) == 1 and not any(r.decides for r in results) else ""


def scientific(value: float) -> str:
    """A figure as it is written by hand.

    >>> scientific(2.14e-16), scientific(0.0)
    ('2.1·10⁻¹⁶', '0')
    """
    if value == 0 or not isfinite(value):
        return f"{value:g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}·10{str(int(exponent)).translate(SUPERSCRIPT)}"


def _rungs(evidence: Evidence) -> Table:
    """What each rung compares, and why it is missing where it is."""
    said = {rung: silent(evidence, rung) for rung in _names(evidence)}
    return Table(("check", "compares the gradient with"),
                 tuple((rung, RUNGS.get(rung, "") + (f"; {missing}" if missing else "")) for rung, missing in said.items()))


def _names(evidence: Evidence) -> list[str]:
    return list(dict.fromkeys(r.rung for row in evidence.rows for r in row.rungs))


def _cell(result: RungResult) -> str:
    """The status with its figure, or with its detail where there is none or where it failed."""
    failed = result.status == FAILED
    detail = _detail(result) if failed or result.figure is None else ""
    return (result.status.upper() if failed else result.status) + _figure(result) + detail


def _figure(result: RungResult) -> str:
    return "" if result.figure is None else f" {scientific(result.figure)}"


def _detail(result: RungResult) -> str:
    return f" ({result.detail})" if result.detail else ""
