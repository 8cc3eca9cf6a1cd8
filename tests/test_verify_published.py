"""The published examples of examples/claims: every printed number is there, and each verdict that is not `right` is the one found by hand.

The numbers by hand come from plain NumPy in this file, in formulas that were written down for each example; nothing of symbp takes part.
"""
from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from symbp.verify.claimfile import load
from symbp.verify.outcome import Verdict
from symbp.verify.verdict import verdicts

CLAIMS = Path(__file__).parents[1] / "examples" / "claims"
PRINTED = {
    "seed-002-4.4": [
        "z2[0]", "z2[1]", "z2[2]", "a2[0]", "a2[1]", "a2[2]", "z3", "a3", "J", "delta3", "delta2[0]", "delta2[1]", "delta2[2]",
        "dJ/dw3[0]", "dJ/dw3[1]", "dJ/dw3[2]", "dJ/db3", "dJ/dw2[0,0]", "dJ/dw2[0,1]", "dJ/dw2[1,0]", "dJ/dw2[1,1]", "dJ/dw2[2,0]",
        "dJ/dw2[2,1]", "dJ/db2[0]", "dJ/db2[1]", "dJ/db2[2]", "w3+[0]", "w3+[1]", "w3+[2]", "b3+", "w2+[0,0]", "w2+[0,1]",
        "w2+[1,0]", "w2+[1,1]", "w2+[2,0]", "w2+[2,1]", "b2+[0]", "b2+[1]", "b2+[2]"],
    "seed-003-4": [
        "z1", "a1", "z2", "a2", "z3", "y", "delta3", "delta1", "delta2", "Delta w31", "Delta w32", "Delta b1", "Delta b2"],
    "pub-mazur-2015": [
        "net_h1", "out_h1", "out_h2", "net_o1", "out_o1", "out_o2", "E_o1", "E_o2", "E_total", "dE/dout_o1", "dout_o1/dnet_o1",
        "dE/dw5", "w5+", "w6+", "w7+", "w8+", "delta_o1", "dE_o1/dout_h1", "dE_o2/dout_h1", "dE/dout_h1", "dout_h1/dnet_h1",
        "dE/dw1", "w1+", "w2+", "w3+", "w4+", "E after 1 step", "out_o1 after 10000", "out_o2 after 10000", "E after 10000"],
    "pub-mazur-repost-dkelsh-2018": [
        "out_h1 (as printed: 1/(1+e^{+0.3775}))", "out_h2 (1/(1+e^{+0.3925}))", "net_o1 (as printed: ... + 0.35)",
        "out_o1 (1/(1+e^{+1.1059}))", "net_o2 (as printed: 0.50*h1+0.45*h2+0.55)", "out_o2 (1/(1+e^{+1.2249}))", "E_o1", "E_total",
        "delta_o2", "dE/dw7", "delta_h1", "dE_o2/dout_h1", "delta_h2", "w2+ (i2 weight of h1)", "w4+"],
    "pub-cs231n-circuits": [
        "c1 q", "c1 f", "c1 df/dx", "c1 df/dy", "c1 df/dz", "dot", "exp(-dot)", "1+exp", "f", "d(1+exp)", "d exp-input", "ddot",
        "dw0", "dx0", "dw1", "dx1", "dw2", "c2 f", "c2 dx", "c2 dy", "c2 dz", "c2 dw", "(1-0.73)*0.73"],
    "pub-cs231n-softmax": [
        "e^1", "e^-2", "e^0", "softmax([1,-2,0])[0]", "softmax([1,-2,0])[1]", "softmax([1,-2,0])[2]", "e^0.5", "e^-1", "e^0 (2)",
        "softmax([.5,-1,0])[0]", "softmax([.5,-1,0])[1]", "softmax([.5,-1,0])[2]", "SVM loss (13,-7,11)", "figure SVM loss",
        "figure softmax loss", "dL/df[0]", "dL/df[1]", "dL/df[2]", "-log(1/3)"],
    "pub-micrograd-readme": [
        "g", "dg/da", "dg/db"],
    "pub-micrograd-lecture-neuron": [
        "o", "do/dx1", "do/dx2", "do/dw1", "do/dw2", "do/db"],
    "pub-hackers-guide": [
        "x*y after step", "-1.99*2.99", "(x+h)*y", "x*(y+h)", "circuit x+", "circuit y+", "circuit z+", "q+", "f+", "neuron s",
        "ds/da", "ds/db", "ds/dc", "ds/dx", "ds/dy", "s after step", "sigmoid(3)", "sigmoid grad at 3"],
    "pub-victor-zhou-2019": [
        "f(7)", "h for w=[0,1],x=[2,3]", "o for same", "h1", "o1", "dL/dy", "dy/dh1", "dh1/dw1", "dL/dw1"],
    "pub-gomez-lstm-2016": [
        "state0", "out0", "state1", "Wa+[0]", "Wa+[1]", "Wi+[0]", "Wi+[1]", "Wf+[0]", "Wf+[1]", "Wo+[0]", "Wo+[1]", "Ua+", "Ui+",
        "Uf+", "Uo+", "ba+", "bi+", "bf+", "bo+"],
    "pub-dlai-logreg": [
        "cost", "dw[0]", "dw[1]", "db", "w[0] after 100", "w[1] after 100", "b after 100", "dw[0] at last", "dw[1] at last",
        "db at last", "sigmoid'(1)", "sigmoid'(2)", "sigmoid'(3)", "sigmoid'(-1) (Coursera ML ex4)",
        "sigmoid'(-0.5) (Coursera ML ex4)", "sigmoid'(0) (Coursera ML ex4)"],
    "pub-trask-11-lines": [
        "part1 output[0]", "part1 output[1]", "part1 output[2]", "part1 output[3]", "part2 error at 0", "part2 error at 10000",
        "part2 error at 20000", "part2 error at 30000", "part2 error at 40000", "part2 error at 50000"],
    "pub-nielsen-ch3-neuron": [
        "case1 initial output", "case1 output after 300", "case2 initial output", "case2 output after 300"],
    "pub-adam-3steps": [
        "g1", "m1", "v1", "mhat1", "vhat1", "theta1", "g2", "m2", "v2", "mhat2", "vhat2", "theta2", "g3", "m3", "v3", "mhat3",
        "vhat3", "theta3"],
    "pub-lynx-attention": [
        "XX^T[0,0]", "XX^T[0,1]", "XX^T[0,2]", "XX^T[0,3]", "XX^T[1,0]", "XX^T[1,1]", "XX^T[1,2]", "XX^T[1,3]", "XX^T[2,0]",
        "XX^T[2,1]", "XX^T[2,2]", "XX^T[2,3]", "XX^T[3,0]", "XX^T[3,1]", "XX^T[3,2]", "XX^T[3,3]", "QK^T[0,0]", "QK^T[0,1]",
        "QK^T[0,2]", "QK^T[0,3]", "QK^T[1,0]", "QK^T[1,1]", "QK^T[1,2]", "QK^T[1,3]", "QK^T[2,0]", "QK^T[2,1]", "QK^T[2,2]",
        "QK^T[2,3]", "QK^T[3,0]", "QK^T[3,1]", "QK^T[3,2]", "QK^T[3,3]", "S[0,0]", "S[0,1]", "S[0,2]", "S[0,3]", "S[1,0]",
        "S[1,1]", "S[1,2]", "S[1,3]", "S[2,0]", "S[2,1]", "S[2,2]", "S[2,3]", "S[3,0]", "S[3,1]", "S[3,2]", "S[3,3]"],
    "pub-5-iterations-table": [
        "it1 W1", "it1 b", "it1 output", "it1 loss", "it2 W1", "it2 b", "it2 output", "it2 loss", "it3 W1", "it3 b", "it3 output",
        "it3 loss", "it4 W1", "it4 b", "it4 output", "it4 loss", "it5 W1", "it5 b", "it5 output", "it5 loss"],
    "pub-deepml-25": [
        "w0 (newer version)", "w1 (newer version)", "b (newer version)", "mse[0] (newer version)", "mse[1] (newer version)",
        "w0 (older version)", "w1 (older version)", "b (older version)", "mse[0] (older version)", "mse[1] (older version)"],
    "pub-deepml-134-ce": [
        "loss (output)", "loss (reasoning)"],
    "pub-deepml-130-cnn": [
        "W_conv+[0]", "W_conv+[1]", "W_conv+[2]", "W_conv+[3]", "W_conv+[4]", "W_conv+[5]", "W_conv+[6]", "W_conv+[7]",
        "W_conv+[8]", "b_conv+", "W_dense+[0]", "W_dense+[1]", "b_dense+[0]", "b_dense+[1]"],
    "pub-d2l-conv": [
        "corr2d[0]", "corr2d[1]", "corr2d[2]", "corr2d[3]", "2 channels, first element", "max pool first",
        "pad1 stride(3,2) [0,1]", "pad1 stride(3,2) [1,0]"],
}
"""What each text prints, by the names of its numbers."""


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@cache
def judged(name: str) -> dict[str, Verdict]:
    return {v.claim.id: v for v in verdicts(load(CLAIMS / f"{name}.toml"))}


def not_right(name: str) -> dict[str, tuple[str, str]]:
    return {key: (v.verdict, v.value) for key, v in judged(name).items() if key in PRINTED[name] and v.verdict != "right"}


def test_there_are_344_numbers_in_21_examples():
    assert (len(PRINTED), sum(map(len, PRINTED.values()))) == (21, 344)


@pytest.mark.parametrize("name", PRINTED)
def test_every_printed_number_is_a_claim(name: str):
    claims = {c.id for c in load(CLAIMS / f"{name}.toml").claims}
    assert [key for key in PRINTED[name] if key not in claims] == []


ALL_RIGHT = ["pub-cs231n-circuits", "pub-cs231n-softmax", "pub-micrograd-readme", "pub-micrograd-lecture-neuron", "pub-hackers-guide",
             "pub-victor-zhou-2019", "pub-dlai-logreg", "pub-trask-11-lines", "pub-nielsen-ch3-neuron", "pub-adam-3steps",
             "pub-5-iterations-table", "pub-deepml-130-cnn", "pub-d2l-conv"]


@pytest.mark.parametrize("name", ALL_RIGHT)
def test_examples_without_a_mistake(name: str):
    """NumPy's and PyTorch's figures round to, or are cut off to, what these print; where not, the printed digits before give it."""
    assert not_right(name) == {}


@pytest.mark.parametrize(("name", "key", "note"), [
    # 0.95·(1 − 0.95) = 0.0475 from the printed sigmoid(3); σ′(3) = 0.045177 from all digits
    ("pub-hackers-guide", "sigmoid grad at 3", "0.0452 from all digits"),
    # 2·4.8001 = 9.6002 from the printed θ₂; 2·4.800058 = 9.600116.  4.8001 − 0.1·9.786/√96.06 = 4.70025; all digits give 4.700213
    ("pub-adam-3steps", "g3", "9.6001 from all digits"), ("pub-adam-3steps", "theta3", "4.7002 from all digits"),
    # 0.999·0.19594 + 0.001·9.6001² = 0.2879063
    ("pub-adam-3steps", "v3", "cut off"), ("pub-cs231n-softmax", "e^1", "cut off"), ("pub-gomez-lstm-2016", "state0", "cut off"),
    # −0.53·0.37 = −0.1961 rounds to −0.20, but twice 0.20 is 0.40, and the page prints 0.39 = 2·0.1966
    ("pub-cs231n-circuits", "dx0", "rests on digits that are not printed"),
    # (0.772928465 − 0.99)·0.772928465·0.227071535 = −0.038098236606; from all digits −0.038098236517
    ("pub-mazur-repost-dkelsh-2018", "delta_o2", "calculated from the printed digits")])
def test_why_a_number_is_right(name: str, key: str, note: str):
    assert judged(name)[key].verdict == "right" and note in judged(name)[key].note


def test_seed_002():
    """σ(0.67) = 0.6615 and σ(1.03) = 0.7369; then 0.7·0.5769 + 0.8·0.6627 + 0.9·0.7358 + 0.1 = 1.6962 where 1.4475 stands."""
    z2 = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]) @ [0.5, 0.8] + [0.1, 0.2, 0.3]
    a2, w3 = sigmoid(z2), np.array([0.7, 0.8, 0.9])
    a3 = sigmoid(w3 @ a2 + 0.1)
    d3 = (a3 - 1) * a3 * (1 - a3)
    d2 = w3 * d3 * a2 * (1 - a2)
    found = judged("seed-002-4.4")
    for name, value in {"a2": a2, "delta2": d2, "dJ/dw3": d3 * a2, "w3+": w3 - 0.1 * d3 * a2}.items():
        assert [found[f"{name}[{k}]"].value for k in range(3)] == [f"{v:.4f}" for v in value]
    assert [found[k].value for k in ("z3", "a3", "delta3", "b3+")] == [f"{v:.4f}" for v in (w3 @ a2 + 0.1, a3, d3, 0.1 - 0.1 * d3)]
    assert [k for k, v in found.items() if v.verdict == "wrong"] == ["a2[1]", "a2[2]", "z3", "a3", "delta3", "delta2[0]", "delta2[1]", "delta2[2]"]
    assert all(v.verdict == "inherited" for k, v in found.items() if k in PRINTED["seed-002-4.4"] and k not in ("z2[0]", "z2[1]", "z2[2]", "a2[0]")
               and v.verdict != "wrong")
    assert found["J"].roots == ("a3",) and found["w3+[2]"].roots == ("a2[2]", "delta3")


def test_seed_003():
    """0.1·1 + 0.2·2 + 0.3 = 0.8, not 0.7; σ(0.7) = 0.668, not 0.65; 0.9·0.65 + 0.6 = 1.185, not 1.26; σ(1.26) = 0.779, not 0.87.

    δ₃ = (y − t) y (1 − y): 0.37·0.87·0.13 = 0.042 from the printed digits, where 0.278 stands (σ in the place of σ′).  The steps follow from
    the wrong numbers: −0.5·0.278·0.65 = −0.0904 is −0.089 within the rounding of both, −0.5·0.088 = −0.044, −0.5·0.110 = −0.055.
    """
    found = judged("seed-003-4")
    y = sigmoid(0.9 * sigmoid(0.8) + 0.6)
    d3 = (y - 0.5) * y * (1 - y)
    d1 = 0.4 * d3 * sigmoid(0.8) * (1 - sigmoid(0.8))
    assert [found[k].value for k in ("z1", "a1", "z3", "y")] == [f"{v:.{d}f}" for v, d in ((0.8, 1), (sigmoid(0.8), 2), (0.9 * sigmoid(0.8) + 0.6, 2), (y, 2))]
    assert [found[k].value for k in ("delta3", "delta1", "Delta b1")] == [f"{v:.3f}" for v in (d3, d1, -0.5 * d1)]
    assert [v.verdict for v in found.values()] == 9 * ["wrong"] + 4 * ["inherited"]
    assert found["Delta w31"].note.endswith("within rounding") and not found["Delta b1"].note.endswith("within rounding")


def mazur(steps: int, late: bool = False) -> tuple[float, np.ndarray]:
    """Error and outputs after so many steps; late: the hidden deltas are calculated with the output weights of after the step."""
    first, second = np.array([[0.15, 0.2], [0.25, 0.3]]), np.array([[0.4, 0.45], [0.5, 0.55]])
    x, t = np.array([0.05, 0.1]), np.array([0.01, 0.99])
    for _ in range(steps):
        h = sigmoid(first @ x + 0.35)
        o = sigmoid(second @ h + 0.6)
        d = (o - t) * o * (1 - o)
        new = second - 0.5 * np.outer(d, h)
        first = first - 0.5 * np.outer(((new if late else second).T @ d) * h * (1 - h), x)
        second = new
    o = sigmoid(second @ sigmoid(first @ x + 0.35) + 0.6)
    return ((o - t) ** 2).sum() / 2, o


def test_mazur():
    """The errors after the steps are those of a program that updates the output weights too early, or that counts one step fewer."""
    after, (error, outputs) = mazur(1)[0], mazur(10000)
    assert not_right("pub-mazur-2015") == {
        "dE_o2/dout_h1": ("last digit off", "-0.019049118"),  # −0.0380982365·0.5 = −0.01904911826
        "E after 1 step": ("wrong", f"{after:.9f}"), "out_o1 after 10000": ("wrong", f"{outputs[0]:.9f}"),
        "out_o2 after 10000": ("wrong", f"{outputs[1]:.9f}"), "E after 10000": ("wrong", f"{error:.10f}")}
    assert f"{mazur(1, late=True)[0]:.9f}" == "0.291027924" and f"{mazur(10000, late=True)[1][0]:.9f}" == "0.015912196"
    assert f"{mazur(9999)[0]:.10f}" == "0.0000351085"


def test_the_repost_of_mazur():
    """1/(1 + e^0.3775) = 0.4067: the sign is lost where the line is printed, and so for four lines; the numbers themselves are right."""
    lines = {"out_h1 (as printed: 1/(1+e^{+0.3775}))": 1 / (1 + np.exp(0.3775)), "out_h2 (1/(1+e^{+0.3925}))": 1 / (1 + np.exp(0.3925)),
             "net_o1 (as printed: ... + 0.35)": 0.4 * sigmoid(0.3775) + 0.45 * sigmoid(0.3925) + 0.35,
             "net_o2 (as printed: 0.50*h1+0.45*h2+0.55)": 0.5 * sigmoid(0.3775) + 0.45 * sigmoid(0.3925) + 0.55}
    found = not_right("pub-mazur-repost-dkelsh-2018")
    assert {k: found[k] for k in lines} == {k: ("wrong", f"{v:.9f}") for k, v in lines.items()}
    assert all(found[k][0] == "wrong" for k in ("out_o1 (1/(1+e^{+1.1059}))", "out_o2 (1/(1+e^{+1.2249}))"))
    assert found["delta_h2"] == ("last digit off", "0.00995425471") and len(found) == 7  # 0.00995425455 agrees in eight digits
    assert all(judged("pub-mazur-repost-dkelsh-2018")[k].verdict == "right" for k in ("out_h1", "out_h2", "net_o1", "out_o1", "net_o2", "out_o2"))


def test_lynx_attention():
    """−0.05 + 0.12 − 0.04 − 0.03 = 0; 0.10 − 0.03 − 0.10 + 0.01 = −0.02; −0.02 − 0.04 + 0.10 − 0.03 = 0.01; what is divided by 4 and 2 follows.

    −0.02/8 = −0.0025 may be printed as −0.002, which S[0,2] and S[2,0] do.
    """
    X = np.array([[0.5, 0.3, -0.2, 0.1], [-0.1, 0.4, 0.2, -0.3], [0.2, -0.1, 0.5, 0.1], [0, 0, 0, 0.2]])
    pairs = ["0,1", "0,2", "1,0", "1,2", "2,0", "2,1"]
    found = not_right("pub-lynx-attention")
    for pair in pairs:
        i, j = map(int, pair.split(","))
        assert found.pop(f"XX^T[{pair}]") == ("wrong", f"{(X @ X.T)[i, j] + 0.0:.2f}".replace("-0.00", "0.00"))
        assert found.pop(f"QK^T[{pair}]")[0] == "inherited" and judged("pub-lynx-attention")[f"QK^T[{pair}]"].roots == (f"XX^T[{pair}]",)
    assert {k: v[0] for k, v in found.items()} == dict.fromkeys(["S[0,1]", "S[1,0]", "S[1,2]", "S[2,1]"], "inherited")


def test_deepml():
    """Two steps of 0.1 on the mean of three squares give the newer version's numbers; the older ones fit no step of this network."""
    F, y, w, b, losses = np.array([[1.0, 2], [2, 1], [-1, -2]]), np.array([1.0, 0, 0]), np.array([0.1, -0.2]), 0.0, []
    for _ in range(2):
        p = sigmoid(F @ w + b)
        losses.append(((p - y) ** 2).mean())
        d = 2 * (p - y) * p * (1 - p) / 3
        w, b = w - 0.1 * F.T @ d, b - 0.1 * d.sum()
    right = dict(zip(("w0", "w1", "b", "mse[0]", "mse[1]"), (*w, b, *losses)))
    assert not_right("pub-deepml-25") == {f"{k} (older version)": ("wrong", f"{v:.4f}") for k, v in right.items()}
    assert not_right("pub-deepml-134-ce") == {"loss (reasoning)": ("wrong", f"{-(np.log(0.7) + np.log(0.6)) / 2:.4f}")}


def test_gomez():
    """0.8 − 0.1·∂E/∂Wi[1] = 0.800663861: rounded it is 0.80066, where 0.80067 stands.  The gradient by hand, through both steps."""
    W = {"a": ([0.45, 0.25], 0.15, 0.2), "i": ([0.95, 0.8], 0.8, 0.65), "f": ([0.7, 0.45], 0.1, 0.15), "o": ([0.6, 0.4], 0.25, 0.1)}

    def error(shift: float) -> float:
        h = s = total = 0.0
        for x, t in (((1, 2), 0.5), ((0.5, 3), 1.25)):
            z = {k: w[0] * x[0] + (w[1] + shift * (k == "i")) * x[1] + u * h + c for k, (w, u, c) in W.items()}
            s = np.tanh(z["a"]) * sigmoid(z["i"]) + sigmoid(z["f"]) * s
            h = np.tanh(s) * sigmoid(z["o"])
            total += (h - t) ** 2 / 2
        return total

    step = 0.8 - 0.1 * (error(1e-5) - error(-1e-5)) / 2e-5
    assert abs(step - 0.800663861) < 1e-8
    assert not_right("pub-gomez-lstm-2016") == {"Wi+[1]": ("last digit off", f"{step:.5f}")}
