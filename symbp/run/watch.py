"""What `--watch gradients` measures: gradient norms by layer, and how many inputs of an activation lie where it is flat.

A probe batch of the first samples is taken at intervals through every tensor of the loss and its gradients, beside the training steps.
Where a function is flat is asked of its derivative, which the calculus knows: its slope is below 1 % of its largest, which is beyond ±6
for a sigmoid, beyond ±3 for tanh, and below 0 for a relu.
"""
from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp

from symbp.calculus.local import prime
from symbp.emit import tensors_function
from symbp.language.equation import Equation, walk
from symbp.language.functions import Defined, expand_definitions
from symbp.language.index import indices_of
from symbp.language.names import NameSupply
from symbp.language.program import Program
from symbp.language.tensor import Access, Tensor
from symbp.network import Network
from symbp.run.metrics import norms

KINDS = ("gradients",)
"""What can be watched."""
PROBED = 256
"""Samples of the probe batch."""
FLAT = 0.01
"""A slope below this part of the function's largest counts as flat."""
GRID = np.linspace(-40.0, 40.0, 8001)


@dataclass(frozen=True)
class Site:
    """An activation: the function, the tensor of its inputs in the program, and the letter of its inputs that a message shows."""

    function: type[Defined]
    tensor: str
    shown: str


def layers(network: Network) -> dict[str, tuple[str, ...]]:
    """The parameters of each layer that has some, by the layer's number; each parameter of a network of equations counts as a layer.

    >>> from symbp.netfile import load
    >>> layers(load("examples/digits_mlp.toml"))
    {'1': ('W1', 'b1'), '2': ('W2', 'b2')}
    """
    groups = [r.parameters for r in network.records if r.parameters] or [(p.name,) for p in network.parameters]
    return {str(k): tuple(group) for k, group in enumerate(groups, 1)}


def sites(network: Network) -> tuple[Network, tuple[Site, ...]]:
    """The applications of defined functions of one argument; the network is that with a tensor for each argument that is none yet.

    >>> from symbp.netfile import load
    >>> [(s.function.__name__, s.tensor) for s in sites(load("examples/digits_mlp.toml"))[1]]
    [('relu', 'z1')]
    """
    program, found, extra = network.program, {}, []
    supply = NameSupply({t.name for t in program.tensors} | {i.name for i in program.indices})
    for equation, _ in walk(program.statements):
        for node in sorted(equation.body.atoms(Defined), key=str):
            if len(node.args) != 1 or not node.has(Access) or node in found or not slope(type(node)).any():
                continue
            argument = node.args[0]
            if isinstance(argument, Access):
                found[node] = Site(type(node), argument.name, argument.name)
            elif not equation.domain and all(i.start == 0 for i in indices_of(argument)):
                extra.append(_argument(argument, supply))
                found[node] = Site(type(node), extra[-1].target.name, str(argument))
    if extra:
        tensors = [Tensor(e.target.name, tuple(i.extent for i in e.target.indices)) for e in extra]
        program = Program((*program.tensors, *tensors), (*program.statements, *extra), program.facts, program.conventions)
    return replace(network, program=program), tuple(dict.fromkeys(found.values()))


def _argument(argument: sp.Expr, supply: NameSupply) -> Equation:
    indices = tuple(indices_of(argument))
    tensor = Tensor(supply.fresh("argument"), tuple(i.extent for i in indices))
    return Equation(tensor[indices], argument)


@functools.cache
def slope(function: type[Defined]) -> np.ndarray:
    """|f'| on the grid as a part of its largest value there; the derivative is the calculus' own.  0 for a function without a slope.

    >>> from symbp.language.functions import sigmoid, tanh
    >>> [round(float(GRID[slope(f) >= FLAT].max())) for f in (sigmoid, tanh)]
    [6, 3]
    """
    z = sp.Symbol("z", real=True)
    steps = {"step": lambda x, at_zero: np.where(x > 0, 1.0, np.where(x < 0, 0.0, float(at_zero))), "erf": np.vectorize(math.erf)}
    if function.definition is None:
        return np.zeros_like(GRID)
    found = sp.lambdify(z, expand_definitions(prime(function)(z)), [steps, "numpy"])
    values = np.abs(np.broadcast_to(found(GRID), GRID.shape))
    return values / max(values.max(), 1e-300)


def flat_beyond(function: type[Defined]) -> str:
    """Where a bounded function is flat, in words.

    >>> from symbp.language.functions import sigmoid, tanh
    >>> flat_beyond(sigmoid), flat_beyond(tanh)
    ('beyond ±6', 'beyond ±3')
    """
    steep = GRID[slope(function) >= FLAT]
    low, high = float(steep.min()), float(steep.max())
    return f"beyond ±{high:.2g}" if abs(low + high) < 0.1 else f"outside {low:.2g} to {high:.2g}"


def saturation(site: Site, values: np.ndarray) -> dict[str, Any]:
    """The share of the inputs where the function is flat, and that of the units which are so for every sample of the probe batch.

    values: (N, ...).  A slope of exactly 0 for every sample is a dead unit: no gradient ever reaches its weights.
    """
    relative = np.interp(values.astype(np.float64), GRID, slope(site.function))
    return {"function": site.function.__name__, "flat": float((relative < FLAT).mean()), "dead": float((relative == 0).all(axis=0).mean())}


class Watch:
    """Takes a probe batch through the network and answers what a record keeps."""

    def __init__(self, network: Network, x: np.ndarray, y: np.ndarray) -> None:
        extended, self.sites = sites(network)
        self.values, self.gradients = tensors_function(extended)
        self.layers, self.x, self.y = layers(network), x[:PROBED], y[:PROBED]

    def record(self, params: dict[str, np.ndarray], state: dict[str, Any] | None = None) -> dict[str, Any]:
        """Norm of the gradient by layer, and saturation by activation, on the probe batch."""
        found = self.values(params, self.x, self.y, state)
        measured = {name: norms({"": np.asarray(found[key])})[""] for name, key in self.gradients.items()}
        return {"gradients": {k: math.hypot(*(measured[name] for name in names)) for k, names in self.layers.items()},
                "saturation": {f"{s.function.__name__}({s.shown})": saturation(s, found[s.tensor])
                               for s in self.sites if s.tensor in found}}
