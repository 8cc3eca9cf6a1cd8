"""The cotangent of a maximum over windows, tap by tap: it goes to the first tap that has the maximum.

Stage: L1 Program → which scattering equations need no positions; and such an equation → L2 statements.  Windows may reach over the
margins; each of their indices stands in one position of what is compared.

    a_bar[2*i + U[i]] += m_bar[i],  U = argmax(u, a[2*i + u])      where m[i] = max(u, a[2*i + u]) is there

becomes a loop over u in which `hit = (a[u::2] == m) & ~taken` says where m_bar belongs to.
"""
from __future__ import annotations

from dataclasses import dataclass

from symbp.arrays.access import classify
from symbp.arrays.domain import guards, margins
from symbp.language.equation import Equation
from symbp.language.index import Index
from symbp.language.program import Program
from symbp.language.tensor import Access, names_read


@dataclass(frozen=True)
class Hit:
    """A scattering equation whose positions are those of a maximum.

    maximum: the equation of that maximum, at the scattering equation's indices.  target: where a tap goes.
    """

    maximum: Equation
    target: Access

    def widths(self, program: Program) -> tuple[tuple[int, int], ...]:
        """How far windows reach over the margins, before and after each axis."""
        if not self.maximum.domain:
            return ()
        tensor = program.tensor(self.target.name)
        axes = zip(self.target.indices, tensor.extents(self.target), tensor.origin)
        return tuple(w for p, e, o in axes if (w := margins(p, e, o, (), program.size_facts)) is not None)


def hits(program: Program) -> dict[Equation, Hit]:
    """The equations that scatter to where a maximum was found."""
    found = {}
    for equation in program.equations:
        names = {a.name for a in equation.target.atoms(Access) if a.name != equation.target.name}
        hit = _hit(program, equation, sorted(names)) if names else None
        if hit is not None:
            found[equation] = hit
    return found


def without_positions(program: Program, found: dict[Equation, Hit], wanted: frozenset[str]) -> set[str]:
    """The positions of maxima that nothing else reads."""
    known = {eq.target.name for eq in program.equations if eq.op == "argmax"} - wanted
    return known - {n for eq in program.equations if eq not in found for n in names_read(eq.expressions)}


def _hit(program: Program, equation: Equation, names: list[str]) -> Hit | None:
    if equation.op != "sum" or equation.over or equation.domain:
        return None
    writers = [program.definition(name) for name in names]
    if any(len(w) != 1 or w[0].op != "argmax" for w in writers):
        return None
    components = {w[0].component: a for w, a in zip(writers, _positions(equation.target, names), strict=True)}
    first = writers[0][0]
    same = [eq for eq in program.equations if (eq.op, eq.over, eq.domain) == ("max", first.over, first.domain) and eq.body == first.body
            and eq.target.indices == first.target.indices]
    alike = all((w[0].body, w[0].over, w[0].domain, w[0].target.indices) == (first.body, first.over, first.domain, first.target.indices)
                for w in writers)
    if not same or not alike or set(components) != set(first.over) or not isinstance(first.body, Access):
        return None
    if any(a is None or a.indices != first.target.indices for a in components.values()):
        return None
    target = equation.target.xreplace({a: u for u, a in components.items()})
    inside = not first.domain or _has_margins(program, first, target)
    found = [i for p in target.indices for i in p.atoms(Index)]
    each_once = len(found) == len({*found}) and {*found} == {*first.target.indices, *first.over}
    return Hit(same[0], target) if inside and each_once and _is_plain(target) else None


def _has_margins(program: Program, maximum: Equation, target: Access) -> bool:
    """Whether a maximum leaves out what lies outside its tensor and no more, and a target of the same shape is reached at its positions."""
    read, reached = program.tensor(maximum.body.name), program.tensor(target.name)
    return {*maximum.domain} <= guards(maximum.body, read) and target.indices == maximum.body.indices and \
        (read.shape, read.origin) == (reached.shape, reached.origin) and all(
            margins(p, e, o, (), program.size_facts) is not None
            for p, e, o in zip(target.indices, read.extents(target), read.origin))


def _positions(target: Access, names: list[str]) -> list[Access | None]:
    """For each name the only access to it in the target."""
    found = [[a for a in target.atoms(Access) if a.name == name] for name in names]
    return [a[0] if len({*a}) == 1 else None for a in found]


def _is_plain(target: Access) -> bool:
    return all(classify(p).kind in ("slice", "split", "window") for p in target.indices) and all(
        isinstance(i, Index) and i.extent.is_Integer for p in target.indices if classify(p).kind != "slice" for i in p.atoms(Index))
