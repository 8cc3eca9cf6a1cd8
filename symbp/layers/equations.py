"""A layer written as equations, and the reader of such equations for whole networks.

    parameters = { V = ["j", "i"], c = ["j"] }
    indices    = { j = 64 }
    equations  = ["y[n,j] = sigmoid(sum(i, V[j,i]*x[n,i]) + c[j])"]

The text is read into a small program of its own, which is checked in the user's names; then it is transplanted
into the network's program: new tensor names, the network's index letters, the previous layer's output for `x`.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import sympy as sp
from pydantic import Field

from symbp.draft import Draft, Signal
from symbp.language import Conventions, Fact, Index, Program, Tensor, size, substitute
from symbp.language.build import Builder
from symbp.language.names import NameSupply
from symbp.language.parse import learn_indices, parse_equation, parse_fact
from symbp.language.scope import Scope, check_free
from symbp.language.syntax import short
from symbp.language.tensor import Access, names_read
from symbp.layers.base import Layer, layer
from symbp.notation import tex
from symbp.settings import Count, Identifier, NetworkError
from symbp.suggest import nearest

Extent = Count | Identifier
Initial = Literal["he", "xavier", "normal", "zeros", "ones"]


@layer
class Equations(Layer):
    """A layer of the user's own equations over its input `x`; the output is `y`, or the only tensor that is assigned.

    parameters: the index letters of each parameter's axes.  indices: extents that the input does not tell.
    init: how each parameter starts.  facts: relations between the parameters, such as `s[j] > 0`.
    """

    type: Literal["equations"] = "equations"
    name: Identifier
    equations: Annotated[list[str], Field(min_length=1, max_length=200)]
    parameters: dict[Identifier, list[Identifier]] = Field(default_factory=dict)
    indices: dict[Identifier, Extent] = Field(default_factory=dict)
    init: dict[Identifier, Initial] = Field(default_factory=dict)
    facts: list[str] = Field(default_factory=list)

    def model_post_init(self, _context: object) -> None:
        """Refuse the start of a parameter that there is not."""
        for name in self.init:
            if name not in self.parameters:
                raise NetworkError(f"init names {name!r}, which is no parameter{nearest(name, self.parameters)}")

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Read the equations in their own names and write them in those of the network."""
        whole = (*x.batch, *x.axes)
        for letter in (e for e in self.indices.values() if isinstance(e, str)):
            draft.size(letter)
        samples = {i.name: i.extent.name for i in x.batch}
        reader = Reader({**samples, **self.indices})
        reader.declare("x", Tensor("x", tuple(i.extent for i in whole), role="input"))
        reader.learn(self.equations)
        for name, letters in self.parameters.items():
            reader.parameter(name, letters)
        reader.read(self.equations, self.facts)
        return _transplant(draft, reader.program(draft.conventions), x, self.name, self._output(reader))

    def _output(self, reader: Reader) -> str:
        if len(reader.assigned) == 1:
            return reader.assigned[0]
        if "y" not in reader.assigned:
            raise NetworkError(f"the layer assigns {', '.join(reader.assigned)}, and none of them is called y; the output must be y")
        return "y"


class Reader:
    """Reads equations into a program; `indices` and `sizes` are what the equations may name besides tensors.

    >>> reader = Reader({"i": 3})
    >>> reader.declare("x", Tensor("x", (3,), role="input"))
    >>> reader.read(["s = sum(i, x[i]^2)"])
    >>> print(reader.program(Conventions()))
    s[] += sum(i, x[i]**2)
    """

    def __init__(self, indices: Mapping[str, int | str], sizes: Mapping[str, sp.Expr] | None = None) -> None:
        self.scope = Scope(sizes=dict(sizes or {}))
        for name, extent in indices.items():
            check_free(name)
            if isinstance(extent, str):
                extent = self._size(extent, f"the index {name}", indices)
            self.scope.indices[name] = Index(name, extent)
        self.assigned: list[str] = []
        self.facts: list[Fact] = []
        self.builder = Builder(NameSupply({*self.scope.indices, *self.scope.sizes}))

    def _size(self, letter: str, of: str, indices: Mapping[str, int | str]) -> sp.Symbol:
        """The symbolic extent of that letter."""
        check_free(letter)
        if letter in indices:
            raise NetworkError(f"the extent of {of} is {letter!r}, which is an index; take another letter")
        return self.scope.sizes.setdefault(letter, size(letter))

    def declare(self, name: str, tensor: Tensor) -> None:
        """Make a tensor known under a name."""
        check_free(name)
        for other, what in ((self.scope.indices, "an index"), (self.scope.sizes, "an extent")):
            if name in other:
                raise NetworkError(f"{name!r} is {what} and a tensor; give one of them another name")
        self.builder.names.fresh(name)
        self.scope.tensors[name] = tensor

    def learn(self, equations: Iterable[str]) -> None:
        """Find the extents of indices from the tensors known so far."""
        for text in equations:
            learn_indices(text, self.scope)

    def axes(self, what: str, letters: Iterable[str]) -> tuple[Index, ...]:
        """The indices of these letters."""
        unknown = next((c for c in letters if c not in self.scope.indices), None)
        if unknown is not None:
            raise NetworkError(f"{what}: the extent of the index {unknown} is unknown; declare it, indices = {{ {unknown} = … }}")
        return tuple(self.scope.indices[c] for c in letters)

    def parameter(self, name: str, letters: Iterable[str]) -> None:
        """Declare a parameter by the letters of its axes."""
        if name in self.scope.tensors:
            raise NetworkError(f"the parameter {name!r} has the name of another tensor; rename it")
        axes = self.axes(f"parameter {name}", letters)
        self.declare(name, Tensor(name, tuple(i.extent for i in axes), role="parameter"))

    def read(self, equations: Iterable[str], facts: Iterable[str] = ()) -> None:
        """Read the equations in order, each of which assigns a new tensor, and then the facts."""
        equations = list(equations)
        targets = [re.match(r"\s*([A-Za-z_][\w.]*)", text) for text in equations]
        for k, text in enumerate(equations):
            self.scope.later = frozenset(t[1] for t in targets[k:] if t) - {*self.scope.tensors, *self.scope.indices}
            name, indices, right = parse_equation(text, self.scope)
            if name in self.scope.tensors:
                raise NetworkError(f"in `{short(text)}`: {name} has a value already; each tensor is assigned once")
            target = Tensor(name, tuple(i.extent for i in indices), origin=tuple(i.start for i in indices))
            self.declare(name, target)
            self.assigned.append(name)
            self.builder.assign(target[indices], right)
        self.scope.later = frozenset()
        self.facts += [parse_fact(text, self.scope) for text in facts]

    def program(self, conventions: Conventions) -> Program:
        """What was read, as a checked program in which every parameter is used."""
        program = Program((*self.scope.tensors.values(), *self.builder.tensors), self.builder.equations, self.facts, conventions)
        used = names_read(e for equation in program.equations for e in equation.expressions)
        idle = next((t.name for t in program.parameters if t.name not in used), None)
        if idle is not None:
            raise NetworkError(f"no equation uses the parameter {idle!r}; remove it, or use it")
        return program


@dataclass
class _Moved:
    """Where a local program's tensors and indices go."""

    tensors: dict[str, Callable[..., Access]]
    indices: dict[sp.Basic, sp.Basic]

    def __call__(self, expression: sp.Basic) -> sp.Basic:
        moved = substitute(expression, self.indices)
        return moved.replace(lambda e: isinstance(e, Access), lambda e: self.tensors[e.name](*e.indices))


def _transplant(draft: Draft, local: Program, x: Signal, layer_name: str, output: str) -> Signal:
    """Write a layer's program into the draft under the network's names; answers its output."""
    number = draft.number()
    where = _Moved({"x": lambda *at: x.tensor[(*x.row, *at)]}, _renamed_indices(draft, local, x, output))
    tensors: dict[str, Tensor] = {}
    for tensor in (t for t in local.tensors if t.name != "x"):
        tensors[tensor.name] = made = _moved_tensor(draft, tensor, layer_name, number)
        where.tensors[tensor.name] = lambda *at, made=made: made[at]
    draft.statements += [equation.map(where) for equation in local.equations]
    draft.facts += [Fact(where(f.left), f.relation, where(f.right), tuple(map(where, f.over))) for f in local.facts]
    return _signal(draft, tensors[output], [where(i) for i in local.definition(output)[0].target.indices])


def _moved_tensor(draft: Draft, tensor: Tensor, layer_name: str, number: str) -> Tensor:
    metadata = {"symbol": tex(tensor.name), "level": number, "role": tensor.role, "origin": tensor.origin,
                "auxiliary": tensor.auxiliary, "dtype": tensor.dtype}
    return draft.fresh(f"{layer_name}.{tensor.name}", tensor.shape, **metadata)


def _renamed_indices(draft: Draft, local: Program, x: Signal, output: str) -> dict[sp.Basic, sp.Basic]:
    """The network's index for each local one: the input's own where they run over its axes, else one of a new letter.

    The output's equations come first, so that what is element by element keeps its letters.
    """
    equations = sorted(local.equations, key=lambda eq: eq.target.name != output)
    mapping: dict[sp.Basic, sp.Basic] = {i: n for i, n in zip(equations[0].target.indices, x.batch, strict=False) if i.extent == n.extent}
    for access in (a for eq in equations for a in sorted(eq.body.atoms(Access), key=str) if a.name == "x"):
        for position, index in zip(access.indices, (*x.batch, *x.axes), strict=True):
            if isinstance(position, Index) and position not in mapping and index not in mapping.values():
                mapping[position] = index
    for index in local.indices:
        if index not in mapping:
            mapping[index] = draft.index(index.extent, index.name)
    return mapping


def _signal(draft: Draft, y: Tensor, indices: list[sp.Basic]) -> Signal:
    batch = tuple(indices[:len(draft.batch)])
    if batch != draft.batch:
        raise NetworkError(f"the output must have the samples' index first, as in y[n, j]; "
                           f"it has the indices [{', '.join(map(str, indices))}]")
    return Signal(y, tuple(indices[len(batch):]), batch)
