"""General depth: BP1–BP4 and their relatives come out of loops by one pass, and every case is evaluated."""
from __future__ import annotations

import numpy as np
import pytest
from recurrences import ALL, of_any_activation, of_widths, over_time, residual, skip_over_two, softmax_last, tied

import symbp as sb
from symbp.certify.steps import check_steps, evaluate
from symbp.derivation import Derivation
from symbp.interpret import interpret

FUNCTIONS = {"sigma": lambda z: np.tanh(z) + 0.3 * np.sin(z), "sigma'": lambda z: 1 - np.tanh(z)**2 + 0.3 * np.cos(z)}


def lines(derivation: Derivation, name: str) -> list[str]:
    return [line.latex() for line in derivation[name].lines]


@pytest.mark.parametrize("name", ALL)
def test_every_step_of_every_case_is_an_equality(name: str):
    case = ALL[name]()
    derivation = Derivation(case.program, "J")
    arrays = interpret(derivation.program, case.draw(np.random.default_rng(3)), case.sizes, functions=FUNCTIONS)
    results = check_steps(derivation, arrays, case.sizes, FUNCTIONS)
    assert len(results) > 5
    assert all(r.error < 1e-8 for r in results)


@pytest.mark.parametrize("name", ALL)
def test_the_cases_together_are_the_gradient_of_the_raw_program(name: str):
    """Each line's right side, on its own rows, equals what the adjoint program computes there."""
    case = ALL[name]()
    derivation = Derivation(case.program, "J")
    arrays = interpret(derivation.program, case.draw(np.random.default_rng(4)), case.sizes, functions=FUNCTIONS)
    for tensor in derivation.names:
        for line in derivation[tensor].lines:
            left, right = (evaluate(derivation, e, line, arrays, case.sizes, FUNCTIONS) for e in (line.target, line.right))
            assert np.allclose(left, right, rtol=1e-10, atol=1e-12), line.latex()


@pytest.mark.parametrize("name", ALL)
def test_the_rows_of_the_cases_cover_the_axis(name: str):
    case = ALL[name]()
    derivation = Derivation(case.program, "J")
    for tensor in derivation.names:
        axis = derivation.program.tensor(tensor)
        if not axis.level_axis:
            continue
        covered = [r for line in derivation[tensor].lines for r in _rows(line.target.indices[0], case.sizes)]
        first, count = int(axis.origin[0]), int(axis.shape[0].subs({s: case.sizes[s.name] for s in axis.shape[0].free_symbols}))
        assert sorted(covered) == list(range(first, first + count))


def _rows(row: object, sizes: dict) -> range:
    values = {s: sizes[s.name] for e in (getattr(row, "extent", row), getattr(row, "start", row)) for s in e.free_symbols
              if s.name in sizes}
    if hasattr(row, "extent"):
        start = int(row.start.subs(values))
        return range(start, start + int(row.extent.subs(values)))
    return range(int(row.subs(values)), int(row.subs(values)) + 1)


@pytest.mark.parametrize("make", [of_widths, of_any_activation])
def test_the_four_equations_of_backpropagation(make: callable):
    """Nielsen's BP1–BP4 (Neural Networks and Deep Learning, chapter 2), for widths n(l)."""
    d = Derivation(make().program, "J")
    assert lines(d, "z") == [
        r"\delta^{(L)}_{j} = \left(a^{(L)}_{j} - y_{j}\right) \sigma'\left(z^{(L)}_{j}\right)",
        r"\delta^{(l)}_{j} = \left(\sum_{j'} W^{(l + 1)}_{j'j} \delta^{(l + 1)}_{j'}\right) \sigma'\left(z^{(l)}_{j}\right)"
        r" \qquad \left(1 \le l \le L - 1\right)"]
    assert lines(d, "b") == [r"\frac{\partial J}{\partial b^{(l)}_{j}} = \delta^{(l)}_{j}"]
    assert lines(d, "W") == [r"\frac{\partial J}{\partial W^{(l)}_{ji}} = \delta^{(l)}_{j} a^{(l - 1)}_{i}"]


def test_residual_layers_pass_the_cotangent_on():
    d = Derivation(residual().program, "J")
    assert r"+ \frac{\partial J}{\partial a^{(l + 1)}_{j}} \qquad" in lines(d, "a")[1]


def test_tied_weights_sum_over_the_layers():
    assert lines(Derivation(tied().program, "J"), "W") == [
        r"\frac{\partial J}{\partial W_{ji}} = \sum_{l} \delta^{(l)}_{j} a^{(l - 1)}_{i}"]


def test_a_skip_over_two_layers_has_two_boundary_rows():
    shown = lines(Derivation(skip_over_two().program, "J"), "a")
    assert r"\frac{\partial J}{\partial a^{(L)}_{j}} = a^{(L)}_{j} - y_{j}" in shown
    assert r"\frac{\partial J}{\partial a^{(L - 1)}_{j}} = \sum_{j'} W^{(L)}_{j'j} \delta^{(L)}_{j'}" in shown
    assert any(r"\frac{\partial J}{\partial a^{(l + 2)}_{j}} \qquad \left(1 \le l \le L - 2\right)" in s for s in shown)


def test_a_softmax_last_layer_differs_at_the_boundary_only():
    shown = lines(Derivation(softmax_last().program, "J"), "z")
    assert shown[0] == r"\delta^{(L)}_{j} = p_{j} - y_{j}"
    assert shown[1].endswith(r"\left(1 \le l \le L - 1\right)")
    assert len(shown) == 2


def test_backpropagation_through_time():
    d = Derivation(over_time().program, "J")
    last, inner = lines(d, "z")
    assert last.startswith(r"\delta_{T - 1, j} = ")
    assert r"\delta_{t + 1, j'}" not in last
    assert r"\sum_{j'} W_{j'j} \delta_{t + 1, j'}" in inner
    assert lines(d, "W") == [r"\frac{\partial J}{\partial W_{ji}} = \sum_{t} \delta_{tj} h_{ti}"]


def test_no_pass_knows_layers_or_time():
    from pathlib import Path

    import symbp
    source = (Path(symbp.__file__).parent / "passes" / "unroll_recurrence.py").read_text(encoding="utf-8")
    code = source.split('"""', 2)[2]
    for word in ("sigma", "dense", "layer", "weight", '"z"', '"a"'):
        assert word not in code


def test_an_index_of_the_element_is_none_of_the_writers() -> None:
    """A scattered contribution i + u − 1 beside a plain one at i: the two i are different (u is not 1)."""
    i, u = sb.Index("i", 5), sb.Index("u", 3)
    a, w, z, r, loss = (sb.Tensor(n, s, role=role) for n, s, role in (
        ("a", (5,), "parameter"), ("w", (3,), "parameter"), ("z", (5,), "intermediate"), ("r", (5,), "intermediate"), ("L", (), "intermediate")))
    program = sb.Program((a, w, z, r, loss), (
        sb.Equation(z[i], w[u] * a[i + u - 1], over=(u,), domain=sb.inside(a[i + u - 1], a)),
        sb.Equation(r[i], z[i]), sb.Equation(r[i], a[i]), sb.Equation(loss[()], r[i]**3, over=(i,))))
    derivation = Derivation(program, "L", ["a"])
    values = {"a": np.linspace(-1, 2, 5), "w": np.array([0.5, -2.0, 3.0])}
    arrays = interpret(derivation.program, values)
    for line in derivation["a"].lines:
        left, right = (evaluate(derivation, e, line, arrays, {}, {}) for e in (line.target, line.right))
        assert np.allclose(left, right, rtol=1e-12)
