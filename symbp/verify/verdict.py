"""The verdicts on all claims of a text, in its order."""
from __future__ import annotations

from symbp.verify.chains import judge_numbers
from symbp.verify.claimfile import Claim, Text
from symbp.verify.formulas import Formulas
from symbp.verify.outcome import ILL_POSED, INHERITED, LAST_DIGIT, RIGHT, RIGHT_IF, UNDECIDED, WRONG, Verdict


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
    judged = judge_numbers(text)
    formulas = Formulas(text) if any(claim.formula for claim in text.claims) else None
    for k, claim in enumerate(text.claims):
        if claim.formula and formulas is not None:
            judged[k] = _of_formula(claim, formulas)
        elif claim.code is not None:
            judged[k] = _of_code(claim, text, run_code)
    return [judged[k] for k in range(len(text.claims))]


def _of_formula(claim: Claim, formulas: Formulas) -> Verdict:
    if claim.defines:
        from symbp.verify.definitions import Definition

        definition = Definition(claim.defines, claim.formula)
        judged = definition.judgement
        wrong = judged.verdict in (WRONG, ILL_POSED)
        return Verdict(claim, judged.verdict, note=judged.note, roots=(claim.id,) * wrong, slips=tuple(definition.slips()) if wrong else ())
    judged, about = formulas.judge(claim.formula), formulas.subject(claim.formula)
    if judged.verdict not in (WRONG, ILL_POSED):
        return Verdict(claim, judged.verdict, note=judged.note, about=about)
    slips = tuple(formulas.slips(claim.formula))
    return Verdict(claim, judged.verdict, formulas.derived(claim.formula), judged.note, (claim.id,), slips, about)


def _of_code(claim: Claim, text: Text, run_code: bool) -> Verdict:
    from symbp.verify.submission import judge_code

    found = judge_code(claim.code, text, run_code)
    roots = (claim.id,) if found.verdict in (WRONG, ILL_POSED) else ()
    return Verdict(claim, found.verdict, note=found.note, roots=roots, slips=found.slips)


__all__ = ["ILL_POSED", "INHERITED", "LAST_DIGIT", "RIGHT", "RIGHT_IF", "UNDECIDED", "WRONG", "Verdict", "verdicts"]
