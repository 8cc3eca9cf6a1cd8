"""Recurrent layers: the simple network of Elman, as a loop over time, and what all recurrent layers have in common.

The states have one row more than there are steps: h[0] = 0 and h[t+1] = f(h[t], x[t]); against time, h[T] = 0 and h[t] = f(h[t+1], x[t]).
"""
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import sympy as sp

from symbp.draft import Draft, Signal, known
from symbp.language import Index, Loop, Tensor
from symbp.language.equation import Equation
from symbp.language.index import SizeLike
from symbp.language.tensor import Access
from symbp.layers.activations import Elementwise, function
from symbp.layers.base import Layer, layer
from symbp.notation import tex
from symbp.settings import Count, NetworkError

Extents = tuple[SizeLike, ...]


@dataclass
class Cell:
    """One pass over time: its indices, its tensors by letter, and the equations of one step.

    t: the step.  features, units: indices of the input and of the state; before: a further index of the state.
    old, new: the rows that hold the state before and after step t.  shared: the parameters by letter.  ends: the states by letter of
    the part before, where the pass is truncated.
    """

    draft: Draft
    x: Signal
    t: Index
    units: Index
    before: Index
    ascending: bool
    layer: str
    number: str
    mark: str
    biased: bool
    label: str
    shared: dict[str, Tensor]
    ends: dict[str, Tensor]
    equations: list[Equation] = field(default_factory=list)
    starts: list[Equation] = field(default_factory=list)

    @property
    def features(self) -> Index:
        """The index of the input's features."""
        return self.x.axes[1]

    @property
    def old(self) -> sp.Expr:
        """The row of the state before step t."""
        return sp.sympify(self.t if self.ascending else self.t + 1)

    @property
    def new(self) -> sp.Expr:
        """The row of the state after step t."""
        return sp.sympify(self.t + 1 if self.ascending else self.t)

    def parameter(self, letter: str, *axes: Index) -> Access:
        """A parameter with these axes, at these indices; all parts of a truncated pass have the same."""
        if letter not in self.shared:
            self.shared[letter] = self.draft.parameter(letter + self.mark, [i.extent for i in axes], self.layer, self.number)
        return self.shared[letter][axes]

    def rows(self, letter: str, *axes: Index, steps: SizeLike = 0, cotangent: str = "") -> Tensor:
        """A tensor with a row for each step, and `steps` further rows."""
        name, inner = letter + self.mark, [i.extent for i in (*self.x.batch, *axes)]
        return self.draft.fresh(name + self.number, [self.t.extent + steps, *inner], symbol=tex(name), level=self.number,
                                cotangent=cotangent, origin=(self.t.start, *(0 for _ in inner)))

    def state(self, letter: str) -> tuple[Access, Access]:
        """A state that starts from zero, or from where the part before it has left it: its elements before and after step t.

        No gradient flows from one part to the one before.
        """
        made, at = self.rows(letter, self.units, steps=1), (*self.x.batch, self.units)
        first, start = self.t.start if self.ascending else self.t.last + 1, sp.S.Zero
        if letter in self.ends:
            held = self.draft.fresh(f"{letter}{self.mark}{self.number}_held", [i.extent for i in at], symbol=tex(letter + self.mark),
                                    level=self.number, held=True)
            self.starts.append(Equation(held[at], self.ends[letter][(first, *at)], label=self.label))
            start = held[at]
        self.ends[letter] = made
        self.starts.append(Equation(made[(first, *at)], start, label=self.label))
        return tuple(made[(row, *at)] for row in (self.old, self.new))

    def element(self, letter: str, body: sp.Expr) -> Access:
        """A tensor with one number for each unit and step, which is `body`."""
        target = self.rows(letter, self.units)[(self.t, *self.x.batch, self.units)]
        self.write(target, body)
        return target

    def write(self, target: Access, body: sp.Expr, *over: Index) -> None:
        """One equation of a step."""
        self.equations.append(Equation(target, body, over=over, label=self.label))

    def preactivation(self, letter: str, old: Access | None, *gates: Index, inputs: bool = True) -> Tensor:
        """z = W x + U h + b, with an axis for the gates where there are any."""
        cotangent = tex(self.draft.notation.cotangent) if letter == self.draft.notation.preactivation else ""
        z = self.rows(letter, *gates, self.units, cotangent=cotangent)
        at = z[(self.t, *self.x.batch, *gates, self.units)]
        if inputs:
            W = self.parameter(self.draft.notation.weights, *gates, self.units, self.features)
            self.write(at, W * self.x.at(self.t, self.features), self.features)
        if old is not None:
            self.write(at, self.parameter("U", *gates, self.units, self.before) * old.xreplace({self.units: self.before}), self.before)
        if self.biased:
            self.write(at, self.parameter(self.draft.notation.bias if inputs else "d", *gates, self.units))
        return z

    def product(self, letter: str, weight: Callable[..., Access], state: Access, *gates: Index) -> Tensor:
        """Σ over the units of a state's element times its weight, at the gates, the unit and the state's unit."""
        made, m = self.rows(letter, *gates, self.units), self.before
        self.write(made[(self.t, *self.x.batch, *gates, self.units)], weight(*gates, self.units, m) * state.xreplace({self.units: m}), m)
        return made


class Recurrent(Layer):
    """What recurrent layers have in common; the input of each sample has the shape [T, D], steps first.

    units: the width H of the state.  returns: the state after the last step, or those after all steps [T, H].
    direction: the order in which the steps are read; `both` puts the two states behind each other, forward first.
    bias: whether biases are added.  init: how the weights start.
    truncate: k, so that the pass over time is made of parts of k steps, the last of the T steps in the last part, and gradients flow
    through the steps of a part only (truncated backpropagation through time, Williams and Peng 1990).
    """

    widths: ClassVar[tuple[str, ...]] = ("units",)

    units: Count
    returns: Literal["last", "all"] = "last"
    direction: Literal["forward", "backward", "both"] = "forward"
    bias: bool = True
    init: Literal["auto", "he", "xavier", "normal", "zeros"] = "auto"
    truncate: Count | None = None

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write one loop for each direction, and the states that are handed on."""
        if len(x.axes) != 2:
            raise NetworkError(f"a recurrent layer takes steps and features, shape = [T, D], but its input has the shape {x.shape}, "
                               f"which has {len(x.axes)} axes")
        level, parts = draft.number(), self._parts(draft, x.axes[0])
        j, m = draft.index(self.units, part=self.direction == "both"), draft.index(self.units, "m")
        passes = {"forward": (True,), "backward": (False,), "both": (True, False)}[self.direction]
        return self._output(draft, x, [self._pass(draft, x, parts, ascending, level, j, m) for ascending in passes])

    def _parts(self, draft: Draft, steps: Index) -> list[Index]:
        """The steps that gradients flow through together, first steps first: all of them, or parts of k from the end on."""
        count, most = steps.extent, self.truncate
        if most is None:
            return [steps if steps.name == "t" else draft.index(count, "t")]
        if most > count:
            raise NetworkError(f"truncate = {most}, but there are {count} steps; write at most {count}, or leave it out")
        first = count % most
        starts = [0, *range(first, int(count), most)] if first else range(0, int(count), most)
        ends = [*starts[1:], int(count)]
        return [Index(draft.index(b - a, "t").name, b - a, a, part=True) for a, b in zip(starts, ends)]

    def _pass(self, draft: Draft, x: Signal, parts: list[Index], ascending: bool, level: str, j: Index, m: Index) -> list[Cell]:
        """One direction: a loop for each part."""
        mark = "_back" if self.direction == "both" and not ascending else ""
        shared: dict[str, Tensor] = {}
        ends: dict[str, Tensor] = {}
        cells = []
        for t in parts if ascending else reversed(parts):
            cell = Cell(draft, x, t, j, m, ascending, self.name, level, mark, self.bias, self.type, shared, ends)
            cell.last = self.step(cell)
            draft.statements += [*cell.starts, Loop(t, "ascending" if ascending else "descending", tuple(cell.equations))]
            cells.append(cell)
        return cells

    @abstractmethod
    def step(self, cell: Cell) -> Access:
        """Write the equations of one step, and answer the new state."""

    def _output(self, draft: Draft, x: Signal, passes: list[list[Cell]]) -> Signal:
        """The states that are handed on, in one tensor; those of the two directions behind each other."""
        first, width = passes[0][0], passes[0][0].units.extent
        whole = first.units if len(passes) == 1 else draft.index(len(passes) * width)
        steps = first.t if len(passes[0]) == 1 else x.axes[0]
        axes = (steps, whole) if self.returns == "all" else (whole,)
        letter = draft.notation.activation
        y = draft.signal(letter + first.number, axes, symbol=tex(letter), level=first.number)
        for k, cells in enumerate(passes):
            unit = first.units + k * width if len(passes) > 1 else first.units
            for cell in cells if self.returns == "all" else cells[-1:]:
                row = cell.new if self.returns == "all" else cell.t.last + 1 if cell.ascending else cell.t.start
                at = (cell.t, unit) if self.returns == "all" else (unit,)
                draft.write(y.at(*at), Access(cell.last.name, row, *cell.last.indices[1:]), label=self.type)
        return known(y, False)


@layer
class SimpleRecurrent(Recurrent):
    """The simple recurrent layer (Elman 1990, Finding structure in time): z[t] = W x[t] + U h[t] + b, h[t+1] = σ(z[t]).

    activation: σ.

    >>> draft = Draft()
    >>> x = draft.signal("x", [draft.index(5), draft.index(3)], role="input")
    >>> _ = SimpleRecurrent(type="rnn", units=2).build(draft, x)
    >>> print(draft.program())
    h1[0, n, k] += 0
    for t ↑ 0..4:
        z1[t, n, k] += sum(j, W1[k, j]*x[n, t, j])
        z1[t, n, k] += sum(m, U1[k, m]*h1[t, n, m])
        z1[t, n, k] += b1[k]
        h1[t + 1, n, k] += tanh(z1[t, n, k])
    a1[n, k] += h1[5, n, k]
    """

    type: Literal["rnn"] = "rnn"
    activation: Elementwise = "tanh"

    def step(self, cell: Cell) -> Access:
        """z[t] = W x[t] + U h[t] + b, h[t+1] = σ(z[t])."""
        old, new = cell.state("h")
        z = cell.preactivation(cell.draft.notation.preactivation, old)
        cell.write(new, function(self.activation, cell.draft.conventions)(z[(cell.t, *cell.x.batch, cell.units)]))
        return new
