"""What several statements need is made once, under a name: patches of a convolution, forward and for its weights, or an error function.

Stage: L2 statements → L2 statements.  Views that are brought into another shape by a copy are shared, and functions that take long, and
only while the arrays behind them keep their values.  Patches have a name in any case.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from symbp.arrays.memory import is_copied
from symbp.arrays.nodes import Apply, Assign, For, Name, Node, Scatter, Statement, Store, Windows, is_view, nodes, values
from symbp.language.names import NameSupply

LONG = ("erf", "exp", "log", "tanh", "sin", "cos")
"""Functions that take longer than to write their values and to read them again."""


@dataclass
class _Copy:
    """What may be shared: where it is needed first, how often, and the name that it gets.

    is_there: a statement makes it by itself, under a name that no other writes.
    """

    node: Node
    place: int
    count: int = 0
    name: str = ""
    is_there: bool = False


def share(statements: Iterable[Statement], names: NameSupply) -> tuple[Statement, ...]:
    """The statements with what is needed twice, and each copy of windows, made once, under a name of the supply.

    >>> import sympy as sp
    >>> from symbp.arrays.nodes import Apply, permute, reshape
    >>> from symbp.language.index import Index
    >>> n, i, k = Index("n", 5), Index("i", 4), Index("k", 20)
    >>> turned = reshape(permute(Name((n, i), "float", "x"), (1, 0)), (k,), (sp.Integer(20),))
    >>> sum = Apply((k,), "float", "add", (turned, turned))
    >>> [s.name for s in share([Assign("a", sum), Assign("b", turned)], NameSupply("xab"))]
    ['x_matrix', 'a', 'b']
    """
    return tuple(_shared(list(statements), names))


def _shared(statements: list[Statement], names: NameSupply) -> Iterator[Statement]:
    statements = [replace(s, body=tuple(_shared(list(s.body), names))) if isinstance(s, For) else s for s in statements]
    versions: dict[str, int] = {}
    found: dict[tuple, _Copy] = {}
    keys: list[Callable[[Node], tuple]] = []
    for place, statement in enumerate(statements):
        key = key_of(dict(versions))
        keys.append(key)
        for node in () if isinstance(statement, For) else (n for v in values(statement) for n in _copies(v)):
            found.setdefault(key(node), _Copy(node, place)).count += 1
        for name in written(statement):
            versions[name] = versions.get(name, 0) + 1
    for copy in reversed(found.values()):
        for inner in _copies(copy.node):
            if copy.count > 1 and inner is not copy.node:
                found[keys[copy.place](inner)].count -= copy.count - 1
    chosen = {k: c for k, c in found.items() if c.count > 1 or _slides(c.node)}
    for copy in chosen.values():
        first = statements[copy.place]
        copy.is_there = isinstance(first, Assign) and first.value is copy.node and versions[first.name] == 1
        copy.name = first.name if copy.is_there else _fresh(copy.node, names)
    for place, (statement, key) in enumerate(zip(statements, keys)):
        change = partial(_changed, chosen, key)
        here = [copy for copy in chosen.values() if copy.place == place]
        yield from (Assign(copy.name, _replaced_inside(copy.node, change)) for copy in here if not copy.is_there)
        if isinstance(statement, For):
            yield statement
        elif any(copy.is_there for copy in here):
            yield replace(statement, value=_replaced_inside(statement.value, change))
        else:
            yield _own(_replaced(statement, change), statement)


def _own(made: Statement, given: Statement) -> Statement:
    """The statement with an array of its own where it would only be a view of what is shared."""
    if isinstance(made, Assign) and made.value is not given.value and is_view(made.value):
        return replace(made, value=Apply(made.value.axes, made.value.dtype, "copy", (made.value,)))
    return made


def _changed(chosen: dict[tuple, _Copy], key: Callable[[Node], tuple], node: Node) -> Node | None:
    """The name that stands for a node, or None."""
    copy = chosen.get(key(node))
    return Name(node.axes, node.dtype, copy.name) if copy else None


def _copies(node: Node) -> Iterator[Node]:
    """What of a node may be shared; a function's operands come before it."""
    for operand in () if is_copied(node) else node.operands:
        yield from _copies(operand)
    if _may_share(node):
        yield node


def _may_share(node: Node) -> bool:
    return is_copied(node) or isinstance(node, Apply) and node.op in LONG and bool(node.axes)


def key_of(versions: dict[str, int]) -> Callable[[Node], tuple]:
    """What two copies of equal content have in common: everything but the names of axes, and the states of their arrays."""
    def key(item: Any) -> tuple:
        if isinstance(item, Name):
            return "array", item.name, versions.get(item.name, 0)
        if isinstance(item, Node):
            return type(item).__name__, *(key(getattr(item, f.name)) for f in fields(item) if f.name != "axes")
        return tuple(map(key, item)) if isinstance(item, tuple) else (item,)

    return key


def written(statement: Statement) -> set[str]:
    """The arrays that a statement changes."""
    return {n for s in statement.body for n in written(s)} if isinstance(statement, For) else {statement.name}


def _fresh(node: Node, names: NameSupply) -> str:
    """A name after the array that is copied, or that a function is one of."""
    what = node.op if isinstance(node, Apply) else "patches" if _slides(node) else "matrix"
    source = next((n.name for n in nodes(node) if isinstance(n, Name)), "")
    return names.fresh(f"{source}_{what}" if source else what)


def _slides(node: Node) -> bool:
    return is_copied(node) and any(isinstance(n, Windows) for n in nodes(node))


def _replaced(item: Any, change: Callable[[Node], Node | None]) -> Any:
    """A statement or a node with what `change` answers for replaced."""
    if isinstance(item, tuple):
        return tuple(_replaced(part, change) for part in item)
    if isinstance(item, Node) and _may_share(item) and (made := change(item)) is not None:
        return made
    return item if isinstance(item, Node) and is_copied(item) else _replaced_inside(item, change)


def _replaced_inside(item: Any, change: Callable[[Node], Node | None]) -> Any:
    """The same with what stands in it replaced, and not itself."""
    if isinstance(item, Node | Assign | Store | Scatter):
        made = {f.name: _replaced(getattr(item, f.name), change) for f in fields(item)
                if isinstance(getattr(item, f.name), Node) or _of_nodes(getattr(item, f.name))}
        return replace(item, **made) if any(made[k] is not getattr(item, k) for k in made) else item
    return item


def _of_nodes(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and isinstance(value[0], Node)
