"""The optimiser's step as lines: its equations for one parameter, which stand in a loop over all.

Stage: Network → lines of Python.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from symbp.arrays import lower
from symbp.arrays.nodes import Apply, Assign, Fold, Statement, names_read
from symbp.errors import LanguageError
from symbp.language.equation import walk
from symbp.language.index import size
from symbp.language.program import Program
from symbp.language.tensor import Tensor
from symbp.language.tensor import names_read as names_of
from symbp.module_text import tuple_text
from symbp.network import Network
from symbp.optim import GradientDescent
from symbp.optim import Update as Equations
from symbp.passes.prune import inline
from symbp.printing.kernel import Kernel
from symbp.printing.numpy import HostPrinter, NumpyPrinter
from symbp.targets import Target

BLOCK = 65536
"""A parameter with more elements is updated in parts of about so many, so that all arrays of a part stay in the processor's cache."""


@dataclass(frozen=True)
class Update:
    """The optimiser's step: constants with their values, the letters of its arrays, its lines and kernels.

    scratch: the lines that leave the scratch arrays as `scratch`.  helpers: lines of a function that the others call.
    """

    constants: dict[str, float]
    states: tuple[str, ...]
    lines: tuple[str, ...]
    scratch: tuple[str, ...]
    helpers: tuple[str, ...] = ()
    kernels: tuple[Kernel, ...] = ()


def update_lines(network: Network, target: Target, largest: int) -> Update:
    """The optimiser's equations for a parameter w with the gradient g, whatever its shape, as lines; the largest has so many elements."""
    made = _equations(network)
    program = inline(made.extended(), _once_read(made))
    following = {t.name: t.next_of for t in made.tensors if t.next_of}
    arrays = {new: old for new, old in following.items() if program.tensor(new).shape}
    states = {t.name: t.name.removesuffix("_w") for t in made.tensors if t.role == "state" and t.shape}
    constants = {name: name.upper() for name in made.values if program.tensor(name).role == "constant"}
    scalars = {t.name: f'state["{t.name}"]' for t in made.tensors if t.role == "state" and not t.shape}
    counted = {new: old for new, old in following.items() if new not in arrays}
    partly = network.optimizer is not None and not network.optimizer.decay_biases
    local = {"weight_decay": "weight_decay"} if partly else {}
    helpers = {t.name: t.name.removesuffix("_w") for t in made.tensors if t.role == "intermediate" and t.shape and not t.next_of}
    names = {**states, **constants, **scalars, **counted, **helpers, **local}
    statements = lower(program)
    check_order(statements, following)
    first = [s for s in statements if isinstance(s, Assign) and not s.value.axes]
    over_all = [s for s in first if "g" in names_read(s)]
    device = [s for s in first if s not in over_all and names_read(s) & {s.name for s in over_all}]
    host = [s for s in first if s not in over_all and s not in device]
    printer = target.printer(names)
    planned = target.planned(printer, same=arrays, host={*constants, *scalars, *counted, *(s.name for s in host)}, kernel="_{}_update")
    head = [*HostPrinter(names).lines(host), *(f'state["{old}"] = {old}' for old in counted.values())]
    head = [*(head if counted else ['state["step"] += 1', *head]), *_totals(over_all, printer), *planned.lines(device)]
    lines = planned.lines([s for s in statements if s not in first])
    scratch = tuple(b.name for b in planned.buffers.values())
    decay = ["weight_decay = WEIGHT_DECAY if w.ndim > 1 else 0.0"] if partly else []
    inner = _in_parts if target.parts and largest > BLOCK else _whole
    loop = inner(tuple(states.values()), scratch, [*decay, *lines])
    text = tuple(line.replace("scratch_P", "scratch") for line in (*head, *loop))
    made_of = _scratch_of_parts(len(scratch)) if inner is _in_parts else _scratch(target.module, len(scratch))
    return Update({constants[n]: made.values[n] for n in constants}, tuple(states.values()), text, made_of,
                  _parts() if inner is _in_parts else (), tuple(planned.kernels))


def _parts() -> tuple[str, ...]:
    """The lines of the function that takes an array apart."""
    return ("", "", "def _parts(a):",
            f'    """Slices of an array along its first axis, each of about {BLOCK} elements, which stay in the cache."""',
            f"    rows = max(1, {BLOCK} * len(a) // a.size) if a.ndim else 0",
            "    return [slice(k, k + rows) for k in range(0, len(a), rows)] if rows else [...]")


def _whole(states: Sequence[str], scratch: Sequence[str], lines: Iterable[str]) -> list[str]:
    """The loop over the parameters."""
    arrays = ["g = grads[name]", *(f'{s} = state["{s}"][name]' for s in states)]
    taken = [f'{tuple_text(scratch)[1:-1]} = state["scratch"][name]'] if scratch else []
    return ["for name, w in params.items():", *("    " + line for line in (*arrays, *taken, *lines))]


def _in_parts(states: Sequence[str], scratch: Sequence[str], lines: Iterable[str]) -> list[str]:
    """The loop over the parameters and the parts of each."""
    arrays = ["w, g = params[name][part], grads[name][part]", *(f'{s} = state["{s}"][name][part]' for s in states)]
    taken = [f'{tuple_text(scratch)[1:-1]} = (s[:w.size].reshape(w.shape) for s in state["scratch"])'] if scratch else []
    return ["for name in params:", "    for part in _parts(params[name]):", *("        " + line for line in (*arrays, *taken, *lines))]


def _scratch(module: str, count: int) -> tuple[str, ...]:
    """Scratch arrays of the shape of each parameter."""
    return (f"scratch = {{key: tuple({module}.empty_like(value) for _ in range({count})) for key, value in params.items()}}",)


def _scratch_of_parts(count: int) -> tuple[str, ...]:
    """Scratch arrays as large as the largest part."""
    return ("largest = max((w[part] for w in params.values() for part in _parts(w)), key=np.size)",
            f"scratch = [np.empty_like(largest).reshape(-1) for _ in range({count})]")


def _equations(network: Network) -> Equations:
    """The update of a single parameter w with one axis; its equations go element by element, so that any shape will do."""
    count = size("P")
    w, g = Tensor("w", (count,), role="parameter"), Tensor("g", (count,), role="input")
    optimizer = (network.optimizer or GradientDescent()).model_copy(update={"decay_biases": True})
    return optimizer.update(Program((w, g), ()), {"w": "g"}, network.notation.learning_rate)


def _once_read(made: Equations) -> list[str]:
    """The helpers of a parameter's shape that a single equation reads."""
    read = [name for eq, _ in walk(made.statements) for name in names_of(eq.expressions)]
    return [t.name for t in made.tensors if t.role == "intermediate" and t.shape and not t.next_of and read.count(t.name) == 1]


def _totals(statements: Iterable[Assign], printer: NumpyPrinter) -> list[str]:
    """Sums of squares over the elements of all gradients, whatever their shapes: inner products."""
    lines = []
    for statement in statements:
        name, value = printer.name(statement.name), statement.value
        if not (isinstance(value, Fold) and value.op == "sum" and isinstance(value.source, Apply) and value.source.op == "square"):
            raise LanguageError(f"{statement.name} is no sum of squares; no other sum over all parameters has code")
        element = printer(value.source.args[0])
        lines += [f"{name} = 0.0", "for g in grads.values():", f"    {name} += {printer.module}.vdot({element}, {element})"]
    return lines


def check_order(statements: Iterable[Statement], following: dict[str, str]) -> None:
    """Raise where an old value is read after the new one has taken its place."""
    gone: set[str] = set()
    for statement in statements:
        late = names_read(statement) & gone
        if late:
            raise LanguageError(f"a step reads {', '.join(sorted(late))} after its next value is written; write that equation last")
        if isinstance(statement, Assign) and statement.name in following:
            gone.add(following[statement.name])
