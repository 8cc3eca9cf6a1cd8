"""The printed PyTorch program computes what the oracle computes; its text is a golden file."""
from __future__ import annotations

import numpy as np
import pytest
from programs import CASES
from recurrences import ALL
from torch_help import load_torch

import symbp as sb
from symbp.certify.sample import draw
from symbp.certify.torch import printed_module
from symbp.interpret import interpret
from symbp.language import Equation, Index, Loop, Program, Tensor
from symbp.printing.torch import torch_source


@pytest.mark.parametrize("name", CASES)
def test_the_printed_program_computes_what_the_oracle_computes(name: str):
    torch = load_torch()
    case = CASES[name]()
    values = case.draw(np.random.default_rng(11))
    tensors = {n: torch.as_tensor(np.asarray(v)) for n, v in values.items()}
    printed = printed_module(case.program).forward(tensors, dict(case.sizes))
    oracle = interpret(case.program, values, case.sizes)
    for tensor in case.program.tensors:
        assert np.allclose(printed[tensor.name].numpy(), oracle[tensor.name], rtol=1e-12, atol=1e-12), tensor.name


@pytest.mark.parametrize("name", ["of_widths", "residual", "skip_over_two", "over_time"])
def test_recurrences(name: str):
    torch = load_torch()
    program = ALL[name]().program
    sample = draw(program)
    printed = printed_module(program).forward({n: torch.as_tensor(v) for n, v in sample.values.items()}, sample.sizes)
    assert float(printed["J"]) == pytest.approx(float(interpret(program, sample.values, sample.sizes)["J"]), rel=1e-12)


@pytest.mark.parametrize("name", ["conv2d", "max_pool2d", "lstm", "cross-entropy with integer targets"])
def test_the_source_is_as_it_was(name: str, golden: callable):
    golden(f"torch/{name.replace(' ', '_')}.py.txt", torch_source(CASES[name]().program))


def test_names_that_are_no_identifiers():
    source = torch_source(sb.parse(XOR).program)
    assert "T['hidden.W']" in source
    compile(source, "printed", "exec")


XOR = '''
name = "xor"
[input]
shape = [2]
[target]
shape = [1]
[[layers]]
type = "dense"
name = "hidden"
units = 1
activation = "tanh"
[loss]
type = "squared_error"
'''


FORMULAS = ["sum(i, s)", "log(sum(i, s))", "x[i] - 1/3", "x[i] + pi - e", "max(i, s)*x[i]", "mean(i, (x[i]*2)^0)", "max(i, maximum(x[i], 0.1))",
            "gelu(s)", "erf(s)^2", "sum(i where i >= 1, s)", "max(i, [exp(j) == 3*i + j])",
            "(e + x[i])*pi^40", "min(i, x[i]^2 + y[i])"]


@pytest.mark.parametrize("formula", FORMULAS)
def test_constants_scalars_and_indices_that_a_body_does_not_read(formula: str):
    """A constant is no float32, and a sum over an index counts it whether the body reads it or not."""
    load_torch()
    report = sb.check(formula)
    assert report.passed, report.table()
    assert {r.status for g in report.gradients for r in g.rungs if r.rung in ("independent", "differences")} == {"passed"}


def test_a_condition_on_the_index_of_a_loop_alone():
    torch = load_torch()
    t, i = Index("t", 4), Index("i", 3)
    x, s = Tensor("x", (3,), role="parameter"), Tensor("s", (5,), role="state")
    body = (Equation(s[t + 1], s[t], domain=(t - 1,)), Equation(s[t + 1], x[i], over=(i,), domain=(2 - t,)))
    program = Program((x, s), (Equation(s[0], 1), Loop(t, "ascending", body)))
    values = {"x": np.array([1.0, 2.0, 4.0])}
    printed = printed_module(program).forward({"x": torch.tensor(values["x"])}, {})
    assert printed["s"].tolist() == interpret(program, values)["s"].tolist() == [1, 7, 14, 21, 21]
