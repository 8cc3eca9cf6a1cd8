"""Slips of more than a name are explained; what the state of two steps before is, no update knows."""

from pathlib import Path

import pytest

from symbp.verify.claimfile import load, parse
from symbp.verify.formulas import Formulas

CONTROLS = Path(__file__).parent.parent / "examples" / "claims"
SLIPS = [
    ("adam", r"\theta_t = \theta_{t-1} - \alpha \frac{\hat{m}_t}{\epsilon}", "a term is missing, √(vhat)"),
    ("adam", r"v_t = \beta_2 v_{t-1}", "a term is missing, (1 - beta_2) g^2"),
    ("bptt", r"\frac{\partial L}{\partial W} = \sum_{t=1}^T \delta_t", "the factor ht-1 is missing"),
    ("bptt", r"\frac{\partial L}{\partial b} = \delta_t", "the sum over t is missing"),
]


@pytest.mark.parametrize(("text", "formula", "slip"), SLIPS)
def test_what_is_missing_and_more_than_a_name(text: str, formula: str, slip: str) -> None:
    """The whole that is missing is named."""
    formulas = Formulas(load(CONTROLS / f"standard-{text}.toml"))
    assert formulas.judge(formula).verdict in ("wrong", "ill-posed")
    assert any(slip in said for said in formulas.slips(formula)), formulas.slips(formula)


PENALTY = """[network]
equations = ["o[m] = sum(i, V[m,i]*h[i])", "L = sum(m, (o[m] - y[m])^2)/2 + lam*sum(i, h[i]^2)"]
loss = "L"
[values]
h = [0.1, 0.2]
V = [[0.3, 0.2], [0.1, 0.5], [0.9, -0.3], [1, 1]]
y = [0, 1, 0.5, 0.2]
lam = 0.3
[[claims]]
formula = "L = L"
"""


@pytest.mark.parametrize(("formula", "slip"), [
    (r"\frac{\partial L}{\partial h} = 2 lam h", "a term is missing, Vᵀ (o - y)"),
    (r"\frac{\partial L}{\partial h} = V^T (o - y)", "a term is missing, 2 lam h"),
    (r"\frac{\partial L}{\partial h_i} = 2 lam h_i", "a term is missing, (Vᵀ (o - y))_i"),
    (r"\frac{\partial L}{\partial h_i} = \sum_m V_{mi} (o_m - y_m)", "a term is missing, 2 lam hi"),
])
def test_a_branch_that_is_missing_is_a_term_of_three_parts(formula: str, slip: str) -> None:
    """By hand: ∂L/∂h = Vᵀ (o - y) + 2 λ h, of which one of the two is left out."""
    formulas = Formulas(parse(PENALTY))
    assert formulas.judge(formula).verdict == "wrong"
    assert slip in formulas.slips(formula)


@pytest.mark.parametrize("theta", ["\\theta_{t-2}", "\\theta_{t-3}"])
def test_a_state_of_two_steps_before_is_not_the_old_one(theta: str) -> None:
    """It was once taken for the old value."""
    formulas = Formulas(load(CONTROLS / "standard-adam.toml"))
    found = formulas.judge(rf"\theta_t = {theta} - \alpha \hat{{m}}_t / (\sqrt{{\hat{{v}}_t}} + \epsilon)")
    assert found.verdict == "ill-posed" and "two steps before" in found.note
    assert formulas.judge(r"\theta_t = \theta_{t-1} - \alpha \hat{m}_t / (\sqrt{\hat{v}_t} + \epsilon)").verdict == "right"
