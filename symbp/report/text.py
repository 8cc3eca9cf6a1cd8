"""Text that can be shown: the characters that would disturb any renderer, made visible."""
from __future__ import annotations

import re
import unicodedata

_BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def code_point(character: str) -> str:
    """Return the name that stands for a character that cannot be shown.

    >>> code_point("\\a")
    '[U+0007]'
    """
    return f"[U+{ord(character):04X}]"


def _shows(character: str) -> bool:
    """Controls, surrogates, unassigned code points and marks that reverse the line do not show."""
    return unicodedata.category(character) not in ("Cc", "Cs", "Cn") and character not in _BIDI


def visible(text: str) -> str:
    """Return the text on one line, in composed form, with a code point for each character that cannot be shown.

    >>> visible("a\\tb\\x00c")
    'a b[U+0000]c'
    """
    one_line = re.sub(r"[\t\n\r\x0b\x0c\x85\u2028\u2029]+", " ", unicodedata.normalize("NFC", text))
    return "".join(c if _shows(c) else code_point(c) for c in one_line)


def visible_line(line: str) -> str:
    """The same for a line of a program, whose spaces count.

    >>> visible_line("  a\x1b")
    '  a[U+001B]'
    """
    return "".join(c if _shows(c) else code_point(c) for c in line)


def anchor(prefix: str, name: str) -> str:
    """Return a name for a link target, made of letters, digits and hyphens only; 6 and 6' are two targets.

    >>> anchor("eq", "3.1a"), anchor("eq", "6'")
    ('eq-3-1a', 'eq-6p')
    """
    return prefix + "-" + (re.sub(r"[^0-9A-Za-z]+", "-", name.replace("'", "p")).strip("-") or "x")
