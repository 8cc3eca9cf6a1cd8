"""What patches of an image consist of: what each axis of a view of sliding windows runs along.

Stage: array expression → the image behind it and its axes.  Windows that reach over the image have zeros there.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import sympy as sp

from symbp.arrays.nodes import Node, Pad, Permute, Reshape, Slice, Subscript, Windows, extent, nodes, reshape

CACHED, SMALL = 2**18, 2**11
"""So many numbers of images stay in a processor's cache; images of fewer are all copied at once."""


@dataclass(frozen=True)
class Along:
    """What an axis of windows runs along: an axis of the image, from where on, in which steps.

    taps: whether it runs within a window.  part: whether it may leave out elements of the image.
    """

    axis: int
    first: int = 0
    step: int = 1
    taps: bool = False
    part: bool = False


@dataclass(frozen=True)
class Patches:
    """Windows of an image: its extents where margins are left out, and what each axis of the windows runs along."""

    image: Node
    extents: tuple[sp.Expr | None, ...]
    axes: tuple[Along, ...]

    @property
    def padded(self) -> bool:
        """Whether windows reach over the image's margins."""
        return any(e is not None for e in self.extents)

    def tapped(self) -> list[tuple[int, int]]:
        """The numbers of the axes of taps, each with that of its windows' axis."""
        windows = {a.axis: k for k, a in enumerate(self.axes) if not a.taps}
        return [(k, windows[a.axis]) for k, a in enumerate(self.axes) if a.taps]

    def cut(self) -> list[int]:
        """The numbers of the other axes that may leave out elements of the image."""
        windows = {k for pair in self.tapped() for k in pair}
        return [k for k, a in enumerate(self.axes) if k not in windows and a.part]


def patches(node: Node) -> Patches | None:
    """The windows that a node shows; None where it shows none, their numbers are no integers, or other axes have margins.

    >>> from symbp.arrays.nodes import Name
    >>> from symbp.language.index import Index
    >>> i, u = Index("i", 6), Index("u", 3)
    >>> padded = Pad((i,), "float", Name((i,), "float", "x"), ((1, 1),), (sp.Integer(8),), "zero")
    >>> patches(Windows((i, u), "float", padded, 0, sp.Integer(3))).axes[0].first
    -1
    """
    found = _shown(node) if any(isinstance(n, Windows) for n in nodes(node)) else None
    if found is None or not found.tapped():
        return None
    slid = {found.axes[k].axis for k, _ in found.tapped()}
    known = [k for pair in found.tapped() for k in pair] + found.cut()
    extents = [extent(node.axes[k]) for k in known] + [e for e in found.extents if e is not None]
    margins = any(e is not None and k not in slid for k, e in enumerate(found.extents))
    return found if not margins and all(e.is_Integer for e in extents) else None


def block(found: Patches, node: Node) -> int | None:
    """How many images have rows that stay in the cache until all taps have met them; None where a batch of any size will do."""
    windows, cut = {k for _, k in found.tapped()}, {*found.cut()}
    sizes = []
    for k, along in enumerate(found.axes):
        if not along.taps and along.axis != 0:
            size = found.extents[along.axis] if k in windows else None
            sizes.append(along.step * extent(node.axes[k]) if size is None else size)
    if any(found.axes[k].axis == 0 for k in windows | cut) or not all(e.is_Integer for e in sizes) or prod(map(int, sizes)) < SMALL:
        return None
    return max(1, CACHED // prod(map(int, sizes)))


def _shown(node: Node) -> Patches | None:
    if isinstance(node, Pad):
        if node.fill != "zero":
            return None
        margins = [bool(a or b) for a, b in node.widths]
        return Patches(node.source, tuple(sp.expand(e - a - b) if m else None for e, (a, b), m in zip(node.shape, node.widths, margins)),
                       tuple(Along(k, -a) for k, (a, _) in enumerate(node.widths)))
    if isinstance(node, Permute | Subscript | Reshape | Windows) and any(isinstance(n, Windows | Pad) for n in nodes(node)):
        inner = _shown(node.source)
        return None if inner is None else _viewed(node, inner)
    return Patches(node, (None,) * len(node.axes), tuple(map(Along, range(len(node.axes)))))


def _viewed(node: Node, inner: Patches) -> Patches | None:
    """The patches of a view of something that shows patches."""
    if isinstance(node, Permute):
        return replace(inner, axes=tuple(inner.axes[k] for k in node.order))
    if isinstance(node, Windows):
        slid = inner.axes[node.axis]
        return None if slid.taps else replace(inner, axes=(*inner.axes, Along(slid.axis, 0, slid.step, True)))
    if isinstance(node, Reshape):
        return _divided(node, inner)
    assert isinstance(node, Subscript)
    if not all(isinstance(k, Slice) and (k.whole or k.step > 0 and k.start is not None and k.start.is_Integer) for k in node.keys):
        return None
    sliced = [a if k.whole else replace(a, first=a.first + a.step * int(k.start), step=a.step * k.step, part=True)
              for a, k in zip(inner.axes, node.keys)]
    return replace(inner, axes=(*sliced, *inner.axes[len(sliced):]))


def _divided(node: Reshape, inner: Patches) -> Patches | None:
    """Patches of an image one of whose axes is divided, such as channels into groups; one with margins is not."""
    if not isinstance(node.source, Pad):
        return None
    rest, shape, axes, extents = list(node.shape), list[sp.Expr](), list[Along](), list[sp.Expr | None]()
    for along, without, padded in zip(inner.axes, inner.extents, node.source.shape):
        parts = [rest.pop(0)] if rest else []
        while rest and sp.expand(sp.Mul(*parts) - padded) != 0:
            parts.append(rest.pop(0))
        if sp.expand(sp.Mul(*parts) - padded) != 0 or len(parts) > 1 and without is not None:
            return None
        axes += [replace(along, axis=len(axes) + k) for k in range(len(parts))]
        shape += parts if without is None else [without]
        extents += [without] * len(parts)
    return None if rest else Patches(reshape(inner.image, node.axes, tuple(shape)), tuple(extents), tuple(axes))
