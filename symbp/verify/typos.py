"""Slips of the pen: digits that stand in the place of others, or in the wrong place.

Stage: printed digits + the right number → what may have happened to the digits.
"""
from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from symbp.verify.printed import Printed

LEAST = 3
"""With fewer digits, an exchange of two of them explains anything."""
SHIFTS = (-3, -2, -1, 1, 2, 3)


def typos(printed: Printed, right: Fraction) -> Iterator[str]:
    """What may have happened to the digits of the right number.

    >>> from symbp.verify.printed import read
    >>> [next(typos(read(text), Fraction(1234567, 10**6))) for text in ("-1.2346", "0.12346", "1.2436", "1.2546", "1.346")]
    ['the sign is wrong', 'the point is misplaced', 'two digits are exchanged', 'one digit is wrong: 5 for 3', 'the digit 2 is left out']
    """
    if printed.value == -printed_as(printed, right):
        yield "the sign is wrong"
    if not printed.unit or printed.digits < LEAST:
        return
    if any(_stands(printed, right * Fraction(10) ** shift) for shift in SHIFTS):
        yield "the point is misplaced"
    mine, other = _digits(printed.text), _digits(printed.like(right))
    if len(mine) == len(other) and (printed.value < 0) == (right < 0):
        differing = [k for k, (a, b) in enumerate(zip(mine, other)) if a != b]
        if len(differing) == 2 and differing[1] == differing[0] + 1 and mine[differing[0]] == other[differing[1]] \
                and mine[differing[1]] == other[differing[0]]:
            yield "two digits are exchanged"
        elif len(differing) == 1 and len(mine.lstrip("0")) > LEAST:
            yield f"one digit is wrong: {mine[differing[0]]} for {other[differing[0]]}"
    yield from _left_out(printed, right)


def printed_as(printed: Printed, number: Fraction) -> Fraction:
    """A number rounded to the last digit of a printed one."""
    return round(number / printed.unit) * printed.unit if printed.unit else number


def _left_out(printed: Printed, right: Fraction) -> Iterator[str]:
    """One digit more than is printed, of which one is missing."""
    finer = Printed(printed.text, printed.value, printed.unit / 10)
    longer = _digits(finer.like(right) if "." not in printed.text else _more(printed, right))
    mine = _digits(printed.text)
    places = [k for k in range(len(longer)) if longer[:k] + longer[k + 1:] == mine]
    if places and len(longer) == len(mine) + 1 and places[0] < len(longer) - 2 and (printed.value < 0) == (right < 0):
        yield f"the digit {longer[places[0]]} is left out"


def _more(printed: Printed, right: Fraction) -> str:
    """The right number with one digit more than is printed."""
    wide = Printed(re.sub(r"(\.\d*)", lambda m: m[1] + "0", printed.text, count=1), printed.value, printed.unit / 10)
    return wide.like(right)


def _stands(printed: Printed, number: Fraction) -> bool:
    return printed.value != 0 and printed_as(printed, number) == printed.value


def _digits(text: str) -> str:
    """The digits that count, and zeros among them, as one word."""
    return re.sub(r"[eE].*|(?:×|\\times|\\cdot|·|⋅|\*).*|%$|\D", "", text)
