"""One equation as array expressions: what it reads, its value over the free indices, and where that goes.

Stage: L1 Equation → L2 expressions and statements.  What no faster form is known for is read by integer arrays, masked with the
equation's domain, and scattered.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from itertools import product

import sympy as sp

from symbp.arrays.access import positions, view
from symbp.arrays.domain import guards, margins
from symbp.arrays.elementwise import Elementwise, join
from symbp.arrays.nodes import (
    WHOLE,
    Apply,
    At,
    Axes,
    Count,
    Fill,
    Fold,
    Gather,
    Name,
    Node,
    Pad,
    Statement,
    View,
    aligned,
    apply,
    as_float,
    broadcast,
    number,
    permute,
    reshape,
    subscript,
)
from symbp.arrays.product import Sums, in_memory
from symbp.arrays.store import Target, full, scattered, written
from symbp.language.equation import Equation
from symbp.language.index import Index, indices_of
from symbp.language.names import NameSupply
from symbp.language.program import Program
from symbp.language.tensor import Access, Tensor, accesses

FEW = 9
"""Windows of so many taps are views of their own in a maximum."""


class OfEquation:
    """The lowering of one equation."""

    def __init__(self, program: Program, equation: Equation, fixed: frozenset[Index], names: NameSupply,
                 given: Mapping[Access, View] | None = None) -> None:
        self.program, self.equation, self.fixed, self.names, self.given = program, equation, fixed, names, given or {}
        free = tuple(i for i in equation.indices if i not in fixed and i not in equation.over)
        target = self.target()
        self.free = tuple(sorted(free, key=lambda i: (i in target.slid) + 2 * (i in target.slid and i not in target.taps)))
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
        if self.equation.op == "max" and self.is_over_few_taps():
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

    def is_over_few_taps(self) -> bool:
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

    @property
    def gathers(self) -> bool:
        """Whether something is read or written at integer arrays."""
        parts = (self.equation.target, *accesses(self.equation.body))
        return any(p.kind == "take" for a in parts for p in positions(a, self.program.tensor(a.name).origin, self.fixed))

    def read(self, access: Access) -> Node:
        """The view of a tensor for an access, with margins where the domain or a mask needs them."""
        if access in self.given:
            shown = self.given[access]
            return subscript(shown, (At(access.indices[0] - access.indices[0].start), *(WHOLE for _ in shown.axes[1:])), shown.axes[1:])
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
