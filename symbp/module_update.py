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
from symbp.optim import GradientDescent, Optimizer
from symbp.optim import Update as Equations
from symbp.passes.prune import inline, read_once
from symbp.printing.host import HostPrinter
from symbp.printing.kernel import Kernel
from symbp.targets import Target

SHARE = "decay = WEIGHT_DECAY if w.ndim > 1 else 0.0"
"""The weight decay of a parameter where biases have none."""


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
    program = made.extended()
    helpers = [t.name for t in made.tensors if t.role == "intermediate" and t.shape and not t.next_of]
    program = inline(program, read_once(program, helpers))
    following = {t.name: t.next_of for t in made.tensors if t.next_of}
    names, host = _names(network, made, following)
    arrays = {new: old for new, old in following.items() if program.tensor(new).shape}
    statements = lower(program)
    _check_order(statements, following)
    scalars = [s for s in statements if isinstance(s, Assign) and not s.value.axes]
    numbers = _on_host(scalars, host)
    planned = target.planned(target.printer(names), same=arrays, host=host, kernel="_{}_update")
    sums = [s for s in scalars if "g" in names_read(s)]
    head = [*HostPrinter(names).lines(numbers), *(f'state["{old}"] = {old}' for new, old in following.items() if new not in arrays)]
    head = [*(head or ['state["step"] += 1']), *(_over_all(s, target) for s in sums),
            *planned.lines([s for s in scalars if s not in numbers and s not in sums])]
    states = tuple(names[t.name] for t in made.tensors if t.role == "state" and t.shape)
    lines = planned.lines([s for s in statements if s not in scalars])
    scratch = tuple(b.name for b in planned.buffers.values())
    inner = ["g = grads[name]", *(f'{s} = state["{s}"][name]' for s in states),
             *([f'{tuple_text(scratch)[1:-1]} = state["scratch"][name]'] if scratch else []),
             *([SHARE] if names.get("weight_decay") == "decay" else []), *lines]
    text = [*head, "for name, w in params.items():", *("    " + line for line in inner)]
    constants = {n.upper(): v for n, v in made.values.items() if program.tensor(n).role == "constant"}
    return Update(constants, states, tuple(line.replace("scratch_P", "scratch") for line in text), len(scratch), tuple(planned.kernels))


def _names(network: Network, made: Equations, following: dict[str, str]) -> tuple[dict[str, str], set[str]]:
    """The names in the code, and those among them that are Python numbers."""
    tensors = {t.name: t for t in made.tensors}
    names = {t.name: t.name.removesuffix("_w") for t in made.tensors if t.shape and not t.next_of}
    constants = {n: n.upper() for n in made.values if tensors[n].role == "constant"}
    scalars = {t.name: f'state["{t.name}"]' for t in made.tensors if t.role == "state" and not t.shape}
    counted = {new: old for new, old in following.items() if not tensors[new].shape}
    if "weight_decay" in constants and not _optimizer(network).decay_biases:
        constants["weight_decay"] = "decay"
    return {**names, **constants, **scalars, **counted}, {*constants, *scalars, *counted}


def _on_host(scalars: Iterable[Assign], host: set[str]) -> list[Assign]:
    """The scalars that follow from Python numbers alone; their names join those."""
    found = []
    for statement in scalars:
        if names_read(statement) <= host:
            host.add(statement.name)
            found.append(statement)
    return found


def _over_all(statement: Assign, target: Target) -> str:
    """A sum over the elements of one gradient as the sum over those of all."""
    return f"{statement.name} = sum({target.printer({'g': 'g.ravel()'})(statement.value)} for g in grads.values())"


def _equations(network: Network) -> Equations:
    """The update of a single parameter w with one axis; its equations go element by element, so that any shape will do."""
    count = size("P")
    w, g = Tensor("w", (count,), role="parameter"), Tensor("g", (count,), role="input")
    optimizer = _optimizer(network).model_copy(update={"decay_biases": True})
    return optimizer.update(Program((w, g), ()), {"w": "g"}, network.notation.learning_rate)


def _optimizer(network: Network) -> Optimizer:
    return network.optimizer or GradientDescent()


def _check_order(statements: Iterable[Statement], following: dict[str, str]) -> None:
    """Raise where an old value is read after the new one has taken its place."""
    gone: set[str] = set()
    for statement in statements:
        late = names_read(statement) & gone
        if late:
            raise LanguageError(f"the optimiser reads {', '.join(sorted(late))} after its next value is written; write that equation last")
        if isinstance(statement, Assign) and statement.name in following:
            gone.add(following[statement.name])
