"""The calculus: adjoint and tangent of a program, by the rules below and nothing else.

    y[ψ] += Σ_k f(t1[φ1], …, tn[φn])   ⇒   t̄m[φm] += Σ_{indices not in φm} ȳ[ψ] · ∂f/∂tm[φm]      same domain
    y[ψ]  = max_k f                    ⇒   first hit: t̄m[φm(U)] += ȳ[ψ] · ∂f/∂tm at k = U = argmax_k f
                                           split:     t̄m[φm]    += ȳ[ψ] · [f = y]/Σ[f = y] · ∂f/∂tm
    Loop(t ↑, S1 … Sm)                 ⇒   Loop(t ↓, adjoint(Sm) … adjoint(S1))
    tangent:                               ẏ[ψ] += Σ_k Σ_m ∂f/∂tm[φm] · ṫm[φm]

Stage: L1 Program → L1 Program.  The result holds the given statements and then those of the derivative, with
fresh names, so that both passes can be applied to their own output.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import sympy as sp

from symbp.calculus.local import partial
from symbp.errors import LanguageError
from symbp.language.equation import Equation, Loop, Statement, walk
from symbp.language.functions import equal
from symbp.language.index import Index, indices_of
from symbp.language.names import NameSupply
from symbp.language.program import Program
from symbp.language.tensor import AXIS0, Access, Tensor, accesses

OPPOSITE = {"ascending": "descending", "descending": "ascending"}


@dataclass(frozen=True)
class Derivative:
    """A differentiated program.

    program: the given statements and the derivative's.  of, wrt: names.  names: for each tensor that takes part,
    the name of its cotangent (tangent).  origin: for each derivative equation, the equation that it came from.
    seed: for an `of` with axes, the name of the input that holds the vector of the vector-Jacobian product;
    the tangent's seeds are the tangents of `wrt`.
    """

    program: Program
    of: str
    wrt: tuple[str, ...]
    names: Mapping[str, str]
    origin: Mapping[Equation, Equation]
    given: int
    seed: str

    @property
    def statements(self) -> tuple[Statement, ...]:
        """The statements that the pass added."""
        return self.program.statements[self.given:]


def adjoint(program: Program, of: str, wrt: Iterable[str] | None = None) -> Derivative:
    """Reverse mode: the cotangent of each of `wrt` (default: all parameters) for the tensor `of`.

    A scalar `of` is seeded with 1, any other by an input tensor (a vector-Jacobian product).
    Raises `LanguageError` for unknown names and for functions that the calculus does not know.

    >>> i = Index("i", 3)
    >>> x, s = Tensor("x", (3,), role="parameter"), Tensor("s")
    >>> d = adjoint(Program((x, s), (Equation(s[()], x[i]**2, over=(i,)),)), of="s")
    >>> print(*d.statements, sep="; ")
    s_bar[] += 1; x_bar[i] += 2*s_bar[]*x[i]
    """
    names = _wanted(program, wrt)
    return _Adjoint(program, of, names).run()


def tangent(program: Program, wrt: Iterable[str] | None = None) -> Derivative:
    """Forward mode: the tangent of every tensor that depends on `wrt`, whose own tangents are inputs."""
    return _Tangent(program, "", _wanted(program, wrt)).run()


def _wanted(program: Program, wrt: Iterable[str] | None) -> tuple[str, ...]:
    names = tuple(wrt) if wrt is not None else tuple(t.name for t in program.parameters)
    for name in names:
        if program.tensor(name).dtype == "int":
            raise LanguageError(f"{name} holds integers; a derivative by it is not defined")
    return names


def dependents(program: Program, names: Iterable[str]) -> set[str]:
    """The tensors whose values depend differentiably on the named ones, these included; nothing flows through one that is held."""
    found, held = set(names), {t.name for t in program.tensors if t.held}
    while True:
        more = {eq.target.name for eq in program.equations if eq.op != "argmax" and found & _values(eq)} - found - held
        if not more:
            return found
        found |= more


def influences(program: Program, name: str) -> set[str]:
    """The tensors on whose values the named one depends, itself included; nothing flows through one that is held."""
    found, held = {name}, {t.name for t in program.tensors if t.held}
    while True:
        more = {n for eq in program.equations if eq.target.name in found - held for n in _values(eq)} - found
        if not more:
            return found
        found |= more


def _values(equation: Equation) -> set[str]:
    return {a.name for a in accesses(equation.body)}


class _Pass:
    """What both directions share: fresh tensors for the active ones, and the positions of maxima."""

    suffix: str

    def __init__(self, program: Program, of: str, wrt: tuple[str, ...]) -> None:
        self.program, self.of, self.wrt = program, of, wrt
        self.supply = NameSupply({t.name for t in program.tensors} | {i.name for i in program.indices})
        self.tensors: dict[str, Tensor] = {}
        self.extra: list[Tensor] = []
        self.origin: dict[Equation, Equation] = {}

    def make(self, active: Iterable[str]) -> None:
        """A derivative tensor of the same shape for each active tensor, in the program's order."""
        chosen = set(active)
        for tensor in self.program.tensors:
            if tensor.name in chosen:
                self.tensors[tensor.name] = self.counterpart(tensor, self.supply.fresh(tensor.name + self.suffix))

    def counterpart(self, tensor: Tensor, name: str) -> Tensor:
        """The cotangent or tangent of a tensor."""
        return replace(tensor, name=name, role="intermediate", symbol="", cotangent="", auxiliary=False, held=False, next_of="",
                       cotangent_of=(self.of, tensor.name))

    def active(self, equation: Equation) -> tuple[Access, ...]:
        """The accesses of a body that are differentiated."""
        return tuple(a for a in accesses(equation.body) if a.name in self.tensors)

    def counterpart_of(self, access: Access) -> Access:
        return Access(self.tensors[access.name].name, *access.indices)

    def local(self, tensor: Tensor, suffix: str, dtype: str, symbol: str = "") -> Tensor:
        """A further tensor of the shape of `tensor`: positions of a maximum, counts of ties."""
        made = replace(tensor, name=self.supply.fresh(tensor.name + suffix), dtype=dtype, role="intermediate",
                       symbol=symbol, cotangent="", cotangent_of=None, auxiliary=False, held=False, next_of="")
        self.extra.append(made)
        return made

    def first_hit(self, equation: Equation) -> tuple[list[Equation], dict[sp.Basic, sp.Basic]]:
        """The argmax equations of a max, and the substitution of the bound indices by the positions found."""
        from symbp.printing.latex import name_latex
        found, mapping = [], {}
        for index in equation.over:
            symbol = f"{{{name_latex(index.name)}^{{*}}}}"
            where = self.local(self.program.tensor(equation.target.name), f"_argmax_{index.name}", "int", symbol)
            target = Access(where.name, *equation.target.indices)
            found.append(replace(equation, target=target, op="argmax", component=index))
            mapping[index] = target
        return found, mapping

    def ties(self, equation: Equation) -> tuple[list[Equation], sp.Expr]:
        """The equation that counts the tied maxima, and the share [f = y]/count of each."""
        count = self.local(self.program.tensor(equation.target.name), "_ties", "float")
        hit = equal(equation.body, equation.target)
        target = Access(count.name, *equation.target.indices)
        return [replace(equation, target=target, body=hit, op="sum")], hit / target

    def outside(self, equation: Equation) -> list[sp.Expr]:
        """The conditions of a max's domain on its own indices; the positions found satisfy the others."""
        return [c for c in equation.domain if not c.free_symbols & set(equation.over)]

    def write(self, source: Equation, target: Access, body: sp.Expr, indices: Iterable[Index],
              domain: Iterable[sp.Expr]) -> Iterator[Equation]:
        """One derivative equation, unless its body is zero."""
        if body == 0:
            return
        named = {i for e in target.indices for i in indices_of(e)}
        made = Equation(target, body, over=[i for i in indices if i not in named], domain=domain, label=source.label)
        self.origin[made] = source
        yield made

    def free(self, indices: Iterable[Index], loops: frozenset[Index]) -> list[Index]:
        """The indices that no loop fixes."""
        return [i for i in indices if i not in loops]

    def finish(self, statements: tuple[Statement, ...], inputs: Iterable[Tensor] = (), seed: str = "") -> Derivative:
        """The program of the result; a derivative that nothing contributes to is zero, and says so first."""
        inputs = {t.name: t for t in inputs}
        tensors = [inputs.get(t.name, t) for t in self.tensors.values()]
        written = {eq.target.name for eq, _ in walk(statements)} | set(inputs)
        zeros = [self.everywhere(t, lambda _: sp.S.Zero, "zero") for t in tensors if t.name not in written]
        program = self.build((*zeros, *statements), (*tensors, *self.extra))
        return Derivative(program, self.of, self.wrt, {k: t.name for k, t in self.tensors.items()}, self.origin,
                          len(self.program.statements) if self.suffix == "_bar" else 0, seed)

    def everywhere(self, tensor: Tensor, value: Callable[[tuple[Index, ...]], sp.Expr], label: str) -> Statement:
        """The statement that gives every element of a tensor a value."""
        indices: list[Index] = []
        for extent, start in zip(tensor.shape, tensor.origin):
            row = {AXIS0: indices[0]} if indices else {}
            indices.append(Index(self.supply.fresh(f"i_{len(self.extra) + len(indices)}"), extent.xreplace(row), start))
        equation = Equation(tensor[tuple(indices)], value(tuple(indices)), label=label)
        ragged = any(AXIS0 in e.free_symbols for e in tensor.shape)
        return Loop(indices[0], "ascending", (equation,)) if ragged else equation

    def build(self, statements: tuple[Statement, ...], tensors: Iterable[Tensor]) -> Program:
        return self.program.extended(tensors, statements)


class _Adjoint(_Pass):
    suffix = "_bar"

    def run(self) -> Derivative:
        program = self.program
        target = program.tensor(self.of)
        if target.dtype == "int":
            raise LanguageError(f"{self.of} holds integers and has no derivative")
        self.make(dependents(program, self.wrt) & influences(program, self.of) | {self.of, *self.wrt})
        bar, statements = self.tensors[self.of], tuple(self.backward(program.statements, frozenset()))
        if not target.shape:
            return self.finish((Equation(bar[()], sp.S.One, label="seed"), *statements))
        if not any(eq.target.name == bar.name for eq, _ in walk(statements)):
            return self.finish(statements, [replace(bar, role="input")], bar.name)
        seed = replace(bar, name=self.supply.fresh(self.of + "_seed"), role="input")
        self.extra.append(seed)
        return self.finish((self.everywhere(bar, lambda at: seed[at], "seed"), *statements), seed=seed.name)

    def backward(self, statements: tuple[Statement, ...], loops: frozenset[Index]) -> Iterator[Statement]:
        """The adjoint statements, in reverse order."""
        for statement in reversed(statements):
            if isinstance(statement, Loop):
                body = tuple(self.backward(statement.body, loops | {statement.index}))
                if body:
                    yield Loop(statement.index, OPPOSITE[statement.direction], body)
            elif statement.target.name in self.tensors:
                rule = self.of_sum if statement.op == "sum" else \
                    self.of_max_first if self.program.conventions.ties == "first" else self.of_max_split
                yield from rule(statement, loops)

    def of_sum(self, eq: Equation, loops: frozenset[Index]) -> Iterator[Equation]:
        """t̄[φ] += Σ ȳ[ψ]·∂f/∂t[φ] on the same domain."""
        for access in self.active(eq):
            yield from self.write(eq, self.counterpart_of(access), self.counterpart_of(eq.target) * partial(eq.body, access),
                                  self.free(eq.indices, loops), eq.domain)

    def of_max_first(self, eq: Equation, loops: frozenset[Index]) -> Iterator[Equation]:
        """The cotangent goes to the first hit U: t̄[φ(U)] += ȳ[ψ]·∂f/∂t at k = U."""
        if not self.active(eq):
            return
        positions, at_hit = self.first_hit(eq)
        yield from positions
        indices = self.free((i for i in eq.indices if i not in eq.over), loops)
        for access in self.active(eq):
            body = self.counterpart_of(eq.target) * partial(eq.body, access)
            yield from self.write(eq, self.counterpart_of(access).xreplace(at_hit), body.xreplace(at_hit), indices, self.outside(eq))

    def of_max_split(self, eq: Equation, loops: frozenset[Index]) -> Iterator[Equation]:
        """The cotangent is split evenly among the ties: ȳ[ψ]·[f = y]/Σ[f = y]·∂f/∂t."""
        if not self.active(eq):
            return
        count, share = self.ties(eq)
        yield from count
        for access in self.active(eq):
            yield from self.write(eq, self.counterpart_of(access), self.counterpart_of(eq.target) * share * partial(eq.body, access),
                                  self.free(eq.indices, loops), eq.domain)


class _Tangent(_Pass):
    suffix = "_dot"

    def run(self) -> Derivative:
        self.make(dependents(self.program, self.wrt))
        seeds = [replace(self.tensors[n], role="input") for n in self.wrt]
        return self.finish(tuple(self.forward(self.program.statements)), seeds)

    def build(self, statements: tuple[Statement, ...], tensors: Iterable[Tensor]) -> Program:
        """Tangent statements stand beside the given ones, so they replace them."""
        return replace(self.program, tensors=(*self.program.tensors, *tensors), statements=statements)

    def forward(self, statements: tuple[Statement, ...]) -> Iterator[Statement]:
        """Each statement, followed by its tangent."""
        for statement in statements:
            if isinstance(statement, Loop):
                yield Loop(statement.index, statement.direction, tuple(self.forward(statement.body)))
                continue
            yield statement
            if statement.target.name in self.tensors and self.active(statement):
                yield from self.of_sum(statement) if statement.op == "sum" else self.of_max(statement)

    def product(self, eq: Equation) -> sp.Expr:
        """Σ_m ∂f/∂t_m · ṫ_m."""
        return sp.Add(*(partial(eq.body, a) * self.counterpart_of(a) for a in self.active(eq)))

    def of_sum(self, eq: Equation) -> Iterator[Equation]:
        yield from self.write(eq, self.counterpart_of(eq.target), self.product(eq), eq.over, eq.domain)

    def of_max(self, eq: Equation) -> Iterator[Equation]:
        if self.program.conventions.ties == "first":
            positions, at_hit = self.first_hit(eq)
            yield from positions
            yield from self.write(eq, self.counterpart_of(eq.target), self.product(eq).xreplace(at_hit), (), self.outside(eq))
        else:
            count, share = self.ties(eq)
            yield from count
            yield from self.write(eq, self.counterpart_of(eq.target), share * self.product(eq), eq.over, eq.domain)
