"""What the names of an expression mean, and what can be learned about them from their use.

Stage: syntax tree + known names → a scope with the indices, and for a bare formula the tensors, that the tree uses.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sympy as sp

from symbp.errors import LanguageError
from symbp.language.functions import DEFINITIONS, PRIMITIVES, Defined
from symbp.language.index import Index
from symbp.language.names import check_name
from symbp.language.syntax import short
from symbp.language.tensor import Tensor

if TYPE_CHECKING:
    from lark import Tree

REDUCTIONS = ("sum", "mean", "max", "min", "softmax")
CONSTANTS = {"pi": sp.pi, "e": sp.E}
MOST_INDICES, MOST_TENSORS = 10, 26
RESERVED = {"where", "and", "inside", *REDUCTIONS, *PRIMITIVES, *DEFINITIONS, *CONSTANTS}


@dataclass
class Scope:
    """What names mean: tensors, indices, sizes and functions.

    With `infer`, unknown tensors, scalars and extents are declared by their use (a bare formula).  later: names that this
    equation or a later one assigns, which cannot be read yet.
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    indices: dict[str, Index] = field(default_factory=dict)
    sizes: dict[str, sp.Expr] = field(default_factory=dict)
    functions: Mapping[str, type[Defined]] = field(default_factory=lambda: DEFINITIONS)
    infer: bool = False
    later: frozenset[str] = frozenset()


def check_free(name: str) -> None:
    """Raise `LanguageError` for what is no name, and for a name that has a meaning in the language."""
    check_name(name)
    if name in RESERVED:
        raise LanguageError(f"{name!r} is a word of the expression language; take another name")


def learn(tree: Tree, scope: Scope, text: str) -> None:
    """Collect the indices of an expression and their extents from the axes that they index alone."""
    found: dict[str, tuple[sp.Expr, sp.Expr, str]] = {n: (i.extent, i.start, "its declaration") for n, i in scope.indices.items()}
    used = index_names(tree)
    if len(used) > MOST_INDICES:
        raise LanguageError(f"in `{short(text)}`: {len(used)} names stand as indices; at most {MOST_INDICES} are read")
    for access in tree.find_data("access"):
        tensor = scope.tensors.get(str(access.children[0]))
        for axis, child in enumerate(access.children[1:]):
            name = plain(child)
            if tensor is None or name is None or name in scope.tensors or axis >= len(tensor.shape):
                continue
            seen = found.setdefault(name, (tensor.shape[axis], tensor.origin[axis], f"axis {axis} of {tensor.name}"))
            if seen[0] != tensor.shape[axis]:
                raise LanguageError(f"in `{short(text)}`: the index {name} has extent {seen[0]} ({seen[2]}) and extent "
                                    f"{tensor.shape[axis]} (axis {axis} of {tensor.name}); "
                                    f"two indices of different extent need different names")
    alike = _of_one_axis(tree) if scope.infer else {}
    for name in used:
        if name in scope.tensors and not scope.tensors[name].shape or name in scope.sizes or name in scope.indices:
            continue
        if name not in found and scope.infer:
            others = alike.get(name, [name])
            own = (sp.Symbol(f"n_{others[0]}", integer=True, positive=True), sp.S.Zero, "its use")
            found[name] = next((found[n] for n in others if n in found), own)
        if name in found:
            check_free(name)
            scope.indices[name] = Index(name, *found[name][:2])
    if scope.infer:
        _infer_tensors(tree, scope, text)


def _of_one_axis(tree: Tree) -> dict[str, list[str]]:
    """For each letter that indexes an axis alone, all that do so on the same axis of a tensor: x[i]*A[i,j]*x[j] has one extent."""
    axes: dict[tuple[str, int], list[str]] = {}
    found: dict[str, list[str]] = {}
    for access in sorted(tree.find_data("access"), key=lambda a: a.children[0].start_pos):
        for axis, name in enumerate(map(plain, access.children[1:])):
            if name is not None:
                group = axes.setdefault((str(access.children[0]), axis), found.setdefault(name, [name]))
                if group is not found[name]:
                    _join(group, found[name], found, axes)
    return found


def _join(kept: list[str], gone: list[str], *tables: dict[Any, list[str]]) -> None:
    """Make two groups one, in every table."""
    kept += gone
    for table in tables:
        table.update({key: kept for key, group in table.items() if group is gone})


def index_names(tree: Tree) -> list[str]:
    """Names that stand where an index stands: inside brackets and in the heads of sums."""
    names: dict[str, None] = {}
    for access in tree.find_data("access"):
        for child in access.children[1:]:
            inner = [child, *(child.iter_subtrees() if hasattr(child, "iter_subtrees") else ())]
            names.update(dict.fromkeys(n for c in inner if (n := plain(c))))
    for call in tree.find_data("call"):
        if str(call.children[0]) in REDUCTIONS:
            names.update(dict.fromkeys(n for a in call.children[1:-1] if (n := plain(headed(a)))))
    return list(names)


def headed(argument: Tree) -> Tree:
    """The index that an argument of a sum names, without its conditions."""
    return argument.children[0] if argument.data == "where" else argument


def plain(node: Tree) -> str | None:
    """The name of an access without brackets, else None."""
    if getattr(node, "data", None) == "access" and len(node.children) == 1:
        return str(node.children[0])
    return None


def _infer_tensors(tree: Tree, scope: Scope, text: str) -> None:
    """Declare the unknown tensors and scalars of a bare formula by their use."""
    extents = {i.extent.name: name for name, i in scope.indices.items() if i.extent.is_Symbol}
    for access in sorted(tree.find_data("access"), key=lambda a: a.children[0].start_pos):
        name, letters = str(access.children[0]), [plain(c) for c in access.children[1:]]
        if name in scope.tensors or name in scope.sizes or not letters and (name in scope.indices or name in CONSTANTS):
            continue
        check_free(name)
        if name in scope.indices or name in extents:
            other = "an index" if name in scope.indices else f"the extent of the index {extents[name]}"
            raise LanguageError(f"in `{short(text)}`: {name} is a tensor and {other}; give one of them another name")
        if None in letters:
            raise LanguageError(f"in `{short(text)}`: the shape of {name} cannot be read off {name}[…]; use it once with plain indices, "
                                f"or declare it in a network file")
        if len(scope.tensors) == MOST_TENSORS:
            raise LanguageError(f"in `{short(text)}`: a formula has at most {MOST_TENSORS} names; write the others in a network file")
        axes = [scope.indices[letter] for letter in letters]
        scope.tensors[name] = Tensor(name, tuple(i.extent for i in axes), role="input", origin=tuple(i.start for i in axes))
