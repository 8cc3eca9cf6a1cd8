"""A printed number: the digits of a text, and the real numbers that they may stand for."""
from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from symbp.errors import SymbpError
from symbp.report.text import visible

LARGEST_BELOW, LONGEST, LARGEST_EXPONENT, EXACT, MANY_DIGITS = 10**6, 60, 300, 10**20, 5 * 10**7
DECIMAL = re.compile(r"(?P<sign>[+-]?)(?=\.?\d)(?P<whole>\d*)(?:\.(?P<part>\d*))?(?:[eE](?P<exponent>[+-]?\d{1,4}))?(?P<percent>%?)",
                     re.ASCII)
RATIO = re.compile(r"(?P<sign>[+-]?)(?P<above>\d+)/(?P<below>\d+)", re.ASCII)
POWER = re.compile(r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))\s*(?:×|\\times|\\cdot|·|⋅|\*)\s*10\s*(?:\^|\*\*)\s*"
                   r"(?:\{\s*(?P<braced>[+-]?\d+)\s*\}|\((?P<round>[+-]?\d+)\)|(?P<bare>[+-]?\d+))", re.ASCII)
TEN = re.compile(r"(?P<sign>[+-]?)10\s*\^\s*(?:\{\s*(?P<braced>[+-]?\d+)\s*\}|(?P<bare>[+-]?\d+))", re.ASCII)
FRAC = re.compile(r"(?P<sign>[+-]?)\\[dt]?frac\s*\{(?P<above>[+-]?\d+)\}\s*\{(?P<below>\d+)\}", re.ASCII)
ABOUT = re.compile(r"^(?:\\approx|\\simeq|\\sim|≈|≃|~|=)\s*")
ON = re.compile(r"\s*(?:\.\.\.|…|\\ldots|\\dots)$")
SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
Bounds = tuple[Fraction, Fraction]
SHAPES = "valid are 0.6627, -12, 5.0e-05, 1.2×10^{-3}, 1/3 and 97.5%"


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
        """The numbers that round to these digits, both ways of rounding a half admitted.

        A small whole number stands for what is near it, so that 0 is not the rounding of 0.4.

        >>> read("7").rounded, read("0").rounded
        ((Fraction(13, 2), Fraction(15, 2)), (Fraction(-1, 200), Fraction(1, 200)))
        """
        reach = self.unit / 2
        if self.unit == 1 and "." not in self.text:
            reach = min(reach, max(abs(self.value) / 10, Fraction(1, 200)))
        return self.value - reach, self.value + reach

    @property
    def decimals(self) -> bool:
        """Whether there is a point, behind which what follows may have been cut off."""
        return "." in self.text.removesuffix("...") or bool(re.search(r"[eE]|10\s*[\^*]", self.text))

    @property
    def digits(self) -> int:
        """How many digits count."""
        if TEN.fullmatch(self.text):
            return 1
        return len(re.sub(r"[eE].*|(?:×|\\times|\\cdot|·|⋅|\*).*|\D", "", self.text).lstrip("0"))

    def cuts(self, number: Fraction) -> bool:
        """Whether a number gives these decimals when what follows is cut off."""
        beyond, slack = abs(number) - abs(self.value), self.unit / EXACT
        return self.decimals and -slack <= beyond < self.unit - slack and (number < 0) == self.text.startswith("-")

    def nearly(self, number: Fraction) -> bool:
        """Whether decimals are rounded the wrong way, miss a number by one in the last of three places or more, or agree in eight digits.

        With a single digit one in the last place is no small slip.

        >>> [read(text).nearly(Fraction(3, 2)) for text in ("1.49", "1.48", "1.6")], read("1.6").nearly(Fraction(151, 100))
        ([True, False, False], True)
        """
        missed = abs(self.value - number)
        return self.beside(number) and (missed < self.unit or self.digits > 2) or self.digits > 1 and missed <= abs(number) / MANY_DIGITS

    def beside(self, number: Fraction) -> bool:
        """Whether two digits or more miss a number by one in the last place."""
        return self.decimals and self.digits > 1 and abs(self.value - number) <= self.unit * Fraction(3, 2)

    @property
    def coarser(self) -> Printed | None:
        """A whole number whose zeros at the end may be no digits: 650 for 645.6; None for any other."""
        found = re.fullmatch(r"[+-]?[1-9]\d*[1-9](0+)", self.text)
        return Printed(self.text, self.value, Fraction(10 ** len(found[1]))) if found else None

    def _scaled(self, number: Fraction) -> tuple[Fraction, str]:
        """The unit and the ending of another number that is printed like this one: a power of ten is the number's own."""
        ending = _ending(self.text)
        found, mantissa = re.search(r"([+-]?\d+)(\D*)$", ending), re.match(r"[+-]?([1-9])(?:\.(\d*))?(?!\d)", self.text)
        if "%" in ending or not found or not mantissa or not number:
            return self.unit, ending
        digits = len(mantissa[2] or "")
        power = _exponent(number, digits)
        shown = f"{power:+0{len(found[1])}d}" if re.match(r"[eE][+-]", ending) else str(power)
        return Fraction(10) ** (power - digits), ending[:found.start()] + shown + found[2]

    def like(self, number: Fraction) -> str:
        """Another number, printed to as many digits as this one.

        >>> read("5.0e-05").like(Fraction(1, 30000)), read("0.66").like(Fraction(2, 3)), read("1.2×10^{-3}").like(Fraction(1, 300))
        ('3.3e-05', '0.67', '3.3×10^{-3}')
    >>> read("-9.03e-02").like(Fraction(409, 1000)), read("2×10^{-3}").like(Fraction(1, 3))
    ('4.09e-01', '3×10^{-1}')
        """
        if not self.unit:
            near = number.limit_denominator(LARGEST_BELOW)
            return str(near) if abs(near - number) * EXACT < 1 else _plain(number, 12)
        unit, ending = self._scaled(number)
        digits = len(found[1]) if (found := re.match(r"[+-]?\d*\.(\d*)", self.text)) else 0
        steps = round(number / unit)
        whole, part = divmod(abs(steps), 10**digits) if digits else (abs(steps), 0)
        text = f"{'-' if steps < 0 else ''}{whole}" + (f".{part:0{digits}d}" if digits else "")
        return text + ending


def _exponent(number: Fraction, digits: int) -> int:
    """The exponent of a number whose mantissa is rounded to so many decimals.

    >>> _exponent(Fraction(9996, 10000), 2), _exponent(Fraction(5, 1000), 2)
    (0, -3)
    """
    return int(f"{Decimal(number.numerator) / Decimal(number.denominator):.{digits}e}".rpartition("e")[2])


def _ending(text: str) -> str:
    """What stands behind the digits and scales them."""
    if TEN.fullmatch(text):
        return "×" + text.lstrip("+-")
    found = re.search(r"[eE][+-]?\d+$|\s*(?:×|\\times|\\cdot|·|⋅|\*)\s*10.*$|%$", text)
    return found[0] if found else ""


def _plain(number: Fraction, digits: int) -> str:
    """A number in so many significant digits.

    >>> _plain(Fraction(1, 3), 4)
    '0.3333'
    """
    return f"{float(number):.{digits}g}"


def read(text: str) -> Printed:
    """Read a number as books print it: 0.6627, -12, 5.0e-05, 1.2×10^{-3}, 1/3, 97.5%, ≈ 0.65.

    Raises `SymbpError` for anything else, such as a comma between thousands, which may also be a decimal comma.

    >>> read("1.2 × 10^{-3}").value, read("97.5%").unit, read(r"-\\frac{3}{8}").value
    (Fraction(3, 2500), Fraction(1, 1000), Fraction(-3, 8))
    """
    bare = text.strip().strip("$").strip().replace("\N{MINUS SIGN}", "-").replace("\\%", "%")
    if len(bare) > LONGEST:
        raise SymbpError(f"the number {visible(bare[:20])}… has {len(bare)} characters; {LONGEST} are the most")
    bare = re.sub(r"10([⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+)$", lambda m: "10^{" + m[1].translate(SUPERSCRIPT) + "}", ABOUT.sub("", bare))
    bare = re.sub(r"^([+-])\s+", r"\1", ON.sub("", bare)).replace(" %", "%")
    ratio = RATIO.fullmatch(bare) or FRAC.fullmatch(bare)
    if ratio and int(ratio["below"]):
        value = Fraction(int(ratio["above"]), int(ratio["below"]))
        return Printed(bare, -value if ratio["sign"] == "-" else value, Fraction(0))
    power, ten, decimal = POWER.fullmatch(bare), TEN.fullmatch(bare), DECIMAL.fullmatch(bare)
    if power:
        decimal = DECIMAL.fullmatch(power["number"])
    elif ten:
        decimal = DECIMAL.fullmatch(ten["sign"] + "1")
    if decimal is None:
        raise SymbpError(_unread(text, bare))
    exponent = next(int(e) for e in (*(m[k] for m in (power, ten) if m for k in ("braced", "bare") if m[k]),
                                     *([power["round"]] if power and power["round"] else ()), decimal["exponent"] or 0) if e is not None)
    if abs(exponent) > LARGEST_EXPONENT:
        raise SymbpError(f"the number {bare} has an exponent beyond ±{LARGEST_EXPONENT}")
    return _decimal(bare, decimal, exponent)


def _decimal(bare: str, decimal: re.Match, exponent: int) -> Printed:
    part = decimal["part"] or ""
    unit = Fraction(10) ** (exponent - len(part) - 2 * bool(decimal["percent"]))
    value = int(decimal["whole"] + part) * unit
    return Printed(bare, -value if decimal["sign"] == "-" else value, unit)


def _unread(text: str, bare: str) -> str:
    """Why a text is no number, and what would be right."""
    hint = ""
    if "," in bare:
        hint = "; write it without commas, with a point before the decimals"
    elif re.search(r"10[-−]\d", bare):
        hint = "; write a power of ten as 10^{-3}"
    elif bare.lower().lstrip("+-") in ("nan", "inf", "infinity", r"\infty", "∞"):
        hint = "; it is not finite"
    return f"{visible(text)[:80]!r} is no number that can be read{hint}; {SHAPES}"


def agrees(printed: Printed, value: Bounds) -> str | None:
    """"rounded" or "cut" where the digits stand for the value, "" where they do not, None where that is not known.

    >>> [agrees(read(text), (Fraction(2, 3), Fraction(2, 3))) for text in ("0.67", "0.66", "0.65")]
    ['rounded', 'cut', '']
    """
    low, high = printed.rounded
    slack = (printed.unit or max(Fraction(1), abs(printed.value))) / EXACT
    if low - slack <= value[0] and value[1] <= high + slack:
        return "rounded"
    cuts = [printed.cuts(end) for end in value]
    if all(cuts):
        return "cut"
    return None if overlap((low, high), value) or cuts[0] != cuts[1] else ""


def overlap(a: Bounds, b: Bounds) -> bool:
    """Whether two ranges have a number in common."""
    return a[0] <= b[1] and b[0] <= a[1]
