"""`scale_in = "gradient"`: δ is that of the sum over the samples, and 1/N stands in front of the gradients."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import symbp as sb
from symbp.certify.sample import draw
from symbp.certify.steps import check_steps
from symbp.derivation.mean import samples
from symbp.interpret import interpret
from symbp.language import Conventions, Equation, Index, Program, Tensor, size
from symbp.printing.latex import Writer

EXAMPLES = Path(__file__).parent.parent / "examples"
MEANS = ["xor", "softmax_classifier", "softmax_smoothing", "gated", "logistic_equations"]


def both(name: str) -> tuple[sb.Network, sb.derivation.Derivation, sb.derivation.Derivation]:
    """A network and its derivation with either convention."""
    network = sb.load(EXAMPLES / f"{name}.toml")
    program = replace(network.program, conventions=replace(network.program.conventions, scale_in="gradient"))
    scaled = replace(network, program=program)
    return network, sb.derive(network), sb.derive(scaled)


@pytest.mark.parametrize("name", MEANS)
def test_gradients_are_the_same_and_delta_is_n_times_as_large(name: str):
    network, plain, scaled = both(name)
    sample = draw(network.program, 3)
    first, second = (interpret(d.program, sample.values, sample.sizes) for d in (plain, scaled))
    for parameter in plain.wrt:
        assert np.allclose(first[plain.gradients[parameter]], second[scaled.gradients[parameter]], rtol=1e-12)
    lettered = [n for n in plain.names if n not in plain.wrt]
    assert lettered or name == "logistic_equations"
    for tensor in lettered:
        deltas = first[plain.derivative.names[tensor]], second[scaled.derivative.names[tensor]]
        assert np.allclose(sample.sizes["N"] * deltas[0], deltas[1], rtol=1e-12)
    assert all(r.error < 1e-7 for r in check_steps(scaled, second, sample.sizes))


@pytest.mark.parametrize("name", MEANS)
def test_one_over_n_stands_in_the_gradients_only(name: str):
    _, _, scaled = both(name)
    count = size("N")
    for tensor in scaled.names:
        for line in scaled[tensor].lines:
            assert (count in line.right.free_symbols) == (tensor in scaled.wrt), line.latex()
            assert line.steps[0].before == line.target
            assert line.matrix is not None


def test_what_is_printed():
    _, _, scaled = both("softmax_classifier")
    delta, weights = (scaled[n].latex("matrix") for n in (scaled.names[0], scaled.wrt[0]))
    assert r"\frac{1}{N}" not in delta
    assert weights == r"\frac{\partial L}{\partial W^{(1)}} = \frac{1}{N} \delta^{(1)\top} x"
    steps = [scaled.writer.doprint(s.after) for s in scaled[scaled.wrt[0]].steps]
    assert steps[0] == r"\frac{1}{N} \frac{\partial \left(N L\right)}{\partial W^{(1)}_{ji}}"


def test_the_optimiser_gets_the_gradient_of_the_mean():
    _, plain, scaled = both("mnist_mlp")
    (first, lines), (second, others) = plain.update_lines(), scaled.update_lines()
    assert [Writer(first).equation(*line) for line in lines] == [Writer(second).equation(*line) for line in others]


def test_a_sum_has_no_samples_to_divide_by():
    n, x, s = Index("n", size("N")), Tensor("x", (size("N"),), role="parameter"), Tensor("s")
    program = Program((x, s), (Equation(s[()], x[n]**2, over=(n,)),), conventions=Conventions(scale_in="gradient"))
    assert samples(program, "s") is None
    assert sb.derive(program, "s")["x"].latex() == sb.derive(replace(program, conventions=Conventions()), "s")["x"].latex()
    two = (Equation(s[()], x[n] / size("N"), over=(n,)), Equation(s[()], x[n]**2, over=(n,)))
    assert samples(replace(program, statements=two), "s") is None
