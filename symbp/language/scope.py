"""What the names in a text mean, and what an expression teaches about them: the extents of its indices, inferred shapes."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sympy as sp

from symbp.errors import LanguageError
from symbp.language.functions import DEFINITIONS, Defined
from symbp.language.index import Index
from symbp.language.tensor import Tensor

if TYPE_CHECKING:
    from lark import Tree

REDUCTIONS = ("sum", "mean", "max", "softmax")


@dataclass
class Scope:
    """What names mean: tensors, indices, sizes and functions.

    later: names that are assigned by this or a later equation.  With `infer`, unknown tensors, scalars and extents are declared by their use (a bare formula).
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    indices: dict[str, Index] = field(default_factory=dict)
    sizes: dict[str, sp.Expr] = field(default_factory=dict)
    functions: Mapping[str, type[Defined]] = field(default_factory=lambda: DEFINITIONS)
    infer: bool = False
    later: frozenset[str] = frozenset()


def learn(tree: Tree, scope: Scope, text: str) -> None:
    """Collect the indices of an expression and their extents from the axes that they index alone."""
    found: dict[str, tuple[sp.Expr, sp.Expr, str]] = {n: (i.extent, i.start, "its declaration") for n, i in scope.indices.items()}
    used = index_names(tree)
    for access in tree.find_data("access"):
        tensor = scope.tensors.get(str(access.children[0]))
        for axis, child in enumerate(access.children[1:]):
            name = plain_name(child)
            if tensor is None or name is None or name in scope.tensors or axis >= len(tensor.shape):
                continue
            seen = found.setdefault(name, (tensor.shape[axis], tensor.origin[axis], f"axis {axis} of {tensor.name}"))
            if seen[0] != tensor.shape[axis]:
                raise LanguageError(f"in `{short(text)}`: the index {name} has extent {seen[0]} ({seen[2]}) and extent "
                                    f"{tensor.shape[axis]} (axis {axis} of {tensor.name}); two indices of different extent need different names")
    for name in used:
        if name in scope.tensors and not scope.tensors[name].shape or name in scope.sizes:
            continue
        if name not in found and scope.infer:
            found[name] = (sp.Symbol(f"n_{name}", integer=True, positive=True), sp.S.Zero, "its use")
        if name in found:
            scope.indices.setdefault(name, Index(name, *found[name][:2]))
    if scope.infer:
        _infer_tensors(tree, scope, text)


def index_names(tree: Tree) -> list[str]:
    """Names that stand where an index stands: inside brackets and in the heads of sums."""
    names: dict[str, None] = {}
    for access in tree.find_data("access"):
        for child in access.children[1:]:
            inner = [child, *(child.iter_subtrees() if hasattr(child, "iter_subtrees") else ())]
            names.update(dict.fromkeys(n for c in inner if (n := plain_name(c))))
    for call in tree.find_data("call"):
        if str(call.children[0]) in REDUCTIONS:
            names.update(dict.fromkeys(n for a in call.children[1:-1] if (n := plain_name(headed(a)))))
    return list(names)


def headed(argument: Tree) -> Tree:
    """The index of `j where j <= i`."""
    return argument.children[0] if argument.data == "where" else argument


def plain_name(node: Tree) -> str | None:
    """The name of an access without brackets, else None."""
    if getattr(node, "data", None) == "access" and len(node.children) == 1:
        return str(node.children[0])
    return None


def _infer_tensors(tree: Tree, scope: Scope, text: str) -> None:
    """Declare the unknown tensors and scalars of a bare formula by their use."""
    for access in sorted(tree.find_data("access"), key=lambda a: a.children[0].start_pos):
        name = str(access.children[0])
        if name in scope.tensors or name in scope.indices or name in scope.sizes or name in ("pi", "e"):
            continue
        letters = [plain_name(c) for c in access.children[1:]]
        if None in letters:
            raise LanguageError(f"in `{short(text)}`: the shape of {name} cannot be read off {name}[…]; use it once with plain indices, "
                                f"or declare it in a network file")
        axes = [scope.indices[letter] for letter in letters]
        scope.tensors[name] = Tensor(name, tuple(i.extent for i in axes), role="input", origin=tuple(i.start for i in axes))


def short(text: str) -> str:
    """A text on one line for a message, cut where it is long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= 120 else flat[:117] + "…"
