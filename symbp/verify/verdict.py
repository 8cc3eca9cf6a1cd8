"""The verdicts on all claims of a text, in its order."""
from __future__ import annotations

from collections.abc import Iterable, Sequence

from symbp.verify.claimfile import Claim, Text
from symbp.verify.formulas import Formulas
from symbp.verify.numbers import judge, turned
from symbp.verify.outcome import ILL_POSED, INHERITED, LAST_DIGIT, RIGHT, RIGHT_IF, UNDECIDED, WRONG, Verdict
from symbp.verify.recompute import Recomputed, recompute
from symbp.verify.submission import judge_code


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
    own = _verdicts(text, run_code) if text.claims else []
    return [*own, *(verdict for case in text.cases for verdict in verdicts(case, run_code))]


def _verdicts(text: Text, run_code: bool) -> list[Verdict]:
    """The verdicts on the claims about one network."""
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
        used = {j: judged[j] for j in numbers[k].used if j in judged}
        judged[k] = judge(text.claims[k], numbers[k], used, [judged[j] for j in numbers[k].same if j in judged])
    tables: dict[tuple, list[Verdict]] = {}
    for k in range(len(numbers)):
        if text.claims[k].at:
            tables.setdefault((text.claims[k].table, text.claims[k].quantity, text.claims[k].after), []).append(judged[k])
    laid_out = turned(tables.values(), {claim.id: found for claim, found in zip(text.claims, numbers)})
    return [laid_out.get(text.claims[k].id, judged[k]) for k in range(len(numbers))]


def _of_formula(claim: Claim, formulas: Formulas) -> Verdict:
    judged, about = formulas.judge(claim.formula), formulas.subject(claim.formula)
    if judged.verdict not in (WRONG, ILL_POSED):
        return Verdict(claim, judged.verdict, note=judged.note, about=about)
    slips = tuple(formulas.slips(claim.formula))
    return Verdict(claim, judged.verdict, formulas.derived(claim.formula), judged.note, (claim.id,), slips, about)


def _of_code(claim: Claim, text: Text, run_code: bool) -> Verdict:
    found = judge_code(claim.code, text, run_code)
    roots = (claim.id,) if found.verdict in (WRONG, ILL_POSED) else ()
    return Verdict(claim, found.verdict, note=found.note, roots=roots, slips=found.slips)


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


__all__ = ["ILL_POSED", "INHERITED", "LAST_DIGIT", "RIGHT", "RIGHT_IF", "UNDECIDED", "WRONG", "Verdict", "verdicts"]
