"""Activations: a named function of each element, and softmax."""
from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import sympy as sp

from symbp.draft import Draft, Signal, known
from symbp.language import Conventions
from symbp.language.functions import DEFINITIONS, opaque, relu_with
from symbp.layers.base import Layer, layer
from symbp.notation import tex

Elementwise = Literal["relu", "sigmoid", "tanh", "identity", "softplus", "silu", "gelu", "any"]

ANY = opaque("sigma", latex=r"\sigma")
"""The σ of a theorem: any differentiable activation."""


def function(name: str, conventions: Conventions) -> Callable[[sp.Expr], sp.Expr]:
    """The function of an activation's name.

    >>> function("tanh", Conventions())(sp.Symbol("z"))
    tanh(z)
    """
    if name == "relu":
        return relu_with(sp.Rational(conventions.relu_at_zero))
    return {"identity": lambda z: z, "any": ANY}.get(name) or DEFINITIONS[name]


def activate(draft: Draft, x: Signal, name: str) -> Signal:
    """Write a = f(z); the identity needs no equation."""
    if name == "softmax":
        return softmax(draft, x)
    if name == "identity":
        return x
    letter, level = draft.notation.activation, draft.current()
    a = draft.signal(letter + level, x.axes, symbol=tex(letter), level=level)
    draft.write(a.element, function(name, draft.conventions)(x.element), label=name)
    return known(a, name == "sigmoid")


def softmax(draft: Draft, x: Signal, temperature: sp.Expr = sp.S.One, domain: tuple[sp.Expr, ...] = ()) -> Signal:
    """Write p = e / Σ e with e = exp(z/T), over the last axis, where the domain's conditions hold; p is 0 elsewhere."""
    e = draft.signal("e", x.axes, auxiliary=True)
    total = draft.signal("S", x.axes[:-1], auxiliary=True)
    p = draft.signal("p", x.axes, symbol="p")
    draft.write(e.element, sp.exp(x.element / temperature), label="softmax", domain=domain)
    draft.write(total.element, e.element, over=x.axes[-1:], label="softmax", domain=domain)
    draft.write(p.element, e.element / total.element, label="softmax", domain=domain)
    return known(p, True)


@layer
class Activation(Layer):
    """A function of each element; the layer's type is the function's name.

    >>> draft = Draft()
    >>> _ = Activation(type="tanh").build(draft, draft.signal("z", [draft.index(2)], role="input"))
    >>> print(draft.program())
    a0[n, i] += tanh(z[n, i])
    """

    type: Elementwise

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
