"""Facts: relations that the inputs satisfy, such as Σ_k t[n,k] = 1.

A fact is no equation of the program: samplers draw inputs on it, the oracle asserts it, the loader checks
the data against it, and a derivation that uses it says so.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sympy as sp
from sympy.core.sympify import _sympify

from symbp.errors import LanguageError
from symbp.language.index import Index
from symbp.language.tensor import accesses

if TYPE_CHECKING:
    from symbp.language.tensor import Tensor

RELATIONS = {"==": "=", ">": ">", ">=": r"\ge", "<": "<", "<=": r"\le"}
TRUTH = {"==": sp.Eq, ">": sp.Gt, ">=": sp.Ge, "<": sp.Lt, "<=": sp.Le}


@dataclass(frozen=True)
class Fact:
    """`Σ_over left  relation  right`, for all values of the free indices.

    >>> t, n, k = "t", Index("n", 4), Index("k", 3)
    >>> from symbp.language.tensor import Tensor
    >>> t = Tensor("t", (4, 3), role="input")
    >>> print(Fact(t[n, k], "==", 1, over=(k,)))
    sum(k, t[n, k]) == 1
    """

    left: sp.Expr
    relation: str
    right: sp.Expr
    over: tuple[Index, ...] = ()

    def __post_init__(self) -> None:
        if self.relation not in RELATIONS:
            raise LanguageError(f"the relation {self.relation!r} of a fact is none of {' '.join(RELATIONS)}")
        object.__setattr__(self, "left", _sympify(self.left))
        object.__setattr__(self, "right", _sympify(self.right))
        object.__setattr__(self, "over", tuple(self.over))
        if not self.over and TRUTH[self.relation](self.left, self.right) == False:  # noqa: E712  SymPy's answer may be open
            raise LanguageError(f"the fact {self} is false, whatever the values are")

    @property
    def tensors(self) -> tuple[str, ...]:
        """Names of the tensors that the fact is about, in order of appearance."""
        return tuple(dict.fromkeys(a.name for e in (self.left, self.right) for a in accesses(e)))

    def __str__(self) -> str:
        left = f"sum({', '.join(i.name for i in self.over)}, {self.left})" if self.over else str(self.left)
        return f"{left} {self.relation} {self.right}"


def sums_to_one(tensor: Tensor, *indices: Index) -> Fact:
    """Σ over the last index = 1: a row of `tensor` is a distribution."""
    return Fact(tensor[tuple(indices)], "==", 1, over=(indices[-1],))


def is_binary(tensor: Tensor, *indices: Index) -> Fact:
    """t² = t: every element is 0 or 1."""
    return Fact(tensor[tuple(indices)] ** 2, "==", tensor[tuple(indices)])
