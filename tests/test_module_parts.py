"""What a generated module is made of: names, starts, accuracy, pruning, operation counts."""
from __future__ import annotations

import ast
import math
from typing import Any

import numpy as np
import pytest
from test_arrays_lower import run

import symbp
from symbp.arrays import lower
from symbp.arrays.cost import operations
from symbp.initial import Start, starts
from symbp.language import Equation, Index, Program, Tensor, is_binary, size, sums_to_one
from symbp.metrics import accuracy
from symbp.module_equations import equation_texts
from symbp.module_text import broken_line
from symbp.netfile import parse
from symbp.passes.prune import prune
from symbp.spelling import TAKEN, identifier, spell
from symbp.targets import NUMPY_ERF

N = size("N")
n, k = Index("n", N), Index("k", 3)
DENSE = 'name = "net"\n[input]\nshape = [6]\n[[layers]]\ntype = "dense"\nunits = 4\n{}\n{}[loss]\ntype = "squared_error"\n'


# names

def test_names_are_different_identifiers_that_hide_nothing() -> None:
    names = ("x", "params", "np", "lambda", "a.b", "a_b", "W'", "N", "loss")
    found = spell(Program(tuple(Tensor(name, ()) for name in names), ()))
    assert len(set(found.values())) == len(names) and all(v.isidentifier() for v in found.values())
    assert not set(found.values()) & TAKEN
    assert identifier("W'") == "W_"


def test_cotangents_are_called_as_they_are_printed() -> None:
    program = symbp.derive(symbp.load("examples/mnist_mlp.toml")).program
    names = spell(program)
    assert (names["z2_bar"], names["W1_bar"], names["p_bar"]) == ("delta2", "dW1", "dp")


# the header

def test_the_header_tells_assignments_from_sums_of_contributions() -> None:
    i, u, m = Index("i", 3), Index("u", 2), Index("m", 4, part=True)
    x, y, z = Tensor("x", (4, 3), role="input"), Tensor("y", (4,)), Tensor("z", (12,))
    program = Program((x, y, z), (Equation(y[i + u], x[m, i], over=(m,)), Equation(z[3 * m + i], x[m, i])))
    assert equation_texts(program) == {"y": "y[i + u] += sum(m, x[m, i])", "z": "z[i + 3*m] = x[m, i]"}


def test_long_assignments_and_calls_are_broken() -> None:
    call, value = "np.add.at(target, (" + ", ".join(["np.arange(N)[:, None]"] * 8) + "), value)", " + ".join(["abcdefghijkl"] * 12)
    for line in (call, f"z += {value}"):
        broken = broken_line(line)
        assert len(broken) > 1 and all(len(part) <= 120 for part in broken)
        assert ast.dump(ast.parse(" ".join(broken))) == ast.dump(ast.parse(line))


# how parameters start

@pytest.mark.parametrize(("layer", "more", "weight"), [
    ("", "", Start("xavier", 2, 10)), ("", '[[layers]]\ntype = "relu"\n', Start("he", 2, 6)), ('init = "xavier"', "", Start("xavier", 2, 10)),
    ('init = "he"', "", Start("he", 2, 6)), ('init = "zeros"', "", Start("zeros")), ('init = "normal"', "", Start("normal", 1, 10_000)),
])
def test_weights_start_by_the_equations_that_read_them(layer: str, more: str, weight: Start) -> None:
    assert starts(parse(DENSE.format(layer, more))) == {"W1": weight, "b1": Start("zeros")}


def test_either_storage_order_has_the_same_fans() -> None:
    text = DENSE.format("", "") + '[conventions]\nstorage = "in_out"\n'
    assert starts(parse(text))["W1"] == Start("xavier", 2, 10)


def test_layers_of_equations_say_how_their_parameters_start() -> None:
    net = symbp.load("examples/gated.toml")
    assert {name: s.kind for name, s in starts(net).items() if name.startswith("gate")} == {
        "gate.U": "xavier", "gate.V": "xavier", "gate.c": "zeros"}


# accuracy

def program_of(target: Tensor, *facts: object) -> Program:
    """A network whose output p is its input."""
    z, p = Tensor("z", (N, 3), role="input"), Tensor("p", (N, 3))
    return Program((z, target, p), (Equation(p[n, k], z[n, k]),), facts)


def share(program: Program, target: Tensor, p: np.ndarray, t: np.ndarray) -> float:
    """The accuracy that the lowered equations compute."""
    made = accuracy(program, "p", target)
    assert made is not None
    return float(run(made, {"p": p, "t": t}, {"N": len(p)})["accuracy"])


def test_accuracy_of_rows_integers_and_binary_targets() -> None:
    rng = np.random.default_rng(0)
    p, labels = rng.normal(size=(40, 3)), rng.integers(3, size=40)
    expected = np.mean(p.argmax(axis=1) == labels)
    t = Tensor("t", (N, 3), role="input")
    assert share(program_of(t, sums_to_one(t, n, k)), t, p, np.eye(3)[labels]) == pytest.approx(expected)
    t = Tensor("t", (N,), dtype="int", role="input")
    assert share(program_of(t), t, p, labels) == pytest.approx(expected)
    t, truth = Tensor("t", (N, 3), role="input"), rng.integers(2, size=(40, 3)).astype(float)
    assert share(program_of(t, is_binary(t, n, k)), t, p, truth) == pytest.approx(np.mean((p >= 0.5) == truth))


def test_there_is_no_accuracy_of_numbers() -> None:
    t = Tensor("t", (N, 3), role="input")
    assert accuracy(program_of(t), "p", t) is None


# pruning and counts

def test_pruning_keeps_what_is_needed() -> None:
    program = symbp.load("examples/mnist_mlp.toml").program
    assert [t.name for t in prune(program, ["z1"]).tensors] == ["x", "W1", "b1", "z1"]


def test_operations_count_products_twice() -> None:
    W, x, y = Tensor("W", (4, 3), role="parameter"), Tensor("x", (N, 3), role="input"), Tensor("y", (N, 4))
    j = Index("j", 4)
    program = Program((W, x, y), (Equation(y[n, j], W[j, k] * x[n, k], over=(k,)), Equation(y[n, j], 1)))
    assert operations(lower(program)) == N * (2 * 3 * 4 + 4)


def test_the_error_function_writes_into_any_array() -> None:
    """Within 5e-7 of math.erf, in order and where the result lies with gaps or turned; several parts long."""
    space: dict[str, Any] = {"np": np, "math": math}
    exec("\n".join(NUMPY_ERF), space)  # noqa: S102 - our own lines
    x = np.linspace(-5, 5, 70_000, dtype=np.float32).reshape(700, 100)
    wanted = np.array([math.erf(v) for v in x.ravel()]).reshape(x.shape)
    for out in (np.empty_like(x), np.empty((1400, 100), np.float32)[::2], np.empty((100, 700), np.float32).T):
        assert space["erf"](x, out=out) is out
        np.testing.assert_allclose(out, wanted, atol=5e-7)
    assert space["erf"](x, out=x) is x
    np.testing.assert_allclose(x, wanted, atol=5e-7)
