"""The five tutorials' claim files: every claim is there, and the verdicts are those worked out by hand."""
from __future__ import annotations

import re
from pathlib import Path

import pytest

from symbp.verify.claimfile import load
from symbp.verify.verdict import Verdict, verdicts

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


# What is not right, worked out by hand: the verdict, and a word that the reason or one of the explanations has to hold.
NOT_RIGHT = {
    # N' = N · (−(z−μ)/σ²): the text's line is the derivative of log N, the density itself is missing.
    "000-05": ("wrong", "logarithm"), "000-08": ("wrong", "logarithm"),
    # ∂p_i/∂z_j = p_i([i=j] − p_j) is a matrix; p(1 − p) is its diagonal.
    "000-06": ("ill-posed", "only the diagonal"), "000-09": ("ill-posed", "only the diagonal"),
    # max(0, x) has no derivative at 0; "0 otherwise" takes 0 there, a convention.
    "000-12": ("right-if", "kink"),
    # ΔW = +α∇L; as an increment that ascends, but the text's own step is W = W − α∇L, so ΔW is what it subtracts.
    "000-20": ("right-if", "subtracted"), "000-22": ("right-if", "subtracted"),
    "000-52": ("right-if", "subtracted"), "000-53": ("right-if", "subtracted"),
    # ∇J is taken at θ_i, which the text calls the gradient of the i-th sample: J depends on θ, not on that.
    "000-31": ("ill-posed", "thetai"),
    # θ − α m̂/(√v̂ + ε) has v, a root and ε; the text divides m by both corrections, and v does not occur.
    "000-34": ("wrong", ""), "000-60": ("wrong", ""),
    # with v = βv + (1−β)∇J, which has no α, the step θ − v has none either; in §4.1.2 α stands in v.
    "000-57": ("wrong", ""),
    # ∂L/∂z = Wᵀ(∂L/∂y ⊙ y(1−y)): weights are missing, and the node's own output has no place in it.
    "001-01": ("wrong", ""),
    # adding α ∂L/∂w ascends.
    "001-02": ("wrong", "plus stands where minus belongs"),
    # y is calculated from z, so ∂z/∂y is none (0); the chain runs the other way: ∂L/∂z = Σ ∂L/∂y ∂y/∂z.
    "001-03": ("wrong", ""),
    # x(1 − x) is σ'(z) where x is σ(z), and not where it is z.
    "001-06": ("right-if", "x is p"),
    # the log-likelihood without its minus.
    "001-07": ("wrong", "-1 times"),
    # self.b3 -= lr·delta has a column for each sample: (1,4) does not fit into (1,1), the sum over samples is missing.
    "002-32": ("ill-posed", "broadcast"),
    # the comment announces a test, and the listing ends.
    "002-34": ("undecided", "no function 'test'"),
    # hidden_layers_inputs[i − 1] is what went into the layer before, not what came out of it.
    "003-03": ("wrong", "x stands where a1 belongs"),
    # number_of_hidden_layers is nowhere defined.
    "003-04": ("ill-posed", "number_of_hidden_layers"),
    # the step of w3 is −α δ3 a2ᵀ, 2×2; −α (a3 − t) has 2 entries.
    "003-09": ("ill-posed", "2×2"), "003-13": ("ill-posed", "2×2"),
    # the step of b3 is −α (a3 − t) σ'(z3): the error is missing, and σ' is taken at a3.
    "003-10": ("wrong", ""),
    # ∂J/∂a2 = W3ᵀ δ3: a bias stands for the weights, the derivative of σ is missing, a1 is added.
    "003-11": ("wrong", ""),
    # ∂J/∂a1 = W2ᵀ δ2, and output_error is still that of the output.
    "003-12": ("wrong", ""),
    # one input neuron, but x_1 and x_2.
    "003-17": ("ill-posed", "x1"),
    # ∂J/∂a = y − t; with ∂J/∂z it would be (y − t) σ'(z), and 1/(1 + e^−z) is σ, not σ'.
    "003-18": ("wrong", ""),
    # δ^(l+1) is a vector that multiplies the sum, which has it already; and σ(z_j) stands for σ'(z_i).
    "003-19": ("ill-posed", ""),
    # δ1 = w31 δ3 σ'(z1), not w31 δ3 σ(z3).
    "003-23": ("wrong", ""), "003-23, second neuron": ("wrong", ""),
    # b_1 = 0.3 is the bias of both hidden neurons: −α(δ1 + δ2); b_2 = 0.6 is that of the output: −α δ3.
    "003-25": ("wrong", "delta_2"), "003-25, second bias": ("wrong", "delta_3"),
    # b has 3 entries, one for each hidden neuron, and aWᵀ has 2.
    "004-04": ("ill-posed", ""),
    # e = y − a is minus ∂L/∂a, and w −= lr·d subtracts: the step ascends.
    "004-10": ("wrong", ""), "004-13": ("wrong", ""),
    # np.dot(x, …) sums over samples only with xᵀ: (4,3) and (4,) do not fit.
    "004-11": ("ill-posed", "(4,3)"),
    # train never changes b.
    "004-12": ("wrong", "b after 1"),
}


@pytest.fixture(scope="module")
def judged() -> dict[str, Verdict]:
    return {v.claim.id: v for path in FILES for v in verdicts(load(path), run_code=True)}


def test_the_verdicts_are_those_worked_out_by_hand(judged: dict[str, Verdict]):
    found = {name: (v.verdict, " | ".join((v.note, *v.slips))) for name, v in judged.items() if v.verdict != "right"}
    assert {name: verdict for name, (verdict, _) in found.items()} == {name: verdict for name, (verdict, _) in NOT_RIGHT.items()}
    assert {name: why for name, (_, why) in found.items() if NOT_RIGHT[name][1] not in why} == {}
