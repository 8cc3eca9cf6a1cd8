"""From nested expressions to flat equations, and the closed forms back from them."""
from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from symbp.derivation import derive
from symbp.errors import LanguageError
from symbp.interpret import interpret
from symbp.language import Access, Equation, Index, NameSupply, Program, Tensor, inside, size
from symbp.language.build import Builder, Guard, Reduce, total
from symbp.language.facts import Fact
from symbp.language.functions import equal, sigmoid
from symbp.passes.closed import Writer, at, closed, fresh_bound, reduced, tidy, unify
from symbp.passes.sums import collapse
from symbp.passes.use_facts import use_facts

i, j, k = Index("i", 3), Index("j", 4), Index("k", 3)
W, x, b, y = Tensor("W", (4, 3), role="parameter"), Tensor("x", (3,), role="input"), Tensor("b", (4,), role="parameter"), Tensor("y", (4,))


def built(target: Access, expression: sp.Expr, *tensors: Tensor) -> Program:
    builder = Builder(NameSupply({t.name for t in tensors}))
    builder.assign(target, expression)
    return Program((*tensors, *builder.tensors), builder.equations)


def test_addends_become_contributions_sums_first():
    program = built(y[j], b[j] + total(i, W[j, i] * x[i]), W, x, b, y)
    assert [str(e) for e in program.equations] == ["y[j] += sum(i, x[i]*W[j, i])", "y[j] += b[j]"]


def test_a_sum_inside_a_function_gets_a_helper():
    program = built(y[j], sigmoid(total(i, W[j, i] * x[i])), W, x, y)
    assert [str(e) for e in program.equations] == ["S[j] += sum(i, x[i]*W[j, i])", "y[j] += sigmoid(S[j])"]
    assert program.tensor("S").auxiliary


def test_nested_sums_are_flattened_and_their_names_kept_apart():
    out = Tensor("out")
    program = built(out[()], total(i, x[i] * total(i, x[i])), x, out)
    values = interpret(program, {"x": [1.0, 2.0, 3.0]})
    assert values["out"] == pytest.approx(36.0)


def test_the_square_of_a_sum_is_not_the_sum_of_squares():
    out = Tensor("out")
    program = built(out[()], total(i, x[i])**2 + total(i, x[i]**2), x, out)
    assert interpret(program, {"x": [1.0, 2.0, 3.0]})["out"] == pytest.approx(50.0)


def test_softmax_is_equations():
    program = built(y[j], Reduce("softmax", b[j], [j]), b, y)
    result = interpret(program, {"b": [0.0, 1.0, 2.0, 3.0]})["y"]
    assert result == pytest.approx(np.exp([0, 1, 2, 3]) / np.exp([0, 1, 2, 3]).sum())
    with pytest.raises(LanguageError, match="does not depend on"):
        built(y[j], Reduce("softmax", b[j], [i]), b, y)


def test_a_guard_gives_the_domain_of_the_nearest_sum():
    out, u = Tensor("out", (3,)), Index("u", 3)
    access = x[i + u - 1]
    program = built(out[i], total(u, sp.exp(Guard(access, *inside(access, x)))), x, out)
    assert interpret(program, {"x": [0.0, 0.0, 0.0]})["out"] == pytest.approx([2, 3, 2])


def test_maximum_and_a_maximum_inside_a_sum():
    out = Tensor("out", (4,))
    program = built(out[j], 1 + Reduce("max", W[j, i], [i]), W, out)
    weights = np.arange(12.0).reshape(4, 3)
    assert interpret(program, {"W": weights})["out"] == pytest.approx(1 + weights.max(axis=1))


def test_closed_and_reduced_pull_factors_out():
    assert closed([Equation(y[j], 2 * W[j, i], over=(i,)), Equation(y[j], b[j])]) == b[j] + 2 * Reduce("sum", W[j, i], [i])
    assert reduced("sum", b[j] * x[i], [i]) == b[j] * Reduce("sum", x[i], [i])
    assert tidy(Reduce("sum", b[j] * x[i], [i])) == b[j] * Reduce("sum", x[i], [i])


def test_unify():
    assert unify(W[j, i], W[2, k], [i, j]) == {j: 2, i: k}
    assert unify(sp.exp(-x[i]), sp.exp(-x[k]), [i]) == {i: k}
    assert unify(x[i] * b[j], b[j] * x[k], [i]) == {i: k}
    assert unify(Access("h", i + 1), Access("h", k), [i]) == {i: k - 1}
    assert unify(x[i] + x[i]**2, x[i] + x[k]**2, [i]) is None


def test_what_a_writer_adds_to_one_element():
    tensor, rows, labels = Tensor("g", (3,)), Index("n", 5), Tensor("t", (5,), dtype="int")
    scatter = Writer(Access("g", labels[rows]), Access("u", rows), Equation(Access("g", labels[rows]), Access("u", rows)))
    part = at(scatter, tensor[k])
    assert part.right == Reduce("sum", Access("u", rows) * equal(k, labels[rows]), [rows])
    strided = Writer(Access("g", 2 * i + k), x[i], Equation(Access("g", 2 * i + k), x[i]))
    assert at(strided, tensor[j]).right == Reduce("sum", x[i], [i], [j - 2 * i, 2 * i - j + 2])
    unsolvable = Writer(Access("g", 2 * i + 2 * k), x[i], Equation(Access("g", 2 * i + 2 * k), x[i]))
    assert at(unsolvable, tensor[j]) is None


def test_bound_names_are_kept_apart():
    assert fresh_bound(Reduce("sum", x[i], [i]), {"i"}) == Reduce("sum", Access("x", i.renamed("i'")), [i.renamed("i'")])


def test_collapse():
    m = Index("m", 3)
    assert collapse(Reduce("sum", sp.Integer(2), [i])) == 6
    assert collapse(Reduce("sum", equal(i, m) * x[i], [i])) == x[m]
    assert collapse(Reduce("sum", x[i] + 1, [i])) == Reduce("sum", x[i], [i]) + 3
    assert collapse(Reduce("sum", equal(i, j) * x[i], [i])) == Reduce("sum", equal(i, j) * x[i], [i]), "ranges differ"
    assert collapse(Reduce("sum", equal(i, 2 * m), [i])) == Reduce("sum", equal(i, 2 * m), [i]), "2m may leave the range"
    guarded = Reduce("sum", x[i], [i], [i - 1])
    assert collapse(guarded) == guarded


def test_use_facts():
    n, m = Index("n", 4), Index("m", 3)
    t = Tensor("t", (4, 3))
    facts = [Fact(t[n, k], "==", 1, over=(k,)), Fact(t[n, k]**2, "==", t[n, k])]
    value, used = use_facts(Reduce("sum", t[n, m], [m]) + t[n, i]**3, facts)
    assert value == 1 + t[n, i]
    assert len(used) == 2
    partial = Reduce("sum", t[n, m], [m], [m - 1])
    assert use_facts(partial, facts) == (partial, ())
    columns = Reduce("sum", t[n, m], [n])
    assert use_facts(columns, facts) == (columns, ())


def test_a_bare_formula_is_a_program():
    d = derive("softmax(sum(i, W[k,i]*x[i]) + b[k])", wrt=["W", "b"])
    assert [t.name for t in d.forward.parameters] == ["W", "b"]
    assert d.of == "y"
    assert size("n_k") in d.forward.sizes
    with pytest.raises(LanguageError, match="nothing|no 'V'"):
        derive("sum(i, w[i]*x[i])", wrt="V")
