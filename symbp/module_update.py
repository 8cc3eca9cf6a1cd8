"""The optimiser's step as lines: its equations for one parameter, which stand in a loop over all.

Stage: Network → lines of Python.
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from symbp.arrays import lower
from symbp.arrays.nodes import Assign, Statement, names_read
from symbp.errors import LanguageError
from symbp.language.index import size
from symbp.language.program import Program
from symbp.language.tensor import Tensor
from symbp.module_text import tuple_text
from symbp.network import Network
from symbp.optim import GradientDescent
from symbp.optim import Update as Equations
from symbp.passes.prune import inline
from symbp.printing.kernel import Kernel
from symbp.targets import Target


@dataclass(frozen=True)
class Update:
    """The optimiser's step: constants with their values, the letters of its arrays, its lines, their scratch arrays and kernels."""

    constants: dict[str, float]
    states: tuple[str, ...]
    lines: tuple[str, ...]
    scratch: int
    kernels: tuple[Kernel, ...] = ()


def update_lines(network: Network, target: Target) -> Update:
    """The optimiser's equations for a parameter w with the gradient g, whatever its shape, as lines."""
    made = _equations(network)
    program = inline(made.extended(), [t.name for t in made.tensors if t.role == "intermediate" and not t.next_of])
    following = {t.name: t.next_of for t in made.tensors if t.next_of}
    arrays = {new: old for new, old in following.items() if program.tensor(new).shape}
    states = {t.name: t.name.removesuffix("_w") for t in made.tensors if t.role == "state" and t.shape}
    constants = {name: name.upper() for name in made.values if program.tensor(name).role == "constant"}
    scalars = {t.name: f'state["{t.name}"]' for t in made.tensors if t.role == "state" and not t.shape}
    counted = {new: old for new, old in following.items() if new not in arrays}
    printer = target.printer({**states, **constants, **scalars, **counted})
    planned = target.planned(printer, same=arrays, host={*constants, *scalars, *counted}, kernel="_{}_update")
    statements = lower(program)
    check_order(statements, following)
    first = [s for s in statements if isinstance(s, Assign) and not s.value.axes]
    lines = planned.lines([s for s in statements if s not in first])
    head = [*printer.lines(first), *(f'state["{old}"] = {old}' for old in counted.values())] or ['state["step"] += 1']
    scratch = tuple(b.name for b in planned.buffers.values())
    inner = ["g = grads[name]", *(f'{s} = state["{s}"][name]' for s in states.values()),
             *([f'{tuple_text(scratch)[1:-1]} = state["scratch"][name]'] if scratch else []), *lines]
    text = [*head, "for name, w in params.items():", *("    " + line for line in inner)]
    return Update({constants[n]: made.values[n] for n in constants}, tuple(states.values()),
                  tuple(line.replace("scratch_P", "scratch") for line in text), len(scratch), tuple(planned.kernels))


def _equations(network: Network) -> Equations:
    """The update of a single parameter w with one axis; its equations go element by element, so that any shape will do."""
    count = size("P")
    w, g = Tensor("w", (count,), role="parameter"), Tensor("g", (count,), role="input")
    optimizer = network.optimizer or GradientDescent()
    return optimizer.update(Program((w, g), ()), {"w": "g"}, network.notation.learning_rate)


def check_order(statements: Iterable[Statement], following: dict[str, str]) -> None:
    """Raise where an old value is read after the new one has taken its place."""
    gone: set[str] = set()
    for statement in statements:
        late = names_read(statement) & gone
        if late:
            raise LanguageError(f"a step reads {', '.join(sorted(late))} after its next value is written; write that equation last")
        if isinstance(statement, Assign) and statement.name in following:
            gone.add(following[statement.name])
