"""The documents that the tests of the report print: a rich one, and hostile strings."""
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from symbp.certify.result import FAILED, NOT_RUN, PASSED, RungResult
from symbp.report.model import Evidence, EvidenceRow, Formula, Listing, Math, Paragraph, Ref, Report, Section, StepRow, Steps, Table

HOSTILE = (r"""\input{/etc/passwd} 100% of $x_1$ & #2 <script>alert("1")</script> ~^ 中文 😀 ﬁ x² ½ Σσ' `a` *b* [c](d) """
           "| {e} \x07\x00\u202e")

_SUM = r"\sum_{c=0}^{C-1} \sum_{u=0}^{U-1} \sum_{v=0}^{V-1} X_{n c,\, s i+u-p,\, s j+v-p}\, K_{f c u v}"
_INSIDE = r"\left[0 \le s i+u-p < H\right] \left[0 \le s j+v-p < W\right]"


def _notation() -> Section:
    meaning = "the derivative of the loss by the pre-activation of layer l"
    rows = ((Math(r"X_{n c h w}"), "input", Math(r"N \times C \times H \times W"), "zero where the index leaves the image"),
            (Math(r"K_{f c u v}"), "parameter", Math(r"F \times C \times U \times V"), "kernels"),
            (Math(r"\delta^{(l)}_{n j}"), "cotangent", Math(r"N \times n_{l}"), meaning))
    return Section("Notation", (
        Paragraph(("Batches are counted by ", Math("n"), ", layers by ", Math("l"), "; ", Math(r"\odot"),
                   " multiplies elementwise. Everything below follows from ", Ref("1"), " and the chain rule.")),
        Table(("symbol", "role", "shape", "meaning"), rows)))


def _forward() -> Section:
    note = ("The convolution, with stride ", Math("s"), " and padding ", Math("p"), ".")
    return Section("Forward equations", heading=("Forward equations for ", Math("Y")), items=(
        Formula(r"Y_{n f i j} = " + _SUM + " " + _INSIDE + " + b_f", "1", note),
        Formula(r"a^{(1)}_{n j} = \begin{cases} z^{(1)}_{n j} & z^{(1)}_{n j} > 0 \\ 0 & \text{otherwise} \end{cases}", "2"),
        Formula(r"p_{n k} = \frac{\exp\left(z_{n k}\right)}{\sum_{m} \exp\left(z_{n m}\right)}", "3"),
        Formula(r"L = -\frac{1}{N} \sum_{n,k} t_{n k} \log p_{n k}", "4")))


def _output_layer() -> Steps:
    start = r"\frac{\partial L}{\partial z_{n j}}"
    chain = r"\sum_{k} \frac{\partial L}{\partial p_{n k}} \frac{\partial p_{n k}}{\partial z_{n j}}"
    inserted = r"-\frac{1}{N} \sum_{k} \frac{t_{n k}}{p_{n k}}\, p_{n k} \left(\left[j = k\right] - p_{n j}\right)"
    summed = r"\frac{1}{N} \left(p_{n j} \sum_{k} t_{n k} - t_{n j}\right)"
    return Steps((
        StepRow("1", "chain rule", start, chain),
        StepRow("2", "derivative of softmax", chain, inserted, (Math(r"p_{n k} > 0"),), ("The bracket is 1 where ", Math("j = k"), ".")),
        StepRow("3", "sum over a bracket", inserted, summed),
        StepRow("4", "targets add up to one", summed, r"\frac{1}{N} \left(p_{n j} - t_{n j}\right)",
                (Math(r"\sum_{k} t_{n k} = 1"),), ("as in ", Math(r"\frac{a}{b}")), "6'")))


def _long_steps() -> Steps:
    terms = " + ".join(rf"\frac{{\partial L}}{{\partial Y_{{n f, {k}}}}} \frac{{\partial Y_{{n f, {k}}}}}{{\partial X_{{n c h w}}}}"
                       for k in range(1, 9))
    gates = (r"\left(\bar{f}_{t n j}\, c_{t-1, n j}\, \sigma\!\left(u^{f}_{t n j}\right)"
             r" \left(1 - \sigma\!\left(u^{f}_{t n j}\right)\right)"
             r" + \bar{g}_{t n j}\, i_{t n j} \left(1 - \tanh^2\!\left(u^{g}_{t n j}\right)\right)"
             r" + \bar{o}_{t n j} \tanh\!\left(c_{t n j}\right) o_{t n j} \left(1 - o_{t n j}\right)\right) W_{j i}")
    return Steps((
        StepRow("5", "adjoint of a sum of eight contributions", r"\bar{X}_{n c h w}", terms),
        StepRow("6", "an equality whose left side is long as well", _SUM + " " + _INSIDE, terms),
        StepRow("7", "a long bracket", r"\bar{h}_{t-1, n i}", r"\sum_{j=0}^{J-1} " + gates),
        StepRow("8", "nothing to break", r"y", r"\sqrt{" + " ".join(f"x_{{{k}}}" for k in range(60)) + "}")))


def _backward() -> Section:
    return Section("Backward equations", (
        Formula(r"\delta^{(1)}_{n j} = \frac{1}{N}\left(p_{n k} - t_{n k}\right)", "BP1"),
        Formula(r"\delta^{(1)} = \left(W^{(2)\top}\delta^{(2)}\right)\odot\sigma'\!\left(z^{(1)}\right)", "BP2"),
        Formula(r"\frac{\partial L}{\partial \boldsymbol{W}^{(l)}} = "
                r"\sum_{n} \boldsymbol{\delta}^{(l)}_{n} \left(\mathbf{a}^{(l-1)}_{n}\right)^{\top}"),
        Formula(r"u^{*}_{n i} = \operatorname*{arg\,max}_{u} X_{n, 2i+u},\quad "
                r"y = \max_{i,j} \log\left(x_{ij}\right) + \operatorname{softmax}_k(z)", "5")))


def _evidence() -> Section:
    missing = RungResult("lowered", NOT_RUN, None, "no generated module")
    good = (RungResult("exact", PASSED, None, "6 of 12 elements; prime field"), RungResult("differences", PASSED, 3.25e-11), missing)
    bad = (RungResult("exact", NOT_RUN, None, "400 scalars are too many"), RungResult("differences", FAILED, 0.02, "by 2 %"), missing)
    return Section("Evidence", (Evidence((EvidenceRow(Math(r"\partial L / \partial K"), good), EvidenceRow("b & c", bad))),))


def rich_report() -> Report:
    """A report with every kind of item, and formulas too long for a line."""
    return Report("Backpropagation through a small convolutional network", ("derived from ", Math("Y"), ", its forward equations"), (
        _notation(), _forward(),
        Section("The output layer", (Paragraph(("The loss ", Ref("4"), " meets the softmax ", Ref("3"), ":")), _output_layer())),
        _backward(), _evidence(), Section("Steps that do not fit on a line", (_long_steps(),), level=2),
        Section("Names that nobody should choose: " + HOSTILE, (
            Paragraph((HOSTILE, " stays text, and so does the missing reference ", Ref("99"), ".")),
            Listing("def f(x):\n\treturn x  # " + HOSTILE + "\n\n    ```\n"),
            Table(("name", "value"), (
                (HOSTILE, Math(r"\left\lfloor \frac{H - U + 2p}{s} \right\rfloor + 1")), ("naïve café – Łódź", "‘quoted’ … x² → y")),)))),
        {"symbp": "0.1", "facts": "Σ_k t[n,k] = 1, p > 0", "seed": "0"},
        ("The differences check of ", Math(r"\partial L / \partial b"), " FAILED & more."))


def text_of(pdf: Path) -> str:
    """The text of a PDF, laid out as on its pages."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext (poppler-utils) is not installed")
    return subprocess.run(["pdftotext", "-layout", str(pdf), "-"], capture_output=True, check=True).stdout.decode()
