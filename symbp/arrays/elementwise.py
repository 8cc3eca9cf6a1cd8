"""Scalar bodies as operations on whole arrays: one operation for each operator, in the order in which a person writes it.

Stage: scalar SymPy expression, with a way to read accesses → array expression over the equation's axes.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence

import sympy as sp
from sympy.core.function import AppliedUndef

from symbp.arrays.nodes import Axes, Count, Node, Number, apply, as_float, number
from symbp.errors import LanguageError
from symbp.language.functions import Defined, equal, step
from symbp.language.index import Index
from symbp.language.tensor import Access, accesses

PRIMITIVE = {sp.exp: "exp", sp.log: "log", sp.erf: "erf", sp.sin: "sin", sp.cos: "cos", sp.Abs: "abs", sp.floor: "floor"}
"""SymPy's functions by the names that NumPy and SciPy have for them."""

SPELLED = frozenset({"sigmoid", "tanh", "softplus", "relu", "maximum", "minimum", "sign"})
"""Defined functions that NumPy spells in a safer or faster way than their definitions; a test compares the two."""

Read = Callable[[Access], Node]


class Elementwise:
    """Turns bodies into array expressions; `axes` is the order of the equation's indices, `fixed` the indices of loops.

    whole: the expression is one of whole numbers, a position or a condition; otherwise whole numbers become floating-point ones.
    """

    def __init__(self, read: Read, axes: Axes, fixed: frozenset[Index] = frozenset(), whole: bool = False) -> None:
        self.read, self.axes, self.fixed, self.whole = read, axes, fixed, whole

    def within(self, axes: Axes) -> Elementwise:
        """The same with another order of axes."""
        return Elementwise(self.read, axes, self.fixed, self.whole)

    def __call__(self, expression: sp.Expr) -> Node:
        """The array expression of a body."""
        if isinstance(expression, Access):
            return self._numbers(self.read(expression))
        if isinstance(expression, Index):
            return number(expression) if expression in self.fixed else self._numbers(Count((expression,), "int", expression))
        if expression.is_Add:
            return self.total(expression)
        if expression.is_Mul:
            return self.product(sp.Mul.make_args(expression))
        if isinstance(expression, sp.exp):
            return self.apply("exp", expression.args)
        if expression.is_Pow:
            return self.power(expression.base, expression.exp)
        if isinstance(expression, Defined):
            return self.defined(expression)
        if isinstance(expression, step):
            return self.step(*expression.args)
        if isinstance(expression, equal):
            return apply("equal", tuple(map(Elementwise(self.read, self.axes, self.fixed, True), expression.args)), self.axes, "bool")
        if type(expression) in PRIMITIVE and expression.has(Access, Index):
            return self.apply(PRIMITIVE[type(expression)], expression.args)
        if expression.has(Access, Index):
            raise LanguageError(f"no array operation is known for {type(expression).__name__}, in {expression}")
        return number(expression)

    def _numbers(self, node: Node) -> Node:
        return node if self.whole else as_float(node)

    def apply(self, op: str, args: Sequence[sp.Expr]) -> Node:
        """An operation on the array expressions of the arguments."""
        return apply(op, tuple(as_float(self(a)) for a in args), self.axes)

    # sums and products, as they are written

    def total(self, expression: sp.Expr) -> Node:
        """A sum: what is added first, then what is subtracted; numbers come last, and fewer axes are added up among themselves."""
        terms = sorted(sp.Add.make_args(expression), key=lambda t: (t.could_extract_minus_sign(), not t.has(Access), t.sort_key()))
        signed = [(t.could_extract_minus_sign(), t) for t in terms]
        parts = [(negative, self(-t if negative else t)) for negative, t in signed]
        full = {a for _, node in parts for a in node.axes}
        small = [p for p in parts if set(p[1].axes) != full and not isinstance(p[1], Number)]
        if len(small) > 1 and len({frozenset(node.axes) for _, node in small}) == 1:
            parts = [*(p for p in parts if p not in small), self._sum_of(small)]
            parts.sort(key=lambda p: p[0])
        negative, node = self._sum_of(parts)
        return negated(node) if negative else node

    def _sum_of(self, parts: list[tuple[bool, Node]]) -> tuple[bool, Node]:
        """Signed addends as one node and its sign, which is negative where all are."""
        flipped = parts[0][0]
        node = parts[0][1]
        for negative, part in parts[1:]:
            node = join("subtract" if negative != flipped else "add", node, part, self.axes)
        return flipped, node

    def product(self, factors: Sequence[sp.Expr], start: Node | None = None) -> Node:
        """A product, after `start`: the sign, the numerator's arrays, the denominator's, then the scalars."""
        numbers, above, below = split_factors(factors, self.fixed)
        scalars = [f for f in (*above, *(1 / b for b in below)) if self._is_scalar(f)]
        above, below = [f for f in above if not self._is_scalar(f)], [b for b in below if not self._is_scalar(b)]
        negative = numbers.could_extract_minus_sign()
        numbers = -numbers if negative else numbers
        node = start
        for factor in above:
            node = self._signed(self(factor), negative) if node is None else join("multiply", node, self(factor), self.axes)
        node = self._signed(start, negative) if start is not None and not above else node
        if start is not None and above and negative:
            node = negated(node)
        if node is None and below:
            node, numbers, negative = number(-numbers if negative else numbers), sp.S.One, False
        for base in below:
            node = join("divide", node, self(base), self.axes)
        return self._scaled(node, -numbers if negative and node is None else numbers, scalars)

    @staticmethod
    def _signed(node: Node, negative: bool) -> Node:
        return negated(node) if negative else node

    def _is_scalar(self, factor: sp.Expr) -> bool:
        """Whether a factor is made of tensors without axes alone."""
        return factor.has(Access) and not factor.has(Index) and all(not a.indices for a in accesses(factor))

    def _scaled(self, node: Node | None, value: sp.Expr, scalars: Sequence[sp.Expr] = ()) -> Node:
        """The node times numbers, expressions in the sizes, and scalars, which are multiplied among themselves first."""
        above, below = self._scalars(value, scalars)
        if node is None:
            return above if _is_one(below) else join("divide", above, below, self.axes)
        if _is_one(above):
            return node if _is_one(below) else join("divide", node, below, self.axes)
        if isinstance(above, Number) and isinstance(below, Number):
            node = join("multiply", above, node, self.axes)
            return node if _is_one(below) else join("divide", node, below, self.axes)
        return join("multiply", node, above if _is_one(below) else join("divide", above, below, ()), self.axes)

    def _scalars(self, value: sp.Expr, scalars: Sequence[sp.Expr]) -> tuple[Node, Node]:
        """Numerator and denominator of a product of a number and tensors without axes."""
        _, above, below = split_factors(scalars, self.fixed)
        whole = value.is_number and not (value.is_Rational and (scalars or abs(value.p) == 1))
        parts = (value, sp.S.One) if whole else sp.fraction(value)
        found = []
        for number_part, factors in zip(parts, (above, below)):
            node: Node = number(number_part)
            for factor in factors:
                node = self(factor) if _is_one(node) else negated(self(factor)) if node == number(-1) else \
                    join("multiply", node, self(factor), ())
            found.append(node)
        return found[0], found[1]

    def power(self, base: sp.Expr, exponent: sp.Expr) -> Node:
        """A power: squares, roots and reciprocals by name."""
        if exponent == 2:
            return self.apply("square", (base,))
        if exponent == sp.S.Half:
            return self.apply("sqrt", (base,))
        if exponent.could_extract_minus_sign():
            return join("divide", number(1), self(base**-exponent), self.axes)
        if base == sp.E:
            return self.apply("exp", (exponent,))
        return self.apply("power", (base, exponent))

    # functions

    def defined(self, function: Defined) -> Node:
        """A defined function: by a name that the target spells, or through its definition."""
        name = type(function).__name__
        if name in SPELLED and not any(function.orders):
            return getattr(self, f"_{name}", lambda *args: self.apply(name, args))(*function.args)
        if function.definition is None:
            raise LanguageError(f"{name} is opaque: it has a name and no definition, so there is no code for it")
        return self(function.expanded())

    def _sigmoid(self, argument: sp.Expr) -> Node:
        """(1 + tanh(x/2))/2, which no argument makes overflow."""
        half = number(sp.S.Half)
        inner = apply("tanh", (join("multiply", half, as_float(self(argument)), self.axes),), self.axes)
        return join("add", join("multiply", half, inner, self.axes), half, self.axes)

    def _softplus(self, argument: sp.Expr) -> Node:
        return apply("logaddexp", (number(0), as_float(self(argument))), self.axes)

    def _relu(self, argument: sp.Expr) -> Node:
        return apply("maximum", (as_float(self(argument)), number(0)), self.axes)

    def step(self, argument: sp.Expr, at_zero: sp.Expr) -> Node:
        """[x > 0], [x ≥ 0], or with the convention's value at 0."""
        value = self(argument)
        above = apply("greater", (value, number(0)), self.axes, "bool")
        if at_zero == 0:
            return above
        if at_zero == 1:
            return apply("greater_equal", (value, number(0)), self.axes, "bool")
        return apply("heaviside", (as_float(value), self(at_zero)), self.axes)


def _is_one(node: Node) -> bool:
    return isinstance(node, Number) and node.value == 1


def join(op: str, left: Node, right: Node, axes: Axes) -> Node:
    """A binary operation; the axes follow the equation's order."""
    if isinstance(left, Number) and isinstance(right, Number):
        made = {"add": left.value + right.value, "subtract": left.value - right.value, "multiply": left.value * right.value,
                "divide": left.value / right.value}
        return number(made[op])
    if op != "divide" and left.dtype == right.dtype == "int":
        return apply(op, (left, right), axes, "int")
    if op != "multiply" or left.dtype == right.dtype or isinstance(left, Number) or isinstance(right, Number):
        left, right = as_float(left), as_float(right)
    return apply(op, (left, right), axes)


def negated(node: Node) -> Node:
    """Minus the node."""
    if isinstance(node, Number):
        return number(-node.value)
    return apply("negative", (node if node.dtype == "int" else as_float(node),), node.axes, "int" if node.dtype == "int" else "float")


def split_factors(factors: Sequence[sp.Expr], fixed: frozenset[Index]) -> tuple[sp.Expr, list[sp.Expr], list[sp.Expr]]:
    """A product's numbers and sizes with the sign, the arrays in the numerator, and those in the denominator.

    >>> x, y = Access("x", Index("i", 3)), Access("y", Index("i", 3))
    >>> split_factors([sp.Integer(-2), -x - y, 1 / x], frozenset())
    (2, [x[i] + y[i]], [x[i]])
    """
    numbers, above, below = sp.S.One, [], []
    for factor in factors:
        if factor.is_Add and all(t.could_extract_minus_sign() for t in factor.args):
            factor, numbers = -factor, -numbers
        base, exponent = factor.as_base_exp()
        if not factor.has(Access, Index, AppliedUndef) or factor.free_symbols <= fixed and not factor.has(Access):
            numbers *= factor
        elif exponent.could_extract_minus_sign() and not isinstance(factor, sp.exp):
            below.append(base**-exponent)
        else:
            above.append(factor)
    return numbers, above, below
