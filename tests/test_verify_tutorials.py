"""The five tutorials' claim files: every claim is there, and the verdicts are those worked out by hand."""
from __future__ import annotations

import re
from pathlib import Path

import pytest

from symbp.verify.claimfile import load

CLAIMS = Path(__file__).parents[1] / "examples" / "claims"
FILES = sorted(CLAIMS.glob("00[0-4]*.toml"))


def numbers(text: str, ranges: str) -> set[str]:
    """ "1-3 7" as the ids of a text."""
    spans = [tuple(map(int, part.split("-"))) for part in ranges.split()]
    return {f"{text}-{k:02}" for first, *last in spans for k in range(first, (last or [first])[0] + 1)}


# The list of claims by kind; each number of these has to be judged, each of those below has to be listed.
JUDGED = (numbers("000", "4-18 20 22 29-34 40-42 48-60") | numbers("001", "1-10") | numbers("002", "1-3 5-7 9-21 24-34")
          | numbers("003", "2-4 7-19 21-25") | numbers("004", "1-7 9-13"))
LISTED = (numbers("000", "1-3 19 21 23-28 35-39 43-47 61") | numbers("001", "11-14") | numbers("002", "4 8 22-23")
          | numbers("003", "1 5-6 20 26-34") | numbers("004", "8 14"))


def test_every_claim_of_the_tutorials_is_judged_or_listed():
    texts = [load(path) for path in FILES]
    assert {c.id for text in texts for c in text.claims} >= JUDGED
    assert {u.id for text in texts for u in text.not_judged} == LISTED
    assert len(JUDGED) == 112 and len(LISTED) == 45


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_no_claim_file_says_what_the_verdict_should_be(path: Path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"verdict|expected|\bwrong\b|\bright\b", re.sub(r"^#.*", "", text, flags=re.M))
    assert all(not c.problem and c.where for c in load(path).claims)
