"""Definitions beside the standard ones that they name: right in every letter, right-if for known variants, wrong otherwise."""
from __future__ import annotations

from pathlib import Path

import pytest

from symbp.verify import verify
from symbp.verify.definitions import Definition

RIGHT = [
    ("sigmoid", r"f(x) = \frac{1}{1+e^{-x}}"), ("sigmoid", r"\sigma(x) = \frac{e^x}{1+e^x}"), ("sigmoid", r"f'(x) = f(x)(1 - f(x))"),
    ("tanh", r"\tanh(x) = \frac{e^x - e^{-x}}{e^x + e^{-x}}"), ("tanh", r"f'(x) = 1 - f^2(x)"), ("tanh", r"f(x) = 2\sigma(2x) - 1"),
    ("relu", r"f(x) = \max(0, x)"), ("ReLU", r"f(x) = \begin{cases} x & x > 0 \\ 0 & \text{otherwise}\end{cases}"),
    ("softmax", r"p_i = \frac{e^{z_i}}{\sum_j e^{z_j}}"), ("softmax", r"\sigma(z)_i = \frac{e^{z_i}}{\sum_{j=1}^K e^{z_j}}"),
    ("gaussian density", r"p(x|\mu,\sigma^2) = \frac{1}{\sqrt{2\pi\sigma^2}} \exp\left(-\frac{(x-\mu)^2}{2\sigma^2}\right)"),
    ("gaussian", r"\mathcal{N}(z;\mu,\sigma^2) = \frac{1}{\sigma\sqrt{2\pi}} e^{-\frac{(z-\mu)^2}{2\sigma^2}}"),
    ("gaussian log-density", r"\log p(x) = -\frac{(x-\mu)^2}{2\sigma^2} - \frac12 \log 2\pi\sigma^2"),
    ("bernoulli", r"p(y) = \theta^y (1-\theta)^{1-y}"), ("mse", r"L = \frac{1}{N}\sum_{i=1}^N (y_i - \hat y_i)^2"),
    ("cross-entropy", r"L = -\frac1N \sum y \log \hat y"), ("cross-entropy", r"L = -\sum_k y_k \log p_k"),
    ("binary cross-entropy", r"L = -\frac1N \sum_i [y_i \log \hat y_i + (1-y_i)\log(1-\hat y_i)]"),
    ("adam", r"m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t"), ("adam", r"\hat m_t = \frac{m_t}{1-\beta_1^t}"),
    ("adam", r"\theta_{t+1} = \theta_t - \frac{\eta}{\sqrt{\hat v_t}+\epsilon}\hat m_t"), ("momentum", r"\theta = \theta - \alpha v"),
    ("gd", r"w := w - \eta \nabla_w L"), ("rmsprop", r"s_t = \rho s_{t-1} + (1-\rho) g_t^2"),
]
CONVENTIONS = [
    ("mse", r"L = \frac{1}{2N}\sum_{i=1}^N (y_i - \hat y_i)^2", "factor 1/2"), ("mse", r"J = \frac12 (a - y)^2", "factor 1/2"),
    ("mse", r"L = \sum_i (y_i - \hat y_i)^2", "summed"), ("relu", r"f'(x) = \begin{cases} 1 & x > 0 \\ 0 & x \le 0 \end{cases}", "kink"),
    ("momentum", r"v = \beta v + (1-\beta)\nabla_\theta J(\theta)", "average"), ("momentum", r"v_{t} = \gamma v_{t-1} + \eta \nabla_\theta J(\theta)", "velocity"),
]
WRONG = [
    ("sigmoid", r"\sigma'(z) = \sigma(z)(1+\sigma(z))", "plus stands where minus"), ("sigmoid", r"f(x) = \frac{1}{1+e^{x}}", "sign of the exponent"),
    ("gaussian", r"f(x) = \frac{1}{\sqrt{2\pi}\sigma^2} e^{-\frac{(x-\mu)^2}{2\sigma^2}}", "a power is too many"),
    ("gaussian", r"\frac{dp}{dz} = -(z - \mu)/\sigma^2", "derivative of the logarithm"), ("cross-entropy", r"L = \sum_k y_k \log p_k", "the sign is wrong"),
    ("cross-entropy", r"L = -\sum_k \hat y_k \log y_k", "exchanged"), ("gd", r"w := w + \eta \nabla_w L", "plus stands where minus"),
    ("adam", r"\theta_t = \theta_{t-1} - \alpha \hat m_t / (\hat v_t+\epsilon)", "the root of vhat is missing"),
    ("mse", r"L = \frac{1}{N}\sum_{i=1}^N (y_i + \hat y_i)^2", "plus stands where minus"),
]


@pytest.mark.parametrize(("name", "formula"), RIGHT)
def test_standard_definitions_are_right(name: str, formula: str) -> None:
    """In the letters of any book."""
    assert Definition(name, formula).judgement.verdict == "right", Definition(name, formula).judgement


@pytest.mark.parametrize(("name", "formula", "words"), CONVENTIONS)
def test_variants_name_their_convention(name: str, formula: str, words: str) -> None:
    """A factor 1/2, a sum, the derivative at a kink, where α stands."""
    judged = Definition(name, formula).judgement
    assert judged.verdict == "right-if" and words in judged.note, judged


@pytest.mark.parametrize(("name", "formula", "words"), WRONG)
def test_wrong_definitions_are_explained(name: str, formula: str, words: str) -> None:
    """Each is wrong, and the slip is among the explanations."""
    definition = Definition(name, formula)
    assert definition.judgement.verdict == "wrong"
    assert any(words in slip for slip in definition.slips()), definition.slips()


def test_a_definition_in_a_claim_file(tmp_path: Path) -> None:
    """kind and of say what it is a definition of; the nearest names are offered for one that is not known."""
    path = tmp_path / "book.toml"
    path.write_text('''[network]
equations = ["y = w*x"]
[values]
w = 2
x = 3
[[claims]]
id = "1"
kind = "definition"
of = "sigmoid"
formula = '\\sigma(t) = (1 + e^{-t})^{-1}'
[[claims]]
id = "2"
kind = "definition"
of = "sigmod"
formula = 'f(x) = x'
''', encoding="utf-8")
    found = verify(path).verdicts
    assert [v.verdict for v in found] == ["right", "undecided"]
    assert 'did you mean "sigmoid"?' in found[1].note
