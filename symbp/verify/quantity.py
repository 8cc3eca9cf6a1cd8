"""What a claim is of: a tensor's element, a derivative's, or an expression; and the program that calculates them all.

    z[0]    a3    dJ/dw[0,1]    ∂E_o1/∂out_h1    (1 - f)*f    -alpha*dJ/dw[0]    m_w[0]

Stage: forward program + the claims' texts → one program with every adjoint that they need, with the optimiser's update where the
text takes steps, and for each text the tensor and the element that hold its value.
"""
from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from symbp.calculus.differentiate import adjoint
from symbp.errors import LanguageError
from symbp.language.equation import Equation, walk
from symbp.language.names import NameSupply
from symbp.language.program import Program
from symbp.language.scope import CONSTANTS
from symbp.language.tensor import Tensor
from symbp.optim.base import Update
from symbp.suggest import nearest
from symbp.verify.claimfile import Text
from symbp.verify.expressions import expression
from symbp.verify.latex_quantity import FORMAL, in_words
from symbp.verify.wording import ELEMENT, LONGEST, QUOTIENT, WITHIN, IllPosed, Quantity

MOST_ALIASES = 20


class Quantities:
    """The program that grows with the quantities asked for.

    steps: whether the optimiser's update is part of it; update: that update.  expressions: the tensors and equations of claims that
    are expressions.

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
    Quantity(tensor='x_bar', at=(), of='y', by='x', lag=0)
    """

    def __init__(self, text: Text, steps: bool = False) -> None:
        self.text, self.program = text, text.program
        self.update: Update | None = None
        self.expressions: list[tuple[tuple[Tensor, ...], tuple[Equation, ...]]] = []
        self.derivatives: dict[str, Mapping[str, str]] = {}
        self._found: dict[str, Quantity] = {}
        self._sources = self._wanted(dict.fromkeys(c.quantity for c in text.claims if c.printed is not None))
        if text.loss and text.optimizer and steps:
            bars = self.adjoint(text.loss)
            self.update = text.optimizer.update(self.program, {t.name: bars[t.name] for t in text.program.parameters})
            self.program = self.update.extended()

    @property
    def known(self) -> list[str]:
        """The names that a claim may use."""
        own = [t.name for t in self.update.tensors] if self.update else []
        return [*(t.name for t in self.text.program.tensors if not t.auxiliary), *self.text.names, *own]

    def find(self, text: str) -> Quantity:
        """The quantity of a claim's text.

        Raises `IllPosed` for names that there are not and elements outside, `LanguageError` for what cannot be read.
        """
        if text not in self._found:
            self._found[text] = self._find(text)
        return self._found[text]

    def table(self, text: str, shape: Sequence[int]) -> tuple[list[Quantity], bool]:
        """The quantities of a printed vector or matrix in the order of its rows, and whether it is laid out transposed.

        Raises `IllPosed` where the printed shape is another.
        """
        first, own = self._whole(text)
        axes = [k for k, extent in enumerate(own) if extent != 1]
        kept, printed = [own[k] for k in axes], [extent for extent in shape if extent != 1]
        if printed != kept and printed != kept[::-1]:
            raise IllPosed(f"{text} has the shape {_shown(own)}, but a table of the shape {_shown(shape)} is printed")
        turned = printed != kept
        places = [self._place(at, axes[::-1] if turned else axes, shape, len(own)) for at in itertools.product(*map(range, shape))]
        if first is None:
            return [self.find(f"{text}[{','.join(map(str, at))}]") for at in places], turned
        return [replace(first, at=at) for at in places], turned

    def _place(self, at: Sequence[int], axes: Sequence[int], shape: Sequence[int], rank: int) -> tuple[int, ...]:
        """The element of a tensor that stands at a place of a table, axes of extent 1 left out."""
        longer = [k for k, extent in zip(at, shape) if extent != 1]
        found = dict(zip(axes, longer))
        return tuple(found.get(axis, 0) for axis in range(rank))

    def _whole(self, text: str) -> tuple[Quantity | None, tuple[int, ...]]:
        """The quantity of the first element of what has axes, and the shape; no quantity for ∂a/∂z of an elementwise a."""
        quotient = QUOTIENT.fullmatch(text)
        if quotient and self.is_derivative(quotient):
            sides = [ELEMENT.fullmatch(quotient[side]) for side in ("of", "by")]
            top, bottom = (self.shape(self._tensor(side["name"], side["at"])[0]) for side in sides)
            if top == bottom and not sides[0]["at"] and not set(top) <= {1}:
                return None, bottom
        first = self._find(text, whole=True)
        return first, self.shape(self.program.tensor(first.tensor))

    def shape(self, tensor: Tensor) -> tuple[int, ...]:
        """The extents of a tensor's axes."""
        sizes = [self.text.sizes.get(str(extent), extent) for extent in tensor.shape]
        unknown = next((extent for extent in sizes if not str(extent).isdigit()), None)
        if unknown is not None:
            missing = ", ".join(t.name for t in self.text.program.inputs if t.name not in self.text.values)
            raise LanguageError(f"the extent of an axis of {tensor.name} is unknown, since [values] has no value for {missing or unknown}")
        return tuple(int(extent) for extent in sizes)

    def _find(self, text: str, whole: bool = False, aliases: int = 0) -> Quantity:
        if len(text) > LONGEST:
            raise LanguageError(f"the quantity has {len(text)} characters; {LONGEST} are the most")
        if aliases > MOST_ALIASES:
            raise LanguageError(f"the name {text!r} of [network] is defined by itself")
        text = self._plain(text)
        element, quotient = ELEMENT.fullmatch(text), QUOTIENT.fullmatch(text)
        if element and element["at"] and element["name"] not in self.known and self._layer(element) in self.text.names:
            rest = element["at"].partition(",")[2]
            return self._find(self._layer(element) + (f"[{rest}]" if rest else ""), whole, aliases + 1)
        if element and element["name"] in self.text.names and element["name"] not in self.program:
            meaning = self.text.names[element["name"]]
            return self._find(meaning + (f"[{element['at']}]" if element["at"] is not None else ""), whole, aliases + 1)
        if element and element["name"] not in CONSTANTS:
            return self._element(element, whole)
        if quotient and self.is_derivative(quotient):
            return self._derivative(quotient, whole)
        return expression(self, text, whole)

    @staticmethod
    def _layer(element: re.Match) -> str:
        """The name of layer l: delta2 for delta[2]."""
        return element["name"] + element["at"].partition(",")[0].strip()

    def _plain(self, text: str) -> str:
        """The words of a quantity: of LaTeX, of W[0][1], and of the loss where it has another name."""
        text = re.sub(r"\]\s*\[", ",", text)
        if FORMAL.search(text):
            text = in_words(text, self._axes())
        return self.text.loss or text if text.strip() in ("loss", "cost") and text.strip() not in self.known else text

    def _axes(self) -> dict[str, int]:
        """How many axes each name has, those of the text's own among them."""
        axes = {t.name: len(t.shape) for t in self.program.tensors if not t.auxiliary}
        for name, meaning in self.text.names.items():
            match = QUOTIENT.fullmatch(meaning)
            by = ELEMENT.fullmatch(match["by"] if match else meaning)
            axes.setdefault(name, axes.get(by["name"], 0) if by else 0)
        return axes

    def _element(self, match: re.Match, whole: bool) -> Quantity:
        tensor, at = self._tensor(match["name"], match["at"])
        return Quantity(tensor.name, self._at(tensor, at, whole), lag=self.lag([tensor.name]))

    def _tensor(self, name: str, at: str | None = None) -> tuple[Tensor, str | None]:
        """The tensor of that name, and the indices; z[3] is z3 where nothing is called z."""
        if name in self.text.names and name not in self.program and (match := ELEMENT.fullmatch(self.text.names[name])):
            return self._tensor(match["name"], match["at"] or at)
        known = {*self.known} - {*self.text.names}
        first, _, rest = (at or "").partition(",")
        if name not in known and name + first.strip() in known:
            return self.program.tensor(name + first.strip()), rest
        if name in self.text.broken:
            raise IllPosed(f"{name} cannot be calculated: {self.text.broken[name]}")
        if name not in known:
            raise IllPosed(f"nothing is called {name[:60]!r} here{nearest(name, self.known)}")
        return self.program.tensor(name), at

    def _at(self, tensor: Tensor, indices: str | None, whole: bool = False) -> tuple[int, ...]:
        at = tuple(int(k[:9]) for k in (indices or "").split(",") if k.strip())
        shape = self.shape(tensor)
        if not at and (whole or set(shape) <= {1}):
            return (0,) * len(shape)
        if len(at) != len(shape):
            raise IllPosed(f"{tensor.name} has the shape {_shown(shape)}, so {tensor.name}"
                           + (f"[{','.join(map(str, at))}] is no number of it" if at else " is no number")
                           + f"; give {len(shape)} {'index' if len(shape) == 1 else 'indices'}, counted from 0")
        outside = next((axis for axis, (k, e) in enumerate(zip(at, shape)) if not k < e), None)
        if outside is not None:
            raise IllPosed(f"{tensor.name} has the shape {_shown(shape)}, so the index {at[outside]} of axis {outside} is outside "
                           f"0 … {shape[outside] - 1}")
        return at

    def whole(self, text: str) -> str:
        """The tensor that holds all elements of a name or derivative."""
        quotient = QUOTIENT.fullmatch(text)
        if quotient and self.is_derivative(quotient):
            of, by = (ELEMENT.fullmatch(quotient[side]) for side in ("of", "by"))
            bottom, _ = self._tensor(by["name"])
            return self.adjoint(self._scalar_key(of), bottom.name)[bottom.name]
        return self._tensor(text.strip())[0].name

    # derivatives

    def is_derivative(self, match: re.Match) -> bool:
        """Whether the two sides are d and a tensor, and not two tensors whose names begin with d."""
        known = {t.name for t in self.text.program.tensors}
        sides = [ELEMENT.match(match[side])["name"] for side in ("of", "by")]
        return not {f"d{s}" for s in sides} <= known

    def _wanted(self, texts: Iterable[str]) -> dict[str, list[str]]:
        """For each scalar that is differentiated, by what: one adjoint serves all."""
        found: dict[str, list[str]] = {self.text.loss: [t.name for t in self.text.program.parameters]} if self.text.loss else {}
        for text in (*texts, *self.text.names.values()):
            for match in WITHIN.finditer(self._alias(text)[:LONGEST]):
                of, by = ELEMENT.fullmatch(match["of"]), ELEMENT.fullmatch(self.text.names.get(match["by"], match["by"]))
                if by and by["name"] in self.text.program and of["name"] in self.text.program and self.is_derivative(match):
                    found.setdefault(_key(of), []).append(by["name"])
        return {of: list(dict.fromkeys(by)) for of, by in found.items()}

    def _alias(self, text: str) -> str:
        """A name of the file's own written out."""
        match = ELEMENT.fullmatch(text)
        return self.text.names[match["name"]] if match and match["name"] in self.text.names else text

    def _derivative(self, match: re.Match, whole: bool) -> Quantity:
        of, by = (ELEMENT.fullmatch(match[side]) for side in ("of", "by"))
        bottom, indices = self._tensor(by["name"], by["at"])
        at = self._at(bottom, indices, whole)
        key = self._of(of, bottom, at)
        return Quantity(self.adjoint(key, bottom.name)[bottom.name], at, key, bottom.name)

    def _of(self, of: re.Match, bottom: Tensor, at: tuple[int, ...]) -> str:
        """The number that is differentiated; ∂a/∂z[k] of an elementwise a is ∂a[k]/∂z[k]."""
        top, indices = self._tensor(of["name"], of["at"])
        shape = self.shape(top)
        if not indices and shape == self.shape(bottom) and not set(shape) <= {1}:
            return f"{top.name}[{','.join(map(str, at))}]"
        return self._scalar_key(of)

    def _scalar_key(self, of: re.Match) -> str:
        """The name of a number that is differentiated, with the indices of an element."""
        top, indices = self._tensor(of["name"], of["at"])
        place = self._at(top, indices)
        return top.name + (f"[{','.join(map(str, place))}]" if top.shape else "")

    def adjoint(self, of: str, by: str = "") -> Mapping[str, str]:
        """The cotangents of everything that the scalar `of` depends on."""
        known = self.derivatives.get(of)
        if known is None or by and by not in known:
            wanted = [*self._sources.get(of, []), *([by] if by else [])]
            name, forward = scalar(self.program, of)
            derivative = adjoint(forward, name, dict.fromkeys(wanted))
            new = derivative.program.statements[derivative.given:]
            tensors = derivative.program.tensors[len(forward.tensors):]
            self.program = forward.extended(tensors, new)
            known = self.derivatives[of] = derivative.names
        return known

    def extend(self, tensors: Sequence[Tensor], equations: Sequence[Equation]) -> None:
        """Add the equations of an expression behind the program."""
        self.program = self.program.extended(tensors, equations)
        self.expressions.append((tuple(tensors), tuple(equations)))

    def lag(self, names: Iterable[str]) -> int:
        """1 where one of the tensors is calculated in a step of the optimiser."""
        written = {eq.target.name for eq, _ in walk(self.update.statements)} if self.update else set()
        return int(not written.isdisjoint(names))


def scalar(program: Program, of: str) -> tuple[str, Program]:
    """A tensor without axes that holds the element `of`, and the program with it."""
    match = ELEMENT.fullmatch(of)
    if match["at"] is None:
        return of, program
    name = NameSupply(_names(program)).fresh(re.sub(r"\W+", "_", of).strip("_"))
    at = tuple(int(k) for k in match["at"].split(",") if k.strip())
    return name, program.extended([Tensor(name)], [Equation(Tensor(name)[()], program.tensor(match["name"])[at])])


def _key(match: re.Match) -> str:
    """A scalar's name, with the indices of an element."""
    return match["name"] + ("" if match["at"] is None else "[" + re.sub(r"\s", "", match["at"]) + "]")


def _names(program: Program) -> set[str]:
    return {t.name for t in program.tensors} | {i.name for i in program.indices}


def _shown(shape: Iterable[object]) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"
