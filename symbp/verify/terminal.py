"""Verdicts for the terminal: the first mistake on top, then a table; colours only where a terminal shows them."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING

from symbp.verify.audit import Audit
from symbp.verify.report import Report, claimed, corrected, why
from symbp.verify.verdict import Verdict

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDE = 160
"""Columns where there is no terminal that has a width."""
STYLES = {"right": "green", "right-if": "green", "wrong": "bold red", "ill-posed": "bold red", "inherited": "yellow",
          "last digit off": "yellow", "undecided": "magenta"}


def show(audit: Audit, stream: IO[str]) -> None:
    """Print an audit; several files end with a summary."""
    out = _console(stream)
    for k, report in enumerate(audit.reports):
        if k:
            out.print()
        _report(report, out)
    if len(audit.reports) + len(audit.bad) > 1:
        out.print()
        out.print(_files(audit))
        out.print(_text(audit.summary))


def progress(stream: IO[str]) -> Callable[[list[Path]], Iterable[Path]]:
    """Show how far an audit of several files is, where there is a terminal."""
    if not stream.isatty():
        return iter
    from rich.console import Console
    from rich.progress import track

    return lambda paths: iter(paths) if len(paths) < 2 else track(paths, "judging", console=Console(file=stream), transient=True)


def _console(stream: IO[str]) -> Console:
    from rich.console import Console

    terminal = stream.isatty()
    width = None if terminal or os.environ.get("COLUMNS", "").isdigit() else WIDE
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)


def _text(text: str, style: str = ""):
    from rich.text import Text

    return Text(text, style=style)


def _report(report: Report, out: Console) -> None:
    out.print(_text(report.title, "bold"))
    if report.source:
        out.print(_text(report.source, "dim"))
    for line in report.opening:
        out.print(_text(line, "red"))
    out.print()
    out.print(_claims(report, out.width))
    out.print(_text(report.summary))


def _claims(report: Report, width: int) -> Table:
    """A row for each claim; on a narrow terminal the reasons stand below what they explain."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    narrow = width < 100
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, expand=False)
    for head in ("claim", "the text says", "verdict", "right", *(() if narrow else ("why",))):
        table.add_column(head, overflow="fold", min_width=9 if head == "verdict" else None)
    for verdict in report.verdicts:
        cells = [_claim(verdict), claimed(verdict), verdict.verdict, corrected(verdict), why(verdict)]
        if narrow:
            reason = cells.pop()
            cells[1] += f"\n({reason})" * bool(reason)
        style = STYLES.get(verdict.verdict, "yellow")
        table.add_row(*(_text(cell, style if k == 2 else "") for k, cell in enumerate(cells)))
    return table


def _claim(verdict: Verdict) -> str:
    claim = verdict.claim
    after = f" after {claim.after}" if claim.after and "after" not in claim.id else ""
    return claim.id + after + (f" ({claim.where})" if claim.where else "")


def _files(audit: Audit) -> Table:
    """A row for each file."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for head in ("file", "verdicts", "first mistake"):
        table.add_column(head, overflow="fold")
    for report in audit.reports:
        first = report.first.claim.id if report.first else ""
        table.add_row(_text(report.path), _text(report.summary, "green" if report.holds else "red"), _text(first))
    for path, error in audit.bad.items():
        table.add_row(_text(path), _text(f"could not be read: {error}", "bold red"), _text(""))
    return table
