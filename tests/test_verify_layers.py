"""Claim files whose network is made of layers: at the top or inside [network], one sample or a batch, numbered names, δ of a layer."""
from __future__ import annotations

import pytest

from symbp.settings import NetworkError
from symbp.verify.claimfile import parse
from symbp.verify.verdict import verdicts

LAYERS = """
[network]
convention = "column"
notation = { first_layer = 2, weights = "w", loss = "J", target = "y" }
input = { shape = [2] }
target = { shape = [1] }
layers = [{ type = "dense", units = 3, activation = "sigmoid" }, { type = "dense", units = 1, activation = "sigmoid" }]
loss = { type = "squared_error" }
optimizer = { type = "gd", learning_rate = 0.1 }
[values]
x = [0.5, 0.8]
y = [1]
w2 = [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]
b2 = [0.1, 0.2, 0.3]
w3 = [[0.7, 0.8, 0.9]]
b3 = [0.1]
"""
# by hand: a2 = (0.5769, 0.6615, 0.7369), z3 = 0.7·0.5769 + 0.8·0.6615 + 0.9·0.7369 + 0.1 = 1.6962, a3 = 0.8450,
# δ3 = (0.8450 − 1)·0.8450·0.1550 = −0.0203, δ2[0] = 0.7·(−0.0203)·0.5769·0.4231 = −0.0035


def judged(claims: str, network: str = LAYERS) -> list[str]:
    return [v.verdict for v in verdicts(parse(network + claims))]


def claim(of: str, value: str) -> str:
    return f'[[claims]]\nof = "{of}"\nvalue = "{value}"\n'


def test_a_name_and_a_number_in_brackets_are_a_numbered_name():
    assert judged(claim("z[3]", "1.6962") + claim("z3", "1.6962") + claim("a[2,1]", "0.6615") + claim("z[3]", "1.4475")) == \
        ["right", "right", "right", "wrong"]


def test_delta_of_a_layer_is_the_derivative_by_its_z():
    assert judged(claim("delta3", "-0.0203") + claim("delta2[0]", "-0.0035") + claim("delta2[0]", "-0.0087")) == ["right", "right", "wrong"]
    assert judged(r"""
[[claims]]
formula = '''\delta^{(2)} = w^{(3)T} \delta^{(3)} \odot \sigma'(z^{(2)})'''
[[claims]]
formula = '''\delta^{(2)} = w^{(3)T} \delta^{(3)} \odot \sigma'(z^{(3)})'''
""") == ["right", "wrong"]


def test_one_sample_without_a_convention_is_one_column():
    assert judged(claim("z[3]", "1.6962"), LAYERS.replace('convention = "column"\n', "")) == ["right"]


def test_a_batch_of_rows():
    rows = LAYERS.replace('"column"', '"rows"').replace("[0.5, 0.8]", "[[0.5, 0.8]]").replace("y = [1]", "y = [[1]]")
    assert judged(claim("z3[0,0]", "1.6962") + claim("z2[0,2]", "1.03"), rows) == ["right", "right"]


def test_the_same_tables_at_the_top():
    top = LAYERS.replace("[network]\nconvention", "conventions.samples").replace("notation =", "notation =", 1)
    assert judged(claim("z3", "1.6962"), top) == ["right"]


@pytest.mark.parametrize(("old", "new", "said"), [
    ('convention = "column"', 'convention = "colum"', "column"),
    ('convention = "column"', 'convetion = "column"', 'did you mean "convention"'),
    ('convention = "column"', 'convention = "column"\nconventions = { samples = "rows" }', "contradict"),
    ("[network]", "loss = { type = 'squared_error' }\n[network]", "at the top of the file"),
])
def test_what_does_not_fit_is_said(old: str, new: str, said: str):
    with pytest.raises(NetworkError, match=said):
        parse(LAYERS.replace(old, new) + claim("z3", "1.6962"))
