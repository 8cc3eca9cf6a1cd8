"""A claim that is an expression: -alpha*dJ/dw[0], (1 - f)*f, sum(k, p[k]).

Stage: text + what is known → an equation behind the program, in which tensors stand for the derivatives.
"""
from __future__ import annotations

import re
from typing import TYPE_CHECKING

from symbp.errors import LanguageError, SymbpError
from symbp.language.build import Builder, free_indices
from symbp.language.names import NameSupply
from symbp.language.parse import parse_expression
from symbp.language.scope import Scope
from symbp.language.tensor import Tensor, names_read
from symbp.verify.wording import ELEMENT, LONGEST, QUOTIENT, WITHIN, WORD, IllPosed, Quantity

if TYPE_CHECKING:
    from symbp.verify.quantity import Quantities

MOST_ALIASES = 20


def expression(quantities: Quantities, text: str, whole: bool) -> Quantity:
    """The quantity of an expression over the program's tensors; with `whole`, its free indices are axes."""
    try:
        meant = written(quantities, text)
        read = {*WORD.findall(meant)}
        scope = Scope({t.name: t for t in quantities.program.tensors if not t.auxiliary or t.name in read})
        right = parse_expression(_indexed(meant, scope) if whole else meant, scope)
    except IllPosed:
        raise
    except SymbpError as error:
        kind = IllPosed if re.search(r"unknown (?:name|tensor) |has extent|axes \[", str(error)) else LanguageError
        raise kind(f"{text!r} is no element, derivative or expression that can be read: {error}") from None
    free = free_indices(right)
    if free and not whole:
        raise IllPosed(f"{text!r} has the free index {', '.join(i.name for i in free)} and is no number")
    program = quantities.program
    builder = Builder(NameSupply({t.name for t in program.tensors} | {i.name for i in program.indices}))
    tensor = Tensor(builder.names.fresh("claimed"), tuple(i.extent for i in free), origin=tuple(i.start for i in free))
    builder.assign(tensor[free], right)
    quantities.extend([tensor, *builder.tensors], builder.equations)
    return Quantity(tensor.name, (0,) * len(free), lag=quantities.lag(names_read(e for eq in builder.equations for e in eq.expressions)))


def _indexed(text: str, scope: Scope) -> str:
    """An expression in which whole arrays of one shape stand without indices, with their elements in their place.

    >>> _indexed("2*x", Scope({"x": Tensor("x", (3, 2))}))
    '2*x[e0_3,e1_2]'
    """
    bare = [m for m in re.finditer(rf"(?<![\w.])({WORD.pattern})(?![\w.\[(])", text) if m[1] in scope.tensors and scope.tensors[m[1]].shape]
    if len({scope.tensors[m[1]].shape for m in bare}) != 1 or "[" in text:
        return text
    letters = ",".join(f"e{k}_{extent}" for k, extent in enumerate(scope.tensors[bare[0][1]].shape))
    for m in reversed(bare):
        text = f"{text[: m.end()]}[{letters}]{text[m.end() :]}"
    return text


def written(quantities: Quantities, text: str) -> str:
    """An expression with the file's own names written out, and tensors in the place of derivatives."""
    for _ in range(MOST_ALIASES):
        broken = next((word for word in WORD.findall(text) if word in quantities.text.broken), None)
        if broken is not None:
            raise IllPosed(f"{broken} cannot be calculated: {quantities.text.broken[broken]}")
        if len(text) > LONGEST:
            raise LanguageError(f"the quantity has more than {LONGEST} characters when the names of [network] are written out")
        following = WORD.sub(lambda m: _meaning(quantities, m[0]), WITHIN.sub(lambda m: _cotangent(quantities, m), text))
        if following == text:
            return text
        text = following
    raise LanguageError("a name of [network] is defined by itself")


def _cotangent(quantities: Quantities, match: re.Match) -> str:
    """The tensor of a derivative."""
    return quantities.whole(match[0]) if quantities.is_derivative(match) else match[0]


def _meaning(quantities: Quantities, word: str) -> str:
    """What a name of the file's own stands for."""
    if word not in quantities.text.names or word in quantities.program:
        return word
    meaning = quantities.text.names[word].strip()
    return meaning if ELEMENT.fullmatch(meaning) or QUOTIENT.fullmatch(meaning) else f"({meaning})"
