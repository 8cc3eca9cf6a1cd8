"""Level 2 as lines that allocate nothing: every operation writes into a buffer by `out=`.

Stage: L2 statements → lines of Python, and the buffers that they need.  Operations, operands and their order are those of
the readable lines, so that both give the same bits.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import sympy as sp

from symbp.arrays.memory import is_shown, keeps_order, merged
from symbp.arrays.nodes import (
    WHOLE,
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
    Node,
    Number,
    Pad,
    Permute,
    Reshape,
    Slice,
    Statement,
    Store,
    Subscript,
    Windows,
    extent,
    names_read,
    nodes,
    permute,
    reshape,
    subscript,
)
from symbp.arrays.patches import Patches, patches
from symbp.arrays.share import written
from symbp.printing.kernel import Kernel
from symbp.printing.numpy import NumpyPrinter
from symbp.printing.taps import HELPER, tap_lines

REDUCE = {"sum": "add.reduce", "max": "maximum.reduce"}
"""What `np.sum` and `np.max` call, without their overhead."""
PREFIX = {"float": "scratch", "bool": "mask", "int": "whole"}


DTYPES = {"bool": "bool", "int": "{m}.int64", "single": "{m}.float32"}
"""The dtype of an array in code, where it is not that of the parameters."""
MARGIN = {"zero": ("zeros", ""), "least": ("full", "-{m}.inf, "), "nothing": ("full", "{m}.nan, ")}
"""How an array is allocated whose margins stay as they are: zero, less than anything, equal to nothing."""


@dataclass(frozen=True)
class Buffer:
    """An array that is allocated once: its name, extents and dtype, and the margins that are filled then and stay."""

    name: str
    shape: tuple[sp.Expr, ...]
    dtype: str
    fill: str = ""
    widths: tuple[tuple[int, int], ...] = ()


class PlannedPrinter:
    """Prints statements with buffers; `printer` spells names and expressions.  `helpers` are lines of what the others call.

    same: names that share the array of another, such as the next value of a parameter.
    """

    reduce: Mapping[str, str] = REDUCE
    kernels: Sequence[Kernel] = ()
    tap_by_tap = True
    """Whether a copy for each tap of patches is faster than one of all."""

    def __init__(self, printer: NumpyPrinter, same: Mapping[str, str] | None = None) -> None:
        self.printer, self.same = printer, dict(same or {})
        self.buffers: dict[str, Buffer] = {}
        self.named: set[str] = set()
        self._free: dict[Buffer, list[str]] = {}
        self.helpers: tuple[str, ...] = ()
        self._changed: set[str] = set()
        self._known: set[str] = set()
        self._out: list[str] = []

    def lines(self, statements: Iterable[Statement]) -> list[str]:
        """The lines of statements."""
        statements = list(statements)
        self._known |= {self.printer.name(name) for s in statements for name in (*names_read(s), *written(s))}
        self._changed |= {name for s in statements if not isinstance(s, Assign) for name in written(s)}
        found: list[str] = []
        for statement in statements:
            self._out = []
            self._statement(statement)
            found += self._out
        return found

    def _statement(self, statement: Statement) -> None:
        if isinstance(statement, Assign) and is_shown(statement.value):
            self._out += self.printer.lines([replace(statement, value=self._plain(statement.value))])
        elif isinstance(statement, Assign) and statement.value.axes:
            self._assign(statement)
        elif isinstance(statement, Fill) and statement.shape:
            name = self._buffer(statement.name, statement.shape, statement.dtype)
            self._out += [f"{name}.fill(0)"] if statement.zeros else []
        elif isinstance(statement, For):
            outer = self._out
            inner = self.lines(statement.body)
            head = next(self.printer.lines([replace(statement, body=())]))
            self._out = [*outer, head, *("    " + line for line in inner)]
        elif isinstance(statement, Store) and (part := self._divided(statement)) is not None:
            self._stored(part, statement.op, statement.value.operands[0])
        elif isinstance(statement, Store) and statement.op == "=" and (part := _part(statement)) is not None:
            self._into(part, statement.value)
        elif isinstance(statement, Assign | Store):
            with_operands = self._plain(statement.value)
            self._out += self.printer.lines([replace(statement, value=with_operands)])
            self._release(with_operands)
        else:
            self._out += self.printer.lines([statement])

    def _stored(self, part: Node, op: str, value: Node) -> None:
        """Lines that assign a value to a part of an array, or add it."""
        if op == "=":
            self._into(part, value)
            return
        value = self._plain(value)
        self._out.append(f"{self.printer(part)} {op} {self.printer(value)}")
        self._release(value)

    def _divided(self, statement: Store) -> Node | None:
        """The part of an array with its axes divided as the value's were before they were merged, so that nothing need be copied for that.

        None where no copy merges axes, or an axis that is merged is not stored whole.
        """
        buffer, value = self.buffers.get(statement.name), statement.value
        if buffer is None or not isinstance(value, Reshape) or keeps_order(value.source) or len(value.axes) >= len(value.source.axes):
            return None
        groups = merged(value)
        stored = [(k, e) for k, e in zip_longest(statement.keys, buffer.shape, fillvalue=WHOLE) if not isinstance(k, At)]
        if sum(map(len, groups)) < len(value.source.axes) or len(groups) != len(stored) or any(
                len(g) > 1 and (k, v) != (WHOLE, e) for g, v, (k, e) in zip(groups, value.shape, stored)):
            return None
        shape: list[sp.Expr] = []
        keys: list[Key] = []
        for key, length in zip_longest(statement.keys, buffer.shape, fillvalue=WHOLE):
            group = () if isinstance(key, At) else groups.pop(0)
            shape += map(extent, group) if len(group) > 1 else [length]
            keys += [WHOLE] * len(group) if len(group) > 1 else [key]
        whole = Name((None,) * len(buffer.shape), value.dtype, statement.name)
        return Subscript(value.source.axes, value.dtype, reshape(whole, (None,) * len(shape), tuple(shape)), tuple(keys))

    def _assign(self, statement: Assign) -> None:
        name = self.same.get(statement.name, statement.name)
        if name == statement.name:
            self._buffer(name, tuple(extent(a) for a in statement.value.axes), statement.value.dtype)
        self._into(Name(statement.value.axes, statement.value.dtype, name), statement.value)

    def _buffer(self, name: str, shape: tuple[sp.Expr, ...], dtype: str) -> str:
        self.named.add(name)
        self.buffers[name] = Buffer(self.printer.name(name), shape, dtype)
        return self.printer.name(name)

    # a value into an array

    def _into(self, out: Node, node: Node) -> None:
        """Lines that leave the value of a node in an array of its shape: a name, a part of one, or a reshape of one."""
        if isinstance(node, Apply) and node.op in ("copy", "float"):
            node = node.args[0] if node.dtype == node.args[0].dtype or not _is_calculated(node.args[0]) else node
        if isinstance(node, Reshape) and not keeps_order(node.source) and keeps_order(out):
            self._into(_reshaped(out, node.source), node.source)
        elif isinstance(node, Permute) and _is_elementwise(node.source):
            self._into(permute(out, tuple(map(node.order.index, range(len(node.order))))), node.source)
        elif _is_elementwise(node):
            self._call(self._function(node.op), node, out)
        elif isinstance(node, Matmul):
            self._call(f"{self.printer.module}.matmul", node, out)
        elif isinstance(node, Fold):
            self._call(f"{self.printer.module}.{self.reduce.get(node.op, node.op)}", node, out)
        elif isinstance(node, Apply) and node.op == "where":
            self._where(node, out)
        elif self.tap_by_tap and (found := patches(node)) is not None and self._keeps_margins(out):
            self._taps(out, found, node)
        elif isinstance(node, Pad) and node.fill in MARGIN and self._keeps_margins(out):
            name = next(n.name for n in nodes(out) if isinstance(n, Name))
            self.buffers[name] = replace(self.buffers[name], fill=node.fill, widths=node.widths)
            self._into(_inside(out, node), node.source)
        else:
            source = self._plain(node.args[0] if isinstance(node, Apply) else node, out)
            if source != out:
                self._out.append(f"{self.printer.module}.copyto({self.printer(out)}, {self.printer(source)})")
            self._release(source, out)

    def _keeps_margins(self, out: Node) -> bool:
        """Whether an array is all of a buffer that nothing changes but its one assignment."""
        whole = out.source if isinstance(out, Reshape) else out
        return isinstance(whole, Name) and whole.name in self.named - self._changed

    def _taps(self, out: Node, found: Patches, node: Node) -> None:
        """Patches, tap by tap."""
        self.helpers = HELPER
        image = self._plain(found.image)
        name = next(n.name for n in nodes(out) if isinstance(n, Name))
        if found.padded:
            self.buffers[name] = replace(self.buffers[name], fill="zero")
        self._out += tap_lines(out, image, found, node, self.printer, {*self.printer.names.values(), *map(self.printer.name, self.buffers)})
        self._release(image, out)

    def _function(self, op: str) -> str:
        return "erf" if op == "erf" else f"{self.printer.module}.{op}"

    def _call(self, function: str, node: Node, out: Node) -> None:
        """One call with `out=`; operands that are calls themselves come first, the first of fitting shape in `out` itself.

        Scattered rows are written once: what comes before is calculated in a buffer.
        """
        operands = list(node.operands)
        for k, operand in enumerate(operands):
            taken = any(self._names(o) & self._names(out) for o in (*operands[:k], *operands[k + 1:]))
            fits = isinstance(node, Apply) and operand.axes == out.axes and operand.dtype == out.dtype and keeps_order(out)
            operands[k] = self._plain(operand, out if fits and not taken else None)
        texts = [self.printer(o) for o in operands]
        if isinstance(node, Fold):
            texts.append(f"axis={node.over[0]}" if len(node.over) == 1 else f"axis={node.over}")
        self._out.append(f"{function}({', '.join(texts)}, out={self.printer(out)})")
        for operand in operands:
            self._release(operand, out)

    def _where(self, node: Apply, out: Node) -> None:
        """The value everywhere, then the fill outside the mask."""
        mask, value, fill = node.args
        condition = self._plain(mask)
        source = self._plain(value)
        module = self.printer.module
        self._out.append(f"{module}.copyto({self.printer(out)}, {self.printer(fill)})")
        self._out.append(f"{module}.copyto({self.printer(out)}, {self.printer(source)}, where={self.printer(condition)})")
        self._release(condition, out)
        self._release(source, out)

    # operands

    def _plain(self, node: Node, out: Node | None = None) -> Node:
        """The node with every array that has to be calculated in a buffer; lines that do so come first."""
        if isinstance(node, Name):
            return replace(node, name=self.same.get(node.name, node.name))
        if isinstance(node, Number | Count):
            return node
        if not node.axes and not isinstance(node, Subscript):
            return self._scalar(node)
        if isinstance(node, Pad) and node.fill in MARGIN:
            return self._margined(node)
        if isinstance(node, Subscript | Permute | Windows | Broadcast) or isinstance(node, Reshape) and _stays(node.source):
            return replace(node, source=self._plain(node.source))
        if isinstance(node, Reshape) and out is not None and keeps_order(out):
            self._into(out, node)
            return out
        if isinstance(node, Reshape):
            inner = self._scratch(node.source)
            self._into(inner, node.source)
            return replace(node, source=inner)
        if isinstance(node, Gather | Pad):
            return replace(node, source=self._plain(node.source))
        target = out if out is not None else self._scratch(node)
        self._into(target, node)
        return target

    def _scalar(self, node: Node) -> Node:
        """A node without axes, as an expression whose array operands are in buffers."""
        if isinstance(node, Apply):
            return replace(node, args=tuple(self._plain(a) for a in node.args))
        if isinstance(node, Fold):
            return replace(node, source=self._plain(node.source))
        if isinstance(node, Matmul):
            return replace(node, left=self._plain(node.left), right=self._plain(node.right))
        return node

    def _margined(self, node: Pad) -> Node:
        """A buffer whose margins are filled once, with the source copied inside."""
        where = Name(node.axes, node.dtype, self._free_buffer(Buffer("margined", node.shape, node.dtype, node.fill, node.widths)))
        source = self._plain(node.source)
        self._out.append(f"{self.printer.module}.copyto({self.printer(_inside(where, node))}, {self.printer(source)})")
        self._release(source)
        return where

    def _scratch(self, node: Node) -> Name:
        """A buffer of the node's shape that nothing uses now."""
        shape = tuple(extent(a) for a in node.axes)
        return Name(node.axes, node.dtype, self._free_buffer(Buffer(PREFIX[node.dtype], shape, node.dtype)))

    def _free_buffer(self, wanted: Buffer) -> str:
        """The name of such a buffer that nothing uses now; the wanted one's name is what a new one's starts with."""
        free = self._free.setdefault(replace(wanted, name=""), [])
        if free:
            return free.pop()
        base = "_".join([wanted.name, *(str(e) if e.is_Symbol or e.is_Integer else "x" for e in wanted.shape)])
        name, count = base, 1
        while name in self.buffers or self.printer.name(name) in self._known:
            count += 1
            name = f"{base}_{count}"
        self.buffers[name] = replace(wanted, name=name)
        return name

    def _release(self, node: Node, keep: Node | None = None) -> None:
        """Give back the scratch buffers that an operand stood in."""
        for name in self._names(node) - (self._names(keep) if keep is not None else set()):
            free = self._free.get(replace(self.buffers[name], name="")) if name in self.buffers else None
            if free is not None and name not in self.named and name not in free:
                free.append(name)

    @staticmethod
    def _is_scratch(name: str) -> bool:
        return name.split("_")[0] in PREFIX.values()

    @staticmethod
    def _names(node: Node) -> set[str]:
        return {n.name for n in nodes(node) if isinstance(n, Name)}


def _part(statement: Store) -> Node | None:
    """The part of an array that an assignment fills, where the value has all of its axes."""
    axes = statement.value.axes
    if not axes or None in axes or len([k for k in statement.keys if not isinstance(k, At)]) != len(axes):
        return None
    whole = Name((None,) * len(statement.keys), statement.value.dtype, statement.name)
    return Subscript(axes, statement.value.dtype, whole, statement.keys)


def _inside(array: Node, pad: Pad) -> Node:
    """What lies within the margins of an array."""
    inside = tuple(Slice(sp.Integer(a), sp.expand(e - b), 1, a == b == 0) for e, (a, b) in zip(pad.shape, pad.widths))
    return subscript(array, inside, pad.source.axes)


def _is_elementwise(node: Node) -> bool:
    return isinstance(node, Apply) and node.op not in ("copy", "float", "where")


def _is_calculated(node: Node) -> bool:
    return isinstance(node, Apply | Matmul | Fold)


def _stays(node: Node) -> bool:
    """Whether a reshape of the node is a view: a whole array with or without margins, or a reshape of one."""
    return keeps_order(node) or isinstance(node, Pad) and node.fill in MARGIN


def _reshaped(out: Node, like: Node) -> Node:
    """An array, which lies in memory in order, in the shape of a node."""
    source = out.source if isinstance(out, Reshape) else out
    return reshape(source, like.axes, tuple(extent(a) for a in like.axes))


def allocations(buffers: Iterable[Buffer], printer: NumpyPrinter) -> Iterator[str]:
    """For each buffer the expression that allocates it."""
    for buffer in buffers:
        dtype = DTYPES.get(buffer.dtype, printer.dtype).format(m=printer.module)
        call, value = MARGIN.get(buffer.fill, ("empty", ""))
        yield f"{printer.module}.{call}({printer.shape(buffer.shape)}, {value.format(m=printer.module)}{dtype})"
