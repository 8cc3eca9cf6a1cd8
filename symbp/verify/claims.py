"""The claims of a claim file: [[claims]] tables → one claim for each printed number or formula, in the order of the text.

    [[claims]]    id = "z"   of = "z"   value = ["0.31", "0.67"]   after = 0   where = "§4.2"

A claim that cannot be read is judged all the same: as one that nothing can be said of.
"""
from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from symbp.errors import SymbpError
from symbp.report.text import visible
from symbp.settings import NetworkError, Settings, place
from symbp.suggest import nearest
from symbp.verify.listing import Code
from symbp.verify.printed import Printed, read

MOST_STEPS, MOST_CLAIMS, MOST_NUMBERS, DEEPEST = 300_000, 5_000, 20_000, 8
CLAIM = ("id", "of", "value", "after", "epochs", "sample", "mean", "where", "formula", "kind", *Code.model_fields)
MEANS = ("samples", "epoch")


@dataclass(frozen=True)
class Claim:
    """One printed number: its place in the file, what it is of, the digits, and after how many updates; or a formula, or code.

    quantity, at, shape: of a number in a table, what the table is of, the number's place in it, and the table's shape; table: the
    number of the table in the file.  epochs: how many passes over the samples came before, in the place of updates.
    defines: the standard definition that a formula is compared with.  sample: the sample that it is calculated for.
    mean: over all "samples", or over the steps of the last "epoch".
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
    quantity: str = ""
    at: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()
    table: int = 0
    epochs: int | None = None
    sample: int | None = None
    mean: str = ""
    defines: str = ""

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


def not_judged(tables: Any) -> tuple[Unjudged, ...]:
    """What the tables [[not_judged]] list."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables) or len(tables) > MOST_CLAIMS:
        raise NetworkError(f"what is not judged are tables [[not_judged]], at most {MOST_CLAIMS} of them")
    found = []
    for number, table in enumerate(tables, 1):
        with place(f"[[not_judged]] {number}"):
            found.append(Unjudged(**table))
    return tuple(found)


def claims(tables: Any) -> tuple[Claim, ...]:
    """The claims, each element of a vector or matrix as one of its own; equal ids are told apart.

    >>> [(c.id, c.of, c.printed.text) for c in claims([{"id": "out", "of": "y", "value": ["0.5", "0.25"]}])]
    [('out[0]', 'y[0]', '0.5'), ('out[1]', 'y[1]', '0.25')]
    """
    if not isinstance(tables, list) or len(tables) > MOST_CLAIMS:
        raise NetworkError(f"claims are tables [[claims]], at most {MOST_CLAIMS} of them")
    found = [claim for number, table in enumerate(tables, 1) for claim in _claim(number, table if isinstance(table, dict) else {})]
    if len(found) > MOST_NUMBERS:
        raise NetworkError(f"the claims have {len(found)} numbers; {MOST_NUMBERS:,} are the most")
    return _told_apart(found)


def _told_apart(found: list[Claim]) -> tuple[Claim, ...]:
    """Equal ids get the updates that came before, or a number."""
    several = {name for name, count in Counter(c.id for c in found).items() if count > 1}
    named = [replace(c, id=f"{c.id} after {c.after}") if c.id in several and c.after and "after" not in c.id else c for c in found]
    seen: Counter = Counter()
    for k, claim in enumerate(named):
        seen[claim.id] += 1
        if seen[claim.id] > 1:
            named[k] = replace(claim, id=f"{claim.id} ({seen[claim.id]})")
    return tuple(named)


def _claim(number: int, table: dict[str, Any]) -> Iterator[Claim]:
    of, where = table.get("of"), visible(str(table.get("where", "")))[:200]
    name = visible(str(table.get("id", of if isinstance(of, str) else number)))[:80]
    formula = table.get("formula")
    if isinstance(formula, str) and table.get("kind") == "definition" and isinstance(of, str) and "value" not in table:
        yield Claim(name if "id" in table else f"definition {number}", "", None, where=where, formula=formula, defines=of)
        return
    if isinstance(formula, str) and not {"of", "value", "after", "kind"} & {*table}:
        yield Claim(name if "id" in table else f"formula {number}", "", None, where=where, formula=formula)
        return
    if {"python", "code"} & {*table}:
        yield _code(name if "id" in table else f"code {number}", where, table)
        return
    table = {**table, "value": listed(table["value"])} if "value" in table else table
    if problem := _problem(table):
        yield Claim(name, of if isinstance(of, str) else "", None, where=where, problem=problem)
        return
    rest = {"where": where, "sample": table.get("sample"), "mean": table.get("mean", "")}
    for rows, times in _rows(table):
        for quantity, value in rows:
            own = name if isinstance(of, str) else f"{name} {quantity}" if "id" in table else quantity
            yield from _numbers(number, own, quantity, value, rest | times)


def _code(name: str, where: str, table: dict[str, Any]) -> Claim:
    """A claim of code."""
    try:
        return Claim(name, "", None, where=where, code=Code(**floats({k: v for k, v in table.items() if k not in ("id", "where")})))
    except SymbpError as error:
        return Claim(name, "", None, where=where, problem=str(error))


def _problem(table: dict[str, Any]) -> str:
    """Why a table is no claim of a number; "" where it is one."""
    of, value = table.get("of"), table.get("value")
    unknown = next((key for key in table if key not in CLAIM), None)
    if unknown is not None:
        return f"unknown key {visible(unknown)[:60]!r}{nearest(unknown, CLAIM)}"
    names = of if isinstance(of, list) else [of]
    if "value" not in table or "formula" in table or not of or not all(isinstance(name, str) for name in names):
        return 'a claim of a number has the keys of = "…" and value = "…", that of a formula the key formula = "…"'
    for key, what in (("after", "updates"), ("epochs", "passes over the samples")):
        times = table.get(key, 0) if isinstance(table.get(key), list) else [table.get(key, 0)]
        if not all(isinstance(t, int) and not isinstance(t, bool) and 0 <= t <= MOST_STEPS for t in times):
            return f"{key} must be a whole number from 0 to {MOST_STEPS:,}, or a list of such: how many {what} came before"
    if "after" in table and "epochs" in table:
        return "after counts updates and epochs counts passes over the samples; give one of them"
    sample = table.get("sample", 0)
    if not isinstance(sample, int) or isinstance(sample, bool) or not 0 <= sample <= MOST_STEPS:
        return "sample must be a whole number: which sample it is calculated for, counted from 0"
    if table.get("mean", "samples") not in MEANS or "mean" in table and "sample" in table:
        return f"mean must be {' or '.join(MEANS)}, and stands without sample"
    lists = isinstance(of, list) + any(isinstance(table.get(key), list) for key in ("after", "epochs"))
    return _uneven(value, [len(table[k]) for k in ("after", "epochs", "of") if isinstance(table.get(k), list)]) if lists else ""


def _uneven(value: Any, extents: list[int]) -> str:
    """Why a table's rows and columns are not those of its heads."""
    for level, extent in enumerate(extents):
        rows = [value] if level == 0 else value
        if not all(isinstance(row, list) and len(row) == extent for row in rows):
            return f"value must have {' rows of '.join(map(str, extents))} entries, one for each of after (or epochs) and of"
    return ""


def _rows(table: dict[str, Any]) -> Iterator[tuple[list[tuple[str, Any]], dict[str, int]]]:
    """For each time of a table, what is printed of which quantity."""
    key = "epochs" if "epochs" in table else "after"
    times, of = table.get(key, 0), table["of"]
    several = isinstance(times, list)
    for k, time in enumerate(times if several else [times]):
        row = table["value"][k] if several else table["value"]
        yield list(zip(of, row)) if isinstance(of, list) else [(of, row)], {key: time}


def _numbers(number: int, name: str, quantity: str, value: Any, rest: dict[str, Any]) -> Iterator[Claim]:
    """The claim of a number, or those of a vector's or matrix's elements."""
    shape = _shape(value)
    if shape is None:
        yield Claim(name, quantity, None, quantity=quantity, table=number,
                    problem="the rows of value have different lengths, or are nested deeper than eight times", **rest)
        return
    for at in itertools.product(*map(range, shape)):
        entry = value
        for k in at:
            entry = entry[k]
        suffix = f"[{','.join(map(str, at))}]" if at else ""
        common = {"quantity": quantity, "at": at, "shape": shape, "table": number, **rest}
        try:
            yield Claim(name + suffix, quantity + suffix, _printed(entry), **common)
        except SymbpError as error:
            yield Claim(name + suffix, quantity + suffix, None, problem=str(error), **common)


def _shape(value: Any, depth: int = 0) -> tuple[int, ...] | None:
    """The extents of nested lists; None where they are uneven, empty or too deep."""
    if not isinstance(value, list):
        return ()
    shapes = {_shape(entry, depth + 1) for entry in value} if depth < DEEPEST else set()
    inner = shapes.pop() if len(shapes) == 1 else None
    return None if inner is None else (len(value), *inner)


def _printed(entry: Any) -> Printed:
    """A printed number; of a TOML number the digits are kept, too."""
    if isinstance(entry, (int, Decimal)) and not isinstance(entry, bool):
        return read(str(entry).lower())
    if not isinstance(entry, str):
        raise SymbpError('the value must be a number as it is printed, in quotes: value = "0.50"')
    return read(entry)


THOUSANDS = re.compile(r"\d,\d{3}(?!\d)")
"""A comma that may stand for thousands, or between two numbers."""


def listed(value: Any) -> Any:
    """A vector or matrix that is written as one text, [0.1, 0.2] or NumPy's [[0.1 0.2] [0.3 0.4]], as nested lists of its numbers.

    >>> listed("[[0.1 0.20]\\n [3. -4e-05]]")
    [['0.1', '0.20'], ['3.', '-4e-05']]
    >>> listed("[1,234.5]")
    '[1,234.5]'
    """
    if not isinstance(value, str) or not re.match(r"\s*\[", value) or THOUSANDS.search(value):
        return value
    stack: list[list] = [[]]
    for token in re.findall(r"[\[\]]|[^\s,;\[\]]+", value):
        if token == "[":
            stack.append([])
        elif token == "]" and len(stack) > 1:
            made = stack.pop()
            stack[-1].append(made)
        elif token == "]":
            return value
        else:
            stack[-1].append(token)
    return stack[0][0] if len(stack) == 1 and len(stack[0]) == 1 else value


def floats(value: Any) -> Any:
    """Decimals as the floats that settings take."""
    if isinstance(value, dict):
        return {key: floats(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [floats(entry) for entry in value]
    return float(value) if isinstance(value, Decimal) else value
