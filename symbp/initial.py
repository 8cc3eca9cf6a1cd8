"""How parameters start: standard deviations from the equations that read them (He where a relu follows, else Xavier).

He et al. 2015 (arXiv 1502.01852), equation 10; Glorot and Bengio 2010, equation 16 for normal deviates.
"""
from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from symbp.errors import LanguageError
from symbp.language.equation import Equation
from symbp.language.functions import Defined
from symbp.language.index import Index, indices_of
from symbp.language.program import Program
from symbp.language.tensor import Access, Tensor, accesses
from symbp.network import Network


@dataclass(frozen=True)
class Start:
    """How one parameter starts: normal deviates of variance `above/below`, or a constant.

    kind: he, xavier, normal, zeros or ones.
    """

    kind: str
    above: int = 0
    below: int = 1


def starts(network: Network) -> dict[str, Start]:
    """How each parameter of a network starts.

    >>> from symbp.netfile import parse
    >>> net = parse('''name = "line"
    ... [input]
    ... shape = [3]
    ... [[layers]]
    ... type = "dense"
    ... units = 2
    ... [loss]
    ... type = "squared_error"
    ... ''')
    >>> starts(net)
    {'W1': Start(kind='xavier', above=2, below=5), 'b1': Start(kind='zeros', above=0, below=1)}
    """
    asked = _asked(network)
    return {t.name: _start(network.program, t, asked.get(t.name, "auto")) for t in network.program.parameters}


def _asked(network: Network) -> dict[str, str]:
    """What the layers say of their parameters: one word for the weights, or a word for each name."""
    found: dict[str, str] = {}
    for record in network.records:
        init = getattr(record.layer, "init", "auto")
        weights = [n for n in record.parameters if not _is_offset(network.program, network.program.tensor(n))] or record.parameters
        for name in record.parameters:
            letter = name.rpartition(".")[2]
            if isinstance(init, dict):
                found[name] = init.get(letter, "auto")
            elif letter.rstrip("0123456789") in record.layer.starts:
                found[name] = record.layer.starts[letter.rstrip("0123456789")]
            elif name in weights and len(network.program.tensor(name).shape) > 1:
                found[name] = init
    return found


def _start(program: Program, tensor: Tensor, kind: str) -> Start:
    if kind == "auto":
        kind = "zeros" if _is_offset(program, tensor) else "he" if _feeds_relu(program, tensor) else "xavier"
    if kind in ("zeros", "ones"):
        return Start(kind)
    if kind == "normal":
        return Start(kind, 1, 10_000)
    into, out = _fans(program, tensor)
    return Start(kind, 2, into if kind == "he" else into + out)


def _is_offset(program: Program, tensor: Tensor) -> bool:
    """Whether a parameter is added as it is, such as a bias, whatever its axes, or has one axis."""
    body = _reader(program, tensor).body
    added = isinstance(body, Access) and body.name == tensor.name and all(isinstance(p, Index) for p in body.indices)
    return added or len(tensor.shape) < 2


def _reader(program: Program, tensor: Tensor) -> Equation:
    """The first equation that sums over an index of the tensor, else the first that reads it."""
    readers = [eq for eq in program.equations if any(a.name == tensor.name for a in accesses(eq.body))]
    summing = [eq for eq in readers if {i for a in accesses(eq.body) if a.name == tensor.name for i in indices_of(a)} & set(eq.over)]
    return (summing or readers)[0]


def _fans(program: Program, tensor: Tensor) -> tuple[int, int]:
    """How many numbers a weight's output sums up, and how many outputs each input goes to."""
    equation = _reader(program, tensor)
    access = next(a for a in accesses(equation.body) if a.name == tensor.name)
    indices = set(indices_of(access))
    fans = [sp.Mul(*(i.extent for i in indices & set(equation.over))), sp.Mul(*(i.extent for i in indices - set(equation.over)))]
    if not all(f.is_Integer for f in fans):
        raise LanguageError(f"the parameter {tensor.name} has the shape {tensor.shape}, which is not known in numbers; give all extents")
    return int(fans[0]), int(fans[1])


def _feeds_relu(program: Program, tensor: Tensor) -> bool:
    """Whether a relu is applied to what the weight's equation writes."""
    written = _reader(program, tensor).target.name
    functions = [f for eq in program.equations for f in eq.body.atoms(Defined)]
    return any(type(f).__name__ == "relu" and any(a.name == written for a in accesses(f)) for f in functions)
