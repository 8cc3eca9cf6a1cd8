"""The update of a program under construction: constants, states, next values, and the place of each parameter in it.

A next value is a tensor with `next_of`; it prints as `W := …`.
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp

from symbp.language import Equation, Index, Loop, NameSupply, Program, Statement, Tensor, walk
from symbp.language.tensor import Access
from symbp.notation import tex


class Update:
    """The update of a program under construction: constants, states and next values.

    values: the number of each constant, and the start of each scalar state, by tensor name.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.names = NameSupply({t.name for t in program.tensors} | {i.name for i in program.indices})
        self.statements: list[Statement] = []
        self.values: dict[str, float] = {}
        self._tensors: dict[str, Tensor] = {}
        self._written = _plain_writes(program)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The constants, states and next values."""
        return tuple(self._tensors.values())

    def scalar(self, name: str, symbol: str, value: float, role: str = "constant") -> Access:
        """A scalar constant or state with its value."""
        tensor = self.add(Tensor(self.names.fresh(name), role=role, symbol=symbol))
        self.values[tensor.name] = value
        return tensor[()]

    def symbol(self, scalar: Access) -> str:
        """The LaTeX letter of a scalar."""
        return self._tensors[scalar.name].symbol if scalar.name in self._tensors else scalar.name

    def define(self, name: str, symbol: str, body: sp.Expr) -> Access:
        """A scalar that is computed once for all parameters, such as the learning rate of this step."""
        made = self.add(Tensor(self.names.fresh(name), symbol=symbol))[()]
        self.statements.append(Equation(made, body, label="update"))
        return made

    def total(self, name: str, symbol: str, addends: Iterable[tuple[Slot, sp.Expr]]) -> Access:
        """The sum of an expression over all elements of all parameters, such as the square of the gradient's norm."""
        made = self.add(Tensor(self.names.fresh(name), symbol=symbol))[()]
        for slot, body in addends:
            over = tuple(i for i in slot.indices if i != slot.loop)
            slot.write(Equation(made, body, over=over, label="update"))
        return made

    def advance(self, scalar: Access) -> Access:
        """The scalar state + 1."""
        following = self.following(scalar.name, ())
        self.statements.append(Equation(following, scalar + 1, label="update"))
        return following

    def of(self, parameter: Tensor, gradient: Tensor) -> Slot:
        """Where the update of one parameter is written."""
        indices, loop = self._written.get(gradient.name, (None, None))
        if indices is None:
            indices = tuple(Index(self.names.fresh("i"), e, o) for e, o in zip(parameter.shape, parameter.origin, strict=True))
        return Slot(self, parameter, gradient, indices, loop)

    def extended(self) -> Program:
        """The program with the update behind its own statements."""
        return self.program.extended(self.tensors, self.statements)

    def add(self, tensor: Tensor) -> Tensor:
        """Add a tensor."""
        self._tensors[tensor.name] = tensor
        return tensor

    def following(self, name: str, indices: tuple[Index, ...]) -> Access:
        """The element of a tensor's next value."""
        old = self._tensors.get(name) or self.program.tensor(name)
        return self.add(Tensor(self.names.fresh(f"{name}_next"), old.shape, origin=old.origin, level_axis=old.level_axis,
                               next_of=name))[indices]


def _plain_writes(program: Program) -> dict[str, tuple[tuple[Index, ...], Index | None]]:
    """For each tensor that is written at plain indices: these, and the index of the loop that it is written in."""
    found: dict[str, tuple[tuple[Index, ...], Index | None]] = {}
    for equation, loops in walk(program.statements):
        at = equation.target.indices
        if all(isinstance(i, Index) for i in at) and len(set(at)) == len(at):
            found.setdefault(equation.target.name, (at, next((lp.index for lp in loops if lp.index in at), None)))
    return found


@dataclass
class Slot:
    """The update of one parameter: its element, its gradient's element, and the equations about them.

    changed: what stands for the gradient in the optimiser's equations, where it was clipped or a penalty was added.
    """

    update: Update
    tensor: Tensor
    bar: Tensor
    indices: tuple[Index, ...]
    loop: Index | None
    changed: sp.Expr | None = None

    @property
    def value(self) -> Access:
        """The parameter's element."""
        return self.tensor[self.indices]

    @property
    def cotangent(self) -> sp.Expr:
        """The gradient's element, or what stands for it."""
        return self.bar[self.indices] if self.changed is None else self.changed

    @property
    def has_rows(self) -> bool:
        """Whether the parameter has two axes or more: a matrix or a kernel, and no bias or gain."""
        return len(self.tensor.shape) - self.tensor.level_axis > 1

    def state(self, letter: str) -> Access:
        """A state of the parameter's shape, 0 at the start, such as v for the velocity."""
        return self._like(f"{letter}_{self.tensor.name}", letter, "state")[self.indices]

    def helper(self, letter: str, body: sp.Expr, accent: str = "hat") -> Access:
        """A helper of the parameter's shape, such as the corrected moment."""
        made = self._like(f"{letter}_{accent}_{self.tensor.name}", rf"\{accent}{{{letter}}}", "intermediate")[self.indices]
        self._write(made, body)
        return made

    def assign(self, old: Access, body: sp.Expr) -> Access:
        """Write the next value of a parameter or state."""
        made = self.update.following(old.name, self.indices)
        self._write(made, body)
        return made

    def _like(self, name: str, letter: str, role: str) -> Tensor:
        base = self.tensor
        bare = f"{letter}_{{{base.symbol or tex(base.name)}}}"
        symbol = f"{{[{bare}]}}" if base.shape else f"{{{{}}{bare}}}"  # {{}} first: TeX unwraps a group that is one accent
        return self.update.add(Tensor(self.update.names.fresh(name), base.shape, role=role, symbol=symbol, level=base.level,
                                       origin=base.origin, level_axis=base.level_axis))

    def _write(self, target: Access, body: sp.Expr) -> None:
        self.write(Equation(target, body, label="update"))

    def write(self, equation: Equation) -> None:
        """Write an equation for each layer, where the parameter has a row for each."""
        self.update.statements.append(Loop(self.loop, "ascending", (equation,)) if self.loop else equation)
