"""Tensors and accesses: `W[j, i]` is an `Access`, a scalar in an equation's body."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import sympy as sp
from sympy.core.symbol import Str
from sympy.core.sympify import _sympify

from symbp.errors import LanguageError
from symbp.language.index import SizeLike, as_extent

AXIS0 = sp.Symbol("axis0", integer=True)
"""In a tensor's shape: the position on its first axis, for rows of different width (`n(l)`)."""

ROLES = ("input", "parameter", "state", "constant", "random", "intermediate")
DTYPES = ("float", "int")


class Access(sp.Expr):
    """One element of a tensor: a name and one integer-affine index expression for each axis.

    >>> from symbp.language.index import Index
    >>> i, j = Index("i", 3), Index("j", 2)
    >>> Access("W", j, 2*i + 1)
    W[j, 2*i + 1]
    """

    is_commutative = True
    is_real = True
    is_extended_real = True
    is_finite = True
    is_complex = True

    def __new__(cls, name: str | Str, *indices: SizeLike) -> Access:
        head = name if isinstance(name, Str) else Str(name)
        return sp.Expr.__new__(cls, head, *map(_sympify, indices))

    @property
    def name(self) -> str:
        """The tensor's name."""
        return self.args[0].name

    @property
    def indices(self) -> tuple[sp.Expr, ...]:
        """The index expressions, one for each axis."""
        return self.args[1:]

    def _sympystr(self, printer: object) -> str:
        return f"{self.name}[{', '.join(printer.doprint(i) for i in self.indices)}]"

    def _eval_derivative(self, symbol: sp.Basic) -> sp.Expr:
        raise LanguageError(f"{self} is differentiated by symbp.calculus, not by SymPy's diff, which would answer 0")


@dataclass(frozen=True)
class Tensor:
    """A named array of the program.

    shape: extents, one for each axis.  origin: the first index of each axis (0 where not given;
    a tensor whose rows are the layers 1…L starts at 1).  dtype: "float" or "int" (labels, positions).
    role: input, parameter, state, constant, random (drawn anew in each training step) or intermediate.
    symbol, level: the LaTeX letter and the upper layer index, `W^{(2)}`; level_axis: the first axis is printed as that upper index.
    cotangent: LaTeX letter of the derivative of the loss by this tensor (δ), where it has one; cotangent_of: for
    a derivative's own tensor, the names (of, by).  auxiliary: a helper that is printed inline.  next_of: this is
    the new value of the named tensor, and prints as an assignment to it.
    rows: the first axis counts the rows of a recurrence, of which an index may run over a part.
    held: its values are calculated, but count as given where something is differentiated: nothing flows through it.

    >>> from symbp.language.index import Index
    >>> W = Tensor("W", (10, 784), role="parameter")
    >>> W[Index("j", 10), Index("i", 784)]
    W[j, i]
    """

    name: str
    shape: tuple[sp.Expr, ...] = ()
    dtype: str = "float"
    role: str = "intermediate"
    symbol: str = ""
    level: str = ""
    level_axis: bool = False
    origin: tuple[sp.Expr, ...] = ()
    cotangent: str = ""
    cotangent_of: tuple[str, str] | None = None
    auxiliary: bool = False
    next_of: str = ""
    rows: bool = False
    held: bool = False

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise LanguageError(f"tensor {self.name}: role {self.role!r} is none of {', '.join(ROLES)}")
        if self.dtype not in DTYPES:
            raise LanguageError(f"tensor {self.name}: dtype {self.dtype!r} is none of {', '.join(DTYPES)}")
        shape = tuple(as_extent(e, f"axis {k} of tensor {self.name}") for k, e in enumerate(self.shape))
        origin = tuple(map(_sympify, self.origin)) or (sp.S.Zero,) * len(shape)
        if len(origin) != len(shape):
            raise LanguageError(f"tensor {self.name}: {len(origin)} origins for {len(shape)} axes")
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "origin", origin)

    def __getitem__(self, indices: SizeLike | tuple[SizeLike, ...]) -> Access:
        indices = indices if isinstance(indices, tuple) else (indices,)
        if len(indices) != len(self.shape):
            raise LanguageError(f"{self.name} has {len(self.shape)} axes {self.shape}, "
                                f"but {len(indices)} indices were given: {self.name}[{', '.join(map(str, indices))}]")
        return Access(self.name, *indices)

    def extents(self, access: Access) -> tuple[sp.Expr, ...]:
        """The extents of the axes at this access: a row's width may depend on the row."""
        row = {AXIS0: access.indices[0]} if access.indices else {}
        return tuple(e.xreplace(row) for e in self.shape)

    def with_role(self, role: str) -> Tensor:
        """The same tensor in another role."""
        return replace(self, role=role)


def accesses(expression: sp.Basic) -> tuple[Access, ...]:
    """The accesses of an expression, each once, not those inside another access's indices."""
    found: dict[Access, None] = {}
    walk = sp.preorder_traversal(expression)
    for node in walk:
        if isinstance(node, Access):
            found.setdefault(node)
            walk.skip()
    return tuple(found)


def all_accesses(expression: sp.Basic) -> tuple[Access, ...]:
    """The accesses of an expression, also those inside another access's indices."""
    return tuple(dict.fromkeys(n for n in sp.preorder_traversal(expression) if isinstance(n, Access)))


def names_read(expressions: Iterable[sp.Basic]) -> set[str]:
    """The names of the tensors that the expressions read."""
    return {access.name for e in expressions for access in all_accesses(e)}
