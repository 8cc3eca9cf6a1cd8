"""`symbp check-code`: a score for each tensor, the first wrong one, and the slips that explain it; nothing that code does gets out."""
from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import symbp as sb
from symbp.cli import main
from symbp.emit import generate

ROOT = Path(__file__).resolve().parent.parent
NET = str(ROOT / "examples" / "mnist_mlp.toml")
GOOD = '''import numpy as np

def backward(params, X, T):
    n = len(X)
    z1 = X @ params["W1"].T + params["b1"]
    a1 = np.maximum(z1, 0)
    z2 = a1 @ params["W2"].T + params["b2"]
    e = np.exp(z2 - z2.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss = -(T * np.log(p)).sum() / n
    d2 = (p - T) / n
    d1 = d2 @ params["W2"] * (z1 > 0)
    return loss, {"W1": d1.T @ X, "b1": d1.sum(axis=0), "W2": d2.T @ a1, "b2": d2.sum(axis=0)}
'''


@pytest.fixture
def check(tmp_path, capsys):
    def run(source: str, *more: str, name: str = "backward", net: str = NET):
        path = tmp_path / "mine.py"
        path.write_text(source, encoding="utf-8")
        code = main(["check-code", f"{path}::{name}", "--against", net, "--json", *more])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        return code, json.loads(captured.out) if code < 2 else captured.err

    return run


def test_a_right_backward_pass_has_the_full_score_and_a_warning_is_printed(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(GOOD)
    assert main(["check-code", f"{tmp_path / 'mine.py'}::backward", "--against", NET]) == 0
    captured = capsys.readouterr()
    assert "5 of 5 tensors right" in captured.out and "runs the code on this machine" in captured.err


# Each slip by hand, with the score that is left and what must be said of it.
SLIPS = [
    (" * (z1 > 0)", "", 3, "dL/db1", "dL/dz1: the factor relu'(z1) is missing"),
    ("(p - T) / n", "(T - p) / n", 1, "dL/db2", "dL/dz2: the sign is wrong"),
    ("(p - T) / n", "p / n", 1, "dL/db2", "dL/dz2: the term t is missing"),
    ("loss = -(T", "loss = (T", 4, "L", "L: the sign is wrong"),
    ('"W2": d2.T @ a1', '"W2": d2.T @ z1', 4, "dL/dW2", "dL/dW2: z1 stands for a1"),
    ('"b1": d1.sum(axis=0)', '"b1": d1.mean(axis=0)', 4, "dL/db1", "dL/db1: a factor 1/N is too many"),
    ('"b1": d1.sum(axis=0)', '"b1": d1[0]', 4, "dL/db1", "dL/db1: the sum over n is with nothing but its first term"),
    ("d1 = d2", "d1 = 2 * d2", 3, "dL/db1", "dL/dz1: a factor 2 is too many"),
]


@pytest.mark.parametrize("old, new, right, first, says", SLIPS)
def test_one_slip_is_found_and_explained(check, old, new, right, first, says):
    assert old in GOOD
    code, found = check(GOOD.replace(old, new))
    assert (code, found["right"], found["of"], found["first_wrong"]) == (1, right, 5, first)
    assert says in found["explained_by"]


def test_two_slips_at_once_are_explained_together(check):
    code, found = check(GOOD.replace(" * (z1 > 0)", "").replace('"W2": d2.T @ a1', '"W2": -d2.T @ a1'))
    assert code == 1 and "dL/dW2: the sign is wrong and dL/dz1: the factor relu'(z1) is missing" in found["explained_by"]


def test_a_shape_that_does_not_fit_says_which_would(check):
    _, found = check(GOOD.replace("d1.sum(axis=0)", "d1"))
    assert "the right one has" in next(t["note"] for t in found["tensors"] if t["name"] == "b1")


def test_a_gradient_that_is_not_returned_counts_as_missing(check):
    code, found = check(GOOD.replace(', "b2": d2.sum(axis=0)', ""))
    assert (code, found["verdict"], found["score"], found["first_wrong"]) == (1, "wrong", 0.8, "dL/db2")


FAILURES = [("while True: pass", "line 4"), ("import sys; sys.exit()", "SystemExit"), ("import os; os._exit(3)", "Ended"),
            ("raise KeyError('x')", "KeyError"), ("return np.zeros(10**13)", "MemoryError"), ("import os; os.fork()", "PermissionError"),
            ("import os; os.kill(os.getppid(), 9)", "PermissionError"), ("import shutil; shutil.rmtree('/tmp/none')", "PermissionError"),
            ("return backward(params, X, T)", "RecursionError"), ("return q", "NameError")]


@pytest.mark.parametrize("line, says", FAILURES)
def test_code_that_does_not_return_has_failed_by_its_own_line(check, line, says):
    code, found = check(f"import numpy as np\n\ndef backward(params, X, T):\n    {line}\n", "--seconds", "2")
    assert (code, found["verdict"], found["score"]) == (1, "failed", 0.0)
    assert says in json.dumps(found["failure"]) or says in found["note"]


@pytest.mark.parametrize("source, name, says", [(GOOD, "forward", "defines no function 'forward'"), ("def backward(:\n", "backward", "line 1"),
                                                ("x = 1\n", "backward", "defines no function"),
                                                (GOOD.replace("(params, X, T)", "(params, X, T, mystery)"), "backward", "mystery")])
def test_a_bad_file_is_an_error_in_one_paragraph(check, source, name, says):
    code, error = check(source, name=name)
    assert code == 2 and says in error


def test_a_file_that_is_not_there(capsys):
    assert main(["check-code", "nowhere.py::f", "--against", NET]) == 2 and "nowhere.py" in capsys.readouterr().err


def test_names_can_be_bound_on_the_command_line(check):
    source = GOOD.replace('params["W1"]', "A").replace('params["b1"]', "c").replace('params["W2"]', "B").replace('params["b2"]', "d")
    source = source.replace("(params, X, T)", "(A, c, B, d, X, T)").replace("return loss, {", "return tuple({").replace("}\n", "}.values())\n")
    assert check(source)[0] == 2
    bound = [word for pair in ("A=W1", "c=b1", "B=W2", "d=b2") for word in ("--bind", pair)]
    code, found = check(source, *bound, "--returns", "dL/dW1,dL/db1,dL/dW2,dL/db2")
    assert (code, found["verdict"], found["of"]) == (0, "right", 4)


@pytest.mark.parametrize("name", ["mnist_mlp", "xor", "digits_mlp", "mnist_logistic"])
def test_the_readable_gradients_of_generated_modules_pass(check, tmp_path, name):
    """The module's `loss_and_grads`, with the loss that it returns."""
    network = sb.load(ROOT / "examples" / f"{name}.toml")
    source = re.sub(r"\bstate=None\b", "state=None", generate(network))
    code, found = check(source, name="loss_and_grads", net=str(ROOT / "examples" / f"{name}.toml"))
    assert code == 0 and found["verdict"] in ("right", "right-if") and found["of"] >= 1 + len(network.parameters), found


STUDENTS = """import numpy as np
class Net:
    def __init__(self, W1, b1, W2, b2):
        self.W1, self.b1, self.W2, self.b2 = W1, b1, W2, b2
    def forward(self, x):
        self.x = x
        self.z1 = x @ self.W1 + self.b1
        self.a1 = np.maximum(self.z1, 0)
        self.z2 = self.a1 @ self.W2 + self.b2
        e = np.exp(self.z2 - self.z2.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.p
    def backward(self, x, y):
        p = self.forward(x)
        n = x.shape[0]
        t = np.eye(3)[y]
        dz2 = (p - t) / n
        self.dW2 = self.a1.T @ dz2
        self.db2 = dz2.sum(axis=0)
        da1 = dz2 @ self.W2.T
        dz1 = da1 * (self.a1 > 0)
        self.dW1 = self.x.T @ dz1
        self.db1 = dz1.sum(axis=0)
def loop(x, y, W1, b1, W2, b2):
    dW1 = np.zeros_like(W1); db1 = np.zeros_like(b1); dW2 = np.zeros_like(W2); db2 = np.zeros_like(b2)
    for i in range(len(x)):
        z1 = W1 @ x[i] + b1
        a1 = z1 * (z1 > 0)
        z2 = W2 @ a1 + b2
        p = np.exp(z2) / np.exp(z2).sum()
        d2 = p.copy(); d2[y[i]] -= 1
        dW2 += np.outer(d2, a1); db2 += d2
        d1 = W2.T @ d2 * (z1 > 0)
        dW1 += np.outer(d1, x[i]); db1 += d1
    return dW1 / len(x), db1 / len(x), dW2 / len(x), db2 / len(x)
def step(x, y, W1, b1, W2, b2, lr):
    z1 = x @ W1 + b1; a1 = np.maximum(0, z1); z2 = a1 @ W2 + b2
    e = np.exp(z2); p = e / e.sum(1, keepdims=True)
    p[range(len(x)), y] -= 1
    p /= len(x)
    d1 = (p @ W2.T) * (z1 > 0)
    W2 -= lr * a1.T @ p; b2 -= lr * p.sum(0)
    W1 -= lr * x.T @ d1; b1 -= lr * d1.sum(0)
def nan(x, y, W1, b1, W2, b2):
    return W1 * np.nan, b1, W2, b2
"""
TWO_LAYERS = """
name = "two"
[input]
shape = [4]
[target]
classes = 3
[[layers]]
type = "dense"
units = 5
[[layers]]
type = "relu"
[[layers]]
type = "dense"
units = 3
[loss]
type = "softmax_cross_entropy"
"""


@pytest.mark.parametrize(("function", "verdict", "right"), [
    ("Net.backward", "right-if", 4),  # it calls forward, which reads the weights; __init__ is not run
    ("loop", "right-if", 4),  # the results are expressions of one name, dW1 / len(x)
    ("step", "right-if", 4),  # updates in place, beside a network without an optimiser
    ("nan", "undecided", 0),  # parameters that are given back as they came are no gradients
])
def test_backward_passes_as_students_write_them(function: str, verdict: str, right: int, check, tmp_path: Path) -> None:
    (tmp_path / "net.toml").write_text(TWO_LAYERS, encoding="utf-8")
    _, found = check(STUDENTS, name=function, net=str(tmp_path / "net.toml"))
    assert (found["verdict"], found["right"], found["of"]) == (verdict, right, 4), found


DROPPED = TWO_LAYERS.replace('type = "relu"\n', 'type = "relu"\n[[layers]]\ntype = "dropout"\nrate = 0.5\n')
MASKED = """import numpy as np

def backward(X, Y, W1, b1, W2, b2, MASK):
    z1 = X @ W1.T + b1
    h = np.maximum(z1, 0) * mask / 0.5
    z2 = h @ W2.T + b2
    e = np.exp(z2 - z2.max(1, keepdims=True))
    P = e / e.sum(1, keepdims=True)
    dz2 = (P - Y) / len(X)
    dW2, db2 = dz2.T @ h, dz2.sum(0)
    dz1 = dz2 @ W2 * SECOND / 0.5 * (z1 > 0)
    dW1, db1 = dz1.T @ X, dz1.sum(0)
    return dW1, db1, dW2, db2
"""


@pytest.mark.parametrize(("given", "second", "verdict", "right"), [
    ("mask", "mask", "right", 4),
    ("mask", "1", "wrong", 2),  # the gradient forgets the mask
    ("p=0.5", "mask", "undecided", 0),  # it draws the mask itself; p is a setting, and not the output of the softmax
])
def test_masks_of_dropout_are_given_by_name_and_cannot_be_compared_otherwise(given, second, verdict, right, check, tmp_path) -> None:
    (tmp_path / "net.toml").write_text(DROPPED, encoding="utf-8")
    source = MASKED.replace("MASK", given).replace("SECOND", second)
    if given == "p=0.5":
        source = source.replace("    z1 = X", "    mask = np.random.rand(len(X), len(W1)) < p\n    z1 = X", 1)
    code, found = check(source, net=str(tmp_path / "net.toml"))
    assert (found["verdict"], found["right"], code) == (verdict, right, 0 if verdict == "right" else 1), found
    if given == "p=0.5":
        assert "p" not in found["arguments"] and "the mask m1" in found["note"]


def test_a_generated_module_with_dropout_is_not_called_wrong(check) -> None:
    net = ROOT / "examples" / "digits_batch_norm.toml"
    code, found = check(generate(sb.load(net)), name="loss_and_grads", net=str(net))
    assert (code, found["verdict"]) == (1, "undecided") and "draws the mask m2" in found["note"]


def test_code_for_sizes_that_are_too_large_to_check_is_undecided(check) -> None:
    net = str(ROOT / "examples" / "lenet.toml")
    code, found = check((ROOT / "generated" / "lenet.py").read_text(encoding="utf-8"), name="loss_and_grads", net=net)
    assert (code, found["verdict"], found["failure"], found["explained_by"]) == (1, "undecided", None, [])
    assert "made for its own sizes only" in found["note"] and "cannot reshape" in found["note"]
    assert {t["note"] for t in found["tensors"]} == {"it is not compared"}
    code, found = check("def backward(params, x, y):\n    return undefined\n", net=net)
    assert (code, found["verdict"]) == (1, "failed")
