"""How a state's gradient changes from one step to the next: the Jacobian of a step, and the product of these over many steps.

    h̄[t] = Σ_k U[k,m]·σ′(z[t])·h̄[t+1]     ⇒     ∂h[t+1,k]/∂h[t,m] = σ′(z[t,k])·U[k,m],   ∂h[T]/∂h[s] = ∏ ∂h[t+1]/∂h[t]

Stage: Derivation → what multiplies the cotangent of the next row in the recurrence that the calculus gives.  A product of many such
factors vanishes where they are below 1, and explodes where they are above (Pascanu, Mikolov and Bengio 2013, arXiv 1211.5063, equation 5).
"""
from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from symbp.derivation.derivation import Derivation
from symbp.errors import LanguageError
from symbp.language.build import Reduce
from symbp.language.equation import walk
from symbp.language.index import Index
from symbp.language.tensor import Access
from symbp.passes.closed import tidy
from symbp.suggest import nearest


@dataclass(frozen=True)
class Transition:
    """One step of a state: ∂new/∂old = value, for the rows that `row` runs over."""

    new: Access
    old: Access
    row: Index
    value: sp.Expr
    derivation: Derivation

    @property
    def line(self) -> str:
        r"""∂h_{t+1}/∂h_t = … as LaTeX."""
        latex = self.derivation.writer.doprint
        return rf"\frac{{\partial {latex(self.new)}}}{{\partial {latex(self.old)}}} = {latex(self.value)}"

    @property
    def product(self) -> str:
        r"""The product over all steps as LaTeX: ∂h_T/∂h_s = ∏ ∂h_{t+1}/∂h_t, latest step on the left."""
        symbol, latex = self.derivation.program.tensor(self.new.name).symbol, self.derivation.writer.doprint
        low, high = self.old.indices[0], self.new.indices[0]
        ends = ("s", latex(self.row.last)) if sp.expand(high - low) == 1 else (latex(self.row.start + 1), "s")
        last = latex(self.row.last + 1) if ends[0] == "s" else latex(self.row.start)

        def ratio(above: str, below: str) -> str:
            return rf"\frac{{\partial {symbol}_{{{above}}}}}{{\partial {symbol}_{{{below}}}}}"

        return rf"{ratio(last, 's')} = \prod_{{{latex(low)} = {ends[0]}}}^{{{ends[1]}}} {ratio(latex(high), latex(low))}"


def transition(derivation: Derivation, state: str) -> Transition:
    """The Jacobian of one step of a recurrence, read off the recurrence of the state's cotangent.

    Raises `LanguageError` where the tensor is no state of a loop, or where its gradient also comes from another state (an LSTM's c).
    """
    bars = derivation.derivative.names
    if state not in bars:
        raise LanguageError(f"no gradient reaches a tensor {state!r}{nearest(state, bars)}")
    loop = next((lp for eq, loops in walk(derivation.forward.statements) for lp in loops if eq.target.name == state), None)
    if loop is None:
        raise LanguageError(f"{state} is written in no loop, so it has no steps")
    bar, given = bars[state], {t.name for t in derivation.program.inputs}
    for case in derivation.rows.cases(bar, {*bars.values()} - {bar} - given):
        value, _ = derivation.textbook.shortest(tidy(case.expression))
        following = {a for a in value.atoms(Access) if a.name == bar}
        others = {a.name for a in value.atoms(Access)} & {*bars.values()} - {bar}
        if others or len(following) > 1:
            ways = sorted(others) or sorted(map(str, following))
            raise LanguageError(f"the gradient of {state} comes through {', '.join(ways)}, so that one step has no single Jacobian of "
                                f"{state}")
        if len(following) == 1:
            (after,) = following
            return Transition(Access(state, *after.indices), Access(state, *case.target.indices), loop.index,
                              _coefficient(value, after), derivation)
    raise LanguageError(f"the gradient of {state} at one step does not depend on that at the next")


def _coefficient(value: sp.Expr, after: Access) -> sp.Expr:
    """What an element is multiplied with in a sum, which has one term for it."""
    found = sp.S.Zero
    for addend in sp.Add.make_args(value):
        factor = sp.S.One
        for part in sp.Mul.make_args(addend):
            factor *= part.body if isinstance(part, Reduce) and part.has(after) else part
        found += factor.coeff(after) if factor.has(after) else sp.S.Zero
    return found
