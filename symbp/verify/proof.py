"""What shows that a verdict is right: the text's equations, numbered, and the derivation of each derivative that is claimed.

Stage: text + verdicts → sections of a document, and the number of the formula that a claim goes back to.
"""
from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from symbp.derivation.derivation import Derivation
from symbp.errors import SymbpError
from symbp.language.tensor import Tensor
from symbp.report.derivation import Counter, forward_section, given_section, gradient_section, jacobian_latex
from symbp.report.model import Formula, Item, Paragraph, Section, Steps
from symbp.verify.claimfile import Claim, Text
from symbp.verify.listing import Code
from symbp.verify.quantity import QUOTIENT, Quantities, scalar
from symbp.verify.verdict import Verdict

Subject = tuple[str, ...]
"""What a claim is about: a tensor, ("z3",), or a derivative, ("J", "w3")."""


@dataclass
class Proof:
    """The equations and the derivations; `numbers` says which formula shows a subject."""

    given: list[Section] = field(default_factory=list)
    derivations: list[Section] = field(default_factory=list)
    numbers: dict[Subject, str] = field(default_factory=dict)


def subjects(text: Text, verdicts: Iterable[Verdict]) -> dict[int, Subject]:
    """What each claim of a text is about, by the claim's identity, where that is known.

    >>> from symbp.verify import verify
    >>> report = verify("examples/claims/seed-002-4.4.toml")
    >>> found = subjects(report.content, report.verdicts)
    >>> about = {claim.id: found.get(id(claim)) for claim in report.content.claims}
    >>> about["z3"], about["dJ/dw3[0]"], about["002-17"]
    (('z3',), ('J', 'w3'), ('J', 'z2'))
    """
    quantities, found = Quantities(text), {}
    own = {id(claim) for claim in text.claims}
    for verdict in (v for v in verdicts if id(v.claim) in own):
        with contextlib.suppress(SymbpError):
            claim = verdict.claim
            about = verdict.about or (_of_number(claim, quantities, text) if claim.of else _of_code(claim.code, quantities, text))
            if about:
                found[id(claim)] = about
    return found


def _of_number(claim: Claim, quantities: Quantities, text: Text) -> Subject:
    quantity = quantities.find(claim.of)
    if claim.after and not quantity.of and text.loss and text.program.tensor(quantity.tensor).role == "parameter":
        return text.loss, quantity.tensor
    return (quantity.of, quantity.by) if quantity.of else (quantity.tensor,)


def _of_code(code: Code | None, quantities: Quantities, text: Text) -> Subject:
    """The first derivative that a function answers or uses in an update, else the first value."""
    returns = [] if code is None else code.returns.values() if isinstance(code.returns, dict) else \
        [code.returns] if isinstance(code.returns, str) else code.returns or []
    found: list[Subject] = []
    for quantity in (*returns, *(code.changes.values() if code else ())):
        with contextlib.suppress(SymbpError):
            name, _, after = quantity.partition(" after ")
            found.append((text.loss, name.strip()) if after else _whole(name, quantities))
    return max(found, key=len, default=())


def _whole(name: str, quantities: Quantities) -> Subject:
    """A tensor, or the derivative that a name stands for."""
    match = QUOTIENT.fullmatch(quantities.text.names.get(name, name))
    return (match["of"].strip(), match["by"].strip()) if match else (quantities.whole(name),)


def prove(text: Text, wanted: Iterable[Subject], count: Counter) -> Proof:
    """The equations of a text, and the derivations of the derivatives among the subjects wanted, numbered by `count`."""
    proof, by = Proof(), dict[str, list[str]]()
    for subject in dict.fromkeys(wanted):
        if len(subject) == 2:
            by.setdefault(subject[0], []).append(subject[1])
    derivations = list(_derivations(text, by))
    first = next((d for _, d in derivations), None) or _any(text)
    if first is not None:
        numbers = [str(count.last + 1 + k) for k in range(len(first.forward_lines()))]
        proof.numbers |= {(target.name,): number for (target, _), number in zip(first.forward_lines(), numbers)}
        proof.given = [replace(given_section(first), title="What is given"), replace(forward_section(first, count), title="The equations")]
    for of, derivation in derivations:
        for name in derivation.names:
            section = gradient_section(derivation, name, count)
            proof.derivations.append(_with_jacobian(derivation, name, section))
            if number := _number(section):
                proof.numbers[of, name] = number
    return proof


def _derivations(text: Text, by: Mapping[str, list[str]]) -> Iterator[tuple[str, Derivation]]:
    quantities = Quantities(text)
    for of, names in by.items():
        with contextlib.suppress(SymbpError):
            name, program = scalar(quantities.program, of) if "[" in of else (of, text.program)
            yield of, Derivation(program, name, tuple(dict.fromkeys(names)))


def _any(text: Text) -> Derivation | None:
    """Some derivation of a text in which no derivative is claimed: its forward lines are what is shown."""
    computed = [t for t in text.program.tensors if text.program.definition(t.name) and t.dtype == "float"]
    given = [t for t in text.program.inputs if t.dtype == "float"]
    with contextlib.suppress(SymbpError, IndexError):
        return Derivation(text.program, _last(computed).name, (given[0].name,))
    return None


def _last(tensors: list[Tensor]) -> Tensor:
    return tensors[-1]


def _with_jacobian(derivation: Derivation, name: str, section: Section) -> Section:
    """The steps; and for a value with axes the derivative's elements, which are what a text prints."""
    if not derivation.program.tensor(derivation.of).shape or name not in derivation.wrt:
        return section
    elements: list[Item] = [Formula(jacobian_latex(derivation, *entry)) for entry in derivation.jacobian(name)]
    said: list[Item] = [Paragraph(("Element by element:",))] if elements else []
    return replace(section, items=(*section.items, *said, *elements))


def _number(section: Section) -> str:
    """The number of the first result in a section."""
    for item in section.items:
        if isinstance(item, Formula) and item.number:
            return item.number
        if isinstance(item, Steps) and (labels := [row.label for row in item.rows if row.label]):
            return labels[0]
    return ""
