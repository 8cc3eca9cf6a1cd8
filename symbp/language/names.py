"""Fresh names, so that a pass can be applied twice and bound names are never captured."""
from __future__ import annotations

import re
from collections.abc import Iterable

from symbp.errors import LanguageError

NAME, LONGEST = r"^[A-Za-z][A-Za-z0-9_]*$", 40
"""What a user's name is made of, and its most characters."""


def check_name(name: str) -> None:
    """Raise `LanguageError` for what is no name.

    >>> check_name("__class__")
    Traceback (most recent call last):
    symbp.errors.LanguageError: '__class__' is not a name; a name is a letter, then letters, digits and underscores, at most 40
    """
    if not re.fullmatch(NAME, name) or len(name) > LONGEST:
        raise LanguageError(f"{name[:LONGEST]!r} is not a name; a name is a letter, then letters, digits and underscores, "
                            f"at most {LONGEST}")


class NameSupply:
    """Hands out names that are not taken.

    >>> names = NameSupply({"W_bar"})
    >>> names.fresh("W_bar"), names.fresh("W_bar"), names.fresh("b_bar")
    ('W_bar_2', 'W_bar_3', 'b_bar')
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def fresh(self, base: str) -> str:
        """`base` itself if it is free, else `base_2`, `base_3`, …"""
        name, count = base, 1
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name

    def free(self, name: str) -> bool:
        """Whether a name is not taken."""
        return name not in self._taken

    def another(self, name: str) -> str:
        """A name like `name`, but another one: `i_2`."""
        self._taken.add(name)
        return self.fresh(name)
