"""Conditions that change no result are dropped: where a factor is zero anyway, and where nobody looks.

Stage: L1 Program → L1 Program with the same values of all wanted tensors, and of all that is read of the others.

    e[i,j] = exp(s[i,j]) where j ≤ i,  S[i] = Σ_j e[i,j] where j ≤ i      ⇒   S[i] = Σ_j e[i,j]: e is 0 elsewhere
    s[i,j] = Σ_r Q[i,r] K[j,r] where j ≤ i, read by e where j ≤ i only    ⇒   s[i,j] = Σ_r Q[i,r] K[j,r]

So causal attention masks what the softmax reads, and nothing else; its products are plain matrix products.
"""
from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import sympy as sp

from symbp.language.affine import implies, range_facts
from symbp.language.equation import Equation, Loop
from symbp.language.index import Index, indices_of, substitute
from symbp.language.program import Program
from symbp.language.tensor import Access, accesses

Conditions = frozenset[sp.Expr]


def without_needless(program: Program, wanted: Collection[str] = ()) -> Program:
    """The program with fewer conditions.  wanted: tensors whose every element counts; all others count as far as they are read.

    >>> from symbp.language import Tensor
    >>> i, j = Index("i", 3), Index("j", 3)
    >>> s, e, S = Tensor("s", (3, 3), role="input"), Tensor("e", (3, 3)), Tensor("S", (3,))
    >>> causal = {"domain": (i - j,)}
    >>> print(without_needless(Program((s, e, S), (Equation(e[i, j], sp.exp(s[i, j]), **causal),
    ...                                            Equation(S[i], e[i, j], over=[j], **causal))), ["S"]))
    e[i, j] += exp(s[i, j]) where i - j >= 0
    S[i] += sum(j, e[i, j])
    """
    if any(isinstance(s, Loop) for s in program.statements) or not any(eq.domain for eq in program.equations):
        return program
    return _Conditions(program, wanted).program()


class _Conditions:
    """zero: for each tensor that is written once, at plain indices, its target and the conditions outside which it is 0."""

    def __init__(self, program: Program, wanted: Collection[str]) -> None:
        self.given, self.wanted = program, wanted
        self.zero: dict[str, tuple[Access, Conditions]] = {}
        self.inherited: set[str] = set()
        self.needed: set[str] = set()
        self.left: list[Equation] = []

    def program(self) -> Program:
        """The program with both kinds of conditions dropped."""
        self.left = [self._multiplied(eq) for eq in self.given.equations]
        return replace(self.given, statements=tuple(map(self._unread, self.left)))

    # where a factor is zero

    def _multiplied(self, equation: Equation) -> Equation:
        """The equation without the conditions outside which each of its addends has a factor 0."""
        dropped = []
        for condition in equation.domain if equation.op == "sum" else ():
            factors = [self._zero_factor(addend, condition, equation) for addend in sp.Add.make_args(sp.expand_mul(equation.body))]
            if None not in factors:
                self.needed |= {name for name in factors if name}
                dropped.append(condition)
        if not equation.domain:
            return equation
        own = frozenset(c for c in equation.domain if set(indices_of(c)) <= set(equation.target.indices))
        if len(self.given.definition(equation.target.name)) == 1 and all(isinstance(i, Index) for i in equation.target.indices) and own:
            self.zero[equation.target.name] = equation.target, own
            if own <= {*dropped}:
                self.inherited.add(equation.target.name)
        return replace(equation, domain=tuple(c for c in equation.domain if c not in dropped))

    def _zero_factor(self, addend: sp.Expr, condition: sp.Expr, equation: Equation) -> str | None:
        """The tensor that makes an addend 0 where a condition fails; one that is 0 for a like reason before one that is masked for it."""
        factors = sp.Mul.make_args(addend)
        found = [f for f in factors if isinstance(f, Access) and condition in self._outside(f)]
        found.sort(key=lambda f: f.name not in self.inherited)
        if not found or not all(self._is_finite(f, condition, equation) for f in factors if f != found[0]):
            return None
        return found[0].name

    def _outside(self, access: Access) -> Conditions:
        """The conditions outside which an element is 0, in the indices that it is read with."""
        if access.name not in self.zero:
            return frozenset()
        target, conditions = self.zero[access.name]
        mapping = dict(zip(target.indices, access.indices))
        return frozenset(sp.expand(substitute(c, mapping)) for c in conditions)

    @staticmethod
    def _is_finite(factor: sp.Expr, condition: sp.Expr, equation: Equation) -> bool:
        """Whether a factor is a number also where the condition fails: polynomial, or needed with some indices for which it holds."""
        if factor.is_polynomial(*accesses(factor)) and all(isinstance(i, Index) for a in accesses(factor) for i in a.indices):
            return True
        others = [i for i in indices_of(condition) if i not in factor.atoms(Index)]
        known = range_facts(i for i in indices_of(condition) if i not in others)
        ends = ({i: i.start for i in others}, {i: i.last for i in others})
        return bool(others) and any(implies(known, sp.expand(substitute(condition, end))) for end in ends)

    # where nobody looks

    def _unread(self, equation: Equation) -> Equation:
        """The equation without the conditions outside which no one reads its tensor but times 0."""
        name = equation.target.name
        plain = all(isinstance(i, Index) for i in equation.target.indices)
        if name in self.wanted or name in self.needed or not plain or equation.op != "sum" or not equation.domain:
            return equation
        reads = [(eq, a) for eq in self.left for a in accesses(eq.body) if a.name == name]
        own = [c for c in equation.domain if set(indices_of(c)) <= set(equation.target.indices)]
        dropped = [c for c in own if reads and self._is_total(equation) and all(self._ignored(equation, c, *read) for read in reads)]
        return replace(equation, domain=tuple(c for c in equation.domain if c not in dropped))

    @staticmethod
    def _is_total(equation: Equation) -> bool:
        """Whether a body is a number everywhere: a polynomial of elements at plain indices."""
        read = accesses(equation.body)
        return equation.body.is_polynomial(*read) and all(isinstance(i, Index) for a in read for i in a.indices)

    def _ignored(self, equation: Equation, condition: sp.Expr, reader: Equation, access: Access) -> bool:
        """Whether a reader does not see an element for which the condition fails."""
        there = sp.expand(substitute(condition, dict(zip(equation.target.indices, access.indices))))
        if there in reader.domain:
            return True
        return all(any(isinstance(f, Access) and f.name in self.needed and there in self._outside(f) for f in sp.Mul.make_args(addend))
                   for addend in sp.Add.make_args(sp.expand_mul(reader.body)) if addend.has(access))
