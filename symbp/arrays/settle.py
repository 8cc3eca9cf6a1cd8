"""What is added up lies in memory in the order of its axes, so that readable and planned lines add the same numbers in the same order.

Stage: L2 statements → L2 statements.  NumPy gives the result of an elementwise operation the order of its operands, and adds along memory;
a planned line writes into a buffer whose axes are in order.  Where the two could differ, the array is copied into order.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace

from symbp.arrays.memory import keeps_order, merges_neighbours
from symbp.arrays.nodes import (
    Apply,
    Assign,
    Fill,
    Fold,
    For,
    Matmul,
    Name,
    Node,
    Permute,
    Reshape,
    Statement,
    Subscript,
    Windows,
    extent,
    nodes,
)

Loose = frozenset[str]


def settle(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """The statements with copies of what is added up in another order than that of its axes.

    >>> from symbp.language.index import Index
    >>> n, i = Index("n", 5), Index("i", 4)
    >>> turned = Permute((i, n), "float", Matmul((n, i), "float", Name((n, i), "float", "a"), Name((i, i), "float", "b")), (1, 0))
    >>> z, s = Assign("z", turned), Assign("s", Fold((), "float", "sum", Name((i, n), "float", "z"), (0, 1)))
    >>> settle([z, s])[0].value.op, settle([z])[0].value == turned
    ('copy', True)
    """
    statements = tuple(statements)
    made = {s.name: s.value for s in _flat(statements) if isinstance(s, Assign)}
    loose = _loose_names(made)
    wanted = {n for s in _flat(statements) for n in _added(s, loose)}
    while more := {n for name in wanted for n in _names(made[name]) & loose} - wanted:
        wanted |= more
    return tuple(_settled(s, frozenset(wanted)) for s in statements)


def _flat(statements: Iterable[Statement]) -> Iterator[Statement]:
    for statement in statements:
        yield from _flat(statement.body) if isinstance(statement, For) else (statement,)


def _loose_names(made: dict[str, Node]) -> Loose:
    """The arrays that may lie in another order than that of their axes."""
    found: Loose = frozenset()
    for name, value in made.items():
        if is_loose(value, found):
            found |= {name}
    return found


def is_loose(node: Node, names: Loose = frozenset()) -> bool:
    """Whether a node's array may lie in another order than that of its axes; `names` are the named arrays that do."""
    if isinstance(node, Name) and None in node.axes:  # the array behind a view: its extents are not known here
        return node.name in names
    if _long(node) < 2:
        return False
    if isinstance(node, Name):
        return node.name in names
    if isinstance(node, Permute | Windows):
        return True
    if isinstance(node, Reshape):
        return is_loose(node.source, names) and (len(node.axes) >= len(node.source.axes) or merges_neighbours(node))
    if isinstance(node, Subscript | Fold):
        return is_loose(node.source, names)
    return isinstance(node, Apply) and node.op != "copy" and any(is_loose(a, names) for a in node.args)


def _added(statement: Statement, loose: Loose) -> set[str]:
    """The loose arrays that a statement adds up or multiplies."""
    if isinstance(statement, Fill):
        return set()
    summed = [n for n in nodes(statement.value) if isinstance(n, Matmul) or isinstance(n, Fold) and n.op == "sum"]
    operands = (o for n in summed for o in n.operands if not (isinstance(o, Reshape) and _long(o) < _long(o.source)))
    return {name for operand in operands for name in _names(operand) & loose}


def _long(node: Node) -> int:
    """How many axes of a node do not have the extent 1."""
    return sum(extent(a) != 1 for a in node.axes)


def _names(node: Node) -> set[str]:
    return {n.name for n in nodes(node) if isinstance(n, Name)}


def _settled(statement: Statement, wanted: Loose) -> Statement:
    if isinstance(statement, For):
        return replace(statement, body=tuple(_settled(s, wanted) for s in statement.body))
    if isinstance(statement, Fill):
        return statement
    value = _in_order(statement.value)
    if isinstance(value, Reshape):
        value = _gathered(value)
    if isinstance(statement, Assign) and statement.name in wanted and is_loose(value):
        value = _copied(value)
    return replace(statement, value=value)


def _in_order(node: Node) -> Node:
    """The node with what is calculated only to be added up in order, and so are factors that a reshape would leave where they lie."""
    changes = {f.name: _of(getattr(node, f.name)) for f in fields(node)}
    if isinstance(node, Matmul):
        changes |= {side: _gathered(changes[side]) for side in ("left", "right")}
    if isinstance(node, Fold) and node.op == "sum" and isinstance(changes["source"], Apply) and is_loose(changes["source"]):
        changes["source"] = _copied(changes["source"])
    return replace(node, **changes)


def _gathered(node: Node) -> Node:
    """A factor with a copy in it where NumPy's reshape would be a view with gaps: it multiplies such by another routine."""
    if isinstance(node, Reshape) and not keeps_order(node.source):
        is_view = len(node.axes) >= len(node.source.axes) or merges_neighbours(node)
        return replace(node, source=_copied(node.source)) if is_view and _shows_names(node.source) else node
    return replace(node, source=_gathered(node.source)) if isinstance(node, Permute | Subscript) else node


def _shows_names(node: Node) -> bool:
    """Whether a node is a view of a named array with its axes in another order, or with gaps."""
    while isinstance(node, Permute | Subscript):
        node = node.source
    return isinstance(node, Name)


def _of(value: object) -> object:
    if isinstance(value, Node):
        return _in_order(value)
    return tuple(_of(v) for v in value) if isinstance(value, tuple) else value


def _copied(node: Node) -> Node:
    return Apply(node.axes, node.dtype, "copy", (node,))
