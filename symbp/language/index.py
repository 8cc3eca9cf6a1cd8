"""Indices and sizes: the integers that an equation counts with.

An `Index` runs over `start, start+1, …, start+extent-1` and carries its extent, so that
an equation alone says what it loops over.  A size is a positive integer symbol.
"""
from __future__ import annotations

import sympy as sp
from sympy.core.sympify import _sympify

from symbp.errors import LanguageError

SizeLike = sp.Expr | int


def size(name: str) -> sp.Symbol:
    """A symbolic extent such as N or H: a positive integer.

    >>> size("N") + 1 > 0
    True
    """
    return sp.Symbol(name, integer=True, positive=True)


def as_extent(value: SizeLike, what: str) -> sp.Expr:
    """Return `value` as a SymPy extent; `what` names it in the error for a non-positive one."""
    extent = _sympify(value)
    if extent.is_Number and not (extent.is_Integer and extent > 0):
        raise LanguageError(f"{what} must be a positive whole number, not {value}")
    return extent


class Index(sp.Symbol):
    """An index with its range: `Index("i", 5)` runs over 0…4, `Index("l", L, start=1)` over 1…L.

    `extent` is a positive integer, a size symbol, a size expression, or depends on an outer
    loop's index (`n(l)`).  `part`: it may stand alone on a longer axis, of which it runs over a part.
    Two indices are equal when all of these are.

    >>> i = Index("i", 5)
    >>> 2*i + 1
    2*i + 1
    >>> Index("i", 5) == i, Index("i", 6) == i
    (True, False)
    """

    __slots__ = ("extent", "start", "part")

    def __new__(cls, name: str, extent: SizeLike, start: SizeLike = 0, part: bool = False) -> Index:
        self = sp.Symbol.__xnew__(cls, name, integer=True)
        self.extent = as_extent(extent, f"the extent of index {name}")
        self.start = _sympify(start)
        self.part = part
        return self

    def _hashable_content(self) -> tuple:
        return (self.name, self.extent, self.start, self.part)

    def __getnewargs_ex__(self) -> tuple:
        return ((self.name, self.extent, self.start, self.part), {})

    @property
    def last(self) -> sp.Expr:
        """The largest value that the index takes."""
        return self.start + self.extent - 1

    def renamed(self, name: str) -> Index:
        """The same range under another name."""
        return Index(name, self.extent, self.start, self.part)


def indices_of(expression: sp.Basic) -> tuple[Index, ...]:
    """Every index that occurs in an expression, in the order of its printed form (left to right)."""
    found: dict[Index, None] = {}
    for node in sp.preorder_traversal(expression):
        if isinstance(node, Index):
            found.setdefault(node)
    return tuple(found)


def substitute(expression: sp.Basic, mapping: dict[sp.Basic, sp.Basic]) -> sp.Basic:
    """Substitute indices and sizes, also inside the extents of the other indices.

    An index whose extent mentions a substituted symbol (`j` of extent `n(l)`) becomes the index
    with the substituted extent.
    """
    full = dict(mapping)
    for index in indices_of(expression):
        if index not in full:
            full[index] = _moved(index, mapping)
    return expression.xreplace(full)


def _moved(index: Index, mapping: dict[sp.Basic, sp.Basic]) -> Index:
    """The index with its own range substituted."""
    if index.extent.is_Integer and index.start.is_Integer:
        return index
    extent, start = substitute(index.extent, mapping), substitute(index.start, mapping)
    return index if (extent, start) == (index.extent, index.start) else Index(index.name, extent, start, index.part)
