"""An elementwise chain of level 2 as the CUDA C of one kernel.

Stage: a tree of Apply nodes → a C++ expression in the type `T` of the floating-point arrays, and the kernel that holds it.

Truth values and whole numbers become `T(…)` where they meet floating-point ones, and so does every literal: a bare `0.5` is a double
in C, and would drag a float32 kernel into double precision.
"""
from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sympy as sp

from symbp.arrays.nodes import Apply, Node, Number

INFIX = {"multiply": ("*", 20), "divide": ("/", 20), "add": ("+", 10), "subtract": ("-", 10), "greater": (">", 5),
         "greater_equal": (">=", 5), "equal": ("==", 4), "logical_and": ("&&", 3)}
"""Operators of C by NumPy's name, with how strongly they bind."""
CALLS = {"exp": "exp", "log": "log", "sqrt": "sqrt", "tanh": "tanh", "erf": "erf", "sin": "sin", "cos": "cos",
         "abs": "fabs", "power": "pow", "floor": "floor"}
"""Functions that CUDA has for both types."""
DEVICE = {
    "square": "square(F a) { return a * a; }",
    "maximum": "maximum(F a, F b) { return a >= b || isnan(a) ? a : b; }",
    "minimum": "minimum(F a, F b) { return a <= b || isnan(a) ? a : b; }",
    "sign": "sign(F a) { return a > F(0) ? F(1) : a < F(0) ? F(-1) : a; }",
    "heaviside": "heaviside(F a, F b) { return isnan(a) ? a : a == F(0) ? b : F(a > F(0)); }",
    "logaddexp": f"logaddexp(F a, F b) {{\n    return a == b ? a + F({float(sp.log(2))!r})\n"
                 "        : a > b ? a + log1p(exp(b - a)) : a < b ? b + log1p(exp(a - b)) : a + b;\n}",
}
"""Functions of NumPy that CUDA lacks, or whose namesakes differ: C's fmax drops a NaN, and a NaN has to reach the loss."""
TYPES = {"float": "T", "int": "int64", "bool": "bool"}
RESERVED = frozenset({
    *CALLS.values(), *DEVICE, "T", "F", "i", "n", "out", "log1p", "isnan", "int64", "int32", "float32", "float64", "size_t", "asm", "auto",
    "bool", "case", "catch", "char", "class", "const", "default", "delete", "do", "double", "enum", "extern", "float", "goto", "inline",
    "int", "long", "namespace", "new", "operator", "private", "public", "register", "short", "signed", "sizeof", "static", "struct",
    "switch", "template", "this", "throw", "typedef", "typename", "union", "unsigned", "using", "virtual", "void", "volatile",
    "min", "max", "gamma", "j0", "j1", "y0", "y1", "yn", "jn"})
"""Words that no parameter of a kernel is called."""
ATOM, UNARY = 100, 30
WIDTH = 110


@dataclass(frozen=True)
class Kernel:
    """A kernel: the name that holds it, its parameters with their types, and its expression."""

    name: str
    parameters: tuple[tuple[str, str], ...]
    expression: str

    def lines(self, module: str) -> list[str]:
        """The lines that make it; it is compiled when it is first called."""
        given = ", ".join(f"{kind} {name}" for name, kind in self.parameters)
        title = plain(self.name).strip("_")
        last = f'"{title}"' + (", preamble=FUNCTIONS)" if functions([self]) else ")")
        return [f"{self.name} = {module}.ElementwiseKernel(", *_quoted(given), '    "T out",', *_quoted(f"out = {self.expression}"),
                f"    {last}"]


def plain(name: str) -> str:
    """A name of ASCII letters alone.

    >>> plain("_δ1_kernel")
    '__1_kernel'
    """
    return re.sub(r"[^\w]", "_", name, flags=re.ASCII)


def _quoted(text: str) -> list[str]:
    """A string in lines that are not too long."""
    parts = textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f'    "{part} "' for part in parts[:-1]] + [f'    "{parts[-1]}",']


def functions(kernels: Iterable[Kernel]) -> list[str]:
    """The lines of the device functions that the kernels call."""
    called = {word for k in kernels for word in re.findall(r"(\w+)\(", k.expression)}
    return [f"template <typename F> __device__ F {text}" for name, text in DEVICE.items() if name in called]


def fusible(node: Node) -> bool:
    """Whether a node is an operation that stands inside of kernels."""
    if not isinstance(node, Apply) or node.op in ("copy", "clip", "floor_divide", "remainder"):
        return False
    return node.op in INFIX or node.op in CALLS or node.op in DEVICE or node.op in ("negative", "float", "where")


def is_literal(node: Node) -> bool:
    """Whether a node is a number that C can spell."""
    return isinstance(node, Number) and node.value.is_number and bool(node.value.is_finite)


class CudaPrinter:
    """Prints chains; `names` are the kernel's parameters, by the node that each stands for."""

    def __init__(self, names: Mapping[Node, str]) -> None:
        self.names = names

    def __call__(self, node: Node, least: int = 0) -> str:
        """A node in its own type, in brackets where it binds less than `least`."""
        text, strength = self._expression(node)
        return f"({text})" if strength < least else text

    def _expression(self, node: Node) -> tuple[str, int]:
        if node in self.names:
            return self.names[node], ATOM
        if isinstance(node, Number):
            return self._literal(node, node.dtype)
        assert isinstance(node, Apply)
        if node.op in INFIX:
            return self._infix(node)
        if node.op == "negative":
            return f"-{self._as('float', node.args[0], UNARY + 1)}", UNARY
        if node.op == "float":
            return self._as("float", node.args[0]), ATOM
        if node.op == "where":
            mask, *values = node.args
            first, second = (self._as(node.dtype, v, 2) for v in values)
            return f"{self(mask, 2)} ? {first} : {second}", 1
        return f"{CALLS.get(node.op, node.op)}({', '.join(self._as('float', a) for a in node.args)})", ATOM

    def _literal(self, node: Number, dtype: str) -> tuple[str, int]:
        value = node.value
        text = str(value) if value.is_Integer else repr(float(value))
        return (f"T({text})", ATOM) if dtype == "float" else (text, UNARY if text.startswith("-") else ATOM)

    def _as(self, dtype: str, node: Node, least: int = 0) -> str:
        """A node as an operand of this type."""
        if isinstance(node, Number) and node not in self.names:
            text, strength = self._literal(node, dtype)
            return f"({text})" if strength < least else text
        return f"T({self(node)})" if dtype == "float" and node.dtype != "float" else self(node, least)

    def _infix(self, node: Apply) -> tuple[str, int]:
        sign, strength = INFIX[node.op]
        left, right = node.args
        kind = node.dtype if node.dtype != "bool" else self._compared(node)
        tight = node.op in ("subtract", "divide") or isinstance(right, Apply)
        chained = strength + (node.op in ("greater", "greater_equal", "equal"))
        return f"{self._as(kind, left, chained)} {sign} {self._as(kind, right, strength + tight)}", strength

    @staticmethod
    def _compared(node: Apply) -> str:
        """The type in which operands are compared."""
        kinds = {a.dtype for a in node.args if not is_literal(a)} or {a.dtype for a in node.args}
        return "float" if "float" in kinds else "int" if "int" in kinds else "bool"
