"""Files in TOML: their text and their tables, or one paragraph about why there are none.  Nothing in a file is ever evaluated."""
from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from symbp.settings import NetworkError

LARGEST = 1_000_000
LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){40}""")

QUOTED = re.compile(r"(?P<key>[ \t]*[\w.-]+[ \t]*=[ \t]*)'(?P<text>.*)'[ \t\r]*")
"""A line whose text stands in single quotes."""


def text_of(path: Path, what: str, has: str) -> str:
    """The file's text; `what` it is and what such a file `has`, for the message where there is none that can be read."""
    try:
        if path.is_dir():
            raise NetworkError(f"this is a folder; name a {what} in it")
        with path.open("rb") as stream:
            raw = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "this is no file name"
        raise NetworkError(f"cannot read the {what}: {reason}") from None
    if len(raw) > LARGEST:
        raise NetworkError(f"the file is larger than {LARGEST} bytes; a {what} holds tables and equations, no data")
    if not raw.strip():
        raise NetworkError(f"the file is empty; a {what} has {has}")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NetworkError(f"the file is not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def tables_of(text: str, what: str, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """The tables of a text.

    A quote inside single quotes may be doubled, which TOML has not, but people write.

    >>> tables_of("[input]", "network file")
    {'input': {}}
    >>> tables_of("formula = 'a = f''(z)'", "claim file")
    {'formula': "a = f'(z)"}
    """
    if LONG_KEY.search(text):
        raise NetworkError(f"a key has more than 40 parts; a {what} nests tables three deep at most")
    try:
        try:
            return tomllib.loads(text, parse_float=parse_float)
        except ValueError:
            plain = "\n".join(map(_with_plain_quotes, text.split("\n")))
            if plain == text:
                raise
            return tomllib.loads(plain, parse_float=parse_float)
    except RecursionError:
        raise NetworkError(f"the file is nested too deeply; a {what} nests tables three deep at most") from None
    except ValueError as error:
        reason = ascii(str(error))[1:-1][:200]
        latex = " (text with backslashes in single ones, 'a = \\\\frac{b}{c}')" if "\\\\" in reason else ""
        raise NetworkError(f"the file is not TOML: {reason}; tables look like [input], and text stands in quotes{latex}") from None


def _with_plain_quotes(line: str) -> str:
    """A line with its text in three quotes, and one quote for each doubled one in it."""
    found = QUOTED.fullmatch(line)
    if found is None or "''" not in found["text"] or "'" in found["text"].replace("''", ""):
        return line
    inner = found["text"].replace("''", "'")
    return f"{found['key']}'''{inner}'''"
