"""What a person's code says of itself, read without running it: functions, their arguments, the names that they return and change.

Stage: source → syntax tree → `Function`.
"""
from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from symbp.errors import SymbpError
from symbp.report.text import visible
from symbp.settings import Settings
from symbp.suggest import nearest

LONGEST = 200_000


class CodeError(SymbpError):
    """Code that cannot be read, or that has no such function."""


class Code(Settings):
    """The keys of a claim of code.

    python: "file.py::function", beside the claim file; or code: the listing itself, and function: which of its functions
    (default: the last).  arguments: argument → what it is.  returns: what is returned, a text, a list by position or a table by key.
    changes: argument or self.attribute → what it holds afterwards.  before: functions that are called first.  attributes: those of
    the object → what they are.  shapes: argument or self.attribute → the shape that the code expects.
    """

    python: Annotated[str, Field(max_length=300)] = ""
    code: str = ""
    function: Annotated[str, Field(max_length=200)] = ""
    arguments: dict[str, Any] = Field(default_factory=dict)
    returns: str | list[str] | dict[str, str] | None = None
    changes: dict[str, str] = Field(default_factory=dict)
    before: list[str] = Field(default_factory=list)
    attributes: dict[str, Any] = Field(default_factory=dict)
    shapes: dict[str, list[int]] = Field(default_factory=dict)

    @property
    def file(self) -> str:
        """The name of the file, or "" for a listing."""
        return self.python.partition("::")[0]

    @property
    def title(self) -> str:
        """How a report calls it."""
        return self.python or f"listing {self.function}".rstrip()

    @property
    def wanted(self) -> str:
        """The name of the function, or "" for the last."""
        return self.python.partition("::")[2] or self.function


@dataclass(frozen=True)
class Function:
    """One function of a source.

    owner: its class, if it has one.  parameters: without self.  optional: those with a default.  settings: those whose default is a
    number.  returned: the names behind its last
    `return`; for a dictionary that is written out, its keys.  changed: parameters, and attributes as "self.w", that it changes in
    place.
    attributes: those of self that it reads or writes.
    """

    name: str
    owner: str = ""
    parameters: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    positional: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    settings: frozenset[str] = frozenset()

    @property
    def title(self) -> str:
        """Its name, with that of its class."""
        return f"{self.owner}.{self.name}" if self.owner else self.name


def functions(source: str, file: str = "the listing") -> dict[str, Function]:
    """The functions and methods of a source, by name; raises `CodeError` with the line where it is no Python.

    >>> found = functions("def step(w, x, lr=0.1):\\n    w -= lr*x\\n    return w, x\\n")
    >>> found["step"].parameters, found["step"].returned, found["step"].changed
    (('w', 'x', 'lr'), ('w', 'x'), ('w',))
    """
    if len(source) > LONGEST:
        raise CodeError(f"{file} has {len(source)} characters; {LONGEST} are the most")
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        text = (error.text or "").strip()
        raise CodeError(f"{file} is no Python: line {error.lineno}, `{visible(text)[:80]}`: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise CodeError(f"{file} is no Python: {visible(str(error))[:100]}") from None
    found: dict[str, Function] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = _function(node)
        elif isinstance(node, ast.ClassDef):
            found |= {f.title: f for m in node.body if isinstance(m, ast.FunctionDef) for f in [_function(m, node.name)]}
    return found


def function(source: str, name: str, file: str = "the listing") -> Function:
    """The function of that name, "f" or "Class.method"; the last one where no name is given."""
    found = functions(source, file)
    if not found:
        raise CodeError(f"{file} defines no function")
    if not name:
        return list(found.values())[-1]
    if name not in found:
        raise CodeError(f"{file} defines no function {visible(name)[:60]!r}{nearest(name, found)}")
    return found[name]


def read(path: Path) -> str:
    """The text of a file; raises `CodeError` where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise CodeError(f"{visible(str(path))}: cannot be read ({getattr(error, 'strerror', None) or 'it is no UTF-8 text'})") from None


def _function(node: ast.FunctionDef, owner: str = "") -> Function:
    static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)
    arguments = [*node.args.posonlyargs, *node.args.args]
    own = arguments[0].arg if owner and arguments and not static else ""
    defaults = {a.arg: value for a, value in zip(reversed(arguments), reversed(node.args.defaults))}
    defaults |= {a.arg: value for a, value in zip(node.args.kwonlyargs, node.args.kw_defaults) if value is not None}
    numbers = (name for name, value in defaults.items() if isinstance(value, ast.Constant) and isinstance(value.value, (int, float)))
    names = tuple(a.arg for a in (*arguments, *node.args.kwonlyargs) if a.arg != own)
    return Function(node.name, owner, names, frozenset(defaults), tuple(a.arg for a in node.args.posonlyargs if a.arg != own),
                    _returned(node), tuple(_changed(node, names, own)), tuple(_attributes(node, own)), frozenset(numbers))


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions in it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            yield child
            yield from _own(child)


def _returned(node: ast.FunctionDef) -> tuple[str, ...]:
    values = [n.value for n in _own(node) if isinstance(n, ast.Return) and n.value is not None]
    if not values:
        return ()
    value = values[-1]
    if isinstance(value, ast.Dict):
        return tuple(k.value if isinstance(k, ast.Constant) and isinstance(k.value, str) else "" for k in value.keys)
    entries = value.elts if isinstance(value, (ast.Tuple, ast.List)) else [value]
    given = {a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
    return tuple(_name(e) if isinstance(e, ast.Name) else _label(e, given) for e in entries)


def _label(node: ast.AST, given: set[str]) -> str:
    """What an expression is called: `self.dW`, or the only name in it that is no argument, as in `dW / len(x)`, `-dW` or `dW.T`."""
    if isinstance(node, ast.Attribute) and node.attr != "T":
        return node.attr
    called = {n.func.value.id if isinstance(n.func, ast.Attribute) and isinstance(n.func.value, ast.Name) else _name(n.func)
              for n in ast.walk(node) if isinstance(n, ast.Call)}
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} - given - called
    return names.pop() if len(names) == 1 else ""


def _name(node: ast.AST) -> str:
    """The name that an expression is: `dW`, `self.dW`; else nothing."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _changed(node: ast.FunctionDef, names: tuple[str, ...], own: str) -> dict[str, None]:
    """What is changed in place: `w -= …`, `w[:] = …`, `self.w -= …`, `self.w = …`."""
    found: dict[str, None] = {}
    for n in _own(node):
        targets = [n.target] if isinstance(n, ast.AugAssign) else n.targets if isinstance(n, ast.Assign) else []
        for target in targets:
            inner = target.value if isinstance(target, ast.Subscript) else target
            if isinstance(inner, ast.Name) and inner.id in names and (isinstance(n, ast.AugAssign) or inner is not target):
                found[inner.id] = None
            elif isinstance(inner, ast.Attribute) and _name(inner.value) == own != "":
                found[f"self.{inner.attr}"] = None
    return found


def _attributes(node: ast.FunctionDef, own: str) -> dict[str, None]:
    return {n.attr: None for n in _own(node) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == own != ""}
