"""Derivations: the gradient of each parameter in closed form, with the numbered steps that lead to it.

Stage: Network, Program or formula → adjoint program → lines.  Each step is an equality `before = after` that a pass
produced; `symbp.certify.steps` evaluates both sides.

    derivation.py  the adjoint program and the lines of each gradient
    kept.py        which cotangents keep a name (δ), all others being substituted
    rows.py        the cases of a recurrence: l = L, l < L
    textbook.py    the passes in their order, with the log that becomes the steps
    mean.py        where the 1/N of a mean stands
    lines.py       what comes out: Step, Line, Gradient
    options.py     the reader's choices
"""
from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from symbp.derivation.derivation import Derivation
from symbp.derivation.lines import Gradient, Line, Step
from symbp.derivation.options import Options
from symbp.derivation.textbook import RULES
from symbp.errors import LanguageError
from symbp.formula import formula_program
from symbp.language.program import Program

if TYPE_CHECKING:
    from symbp.network import Network


def derive(source: Network | Program | str, of: str | None = None, wrt: str | Iterable[str] | None = None, *,
           activation_derivatives: str | None = None, facts: str | None = None,
           keep: Iterable[str] | None = None) -> Derivation:
    """Derive the gradients of a network, a program, or a formula in the expression language.

    of: the tensor to differentiate (default: the network's loss, or the formula's value).  wrt: one name or several
    (default: all parameters; for a formula all its tensors).  The other arguments are `Options`.
    Raises `SymbpError` for unknown names and whatever the language does not admit.

    >>> print(derive("sum(i, w[i]*x[i])^2", wrt="w")["w"].latex())
    \\frac{\\partial y}{\\partial w_{i}} = 2 x_{i} \\sum_{i'} w_{i'} x_{i'}
    """
    wanted = (wrt,) if isinstance(wrt, str) else tuple(wrt) if wrt is not None else None
    program, default, title = _source(source, wanted)
    network = None if isinstance(source, (str, Program)) else source
    choices = {"activation_derivatives": activation_derivatives, "facts": facts}
    options = Options(**{**(network.derivation if network else {}), **{k: v for k, v in choices.items() if v is not None}},
                      keep=None if keep is None else frozenset(keep))
    name = of or default
    if name is None:
        raise LanguageError("say which tensor to differentiate: derive(program, of=…)")
    return Derivation(program, name, wanted, options, title, network)


def _source(source: Network | Program | str, wrt: tuple[str, ...] | None) -> tuple[Program, str | None, str]:
    """The program of whatever is to be derived, the tensor to differentiate if none is named, and a title."""
    if isinstance(source, str):
        return *formula_program(source, wrt), source
    if isinstance(source, Program):
        scalars = [eq.target.name for eq in source.equations if not source.tensor(eq.target.name).shape]
        return source, scalars[-1] if scalars else None, ""
    return source.program, source.loss, source.title or source.name


__all__ = ["RULES", "Derivation", "Gradient", "Line", "Options", "Step", "derive"]
