"""Tables of named settings: what layers, losses, optimisers and the tables of a network file have in common.

A kind of layer is a subclass with typed fields; reading a table checks keys, types and ranges, and every mistake
becomes one paragraph that names the key and the remedy.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from symbp.errors import SymbpError
from symbp.report.text import visible
from symbp.suggest import nearest

MOST = 10_000_000
NAME = r"^[A-Za-z][A-Za-z0-9_]*$"

Count = Annotated[int, Field(gt=0, le=MOST)]
"""A positive whole number: units, classes, extents."""
Identifier = Annotated[str, Field(pattern=NAME, max_length=40)]
"""A name: a letter, then letters, digits and underscores."""

WORDS = {
    "int_type": "a whole number", "float_type": "a number", "string_type": "text in quotes", "bool_type": "true or false",
    "list_type": "a list [ … ]", "tuple_type": "a list [ … ]", "dict_type": "a table", "finite_number": "a finite number",
    "int_from_float": "a whole number", "model_type": "a table", "mapping_type": "a table",
}


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
    """A value of the user's as it can be shown in a message: on one line, and short."""
    if isinstance(value, bool):
        return str(value).lower()
    text = visible(f'"{value[:80]}"' if isinstance(value, str) else repr(value)[:80])
    return text if len(text) <= 60 else text[:57] + "…"


def _explain(error: ValidationError, model: type[BaseModel]) -> str:
    """The first mistake in words; unknown keys first, since a misspelt key also counts as a missing one."""
    mistakes = error.errors(include_url=False)
    first = next((m for m in mistakes if m["type"] == "extra_forbidden"), mistakes[0])
    return _sentence(first, model)


def _sentence(mistake: Mapping[str, Any], model: type[BaseModel]) -> str:
    path = ".".join(_part(p) for p in mistake["loc"] if not _is_branch(p))
    kind, value, context = mistake["type"], quoted(mistake.get("input")), mistake.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key {quoted(mistake['loc'][-1])}{nearest(str(mistake['loc'][-1]), model.model_fields)}"
    if kind == "missing":
        return f"the key \"{path}\" is missing"
    if kind == "literal_error":
        valid = [w.strip("'") for w in context["expected"].replace(" or ", ", ").split(", ")]
        return f"{path} = {value} is unknown{nearest(str(mistake.get('input')), valid)}"
    if kind == "string_pattern_mismatch" and context.get("pattern") == NAME:
        return f"{path} = {value} is not a name; a name is a letter, then letters, digits and underscores"
    if kind in ("too_long", "too_short"):
        bound = f"at most {context['max_length']}" if kind == "too_long" else f"at least {context['min_length']}"
        return f"{path} has {context['actual_length']} entries; it must have {bound}"
    if kind in WORDS:
        return f"{path} must be {WORDS[kind]}, not {value}"
    return f"{path} = {value}: {_lower(mistake['msg'])}"


def _part(step: Any) -> str:
    return str(step + 1) if isinstance(step, int) else visible(str(step)[:40])


def _is_branch(step: Any) -> bool:
    """Pydantic names the branch of a union in the path; the user did not write it."""
    return isinstance(step, str) and (step in ("int", "float", "str", "bool") or step.startswith("constrained-") or "[" in step)


def _lower(message: str) -> str:
    message = message.removeprefix("Value error, ").removeprefix("Input ")
    return message[:1].lower() + message[1:]
