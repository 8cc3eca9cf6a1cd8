"""The Jacobian of one step of a recurrence: read off the calculus' recurrence, and compared with differences of the oracle."""
from __future__ import annotations

import numpy as np
import pytest

import symbp as sb
from symbp.derivation.transition import transition
from symbp.errors import LanguageError
from symbp.interpret import interpret

TEXT = """name = "net"
[input]
shape = [4, 2]
[[layers]]
type = "{kind}"
units = 3
direction = "{direction}"
[loss]
type = "squared_error"
"""


def of(kind: str = "rnn", direction: str = "forward", choice: str = "folded") -> tuple[sb.Network, sb.Derivation]:
    net = sb.parse(TEXT.format(kind=kind, direction=direction))
    return net, sb.derive(net, activation_derivatives=choice)


def test_a_step_of_the_simple_layer() -> None:
    found = transition(of()[1], "h1")
    assert (str(found.new), str(found.old)) == ("h1[t + 1, n, k]", "h1[t, n, m]")
    assert str(found.value) == "(1 - h1[t + 1, n, k]**2)*U1[k, m]"
    assert found.product.replace(" ", "") == (r"\frac{\partialh_{4}}{\partialh_{s}}=\prod_{t=s}^{3}"
                                              r"\frac{\partialh_{t+1}}{\partialh_{t}}")
    assert r"\tanh'" in transition(of(choice="kept")[1], "h1").line


def test_against_time_the_product_ends_at_the_first_row() -> None:
    found = transition(of(direction="backward")[1], "h1")
    assert found.product.replace(" ", "").startswith(r"\frac{\partialh_{0}}{\partialh_{s}}=\prod_{t=1}^{s}")


def test_the_product_of_the_steps_is_the_jacobian_of_many() -> None:
    net, derivation = of()
    rng = np.random.default_rng(0)
    values = {t.name: rng.normal(size=[1 if str(e) == "N" else int(e) for e in t.shape]) for t in net.program.inputs}
    h = interpret(net.program, values, {"N": 1})["h1"][:, 0]
    assert str(transition(derivation, "h1").value) == "(1 - h1[t + 1, n, k]**2)*U1[k, m]"
    product = np.eye(3)
    for t in range(1, 4):
        product = ((1 - h[t + 1]**2)[:, None] * values["U1"]) @ product

    def last(state: np.ndarray) -> np.ndarray:
        for t in range(1, 4):
            state = np.tanh(values["W1"] @ values["x"][0, t] + values["U1"] @ state + values["b1"])
        return state

    step = 1e-6
    columns = [(last(h[1] + step * e) - last(h[1] - step * e)) / (2 * step) for e in np.eye(3)]
    np.testing.assert_allclose(product, np.stack(columns, axis=1), atol=1e-8)


@pytest.mark.parametrize(("kind", "state", "message"), [
    ("lstm", "h1", "comes through"), ("gru", "h1", "comes through"), ("rnn", "h2", "no gradient reaches"), ("rnn", "a1", "no loop")])
def test_what_has_no_single_jacobian_says_so(kind: str, state: str, message: str) -> None:
    with pytest.raises(LanguageError, match=message):
        transition(of(kind)[1], state)
