"""Tables of named settings: what layers, losses, optimisers and the tables of a network file have in common.

A kind of layer is a subclass with typed fields; reading a table checks keys, types and ranges, and every mistake
becomes one paragraph that names the key and the remedy.
"""
from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar, get_args

import sympy as sp
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from symbp.errors import SymbpError
from symbp.language.names import LONGEST, NAME
from symbp.report.text import visible
from symbp.suggest import nearest

MOST = 10_000_000
CAPITAL = "^[A-Z]$"
FILE_NAME = r"^[A-Za-z][A-Za-z0-9_-]*$"

Count = Annotated[int, Field(gt=0, le=MOST)]
"""A positive whole number: units, classes, extents."""
Identifier = Annotated[str, Field(pattern=NAME, max_length=LONGEST)]
"""A name: a letter, then letters, digits and underscores."""

WORDS = {
    "int_type": "a whole number", "float_type": "a number", "string_type": "text in quotes", "bool_type": "true or false",
    "list_type": "a list [ … ]", "tuple_type": "a list [ … ]", "dict_type": "a table", "finite_number": "a finite number",
    "int_from_float": "a whole number", "model_type": "a table", "mapping_type": "a table",
}
"""What a value must be, by pydantic's kind of mistake."""
LIMITS = {
    "greater_than": "must be greater than {gt}", "greater_than_equal": "must be at least {ge}", "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}", "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries", "string_too_long": "must have at most {max_length} characters",
    "int_parsing_size": "has too many digits",
}
"""Which limit a value passes."""
PATTERNS = {
    NAME: "a name; a name is a letter, then letters, digits and underscores",
    FILE_NAME: "a name of files; such a name is a letter, then letters, digits, underscores and hyphens",
    CAPITAL: "a capital letter, such as \"L\"",
}
"""What a text must be, by its pattern."""


class NetworkError(SymbpError):
    """A network that does not fit together, or a network file that cannot be read."""


class Settings(BaseModel):
    """A table of settings; unknown keys, wrong types and wrong ranges raise `NetworkError`.

    >>> class Cup(Settings):
    ...     size: Count
    >>> Cup(size=3).size
    3
    >>> Cup(sise=3)
    Traceback (most recent call last):
    symbp.settings.NetworkError: unknown key "sise"; did you mean "size"?
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    def __init__(self, /, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise NetworkError(_explain(error, type(self))) from None


Kind = TypeVar("Kind", bound=Settings)


def exact(number: float) -> sp.Rational:
    """A number as it was written: 0.1 is 1/10.

    >>> exact(0.1)
    1/10
    """
    return sp.Rational(repr(number))


def read_typed(registry: Mapping[str, type[Kind]], table: Mapping[str, Any], what: str) -> Kind:
    """Read a table whose key `type` chooses the settings' class.

    >>> read_typed({"gd": Settings, "adam": Settings}, {"type": "adm"}, "optimiser")
    Traceback (most recent call last):
    symbp.settings.NetworkError: unknown optimiser type "adm"; did you mean "adam"?
    """
    kind = table.get("type")
    if not isinstance(kind, str):
        missing = "has no key \"type\"" if kind is None else f"has the type {quoted(kind)}, which is no text"
        raise NetworkError(f"the {what} {missing}; valid types are {', '.join(registry)}")
    if kind not in registry:
        raise NetworkError(f"unknown {what} type {quoted(kind)}{nearest(kind, registry)}")
    return registry[kind](**table)


def kinds(model: type[BaseModel]) -> tuple[str, ...]:
    """The types that a class of settings stands for: the literals of its field `type`.

    >>> from symbp.layers import Softmax
    >>> kinds(Softmax)
    ('softmax',)
    """
    return get_args(model.model_fields["type"].annotation)


@contextmanager
def place(where: str) -> Iterator[None]:
    """Put the place in front of the message of any error that is the user's.

    >>> with place("layer 2"):
    ...     raise NetworkError("units must be a whole number")
    Traceback (most recent call last):
    symbp.settings.NetworkError: layer 2: units must be a whole number
    """
    try:
        yield
    except SymbpError as error:
        raise NetworkError(f"{where}: {error}") from None


def quoted(value: Any) -> str:
    """A value of the user's as it can be shown in a message: as TOML, on one line, and short.

    >>> quoted([True, "a"]), quoted(datetime.date(1979, 5, 27)), quoted({"a": 1})
    ('[true, "a"]', '1979-05-27', '{ a = 1 }')
    """
    text = visible(_toml(value))
    return text if len(text) <= 60 else text[:57] + "…"


def _toml(value: Any) -> str:
    """A value as it stands in a network file; the end of a long one is left out."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value[:80].replace("\n", "\\n") + '"'
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value[:20]))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key[:80]} = {_toml(entry)}' for key, entry in list(value.items())[:20])} }}"
    return repr(value)[:80]


def _explain(error: ValidationError, model: type[BaseModel]) -> str:
    """The first mistake in words; unknown keys first, since a misspelt key also counts as a missing one."""
    mistakes = error.errors(include_url=False)
    first = next((m for m in mistakes if m["type"] == "extra_forbidden"), mistakes[0])
    where = _path(first)
    return _sentence(where, [m for m in mistakes if _path(m) == where], model)


def _sentence(where: str, mistakes: list[Mapping[str, Any]], model: type[BaseModel]) -> str:
    """What is wrong with one value; of the branches of a union, that of the value's own type."""
    mistake = next((m for m in mistakes if m["type"] not in WORDS), mistakes[0])
    kind, value, context = mistake["type"], quoted(mistake.get("input")), mistake.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key {quoted(mistake['loc'][-1])}{nearest(str(mistake['loc'][-1]), model.model_fields)}"
    if kind == "missing":
        return f"the key \"{where}\" is missing"
    if kind == "literal_error":
        valid = [w.strip("'") for w in context["expected"].replace(" or ", ", ").split(", ")]
        return f"{where} = {value} is unknown{nearest(str(mistake.get('input')), valid)}"
    if kind == "string_pattern_mismatch":
        return f"{where} = {value} is not {PATTERNS[context['pattern']]}"
    if kind in LIMITS:
        return f"{where} = {value} {LIMITS[kind].format(**context)}"
    if kind in WORDS:
        words = dict.fromkeys(WORDS[m["type"]] for m in mistakes)
        return f"{where} must be {' or '.join(words)}, not {value}"
    return f"{where} = {value}: {mistake['msg'].removeprefix('Value error, ')}"


def _path(mistake: Mapping[str, Any]) -> str:
    """The keys that lead to a value, counted from 1 in lists."""
    return ".".join(_part(p) for p in mistake["loc"] if not _is_branch(p))


def _part(step: Any) -> str:
    return str(step + 1) if isinstance(step, int) else visible(str(step)[:40])


def _is_branch(step: Any) -> bool:
    """Pydantic names the branch of a union in the path, and a key that is wrong; the user did not write that."""
    return isinstance(step, str) and (step in ("int", "float", "str", "bool", "[key]") or step.startswith("constrained-") or "[" in step)
