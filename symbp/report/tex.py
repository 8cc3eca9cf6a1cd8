"""Report → a LaTeX document, for pdflatex with `texlive-latex-recommended`, `texlive-pictures` and `lmodern`.

Formulas are set flush left, steps as a numbered rule with its equality below; what is too wide for
a line is broken by `symbp.report.layout`, and a row that cannot be broken is shrunk to the line.
Characters without a glyph in Latin Modern are printed as code points (see `texchars`).
"""
from __future__ import annotations

from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING

from symbp.report.evidence import evidence_table
from symbp.report.layout import Row, chain_rows, formula_rows
from symbp.report.measure import text_width, width
from symbp.report.model import (
    Evidence,
    Formula,
    Inline,
    Item,
    Listing,
    Math,
    Paragraph,
    Parts,
    Ref,
    Report,
    Section,
    StepRow,
    Steps,
    Table,
    chains,
    contents_depth,
    formula_numbers,
)
from symbp.report.texchars import pdf_string, tex_math, tex_text
from symbp.report.text import anchor, visible_line

if TYPE_CHECKING:
    import pylatex

LINE = 38.5
"""Width of a displayed line in em, beside the indent."""

PAGE = 41.5
"""Width of running text in em."""

_CONTENTS_FROM = 8
_PACKAGES = ("amsmath", "amssymb", "mathtools", "booktabs", "longtable", "array", "graphicx")
_PREAMBLE = r"""
\setlength{\mathindent}{1.8em}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.55\baselineskip plus 2pt}
\setlength{\emergencystretch}{3em}
\allowdisplaybreaks
\AtBeginDocument{\setlength{\abovedisplayskip}{5pt plus 2pt minus 1pt}\setlength{\belowdisplayskip}{7pt plus 3pt minus 2pt}}
\AtBeginDocument{\setlength{\abovedisplayshortskip}{\abovedisplayskip}\setlength{\belowdisplayshortskip}{\belowdisplayskip}}
\renewcommand{\arraystretch}{1.2}
% a display that starts a paragraph leaves no empty line above it
\newcommand{\nogap}{\ifvmode\begingroup\parskip=0pt\nointerlineskip\noindent\endgroup\fi}
\AddToHook{env/equation/before}{\nogap}
\AddToHook{env/equation*/before}{\nogap}
\AddToHook{env/align/before}{\nogap}
\AddToHook{env/align*/before}{\nogap}
% a heading stands on the page of what it is about
\makeatletter
\newcommand{\room}{\if@nobreak\else\par\penalty0\relax
  \ifdim\pagegoal<\maxdimen\ifdim\dimexpr\pagegoal-\pagetotal\relax<8\baselineskip\newpage\fi\fi\fi}
\makeatother
\AddToHook{cmd/section/before}{\room}
\AddToHook{cmd/subsection/before}{\room}
\AddToHook{cmd/subsubsection/before}{\room}
% a character that this font does not have, as its code point
\newcommand{\codepoint}[1]{{\scriptsize\textsf{[U+#1]}}\allowbreak}
% the heading of a step: number, rule, what it uses
\newcommand{\step}[3]{\noindent\textbf{#1}\enspace\textit{#2}\quad{\small #3}}
% what the reader must know first
\newcommand{\warning}[1]{\noindent\fbox{\parbox{\dimexpr\linewidth-2\fboxsep-2\fboxrule}{\textbf{Warning.} #1}}\par}
% a note below a formula
\newcommand{\formulanote}[1]{\hspace*{\mathindent}\parbox[t]{\dimexpr\linewidth-\mathindent}{\small\raggedright #1}}
% a row that cannot be broken is shrunk to the line where it is wider
\newsavebox{\rowbox}
\newcommand{\fitrow}[1]{\sbox{\rowbox}{$\displaystyle #1$}%
  \ifdim\wd\rowbox>\dimexpr\linewidth-5em\relax\resizebox{\dimexpr\linewidth-5em\relax}{!}{\usebox{\rowbox}}\else\usebox{\rowbox}\fi}
"""


def to_tex(report: Report) -> str:
    """Return the report as a complete LaTeX document."""
    from pylatex import NoEscape

    document = _document(report)
    known = formula_numbers(report)
    document.append(NoEscape(_title(report, known)))
    if len(report.sections) >= _CONTENTS_FROM:
        document.append(NoEscape(f"\\setcounter{{tocdepth}}{{{contents_depth(report)}}}\n\\tableofcontents\n"))
    for section in report.sections:
        document.append(_section(section, known))
    if report.meta:
        rows = tuple((key, value) for key, value in report.meta.items())
        document.append(_section(Section("About this document", (Table((), rows),)), known, numbered=False))
    return "\n".join(line.rstrip() for line in document.dumps().split("\n")) + "\n"


def _document(report: Report) -> pylatex.Document:
    """An empty document with its packages and macros."""
    from pylatex import Document, NoEscape, Package

    document = Document(documentclass="article", document_options=["11pt", "a4paper", "fleqn"], fontenc="T1", inputenc="utf8",
                        lmodern=True, page_numbers=False, microtype=True, indent=True,
                        geometry_options=["margin=2.4cm"])
    document.packages |= [Package(name) for name in _PACKAGES]
    title = "pdftitle={" + pdf_string(report.title) + "}"
    document.packages.append(Package("hyperref", options=[NoEscape(o) for o in ("unicode", "hidelinks", title)]))
    document.preamble.append(NoEscape(_PREAMBLE))
    return document


def _title(report: Report, known: frozenset[str]) -> str:
    subtitle = rf"\par\vspace{{0.3em}}{{\large {_inline(report.subtitle_parts, known)}\par}}" if report.subtitle_parts else ""
    warning = rf"\warning{{{_inline(report.warning, known)}}}" + "\n\n" if report.warning else ""
    return (rf"\pagestyle{{plain}}{{\raggedright{{\LARGE\bfseries {tex_text(report.title)}\par}}{subtitle}"
            "}\n\\vspace{0.4em}\\hrule\\vspace{1em}\n" + warning)


def _section(section: Section, known: frozenset[str], numbered: bool = True) -> pylatex.section.Section:
    from pylatex import NoEscape, Subsection, Subsubsection
    from pylatex import Section as TopSection

    kind = (TopSection, Subsection, Subsubsection)[min(max(section.level, 1), 3) - 1]
    shown, outline = _inline(section.shown, known), pdf_string(section.title)
    heading = shown if shown == outline else rf"\texorpdfstring{{{shown}}}{{{outline}}}"
    made = kind(NoEscape(heading), numbering=numbered, label=False)
    for item, following in zip_longest(section.items, section.items[1:]):
        apart = "\n" if _leads(item) and isinstance(following, Formula) else "\n\n"
        made.append(NoEscape(_item(item, known) + apart))
    return made


def _leads(item: Item) -> bool:
    """Whether a paragraph leads to what stands below it."""
    return isinstance(item, Paragraph) and bool(item.parts) and isinstance(item.parts[-1], str) and item.parts[-1].rstrip().endswith(":")


def _item(item: Item, known: frozenset[str]) -> str:
    """One item of a section."""
    if isinstance(item, Paragraph):
        return _inline(item.parts, known) + (r"\nopagebreak" if _leads(item) else "")
    if isinstance(item, Formula):
        return _formula(item, known)
    if isinstance(item, Steps):
        return "\n\n".join(_chain(rows, known) for rows in chains(item.rows))
    if isinstance(item, Listing):
        return _listing(item)
    return _table(evidence_table(item) if isinstance(item, Evidence) else item, known)


def _listing(item: Listing) -> str:
    """Lines in typewriter; what is too long for the page goes on, further in, on the next."""
    lines = [r"\mbox{}" + "~" * (len(line) - len(line.lstrip())) + tex_text(visible_line(line.lstrip())) for line in item.lines]
    apart = "\\par\\nointerlineskip\\vspace{1pt}\\hangindent=6em\n"
    return rf"{{\footnotesize\ttfamily\raggedright\hangindent=6em {apart.join(lines)}\par}}"


def _inline(parts: Parts, known: frozenset[str], display: bool = False) -> str:
    return "".join(map(partial(_part, known=known, display=display), parts))


def _part(part: Inline, known: frozenset[str], display: bool = False) -> str:
    if isinstance(part, Math):
        return ("$\\displaystyle " if display else "$") + f"{tex_math(part.latex)}$"
    if isinstance(part, Ref):
        text = f"({tex_text(part.number)})"
        return rf"\hyperref[{anchor('eq', part.number)}]{{{text}}}" if part.number in known else text
    return tex_text(part)


def _row(row: Row) -> str:
    """A row of a display, shrunk by TeX where the estimate says that it is too wide."""
    latex = ("{}" if row.latex[:1] in "+-" and row.indent else "") + tex_math(row.latex)
    latex = rf"\fitrow{{{latex}}}" if row.wide else latex
    indent = {0: "", 1: r"\quad ", 2: r"\qquad "}.get(row.indent, rf"\hspace{{{row.indent}em}}")
    return f"  {tex_math(row.left)} &{indent}{latex}"


def _formula(item: Formula, known: frozenset[str]) -> str:
    number, tag = item.number, _tag(item.number)
    rows = formula_rows(item.latex, LINE - _tag_width(number))
    star = "*" if number is None else ""
    note = f"\n\\formulanote{{{_inline(item.note, known)}}}" if item.note else ""
    if len(rows) == 1 and not rows[0].left and not rows[0].wide:
        return f"\\begin{{equation{star}}}{tag}\n  {tex_math(rows[0].latex)}\n\\end{{equation{star}}}" + note
    joint = " \\\\\n" if number is None else " \\notag\\\\\n"
    return f"\\begin{{align{star}}}\n{joint.join(map(_row, rows))}{tag}\n\\end{{align{star}}}" + note


def _tag(number: str | None) -> str:
    """What numbers a row of a display."""
    return "" if number is None else rf"\tag{{{tex_text(number)}}}\label{{{anchor('eq', number)}}}"


def _tag_width(number: str | None) -> float:
    return 0 if number is None else 2.5 + text_width(number)


def _chain(steps: tuple[StepRow, ...], known: frozenset[str]) -> str:
    """Steps that go on from each other, as one alignment with the rules and notes between its rows."""
    room = LINE - max(_tag_width(step.label) for step in steps)
    display = chain_rows(steps[0].before, ["= " + step.after for step in steps], room)
    text, note = "", ""
    for step, rows in zip(steps, display, strict=True):
        heading = note + _heading(step, known)
        text += f" \\\\\n\\intertext{{{heading}}}\n" if text else f"{heading}\n\\begin{{align*}}\n"
        text += " \\\\\n".join(map(_row, rows)) + _tag(step.label)
        note = rf"\formulanote{{{_inline(step.note, known, display=True)}}}\endgraf " if step.note else ""
    return text + "\n\\end{align*}" + (f"\n{note}" if note else "")


def _heading(step: StepRow, known: frozenset[str]) -> str:
    """Number and rule of a step, and the facts that it uses."""
    facts = "; ".join(_part(fact, known) for fact in step.facts)
    return rf"\step{{{tex_text(step.number)}}}{{{tex_text(step.rule)}}}{{{f'using {facts}.' if facts else ''}}}"


def _cell_width(cell: Inline) -> float:
    if isinstance(cell, Math):
        return width(cell.latex)
    return text_width(f"({cell.number})" if isinstance(cell, Ref) else cell)


def _columns(table: Table) -> str:
    """The column specification: natural widths where the table fits, else the wide columns share what is left.

    No column gets narrower than its longest word.
    """
    rows = [row for row in (table.header, *table.rows) if row]
    columns = list(zip(*rows, strict=True))
    needs = [max(map(_cell_width, column)) for column in columns]
    room = PAGE - 1.2 * len(needs)
    if sum(needs) <= room:
        return "l" * len(needs)
    floors = [need if need <= room / len(needs) else min(need, max(map(_word_width, column)))
              for need, column in zip(needs, columns, strict=True)]
    share = max(room - sum(floors), 0) / (sum(needs) - sum(floors) or 1)
    return "".join("l" if need == floor else rf">{{\raggedright\arraybackslash}}p{{{floor + share * (need - floor):.1f}em}}"
                   for need, floor in zip(needs, floors, strict=True))


def _word_width(cell: Inline) -> float:
    """The width of the longest word of a cell, in bold; mathematics does not break."""
    return max((1.15 * text_width(word) for word in cell.split()), default=0) if isinstance(cell, str) else _cell_width(cell)


def _table(table: Table, known: frozenset[str]) -> str:
    """A table that breaks across pages and repeats its header."""
    body = [" & ".join(_part(cell, known) for cell in row) + r" \\" for row in table.rows]
    if not (table.header or body):
        return ""
    head = " & ".join(rf"\textbf{{{_part(cell, known)}}}" for cell in table.header)
    head = f"{head} \\\\\n\\midrule\n" if table.header else ""
    return "\n".join([rf"\begin{{longtable}}[l]{{@{{}}{_columns(table)}@{{}}}}", r"\toprule", head + r"\endhead", *body, r"\bottomrule",
                      r"\end{longtable}"])
