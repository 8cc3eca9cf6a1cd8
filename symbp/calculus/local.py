"""Derivatives of scalar bodies: one table of primitives, and definitions derived through it.

The list is positive: a node that is not in it raises, so that no derivative is silently zero.
"""
from __future__ import annotations

from collections.abc import Callable

import sympy as sp
from sympy.core.function import AppliedUndef

from symbp.errors import LanguageError
from symbp.language.functions import Defined, equal, make, sign, step
from symbp.language.tensor import Access, accesses

#  function   partial derivative by each argument (everywhere but at kinks, where `step` states the convention)
PRIMITIVE: dict[type, tuple[Callable[..., sp.Expr], ...]] = {
    sp.exp:   (lambda x: sp.exp(x),),
    sp.log:   (lambda x: 1 / x,),
    sp.sin:   (lambda x: sp.cos(x),),
    sp.cos:   (lambda x: -sp.sin(x),),
    sp.erf:   (lambda x: 2 * sp.exp(-x**2) / sp.sqrt(sp.pi),),
    sp.Abs:   (lambda x: sign(x),),
    step:     (lambda x, c: sp.S.Zero, lambda x, c: sp.S.Zero),
    equal:    (lambda a, b: sp.S.Zero, lambda a, b: sp.S.Zero),
}

_PRIMES: dict[tuple[type[Defined], int], type[Defined]] = {}


def partial(body: sp.Expr, access: Access) -> sp.Expr:
    """∂body/∂access, all other accesses held fixed.  Index positions are constants.

    >>> from symbp.language.functions import sigmoid
    >>> from symbp.language.index import Index
    >>> i = Index("i", 3)
    >>> partial(Access("t", i)*sigmoid(Access("z", i)), Access("z", i))
    sigmoid'(z[i])*t[i]
    """
    _known(body, access)
    variables = {a: sp.Dummy(f"a{k}", real=True) for k, a in enumerate(accesses(body))}
    if access not in variables:
        return sp.S.Zero
    derivative = differentiate(body.xreplace(variables), variables[access])
    return derivative.xreplace({v: a for a, v in variables.items()})


def differentiate(node: sp.Expr, variable: sp.Symbol) -> sp.Expr:
    """The derivative of a scalar expression by a symbol, by the table and the chain rule.

    Raises `LanguageError` for anything that the table does not have, wherever it stands in the expression.
    """
    _known(node, variable)
    return _chain(node, variable)


def _chain(node: sp.Expr, variable: sp.Symbol) -> sp.Expr:
    if node == variable:
        return sp.S.One
    if not node.has(variable):
        return sp.S.Zero
    if node.is_Add:
        return sp.Add(*(_chain(a, variable) for a in node.args))
    if node.is_Mul:
        return sp.Add(*(sp.Mul(*node.args[:k], _chain(a, variable), *node.args[k + 1:]) for k, a in enumerate(node.args)))
    if node.is_Pow:
        return _power(node.base, node.exp, variable)
    return sp.Add(*(outer * _chain(a, variable) for outer, a in zip(_partials(node), node.args)))


def _power(base: sp.Expr, exponent: sp.Expr, variable: sp.Symbol) -> sp.Expr:
    by_base = exponent * base ** (exponent - 1) * _chain(base, variable)
    return by_base + base ** exponent * sp.log(base) * _chain(exponent, variable)


def _partials(node: sp.Expr) -> list[sp.Expr]:
    """The partial derivatives of a function application by its arguments."""
    if isinstance(node, Defined):
        return [prime(type(node), k)(*node.args) for k in range(len(node.args))]
    return [rule(*node.args) for rule in PRIMITIVE[node.func]]


def _known(body: sp.Expr, variable: sp.Expr) -> None:
    """Raise for any node that the table does not have; a floor or a width n(l) counts, and reads no tensor."""
    walk = sp.preorder_traversal(body)
    for node in walk:
        size = isinstance(node, (sp.floor, AppliedUndef)) and not node.has(Access, sp.Dummy, variable)
        if size or isinstance(node, Access):
            walk.skip()
        elif not (isinstance(node, (sp.Add, sp.Mul, sp.Pow, sp.Symbol, *PRIMITIVE, Defined)) or node.is_number):
            raise LanguageError(f"the function {type(node).__name__} in {node} has no derivative here; write it through "
                                f"{', '.join(f.__name__ for f in PRIMITIVE)}, powers, or a definition")


def prime(function: type[Defined], argument: int = 0) -> type[Defined]:
    """The partial derivative of a defined function as a function of its own: σ' of σ, derived from the definition.

    >>> from symbp.language.functions import sigmoid
    >>> prime(sigmoid)(sp.Symbol("z")).expanded()
    exp(-z)/(1 + exp(-z))**2
    """
    key = function, argument
    if key not in _PRIMES:
        _PRIMES[key] = _derive(function, argument)
    return _PRIMES[key]


def _derive(function: type[Defined], argument: int) -> type[Defined]:
    orders = tuple(n + (k == argument) for k, n in enumerate(function.orders))
    base = function.base or function
    definition = None
    if function.definition is not None:
        definition = differentiate(function.definition, function.parameters[argument])
    if len(orders) == 1:
        name, latex = base.__name__ + "'" * orders[0], base.latex_name + "'" * orders[0]
    else:
        mark = "".join(str(k + 1) * n for k, n in enumerate(orders))
        name, latex = f"{base.__name__}_{mark}", rf"\partial_{{{mark}}} {base.latex_name}"
    return make(name, function.parameters, definition, latex=latex, base=base, orders=orders)


__all__ = ["PRIMITIVE", "differentiate", "partial", "prime"]
