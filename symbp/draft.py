"""A program under construction: what layers and losses write their forward equations into.

Stage: L0 → L1.  A draft hands out tensor names, index letters and layer numbers; a `Signal` is what flows from
one layer to the next.
"""
from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import Any, Literal

import sympy as sp

from symbp.language import Conventions, Equation, Fact, Index, Program, Tensor, is_binary, size
from symbp.language.index import SizeLike
from symbp.language.names import NameSupply
from symbp.language.tensor import Access
from symbp.notation import Notation, tex
from symbp.settings import NetworkError
from symbp.suggest import nearest

LETTERS = "ijkmqrsuvw"
TAKEN = {"n": "the index of samples", "N": "the number of samples", "l": "the index of layers", "p": "a softmax's output"}


@dataclass(frozen=True)
class Signal:
    """The output of a layer: a tensor with `row` (of a recurrence), `batch` and feature `axes`, in that order.

    probabilities: whether its values lie between 0 and 1; None where that is not known.
    """

    tensor: Tensor
    axes: tuple[Index, ...]
    batch: tuple[Index, ...] = ()
    row: tuple[sp.Expr, ...] = ()
    probabilities: bool | None = None

    def at(self, *features: SizeLike) -> Access:
        """The element at these positions of the feature axes."""
        return self.tensor[(*self.row, *self.batch, *features)]

    @property
    def element(self) -> Access:
        """The element at the signal's own indices."""
        return self.at(*self.axes)

    @property
    def shape(self) -> str:
        """The features' shape, for messages."""
        return "[" + ", ".join(str(i.extent) for i in self.axes) + "]"


class Draft:
    """Tensors, statements and facts, collected in order; each method adds something and returns it.

    avoid: letters that no index may take.  mode: "training", or "inference" for the program that a trained network is used with.

    >>> draft = Draft()
    >>> x = draft.signal("x", (draft.index(3),), role="input")
    >>> y = draft.signal("y", x.axes)
    >>> draft.write(y.element, x.element**2)
    >>> print(draft.program())
    y[n, i] += x[n, i]**2
    """

    def __init__(self, conventions: Conventions | None = None, notation: Notation | None = None, avoid: Collection[str] = (),
                 mode: Literal["training", "inference"] = "training") -> None:
        self.mode = mode
        self.conventions = conventions or Conventions()
        self.notation = notation or Notation()
        self.avoid = {*avoid, *self.notation.letters, *TAKEN}
        self.names = NameSupply({"n", "N", "l"})
        self.batch = (Index("n", size("N")),) if self.conventions.samples == "rows" else ()
        self.level: int | None = self.notation.first_layer - 1
        self.tensors: list[Tensor] = []
        self.statements: list[Any] = []
        self.facts: list[Fact] = []
        self.outputs: dict[str, Signal] = {}
        self.starts: dict[str, int] = {}
        self.rates: dict[str, sp.Rational] = {}
        self._taken = {"n", "N", "l"}
        self._sizes = {"N"}
        self._printed: set[tuple[str, str]] = set()

    # names

    def claim(self, name: str, what: str) -> str:
        """Take a name for good; an error where something else has it."""
        self._taken.add(name)
        if self.names.fresh(name) != name:
            raise NetworkError(f"{what} cannot be called {name!r}, since something else has that name; rename one of them")
        return name

    def size(self, letter: str) -> sp.Symbol:
        """The symbolic extent of a letter, which means the same in every layer."""
        if letter not in self._sizes:
            self._sizes.add(self.claim(letter, "an extent"))
        return size(letter)

    def index(self, extent: SizeLike, wanted: str = "", part: bool = False) -> Index:
        """An index of its own letter: the wanted one where it is free, else the next of the alphabet.

        part: it may run over a part of a longer axis.
        """
        numbered = (f"{letter}_{k}" for k in count(1) for letter in LETTERS)
        choices = [wanted] if wanted else []
        name = next(n for group in (choices, LETTERS, numbered) for n in group if n not in self._taken | self.avoid)
        return Index(self.claim(name, "an index"), extent, part=part)

    def number(self) -> str:
        """The number of the next layer with parameters, as it is printed."""
        if self.level is None:
            raise NetworkError("a layer of this type cannot follow a layer with `repeat`; only softmax and the loss can")
        self.level += 1
        if not self.notation.numbered and self.level > self.notation.first_layer:
            raise NetworkError("the network has several layers with parameters, so they need numbers; remove `numbered = false`")
        return self.current()

    def current(self) -> str:
        """The number of the last layer with parameters, as it is printed."""
        if self.level is None:
            raise NetworkError("a layer of this type cannot follow a layer with `repeat`; only softmax and the loss can")
        return str(self.level) if self.notation.numbered else ""

    # tensors and statements

    def tensor(self, name: str, shape: Iterable[SizeLike] = (), *, symbol: str = "", level: str = "", **metadata: Any) -> Tensor:
        """A new tensor; a name that is taken gets a number, and a symbol that is taken a further upper index."""
        symbol = symbol or tex(name)
        if not metadata.get("auxiliary"):
            level = self._unprinted(symbol, level)
        made = Tensor(name, tuple(shape), symbol=symbol, level=level, **metadata)
        self._taken.add(name)
        self.tensors.append(made)
        return made

    def _unprinted(self, symbol: str, level: str) -> str:
        """The level itself, or the level and the first number with which nothing prints like this symbol."""
        choices = chain([level], (f"{level},{k}".strip(",") for k in count(2)))
        free = next(v for v in choices if (symbol, v) not in self._printed)
        self._printed.add((symbol, free))
        return free

    def fresh(self, name: str, shape: Iterable[SizeLike] = (), **metadata: Any) -> Tensor:
        """As `tensor`, under a name that is free."""
        return self.tensor(self.names.fresh(name), shape, **{"symbol": tex(name), **metadata})

    def signal(self, name: str, axes: Iterable[Index], **metadata: Any) -> Signal:
        """A new tensor with the batch's axis and these feature axes."""
        axes = tuple(axes)
        tensor = self.fresh(name, [i.extent for i in (*self.batch, *axes)], **metadata)
        return Signal(tensor, axes, self.batch)

    def output(self, name: str, signal: Signal) -> Signal:
        """Keep a layer's output under the layer's name, for the layers that take it as their input."""
        self.outputs[name] = signal
        return signal

    def named(self, name: str) -> Signal:
        """The output of the earlier layer of that name."""
        if name not in self.outputs:
            raise NetworkError(f"no earlier layer is called {name!r}{nearest(name, self.outputs)}")
        return self.outputs[name]

    def parameter(self, letter: str, shape: Iterable[SizeLike], layer: str, number: str, **metadata: Any) -> Tensor:
        """A parameter: `W1`, or `hidden.W` where the layer has a name."""
        name = self.claim(f"{layer}.{letter}" if layer else f"{letter}{number}", "a parameter")
        return self.tensor(name, shape, symbol=tex(letter), level=number, role="parameter", **metadata)

    def running(self, letter: str, shape: Iterable[SizeLike], layer: str, number: str, *, start: int, symbol: str) -> Tensor:
        """A state that training keeps beside the parameters, such as a running mean: `mean1`, or `norm.mean` where the layer has a name."""
        name = self.claim(f"{layer}.{letter}" if layer else f"{letter}{number}", "a running statistic")
        self.starts[name] = start
        return self.tensor(name, shape, symbol=symbol, level=number, role="state")

    def following(self, state: Tensor) -> Tensor:
        """The next value of a state, which its equation assigns in training."""
        return self.fresh(f"{state.name}_next", state.shape, origin=state.origin, next_of=state.name)

    def bernoulli(self, name: str, axes: Iterable[Index], rate: sp.Rational, **metadata: Any) -> Signal:
        """A signal of ones and zeros that is drawn anew in each training step; an element is 0 with the probability `rate`."""
        mask = self.signal(name, axes, role="random", **metadata)
        self.rates[mask.tensor.name] = rate
        self.facts.append(is_binary(mask.tensor, *mask.batch, *mask.axes))
        return mask

    def write(self, target: Access, body: sp.Expr, over: Iterable[Index] = (), label: str = "", **rest: Any) -> None:
        """Add the equation `target += Σ_over body`; `rest` are further fields of the equation (op, domain, component)."""
        self.statements.append(Equation(target, body, over=tuple(over), label=label, **rest))

    def mean(self) -> sp.Expr:
        """1/N where the loss is the mean over a batch, else 1."""
        if not self.batch or self.conventions.batch_loss == "sum":
            return sp.S.One
        return 1 / self.batch[0].extent

    def program(self) -> Program:
        """The finished program, checked."""
        return Program(tuple(self.tensors), tuple(self.statements), tuple(self.facts), self.conventions)


def known(signal: Signal, probabilities: bool) -> Signal:
    """The same signal, of which is known whether its values lie between 0 and 1."""
    return replace(signal, probabilities=probabilities)
