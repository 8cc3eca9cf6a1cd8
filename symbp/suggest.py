"""Nearest valid words for error messages."""
from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, valid: Iterable[str]) -> str:
    """A remedy to append to a message: the nearest valid word, or all of them when they are few.

    >>> nearest("dens", ["dense", "relu"])
    '; did you mean "dense"?'
    >>> nearest("zzz", ["dense", "relu"])
    '; valid are: dense, relu'
    """
    words = [str(w) for w in valid]
    close = [w for w in words if w.lower() == str(word).lower()] or difflib.get_close_matches(str(word)[:80], words, n=1, cutoff=0.6)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; valid are: {', '.join(words[:20])}{', …' if len(words) > 20 else ''}" if words else ""
