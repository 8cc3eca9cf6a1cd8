"""The expression language: what it reads, and what it refuses, with the place and the remedy."""
from __future__ import annotations

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from symbp.errors import SymbpError
from symbp.language import Access, Index, Tensor
from symbp.language.build import Guard, Reduce
from symbp.language.functions import equal, sigmoid
from symbp.language.parse import parse_equation, parse_expression, parse_fact
from symbp.language.scope import Scope

X, W, B = Tensor("x", (5, 3)), Tensor("W", (4, 3)), Tensor("b", (4,))
LABELS = Tensor("t", (5,), dtype="int")


def scope(**more: object) -> Scope:
    return Scope({"x": X, "W": W, "b": B, "t": LABELS, "p": Tensor("p", (5, 4)), "alpha": Tensor("alpha")}, **more)


def test_an_equation_names_its_element_and_its_indices():
    name, indices, right = parse_equation("z[n,j] = sum(i, W[j,i]*x[n,i]) + b[j]", scope())
    i, j, n = Index("i", 3), Index("j", 4), Index("n", 5)
    assert (name, indices) == ("z", (n, j))
    assert right == Reduce("sum", W[j, i] * X[n, i], [i]) + B[j]


@pytest.mark.parametrize(("text", "value"), [
    ("2*3 + 4", 10), ("2^3^2", 512), ("-2^2", -4), ("2**-1", sp.Rational(1, 2)), ("0.1", sp.Rational(1, 10)),
    ("1e-3", sp.Rational(1, 1000)), (".5", sp.Rational(1, 2)), ("(1+2)*3", 9), ("10/4", sp.Rational(5, 2)), ("--2", 2),
    ("1 - 2 - 3", -4), ("8/2/2", 2), ("sqrt(4)", 2), ("exp(0) + log(1)", 1), ("2*pi", 2 * sp.pi), ("e", sp.E)])
def test_numbers_are_exact_and_operators_bind_as_in_mathematics(text: str, value: sp.Expr):
    assert parse_expression(text, Scope()) == value


def test_primes_are_derived_functions():
    read = parse_expression("sigmoid'(b[j])", scope())
    assert type(read).__name__ == "sigmoid'"
    assert type(read).base is sigmoid


def test_data_can_be_an_index():
    assert parse_expression("p[n, t[n]]", scope()) == Access("p", Index("n", 5), LABELS[Index("n", 5)])


def test_brackets_means_softmax_and_inside():
    assert parse_expression("[t[n] == k]", scope(indices={"k": Index("k", 4)})) == equal(LABELS[Index("n", 5)], Index("k", 4))
    assert parse_expression("mean(n, x[n,i])", scope()) == Reduce("sum", X[Index("n", 5), Index("i", 3)] / 5, [Index("n", 5)])
    assert parse_expression("softmax(j, b[j])", scope()).op == "softmax"
    guarded = parse_expression("sum(u, inside(x[n, i+u-1]))", scope(indices={"u": Index("u", 3), "i": Index("i", 3)}))
    assert guarded.body.func is Guard
    assert len(guarded.body.args) == 3


def test_where_gives_the_domain_of_a_sum():
    scoped = Scope({"w": Tensor("w", (4, 4))})
    assert parse_expression("sum(j where j <= i, w[i,j])", scoped).domain == (Index("i", 4) - Index("j", 4),)
    assert len(parse_expression("sum(j where j <= i and j > 1, w[i,j])", scoped).domain) == 2
    assert len(parse_expression("sum(j where j == i, w[i,j])", scoped).domain) == 2


def test_facts():
    fact = parse_fact("sum(j, p[n,j]) == 1", scope())
    assert (fact.relation, fact.right, [i.name for i in fact.over]) == ("==", 1, ["j"])
    assert parse_fact("b[j] > 0", scope()).relation == ">"


@pytest.mark.parametrize(("text", "message"), [
    ("sigmod(b[j])", 'did you mean "sigmoid"'),
    ("q[j] + b[j]", "unknown tensor 'q'"),
    ("x[n]", "x has 2 axes"),
    ("__import__('os')", "cannot read"),
    ("x.__class__", "unknown name"),
    ("lambda: 1", "cannot read"),
    ("open(b[j])", "unknown function 'open'"),
    ("b[j] if 1 else 2", "cannot read"),
    ("", "cannot read"),
    ("1 +", "cannot read `1 +` at its end"),
    ("sum(j, b[j]", "at its end; ) is missing"),
    ("\U0001d465[j]", "MATHEMATICAL ITALIC SMALL X (U+1D465); write x"),
    ("x[n]", "x has 2 axes [5, 3], but `x[n]` gives 1"),
    ("sum(j, j, b[j])", "names an index twice"),
    ("log(0)*b[j]", "`log(0)` has no finite real value"),
    ("sqrt(-1)*b[j]", "no finite real value"),
    ("(-8)^(1/3)", "no finite real value"),
    ("1e400*b[j]", "`1e400` is out of range"),
    ("sum(b[j])", "sum needs an index"),
    ("sum(2, b[j])", "2 is not an index"), ("max(b[j], 0)", "is not an index; the larger of two numbers is maximum"),
    ("softmax(x[n,i])", "softmax needs its index"),
    ("relu(b[j], 1)", "relu takes 1 argument"),
    ("exp(1, 2)", "exp takes 1 argument"),
    ("10^10^10", "exponent"),
    ("2^(0.123456)", "exponent"),
    ("1e99999", "too many digits"),
    ("1" * 100, "too many digits"),
    ("1/0", "division by zero"),
    ("0^-1", "division by zero"),
    ("inside(2)", "inside"),
    ("[b[j] < 1]", "is not known in a body"),
    ("W[j,i] + x[i,j]", "two indices of different extent need different names"),
    ("sum(k, b[j])", "extent of the index k is unknown"),
    ("(" * 200 + "1" + ")" * 200, "nested"),
    ("-" * 5000 + "1", "nested"),
    ("+".join(["1"] * 20000), "characters long")])
def test_what_cannot_be_read_names_the_place_and_the_remedy(text: str, message: str):
    with pytest.raises(SymbpError) as caught:
        parse_expression(text, scope())
    assert message in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_left_side_that_is_no_plain_element_is_refused():
    with pytest.raises(SymbpError, match="not a plain index"):
        parse_equation("y[2*n] = b[n]", scope())
    with pytest.raises(SymbpError, match="cannot read"):
        parse_equation("b[j]", scope())


@given(st.text(alphabet="abijnxW[](),+-*/^=<> 0123.'_", max_size=60))
def test_any_text_is_read_or_refused(text: str):
    """Nothing but `SymbpError` ever comes out."""
    for read in (parse_expression, parse_equation, parse_fact):
        try:
            read(text, scope())
        except SymbpError:
            pass


@given(st.recursive(st.sampled_from(["b[j]", "x[n,i]", "alpha", "2", "0.5"]),
                    lambda inner: st.one_of(st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
                                            inner.map(lambda t: f"exp({t})"), inner.map(lambda t: f"-{t}")), max_leaves=8))
def test_printing_and_reading_again_gives_the_same(text: str):
    try:
        first = parse_expression(text, scope())
    except SymbpError:
        return
    if not first.has(sp.zoo, sp.nan):
        shown = str(first).replace("alpha[]", "alpha").replace("E", "e")
        again = parse_expression(shown, scope(indices={"n": Index("n", 5), "i": Index("i", 3), "j": Index("j", 4)}))
        assert again == first or sp.expand(again - first) == 0


def test_a_minimum_is_a_negative_maximum() -> None:
    i, n = Index("i", 3), Index("n", 5)
    x = Tensor("x", (5, 3))
    read = parse_expression("min(i where i >= 1, x[n,i]^2)", Scope({"x": x}, {"i": i, "n": n}))
    assert read == -Reduce("max", -x[n, i] ** 2, [i], [i - 1])


@pytest.mark.parametrize(("text", "extents"), [
    ("sum(i, j, x[i]*A[i,j]*x[j])", {"i": "n_i", "j": "n_i"}), ("sum(i, A[i,i])", {"i": "n_i"}),
    ("sum(i, j, k, A[i,j]*A[j,k])", dict.fromkeys("ijk", "n_i")), ("x[i]*B[j,k] + x[k]", {"i": "n_i", "j": "n_j", "k": "n_i"}),
    ("a[i]*b[j]*C[i,k]*C[j,k]*a[k]", dict.fromkeys("ijk", "n_i")), ("sum(i, j, x[i]*A[i,j]*y[j])", {"i": "n_i", "j": "n_j"})])
def test_letters_of_one_axis_have_one_extent_in_a_formula(text: str, extents: dict[str, str]) -> None:
    inferred = Scope(infer=True)
    parse_expression(text, inferred)
    assert {name: str(index.extent) for name, index in inferred.indices.items()} == extents
