"""What an expression may be: of constants that a machine can hold, and short enough when it is written out.

A short text can stand for a number that no machine holds (`exp(exp(exp(9)))`, `((9^64)^64)^64`), for none at all (`log(0)`,
`sqrt(-1)`), or for an endless expression (tanh reads its argument four times, so that ten of them in each other read it a
million times).  Each is refused before anything is calculated with it.
"""
from __future__ import annotations

from functools import cache

import sympy as sp

from symbp.language.build import Reduce
from symbp.language.functions import Defined, expand_definitions

LARGEST, MOST_BITS, HIGHEST = sp.Integer(10) ** 300, 2_000, 64
MOST_OPERATIONS = 500
_NONE = (sp.I, sp.zoo, sp.nan, sp.oo, -sp.oo)


def objection(value: sp.Expr) -> str:
    """Why a value cannot be calculated with; "" where nothing speaks against it.

    >>> objection(sp.log(0)), objection(1/sp.Integer(3))
    ('has no finite real value', '')
    """
    if value.has(*_NONE):
        return "has no finite real value"
    number = value if value.is_number else value.as_coeff_Mul()[0]
    if number.is_Rational and max(number.p.bit_length(), number.q.bit_length()) > MOST_BITS:
        return "has too many digits"
    number = number if number.is_Rational else expand_definitions(number).evalf(15)
    if number.has(*_NONE):
        return "has no finite real value"
    if number.is_Number and number != 0 and not 1 / LARGEST <= abs(number) <= LARGEST:
        return "is out of range; numbers lie between 1e-300 and 1e300, or are 0"
    return ""


def power_objection(base: sp.Expr, exponent: sp.Expr) -> str:
    """Why a power cannot be taken; "" where nothing speaks against it.

    >>> power_objection(sp.Integer(9)**64, sp.Integer(64))
    'has too many digits'
    """
    if exponent.is_number and (not exponent.is_Rational or abs(exponent) > HIGHEST or exponent.q > HIGHEST):
        return f"has the exponent {str(exponent)[:20]}, which is out of range; exponents are rationals up to {HIGHEST}"
    if base == 0 and not exponent.is_positive:
        return "is a division by zero" if exponent.is_negative else "has no finite real value"
    if base.is_negative and base.is_number and not exponent.is_integer:
        return "has no finite real value"
    if base.is_Rational and exponent.is_Rational and max(base.p.bit_length(), base.q.bit_length()) * abs(exponent) > MOST_BITS:
        return "has too many digits"
    return ""


def operations(expression: sp.Basic) -> int:
    """How many operations and operands an expression has when its functions are written out in primitives.

    A softmax counts what it runs over four times (exp(z) and its sum, both in the derivative, too), and b^e both b and e twice.

    >>> from symbp.language.functions import tanh
    >>> x = sp.Symbol("x")
    >>> operations(x + 1), operations(tanh(x)), operations(tanh(tanh(tanh(tanh(x)))))
    (3, 19, 1531)
    """
    inner = [operations(a) for a in expression.args]
    if isinstance(expression, Defined):
        own, reads = _definition(type(expression))
        return own + sum(times * count for times, count in zip(reads, inner, strict=True))
    softmax = isinstance(expression, Reduce) and expression.op == "softmax"
    tower = isinstance(expression, sp.Pow) and not isinstance(expression, sp.exp) and not expression.exp.is_number
    return 1 + (4 if softmax else 2 if tower else 1) * sum(inner)


@cache
def _definition(function: type[Defined]) -> tuple[int, tuple[int, ...]]:
    """The operations of a definition without its arguments, and how often it reads each of them."""
    if function.definition is None:
        return 1, (1,) * len(function.parameters)
    written = list(sp.preorder_traversal(expand_definitions(function.definition)))
    reads = tuple(written.count(p) for p in function.parameters)
    return len(written) - sum(reads), reads
