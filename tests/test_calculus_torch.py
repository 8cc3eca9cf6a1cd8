"""Every test program against PyTorch: values, gradients, and second derivatives by double backward."""
from __future__ import annotations

import numpy as np
import pytest
from checking import directions_for, drawn, gradients, hessian_product, output, torch_gradients, torch_values
from programs import CASES, TIED
from torch_help import load_torch

torch = load_torch()

SECOND = ["mlp tanh", "cross-entropy one-hot", "cross-entropy from log-sum-exp", "layer norm", "conv2d", "lstm", "causal attention",
          "tied weights and residual", "embedding", "bidirectional", "body root", "body gelu"]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", [0, 1])
def test_gradients_are_those_of_pytorch(name: str, seed: int) -> None:
    case = CASES[name]()
    values, vector = drawn(case, seed)
    value, expected = torch_gradients(torch, case, values, vector)
    np.testing.assert_allclose(output(case, values), value, rtol=1e-12, atol=1e-12)
    found = gradients(case, values, vector)
    for wrt in case.wrt:
        np.testing.assert_allclose(found[wrt], expected[wrt], rtol=1e-11, atol=1e-12, err_msg=wrt)


@pytest.mark.parametrize("name", TIED)
@pytest.mark.parametrize("seed", range(3))
def test_ties_go_to_the_first_hit_as_in_pytorch(name: str, seed: int) -> None:
    case = TIED[name]()
    values, vector = drawn(case, seed)
    _, expected = torch_gradients(torch, case, values, vector)
    found = gradients(case, values, vector)
    for wrt in case.wrt:
        np.testing.assert_allclose(found[wrt], expected[wrt], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives_are_those_of_double_backward(name: str) -> None:
    case = CASES[name]()
    values, vector = drawn(case)
    along = directions_for(case, values)
    given = torch_values(torch, case, values)
    value = case.reference(torch, given)
    scalar = value if vector is None else (value * torch.tensor(vector)).sum()
    variables = [given[n] for n in case.wrt]
    first = torch.autograd.grad(scalar, variables, create_graph=True)
    total = sum((g * torch.tensor(along[n])).sum() for n, g in zip(case.wrt, first))
    expected = torch.autograd.grad(total, variables, allow_unused=True)
    found = hessian_product(case, values, vector, along)
    for wrt, twin in zip(case.wrt, expected):
        array = np.zeros_like(values[wrt]) if twin is None else twin.numpy()
        np.testing.assert_allclose(found[wrt], array, rtol=1e-10, atol=1e-11, err_msg=wrt)
