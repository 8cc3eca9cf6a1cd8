"""Level 2 as lines of CuPy: the readable ones are NumPy's by another name; planned ones run each elementwise chain as one kernel.

Stage: L2 statements → lines of Python, the buffers that they need, and the kernels that they call.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from symbp.arrays.nodes import (
    Apply,
    Assign,
    Fold,
    Matmul,
    Name,
    Node,
    Number,
    Permute,
    Scatter,
    Statement,
    Store,
    Subscript,
)
from symbp.language.names import NameSupply
from symbp.printing.kernel import RESERVED, TYPES, CudaPrinter, Kernel, fusible, is_literal, plain
from symbp.printing.numpy import NumpyPrinter
from symbp.printing.planned import PlannedPrinter


class CupyPrinter(NumpyPrinter):
    """Prints statements for CuPy, which spells nearly everything as NumPy does."""

    module = "cp"


class FusedPrinter(PlannedPrinter):
    """Prints statements with buffers, each elementwise chain as a call of one kernel; `kernels` has them all afterwards.

    same: names that share the array of another.  host: tensors that are Python numbers, which a kernel takes by value, as the results
    of calculations with them in double precision.  kernel: how the name of a kernel that makes a tensor is written.
    """

    reduce: Mapping[str, str] = {}
    tap_by_tap = False

    def __init__(self, printer: NumpyPrinter, same: Mapping[str, str] | None = None, host: Iterable[str] = (),
                 kernel: str = "_{}_kernel") -> None:
        super().__init__(printer, same)
        self.host, self.pattern = frozenset(host), kernel
        self.kernels: list[Kernel] = []
        self._target, self._supply = "", NameSupply()

    def _statement(self, statement: Statement) -> None:
        if isinstance(statement, Assign | Store | Scatter):
            self._target = self.printer.name(self.same.get(statement.name, statement.name))
        if isinstance(statement, Assign) and not statement.value.axes and self._fuses(statement.value):
            self._out.append(f"{self._target} = {self._launch(statement.value, None, self._target)}")
        else:
            super()._statement(statement)

    def _into(self, out: Node, node: Node) -> None:
        if isinstance(node, Apply) and node.op == "copy" and self._fuses(node.args[0]):
            node = node.args[0]  # what a kernel writes is an array of its own
        if self._fuses(node):
            whole = isinstance(out, Name) and self.printer.name(out.name) == self._target
            self._out.append(self._launch(node, out, self._target if whole else f"{self._target}_part"))
        else:
            super()._into(out, node)

    def _fuses(self, node: Node) -> bool:
        return fusible(node) and node.dtype == "float" and not self._is_host(node)

    def _is_host(self, node: Node) -> bool:
        """Whether a node is calculated before the launch: numbers, and tensors that are Python numbers."""
        if isinstance(node, Apply) and not node.axes:
            return all(map(self._is_host, node.args))
        return isinstance(node, Number) or isinstance(node, Name) and node.name in self.host

    def _launch(self, node: Node, out: Node | None, wanted: str) -> str:
        """The call of the kernel for a chain; lines that calculate its operands come first."""
        leaves = list(dict.fromkeys(self._leaves(node)))
        arrays: dict[Node, Node] = {}
        place = out
        for leaf in leaves:
            inside = place if place is not None and self._fits(leaf, leaves, place) else None
            arrays[leaf] = leaf if self._is_host(leaf) else self._plain(leaf, inside)
            place = None if inside is not None else place
        names = self._parameters(arrays)
        kernel = Kernel(self._supply.fresh(self.pattern.format(wanted)), tuple((names[leaf], TYPES[leaf.dtype]) for leaf in leaves),
                        CudaPrinter(names)(node))
        self.kernels.append(kernel)
        call = ", ".join(self.printer(a) for a in (*arrays.values(), *([out] if out else [])))
        for array in arrays.values():
            self._release(array, out)
        return f"{kernel.name}({call})"

    def _leaves(self, node: Node) -> Iterator[Node]:
        """What a chain reads: the nodes that are no elementwise operations, and what is calculated on the host."""
        if is_literal(node):
            return
        if isinstance(node, Apply) and fusible(node) and not self._is_host(node):
            for argument in node.args:
                yield from self._leaves(argument)
        else:
            yield node

    def _fits(self, leaf: Node, leaves: Iterable[Node], out: Node) -> bool:
        """Whether the kernel's result can hold a product or a sum that the kernel reads: it has the shape, and is not read."""
        read = {self.same.get(name, name) for other in leaves for name in self._names(other)}
        return isinstance(leaf, Matmul | Fold) and leaf.axes == out.axes and leaf.dtype == out.dtype and not self._names(out) & read

    def _parameters(self, arrays: Mapping[Node, Node]) -> dict[Node, str]:
        """A parameter's name for each leaf: that of the array it reads."""
        supply = NameSupply(RESERVED)
        return {leaf: supply.fresh(self._called(leaf, array)) for leaf, array in arrays.items()}

    def _called(self, leaf: Node, array: Node) -> str:
        while isinstance(array, Subscript | Permute):
            array = array.source
        if isinstance(array, Fold):
            return array.op
        text = self.printer(array) if isinstance(array, Name | Number) else ""
        if self._is_host(leaf):
            return text if text.isidentifier() else "scalar"
        return plain(text).lstrip("_") if text.isidentifier() and not self._is_scratch(text) else "part"
