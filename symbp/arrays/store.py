"""How a value is written: as a whole array, into slices, by strided slice-adds (the mirror image of windows), or scattered.

Stage: target access and value → statements.
"""
from __future__ import annotations

from dataclasses import dataclass, replace

import sympy as sp

from symbp.arrays.access import Position, classify, key
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
from symbp.language.tensor import Access, Tensor


@dataclass(frozen=True)
class Target:
    """Where a value goes: the tensor's array, its shape at this access, the positions, and margins that are cut off again."""

    tensor: Tensor
    access: Access
    shape: tuple[sp.Expr, ...]
    where: tuple[Position, ...]
    margins: tuple[tuple[int, int], ...]

    @property
    def is_whole(self) -> bool:
        """Whether every element of the array is written, once."""
        return all(e == 1 if p.kind == "fixed" else p.kind in ("slice", "split") and key(p, e) == WHOLE
                   for p, e in zip(self.where, self.shape))

    @property
    def axes(self) -> Axes:
        """The indices in the order of the array's axes."""
        return tuple(i for p in self.where for i in p.indices)


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


def whole(target: Target, value: Node, label: str) -> Assign | None:
    """`name = value`, where the value has all axes."""
    complete = full(value, target.axes) if target.shape else value
    if complete is None:
        return None
    value = _with_units(merged(complete, target), target)
    return Assign(target.tensor.name, Apply(value.axes, value.dtype, "copy", (value,)) if is_view(value) else value, label)


def into(target: Target, value: Node, op: str, label: str, fixed: frozenset[Index]) -> tuple[Statement, ...]:
    """The statements that write a value into an array that is there."""
    name = target.tensor.name
    if any(p.kind == "window" for p in target.where) or any(m != (0, 0) for m in target.margins):
        return _slice_adds(target, value, label, fixed)
    keys: tuple[Key, ...] = tuple(key(p, e) for p, e in zip(target.where, target.shape))
    return (Store(name, () if all(k == WHOLE for k in keys) else keys, op, placed(value, target), label),)


def placed(value: Node, target: Target) -> Node:
    """The value as it broadcasts against the subscripted array."""
    if all(p.kind != "split" for p in target.where):
        return aligned(value, target.axes)
    complete = full(value, target.axes)
    return merged(broadcast(value, target.axes) if complete is None else complete, target)


def _slice_adds(target: Target, value: Node, label: str, fixed: frozenset[Index]) -> tuple[Statement, ...]:
    """Σ into overlapping windows: one strided slice-add for each tap; the taps are the indices of the smaller extents."""
    taps = tuple(i for p in target.where if p.kind == "window" for i in _taps(p))
    loops = {i: Index(i.name, i.extent, i.start) for i in taps}
    padded = any(m != (0, 0) for m in target.margins)
    name = target.tensor.name + "_padded" if padded else target.tensor.name
    before = [m[0] for m in target.margins]
    where = tuple(classify(p + b, o, fixed | set(taps)) for p, b, o in zip(target.access.indices, before, target.tensor.origin))
    shape = tuple(sp.expand(e + a + b) for e, (a, b) in zip(target.shape, target.margins))
    slices = replace(target, where=where, shape=shape)
    at = tuple(At(loops[a] - a.start) if a in taps else WHOLE for a in value.axes)
    part = subscript(value, at, tuple(a for a in value.axes if a not in taps))
    temporary = Assign(target.tensor.name + "_taps", value, label) if value.operands else None
    if temporary is not None:
        part = subscript(Name(value.axes, value.dtype, temporary.name), at, part.axes)
    body: tuple[Statement, ...] = (Store(name, tuple(key(p, e) for p, e in zip(where, shape)), "+=", placed(part, slices), label),)
    for tap in reversed(taps):
        body = (For(tap, tap.start, tap.extent, "ascending", body),)
    made: tuple[Statement, ...] = (temporary,) * (temporary is not None) + body
    if not padded:
        return made
    crop = tuple(Slice(sp.Integer(a), sp.expand(a + e), 1, a == b == 0) for e, (a, b) in zip(target.shape, target.margins))
    inner = subscript(Name((None,) * len(shape), "float", name), crop, (None,) * len(shape))
    return (Fill(name, shape, target.tensor.dtype, label), *made, Store(target.tensor.name, (), "+=", inner, label))


def _taps(position: Position) -> tuple[Index, ...]:
    """All indices of a window but the one of the largest extent, which a slice runs over."""
    kept = max(position.indices, key=lambda i: (int(i.extent) if i.extent.is_Integer else 10**9, -position.indices.index(i)))
    return tuple(i for i in position.indices if i != kept)


def scattered(target: Target, positions: tuple[Node, ...], value: Node, op: str, label: str) -> Scatter:
    """`np.add.at`, or an assignment at integer arrays."""
    return Scatter(target.tensor.name, positions, op, value, label)
