"""A printed number: the digits of a text, and the real numbers that they may stand for."""
from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from symbp.errors import SymbpError

LONGEST, LARGEST_EXPONENT = 60, 300
DECIMAL = re.compile(r"(?P<sign>[+-]?)(?P<whole>\d+)(?:\.(?P<part>\d*))?(?:[eE](?P<exponent>[+-]?\d{1,4}))?")
RATIO = re.compile(r"(?P<above>[+-]?\d+)/(?P<below>\d+)")


@dataclass(frozen=True)
class Printed:
    """A number as it stands in a text.

    value: what the digits say, exactly.  unit: one step of the last digit; 0 for a fraction, which claims to be exact.

    >>> p = read("0.6627")
    >>> p.value, p.unit
    (Fraction(6627, 10000), Fraction(1, 10000))
    >>> p.rounded, p.cuts(Fraction(66279, 100000))
    ((Fraction(13253, 20000), Fraction(2651, 4000)), True)
    """

    text: str
    value: Fraction
    unit: Fraction

    @property
    def rounded(self) -> tuple[Fraction, Fraction]:
        """The numbers that round to these digits, both ways of rounding a half admitted."""
        return self.value - self.unit / 2, self.value + self.unit / 2

    def cuts(self, number: Fraction) -> bool:
        """Whether a number gives these decimals when what follows is cut off."""
        beyond = abs(number) - abs(self.value)
        return "." in self.text and 0 <= beyond < self.unit and (number < 0) == self.text.startswith("-")

    def nearly(self, number: Fraction) -> bool:
        """Whether decimals miss a number by one in the last place; with a single digit that is no small slip."""
        digits = re.sub(r"[eE].*|\D", "", self.text).lstrip("0")
        return "." in self.text and len(digits) > 1 and abs(self.value - number) <= self.unit * Fraction(3, 2)

    def like(self, number: Fraction) -> str:
        """Another number, printed to as many digits as this one.

        >>> read("5.0e-05").like(Fraction(1, 30000)), read("0.66").like(Fraction(2, 3))
        ('3.3e-05', '0.67')
        """
        if not self.unit:
            return str(number)
        exponent = re.search(r"[eE]([+-]?\d+)", self.text)
        scale = Fraction(10) ** (int(exponent[1]) if exponent else 0)
        digits = len(re.match(r"[+-]?\d+\.?(\d*)", self.text)[1])
        steps = round(number / self.unit)
        whole, part = divmod(abs(steps), 10**digits) if digits else (abs(steps), 0)
        text = f"{'-' if steps < 0 else ''}{whole}" + (f".{part:0{digits}d}" if digits else "")
        return text + (exponent[0] if exponent and scale else "")


def read(text: str) -> Printed:
    """Read a number as books print it: 0.6627, -12, 5.0e-05, 1/3.

    Raises `SymbpError` for anything else, such as a comma between thousands, which may also be a decimal comma.
    """
    bare = text.strip().replace("\N{MINUS SIGN}", "-")
    if len(bare) > LONGEST:
        raise SymbpError(f"the number {bare[:20]}… has {len(bare)} characters; {LONGEST} are the most")
    ratio, decimal = RATIO.fullmatch(bare), DECIMAL.fullmatch(bare)
    if ratio and int(ratio["below"]):
        return Printed(bare, Fraction(int(ratio["above"]), int(ratio["below"])), Fraction(0))
    if decimal is None:
        hint = "; write it without commas, with a point before the decimals" if "," in bare else ""
        raise SymbpError(f"{text!r} is no number that can be read{hint}; valid are 0.6627, -12, 5.0e-05 and 1/3")
    exponent = int(decimal["exponent"] or 0)
    if abs(exponent) > LARGEST_EXPONENT:
        raise SymbpError(f"the number {bare} has an exponent beyond ±{LARGEST_EXPONENT}")
    part = decimal["part"] or ""
    unit = Fraction(10) ** (exponent - len(part))
    value = int(decimal["whole"] + part) * unit
    return Printed(bare, -value if decimal["sign"] == "-" else value, unit)
