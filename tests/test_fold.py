"""Folding: known gradients come out of definitions, without a rule that names a function; every step is evaluated."""
from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from classifiers import (
    K,
    L,
    N,
    a,
    binary,
    epsilon,
    integer,
    log_sum_exp,
    n,
    one_hot,
    p,
    run_values,
    smoothed,
    squared,
    t,
    tau,
    tempered,
    y,
    z,
)
from classifiers import k as kk

from symbp.certify.steps import check_steps
from symbp.derivation import Derivation, Options
from symbp.errors import LanguageError
from symbp.interpret import interpret
from symbp.language import Access, Equation, Fact, Index, Program, Tensor
from symbp.language.build import Reduce
from symbp.language.functions import define, equal, gelu, relu, sigmoid, silu, softplus, tanh
from symbp.passes.fold import eliminate, open_definitions
from symbp.passes.relations import relations

k = kk


def gradient(program: Program, **options: object) -> sp.Expr:
    """The folded derivative of L by z, after every step of its derivation was evaluated."""
    derivation = Derivation(program, "L", options=Options(**options))
    arrays = interpret(derivation.program, run_values(program, np.random.default_rng(7)), {"N": 5})
    results = check_steps(derivation, arrays, {"N": 5})
    assert results
    assert all(r.error < 1e-8 for r in results)
    (line,) = derivation["z"].lines
    assert np.allclose(arrays[line.target.name], _values(derivation, line, arrays), rtol=1e-10, atol=1e-12)
    return line.right


def _values(derivation: Derivation, line: object, arrays: dict) -> np.ndarray:
    from symbp.certify.steps import evaluate
    return evaluate(derivation, line.right, line, arrays, {"N": 5})


def same(left: sp.Expr, right: sp.Expr) -> bool:
    return sp.expand(left - right) == 0


def test_softmax_with_cross_entropy_uses_the_declared_fact():
    assert same(gradient(one_hot()), (p[n, k] - t[n, k]) / N)


def test_without_the_fact_the_sum_of_targets_stays():
    right = gradient(one_hot(), facts="ignored")
    m = Index("k'", K)
    assert same(right, (p[n, k] * Reduce("sum", t[n, m], [m]) - t[n, k]) / N)


def test_the_derivation_says_which_fact_it_used():
    steps = Derivation(one_hot(), "L")["z"].steps
    (used,) = [s for s in steps if s.rule == "fact used"]
    assert [str(f) for f in used.facts] == ["sum(k, t[n, k]) == 1"]
    assert not any(s.facts for s in Derivation(one_hot(), "L", options=Options(facts="ignored"))["z"].steps)


def test_label_smoothing():
    assert same(gradient(smoothed()), (p[n, k] - (1 - epsilon[()]) * t[n, k] - epsilon[()] / 4) / N)


def test_temperature():
    assert same(gradient(tempered()), (p[n, k] - t[n, k]) / (N * tau[()]))


def test_integer_targets_give_a_bracket():
    assert same(gradient(integer()), (p[n, k] - equal(k, Access("t", n))) / N)


def test_log_sum_exp_gives_the_same_with_the_quotient_written_out():
    right = gradient(log_sum_exp())
    assert same(right, (Access("e", n, k) / Access("S", n) - equal(k, Access("t", n))) / N)


def test_binary_cross_entropy_of_a_sigmoid():
    assert same(gradient(binary()), (a[n, k] - y[n, k]) / N)


@pytest.mark.parametrize(("function", "folded"), [(sigmoid, a[n, k] * (1 - a[n, k])), (tanh, 1 - a[n, k]**2)])
def test_the_reader_chooses_how_an_activation_derivative_prints(function: type, folded: sp.Expr):
    assert same(gradient(squared(function), activation_derivatives="folded"), (a[n, k] - y[n, k]) * folded / N)
    kept = gradient(squared(function), activation_derivatives="kept")
    assert {type(f).__name__ for f in kept.atoms(sp.Function)} == {function.__name__ + "'"}


u = sp.exp(z[n, k])


@pytest.mark.parametrize(("body", "folded"), [
    (u / (1 + u), a[n, k] * (1 - a[n, k])), (1 - 1 / (1 + u), a[n, k] * (1 - a[n, k])), (1 / (1 + 1 / u), a[n, k] * (1 - a[n, k])),
    ((u - 1 / u) / (u + 1 / u), 1 - a[n, k]**2), ((u**2 - 1) / (u**2 + 1), 1 - a[n, k]**2), (2 / (1 + 1 / u**2) - 1, 1 - a[n, k]**2)], ids=str)
def test_activations_written_out_by_hand_fold_in_every_spelling(body: sp.Expr, folded: sp.Expr):
    program = squared(sigmoid)
    program = Program(program.tensors, (Equation(a[n, k], body), program.statements[1]))
    assert same(gradient(program), (a[n, k] - y[n, k]) * folded / N)


def test_binary_cross_entropy_of_a_sigmoid_written_out_by_hand():
    program = Program(binary().tensors, (Equation(a[n, k], u / (1 + u)), binary().statements[1]))
    assert gradient(program) in ((a[n, k] - y[n, k]) / N, sp.expand((a[n, k] - y[n, k]) / N))


def test_auto_keeps_the_name_where_folding_is_no_shorter():
    assert gradient(squared(sigmoid)).has(sp.Function)
    assert not gradient(binary(), activation_derivatives="auto").has(sp.Function)


@pytest.mark.parametrize("function", [relu, gelu, silu, softplus])
@pytest.mark.parametrize("choice", ["auto", "folded", "kept"])
def test_every_activation_folds_to_something_equal(function: type, choice: str):
    assert gradient(squared(function), activation_derivatives=choice) != 0


def test_a_function_under_any_name_folds_alike():
    """No rule names sigmoid: the same definition under another name gives the same result."""
    gate = define("gate", lambda x: 1 / (1 + sp.exp(-x)))
    assert same(gradient(squared(gate), activation_derivatives="folded"), (a[n, k] - y[n, k]) * a[n, k] * (1 - a[n, k]) / N)


def test_no_pass_names_a_function():
    from pathlib import Path

    import symbp
    package = Path(symbp.__file__).parent
    for file in [f for part in ("passes", "derivation", "calculus") for f in (package / part).glob("*.py")]:
        code = "\n".join(line.split("#")[0] for line in file.read_text(encoding="utf-8").splitlines()
                         if '"""' not in line and ">>>" not in line and not line.strip().startswith(("stage", "Stage")))
        for name in ("import sigmoid", "import tanh", "sigmoid(", "tanh(", "== 'softmax'", '== "softmax"'):
            assert name not in code.replace("_softmax(", ""), f"{file.name} names {name}"


def test_the_reader_chooses_the_atoms():
    right = gradient(one_hot(), keep=frozenset({"p", "t"}))
    assert {x.name for x in right.atoms(Access)} == {"p", "t"}


def test_relations_are_solved_definitions():
    found = {str(r.source): (r.power, str(r.value)) for r in relations(one_hot())}
    assert found == {"exp(z[n, k])": (1, "e[n, k]"), "e[n, k]": (1, "S[n]*p[n, k]")}
    (relation,) = relations(squared(tanh))
    assert relation.power == 2


def test_every_relation_is_an_identity():
    from symbp.certify.equality import decide
    for program in (one_hot(), tempered(), squared(sigmoid), squared(tanh)):
        for relation in relations(program):
            body = {eq.target: eq.body for eq in program.equations if not eq.over}
            value = relation.value.xreplace({Access(x.name, *x.indices): body[x] for x in relation.value.atoms(Access) if x in body})
            assert decide(relation.source.xreplace(body)**relation.power, value.xreplace(body)).equal


def test_odd_powers_of_an_exponential_stay():
    """tanh's relation knows e^{2z} only; e^z alone cannot be eliminated through it."""
    rules = relations(squared(tanh))
    assert eliminate(sp.exp(z[n, k]), rules, ()) == sp.exp(z[n, k])
    assert sp.cancel(eliminate(sp.exp(2 * z[n, k]), rules, ()) - (1 + a[n, k]) / (1 - a[n, k])) == 0


def test_an_argument_that_is_a_sum_folds_too():
    """a = σ(s + b): the exponent of e^{2s + 2b} is recognised as twice the sum."""
    from symbp.derivation import derive
    from symbp.network import Network
    net = Network.of_equations("logistic", ["a[n] = sigmoid(sum(i, w[i]*x[n,i]) + b)",
                                            "L = -mean(n, y[n]*log(a[n]) + (1 - y[n])*log(1 - a[n]))"], loss="L",
                               indices={"n": "N", "i": 4}, tensors={"x": {"axes": ["n", "i"]}, "y": {"axes": ["n"]},
                                                                   "w": {"axes": ["i"], "role": "parameter"}, "b": {"role": "parameter"}})
    shown = derive(net)["w"].latex()
    assert shown == r"\frac{\partial L}{\partial w_{i}} = \frac{1}{N} \sum_{n} x_{ni} \left(a_{n} - y_{n}\right)"


def test_an_argument_of_many_parts_folds_too():
    """A recurrence with a bias: tanh'(U x + W g + b + c) is 1 - h², however many tensors the argument reads."""
    from symbp.derivation import derive
    from symbp.network import Network
    tensors = {"x": {"axes": ["j"]}, "g": {"axes": ["k"]}, "y": {"axes": ["i"]}, "c": {"axes": ["i"]},
               "U": {"axes": ["i", "j"], "role": "parameter"}, "W": {"axes": ["i", "k"], "role": "parameter"}, "b": {"axes": ["i"], "role": "parameter"}}
    net = Network.of_equations("cell", ["h[i] = tanh(sum(j, U[i,j]*x[j]) + sum(k, W[i,k]*g[k]) + b[i] + c[i])", "L = sum(i, (h[i] - y[i])^2)/2"],
                               loss="L", indices={"i": 3, "j": 2, "k": 3}, tensors=tensors)
    shown = derive(net)["b"].latex()
    assert shown == r"\frac{\partial L}{\partial b_{i}} = \left(1 - h_{i}^{2}\right) \left(h_{i} - y_{i}\right)"


def test_opening_leaves_what_stays_transcendental():
    from symbp.calculus.local import prime
    assert open_definitions(prime(gelu)(z[n, k]), relations(squared(gelu))) == prime(gelu)(z[n, k])


def test_a_wrong_fact_is_found_by_the_oracle():
    """A derivation may use a false fact; data that violate it are refused."""
    wrong = Fact(t[n, k], "==", 2, over=(k,))
    program = Program((z, Tensor("t", (N, K), role="input"), L), (Equation(L[()], z[n, k] * t[n, k], over=(n, k)),), (wrong,))
    with pytest.raises(LanguageError, match="violate the fact"):
        interpret(program, run_values(program, np.random.default_rng(0)), {"N": 5})


def test_an_unknown_choice_offers_the_nearest():
    with pytest.raises(LanguageError, match='did you mean "folded"'):
        Options(activation_derivatives="fold")
