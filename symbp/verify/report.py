"""The verdicts on one claim file: counts, the first mistake, what hangs on it, and the same as JSON."""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symbp.report.text import visible
from symbp.verify.claimfile import Text, Unjudged, load
from symbp.verify.verdict import ILL_POSED, INHERITED, RIGHT, RIGHT_IF, WRONG, Verdict, verdicts

GOOD, MISTAKES = (RIGHT, RIGHT_IF), (WRONG, ILL_POSED)
MOST_SLIPS = 4


@dataclass(frozen=True)
class Report:
    """The verdicts on one claim file, in the order of the text."""

    path: str
    content: Text
    verdicts: tuple[Verdict, ...]

    @property
    def title(self) -> str:
        """The text's title, or the file's name."""
        return visible(self.content.title).strip() or Path(self.path).name

    @property
    def source(self) -> str:
        """Where the text is."""
        return visible(self.content.source).strip()

    @property
    def not_judged(self) -> tuple[Unjudged, ...]:
        """What no calculation can judge."""
        return tuple(u for text in self.content.networks for u in text.not_judged)

    @property
    def holds(self) -> bool:
        """Whether every claim was judged and is right, if only under a convention that is named."""
        return all(v.verdict in GOOD for v in self.verdicts)

    @property
    def summary(self) -> str:
        """How many claims got which verdict.

        >>> verify("examples/claims/pub-deepml-134-ce.toml").summary
        '2 claims: 1 right, 1 wrong'
        """
        counts = Counter(v.verdict for v in self.verdicts)
        parts = [f"{n} {what}" for what, n in counts.most_common()]
        parts += [f"{len(self.not_judged)} more of kinds that are not judged"] if self.not_judged else []
        return f"{len(self.verdicts)} claim{'s' * (len(self.verdicts) != 1)}: " + ", ".join(parts)

    @property
    def first(self) -> Verdict | None:
        """The first new mistake."""
        return next((v for v in self.verdicts if v.verdict in MISTAKES), None)

    @property
    def opening(self) -> list[str]:
        """The first mistake and what hangs on each, in sentences."""
        lines = [f"The first mistake: {said(self.first)}."] if self.first else []
        for wrong in (v for v in self.verdicts if v.verdict == WRONG):
            hanging = self.hanging(wrong)
            if hanging:
                lines.append(f"On {wrong.claim.id} hang{'s' * (len(hanging) == 1)} {', '.join(v.claim.id for v in hanging)}.")
        return lines

    def hanging(self, wrong: Verdict) -> list[Verdict]:
        """The claims that inherit a mistake."""
        return [v for v in self.verdicts if v.verdict == INHERITED and wrong.claim.id in v.roots]

    def to_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {"file": self.path, "title": self.title, "source": self.source, "holds": self.holds, "summary": self.summary,
                "first_mistake": self.first.claim.id if self.first else None, "verdicts": [_as_json(v) for v in self.verdicts],
                "not_judged": [u.model_dump() for u in self.not_judged]}


def verify(path: str | Path, run_code: bool = False) -> Report:
    """Judge every claim of a claim file.

    run_code: whether code that it names or holds is run, in a process of its own (`symbp.verify.sandbox.WARNING`).

    Raises `NetworkError`, one paragraph, where the file as a whole cannot be read.

    >>> report = verify("examples/claims/seed-002-4.4.toml")
    >>> report.first.claim.id, report.first.claim.printed.text, report.first.value
    ('a2[1]', '0.6627', '0.6615')
    """
    text = load(path)
    return Report(visible(str(path)), text, tuple(verdicts(text, run_code)))


def why(verdict: Verdict) -> str:
    """The note, and the slips that would explain a wrong claim."""
    slips = verdict.slips[:MOST_SLIPS]
    explained = f"explained by: {'; or '.join(slips)}" if slips else ""
    return visible("; ".join(part for part in (verdict.note, explained) if part))


def corrected(verdict: Verdict) -> str:
    """The right value or formula, where it is not the printed one."""
    return "" if verdict.verdict in (*GOOD, "undecided") else verdict.value


def claimed(verdict: Verdict) -> str:
    """What the text says: the digits, or the formula, or the name of code."""
    claim = verdict.claim
    return claim.printed.text if claim.printed else visible(claim.stated)


def said(verdict: Verdict) -> str:
    """A mistake in a sentence.

    >>> said(verify("examples/claims/pub-deepml-134-ce.toml").first)
    'loss (reasoning) is printed as 0.4463, but it is 0.4338'
    """
    where = f" ({verdict.claim.where})" if verdict.claim.where else ""
    if not verdict.claim.printed or not verdict.value:
        return f"{verdict.claim.id}{where}, {claimed(verdict)}, is {verdict.verdict}"
    return f"{verdict.claim.id}{where} is printed as {verdict.claim.printed.text}, but it is {verdict.value}"


def _as_json(verdict: Verdict) -> dict[str, Any]:
    claim = verdict.claim
    number = {"of": claim.of, "after": claim.after, "printed": claim.printed.text if claim.printed else None}
    kind = {"formula": claim.formula} if claim.formula else {"code": claim.stated} if claim.code else number
    return {"id": claim.id, "where": claim.where, **kind, "verdict": verdict.verdict, "value": verdict.value or None,
            "note": verdict.note, "slips": list(verdict.slips), "roots": list(verdict.roots)}
