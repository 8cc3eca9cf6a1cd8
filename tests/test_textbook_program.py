"""The lines that a derivation prints, as a program: its gradients are those of the adjoint."""
from __future__ import annotations

import numpy as np
import pytest
from programs import CASES

import symbp
from symbp.derivation import Derivation
from symbp.derivation.options import Options
from symbp.derivation.program import textbook_program
from symbp.interpret import interpret
from symbp.language import Loop, Program
from symbp.language.functions import Defined

RNN = """name = "rnn"
[input]
shape = [5, 3]
[[layers]]
type = "rnn"
units = 4
[loss]
type = "squared_error"
"""
SCALAR = [name for name, make in CASES.items() if not make().program.tensor(make().of).shape]


@pytest.mark.parametrize("name", SCALAR)
@pytest.mark.parametrize("choice", ["auto", "folded", "kept"])
def test_its_gradients_are_those_of_the_adjoint(name: str, choice: str) -> None:
    case = CASES[name]()
    derivation = Derivation(case.program, case.of, case.wrt, Options(activation_derivatives=choice))
    program = textbook_program(derivation)
    values = case.draw(np.random.default_rng(2))
    expected, found = interpret(derivation.program, values, case.sizes), interpret(program, values, case.sizes)
    for bar in derivation.gradients.values():
        np.testing.assert_allclose(found[bar], expected[bar], rtol=1e-11, atol=1e-13)


def test_what_is_printed_is_what_is_computed() -> None:
    program = textbook_program(symbp.derive(symbp.load("examples/mnist_mlp.toml")))
    assert [str(eq) for eq in program.definition("z2_bar")] == ["z2_bar[n, k] += (p[n, k] - t[n, k])/N"]
    assert not {"p_bar", "S_bar", "e_bar"} & {t.name for t in program.tensors}


def test_a_recurrence_keeps_its_loops_and_has_no_derivative_of_a_function_that_the_forward_pass_left() -> None:
    case = CASES["lstm"]()
    derivation = Derivation(case.program, case.of, case.wrt)
    program = textbook_program(derivation)
    assert [type(s) for s in program.statements].count(Loop) == [type(s) for s in derivation.program.statements].count(Loop)
    assert len(program.equations) < len(derivation.program.equations)
    layers = symbp.parse(RNN)
    bodies = [eq.body for eq in textbook_program(symbp.derive(layers, activation_derivatives="folded")).equations]
    assert any(str(body) == "(1 - h1[t + 1, n, k]**2)*h1_bar[t + 1, n, k]" for body in bodies)
    assert not any(any(f.orders) for body in bodies for f in body.atoms(Defined))


def test_equal_helpers_are_one() -> None:
    program: Program = textbook_program(symbp.derive(symbp.load("examples/gated.toml"), activation_derivatives="folded"))
    bodies = [(eq.body, eq.over) for eq in program.equations if program.tensor(eq.target.name).auxiliary and "S" in eq.target.name]
    assert len(bodies) == len(set(map(str, bodies)))
