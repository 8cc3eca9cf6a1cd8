"""Sums of products into overlapping windows: gathered along the last axis that slides, added tap by tap along the others.

Stage: L1 Program → L1 Program with the same values, in another order of summation.

    X̄[s·i+u, s·j+v] += Σ_f K[f,u,v]·ȳ[f,i,j]
        ⇒   R[u,i,b]         += Σ_{t,f} K[f, u, r+s·(T−1−t)]·ȳ[f, i, b+t−(T−1)]     where ȳ has such a column
            X̄[s·i+u, s·b+r]  += R[u,i,b]                                            for each u

for each remainder r of the stride s; T is the number of the taps v = r + s·t.  The product adds up a window's taps along the last axis
by itself, with the kernel the other way round, so that fewer and smaller arrays are left to add into slices, which are whole rows of R.
With a stride above 1, what several taps u add to the same rows of X̄ is added up in R before, as a slice with gaps is slow to write.
Where the slices of the taps that are left have no gaps together, one equation writes them all.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import sympy as sp

from symbp.language.affine import coefficients
from symbp.language.equation import Equation, Statement
from symbp.language.index import Index
from symbp.language.names import NameSupply
from symbp.language.program import Program
from symbp.language.tensor import Access, Tensor, accesses

FEW = 9
"""So many taps along the other axes are equations of their own."""
DEAR = 2
"""An addition into a slice takes as long as the copies of so many elements."""

Made = tuple[list[Tensor], list[Equation]]
Tap = int | Index
Piece = tuple[tuple[Tap, ...], tuple[range, ...]]
"""Taps along the axes that do not come first, and the windows that reach the target with them."""


@dataclass(frozen=True)
class _Window:
    """A position s·i + d·u + first of a target: `along` is i, `tap` is u.  The axis runs from low to high.

    guards: the conditions that keep the position on the axis.  clipped: whether the equation has them.
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
    clipped: bool

    def at(self, tap: int) -> int:
        """Where a tap of the window 0 lies."""
        return self.first + self.dilation * tap

    def reached(self, tap: int) -> range:
        """The windows that lie on the axis with a tap."""
        return self.inside(self.at(tap), int(self.along.extent))

    def inside(self, first: int, extent: int) -> range:
        """The values i of an index below `extent` for which s·i + first lies on the axis."""
        if not self.clipped:
            return range(extent)
        return range(max(0, -((first - self.low) // self.stride)), min(extent, (self.high - first) // self.stride + 1))


def without_overlap(program: Program) -> Program:
    """The program with its sums of products into overlapping windows in the other order.

    >>> i, u, f = Index("i", 3), Index("u", 2), Index("f", 2)
    >>> k, y = Tensor("k", (2, 2), role="input"), Tensor("y", (2, 3), role="input")
    >>> x = Tensor("x", (4,))
    >>> print(without_overlap(Program((k, y, x), (Equation(x[i + u], k[f, u] * y[f, i], over=(f,)),))).statements[0])
    x[i_2] += sum(u_2, f where i_2 + u_2 - 1 >= 0 and -i_2 - u_2 + 3 >= 0, k[f, 1 - u_2]*y[f, i_2 + u_2 - 1])
    """
    names = NameSupply({t.name for t in program.tensors} | {i.name for i in program.indices})
    tensors: list[Tensor] = []
    statements: list[Statement] = []
    for statement in program.statements:
        more = _gathered(program, statement, names) if isinstance(statement, Equation) else None
        tensors += more[0] if more else []
        statements += more[1] if more else [statement]
    if tuple(statements) == program.statements:
        return program
    return replace(program, tensors=(*program.tensors, *tensors), statements=tuple(statements))


def _gathered(program: Program, equation: Equation, names: NameSupply) -> Made | None:
    """What stands in the place of an equation, or None where it stays."""
    windows = _windows(program, equation)
    if not windows or any(i.start != 0 for i in equation.indices) or not all(
            i.extent.is_Integer for w in windows for i in (w.along, w.tap)):
        return None
    *others, first = windows
    guarded = {c for w in windows for c in w.guards}
    if others and any(c not in guarded and _may_fail(c) for c in equation.domain):
        return None
    source = _source(program, equation, first)
    if source is None or not _is_cheaper(equation, source, first, others):
        return None
    tensors: list[Tensor] = []
    equations: list[Equation] = []
    for remainder in range(min(first.stride, int(first.tap.extent))):
        rows = _rows(equation, first, remainder, names)
        if rows is not None:
            more = _added(program, rows, others, names) if others else ([], [rows])
            tensors += more[0]
            equations += more[1]
    return (tensors, equations) if equations else None


def _may_fail(condition: sp.Expr) -> bool:
    """Whether an affine condition may be negative somewhere."""
    split = coefficients(condition)
    return split is None or not (split[1] + sum(factor * (i.start if factor > 0 else i.start + i.extent - 1)
                                                for i, factor in split[0].items())).is_nonnegative


def _windows(program: Program, equation: Equation) -> list[_Window]:
    """The positions of a target in which windows overlap; none where their indices stand elsewhere in it or have other conditions."""
    if equation.op != "sum":
        return []
    tensor, found = program.tensor(equation.target.name), []
    for place, (position, low, extent) in enumerate(zip(equation.target.indices, tensor.origin, tensor.extents(equation.target))):
        split = None if position.has(Access) else coefficients(position)
        high = sp.expand(low + extent - 1)
        if split is None or len(split[0]) != 2 or not all(e.is_Integer for e in (split[1], low, high)):
            continue
        (small, step), (large, far) = sorted(split[0].items(), key=lambda t: t[1])
        if step != 1 or _size(small) <= far or 1 in (small.extent, large.extent):
            continue
        (along, stride), (tap, dilation) = sorted(split[0].items(), key=lambda t: -_size(t[0]))
        guards = frozenset({sp.expand(position - low), sp.expand(high - position)})
        found.append(_Window(place, along, tap, int(stride), int(dilation), int(split[1]), int(low), int(high), guards,
                             bool(guards & {*equation.domain})))
    known = {c for w in found for c in w.guards}
    for index in (i for w in found for i in (w.along, w.tap)):
        if sum(p.has(index) for p in equation.target.indices) > 1 or any(c.has(index) for c in equation.domain if c not in known):
            return []
    return found


def _size(index: Index) -> int:
    return int(index.extent) if index.extent.is_Integer else 10**9


def _source(program: Program, equation: Equation, window: _Window) -> Access | None:
    """The factor that is read at the number of the window, row by row of a whole axis; only others have the tap."""
    reading = [a for a in accesses(equation.body) if a.has(window.along)]
    if len(reading) != 1 or reading[0] not in sp.Mul.make_args(equation.body) or reading[0].has(window.tap):
        return None
    access, tensor = reading[0], program.tensor(reading[0].name)
    for position, extent, origin in zip(access.indices, tensor.extents(access), tensor.origin):
        if position.has(window.along) and (position, extent, origin) != (window.along, window.along.extent, 0):
            return None
    others, once = equation.body / access, sum(p == window.along for p in access.indices) == 1
    return access if once and others.has(window.tap) and not others.has(window.along) else None


def _is_cheaper(equation: Equation, source: Access, window: _Window, others: list[_Window]) -> bool:
    """Whether rows of the source take less to copy than the sums that are saved, the taps of the other axes are few, and the product
    has more rows of the source to read than margins."""
    summed = {i for i in equation.over if source.has(i)}
    kept = {i for i in equation.indices if i not in equation.over and not source.has(i) and i != window.tap}
    if not summed or not all(i.extent.is_Integer for i in (*summed, *kept)) or sp.Mul(*(w.tap.extent for w in others)) > FEW:
        return False
    margins = window.dilation * ((int(window.tap.extent) - 1) // window.stride)
    return bool(sp.Mul(*(i.extent for i in summed)) <= DEAR * sp.Mul(*(i.extent for i in kept)) and margins <= window.along.extent)


def _rows(equation: Equation, window: _Window, remainder: int, names: NameSupply) -> Equation | None:
    """The sum over the taps of one remainder of the stride, for the elements that they reach."""
    taps = len(range(remainder, int(window.tap.extent), window.stride))
    first = window.first + window.dilation * remainder
    inside = window.inside(first, int(window.along.extent) + window.dilation * (taps - 1))
    if not inside:
        return None
    row, tap = Index(names.fresh(window.along.name), len(inside), part=True), Index(names.fresh(window.tap.name), taps)
    turned = taps - 1 - tap if taps > 1 else sp.S.Zero
    read = sp.expand(row + inside.start - window.dilation * turned)
    body = equation.body.xreplace({window.along: read, window.tap: sp.expand(remainder + window.stride * turned)})
    at = list(equation.target.indices)
    at[window.place] = sp.expand(window.stride * (row + inside.start) + first)
    domain = [c for c in equation.domain if c not in window.guards]
    return replace(equation, target=Access(equation.target.name, *at), body=body,
                   over=(*([tap] if taps > 1 else []), *equation.over),
                   domain=(*domain, read, sp.expand(window.along.extent - 1 - read)))


def _added(program: Program, equation: Equation, others: list[_Window], names: NameSupply) -> Made:
    """A sum under a name of its own, and what each tap of the other axes adds of it to the target; the largest parts come first."""
    equation = equation.map(lambda e: e.xreplace({i: i.start for i in equation.indices if i.extent == 1 and i not in equation.over}))
    target = program.tensor(equation.target.name)
    axes = _axes(equation, [w.tap for w in others])
    tensor = Tensor(names.fresh(f"{target.name}_rows"), tuple(i.extent for i in axes), dtype=target.dtype)
    guards = {c for w in others for c in w.guards}
    whole = replace(equation, target=Access(tensor.name, *axes), domain=tuple(c for c in equation.domain if c not in guards))
    before, pieces = list[Equation](), list[Piece]()
    for alike in _alike(others):
        if len(alike) > 1 and len(others) == 1 and others[0].stride > 1:
            inner, more = _together(tensor, axes, others[0], [taps[0] for taps in alike], names)
            before += inner
            pieces += more
        else:
            pieces += [(taps, tuple(w.reached(k) for w, k in zip(others, taps, strict=True))) for taps in alike]
    if not pieces:
        return [], []
    pieces = _interleaved(pieces, others, names)
    parts = [_part(equation, tensor, axes, others, *piece, names) for piece in pieces]
    first, *rest = sorted(parts, key=lambda p: -sum(_size(i) for i in p.indices))
    return [tensor], [replace(whole, label=""), *before, replace(first, label=equation.label), *rest]


def _alike(others: list[_Window]) -> list[list[tuple[int, ...]]]:
    """The taps that reach the target, those together whose positions leave the same remainders of the strides."""
    found: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for taps in product(*(range(int(w.tap.extent)) for w in others)):
        if all(w.reached(k) for w, k in zip(others, taps, strict=True)):
            found.setdefault(tuple(w.at(k) % w.stride for w, k in zip(others, taps, strict=True)), []).append(taps)
    return list(found.values())


def _part(equation: Equation, rows: Tensor, axes: tuple[Index, ...], others: list[_Window], taps: Sequence[Tap], reached: Sequence[range],
          names: NameSupply) -> Equation:
    """What these windows add to the target with these taps."""
    moved: dict[sp.Basic, sp.Basic] = {}
    for window, tap, r in zip(others, taps, reached, strict=True):
        moved |= {window.tap: sp.sympify(tap), window.along: Index(names.fresh(window.along.name), len(r), r.start, part=True)}
    return Equation(Access(equation.target.name, *(sp.expand(p.xreplace(moved)) for p in equation.target.indices)),
                    Access(rows.name, *(a.xreplace(moved) for a in axes)))


def _together(rows: Tensor, axes: tuple[Index, ...], window: _Window, taps: list[int], names: NameSupply
              ) -> tuple[list[Equation], list[Piece]]:
    """What taps of one remainder add to the one that reaches most, and what then is added to the target, which is a slice with gaps."""
    most = max(taps, key=lambda k: len(window.reached(k)))
    all_of_it, inner, pieces = window.reached(most), list[Equation](), list[Piece]()
    for tap in taps:
        reached, shift = window.reached(tap), window.at(tap) // window.stride - window.at(most) // window.stride
        both = range(max(reached.start, all_of_it.start - shift), min(reached.stop, all_of_it.stop - shift))
        if tap != most and both:
            row = Index(names.fresh(window.along.name), len(both), both.start, part=True)
            into, read = ({window.tap: sp.Integer(k), window.along: at} for k, at in ((most, row + shift), (tap, row)))
            inner.append(Equation(*(Access(rows.name, *(a.xreplace(m) for a in axes)) for m in (into, read))))
        left = [reached] if tap == most or not both else [range(reached.start, both.start), range(both.stop, reached.stop)]
        pieces += [((tap,), (r,)) for r in left if r]
    return inner, pieces


def _interleaved(pieces: list[Piece], others: list[_Window], names: NameSupply) -> list[Piece]:
    """The pieces, those of all remainders as one where their slices have no gaps together."""
    if len(others) > 1 or others[0].stride == 1 or others[0].dilation > 1 or len({reached for _, reached in pieces}) > 1:
        return pieces
    taps, window = sorted(tap for (tap,), _ in pieces), others[0]
    if taps != list(range(taps[0], taps[0] + window.stride)):
        return pieces
    return [((Index(names.fresh(window.tap.name), len(taps), taps[0], part=True),), pieces[0][1])]


def _axes(equation: Equation, taps: list[Index]) -> tuple[Index, ...]:
    """The free indices as the product leaves them: those of all factors, the taps, the other ones of the kernel, those of the source."""
    free = [i for i in equation.indices if i not in equation.over and i not in taps]
    factors = [f.free_symbols for f in sp.Mul.make_args(equation.body)]
    shared = [i for i in free if all(i in f for f in factors if f)]
    kernel = [i for i in free if i not in shared and any(i in f and set(taps) & f for f in factors)]
    return (*shared, *taps, *kernel, *(i for i in free if i not in shared and i not in kernel))
