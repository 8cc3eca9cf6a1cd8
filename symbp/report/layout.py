"""Where a long formula is broken: before relations first, then before plus and minus, then before other operations.

Input: LaTeX and a width in em; output: rows, which TeX sets as an `align` and HTML as a grid of
two columns.  Where nothing else helps, a wide `\\left(…\\right)` becomes `\\Bigl(…\\Bigr)`, inside
which lines may break.  A row that is still too wide is marked, for the renderer to shrink.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from symbp.report.measure import Atom, atoms, width

_SUMMING = ("+", "-", r"\pm", r"\mp")
_INDENT = 2
_LEFT_SHARE = 0.35


@dataclass(frozen=True)
class Row:
    """A line of a display: what stands left of the alignment, the indent in em and what stands right of it.

    `wide` says that the row is wider than the room for it and could not be broken.
    """

    left: str
    indent: int
    latex: str
    wide: bool = False


def formula_rows(latex: str, limit: float) -> tuple[Row, ...]:
    """Return a formula in rows of at most `limit` em; one row, unchanged, where it fits."""
    latex = latex.strip()
    pieces = atoms(latex)
    if _total(pieces) <= limit:
        return (Row("", 0, latex),)
    relation = _first_relation(pieces)
    if relation is None:
        return _rows(latex, limit, 0)
    return chain_rows(_source(pieces[:relation]), [_source(pieces[relation:])], limit)[0]


def chain_rows(before: str, rights: Sequence[str], limit: float) -> tuple[tuple[Row, ...], ...]:
    """Return a chain of equalities in rows, those of each right side (which starts with its relation) together.

    A short left side stands before the first relation; a long one has rows of its own.

    >>> [row.latex for rows in chain_rows("y", ["= a + b", "= c"], 20) for row in rows]
    ['= a + b', '= c']
    """
    room = limit - width(before)
    beside = [_rows(right, room, 0) for right in rights]
    if room >= (1 - _LEFT_SHARE) * limit and not any(row.wide for rows in beside for row in rows) or not before:
        first, *rest = beside
        return ((Row(before, 0, first[0].latex, first[0].wide), *first[1:]), *rest)
    first, *rest = [_rows(right, limit - 1, 1) for right in rights]
    return (_rows(before, limit, 0) + first, *rest)


def _rows(latex: str, limit: float, indent: int) -> tuple[Row, ...]:
    """One side of an equality in rows; those after the first are indented further."""
    pieces = atoms(latex.strip())
    found = [_source(pieces)] if _total(pieces) <= limit else _fit(pieces, limit - _INDENT)
    return tuple(Row("", indent + _INDENT * (i > 0), row, _INDENT * (i > 0) + width(row) > limit) for i, row in enumerate(found))


def _total(pieces: list[Atom]) -> float:
    return sum(piece.width for piece in pieces)


def _source(pieces: list[Atom]) -> str:
    return "".join(piece.source for piece in pieces).strip()


def _depths(pieces: list[Atom]) -> list[int]:
    """How many brackets are open before each atom."""
    depth, found = 0, []
    for piece in pieces:
        depth -= piece.kind == "close"
        found.append(depth)
        depth += piece.kind == "open"
    return found


def _first_relation(pieces: list[Atom]) -> int | None:
    depths = _depths(pieces)
    return next((i for i, piece in enumerate(pieces) if piece.kind == "rel" and depths[i] == 0 and i), None)


def _is_sum(piece: Atom) -> bool:
    return piece.kind == "bin" and piece.source.strip() in _SUMMING


_RULES: tuple[Callable[[Atom, int], bool], ...] = (
    lambda piece, depth: depth <= 0 and (piece.kind == "rel" or _is_sum(piece)),
    lambda piece, depth: depth <= 0 and piece.kind == "bin",
    lambda piece, depth: _is_sum(piece),
    lambda piece, depth: piece.kind in ("op", "open", "bin") or piece.group is not None,
)


def _split(pieces: list[Atom], rule: Callable[[Atom, int], bool]) -> list[list[Atom]]:
    """The formula cut before every atom that the rule names."""
    depths, parts = _depths(pieces), [[]]
    for piece, depth in zip(pieces, depths, strict=True):
        if _may_end(parts[-1]) and rule(piece, depth):
            parts.append([])
        parts[-1].append(piece)
    return parts


def _may_end(line: list[Atom]) -> bool:
    """Whether a line may end here: not when empty, nor right after an operation, a sign or an opening bracket."""
    last = next((piece for piece in reversed(line) if piece.kind != "space"), None)
    return last is not None and last.kind not in ("rel", "bin", "op", "open") and last.source.strip() not in _SUMMING


def _pack(parts: list[list[Atom]], limit: float) -> list[list[Atom]]:
    """Parts joined into as few lines as fit."""
    lines: list[list[Atom]] = [[]]
    for part in parts:
        if lines[-1] and _total(lines[-1]) + _total(part) > limit:
            lines.append([])
        lines[-1].extend(part)
    return lines


def _fit(pieces: list[Atom], limit: float) -> list[str]:
    """The formula in rows of at most `limit` em, as far as it can be broken."""
    lines = [pieces]
    for rule in _RULES:
        lines = [new for line in lines for new in (_pack(_split(line, rule), limit) if _total(line) > limit else [line])]
    rows = []
    for line in _pack(lines, limit):
        opened = _open_widest(line) if _total(line) > limit else None
        rows.extend([_source(line)] if opened is None else _fit(opened, limit))
    return rows


def _open_widest(pieces: list[Atom]) -> list[Atom] | None:
    """The same with the widest `\\left…\\right` replaced by brackets of fixed size; None where there is none."""
    fenced = [i for i, piece in enumerate(pieces) if piece.group is not None]
    if not fenced:
        return None
    at = max(fenced, key=lambda i: pieces[i].width)
    opening, inner, closing = pieces[at].group or ("", "", "")
    size = "bigg" if r"\frac" in inner or r"\sum" in inner else "Big"
    return [*pieces[:at], Atom(f"\\{size}l{opening}", "open", 0.6), *atoms(inner),
            Atom(f"\\{size}r{closing}", "close", 0.6), *pieces[at + 1:]]
