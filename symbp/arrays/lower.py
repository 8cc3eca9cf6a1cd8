"""Lowering: each equation becomes array statements.

Stage: L1 Program → L2 statements.  Any program lowers: what no faster form is known for is read by integer arrays, masked with its
domain, and scattered.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import sympy as sp

from symbp.arrays.access import positions, view
from symbp.arrays.domain import guards, margins, narrowed, without_units
from symbp.arrays.elementwise import Elementwise, join
from symbp.arrays.first import firsts
from symbp.arrays.nodes import (
    Apply,
    Assign,
    At,
    Axes,
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
    number,
    permute,
    reshape,
)
from symbp.arrays.product import Sums, in_memory, settled
from symbp.arrays.share import share
from symbp.arrays.store import Target, full, scattered, whole, written
from symbp.errors import LanguageError
from symbp.language.equation import Equation, Loop
from symbp.language.equation import Statement as Written
from symbp.language.index import Index, indices_of
from symbp.language.names import NameSupply
from symbp.language.program import Program
from symbp.language.tensor import AXIS0, Access, Tensor, accesses
from symbp.passes.hoist import hoist


def lower(program: Program) -> tuple[Statement, ...]:
    """The array statements of a program; its inputs are arrays that are there.

    Raises `LanguageError` for functions without a definition and for rows of different width, which no array holds.
    """
    ragged = next((t for t in program.tensors if any(AXIS0 in e.free_symbols for e in t.shape)), None)
    if ragged is not None:
        raise LanguageError(f"the rows of {ragged.name} differ in width with the layer, so there is no code for it; "
                            f"give the depth and the widths as numbers")
    program = hoist(program)
    names = NameSupply(t.name for t in program.tensors)
    return share(_Lowering(program, names).statements(program.statements, frozenset()), names)


@dataclass
class _Lowering:
    """The state of a pass: which names are taken, and which arrays exist already."""

    program: Program
    names: NameSupply
    made: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.firsts = firsts(self.program)

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
        is_first = any(eq in self.firsts.equations for eq in equations[:1]) and equations[0].target.name in self.firsts.rows
        narrow = (narrowed(eq, fixed, self.program.size_facts) for eq in equations)
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
            statement = whole(first, self._sum(found, first.axes, fixed), found[0].label)
            if statement is not None:
                self.made.add(first.tensor.name)
                yield statement
                return
        if is_first and new:
            yield from self._begun(first.tensor)
        if is_first and first.is_plain:
            yield from lowered[0].store(first, self._sum(found, first.axes, fixed), False, "=")
            return
        for item, target in zip(lowered, targets):
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
        tensor = self.program.tensor(access.name)
        return tuple(margins(p, e, o, self.fixed) for p, e, o in zip(access.indices, tensor.extents(access), tensor.origin))

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
        if self.equation.op != "sum":
            return self._extremum(elementwise(body))
        after = tuple(c for c in self.left if not indices_of(c) or not set(indices_of(c)) & set(self.over))
        before = tuple(c for c in self.left if c not in after)
        if before:
            node = self._masked(elementwise(body), before, number(0))
            node = self._summed(node)
        else:
            node = as_float(Sums(elementwise, self.free, self.over)(body))
        return self._masked(node, after, number(0)) if after else node

    def _summed(self, node: Node) -> Node:
        """The sum of a masked value over the bound indices."""
        idle = sp.Mul(*(i.extent for i in self.over if i not in node.axes))
        over = tuple(k for k, a in enumerate(node.axes) if a in self.over)
        node = Fold(tuple(a for a in node.axes if a not in self.over), "float", "sum", node, over) if over else node
        return node if idle == 1 else join("multiply", number(idle), node, self.axes)

    def _masked(self, node: Node, conditions: tuple[sp.Expr, ...], fill: Node) -> Node:
        """The value where all conditions hold, the operator's identity elsewhere."""
        mask: Node | None = None
        for condition in conditions:
            holds = apply("greater_equal", (self._integer(condition), number(0)), self.axes, "bool")
            mask = holds if mask is None else apply("logical_and", (mask, holds), self.axes, "bool")
        assert mask is not None
        return apply("where", (mask, as_float(node), fill), self.axes)

    def _integer(self, expression: sp.Expr) -> Node:
        """An index expression as an integer array."""
        return Elementwise(self.read, self.axes, self.fixed, whole=True)(sp.expand(expression))

    def _extremum(self, node: Node) -> Node:
        """max or argmax over the bound indices, lexicographic in their order."""
        least = number(-sp.oo)
        if self.left:
            node = self._masked(node, self.left, least)
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
        axes = tuple(a for a in self.axes if any(a in w.axes for w in where))
        return Gather(axes, tensor.dtype, source, tuple(aligned(w, axes) for w in where))

    def _arrays(self, access: Access, tensor: Tensor) -> tuple[Node, ...]:
        """Integer arrays for all positions, kept inside the axes where a mask hides what lies outside."""
        found = []
        for position, origin, extent in zip(access.indices, tensor.origin, tensor.shape):
            node = self._integer(position - origin)
            if self.equation.domain and not isinstance(position, Index):
                node = apply("clip", (node, number(0), number(extent - 1)), self.axes, "int")
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
        op = op or ("+=" if self.equation.op == "sum" else "=")
        if any(p.kind == "take" for p in target.where):
            where = self._arrays(target.access, target.tensor)
            axes = tuple(a for a in self.free if any(a in w.axes for w in where) or a in value.axes)
            made = scattered(target, tuple(aligned(w, axes) for w in where), _spread(value, axes), op, self.equation.label)
            return (Fill(target.tensor.name, target.shape, target.tensor.dtype), made) if new else (made,)
        return written(target, value, new, op, self.equation.label, self.fixed)


def _spread(value: Node, axes: Axes) -> Node:
    return full(value, axes) or aligned(value, axes)


__all__ = ["Assign", "lower"]
