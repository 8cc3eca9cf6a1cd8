"""The ladder: it passes on right gradients, and each rung fails on wrong ones by its own power."""
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from programs import CASES
from recurrences import ALL
from torch_help import load_torch

import symbp as sb
from symbp.calculus import differentiate, local
from symbp.calculus.differentiate import adjoint
from symbp.certify.exact import brute_force, exact, symbolic_run
from symbp.certify.ladder import check, shrunk
from symbp.certify.numeric import Point, differences, identity
from symbp.certify.result import FAILED, NOT_RUN, PASSED, CheckReport, GradientCertificate, RungResult
from symbp.certify.sample import constraint, draw
from symbp.certify.smaller import smaller
from symbp.errors import LanguageError
from symbp.interpret import interpret
from symbp.language import Equation, Fact, Index, Program, Tensor, size, sums_to_one
from symbp.language.functions import step
from symbp.layers import Convolution, Flatten
from symbp.netfile import parse

EXAMPLES = Path(__file__).parent.parent / "examples"


def statuses(report: CheckReport) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for gradient in report.gradients:
        for rung in gradient.rungs:
            found.setdefault(rung.rung, set()).add(rung.status)
    return found


@pytest.mark.parametrize("name", [n for n in CASES if not n.startswith("body")])
def test_every_test_program_is_certified(name: str):
    case = CASES[name]()
    report = check(case.program, case.of, case.wrt)
    assert report.passed, report.table()
    found = statuses(report)
    assert found["identity"] == found["differences"] == {PASSED}
    assert found["exact"] <= {PASSED, NOT_RUN}


@pytest.mark.parametrize("name", ALL)
def test_recurrences_are_certified_on_every_rung(name: str):
    report = check(ALL[name]().program, "J")
    assert report.passed, report.table()
    assert statuses(report)["exact"] == {PASSED}


CONVOLUTIONAL = ("lenet", "cifar_cnn", "cifar_residual")
"""Examples whose extents follow from one another; they are certified as networks of the same layers with few units."""
TOO_LARGE_FOR_SYMBOLS = ("mnist_deep", "deep_relu",  # the steps of relus have too many cases
                         "char_transformer",  # variances under a softmax have too many terms
                         "lenet")  # so many pixels


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_a_smaller_network_has_the_same_equations(name: str):
    net = sb.load(EXAMPLES / f"{name}.toml")
    small = smaller(net)
    assert small is not None and [t.name for t in small.parameters] == [t.name for t in net.parameters]
    assert [(eq.target.name, eq.op, eq.label) for eq in small.program.equations] == [
        (eq.target.name, eq.op, eq.label) for eq in net.program.equations]
    assert max(int(e) for t in small.parameters for e in t.shape) <= 12


def test_groups_and_heads_divide_small_widths_too():
    grouped = [Convolution(type="conv1d", filters=12, kernel=3, padding=1), Convolution(type="conv1d", filters=8, kernel=3, groups=4),
               Flatten(), sb.Dense(units=6)]
    small = smaller(sb.Network.of_layers("grouped", grouped, sb.SquaredError(), input=[5, 30]))
    assert small is not None and [int(t.shape[0]) % 4 for t in small.parameters if t.name.startswith("K")] == [0, 0]
    assert smaller(sb.Network.of_equations("none", ["L = sum(i, w[i]^2)"], {"w": {"axes": ["i"], "role": "parameter"}}, loss="L",
                                           indices={"i": 700})) is None


@pytest.mark.parametrize("path", [p for p in sorted(EXAMPLES.glob("*.toml")) if p.stem not in CONVOLUTIONAL[1:]], ids=lambda p: p.stem)
def test_examples_are_certified(path: Path):
    report = sb.check(sb.load(path))
    assert report.passed, report.table()
    assert statuses(report)["exact"] == {NOT_RUN if path.stem in TOO_LARGE_FOR_SYMBOLS else PASSED}


def test_autograd_agrees_where_torch_is_installed():
    load_torch()
    for name in ("conv2d", "max_pool2d", "lstm", "causal attention", "cross-entropy with integer targets"):
        case = CASES[name]()
        assert statuses(check(case.program, case.of, case.wrt))["independent"] == {PASSED}


def rungs_of(program: Program, of: str, derivative: object = None) -> dict[str, str]:
    """The statuses of the rungs that need no torch, for the first parameter."""
    derivative = derivative or adjoint(program, of)
    sample, rng = draw(program, 1), np.random.default_rng(2)
    point, name = Point.at(program, derivative, sample, rng), derivative.wrt[0]
    results = (exact(symbolic_run(program, derivative), name, rng), identity(point, name, rng), differences(point, name, rng))
    return {r.rung: r.status for r in results}


def mlp() -> Program:
    return shrunk(sb.load(EXAMPLES / "mnist_mlp.toml").program)


def test_right_gradients_pass():
    assert set(rungs_of(mlp(), "L").values()) == {PASSED}


def test_a_gradient_that_almost_vanishes_has_the_rounding_of_the_others():
    """A norm of two features leaves ±1, whatever comes in: what is left of the gradients before it is rounding."""
    pair = '[[layers]]\ntype = "multi_head_self_attention"\nheads = 1\n[[layers]]\ntype = "layer_norm"\n'
    network = parse(f'name = "net"\n[input]\nshape = [5, 2]\n[target]\nshape = [3]\n{pair}{pair}[[layers]]\ntype = "flatten"\n'
                    '[[layers]]\ntype = "dense"\nunits = 3\n[loss]\ntype = "huber"\n')
    program, rng = network.program.given(), np.random.default_rng(3)
    derivative = adjoint(program, network.loss)
    point = Point.at(program, derivative, draw(program, 2), rng)
    assert np.abs(point.gradient("b_o1")).max() < 1e-8 * point.largest
    assert {identity(point, name, rng).status for name in derivative.wrt} == {PASSED}
    wrong = {**point.arrays, derivative.names["b_o1"]: point.gradient("b_o1") * 1.01}
    assert identity(replace(point, arrays=wrong), "b_o1", rng).status == FAILED


@pytest.mark.parametrize("factor", [sp.Rational(101, 100), -1, 2])
def test_a_scaled_term_fails_every_rung(factor: sp.Expr):
    program = mlp()
    right = adjoint(program, "L")
    wrong = tuple(replace(s, body=s.body * factor) if isinstance(s, Equation) and s.target.name == "W1_bar" else s
                  for s in right.program.statements)
    broken = replace(right, program=replace(right.program, statements=wrong))
    assert set(rungs_of(program, "L", broken).values()) == {FAILED}


def test_a_wrong_local_derivative_fails_against_sympy_and_differences(monkeypatch: pytest.MonkeyPatch):
    """Forward mode uses the same table, so the identity alone would not see it: that is why there are other rungs."""
    monkeypatch.setitem(local.PRIMITIVE, sp.exp, (lambda x: sp.exp(x) * sp.Rational(101, 100),))
    monkeypatch.setattr(local, "_PRIMES", {})
    found = rungs_of(CASES["cross-entropy one-hot"]().program, "L")
    assert found["exact"] == found["differences"] == FAILED


def test_a_dropped_domain_fails(monkeypatch: pytest.MonkeyPatch):
    case = CASES["two guards"]()
    original = differentiate._Adjoint.write
    monkeypatch.setattr(differentiate._Adjoint, "write",
                        lambda self, source, target, body, indices, domain: original(self, source, target, body, indices, ()))
    try:
        report = check(case.program, case.of, ["W"])
    except LanguageError as error:
        assert "can leave its axis" in str(error)
    else:
        assert not report.passed


def test_a_loop_that_is_not_reversed_is_refused_or_fails(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(differentiate, "OPPOSITE", {"ascending": "ascending", "descending": "descending"})
    with pytest.raises(LanguageError, match="not yet written"):
        check(ALL["over_time"]().program, "J")


def test_a_missing_contribution_fails(monkeypatch: pytest.MonkeyPatch):
    program = ALL["residual"]().program
    original = differentiate._Pass.active
    monkeypatch.setattr(differentiate._Pass, "active", lambda self, eq: original(self, eq)[:1])
    assert not check(program, "J").passed


def test_facts_are_respected_by_the_draw():
    n, k, N = Index("n", size("N")), Index("k", 4), size("N")
    t, p, q = Tensor("t", (N, 4), role="input"), Tensor("p", (N, 4), role="input"), Tensor("q", (N, 4), role="input")
    facts = (sums_to_one(t, n, k), Fact(t[n, k]**2, "==", t[n, k]), sums_to_one(p, n, k), Fact(q[n, k], ">", 0), Fact(q[n, k], "<=", 1))
    s = Tensor("s")
    program = Program((t, p, q, s), (Equation(s[()], t[n, k] + p[n, k] + q[n, k], over=(n, k)),), facts)
    for seed in range(5):
        sample = draw(program, seed)
        assert set(np.unique(sample.values["t"])) <= {0.0, 1.0}
        assert np.allclose(sample.values["t"].sum(1), 1)
        assert np.allclose(sample.values["p"].sum(1), 1)
        assert (sample.values["q"] > 0).all()
        assert (sample.values["q"] <= 1).all()
        interpret(program, sample.values, sample.sizes)


def test_an_unknown_fact_is_quoted():
    x, s, i = Tensor("x", (3,), role="parameter"), Tensor("s"), Index("i", 3)
    program = Program((x, s), (Equation(s[()], x[i], over=(i,)),), (Fact(x[i]**3, "==", 2),))
    with pytest.raises(LanguageError, match=r"x\[i\]\*\*3 == 2"):
        constraint(program, x)


def test_draws_stay_away_from_kinks():
    program = mlp()
    for seed in range(5):
        sample = draw(program, seed)
        assert np.abs(interpret(program, sample.values, sample.sizes)["z1"]).min() > 1e-3


def test_large_extents_are_made_small_and_different():
    small = mlp()
    extents = [int(e) for e in small.tensor("W1").shape + small.tensor("W2").shape]
    assert max(extents) < 8
    assert small.tensor("W1").shape[0] == small.tensor("W2").shape[1]
    assert len(set(extents)) == 3


def test_brute_force_is_sympys_derivative():
    x, y = sp.symbols("x y", real=True)
    assert brute_force(sp.sin(x * y), x) == y * sp.cos(x * y)
    assert brute_force(sp.Abs(x), x) == 2 * step(x, sp.Rational(1, 2)) - 1


def test_the_report_as_table_and_json():
    report = sb.check("sum(i, w[i]^2)", wrt="w")
    assert report.passed
    assert "∂y/∂w" in report.table()
    assert "all hold" in report.table()
    assert json.loads(json.dumps(report.to_json()))["passed"] is True


def test_nothing_passes_without_an_independent_rung():
    only = GradientCertificate("w", (RungResult("identity", PASSED, 0.0), RungResult("exact", NOT_RUN)))
    assert not CheckReport("L", 0, (only,)).passed
    assert not CheckReport("L", 0, ()).passed
    failed = GradientCertificate("w", (RungResult("exact", PASSED), RungResult("differences", FAILED, 1.0)))
    assert not CheckReport("L", 0, (failed,)).passed
    assert "NOT certified" in CheckReport("L", 0, (failed,)).table()


def test_the_same_seed_gives_the_same_figures():
    program = mlp()
    assert check(program, "L", seed=3).to_json() == check(program, "L", seed=3).to_json()


@pytest.mark.parametrize("formula", ["sum(i, log(x[i]))", "sum(i, sqrt(x[i]))", "sum(i, x[i]^(1/3)*log(1 - x[i]))",
                                     "log(sum(i, w[i]*x[i]))"])
def test_a_draw_stays_where_logs_and_roots_are_defined(formula: str, recwarn: pytest.WarningsRecorder):
    for seed in range(3):
        report = sb.check(formula, seed=seed)
        assert report.passed, report.table()
    assert not recwarn.list


def test_what_is_nowhere_finite_is_said():
    with pytest.raises(LanguageError, match="finite"):
        sb.check("sum(i, log(-x[i]^2))")


def test_a_gradient_that_is_no_number_passes_no_rung_of_numbers():
    """0^s has no derivative by s that is a number; a comparison with nan must not count as agreement."""
    (by_s,) = [g for g in sb.check("[n == j]^s").gradients if g.name == "s"]
    assert all(rung.status in (FAILED, NOT_RUN) for rung in by_s.rungs if rung.rung != "exact"), by_s.rungs
