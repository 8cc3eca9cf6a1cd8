"""Claims, numbers and networks that cannot be judged: nothing crashes, each says why, and every other claim is judged."""
from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbp.errors import SymbpError
from symbp.settings import NetworkError
from symbp.verify.claimfile import parse
from symbp.verify.printed import read
from symbp.verify.verdict import verdicts

NETWORK = '''[network]
equations = ["z[j] = sum(i, w[j,i]*x[i])", "q = u*3", "s = sum(j, z[j]) + q"]
loss = "s"
parameters = ["w"]
names = { loop = "pool", pool = "loop", broken = "1 +", err = "z[0] - 1" }
[optimizer]
type = "adam"
'''
VALUES = {"x": "[1, 2]", "w": "[[1, 2]]", "u": "2"}
CLAIMS = '[[claims]]\nof = "z"\nvalue = ["5"]\n[[claims]]\nof = "q"\nvalue = "6"\n[[claims]]\nof = "s"\nvalue = "11"\n'


def judged(values: dict[str, str] = VALUES, network: str = NETWORK, claims: str = CLAIMS) -> list[tuple[str, str]]:
    text = network + "[values]\n" + "".join(f"{name} = {value}\n" for name, value in values.items()) + claims
    return [(v.verdict, v.note) for v in verdicts(parse(text))]


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in VALUES.items() if key != name}


@pytest.mark.parametrize(("missing", "expected"), [("u", ["right", "undecided", "undecided"]), ("w", ["undecided", "right", "undecided"]),
                                                   ("x", ["undecided", "right", "undecided"])])
def test_a_missing_value_leaves_the_rest_to_be_judged(missing: str, expected: list[str]):
    found = judged(without(missing))
    assert [verdict for verdict, _ in found] == expected
    assert all(f"no value for {missing}" in note for verdict, note in found if verdict == "undecided")


def test_a_misspelt_value_is_guessed():
    assert 'did you mean "U"?' in judged({**without("u"), "U": "2"})[1][1]


@pytest.mark.parametrize(("values", "network", "says"), [
    ({**VALUES, "x": "[1, 2, 3]"}, NETWORK, "the index i has extent 2 (axis 1 of w) and extent 3 (axis 0 of x)"),
    ({**VALUES, "z": "[7]"}, NETWORK, "z has a value already"),
    (VALUES, NETWORK.replace("w[j,i]*x[i]", "w[j,i]*x[i,j]"), "x has 1 axes [2], but `x[i,j]` gives 2"),
    (VALUES, NETWORK.replace("sum(i, w[j,i]*x[i])", "sigmod(w[j,0])"), 'did you mean "sigmoid"?')])
def test_an_equation_that_means_nothing_takes_only_its_own_along(values: dict[str, str], network: str, says: str):
    found = judged(values, network)
    assert [verdict for verdict, _ in found] == ["ill-posed", "right", "ill-posed"]
    assert says in found[0][1] and "calculated from z" in found[2][1]


@pytest.mark.parametrize(("u", "equation"), [("0", "1/u"), ("-1", "log(u)"), ("500", "exp(exp(u))"), ("-2", "sqrt(u)")])
def test_a_number_without_a_value_is_undecided(u: str, equation: str):
    found = judged({**VALUES, "u": u}, NETWORK.replace("u*3", equation))
    assert [verdict for verdict, _ in found] == ["right", "undecided", "undecided"] and "no finite value" in found[1][1]


@pytest.mark.parametrize(("of", "verdict", "says"), [
    ("Z[0]", "ill-posed", 'did you mean "z"?'), ("nothing", "ill-posed", "valid are: x, w, u"), ("z[1]", "ill-posed", "outside 0 … 0"),
    ("w[0]", "ill-posed", "w has the shape [1, 2]"), ("z[0,0]", "ill-posed", "give 1 index"), ("w", "ill-posed", "w is no number"),
    ("ds/dz2", "ill-posed", "'z2'"), ("w[j,0]", "ill-posed", "free index j"), ("loop", "undecided", "defined by itself"),
    ("broken", "undecided", "cannot read"), ("u/0", "undecided", "division by zero"), ("10^10^10", "undecided", "out of range"),
    ("(" * 60 + "u" + ")" * 60, "undecided", "nested"), ("z" * 600, "undecided", "at the most"), ("__import__('os')", "undecided", "cannot read"),
    ("mhat_w[0,0]", "undecided", "after = 1"), ("z[99999999999999999999999]", "ill-posed", "outside")])
def test_what_there_is_not(of: str, verdict: str, says: str):
    bad, good = judged(claims=f'[[claims]]\nof = {json.dumps(of)}\nvalue = "1"\n[[claims]]\nof = "q"\nvalue = "6"\n')
    says = says.replace("at the most", "are the most")
    assert (bad[0], good[0]) == (verdict, "right") and says in bad[1], bad[1]


@pytest.mark.parametrize(("keys", "says"), [
    ('value = "6"\nafter = -1', "whole number"), ('value = "6"\nafter = "1"', "whole number"), ('value = "6"\nafter = 10000000', "whole number"),
    ('value = "6"\nepochs = 1', "samples"), ('value = "6"\nmean = "samples"', "samples"), ('value = "6"\nmean = "all"', "samples or epoch"),
    ('value = "6"\nsample = 1', "samples"), ('value = "6"\nafter = 1\nepochs = 1', "one of them"), ('value = true', "quotes"),
    ('value = [["6"], ["6", "7"]]', "different lengths"), ('value = []', "different lengths"), ('valu = "6"', 'did you mean "value"'),
    ('value = ["6"]\nafter = [0, 1]', "entries"), ('value = [["6", "7"]]', "shape")])
def test_keys_that_do_not_fit(keys: str, says: str):
    *bad, good = judged(claims=f'[[claims]]\nof = "q"\n{keys}\n[[claims]]\nof = "q"\nvalue = "6"\n')
    assert good[0] == "right" and bad and all(verdict in ("undecided", "ill-posed") and says in note for verdict, note in bad), bad


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1_000", "0x10", "1,234.5", "1,5", "1 234", "1.2.3", "", "--1", "1/0", "½", "٣", "1e5000",
                                   "1.5×10−3", "9" * 1_000_000, "e5", "one", "{}", "0.5 0.6", "1/2/3", "1e-3%5", "\x00"])
def test_numbers_that_may_be_misread_are_refused(value: str):
    with pytest.raises(SymbpError):
        read(value)


@pytest.mark.parametrize(("text", "value", "unit"), [
    ("0.6627", 0.6627, 1e-4), ("-12", -12, 1), ("5.0e-05", 5e-5, 1e-6), ("1.2 × 10^{-3}", 1.2e-3, 1e-4), (r"1.2 \times 10^{-3}", 1.2e-3, 1e-4),
    ("2·10^4", 2e4, 1e4), ("2×10⁻³", 2e-3, 1e-3), ("-3/8", -0.375, 0), (r"\frac{3}{8}", 0.375, 0), ("97.5%", 0.975, 1e-3), ("≈ 0.65", 0.65, 0.01),
    ("0.65…", 0.65, 0.01), ("−0.5", -0.5, 0.1), ("$0.50$", 0.5, 0.01), (".5", 0.5, 0.1), ("5.", 5, 1), ("-0.0", 0, 0.1), ("10^{-3}", 1e-3, 1e-3)])
def test_numbers_as_books_print_them(text: str, value: float, unit: float):
    found = read(text)
    assert float(found.value) == pytest.approx(value) and float(found.unit) == pytest.approx(unit)
    assert read(found.like(found.value)).value == found.value


@pytest.mark.parametrize(("printed", "value", "verdict"), [
    ("0", "0.4", "wrong"), ("0", "0.004", "right"), ("8", "7.6", "right"), ("1", "0.73", "wrong"), ("650", "645.6", "right"), ("640", "645.6", "wrong"),
    ("0.0", "0.04", "right"), ("-0.0", "0.04", "right"), ("0.098", "0.0975", "right"), ("0.097", "0.0975", "right"), ("0.096", "0.0975", "wrong"), ("0.66", "0.667", "right"), ("0.68", "0.673", "last digit off"),
    ("97.5%", "0.97512", "right"), ("2/3", "0.6667", "wrong"), ("2/3", "2/3", "right"), ("1.2e-3", "0.00124", "right"), ("1.3e-3", "0.00124", "last digit off"),
    ("1.2e-17", "0", "right"), ("1.2e-3", "0", "wrong"), ("-0.5", "0.5", "wrong"), ("0.7", "0.8", "wrong"), ("10^{-3}", "0.0012", "right")])
def test_what_digits_stand_for(printed: str, value: str, verdict: str):
    text = f'[network]\nequations = ["y = x"]\n[values]\nx = "{value}"\n[[claims]]\nof = "y"\nvalue = "{printed}"\n'
    assert verdicts(parse(text))[0].verdict == verdict


@pytest.mark.parametrize(("line", "says"), [("u = { seed = 1 }", "draw"), ('u = { seed = 1, draw = "randm" }', "names 0"),
                                            ('u = { draw = "randn" }', "either a seed"), ('u = { after = "v", draw = "randn" }', "no draw before"),
                                            ('u = { seed = 1, draw = "randn + rand" }', "names 2"), ("u = [1, [2]]", "different lengths"),
                                            ("u = nan", "no finite number"), ("u = true", "no finite number"), ("u = 1979-05-27", "no finite number")])
def test_values_that_are_none(line: str, says: str):
    with pytest.raises(NetworkError, match="values") as error:
        parse(NETWORK + "[values]\nx = [1, 2]\nw = [[1, 2]]\n" + line + "\n" + CLAIMS)
    assert says in str(error.value)


NAMES = st.sampled_from(["z", "q", "s", "x", "w", "u", "err", "loop", "broken", "nothing", "m_w", "alpha", "ds/dw", "ds/dz", "dz/dx", "dq/du", "1", "0", "0.5"])
OF = st.recursive(st.builds("{}{}".format, NAMES, st.sampled_from(["", "[0]", "[0,0]", "[1]", "[j]", "[9,9]", "[]"])),
                  lambda inner: st.builds("({}{}{})".format, inner, st.sampled_from("+-*/^"), inner)
                  | st.builds("{}({})".format, st.sampled_from(["exp", "log", "sqrt", "sigmoid'", "sum(j,", "max(i,", "d", "sin"]), inner), max_leaves=4)
VALUE = st.sampled_from(["1", "0.50", "-3/8", "1e-3", "nan", "", "1,5", "97%"]) | st.text(max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(OF, VALUE | st.lists(VALUE, max_size=3), st.sampled_from([0, 0, 0, 1, 2])), min_size=1, max_size=3))
def test_whatever_is_claimed_the_others_are_judged(claims):
    text = "".join(f"[[claims]]\nof = {json.dumps(of)}\nvalue = {json.dumps(value)}\nafter = {after}\n" for of, value, after in claims)
    try:
        found = judged(claims=text + '[[claims]]\nof = "q"\nvalue = "6"\n')
    except NetworkError as error:
        assert "not TOML" in str(error)
        return
    assert found[-1][0] == "right" and all(note for verdict, note in found if verdict in ("undecided", "ill-posed"))
