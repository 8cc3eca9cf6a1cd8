"""Lowering: each equation becomes array statements.

Stage: L1 Program → L2 statements.  Any program lowers: what no faster form is known for is read by integer arrays, masked with its
domain, and scattered.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import product

import sympy as sp

from symbp.arrays.access import positions, view
from symbp.arrays.domain import guards, margins, narrowed, without_units
from symbp.arrays.elementwise import Elementwise, join
from symbp.arrays.first import firsts
from symbp.arrays.hits import Hit, hits, without_positions
from symbp.arrays.nodes import (
    Apply,
    Assign,
    At,
    Axes,
    Count,
    Fill,
    Fold,
    For,
    Gather,
    Name,
    Node,
    Pad,
    Statement,
    Store,
    aligned,
    apply,
    as_float,
    broadcast,
    nodes,
    number,
    permute,
    reshape,
)
from symbp.arrays.product import Sums, in_memory, settled
from symbp.arrays.settle import settle
from symbp.arrays.share import share
from symbp.arrays.store import Target, full, scattered, whole, written
from symbp.arrays.within import within
from symbp.errors import LanguageError
from symbp.language.equation import Equation, Loop
from symbp.language.equation import Statement as Written
from symbp.language.index import Index, indices_of
from symbp.language.names import NameSupply
from symbp.language.program import Program
from symbp.language.tensor import AXIS0, Access, Tensor, accesses
from symbp.passes.by_axis import by_axis, tap_by_tap
from symbp.passes.hoist import hoist
from symbp.passes.overlap import without_overlap

FEW = 9
"""Windows of so many taps are views of their own in a maximum."""


def lower(program: Program, fresh: Collection[str] = ()) -> tuple[Statement, ...]:
    """The array statements of a program; its inputs are arrays that are there.

    fresh: tensors that must be arrays of their own; others may be views of such.

    Raises `LanguageError` for functions without a definition and for rows of different width, which no array holds.
    """
    ragged = next((t for t in program.tensors if any(AXIS0 in e.free_symbols for e in t.shape)), None)
    if ragged is not None:
        raise LanguageError(f"the rows of {ragged.name} differ in width with the layer, so there is no code for it; "
                            f"give the depth and the widths as numbers")
    program = without_overlap(hoist(program))
    names = NameSupply(t.name for t in program.tensors)
    lowering = _Lowering(program, names, frozenset(fresh))
    statements = share(lowering.statements(lowering.program.statements, frozenset()), names)
    return settle(within(statements, {t.name for t in program.tensors}))


@dataclass
class _Lowering:
    """The state of a pass: which names are taken, and which arrays exist already."""

    program: Program
    names: NameSupply
    fresh: frozenset[str] = frozenset()
    made: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.hits = hits(self.program)
        self.unread = without_positions(self.program, self.hits, self.fresh) if self.fresh else set()
        self.program = by_axis(self.program, self.names)
        self.firsts = firsts(self.program)
        written = Counter(eq.target.name for eq in self.program.equations)
        self.once = {t.name for t in self.program.tensors if t.role == "intermediate" and written[t.name] == 1} - self.fresh
        self.lasting = {t.name for t in self.program.tensors if t.role in ("intermediate", "input")}

    def statements(self, written: tuple[Written, ...], fixed: frozenset[Index]) -> Iterator[Statement]:
        """The statements in order; neighbouring contributions to one tensor are added up in one expression."""
        done: list[Equation] = []
        for statement in written:
            if isinstance(statement, Loop):
                yield from self._group(done, fixed)
                done = []
                yield from self._loop(statement, fixed)
            else:
                if done and not _joins(done[-1], statement):
                    yield from self._group(done, fixed)
                    done = []
                done.append(statement)
        yield from self._group(done, fixed)

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
            yield from self._first_hits(equations[0], self.hits[equations[0]])
            return
        windows = len(equations) == 1 and equations[0].op == "max" and equations[0].domain and not fixed
        if windows and (taps := tap_by_tap(self.program, equations[0])):
            yield from self._largest(taps)
            return
        is_first = any(eq in self.firsts.equations for eq in equations[:1]) and equations[0].target.name in self.firsts.rows
        narrow = (narrowed(without_units(eq, fixed), fixed, self.program.size_facts) for eq in equations)
        found = [without_units(eq, fixed) for eq in narrow if eq is not None]
        lowered = [_OfEquation(self.program, eq, fixed, self.names) for eq in found]
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

    def _sum(self, equations: list[Equation], axes: Axes, fixed: frozenset[Index]) -> Node:
        """The sum of contributions: what is added first, then what is subtracted."""
        signed = sorted(((_is_subtracted(eq), eq) for eq in equations), key=lambda s: s[0])
        flip = not signed[0][0]
        values = [_OfEquation(self.program, replace(eq, body=-eq.body) if flip and minus else eq, fixed, self.names).value()
                  for minus, eq in signed]
        node = values[0]
        for (minus, _), value in zip(signed[1:], values[1:]):
            node = join("subtract" if flip and minus else "add", node, value, settled(node, axes))
        return node

    def _first_hits(self, equation: Equation, hit: Hit) -> Iterator[Statement]:
        """What goes to the first tap that has the maximum, tap by tap."""
        widths = hit.widths(self.program)
        if any(w != (0, 0) for w in widths):
            yield from self._padded_hits(equation, hit, widths)
            return
        taps = hit.maximum.over
        at = frozenset(taps)
        found = _OfEquation(self.program, replace(equation, target=hit.target), at, self.names)
        maximum = _OfEquation(self.program, replace(hit.maximum, over=(), op="sum"), at, self.names)
        taken, name = (self.names.fresh(f"{hit.maximum.target.name}_{word}") for word in ("taken", "hit"))
        axes = maximum.axes
        is_maximum = apply("equal", (maximum.read(hit.maximum.body), maximum.read(hit.maximum.target)), axes, "bool")
        free = apply("invert", (Name(axes, "bool", taken),), axes, "bool")
        value = join("multiply", found.value(), Name(axes, "bool", name), found.axes)
        covers = _OfEquation(self.program, replace(equation, target=hit.target), frozenset(), self.names).target().is_whole
        new = equation.target.name not in self.made
        yield Fill(taken, tuple(a.extent for a in axes), "bool")
        if new:
            tensor = self.program.tensor(equation.target.name)
            self.made.add(tensor.name)
            yield Fill(tensor.name, tensor.shape, tensor.dtype, zeros=not covers)
        body = (Assign(name, apply("logical_and", (is_maximum, free), axes, "bool")),
                Store(taken, (), "|=", Name(axes, "bool", name)),
                *written(found.target(), value, False, "=" if new and covers else "+=", equation.label, at))
        for tap in reversed(taps):
            body = (For(tap, tap.start, tap.extent, "ascending", body),)
        yield from body

    def _padded_hits(self, equation: Equation, hit: Hit, widths: tuple[tuple[int, int], ...]) -> Iterator[Statement]:
        """The same for windows that reach over the margins: in arrays whose margins equal nothing; their inside is kept."""
        outer = self.program.tensor(equation.target.name)
        whole = tuple(Index(f"{outer.name}_{k}", e, o) for k, (e, o) in enumerate(zip(outer.shape, outer.origin)))
        shape = tuple(sp.expand(e + a + b) for e, (a, b) in zip(outer.shape, widths))
        origin = tuple(o - a for o, (a, _) in zip(outer.origin, widths))
        image, padded = (Tensor(self.names.fresh(f"{name}_padded"), shape, self.program.tensor(name).dtype, origin=origin)
                         for name in (hit.maximum.body.name, outer.name))
        self.program = replace(self.program, tensors=(*self.program.tensors, image, padded))
        axes = tuple(Index(i.name, e, o) for i, e, o in zip(whole, shape, origin))
        yield Assign(image.name, Pad(axes, image.dtype, Name(whole, image.dtype, hit.maximum.body.name), widths, shape, "nothing"))
        maximum = replace(hit.maximum, body=Access(image.name, *hit.maximum.body.indices), domain=())
        inner = Access(padded.name, *hit.target.indices)
        yield from self._first_hits(replace(equation, target=inner), Hit(maximum, inner))
        item = _OfEquation(self.program, Equation(outer[whole], padded[whole], label=equation.label), frozenset(), self.names)
        new = outer.name not in self.made
        self.made.add(outer.name)
        yield from item.store(item.target(), item.value(), new)

    def _largest(self, taps: list[Equation]) -> Iterator[Statement]:
        """The maximum of what each tap contributes; the first ones meet every element."""
        items = [_OfEquation(self.program, eq, frozenset(), self.names) for eq in taps]
        whole = sum(eq.target == taps[0].target for eq in taps)
        value = reduce(lambda a, b: apply("maximum", (a, b), items[0].axes), [item.value() for item in items[:whole]])
        yield from items[0].store(items[0].target(), value, True, "=")
        for item in items[whole:]:
            yield from item.store(item.target(), apply("maximum", (item.read(item.equation.target), item.value()), item.axes), False, "=")
        self.made.add(taps[0].target.name)

    def _may_share(self, target: Target, value: Node) -> bool:
        """Whether a tensor may be a view: one equation writes it, and what it shows does not change any more."""
        return target.tensor.name in self.once and all(n.name in self.lasting for n in nodes(value) if isinstance(n, Name))


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


class _OfEquation:
    """The lowering of one equation."""

    def __init__(self, program: Program, equation: Equation, fixed: frozenset[Index], names: NameSupply) -> None:
        self.program, self.equation, self.fixed, self.names = program, equation, fixed, names
        free = tuple(i for i in equation.indices if i not in fixed and i not in equation.over)
        taps = self.target().taps
        self.free = (*taps, *(i for i in free if i not in taps))
        self.over = tuple(i for i in equation.over if i not in fixed)
        self.axes: Axes = (*self.free, *self.over)
        self.margins: dict[Access, tuple[tuple[int, int], ...]] = {}
        self.left = self._left()
        self.fill = "edge"

    # the domain

    def _left(self) -> tuple[sp.Expr, ...]:
        """The conditions that margins do not see to: cut off at the target, or filled with the identity of the operator."""
        left = []
        target = self.equation.target
        cut = self._guarded(target)
        for condition in self.equation.domain:
            if condition in cut and self._can_pad(target):
                continue
            left.append(condition)
        self.padded = [a for a in accesses(self.equation.body) if self._guarded(a) & set(left) and self._can_pad(a)]
        covered = [c for c in left if self._vanishes(c)]
        if len(covered) < len(left):
            self.padded, covered = [], []
        return tuple(c for c in left if c not in covered)

    def _guarded(self, access: Access) -> set[sp.Expr]:
        return guards(access, self.program.tensor(access.name))

    def _can_pad(self, access: Access) -> bool:
        tensor = self.program.tensor(access.name)
        found = positions(access, tensor.origin, self.fixed)
        return all(p.kind != "take" for p in found) and None not in self._margins(access)

    def _margins(self, access: Access) -> tuple[tuple[int, int] | None, ...]:
        """How far an access leaves its tensor where the domain does not hold; a program without one was shown to stay inside."""
        if not self.equation.domain:
            return ((0, 0),) * len(access.indices)
        tensor = self.program.tensor(access.name)
        return tuple(margins(p, e, o, self.fixed, self.program.size_facts)
                     for p, e, o in zip(access.indices, tensor.extents(access), tensor.origin))

    def _vanishes(self, condition: sp.Expr) -> bool:
        """Whether the body is the operator's identity outside the condition when what it reads there is filled with that."""
        if self.equation.op != "sum":
            return self.equation.body in self.padded and condition in self._guarded(self.equation.body)
        return all(any(f in self.padded and condition in self._guarded(f) for f in sp.Mul.make_args(addend))
                   for addend in sp.Add.make_args(self.equation.body))

    # values

    def value(self) -> Node:
        """The right side, over the free indices."""
        axes = in_memory(self.axes, [self.equation.body]) if self.over else self.axes
        elementwise = Elementwise(self.read, axes, self.fixed)
        body = self.equation.body
        if self.equation.op == "max" and self._is_over_few_taps():
            return self._of_taps()
        if self.equation.op != "sum":
            before, after = self._sides()
            node = self._extremum(elementwise(body), before)
            return self._masked(node, after, number(0)) if after else node
        before, after = self._sides()
        if before:
            node = self._masked(elementwise(body), before, number(0))
            node = self._summed(node)
        else:
            node = as_float(Sums(elementwise, self.free, self.over)(body))
        return self._masked(node, after, number(0)) if after else node

    def _sides(self) -> tuple[tuple[sp.Expr, ...], tuple[sp.Expr, ...]]:
        """The conditions on what is folded, and those that say which elements are written at all."""
        after = tuple(c for c in self.left if not {*indices_of(c)} & {*self.over})
        return tuple(c for c in self.left if c not in after), after

    def _summed(self, node: Node) -> Node:
        """The sum of a masked value over the bound indices."""
        idle = sp.Mul(*(i.extent for i in self.over if i not in node.axes))
        over = tuple(k for k, a in enumerate(node.axes) if a in self.over)
        node = Fold(tuple(a for a in node.axes if a not in self.over), "float", "sum", node, over) if over else node
        return node if idle == 1 else join("multiply", number(idle), node, self.axes)

    def _masked(self, node: Node, conditions: tuple[sp.Expr, ...], fill: Node) -> Node:
        """The value where all conditions hold, the operator's identity elsewhere."""
        whole = node.dtype == "int" and fill.dtype == "int"
        return apply("where", (self._mask(conditions), node if whole else as_float(node), fill), self.axes, "int" if whole else "float")

    def _mask(self, conditions: tuple[sp.Expr, ...]) -> Node:
        """Where all conditions hold."""
        found = []
        for condition in conditions:
            less = sp.Add(*(t for t in sp.Add.make_args(condition) if t.could_extract_minus_sign()))
            found.append(apply("greater_equal", (self._integer(condition - less), self._integer(-less)), self.axes, "bool"))
        return reduce(lambda a, b: apply("logical_and", (a, b), self.axes, "bool"), found)

    def _integer(self, expression: sp.Expr) -> Node:
        """An index expression as an integer array."""
        return Elementwise(self.read, self.axes, self.fixed, whole=True)(sp.expand(expression))

    def _is_over_few_taps(self) -> bool:
        """Whether a maximum over small windows that lie inside is that of a few views."""
        body = self.equation.body
        if not isinstance(body, Access) or self.equation.domain or not all(i.extent.is_Integer for i in self.over):
            return False
        slides = all(any(i in p.atoms(Index) and not isinstance(p, Index) for p in body.indices) for i in self.over)
        return slides and 1 < sp.Mul(*(i.extent for i in self.over)) <= FEW and not body.indices[0].has(Access)

    def _of_taps(self) -> Node:
        """The maximum of one view for each tap, in the order of the taps."""
        ranges = [range(int(i.start), int(i.start + i.extent)) for i in self.over]
        found = [self.read(self.equation.body.xreplace(dict(zip(self.over, map(sp.Integer, values), strict=True))))
                 for values in product(*ranges)]
        return reduce(lambda a, b: apply("maximum", (a, b), self.axes), found)

    def _extremum(self, node: Node, conditions: tuple[sp.Expr, ...]) -> Node:
        """max or argmax over the bound indices where the conditions hold, lexicographic in their order."""
        if conditions:
            node = self._masked(node, conditions, number(-sp.oo))
        missing = tuple(i for i in self.over if i not in node.axes)
        kept = tuple(a for a in self.axes if a in node.axes and a not in self.over)
        if self.equation.op == "max":
            over = tuple(k for k, a in enumerate(node.axes) if a in self.over)
            return Fold(tuple(a for a in node.axes if a not in self.over), "float", "max", node, over) if over else node
        if missing:
            node = broadcast(node, tuple(a for a in self.axes if a in (*node.axes, *missing)))
        node = permute(node, tuple(node.axes.index(a) for a in (*kept, *self.over)))
        return self._component(node, kept)

    def _component(self, node: Node, kept: Axes) -> Node:
        """The position of the first maximum along one of the bound indices."""
        extents = [i.extent for i in self.over]
        flat = Index("·".join(i.name for i in self.over), sp.Mul(*extents)) if len(extents) > 1 else self.over[0]
        if len(extents) > 1:
            node = reshape(node, (*kept, flat), tuple(a.extent for a in (*kept, flat)))
        hit: Node = Fold(kept, "int", "argmax", node, (len(kept),))
        place = self.over.index(self.equation.component)
        inner = sp.Mul(*extents[place + 1:])
        if inner != 1:
            hit = Apply(kept, "int", "floor_divide", (hit, number(inner)))
        if place:
            hit = Apply(kept, "int", "remainder", (hit, number(extents[place])))
        start = self.equation.component.start
        return hit if start == 0 else Apply(kept, "int", "add", (hit, number(start)))

    # reading and writing

    def read(self, access: Access) -> Node:
        """The view of a tensor for an access, with margins where the domain or a mask needs them."""
        tensor = self.program.tensor(access.name)
        shape = tensor.shape
        source: Node = Name((None,) * len(shape), tensor.dtype, tensor.name)
        where = positions(access, tensor.origin, self.fixed)
        if any(p.kind == "take" for p in where):
            return self._gather(source, access, tensor)
        widths = self._margins(access)
        if None in widths:
            return self._gather(source, access, tensor)
        if all(w == (0, 0) for w in widths):
            return view(source, where, shape)
        fill = ("zero" if self.equation.op == "sum" else "least") if access in self.padded else "edge"
        larger = tuple(sp.expand(e + a + b) for e, (a, b) in zip(shape, widths))
        source = Pad(source.axes, source.dtype, source, widths, larger, fill)
        shifted = Access(access.name, *(p + w[0] for p, w in zip(access.indices, widths)))
        return view(source, positions(shifted, tensor.origin, self.fixed), larger)

    def _gather(self, source: Node, access: Access, tensor: Tensor) -> Node:
        where = self._arrays(access, tensor)
        rest: Axes = ()
        while len(where) > 1 and self._is_row(where, tensor):
            rest, where = (*where[-1].axes, *rest), where[:-1]
        axes = tuple(a for a in self.axes if any(a in w.axes for w in where))
        found = Gather((*axes, *rest), tensor.dtype, source, tuple(aligned(w, axes) for w in where))
        return permute(found, tuple(found.axes.index(a) for a in self.axes if a in found.axes))

    @staticmethod
    def _is_row(where: tuple[Node, ...], tensor: Tensor) -> bool:
        """Whether the last position runs over its whole axis in order, and alone."""
        *others, last = where
        return isinstance(last, Count) and (last.index.extent, last.index.start) == (tensor.shape[len(others)], sp.S.Zero) and \
            not any(last.index in w.axes for w in others)

    def _arrays(self, access: Access, tensor: Tensor) -> tuple[Node, ...]:
        """Integer arrays for all positions, kept inside the axes where the domain does not hold; data that lie outside elsewhere stay."""
        found = []
        for position, origin, extent, widths in zip(access.indices, tensor.origin, tensor.shape, self._margins(access)):
            node = self._integer(position - origin)
            if widths != (0, 0):
                node = apply("clip", (node, number(0), number(extent - 1)), self.axes, "int")
            elif self.equation.domain and position.has(Access) and not isinstance(position, Access):
                node = apply("where", (self._mask(self.equation.domain), node, number(0)), self.axes, "int")
            found.append(node)
        return tuple(found)

    def target(self) -> Target:
        """Where the value goes."""
        access = self.equation.target
        tensor = self.program.tensor(access.name)
        where = positions(access, tensor.origin, self.fixed)
        widths = self._margins(access) if all(p.kind != "take" for p in where) else ()
        if any(w not in (None, (0, 0)) for w in widths):
            where = tuple(replace(p, kind="window") if w not in (None, (0, 0)) else p for p, w in zip(where, widths))
        if None in widths:
            where, widths = tuple(type(p)("take") for p in where), ()
        return Target(tensor, access, tensor.shape, where, widths, self.names)

    def store(self, target: Target, value: Node, new: bool, op: str = "") -> tuple[Statement, ...]:
        """The statements that write the value into an array, which is new or there."""
        op = op or ("+=" if self.equation.op == "sum" or self._sides()[1] else "=")
        if any(p.kind == "take" for p in target.where):
            where = self._arrays(target.access, target.tensor)
            axes = tuple(a for a in self.free if any(a in w.axes for w in where) or a in value.axes)
            made = scattered(target, tuple(aligned(w, axes) for w in where), _spread(value, axes), op, self.equation.label)
            return (Fill(target.tensor.name, target.shape, target.tensor.dtype), made) if new else (made,)
        return written(target, value, new, op, self.equation.label, self.fixed)


def _spread(value: Node, axes: Axes) -> Node:
    return full(value, axes) or aligned(value, axes)


__all__ = ["Assign", "lower"]
