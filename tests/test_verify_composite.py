"""Slips of more than a name are explained; what the state of two steps before is, no update knows."""

from pathlib import Path

import pytest

from symbp.verify.claimfile import load
from symbp.verify.formulas import Formulas

CONTROLS = Path(__file__).parent.parent / "examples" / "claims"
SLIPS = [
    ("adam", r"\theta_t = \theta_{t-1} - \alpha \frac{\hat{m}_t}{\epsilon}", "a term is missing, √(vhat)"),
    ("bptt", r"\frac{\partial L}{\partial W} = \sum_{t=1}^T \delta_t", "the factor ht-1 is missing"),
    ("bptt", r"\frac{\partial L}{\partial b} = \delta_t", "the sum over t is missing"),
]


@pytest.mark.parametrize(("text", "formula", "slip"), SLIPS)
def test_what_is_missing_and_more_than_a_name(text: str, formula: str, slip: str) -> None:
    """The whole that is missing is named."""
    formulas = Formulas(load(CONTROLS / f"standard-{text}.toml"))
    assert formulas.judge(formula).verdict in ("wrong", "ill-posed")
    assert any(slip in said for said in formulas.slips(formula)), formulas.slips(formula)


@pytest.mark.parametrize("theta", ["\\theta_{t-2}", "\\theta_{t-3}"])
def test_a_state_of_two_steps_before_is_not_the_old_one(theta: str) -> None:
    """It was once taken for the old value."""
    formulas = Formulas(load(CONTROLS / "standard-adam.toml"))
    found = formulas.judge(rf"\theta_t = {theta} - \alpha \hat{{m}}_t / (\sqrt{{\hat{{v}}_t}} + \epsilon)")
    assert found.verdict == "ill-posed" and "two steps before" in found.note
    assert formulas.judge(r"\theta_t = \theta_{t-1} - \alpha \hat{m}_t / (\sqrt{\hat{v}_t} + \epsilon)").verdict == "right"
