"""A matrix that lies within patches of the same array is not copied: products take it from the patches.

Stage: L2 statements → L2 statements.  Where windows have a tap with which each stands on its own element, the patches hold the array
itself.  The gradient of a convolution's input has such patches of the cotangents, which that of the kernel needs as a matrix.
"""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import fields, replace
from operator import is_
from typing import Any

import sympy as sp

from symbp.arrays.memory import merged
from symbp.arrays.nodes import (
    WHOLE,
    Assign,
    At,
    Axes,
    For,
    Key,
    Matmul,
    Name,
    Node,
    Permute,
    Reshape,
    Statement,
    Subscript,
    extent,
    joint,
    nodes,
    permute,
    reshape,
    values,
)
from symbp.arrays.patches import Patches, patches
from symbp.arrays.share import key_of, written

content = key_of({})


def within(statements: Iterable[Statement], kept: Collection[str]) -> tuple[Statement, ...]:
    """The statements with products that take matrices from patches, which are made where the first such product stands.

    kept: arrays that are needed in any case.
    """
    found = list(statements)
    for statement in [s for s in found if isinstance(s, Assign) and isinstance(s.value, Reshape)]:
        shown = patches(statement.value.source)
        view = None if shown is None else _view(statement, shown)
        if view is not None:
            found = _taken(found, statement, *view, kept)
    return tuple(found)


def _view(statement: Assign, shown: Patches) -> tuple[tuple, Node] | None:
    """The matrix that patches hold, by its content, and their view that shows it; None where they hold none."""
    value, axes = statement.value, statement.value.source.axes
    taps = dict(shown.tapped())
    if shown.cut():
        return None
    at: dict[int, int] = {}
    for tap, windows in taps.items():
        inner, along = shown.axes[tap], shown.axes[windows]
        own = [k for k in range(int(extent(axes[tap]))) if along.first + inner.first + k * inner.step == 0]
        if not own or along.step != 1 or shown.extents[along.axis] != extent(axes[windows]):
            return None
        at[tap] = own[0]
    groups = [[axes.index(a) for a in group] for group in merged(value)]
    if any(k in taps and not {*group[j:]} <= {*taps} for group in groups for j, k in enumerate(group)):
        return None
    kept = [[k for k in group if k not in taps] for group in groups]
    order = tuple(shown.axes[k].axis for group in kept for k in group)
    shape = tuple(sp.Mul(*(extent(axes[k]) for k in group)) for group in kept)
    matrix = Reshape((None,) * len(shape), value.dtype, permute(shown.image, order), shape)
    divided: list[int | Axes] = []
    for group, rest in zip(groups, kept):
        divided += [tuple(axes[k] for k in rest), *(k for k in group if k in taps)]
    labels = tuple(joint(d) if isinstance(d, tuple) else axes[d] for d in divided)
    keys: tuple[Key, ...] = tuple(WHOLE if isinstance(d, tuple) else At(sp.Integer(at[d])) for d in divided)
    source = reshape(Name(value.axes, value.dtype, statement.name), labels, tuple(map(extent, labels)))
    return content(matrix), Subscript(value.axes, value.dtype, source, keys)


def _taken(found: list[Statement], made: Assign, matrix: tuple, view: Node, kept: Collection[str]) -> list[Statement]:
    """The statements with products that take a matrix from the view of the patches that a statement makes.

    None do where something changes the array between the first and the last of those that read it: contents are compared by name.
    """
    names = {s.name for s in found if isinstance(s, Assign) and s.name not in kept and content(s.value) == matrix}

    def change(node: Node) -> Node | None:
        shown = content(node) == matrix or isinstance(node, Name) and node.name in names
        return replace(view, axes=node.axes) if shown else None

    changed = [s if isinstance(s, For) else _factors(s, change) for s in found]
    places = [k for k, (old, new) in enumerate(zip(found, changed)) if old is not new]
    here = found.index(made)
    first, read = min([here, *places]), {n.name for n in nodes(made.value) if isinstance(n, Name)}
    met = [here, *places, *(k for k, s in enumerate(found) if isinstance(s, Assign) and s.name in names)]
    if not places or any(written(s) & read for s in found[min(met):max(met)]):
        return found
    moved = [*changed[:first], made, *changed[first:here], *changed[here + 1:]]
    left = {n.name for s in moved for v in values(s) for n in nodes(v) if isinstance(n, Name)}
    return [s for s in moved if not (isinstance(s, Assign) and s.name in names - left)]


def _factors(item: Any, change: Callable[[Node], Node | None], is_factor: bool = False) -> Any:
    """A statement or a node with what `change` answers for factors of matrix products; itself where that is nothing."""
    if is_factor and (made := change(item)) is not None:
        return made
    inside = isinstance(item, Matmul) or is_factor and isinstance(item, Permute)
    changes = {}
    for field in fields(item):
        value = getattr(item, field.name)
        if isinstance(value, Node) and (part := _factors(value, change, inside)) is not value:
            changes[field.name] = part
        elif isinstance(value, tuple) and value and isinstance(value[0], Node):
            parts = tuple(_factors(v, change) for v in value)
            changes |= {} if all(map(is_, parts, value)) else {field.name: parts}
    return replace(item, **changes) if changes else item
