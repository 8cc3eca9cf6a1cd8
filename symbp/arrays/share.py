"""Copies that several statements need are made once, under a name, and so are patches: those of a convolution, forward and for its weights.

Stage: L2 statements → L2 statements.  Only views that are brought into another shape by a copy are shared, and only while the arrays
behind them keep their values.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from symbp.arrays.memory import is_copied
from symbp.arrays.nodes import Assign, For, Name, Node, Scatter, Statement, Store, Windows, nodes, values
from symbp.language.names import NameSupply


@dataclass
class _Copy:
    """A copy: where it is needed first, how often, and the name that it gets."""

    node: Node
    place: int
    count: int = 0
    name: str = ""


def share(statements: Iterable[Statement], names: NameSupply) -> tuple[Statement, ...]:
    """The statements with each copy that is needed twice, or is one of windows, made once, under a name of the supply.

    >>> import sympy as sp
    >>> from symbp.arrays.nodes import permute, reshape
    >>> from symbp.language.index import Index
    >>> n, i, k = Index("n", 5), Index("i", 4), Index("k", 20)
    >>> turned = reshape(permute(Name((n, i), "float", "x"), (1, 0)), (k,), (sp.Integer(20),))
    >>> [s.name for s in share([Assign("a", turned), Assign("b", turned)], NameSupply("xab"))]
    ['x_matrix', 'a', 'b']
    """
    return tuple(_shared(list(statements), names))


def _shared(statements: list[Statement], names: NameSupply) -> Iterator[Statement]:
    statements = [replace(s, body=tuple(_shared(list(s.body), names))) if isinstance(s, For) else s for s in statements]
    versions: dict[str, int] = {}
    found: dict[tuple, _Copy] = {}
    keys: list[Callable[[Node], tuple]] = []
    for place, statement in enumerate(statements):
        key = _key_of(dict(versions))
        keys.append(key)
        for node in () if isinstance(statement, For) else (n for v in values(statement) for n in _copies(v)):
            found.setdefault(key(node), _Copy(node, place)).count += 1
        for name in _written(statement):
            versions[name] = versions.get(name, 0) + 1
    chosen = {k: c for k, c in found.items() if c.count > 1 or _slides(c.node)}
    for copy in chosen.values():
        copy.name = _fresh(copy.node, names)
    for place, (statement, key) in enumerate(zip(statements, keys)):
        for copy in chosen.values():
            if copy.place == place:
                yield Assign(copy.name, copy.node)
        yield statement if isinstance(statement, For) else _replaced(statement, lambda n, key=key: _named(n, chosen.get(key(n))))


def _named(node: Node, copy: _Copy | None) -> Node | None:
    return Name(node.axes, node.dtype, copy.name) if copy else None


def _copies(node: Node) -> Iterator[Node]:
    if is_copied(node):
        yield node
    else:
        for operand in node.operands:
            yield from _copies(operand)


def _key_of(versions: dict[str, int]) -> Callable[[Node], tuple]:
    """What two copies of equal content have in common: everything but the names of axes, and the states of their arrays."""
    def key(item: Any) -> tuple:
        if isinstance(item, Name):
            return "array", item.name, versions.get(item.name, 0)
        if isinstance(item, Node):
            return type(item).__name__, *(key(getattr(item, f.name)) for f in fields(item) if f.name != "axes")
        return tuple(map(key, item)) if isinstance(item, tuple) else (item,)

    return key


def _written(statement: Statement) -> set[str]:
    return {n for s in statement.body for n in _written(s)} if isinstance(statement, For) else {statement.name}


def _fresh(node: Node, names: NameSupply) -> str:
    """A name for a copy after the array that it copies."""
    source = next(n.name for n in nodes(node) if isinstance(n, Name))
    return names.fresh(f"{source}_{'patches' if _slides(node) else 'matrix'}")


def _slides(node: Node) -> bool:
    return any(isinstance(n, Windows) for n in nodes(node))


def _replaced(item: Any, change: Callable[[Node], Node | None]) -> Any:
    """A statement or a node with the copies in it that `change` answers for replaced."""
    if isinstance(item, tuple):
        return tuple(_replaced(part, change) for part in item)
    if isinstance(item, Node) and is_copied(item):
        return change(item) or item
    if isinstance(item, Node | Assign | Store | Scatter):
        made = {f.name: _replaced(getattr(item, f.name), change) for f in fields(item)
                if isinstance(getattr(item, f.name), Node) or _of_nodes(getattr(item, f.name))}
        return replace(item, **made) if any(made[k] is not getattr(item, k) for k in made) else item
    return item


def _of_nodes(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and isinstance(value[0], Node)
