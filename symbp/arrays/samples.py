"""Which equations go through a batch sample by sample: convolutions whose patches would leave the cache if all were made at once.

Stage: lowered L1 equations → the runs of them that one loop over the samples does.  Copying the windows of one image, multiplying the
matrix and going on to the next image takes about half the time of copying all windows to memory and reading them again; what is done
with the products before and after, element by element, goes along in the same loop.
"""
from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from math import prod

import sympy as sp

from symbp.arrays.equation import OfEquation
from symbp.arrays.hits import Hit
from symbp.arrays.memory import shows_windows
from symbp.arrays.nodes import Gather, Node, Pad, Windows, nodes
from symbp.language.equation import Equation
from symbp.language.index import Index
from symbp.language.tensor import Access, accesses, all_accesses, names_read

LARGE = 2**15
"""From so many elements of one sample's windows on; 128 KiB in single precision."""
SOME = 2**12
"""From so many elements of one sample on, what is done element by element goes along."""


@dataclass(frozen=True)
class Along:
    """Contributions to one tensor that can be made sample by sample.

    group: the equations as they are; items: as they are lowered.  is_product: whether it is for their sake that there is a loop.
    windows: what they read through windows.
    """

    group: list[Equation]
    items: list[OfEquation]
    sample: Index
    is_product: bool
    hit: Hit | None = None
    windows: dict[Access, Node] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """The tensor that is written."""
        return self.group[0].target.name

    def follows(self, run: Iterable[Along]) -> bool:
        """Whether this can stand in one loop behind others: it reads nothing that is complete only after the loop."""
        run = list(run)
        totals = {p.target for p in run if p.sample not in p.group[0].target.indices}
        read = {n for eq in self.group for n in names_read(eq.expressions)}
        made = {p.target for p in run}
        rows = all(a.indices[0] == self.sample for eq in self.group for a in all_accesses(eq.body) if a.name in made - totals)
        return self.sample == run[0].sample and rows and not read & totals and not {a.name for a in self.windows} & made \
            and self.target not in made


def along(items: list[OfEquation], group: list[Equation], hits: list[Hit]) -> Along | None:
    """What lowered contributions to one tensor are to a loop over samples, or None where they cannot be in one."""
    if not items or len(items) < len(group) or any(item.left or item.gathers for item in items) and not hits:
        return None
    sample = next((i for item in items if (i := sample_index(item.equation, item.fixed)) is not None), None)
    is_product = sample is not None
    sample = sample or next((i for i in group[0].indices if _is_by(i, group[0])), None)
    if sample is None or not all(_is_by(sample, eq) for eq in group):
        return None
    if hits:
        return Along(group, items, sample, False, hits[0]) if len(group) == 1 and _is_some(group[0]) else None
    targets = [item.target() for item in items]
    if len(group) > 1 and not all(t.is_whole and t.axes == targets[0].axes and sample in t.axes for t in targets):
        return None
    if is_product:
        read = {a: item.read(a) for item in items for a in accesses(item.equation.body)}
        shown = {a: node for a, node in read.items() if shows_windows(node) and a.indices[0] == sample}
        others = [node for a, node in read.items() if a not in shown]
        return None if any(map(_is_costly, others)) else Along(group, items, sample, True, windows=shown)
    plain = all(t.is_whole for t in targets) and all(map(_is_plain, items)) and any(map(_is_some, group))
    return Along(group, items, sample, False) if plain else None


def _is_by(sample: Index, equation: Equation) -> bool:
    """Whether all that has the index of the samples has it as its first position."""
    parts = (equation.target, *accesses(equation.body))
    by = [a for a in parts if sample in _indices(a)]
    once = all(a.indices[0] == sample and not any(p.has(sample) for p in a.indices[1:] if not p.has(Access)) for a in by)
    summed = sample not in _indices(equation.target)
    return once and bool(by) and (not summed or equation.op == "sum") and not any(c.has(sample) for c in equation.domain)


def _is_plain(item: OfEquation) -> bool:
    """Whether an equation works element by element on arrays as they are, is a sum of such, or a maximum over few taps."""
    equation = item.equation
    if equation.op == "max":
        return item.is_over_few_taps()
    if equation.op != "sum" or isinstance(equation.body, Access) != bool(equation.over):
        return False
    return not any(_is_costly(item.read(a)) for a in accesses(equation.body))


def _is_costly(node: Node) -> bool:
    """Whether reading a node copies something, or is better done for all samples at once."""
    return any(isinstance(n, Pad | Windows | Gather) for n in nodes(node))


def _is_some(equation: Equation) -> bool:
    return max(_size({i for i in _indices(a) if i.extent.is_Integer}) for a in (equation.target, *accesses(equation.body))) >= SOME


def sample_index(equation: Equation, fixed: Collection[Index]) -> Index | None:
    """The first index of two of the three tensors of a product over windows, where one sample's windows are many.

    >>> from symbp.language.tensor import Tensor
    >>> n, f, c, i, j, u, v = (Index(*a) for a in zip("nfcijuv", (64, 32, 32, 16, 16, 3, 3)))
    >>> y, K, x = Tensor("y", (64, 32, 16, 16)), Tensor("K", (32, 32, 3, 3)), Tensor("x", (64, 32, 18, 18))
    >>> sample_index(Equation(y[n, f, i, j], K[f, c, u, v]*x[n, c, i + u, j + v], over=(c, u, v)), ())
    n
    >>> sample_index(Equation(K[f, c, u, v], y[n, f, i, j]*x[n, c, i + u, j + v], over=(n, i, j)), ())
    n
    """
    parts = (equation.target, *accesses(equation.body))
    if fixed or equation.op != "sum" or not equation.body.is_Mul or len(parts) != 3 or any(not a.indices for a in parts):
        return None
    if not any(_slides(p) for a in parts for p in a.indices) or any(p.has(Access) for a in parts for p in a.indices):
        return None
    index = next((i for i in equation.indices if sum(a.indices[0] == i for a in parts) == sum(i in _indices(a) for a in parts) == 2), None)
    if index is None:
        return None
    holders = [_indices(a) - {index} for a in parts if a.indices[0] == index]
    other = next(_indices(a) for a in parts if a.indices[0] != index)
    places, groups = holders[0] & holders[1] - other, [h & other for h in holders]
    many = max(_size(h) for h in holders) >= LARGE and _size(places) >= min(map(_size, groups))
    return index if many else None


def _indices(access: Access) -> set[Index]:
    return {i for p in access.indices for i in p.atoms(Index)}


def _slides(position: sp.Expr) -> bool:
    return len(position.atoms(Index)) > 1


def _size(indices: Collection[Index]) -> int:
    """The product of the extents; 0 where one is no number."""
    return prod(int(i.extent) if i.extent.is_Integer else 0 for i in indices)
