"""What a text's other claims say of an update: Δw that it subtracts, the form of its momentum, the point at which J is taken."""
from __future__ import annotations

import pytest

from symbp.verify.claimfile import parse
from symbp.verify.verdict import verdicts

HEAD = '''[network]
equations = ["z[j] = sum(i, W[j,i]*x[i])", "L = sum(j, (z[j] - y[j])^2)/2"]
loss = "L"
parameters = ["W"]
names = { g = "dL/dW" }
[optimizer]
type = "OPTIMIZER"
[values]
x = [1, 2, 3]
W = [[1, 0, 2], [0, 1, 1]]
y = [1, 2]
'''


def judged(*formulas: str, optimizer: str = "gd") -> list[tuple[str, str]]:
    claims = "".join(f"[[claims]]\nid = 'c{k}'\nformula = '''{f}'''\n" for k, f in enumerate(formulas))
    return [(v.verdict, v.note) for v in verdicts(parse(HEAD.replace("OPTIMIZER", optimizer) + claims))]


def test_a_change_with_a_plus_is_wrong_unless_the_text_subtracts_it():
    plus, minus, step = r"\Delta W = \alpha \nabla_W L", r"\Delta W = -\alpha \nabla_W L", r"W = W - \alpha \nabla_W L"
    assert judged(minus)[0][0] == "right" and judged(plus)[0][0] == "wrong"
    assert judged(plus, step)[0] == ("right-if", "right if ΔW is what is subtracted, as in c1")
    assert judged(plus, step.replace("-", "+"))[0][0] == "wrong"
    assert judged(plus.replace(r"\alpha", r"2\alpha"), step)[0][0] == "wrong"


def test_a_form_of_momentum_has_to_leave_the_other_steps_of_the_text_right():
    """W − v stands where α is in v; after v = βv + g, which has no α, nothing makes it right."""
    without, within = r"v(t) = \beta v(t-1) + g", r"v(t) = \beta v(t-1) + \alpha g"
    step = r"W(t) = W(t-1) - v(t)"
    assert [v for v, _ in judged(within, step, optimizer='momentum')] == ["right", "right"]
    steps = HEAD.replace('type = "OPTIMIZER"', 'type = "momentum"\nrate_in = "step"')
    claims = "".join(f"[[claims]]\nformula = '''{f}'''\n" for f in (without, step))
    assert [v.verdict for v in verdicts(parse(steps + claims))] == ["right", "wrong"]


@pytest.mark.parametrize(("point", "verdict"), [("W", "right"), ("x", "right"), ("W, x", "right"), ("g", "ill-posed")])
def test_the_loss_is_taken_where_everything_else_is(point: str, verdict: str):
    assert judged(rf"W = W - \alpha \nabla_W L({point})")[0][0] == verdict
