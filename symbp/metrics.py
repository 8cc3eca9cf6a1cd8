"""How often a network is right, as equations: the share of samples whose largest output is the target's class, or of outputs on
the right side of a threshold.

Stage: L1 Program → L1 Program, lowered like everything else.
"""
from __future__ import annotations

import sympy as sp

from symbp.language.equation import Equation
from symbp.language.facts import Fact
from symbp.language.functions import Defined, equal, expand_definitions, step
from symbp.language.index import Index, size
from symbp.language.names import NameSupply
from symbp.language.program import Program
from symbp.language.tensor import Access, Tensor


def accuracy(program: Program, name: str, target: Tensor) -> Program | None:
    """The equations of the accuracy over the output of that name and the target; None where the target is no class.

    The tensor `accuracy` is the share of right answers, from 0 to 1.
    """
    output = program.tensor(name)
    if len(output.shape) != 2 or output.shape[0] != size("N"):
        return None
    supply = NameSupply({t.name for t in program.tensors} | {i.name for i in program.indices})
    n, k = Index(supply.fresh("n"), output.shape[0]), Index(supply.fresh("k"), output.shape[1])
    found, answer, share = (Tensor(supply.fresh(name), shape, dtype=dtype) for name, shape, dtype in (
        ("predicted", output.shape[:1], "int"), ("wanted", output.shape[:1], "int"), ("accuracy", (), "float")))
    predicted = Equation(found[n], output[n, k], "argmax", (k,), component=k)
    given = (_given(output), target)
    if target.dtype == "int":
        right = Equation(share[()], equal(found[n], target[n]) / output.shape[0], over=(n,))
        return Program((*given, found, share), (predicted, right))
    facts = [f for f in program.facts if target.name in f.tensors]
    if any(f.over and f.right == 1 for f in facts):
        wanted = Equation(answer[n], target[n, k], "argmax", (k,), component=k)
        right = Equation(share[()], equal(found[n], answer[n]) / output.shape[0], over=(n,))
        return Program((*given, found, answer, share), (predicted, wanted, right))
    above = _above(program, output[n, k], target, facts)
    if above is None:
        return None
    count = output.shape[0] * output.shape[1]
    return Program((*given, share), (Equation(share[()], equal(above, target[n, k]) / count, over=(n, k)),))


def _above(program: Program, output: Access, target: Tensor, facts: list[Fact]) -> sp.Expr | None:
    """What an output says of a target of two values: 0 or 1 by a probability of 1/2 or a score of 0, −1 or 1 by a score's sign."""
    squares = [f for f in facts if f.relation == "==" and not f.over and f.left.is_Pow and f.left.exp == 2]
    if any(f.right == 1 for f in squares):
        return 2 * step(output, 1) - 1
    if not any(isinstance(f.right, Access) and f.right.name == target.name for f in squares):
        return None
    return step(output if _is_score(program, output.name) else output - sp.S.Half, 1)


def _is_score(program: Program, name: str) -> bool:
    """Whether a probability is made of the output by an increasing function that is 1/2 at 0."""
    found = [f for eq in program.equations for f in eq.body.atoms(Defined) if "increasing" in f.properties]
    return any(isinstance(f.args[0], Access) and f.args[0].name == name and expand_definitions(type(f)(sp.S.Zero)) == sp.S.Half
               for f in found)


def determination(program: Program, name: str, target: Tensor) -> Program | None:
    """The equations of R² = 1 − Σ(y − a)² / Σ(y − ȳ)², where the target holds numbers of the output's shape; else None.

    The tensor `r2` is 1 for answers without error, 0 for those of the mean; it is no number where all targets are equal.
    """
    output = program.tensor(name)
    if target.dtype != "float" or output.shape != target.shape or not output.shape or output.shape[0] != size("N"):
        return None
    supply = NameSupply({t.name for t in program.tensors} | {i.name for i in program.indices})
    n, *axes = (Index(supply.fresh(letter), extent) for letter, extent in zip("nkijh", output.shape))
    mean = Tensor(supply.fresh("mean"), output.shape[1:])
    wrong, spread, share = (Tensor(supply.fresh(name), ()) for name in ("wrong", "spread", "r2"))
    over, at = (n, *axes), tuple(axes)
    return Program((_given(output), target, mean, wrong, spread, share), (
        Equation(mean[at], target[(n, *at)] / output.shape[0], over=(n,)),
        Equation(wrong[()], (target[over] - output[over])**2, over=over),
        Equation(spread[()], (target[over] - mean[at])**2, over=over),
        Equation(share[()], 1 - wrong[()] / spread[()])))


def measure(program: Program, name: str, target: Tensor) -> str:
    """How answers are judged: by their "accuracy", by "r2", or not at all: "".

    name: the output's; "" where nobody knows it.
    """
    if name and accuracy(program, name, target) is not None:
        return "accuracy"
    return "r2" if name and determination(program, name, target) is not None else ""


def _given(tensor: Tensor) -> Tensor:
    return Tensor(tensor.name, tensor.shape, role="input", symbol=tensor.symbol)
