"""Level 2 as lines of NumPy, the readable way: one statement for each equation, fresh arrays.

Stage: L2 statements → lines of Python.  A subclass spells another library.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

import sympy as sp
from sympy.printing.str import StrPrinter

from symbp.arrays.nodes import (
    Apply,
    Assign,
    At,
    Broadcast,
    Count,
    Fill,
    Fold,
    For,
    Gather,
    Key,
    Matmul,
    Name,
    New,
    Node,
    Number,
    Pad,
    Part,
    Permute,
    Reshape,
    Scatter,
    Slice,
    Statement,
    Store,
    Subscript,
    Windows,
)
from symbp.language.index import Index

INFIX = {"add": ("+", 10), "subtract": ("-", 10), "multiply": ("*", 20), "divide": ("/", 20), "floor_divide": ("//", 20),
         "remainder": ("%", 20), "greater": (">", 5), "greater_equal": (">=", 5), "equal": ("==", 5), "logical_and": ("&", 6),
         "power": ("**", 40)}
"""Operators by NumPy's name, with how strongly they bind."""
ATOM, UNARY = 100, 30
SMALL = re.compile(r"[0-9.]+e[+-][0-9]+")
"""A positive number with an exponent, such as 1e-05."""
LARGEST_WHOLE = 2**63 - 1
"""Larger whole numbers are no integers to an array library, and are written as floating-point numbers."""
PAD = {"zero": "", "edge": ', mode="edge"', "least": ", constant_values=-{m}.inf", "nothing": ", constant_values={m}.nan"}


class NumpyPrinter:
    """Prints statements; `names` spells tensors, `sizes` symbolic extents (both by default as they are)."""

    module = "np"

    def __init__(self, names: Mapping[str, str] | None = None, dtype: str = "dtype") -> None:
        self.names, self.dtype = dict(names or {}), dtype
        self._spelled = frozenset(self.names.values())

    def lines(self, statements: Iterable[Statement]) -> Iterator[str]:
        """The lines of statements, loops indented by four."""
        for statement in statements:
            yield from self._statement(statement)

    def name(self, tensor: str) -> str:
        """The Python name of a tensor, or of an array that is named after one.

        >>> NumpyPrinter({"hidden.X": "X"}).name("hidden.X_patches")
        'X_patches'
        """
        if tensor in self.names:
            return self.names[tensor]
        known = max((n for n in self.names if tensor.startswith(n + "_")), key=len, default="")
        found = self.names[known] + tensor[len(known):] if known else tensor
        while found in self._spelled:
            found += "_"
        return found

    def index(self, index: Index) -> str:
        """The Python name of a loop's index."""
        return index.name.replace("'", "_")

    def __call__(self, node: Node, least: int = 0) -> str:
        """A node as an expression, in brackets where it binds less than `least`."""
        text, strength = self._expression(node)
        return f"({text})" if strength < least else text

    # statements

    def _statement(self, statement: Statement) -> Iterator[str]:
        if isinstance(statement, For):
            yield f"for {self.index(statement.index)} in {self._range(statement)}:"
            yield from ("    " + line for line in self.lines(statement.body))
        elif isinstance(statement, Fill):
            yield f"{self.name(statement.name)} = {self.zeros(statement)}"
        elif isinstance(statement, Assign):
            yield f"{self.name(statement.name)} = {self.constant(statement.value)}"
        elif isinstance(statement, Store):
            keys = f"[{self.keys(statement.keys)}]" if statement.keys or statement.op == "=" else ""
            yield f"{self.name(statement.name)}{keys} {statement.op} {self(statement.value)}"
        else:
            yield self.scatter(statement)

    def constant(self, value: Node) -> str:
        """What a name is given: a mere number becomes an array without axes, which has a dtype and can be subscripted."""
        return f"{self.module}.full((), {self(value)}, {self.dtype})" if isinstance(value, Number) else self(value)

    def zeros(self, fill: Fill) -> str:
        """A new array of zeros, or one that others fill."""
        dtype = {"float": self.dtype, "bool": "bool", "int": f"{self.module}.int64"}[fill.dtype]
        return f"{self.module}.{'zeros' if fill.zeros else 'empty'}({self.shape(fill.shape)}, {dtype})"

    def scatter(self, statement: Scatter) -> str:
        """An assignment at integer arrays; with `+=`, repeated positions add up."""
        where = ", ".join(self(p) for p in statement.positions)
        target, value = self.name(statement.name), self(statement.value)
        return f"{self.module}.add.at({target}, ({where},), {value})" if statement.op == "+=" else f"{target}[{where}] = {value}"

    def _range(self, loop: For) -> str:
        start, stop = self.number(loop.start), self.number(sp.expand(loop.start + loop.extent))
        text = f"range({stop})" if start == "0" else f"range({start}, {stop})"
        return f"reversed({text})" if loop.direction == "descending" else text

    # expressions

    def _expression(self, node: Node) -> tuple[str, int]:
        method: Callable[[Node], tuple[str, int]] = getattr(self, f"_{type(node).__name__.lower()}")
        return method(node)

    def _name(self, node: Name) -> tuple[str, int]:
        return self.name(node.name), ATOM

    def _number(self, node: Number) -> tuple[str, int]:
        text = self.number(node.value)
        plain = text.replace(".", "").replace("_", "").isalnum() or bool(SMALL.fullmatch(text))
        return text, ATOM if plain else UNARY if text.startswith("-") and text[1:].replace(".", "").isalnum() else 0

    def _count(self, node: Count) -> tuple[str, int]:
        stop = self.number(sp.expand(node.index.start + node.index.extent))
        start = "" if node.index.start == 0 else self.number(node.index.start) + ", "
        return f"{self.module}.arange({start}{stop})", ATOM

    def _subscript(self, node: Subscript) -> tuple[str, int]:
        return f"{self(node.source, ATOM)}[{self.keys(node.keys)}]", ATOM

    def _permute(self, node: Permute) -> tuple[str, int]:
        source = self(node.source, ATOM)
        if node.order == (1, 0):
            return f"{source}.T", ATOM
        if len(node.order) > 2 and node.order == (*range(len(node.order) - 2), len(node.order) - 1, len(node.order) - 2):
            return f"{source}.swapaxes(-2, -1)", ATOM
        return f"{source}.transpose({', '.join(map(str, node.order))})", ATOM

    def _reshape(self, node: Reshape) -> tuple[str, int]:
        return f"{self(node.source, ATOM)}.reshape({', '.join(map(self.number, node.shape))})", ATOM

    def _broadcast(self, node: Broadcast) -> tuple[str, int]:
        return f"{self.module}.broadcast_to({self(node.source)}, {self.shape(node.shape)})", ATOM

    def _windows(self, node: Windows) -> tuple[str, int]:
        """Windows along several axes in one call."""
        axes, lengths, source = [node.axis], [self.number(node.length)], node.source
        while isinstance(source, Windows) and max(axes) < len(source.source.axes):
            axes.insert(0, source.axis)
            lengths.insert(0, self.number(source.length))
            source = source.source
        call = f"{self.module}.lib.stride_tricks.sliding_window_view"
        if len(axes) == 1:
            return f"{call}({self(source)}, {lengths[0]}, axis={axes[0]})", ATOM
        return f"{call}({self(source)}, ({', '.join(lengths)}), axis=({', '.join(map(str, axes))}))", ATOM

    def _pad(self, node: Pad) -> tuple[str, int]:
        widths = ", ".join(f"({a}, {b})" for a, b in node.widths)
        fill = PAD[node.fill].format(m=self.module)
        return f"{self.module}.pad({self(node.source)}, ({widths}{',' if len(node.widths) == 1 else ''}){fill})", ATOM

    def _gather(self, node: Gather) -> tuple[str, int]:
        return f"{self(node.source, ATOM)}[{', '.join(map(self, node.positions))}]", ATOM

    def _matmul(self, node: Matmul) -> tuple[str, int]:
        left = self(node.left, 15 if isinstance(node.left, Matmul) else 21)
        return f"{left} @ {self(node.right, 21)}", 15

    def _fold(self, node: Fold) -> tuple[str, int]:
        axis = "" if len(node.over) == len(node.source.axes) else \
            f"axis={node.over[0]}" if len(node.over) == 1 else f"axis={node.over}"
        if isinstance(node.source, (Name, Subscript, Permute)):
            return f"{self(node.source, ATOM)}.{node.op}({axis})", ATOM
        return f"{self.module}.{node.op}({self(node.source)}{', ' if axis else ''}{axis})", ATOM

    def _apply(self, node: Apply) -> tuple[str, int]:
        if node.op in INFIX:
            return self._infix(node)
        if node.op == "negative":
            return f"-{self(node.args[0], UNARY)}", UNARY
        if node.op == "invert":
            return f"~{self(node.args[0], UNARY)}", UNARY
        if node.op == "float":
            return f"{self(node.args[0], ATOM)}.astype({self.dtype})", ATOM
        if node.op == "copy":
            return f"{self(node.args[0], ATOM)}.copy()", ATOM
        return self.call(node), ATOM

    def call(self, node: Apply) -> str:
        """A function of the library."""
        name = "erf" if node.op == "erf" else f"{self.module}.{node.op}"
        return f"{name}({', '.join(self(a) for a in node.args)})"

    def _infix(self, node: Apply) -> tuple[str, int]:
        sign, strength = INFIX[node.op]
        left, right = node.args
        tight = node.op in ("subtract", "divide", "floor_divide", "remainder") or isinstance(right, Apply)
        first = self(left, strength + (node.op in ("power", "logical_and", "greater", "greater_equal", "equal")))
        return f"{first} {sign} {self(right, strength + tight)}", strength

    # subscripts and numbers

    def keys(self, keys: Iterable[Key]) -> str:
        """Subscripts, without what takes everything at the end."""
        keys = list(keys)
        while len(keys) > 1 and isinstance(keys[-1], Slice) and keys[-1].whole:
            keys.pop()
        return ", ".join(map(self._key, keys)) or "..."

    def _key(self, key: Key) -> str:
        if isinstance(key, At):
            return self.number(key.position)
        if isinstance(key, New):
            return "None"
        if isinstance(key, Part):
            return key.name
        if key.whole:
            return ":"
        start = "" if key.start is None or key.start == 0 and key.step > 0 else self.number(key.start)
        stop = "" if key.stop is None else self.number(key.stop)
        return f"{start}:{stop}" + (f":{key.step}" if key.step != 1 else "")

    def shape(self, extents: Iterable[sp.Expr]) -> str:
        """A shape as a tuple."""
        texts = [self.number(e) for e in extents]
        return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"

    def number(self, value: sp.Expr) -> str:
        """A number or an expression in sizes and loops' indices, as Python.

        >>> NumpyPrinter().number(sp.Rational(1, 2)), NumpyPrinter().number(sp.Symbol("N") - 1), NumpyPrinter().number(sp.Integer(10)**30)
        ('0.5', 'N - 1', '1e+30')
        >>> N = sp.Symbol("N", integer=True, positive=True)
        >>> NumpyPrinter().number(sp.floor((N - 3) / 2) + 1), NumpyPrinter().number(1 / sp.sqrt(N))
        ('((N - 3) // 2) + 1', '1/math.sqrt(N)')
        """
        if value.is_Rational and not value.is_Integer:
            return repr(float(value)) if sp.Rational(repr(float(value))) == value else f"{value.p} / {value.q}"
        if value == -sp.oo:
            return f"-{self.module}.inf"
        if value.is_Integer and abs(value) > LARGEST_WHOLE:
            return repr(float(value))
        value = value.xreplace({i: sp.Symbol(self.index(i), integer=True) for i in value.atoms(Index)})
        if not value.free_symbols and not value.is_Integer:
            return repr(float(value))
        return SIZES.doprint(value)


class _Sizes(StrPrinter):
    """Expressions in sizes as Python: whole numbers divided by `//`, functions from `math`."""

    def _print_floor(self, node: sp.Expr) -> str:
        above, below = sp.fraction(sp.together(node.args[0]))
        return f"(({self.doprint(above)}) // {below})"

    def _print_Function(self, node: sp.Expr) -> str:  # noqa: N802 - the name that SymPy's printers look for
        return f"math.{type(node).__name__.lower()}({self.stringify(node.args, ', ')})"

    def _print_Pow(self, node: sp.Expr, rational: bool = False) -> str:  # noqa: N802
        if node.base == sp.E:
            return f"math.exp({self.doprint(node.exp)})"
        return super()._print_Pow(node, rational).replace("sqrt(", "math.sqrt(")

    def _print_Abs(self, node: sp.Expr) -> str:  # noqa: N802
        return f"abs({self.doprint(node.args[0])})"

    def _print_Pi(self, node: sp.Expr) -> str:  # noqa: N802
        return "math.pi"

    def _print_Exp1(self, node: sp.Expr) -> str:  # noqa: N802
        return "math.e"

    _print_exp = _print_Function  # noqa: N815


SIZES = _Sizes()


class HostPrinter(NumpyPrinter):
    """Prints what is calculated with Python's own numbers, such as a learning rate."""

    module = "math"

    def number(self, value: sp.Expr) -> str:
        """A number, π by its name."""
        return "math.pi" if value == sp.pi else super().number(value)

    def call(self, node: Apply) -> str:
        """A function of Python, or of its module math."""
        name = {"maximum": "max", "minimum": "min", "abs": "abs"}.get(node.op, f"math.{node.op}")
        inside = ", ".join(self(a) for a in node.args)
        return f"({inside}) ** 2" if node.op == "square" else f"{name}({inside})"
