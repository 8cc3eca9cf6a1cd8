"""Slips at one access: another tensor of its shape, indices the other way round, another row, a bias for a weight.

Stage: `Access` → accesses in its place.  What is a slip's `Place` is here, too.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sympy as sp

from symbp.language.equation import Equation, Loop
from symbp.language.index import Index
from symbp.language.program import Program
from symbp.language.tensor import Access, Tensor

MOST_CONSTANTS, MOST_NAMES = 8, 24
LETTERS = {"sigmoid": "σ", "**": "^"}


@dataclass(frozen=True)
class Slip:
    """One change: what it is in words, of what kind, and the new body."""

    what: str
    kind: str
    body: sp.Expr


@dataclass(frozen=True)
class Place:
    """An equation of a program, the loops around it, the tensors that depend on it (and cannot stand in it), and how tensors are called."""

    program: Program
    equation: Equation
    loops: tuple[Loop, ...]
    later: set[str]
    name: Callable[[str], str]

    def shown(self, expression: sp.Expr) -> str:
        """An expression as text, without indices that run."""
        plain = expression.xreplace({a: sp.Symbol(self.name(a.name) + _numbers(a)) for a in expression.atoms(Access)})
        text = str(plain)
        for word, letter in LETTERS.items():
            text = text.replace(word, letter)
        return text


def _numbers(access: Access) -> str:
    """The indices of one element, where all of them are numbers."""
    numbers = bool(access.indices) and all(i.is_Integer for i in access.indices)
    return f"[{','.join(map(str, access.indices))}]" if numbers else ""


def slips_at(access: Access, place: Place) -> Iterator[Slip]:
    """Another tensor of this shape, indices the other way round, another row, a bias for a weight."""
    tensor, text = place.program.tensor(access.name), place.shown(access)
    at = access.indices
    for a in range(len(at)):
        for b in range(a + 1, len(at)):
            if at[a] != at[b] and tensor.shape[a] == tensor.shape[b]:
                swapped = [*at[:a], at[b], *at[a + 1:b], at[a], *at[b + 1:]]
                yield Slip(f"{text} is transposed", "transpose", Access(access.name, *swapped))
    others = [t for t in place.program.tensors if t.name not in {*place.later, access.name} and t.dtype == "float" and not _is_seed(t)]
    fitting = [t for t in others if (t.shape, t.origin) == (tensor.shape, tensor.origin)]
    for other in fitting[:MOST_NAMES]:
        said, kind = place.shown(Access(other.name, *at)), _kind_of_name(tensor.name, other.name, other.next_of)
        what = f"{said} stands for {text}" if kind != "weights" else f"{text} is taken after its update"
        yield Slip(what, kind, Access(other.name, *at))
    if tensor.role == "parameter" and len(at) > 1:
        for other in (t for t in others if t.role == "parameter" and len(t.shape) == 1):
            for k, index in enumerate(at):
                if isinstance(index, (Index, sp.Integer)) and other.shape[0] == tensor.shape[k]:
                    yield Slip(f"{place.shown(Access(other.name, index))} stands for {text}", "bias", Access(other.name, index))
    yield from _rows(access, place, text)
    yield from _reversed(access, place, text)


def _is_seed(tensor: Tensor) -> bool:
    """The derivative of the loss by itself, 1."""
    return tensor.cotangent_of is not None and len(set(tensor.cotangent_of)) == 1


def _reversed(access: Access, place: Place, text: str) -> Iterator[Slip]:
    """The other way along an axis, as of a kernel that is flipped: where windows slide along another tensor."""
    everything = {a for e in (place.equation.body, place.equation.target) for a in e.atoms(Access)}
    slide = {i for a in everything for p in a.indices if len(p.atoms(Index)) > 1 for i in p.atoms(Index)}
    for k, index in enumerate(access.indices):
        if isinstance(index, Index) and index in slide:
            at = [*access.indices[:k], sp.expand(index.start + index.last - index), *access.indices[k + 1:]]
            yield Slip(f"{text} is taken in reverse order", "transpose", Access(access.name, *at))


def _kind_of_name(name: str, other: str, next_of: str) -> str:
    if next_of == name:
        return "weights"
    bases = [re.sub(r"\d+", "", n) for n in (name, other)]
    return "layer" if bases[0] == bases[1] else "argument" if bases[0][:1] in "za" and bases[1][:1] in "za" else "name"


def _rows(access: Access, place: Place, text: str) -> Iterator[Slip]:
    """The row before or behind in a recurrence, another of a few constant rows."""
    running = {lp.index for lp in place.loops}
    for k, position in enumerate(access.indices):
        if position.atoms(Index) & running:
            for shift in (-1, 1):
                at = [*access.indices[:k], position + shift, *access.indices[k + 1:]]
                yield Slip(f"{text} is taken at {position + shift} for {position}", "time", Access(access.name, *at))
        extent = place.program.tensor(access.name).shape[k]
        if position.is_Integer and extent.is_Integer:
            for other in range(min(int(extent), MOST_CONSTANTS)):
                if other != position:
                    at = [*access.indices[:k], sp.Integer(other), *access.indices[k + 1:]]
                    said = place.shown(Access(access.name, *at))
                    what = f"{text} is taken at {other} for {position}" if said == place.name(access.name) else f"{said} stands for {text}"
                    yield Slip(what, "time", Access(access.name, *at))
