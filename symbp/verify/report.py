"""The verdicts on a text as a table for the terminal, as Markdown, and as JSON."""
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symbp.report.text import visible
from symbp.verify.claimfile import load
from symbp.verify.formulas import ILL_POSED, RIGHT_IF
from symbp.verify.verdict import INHERITED, RIGHT, UNDECIDED, WRONG, Verdict, verdicts

HEADER = ("claim", "printed", "verdict", "right value", "why")


@dataclass(frozen=True)
class Report:
    """The verdicts on one claim file, in the order of the text."""

    path: str
    title: str
    source: str
    verdicts: tuple[Verdict, ...]

    @property
    def holds(self) -> bool:
        """Whether every claim was judged and is right, if only under a convention that is named."""
        return all(v.verdict in (RIGHT, RIGHT_IF) for v in self.verdicts)

    @property
    def summary(self) -> str:
        """How many claims got which verdict."""
        counts = Counter(v.verdict for v in self.verdicts)
        return f"{len(self.verdicts)} claims: " + ", ".join(f"{n} {what}" for what, n in counts.most_common())

    @property
    def first(self) -> Verdict | None:
        """The first new mistake."""
        return next((v for v in self.verdicts if v.verdict in (WRONG, ILL_POSED)), None)

    @property
    def opening(self) -> list[str]:
        """The first mistake and what hangs on each, in sentences."""
        lines = [f"The first mistake: {_said(self.first)}."] if self.first else []
        for wrong in (v for v in self.verdicts if v.verdict == WRONG):
            hanging = [v.claim.id for v in self.verdicts if v.verdict == INHERITED and wrong.claim.id in v.roots]
            if hanging:
                lines.append(f"On {wrong.claim.id} hang {', '.join(hanging)}.")
        return lines

    def text(self) -> str:
        """The first mistake, a table of the numbers, and the formulas."""
        heads = [line for line in (self.title, self.source) if line]
        parts = [[*map(visible, heads), *self.opening], self._table(), self._formulas(), [self.summary]]
        return "\n\n".join("\n".join(part) for part in parts if part)

    def _table(self) -> list[str]:
        """The numbers, in columns."""
        rows = [_row(v) for v in self.verdicts if not v.claim.formula]
        rows = [HEADER, *rows] if rows else []
        widths = [max(len(row[k]) for row in rows) for k in range(len(HEADER) - 1)] if rows else []
        return ["  ".join([*(cell.ljust(w) for cell, w in zip(row, widths)), row[-1]]).rstrip() for row in rows]

    def _formulas(self) -> list[str]:
        """The formulas, what is wrong with each below it."""
        lines = []
        for v in (v for v in self.verdicts if v.claim.formula):
            lines.append(f"{v.verdict:10} {v.claim.id}:  {visible(v.claim.formula)}")
            lines += [f"{'':10} derived:  {v.value}"] if v.value else []
            lines += [f"{'':10} {visible(_why(v))}"] if _why(v) else []
        return lines

    def markdown(self) -> str:
        """The same as Markdown, fit to send to an author."""
        rows = [HEADER, tuple("---" for _ in HEADER), *map(_row, self.verdicts)]
        table = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
        head = [f"# {visible(self.title) or self.path}", *([visible(self.source)] if self.source else [])]
        return "\n\n".join([*head, *self.opening, "\n".join(table), self.summary]) + "\n"

    def to_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {"file": self.path, "title": self.title, "source": self.source, "holds": self.holds,
                "verdicts": [_as_json(v) for v in self.verdicts]}


def verify(path: str | Path) -> Report:
    """Judge every claim of a claim file.

    Raises `NetworkError`, one paragraph, where the file as a whole cannot be read.

    >>> report = verify("examples/claims/seed-002-4.4.toml")
    >>> report.first.claim.id, report.first.claim.printed.text, report.first.value
    ('a2[1]', '0.6627', '0.6615')
    """
    text = load(path)
    return Report(str(path), text.title, text.source, tuple(verdicts(text)))


def _as_json(verdict: Verdict) -> dict[str, Any]:
    claim = verdict.claim
    kind = {"formula": claim.formula} if claim.formula else {"of": claim.of, "after": claim.after,
                                                           "printed": claim.printed.text if claim.printed else None}
    return {"id": claim.id, "where": claim.where, **kind, "verdict": verdict.verdict, "value": verdict.value or None,
            "note": verdict.note, "slips": list(verdict.slips), "roots": list(verdict.roots)}


def _said(verdict: Verdict) -> str:
    where = f" ({verdict.claim.where})" if verdict.claim.where else ""
    if verdict.claim.formula:
        return f"{verdict.claim.id}{where}, {visible(verdict.claim.formula)}, is {verdict.verdict}"
    return f"{verdict.claim.id}{where} is printed as {verdict.claim.printed.text}, but it is {verdict.value}"


def _why(verdict: Verdict) -> str:
    """The note, and the slips that would explain a wrong claim."""
    explained = f"explained by: {'; or '.join(verdict.slips[:4])}" if verdict.slips else ""
    return "; ".join(part for part in (verdict.note, explained) if part)


def _row(verdict: Verdict) -> Sequence[str]:
    claim = verdict.claim
    right = "" if verdict.verdict in (RIGHT, UNDECIDED) else verdict.value
    shown = claim.id + (f" after {claim.after}" if claim.after and "after" not in claim.id else "")
    return shown, claim.printed.text if claim.printed else visible(claim.formula), verdict.verdict, right, visible(_why(verdict))
