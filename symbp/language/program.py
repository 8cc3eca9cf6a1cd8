"""A program of level 1: tensors, statements in order, facts about the inputs, and conventions."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import sympy as sp

from symbp.errors import LanguageError
from symbp.language.conventions import Conventions
from symbp.language.equation import Equation, Loop, Statement, walk
from symbp.language.facts import Fact
from symbp.language.index import Index, indices_of
from symbp.language.tensor import Tensor
from symbp.suggest import nearest


@dataclass(frozen=True)
class Program:
    """Statements in order, with the tensors that they name.

    Building one checks it (`symbp.language.wellformed`); errors quote the equation, the index and the extents.
    """

    tensors: tuple[Tensor, ...]
    statements: tuple[Statement, ...]
    facts: tuple[Fact, ...] = ()
    conventions: Conventions = field(default_factory=Conventions)

    def __post_init__(self) -> None:
        from symbp.language.wellformed import check
        object.__setattr__(self, "tensors", tuple(self.tensors))
        object.__setattr__(self, "statements", tuple(self.statements))
        object.__setattr__(self, "facts", tuple(self.facts))
        object.__setattr__(self, "_by_name", {t.name: t for t in self.tensors})
        check(self)

    def tensor(self, name: str) -> Tensor:
        """The tensor of that name; an error that offers the nearest name otherwise."""
        try:
            return self._by_name[name]
        except KeyError:
            raise LanguageError(f"no tensor is called {name!r}{nearest(name, self._by_name)}") from None

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    @cached_property
    def equations(self) -> tuple[Equation, ...]:
        """Every equation in order, those inside loops included."""
        return tuple(eq for eq, _ in walk(self.statements))

    @cached_property
    def inputs(self) -> tuple[Tensor, ...]:
        """The tensors that no statement writes: inputs, parameters, states, constants."""
        written = {eq.target.name for eq in self.equations}
        return tuple(t for t in self.tensors if t.name not in written)

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """The tensors whose gradients are wanted by default."""
        return tuple(t for t in self.tensors if t.role == "parameter")

    @cached_property
    def sizes(self) -> tuple[sp.Symbol, ...]:
        """The symbolic extents, sorted by name."""
        expressions = [e for t in self.tensors for e in (*t.shape, *t.origin)]
        expressions += [e for eq, loops in walk(self.statements) for e in (*eq.expressions, eq.target)]
        expressions += [e for i in self.indices for e in (i.extent, i.start)]
        found = {s for e in expressions for s in e.free_symbols if not isinstance(s, Index)}
        return tuple(sorted(found, key=lambda s: s.name))

    @property
    def size_facts(self) -> tuple[sp.Expr, ...]:
        """What the facts say of sizes alone (`L >= 2`), each as an expression that is ≥ 0."""
        said = [f for f in self.facts if not f.tensors and not f.over]
        ways = {">=": 0, ">": -1}
        return (*(f.left - f.right + ways[f.relation] for f in said if f.relation in ways),
                *(f.right - f.left + ways[f.relation.replace("<", ">")] for f in said if f.relation in ("<", "<=")))

    @cached_property
    def widths(self) -> tuple[type, ...]:
        """The width functions n(l), sorted by name: sizes that depend on an outer index."""
        expressions = [e for t in self.tensors for e in t.shape] + [i.extent for i in self.indices]
        found = {f.func for e in expressions for f in e.atoms(sp.core.function.AppliedUndef)}
        return tuple(sorted(found, key=lambda f: f.__name__))

    @cached_property
    def indices(self) -> tuple[Index, ...]:
        """Every index of every equation and loop, once, in order of appearance."""
        found: dict[Index, None] = {}
        for eq, loops in walk(self.statements):
            found.update(dict.fromkeys((*(lp.index for lp in loops), *eq.indices,
                                        *(i for e in (eq.body, *eq.domain) for i in indices_of(e)))))
        return tuple(found)

    def extended(self, tensors: Iterable[Tensor], statements: Iterable[Statement]) -> Program:
        """The program with more tensors and, after its own, more statements."""
        return replace(self, tensors=(*self.tensors, *tensors), statements=(*self.statements, *statements))

    def given(self) -> Program:
        """The program in which held tensors are inputs: what is differentiated where there are such."""
        held = {t.name for t in self.tensors if t.held}

        def kept(statements: Iterable[Statement]) -> tuple[Statement, ...]:
            loops = (replace(s, body=kept(s.body)) if isinstance(s, Loop) else s for s in statements)
            return tuple(s for s in loops if isinstance(s, Loop) or s.target.name not in held)

        tensors = tuple(replace(t, role="input", held=False) if t.held else t for t in self.tensors)
        return replace(self, tensors=tensors, statements=kept(self.statements)) if held else self

    def definition(self, name: str) -> tuple[Equation, ...]:
        """The equations that write a tensor, in order: its contributions, or its single max."""
        return tuple(eq for eq in self.equations if eq.target.name == name)

    def __str__(self) -> str:
        return "\n".join(str(s) for s in self.statements)


__all__ = ["Program", "Equation", "Loop", "Statement", "Tensor"]
