"""PyTorch source of a forward program: literal, by enumerated points, so that autograd can differentiate it.

Stage: L1 Program → Python source of a module with `forward(T, sizes, F)`.  Every equation enumerates its domain, gathers,
evaluates the body and adds; nothing of symbp's calculus or lowering is used.  It is for checking, not for speed.
"""
from __future__ import annotations

import keyword
import re
from collections.abc import Iterator

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from symbp.language import AXIS0, Access, Equation, Index, Loop, Program, Statement, Tensor
from symbp.language.functions import Defined, equal, step

NATIVE = {"sigmoid": "torch.sigmoid", "tanh": "torch.tanh", "relu": "torch.relu", "softplus": "torch.nn.functional.softplus",
          "silu": "torch.nn.functional.silu", "gelu": "torch.nn.functional.gelu"}
PRIMITIVE = {sp.exp: "torch.exp", sp.log: "torch.log", sp.erf: "torch.erf", sp.sin: "torch.sin", sp.cos: "torch.cos", sp.Abs: "torch.abs"}

PREAMBLE = '''\
"""A forward pass, written out equation by equation for autograd.  Printed by symbp; for checking, not for speed."""
import torch


def points(*ranges):
    """All points of a box in lexicographic order: one column of integers for each index."""
    return [c.reshape(-1) for c in torch.meshgrid(*[torch.arange(a, b) for a, b in ranges], indexing="ij")]


def number(value):
    """A whole number or a tensor of them in float64."""
    return torch.as_tensor(value, dtype=torch.float64)


def column(value, index):
    """A body's value at every point, in float64, also where it is the same at all."""
    return number(value).expand(index.shape)


def zeros(*shape, dtype=torch.float64):
    return torch.zeros(shape, dtype=dtype)


def add(target, where, values):
    """The target with a value added at each position."""
    if not where:
        return target + values.sum()
    where = torch.broadcast_tensors(*[torch.as_tensor(w) for w in where])
    if where[0].dim() == 0:
        return target.index_put(where, values.sum(), accumulate=True)
    return target.index_put(where, values.expand(where[0].shape), accumulate=True)


def largest(target, where, values, ties, positions=None):
    """The target with the largest value of each position; a tie goes to the first hit or is split evenly.

    With `positions`, the target gets the position of the first hit instead.
    """
    size = target.shape
    where = torch.broadcast_tensors(values, *[torch.as_tensor(w) for w in where])[1:]
    cell = torch.zeros(values.shape, dtype=torch.long)
    for axis, w in enumerate(where):
        cell = cell * size[axis] + w
    flat = target.reshape(-1)
    for c in torch.unique(cell):
        window = values[cell == c]
        first = torch.nonzero(window == window.max())[0, 0]
        best = window.amax() if ties == "split" else window[first]
        flat = flat.index_put((c,), best if positions is None else positions[cell == c][first])
    return flat.reshape(size)


def step(x, at_zero):
    return torch.where(x > 0, 1.0, torch.where(x < 0, 0.0, number(at_zero)))


def equal(a, b):
    return (torch.as_tensor(a) == torch.as_tensor(b)).double()
'''


def torch_source(program: Program) -> str:
    """The module's source: `forward(T, sizes, F)` answers the dictionary T with every computed tensor.

    T maps names to input tensors, sizes the symbolic extents to numbers (widths to lists), F opaque functions to callables.
    """
    docstring = '    """Run the program; `T` maps the names of the inputs to tensors."""'
    lines = ["", "", "def forward(T, sizes, F=None):", docstring, "    T = dict(T)"]
    printer = _Source(program)
    lines += [f'    {printer.size_name(s.name)} = sizes["{s.name}"]' for s in (*program.sizes,) if s != AXIS0]
    lines += [f'    {printer.size_name(w.__name__)} = sizes["{w.__name__}"]' for w in program.widths]
    written = {eq.target.name for eq in program.equations}
    lines += [f"    T[{t.name!r}] = zeros({printer.zeros(t)})" for t in program.tensors if t.name in written]
    lines += ["    " + line for s in program.statements for line in printer.statement(s)]
    return PREAMBLE + "\n".join([*lines, "    return T", ""])


TAKEN = ("T", "F", "torch", "sizes", "points", "add", "zeros", "step", "equal", "number", "column", "largest", "keep")
"""Names of the printed module that no index may have."""

class _Source(StrPrinter):
    """Statements and expressions as PyTorch source."""

    printmethod = "_torch_source"

    def __init__(self, program: Program) -> None:
        super().__init__({"order": "none"})
        self.program = program
        self.split = program.conventions.ties
        self.whole = True

    # names

    def size_name(self, name: str) -> str:
        return "size_" + re.sub(r"\W", "_", name)

    def index_name(self, index: Index) -> str:
        name = re.sub(r"\W", "_", index.name)
        return name + "_" if keyword.iskeyword(name) or name in TAKEN else name

    def shape(self, tensor: Tensor) -> str:
        """The extents; rows of different width get the largest."""
        first = self.doprint(tensor.shape[0]) if tensor.shape else ""
        texts = []
        for extent in tensor.shape:
            if AXIS0 in extent.free_symbols:
                row = sp.Symbol("row_", integer=True)
                start = self.doprint(tensor.origin[0])
                texts.append(f"max({self.doprint(extent.xreplace({AXIS0: row}))} for row_ in range({start}, {start} + {first}))")
            else:
                texts.append(self.doprint(extent))
        return ", ".join(texts)

    def zeros(self, tensor: Tensor) -> str:
        """The arguments of a computed tensor's zeros."""
        kind = "dtype=torch.long" if tensor.dtype == "int" else ""
        return ", ".join(part for part in (self.shape(tensor), kind) if part)

    # statements

    def statement(self, statement: Statement) -> Iterator[str]:
        """The lines of an equation or a loop."""
        if isinstance(statement, Equation):
            yield from self._equation(statement, frozenset())
        else:
            yield from self._loop(statement, frozenset())

    def _loop(self, loop: Loop, fixed: frozenset[Index]) -> Iterator[str]:
        index = loop.index
        steps = f"range({self.doprint(index.start)}, {self.doprint(sp.expand(index.last + 1))})"
        yield f"for {self.index_name(index)} in {steps if loop.direction == 'ascending' else f'reversed({steps})'}:"
        for statement in loop.body:
            write = self._equation if isinstance(statement, Equation) else self._loop
            inner = write(statement, fixed | {index})
            yield from ("    " + line for line in inner)

    def _equation(self, eq: Equation, fixed: frozenset[Index]) -> Iterator[str]:
        yield f"# {eq}"
        indices = [i for i in eq.indices if i not in fixed]
        names = ", ".join(self.index_name(i) for i in indices)
        if indices:
            ranges = ", ".join(f"({self.doprint(i.start)}, {self.doprint(sp.expand(i.last + 1))})" for i in indices)
            yield f"{names}{',' if len(indices) == 1 else ''} = points({ranges})"
        for condition in eq.domain if indices else ():
            yield f"keep = torch.as_tensor(({self.doprint(condition)}) >= 0)"
            yield f"{names}{',' if len(indices) == 1 else ''} = [c[keep.expand(c.shape)] for c in ({names},)]"
        guard = "" if indices or not eq.domain else f"if {' and '.join(f'({self.doprint(c)}) >= 0' for c in eq.domain)}: "
        name, where = repr(eq.target.name), self._positions(eq.target)
        body = self._printed(eq.body, whole=False)
        body = f"column({body}, {self.index_name(indices[0])})" if indices else f"number({body})"
        if self.program.tensor(eq.target.name).held:
            body = f"({body}).detach()"
        if eq.op == "sum":
            yield f"{guard}T[{name}] = add(T[{name}], ({where}), {body})"
        else:
            component = f", {self.index_name(eq.component)}" if eq.op == "argmax" else ""
            yield f"{guard}T[{name}] = largest(T[{name}], ({where}), {body}, {self.split!r}{component})"

    def _printed(self, expression: sp.Expr, whole: bool) -> str:
        """An expression of whole numbers, or of float64 numbers: in a body, indices and labels are converted."""
        before, self.whole = self.whole, whole
        text = self.doprint(expression)
        self.whole = before
        return text

    def _positions(self, access: Access) -> str:
        tensor = self.program.tensor(access.name)
        texts = [self._printed(sp.expand(p - o), whole=True) for p, o in zip(access.indices, tensor.origin)]
        return ", ".join(texts) + ("," if len(texts) == 1 else "")

    # expressions

    def _print_Access(self, access: Access) -> str:
        positions = self._positions(access)
        text = f"T[{access.name!r}][{positions}]" if positions else f"T[{access.name!r}]"
        return text if self.whole or self.program.tensor(access.name).dtype == "float" else f"number({text})"

    def _print_Index(self, index: Index) -> str:
        return self.index_name(index) if self.whole else f"number({self.index_name(index)})"

    def _print_Integer(self, value: sp.Integer) -> str:
        return str(value) if abs(value) < 2**53 else repr(float(value))

    def _print_Rational(self, value: sp.Rational) -> str:
        return f"{value.p}/{value.q}" if max(abs(value.p), value.q) < 2**53 else repr(float(value))

    def _print_Symbol(self, symbol: sp.Symbol) -> str:
        return symbol.name if symbol.name == "row_" else self.size_name(symbol.name)

    def _print_floor(self, node: sp.Expr) -> str:
        numerator, denominator = sp.fraction(sp.together(node.args[0]))
        return f"(({self.doprint(numerator)}) // ({self.doprint(denominator)}))"

    def _print_Function(self, node: sp.Expr) -> str:
        if isinstance(node, AppliedUndef):
            return f"{self.size_name(node.func.__name__)}[{self.doprint(node.args[0])}]"
        if isinstance(node, Defined):
            return self._defined(node)
        if isinstance(node, equal):
            return f"equal({', '.join(self._printed(a, whole=True) for a in node.args)})"
        name = "step" if isinstance(node, step) else PRIMITIVE[node.func]
        return f"{name}({self._arguments(node)})"

    def _arguments(self, node: sp.Expr) -> str:
        """The arguments of a function of PyTorch's, each a tensor of float64."""
        return ", ".join(self.doprint(a) if a.has(Access, Index) else f"number({self.doprint(a)})" for a in node.args)

    _print_Abs = _print_log = _print_sin = _print_cos = _print_erf = _print_Function

    def _defined(self, node: Defined) -> str:
        """PyTorch's own function where it has one under this definition, the definition's primitives otherwise."""
        name, arguments = type(node).__name__, self._arguments(node)
        from symbp.language.functions import DEFINITIONS
        if name in NATIVE and DEFINITIONS.get(name) is type(node):
            return f"{NATIVE[name]}({arguments})"
        if node.definition is None:
            return f"F[{name!r}]({arguments})"
        return f"({self.doprint(node.expanded())})"

    def _print_Pow(self, node: sp.Expr, rational: bool = False) -> str:
        if isinstance(node, sp.exp):
            return f"torch.exp({self._arguments(node)})"
        return f"{self.parenthesize(node.base, PRECEDENCE['Atom'])}**{self.parenthesize(node.exp, PRECEDENCE['Atom'])}"

    def _print_exp(self, node: sp.Expr) -> str:
        return f"torch.exp({self._arguments(node)})"

    def _print_Exp1(self, node: sp.Expr) -> str:
        return repr(float(sp.E))

    def _print_Pi(self, node: sp.Expr) -> str:
        return repr(float(sp.pi))
