"""The claim file: TOML → the text's program, its values, and its claims in order.  Nothing in a file is ever evaluated.

    title = "…"   source = "…"
    [network]     equations = ["z[j] = sum(i, w[j,i]*x[i])", …]   loss = "J"   parameters = ["w"]   names = { delta = "dJ/dz" }
    [values]      x = [0.5, 0.8]   w = [[0.1, 0.2]]
    [optimizer]   as in a network file, where the text takes steps
    [[claims]]    id = "z"   of = "z[0]"   value = "0.31"   after = 0   where = "§4.2"
    [[not_judged]]  id = "19"   kind = "wording"   says = "…"   where = "§3.2"

Instead of equations, [input], [[layers]] and [loss] describe a network as in a network file, at the top or inside [network].  A claim
that cannot be read is judged all the same: as one that nothing can be said of.
"""
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from symbp.errors import SymbpError
from symbp.language.conventions import Conventions
from symbp.language.program import Program
from symbp.language.tensor import Tensor
from symbp.layers.equations import Extent, Reader
from symbp.netfile import network as network_of
from symbp.optim import OPTIMIZERS, Optimizer
from symbp.report.text import visible
from symbp.settings import Identifier, NetworkError, Settings, place, quoted, read_typed
from symbp.suggest import nearest
from symbp.tomlfile import tables_of, text_of
from symbp.verify.listing import Code
from symbp.verify.printed import Printed, read

MOST_STEPS, MOST_CLAIMS, DEEPEST = 1_000_000, 5_000, 8
CLAIM = ("id", "of", "value", "after", "where", "formula", *Code.model_fields)
OWN = ("title", "source", "values", "claims", "not_judged")
LAYERED = ("input", "target", "layers", "loss", "optimizer", "conventions", "notation")
TOP = (*OWN, "name", "network", *LAYERED)


class Equations(Settings):
    """The text's network in its own symbols.

    parameters: what its steps change.  integers: values that are positions or classes.  names: what the text calls a derivative.
    convention: whether samples are the columns or the rows of its matrices; the equations' indices say the rest.
    """

    convention: Literal["column", "rows"] = "rows"
    equations: Annotated[list[str], Field(min_length=1, max_length=1000)]
    loss: Identifier = ""
    parameters: list[Identifier] = Field(default_factory=list)
    integers: list[Identifier] = Field(default_factory=list)
    indices: dict[Identifier, Extent] = Field(default_factory=dict)
    facts: list[str] = Field(default_factory=list)
    names: dict[Identifier, str] = Field(default_factory=dict)
    functions: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """One printed number: its place in the file, what it is of, the digits, and after how many updates; or a formula, or code.

    problem: why it cannot be judged, where that is known from the file alone.
    """

    id: str
    of: str
    printed: Printed | None
    after: int = 0
    where: str = ""
    problem: str = ""
    formula: str = ""
    code: Code | None = None

    @property
    def stated(self) -> str:
        """The formula, or how code is called; "" for a number."""
        return self.formula or (self.code.title if self.code else "")


class Unjudged(Settings):
    """A claim of the text that no calculation can judge, and of what kind it is; the report lists it."""

    id: Annotated[str, Field(max_length=80)]
    kind: Literal["wording", "definition", "data", "framework", "other"]
    says: Annotated[str, Field(max_length=500)]
    where: Annotated[str, Field(max_length=200)] = ""


@dataclass(frozen=True)
class Text:
    """What a claim file says: the forward program, exact values, the optimiser, and the claims in the order of the text.

    folder: where the file lies, and the code that it names.
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
    not_judged: tuple[Unjudged, ...] = ()
    folder: Path = Path()


def load(path: str | Path) -> Text:
    """Read a claim file.

    Raises `NetworkError`, one paragraph, for whatever is wrong with the file as a whole.
    """
    path = Path(path)
    with place(visible(str(path))[-300:]):
        return replace(parse(text_of(path, "claim file", "a [network], [values] and [[claims]]")), folder=path.parent)


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
    unknown = next((key for key in tables if key not in TOP), None)
    if unknown is not None:
        raise NetworkError(f"unknown key {quoted(unknown)}{nearest(unknown, TOP)}")
    values = {name: _array(name, value) for name, value in _table(tables, "values").items()}
    rest = {key: value for key, value in tables.items() if key not in OWN}
    made = _of_equations(rest, values) if "equations" in _table(rest, "network") else _of_layers(_at_top(rest), values)
    made["names"] = _with_deltas(made)
    heads = {key: str(tables.get(key, ""))[:300] for key in ("title", "source")}
    return Text(**heads, **made, values=values, claims=tuple(_claims(tables.get("claims", []))),
                not_judged=tuple(_not_judged(tables.get("not_judged", []))))


def _not_judged(tables: Any) -> Iterator[Unjudged]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables) or len(tables) > MOST_CLAIMS:
        raise NetworkError(f"what is not judged are tables [[not_judged]], at most {MOST_CLAIMS} of them")
    for number, table in enumerate(tables, 1):
        with place(f"[[not_judged]] {number}"):
            yield Unjudged(**table)


def _table(tables: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = tables.get(key, {})
    if not isinstance(found, dict):
        raise NetworkError(f"{key} must be a table, [{key}]")
    return found


def _of_equations(tables: Mapping[str, Any], values: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The program of a text's own equations; the values tell the shapes."""
    unknown = next((key for key in tables if key not in ("network", "optimizer", "name")), None)
    if unknown is not None:
        raise NetworkError(f"[network] has equations, so the table {unknown} has no place beside it")
    with place("[network]"):
        written = Equations(**tables["network"])
        reader = Reader(written.indices)
        for name, value in values.items():
            role = "parameter" if name in written.parameters else "input"
            reader.declare(name, Tensor(name, value.shape, role=role, dtype="int" if name in written.integers else "float"))
        missing = next((name for name in written.parameters if name not in values), None)
        if missing is not None:
            raise NetworkError(f"the parameter {missing} has no value; add it to [values]")
        reader.read(written.equations, written.facts)
        program = reader.program(Conventions(samples=written.convention))
        if written.loss and written.loss not in program:
            raise NetworkError(f"loss = {written.loss!r}: no equation assigns it; they assign {', '.join(reader.assigned)}")
    return {"program": program, "loss": written.loss, "optimizer": _optimizer(tables), "sizes": {}, "names": written.names,
            "functions": written.functions}


def _at_top(tables: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of a network file that stand inside [network], at the top; its `convention` among the conventions."""
    inner = _table(tables, "network")
    rest = {key: value for key, value in tables.items() if key != "network"}
    with place("[network]"):
        unknown = next((key for key in inner if key not in (*LAYERED, "convention")), None)
        if unknown is not None:
            raise NetworkError(f"unknown key {quoted(unknown)}{nearest(unknown, ['equations', 'convention', *LAYERED])}")
        twice = next((key for key in inner if key in rest), None)
        if twice is not None:
            raise NetworkError(f"{twice} stands here and at the top of the file; remove one of the two")
        rest |= {key: value for key, value in inner.items() if key != "convention"}
        if "convention" in inner:
            conventions = _table(rest, "conventions")
            if conventions.get("samples", inner["convention"]) != inner["convention"]:
                raise NetworkError("convention and conventions.samples contradict each other; remove one of the two")
            rest["conventions"] = {**conventions, "samples": inner["convention"]}
    return rest


def _of_layers(tables: Mapping[str, Any], values: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The program of layers; N is the number of rows of the input.  Where the values are those of one sample, so is the program."""
    tables = {"name": "text", **_floats(tables)}
    network = network_of(tables)
    first = next((t for t in network.program.inputs if t.role == "input" and t.shape), None)
    sizes = {}
    if first is not None and first.name in values and first.shape[0].is_Symbol:
        if values[first.name].ndim == len(first.shape) - 1 and "samples" not in _table(tables, "conventions"):
            return _of_layers({**tables, "conventions": {**_table(tables, "conventions"), "samples": "column"}}, values)
        if values[first.name].ndim:
            sizes = {first.shape[0].name: len(values[first.name])}
    return {"program": network.program, "loss": network.loss, "optimizer": network.optimizer, "sizes": sizes}


def _with_deltas(made: Mapping[str, Any]) -> dict[str, str]:
    """The text's names; where it names no δ, δ of a layer is the loss's derivative by z of that layer, as the field writes it."""
    names, program, loss = dict(made.get("names", {})), made["program"], made["loss"]
    known = {t.name for t in program.tensors}
    if not loss or any(name.startswith("delta") for name in (*names, *known)):
        return names
    return names | {f"delta{name[1:]}": f"d{loss}/d{name}" for name in sorted(known) if re.fullmatch(r"z\d*", name)}


def _optimizer(tables: Mapping[str, Any]) -> Optimizer | None:
    if "optimizer" not in tables:
        return None
    with place("[optimizer]"):
        return read_typed(OPTIMIZERS, _floats(tables["optimizer"]), "optimiser")


def _floats(value: Any) -> Any:
    """Decimals as the floats that settings take."""
    if isinstance(value, dict):
        return {key: _floats(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_floats(entry) for entry in value]
    return float(value) if isinstance(value, Decimal) else value


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


def _claims(tables: Any) -> Iterator[Claim]:
    """The claims, each element of a vector or matrix as one of its own."""
    if not isinstance(tables, list) or len(tables) > MOST_CLAIMS:
        raise NetworkError(f"claims are tables [[claims]], at most {MOST_CLAIMS} of them")
    if not tables:
        raise NetworkError('there are no claims: add a table [[claims]] with, for instance, of = "z" and value = "0.31"')
    for number, table in enumerate(tables, 1):
        yield from _claim(number, table)


def _claim(number: int, table: Any) -> Iterator[Claim]:
    table = table if isinstance(table, dict) else {}
    of, name = table.get("of"), visible(str(table.get("id", table.get("of", number))))[:80]
    after, where = table.get("after", 0), visible(str(table.get("where", "")))[:200]
    unknown = next((key for key in table if key not in CLAIM), None)
    problem = ""
    formula = table.get("formula")
    if isinstance(formula, str) and not {"of", "value", "after"} & {*table}:
        yield Claim(name if "id" in table else f"formula {number}", "", None, where=where, formula=formula)
        return
    if {"python", "code"} & {*table}:
        yield _code(name if "id" in table else f"code {number}", where, table)
        return
    if not isinstance(of, str) or "value" not in table or formula is not None:
        problem = 'a claim of a number has the keys of = "…" and value = "…", that of a formula the key formula = "…"'
    elif unknown is not None:
        problem = f"unknown key {visible(unknown)[:60]!r}; valid are: {', '.join(CLAIM)}"
    elif not isinstance(after, int) or isinstance(after, bool) or not 0 <= after <= MOST_STEPS:
        problem = f"after must be a whole number from 0 to {MOST_STEPS:,}: how many updates came before"
    if problem:
        yield Claim(name, of if isinstance(of, str) else "", None, problem=problem)
        return
    for at, entry in _entries(table["value"]):
        suffix = f"[{','.join(map(str, at))}]" if at else ""
        try:
            yield Claim(name + suffix, of + suffix, _printed(entry), after, where)
        except SymbpError as error:
            yield Claim(name + suffix, of + suffix, None, after, where, str(error))


def _code(name: str, where: str, table: dict[str, Any]) -> Claim:
    """A claim of code."""
    try:
        return Claim(name, "", None, where=where, code=Code(**_floats({k: v for k, v in table.items() if k not in ("id", "where")})))
    except SymbpError as error:
        return Claim(name, "", None, where=where, problem=str(error))


def _entries(value: Any, at: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    if not isinstance(value, list) or len(at) == DEEPEST:
        yield at, value
        return
    for k, entry in enumerate(value):
        yield from _entries(entry, (*at, k))


def _printed(entry: Any) -> Printed:
    if not isinstance(entry, str):
        raise SymbpError('the value must be text in quotes, so that its last digits count: value = "0.50"')
    return read(re.sub(r"\s+", "", entry))
