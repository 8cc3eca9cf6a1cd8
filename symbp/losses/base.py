"""What a loss and its target are, squared error, and the cross-entropies.

To add one, subclass `Loss` with its settings as typed fields and a `build` that writes its forward equations,
and decorate it with `@loss`.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, Literal

import sympy as sp
from pydantic import Field

from symbp.draft import Draft, Signal
from symbp.language import Fact, Tensor, is_binary, sums_to_one
from symbp.language.functions import equal, sigmoid
from symbp.layers.activations import softmax
from symbp.losses.prior import Prior
from symbp.notation import Symbol, tex
from symbp.settings import Count, NetworkError, Settings, exact, kinds


class Target(Settings):
    """What a network should answer: one of `classes`, or numbers of a `shape`; left out, it is the output's shape.

    encoding: a class as a row with a single 1 (`one_hot`), or as its number (`integer`).  same_as: the network answers its own input,
    as an autoencoder does.
    """

    classes: Count | None = None
    shape: Annotated[list[Count], Field(min_length=1, max_length=8)] | None = None
    encoding: Literal["one_hot", "integer"] = "one_hot"
    same_as: Literal["input"] | None = None

    def model_post_init(self, _context: object) -> None:
        """Refuse settings that contradict each other."""
        if self.classes is not None and self.shape is not None:
            raise NetworkError("a target has classes or a shape, not both; remove one of them")
        if self.encoding == "integer" and self.classes is None:
            raise NetworkError('encoding = "integer" needs the number of classes: classes = …')
        if self.same_as is not None and (self.classes is not None or self.shape is not None):
            raise NetworkError('same_as = "input" says that the target is the input; remove classes and shape')

    def of_input(self, shape: Sequence[int] | None, tokens: int | None) -> Target:
        """The target of a network with such an input: of the input's shape, where it is the input.

        >>> Target(same_as="input").of_input([64], None).shape
        [64]
        """
        if self.same_as is None:
            return self
        if shape is None or tokens is not None:
            raise NetworkError('[target] same_as = "input" needs an input of numbers, with a shape'
                               + (", but this one has tokens" if tokens is not None else ""))
        return Target(shape=list(shape))

    def check(self, output: Signal) -> None:
        """Raise unless the output has the target's shape."""
        wanted = [self.classes] if self.classes is not None else self.shape
        found = output.axes[-1:] if self.classes is not None else output.axes
        if wanted is not None and [i.extent for i in found] != wanted:
            text = f"{self.classes} classes" if self.shape is None else f"the shape {wanted}"
            raise NetworkError(f"the target has {text}, but the last layer's output has the shape {output.shape}; make them equal")


class Loss(Settings, ABC):
    """A loss: its settings, and the forward equations that they stand for.  A subclass narrows `type`.

    prior: what is known of the parameters before any data; the loss becomes the negative logarithm of the posterior.
    """

    type: str
    prior: Prior | None = None

    @abstractmethod
    def build(self, draft: Draft, output: Signal, target: Target, loss: Tensor) -> None:
        """Write the equations of the scalar `loss` for a network's output."""


LOSSES: dict[str, type[Loss]] = {}
"""Every kind of loss by the `type` that a network file writes."""


def loss(cls: type[Loss]) -> type[Loss]:
    """Register a class of losses under its types."""
    LOSSES.update(dict.fromkeys(kinds(cls), cls))
    return cls


# targets

def numbers(draft: Draft, output: Signal, target: Target) -> Signal:
    """The target of a loss between numbers: `y` of the output's shape, or classes as rows with a single 1."""
    target.check(output)
    if target.classes is not None:
        return one_hot(draft, output, target)
    return draft.signal(draft.notation.target or "y", output.axes, role="input")


def one_hot(draft: Draft, output: Signal, target: Target) -> Signal:
    """The target `t` with a single 1 for the class; each row sums to 1, and t² = t."""
    if target.shape is not None or target.encoding == "integer":
        raise NetworkError("this loss needs classes as rows with a single 1: [target] classes = … without an integer encoding")
    target.check(output)
    t = draft.signal(draft.notation.target or "t", output.axes, role="input")
    draft.facts += [sums_to_one(t.tensor, *t.batch, *t.axes), is_binary(t.tensor, *t.batch, *t.axes)]
    return t


def integer(draft: Draft, output: Signal, target: Target) -> Signal:
    """The target `t`, the number of the class at each position of the output's axes before the last."""
    target.check(output)
    return draft.whole_numbers(draft.notation.target or "t", output.axes[:-1], int(output.axes[-1].extent))


# losses

@loss
class SquaredError(Loss):
    """½ Σ (a − y)², over the features a sum or a mean; over the batch as the conventions say.

    >>> draft = Draft()
    >>> a = draft.signal("a", [draft.index(3)], role="input")
    >>> SquaredError().build(draft, a, Target(), draft.tensor("L"))
    >>> print(draft.program())
    L[] += sum(n, i, (a[n, i] - y[n, i])**2/(2*N))
    """

    type: Literal["squared_error"] = "squared_error"
    half: bool = True
    features: Literal["sum", "mean"] = "sum"

    def build(self, draft: Draft, output: Signal, target: Target, loss: Tensor) -> None:
        """Write the sum over features and samples."""
        y = numbers(draft, output, target)
        factor = draft.mean() / (2 if self.half else 1)
        if self.features == "mean":
            factor /= sp.Mul(*(i.extent for i in output.axes))
        draft.write(loss[()], factor * (output.element - y.element)**2, (*output.batch, *output.axes), self.type)


@loss
class CrossEntropy(Loss):
    """−Σ t log p of probabilities p."""

    type: Literal["cross_entropy"] = "cross_entropy"

    def build(self, draft: Draft, output: Signal, target: Target, loss: Tensor) -> None:
        """Write the sum over classes and samples."""
        _need_probabilities(self.type, "softmax", output)
        cross_entropy(draft, output, target, loss, sp.S.Zero, self.type)


@loss
class SoftmaxCrossEntropy(Loss):
    """p = softmax(z/T), then −Σ q log p, where smoothing ε makes the target q = (1−ε) t + ε/K.

    The classes are the output's last axis; where there are axes of positions before it, the mean is also one over the positions.
    smoothing, temperature: numbers, or the letter of a constant, such as "epsilon" and "T".  ignore_index: a class (of targets that are
    integers) whose samples or positions do not count, such as that of padding; the mean is over the others.
    """

    type: Literal["softmax_cross_entropy"] = "softmax_cross_entropy"
    smoothing: Annotated[float, Field(ge=0, lt=1)] | Symbol = 0.0
    temperature: Annotated[float, Field(gt=0)] | Symbol = 1.0
    ignore_index: Annotated[int, Field(ge=0)] | None = None

    def build(self, draft: Draft, output: Signal, target: Target, loss: Tensor) -> None:
        """Write the softmax, then the sum over classes and samples."""
        temperature = positive(draft, self.temperature)
        smoothing = constant(draft, self.smoothing)
        cross_entropy(draft, softmax(draft, output, temperature), target, loss, smoothing, self.type, self.ignore_index)


@loss
class BinaryCrossEntropy(Loss):
    """−Σ (y log a + (1 − y) log(1 − a)) of probabilities a.

    targets: "binary" declares the fact y² = y; "any" admits all numbers from 0 to 1.
    """

    type: Literal["binary_cross_entropy"] = "binary_cross_entropy"
    targets: Literal["binary", "any"] = "binary"

    def build(self, draft: Draft, output: Signal, target: Target, loss: Tensor) -> None:
        """Write the sum over features and samples."""
        _need_probabilities(self.type, "sigmoid", output)
        binary_cross_entropy(draft, output, target, loss, self.targets == "binary", self.type)


@loss
class BinaryCrossEntropyWithLogits(Loss):
    """a = σ(z), then −Σ (y log a + (1 − y) log(1 − a)), which code computes as Σ log(1 + e^(−z)) and Σ log(1 + e^z).

    targets: as for a binary cross-entropy.
    """

    type: Literal["binary_cross_entropy_with_logits"] = "binary_cross_entropy_with_logits"
    targets: Literal["binary", "any"] = "binary"

    def build(self, draft: Draft, output: Signal, target: Target, loss: Tensor) -> None:
        """Write the sigmoid, then the sum over features and samples."""
        a = draft.signal(draft.notation.activation, output.axes)
        draft.write(a.element, sigmoid(output.element), label="sigmoid")
        binary_cross_entropy(draft, a, target, loss, self.targets == "binary", self.type)


def binary_cross_entropy(draft: Draft, output: Signal, target: Target, loss: Tensor, binary: bool, label: str) -> None:
    """Write −Σ (y log a + (1 − y) log(1 − a)) for a target of numbers."""
    if target.classes is not None:
        raise NetworkError("a binary cross-entropy has a target of numbers 0 and 1: write [target] shape = … instead of classes")
    y = numbers(draft, output, target)
    if binary:
        draft.facts.append(is_binary(y.tensor, *y.batch, *y.axes))
    a, indices = output.element, (*output.batch, *output.axes)
    draft.write(loss[()], -draft.mean() * (y.element * sp.log(a) + (1 - y.element) * sp.log(1 - a)), indices, label)


def cross_entropy(draft: Draft, p: Signal, target: Target, loss: Tensor, smoothing: sp.Expr, label: str,
                  ignored: int | None = None) -> None:
    """Write −Σ q log p for a target of classes, either encoding; the mean is one over samples and positions."""
    indices, over = (*p.batch, *p.axes), (*p.batch, *p.axes[:-1])
    share = draft.mean()
    if share != 1:
        share /= sp.Mul(*(i.extent for i in p.axes[:-1]))
    if target.encoding != "integer":
        if ignored is not None:
            raise NetworkError('ignore_index is the number of a class, so it needs [target] encoding = "integer"')
        t = one_hot(draft, p, target)
        q = (1 - smoothing) * t.element + smoothing / p.axes[-1].extent
        draft.write(loss[()], -share * q * sp.log(p.element), indices, label)
        return
    t = integer(draft, p, target)
    if ignored is not None:
        share = _counted(draft, p, t, ignored, share)
    draft.write(loss[()], -share * (1 - smoothing) * sp.log(p.at(*p.axes[:-1], t.element)), over, label)
    if smoothing != 0:
        draft.write(loss[()], -share * smoothing / p.axes[-1].extent * sp.log(p.element), indices, label)


def constant(draft: Draft, setting: float | str) -> sp.Expr:
    """A setting as it stands in equations: the number itself, or the constant of that letter."""
    if not isinstance(setting, str):
        return exact(setting)
    return draft.tensor(draft.claim(setting, "a constant"), role="constant", symbol=tex(setting))[()]
def _counted(draft: Draft, p: Signal, t: Signal, ignored: int, share: sp.Expr) -> sp.Expr:
    """What each position's term is multiplied by where those of the class `ignored` do not count."""
    if ignored >= p.axes[-1].extent:
        raise NetworkError(f"ignore_index = {ignored}, but the classes are 0 to {p.axes[-1].extent} − 1 = {p.axes[-1].extent - 1}")
    counts = 1 - equal(t.element, ignored)
    if share == 1:
        return counts
    number = draft.fresh("C")
    draft.write(number[()], counts, (*p.batch, *p.axes[:-1]), "positions that count")
    return counts / number[()]


def positive(draft: Draft, setting: float | str) -> sp.Expr:
    """As `constant`, where a letter stands for a number above 0."""
    value = constant(draft, setting)
    if isinstance(setting, str):
        draft.facts.append(Fact(value, ">", 0))
    return value


def _need_probabilities(kind: str, layer: str, output: Signal) -> None:
    other = "softmax_cross_entropy" if layer == "softmax" else "binary_cross_entropy_with_logits"
    if output.probabilities is False:
        raise NetworkError(f"{kind} takes probabilities, but the last layer's values can lie outside 0 … 1; "
                           f"put a layer of type {layer!r} last" + (f", or take {other}"))

