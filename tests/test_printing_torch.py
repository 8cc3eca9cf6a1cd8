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
