"""Verdicts as a document that can be sent to an author: what is wrong, what is right instead, and the derivation that shows it.

Stage: Audit → Report of `symbp.report`, which TeX, HTML, Markdown and JSON print.  Formulas are numbered through.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from symbp import __version__
from symbp.report.derivation import Counter
from symbp.report.model import Formula, Inline, Item, Listing, Math, Paragraph, Parts, Ref, Section, Table
from symbp.report.model import Report as Document
from symbp.report.text import visible
from symbp.verify.audit import Audit
from symbp.verify.claimfile import Text
from symbp.verify.deciding import SEEDS
from symbp.verify.proof import Proof, prove, subjects
from symbp.verify.quoting import quoted, source_of
from symbp.verify.report import GOOD, MISTAKES, Report, corrected
from symbp.verify.verdict import INHERITED, RIGHT_IF, UNDECIDED, Verdict

MOST_SLIPS, MOST_DIGITS, MOST_VALUES = 6, 60, 40
MEANING = {
    "right": "it stands", RIGHT_IF: "it stands under a convention that is named", "wrong": "a new mistake",
    "last digit off": "it misses by one in the last place, or by what rounding explains", INHERITED: "it follows from an earlier mistake",
    "ill-posed": "shapes do not fit", UNDECIDED: "it could not be judged, and does not count as right"}


def document(audit: Audit, errata: bool = False) -> Document:
    """The document; `errata` leaves out what is right."""
    count, many = Counter(), len(audit.reports) + len(audit.bad) > 1
    shown = [r for r in audit.reports if not (errata and many and r.holds)]
    sections = [*([_overview(audit)] if many else []),
                *(s for r in shown for s in _File(r, count, 2 if many else 1, errata).sections(many)), _how(audit)]
    title = ("Errata" if errata else "Verdicts") if many or not audit.reports else f"{'Errata' if errata else 'Verdicts'}: {shown[0].title}"
    subtitle = shown[0].source if shown and not many else audit.summary
    return Document(title, subtitle, tuple(sections), {"made by": f"symbp {__version__}"}, _warning(audit))


def _warning(audit: Audit) -> Parts:
    return ("These files could not be read: ", "; ".join(audit.bad.values()), ".") if audit.bad else ()


def _overview(audit: Audit) -> Section:
    """A row for each file."""
    rows = [(r.title, r.summary, r.first.claim.id if r.first else "") for r in audit.reports]
    rows += [(path, "could not be read", "") for path in audit.bad]
    return Section("All texts", (Table(("text", "verdicts", "first mistake"), tuple(rows)),))


def _how(audit: Audit) -> Section:
    """What the verdicts mean, and how they come about."""
    used = {v.verdict for r in audit.reports for v in r.verdicts}
    rows = tuple((name, meaning) for name, meaning in MEANING.items() if name in used)
    said = ("Each printed number is calculated from the text's inputs with error bounds, and once more from the digits that the text "
            "prints before it; it claims the interval that rounds to its digits. Both sides of a formula are calculated at "
            f"{len(SEEDS)} random points that obey the facts, for every layer and index. Derivatives come from one rule of "
            "differentiation, applied to the equations that are given; an explanation is a change that makes the claim right, and no "
            "proof of what happened.")
    return Section("How this was judged", (Paragraph((said,)), *([Table(("verdict", "means"), rows)] if rows else [])))


@dataclass
class _File:
    """The sections about one claim file, at a level of headings."""

    report: Report
    count: Counter
    level: int
    errata: bool
    shown: dict[int, str] = field(default_factory=dict)

    def sections(self, many: bool) -> Iterator[Section]:
        """Summary, mistakes, the corrected numbers, all claims, what is assumed, derivations, what is not judged."""
        proofs = [(text, self._proved(text)) for text in self.report.content.networks]
        source: list[Item] = [Paragraph((self.report.source,))] if many and self.report.source else []
        summary = (*source, Paragraph((self.report.summary + ".",)), *map(Paragraph, self._opening()))
        yield Section(self.report.title if many else "Summary", summary, 1)
        yield from self._mistakes()
        yield from self._table("The numbers, corrected", self._numbers())
        yield from self._table("Also to be noted", self._noted())
        if not self.errata:
            yield from self._formulas()
        for text, proof in proofs:
            yield from self._proof(text, proof)
        yield from self._not_judged()

    def _proved(self, text: Text) -> Proof:
        """The equations and derivations of one of the file's networks; the numbers of what shows its claims are kept."""
        about = subjects(text, self.report.verdicts)
        claims = [v.claim for v in self.report.verdicts if not self.errata or v.verdict in MISTAKES]
        proof = prove(text, [about[id(c)] for c in claims if id(c) in about], self.count)
        self.shown |= {claim: proof.numbers[subject] for claim, subject in about.items() if subject in proof.numbers}
        return proof

    def _opening(self) -> Iterator[Parts]:
        """The first mistake, as a formula where it is one, and what hangs on each."""
        first = self.report.first
        if first is not None and isinstance(shown := _short(first), Math):
            yield f"The first mistake: {_name(first)}, ", shown, f", is {first.verdict}."
            yield from ((line,) for line in self.report.opening[1:])
        else:
            yield from ((line,) for line in self.report.opening)

    def _mistakes(self) -> Iterator[Section]:
        """A subsection for each new mistake."""
        wrong = [v for v in self.report.verdicts if v.verdict in MISTAKES]
        if wrong:
            yield Section("What is wrong", (), self.level)
        for verdict in wrong:
            where = f" ({visible(verdict.claim.where)})" if verdict.claim.where else ""
            yield Section(f"{verdict.claim.id}{where}: {verdict.verdict}", tuple(self._mistake(verdict)), self.level + 1)

    def _mistake(self, verdict: Verdict) -> Iterator[Item]:
        """What the text says, what is right, why, what hangs on it, and the slips that would explain it."""
        yield from _says(verdict, self.report)
        by = self._shown_by(verdict)
        if verdict.claim.printed and verdict.value:
            yield Paragraph(("It is ", verdict.value, *((", by ", *by) if by else ()), "."))
        elif verdict.value:
            yield Paragraph(("Right is", *((", by ", *by) if by else ()), ":"))
            yield Formula(verdict.value)
        elif by:
            yield Paragraph(("What is right is shown by ", *by, "."))
        if verdict.note:
            yield Paragraph((_sentence(verdict.note),))
        if hanging := self.report.hanging(verdict):
            yield Paragraph((f"On it hang{'s' * (len(hanging) == 1)} {', '.join(v.claim.id for v in hanging)}.",))
        if verdict.slips:
            slips, more = verdict.slips[:MOST_SLIPS], len(verdict.slips) - MOST_SLIPS
            lead = "A slip that would explain it: " if len(slips) == 1 else "Slips each of which would explain it: "
            yield Paragraph((lead, "; ".join(map(visible, slips)), f"; and {more} more" if more > 0 else "", "."))

    def _numbers(self) -> list[Verdict]:
        """The numbers of a text in which one is wrong; for errata only those that change."""
        numbers = [v for v in self.report.verdicts if v.claim.printed]
        changed = [v for v in numbers if corrected(v)]
        return (changed if self.errata else numbers) if changed or not self.errata else []

    def _noted(self) -> list[Verdict]:
        """Formulas and listings that are neither plainly right nor wrong, and whatever could not be judged."""
        return [v for v in self.report.verdicts if v.verdict == UNDECIDED and not v.claim.printed or
                v.verdict not in (*MISTAKES, "right", UNDECIDED) and not v.claim.printed]

    def _table(self, title: str, verdicts: Sequence[Verdict]) -> Iterator[Section]:
        """A row for each verdict; a column in which nothing stands is left out."""
        if not verdicts:
            return
        header = ("claim", "the text says", "verdict", "right", "by", "why")
        rows = [(_name(v), _short(v), v.verdict, corrected(v) if v.claim.printed else "", _one(self._shown_by(v)), visible(v.note))
                for v in verdicts]
        used = [k for k in range(len(header)) if any(row[k] for row in rows)]
        title = "The numbers" if title.startswith("The numbers") and all(v.verdict in GOOD for v in verdicts) else title
        yield Section(title, (Table(tuple(header[k] for k in used), tuple(tuple(row[k] for k in used) for row in rows)),), self.level)

    def _formulas(self) -> Iterator[Section]:
        """Every formula that stands, each with what shows it."""
        items: list[Item] = []
        for verdict in self.report.verdicts:
            if verdict.claim.printed or verdict.verdict not in GOOD:
                continue
            by = self._shown_by(verdict)
            note = f"; {verdict.note}" if verdict.note else ""
            items += [Paragraph((f"{_name(verdict)}: {verdict.verdict}{note}", *((", by ", *by) if by else ()), ":")), *_quoted(verdict)]
        if items:
            yield Section("What is right", tuple(items), self.level)

    def _shown_by(self, verdict: Verdict) -> Parts:
        """A reference to the formula that shows a claim."""
        number = self.shown.get(id(verdict.claim))
        return (Ref(number),) if number else ()

    def _proof(self, text: Text, proof: Proof) -> Iterator[Section]:
        """What is assumed in one of the file's networks, and the derivations."""
        case = f": {visible(text.title)}" if text is not self.report.content and text.title else ""
        for section in proof.given if self.report.first or not self.errata else ():
            named = {"What is given": "What is assumed"}.get(section.title, section.title)
            values = tuple(_values(text)) if section.title == "What is given" else ()
            yield replace(section, title=named + case, level=self.level, items=(*section.items, *values))
        if proof.derivations:
            said = Paragraph(("Each line follows from the chain rule; the steps are equalities.",))
            yield Section("The derivations" + case, (said,), self.level)
            yield from (replace(section, level=self.level + 1) for section in proof.derivations)

    def _not_judged(self) -> Iterator[Section]:
        """The claims of kinds that no calculation can judge."""
        if self.report.not_judged and not self.errata:
            rows = tuple((u.id + (f" ({u.where})" if u.where else ""), u.kind, u.says) for u in self.report.not_judged)
            yield Section("Not judged", (Table(("claim", "kind", "the text says"), rows),), self.level)


def _values(text: Text) -> Iterator[Item]:
    """The numbers that are given, the optimiser, and what the text calls derivatives."""
    if any(claim.printed for claim in text.claims):
        given = [f"{name} = {_digits(value)}" for name, value in text.values.items() if value.size <= MOST_VALUES]
        yield Paragraph(("Given numbers: ", "; ".join(given), ".")) if given else Paragraph(("Only large arrays are given.",))
    if text.optimizer is not None:
        settings = ", ".join(f"{key} {value}" for key, value in text.optimizer.model_dump(exclude_none=True, exclude_unset=True).items()
                             if key != "type")
        yield Paragraph((f"Updates are those of {text.optimizer.type}" + (f" ({settings})" if settings else "") + ".",))
    if text.names:
        yield Paragraph(("The text's names: ", "; ".join(f"{name} is {of}" for name, of in text.names.items()), "."))


def _digits(value: np.ndarray) -> str:
    """Exact numbers as a text prints them: decimals where they end, else fractions."""
    if isinstance(value, np.ndarray) and value.ndim:
        return f"[{', '.join(map(_digits, value))}]"
    number = value.item() if isinstance(value, np.ndarray) else value
    return f"{float(number):.12g}" if Fraction(f"{float(number):.12g}") == number else str(number)


def _says(verdict: Verdict, report: Report) -> Iterator[Item]:
    """What the text says, as a quotation."""
    claim = verdict.claim
    if claim.printed:
        of = f"{claim.of} = " if claim.of else ""
        after = f" after {claim.after} update{'s' * (claim.after != 1)}" if claim.after else ""
        yield Paragraph((f"The text prints {visible(of)}{claim.printed.text[:MOST_DIGITS]}{after}.",))
    elif claim.code is not None:
        source = source_of(claim.code, report.content.folder)
        yield Paragraph((f"The text's code, {visible(claim.stated)}" + (":" if source else "."),))
        yield from ([Listing(source)] if source else [])
    else:
        yield Paragraph(("The text says:",))
        yield from _quoted(verdict)


def _quoted(verdict: Verdict) -> Iterator[Item]:
    shown = _short(verdict)
    yield Formula(shown.latex) if isinstance(shown, Math) else Paragraph((shown,))


def _short(verdict: Verdict) -> Inline:
    claim = verdict.claim
    if claim.printed:
        return claim.printed.text
    return quoted(claim.formula) if claim.formula else visible(claim.stated or claim.of)


def _name(verdict: Verdict) -> str:
    return verdict.claim.id + (f" ({visible(verdict.claim.where)})" if verdict.claim.where else "")


def _one(parts: Parts) -> Inline:
    return parts[0] if parts else ""


def _sentence(note: str) -> str:
    """A note as a sentence; a name at its start keeps its letters."""
    text = visible(note).strip().rstrip(".")
    first = text.split(" ")[0]
    return (text[:1].upper() + text[1:] if first.isalpha() and first.islower() and len(first) > 1 else text) + "."
