"""Where 1/N stands: with the convention `scale_in = "gradient"` δ is that of the sum over the samples.

Texts that average gradients over a batch write δ = ∂(N L)/∂z, without 1/N, and ∂L/∂W = 1/N Σ δ a^⊤.  So the sum N L becomes
a tensor, its cotangents are derived as any others, and each gradient is one N-th of the cotangent of the sum.
"""
from __future__ import annotations

from dataclasses import dataclass, replace

import sympy as sp

from symbp.calculus.differentiate import Derivative, adjoint
from symbp.derivation.lines import Line, Step
from symbp.language.equation import Equation, Loop, Statement
from symbp.language.index import Index
from symbp.language.names import NameSupply
from symbp.language.program import Program
from symbp.language.tensor import AXIS0, Access, Tensor


@dataclass(frozen=True)
class Mean:
    """The cotangents of the sum over `count` samples, and for each parameter the tensor of its gradient."""

    derivative: Derivative
    count: sp.Expr
    gradients: dict[str, str]

    def line(self, line: Line, name: str) -> Line:
        """The line of a gradient, from that of the sum's cotangent."""
        target = Access(self.gradients[name], *line.target.indices)
        first = Step(1, "mean over the samples", target, line.target / self.count)
        steps = [replace(s, number=s.number + 1, before=s.before / self.count, after=s.after / self.count) for s in line.steps]
        return replace(line, target=target, right=line.right / self.count, steps=(first, *steps))


def samples(program: Program, of: str) -> sp.Expr | None:
    """The number N where every contribution to the scalar `of` has the factor 1/N; else None.

    >>> from symbp.language import size
    >>> n, x, s = Index("n", size("N")), Tensor("x", (size("N"),)), Tensor("s")
    >>> samples(Program((x, s), (Equation(s[()], x[n]**2/(2*size("N")), over=(n,)),)), "s")
    N
    """
    factors = [{f.base for f in sp.Mul.make_args(eq.body) if f.is_Pow and f.exp == -1 and f.base in program.sizes}
               for eq in program.definition(of)]
    common = set.intersection(*factors) if factors and not program.tensor(of).shape else set()
    return sp.Mul(*common) if common else None


def mean(program: Program, of: str, wrt: tuple[str, ...] | None, count: sp.Expr) -> Mean:
    """Derive the cotangents of count·of, and the gradients of `of` from them."""
    supply = NameSupply({t.name for t in program.tensors} | {i.name for i in program.indices})
    scalar = program.tensor(of)
    total = replace(scalar, name=supply.fresh(f"{of}_sum"), symbol=rf"\left({sp.latex(count)} {scalar.symbol or of}\right)")
    sums = [replace(eq, target=total[()], body=eq.body * count) for eq in program.definition(of)]
    derivative = adjoint(program.extended((total,), sums), total.name, wrt)
    supply = NameSupply({t.name for t in derivative.program.tensors} | {i.name for i in derivative.program.indices})
    gradients: dict[str, Tensor] = {}
    for name in derivative.wrt:
        bar = derivative.program.tensor(derivative.names[name])
        gradients[name] = replace(bar, name=supply.fresh(f"{name}_mean_bar"), cotangent_of=(of, name))
    statements = [_mean(g, derivative.names[name], derivative.program, count, supply) for name, g in gradients.items()]
    extended = derivative.program.extended(gradients.values(), statements)
    return Mean(replace(derivative, program=extended), count, {name: g.name for name, g in gradients.items()})


def _mean(gradient: Tensor, bar: str, program: Program, count: sp.Expr, supply: NameSupply) -> Statement:
    """gradient = bar/count, in the indices of what writes bar where these run over the whole tensor."""
    written = (eq.target.indices for eq in program.definition(bar))
    indices = next((at for at in written if _covers(at, gradient)), None) or _fresh(gradient, supply)
    equation = Equation(gradient[tuple(indices)], Access(bar, *indices) / count)
    ragged = any(AXIS0 in e.free_symbols for e in gradient.shape)
    return Loop(indices[0], "ascending", (equation,)) if ragged else equation


def _covers(indices: tuple[sp.Expr, ...], tensor: Tensor) -> bool:
    plain = all(isinstance(i, Index) for i in indices) and len(set(indices)) == len(indices)
    return plain and [(i.extent, i.start) for i in indices] == list(zip(tensor.shape, tensor.origin))


def _fresh(tensor: Tensor, supply: NameSupply) -> list[Index]:
    indices: list[Index] = []
    for extent, start in zip(tensor.shape, tensor.origin):
        indices.append(Index(supply.fresh("i"), extent.xreplace({AXIS0: indices[0]} if indices else {}), start))
    return indices
