"""How often a network is right, as equations: the share of samples, or positions, whose largest output is the target's class.

Stage: L1 Program → L1 Program, lowered like everything else.
"""
from __future__ import annotations

import sympy as sp

from symbp.language.equation import Equation
from symbp.language.functions import equal, step
from symbp.language.index import Index, size
from symbp.language.names import NameSupply
from symbp.language.program import Program
from symbp.language.tensor import Tensor


def accuracy(program: Program, name: str, target: Tensor) -> Program | None:
    """The equations of the accuracy over the output of that name and the target; None where the target is no class.

    The tensor `accuracy` is the share of right answers, from 0 to 1.
    """
    output = program.tensor(name)
    if len(output.shape) < 2 or output.shape[0] != size("N"):
        return None
    supply = NameSupply({t.name for t in program.tensors} | {i.name for i in program.indices})
    *at, k = (Index(supply.fresh("n"), extent) for extent in output.shape)
    at, rows, count = tuple(at), output.shape[:-1], sp.Mul(*output.shape[:-1])
    found, answer, share = (Tensor(supply.fresh(name), shape, dtype=dtype) for name, shape, dtype in (
        ("predicted", rows, "int"), ("wanted", rows, "int"), ("accuracy", (), "float")))
    predicted = Equation(found[at], output[(*at, k)], "argmax", (k,), component=k)
    given = (_given(output), target)
    if target.dtype == "int":
        right = Equation(share[()], equal(found[at], target[at]) / count, over=at)
        return Program((*given, found, share), (predicted, right))
    facts = [f for f in program.facts if target.name in f.tensors]
    if any(f.over and f.right == 1 for f in facts):
        wanted = Equation(answer[at], target[(*at, k)], "argmax", (k,), component=k)
        right = Equation(share[()], equal(found[at], answer[at]) / count, over=at)
        return Program((*given, found, answer, share), (predicted, wanted, right))
    if any(f.relation == "==" and f.right == target[f.right.indices] for f in facts if hasattr(f.right, "indices")):
        above = step(output[(*at, k)] - sp.S.Half, 1)
        whole = (*at, k)
        return Program((*given, share), (Equation(share[()], equal(above, target[whole]) / (count * k.extent), over=whole),))
    return None


def _given(tensor: Tensor) -> Tensor:
    return Tensor(tensor.name, tensor.shape, role="input", symbol=tensor.symbol)
