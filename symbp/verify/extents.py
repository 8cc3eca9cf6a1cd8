"""The same equations at further extents: axes that are only by chance of one length get lengths of their own.

Stage: program + the numbers that may count something → programs in which no two kinds of axes are of one length.

What the equations index with one letter is one kind of axis.  Where a number that occurs, the 2 of a mean over two samples, may
be the length of one of them, each keeps its length in a program of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import sympy as sp

from symbp.certify.sample import concrete_sizes
from symbp.language.equation import Loop, Statement, walk
from symbp.language.index import Index, indices_of
from symbp.language.program import Program
from symbp.language.tensor import Access, all_accesses

FRESH = (3, 5, 2, 7, 4, 11, 6, 13, 17, 19, 23, 29)
MOST_PROGRAMS, DEPTH = 9, 4
Place = tuple
"""An axis of a tensor, (name, axis); an index, ("", index); or a scalar that counts, (name, None)."""


@dataclass
class Kinds:
    """The kinds of axes of a program: places that the equations force to be of one length.  fixed: places that keep their length.

    counts: scalars that are a length; N is the length of what the index n runs over.
    """

    program: Program
    counts: Mapping[str, int] = field(default_factory=dict)
    extents: dict[Place, int] = field(default_factory=dict)
    fixed: set[Place] = field(default_factory=set)
    _parents: dict[Place, Place] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for tensor in self.program.tensors:
            for axis, extent in enumerate(tensor.shape):
                self._add((tensor.name, axis), extent, tensor.origin[axis] != 0 or tensor.rows)
        for index in self._indices():
            self._add(("", index), index.extent, index.part or index.start != 0)
        for equation, loops in walk(self.program.statements):
            self._read((equation.target, equation.body), (*equation.domain, *(loop.index for loop in loops)))
        for fact in self.program.facts:
            self._read((fact.left, fact.right), ())
        self._count()

    def _indices(self) -> Iterable[Index]:
        facts = [i for f in self.program.facts for i in (*f.over, *indices_of(f.left), *indices_of(f.right))]
        return dict.fromkeys((*self.program.indices, *facts))

    def _count(self) -> None:
        for name, value in self.counts.items():
            for index in self._indices():
                if index.name == name.lower() and index.extent == value:
                    self._add((name, None), index.extent, False)
                    self._parents[self.of((name, None))] = self.of(("", index))

    @property
    def uncounted(self) -> set[int]:
        """The values of scalars of which nothing tells what they count."""
        return {value for name, value in self.counts.items() if (name, None) not in self.extents}

    def recounted(self, new: Mapping[Place, int]) -> dict[str, int]:
        """The scalars that count kinds of other lengths."""
        return {name: new[self.of((name, None))] for name in self.counts
                if (name, None) in self.extents and self.of((name, None)) in new}

    def _add(self, place: Place, extent: sp.Expr, fixed: bool) -> None:
        self._parents.setdefault(place, place)
        if extent.is_Integer:
            self.extents[place] = int(extent)
        if fixed or not extent.is_Integer:
            self.fixed.add(place)

    def _read(self, expressions: Iterable[sp.Expr], others: Iterable[sp.Expr]) -> None:
        """What stands alone on an axis is of its kind; what is calculated with, and axes at other positions, keep their lengths."""
        for expression in expressions:
            outside = expression.xreplace({a: sp.Dummy() for a in all_accesses(expression)})
            self.fixed |= {("", i) for i in indices_of(outside)}
            for access in all_accesses(expression):
                for axis, position in enumerate(access.indices):
                    self._at((access.name, axis), position)
        self.fixed |= {("", i) for e in others for i in indices_of(e)}

    def _at(self, axis: Place, position: sp.Expr) -> None:
        if isinstance(position, Access):
            return
        if isinstance(position, Index) and self.extents.get(axis) == self.extents.get(("", position)):
            self._parents[self.of(axis)] = self.of(("", position))
        else:
            self.fixed |= {axis, *(("", i) for i in indices_of(position))}

    def of(self, place: Place) -> Place:
        """The place that stands for all of a kind."""
        while self._parents[place] != place:
            place = self._parents[place]
        return place

    def alike(self) -> dict[int, list[Place]]:
        """The kinds that can get another length, by their length, where another kind has the same one."""
        held = {self.of(place) for place in self.fixed}
        found: dict[int, list[Place]] = {}
        for kind in dict.fromkeys(map(self.of, self.extents)):
            if kind not in held:
                found.setdefault(self.extents[kind], []).append(kind)
        lengths = self.lengths()
        return {extent: kinds for extent, kinds in found.items() if extent > 1 and lengths.count(extent) > 1}

    def lengths(self) -> list[int]:
        """The length of each kind, and of axes of symbolic length where inputs are drawn."""
        drawn = [v for v in concrete_sizes(self.program, DEPTH).values() if isinstance(v, int)]
        return drawn + [self.extents[kind] for kind in dict.fromkeys(map(self.of, self.extents))]

    def with_extents(self, new: Mapping[Place, int]) -> Program:
        """The program with other lengths of some kinds."""
        moved = {i: Index(i.name, new.get(self.of(("", i)), i.extent), i.start, i.part) for i in self._indices()}
        tensors = [replace(t, shape=tuple(new.get(self.of((t.name, k)), e) for k, e in enumerate(t.shape))) for t in self.program.tensors]

        def change(expression: sp.Basic) -> sp.Basic:
            return expression.xreplace(moved)

        def statement(given: Statement) -> Statement:
            return replace(given, body=tuple(map(statement, given.body))) if isinstance(given, Loop) else given.map(change)

        facts = [replace(f, left=change(f.left), right=change(f.right), over=tuple(map(change, f.over))) for f in self.program.facts]
        return replace(self.program, tensors=tuple(tensors), statements=tuple(map(statement, self.program.statements)), facts=tuple(facts))


def numbers_of(program: Program) -> set[int]:
    """The whole numbers above 1 that stand in the equations, above and below fraction bars."""
    found = {n for equation in program.equations for n in equation.body.atoms(sp.Rational)}
    return {abs(k) for n in found for k in (int(n.p), int(n.q)) if abs(k) > 1}


def separations(kinds: Kinds, numbers: Collection[int]) -> Iterator[tuple[tuple[Place, int], ...]]:
    """The new lengths of kinds, in each way: where one of the numbers may be the common length, each kind keeps it once.

    A new length divides none of the numbers where that can be, so that nothing comes out right by chance.
    """
    alike = kinds.alike()
    lengths = kinds.lengths()
    used = {*kinds.extents.values(), *lengths}
    free = [k for k in FRESH if k not in used and not any(n % k == 0 for n in numbers)]
    ways = []
    for extent, members in alike.items():
        keeping = members if any(n % extent == 0 for n in numbers) else members[:1]
        if sum(e == extent for e in lengths) > len(members):
            keeping = [None, *keeping] if keeping is members else [None]
        ways.append([[m for m in members if m != kept] for kept in keeping])
    for chosen in itertools.islice(itertools.product(*ways), MOST_PROGRAMS):
        moving = [kind for members in chosen for kind in members]
        if moving and len(moving) <= len(free):
            yield tuple(zip(moving, free))


