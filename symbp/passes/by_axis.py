"""Maxima and sums over sliding windows, axis by axis; sums tap by tap, too, as maxima are in code.

Stage: L1 Program → L1 Program with the same values, sums in another order.  Equations in loops stay as they are.

    m[i,j] = max_{u,v} a[s·i+u, s·j+v]      ⇒   R[i,w] = max_u a[s·i+u, w],   m[i,j] = max_v R[i, s·j+v]
    m[i,j] += Σ_{u,v} a[s·i+u, s·j+v]/k     ⇒   the same with sums, one equation for each tap, and a quotient

Windows of k × k elements take about 2(k − 1) operations on whole slices instead of k² − 1, or of one for each window.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import sympy as sp

from symbp.language.affine import coefficients
from symbp.language.equation import Equation, Statement
from symbp.language.index import Index
from symbp.language.names import NameSupply
from symbp.language.program import Program
from symbp.language.tensor import Access, Tensor, accesses

FEW = 9
"""Windows of so many taps along an axis are a view for each tap."""


@dataclass(frozen=True)
class _Slide:
    """A position s·i + d·u + first of the body, on an axis from low to high: `along` is i, `tap` is u, which is summed or compared.

    guards: the conditions of the equation that keep the position on the axis.
    """

    place: int
    along: Index
    tap: Index
    stride: int
    dilation: int
    first: int
    low: int
    high: int
    guards: frozenset[sp.Expr]

    def reached(self, tap: int) -> range:
        """The windows that meet the axis with a tap."""
        extent, at = int(self.along.extent), self.first + self.dilation * tap
        if not self.guards:
            return range(extent)
        return range(max(0, -((at - self.low) // self.stride)), min(extent, (self.high - at) // self.stride + 1))


def by_axis(program: Program, names: NameSupply) -> Program:
    """The program with its maxima and sums over windows axis by axis; `names` are those of arrays.

    >>> i, j, u, v = Index("i", 3), Index("j", 3), Index("u", 2), Index("v", 2)
    >>> a, m = Tensor("a", (6, 6), role="input"), Tensor("m", (3, 3))
    >>> found = by_axis(Program((a, m), (Equation(m[i, j], a[2*i + u, 2*j + v], over=(u, v), op="max"),)), NameSupply(["a", "m"]))
    >>> for equation in found.equations:
    ...     print(equation)
    m_rows[i, j_2] = max(u, a[2*i + u, j_2])
    m[i, j] = max(v, m_rows[i, 2*j + v])
    """
    tensors: list[Tensor] = []
    statements: list[Statement] = []
    indices = NameSupply(i.name for i in program.indices)
    for statement in program.statements:
        slides = _slides(program, statement) if isinstance(statement, Equation) else []
        if isinstance(statement, Equation) and len(slides) > (statement.op == "max"):
            more, equations = _one_by_one(program, statement, slides, names, indices)
            tensors += more
            statements += equations
        else:
            statements.append(statement)
    return replace(program, tensors=(*program.tensors, *tensors), statements=tuple(statements)) if tensors else program


def tap_by_tap(program: Program, equation: Equation) -> list[Equation]:
    """For windows along one axis, what each tap contributes, those of all windows first; none where no tap has all windows.

    Nor are there any where an index of the target starts elsewhere than at 0.
    """
    slides = _slides(program, equation)
    return list(_taps(equation, slides[0], NameSupply(i.name for i in program.indices))) if len(slides) == 1 else []


def _slides(program: Program, equation: Equation) -> list[_Slide]:
    """The axes along which the windows of an equation slide; none where it is anything else."""
    access, target = _read(equation), equation.target
    if equation.op not in ("max", "sum") or access is None or len(program.definition(target.name)) != 1:
        return []
    factor = equation.body / access
    plain = len({*target.indices}) == len(target.indices) and all(isinstance(i, Index) and i.start == 0 for i in target.indices)
    if not plain or factor.has(*equation.over) or factor != 1 and equation.op == "max" or any(p.has(Access) for p in access.indices):
        return []
    tensor, found = program.tensor(access.name), list[_Slide]()
    for place, (position, low, extent) in enumerate(zip(access.indices, tensor.origin, tensor.extents(access))):
        taps = [u for u in equation.over if position.has(u)]
        if not taps:
            continue
        split, high = coefficients(position), sp.expand(low + extent - 1)
        if split is None or len(taps) > 1 or len(split[0]) != 2 or not all(e.is_Integer for e in (split[1], low, high)):
            return []
        tap, along = taps[0], next(i for i in split[0] if i != taps[0])
        guards = frozenset({sp.expand(position - low), sp.expand(high - position)} & {*equation.domain})
        slide = _Slide(place, along, tap, int(split[0][along]), int(split[0][tap]), int(split[1]), int(low), int(high), guards)
        if not _is_plain(slide, access, target):
            return []
        found.append(slide)
    known = {c for s in found for c in s.guards}
    return found if {s.tap for s in found} == {*equation.over} and len(found) == len(equation.over) and known == {*equation.domain} else []


def _read(equation: Equation) -> Access | None:
    """What an equation sums up or compares: the one factor of its body that has bound indices."""
    found = [a for a in accesses(equation.body) if equation.over and a.has(*equation.over)]
    return found[0] if len(found) == 1 and found[0] in sp.Mul.make_args(equation.body) else None


def _is_plain(slide: _Slide, access: Access, target: Access) -> bool:
    """Whether a window of few taps slides forwards along an index of the target, which nothing else reads."""
    tap, along = slide.tap, slide.along
    numbers = along.extent.is_Integer and tap.extent.is_Integer and tap.start.is_Integer
    return numbers and along in target.indices and sum(p.has(along) for p in access.indices) == 1 and \
        1 < tap.extent <= FEW and slide.stride > 0 and slide.dilation > 0 and slide.stride <= slide.dilation * (tap.extent - 1) + 1


def _one_by_one(program: Program, equation: Equation, slides: list[_Slide], names: NameSupply, indices: NameSupply
                ) -> tuple[list[Tensor], list[Equation]]:
    """The tensors and the equations of one axis after the other; the last one has the label."""
    read, target = _read(equation), equation.target
    assert read is not None
    kept = tuple(i for i in target.indices if read.has(i))
    factor, dtype = equation.body / read, program.tensor(target.name).dtype
    tensors, made = list[Tensor](), list[Equation]()
    wide = {s.along: Index(indices.fresh(s.along.name), sp.Integer(s.high - s.low + 1), sp.Integer(s.low)) for s in slides[1:]}
    for k, slide in enumerate(slides):
        last = k == len(slides) - 1
        if last and factor == 1:
            into = target
        else:
            axes = tuple(wide.get(i, i) if any(s.along == i for s in slides[k + 1:]) else i for i in kept)
            name = names.fresh(f"{target.name}_{'sum' if last else 'rows'}")
            tensors.append(Tensor(name, tuple(i.extent for i in axes), dtype=dtype, origin=tuple(i.start for i in axes)))
            into = Access(name, *axes)
        later = {s.place: wide[s.along] for s in slides[k + 1:]}
        body = Access(read.name, *(later.get(p, e) for p, e in enumerate(read.indices)))
        one = Equation(into, body, over=(slide.tap,), domain=tuple(c for c in equation.domain if c in slide.guards), op=equation.op)
        made += [one] if equation.op == "max" else list(_taps(one, slide, indices)) or [one]
        if not last:
            positions = {s.along: read.indices[s.place] for s in slides[k + 1:]}
            read = Access(into.name, *(positions.get(i, i) for i in kept))
            slides = [*slides[:k + 1], *(replace(s, place=kept.index(s.along)) for s in slides[k + 1:])]
    if factor != 1:
        moved = {s.along: Index(indices.fresh(s.along.name), s.along.extent, part=True) for s in slides}
        body = factor.xreplace(moved) * Access(tensors[-1].name, *(moved.get(i, i) for i in kept))
        made.append(Equation(Access(target.name, *(moved.get(i, i) for i in target.indices)), body))
    made[-1] = replace(made[-1], label=equation.label)
    return tensors, made


def _taps(equation: Equation, slide: _Slide, indices: NameSupply) -> Iterator[Equation]:
    """What each tap contributes; first those of all windows."""
    everywhere = range(int(slide.along.extent))
    taps = sorted(range(int(slide.tap.start), int(slide.tap.start + slide.tap.extent)), key=lambda k: slide.reached(k) != everywhere)
    if slide.reached(taps[0]) != everywhere:
        return
    parts: dict[range, Index] = {}
    for tap in taps:
        reached = slide.reached(tap)
        if reached:
            if reached not in parts:
                parts[reached] = Index(indices.fresh(slide.along.name), len(reached), reached.start, part=True)
            moved = {slide.tap: sp.Integer(tap), slide.along: parts[reached]}
            target = Access(equation.target.name, *(i.xreplace(moved) for i in equation.target.indices))
            yield Equation(target, equation.body.xreplace(moved), label=equation.label)
