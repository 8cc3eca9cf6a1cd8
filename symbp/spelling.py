"""Names of generated code: the derivation's own, as Python spells them.

Stage: Program → a Python name for each tensor.  z1 stays z1, hidden.W becomes hidden_W, δ^{(2)} delta2, ∂L/∂W1 dW1.
"""
from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

from symbp.language.names import NameSupply
from symbp.language.program import Program
from symbp.language.tensor import Tensor

TAKEN = frozenset({
    "np", "cp", "x", "y", "params", "state", "dtype", "loss", "grads", "N", "PARAMETERS", "STATES", "erf", "main", "load", "save",
    "forward", "train_step", "evaluate", "update", "init_params", "init_state", "loss_and_grads", "read_data", "rng", "step", "name",
    "accuracy", "FUNCTIONS", "RUNNING", "functools", "_taps"})
"""What a module uses for other things."""


def spell(program: Program, reserved: Iterable[str] = (), given: dict[str, str] | None = None) -> dict[str, str]:
    """A Python name for each tensor of a program; `given` are names that are settled.

    >>> from symbp.language.tensor import Tensor
    >>> W, dW = Tensor("hidden.W", (3,), role="parameter"), Tensor("hidden.W_bar", (3,), cotangent_of=("L", "hidden.W"))
    >>> spell(Program((W, dW), ()))
    {'hidden.W': 'hidden_W', 'hidden.W_bar': 'dhidden_W'}
    """
    found = dict(given or {})
    supply = NameSupply({*TAKEN, *reserved, *keyword.kwlist, *found.values(), *(s.name for s in program.sizes)})
    plain = [t for t in program.tensors if t.cotangent_of is None]
    for tensor in (*plain, *(t for t in program.tensors if t.cotangent_of is not None)):
        if tensor.name not in found:
            found[tensor.name] = supply.fresh(_wanted(tensor, program, found))
    return found


def _wanted(tensor: Tensor, program: Program, found: dict[str, str]) -> str:
    if tensor.cotangent_of is None:
        return identifier(tensor.name)
    name = tensor.cotangent_of[1]
    source = program.tensor(name) if name in program else Tensor(name)
    if source.cotangent:
        return identifier(source.cotangent.strip("\\{}")) + (source.level if source.level.isdigit() else "")
    return "d" + found.get(source.name, identifier(source.name))


def identifier(name: str) -> str:
    """A name as a Python identifier.

    >>> identifier("gate.V"), identifier("S'"), identifier("lambda")
    ('gate_V', 'S_', 'lambda_')
    """
    text = re.sub(r"\W", "_", name)
    return text + "_" if keyword.iskeyword(text) else text
