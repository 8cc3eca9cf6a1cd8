"""Tensors that are held: their values are calculated, and nothing is differentiated through them."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from symbp.calculus.differentiate import adjoint, dependents, influences, tangent
from symbp.interpret import interpret
from symbp.language import Equation, Index, Loop, Program, Tensor
from symbp.language.conventions import Conventions

i = Index("i", 3)
x, h, y = Tensor("x", (3,), role="parameter"), Tensor("h", (3,), held=True), Tensor("y", (3,))
gate = Program((x, h, y), (Equation(h[i], x[i] ** 2), Equation(y[i], h[i] * x[i] ** 3)))
X = np.array([1, 2, 3])


def free(program: Program) -> Program:
    """The same program with nothing held."""
    return replace(program, tensors=tuple(replace(t, held=False) for t in program.tensors))


def test_nothing_flows_through_a_held_tensor_that_is_read_beside_others() -> None:
    assert dependents(gate, ("x",)) == {"x", "y"}
    assert influences(gate, "y") == {"y", "x", "h"}
    derived, forward = adjoint(gate, "y"), tangent(gate)
    assert set(derived.names) == {"x", "y"} == set(forward.names)
    found = interpret(derived.program, {"x": X, "y_bar": [1, 1, 1]}, numbers="rational")
    assert found["x_bar"].tolist() == [3 * v**4 for v in (1, 2, 3)]
    assert interpret(forward.program, {"x": X, "x_dot": [1, 1, 1]}, numbers="rational")["y_dot"].tolist() == [3 * v**4 for v in (1, 2, 3)]
    whole = interpret(adjoint(free(gate), "y").program, {"x": X, "y_bar": [1, 1, 1]}, numbers="rational")
    assert whole["x_bar"].tolist() == [5 * v**4 for v in (1, 2, 3)]


def test_a_held_tensor_stops_only_its_own_way() -> None:
    """What a held tensor is made of counts for a result only where there is another way to it."""
    s = Tensor("s")
    program = Program((x, h, s), (Equation(h[i], x[i] ** 2), Equation(s[()], h[i], over=(i,))))
    assert influences(program, "s") == {"s", "h"}
    found = interpret(adjoint(program, "s").program, {"x": X})
    assert found["x_bar"].tolist() == [0, 0, 0]


def test_a_derivative_by_a_held_tensor_can_be_differentiated_again() -> None:
    once = adjoint(gate, "y", ("h",))
    assert not once.program.tensor("h_bar").held
    twice = adjoint(once.program, "h_bar", ("x",))
    found = interpret(twice.program, {"x": X, "y_bar": [1, 1, 1], twice.seed: [1, 1, 1]}, numbers="rational")
    assert found[twice.names["x"]].tolist() == [3 * v**2 for v in (1, 2, 3)]


@pytest.mark.parametrize("ties", ["first", "split"])
def test_what_a_maximum_needs_besides_is_neither_held_nor_a_next_value(ties: str) -> None:
    top, k = Tensor("top", (3,), held=True, next_of="x"), Index("k", 2)
    z = Tensor("z", (3, 2), role="parameter")
    program = Program((x, z, top), (Equation(top[i], z[i, k], "max", over=(k,)),), conventions=Conventions(ties=ties))
    derived = adjoint(program, "top", ("z",))
    assert [(t.held, t.next_of) for t in derived.program.tensors[3:]] == [(False, "")] * 3


def test_truncated_backpropagation_is_a_held_copy_in_the_loop() -> None:
    """s ← held(s) + w: the last state depends on the last w only."""
    t, w = Index("t", 3), Tensor("w", (3,), role="parameter")
    s, kept = Tensor("s", (4,), role="state"), Tensor("kept", (3,), held=True)
    body = (Equation(kept[t], s[t]), Equation(s[t + 1], kept[t] * w[t]))
    program = Program((w, s, kept), (Equation(s[0], 1), Loop(t, "ascending", body)))
    for made, expected in ((program, [0, 0, 6]), (free(program), [15, 10, 6])):
        derived = adjoint(made, "s")
        found = interpret(derived.program, {derived.seed: [0, 0, 0, 1], "w": [2, 3, 5]}, numbers="rational")
        assert found["w_bar"].tolist() == expected
