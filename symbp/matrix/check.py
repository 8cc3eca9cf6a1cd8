"""Whether a printed matrix form means its index form: parsed back, evaluated, and compared with the oracle.

All sizes are small and different, whatever the program's are.  Each tensor and row gets an array of its own.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from symbp.errors import LanguageError
from symbp.interpret import interpret
from symbp.language.build import Builder, Reduce
from symbp.language.functions import Defined
from symbp.language.index import Index, indices_of, size
from symbp.language.names import NameSupply
from symbp.language.program import Program
from symbp.language.tensor import Access, Tensor, accesses
from symbp.matrix.evaluate import Environment, ShapeError, evaluate, stand_in
from symbp.matrix.latex import NAMES, MatrixPrinter
from symbp.matrix.nodes import Leaf, Node, Size
from symbp.matrix.parse import Symbols
from symbp.matrix.view import View

LENGTHS = (3, 5, 4, 2, 7, 6)
TOLERANCE = 1e-9
LONGEST = 10_000


class _Classes:
    """Indices and sizes that must have the same value."""

    def __init__(self) -> None:
        self.parent: dict[object, object] = {}

    def find(self, item: object) -> object:
        """What stands for all items of the same value."""
        parent = self.parent.setdefault(item, item)
        return item if parent == item else self.find(parent)

    def same(self, a: object, b: object) -> None:
        """Give two items one value."""
        a, b = self.find(a), self.find(b)
        if a != b:
            self.parent[b] = a


@dataclass(frozen=True)
class Question:
    """An equation as a small program of its own, and what its inputs are in matrix form.

    inputs: a leaf for each input tensor.  layered: the summed layer indices of a leaf, which are its first axes.
    levels: the size symbol of each of these.  lengths: for each size symbol its fixed value, or None.  same: the
    size symbol of the axes that a size is the extent of.
    """

    program: Program
    inputs: dict[str, Leaf | Size]
    layered: dict[Leaf, tuple[Index, ...]]
    levels: dict[Index, sp.Symbol]
    lengths: dict[sp.Symbol, int | None]
    same: dict[str, sp.Symbol]

    def answers(self) -> Iterator[tuple[Environment, np.ndarray]]:
        """Arrays for the leaves, and the oracle's value; draws for which that is no number are left out."""
        opaque = {f.__name__: stand_in(f.__name__) for e in self.program.equations for f in map(type, e.body.atoms(Defined))
                  if f.definition is None}
        for seed in (0, 1):
            sizes = self._sizes(LENGTHS if seed else LENGTHS[::-1])
            values = self._values(np.random.default_rng(seed), sizes, signed=bool(seed))
            with np.errstate(all="ignore"):
                found = interpret(self.program, values, sizes, functions=opaque)["answer"]
            if np.all(np.isfinite(found)):
                yield self._environment(values, sizes), found

    def _sizes(self, lengths: tuple[int, ...]) -> dict[str, int]:
        free = iter((*lengths, *range(8, 99)))
        return {s.name: fixed or next(free) for s, fixed in self.lengths.items()}

    def _values(self, rng: np.random.Generator, sizes: dict[str, int], signed: bool) -> dict[str, np.ndarray]:
        """Random arrays, of alternating signs or between 0 and 1; a size is the length of the axes that it is the extent of."""
        values = {}
        for name in self.inputs:
            shape = [sizes[e.name] for e in self.program.tensor(name).shape]
            values[name] = rng.uniform(0.2, 0.8, size=shape)
            if signed:
                values[name] = (2 * values[name].ravel() * (-1.0) ** np.arange(1, values[name].size + 1)).reshape(shape)
            if isinstance(self.inputs[name], Size):
                values[name] = float(sizes[self.same[name].name]) if name in self.same else rng.uniform(2, 9)
        return values

    def _environment(self, values: dict[str, np.ndarray], sizes: dict[str, int]) -> Environment:
        return Environment({self.inputs[n]: v for n, v in values.items()}, self.layered,
                           {i: sizes[s.name] for i, s in self.levels.items()})


def question(target: Access, right: sp.Expr, view: View) -> Question:
    """Make an equation a program of its own: a tensor for each tensor and row, and a size for each kind of index."""
    return _Maker(target, right, view).made()


class _Maker:
    """Collects what a `Question` holds."""

    def __init__(self, target: Access, right: sp.Expr, view: View) -> None:
        self.right = right
        self.summed = {i for r in right.atoms(Reduce) for i in r.over if i in view.counters}
        self.axes = view.leaf(target)[1]
        self.accesses = {a: view.leaf(a) for a in accesses(right)}
        self.sizes = dict.fromkeys(_sizes(right))
        self.classes = _Classes()
        self._classify()

    def layers(self, leaf: Leaf) -> tuple[Index, ...]:
        """The summed layer indices of a leaf's row."""
        return tuple(i for i in indices_of(leaf.row) if i in self.summed) if leaf.row is not None else ()

    def _classify(self) -> None:
        """Indices of the same axis have one length, and a size that is an extent is that length."""
        for leaf, axes in self.accesses.values():
            for position, index in enumerate(axes):
                self.classes.same((leaf, position), index)
        for index in self._indices():
            if index.extent in self.sizes:
                self.classes.same(index.extent, index)

    def _indices(self) -> list[Index]:
        found = dict.fromkeys(i for _, axes in self.accesses.values() for i in axes)
        bound = [i for r in _reduces(self.right) for i in r.over]
        return list(dict.fromkeys((*self.axes, *found, *bound, *sorted(self.summed, key=str))))

    def made(self) -> Question:
        """The question: a program with inputs t0, t1, …, sizes s0, s1, … and the output `answer`."""
        indices = self._indices()
        roots = dict.fromkeys(map(self.classes.find, indices))
        self.symbols = {root: size(f"s{k}") for k, root in enumerate(roots)}
        moved = {i: Index(f"i{k}", self.symbols[self.classes.find(i)]) for k, i in enumerate(indices)}
        names, replaced = self._inputs(moved)
        inputs = {name: node for node, name in names.items()}
        same = {n: self.symbols[self.classes.find(node.value)] for n, node in inputs.items()
                if isinstance(node, Size) and self.classes.find(node.value) in self.symbols}
        return Question(self._program(moved, replaced), inputs, {leaf: self.layers(leaf) for leaf, _ in self.accesses.values()},
                        {i: self.symbols[self.classes.find(i)] for i in self.summed},
                        {s: self._fixed(root) for root, s in self.symbols.items()}, same)

    def _inputs(self, moved: dict[Index, Index]) -> tuple[dict[Leaf | Size, str], dict[sp.Expr, Access]]:
        """A name for each leaf and size, and what stands for each access and size."""
        names: dict[Leaf | Size, str] = {}
        replaced: dict[sp.Expr, Access] = {}
        for access, (leaf, axes) in self.accesses.items():
            replaced[access] = Access(names.setdefault(leaf, f"t{len(names)}"), *(moved[i] for i in (*self.layers(leaf), *axes)))
        for atom in self.sizes:
            replaced[atom] = Access(names.setdefault(Size(atom), f"t{len(names)}"))
        return names, replaced

    def _program(self, moved: dict[Index, Index], replaced: dict[sp.Expr, Access]) -> Program:
        """`answer[…] = right` as a program."""
        tensors = {a.name: Tensor(a.name, tuple(i.extent for i in a.indices), role="input") for a in replaced.values()}
        axes = [moved[i] for i in self.axes]
        answer = Tensor("answer", tuple(i.extent for i in axes))
        builder = Builder(NameSupply({*tensors, "answer", *(i.name for i in moved.values())}))
        builder.assign(answer[tuple(axes)], self.right.xreplace({**moved, **replaced}))
        return Program((*tensors.values(), *builder.tensors, answer), tuple(builder.equations))

    def _fixed(self, root: object) -> int | None:
        """The concrete extent of an index that only counts (Σ 1), which the printed form holds as a number."""
        for node in _reduces(self.right):
            for index in node.over:
                if self.classes.find(index) == root and index.extent.is_Integer and index.extent <= LONGEST and not node.body.has(index):
                    return int(index.extent)
        return None


def _reduces(expression: sp.Expr) -> list[Reduce]:
    return [n for n in sp.preorder_traversal(expression) if isinstance(n, Reduce)]


def _sizes(expression: sp.Expr) -> Iterator[sp.Expr]:
    """The sizes that an expression reads as numbers."""
    walk = sp.preorder_traversal(expression)
    for node in walk:
        if isinstance(node, (Access, sp.Tuple)):
            walk.skip()
        elif isinstance(node, (AppliedUndef, sp.floor)) or (isinstance(node, sp.Symbol) and not isinstance(node, Index)):
            walk.skip()
            yield node


def symbols_of(asked: Question, right: sp.Expr, printer: MatrixPrinter) -> Symbols | None:
    """The printed symbols of an equation's inputs; None where two things print alike."""
    leaves = list(asked.inputs.values())
    plain = [(printer.latex(n), n) for n in leaves]
    transposed = [(printer.leaf(n, True), n) for n in leaves if isinstance(n, Leaf) and n.axes]
    named = [(f.latex_name, f) for f in sorted({type(d) for d in right.atoms(Defined)}, key=lambda f: f.__name__)]
    functions = [(name + r"\left(", f) for name, f in [*((v, k) for k, v in NAMES.items()), *named]]
    levels = [(rf"\sum_{{{printer.writer.doprint(i)}}}", i) for i in asked.levels]
    tables = [dict(pairs) for pairs in (plain, transposed, functions, levels)]
    if any(len(t) != len(p) for t, p in zip(tables, (plain, transposed, functions, levels))):
        return None
    return Symbols(*tables)


def agrees(node: Node, asked: Question) -> bool:
    """Whether an expression has the oracle's value for random inputs, to 1e-9."""
    compared = 0
    try:
        for environment, wanted in asked.answers():
            shape = (*wanted.shape, 1, 1)[:2]
            found = evaluate(node, environment, shape)
            if not np.allclose(found, wanted.reshape(shape), rtol=TOLERANCE, atol=TOLERANCE):
                return False
            compared += 1
    except (ShapeError, LanguageError):
        return False
    return compared > 0
