"""Claims of code: functions of a person, called in a process of their own, beside what is derived."""
from __future__ import annotations

import numpy as np
import pytest

from symbp.cli import main
from symbp.verify.claimfile import load, parse
from symbp.verify.listing import functions
from symbp.verify.sandbox import Call, run
from symbp.verify.verdict import verdicts

# z = w x + b, a = σ(z), J = (a − y)²/2; by hand: dJ/dz = (a − y) a (1 − a), dJ/dw = dJ/dz x, dJ/db = dJ/dz.
NEURON = '''[network]
equations = ["z = sum(i, w[i]*x[i]) + b", "a = sigmoid(z)", "J = (a - y)^2/2"]
loss = "J"
parameters = ["w", "b"]
names = { delta = "dJ/dz" }
[optimizer]
type = "gd"
learning_rate = 0.5
[values]
x = [1, 2, 3]
w = [1, 0, 1]
b = 1
y = 1
'''
# A batch of N rows: J = Σ_n (Σ_i x[n,i] w[i] − y[n])²/(2 N).
BATCH = '''[input]
shape = [3]
[[layers]]
type = "dense"
units = 2
bias = true
[loss]
type = "squared_error"
[optimizer]
type = "gd"
learning_rate = 0.5
[values]
x = [[1, 2, 3], [4, 5, 6]]
'''
GOOD = '''
def backward(x, y, w, b):
    a = 1/(1 + np.exp(-(w @ x + b)))
    delta = (a - y)*a*(1 - a)
    return {"dw": delta*x, "db": delta, "delta": delta, "loss": (a - y)**2/2}
'''


def judged(text: str, code: str, rest: str = "", run_code: bool = True):
    return verdicts(parse(f"{text}[[claims]]\nid = \"it\"\ncode = '''{code}'''\n{rest}\n"), run_code)[0]


def test_code_is_not_run_unless_asked_for(tmp_path):
    found = judged(NEURON, GOOD + f"\nopen({str(tmp_path / 'ran')!r}, 'w')\n", run_code=False)
    assert (found.verdict, found.note) == ("undecided", "not run; give --run-code") and not (tmp_path / "ran").exists()


def test_a_right_backward_pass_is_right():
    found = judged(NEURON, GOOD)
    assert found.verdict == "right" and found.note == "compared: dJ/dw, dJ/db, delta, J"


@pytest.mark.parametrize("old, new, says", [
    ("(a - y)*a*(1 - a)", "(y - a)*a*(1 - a)", "dw (dJ/dw) is -1 times the right value"),
    ("(a - y)*a*(1 - a)", "(a - y)*a", "dw (dJ/dw) is wrong"),
    ("(a - y)**2/2", "(a - y)**2", "loss (J) is 2 times the right value"),
    ("delta*x", "delta*np.sum(x)", "it has the shape (), the right one has (3,)"),
    ("delta*x", "'text'", "it is no array of numbers")])
def test_a_wrong_result_is_named(old, new, says):
    found = judged(NEURON, GOOD.replace(old, new))
    assert found.verdict == "wrong" and says in found.note


@pytest.mark.parametrize("line, says", [("    return undefined\n", "line 3, `return undefined`: NameError"),
                                        ("    raise ValueError('no')\n", "ValueError: no"),
                                        ("    import sys; sys.exit(0)\n", "sys.exit"), ("    import os; os._exit(7)\n", "exit code 7"),
                                        ("    import os; os.fork()\n", "start a process"),
                                        ("    import socket; socket.socket()\n", "network"),
                                        ("    import subprocess; subprocess.run(['true'])\n", "start a process"),
                                        ("    open('/tmp/symbp-no', 'w')\n", "may not write the file /tmp/symbp-no"),
                                        ("    return np.zeros(10**12)\n", "more memory")])
def test_code_that_fails_is_told_by_its_own_line(line, says):
    found = judged(NEURON, "\n\ndef backward(x, y, w, b):\n" + line)
    assert found.verdict in ("undecided", "ill-posed") and says in found.note and "Traceback" not in found.note


@pytest.mark.parametrize("body", ["while True:\n        pass", "while True:\n        try:\n            while True: pass\n"
                                  "        except BaseException:\n            pass"])
def test_an_endless_loop_ends_with_its_time(body):
    outcome = run(f"def f(x):\n    {body}\n", [Call("f", {"x": 1.0})] * 2, seconds=1)
    assert [str(o.failure).partition(": ")[2].endswith("still running after 1 s") for o in outcome] == [True, True]


def test_printing_and_patching_numpy_disturb_nothing():
    code = GOOD.replace("    delta =", "    print('x'*100000)\n    np.asarray = np.ascontiguousarray = np.frombuffer = None\n    delta =")
    assert judged(NEURON, code).verdict == "right"


def test_vectors_may_be_columns_and_updates_in_place():
    code = '''
def step(x, y, w, b, lr):
    a = 1/(1 + np.exp(-(w.T @ x + b)))
    delta = (a - y)*a*(1 - a)
    w -= lr*x @ delta
    b -= lr*delta
'''
    assert judged(NEURON, code).verdict == "right"
    assert judged(NEURON, code.replace("w -=", "w +=")).verdict == "wrong"


def test_a_derivative_in_terms_of_the_activation_is_right_of_the_activation():
    code = "\ndef sigmoid_derivative(x):\n    return x*(1 - x)\n"
    found = judged(NEURON, code, "arguments = { x = \"z\" }\nreturns = \"σ'(z)\"")
    assert found.verdict == "right-if" and "x is a" in found.note
    assert judged(NEURON, code.replace("x*(1 - x)", "x*(1 + x)"), "arguments = { x = \"z\" }\nreturns = \"σ'(z)\"").verdict == "wrong"


BATCHED = '''
def loss_and_grads(params, X, Y):
    Z = X @ params["W1"].T + params["b1"]
    d = (Z - Y)/len(X)
    loss = ((Z - Y)**2).sum()/2/len(X)
    return loss, {"W1": d.T @ X, "b1": d.sum(axis=0)}
'''


def test_conventions_of_a_batch_are_conditions():
    assert judged(BATCH, BATCHED).verdict == "right"
    added = judged(BATCH, BATCHED.replace("/len(X)", ""))
    assert added.verdict == "right-if" and "the loss is the sum over the samples" in added.note
    stored = judged(BATCH, BATCHED.replace('["W1"].T', '["W1"]').replace("d.T @ X", "X.T @ d"))
    assert stored.verdict == "right-if" and "stored the other way round" in stored.note
    turned = judged(BATCH, BATCHED.replace("d.T @ X", "X.T @ d"))
    assert turned.verdict == "right-if" and "W1 is laid out transposed" in turned.note
    columns = BATCHED.replace("X @ params[\"W1\"].T", "params[\"W1\"] @ X").replace("len(X)", "X.shape[1]") \
        .replace("d.T @ X", "d @ X.T").replace("d.sum(axis=0)", "d.sum(axis=1, keepdims=True)")
    found = judged(BATCH, columns)
    assert found.verdict == "right-if" and found.note.startswith("right if samples are columns; ")


def test_a_loss_without_its_mean_beside_gradients_with_it_is_wrong():
    found = judged(BATCH, BATCHED.replace("/2/len(X)", "/2"))
    assert found.verdict == "wrong" and found.note == "loss (L) is 3 times the right value"


def test_the_object_of_a_class_is_made_of_the_texts_values(tmp_path):
    (tmp_path / "net.py").write_text('''import numpy as np
class Net:
    def __init__(self):
        raise RuntimeError("not called")
    def forward(self, x):
        self.z = self.w @ x + self.b
        self.a = 1/(1 + np.exp(-self.z))
        return self.a
    def backward(self, x, y, learning_rate):
        self.delta = (self.a - y)*self.a*(1 - self.a)
        self.w -= learning_rate*self.delta*x
        self.b -= learning_rate*self.delta
net = Net()
while True:
    net.forward(1)
''')
    (tmp_path / "c.toml").write_text(NEURON + '[[claims]]\npython = "net.py::Net.backward"\nbefore = ["forward"]\n')
    found = verdicts(load(tmp_path / "c.toml"), True)[0]
    assert found.verdict == "right" and "w after 1, b after 1" in found.note and "delta" in found.note


@pytest.mark.parametrize("code, rest, says", [
    ("def f(q, r):\n    return q\n", "", "nothing here is called 'q'"), ("def f(x):\n    return x*x\n", "", "is known by its name"),
    ("def f(x):\n  return )\n", "", "line 2"), ("x = 1\n", "", "defines no function"),
    ("def f(x):\n    return x\n", 'function = "g"', "defines no function 'g'"),
    ("def f(x):\n    return x\n", 'returns = "dJ/dq"', "J by q"), ("def f(x):\n    return x\n", "extra = 1", "extra"),
    ("def f(x):\n    return x\n", 'returns = "x"\nshapes = { x = [2, 2] }', "cannot have the shape")])
def test_what_cannot_be_judged_is_undecided_and_says_what_would_help(code, rest, says):
    found = judged(NEURON, "\n" + code, rest)
    assert found.verdict == "undecided" and says in found.note


def test_what_a_listing_says_of_itself():
    found = functions("class A:\n    @staticmethod\n    def g(x): return x\n    def f(self, x, /, y=1, *, k=2):\n        self.w[0] = x\n        return self.dw, y\n")
    f = found["A.f"]
    assert (f.parameters, f.optional, f.positional, f.returned, f.changed) == (("x", "y", "k"), {"y", "k"}, ("x",), ("dw", "y"), ("self.w",))
    assert found["A.g"].parameters == ("x",)


def test_the_command_warns_and_runs(tmp_path, capsys):
    path = tmp_path / "c.toml"
    path.write_text(NEURON + f"[[claims]]\nid = \"it\"\ncode = '''{GOOD}'''\n")
    assert main(["verify", str(path)]) == 1 and "undecided" in capsys.readouterr().out
    assert main(["verify", "--run-code", str(path)]) == 0
    captured = capsys.readouterr()
    assert "runs the code on this machine" in captured.err and "right" in captured.out
    assert np.isfinite(len(captured.out))
