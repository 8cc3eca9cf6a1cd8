"""Verdicts on code: a person's function, called on random inputs in a process of its own, beside what is derived.

Stage: a claim's `Code` + text → `Checked`: each result beside the right one, in the layout that fits best.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from symbp.verify.binding import PARAMETERS, RATE, Names, arguments_of, changes_of, entries
from symbp.verify.claimfile import Text
from symbp.verify.known import SEEDS, Known
from symbp.verify.layouts import Fit, Way, fit, ways
from symbp.verify.listing import Code, CodeError, Function, function, read
from symbp.verify.outcome import ILL_POSED, RIGHT, RIGHT_IF, UNDECIDED, WRONG
from symbp.verify.sandbox import SECONDS, UNKNOWN, Call, Failure, Outcome, Result, run

MOST_SWAPS = 8


@dataclass(frozen=True)
class Item:
    """One result: what the code calls it, what it should be, and how it compares."""

    label: str
    quantity: str
    fit: Fit
    found: tuple[Any, ...] = field(default=(), repr=False, compare=False)
    wanted: tuple[np.ndarray, ...] = field(default=(), repr=False, compare=False)

    @property
    def holds(self) -> bool:
        """Whether it is right, if only laid out the other way."""
        return self.fit.kind in ("right", "turned")

    @property
    def score(self) -> float:
        """1 where it holds, less for what comes near: used to choose the layout that fits best."""
        return {"right": 1.0, "turned": 0.9, "ratio": 0.3, "ratio turned": 0.25, "wrong": 0.1}.get(self.fit.kind, 0.0)


@dataclass(frozen=True)
class Checked:
    """What is said of a function: the verdict, why, its results, the layout, how it failed if it did, and the slips that explain it."""

    verdict: str
    note: str = ""
    items: tuple[Item, ...] = ()
    way: Way = Way()
    failure: Failure | None = None
    slips: tuple[str, ...] = ()


class Check:
    """One function beside one text.

    folder: where the file lies.  Raises `CodeError` for code that cannot be read, or whose arguments nothing explains.

    >>> from symbp.verify.claimfile import parse
    >>> text = parse('''[network]
    ... equations = ["z = sum(i, w[i]*x[i])", "L = (z - y)^2/2"]
    ... loss = "L"
    ... parameters = ["w"]
    ... [values]
    ... w = [1, 2, 3]
    ... x = [2, 1, 0]
    ... y = 3
    ... [[claims]]
    ... of = "L"
    ... value = "0.5"
    ... ''')
    >>> Check(text, Code(code="def backward(w, x, y):\\n    dw = (w @ x - y) * x\\n    return dw\\n")).result().verdict
    'right'
    """

    def __init__(self, text: Text, code: Code, folder: Path | None = None, seconds: float = SECONDS) -> None:
        self.text, self.code, self.seconds = text, code, seconds
        if bool(code.python) == bool(code.code):
            raise CodeError('code is either python = "file.py::function" or a listing, code = …')
        self.path = (folder or Path()) / code.file if code.file else None
        self.file = code.file or "the listing"
        self.source = read(self.path) if self.path else code.code
        self.function = function(self.source, code.wanted, self.file)
        self.names = Names(text)
        self.earlier = self._earlier()
        left = [name for f in self.earlier for name in f.returned if name]
        self.arguments = arguments_of(self.function, self.names, code.arguments, left)
        self.updates = RATE in self.arguments.values()
        chain = (*self.earlier, self.function)
        self.attributes = {**self._attributes(chain), **code.attributes}
        self.changes = dict(code.changes) or changes_of(chain, self.names, self.arguments, self.updates)
        self.known = Known(text)

    def _earlier(self) -> tuple[Function, ...]:
        """The functions that are called before; of a class its own ones first."""
        owner = self.function.owner
        return tuple(function(self.source, name if not owner or "." in name or name not in self._methods(owner) else f"{owner}.{name}",
                              self.file) for name in self.code.before)

    def _methods(self, owner: str) -> set[str]:
        from symbp.verify.listing import functions
        return {f.name for f in functions(self.source).values() if f.owner == owner}

    def _called(self, chain: Sequence[Function]) -> list[Function]:
        """The methods among these functions, and those of the same class that they call."""
        found = {f.title: f for f in chain if f.owner}
        todo = list(found.values())
        while todo:
            f = todo.pop()
            for title in (f"{f.owner}.{name}" for name in f.attributes if name in self._methods(f.owner)):
                if title not in found:
                    found[title] = function(self.source, title, self.file)
                    todo.append(found[title])
        return list(found.values())

    def _attributes(self, chain: Sequence[Function]) -> dict[str, Any]:
        """Attributes of the object that the text has a name for; values of the forward pass only where no function is called before."""
        wanted = {name: self.names.tensor(name) for f in self._called(chain) for name in f.attributes}
        given = {t.name for t in self.text.program.inputs}
        return {name: found for name, found in wanted.items() if found and (found in given or not self.earlier)}

    # calls

    def result(self) -> Checked:
        """Call the function and compare: in the text's own layout, then in others.

        Nothing is wrong with a function that draws its masks by itself, but nothing can be compared either.
        """
        found = self._best()
        if not self.undrawn or found.verdict in (RIGHT, RIGHT_IF):
            return found
        what, they = ("masks", "them as arguments") if self.undrawn[1:] else ("mask", "it as an argument")
        return Checked(UNDECIDED, f"the network draws the {what} {', '.join(self.undrawn)}, which the function is not given: nothing can "
                                  f"be compared; let it take {they}")

    @property
    def undrawn(self) -> list[str]:
        """The masks that the network draws and the function is not given."""
        return [m for m in self.names.masks if m not in _leaves([*self.arguments.values(), *self.attributes.values()])]

    def _best(self) -> Checked:
        """The comparison in the layout that fits best."""
        plain = self._tried([Way()], SEEDS)[0]
        if plain.verdict == RIGHT or plain.failure is not None and plain.failure.kind in ("OutOfTime", "Ended", *UNKNOWN):
            return plain
        others = [*ways(self.text.program, self._given()), *self._swaps()][1:]
        first = self._tried(others, SEEDS[:1]) if others else []
        best = max(first, key=_worth, default=plain)
        if _worth(best) <= _worth(plain):
            return plain
        again = self._tried([best.way], SEEDS)[0]
        return again if _worth(again) > _worth(plain) else plain

    def _given(self) -> list[Any]:
        """The tensors that the function is given, or is to answer by."""
        names = [self.known.tensor(q) for q in _leaves([*self.arguments.values(), *self.attributes.values()]) if isinstance(q, str)]
        names += self.names.parameters if PARAMETERS in self.arguments.values() else []
        return [self.text.program.tensor(name) for name in dict.fromkeys(names) if name]

    def _swaps(self) -> list[Way]:
        """Other tensors in the place of a single argument: σ′ as a(1 − a) is right of an activation."""
        if len(self.arguments) != 1:
            return []
        (name, quantity), = self.arguments.items()
        tensors = {t.name: t for t in self.text.program.tensors if t.dtype == "float"}
        own = tensors.get(quantity) if isinstance(quantity, str) else None
        others = [n for n, t in tensors.items() if own is not None and n != quantity and t.shape == own.shape]
        return [Way(instead=(name, other)) for other in others[:MOST_SWAPS]]

    def _tried(self, chosen: Sequence[Way], seeds: Sequence[int]) -> list[Checked]:
        """The function called in each way at each point."""
        calls = [self._call(way, seed) for way in chosen for seed in seeds]
        name = self.path.name if self.path else "listing.py"
        outcomes = run(self.source, calls, name=name, folder=self.path.parent if self.path else None, seconds=self.seconds)
        step = len(seeds)
        return [self._compared(way, outcomes[k * step:(k + 1) * step], seeds) for k, way in enumerate(chosen)]

    def _call(self, way: Way, seed: int) -> Call:
        arguments = {name: self._value(name, quantity, way, seed) for name, quantity in self.arguments.items()}
        if way.instead is not None:
            arguments[way.instead[0]] = self._value(way.instead[0], way.instead[1], way, seed)
        left: list[str] = []
        before = []
        for earlier in self.earlier:
            bound = arguments_of(earlier, self.names, {k: v for k, v in self.code.arguments.items() if k in earlier.parameters}, left)
            before.append((earlier.name, {k: self._value(k, v, way, seed) for k, v in bound.items()}, earlier.returned))
            left += earlier.returned
        attributes = {k: self._value(f"self.{k}", v, way, seed) for k, v in self.attributes.items()}
        kept = [name.removeprefix("self.") for name in self.changes if name.startswith("self.")]
        return Call(self.function.name, arguments, self.function.positional, before, self.function.owner, attributes, kept)

    def _value(self, name: str, quantity: Any, way: Way, seed: int) -> Any:
        """What an argument is given at one point: numbers, arrays, lists and dictionaries of them."""
        if isinstance(quantity, (Result, int, float)):
            return quantity
        if quantity == PARAMETERS:
            quantity = {key: name for name in self.names.parameters for key in (name, name.replace(".", "_"))}
        if isinstance(quantity, Mapping):
            return {key: self._value("", entry, way, seed) for key, entry in quantity.items()}
        if isinstance(quantity, list):
            return [self._value("", entry, way, seed) for entry in quantity]
        array = self._laid(quantity, way, seed)
        shape = self.code.shapes.get(name)
        if shape is not None:
            if int(np.prod(shape)) != array.size:
                raise CodeError(f"shapes: {name} cannot have the shape {shape}, for {quantity} has {array.size} elements")
            return array.reshape(shape)
        return float(array) if array.ndim == 0 else array

    def _laid(self, quantity: str, way: Way, seed: int) -> np.ndarray:
        tensor = self.known.tensor(quantity)
        return way.laid(self.known.value(seed, quantity), self.text.program.tensor(tensor) if tensor else None, self.text.program)

    # comparison

    def _compared(self, way: Way, outcomes: Sequence[Outcome], seeds: Sequence[int]) -> Checked:
        failure = next((o.failure for o in outcomes if o.failure is not None), None)
        if failure is not None:
            return Checked(ILL_POSED if failure.ill_posed else UNDECIDED, f"it stops: {failure}", way=way, failure=failure)
        found: dict[tuple[str, str], list[Any]] = {}
        for outcome in outcomes:
            for label, value, quantity in self._results(outcome):
                found.setdefault((label, quantity), []).append(value)
        items = tuple(self._item(label, quantity, values, way, seeds) for (label, quantity), values in found.items()
                      if len(values) == len(seeds))
        return self._judged(items, way)

    def _results(self, outcome: Outcome) -> list[tuple[str, Any, str]]:
        returned = [] if self.code.changes and self.code.returns is None else \
            list(entries(outcome.value, self.function, self.code.returns, self.names, self.updates))
        held = [(name, outcome.attributes.get(name.removeprefix("self.")) if name.startswith("self.") else outcome.arguments.get(name),
                 quantity) for name, quantity in self.changes.items()]
        seen = {quantity for _, _, quantity in returned}
        return [*returned, *(h for h in held if h[2] not in seen)]

    def _item(self, label: str, quantity: str, values: Sequence[Any], way: Way, seeds: Sequence[int]) -> Item:
        wanted = tuple(self._laid(quantity, way, seed) for seed in seeds)
        return Item(label, quantity, fit(values, wanted), tuple(values), wanted)

    def _judged(self, items: tuple[Item, ...], way: Way) -> Checked:
        """The verdict that the results make together."""
        if not items:
            return Checked(UNDECIDED, "nothing that it returns or changes is known by its name; say what it is with returns = … or "
                                      "changes = …", way=way)
        conditions = [*way.conditions, *(f"{i.label} is laid out transposed" for i in items if i.fit.kind == "turned")]
        bad = [i for i in items if not i.holds]
        compared = f"compared: {', '.join(dict.fromkeys(i.quantity for i in items))}"
        if not bad:
            note = f"right if {' and '.join(conditions)}; {compared}" if conditions else compared
            return Checked(RIGHT_IF if conditions else RIGHT, note, items, way)
        scale = self._scale(items)
        if scale:
            return Checked(RIGHT_IF, f"right if {' and '.join([scale, *conditions])}; {compared}", items, way)
        return Checked(WRONG, "; ".join(said(i) for i in bad), items, way)

    def _scale(self, items: Sequence[Item]) -> str:
        """Whether all results are N times, or 1/N of, the right ones: the loss is added up, or averaged, over the samples."""
        count = self.known.sizes.get("N")
        ratios = {round(i.fit.ratio, 9) if i.fit.ratio else None for i in items}
        if not count or len(ratios) != 1 or None in ratios or any("after" in i.quantity for i in items):
            return ""
        ratio = ratios.pop()
        if abs(ratio - count) < 1e-6:
            return "the loss is the sum over the samples, not the mean"
        return "the loss is the mean over the samples, not the sum" if abs(ratio * count - 1) < 1e-6 else ""


def said(item: Item) -> str:
    """What is wrong with one result, in words."""
    name = item.label if item.label == item.quantity else f"{item.label} ({item.quantity})"
    if item.fit.ratio is not None:
        turned = ", laid out transposed" if item.fit.kind == "ratio turned" else ""
        return f"{name} is {item.fit.ratio:.6g} times the right value{turned}"
    if item.fit.kind == "missing":
        return f"{name} is missing"
    return f"{name} is wrong" + (f": {item.fit.note}" if item.fit.note else "")


def _worth(checked: Checked) -> tuple[float, int]:
    """How well a layout fits: the share of results, then fewer conditions."""
    if checked.failure is not None or not checked.items:
        return -1.0, 0
    full = checked.verdict in (RIGHT, RIGHT_IF)
    return full + sum(i.score for i in checked.items) / len(checked.items), -len(checked.way.conditions)


def _leaves(values: Sequence[Any]) -> list[Any]:
    found = []
    for value in values:
        found += _leaves(list(value.values())) if isinstance(value, Mapping) else _leaves(value) if isinstance(value, list) else [value]
    return found
