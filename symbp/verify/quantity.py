"""What a claim is of: a tensor's element, a derivative's, or an expression; and the program that calculates them all.

    z[0]    a3    dJ/dw[0,1]    ∂E_o1/∂out_h1    (1 - f)*f    exp(-1)

Stage: forward program + the claims' texts → one program with every adjoint that they need, and for each text the tensor and
the element that hold its value.
"""
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from symbp.calculus.differentiate import adjoint
from symbp.errors import LanguageError, SymbpError
from symbp.language.build import Builder
from symbp.language.equation import Equation
from symbp.language.names import NameSupply
from symbp.language.parse import parse_expression
from symbp.language.program import Program
from symbp.language.scope import Scope
from symbp.language.tensor import Tensor
from symbp.suggest import nearest
from symbp.verify.claimfile import Text

NAME = r"[A-Za-z_][A-Za-z0-9_.]*"
ELEMENT = re.compile(rf"\s*(?P<name>{NAME})\s*(?:\[(?P<at>[\d,\s]*)\])?\s*")
QUOTIENT = re.compile(rf"\s*[d∂]\s*(?P<of>{NAME}\s*(?:\[[\d,\s]*\])?)\s*/\s*[d∂]\s*(?P<by>{NAME}\s*(?:\[[\d,\s]*\])?)\s*")
LONGEST = 500


@dataclass(frozen=True)
class Quantity:
    """Where a value lies: the tensor and the element.  of, by: for a derivative ∂of/∂by of a scalar, else empty."""

    tensor: str
    at: tuple[int, ...] = ()
    of: str = ""
    by: str = ""


class Quantities:
    """The program that grows with the quantities asked for.

    >>> from symbp.verify.claimfile import parse
    >>> text = parse('''[network]
    ... equations = ["y = w*x^2"]
    ... [values]
    ... w = 2
    ... x = 3
    ... [[claims]]
    ... of = "dy/dx"
    ... value = "12"
    ... ''')
    >>> Quantities(text).find("dy/dx")
    Quantity(tensor='x_bar', at=(), of='y', by='x')
    """

    def __init__(self, text: Text) -> None:
        self.text, self.program = text, text.program
        self.derivatives: dict[str, Mapping[str, str]] = {}
        self._found: dict[str, Quantity] = {}
        wanted = [c.of for c in text.claims if c.printed is not None]
        self._sources = self._wanted(wanted)

    def find(self, text: str) -> Quantity:
        """The quantity of a claim's text.

        Raises `SymbpError` for names that there are not, elements outside, and what cannot be read.
        """
        if text not in self._found:
            self._found[text] = self._find(text)
        return self._found[text]

    def _find(self, text: str) -> Quantity:
        if len(text) > LONGEST:
            raise LanguageError(f"the quantity has {len(text)} characters; {LONGEST} are the most")
        element = ELEMENT.fullmatch(text)
        if element and element["name"] in self.text.names:
            return self._find(self.text.names[element["name"]] + (f"[{element['at']}]" if element["at"] is not None else ""))
        if element:
            return self._element(element)
        quotient = QUOTIENT.fullmatch(text)
        if quotient and self._is_derivative(quotient):
            return self._derivative(quotient)
        return self._expression(text)

    def _element(self, match: re.Match) -> Quantity:
        name, at = self._numbered(match["name"], match["at"])
        tensor = self._tensor(name)
        return Quantity(tensor.name, self._at(tensor, at))

    def _numbered(self, name: str, at: str | None) -> tuple[str, str | None]:
        """`z[3]` is z3 where nothing is called z; further indices are those of its element."""
        first, _, rest = (at or "").partition(",")
        if name in self.text.program or f"{name}{first.strip()}" not in self.text.program or not first.strip():
            return name, at
        return f"{name}{first.strip()}", rest

    def _tensor(self, name: str) -> Tensor:
        known = [t.name for t in self.text.program.tensors]
        if name not in known:
            raise LanguageError(f"nothing is called {name!r} here{nearest(name, [*known, *self.text.names])}")
        return self.program.tensor(name)

    def _at(self, tensor: Tensor, indices: str | None) -> tuple[int, ...]:
        at = tuple(int(k) for k in (indices or "").split(",") if k.strip())
        shape = [self.text.sizes.get(str(e), e) for e in tensor.shape]
        if not at and all(e == 1 for e in shape):
            return (0,) * len(shape)
        if len(at) != len(shape):
            raise LanguageError(f"{tensor.name} has the shape {_shown(shape)}, so {tensor.name}[{','.join(map(str, at))}] is no number "
                                f"of it; give {len(shape)} indices, counted from 0")
        outside = next((axis for axis, (k, e) in enumerate(zip(at, shape)) if not k < int(e)), None)
        if outside is not None:
            raise LanguageError(f"{tensor.name} has the shape {_shown(shape)}, so the index {at[outside]} of axis {outside} is outside "
                                f"0 … {int(shape[outside]) - 1}")
        return at

    def whole(self, text: str) -> str:
        """The tensor that holds all elements of a name or derivative."""
        quotient = QUOTIENT.fullmatch(text)
        if quotient and self._is_derivative(quotient):
            of, by = (ELEMENT.fullmatch(quotient[side]) for side in ("of", "by"))
            return self.adjoint(_key(of), self._tensor(by["name"]).name)[by["name"]]
        return self._tensor(text.strip()).name

    # derivatives

    def _is_derivative(self, match: re.Match) -> bool:
        """Whether the two sides are d and a tensor, and not two tensors whose names begin with d."""
        known = {t.name for t in self.text.program.tensors}
        sides = [ELEMENT.fullmatch(match[side])["name"] for side in ("of", "by")]
        return not {f"d{s}" for s in sides} <= known

    def _wanted(self, texts: Iterable[str]) -> dict[str, list[str]]:
        """For each scalar that is differentiated, by what: one adjoint serves all."""
        found: dict[str, list[str]] = {self.text.loss: [t.name for t in self.text.program.parameters]} if self.text.loss else {}
        for text in (*texts, *self.text.names.values()):
            match = QUOTIENT.fullmatch(self._alias(text))
            if match and self._is_derivative(match):
                of, by = (ELEMENT.fullmatch(match[side]) for side in ("of", "by"))
                if by["name"] in self.text.program:
                    found.setdefault(_key(of), []).append(by["name"])
        return {of: list(dict.fromkeys(by)) for of, by in found.items()}

    def _alias(self, text: str) -> str:
        """A name of the file's own written out."""
        match = ELEMENT.fullmatch(text)
        return self.text.names[match["name"]] if match and match["name"] in self.text.names else text

    def _derivative(self, match: re.Match) -> Quantity:
        of, by = (ELEMENT.fullmatch(match[side]) for side in ("of", "by"))
        top, bottom = self._tensor(of["name"]), self._tensor(by["name"])
        at = self._at(bottom, by["at"])
        self._at(top, of["at"])
        bars = self.adjoint(_key(of), bottom.name)
        return Quantity(bars[bottom.name], at, _key(of), bottom.name)

    def adjoint(self, of: str, by: str = "") -> Mapping[str, str]:
        """The cotangents of everything that the scalar `of` depends on."""
        known = self.derivatives.get(of)
        if known is None or by and by not in known:
            wanted = [*self._sources.get(of, []), *([by] if by else [])]
            name, forward = self.scalar(of)
            derivative = adjoint(forward, name, dict.fromkeys(wanted))
            new = derivative.program.statements[derivative.given:]
            tensors = derivative.program.tensors[len(forward.tensors):]
            self.program = forward.extended(tensors, new)
            known = self.derivatives[of] = derivative.names
        return known

    def scalar(self, of: str) -> tuple[str, Program]:
        """A tensor without axes that holds the element `of`, and the program with it."""
        match = ELEMENT.fullmatch(of)
        if match["at"] is None:
            return of, self.program
        tensor = self.program.tensor(match["name"])
        at = self._at(tensor, match["at"])
        name = NameSupply(_names(self.program)).fresh(re.sub(r"\W+", "_", of).strip("_"))
        return name, self.program.extended([Tensor(name)], [Equation(Tensor(name)[()], tensor[at])])

    # expressions

    def _expression(self, text: str) -> Quantity:
        """An expression over the program's tensors, as an equation behind it."""
        scope = Scope({t.name: t for t in self.text.program.tensors})
        try:
            right = parse_expression(text, scope)
        except SymbpError as error:
            raise LanguageError(f"{text!r} is no element, derivative or expression that can be read: {error}") from None
        builder = Builder(NameSupply(_names(self.program)))
        name = builder.names.fresh("claimed")
        builder.assign(Tensor(name)[()], right)
        self.program = self.program.extended([Tensor(name), *builder.tensors], builder.equations)
        return Quantity(name)


def _key(match: re.Match) -> str:
    """A scalar's name, with the indices of an element."""
    return match["name"] + ("" if match["at"] is None else "[" + re.sub(r"\s", "", match["at"]) + "]")


def _names(program: Program) -> set[str]:
    return {t.name for t in program.tensors} | {i.name for i in program.indices}


def _shown(shape: Iterable[object]) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"
