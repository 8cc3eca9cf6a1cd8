"""Each error of well-formedness quotes the equation, the index and the extents."""
from __future__ import annotations

from collections.abc import Callable

import pytest
import sympy as sp
from programs.windows import Window

from symbp.errors import LanguageError
from symbp.language import AXIS0, Access, Conventions, Equation, Fact, Index, Loop, Program, Tensor, inside, size

N, H = size("N"), size("H")
i, j, u, n = Index("i", 4), Index("j", 3), Index("u", 3), Index("n", N)
x, w, y, m = Tensor("x", (4,), role="input"), Tensor("w", (3,), role="parameter"), Tensor("y", (4,)), Tensor("m")
t, top = Tensor("t", (4,), role="input", dtype="int"), Tensor("top", (4,), dtype="int")
big, X = Tensor("big", (5,)), Tensor("X", (H,), role="input")
l2, l3 = Index("l", 2), Index("l", 3)


def of(*equations: object, more: tuple[Tensor, ...] = ()) -> Program:
    """A program of the tensors above."""
    return Program((x, w, y, m, t, top, big, X, *more), equations)


ERRORS: dict[str, tuple[Callable[[], object], str]] = {
    "two tensors of one name": (lambda: of(more=(Tensor("x", (3,)),)), "two tensors are called 'x'; give one of them another name"),
    "one index of two extents": (
        lambda: of(Equation(y[i], x[i]), Equation(big[Index("i", 5)], 1)),
        "in `big[i] += 1`: the index i is used with the extents 4 and 5; two indices of different extent need different names"),
    "an index from nowhere": (lambda: of(Equation(y[i], w[j])), "in `y[i] += w[j]`: the index j is neither on the left nor summed over"),
    "an index of the domain from nowhere": (
        lambda: of(Equation(y[i], x[i], domain=(j,))),
        "the index j is neither on the left nor summed over"),
    "a domain that is not affine": (
        lambda: of(Equation(y[i], x[i], domain=(i**2 - 1,))), "the condition i**2 - 1 >= 0 of the domain is not integer-affine"),
    "a bound index on the left": (
        lambda: of(Equation(y[i], x[i], over=(i,))), "in `y[i] += sum(i, x[i])`: the bound index i also stands on the left or is a loop's"),
    "a bound index of a loop": (
        lambda: of(Loop(i, "ascending", (Equation(m[()], x[i], over=(i,)),))), "the bound index i also stands on the left or is a loop's"),
    "too many indices": (
        lambda: of(Equation(y[i], Access("x", i, i))),
        "in `y[i] += x[i, i]`: x has 1 axes (4,), but x[i, i] gives 2 indices"),
    "an unknown tensor": (lambda: of(Equation(y[i], Access("xx", i))), 'no tensor is called \'xx\'; did you mean "x"?'),
    "an index that is not affine": (
        lambda: of(Equation(y[i], x[i**2])), "in `y[i] += x[i**2]`: the index i**2 of x[i**2] is not integer-affine"),
    "a float tensor as an index": (
        lambda: of(Equation(y[i], x[x[i]])), "x[i] is used as an index of x, but x is a float tensor; give it dtype int"),
    "an index alone on an axis of another extent": (
        lambda: of(Equation(y[i], x[i] + big[i])),
        "in `y[i] += big[i] + x[i]`: the index i of extent 4 stands alone on axis 0 of big[i], whose extent is 5; the two must be equal"),
    "an index alone on an axis of symbolic extent": (
        lambda: of(Equation(y[i], X[i])),
        "the index i of extent 4 stands alone on axis 0 of X[i], whose extent is H; the two must be equal"),
    "an index that starts elsewhere": (
        lambda: of(Equation(m[()], x[Index("k", 4, start=1)], over=(Index("k", 4, start=1),))),
        "the index k of extent 4 stands alone on axis 0"),
    "a window that leaves below": (
        lambda: of(Equation(y[i], x[i - 1])),
        ("in `y[i] += x[i - 1]`: the index i - 1 of x[i - 1] can leave its axis below (at i = 0 it is -1); axis 0 has extent 4 and "
         "i in 0..3. A layer that pads says so: write inside(x[i - 1]), or give the equation a domain")),
    "a window that leaves above": (
        lambda: of(Equation(y[i], x[i + u - 1], over=(u,), domain=(i + u - 1,))),
        "the index i + u - 1 of x[i + u - 1] can leave its axis above (at i = 3, u = 2 it is 4)"),
    "a target that leaves": (lambda: of(Equation(y[2 * i], 1)), "the index 2*i of y[2*i] can leave its axis above (at i = 2 it is 4)"),
    "a row that no loop fixes": (
        lambda: of(Equation(y[sp.Integer(4)], 1)),
        "the index 4 of y[4] can leave its axis above; axis 0 has extent 4 and no index varies"),
    "a window of symbolic size": (
        lambda: of(Equation(m[()], X[Index("a", H) + 1], over=(Index("a", H),))),
        "the index a + 1 of X[a + 1] can leave its axis above; axis 0 has extent H and a in 0..H - 1"),
    "a data-dependent domain": (
        lambda: of(Equation(y[i], x[i + 1], domain=(t[i] - 1,))), "the index i + 1 of x[i + 1] can leave its axis above; axis 0"),
    "writing an input": (lambda: of(Equation(x[i], 1)), "in `x[i] += 1`: x is written, but its role is input"),
    "writing a parameter": (lambda: of(Equation(w[j], 1)), "w is written, but its role is parameter"),
    "a sum into a maximum": (
        lambda: of(Equation(m[()], x[i], "max", over=(i,)), Equation(m[()], 1)), "m is written by equations of different kind (max, sum)"),
    "a position that is a float": (
        lambda: of(Equation(m[()], x[i], "argmax", over=(i,), component=i)),
        "an argmax, and nothing else, writes whole numbers, but m has dtype float"),
    "a sum of whole numbers": (lambda: of(Equation(top[i], 1)), "an argmax, and nothing else, writes whole numbers, but top has dtype int"),
    "a maximum of whole numbers": (
        lambda: of(Equation(top[i], x[i], "max")), "an argmax, and nothing else, writes whole numbers, but top has dtype int"),
    "a first axis of its own width": (
        lambda: of(more=(Tensor("r", (AXIS0,)),)), "tensor r: the first extent cannot depend on its own position"),
    "a maximum in a loop": (
        lambda: of(Loop(l3, "ascending", (Equation(m[()], x[i], "max", over=(i,)),))),
        "in `m[] = max(i, x[i])`: m[] may be written for several l, but a maximum is written once; give m an axis for l, or bind it"),
    "a maximum over nothing": (
        lambda: of(Equation(y[i], x[i + u - 2], "max", over=(u,), domain=(*inside(x[i + u - 2], x), 1 - u))),
        "the window of y[i] is empty at i = 0; a maximum over no element has no value"),
    "a maximum over nothing at all": (
        lambda: of(Equation(m[()], x[i], "max", over=(i,), domain=(i - 5,))), "the window of m[] is empty; a maximum over no element"),
    "a maximum that collides": (
        lambda: of(Equation(y[i + j], w[j], "max", domain=(3 - i - j,))),
        "y[i + j] may be written for several i, but a maximum is written once"),
    "two maxima of one element": (
        lambda: of(Equation(y[i], x[i], "max"), Equation(y[0], 1, "max")),
        "y[0] may be written by `y[i] = max(, x[i])` too, but a maximum is written once"),
    "read before the last contribution": (
        lambda: of(Equation(y[i], 1), Equation(m[()], y[i], over=(i,)), Equation(y[i], x[i])),
        "in `m[] += sum(i, y[i])`: y[i] is read before its last contribution (`y[i] += x[i]`); put the equation that writes y first"),
    "reading oneself": (lambda: of(Equation(y[i], y[i] + 1)), "y[i] is read before its last contribution (`y[i] += y[i] + 1`)"),
    "a loop that reads ahead": (
        lambda: of(Loop(l3, "ascending", (Equation(y[l3], y[l3 + 1]),))),
        "in `y[l] += y[l + 1]`: y[l + 1] reads a row that the loop over l (ascending) has not yet written (`y[l] += y[l + 1]`)"),
    "a descending loop that reads ahead": (
        lambda: of(Loop(l3, "descending", (Equation(y[l3 + 1], y[l3]),))),
        "y[l] reads a row that the loop over l (descending) has not yet written"),
    "a row read earlier in the body": (
        lambda: of(Loop(l3, "ascending", (Equation(big[l3], y[l3]), Equation(y[l3], 1)))),
        "y[l] is read before its last contribution (`y[l] += 1`)"),
    "a running sum read in its loop": (
        lambda: of(Loop(l3, "ascending", (Equation(m[()], x[l3]), Equation(y[l3], m[()])))),
        "m[] is written in the loop over l without that index and read in the same loop (`y[l] += m[]`); give it a row for each l"),
    "a row of another slope": (
        lambda: of(Loop(l2, "ascending", (Equation(big[2 * l2], 1), Equation(y[l2], big[2 * l2])))),
        "cannot tell which iteration of the loop over l wrote big[2*l]; write and read its row as l plus a constant"),
    "a row that depends on data": (
        lambda: of(Loop(l3, "ascending", (Equation(big[l3 + 1], 1), Equation(y[l3], big[t[l3]])))),
        "cannot tell which iteration of the loop over l wrote big[t[l]]"),
    "all rows in the loop": (
        lambda: of(Loop(l3, "ascending", (Equation(y[l3 + 1], y[i], over=(i,)),))),
        "cannot tell which iteration of the loop over l wrote y[i]"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    build, message = ERRORS[name]
    with pytest.raises(LanguageError) as caught:
        build()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


PARTS: dict[str, tuple[Callable[[], object], str]] = {
    "role": (lambda: Tensor("q", (), role="weight"), "tensor q: role 'weight' is none of input, parameter"),
    "dtype": (lambda: Tensor("q", (), dtype="bool"), "tensor q: dtype 'bool' is none of float, int"),
    "extent": (lambda: Tensor("q", (0,)), "axis 0 of tensor q must be a positive whole number, not 0"),
    "fraction": (lambda: Index("q", sp.Rational(5, 2)), "the extent of index q must be a positive whole number, not 5/2"),
    "origins": (lambda: Tensor("q", (2, 3), origin=(1,)), "tensor q: 1 origins for 2 axes"),
    "indices": (lambda: x[i, j], "x has 1 axes (4,), but 2 indices were given: x[i, j]"),
    "operator": (lambda: Equation(y[i], 1, "min"), "y[i]: the operator 'min' is none of sum, max, argmax"),
    "no component": (lambda: Equation(top[i], 1, "argmax", over=(j,)), "an argmax, and nothing else, names the bound index that it stores"),
    "a component": (lambda: Equation(y[i], 1, "max", over=(j,), component=j), "an argmax, and nothing else, names the bound index"),
    "an unbound component": (
        lambda: Equation(top[i], 1, "argmax", over=(j,), component=u),
        "the argmax stores u, which is none of its bound indices (j)"),
    "direction": (lambda: Loop(i, "up", ()), "loop over i: direction 'up' is none of ascending, descending"),
    "relation": (lambda: Fact(x[i], "!=", 1), "the relation '!=' of a fact is none of == > >= < <="),
    "convention": (lambda: Conventions(ties="frist"), "convention ties = 'frist' is unknown; did you mean \"first\"?"),
}


@pytest.mark.parametrize("name", PARTS)
def test_errors_of_parts(name: str) -> None:
    build, message = PARTS[name]
    with pytest.raises(LanguageError) as caught:
        build()
    assert message in str(caught.value)


@pytest.mark.parametrize("kernel", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("pad", [0, 1])
def test_windows_of_symbolic_size_are_proved(kernel: int, stride: int, pad: int) -> None:
    out = sp.floor((H + 2 * pad - kernel) / stride) + 1
    a, tap, c = Index("a", out), Index("b", kernel), Index("c", N)
    source, target = Tensor("S", (N, H), role="input"), Tensor("T", (N, out))
    access = source[c, stride * a + tap - pad]
    program = Program((source, target), (Equation(target[c, a], access, over=(tap,), domain=inside(access, source) if pad else ()),))
    assert program.sizes == (H, N)
    with pytest.raises(LanguageError, match="can leave its axis above"):
        beyond = source[c, stride * a + tap - pad + 1]
        Program((source, target), (Equation(target[c, a], beyond, over=(tap,), domain=(stride * a + tap - pad,)),))


def test_a_concrete_window_that_the_prover_misses_is_decided_by_its_points() -> None:
    window = Window((4,), (3,), (2,), ((1, 0),), (1,))
    even = Tensor("even", (5,), role="input")
    (a,), (tap,) = window.outer, window.taps
    program = of(Equation(m[()], even[2 * a + 2 * tap], over=(a, tap), domain=(5 - 2 * a - 2 * tap,)), more=(even,))
    assert len(program.equations) == 1
    with pytest.raises(LanguageError, match=r"\(at i = 1, j = 2 it is 6\)"):
        of(Equation(m[()], even[2 * i + 2 * j], over=(i, j), domain=(7 - 2 * i - 2 * j,)), more=(even,))


GOOD: dict[str, Callable[[], Program]] = {
    "a recurrence": lambda: of(Equation(y[0], 1), Loop(l3, "ascending", (Equation(y[l3 + 1], y[l3]),))),
    "a recurrence from above": lambda: of(Equation(y[3], 1), Loop(l3, "descending", (Equation(y[l3], y[l3 + 1]),))),
    "two rows back": lambda: of(Loop(l3, "ascending", (Equation(big[l3 + 2], big[l3 + 1] + big[l3]),))),
    "a running sum": lambda: of(Loop(i, "ascending", (Equation(m[()], x[i]),)), Equation(y[i], m[()])),
    "a row written earlier in the body": lambda: of(Loop(l3, "ascending", (Equation(y[l3], 1), Equation(big[l3], y[l3])))),
    "a maximum on rows": lambda: of(
        Equation(y[0], 1, "max"), Loop(l3, "ascending", (Equation(y[l3 + 1], w[j] * y[l3], "max", over=(j,)),))),
    "a mixed-radix maximum": lambda: of(Equation(Access("g", 3 * i + j), x[i], "max"), more=(Tensor("g", (12,)),)),
    "a mixed-radix maximum of symbolic size": lambda: of(Equation(Access("g", 3 * n + j), w[j], "max"), more=(Tensor("g", (3 * N,)),)),
    "positions and values": lambda: of(Equation(top[i], w[j] * x[i], "argmax", over=(j,), component=j), Equation(y[i], w[top[i]])),
    "a part of the rows": lambda: of(Equation(m[()], big[l3 + 1], over=(l3,)), Equation(y[i], m[()])),
    "an index under a domain": lambda: of(Equation(y[i], w[i], domain=(2 - i,))),
    "a size known by a fact": lambda: Program((X, m), (Equation(m[()], X[sp.Integer(1)]),), (Fact(H, ">=", 2),)),
    "a size known by a strict fact": lambda: Program((X, m), (Equation(m[()], X[sp.Integer(1)]),), (Fact(1, "<", H),)),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_well_formed(name: str) -> None:
    assert GOOD[name]().statements
    assert str(GOOD[name]()).strip()


def test_without_the_fact_the_row_is_not_known() -> None:
    for facts in ((), (Fact(H, ">=", 1),), (Fact(H, "<=", 5),), (Fact(2, ">", H),)):
        with pytest.raises(LanguageError, match=r"the index 1 of X\[1\] can leave its axis above"):
            Program((X, m), (Equation(m[()], X[sp.Integer(1)]),), facts)


def test_a_maximum_whose_domain_has_a_condition_without_an_index():
    i, u = Index("i", 3), Index("u", 2)
    x, y = Tensor("x", (3,), role="input"), Tensor("y", (3,))
    for always in (sp.Integer(0), sp.Integer(2)):
        Program((x, y), (Equation(y[i], x[i], over=(u,), op="max", domain=(1 - u, always)),))
    with pytest.raises(LanguageError, match="over no element"):
        Program((x, y), (Equation(y[i], x[i], over=(u,), op="max", domain=(u - 2, sp.Integer(0))),))
