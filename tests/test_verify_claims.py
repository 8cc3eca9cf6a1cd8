"""Claims on numbers: what is read, what cannot be, and what is said of each."""
from __future__ import annotations

import pytest

from symbp.verify.claimfile import parse
from symbp.verify.verdict import verdicts

HEAD = '[network]\nequations = ["q = x + y", "f = q*z"]\n[values]\nx = -2\ny = 5\nz = -4\n'
GOOD = '[[claims]]\nof = "f"\nvalue = "-12"\n'


@pytest.mark.parametrize("claim, says", [('of = "ff"\nvalue = "1"', "ff"), ('of = "q"\nvalue = "1,234.5"', "comma"),
                                         ('of = "q"\nvalue = "' + "1" * 1_000_000 + '"', "characters"),
                                         ('of = "q"\nvalue = true', "quotes"), ('of = "q[0]"\nvalue = "3"', "shape"),
                                         ('of = "' + "(" * 400 + '"\nvalue = "3"', "("), ('of = "q"', "value")])
def test_a_claim_that_cannot_be_read_is_undecided_and_the_others_are_judged(claim, says):
    bad, good = verdicts(parse(f"{HEAD}[[claims]]\n{claim}\n{GOOD}"))
    assert bad.verdict in ("undecided", "ill-posed") and good.verdict == "right" and says in bad.note
    assert (bad.verdict == "ill-posed") == (says in ("ff", "shape"))


def test_each_changed_digit_of_a_right_number_is_found():
    for digit in "0123456789":
        found = verdicts(parse(HEAD + f'[[claims]]\nof = "f/7"\nvalue = "-1.7{digit}4"\n'))[0]
        assert (found.verdict == "right") == (digit == "1")


@pytest.mark.parametrize("text, verdict", [("-.0", "wrong"), (".", "undecided"), ("-12.", "right"), ("-.12e2", "right")])
def test_numbers_without_a_digit_before_the_point_are_read(text, verdict):
    assert verdicts(parse(HEAD + f'[[claims]]\nof = "f"\nvalue = "{text}"\n'))[0].verdict == verdict


def test_a_number_far_from_the_right_one_is_not_off_in_the_last_digit():
    """exp(12.34) = 228662; exp(12) = 162755; the interval of z = 12 holds everything from exp(11.5) to exp(12.5)."""
    found = verdicts(parse('[network]\nequations = ["z = w", "y = exp(z)"]\n[values]\nw = 12.34\n[[claims]]\nof = "z"\nvalue = "12"\n'
                           '[[claims]]\nof = "y"\nvalue = "210000.0"\n'))
    assert found[1].verdict == "wrong"
