"""Programs with one slip: general changes of equations, which know no network, layer or loss.

Stage: L1 program (forward, adjoint in textbook form, updates) → `Mistake`s, each the equations that stand where the right ones
were.  The plainest slips come first.  What is changed in one place of one equation is in `places.py`; here are the changes of whole
equations, and the same slip in every layer.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import sympy as sp

from symbp.language.equation import Equation, Loop, walk
from symbp.language.index import Index, indices_of
from symbp.language.program import Program
from symbp.language.tensor import Access, accesses
from symbp.verify.elements import Place, Slip
from symbp.verify.places import slips_of

ORDER = ("sign", "factor", "count", "ascent", "activation", "argument", "term", "transpose", "layer", "time", "weights", "bias", "diagonal",
         "logarithm", "correction", "root", "name", "function", "number")
"""Kinds of slips, the plainest first."""
SPREAD = frozenset({"activation", "argument", "time", "transpose", "weights", "diagonal", "correction", "root", "function"})
"""Those that are made in every layer at once, where a person takes one thing for another."""


@dataclass(frozen=True)
class Mistake:
    """One slip: what it is in words, of what kind, and what stands at which positions of the program's equations."""

    what: str
    kind: str
    edits: Mapping[int, tuple[Equation, ...]]
    key: tuple = ()

    @property
    def targets(self) -> set[str]:
        """The tensors that the changed equations write."""
        return {eq.target.name for equations in self.edits.values() for eq in equations}


def mistakes(program: Program, of: Iterable[int] | None = None, name: Callable[[str], str] | None = None) -> list[Mistake]:
    """Every slip in the equations at the positions `of` (default: all), alone and, where several layers have it, in all of them.

    name: how the text calls a tensor.

    >>> from symbp.language import Equation, Index, Program, Tensor
    >>> j, k = Index("j", 3), Index("k", 2)
    >>> W, d, s, e = Tensor("W", (2, 3)), Tensor("d", (2,)), Tensor("s", (3,)), Tensor("e", (3,))
    >>> found = mistakes(Program((W, d, s, e), (Equation(e[j], W[k, j]*d[k]*s[j], over=(k,)),)))
    >>> [m.what for m in found if m.kind in ("sign", "factor")][:3]
    ['e: the sign is wrong', 'e: a factor 2 is too many', 'e: a factor 1/2 is too many']
    >>> [m.what for m in found if "missing" in m.what][:3]
    ['e: the factor d is missing', 'e: the factor s is missing', 'e: the factor W is missing']
    """
    finder = _Finder(program, name or calls(program))
    chosen = range(len(program.equations)) if of is None else sorted(set(of))
    single = [m for position in chosen for m in finder.of(position)]
    targets = dict.fromkeys(program.equations[position].target.name for position in chosen)
    single += [m for target in targets for m in finder.of_all(target)]
    return sorted([*single, *_together(single)], key=lambda m: ORDER.index(m.kind))


def calls(program: Program, names: Mapping[str, str] | None = None) -> Callable[[str], str]:
    """How messages call a tensor: a derivative as dJ/dw, or by the text's own name; a next value by its tensor's.

    names: the text's own name → quantity.
    """
    own = {re.sub(r"\s", "", quantity).replace("∂", "d"): name for name, quantity in (names or {}).items()}

    def name(tensor: str) -> str:
        found = program.tensor(tensor)
        if found.next_of:
            return f"the new {found.next_of}"
        text = "d{}/d{}".format(*found.cotangent_of) if found.cotangent_of else tensor
        return own.get(text, text)

    return name


class _Finder:
    """The slips of each equation of one program."""

    def __init__(self, program: Program, name: Callable[[str], str]) -> None:
        self.program, self.name = program, name
        self.places = [(eq, loops) for eq, loops in walk(program.statements)]
        self.below = downstream(program)

    def of(self, position: int) -> Iterator[Mistake]:
        """The slips of one equation."""
        equation, loops = self.places[position]
        if equation.op == "argmax":
            return
        title = self.name(equation.target.name)
        for slip, changed in self._changed(equation, loops):
            yield Mistake(f"{title}: {slip.what}", slip.kind, {position: changed}, (slip.kind, _plain(slip.what), self._part(equation)))

    def of_all(self, target: str) -> Iterator[Mistake]:
        """The same slip in all that is added up in one tensor: its sign, a factor that all have in common."""
        positions = [k for k, (eq, _) in enumerate(self.places) if eq.target.name == target]
        if len(positions) < 2 or self.places[positions[0]][0].op != "sum":
            return
        found: list[dict[str, Slip]] = []
        for position in positions:
            equation, loops = self.places[position]
            place = Place(self.program, equation, loops, self.below[target] | {target}, self.name)
            found.append({slip.what: slip for slip in slips_of(place)})
        for what, slip in found[0].items():
            if all(what in others for others in found[1:]):
                edits = {k: (replace(self.places[k][0], body=slips[what].body),) for k, slips in zip(positions, found)}
                yield Mistake(f"{self.name(target)}: {what}", slip.kind, edits, (slip.kind, _plain(what), "all"))

    def _part(self, equation: Equation) -> str:
        """Which part of the program an equation belongs to."""
        if equation.label == "update":
            return "update"
        return "backward" if self.program.tensor(equation.target.name).cotangent_of else "forward"

    def _changed(self, equation: Equation, loops: tuple[Loop, ...]) -> Iterator[tuple[Slip, tuple[Equation, ...]]]:
        place = Place(self.program, equation, loops, self.below.get(equation.target.name, set()) | {equation.target.name}, self.name)
        for slip in slips_of(place, len(self.program.definition(equation.target.name)) > 1):
            yield slip, (replace(equation, body=slip.body),)
        if equation.op != "sum":
            return
        if len(self.program.definition(equation.target.name)) > 1:
            yield Slip(f"the term {place.shown(equation.body)} is missing", "term", sp.S.Zero), ()
        yield from self._of_sums(equation, loops, place)

    def _of_sums(self, equation: Equation, loops: tuple[Loop, ...], place: Place) -> Iterator[tuple[Slip, tuple[Equation, ...]]]:
        """The sum without its first or last term, or nothing but one term, or what stands on the diagonal."""
        free = [i for e in equation.target.indices for i in indices_of(e)]
        running = [lp.index for lp in loops if lp.index not in free and not _bare(equation, lp.index)]
        for index in (*equation.over, *running):
            for what, condition in (("without its first", index - index.start - 1), ("without its last", index.last - index - 1),
                                    ("with nothing but its first", index.start - index), ("with nothing but its last", index - index.last)):
                kept = replace(equation, domain=(*equation.domain, condition))
                yield Slip(f"the sum over {index.name} is {what} term", "term", equation.body), (kept,)
        for index in equation.over:
            for other in (i for i in free if (i.extent, i.start) == (index.extent, index.start)):
                rest = tuple(i for i in equation.over if i != index)
                changed = replace(equation.map(lambda e, a=index, b=other: e.xreplace({a: b}) if isinstance(e, sp.Expr) else e), over=rest)
                yield Slip(f"of the sum over {index.name} nothing but the term {index.name} = {other.name} is there", "diagonal",
                           changed.body), (changed,)
        yield from self._of_inner_sums(equation, free, place)

    def _of_inner_sums(self, equation: Equation, free: list[Index], place: Place) -> Iterator[tuple[Slip, tuple[Equation, ...]]]:
        """A helper's sum over k, read beside an index of the same range, with nothing but the term at that index."""
        for access in accesses(equation.body):
            definition = self.program.definition(access.name)
            if len(definition) != 1 or definition[0].op != "sum" or len(definition[0].over) != 1 or definition[0].domain:
                continue
            inner, (bound,) = definition[0], definition[0].over
            at = dict(zip(inner.target.indices, access.indices))
            for other in (i for i in free if (i.extent, i.start) == (bound.extent, bound.start) and i not in access.indices):
                term = inner.body.xreplace({**at, bound: other})
                changed = replace(equation, body=equation.body.xreplace({access: term}))
                yield Slip(f"of {place.shown(access)} nothing but the diagonal term is there", "diagonal", changed.body), (changed,)


def _bare(equation: Equation, index: Index) -> bool:
    return not any(e.has(index) for e in equation.expressions)


def downstream(program: Program) -> dict[str, set[str]]:
    """For each tensor those that depend on it."""
    readers: dict[str, set[str]] = {}
    for equation in program.equations:
        for access in {a for e in equation.expressions for a in e.atoms(Access)}:
            readers.setdefault(access.name, set()).add(equation.target.name)
    found: dict[str, set[str]] = {}
    for tensor in program.tensors:
        seen, stack = set(), list(readers.get(tensor.name, ()))
        while stack:
            name = stack.pop()
            if name not in seen:
                seen.add(name)
                stack += readers.get(name, ())
        found[tensor.name] = seen
    return found


def _plain(what: str) -> str:
    """What is said without the numbers of layers."""
    return re.sub(r"(?<=[A-Za-z_])\d+|'+(?=\[)", "", what)


def _together(single: Iterable[Mistake]) -> Iterator[Mistake]:
    """The same slip wherever it can be made, for instance in each layer or in each parameter's update."""
    groups: dict[tuple, dict[int, list[Mistake]]] = {}
    for mistake in (m for m in single if len(m.edits) == 1 and (m.kind in SPREAD or m.key[2] == "update")):
        (position,) = mistake.edits
        groups.setdefault(mistake.key, {}).setdefault(position, []).append(mistake)
    for (kind, what, part), members in groups.items():
        if len(members) > 1 and all(len(found) == 1 for found in members.values()):
            edits = {position: found[0].edits[position] for position, found in members.items()}
            titles = [found[0].what.partition(": ")[0] for found in members.values()]
            yield Mistake(f"{', '.join(dict.fromkeys(titles))}: {what}", kind, edits, (kind, what, part, "everywhere"))
