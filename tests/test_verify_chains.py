"""Mistakes along chains of numbers: texts that an author calculates line by line, from printed or from hidden digits, one number planted wrong."""
from __future__ import annotations

import json
import random

import numpy as np
import pytest

from symbp.verify.claimfile import parse
from symbp.verify.verdict import verdicts


class Author:
    """Writes numbers down, and goes on with the digits that stand there (`carry`) or with all of them; one of them is planted wrong."""

    def __init__(self, seed: int, shape: str) -> None:
        self.random = random.Random(f"{seed} {shape}")
        self.carry, self.digits = self.random.random() < 0.5, self.random.choice([3, 4, 6])
        self.style, self.planted = self.random.choice(["f", "f", "e"]), self.random.choice([0, 3, 7, 11, 15, 19, 23])
        self.lines: list[str] = []
        self.count, self.wrong = 0, ""

    def number(self) -> float:
        return round(self.random.uniform(-1, 1), 2)

    def write(self, of: str, value: np.ndarray | float, after: int = 0) -> np.ndarray:
        value = np.asarray(value, dtype=float)
        texts, kept = np.empty(value.shape, dtype=object), value.copy()
        for at in np.ndindex(value.shape):
            self.count += 1
            x, name = float(value[at]), f"{of} {after}" + (f"[{','.join(map(str, at))}]" if at else "")
            if self.count == self.planted and abs(x) > 0.1:
                x, self.wrong = self.random.choice([-x, 2 * x, x / 2, x + 0.05]), name
            texts[at] = f"{x:.{self.digits}{self.style}}"
            kept[at] = float(texts[at]) if self.carry else x
        self.lines.append(f"[[claims]]\nid = '{of} {after}'\nof = '{of}'\nafter = {after}\nvalue = {json.dumps(texts.tolist())}\n")
        return kept

    def judged(self, head: str, values: dict[str, object]) -> dict[str, str]:
        given = "".join(f"{name} = {np.asarray(value).tolist()}\n" for name, value in values.items())
        return {v.claim.id: v.verdict for v in verdicts(parse(f"{head}[values]\n{given}{''.join(self.lines)}"))}


def samples(author: Author) -> dict[str, str]:
    """Logistic regression, one sample after the other."""
    X, y = np.array([[author.number(), author.number()] for _ in range(3)]), np.array([0, 1, 1])
    w = np.array([author.number(), author.number()])
    values = {"X": X, "y": y, "w": w}
    for step in range(4):
        x, t = X[step % 3], y[step % 3]
        p = author.write("p", 1 / (1 + np.exp(-author.write("z", w @ x, step))), step)
        w = author.write("w", w - 0.5 * author.write("dE/dw", author.write("dE/dz", p - t, step) * x, step), step + 1)
    return author.judged('''[network]
equations = ["z = sum(i, w[i]*X[i])", "p = sigmoid(z)", "E = -y*log(p) - (1 - y)*log(1 - p)"]
loss = "E"
parameters = ["w"]
samples = ["X", "y"]
[optimizer]
type = "gd"
learning_rate = 0.5
''', values)


def momentum(author: Author) -> dict[str, str]:
    """One weight with a velocity."""
    x, y, w, v = author.number(), author.number(), author.number(), 0.0
    values = {"x": x, "y": y, "w": w}
    for step in range(4):
        p = author.write("p", 1 / (1 + np.exp(-w * x)), step)
        author.write("E", (p - y) ** 2 / 2, step)
        v = author.write("v_w", 0.9 * v + author.write("dE/dw", (p - y) * p * (1 - p) * x, step), step + 1)
        w = author.write("w", w - 0.3 * v, step + 1)
    return author.judged('''[network]
equations = ["p = sigmoid(w*x)", "E = (p - y)^2/2"]
loss = "E"
parameters = ["w"]
[optimizer]
type = "momentum"
learning_rate = 0.3
rate_in = "step"
''', values)


def softmax(author: Author) -> dict[str, str]:
    """A batch of three through a softmax, with the gradients."""
    X, W = (np.array([[author.number() for _ in range(n)] for _ in range(m)]) for m, n in ((3, 2), (2, 3)))
    T = np.eye(3)[[2, 0, 1]]
    power = np.exp(author.write("z", X @ W))
    p = np.abs(author.write("p", power / power.sum(1, keepdims=True)))
    author.write("L", -np.log((T * p).sum(1)).mean())
    author.write("dL/dW", X.T @ author.write("dL/dz", (p - T) / 3))
    return author.judged('''[network]
equations = ["z[n,k] = sum(i, X[n,i]*W[i,k])", "p[n,k] = softmax(k, z[n,k])", "L = -mean(n, sum(k, T[n,k]*log(p[n,k])))"]
loss = "L"
parameters = ["W"]
facts = ["sum(k, T[n,k]) == 1"]
''', {"X": X, "W": W, "T": T})


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("text", [samples, momentum, softmax])
def test_only_the_planted_number_is_a_new_mistake(text, seed: int):
    author = Author(seed, text.__name__)
    found = text(author)
    wrong = [name for name, verdict in found.items() if verdict not in ("right", "inherited")]
    assert wrong == ([author.wrong] if author.wrong else []), (author.carry, author.digits, author.style)
    assert author.wrong or "inherited" not in found.values()


HEAD = '[network]\nequations = ["q = x + y", "f = q*z", "g = f/7"]\nloss = "g"\n[values]\nx = -2\ny = 5\nz = -4\n'


def judge(*claims: tuple[str, str], head: str = HEAD) -> list[tuple[str, tuple[str, ...]]]:
    return [(v.verdict, v.roots) for v in verdicts(parse(head + "".join(f'[[claims]]\nof = "{of}"\nvalue = "{value}"\n' for of, value in claims)))]


def test_a_misprint_that_nothing_was_calculated_from():
    """q = 3 is printed as 8, but f and g are calculated with 3: both stand."""
    assert judge(("q", "8"), ("f", "-12"), ("g", "-1.714")) == [("wrong", ("q",)), ("right", ()), ("right", ())]


def test_a_wrong_number_that_is_repeated_is_one_mistake():
    assert judge(("q", "8.02"), ("f", "-12"), ("q", "8.0")) == [("wrong", ("q",)), ("right", ()), ("inherited", ("q",))]


def test_two_mistakes_in_one_chain():
    """q = 3 is printed as 2; f = −8 follows; g = −8/7 = −1.143 is printed as −1.343."""
    assert judge(("q", "2"), ("f", "-8"), ("g", "-1.343")) == [("wrong", ("q",)), ("inherited", ("q",)), ("wrong", ("g",))]


def test_a_mistake_beside_a_misprint():
    """z̄ = q/7 is 3/7 = 0.4286.  With q printed as 8 by mistake and f wrong as −15, g = −15/7 follows from f alone."""
    assert judge(("q", "8"), ("f", "-15"), ("g", "-2.143"), ("dg/dz", "0.429")) == [
        ("wrong", ("q",)), ("wrong", ("f",)), ("inherited", ("f",)), ("right", ())]


def test_tables_of_another_layout():
    """∂L/∂W of L = Σ W[j,i] x[i] d[j] is d xᵀ = [[5, 10], [6, 12], [7, 14]]; printed 2 × 3 it is x dᵀ."""
    head = '[network]\nequations = ["L = sum(j, i, W[j,i]*x[i]*d[j])"]\n[values]\nx = [1, 2]\nd = [5, 6, 7]\nW = [[1, 1], [1, 1], [1, 1]]\n'

    def table(value: str) -> set[str]:
        return {v.verdict for v in verdicts(parse(f'{head}[[claims]]\nof = "dL/dW"\nvalue = {value}\n'))}

    assert table('[["5", "10"], ["6", "12"], ["7", "14"]]') == {"right"}
    assert table('[["5", "6", "7"], ["10", "12", "14"]]') == {"right-if"}
    assert table('[["5", "6", "7"], ["10", "12", "15"]]') == {"right-if", "wrong"}
    assert table('[["5", "6"], ["10", "12"]]') == {"ill-posed"}
    square = head.replace("[5, 6, 7]", "[5, 6]").replace(", [1, 1]]", "]")
    assert {v.verdict for v in verdicts(parse(f'{square}[[claims]]\nof = "dL/dW"\nvalue = [["5", "6"], ["10", "12"]]\n'))} == {"right-if"}
    assert [v.verdict for v in verdicts(parse(f'{square}[[claims]]\nof = "dL/dx"\nvalue = [["11"], ["11"]]\n'))] == ["right", "right"]


def test_accuracy_classes_and_norms():
    """Scores (0.35, −0.25, 1.15), (0.34, 0.58, 0.32), (−0.24, −0.88, 0.23): classes 2, 1, 2, of which two are right; Σ W² = 2.2, its root 1.4832."""
    text = """[network]
equations = ["z[n,k] = sum(i, X[n,i]*W[i,k])", "p[n,k] = softmax(k, z[n,k])", "accuracy = mean(n, [p[n,t[n]] == max(k, p[n,k])])",
             "class[n] = sum(k, k*[z[n,k] == max(l, z[n,l])])"]
[values]
X = [[0.5, 1], [1, 0.2], [-1, 0.3]]
W = [[0.3, 0.7, 0.1], [0.2, -0.6, 1.1]]
t = [2, 1, 0]
"""
    claims = [("accuracy", '"66.7%"'), ("class", '["2", "1", "2"]'), ("sum(k, p[0,k])", '"1"'), ("sqrt(sum(i, k, W[i,k]^2))", '"1.4832"')]
    found = verdicts(parse(text + "".join(f'[[claims]]\nof = "{of}"\nvalue = {value}\n' for of, value in claims)))
    assert [v.verdict for v in found] == 6 * ["right"]


def test_minibatches_and_means():
    """By NumPy in two steps of two rows: w = (0.27, 0.45), the mean error over all rows 0.737475, over the steps 1.1325."""
    text = """[network]
equations = ["z[n] = sum(i, w[i]*X[n,i])", "J = mean(n, (z[n] - y[n])^2)"]
loss = "J"
parameters = ["w"]
samples = ["X", "y"]
batch = 2
[optimizer]
type = "gd"
learning_rate = 0.1
[values]
X = [[1, 2], [2, 1], [0, 1], [1, 1]]
y = [1, 0, 1, 2]
w = [0, 0]
[[claims]]
of = "w"
epochs = 1
value = ["0.27", "0.45"]
[[claims]]
of = "J"
epochs = 1
mean = "samples"
value = "0.737475"
[[claims]]
of = "J"
epochs = 1
mean = "epoch"
value = "1.1325"
"""
    X, y, w, errors = np.array([[1, 2], [2, 1], [0, 1], [1, 1.0]]), np.array([1, 0, 1, 2.0]), np.zeros(2), []
    for rows in (slice(0, 2), slice(2, 4)):
        miss = X[rows] @ w - y[rows]
        errors.append((miss**2).mean())
        w = w - 0.1 * X[rows].T @ miss
    assert (w.round(2).tolist(), round(((X @ w - y) ** 2).mean(), 6), round(np.mean(errors), 4)) == ([0.27, 0.45], 0.737475, 1.1325)
    assert [v.verdict for v in verdicts(parse(text))] == 4 * ["right"]


def test_cases_of_one_text_keep_to_themselves():
    text = """[[cases]]
name = "square"
[cases.network]
equations = ["y = x^2"]
[cases.values]
x = 3
[[cases.claims]]
of = "y"
value = "9"
[[cases]]
name = "cube"
[cases.network]
equations = ["y = x^3"]
[cases.values]
x = 3
[[cases.claims]]
of = "y"
value = "9"
"""
    assert [(v.verdict, v.value) for v in verdicts(parse(text))] == [("right", "9"), ("wrong", "27")]
