r"""What went wrong in a formula: changes of one place that make it right.

A slip is offered only where the changed formula equals the other side at every point; it explains, it does not prove.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lark import Token, Tree

FACTORS = ((r"2", "a factor 2 is missing"), (r"\frac{1}{2}", "a factor 2 is too many"), ("N", "a factor N is missing"),
           (r"\frac{1}{N}", "a factor 1/N is missing"))
PRIME = Token("PRIME", "'")

Change = tuple[str, Any]
"""What a slip was, and the formula's side without it."""


def changes(side: Any, names: Sequence[str], name_of: Callable[[Any], str | None], marks: Sequence[str],
            functions: Sequence[str]) -> Iterator[Change]:
    """Every side that one change makes of this one, the plainest slips first.

    names: what symbols may be replaced by.  name_of: the name that a leaf with its scripts has.  functions: symbols that call one.
    """
    yield "the sign is wrong", Tree("negative", [side])
    for text, what in FACTORS:
        yield what, Tree("chain", [_number(text), Tree("paren", [side])])
    for path, node in _walk(side):
        for what, new in _local(node, path, side, functions):
            yield what, _replaced(side, path, new)
    leaves = [(path, node, name) for path, node in _walk(side) if (name := name_of(node)) is not None and not _within(path, side, name_of)]
    for path, node, _ in leaves:
        yield f"{shown(node, marks)} should be transposed, or not be", _replaced(side, path, _turned(node))
    for path, node, name in leaves:
        for other in names:
            if other != name:
                yield f"{name} stands where {other} belongs", _replaced(side, path, _renamed(node, name_of, other, marks))
    for symbol in functions:
        for name in names:
            extra = Tree("chain", [Tree("primed", [Token("SYMBOL", symbol), PRIME]), Tree("paren", [_leaf(name, marks)])])
            whole = [Tree("paren", [side]), Token("ODOT", r"\odot"), extra]
            yield f"the factor {_bare(symbol)}'({name}) is missing", Tree("hadamard", whole)


def _local(node: Any, path: tuple[int, ...], side: Any, functions: Sequence[str]) -> Iterator[Change]:
    """Changes of one node: plus for minus, a factor or derivative too many, σ for σ', indices the other way."""
    if isinstance(node, str):
        if node in functions and not (path and getattr(_at(side, path[:-1]), "data", "") == "primed"):
            yield f"{_bare(node)} stands where {_bare(node)}' belongs", Tree("primed", [node, PRIME])
        return
    left, right = node.children[0] if node.children else None, node.children[-1] if node.children else None
    if node.data in ("add", "subtract"):
        other = "subtract" if node.data == "add" else "add"
        yield ("minus stands where plus belongs" if other == "add" else "plus stands where minus belongs"), Tree(other, node.children)
        yield "a term is too many", left
        yield "a term is too many", right
    elif node.data == "hadamard":
        yield "a factor is too many", left
        yield "a factor is too many", right
    elif node.data == "primed":
        yield f"{_bare(str(left))}' stands where {_bare(str(left))} belongs", left
    elif node.data == "chain" and len(node.children) > 1:
        yield from (("a factor is too many", Tree("chain", rest)) for rest in _without_one(node.children, functions))
        yield from (("two factors are in the wrong order", Tree("chain", [*node.children[:k], node.children[k + 1], node.children[k],
                    *node.children[k + 2:]])) for k in range(len(node.children) - 1) if not _is_call(node.children[k], functions))
    elif node.data == "lowered" and isinstance(right, Tree) and len(indices := _indices(right)) == 2:
        yield "the indices are the wrong way round", Tree("lowered", [left, Tree("lower", [Tree("group", [Tree("chain", indices[::-1])])])])


def _without_one(children: Sequence[Any], functions: Sequence[str]) -> Iterator[list[Any]]:
    """The factors of a product without one of them; a function goes with its argument."""
    k = 0
    while k < len(children):
        width = 2 if _is_call(children[k], functions) and k + 1 < len(children) else 1
        rest = [*children[:k], *children[k + width:]]
        if rest and not any(getattr(c, "type", "") in ("TIMES", "OVER") for c in children):
            yield rest
        k += width


def _is_call(node: Any, functions: Sequence[str]) -> bool:
    while isinstance(node, Tree) and node.data == "primed":
        node = node.children[0]
    return isinstance(node, str) and node in functions


def _indices(lower: Tree) -> list[Any]:
    """The letters of a lower index."""
    body = lower.children[0]
    while isinstance(body, Tree) and body.data == "group" and len(body.children) == 1:
        body = body.children[0]
    return [c for c in body.children if isinstance(c, str)] if isinstance(body, Tree) and body.data in ("chain", "group") else []


def _number(text: str) -> Any:
    if "frac" not in text:
        return Token("NUMBER" if text.isdigit() else "SYMBOL", text)
    above, below = (Tree("group", [Tree("chain", [_number(part)])]) for part in ("1", text[-2]))
    return Tree("fraction", [above, below])


def _turned(node: Any) -> Any:
    """A leaf with T, or without the T that it has."""
    if isinstance(node, Tree) and node.data == "raised":
        body = node.children[1].children[0]
        if str(body) in ("T", r"\top"):
            return node.children[0]
        if isinstance(body, Tree) and body.data == "group" and isinstance(body.children[0], Tree):
            rest = [c for c in body.children[0].children if str(c) not in ("T", r"\top")]
            if rest and len(rest) < len(body.children[0].children):
                return Tree("raised", [node.children[0], Tree("upper", [Tree("group", [Tree("chain", rest)])])])
    return Tree("raised", [Tree("paren", [Tree("chain", [node])]), Tree("upper", [Token("SYMBOL", "T")])])


def _renamed(node: Any, name_of: Callable[[Any], str | None], other: str, marks: Sequence[str]) -> Any:
    """The leaf under another name, with T or lower indices where it has them."""
    scripts: list[tuple[str, Any]] = []
    inner = node
    while isinstance(inner, Tree) and inner.data in ("raised", "lowered"):
        pieces = _pieces(inner.children[1].children[0])
        kept = [p for p in pieces if str(p) in ("T", r"\top")] if inner.data == "raised" else \
            [p for p in pieces if isinstance(p, str) and p.isalpha()]
        scripts += [(inner.data, kept)] if kept else []
        inner = inner.children[0]
    leaf = _leaf(other, marks)
    for kind, kept in scripts:
        leaf = Tree(kind, [leaf, Tree("upper" if kind == "raised" else "lower", [Tree("group", [Tree("chain", kept)])])])
    return leaf


def _pieces(body: Any) -> list[Any]:
    while isinstance(body, Tree) and body.data in ("group", "chain"):
        if len(body.children) > 1:
            return list(body.children)
        body = body.children[0]
    return [body]


def _leaf(name: str, marks: Sequence[str]) -> Token:
    return Token("NAME", f"@{list(marks).index(name)}@") if name in marks else Token("SYMBOL", name)


def _within(path: tuple[int, ...], side: Any, name_of: Callable[[Any], str | None]) -> bool:
    """Whether a node lies within a larger one that has a name, or in a script."""
    for k in range(len(path)):
        above = _at(side, path[:k])
        if isinstance(above, Tree) and (above.data in ("upper", "lower") or name_of(above) is not None):
            return True
    return False


def _walk(node: Any, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    yield path, node
    for k, child in enumerate(node.children if isinstance(node, Tree) else ()):
        yield from _walk(child, (*path, k))


def _at(node: Any, path: tuple[int, ...]) -> Any:
    for k in path:
        node = node.children[k]
    return node


def _replaced(node: Any, path: tuple[int, ...], new: Any) -> Any:
    if not path:
        return new
    children = list(node.children)
    children[path[0]] = _replaced(children[path[0]], path[1:], new)
    return Tree(node.data, children)


def _bare(symbol: str) -> str:
    return {"\\sigma": "σ"}.get(symbol, symbol.removeprefix("\\"))


def shown(node: Any, marks: Sequence[str]) -> str:
    """A leaf as plain text."""
    if isinstance(node, str):
        return marks[int(node[1:-1])] if node.startswith("@") else _bare(node)
    return "".join(shown(child, marks) for child in node.children)
