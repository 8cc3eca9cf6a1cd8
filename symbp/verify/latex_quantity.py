r"""What a claim is of, where it is written as in a formula: z^{(1)}_2, \delta^{(2)}, \frac{\partial L}{\partial W^{(2)}}.

Stage: LaTeX → the words of `symbp.verify.quantity`, z1[1] and dL/dW2, whose indices count from 0.
"""
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from symbp.errors import SymbpError
from symbp.verify.latex import read_formula
from symbp.verify.naming import ALL, Names, whole
from symbp.verify.nodes import Derivative, Node, Number, Sym

FORMAL = re.compile(r"[\\{}ᵀ⁰-⁹₀-₉α-ωΔ]")
"""What LaTeX has and the expression language has not; x^2 is a power in both, and never the name x2."""
SUFFIX = re.compile(r"(.*?)\s*(\[[\d,\s]*\])?\s*", re.S)


def in_words(text: str, axes: Mapping[str, int]) -> str:
    r"""The words for what LaTeX names, or the text itself where it is none, or nothing that has a name.

    axes: how many axes each name has.

    >>> in_words(r"\frac{\partial L}{\partial W^{(2)}_{13}}", {"L": 0, "W2": 2})
    'dL/dW2[0,2]'
    >>> in_words(r"z^{(1)}[0]", {"z1": 1}), in_words("x^2", {"x": 0, "x2": 0})
    ('z1[0]', 'x^2')
    """
    if not FORMAL.search(text):
        return text
    written, suffix = SUFFIX.fullmatch(text).groups()
    try:
        side = read_formula(f"{written} = 0", list(axes), (), [n for n, a in axes.items() if not a]).sides[0]
    except SymbpError:
        return text
    names = Names(axes)
    if isinstance(side, Derivative) and len(side.by) == 1:
        of, by = (_word(part, names) for part in (side.of, side.by[0]))
        return f"d{of}/d{by}{suffix or ''}" if of and by else text
    return (word + (suffix or "")) if (word := _word(side, names)) else text


def _may_be_power(node: Sym, names: Names) -> bool:
    """Whether a^{2} may be a square as well as the name a2, so that it is neither."""
    raised = any(not s.shape and isinstance(s.body, Number) for s in node.sups)
    return raised and names.find(replace(node, sups=()), {}) is not None


def _word(node: Node, names: Names) -> str:
    """A name with its indices; "" for anything else."""
    found = names.find(node, names.last(node)) if isinstance(node, Sym) else None
    if found is None or found.sups or any(index == ALL for index, _ in found.indices) or _may_be_power(node, names):
        return ""
    indices = found.indices
    if len(indices) == 1 < names.axes[found.name] and isinstance(indices[0][0], Number) and not indices[0][1]:
        digits = str(indices[0][0].value)  # W_{13} of a matrix
        indices = tuple((Number(type(indices[0][0].value)(int(d))), False) for d in digits) if digits.isdigit() else indices
    places = [(whole(index, {}), base) for index, base in indices]
    if any(place is None for place, _ in places):
        return ""
    at = [place if from_zero else place - 1 for place, from_zero in places]
    return found.name + (f"[{','.join(map(str, at))}]" if at else "") if all(k >= 0 for k in at) else ""
