"""The verdict on a printed number, from what it should be.

Stage: printed digits + recomputed numbers + the verdicts on what it was calculated from → verdict.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from symbp.verify.claimfile import Claim
from symbp.verify.outcome import ILL_POSED, INHERITED, LAST_DIGIT, RIGHT, RIGHT_IF, UNDECIDED, WRONG, Verdict
from symbp.verify.printed import Bounds, agrees, overlap
from symbp.verify.recompute import Recomputed

WIDEST = 20
"""Of so many units of the last digit, the rounding of earlier numbers explains a difference; a wider interval explains anything."""
ZERO, NOISE = Fraction(1, 10**30), Fraction(1, 10**13)
"""What is 0 but for the width of an enclosure, and what a program prints in its place."""
NARROW = 5
"""So many times an interval must go into the mistake that it is to explain."""
TRANSPOSED = "right if the table is laid out transposed"


def judge(claim: Claim, found: Recomputed, used: Mapping[int, Verdict], same: Sequence[Verdict] = (),
          above: tuple[str, ...] = ()) -> Verdict:
    """The verdict on one number.

    used: those on what the line was calculated from; same: those on earlier claims of the same number; above: the wrong numbers with which
    alone it was calculated again.
    """
    if claim.printed is None or found.exact is None:
        return Verdict(claim, ILL_POSED if found.ill_posed else UNDECIDED, note=found.problem or "its value could not be calculated")
    value = claim.printed.like(sum(found.exact) / 2)
    how = agrees(claim.printed, found.exact)
    if not how and max(map(abs, found.exact)) < ZERO and abs(claim.printed.value) < NOISE:
        return Verdict(claim, RIGHT, value, "it is 0, but for rounding in double precision")
    if how is None:
        return Verdict(claim, UNDECIDED, value, "the value lies too near to where rounding changes")
    if not how and claim.printed.coarser is not None and agrees(claim.printed.coarser, found.exact):
        return Verdict(claim, RIGHT, value, "if its last zeros are no digits")
    if how:
        return Verdict(claim, RIGHT_IF if found.turned else RIGHT, value, TRANSPOSED if found.turned else _right(claim, found, used, how))
    return _not_exact(claim, found, used, same, above, value)


def _explains(bounds: Bounds, claim: Claim, found: Recomputed) -> bool:
    """Whether an interval holds a printed number, and is narrow beside the last digit or beside how far that is from the right number."""
    missed = abs(claim.printed.value - sum(found.exact) / 2)
    return overlap(claim.printed.rounded, bounds) and bounds[1] - bounds[0] <= max(WIDEST * claim.printed.unit, missed / NARROW)


def _right(claim: Claim, found: Recomputed, used: Mapping[int, Verdict], how: str) -> str:
    """What is to be said of a right number."""
    if found.used and not any(agrees(claim.printed, point) for point in found.points):
        wrong = [v.claim.id for v in used.values() if v.verdict in (WRONG, INHERITED, LAST_DIGIT)]
        return f"rests on other numbers than the printed {_listed(wrong)}" if wrong else "rests on digits that are not printed"
    return "cut off, not rounded" if how == "cut" else ""


def _not_exact(claim: Claim, found: Recomputed, used: Mapping[int, Verdict], same: Sequence[Verdict], above: tuple[str, ...],
               value: str) -> Verdict:
    """The verdict on a number that the text's inputs do not give."""
    printed, roots = claim.printed, _roots(used[j] for j in sorted(used))
    repeated = next((v for v in same if v.roots and agrees(printed, (v.claim.printed.value,) * 2)), None)
    if repeated is not None:
        return Verdict(claim, INHERITED, value, f"repeats {repeated.claim.id}", repeated.roots)
    if any(agrees(printed, point) for point in found.points):
        if roots:
            return Verdict(claim, INHERITED, value, f"follows from {_listed(roots)}", roots)
        return Verdict(claim, RIGHT, value, f"calculated from the printed digits; {value} from all digits")
    if above and any(agrees(printed, point) for point in found.rooted):
        return Verdict(claim, INHERITED, value, f"follows from {_listed(above)}, with digits that are not printed", above)
    for j in (j for j, point in found.spared.items() if agrees(printed, point)):
        others = _roots(used[i] for i in sorted(used) if i != j)
        if others:
            return Verdict(claim, INHERITED, value, f"follows from {_listed(others)}, with the right {used[j].claim.id}", others)
        return Verdict(claim, RIGHT, value, f"calculated from the printed digits, with the right {used[j].claim.id}")
    for names, ranges in ((roots, found.ranges), (above, found.rooted_ranges)):
        if names and any(_explains(bounds, claim, found) for bounds in ranges):
            return Verdict(claim, INHERITED, value, f"follows from {_listed(names)} within rounding", names)
    within = any(overlap(printed.rounded, bounds) and bounds[1] - bounds[0] <= WIDEST * printed.unit for bounds in found.ranges)
    if within or printed.nearly(sum(found.exact) / 2):
        return Verdict(claim, LAST_DIGIT, value, "the rounding of the printed digits explains it" if within else "", (claim.id,))
    if roots and any(printed.beside(sum(point) / 2) for point in found.points):
        return Verdict(claim, INHERITED, value, f"follows from {_listed(roots)}, but for the last digit", roots)
    return Verdict(claim, WRONG, value, _second(found, claim), (claim.id,))


def turned(members: Sequence[int], judged: Mapping[int, Verdict], numbers: Sequence[Recomputed]) -> dict[int, Verdict]:
    """The verdicts on a square table that is right when its rows are taken as columns; none for any other."""
    table = {judged[k].claim.at: k for k in members}
    shape = judged[members[0]].claim.shape
    if len(shape) != 2 or shape[0] != shape[1] or len(table) != shape[0] * shape[1] or all(judged[k].verdict == RIGHT for k in members):
        return {}
    exact = {k: numbers[table[at[::-1]]].exact for at, k in table.items()}
    if not all(judged[k].claim.printed is not None and exact[k] is not None and agrees(judged[k].claim.printed, exact[k]) for k in members):
        return {}
    return {k: replace(judged[k], verdict=RIGHT_IF, value=judged[k].claim.printed.text, note=TRANSPOSED, roots=()) for k in members}


def _roots(verdicts: Iterable[Verdict]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(root for verdict in verdicts for root in verdict.roots))


def _second(found: Recomputed, claim: Claim) -> str:
    """What the line gives from the digits printed before, where that is another number."""
    lines = dict.fromkeys(claim.printed.like(sum(p) / 2) for p in found.points)
    right = claim.printed.like(sum(found.exact) / 2)
    others = [text for text in lines if text != right]
    return f"from the numbers printed before it would be {' or '.join(others)}" if others else ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
