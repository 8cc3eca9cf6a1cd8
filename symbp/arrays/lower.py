"""Lowering: each equation becomes array statements.

Stage: L1 Program → L2 statements.  Any program lowers: what no faster form is known for is read by integer arrays, masked with its
domain, and scattered.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

import sympy as sp

from symbp.arrays.domain import narrowed, without_units
from symbp.arrays.elementwise import join
from symbp.arrays.equation import OfEquation
from symbp.arrays.first import firsts
from symbp.arrays.hits import Hit, hits, without_positions
from symbp.arrays.memory import shows_windows
from symbp.arrays.nodes import (
    Assign,
    At,
    Axes,
    Fill,
    For,
    Name,
    Node,
    Statement,
    Store,
    View,
    apply,
    nodes,
    number,
)
from symbp.arrays.product import settled
from symbp.arrays.samples import Along, along
from symbp.arrays.settle import settle
from symbp.arrays.share import content, share
from symbp.arrays.store import Target, whole, written
from symbp.errors import LanguageError
from symbp.language.equation import Equation, Loop
from symbp.language.equation import Statement as Written
from symbp.language.index import Index
from symbp.language.names import NameSupply
from symbp.language.program import Program
from symbp.language.tensor import AXIS0, Access, Tensor, accesses
from symbp.passes.hoist import hoist


def lower(program: Program, fresh: Collection[str] = (), by_sample: bool = True) -> tuple[Statement, ...]:
    """The array statements of a program; its inputs are arrays that are there.

    fresh: tensors that must be arrays of their own; others may be views of such.  by_sample: products over large windows are made for
    one sample after the other, which suits a processor with caches.

    Raises `LanguageError` for functions without a definition and for rows of different width, which no array holds.
    """
    ragged = next((t for t in program.tensors if any(AXIS0 in e.free_symbols for e in t.shape)), None)
    if ragged is not None:
        raise LanguageError(f"the rows of {ragged.name} differ in width with the layer, so there is no code for it; "
                            f"give the depth and the widths as numbers")
    program = hoist(program)
    names = NameSupply(t.name for t in program.tensors)
    return settle(share(_Lowering(program, names, frozenset(fresh), by_sample).statements(program.statements, frozenset()), names))


@dataclass
class _Lowering:
    """The state of a pass: which names are taken, and which arrays exist already."""

    program: Program
    names: NameSupply
    fresh: frozenset[str] = frozenset()
    by_sample: bool = True
    made: set[str] = field(default_factory=set)
    windows: dict[tuple, View] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.firsts = firsts(self.program)
        written = Counter(eq.target.name for eq in self.program.equations)
        self.once = {t.name for t in self.program.tensors if t.role == "intermediate" and written[t.name] == 1} - self.fresh
        self.hits = hits(self.program)
        self.unread = without_positions(self.program, self.hits, self.fresh) if self.fresh else set()
        self.lasting = {t.name for t in self.program.tensors if t.role in ("intermediate", "input")}

    def statements(self, written: tuple[Written, ...], fixed: frozenset[Index]) -> Iterator[Statement]:
        """The statements in order; neighbouring contributions to one tensor are added up in one expression."""
        run: list[Along] = []
        for group in _groups(written):
            found = self._along(group, fixed) if isinstance(group, list) and self.by_sample else None
            if run and (found is None or not found.follows(run)):
                yield from self._run(run)
                run = []
            if found is not None:
                run.append(found)
            elif isinstance(group, Loop):
                yield from self._loop(group, fixed)
            else:
                yield from self._group(group, fixed)
        yield from self._run(run)

    def _loop(self, loop: Loop, fixed: frozenset[Index]) -> Iterator[Statement]:
        written = dict.fromkeys(eq.target.name for eq in _equations(loop))
        for name in written:
            if name not in self.made:
                yield from self._begun(self.program.tensor(name))
        index = loop.index
        yield For(index, index.start, index.extent, loop.direction, tuple(self.statements(loop.body, fixed | {index})))

    def _begun(self, tensor: Tensor) -> Iterator[Statement]:
        """A new array: of zeros, or with zeros in the rows that nobody assigns."""
        self.made.add(tensor.name)
        rows = self.firsts.rows.get(tensor.name)
        yield Fill(tensor.name, tensor.shape, tensor.dtype, zeros=rows is None)
        yield from (Store(tensor.name, (At(sp.Integer(row)),), "=", number(0)) for row in rows or ())

    def _group(self, equations: list[Equation], fixed: frozenset[Index]) -> Iterator[Statement]:
        """Contributions to the same elements, in one statement where that writes the whole array."""
        equations = [eq for eq in equations if eq.target.name not in self.unread]
        if len(equations) == 1 and equations[0] in self.hits and not fixed:
            yield from self._first_hits(equations[0], self.hits[equations[0]], fixed)
            return
        is_first = any(eq in self.firsts.equations for eq in equations[:1]) and equations[0].target.name in self.firsts.rows
        narrow = (narrowed(without_units(eq, fixed), fixed, self.program.size_facts) for eq in equations)
        found = [without_units(eq, fixed) for eq in narrow if eq is not None]
        lowered = [OfEquation(self.program, eq, fixed, self.names) for eq in found]
        if not lowered:
            for equation in equations[:1]:
                if equation.target.name not in self.made:
                    yield from self._begun(self.program.tensor(equation.target.name))
            return
        targets = [item.target() for item in lowered]
        first = targets[0]
        new = first.tensor.name not in self.made
        if new and all(t.is_whole and t.axes == first.axes for t in targets):
            node = self._sum(found, first.axes, fixed)
            statement = whole(first, node, found[0].label, self._may_share(first, node))
            if statement is not None:
                self.made.add(first.tensor.name)
                yield statement
                return
        if is_first and new:
            yield from self._begun(first.tensor)
        stored = 0
        if is_first and first.is_plain:
            same = [eq for eq in found if eq.target == found[0].target]
            stored = len(same) if found[:len(same)] == same else 1
            yield from lowered[0].store(first, self._sum(found[:stored], first.axes, fixed), False, "=")
        for item, target in zip(lowered[stored:], targets[stored:]):
            new = target.tensor.name not in self.made
            self.made.add(target.tensor.name)
            yield from item.store(target, item.value(), new)

    def _along(self, group: list[Equation], fixed: frozenset[Index]) -> Along | None:
        """What these contributions are to a loop over samples, or None where they cannot be in one."""
        equations = [eq for eq in group if eq.target.name not in self.unread]
        if fixed or not equations or equations[0].target.name in self.made:
            return None
        narrow = (narrowed(without_units(eq, fixed), fixed, self.program.size_facts) for eq in equations)
        items = [OfEquation(self.program, eq, fixed, self.names) for eq in narrow if eq is not None]
        return along(items, equations, [self.hits[eq] for eq in equations if eq in self.hits])

    def _run(self, run: list[Along]) -> Iterator[Statement]:
        """Neighbouring equations: in one loop over the samples where one of them is a product over large windows."""
        if not any(part.is_product for part in run):
            for part in run:
                yield from self._group(part.group, frozenset())
            return
        body: list[Statement] = []
        for part in run:
            made = list(self._first_hits(part.group[0], part.hit, frozenset({part.sample})) if part.hit else self._part(part))
            inside = next(k for k, s in enumerate(made) if not _is_before(s, part.target))
            yield from made[:inside]
            body += made[inside:]
        sample = run[0].sample
        yield For(sample, sample.start, sample.extent, "ascending", tuple(body))

    def _part(self, part: Along) -> Iterator[Statement]:
        """The array that equations fill sample by sample, the views that they read through, and what is done for one sample."""
        given: dict[Access, View] = {}
        for access, shown in part.windows.items():
            yield from self._shown(access, shown, given)
        tensor, fixed = self.program.tensor(part.target), frozenset({part.sample})
        equations = [item.equation for item in part.items]
        items = [OfEquation(self.program, eq, fixed, self.names, given) for eq in equations]
        target = items[0].target()
        assigned = part.sample in equations[0].target.indices and (target.is_plain or target.is_padded)
        self.made.add(tensor.name)
        yield Fill(tensor.name, tensor.shape, tensor.dtype, zeros=not (assigned and target.covers))
        value = items[0].value() if len(items) == 1 else self._sum(equations, target.axes, fixed, given)
        yield from items[0].store(target, value, False, "=" if assigned else "+=")

    def _shown(self, access: Access, shown: Node, given: dict[Access, View]) -> Iterator[Statement]:
        """A name for a view, one for all equations where the array keeps its values."""
        tensor = self.program.tensor(access.name)
        key = content(shown)
        known = self.windows.get(key)
        if known is None:
            known = View(shown.axes, shown.dtype, self.names.fresh(f"{access.name}_windows"), shown)
            yield Assign(known.name, shown)
            if tensor in self.program.inputs or tensor.name in self.once:
                self.windows[key] = known
        given[access] = View(shown.axes, shown.dtype, known.name, shown)

    def _sum(self, equations: list[Equation], axes: Axes, fixed: frozenset[Index], given: Mapping[Access, View] | None = None) -> Node:
        """The sum of contributions: what is added first, then what is subtracted."""
        signed = sorted(((_is_subtracted(eq), eq) for eq in equations), key=lambda s: s[0])
        flip = not signed[0][0]
        values = [OfEquation(self.program, replace(eq, body=-eq.body) if flip and minus else eq, fixed, self.names, given).value()
                  for minus, eq in signed]
        node = values[0]
        for (minus, _), value in zip(signed[1:], values[1:]):
            node = join("subtract" if flip and minus else "add", node, value, settled(node, axes))
        return node

    def _first_hits(self, equation: Equation, hit: Hit, fixed: frozenset[Index]) -> Iterator[Statement]:
        """What goes to the first tap that has the maximum, tap by tap."""
        taps = hit.maximum.over
        at = frozenset(taps) | fixed
        found = OfEquation(self.program, replace(equation, target=hit.target), at, self.names)
        maximum = OfEquation(self.program, replace(hit.maximum, over=(), op="sum"), at, self.names)
        taken, name = (self.names.fresh(f"{hit.maximum.target.name}_{word}") for word in ("taken", "hit"))
        axes = maximum.axes
        is_maximum = apply("equal", (maximum.read(hit.maximum.body), maximum.read(hit.maximum.target)), axes, "bool")
        free = apply("invert", (Name(axes, "bool", taken),), axes, "bool")
        value = join("multiply", found.value(), Name(axes, "bool", name), found.axes)
        covers = OfEquation(self.program, replace(equation, target=hit.target), frozenset(), self.names).target().is_whole
        new = equation.target.name not in self.made
        if new:
            tensor = self.program.tensor(equation.target.name)
            self.made.add(tensor.name)
            yield Fill(tensor.name, tensor.shape, tensor.dtype, zeros=not covers)
        yield Fill(taken, tuple(a.extent for a in axes), "bool")
        body = (Assign(name, apply("logical_and", (is_maximum, free), axes, "bool")),
                Store(taken, (), "|=", Name(axes, "bool", name)),
                *written(found.target(), value, False, "=" if new and covers else "+=", equation.label, at))
        for tap in reversed(taps):
            body = (For(tap, tap.start, tap.extent, "ascending", body),)
        yield from body

    def _may_share(self, target: Target, value: Node) -> bool:
        """Whether a tensor may be a view: one equation writes it, and what it shows does not change any more."""
        return target.tensor.name in self.once and all(n.name in self.lasting for n in nodes(value) if isinstance(n, Name))


def _groups(written: tuple[Written, ...]) -> Iterator[list[Equation] | Loop]:
    """Loops, and neighbouring contributions to the same elements."""
    done: list[Equation] = []
    for statement in written:
        if done and (isinstance(statement, Loop) or not _joins(done[-1], statement)):
            yield done
            done = []
        if isinstance(statement, Loop):
            yield statement
        else:
            done.append(statement)
    if done:
        yield done


def _is_before(statement: Statement, target: str) -> bool:
    """Whether a statement of a sample's stands before the loop: a new array for all samples, or a view of one."""
    return isinstance(statement, Fill) and statement.name == target or isinstance(statement, Assign) and shows_windows(statement.value)


def _is_subtracted(equation: Equation) -> bool:
    """Whether a contribution is a single addend with a minus."""
    return equation.op == "sum" and not equation.body.is_Add and equation.body.could_extract_minus_sign()


def _equations(loop: Loop) -> Iterator[Equation]:
    for statement in loop.body:
        if isinstance(statement, Loop):
            yield from _equations(statement)
        else:
            yield statement


def _joins(first: Equation, second: Equation) -> bool:
    """Whether two neighbouring contributions can be added before they are stored."""
    return first.target == second.target and first.op == second.op == "sum" and not any(
        a.name == first.target.name for a in accesses(second.body))
