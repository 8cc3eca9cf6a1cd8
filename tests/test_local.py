"""The table of derivatives against SymPy's, on random expressions; definitions and their derivatives of any order."""
from __future__ import annotations

import mpmath
import pytest
import sympy as sp
from checking import EXAMPLES, same_numbers
from hypothesis import given, settings
from hypothesis import strategies as st

from symbp.calculus.local import PRIMITIVE, differentiate, partial, prime
from symbp.errors import LanguageError
from symbp.language import Access, Index
from symbp.language import functions as fn

a, b = sp.Symbol("a", real=True), sp.Symbol("b", real=True)
i = Index("i", 3)

UNARY = [lambda e: sp.exp(e / (1 + e**2)), sp.sin, sp.cos, lambda e: sp.erf(e), lambda e: sp.log(2 + sp.sin(e)),
         lambda e: sp.Abs(e + 1 / sp.S(3)) if e.is_real else e, lambda e: e**2, lambda e: e**3, lambda e: 1 / (1 + e**2),
         lambda e: sp.sqrt(1 + e**2), lambda e: -e, lambda e: e / 3, lambda e: 2 ** sp.sin(e)]
BINARY = [sp.Add, sp.Mul, lambda e, f: e - f, lambda e, f: e / (2 + sp.cos(f)), lambda e, f: (2 + sp.sin(e)) ** sp.cos(f)]
TREES = st.recursive(st.sampled_from([a, b, sp.Integer(2), sp.Rational(1, 3), sp.pi]),
                     lambda part: st.builds(lambda f, e: f(e), st.sampled_from(UNARY), part)
                     | st.builds(lambda f, e, g: f(e, g), st.sampled_from(BINARY), part, part), max_leaves=5)

NAMES = ["sigmoid", "tanh", "softplus", "silu", "gelu"]


@given(TREES, st.integers(0, 1000))
@settings(max_examples=3 * EXAMPLES, deadline=None)
def test_the_table_is_sympys(tree: sp.Expr, seed: int) -> None:
    assert same_numbers(differentiate(tree, a), sp.diff(tree, a), [a, b], seed)


PLAIN = {"exp": sp.exp(a), "log": sp.log(a**2), "sin": sp.sin(a), "cos": sp.cos(a), "erf": sp.erf(a), "abs": sp.Abs(a), "power": a**5,
         "root": sp.sqrt(1 + a**2), "negative power": a**-2, "exponent": 3**a, "both": (1 + a**2) ** a,
         "exponent of another": (1 + a**2) ** b,
         "base of another": (1 + b**2) ** a, "product": a * sp.sin(a) * b, "sum": a + b + a * b, "nested": sp.sin(sp.exp(-a) * b),
         "constant": b**2, "itself": a}


@pytest.mark.parametrize("name", PLAIN)
def test_each_rule_is_sympys(name: str) -> None:
    for seed in range(3):
        assert same_numbers(differentiate(PLAIN[name], a), sp.diff(PLAIN[name], a), [a, b], seed)


def test_the_table_has_one_rule_for_each_argument() -> None:
    for function, rules in PRIMITIVE.items():
        arity = function.nargs.args[0] if isinstance(function.nargs, sp.FiniteSet) else 1
        assert len(rules) == arity, function


@pytest.mark.parametrize("at_zero", [sp.S.Zero, sp.Rational(1, 2), sp.S.One])
def test_kinks_follow_the_convention(at_zero: sp.Expr) -> None:
    slope = prime(fn.relu_with(at_zero))
    assert [slope(sp.Integer(v)).expanded() for v in (-2, 0, 3)] == [0, at_zero, 1]
    assert fn.expand_definitions(differentiate(sp.Abs(a), a).xreplace({a: sp.S.Zero})) == 0
    assert [fn.expand_definitions(differentiate(sp.Abs(a), a).xreplace({a: sp.Integer(v)})) for v in (-2, 3)] == [-1, 1]


def test_steps_and_brackets_are_flat() -> None:
    assert differentiate(fn.step(a, sp.Rational(1, 2)), a) == 0
    assert differentiate(fn.step(b, a), a) == 0
    assert differentiate(fn.equal(a, b), a) == 0
    assert differentiate(fn.equal(b, a), a) == 0
    assert differentiate(a * fn.equal(a, b) + fn.step(a, 0) * a**2, a) == fn.equal(a, b) + 2 * a * fn.step(a, 0)
    assert [fn.step(sp.Integer(v), b) for v in (-1, 0, 1)] == [0, b, 1]
    assert [fn.equal(a, a), fn.equal(sp.S.One, sp.S.Zero), fn.equal(sp.S.Half, sp.Rational(2, 4))] == [1, 0, 1]
    assert fn.equal(a, b).args == (a, b)


@pytest.mark.parametrize("name", NAMES)
def test_first_and_second_derivatives_of_definitions(name: str) -> None:
    function = fn.DEFINITIONS[name]
    expanded = fn.expand_definitions(function(a))
    first, second = prime(function), prime(prime(function))
    for order, derived in ((1, first), (2, second)):
        assert same_numbers(fn.expand_definitions(derived(a)), sp.diff(expanded, a, order), [a])
    assert (first.__name__, second.__name__) == (f"{name}'", f"{name}''")
    assert (first.orders, second.orders) == ((1,), (2,))
    assert first.base is function and second.base is function
    assert first.latex_name == function.latex_name + "'" and second.latex_name == function.latex_name + "''"
    assert prime(function) is first


def test_definitions_of_two_arguments() -> None:
    blend = fn.define("blend", lambda x, y: sp.sin(x) * y**2 + fn.sigmoid(x * y), 2, latex="B")
    expanded = fn.expand_definitions(blend(a, b))
    by_second = prime(blend, 1)
    mixed, twice = prime(by_second, 0), prime(by_second, 1)
    for derived, expected in ((prime(blend), sp.diff(expanded, a)), (by_second, sp.diff(expanded, b)),
                              (mixed, sp.diff(expanded, a, b)), (twice, sp.diff(expanded, b, 2))):
        assert same_numbers(fn.expand_definitions(derived(a, b)), expected, [a, b])
    assert (prime(blend).__name__, by_second.__name__, mixed.__name__, twice.__name__) == ("blend_1", "blend_2", "blend_12", "blend_22")
    assert (mixed.orders, twice.orders) == ((1, 1), (0, 2))
    assert mixed.latex_name == r"\partial_{12} B"
    whole = differentiate(blend(a**2, sp.sin(a)), a)
    assert same_numbers(fn.expand_definitions(whole), sp.diff(fn.expand_definitions(blend(a**2, sp.sin(a))), a), [a])


def test_maximum() -> None:
    for x, y, expected in ((1, 2, (0, 1)), (2, 1, (1, 0)), (1, 1, (sp.S.Half, sp.S.Half))):
        slopes = (fn.expand_definitions(prime(fn.maximum, k)(sp.Integer(x), sp.Integer(y))) for k in (0, 1))
        assert tuple(slopes) == expected
        assert fn.expand_definitions(fn.maximum(sp.Integer(x), sp.Integer(y))) == max(x, y)


def test_opaque_functions_have_opaque_derivatives() -> None:
    f, g = fn.opaque("f", latex=r"\varphi"), fn.opaque("g", 2)
    z = Access("z", i)
    assert str(partial(f(z) ** 2, z)) == "2*f(z[i])*f'(z[i])"
    assert str(partial(prime(f)(z), z)) == "f''(z[i])"
    assert prime(f).definition is None and prime(f).latex_name == r"\varphi'"
    assert str(partial(g(z, z**2), z)) == "g_1(z[i], z[i]**2) + 2*g_2(z[i], z[i]**2)*z[i]"
    assert f(z).expanded() == f(z)


def test_partial_holds_the_other_accesses_and_all_positions() -> None:
    x, shifted, t = Access("x", i), Access("x", i + 1), Access("t", i)
    body = x**2 * shifted + Access("x", t) * sp.sin(x)
    assert partial(body, x) == 2 * x * shifted + Access("x", t) * sp.cos(x)
    assert partial(body, shifted) == x**2
    assert partial(body, Access("x", t)) == sp.sin(x)
    assert partial(body, Access("y", i)) == 0
    assert partial(body, t) == 0
    assert partial(x * i + sp.Symbol("N"), x) == i


@pytest.mark.parametrize("body", [sp.gamma(b), a * sp.gamma(b), sp.exp(sp.gamma(b)) * a, a + sp.Max(b, 1), sp.LambertW(a), a**sp.floor(a)])
def test_unknown_functions_raise_wherever_they_stand(body: sp.Expr) -> None:
    with pytest.raises(LanguageError, match=r"the function \w+ in .* has no derivative here; write it through exp, log,"):
        differentiate(body, a)


def test_the_message_names_the_access() -> None:
    with pytest.raises(LanguageError, match=r"the function gamma in gamma\(x\[i\]\) has no derivative here"):
        partial(sp.gamma(Access("x", i)), Access("y", i))


def test_definitions_are_what_they_say() -> None:
    values = {"sigmoid": 1 / (1 + mpmath.exp(-0.5)), "tanh": mpmath.tanh(0.5), "softplus": mpmath.log(1 + mpmath.exp(0.5)),
              "silu": 0.5 / (1 + mpmath.exp(-0.5)), "gelu": 0.5 * mpmath.ncdf(0.5), "relu": 0.5, "sign": 1}
    for name, expected in values.items():
        assert float(fn.expand_definitions(fn.DEFINITIONS[name](sp.Rational(1, 2)))) == pytest.approx(float(expected), rel=1e-14)
    with pytest.raises(LanguageError, match="not by SymPy's diff"):
        fn.sigmoid(a).diff(a)


@pytest.mark.parametrize(("number", "value"), [(sp.E - 3, 0), (sp.pi - 3, 1), (sp.sqrt(2) ** 2 - 2, sp.S.Half), (sp.exp(1) - sp.E, sp.S.Half)])
def test_steps_and_brackets_of_numbers_are_decided(number: sp.Expr, value: sp.Expr) -> None:
    assert fn.step(number, sp.S.Half) == value
    assert fn.equal(number + 1, 1) == (value == sp.S.Half)
    assert isinstance(fn.step(number * a, 0), fn.step) or number == 0
