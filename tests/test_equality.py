"""Deciding equality: identities, near misses, random trees, and the fallback without python-flint."""
from __future__ import annotations

from collections.abc import Callable

import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from symbp.certify import reals
from symbp.certify.cases import P, Q, impossible, lift, multiply
from symbp.certify.equality import decide, decide_zero
from symbp.language.functions import (
    equal,
    expand_definitions,
    gelu,
    maximum,
    opaque,
    relu,
    sigmoid,
    softplus,
    step,
    tanh,
)
from symbp.language.index import Index
from symbp.language.tensor import Access

a, b, c, x, y, z, n = sp.symbols("a b c x y z n")
r = sp.Symbol("r", real=True)
m = sp.Symbol("m", integer=True)
i, j = Index("i", 5), Index("j", 5)
exp, log, sqrt = sp.exp, sp.log, sp.sqrt
s = 1 / (1 + exp(-z))
X = [Access("x", k) for k in range(4)]
f = opaque("f")


def W(*indices: object) -> Access:
    """An element of a tensor W."""
    return Access("W", *indices)


def softmax(k: int) -> sp.Expr:
    """The k-th softmax output of x."""
    return exp(X[k]) / sum(map(exp, X))


def plain_diff(u: sp.Expr, v: sp.Expr) -> sp.Expr:
    """SymPy's derivative by an element, through a symbol."""
    t = sp.Symbol("t_", real=True)
    return sp.diff(u.xreplace({v: t}), t).xreplace({t: v})


MEAN = sum(X) / 4
VARIANCE = sum((v - MEAN) ** 2 for v in X) / 4
NORMED = [(v - MEAN) / sqrt(VARIANCE + sp.Rational(1, 1000)) for v in X]

PAIRS = [(Access("u", k) * x, Access("v", k)) for k in range(12)]
WIDE = relu(sum(V * relu(U) for U, V in PAIRS))

IN_FIELD = {
    "sigmoid'": (exp(-z) / (1 + exp(-z)) ** 2, sp.expand(s * (1 - s))),
    "sigmoid' by definition": (plain_diff(sigmoid(x).expanded(), x), sigmoid(x) - sigmoid(x) ** 2),
    "tanh'": (sp.diff(tanh(x).expanded(), x), 1 - tanh(x) ** 2),
    "tanh and sigmoid": (tanh(x), 2 * sigmoid(2 * x) - 1),
    "softmax Jacobian, diagonal": (plain_diff(softmax(0), X[0]), softmax(0) - softmax(0) ** 2),
    "softmax Jacobian, beside it": (plain_diff(softmax(0), X[1]), -softmax(0) * softmax(1)),
    "softmax, shifted": (softmax(2), exp(X[2] - X[0]) / sum(exp(v - X[0]) for v in X)),
    "log softmax": (log(softmax(1)), X[1] - log(sum(map(exp, X)))),
    "log-sum-exp, shifted": (log(exp(a + c) + exp(b + c)), c + log(exp(a) + exp(b))),
    "softplus": (softplus(x), x + softplus(-x)),
    "binary cross-entropy": (-a * log(sigmoid(z)) - (1 - a) * log(1 - sigmoid(z)), softplus(z) - a * z),
    "binary cross-entropy's gradient": (sp.diff(-a * log(s) - (1 - a) * log(1 - s), z), s - a),
    "logarithms": (log(12 * x**3 * y / z), log(4) + 3 * log(x) + log(3 * y) - log(z)),
    "log and exp": (exp(n * log(x) + a), x**n * exp(a)),
    "powers": (x**n * y**n / x, x ** (n - 1) * y**n),
    "root of a square": (sqrt(x**2 + 2 * x * y + y**2), sp.Abs(x + y)),
    "root of a product": (sqrt(x**2 * (1 + y**2)), sp.Abs(x) * sqrt(1 + y**2)),
    "roots of e^x": (sqrt(exp(a) * exp(b) ** 2), exp(a / 2) * exp(b)),
    "layer norm": (sum(v**2 for v in NORMED), 4 - 4 * sp.Rational(1, 1000) / (VARIANCE + sp.Rational(1, 1000))),
    "layer norm's gradient": (plain_diff(NORMED[0], X[1]) * sqrt(VARIANCE + sp.Rational(1, 1000)), -(1 + NORMED[0] * NORMED[1]) / 4),
    "erf": (sp.diff(gelu(x).expanded(), x), (1 + sp.erf(x / sqrt(2))) / 2 + x * exp(-x**2 / 2) / sqrt(2 * sp.pi)),
    "gelu": (gelu(x) - gelu(-x), x),
    "relu": (relu(x) - relu(-x), x),
    "relu of relu": (relu(relu(x)), relu(x)),
    "steps": (step(x, 0) + step(-x, 0), sp.S.One),
    "step of a multiple": (step(6 * x - 3 * y, 0) ** 2, step(2 * x - y, 0)),
    "steps in order": (step(x, 0) * step(x - 1, 0), step(x - 1, 0)),
    "relu of many": (WIDE * (1 + x), WIDE + x * relu(sum(V * relu(U) for U, V in reversed(PAIRS)))),
    "maximum": (maximum(maximum(a, b), c), maximum(a, maximum(b, c))),
    "abs": (sp.Abs(x * y) * sp.Abs(x), sp.Abs(y) * x**2),
    "argument over one denominator": (exp(x / (1 + x)), exp(1 - 1 / (1 + x))),
    "bracket": (equal(i, j) ** 2 * W(i), equal(j, i) * W(i)),
    "opaque": (f(x * (y + 1)) / 2 - f(x * y + x), -f(x * y + x) / 2),
    "decimals": (x * sp.Float("0.1") + exp(-x) * exp(x) * y, x / 10 + y),
    "index expressions": (W(2 * (i + 1), j) * x / x, W(2 * i + 2, j)),
}

BY_BALLS = {
    "sin and cos": (sp.sin(x) ** 2 + sp.cos(x) ** 2, sp.S.One),
    "inside an opaque function": (f(sp.sin(x) ** 2 + sp.cos(x) ** 2) * y, f(sp.S.One) * y),
    "an index replaced": (equal(i, j) * W(i), equal(i, j) * W(j)),
    "two brackets": (equal(i, j) * equal(j, 0) * W(i), equal(i, j) * equal(j, 0) * W(0)),
    "bracket of reals": (equal(x, y) * x, equal(x, y) * y),
    "a bracket out of range": (equal(i, 7) * x, sp.S.Zero),
    "even powers": ((-x) ** (2 * m), x ** (2 * m)),
}

UNEQUAL = {
    "sigmoid', sign": (s * (1 - s), s * (1 + s)),
    "sigmoid', of a": (s * (1 - s), s.xreplace({z: s}) * (1 - s.xreplace({z: s}))),
    "tanh', factor": (sp.diff(tanh(x).expanded(), x), sp.Rational("1.01") * (1 - tanh(x) ** 2)),
    "softmax Jacobian, index": (plain_diff(softmax(0), X[1]), -softmax(0) * softmax(2)),
    "softmax Jacobian, sign": (plain_diff(softmax(0), X[1]), softmax(0) * softmax(1)),
    "log-sum-exp": (log(exp(a + c) + exp(b + c)), c + log(exp(a) + exp(b) * sp.Rational("1.01"))),
    "binary cross-entropy": (-a * log(s) - (1 - a) * log(1 - s), -a * log(s) + (1 - a) * log(1 - s)),
    "layer norm, a missing term": (plain_diff(NORMED[0], X[1]), -sp.Rational(1, 4) / sqrt(VARIANCE + sp.Rational(1, 1000))),
    "root of a square": (sqrt(x**2 + 2 * x * y + y**2), x + y),
    "roots of squares": (sp.prod(sqrt(v**2) - v for v in (a, b, x, y)), sp.S.Zero),
    "three steps at once": (step(a, 0) * step(b, 0) * step(x, 0) * y, sp.S.Zero),
    "relu of many": (WIDE, relu(-sum(V * relu(U) for U, V in PAIRS[1:]))),
    "step at 0": (step(relu(x), 0) + step(-relu(x), 0), sp.S.One),
    "a step far off": (step(x - 100, 0) * y, sp.S.Zero),
    "odd powers": ((-x) ** m, x**m),
    "tiny": (exp(-500) * x, sp.S.Zero),
    "tiny beside one": (1 + exp(-500) * x, sp.S.One),
    "index": (W(i, 2 * j), W(i, 2 * j + 1)),
    "transpose": (W(i, j), W(j, i)),
    "bracket, index": (equal(i, j) * W(i), equal(i, j) * W(j + 1)),
    "bracket of reals": (equal(x, y) * 2, equal(x, y) * 3),
    "opaque": (f(x), f(y)),
    "sine": (sp.sin(x) ** 2 - sp.cos(x) ** 2, sp.S.One),
    "decimals": (x * sp.Float("0.1"), x * (sp.Rational(1, 10) + sp.Rational(1, 10**18))),
}

OPEN = {
    "no rule": (sp.floor(x), x),
    "no real point": (log(-1 - x**2), x),
    "unsolvable bracket": (equal(x**2, sp.sin(y)) * x, sp.S.Zero),
    "never met": (step(x - 10**9, 0) * y, sp.S.Zero),
    "no finite value": (sp.zoo * x, sp.zoo * x),
    "one position": (W(Index("k", 1)), W(0)),
}


@pytest.fixture(params=["flint", "mpmath"])
def arithmetic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both arithmetics for real points."""
    if request.param == "flint":
        pytest.importorskip("flint")
    else:
        monkeypatch.setattr(reals, "find_spec", lambda name: None)
    return request.param


@pytest.mark.parametrize("name", IN_FIELD)
@pytest.mark.parametrize("seed", [0, 1])
def test_identities_are_decided_in_the_field(name: str, seed: int) -> None:
    assert decide(*IN_FIELD[name], seed=seed).equal is True
    assert decide(*IN_FIELD[name], seed=seed).method in ("prime field", "identical")


@pytest.mark.parametrize("name", BY_BALLS)
def test_other_identities_are_decided_by_balls(name: str, arithmetic: str) -> None:
    verdict = decide(*BY_BALLS[name])
    assert (verdict.equal, verdict.method) == (True, "balls"), verdict
    assert "50 digits" in verdict.reason


@pytest.mark.parametrize("name", UNEQUAL)
@pytest.mark.parametrize("seed", range(3))
def test_near_misses_are_refuted(name: str, seed: int, arithmetic: str) -> None:
    verdict = decide(*UNEQUAL[name], seed=seed)
    assert verdict.equal is False, verdict
    assert verdict.counterexample


@pytest.mark.parametrize("name", OPEN)
def test_what_is_not_known_is_said(name: str, arithmetic: str) -> None:
    verdict = decide(*OPEN[name])
    assert verdict.equal is None, verdict
    assert verdict.reason


def test_a_counterexample_is_exact_and_reproducible() -> None:
    left, right = exp(x) + y, 1 + x + y
    verdict = decide(left, right, seed=3)
    point = dict(verdict.counterexample)
    assert set(point) == {x, y} and all(isinstance(v, sp.Rational) and 10**6 % v.q == 0 for v in point.values())
    assert abs(sp.N((left - right).xreplace(point))) > 1e-6
    assert verdict == decide(left, right, seed=3)


def test_a_counterexample_keeps_equal_positions_equal() -> None:
    verdict = decide(equal(i, j) * W(i), equal(i, j) * W(j + 1))
    assert verdict.counterexample[i] == verdict.counterexample[j]


def test_positive_and_relations() -> None:
    assert decide(sqrt(x**2), x).equal is False
    assert decide(sqrt(x**2 * y), x * sqrt(y), positive=[x]).equal is True
    assert decide(sqrt((x - y) ** 2), x - y, positive=[x - y]).equal is True
    t = [Access("t", k) for k in range(3)]
    assert decide(sum(t) * x - y, x - y).equal is False
    assert decide(sum(t) * x - y, x - y, relations={t[0]: 1 - t[1] - t[2]}).equal is True


def test_premises_are_named() -> None:
    assert "logarithms" in decide(log(x * y), log(x) + log(y)).reason
    assert "step" in decide(relu(x) - relu(-x), x).reason
    assert decide_zero(x * log(x**2) - 2 * x * log(x)).equal is True


def test_the_prime_is_as_described() -> None:
    assert P == 2 * Q + 1 and P % 4 == 3 and sp.isprime(P) and sp.isprime(Q)
    assert all(pow(q, Q, P) == 1 for q in sp.primerange(2, 62)) and pow(P - 1, Q, P) != 1


def test_values_by_cases() -> None:
    s1, s2 = {1: 1}, {2: 1}
    assert multiply(s1, s1) == s1 and multiply(s1, s2) == {3: 1}
    assert lift(lambda v: v * v % P, {0: 1, 1: 2}) == {0: 1, 1: 8}
    assert impossible([{x: 1, y: -1}, {y: 1, z: -1}, {z: 1, x: -1}])
    assert not impossible([{x: 1, y: -1}, {y: 1, z: -1}, {x: 1, z: -1}])


ATOMS = [x, y, z, W(0), W(i), sp.Integer(2), sp.Rational(-1, 3)]
UNARY = [lambda u: exp(u / 7), lambda u: log(1 + exp(u / 7)), lambda u: u**2, lambda u: -u, sigmoid, relu, tanh, f, sp.sin, sp.erf,
         lambda u: 1 / (3 + u**2), lambda u: sqrt(2 + u**2)]


def grow(children: st.SearchStrategy) -> st.SearchStrategy:
    """Trees of a sum, a product or a function."""
    return st.one_of(st.builds(lambda u, v: u + v, children, children), st.builds(lambda u, v: u * v, children, children),
                     st.builds(lambda k, u: UNARY[k](u), st.sampled_from(range(len(UNARY))), children))


trees = st.recursive(st.sampled_from(ATOMS), grow, max_leaves=6)


def rearrange(u: sp.Expr) -> sp.Expr:
    """The same expression written differently: products multiplied out, exponentials split, functions of moved arguments."""
    u = u.replace(tanh, lambda v: 2 * sigmoid(2 * v) - 1).replace(relu, lambda v: v + relu(-v))
    return sp.expand(u.replace(sigmoid, lambda v: 1 - 1 / (1 + exp(v))))


@settings(max_examples=80, deadline=None)
@given(trees)
def test_a_rearranged_tree_is_equal(tree: sp.Expr) -> None:
    verdict = decide(tree, rearrange(tree))
    assert verdict.equal is not False, (tree, verdict)
    assert verdict.equal is True or "sign" in verdict.reason or "step" in verdict.reason, (tree, verdict)


@settings(max_examples=80, deadline=None)
@given(trees, st.sampled_from([lambda u: u + x / 100, lambda u: u * sp.Rational("1.01"), lambda u: -u]))
def test_a_perturbed_tree_is_unequal(tree: sp.Expr, perturb: Callable[[sp.Expr], sp.Expr]) -> None:
    tree = known(tree)
    assume(perturb(sp.S.Zero) != 0 or decide_zero(tree).equal is False)
    verdict = decide(rearrange(tree), perturb(tree))
    assert verdict.equal is False
    assert differs(rearrange(tree) - perturb(tree), verdict.counterexample)


small = st.recursive(st.sampled_from([x, y, sp.S.One]), grow, max_leaves=3)


@settings(max_examples=150, deadline=None)
@given(small, small)
def test_a_verdict_agrees_with_sympy(left: sp.Expr, right: sp.Expr) -> None:
    left, right = known(left), known(right)
    verdict = decide(left, right)
    points = [verdict.counterexample] if verdict.equal is False else \
        [{x: sp.Rational(p, 7), y: sp.Rational(q, 9)} for p, q in ((3, 5), (-3, 4), (8, -11), (-9, -2))]
    found = [differs(left - right, point) for point in points]
    assert found == [not verdict.equal] * len(points) or verdict.equal is None


def differs(difference: sp.Expr, point: dict[sp.Expr, sp.Expr]) -> bool:
    """Whether SymPy itself evaluates a difference to something else than 0 at a point."""
    value = expand_definitions(difference).xreplace(point).replace(step, lambda u, v: sp.S.One if u > 0 else sp.S.Zero if u < 0 else v)
    return bool(abs(sp.N(value, 40)) > 10**-30)


def known(tree: sp.Expr) -> sp.Expr:
    """A tree with a known function in place of the opaque one."""
    return tree.replace(f, lambda u: u + sp.sin(u))
