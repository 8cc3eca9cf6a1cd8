"""Level 3: a standalone module for training a network.

    network → derivation → textbook program → stabilised → pruned for each function → array statements → lines → template

Stage: Network → Python source.  The template places lines; what stands in them comes from the equations alone.
"""
from __future__ import annotations

import ast
import math
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from symbp import __version__
from symbp.arrays import lower
from symbp.arrays.cost import operations
from symbp.derivation import derive
from symbp.derivation.program import textbook_program
from symbp.errors import LanguageError
from symbp.initial import starts
from symbp.language.program import Program
from symbp.language.tensor import Tensor, accesses
from symbp.metrics import accuracy, determination
from symbp.module_code import Code
from symbp.module_data import bounds, data_tensors, reading
from symbp.module_state import State
from symbp.module_text import WIDTH, N, broken_line, count, names_in, start_text, tuple_text, wrapped
from symbp.module_update import check_order, update_lines
from symbp.netfile import Train
from symbp.network import Network
from symbp.optim import GradientDescent
from symbp.passes.stabilise import stabilise
from symbp.printing.kernel import Kernel
from symbp.printing.planned import Buffer, PlannedPrinter, allocations
from symbp.report.files import write_atomically
from symbp.resources import templates_dir
from symbp.spelling import spell
from symbp.suggest import nearest
from symbp.targets import NUMPY, NUMPY_ERF, TARGETS, Target

MODULES = ("argparse", "os", "sys", "zipfile")
"""What every module imports of the standard library."""


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
    """A function of (params, x, y, state) that answers every tensor of the loss and its gradients by its name in the code, in order.

    It is made of the lines of `loss_and_grads`, and serves to find the tensor that was the first to break.
    """
    emitter = _Emitter(network)
    return _values(emitter, {emitter.names[name]: emitter.names[name] for name in emitter.code.numbers})


def tensors_function(network: Network) -> tuple[Callable[..., dict[str, Any]], dict[str, str]]:
    """What `values_function` answers, by the program's names; and for each parameter the name of the tensor of its gradient."""
    emitter = _Emitter(network)
    return _values(emitter, {name: emitter.names[name] for name in emitter.code.numbers}), dict(emitter.gradients)


def _values(emitter: _Emitter, keys: dict[str, str]) -> Callable[..., dict[str, Any]]:
    """The function that answers the values of these names of the code under these keys."""
    lines = emitter._opened([*emitter.state.taken(), *emitter.state.drawn(), *emitter.code.readable(*emitter.code.numbers)])
    pairs = ", ".join(f"{key!r}: {name}" for key, name in keys.items())
    source = "\n    ".join(["def values(params, x, y, state=None):", *lines, f"return {{{pairs}}}"])
    space: dict[str, Any] = {"np": np, "PARAMETERS": emitter.parameters(), "math": math}
    exec("\n".join([*NUMPY_ERF, *emitter.state.declared(), source]), space)  # noqa: S102 - lines that were made here from equations
    return space["values"]


class _Emitter:
    """Makes the pieces of a module that the template places."""

    def __init__(self, network: Network, target: Target = NUMPY) -> None:
        self.network, self.target = network, target
        self.x, self.y = data_tensors(network)
        derivation = derive(network, activation_derivatives="folded")
        self.program = stabilise(textbook_program(derivation))
        _check(network, self.program)
        self.gradients = derivation.gradients
        self.names = spell(self.program, given={self.x.name: "x", **({self.y.name: "y"} if self.y.name == "y" else {})})
        self.code = Code(self.program, self.names, target)
        self.printer = self.code.printer
        self.used = self._inference()
        self.output = network.inference.output or _output(self.program, network.loss)
        self.state = State(network, self.code)

    def _inference(self) -> Code:
        """The code of inference; that of training where the network makes no difference."""
        if self.network.trained is None:
            return self.code
        program = stabilise(self.network.trained.program)
        shared = {t.name: self.names[t.name] for t in program.inputs}
        return Code(program, spell(program, given=shared), self.target, {text: k for k, text in enumerate(self.code.texts.values(), 1)})

    def parameters(self) -> tuple[tuple[str, tuple[int, ...], str], ...]:
        """Names in the code, shapes and dtypes of the parameters."""
        return tuple((self.names[t.name], tuple(int(e) for e in t.shape), "float") for t in self.program.parameters)

    def planned(self) -> tuple[list[str], list[Buffer], list[Kernel], tuple[str, ...]]:
        """The lines of one training step before the update, and the buffers, kernels and functions that they need."""
        printer: PlannedPrinter = self.target.planned(self.printer, same=self.state.following)
        statements = self.code.statements(self.network.loss, *self.gradients.values(), *self.state.following)
        check_order(statements, self.state.following)
        drawn, masks = self.state.redrawn()
        lines = [*drawn, *printer.lines(statements)]
        return lines, [*masks, *printer.buffers.values()], list(printer.kernels), printer.helpers

    def accuracy(self) -> list[str] | None:
        """Lines that leave `accuracy`, or None where the target is no class."""
        return self._judged(accuracy(self.network.inference.program, self.output, self.y), "accuracy")

    def r2(self) -> list[str] | None:
        """Lines that leave `r2`, or None where the target is no number for each output."""
        return self._judged(determination(self.network.inference.program, self.output, self.y), "r2")

    def _judged(self, program: Program | None, wanted: str) -> list[str] | None:
        """Lines that leave a scalar of that name."""
        if program is None:
            return None
        names, last = self.used.names, program.tensors[-1]
        given = {t.name: wanted if t is last else names.get(t.name, t.name) for t in program.tensors if t.name in names or t is last}
        return list(self.target.printer(spell(program, given=given, reserved=names.values())).lines(lower(program)))

    # the module

    def source(self) -> str:
        """The module's text."""
        environment = Environment(loader=FileSystemLoader(templates_dir()), undefined=StrictUndefined, trim_blocks=True,
                                  lstrip_blocks=True, keep_trailing_newline=True, autoescape=False)  # noqa: S701 - Python, not HTML
        text = environment.get_template("module.py.j2").render(self._context())
        ast.parse(text)
        return text

    def _context(self) -> dict[str, Any]:
        functions = self._functions()
        bodies = [line for body in ("forward", "training", "planned", "evaluation") for line in functions[body]]
        return {**self._head(bodies), **functions, **self._defaults()}

    def _head(self, functions: Sequence[str]) -> dict[str, Any]:
        """What stands above the functions, whose lines are given."""
        largest = max(math.prod(shape) for _, shape, _ in self.parameters())
        update, first = update_lines(self.network, self.target, largest), starts(self.network)
        erf = any("erf(" in line for line in self.code.readable(self.network.loss, *self.gradients.values()))
        modules, lines, helpers = self.target.erf if erf else ((), (), ())
        _, _, kernels, called = self.planned()
        return {
            "name": self.network.name, "title": self.network.title or self.network.name, "version": __version__,
            "equations": self._equations(), "notes": self._notes(), "target": self.target,
            "helpers": (*self.target.block[1], *helpers, *called, *update.helpers),
            **self._running(),
            "imports": sorted({*MODULES, *modules, *({"math", "functools"} & names_in([*functions, *called, *update.lines]))}),
            "libraries": [*self.target.imports, *lines],
            "kernels": self.target.kernels([*kernels, *update.kernels]),
            "generator": ["rng = np.random.default_rng(seed)"] if any(s.kind not in ("zeros", "ones") for s in first.values()) else [],
            "parameters": [f'("{code}", {shape}, "{dtype}"),' for code, shape, dtype in self.parameters()],
            "starts": [f'"{self.names[t.name]}": {start_text(first[t.name], self.printer.shape(t.shape))},'
                       for t in self.program.parameters],
            "states": tuple_text([f'"{s}"' for s in update.states]) if update.states else "()",
            "constants": [f"{name} = {value!r}" for name, value in update.constants.items()],
            "input_shape": self.printer.shape(self.x.shape[1:]), "scratch": update.scratch, "update": update.lines,
            "optimizer": str(type(self.network.optimizer or GradientDescent()).__doc__).splitlines()[0],
        }

    def _equations(self) -> list[str]:
        """The numbered equations; those of inference behind them, where they are others."""
        more = [] if self.used is self.code else self.used.equations()
        return [*self.code.equations(), *(["", "In inference, for `forward` and `evaluate`:", ""] if more else []), *more]

    def _running(self) -> dict[str, Any]:
        """The lines about running statistics, in all functions that keep them."""
        lines, m = self.state.declared(), self.target.module
        entry = 'running = {name: {m}.full(shape, start, next(iter(params.values())).dtype) for name, shape, start in RUNNING}'
        saved = 'arrays |= {f"running/{key}": value for key, value in state["running"].items()}'
        loaded = 'state["running"] = {key: _array(path, arrays, f"running/{key}", shape) for key, shape, _ in RUNNING}'
        found = {"start": entry.replace("{m}", m), "saved": saved, "loaded": loaded}
        evaluate = f"evaluate(params, test_x, test_y{', state' if lines else ''})"
        return {"running": lines, "running_kept": '"running": running, ' if lines else "",
                "evaluated": self.target.evaluated.format(evaluate=evaluate),
                **{f"running_{key}": [line] if lines else [] for key, line in found.items()}}

    def _functions(self) -> dict[str, Any]:
        """The bodies of the functions, and what they return."""
        loss, output = self.network.loss, self.output
        lines, buffers, *_ = self.planned()
        lines = [part for line in lines for part in broken_line(line, WIDTH)]
        names = wrapped([b.name for b in buffers], 'state["workspaces"][N].values()')
        workspace = ['if N not in state["workspaces"]:', '    state["workspaces"][N] = _workspace(N, dtype)', *names]
        entries = [f'    "{b.name}": {a},' for a, b in zip(allocations(buffers, self.printer), buffers)]
        room = "\n".join(["{", *entries, "}"])
        right, word = self.accuracy(), "accuracy"
        if right is None and (right := self.r2()) is not None:
            word = "r2"
        step = "\n".join(self.target.step).format(masks=" but the masks" if self.state.masks else "")
        pairs = ", ".join(f'"{self.names[p]}": {self.names[g]}' for p, g in self.gradients.items())
        gradients = "\n        ".join(textwrap.wrap(pairs, WIDTH - 20)) if len(pairs) > WIDTH - 10 else pairs
        return {
            "docstring_of_step": textwrap.indent(step, "    ").strip() + "\n    " * ("\n" in step),
            "forward": self._applied(self.used.readable(output), target=False),
            "training": self._opened([*self.state.drawn(), *self.code.readable(loss, *self.gradients.values())],
                                     self.state.required(self.network.rates)),
            "planned": self._opened([*workspace, *self.state.taken(), *lines]),
            "evaluation": self._applied([*self.used.readable(loss, output), *(right or ())]),
            "workspace": f"return {self.target.together(room)}".splitlines(),
            "output": self.used.names[output], "loss": self.names[loss], "gradients": "{" + gradients + "}",
            "accuracy": word if right else 'float("nan")', "measure": word,
            "measured": {"accuracy": "the accuracy (0 to 1)", "r2": "R² (1: no error, 0: no better than the mean)"}[word],
            "target_shape": self.printer.shape(self.y.shape),
        }

    def _applied(self, lines: Sequence[str], target: bool = True) -> list[str]:
        """The lines of a function of inference."""
        state = State(self.network, self.used)
        return self._arguments([*state.taken(), *lines], state.required(self.network.starts), target)

    def _opened(self, lines: Sequence[str], required: Sequence[str] = ()) -> list[str]:
        """The lines of a function of training."""
        return self._arguments([*self.state.checked(), *lines], required)

    def _arguments(self, lines: Sequence[str], required: Sequence[str], target: bool = True) -> list[str]:
        """The lines of a function behind those that take its arguments apart."""
        y, used = self.names[self.y.name], names_in(lines)
        parameters = [self.names[t.name] for t in self.program.parameters]
        value = "(params[name] for name, *_ in PARAMETERS)"
        line = f"{tuple_text(parameters)[1:-1]} = {value}"
        whole = {self._dtype(self.x), *([self._dtype(self.y)] if target else [])}
        first = [*required, *([line] if len(line) <= WIDTH else wrapped(parameters, value))]
        if "dtype" in {*used, *whole}:
            first.append(f"dtype = {parameters[0]}.dtype")
        first += self._taken(self.x, "x", "x")
        if target:
            first += self._taken(self.y, y, "y")
        return [*first, *(["N = len(x)"] if "N" in used else []), *lines]

    def _taken(self, tensor: Tensor, name: str, argument: str) -> list[str]:
        """The lines that make an array of an argument; whole numbers that are positions must lie on their axes."""
        made = f"{name} = {self.target.module}.asarray({argument}, {self._dtype(tensor)})"
        limits = bounds(self.program, tensor) if tensor.dtype == "int" else None
        if limits is None:
            return [made]
        return [made, *(line.format(name=name, argument=argument, low=limits[0], high=limits[1]) for line in self.target.inside)]

    def _dtype(self, tensor: Tensor) -> str:
        """The type of a given array: that of the parameters, or of whole numbers."""
        return f"{self.target.module}.int64" if tensor.dtype == "int" else "dtype"

    def _defaults(self) -> dict[str, Any]:
        """What the command line of the module starts from."""
        train, data = self.network.extras.get("train") or Train(), self.network.extras.get("data")
        one_hot = self.y.dtype == "float" and self.accuracy() is not None and self.y.shape[-1] != 1
        text = self.x.dtype == "int"
        settings = {key: getattr(train, key) for key in ("epochs", "batch_size", "seed", "dtype")}
        settings |= {"reading": reading(self.network, one_hot, self.printer),
                     "order": self.target.order.replace("len(x))", "len(x))[:len(x) // INPUT_SHAPE[0]]") if text else self.target.order}
        return {**settings, "data": data.name if data else self.network.name}

    def _notes(self) -> list[str]:
        """Names, facts, conventions and operation counts, in wrapped lines."""
        notes = [f"x is the input and y the target, {self.names[self.y.name]} above; N is the number of samples of a batch.",
                 f"Facts: {'; '.join(map(str, self.program.facts)) or 'none'}.",
                 f"Conventions: {'; '.join(self.program.conventions.sentences())}.",
                 *self._augmented(),
                 f"Floating-point operations for N samples: {', '.join(self._counts())}."]
        return [line for note in notes for line in textwrap.wrap(note, WIDTH)]

    def _augmented(self) -> list[str]:
        """What `main` does not do, where the network file asks for it."""
        data = self.network.extras.get("data")
        wanted = data is not None and (data.flip or data.crop)
        return ["Random flips and crops are the work of `symbp train`; `main` trains on the images as they are."] if wanted else []

    def _counts(self) -> list[str]:
        """Operation counts for a batch of N samples, in words."""
        parts = {"forward": self.used.statements(self.output),
                 "forward and backward": self.code.statements(self.network.loss, *self.gradients.values())}
        return [f"{what} {count(operations(statements))}" for what, statements in parts.items()]


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
