r"""Report → Markdown with `$…$` and `$$…$$`, as GitHub, Jupyter, VS Code and pandoc print it.

GitHub lets Markdown read a formula before its mathematics is found: `\,`, `\{` and `\\` lose their
backslash, `_` and `*` may become emphasis, `[…](…)` a link.  So formulas are written with named
commands (`\thinspace`, `\lbrace`, `\cr`) and a space before each `_`.  What has no such name goes into
a fence (```` ```math ````), which GitHub and GitLab pass on as it is.
"""
from __future__ import annotations

import re
from functools import partial

from symbp.report.evidence import evidence_table
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
    formula_numbers,
)
from symbp.report.text import visible, visible_line

_NAMED = {r"\,": r"\thinspace", r"\:": r"\medspace", r"\;": r"\thickspace", r"\!": r"\negthinspace", r"\{": r"\lbrace", r"\}": r"\rbrace",
          r"\|": r"\Vert", r"\\": r"\cr", "<": r"\lt", ">": r"\gt", "*": r"\ast", "|": r"\vert", "~": r"\ ", "[": r"\lbrack",
          "]": r"\rbrack", "_": " _"}
_TOKEN = re.compile(r"\\sqrt\s*\[[^\]]*\]|\\[A-Za-z]+\*?|\\.|.", re.DOTALL)
_ESCAPED = re.compile(r"([\\`*_{}\[\]<>#|~^]|:(?=[\w+-]+:))")
_BLOCK_START = re.compile(r"^(\d*)([-+=.)])")


def to_markdown(report: Report) -> str:
    """Return the report as Markdown."""
    known = formula_numbers(report)
    blocks = [f"# {_text(report.title)}"]
    blocks += [_subtitle(report.subtitle_parts, known)] if report.subtitle_parts else []
    blocks += ["> **Warning.** " + _inline(report.warning, known)] if report.warning else []
    for section in report.sections:
        blocks += _section(section, known)
    if report.meta:
        rows = tuple((key, value) for key, value in report.meta.items())
        blocks += ["## About this document", _table(Table(("", ""), rows), known)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def portable_math(latex: str) -> str:
    r"""Return LaTeX that Markdown leaves alone, on one line.

    >>> print(portable_math(r"\left\{x_i\,y\right\}"))
    \left\lbrace x _i\thinspace y\right\rbrace
    """
    named = "".join(_portable(token) for token in _TOKEN.findall(" ".join(latex.split())))
    return re.sub(" +", " ", named).strip()


def _portable(token: str) -> str:
    if token.startswith(r"\sqrt") and "[" in token:
        return token
    name = _NAMED.get(token, token)
    return name + " " if name != token and name.startswith("\\") and name != r"\ " else name


def _is_portable(latex: str) -> bool:
    """Whether no backslash before punctuation is left in it."""
    return not re.search(r"\\[^A-Za-z\s]|[`$]", latex)


def _text(text: str) -> str:
    """Text as Markdown that prints that text."""
    escaped = _ESCAPED.sub(r"\\\1", visible(text).replace("&", "\0"))
    return escaped.replace("\0", "&amp;").replace("$", "<span>$</span>")


def _inline(parts: Parts, known: frozenset[str]) -> str:
    return _BLOCK_START.sub(r"\1\\\2", "".join(map(partial(_part, known=known), parts)).strip())


def _part(part: Inline, known: frozenset[str]) -> str:
    if isinstance(part, Math):
        latex = portable_math(visible(part.latex))
        return f"${latex}$" if _is_portable(latex) else f"$`{visible(part.latex)}`$"
    return _text(f"({part.number})" if isinstance(part, Ref) else part)


def _display(latex: str, number: str | None = None) -> str:
    whole = " ".join(visible(latex).split())
    if number is not None and re.fullmatch(r"[\w.,' -]+", number, re.ASCII) and "_" not in number:
        whole += rf" \tag{{{number}}}"
    elif number is not None:
        return f"{_display(latex)}\n\n({_text(number)})"
    portable = portable_math(whole)
    if not _is_portable(portable):
        return f"```math\n{whole}\n```"
    return f"$$\n{'{}' if portable[:1] in '+-' else ''}{portable}\n$$"


def _section(section: Section, known: frozenset[str]) -> list[str]:
    depth = "#" * (min(max(section.level, 1), 3) + 1)
    return [f"{depth} {_inline(section.shown, known)}", *(_item(item, known) for item in section.items)]


def _item(item: Item, known: frozenset[str]) -> str:
    if isinstance(item, Paragraph):
        return _inline(item.parts, known)
    if isinstance(item, Formula):
        note = "\n\n" + _inline(item.note, known) if item.note else ""
        return _display(item.latex, item.number) + note
    if isinstance(item, Steps):
        return "\n\n".join(_chain(rows, known) for rows in chains(item.rows))
    if isinstance(item, Listing):
        return _listing(item)
    return _table(evidence_table(item) if isinstance(item, Evidence) else item, known)


def _listing(item: Listing) -> str:
    """A fence that is longer than any in the lines."""
    text = "\n".join(visible_line(line) for line in item.lines)
    fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}"


def _subtitle(parts: Parts, known: frozenset[str]) -> str:
    """Text in italics; with mathematics in it, on which renderers would trip inside of asterisks, upright."""
    return _inline(parts, known) if any(isinstance(p, Math) for p in parts) else "*" + "".join(_part(p, known) for p in parts).strip() + "*"


def _chain(steps: tuple[StepRow, ...], known: frozenset[str]) -> str:
    blocks = []
    for i, step in enumerate(steps):
        facts = "; ".join(_part(fact, known) for fact in step.facts)
        blocks.append(f"**{_text(step.number)}** *{_text(step.rule)}*" + (f" using {facts}." if facts else ""))
        blocks.append(_display(("" if i else step.before) + " = " + step.after, step.label))
        blocks += [_inline(step.note, known)] if step.note else []
    return "\n\n".join(blocks)


def _table(table: Table, known: frozenset[str]) -> str:
    columns = len(table.header) or (len(table.rows[0]) if table.rows else 0)
    lines = [table.header or ("",) * columns, *table.rows]
    cells = ["| " + " | ".join(_part(cell, known) for cell in row) + " |" for row in lines]
    return "\n".join([cells[0], "|" + " --- |" * columns, *cells[1:]]) if columns else ""
