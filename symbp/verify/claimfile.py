"""The claim file: TOML → the text's program, its values, and its claims in order.  Nothing in a file is ever evaluated.

    title = "…"   source = "…"
    [network]     equations = ["z[j] = sum(i, w[j,i]*x[i])", …]   loss = "J"   parameters = ["w"]   names = { delta = "dJ/dz" }
    [values]      x = [0.5, 0.8]   w = [[0.1, 0.2]]   v = { seed = 1, draw = "2*random - 1", shape = [3] }
    [optimizer]   as in a network file, where the text takes steps
    [[claims]]    id = "z"   of = "z[0]"   value = "0.31"   after = 0   where = "§4.2"
    [[not_judged]]  id = "19"   kind = "wording"   says = "…"   where = "§3.2"
    [[cases]]     further networks of the same text, each with tables of its own

Instead of equations, [input], [[layers]] and [loss] describe a network as in a network file, at the top or inside [network].
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from symbp.language.program import Program
from symbp.optim import Optimizer
from symbp.report.text import visible
from symbp.settings import NetworkError, place, quoted
from symbp.suggest import nearest
from symbp.tomlfile import tables_of, text_of
from symbp.verify.claims import Claim, Unjudged, claims, not_judged
from symbp.verify.draws import drawn
from symbp.verify.printed import read
from symbp.verify.textnet import LAYERED, text_net

MOST_CASES, DEEPEST = 200, 8
OWN = ("title", "source", "values", "claims", "cases", "not_judged")
TOP = (*OWN, "name", "network", *LAYERED)


@dataclass(frozen=True)
class Text:
    """What a claim file says: the forward program, exact values, the optimiser, and the claims in the order of the text.

    broken: for each name whose equation means nothing, why.  samples, batch: the values of which each step takes the next rows.
    cases: further networks of the same text.  folder: where the file lies, and the code that it names.
    """

    title: str
    source: str
    program: Program
    loss: str
    optimizer: Optimizer | None
    values: Mapping[str, np.ndarray]
    sizes: Mapping[str, int]
    names: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, str] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    broken: Mapping[str, str] = field(default_factory=dict)
    samples: tuple[str, ...] = ()
    batch: int = 0
    cases: tuple[Text, ...] = ()
    not_judged: tuple[Unjudged, ...] = ()
    folder: Path = Path()

    @property
    def networks(self) -> tuple[Text, ...]:
        """The text's own network and those of its cases, where claims are made about them."""
        return tuple(text for text in (self, *self.cases) if text.claims or text.not_judged)

    @property
    def epoch(self) -> int:
        """How many updates there are in a pass over the samples."""
        return len(self.values[self.samples[0]]) // (self.batch or 1) if self.samples else 1


def load(path: str | Path) -> Text:
    """Read a claim file.

    Raises `NetworkError`, one paragraph, for whatever is wrong with the file as a whole.
    """
    path = Path(path)
    with place(visible(str(path))[-300:]):
        text = replace(parse(text_of(path, "claim file", "a [network], [values] and [[claims]]")), folder=path.parent)
        return replace(text, cases=tuple(replace(case, folder=path.parent) for case in text.cases))


def parse(text: str) -> Text:
    """Read the text of a claim file.

    >>> found = parse('''title = "line"
    ... [network]
    ... equations = ["y = w*x"]
    ... [values]
    ... w = 2
    ... x = 0.5
    ... [[claims]]
    ... of = "y"
    ... value = "1.0"
    ... ''')
    >>> found.claims[0].of, found.values["x"].item()
    ('y', Fraction(1, 2))
    """
    tables = tables_of(text, "claim file", parse_float=Decimal)
    for key in ("network", "values"):
        _table(tables, key)
    cases = tables.get("cases", [])
    if not isinstance(cases, list) or len(cases) > MOST_CASES or not all(isinstance(case, dict) for case in cases):
        raise NetworkError(f"cases are tables [[cases]], at most {MOST_CASES} of them")
    found = tuple(_case(number, case) for number, case in enumerate(cases, 1))
    if not tables.get("claims") and not any(case.claims for case in found):
        raise NetworkError('there are no claims: add a table [[claims]] with, for instance, of = "z" and value = "0.31"')
    if found and "claims" not in tables and "network" not in tables and "layers" not in tables:
        tables = {**tables, "network": {"equations": ["nothing = 0"]}}
    return _text(tables, found)


def _case(number: int, tables: Mapping[str, Any]) -> Text:
    with place(f"[[cases]] {visible(str(tables.get('name', number)))[:60]}"):
        if "cases" in tables:
            raise NetworkError("a case has no cases of its own")
        return _text({"title": tables.get("name", f"case {number}"), **tables}, ())


def _text(tables: Mapping[str, Any], cases: tuple[Text, ...]) -> Text:
    """A network with its values and claims."""
    unknown = next((key for key in tables if key not in TOP), None)
    if unknown is not None:
        raise NetworkError(f"unknown key {quoted(unknown)}{nearest(unknown, TOP)}")
    values = _values(_table(tables, "values"))
    net = text_net({key: value for key, value in tables.items() if key not in OWN}, values)
    inputs = {t.name for t in net.program.inputs}
    values = {net.names[k] if k not in net.program and net.names.get(k) in inputs - {*values} else k: v for k, v in values.items()}
    values |= {k: v.reshape(tuple(map(int, net.program.tensor(k).shape))) for k, v in values.items() if _is_alike(net.program, k, v)}
    heads = {key: str(tables.get(key, ""))[:300] for key in ("title", "source")}
    return Text(**heads, **vars(net), values=values, claims=claims(tables.get("claims", [])), cases=cases,
                not_judged=not_judged(tables.get("not_judged", [])))


def _is_alike(program: Program, name: str, value: np.ndarray) -> bool:
    """Whether a value has the shape of a tensor but for axes of extent 1: y = 1 where y has one element."""
    shape = program.tensor(name).shape if name in program else ()
    own = tuple(int(e) for e in shape) if all(e.is_Integer for e in shape) else value.shape
    return own != value.shape and [e for e in own if e != 1] == [e for e in value.shape if e != 1]


def _table(tables: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = tables.get(key, {})
    if not isinstance(found, dict):
        raise NetworkError(f"{key} must be a table, [{key}]")
    return found


def _values(tables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The exact numbers of all values, in the order of the file."""
    with place("[values]"):
        draws = drawn({name: value for name, value in tables.items() if isinstance(value, dict)})
    return {name: draws[name] if name in draws else _array(name, value) for name, value in tables.items()}


def _array(name: str, value: Any) -> np.ndarray:
    """Exact numbers of a value, nested lists as an array."""
    with place(f"[values] {visible(name)[:60]}"):
        shape = _shape(value)
        array = np.empty(shape, dtype=object)
        for at in np.ndindex(shape):
            entry = value
            for k in at:
                entry = entry[k]
            array[at] = _exact(entry)
        return array


def _shape(value: Any, depth: int = 0) -> tuple[int, ...]:
    if not isinstance(value, list):
        return ()
    if depth == DEEPEST or not value:
        raise NetworkError("a value is a number or lists of numbers, none of them empty and not nested deeper than eight times")
    shapes = {_shape(entry, depth + 1) for entry in value}
    if len(shapes) > 1:
        raise NetworkError(f"its rows have different lengths: {', '.join(sorted(map(str, shapes)))}")
    return (len(value), *shapes.pop())


def _exact(entry: Any) -> Fraction:
    if isinstance(entry, str):
        return read(entry).value
    if isinstance(entry, bool) or not isinstance(entry, (int, Decimal)) or isinstance(entry, Decimal) and not entry.is_finite():
        raise NetworkError(f"{visible(str(entry))[:60]} is no finite number")
    return read(str(entry)).value


__all__ = ["Claim", "Text", "load", "parse"]
