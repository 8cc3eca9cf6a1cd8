"""How a tensor is read, or written: which view of the whole array has one axis for each index of an access.

Stage: Access → array expression.  Each position is one of

    fixed    c, or a loop's index            x[3], h[t+1]             a subscript
    slice    s·i + c                         x[2*i + 1], x[3 - i]     a slice
    split    H·i + j, j running over H       y[4*h + d]               a reshape
    window   s·i + d·u + c                   X[2*i + u - 1]           sliding windows of the (padded) axis, then slices
    take     data, i twice, −i + j           E[t[n]], x[i, i]         integer arrays

A slice runs backwards only to where it is known to end: from 0 down, a number that changes would count from the other end.
"""
from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import sympy as sp

from symbp.arrays.nodes import WHOLE, At, Key, Node, Slice, Windows, joint, relabelled, reshape, subscript
from symbp.language.affine import coefficients
from symbp.language.index import Index
from symbp.language.tensor import Access


@dataclass(frozen=True)
class Position:
    """One position of an access: its kind, its indices with their factors (largest first), and where it starts.

    first: the position at the start of all indices, counted from the axis's beginning.  count: how many elements of the axis
    lie between the first and the last position, both included, with a minus where a slice runs backwards.
    """

    kind: str
    terms: tuple[tuple[Index, int], ...] = ()
    first: sp.Expr = sp.S.Zero
    count: sp.Expr = sp.S.One

    @property
    def indices(self) -> tuple[Index, ...]:
        """The indices, largest factor first."""
        return tuple(i for i, _ in self.terms)


def classify(position: sp.Expr, origin: sp.Expr = sp.S.Zero, fixed: Collection[Index] = ()) -> Position:
    """The kind of one position.

    >>> i, u, h, d = Index("i", 4), Index("u", 3), Index("h", 2), Index("d", 5)
    >>> [classify(p).kind for p in (sp.Integer(3), 2*i + 1, 5*h + d, 2*i + u, 3 - i, u - i, 3*i + 2*u)]
    ['fixed', 'slice', 'split', 'window', 'slice', 'take', 'window']
    """
    position = sp.expand(position)
    split = None if position.has(Access) else coefficients(position)
    if split is None:
        return Position("take")
    factors = {i: int(s) for i, s in split[0].items() if i not in fixed}
    rest = sp.expand(position - sum(s * i for i, s in factors.items()) - origin)
    if len(factors) > 1 and any(s < 0 for s in factors.values()):
        return Position("take")
    terms = tuple(sorted(((i, s) for i, s in factors.items()), key=lambda t: (-t[1], t[0].name)))
    first = sp.expand(rest + sum(s * i.start for i, s in terms))
    count = sp.expand(sum(s * (i.extent - 1) for i, s in terms) + (-1 if any(s < 0 for _, s in terms) else 1))
    if any(s < 0 for _, s in terms) and not ((stop := sp.expand(first + count)).is_Integer and stop >= -1):
        return Position("take")
    kind = "fixed" if not terms else "slice" if len(terms) == 1 else "split" if _is_split(terms) else "window"
    return Position(kind, terms, first, count)


def _is_split(terms: tuple[tuple[Index, int], ...]) -> bool:
    """Whether each factor is the product of all smaller extents, so that every element is met once, in order."""
    unit = sp.S.One
    for index, factor in reversed(terms):
        if factor != unit:
            return False
        unit = unit * index.extent
    return True


def positions(access: Access, origins: tuple[sp.Expr, ...], fixed: Collection[Index]) -> tuple[Position, ...]:
    """All positions of an access; every one is a take where an index stands in two of them."""
    found = tuple(classify(p, o, fixed) for p, o in zip(access.indices, origins))
    names = [i for p in found for i in p.indices]
    if any(p.kind == "take" for p in found) or len(set(names)) < len(names):
        return tuple(Position("take") for _ in found)
    return found


def key(position: Position, extent: sp.Expr) -> Key:
    """The subscript of a fixed position, of a slice, or of the whole stretch of a split."""
    if position.kind == "fixed":
        return At(position.first)
    step = position.terms[0][1] if position.kind == "slice" else 1
    if position.first == 0 and step == 1 and sp.expand(position.count - extent) == 0:
        return WHOLE
    stop = sp.expand(position.first + position.count)
    if step < 0:
        return Slice(None if sp.expand(position.first - extent) == -1 else position.first, None if stop == -1 else stop, step)
    return Slice(position.first, stop, step)


def view(source: Node, where: tuple[Position, ...], shape: tuple[sp.Expr, ...]) -> Node:
    """The view of a whole array with one axis for each index; `shape` are the extents of the array, margins included.

    Axes that several indices share are divided before slices are taken, where these leave them whole: a whole array need not be copied
    for that.
    """
    keys = tuple(WHOLE if p.kind == "window" else key(p, e) for p, e in zip(where, shape))
    labels = tuple(None if p.kind == "fixed" else Index(f"window {k}", e) if p.kind == "window" else joint(p.indices)
                   for k, (p, e) in enumerate(zip(where, shape)))
    free = [(p, a, e) for p, a, e in zip(where, labels, shape) if a is not None]
    split = [k for p, k in zip(where, keys) if p.kind == "split"]
    if split and all(k == WHOLE for k in split):
        whole = tuple(a if a is not None and k == WHOLE else Index(f"axis {n}", e) for n, (a, k, e) in enumerate(zip(labels, keys, shape)))
        divided = _split(relabelled(source, whole), where, shape)
        axes = tuple(i for p, a, _ in free for i in (p.indices if p.kind == "split" else (a,)))
        node = subscript(divided, tuple(_each(where, keys)), axes)
    else:
        lengths = [p.indices[0].extent if p.kind == "slice" else p.count if p.kind == "split" else e for p, _, e in free]
        node = _split(subscript(source, keys, tuple(a for _, a, _ in free)), [p for p, *_ in free], lengths)
    return _windows(node, [(a, p) for p, a, _ in free if p.kind == "window"])


def _split(node: Node, positions: Sequence[Position], extents: Sequence[sp.Expr]) -> Node:
    """The axes of splits, divided among their indices by a reshape; for each axis of the node its position and its extent."""
    if not any(p.kind == "split" for p in positions):
        return node
    axes, shape = [], []
    for p, axis, extent in zip(positions, node.axes, extents):
        axes += p.indices if p.kind == "split" else [axis]
        shape += [i.extent for i in p.indices] if p.kind == "split" else [extent]
    return reshape(node, tuple(axes), tuple(shape))


def _each(where: Sequence[Position], keys: Sequence[Key]) -> Iterator[Key]:
    """The subscripts of an array whose splits are divided: one for each of their indices."""
    for p, k in zip(where, keys):
        yield from [k] * (len(p.indices) if p.kind == "split" else 1)


def _windows(node: Node, kinds: list[tuple[Index, Position]]) -> Node:
    """Each of these axes as sliding windows: the index of the largest factor steps from window to window."""
    open_ = [(label, list(p.terms), p.first) for label, p in kinds]
    while open_:
        sliced: dict[Index | None, tuple[Index, Slice]] = {}
        rest = []
        for label, ((index, step), *terms), first in open_:
            axis, extent = node.axes.index(label), label.extent
            if terms:
                length = sp.expand(sum(s * (i.extent - 1) for i, s in terms) + 1)
                inner = Index(f"{label.name} of {index.name}", length)
                node = Windows((*node.axes, inner), node.dtype, node, axis, length)
                rest.append((inner, terms, sp.S.Zero))
                extent = extent - length + 1
            stop = sp.expand(first + step * (index.extent - 1) + 1)
            sliced[label] = index, Slice(first, stop, step, first == 0 and step == 1 and sp.expand(stop - extent) == 0)
        keys = tuple(sliced[a][1] if a in sliced else WHOLE for a in node.axes)
        node = subscript(node, keys, tuple(sliced[a][0] if a in sliced else a for a in node.axes))
        open_ = rest
    return node
