"""What a watched run means, in plain words: whether gradients vanish or explode, and the derived formula that says why.

The formula is the derivation's: the lines of the cotangents, each put into the one of the layer before, as the chain rule multiplies
one Jacobian for each layer.
"""
from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from symbp.derivation import derive
from symbp.derivation.derivation import Derivation
from symbp.derivation.lines import Line
from symbp.language.functions import DEFINITIONS, Defined
from symbp.language.tensor import Access
from symbp.network import Network
from symbp.passes.closed import fresh_bound, index_names, unify
from symbp.passes.matrix_form import matrix_form
from symbp.printing.latex import Writer
from symbp.run.watch import flat_beyond

Record = Mapping[str, Any]

SMALL = 1e-3
"""A layer whose gradient is below this part of the last layer's counts as starved; one above its inverse as exploding."""
MANY = 0.5
"""A share of saturated inputs or dead units that is worth a sentence."""
FACTORS = 3
"""So many Jacobians of the product are written out."""


def findings(records: Sequence[Record]) -> list[str]:
    """Sentences about the first and the last measurement of a run; empty where nothing is wrong.

    >>> print(findings([{"step": 0, "gradients": {"1": 1e-9, "2": 2e-8, "3": 1.0}, "saturation": {}}])[0])
    At step 0 the gradients of layers 1–2 are below 1e-7 of the last layer's (the smallest is 1.0e-09 of it): they vanish.
    """
    chosen = [records[0], *records[-1:]] if len(records) > 1 else list(records)
    return [sentence for record in chosen for sentence in (*_gradients(record), *_saturation(record))]


def _gradients(record: Record) -> Iterable[str]:
    norms = {k: v for k, v in record["gradients"].items() if v is not None}
    if not norms or list(norms)[-1] != list(record["gradients"])[-1]:
        yield f"At step {record['step']} some gradients are no finite numbers."
        return
    last = list(norms.values())[-1]
    if last == 0:
        yield f"At step {record['step']} the gradient of the last layer is 0: nothing is learnt."
        return
    ratios = {k: v / last for k, v in norms.items()}
    small, large = {k: r for k, r in ratios.items() if r < SMALL}, {k: r for k, r in ratios.items() if r > 1 / SMALL}
    if small:
        most, least = max(small.values()), min(small.values())
        bound = "are 0" if most == 0 else f"are below 1e{math.floor(math.log10(most)) + 1:d} of the last layer's"
        rest = f" (the smallest is {least:.1e} of it)" if 0 < least < most else ""
        yield f"At step {record['step']} the gradients of {_range(small)} {bound}{rest}: they vanish."
    if large:
        yield (f"At step {record['step']} the gradients of {_range(large)} are up to {max(large.values()):.1e} times the last layer's: "
               "they explode.")


def _saturation(record: Record) -> Iterable[str]:
    by_function: dict[str, list[Record]] = {}
    for entry in record["saturation"].values():
        by_function.setdefault(entry["function"], []).append(entry)
    for name, entries in by_function.items():
        flat, dead = (sum(e[k] for e in entries) / len(entries) for k in ("flat", "dead"))
        function = DEFINITIONS.get(name)
        if function is not None and "bounded" in function.properties and flat > MANY:
            yield (f"At step {record['step']} {100 * flat:.0f} % of the {name} inputs are {flat_beyond(function)}, where its slope is "
                   "below 1 % of its largest: they pass on almost no gradient.")
        if dead > MANY:
            yield f"At step {record['step']} {100 * dead:.0f} % of the {name} units have the slope 0 for every sample: they are dead."


def _range(numbers: Iterable[str]) -> str:
    """Layers in words.

    >>> _range("123"), _range("1"), _range("13")
    ('layers 1–3', 'layer 1', 'layers 1, 3')
    """
    found = [int(n) for n in numbers]
    if len(found) == 1:
        return f"layer {found[0]}"
    if found == list(range(found[0], found[-1] + 1)):
        return f"layers {found[0]}–{found[-1]}"
    return f"layers {', '.join(map(str, found))}"


def in_words(records: Sequence[Record], found: Sequence[str], formulas: Sequence[str]) -> str:
    """The text of gradients.txt: the sentences, the norms at the start and the end, and the formulas."""
    lines = list(found) or ["No gradient vanishes or explodes, and no layer is saturated."]
    for record in records[:1] + records[-1:]:
        last = list(record["gradients"].values())[-1]
        lines += ["", f"Norm of each layer's gradient at step {record['step']}, and its part of the last layer's:"]
        lines += [f"  {k:>4}  " + ("not finite" if v is None or last is None else f"{v:.3e}  {v / last if last else math.nan:.1e}")
                  for k, v in record["gradients"].items()]
    if formulas:
        lines += ["", "By the chain rule, each layer multiplies the cotangent of its input with one more Jacobian:"]
        lines += [f"  {line}" for line in formulas]
    return "\n".join(lines) + "\n"


def product(network: Network) -> list[str]:
    """LaTeX of the first layer's cotangent by the next one's, and as a product of several Jacobians; empty where no cotangents follow.

    Derived: the line of each cotangent stands in that of the layer before, at most `FACTORS` times.
    """
    derivation = derive(network, activation_derivatives="kept")
    chain = _chain(derivation)
    if len(chain) < 2:
        return []
    first, found = chain[0], [chain[0].latex("matrix")]
    right = first.right
    for line in chain[1:FACTORS]:
        right = _substituted(right, line)
    if right != first.right:
        form = matrix_form(first.target, right, derivation.program)
        found.append(form.latex if form else Writer(derivation.program).equation(first.target, right))
    return found


def _chain(derivation: Derivation) -> list[Line]:
    """The lines of cotangents with a derivative of an activation in them, from the first layer on, each reading the next."""
    lines = [derivation[name].lines for name in reversed(derivation.names)]
    single = {found[0].target.name: found[0] for found in lines if len(found) == 1}
    wanted = [line for line in single.values() if any(any(f.orders) for f in line.right.atoms(Defined))]
    chain = wanted[:1]
    while chain:
        read = {a.name for a in chain[-1].right.atoms(Access)}
        following = [line for line in wanted if line.target.name in read and line not in chain]
        if len(following) != 1:
            break
        chain.append(following[0])
    return chain


def _substituted(right: Any, line: Line) -> Any:
    """The expression with a cotangent replaced by its line's right side."""
    for access in [a for a in right.atoms(Access) if a.name == line.target.name]:
        body = fresh_bound(line.right, index_names(right))
        values = unify(line.target, access, line.target.indices)
        if values is None:
            return right
        right = right.xreplace({access: body.xreplace(values)})
    return right
