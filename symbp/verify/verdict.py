"""Verdicts on printed numbers, from what they should be."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from symbp.verify.claimfile import Claim, Text
from symbp.verify.code import judge
from symbp.verify.formulas import ILL_POSED, Formulas
from symbp.verify.printed import Printed
from symbp.verify.recompute import Bounds, Recomputed, recompute

WIDEST = 20
"""Of so many units of the last digit, the rounding of earlier numbers explains a difference; a wider interval explains anything."""
RIGHT, LAST_DIGIT, WRONG, INHERITED, UNDECIDED = "right", "last digit off", "wrong", "inherited", "undecided"


@dataclass(frozen=True)
class Verdict:
    """What is said of one claim.

    verdict: right, last digit off, wrong (a new mistake), inherited (follows from an earlier one), or undecided; of a formula
    right, right-if, wrong, ill-posed or undecided.  value: the right number, printed to as many digits, or the derived
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


def verdicts(text: Text, run_code: bool = False) -> list[Verdict]:
    """The verdict on each claim, in the order of the text; code is called only if `run_code`.

    >>> from symbp.verify.claimfile import parse
    >>> text = parse('''[network]
    ... equations = ["q = x + y", "f = q*z"]
    ... [values]
    ... x = -2
    ... y = 5
    ... z = -4
    ... [[claims]]
    ... of = "q"
    ... value = "2"
    ... [[claims]]
    ... of = "f"
    ... value = "-8"
    ... ''')
    >>> [(v.verdict, v.value) for v in verdicts(text)]
    [('wrong', '3'), ('inherited', '-12')]
    """
    numbers = recompute(text)
    judged: dict[int, Verdict] = {}
    formulas = Formulas(text) if any(claim.formula for claim in text.claims) else None
    for k in _in_order(numbers):
        if text.claims[k].formula and formulas is not None:
            judged[k] = _of_formula(text.claims[k], formulas)
            continue
        if text.claims[k].code is not None:
            judged[k] = _of_code(text.claims[k], text, run_code)
            continue
        judged[k] = _verdict(text.claims[k], numbers[k], {j: judged[j] for j in numbers[k].used if j in judged})
    return [judged[k] for k in range(len(numbers))]


def _of_formula(claim: Claim, formulas: Formulas) -> Verdict:
    judged, about = formulas.judge(claim.formula), formulas.subject(claim.formula)
    if judged.verdict not in (WRONG, ILL_POSED):
        return Verdict(claim, judged.verdict, note=judged.note, about=about)
    slips = tuple(formulas.slips(claim.formula))
    return Verdict(claim, judged.verdict, formulas.derived(claim.formula), judged.note, (claim.id,), slips, about)


def _of_code(claim: Claim, text: Text, run_code: bool) -> Verdict:
    checked = judge(claim.code, text, run_code)
    return Verdict(claim, checked.verdict, note=checked.note, roots=(claim.id,) if checked.verdict in (WRONG, ILL_POSED) else ())


def _in_order(numbers: Sequence[Recomputed]) -> Iterable[int]:
    """The claims, each behind those that it was calculated from."""
    done: dict[int, None] = {}
    stack = [(k, False) for k in reversed(range(len(numbers)))]
    open_: set[int] = set()
    while stack:
        k, ready = stack.pop()
        if k in done:
            continue
        if ready or k in open_:
            done[k] = None
            continue
        open_.add(k)
        stack.append((k, True))
        stack += [(j, False) for j in sorted(numbers[k].used, reverse=True) if j not in done and j != k]
    return done


def _verdict(claim: Claim, found: Recomputed, used: dict[int, Verdict]) -> Verdict:
    if claim.printed is None or found.exact is None:
        return Verdict(claim, UNDECIDED, note=found.problem or "its value could not be calculated")
    printed, exact = claim.printed, found.exact
    middle = sum(exact) / 2
    value = printed.like(middle)
    how = _agrees(printed, exact)
    if how is None:
        return Verdict(claim, UNDECIDED, value, "the value lies too near to where rounding changes")
    again = [_agrees(printed, point) for point in found.points]
    if how:
        hidden = found.used and not any(again)
        note = "rests on digits that are not printed" if hidden else "cut off, not rounded" if how == "cut" else ""
        return Verdict(claim, RIGHT, value, note)
    roots = tuple(dict.fromkeys(r for j in sorted(used) for r in used[j].roots))
    if any(again):
        if roots:
            return Verdict(claim, INHERITED, value, f"follows from {_listed(roots)}", roots)
        return Verdict(claim, RIGHT, value, f"calculated from the printed digits; {value} from all digits")
    within = any(_overlap(printed.rounded, bounds) and bounds[1] - bounds[0] <= WIDEST * printed.unit for bounds in found.ranges)
    if within and roots:
        return Verdict(claim, INHERITED, value, f"follows from {_listed(roots)} within rounding", roots)
    if within or printed.nearly(middle):
        return Verdict(claim, LAST_DIGIT, value, "the rounding of the printed digits explains it" if within else "")
    if roots and any(printed.nearly(sum(point) / 2) for point in found.points):
        return Verdict(claim, INHERITED, value, f"follows from {_listed(roots)}, but for the last digit", roots)
    return Verdict(claim, WRONG, value, _second(found, printed), (claim.id,))


def _second(found: Recomputed, printed: Printed) -> str:
    """What the line gives from the digits printed before, where that is another number."""
    lines = dict.fromkeys(printed.like(sum(p) / 2) for p in found.points)
    right = printed.like(sum(found.exact) / 2)
    others = [text for text in lines if text != right]
    return f"from the numbers printed before it would be {' or '.join(others)}" if others else ""


def _agrees(printed: Printed, value: Bounds) -> str | None:
    """"rounded" or "cut" where the digits stand for the value, "" where they do not, None where that is not known."""
    low, high = printed.rounded
    if low <= value[0] and value[1] <= high:
        return "rounded"
    if printed.cuts(value[0]) and printed.cuts(value[1]):
        return "cut"
    return None if _overlap((low, high), value) or printed.cuts(value[0]) != printed.cuts(value[1]) else ""


def _overlap(a: Bounds, b: Bounds) -> bool:
    return a[0] <= b[1] and b[0] <= a[1]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
