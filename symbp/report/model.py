"""A document as data: what a report says, without a word about how TeX, HTML or Markdown say it.

Text is plain `str` and comes out as that text in every renderer; mathematics is LaTeX in
`Math`; `Ref("7")` points to the formula that carries the number 7.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from symbp.certify.result import RungResult


@dataclass(frozen=True)
class Math:
    """Inline mathematics, as LaTeX without dollar signs."""

    latex: str


@dataclass(frozen=True)
class Ref:
    """A reference to the formula with this number; prints as "(7)", a link where there is such a formula."""

    number: str


Inline: TypeAlias = str | Math | Ref
Parts: TypeAlias = tuple[Inline, ...]


@dataclass(frozen=True)
class Paragraph:
    """Running text with mathematics in it."""

    kind: ClassVar[str] = "paragraph"
    parts: Parts


@dataclass(frozen=True)
class Formula:
    """A displayed formula; `number` is printed at its side, `note` below it."""

    kind: ClassVar[str] = "formula"
    latex: str
    number: str | None = None
    note: Parts = ()


@dataclass(frozen=True)
class StepRow:
    """One step of a derivation: the equality `before = after` (LaTeX), by `rule`, using `facts`.

    label: the number by which the equality of the chain's start with `after` is quoted, printed at its side; `note`
    stands below it.
    """

    number: str
    rule: str
    before: str
    after: str
    facts: Parts = ()
    note: Parts = ()
    label: str | None = None


@dataclass(frozen=True)
class Steps:
    """The steps of a derivation; a row that goes on from the row above it is printed as a chain."""

    kind: ClassVar[str] = "steps"
    rows: tuple[StepRow, ...]


@dataclass(frozen=True)
class Table:
    """A table; every row has as many cells as the header."""

    kind: ClassVar[str] = "table"
    header: Parts
    rows: tuple[Parts, ...]


@dataclass(frozen=True)
class EvidenceRow:
    """What each rung of the ladder of certainty said of one gradient."""

    gradient: Inline
    rungs: tuple[RungResult, ...]


@dataclass(frozen=True)
class Evidence:
    """How far each gradient was checked; JSON has every figure, the other formats print `evidence_table`."""

    kind: ClassVar[str] = "evidence"
    rows: tuple[EvidenceRow, ...]


@dataclass(frozen=True)
class Listing:
    """Lines of a program, printed as they stand."""

    kind: ClassVar[str] = "listing"
    text: str

    @property
    def lines(self) -> list[str]:
        """Its lines without trailing space, tabs as four spaces."""
        return [line.rstrip().expandtabs(4) for line in self.text.strip("\n").split("\n")]


Item: TypeAlias = Paragraph | Formula | Steps | Table | Evidence | Listing


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it; `level` 1 to 3, subsections follow as sections of a deeper level.

    heading: the title with mathematics in it, where the plain `title` is for outlines.
    """

    title: str
    items: tuple[Item, ...] = ()
    level: int = 1
    heading: Parts = ()

    @property
    def shown(self) -> Parts:
        """The heading, or else the title."""
        return self.heading or (self.title,)


@dataclass(frozen=True)
class Report:
    """A whole document; `meta` (version, date, seeds …) is printed in its order as a small table at the end.

    warning: what the reader must know before anything else, printed right under the title.
    """

    title: str
    subtitle: str | Parts = ""
    sections: tuple[Section, ...] = ()
    meta: dict[str, str] = field(default_factory=dict)
    warning: Parts = ()

    @property
    def subtitle_parts(self) -> Parts:
        """The subtitle; nothing for an empty one."""
        return self.subtitle if isinstance(self.subtitle, tuple) else (self.subtitle,) if self.subtitle.strip() else ()


def formula_numbers(report: Report) -> frozenset[str]:
    """Return the numbers that some formula or step of the report carries, the targets that a `Ref` can have."""
    items = [item for section in report.sections for item in section.items]
    labels = [row.label for item in items if isinstance(item, Steps) for row in item.rows]
    return frozenset(n for n in [*(item.number for item in items if isinstance(item, Formula)), *labels] if n is not None)


def contents_depth(report: Report, most: int = 40) -> int:
    """The deepest level of headings of which a table of contents has at most so many lines; at least 1."""
    levels = [min(max(section.level, 1), 3) for section in report.sections]
    return max((depth for depth in (1, 2, 3) if depth == 1 or sum(level <= depth for level in levels) <= most), default=1)


def chains(rows: tuple[StepRow, ...]) -> list[tuple[StepRow, ...]]:
    """Return the steps in groups, in each of which every step goes on from the result of the one above it."""
    groups: list[list[StepRow]] = []
    for row in rows:
        if groups and groups[-1][-1].after == row.before:
            groups[-1].append(row)
        else:
            groups.append([row])
    return [tuple(group) for group in groups]
