"""The verdicts on all numbers of a text, each behind what it was calculated from; mistakes are followed along the chains of lines.

Stage: text → recomputed numbers → verdicts.  A number that seems wrong may follow from an earlier wrong one whose hidden digits were
carried on: so the wrong numbers alone, first the first of each chain, are put in their places, and all else is calculated exactly.
"""
from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from symbp.verify.claimfile import Text
from symbp.verify.explain import explain
from symbp.verify.numbers import judge, turned
from symbp.verify.outcome import LAST_DIGIT, WRONG, Verdict
from symbp.verify.recompute import Recomputation, Recomputed

MOST_ROUNDS = 6


def judge_numbers(text: Text) -> dict[int, Verdict]:
    """The verdict on each claim that is no formula and no code, by its number in the text."""
    recomputed = Recomputation(text)
    judged, roots = _pass(text, recomputed.numbers, {}), set[int]()
    for _ in range(MOST_ROUNDS):
        above = _wrong_above(judged, recomputed.numbers)
        wrong = {k for k in judged if judged[k].verdict == WRONG}
        first = {k for k in wrong if not above[k] - roots}
        if first <= roots or not any(above[k] for k in judged if judged[k].verdict in (WRONG, LAST_DIGIT)):
            break
        roots |= first
        recomputed.substitute(roots)
        judged = _pass(text, recomputed.numbers, {k: above[k] & roots for k in above})
    return explain(recomputed, judged | _turned(text, judged, recomputed.numbers))


def _pass(text: Text, numbers: Sequence[Recomputed], above: Mapping[int, Collection[int]]) -> dict[int, Verdict]:
    """The verdicts; `above`: which of the substituted numbers each was calculated from, through however many lines."""
    judged: dict[int, Verdict] = {}
    for k in _in_order(numbers):
        if not text.claims[k].stated:
            used = {j: judged[j] for j in numbers[k].used if j in judged}
            same = [judged[j] for j in numbers[k].same if j in judged]
            judged[k] = judge(text.claims[k], numbers[k], used, same, tuple(text.claims[j].id for j in sorted(above.get(k, ()))))
    return judged


def _wrong_above(judged: dict[int, Verdict], numbers: Sequence[Recomputed]) -> dict[int, set[int]]:
    """For each claim those judged wrong that it was calculated from, through however many lines."""
    wrong = {k for k, verdict in judged.items() if verdict.verdict == WRONG}
    above: dict[int, set[int]] = {}
    for k in _in_order(numbers):
        above[k] = set().union(*(above.get(j, set()) | ({j} & wrong) for j in numbers[k].used))
    return above


def _turned(text: Text, judged: dict[int, Verdict], numbers: Sequence[Recomputed]) -> dict[int, Verdict]:
    """The verdicts on square tables that are right when their rows are taken as columns."""
    tables: dict[tuple, list[int]] = {}
    for k in judged:
        claim = text.claims[k]
        if claim.at:
            tables.setdefault((claim.table, claim.quantity, claim.after, claim.epochs), []).append(k)
    return {k: verdict for members in tables.values() for k, verdict in turned(members, judged, numbers).items()}


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
        stack += [(j, False) for j in sorted({*numbers[k].used, *numbers[k].same}, reverse=True) if j not in done and j != k]
    return done
