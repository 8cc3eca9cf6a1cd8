"""Scalar functions: few primitives, and definitions through them.

Primitive are exp, log, power, erf, sin, cos, abs, `step` and the Iverson bracket `equal`.  Everything
else is *defined*: `sigmoid` has a definition, a LaTeX name and properties, and no derivative of its own;
`symbp.calculus.local` derives σ' from the definition.  An opaque function has a name and no definition,
for derivations that hold for any activation.
"""
from __future__ import annotations

from collections.abc import Callable
from functools import cache

import sympy as sp
from sympy.core.sympify import _sympify

from symbp.errors import LanguageError


class step(sp.Function):
    """`step(x, c)`: 1 where x > 0, 0 where x < 0, and the convention's value `c` at x = 0."""

    nargs = 2
    is_real = True

    @classmethod
    def eval(cls, x: sp.Expr, at_zero: sp.Expr) -> sp.Expr | None:
        if x.is_comparable:
            known = [value for value, holds in ((sp.S.One, x.is_positive), (sp.S.Zero, x.is_negative), (at_zero, x.is_zero)) if holds]
            return known[0] if known else None
        return None


class equal(sp.Function):
    """The Iverson bracket [a = b]: 1 where a equals b, else 0."""

    nargs = 2
    is_real = True

    @classmethod
    def eval(cls, a: sp.Expr, b: sp.Expr) -> sp.Expr | None:
        if a == b:
            return sp.S.One
        if a.is_comparable and b.is_comparable:
            return {True: sp.S.One, False: sp.S.Zero}.get((a - b).is_zero)
        return None


class Defined(sp.Function):
    """Base of the functions that are known by a definition.  Made by `define` and `opaque` only.

    Class attributes: `parameters` (dummies), `definition` (an expression in them, or None when opaque),
    `latex_name`, `properties`, and for derived functions `base` and `orders`.
    """

    parameters: tuple[sp.Dummy, ...] = ()
    definition: sp.Expr | None = None
    latex_name = ""
    properties: frozenset[str] = frozenset()
    base: type[Defined] | None = None
    orders: tuple[int, ...] = ()
    is_real = True

    def expanded(self) -> sp.Expr:
        """The definition at this application's arguments; the application itself when opaque."""
        if self.definition is None:
            return self
        return self.definition.xreplace(dict(zip(self.parameters, self.args)))

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        raise LanguageError(f"{self} is differentiated by symbp.calculus, not by SymPy's diff")


def make(name: str, parameters: tuple[sp.Dummy, ...], definition: sp.Expr | None, *, latex: str = "",
         properties: tuple[str, ...] = (), base: type[Defined] | None = None,
         orders: tuple[int, ...] = ()) -> type[Defined]:
    """Make the class of a defined or opaque function; the callers are `define`, `opaque` and the calculus."""
    return type(name, (Defined,), {
        "nargs": len(parameters), "parameters": parameters, "definition": definition,
        "latex_name": latex or rf"\operatorname{{{name}}}", "properties": frozenset(properties),
        "base": base, "orders": orders or (0,) * len(parameters)})


def define(name: str, formula: Callable[..., sp.Expr], arity: int = 1, *, latex: str = "",
           properties: tuple[str, ...] = ()) -> type[Defined]:
    """Define a function by a formula in primitives and earlier definitions.

    >>> swish = define("swish", lambda x: x*sigmoid(x))
    >>> swish(sp.Symbol("z")).expanded()
    z*sigmoid(z)
    """
    parameters = tuple(sp.Dummy(f"x{k}", real=True) for k in range(arity))
    return make(name, parameters, _sympify(formula(*parameters)), latex=latex, properties=properties)


def opaque(name: str, arity: int = 1, *, latex: str = "") -> type[Defined]:
    """A smooth function of which nothing is known but its name: the σ of a theorem."""
    return make(name, tuple(sp.Dummy(f"x{k}", real=True) for k in range(arity)), None, latex=latex)


def relu_with(at_zero: sp.Expr | int) -> type[Defined]:
    """relu under the convention relu'(0) = `at_zero` (0, 1/2 or 1)."""
    value = _sympify(at_zero)
    if value not in _RELU:
        _RELU[value] = define("relu", lambda x: x * step(x, value), latex=r"\operatorname{ReLU}",
                              properties=("monotone",))
    return _RELU[value]


_RELU: dict[sp.Expr, type[Defined]] = {}


@cache
def leaky_relu_with(slope: sp.Expr, at_zero: sp.Expr) -> type[Defined]:
    """leaky ReLU with this slope below 0 (Maas, Hannun and Ng 2013); relu'(0) = c makes its derivative at 0 slope + (1 − slope) c.

    >>> leaky_relu_with(sp.Rational(1, 10), sp.S.Zero)(sp.Integer(-2)).expanded()
    -1/5
    """
    return define("leaky_relu", lambda x: x * (slope + (1 - slope) * step(x, at_zero)), latex=r"\operatorname{LeakyReLU}")


@cache
def elu_with(alpha: sp.Expr, at_zero: sp.Expr) -> type[Defined]:
    """ELU (Clevert, Unterthiner and Hochreiter 2016): x above 0, α (eˣ − 1) below; the exponent x − relu(x) is never positive.

    >>> expand_definitions(elu_with(sp.S.One, sp.S.Zero)(sp.Integer(-2)))
    -1 + exp(-2)
    """
    part = relu_with(at_zero)
    return define("elu", lambda x: part(x) + alpha * (sp.exp(x - part(x)) - 1), latex=r"\operatorname{ELU}")


sigmoid = define("sigmoid", lambda x: 1 / (1 + sp.exp(-x)), latex=r"\sigma", properties=("monotone", "increasing", "bounded"))
tanh = define("tanh", lambda x: (sp.exp(x) - sp.exp(-x)) / (sp.exp(x) + sp.exp(-x)), latex=r"\tanh",
              properties=("monotone", "increasing", "odd", "bounded"))
softplus = define("softplus", lambda x: sp.log(1 + sp.exp(x)), properties=("monotone", "increasing"))
relu = relu_with(0)
silu = define("silu", lambda x: x * sigmoid(x), latex=r"\operatorname{SiLU}")
gelu = define("gelu", lambda x: x * (1 + sp.erf(x / sp.sqrt(2))) / 2, latex=r"\operatorname{GELU}")
gelu_tanh = define("gelu_tanh", lambda x: x * (1 + tanh(sp.sqrt(2 / sp.pi) * (x + sp.Rational("0.044715") * x**3))) / 2,
                   latex=r"\operatorname{GELU}_{\tanh}")
leaky_relu = leaky_relu_with(sp.Rational(1, 100), sp.S.Zero)
elu = elu_with(sp.S.One, sp.S.Zero)
maximum = define("maximum", lambda a, b: b + (a - b) * step(a - b, sp.Rational(1, 2)), 2, latex=r"\max")
minimum = define("minimum", lambda a, b: b + (a - b) * step(b - a, sp.Rational(1, 2)), 2, latex=r"\min")
sign = define("sign", lambda x: 2 * step(x, sp.Rational(1, 2)) - 1, latex=r"\operatorname{sign}",
              properties=("monotone", "odd"))

DEFINITIONS: dict[str, type[Defined]] = {f.__name__: f for f in
                                         (sigmoid, tanh, softplus, relu, leaky_relu, elu, silu, gelu, gelu_tanh, maximum, minimum, sign)}
BOUNDED: tuple[tuple[type[Defined], int, Callable[[sp.Expr], sp.Expr]], ...] = (
    (sigmoid, 1, lambda s: s / (1 - s)), (tanh, 2, lambda t: (1 + t) / (1 - t)))
"""Functions f that no argument makes overflow, with the k and the r for which exp(k u) = r(f(u))."""
PRIMITIVES: dict[str, Callable[..., sp.Expr]] = {
    "exp": sp.exp, "log": sp.log, "sqrt": sp.sqrt, "erf": sp.erf, "sin": sp.sin, "cos": sp.cos, "abs": sp.Abs}


def expand_definitions(expression: sp.Expr) -> sp.Expr:
    """Replace every defined function by its definition, down to primitives; opaque ones stay.

    >>> expand_definitions(silu(sp.Symbol("z")))
    z/(1 + exp(-z))
    """
    while True:
        found = {f: f.expanded() for f in expression.atoms(Defined) if f.definition is not None}
        if not found:
            return expression
        expression = expression.xreplace(found)
