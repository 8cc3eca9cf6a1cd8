"""What is said of one claim."""
from __future__ import annotations

from dataclasses import dataclass

from symbp.verify.claimfile import Claim

RIGHT, RIGHT_IF, LAST_DIGIT, WRONG, INHERITED = "right", "right-if", "last digit off", "wrong", "inherited"
ILL_POSED, UNDECIDED = "ill-posed", "undecided"


@dataclass(frozen=True)
class Verdict:
    """What is said of one claim.

    verdict: right, right-if, last digit off, wrong (a new mistake), inherited (follows from an earlier one), ill-posed or undecided; of a
    formula right, right-if, wrong, ill-posed or undecided.  value: the right number, printed to as many digits, or the derived
    formula.  note: why.  roots: the claims where the mistake entered.  slips: what would explain a wrong claim, each by itself.
    about: the derivative (of, by) that a formula or a listing is about, for the report to derive.
    """

    claim: Claim
    verdict: str
    value: str = ""
    note: str = ""
    roots: tuple[str, ...] = ()
    slips: tuple[str, ...] = ()
    about: tuple[str, str] | None = None
