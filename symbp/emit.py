"""Level 3: a standalone module for training a network.

    network → derivation → textbook program → stabilised → pruned for each function → array statements → lines → template

Stage: Network → Python source.  The template places lines; what stands in them comes from the equations alone.
"""
from __future__ import annotations

import ast
import math
import textwrap
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from symbp import __version__
from symbp.arrays import lower
from symbp.arrays.cost import operations
from symbp.arrays.nodes import For, Statement
from symbp.derivation import derive
from symbp.derivation.program import textbook_program
from symbp.errors import LanguageError
from symbp.initial import starts
from symbp.language.index import size
from symbp.language.program import Program
from symbp.language.tensor import Tensor, accesses
from symbp.metrics import accuracy
from symbp.module_text import IMAGES, TEXT, WIDTH, broken_line, count, names_in, start_text, tuple_text, wrapped
from symbp.module_update import update_lines
from symbp.netfile import Train
from symbp.network import Network
from symbp.optim import GradientDescent
from symbp.passes.closed import closed
from symbp.passes.needless import without_needless
from symbp.passes.prune import prune
from symbp.passes.stabilise import stabilise
from symbp.printing.kernel import Kernel
from symbp.printing.planned import Buffer, PlannedPrinter, allocations
from symbp.report.files import write_atomically
from symbp.resources import templates_dir
from symbp.spelling import spell
from symbp.suggest import nearest
from symbp.targets import NUMPY, NUMPY_ERF, TARGETS, Target

N = size("N")


def generate(network: Network, target: str = "numpy", path: str | Path | None = None) -> str:
    """The source of a standalone training module for a network; written to `path`, too, if one is given.

    target: the library that it uses, "numpy" or "cupy".

    Raises `LanguageError` for what no module can be made of: samples as columns, constants without a value, symbolic extents
    other than the number of samples.

    >>> import symbp as sb
    >>> net = sb.load("examples/mnist_mlp.toml")
    >>> "dW2 = delta2.T @ a1" in generate(net)
    True
    """
    if target not in TARGETS:
        raise LanguageError(f"there is no target {target!r}{nearest(target, TARGETS)}")
    source = _Emitter(network, TARGETS[target]).source()
    if path is not None:
        write_atomically(Path(path), source.encode())
    return source


def values_function(network: Network) -> Callable[..., dict[str, Any]]:
    """A function of (params, x, y) that answers every tensor of the loss and its gradients by its name in the code, in order.

    It is made of the lines of `loss_and_grads`, and serves to find the tensor that was the first to break.
    """
    emitter = _Emitter(network)
    names = [emitter.names[name] for name in emitter.numbers]
    lines = emitter._opened(emitter.readable(*emitter.numbers))
    pairs = ", ".join(f'"{name}": {name}' for name in names)
    source = "\n    ".join(["def values(params, x, y):", *lines, f"return {{{pairs}}}"])
    space: dict[str, Any] = {"np": np, "PARAMETERS": emitter.parameters(), "math": math}
    exec("\n".join([*NUMPY_ERF, source]), space)  # noqa: S102 - lines that were made here from equations
    return space["values"]


def data_tensors(network: Network) -> tuple[Tensor, Tensor]:
    """The input and the target of a network: the two tensors that hold the samples, with N as their first axis.

    Raises `LanguageError` where there are none such.
    """
    return _data(network)


class _Emitter:
    """Makes the pieces of a module that the template places."""

    def __init__(self, network: Network, target: Target = NUMPY) -> None:
        self.network, self.target = network, target
        self.x, self.y = _data(network)
        derivation = derive(network, activation_derivatives="folded")
        self.program = stabilise(textbook_program(derivation))
        _check(network, self.program)
        self.gradients = derivation.gradients
        self.output = network.output or _output(self.program, network.loss)
        self.names = spell(self.program, given={self.x.name: "x", **({self.y.name: "y"} if self.y.name == "y" else {})})
        self.printer = target.printer(self.names)
        self.numbers = self._numbered()
        self._lowered: dict[tuple[str, ...], tuple[Statement, ...]] = {}

    def parameters(self) -> tuple[tuple[str, tuple[int, ...], str], ...]:
        """Names in the code, shapes and dtypes of the parameters."""
        return tuple((self.names[t.name], tuple(int(e) for e in t.shape), "float") for t in self.program.parameters)

    # equations

    def _numbered(self) -> dict[str, int]:
        """The number of each tensor's equation, in the order in which they are computed."""
        return {name: k for k, name in enumerate(dict.fromkeys(eq.target.name for eq in self.program.equations), 1)}

    def equations(self) -> list[str]:
        """The numbered equations as text, with the names of the code."""
        found = []
        for name, k in self.numbers.items():
            group = self.program.definition(name)
            right = str(closed(group)) if group[0].op == "sum" else str(closed(group)).replace("^", " ")
            text = f"{group[0].target} = {right}"
            for old in sorted(self.names, key=len, reverse=True):
                text = text.replace(f"{old}[", f"{self.names[old]}[") if self.names[old] != old else text
            found += textwrap.wrap(f"({k})".ljust(6) + text.replace("[]", ""), WIDTH, initial_indent="    ", subsequent_indent=" " * 14)
        return found

    # functions

    def statements(self, *wanted: str) -> tuple[Statement, ...]:
        """The array statements that leave these tensors."""
        if wanted not in self._lowered:
            self._lowered[wanted] = lower(without_needless(prune(self.program, wanted), wanted))
        return self._lowered[wanted]

    def readable(self, *wanted: str) -> list[str]:
        """Lines for these tensors, each with its shape and the number of its equation."""
        return [line for s in self.statements(*wanted) for line in self._commented(s, list(self.printer.lines([s])))]

    def _commented(self, statement: Statement, lines: list[str]) -> list[str]:
        if isinstance(statement, For) or statement.name not in self.numbers:
            return lines
        shape = self.program.tensor(statement.name).shape
        text = f"({self.numbers[statement.name]})" + (f"  {self.printer.shape(shape)}" if shape else "")
        broken = broken_line(lines[-1])
        return [*lines[:-1], *broken[:-1], f"{broken[-1]:<56}  # {text}"]

    @cached_property
    def planned(self) -> tuple[list[str], list[Buffer], list[Kernel]]:
        """The lines of one training step before the update, and the buffers and kernels that they need."""
        printer: PlannedPrinter = self.target.planned(self.printer)
        lines = printer.lines(self.statements(self.network.loss, *self.gradients.values()))
        return lines, list(printer.buffers.values()), list(printer.kernels)

    def accuracy(self) -> list[str] | None:
        """Lines that leave `accuracy`, or None where the target is no class."""
        program = accuracy(self.network.program, self.output, self.y)
        if program is None:
            return None
        given = {t.name: self.names.get(t.name, "accuracy") for t in program.tensors if t.name in self.names or not t.shape}
        return list(self.target.printer(spell(program, given=given, reserved=self.names.values())).lines(lower(program)))

    # the module

    def source(self) -> str:
        """The module's text."""
        environment = Environment(loader=FileSystemLoader(templates_dir()), undefined=StrictUndefined, trim_blocks=True,
                                  lstrip_blocks=True, keep_trailing_newline=True, autoescape=False)  # noqa: S701 - Python, not HTML
        text = environment.get_template("module.py.j2").render(self._context())
        ast.parse(text)
        return text

    def _context(self) -> dict[str, Any]:
        return {**self._head(), **self._functions(), **self._defaults()}

    def _head(self) -> dict[str, Any]:
        """What stands above the functions."""
        update, first = update_lines(self.network, self.target), starts(self.network)
        erf = any("erf(" in line for line in self.readable(self.network.loss, *self.gradients.values()))
        modules, lines, helpers = self.target.erf if erf else ((), (), ())
        return {
            "name": self.network.name, "title": self.network.title or self.network.name, "version": __version__,
            "equations": self.equations(), "notes": self._notes(), "helpers": helpers, "target": self.target,
            "imports": ["argparse", *modules, "os", "sys"], "libraries": [*self.target.imports, *lines],
            "kernels": self.target.kernels([*self.planned[2], *update.kernels]),
            "generator": ["rng = np.random.default_rng(seed)"] if any(s.kind not in ("zeros", "ones") for s in first.values()) else [],
            "parameters": [f'("{code}", {shape}, "{dtype}"),' for code, shape, dtype in self.parameters()],
            "starts": [f'"{self.names[t.name]}": {start_text(first[t.name], self.printer.shape(t.shape))},'
                       for t in self.program.parameters],
            "states": tuple_text([f'"{s}"' for s in update.states]) if update.states else "()",
            "constants": [f"{name} = {value!r}" for name, value in update.constants.items()],
            "input_shape": self.printer.shape(self.x.shape[1:]), "scratch": update.scratch, "update": update.lines,
            "optimizer": str(type(self.network.optimizer or GradientDescent()).__doc__).splitlines()[0],
        }

    def _functions(self) -> dict[str, Any]:
        """The bodies of the functions, and what they return."""
        loss, output = self.network.loss, self.output
        lines, buffers, _ = self.planned
        names = wrapped([b.name for b in buffers], 'state["workspaces"][N]')
        workspace = ['if N not in state["workspaces"]:', '    state["workspaces"][N] = _workspace(N, dtype)', *names]
        right = self.accuracy()
        pairs = ", ".join(f'"{self.names[p]}": {self.names[g]}' for p, g in self.gradients.items())
        gradients = "\n        ".join(textwrap.wrap(pairs, WIDTH - 20)) if len(pairs) > WIDTH - 10 else pairs
        return {
            "docstring_of_step": textwrap.indent("\n".join(self.target.step), "    ").strip() + "\n    " * (len(self.target.step) > 1),
            "forward": self._opened(self.readable(output), target=False),
            "training": self._opened(self.readable(loss, *self.gradients.values())),
            "planned": self._opened([*workspace, *lines]),
            "evaluation": self._opened([*self.readable(loss, output), *(right or ())]),
            "workspace": [f"{a},  # {b.name}" for a, b in zip(allocations(buffers, self.printer), buffers)],
            "output": self.names[output], "loss": self.names[loss], "gradients": "{" + gradients + "}",
            "accuracy": "accuracy" if right else 'float("nan")', "target_shape": self.printer.shape(self.y.shape),
        }

    def _opened(self, lines: Sequence[str], target: bool = True) -> list[str]:
        """The lines of a function behind those that take its arguments apart."""
        y, used = self.names[self.y.name], names_in(lines)
        parameters = [self.names[t.name] for t in self.program.parameters]
        value = "(params[name] for name, *_ in PARAMETERS)"
        line = f"{tuple_text(parameters)[1:-1]} = {value}"
        whole = {self._dtype(self.x), *([self._dtype(self.y)] if target else [])}
        first = [line] if len(line) <= WIDTH else wrapped(parameters, value)
        if "dtype" in {*used, *whole}:
            first.append(f"dtype = {parameters[0]}.dtype")
        first.append(f"x = {self.target.module}.asarray(x, {self._dtype(self.x)})")
        if target:
            first.append(f"{y} = {self.target.module}.asarray(y, {self._dtype(self.y)})")
        return [*first, *(["N = len(x)"] if "N" in used else []), *lines]

    def _dtype(self, tensor: Tensor) -> str:
        """The type of a given array: that of the parameters, or of whole numbers."""
        return f"{self.target.module}.int64" if tensor.dtype == "int" else "dtype"

    def _defaults(self) -> dict[str, Any]:
        """What the command line of the module starts from."""
        train, data = self.network.extras.get("train") or Train(), self.network.extras.get("data")
        labels = 'file[f"{part}_y"]'
        one_hot = self.y.dtype == "float" and self.accuracy() is not None and self.y.shape[-1] != 1
        targets = f"np.eye({self.printer.number(self.y.shape[-1])}, dtype=dtype)[{labels}]" if one_hot else labels
        if self.y.dtype == "float" and not one_hot:
            targets = f"{labels}.reshape(-1, *{self.printer.shape(self.y.shape[1:])})"
        settings = {key: getattr(train, key) for key in ("epochs", "batch_size", "seed", "dtype")}
        text = self.x.dtype == "int"
        settings |= {"reading": TEXT if text else [line.replace("@", targets) for line in IMAGES],
                     "order": self.target.order.replace("len(x))", "len(x))[:len(x) // INPUT_SHAPE[0]]") if text else self.target.order}
        return {**settings, "data": data.name if data else self.network.name}

    def _notes(self) -> list[str]:
        """Names, facts, conventions and operation counts, in wrapped lines."""
        notes = [f"x is the input and y the target, {self.names[self.y.name]} above; N is the number of samples of a batch.",
                 f"Facts: {'; '.join(map(str, self.program.facts)) or 'none'}.",
                 f"Conventions: {'; '.join(self.program.conventions.sentences())}.",
                 f"Floating-point operations for N samples: {', '.join(self._counts())}."]
        return [line for note in notes for line in textwrap.wrap(note, WIDTH)]

    def _counts(self) -> list[str]:
        """Operation counts for a batch of N samples, in words."""
        parts = {"forward": [self.output], "forward and backward": [self.network.loss, *self.gradients.values()]}
        return [f"{what} {count(operations(self.statements(*names)))}" for what, names in parts.items()]


def _data(network: Network) -> tuple[Tensor, Tensor]:
    """The input and the target of a network: the two tensors that hold the samples."""
    given = [t for t in network.program.inputs if t.role == "input"]
    if len(given) != 2:
        raise LanguageError(f"a module is trained with an input and a target, but the network {network.name} is given "
                            f"{', '.join(t.name for t in given) or 'nothing'}")
    for tensor in given:
        if not tensor.shape or tensor.shape[0] != N:
            raise LanguageError(f"{tensor.name} has the shape {tensor.shape}, without an axis of N samples in front; "
                                'a module trains on batches: write samples = "rows" in [conventions]')
    known = next((t for t in given if t.name == network.notation.input), given[0])
    return known, next(t for t in given if t is not known)


def _output(program: Program, loss: str) -> str:
    """What a network written as equations puts out: the last float tensor with a row for each sample that the loss reads."""
    read = {a.name for eq in program.definition(loss) for a in accesses(eq.body)}
    found = [t.name for t in program.tensors if t.name in read and program.definition(t.name) and t.shape and t.shape[0] == N]
    if not found:
        raise LanguageError(f"the loss {loss} reads no computed tensor with a row for each sample, so the network has no output")
    return found[-1]


def _check(network: Network, program: Program) -> None:
    """Raise for constants without values and for extents that are no numbers."""
    constant = next((t.name for t in program.tensors if t.role == "constant"), None)
    if constant is not None:
        raise LanguageError(f"the constant {constant} has no value; write a number for it in the network file")
    sizes = [s.name for s in program.sizes if s != N]
    if sizes:
        raise LanguageError(f"the extents {', '.join(sizes)} of {network.name} are symbols; "
                            "a module needs numbers for all but the number N of samples")
