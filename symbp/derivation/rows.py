"""The cases of a cotangent: a line for each range of rows of a recurrence, in plain indices; and joining them again.

Stage: what writes a cotangent → cases; derived lines → fewer lines where one formula holds on neighbouring rows.
"""
from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import sympy as sp
from sympy.core.sympify import _sympify

from symbp.derivation.lines import Line
from symbp.language.index import Index, substitute
from symbp.language.program import Program
from symbp.language.tensor import AXIS0, Access
from symbp.language.wellformed import row_axes
from symbp.passes.closed import Writer, at
from symbp.passes.unroll_recurrence import Case, unroll_recurrence

LETTERS = "hwrsqvm"
LARGE = 10**6


class Rows:
    """Finds the cases of a program's cotangents."""

    def __init__(self, program: Program, writers: Mapping[str, tuple[Writer, ...]]) -> None:
        self.program, self.writers, self.row_axes = program, writers, row_axes(program)

    def cases(self, bar: str, inline: Collection[str]) -> list[Case]:
        """The closed forms of a cotangent with the tensors in `inline` substituted; contributions where there are none."""
        first = Access(bar, *self.plain(bar))
        if any(at(w, first) is None for w in self.writers.get(bar, ())):
            return [Case(w.target, w.right, ()) for w in self.writers[bar]]
        return unroll_recurrence(self._all_rows(first), inline, self.writers, self.program.size_facts)

    def plain(self, bar: str) -> tuple[Index, ...]:
        """Plain indices for a tensor: those that its writers use, and new letters where they are compound or data."""
        tensor = self.program.tensor(bar)
        targets = [w.target for w in self.writers.get(bar, ())]
        plain = next((t.indices for t in targets if _is_plain(t) and self._covers(t)), None)
        if plain is not None:
            return plain
        letters = (c for c in LETTERS if c not in {i.name for i in self.program.indices})
        found: list[Index] = []
        for axis, (extent, origin) in enumerate(zip(tensor.shape, tensor.origin)):
            used = [_only_index(t.indices[axis]) for t in targets]
            name = next((i.name for i in used if i is not None and i.name not in {f.name for f in found}), None)
            extent = extent.xreplace({AXIS0: found[0]} if found else {})
            found.append(Index(name or next(letters, f"i_{axis}"), extent, origin))
        return tuple(found)

    def _covers(self, target: Access) -> bool:
        """Whether plain indices run over whole axes; over the rows of a recurrence a loop runs as far as it does."""
        tensor, first = self.program.tensor(target.name), int((target.name, 0) in self.row_axes)
        found = zip(target.indices, tensor.extents(target), tensor.origin)
        return all(sp.expand(i.extent - e) == 0 and i.start == o for i, e, o in [*found][first:])

    def _all_rows(self, access: Access) -> Access:
        """The access with its row index running over the whole axis, not over one loop's part of it."""
        if not access.indices or (access.name, 0) not in self.row_axes:
            return access
        tensor, row = self.program.tensor(access.name), access.indices[0]
        return substitute(access, {row: Index(row.name, tensor.shape[0], tensor.origin[0])})


def _only_index(position: sp.Expr) -> Index | None:
    """The index of a position that has just one, and no data."""
    found = position.atoms(Index)
    return next(iter(found)) if len(found) == 1 and not position.has(Access) else None


def _is_plain(access: Access) -> bool:
    return all(isinstance(p, Index) for p in access.indices) and len(set(access.indices)) == len(access.indices)


def merged(lines: list[Line]) -> list[Line]:
    """Join a single row to a range of rows next to it where the same formula holds; the last rows come first."""
    lines = sorted(lines, key=_last_row, reverse=True)
    for line in [x for x in lines if _row_index(x) is not None]:
        for single in [x for x in lines if x.target.indices and _row_index(x) is None]:
            joined = _joined(line, single)
            if joined is not None:
                return merged([joined if x is line else x for x in lines if x is not single])
    return lines


def _last_row(line: Line) -> int:
    """The last row that a line is about, with large sizes: L before L − 1 before 1."""
    first = line.target.indices[0] if line.target.indices else sp.S.Zero
    last = _sympify(first.last if isinstance(first, Index) else first)
    value = last.xreplace({s: sp.Integer(LARGE) for s in last.free_symbols})
    return int(value) if value.is_Integer else 0


def _row_index(line: Line) -> Index | None:
    first = line.target.indices[0] if line.target.indices else None
    return first if isinstance(first, Index) else None


def _joined(line: Line, single: Line) -> Line | None:
    """The line over one more row, where its formula at that row is the single row's."""
    index, value = _row_index(line), single.target.indices[0]
    ends = {sp.expand(index.last + 1): index.start, sp.expand(index.start - 1): value}
    if sp.expand(value) not in ends:
        return None
    if any(substitute(a, {index: value}) != b for a, b in ((line.target, single.target), (line.right, single.right))):
        return None
    longer = Index(index.name, sp.expand(index.extent + 1), ends[sp.expand(value)], index.part)
    move = {index: longer}
    steps = tuple(replace(s, before=substitute(s.before, move), after=substitute(s.after, move)) for s in line.steps)
    return Line(substitute(line.target, move), substitute(line.right, move), steps, line.derivation)
