"""The network of a text: [network] with the text's own equations, or [input], [[layers]] and [loss] → the forward program.

An equation that means nothing takes only what is calculated from it along: the rest of the text is judged all the same.
"""
from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from symbp.errors import SymbpError
from symbp.language.conventions import Conventions
from symbp.language.equation import Equation
from symbp.language.functions import Defined, define
from symbp.language.index import Index
from symbp.language.program import Program
from symbp.language.scope import CONSTANTS, Scope, learn
from symbp.language.syntax import read_tree
from symbp.language.tensor import Tensor
from symbp.layers.equations import Extent, Reader
from symbp.optim import OPTIMIZERS, Optimizer
from symbp.settings import Count, Identifier, NetworkError, Settings, place, quoted, read_typed
from symbp.suggest import nearest
from symbp.verify.calls import called
from symbp.verify.claims import floats

if TYPE_CHECKING:
    from lark import Tree

    from symbp.network import Network

WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?![\w.])")
"""A word of an equation: a name, an index or a function."""
LAYERED = ("input", "target", "layers", "loss", "optimizer", "conventions", "notation")


class Equations(Settings):
    """The text's network in its own symbols.

    loss: what its steps make smaller; maximise: what they make larger, in its place.  parameters: what its steps change.
    integers: values that are positions or classes.  names: what the text calls a derivative or an expression.
    samples: the values that have a row for each sample, of which each step takes the next; batch: how many rows a step takes, which
    leaves them an axis.  convention: whether samples are the columns or the rows of its matrices; the equations' indices say the rest.
    """

    convention: Literal["column", "rows"] = "rows"
    equations: Annotated[list[str], Field(min_length=1, max_length=1000)]
    loss: Identifier = ""
    maximise: Identifier = ""
    parameters: list[Identifier] = Field(default_factory=list)
    integers: list[Identifier] = Field(default_factory=list)
    indices: dict[Identifier, Extent] = Field(default_factory=dict)
    facts: list[str] = Field(default_factory=list)
    names: dict[Identifier, str] = Field(default_factory=dict)
    functions: dict[str, str] = Field(default_factory=dict)
    samples: list[Identifier] = Field(default_factory=list)
    batch: Count | None = None


@dataclass(frozen=True)
class TextNet:
    """The forward program of a text, with what its claims may name.

    broken: for each name whose equation means nothing, why.  samples, batch: see `Equations`.
    """

    program: Program
    loss: str
    optimizer: Optimizer | None
    sizes: Mapping[str, int] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, str] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    samples: tuple[str, ...] = ()
    batch: int = 0


def text_net(tables: Mapping[str, Any], values: Mapping[str, np.ndarray]) -> TextNet:
    """The network that the tables of a claim file describe; its values tell the shapes."""
    net = _of_equations(tables, values) if "equations" in _table(tables, "network") else _of_layers(_at_top(tables), values)
    return replace(net, names=_with_deltas(net))


def _table(tables: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = tables.get(key, {})
    if not isinstance(found, dict):
        raise NetworkError(f"{key} must be a table, [{key}]")
    return found


def _at_top(tables: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of a network file that stand inside [network], at the top; its `convention` among the conventions."""
    inner = _table(tables, "network")
    rest = {key: value for key, value in tables.items() if key != "network"}
    with place("[network]"):
        unknown = next((key for key in inner if key not in (*LAYERED, "convention")), None)
        if unknown is not None:
            raise NetworkError(f"unknown key {quoted(unknown)}{nearest(unknown, ['equations', 'convention', *LAYERED])}")
        twice = next((key for key in inner if key in rest), None)
        if twice is not None:
            raise NetworkError(f"{twice} stands here and at the top of the file; remove one of the two")
        rest |= {key: value for key, value in inner.items() if key != "convention"}
        if "convention" in inner:
            conventions = _table(rest, "conventions")
            if conventions.get("samples", inner["convention"]) != inner["convention"]:
                raise NetworkError("convention and conventions.samples contradict each other; remove one of the two")
            rest["conventions"] = {**conventions, "samples": inner["convention"]}
    return rest


def _of_layers(tables: Mapping[str, Any], values: Mapping[str, np.ndarray]) -> TextNet:
    """The program of layers; N is the number of rows of the input.  Where the values are those of one sample, so is the program."""
    from symbp.netfile import network as network_of

    tables = {"name": "text", **floats(tables)}
    network = network_of(tables)
    first = next((t for t in network.program.inputs if t.role == "input" and t.shape), None)
    sizes = {}
    if first is not None and first.name not in values and first.name.upper() in values:
        values = {**values, first.name: values[first.name.upper()]}  # a batch is often called X
    if _is_turned(network, values) and "storage" not in _table(tables, "conventions"):
        return _of_layers({**tables, "conventions": {**_table(tables, "conventions"), "storage": "in_out"}}, values)
    if first is not None and first.name in values and first.shape[0].is_Symbol:
        if values[first.name].ndim == len(first.shape) - 1 and "samples" not in _table(tables, "conventions"):
            return _of_layers({**tables, "conventions": {**_table(tables, "conventions"), "samples": "column"}}, values)
        if values[first.name].ndim:
            sizes = {first.shape[0].name: len(values[first.name])}
    names = _usual_names(network)
    _check_shapes(network, {names.get(name, name): value for name, value in values.items()}, sizes)
    return TextNet(network.program, network.loss, network.optimizer, sizes, names)


def _check_shapes(network: Network, values: Mapping[str, np.ndarray], sizes: Mapping[str, int]) -> None:
    """Raise where a value has another shape than the layers make it, axes of extent 1 left out."""
    for tensor in network.program.inputs:
        own = [sizes.get(str(extent), extent) for extent in tensor.shape]
        given = list(values[tensor.name].shape) if tensor.name in values else own
        if all(str(e).isdigit() for e in own) and [e for e in given if e != 1] != [int(e) for e in own if e != 1]:
            raise NetworkError(f"[values]: {tensor.name} has the shape {given}, but the layers make it {own}")


def _is_turned(network: Network, values: Mapping[str, np.ndarray]) -> bool:
    """Whether the text's weights are all stored the other way round: with a column, and not a row, for each unit."""
    shapes = {t.name: tuple(map(str, t.shape)) for t in network.program.parameters if len(t.shape) == 2}
    given = [(tuple(map(str, values[name].shape)), shape) for name, shape in shapes.items() if name in values and values[name].ndim == 2]
    return any(own != shape for own, shape in given) and all(own == shape[::-1] for own, shape in given)


def _usual_names(network: Network) -> dict[str, str]:
    """What texts call the batch, the output, the target and the loss of a network of layers, where these are no other tensor's names."""
    program, known = network.program, {t.name for t in network.program.tensors}
    computed = [t.name for t in program.tensors if program.definition(t.name) and t.shape and not t.auxiliary and t.name != network.loss]
    inputs = [t.name for t in program.inputs if t.role == "input"]
    output, depth = computed[-1] if computed else "", sum(re.fullmatch(r"z\d+", name) is not None for name in known)
    found = {**dict.fromkeys(("yhat", f"a{depth}", "p"), output), **dict.fromkeys(("J", "C", "E"), network.loss)}
    found |= {"X": inputs[0]} if inputs else {}
    if len(inputs) == 2:
        counted = network.optimizer is not None and network.optimizer.type not in ("gd", "momentum", "nesterov")
        found |= dict.fromkeys(("y",) if counted else ("y", "t"), inputs[1])  # t counts the steps of Adam and the like
    return {name: what for name, what in found.items() if name not in known and what}


def _with_deltas(net: TextNet) -> dict[str, str]:
    """The text's names; where it names no δ, δ of a layer is the loss's derivative by z of that layer, as the field writes it."""
    names, known = dict(net.names), {t.name for t in net.program.tensors}
    if not net.loss or any(name.startswith("delta") for name in (*names, *known)):
        return names
    return names | {f"delta{name[1:]}": f"d{net.loss}/d{name}" for name in sorted(known) if re.fullmatch(r"z\d*", name)}


def _of_equations(tables: Mapping[str, Any], values: Mapping[str, np.ndarray]) -> TextNet:
    """The program of a text's own equations."""
    unknown = next((key for key in tables if key not in ("network", "optimizer", "name")), None)
    if unknown is not None:
        raise NetworkError(f"[network] has equations, so the table {unknown} has no place beside it")
    with place("[network]"):
        written = Equations(**tables["network"])
        reader = _TextReader(written.indices, written.parameters)
        reader.scope.functions = {**reader.scope.functions, **_functions(written.functions)}
        trees = [read_tree(text, "equation") for text in written.equations]
        integers = {*written.integers} | {name for tree in trees for name in _positions(tree)}
        shapes = _shapes(written, values)
        for name, shape in shapes.items():
            role = "parameter" if name in written.parameters else "input"
            reader.declare(name, Tensor(name, shape, role=role, dtype="int" if name in integers else "float"))
        reader.read_each(written.equations, trees)
        if len(reader.broken) == len(trees):
            raise NetworkError(next(iter(reader.broken.values())))
        reader.read((), written.facts)
        program = _with_parameters(reader, written.parameters, written.convention)
        loss, program = _loss(written, program, reader)
    return TextNet(program, loss, _optimizer(tables), {}, written.names, written.functions, reader.broken,
                   tuple(written.samples), written.batch or 0)


def _functions(given: Mapping[str, str]) -> dict[str, type[Defined]]:
    """What the letters of a text call in its equations."""
    found = {letter.lstrip("\\"): called(letter.lstrip("\\"), what) for letter, what in given.items()}
    return {letter: f if isinstance(f, type) and issubclass(f, Defined) else define(letter, f) for letter, f in found.items()}


def _shapes(written: Equations, values: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """The shape of each value in a step: of samples, one row or a batch of rows."""
    rows = {name: len(values[name]) if name in values and values[name].ndim else 0 for name in written.samples}
    if 0 in rows.values() or len(set(rows.values())) > 1:
        raise NetworkError(f"samples are values with a row for each sample, as many in all; here: "
                           f"{', '.join(f'{name} has {n or chr(110) + chr(111)} rows' for name, n in rows.items())}")
    count = next(iter(rows.values()), 0)
    if written.batch and (not rows or count % written.batch):
        raise NetworkError(f"batch = {written.batch} does not divide {count} samples; name them, samples = [\"x\", \"y\"]")
    ahead = (written.batch,) if written.batch else ()
    return {name: (*ahead, *value.shape[1:]) if name in rows else value.shape for name, value in values.items()}


def _positions(tree: Tree) -> set[str]:
    """The names that stand with indices in an index: positions or classes."""
    inner = [c for access in tree.find_data("access") for child in access.children[1:] if hasattr(child, "find_data")
             for c in child.find_data("access")]
    return {str(c.children[0]) for c in inner if len(c.children) > 1}


def _with_parameters(reader: _TextReader, parameters: Iterable[str], convention: str) -> Program:
    missing = next((name for name in parameters if name not in reader.scope.tensors), None)
    if missing is not None:
        raise NetworkError(f"the parameter {missing} has no value; add it to [values]")
    idle = {t.name for t in reader.scope.tensors.values() if t.role == "parameter"} if reader.broken else set()
    read = {str(a.children[0]) for tree in reader.used for a in tree.find_data("access")}
    for name in idle - read:
        reader.scope.tensors[name] = replace(reader.scope.tensors[name], role="input")
    return reader.program(Conventions(samples=convention))


def _loss(written: Equations, program: Program, reader: _TextReader) -> tuple[str, Program]:
    """What a step makes smaller; of what it makes larger, the negative."""
    if written.loss and written.maximise:
        raise NetworkError("a step makes the loss smaller or makes something larger; give loss or maximise")
    name = written.loss or written.maximise
    if name in reader.broken:
        return "", program
    if name and name not in program:
        raise NetworkError(f"loss = {name!r}: no equation assigns it; they assign {', '.join(reader.assigned)}")
    if name and program.tensor(name).shape:
        raise NetworkError(f"loss = {name!r} has {len(program.tensor(name).shape)} axes; what steps make smaller is one number")
    if not written.maximise:
        return name, program
    negative = Tensor(reader.builder.names.fresh(f"minus_{name}"), auxiliary=True)
    return negative.name, program.extended([negative], [Equation(negative[()], -program.tensor(name)[()])])


class _TextReader(Reader):
    """Reads one equation after the other; what means nothing is kept as broken, and names without a value become inputs."""

    def __init__(self, indices: Mapping[str, int | str], parameters: Collection[str] = ()) -> None:
        super().__init__(indices)
        self.parameters, self.declared = parameters, frozenset(indices)
        self.broken: dict[str, str] = {}
        self.used: list[Tree] = []

    def read_each(self, texts: list[str], trees: list[Tree]) -> None:
        """Read the equations in order."""
        for tree in trees:
            try:
                learn(tree, self.scope, "")
            except SymbpError:
                continue
        targets = [str(tree.children[0].children[0]) for tree in trees]
        taken = {*WORD.findall(" ".join(texts))}
        for k, (text, tree) in enumerate(zip(texts, trees)):
            text, tree = self._apart(text, tree, taken)
            later = {*targets[k:]} - {*self.scope.tensors, *self.scope.indices}
            reads = [str(a.children[0]) for a in tree.children[1].find_data("access")]
            bad = next((name for name in reads if name in self.broken), None)
            try:
                if bad is not None:
                    raise NetworkError(f"it is calculated from {bad}: {self.broken[bad]}")
                self._declare_missing(tree, later, text)
                self._read(text, {*targets[k:]})
                self.used.append(tree)
            except SymbpError as error:
                self.broken.setdefault(targets[k], str(error))

    def _apart(self, text: str, tree: Tree, taken: set[str]) -> tuple[str, Tree]:
        """An equation whose index letters are no other equation's of another extent: each j of a text is that of its own line."""
        own = Scope(dict(self.scope.tensors), {n: i for n, i in self.scope.indices.items() if n in self.declared}, dict(self.scope.sizes))
        try:
            learn(tree, own, text)
        except SymbpError:
            return text, tree
        new = {}
        for letter, index in own.indices.items():
            known = self.scope.indices.get(letter, index)
            if (known.extent, known.start) != (index.extent, index.start):
                new[letter] = self._letter(letter, index, {*WORD.findall(text)} | {*new.values()}, taken)
                self.scope.indices[new[letter]] = Index(new[letter], index.extent, index.start)
        if not new:
            return text, tree
        text = WORD.sub(lambda m: new.get(m[0], m[0]), text)
        return text, read_tree(text, "equation")

    def _letter(self, letter: str, index: Index, here: set[str], taken: set[str]) -> str:
        """A letter for an index: one of the same extent that the equation does not use, or one that no equation uses."""
        same = [n for n, i in self.scope.indices.items() if (i.extent, i.start) == (index.extent, index.start)]
        gone = {*here, *taken, *self.scope.indices, *self.scope.sizes}
        unused = (c for c in (*"ijklmnpqrsuv", *(f"{letter}_{k}" for k in range(2, 1200))) if c not in gone)
        return next((n for n in same if n not in {*here, *self.declared}), None) or next(unused)

    def _read(self, text: str, later: set[str]) -> None:
        """One equation; what a later one assigns cannot be read yet."""
        name = re.match(r"\s*([A-Za-z_][\w.]*)", text)[1]
        others = sorted(later - {name} - {*self.scope.tensors, *self.scope.indices})
        for other in others:
            if re.search(rf"(?<![\w.]){re.escape(other)}(?![\w.])", text):
                raise NetworkError(f"in `{text[:120]}`: {other} is read before it is assigned; write the equation that assigns it above")
        self.read([text])

    def _declare_missing(self, tree: Tree, later: set[str], text: str) -> None:
        """Declare names that have no value and no equation by their use; what needs them is not judged."""
        reads = {str(a.children[0]) for a in tree.children[1].find_data("access")}
        known = {n: t for n, t in self.scope.tensors.items() if n in reads}
        unknown = [n for n in reads if not {n} & {*known, *later, *self.scope.indices, *self.scope.sizes, *CONSTANTS}]
        if not unknown:
            return
        scope = Scope(dict(known), dict(self.scope.indices), dict(self.scope.sizes), infer=True)
        learn(tree.children[1], scope, text)
        for name in sorted({*scope.tensors} - {*known} - later):
            self.declare(name, replace(scope.tensors[name], role="parameter" if name in self.parameters else "input"))
        self.scope.indices |= scope.indices


def _optimizer(tables: Mapping[str, Any]) -> Optimizer | None:
    if "optimizer" not in tables:
        return None
    with place("[optimizer]"):
        return read_typed(OPTIMIZERS, floats(tables["optimizer"]), "optimiser")
