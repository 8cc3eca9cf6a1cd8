r"""Ways of writing that further books and courses have: w → w', Σ_{j'}, |a| for a length, I, ∇², "and", dZ for m ∂J/∂Z, log without brackets."""
from __future__ import annotations

import numpy as np
import pytest

from symbp.errors import SymbpError
from symbp.settings import NetworkError
from symbp.verify.claimfile import parse
from symbp.verify.formulas import Formulas
from symbp.verify.verdict import verdicts

TEXTS = {
    "ridge": """[network]
equations = ["p[n] = sum(d, X[n,d]*w[d])", "J = sum(n, (y[n] - p[n])^2) + lam*sum(d, w[d]^2)"]
loss = "J"
parameters = ["w"]
[values]
X = [[1, 2], [0.5, 1], [3, -1]]
y = [1, 2, 0.3]
w = [0.5, -0.5]
lam = 0.1
""",
    "softmax": """[network]
equations = ["p[k] = softmax(k, z[k])", "L = -sum(k, t[k]*log(p[k]))"]
loss = "L"
facts = ["sum(k, t[k]) == 1"]
[values]
z = [1, 2, 3, 1]
t = [0, 0, 1, 0]
""",
    "cosine": """[network]
equations = ["na = sqrt(sum(i, a[i]^2))", "nb = sqrt(sum(i, b[i]^2))", "c = sum(i, a[i]*b[i])/(na*nb)", "s = abs(u)"]
loss = "c"
[values]
u = 0.4
a = [1, 2, 3]
b = [0.5, -1, 2]
""",
    "gauss": """[network]
equations = ["l = log(2*pi)/2 + log(s) + (u - m)^2/(2*s^2)", "q[j] = tanh(sum(i, W[j,i]*x[i]))"]
loss = "l"
facts = ["s > 0"]
[values]
W = [[1, 2], [0.5, 1], [3, -1]]
x = [1, 2]
u = 1.2
m = 0.5
s = 0.8
""",
    "columns": """[network]
convention = "column"
equations = ["Z1[h,i] = sum(k, W1[h,k]*X[k,i]) + b1[h]", "A1[h,i] = tanh(Z1[h,i])", "Z2[o,i] = sum(h, W2[o,h]*A1[h,i]) + b2[o]",
             "A2[o,i] = sigmoid(Z2[o,i])", "J = -sum(o, i, Y[o,i]*log(A2[o,i]) + (1 - Y[o,i])*log(1 - A2[o,i]))/m"]
loss = "J"
parameters = ["W1", "b1", "W2", "b2"]
names = { dW2 = "dJ/dW2", dW1 = "dJ/dW1", db2 = "dJ/db2", dZ2 = "m*dJ/dZ2", dZ1 = "m*dJ/dZ1", odd = "dJ/dQ" }
functions = { g = "tanh" }
[values]
X = [[1, 2, 3], [0.5, -1, 1]]
Y = [[1, 0, 1]]
m = 3
W1 = [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6], [0.2, 0.1]]
b1 = [0, 0.1, 0.2, 0.3]
W2 = [[0.1, 0.2, 0.3, 0.4]]
b2 = [0.1]
""",
    "generic": """[network]
equations = ["z[j] = sum(i, W[j,i]*x[i])", "h[j] = phi(z[j])", "L = sum(j, (h[j] - y[j])^2)/2", "s = lam*sum(j, i, W[j,i]^2)/2", "J = L + s"]
loss = "J"
parameters = ["W"]
functions = { phi = "generic" }
[values]
x = [1, 0.2]
W = [[0.5, 0.1], [1, 1], [0.3, 0.2]]
y = [1, 0, 2]
lam = 0.1
""",
    "cookbook": """[network]
equations = ["f = sum(i, j, a[i]*X[i,j]*b[j])", "q = sum(i, j, u[i]*A[i,j]*u[j])"]
loss = "f"
[values]
a = [1, 2, 3]
b = [0.5, 1]
X = [[1, 2], [3, 4], [5, 6]]
B = [[1, 0, 2], [0.3, 1, 1]]
A = [[1, 2, 3, 1], [0, 1, 1, 2], [2, 0, 1, 1], [1, 1, 0, 3]]
u = [1, 2, 3, 0.5]
""",
    "layers of three widths": """[network]
equations = ["z1[j] = sum(i, W1[j,i]*x[i]) + b1[j]", "a1[j] = sigmoid(z1[j])", "z2[j] = sum(i, W2[j,i]*a1[i]) + b2[j]", "a2[j] = sigmoid(z2[j])",
             "C = sum(j, (a2[j] - y[j])^2)/2"]
loss = "C"
parameters = ["W1", "b1", "W2", "b2"]
[values]
x = [0.1, 0.2]
y = [1, 0, 1, 0.5]
W1 = [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]
b1 = [0.1, 0.2, 0.3]
W2 = [[0.1, 0.2, 0.3], [0.3, 0.4, 0.1], [0.5, 0.6, 0.2], [1, 0, 1]]
b2 = [0.1, 0.2, 0.3, 0.4]
""",
}
CLAIMS = [
    ("cookbook", r"\frac{\partial a^T X b}{\partial X} = a b^T", "right"),
    ("cookbook", r"\frac{\partial a^T X b}{\partial X} = b a^T", "right-if"),
    ("cookbook", r"\frac{\partial u^T A u}{\partial u} = (A + A^T) u", "right"),
    ("cookbook", r"\frac{\partial u^T A u}{\partial u} = 2 A u", "wrong"),
    ("cookbook", r"\frac{\partial \mathrm{tr}(B X)}{\partial X} = B^T", "right"),
    ("cookbook", r"\frac{\partial}{\partial X} \mathrm{tr}(X^T X) = X", "wrong"),
    ("cookbook", r"\frac{\partial^2 q}{\partial u \partial u^T} = A + A^T", "right"),
    ("layers of three widths", r"\delta^L = (a^L - y) \odot \sigma'(z^L)", "right"),
    ("layers of three widths", r"\delta^l = ((W^{l+1})^T \delta^{l+1}) \odot \sigma'(z^l)", "right"),
    ("layers of three widths", r"\delta^l = ((W^{l+1})^T \delta^{l+1}) \odot \sigma(z^l)", "wrong"),
    ("layers of three widths", r"\frac{\partial C}{\partial W^l_{jk}} = a^{l-1}_k \delta^l_j", "right"),
    ("layers of three widths", r"\frac{\partial C}{\partial a^{(1)}} = W^{(2)T} \left( \delta^{(2)} \right)", "right"),
    ("ridge", r"w \rightarrow w' = w - 2 \eta (lam w - X^T (y - X w))", "right"),
    ("ridge", r"w \to w - \eta \nabla_w J", "right"),
    ("ridge", r"w \rightarrow w' = w + \eta \nabla_w J", "wrong"),
    ("ridge", r"J = \|y - X w\|^2 + \lambda \|w\|^2", "ill-posed"),  # λ is no name of the text, and no learning rate either
    ("ridge", r"w := w - \gamma \nabla_w J", "right"),
    ("ridge", r"\nabla_w J = 2 (X^T X + lam I) w - 2 X^T y", "right"),
    ("ridge", r"\nabla_w J = 2 (X^T X - lam I) w - 2 X^T y", "wrong"),
    ("ridge", r"\nabla_w^2 J = 2 (X^T X + lam I)", "right"),
    ("ridge", r"\nabla^2_w J = 2 X^T X", "wrong"),
    ("softmax", r"p_k = \frac{e^{z_k}}{\sum_{k'=1}^{K} e^{z_{k'}}}", "right"),
    ("softmax", r"p_k = \frac{e^{z_k}}{\sum_{k'} e^{z_k}}", "wrong"),
    ("softmax", r"\frac{\partial p_k}{\partial z_{k'}} = p_k (\delta_{kk'} - p_{k'})", "right"),
    ("softmax", r"\frac{\partial p_k}{\partial z_{k'}} = p_k (\delta_{kk'} - p_k)", "wrong"),
    ("softmax", r"\frac{\partial p}{\partial z} = \mathrm{diag}(p)(I - \mathbf{1} p^T)", "right"),
    ("cosine", r"\frac{\partial c}{\partial a_i} = \frac{b_i}{|a||b|} - c \cdot \frac{a_i}{|a|^2}", "right"),
    ("cosine", r"\frac{\partial c}{\partial a_i} = \frac{b_i}{|a||b|} - c \cdot \frac{a_i}{|a|}", "wrong"),
    ("cosine", r"c = \frac{a^T b}{|a| |b|}", "right"),
    ("cosine", r"\log|u| = \log s", "right"),
    ("cosine", r"\frac{d}{du} |u| = \mathrm{sign}(u)", "right"),
    ("gauss", r"l = -\ln \frac{1}{\sqrt{2\pi} s} e^{-\frac{(u-m)^2}{2 s^2}}", "right-if"),
    ("gauss", r"l = -\ln \frac{1}{\sqrt{2\pi} s} e^{\frac{(u-m)^2}{2 s^2}}", "wrong"),
    ("gauss", r"q = \tanh W x", "right-if"),
    ("gauss", r"\tanh(a) = \frac{e^a - e^{-a}}{e^a + e^{-a}}", "right"),  # a is no name of the text: a number, whichever
    ("gauss", r"\tanh(a) = \frac{e^a + e^{-a}}{e^a - e^{-a}}", "wrong"),
    ("gauss", r"r = \tanh(v)", "ill-posed"),  # neither is a name of the text, and r is no function of v
    ("gauss", r"\mathrm{GELU}(v) = \frac{v}{2} (1 + \mathrm{erf}(v / \sqrt{2}))", "right"),
    ("columns", r"dZ^{[2]} = A^{[2]} - Y", "right"),
    ("columns", r"dZ^{[2]} = \frac{1}{m}(A^{[2]} - Y)", "wrong"),
    ("columns", r"dZ^{[1]} = W^{[2]T} dZ^{[2]} * g'(Z^{[1]})", "right"),
    ("columns", r"dW^{[1]} = \frac{1}{m} dZ^{[1]} X^T", "right"),
    ("columns", r"db^{[2]} = \frac{1}{m} \sum_{i=1}^{m} dZ^{[2](i)}", "right"),
    ("columns", r"db^{[2]} = \sum_{i=1}^{m} dZ^{[2](i)}", "wrong"),
    ("columns", r"odd = 1", "undecided"),
    ("generic", r"\frac{\partial J}{\partial L} = 1 \; \text{and} \; \frac{\partial J}{\partial s} = 1", "right"),
    ("generic", r"\frac{\partial J}{\partial L} = 1 \; \text{and} \; \frac{\partial J}{\partial s} = 2", "wrong"),
    ("generic", r"\frac{\partial J}{\partial h} = h - y \in \mathbb{R}^q", "right"),
    ("generic", r"\frac{\partial J}{\partial W} = \text{prod}(\frac{\partial J}{\partial h}, \frac{\partial h}{\partial W}) + \text{prod}("
                r"\frac{\partial J}{\partial s}, \frac{\partial s}{\partial W}) = ((h - y) \odot \phi'(z)) x^\top + lam W", "right"),
    ("generic", r"\frac{\partial J}{\partial W} = ((h - y) \odot \phi(z)) x^\top + lam W", "wrong"),
]


@pytest.fixture(scope="module")
def texts() -> dict[str, Formulas]:
    return {name: Formulas(parse(text + '[[claims]]\nformula = "J = J"\n')) for name, text in TEXTS.items()}


@pytest.mark.parametrize(("text", "formula", "verdict"), CLAIMS)
def test_a_formula_as_books_write_it(text: str, formula: str, verdict: str, texts: dict[str, Formulas]) -> None:
    found = texts[text].judge(formula)
    assert found.verdict == verdict, found.note


def test_what_is_left_out_is_said(texts: dict[str, Formulas]) -> None:
    assert texts["generic"].judge(r"\frac{\partial J}{\partial h} = h - y \in \mathbb{R}^q").note == "where a side lies was not judged"
    assert texts["generic"].judge(r"\frac{\partial J}{\partial h} = h - y").note == ""


def test_a_list_whose_commas_may_stand_for_thousands_is_refused() -> None:
    found = verdicts(parse(LAYERS + '[[claims]]\nof = "z1"\nvalue = "[1,234, 0.67, 1.03]"\n'))
    assert {v.verdict for v in found} == {"undecided"} and "comma" in found[0].note


def test_a_name_that_means_nothing_says_why(texts: dict[str, Formulas]) -> None:
    assert "odd cannot be calculated" in texts["columns"].judge("odd = 1").note and "Q" in texts["columns"].judge("odd = 1").note


MOMENTUM = """[network]
equations = ["a[n] = sum(d, X[n,d]*w[d])", "J = sum(n, (a[n] - y[n])^2)/2"]
loss = "J"
parameters = ["w"]
[optimizer]
type = "momentum"
learning_rate = 0.1
beta = 0.9
[values]
X = [[1, 2], [0.5, 1], [3, -1]]
y = [1, 2, 0.3]
w = [0.5, -0.5]
"""


@pytest.mark.parametrize(("claims", "expected"), [
    ([r"v := \mu v - \eta \nabla_w J", "w := w + v"], ["right-if", "right-if"]),
    ([r"v_t = \gamma v_{t-1} + \eta \nabla_w J", "w = w - v_t"], ["right", "right"]),
    ([r"v_t = \gamma v_{t-1} + \eta \nabla_w J", "w = w + v_t"], ["right", "wrong"]),
    ([r"v_{t+1} = \beta v_t - \alpha \nabla_w J", "w_{t+1} = w_t + v_{t+1}"], ["right-if", "right-if"]),
    ([r"v := \beta v - \alpha \nabla_w J", "w := w - v"], ["wrong", "right"]),  # one of the two has the wrong sign
])
def test_the_velocity_of_momentum_in_both_signs(claims: list[str], expected: list[str]) -> None:
    formulas = Formulas(parse(MOMENTUM + "".join(f"[[claims]]\nformula = '{c}'\n" for c in claims)))
    assert [formulas.judge(c).verdict for c in claims] == expected


@pytest.mark.parametrize(("formula", "verdict"), [
    (r"w := w - 0.1 X^T (a - y)", "right"), (r"w := w - 0.2 X^T (a - y)", "wrong"), (r"w^{new} = w + 0.1 X^T (y - a)", "right"),
    (r"w := w - \alpha X^T (a - y)", "right"), (r"\Delta w = 0.1 X^T (a - y)", "wrong"), (r"\Delta w = -0.1 X^T (a - y)", "right"),
])
def test_an_update_with_the_number_of_the_rate(formula: str, verdict: str) -> None:
    """The file's rate is 0.1."""
    text = MOMENTUM.replace('"momentum"', '"gd"').replace("beta = 0.9", "")
    formulas = Formulas(parse(text + "[[claims]]\nformula = 'w := w + \\alpha X^T (y - a)'\n"))
    assert formulas.judge(formula).verdict == verdict


def test_numbers_before_a_function_of_which_only_the_name_is_given() -> None:
    """By hand: z0 = 0.5 + 0.1 * 0.2 = 0.52; of h0 = φ(z0) nothing is known."""
    text = parse(TEXTS["generic"] + '[[claims]]\nof = "z[0]"\nvalue = "0.52"\n[[claims]]\nof = "h[0]"\nvalue = "0.52"\n')
    found = verdicts(text)
    assert [v.verdict for v in found] == ["right", "undecided"] and "only the name is given" in found[1].note


def test_a_function_that_there_is_not_is_refused() -> None:
    with pytest.raises(NetworkError, match='functions: phi = "tahn" is no function of one number; did you mean "tanh"?'):
        parse(TEXTS["generic"].replace('"generic"', '"tahn"') + '[[claims]]\nof = "L"\nvalue = "1"\n')


def test_latex_whose_backslashes_toml_took_is_refused() -> None:
    formulas = Formulas(parse(TEXTS["ridge"] + '[[claims]]\nformula = "J = J"\n'))
    for eaten in ("\frac{\\partial J}{\\partial w} = 1", "\nabla_w J = 1", "\theta = 1", "\beta = 1"):
        assert formulas.judge(eaten).verdict == "undecided" and "single quotes" in formulas.judge(eaten).note
    with pytest.raises(SymbpError, match="text with backslashes in single ones"):
        parse('[[claims]]\nformula = "\\delta = 1"\n')


def test_a_doubled_quote_in_single_quotes_is_one() -> None:
    text = parse(TEXTS["generic"] + "[[claims]]\nformula = '\\frac{\\partial L}{\\partial z} = (h - y) \\odot \\phi''(z)'\n")
    assert text.claims[0].formula.endswith(r"\phi'(z)") and [v.verdict for v in verdicts(text)] == ["right"]


LAYERS = """[network]
convention = "column"
input = { shape = [2] }
layers = [{ type = "dense", units = 3, activation = "sigmoid" }, { type = "dense", units = 1, activation = "sigmoid" }]
loss = { type = "squared_error" }
[values]
x = [0.5, 0.8]
y = [1]
W1 = [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]
b1 = [0.1, 0.2, 0.3]
W2 = [[0.7, 0.8, 0.9]]
b2 = [0.1]
"""


@pytest.mark.parametrize("claim", [
    'of = "z^{(1)}_2"\nvalue = "0.67"', 'of = "z[1]"\nvalue = "[0.31, 0.67, 1.03]"', 'of = "z1"\nvalue = "[0.31 0.67 1.03]"',
    "of = '\\mathbf{z}^{(1)}'\nvalue = ['0.31', '0.67', '1.03']", 'of = "z1[1]"\nvalue = 0.67', 'of = "z1"\nvalue = [0.31, 0.67, 1.03]',
    "of = '\\delta^{(2)}'\nvalue = '-0.0203'", 'of = "delta[2]"\nvalue = "-0.0203"', 'of = "loss"\nvalue = "0.0120"',
    'of = "dL/dW1[0][1]"\nvalue = "-0.0028"', "of = '\\partial L/\\partial W^{(1)}_{12}'\nvalue = '-0.0028'",
    "of = '\\frac{\\partial L}{\\partial W^{(2)}}'\nvalue = '[[-0.0117 -0.0134 -0.0150]]'", 'of = "a1[0] * 2"\nvalue = 1.154',
])
def test_numbers_and_what_they_are_of_as_people_write_them(claim: str) -> None:
    """By hand: z1 = (0.05 + 0.16 + 0.1, 0.15 + 0.32 + 0.2, 0.25 + 0.48 + 0.3) = (0.31, 0.67, 1.03); σ(0.31) = 0.5769."""
    found = verdicts(parse(f"{LAYERS}[[claims]]\n{claim}\n"))
    assert {v.verdict for v in found} == {"right"}, [(v.claim.id, v.verdict, v.value, v.note) for v in found]


def test_a_power_is_no_name() -> None:
    """a^2 is a square also where something is called a2."""
    text = '[network]\nequations = ["a2 = a + 1", "L = a2"]\n[values]\na = 3\n[[claims]]\nof = "a^2"\nvalue = "9"\n[[claims]]\nof = "a^{2}"\nvalue = "4"\n'
    assert [v.verdict for v in verdicts(parse(text))] == ["right", "undecided"]  # in LaTeX it may be either


def test_a_number_of_toml_keeps_its_digits() -> None:
    """0.670 claims a digit more than 0.67; true and a date claim none."""
    found = verdicts(parse(LAYERS + "".join(f'[[claims]]\nof = "z1[1]"\nvalue = {v}\n' for v in ("0.670", "0.671", "true", "2020-01-01"))))
    assert [(v.verdict, v.claim.printed.text if v.claim.printed else "") for v in found] == \
        [("right", "0.670"), ("last digit off", "0.671"), ("undecided", ""), ("undecided", "")]


SOFTMAX = """[network]
convention = "column"
input = { shape = [2] }
layers = [{ type = "dense", units = 3, activation = "sigmoid" }, { type = "dense", units = 2, activation = "softmax" }]
loss = { type = "cross_entropy" }
[values]
x = [0.5, 0.8]
y = [1, 0]
W1 = [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]
b1 = [0.1, 0.2, 0.3]
W2 = [[0.7, 0.8, 0.9], [0.1, 0.2, 0.3]]
b2 = [0.1, 0.2]
"""


def test_a_network_of_layers_goes_by_the_usual_names() -> None:
    """The output is ŷ or a2, the target y, the loss J.  By NumPy: softmax(W2 σ(W1 x + b1) + b2) = (0.7475, 0.2525), -ln 0.7475 = 0.2910…"""
    x, W1, b1 = np.array([0.5, 0.8]), np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]), np.array([0.1, 0.2, 0.3])
    z2 = np.array([[0.7, 0.8, 0.9], [0.1, 0.2, 0.3]]) @ (1 / (1 + np.exp(-(W1 @ x + b1)))) + np.array([0.1, 0.2])
    p = np.exp(z2) / np.exp(z2).sum()
    assert p.round(4).tolist() == [0.7475, 0.2525] and abs(-np.log(p[0]) - 0.2910) < 1e-4
    claims = ['of = "a[2]"\nvalue = ["0.7475", "0.2525"]', 'of = "yhat"\nvalue = ["0.7475", "0.2525"]', 'of = "dJ/dz2"\nvalue = ["-0.2525", "0.2525"]',
              r"formula = '\delta^{(2)} = \hat{y} - y'", r"formula = '\frac{\partial J}{\partial W^{(2)}} = (\hat{y} - y) a^{(1)T}'",
              r"formula = 'J = -\sum_k y_k \log \hat{y}_k'"]
    found = verdicts(parse(SOFTMAX + "".join(f"[[claims]]\n{c}\n" for c in claims)))
    assert {v.verdict for v in found} == {"right"}, [(v.claim.id, v.verdict, v.note) for v in found]
    assert Formulas(parse(SOFTMAX + '[[claims]]\nformula = "J = J"\n')).judge(r"\delta^{(2)} = y - \hat{y}").verdict == "wrong"


ROWS = """[network]
convention = "rows"
input = { shape = [2] }
layers = [{ type = "dense", units = 3, activation = "relu" }, { type = "dense", units = 2, activation = "softmax" }]
loss = { type = "cross_entropy" }
[values]
X = [[0.5, 0.8],[1,-1],[0.2,0.3],[1,1]]
y = [[1, 0],[0,1],[1,0],[0,1]]
W1 = [[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]]
b1 = [0.1, 0.2, 0.3]
W2 = [[0.7, 0.1],[0.8,0.2],[0.9,0.3]]
b2 = [0.1,0.2]
"""


def test_a_batch_in_rows_with_a_column_of_weights_for_each_unit() -> None:
    """X W + b, as most code has it: the shapes of the weights say so.  By hand: 0.5 * 0.1 + 0.8 * 0.2 + 0.1 = 0.31."""
    claims = ['of = "z1[0,0]"\nvalue = "0.31"', r"formula = '\delta^{(2)} = \frac{1}{N} (\hat{y} - y)'",
              r"formula = '\frac{\partial L}{\partial W^{(2)}} = \frac{1}{N} a^{(1)T} (\hat{y} - y)'",
              r"formula = '\frac{\partial L}{\partial W^{(1)}} = X^T \delta^{(1)}'", "formula = 'z^{(1)} = X W^{(1)} + b^{(1)}'",
              r"formula = '\delta^{(1)} = \delta^{(2)} W^{(2)T} \odot \mathbb{1}[z^{(1)} > 0]'"]
    found = verdicts(parse(ROWS + "".join(f"[[claims]]\n{c}\n" for c in claims)))
    assert {v.verdict for v in found} == {"right"}, [(v.claim.id, v.verdict, v.note) for v in found]
    stored = ROWS.replace("[network]", '[network]\nconventions = { storage = "out_in" }')
    with pytest.raises(NetworkError, match=r"W1 has the shape \[2, 3\], but the layers make it \[3, 2\]"):  # what the file states is not overruled
        parse(stored + f"[[claims]]\n{claims[0]}\n")
