"""Scalars that are Python numbers, such as the learning rate of a step, as lines of plain Python.

Stage: L2 statements without arrays → lines of Python.  A NumPy scalar in double precision would make wide arrays of narrow ones.
"""
from __future__ import annotations

import sympy as sp

from symbp.arrays.nodes import Apply
from symbp.printing.numpy import ATOM, INFIX, NumpyPrinter

BUILTIN = {"minimum": "min", "maximum": "max", "abs": "abs"}
"""Functions of Python itself by NumPy's name; others are in its module math."""


class HostPrinter(NumpyPrinter):
    """Prints statements whose tensors are Python numbers.

    >>> from symbp.arrays.nodes import Name, apply, number
    >>> HostPrinter()(apply("minimum", (Name((), "float", "t"), number(1)), ()))
    'min(t, 1)'
    """

    module = "math"

    def _apply(self, node: Apply) -> tuple[str, int]:
        if node.op in BUILTIN:
            return f"{BUILTIN[node.op]}({', '.join(map(self, node.args))})", ATOM
        if node.op == "square":
            return f"{self(node.args[0], INFIX['power'][1] + 1)} ** 2", INFIX["power"][1]
        return super()._apply(node)

    def number(self, value: sp.Expr) -> str:
        """A number as Python; π by its name."""
        return "math.pi" if value == sp.pi else super().number(value)
