"""How the axes of an array expression lie in memory, as far as that decides in which order they are copied."""
from __future__ import annotations

from collections import Counter

import sympy as sp

from symbp.arrays.nodes import At, Axes, Name, New, Node, Pad, Permute, Reshape, Slice, Subscript, Windows, extent

MANY = 10**6
"""What a symbolic extent counts as."""


def ranks(node: Node) -> tuple[int, ...]:
    """For each axis of a node, which axis of the memory behind it runs: the largest is the innermost.

    An axis of windows and the axis that they slide along share one.  Anything that is calculated is a new array.
    """
    if isinstance(node, Permute):
        inner = ranks(node.source)
        return tuple(inner[k] for k in node.order)
    if isinstance(node, Windows):
        inner = ranks(node.source)
        return (*inner, inner[node.axis])
    if isinstance(node, Subscript):
        inner = iter(ranks(node.source))
        found = [(k, -1 if isinstance(k, New) else next(inner)) for k in node.keys]
        return (*(r for k, r in found if not isinstance(k, At)), *inner)
    return tuple(range(len(node.axes)))


def in_order(node: Node, order: Axes) -> bool:
    """Whether the axes in this order lie in memory one after the other, each once."""
    found = ranks(node)
    wanted = [found[node.axes.index(a)] for a in order]
    return all(a < b for a, b in zip(wanted, wanted[1:]))


def run(node: Node, order: Axes) -> int:
    """How many neighbours in memory a copy in this order meets one after the other: the last axis, where it is an innermost one."""
    found = ranks(node)
    last = order[-1]
    if found[node.axes.index(last)] < max(found):
        return 1
    size = extent(last)
    return int(size) if size.is_Integer else MANY


def better(node: Node, first: Axes, second: Axes) -> bool:
    """Whether copying a node's axes in the first order is better than in the second.

    >>> from symbp.language.index import Index
    >>> n, i, k = Index("n", 5), Index("i", 4), Index("k", 3)
    >>> x = Name((n, i, k), "float", "x")
    >>> better(x, (i, n, k), (n, k, i)), better(x, (n, k, i), (n, i, k))
    (True, False)
    """
    return (in_order(node, first), run(node, first)) > (in_order(node, second), run(node, second))


def merges_neighbours(node: Reshape) -> bool:
    """Whether a reshape merges axes that are neighbours in memory, so that NumPy copies nothing, where a slice leaves no gaps.

    Axes of extent 1 do not come between others; windows that slide along an axis have gaps.

    >>> from symbp.language.index import Index
    >>> n, g, c, f = Index("n", 5), Index("g", 2), Index("c", 3), Index("f", 6)
    >>> x = Name((g, c, n), "float", "x")
    >>> shown, copied = Permute((n, g, c), "float", x, (2, 0, 1)), Permute((c, n, g), "float", x, (1, 2, 0))
    >>> merges_neighbours(Reshape((n, f), "float", shown, (n.extent, f.extent)))
    True
    >>> merges_neighbours(Reshape((c, Index("h", 10)), "float", copied, (c.extent, sp.Integer(10))))
    False
    """
    places = dict(zip(node.source.axes, ranks(node.source)))
    units = {place for a, place in places.items() if extent(a) == 1}
    slid = [place for place, count in Counter(place for a, place in places.items() if extent(a) != 1).items() if count > 1]
    for group in merged(node):
        found = [places[a] for a in group if extent(a) != 1]
        if any(b <= a or not units.issuperset(range(a + 1, b)) or a in slid or b in slid for a, b in zip(found, found[1:])):
            return False
    return True


def merged(node: Reshape) -> list[Axes]:
    """For each axis of a reshape that merges axes, those of the source that it is made of.

    >>> from symbp.language.index import Index
    >>> n, g, c, f = Index("n", 5), Index("g", 2), Index("c", 3), Index("f", 6)
    >>> x = Name((n, g, c), "float", "x")
    >>> merged(Reshape((n, f), "float", x, (n.extent, f.extent)))
    [(n,), (g, c)]
    """
    axes, found = list(node.source.axes), []
    for length in node.shape:
        group: Axes = ()
        while axes and (not group or sp.expand(sp.Mul(*map(extent, group)) - length) != 0):
            group = (*group, axes.pop(0))
        found.append(group)
    return found


def keeps_order(node: Node) -> bool:
    """Whether a reshape of the node is a view: a whole array, a row or neighbouring rows of one, or a reshape of one."""
    if isinstance(node, Subscript):
        first = next((k for k, key in enumerate(node.keys) if not isinstance(key, At)), len(node.keys))
        rows = isinstance(node.keys[first], Slice) and node.keys[first].step == 1 if first < len(node.keys) else True
        return keeps_order(node.source) and rows and all(isinstance(key, Slice) and key.whole for key in node.keys[first + 1:])
    return isinstance(node, Name) or isinstance(node, Reshape) and keeps_order(node.source)


def is_shown(node: Node) -> bool:
    """Whether a node is a view with its axes in the order of memory: a whole array, slices of one, or a reshape that copies nothing."""
    if isinstance(node, Subscript):
        return is_shown(node.source)
    return isinstance(node, Name) or isinstance(node, Reshape) and keeps_order(node.source)


def is_copied(node: Node) -> bool:
    """Whether a node is a view of named arrays, brought into another shape by a copy."""
    return isinstance(node, Reshape) and not keeps_order(node.source) and _is_view(node.source)


def _is_view(node: Node) -> bool:
    if isinstance(node, Subscript | Permute | Windows | Reshape | Pad):
        return _is_view(node.source)
    return isinstance(node, Name)
