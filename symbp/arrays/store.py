"""How a value is written: as a whole array, into slices, by strided slice-adds (the mirror image of windows), or scattered.

Stage: target access and value → statements.
"""
from __future__ import annotations

from dataclasses import dataclass, replace

import sympy as sp

from symbp.arrays.access import Position, classify, key
from symbp.arrays.memory import is_shown
from symbp.arrays.nodes import (
    WHOLE,
    Apply,
    Assign,
    At,
    Axes,
    Fill,
    For,
    Key,
    Name,
    New,
    Node,
    Number,
    Scatter,
    Slice,
    Statement,
    Store,
    Subscript,
    aligned,
    broadcast,
    is_view,
    joint,
    permute,
    reshape,
    subscript,
)
from symbp.language.index import Index
from symbp.language.names import NameSupply
from symbp.language.tensor import Access, Tensor


@dataclass(frozen=True)
class Target:
    """Where a value goes: the tensor's array, its shape at this access, the positions, and margins that are cut off again.

    names: what arrays in between are called is taken from it.
    """

    tensor: Tensor
    access: Access
    shape: tuple[sp.Expr, ...]
    where: tuple[Position, ...]
    margins: tuple[tuple[int, int], ...]
    names: NameSupply

    @property
    def is_whole(self) -> bool:
        """Whether every element of the array is written, once."""
        return all(e == 1 if p.kind == "fixed" else p.kind in ("slice", "split") and key(p, e) == WHOLE
                   for p, e in zip(self.where, self.shape))

    @property
    def is_plain(self) -> bool:
        """Whether the elements that are written are those of a view, each once."""
        return all(p.kind in ("fixed", "slice", "split") for p in self.where) and all(m == (0, 0) for m in self.margins)

    @property
    def axes(self) -> Axes:
        """The indices in the order of the array's axes."""
        return tuple(i for p in self.where for i in p.indices)

    @property
    def taps(self) -> tuple[Index, ...]:
        """The indices of windows that a loop runs over: all of a window but the one of the largest extent, which a slice runs over."""
        return tuple(i for p in self.where if p.kind == "window" for i in _taps(p))


def _taps(position: Position) -> tuple[Index, ...]:
    kept = max(position.indices, key=lambda i: (int(i.extent) if i.extent.is_Integer else 10**9, -position.indices.index(i)))
    return tuple(i for i in position.indices if i != kept)


def full(value: Node, axes: Axes) -> Node | None:
    """The value with exactly these axes, or None where it lacks one whose extent is not 1."""
    if isinstance(value, Number) or any(a not in value.axes and a.extent != 1 for a in axes):
        return None
    value = permute(value, tuple(value.axes.index(a) for a in axes if a in value.axes))
    if len(value.axes) == len(axes):
        return value
    keys = tuple(WHOLE if a in value.axes else New() for a in axes)
    return Subscript(axes, value.dtype, value, keys)


def merged(value: Node, target: Target) -> Node:
    """The value with the indices of each split position merged into one axis."""
    if not any(p.kind == "split" for p in target.where):
        return value
    axes = tuple(joint(p.indices) for p in target.where if p.kind != "fixed")
    return reshape(value, axes, tuple(a.extent for a in axes))


def _with_units(value: Node, target: Target) -> Node:
    """The value with an axis of extent 1 for each fixed position."""
    if all(p.kind != "fixed" for p in target.where):
        return value
    axes = iter(value.axes)
    return Subscript(tuple(None if p.kind == "fixed" else next(axes) for p in target.where), value.dtype, value,
                     tuple(New() if p.kind == "fixed" else WHOLE for p in target.where))


def whole(target: Target, value: Node, label: str, shared: bool = False) -> Assign | None:
    """`name = value`, where the value has all axes.  shared: it may be a view of other arrays, and is where that lies in order."""
    complete = full(value, target.axes) if target.shape else value
    if complete is None:
        return None
    value = _with_units(merged(complete, target), target)
    copied = is_view(value) and not (shared and is_shown(value))
    return Assign(target.tensor.name, Apply(value.axes, value.dtype, "copy", (value,)) if copied else value, label)


def placed(value: Node, target: Target) -> Node:
    """The value as it broadcasts against the subscripted array."""
    if all(p.kind != "split" for p in target.where):
        return aligned(value, target.axes)
    complete = full(value, target.axes)
    return merged(broadcast(value, target.axes) if complete is None else complete, target)


def _slice_adds(target: Target, value: Node, new: bool, label: str, fixed: frozenset[Index]) -> tuple[Statement, ...]:
    """Σ into overlapping windows: one strided slice-add for each tap; the taps are the indices of the smaller extents."""
    taps = target.taps
    name = target.tensor.name
    made: list[Statement] = []
    if value.operands:
        made.append(Assign(target.names.fresh(name + "_taps"), value, label))
        value = Name(value.axes, value.dtype, made[-1].name)
    padded = any(m != (0, 0) for m in target.margins)
    slices = _padded(target, value, fixed) if padded else _at_taps(target, fixed)
    loops = {i: Index(i.name, i.extent, i.start) for i in taps}
    at = tuple(At(loops[a] - a.start) if a in taps else WHOLE for a in value.axes)
    part = subscript(value, at, tuple(a for a in value.axes if a not in taps))
    keys = tuple(key(p, e) for p, e in zip(slices.where, slices.shape))
    body: tuple[Statement, ...] = (Store(slices.tensor.name, keys, "+=", placed(part, slices), label),)
    for tap in reversed(taps):
        body = (For(tap, tap.start, tap.extent, "ascending", body),)
    if not padded:
        return (*((Fill(name, target.shape, target.tensor.dtype, label),) if new else ()), *made, *body)
    return (*made, Fill(slices.tensor.name, slices.shape, target.tensor.dtype, label), *body,
            *_cropped(target, slices, new, label, fixed))


def _at_taps(target: Target, fixed: frozenset[Index]) -> Target:
    """The target for one value of each tap."""
    where = tuple(classify(p, o, {*fixed, *target.taps}) for p, o in zip(target.access.indices, target.tensor.origin))
    return replace(target, where=where, margins=())


def _padded(target: Target, value: Node, fixed: frozenset[Index]) -> Target:
    """An array with the margins of the target, its axes in the order of the value's: one for each index, one for each window."""
    by_index: dict[Index, tuple[Position, sp.Expr]] = {}
    for p, position, origin, extent, (before, after) in zip(target.where, target.access.indices, target.tensor.origin, target.shape,
                                                            target.margins):
        if p.kind == "window":
            moved = classify(position + before, origin, {*fixed, *target.taps})
            by_index[moved.indices[0]] = moved, sp.expand(extent + before + after)
        else:
            by_index |= {i: (Position("slice", ((i, 1),), sp.S.Zero, i.extent), i.extent) for i in p.indices}
    order = [*(a for a in value.axes if a in by_index), *(i for i in by_index if i not in value.axes)]
    found = [by_index[i] for i in order]
    shape = tuple(e for _, e in found)
    tensor = Tensor(target.names.fresh(target.tensor.name + "_padded"), shape)
    return Target(tensor, target.access, shape, tuple(p for p, _ in found), (), target.names)


def _cropped(target: Target, padded: Target, new: bool, label: str, fixed: frozenset[Index]) -> tuple[Statement, ...]:
    """The statement that brings what lies within the margins into the target."""
    where, inside = [], {}
    for p, extent, (before, after) in zip(target.where, target.shape, target.margins):
        if p.kind == "window":
            kept = next(i for i in p.indices if i not in target.taps)
            axis = Index(kept.name, extent)
            inside[kept] = axis, Slice(sp.Integer(before), sp.expand(before + extent), 1, before == after == 0)
            p = Position("slice", ((axis, 1),), sp.S.Zero, extent)
        where.append(p)
    labels = [p.indices[0] for p in padded.where]
    axes = tuple(inside[i][0] if i in inside else i for i in labels)
    keys = tuple(inside[i][1] if i in inside else WHOLE for i in labels)
    array = Name(tuple(replace_extent(i, e) for i, e in zip(axes, padded.shape)), target.tensor.dtype, padded.tensor.name)
    return written(replace(target, where=tuple(where), margins=()), subscript(array, keys, axes), new, "+=", label, fixed)


def replace_extent(index: Index, extent: sp.Expr) -> Index:
    """An index of the same name with another extent."""
    return index if index.extent == extent else Index(index.name, extent)


def written(target: Target, value: Node, new: bool, op: str, label: str, fixed: frozenset[Index]) -> tuple[Statement, ...]:
    """The statements that write a value: a whole array where it is new and complete, otherwise into zeros or what is there."""
    if any(p.kind == "window" for p in target.where) or any(m != (0, 0) for m in target.margins):
        return _slice_adds(target, value, new, label, fixed)
    if new and target.is_whole and (statement := whole(target, value, label)) is not None:
        return (statement,)
    keys: tuple[Key, ...] = tuple(key(p, e) for p, e in zip(target.where, target.shape))
    store = Store(target.tensor.name, () if all(k == WHOLE for k in keys) else keys, op, placed(value, target), label)
    return (Fill(target.tensor.name, target.shape, target.tensor.dtype), store) if new else (store,)


def scattered(target: Target, positions: tuple[Node, ...], value: Node, op: str, label: str) -> Scatter:
    """`np.add.at`, or an assignment at integer arrays."""
    return Scatter(target.tensor.name, positions, op, value, label)
