"""Standard formulas come out right, and each with one planted slip comes out wrong and is explained."""
from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbp.verify.changes import changes
from symbp.verify.claimfile import load
from symbp.verify.formulas import Formulas
from symbp.verify.nodes import Formula
from symbp.verify.slips import _Search, explained

FILES = sorted((Path(__file__).parent.parent / "examples" / "claims").glob("standard-*.toml"))
PLANTED = ("sign", "derivative", "transpose", "layer", "factor", "term", "power", "root")


@cache
def formulas_of(path: Path) -> tuple[Formulas, tuple[str, ...]]:
    text = load(path)
    return Formulas(text), tuple(c.formula for c in text.claims)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_no_false_alarm(path: Path) -> None:
    """Every control is right, or right under a convention that is named."""
    formulas, stated = formulas_of(path)
    judged = {formula: formulas.judge(formula) for formula in stated}
    assert {f: j for f, j in judged.items() if j.verdict not in ("right", "right-if")} == {}
    assert all(j.note for j in judged.values() if j.verdict == "right-if")


def test_there_are_enough_controls() -> None:
    """At least 200."""
    assert sum(len(formulas_of(path)[1]) for path in FILES) >= 200


@given(seed=st.integers(0, 10_000))
@settings(max_examples=12, deadline=None)
def test_a_planted_slip_is_never_right_and_is_explained_only_by_what_is_right(seed: int) -> None:
    """One change of a right formula, at random: where its value changes it is found, and each explanation makes it right again."""
    rng = random.Random(seed)
    formulas, stated = formulas_of(rng.choice(FILES))
    read = formulas.read(rng.choice(stated))
    left, right, sign = *read.sides[-2:], read.signs[-1]
    search = _Search(formulas, left, right, sign)
    options = [c for c in changes(search.right, search.scope) if c.kind in PLANTED and c.side != search.right]
    wrong = rng.choice(options).side
    if search._near(wrong):
        return
    assert formulas.equality(search.left, wrong).verdict != "right"
    for slip in explained(formulas, Formula((search.left, wrong), ("=",)), pairs=False):
        assert slip.kinds in (("diagonal",), ("log",)) or formulas.equality(search.left, slip.side).verdict in ("right", "right-if")
