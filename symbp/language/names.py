"""Fresh names, so that a pass can be applied twice and bound names are never captured."""
from __future__ import annotations

from collections.abc import Iterable


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
