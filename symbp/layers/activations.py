"""Activations: a named function of each element, and softmax."""
from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import sympy as sp
from pydantic import Field

from symbp.draft import Draft, Signal, known
from symbp.language import Conventions, Tensor
from symbp.language.build import Guard, Reduce
from symbp.language.functions import DEFINITIONS, Defined, elu_with, leaky_relu_with, opaque, relu_with
from symbp.language.parse import parse_expression
from symbp.language.scope import Scope
from symbp.layers.base import Layer, layer
from symbp.notation import tex
from symbp.settings import NetworkError, exact

Elementwise = Literal["relu", "leaky_relu", "elu", "sigmoid", "tanh", "identity", "softplus", "silu", "gelu", "gelu_tanh", "any"]

ANY = opaque("sigma", latex=r"\sigma")
"""The σ of a theorem: any differentiable activation."""


def function(name: str, conventions: Conventions) -> Callable[[sp.Expr], sp.Expr]:
    """The function of an activation's name.

    >>> function("tanh", Conventions())(sp.Symbol("z"))
    tanh(z)
    """
    return {"identity": lambda z: z, "any": ANY}.get(name) or functions(conventions)[name]


def functions(conventions: Conventions) -> dict[str, type[Defined]]:
    """Every defined function by its name, those with a kink at 0 as the conventions say."""
    at_zero = sp.Rational(conventions.relu_at_zero)
    return {**DEFINITIONS, "relu": relu_with(at_zero), "leaky_relu": leaky_relu_with(sp.Rational(1, 100), at_zero),
            "elu": elu_with(sp.S.One, at_zero)}


def activate(draft: Draft, x: Signal, name: str) -> Signal:
    """Write a = f(z) for a function of a name; the identity needs no equation."""
    if name == "softmax":
        return softmax(draft, x)
    if name == "identity":
        return x
    return elementwise(draft, x, function(name, draft.conventions)(x.element), name)


def elementwise(draft: Draft, x: Signal, body: sp.Expr, label: str) -> Signal:
    """Write a = body, an expression of the input's element."""
    letter, level = draft.notation.activation, draft.current()
    a = draft.signal(letter + level, x.axes, symbol=tex(letter), level=level)
    draft.write(a.element, body, label=label)
    return known(a, label == "sigmoid")


def softmax(draft: Draft, x: Signal, temperature: sp.Expr = sp.S.One) -> Signal:
    """Write p = e / Σ e with e = exp(z/T), over the last axis."""
    e = draft.signal("e", x.axes, auxiliary=True)
    total = draft.signal("S", x.axes[:-1], auxiliary=True)
    p = draft.signal("p", x.axes, symbol="p")
    draft.write(e.element, sp.exp(x.element / temperature), label="softmax")
    draft.write(total.element, e.element, over=x.axes[-1:], label="softmax")
    draft.write(p.element, e.element / total.element, label="softmax")
    return known(p, True)


def log_softmax(draft: Draft, x: Signal) -> Signal:
    """Write p = softmax(z) and y = log p, over the last axis; code computes z − log Σ exp(z)."""
    p = softmax(draft, x)
    y = draft.signal("logp", x.axes, symbol=r"\ell")
    draft.write(y.element, sp.log(p.element), label="log_softmax")
    return known(y, False)


@layer
class Activation(Layer):
    """A function of each element; the layer's type is the function's name.  leaky_relu has the slope 0.01, elu has α = 1.

    >>> draft = Draft()
    >>> _ = Activation(type="tanh").build(draft, draft.signal("z", [draft.index(2)], role="input"))
    >>> print(draft.program())
    a0[n, i] += tanh(z[n, i])
    """

    type: Literal["relu", "sigmoid", "tanh", "identity", "softplus", "silu", "gelu", "gelu_tanh", "any"]

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write a = f(z)."""
        return activate(draft, x, self.type)


@layer
class Softmax(Layer):
    """p = exp(z) / Σ exp(z) over the last axis."""

    type: Literal["softmax"] = "softmax"

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write p = e / Σ e."""
        return softmax(draft, x)


@layer
class LogSoftmax(Layer):
    """The logarithm of a softmax, z − log Σ exp(z), over the last axis."""

    type: Literal["log_softmax"] = "log_softmax"

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write y = log p."""
        return log_softmax(draft, x)


@layer
class LeakyRelu(Layer):
    """a = z above 0 and slope·z below (Maas, Hannun and Ng 2013).

    >>> LeakyRelu(slope=-1)
    Traceback (most recent call last):
    symbp.settings.NetworkError: slope = -1 must be at least 0.0
    """

    type: Literal["leaky_relu"] = "leaky_relu"
    slope: Annotated[float, Field(ge=0, lt=1)] = 0.01

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write a = LeakyReLU(z)."""
        made = leaky_relu_with(exact(self.slope), sp.Rational(draft.conventions.relu_at_zero))
        return elementwise(draft, x, made(x.element), self.type)


@layer
class Elu(Layer):
    """a = z above 0 and α (exp(z) − 1) below (Clevert, Unterthiner and Hochreiter 2016)."""

    type: Literal["elu"] = "elu"
    alpha: Annotated[float, Field(gt=0, le=100)] = 1.0

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write a = ELU(z)."""
        made = elu_with(exact(self.alpha), sp.Rational(draft.conventions.relu_at_zero))
        return elementwise(draft, x, made(x.element), self.type)


@layer
class Formula(Layer):
    """A function of each element that the user writes as a formula in `z`, in the expression language.

    >>> draft = Draft()
    >>> _ = Formula(formula="z*sigmoid(1.7*z)").build(draft, draft.signal("z", [draft.index(2)], role="input"))
    >>> print(draft.program())
    a0[n, i] += sigmoid(17*z[n, i]/10)*z[n, i]
    """

    type: Literal["activation"] = "activation"
    formula: Annotated[str, Field(min_length=1, max_length=1000)]

    def build(self, draft: Draft, x: Signal) -> Signal:
        """Write a = the formula at z."""
        z = Tensor("z")
        body = parse_expression(self.formula, Scope({"z": z}, functions=functions(draft.conventions)))
        if body.has(Reduce, Guard):
            raise NetworkError(f"formula = {self.formula!r}: an activation takes each z by itself; sums and maxima need a layer of type "
                               '"equations"')
        if not body.has(z[()]):
            raise NetworkError(f"formula = {self.formula!r} does not read z, so no gradient would pass; write a formula in z")
        return elementwise(draft, x, body.xreplace({z[()]: x.element}), self.type)
